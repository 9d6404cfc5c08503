/* Whether a text is one JSON value (RFC 8259), before a store is asked to keep it as one. */
#ifndef LIB_JSON_H
#define LIB_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* White space between what JSON is made of. */
static inline bool etl_json_is_blank(char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* Where, from AT on, a string is no longer what it says: its end, an escape or a control; or END. */
static inline const char *etl_json_plain(const char *at, const char *end)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
	uint64_t word, quote, slash;

	/* Eight bytes at a time: one that is 0 borrows into its top bit, and so do those below a blank. */
	while (end - at >= 8) {
		memcpy(&word, at, 8);
		quote = word ^ ones * '"';
		slash = word ^ ones * '\\';
		if ((((quote - ones) & ~quote) | ((slash - ones) & ~slash) | ((word - ones * ' ') & ~word)) & tops)
			break;
		at += 8;
	}
	while (at < end && *at != '"' && *at != '\\' && (unsigned char)*at >= ' ')
		at++;
	return at;
}

/* TEXT is valid UTF-8. Nested deeper than 512 is refused. */
bool etl_json_valid(const char *text, size_t size);

#endif
