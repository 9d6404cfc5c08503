/*
 * CREATE TABLE, as SQLite's own grammar takes it: constraints may follow each other without commas, carry
 * names that name nothing, and a column may have no type or a type of many words.
 */
#include "config.h"

#include <sqlite3.h>

#include "ddl-parse.h"

/* Words at which a column's type ends: each is reserved, so no type contains it unquoted. */
static bool ends_type(const struct ddl_parser *p)
{
	static const char *const words[] = { "CONSTRAINT", "PRIMARY", "NOT",	   "NULL",
					     "UNIQUE",	   "CHECK",   "DEFAULT",   "COLLATE",
					     "REFERENCES", "AS",      "DEFERRABLE" };
	struct token next;
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (token_is_word(&p->t, words[i]))
			return true;
	}
	next = token_peek(&p->cursor);
	return token_is_word(&p->t, "GENERATED") && token_is_word(&next, "ALWAYS");
}

static bool take_type(struct ddl_parser *p, const char **ret)
{
	const char *start = p->t.at, *ignored;

	while (token_is_name(&p->t) && !ends_type(p))
		ddl_take(p);
	if (p->past > start && token_is(&p->t, "(") && !ddl_enclosed(p, &ignored))
		return false;
	*ret = etl_arena_text(p->memory, start, p->past > start ? (size_t)(p->past - start) : 0);
	return *ret != NULL;
}

static bool take_conflict(struct ddl_parser *p, const char **ret)
{
	const char *start = p->t.at;
	struct token next = token_peek(&p->cursor);

	if (!token_is_word(&p->t, "ON") || !token_is_word(&next, "CONFLICT"))
		return true;
	ddl_take(p);
	ddl_take(p);
	if (p->t.kind != TOKEN_WORD)
		return false;
	ddl_take(p);
	*ret = etl_arena_text(p->memory, start, (size_t)(p->past - start));
	return *ret != NULL;
}

/* ---- References ---------------------------------------------------------------------------------------- */

static bool take_action(struct ddl_parser *p, int32_t *ret)
{
	if (ddl_word(p, "CASCADE")) {
		*ret = ETL_CASCADE;
		return true;
	}
	if (ddl_word(p, "RESTRICT")) {
		*ret = ETL_RESTRICT;
		return true;
	}
	if (ddl_word(p, "NO")) {
		*ret = ETL_NO_ACTION;
		return ddl_word(p, "ACTION");
	}
	if (!ddl_word(p, "SET"))
		return false;
	if (ddl_word(p, "NULL")) {
		*ret = ETL_SET_NULL;
		return true;
	}
	*ret = ETL_SET_DEFAULT;
	return ddl_word(p, "DEFAULT");
}

static bool take_reference_clauses(struct ddl_parser *p, struct ddl_reference *ref)
{
	int32_t ignored;

	for (;;) {
		if (ddl_word(p, "MATCH")) {
			if (!ddl_identifier(p, &ref->match))
				return false;
		} else if (ddl_word(p, "ON")) {
			int32_t *action = ddl_word(p, "DELETE") ? &ref->on_delete :
					  ddl_word(p, "UPDATE") ? &ref->on_update :
					  ddl_word(p, "INSERT") ? &ignored :
								  NULL;

			if (!action || !take_action(p, action))
				return false;
		} else {
			return true;
		}
	}
}

/* [NOT] DEFERRABLE [INITIALLY DEFERRED | IMMEDIATE]; true also when it is not there. */
static bool take_deferral(struct ddl_parser *p, struct ddl_reference *ref)
{
	struct token next = token_peek(&p->cursor);
	bool not = token_is_word(&p->t, "NOT") && token_is_word(&next, "DEFERRABLE");
	bool deferred = false;

	if (not )
		ddl_take(p);
	if (!ddl_word(p, "DEFERRABLE"))
		return true;
	if (ddl_word(p, "INITIALLY")) {
		deferred = ddl_word(p, "DEFERRED");
		if (!deferred && !ddl_word(p, "IMMEDIATE"))
			return false;
	}
	ref->deferrable = not	   ? ETL_NOT_DEFERRABLE :
			  deferred ? ETL_DEFERRABLE_DEFERRED :
				     ETL_DEFERRABLE_IMMEDIATE;
	return true;
}

static bool take_columns(struct ddl_parser *p, const char ***ret, size_t *ret_count)
{
	struct ddl_part *parts;
	const char **columns;
	size_t n, i;

	if (!ddl_parts(p, &parts, &n, NULL))
		return false;
	columns = etl_arena_alloc(p->memory, n * sizeof(*columns));
	for (i = 0; columns && i < n; i++) {
		if (!parts[i].column)
			return false;
		columns[i] = parts[i].column;
	}
	*ret = columns;
	*ret_count = n;
	return columns != NULL;
}

static bool take_reference(struct ddl_parser *p, struct ddl_reference *ref)
{
	if (!ddl_identifier(p, &ref->table))
		return false;
	if (token_is(&p->t, "(") && !take_columns(p, &ref->columns, &ref->column_count))
		return false;
	return take_reference_clauses(p, ref) && take_deferral(p, ref);
}

/* ---- Constraints of a column ----------------------------------------------------------------------------- */

static bool take_primary(struct ddl_parser *p, struct ddl_constraint *c)
{
	c->kind = DDL_PRIMARY_KEY;
	if (!ddl_word(p, "KEY"))
		return false;
	c->parts = etl_arena_alloc(p->memory, sizeof(*c->parts));
	if (!c->parts)
		return false;
	if (ddl_word(p, "DESC"))
		c->parts->descending = true;
	else
		ddl_word(p, "ASC");
	if (!take_conflict(p, &c->conflict))
		return false;
	c->autoincrement = ddl_word(p, "AUTOINCREMENT");
	return true;
}

/* A literal with an optional sign, a name, or an expression in parentheses. */
static bool take_default(struct ddl_parser *p, struct ddl_constraint *c)
{
	const char *start = p->t.at, *ignored;

	c->kind = DDL_DEFAULT;
	if (token_is(&p->t, "(")) {
		if (!ddl_enclosed(p, &ignored))
			return false;
	} else {
		if (!ddl_operator(p, "-"))
			ddl_operator(p, "+");
		if (p->t.kind == TOKEN_END || p->t.kind == TOKEN_BAD || p->t.kind == TOKEN_OPERATOR)
			return false;
		ddl_take(p);
	}
	c->text = etl_arena_text(p->memory, start, (size_t)(p->past - start));
	return c->text != NULL;
}

static bool take_generated(struct ddl_parser *p, struct ddl_constraint *c)
{
	c->kind = DDL_GENERATED;
	if (!ddl_enclosed(p, &c->text))
		return false;
	c->stored = ddl_word(p, "STORED");
	if (!c->stored)
		ddl_word(p, "VIRTUAL");
	return true;
}

static bool take_simple(struct ddl_parser *p, struct ddl_constraint *c, enum ddl_kind kind)
{
	c->kind = kind;
	return take_conflict(p, &c->conflict);
}

/* The constraint that begins here; false and the same token next: none does. */
static bool take_column_constraint(struct ddl_parser *p, struct ddl_constraint *c)
{
	if (ddl_word(p, "PRIMARY"))
		return take_primary(p, c);
	if (ddl_word(p, "NOT"))
		return ddl_word(p, "NULL") && take_simple(p, c, DDL_NOT_NULL);
	if (ddl_word(p, "NULL"))
		return take_simple(p, c, DDL_NULL);
	if (ddl_word(p, "UNIQUE"))
		return take_simple(p, c, DDL_UNIQUE);
	if (ddl_word(p, "CHECK")) {
		c->kind = DDL_CHECK;
		return ddl_enclosed(p, &c->text) && take_conflict(p, &c->conflict);
	}
	if (ddl_word(p, "DEFAULT"))
		return take_default(p, c);
	if (ddl_word(p, "COLLATE")) {
		c->kind = DDL_COLLATE;
		return ddl_identifier(p, &c->text);
	}
	if (ddl_word(p, "REFERENCES")) {
		c->kind = DDL_REFERENCES;
		return take_reference(p, &c->reference);
	}
	if (ddl_word(p, "GENERATED") && !ddl_word(p, "ALWAYS"))
		return false;
	return ddl_word(p, "AS") && take_generated(p, c);
}

/* A key written at a column has that column as its only part. */
static bool own_part(struct ddl_parser *p, const struct ddl_column *column,
		     struct ddl_constraint *c)
{
	if (c->kind != DDL_PRIMARY_KEY && c->kind != DDL_UNIQUE && c->kind != DDL_REFERENCES)
		return true;
	if (!c->parts)
		c->parts = etl_arena_alloc(p->memory, sizeof(*c->parts));
	if (!c->parts)
		return false;
	c->parts->column = column->name;
	c->part_count = 1;
	return true;
}

static struct ddl_constraint *last_reference(struct ddl_column *column)
{
	size_t i = column->constraint_count;

	while (i-- > 0) {
		if (column->constraints[i].kind == DDL_REFERENCES)
			return &column->constraints[i];
	}
	return NULL;
}

static bool add_column_constraint(struct ddl_parser *p, struct ddl_column *column,
				  const char **name)
{
	struct ddl_constraint c = { .name = *name }, *last = last_reference(column);
	const char *start = p->t.at;
	struct ddl_reference ignored;

	if (!take_deferral(p, last ? &last->reference : &ignored))
		return false;
	if (p->t.at != start)
		return true;
	if (!take_column_constraint(p, &c) || !own_part(p, column, &c))
		return false;
	column->constraints = etl_arena_push(p->memory, column->constraints,
					     column->constraint_count, sizeof(c));
	if (!column->constraints)
		return false;
	column->constraints[column->constraint_count++] = c;
	*name = NULL;
	return true;
}

static bool take_column(struct ddl_parser *p, struct ddl_table *table)
{
	struct ddl_column column = { 0 };
	const char *name = NULL;

	if (!ddl_identifier(p, &column.name) || !take_type(p, &column.type))
		return false;
	while (!token_is(&p->t, ",") && !token_is(&p->t, ")")) {
		if (ddl_word(p, "CONSTRAINT")) {
			if (!ddl_identifier(p, &name))
				return false;
		} else if (!add_column_constraint(p, &column, &name)) {
			return false;
		}
	}
	table->columns = etl_arena_push(p->memory, table->columns, table->column_count,
					sizeof(column));
	if (!table->columns)
		return false;
	table->columns[table->column_count++] = column;
	return true;
}

/* ---- Constraints of the table ------------------------------------------------------------------------------ */

static bool at_table_constraint(const struct ddl_parser *p)
{
	return token_is_word(&p->t, "CONSTRAINT") || token_is_word(&p->t, "PRIMARY") ||
	       token_is_word(&p->t, "UNIQUE") || token_is_word(&p->t, "CHECK") ||
	       token_is_word(&p->t, "FOREIGN");
}

static bool take_table_constraint(struct ddl_parser *p, struct ddl_constraint *c)
{
	if (ddl_word(p, "PRIMARY")) {
		c->kind = DDL_PRIMARY_KEY;
		return ddl_word(p, "KEY") &&
		       ddl_parts(p, &c->parts, &c->part_count, &c->autoincrement) &&
		       take_conflict(p, &c->conflict);
	}
	if (ddl_word(p, "UNIQUE")) {
		c->kind = DDL_UNIQUE;
		return ddl_parts(p, &c->parts, &c->part_count, NULL) &&
		       take_conflict(p, &c->conflict);
	}
	if (ddl_word(p, "CHECK")) {
		c->kind = DDL_CHECK;
		return ddl_enclosed(p, &c->text) && take_conflict(p, &c->conflict);
	}
	c->kind = DDL_REFERENCES;
	return ddl_word(p, "FOREIGN") && ddl_word(p, "KEY") &&
	       ddl_parts(p, &c->parts, &c->part_count, NULL) && ddl_word(p, "REFERENCES") &&
	       take_reference(p, &c->reference);
}

static bool add_table_constraint(struct ddl_parser *p, struct ddl_table *table, const char **name)
{
	struct ddl_constraint c = { .name = *name };

	if (!take_table_constraint(p, &c))
		return false;
	table->constraints = etl_arena_push(p->memory, table->constraints, table->constraint_count,
					    sizeof(c));
	if (!table->constraints)
		return false;
	table->constraints[table->constraint_count++] = c;
	*name = NULL;
	return true;
}

static bool take_table_constraints(struct ddl_parser *p, struct ddl_table *table)
{
	const char *name = NULL;

	while (!token_is(&p->t, ")")) {
		if (ddl_operator(p, ",")) {
			name = NULL;
		} else if (ddl_word(p, "CONSTRAINT")) {
			if (!ddl_identifier(p, &name))
				return false;
		} else if (!add_table_constraint(p, table, &name)) {
			return false;
		}
	}
	return true;
}

/* ---- The statement ------------------------------------------------------------------------------------------- */

static bool take_options(struct ddl_parser *p, struct ddl_table *table)
{
	while (p->t.kind != TOKEN_END && !token_is(&p->t, ";")) {
		if (ddl_word(p, "WITHOUT") && ddl_word(p, "ROWID"))
			table->without_rowid = true;
		else if (ddl_word(p, "STRICT"))
			table->strict = true;
		else
			return false;
		ddl_operator(p, ",");
	}
	return true;
}

static bool take_head(struct ddl_parser *p, const char **ret_name)
{
	if (!ddl_word(p, "CREATE"))
		return false;
	if (!ddl_word(p, "TEMP"))
		ddl_word(p, "TEMPORARY");
	return ddl_word(p, "TABLE") && ddl_object_name(p, ret_name);
}

static bool parse(struct ddl_parser *p, struct ddl_table *table)
{
	if (!take_head(p, &table->name) || !ddl_operator(p, "("))
		return false;
	do {
		if (at_table_constraint(p))
			break;
		if (!take_column(p, table))
			return false;
	} while (ddl_operator(p, ","));
	return take_table_constraints(p, table) && ddl_operator(p, ")") && take_options(p, table);
}

int ddl_table_parse(const char *sql, struct ddl_table *ret)
{
	struct ddl_table table = { 0 };
	struct ddl_parser p;
	int status;

	ddl_begin(&p, sql, &table.memory);
	status = ddl_status(&p, parse(&p, &table));
	if (status == DDL_OK)
		*ret = table;
	else
		etl_arena_free(&table.memory);
	return status;
}

void ddl_table_free(struct ddl_table *table)
{
	etl_arena_free(&table->memory);
	memset(table, 0, sizeof(*table));
}

const struct ddl_column *ddl_find_column(const struct ddl_table *table, const char *name)
{
	size_t i;

	for (i = 0; i < table->column_count; i++) {
		if (sqlite3_stricmp(table->columns[i].name, name) == 0)
			return &table->columns[i];
	}
	return NULL;
}

const struct ddl_constraint *ddl_find(const struct ddl_column *column, enum ddl_kind kind)
{
	size_t i;

	for (i = 0; i < column->constraint_count; i++) {
		if (column->constraints[i].kind == kind)
			return &column->constraints[i];
	}
	return NULL;
}

const char *ddl_after_name(const char *sql)
{
	struct arena memory = { 0 };
	struct ddl_parser p;
	const char *name, *ret;

	ddl_begin(&p, sql, &memory);
	ret = take_head(&p, &name) ? p.past : NULL;
	etl_arena_free(&memory);
	return ret;
}
