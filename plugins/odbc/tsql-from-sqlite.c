/*
 * From the tree of an expression of SQLite's to T-SQL, from the inside out: what a value is decides how it is written
 * where it stands.
 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tsql-from-sqlite-parts.h"

#define LONGEST 32768 /* bytes: a condition that stands for a value is written twice */

bool tsql_refuse(struct tsql_translator *t, const char *format, ...)
{
	va_list args;

	if (*t->result->why)
		return false;
	va_start(args, format);
	vsnprintf(t->result->why, sizeof(t->result->why), format, args);
	va_end(args);
	return false;
}

void tsql_approximate(struct tsql_translator *t, const char *note)
{
	t->result->verdict = ETL_APPROXIMATED;
	if (!t->result->note)
		t->result->note = note;
}

/* ---- Numbers ------------------------------------------------------------------------------------------------ */

/* One of more than 32 bits would be a decimal. */
static void set_integer(struct tsql_value *ret, long long value)
{
	ret->integer = value;
	ret->zero = value == 0;
	ret->kind = TSQL_INT;
	ret->literal = true;
	ret->wide = value > INT32_MAX || value < -INT32_MAX;
	etl_text_addf(&ret->text, ret->wide ? "CAST(%lld AS bigint)" : "%lld", value);
	ret->binding = value < 0 && !ret->wide ? TSQL_BINDS_ADD : TSQL_BINDS_ATOM;
}

/* Without an exponent it would be a decimal. */
static void set_real(struct tsql_value *ret, const struct token *token)
{
	size_t n = token->length;
	bool exponent = memchr(token->at, 'e', n) || memchr(token->at, 'E', n);

	etl_text_add(&ret->text, *token->at == '.' ? "0" : "");
	etl_text_add_bytes(&ret->text, token->at, n);
	etl_text_add(&ret->text, exponent ? "" : "E0");
	ret->kind = TSQL_REAL;
	ret->binding = TSQL_BINDS_ATOM;
	ret->literal = true;
	ret->zero = ret->text.at && strtod(ret->text.at, NULL) == 0;
}

static bool add_number(struct tsql_translator *t, const struct token *token, struct tsql_value *ret)
{
	char digits[24];

	if (expression_is_hexadecimal(token)) {
		snprintf(digits, sizeof(digits), "%.*s", (int)(token->length < 20 ? token->length : 20), token->at);
		if (token->length > 18)
			return tsql_refuse(t, "a hexadecimal number of more than 64 bits");
		set_integer(ret, (long long)strtoull(digits, NULL, 16));
		return true;
	}
	if (memchr(token->at, '_', token->length))
		return tsql_refuse(t, "\"%.*s\" is not translated", (int)(token->length < 40 ? token->length : 40), token->at);
	if (expression_is_integer(token))
		set_integer(ret, strtoll(token->at, NULL, 10));
	else
		set_real(ret, token);
	return true;
}

/* ---- Other literals and names --------------------------------------------------------------------------------- */

char *tsql_unquoted(struct tsql_translator *t, const struct token *token)
{
	char *text = expression_unquoted(token);

	t->failed = t->failed || !text;
	return text;
}

static bool add_quoted(struct tsql_translator *t, const struct token *token, struct tsql_value *ret)
{
	char *text = tsql_unquoted(t, token);
	bool ok = text && tsql_add_string(t, text, ret);

	free(text);
	return ok;
}

static bool add_blob(const struct token *token, struct tsql_value *ret)
{
	etl_text_add(&ret->text, "0x");
	etl_text_add_bytes(&ret->text, token->at + 2, token->length - 3);
	ret->kind = TSQL_BYTES;
	ret->binding = TSQL_BINDS_ATOM;
	ret->literal = true;
	return true;
}

const struct tsql_column *tsql_find_column(const struct tsql_translator *t, const struct expression *e)
{
	if ((e->kind != EXPRESSION_NAME || expression_is_constant(&e->token)) &&
	    (e->kind != EXPRESSION_QUALIFIED || !token_names(&e->owner, t->scope->table)))
		return NULL;
	for (size_t i = 0; i < t->scope->count; i++)
		if (token_names(&e->token, t->scope->columns[i].was))
			return &t->scope->columns[i];
	return NULL;
}

static bool add_column(struct tsql_translator *t, const struct tsql_column *c, struct tsql_value *ret)
{
	if (t->use == TSQL_IN_DEFAULT)
		return tsql_refuse(t, "a default cannot speak of a column");
	if (c->computed && t->use != TSQL_IN_CHECK)
		return tsql_refuse(t, "T-SQL computes nothing from a column that is computed itself, \"%s\"", c->was);
	etl_text_add_name(&ret->text, c->name, '[');
	ret->kind = c->kind;
	ret->binding = TSQL_BINDS_ATOM;
	ret->column = true;
	ret->wide = c->wide;
	ret->most = c->most;
	ret->nocase = c->nocase;
	ret->binary = c->binary;
	return true;
}

static bool add_truth(struct tsql_value *ret, long long value)
{
	set_integer(ret, value);
	ret->truth = true;
	return true;
}

/* A word that is no column: a constant. */
static bool add_word(struct tsql_translator *t, const struct token *word, struct tsql_value *ret)
{
	if (token_is_word(word, "NULL")) {
		tsql_add_constant(ret, "NULL", TSQL_NULL);
		return true;
	}
	if (token_is_word(word, "TRUE"))
		return add_truth(ret, 1);
	if (token_is_word(word, "FALSE"))
		return add_truth(ret, 0);
	if (token_is_word(word, "CURRENT_TIMESTAMP"))
		return tsql_now(t, TSQL_NOW_TIMESTAMP, ret);
	if (token_is_word(word, "CURRENT_DATE"))
		return tsql_now(t, TSQL_NOW_DATE, ret);
	if (token_is_word(word, "CURRENT_TIME"))
		return tsql_now(t, TSQL_NOW_TIME, ret);
	if (t->use == TSQL_IN_DEFAULT)
		return add_quoted(t, word, ret);
	return tsql_refuse(t, "there is no column \"%.*s\"", (int)(word->length < 60 ? word->length : 60), word->at);
}

/* "abc" that names no column is the text: SQLite's leniency, which schemas rely on. */
static bool add_name(struct tsql_translator *t, const struct expression *e, struct tsql_value *ret)
{
	const struct tsql_column *c = tsql_find_column(t, e);
	const struct token *name = &e->token;

	if (c)
		return add_column(t, c, ret);
	if (e->kind == EXPRESSION_QUALIFIED)
		return tsql_refuse(t, "it speaks of what is not in this table");
	if (name->kind == TOKEN_WORD)
		return add_word(t, name, ret);
	if (*name->at == '"')
		return add_quoted(t, name, ret);
	return tsql_refuse(t, "there is no column %.*s", (int)(name->length < 60 ? name->length : 60), name->at);
}

static bool translate_leaf(struct tsql_translator *t, const struct expression *e, struct tsql_value *ret)
{
	switch (e->kind) {
	case EXPRESSION_NUMBER:
		return add_number(t, &e->token, ret);
	case EXPRESSION_LEAST:
		set_integer(ret, INT64_MIN);
		return true;
	case EXPRESSION_STRING:
		return add_quoted(t, &e->token, ret);
	case EXPRESSION_BLOB:
		return add_blob(&e->token, ret);
	default:
		return add_name(t, e, ret);
	}
}

/* ---- Lists ---------------------------------------------------------------------------------------------------- */

static void free_values(struct tsql_value *values, size_t count)
{
	for (size_t i = 0; values && i < count; i++)
		tsql_value_free(&values[i]);
	free(values);
}

/* The parts of E from FIRST on; *ret is the caller's in any case, with as many as there are. */
static bool translate_list(struct tsql_translator *t, const struct expression *e, size_t first, struct tsql_value **ret)
{
	struct tsql_value *values = calloc(e->count - first + 1, sizeof(*values));

	*ret = values;
	if (!values)
		t->failed = true;
	for (size_t i = first; values && i < e->count; i++)
		if (!tsql_translate(t, e->parts[i], &values[i - first]))
			return false;
	return values != NULL;
}

static bool call(struct tsql_translator *t, const struct expression *e, struct tsql_value *ret)
{
	struct tsql_value *arguments;
	char word[32];
	bool ok;

	expression_function(e, word, sizeof(word));
	ok = translate_list(t, e, 0, &arguments) && tsql_call(t, word, arguments, e->count, ret);
	free_values(arguments, e->count);
	return ok;
}

static bool in(struct tsql_translator *t, const struct expression *e, struct tsql_value *ret)
{
	struct tsql_value *values = NULL;
	bool ok = tsql_translate(t, e->parts[0], ret) && translate_list(t, e, 1, &values) &&
		  tsql_write_in(t, ret, values, e->count - 1, e->negated);

	free_values(values, e->count - 1);
	return ok;
}

static bool between(struct tsql_translator *t, const struct expression *e, struct tsql_value *ret)
{
	struct tsql_value low = { 0 }, high = { 0 };
	bool ok = tsql_translate(t, e->parts[0], ret) && tsql_translate(t, e->parts[1], &low) &&
		  tsql_translate(t, e->parts[2], &high) && tsql_compare(t, ret, &low, true) &&
		  tsql_compare(t, ret, &high, true);

	if (ok) {
		struct etl_text text = { 0 };

		tsql_add(&text, ret, TSQL_BINDS_COMPARE);
		etl_text_add(&text, e->negated ? " NOT BETWEEN " : " BETWEEN ");
		tsql_add(&text, &low, TSQL_BINDS_COMPARE);
		etl_text_add(&text, " AND ");
		tsql_add(&text, &high, TSQL_BINDS_COMPARE);
		tsql_value_free(ret);
		*ret = (struct tsql_value){ .text = text, .kind = TSQL_CONDITION, .binding = TSQL_BINDS_COMPARE };
	}
	tsql_value_free(&low);
	tsql_value_free(&high);
	return ok;
}

/* ---- CASE --------------------------------------------------------------------------------------------------- */

/* One arm's condition; of CASE x WHEN y it is x = y. */
static bool translate_when(struct tsql_translator *t, const struct expression *base, const struct expression *e,
			   struct tsql_value *ret)
{
	struct tsql_value right = { 0 };
	bool ok;

	if (!base)
		return tsql_translate(t, e, ret) && tsql_to_condition(t, ret);
	ok = tsql_translate(t, base, ret) && tsql_translate(t, e, &right) &&
	     tsql_write_compared(t, ret, " = ", &right, false);
	tsql_value_free(&right);
	return ok;
}

/* WHENS beside THENS, and one more of these when there is an ELSE. */
static bool write_case(struct tsql_translator *t, const struct tsql_value *whens, size_t count, struct tsql_value *thens,
		       bool has_else, struct tsql_value *ret)
{
	if (!tsql_unify(t, thens, count + has_else, ret))
		return false;
	etl_text_add(&ret->text, "CASE");
	for (size_t i = 0; i < count; i++) {
		etl_text_add(&ret->text, " WHEN ");
		tsql_add(&ret->text, &whens[i], 0);
		etl_text_add(&ret->text, " THEN ");
		tsql_add(&ret->text, &thens[i], 0);
	}
	if (has_else) {
		etl_text_add(&ret->text, " ELSE ");
		tsql_add(&ret->text, &thens[count], 0);
	}
	etl_text_add(&ret->text, " END");
	ret->binding = TSQL_BINDS_ATOM;
	return true;
}

static bool translate_case(struct tsql_translator *t, const struct expression *e, struct tsql_value *ret)
{
	size_t arms = (e->count - e->has_base - e->has_else) / 2, part = e->has_base;
	struct tsql_value *whens = calloc(arms + 1, sizeof(*whens)), *thens = calloc(arms + 1, sizeof(*thens));
	bool ok = whens && thens;

	t->failed = t->failed || !ok;
	t->result->strict = false;
	for (size_t i = 0; ok && i < arms; i++, part += 2)
		ok = translate_when(t, e->has_base ? e->parts[0] : NULL, e->parts[part], &whens[i]) &&
		     tsql_translate(t, e->parts[part + 1], &thens[i]);
	if (ok && e->has_else)
		ok = tsql_translate(t, e->parts[part], &thens[arms]);
	ok = ok && write_case(t, whens, arms, thens, e->has_else, ret);
	free_values(whens, arms + 1);
	free_values(thens, arms + 1);
	return ok;
}

/* ---- By kind ------------------------------------------------------------------------------------------------- */

static bool translate_operator(struct tsql_translator *t, const struct expression *e, struct tsql_value *ret)
{
	struct tsql_value right = { 0 };
	bool ok;

	if (e->count == 1)
		return tsql_translate(t, e->parts[0], ret) && tsql_apply_one(t, e, ret);
	ok = tsql_translate(t, e->parts[0], ret) && tsql_translate(t, e->parts[1], &right) &&
	     tsql_apply_two(t, e, ret, &right);
	tsql_value_free(&right);
	return ok;
}

bool tsql_translate(struct tsql_translator *t, const struct expression *e, struct tsql_value *ret)
{
	bool ok;

	switch (e->kind) {
	case EXPRESSION_CALL:
		ok = call(t, e, ret);
		break;
	case EXPRESSION_CASE:
		ok = translate_case(t, e, ret);
		break;
	case EXPRESSION_BETWEEN:
		ok = between(t, e, ret);
		break;
	case EXPRESSION_IN:
		ok = in(t, e, ret);
		break;
	case EXPRESSION_LIKE:
		ok = tsql_write_like(t, e, ret);
		break;
	default:
		ok = e->count == 0 ? translate_leaf(t, e, ret) : translate_operator(t, e, ret);
	}
	return ok && (ret->text.length <= LONGEST || tsql_refuse(t, "it becomes too long"));
}

/* ---- The whole ------------------------------------------------------------------------------------------------ */

static bool write_whole(struct tsql_translator *t, const struct expression *e, struct tsql_value *v)
{
	if (t->use == TSQL_IN_FILTER)
		return tsql_write_filter(t, e, &v->text);
	if (!tsql_translate(t, e, v))
		return false;
	if (t->want == TSQL_CONDITION)
		return tsql_to_condition(t, v);
	if (v->kind == TSQL_CONDITION)
		tsql_to_value(v);
	return t->want == TSQL_NONE || tsql_convert(t, v, t->want);
}

int tsql_from_sqlite(const struct tsql_scope *scope, const char *sql, enum tsql_use use, enum tsql_kind want,
		     struct etl_text *ret, struct tsql_result *result)
{
	struct tsql_translator t = { .scope = scope, .result = result, .use = use, .want = want };
	struct arena arena = { 0 };
	struct tsql_value v = { 0 };
	const struct expression *e;
	bool ok;

	result->verdict = ETL_EXACT;
	result->strict = true;
	result->note = NULL;
	*result->why = '\0';
	e = expression_parse(sql, &arena, result->why, sizeof(result->why));
	ok = e && write_whole(&t, e, &v);
	t.failed = t.failed || v.text.failed || arena.failed;
	if (ok && !t.failed)
		etl_text_add(ret, v.text.at);
	result->kind = v.kind;
	result->most = v.most;
	tsql_value_free(&v);
	etl_arena_free(&arena);
	return t.failed || ret->failed ? ETL_FAILED : ok;
}
