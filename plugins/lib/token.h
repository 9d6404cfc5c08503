/*
 * The words of SQLite's SQL: a cursor over text that allocates nothing, never reads past the end and takes
 * any bytes. White space and comments are skipped; everything else is a token that points into the text.
 */
#ifndef LIB_TOKEN_H
#define LIB_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

struct etl_text;

enum token_kind {
	TOKEN_END,
	TOKEN_WORD,   /* a keyword or a plain identifier */
	TOKEN_NAME,   /* "x", [x] or `x` */
	TOKEN_STRING, /* 'x' */
	TOKEN_BLOB,   /* x'00' */
	TOKEN_NUMBER,
	TOKEN_PARAMETER, /* ?1 :a @a $a */
	TOKEN_OPERATOR,	 /* || -> <= ( ) , ; . … */
	TOKEN_BAD /* a quote that is never closed (to the end), or a byte that begins nothing */
};

struct token {
	enum token_kind kind;
	const char *at; /* not NUL-terminated */
	size_t length;	/* of TOKEN_END: 0 */
};

struct token_cursor {
	const char *at, *end;
};

/* A NUL ends the text for SQLite, and so it does here. */
struct token_cursor token_start(const char *sql, size_t size);
struct token token_next(struct token_cursor *);
/* The token that token_next would return. */
struct token token_peek(const struct token_cursor *);

/* An unquoted word, ASCII case does not matter. */
bool token_is_word(const struct token *, const char *word);
/* An operator of exactly this spelling. */
bool token_is(const struct token *, const char *operator_text);
/* What may stand where a name is asked for: a word, a quoted name, and (SQLite allows it) a string. */
bool token_is_name(const struct token *);
/* A name without its quotes, at most SIZE - 1 bytes and a NUL into BUF; the whole length is returned. */
size_t token_name(const struct token *, char *buf, size_t size);
/* The token is this identifier, quoted or not, as SQLite compares names (ASCII case does not matter). */
bool token_names(const struct token *, const char *name);

#endif
