/*
 * An array comes as JSON, in which the source tells it, and goes as the server's own text: {1,NULL,"a \"b\""}. What
 * the elements mean is the server's to judge. An array whose first index is not 1 comes as a text, "[2:3]={7,8}", which
 * no list tells, and goes as it is.
 */
#include "config.h"

#include "encode.h"
#include "json.h"

#define DEPTH_MOST 6 /* dimensions of an array, MAXDIM */

struct listing {
	const uint8_t *at, *end;
	struct encode_buffer *to;
	int depth;
	bool whole; /* a text that is the array, in which nothing is to be escaped */
};

static bool add(struct listing *l, const void *bytes, size_t size)
{
	if (!encode_room(l->to, size))
		return false;
	memcpy(l->to->at + l->to->used, bytes, size);
	l->to->used += size;
	return true;
}

static size_t spell_utf8(uint32_t c, uint8_t *ret)
{
	if (c < 0x80) {
		ret[0] = (uint8_t)c;
		return 1;
	}
	if (c < 0x800) {
		ret[0] = (uint8_t)(0xc0 | c >> 6);
		ret[1] = (uint8_t)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		ret[0] = (uint8_t)(0xe0 | c >> 12);
		ret[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
		ret[2] = (uint8_t)(0x80 | (c & 0x3f));
		return 3;
	}
	ret[0] = (uint8_t)(0xf0 | c >> 18);
	ret[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
	ret[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
	ret[3] = (uint8_t)(0x80 | (c & 0x3f));
	return 4;
}

/* Behind "\u", whose digits are there; l->at moves behind what belongs to the character. */
static const char *take_unit(struct listing *l)
{
	uint32_t c = encode_unit(l->at);
	uint8_t bytes[4];

	l->at += 4;
	if (c == 0)
		return "nul_byte";
	if (c >= 0xd800 && c <= 0xdfff) {
		uint32_t low = l->end - l->at >= 6 && l->at[0] == '\\' && l->at[1] == 'u' ?
				       encode_unit(l->at + 2) :
				       0;

		if (c > 0xdbff || low < 0xdc00 || low > 0xdfff)
			return "invalid_utf8";
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
		l->at += 6;
	}
	return add(l, bytes, spell_utf8(c, bytes)) ? NULL : "no_memory";
}

static const char *take_escape(struct listing *l)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	uint8_t c = *l->at++;
	const char *at = memchr(from, c, sizeof(from) - 1);

	if (c == 'u')
		return take_unit(l);
	if (at)
		return add(l, &to[at - from], 1) ? NULL : "no_memory";
	return (c == '/' || l->whole || add(l, "\\", 1)) && add(l, &c, 1) ? NULL : "no_memory";
}

static const char *take_characters(struct listing *l)
{
	const char *code = NULL;

	while (!code && *l->at != '"') {
		uint8_t c = *l->at++;

		code = c == '\\' ? take_escape(l) : add(l, &c, 1) ? NULL : "no_memory";
	}
	return code;
}

/* "[2:3]={7,8}" */
static const char *take_whole(struct listing *l)
{
	const char *code;

	if (l->at[1] != '[')
		return "type";
	l->at++;
	l->whole = true;
	code = take_characters(l);
	l->at = l->end;
	return code;
}

static const char *take_string(struct listing *l)
{
	const char *code = add(l, l->at++, 1) ? take_characters(l) : "no_memory";

	if (!code && !add(l, l->at++, 1))
		code = "no_memory";
	return code;
}

/* The text is known to be JSON. */
static const char *take_one(struct listing *l)
{
	uint8_t c = *l->at;

	if (c == '"')
		return take_string(l);
	l->at++;
	if (c == ' ' || c == '\n' || c == '\r' || c == '\t')
		return NULL;
	if (c == '{' || c == ':' || (c == '[' && ++l->depth > DEPTH_MOST))
		return "type";
	l->depth -= c == ']';
	c = c == '[' ? '{' : c == ']' ? '}' : c;
	return add(l, &c, 1) ? NULL : "no_memory";
}

const char *encode_list(struct encode_column *c, const struct etl_column_view *v, int64_t row,
			struct encode_buffer *b)
{
	struct listing l = { .to = b };
	size_t start = b->used;
	const char *code = NULL;
	int64_t size;
	uint32_t length;

	(void)c;
	l.at = etl_get_bytes(v, row, &size);
	l.end = l.at + size;
	while (l.at < l.end && (*l.at == ' ' || *l.at == '\n' || *l.at == '\r' || *l.at == '\t'))
		l.at++;
	if (etl_utf8_valid(l.end - size, (size_t)size) != (size_t)size)
		return "invalid_utf8";
	if (!etl_json_valid((const char *)l.end - size, (size_t)size))
		return "not_json";
	if (*l.at != '[' && *l.at != '"')
		return "type";
	if (!encode_room(b, 4))
		return "no_memory";
	encode_put32(b, 0);
	if (*l.at == '"')
		code = take_whole(&l);
	while (!code && l.at < l.end)
		code = take_one(&l);
	if (!code) {
		size_t whole = b->used - start;

		b->used = start;
		code = encode_fits(b, whole);
		b->used += whole;
	}
	if (code) {
		b->used = start;
		return code;
	}
	length = __builtin_bswap32((uint32_t)(b->used - start - 4));
	memcpy(b->at + start, &length, 4);
	return NULL;
}
