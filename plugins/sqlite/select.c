/*
 * The SELECT that reads a dataset. Columns are always qualified: SQLite takes an unknown name in double
 * quotes for a text, and a misspelt column would silently become its own name in every row.
 */
#include "config.h"

#include <stdlib.h>

#include "describe.h"
#include "read.h"
#include "token.h"

#define QUERY_NAME "etlrun_query"

/* ---- The rowid ------------------------------------------------------------------------------------------ */

#define ROWID_SQL                                                                                  \
	"SELECT n.column1 FROM (VALUES ('rowid'), ('oid'), ('_rowid_')) n WHERE NOT EXISTS "       \
	"(SELECT 1 FROM pragma_table_xinfo(?1) x WHERE x.name = n.column1 COLLATE NOCASE) LIMIT 1"

static const char *constant_name(const char *name)
{
	static const char *const names[] = { "rowid", "oid", "_rowid_" };
	size_t i;

	for (i = 0; name && i < sizeof(names) / sizeof(*names); i++) {
		if (strcmp(name, names[i]) == 0)
			return names[i];
	}
	return NULL;
}

int select_rowid(struct etl_instance *inst, sqlite3 *db, const struct etl_dataset *dataset,
		 const char **ret, struct etl_error *err)
{
	sqlite3_stmt *stmt = NULL;
	int step, rc;

	*ret = NULL;
	if (!dataset->table || !sqlite_has_rowid(db, dataset->table))
		return ETL_OK;
	rc = sqlite_prepare(inst, db, ROWID_SQL, &stmt, err);
	if (rc)
		return rc;
	sqlite3_bind_text(stmt, 1, dataset->table, -1, SQLITE_STATIC);
	step = sqlite3_step(stmt);
	if (step == SQLITE_ROW)
		*ret = constant_name((const char *)sqlite3_column_text(stmt, 0));
	else if (step != SQLITE_DONE)
		rc = sqlite_fail(inst, db, err, "looking at table \"%s\"", dataset->table);
	sqlite3_finalize(stmt);
	return rc;
}

/* ---- The text -------------------------------------------------------------------------------------------- */

struct select {
	struct etl_text sql;
	const struct etl_read *read;
	const struct etl_split *split;
	const char *rowid; /* or NULL */
	bool shows_rowid;
	bool has_where;
	bool untyped; /* the cursor's column has no affinity */
	int parameters;
	const char *texts[3]; /* cursor bounds to bind, */
	int text_count;
};

static bool bounded(const struct select *s)
{
	return s->rowid && s->split &&
	       (s->split->first != INT64_MIN || s->split->last != INT64_MAX);
}

static void add_column(struct select *s, const char *name)
{
	const char *table = s->read->dataset.table;

	etl_text_add_name(&s->sql, table ? table : QUERY_NAME, '"');
	etl_text_add(&s->sql, ".");
	etl_text_add_name(&s->sql, name, '"');
}

static void and (struct select * s)
{
	etl_text_add(&s->sql, s->has_where ? " AND " : " WHERE ");
	s->has_where = true;
}

static void add_bound(struct select *s, const char *column, const char *operator_text)
{
	and(s);
	add_column(s, column);
	etl_text_addf(&s->sql, " %s ?%d", operator_text, ++s->parameters);
}

static bool is_number(const char *text)
{
	struct token_cursor c = token_start(text, strlen(text));
	struct token t = token_next(&c);

	if (token_is(&t, "-") || token_is(&t, "+"))
		t = token_next(&c);
	return t.kind == TOKEN_NUMBER && t.at + t.length == c.end;
}

/* Without an affinity of the column a bound text would be compared as text, and every number is below it:
 * so what reads as a number is written as one. */
static void add_cursor_bound(struct select *s, const char *operator_text, const char *bound)
{
	if (!bound)
		return;
	if (s->untyped && is_number(bound)) {
		and(s);
		add_column(s, s->read->cursor);
		etl_text_addf(&s->sql, " %s %s", operator_text, bound);
	} else {
		add_bound(s, s->read->cursor, operator_text);
		s->texts[s->text_count++] = bound;
	}
}

/* Rows without a value are read each time: nobody knows since when they are there. */
static void add_since(struct select *s)
{
	const char *since = s->read->since;

	if (!since || !*since)
		return;
	and(s);
	etl_text_add(&s->sql, "(");
	add_column(s, s->read->cursor);
	etl_text_add(&s->sql, " IS NULL OR ");
	add_column(s, s->read->cursor);
	if (s->untyped && is_number(since)) {
		etl_text_addf(&s->sql, " >= %s)", since);
		return;
	}
	etl_text_addf(&s->sql, " >= ?%d)", ++s->parameters);
	s->texts[s->text_count++] = since;
}

/* Without a semicolon at its end. */
static size_t query_length(const char *query)
{
	struct token_cursor c = token_start(query, strlen(query));
	struct token t;
	size_t length = 0;

	for (t = token_next(&c); t.kind != TOKEN_END; t = token_next(&c)) {
		if (!token_is(&t, ";"))
			length = (size_t)(t.at + t.length - query);
	}
	return length;
}

void select_add_from(struct etl_text *to, const struct etl_dataset *d)
{
	if (d->table) {
		etl_text_add(to, "\"main\".");
		etl_text_add_name(to, d->table, '"');
		return;
	}
	etl_text_add(to, "(");
	etl_text_add_bytes(to, d->query, query_length(d->query));
	etl_text_add(to, ") AS \"" QUERY_NAME "\"");
}

static void add_conditions(struct select *s)
{
	const struct etl_read *r = s->read;
	int64_t i, keys = r->keys ? r->key_schema->n_children : 0;

	for (i = 0; i < keys; i++)
		add_bound(s, r->key_schema->children[i]->name, "IS");
	if (bounded(s)) {
		add_bound(s, s->rowid, ">=");
		add_bound(s, s->rowid, "<=");
	}
	if (r->cursor) {
		add_cursor_bound(s, ">", r->after);
		add_cursor_bound(s, "<=", r->upto);
		add_since(s);
	}
	if (r->dataset.where) {
		and(s);
		/* The line break ends a comment that the condition may end with. */
		etl_text_addf(&s->sql, "(%s\n)", r->dataset.where);
	}
}

static void write_select(struct select *s)
{
	const struct ArrowSchema *want = s->read->want;
	int64_t i;

	etl_text_add(&s->sql, "SELECT ");
	for (i = 0; i < want->n_children; i++) {
		etl_text_add(&s->sql, i ? ", " : "");
		add_column(s, want->children[i]->name);
	}
	if (s->rowid && s->shows_rowid) {
		etl_text_add(&s->sql, i ? ", " : "");
		add_column(s, s->rowid);
	} else if (want->n_children == 0) {
		etl_text_add(&s->sql, "1");
	}
	etl_text_add(&s->sql, " FROM ");
	select_add_from(&s->sql, &s->read->dataset);
	add_conditions(s);
	if (s->rowid) {
		etl_text_add(&s->sql, " ORDER BY ");
		add_column(s, s->rowid);
	}
	if (s->read->limit > 0 && !s->read->keys)
		etl_text_addf(&s->sql, " LIMIT %lld", (long long)s->read->limit);
}

/* ---- Preparing ---------------------------------------------------------------------------------------------- */

static bool cursor_untyped(sqlite3 *db, const struct etl_read *r)
{
	const char *declared = NULL;
	struct etl_column column = { 0 };

	if (!r->dataset.table ||
	    sqlite3_table_column_metadata(db, "main", r->dataset.table, r->cursor, &declared, NULL,
					  NULL, NULL, NULL) != SQLITE_OK)
		return true;
	declared_type(declared ? declared : "", &column);
	return column.type == ETL_ANY;
}

/* A text that cannot be bound leaves NULL, which no row matches: so it is an error. */
static bool bind_bounds(sqlite3_stmt *stmt, const struct select *s)
{
	const struct etl_read *r = s->read;
	int at = r->keys ? (int)r->key_schema->n_children : 0;
	bool ok = true;
	int i;

	if (bounded(s)) {
		sqlite3_bind_int64(stmt, ++at, s->split->first);
		sqlite3_bind_int64(stmt, ++at, s->split->last);
	}
	for (i = 0; i < s->text_count; i++)
		ok = ok &&
		     sqlite3_bind_text(stmt, ++at, s->texts[i], -1, SQLITE_TRANSIENT) == SQLITE_OK;
	return ok;
}

bool select_shows_rowid(sqlite3 *db, const struct etl_read *read)
{
	return read->want->n_children < sqlite3_limit(db, SQLITE_LIMIT_COLUMN, -1);
}

int select_prepare(struct etl_instance *inst, sqlite3 *db, const struct etl_read *read,
		   const struct etl_split *split, const char *rowid, sqlite3_stmt **ret,
		   struct etl_error *err)
{
	struct select s = { .read = read, .split = split, .rowid = rowid };
	sqlite3_stmt *stmt = NULL;
	int rc;

	s.shows_rowid = select_shows_rowid(db, read);
	if (read->cursor)
		s.untyped = cursor_untyped(db, read);
	write_select(&s);
	if (s.sql.failed)
		rc = inst->host->fail(err, ETL_MEMORY, NULL, 0, "%s: no memory to read",
				      inst->path);
	else
		rc = sqlite_prepare(inst, db, s.sql.at, &stmt, err);
	if (!rc && !bind_bounds(stmt, &s)) {
		rc = sqlite_fail(inst, db, err, "binding the cursor's bounds");
		sqlite3_finalize(stmt);
	}
	if (!rc)
		*ret = stmt;
	etl_text_free(&s.sql);
	return rc;
}

/* ---- Keys ------------------------------------------------------------------------------------------------------ */

static bool bind_any(sqlite3_stmt *stmt, int parameter, const uint8_t *bytes, int64_t size)
{
	uint64_t bits = 0;
	double real;
	int i;

	if (bytes[0] == ETL_ANY_TEXT)
		return sqlite3_bind_text64(stmt, parameter, (const char *)bytes + 1,
					   (sqlite3_uint64)size - 1, SQLITE_TRANSIENT,
					   SQLITE_UTF8) == SQLITE_OK;
	if (bytes[0] == ETL_ANY_BLOB)
		return sqlite3_bind_blob64(stmt, parameter, bytes + 1, (sqlite3_uint64)size - 1,
					   SQLITE_TRANSIENT) == SQLITE_OK;
	for (i = 0; i < 8 && i + 1 < size; i++)
		bits |= (uint64_t)bytes[i + 1] << (8 * i);
	if (bytes[0] == ETL_ANY_INT)
		return sqlite3_bind_int64(stmt, parameter, (int64_t)bits) == SQLITE_OK;
	memcpy(&real, &bits, 8);
	return sqlite3_bind_double(stmt, parameter, real) == SQLITE_OK;
}

static bool bind_bytes(sqlite3_stmt *stmt, int parameter, const struct etl_column_view *c,
		       int64_t row)
{
	int64_t size;
	const uint8_t *bytes = etl_get_bytes(c, row, &size);

	switch (c->type.type) {
	case ETL_ANY:
		return size > 0 && bind_any(stmt, parameter, bytes, size);
	case ETL_BYTES:
		if (size == 0)
			return sqlite3_bind_zeroblob(stmt, parameter, 0) == SQLITE_OK;
		return sqlite3_bind_blob64(stmt, parameter, bytes, (sqlite3_uint64)size,
					   SQLITE_TRANSIENT) == SQLITE_OK;
	default:
		return sqlite3_bind_text64(stmt, parameter, size ? (const char *)bytes : "",
					   (sqlite3_uint64)size, SQLITE_TRANSIENT,
					   SQLITE_UTF8) == SQLITE_OK;
	}
}

/* Dates, decimals, uuids: as their text, which the column's affinity makes a number where it wants one. */
static bool bind_words(sqlite3_stmt *stmt, int parameter, const struct etl_column_view *c,
		       int64_t row)
{
	struct etl_text text = { 0 };
	bool ok;

	etl_text_add_value(&text, c, row);
	ok = !text.failed && text.at &&
	     sqlite3_bind_text(stmt, parameter, text.at, -1, SQLITE_TRANSIENT) == SQLITE_OK;
	etl_text_free(&text);
	return ok;
}

bool select_bind_key(sqlite3_stmt *stmt, int parameter, const struct etl_column_view *c,
		     int64_t row)
{
	if (etl_is_null(c, row))
		return sqlite3_bind_null(stmt, parameter) == SQLITE_OK;
	switch (c->type.type) {
	case ETL_BOOL:
		return sqlite3_bind_int(stmt, parameter, etl_get_bool(c, row)) == SQLITE_OK;
	case ETL_INT16:
		return sqlite3_bind_int(stmt, parameter, etl_get_int16(c, row)) == SQLITE_OK;
	case ETL_INT32:
		return sqlite3_bind_int(stmt, parameter, etl_get_int32(c, row)) == SQLITE_OK;
	case ETL_INT64:
		return sqlite3_bind_int64(stmt, parameter, etl_get_int64(c, row)) == SQLITE_OK;
	case ETL_FLOAT32:
		return sqlite3_bind_double(stmt, parameter, (double)etl_get_float32(c, row)) ==
		       SQLITE_OK;
	case ETL_FLOAT64:
		return sqlite3_bind_double(stmt, parameter, etl_get_float64(c, row)) == SQLITE_OK;
	case ETL_TEXT:
	case ETL_NUMERIC:
	case ETL_JSON:
	case ETL_BYTES:
	case ETL_ANY:
		return bind_bytes(stmt, parameter, c, row);
	default:
		return bind_words(stmt, parameter, c, row);
	}
}
