/*
 * Types: what a column of the server is to us. The server's own word goes first, because drivers give several types one
 * of ODBC's numbers (psqlODBC: a bool is a text of five characters); then the number.
 */
#include "config.h"

#include <strings.h>

#include "shape.h"

#define DATETIMEOFFSET_TYPE (-155) /* SQL_SS_TIMESTAMPOFFSET: Microsoft's own, which FreeTDS takes over */
#define TIME2_TYPE	    (-154) /* SQL_SS_TIME2 */
#define XML_TYPE	    (-152) /* SQL_SS_XML */
#define DECIMAL_DIGITS	    38

struct word {
	const char *name;
	int32_t type; /* enum etl_type */
};

/* Words of T-SQL that mean something else to others, or nothing. */
static const struct word tsql_words[] = {
	{ "bit", ETL_BOOL },		   { "tinyint", ETL_INT16 },
	{ "smallint", ETL_INT16 },	   { "int", ETL_INT32 },
	{ "bigint", ETL_INT64 },	   { "real", ETL_FLOAT32 },
	{ "float", ETL_FLOAT64 },	   { "money", ETL_DECIMAL },
	{ "smallmoney", ETL_DECIMAL },	   { "date", ETL_DATE },
	{ "time", ETL_TIME },		   { "datetime", ETL_TIMESTAMP },
	{ "datetime2", ETL_TIMESTAMP },	   { "smalldatetime", ETL_TIMESTAMP },
	{ "datetimeoffset", ETL_INSTANT }, { "uniqueidentifier", ETL_UUID },
	{ "xml", ETL_TEXT },		   { "json", ETL_JSON },
	{ "sysname", ETL_TEXT },	   { "binary", ETL_BYTES },
	{ "varbinary", ETL_BYTES },	   { "image", ETL_BYTES },
	{ "timestamp", ETL_BYTES },	   { "rowversion", ETL_BYTES },
	{ "sql_variant", ETL_TEXT },	   { "hierarchyid", ETL_TEXT },
	{ "geography", ETL_TEXT },	   { "geometry", ETL_TEXT },
};

static const struct word postgresql_words[] = {
	{ "bool", ETL_BOOL },	    { "timestamp", ETL_TIMESTAMP }, { "timestamptz", ETL_INSTANT },
	{ "timestamp without time zone", ETL_TIMESTAMP },
	{ "timestamp with time zone", ETL_INSTANT },
	{ "uuid", ETL_UUID },	    { "json", ETL_JSON },	    { "jsonb", ETL_JSON },
	{ "bytea", ETL_BYTES },	    { "int2", ETL_INT16 },	    { "smallserial", ETL_INT16 },
	{ "serial", ETL_INT32 },    { "bigserial", ETL_INT64 },	    { "name", ETL_TEXT },
	{ "oid", ETL_INT64 },	    { "xid", ETL_TEXT },	    { "money", ETL_TEXT },
	{ "interval", ETL_TEXT },
};

static int32_t find_word(const struct word *words, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcasecmp(words[i].name, name) == 0)
			return words[i].type;
	return ETL_TYPE_NONE;
}

static int32_t by_word(const struct odbc_dialect *dialect, const char *name)
{
	if (dialect == &odbc_tsql)
		return find_word(tsql_words, sizeof(tsql_words) / sizeof(*tsql_words), name);
	if (dialect == &odbc_postgresql)
		return find_word(postgresql_words,
				 sizeof(postgresql_words) / sizeof(*postgresql_words), name);
	return ETL_TYPE_NONE;
}

static int32_t by_number(SQLSMALLINT type)
{
	switch (type) {
	case SQL_BIT:
		return ETL_BOOL;
	case SQL_TINYINT:
	case SQL_SMALLINT:
		return ETL_INT16;
	case SQL_INTEGER:
		return ETL_INT32;
	case SQL_BIGINT:
		return ETL_INT64;
	case SQL_REAL:
		return ETL_FLOAT32;
	case SQL_FLOAT:
	case SQL_DOUBLE:
		return ETL_FLOAT64;
	case SQL_NUMERIC:
	case SQL_DECIMAL:
		return ETL_DECIMAL;
	case SQL_TYPE_DATE:
		return ETL_DATE;
	case SQL_TYPE_TIME:
	case TIME2_TYPE:
		return ETL_TIME;
	case SQL_TYPE_TIMESTAMP:
		return ETL_TIMESTAMP;
	case DATETIMEOFFSET_TYPE:
		return ETL_INSTANT;
	case SQL_GUID:
		return ETL_UUID;
	case SQL_BINARY:
	case SQL_VARBINARY:
	case SQL_LONGVARBINARY:
		return ETL_BYTES;
	default:
		return ETL_TEXT;
	}
}

/* SQLite's INTEGER has 64 bits, and its REAL 64 too, whatever the driver says. */
static int32_t as_sqlite(int32_t type)
{
	return type == ETL_INT16 || type == ETL_INT32 ? ETL_INT64 :
	       type == ETL_FLOAT32		      ? ETL_FLOAT64 :
							type;
}

struct etl_type_info odbc_type_of(const struct odbc_dialect *dialect, const struct odbc_column *c,
				  int64_t *ret_length)
{
	struct etl_type_info ret = { .type = by_word(dialect, c->type_name) };

	if (ret.type == ETL_TYPE_NONE)
		ret.type = by_number(c->sql_type);
	if (dialect == &odbc_sqlite)
		ret.type = as_sqlite(ret.type);
	if (ret.type == ETL_DECIMAL) {
		ret.precision = (int32_t)c->size;
		ret.scale = c->digits;
		/* A numeric without a precision, or with more digits than cross in 128 bits. */
		if (c->size == 0 || c->size > DECIMAL_DIGITS || c->digits < 0 ||
		    (SQLULEN)c->digits > c->size || dialect == &odbc_sqlite ||
		    (dialect == &odbc_postgresql && c->size == 28))
			ret = (struct etl_type_info){ .type = ETL_NUMERIC };
	}
	*ret_length = 0;
	if (ret.type == ETL_TEXT || ret.type == ETL_BYTES)
		*ret_length = (int64_t)odbc_bound_of(dialect, c);
	return ret;
}

static bool is_long(const struct odbc_column *c)
{
	return c->sql_type == SQL_LONGVARCHAR || c->sql_type == SQL_WLONGVARCHAR ||
	       c->sql_type == SQL_LONGVARBINARY || c->sql_type == XML_TYPE;
}

/* A text column's size is a rule only where the server keeps to it. SQLite never does. */
SQLULEN odbc_bound_of(const struct odbc_dialect *dialect, const struct odbc_column *c)
{
	static const SQLULEN most = 8000; /* what T-SQL calls max has more, and no size or a fantastic one */

	if (dialect == &odbc_sqlite || is_long(c) || c->size > most)
		return 0;
	if (dialect == &odbc_postgresql &&
	    (strcasecmp(c->type_name, "text") == 0 || strcasecmp(c->type_name, "bytea") == 0 ||
	     by_number(c->sql_type) != ETL_TEXT || c->size == 255))
		return 0;
	return c->size;
}

void odbc_add_declared(struct etl_text *text, const struct odbc_dialect *dialect,
		       const struct odbc_column *c)
{
	int64_t length;
	struct etl_type_info type = odbc_type_of(dialect, c, &length);

	etl_text_add(text, c->type_name);
	if (strchr(c->type_name, '('))
		return;
	if (type.type == ETL_DECIMAL && !strcasestr(c->type_name, "money"))
		etl_text_addf(text, "(%d,%d)", type.precision, type.scale);
	else if (length > 0)
		etl_text_addf(text, "(%lld)", (long long)length);
	else if (dialect == &odbc_tsql && (type.type == ETL_TEXT || type.type == ETL_BYTES) && strstr(c->type_name, "var"))
		etl_text_add(text, "(max)"); /* which alone would be (1) */
}
