/*
 * SQLite's functions: those that T-SQL has under this or another name, or that an expression can stand for.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "tsql-from-sqlite-parts.h"

#define MOST_ARGUMENTS_COMPARED 4 /* of max and min: each more doubles the text */

static const char units[] = "a character beyond U+FFFF counts as two, unless the collation is one with _SC";

struct call {
	struct tsql_translator *t;
	struct tsql_value *at; /* the arguments */
	size_t count;
	struct tsql_value *ret;
};

static bool put(struct call *c, enum tsql_kind kind)
{
	c->ret->kind = kind;
	c->ret->binding = TSQL_BINDS_ATOM;
	return true;
}

/* NAME(a, b, …) of kind KIND. */
static bool put_call(struct call *c, const char *name, enum tsql_kind kind)
{
	etl_text_addf(&c->ret->text, "%s(", name);
	for (size_t i = 0; i < c->count; i++) {
		etl_text_add(&c->ret->text, i ? ", " : "");
		tsql_add(&c->ret->text, &c->at[i], 0);
	}
	etl_text_add(&c->ret->text, ")");
	return put(c, kind);
}

/* BEFORE the first argument AFTER. */
static bool put_around(struct call *c, const char *before, const char *after, enum tsql_kind kind)
{
	etl_text_add(&c->ret->text, before);
	tsql_add(&c->ret->text, &c->at[0], 0);
	etl_text_add(&c->ret->text, after);
	return put(c, kind);
}

static bool all_texts(struct call *c)
{
	for (size_t i = 0; i < c->count; i++)
		if (!tsql_to_text(c->t, &c->at[i]))
			return false;
	return true;
}

static void by_bytes(struct tsql_value *v)
{
	tsql_wrap(v, "", " COLLATE " TSQL_BINARY, TSQL_TEXT, TSQL_BINDS_UNARY, TSQL_BINDS_UNARY);
}

/* ---- Texts -------------------------------------------------------------------------------------------------- */

/* LEN passes over blanks at the end. */
static bool f_length(struct call *c)
{
	if (c->at[0].kind == TSQL_BYTES)
		return put_call(c, "DATALENGTH", TSQL_INT);
	if (!tsql_to_text(c->t, &c->at[0]))
		return false;
	tsql_approximate(c->t, units);
	return put_around(c, "LEN(REPLACE(", ", N' ', N'.'))", TSQL_INT);
}

/* SQLite folds A to Z only. */
static bool fold(struct call *c, const char *name, const char *translation)
{
	bool plain = c->t->use == TSQL_IN_INDEX && !c->t->result->unique && c->at[0].column && c->at[0].kind == TSQL_TEXT;

	if (!tsql_to_text(c->t, &c->at[0]))
		return false;
	c->ret->most = c->at[0].most;
	if (plain) {
		tsql_approximate(c->t, "it folds the case of all letters, not only of A to Z");
		return put_call(c, name, TSQL_TEXT);
	}
	by_bytes(&c->at[0]);
	return put_around(c, "TRANSLATE(", translation, TSQL_TEXT);
}

static bool f_lower(struct call *c)
{
	return fold(c, "LOWER", ", N'ABCDEFGHIJKLMNOPQRSTUVWXYZ', N'abcdefghijklmnopqrstuvwxyz')");
}

static bool f_upper(struct call *c)
{
	return fold(c, "UPPER", ", N'abcdefghijklmnopqrstuvwxyz', N'ABCDEFGHIJKLMNOPQRSTUVWXYZ')");
}

static bool trim(struct call *c, const char *before, const char *after)
{
	if (!tsql_to_text(c->t, &c->at[0]))
		return false;
	c->ret->most = c->at[0].most;
	return put_around(c, before, after, TSQL_TEXT);
}

static bool f_trim(struct call *c)
{
	return trim(c, "LTRIM(RTRIM(", "))");
}

static bool f_ltrim(struct call *c)
{
	return trim(c, "LTRIM(", ")");
}

static bool f_rtrim(struct call *c)
{
	return trim(c, "RTRIM(", ")");
}

static bool f_replace(struct call *c)
{
	if (!all_texts(c))
		return false;
	by_bytes(&c->at[0]);
	return put_call(c, "REPLACE", TSQL_TEXT);
}

static bool f_instr(struct call *c)
{
	if (!all_texts(c))
		return false;
	if (!c->at[1].literal || c->at[1].most == 0)
		return tsql_refuse(c->t, "instr finds '' at 1, and CHARINDEX nowhere");
	tsql_approximate(c->t, units);
	by_bytes(&c->at[0]);
	etl_text_add(&c->ret->text, "CHARINDEX(");
	tsql_add(&c->ret->text, &c->at[1], 0);
	etl_text_add(&c->ret->text, ", ");
	tsql_add(&c->ret->text, &c->at[0], 0);
	etl_text_add(&c->ret->text, ")");
	return put(c, TSQL_INT);
}

/* From the end, or of what lies before the beginning, they count differently. */
static bool f_substr(struct call *c)
{
	if (!tsql_to_text(c->t, &c->at[0]))
		return false;
	for (size_t i = 1; i < c->count; i++) {
		if (!c->at[i].literal || c->at[i].kind != TSQL_INT || c->at[i].integer < (i == 1))
			return tsql_refuse(c->t, "substr counts from the end in SQLite when a number is negative");
		if (c->at[i].integer > 999999999)
			return tsql_refuse(c->t, "substr with a number that is too large");
	}
	tsql_approximate(c->t, units);
	c->ret->most = c->at[0].most;
	if (c->count == 3)
		return put_call(c, "SUBSTRING", TSQL_TEXT);
	etl_text_add(&c->ret->text, "SUBSTRING(");
	tsql_add(&c->ret->text, &c->at[0], 0);
	etl_text_addf(&c->ret->text, ", %lld, 1000000000)", c->at[1].integer);
	return put(c, TSQL_TEXT);
}

/* ---- Numbers ------------------------------------------------------------------------------------------------- */

static bool f_abs(struct call *c)
{
	return tsql_to_number(c->t, &c->at[0]) && put_call(c, "ABS", c->at[0].kind);
}

static bool f_round(struct call *c)
{
	const struct tsql_value *places = c->count == 2 ? &c->at[1] : NULL;

	if (!tsql_to_number(c->t, &c->at[0]))
		return false;
	if (places && (!places->literal || places->kind != TSQL_INT || places->integer < 0 || places->integer > 30))
		return tsql_refuse(c->t, "round to a number of places that is not known");
	tsql_approximate(c->t, "half of a last place may be rounded the other way");
	etl_text_add(&c->ret->text, "ROUND(CAST(");
	tsql_add(&c->ret->text, &c->at[0], 0);
	etl_text_addf(&c->ret->text, " AS float), %lld)", places ? places->integer : 0);
	return put(c, TSQL_REAL);
}

/* ---- Choices ------------------------------------------------------------------------------------------------- */

static bool f_coalesce(struct call *c)
{
	return tsql_unify(c->t, c->at, c->count, c->ret) && put_call(c, "COALESCE", c->ret->kind);
}

static bool f_nullif(struct call *c)
{
	if (!tsql_compare(c->t, &c->at[0], &c->at[1], false))
		return false;
	c->ret->most = c->at[0].most;
	c->ret->wide = c->at[0].wide;
	return put_call(c, "NULLIF", c->at[0].kind);
}

static bool f_iif(struct call *c)
{
	if (!tsql_to_condition(c->t, &c->at[0]) || !tsql_unify(c->t, c->at + 1, c->count - 1, c->ret))
		return false;
	etl_text_add(&c->ret->text, "CASE WHEN ");
	tsql_add(&c->ret->text, &c->at[0], 0);
	etl_text_add(&c->ret->text, " THEN ");
	tsql_add(&c->ret->text, &c->at[1], 0);
	etl_text_add(&c->ret->text, c->count > 2 ? " ELSE " : "");
	if (c->count > 2)
		tsql_add(&c->ret->text, &c->at[2], 0);
	etl_text_add(&c->ret->text, " END");
	return put(c, c->ret->kind);
}

/* A becomes the one of the two that WORD says; NULL when one is. */
static void choose(struct tsql_value *a, const struct tsql_value *b, const char *word)
{
	struct etl_text text = { 0 };

	etl_text_add(&text, "CASE WHEN ");
	tsql_add(&text, a, TSQL_BINDS_COMPARE);
	etl_text_add(&text, word);
	tsql_add(&text, b, TSQL_BINDS_COMPARE);
	etl_text_add(&text, " THEN ");
	tsql_add(&text, a, 0);
	etl_text_add(&text, " WHEN ");
	tsql_add(&text, a, TSQL_BINDS_COMPARE);
	etl_text_add(&text, " IS NOT NULL THEN ");
	tsql_add(&text, b, 0);
	etl_text_add(&text, " END");
	etl_text_free(&a->text);
	a->text = text;
	a->binding = TSQL_BINDS_ATOM;
}

static bool most(struct call *c, const char *word)
{
	if (!tsql_unify(c->t, c->at, c->count, c->ret))
		return false;
	if (c->ret->kind < TSQL_INT || c->ret->kind > TSQL_NUMERIC)
		return tsql_refuse(c->t, "max and min of what are no numbers");
	if (c->count > MOST_ARGUMENTS_COMPARED)
		return tsql_refuse(c->t, "max and min of more than %d values", MOST_ARGUMENTS_COMPARED);
	for (size_t i = 1; i < c->count; i++)
		choose(&c->at[0], &c->at[i], word);
	return put_around(c, "", "", c->ret->kind);
}

static bool f_min(struct call *c)
{
	return most(c, " <= ");
}

static bool f_max(struct call *c)
{
	return most(c, " >= ");
}

/* The column has its type; what is left is whether there is a value. */
static bool f_typeof(struct call *c)
{
	enum tsql_kind kind = c->at[0].kind;
	const char *name = kind == TSQL_INT ? "integer" : kind == TSQL_TEXT ? "text" : kind == TSQL_BYTES ? "blob" : NULL;

	if (!name || !c->at[0].column)
		return tsql_refuse(c->t, "the storage class of a value is not known in T-SQL");
	etl_text_add(&c->ret->text, "CASE WHEN ");
	tsql_add(&c->ret->text, &c->at[0], TSQL_BINDS_COMPARE);
	etl_text_addf(&c->ret->text, " IS NULL THEN N'null' ELSE N'%s' END", name);
	c->ret->most = 7;
	c->ret->binary = true;
	return put(c, TSQL_TEXT);
}

/* Of a number or a text that is json ISJSON says 0; in brackets it is an array of one. */
static bool f_json_valid(struct call *c)
{
	if (c->at[0].kind != TSQL_TEXT)
		return tsql_refuse(c->t, "json_valid of what is no text");
	tsql_approximate(c->t, "ISJSON looks at json by its own rules");
	etl_text_add(&c->ret->text, "ISJSON(");
	tsql_add(&c->ret->text, &c->at[0], 0);
	etl_text_add(&c->ret->text, ") = 1 OR ISJSON(N'[' + ");
	tsql_add(&c->ret->text, &c->at[0], TSQL_BINDS_ADD);
	etl_text_add(&c->ret->text, " + N']') = 1");
	c->ret->kind = TSQL_CONDITION;
	c->ret->binding = TSQL_BINDS_OR;
	return true;
}

/* ---- Now ------------------------------------------------------------------------------------------------------ */

/* In UTC, in the form that the column takes; a text is SQLite's own. */
bool tsql_now(struct tsql_translator *t, enum tsql_moment moment, struct tsql_value *ret)
{
	static const char *const texts[] = { "CONVERT(nvarchar(19), SYSUTCDATETIME(), 120)",
					     "CONVERT(nvarchar(10), SYSUTCDATETIME(), 23)",
					     "SUBSTRING(CONVERT(nvarchar(19), SYSUTCDATETIME(), 120), 12, 8)" };

	if (t->use != TSQL_IN_DEFAULT)
		return tsql_refuse(t, "the time is another one whenever it is asked for");
	ret->kind = t->want;
	ret->binding = TSQL_BINDS_ATOM;
	if (t->want == TSQL_TEXT)
		etl_text_add(&ret->text, texts[moment]);
	else if ((t->want == TSQL_TIMESTAMP || t->want == TSQL_INSTANT) && moment == TSQL_NOW_TIMESTAMP)
		etl_text_add(&ret->text, "SYSUTCDATETIME()");
	else if ((t->want == TSQL_TIMESTAMP || t->want == TSQL_INSTANT) && moment == TSQL_NOW_DATE)
		etl_text_add(&ret->text, "CAST(CAST(SYSUTCDATETIME() AS date) AS datetime2(6))");
	else if (t->want == TSQL_DATE && moment != TSQL_NOW_TIME)
		etl_text_add(&ret->text, "CAST(SYSUTCDATETIME() AS date)");
	else if (t->want == TSQL_TIME && moment != TSQL_NOW_DATE)
		etl_text_add(&ret->text, "CAST(SYSUTCDATETIME() AS time(6))");
	else
		return tsql_refuse(t, "the column takes no such time");
	if (t->want == TSQL_DATE && moment == TSQL_NOW_TIMESTAMP)
		tsql_approximate(t, "the day without its time");
	else if (t->want != TSQL_TEXT && t->want != TSQL_DATE && moment != TSQL_NOW_DATE && t->result->verdict == ETL_EXACT) {
		t->result->verdict = ETL_WIDENED;
		t->result->note = "with fractions of a second";
	}
	return true;
}

static bool is_now(const struct tsql_value *v)
{
	return v->literal && v->kind == TSQL_TEXT && v->text.at && strcmp(v->text.at, "N'now'") == 0;
}

static bool refuse_moment(struct call *c)
{
	return tsql_refuse(c->t, "dates and times are computed otherwise in T-SQL");
}

static bool moment(struct call *c, enum tsql_moment what)
{
	if (c->count == 0 || (c->count == 1 && is_now(&c->at[0])))
		return tsql_now(c->t, what, c->ret);
	if (c->count == 1 && what == TSQL_NOW_DATE && (c->at[0].kind == TSQL_DATE || c->at[0].kind == TSQL_TIMESTAMP))
		return put_around(c, "CONVERT(date, ", ")", TSQL_DATE);
	return refuse_moment(c);
}

static bool f_datetime(struct call *c)
{
	return moment(c, TSQL_NOW_TIMESTAMP);
}

static bool f_date(struct call *c)
{
	return moment(c, TSQL_NOW_DATE);
}

static bool f_time(struct call *c)
{
	return moment(c, TSQL_NOW_TIME);
}

static bool epoch(struct call *c)
{
	bool text = c->t->want == TSQL_TEXT;

	if (c->t->use != TSQL_IN_DEFAULT)
		return tsql_refuse(c->t, "the time is another one whenever it is asked for");
	etl_text_addf(&c->ret->text, text ? "CAST(%s AS nvarchar(20))" : "%s",
		      "DATEDIFF_BIG(second, '1970-01-01', SYSUTCDATETIME())");
	return put(c, text ? TSQL_TEXT : TSQL_INT);
}

static bool f_unixepoch(struct call *c)
{
	return c->count == 1 && !is_now(&c->at[0]) ? refuse_moment(c) : epoch(c);
}

/* Styles of CONVERT, so of the language of nobody. */
static bool f_strftime(struct call *c)
{
	static const struct {
		const char *format, *sql;
	} twins[] = {
		{ "N'%Y-%m-%d %H:%M:%S'", "CONVERT(nvarchar(19), SYSUTCDATETIME(), 120)" },
		{ "N'%Y-%m-%dT%H:%M:%S'", "REPLACE(CONVERT(nvarchar(19), SYSUTCDATETIME(), 120), N' ', N'T')" },
		{ "N'%Y-%m-%dT%H:%M:%SZ'", "REPLACE(CONVERT(nvarchar(19), SYSUTCDATETIME(), 120), N' ', N'T') + N'Z'" },
		{ "N'%Y-%m-%d %H:%M:%f'", "CONVERT(nvarchar(23), SYSUTCDATETIME(), 121)" },
		{ "N'%Y-%m-%dT%H:%M:%f'", "REPLACE(CONVERT(nvarchar(23), SYSUTCDATETIME(), 121), N' ', N'T')" },
		{ "N'%Y-%m-%dT%H:%M:%fZ'", "REPLACE(CONVERT(nvarchar(23), SYSUTCDATETIME(), 121), N' ', N'T') + N'Z'" },
		{ "N'%Y-%m-%d'", "CONVERT(nvarchar(10), SYSUTCDATETIME(), 23)" },
		{ "N'%Y%m%d'", "CONVERT(nvarchar(8), SYSUTCDATETIME(), 112)" },
		{ "N'%H:%M:%S'", "SUBSTRING(CONVERT(nvarchar(19), SYSUTCDATETIME(), 120), 12, 8)" },
		{ "N'%Y'", "CONVERT(nvarchar(4), SYSUTCDATETIME(), 120)" },
		{ "N'%Y-%m'", "CONVERT(nvarchar(7), SYSUTCDATETIME(), 120)" },
	};
	const char *format = c->at[0].literal && c->at[0].text.at ? c->at[0].text.at : "";

	if (c->count > 2 || (c->count == 2 && !is_now(&c->at[1])))
		return refuse_moment(c);
	if (strcmp(format, "N'%s'") == 0)
		return epoch(c);
	if (c->t->use != TSQL_IN_DEFAULT || c->t->want != TSQL_TEXT)
		return tsql_refuse(c->t, "strftime in another place than the default of a text");
	for (size_t i = 0; i < sizeof(twins) / sizeof(*twins); i++)
		if (strcmp(twins[i].format, format) == 0) {
			etl_text_add(&c->ret->text, twins[i].sql);
			return put(c, TSQL_TEXT);
		}
	return tsql_refuse(c->t, "strftime with a format for which CONVERT has no style");
}

/* ---- By name ---------------------------------------------------------------------------------------------------- */

struct function {
	const char *name;
	size_t least, most;
	bool (*write)(struct call *);
};

static const struct function functions[] = {
	{ "abs", 1, 1, f_abs },
	{ "coalesce", 2, EXPRESSION_LIST, f_coalesce },
	{ "date", 0, EXPRESSION_LIST, f_date },
	{ "datetime", 0, EXPRESSION_LIST, f_datetime },
	{ "ifnull", 2, 2, f_coalesce },
	{ "iif", 2, 3, f_iif },
	{ "instr", 2, 2, f_instr },
	{ "json_valid", 1, 1, f_json_valid },
	{ "length", 1, 1, f_length },
	{ "lower", 1, 1, f_lower },
	{ "ltrim", 1, 1, f_ltrim },
	{ "max", 2, EXPRESSION_LIST, f_max },
	{ "min", 2, EXPRESSION_LIST, f_min },
	{ "nullif", 2, 2, f_nullif },
	{ "replace", 3, 3, f_replace },
	{ "round", 1, 2, f_round },
	{ "rtrim", 1, 1, f_rtrim },
	{ "strftime", 1, EXPRESSION_LIST, f_strftime },
	{ "substr", 2, 3, f_substr },
	{ "substring", 2, 3, f_substr },
	{ "time", 0, EXPRESSION_LIST, f_time },
	{ "trim", 1, 1, f_trim },
	{ "typeof", 1, 1, f_typeof },
	{ "unixepoch", 0, 1, f_unixepoch },
	{ "upper", 1, 1, f_upper },
};

bool tsql_call(struct tsql_translator *t, const char *name, struct tsql_value *arguments, size_t count,
	       struct tsql_value *ret)
{
	static const char *const loose[] = { "coalesce", "ifnull", "iif", "nullif", "typeof" };
	struct call c = { t, arguments, count, ret };

	for (size_t i = 0; i < sizeof(loose) / sizeof(*loose); i++)
		t->result->strict = t->result->strict && strcmp(loose[i], name) != 0;
	for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++)
		if (strcmp(functions[i].name, name) == 0 && count >= functions[i].least && count <= functions[i].most)
			return functions[i].write(&c);
	return tsql_refuse(t, "the function %s is not translated", name);
}
