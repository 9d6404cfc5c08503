/*
 * The columns of a table, view or virtual table, and an estimate of its rows that costs two look-ups.
 */
#include "config.h"

#include "describe.h"
#include "token.h"

#define CELL_MIN 4 /* bytes: the least a row takes in a table's page */

enum { XINFO_CID, XINFO_NAME, XINFO_TYPE, XINFO_NOTNULL, XINFO_DEFAULT, XINFO_PK, XINFO_HIDDEN };
enum { HIDDEN_VTAB = 1, HIDDEN_VIRTUAL, HIDDEN_STORED };

static bool is_constant_word(const struct token *t)
{
	return token_is_word(t, "NULL") || token_is_word(t, "TRUE") || token_is_word(t, "FALSE") ||
	       token_is_word(t, "CURRENT_TIME") || token_is_word(t, "CURRENT_DATE") ||
	       token_is_word(t, "CURRENT_TIMESTAMP");
}

/* A default that is a bare or double-quoted name is the text of that name. */
static const char *default_text(struct describing *d, const char *text)
{
	struct token_cursor c = token_start(text, strlen(text));
	struct token t = token_next(&c), next = token_next(&c);
	struct etl_text literal = { 0 };
	char *name, *ret;

	if (next.kind != TOKEN_END || (t.kind != TOKEN_NAME && t.kind != TOKEN_WORD) ||
	    is_constant_word(&t))
		return text;
	name = etl_arena_alloc(&d->memory, t.length + 1);
	if (!name)
		return NULL;
	token_name(&t, name, t.length + 1);
	etl_text_add_literal(&literal, name);
	d->memory.failed = d->memory.failed || literal.failed;
	ret = etl_arena_copy(&d->memory, literal.at);
	etl_text_free(&literal);
	return ret;
}

/* The pragma's text has lost the parentheses of an expression; the statement has them. */
static void set_default(struct describing *d, const struct ddl_column *ddl, sqlite3_stmt *row,
			struct etl_column *c)
{
	const struct ddl_constraint *written = ddl ? ddl_find(ddl, DDL_DEFAULT) : NULL;
	const char *text = describe_text(d, row, XINFO_DEFAULT);

	if (!text)
		return;
	if (written && written->text[0] == '(')
		c->default_sql = etl_arena_copy(&d->memory, written->text);
	else
		c->default_sql = default_text(d, text);
}

static void set_generated(struct describing *d, const struct ddl_column *ddl, int hidden,
			  struct etl_column *c)
{
	const struct ddl_constraint *written = ddl ? ddl_find(ddl, DDL_GENERATED) : NULL;

	if (hidden != HIDDEN_VIRTUAL && hidden != HIDDEN_STORED)
		return;
	c->flags |= ETL_GENERATED | (hidden == HIDDEN_STORED ? ETL_STORED : 0u);
	c->generated_sql = etl_arena_copy(&d->memory, written ? written->text : "");
}

static void set_metadata(struct describing *d, struct etl_column *c)
{
	const char *collation = NULL;
	int autoincrement = 0;

	if (sqlite3_table_column_metadata(d->db, "main", d->table.name, c->name, NULL, &collation,
					  NULL, NULL, &autoincrement) != SQLITE_OK)
		return;
	if (collation && sqlite3_stricmp(collation, "BINARY") != 0)
		c->collation = etl_arena_copy(&d->memory, collation);
	if (autoincrement)
		c->flags |= ETL_NEVER_REUSED;
}

/* In a STRICT table the type is kept by the store; its text may still be no UTF-8. */
static void set_type(struct describing *d, struct etl_column *c)
{
	declared_type(c->declared, c);
	if (!(d->table.flags & ETL_STRICT_TYPES))
		return;
	if (sqlite3_stricmp(c->declared, "BLOB") == 0)
		c->type = ETL_BYTES;
	if (c->type == ETL_INT64 || c->type == ETL_FLOAT64 || c->type == ETL_BYTES)
		c->flags |= ETL_TYPED;
}

static int add_column(struct describing *d, sqlite3_stmt *row)
{
	struct etl_column *c;
	const struct ddl_column *ddl;
	int pk = sqlite3_column_int(row, XINFO_PK), hidden = sqlite3_column_int(row, XINFO_HIDDEN);

	if (hidden == HIDDEN_VTAB)
		return ETL_OK;
	d->columns = etl_arena_push(&d->memory, d->columns, d->table.column_count, sizeof(*c));
	if (!d->columns)
		return describe_no_memory(d);
	c = memset(&d->columns[d->table.column_count], 0, sizeof(*c));
	c->name = describe_text(d, row, XINFO_NAME);
	c->declared = describe_text(d, row, XINFO_TYPE);
	if (d->memory.failed || !c->name)
		return describe_no_memory(d);
	if (!c->declared)
		c->declared = "";
	c->identity_last = ETL_UNKNOWN;
	if (sqlite3_column_int(row, XINFO_NOTNULL) || (pk && (d->table.flags & ETL_NO_ROWID)))
		c->flags |= ETL_NOT_NULL;
	ddl = d->parsed ? ddl_find_column(&d->ddl, c->name) : NULL;
	set_type(d, c);
	set_default(d, ddl, row, c);
	set_generated(d, ddl, hidden, c);
	if (d->table.kind == ETL_TABLE || d->table.kind == ETL_SHADOW_TABLE)
		set_metadata(d, c);
	d->table.columns = d->columns;
	d->table.column_count++;
	return d->memory.failed ? describe_no_memory(d) : ETL_OK;
}

/* ---- The rowid's name --------------------------------------------------------------------------------- */

/* The one INTEGER column of the key is the rowid itself, unless an index was made for the key. */
static int find_alias(struct describing *d, struct etl_column **ret)
{
	sqlite3_stmt *stmt = NULL;
	bool found = false;
	int rc = describe_query(
		d,
		"SELECT name FROM pragma_table_xinfo(?1) WHERE pk = 1 AND upper(type) = "
		"'INTEGER' AND NOT EXISTS (SELECT 1 FROM pragma_table_xinfo(?1) WHERE pk > 1) "
		"AND NOT EXISTS (SELECT 1 FROM pragma_index_list(?1) WHERE origin = 'pk')",
		d->table.name, &stmt);

	if (rc)
		return rc;
	rc = describe_step(d, stmt, &found);
	if (found) {
		const char *name = (const char *)sqlite3_column_text(stmt, 0);
		size_t i;

		for (i = 0; name && i < d->table.column_count; i++) {
			if (strcmp(d->columns[i].name, name) == 0)
				*ret = &d->columns[i];
		}
	}
	sqlite3_finalize(stmt);
	return rc;
}

static int set_identity_last(struct describing *d, struct etl_column *c)
{
	sqlite3_stmt *stmt = NULL;
	bool found = false;
	int rc = describe_query(d, "SELECT seq FROM main.sqlite_sequence WHERE name = ?1",
				d->table.name, &stmt);

	if (rc)
		return rc;
	rc = describe_step(d, stmt, &found);
	if (found && sqlite3_column_type(stmt, 0) == SQLITE_INTEGER)
		c->identity_last = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return rc;
}

static int mark_alias(struct describing *d)
{
	struct etl_column *c = NULL;
	int rc = find_alias(d, &c);

	if (rc || !c)
		return rc;
	c->type = ETL_INT64;
	c->flags |= ETL_IDENTITY | ETL_NOT_NULL | ETL_TYPED;
	return c->flags & ETL_NEVER_REUSED ? set_identity_last(d, c) : ETL_OK;
}

int describe_columns(struct describing *d)
{
	sqlite3_stmt *stmt = NULL;
	int step, rc = describe_query(d, "SELECT * FROM pragma_table_xinfo(?1)", d->table.name,
				      &stmt);

	if (rc)
		return rc;
	while (!rc && (step = sqlite3_step(stmt)) != SQLITE_DONE) {
		rc = step == SQLITE_ROW ? add_column(d, stmt) :
					  sqlite_fail(d->inst, d->db, d->err, "describing \"%s\"",
						      d->table.name);
	}
	sqlite3_finalize(stmt);
	if (rc || d->table.kind == ETL_VIEW || d->table.kind == ETL_VIRTUAL_TABLE ||
	    (d->table.flags & ETL_NO_ROWID))
		return rc;
	return mark_alias(d);
}

/* ---- Rows ------------------------------------------------------------------------------------------------- */

/* A single integer; ETL_UNKNOWN for NULL or when the statement does not work. */
static int64_t one_number(struct describing *d, const char *sql, const char *name)
{
	sqlite3_stmt *stmt = NULL;
	int64_t n = ETL_UNKNOWN;

	if (sqlite3_prepare_v2(d->db, sql, -1, &stmt, NULL) == SQLITE_OK &&
	    (!name || sqlite3_bind_text(stmt, 1, name, -1, SQLITE_TRANSIENT) == SQLITE_OK) &&
	    sqlite3_step(stmt) == SQLITE_ROW && sqlite3_column_type(stmt, 0) != SQLITE_NULL)
		n = sqlite3_column_int64(stmt, 0);
	if (sqlite3_errcode(d->db) == SQLITE_NOMEM)
		d->memory.failed = true;
	sqlite3_finalize(stmt);
	return n;
}

/* Sparse rowids make the range too wide; no more rows than cells fit into the file. */
static int64_t by_rowid(struct describing *d)
{
	char *sql = sqlite3_mprintf(
		"SELECT (SELECT max(\"%w\") FROM \"%w\") - (SELECT min(\"%w\") FROM \"%w\") + 1.0",
		"rowid", d->table.name, "rowid", d->table.name);
	int64_t bytes = one_number(d, "PRAGMA main.page_count", NULL) *
			one_number(d, "PRAGMA main.page_size", NULL);
	int64_t n = sql ? one_number(d, sql, NULL) : ETL_UNKNOWN;

	sqlite3_free(sql);
	if (n == ETL_UNKNOWN)
		n = 0;
	return n > bytes / CELL_MIN ? bytes / CELL_MIN : n;
}

static bool shadows_rowid(const struct describing *d)
{
	const struct etl_column *c = describe_find(d, "rowid");

	return c && !(c->flags & ETL_IDENTITY);
}

int describe_rows(struct describing *d)
{
	d->table.rows = one_number(
		d,
		"SELECT max(CAST(stat AS INTEGER)) FROM main.sqlite_stat1 WHERE tbl = ?1 "
		"COLLATE NOCASE",
		d->table.name);
	if (d->table.rows == ETL_UNKNOWN && !(d->table.flags & ETL_NO_ROWID) && !shadows_rowid(d))
		d->table.rows = by_rowid(d);
	return ETL_OK;
}
