/* See tsql-from-postgresql.h. */
#include "config.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <etlrun/helpers.h>

#include "tsql-from-postgresql.h"

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

/* The end of what is quoted at P. */
static const char *skip_quoted(const char *p)
{
	char close = *p;

	for (p++; *p; p++) {
		if (*p == close && p[1] == close)
			p++;
		else if (*p == close)
			return p + 1;
	}
	return p;
}

static const char *skip_blanks(const char *p)
{
	while (*p == ' ' || *p == '\n')
		p++;
	return p;
}

/* Words of types that follow another: "character varying", "timestamp without time zone". */
static bool goes_on(const char *p)
{
	static const char *const words[] = { "varying", "precision", "without", "with", "time", "zone" };
	size_t n = 0;

	while (is_word(p[n]))
		n++;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strlen(words[i]) == n && strncasecmp(p, words[i], n) == 0)
			return true;
	return false;
}

/* The end of a type: words, (10,2), []. */
static const char *skip_type(const char *p)
{
	do {
		p = *p == '"' ? skip_quoted(p) : p;
		while (is_word(*p) || *p == '.')
			p++;
	} while (*p == ' ' && goes_on(p + 1) && p++);
	if (*p == '(')
		while (*p && *p++ != ')')
			;
	while (p[0] == '[' && p[1] == ']')
		p += 2;
	return p;
}

static bool starts(const char *p, const char *words)
{
	return strncasecmp(p, words, strlen(words)) == 0;
}

/* = ANY (ARRAY[a, b]), with a cast of the whole in further parentheses or not: its list; NULL: no such thing stands at P. */
static const char *find_list(const char *p, const char *words)
{
	if (!starts(p, words))
		return NULL;
	p += strlen(words);
	while (*p == '(' || *p == ' ')
		p++;
	return starts(p, "ARRAY[") ? p + strlen("ARRAY[") : NULL;
}

/* How many parentheses stand between the words and the list. */
static int depth_of(const char *from, const char *to)
{
	int depth = 0;

	for (; from < to; from++)
		depth += *from == '(';
	return depth;
}

static bool refuse(char *why, size_t size, const char *sentence)
{
	snprintf(why, size, "%s", sentence);
	return false;
}

struct scan {
	const char *p;
	struct etl_text *ret;
	int close; /* parentheses of a list that are still to be passed over */
	bool list;
};

static bool take_list(struct scan *s)
{
	const char *in = find_list(s->p, "= ANY "), *out = in ? NULL : find_list(s->p, "<> ALL ");
	const char *list = in ? in : out;

	if (!list)
		return false;
	s->close = depth_of(s->p, list);
	s->list = true;
	etl_text_add(s->ret, in ? "IN (" : "NOT IN (");
	s->p = list;
	return true;
}

/* ] of a list, and the parentheses and casts that end around it. */
static void end_list(struct scan *s)
{
	etl_text_add(s->ret, ")");
	s->list = false;
	for (s->p++; s->close > 0 && *s->p;) {
		if (*s->p == ')') {
			s->close--;
			s->p++;
		} else if (s->p[0] == ':' && s->p[1] == ':') {
			s->p = skip_type(s->p + 2);
		} else {
			s->p = skip_blanks(s->p) == s->p ? s->p + 1 : skip_blanks(s->p);
		}
	}
}

static void take_word(struct scan *s)
{
	const char *end = s->p;

	while (is_word(*end))
		end++;
	if (starts(s->p, "now()")) {
		etl_text_add(s->ret, "CURRENT_TIMESTAMP");
		end = s->p + strlen("now()");
	} else {
		etl_text_add_bytes(s->ret, s->p, (size_t)(end - s->p));
	}
	s->p = end;
}

/* A constant; bytes have their digits in it, '\\x00ff'::bytea. */
static void take_constant(struct scan *s)
{
	const char *end = skip_quoted(s->p);

	if (starts(s->p, "'\\x") && starts(end, "::bytea")) {
		etl_text_add(s->ret, "x'");
		etl_text_add_bytes(s->ret, s->p + 3, (size_t)(end - s->p - 3));
	} else {
		etl_text_add_bytes(s->ret, s->p, (size_t)(end - s->p));
	}
	s->p = end;
}

bool tsql_from_postgresql(const char *sql, struct etl_text *ret, char *why, size_t size)
{
	struct scan s = { .p = sql, .ret = ret };

	while (*s.p) {
		if (*s.p == '\'' || *s.p == '"') {
			take_constant(&s);
		} else if (s.p[0] == ':' && s.p[1] == ':') {
			s.p = skip_type(s.p + 2);
		} else if ((*s.p == '=' || *s.p == '<') && take_list(&s)) {
			continue;
		} else if (*s.p == ']' && s.list) {
			end_list(&s);
		} else if (starts(s.p, "E'") || *s.p == '[' || *s.p == '~' || *s.p == '!' || *s.p == '#' || *s.p == '@') {
			return refuse(why, size, "it is written with what only PostgreSQL has");
		} else if (starts(s.p, "nextval(") || starts(s.p, "gen_random_uuid(") || starts(s.p, "LIKE ")) {
			return refuse(why, size, "it calls what only PostgreSQL has");
		} else if (is_word(*s.p)) {
			take_word(&s);
		} else {
			etl_text_add_bytes(ret, s.p++, 1);
		}
	}
	return !ret->failed;
}
