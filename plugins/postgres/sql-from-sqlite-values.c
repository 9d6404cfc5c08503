/*
 * How values of different kinds meet: what SQLite does by affinity and PostgreSQL not at all.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "sql-from-sqlite-parts.h"

void sql_value_free(struct sql_value *v)
{
	etl_text_free(&v->text);
	memset(v, 0, sizeof(*v));
}

void sql_add_constant(struct sql_value *ret, const char *text, enum sql_kind kind)
{
	etl_text_add(&ret->text, text);
	ret->kind = kind;
	ret->binding = BINDS_ATOM;
	ret->literal = kind != SQL_NULL;
}

void sql_add(struct etl_text *to, const struct sql_value *v, enum sql_binding binding)
{
	bool inside = v->binding <= binding;

	to->failed = to->failed || v->text.failed;
	etl_text_addf(to, "%s%s%s", inside ? "(" : "", v->text.at ? v->text.at : "",
		      inside ? ")" : "");
}

void postgres_sql_wrap(struct sql_value *v, const char *before, const char *after, enum sql_kind kind,
	      enum sql_binding inner, enum sql_binding outer)
{
	struct etl_text text = { 0 };

	etl_text_add(&text, before);
	sql_add(&text, v, inner);
	etl_text_add(&text, after);
	etl_text_free(&v->text);
	*v = (struct sql_value){ .text = text, .kind = kind, .binding = outer };
}

/* The same value, said by another literal. */
static void say(struct sql_value *v, const char *text, enum sql_kind kind)
{
	v->text.length = 0;
	etl_text_add(&v->text, text);
	v->kind = kind;
}

/* ---- Numbers and conditions ---------------------------------------------------------------------------------- */

bool sql_is_number(const struct sql_value *v)
{
	return v->kind == SQL_INT || v->kind == SQL_REAL || v->kind == SQL_NUMERIC ||
	       v->kind == SQL_BOOL || v->kind == SQL_NULL;
}

/* A literal that is 0 in whatever form. */
static bool is_zero(const struct sql_value *v)
{
	return v->literal && v->text.at && strtod(v->text.at, NULL) == 0;
}

bool sql_is_flag(const struct sql_value *v)
{
	return v->kind == SQL_BOOL || v->kind == SQL_NULL ||
	       (v->literal && v->kind == SQL_INT && v->text.at &&
		(strcmp(v->text.at, "0") == 0 || strcmp(v->text.at, "1") == 0));
}

bool sql_to_condition(struct translator *t, struct sql_value *v)
{
	if (v->kind == SQL_BOOL || v->kind == SQL_NULL)
		return true;
	if (!sql_is_number(v))
		return postgres_sql_refuse(t, "a value that is no number stands where a condition must");
	if (v->literal)
		say(v, is_zero(v) ? "false" : "true", SQL_BOOL);
	else
		postgres_sql_wrap(v, "", " <> 0", SQL_BOOL, BINDS_COMPARE, BINDS_COMPARE);
	return true;
}

bool sql_to_number(struct translator *t, struct sql_value *v)
{
	if (!sql_is_number(v))
		return postgres_sql_refuse(t, "it computes with a value that is no number");
	if (v->kind == SQL_BOOL && v->literal)
		say(v, v->text.at && strcmp(v->text.at, "true") == 0 ? "1" : "0", SQL_INT);
	else if (v->kind == SQL_BOOL)
		postgres_sql_wrap(v, "", "::integer", SQL_INT, BINDS_UNARY, BINDS_ATOM);
	return true;
}

/* An integer literal in a place where a real one makes the difference. */
static void to_real(struct sql_value *v)
{
	if (v->kind == SQL_INT || v->kind == SQL_NUMERIC || v->literal)
		postgres_sql_wrap(v, "", "::double precision", SQL_REAL, BINDS_UNARY, BINDS_ATOM);
}

/* What both become: integers stay, a real makes both real, decimals stay exact. */
static enum sql_kind meet(struct translator *t, struct sql_value *a, struct sql_value *b)
{
	if (a->kind == SQL_NULL || b->kind == SQL_NULL)
		return a->kind == SQL_NULL ? b->kind : a->kind;
	if (a->kind == SQL_INT && b->kind == SQL_INT)
		return SQL_INT;
	if (a->kind == SQL_NUMERIC || b->kind == SQL_NUMERIC) {
		sql_approximate(t, "it computes with decimals exactly, where SQLite does with "
				   "binary fractions");
		return (a->kind == SQL_REAL && !a->literal) || (b->kind == SQL_REAL && !b->literal) ?
			       SQL_REAL :
			       SQL_NUMERIC;
	}
	to_real(a);
	to_real(b);
	return SQL_REAL;
}

static void join(struct sql_value *a, const char *word, const struct sql_value *b, enum sql_kind kind,
		 enum sql_binding binding)
{
	struct etl_text text = { 0 };

	sql_add(&text, a, (enum sql_binding)(binding - 1));
	etl_text_add(&text, word);
	sql_add(&text, b, binding);
	etl_text_free(&a->text);
	*a = (struct sql_value){ .text = text, .kind = kind, .binding = binding };
}

/* By zero SQLite divides to NULL. */
static bool divide(struct translator *t, struct sql_value *a, struct sql_value *b, char c)
{
	enum sql_kind kind;

	if (c == '%' && (a->kind != SQL_INT || b->kind != SQL_INT))
		return postgres_sql_refuse(t, "the remainder of what is no integer");
	if ((a->kind == SQL_NUMERIC && !(b->kind == SQL_REAL && !b->literal)) ||
	    (b->kind == SQL_NUMERIC && !(a->kind == SQL_REAL && !a->literal)))
		return postgres_sql_refuse(t, "SQLite divides decimals as integers where they are whole");
	kind = meet(t, a, b);
	if (!b->literal || is_zero(b))
		postgres_sql_wrap(b, "nullif(", ", 0)", b->kind, 0, BINDS_ATOM);
	join(a, c == '%' ? " % " : " / ", b, kind, BINDS_MULTIPLY);
	return true;
}

bool sql_arithmetic(struct translator *t, struct sql_value *a, struct sql_value *b,
		    char operator_char)
{
	enum sql_kind kind;

	if (!sql_to_number(t, a) || !sql_to_number(t, b))
		return false;
	if (operator_char == '/' || operator_char == '%')
		return divide(t, a, b, operator_char);
	kind = meet(t, a, b);
	if (operator_char == '*')
		join(a, " * ", b, kind, BINDS_MULTIPLY);
	else
		join(a, operator_char == '+' ? " + " : " - ", b, kind, BINDS_ADD);
	return true;
}

/* ---- Text ------------------------------------------------------------------------------------------------------ */

bool sql_to_text(struct translator *t, struct sql_value *v)
{
	bool nocase = v->nocase;

	if (v->kind == SQL_INT && v->literal) {
		postgres_sql_wrap(v, "'", "'", SQL_TEXT, 0, BINDS_ATOM);
		return true;
	}
	if (v->kind == SQL_INT)
		postgres_sql_wrap(v, "", "::text", SQL_TEXT, BINDS_UNARY, BINDS_ATOM);
	else if (v->kind == SQL_NULL)
		postgres_sql_wrap(v, "", "::text", SQL_TEXT, BINDS_UNARY, BINDS_ATOM);
	else if (v->kind != SQL_TEXT)
		return postgres_sql_refuse(t, "it takes the text of a value whose spelling differs");
	/* Functions do not ask for a collation, and some refuse one that folds cases. */
	if (nocase)
		postgres_sql_wrap(v, "(", " COLLATE \"C\")", SQL_TEXT, BINDS_UNARY, BINDS_ATOM);
	return true;
}

/* ---- Literals of other types -------------------------------------------------------------------------------------- */

/* 9 is a digit, a letter stands for itself; the text may go on after PATTERN when it is a prefix. */
static bool looks_like(const char *text, const char *pattern)
{
	for (; *pattern; pattern++, text++) {
		if (*pattern == '9' ? *text < '0' || *text > '9' : *text != *pattern)
			return false;
	}
	return true;
}

/* The content of a literal that needs no quotes doubled; NULL for another one. */
static const char *content(const struct sql_value *v)
{
	return v->literal && v->kind == SQL_TEXT && v->text.at && v->text.length >= 2 &&
			       !strchr(v->text.at + 1, '\\') ?
		       v->text.at + 1 :
		       NULL;
}

static bool typed(struct translator *t, struct sql_value *v, const char *type, enum sql_kind kind,
		  bool good)
{
	char before[32];

	if (!good)
		return postgres_sql_refuse(t, "the text %.60s is compared with a %s", v->text.at, type);
	snprintf(before, sizeof(before), "%s ", type);
	postgres_sql_wrap(v, before, "", kind, 0, BINDS_ATOM);
	return true;
}

static bool is_whole(const char *text)
{
	size_t n;

	text += *text == '-';
	n = strspn(text, "0123456789");
	return n > 0 && n < 19 && text[n] == '\'';
}

/* A text literal where a value of KIND is needed. */
static bool read_literal(struct translator *t, struct sql_value *v, enum sql_kind kind)
{
	const char *text = content(v);
	size_t length = text ? strlen(text) - 1 : 0;

	if (!text)
		return postgres_sql_refuse(t, "a text stands where another kind of value is needed");
	switch (kind) {
	case SQL_DATE:
		return typed(t, v, "DATE", kind, length == 10 && looks_like(text, "9999-99-99"));
	case SQL_TIMESTAMP:
		if (length == 10)
			sql_approximate(t, "a date is midnight of its day, where SQLite compares "
					   "texts");
		return typed(t, v, "TIMESTAMP", kind,
			     looks_like(text, "9999-99-99") &&
				     (length == 10 || (length >= 19 && length <= 26 &&
						       looks_like(text + 11, "99:99:99"))));
	case SQL_TIME:
		return typed(t, v, "TIME", kind, length >= 8 && looks_like(text, "99:99:99"));
	case SQL_UUID:
		sql_approximate(t, "a UUID has no case");
		return typed(t, v, "UUID", kind,
			     length == 36 && strspn(text, "0123456789abcdefABCDEF-") == 36);
	case SQL_INT:
	case SQL_REAL:
	case SQL_NUMERIC: {
		char number[24];

		if (!is_whole(text))
			return postgres_sql_refuse(t, "it compares a number with a text");
		snprintf(number, sizeof(number), "%.*s", (int)length, text);
		say(v, number, SQL_INT);
		v->binding = *number == '-' ? BINDS_UNARY : BINDS_ATOM;
		return true;
	}
	default:
		return postgres_sql_refuse(t, "it compares values of two kinds");
	}
}

/* ---- Comparisons --------------------------------------------------------------------------------------------------- */

static bool is_moment(enum sql_kind kind)
{
	return kind == SQL_DATE || kind == SQL_TIMESTAMP;
}

/* 0 and 1 beside a boolean are booleans; beside another number it is a number. */
static bool compare_condition(struct translator *t, struct sql_value *a, struct sql_value *b,
			      bool ordered)
{
	struct sql_value *other = a->kind == SQL_BOOL ? b : a;

	if (sql_is_flag(other) && !ordered)
		return sql_to_condition(t, other);
	return sql_to_number(t, a) && sql_to_number(t, b);
}

/* By the collation of the column on the left, else of that on the right, unless one is written. */
static void compare_texts(struct translator *t, struct sql_value *a, struct sql_value *b,
			  bool ordered)
{
	const struct sql_value *by = a->collated ? a : b->collated ? b : a->column ? a : b;
	bool nocase = by->nocase;
	bool agree = (a->literal || a->nocase == nocase) && (b->literal || b->nocase == nocase);
	char after[80];

	if (nocase) {
		t->result->nocase = true;
		sql_approximate(t, "NOCASE ignores the case of all letters, not only of A to Z");
	}
	/* The order of the bytes; equal is equal in every other collation. */
	if (a->settled || (agree && !ordered && (!nocase || !by->collated)) ||
	    (agree && nocase && !by->collated))
		return;
	snprintf(after, sizeof(after), " COLLATE \"%s\"", nocase ? t->scope->nocase : "C");
	postgres_sql_wrap(a, "", after, SQL_TEXT, BINDS_UNARY, BINDS_UNARY);
	a->settled = true;
}

bool sql_compare(struct translator *t, struct sql_value *a, struct sql_value *b, bool ordered)
{
	if (a->kind == SQL_NULL || b->kind == SQL_NULL)
		return true;
	if (a->kind == SQL_NONE || b->kind == SQL_NONE || a->kind == SQL_JSON || b->kind == SQL_JSON)
		return postgres_sql_refuse(t, "it compares values of a type that PostgreSQL does not compare "
				     "so");
	if (a->kind == SQL_BOOL && b->kind == SQL_BOOL)
		return true;
	if (sql_is_number(a) && sql_is_number(b))
		return a->kind != SQL_BOOL && b->kind != SQL_BOOL ?
			       true :
			       compare_condition(t, a, b, ordered);
	if (a->kind == SQL_TEXT && b->kind == SQL_TEXT) {
		compare_texts(t, a, b, ordered);
		return true;
	}
	if (a->kind == b->kind)
		return true;
	if (is_moment(a->kind) && is_moment(b->kind)) {
		sql_approximate(t, "a date is midnight of its day, where SQLite compares texts");
		return true;
	}
	return b->literal && b->kind == SQL_TEXT ? read_literal(t, b, a->kind) :
	       a->literal && a->kind == SQL_TEXT ? read_literal(t, a, b->kind) :
						   postgres_sql_refuse(t, "it compares values of two kinds");
}

bool sql_unify(struct translator *t, struct sql_value *values, size_t count, enum sql_kind *ret)
{
	enum sql_kind kind = SQL_NULL;
	bool mixed = false;
	size_t i;

	for (i = 0; i < count; i++) {
		enum sql_kind own = values[i].kind;

		if (own == SQL_NULL || own == kind)
			continue;
		if (own == SQL_NONE)
			return postgres_sql_refuse(t, "it chooses among values of a type that is not known");
		if (kind != SQL_NULL && (!sql_is_number(&values[i]) || kind > SQL_NUMERIC ||
					 kind < SQL_BOOL))
			return postgres_sql_refuse(t, "it gives values of several kinds");
		mixed = mixed || kind != SQL_NULL;
		kind = own > kind ? own : kind;
	}
	for (i = 0; mixed && i < count; i++) {
		if (!sql_to_number(t, &values[i]))
			return false;
	}
	/* An integer beside a real is one still in SQLite, and compares alike. */
	*ret = kind;
	return true;
}

/* ---- Into a column ---------------------------------------------------------------------------------------------------- */

static bool convert_literal(struct translator *t, struct sql_value *v, enum sql_kind want)
{
	const char *text = content(v);

	if (want == SQL_BOOL && v->kind == SQL_INT)
		return sql_to_condition(t, v);
	if (want == SQL_TEXT && v->kind != SQL_TEXT)
		return (v->kind != SQL_BOOL || sql_to_number(t, v)) && sql_to_text(t, v);
	/* '' for a number or a moment is a text that the column does not take. */
	if (want == SQL_JSON && v->kind == SQL_TEXT)
		return true;
	if (want == SQL_BYTES && v->kind == SQL_TEXT && text) {
		postgres_sql_wrap(v, "convert_to(", ", 'UTF8')", SQL_BYTES, 0, BINDS_ATOM);
		return true;
	}
	return v->kind == SQL_TEXT ? read_literal(t, v, want) : true;
}

bool sql_convert(struct translator *t, struct sql_value *v, enum sql_kind want)
{
	bool number = want == SQL_INT || want == SQL_REAL || want == SQL_NUMERIC;

	if (v->kind == want || v->kind == SQL_NULL)
		return true;
	if (v->literal && (v->kind == SQL_TEXT || !number))
		return (want != SQL_NONE && (v->kind == SQL_TEXT || want == SQL_BOOL ||
					     want == SQL_TEXT)) ?
			       convert_literal(t, v, want) :
			       postgres_sql_refuse(t, "its value is of another kind than the column");
	if (want == SQL_BOOL && sql_is_number(v))
		return sql_to_condition(t, v);
	if (want == SQL_TEXT && v->kind == SQL_INT)
		return sql_to_text(t, v);
	if (!number || !sql_to_number(t, v))
		return postgres_sql_refuse(t, "its value is of another kind than the column");
	/* A real that an integer column takes is whole, or is kept as it is by SQLite. */
	if (want == SQL_INT && v->kind != SQL_INT)
		return postgres_sql_refuse(t, "it computes reals for a column of integers");
	return true;
}
