/*
 * UTF-16 as UTF-8, in whatever pieces it comes. Half of a pair that is alone becomes the escape that JSON has for it, so that
 * the policy for such escapes is the one for it too.
 */
#ifndef JSON_UTF16_H
#define JSON_UTF16_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero at the start, but for BIG. */
struct json_utf16 {
	bool big;               /* the first byte of two is the higher one */
	bool backslash;         /* what came last makes the next character plain, so that no escape may stand there */
	bool odd;               /* BYTE is the first of two */
	unsigned char byte;
	uint32_t high;          /* half of a pair whose other half is still to come; 0: none */
};

/* What SIZE bytes become, and what is left at the end becomes, at most. */
#define JSON_UTF16_ROOM(size) (3 * (size) + 12)

/* How many bytes FROM became in TO. */
size_t json_utf16_convert(struct json_utf16 *utf16, const char *from, size_t size, char *to);
/* Behind the last: half of a pair, half of a unit, which becomes a byte that no UTF-8 has. */
size_t json_utf16_end(struct json_utf16 *utf16, char *to);

/* "UTF-16LE", "UTF-16BE", "UTF-32LE" or "UTF-32BE", by the first four bytes, or all when there are fewer; NULL: UTF-8. */
const char *json_encoding_of(const char *bytes, size_t size);

#endif
