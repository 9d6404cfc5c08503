/*
 * Rows that refer to those that are to be deleted. A foreign key would take them along, or change them (ON DELETE CASCADE and
 * its like), which nobody asked for, or refuse it. SQLite's foreign keys do nothing through its driver, so rows would be left
 * without the one they refer to.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "children.h"
#include "dialect.h"
#include "same.h"

static const char tsql[] =
	"SELECT f.name, OBJECT_SCHEMA_NAME(f.parent_object_id), OBJECT_NAME(f.parent_object_id), CONVERT(nvarchar(20), "
	"f.parent_object_id), c.name, r.name FROM sys.foreign_keys AS f INNER JOIN sys.foreign_key_columns AS k ON "
	"k.constraint_object_id = f.object_id INNER JOIN sys.columns AS c ON c.object_id = k.parent_object_id AND c.column_id = "
	"k.parent_column_id INNER JOIN sys.columns AS r ON r.object_id = k.referenced_object_id AND r.column_id = "
	"k.referenced_column_id WHERE %sf.is_disabled = 0 AND f.referenced_object_id = %s ORDER "
	"BY f.object_id, k.constraint_column_id";

static const char postgresql[] =
	"SELECT f.conname, n.nspname, t.relname, CAST(t.oid AS text), c.attname, r.attname FROM pg_constraint AS f JOIN pg_class "
	"AS t ON t.oid = f.conrelid JOIN pg_namespace AS n ON n.oid = t.relnamespace CROSS JOIN LATERAL unnest(f.conkey, "
	"f.confkey) AS k (own, other) JOIN pg_attribute AS c ON c.attrelid = f.conrelid AND c.attnum = k.own JOIN pg_attribute "
	"AS r ON r.attrelid = f.confrelid AND r.attnum = k.other WHERE %sf.contype = 'f' AND f.conparentid = 0 AND "
	"f.confrelid = %s ORDER BY f.oid, k.own";

static const char sqlite[] =
	"SELECT m.name || '#' || f.id, '', m.name, m.name, f.\"from\", coalesce(f.\"to\", (SELECT name FROM pragma_table_info(%s) "
	"WHERE pk = f.seq + 1)) FROM sqlite_master AS m, pragma_foreign_key_list(m.name) AS f WHERE m.type = 'table' AND "
	"lower(f.\"table\") = lower(%s) ORDER BY m.name, f.id, f.seq";

size_t odbc_children_end(const struct odbc_rows *keys, size_t from)
{
	size_t to = from + 1;

	while (to < keys->count && strcmp(odbc_row_text(keys, from, CHILD_KEY), odbc_row_text(keys, to, CHILD_KEY)) == 0 &&
	       strcmp(odbc_row_text(keys, from, CHILD_OBJECT), odbc_row_text(keys, to, CHILD_OBJECT)) == 0)
		to++;
	return to;
}

struct looking {
	struct etl_instance *inst;
	const struct odbc_going *going;
	const char *object;
	struct odbc_rows keys;
	struct etl_error *err;
};

static void add_meets(struct etl_text *sql, const struct looking *l, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		etl_text_addf(sql, "%s.", l->going->own);
		odbc_add_name(sql, l->inst, odbc_row_text(&l->keys, i, CHILD_PARENT_COLUMN));
		etl_text_add(sql, " = etlrun_child.");
		odbc_add_name(sql, l->inst, odbc_row_text(&l->keys, i, CHILD_COLUMN));
		etl_text_add(sql, " AND ");
	}
}

/* Of a table that refers to itself, children may be among those that go. */
static void add_not_going(struct etl_text *sql, const struct looking *l)
{
	etl_text_addf(sql, " AND NOT EXISTS (SELECT 1 FROM %s WHERE ", l->going->own);
	for (size_t i = 0; i < l->going->key_count; i++) {
		etl_text_addf(sql, "%s.", l->going->own);
		odbc_add_name(sql, l->inst, l->going->key[i]);
		etl_text_add(sql, " = etlrun_child.");
		odbc_add_name(sql, l->inst, l->going->key[i]);
		etl_text_add(sql, " AND ");
	}
	etl_text_addf(sql, "(%s))", l->going->condition);
}

/* Rows FROM .. TO are the columns of one key. */
static int count(struct looking *l, size_t from, size_t to, int64_t *ret)
{
	struct etl_text sql = { 0 };

	etl_text_add(&sql, "SELECT COUNT(*) FROM ");
	odbc_add_table(&sql, l->inst, odbc_row_text(&l->keys, from, CHILD_SCHEMA), odbc_row_text(&l->keys, from, CHILD_TABLE));
	etl_text_addf(&sql, " AS etlrun_child WHERE EXISTS (SELECT 1 FROM %s WHERE ", l->going->own);
	add_meets(&sql, l, from, to);
	etl_text_addf(&sql, "(%s))", l->going->condition);
	if (strcmp(odbc_row_text(&l->keys, from, CHILD_OBJECT), l->object) == 0)
		add_not_going(&sql, l);
	return odbc_number_text(l->inst, l->err, ret, &sql);
}

static int look(struct looking *l, struct odbc_children *ret)
{
	int rc = ETL_OK;

	for (size_t from = 0, to; rc == ETL_OK && !ret->rows && from < l->keys.count; from = to) {
		to = odbc_children_end(&l->keys, from);
		rc = count(l, from, to, &ret->rows);
		if (rc == ETL_OK && ret->rows) {
			snprintf(ret->table, sizeof(ret->table), "%s", odbc_row_text(&l->keys, from, CHILD_TABLE));
			snprintf(ret->key, sizeof(ret->key), "%s", odbc_row_text(&l->keys, from, CHILD_KEY));
		}
	}
	return rc;
}

/* A question with its two places filled. */
static void add_question(struct etl_text *sql, const char *question, const char *first, const char *second)
{
	const char *hole = strstr(question, "%s"), *next = strstr(hole + 2, "%s");

	etl_text_add_bytes(sql, question, (size_t)(hole - question));
	etl_text_add(sql, first);
	etl_text_add_bytes(sql, hole + 2, (size_t)(next - hole - 2));
	etl_text_addf(sql, "%s%s", second, next + 2);
}

static int find_object(struct looking *l, const char *schema, const char *name, char *object)
{
	if (l->inst->dialect == &odbc_sqlite)
		snprintf(object, ODBC_NAME_ROOM, "%s", name);
	return l->inst->dialect == &odbc_sqlite ? ETL_OK : odbc_object_of(l->inst, schema, name, object, l->err);
}

/* The keys that refer to the table; ACTING: those that do something when a row goes, and do not refuse it. OBJECT has
 * ODBC_NAME_ROOM bytes. */
static int find_keys(struct looking *l, const char *schema, const char *name, char *object, bool acting)
{
	struct etl_text sql = { 0 }, literal = { 0 };
	int rc;

	if (l->inst->dialect == &odbc_standard)
		return ETL_OK;
	rc = find_object(l, schema, name, object);
	if (rc < 0)
		return rc;
	etl_text_add_literal(&literal, name);
	if (l->inst->dialect == &odbc_tsql)
		add_question(&sql, tsql, acting ? "f.delete_referential_action <> 0 AND " : "", *object ? object : "0");
	else if (l->inst->dialect == &odbc_postgresql)
		add_question(&sql, postgresql, acting ? "f.confdeltype IN ('c', 'n', 'd') AND " : "", *object ? object : "0");
	else
		add_question(&sql, sqlite, literal.at ? literal.at : "''", literal.at ? literal.at : "''");
	sql.failed |= literal.failed;
	etl_text_free(&literal);
	return odbc_ask_rows_text(l->inst, &sql, CHILD_COLUMNS, &l->keys, l->err);
}

int odbc_find_children(struct etl_instance *inst, const char *schema, const char *name, const struct odbc_going *going,
		       struct odbc_children *ret, struct etl_error *err)
{
	char object[ODBC_NAME_ROOM] = "";
	struct looking l = { .inst = inst, .going = going, .object = object, .err = err };
	int rc = find_keys(&l, schema, name, object, true);

	*ret = (struct odbc_children){ 0 };
	if (rc == ETL_OK)
		rc = look(&l, ret);
	odbc_rows_free(&l.keys);
	return rc;
}

int odbc_list_children(struct etl_instance *inst, const char *schema, const char *name, struct odbc_rows *ret,
		       struct etl_error *err)
{
	char object[ODBC_NAME_ROOM] = "";
	struct looking l = { .inst = inst, .object = object, .err = err };
	int rc = find_keys(&l, schema, name, object, false);

	*ret = l.keys;
	return rc;
}

int odbc_add_childless(struct etl_instance *inst, const char *schema, const char *name, const char *own, struct etl_text *to,
		       struct etl_error *err)
{
	const struct odbc_going going = { .own = own };
	char object[ODBC_NAME_ROOM] = "";
	struct looking l = { .inst = inst, .going = &going, .object = object, .err = err };
	int rc = find_keys(&l, schema, name, object, false);

	for (size_t from = 0, end; rc == ETL_OK && from < l.keys.count; from = end) {
		end = odbc_children_end(&l.keys, from);
		etl_text_add(to, " AND NOT EXISTS (SELECT 1 FROM ");
		odbc_add_table(to, inst, odbc_row_text(&l.keys, from, CHILD_SCHEMA), odbc_row_text(&l.keys, from, CHILD_TABLE));
		etl_text_add(to, " AS etlrun_child WHERE ");
		add_meets(to, &l, from, end);
		etl_text_add(to, "1 = 1)");
	}
	odbc_rows_free(&l.keys);
	return rc;
}
