/* Small batches for the tests of the helpers: a schema of named types, one value converted from a text. */
#ifndef TESTS_LIB_BATCH_H
#define TESTS_LIB_BATCH_H

#include <check.h>

#include <etlrun/helpers.h>

/* A column of TYPE as SQL spells it. */
static inline struct etl_column column_of(const char *name, const char *type)
{
	struct etl_column column = { .name = name };
	struct etl_type_info info = { 0, 0, 0 };

	ck_assert_msg(etl_type_parse(type, &info, &column.length), "%s", type);
	column.type = info.type;
	column.precision = info.precision;
	column.scale = info.scale;
	return column;
}

static inline struct ArrowSchema schema_of(const struct etl_column *columns, size_t count)
{
	struct ArrowSchema schema = { .release = NULL };

	ck_assert(etl_schema_make(&schema, columns, count, sizeof(*columns)));
	return schema;
}

static inline struct etl_builder *builder_of(const struct etl_column *columns, size_t count, int64_t capacity)
{
	struct ArrowSchema schema = schema_of(columns, count);
	struct etl_builder *builder = etl_builder_new(&schema, capacity);

	ck_assert_ptr_nonnull(builder);
	schema.release(&schema);
	return builder;
}

/* NULL for a null. */
static inline void put_text(struct etl_column_builder *to, const char *text)
{
	const char *code = NULL;

	if (text)
		code = etl_convert_text(to, text, strlen(text));
	else
		etl_put_null(to);
	ck_assert_msg(!code, "%s: %s", text ? text : "NULL", code ? code : "");
}

#endif
