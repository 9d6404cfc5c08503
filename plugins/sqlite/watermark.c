/* The greatest value of a cursor. Nobody writes while the view is open, so nothing can come behind it later. */
#include "config.h"

#include <stdlib.h>

#include "read.h"

static int fail_value(struct etl_instance *inst, const struct etl_read *read, const char *why, struct etl_error *err)
{
	inst->host->at(err, read->dataset.table, read->cursor, NULL);
	return inst->host->fail(err, ETL_USAGE, NULL, 0,
				"%s: cursor \"%s\": its greatest value is %s; a cursor is a number or a time",
				inst->path, read->cursor, why);
}

static int take(struct etl_instance *inst, const struct etl_read *read, sqlite3_stmt *stmt, struct etl_token *ret,
		struct etl_error *err)
{
	const char *text = (const char *)sqlite3_column_text(stmt, 0);
	int size = sqlite3_column_bytes(stmt, 0);

	if (sqlite3_column_int(stmt, 1))
		return fail_value(inst, read, "a blob", err);
	if (size >= (int)sizeof(ret->text))
		return fail_value(inst, read, "longer than what is kept of it", err);
	if (text)
		memcpy(ret->text, text, (size_t)size);
	return ETL_OK;
}

/* A real with every digit: a point before it would be passed by a row between the two. */
int sqlite_watermark(struct etl_instance *inst, const struct etl_read *read, struct etl_token *ret, struct etl_error *err)
{
	struct etl_text sql = { 0 };
	sqlite3_stmt *stmt = NULL;
	sqlite3 *db = NULL;
	int rc = sqlite_db(inst, read->dataset.token, &db, err);

	memset(ret->text, 0, sizeof(ret->text));
	etl_text_add(&sql, "SELECT CASE typeof(m) WHEN 'real' THEN printf('%!.17g', m) ELSE m END, typeof(m) = 'blob' FROM (SELECT max(");
	etl_text_add_name(&sql, read->cursor, '"');
	etl_text_add(&sql, ") AS m FROM ");
	select_add_from(&sql, &read->dataset);
	if (read->dataset.where)
		etl_text_addf(&sql, " WHERE (%s\n)", read->dataset.where);
	etl_text_add(&sql, ")");
	if (!rc && sql.failed)
		rc = inst->host->fail(err, ETL_MEMORY, NULL, 0, "%s: no memory to read", inst->path);
	if (!rc)
		rc = sqlite_prepare(inst, db, sql.at, &stmt, err);
	if (!rc && sqlite3_step(stmt) != SQLITE_ROW)
		rc = sqlite_fail(inst, db, err, "looking for the greatest \"%s\"", read->cursor);
	if (!rc)
		rc = take(inst, read, stmt, ret, err);
	sqlite3_finalize(stmt);
	etl_text_free(&sql);
	return rc;
}
