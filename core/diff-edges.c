/*
 * The values at which servers and we may not agree: the ends of ranges, signs of zero, needless zeros,
 * years far away, texts that look like the text form itself. A store's digests are believed only when
 * it hashes a table of these as we do.
 */
#include "config.h"

#include <math.h>
#include <stdlib.h>

#include "diff-parts.h"
#include "../plugins/lib/spell.h"

#define EDGE_ROWS 40
#define COUNT(list) (int64_t)(sizeof(list) / sizeof((list)[0]))

/* Each puts value I of its type and returns how many there are; TO NULL: only says so. */
typedef int64_t edge_function(struct etl_column_builder *to, int64_t i, bool *ok);

static const int64_t wholes[] = { 0,	   1,	     -1,	9,	  10,	     -10,
				  99,	   100,	     1000,	12345,	  -12345,    INT16_MAX,
				  INT16_MIN, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN };

static int64_t edge_int64(struct etl_column_builder *to, int64_t i, bool *ok)
{
	(void)ok;
	if (to)
		etl_put_int64(to, wholes[i]);
	return COUNT(wholes);
}

static int64_t edge_int32(struct etl_column_builder *to, int64_t i, bool *ok)
{
	(void)ok;
	if (to)
		etl_put_int32(to, (int32_t)wholes[i]);
	return COUNT(wholes) - 2;
}

static int64_t edge_int16(struct etl_column_builder *to, int64_t i, bool *ok)
{
	int16_t v = (int16_t)wholes[i];

	(void)ok;
	if (to)
		etl_put_fixed(to, &v);
	return COUNT(wholes) - 4;
}

static int64_t edge_bool(struct etl_column_builder *to, int64_t i, bool *ok)
{
	(void)ok;
	if (to)
		etl_put_bool(to, i == 1);
	return 2;
}

static const double reals[] = { 0.0,	-0.0,	 1.0,	   -1.0,     0.5,	-0.1,	   0.1,
				1e15,	1e16,	 1e-5,	   123456.789, 1e300,	-1e300,	   5e-324,
				2.2250738585072014e-308, 1.7976931348623157e308, (double)INFINITY,
				-(double)INFINITY, (double)NAN, 4294967296.0, 0.30000000000000004 };

static int64_t edge_float64(struct etl_column_builder *to, int64_t i, bool *ok)
{
	(void)ok;
	if (to)
		etl_put_float64(to, reals[i]);
	return COUNT(reals);
}

static const float singles[] = { 0.0f, -0.0f, 1.0f,    -1.0f,	 0.1f,		  -0.1f,    16777216.0f,
				 1e30f, 1e-30f, 1e-45f, 3.4028235e38f, (float)INFINITY,
				 -(float)INFINITY, (float)NAN, 123456.79f };

static int64_t edge_float32(struct etl_column_builder *to, int64_t i, bool *ok)
{
	(void)ok;
	if (to)
		etl_put_fixed(to, &singles[i]);
	return COUNT(singles);
}

/* By the digits that the column has: the least, the most, and what ends in zeros. */
static int64_t edge_decimal(struct etl_column_builder *to, int64_t i, bool *ok)
{
	enum { COUNT_DECIMAL = 9 };
	etl_i128 most = 1, whole = 1, v;
	uint8_t bytes[16];

	(void)ok;
	if (!to)
		return COUNT_DECIMAL;
	for (int32_t k = 0; k < to->type.precision; k++)
		most *= 10;
	most--;
	for (int32_t k = 0; k < to->type.scale; k++)
		whole *= 10;
	if (whole > most)
		whole = most;
	v = i == 0 ? 0 :
	    i == 1 ? 1 :
	    i == 2 ? -1 :
	    i == 3 ? most :
	    i == 4 ? -most :
	    i == 5 ? whole :
	    i == 6 ? -whole :
	    i == 7 ? most / 10 * 10 :
		     whole / 10;
	for (int k = 0; k < 16; k++)
		bytes[k] = (uint8_t)(v >> 8 * k);
	etl_put_fixed(to, bytes);
	return COUNT_DECIMAL;
}

static void put_text(struct etl_column_builder *to, const char *text, bool *ok)
{
	*ok = *ok && etl_put_bytes(to, text, (int64_t)strlen(text));
}

static int64_t edge_numeric(struct etl_column_builder *to, int64_t i, bool *ok)
{
	static const char *const texts[] = {
		"0",	"0.00",	"1",	"1.500", "-1.500", "0.001",  "-0.010", "100",
		"1000", "-100", "10.0", "NaN",	 "0.1",	   "-0.1",
		"12345678901234567890123456789012345678901234567890.123456789012345678901234567890",
		"-99999999999999999999999999999999999999999999999999",
		"0.00000000000000000000000000000000000000000000000001",
	};

	if (to)
		put_text(to, texts[i], ok);
	return COUNT(texts);
}

static int64_t edge_text(struct etl_column_builder *to, int64_t i, bool *ok)
{
	static const char *const texts[] = {
		"",	    " ",	"a",	    "A ",	"x  ",	    "~",
		",",	    "0:",	"1:a,~",	"'",	    "''",	"\"",
		"\\",	    "\\x41",	"%s $1 ?",	"NULL",	    "1.50",	"\t",
		"\n",	    "a\r\nb",	"\x7f",	    "\x01",	"é",	    "e\xcc\x81",
		"ß",	    "İı",	"日本語",    "😀",	"\xef\xbb\xbf",  "\xef\xbf\xbf",
		"\xf4\x8f\xbf\xbd",
		("0123456789012345678901234567890123456789012345678901234567890123456789"
		 "0123456789012345678901234567890123456789012345678901234567890123456789"),
	};

	if (to)
		put_text(to, texts[i], ok);
	return COUNT(texts);
}

/* As a server that keeps JSON in a form of its own gives it back. */
static int64_t edge_json(struct etl_column_builder *to, int64_t i, bool *ok)
{
	static const char *const texts[] = {
		"{}",	"[]",	  "null",	    "true",		 "\"é\"", "\"a\\\"b\\\\c\"",
		"1.50", "[1, 2]", "{\"a\": 1}", "{\"a\": null, \"b\": [\"x\"]}", "\"\"",  "-0.5",
	};

	if (to)
		put_text(to, texts[i], ok);
	return COUNT(texts);
}

static int64_t edge_bytes(struct etl_column_builder *to, int64_t i, bool *ok)
{
	uint8_t bytes[64];
	int64_t size = i < 5 ? i : i * i;

	for (int64_t k = 0; k < size; k++)
		bytes[k] = (uint8_t)(i == 1 ? 0 : i == 2 ? 255 : 37 * k + 5 * i);
	if (to)
		*ok = *ok && etl_put_bytes(to, bytes, size);
	return 9;
}

/* 0001-01-01 and 9999-12-31 are the ends that every server has. */
static int64_t edge_date(struct etl_column_builder *to, int64_t i, bool *ok)
{
	static const int32_t days[] = { 0,	-1,	1,     11016, 10957, -25567, 19782,
					-719162, 2932896, -141428, 47541, -719103 };

	(void)ok;
	if (to)
		etl_put_int32(to, days[i]);
	return COUNT(days);
}

static int64_t edge_time(struct etl_column_builder *to, int64_t i, bool *ok)
{
	static const int64_t micros[] = { 0, 1, 999999, 1500000, INT64_C(43200000000),
					  INT64_C(86399999999), INT64_C(3600000000) };

	(void)ok;
	if (to)
		etl_put_int64(to, micros[i]);
	return COUNT(micros);
}

static int64_t edge_moment(struct etl_column_builder *to, int64_t i, bool *ok)
{
	static const int64_t micros[] = {
		0,
		1,
		-1,
		999999,
		-1000000,
		INT64_C(946684800000000),
		INT64_C(951868799999999),
		INT64_C(1709200800123456),
		INT64_C(-62135596800000000),
		INT64_C(-62135596799999999),
		INT64_C(253402300799999999),
		INT64_C(-2208988800000001),
		INT64_C(4102444800000000),
	};

	(void)ok;
	if (to)
		etl_put_int64(to, micros[i]);
	return COUNT(micros);
}

static int64_t edge_uuid(struct etl_column_builder *to, int64_t i, bool *ok)
{
	uint8_t bytes[16];

	(void)ok;
	for (int k = 0; k < 16; k++)
		bytes[k] = (uint8_t)(i == 0 ? 0 : i == 1 ? 255 : 17 * k);
	if (to)
		etl_put_fixed(to, bytes);
	return 3;
}

static edge_function *edges_of(int32_t type)
{
	switch (type) {
	case ETL_BOOL:
		return edge_bool;
	case ETL_INT16:
		return edge_int16;
	case ETL_INT32:
		return edge_int32;
	case ETL_INT64:
		return edge_int64;
	case ETL_FLOAT32:
		return edge_float32;
	case ETL_FLOAT64:
		return edge_float64;
	case ETL_DECIMAL:
		return edge_decimal;
	case ETL_NUMERIC:
		return edge_numeric;
	case ETL_BYTES:
		return edge_bytes;
	case ETL_DATE:
		return edge_date;
	case ETL_TIME:
		return edge_time;
	case ETL_TIMESTAMP:
	case ETL_INSTANT:
		return edge_moment;
	case ETL_UUID:
		return edge_uuid;
	case ETL_JSON:
		return edge_json;
	default:
		return edge_text;
	}
}

/* Each column goes round its values and a NULL, each from another one on. */
bool diff_edges(const struct ArrowSchema *schema, struct ArrowArray *ret)
{
	struct etl_builder *builder = etl_builder_new(schema, EDGE_ROWS);
	bool ok = builder != NULL;

	for (int64_t row = 0; ok && row < EDGE_ROWS; row++) {
		for (int64_t i = 0; ok && i < builder->count; i++) {
			struct etl_column_builder *col = &builder->columns[i];
			edge_function *edge = edges_of(col->type.type);
			int64_t count = edge(NULL, 0, &ok), at = (row + i) % (count + 1);

			if (at == count)
				etl_put_null(col);
			else
				edge(col, at, &ok);
		}
	}
	ok = ok && etl_builder_finish(builder, ret);
	etl_builder_free(builder);
	return ok;
}
