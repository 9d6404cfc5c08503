/*
 * Rows that cannot be loaded: they go to the host with SQLite's own words, or with what is wrong with a value, and the
 * rest goes on.
 */
#include "config.h"

#include <stdlib.h>

#include "load.h"

#define NAMES_MAX 512 /* bytes of the column names of a reject */

/* ---- Rows SQLite refuses ------------------------------------------------------------------------------ */

static const char *code_of(int extended)
{
	switch (extended) {
	case SQLITE_CONSTRAINT_NOTNULL:
		return "not_null";
	case SQLITE_CONSTRAINT_UNIQUE:
	case SQLITE_CONSTRAINT_PRIMARYKEY:
	case SQLITE_CONSTRAINT_ROWID:
		return "duplicate";
	case SQLITE_CONSTRAINT_CHECK:
		return "check";
	case SQLITE_CONSTRAINT_DATATYPE:
	case SQLITE_MISMATCH:
		return "type";
	case SQLITE_TOOBIG:
		return "too_big";
	/* The statement itself is in order: it was prepared. */
	case SQLITE_ERROR:
		return "expression";
	default:
		return (extended & 0xff) == SQLITE_CONSTRAINT ? "constraint" : NULL;
	}
}

/* "UNIQUE constraint failed: t.a, t.b" -> "a, b"; NULL when the words name no column of this table. */
static const char *columns_of(const char *words, const char *table, char *buf)
{
	size_t length = strlen(table), n = 0;
	const char *at = words;

	while ((at = strstr(at, table)) != NULL) {
		const char *end;

		at += length;
		if (*at != '.' || (at - length > words && at[-1 - (ptrdiff_t)length] != ' '))
			continue;
		at++;
		end = strstr(at, ", ");
		end = end ? end : at + strlen(at);
		if (n + (size_t)(end - at) + 3 > NAMES_MAX)
			break;
		if (n) {
			memcpy(buf + n, ", ", 2);
			n += 2;
		}
		memcpy(buf + n, at, (size_t)(end - at));
		n += (size_t)(end - at);
		at = end;
	}
	buf[n] = '\0';
	return n ? buf : NULL;
}

static int64_t find_column(const struct loading *l, const char *name)
{
	int64_t i;

	for (i = 0; i < l->schema.n_children; i++) {
		if (sqlite3_stricmp(l->schema.children[i]->name, name) == 0)
			return i;
	}
	return -1;
}

/* The row is in the source still, so what it means in the target is not gone. A key that SQLite does not take is
 * in no target. */
static int keep_key(struct loading *l, int64_t row)
{
	const struct etl_load *load = l->load;
	size_t i;
	int rc = ETL_OK;

	for (i = 0; l->kept && i < load->key_count; i++) {
		int64_t at = find_column(l, load->key[i]);

		if (at < 0 || sqlite_bind(l->kept, (int)i, &l->view->columns[at], row,
					  l->scratch + at * SQLITE_SCRATCH))
			return ETL_OK;
	}
	if (!l->kept)
		return ETL_OK;
	if (sqlite3_step(l->kept) != SQLITE_DONE)
		rc = sqlite_fail(l->inst, l->inst->stage, l->err, "keeping the key of a row of \"%s\"",
				 load->table->name);
	sqlite3_reset(l->kept);
	sqlite3_clear_bindings(l->kept);
	return rc;
}

static int reject(struct loading *l, const struct ArrowArray *batch, int64_t row, const char *code,
		  const char *column, const char *reason)
{
	struct etl_reject r = { .code = code,
				.column = column,
				.reason = reason,
				.schema = &l->schema,
				.batch = batch,
				.row = row,
				.ordinal = -1 };
	int rc = l->inst->host->reject(l->split->context, &r);

	return rc ? rc : keep_key(l, row);
}

int load_reject_step(struct loading *l, const struct ArrowArray *batch, int64_t row)
{
	int extended = sqlite3_extended_errcode(l->inst->stage);
	const char *code = code_of(extended), *words = sqlite3_errmsg(l->inst->stage);
	char columns[NAMES_MAX];
	const char *column;
	char *reason;
	int rc;

	if (!code)
		return sqlite_fail(l->inst, l->inst->stage, l->err, "writing a row of \"%s\"",
				   l->load->table->name);
	column = extended == SQLITE_CONSTRAINT_CHECK ?
			 NULL :
			 columns_of(words, l->load->table->name, columns);
	if (extended == SQLITE_MISMATCH && l->load->table->primary.column_count == 1)
		column = l->load->table->primary.columns[0];
	reason = sqlite3_mprintf("SQLite refuses the row: %s", words);
	if (!reason)
		return load_no_memory(l);
	rc = reject(l, batch, row, code, column, reason);
	sqlite3_free(reason);
	return rc;
}

int load_reject_value(struct loading *l, const struct ArrowArray *batch, int64_t row,
			int64_t column, const char *code)
{
	const struct etl_column_view *c = &l->view->columns[column];
	struct etl_text reason = { 0 };
	char type[64];
	int rc;

	if (strcmp(code, "no_memory") == 0)
		return load_no_memory(l);
	etl_text_addf(&reason, "the %s ", etl_type_name(c->type, type, sizeof(type)));
	if (strcmp(code, "too_big") == 0)
		etl_text_add(&reason, "is larger than SQLite takes");
	else if (strcmp(code, "invalid_utf8") == 0)
		etl_text_add(
			&reason,
			"is a text that is not valid UTF-8, which a UTF-16 database would change");
	else {
		etl_text_add_value(&reason, c, row);
		etl_text_add(&reason, strcmp(code, "too_precise") == 0 ?
					      " would be changed by SQLite, whose numbers are integers of 64 "
					      "bits and floats; a column of type text keeps it" :
					      " cannot be stored by SQLite");
	}
	rc = reason.failed ?
		     load_no_memory(l) :
		     reject(l, batch, row, code, l->schema.children[column]->name, reason.at);
	etl_text_free(&reason);
	return rc;
}

/* SQLite would make a number of it, and then maybe refuse the row that has this number. */
int load_reject_unnumbered(struct loading *l, const struct ArrowArray *batch, int64_t row)
{
	const char *name = l->schema.children[l->alias]->name;
	struct etl_text reason = { 0 };
	int rc;

	etl_text_addf(&reason,
		      "%s is NULL, of which SQLite would make a number, since it is the INTEGER "
		      "PRIMARY KEY; with "
		      "exclude_columns all rows get one",
		      name);
	rc = reason.failed ? load_no_memory(l) : reject(l, batch, row, "not_null", name, reason.at);
	etl_text_free(&reason);
	return rc;
}
