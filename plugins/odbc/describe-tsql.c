/*
 * The catalog of SQL Server, Azure SQL and Babelfish: tables, views and their columns. ODBC's catalog functions know no
 * computed columns, no identities, no filters and no conditions, so the server's own views are asked, each once for
 * everything; a single table is asked for by its number.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "describe-tsql.h"
#include "pin.h"

#define DESCRIPTION "MS_Description" /* the property in which Microsoft's tools keep a comment */

/* ---- Asking ---------------------------------------------------------------------------------------------- */

int tsql_each(struct tsql_catalog *t, const char *sql, int count, tsql_take *take)
{
	struct odbc_describing *d = t->d;
	char *row[TSQL_FIELDS];
	SQLHSTMT stmt;
	int rc = odbc_statement(d->inst, &stmt, d->err), more;

	if (rc < 0)
		return rc;
	rc = odbc_execute(d->inst, stmt, sql, d->err);
	while (rc == ETL_OK && (more = odbc_next(d->inst, stmt, d->err)) != 0) {
		rc = more < 0 ? more : ETL_OK;
		for (int i = 0; rc == ETL_OK && i < count; i++)
			rc = odbc_at(d, stmt, i + 1, &row[i]);
		if (rc == ETL_OK)
			rc = take(t, row);
	}
	odbc_done(d->inst, stmt);
	return rc;
}

static void add_equal(struct etl_text *sql, const struct tsql_catalog *t, const char *column, const char *value)
{
	(void)t;
	etl_text_addf(sql, " AND %s = N", column);
	etl_text_add_literal(sql, value);
}

int tsql_each_of(struct tsql_catalog *t, const char *sql, bool views, const char *order, int count, tsql_take *take)
{
	struct etl_text whole = { 0 };
	int rc;

	etl_text_addf(&whole, "%s WHERE o.is_ms_shipped = 0 AND o.type IN ('U'%s)", sql, views ? ", 'V'" : "");
	/* Names of Babelfish are compared when they are known as they were given. */
	if (t->only)
		etl_text_addf(&whole, " AND o.object_id = %lld", (long long)t->only);
	else if (t->d->schema && !t->babelfish)
		add_equal(&whole, t, "s.name", t->d->schema);
	if (!t->only && t->d->table && !t->babelfish)
		add_equal(&whole, t, "o.name", t->d->table);
	etl_text_addf(&whole, " ORDER BY %s", order);
	rc = whole.failed ? odbc_no_memory(t->d->inst, t->d->err) : tsql_each(t, whole.at, count, take);
	etl_text_free(&whole);
	return rc;
}

static int by_id(const void *key, const void *item)
{
	int64_t a = *(const int64_t *)key, b = ((const struct odbc_object *)item)->id;

	return (a > b) - (a < b);
}

struct odbc_object *tsql_object(struct tsql_catalog *t, const char *id)
{
	int64_t number = id ? strtoll(id, NULL, 10) : 0;

	return t->numbered ?
		       bsearch(&number, t->d->objects, t->numbered, sizeof(*t->d->objects), by_id) :
		       NULL;
}

const char *tsql_column(const struct odbc_object *o, const char *id)
{
	int64_t number = id ? strtoll(id, NULL, 10) : 0;

	for (size_t i = 0; i < o->table.column_count; i++)
		if (o->column_ids[i] == number)
			return o->columns[i].name;
	return NULL;
}

bool tsql_flag(const char *text)
{
	return text && strcmp(text, "0") != 0;
}

/* Past a quoted text, a quoted name or a comment, of which a doubled end is a part; else past one byte. */
static const char *past(const char *p)
{
	char end = *p == '[' ? ']' : *p;

	if (*p != '\'' && *p != '"' && *p != '[')
		return p + 1;
	for (p++; *p; p++) {
		if (*p == end && p[1] == end)
			p++;
		else if (*p == end)
			return p + 1;
	}
	return p;
}

/* Does the parenthesis at the beginning end at the end? */
static bool is_wrapped(const char *sql, size_t length)
{
	const char *p = sql, *end = sql + length;
	int depth = 0;

	if (length < 2 || *sql != '(' || end[-1] != ')')
		return false;
	while (p < end) {
		depth += (*p == '(') - (*p == ')');
		if (depth == 0)
			return p + 1 == end;
		p = past(p);
	}
	return false;
}

char *tsql_bare(struct tsql_catalog *t, const char *sql)
{
	size_t length;

	if (!sql)
		return NULL;
	for (length = strlen(sql); is_wrapped(sql, length); length -= 2)
		sql++;
	return etl_arena_text(&t->d->memory, sql, length);
}

void tsql_left(struct tsql_catalog *t, const struct odbc_object *o, const char *kind, const char *name)
{
	bool same = t->left_kind && strcmp(t->left_kind, kind) == 0;

	if (o && t->d->schema && strcmp(o->table.schema, t->d->schema) != 0)
		return;
	t->left_count = same ? t->left_count + 1 : 1;
	t->left_kind = kind;
	if (t->left_count <= TSQL_NOTES)
		etl_text_addf(&t->left, "%s%s%s%s", same ? ", " : t->left.length ? "; " : "", same ? "" : kind,
			      same ? "" : " ", name);
	else if (t->left_count == TSQL_NOTES + 1)
		etl_text_add(&t->left, ", …");
}

/* ---- Tables and views -------------------------------------------------------------------------------------- */

enum { OBJECT_ID, OBJECT_SCHEMA, OBJECT_NAME, OBJECT_TYPE, OBJECT_TEXT, OBJECT_COMMENT, OBJECT_ROWS, OBJECT_FIELDS };

#define OBJECTS(rows)                                                                                  \
	"SELECT o.object_id, s.name, o.name, o.type, CASE WHEN o.type = 'V' THEN OBJECT_DEFINITION(o.object_id) END, " \
	"CONVERT(nvarchar(4000), p.value), " rows " FROM sys.objects o JOIN sys.schemas s ON s.schema_id = "           \
	"o.schema_id LEFT JOIN sys.extended_properties p ON p.class = 1 AND p.major_id = o.object_id AND p.minor_id = "  \
	"0 AND p.name = N'" DESCRIPTION "'"

static const char objects_sql[] = OBJECTS("(SELECT SUM(r.rows) FROM sys.partitions r WHERE r.object_id = o.object_id AND "
					  "r.index_id IN (0, 1))");
/* Its sys.partitions has 0 rows of every table. */
static const char babelfish_objects_sql[] = OBJECTS("NULL");

static int take_object(struct tsql_catalog *t, char *const *row)
{
	bool view = *row[OBJECT_TYPE] == 'V';
	struct odbc_object *o;

	if (strncmp(row[OBJECT_NAME], "_etlrun", 7) == 0)
		return ETL_OK;
	if (view && !row[OBJECT_TEXT]) {
		tsql_left(t, NULL, "view without a text (WITH ENCRYPTION, or no right to see it)", row[OBJECT_NAME]);
		return ETL_OK;
	}
	o = odbc_add_object(t->d, view ? ETL_VIEW : ETL_TABLE, row[OBJECT_SCHEMA], row[OBJECT_NAME]);
	if (!o)
		return odbc_no_memory(t->d->inst, t->d->err);
	o->id = strtoll(row[OBJECT_ID], NULL, 10);
	o->table.comment = row[OBJECT_COMMENT];
	o->table.ddl = view ? row[OBJECT_TEXT] : NULL;
	if (!view && row[OBJECT_ROWS])
		o->table.rows = strtoll(row[OBJECT_ROWS], NULL, 10);
	return ETL_OK;
}

/* ---- Columns --------------------------------------------------------------------------------------------------- */

enum {
	COLUMN_OBJECT, COLUMN_ID, COLUMN_NAME, COLUMN_TYPE, COLUMN_BYTES, COLUMN_PRECISION, COLUMN_SCALE, COLUMN_COLLATION,
	COLUMN_NULLABLE, COLUMN_IDENTITY, COLUMN_COMPUTED, COLUMN_DEFAULT, COLUMN_EXPRESSION, COLUMN_PERSISTED,
	COLUMN_COMMENT, COLUMN_SEED, COLUMN_INCREMENT, COLUMN_CURRENT, COLUMN_LAST, COLUMN_HIDDEN, COLUMN_FIELDS
};

#define OF_IDENTITY(function)                                                                          \
	"CASE WHEN c.is_identity = 1 THEN CONVERT(nvarchar(40), " function                              \
	"(QUOTENAME(s.name) + N'.' + QUOTENAME(o.name))) END"

/* A type that a person made of another has that one's name; those of the CLR have their own. */
#define COLUMNS(default_sql, expression, persisted, last, joins)                                             \
	"SELECT c.object_id, c.column_id, c.name, CASE WHEN y.is_user_defined = 1 AND y.is_assembly_type = 0 THEN "    \
	"TYPE_NAME(c.system_type_id) ELSE y.name END, c.max_length, c.precision, c.scale, c.collation_name, "        \
	"c.is_nullable, c.is_identity, c.is_computed, " default_sql ", " expression ", " persisted                     \
	", CONVERT(nvarchar(4000), p.value), " OF_IDENTITY("IDENT_SEED") ", " OF_IDENTITY("IDENT_INCR") ", "          \
	OF_IDENTITY("IDENT_CURRENT") ", CONVERT(nvarchar(40), " last "), c.is_hidden FROM sys.columns c JOIN "     \
	"sys.objects o ON o.object_id = c.object_id JOIN sys.schemas s ON s.schema_id = o.schema_id JOIN sys.types y ON " \
	"y.user_type_id = c.user_type_id" joins " LEFT JOIN sys.extended_properties p ON p.class = 1 AND p.major_id = c.object_id AND " \
	"p.minor_id = c.column_id AND p.name = N'" DESCRIPTION "'"

static const char columns_sql[] =
	COLUMNS("f.definition", "k.definition", "k.is_persisted", "i.last_value",
		" LEFT JOIN sys.default_constraints f ON f.object_id = c.default_object_id LEFT JOIN sys.computed_columns k "
		"ON k.object_id = c.object_id AND k.column_id = c.column_id LEFT JOIN sys.identity_columns i ON i.object_id = "
		"c.object_id AND i.column_id = c.column_id");

/* Babelfish fails at each text that it cannot spell, also of a table that is not asked for: they are asked for one by one. */
static const char babelfish_columns_sql[] =
	COLUMNS("CONVERT(nvarchar(20), NULLIF(c.default_object_id, 0))", "N''", "1", "NULL", "");

static bool is_one_of(const char *name, const char *const *words)
{
	for (; *words; words++)
		if (strcasecmp(*words, name) == 0)
			return true;
	return false;
}

/* Characters of a text, bytes of others, digits of a number; 0: as many as fit. */
static SQLULEN size_of(const char *type, int64_t bytes, int64_t precision)
{
	static const char *const wide[] = { "nchar", "nvarchar", "sysname", NULL };
	static const char *const narrow[] = { "char", "varchar", "binary", "varbinary", "timestamp", NULL };
	static const char *const numbers[] = { "decimal", "numeric", "money", "smallmoney", NULL };

	if (is_one_of(type, numbers))
		return (SQLULEN)precision;
	if (bytes <= 0)
		return 0;
	return is_one_of(type, wide) ? (SQLULEN)bytes / 2 : is_one_of(type, narrow) ? (SQLULEN)bytes : 0;
}

static const char *declared(struct tsql_catalog *t, const struct odbc_column *c, int64_t scale)
{
	static const char *const sized[] = { "char", "varchar", "nchar", "nvarchar", "binary", "varbinary", NULL };
	static const char *const scaled[] = { "time", "datetime2", "datetimeoffset", NULL };
	static const char *const exact[] = { "decimal", "numeric", NULL };
	char text[ODBC_NAME_ROOM + 64];

	if (strcasecmp(c->type_name, "sysname") == 0)
		snprintf(text, sizeof(text), "nvarchar(%lu)", (unsigned long)c->size);
	else if (is_one_of(c->type_name, exact))
		snprintf(text, sizeof(text), "%s(%lu,%lld)", c->type_name, (unsigned long)c->size, (long long)scale);
	else if (is_one_of(c->type_name, scaled))
		snprintf(text, sizeof(text), "%s(%lld)", c->type_name, (long long)scale);
	else if (is_one_of(c->type_name, sized) && c->size)
		snprintf(text, sizeof(text), "%s(%lu)", c->type_name, (unsigned long)c->size);
	else
		snprintf(text, sizeof(text), "%s%s", c->type_name, is_one_of(c->type_name, sized) ? "(max)" : "");
	return etl_arena_copy(&t->d->memory, text);
}

/* What was given last: SQL Server says NULL when nothing was, Babelfish knows the current value alone. */
static void add_identity(struct tsql_catalog *t, struct etl_column *c, char *const *row)
{
	const char *last = t->babelfish ? row[COLUMN_CURRENT] : row[COLUMN_LAST];
	const char *seed = row[COLUMN_SEED], *step = row[COLUMN_INCREMENT];
	struct etl_text sql = { 0 };

	c->flags |= ETL_IDENTITY | ETL_IDENTITY_ALWAYS;
	if (last) {
		c->identity_last = strtoll(last, NULL, 10);
		c->flags |= ETL_IDENTITY_GAVE;
	}
	if (!seed || !step || (strcmp(seed, "1") == 0 && strcmp(step, "1") == 0))
		return;
	etl_text_addf(&sql, "IDENTITY(%s,%s)", seed, step);
	c->identity_sql = etl_arena_copy(&t->d->memory, sql.at);
	etl_text_free(&sql);
}

static void fill_column(struct tsql_catalog *t, struct etl_column *c, char *const *row)
{
	c->collation = row[COLUMN_COLLATION];
	c->comment = row[COLUMN_COMMENT];
	c->default_sql = tsql_bare(t, row[COLUMN_DEFAULT]);
	if (tsql_flag(row[COLUMN_COMPUTED])) {
		c->generated_sql = tsql_bare(t, row[COLUMN_EXPRESSION]);
		c->flags |= ETL_GENERATED | (tsql_flag(row[COLUMN_PERSISTED]) ? ETL_STORED : 0u);
		c->default_sql = NULL;
	}
	if (tsql_flag(row[COLUMN_IDENTITY]))
		add_identity(t, c, row);
}

static int add_id(struct tsql_catalog *t, struct odbc_object *o, const char *id)
{
	int64_t *ids = etl_arena_push(&t->d->memory, o->column_ids, o->table.column_count - 1, sizeof(*ids));

	if (!ids)
		return odbc_no_memory(t->d->inst, t->d->err);
	o->column_ids = ids;
	ids[o->table.column_count - 1] = strtoll(id, NULL, 10);
	return ETL_OK;
}

static int take_column(struct tsql_catalog *t, char *const *row)
{
	struct odbc_object *o = tsql_object(t, row[COLUMN_OBJECT]);
	struct odbc_column found = { .sql_type = SQL_DECIMAL };
	int64_t scale = strtoll(row[COLUMN_SCALE], NULL, 10);
	struct etl_column *c;

	if (!o)
		return ETL_OK;
	/* The times of a period: SELECT * leaves them out, and so do we, aloud. */
	if (tsql_flag(row[COLUMN_HIDDEN])) {
		tsql_left(t, o, "hidden column", row[COLUMN_NAME]);
		return ETL_OK;
	}
	snprintf(found.name, sizeof(found.name), "%s", row[COLUMN_NAME]);
	snprintf(found.type_name, sizeof(found.type_name), "%s", row[COLUMN_TYPE] ? row[COLUMN_TYPE] : "");
	if (strcasecmp(found.type_name, "decimal") != 0 && strcasecmp(found.type_name, "numeric") != 0)
		found.sql_type = SQL_WVARCHAR; /* where the name says nothing, it is a text */
	found.size = size_of(found.type_name, strtoll(row[COLUMN_BYTES], NULL, 10),
			     strtoll(row[COLUMN_PRECISION], NULL, 10));
	found.digits = (SQLSMALLINT)scale;
	found.nullable = tsql_flag(row[COLUMN_NULLABLE]);
	c = odbc_add_column(t->d, o, &found);
	if (!c)
		return odbc_no_memory(t->d->inst, t->d->err);
	c->declared = declared(t, &found, scale);
	fill_column(t, c, row);
	return add_id(t, o, row[COLUMN_ID]);
}

/* ---- Texts of Babelfish ---------------------------------------------------------------------------------------- */

char *tsql_ask_text(struct tsql_catalog *t, struct etl_text *sql)
{
	struct odbc_describing *d = t->d;
	struct etl_text text = { 0 };
	char *ret = NULL;

	if (!sql->failed && odbc_ask_quietly(d->inst, sql->at, &text) && text.at)
		ret = tsql_bare(t, text.at);
	etl_text_free(sql);
	etl_text_free(&text);
	return ret;
}

/* It says '0x00ff' of bytes, as a text. */
static char *bare_bytes(const struct etl_column *c, char *text)
{
	size_t length = text ? strlen(text) : 0;

	if (c->type != ETL_BYTES || length < 4 || strncmp(text, "'0x", 3) != 0 || text[length - 1] != '\'')
		return text;
	text[length - 1] = '\0';
	return text + 1;
}

static void ask_column(struct tsql_catalog *t, const struct odbc_object *o, size_t i)
{
	struct etl_column *c = &o->columns[i];
	struct etl_text sql = { 0 };

	if (c->default_sql) {
		etl_text_addf(&sql, "SELECT definition FROM sys.default_constraints WHERE object_id = %s", c->default_sql);
		c->default_sql = bare_bytes(c, tsql_ask_text(t, &sql));
		if (!c->default_sql)
			tsql_left(t, o, "default whose text the server does not tell", c->name);
	} else if (c->flags & ETL_GENERATED) {
		etl_text_addf(&sql,
			      "SELECT definition FROM sys.computed_columns WHERE object_id = %lld AND column_id = %lld",
			      (long long)o->id, (long long)o->column_ids[i]);
		c->generated_sql = tsql_ask_text(t, &sql);
	}
}

static int ask_texts(struct tsql_catalog *t)
{
	for (size_t i = 0; i < t->numbered; i++)
		for (size_t c = 0; c < t->d->objects[i].table.column_count; c++)
			ask_column(t, &t->d->objects[i], c);
	return odbc_pin_anew(t->d->inst, t->d->err);
}

/* ---- All of it ------------------------------------------------------------------------------------------------- */

/* Without those that were not asked for: a server may hold "Orders" for "orders". */
static void keep_wanted(struct tsql_catalog *t)
{
	struct odbc_describing *d = t->d;
	size_t kept = 0;

	for (size_t i = 0; i < d->count; i++) {
		const struct etl_table *table = &d->objects[i].table;

		if ((!d->table || strcmp(d->table, table->name) == 0) &&
		    (!d->schema || strcmp(d->schema, table->schema) == 0))
			d->objects[kept++] = d->objects[i];
	}
	d->count = kept;
}

static int read_parts(struct tsql_catalog *t)
{
	int rc = tsql_each_of(t, t->babelfish ? babelfish_columns_sql : columns_sql, true, "c.object_id, c.column_id",
			      COLUMN_FIELDS, take_column);

	if (rc == ETL_OK && t->babelfish)
		rc = tsql_true_names(t);
	if (rc == ETL_OK && t->babelfish)
		rc = ask_texts(t);
	if (rc == ETL_OK)
		rc = tsql_keys(t);
	if (rc == ETL_OK)
		rc = tsql_checks(t);
	if (rc == ETL_OK && t->all)
		rc = tsql_others(t);
	return rc;
}

static void say_left(struct tsql_catalog *t)
{
	if (t->all && t->left.at && t->d->inst->host->role == ETL_ROLE_SOURCE)
		t->d->inst->host->log(t->d->inst->host, ETL_LOG_INFO,
				      "the source also has what is not carried: %s", t->left.at);
}

int odbc_read_tsql(struct odbc_describing *d)
{
	struct tsql_catalog t = { .d = d, .babelfish = d->inst->babelfish, .all = !d->table };
	int rc = tsql_each_of(&t, t.babelfish ? babelfish_objects_sql : objects_sql, true, "o.object_id", OBJECT_FIELDS, take_object);

	t.numbered = d->count;
	if (d->table && !t.babelfish && d->count == 1)
		t.only = d->objects[0].id;
	if (rc == ETL_OK && d->count > 0)
		rc = read_parts(&t);
	if (rc == ETL_OK) {
		keep_wanted(&t);
		say_left(&t);
	}
	etl_text_free(&t.left);
	return rc;
}
