/*
 * The numeric type: groups of four decimal digits, the place of the first one, a sign and how many decimals are
 * shown. It becomes text or a decimal digit by digit; nothing is rounded.
 */
#include "config.h"

#include "decode.h"

#define HEAD	     8 /* bytes: groups, weight, sign, decimals shown; sixteen bits each */
#define GROUP	     10000
#define GROUP_DIGITS 4
#define NEGATIVE     0x4000
#define NOT_A_NUMBER 0xc000
#define PLUS_INFINITY 0xd000
#define MINUS_INFINITY 0xf000
#define DIGITS_MAX   38 /* of a decimal in 128 bits */

__extension__ typedef unsigned __int128 wide;

struct numeric {
	int32_t groups, weight, scale; /* the first group counts for GROUP to the power of `weight` */
	uint16_t sign;
	const uint8_t *at; /* of the first group */
};

static const uint16_t powers[] = { 1, 10, 100, 1000, 10000 };

/* NULL, or why it is no number. */
static const char *parse(struct numeric *n, const uint8_t *bytes, int32_t size)
{
	if (size < HEAD)
		return "type";
	n->groups = decode_16(bytes);
	n->weight = (int16_t)decode_16(bytes + 2);
	n->sign = decode_16(bytes + 4);
	n->scale = decode_16(bytes + 6) & 0x3fff;
	n->at = bytes + HEAD;
	if (n->sign == NOT_A_NUMBER)
		return "not_a_number";
	if (n->sign == PLUS_INFINITY || n->sign == MINUS_INFINITY)
		return "infinity";
	return size == HEAD + 2 * n->groups ? NULL : "type";
}

/* The group that counts for GROUP to the power of WEIGHT. */
static unsigned group_at(const struct numeric *n, int32_t weight)
{
	int32_t i = n->weight - weight;

	return i >= 0 && i < n->groups ? decode_16(n->at + 2 * i) : 0;
}

static char *write_group(char *to, unsigned group)
{
	to[0] = (char)('0' + group / 1000);
	to[1] = (char)('0' + group / 100 % 10);
	to[2] = (char)('0' + group / 10 % 10);
	to[3] = (char)('0' + group % 10);
	return to + GROUP_DIGITS;
}

/* The part before the point, without leading zeros. */
static char *write_whole(char *to, const struct numeric *n)
{
	char first[GROUP_DIGITS];
	int32_t skip = 0;

	if (n->weight < 0 || n->groups == 0) {
		*to++ = '0';
		return to;
	}
	write_group(first, group_at(n, n->weight));
	while (skip < GROUP_DIGITS - 1 && first[skip] == '0')
		skip++;
	for (; skip < GROUP_DIGITS; skip++)
		*to++ = first[skip];
	for (int32_t w = n->weight - 1; w >= 0; w--)
		to = write_group(to, group_at(n, w));
	return to;
}

/* Writes at most as many bytes as `room_for` says. */
static char *write_number(char *to, const struct numeric *n)
{
	char *end;

	if (n->sign == NEGATIVE)
		*to++ = '-';
	to = write_whole(to, n);
	if (n->scale == 0)
		return to;
	*to++ = '.';
	end = to + n->scale;
	for (int32_t w = -1; to < end; w--)
		to = write_group(to, group_at(n, w));
	return end;
}

static int64_t room_for(const struct numeric *n)
{
	int64_t whole = n->weight < 0 ? 1 : ((int64_t)n->weight + 1) * GROUP_DIGITS;

	return 1 + whole + 1 + n->scale + GROUP_DIGITS;
}

const char *decode_numeric(struct etl_column_builder *to, const uint8_t *bytes, int32_t size)
{
	struct numeric n;
	const char *code = parse(&n, bytes, size);
	char *at, *end;

	if (code)
		return code;
	if (room_for(&n) > to->room - to->used && !etl_column_grow(to, room_for(&n)))
		return "no_memory";
	at = (char *)to->bytes + to->used;
	end = write_number(at, &n);
	to->used += end - at;
	to->offsets[to->rows + 1] = (int32_t)to->used;
	etl_put_valid(to);
	return NULL;
}

const char *decode_numeric_text(struct etl_column_builder *to, const uint8_t *bytes, int32_t size)
{
	struct numeric n;
	const char *word = NULL;

	if (size < HEAD)
		return "type";
	parse(&n, bytes, size);
	if (n.sign == NOT_A_NUMBER)
		word = "NaN";
	else if (n.sign == PLUS_INFINITY)
		word = "Infinity";
	else if (n.sign == MINUS_INFINITY)
		word = "-Infinity";
	if (!word)
		return decode_numeric(to, bytes, size);
	return etl_put_bytes(to, word, (int64_t)strlen(word)) ? NULL : "no_memory";
}

/* ---- Decimals ----------------------------------------------------------------------------------------------- */

static bool times(wide *v, unsigned factor, unsigned add, wide most)
{
	if (add > most || *v > (most - add) / factor)
		return false;
	*v = *v * factor + add;
	return true;
}

static wide most_of(int32_t precision)
{
	wide v = 1;

	for (int32_t i = 0; i < precision && i < DIGITS_MAX; i++)
		v *= 10;
	return v - 1;
}

/* The digits down to SCALE decimals; what is below them must be zero. */
static const char *collect(const struct numeric *n, int32_t scale, wide most, wide *ret)
{
	wide v = 0;
	int32_t power = 0; /* of ten, of the last digit that was taken, before it is scaled */

	for (int32_t i = 0; i < n->groups; i++) {
		unsigned group = decode_16(n->at + 2 * i);
		int32_t below;

		power = GROUP_DIGITS * (n->weight - i) + scale;
		below = power >= 0 ? 0 : -power < GROUP_DIGITS ? -power : GROUP_DIGITS;
		if (group % powers[below] != 0)
			return "too_precise";
		if (!times(&v, powers[GROUP_DIGITS - below], group / powers[below], most))
			return "out_of_range";
	}
	for (; power > 0 && v > 0; power--)
		if (!times(&v, 10, 0, most))
			return "out_of_range";
	*ret = v;
	return NULL;
}

const char *decode_decimal(struct etl_column_builder *to, const uint8_t *bytes, int32_t size)
{
	struct numeric n;
	wide v = 0;
	const char *code = parse(&n, bytes, size);

	if (!code)
		code = collect(&n, to->type.scale, most_of(to->type.precision), &v);
	if (code)
		return code;
	if (n.sign == NEGATIVE)
		v = -v;
	etl_put_fixed(to, &v);
	return NULL;
}
