/*
 * An expression of SQLite's SQL as a tree, for whoever says it in another dialect. What it means is not looked at here: a
 * name may be a column, a constant or, in double quotes, a text.
 */
#ifndef LIB_EXPRESSION_H
#define LIB_EXPRESSION_H

#include "arena.h"
#include "token.h"

#define EXPRESSION_LIST 64 /* values of a list, arms of a CASE, at most */

enum expression_kind {
	EXPRESSION_NUMBER,
	EXPRESSION_LEAST, /* -9223372036854775808, which has no positive twin */
	EXPRESSION_STRING,
	EXPRESSION_BLOB,
	EXPRESSION_NAME,
	EXPRESSION_QUALIFIED, /* owner.name */
	EXPRESSION_CALL,      /* of the function `token` */
	EXPRESSION_CASE,
	EXPRESSION_CAST,
	EXPRESSION_MINUS,
	EXPRESSION_INVERT,  /* ~ */
	EXPRESSION_COLLATE, /* by the collation `token` */
	EXPRESSION_CONCAT,
	EXPRESSION_MULTIPLY, /* *, / or %, which the token says, */
	EXPRESSION_ADD,	     /* + or -, */
	EXPRESSION_BITS,     /* &, |, << or >>, */
	EXPRESSION_ORDER,    /* <, <=, > or >= */
	EXPRESSION_EQUAL,
	EXPRESSION_IS, /* NOT DISTINCT FROM */
	EXPRESSION_IS_NULL,
	EXPRESSION_BETWEEN,
	EXPRESSION_IN,
	EXPRESSION_LIKE, /* with three parts: the last is what escapes */
	EXPRESSION_NOT,
	EXPRESSION_AND,
	EXPRESSION_OR
};

/* Parts in the order in which they are written. */
struct expression {
	enum expression_kind kind;
	bool negated;		   /* <>, IS NOT, NOT BETWEEN, … */
	bool has_base;		   /* of CASE: the first part is what its arms are compared with */
	bool has_else;		   /* likewise: the last part; the others are pairs */
	struct token token, owner; /* these point into the text */
	const char *type;	   /* of CAST: the words of the type, with nothing between */
	const struct expression **parts;
	size_t count;
	size_t depth; /* of the tree below */
};

/* The whole of SQL. NULL: it is none, and WHY has a sentence, or it is "" and there is no memory. */
const struct expression *expression_parse(const char *sql, struct arena *, char *why, size_t size);
/* What is said of a token that nobody knows. */
void expression_refuse_token(const struct token *, char *why, size_t size);

/* ---- expression-words.c */
/* A literal of digits that 64 bits hold; beyond them SQLite has a real one. */
bool expression_is_integer(const struct token *);
bool expression_is_hexadecimal(const struct token *);
/* NULL, CURRENT_TIMESTAMP, CURRENT_DATE, CURRENT_TIME: never a column's name without quotes, as TRUE and FALSE may be. */
bool expression_is_constant(const struct token *word);
/* What CAST to a type of these words makes. */
enum expression_affinity {
	EXPRESSION_AS_INTEGER,
	EXPRESSION_AS_TEXT,
	EXPRESSION_AS_BLOB,
	EXPRESSION_AS_REAL,
	EXPRESSION_AS_NUMERIC
};
enum expression_affinity expression_affinity(const char *type);
/* The operator of EXPRESSION_ORDER, with blanks around it. */
const char *expression_order(const struct token *);
/* The function's name in small letters. */
void expression_function(const struct expression *call, char *buf, size_t size);
/* The text of a token without its quotes, to be freed; NULL: no memory. */
char *expression_unquoted(const struct token *);

#endif
