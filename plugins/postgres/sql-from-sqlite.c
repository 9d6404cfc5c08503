/*
 * The grammar: SQLite's expressions by recursive descent, in its order of precedence.
 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "sql-from-sqlite-parts.h"

#define DEEPEST 100 /* parentheses within parentheses */

static bool parse_or(struct translator *, struct sql_value *);

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

/* ---- Tokens --------------------------------------------------------------------------------------------- */

static void take(struct translator *t)
{
	t->t = token_next(&t->cursor);
}

static bool accept(struct translator *t, const char *operator_text)
{
	if (!token_is(&t->t, operator_text))
		return false;
	take(t);
	return true;
}

static bool accept_word(struct translator *t, const char *word)
{
	if (!token_is_word(&t->t, word))
		return false;
	take(t);
	return true;
}

static bool refuse_token(struct translator *t)
{
	if (t->t.kind == TOKEN_END)
		return postgres_sql_refuse(t, "it ends too early");
	return postgres_sql_refuse(t, "\"%.*s\" is not translated",
			  (int)(t->t.length < 40 ? t->t.length : 40), t->t.at);
}

static bool expect(struct translator *t, const char *operator_text)
{
	return accept(t, operator_text) || refuse_token(t);
}

static bool expect_word(struct translator *t, const char *word)
{
	return accept_word(t, word) || refuse_token(t);
}

/* Words that never are a column's name. */
static bool is_reserved(const struct token *t)
{
	static const char *const words[] = {
		"SELECT", "FROM", "WHERE",   "AND",  "OR",   "NOT",  "IN",     "IS",
		"CASE",	  "WHEN", "THEN",    "ELSE", "EXISTS", "COLLATE", "BETWEEN", "AS",
		"ON",	  "SET",  "TABLE",   "VALUES", "GROUP", "ORDER", "HAVING",  "LIMIT",
		"JOIN",	  "UNION", "ISNULL", "NOTNULL", "RAISE", NULL
	};
	size_t i;

	for (i = 0; words[i]; i++) {
		if (token_is_word(t, words[i]))
			return true;
	}
	return false;
}

/* ---- Literals and names ----------------------------------------------------------------------------------- */

static bool is_integer(const struct token *t)
{
	size_t i;

	for (i = 0; i < t->length; i++) {
		if (t->at[i] < '0' || t->at[i] > '9')
			return false;
	}
	return true;
}

/* Beyond 64 bits an integer literal is a real one. */
static bool fits_integer(const struct token *t)
{
	size_t i = 0;

	while (i + 1 < t->length && t->at[i] == '0')
		i++;
	return t->length - i < 19 ||
	       (t->length - i == 19 && strncmp(t->at + i, "9223372036854775807", 19) <= 0);
}

static bool parse_number(struct translator *t, struct sql_value *ret)
{
	bool integer = is_integer(&t->t) && fits_integer(&t->t);

	if (t->t.length > 2 && (t->t.at[1] == 'x' || t->t.at[1] == 'X')) {
		char digits[24];

		if (t->t.length > 18)
			return postgres_sql_refuse(t, "a hexadecimal number is too long");
		snprintf(digits, sizeof(digits), "%.*s", (int)t->t.length, t->t.at);
		etl_text_addf(&ret->text, "%lld", (long long)strtoull(digits, NULL, 16));
		integer = true;
	} else {
		if (*t->t.at == '.')
			etl_text_add(&ret->text, "0");
		etl_text_add_bytes(&ret->text, t->t.at, t->t.length);
	}
	ret->kind = integer ? SQL_INT : SQL_REAL;
	ret->binding = ret->text.at && *ret->text.at == '-' ? BINDS_UNARY : BINDS_ATOM;
	ret->literal = true;
	take(t);
	return true;
}

/* A token of quoted text without its quotes; to be freed. */
static char *unquoted(struct translator *t, const struct token *token)
{
	char *text = malloc(token->length + 1);

	if (!text)
		t->failed = true;
	else
		token_name(token, text, token->length + 1);
	return text;
}

static bool add_string(struct translator *t, const struct token *token, struct sql_value *ret)
{
	char *text = unquoted(t, token);

	if (!text)
		return false;
	etl_text_add_literal(&ret->text, text);
	free(text);
	ret->kind = SQL_TEXT;
	ret->binding = BINDS_ATOM;
	ret->literal = true;
	return true;
}

static bool parse_blob(struct translator *t, struct sql_value *ret)
{
	etl_text_add(&ret->text, "'\\x");
	etl_text_add_bytes(&ret->text, t->t.at + 2, t->t.length - 3);
	etl_text_add(&ret->text, "'::bytea");
	ret->kind = SQL_BYTES;
	ret->binding = BINDS_ATOM;
	take(t);
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
	etl_text_add(&ret->text, text);
	ret->kind = kind;
	ret->binding = BINDS_ATOM;
	ret->literal = kind != SQL_NULL;
	return true;
}

/* Never a column's name without quotes, as TRUE and FALSE may be. */
static bool is_constant(const struct token *word)
{
	return token_is_word(word, "NULL") || token_is_word(word, "CURRENT_TIMESTAMP") ||
	       token_is_word(word, "CURRENT_DATE") || token_is_word(word, "CURRENT_TIME");
}

/* A word that is no column: a constant. */
static bool parse_word(struct translator *t, const struct token *word, struct sql_value *ret)
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

static void free_values(struct sql_value *values, size_t count)
{
	while (count > 0)
		sql_value_free(&values[--count]);
}

/* ( a, b, … ), the opening one taken. */
static bool parse_list(struct translator *t, struct sql_value *values, size_t *count)
{
	*count = 0;
	if (accept(t, ")"))
		return true;
	do {
		if (*count == SQL_ARGUMENTS)
			return postgres_sql_refuse(t, "a list has more than %d values", SQL_ARGUMENTS);
		if (!parse_or(t, &values[(*count)++]))
			return false;
	} while (accept(t, ","));
	return expect(t, ")");
}

static bool parse_call(struct translator *t, const struct token *name, struct sql_value *ret)
{
	struct sql_value *arguments = calloc(SQL_ARGUMENTS, sizeof(*arguments));
	char word[32];
	size_t count = 0, i;
	bool ok;

	if (!arguments) {
		t->failed = true;
		return false;
	}
	token_name(name, word, sizeof(word));
	for (i = 0; word[i]; i++)
		word[i] = (char)(word[i] >= 'A' && word[i] <= 'Z' ? word[i] + 32 : word[i]);
	ok = parse_list(t, arguments, &count) && sql_call(t, word, arguments, count, ret);
	free_values(arguments, count);
	free(arguments);
	return ok;
}

/* table.column */
static bool parse_qualified(struct translator *t, const struct token *owner, struct sql_value *ret)
{
	const struct sql_column *c = find_column(t, &t->t);

	if (!token_names(owner, t->scope->table) || !c)
		return postgres_sql_refuse(t, "it speaks of what is not in this table");
	take(t);
	return add_column(t, c, ret);
}

/* "abc" that names no column is the text: SQLite's leniency, which schemas rely on. */
static bool parse_name(struct translator *t, struct sql_value *ret)
{
	struct token name = t->t;
	const struct sql_column *c;

	take(t);
	if (token_is(&t->t, "(") && name.kind == TOKEN_WORD) {
		take(t);
		return parse_call(t, &name, ret);
	}
	if (accept(t, "."))
		return parse_qualified(t, &name, ret);
	c = is_constant(&name) ? NULL : find_column(t, &name);
	if (c)
		return add_column(t, c, ret);
	if (name.kind == TOKEN_WORD)
		return parse_word(t, &name, ret);
	if (*name.at == '"')
		return add_string(t, &name, ret);
	return postgres_sql_refuse(t, "there is no column %.*s",
			  (int)(name.length < 60 ? name.length : 60), name.at);
}

/* ---- CASE and CAST ------------------------------------------------------------------------------------------ */

/* One arm: the condition (of CASE x WHEN y: x = y). */
static bool parse_when(struct translator *t, const struct sql_value *base, struct sql_value *ret)
{
	struct sql_value left = *base;
	bool ok;

	if (!base->text.at)
		return parse_or(t, ret) && sql_to_condition(t, ret);
	left.text = (struct etl_text){ 0 };
	etl_text_add(&left.text, base->text.at);
	ok = parse_or(t, ret) && sql_compare(t, &left, ret, false);
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

struct arms {
	struct sql_value when[SQL_ARGUMENTS], then[SQL_ARGUMENTS + 1];
	size_t count;
	bool has_else;
};

static bool parse_arms(struct translator *t, const struct sql_value *base, struct arms *arms)
{
	while (accept_word(t, "WHEN")) {
		if (arms->count == SQL_ARGUMENTS)
			return postgres_sql_refuse(t, "a CASE has more than %d arms", SQL_ARGUMENTS);
		arms->count++;
		if (!parse_when(t, base, &arms->when[arms->count - 1]) || !expect_word(t, "THEN") ||
		    !parse_or(t, &arms->then[arms->count - 1]))
			return false;
	}
	if (accept_word(t, "ELSE")) {
		arms->has_else = true;
		if (!parse_or(t, &arms->then[arms->count]))
			return false;
	}
	return arms->count > 0 ? expect_word(t, "END") : refuse_token(t);
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

static bool parse_case(struct translator *t, struct sql_value *ret)
{
	struct arms *arms = calloc(1, sizeof(*arms));
	struct sql_value base = { 0 };
	bool ok;

	if (!arms) {
		t->failed = true;
		return false;
	}
	ok = (token_is_word(&t->t, "WHEN") || parse_or(t, &base)) && parse_arms(t, &base, arms) &&
	     write_case(t, arms, ret);
	sql_value_free(&base);
	free_values(arms->when, SQL_ARGUMENTS);
	free_values(arms->then, SQL_ARGUMENTS + 1);
	free(arms);
	return ok;
}

/* SQLite's own order of looking. */
static enum sql_kind cast_kind(const char *type)
{
	char upper[64];
	size_t i;

	for (i = 0; type[i] && i + 1 < sizeof(upper); i++)
		upper[i] = (char)(type[i] >= 'a' && type[i] <= 'z' ? type[i] - 32 : type[i]);
	upper[i] = '\0';
	if (strstr(upper, "INT"))
		return SQL_INT;
	if (strstr(upper, "CHAR") || strstr(upper, "CLOB") || strstr(upper, "TEXT"))
		return SQL_TEXT;
	if (strstr(upper, "BLOB"))
		return SQL_BYTES;
	if (strstr(upper, "REAL") || strstr(upper, "FLOA") || strstr(upper, "DOUB"))
		return SQL_REAL;
	return SQL_NUMERIC;
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

/* CAST ( value AS a type of any words ) */
static bool parse_cast(struct translator *t, struct sql_value *ret)
{
	struct etl_text type = { 0 };
	int depth = 0;
	bool ok;

	if (!expect(t, "(") || !parse_or(t, ret) || !expect_word(t, "AS"))
		return false;
	while (t->t.kind != TOKEN_END && t->t.kind != TOKEN_BAD &&
	       (depth > 0 || !token_is(&t->t, ")"))) {
		depth += token_is(&t->t, "(");
		depth -= token_is(&t->t, ")");
		etl_text_add_bytes(&type, t->t.at, t->t.length);
		take(t);
	}
	t->failed = t->failed || type.failed;
	ok = expect(t, ")") && cast(t, ret, cast_kind(type.at ? type.at : ""));
	etl_text_free(&type);
	return ok && !t->failed;
}

/* ---- From the inside out ---------------------------------------------------------------------------------------- */

static bool parse_primary(struct translator *t, struct sql_value *ret)
{
	if (accept(t, "(")) {
		if (token_is_word(&t->t, "SELECT"))
			return postgres_sql_refuse(t, "it has a query in it");
		return parse_or(t, ret) && expect(t, ")");
	}
	if (accept_word(t, "CASE"))
		return parse_case(t, ret);
	if (accept_word(t, "CAST"))
		return parse_cast(t, ret);
	switch (t->t.kind) {
	case TOKEN_NUMBER:
		return parse_number(t, ret);
	case TOKEN_STRING: {
		struct token string = t->t;

		take(t);
		return add_string(t, &string, ret);
	}
	case TOKEN_BLOB:
		return parse_blob(t, ret);
	case TOKEN_WORD:
		if (is_reserved(&t->t))
			return refuse_token(t);
		return parse_name(t, ret);
	case TOKEN_NAME:
		return parse_name(t, ret);
	default:
		return refuse_token(t);
	}
}

static bool parse_unary(struct translator *t, struct sql_value *ret)
{
	if (accept(t, "+"))
		return parse_unary(t, ret);
	if (accept(t, "-")) {
		/* The least integer has no positive twin. */
		if (t->t.kind == TOKEN_NUMBER && t->t.length == 19 &&
		    strncmp(t->t.at, "9223372036854775808", 19) == 0) {
			take(t);
			add_constant(ret, "(-9223372036854775808)", SQL_INT);
			return true;
		}
		if (!parse_unary(t, ret) || !sql_to_number(t, ret))
			return false;
		postgres_sql_wrap(ret, "-", "", ret->kind, BINDS_UNARY, BINDS_UNARY);
		return true;
	}
	if (accept(t, "~")) {
		if (!parse_unary(t, ret) || !sql_to_number(t, ret))
			return false;
		if (ret->kind != SQL_INT)
			return postgres_sql_refuse(t, "bits of what is no integer");
		postgres_sql_wrap(ret, "~ ", "", SQL_INT, BINDS_UNARY, BINDS_OTHER);
		return true;
	}
	return parse_primary(t, ret);
}

static bool parse_collate(struct translator *t, struct sql_value *ret)
{
	if (!parse_unary(t, ret))
		return false;
	while (accept_word(t, "COLLATE")) {
		if (ret->kind != SQL_TEXT)
			return postgres_sql_refuse(t, "COLLATE of what is no text");
		ret->collated = true;
		ret->nocase = token_names(&t->t, "NOCASE");
		if (!ret->nocase && !token_names(&t->t, "BINARY"))
			return refuse_token(t);
		t->result->nocase = t->result->nocase || ret->nocase;
		take(t);
	}
	return true;
}

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

static bool parse_concat(struct translator *t, struct sql_value *ret)
{
	struct sql_value right = { 0 };
	bool ok = parse_collate(t, ret);

	while (ok && accept(t, "||")) {
		ok = parse_collate(t, &right);
		if (ok && ret->kind == SQL_BYTES && right.kind == SQL_BYTES)
			join(ret, " || ", &right, SQL_BYTES, BINDS_OTHER);
		else if (ok && (ok = sql_to_text(t, ret) && sql_to_text(t, &right)))
			join(ret, " || ", &right, SQL_TEXT, BINDS_OTHER);
		sql_value_free(&right);
	}
	return ok;
}

static bool parse_multiply(struct translator *t, struct sql_value *ret)
{
	struct sql_value right = { 0 };
	bool ok = parse_concat(t, ret);

	while (ok && (token_is(&t->t, "*") || token_is(&t->t, "/") || token_is(&t->t, "%"))) {
		char c = *t->t.at;

		take(t);
		ok = parse_concat(t, &right) && sql_arithmetic(t, ret, &right, c);
		sql_value_free(&right);
	}
	return ok;
}

static bool parse_add(struct translator *t, struct sql_value *ret)
{
	struct sql_value right = { 0 };
	bool ok = parse_multiply(t, ret);

	while (ok && (token_is(&t->t, "+") || token_is(&t->t, "-"))) {
		char c = *t->t.at;

		take(t);
		ok = parse_multiply(t, &right) && sql_arithmetic(t, ret, &right, c);
		sql_value_free(&right);
	}
	return ok;
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

static bool parse_bits(struct translator *t, struct sql_value *ret)
{
	struct sql_value right = { 0 };
	const char *word;
	bool ok = parse_add(t, ret);

	while (ok && (word = bit_operator(&t->t))) {
		take(t);
		ok = parse_add(t, &right) && sql_to_number(t, ret) && sql_to_number(t, &right);
		if (ok && (ret->kind != SQL_INT || right.kind != SQL_INT))
			ok = postgres_sql_refuse(t, "bits of what is no integer");
		if (ok && word[2] != ' ')
			ok = shift(t, ret, word, &right);
		else if (ok)
			join(ret, word, &right, SQL_INT, BINDS_OTHER);
		sql_value_free(&right);
	}
	return ok;
}

/* ---- Comparisons ------------------------------------------------------------------------------------------------ */

static bool join_compared(struct translator *t, struct sql_value *a, const char *operator_text,
			  struct sql_value *b, bool ordered)
{
	if (!sql_compare(t, a, b, ordered))
		return false;
	join(a, operator_text, b, SQL_BOOL, BINDS_COMPARE);
	return true;
}

static const char *order_operator(const struct token *t)
{
	return token_is(t, "<=") ? " <= " : token_is(t, ">=") ? " >= " :
	       token_is(t, "<") ? " < " : token_is(t, ">") ? " > " : NULL;
}

static bool parse_order(struct translator *t, struct sql_value *ret)
{
	struct sql_value right = { 0 };
	const char *word;
	bool ok = parse_bits(t, ret);

	while (ok && (word = order_operator(&t->t))) {
		take(t);
		ok = parse_bits(t, &right) && join_compared(t, ret, word, &right, true);
		sql_value_free(&right);
	}
	return ok;
}

static bool test_null(struct sql_value *v, bool is_not)
{
	postgres_sql_wrap(v, "", is_not ? " IS NOT NULL" : " IS NULL", SQL_BOOL, BINDS_IS, BINDS_IS);
	return true;
}

/* IS [NOT] [DISTINCT FROM] value */
static bool parse_is(struct translator *t, struct sql_value *ret)
{
	bool is_not = accept_word(t, "NOT");
	struct sql_value right = { 0 };
	bool ok;

	if (accept_word(t, "DISTINCT")) {
		is_not = !is_not;
		if (!expect_word(t, "FROM"))
			return false;
	}
	ok = parse_order(t, &right);
	if (ok && right.kind == SQL_NULL) {
		sql_value_free(&right);
		return test_null(ret, is_not);
	}
	/* IS TRUE asks for a condition. */
	if (ok && right.kind == SQL_BOOL && right.literal && ret->kind != SQL_BOOL) {
		ok = sql_to_condition(t, ret);
	} else if (ok) {
		ok = sql_compare(t, ret, &right, false);
	}
	if (ok)
		join(ret, is_not ? " IS DISTINCT FROM " : " IS NOT DISTINCT FROM ", &right,
		     SQL_BOOL, BINDS_IS);
	sql_value_free(&right);
	return ok;
}

static bool parse_between(struct translator *t, struct sql_value *ret, bool is_not)
{
	struct sql_value low = { 0 }, high = { 0 };
	struct etl_text text = { 0 };
	bool ok = parse_order(t, &low) && expect_word(t, "AND") && parse_order(t, &high) &&
		  sql_compare(t, ret, &low, true) && sql_compare(t, ret, &high, true);

	if (ok) {
		sql_add(&text, ret, BINDS_IN);
		etl_text_add(&text, is_not ? " NOT BETWEEN " : " BETWEEN ");
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

static bool write_in(struct translator *t, struct sql_value *ret, struct sql_value *values,
		     size_t count, bool is_not)
{
	struct etl_text text = { 0 };
	size_t i;

	/* SQLite takes an empty list, which nothing is in. */
	if (count == 0) {
		etl_text_free(&ret->text);
		*ret = (struct sql_value){ 0 };
		return add_constant(ret, is_not ? "true" : "false", SQL_BOOL);
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

static bool parse_in(struct translator *t, struct sql_value *ret, bool is_not)
{
	struct sql_value *values;
	size_t count = 0;
	bool ok;

	if (!expect(t, "("))
		return false;
	if (token_is_word(&t->t, "SELECT") || token_is_word(&t->t, "VALUES"))
		return postgres_sql_refuse(t, "it has a query in it");
	values = calloc(SQL_ARGUMENTS, sizeof(*values));
	if (!values) {
		t->failed = true;
		return false;
	}
	ok = parse_list(t, values, &count) && write_in(t, ret, values, count, is_not);
	free_values(values, count);
	free(values);
	return ok;
}

/* By bytes but for the case of A to Z, which is what ILIKE does under the collation "C"; and nothing escapes unless
 * it is said. */
static bool parse_like(struct translator *t, struct sql_value *ret, bool is_not)
{
	struct sql_value pattern = { 0 }, escape = { 0 };
	struct etl_text text = { 0 };
	bool ok = parse_order(t, &pattern);

	if (ok && accept_word(t, "ESCAPE"))
		ok = parse_order(t, &escape);
	if (ok && (ret->kind != SQL_TEXT || pattern.kind != SQL_TEXT ||
		   (escape.text.at && (escape.kind != SQL_TEXT || !escape.literal))))
		ok = postgres_sql_refuse(t, "LIKE looks at the text of what is no text here");
	if (ok) {
		sql_add(&text, ret, BINDS_UNARY);
		etl_text_add(&text, is_not ? " COLLATE \"C\" NOT ILIKE " : " COLLATE \"C\" ILIKE ");
		sql_add(&text, &pattern, BINDS_IN);
		etl_text_addf(&text, " ESCAPE %s", escape.text.at ? escape.text.at : "''");
		etl_text_free(&ret->text);
		*ret = (struct sql_value){ .text = text, .kind = SQL_BOOL, .binding = BINDS_IN };
	}
	sql_value_free(&pattern);
	sql_value_free(&escape);
	return ok;
}

/* What may follow NOT in the middle of an expression. */
static bool parse_negated(struct translator *t, struct sql_value *ret)
{
	if (accept_word(t, "NULL"))
		return test_null(ret, true);
	if (accept_word(t, "BETWEEN"))
		return parse_between(t, ret, true);
	if (accept_word(t, "IN"))
		return parse_in(t, ret, true);
	if (accept_word(t, "LIKE"))
		return parse_like(t, ret, true);
	return refuse_token(t);
}

/* *RET_MORE: there was such an operator. */
static bool parse_tested(struct translator *t, struct sql_value *ret, bool *ret_more)
{
	struct sql_value right = { 0 };
	bool equal = token_is(&t->t, "=") || token_is(&t->t, "==");
	bool ok;

	*ret_more = true;
	if (equal || token_is(&t->t, "<>") || token_is(&t->t, "!=")) {
		take(t);
		ok = parse_order(t, &right) &&
		     join_compared(t, ret, equal ? " = " : " <> ", &right, false);
		sql_value_free(&right);
		return ok;
	}
	if (accept_word(t, "IS"))
		return parse_is(t, ret);
	if (accept_word(t, "ISNULL"))
		return test_null(ret, false);
	if (accept_word(t, "NOTNULL"))
		return test_null(ret, true);
	if (accept_word(t, "NOT"))
		return parse_negated(t, ret);
	if (accept_word(t, "BETWEEN"))
		return parse_between(t, ret, false);
	if (accept_word(t, "IN"))
		return parse_in(t, ret, false);
	if (accept_word(t, "LIKE"))
		return parse_like(t, ret, false);
	*ret_more = false;
	return true;
}

static bool parse_equal(struct translator *t, struct sql_value *ret)
{
	bool more = true, ok = parse_order(t, ret);

	while (ok && more)
		ok = parse_tested(t, ret, &more);
	return ok;
}

static bool parse_not(struct translator *t, struct sql_value *ret)
{
	if (!accept_word(t, "NOT"))
		return parse_equal(t, ret);
	if (token_is_word(&t->t, "EXISTS"))
		return postgres_sql_refuse(t, "it has a query in it");
	if (!parse_not(t, ret) || !sql_to_condition(t, ret))
		return false;
	postgres_sql_wrap(ret, "NOT ", "", SQL_BOOL, BINDS_NOT, BINDS_NOT);
	return true;
}

static bool parse_and(struct translator *t, struct sql_value *ret)
{
	struct sql_value right = { 0 };
	bool ok = parse_not(t, ret);

	while (ok && accept_word(t, "AND")) {
		ok = parse_not(t, &right) && sql_to_condition(t, ret) &&
		     sql_to_condition(t, &right);
		if (ok)
			join(ret, " AND ", &right, SQL_BOOL, BINDS_AND);
		sql_value_free(&right);
	}
	return ok;
}

static bool parse_or(struct translator *t, struct sql_value *ret)
{
	struct sql_value right = { 0 };
	bool ok;

	if (++t->depth > DEEPEST)
		return postgres_sql_refuse(t, "it is nested too deeply");
	ok = parse_and(t, ret);
	while (ok && accept_word(t, "OR")) {
		ok = parse_and(t, &right) && sql_to_condition(t, ret) &&
		     sql_to_condition(t, &right);
		if (ok)
			join(ret, " OR ", &right, SQL_BOOL, BINDS_OR);
		sql_value_free(&right);
	}
	t->depth--;
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
	struct sql_value v = { 0 };
	bool ok;

	result->verdict = ETL_EXACT;
	result->note = NULL;
	result->why[0] = '\0';
	t.cursor = token_start(sql, strlen(sql));
	take(&t);
	ok = parse_or(&t, &v);
	if (ok && t.t.kind != TOKEN_END)
		ok = refuse_token(&t);
	if (ok && want != SQL_NONE)
		ok = want == SQL_BOOL && use != SQL_IN_DEFAULT && use != SQL_IN_GENERATED ?
			     sql_to_condition(&t, &v) :
			     sql_convert(&t, &v, want);
	if (ok)
		keep_collation(&t, &v);
	t.failed = t.failed || v.text.failed;
	if (ok && !t.failed)
		etl_text_add(ret, v.text.at);
	sql_value_free(&v);
	return t.failed || ret->failed ? ETL_FAILED : ok;
}
