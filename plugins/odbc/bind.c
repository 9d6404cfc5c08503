/* See bind.h. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "bind.h"

/* ---- Opening --------------------------------------------------------------------------------------------- */

static int32_t form_of(const struct etl_instance *inst, int32_t type)
{
	switch (type) {
	case ETL_INT16:
	case ETL_INT32:
	case ETL_INT64:
		return BIND_INT;
	case ETL_FLOAT32:
	case ETL_FLOAT64:
		return BIND_REAL;
	case ETL_BOOL:
		return inst->dialect == &odbc_postgresql ? BIND_TEXT : BIND_BIT;
	case ETL_BYTES:
		return BIND_BYTES;
	default:
		return BIND_TEXT;
	}
}

static bool has_length(const struct etl_instance *inst, const char *type)
{
	static const char *const tsql[] = { "nvarchar(", "varbinary(" };
	static const char *const postgresql[] = { "varchar(", "character varying(", "char(", "character(", "bpchar(" };
	bool is = inst->dialect == &odbc_tsql;
	const char *const *words = is ? tsql : postgresql;
	size_t count = is ? sizeof(tsql) / sizeof(*tsql) : sizeof(postgresql) / sizeof(*postgresql);

	for (size_t i = 0; i < count; i++)
		if (strncmp(type, words[i], strlen(words[i])) == 0 && type[strlen(type) - 1] == ')')
			return true;
	return false;
}

/* How long a value may be, or how fine a moment, as the type of the column says. */
static void find_limits(struct bind_column *c, struct etl_instance *inst, const struct etl_table *table)
{
	struct etl_text type = { 0 }, note = { 0 };
	const char *open;
	int32_t verdict = ETL_EXACT;

	if (inst->dialect != &odbc_tsql && inst->dialect != &odbc_postgresql)
		return;
	odbc_add_type(&type, inst, table, c->column, &verdict, &note);
	open = type.at ? strchr(type.at, '(') : NULL;
	if (open && has_length(inst, type.at))
		c->most = strtoll(open + 1, NULL, 10);
	if (type.at && inst->dialect == &odbc_tsql) {
		c->narrow = bind_page_is_narrow(type.at);
		bind_moment_open(c, type.at);
	}
	etl_text_free(&type);
	etl_text_free(&note);
}

static const struct etl_column *find_column(const struct etl_table *t, const char *name)
{
	for (size_t i = 0; i < t->column_count; i++) {
		const struct etl_column *c =
			ETL_AT(const struct etl_column, t->columns, t->column_size, i);

		if (strcmp(c->name, name) == 0)
			return c;
	}
	return NULL;
}

int bind_open(struct bind *b, struct etl_instance *inst, const struct etl_table *table,
	      const struct ArrowSchema *schema, struct etl_error *err)
{
	*b = (struct bind){ .inst = inst, .count = (size_t)schema->n_children, .most = BIND_ROWS, .room = BIND_ROOM };
	b->several = array_several(b);
	b->columns = calloc(b->count + 1, sizeof(*b->columns));
	b->status = calloc(BIND_ROWS, sizeof(*b->status));
	if (!b->columns || !b->status)
		return odbc_no_memory(inst, err);
	for (size_t i = 0; i < b->count; i++) {
		struct bind_column *c = &b->columns[i];

		c->column = find_column(table, schema->children[i]->name);
		c->form = form_of(inst, etl_type_of(schema->children[i]).type);
		c->lengths = calloc(BIND_ROWS + BIND_SEVERAL, sizeof(*c->lengths));
		if (!c->lengths)
			return odbc_no_memory(inst, err);
		if (!c->column)
			return inst->host->fail(err, ETL_BUG, NULL, 0, "table \"%s\" has no column \"%s\"",
						table->name, schema->children[i]->name);
		find_limits(c, inst, table);
	}
	return ETL_OK;
}

void bind_insert(struct bind *b, const char *head, const char *row)
{
	b->head = head;
	b->row = row;
}

void bind_disconnect(struct bind *b)
{
	many_disconnect(b);
	statement_close(b, &b->of_several);
	statement_close(b, &b->of_one);
}

void bind_close(struct bind *b)
{
	bind_disconnect(b);
	many_close(b);
	for (size_t i = 0; b->columns && i < b->count; i++) {
		bind_page_close(&b->columns[i]);
		free(b->columns[i].values);
		free(b->columns[i].lengths);
	}
	free(b->columns);
	free(b->status);
	*b = (struct bind){ 0 };
}

/* ---- Values that the server does not take --------------------------------------------------------------------- */

/* PostgreSQL counts characters. */
static int64_t units_of(const struct bind *b, const uint8_t *text, int64_t size)
{
	bool utf16 = b->inst->dialect == &odbc_tsql;
	int64_t units = 0;

	for (int64_t i = 0; i < size; i++)
		units += (text[i] & 0xc0) != 0x80 ? 1 + (utf16 && text[i] >= 0xf0) : 0;
	return units;
}

static const char *check_text(const struct bind *b, const struct bind_column *c, const uint8_t *text,
			      int64_t size, struct etl_text *why)
{
	int64_t most = c->most, units;

	if (size && memchr(text, 0, (size_t)size) && b->inst->dialect != &odbc_tsql) {
		etl_text_add(why, "it has a NUL, which no text of this server can have");
		return "nul";
	}
	if (etl_utf8_valid(text, (size_t)size) != (size_t)size) {
		etl_text_add(why, "it is no valid UTF-8");
		return "invalid_utf8";
	}
	if (most == 0 || size <= most)
		return NULL;
	units = units_of(b, text, size);
	if (units <= most)
		return NULL;
	etl_text_addf(why, "it has %lld %s, and the column takes %lld", (long long)units,
		      b->inst->dialect == &odbc_tsql ? "UTF-16 units" : "characters", (long long)most);
	return "too_long";
}

/* T-SQL's dates go from year 1 to 9999, and its float knows neither infinity nor NaN. */
static const char *check_tsql(const struct etl_column_view *v, int64_t row, struct etl_text *why)
{
	static const int64_t first = -719162, last = 2932896; /* 0001-01-01, 9999-12-31, in days */
	static const int64_t day = 86400000000;
	int64_t days = 0;
	double real = 0;

	switch (v->type.type) {
	case ETL_DATE:
		days = etl_get_int32(v, row);
		break;
	case ETL_TIMESTAMP:
	case ETL_INSTANT:
		days = etl_get_int64(v, row);
		days = days / day - (days % day < 0);
		break;
	case ETL_FLOAT32:
		real = (double)etl_get_float32(v, row);
		break;
	case ETL_FLOAT64:
		real = etl_get_float64(v, row);
		break;
	default:
		break;
	}
	if (days < first || days > last) {
		etl_text_add(why, "the server's dates go from 0001-01-01 to 9999-12-31");
		return "out_of_range";
	}
	if (real - real != 0) {
		etl_text_add(why, "the server's float knows neither infinity nor NaN");
		return "out_of_range";
	}
	return NULL;
}

const char *bind_check(const struct bind *b, size_t column, const struct etl_column_view *v, int64_t row,
		       struct etl_text *why)
{
	const struct bind_column *c = &b->columns[column];
	const uint8_t *bytes;
	const char *code;
	int64_t size;

	if (etl_is_null(v, row)) {
		if (!(c->column->flags & ETL_NOT_NULL))
			return NULL;
		etl_text_add(why, "it is NULL, and the column takes none");
		return "not_null";
	}
	if (v->width != 0) {
		code = b->inst->dialect == &odbc_tsql ? check_tsql(v, row, why) : NULL;
		return code ? code : bind_check_moment(c, v, row, why);
	}
	bytes = etl_get_bytes(v, row, &size);
	if (c->form == BIND_TEXT) {
		code = check_text(b, c, bytes, size, why);
		return code ? code : bind_check_page(c, bytes, size, why);
	}
	if (c->most == 0 || size <= c->most)
		return NULL;
	etl_text_addf(why, "it has %lld bytes, and the column takes %lld", (long long)size, (long long)c->most);
	return "too_long";
}
