/*
 * What the files of the translator share: a value under construction is its text in T-SQL with what is known of it. A
 * function that returns false has said why, or ran out of memory.
 */
#ifndef ODBC_TSQL_FROM_SQLITE_PARTS_H
#define ODBC_TSQL_FROM_SQLITE_PARTS_H

#include "expression.h"
#include "tsql-from-sqlite.h"

/* How strongly the outermost operator of a text binds, in T-SQL. */
enum tsql_binding {
	TSQL_BINDS_OR = 1,
	TSQL_BINDS_AND,
	TSQL_BINDS_NOT,
	TSQL_BINDS_COMPARE, /* BETWEEN, IN, LIKE, IS NULL too */
	TSQL_BINDS_ADD,	    /* and &, | */
	TSQL_BINDS_MULTIPLY,
	TSQL_BINDS_UNARY, /* and COLLATE */
	TSQL_BINDS_ATOM
};

struct tsql_value {
	struct etl_text text;
	enum tsql_kind kind;
	enum tsql_binding binding;
	bool literal;
	bool truth;	   /* TRUE or FALSE as a word, 1 or 0 */
	bool zero;	   /* a literal number that is 0 */
	bool wide;	   /* an integer of 64 bits */
	long long integer; /* of a literal of kind TSQL_INT */
	int64_t most;	   /* of a text: UTF-16 units at most; 0: any */
	bool column;	   /* a column as it is: its collation counts */
	bool nocase;	   /* by its collation */
	bool binary;	   /* likewise: it needs no other one to be compared as SQLite does */
	bool collated;	   /* a collation was written behind it */
	bool settled;	   /* it has one of T-SQL's behind it */
};

struct tsql_translator {
	const struct tsql_scope *scope;
	struct tsql_result *result;
	enum tsql_use use;
	enum tsql_kind want; /* of the whole */
	bool failed;	     /* no memory */
};

/* tsql-from-sqlite.c */
/* Why not; false, always. */
bool tsql_refuse(struct tsql_translator *, const char *format, ...) ETL_PRINTF(2, 3);
/* Not quite the same: how. */
void tsql_approximate(struct tsql_translator *, const char *note);
/* The text of a token without its quotes; to be freed. */
char *tsql_unquoted(struct tsql_translator *, const struct token *);
bool tsql_translate(struct tsql_translator *, const struct expression *, struct tsql_value *ret);
const struct tsql_column *tsql_find_column(const struct tsql_translator *, const struct expression *);

/* tsql-from-sqlite-values.c */
void tsql_value_free(struct tsql_value *);
/* RET, which is zeroed, becomes this text. */
void tsql_add_constant(struct tsql_value *ret, const char *text, enum tsql_kind);
/* A text as a literal. */
bool tsql_add_string(struct tsql_translator *, const char *text, struct tsql_value *ret);
/* The value's text, in parentheses when its operator does not bind stronger than BINDING. */
void tsql_add(struct etl_text *, const struct tsql_value *, enum tsql_binding binding);
/* V becomes BEFORE V AFTER of KIND, with nothing else known of it. */
void tsql_wrap(struct tsql_value *, const char *before, const char *after, enum tsql_kind kind, enum tsql_binding inner,
	       enum tsql_binding outer);
/* A WORD B becomes A. */
void tsql_join(struct tsql_value *a, const char *word, const struct tsql_value *b, enum tsql_kind kind,
	       enum tsql_binding binding);
bool tsql_is_number(const struct tsql_value *); /* or NULL, or a condition, which is 0 or 1 */
/* A condition as 0, 1 or NULL. */
void tsql_to_value(struct tsql_value *);
bool tsql_to_condition(struct tsql_translator *, struct tsql_value *);
bool tsql_to_number(struct tsql_translator *, struct tsql_value *);
bool tsql_to_text(struct tsql_translator *, struct tsql_value *);
/* Makes both comparable as SQLite compares them; ORDERED: by < and >, not only by =. */
bool tsql_compare(struct tsql_translator *, struct tsql_value *a, struct tsql_value *b, bool ordered);
/* Values that stand for each other, as the branches of CASE: one kind for all. */
bool tsql_unify(struct tsql_translator *, struct tsql_value *values, size_t count, struct tsql_value *ret);
/* As a value of the kind of a column. */
bool tsql_convert(struct tsql_translator *, struct tsql_value *, enum tsql_kind);
/* +, -, *, /, %: A becomes the result. */
bool tsql_arithmetic(struct tsql_translator *, struct tsql_value *a, struct tsql_value *b, char operator_char);

/* tsql-from-sqlite-operators.c */
/* What the operator of an expression with one part, with two parts, makes of them: V, A. */
bool tsql_apply_one(struct tsql_translator *, const struct expression *, struct tsql_value *v);
bool tsql_apply_two(struct tsql_translator *, const struct expression *, struct tsql_value *a, struct tsql_value *b);
/* A OPERATOR B, as a condition. */
bool tsql_write_compared(struct tsql_translator *, struct tsql_value *a, const char *operator_text, struct tsql_value *b,
			 bool ordered);
/* RET [NOT] IN (values) */
bool tsql_write_in(struct tsql_translator *, struct tsql_value *ret, struct tsql_value *values, size_t count, bool is_not);
bool tsql_write_like(struct tsql_translator *, const struct expression *, struct tsql_value *ret);

/* tsql-from-sqlite-functions.c */
bool tsql_call(struct tsql_translator *, const char *name, struct tsql_value *arguments, size_t count,
	       struct tsql_value *ret);
enum tsql_moment { TSQL_NOW_TIMESTAMP, TSQL_NOW_DATE, TSQL_NOW_TIME };
/* CURRENT_TIMESTAMP, CURRENT_DATE, CURRENT_TIME and what datetime('now') and its like are. */
bool tsql_now(struct tsql_translator *, enum tsql_moment, struct tsql_value *ret);

/* tsql-from-sqlite-filter.c */
/* A condition that CREATE INDEX … WHERE takes. */
bool tsql_write_filter(struct tsql_translator *, const struct expression *, struct etl_text *ret);

#endif
