/*
 * Babelfish, which speaks T-SQL on PostgreSQL, folds names in its catalog to lower case. The views of INFORMATION_SCHEMA
 * have them as they were given, except those of views themselves, which stand in their text. The names of constraints are
 * kept in lower case only.
 */
#include "config.h"

#include <strings.h>

#include "describe-tsql.h"

#define DIGEST_DIGITS 32 /* of MD5, which Babelfish appends to the name of an index, after that of its table */

static struct odbc_object *find(struct tsql_catalog *t, const char *schema, const char *name)
{
	for (size_t i = 0; i < t->numbered; i++) {
		struct etl_table *table = &t->d->objects[i].table;

		if (strcasecmp(table->schema, schema) == 0 && strcasecmp(table->name, name) == 0)
			return &t->d->objects[i];
	}
	return NULL;
}

enum { NAME_SCHEMA, NAME_TABLE, NAME_COLUMN, NAME_FIELDS };

static int take_name(struct tsql_catalog *t, char *const *row)
{
	struct odbc_object *o = find(t, row[NAME_SCHEMA], row[NAME_TABLE]);

	if (!o)
		return ETL_OK;
	if (o->table.kind == ETL_TABLE)
		o->table.name = row[NAME_TABLE];
	for (size_t i = 0; i < o->table.column_count; i++)
		if (strcasecmp(o->columns[i].name, row[NAME_COLUMN]) == 0)
			o->columns[i].name = row[NAME_COLUMN];
	return ETL_OK;
}

/* The first place in its text where the name stands, whatever its case. */
static void name_view(struct tsql_catalog *t, struct etl_table *view)
{
	const char *at = view->ddl ? strcasestr(view->ddl, view->name) : NULL;
	char *name = at ? etl_arena_text(&t->d->memory, at, strlen(view->name)) : NULL;

	if (name)
		view->name = name;
}

int tsql_true_names(struct tsql_catalog *t)
{
	int rc = tsql_each(t, "SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME FROM INFORMATION_SCHEMA.COLUMNS",
			   NAME_FIELDS, take_name);

	for (size_t i = 0; rc == ETL_OK && i < t->numbered; i++)
		if (t->d->objects[i].table.kind == ETL_VIEW)
			name_view(t, &t->d->objects[i].table);
	return rc;
}

static bool is_digest(const char *text)
{
	return strlen(text) == DIGEST_DIGITS && strspn(text, "0123456789abcdef") == DIGEST_DIGITS;
}

const char *tsql_index_name(struct tsql_catalog *t, const struct odbc_object *o, const char *name)
{
	size_t length = strlen(name), table = strlen(o->table.name);
	const char *end = length > table + DIGEST_DIGITS ? name + length - DIGEST_DIGITS : NULL;

	if (!t->babelfish || !end || !is_digest(end) || strncasecmp(end - table, o->table.name, table) != 0)
		return name;
	return etl_arena_text(&t->d->memory, name, (size_t)(end - name) - table);
}
