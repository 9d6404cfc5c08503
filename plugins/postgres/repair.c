/*
 * The SQL of a repair, for psql. Everything is one transaction, in which values are read the way they are written
 * here. Where the role may do so, no trigger and no foreign key acts on the single statements, since rows are as they
 * shall be only at the end; then the foreign keys of all tables that were changed are checked by hand.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>

#include "literal.h"
#include "read.h"

/* One statement on its way. */
struct repair {
	struct etl_instance *inst;
	const struct etl_repair *ask;
	struct etl_view *before, *after;
	struct etl_text sql;
	struct etl_error *err;
};

static const char begin[] =
	"BEGIN;\n"
	"SET LOCAL client_encoding = 'UTF8';\n"
	"SET LOCAL standard_conforming_strings = on;\n"
	"SET LOCAL row_security = off;\n"
	"SET LOCAL DateStyle = 'ISO, YMD';\n"
	"SET LOCAL IntervalStyle = 'postgres';\n"
	"SET LOCAL TimeZone = 'UTC';\n"
	"SET LOCAL extra_float_digits = 3;\n"
	"SET LOCAL bytea_output = 'hex';\n"
	"SET CONSTRAINTS ALL DEFERRED;\n"
	"DO $$ BEGIN SET LOCAL session_replication_role = replica; SET LOCAL track_counts = on; "
	"EXCEPTION WHEN insufficient_privilege THEN NULL; END $$;\n";

/* Tables of this transaction are those that the statistics count changes of. */
static const char end[] =
	"DO $$ DECLARE k record; lost boolean; BEGIN\n"
	"IF current_setting('session_replication_role') <> 'replica' THEN RETURN; END IF;\n"
	"FOR k IN WITH changed AS (SELECT x.id FROM pg_catalog.pg_stat_xact_user_tables AS s CROSS JOIN LATERAL "
	"(SELECT s.relid AS id UNION SELECT a.relid FROM pg_partition_ancestors(s.relid) AS a) AS x "
	"WHERE s.n_tup_ins + s.n_tup_upd + s.n_tup_del > 0)\n"
	"SELECT c.conname, c.conrelid::regclass AS child, c.confrelid::regclass AS parent, "
	"string_agg(format('p.%I = c.%I', pa.attname, ca.attname), ' AND ') AS equal, "
	"string_agg(format('c.%I IS NOT NULL', ca.attname), ' AND ') AS given\n"
	"FROM pg_catalog.pg_constraint AS c CROSS JOIN LATERAL unnest(c.conkey, c.confkey) AS u(a, b)\n"
	"JOIN pg_catalog.pg_attribute AS ca ON ca.attrelid = c.conrelid AND ca.attnum = u.a\n"
	"JOIN pg_catalog.pg_attribute AS pa ON pa.attrelid = c.confrelid AND pa.attnum = u.b\n"
	"WHERE c.contype = 'f' AND c.convalidated AND c.conparentid = 0\n"
	"AND (c.conrelid IN (SELECT id FROM changed) OR c.confrelid IN (SELECT id FROM changed))\n"
	"GROUP BY c.oid, c.conname, c.conrelid, c.confrelid LOOP\n"
	"EXECUTE format('SELECT EXISTS (SELECT FROM %s AS c WHERE %s AND NOT EXISTS (SELECT FROM %s AS p "
	"WHERE %s))', k.child, k.given, k.parent, k.equal) INTO lost;\n"
	"IF lost THEN RAISE foreign_key_violation USING MESSAGE = format('rows of %s would have no parent "
	"in %s (%I)', k.child, k.parent, k.conname); END IF;\n"
	"END LOOP; END $$;\n"
	"COMMIT;\n";

/* ---- Parts of statements ------------------------------------------------------------------------------------ */

static const char *name_of(const struct repair *r, int64_t column)
{
	return r->ask->schema->children[column]->name;
}

static const struct etl_column *column_of(const struct repair *r, int64_t column)
{
	const struct etl_table *t = r->ask->table;

	for (size_t i = 0; i < t->column_count; i++) {
		const struct etl_column *c =
			ETL_AT(const struct etl_column, t->columns, t->column_size, i);

		if (strcmp(c->name, name_of(r, column)) == 0)
			return c;
	}
	return NULL;
}

static bool is_declared(const struct repair *r, int64_t column, const char *begins)
{
	const struct etl_column *c = column_of(r, column);

	return c && c->declared && strncmp(c->declared, begins, strlen(begins)) == 0;
}

static bool is_array(const struct repair *r, int64_t column)
{
	const struct etl_column *c = column_of(r, column);
	size_t length = c && c->declared ? strlen(c->declared) : 0;

	return c && c->type == ETL_JSON && length > 2 && strcmp(c->declared + length - 2, "[]") == 0;
}

static void add_table(struct repair *r)
{
	const struct etl_table *t = r->ask->table;

	postgres_add_name(&r->sql, t->schema ? t->schema : postgres_target_schema(r->inst, t),
			  t->name);
}

static void add_name(struct repair *r, int64_t column)
{
	etl_text_add_name(&r->sql, name_of(r, column), '"');
}

static int refuse(struct repair *r, const struct etl_view *view, int64_t column, int64_t row,
		  const char *why)
{
	struct etl_text key = { 0 };
	int rc;

	for (size_t i = 0; i < r->ask->key_count; i++) {
		int64_t at = etl_schema_find(r->ask->schema, r->ask->key[i]);

		etl_text_addf(&key, "%s%s=", i ? " " : "", r->ask->key[i]);
		etl_text_add_value(&key, &view->columns[at], row);
	}
	r->inst->host->at(r->err, r->ask->table->name, name_of(r, column), key.at);
	rc = r->inst->host->fail(r->err, ETL_DATA, NULL, 0,
				 "a value cannot be written in SQL: %s", why);
	etl_text_free(&key);
	return rc;
}

/* ---- Arrays --------------------------------------------------------------------------------------------------- */

/* A string of JSON: what stands for a character there stands for it here, but not by its name. WHOLE: it is no element,
 * within which a backslash would protect, but the array itself. */
static const char *add_string(struct etl_text *to, const char *at, const char *beyond, bool whole)
{
	static const char names[] = "bfnrt", meant[] = "\b\f\n\r\t";
	char digits[5] = "";

	etl_text_add(to, whole ? "" : "\"");
	for (at++; at < beyond && *at != '"'; at++) {
		const char *known;

		if (*at != '\\' || at + 1 >= beyond) {
			etl_text_add_bytes(to, at, 1);
			continue;
		}
		known = memchr(names, *++at, sizeof(names) - 1);
		if (known) {
			etl_text_add_bytes(to, &meant[known - names], 1);
		} else if (*at == 'u' && beyond - at > 4) {
			unsigned code = 0;

			/* The server writes only control characters in this way. */
			memcpy(digits, at + 1, 4);
			if (sscanf(digits, "%4x", &code) != 1 || code == 0 || code > 0x7f)
				return NULL;
			etl_text_add_bytes(to, &(char){ (char)code }, 1);
			at += 4;
		} else {
			if (*at != '/' && !whole)
				etl_text_add(to, "\\");
			etl_text_add_bytes(to, at, 1);
		}
	}
	etl_text_add(to, whole ? "" : "\"");
	return at < beyond ? at + 1 : NULL;
}

/* [[1, null], ["a\n", true]] becomes {{1,null},{"a
 * ",true}}; an object within is no element that can be told. */
static bool add_array(struct etl_text *to, const char *json, size_t size)
{
	const char *at = json, *beyond = json + size;

	/* One that begins elsewhere than at 1, "[2:3]={7,8}". */
	if (size && *at == '"')
		return add_string(to, at, beyond, true) == beyond;
	while (at && at < beyond) {
		switch (*at) {
		case '"':
			at = add_string(to, at, beyond, false);
			continue;
		case '{':
			return false;
		case '[':
		case ']':
			etl_text_add(to, *at == '[' ? "{" : "}");
			break;
		case ' ':
		case '\t':
		case '\n':
		case '\r':
			break;
		default:
			etl_text_add_bytes(to, at, 1);
		}
		at++;
	}
	return at != NULL;
}

static int add_value(struct repair *r, const struct etl_view *view, int64_t column, int64_t row)
{
	const struct etl_column_view *c = &view->columns[column];
	struct etl_text array = { 0 };
	const uint8_t *json;
	int64_t size;
	bool ok;

	if (!is_array(r, column) || c->width != 0 || etl_is_null(c, row)) {
		ok = literal_add(&r->sql, c, row);
		return ok ? ETL_OK : refuse(r, view, column, row, "a text with a NUL");
	}
	json = etl_get_bytes(c, row, &size);
	ok = add_array(&array, (const char *)json, (size_t)size) && !array.failed &&
	     literal_add_text(&r->sql, array.at ? array.at : "", array.length);
	etl_text_free(&array);
	return ok ? ETL_OK : refuse(r, view, column, row, "JSON that is no array of its column");
}

/* ---- Which row ------------------------------------------------------------------------------------------------- */

/* The column as something that can be compared with the value as it was read, byte by byte. */
static void add_compared(struct repair *r, int64_t column)
{
	int32_t type = r->before->columns[column].type.type;
	const char *before = "", *behind = "";

	if (type == ETL_JSON && is_array(r, column)) {
		struct etl_text name = { 0 };

		etl_text_add_name(&name, name_of(r, column), '"');
		if (name.at)
			select_add_json(&r->sql, name.at);
		r->sql.failed |= name.failed;
		etl_text_free(&name);
		return;
	}
	if (type == ETL_JSON) {
		before = is_declared(r, column, "json") ? "" : "pg_catalog.to_json(";
		behind = is_declared(r, column, "json") ? "::text" : ")::text";
	} else if (type == ETL_TEXT) {
		bool cast = is_declared(r, column, "text") || is_declared(r, column, "inet") ||
			    is_declared(r, column, "character varying");

		before = cast ? "" : "pg_catalog.concat(";
		behind = cast ? "::text COLLATE \"C\"" : ") COLLATE \"C\"";
	}
	etl_text_add(&r->sql, before);
	add_name(r, column);
	etl_text_add(&r->sql, behind);
}

/* KEY: as its index compares. */
static int add_condition(struct repair *r, int64_t column, bool key)
{
	const struct etl_column_view *c = &r->before->columns[column];

	if (etl_is_null(c, r->ask->before_row)) {
		add_name(r, column);
		etl_text_add(&r->sql, " IS NULL");
		return ETL_OK;
	}
	if (key && (c->type.type != ETL_JSON || is_array(r, column)))
		add_name(r, column);
	else
		add_compared(r, column);
	etl_text_add(&r->sql, " = ");
	if (!key && is_array(r, column))
		return literal_add(&r->sql, c, r->ask->before_row) ?
			       ETL_OK :
			       refuse(r, r->before, column, r->ask->before_row, "a text with a NUL");
	return add_value(r, r->before, column, r->ask->before_row);
}

static int add_key(struct repair *r)
{
	int rc = ETL_OK;

	for (size_t i = 0; i < r->ask->key_count && rc == ETL_OK; i++) {
		etl_text_add(&r->sql, i ? " AND " : " WHERE ");
		rc = add_condition(r, etl_schema_find(r->ask->schema, r->ask->key[i]), true);
	}
	return rc;
}

/* Of equal rows so many as are meant; the places of partitions' rows are the same in each. */
static int add_whole_row(struct repair *r)
{
	int rc = ETL_OK;

	etl_text_add(&r->sql, " WHERE (tableoid, ctid) IN (SELECT tableoid, ctid FROM ");
	add_table(r);
	for (int64_t i = 0; i < r->before->count && rc == ETL_OK; i++) {
		etl_text_add(&r->sql, i ? " AND " : " WHERE ");
		rc = add_condition(r, i, false);
	}
	etl_text_addf(&r->sql, " LIMIT %" PRIu64 ")", r->ask->rows);
	return rc;
}

/* ---- Statements ------------------------------------------------------------------------------------------------ */

static int add_insert(struct repair *r)
{
	int rc = ETL_OK;

	etl_text_add(&r->sql, "INSERT INTO ");
	add_table(r);
	for (int64_t i = 0; i < r->after->count; i++) {
		etl_text_add(&r->sql, i ? ", " : " (");
		add_name(r, i);
	}
	for (int64_t i = 0; i < r->after->count && rc == ETL_OK; i++) {
		etl_text_add(&r->sql, i ? ", " : ") OVERRIDING SYSTEM VALUE VALUES (");
		rc = add_value(r, r->after, i, r->ask->after_row);
	}
	etl_text_add(&r->sql, ");\n");
	return rc;
}

/* An identity that is always the server's own takes no value from an UPDATE. */
static void add_identities(struct repair *r, const char *generated)
{
	for (size_t i = 0; i < r->ask->column_count; i++) {
		const struct etl_column *c = column_of(r, r->ask->columns[i]);

		if (!c || !(c->flags & ETL_IDENTITY_ALWAYS))
			continue;
		etl_text_add(&r->sql, "ALTER TABLE ");
		add_table(r);
		etl_text_add(&r->sql, " ALTER COLUMN ");
		add_name(r, r->ask->columns[i]);
		etl_text_addf(&r->sql, " SET GENERATED %s;\n", generated);
	}
}

static int add_update(struct repair *r)
{
	int rc = ETL_OK;

	add_identities(r, "BY DEFAULT");
	etl_text_add(&r->sql, "UPDATE ");
	add_table(r);
	for (size_t i = 0; i < r->ask->column_count && rc == ETL_OK; i++) {
		etl_text_add(&r->sql, i ? ", " : " SET ");
		add_name(r, r->ask->columns[i]);
		etl_text_add(&r->sql, " = ");
		rc = add_value(r, r->after, r->ask->columns[i], r->ask->after_row);
	}
	if (rc == ETL_OK)
		rc = add_key(r);
	etl_text_add(&r->sql, ";\n");
	add_identities(r, "ALWAYS");
	return rc;
}

static int add_delete(struct repair *r)
{
	int rc;

	etl_text_add(&r->sql, "DELETE FROM ");
	add_table(r);
	rc = r->ask->key_count ? add_key(r) : add_whole_row(r);
	etl_text_add(&r->sql, ";\n");
	return rc;
}

static int add_statement(struct repair *r)
{
	int rc = ETL_OK;

	switch (r->ask->kind) {
	case ETL_REPAIR_BEGIN:
		etl_text_add(&r->sql, begin);
		return ETL_OK;
	case ETL_REPAIR_END:
		etl_text_add(&r->sql, end);
		return ETL_OK;
	case ETL_REPAIR_INSERT:
		for (uint64_t i = 0; i < r->ask->rows && rc == ETL_OK; i++)
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

int postgres_repair(struct etl_instance *inst, const struct etl_repair *ask, struct etl_sql_sink *sink,
		    struct etl_error *err)
{
	struct repair r = { .inst = inst, .ask = ask, .err = err };
	int rc;

	if (set_view(&r.before, ask, ask->before) && set_view(&r.after, ask, ask->after))
		rc = add_statement(&r);
	else
		rc = postgres_no_memory(inst, err);
	if (rc == ETL_OK && r.sql.failed)
		rc = postgres_no_memory(inst, err);
	if (rc == ETL_OK)
		rc = sink->emit(sink, r.sql.at, r.sql.length);
	etl_view_free(r.before);
	etl_view_free(r.after);
	etl_text_free(&r.sql);
	return rc;
}
