/*
 * From the tree of an expression of SQLite's to PostgreSQL's SQL, from the inside out: what a value is decides how it is
 * written where it stands.
 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "sql-from-sqlite-parts.h"

static bool translate(struct translator *, const struct expression *, struct sql_value *);

bool postgres_sql_refuse(struct translator *t, const char *format, ...)
{
	va_list args;

	if (*t->result->why)
		return false;
	va_start(args, format);
	vsnprintf(t->result->why, sizeof(t->result->why), format, args);
	va_end(args);
	return false;
}

void sql_approximate(struct translator *t, const char *note)
{
	t->result->verdict = ETL_APPROXIMATED;
	if (!t->result->note)
		t->result->note = note;
}

/* ---- Literals and names ----------------------------------------------------------------------------------- */

static bool add_number(struct translator *t, const struct token *token, struct sql_value *ret)
{
	bool integer = expression_is_integer(token);

	if (expression_is_hexadecimal(token)) {
		char digits[24];

		if (token->length > 18)
			return postgres_sql_refuse(t, "a hexadecimal number is too long");
		snprintf(digits, sizeof(digits), "%.*s", (int)token->length, token->at);
		etl_text_addf(&ret->text, "%lld", (long long)strtoull(digits, NULL, 16));
		integer = true;
	} else {
		if (*token->at == '.')
			etl_text_add(&ret->text, "0");
		etl_text_add_bytes(&ret->text, token->at, token->length);
	}
	ret->kind = integer ? SQL_INT : SQL_REAL;
	ret->binding = ret->text.at && *ret->text.at == '-' ? BINDS_UNARY : BINDS_ATOM;
	ret->literal = true;
	return true;
}

static bool add_string(struct translator *t, const struct token *token, struct sql_value *ret)
{
	char *text = expression_unquoted(token);

	if (!text) {
		t->failed = true;
		return false;
	}
	etl_text_add_literal(&ret->text, text);
	free(text);
	ret->kind = SQL_TEXT;
	ret->binding = BINDS_ATOM;
	ret->literal = true;
	return true;
}

static bool add_blob(const struct token *token, struct sql_value *ret)
{
	etl_text_add(&ret->text, "'\\x");
	etl_text_add_bytes(&ret->text, token->at + 2, token->length - 3);
	etl_text_add(&ret->text, "'::bytea");
	ret->kind = SQL_BYTES;
	ret->binding = BINDS_ATOM;
	return true;
}

static const struct sql_column *find_column(const struct translator *t, const struct token *name)
{
	size_t i;

	for (i = 0; i < t->scope->count; i++) {
		if (token_names(name, t->scope->columns[i].was))
			return &t->scope->columns[i];
	}
	return NULL;
}

static bool add_column(struct translator *t, const struct sql_column *c, struct sql_value *ret)
{
	if (t->use == SQL_IN_DEFAULT)
		return postgres_sql_refuse(t, "a default cannot speak of a column");
	if (c->generated && t->use == SQL_IN_GENERATED)
		return postgres_sql_refuse(t,
				  "PostgreSQL computes no generated column from another one, \"%s\"",
				  c->was);
	etl_text_add_name(&ret->text, c->name, '"');
	ret->kind = c->kind;
	ret->binding = BINDS_ATOM;
	ret->column = true;
	ret->nocase = c->nocase;
	t->result->nocase = t->result->nocase || c->nocase;
	return true;
}

static bool add_constant(struct sql_value *ret, const char *text, enum sql_kind kind)
{
	sql_add_constant(ret, text, kind);
	return true;
}

/* A word that is no column: a constant. */
static bool add_word(struct translator *t, const struct token *word, struct sql_value *ret)
{
	if (token_is_word(word, "NULL"))
		return add_constant(ret, "NULL", SQL_NULL);
	if (token_is_word(word, "TRUE"))
		return add_constant(ret, "true", SQL_BOOL);
	if (token_is_word(word, "FALSE"))
		return add_constant(ret, "false", SQL_BOOL);
	if (token_is_word(word, "CURRENT_TIMESTAMP"))
		return sql_now(t, SQL_NOW_TIMESTAMP, ret);
	if (token_is_word(word, "CURRENT_DATE"))
		return sql_now(t, SQL_NOW_DATE, ret);
	if (token_is_word(word, "CURRENT_TIME"))
		return sql_now(t, SQL_NOW_TIME, ret);
	if (t->use == SQL_IN_DEFAULT)
		return add_string(t, word, ret);
	return postgres_sql_refuse(t, "there is no column \"%.*s\"",
			  (int)(word->length < 60 ? word->length : 60), word->at);
}

/* "abc" that names no column is the text: SQLite's leniency, which schemas rely on. */
static bool add_name(struct translator *t, const struct token *name, struct sql_value *ret)
{
	const struct sql_column *c = expression_is_constant(name) ? NULL : find_column(t, name);

	if (c)
		return add_column(t, c, ret);
	if (name->kind == TOKEN_WORD)
		return add_word(t, name, ret);
	if (*name->at == '"')
		return add_string(t, name, ret);
	return postgres_sql_refuse(t, "there is no column %.*s",
				   (int)(name->length < 60 ? name->length : 60), name->at);
}

/* table.column */
static bool add_qualified(struct translator *t, const struct expression *e, struct sql_value *ret)
{
	const struct sql_column *c = find_column(t, &e->token);

	if (!token_names(&e->owner, t->scope->table) || !c)
		return postgres_sql_refuse(t, "it speaks of what is not in this table");
	return add_column(t, c, ret);
}

/* ---- Lists ------------------------------------------------------------------------------------------------ */

static void free_values(struct sql_value *values, size_t count)
{
	for (size_t i = 0; values && i < count; i++)
		sql_value_free(&values[i]);
	free(values);
}

/* The parts of E from FIRST on; *ret is the caller's in any case, with as many as there are. */
static bool translate_list(struct translator *t, const struct expression *e, size_t first, struct sql_value **ret)
{
	struct sql_value *values = calloc(e->count - first + 1, sizeof(*values));

	*ret = values;
	if (!values)
		t->failed = true;
	for (size_t i = first; values && i < e->count; i++)
		if (!translate(t, e->parts[i], &values[i - first]))
			return false;
	return values != NULL;
}

static bool call(struct translator *t, const struct expression *e, struct sql_value *ret)
{
	struct sql_value *arguments;
	char word[32];
	bool ok;

	expression_function(e, word, sizeof(word));
	ok = translate_list(t, e, 0, &arguments) && sql_call(t, word, arguments, e->count, ret);
	free_values(arguments, e->count);
	return ok;
}

/* ---- CASE ------------------------------------------------------------------------------------------ */

struct arms {
	struct sql_value when[EXPRESSION_LIST], then[EXPRESSION_LIST + 1];
	size_t count;
	bool has_else;
};

/* One arm: the condition (of CASE x WHEN y: x = y). */
static bool translate_when(struct translator *t, const struct expression *e, const struct sql_value *base,
			   struct sql_value *ret)
{
	struct sql_value left = *base;
	bool ok;

	if (!base->text.at)
		return translate(t, e, ret) && sql_to_condition(t, ret);
	left.text = (struct etl_text){ 0 };
	etl_text_add(&left.text, base->text.at);
	ok = translate(t, e, ret) && sql_compare(t, &left, ret, false);
	if (ok) {
		struct etl_text text = { 0 };

		sql_add(&text, &left, BINDS_COMPARE);
		etl_text_add(&text, " = ");
		sql_add(&text, ret, BINDS_COMPARE);
		etl_text_free(&ret->text);
		ret->text = text;
	}
	sql_value_free(&left);
	return ok;
}

static bool translate_arms(struct translator *t, const struct expression *e, const struct sql_value *base,
			   struct arms *arms)
{
	size_t i = e->has_base;

	arms->has_else = e->has_else;
	for (; i + 1 < e->count; i += 2, arms->count++)
		if (!translate_when(t, e->parts[i], base, &arms->when[arms->count]) ||
		    !translate(t, e->parts[i + 1], &arms->then[arms->count]))
			return false;
	return !e->has_else || translate(t, e->parts[i], &arms->then[arms->count]);
}

static bool write_case(struct translator *t, struct arms *arms, struct sql_value *ret)
{
	size_t i;

	if (!sql_unify(t, arms->then, arms->count + arms->has_else, &ret->kind))
		return false;
	etl_text_add(&ret->text, "CASE");
	for (i = 0; i < arms->count; i++) {
		etl_text_add(&ret->text, " WHEN ");
		sql_add(&ret->text, &arms->when[i], 0);
		etl_text_add(&ret->text, " THEN ");
		sql_add(&ret->text, &arms->then[i], 0);
	}
	if (arms->has_else) {
		etl_text_add(&ret->text, " ELSE ");
		sql_add(&ret->text, &arms->then[i], 0);
	}
	etl_text_add(&ret->text, " END");
	ret->binding = BINDS_ATOM;
	return true;
}

static bool translate_case(struct translator *t, const struct expression *e, struct sql_value *ret)
{
	struct arms *arms = calloc(1, sizeof(*arms));
	struct sql_value base = { 0 };
	bool ok;

	if (!arms) {
		t->failed = true;
		return false;
	}
	ok = (!e->has_base || translate(t, e->parts[0], &base)) && translate_arms(t, e, &base, arms) &&
	     write_case(t, arms, ret);
	sql_value_free(&base);
	for (size_t i = 0; i < EXPRESSION_LIST; i++)
		sql_value_free(&arms->when[i]);
	for (size_t i = 0; i <= EXPRESSION_LIST; i++)
		sql_value_free(&arms->then[i]);
	free(arms);
	return ok;
}

/* ---- Conditions of several parts ------------------------------------------------------------------------------------ */

static bool between(struct translator *t, const struct expression *e, struct sql_value *ret)
{
	struct sql_value low = { 0 }, high = { 0 };
	struct etl_text text = { 0 };
	bool ok = translate(t, e->parts[0], ret) && translate(t, e->parts[1], &low) &&
		  translate(t, e->parts[2], &high) && sql_compare(t, ret, &low, true) &&
		  sql_compare(t, ret, &high, true);

	if (ok) {
		sql_add(&text, ret, BINDS_IN);
		etl_text_add(&text, e->negated ? " NOT BETWEEN " : " BETWEEN ");
		sql_add(&text, &low, BINDS_IN);
		etl_text_add(&text, " AND ");
		sql_add(&text, &high, BINDS_IN);
		etl_text_free(&ret->text);
		*ret = (struct sql_value){ .text = text, .kind = SQL_BOOL, .binding = BINDS_IN };
	}
	sql_value_free(&low);
	sql_value_free(&high);
	return ok;
}

static bool in(struct translator *t, const struct expression *e, struct sql_value *ret)
{
	struct sql_value *values = NULL;
	bool ok = translate(t, e->parts[0], ret) && translate_list(t, e, 1, &values) &&
		  sql_write_in(t, ret, values, e->count - 1, e->negated);

	free_values(values, e->count - 1);
	return ok;
}

/* By bytes but for the case of A to Z, which is what ILIKE does under the collation "C"; and nothing escapes unless
 * it is said. */
static bool like(struct translator *t, const struct expression *e, struct sql_value *ret)
{
	struct sql_value pattern = { 0 }, escape = { 0 };
	struct etl_text text = { 0 };
	bool ok = translate(t, e->parts[0], ret) && translate(t, e->parts[1], &pattern) &&
		  (e->count < 3 || translate(t, e->parts[2], &escape));

	if (ok && (ret->kind != SQL_TEXT || pattern.kind != SQL_TEXT ||
		   (escape.text.at && (escape.kind != SQL_TEXT || !escape.literal))))
		ok = postgres_sql_refuse(t, "LIKE looks at the text of what is no text here");
	if (ok) {
		sql_add(&text, ret, BINDS_UNARY);
		etl_text_add(&text, e->negated ? " COLLATE \"C\" NOT ILIKE " : " COLLATE \"C\" ILIKE ");
		sql_add(&text, &pattern, BINDS_IN);
		etl_text_addf(&text, " ESCAPE %s", escape.text.at ? escape.text.at : "''");
		etl_text_free(&ret->text);
		*ret = (struct sql_value){ .text = text, .kind = SQL_BOOL, .binding = BINDS_IN };
	}
	sql_value_free(&pattern);
	sql_value_free(&escape);
	return ok;
}

/* ---- By kind ------------------------------------------------------------------------------------------------------ */

static bool translate_leaf(struct translator *t, const struct expression *e, struct sql_value *ret)
{
	switch (e->kind) {
	case EXPRESSION_NUMBER:
		return add_number(t, &e->token, ret);
	case EXPRESSION_LEAST:
		return add_constant(ret, "(-9223372036854775808)", SQL_INT);
	case EXPRESSION_STRING:
		return add_string(t, &e->token, ret);
	case EXPRESSION_BLOB:
		return add_blob(&e->token, ret);
	case EXPRESSION_NAME:
		return add_name(t, &e->token, ret);
	default:
		return add_qualified(t, e, ret);
	}
}

static bool translate(struct translator *t, const struct expression *e, struct sql_value *ret)
{
	struct sql_value right = { 0 };
	bool ok;

	switch (e->kind) {
	case EXPRESSION_CALL:
		return call(t, e, ret);
	case EXPRESSION_CASE:
		return translate_case(t, e, ret);
	case EXPRESSION_BETWEEN:
		return between(t, e, ret);
	case EXPRESSION_IN:
		return in(t, e, ret);
	case EXPRESSION_LIKE:
		return like(t, e, ret);
	default:
		break;
	}
	if (e->count == 0)
		return translate_leaf(t, e, ret);
	if (e->count == 1)
		return translate(t, e->parts[0], ret) && sql_apply_one(t, e, ret);
	ok = translate(t, e->parts[0], ret) && translate(t, e->parts[1], &right) && sql_apply_two(t, e, ret, &right);
	sql_value_free(&right);
	return ok;
}

/* A collation that is written at the end of an index part stays. */
static void keep_collation(struct translator *t, struct sql_value *v)
{
	char after[80];

	if (!v->collated || t->use != SQL_IN_INDEX)
		return;
	snprintf(after, sizeof(after), " COLLATE \"%s\"", v->nocase ? t->scope->nocase : "C");
	postgres_sql_wrap(v, "", after, v->kind, BINDS_UNARY, BINDS_UNARY);
}

int sql_from_sqlite(const struct sql_scope *scope, const char *sql, enum sql_use use,
		    enum sql_kind want, struct etl_text *ret, struct sql_result *result)
{
	struct translator t = { .scope = scope, .result = result, .use = use, .want = want };
	struct arena arena = { 0 };
	struct sql_value v = { 0 };
	const struct expression *e;
	bool ok;

	result->verdict = ETL_EXACT;
	result->note = NULL;
	e = expression_parse(sql, &arena, result->why, sizeof(result->why));
	ok = e && translate(&t, e, &v);
	if (ok && want != SQL_NONE)
		ok = want == SQL_BOOL && use != SQL_IN_DEFAULT && use != SQL_IN_GENERATED ?
			     sql_to_condition(&t, &v) :
			     sql_convert(&t, &v, want);
	if (ok)
		keep_collation(&t, &v);
	t.failed = t.failed || v.text.failed || arena.failed;
	if (ok && !t.failed)
		etl_text_add(ret, v.text.at);
	sql_value_free(&v);
	etl_arena_free(&arena);
	return t.failed || ret->failed ? ETL_FAILED : ok;
}
