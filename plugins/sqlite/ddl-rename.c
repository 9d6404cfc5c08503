/*
 * New names for tables and columns in SQL that SQLite stored. There is no grammar here: where a name stands
 * (after FROM, before a dot, before a parenthesis) says what it names. Where that is not enough to be sure,
 * the answer is that nothing can be said, and the caller reports instead of guessing.
 */
#include "config.h"

#include <sqlite3.h>

#include "ddl.h"
#include "token.h"

struct renamer {
	const struct ddl_names *names;
	struct etl_text *out;
	const char *copied; /* the text up to here is in OUT */
	struct token before, t;
	struct token_cursor cursor;
	size_t depth;
	size_t list_depth; /* of a FROM list whose commas bring tables; valid with in_list */
	bool in_list;
	bool head_on; /* CREATE INDEX or TRIGGER, before its ON: a table follows that */
	bool unsure;
	/* Inside the parentheses of a table's columns (REFERENCES t (…), ON t (…)): whose they are. */
	struct token owner;
	size_t owner_depth; /* 0: not inside */
};

/* A word SQLite may read as a keyword or as a name, by where it stands. */
static bool is_keyword(const struct token *t)
{
	return t->kind == TOKEN_WORD && sqlite3_keyword_check(t->at, (int)t->length);
}

static bool any_word(const struct token *t, const char *const *words)
{
	for (; *words; words++) {
		if (token_is_word(t, *words))
			return true;
	}
	return false;
}

/* ---- Where a name stands ------------------------------------------------------------------------------- */

static bool after_table_word(const struct renamer *r)
{
	static const char *const words[] = { "FROM",  "JOIN",	    "INTO", "UPDATE",
					     "TABLE", "REFERENCES", NULL };

	return any_word(&r->before, words);
}

static bool in_table_place(const struct renamer *r)
{
	if (after_table_word(r))
		return true;
	if (token_is_word(&r->before, "ON") && r->head_on)
		return true;
	return r->in_list && r->depth == r->list_depth && token_is(&r->before, ",");
}

static void follow_list(struct renamer *r)
{
	static const char *const ends[] = { "WHERE",  "GROUP",	"ORDER",  "LIMIT",     "HAVING",
					    "WINDOW", "UNION",	"EXCEPT", "INTERSECT", "ON",
					    "USING",  "SELECT", "SET",	  NULL };

	if (token_is_word(&r->t, "FROM")) {
		r->in_list = true;
		r->list_depth = r->depth;
	} else if (r->in_list && r->depth == r->list_depth && any_word(&r->t, ends) &&
		   !token_is_word(&r->t, "ON") && !token_is_word(&r->t, "USING")) {
		r->in_list = false;
	} else if (r->in_list && r->depth < r->list_depth) {
		r->in_list = false;
	}
}

static void follow_depth(struct renamer *r)
{
	if (token_is(&r->t, "(")) {
		r->depth++;
	} else if (token_is(&r->t, ")")) {
		if (r->owner_depth == r->depth)
			r->owner_depth = 0;
		r->depth -= r->depth > 0;
	}
	follow_list(r);
	if (r->head_on && token_is_word(&r->before, "ON"))
		r->head_on = false;
}

/* ---- Looking up ------------------------------------------------------------------------------------------ */

static const char *new_table(const struct renamer *r, const struct token *t)
{
	size_t i;

	for (i = 0; i < r->names->table_count; i++) {
		if (token_names(t, r->names->tables[i].from))
			return r->names->tables[i].to;
	}
	return NULL;
}

static bool owns(const struct renamer *r, const struct token *owner, const char *table)
{
	const char *own = r->names->table;

	if (!owner)
		return own && sqlite3_stricmp(own, table) == 0;
	if (own && sqlite3_stricmp(own, table) == 0 &&
	    (token_is_word(owner, "NEW") || token_is_word(owner, "OLD") ||
	     token_is_word(owner, "excluded")))
		return true;
	return token_names(owner, table);
}

/* OWNER NULL: unqualified. */
static const char *new_column(const struct renamer *r, const struct token *owner,
			      const struct token *t)
{
	const struct ddl_name *n;
	size_t i;

	for (i = 0; i < r->names->column_count; i++) {
		n = &r->names->columns[i];
		if (token_names(t, n->from) &&
		    owns(r, owner, n->table ? n->table : r->names->table))
			return n->to;
	}
	return NULL;
}

/* ---- Writing ----------------------------------------------------------------------------------------------- */

/* A name in quotes that touches another one would be one with it: a"b" is two names, "c""b" is one. */
static void replace(struct renamer *r, const struct token *t, const char *name)
{
	const char *past = t->at + t->length;

	if (!name)
		return;
	etl_text_add_bytes(r->out, r->copied, (size_t)(t->at - r->copied));
	if (r->out->length > 0 && r->out->at[r->out->length - 1] == '"')
		etl_text_add(r->out, " ");
	etl_text_add_name(r->out, name, '"');
	if (*past == '"')
		etl_text_add(r->out, " ");
	r->copied = past;
}

/* PRIMARY KEY and FOREIGN KEY say KEY and nothing else; elsewhere an unquoted keyword may be the name. */
static bool surely_keyword(const struct renamer *r)
{
	return token_is_word(&r->t, "KEY") &&
	       (token_is_word(&r->before, "PRIMARY") || token_is_word(&r->before, "FOREIGN"));
}

static void advance(struct renamer *r)
{
	follow_depth(r);
	r->before = r->t;
	r->t = token_next(&r->cursor);
}

/* owner.t: the token is a column, or (schema.table) a table. */
static void rename_qualified(struct renamer *r, const struct token *owner, bool table_place)
{
	const char *to;

	if (table_place && (to = new_table(r, &r->t)) != NULL)
		replace(r, &r->t, to);
	else if (!table_place)
		replace(r, &r->t, new_column(r, owner, &r->t));
}

static void enter_owner(struct renamer *r, const struct token *table)
{
	if (token_is(&r->t, "(") && r->owner_depth == 0) {
		r->owner = *table;
		r->owner_depth = r->depth + 1;
	}
}

static void rename_name(struct renamer *r)
{
	bool table_place = in_table_place(r);
	bool enters = table_place && !token_is_word(&r->before, "TABLE");
	struct token name = r->t, next = token_peek(&r->cursor);
	const struct token *owner = r->owner_depth > 0 ? &r->owner : NULL;
	const char *to;

	if (token_is(&next, ".")) {
		if (!table_place)
			replace(r, &name, new_table(r, &name));
		advance(r);
		advance(r);
		rename_qualified(r, &name, table_place);
		name = r->t;
		advance(r);
		if (enters)
			enter_owner(r, &name);
		return;
	}
	to = table_place	  ? new_table(r, &name) :
	     token_is(&next, "(") ? NULL :
				    new_column(r, owner, &name);
	if (to && is_keyword(&name) && !table_place)
		r->unsure = r->unsure || !surely_keyword(r);
	else
		replace(r, &name, to);
	advance(r);
	if (enters)
		enter_owner(r, &name);
}

/* DEFAULT "x" is a text, and so is everything in single quotes. */
static bool is_identifier(const struct renamer *r)
{
	if (token_is_word(&r->before, "DEFAULT") || token_is_word(&r->before, "COLLATE") ||
	    token_is_word(&r->before, "CONSTRAINT"))
		return false;
	return r->t.kind == TOKEN_NAME || r->t.kind == TOKEN_WORD;
}

/* Words between a table word and its table: INSERT INTO, UPDATE OR x t, CREATE TABLE IF NOT EXISTS t. */
static bool passes_through(struct renamer *r)
{
	static const char *const words[] = { "IF", "NOT", "EXISTS", NULL };

	return token_is_word(&r->before, "TABLE") && any_word(&r->t, words);
}

static void start(struct renamer *r, const char *sql)
{
	struct token_cursor look;
	struct token t;

	r->cursor = look = token_start(sql, strlen(sql));
	t = token_next(&look);
	if (token_is_word(&t, "CREATE")) {
		t = token_next(&look);
		while (token_is_word(&t, "UNIQUE") || token_is_word(&t, "TEMP") ||
		       token_is_word(&t, "TEMPORARY"))
			t = token_next(&look);
		r->head_on = token_is_word(&t, "INDEX") || token_is_word(&t, "TRIGGER");
	}
	r->copied = sql;
	r->t = token_next(&r->cursor);
}

int ddl_rename(const char *sql, const struct ddl_names *names, struct etl_text *ret)
{
	struct etl_text text = { 0 };
	struct renamer r = { .names = names, .out = &text };

	start(&r, sql);
	while (r.t.kind != TOKEN_END && r.t.kind != TOKEN_BAD) {
		struct token before = r.before;

		if (passes_through(&r)) {
			advance(&r);
			r.before = before;
		} else if (is_identifier(&r)) {
			rename_name(&r);
		} else {
			advance(&r);
		}
	}
	if (r.t.kind == TOKEN_BAD || r.unsure) {
		etl_text_free(&text);
		return DDL_SYNTAX;
	}
	etl_text_add(&text, r.copied);
	if (!text.failed)
		etl_text_add_bytes(ret, text.at ? text.at : "", text.length);
	else
		ret->failed = true;
	etl_text_free(&text);
	return ret->failed ? DDL_NO_MEMORY : DDL_OK;
}
