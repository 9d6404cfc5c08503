/*
 * SQLite's functions: those that PostgreSQL has under this or another name, or that an expression can stand for.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "sql-from-sqlite-parts.h"

struct call {
	struct translator *t;
	struct sql_value *at; /* the arguments */
	size_t count;
	struct sql_value *ret;
};

static void put(struct call *c, enum sql_kind kind)
{
	c->ret->kind = kind;
	c->ret->binding = BINDS_ATOM;
}

/* NAME(a, b, …) of kind KIND. */
static bool put_call(struct call *c, const char *name, enum sql_kind kind)
{
	size_t i;

	etl_text_addf(&c->ret->text, "%s(", name);
	for (i = 0; i < c->count; i++) {
		etl_text_add(&c->ret->text, i ? ", " : "");
		sql_add(&c->ret->text, &c->at[i], 0);
	}
	etl_text_add(&c->ret->text, ")");
	put(c, kind);
	return true;
}

static bool all_texts(struct call *c)
{
	size_t i;

	for (i = 0; i < c->count; i++) {
		if (!sql_to_text(c->t, &c->at[i]))
			return false;
	}
	return true;
}

/* ---- Texts -------------------------------------------------------------------------------------------------- */

static bool f_length(struct call *c)
{
	if (c->at[0].kind != SQL_BYTES && !sql_to_text(c->t, &c->at[0]))
		return false;
	return put_call(c, "length", SQL_INT);
}

/* A to Z only is what the collation "C" folds; an index by it serves only who writes it too. */
static bool fold(struct call *c, const char *name)
{
	bool plain = c->t->use == SQL_IN_INDEX && !c->t->result->unique && c->at[0].column &&
		     !c->at[0].nocase && c->at[0].kind == SQL_TEXT;

	if (!sql_to_text(c->t, &c->at[0]))
		return false;
	if (plain)
		sql_approximate(c->t, "it folds the case of all letters, not only of A to Z");
	else
		postgres_sql_wrap(&c->at[0], "", " COLLATE \"C\"", SQL_TEXT, BINDS_UNARY, BINDS_UNARY);
	return put_call(c, name, SQL_TEXT);
}

static bool f_lower(struct call *c)
{
	return fold(c, "lower");
}

static bool f_upper(struct call *c)
{
	return fold(c, "upper");
}

static bool f_trim(struct call *c)
{
	return all_texts(c) && put_call(c, "btrim", SQL_TEXT);
}

static bool f_ltrim(struct call *c)
{
	return all_texts(c) && put_call(c, "ltrim", SQL_TEXT);
}

static bool f_rtrim(struct call *c)
{
	return all_texts(c) && put_call(c, "rtrim", SQL_TEXT);
}

static bool f_replace(struct call *c)
{
	return all_texts(c) && put_call(c, "replace", SQL_TEXT);
}

static bool f_instr(struct call *c)
{
	return all_texts(c) && put_call(c, "strpos", SQL_INT);
}

/* From the end, or of what lies before the beginning, they count differently. */
static bool f_substr(struct call *c)
{
	size_t i;

	if (!sql_to_text(c->t, &c->at[0]))
		return false;
	for (i = 1; i < c->count; i++) {
		if (!c->at[i].literal || c->at[i].kind != SQL_INT || !c->at[i].text.at ||
		    strtol(c->at[i].text.at, NULL, 10) < (i == 1))
			return postgres_sql_refuse(c->t, "substr counts from the end in SQLite when a number "
						"is negative");
		/* Which takes integers of 32 bits. */
		if (c->at[i].text.length > 9)
			return postgres_sql_refuse(c->t, "substr with a number that is too large");
	}
	return put_call(c, "substr", SQL_TEXT);
}

static bool f_hex(struct call *c)
{
	if (c->at[0].kind != SQL_BYTES)
		return postgres_sql_refuse(c->t, "hex of what is no blob");
	/* Of NULL it is no text, not no value. */
	etl_text_add(&c->ret->text, "coalesce(upper(encode(");
	sql_add(&c->ret->text, &c->at[0], 0);
	etl_text_add(&c->ret->text, ", 'hex')), '')");
	put(c, SQL_TEXT);
	return true;
}

/* ---- Numbers ------------------------------------------------------------------------------------------------- */

static bool f_abs(struct call *c)
{
	return sql_to_number(c->t, &c->at[0]) && put_call(c, "abs", c->at[0].kind);
}

/* Half away from zero, as a decimal rounds. */
static bool f_round(struct call *c)
{
	enum sql_kind kind;

	if (!sql_to_number(c->t, &c->at[0]))
		return false;
	if (c->count == 2 && (!c->at[1].literal || c->at[1].kind != SQL_INT || !c->at[1].text.at ||
			      strtol(c->at[1].text.at, NULL, 10) > 30))
		return postgres_sql_refuse(c->t, "round to a number of places that is not known");
	kind = c->at[0].kind == SQL_NUMERIC ? SQL_NUMERIC : SQL_REAL;
	sql_approximate(c->t, "it rounds the decimal number, where SQLite rounds a binary fraction");
	etl_text_add(&c->ret->text, "round(");
	sql_add(&c->ret->text, &c->at[0], BINDS_UNARY);
	etl_text_addf(&c->ret->text, "::numeric%s%s)%s", c->count == 2 ? ", " : "",
		      c->count == 2 ? c->at[1].text.at : "",
		      kind == SQL_REAL ? "::double precision" : "");
	put(c, kind);
	return true;
}

/* ---- Choices ------------------------------------------------------------------------------------------------- */

static bool f_coalesce(struct call *c)
{
	enum sql_kind kind;

	return sql_unify(c->t, c->at, c->count, &kind) && put_call(c, "coalesce", kind);
}

static bool f_nullif(struct call *c)
{
	enum sql_kind kind;

	if (!sql_compare(c->t, &c->at[0], &c->at[1], false))
		return false;
	kind = c->at[0].kind;
	return put_call(c, "nullif", kind);
}

static bool f_iif(struct call *c)
{
	enum sql_kind kind;

	if (!sql_to_condition(c->t, &c->at[0]) || !sql_unify(c->t, c->at + 1, c->count - 1, &kind))
		return false;
	etl_text_add(&c->ret->text, "CASE WHEN ");
	sql_add(&c->ret->text, &c->at[0], 0);
	etl_text_add(&c->ret->text, " THEN ");
	sql_add(&c->ret->text, &c->at[1], 0);
	etl_text_add(&c->ret->text, c->count > 2 ? " ELSE " : "");
	if (c->count > 2)
		sql_add(&c->ret->text, &c->at[2], 0);
	etl_text_add(&c->ret->text, " END");
	put(c, kind);
	return true;
}

/* One NULL makes all of it NULL, which LEAST and GREATEST pass over. */
static bool most(struct call *c, const char *name)
{
	enum sql_kind kind;
	size_t i;

	if (!sql_unify(c->t, c->at, c->count, &kind))
		return false;
	if (kind == SQL_NONE || kind == SQL_JSON)
		return postgres_sql_refuse(c->t, "values of a type that PostgreSQL does not order");
	if (kind == SQL_TEXT && all_texts(c))
		postgres_sql_wrap(&c->at[0], "", " COLLATE \"C\"", SQL_TEXT, BINDS_UNARY, BINDS_UNARY);
	etl_text_add(&c->ret->text, "CASE WHEN ");
	for (i = 0; i < c->count; i++) {
		etl_text_add(&c->ret->text, i ? " AND " : "");
		sql_add(&c->ret->text, &c->at[i], BINDS_IS);
		etl_text_add(&c->ret->text, " IS NOT NULL");
	}
	etl_text_add(&c->ret->text, " THEN ");
	put_call(c, name, kind);
	etl_text_add(&c->ret->text, " END");
	return true;
}

static bool f_min(struct call *c)
{
	return most(c, "least");
}

static bool f_max(struct call *c)
{
	return most(c, "greatest");
}

/* The column has its type; what is left is whether there is a value. */
static bool f_typeof(struct call *c)
{
	static const char *const names[] = {
		[SQL_INT] = "integer",
		[SQL_TEXT] = "text",
		[SQL_BYTES] = "blob",
	};
	enum sql_kind kind = c->at[0].kind;

	if (kind > SQL_BYTES || !names[kind] || !c->at[0].column)
		return postgres_sql_refuse(c->t, "the storage class of a value is not known in PostgreSQL");
	etl_text_add(&c->ret->text, "CASE WHEN ");
	sql_add(&c->ret->text, &c->at[0], BINDS_IS);
	etl_text_addf(&c->ret->text, " IS NULL THEN 'null' ELSE '%s' END", names[kind]);
	put(c, SQL_TEXT);
	return true;
}

static bool f_json_valid(struct call *c)
{
	if (c->at[0].kind != SQL_JSON)
		return postgres_sql_refuse(c->t, "json_valid of a text; json as the column's type would say "
					"it");
	etl_text_add(&c->ret->text, "(");
	sql_add(&c->ret->text, &c->at[0], BINDS_IS);
	etl_text_add(&c->ret->text, " IS NOT NULL OR NULL)");
	put(c, SQL_BOOL);
	return true;
}

/* ---- Now ------------------------------------------------------------------------------------------------------ */

/* The second that has begun, in UTC, in the form that the column takes; a text is SQLite's own. */
bool sql_now(struct translator *t, enum sql_moment moment, struct sql_value *ret)
{
	static const char *const formats[] = { "YYYY-MM-DD HH24:MI:SS", "YYYY-MM-DD", "HH24:MI:SS" };
	static const char *const units[] = { "second", "day", "second" };
	static const char utc[] = "CURRENT_TIMESTAMP AT TIME ZONE 'UTC'";

	if (t->use != SQL_IN_DEFAULT)
		return postgres_sql_refuse(t, "the time is another one whenever it is asked for");
	ret->kind = t->want;
	ret->binding = BINDS_ATOM;
	if (t->want == SQL_TEXT)
		etl_text_addf(&ret->text, "to_char(%s, '%s')", utc, formats[moment]);
	else if (t->want == SQL_TIMESTAMP && moment != SQL_NOW_TIME)
		etl_text_addf(&ret->text, "date_trunc('%s', %s)", units[moment], utc);
	else if (t->want == SQL_INSTANT && moment != SQL_NOW_TIME)
		etl_text_addf(&ret->text, "date_trunc('%s', %s) AT TIME ZONE 'UTC'", units[moment],
			      utc);
	else if (t->want == SQL_DATE && moment != SQL_NOW_TIME)
		etl_text_addf(&ret->text, "(%s)::date", utc);
	else if (t->want == SQL_TIME && moment != SQL_NOW_DATE)
		etl_text_addf(&ret->text, "date_trunc('second', %s)::time", utc);
	else
		return postgres_sql_refuse(t, "the column takes no such time");
	if (t->want == SQL_DATE && moment == SQL_NOW_TIMESTAMP)
		sql_approximate(t, "the day without its time");
	return true;
}

static bool is_now(const struct sql_value *v)
{
	return v->literal && v->kind == SQL_TEXT && v->text.at && strcmp(v->text.at, "'now'") == 0;
}

static bool moment(struct call *c, enum sql_moment what)
{
	if (c->count == 0 || (c->count == 1 && is_now(&c->at[0])))
		return sql_now(c->t, what, c->ret);
	if (c->count == 1 && c->at[0].kind == SQL_DATE && what == SQL_NOW_DATE) {
		sql_add(&c->ret->text, &c->at[0], BINDS_UNARY);
		put(c, SQL_DATE);
		return true;
	}
	if (c->count == 1 && c->at[0].kind == SQL_TIMESTAMP && what != SQL_NOW_TIME) {
		etl_text_add(&c->ret->text, "date_trunc('second', ");
		sql_add(&c->ret->text, &c->at[0], 0);
		etl_text_addf(&c->ret->text, ")%s", what == SQL_NOW_DATE ? "::date" : "");
		put(c, what == SQL_NOW_DATE ? SQL_DATE : SQL_TIMESTAMP);
		return true;
	}
	return postgres_sql_refuse(c->t, "dates and times are computed otherwise in PostgreSQL");
}

static bool f_datetime(struct call *c)
{
	return moment(c, SQL_NOW_TIMESTAMP);
}

static bool f_date(struct call *c)
{
	return moment(c, SQL_NOW_DATE);
}

static bool f_time(struct call *c)
{
	return moment(c, SQL_NOW_TIME);
}

static bool epoch(struct call *c)
{
	if (c->t->use != SQL_IN_DEFAULT)
		return postgres_sql_refuse(c->t, "the time is another one whenever it is asked for");
	etl_text_add(&c->ret->text, "floor(extract(epoch FROM CURRENT_TIMESTAMP))::bigint");
	if (c->t->want == SQL_TEXT)
		etl_text_add(&c->ret->text, "::text");
	put(c, c->t->want == SQL_TEXT ? SQL_TEXT : SQL_INT);
	return true;
}

static bool f_unixepoch(struct call *c)
{
	if (c->count == 1 && !is_now(&c->at[0]))
		return postgres_sql_refuse(c->t, "dates and times are computed otherwise in PostgreSQL");
	return epoch(c);
}

/* A format of strftime as one of to_char, in a literal; false: a letter of it has no twin. */
static bool format_moment(const char *format, struct etl_text *ret)
{
	static const char *const twins[][2] = {
		{ "Y", "YYYY" }, { "m", "MM" },	   { "d", "DD" },  { "H", "HH24" },
		{ "M", "MI" },	 { "S", "SS" },	   { "j", "DDD" }, { "f", "SS.MS" },
	};
	size_t i;

	etl_text_add(ret, "'");
	for (; *format && *format != '\''; format++) {
		if (*format == '"' || *format == '\\')
			return false;
		if (*format != '%') {
			bool letter = (*format >= 'A' && *format <= 'Z') ||
				      (*format >= 'a' && *format <= 'z');

			etl_text_addf(ret, letter ? "\"%c\"" : "%c", *format);
			continue;
		}
		format++;
		for (i = 0; i < 8 && *format != *twins[i][0]; i++)
			;
		if (i == 8)
			return false;
		etl_text_add(ret, twins[i][1]);
	}
	etl_text_add(ret, "'");
	return format[0] == '\'' && format[1] == '\0';
}

static bool f_strftime(struct call *c)
{
	const char *format = c->at[0].text.at;
	struct etl_text twin = { 0 };
	bool ok = c->at[0].literal && c->at[0].kind == SQL_TEXT && format &&
		  (c->count == 1 || is_now(&c->at[1]));

	if (!ok || c->count > 2)
		return postgres_sql_refuse(c->t, "dates and times are computed otherwise in PostgreSQL");
	if (strcmp(format, "'%s'") == 0)
		return epoch(c);
	if (c->t->use != SQL_IN_DEFAULT || c->t->want != SQL_TEXT)
		return postgres_sql_refuse(c->t, "strftime in another place than the default of a text");
	ok = format_moment(format + 1, &twin);
	if (ok)
		etl_text_addf(&c->ret->text, "to_char(CURRENT_TIMESTAMP AT TIME ZONE 'UTC', %s)",
			      twin.at);
	c->t->failed = c->t->failed || twin.failed;
	etl_text_free(&twin);
	put(c, SQL_TEXT);
	return ok || postgres_sql_refuse(c->t, "strftime with a format that to_char does not know");
}

/* ---- By name ---------------------------------------------------------------------------------------------------- */

struct function {
	const char *name;
	size_t least, most;
	bool (*write)(struct call *);
};

static const struct function functions[] = {
	{ "abs", 1, 1, f_abs },
	{ "coalesce", 2, SQL_ARGUMENTS, f_coalesce },
	{ "date", 0, SQL_ARGUMENTS, f_date },
	{ "datetime", 0, SQL_ARGUMENTS, f_datetime },
	{ "hex", 1, 1, f_hex },
	{ "ifnull", 2, 2, f_coalesce },
	{ "iif", 2, 3, f_iif },
	{ "instr", 2, 2, f_instr },
	{ "json_valid", 1, 1, f_json_valid },
	{ "length", 1, 1, f_length },
	{ "lower", 1, 1, f_lower },
	{ "ltrim", 1, 2, f_ltrim },
	{ "max", 2, SQL_ARGUMENTS, f_max },
	{ "min", 2, SQL_ARGUMENTS, f_min },
	{ "nullif", 2, 2, f_nullif },
	{ "replace", 3, 3, f_replace },
	{ "round", 1, 2, f_round },
	{ "rtrim", 1, 2, f_rtrim },
	{ "strftime", 1, SQL_ARGUMENTS, f_strftime },
	{ "substr", 2, 3, f_substr },
	{ "substring", 2, 3, f_substr },
	{ "time", 0, SQL_ARGUMENTS, f_time },
	{ "trim", 1, 2, f_trim },
	{ "typeof", 1, 1, f_typeof },
	{ "unixepoch", 0, 1, f_unixepoch },
	{ "upper", 1, 1, f_upper },
};

bool sql_call(struct translator *t, const char *name, struct sql_value *arguments, size_t count,
	      struct sql_value *ret)
{
	struct call c = { t, arguments, count, ret };
	size_t i;

	for (i = 0; i < sizeof(functions) / sizeof(*functions); i++) {
		if (strcmp(functions[i].name, name) == 0 && count >= functions[i].least &&
		    count <= functions[i].most)
			return functions[i].write(&c);
	}
	return postgres_sql_refuse(t, "the function %s is not translated", name);
}
