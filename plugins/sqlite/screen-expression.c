/*
 * Indexes over expressions, and partial ones: a row whose expression fails (json_extract of a text that is no
 * JSON) fails the whole index, and SQLite does not say which row it was. So each row is asked for itself.
 */
#include "config.h"

#include <stdlib.h>

#include "ddl.h"
#include "screen.h"

struct asking {
	struct screen *s;
	sqlite3_stmt *rows;	/* the ids of every row */
	sqlite3_stmt *evaluate; /* of the row with these ids */
	sqlite3_stmt *put;	/* a row that fails */
};

static int no_memory(const struct screen *s)
{
	return s->inst->host->fail(s->err, ETL_MEMORY, NULL, 0,
				   "%s: no memory to look through \"%s\"", s->inst->path, s->table);
}

static int prepare(const struct screen *s, struct etl_text *sql, sqlite3_stmt **ret)
{
	int rc = sql->failed ? no_memory(s) :
			       sqlite_prepare(s->inst, s->inst->stage, sql->at, ret, s->err);

	etl_text_free(sql);
	return rc;
}

static void add_from(const struct screen *s, struct etl_text *sql)
{
	etl_text_add(sql, " FROM main.");
	etl_text_add_name(sql, s->table, '"');
	etl_text_add(sql, " AS t ");
}

/* As the index does it: its condition first, then every part. */
static int prepare_evaluate(struct asking *a, const struct ddl_index *index)
{
	const struct screen *s = a->s;
	struct etl_text sql = { 0 };
	size_t i;

	etl_text_addf(&sql, "SELECT CASE WHEN (%s\n) THEN ", index->where ? index->where : "1");
	for (i = 0; i < index->part_count; i++) {
		etl_text_add(&sql, i ? " + (" : "(");
		screen_add_part(&index->parts[i], &sql);
		etl_text_add(&sql, " IS NULL)");
	}
	etl_text_add(&sql, " END");
	add_from(s, &sql);
	for (i = 0; i < s->id_count; i++) {
		etl_text_add(&sql, i ? " AND t." : "WHERE t.");
		etl_text_add_name(&sql, s->ids[i], '"');
		etl_text_addf(&sql, " = ?%zu", i + 1);
	}
	return prepare(s, &sql, &a->evaluate);
}

static int prepare_all(struct asking *a, const struct ddl_index *index)
{
	const struct screen *s = a->s;
	struct etl_text rows = { 0 }, put = { 0 };
	size_t i;
	int rc;

	etl_text_add(&rows, "SELECT ");
	screen_add_ids(s, &rows);
	add_from(s, &rows);
	etl_text_addf(&rows, "ORDER BY %s", s->order);
	rc = prepare(s, &rows, &a->rows);
	etl_text_add(&put, "INSERT INTO " SCREEN_FOUND "(rule");
	for (i = 0; i < s->id_count; i++)
		etl_text_addf(&put, ", k%zu", i);
	etl_text_add(&put, ") VALUES (0");
	for (i = 0; i < s->id_count; i++)
		etl_text_addf(&put, ", ?%zu", i + 1);
	etl_text_add(&put, ")");
	if (rc)
		etl_text_free(&put);
	else
		rc = prepare(s, &put, &a->put);
	return rc ? rc : prepare_evaluate(a, index);
}

/* The first row that fails says why; the rule is that of all of them. */
static int add_rule(struct screen *s, const struct ddl_index *index)
{
	struct etl_text reason = { 0 };
	int rc;

	etl_text_addf(&reason, "the index \"%s\" cannot be made over it, SQLite says: %s",
		      index->name, sqlite3_errmsg(s->inst->stage));
	rc = reason.failed ? no_memory(s) : screen_rule(s, "expression", NULL, reason.at);
	etl_text_free(&reason);
	return rc;
}

static void bind_ids(const struct asking *a, sqlite3_stmt *stmt)
{
	size_t i;

	for (i = 0; i < a->s->id_count; i++)
		sqlite3_bind_value(stmt, (int)i + 1, sqlite3_column_value(a->rows, (int)i));
}

/* A row of `rows`: is it taken by the index? */
static int ask(struct asking *a, const struct ddl_index *index, int64_t *ret)
{
	struct screen *s = a->s;
	int code, rc = ETL_OK;

	bind_ids(a, a->evaluate);
	code = sqlite3_step(a->evaluate);
	if (code != SQLITE_ROW && code != SQLITE_ERROR)
		rc = sqlite_fail(s->inst, s->inst->stage, s->err, "looking through \"%s\"",
				 s->table);
	if (code == SQLITE_ERROR && !s->rule_count)
		rc = add_rule(s, index);
	sqlite3_reset(a->evaluate);
	if (rc || code != SQLITE_ERROR)
		return rc;
	++*ret;
	bind_ids(a, a->put);
	if (sqlite3_step(a->put) != SQLITE_DONE)
		rc = sqlite_fail(s->inst, s->inst->stage, s->err, "noting rows of \"%s\"",
				 s->table);
	sqlite3_reset(a->put);
	return rc;
}

int screen_evaluate(struct screen *s, const struct ddl_index *index, int64_t *ret)
{
	struct asking a = { .s = s };
	int step = SQLITE_DONE, rc = prepare_all(&a, index);

	*ret = 0;
	while (!rc && (step = sqlite3_step(a.rows)) == SQLITE_ROW)
		rc = s->inst->host->canceled(s->inst->host) ? ETL_CANCELED : ask(&a, index, ret);
	if (!rc && step != SQLITE_DONE)
		rc = sqlite_fail(s->inst, s->inst->stage, s->err, "looking through \"%s\"",
				 s->table);
	sqlite3_finalize(a.rows);
	sqlite3_finalize(a.evaluate);
	sqlite3_finalize(a.put);
	return rc;
}
