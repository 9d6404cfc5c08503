/*
 * The statements of a schema file, one by one, in a database in memory. They may make and change what a schema is made
 * of; rows, other files and temporary objects are refused, with the line they stand in.
 */
#include "config.h"

#include <stdlib.h>

#include "given.h"
#include "token.h"

#define SHOWN 60 /* bytes of a statement in a message */

struct running {
	struct etl_instance *inst;
	sqlite3 *db;
	const char *text;
	struct etl_text *settings;
	struct etl_error *err;
	const char *statement; /* the first word of the one under way */
	const char *why;       /* the authorizer's refusal, or NULL */
	bool making_table;
	const char *begun;	 /* the statement that began the transaction under way, or NULL */
	struct etl_text *places; /* see sqlite_given_run */
	char setting[32]; /* what the statement sets of the database itself, or "" */
	bool wal;
};

/* ---- What is allowed ---- */

/* Kept in the file; those of a connection only are run and do nothing here. */
static const char *const kept[] = { "user_version", "application_id", "page_size",
				    "encoding",	    "auto_vacuum",    "journal_mode" };
static const char *const passing[] = { "foreign_keys",
				       "synchronous",
				       "cache_size",
				       "temp_store",
				       "busy_timeout",
				       "mmap_size",
				       "recursive_triggers",
				       "defer_foreign_keys",
				       "secure_delete",
				       "ignore_check_constraints",
				       "legacy_alter_table",
				       "wal_autocheckpoint",
				       "journal_size_limit",
				       "locking_mode",
				       "trusted_schema",
				       "foreign_key_check",
				       "integrity_check",
				       "quick_check",
				       "optimize",
				       "automatic_index",
				       "cell_size_check",
				       "fullfsync",
				       "threads",
				       "checkpoint_fullfsync" };

static bool is_among(const char *const *names, size_t count, const char *name)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (sqlite3_stricmp(names[i], name) == 0)
			return true;
	}
	return false;
}

static const char temporary[] = "what is temporary is not in the file; take it out";

static int refuse(struct running *r, const char *why)
{
	r->why = why;
	return SQLITE_DENY;
}

/* A value, and for the file itself: what it is then is asked of SQLite. */
static int look_at_pragma(struct running *r, const char *name, const char *value,
			  const char *schema)
{
	if (is_among(passing, sizeof(passing) / sizeof(*passing), name))
		return SQLITE_OK;
	if (!is_among(kept, sizeof(kept) / sizeof(*kept), name))
		return refuse(r, "this PRAGMA is not one that a new file keeps; take it out");
	if (schema && sqlite3_stricmp(schema, "main") != 0)
		return refuse(r, "it is about another database than the file; take it out");
	if (!value)
		return SQLITE_OK;
	if (sqlite3_stricmp(name, "journal_mode") == 0)
		r->wal = sqlite3_stricmp(value, "wal") == 0;
	else
		sqlite3_snprintf(sizeof(r->setting), r->setting, "%s", name);
	return SQLITE_OK;
}

static int authorize(void *data, int action, const char *a, const char *b, const char *schema,
		     const char *trigger)
{
	struct running *r = data;

	(void)trigger;
	switch (action) {
	/* CREATE TABLE temp.t is none of the temporary ones to it. */
	case SQLITE_CREATE_TABLE:
	case SQLITE_CREATE_VIEW:
		return schema && sqlite3_stricmp(schema, "temp") == 0 ? refuse(r, temporary) :
									SQLITE_OK;
	case SQLITE_ATTACH:
	case SQLITE_DETACH:
		return refuse(r, "it reaches for another file; it may only make this one");
	case SQLITE_CREATE_TEMP_TABLE:
	case SQLITE_CREATE_TEMP_INDEX:
	case SQLITE_CREATE_TEMP_TRIGGER:
	case SQLITE_CREATE_TEMP_VIEW:
		return refuse(r, temporary);
	case SQLITE_CREATE_VTABLE:
		return refuse(
			r,
			"the rows of a virtual table belong to its module; make and fill it with "
			"after_load of the pipeline");
	case SQLITE_SELECT:
		return r->making_table ?
			       refuse(r, "a table made of a SELECT would come with rows; write "
					 "its columns") :
			       SQLITE_OK;
	case SQLITE_PRAGMA:
		return look_at_pragma(r, a, b, schema);
	default:
		return SQLITE_OK;
	}
}

/* By its first word; NULL: it may be tried. */
static const char *judge(struct running *r, const char *sql)
{
	static const char *const words[] = { "CREATE", "DROP", "ALTER",	  "PRAGMA", "BEGIN",
					     "COMMIT", "END",  "ANALYZE", "REINDEX" };
	struct token_cursor at = token_start(sql, strlen(sql));
	struct token first = token_next(&at), second = token_next(&at);
	size_t i;

	r->making_table = token_is_word(&first, "CREATE") && token_is_word(&second, "TABLE");
	if (token_is_word(&first, "ATTACH") || token_is_word(&first, "DETACH"))
		return "it reaches for another file; it may only make this one";
	for (i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (token_is_word(&first, words[i]))
			return NULL;
	}
	/* What is no SQL at all SQLite names better. */
	return first.kind == TOKEN_WORD && sqlite3_keyword_check(first.at, (int)first.length) ?
		       "a schema file makes tables, indexes, views and triggers and sets PRAGMAs; "
		       "rows come "
		       "from the source, or with after_load of the pipeline" :
		       NULL;
}

/* ---- Failures ---- */

static unsigned long line_of(const struct running *r, const char *at)
{
	const char *p;
	unsigned long line = 1;

	for (p = r->text; p < at; p++)
		line += *p == '\n';
	return line;
}

/* "CREATE TABLE t (…": its first line, for a message. */
static int shown(const char *sql)
{
	size_t length = strcspn(sql, "\r\n");

	if (length > SHOWN) {
		length = SHOWN;
		while (length > 0 && ((unsigned char)sql[length] & 0xc0) == 0x80)
			length--;
	}
	return (int)length;
}

static int fail_at(struct running *r, const char *at, int32_t klass, const char *why)
{
	return r->inst->host->fail(r->err, klass, NULL, sqlite3_extended_errcode(r->db),
				   "schema_file %s:%lu: %s (in the statement \"%.*s\")",
				   sqlite_given_path(r->inst), line_of(r, at), why,
				   shown(r->statement), r->statement);
}

static int fail(struct running *r)
{
	const char *at = r->statement;

	if (r->inst->host->canceled(r->inst->host))
		return ETL_CANCELED;
	if (r->why)
		return fail_at(r, at, ETL_USAGE, r->why);
#if SQLITE_VERSION_NUMBER >= 3038000
	if (sqlite3_error_offset(r->db) > 0)
		at += sqlite3_error_offset(r->db);
#endif
	return fail_at(r, at, sqlite3_errcode(r->db) == SQLITE_NOMEM ? ETL_MEMORY : ETL_USAGE,
		       sqlite3_errmsg(r->db));
}

/* ---- Running ---- */

/* A later one of the same name counts. */
static int note_setting(struct running *r)
{
	char sql[64];
	sqlite3_stmt *stmt = NULL;
	bool text = sqlite3_stricmp(r->setting, "encoding") == 0;
	int rc;

	if (!r->setting[0])
		return ETL_OK;
	sqlite3_snprintf(sizeof(sql), sql, "PRAGMA main.%s", r->setting);
	rc = sqlite_prepare(r->inst, r->db, sql, &stmt, r->err);
	if (!rc && sqlite3_step(stmt) == SQLITE_ROW)
		etl_text_addf(r->settings, "PRAGMA %s = %s%s%s;\n", r->setting, text ? "'" : "",
			      (const char *)sqlite3_column_text(stmt, 0), text ? "'" : "");
	sqlite3_finalize(stmt);
	return rc;
}

/* A number that every change of the schema changes; what the file may not ask for. */
static int schema_version(struct running *r, int64_t *ret)
{
	int rc;

	sqlite3_set_authorizer(r->db, NULL, NULL);
	rc = sqlite_number(r->inst, r->db, "PRAGMA main.schema_version", 0, ret, r->err);
	sqlite3_set_authorizer(r->db, authorize, r);
	return rc;
}

/* Where the table that was just made is made; IF NOT EXISTS makes none that is there. */
static int note_place(struct running *r, int64_t before)
{
	sqlite3_stmt *stmt = NULL;
	int64_t after = before;
	int rc = schema_version(r, &after);

	if (rc || after == before)
		return rc;
	r->making_table = false;
	rc = sqlite_prepare(r->inst, r->db,
			    "SELECT name FROM main.sqlite_schema WHERE type = 'table' ORDER BY rowid DESC LIMIT 1", &stmt,
			    r->err);
	if (!rc && sqlite3_step(stmt) == SQLITE_ROW) {
		etl_text_add(r->places, "INSERT INTO temp." GIVEN_PLACES " VALUES (");
		etl_text_add_literal(r->places, (const char *)sqlite3_column_text(stmt, 0));
		etl_text_addf(r->places, ", %lu);", line_of(r, r->statement));
	}
	sqlite3_finalize(stmt);
	return rc;
}

static int run_one(struct running *r, const char **next)
{
	sqlite3_stmt *stmt = NULL;
	const char *why = judge(r, r->statement);
	int64_t version = 0;
	int step, rc = ETL_OK;

	if (why)
		return fail_at(r, r->statement, ETL_USAGE, why);
	if (r->making_table)
		rc = schema_version(r, &version);
	if (rc)
		return rc;
	r->why = NULL;
	r->setting[0] = '\0';
	if (sqlite3_prepare_v2(r->db, r->statement, -1, &stmt, next) != SQLITE_OK)
		return fail(r);
	while ((step = sqlite3_step(stmt)) == SQLITE_ROW)
		;
	if (sqlite3_finalize(stmt) != SQLITE_OK || step != SQLITE_DONE)
		return fail(r);
	if (sqlite3_get_autocommit(r->db))
		r->begun = NULL;
	else if (!r->begun)
		r->begun = r->statement;
	r->why = NULL;
	if (r->making_table)
		rc = note_place(r, version);
	return rc ? rc : note_setting(r);
}

static int check_end(struct running *r)
{
	sqlite3_stmt *stmt = NULL;
	const char *why = NULL;
	int rc;

	if (r->begun) {
		r->statement = r->begun;
		return fail_at(r, r->begun, ETL_USAGE, "it leaves a transaction open; end it with COMMIT");
	}
	rc = sqlite_prepare(r->inst, r->db,
			    "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE "
			    "'sqlite!_%' ESCAPE '!'",
			    &stmt, r->err);
	if (!rc && sqlite3_step(stmt) != SQLITE_ROW)
		why = "makes no table; look at the file";
	sqlite3_finalize(stmt);
	return rc || !why ? rc :
			    r->inst->host->fail(r->err, ETL_USAGE, NULL, 0, "schema_file %s %s",
						sqlite_given_path(r->inst), why);
}

/* A byte order mark, as editors leave it. */
static const char *begin(const char *text)
{
	return strncmp(text, "\xef\xbb\xbf", 3) == 0 ? text + 3 : text;
}

static bool analyzed(struct running *r)
{
	return sqlite3_table_column_metadata(r->db, "main", "sqlite_stat1", NULL, NULL, NULL, NULL,
					     NULL, NULL) == SQLITE_OK;
}

int sqlite_given_run(struct etl_instance *inst, sqlite3 *db, const char *text,
		     struct etl_text *settings, struct etl_text *places, struct etl_error *err)
{
	struct running r = { .inst = inst, .db = db, .settings = settings, .places = places, .err = err };
	const char *at;
	int rc = ETL_OK;

	r.text = at = begin(text);
	sqlite_enlist(inst, db);
	sqlite3_set_authorizer(db, authorize, &r);
	while (!rc && *at) {
		struct token_cursor cursor = token_start(at, strlen(at));
		struct token first = token_next(&cursor);

		if (first.kind == TOKEN_END)
			break;
		r.statement = first.at;
		at = first.at + first.length;
		if (!token_is(&first, ";"))
			rc = run_one(&r, &at);
	}
	sqlite3_set_authorizer(db, NULL, NULL);
	if (!rc)
		rc = check_end(&r);
	if (!rc && r.wal)
		etl_text_add(settings, "PRAGMA journal_mode = wal;\n");
	if (!rc && analyzed(&r))
		etl_text_add(settings, "ANALYZE;\n");
	return rc;
}
