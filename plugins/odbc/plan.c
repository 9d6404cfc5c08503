/*
 * Splits: ranges of an integer that is the primary key, of equal width, where several connections see one state. A
 * store that one connection reads has one split of a table.
 */
#include "config.h"

#include <stdlib.h>

#include "pin.h"
#include "select.h"

#define LEAST_WIDTH 4096 /* values of the key in a split: less is not worth a statement of its own */

static int emit_one(struct etl_split_sink *sink)
{
	const struct etl_split split = { .first = INT64_MIN, .last = INT64_MAX, .rows = ETL_UNKNOWN };

	return sink->emit(sink, &split);
}

/* The first and the last are open. */
static int emit_ranges(struct etl_split_sink *sink, const char *column, int64_t least, uint64_t width, int64_t count)
{
	int rc = ETL_OK;

	for (int64_t i = 0; rc == ETL_OK && i < count; i++) {
		uint64_t from = (uint64_t)least + width / (uint64_t)count * (uint64_t)i;
		uint64_t next = (uint64_t)least + width / (uint64_t)count * (uint64_t)(i + 1);
		struct etl_split split = { .index = (uint64_t)i,
					   .first = i ? (int64_t)from : INT64_MIN,
					   .last = i + 1 == count ? INT64_MAX : (int64_t)(next - 1),
					   .text = column,
					   .rows = ETL_UNKNOWN };

		rc = sink->emit(sink, &split);
	}
	return rc;
}

/* Of an integer column; *RET_ANY: there is a value. */
static int ask_bound(struct etl_instance *inst, const struct etl_read *read, const char *function, const char *column,
		     int64_t *ret, bool *ret_any, struct etl_error *err)
{
	struct etl_text sql = { 0 }, text = { 0 };
	int rc;

	etl_text_addf(&sql, "SELECT %s(", function);
	odbc_add_name(&sql, inst, column);
	etl_text_add(&sql, ")");
	odbc_select_add_from(&sql, inst, &read->dataset);
	if (read->dataset.where)
		etl_text_addf(&sql, " WHERE (%s\n)", read->dataset.where);
	rc = sql.failed ? odbc_no_memory(inst, err) : odbc_ask(inst, sql.at, &text, err);
	*ret_any = text.length > 0;
	*ret = text.at ? strtoll(text.at, NULL, 10) : 0;
	etl_text_free(&sql);
	etl_text_free(&text);
	return rc;
}

static bool is_integer(const struct etl_instance *inst, const struct odbc_shape *shape, const char *name)
{
	for (size_t i = 0; i < shape->count; i++) {
		int64_t length;
		struct etl_type_info type = odbc_type_of(inst->dialect, &shape->columns[i], &length);

		if (strcmp(shape->columns[i].name, name) == 0)
			return type.type == ETL_INT16 || type.type == ETL_INT32 || type.type == ETL_INT64;
	}
	return false;
}

static int plan_ranges(struct etl_instance *inst, const struct etl_read *read, const char *column, int64_t wanted,
		       struct etl_split_sink *sink, struct etl_error *err)
{
	int64_t least, most;
	uint64_t width, count;
	bool any;
	int rc = ask_bound(inst, read, "MIN", column, &least, &any, err);

	if (rc == ETL_OK)
		rc = ask_bound(inst, read, "MAX", column, &most, &any, err);
	if (rc < 0)
		return rc;
	width = any ? (uint64_t)most - (uint64_t)least : 0;
	count = width / LEAST_WIDTH + 1;
	count = count > (uint64_t)wanted ? (uint64_t)wanted : count;
	return count > 1 ? emit_ranges(sink, column, least, width, (int64_t)count) : emit_one(sink);
}

static int plan_table(struct etl_instance *inst, const struct etl_read *read, int64_t wanted, struct etl_split_sink *sink,
		      struct etl_error *err)
{
	struct arena memory = { 0 };
	struct odbc_shape shape = { 0 };
	struct etl_key key = { 0 };
	int rc = odbc_find_key(inst, &read->dataset, &memory, &key, err);

	if (rc == ETL_OK && key.column_count == 1)
		rc = select_shape(inst, &read->dataset, &shape, err);
	if (rc == ETL_OK)
		rc = shape.count && is_integer(inst, &shape, key.columns[0]) ?
			     plan_ranges(inst, read, key.columns[0], wanted, sink, err) :
			     emit_one(sink);
	odbc_shape_free(&shape);
	etl_arena_free(&memory);
	return rc;
}

int odbc_plan(struct etl_instance *inst, const struct etl_read *read, int64_t wanted, struct etl_split_sink *sink,
	      struct etl_error *err)
{
	int rc = odbc_ready(inst, err);

	if (rc < 0)
		return rc;
	if (wanted <= 1 || read->limit > 0 || read->keys || !read->dataset.table || !odbc_shares_view(inst))
		return emit_one(sink);
	return plan_table(inst, read, wanted, sink, err);
}
