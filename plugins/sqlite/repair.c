/*
 * The SQL of a repair, for the shell of SQLite. A value is bound as load would bind it, and SQLite then says
 * what it is: so what is written is what a run would have stored. Each literal is exact in every build: a text
 * has no byte that a shell could take for the end of a line, a real that its decimal digits do not
 * surely give back is written as a whole number times powers of two.
 */
#include "config.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "repair-sql.h"
#include "stage.h"

#define DIGITS	 15 /* decimal digits that every reader of numbers gets right, … */
#define TENS	 22 /* … with this many places at most */

/* One statement on its way. */
struct repair {
	struct etl_instance *inst;
	const struct etl_repair *ask;
	struct etl_view *before, *after;
	struct etl_text sql;
	sqlite3_stmt *value; /* SELECT ?1, to look at what was bound */
	struct etl_error *err;
};

/* ---- Literals -------------------------------------------------------------------------------- */

static void add_real(struct etl_text *sql, double v)
{
	char buf[40];

	if (isinf(v)) {
		etl_text_add(sql, v > 0 ? "9e999" : "-9e999");
		return;
	}
	snprintf(buf, sizeof(buf), "%.*g", DIGITS, v);
	if (v != 0 && (strtod(buf, NULL) != v || fabs(v) >= 1e15 || fabs(v) < 1e-7)) {
		etl_repair_add_factors(sql, v, "REAL", ".0");
		return;
	}
	etl_text_add(sql, buf);
	if (!strpbrk(buf, ".e"))
		etl_text_add(sql, ".0");
}

static void add_hex(struct etl_text *sql, const unsigned char *bytes, int size)
{
	int i;

	etl_text_add(sql, "x'");
	for (i = 0; i < size; i++)
		etl_text_addf(sql, "%02x", bytes[i]);
	etl_text_add(sql, "'");
}

/* 'a' || char(10) || 'b' */
static void add_printable(struct etl_text *sql, const unsigned char *text, int size)
{
	bool open = false;
	int i;

	for (i = 0; i < size; i++) {
		bool control = text[i] < 0x20 && text[i] != '\t';

		if (control && open)
			etl_text_add(sql, "'");
		if ((control && i > 0) || (!control && !open && i > 0))
			etl_text_add(sql, " || ");
		if (control) {
			etl_text_addf(sql, "char(%d)", text[i]);
		} else {
			if (!open)
				etl_text_add(sql, "'");
			etl_text_add_bytes(sql, text + i, 1);
			if (text[i] == '\'')
				etl_text_add(sql, "'");
		}
		open = !control;
	}
	if (open)
		etl_text_add(sql, "'");
}

static bool has_control(const unsigned char *text, int size)
{
	int i;

	for (i = 0; i < size; i++) {
		if (text[i] < 0x20 && text[i] != '\t')
			return true;
	}
	return false;
}

/* Bytes that are no UTF-8 stand as what they are in a database that keeps texts as UTF-8. */
static void add_text(struct etl_text *sql, const unsigned char *text, int size)
{
	if (size == 0) {
		etl_text_add(sql, "''");
	} else if (etl_utf8_valid(text, (size_t)size) != (size_t)size) {
		etl_text_add(sql, "CAST(");
		add_hex(sql, text, size);
		etl_text_add(sql, " AS TEXT)");
	} else if (has_control(text, size)) {
		etl_text_add(sql, "(");
		add_printable(sql, text, size);
		etl_text_add(sql, ")");
	} else {
		add_printable(sql, text, size);
	}
}

static int fail_value(struct repair *r, const char *column, const char *code)
{
	const struct etl_host *host = r->inst->host;

	host->at(r->err, r->ask->table->name, column, NULL);
	return host->fail(r->err, strcmp(code, "no_memory") == 0 ? ETL_MEMORY : ETL_DATA, NULL, 0,
			  "a value cannot be written in SQL: %s", code);
}

/* The type of a value that is written: SQLITE_INTEGER, …; negative: failed. */
static int add_value(struct repair *r, const struct etl_view *view, int64_t column, int64_t row)
{
	char scratch[SQLITE_SCRATCH];
	const char *code;
	int type;

	sqlite3_reset(r->value);
	code = sqlite_bind(r->value, 0, &view->columns[column], row, scratch);
	if (!code && sqlite3_step(r->value) != SQLITE_ROW)
		code = "no_memory";
	if (code)
		return fail_value(r, r->ask->schema->children[column]->name, code);
	type = sqlite3_column_type(r->value, 0);
	switch (type) {
	case SQLITE_INTEGER:
		etl_text_addf(&r->sql, "%lld", sqlite3_column_int64(r->value, 0));
		break;
	case SQLITE_FLOAT:
		add_real(&r->sql, sqlite3_column_double(r->value, 0));
		break;
	case SQLITE_TEXT:
		add_text(&r->sql, sqlite3_column_text(r->value, 0),
			 sqlite3_column_bytes(r->value, 0));
		break;
	case SQLITE_BLOB:
		add_hex(&r->sql, sqlite3_column_blob(r->value, 0),
			sqlite3_column_bytes(r->value, 0));
		break;
	default:
		etl_text_add(&r->sql, "NULL");
	}
	return type;
}

/* ---- Which row ------------------------------------------------------------------------------- */

static void add_name(struct repair *r, const char *name)
{
	etl_text_add_name(&r->sql, name, '"');
}

static bool has_collation(const struct etl_table *table, const char *name)
{
	size_t i;

	for (i = 0; i < table->column_count; i++) {
		const struct etl_column *c = ETL_AT(const struct etl_column, table->columns,
						    table->column_size, i);

		if (strcmp(c->name, name) == 0)
			return c->collation && sqlite3_stricmp(c->collation, "BINARY") != 0;
	}
	return false;
}

/* Two values that a collation or a number's kind makes equal are two rows. */
static int add_condition(struct repair *r, int64_t column, bool kind)
{
	static const char *const kinds[] = { [SQLITE_INTEGER] = "integer",
					     [SQLITE_FLOAT] = "real",
					     [SQLITE_TEXT] = "text",
					     [SQLITE_BLOB] = "blob" };
	const char *name = r->ask->schema->children[column]->name;
	int type;

	add_name(r, name);
	etl_text_add(&r->sql, " IS ");
	type = add_value(r, r->before, column, r->ask->before_row);
	if (type < 0)
		return type;
	if (type == SQLITE_TEXT && has_collation(r->ask->table, name))
		etl_text_add(&r->sql, " COLLATE BINARY");
	if (kind && (type == SQLITE_INTEGER || type == SQLITE_FLOAT)) {
		etl_text_add(&r->sql, " AND typeof(");
		add_name(r, name);
		etl_text_addf(&r->sql, ") = '%s'", kinds[type]);
	}
	return 0;
}

static int add_key(struct repair *r)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < r->ask->key_count && rc == 0; i++) {
		int64_t column = etl_schema_find(r->ask->schema, r->ask->key[i]);

		etl_text_add(&r->sql, i ? " AND " : " WHERE ");
		rc = add_condition(r, column, false);
	}
	return rc;
}

static bool has_column(const struct etl_table *table, const char *name)
{
	size_t i;

	for (i = 0; i < table->column_count; i++) {
		if (sqlite3_stricmp(ETL_AT(const struct etl_column, table->columns,
					   table->column_size, i)
					    ->name,
				    name) == 0)
			return true;
	}
	return false;
}

/* Of equal rows so many as are meant: by their rowid, which a table without a key has. */
static int add_whole_row(struct repair *r)
{
	static const char *const names[] = { "rowid", "_rowid_", "oid" };
	const char *rowid = NULL;
	int64_t i;
	int rc = 0;
	size_t k;

	for (k = 0; k < 3 && !rowid; k++)
		rowid = has_column(r->ask->table, names[k]) ? NULL : names[k];
	if (!rowid) {
		r->inst->host->at(r->err, r->ask->table->name, NULL, NULL);
		return r->inst->host->fail(r->err, ETL_DATA, NULL, 0,
					   "a row of a table without a key cannot be named, since columns "
					   "hide all three names of the rowid; write key = [ … ]");
	}
	etl_text_addf(&r->sql, " WHERE %s IN (SELECT %s FROM ", rowid, rowid);
	add_name(r, r->ask->table->name);
	for (i = 0; i < r->before->count && rc == 0; i++) {
		etl_text_add(&r->sql, i ? " AND " : " WHERE ");
		rc = add_condition(r, i, true);
	}
	etl_text_addf(&r->sql, " LIMIT %" PRIu64 ")", r->ask->rows);
	return rc;
}

/* ---- Statements ------------------------------------------------------------------------------ */

static int add_insert(struct repair *r)
{
	int64_t i;
	int rc = 0;

	etl_text_add(&r->sql, "INSERT INTO ");
	add_name(r, r->ask->table->name);
	for (i = 0; i < r->after->count; i++) {
		etl_text_add(&r->sql, i ? ", " : " (");
		add_name(r, r->ask->schema->children[i]->name);
	}
	for (i = 0; i < r->after->count && rc >= 0; i++) {
		etl_text_add(&r->sql, i ? ", " : ") VALUES (");
		rc = add_value(r, r->after, i, r->ask->after_row);
	}
	etl_text_add(&r->sql, ");\n");
	return rc < 0 ? rc : 0;
}

static int add_update(struct repair *r)
{
	size_t i;
	int rc = 0;

	etl_text_add(&r->sql, "UPDATE ");
	add_name(r, r->ask->table->name);
	for (i = 0; i < r->ask->column_count && rc >= 0; i++) {
		etl_text_add(&r->sql, i ? ", " : " SET ");
		add_name(r, r->ask->schema->children[r->ask->columns[i]]->name);
		etl_text_add(&r->sql, " = ");
		rc = add_value(r, r->after, r->ask->columns[i], r->ask->after_row);
	}
	if (rc >= 0)
		rc = add_key(r);
	etl_text_add(&r->sql, ";\n");
	return rc < 0 ? rc : 0;
}

static int add_delete(struct repair *r)
{
	int rc;

	etl_text_add(&r->sql, "DELETE FROM ");
	add_name(r, r->ask->table->name);
	rc = r->ask->key_count ? add_key(r) : add_whole_row(r);
	etl_text_add(&r->sql, ";\n");
	return rc;
}

static int add_statement(struct repair *r)
{
	uint64_t i;
	int rc = 0;

	switch (r->ask->kind) {
	case ETL_REPAIR_BEGIN:
		/* The shell goes on behind a statement that failed, to the COMMIT, unless it is told not to. Every value is as it
		 * shall be only at the end, and nothing that a key would do meanwhile is meant. */
		etl_text_add(&r->sql, ".bail on\nPRAGMA foreign_keys = OFF;\nBEGIN IMMEDIATE;\n");
		return 0;
	case ETL_REPAIR_END:
		etl_text_add(&r->sql, "COMMIT;\n");
		return 0;
	case ETL_REPAIR_INSERT:
		for (i = 0; i < r->ask->rows && rc == 0; i++)
			rc = add_insert(r);
		return rc;
	case ETL_REPAIR_UPDATE:
		return add_update(r);
	default:
		return add_delete(r);
	}
}

static bool set_view(struct etl_view **ret, const struct etl_repair *ask,
		     const struct ArrowArray *batch)
{
	if (!batch)
		return true;
	*ret = etl_view_new(ask->schema);
	return *ret && etl_view_set(*ret, batch);
}

/* A database of its own, in memory, which only says what a value is. */
static int open_value(struct repair *r)
{
	struct etl_instance *inst = r->inst;

	if (!inst->values && sqlite3_open(":memory:", &inst->values) != SQLITE_OK)
		return sqlite_fail(inst, inst->values, r->err, "opening a database in memory");
	return sqlite_prepare(inst, inst->values, "SELECT ?1", &r->value, r->err);
}

int sqlite_repair(struct etl_instance *inst, const struct etl_repair *ask, struct etl_sql_sink *sink,
		  struct etl_error *err)
{
	struct repair r = { .inst = inst, .ask = ask, .err = err };
	int rc = open_value(&r);

	if (rc == 0 && !(set_view(&r.before, ask, ask->before) && set_view(&r.after, ask, ask->after)))
		rc = inst->host->fail(err, ETL_MEMORY, NULL, 0, "no memory");
	if (rc == 0)
		rc = add_statement(&r);
	if (rc == 0 && r.sql.failed)
		rc = inst->host->fail(err, ETL_MEMORY, NULL, 0, "no memory");
	if (rc == 0)
		rc = sink->emit(sink, r.sql.at, r.sql.length);
	sqlite3_finalize(r.value);
	etl_view_free(r.before);
	etl_view_free(r.after);
	etl_text_free(&r.sql);
	return rc;
}
