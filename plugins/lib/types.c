/*
 * Logical types: what an Arrow schema says, how a type is called, and schemas made from columns.
 *
 * The extension names in a schema's metadata tell apart the types that share a format (text, numeric and
 * json are all "u"). A format outside the profile of plugin.h is ETL_TYPE_NONE, which nothing accepts.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include <etlrun/helpers.h>

#define EXTENSION_KEY "ARROW:extension:name"

struct type_row {
	int32_t type; /* enum etl_type */
	const char *name;
	const char *format;
	const char *extension; /* or NULL */
};

/* Decimal's format is made for each column. */
static const struct type_row type_rows[] = {
	{ ETL_BOOL, "bool", "b", NULL },
	{ ETL_INT16, "int16", "s", NULL },
	{ ETL_INT32, "int32", "i", NULL },
	{ ETL_INT64, "int64", "l", NULL },
	{ ETL_FLOAT32, "float32", "f", NULL },
	{ ETL_FLOAT64, "float64", "g", NULL },
	{ ETL_NUMERIC, "numeric", "u", "etlrun.numeric" },
	{ ETL_JSON, "json", "u", "arrow.json" },
	{ ETL_TEXT, "text", "u", NULL },
	{ ETL_ANY, "any", "z", "etlrun.any" },
	{ ETL_BYTES, "bytes", "z", NULL },
	{ ETL_DATE, "date", "tdD", NULL },
	{ ETL_TIME, "time", "ttu", NULL },
	{ ETL_TIMESTAMP, "timestamp", "tsu:", NULL },
	{ ETL_INSTANT, "instant", "tsu:UTC", NULL },
	{ ETL_UUID, "uuid", "w:16", "arrow.uuid" },
};

#define TYPE_ROWS (sizeof(type_rows) / sizeof(type_rows[0]))

static const struct type_row *row_of(int32_t type)
{
	for (size_t i = 0; i < TYPE_ROWS; i++)
		if (type_rows[i].type == type)
			return &type_rows[i];
	return NULL;
}

static int32_t read_int32(const char *at)
{
	int32_t v;

	memcpy(&v, at, 4);
	return v;
}

/* Bytes of packed metadata. */
static size_t metadata_size(const char *metadata)
{
	const char *at = metadata;
	int32_t pairs;

	if (!metadata)
		return 0;
	pairs = read_int32(at);
	at += 4;
	for (int64_t i = 0; i < (int64_t)pairs * 2; i++)
		at += 4 + read_int32(at);
	return (size_t)(at - metadata);
}

static bool metadata_is(const char *metadata, const char *key, const char *value)
{
	const char *at = metadata;
	int32_t pairs;

	if (!metadata)
		return false;
	pairs = read_int32(at);
	at += 4;
	for (int32_t i = 0; i < pairs; i++) {
		size_t key_size = (size_t)read_int32(at), value_size;
		const char *k = at + 4, *v;

		at = k + key_size;
		value_size = (size_t)read_int32(at);
		v = at + 4;
		at = v + value_size;
		if (key_size == strlen(key) && memcmp(k, key, key_size) == 0)
			return value_size == strlen(value) && memcmp(v, value, value_size) == 0;
	}
	return false;
}

static struct etl_type_info decimal_of(const char *format)
{
	struct etl_type_info none = { ETL_TYPE_NONE, 0, 0 };
	struct etl_type_info ret = { ETL_DECIMAL, 0, 0 };
	int bits = 128, end = 0, read;

	read = sscanf(format, "d:%d,%d%n,%d%n", &ret.precision, &ret.scale, &end, &bits, &end);
	if (read < 2 || format[end] != '\0' || bits != 128)
		return none;
	if (ret.precision < 1 || ret.precision > 38 || ret.scale < 0 || ret.scale > ret.precision)
		return none;
	return ret;
}

struct etl_type_info etl_type_of(const struct ArrowSchema *column)
{
	struct etl_type_info ret = { ETL_TYPE_NONE, 0, 0 };

	if (!column || !column->format || column->dictionary)
		return ret;
	if (strncmp(column->format, "d:", 2) == 0)
		return decimal_of(column->format);
	for (size_t i = 0; i < TYPE_ROWS; i++) {
		const struct type_row *row = &type_rows[i];

		if (strcmp(row->format, column->format) != 0)
			continue;
		if (row->extension && !metadata_is(column->metadata, EXTENSION_KEY, row->extension))
			continue;
		ret.type = row->type;
		break;
	}
	return ret;
}

const char *etl_type_name(struct etl_type_info type, char *buf, size_t size)
{
	const struct type_row *row = row_of(type.type);

	if (row)
		return row->name;
	if (type.type != ETL_DECIMAL)
		return "none";
	snprintf(buf, size, "decimal(%d,%d)", (int)type.precision, (int)type.scale);
	return buf;
}

static void schema_release(struct ArrowSchema *schema)
{
	for (int64_t i = 0; i < schema->n_children; i++) {
		if (schema->children[i] && schema->children[i]->release)
			schema->children[i]->release(schema->children[i]);
		free(schema->children[i]);
	}
	free(schema->children);
	free(schema->private_data);
	schema->release = NULL;
}

/* One node whose strings live in one block; the children's places are empty. */
static bool node_make(struct ArrowSchema *ret, const char *format, const char *name,
		      const char *metadata, size_t meta_size, int64_t children)
{
	size_t format_size = strlen(format) + 1, name_size = name ? strlen(name) + 1 : 0;
	char *block = malloc(format_size + name_size + meta_size);

	if (!block)
		return false;
	memset(ret, 0, sizeof(*ret));
	if (children > 0) {
		ret->children = calloc((size_t)children, sizeof(*ret->children));
		if (!ret->children) {
			free(block);
			return false;
		}
	}
	ret->n_children = children;
	memcpy(block, format, format_size);
	ret->format = block;
	if (name) {
		memcpy(block + format_size, name, name_size);
		ret->name = block + format_size;
	}
	if (meta_size > 0) {
		memcpy(block + format_size + name_size, metadata, meta_size);
		ret->metadata = block + format_size + name_size;
	}
	ret->private_data = block;
	ret->release = schema_release;
	return true;
}

/* Packs one pair with the extension's name into BUF and returns the size. */
static size_t pack_extension(char *buf, const char *extension)
{
	int32_t one = 1, key_size = (int32_t)strlen(EXTENSION_KEY),
		size = (int32_t)strlen(extension);
	char *at = buf;

	memcpy(at, &one, 4);
	memcpy(at + 4, &key_size, 4);
	memcpy(at + 8, EXTENSION_KEY, (size_t)key_size);
	at += 8 + key_size;
	memcpy(at, &size, 4);
	memcpy(at + 4, extension, (size_t)size);
	return (size_t)(at - buf) + 4 + (size_t)size;
}

static bool column_make(struct ArrowSchema *ret, const struct etl_column *column)
{
	const struct type_row *row = row_of(column->type);
	const char *name = column->name ? column->name : "";
	char format[32], metadata[64];
	size_t size = 0;

	if (row) {
		snprintf(format, sizeof(format), "%s", row->format);
		if (row->extension)
			size = pack_extension(metadata, row->extension);
	} else {
		snprintf(format, sizeof(format), "d:%d,%d", (int)column->precision,
			 (int)column->scale);
		if (column->type != ETL_DECIMAL || decimal_of(format).type == ETL_TYPE_NONE)
			return false;
	}
	if (!node_make(ret, format, name, metadata, size, 0))
		return false;
	ret->flags = column->flags & ETL_NOT_NULL ? 0 : ARROW_FLAG_NULLABLE;
	return true;
}

bool etl_schema_make(struct ArrowSchema *ret, const struct etl_column *columns, size_t count,
		     size_t column_size)
{
	struct ArrowSchema schema;

	if (!node_make(&schema, "+s", "", NULL, 0, (int64_t)count))
		return false;
	for (size_t i = 0; i < count; i++) {
		schema.children[i] = calloc(1, sizeof(struct ArrowSchema));
		if (!schema.children[i] ||
		    !column_make(schema.children[i],
				 ETL_AT(const struct etl_column, columns, column_size, i))) {
			schema.release(&schema);
			return false;
		}
	}
	*ret = schema;
	return true;
}

bool etl_schema_copy(struct ArrowSchema *ret, const struct ArrowSchema *from)
{
	struct ArrowSchema schema;

	if (!from->format || from->dictionary)
		return false;
	if (!node_make(&schema, from->format, from->name, from->metadata,
		       metadata_size(from->metadata), from->n_children))
		return false;
	schema.flags = from->flags;
	for (int64_t i = 0; i < from->n_children; i++) {
		schema.children[i] = calloc(1, sizeof(struct ArrowSchema));
		if (!schema.children[i] ||
		    !etl_schema_copy(schema.children[i], from->children[i])) {
			schema.release(&schema);
			return false;
		}
	}
	*ret = schema;
	return true;
}

int64_t etl_schema_find(const struct ArrowSchema *schema, const char *name)
{
	for (int64_t i = 0; i < schema->n_children; i++)
		if (schema->children[i]->name && strcmp(schema->children[i]->name, name) == 0)
			return i;
	return -1;
}
