/*
 * UTF-8 and UTF-16, strictly: half a surrogate pair is no character, and neither is a surrogate spelled in UTF-8.
 */
#include "config.h"

#include <stdlib.h>

#include "odbc.h"

#define HIGH_FIRST 0xd800u
#define LOW_FIRST  0xdc00u
#define LOW_LAST   0xdfffu
#define PLANE_ONE  0x10000u
#define NO_CHAR	   0xfffdu /* REPLACEMENT CHARACTER */

/* ---- From UTF-8, which is known to be valid --------------------------------------------------------- */

static uint32_t next_char(const uint8_t **at)
{
	const uint8_t *p = *at;
	uint32_t c = *p;

	if (c < 0x80) {
		*at += 1;
		return c;
	}
	if (c < 0xe0) {
		*at += 2;
		return (c & 0x1f) << 6 | (p[1] & 0x3fu);
	}
	if (c < 0xf0) {
		*at += 3;
		return (c & 0x0f) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
	}
	*at += 4;
	return (c & 0x07) << 18 | (p[1] & 0x3fu) << 12 | (p[2] & 0x3fu) << 6 | (p[3] & 0x3fu);
}

size_t odbc_widen(SQLWCHAR *to, const char *text, size_t size)
{
	const uint8_t *at = (const uint8_t *)text, *end = at + size;
	SQLWCHAR *out = to;

	while (at < end) {
		uint32_t c = next_char(&at);

		if (c < PLANE_ONE) {
			*out++ = (SQLWCHAR)c;
		} else {
			*out++ = (SQLWCHAR)(HIGH_FIRST + ((c - PLANE_ONE) >> 10));
			*out++ = (SQLWCHAR)(LOW_FIRST + ((c - PLANE_ONE) & 0x3ff));
		}
	}
	return (size_t)(out - to);
}

SQLWCHAR *odbc_wide(const char *text, size_t size, size_t *ret_units)
{
	SQLWCHAR *wide;
	size_t units;

	if (etl_utf8_valid(text, size) != size)
		return NULL;
	wide = malloc((size + 1) * sizeof(*wide));
	if (!wide)
		return NULL;
	units = odbc_widen(wide, text, size);
	wide[units] = 0;
	if (ret_units)
		*ret_units = units;
	return wide;
}

/* ---- To UTF-8 ------------------------------------------------------------------------------------------ */

/* The character at *AT, which moves on; false: half of one. */
static bool take_char(const SQLWCHAR **at, const SQLWCHAR *end, uint32_t *ret)
{
	uint32_t c = *(*at)++;

	*ret = c;
	if (c < HIGH_FIRST || c > LOW_LAST)
		return true;
	if (c >= LOW_FIRST || *at == end || **at < LOW_FIRST || **at > LOW_LAST)
		return false;
	*ret = PLANE_ONE + ((c - HIGH_FIRST) << 10) + (*(*at)++ - LOW_FIRST);
	return true;
}

static char *put_char(char *out, uint32_t c)
{
	if (c < 0x80) {
		*out++ = (char)c;
		return out;
	}
	if (c < 0x800) {
		*out++ = (char)(0xc0 | c >> 6);
	} else {
		if (c < PLANE_ONE) {
			*out++ = (char)(0xe0 | c >> 12);
		} else {
			*out++ = (char)(0xf0 | c >> 18);
			*out++ = (char)(0x80 | (c >> 12 & 0x3f));
		}
		*out++ = (char)(0x80 | (c >> 6 & 0x3f));
	}
	*out++ = (char)(0x80 | (c & 0x3f));
	return out;
}

int64_t odbc_narrow_into(char *buf, const SQLWCHAR *wide, size_t units)
{
	const SQLWCHAR *at = wide, *end = wide + units;
	char *out = buf;

	while (at < end) {
		uint32_t c;

		if (!take_char(&at, end, &c))
			return -1;
		out = put_char(out, c);
	}
	return out - buf;
}

bool odbc_narrow(struct etl_text *text, const SQLWCHAR *wide, size_t units)
{
	const SQLWCHAR *at = wide, *end = wide + units;
	bool whole = true;

	while (at < end) {
		char buf[4];
		uint32_t c;

		if (!take_char(&at, end, &c)) {
			whole = false;
			c = NO_CHAR;
		}
		etl_text_add_bytes(text, buf, (size_t)(put_char(buf, c) - buf));
	}
	return whole;
}
