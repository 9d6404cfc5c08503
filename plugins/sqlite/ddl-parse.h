/*
 * What the parsers of CREATE TABLE and CREATE INDEX share: a token of look-ahead and the pieces that occur
 * in both. A function returns false when what it needs is not there; `arena.failed` tells lack of memory
 * from wrong text.
 */
#ifndef SQLITE_DDL_PARSE_H
#define SQLITE_DDL_PARSE_H

#include "ddl.h"
#include "token.h"

struct ddl_parser {
	struct token_cursor cursor;
	struct token t;	  /* the one that comes next */
	const char *past; /* the end of the one taken last */
	struct arena *memory;
};

void ddl_begin(struct ddl_parser *, const char *sql, struct arena *);
void ddl_take(struct ddl_parser *);
/* Takes the token when it is this word or this operator. */
bool ddl_word(struct ddl_parser *, const char *word);
bool ddl_operator(struct ddl_parser *, const char *operator_text);
bool ddl_identifier(struct ddl_parser *, const char **ret);
/* [IF NOT EXISTS] [schema .] name */
bool ddl_object_name(struct ddl_parser *, const char **ret);
/* ( … ): the text between the outer parentheses, without blanks at its ends. */
bool ddl_enclosed(struct ddl_parser *, const char **ret);
/* ( part, … ); a trailing AUTOINCREMENT is taken too, as old SQLite allows, when RET_AUTO is given. */
bool ddl_parts(struct ddl_parser *, struct ddl_part **ret, size_t *ret_count, bool *ret_auto);
/* The status of a parse that ended with OK. */
int ddl_status(const struct ddl_parser *, bool ok);

#endif
