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
#include "repair-sql.h"

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

static bool is_array(const struct etl_repairing *r, int64_t column)
{
	const struct etl_column *c = etl_repair_column(r, column);
	size_t length = c && c->declared ? strlen(c->declared) : 0;

	return c && c->type == ETL_JSON && length > 2 && strcmp(c->declared + length - 2, "[]") == 0;
}

static void add_table(struct etl_repairing *r)
{
	const struct etl_table *t = r->ask->table;

	postgres_add_name(&r->sql, t->schema ? t->schema : postgres_target_schema(r->inst, t),
			  t->name);
}

static void add_name(struct etl_repairing *r, int64_t column)
{
	etl_text_add_name(&r->sql, etl_repair_name(r, column), '"');
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

static int add_value(struct etl_repairing *r, const struct etl_view *view, int64_t column, int64_t row)
{
	const struct etl_column_view *c = &view->columns[column];
	struct etl_text array = { 0 };
	const uint8_t *json;
	int64_t size;
	bool ok;

	if (!is_array(r, column) || c->width != 0 || etl_is_null(c, row)) {
		ok = literal_add(&r->sql, c, row);
		return ok ? ETL_OK : etl_repair_refuse(r, view, column, row, "a text with a NUL");
	}
	json = etl_get_bytes(c, row, &size);
	ok = add_array(&array, (const char *)json, (size_t)size) && !array.failed &&
	     literal_add_text(&r->sql, array.at ? array.at : "", array.length);
	etl_text_free(&array);
	return ok ? ETL_OK : etl_repair_refuse(r, view, column, row, "JSON that is no array of its column");
}

/* ---- Which row ------------------------------------------------------------------------------------------------- */

/* The column as something that can be compared with the value as it was read, byte by byte. */
static void add_compared(struct etl_repairing *r, int64_t column)
{
	int32_t type = r->before->columns[column].type.type;
	const char *before = "", *behind = "";

	if (type == ETL_JSON && is_array(r, column)) {
		struct etl_text name = { 0 };

		etl_text_add_name(&name, etl_repair_name(r, column), '"');
		if (name.at)
			select_add_json(&r->sql, name.at);
		r->sql.failed |= name.failed;
		etl_text_free(&name);
		return;
	}
	if (type == ETL_JSON) {
		before = etl_repair_is_declared(r, column, "json") ? "" : "pg_catalog.to_json(";
		behind = etl_repair_is_declared(r, column, "json") ? "::text" : ")::text";
	} else if (type == ETL_TEXT) {
		bool cast = etl_repair_is_declared(r, column, "text") || etl_repair_is_declared(r, column, "inet") ||
			    etl_repair_is_declared(r, column, "character varying");

		before = cast ? "" : "pg_catalog.concat(";
		behind = cast ? "::text COLLATE \"C\"" : ") COLLATE \"C\"";
	}
	etl_text_add(&r->sql, before);
	add_name(r, column);
	etl_text_add(&r->sql, behind);
}

/* KEY: as its index compares. */
static int add_condition(struct etl_repairing *r, int64_t column, bool key)
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
			       etl_repair_refuse(r, r->before, column, r->ask->before_row, "a text with a NUL");
	return add_value(r, r->before, column, r->ask->before_row);
}

/* ---- Statements ------------------------------------------------------------------------------------------------ */

/* An identity that is always the server's own takes no value from an UPDATE. */
static int around_update(struct etl_repairing *r, bool behind)
{
	for (size_t i = 0; i < r->ask->column_count; i++) {
		const struct etl_column *c = etl_repair_column(r, r->ask->columns[i]);

		if (!c || !(c->flags & ETL_IDENTITY_ALWAYS))
			continue;
		etl_text_add(&r->sql, "ALTER TABLE ");
		add_table(r);
		etl_text_add(&r->sql, " ALTER COLUMN ");
		add_name(r, r->ask->columns[i]);
		etl_text_addf(&r->sql, " SET GENERATED %s;\n", behind ? "ALWAYS" : "BY DEFAULT");
	}
	return ETL_OK;
}

static int add_delete_whole(struct etl_repairing *);

static const struct etl_repair_words words = {
	.begin = begin,
	.end = end,
	.overriding = " OVERRIDING SYSTEM VALUE",
	.add_table = add_table,
	.add_name = add_name,
	.add_value = add_value,
	.add_condition = add_condition,
	.add_delete_whole = add_delete_whole,
	.around_update = around_update,
};

/* Of equal rows so many as are meant; the places of partitions' rows are the same in each. */
static int add_delete_whole(struct etl_repairing *r)
{
	int rc;

	etl_text_add(&r->sql, "DELETE FROM ");
	add_table(r);
	etl_text_add(&r->sql, " WHERE (tableoid, ctid) IN (SELECT tableoid, ctid FROM ");
	add_table(r);
	rc = etl_repair_add_whole_row(r, &words);
	etl_text_addf(&r->sql, " LIMIT %" PRIu64 ")", r->ask->rows);
	return rc;
}

int postgres_repair(struct etl_instance *inst, const struct etl_repair *ask, struct etl_sql_sink *sink,
		    struct etl_error *err)
{
	return etl_repair_write(inst, inst->host, &words, ask, sink, err);
}
