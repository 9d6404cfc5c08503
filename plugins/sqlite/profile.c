/*
 * What kinds of value a dataset's columns hold: one pass, each value looked at once where it lies. Twenty
 * aggregates in SQL would read each value twenty times.
 */
#include "config.h"

#include <stdlib.h>

#include "profile.h"
#include "read.h"

#define CANCEL_ROWS 4096

struct profiling {
	struct etl_instance *inst;
	struct etl_error *err;
	sqlite3 *db;
	sqlite3_stmt *stmt;
	struct etl_profile *profiles;
	int count;
};

/* ---- The pass --------------------------------------------------------------------------------------------------- */

static void look_at_text(struct etl_profile *p, sqlite3_value *v)
{
	const char *text = (const char *)sqlite3_value_text(v);

	/* No text is no memory for one: reading the row will say so. */
	etl_profile_text(p, text ? text : "", text ? (size_t)sqlite3_value_bytes(v) : 0);
}

static void look(struct etl_profile *p, sqlite3_value *v)
{
	switch (sqlite3_value_type(v)) {
	case SQLITE_NULL:
		etl_profile_null(p);
		break;
	case SQLITE_INTEGER:
		etl_profile_integer(p, sqlite3_value_int64(v));
		break;
	case SQLITE_FLOAT:
		etl_profile_real(p, sqlite3_value_double(v));
		break;
	case SQLITE_TEXT:
		look_at_text(p, v);
		break;
	default:
		etl_profile_blob(p, sqlite3_value_bytes(v));
		break;
	}
}

static int pass(struct profiling *p, const char *what)
{
	int64_t rows = 0;
	int code, i;

	while ((code = sqlite3_step(p->stmt)) == SQLITE_ROW) {
		if (rows++ % CANCEL_ROWS == 0 && p->inst->host->canceled(p->inst->host))
			return ETL_CANCELED;
		for (i = 0; i < p->count; i++)
			look(&p->profiles[i], sqlite3_column_value(p->stmt, i));
	}
	return code == SQLITE_DONE ? ETL_OK :
				     sqlite_fail(p->inst, p->db, p->err, "profiling %s", what);
}

/* Every column that is read: a generated one is computed again by its table. */
static int column_list(struct profiling *p, const struct etl_dataset *d, struct etl_text *ret)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite_prepare(p->inst, p->db,
				"SELECT name FROM pragma_table_xinfo(?1) WHERE hidden = 0", &stmt,
				p->err);

	if (rc)
		return rc;
	sqlite3_bind_text(stmt, 1, d->table, -1, SQLITE_STATIC);
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(stmt, 0);

		etl_text_add(ret, ret->length ? ", " : "");
		etl_text_add_name(ret, d->table, '"');
		etl_text_add(ret, ".");
		etl_text_add_name(ret, name ? name : "", '"');
	}
	if (sqlite3_finalize(stmt) != SQLITE_OK)
		return sqlite_fail(p->inst, p->db, p->err, "listing the columns of \"%s\"",
				   d->table);
	if (ret->length == 0 && !ret->failed)
		return p->inst->host->fail(p->err, ETL_FATAL, NULL, 0,
					   "%s: there is no table \"%s\"", p->inst->path, d->table);
	return ETL_OK;
}

static void write_sql(struct etl_text *sql, const struct etl_dataset *d, const char *columns,
		      const char *rowid)
{
	etl_text_addf(sql, "SELECT %s FROM ", columns ? columns : "*");
	select_add_from(sql, d);
	if (rowid)
		etl_text_addf(sql, " WHERE %s BETWEEN ?1 AND ?2", rowid);
	if (d->where)
		etl_text_addf(sql, " %s (%s\n)", rowid ? "AND" : "WHERE", d->where);
}

static int prepare(struct profiling *p, const struct etl_dataset *d, const struct etl_split *split)
{
	struct etl_text sql = { 0 }, columns = { 0 }, qualified = { 0 };
	const char *rowid = NULL;
	int rc = ETL_OK;

	if (d->table)
		rc = column_list(p, d, &columns);
	if (!rc && split)
		rc = select_rowid(p->inst, p->db, d, &rowid, p->err);
	if (rowid) {
		etl_text_add_name(&qualified, d->table, '"');
		etl_text_addf(&qualified, ".%s", rowid);
	}
	write_sql(&sql, d, columns.at, qualified.at);
	if (!rc && (sql.failed || columns.failed || qualified.failed))
		rc = p->inst->host->fail(p->err, ETL_MEMORY, NULL, 0, "%s: no memory to profile",
					 p->inst->path);
	if (!rc)
		rc = sqlite_prepare(p->inst, p->db, sql.at, &p->stmt, p->err);
	if (!rc && rowid) {
		sqlite3_bind_int64(p->stmt, 1, split->first);
		sqlite3_bind_int64(p->stmt, 2, split->last);
	}
	etl_text_free(&qualified);
	etl_text_free(&columns);
	etl_text_free(&sql);
	return rc;
}

static int emit(struct profiling *p, struct etl_profile_sink *sink)
{
	int i, rc = ETL_OK;

	for (i = 0; !rc && i < p->count; i++) {
		p->profiles[i].column = sqlite3_column_name(p->stmt, i);
		rc = sink->emit(sink, &p->profiles[i]);
	}
	return rc;
}

int sqlite_profile_split(struct etl_instance *inst, const struct etl_dataset *d,
			 const struct etl_split *split, struct etl_profile_sink *sink,
			 struct etl_error *err)
{
	struct profiling p = { .inst = inst, .err = err };
	int rc = sqlite_db(inst, d->token, &p.db, err);

	if (!rc)
		rc = prepare(&p, d, split);
	if (rc)
		return rc;
	p.count = sqlite3_column_count(p.stmt);
	p.profiles = calloc((size_t)p.count + 1, sizeof(*p.profiles));
	if (!p.profiles)
		rc = inst->host->fail(err, ETL_MEMORY, NULL, 0, "%s: no memory to profile",
				      inst->path);
	if (!rc)
		rc = pass(&p, d->table ? d->table : "the query");
	if (!rc)
		rc = emit(&p, sink);
	free(p.profiles);
	sqlite3_finalize(p.stmt);
	return rc;
}

int sqlite_profile(struct etl_instance *inst, const struct etl_dataset *d,
		   struct etl_profile_sink *sink, struct etl_error *err)
{
	return sqlite_profile_split(inst, d, NULL, sink, err);
}
