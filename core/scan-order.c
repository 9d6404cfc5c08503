/*
 * Tokens in their order. libconfig's parser knows where it stopped but not why; a few rules about
 * which token may follow which, and a stack of brackets, give the reason. What is not found here is
 * still refused by libconfig: this file only has to be right about what it does say.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "scan-order.h"

int scan_fail(struct scan_at at, struct etl_error *err, const char *format, ...)
{
	char *text = NULL;
	va_list args;
	int length;

	va_start(args, format);
	length = vasprintf(&text, format, args);
	va_end(args);
	if (length < 0)
		return error_memory(err);
	error_set(err, ETL_USAGE, "%s:%u: %s", at.file, (unsigned)at.line, text);
	free(text);
	return ETL_FAILED;
}

static char closing(char open)
{
	return open == '(' ? ')' : open == '[' ? ']' : '}';
}

/* The bracket that is open, or '{' for the file itself, which is a group. */
static char inside(const struct scan_order *o)
{
	return o->depth > 0 ? o->stack[o->depth - 1].open : '{';
}

static bool ends_value(int token)
{
	return token == TOKEN_NUMBER || token == TOKEN_STRING || token == ')' || token == ']' ||
	       token == '}';
}

static bool begins_value(int token)
{
	return token == TOKEN_NUMBER || token == TOKEN_STRING || token == '(' || token == '[' ||
	       token == '{';
}

static bool is_separator(int token)
{
	return token == ',' || token == ';';
}

static bool is_assignment(int token)
{
	return token == '=' || token == ':';
}

static int add_name(struct scan_order *o, struct scan_at at, struct etl_error *err)
{
	struct scan_name *grown;
	size_t room = o->name_room > 0 ? o->name_room * 2 : 64;
	char *copy;

	if (o->name_count == o->name_room) {
		grown = reallocarray(o->names, room, sizeof(*grown));
		if (!grown)
			return error_memory(err);
		o->names = grown;
		o->name_room = room;
	}
	copy = strdup(o->word);
	if (!copy)
		return error_memory(err);
	o->names[o->name_count] = (struct scan_name){
		.name = copy,
		.scope = o->depth > 0 ? o->stack[o->depth - 1].scope : 0,
		.nth = o->name_count,
		.at = at,
	};
	o->name_count++;
	return ETL_OK;
}

static int open_bracket(struct scan_order *o, struct scan_at at, int token, struct etl_error *err)
{
	if (o->depth == SCAN_DEPTH)
		return scan_fail(at, err,
				 "brackets are nested more than %d deep; make the file flatter",
				 SCAN_DEPTH);
	o->stack[o->depth++] = (struct scan_bracket){ .open = (char)token,
						      .scope = ++o->scopes,
						      .at = at };
	return ETL_OK;
}

static int close_bracket(struct scan_order *o, struct scan_at at, int token, struct etl_error *err)
{
	const struct scan_bracket *top;

	if (o->depth == 0)
		return scan_fail(at, err,
				 "this %c closes nothing; remove it or add the bracket that opens",
				 token);
	top = &o->stack[o->depth - 1];
	if (closing(top->open) != token)
		return scan_fail(
			at, err, "this %c does not close the %c of %s:%u; write %c there first",
			token, top->open, top->at.file, (unsigned)top->at.line, closing(top->open));
	if (o->last == ',' && token != '}')
		return scan_fail(o->last_at, err, "a comma before the closing %c; remove the comma",
				 token);
	o->depth--;
	return ETL_OK;
}

/* What `=` or `:` follows must be a name. */
static int check_assignment(struct scan_order *o, struct scan_at at, int token,
			    struct etl_error *err)
{
	if (o->last == TOKEN_NUMBER)
		return scan_fail(o->last_at, err,
				 "the name %s begins with a digit; begin it with a letter, "
				 "or write value maps as lists of pairs: ( ( 4, \"shipped\" ) )",
				 o->word);
	if (o->last == TOKEN_STRING)
		return scan_fail(o->last_at, err,
				 "a name in quotes; write the name of a setting without them");
	if (o->last != TOKEN_NAME)
		return scan_fail(at, err, "no name stands before this %c; write NAME = VALUE",
				 token);
	if (inside(o) != '{')
		return scan_fail(o->last_at, err,
				 "the setting %s stands directly in a list; put it in braces: "
				 "{ %s = …; }",
				 o->word, o->word);
	return add_name(o, o->last_at, err);
}

static int check_word(const struct scan_order *o, struct scan_at at, const char *word,
		      struct etl_error *err)
{
	bool value = is_assignment(o->last) || (inside(o) != '{' && o->last != TOKEN_NAME);

	if (!value || strcasecmp(word, "true") == 0 || strcasecmp(word, "false") == 0)
		return ETL_OK;
	if (strcasecmp(word, "yes") == 0 || strcasecmp(word, "no") == 0 ||
	    strcasecmp(word, "on") == 0 || strcasecmp(word, "off") == 0)
		return scan_fail(at, err, "%s is no value; write true or false", word);
	return scan_fail(at, err, "%s stands without quotes; write \"%s\"", word, word);
}

static int check_pair(struct scan_order *o, struct scan_at at, int token, struct etl_error *err)
{
	if (inside(o) != '{' && ends_value(o->last) && begins_value(token) &&
	    !(o->last == TOKEN_STRING && token == TOKEN_STRING))
		return scan_fail(at, err, "a comma is missing before this value of a list; add it");
	if (is_separator(o->last) && is_separator(token))
		return scan_fail(at, err, "%c follows %c; remove one of them", token, o->last);
	if (is_assignment(o->last) &&
	    (is_separator(token) || token == '}' || token == ')' || token == ']'))
		return scan_fail(o->last_at, err,
				 "no value follows %s %c; write one, or remove the setting",
				 o->word, o->last);
	if (token == ';' && inside(o) != '{')
		return scan_fail(at, err, "a semicolon in a list; write a comma");
	return ETL_OK;
}

int scan_order_next(struct scan_order *o, struct scan_at at, int token, const char *text,
		    size_t length, struct etl_error *err)
{
	char word[sizeof(o->word)];
	int status = check_pair(o, at, token, err);

	snprintf(word, sizeof(word), "%.*s",
		 (int)(length < sizeof(word) ? length : sizeof(word) - 1), text);
	if (status == ETL_OK && (token == '(' || token == '[' || token == '{'))
		status = open_bracket(o, at, token, err);
	else if (status == ETL_OK && (token == ')' || token == ']' || token == '}'))
		status = close_bracket(o, at, token, err);
	else if (status == ETL_OK && is_assignment(token))
		status = check_assignment(o, at, token, err);
	else if (status == ETL_OK && token == TOKEN_NAME)
		status = check_word(o, at, word, err);
	if (token == TOKEN_NAME || token == TOKEN_NUMBER)
		memcpy(o->word, word, sizeof(word));
	o->last = token;
	o->last_at = at;
	return status;
}

static int compare_names(const void *a, const void *b)
{
	const struct scan_name *left = a, *right = b;
	int order;

	if (left->scope != right->scope)
		return left->scope < right->scope ? -1 : 1;
	order = strcmp(left->name, right->name);
	if (order != 0)
		return order;
	return left->nth < right->nth ? -1 : 1;
}

/* A name cut to the size of `word` may look doubled; libconfig decides about those. */
static int check_doubled(struct scan_order *o, struct etl_error *err)
{
	const struct scan_name *first = NULL, *second = NULL;
	size_t i;

	if (o->name_count > 1)
		qsort(o->names, o->name_count, sizeof(*o->names), compare_names);
	for (i = 1; i < o->name_count; i++) {
		const struct scan_name *a = &o->names[i - 1], *b = &o->names[i];

		if (a->scope == b->scope && strcmp(a->name, b->name) == 0 &&
		    strlen(a->name) < sizeof(o->word) - 1 && (!second || b->nth < second->nth)) {
			first = a;
			second = b;
		}
	}
	if (!second)
		return ETL_OK;
	return scan_fail(second->at, err, "%s is given twice, first in %s:%u; remove one of them",
			 second->name, first->at.file, (unsigned)first->at.line);
}

int scan_order_end(struct scan_order *o, struct etl_error *err)
{
	const struct scan_bracket *top;

	if (o->depth > 0) {
		top = &o->stack[o->depth - 1];
		return scan_fail(top->at, err, "this %c is never closed; add %c", top->open,
				 closing(top->open));
	}
	if (is_assignment(o->last) || o->last == TOKEN_NAME)
		return scan_fail(o->last_at, err,
				 "the file ends in the middle of the setting %s; write its value",
				 o->word);
	return check_doubled(o, err);
}

void scan_order_free(struct scan_order *o)
{
	size_t i;

	for (i = 0; i < o->name_count; i++)
		free(o->names[i].name);
	free(o->names);
	*o = (struct scan_order){ .names = NULL };
}
