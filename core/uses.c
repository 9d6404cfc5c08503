/*
 * See uses.h. After some words (FROM, JOIN, INTO, a cast, …), and after a comma in a list that FROM began, stands the name
 * of a relation, or a parenthesis in which the same is true.
 */
#include "config.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include <etlrun/helpers.h>

#include "uses.h"

#define DEEPEST 64 /* parentheses; what is deeper is taken for a list of relations */

struct walk {
	const struct uses *uses;
	const char *at;
	bool expects;		 /* a name may stand here */
	bool lists[DEEPEST + 1]; /* in these parentheses a comma is followed by one */
	size_t depth;
	struct etl_text first, second; /* of a name */
};

static bool *list(struct walk *w)
{
	return &w->lists[w->depth < DEEPEST ? w->depth : DEEPEST];
}

/* ---- Words -------------------------------------------------------------------------------------------------- */

static bool is_one_of(const char *word, const char *const *words)
{
	for (; *words; words++)
		if (strcasecmp(word, *words) == 0)
			return true;
	return false;
}

/* Whether WORD says by itself what may follow it. */
static bool take_word(struct walk *w, const char *word)
{
	static const char *const before_relation[] = { "FROM", "JOIN",	"INTO", "UPDATE",
						       "IN",   "TABLE", NULL };
	static const char *const between[] = { "ONLY",	"LATERAL", "OR",       "REPLACE", "IGNORE",
					       "ABORT", "FAIL",	   "ROLLBACK", NULL };
	static const char *const ends[] = { "SELECT",	 "WHERE",  "GROUP",  "HAVING",	  "ORDER",
					    "WINDOW",	 "LIMIT",  "OFFSET", "FETCH",	  "UNION",
					    "INTERSECT", "EXCEPT", "VALUES", "RETURNING", "SET",
					    "BEGIN",	 NULL };

	if (is_one_of(word, before_relation)) {
		w->expects = true;
		if (strcasecmp(word, "FROM") == 0 || strcasecmp(word, "JOIN") == 0)
			*list(w) = true;
		return true;
	}
	if (is_one_of(word, ends)) {
		w->expects = *list(w) = false;
		return true;
	}
	return w->expects && is_one_of(word, between);
}

/* ---- Characters ------------------------------------------------------------------------------------------------ */

static void skip_blanks(struct walk *w)
{
	for (;;) {
		const char *end;

		while (isspace((unsigned char)*w->at))
			w->at++;
		if (strncmp(w->at, "--", 2) == 0) {
			w->at += strcspn(w->at, "\n");
		} else if (strncmp(w->at, "/*", 2) == 0) {
			end = strstr(w->at + 2, "*/");
			w->at = end ? end + 2 : w->at + strlen(w->at);
		} else {
			return;
		}
	}
}

static bool begins_word(char c)
{
	return isalpha((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

/* SQLite takes 'a' for a name where one stands. */
static bool begins_quoted(const struct walk *w, char c)
{
	return c == '"' || c == '`' || (w->uses->brackets && (c == '[' || (c == '\'' && w->expects)));
}

/* To the quote that ends it; a doubled one is one. TO may be NULL. */
static void read_quoted(struct walk *w, struct etl_text *to)
{
	char end = *w->at == '[' ? ']' : *w->at;

	for (w->at++; *w->at; w->at++) {
		if (*w->at == end && (end == ']' || w->at[1] != end))
			break;
		w->at += *w->at == end;
		if (to)
			etl_text_add_bytes(to, w->at, 1);
	}
	w->at += *w->at != '\0';
}

/* *RET_BARE: without quotes. */
static void read_name(struct walk *w, struct etl_text *to, bool *ret_bare)
{
	to->length = 0;
	*ret_bare = !begins_quoted(w, *w->at);
	if (!*ret_bare) {
		read_quoted(w, to);
		return;
	}
	while (begins_word(*w->at) || isdigit((unsigned char)*w->at) || *w->at == '$')
		etl_text_add_bytes(to, w->at++, 1);
}

/* ---- Walking ----------------------------------------------------------------------------------------------------- */

static const char *text_of(const struct etl_text *text)
{
	return text->length ? text->at : "";
}

/* 1: on; 0: ended by the caller. At a name or a word; such a word may be a name nevertheless: REPLACE, OFFSET, …. */
static int take_name(struct walk *w)
{
	const struct uses *u = w->uses;
	bool bare, ignored, expected = w->expects;

	read_name(w, &w->first, &bare);
	if (bare && take_word(w, text_of(&w->first)))
		return expected ? u->each(u->data, NULL, text_of(&w->first)) : 1;
	skip_blanks(w);
	if (*w->at == '.') {
		w->at++;
		skip_blanks(w);
		if (!begins_word(*w->at) && !begins_quoted(w, *w->at))
			return 1;
		read_name(w, &w->second, &ignored);
		if (!w->expects)
			return 1;
		w->expects = false;
		return u->each(u->data, text_of(&w->first), text_of(&w->second));
	}
	if (!w->expects)
		return 1;
	w->expects = false;
	return u->each(u->data, NULL, text_of(&w->first));
}

static void take_parenthesis(struct walk *w)
{
	bool within = w->expects && *list(w);

	if (*w->at == '(') {
		w->depth++;
		if (w->depth <= DEEPEST)
			*list(w) = within || w->depth == DEEPEST;
		w->expects = within;
	} else {
		w->depth -= w->depth > 0;
		w->expects = false;
	}
	w->at++;
}

static int step(struct walk *w)
{
	char c = *w->at;

	if (begins_word(c) || begins_quoted(w, c))
		return take_name(w);
	if (c == '(' || c == ')') {
		take_parenthesis(w);
		return 1;
	}
	if (c == '\'')
		read_quoted(w, NULL);
	else if (isdigit((unsigned char)c))
		w->at += strspn(w->at, "0123456789.abcdefxABCDEFX_");
	else
		w->at++;
	/* x::t is of the type that table t is, or of another one. */
	w->expects = (c == ',' && *list(w)) || (c == ':' && *w->at == ':') ||
		     (c == ':' && w->at - w->uses->sql > 1 && w->at[-2] == ':');
	if (c == ';')
		*list(w) = false;
	return 1;
}

int uses_walk(const struct uses *uses)
{
	struct walk w = { .uses = uses, .at = uses->sql };
	bool failed;
	int rc = 1;

	for (skip_blanks(&w); rc == 1 && *w.at; skip_blanks(&w))
		rc = step(&w);
	failed = w.first.failed || w.second.failed;
	etl_text_free(&w.first);
	etl_text_free(&w.second);
	return failed ? ETL_FAILED : rc;
}
