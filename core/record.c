/*
 * See record.h. A store that finds rows by their keys is asked for those; where it does not, or what is done to the rows on
 * their way may have made the key, all rows are read and looked at.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "diff-parts.h"
#include "diff-row.h"
#include "options.h"
#include "record.h"
#include "refused.h"

/* ---- Which table ----------------------------------------------------------------------------- */

static bool is_called(const struct job *job, const char *name, int (*compare)(const char *, const char *))
{
	return compare(job_name(job), name) == 0 || compare(job->target->name, name) == 0 ||
	       compare(job_source_name(job), name) == 0;
}

static int none_called(const struct run *run, const char *table, struct etl_error *err)
{
	const char **names = calloc(run->jobs.count + 1, sizeof(*names)), *near;
	int rc;

	if (!names)
		return error_memory(err);
	for (size_t i = 0; i < run->jobs.count; i++)
		names[i] = job_name(run->jobs.at[i]);
	near = option_nearest(table, names, run->jobs.count);
	rc = error_set(err, ETL_USAGE, "this pipeline brings no table \"%s\"%s%s%s; `etlrun plan` lists them", table,
		       near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
	free(names);
	return rc;
}

/* As it is spelt in the target; then in either, then whatever its case. */
int record_job(const struct run *run, const char *table, struct job **ret, struct etl_error *err)
{
	int (*const ways[])(const char *, const char *) = { strcmp, strcasecmp };

	for (size_t i = 0; i < run->jobs.count; i++) {
		*ret = run->jobs.at[i];
		if (strcmp(job_name(*ret), table) == 0)
			return 0;
	}
	for (size_t way = 0; way < 2; way++) {
		struct job *found = NULL;

		for (size_t i = 0; i < run->jobs.count; i++) {
			if (!is_called(run->jobs.at[i], table, ways[way]))
				continue;
			if (found)
				return error_set(err, ETL_USAGE,
						 "\"%s\" is several tables of this pipeline, \"%s\" and \"%s\" among them; "
						 "name the one in the target",
						 table, job_name(found), job_name(run->jobs.at[i]));
			found = run->jobs.at[i];
		}
		*ret = found;
		if (found)
			return 0;
	}
	return none_called(run, table, err);
}

/* ---- The key that is asked for --------------------------------------------------------------- */

/* Of one column. Where values of any kind stand, what reads as a number may be a number or a text. */
struct part {
	const char *at;
	size_t size;
	struct etl_text bytes[2]; /* as diff_key_put writes it; without bytes: no other */
};

static const char *key_name(const struct job *job, size_t i)
{
	return job->rows.children[job->key[i]]->name;
}

/* Where "NAME=" of the column stands, at the beginning of KEY or behind a comma or a blank. */
static const char *find_name(const char *key, const char *name)
{
	size_t size = strlen(name);

	for (const char *at = key; (at = strstr(at, name)); at++)
		if (at[size] == '=' && (at == key || at[-1] == ',' || at[-1] == ' '))
			return at;
	return NULL;
}

static int fail_key(const struct job *job, const char *key, struct etl_error *err)
{
	struct etl_text form = { 0 };
	int rc;

	for (size_t i = 0; i < job->key_count; i++)
		etl_text_addf(&form, "%s%s=…", i > 0 ? "," : "", key_name(job, i));
	error_at(err, job_name(job), NULL, NULL);
	rc = form.failed ? error_memory(err) :
			   error_set(err, ETL_USAGE, "\"%s\" is no key of it; write %s", key, form.at);
	etl_text_free(&form);
	return rc;
}

/* Each value ends where the next name begins. */
static int take_parts(const struct job *job, const char *key, struct part *parts, struct etl_error *err)
{
	const char *end = key + strlen(key);

	if (job->key_count == 1 && !find_name(key, key_name(job, 0))) {
		parts[0].at = key;
		parts[0].size = strlen(key);
		return 0;
	}
	for (size_t i = 0; i < job->key_count; i++) {
		const char *at = find_name(key, key_name(job, i)), *upto = end;

		if (!at)
			return fail_key(job, key, err);
		parts[i].at = at + strlen(key_name(job, i)) + 1;
		for (size_t k = 0; k < job->key_count; k++) {
			const char *other = find_name(key, key_name(job, k));

			if (other && other > at && other - 1 < upto)
				upto = other - 1;
		}
		if (upto < parts[i].at)
			return fail_key(job, key, err);
		parts[i].size = (size_t)(upto - parts[i].at);
	}
	return 0;
}

/* A key as a batch of one row, in the names and types of one side. */
struct keys {
	struct ArrowSchema schema;
	struct ArrowArray rows;
};

static void keys_clear(struct keys *k)
{
	if (k->rows.release)
		k->rows.release(&k->rows);
	if (k->schema.release)
		k->schema.release(&k->schema);
}

static const struct ArrowSchema *column_of(const struct job *job, enum diff_side side, size_t i)
{
	return side == DIFF_TARGET ? job->rows.children[job->key[i]] :
				     job->want.children[job->cast[job->key[i]].from];
}

static bool make_schema(const struct job *job, enum diff_side side, struct ArrowSchema *ret)
{
	struct etl_column *columns = calloc(job->key_count, sizeof(*columns));
	bool ok = columns != NULL;

	for (size_t i = 0; ok && i < job->key_count; i++) {
		const struct ArrowSchema *column = column_of(job, side, i);
		struct etl_type_info type = etl_type_of(column);

		columns[i] = (struct etl_column){ .name = column->name,
						  .type = type.type,
						  .precision = type.precision,
						  .scale = type.scale };
	}
	ok = ok && etl_schema_make(ret, columns, job->key_count, sizeof(*columns));
	free(columns);
	return ok;
}

/* *RET_CODE: why a part is no value of its column, which is at *RET_AT; or NULL. */
static int make_keys(const struct job *job, enum diff_side side, const struct part *parts, struct keys *ret,
		     const char **ret_code, size_t *ret_at, struct etl_error *err)
{
	struct etl_builder *builder;
	bool ok = make_schema(job, side, &ret->schema);

	*ret_code = NULL;
	builder = ok ? etl_builder_new(&ret->schema, 1) : NULL;
	for (size_t i = 0; builder && i < job->key_count && !*ret_code; i++) {
		*ret_at = i;
		*ret_code = etl_convert_text(&builder->columns[i], parts[i].at, parts[i].size);
	}
	ok = builder && (*ret_code || etl_builder_finish(builder, &ret->rows));
	etl_builder_free(builder);
	return ok && !(*ret_code && strcmp(*ret_code, "no_memory") == 0) ? 0 : error_memory(err);
}

static struct etl_type_info type_of(const struct job *job, size_t i)
{
	return etl_type_of(column_of(job, DIFF_TARGET, i));
}

/* The bytes by which a value of that type is found. *RET_CODE: why the part is none; or NULL. */
static bool add_bytes(struct part *part, size_t which, struct etl_type_info type, const char **ret_code)
{
	const struct etl_column column = {
		.name = "key", .type = type.type, .precision = type.precision, .scale = type.scale
	};
	struct ArrowSchema schema = { .release = NULL };
	struct ArrowArray row = { .release = NULL };
	bool ok = etl_schema_make(&schema, &column, 1, sizeof(column));
	struct etl_builder *builder = ok ? etl_builder_new(&schema, 1) : NULL;
	struct etl_view *view = builder ? etl_view_new(&schema) : NULL;

	*ret_code = view ? etl_convert_text(&builder->columns[0], part->at, part->size) : "no_memory";
	if (!*ret_code && etl_builder_finish(builder, &row) && etl_view_set(view, &row))
		diff_key_put(&part->bytes[which], &view->columns[0], 0);
	ok = *ret_code ? strcmp(*ret_code, "no_memory") != 0 : part->bytes[which].length > 0;
	etl_view_free(view);
	etl_builder_free(builder);
	if (row.release)
		row.release(&row);
	if (schema.release)
		schema.release(&schema);
	return ok && !part->bytes[which].failed;
}

static bool add_any(struct part *part)
{
	static const int32_t types[] = { ETL_INT64, ETL_FLOAT64 };
	const char *code = "";
	bool ok = add_bytes(part, 1, (struct etl_type_info){ .type = ETL_TEXT }, &code);

	code = "";
	for (size_t i = 0; ok && code && i < sizeof(types) / sizeof(*types); i++)
		ok = add_bytes(part, 0, (struct etl_type_info){ .type = types[i] }, &code);
	return ok;
}

static bool is_meant(const struct part *part, const struct etl_text *bytes)
{
	for (size_t i = 0; i < 2; i++)
		if (part->bytes[i].length > 0 && part->bytes[i].length == bytes->length &&
		    memcmp(part->bytes[i].at, bytes->at, bytes->length) == 0)
			return true;
	return false;
}

static int fail_value(const struct job *job, const struct part *part, size_t at, const char *code,
		      struct etl_error *err)
{
	char type[64];

	error_at(err, job_name(job), key_name(job, at), NULL);
	return error_set(err, ETL_USAGE, "\"%.*s\" is no value of its type, %s (%s)", (int)part->size, part->at,
			 etl_type_name(type_of(job, at), type, sizeof(type)), code);
}

/* ---- Reading --------------------------------------------------------------------------------- */

struct finding {
	struct diff_walk walk;
	struct record *record;
	const struct part *parts;
	struct etl_view *view;
	bool from_target;
};

/* KEY: room for bytes, to be used again. */
static bool is_found(const struct finding *f, int64_t row, struct etl_text *key)
{
	const struct job *job = f->record->job;

	for (size_t i = 0; i < job->key_count; i++) {
		key->length = 0;
		diff_key_put(key, &f->view->columns[job->key[i]], row);
		if (key->failed || !is_meant(&f->parts[i], key))
			return false;
	}
	return true;
}

static int take_batch(struct diff_walk *walk, const struct ArrowArray *batch, struct etl_error *err)
{
	struct finding *f = (struct finding *)(void *)walk;
	struct record *r = f->record;
	struct etl_text *row = f->from_target ? &r->target : &r->source;
	uint64_t *count = f->from_target ? &r->target_rows : &r->source_rows;
	struct etl_text key = { 0 };
	bool ok = batch->length == 0 || etl_view_set(f->view, batch);

	for (int64_t i = 0; ok && i < batch->length; i++) {
		if (is_found(f, i, &key) && ++*count == 1)
			diff_row_put(row, f->view, i);
		ok = !key.failed && !row->failed;
	}
	etl_text_free(&key);
	return ok ? 0 : error_memory(err);
}

/* The side has the key as the target has it, in columns of its own of a known type. */
static bool has_key(const struct job *job, enum diff_side side)
{
	if (side == DIFF_SOURCE && (job->transforms.count || job->dataset.query))
		return false;
	for (size_t i = 0; i < job->key_count; i++)
		if ((side == DIFF_SOURCE && !diff_is_taken_over(&job->cast[job->key[i]])) ||
		    etl_type_of(column_of(job, side, i)).type == ETL_ANY)
			return false;
	return true;
}

static bool is_dynamic(const struct run *run, enum diff_side side)
{
	const struct instance *store = side == DIFF_SOURCE ? run->source : run->target;

	return (store->plugin->store.flags & ETL_DYNAMIC) != 0;
}

/* By the key. *RET_SURE: if nothing was found, nothing is there. */
static int read_by_key(struct diff *d, enum diff_side side, const struct part *parts, struct finding *f,
		       bool *ret_sure, struct etl_error *err)
{
	struct keys keys = { .rows = { 0 } };
	struct flow_range only = { .key_schema = &keys.schema, .keys = &keys.rows };
	const char *code = NULL;
	size_t at = 0;
	int rc = make_keys(d->job, side, parts, &keys, &code, &at, err);

	*ret_sure = false;
	if (rc == 0 && !code) {
		rc = diff_walk_only(d, side, &only, &f->walk, err);
		*ret_sure = rc == 0 && !is_dynamic(d->run, side);
		if (rc == ETL_FAILED && err->set && err->klass == ETL_USAGE) {
			error_clear(err);
			rc = 0;
		}
		if (side == DIFF_SOURCE)
			f->record->rejected = d->from.context.rejected;
	}
	keys_clear(&keys);
	return rc;
}

static int read_side(struct diff *d, enum diff_side side, const struct part *parts, struct record *r,
		     struct etl_error *err)
{
	struct finding f = {
		.walk = { take_batch }, .record = r, .parts = parts, .from_target = side == DIFF_TARGET
	};
	bool sure = false;
	int rc;

	f.view = etl_view_new(&r->job->rows);
	rc = f.view ? 0 : error_memory(err);
	if (rc == 0 && has_key(r->job, side))
		rc = read_by_key(d, side, parts, &f, &sure, err);
	if (rc == 0 && !sure && !(side == DIFF_TARGET ? r->target_rows : r->source_rows))
		rc = diff_walk_only(d, side, NULL, &f.walk, err);
	etl_view_free(f.view);
	return rc;
}

/* ---- Both ------------------------------------------------------------------------------------ */

static int find_rows(struct run *run, const struct part *parts, struct record *r, struct etl_error *err)
{
	struct refused none = { 0 };
	struct diff d;
	int rc = diff_init(&d, run, r->job, &none, err);

	if (rc == 0)
		rc = read_side(&d, DIFF_SOURCE, parts, r, err);
	if (rc == 0)
		rc = read_side(&d, DIFF_TARGET, parts, r, err);
	diff_clear(&d);
	return rc;
}

static int read_key(const struct record *r, const char *text, struct part *parts, struct etl_error *err)
{
	int rc = take_parts(r->job, text, parts, err);

	for (size_t i = 0; i < r->job->key_count && rc == 0; i++) {
		struct etl_type_info type = type_of(r->job, i);
		const char *code = NULL;
		bool ok = type.type == ETL_ANY ? add_any(&parts[i]) : add_bytes(&parts[i], 0, type, &code);

		if (!ok)
			rc = error_memory(err);
		else if (code)
			rc = fail_value(r->job, &parts[i], i, code, err);
	}
	return rc;
}

int record_find(struct run *run, struct job *job, const char *key, struct record *r, struct etl_error *err)
{
	struct part *parts;
	int rc;

	memset(r, 0, sizeof(*r));
	r->job = job;
	if (job->key_count == 0) {
		error_at(err, job_name(job), NULL, NULL);
		return error_set(err, ETL_USAGE, "it has no key to find a row by; write key = [ … ] in its entry");
	}
	parts = calloc(job->key_count, sizeof(*parts));
	rc = parts ? read_key(r, key, parts, err) : error_memory(err);
	run->flow.pipeline = run->pipeline;
	run->flow.jobs = &run->jobs;
	run->flow.source = run->source;
	run->flow.target = run->target;
	run->flow.limits = run->limits;
	if (rc == 0)
		rc = diff_check_table(job, err);
	if (rc == 0)
		rc = find_rows(run, parts, r, err);
	for (size_t i = 0; parts && i < job->key_count; i++) {
		etl_text_free(&parts[i].bytes[0]);
		etl_text_free(&parts[i].bytes[1]);
	}
	free(parts);
	return rc;
}

void record_clear(struct record *r)
{
	etl_text_free(&r->source);
	etl_text_free(&r->target);
}
