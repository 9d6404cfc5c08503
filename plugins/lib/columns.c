/*
 * How a plugin's option finds its column, and what is said of one that is not there: the same words for all of them.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "columns.h"
#include "derive.h"

const struct etl_column *etl_column_at(const struct etl_table *table, size_t index)
{
	return ETL_AT(const struct etl_column, table->columns, table->column_size, index);
}

static const char **names_of(const struct etl_table *table)
{
	const char **names = calloc(table->column_count + 1, sizeof(*names));

	for (size_t i = 0; names && i < table->column_count; i++)
		names[i] = etl_column_at(table, i)->name;
	return names;
}

int64_t etl_column_find(const struct etl_table *table, const char *name)
{
	for (size_t i = 0; i < table->column_count; i++)
		if (strcmp(etl_column_at(table, i)->name, name) == 0)
			return (int64_t)i;
	for (size_t i = 0; i < table->column_count; i++)
		if (strcasecmp(etl_column_at(table, i)->name, name) == 0)
			return (int64_t)i;
	return -1;
}

int etl_column_unknown(const struct etl_host *host, const struct etl_table *table,
		       const char *where, const char *name, bool pattern, struct etl_error *err)
{
	const char **names = names_of(table), *near = NULL;
	struct etl_text text = { 0 };
	int r;

	if (names && !pattern)
		near = etl_name_nearest(names, table->column_count, name);
	if (pattern)
		etl_text_addf(&text, "%s: \"%s\" matches no column of \"%s\"", where, name,
			      table->name);
	else
		etl_text_addf(&text, "%s: \"%s\" has no column \"%s\"", where, table->name, name);
	if (near)
		etl_text_addf(&text, "; did you mean \"%s\"?", near);
	etl_text_add(&text, near ? " The columns are " : "; the columns are ");
	for (size_t i = 0; i < table->column_count; i++)
		etl_text_addf(&text, "%s%s", i > 0 ? ", " : "", etl_column_at(table, i)->name);
	etl_text_add(&text, "; with unmatched = \"ignore\" it would be passed over");
	host->at(err, table->name, name, NULL);
	r = text.failed ? host->fail(err, ETL_MEMORY, NULL, 0, "%s: no memory", where) :
			  host->fail(err, ETL_USAGE, NULL, 0, "%s", text.at);
	etl_text_free(&text);
	free(names);
	return r;
}
