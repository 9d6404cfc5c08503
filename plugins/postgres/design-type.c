/*
 * The types. PostgreSQL's own are kept by their words; of every other store the logical type decides, which the
 * host has settled by then: what the pipeline says, else what the values are, else what was declared.
 */
#include "config.h"

#include <strings.h>

#include "design.h"
#include "judge.h"

#define LENGTH_MOST 10485760 /* characters of varchar(n), as the server says */

struct type_name {
	int32_t type;
	const char *name;
	enum sql_kind kind;
};

static const struct type_name type_names[] = {
	{ ETL_BOOL, "boolean", SQL_BOOL },
	{ ETL_INT16, "smallint", SQL_INT },
	{ ETL_INT32, "integer", SQL_INT },
	{ ETL_INT64, "bigint", SQL_INT },
	{ ETL_FLOAT32, "real", SQL_REAL },
	{ ETL_FLOAT64, "double precision", SQL_REAL },
	{ ETL_DECIMAL, "numeric", SQL_NUMERIC },
	{ ETL_NUMERIC, "numeric", SQL_NUMERIC },
	{ ETL_TEXT, "text", SQL_TEXT },
	{ ETL_BYTES, "bytea", SQL_BYTES },
	{ ETL_DATE, "date", SQL_DATE },
	{ ETL_TIME, "time without time zone", SQL_TIME },
	{ ETL_TIMESTAMP, "timestamp without time zone", SQL_TIMESTAMP },
	{ ETL_INSTANT, "timestamp with time zone", SQL_INSTANT },
	{ ETL_UUID, "uuid", SQL_UUID },
	{ ETL_JSON, "json", SQL_JSON },
	{ ETL_ANY, "text", SQL_TEXT },
};

static const struct type_name *find_type(int32_t type)
{
	static const struct type_name none = { ETL_TYPE_NONE, "text", SQL_TEXT };
	size_t i;

	for (i = 0; i < sizeof(type_names) / sizeof(*type_names); i++) {
		if (type_names[i].type == type)
			return &type_names[i];
	}
	return &none;
}

/* Words for types that the server does not know, or knows as something else. */
static bool is_foreign_word(const char *declared)
{
	static const char *const words[] = {
		"int16",  "int32",     "int64",	       "float32",    "float64",	       "bytes",
		"blob",	  "instant",   "datetime",     "datetime2",  "smalldatetime",  "any",
		"tinyint", "mediumint", "double",      "number",     "clob",	       "ntext",
		"nvarchar", "tinytext", "mediumtext",  "longtext",   "binary",	       "varbinary",
		"image",  "datetimeoffset", "uniqueidentifier",
	};
	size_t n = strcspn(declared, " (["), i;

	/* The one name of two words whose first is another's; an array's is "double precision[]". */
	if (strncasecmp(declared, "double precision", strlen("double precision")) == 0)
		return false;
	for (i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (strlen(words[i]) == n && strncasecmp(declared, words[i], n) == 0)
			return true;
	}
	return false;
}

/* The column's type stands in PostgreSQL's words. */
static bool has_own_word(const struct design *d, const struct etl_column *c)
{
	return (d->same || c->flags & ETL_RETYPED) && c->declared && *c->declared &&
	       !is_foreign_word(c->declared);
}

static bool says_jsonb(const struct etl_column *c)
{
	return c->declared && strcasecmp(c->declared, "jsonb") == 0;
}

static bool is_among(const char *name, const char *const *columns, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (strcasecmp(columns[i], name) == 0)
			return true;
	}
	return false;
}

/* No two values of the type json are equal to PostgreSQL, so none can be a key or refer to one. */
static bool is_compared_json(const struct design *d, const struct etl_column *c)
{
	const struct etl_table *t = d->table;
	bool is_key = is_among(c->name, t->primary.columns, t->primary.column_count);
	size_t i;

	if (c->type != ETL_JSON || says_jsonb(c) || has_own_word(d, c))
		return false;
	for (i = 0; !is_key && i < t->unique_count; i++) {
		const struct etl_key *k = ETL_AT(const struct etl_key, t->uniques, t->unique_size, i);

		is_key = is_among(c->name, k->columns, k->column_count);
	}
	for (i = 0; !is_key && i < t->foreign_key_count; i++) {
		const struct etl_foreign_key *f = ETL_AT(const struct etl_foreign_key, t->foreign_keys,
							 t->foreign_key_size, i);

		is_key = is_among(c->name, f->columns, f->column_count);
	}
	return is_key;
}

enum sql_kind design_kind(const struct design *d, const struct etl_column *c)
{
	struct etl_type_info own;

	if (has_own_word(d, c) && !etl_type_parse(c->declared, &own, NULL))
		return SQL_NONE;
	return is_compared_json(d, c) ? SQL_TEXT : find_type(c->type)->kind;
}

static void add_by_type(const struct etl_column *c, struct etl_text *ret)
{
	etl_text_add(ret, c->type == ETL_JSON && says_jsonb(c) ? "jsonb" :
		     c->type == ETL_TEXT && c->length > 0 && c->length <= LENGTH_MOST ?
								 "varchar" :
								 find_type(c->type)->name);
	if (c->type == ETL_DECIMAL)
		etl_text_addf(ret, "(%d,%d)", c->precision, c->scale);
	else if (c->type == ETL_TEXT && c->length > 0 && c->length <= LENGTH_MOST)
		etl_text_addf(ret, "(%lld)", (long long)c->length);
}

void design_add_type(const struct design *d, const struct etl_column *c, struct etl_text *ret,
		     int32_t *verdict, struct etl_text *note)
{
	*verdict = ETL_EXACT;
	if (has_own_word(d, c)) {
		etl_text_add(ret, c->declared);
		return;
	}
	if (is_compared_json(d, c)) {
		etl_text_add(ret, "text");
		etl_text_add(note, "no two values of the type json are equal, and this column is of a key");
		*verdict = ETL_WIDENED;
		return;
	}
	add_by_type(c, ret);
	if (d->sqlite && !(c->flags & ETL_RETYPED))
		*verdict = etl_judge_declared(c, note);
	if (c->type == ETL_JSON && says_jsonb(c)) {
		*verdict = ETL_APPROXIMATED;
		etl_text_add(note, "jsonb keeps what a text means, not how it is spelled");
	}
}
