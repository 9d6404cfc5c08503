/*
 * Which rows of a merge somebody changed since: the digest of each was kept with what it was before (undo.c).
 */
#include "config.h"

#include <stdlib.h>

#include "into.h"

#define LISTED 20 /* rows */

struct telling {
	struct etl_instance *inst;
	sqlite3 *db;
	const struct into_undone *undone;
	int count;
	struct etl_error *err;
};

static int no_memory(struct telling *t)
{
	return t->inst->host->fail(t->err, ETL_MEMORY, NULL, 0, "%s: no memory", t->inst->path);
}

/* The next of "a", "b"; false: there is none. */
static bool next_name(const char **at, const char **ret, size_t *ret_size)
{
	const char *end = *at + 1;

	if (**at != '"')
		return false;
	while (*end && (*end != '"' || end[1] == '"'))
		end += *end == '"' ? 2 : 1;
	end += *end == '"';
	*ret = *at;
	*ret_size = (size_t)(end - *at);
	*at = end + strspn(end, ", ");
	return true;
}

static int count_names(const char *names)
{
	const char *name;
	size_t size;
	int count = 0;

	while (next_name(&names, &name, &size))
		count++;
	return count;
}

/* FROM the keys that are kept, and what else is in MORE, under names that no column of the table has. */
static void add_undone(struct telling *t, struct etl_text *sql, const char *more)
{
	int i, count = count_names(t->undone->keys);

	etl_text_addf(sql, " FROM (SELECT %s", more);
	for (i = 0; i < count; i++)
		etl_text_addf(sql, ", k%d AS \"etlrun.%d\"", i, i);
	etl_text_addf(sql, " FROM main.\"_etlrun_undo_%s_%lld\" WHERE op <> 'd') AS u ", t->undone->run, t->undone->load);
}

static void add_match(struct telling *t, struct etl_text *sql)
{
	const char *at = t->undone->keys, *name;
	size_t size;
	int i;

	for (i = 0; next_name(&at, &name, &size); i++) {
		etl_text_add(sql, i ? " AND t." : "t.");
		etl_text_add_bytes(sql, name, size);
		etl_text_addf(sql, " = u.\"etlrun.%d\"", i);
	}
}

/* The key stands in the columns from FROM on. */
static void tell_row(struct telling *t, sqlite3_stmt *stmt, int from)
{
	const struct etl_host *host = t->inst->host;
	struct etl_text words = { 0 };

	if (t->count < LISTED) {
		into_add_key_words(&words, stmt, from);
		host->log(host, ETL_LOG_WARN, "\"%s\": row %s was changed since", t->undone->name, words.at ? words.at : "?");
	} else {
		host->log(host, ETL_LOG_WARN, "\"%s\": … and more rows", t->undone->name);
	}
	t->count++;
	etl_text_free(&words);
}

/* COLUMNS: of the row, behind the digest that was kept, before the key; 0: the key alone, of a row that is not there. */
static int tell_rows(struct telling *t, struct etl_text *sql, int columns)
{
	sqlite3_stmt *stmt = NULL;
	int step = SQLITE_DONE, rc = sql->failed ? no_memory(t) : sqlite_prepare(t->inst, t->db, sql->at, &stmt, t->err);

	while (!rc && t->count <= LISTED && (step = sqlite3_step(stmt)) == SQLITE_ROW) {
		uint64_t digest = 0;

		if (columns)
			own_digest_some(stmt, 1, columns, &digest);
		if (!columns || (int64_t)digest != sqlite3_column_int64(stmt, 0))
			tell_row(t, stmt, columns ? 1 + columns : 0);
	}
	if (!rc && step != SQLITE_DONE && step != SQLITE_ROW)
		rc = sqlite_fail(t->inst, t->db, t->err, "looking for rows that were changed");
	sqlite3_finalize(stmt);
	etl_text_free(sql);
	return rc;
}

static int tell_changed(struct telling *t)
{
	struct etl_text sql = { 0 };

	etl_text_addf(&sql, "SELECT u.\"etlrun.h\", %s, %s", t->undone->columns, t->undone->keys);
	add_undone(t, &sql, "h AS \"etlrun.h\"");
	etl_text_add(&sql, "CROSS JOIN main.");
	etl_text_add_name(&sql, t->undone->name, '"');
	etl_text_add(&sql, " AS t WHERE ");
	add_match(t, &sql);
	return tell_rows(t, &sql, count_names(t->undone->columns));
}

static int tell_missing(struct telling *t)
{
	const char *at = t->undone->keys, *name;
	struct etl_text sql = { 0 };
	size_t size;
	int i;

	etl_text_add(&sql, "SELECT ");
	for (i = 0; next_name(&at, &name, &size); i++) {
		etl_text_addf(&sql, "%su.\"etlrun.%d\" AS ", i ? ", " : "", i);
		etl_text_add_bytes(&sql, name, size);
	}
	add_undone(t, &sql, "h AS \"etlrun.h\"");
	etl_text_add(&sql, "WHERE NOT EXISTS (SELECT 1 FROM main.");
	etl_text_add_name(&sql, t->undone->name, '"');
	etl_text_add(&sql, " AS t WHERE ");
	add_match(t, &sql);
	etl_text_add(&sql, ")");
	return tell_rows(t, &sql, 0);
}

/* A run of an earlier version kept no digest of each row. */
int into_tell_changed(struct etl_instance *inst, sqlite3 *db, const struct into_undone *undone, struct etl_error *err)
{
	struct telling t = { inst, db, undone, 0, err };
	int64_t there = 0;
	char *sql = sqlite3_mprintf("SELECT 1 FROM pragma_table_info('_etlrun_undo_%q_%lld', 'main') WHERE name = 'h'", undone->run,
				    undone->load);
	int rc = sql ? sqlite_number(inst, db, sql, 0, &there, err) : no_memory(&t);

	sqlite3_free(sql);
	if (!rc && there)
		rc = tell_changed(&t);
	return rc || !there ? rc : tell_missing(&t);
}
