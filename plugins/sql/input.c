/*
 * The rows of a batch as a virtual table of SQLite's: nothing is copied into a table, each value is read
 * from its Arrow column when the query asks for it. The table is eponymous: its module's name is its
 * name, and nothing is created.
 */
#include "config.h"

#include <stdlib.h>
#include <strings.h>

#include "sql.h"

#define SHORT_TEXT 256 /* up to here a copy is cheaper than what SQLite does to borrow */

struct input_table {
	sqlite3_vtab base; /* first: SQLite's pointer is ours */
	struct sql_input *input;
};

struct input_cursor {
	sqlite3_vtab_cursor base; /* likewise */
	struct sql_input *input;
	struct sql_value value;
};

/* ---- The columns ---- */

static int64_t stream_place(const struct ArrowSchema *stream, const char *name, size_t count)
{
	return stream ? etl_schema_find(stream, name) : (int64_t)count;
}

bool sql_input_make(struct sql_input *ret, const struct etl_table *table,
		    const struct ArrowSchema *stream)
{
	ret->table = table->name;
	ret->columns = calloc(table->column_count + 1, sizeof(*ret->columns));
	if (!ret->columns)
		return false;
	for (size_t i = 0; i < table->column_count; i++) {
		const struct etl_column *column = ETL_AT(const struct etl_column, table->columns,
							 table->column_size, i);
		struct sql_input_column *to = &ret->columns[ret->count];
		int64_t at = stream_place(stream, column->name, ret->count);

		if ((column->flags & ETL_GENERATED) || at < 0)
			continue;
		*to = (struct sql_input_column){ .name = column->name,
						 .type = { column->type, column->precision,
							   column->scale },
						 .collation = column->collation,
						 .at = at };
		if (stream)
			to->type = etl_type_of(stream->children[at]);
		ret->count++;
	}
	return true;
}

void sql_input_clear(struct sql_input *input)
{
	free(input->columns);
	*input = (struct sql_input){ 0 };
}

/* What is compared with a column is read as its type says. Of an `any` nothing is said: what is compared is
 * compared as it is stored. */
static const char *affinity_of(int32_t type, bool stored)
{
	switch (type) {
	case ETL_BOOL:
	case ETL_INT16:
	case ETL_INT32:
	case ETL_INT64:
		return " INTEGER";
	case ETL_FLOAT32:
	case ETL_FLOAT64:
		/* A table would make 0.0 of -0.0 … */
		return stored ? "" : " REAL";
	case ETL_DECIMAL:
	case ETL_NUMERIC:
		/* … and a number of a text that has too many digits for one. */
		return stored ? "" : " NUMERIC";
	case ETL_BYTES:
		return " BLOB";
	case ETL_ANY:
	case ETL_TYPE_NONE:
		return "";
	default:
		return " TEXT";
	}
}

/* Others belong to whoever defined them. */
static bool is_built_in(const char *collation)
{
	return strcasecmp(collation, "NOCASE") == 0 || strcasecmp(collation, "RTRIM") == 0;
}

void sql_input_ddl(const struct sql_input *input, const char *name, bool stored,
		   struct etl_text *text)
{
	etl_text_add(text, "CREATE TABLE ");
	etl_text_add_name(text, name, '"');
	for (size_t i = 0; i < input->count; i++) {
		const struct sql_input_column *column = &input->columns[i];

		etl_text_add(text, i > 0 ? ", " : " (");
		etl_text_add_name(text, column->name, '"');
		etl_text_add(text, affinity_of(column->type.type, stored));
		if (column->collation && is_built_in(column->collation))
			etl_text_addf(text, " COLLATE %s", column->collation);
	}
	etl_text_add(text, ")");
}

bool sql_input_has_alias(const struct sql_input *input)
{
	return strcasecmp(input->table, SQL_INPUT) != 0 &&
	       strcasecmp(input->table, "json_each") != 0 &&
	       strcasecmp(input->table, "json_tree") != 0;
}

bool sql_input_is_called(const struct sql_input *input, const char *name)
{
	return strcasecmp(name, SQL_INPUT) == 0 ||
	       (sql_input_has_alias(input) && strcasecmp(name, input->table) == 0);
}

/* ---- The module ---- */

static int input_connect(sqlite3 *db, void *data, int argc, const char *const *argv,
			 sqlite3_vtab **ret, char **error)
{
	struct input_table *table = sqlite3_malloc64(sizeof(*table));
	struct etl_text ddl = { 0 };
	int rc = table ? SQLITE_OK : SQLITE_NOMEM;

	(void)argc;
	(void)argv;
	if (rc == SQLITE_OK) {
		*table = (struct input_table){ .input = data };
		sql_input_ddl(data, SQL_INPUT, false, &ddl);
		rc = ddl.failed ? SQLITE_NOMEM : sqlite3_declare_vtab(db, ddl.at);
		if (rc != SQLITE_OK && rc != SQLITE_NOMEM)
			*error = sqlite3_mprintf("%s", sqlite3_errmsg(db));
	}
	etl_text_free(&ddl);
	if (rc == SQLITE_OK)
		*ret = &table->base;
	else
		sqlite3_free(table);
	if (rc == SQLITE_OK && table->input->vtab_count < 2)
		table->input->vtabs[table->input->vtab_count++] = &table->base;
	return rc;
}

static int input_disconnect(sqlite3_vtab *table)
{
	sqlite3_free(table);
	return SQLITE_OK;
}

/* One plan for all: every row, in order. */
static int input_best_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
	(void)table;
	info->estimatedCost = 1e6;
	info->estimatedRows = 8192;
	return SQLITE_OK;
}

static int input_open(sqlite3_vtab *base, sqlite3_vtab_cursor **ret)
{
	struct input_table *table = (struct input_table *)(void *)base;
	struct input_cursor *cursor = sqlite3_malloc64(sizeof(*cursor));

	if (!cursor)
		return SQLITE_NOMEM;
	cursor->base = (sqlite3_vtab_cursor){ .pVtab = base };
	cursor->input = table->input;
	*ret = &cursor->base;
	return SQLITE_OK;
}

static int input_close(sqlite3_vtab_cursor *base)
{
	sqlite3_free(base);
	return SQLITE_OK;
}

static int input_filter(sqlite3_vtab_cursor *base, int index, const char *text, int argc,
			sqlite3_value **argv)
{
	struct sql_input *input = ((struct input_cursor *)(void *)base)->input;

	(void)index;
	(void)text;
	(void)argc;
	(void)argv;
	input->row = input->first;
	return SQLITE_OK;
}

static int input_next(sqlite3_vtab_cursor *base)
{
	((struct input_cursor *)(void *)base)->input->row++;
	return SQLITE_OK;
}

static int input_eof(sqlite3_vtab_cursor *base)
{
	const struct sql_input *input = ((struct input_cursor *)(void *)base)->input;

	return input->row >= input->last;
}

static void give_text(sqlite3_context *context, const void *bytes, int64_t size)
{
	sqlite3_result_text64(context, size ? bytes : "", (sqlite3_uint64)size,
			      size <= SHORT_TEXT ? SQLITE_TRANSIENT : SQLITE_STATIC, SQLITE_UTF8);
}

static void give_blob(sqlite3_context *context, const void *bytes, int64_t size)
{
	sqlite3_result_blob64(context, size ? bytes : "", (sqlite3_uint64)size,
			      size <= SHORT_TEXT ? SQLITE_TRANSIENT : SQLITE_STATIC);
}

/* Long values are borrowed from the batch, which stays until the statement has been reset. */
static int input_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
	struct input_cursor *cursor = (struct input_cursor *)(void *)base;
	const struct sql_input *input = cursor->input;
	struct sql_value *v = &cursor->value;

	sql_value_read(v, &input->view->columns[input->columns[column].at], input->row);
	switch (v->kind) {
	case SQLITE_INTEGER:
		sqlite3_result_int64(context, v->whole);
		break;
	case SQLITE_FLOAT:
		sqlite3_result_double(context, v->real);
		break;
	case SQLITE_TEXT:
		give_text(context, v->bytes, v->size);
		break;
	case SQLITE_BLOB:
		give_blob(context, v->bytes, v->size);
		break;
	default:
		break; /* a result is NULL until it is something else */
	}
	return SQLITE_OK;
}

static int input_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *ret)
{
	*ret = ((struct input_cursor *)(void *)base)->input->row;
	return SQLITE_OK;
}

static const sqlite3_module input_module = {
	.iVersion = 1,
	.xConnect = input_connect, /* without xCreate: eponymous only */
	.xBestIndex = input_best_index,
	.xDisconnect = input_disconnect,
	.xOpen = input_open,
	.xClose = input_close,
	.xFilter = input_filter,
	.xNext = input_next,
	.xEof = input_eof,
	.xColumn = input_column,
	.xRowid = input_rowid,
};

/* Connected at once. */
int sql_input_module(sqlite3 *db, const char *name, struct sql_input *input)
{
	char *sql = sqlite3_mprintf("SELECT 1 FROM \"%w\"", name);
	sqlite3_stmt *stmt = NULL;
	int rc = sql ? sqlite3_create_module(db, name, &input_module, input) : SQLITE_NOMEM;

	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
	sqlite3_finalize(stmt);
	sqlite3_free(sql);
	return rc;
}
