/*
 * Some columns of a table as a key: they are read in the order in which they stand in a record, and written in the order
 * of the key.
 */
#include "config.h"

#include <stdlib.h>

#include "pages.h"

bool page_columns_open(struct page_columns *c, const uint32_t *columns, const bool *descending, size_t count)
{
	size_t i, j;

	*c = (struct page_columns){ .columns = columns, .descending = descending, .count = count };
	c->places = calloc(count, sizeof(*c->places));
	c->values = calloc(count, sizeof(*c->values));
	c->value_of = calloc(count, sizeof(*c->value_of));
	if (!c->places || !c->values || !c->value_of)
		return false;
	for (i = 0; i < count; i++) {
		if (columns[i] == PAGE_ROWID)
			continue;
		for (j = c->place_count++; j > 0 && c->places[j - 1] > columns[i]; j--)
			c->places[j] = c->places[j - 1];
		c->places[j] = columns[i];
	}
	for (i = 0; i < count; i++) {
		for (j = 0; j < c->place_count && c->places[j] != columns[i]; j++)
			;
		c->value_of[i] = j;
	}
	return true;
}

void page_columns_close(struct page_columns *c)
{
	free(c->places);
	free(c->values);
	free(c->value_of);
	*c = (struct page_columns){ 0 };
}

bool page_columns_key(struct page_columns *c, struct page_scan *scan, int64_t rowid, struct page_keys *keys,
		      bool *ret_null)
{
	const struct page_value row = { .kind = PAGE_INT, .integer = rowid };

	*ret_null = false;
	if (c->place_count && !page_scan_values(scan, c->places, c->place_count, c->values))
		return false;
	page_keys_begin(keys);
	for (size_t i = 0; i < c->count; i++) {
		const struct page_value *v = c->columns[i] == PAGE_ROWID ? &row : &c->values[c->value_of[i]];

		*ret_null |= v->kind == PAGE_NULL;
		if (!page_keys_value(keys, v, c->descending && c->descending[i]))
			return false;
	}
	return true;
}
