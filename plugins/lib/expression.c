/*
 * The grammar: SQLite's expressions by recursive descent, in its order of precedence. A function that returns NULL has said
 * why, or ran out of memory; one that is given NULL returns it.
 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <etlrun/helpers.h>

#include "expression.h"

#define DEEPEST 100  /* parentheses within parentheses */
#define TALLEST 2000 /* a tree; SQLite itself takes 1000 */

struct parser {
	struct arena *arena;
	struct token_cursor cursor;
	struct token t; /* the one that comes next */
	int depth, signs;
	char *why;
	size_t size;
};

static struct expression *parse_or(struct parser *);

/* ---- What is refused --------------------------------------------------------------------------------------- */

static struct expression *refuse(struct parser *, const char *format, ...) ETL_PRINTF(2, 3);

/* NULL, always. */
static struct expression *refuse(struct parser *p, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(p->why, p->size, format, args);
	va_end(args);
	return NULL;
}

void expression_refuse_token(const struct token *t, char *why, size_t size)
{
	if (t->kind == TOKEN_END)
		snprintf(why, size, "it ends too early");
	else
		snprintf(why, size, "\"%.*s\" is not translated",
			 (int)(t->length < 40 ? t->length : 40), t->at);
}

static struct expression *refuse_token(struct parser *p)
{
	expression_refuse_token(&p->t, p->why, p->size);
	return NULL;
}

/* ---- Tokens --------------------------------------------------------------------------------------------- */

static void take(struct parser *p)
{
	p->t = token_next(&p->cursor);
}

static bool accept(struct parser *p, const char *operator_text)
{
	if (!token_is(&p->t, operator_text))
		return false;
	take(p);
	return true;
}

static bool accept_word(struct parser *p, const char *word)
{
	if (!token_is_word(&p->t, word))
		return false;
	take(p);
	return true;
}

/* E, when that comes next. */
static struct expression *expect(struct parser *p, struct expression *e, const char *operator_text)
{
	return !e || accept(p, operator_text) ? e : refuse_token(p);
}

static struct expression *expect_word(struct parser *p, struct expression *e, const char *word)
{
	return !e || accept_word(p, word) ? e : refuse_token(p);
}

/* Words that never are a column's name. */
static bool is_reserved(const struct token *t)
{
	static const char *const words[] = { "SELECT", "FROM",	 "WHERE",   "AND",     "OR",
					     "NOT",    "IN",	 "IS",	    "CASE",    "WHEN",
					     "THEN",   "ELSE",	 "EXISTS",  "COLLATE", "BETWEEN",
					     "AS",     "ON",	 "SET",	    "TABLE",   "VALUES",
					     "GROUP",  "ORDER",	 "HAVING",  "LIMIT",   "JOIN",
					     "UNION",  "ISNULL", "NOTNULL", "RAISE",   NULL };

	for (size_t i = 0; words[i]; i++)
		if (token_is_word(t, words[i]))
			return true;
	return false;
}

/* ---- Trees ------------------------------------------------------------------------------------------------ */

static struct expression *make(struct parser *p, enum expression_kind kind, struct token token)
{
	struct expression *e = etl_arena_alloc(p->arena, sizeof(*e));

	if (e)
		*e = (struct expression){ .kind = kind, .token = token };
	return e;
}

static struct expression *add(struct parser *p, struct expression *e, const struct expression *part)
{
	const struct expression **parts = e && part ? etl_arena_push(p->arena, e->parts, e->count,
								     sizeof(*parts)) :
						      NULL;

	if (!parts)
		return NULL;
	e->parts = parts;
	parts[e->count++] = part;
	if (e->depth <= part->depth)
		e->depth = part->depth + 1;
	return e->depth > TALLEST ? refuse(p, "it is nested too deeply") : e;
}

static struct expression *make_one(struct parser *p, enum expression_kind kind, struct token token,
				   const struct expression *part)
{
	return part ? add(p, make(p, kind, token), part) : NULL;
}

/* The token that comes next, and which is taken. */
static struct expression *make_leaf(struct parser *p, enum expression_kind kind)
{
	struct expression *e = make(p, kind, p->t);

	take(p);
	return e;
}

/* ---- Literals and names ----------------------------------------------------------------------------------- */

/* a, b, … ), the opening one taken: parts of E. */
static struct expression *parse_list(struct parser *p, struct expression *e)
{
	size_t before = e ? e->count : 0;

	if (!e || accept(p, ")"))
		return e;
	do {
		if (e->count - before == EXPRESSION_LIST)
			return refuse(p, "a list has more than %d values", EXPRESSION_LIST);
		if (!add(p, e, parse_or(p)))
			return NULL;
	} while (accept(p, ","));
	return expect(p, e, ")");
}

static struct expression *parse_qualified(struct parser *p, struct token owner)
{
	struct expression *e;

	if (!token_is_name(&p->t))
		return refuse(p, "it speaks of what is not in this table");
	e = make_leaf(p, EXPRESSION_QUALIFIED);
	if (e)
		e->owner = owner;
	return e;
}

static struct expression *parse_name(struct parser *p)
{
	struct token name = p->t;

	take(p);
	if (name.kind == TOKEN_WORD && accept(p, "("))
		return parse_list(p, make(p, EXPRESSION_CALL, name));
	return accept(p, ".") ? parse_qualified(p, name) : make(p, EXPRESSION_NAME, name);
}

/* ---- CASE and CAST ------------------------------------------------------------------------------------------ */

static struct expression *parse_arms(struct parser *p, struct expression *e)
{
	size_t arms = 0;

	for (; accept_word(p, "WHEN"); arms++) {
		if (arms == EXPRESSION_LIST)
			return refuse(p, "a CASE has more than %d arms", EXPRESSION_LIST);
		e = expect_word(p, add(p, e, parse_or(p)), "THEN");
		e = e ? add(p, e, parse_or(p)) : NULL;
		if (!e)
			return NULL;
	}
	if (arms > 0 && accept_word(p, "ELSE")) {
		e->has_else = true;
		e = add(p, e, parse_or(p));
	}
	return arms > 0 ? expect_word(p, e, "END") : refuse_token(p);
}

static struct expression *parse_case(struct parser *p, struct token word)
{
	struct expression *e = make(p, EXPRESSION_CASE, word);

	if (e && !token_is_word(&p->t, "WHEN")) {
		e->has_base = true;
		e = add(p, e, parse_or(p));
	}
	return e ? parse_arms(p, e) : NULL;
}

/* CAST ( value AS a type of any words ) */
static struct expression *parse_cast(struct parser *p, struct token word)
{
	struct expression *e = expect(p, make(p, EXPRESSION_CAST, word), "(");
	struct etl_text type = { 0 };
	int depth = 0;

	e = e ? expect_word(p, add(p, e, parse_or(p)), "AS") : NULL;
	while (e && p->t.kind != TOKEN_END && p->t.kind != TOKEN_BAD &&
	       (depth > 0 || !token_is(&p->t, ")"))) {
		depth += token_is(&p->t, "(");
		depth -= token_is(&p->t, ")");
		etl_text_add_bytes(&type, p->t.at, p->t.length);
		take(p);
	}
	e = expect(p, e, ")");
	if (e)
		e->type = etl_arena_copy(p->arena, type.at ? type.at : "");
	p->arena->failed = p->arena->failed || type.failed;
	etl_text_free(&type);
	return e;
}

/* ---- From the inside out ---------------------------------------------------------------------------------------- */

static struct expression *parse_primary(struct parser *p)
{
	struct token word = p->t;

	if (accept(p, "("))
		return token_is_word(&p->t, "SELECT") ? refuse(p, "it has a query in it") :
							expect(p, parse_or(p), ")");
	if (accept_word(p, "CASE"))
		return parse_case(p, word);
	if (accept_word(p, "CAST"))
		return parse_cast(p, word);
	switch (p->t.kind) {
	case TOKEN_NUMBER:
		return make_leaf(p, EXPRESSION_NUMBER);
	case TOKEN_STRING:
		return make_leaf(p, EXPRESSION_STRING);
	case TOKEN_BLOB:
		return make_leaf(p, EXPRESSION_BLOB);
	case TOKEN_WORD:
	case TOKEN_NAME:
		return is_reserved(&p->t) ? refuse_token(p) : parse_name(p);
	default:
		return refuse_token(p);
	}
}

static bool is_least(const struct token *t)
{
	return t->kind == TOKEN_NUMBER && t->length == 19 &&
	       strncmp(t->at, "9223372036854775808", 19) == 0;
}

static struct expression *parse_unary(struct parser *p)
{
	struct token sign = p->t;
	struct expression *e;

	if (!token_is(&sign, "+") && !token_is(&sign, "-") && !token_is(&sign, "~"))
		return parse_primary(p);
	take(p);
	if (token_is(&sign, "-") && is_least(&p->t))
		return make_leaf(p, EXPRESSION_LEAST);
	if (++p->signs > TALLEST)
		return refuse(p, "it is nested too deeply");
	e = parse_unary(p);
	p->signs--;
	return token_is(&sign, "+") ?
		       e :
		       make_one(p, token_is(&sign, "-") ? EXPRESSION_MINUS : EXPRESSION_INVERT,
				sign, e);
}

static struct expression *parse_collate(struct parser *p)
{
	struct expression *e = parse_unary(p);

	while (e && accept_word(p, "COLLATE")) {
		if (!token_is_name(&p->t))
			return refuse_token(p);
		e = make_one(p, EXPRESSION_COLLATE, p->t, e);
		take(p);
	}
	return e;
}

/* Operators that bind alike, from left to right. */
static struct expression *parse_chain(struct parser *p, enum expression_kind kind,
				      const char *const *operators,
				      struct expression *(*parse)(struct parser *))
{
	struct expression *e = parse(p);
	size_t i = 0;

	while (e && operators[i]) {
		struct token token = p->t;

		if (!accept(p, operators[i])) {
			i++;
			continue;
		}
		e = make_one(p, kind, token, e);
		e = e ? add(p, e, parse(p)) : NULL;
		i = 0;
	}
	return e;
}

static struct expression *parse_concat(struct parser *p)
{
	static const char *const operators[] = { "||", NULL };

	return parse_chain(p, EXPRESSION_CONCAT, operators, parse_collate);
}

static struct expression *parse_multiply(struct parser *p)
{
	static const char *const operators[] = { "*", "/", "%", NULL };

	return parse_chain(p, EXPRESSION_MULTIPLY, operators, parse_concat);
}

static struct expression *parse_add(struct parser *p)
{
	static const char *const operators[] = { "+", "-", NULL };

	return parse_chain(p, EXPRESSION_ADD, operators, parse_multiply);
}

static struct expression *parse_bits(struct parser *p)
{
	static const char *const operators[] = { "&", "|", "<<", ">>", NULL };

	return parse_chain(p, EXPRESSION_BITS, operators, parse_add);
}

static struct expression *parse_order(struct parser *p)
{
	static const char *const operators[] = { "<=", ">=", "<", ">", NULL };

	return parse_chain(p, EXPRESSION_ORDER, operators, parse_bits);
}

/* ---- Comparisons ------------------------------------------------------------------------------------------------ */

static struct expression *negate(struct expression *e, bool negated)
{
	if (e)
		e->negated = negated;
	return e;
}

/* IS [NOT] [DISTINCT FROM] value */
static struct expression *parse_is(struct parser *p, struct token word, struct expression *e)
{
	bool negated = accept_word(p, "NOT");

	e = make_one(p, EXPRESSION_IS, word, e);
	if (accept_word(p, "DISTINCT")) {
		negated = !negated;
		e = expect_word(p, e, "FROM");
	}
	return e ? negate(add(p, e, parse_order(p)), negated) : NULL;
}

static struct expression *parse_between(struct parser *p, struct token word, struct expression *e)
{
	e = make_one(p, EXPRESSION_BETWEEN, word, e);
	e = e ? expect_word(p, add(p, e, parse_order(p)), "AND") : NULL;
	return e ? add(p, e, parse_order(p)) : NULL;
}

static struct expression *parse_in(struct parser *p, struct token word, struct expression *e)
{
	e = expect(p, make_one(p, EXPRESSION_IN, word, e), "(");
	if (e && (token_is_word(&p->t, "SELECT") || token_is_word(&p->t, "VALUES")))
		return refuse(p, "it has a query in it");
	return parse_list(p, e);
}

static struct expression *parse_like(struct parser *p, struct token word, struct expression *e)
{
	e = make_one(p, EXPRESSION_LIKE, word, e);
	e = e ? add(p, e, parse_order(p)) : NULL;
	return e && accept_word(p, "ESCAPE") ? add(p, e, parse_order(p)) : e;
}

/* What may follow NOT in the middle of an expression too. NULL with *RET_NONE: there is no such operator. */
static struct expression *parse_test(struct parser *p, struct expression *e, bool *ret_none)
{
	struct token word = p->t;

	*ret_none = false;
	if (accept_word(p, "BETWEEN"))
		return parse_between(p, word, e);
	if (accept_word(p, "IN"))
		return parse_in(p, word, e);
	if (accept_word(p, "LIKE"))
		return parse_like(p, word, e);
	*ret_none = true;
	return NULL;
}

static struct expression *parse_negated(struct parser *p, struct token word, struct expression *e)
{
	bool none;
	struct expression *ret;

	if (accept_word(p, "NULL"))
		return negate(make_one(p, EXPRESSION_IS_NULL, word, e), true);
	ret = parse_test(p, e, &none);
	return none ? refuse_token(p) : negate(ret, true);
}

static struct expression *parse_tested(struct parser *p, struct expression *e, bool *ret_none)
{
	struct token word = p->t;
	bool equal = token_is(&word, "=") || token_is(&word, "==");

	*ret_none = false;
	if (equal || token_is(&word, "<>") || token_is(&word, "!=")) {
		take(p);
		e = make_one(p, EXPRESSION_EQUAL, word, e);
		return e ? negate(add(p, e, parse_order(p)), !equal) : NULL;
	}
	if (accept_word(p, "IS"))
		return parse_is(p, word, e);
	if (accept_word(p, "ISNULL"))
		return make_one(p, EXPRESSION_IS_NULL, word, e);
	if (accept_word(p, "NOTNULL"))
		return negate(make_one(p, EXPRESSION_IS_NULL, word, e), true);
	if (accept_word(p, "NOT"))
		return parse_negated(p, word, e);
	return parse_test(p, e, ret_none);
}

static struct expression *parse_equal(struct parser *p)
{
	struct expression *e = parse_order(p);
	bool none = false;

	while (e) {
		struct expression *more = parse_tested(p, e, &none);

		if (none)
			return e;
		e = more;
	}
	return NULL;
}

static struct expression *parse_not(struct parser *p)
{
	struct token word = p->t;
	struct expression *e;

	if (!accept_word(p, "NOT"))
		return parse_equal(p);
	if (token_is_word(&p->t, "EXISTS"))
		return refuse(p, "it has a query in it");
	if (++p->signs > TALLEST)
		return refuse(p, "it is nested too deeply");
	e = parse_not(p);
	p->signs--;
	return make_one(p, EXPRESSION_NOT, word, e);
}

static struct expression *parse_and(struct parser *p)
{
	struct expression *e = parse_not(p);
	struct token word = p->t;

	while (e && accept_word(p, "AND")) {
		e = make_one(p, EXPRESSION_AND, word, e);
		e = e ? add(p, e, parse_not(p)) : NULL;
		word = p->t;
	}
	return e;
}

static struct expression *parse_or(struct parser *p)
{
	struct expression *e;
	struct token word;

	if (++p->depth > DEEPEST)
		return refuse(p, "it is nested too deeply");
	e = parse_and(p);
	word = p->t;
	while (e && accept_word(p, "OR")) {
		e = make_one(p, EXPRESSION_OR, word, e);
		e = e ? add(p, e, parse_and(p)) : NULL;
		word = p->t;
	}
	p->depth--;
	return e;
}

const struct expression *expression_parse(const char *sql, struct arena *arena, char *why,
					  size_t size)
{
	struct parser p = {
		.arena = arena, .cursor = token_start(sql, strlen(sql)), .why = why, .size = size
	};
	struct expression *e;

	*why = '\0';
	take(&p);
	e = parse_or(&p);
	if (e && p.t.kind != TOKEN_END)
		e = refuse_token(&p);
	if (!arena->failed)
		return e;
	*why = '\0';
	return NULL;
}
