/*
 * The condition of a partial index. Microsoft's "CREATE INDEX" takes comparisons of a column with a constant there, IN and IS
 * NULL, with AND between them, and nothing else: no OR, NOT, LIKE, BETWEEN, function or computed column. A BETWEEN is two
 * comparisons, a NOT IN several.
 */
#include "config.h"

#include <stdlib.h>

#include "tsql-from-sqlite-parts.h"

static bool write_part(struct tsql_translator *, const struct expression *, struct etl_text *);

static bool refuse(struct tsql_translator *t)
{
	return tsql_refuse(t, "the filter of an index compares a column with a constant, by =, <>, <, >, IN or IS NULL, with AND "
			      "between such comparisons");
}

static bool is_column(struct tsql_translator *t, const struct expression *e)
{
	const struct tsql_column *c = tsql_find_column(t, e);

	if (c && c->computed)
		tsql_refuse(t, "the filter of an index takes no computed column, \"%s\"", c->was);
	return c && !c->computed;
}

static bool is_constant(struct tsql_translator *t, const struct expression *e)
{
	switch (e->kind) {
	case EXPRESSION_NUMBER:
	case EXPRESSION_LEAST:
	case EXPRESSION_STRING:
		return true;
	case EXPRESSION_MINUS:
		return is_constant(t, e->parts[0]);
	case EXPRESSION_NAME:
		return !tsql_find_column(t, e) && (token_is_word(&e->token, "TRUE") || token_is_word(&e->token, "FALSE") ||
						   *e->token.at == '"');
	default:
		return false;
	}
}

/* A constant for comparisons with A. One of a type that goes before the column's SQL Server refuses (its error 10611). */
static bool write_constant(struct tsql_translator *t, struct tsql_value *a, const struct expression *constant, bool ordered,
			   struct etl_text *ret)
{
	struct tsql_value b = { 0 };
	bool ok = (is_constant(t, constant) || refuse(t)) && tsql_translate(t, constant, &b) &&
		  tsql_compare(t, a, &b, ordered);

	if (ok && (a->kind == TSQL_INT || a->kind == TSQL_BIT) && b.kind == TSQL_REAL)
		ok = tsql_refuse(t, "the filter of an index compares no integer with a fraction");
	if (ok && a->kind == TSQL_NUMERIC)
		ok = tsql_convert(t, &b, TSQL_NUMERIC);
	if (ok)
		tsql_add(ret, &b, TSQL_BINDS_COMPARE);
	tsql_value_free(&b);
	return ok;
}

/* COLUMN WORD CONSTANT. */
static bool compare(struct tsql_translator *t, const struct expression *column, const char *word,
		    const struct expression *constant, bool ordered, struct etl_text *ret)
{
	struct tsql_value a = { 0 };
	bool ok = (is_column(t, column) || refuse(t)) && tsql_translate(t, column, &a);

	if (ok) {
		tsql_add(ret, &a, TSQL_BINDS_COMPARE);
		etl_text_add(ret, word);
		ok = write_constant(t, &a, constant, ordered, ret);
	}
	tsql_value_free(&a);
	return ok;
}

static bool write_compared(struct tsql_translator *t, const struct expression *e, struct etl_text *ret)
{
	static const char *const words[][3] = { { "<", " < ", " > " },	  { "<=", " <= ", " >= " }, { ">", " > ", " < " },
						{ ">=", " >= ", " <= " }, { NULL, NULL, NULL } };
	bool flipped = !tsql_find_column(t, e->parts[0]);
	const char *word = e->negated ? " <> " : " = ";

	for (size_t i = 0; e->kind == EXPRESSION_ORDER && words[i][0]; i++)
		if (token_is(&e->token, words[i][0]))
			word = words[i][flipped ? 2 : 1];
	return compare(t, e->parts[flipped], word, e->parts[!flipped], e->kind == EXPRESSION_ORDER, ret);
}

static bool write_null(struct tsql_translator *t, const struct expression *column, bool is_not, struct etl_text *ret)
{
	struct tsql_value v = { 0 };
	bool ok = (is_column(t, column) || refuse(t)) && tsql_translate(t, column, &v);

	if (ok)
		tsql_add(ret, &v, TSQL_BINDS_COMPARE);
	etl_text_add(ret, is_not ? " IS NOT NULL" : " IS NULL");
	tsql_value_free(&v);
	return ok;
}

static bool is_null_word(const struct expression *e)
{
	return e->kind == EXPRESSION_NAME && token_is_word(&e->token, "NULL");
}

/* A condition that is unknown leaves a row out, as one that is false does, so IS a constant is = it. */
static bool write_is(struct tsql_translator *t, const struct expression *e, struct etl_text *ret)
{
	if (is_null_word(e->parts[1]))
		return write_null(t, e->parts[0], e->negated, ret);
	return e->negated ? refuse(t) : compare(t, e->parts[0], " = ", e->parts[1], false, ret);
}

static bool write_between(struct tsql_translator *t, const struct expression *e, struct etl_text *ret)
{
	if (e->negated)
		return refuse(t);
	if (!compare(t, e->parts[0], " >= ", e->parts[1], true, ret))
		return false;
	etl_text_add(ret, " AND ");
	return compare(t, e->parts[0], " <= ", e->parts[2], true, ret);
}

static bool write_not_in(struct tsql_translator *t, const struct expression *e, struct etl_text *ret)
{
	for (size_t i = 1; i < e->count; i++) {
		etl_text_add(ret, i > 1 ? " AND " : "");
		if (!compare(t, e->parts[0], " <> ", e->parts[i], false, ret))
			return false;
	}
	return true;
}

static bool write_in(struct tsql_translator *t, const struct expression *e, struct etl_text *ret)
{
	struct tsql_value a = { 0 };
	bool ok = e->count > 1 && is_column(t, e->parts[0]) ? true : refuse(t);

	if (ok && e->negated)
		return write_not_in(t, e, ret);
	ok = ok && tsql_translate(t, e->parts[0], &a);
	if (ok)
		tsql_add(ret, &a, TSQL_BINDS_COMPARE);
	etl_text_add(ret, " IN (");
	for (size_t i = 1; ok && i < e->count; i++) {
		etl_text_add(ret, i > 1 ? ", " : "");
		ok = write_constant(t, &a, e->parts[i], false, ret);
	}
	etl_text_add(ret, ")");
	tsql_value_free(&a);
	return ok;
}

/* A number alone, and one that is not. */
static bool write_flag(struct tsql_translator *t, const struct expression *column, bool is_not, struct etl_text *ret)
{
	struct tsql_value v = { 0 };
	bool ok = (is_column(t, column) || refuse(t)) && tsql_translate(t, column, &v);

	if (ok && (!tsql_is_number(&v) || v.kind == TSQL_NULL))
		ok = tsql_refuse(t, "a value that is no number stands where a condition must");
	if (ok)
		tsql_add(ret, &v, TSQL_BINDS_COMPARE);
	etl_text_add(ret, is_not ? " = 0" : " <> 0");
	tsql_value_free(&v);
	return ok;
}

static bool write_both(struct tsql_translator *t, const struct expression *e, struct etl_text *ret)
{
	if (!write_part(t, e->parts[0], ret))
		return false;
	etl_text_add(ret, " AND ");
	return write_part(t, e->parts[1], ret);
}

static bool write_part(struct tsql_translator *t, const struct expression *e, struct etl_text *ret)
{
	switch (e->kind) {
	case EXPRESSION_AND:
		return write_both(t, e, ret);
	case EXPRESSION_ORDER:
	case EXPRESSION_EQUAL:
		return write_compared(t, e, ret);
	case EXPRESSION_IS:
		return write_is(t, e, ret);
	case EXPRESSION_IS_NULL:
		return write_null(t, e->parts[0], e->negated, ret);
	case EXPRESSION_BETWEEN:
		return write_between(t, e, ret);
	case EXPRESSION_IN:
		return write_in(t, e, ret);
	case EXPRESSION_NOT:
		return write_flag(t, e->parts[0], true, ret);
	case EXPRESSION_NAME:
	case EXPRESSION_QUALIFIED:
		return write_flag(t, e, false, ret);
	default:
		return refuse(t);
	}
}

bool tsql_write_filter(struct tsql_translator *t, const struct expression *e, struct etl_text *ret)
{
	return write_part(t, e, ret);
}
