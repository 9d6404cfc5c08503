/*
 * Columns that say what becomes of their row: that it is not wanted (`filter`), or why it cannot go (`reject`). A query
 * works them out, and here they are obeyed: the row is counted as filtered, or is a reject with its reason.
 */
#include "config.h"

#include <strings.h>

#include "map.h"
#include "value.h"

static int64_t find(const struct etl_instance *self, const char *option, const char *const *names,
		    size_t count)
{
	const char *name = self->host->str(self->conf, option);

	return name ? etl_name_find(names, count, name) : -1;
}

struct map_verdict map_verdict_find(const struct etl_instance *self, const char *const *names,
				    size_t count)
{
	return (struct map_verdict){ find(self, "filter", names, count),
				     find(self, "reject", names, count) };
}

static const struct etl_column *column_of(const struct etl_table *table, const char *name)
{
	for (size_t i = 0; i < table->column_count; i++) {
		const struct etl_column *c = ETL_AT(const struct etl_column, table->columns,
						    table->column_size, i);

		if (strcasecmp(c->name, name) == 0)
			return c;
	}
	return NULL;
}

int map_verdict_check(const struct etl_instance *self, const struct etl_table *table,
		      struct etl_error *err)
{
	const char *name = self->host->str(self->conf, "reject");
	const struct etl_column *c = name ? column_of(table, name) : NULL;

	if (!c || c->type == ETL_TEXT || c->type == ETL_ANY)
		return ETL_OK;
	self->host->at(err, table->name, name, NULL);
	return self->host->fail(err, ETL_USAGE, NULL, 0,
				"map: reject: the column \"%s\" is no text; it holds the reason "
				"why a row cannot go, and NULL where it can",
				name);
}

enum map_fate map_verdict_of(const struct map_verdict *v, const struct etl_view *view, int64_t row)
{
	if (v->filter >= 0 && etl_value_is_set(&view->columns[v->filter], row))
		return MAP_LEFT_OUT;
	return v->reject >= 0 && !etl_is_null(&view->columns[v->reject], row) ? MAP_REJECTED :
										MAP_STAYS;
}

void map_verdict_reason(const struct map_verdict *v, const struct etl_view *view, int64_t row,
			struct etl_text *ret)
{
	const struct etl_column_view *c = &view->columns[v->reject];
	int64_t size, tag = c->type.type == ETL_ANY;
	const uint8_t *at = etl_get_bytes(c, row, &size);

	if (!tag || at[0] == ETL_ANY_TEXT)
		etl_text_add_bytes(ret, at + tag, (size_t)(size - tag));
	else
		etl_text_add_value(ret, c, row);
}
