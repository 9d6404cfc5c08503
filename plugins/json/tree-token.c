/*
 * The grammar of numbers and escapes, as RFC 8259 has it. Numbers of any length and exponent are good: what a column can
 * hold is not known here. Beside it the three names that other programs write for numbers which are none.
 */
#include "config.h"

#include <string.h>

#include "text.h"
#include "tree-parts.h"

static size_t digits(const char *text, size_t at, size_t size)
{
	while (at < size && text[at] >= '0' && text[at] <= '9')
		at++;
	return at;
}

static size_t exponent(const char *text, size_t at, size_t size)
{
	if (at < size && (text[at] == '+' || text[at] == '-'))
		at++;
	return digits(text, at, size);
}

static bool ends_in_digit(const char *text, size_t at)
{
	return text[at - 1] >= '0' && text[at - 1] <= '9';
}

bool json_token_number(const char *text, size_t size, uint8_t *ret_flags)
{
	size_t start = text[0] == '-', at = digits(text, start, size);

	*ret_flags = 0;
	if (at == start || (text[start] == '0' && at - start > 1))
		return false;
	if (at == size)
		return true;
	*ret_flags = JSON_FRACTION;
	if (text[at] == '.') {
		at = digits(text, at + 1, size);
		if (!ends_in_digit(text, at))
			return false;
	}
	if (at < size && (text[at] == 'e' || text[at] == 'E'))
		at = exponent(text, at + 1, size);
	return at == size && ends_in_digit(text, at);
}

size_t json_token_nonfinite(const char *text, size_t size)
{
	static const char *const names[] = { "NaN", "Infinity", "-Infinity" };
	size_t i, length;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		length = strlen(names[i]);
		if (length <= size && memcmp(text, names[i], length) == 0)
			return length;
	}
	return 0;
}

size_t json_token_escapes(const char *text, size_t size)
{
	const char *backslash;
	size_t at = 0, run, used;
	uint32_t c;

	while (at < size) {
		backslash = memchr(text + at, '\\', size - at);
		run = backslash ? (size_t)(backslash - text) - at : size - at;
		if (memchr(text + at, '"', run))
			return (size_t)((const char *)memchr(text + at, '"', run) - text);
		at += run;
		if (at == size)
			break;
		used = json_text_escape(text + at, size - at, &c);
		if (used == 0)
			return at;
		at += used;
	}
	return size;
}
