/*
 * Conditions of filters. Numbers are compared by their digits, so that 1, 1.0 and 10e-1 are equal and two long identifiers
 * that a double cannot tell apart are not.
 */
#include "config.h"

#include <string.h>

#include "path-parts.h"
#include "text.h"

#define EXPONENT_MOST 100000000000000000 /* beyond, two numbers are equal when they are spelled the same */

/* digits is the first that counts; the value is 0.DIGITS times ten to the power of magnitude. */
struct decimal {
	bool negative, zero, huge;
	const char *digits, *end; /* a point may be among them; the last digit is not 0 */
	int64_t magnitude;
};

static int64_t read_exponent(const char *at, const char *end, bool *huge)
{
	bool negative = at < end && *at == '-';
	int64_t value = 0;

	if (at < end && (*at == '-' || *at == '+'))
		at++;
	for (; at < end; at++) {
		value = value * 10 + (*at - '0');
		if (value > EXPONENT_MOST) {
			*huge = true;
			value = EXPONENT_MOST;
		}
	}
	return negative ? -value : value;
}

static const char *find_either(const char *at, const char *end, char a, char b)
{
	while (at < end && *at != a && *at != b)
		at++;
	return at;
}

static struct decimal decimal(const char *text, size_t size)
{
	const char *end = text + size, *mantissa_end, *point;
	struct decimal d = { .negative = text[0] == '-' };

	text += d.negative;
	mantissa_end = find_either(text, end, 'e', 'E');
	point = find_either(text, mantissa_end, '.', '.');
	if (mantissa_end < end)
		d.magnitude = read_exponent(mantissa_end + 1, end, &d.huge);
	while (text < mantissa_end && (*text == '0' || *text == '.'))
		text++;
	while (mantissa_end > text && (mantissa_end[-1] == '0' || mantissa_end[-1] == '.'))
		mantissa_end--;
	d.zero = text == mantissa_end;
	d.digits = text;
	d.end = mantissa_end;
	d.magnitude += text <= point ? point - text : point + 1 - text;
	return d;
}

static bool same_digits(const struct decimal *a, const struct decimal *b)
{
	const char *x = a->digits, *y = b->digits;

	for (;; x++, y++) {
		x += x < a->end && *x == '.';
		y += y < b->end && *y == '.';
		if (x == a->end || y == b->end)
			return x == a->end && y == b->end;
		if (*x != *y)
			return false;
	}
}

bool json_number_equal(const char *a, size_t a_size, const char *b, size_t b_size)
{
	struct decimal x, y;

	if (a_size == b_size && memcmp(a, b, a_size) == 0)
		return true;
	x = decimal(a, a_size);
	y = decimal(b, b_size);
	if (x.zero || y.zero)
		return x.zero && y.zero;
	return !x.huge && !y.huge && x.negative == y.negative && x.magnitude == y.magnitude && same_digits(&x, &y);
}

static bool is_constant(const struct json_condition *condition, const struct json_node *node, const char *text)
{
	if (node->kind != condition->kind)
		return false;
	if (node->kind == JSON_NUMBER)
		return json_number_equal(text + node->at, node->size, condition->constant, condition->size);
	if (node->kind != JSON_STRING)
		return true;
	return json_text_is(text + node->at, node->size, condition->constant, condition->size);
}

bool json_condition_holds(const struct json_condition *condition, const struct json_tree *tree, uint32_t node)
{
	uint32_t found = json_path_first(condition->query, 0, tree, node, NULL);
	size_t count;
	bool equal;

	if (condition->test == JSON_TEST_PRESENT || condition->test == JSON_TEST_ABSENT)
		return (found != UINT32_MAX) == (condition->test == JSON_TEST_PRESENT);
	equal = found != UINT32_MAX &&
		is_constant(condition, &json_tree_nodes(tree, &count)[found], json_tree_text(tree));
	return equal == (condition->test == JSON_TEST_EQUAL);
}

bool json_segment_lets(const struct json_segment *segment, const struct json_tree *tree, uint32_t node)
{
	const struct json_selector *filter = &segment->selectors[0];

	for (size_t i = 0; i < filter->condition_count; i++) {
		if (!json_condition_holds(&filter->conditions[i], tree, node))
			return false;
	}
	return true;
}
