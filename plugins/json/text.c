/*
 * Escapes of JSON strings. Most strings have none, and the runs between them are copied whole. Whoever calls has had the
 * string checked, so an escape that is none is copied as it stands.
 */
#include "config.h"

#include <string.h>

#include "hex.h"
#include "text.h"

enum {
	HIGH_FIRST = 0xD800,
	LOW_FIRST = 0xDC00,
	LOW_LAST = 0xDFFF,
	REPLACEMENT = 0xFFFD,
	UNICODE_SIZE = 6        /* \u and four digits */
};

static bool is_high(uint32_t c)
{
	return c >= HIGH_FIRST && c < LOW_FIRST;
}

static bool is_low(uint32_t c)
{
	return c >= LOW_FIRST && c <= LOW_LAST;
}

/* One \uXXXX, alone. */
static bool unit(const char *raw, size_t size, uint32_t *ret)
{
	uint32_t c = 0;
	int i, digit;

	if (size < UNICODE_SIZE || raw[0] != '\\' || raw[1] != 'u')
		return false;
	for (i = 2; i < UNICODE_SIZE; i++) {
		digit = etl_hex_digit(raw[i]);
		if (digit < 0)
			return false;
		c = c << 4 | (uint32_t)digit;
	}
	*ret = c;
	return true;
}

static size_t unicode(const char *raw, size_t size, uint32_t *ret)
{
	uint32_t low;

	if (!unit(raw, size, ret))
		return 0;
	if (!is_high(*ret) || !unit(raw + UNICODE_SIZE, size - UNICODE_SIZE, &low) || !is_low(low))
		return UNICODE_SIZE;
	*ret = 0x10000 + ((*ret - HIGH_FIRST) << 10) + (low - LOW_FIRST);
	return 2 * (size_t)UNICODE_SIZE;
}

size_t json_text_escape(const char *raw, size_t size, uint32_t *ret)
{
	static const char letters[] = "\"\\/bfnrt", characters[] = "\"\\/\b\f\n\r\t";
	const char *letter;

	if (size < 2 || raw[0] != '\\')
		return 0;
	if (raw[1] == 'u')
		return unicode(raw, size, ret);
	letter = memchr(letters, raw[1], sizeof(letters) - 1);
	if (!letter)
		return 0;
	*ret = (unsigned char)characters[letter - letters];
	return 2;
}

static bool is_between(unsigned char c, unsigned char low, unsigned char high)
{
	return c >= low && c <= high;
}

size_t json_text_character(const char *text, size_t size)
{
	unsigned char c = (unsigned char)text[0], low = 0x80, high = 0xBF;
	size_t i, length = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;

	if (is_between(c, 0x80, 0xC1) || c > 0xF4 || length > size)
		return 0;
	if (c == 0xE0)
		low = 0xA0;
	if (c == 0xF0)
		low = 0x90;
	if (c == 0xED)
		high = 0x9F;
	if (c == 0xF4)
		high = 0x8F;
	for (i = 1; i < length; i++, low = 0x80, high = 0xBF)
		if (!is_between((unsigned char)text[i], low, high))
			return 0;
	return length;
}

size_t json_text_encode(uint32_t c, char to[4])
{
	if (c < 0x80) {
		to[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (char)(0xC0 | c >> 6);
		to[1] = (char)(0x80 | (c & 0x3F));
		return 2;
	}
	if (c < 0x10000) {
		to[0] = (char)(0xE0 | c >> 12);
		to[1] = (char)(0x80 | (c >> 6 & 0x3F));
		to[2] = (char)(0x80 | (c & 0x3F));
		return 3;
	}
	to[0] = (char)(0xF0 | c >> 18);
	to[1] = (char)(0x80 | (c >> 12 & 0x3F));
	to[2] = (char)(0x80 | (c >> 6 & 0x3F));
	to[3] = (char)(0x80 | (c & 0x3F));
	return 4;
}

/* NULL, or the reject's code. */
static const char *judge(struct json_text_policy *policy, uint32_t *c)
{
	bool nul = *c == 0;
	int32_t odd = nul ? policy->nuls : policy->surrogates;

	if (!nul && !is_high(*c) && !is_low(*c))
		return NULL;
	if (odd == JSON_ODD_REJECT)
		return nul ? "nul" : "lone_surrogate";
	if (odd == JSON_ODD_REPLACE) {
		*c = REPLACEMENT;
		policy->replaced++;
	}
	return NULL;
}

/* The bytes before the next backslash, or all. */
static size_t plain_run(const char *raw, size_t size)
{
	const char *at = memchr(raw, '\\', size);

	return at ? (size_t)(at - raw) : size;
}

const char *json_text_resolve(const char *raw, size_t size, struct json_text_policy *policy,
			      char *to, size_t *ret)
{
	const char *code;
	char *out = to;
	size_t at = 0, run;
	uint32_t c = 0;

	while (at < size) {
		run = plain_run(raw + at, size - at);
		memcpy(out, raw + at, run);
		out += run;
		at += run;
		if (at == size)
			break;
		run = json_text_escape(raw + at, size - at, &c);
		if (run == 0) {
			*out++ = raw[at++];
			continue;
		}
		code = judge(policy, &c);
		if (code) {
			*ret = at;
			return code;
		}
		out += json_text_encode(c, out);
		at += run;
	}
	*ret = (size_t)(out - to);
	return NULL;
}

const char *json_text_judge(char *text, size_t size, struct json_text_policy *policy)
{
	size_t at = plain_run(text, size), used;

	for (; at < size; at += used, at += plain_run(text + at, size - at)) {
		const char *code;
		uint32_t c = 0, was;

		used = json_text_escape(text + at, size - at, &c);
		was = c;
		code = used ? judge(policy, &c) : NULL;
		if (code)
			return code;
		if (c != was)
			memcpy(text + at, "\\ufffd", UNICODE_SIZE);
		used += used == 0;
	}
	return NULL;
}

/* The next characters of RAW, resolved: what it takes of RAW; *ret and its size in *ret_size. */
static size_t next_piece(const char *raw, size_t size, char buffer[4], const char **ret, size_t *ret_size)
{
	size_t run = plain_run(raw, size);
	uint32_t c = 0;

	*ret = raw;
	*ret_size = run;
	if (run > 0)
		return run;
	run = json_text_escape(raw, size, &c);
	*ret_size = 1;
	if (run == 0)
		return 1;
	*ret = buffer;
	*ret_size = json_text_encode(c, buffer);
	return run;
}

bool json_text_is(const char *raw, size_t size, const char *plain, size_t plain_size)
{
	const char *piece;
	char buffer[4];
	size_t length, taken;

	for (; size > 0; raw += taken, size -= taken) {
		taken = next_piece(raw, size, buffer, &piece, &length);
		if (length > plain_size || memcmp(piece, plain, length) != 0)
			return false;
		plain += length;
		plain_size -= length;
	}
	return plain_size == 0;
}
