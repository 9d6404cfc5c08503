/*
 * Single values out of az's answers, which are JSON. It reads on a text that it does not change, allocates nothing, and
 * takes for absent whatever is not well formed.
 */
#include "config.h"

#include <ctype.h>
#include <stdlib.h>

#include "azure-access.h"

#define DEEPEST 32

struct scan {
	const char *p;
	bool bad;
};

static void skip_blanks(struct scan *s)
{
	s->p += strspn(s->p, " \t\r\n");
}

static bool take(struct scan *s, char c)
{
	skip_blanks(s);
	if (*s->p != c)
		return false;
	s->p++;
	return true;
}

/* ---- Texts ------------------------------------------------------------------------------------------------ */

/* Where a text is put; at NULL: nowhere. */
struct room {
	char *at;
	size_t left;
	bool full;
};

static void put(struct room *room, unsigned c)
{
	if (!room->at)
		return;
	if (room->left < 2) {
		room->full = true;
		return;
	}
	*room->at++ = (char)c;
	room->left--;
}

static void put_point(struct room *room, unsigned c)
{
	if (c < 0x80) {
		put(room, c);
	} else if (c < 0x800) {
		put(room, 0xc0 | c >> 6);
		put(room, 0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		put(room, 0xe0 | c >> 12);
		put(room, 0x80 | (c >> 6 & 0x3f));
		put(room, 0x80 | (c & 0x3f));
	} else {
		put(room, 0xf0 | c >> 18);
		put(room, 0x80 | (c >> 12 & 0x3f));
		put(room, 0x80 | (c >> 6 & 0x3f));
		put(room, 0x80 | (c & 0x3f));
	}
}

static unsigned read_hex(struct scan *s)
{
	unsigned n = 0;

	for (int i = 0; i < 4; i++, s->p++) {
		if (!isxdigit((unsigned char)*s->p)) {
			s->bad = true;
			return 0;
		}
		n = n << 4 | (unsigned)(*s->p <= '9' ? *s->p - '0' : (*s->p | 0x20) - 'a' + 10);
	}
	return n;
}

/* Behind "\u". Half a pair alone is no character. */
static void read_point(struct scan *s, struct room *room)
{
	unsigned c = read_hex(s), low;

	if (c >= 0xd800 && c < 0xdc00 && s->p[0] == '\\' && s->p[1] == 'u') {
		s->p += 2;
		low = read_hex(s);
		s->bad |= low < 0xdc00 || low > 0xdfff;
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	} else if (c >= 0xd800 && c < 0xe000) {
		s->bad = true;
	}
	if (!s->bad && c)
		put_point(room, c);
	s->bad |= c == 0;
}

static void read_escape(struct scan *s, struct room *room)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at = *s->p ? strchr(from, *s->p) : NULL;

	if (*s->p == 'u') {
		s->p++;
		read_point(s, room);
	} else if (at) {
		put(room, (unsigned char)to[at - from]);
		s->p++;
	} else {
		s->bad = true;
	}
}

/* Behind the first quote. */
static void read_text(struct scan *s, struct room *room)
{
	while (!s->bad && *s->p != '"') {
		if ((unsigned char)*s->p < 0x20) {
			s->bad = true;
		} else if (*s->p == '\\') {
			s->p++;
			read_escape(s, room);
		} else {
			put(room, (unsigned char)*s->p++);
		}
	}
	if (!s->bad)
		s->p++;
}

/* ---- Values ----------------------------------------------------------------------------------------------- */

/* A number, true, false, null. */
static void read_word(struct scan *s, struct room *room)
{
	static const char *const words[] = { "true", "false", "null" };
	size_t size = strspn(s->p, "+-.0123456789eEaflnrstu");
	char *end;

	for (size_t i = 0; i < 3; i++)
		if (size == strlen(words[i]) && strncmp(s->p, words[i], size) == 0)
			goto found;
	if (!size || !strchr("-0123456789", *s->p) || (strtod(s->p, &end), end != s->p + size)) {
		s->bad = true;
		return;
	}
found:
	for (; size > 0; size--)
		put(room, (unsigned char)*s->p++);
}

static void skip_value(struct scan *s, int deep);

static void skip_items(struct scan *s, char close, int deep)
{
	if (take(s, close))
		return;
	do {
		if (close == '}') {
			s->bad |= !take(s, '"');
			if (!s->bad)
				read_text(s, &(struct room){ 0 });
			s->bad |= s->bad || !take(s, ':');
		}
		if (!s->bad)
			skip_value(s, deep + 1);
	} while (!s->bad && take(s, ','));
	s->bad |= s->bad || !take(s, close);
}

static void skip_value(struct scan *s, int deep)
{
	if (deep > DEEPEST)
		s->bad = true;
	else if (take(s, '{'))
		skip_items(s, '}', deep);
	else if (take(s, '['))
		skip_items(s, ']', deep);
	else if (take(s, '"'))
		read_text(s, &(struct room){ 0 });
	else
		read_word(s, &(struct room){ 0 });
}

bool etl_azure_json_is_sound(const char *json)
{
	struct scan s = { json, false };

	skip_value(&s, 0);
	skip_blanks(&s);
	return !s.bad && !*s.p;
}

/* ---- A path -------------------------------------------------------------------------------------------------- */

/* To the value of member NAME. False: there is none. */
static bool enter_member(struct scan *s, const char *name, size_t size)
{
	char buf[128];

	if (!take(s, '{') || take(s, '}'))
		return false;
	do {
		struct room room = { buf, sizeof(buf), false };

		if (!take(s, '"'))
			return false;
		read_text(s, &room);
		*room.at = '\0';
		if (s->bad || !take(s, ':'))
			return false;
		if (!room.full && strlen(buf) == size && strncmp(buf, name, size) == 0)
			return true;
		skip_value(s, 0);
	} while (!s->bad && take(s, ','));
	return false;
}

static bool enter_item(struct scan *s, unsigned long index)
{
	if (!take(s, '['))
		return false;
	skip_blanks(s);
	if (*s->p == ']')
		return false;
	for (; index > 0; index--) {
		skip_value(s, 0);
		if (s->bad || !take(s, ','))
			return false;
	}
	return true;
}

static bool enter(struct scan *s, const char *path)
{
	while (*path) {
		if (*path == '.')
			path++;
		if (*path == '[') {
			char *end;

			if (!enter_item(s, strtoul(path + 1, &end, 10)))
				return false;
			path = end + 1;
		} else {
			size_t size = strcspn(path, ".[");

			if (!enter_member(s, path, size))
				return false;
			path += size;
		}
	}
	return true;
}

bool etl_azure_json_get(const char *json, const char *path, char *ret, size_t room)
{
	struct scan s = { json, false };
	struct room to = { ret, room, false };
	bool found = etl_azure_json_is_sound(json) && enter(&s, path);

	if (found) {
		skip_blanks(&s);
		found = *s.p != '{' && *s.p != '[' && strncmp(s.p, "null", 4) != 0;
	}
	if (found && take(&s, '"'))
		read_text(&s, &to);
	else if (found)
		read_word(&s, &to);
	*to.at = '\0';
	if (found && !s.bad && !to.full)
		return true;
	*ret = '\0';
	return false;
}
