/*
 * Rows that refer to rows of their own table fall with them, link by link. Looking through the whole table once
 * for each link would take for ever over a long chain, so the references are put in order once, and each round
 * follows only from the rows that the round before it found.
 */
#include "config.h"

#include <stdlib.h>

#include "screen.h"

#define LINKS "temp.etlrun_links"

static int run_text(struct screen *s, struct etl_text *text)
{
	int rc = text->failed ? s->inst->host->fail(s->err, ETL_MEMORY, NULL, 0,
						    "%s: no memory to look through \"%s\"",
						    s->inst->path, s->table) :
				sqlite_run(s->inst, s->inst->stage, text->at, s->err);

	etl_text_free(text);
	return rc;
}

/* The affinity of a declared type, by SQLite's own rules, as a type of that affinity. */
static const char *affinity(const char *declared, bool strict)
{
	static const char *const words[][2] = { { "%INT%", "INTEGER" }, { "%CHAR%", "TEXT" },
						{ "%CLOB%", "TEXT" },	{ "%TEXT%", "TEXT" },
						{ "%BLOB%", "" },	{ "%REAL%", "REAL" },
						{ "%FLOA%", "REAL" },	{ "%DOUB%", "REAL" } };
	size_t i;

	if (!declared || !*declared || (strict && sqlite3_stricmp(declared, "ANY") == 0))
		return "";
	for (i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (sqlite3_strlike(words[i][0], declared, 0) == 0)
			return words[i][1];
	return "NUMERIC";
}

/* A column that compares as the parent's column does: the child's value takes its type in it. */
static void add_column(const struct screen *s, const char *to, size_t i, struct etl_text *sql)
{
	const char *declared = NULL, *collation = NULL;

	sqlite3_table_column_metadata(s->inst->stage, "main", s->table, to, &declared, &collation,
				      NULL, NULL, NULL);
	etl_text_addf(sql, "v%zu %s", i,
		      affinity(declared, (s->load->table->flags & ETL_STRICT_TYPES) != 0));
	if (collation) {
		etl_text_add(sql, " COLLATE ");
		etl_text_add_name(sql, collation, '"');
	}
	etl_text_add(sql, ", ");
}

static void add_numbered(struct etl_text *sql, const char *prefix, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		etl_text_addf(sql, "%s%s%zu", i ? ", " : "", prefix, i);
}

static void add_names(struct etl_text *sql, const char *const *names, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		etl_text_add(sql, "t.");
		etl_text_add_name(sql, names[i], '"');
		etl_text_add(sql, ", ");
	}
}

/* Every reference of the table to itself: what it refers to, and whose it is. */
static int make_links(struct screen *s, const struct screen_link *link)
{
	struct etl_text sql = { 0 };
	size_t i;

	etl_text_add(&sql, "DROP TABLE IF EXISTS " LINKS ";\nCREATE TABLE " LINKS "(");
	for (i = 0; i < link->count; i++)
		add_column(s, link->to[i], i, &sql);
	add_numbered(&sql, "k", s->id_count);
	etl_text_add(&sql, ");\nINSERT INTO " LINKS " SELECT ");
	add_names(&sql, link->from, link->count);
	screen_add_ids(s, &sql);
	etl_text_add(&sql, " FROM main.");
	etl_text_add_name(&sql, s->table, '"');
	etl_text_add(&sql, " AS t WHERE ");
	for (i = 0; i < link->count; i++) {
		etl_text_add(&sql, i ? " AND t." : "t.");
		etl_text_add_name(&sql, link->from[i], '"');
		etl_text_add(&sql, " IS NOT NULL");
	}
	etl_text_add(&sql, ";\nCREATE INDEX temp.etlrun_links_v ON etlrun_links(");
	add_numbered(&sql, "v", link->count);
	etl_text_add(&sql, ")");
	return run_text(s, &sql);
}

/* Rows that refer to those found after number ?1. */
static void write_round(const struct screen *s, const struct screen_link *link,
			struct etl_text *sql)
{
	size_t i;

	etl_text_add(sql, "INSERT OR IGNORE INTO " SCREEN_FOUND "(");
	add_numbered(sql, "k", s->id_count);
	etl_text_add(sql, ", rule) SELECT ");
	for (i = 0; i < s->id_count; i++)
		etl_text_addf(sql, "c.k%zu, ", i);
	etl_text_addf(sql, "%zu FROM " SCREEN_FOUND " AS f CROSS JOIN main.", link->rule);
	etl_text_add_name(sql, s->table, '"');
	etl_text_add(sql, " AS p ON ");
	for (i = 0; i < s->id_count; i++) {
		etl_text_add(sql, i ? " AND p." : "p.");
		etl_text_add_name(sql, s->ids[i], '"');
		etl_text_addf(sql, " = f.k%zu", i);
	}
	etl_text_add(sql, " CROSS JOIN " LINKS " AS c ON ");
	for (i = 0; i < link->count; i++) {
		etl_text_addf(sql, "%sc.v%zu = p.", i ? " AND " : "", i);
		etl_text_add_name(sql, link->to[i], '"');
	}
	etl_text_add(sql, " WHERE f.n > ?1");
}

static int follow_rounds(struct screen *s, sqlite3_stmt *round, int64_t *ret)
{
	sqlite3 *db = s->inst->stage;
	int64_t done = 0, last = 0;
	int rc = ETL_OK;

	do {
		done = last;
		rc = sqlite_number(s->inst, db, "SELECT max(n) FROM " SCREEN_FOUND, 0, &last,
				   s->err);
		if (rc || last == done)
			break;
		if (s->inst->host->canceled(s->inst->host))
			return ETL_CANCELED;
		sqlite3_bind_int64(round, 1, done);
		if (sqlite3_step(round) != SQLITE_DONE)
			rc = sqlite_fail(s->inst, db, s->err, "following the references of \"%s\"",
					 s->table);
		*ret += sqlite3_changes64(db);
		sqlite3_reset(round);
	} while (!rc);
	return rc;
}

int screen_follow(struct screen *s, const struct screen_link *link, int64_t *ret)
{
	struct etl_text sql = { 0 };
	sqlite3_stmt *round = NULL;
	int rc = make_links(s, link);

	*ret = 0;
	if (rc)
		return rc;
	write_round(s, link, &sql);
	rc = sql.failed ? run_text(s, &sql) :
			  sqlite_prepare(s->inst, s->inst->stage, sql.at, &round, s->err);
	if (!rc)
		rc = follow_rounds(s, round, ret);
	sqlite3_finalize(round);
	etl_text_free(&sql);
	sqlite3_exec(s->inst->stage, "DROP TABLE IF EXISTS " LINKS, NULL, NULL, NULL);
	return rc;
}
