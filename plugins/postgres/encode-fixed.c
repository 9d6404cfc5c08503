/*
 * Values whose form has a fixed size: flags, integers, floats, dates, times, uuids. The server counts days and
 * microseconds from 2000-01-01.
 */
#include "config.h"

#include "encode.h"

#define EPOCH_DAYS   10957 /* of 2000-01-01 since 1970 */
#define EPOCH_MICROS (EPOCH_DAYS * MICROS_PER_DAY)
#define MICROS_PER_DAY INT64_C(86400000000)
/* The server's own ends, datatype/timestamp.h: 4714-11-24 BC, and the years 5874898 and 294277. */
#define DATE_LEAST	 INT64_C(-2451545)
#define DATE_BEYOND	 INT64_C(2145031949)
#define TIMESTAMP_LEAST	 INT64_C(-211813488000000000)
#define TIMESTAMP_BEYOND INT64_C(9223371331200000000)

static const char *put_2(struct encode_buffer *b, int16_t v)
{
	if (!encode_room(b, 6))
		return "no_memory";
	encode_put32(b, 2);
	encode_put16(b, (uint16_t)v);
	return NULL;
}

static const char *put_4(struct encode_buffer *b, uint32_t v)
{
	if (!encode_room(b, 8))
		return "no_memory";
	encode_put32(b, 4);
	encode_put32(b, v);
	return NULL;
}

static const char *put_8(struct encode_buffer *b, uint64_t v)
{
	if (!encode_room(b, 12))
		return "no_memory";
	encode_put32(b, 8);
	encode_put64(b, v);
	return NULL;
}

/* ---- Flags, integers, floats ----------------------------------------------------------------------------------- */

static const char *put_bool(struct encode_column *c, const struct etl_column_view *v, int64_t row,
			    struct encode_buffer *b)
{
	(void)c;
	if (!encode_room(b, 5))
		return "no_memory";
	encode_put32(b, 1);
	b->at[b->used++] = etl_get_bool(v, row);
	return NULL;
}

static const char *put_int2(struct encode_column *c, const struct etl_column_view *v, int64_t row,
			    struct encode_buffer *b)
{
	int64_t value = encode_get_int(v, row);

	(void)c;
	return value < INT16_MIN || value > INT16_MAX ? "out_of_range" : put_2(b, (int16_t)value);
}

static const char *put_int4(struct encode_column *c, const struct etl_column_view *v, int64_t row,
			    struct encode_buffer *b)
{
	int64_t value = encode_get_int(v, row);

	(void)c;
	return value < INT32_MIN || value > INT32_MAX ? "out_of_range" :
							 put_4(b, (uint32_t)(int32_t)value);
}

static const char *put_int8(struct encode_column *c, const struct etl_column_view *v, int64_t row,
			    struct encode_buffer *b)
{
	(void)c;
	return put_8(b, (uint64_t)encode_get_int(v, row));
}

static const char *put_float4(struct encode_column *c, const struct etl_column_view *v, int64_t row,
			      struct encode_buffer *b)
{
	(void)c;
	return put_4(b, (uint32_t)etl_get_int32(v, row));
}

static const char *put_float8(struct encode_column *c, const struct etl_column_view *v, int64_t row,
			      struct encode_buffer *b)
{
	(void)c;
	return put_8(b, (uint64_t)etl_get_int64(v, row));
}

/* ---- Moments ------------------------------------------------------------------------------------------------------ */

/* timestamp(P) would round what is finer. */
static bool is_finer(const struct encode_column *c, int64_t micros)
{
	static const int64_t units[] = { 1000000, 100000, 10000, 1000, 100, 10, 1 };

	return c->modifier >= 0 && c->modifier <= 6 && micros % units[c->modifier] != 0;
}

static const char *put_date(struct encode_column *c, const struct etl_column_view *v, int64_t row,
			    struct encode_buffer *b)
{
	int64_t days = (int64_t)etl_get_int32(v, row) - EPOCH_DAYS;

	(void)c;
	return days < DATE_LEAST || days >= DATE_BEYOND ? "out_of_range" :
							   put_4(b, (uint32_t)(int32_t)days);
}

static const char *put_time(struct encode_column *c, const struct etl_column_view *v, int64_t row,
			    struct encode_buffer *b)
{
	int64_t micros = etl_get_int64(v, row);

	if (micros < 0 || micros > MICROS_PER_DAY)
		return "out_of_range";
	return is_finer(c, micros) ? "too_precise" : put_8(b, (uint64_t)micros);
}

static const char *put_timestamp(struct encode_column *c, const struct etl_column_view *v,
				 int64_t row, struct encode_buffer *b)
{
	int64_t micros = etl_get_int64(v, row);

	if (micros < TIMESTAMP_LEAST + EPOCH_MICROS || micros - EPOCH_MICROS >= TIMESTAMP_BEYOND)
		return "out_of_range";
	return is_finer(c, micros) ? "too_precise" : put_8(b, (uint64_t)(micros - EPOCH_MICROS));
}

static const char *put_uuid(struct encode_column *c, const struct etl_column_view *v, int64_t row,
			    struct encode_buffer *b)
{
	(void)c;
	if (!encode_room(b, 20))
		return "no_memory";
	encode_put32(b, 16);
	memcpy(b->at + b->used, etl_get_fixed(v, row), 16);
	b->used += 16;
	return NULL;
}

static bool is_int(int32_t type)
{
	return type == ETL_INT16 || type == ETL_INT32 || type == ETL_INT64;
}

encode_put *encode_fixed(const struct encode_column *c, struct etl_type_info from)
{
	static const struct {
		uint32_t oid;
		int32_t type;
		encode_put *put;
	} ways[] = {
		{ OID_BOOL, ETL_BOOL, put_bool },
		{ OID_FLOAT4, ETL_FLOAT32, put_float4 },
		{ OID_FLOAT8, ETL_FLOAT64, put_float8 },
		{ OID_DATE, ETL_DATE, put_date },
		{ OID_TIME, ETL_TIME, put_time },
		{ OID_TIMESTAMP, ETL_TIMESTAMP, put_timestamp },
		{ OID_TIMESTAMPTZ, ETL_INSTANT, put_timestamp },
		{ OID_UUID, ETL_UUID, put_uuid },
	};

	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++)
		if (ways[i].oid == c->oid && ways[i].type == from.type)
			return ways[i].put;
	if (!is_int(from.type))
		return NULL;
	return c->oid == OID_INT2 ? put_int2 :
	       c->oid == OID_INT4 ? put_int4 :
	       c->oid == OID_INT8 ? put_int8 :
				    NULL;
}
