/* See bind.h. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "bind.h"
#include "spell.h"

#define SHORT_TEXT  4000 /* UTF-16 units that a driver sends as nvarchar(n) */
#define SHORT_BYTES 8000
#define OLD_MOST    23 /* "2025-12-01 00:00:00.000" */

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
	b->columns = calloc(b->count + 1, sizeof(*b->columns));
	b->status = calloc(BIND_ROWS, sizeof(*b->status));
	if (!b->columns || !b->status)
		return odbc_no_memory(inst, err);
	for (size_t i = 0; i < b->count; i++) {
		struct bind_column *c = &b->columns[i];

		c->column = find_column(table, schema->children[i]->name);
		c->form = form_of(inst, etl_type_of(schema->children[i]).type);
		c->lengths = calloc(BIND_ROWS, sizeof(*c->lengths));
		if (!c->lengths)
			return odbc_no_memory(inst, err);
		if (!c->column)
			return inst->host->fail(err, ETL_BUG, NULL, 0, "table \"%s\" has no column \"%s\"",
						table->name, schema->children[i]->name);
		find_limits(c, inst, table);
	}
	return odbc_statement(inst, &b->stmt, err);
}

void bind_close(struct bind *b)
{
	many_close(b);
	if (b->stmt != SQL_NULL_HSTMT)
		odbc_done(b->inst, b->stmt);
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

/* ---- An array --------------------------------------------------------------------------------------------------- */

/* Bytes that the value needs in its place. */
static SQLLEN need_of(const struct bind_column *c, const struct etl_column_view *v, int64_t row)
{
	int64_t size;

	if (c->form == BIND_INT || c->form == BIND_REAL)
		return 8;
	if (c->form == BIND_BIT)
		return 1;
	if (etl_is_null(v, row))
		return 0;
	if (v->width != 0)
		return SPELL_MAX * (SQLLEN)sizeof(SQLWCHAR);
	etl_get_bytes(v, row, &size);
	/* A byte of UTF-8 is never more than one unit. */
	return c->form == BIND_TEXT ? (SQLLEN)(size * (int64_t)sizeof(SQLWCHAR)) : (SQLLEN)size;
}

static bool make_room(struct bind_column *c, size_t rows)
{
	size_t room = rows * (size_t)c->width;
	char *grown;

	if (room <= c->room)
		return true;
	grown = realloc(c->values, room);
	if (!grown)
		return false;
	c->values = grown;
	c->room = room;
	return true;
}

static void put_text(struct bind_column *c, SQLULEN at, const struct etl_column_view *v, int64_t row)
{
	char buf[SPELL_MAX];
	const char *text = buf;
	int64_t size;

	if (v->width == 0)
		text = (const char *)etl_get_bytes(v, row, &size);
	else
		size = (int64_t)etl_spell_fixed(buf, v, row);
	/* More than three digits it does not read, and the others are zeros. */
	if (c->old && size > OLD_MOST)
		size = OLD_MOST;
	c->lengths[at] = (SQLLEN)(odbc_widen((SQLWCHAR *)(void *)(c->values + (SQLLEN)at * c->width), text,
					     (size_t)size) *
				  sizeof(SQLWCHAR));
}

static void put_number(struct bind_column *c, char *place, const struct etl_column_view *v, int64_t row)
{
	int64_t n = 0;
	double real = 0;

	switch (v->type.type) {
	case ETL_INT16:
		n = etl_get_int16(v, row);
		break;
	case ETL_INT32:
		n = etl_get_int32(v, row);
		break;
	case ETL_INT64:
		n = etl_get_int64(v, row);
		break;
	case ETL_FLOAT32:
		real = (double)etl_get_float32(v, row);
		break;
	default:
		real = etl_get_float64(v, row);
		break;
	}
	if (c->form == BIND_INT)
		memcpy(place, &n, sizeof(n));
	else
		memcpy(place, &real, sizeof(real));
}

static void put(struct bind_column *c, SQLULEN at, const struct etl_column_view *v, int64_t row)
{
	char *place = c->values + (SQLLEN)at * c->width;
	const uint8_t *bytes;
	int64_t size;

	if (etl_is_null(v, row)) {
		c->lengths[at] = SQL_NULL_DATA;
		return;
	}
	switch (c->form) {
	case BIND_TEXT:
		put_text(c, at, v, row);
		return;
	case BIND_BYTES:
		bytes = etl_get_bytes(v, row, &size);
		if (size > 0)
			memcpy(place, bytes, (size_t)size);
		c->lengths[at] = (SQLLEN)size;
		return;
	case BIND_BIT:
		*place = etl_get_bool(v, row);
		c->lengths[at] = 1;
		return;
	default:
		put_number(c, place, v, row);
		c->lengths[at] = 8;
	}
}

SQLSMALLINT bind_c_type(const struct bind_column *c)
{
	static const SQLSMALLINT types[] = { [BIND_INT] = SQL_C_SBIGINT,
					     [BIND_REAL] = SQL_C_DOUBLE,
					     [BIND_BIT] = SQL_C_BIT,
					     [BIND_TEXT] = SQL_C_WCHAR,
					     [BIND_BYTES] = SQL_C_BINARY };

	return types[c->form];
}

/* The type that the driver declares to the server; what is longer than a short one has goes as a long one, which no driver
 * cuts. *RET_SIZE: units or bytes. */
SQLSMALLINT bind_sql_type(const struct bind_column *c, SQLULEN *ret_size)
{
	SQLULEN units = (SQLULEN)c->width / sizeof(SQLWCHAR);

	switch (c->form) {
	case BIND_INT:
		*ret_size = 19;
		return SQL_BIGINT;
	case BIND_REAL:
		*ret_size = 53;
		return SQL_DOUBLE;
	case BIND_BIT:
		*ret_size = 1;
		return SQL_BIT;
	case BIND_TEXT:
		*ret_size = units ? units : 1;
		return units <= SHORT_TEXT ? SQL_WVARCHAR : SQL_WLONGVARCHAR;
	default:
		*ret_size = c->width ? (SQLULEN)c->width : 1;
		return c->width <= SHORT_BYTES ? SQL_VARBINARY : SQL_LONGVARBINARY;
	}
}

static int set(struct bind *b, SQLINTEGER attribute, const void *value, struct etl_error *err)
{
	if (!SQL_SUCCEEDED(SQLSetStmtAttrW(b->stmt, attribute, (SQLPOINTER)(uintptr_t)value, 0)))
		return odbc_fail(b->inst, SQL_HANDLE_STMT, b->stmt, err, "sending rows in arrays");
	return ETL_OK;
}

static int declare(struct bind *b, SQLULEN rows, struct etl_error *err)
{
	int rc = set(b, SQL_ATTR_PARAM_BIND_TYPE, (const void *)SQL_PARAM_BIND_BY_COLUMN, err);

	if (rc == ETL_OK)
		rc = set(b, SQL_ATTR_PARAMSET_SIZE, (const void *)(uintptr_t)rows, err);
	if (rc == ETL_OK)
		rc = set(b, SQL_ATTR_PARAM_STATUS_PTR, b->status, err);
	if (rc == ETL_OK)
		rc = set(b, SQL_ATTR_PARAMS_PROCESSED_PTR, &b->done, err);
	for (size_t i = 0; rc == ETL_OK && i < b->count; i++) {
		struct bind_column *c = &b->columns[i];
		SQLULEN size;
		SQLSMALLINT type = bind_sql_type(c, &size);

		if (!SQL_SUCCEEDED(SQLBindParameter(b->stmt, (SQLUSMALLINT)(i + 1), SQL_PARAM_INPUT, bind_c_type(c),
						    type, size, 0, c->values, c->width, c->lengths)))
			rc = odbc_fail(b->inst, SQL_HANDLE_STMT, b->stmt, err, "column \"%s\"",
				       c->column->name);
	}
	return rc;
}

/* What the return code says is not enough: a driver may say success where rows of the array failed. */
static bool all_went(const struct bind *b, SQLULEN rows)
{
	/* Of one row alone it is, and drivers that know no arrays say nothing else. */
	if (rows == 1 && b->status[0] == SQL_PARAM_UNUSED)
		return true;
	if (b->done != rows)
		return false;
	for (SQLULEN i = 0; i < rows; i++)
		if (b->status[i] != SQL_PARAM_SUCCESS && b->status[i] != SQL_PARAM_SUCCESS_WITH_INFO)
			return false;
	return true;
}

/* Success, and something beside it: that the end of a value was cut off? */
bool bind_was_cut(SQLSMALLINT handle_type, SQLHANDLE handle, SQLRETURN code)
{
	static const char *const cut[] = { "01004", "01S07", "22001" };
	SQLWCHAR state[6];

	for (SQLSMALLINT i = 1; code == SQL_SUCCESS_WITH_INFO; i++) {
		char text[6] = "";

		if (!SQL_SUCCEEDED(SQLGetDiagRecW(handle_type, handle, i, state, NULL, NULL, 0, NULL)))
			return false;
		for (int c = 0; c < 5; c++)
			text[c] = (char)(state[c] & 0x7f);
		for (size_t k = 0; k < sizeof(cut) / sizeof(*cut); k++)
			if (strcmp(text, cut[k]) == 0)
				return true;
	}
	return false;
}

int bind_said(struct bind *b, SQLHSTMT stmt, SQLRETURN code, struct odbc_said *said, struct etl_error *err)
{
	odbc_listen(b->inst, SQL_HANDLE_STMT, stmt, said);
	if (bind_was_cut(SQL_HANDLE_STMT, stmt, code))
		said->klass = ETL_DATA;
	SQLFreeStmt(stmt, SQL_CLOSE);
	/* Rows that failed without a word: a driver that says success all the same. */
	if (said->klass == ETL_DATA || (SQL_SUCCEEDED(code) && !*said->sqlstate))
		return 0;
	return odbc_tell(b->inst, said, err, "sending rows");
}

/* 1: all are in; 0: the server found fault with a row, and SAID what; or negative. */
static int run_array(struct bind *b, const char *sql, SQLULEN rows, struct odbc_said *said, struct etl_error *err)
{
	size_t units;
	SQLWCHAR *wide = odbc_wide(sql, strlen(sql), &units);
	SQLRETURN code;

	if (!wide)
		return odbc_no_memory(b->inst, err);
	for (SQLULEN i = 0; i < rows; i++)
		b->status[i] = SQL_PARAM_UNUSED;
	b->done = 0;
	code = SQLExecDirectW(b->stmt, wide, (SQLINTEGER)units);
	free(wide);
	if ((SQL_SUCCEEDED(code) || code == SQL_NO_DATA) && all_went(b, rows) &&
	    !bind_was_cut(SQL_HANDLE_STMT, b->stmt, code)) {
		SQLFreeStmt(b->stmt, SQL_CLOSE);
		return 1;
	}
	return bind_said(b, b->stmt, code, said, err);
}

/* A width that is not each time another one: the places of a prepared statement stay where they are. */
static SQLLEN even_width(SQLLEN width)
{
	SQLLEN even = 64;

	while (even < width)
		even *= 2;
	return even;
}

/* Fills the array with as many of COUNT rows as fit, and sends it. */
static int64_t fill(struct bind *b, const struct etl_view *view, const int64_t *rows, int64_t count)
{
	int64_t fit = count < (int64_t)b->most ? count : (int64_t)b->most;

	for (size_t i = 0; i < b->count; i++)
		b->columns[i].width = 0;
	for (int64_t r = 0; r < fit; r++) {
		SQLLEN row = 0;

		for (size_t i = 0; i < b->count; i++) {
			SQLLEN need = need_of(&b->columns[i], &view->columns[i], rows[r]);

			if (need > b->columns[i].width)
				b->columns[i].width = b->many ? even_width(need) : need;
			row += b->columns[i].width;
		}
		/* Every row has the places of the longest. */
		if (r > 0 && row * (r + 1) > b->room)
			fit = r;
	}
	for (size_t i = 0; i < b->count; i++)
		if (b->columns[i].width == 0)
			b->columns[i].width = sizeof(SQLWCHAR);
	for (size_t i = 0; i < b->count; i++)
		if (!make_room(&b->columns[i], (size_t)fit))
			return -1;
	for (int64_t r = 0; r < fit; r++)
		for (size_t i = 0; i < b->count; i++) {
			put(&b->columns[i], (SQLULEN)r, &view->columns[i], rows[r]);
			if (b->columns[i].lengths[r] > 0)
				b->bytes += (uint64_t)b->columns[i].lengths[r];
		}
	return fit;
}

static int send(struct bind *b, const char *sql, const struct etl_view *view, const int64_t *rows, int64_t count,
		int64_t *ret_sent, struct odbc_said *said, struct etl_error *err)
{
	int rc;

	*ret_sent = fill(b, view, rows, count);
	if (*ret_sent < 0)
		return odbc_no_memory(b->inst, err);
	if (b->many)
		return many_send(b, *ret_sent, said, err);
	rc = declare(b, (SQLULEN)*ret_sent, err);
	return rc < 0 ? rc : run_array(b, sql, (SQLULEN)*ret_sent, said, err);
}

int bind_execute(struct bind *b, const char *sql, const struct etl_view *view, const int64_t *rows,
		 int64_t count, bool *ret_refused, struct etl_error *err)
{
	int rc = 1;

	*ret_refused = false;
	for (int64_t at = 0, sent = 0; rc == 1 && at < count; at += sent) {
		struct odbc_said said;

		rc = send(b, sql, view, rows + at, count - at, &sent, &said, err);
		if (rc == 0) {
			*ret_refused = true;
			said.klass = ETL_RETRY_STATEMENT;
			return odbc_tell(b->inst, &said, err, "sending rows");
		}
	}
	return rc < 0 ? rc : ETL_OK;
}

int bind_try(struct bind *b, const char *sql, const struct etl_view *view, const int64_t *rows, int64_t count,
	     struct odbc_said *said, struct etl_error *err)
{
	int rc = 1;

	for (int64_t at = 0, sent = 0; rc == 1 && at < count; at += sent)
		rc = send(b, sql, view, rows + at, count - at, &sent, said, err);
	return rc;
}

int bind_document(struct etl_instance *inst, SQLHSTMT stmt, const char *sql, const SQLWCHAR *text, size_t units,
		  struct odbc_said *said, struct etl_error *err)
{
	SQLLEN length = (SQLLEN)(units * sizeof(*text));
	struct bind b = { .inst = inst, .stmt = stmt };
	SQLUSMALLINT status = 0;
	int rc;

	b.status = &status;
	if (!SQL_SUCCEEDED(SQLBindParameter(stmt, 1, SQL_PARAM_INPUT, SQL_C_WCHAR, SQL_WLONGVARCHAR, units, 0,
					    (SQLPOINTER)(uintptr_t)text, length, &length)))
		return odbc_fail(inst, SQL_HANDLE_STMT, stmt, err, "sending rows");
	rc = set(&b, SQL_ATTR_PARAM_STATUS_PTR, b.status, err);
	if (rc == ETL_OK)
		rc = set(&b, SQL_ATTR_PARAMS_PROCESSED_PTR, &b.done, err);
	if (rc == ETL_OK)
		rc = run_array(&b, sql, 1, said, err);
	SQLFreeStmt(stmt, SQL_RESET_PARAMS);
	return rc;
}
