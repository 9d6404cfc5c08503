/*
 * Types by their spelling: our own names and the usual ones of SQL, so that a pipeline file and a catalog
 * may say "numeric(10,2)" or "timestamp with time zone" and mean the same as a store does.
 */
#include "config.h"

#include <etlrun/helpers.h>

#define SPELLING_MAX 64

struct name_row {
	const char *name;
	int32_t type; /* enum etl_type */
};

static const struct name_row name_rows[] = {
	{ "bool", ETL_BOOL },
	{ "boolean", ETL_BOOL },
	{ "bit", ETL_BOOL },
	{ "int16", ETL_INT16 },
	{ "smallint", ETL_INT16 },
	{ "int2", ETL_INT16 },
	{ "tinyint", ETL_INT16 },
	{ "int32", ETL_INT32 },
	{ "int", ETL_INT32 },
	{ "integer", ETL_INT32 },
	{ "int4", ETL_INT32 },
	{ "mediumint", ETL_INT32 },
	{ "int64", ETL_INT64 },
	{ "bigint", ETL_INT64 },
	{ "int8", ETL_INT64 },
	{ "float32", ETL_FLOAT32 },
	{ "real", ETL_FLOAT32 },
	{ "float4", ETL_FLOAT32 },
	{ "float64", ETL_FLOAT64 },
	{ "double precision", ETL_FLOAT64 },
	{ "double", ETL_FLOAT64 },
	{ "float8", ETL_FLOAT64 },
	{ "float", ETL_FLOAT64 },
	{ "numeric", ETL_NUMERIC },
	{ "decimal", ETL_NUMERIC },
	{ "dec", ETL_NUMERIC },
	{ "number", ETL_NUMERIC },
	{ "text", ETL_TEXT },
	{ "varchar", ETL_TEXT },
	{ "character varying", ETL_TEXT },
	{ "char", ETL_TEXT },
	{ "character", ETL_TEXT },
	{ "nchar", ETL_TEXT },
	{ "nvarchar", ETL_TEXT },
	{ "bpchar", ETL_TEXT },
	{ "clob", ETL_TEXT },
	{ "ntext", ETL_TEXT },
	{ "tinytext", ETL_TEXT },
	{ "mediumtext", ETL_TEXT },
	{ "longtext", ETL_TEXT },
	{ "citext", ETL_TEXT },
	{ "national character", ETL_TEXT },
	{ "national character varying", ETL_TEXT },
	{ "native character", ETL_TEXT },
	{ "varying character", ETL_TEXT },
	{ "character large object", ETL_TEXT },
	{ "bytes", ETL_BYTES },
	{ "bytea", ETL_BYTES },
	{ "blob", ETL_BYTES },
	{ "binary", ETL_BYTES },
	{ "varbinary", ETL_BYTES },
	{ "image", ETL_BYTES },
	{ "binary varying", ETL_BYTES },
	{ "binary large object", ETL_BYTES },
	{ "date", ETL_DATE },
	{ "time", ETL_TIME },
	{ "time without time zone", ETL_TIME },
	{ "timestamp", ETL_TIMESTAMP },
	{ "timestamp without time zone", ETL_TIMESTAMP },
	{ "datetime", ETL_TIMESTAMP },
	{ "datetime2", ETL_TIMESTAMP },
	{ "smalldatetime", ETL_TIMESTAMP },
	{ "instant", ETL_INSTANT },
	{ "timestamptz", ETL_INSTANT },
	{ "timestamp with time zone", ETL_INSTANT },
	{ "datetimeoffset", ETL_INSTANT },
	{ "uuid", ETL_UUID },
	{ "uniqueidentifier", ETL_UUID },
	{ "json", ETL_JSON },
	{ "jsonb", ETL_JSON },
	{ "any", ETL_ANY },
};

struct spelling {
	char name[SPELLING_MAX]; /* lower case, words parted by one blank */
	int64_t args[2];
	int count; /* of args */
	bool max;  /* "(max)" */
};

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static const char *skip(const char *at)
{
	while (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')
		at++;
	return at;
}

static bool read_arg(const char **at, int64_t *ret)
{
	const char *p = skip(*at);
	int64_t v = 0;

	if (*p < '0' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++) {
		v = v * 10 + (*p - '0');
		if (v > INT32_MAX)
			return false;
	}
	*ret = v;
	*at = skip(p);
	return true;
}

/* "(10,2)", "(max)": AT stands behind the opening parenthesis. */
static bool read_args(const char **at, struct spelling *s)
{
	const char *p = skip(*at);

	if (s->count > 0 || s->max)
		return false;
	if (lower(p[0]) == 'm' && lower(p[1]) == 'a' && lower(p[2]) == 'x') {
		s->max = true;
		p = skip(p + 3);
	} else {
		do {
			if (s->count == 2 || !read_arg(&p, &s->args[s->count]))
				return false;
			s->count++;
		} while (*p == ',' && p++);
	}
	if (*p != ')')
		return false;
	*at = p + 1;
	return true;
}

static bool read_spelling(const char *text, struct spelling *s)
{
	size_t n = 0;

	memset(s, 0, sizeof(*s));
	for (const char *at = skip(text); *at;) {
		const char *next = skip(at);

		if (*next == '(') {
			next++;
			if (!read_args(&next, s))
				return false;
			at = next;
			continue;
		}
		if (next != at) {
			if (*next && n > 0 && n + 1 < sizeof(s->name))
				s->name[n++] = ' ';
			at = next;
			continue;
		}
		if (n + 1 >= sizeof(s->name))
			return false;
		s->name[n++] = lower(*at++);
	}
	while (n > 0 && s->name[n - 1] == ' ')
		n--;
	s->name[n] = '\0';
	return n > 0;
}

/* numeric(P,S) is a decimal while 38 digits hold it. */
static bool numeric_type(const struct spelling *s, struct etl_type_info *type)
{
	if (s->count == 0)
		return true;
	if (s->args[0] < 1 || (s->count == 2 && s->args[1] > s->args[0]))
		return false;
	if (s->args[0] > 38)
		return true;
	type->type = ETL_DECIMAL;
	type->precision = (int32_t)s->args[0];
	type->scale = s->count == 2 ? (int32_t)s->args[1] : 0;
	return true;
}

/* A precision of seconds is accepted and not kept: every time here has microseconds. */
static bool apply_args(const struct spelling *s, struct etl_type_info *type, int64_t *length)
{
	bool sized = type->type == ETL_TEXT || type->type == ETL_BYTES;

	if (type->type == ETL_NUMERIC)
		return !s->max && numeric_type(s, type);
	if (s->max)
		return sized;
	if (s->count == 0)
		return true;
	if (s->count == 2)
		return type->type == ETL_FLOAT64 || type->type == ETL_FLOAT32;
	if (strcmp(s->name, "float") == 0 && s->args[0] <= 24)
		type->type = ETL_FLOAT32;
	if (type->type == ETL_BOOL && s->args[0] != 1)
		return false;
	if (sized)
		*length = s->args[0];
	return type->type != ETL_UUID && type->type != ETL_JSON && type->type != ETL_DATE &&
	       type->type != ETL_ANY;
}

bool etl_type_parse(const char *text, struct etl_type_info *ret, int64_t *length)
{
	struct etl_type_info type = { ETL_TYPE_NONE, 0, 0 };
	struct spelling s;
	int64_t chars = 0;

	if (!text || !read_spelling(text, &s))
		return false;
	for (size_t i = 0; i < sizeof(name_rows) / sizeof(name_rows[0]); i++)
		if (strcmp(name_rows[i].name, s.name) == 0)
			type.type = name_rows[i].type;
	if (strcmp(s.name, "money") == 0 && s.count == 0)
		type = (struct etl_type_info){ ETL_DECIMAL, 19, 4 };
	if (type.type == ETL_TYPE_NONE || !apply_args(&s, &type, &chars))
		return false;
	*ret = type;
	if (length)
		*length = chars;
	return true;
}
