/*
 * SQLite's operators in PostgreSQL's: what is computed of values that were translated, and compared.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "sql-from-sqlite-parts.h"

/* PostgreSQL does not chain comparisons. */
static void join(struct sql_value *a, const char *operator_text, const struct sql_value *b,
		 enum sql_kind kind, enum sql_binding binding)
{
	bool chains = binding != BINDS_COMPARE && binding != BINDS_IS;
	struct etl_text text = { 0 };

	sql_add(&text, a, (enum sql_binding)(binding - chains));
	etl_text_add(&text, operator_text);
	sql_add(&text, b, binding);
	etl_text_free(&a->text);
	*a = (struct sql_value){ .text = text, .kind = kind, .binding = binding };
}

/* ---- CAST --------------------------------------------------------------------------------------------------- */

static enum sql_kind cast_kind(const char *type)
{
	static const enum sql_kind kinds[] = { [EXPRESSION_AS_INTEGER] = SQL_INT,
					       [EXPRESSION_AS_TEXT] = SQL_TEXT,
					       [EXPRESSION_AS_BLOB] = SQL_BYTES,
					       [EXPRESSION_AS_REAL] = SQL_REAL,
					       [EXPRESSION_AS_NUMERIC] = SQL_NUMERIC };

	return kinds[expression_affinity(type)];
}

static bool cast(struct translator *t, struct sql_value *v, enum sql_kind to)
{
	if (v->kind == to || v->kind == SQL_NULL)
		return true;
	if (v->kind == SQL_BOOL && (to == SQL_INT || to == SQL_NUMERIC))
		return sql_to_number(t, v);
	if (to == SQL_TEXT && v->kind == SQL_INT)
		return sql_to_text(t, v);
	if (to == SQL_REAL && (v->kind == SQL_INT || v->kind == SQL_NUMERIC))
		postgres_sql_wrap(v, "", "::double precision", SQL_REAL, BINDS_UNARY, BINDS_ATOM);
	else if (to == SQL_INT && (v->kind == SQL_REAL || v->kind == SQL_NUMERIC)) {
		sql_approximate(t, "a number beyond 64 bits fails here, where SQLite takes the "
				   "nearest");
		postgres_sql_wrap(v, "trunc(", ")::bigint", SQL_INT, 0, BINDS_ATOM);
	} else if (to != SQL_NUMERIC || (v->kind != SQL_INT && v->kind != SQL_REAL))
		return postgres_sql_refuse(t, "a CAST between these types takes what it can read in SQLite, "
				     "and fails in PostgreSQL");
	return true;
}

/* ---- Computing ---------------------------------------------------------------------------------------------- */

static bool invert(struct translator *t, struct sql_value *v)
{
	if (!sql_to_number(t, v))
		return false;
	if (v->kind != SQL_INT)
		return postgres_sql_refuse(t, "bits of what is no integer");
	postgres_sql_wrap(v, "~ ", "", SQL_INT, BINDS_UNARY, BINDS_OTHER);
	return true;
}

static bool minus(struct translator *t, struct sql_value *v)
{
	if (!sql_to_number(t, v))
		return false;
	postgres_sql_wrap(v, "-", "", v->kind, BINDS_UNARY, BINDS_UNARY);
	return true;
}

static bool not_(struct translator *t, struct sql_value *v)
{
	if (!sql_to_condition(t, v))
		return false;
	postgres_sql_wrap(v, "NOT ", "", SQL_BOOL, BINDS_NOT, BINDS_NOT);
	return true;
}

static bool collate(struct translator *t, const struct token *name, struct sql_value *v)
{
	char why[80];

	if (v->kind != SQL_TEXT)
		return postgres_sql_refuse(t, "COLLATE of what is no text");
	v->collated = true;
	v->nocase = token_names(name, "NOCASE");
	if (!v->nocase && !token_names(name, "BINARY")) {
		expression_refuse_token(name, why, sizeof(why));
		return postgres_sql_refuse(t, "%s", why);
	}
	t->result->nocase = t->result->nocase || v->nocase;
	return true;
}

static bool concat(struct translator *t, struct sql_value *a, struct sql_value *b)
{
	bool bytes = a->kind == SQL_BYTES && b->kind == SQL_BYTES;

	if (!bytes && !(sql_to_text(t, a) && sql_to_text(t, b)))
		return false;
	join(a, " || ", b, bytes ? SQL_BYTES : SQL_TEXT, BINDS_OTHER);
	return true;
}

static const char *bit_operator(const struct token *t)
{
	return token_is(t, "&") ? " & " : token_is(t, "|") ? " | " :
	       token_is(t, "<<") ? " << " : token_is(t, ">>") ? " >> " : NULL;
}

/* SQLite shifts 64 bits; from 64 places on, and by a negative number, what comes of it is its own. */
static bool shift(struct translator *t, struct sql_value *a, const char *word,
		  const struct sql_value *by)
{
	char *end = NULL;
	long long places = by->literal && by->text.at ? strtoll(by->text.at, &end, 10) : -1;

	if (places < 0 || places > 63 || *end)
		return postgres_sql_refuse(t, "a shift by a number that is not known, or beyond 63");
	postgres_sql_wrap(a, "", "::bigint", SQL_INT, BINDS_UNARY, BINDS_ATOM);
	join(a, word, by, SQL_INT, BINDS_OTHER);
	return true;
}

static bool compute_bits(struct translator *t, const char *word, struct sql_value *a, struct sql_value *b)
{
	if (!sql_to_number(t, a) || !sql_to_number(t, b))
		return false;
	if (a->kind != SQL_INT || b->kind != SQL_INT)
		return postgres_sql_refuse(t, "bits of what is no integer");
	if (word[2] != ' ')
		return shift(t, a, word, b);
	join(a, word, b, SQL_INT, BINDS_OTHER);
	return true;
}

/* ---- Comparisons and conditions ---------------------------------------------------------------------------------- */

static bool join_compared(struct translator *t, struct sql_value *a, const char *operator_text,
			  struct sql_value *b, bool ordered)
{
	if (!sql_compare(t, a, b, ordered))
		return false;
	join(a, operator_text, b, SQL_BOOL, BINDS_COMPARE);
	return true;
}

static bool test_null(struct sql_value *v, bool is_not)
{
	postgres_sql_wrap(v, "", is_not ? " IS NOT NULL" : " IS NULL", SQL_BOOL, BINDS_IS, BINDS_IS);
	return true;
}

static bool is(struct translator *t, bool negated, struct sql_value *a, struct sql_value *b)
{
	if (b->kind == SQL_NULL)
		return test_null(a, negated);
	/* IS TRUE asks for a condition. */
	if (b->kind == SQL_BOOL && b->literal && a->kind != SQL_BOOL) {
		if (!sql_to_condition(t, a))
			return false;
	} else if (!sql_compare(t, a, b, false)) {
		return false;
	}
	join(a, negated ? " IS DISTINCT FROM " : " IS NOT DISTINCT FROM ", b, SQL_BOOL, BINDS_IS);
	return true;
}

static bool connect(struct translator *t, bool both, struct sql_value *a, struct sql_value *b)
{
	if (!sql_to_condition(t, a) || !sql_to_condition(t, b))
		return false;
	join(a, both ? " AND " : " OR ", b, SQL_BOOL, both ? BINDS_AND : BINDS_OR);
	return true;
}

/* Where one is a condition and another a number that is neither 0 nor 1, all of them are numbers. */
static bool agree_on_flags(struct translator *t, struct sql_value *v, struct sql_value *values,
			   size_t count)
{
	bool one = v->kind == SQL_BOOL, all = sql_is_flag(v);
	size_t i;

	for (i = 0; i < count; i++) {
		one = one || values[i].kind == SQL_BOOL;
		all = all && sql_is_flag(&values[i]);
	}
	if (!one || all)
		return true;
	for (i = 0; i < count; i++) {
		if (!sql_to_number(t, &values[i]))
			return false;
	}
	return sql_to_number(t, v);
}

bool sql_write_in(struct translator *t, struct sql_value *ret, struct sql_value *values,
		  size_t count, bool is_not)
{
	struct etl_text text = { 0 };
	size_t i;

	/* SQLite takes an empty list, which nothing is in. */
	if (count == 0) {
		etl_text_free(&ret->text);
		*ret = (struct sql_value){ 0 };
		sql_add_constant(ret, is_not ? "true" : "false", SQL_BOOL);
		return true;
	}
	if (!agree_on_flags(t, ret, values, count))
		return false;
	for (i = 0; i < count; i++) {
		if (!sql_compare(t, ret, &values[i], false))
			return false;
	}
	sql_add(&text, ret, BINDS_IN);
	etl_text_add(&text, is_not ? " NOT IN (" : " IN (");
	for (i = 0; i < count; i++) {
		etl_text_add(&text, i ? ", " : "");
		sql_add(&text, &values[i], 0);
	}
	etl_text_add(&text, ")");
	etl_text_free(&ret->text);
	*ret = (struct sql_value){ .text = text, .kind = SQL_BOOL, .binding = BINDS_IN };
	return true;
}

/* ---- By kind ------------------------------------------------------------------------------------------------- */

bool sql_apply_two(struct translator *t, const struct expression *e, struct sql_value *a, struct sql_value *b)
{
	switch (e->kind) {
	case EXPRESSION_CONCAT:
		return concat(t, a, b);
	case EXPRESSION_MULTIPLY:
	case EXPRESSION_ADD:
		return sql_arithmetic(t, a, b, *e->token.at);
	case EXPRESSION_BITS:
		return compute_bits(t, bit_operator(&e->token), a, b);
	case EXPRESSION_ORDER:
		return join_compared(t, a, expression_order(&e->token), b, true);
	case EXPRESSION_EQUAL:
		return join_compared(t, a, e->negated ? " <> " : " = ", b, false);
	case EXPRESSION_IS:
		return is(t, e->negated, a, b);
	default:
		return connect(t, e->kind == EXPRESSION_AND, a, b);
	}
}

bool sql_apply_one(struct translator *t, const struct expression *e, struct sql_value *v)
{
	switch (e->kind) {
	case EXPRESSION_CAST:
		return cast(t, v, cast_kind(e->type));
	case EXPRESSION_MINUS:
		return minus(t, v);
	case EXPRESSION_INVERT:
		return invert(t, v);
	case EXPRESSION_COLLATE:
		return collate(t, &e->token, v);
	case EXPRESSION_IS_NULL:
		return test_null(v, e->negated);
	default:
		return not_(t, v);
	}
}
