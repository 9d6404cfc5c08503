/*
 * The text form of a row in SQL, to the letter of enum etl_digests_by in etlrun/plugin.h. A moment goes by its binary
 * form: taking it apart as a number costs several times as much.
 */
#include "config.h"

#include "digest.h"

#define SINCE_TRIM_SCALE 130000

#define BITS(send)    "('x' || pg_catalog.encode(pg_catalog." send "(%), 'hex'))::bit(64)::int8"
#define PLAIN(text)   "coalesce(" text ", '~')"
#define COUNTED(text) "coalesce(pg_catalog.octet_length(" text ") || ':' || " text ", '~')"
/* Beyond this moment microseconds since 1970 do not fit into 64 bits. */
#define MOMENT(type, send, zone)                                                                   \
	"CASE WHEN % > " type " '-infinity' AND % < " type " '294247-01-10 04:00:54.775808" zone   \
	"' THEN (" BITS(send) " + 946684800000000)::text WHEN % IS NULL THEN '~' ELSE '!' END"

/* In each, % is the column. */
static const char form_bool[] = "CASE WHEN % THEN '1' WHEN NOT % THEN '0' ELSE '~' END";
static const char form_int[] = PLAIN("%::text");
static const char form_real[] =
	"CASE WHEN % = 'NaN' THEN '7ff8000000000000' ELSE "
	PLAIN("pg_catalog.encode(pg_catalog.float8send(%::float8 + 0::float8), 'hex')") " END";
static const char form_numeric[] = PLAIN("pg_catalog.trim_scale(%)::text");
static const char form_old_numeric[] =
	"CASE WHEN pg_catalog.strpos(%::text, '.') > 0 THEN "
	PLAIN("pg_catalog.rtrim(pg_catalog.rtrim(%::text, '0'), '.')") " ELSE " PLAIN("%::text") " END";
static const char form_text[] = COUNTED("%::text");
/* As the server would print it: a cast to text takes the blanks from the end of a character(n). */
static const char form_printed[] =
	"CASE WHEN % IS NOT DISTINCT FROM NULL THEN '~' ELSE "
	"pg_catalog.octet_length(pg_catalog.concat(%)) || ':' || pg_catalog.concat(%) END";
static const char form_bytes[] = PLAIN("pg_catalog.encode(%, 'hex')");
static const char form_date[] = "CASE WHEN pg_catalog.isfinite(%) THEN "
	"(% - date '1970-01-01')::text WHEN % IS NULL THEN '~' ELSE '!' END";
static const char form_time[] = PLAIN("(" BITS("time_send") ")::text");
static const char form_timestamp[] = MOMENT("timestamp", "timestamp_send", "");
static const char form_instant[] = MOMENT("timestamptz", "timestamptz_send", "+00");
static const char form_uuid[] = PLAIN("pg_catalog.encode(pg_catalog.uuid_send(%), 'hex')");
/* As `read` asks for it (select_add_json). */
static const char form_to_json[] = "CASE WHEN % IS NOT DISTINCT FROM NULL THEN '~' "
	"WHEN pg_catalog.ascii(%::text) = 91 THEN " COUNTED("pg_catalog.to_json(%::text)::text") " ELSE "
	COUNTED("pg_catalog.to_json(%)::text") " END";

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static bool is_padded(const struct etl_column *c)
{
	return strcmp(c->declared, "character") == 0 || begins(c->declared, "character(") ||
	       strcmp(c->declared, "bpchar") == 0;
}

/* Types that `read` casts to text, or that a cast leaves as they are. */
static bool is_cast(const struct etl_column *c)
{
	return strcmp(c->declared, "text") == 0 || begins(c->declared, "character varying") ||
	       strcmp(c->declared, "name") == 0 || strcmp(c->declared, "inet") == 0;
}

static bool is_json(const struct etl_column *c)
{
	return strcmp(c->declared, "json") == 0 || strcmp(c->declared, "jsonb") == 0;
}

static const char *form_of(const struct etl_column *c, int version)
{
	switch (c->type) {
	case ETL_BOOL:
		return form_bool;
	case ETL_INT16:
	case ETL_INT32:
	case ETL_INT64:
		return form_int;
	case ETL_FLOAT32:
	case ETL_FLOAT64:
		return form_real;
	case ETL_DECIMAL:
	case ETL_NUMERIC:
		return c->type == ETL_DECIMAL && c->scale == 0 ? form_int :
		       version < SINCE_TRIM_SCALE		? form_old_numeric :
								  form_numeric;
	case ETL_TEXT:
		return is_cast(c) ? form_text : form_printed;
	case ETL_BYTES:
		return form_bytes;
	case ETL_DATE:
		return form_date;
	case ETL_TIME:
		return form_time;
	case ETL_TIMESTAMP:
		return form_timestamp;
	case ETL_INSTANT:
		return form_instant;
	case ETL_UUID:
		return form_uuid;
	case ETL_JSON:
		return is_json(c) ? form_text : form_to_json;
	default:
		return NULL;
	}
}

const char *digest_refuses(const struct etl_column *c)
{
	/* `read` rejects some of its values, which no expression tells from others. */
	if (strcmp(c->declared, "\"char\"") == 0 || !form_of(c, SINCE_TRIM_SCALE))
		return "is of a type that is not hashed by the server";
	return NULL;
}

const char *digest_type(const struct etl_column *c)
{
	static const char *const types[] = {
		[ETL_BOOL] = "bool",	   [ETL_INT16] = "int2",       [ETL_INT32] = "int4",
		[ETL_INT64] = "int8",	   [ETL_FLOAT32] = "float4",   [ETL_FLOAT64] = "float8",
		[ETL_DECIMAL] = "numeric", [ETL_NUMERIC] = "numeric",  [ETL_TEXT] = "text",
		[ETL_BYTES] = "bytea",	   [ETL_DATE] = "date",	       [ETL_TIME] = "time",
		[ETL_UUID] = "uuid",	   [ETL_TIMESTAMP] = "timestamp", [ETL_INSTANT] = "timestamptz",
		[ETL_JSON] = "json",
	};

	if (c->type == ETL_TEXT && is_padded(c))
		return "bpchar";
	return c->type == ETL_JSON && strcmp(c->declared, "jsonb") == 0 ? "jsonb" : types[c->type];
}

static void add_column(struct etl_text *sql, const struct relation *r, const char *name, size_t at)
{
	if (r)
		select_add_column(sql, r, name);
	else
		etl_text_addf(sql, "v.c%zu", at);
}

static void add_row(struct etl_text *sql, const struct etl_digest_ask *ask, const struct relation *r,
		    int version, const int64_t *at, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t k = at ? (size_t)at[i] : i;
		const struct etl_column *c =
			ETL_AT(const struct etl_column, ask->columns, ask->column_size, k);
		/* The values of the self-test are JSON already. */
		const char *form = !r && c->type == ETL_JSON ? form_text : form_of(c, version);

		etl_text_add(sql, i ? " || ',' || " : "");
		for (; form && *form; form++) {
			if (*form == '%')
				add_column(sql, r, c->name, k);
			else
				etl_text_add_bytes(sql, form, 1);
		}
	}
}

/* COLLATE "C": bytes are hashed, whatever collations the columns have. */
void digest_add_hash(struct etl_text *sql, const struct etl_digest_ask *ask, const struct relation *r,
		     int version, const int64_t *at, size_t count)
{
	bool p1 = ask->hash == ETL_HASH_P1;

	etl_text_add(sql, p1 ? "pg_catalog.hashtextextended((" :
			       "('x' || pg_catalog.encode(pg_catalog.substr(pg_catalog.sha256("
			       "pg_catalog.convert_to(");
	add_row(sql, ask, r, version, at, count);
	etl_text_add(sql, p1 ? ") COLLATE pg_catalog.\"C\", 0)" :
			       ", 'UTF8')), 1, 8), 'hex'))::bit(64)::int8");
}
