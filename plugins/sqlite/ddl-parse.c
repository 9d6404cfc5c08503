/*
 * The pieces that CREATE TABLE and CREATE INDEX have in common: names, enclosed expressions, key parts.
 */
#include "config.h"

#include "ddl-parse.h"

void ddl_begin(struct ddl_parser *p, const char *sql, struct arena *memory)
{
	p->cursor = token_start(sql, strlen(sql));
	p->past = sql;
	p->memory = memory;
	p->t = token_next(&p->cursor);
}

void ddl_take(struct ddl_parser *p)
{
	p->past = p->t.at + p->t.length;
	p->t = token_next(&p->cursor);
}

bool ddl_word(struct ddl_parser *p, const char *word)
{
	if (!token_is_word(&p->t, word))
		return false;
	ddl_take(p);
	return true;
}

bool ddl_operator(struct ddl_parser *p, const char *operator_text)
{
	if (!token_is(&p->t, operator_text))
		return false;
	ddl_take(p);
	return true;
}

static const char *name_of(struct arena *memory, const struct token *t)
{
	char *name = etl_arena_alloc(memory, t->length + 1);

	if (name)
		token_name(t, name, t->length + 1);
	return name;
}

bool ddl_identifier(struct ddl_parser *p, const char **ret)
{
	const char *name;

	if (!token_is_name(&p->t))
		return false;
	name = name_of(p->memory, &p->t);
	if (!name)
		return false;
	ddl_take(p);
	*ret = name;
	return true;
}

bool ddl_object_name(struct ddl_parser *p, const char **ret)
{
	if (ddl_word(p, "IF") && !(ddl_word(p, "NOT") && ddl_word(p, "EXISTS")))
		return false;
	if (!ddl_identifier(p, ret))
		return false;
	return !ddl_operator(p, ".") || ddl_identifier(p, ret);
}

/* Takes tokens up to the parenthesis that closes one already taken; it stays the next. */
static bool skip_to_close(struct ddl_parser *p)
{
	size_t depth = 0;

	for (;; ddl_take(p)) {
		if (p->t.kind == TOKEN_END || p->t.kind == TOKEN_BAD)
			return false;
		if (token_is(&p->t, "("))
			depth++;
		else if (token_is(&p->t, ")") && depth-- == 0)
			return true;
	}
}

bool ddl_enclosed(struct ddl_parser *p, const char **ret)
{
	const char *start, *end;

	if (!ddl_operator(p, "("))
		return false;
	start = end = p->t.at;
	if (!token_is(&p->t, ")")) {
		if (!skip_to_close(p))
			return false;
		end = p->past;
	}
	ddl_take(p);
	*ret = etl_arena_text(p->memory, start, (size_t)(end - start));
	return *ret != NULL;
}

/* ---- Key parts --------------------------------------------------------------------------------------- */

/* The tokens of a part, up to a comma or a closing parenthesis of its own level. */
static bool collect(struct ddl_parser *p, struct token **ret, size_t *ret_count)
{
	struct token *tokens = NULL;
	size_t depth = 0, n = 0;

	for (;; ddl_take(p)) {
		if (p->t.kind == TOKEN_END || p->t.kind == TOKEN_BAD)
			return false;
		if (depth == 0 && (token_is(&p->t, ",") || token_is(&p->t, ")")))
			break;
		depth += token_is(&p->t, "(");
		depth -= token_is(&p->t, ")");
		tokens = etl_arena_push(p->memory, tokens, n, sizeof(*tokens));
		if (!tokens)
			return false;
		tokens[n++] = p->t;
	}
	*ret = tokens;
	*ret_count = n;
	return n > 0;
}

/* The number of tokens left when the order at the end is taken off. */
static size_t without_order(const struct token *t, size_t n, struct ddl_part *part)
{
	if (n > 2 && token_is_word(&t[n - 2], "NULLS"))
		n -= 2;
	if (n > 1 && token_is_word(&t[n - 1], "DESC")) {
		part->descending = true;
		n--;
	} else if (n > 1 && token_is_word(&t[n - 1], "ASC")) {
		n--;
	}
	return n;
}

static bool make_part(struct ddl_parser *p, const struct token *t, size_t n, struct ddl_part *part)
{
	const char *end;

	n = without_order(t, n, part);
	if (n > 2 && token_is_word(&t[n - 2], "COLLATE")) {
		part->collation = name_of(p->memory, &t[n - 1]);
		n -= 2;
	}
	if (n == 1 && token_is_name(t)) {
		part->column = name_of(p->memory, t);
	} else {
		end = t[n - 1].at + t[n - 1].length;
		part->expression = etl_arena_text(p->memory, t->at, (size_t)(end - t->at));
	}
	return !p->memory->failed;
}

static void take_autoincrement(struct token *t, size_t *n, bool *ret_auto)
{
	if (!ret_auto || *n < 2 || !token_is_word(&t[*n - 1], "AUTOINCREMENT"))
		return;
	--*n;
	*ret_auto = true;
}

bool ddl_parts(struct ddl_parser *p, struct ddl_part **ret, size_t *ret_count, bool *ret_auto)
{
	struct ddl_part *parts = NULL;
	struct token *tokens;
	size_t n = 0, token_count;

	if (!ddl_operator(p, "("))
		return false;
	do {
		if (!collect(p, &tokens, &token_count))
			return false;
		take_autoincrement(tokens, &token_count, ret_auto);
		parts = etl_arena_push(p->memory, parts, n, sizeof(*parts));
		if (!parts)
			return false;
		memset(&parts[n], 0, sizeof(*parts));
		if (!make_part(p, tokens, token_count, &parts[n++]))
			return false;
	} while (ddl_operator(p, ","));
	*ret = parts;
	*ret_count = n;
	return ddl_operator(p, ")");
}

int ddl_status(const struct ddl_parser *p, bool ok)
{
	if (p->memory->failed)
		return DDL_NO_MEMORY;
	return ok ? DDL_OK : DDL_SYNTAX;
}
