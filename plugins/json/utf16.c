/*
 * Unit by unit: the C library's iconv ends at half of a pair, and what is a bad record here would be a bad file.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "text.h"
#include "utf16.h"

enum { FIRST_BYTES = 4, NO_UTF8 = 0xFF, ESCAPE = 6 /* \u and four digits */ };

/* The first character of JSON is ASCII, so zero bytes tell the width and the order. */
const char *json_encoding_of(const char *bytes, size_t size)
{
	const unsigned char *b = (const unsigned char *)bytes;

	if (size < 2)
		return NULL;
	if (size >= FIRST_BYTES) {
		if (b[2] == 0 && b[3] == 0 && ((b[0] == 0xFF && b[1] == 0xFE) || (b[0] != 0 && b[1] == 0)))
			return "UTF-32LE";
		if (b[0] == 0 && b[1] == 0 && ((b[2] == 0xFE && b[3] == 0xFF) || (b[2] == 0 && b[3] != 0)))
			return "UTF-32BE";
	}
	if ((b[0] == 0xFF && b[1] == 0xFE) || (b[0] != 0 && b[1] == 0))
		return "UTF-16LE";
	if ((b[0] == 0xFE && b[1] == 0xFF) || (b[0] == 0 && b[1] != 0))
		return "UTF-16BE";
	return NULL;
}

/* Behind a backslash the escape would be another: there it is bytes that are no UTF-8. */
static size_t put_half(struct json_utf16 *utf16, uint32_t c, char *to)
{
	char escape[ESCAPE + 1];
	bool plain = utf16->backslash;

	utf16->backslash = false;
	if (plain)
		return json_text_encode(c, to);
	snprintf(escape, sizeof(escape), "\\u%04x", (unsigned)c & 0xFFFF);
	memcpy(to, escape, ESCAPE);
	return ESCAPE;
}

static bool is_high(uint32_t c)
{
	return c >= 0xD800 && c < 0xDC00;
}

static bool is_low(uint32_t c)
{
	return c >= 0xDC00 && c < 0xE000;
}

static size_t put_unit(struct json_utf16 *utf16, uint32_t c, char *to)
{
	uint32_t high = utf16->high;
	size_t size = 0;

	utf16->high = 0;
	if (high && is_low(c)) {
		utf16->backslash = false;
		return json_text_encode(0x10000 + ((high - 0xD800) << 10) + (c - 0xDC00), to);
	}
	if (high)
		size = put_half(utf16, high, to);
	if (is_low(c))
		return size + put_half(utf16, c, to + size);
	if (is_high(c)) {
		utf16->high = c;
		return size;
	}
	utf16->backslash = c == '\\' && !utf16->backslash;
	return size + json_text_encode(c, to + size);
}

size_t json_utf16_convert(struct json_utf16 *utf16, const char *from, size_t size, char *to)
{
	const unsigned char *bytes = (const unsigned char *)from;
	char *at = to;

	for (size_t i = 0; i < size; i++) {
		unsigned first = utf16->byte, second = bytes[i];

		utf16->odd = !utf16->odd;
		if (utf16->odd)
			utf16->byte = bytes[i];
		else
			at += put_unit(utf16, utf16->big ? first << 8 | second : second << 8 | first, at);
	}
	return (size_t)(at - to);
}

size_t json_utf16_end(struct json_utf16 *utf16, char *to)
{
	size_t size = utf16->high ? put_half(utf16, utf16->high, to) : 0;

	if (utf16->odd)
		to[size++] = (char)NO_UTF8;
	*utf16 = (struct json_utf16){ .big = utf16->big };
	return size;
}
