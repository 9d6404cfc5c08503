/*
 * The rows of a split, each as its cells. What cannot be JSON, or has no file to be in, is rejected here, where the row is still
 * at hand.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "target.h"

struct loading {
	struct target_plan *plan;
	struct load_plan *load;
	struct stage *stage;
	const struct etl_part *part;
	struct etl_error *err;
	struct cell_maker maker;
	struct etl_view *view;
	struct ArrowSchema schema;
	struct etl_text row, last_file;
	struct cell *cells;
	sqlite3_stmt *add;
	uint64_t n;
	struct etl_stats stats;
};

static const struct etl_host *host_of(const struct loading *l)
{
	return l->plan->inst->host;
}

static int no_memory(struct loading *l)
{
	return host_of(l)->fail(l->err, ETL_MEMORY, NULL, 0, "no memory for the rows of \"%s\"",
				l->load->load->table->name);
}

/* ---- A row's place ------------------------------------------------------------------------------------------------- */

static const char *no_place(struct loading *l, const char *what, const char **ret_column, const struct placing *p)
{
	snprintf(l->maker.reason, sizeof(l->maker.reason), "\"%s\" %s", p->name, what);
	*ret_column = p->name;
	return "no_place";
}

static char *copy_cell(const struct cell *c)
{
	return memchr(c->text, '\0', c->size) ? NULL : strndup(c->text, c->size);
}

/* `except`: rows of such names are passed over when the files are read, so they would not come back. */
static const char *check_except(struct loading *l, const char *name, const struct placing *p, const char **ret_column)
{
	const struct json_table *t = l->load->mapping;
	const struct cell *c = &l->cells[p - l->load->columns];

	for (size_t i = 0; t && i + 1 < t->except_count; i += 2) {
		if (strcmp(t->except[i], name) == 0 && json_glob(t->except[i + 1], c->text, c->size))
			return no_place(l, "has a name that `except` passes over when the files are read", ret_column, p);
	}
	return NULL;
}

/* The names of files that rows have one after the other are mostly the same. */
static const char *check_file(struct loading *l, const char **ret_column)
{
	const struct document *d = l->load->document;
	char *texts[JSON_NAMES_MAX] = { NULL }, *name = NULL;
	const char *why = "has a NUL in it", *code = NULL;

	for (size_t i = 0; !code && i < d->capture_count; i++) {
		const struct cell *c = &l->cells[l->load->captures[i] - l->load->columns];

		texts[i] = c->kind == CELL_NULL ? NULL : copy_cell(c);
		if (c->kind == CELL_NULL)
			code = no_place(l, "is NULL, and the file's name needs it", ret_column, l->load->captures[i]);
		else if (!texts[i])
			code = no_place(l, why, ret_column, l->load->captures[i]);
		else
			code = check_except(l, d->captures[i], l->load->captures[i], ret_column);
	}
	if (!code) {
		const char *values[JSON_NAMES_MAX];

		memcpy(values, texts, sizeof(values));
		name = files_pattern_name(d->files, values, &why);
		if (!name)
			code = no_place(l, why, ret_column, l->load->captures[0]);
	}
	free(name);
	for (size_t i = 0; i < JSON_NAMES_MAX; i++)
		free(texts[i]);
	return code;
}

static bool same_file(struct loading *l)
{
	struct etl_text now = { 0 };
	bool same;

	for (size_t i = 0; i < l->load->document->capture_count; i++) {
		const struct cell *c = &l->cells[l->load->captures[i] - l->load->columns];

		etl_text_addf(&now, "%c%zu:", (char)c->kind, c->size);
		etl_text_add_bytes(&now, c->text, c->size);
	}
	same = now.length == l->last_file.length && now.at && memcmp(now.at, l->last_file.at, now.length) == 0;
	etl_text_free(&l->last_file);
	l->last_file = now;
	return same;
}

static const char *check_place(struct loading *l, const char **ret_column)
{
	const char *code = NULL;

	for (size_t i = 1; !code && i <= l->load->depth; i++) {
		const struct way_step *w = &l->load->way[i];

		if (w->capture && l->cells[w->capture - l->load->columns].kind == CELL_NULL)
			code = no_place(l, "is NULL, and it is the name of a member", ret_column, w->capture);
		else if (w->capture)
			code = check_except(l, w->place->name, w->capture, ret_column);
	}
	if (code || !l->load->document->capture_count || same_file(l))
		return code;
	code = check_file(l, ret_column);
	if (code)
		l->last_file.length = 0;
	return code;
}

/* ---- Rows ------------------------------------------------------------------------------------------------------------ */

static const char *make_row(struct loading *l, int64_t row, const char **ret_column)
{
	const char *code = NULL;

	l->row.length = 0;
	for (size_t i = 0; !code && i < l->load->column_count; i++) {
		*ret_column = l->load->columns[i].name;
		code = json_cell_make(&l->maker, &l->load->columns[i], &l->view->columns[l->load->columns[i].at], row, &l->row);
	}
	*ret_column = code ? *ret_column : NULL;
	if (!code && l->row.length && !json_cells_read(l->cells, l->load->column_count, l->row.at, l->row.length))
		code = "no_memory";
	return code ? code : check_place(l, ret_column);
}

static int reject(struct loading *l, const struct ArrowArray *batch, int64_t row, const char *code, const char *column)
{
	const struct etl_reject rejected = { .code = code,
					     .column = column,
					     .reason = l->maker.reason,
					     .schema = &l->schema,
					     .batch = batch,
					     .row = row };

	if (strcmp(code, "no_memory") == 0)
		return no_memory(l);
	return host_of(l)->reject(l->part->context, &rejected);
}

static int load_row(struct loading *l, const struct ArrowArray *batch, int64_t row)
{
	const char *column = NULL, *code;

	l->maker.reason[0] = '\0';
	code = make_row(l, row, &column);
	if (code)
		return reject(l, batch, row, code, column);
	sqlite3_bind_int64(l->add, 3, (sqlite3_int64)l->n++);
	sqlite3_bind_blob64(l->add, 4, l->row.at ? l->row.at : "", l->row.length, SQLITE_STATIC);
	l->stats.rows++;
	l->stats.bytes += l->row.length;
	return json_stage_step(l->stage, l->add, l->err);
}

static int load_batch(struct loading *l, const struct ArrowArray *batch)
{
	int rc = etl_view_set(l->view, batch) ? ETL_OK : no_memory(l);

	for (int64_t row = 0; !rc && row < batch->length; row++)
		rc = load_row(l, batch, row);
	return rc;
}

/* When the stream failed, whoever made it has said why. */
static int load_all(struct loading *l, struct ArrowArrayStream *stream)
{
	struct ArrowArray batch = { .release = NULL };
	int rc = ETL_OK;

	while (!rc) {
		if (stream->get_next(stream, &batch) != 0)
			return ETL_FAILED;
		if (!batch.release)
			return ETL_OK;
		rc = load_batch(l, &batch);
		batch.release(&batch);
	}
	return rc;
}

static int begin(struct loading *l)
{
	const char *name = l->load->load->table->name;
	sqlite3_stmt *remove = NULL;
	int rc = json_stage_prepare(l->stage, "DELETE FROM staged WHERE load = ?1 AND part = ?2", &remove, l->err);

	if (rc)
		return rc;
	sqlite3_bind_text(remove, 1, name, -1, SQLITE_STATIC);
	sqlite3_bind_int64(remove, 2, (sqlite3_int64)l->part->index);
	rc = json_stage_step(l->stage, remove, l->err);
	sqlite3_finalize(remove);
	if (!rc)
		rc = json_stage_prepare(l->stage, "INSERT INTO staged VALUES (?1, ?2, ?3, ?4)", &l->add, l->err);
	if (rc)
		return rc;
	sqlite3_bind_text(l->add, 1, name, -1, SQLITE_STATIC);
	sqlite3_bind_int64(l->add, 2, (sqlite3_int64)l->part->index);
	return ETL_OK;
}

int json_load(struct target_plan *plan, struct load_plan *load, struct stage *stage, const struct etl_part *part,
	      struct ArrowArrayStream *stream, struct etl_stats *ret, struct etl_error *err)
{
	struct loading l = { .plan = plan, .load = load, .stage = stage, .part = part, .err = err };
	int rc;

	l.maker.work.texts = &plan->inst->texts;
	l.maker.nonfinite = plan->inst->nonfinite;
	l.cells = calloc(load->column_count + 1, sizeof(*l.cells));
	if (stream->get_schema(stream, &l.schema) != 0)
		rc = ETL_FAILED;
	else if (!l.cells || !(l.view = etl_view_new(&l.schema)))
		rc = no_memory(&l);
	else
		rc = json_stage_sql(stage, "BEGIN", err);
	if (!rc) {
		rc = begin(&l);
		if (!rc)
			rc = load_all(&l, stream);
		if (!rc)
			rc = json_stage_sql(stage, "COMMIT", err);
		sqlite3_finalize(l.add);
		if (rc)
			sqlite3_exec(json_stage_db(stage), "ROLLBACK", NULL, NULL, NULL);
	}
	if (l.schema.release)
		l.schema.release(&l.schema);
	etl_view_free(l.view);
	etl_text_free(&l.row);
	etl_text_free(&l.last_file);
	etl_text_free(&l.maker.text);
	json_pool_free(&l.maker.work.pool);
	free(l.cells);
	if (!rc)
		*ret = l.stats;
	return rc;
}
