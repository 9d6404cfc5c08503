/*
 * A query of T-SQL as the table that another one reads from. What may not stand in parentheses is put where it may: common
 * table expressions before the whole, OPTION after it; and ORDER BY, which a table in parentheses may have with TOP or
 * OFFSET only, gets an OFFSET of no rows.
 */
#include "config.h"

#include <ctype.h>
#include <strings.h>

#include "select.h"

struct scanner {
	const char *at, *end;
	int depth; /* of parentheses */
};

/* Past a quoted text or name, of which a doubled end is a part. */
static const char *past_quoted(const char *p, const char *end, char last)
{
	for (p++; p < end; p++) {
		if (*p != last)
			continue;
		if (p + 1 < end && p[1] == last)
			p++;
		else
			return p + 1;
	}
	return end;
}

/* Comments of this kind stand in one another. */
static const char *past_comment(const char *p, const char *end)
{
	int depth = 0;

	while (p + 1 < end) {
		if (p[0] == '/' && p[1] == '*')
			depth++;
		else if (p[0] == '*' && p[1] == '/')
			depth--;
		else {
			p++;
			continue;
		}
		p += 2;
		if (depth == 0)
			return p;
	}
	return end;
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '@' || c == '#' || c == '$' || (unsigned char)c >= 0x80;
}

/* The next word outside of parentheses, or an opening parenthesis; its length, 0 at the end. */
static size_t next_word(struct scanner *s, const char **ret)
{
	while (s->at < s->end) {
		const char *p = s->at, *word = p;

		if (*p == '\'' || *p == '"' || *p == '[') {
			s->at = past_quoted(p, s->end, *p == '[' ? ']' : *p);
		} else if (*p == '-' && p + 1 < s->end && p[1] == '-') {
			while (s->at < s->end && *s->at != '\n')
				s->at++;
		} else if (*p == '/' && p + 1 < s->end && p[1] == '*') {
			s->at = past_comment(p, s->end);
		} else if (is_word(*p)) {
			while (p < s->end && is_word(*p))
				p++;
			s->at = p;
			*ret = word;
			if (s->depth == 0)
				return (size_t)(p - word);
		} else {
			s->depth += (*p == '(') - (*p == ')');
			s->at++;
		}
	}
	return 0;
}

static bool is(const char *word, size_t length, const char *wanted)
{
	return length == strlen(wanted) && strncasecmp(word, wanted, length) == 0;
}

void query_split(const char *query, size_t length, struct query_parts *ret)
{
	struct scanner s = { query, query + length, 0 };
	const char *word = query, *order = NULL;
	size_t size = next_word(&s, &word), before = 0;
	bool with = is(word, size, "WITH"), top = false, offset = false;

	*ret = (struct query_parts){ .select = query, .option = query + length, .end = query + length };
	for (const char *last = word; size > 0; last = word, before = size, size = next_word(&s, &word)) {
		if (with && is(word, size, "SELECT")) {
			ret->select = word;
			with = false;
		}
		top |= is(word, size, "TOP") && (is(last, before, "SELECT") || is(last, before, "DISTINCT") ||
						 is(last, before, "ALL"));
		if (is(word, size, "BY") && is(last, before, "ORDER"))
			order = last;
		offset |= order && is(word, size, "OFFSET");
		if (is(word, size, "OPTION") && word > ret->select)
			ret->option = word;
	}
	ret->needs_offset = order && !top && !offset;
}
