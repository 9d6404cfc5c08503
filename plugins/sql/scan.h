/* The tokens of a query: enough to tell words from names in quotes, texts and comments. */
#ifndef SQL_SCAN_H
#define SQL_SCAN_H

#include <stdbool.h>
#include <stddef.h>

enum sql_token_kind { SQL_WORD, SQL_NAME /* in quotes */, SQL_TEXT, SQL_OTHER, SQL_END };

struct sql_token {
	int kind;	/* enum sql_token_kind */
	const char *at; /* in the query, with its quotes */
	size_t size;
};

/* The token at AT, blanks and comments passed over; go on at token.at + token.size. */
struct sql_token sql_token_at(const char *at);
/* Whether a token is a word, in any case. */
bool sql_token_is(const struct sql_token *, const char *word);
/* Whether it spells a text or a name, its quotes taken off, in any case. */
bool sql_token_spells(const struct sql_token *, const char *text);

#endif
