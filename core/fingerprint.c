/*
 * A hash of each part, because a text of them would hold what is secret and grow with the tables.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <nettle/pbkdf2.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "conf.h"
#include "fingerprint.h"
#include "secret.h"

#define NAMED_MOST    5		/* differences that are told */
#define CONTENT_MOST  (16 << 20) /* bytes of a file that is read for it */
#define SECRET_ROUNDS 20000	/* of PBKDF2: some ten milliseconds */
#define SECRET_BYTES  16

/* With PLACES what the rows rest on is all there: secrets and files too. */
struct print {
	struct etl_text lines;
	XXH3_state_t *hash;
	bool failed;
	const char *const *places; /* two, "" where one is not known; or NULL */
	struct etl_text secrets;
};

static void add_bytes(struct print *p, const void *at, size_t size)
{
	XXH3_64bits_update(p->hash, &size, sizeof(size));
	XXH3_64bits_update(p->hash, at, size);
}

static void add_number(struct print *p, int64_t n)
{
	XXH3_64bits_update(p->hash, &n, sizeof(n));
}

static void add_secret(struct print *p, const char *text)
{
	if (p->places && text)
		etl_text_add_json(&p->secrets, text, strlen(text));
}

/* Without what is secret in it: another password is still the same place. */
static void add_text(struct print *p, const char *text)
{
	char *plain = text ? secret_redact(text) : NULL;

	if (text && !plain)
		p->failed = true;
	if (plain && strcmp(plain, text) != 0)
		add_secret(p, text);
	add_number(p, text != NULL);
	if (plain)
		add_bytes(p, plain, strlen(plain));
	free(plain);
}

static void add_list(struct print *p, const struct string_list *list)
{
	add_number(p, (int64_t)list->count);
	for (size_t i = 0; i < list->count; i++)
		add_text(p, list->at[i]);
}

static void add_content(struct print *p, const char *path)
{
	char buf[65536];
	size_t size;
	FILE *file = fopen(path, "re");

	while (file && (size = fread(buf, 1, sizeof(buf), file)) > 0)
		add_bytes(p, buf, size);
	add_number(p, !file || ferror(file) ? errno : 0);
	if (file)
		fclose(file);
}

/* What is in a file that an option names; of a large one, when it was written. A folder is the plugin's own affair. */
static void add_file(struct print *p, const char *path)
{
	struct stat st;

	if (!p->places || !path || strcmp(path, p->places[0]) == 0 || strcmp(path, p->places[1]) == 0 ||
	    stat(path, &st) != 0 || !S_ISREG(st.st_mode))
		return;
	add_number(p, st.st_size);
	if (st.st_size <= CONTENT_MOST) {
		add_content(p, path);
		return;
	}
	add_number(p, st.st_mtim.tv_sec);
	add_number(p, st.st_mtim.tv_nsec);
	add_number(p, (int64_t)st.st_ino);
}

static void add_conf(struct print *p, const struct etl_conf *conf)
{
	add_number(p, conf ? (int64_t)conf->count : -1);
	for (size_t i = 0; conf && i < conf->count; i++) {
		const struct conf_value *v = &conf->at[i];

		add_text(p, v->name);
		if (v->kind == ETL_OPT_SECRET) {
			add_secret(p, v->text);
			continue;
		}
		add_text(p, v->text);
		if (v->kind == ETL_OPT_PATH)
			add_file(p, v->text);
		add_number(p, v->number);
		add_number(p, (int64_t)v->item_count);
		for (size_t k = 0; k < v->item_count; k++)
			add_text(p, v->items[k]);
		add_number(p, (int64_t)v->sub_count);
		for (size_t k = 0; k < v->sub_count; k++)
			add_conf(p, v->subs[k]);
	}
}

static void add_use(struct print *p, const struct plugin_use *use)
{
	add_text(p, use->plugin->base.name);
	add_conf(p, use->conf);
}

static void add_uses(struct print *p, const struct plugin_uses *uses)
{
	add_number(p, (int64_t)uses->count);
	for (size_t i = 0; i < uses->count; i++)
		add_use(p, &uses->at[i]);
}

static void begin(struct print *p)
{
	XXH3_64bits_reset(p->hash);
}

/* NAME may be NULL. */
static void end(struct print *p, const char *what, const char *name)
{
	etl_text_add(&p->lines, what);
	if (name) {
		etl_text_add(&p->lines, " ");
		etl_text_add_json(&p->lines, name, strlen(name));
	}
	etl_text_addf(&p->lines, " %016" PRIx64 "\n", (uint64_t)XXH3_64bits_digest(p->hash));
}

/* ---- The file ---- */

static void print_columns(struct print *p, const struct table_rule *rule)
{
	add_number(p, (int64_t)rule->column_count);
	for (size_t i = 0; i < rule->column_count; i++) {
		const struct column_rule *c = &rule->columns[i];

		add_text(p, c->name);
		add_text(p, c->as);
		add_text(p, c->type);
		add_text(p, c->value);
		add_text(p, c->fallback);
		add_list(p, &c->null_values);
		add_conf(p, c->to);
	}
}

static void add_rule(struct print *p, const struct table_rule *rule)
{
	add_text(p, rule->query);
	add_text(p, rule->as);
	add_text(p, rule->where);
	print_columns(p, rule);
	add_list(p, &rule->exclude_columns);
	add_list(p, &rule->key);
	add_list(p, &rule->after);
	add_number(p, rule->deletes);
	add_conf(p, rule->from);
	add_conf(p, rule->to);
}

static void print_table(struct print *p, const struct job *job)
{
	begin(p);
	add_text(p, job_source_name(job));
	add_rule(p, job->rule);
	add_uses(p, &job->transforms);
	add_uses(p, &job->validators);
	end(p, "table", job_name(job));
}

static void print_lists(struct print *p, const struct pipeline *pipeline)
{
	begin(p);
	add_list(p, &pipeline->before);
	end(p, "before", NULL);
	begin(p);
	add_list(p, &pipeline->after_load);
	end(p, "after_load", NULL);
	begin(p);
	for (size_t i = 0; i < pipeline->type_count; i++) {
		add_text(p, pipeline->types[i].declared);
		add_text(p, pipeline->types[i].type);
	}
	end(p, "types", NULL);
}

static void print_keys(struct print *p, const struct pipeline *pipeline)
{
	const struct {
		const char *what;
		int64_t value;
	} keys[] = {
		{ "mode", pipeline->mode },
		{ "on_existing", pipeline->on_existing },
		{ "names", pipeline->names },
		{ "scope", pipeline->table_scope },
		{ "foreign_keys", pipeline->foreign_keys },
		{ "on_error", pipeline->reject_rows },
		{ "max_row", pipeline->max_row },
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		begin(p);
		add_number(p, keys[i].value);
		end(p, keys[i].what, NULL);
	}
}

static void print_options(struct print *p, const struct run_options *options)
{
	begin(p);
	add_text(p, options->tables);
	end(p, "--tables", NULL);
	begin(p);
	add_number(p, options->limit);
	end(p, "--limit", NULL);
	begin(p);
	add_number(p, options->schema_only);
	add_number(p, options->data_only);
	end(p, "--schema-only, --data-only", NULL);
	if (!options->from)
		return;
	begin(p);
	add_text(p, options->from);
	end(p, "--from", NULL);
}

static char *finish(struct print *p)
{
	char *ret = p->failed ? NULL : etl_text_take(&p->lines);

	etl_text_free(&p->lines);
	XXH3_freeState(p->hash);
	return ret;
}

char *fingerprint_file(const struct run *run)
{
	struct print p = { .hash = XXH3_createState() };

	if (!p.hash)
		return NULL;
	begin(&p);
	add_use(&p, &run->pipeline->source);
	end(&p, "source", NULL);
	begin(&p);
	add_use(&p, &run->pipeline->target);
	end(&p, "target", NULL);
	print_keys(&p, run->pipeline);
	print_lists(&p, run->pipeline);
	print_options(&p, &run->cli->run);
	for (size_t i = 0; i < run->jobs.count; i++)
		print_table(&p, run->jobs.at[i]);
	return finish(&p);
}

/* An entry of `tables`, as it stands there. */
static void print_entry(struct print *p, const struct table_rule *rule)
{
	begin(p);
	add_text(p, rule->name);
	add_rule(p, rule);
	add_text(p, rule->cursor);
	add_text(p, rule->delete_column);
	add_number(p, rule->has_from);
	add_number(p, rule->has_to);
	add_number(p, rule->has_delete);
	add_number(p, rule->has_transforms);
	add_number(p, rule->has_validators);
	add_uses(p, &rule->transforms);
	add_uses(p, &rule->validators);
	end(p, "table", rule->as ? rule->as : rule->name);
}

static void print_whole(struct print *p, const struct pipeline *pipeline)
{
	begin(p);
	add_list(p, &pipeline->exclude);
	end(p, "exclude", NULL);
	begin(p);
	add_uses(p, &pipeline->transforms);
	end(p, "transforms", NULL);
	begin(p);
	add_uses(p, &pipeline->validators);
	end(p, "validators", NULL);
	begin(p);
	add_number(p, pipeline->max_rejects);
	add_number(p, pipeline->max_rejects_percent);
	end(p, "max_rejects", NULL);
	for (size_t i = 0; i < pipeline->table_count; i++)
		print_entry(p, &pipeline->tables[i]);
	/* Entries may change their places, too. */
	begin(p);
	for (size_t i = 0; i < pipeline->table_count; i++) {
		add_text(p, pipeline->tables[i].name);
		add_text(p, pipeline->tables[i].as);
	}
	end(p, "the order of tables", NULL);
}

/* The state file must not be a way to guess them. */
static void print_secrets(struct print *p, const char *salt)
{
	uint8_t hash[SECRET_BYTES];

	if (!p->secrets.length)
		return;
	pbkdf2_hmac_sha256(p->secrets.length, (const uint8_t *)p->secrets.at, SECRET_ROUNDS, strlen(salt),
			   (const uint8_t *)salt, sizeof(hash), hash);
	etl_text_add(&p->lines, "what is secret ");
	for (size_t i = 0; i < sizeof(hash); i++)
		etl_text_addf(&p->lines, "%02x", (unsigned)hash[i]);
	etl_text_add(&p->lines, "\n");
	explicit_bzero(p->secrets.at, p->secrets.length);
}

char *fingerprint_pipeline(const struct pipeline *pipeline, const struct run_options *options, const char *salt,
			   const char *place, const char *source_place)
{
	const char *const places[] = { place, source_place };
	struct print p = { .hash = XXH3_createState(), .places = places };
	char *ret;

	if (!p.hash)
		return NULL;
	begin(&p);
	add_use(&p, &pipeline->source);
	end(&p, "source", NULL);
	begin(&p);
	add_use(&p, &pipeline->target);
	end(&p, "target", NULL);
	print_keys(&p, pipeline);
	print_lists(&p, pipeline);
	print_options(&p, options);
	print_whole(&p, pipeline);
	p.failed |= p.secrets.failed;
	print_secrets(&p, salt);
	ret = finish(&p);
	etl_text_free(&p.secrets);
	return ret;
}

/* ---- The plan ---- */

static void add_schema(struct print *p, const struct ArrowSchema *schema)
{
	for (int64_t i = 0; i < schema->n_children; i++) {
		add_text(p, schema->children[i]->name);
		add_text(p, schema->children[i]->format);
	}
}

static void print_shape(struct print *p, const struct job *job)
{
	begin(p);
	add_schema(p, &job->want);
	add_schema(p, &job->rows);
	for (size_t i = 0; i < job->split_count; i++) {
		add_number(p, job->splits[i].split.first);
		add_number(p, job->splits[i].split.last);
		add_text(p, job->splits[i].text);
	}
	end(p, "the rows of table", job_name(job));
}

char *fingerprint_plan(const struct run *run)
{
	struct print p = { .hash = XXH3_createState() };

	if (!p.hash)
		return NULL;
	for (size_t i = 0; i < run->jobs.count; i++)
		print_shape(&p, run->jobs.at[i]);
	begin(&p);
	for (size_t i = 0; i < run->plan.count; i++) {
		const struct etl_step *step = &run->plan.at[i];

		add_number(&p, step->phase);
		add_text(&p, step->kind);
		add_text(&p, step->object);
		add_text(&p, step->sql);
		add_number(&p, (int64_t)step->load);
	}
	end(&p, "the steps of the plan", NULL);
	return finish(&p);
}

/* ---- Comparing ---- */

/* The length of WHAT in a line; the rest is a space and the hash. */
static size_t what_length(const char *line, size_t length)
{
	while (length > 0 && line[length - 1] != ' ')
		length--;
	return length ? length - 1 : 0;
}

static bool has_line(const char *lines, const char *line, size_t length)
{
	for (; *lines; lines += strcspn(lines, "\n"), lines += *lines == '\n')
		if (strncmp(lines, line, length) == 0 && (lines[length] == '\n' || !lines[length]))
			return true;
	return false;
}

/* WHATs are told once, be they new, gone or other. */
static void tell(struct etl_text *text, size_t *count, const char *line, size_t length)
{
	char what[300];

	snprintf(what, sizeof(what), "%.*s", (int)what_length(line, length), line);
	if (text->at && strstr(text->at, what))
		return;
	if (++*count <= NAMED_MOST)
		etl_text_addf(text, "%s%s", *count > 1 ? ", " : "", what);
	else if (*count == NAMED_MOST + 1)
		etl_text_add(text, ", …");
}

static void tell_missing(const char *from, const char *in, struct etl_text *text, size_t *count)
{
	while (*from) {
		size_t length = strcspn(from, "\n");

		if (!has_line(in, from, length))
			tell(text, count, from, length);
		from += length;
		from += *from == '\n';
	}
}

char *fingerprint_compare(const char *then, const char *now)
{
	struct etl_text text = { 0 };
	size_t count = 0;

	tell_missing(then, now, &text, &count);
	tell_missing(now, then, &text, &count);
	return count ? etl_text_take(&text) : NULL;
}
