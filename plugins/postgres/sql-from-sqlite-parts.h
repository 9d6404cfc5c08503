/*
 * What the files of the translator share: a value under construction is its text in PostgreSQL's SQL with what is
 * known of it. A function that returns false has said why, or ran out of memory.
 */
#ifndef POSTGRES_SQL_FROM_SQLITE_PARTS_H
#define POSTGRES_SQL_FROM_SQLITE_PARTS_H

#include "expression.h"
#include "sql-from-sqlite.h"

/* How strongly the outermost operator of a text binds, in PostgreSQL. */
enum sql_binding {
	BINDS_OR = 1,
	BINDS_AND,
	BINDS_NOT,
	BINDS_IS,
	BINDS_COMPARE,
	BINDS_IN, /* BETWEEN, IN, LIKE */
	BINDS_OTHER,
	BINDS_ADD,
	BINDS_MULTIPLY,
	BINDS_UNARY,
	BINDS_ATOM
};

struct sql_value {
	struct etl_text text;
	enum sql_kind kind;
	enum sql_binding binding;
	bool literal;
	bool column;   /* a column as it is: its collation counts */
	bool nocase;   /* by its collation */
	bool collated; /* it was written behind it */
	bool settled;  /* it has one of PostgreSQL's behind it */
};

#define SQL_ARGUMENTS EXPRESSION_LIST

struct translator {
	const struct sql_scope *scope;
	struct sql_result *result;
	enum sql_use use;
	enum sql_kind want; /* of the whole */
	bool failed;	    /* no memory */
};

/* Why not; false, always. */
bool postgres_sql_refuse(struct translator *, const char *format, ...) ETL_PRINTF(2, 3);
/* Not quite the same: how. */
void sql_approximate(struct translator *, const char *note);

void sql_value_free(struct sql_value *);
/* RET, which is zeroed, becomes this text. */
void sql_add_constant(struct sql_value *ret, const char *text, enum sql_kind);
/* The value's text, in parentheses when its operator does not bind stronger than BINDING. */
void sql_add(struct etl_text *, const struct sql_value *, enum sql_binding binding);
/* V becomes BEFORE V AFTER, an atom of KIND unless said otherwise. */
void postgres_sql_wrap(struct sql_value *, const char *before, const char *after, enum sql_kind kind,
	      enum sql_binding inner, enum sql_binding outer);
bool sql_is_number(const struct sql_value *); /* or NULL, or a condition, which is 0 or 1 */
bool sql_is_flag(const struct sql_value *);   /* a condition, NULL, or a literal 0 or 1 */
/* As a condition; as a number; as text without a collation of its own. */
bool sql_to_condition(struct translator *, struct sql_value *);
bool sql_to_number(struct translator *, struct sql_value *);
bool sql_to_text(struct translator *, struct sql_value *);
/* Makes both comparable as SQLite compares them; ORDERED: by < and >, not only by =. */
bool sql_compare(struct translator *, struct sql_value *a, struct sql_value *b, bool ordered);
/* Values that stand for each other, as the branches of CASE: one kind for all. */
bool sql_unify(struct translator *, struct sql_value *values, size_t count, enum sql_kind *ret);
/* As a value of the kind of a column. */
bool sql_convert(struct translator *, struct sql_value *, enum sql_kind);
/* +, -, *, /, %: A becomes the result. */
bool sql_arithmetic(struct translator *, struct sql_value *a, struct sql_value *b,
		    char operator_char);

/* What the operator of an expression with one part, with two parts, makes of them: V, A. */
bool sql_apply_one(struct translator *, const struct expression *, struct sql_value *v);
bool sql_apply_two(struct translator *, const struct expression *, struct sql_value *a, struct sql_value *b);
/* RET [NOT] IN (values) */
bool sql_write_in(struct translator *, struct sql_value *ret, struct sql_value *values, size_t count,
		  bool is_not);

/* NAME was taken, and so were its parentheses. RET is zeroed. */
bool sql_call(struct translator *, const char *name, struct sql_value *arguments, size_t count,
	      struct sql_value *ret);
/* CURRENT_TIMESTAMP, CURRENT_DATE, CURRENT_TIME and what datetime('now') and its like are. */
enum sql_moment { SQL_NOW_TIMESTAMP, SQL_NOW_DATE, SQL_NOW_TIME };
bool sql_now(struct translator *, enum sql_moment, struct sql_value *ret);

#endif
