/*
 * See json-read.h.
 */
#include "config.h"

#include <string.h>

#include "../plugins/lib/hex.h"
#include "json-read.h"

#define DEPTH_MAX 512

struct json json_start(const char *text, size_t size)
{
	return (struct json){ .at = text, .end = text + size };
}

/* The four digits behind \u. */
static uint32_t hex_unit(struct json *j)
{
	uint32_t unit = 0;

	for (int i = 0; i < 4; i++) {
		int digit = j->at < j->end ? etl_hex_digit(*j->at) : -1;

		j->bad |= digit < 0;
		if (j->bad)
			return 0;
		unit = unit << 4 | (uint32_t)digit;
		j->at++;
	}
	return unit;
}

static void add_utf8(struct etl_text *text, uint32_t c)
{
	char bytes[4];
	size_t size = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	for (size_t i = size - 1; i > 0; i--, c >>= 6)
		bytes[i] = (char)(0x80 | (c & 0x3f));
	bytes[0] = (char)(size == 1 ? c : (0xf00u >> size & 0xffu) | c);
	etl_text_add_bytes(text, bytes, size);
}

static void unicode(struct json *j, struct etl_text *text)
{
	uint32_t c = hex_unit(j), low;

	if (c >= 0xd800 && c < 0xdc00) {
		if (j->end - j->at < 6 || j->at[0] != '\\' || j->at[1] != 'u') {
			j->bad = true;
			return;
		}
		j->at += 2;
		low = hex_unit(j);
		j->bad |= low < 0xdc00 || low > 0xdfff;
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	} else {
		j->bad |= c >= 0xdc00 && c < 0xe000;
	}
	if (!j->bad)
		add_utf8(text, c);
}

static void escape(struct json *j, struct etl_text *text)
{
	static const char letters[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
	const char *found;
	char c = j->at < j->end ? *j->at++ : 0;

	if (c == 'u') {
		unicode(j, text);
		return;
	}
	found = c ? strchr(letters, c) : NULL;
	j->bad |= !found;
	if (found)
		etl_text_add_bytes(text, &means[found - letters], 1);
}

void json_string(struct json *j, struct etl_text *text)
{
	json_expect(j, '"');
	while (!j->bad && j->at < j->end && *j->at != '"') {
		const char *from = j->at;

		while (j->at < j->end && *j->at != '"' && *j->at != '\\')
			j->at++;
		etl_text_add_bytes(text, from, (size_t)(j->at - from));
		if (j->at < j->end && *j->at == '\\') {
			j->at++;
			escape(j, text);
		}
	}
	json_expect(j, '"');
	/* An empty string is a string too. */
	etl_text_add(text, "");
}

bool json_plain_string(struct json *j, const char **ret_at, size_t *ret_size)
{
	const char *from, *at;

	/* One with a control in it is left to json_string, too. */
	if (json_peek(j) != '"')
		return false;
	from = j->at + 1;
	at = etl_json_plain(from, j->end);
	if (at == j->end || *at != '"')
		return false;
	*ret_at = from;
	*ret_size = (size_t)(at - from);
	j->at = at + 1;
	return true;
}

void json_member(struct json *j, const char *name)
{
	struct etl_text text = { 0 };

	json_string(j, &text);
	j->failed |= text.failed;
	j->bad |= text.failed || !text.at || strcmp(text.at, name) != 0;
	etl_text_free(&text);
	json_expect(j, ':');
}

static void skip_string(struct json *j)
{
	json_expect(j, '"');
	while (j->at < j->end && *j->at != '"')
		j->at += *j->at == '\\' && j->end - j->at > 1 ? 2 : 1;
	json_expect(j, '"');
}

static void skip(struct json *j, int depth)
{
	char open = json_peek(j);
	char close = open == '{' ? '}' : ']';

	if (open == '"') {
		skip_string(j);
	} else if (open != '{' && open != '[') {
		const char *from = j->at;

		while (j->at < j->end && !etl_json_is_blank(*j->at) && *j->at != ',' && *j->at != ']' && *j->at != '}')
			j->at++;
		j->bad |= j->at == from;
	} else {
		j->at++;
		j->bad |= depth > DEPTH_MAX;
		if (json_take(j, close))
			return;
		do {
			if (open == '{') {
				skip_string(j);
				json_expect(j, ':');
			}
			skip(j, depth + 1);
		} while (!j->bad && json_take(j, ','));
		json_expect(j, close);
	}
}

size_t json_value(struct json *j, const char **ret_at)
{
	json_peek(j);
	*ret_at = j->at;
	skip(j, 0);
	return j->bad ? 0 : (size_t)(j->at - *ret_at);
}
