/* See total-sum.h. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "total-sum.h"

#define LIMB_DIGITS 9
#define LIMB	    UINT64_C(1000000000)
/* Digits before and behind the point that a numeric may have; PostgreSQL's has 131,072 and 16,383. */
#define MOST_DIGITS 1000000

/* ---- Digits ---- */

static unsigned digit_of(const struct number *n, int64_t i)
{
	char c = i < n->whole_size ? n->whole[i] : n->part[i - n->whole_size];

	return (unsigned)(c - '0');
}

static bool is_zero(const struct number *n)
{
	return n->first == n->last;
}

/* Without signs. */
static int compare_sizes(const struct number *a, const struct number *b)
{
	int64_t count_a = a->last - a->first, count_b = b->last - b->first;

	if (is_zero(a) || is_zero(b))
		return is_zero(b) - is_zero(a);
	if (a->point - a->first != b->point - b->first)
		return a->point - a->first < b->point - b->first ? -1 : 1;
	for (int64_t i = 0; i < count_a && i < count_b; i++) {
		unsigned x = digit_of(a, a->first + i), y = digit_of(b, b->first + i);

		if (x != y)
			return x < y ? -1 : 1;
	}
	return (count_a > count_b) - (count_a < count_b);
}

int number_compare(const struct number *a, const struct number *b)
{
	bool below_a = a->negative && !is_zero(a), below_b = b->negative && !is_zero(b);

	if (below_a != below_b)
		return below_a ? -1 : 1;
	return below_a ? -compare_sizes(a, b) : compare_sizes(a, b);
}

static void add_digit(struct etl_text *text, unsigned digit)
{
	char c = (char)('0' + digit);

	etl_text_add_bytes(text, &c, 1);
}

void number_spell(const struct number *n, struct etl_text *text)
{
	if (n->negative && !is_zero(n))
		etl_text_add(text, "-");
	if (is_zero(n) || n->point <= n->first)
		etl_text_add(text, "0");
	if (is_zero(n))
		return;
	for (int64_t i = n->first; i < n->point; i++)
		add_digit(text, i < n->last ? digit_of(n, i) : 0);
	if (n->last <= n->point)
		return;
	etl_text_add(text, ".");
	for (int64_t i = n->point; i < n->first; i++)
		add_digit(text, 0);
	for (int64_t i = n->point > n->first ? n->point : n->first; i < n->last; i++)
		add_digit(text, digit_of(n, i));
}

/* ---- Big numbers ---- */

static uint64_t limb_of(const struct big_number *b, int64_t place)
{
	return place < b->low || place >= b->low + (int64_t)b->count ? 0 : b->limbs[place - b->low];
}

static int64_t top_of(const struct big_number *b)
{
	return b->low + (int64_t)b->count;
}

/* Has limbs for all places of FIRST .. LAST. */
static bool big_room(struct big_number *b, int64_t first, int64_t last)
{
	int64_t low = b->count == 0 || first < b->low ? first : b->low;
	int64_t top = b->count == 0 || last + 1 > top_of(b) ? last + 1 : top_of(b);
	uint64_t *limbs;

	if (b->count > 0 && low == b->low && top == top_of(b))
		return true;
	limbs = calloc((size_t)(top - low), sizeof(*limbs));
	if (!limbs)
		return false;
	if (b->count > 0)
		memcpy(limbs + (b->low - low), b->limbs, b->count * sizeof(*limbs));
	free(b->limbs);
	*b = (struct big_number){ .limbs = limbs, .low = low, .count = (size_t)(top - low) };
	return true;
}

/* V is less than a limb holds. */
static bool big_add(struct big_number *b, int64_t place, uint64_t v)
{
	while (v > 0) {
		uint64_t *limb;

		if (!big_room(b, place, place))
			return false;
		limb = &b->limbs[place - b->low];
		*limb += v;
		v = *limb / LIMB;
		*limb %= LIMB;
		place++;
	}
	return true;
}

static int64_t place_of(int64_t power)
{
	return power >= 0 ? power / LIMB_DIGITS : -((-power + LIMB_DIGITS - 1) / LIMB_DIGITS);
}

/* Without its sign, limb by limb. */
static bool big_add_number(struct big_number *b, const struct number *n)
{
	static const uint64_t powers[] = { 1,	   10,	    100,      1000,	10000,
					   100000, 1000000, 10000000, 100000000 };
	int64_t place = 0;
	uint64_t part = 0;

	if (is_zero(n))
		return true;
	if (!big_room(b, place_of(n->point - n->last), place_of(n->point - 1 - n->first)))
		return false;
	for (int64_t i = n->first; i < n->last; i++) {
		int64_t power = n->point - 1 - i, at = place_of(power);

		if (at != place && part > 0 && !big_add(b, place, part))
			return false;
		if (at != place)
			part = 0;
		place = at;
		part += digit_of(n, i) * powers[power - at * LIMB_DIGITS];
	}
	return big_add(b, place, part);
}

static bool big_merge(struct big_number *to, const struct big_number *from)
{
	for (size_t i = 0; i < from->count; i++)
		if (!big_add(to, from->low + (int64_t)i, from->limbs[i]))
			return false;
	return true;
}

static int big_compare(const struct big_number *a, const struct big_number *b, int64_t low, int64_t top)
{
	for (int64_t place = top - 1; place >= low; place--)
		if (limb_of(a, place) != limb_of(b, place))
			return limb_of(a, place) < limb_of(b, place) ? -1 : 1;
	return 0;
}

/* MORE - LESS, which is not negative, as digits; DIGITS has room for nine a place. */
static void big_subtract(const struct big_number *more, const struct big_number *less, int64_t low, int64_t top,
			 char *digits)
{
	uint64_t borrowed = 0;

	for (int64_t place = low; place < top; place++) {
		uint64_t x = limb_of(more, place), y = limb_of(less, place) + borrowed;
		char *at = digits + (top - place) * LIMB_DIGITS;

		borrowed = x < y;
		x = x + borrowed * LIMB - y;
		for (int i = 0; i < LIMB_DIGITS; i++, x /= 10)
			*--at = (char)('0' + x % 10);
	}
}

/* ---- Sums ---- */

static void add_number(struct exact_sum *sum, const struct number *n)
{
	if (n->point > MOST_DIGITS || n->point < -MOST_DIGITS || n->last - n->first > MOST_DIGITS)
		sum->failed = true;
	else if (!big_add_number(n->negative ? &sum->minus : &sum->plus, n))
		sum->failed = true;
}

static void carry_over(struct exact_sum *sum)
{
	char text[SPELL_MAX];
	struct number n;

	if (etl_number_parse(&n, text, etl_spell_decimal(text, sum->small, sum->scale)))
		add_number(sum, &n);
	sum->small = 0;
}

void exact_sum_add(struct exact_sum *sum, etl_i128 v)
{
	etl_i128 more;

	if (__builtin_add_overflow(sum->small, v, &more)) {
		carry_over(sum);
		more = v;
	}
	sum->small = more;
}

static bool is_word(const char *word, const char *text, size_t size)
{
	return strlen(word) == size && memcmp(word, text, size) == 0;
}

void exact_sum_add_text(struct exact_sum *sum, const char *text, size_t size)
{
	struct number n;

	if (is_word("NaN", text, size))
		sum->nan = true;
	else if (is_word("Infinity", text, size))
		sum->up = true;
	else if (is_word("-Infinity", text, size))
		sum->down = true;
	else if (etl_number_parse(&n, text, size))
		add_number(sum, &n);
	else
		sum->failed = true;
}

void exact_sum_merge(struct exact_sum *to, const struct exact_sum *from)
{
	exact_sum_add(to, from->small);
	to->failed |= from->failed || !big_merge(&to->plus, &from->plus) || !big_merge(&to->minus, &from->minus);
	to->nan |= from->nan;
	to->up |= from->up;
	to->down |= from->down;
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Both have a limb for each place between the first and the last of either, and the one right of the point. */
static void spell_digits(const struct exact_sum *sum, struct etl_text *text)
{
	int64_t low = least(0, least(sum->plus.low, sum->minus.low));
	int64_t top = -least(-1, least(-top_of(&sum->plus), -top_of(&sum->minus)));
	int order = big_compare(&sum->plus, &sum->minus, low, top);
	size_t size = (size_t)(top - low) * LIMB_DIGITS;
	char *digits = malloc(size + 1);
	struct number n = { .negative = order < 0, .whole = digits, .whole_size = top * LIMB_DIGITS, .part_size = -low * LIMB_DIGITS };

	if (!digits) {
		text->failed = true;
		return;
	}
	big_subtract(order < 0 ? &sum->minus : &sum->plus, order < 0 ? &sum->plus : &sum->minus, low, top, digits);
	n.part = digits + n.whole_size;
	n.point = n.whole_size;
	n.last = (int64_t)size;
	while (n.first < n.last && digits[n.first] == '0')
		n.first++;
	while (n.last > n.first && digits[n.last - 1] == '0')
		n.last--;
	number_spell(&n, text);
	free(digits);
}

void exact_sum_spell(struct exact_sum *sum, struct etl_text *text)
{
	carry_over(sum);
	if (sum->failed)
		text->failed = true;
	else if (sum->nan || (sum->up && sum->down))
		etl_text_add(text, "NaN");
	else if (sum->up || sum->down)
		etl_text_add(text, sum->up ? "Infinity" : "-Infinity");
	else
		spell_digits(sum, text);
}

void exact_sum_free(struct exact_sum *sum)
{
	free(sum->plus.limbs);
	free(sum->minus.limbs);
	sum->plus = sum->minus = (struct big_number){ 0 };
}
