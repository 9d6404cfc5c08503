/*
 * See screen.h. The rows are read with the values' own storage classes and put into columns just as the reader
 * does it, so what the host sees of a row is what it gave.
 */
#include "config.h"

#include <stdlib.h>

#include "into.h"
#include "read.h"
#include "fault.h"
#include "screen.h"

#define FOUND_MOST 1000 /* rows named for one step when they stay; the rest is counted */

static int no_memory(const struct screen *s)
{
	return s->inst->host->fail(s->err, ETL_MEMORY, NULL, 0,
				   "%s: no memory to look through \"%s\"", s->inst->path, s->table);
}

/* Runs TEXT, which is freed. */
static int run_text(struct screen *s, struct etl_text *text)
{
	int rc = text->failed ? no_memory(s) :
				sqlite_run(s->inst, s->inst->stage, text->at, s->err);

	etl_text_free(text);
	return rc;
}

/* ---- Collecting ------------------------------------------------------------------------------------------ */

int sqlite_staged_rowid(struct etl_instance *inst, const char *table, const char **ret,
			struct etl_error *err)
{
	const struct etl_dataset dataset = { .table = table };
	int rc = select_rowid(inst, inst->stage, &dataset, ret, err);

	/* Where rows wait for append and merge a column of ours is the rowid, if nothing else names it. */
	if (!rc && !*ret &&
	    sqlite3_table_column_metadata(inst->stage, "main", table, INTO_ROW, NULL, NULL, NULL,
					  NULL, NULL) == SQLITE_OK)
		*ret = INTO_ROW;
	return rc;
}

static int find_ids(struct screen *s)
{
	const struct etl_key *key = screen_key(s->load);
	int rc = sqlite_staged_rowid(s->inst, s->table, &s->rowid, s->err);

	if (rc)
		return rc;
	if (!s->rowid && (sqlite_has_rowid(s->inst->stage, s->table) || !key->column_count)) {
		s->inst->host->at(s->err, s->table, NULL, NULL);
		return s->inst->host->fail(s->err, ETL_DATA, NULL, 0,
					   "table \"%s\" has columns called rowid, oid and "
					   "_rowid_, so rows that a constraint does "
					   "not take cannot be told from the others; rename one of "
					   "them, or leave the constraint "
					   "out",
					   s->table);
	}
	s->ids = s->rowid ? &s->rowid : key->columns;
	s->id_count = s->rowid ? 1 : key->column_count;
	s->order = sqlite_order_by(s->inst, s->load, s->rowid);
	return s->order ? ETL_OK : no_memory(s);
}

static void add_places(const struct screen *s, struct etl_text *to)
{
	size_t i;

	for (i = 0; i < s->id_count; i++)
		etl_text_addf(to, "%sk%zu", i ? ", " : "", i);
}

int screen_open(struct screen *s, struct etl_instance *inst, const struct etl_load *load,
		struct etl_found_sink *sink, struct etl_error *err)
{
	struct etl_text sql = { 0 };
	int rc;

	*s = (struct screen){
		.inst = inst, .load = load, .sink = sink, .err = err, .table = load->table->name
	};
	rc = find_ids(s);
	if (rc)
		return rc;
	etl_text_add(&sql, "DROP TABLE IF EXISTS " SCREEN_FOUND ";\nCREATE TABLE " SCREEN_FOUND
			   "(n INTEGER PRIMARY KEY, rule, ");
	add_places(s, &sql);
	etl_text_add(&sql, ", UNIQUE (");
	add_places(s, &sql);
	etl_text_add(&sql, "))");
	return run_text(s, &sql);
}

int screen_rule(struct screen *s, const char *code, const char *columns, const char *reason)
{
	struct screen_rule *more = realloc(s->rules, (s->rule_count + 1) * sizeof(*more));

	if (!more)
		return no_memory(s);
	s->rules = more;
	more += s->rule_count;
	*more = (struct screen_rule){ code, columns ? strdup(columns) : NULL, strdup(reason) };
	s->rule_count++;
	return (columns && !more->columns) || !more->reason ? no_memory(s) : ETL_OK;
}

void screen_add_ids(const struct screen *s, struct etl_text *to)
{
	size_t i;

	for (i = 0; i < s->id_count; i++) {
		etl_text_add(to, i ? ", t." : "t.");
		etl_text_add_name(to, s->ids[i], '"');
	}
}

int screen_collect(struct screen *s, const char *select, int64_t *ret)
{
	struct etl_text sql = { 0 };
	sqlite3_int64 before = sqlite3_total_changes64(s->inst->stage);
	int rc;

	etl_text_add(&sql, "INSERT OR IGNORE INTO " SCREEN_FOUND "(");
	add_places(s, &sql);
	etl_text_addf(&sql, ", rule) SELECT *, %zu FROM (\n%s\n)", s->rule_count - 1, select);
	rc = run_text(s, &sql);
	*ret = sqlite3_total_changes64(s->inst->stage) - before;
	return rc;
}

/* ---- Emitting --------------------------------------------------------------------------------------------- */

/* What is being emitted: a batch under construction, and beside its rows what is said of them. */
struct emitting {
	struct screen *s;
	struct etl_builder *builder; /* NULL: the sink wants no rows */
	sqlite3_stmt *stmt;
	struct etl_key key; /* what tells a row to people; without columns the rowid */
	int first_key;	    /* column of stmt */
	size_t key_count;
	char **keys;
	int64_t *rules;
	int64_t count, room;
};

static bool all_come(const struct screen *s, const char *const *columns, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (etl_schema_find(s->sink->rows, columns[i]) < 0)
			return false;
	}
	return count > 0;
}

/* By which columns a person finds the row. A key that the table itself made (AUTOINCREMENT) says nothing to anybody: then
 * by another one that came, or by what it refers to. */
static struct etl_key shown_key(const struct screen *s)
{
	const struct etl_key *key = screen_key(s->load);
	const struct etl_table *given = s->load->given;
	struct etl_key widest = { 0 };
	size_t i;

	if (!given || !s->sink->rows || !key->column_count ||
	    all_come(s, key->columns, key->column_count))
		return *key;
	for (i = 0; i < given->unique_count; i++) {
		key = ETL_AT(const struct etl_key, given->uniques, given->unique_size, i);
		if (all_come(s, key->columns, key->column_count))
			return *key;
	}
	for (i = 0; i < given->foreign_key_count; i++) {
		const struct etl_foreign_key *f = ETL_AT(const struct etl_foreign_key,
							 given->foreign_keys,
							 given->foreign_key_size, i);

		if (f->column_count > widest.column_count &&
		    all_come(s, f->columns, f->column_count))
			widest = (struct etl_key){ .columns = f->columns,
						   .column_count = f->column_count };
	}
	return widest;
}

static void add_value(struct etl_text *text, sqlite3_stmt *stmt, int column)
{
	if (sqlite3_column_type(stmt, column) == SQLITE_NULL)
		etl_text_add(text, "NULL");
	else if (sqlite3_column_type(stmt, column) == SQLITE_TEXT)
		etl_text_add_literal(text, (const char *)sqlite3_column_text(stmt, column));
	else
		etl_text_add(text, (const char *)sqlite3_column_text(stmt, column));
}

/* "id=3", "emp=1, ord=2", "rowid=7". */
static char *key_text(struct emitting *e)
{
	struct etl_text text = { 0 };
	size_t i;

	for (i = 0; i < e->key_count; i++) {
		etl_text_addf(&text, "%s%s=", i ? ", " : "",
			      e->key.column_count ? e->key.columns[i] : "rowid");
		add_value(&text, e->stmt, e->first_key + (int)i);
	}
	return etl_text_take(&text);
}

static void add_select(const struct emitting *e, struct etl_text *sql)
{
	const struct screen *s = e->s;
	const struct ArrowSchema *rows = s->sink->rows;
	size_t i;
	int64_t c;

	etl_text_add(sql, "SELECT f.rule");
	for (c = 0; rows && c < rows->n_children; c++) {
		etl_text_add(sql, ", t.");
		etl_text_add_name(sql, rows->children[c]->name, '"');
	}
	for (i = 0; i < e->key.column_count; i++) {
		etl_text_add(sql, ", t.");
		etl_text_add_name(sql, e->key.columns[i], '"');
	}
	if (!e->key.column_count && s->rowid)
		etl_text_addf(sql, ", t.\"%s\"", s->rowid);
	etl_text_add(sql, " FROM " SCREEN_FOUND " AS f CROSS JOIN main.");
	etl_text_add_name(sql, s->table, '"');
	etl_text_add(sql, " AS t ON ");
	for (i = 0; i < s->id_count; i++) {
		etl_text_add(sql, i ? " AND t." : "t.");
		etl_text_add_name(sql, s->ids[i], '"');
		etl_text_addf(sql, " = f.k%zu", i);
	}
	etl_text_addf(sql, " ORDER BY %s", s->order);
}

static int open_emitting(struct emitting *e, struct screen *s)
{
	struct etl_text sql = { 0 };
	int rc;

	*e = (struct emitting){ .s = s, .room = s->inst->host->batch_rows };
	e->key = shown_key(s);
	e->key_count = e->key.column_count;
	if (!e->key_count)
		e->key_count = s->rowid != NULL;
	e->first_key = 1 + (s->sink->rows ? (int)s->sink->rows->n_children : 0);
	e->keys = calloc((size_t)e->room, sizeof(*e->keys));
	e->rules = calloc((size_t)e->room, sizeof(*e->rules));
	if (s->sink->rows)
		e->builder = etl_builder_new(s->sink->rows, e->room);
	if (!e->keys || !e->rules || (s->sink->rows && !e->builder))
		return no_memory(s);
	add_select(e, &sql);
	rc = sql.failed ? no_memory(s) :
			  sqlite_prepare(s->inst, s->inst->stage, sql.at, &e->stmt, s->err);
	etl_text_free(&sql);
	return rc;
}

static void forget(struct emitting *e)
{
	int64_t i;

	for (i = 0; i < e->count; i++)
		free(e->keys[i]);
	e->count = 0;
}

static void close_emitting(struct emitting *e)
{
	forget(e);
	sqlite3_finalize(e->stmt);
	etl_builder_free(e->builder);
	free(e->keys);
	free(e->rules);
}

static int emit_row(struct emitting *e, const struct ArrowArray *batch, int64_t row)
{
	const struct screen_rule *rule = &e->s->rules[e->rules[row]];
	struct etl_found found = { .code = rule->code,
				   .table = e->s->table,
				   .column = rule->columns,
				   .key = *e->keys[row] ? e->keys[row] : NULL,
				   .reason = rule->reason,
				   .schema = batch ? e->s->sink->rows : NULL,
				   .batch = batch,
				   .row = row };

	return e->s->sink->emit(e->s->sink, &found);
}

static int emit_batch(struct emitting *e)
{
	struct ArrowArray batch = { 0 };
	int64_t i;
	int rc = ETL_OK;

	if (e->builder && !etl_builder_finish(e->builder, &batch))
		return no_memory(e->s);
	for (i = 0; !rc && i < e->count; i++)
		rc = emit_row(e, e->builder ? &batch : NULL, i);
	if (batch.release)
		batch.release(&batch);
	forget(e);
	return rc;
}

static int read_row(struct emitting *e)
{
	const struct screen *s = e->s;
	int64_t c, columns = e->builder ? e->builder->count : 0;
	const char *code = NULL;

	for (c = 0; c < columns && !code; c++)
		code = value_put(&e->builder->columns[c],
				 sqlite3_column_value(e->stmt, (int)c + 1));
	e->keys[e->count] = code ? NULL : key_text(e);
	if ((code && strcmp(code, "no_memory") == 0) || (!code && !e->keys[e->count]))
		return no_memory(s);
	if (code) {
		s->inst->host->at(s->err, s->table, s->sink->rows->children[c - 1]->name, NULL);
		return s->inst->host->fail(s->err, ETL_DATA, NULL, 0,
					   "a row that a constraint does not take cannot be read "
					   "back in the type in which it was written (%s)",
					   code);
	}
	e->rules[e->count++] = sqlite3_column_int64(e->stmt, 0);
	return ETL_OK;
}

static int emit_rest(const struct screen *s, int64_t rest)
{
	struct etl_found found = { .code = s->rules[0].code,
				   .table = s->table,
				   .rows = (uint64_t)rest };
	char reason[128];

	sqlite3_snprintf(sizeof(reason), reason, "%lld more rows of this table do likewise",
			 (long long)rest);
	found.reason = reason;
	return s->sink->emit(s->sink, &found);
}

static int emit_all(struct emitting *e, int64_t *ret)
{
	struct screen *s = e->s;
	int step = SQLITE_DONE, rc = ETL_OK;

	*ret = 0;
	while (!rc && (step = sqlite3_step(e->stmt)) == SQLITE_ROW) {
		if (s->inst->host->canceled(s->inst->host))
			return ETL_CANCELED;
		++*ret;
		if (!s->sink->take_out && *ret > FOUND_MOST)
			continue;
		rc = read_row(e);
		if (!rc && (e->count == e->room ||
			    (e->builder && etl_builder_full(e->builder, s->inst->host))))
			rc = emit_batch(e);
	}
	if (!rc && step != SQLITE_DONE)
		rc = sqlite_fail(s->inst, s->inst->stage, s->err, "reading rows of \"%s\"",
				 s->table);
	if (!rc && e->count)
		rc = emit_batch(e);
	return rc || s->sink->take_out || *ret <= FOUND_MOST ? rc : emit_rest(s, *ret - FOUND_MOST);
}

/* ---- Taking out --------------------------------------------------------------------------------------------- */

static int delete_rows(struct screen *s, int64_t wanted)
{
	struct etl_text sql = { 0 };
	sqlite3 *db = s->inst->stage;
	size_t i;
	int rc;

	etl_text_add(&sql, "DELETE FROM main.");
	etl_text_add_name(&sql, s->table, '"');
	if (s->rowid) {
		etl_text_addf(&sql, " WHERE \"%s\" IN (SELECT k0 FROM " SCREEN_FOUND ")", s->rowid);
	} else {
		etl_text_add(&sql,
			     " AS t WHERE EXISTS (SELECT 1 FROM " SCREEN_FOUND " AS f WHERE ");
		for (i = 0; i < s->id_count; i++) {
			etl_text_addf(&sql, "%sf.k%zu = +t.", i ? " AND " : "", i);
			etl_text_add_name(&sql, s->ids[i], '"');
		}
		etl_text_add(&sql, ")");
	}
	rc = run_text(s, &sql);
	if (!rc && sqlite3_changes64(db) != wanted)
		rc = s->inst->host->fail(s->err, ETL_BUG, NULL, 0,
					 "table \"%s\": %lld rows were to be taken out of the "
					 "staging file, and %lld were",
					 s->table, (long long)wanted,
					 (long long)sqlite3_changes64(db));
	return rc;
}

/* What the load staged is fewer now; of which part does not matter any more. */
static void uncount(const struct screen *s, int64_t count)
{
	struct sqlite_stage *stage = s->inst->building;
	uint64_t left = (uint64_t)count;
	size_t i;

	for (i = 0; i < stage->part_count; i++) {
		struct sqlite_part *part = &stage->parts[i];
		uint64_t of_this = part->load != s->load->index ? 0 :
				   part->rows < left		? part->rows :
								  left;

		part->rows -= of_this;
		left -= of_this;
	}
}

int screen_take(struct screen *s)
{
	sqlite3 *db = s->inst->stage;
	struct emitting e;
	int64_t count = 0;
	int rc = open_emitting(&e, s);

	if (!rc)
		rc = emit_all(&e, &count);
	close_emitting(&e);
	if (rc || !s->sink->take_out || !count)
		return rc;
	rc = sqlite_run(s->inst, db, "BEGIN IMMEDIATE", s->err);
	if (!rc && s->taking)
		rc = s->taking(s);
	if (!rc)
		rc = delete_rows(s, count);
	ETL_FAULT("sqlite.screen_before_commit");
	if (!rc)
		rc = sqlite_run(s->inst, db, "COMMIT", s->err);
	ETL_FAULT("sqlite.screen_after_commit");
	if (!rc)
		uncount(s, count);
	if (!sqlite3_get_autocommit(db))
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

void screen_close(struct screen *s)
{
	size_t i;

	if (s->order)
		sqlite3_exec(s->inst->stage, "DROP TABLE IF EXISTS " SCREEN_FOUND, NULL, NULL,
			     NULL);
	for (i = 0; i < s->rule_count; i++) {
		free(s->rules[i].columns);
		free(s->rules[i].reason);
	}
	free(s->rules);
	free(s->order);
	*s = (struct screen){ 0 };
}
