/*
 * numeric: digits in groups of four, most significant first, the weight of the first group, and how many decimals
 * are shown (numeric_recv). Nothing passes through a float. What numeric(P,S) would round is refused.
 */
#include "config.h"

#include "encode.h"
#include "number.h"

#define NEGATIVE     0x4000
#define GROUPS_SMALL 12	    /* what 128 bits can fill, with one group of decimals cut in two */
#define DIGITS_MOST  131072 /* before the point */
#define SCALE_MOST   16383
#define INT_DIGITS   19 /* of the largest integer: it is less than ten to that power */

static const uint64_t tens[] = { 1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000,
				 1000000000, 10000000000, 100000000000, 1000000000000,
				 10000000000000, 100000000000000, 1000000000000000,
				 10000000000000000, 100000000000000000, 1000000000000000000 };

/* What all begin with; the caller has made room. */
static void put_head(struct encode_buffer *b, size_t groups, int weight, bool negative, int scale)
{
	encode_put32(b, (uint32_t)(8 + 2 * groups));
	encode_put16(b, (uint16_t)groups);
	encode_put16(b, (uint16_t)weight);
	encode_put16(b, negative ? NEGATIVE : 0);
	encode_put16(b, (uint16_t)scale);
}

/* GROUPS from the least significant one, which has WEIGHT. */
static const char *put_groups(struct encode_buffer *b, const uint16_t *groups, size_t count,
			      int weight, bool negative, int scale)
{
	size_t first = 0;

	while (count && groups[count - 1] == 0)
		count--;
	while (first < count && groups[first] == 0)
		first++;
	if (!encode_room(b, 12 + 2 * count))
		return "no_memory";
	put_head(b, count - first, count ? weight + (int)count - 1 : 0, negative && count, scale);
	for (size_t i = count; i > first; i--)
		encode_put16(b, groups[i - 1]);
	return NULL;
}

static const char *put_int(struct encode_column *c, const struct etl_column_view *v, int64_t row,
			   struct encode_buffer *b)
{
	int64_t value = encode_get_int(v, row);
	uint64_t rest = value < 0 ? (uint64_t)0 - (uint64_t)value : (uint64_t)value;
	int whole = c->precision - c->scale;
	uint16_t groups[5];
	size_t count = 0;

	if (c->precision && whole < INT_DIGITS && (whole <= 0 ? rest != 0 : rest >= tens[whole]))
		return "out_of_range";
	if (c->precision && c->scale < 0 && (c->scale <= -INT_DIGITS ? rest != 0 : rest % tens[-c->scale] != 0))
		return "too_precise";
	for (; rest; rest /= 10000)
		groups[count++] = (uint16_t)(rest % 10000);
	return put_groups(b, groups, count, 0, value < 0, 0);
}

/* ---- Texts -------------------------------------------------------------------------------------------------------- */

static int64_t group_of(int64_t place)
{
	return place >= 0 ? place / 4 : -((3 - place) / 4);
}

static unsigned digit_at(const struct number *n, int64_t i)
{
	return (unsigned)((i < n->whole_size ? n->whole[i] : n->part[i - n->whole_size]) - '0');
}

static const char *check_number(const struct encode_column *c, const struct number *n, int64_t scale)
{
	if (n->first == n->last)
		return scale > SCALE_MOST ? "too_precise" : NULL;
	if (n->point - n->first > (c->precision ? c->precision - c->scale : DIGITS_MOST))
		return "out_of_range";
	return n->last - n->point > (c->precision ? c->scale : SCALE_MOST) || scale > SCALE_MOST ?
		       "too_precise" :
		       NULL;
}

/* The digit I stands for 10^(point - 1 - I). */
static void put_digits(struct encode_buffer *b, const struct number *n, int64_t top, int64_t bottom)
{
	int64_t i = n->first;

	for (int64_t group = top; group >= bottom; group--) {
		unsigned v = 0;

		for (int64_t place = 4 * group + 3; place >= 4 * group; place--) {
			bool there = i < n->last && n->point - 1 - i == place;

			v = v * 10 + (there ? digit_at(n, i) : 0);
			i += there;
		}
		encode_put16(b, (uint16_t)v);
	}
}

static const char *put_number(struct encode_column *c, const char *text, size_t size,
			      struct encode_buffer *b)
{
	int64_t scale, top, bottom;
	struct number n;
	const char *code;

	if (!etl_number_parse(&n, text, size))
		return "not_a_number";
	scale = n.whole_size + n.part_size - n.point;
	scale = scale < 0 ? 0 : scale;
	code = check_number(c, &n, scale);
	if (code)
		return code;
	top = n.first < n.last ? group_of(n.point - 1 - n.first) : -1;
	bottom = n.first < n.last ? group_of(n.point - n.last) : 0;
	if (!encode_room(b, 12 + 2 * (size_t)(top - bottom + 1)))
		return "no_memory";
	put_head(b, (size_t)(top - bottom + 1), n.first < n.last ? (int)top : 0,
		 n.negative && n.first < n.last, (int)scale);
	put_digits(b, &n, top, bottom);
	return NULL;
}

static const char *put_text(struct encode_column *c, const struct etl_column_view *v, int64_t row,
			    struct encode_buffer *b)
{
	int64_t size;
	const uint8_t *at = etl_get_bytes(v, row, &size);

	return put_number(c, (const char *)at, (size_t)size, b);
}

/* ---- Decimals ----------------------------------------------------------------------------------------------------- */

static const char *put_decimal(struct encode_column *c, const struct etl_column_view *v, int64_t row,
			       struct encode_buffer *b)
{
	etl_i128 value = etl_decimal_get(etl_get_fixed(v, row));
	etl_u128 rest = value < 0 ? (etl_u128)0 - (etl_u128)value : (etl_u128)value;
	unsigned cut = (unsigned)v->type.scale % 4; /* decimals in the last group */
	uint16_t groups[GROUPS_SMALL];
	size_t count = 0;
	uint64_t small;

	(void)c;
	if (cut) {
		groups[count++] = (uint16_t)((uint64_t)(rest % tens[cut]) * tens[4 - cut]);
		rest /= tens[cut];
	}
	for (; rest > UINT64_MAX; rest /= 10000)
		groups[count++] = (uint16_t)(rest % 10000);
	for (small = (uint64_t)rest; small; small /= 10000)
		groups[count++] = (uint16_t)(small % 10000);
	return put_groups(b, groups, count, -(v->type.scale + 3) / 4, value < 0, v->type.scale);
}

/* A decimal that may be too large or too fine for the column. */
static const char *put_spelled(struct encode_column *c, const struct etl_column_view *v, int64_t row,
			       struct encode_buffer *b)
{
	char buf[SPELL_MAX];
	size_t size = etl_spell_decimal(buf, etl_decimal_get(etl_get_fixed(v, row)), v->type.scale);

	return put_number(c, buf, size, b);
}

encode_put *encode_numeric(struct encode_column *c, struct etl_type_info from)
{
	switch (from.type) {
	case ETL_INT16:
	case ETL_INT32:
	case ETL_INT64:
		return put_int;
	case ETL_NUMERIC:
		return put_text;
	case ETL_DECIMAL:
		return c->precision && (from.scale > c->scale ||
					from.precision - from.scale > c->precision - c->scale) ?
			       put_spelled :
			       put_decimal;
	default:
		return NULL;
	}
}
