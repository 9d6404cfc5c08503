/*
 * conflicts: the rows that a sync has parked because both ends changed them, listed; and what is to become of them. That is written
 * down beside the row in the target, and the next run does it, if both versions are still those that were seen.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "conflicts-parts.h"
#include "json-read.h"
#include "log.h"
#include "output.h"
#include "replay-row.h"

/* What is written of one: its words stay. */
struct choice {
	int64_t number;
	uint8_t bytes[PARKED_BYTES];
};

struct chosen {
	struct kept_source source;
	struct choice *at;
	size_t count, room, next;
};

struct looking {
	const struct cli *cli;
	const struct pipeline *pipeline;
	struct host_limits limits;
	FILE *out; /* list */
	const char *key; /* resolve: of one row; NULL: all */
	struct chosen chosen; /* … of the table at hand */
	char *table;
	uint64_t found;
};

/* ---- A parked row ------------------------------------------------------------------------------ */

/* Its three objects, as JSON in the words. */
struct parked_row {
	const char *key, *source, *target, *run;
	size_t key_size, source_size, target_size, run_size;
};

static void take_member(struct json *j, const char *name, struct parked_row *ret)
{
	const char *at;
	size_t size = json_value(j, &at);

	if (strcmp(name, "key") == 0) {
		ret->key = at;
		ret->key_size = size;
	} else if (strcmp(name, "source") == 0) {
		ret->source = at;
		ret->source_size = size;
	} else if (strcmp(name, "target") == 0) {
		ret->target = at;
		ret->target_size = size;
	} else if (strcmp(name, "run") == 0) {
		ret->run = at;
		ret->run_size = size;
	}
}

/* False: it cannot be read. */
static bool read_words(const struct kept_piece *piece, struct parked_row *ret)
{
	struct json j = json_start(piece->words ? piece->words : "", piece->length);

	memset(ret, 0, sizeof(*ret));
	json_expect(&j, '{');
	do {
		struct etl_text name = { 0 };

		json_string(&j, &name);
		json_expect(&j, ':');
		if (!j.bad && name.at)
			take_member(&j, name.at, ret);
		j.bad |= name.failed || !name.at;
		etl_text_free(&name);
	} while (!j.bad && json_take(&j, ','));
	json_expect(&j, '}');
	return !j.bad && ret->key && ret->source && ret->target && ret->run;
}

/* A value as people read it: a text without its quotes. */
static void add_value(struct etl_text *to, const struct row_member *m)
{
	struct json j = json_start(m->value, m->length);

	if (m->length && *m->value == '"')
		json_string(&j, to);
	else
		etl_text_add_bytes(to, m->value, m->length);
}

/* "id=3", "a=1,b=x"; NAMES false: the values alone. */
static bool add_key(struct etl_text *to, const struct parked_row *p, bool names)
{
	struct row_members key = { 0 };
	bool ok = row_read(&key, p->key, p->key_size);

	for (size_t i = 0; ok && i < key.count; i++) {
		etl_text_add(to, i ? "," : "");
		if (names)
			etl_text_addf(to, "%s=", key.at[i].name.at ? key.at[i].name.at : "");
		add_value(to, &key.at[i]);
	}
	row_clear(&key);
	return ok && !to->failed;
}

/* ---- list -------------------------------------------------------------------------------------- */

static const char *choice_word(uint64_t choice)
{
	return choice == CHOICE_SOURCE ? "source" : choice == CHOICE_TARGET ? "target" : NULL;
}

/* Line ends and other control characters would break the line. */
static void print_plain(FILE *out, const struct etl_text *text)
{
	for (size_t i = 0; i < text->length; i++) {
		unsigned char c = (unsigned char)text->at[i];

		putc(c < 0x20 || c == 0x7f ? ' ' : c, out);
	}
}

static void print_column(FILE *out, const struct row_member *source, const struct row_member *target)
{
	struct etl_text line = { 0 };

	etl_text_addf(&line, "%s: source ", source->name.at ? source->name.at : "");
	add_value(&line, source);
	etl_text_add(&line, ", target ");
	add_value(&line, target);
	fputs("    ", out);
	print_plain(out, &line);
	putc('\n', out);
	etl_text_free(&line);
}

/* The columns that differ; both have the same, in one order. */
static bool print_columns(FILE *out, const struct parked_row *p)
{
	struct row_members source = { 0 }, target = { 0 };
	bool gone = strncmp(p->source, "null", 4) == 0, lacks = strncmp(p->target, "null", 4) == 0;
	bool ok = (gone || row_read(&source, p->source, p->source_size)) && (lacks || row_read(&target, p->target, p->target_size));

	if (gone)
		fputs("    gone from the source, and changed in the target\n", out);
	else if (lacks)
		fputs("    changed in the source, and gone from the target\n", out);
	for (size_t i = 0; ok && i < source.count && i < target.count; i++)
		if (source.at[i].length != target.at[i].length ||
		    memcmp(source.at[i].value, target.at[i].value, source.at[i].length) != 0)
			print_column(out, &source.at[i], &target.at[i]);
	row_clear(&source);
	row_clear(&target);
	return ok;
}

static bool print_text(FILE *out, const struct kept_piece *piece, const struct parked_row *p, const char *choice)
{
	struct etl_text key = { 0 };
	bool ok = add_key(&key, p, true);

	fprintf(out, "%s  ", piece->name);
	print_plain(out, &key);
	fprintf(out, "  parked by run %.*s", p->run_size > 2 ? (int)p->run_size - 2 : 0, p->run + 1);
	if (choice)
		fprintf(out, "; the next run takes the %s's", choice);
	putc('\n', out);
	etl_text_free(&key);
	return ok && print_columns(out, p);
}

static bool print_json(FILE *out, const struct kept_piece *piece, const char *choice)
{
	struct etl_text line = { 0 };
	bool ok;

	etl_text_add(&line, "{\"table\": ");
	etl_text_add_json(&line, piece->name, strlen(piece->name));
	etl_text_addf(&line, ", \"take\": %s%s%s, ", choice ? "\"" : "", choice ? choice : "null", choice ? "\"" : "");
	/* The words are an object: what follows its brace. */
	if (piece->length)
		etl_text_add_bytes(&line, piece->words + 1, piece->length - 1);
	ok = !line.failed;
	if (ok)
		fprintf(out, "%s\n", line.at);
	etl_text_free(&line);
	return ok;
}

static int list_one(struct looking *l, const struct kept_piece *piece, const struct parked_row *p, uint64_t choice,
		    struct etl_error *err)
{
	const char *word = choice_word(choice);
	bool ok = l->cli->as_json ? print_json(l->out, piece, word) : print_text(l->out, piece, p, word);

	l->found++;
	return ok ? 0 : error_memory(err);
}

/* ---- resolve ----------------------------------------------------------------------------------- */

static int chosen_next(struct kept_source *self, struct kept_piece *ret, struct etl_error *err)
{
	struct chosen *c = (struct chosen *)(void *)self;

	(void)err;
	if (c->next == c->count)
		return 0;
	*ret = (struct kept_piece){ .number = c->at[c->next].number, .bytes = c->at[c->next].bytes, .size = PARKED_BYTES };
	c->next++;
	return 1;
}

/* Of one table, whole or not at all. */
static int write_chosen(struct looking *l, struct etl_error *err)
{
	const struct etl_keep keep = { .pipeline = l->pipeline->name, .kind = KEPT_PARKED, .table = l->table };
	struct instance *target = NULL;
	int rc = 0;

	if (l->chosen.count) {
		rc = instance_open(&l->pipeline->target, ETL_ROLE_TARGET, &l->limits, &target, err);
		l->chosen.source.next = chosen_next;
		l->chosen.next = 0;
		if (rc == 0)
			rc = kept_write(target, &keep, &l->chosen.source, err);
		instance_close(target);
	}
	l->found += rc == 0 ? l->chosen.count : 0;
	l->chosen.count = 0;
	return rc;
}

static bool is_called(const struct looking *l, const struct parked_row *p, bool *ok)
{
	struct etl_text named = { 0 }, plain = { 0 };
	bool same;

	if (!l->key)
		return true;
	*ok = add_key(&named, p, true) && add_key(&plain, p, false);
	same = *ok && (strcmp(named.at, l->key) == 0 || strcmp(plain.at, l->key) == 0);
	etl_text_free(&named);
	etl_text_free(&plain);
	return same;
}

static int choose(struct looking *l, const struct kept_piece *piece, const struct parked_row *p, uint64_t source, uint64_t target,
		  struct etl_error *err)
{
	struct chosen *c = &l->chosen;
	bool ok = true;

	if (!is_called(l, p, &ok))
		return ok ? 0 : error_memory(err);
	if (c->count == c->room) {
		size_t room = c->room ? 2 * c->room : 64;
		struct choice *at = realloc(c->at, room * sizeof(*at));

		if (!at)
			return error_memory(err);
		c->at = at;
		c->room = room;
	}
	c->at[c->count].number = piece->number;
	parked_put(c->at[c->count++].bytes, source, target, strcmp(l->cli->take, "source") == 0 ? CHOICE_SOURCE : CHOICE_TARGET);
	return 0;
}

/* ---- All of them ------------------------------------------------------------------------------- */

static bool is_meant(const struct looking *l, const char *name)
{
	const char *dot = strchr(name, '.');

	return !l->cli->table || strcmp(l->cli->table, name) == 0 || (dot && strcmp(l->cli->table, dot + 1) == 0);
}

static int look_at(struct looking *l, const struct kept_piece *piece, struct etl_error *err)
{
	uint64_t source, target, choice;
	struct parked_row row;

	if (!is_meant(l, piece->name))
		return 0;
	if (!parked_get(piece, &source, &target, &choice) || !read_words(piece, &row)) {
		log_line(ETL_LOG_WARN, "table \"%s\": what is kept of one of its parked rows cannot be read", piece->name);
		return 0;
	}
	return l->out ? list_one(l, piece, &row, choice, err) : choose(l, piece, &row, source, target, err);
}

/* Of one table, or TABLE NULL: of all. */
static int read_all(struct looking *l, const char *table, int (*each)(struct looking *, const struct kept_piece *, struct etl_error *),
		    struct etl_error *err)
{
	const struct etl_keep keep = { .pipeline = l->pipeline->name, .kind = KEPT_PARKED, .table = table };
	struct kept_reader *reader = NULL;
	struct kept_piece piece;
	int rc = kept_open(&l->pipeline->target, &l->limits, &keep, &reader, err);

	while (rc == 0 && (rc = kept_next(reader, &piece, err)) > 0)
		rc = each(l, &piece, err);
	kept_close(reader);
	return rc;
}

static int list(struct looking *l, struct etl_error *err)
{
	struct output output;
	int rc = output_open(&output, err), closed;

	if (rc < 0)
		return rc;
	l->out = output.file;
	rc = read_all(l, NULL, look_at, err);
	if (rc == 0 && !l->cli->as_json)
		fprintf(output.file, "%" PRIu64 " row%s parked\n", l->found, l->found == 1 ? " is" : "s are");
	closed = output_close(&output, err);
	return rc < 0 ? rc : closed;
}

/* Its tables first: a table is written when nobody reads it. */
struct names {
	struct looking looking; /* first */
	char **at;
	size_t count;
};

static int note_table(struct looking *l, const struct kept_piece *piece, struct etl_error *err)
{
	struct names *n = (struct names *)(void *)l;
	char **at;

	if (!is_meant(l, piece->name) || (n->count && strcmp(n->at[n->count - 1], piece->name) == 0))
		return 0;
	at = realloc(n->at, (n->count + 1) * sizeof(*at));
	if (at)
		n->at = at;
	if (!at || !(at[n->count] = strdup(piece->name)))
		return error_memory(err);
	n->count++;
	return 0;
}

static int fail_none(const struct looking *l, struct etl_error *err)
{
	return error_set(err, ETL_USAGE, "no row%s%s%s%s is parked in the target; `etlrun conflicts list` shows those that are",
			 l->key ? " " : "", l->key ? l->key : "", l->cli->table ? " of " : "", l->cli->table ? l->cli->table : "");
}

static int resolve(struct looking *l, struct etl_error *err)
{
	struct names names = { .looking = *l };
	size_t tables = 0;
	int rc = read_all(&names.looking, NULL, note_table, err);

	for (size_t i = 0; i < names.count && rc == 0; i++) {
		l->table = names.at[i];
		rc = read_all(l, names.at[i], look_at, err);
		tables += l->chosen.count > 0;
		if (rc == 0 && l->key && tables > 1)
			rc = error_set(err, ETL_USAGE, "rows %s of several tables are parked; write --table T; of %" PRIu64
				       " it is settled", l->key, l->found);
		if (rc == 0)
			rc = write_chosen(l, err);
	}
	for (size_t i = 0; i < names.count; i++)
		free(names.at[i]);
	free(names.at);
	free(l->chosen.at);
	if (rc == 0 && !l->found)
		rc = fail_none(l, err);
	if (rc == 0)
		log_note("%" PRIu64 " row%s settled for the %s; the next run does it, unless one of the two ends changes before", l->found,
			 l->found == 1 ? " is" : "s are", l->cli->take);
	return rc;
}

/* ---- The verb ---------------------------------------------------------------------------------- */

static int check(const struct cli *cli, bool lists, struct etl_error *err)
{
	if (!lists && strcmp(cli->words[0], "resolve") != 0)
		return error_set(err, ETL_USAGE, "\"%s\" is nothing that can be done with conflicts: list, or resolve", cli->words[0]);
	if (lists && (cli->take || cli->all || cli->word_count > 2))
		return error_set(err, ETL_USAGE, "list takes no KEY, no --take and no --all; these are for resolve");
	if (!lists && !cli->take)
		return error_set(err, ETL_USAGE, "whose version is it to be? Write --take source, or --take target");
	if (!lists && cli->all == (cli->word_count > 2))
		return error_set(err, ETL_USAGE, "name the row by its KEY, as `etlrun conflicts list` shows it, or write --all");
	return 0;
}

static int conflicts(const struct cli *cli, struct etl_error *err)
{
	bool lists = strcmp(cli->words[0], "list") == 0;
	struct looking l = { .cli = cli, .key = cli->word_count > 2 ? cli->words[1] : NULL };
	struct pipeline *pipeline = NULL;
	int rc = check(cli, lists, err);

	if (rc == 0)
		rc = cli_pipeline(cli, &pipeline, err);
	l.pipeline = pipeline;
	if (rc == 0)
		l.limits = (struct host_limits){ .batch_rows = ETL_BATCH_ROWS,
						 .batch_bytes = pipeline->batch_bytes,
						 .max_row = pipeline->max_row,
						 .memory = pipeline->memory_limit,
						 .workers = 1,
						 .pipeline = pipeline,
						 .intent = ETL_LOOKS };
	if (rc == 0 && !pipeline->target.plugin->can_keep)
		rc = error_set(err, ETL_USAGE, "%s: this target keeps no rows aside, so none is parked in it",
			       pipeline->target.plugin->base.name);
	if (rc == 0)
		rc = lists ? list(&l, err) : resolve(&l, err);
	pipeline_free(pipeline);
	return rc;
}

const struct verb verb_conflicts = {
	.name = "conflicts",
	.words = "list|resolve [KEY] PIPELINE.cfg",
	.summary = "rows changed at both ends that a sync has parked",
	.takes = CLI_FILE | CLI_CONFLICTS,
	.min_words = 2,
	.max_words = 3,
	.looks = true,
	.run = conflicts,
};
