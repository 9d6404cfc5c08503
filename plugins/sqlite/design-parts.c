/*
 * The parts of a table that is written from its structure. Each is added as it is, or in the nearest form that
 * SQLite has, or left out; its verdict says which. An expression is tried on an empty table in memory first:
 * one that speaks of a column that the pipeline left out would fail the whole table.
 */
#include "config.h"

#include <stdlib.h>

#include "design.h"
#include "token.h"

/* ---- Types ----------------------------------------------------------------------------------------------- */

struct type_name {
	int32_t type;
	const char *name;
	int32_t verdict;
	const char *note;
};

static const struct type_name type_names[] = {
	{ ETL_BOOL, "BOOLEAN", ETL_APPROXIMATED, "SQLite has no booleans: 0 and 1" },
	{ ETL_INT16, "INTEGER", ETL_WIDENED, "any integer of 64 bits" },
	{ ETL_INT32, "INTEGER", ETL_WIDENED, "any integer of 64 bits" },
	{ ETL_INT64, "INTEGER", ETL_EXACT, NULL },
	{ ETL_FLOAT32, "REAL", ETL_WIDENED, "64 bits" },
	{ ETL_FLOAT64, "REAL", ETL_EXACT, NULL },
	{ ETL_DECIMAL, "TEXT", ETL_APPROXIMATED,
	  "as decimal text: SQLite's own numbers would round it" },
	{ ETL_NUMERIC, "TEXT", ETL_APPROXIMATED,
	  "as decimal text: SQLite's own numbers would round it" },
	{ ETL_TEXT, "TEXT", ETL_EXACT, NULL },
	{ ETL_BYTES, "BLOB", ETL_EXACT, NULL },
	{ ETL_DATE, "DATE", ETL_APPROXIMATED, "as text, YYYY-MM-DD" },
	{ ETL_TIME, "TIME", ETL_APPROXIMATED, "as text, HH:MM:SS" },
	{ ETL_TIMESTAMP, "DATETIME", ETL_APPROXIMATED, "as text, YYYY-MM-DD HH:MM:SS" },
	{ ETL_INSTANT, "TEXT", ETL_APPROXIMATED, "as text in UTC, YYYY-MM-DDTHH:MM:SS.ffffffZ" },
	{ ETL_UUID, "TEXT", ETL_APPROXIMATED, "as text in lower case" },
	{ ETL_JSON, "TEXT", ETL_APPROXIMATED, "as its text" },
	{ ETL_ANY, "", ETL_EXACT, NULL },
};

static const struct type_name *find_type(int32_t type)
{
	static const struct type_name none = { ETL_TYPE_NONE, "", ETL_WIDENED, "takes any value" };
	size_t i;

	for (i = 0; i < sizeof(type_names) / sizeof(*type_names); i++) {
		if (type_names[i].type == type)
			return &type_names[i];
	}
	return &none;
}

/* STRICT knows six types. */
static const char *strict_name(const char *name)
{
	if (!*name)
		return "ANY";
	if (strcmp(name, "BOOLEAN") == 0)
		return "INTEGER";
	return strcmp(name, "DATE") == 0 || strcmp(name, "TIME") == 0 ||
			       strcmp(name, "DATETIME") == 0 ?
		       "TEXT" :
		       name;
}

/* ---- Trying an expression -------------------------------------------------------------------------------- */

/* Runs MAKE after CREATE TABLE t(columns EXTRA). *RET is NULL when it works, else what SQLite says, which the
 * caller frees with sqlite3_free. False: no memory to tell. */
static bool try_it(struct design *d, const char *extra, const char *make, char **ret)
{
	struct etl_text sql = { 0 };
	sqlite3 *db = NULL;
	char *words = NULL;
	int code = SQLITE_NOMEM;
	size_t i;

	etl_text_add(&sql, "CREATE TABLE ");
	etl_text_add_name(&sql, d->table->name, '"');
	for (i = 0; i < d->table->column_count; i++) {
		etl_text_add(&sql, i ? ", " : "(");
		etl_text_add_name(
			&sql,
			ETL_AT(const struct etl_column, d->table->columns, d->table->column_size, i)
				->name,
			'"');
	}
	etl_text_addf(&sql, "%s);\n%s", extra, make);
	if (!sql.failed && sqlite3_open(":memory:", &db) == SQLITE_OK) {
		/* A quoted name that is not there is no text. */
		sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DDL, 0, (int *)NULL);
		code = sqlite3_exec(db, sql.at, NULL, NULL, &words);
	}
	sqlite3_close(db);
	etl_text_free(&sql);
	if (code == SQLITE_NOMEM || (code != SQLITE_OK && !words)) {
		sqlite3_free(words);
		return false;
	}
	*ret = words;
	return true;
}

/* The expression in the new names, checked; NULL with *WHY said, which the caller frees. */
static char *take_expression(struct design *d, const char *sql, char **why)
{
	struct etl_text text = { 0 }, extra = { 0 };
	bool works;

	*why = NULL;
	if (!design_renamed(d, sql, &text)) {
		*why = sqlite3_mprintf(
			"its columns were renamed, and it cannot be rewritten safely");
		return NULL;
	}
	etl_text_addf(&extra, ", CHECK (%s)", text.at ? text.at : "");
	works = !text.failed && !extra.failed && try_it(d, extra.at, "", why) && !*why;
	etl_text_free(&extra);
	if (works)
		return etl_text_take(&text);
	etl_text_free(&text);
	return NULL;
}

static int skip_expression(struct design *d, const char *kind, const char *part, const char *sql,
			   char *why)
{
	char *note;
	int rc;

	if (!why)
		return design_no_memory(d);
	note = sqlite3_mprintf("%s; its text: %s", why, sql);
	rc = note ? design_part(d, ETL_SKIPPED, kind, part, note) : design_no_memory(d);
	sqlite3_free(note);
	sqlite3_free(why);
	return rc;
}

/* ---- Columns --------------------------------------------------------------------------------------------- */

static bool is_literal(const char *sql)
{
	struct token_cursor at = token_start(sql, strlen(sql));
	struct token t = token_next(&at);

	if (token_is(&t, "-") || token_is(&t, "+"))
		t = token_next(&at);
	if (t.kind != TOKEN_NUMBER && t.kind != TOKEN_STRING && t.kind != TOKEN_BLOB)
		return false;
	return token_next(&at).kind == TOKEN_END;
}

/* 'abc'::text, NULL::numeric(5,2): a literal whose type is said, as PostgreSQL writes it, while here the column has one. The
 * length of what stands before the type, or 0; the text of a bytea is none of its bytes. */
static size_t before_type(const char *sql)
{
	struct token_cursor at = token_start(sql, strlen(sql));
	struct token first = token_next(&at), t;
	size_t length;

	if (first.kind != TOKEN_STRING && !token_names(&first, "NULL"))
		return 0;
	length = (size_t)(first.at + first.length - sql);
	if (strncmp(sql + length, "::", 2) != 0)
		return 0;
	at = token_start(sql + length + 2, strlen(sql + length + 2));
	if (token_peek(&at).kind != TOKEN_WORD)
		return 0;
	for (t = token_next(&at); t.kind != TOKEN_END; t = token_next(&at)) {
		if ((t.kind != TOKEN_WORD && t.kind != TOKEN_NUMBER && !token_is(&t, "(") &&
		     !token_is(&t, ")") && !token_is(&t, ",")) ||
		    token_is_word(&t, "bytea"))
			return 0;
	}
	return length;
}

static const char *foreign_default(const char *sql)
{
	static const char *const words[][2] = {
		{ "NULL", "NULL" },
		{ "TRUE", "1" },
		{ "FALSE", "0" },
		{ "CURRENT_TIMESTAMP", "CURRENT_TIMESTAMP" },
		{ "CURRENT_DATE", "CURRENT_DATE" },
		{ "CURRENT_TIME", "CURRENT_TIME" },
		{ "NOW()", "CURRENT_TIMESTAMP" },
	};
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (sqlite3_stricmp(words[i][0], sql) == 0)
			return words[i][1];
	}
	return is_literal(sql) ? sql : NULL;
}

/* 0x00ff, which is bytes in other dialects, and a number in SQLite. */
static bool is_hex(const char *sql)
{
	return sql[0] == '0' && (sql[1] == 'x' || sql[1] == 'X');
}

/* An odd number of digits has a nought before them, as T-SQL reads it. */
static bool add_hex(struct design *d, const struct etl_column *c, const char *sql)
{
	const char *digits = sql + strlen("0x");
	size_t count = strspn(digits, "0123456789abcdefABCDEF");

	if (c->type != ETL_BYTES || digits[count])
		return false;
	etl_text_addf(&d->sql, " DEFAULT x'%s%s'", count % 2 ? "0" : "", digits);
	return true;
}

static int add_default(struct design *d, const struct etl_column *c)
{
	const char *sql = d->same ? c->default_sql : foreign_default(c->default_sql);
	size_t length = d->same || sql ? 0 : before_type(c->default_sql);
	struct token_cursor at;
	struct token first;

	if (length) {
		etl_text_addf(&d->sql, " DEFAULT %.*s", (int)length, c->default_sql);
		return ETL_OK;
	}
	if (!d->same && is_hex(c->default_sql)) {
		if (add_hex(d, c, c->default_sql))
			return ETL_OK;
		sql = NULL;
	}
	if (!sql)
		return design_part_of(d, ETL_SKIPPED, "default", c->name,
				      "it is written in another dialect: ", c->default_sql);
	at = token_start(sql, strlen(sql));
	first = token_next(&at);
	if (is_literal(sql) || token_is(&first, "(") || token_next(&at).kind == TOKEN_END)
		etl_text_addf(&d->sql, " DEFAULT %s", sql);
	else
		etl_text_addf(&d->sql, " DEFAULT (%s)", sql);
	return ETL_OK;
}

static int add_collation(struct design *d, const struct etl_column *c)
{
	if (!d->same)
		return design_part_of(d, ETL_APPROXIMATED, "collation", c->name,
				      "texts are compared byte by byte, not by ", c->collation);
	etl_text_add(&d->sql, " COLLATE ");
	etl_text_add_name(&d->sql, c->collation, '"');
	return ETL_OK;
}

static int add_generated(struct design *d, const struct etl_column *c, const char *separator)
{
	char *why = NULL, *sql;
	const char *text = c->generated_sql ? c->generated_sql : "";

	if (!d->same)
		return design_part_of(d, ETL_SKIPPED, "generated column", c->name,
				      "it is computed in another dialect: ", text);
	sql = take_expression(d, text, &why);
	if (!sql)
		return skip_expression(d, "generated column", c->name, text, why);
	etl_text_add(&d->sql, separator);
	etl_text_add_name(&d->sql, c->name, '"');
	etl_text_addf(&d->sql, "%s%s GENERATED ALWAYS AS (%s) %s%s",
		      c->declared && *c->declared ? " " : "", c->declared ? c->declared : "", sql,
		      c->flags & ETL_STORED ? "STORED" : "VIRTUAL",
		      c->flags & ETL_NOT_NULL ? " NOT NULL" : "");
	free(sql);
	return design_part(d, ETL_EXACT, "generated column", c->name, NULL);
}

static bool keeps_declared(const struct design *d, const struct etl_column *c)
{
	return d->same && c->declared && !(c->flags & ETL_CONSTANT);
}

static int add_type(struct design *d, const struct etl_column *c, bool key)
{
	const struct type_name *type = find_type(c->type);
	bool keeps = keeps_declared(d, c), strict = d->same && d->table->flags & ETL_STRICT_TYPES;
	const char *name = keeps ? c->declared : strict ? strict_name(type->name) : type->name;

	/* Only this spelling makes the column the rowid. */
	if (key)
		name = "INTEGER";
	if (*name)
		etl_text_addf(&d->sql, " %s", name);
	return design_part(d, keeps ? ETL_EXACT : type->verdict, "column", c->name,
			   keeps ? NULL : type->note);
}

static int identity_counts(struct design *d, const struct etl_column *c)
{
	struct etl_text note = { 0 };
	int rc;

	etl_text_addf(&note, "SQLite counts up by one from the last value; left out: %s", c->identity_sql);
	rc = note.failed ? design_no_memory(d) :
			   design_part(d, ETL_SKIPPED, "identity options", c->name, note.at);
	etl_text_free(&note);
	return rc;
}

int design_add_column(struct design *d, const struct etl_column *c, bool first)
{
	const struct etl_key *primary = &d->table->primary;
	bool key = d->inline_key && sqlite3_stricmp(c->name, primary->columns[0]) == 0;
	int rc;

	if (c->flags & ETL_GENERATED)
		return add_generated(d, c, first ? "\t" : ",\n\t");
	etl_text_add(&d->sql, first ? "\t" : ",\n\t");
	etl_text_add_name(&d->sql, c->name, '"');
	rc = add_type(d, c, key);
	if (!rc && key)
		etl_text_addf(&d->sql, " PRIMARY KEY%s%s%s",
			      primary->conflict_sql && d->same ? " " : "",
			      primary->conflict_sql && d->same ? primary->conflict_sql : "",
			      c->flags & ETL_NEVER_REUSED ? " AUTOINCREMENT" : "");
	else if (c->flags & ETL_NOT_NULL)
		etl_text_add(&d->sql, " NOT NULL");
	if (!rc && c->default_sql)
		rc = add_default(d, c);
	if (!rc && c->collation)
		rc = add_collation(d, c);
	if (!rc && c->flags & ETL_IDENTITY && !key)
		rc = design_part(d, ETL_SKIPPED, "identity", c->name,
				 "SQLite makes values only for an INTEGER PRIMARY KEY; the rows "
				 "keep theirs");
	else if (!rc && key && c->identity_sql)
		rc = identity_counts(d, c);
	return rc;
}

/* ---- Constraints ----------------------------------------------------------------------------------------- */

static void add_name(struct design *d, const char *name)
{
	etl_text_add(&d->sql, ",\n\t");
	if (!name)
		return;
	etl_text_add(&d->sql, "CONSTRAINT ");
	etl_text_add_name(&d->sql, name, '"');
	etl_text_add(&d->sql, " ");
}

int design_add_key(struct design *d, const struct etl_key *key, bool primary)
{
	const char *kind = primary ? "primary key" : "unique";
	const char *part = key->name ? key->name : key->columns[0];
	struct etl_text names = { 0 };

	if (primary && d->inline_key)
		return design_part(d, ETL_EXACT, kind, part, NULL);
	if (!design_names(d, key->columns, key->collations, key->column_count, &names))
		return design_part(d, ETL_SKIPPED, kind, part,
				   "one of its columns was left out by the pipeline");
	add_name(d, key->name);
	etl_text_addf(&d->sql, "%s (%s)%s%s", primary ? "PRIMARY KEY" : "UNIQUE",
		      names.at ? names.at : "", key->conflict_sql && d->same ? " " : "",
		      key->conflict_sql && d->same ? key->conflict_sql : "");
	d->sql.failed = d->sql.failed || names.failed;
	etl_text_free(&names);
	if (!primary && key->flags & ETL_KEY_NULLS_EQUAL)
		return design_part(d, ETL_WIDENED, kind, part, "several NULLs are allowed");
	return design_part(d, ETL_EXACT, kind, part, NULL);
}

static void add_parent(struct design *d, const struct etl_foreign_key *f)
{
	static const char *const actions[] = { NULL, "RESTRICT", "CASCADE", "SET NULL",
					       "SET DEFAULT" };
	static const char *const defer[] = { "", " DEFERRABLE", " DEFERRABLE INITIALLY DEFERRED" };
	size_t i;

	etl_text_add(&d->sql, " REFERENCES ");
	etl_text_add_name(&d->sql, f->parent, '"');
	for (i = 0; f->parent_columns && i < f->column_count; i++) {
		etl_text_add(&d->sql, i ? ", " : " (");
		etl_text_add_name(&d->sql, f->parent_columns[i], '"');
	}
	if (f->parent_columns)
		etl_text_add(&d->sql, ")");
	if (f->on_delete > ETL_NO_ACTION && f->on_delete <= ETL_SET_DEFAULT)
		etl_text_addf(&d->sql, " ON DELETE %s", actions[f->on_delete]);
	if (f->on_update > ETL_NO_ACTION && f->on_update <= ETL_SET_DEFAULT)
		etl_text_addf(&d->sql, " ON UPDATE %s", actions[f->on_update]);
	if (f->match)
		etl_text_addf(&d->sql, " MATCH %s", f->match);
	if (f->deferrable > ETL_NOT_DEFERRABLE && f->deferrable <= ETL_DEFERRABLE_DEFERRED)
		etl_text_add(&d->sql, defer[f->deferrable]);
}

int design_add_foreign_key(struct design *d, const struct etl_foreign_key *f)
{
	const char *part = f->name ? f->name : f->columns[0];
	struct etl_text names = { 0 };

	if (d->load && d->load->run->foreign_keys == ETL_FK_DROP)
		return design_part(d, ETL_SKIPPED, "foreign key", part,
				   "foreign_keys = \"drop\" in the pipeline");
	if (!design_names(d, f->columns, NULL, f->column_count, &names))
		return design_part(d, ETL_SKIPPED, "foreign key", part,
				   "one of its columns was left out by the pipeline");
	add_name(d, f->name);
	etl_text_addf(&d->sql, "FOREIGN KEY (%s)", names.at ? names.at : "");
	add_parent(d, f);
	d->sql.failed = d->sql.failed || names.failed;
	etl_text_free(&names);
	if (f->match && !d->same)
		return design_part(d, ETL_WIDENED, "foreign key", part,
				   "SQLite does not look at MATCH");
	return design_part(d, ETL_EXACT, "foreign key", part, NULL);
}

int design_add_check(struct design *d, const struct etl_check *c)
{
	const char *part = c->name ? c->name : c->column ? c->column : c->sql;
	char *why = NULL, *sql;

	if (!d->same)
		return design_part_of(d, ETL_SKIPPED, "check", part,
				      "it is written in another dialect: ", c->sql);
	sql = take_expression(d, c->sql, &why);
	if (!sql)
		return skip_expression(d, "check", part, c->sql, why);
	add_name(d, c->name);
	etl_text_addf(&d->sql, "CHECK (%s)", sql);
	free(sql);
	return design_part(d, ETL_EXACT, "check", part, NULL);
}

/* ---- Indexes --------------------------------------------------------------------------------------------- */

static bool add_part(struct design *d, const struct etl_index_part *p, struct etl_text *sql)
{
	if (p->column && !design_column(d, p->column))
		return false;
	if (p->column)
		etl_text_add_name(sql, p->column, '"');
	else if (!design_renamed(d, p->expression ? p->expression : "", sql))
		return false;
	if (p->collation && d->same) {
		etl_text_add(sql, " COLLATE ");
		etl_text_add_name(sql, p->collation, '"');
	}
	etl_text_add(sql, p->descending ? " DESC" : "");
	return true;
}

/* False: a part of it is not there or cannot be rewritten. */
static bool write_index(struct design *d, const struct etl_index *index, struct etl_text *sql)
{
	size_t i;

	etl_text_addf(sql, "CREATE %sINDEX ", index->flags & ETL_INDEX_UNIQUE ? "UNIQUE " : "");
	etl_text_add_name(sql, index->name, '"');
	etl_text_add(sql, " ON ");
	etl_text_add_name(sql, d->table->name, '"');
	for (i = 0; i < index->part_count; i++) {
		etl_text_add(sql, i ? ", " : " (");
		if (!add_part(
			    d,
			    ETL_AT(const struct etl_index_part, index->parts, index->part_size, i),
			    sql))
			return false;
	}
	etl_text_add(sql, ")");
	if (!index->where_sql)
		return true;
	etl_text_add(sql, " WHERE ");
	return design_renamed(d, index->where_sql, sql);
}

bool design_index_fits(struct design *d, const struct etl_index *index)
{
	struct etl_text sql = { 0 };
	char *why = NULL;
	bool fits = write_index(d, index, &sql) && !sql.failed && try_it(d, "", sql.at, &why) &&
		    !why;

	sqlite3_free(why);
	etl_text_free(&sql);
	return fits;
}

static bool has_expressions(const struct etl_index *index)
{
	size_t i;

	for (i = 0; i < index->part_count; i++) {
		if (!ETL_AT(const struct etl_index_part, index->parts, index->part_size, i)->column)
			return true;
	}
	return index->where_sql != NULL;
}

/*
 * An index that may refuse rows is made while they are looked through, a unique one before any foreign key that
 * may count on it. Where a row cannot be told by a rowid, or its place not known by it, the index stands before
 * the rows come: then the second of two equals is refused when it comes.
 */
static int32_t index_phase(const struct design *d, const struct etl_index *index)
{
	const struct etl_run *run = d->load ? d->load->run : NULL;
	bool no_rowid = d->same && d->table->flags & ETL_NO_ROWID && d->table->primary.column_count;
	bool unique = index->flags & ETL_INDEX_UNIQUE;

	if (d->index_at >= 0)
		return d->index_at;
	if ((!unique && !has_expressions(index)) || (run && run->flags & ETL_RUN_SCHEMA_ONLY))
		return ETL_PHASE_FINISH;
	if (no_rowid ||
	    (design_column(d, "rowid") && design_column(d, "oid") && design_column(d, "_rowid_")))
		return ETL_PHASE_PREPARE;
	return ETL_PHASE_SCREEN;
}

static const char *index_note(const struct design *d, const struct etl_index *index, int32_t phase)
{
	bool unique = index->flags & ETL_INDEX_UNIQUE;

	if (phase == ETL_PHASE_PREPARE)
		return unique ? "before the rows, so that the second of two equals is refused" :
				"before the rows, so that one whose expression fails is refused";
	if (phase == ETL_PHASE_SCREEN && d->load && d->load->run->flags & ETL_RUN_REJECT)
		return unique ? "of equal rows the first stays, the others are rejected" :
				"rows whose expression fails are rejected";
	return NULL;
}

static int skip_index(struct design *d, const struct etl_index *index, const char *why)
{
	struct etl_text note = { 0 };
	int rc;

	if (d->quiet)
		return ETL_OK;
	etl_text_addf(&note, "%s%s%s", why, index->ddl ? "; its text: " : "",
		      index->ddl ? index->ddl : "");
	rc = note.failed ? design_no_memory(d) :
			   design_step(d, d->index_at >= 0 ? d->index_at : ETL_PHASE_FINISH,
				       ETL_SKIPPED, "index", index->name, NULL, note.at);
	etl_text_free(&note);
	return rc;
}

static int try_index(struct design *d, const struct etl_index *index, const char *sql)
{
	bool other = index->method && !d->same && sqlite3_stricmp(index->method, "btree") != 0;
	int32_t phase = index_phase(d, index);
	char *why = NULL;
	int rc;

	if (!try_it(d, "", sql, &why))
		return design_no_memory(d);
	rc = why ? skip_index(d, index, why) :
		   design_step(d, phase, other ? ETL_APPROXIMATED : ETL_EXACT, "index", index->name,
			       sql,
			       other ? "as a B-tree, the only kind SQLite has" :
				       index_note(d, index, phase));
	sqlite3_free(why);
	return rc;
}

int design_index(struct design *d, const struct etl_index *index)
{
	struct etl_text sql = { 0 };
	int rc;

	if (d->same && d->table->ddl && index->ddl)
		return design_step(d, index_phase(d, index), ETL_EXACT, "index", index->name,
				   index->ddl, index_note(d, index, index_phase(d, index)));
	if (!d->same && has_expressions(index))
		return skip_index(d, index, "its expressions are written in another dialect");
	if (!write_index(d, index, &sql))
		rc = skip_index(d, index,
				"one of its columns was left out by the pipeline, or it cannot be "
				"rewritten "
				"safely in the new names");
	else
		rc = sql.failed ? design_no_memory(d) : try_index(d, index, sql.at);
	etl_text_free(&sql);
	return rc;
}
