/* See json.h: a checker by descent that builds nothing. */
#include "config.h"

#include <string.h>

#include "hex.h"
#include "json.h"

#define DEPTH_MAX 512

struct reader {
	const char *at, *end;
	int depth;
};

static bool value(struct reader *r);

static void blanks(struct reader *r)
{
	while (r->at < r->end && etl_json_is_blank(*r->at))
		r->at++;
}

static bool take(struct reader *r, char c)
{
	if (r->at == r->end || *r->at != c)
		return false;
	r->at++;
	return true;
}

static bool word(struct reader *r, const char *text)
{
	size_t size = strlen(text);

	if ((size_t)(r->end - r->at) < size || memcmp(r->at, text, size) != 0)
		return false;
	r->at += size;
	return true;
}

static bool digits(struct reader *r)
{
	const char *start = r->at;

	while (r->at < r->end && *r->at >= '0' && *r->at <= '9')
		r->at++;
	return r->at > start;
}

static bool number(struct reader *r)
{
	take(r, '-');
	if (!take(r, '0') && !digits(r))
		return false;
	if (take(r, '.') && !digits(r))
		return false;
	if (!take(r, 'e') && !take(r, 'E'))
		return true;
	if (!take(r, '+'))
		take(r, '-');
	return digits(r);
}

static bool escape(struct reader *r)
{
	if (r->at == r->end)
		return false;
	if (*r->at != 'u')
		return memchr("\"\\/bfnrt", *r->at++, 8) != NULL;
	r->at++;
	for (int i = 0; i < 4; i++, r->at++)
		if (r->at == r->end || etl_hex_digit(*r->at) < 0)
			return false;
	return true;
}

static bool string(struct reader *r)
{
	if (!take(r, '"'))
		return false;
	for (;;) {
		r->at = etl_json_plain(r->at, r->end);
		if (take(r, '"'))
			return true;
		if (!take(r, '\\') || !escape(r))
			return false;
	}
}

static bool member(struct reader *r)
{
	blanks(r);
	if (!string(r))
		return false;
	blanks(r);
	return take(r, ':') && value(r);
}

/* The inside of an object or array, up to CLOSE. */
static bool items(struct reader *r, char close)
{
	if (++r->depth > DEPTH_MAX)
		return false;
	blanks(r);
	if (!take(r, close)) {
		do
			if (!(close == '}' ? member(r) : value(r)))
				return false;
		while (take(r, ','));
		if (!take(r, close))
			return false;
	}
	r->depth--;
	return true;
}

static bool value(struct reader *r)
{
	bool ok;

	blanks(r);
	if (r->at == r->end)
		return false;
	if (*r->at == '"')
		ok = string(r);
	else if (take(r, '{'))
		ok = items(r, '}');
	else if (take(r, '['))
		ok = items(r, ']');
	else
		ok = word(r, "true") || word(r, "false") || word(r, "null") || number(r);
	blanks(r);
	return ok;
}

bool etl_json_valid(const char *text, size_t size)
{
	struct reader r = { text, text + size, 0 };

	return value(&r) && r.at == r.end;
}
