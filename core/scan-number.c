/*
 * Numbers as libconfig 1.5 writes them: integers of 32 bits, of 64 with an L, hexadecimal ones, and
 * floats. It lets an integer that is too large wrap without a word, so here every one is measured.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "scan-order.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static size_t digits(const char *text, bool hex)
{
	size_t n = 0;

	while (is_digit(text[n]) || (hex && is_hex(text[n])))
		n++;
	return n;
}

bool scan_number_integer(char *word, bool *ret_long)
{
	bool hex = word[0] == '0' && (word[1] == 'x' || word[1] == 'X');
	size_t start = hex ? 2 : 0, n = digits(word + start, hex);

	*ret_long = word[start + n] == 'L';
	if (n == 0 || (strcmp(word + start + n, "") != 0 && strcmp(word + start + n, "L") != 0 &&
		       strcmp(word + start + n, "LL") != 0))
		return false;
	word[start + n] = '\0';
	return true;
}

bool scan_number_float(const char *word)
{
	size_t whole = digits(word, false), part = 0, power;

	word += whole;
	if (*word == '.') {
		part = digits(++word, false);
		word += part;
	}
	if (whole + part == 0)
		return false;
	if (*word != 'e' && *word != 'E')
		return *word == '\0';
	word++;
	if (*word == '-' || *word == '+')
		word++;
	power = digits(word, false);
	return power > 0 && word[power] == '\0';
}

int scan_number_range(struct scan_at at, const char *word, bool negative, bool is_long,
		      struct etl_error *err)
{
	int base = word[0] == '0' && (word[1] == 'x' || word[1] == 'X') ? 16 : 10;
	unsigned long long most = (unsigned long long)INT64_MAX + (negative ? 1 : 0), value;
	const char *sign = negative ? "-" : "";

	errno = 0;
	value = strtoull(word, NULL, base);
	if (errno == ERANGE || value > most)
		return scan_fail(at, err,
				 "the number %s%s does not fit 64 bits; write a smaller one", sign,
				 word);
	most = (unsigned long long)INT32_MAX + (negative ? 1 : 0);
	if (!is_long && value > most)
		return scan_fail(
			at, err,
			"the number %s%s is beyond 32 bits and would wrap; write it with an "
			"L at its end: %s%sL",
			sign, word, sign, word);
	return ETL_OK;
}
