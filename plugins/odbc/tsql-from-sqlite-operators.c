/*
 * SQLite's operators in T-SQL: what is computed of values that were translated, and compared.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "tsql-from-sqlite-parts.h"

#define NVARCHAR_MOST 4000 /* UTF-16 units: what is joined of shorter types ends there, in silence */

/* ---- CAST --------------------------------------------------------------------------------------------------- */

static enum tsql_kind cast_kind(const char *type)
{
	static const enum tsql_kind kinds[] = { [EXPRESSION_AS_INTEGER] = TSQL_INT,
						[EXPRESSION_AS_TEXT] = TSQL_TEXT,
						[EXPRESSION_AS_BLOB] = TSQL_BYTES,
						[EXPRESSION_AS_REAL] = TSQL_REAL,
						[EXPRESSION_AS_NUMERIC] = TSQL_NUMERIC };

	return kinds[expression_affinity(type)];
}

static bool cast(struct tsql_translator *t, struct tsql_value *v, enum tsql_kind to)
{
	tsql_to_value(v);
	if (v->kind == to || v->kind == TSQL_NULL)
		return true;
	if (v->kind == TSQL_BIT && (to == TSQL_INT || to == TSQL_NUMERIC))
		return tsql_to_number(t, v);
	if (to == TSQL_TEXT && v->kind == TSQL_INT)
		return tsql_to_text(t, v);
	if (to == TSQL_REAL && (v->kind == TSQL_INT || v->kind == TSQL_NUMERIC)) {
		tsql_wrap(v, "CAST(", " AS float)", TSQL_REAL, 0, TSQL_BINDS_ATOM);
	} else if (to == TSQL_INT && (v->kind == TSQL_REAL || v->kind == TSQL_NUMERIC)) {
		tsql_approximate(t, "a number beyond 64 bits fails here, where SQLite takes the nearest");
		tsql_wrap(v, "CAST(", " AS bigint)", TSQL_INT, 0, TSQL_BINDS_ATOM);
		v->wide = true;
	} else if (to != TSQL_NUMERIC || (v->kind != TSQL_INT && v->kind != TSQL_REAL)) {
		return tsql_refuse(t, "a CAST between these types takes what it can read in SQLite, and fails in T-SQL");
	}
	return true;
}

/* ---- Computing ---------------------------------------------------------------------------------------------- */

static bool invert(struct tsql_translator *t, struct tsql_value *v)
{
	if (!tsql_to_number(t, v))
		return false;
	if (v->kind != TSQL_INT)
		return tsql_refuse(t, "bits of what is no integer");
	tsql_wrap(v, "~", "", TSQL_INT, TSQL_BINDS_UNARY, TSQL_BINDS_UNARY);
	return true;
}

static bool minus(struct tsql_translator *t, struct tsql_value *v)
{
	bool literal = v->literal, zero = v->zero;
	long long integer = v->integer;

	if (!tsql_to_number(t, v))
		return false;
	/* It binds as the minus between two values does: a / -b * c is a / -(b * c). */
	tsql_wrap(v, "-", "", v->kind, TSQL_BINDS_UNARY, TSQL_BINDS_ADD);
	v->literal = literal;
	v->zero = zero;
	v->integer = -integer;
	return true;
}

static bool collate(struct tsql_translator *t, const struct token *name, struct tsql_value *v)
{
	if (v->kind != TSQL_TEXT)
		return tsql_refuse(t, "COLLATE of what is no text");
	v->collated = true;
	v->nocase = token_names(name, "NOCASE");
	if (!v->nocase && !token_names(name, "BINARY"))
		return tsql_refuse(t, "T-SQL has no collation %.*s", (int)(name->length < 40 ? name->length : 40), name->at);
	return true;
}

/* NULL makes all of it NULL in both. */
static bool concat(struct tsql_translator *t, struct tsql_value *a, struct tsql_value *b)
{
	int64_t most;

	if (!tsql_to_text(t, a) || !tsql_to_text(t, b))
		return false;
	most = (a->most || a->literal) && (b->most || b->literal) ? a->most + b->most : 0;
	if (most > NVARCHAR_MOST) {
		tsql_wrap(a, "CAST(", " AS nvarchar(max))", TSQL_TEXT, 0, TSQL_BINDS_ATOM);
		most = 0;
	}
	tsql_join(a, " + ", b, TSQL_TEXT, TSQL_BINDS_ADD);
	a->most = most;
	return true;
}

static bool compute_bits(struct tsql_translator *t, const struct token *token, struct tsql_value *a, struct tsql_value *b)
{
	if (!token_is(token, "&") && !token_is(token, "|"))
		return tsql_refuse(t, "T-SQL shifts bits from SQL Server 2022 on only");
	if (!tsql_to_number(t, a) || !tsql_to_number(t, b))
		return false;
	if (a->kind != TSQL_INT || b->kind != TSQL_INT)
		return tsql_refuse(t, "bits of what is no integer");
	tsql_join(a, token_is(token, "&") ? " & " : " | ", b, TSQL_INT, TSQL_BINDS_ADD);
	return true;
}

/* ---- Comparisons ---------------------------------------------------------------------------------------------- */

static bool is_empty_text(const struct tsql_value *v)
{
	return v->literal && v->kind == TSQL_TEXT && v->most == 0;
}

/* Blanks are equal to '' in T-SQL. */
static void compare_with_empty(struct tsql_value *a, const char *operator_text)
{
	char after[24];

	snprintf(after, sizeof(after), ")%s0", operator_text);
	tsql_wrap(a, "DATALENGTH(", after, TSQL_CONDITION, 0, TSQL_BINDS_COMPARE);
}

bool tsql_write_compared(struct tsql_translator *t, struct tsql_value *a, const char *operator_text, struct tsql_value *b,
			 bool ordered)
{
	if (a->kind == TSQL_TEXT && is_empty_text(b) && !is_empty_text(a)) {
		compare_with_empty(a, operator_text);
		return true;
	}
	if (!tsql_compare(t, a, b, ordered))
		return false;
	tsql_join(a, operator_text, b, TSQL_CONDITION, TSQL_BINDS_COMPARE);
	return true;
}

static bool test_null(struct tsql_value *v, bool is_not)
{
	tsql_to_value(v);
	tsql_wrap(v, "", is_not ? " IS NOT NULL" : " IS NULL", TSQL_CONDITION, TSQL_BINDS_COMPARE, TSQL_BINDS_COMPARE);
	return true;
}

/* A condition that is never unknown. */
static void settle(struct tsql_value *v, bool negated)
{
	tsql_wrap(v, "CASE WHEN ", negated ? " THEN 1 ELSE 0 END = 0" : " THEN 1 ELSE 0 END = 1", TSQL_CONDITION, 0,
		  TSQL_BINDS_COMPARE);
}

static void add_both_null(struct tsql_value *a, const char *left, const char *right)
{
	etl_text_addf(&a->text, " OR (%s IS NULL AND %s IS NULL)", left, right);
	a->binding = TSQL_BINDS_OR;
}

static bool is(struct tsql_translator *t, bool negated, struct tsql_value *a, struct tsql_value *b)
{
	struct etl_text left = { 0 }, right = { 0 };
	bool may_be_null = !b->literal, ok;

	t->result->strict = false;
	if (b->kind == TSQL_NULL)
		return test_null(a, negated);
	/* IS TRUE asks for a condition, IS FALSE for one that is not. */
	if (b->truth) {
		bool falls = b->zero;

		if (!tsql_to_condition(t, a))
			return false;
		if (falls)
			tsql_wrap(a, "NOT ", "", TSQL_CONDITION, TSQL_BINDS_NOT, TSQL_BINDS_NOT);
		settle(a, negated);
		return true;
	}
	tsql_to_value(a);
	tsql_to_value(b);
	tsql_add(&left, a, TSQL_BINDS_COMPARE);
	tsql_add(&right, b, TSQL_BINDS_COMPARE);
	ok = tsql_write_compared(t, a, " = ", b, false);
	if (ok && may_be_null)
		add_both_null(a, left.at ? left.at : "", right.at ? right.at : "");
	if (ok)
		settle(a, negated);
	a->text.failed = a->text.failed || left.failed || right.failed;
	etl_text_free(&left);
	etl_text_free(&right);
	return ok;
}

static bool connect(struct tsql_translator *t, bool both, struct tsql_value *a, struct tsql_value *b)
{
	t->result->strict = false;
	if (!tsql_to_condition(t, a) || !tsql_to_condition(t, b))
		return false;
	tsql_join(a, both ? " AND " : " OR ", b, TSQL_CONDITION, both ? TSQL_BINDS_AND : TSQL_BINDS_OR);
	return true;
}

bool tsql_write_in(struct tsql_translator *t, struct tsql_value *ret, struct tsql_value *values, size_t count, bool is_not)
{
	struct etl_text text = { 0 };

	/* SQLite takes an empty list, which nothing is in. */
	if (count == 0) {
		tsql_value_free(ret);
		tsql_add_constant(ret, is_not ? "1 = 1" : "1 = 0", TSQL_CONDITION);
		ret->binding = TSQL_BINDS_COMPARE;
		return true;
	}
	for (size_t i = 0; i < count; i++)
		if (!tsql_compare(t, ret, &values[i], false))
			return false;
	tsql_add(&text, ret, TSQL_BINDS_COMPARE);
	etl_text_add(&text, is_not ? " NOT IN (" : " IN (");
	for (size_t i = 0; i < count; i++) {
		etl_text_add(&text, i ? ", " : "");
		tsql_add(&text, &values[i], 0);
	}
	etl_text_add(&text, ")");
	tsql_value_free(ret);
	*ret = (struct tsql_value){ .text = text, .kind = TSQL_CONDITION, .binding = TSQL_BINDS_COMPARE };
	return true;
}

/* ---- LIKE ----------------------------------------------------------------------------------------------------- */

/* In T-SQL a pattern has sets of letters in brackets too, so what stands for itself is a set of one. */
static bool add_pattern(struct tsql_translator *t, const struct expression *e, const char *escape, struct etl_text *ret)
{
	char *pattern = e->kind == EXPRESSION_STRING || e->kind == EXPRESSION_NAME ? tsql_unquoted(t, &e->token) : NULL;
	struct etl_text text = { 0 };

	if (!pattern)
		return t->failed ? false : tsql_refuse(t, "LIKE by a pattern that is not written out");
	for (const char *p = pattern; *p; p++) {
		bool itself = escape && *p == *escape && p[1];

		p += itself;
		etl_text_addf(&text, *p == '[' || (itself && (*p == '%' || *p == '_')) ? "[%c]" : "%c", *p);
	}
	etl_text_add(ret, "N");
	etl_text_add_literal(ret, text.at ? text.at : "");
	ret->failed = ret->failed || text.failed;
	etl_text_free(&text);
	free(pattern);
	return true;
}

static bool add_like(struct tsql_translator *t, const struct expression *e, const char *escape, struct tsql_value *ret)
{
	struct etl_text text = { 0 };
	bool ok;

	tsql_add(&text, ret, TSQL_BINDS_UNARY);
	etl_text_addf(&text, " COLLATE " TSQL_NOCASE "%s", e->negated ? " NOT LIKE " : " LIKE ");
	ok = add_pattern(t, e->parts[1], escape, &text);
	tsql_value_free(ret);
	*ret = (struct tsql_value){ .text = text, .kind = TSQL_CONDITION, .binding = TSQL_BINDS_COMPARE };
	return ok;
}

bool tsql_write_like(struct tsql_translator *t, const struct expression *e, struct tsql_value *ret)
{
	char *escape = NULL;
	bool ok = tsql_translate(t, e->parts[0], ret);

	if (ok && ret->kind != TSQL_TEXT)
		ok = tsql_refuse(t, "LIKE looks at the text of what is no text here");
	if (ok && e->parts[1]->kind == EXPRESSION_NAME && (*e->parts[1]->token.at != '"' || tsql_find_column(t, e->parts[1])))
		ok = tsql_refuse(t, "LIKE by a pattern that is not written out");
	if (ok && e->count > 2) {
		ok = e->parts[2]->kind == EXPRESSION_STRING && (escape = tsql_unquoted(t, &e->parts[2]->token)) != NULL;
		ok = ok && strlen(escape) == 1;
		if (!ok)
			tsql_refuse(t, "LIKE with an ESCAPE that is no plain character");
	}
	if (ok) {
		tsql_approximate(t, "LIKE ignores the case of all letters, not only of A to Z");
		ok = add_like(t, e, escape, ret);
	}
	free(escape);
	return ok;
}

/* ---- By kind ------------------------------------------------------------------------------------------------- */

bool tsql_apply_two(struct tsql_translator *t, const struct expression *e, struct tsql_value *a, struct tsql_value *b)
{
	switch (e->kind) {
	case EXPRESSION_CONCAT:
		return concat(t, a, b);
	case EXPRESSION_MULTIPLY:
	case EXPRESSION_ADD:
		return tsql_arithmetic(t, a, b, *e->token.at);
	case EXPRESSION_BITS:
		return compute_bits(t, &e->token, a, b);
	case EXPRESSION_ORDER:
		return tsql_write_compared(t, a, expression_order(&e->token), b, true);
	case EXPRESSION_EQUAL:
		return tsql_write_compared(t, a, e->negated ? " <> " : " = ", b, false);
	case EXPRESSION_IS:
		return is(t, e->negated, a, b);
	default:
		return connect(t, e->kind == EXPRESSION_AND, a, b);
	}
}

bool tsql_apply_one(struct tsql_translator *t, const struct expression *e, struct tsql_value *v)
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
		t->result->strict = false;
		return test_null(v, e->negated);
	default:
		if (!tsql_to_condition(t, v))
			return false;
		tsql_wrap(v, "NOT ", "", TSQL_CONDITION, TSQL_BINDS_NOT, TSQL_BINDS_NOT);
		return true;
	}
}
