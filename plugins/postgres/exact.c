/*
 * Types that take a text and keep less of it, without a word: name cuts at 63 bytes, "char" at one, arrays of
 * numeric(P,S) and of floats round, an interval forgets what its fields do not hold. The server is asked which values are
 * so.
 */
#include "config.h"

#include <stdlib.h>

#include "load.h"

#define INFINITIES_SINCE 140000

enum {
	OID_MONEY = 790,
	OID_INTERVAL = 1186,
	OID_TIMETZ = 1266,
	OID_FIRST_OTHER = 16384 /* FirstNormalObjectId: types of extensions and of people come from there on */
};

static bool is_word(uint32_t element)
{
	return element == OID_NAME || element == OID_CHAR;
}

static bool is_limited(uint32_t element)
{
	return element == OID_VARCHAR || element == OID_BPCHAR;
}

static bool is_moment(uint32_t element)
{
	return element == OID_INTERVAL || element == OID_TIMETZ || element == OID_TIME ||
	       element == OID_TIMESTAMP || element == OID_TIMESTAMPTZ;
}

/* Since 14 a numeric holds what floats do that is no number. */
static bool is_float_list(const struct loading *l, size_t column)
{
	uint32_t element = l->types[column].element;

	return l->columns[column].list && l->inst->version >= INFINITIES_SINCE &&
	       (element == OID_FLOAT4 || element == OID_FLOAT8);
}

bool exact_matters(const struct loading *l, size_t column)
{
	uint32_t element = l->types[column].element;

	return l->columns[column].by_text &&
	       (l->columns[column].modifier >= 0 || is_word(element) || is_moment(element) ||
		element == OID_MONEY || is_float_list(l, column));
}

const char *exact_code(const struct loading *l, size_t column)
{
	uint32_t element = l->types[column].element;

	return is_word(element) || is_limited(element) ? "too_long" : "too_precise";
}

/* The text and what the type makes of it are the same text. */
static void add_word(const struct loading *l, size_t i, struct etl_text *sql)
{
	const char *list = l->columns[i].list ? "[]" : "";

	etl_text_addf(sql, "CAST(CAST(c%zu AS %s) AS text%s) = CAST(c%zu AS text%s)", i,
		      l->types[i].cast, list, i, list);
}

/* Spaces at the end count, as they do outside of an array. The modifier is N + 4. */
static void add_limited(const struct loading *l, size_t i, struct etl_text *sql)
{
	etl_text_addf(sql, "NOT EXISTS (SELECT FROM unnest(CAST(c%zu AS text[])) AS e WHERE char_length(e) > %d)",
		      i, (int)l->columns[i].modifier - 4);
}

/* With its length or scale the value is the one that it is without. Types of other people may have no =. */
static void add_same(const struct loading *l, size_t i, struct etl_text *sql)
{
	bool known = l->types[i].element < OID_FIRST_OTHER;

	etl_text_addf(sql, known ? "CAST(c%zu AS %s) = CAST(CAST(c%zu AS %s) AS %s)" :
				   "ROW(CAST(c%zu AS %s)) *= ROW(CAST(CAST(c%zu AS %s) AS %s))",
		      i, l->types[i].cast, i, l->types[i].cast, l->types[i].whole);
}

/* Finer than a microsecond, which is what the server counts. */
static void add_moment(const struct loading *l, size_t i, struct etl_text *sql)
{
	etl_text_addf(sql, "c%zu !~ '[.,][0-9]{6}[0-9]*[1-9]'", i);
	if (l->columns[i].modifier < 0)
		return;
	etl_text_add(sql, " AND ");
	add_same(l, i, sql);
}

/* How many decimals a sum of money has is the server's to say; a plain number can be compared. */
static void add_money(size_t i, struct etl_text *sql)
{
	etl_text_addf(sql,
		      "CASE WHEN c%zu ~ '^\\s*[-+]?[0-9]+([.][0-9]*)?\\s*$' THEN CAST(CAST(c%zu AS money) AS numeric) = "
		      "CAST(c%zu AS numeric) ELSE true END",
		      i, i, i);
}

/* The shortest text of a float is that from which it comes again; another number was rounded. */
static void add_floats(const struct loading *l, size_t i, struct etl_text *sql)
{
	etl_text_addf(sql, "CAST(CAST(CAST(c%zu AS %s) AS text[]) AS numeric[]) = CAST(c%zu AS numeric[])", i,
		      l->types[i].cast, i);
}

static void add_exact(const struct loading *l, size_t i, struct etl_text *sql)
{
	uint32_t element = l->types[i].element;

	if (is_word(element))
		add_word(l, i, sql);
	else if (is_limited(element))
		add_limited(l, i, sql);
	else if (is_moment(element))
		add_moment(l, i, sql);
	else if (element == OID_MONEY && !l->columns[i].list)
		add_money(i, sql);
	else if (is_float_list(l, i))
		add_floats(l, i, sql);
	else if (l->columns[i].modifier >= 0)
		add_same(l, i, sql);
	else
		etl_text_add(sql, "true");
}

int exact_find(struct loading *l, int64_t first, int64_t beyond, PGresult **ret)
{
	struct etl_text sql = { 0 };
	int rc;

	etl_text_add(&sql, "SELECT place, min(at) FROM (");
	for (size_t i = 0, n = 0; i < l->count; i++) {
		if (!exact_matters(l, i))
			continue;
		etl_text_addf(&sql,
			      "%sSELECT place, %zu AS at FROM " LOADING_ROWS " WHERE place >= %lld AND place < %lld "
			      "AND NOT (",
			      n++ ? " UNION ALL " : "", i, (long long)first, (long long)beyond);
		add_exact(l, i, &sql);
		etl_text_add(&sql, ")");
	}
	etl_text_add(&sql, ") AS changed GROUP BY place ORDER BY place");
	rc = sql.failed ? loading_no_memory(l) :
			  postgres_query(l->inst, l->err, ret, sql.at, 0, NULL);
	etl_text_free(&sql);
	return rc;
}
