/* See bind.h. */
#include "config.h"

#include <stdlib.h>

#include "bind.h"
#include "spell.h"

#define SHORT_TEXT  4000 /* UTF-16 units that a driver sends as nvarchar(n) */
#define SHORT_BYTES 8000
#define OLD_MOST    23 /* "2025-12-01 00:00:00.000" */

/* ---- Places --------------------------------------------------------------------------------------------------------- */

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

/* A width that is not each time another one: what was declared to the driver is declared still, and the statement stays prepared. */
static SQLLEN even_width(const struct bind_column *c, SQLLEN need)
{
	SQLLEN even = 64;

	if (c->form != BIND_TEXT && c->form != BIND_BYTES)
		return need;
	while (even < need)
		even *= 2;
	/* What has room in a short type goes as one. */
	return even > SHORT_BYTES && need <= SHORT_BYTES ? SHORT_BYTES : even;
}

/* How many of COUNT rows have room in an array, of which every row has the places of the longest; what these are is in NEED. */
static int64_t find_fit(struct bind *b, const struct etl_view *view, const int64_t *rows, int64_t count)
{
	int64_t most = count < (int64_t)b->most ? count : (int64_t)b->most;

	for (size_t i = 0; i < b->count; i++)
		b->columns[i].need = 0;
	for (int64_t r = 0; r < most; r++) {
		SQLLEN row = 0;

		for (size_t i = 0; i < b->count; i++) {
			struct bind_column *c = &b->columns[i];
			SQLLEN need = need_of(c, &view->columns[i], rows[r]);

			c->next = need > c->need ? even_width(c, need) : c->need;
			row += c->next;
		}
		if (r > 0 && row * (r + 1) > b->room)
			return r;
		for (size_t i = 0; i < b->count; i++)
			b->columns[i].need = b->columns[i].next;
	}
	return most;
}

/* As wide as they were, if there is room for it. */
static void set_widths(struct bind *b, int64_t rows)
{
	SQLLEN kept = 0;
	bool keep;

	for (size_t i = 0; i < b->count; i++) {
		struct bind_column *c = &b->columns[i];

		c->need = even_width(c, c->need);
		kept += c->need > c->width ? c->need : c->width;
	}
	keep = kept * rows <= b->room;
	for (size_t i = 0; i < b->count; i++) {
		struct bind_column *c = &b->columns[i];

		if (!keep || c->need > c->width)
			c->width = c->need;
	}
}

/* For as many rows as an array may have, so that the places do not move with the next one; only ROWS of long ones. */
static bool make_room(const struct bind *b, struct bind_column *c, SQLULEN rows)
{
	size_t most = b->most * (size_t)c->width;
	size_t room = most <= (size_t)b->room ? most : rows * (size_t)c->width;

	if (room <= c->room)
		return true;
	free(c->values);
	c->values = malloc(room);
	c->room = c->values ? room : 0;
	return c->values != NULL;
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

bool bind_moved(const struct bind *b, const struct bind_column *c, int64_t first, struct bind_place *place)
{
	struct bind_place now = { c->values + first * c->width, c->width };
	bool moved = now.at != place->at || now.width != place->width;

	*place = now;
	/* libsqliteodbc keeps the length that a binary had when it was bound. */
	return moved || b->inst->dialect == &odbc_sqlite;
}

/* ---- A statement ------------------------------------------------------------------------------------------------ */

static int prepare(struct bind *b, const char *sql, struct etl_error *err)
{
	size_t units;
	SQLWCHAR *wide = odbc_wide(sql, strlen(sql), &units);
	SQLRETURN code;

	if (!wide)
		return odbc_no_memory(b->inst, err);
	code = SQLPrepareW(b->stmt, wide, (SQLINTEGER)units);
	free(wide);
	b->prepared = SQL_SUCCEEDED(code);
	return b->prepared ? ETL_OK : odbc_fail(b->inst, SQL_HANDLE_STMT, b->stmt, err, "sending rows");
}

static int set(struct bind *b, SQLINTEGER attribute, const void *value, struct etl_error *err)
{
	if (!SQL_SUCCEEDED(SQLSetStmtAttrW(b->stmt, attribute, (SQLPOINTER)(uintptr_t)value, 0)))
		return odbc_fail(b->inst, SQL_HANDLE_STMT, b->stmt, err, "sending rows in arrays");
	return ETL_OK;
}

/* FreeTDS prepares a statement anew when a parameter is bound, though it be as before: only what moved. */
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

		if (bind_moved(b, c, 0, &c->bound) &&
		    !SQL_SUCCEEDED(SQLBindParameter(b->stmt, (SQLUSMALLINT)(i + 1), SQL_PARAM_INPUT, bind_c_type(c),
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

static void begin_array(struct bind *b, SQLULEN rows)
{
	for (SQLULEN i = 0; i < rows; i++)
		b->status[i] = SQL_PARAM_UNUSED;
	b->done = 0;
	odbc_running(b->inst, b->stmt);
}

/* CODE is what the statement returned. 1: all are in; 0: the server found fault with a row, and SAID what; or negative. */
static int end_array(struct bind *b, SQLRETURN code, SQLULEN rows, struct odbc_said *said, struct etl_error *err)
{
	if ((SQL_SUCCEEDED(code) || code == SQL_NO_DATA) && all_went(b, rows) &&
	    !bind_was_cut(SQL_HANDLE_STMT, b->stmt, code)) {
		SQLFreeStmt(b->stmt, SQL_CLOSE);
		return 1;
	}
	return bind_said(b, b->stmt, code, said, err);
}

static int send_array(struct bind *b, const char *sql, SQLULEN rows, struct odbc_said *said, struct etl_error *err)
{
	int rc = b->prepared ? ETL_OK : prepare(b, sql, err);

	if (rc == ETL_OK)
		rc = declare(b, rows, err);
	if (rc < 0)
		return rc;
	begin_array(b, rows);
	return end_array(b, SQLExecute(b->stmt), rows, said, err);
}

/* ---- Rows ------------------------------------------------------------------------------------------------------- */

/* Fills the array with as many of COUNT rows as fit: how many, or negative without memory. */
static int64_t fill(struct bind *b, const struct etl_view *view, const int64_t *rows, int64_t count)
{
	int64_t fit = find_fit(b, view, rows, count);

	set_widths(b, fit);
	for (size_t i = 0; i < b->count; i++)
		if (!make_room(b, &b->columns[i], (SQLULEN)fit))
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
	*ret_sent = fill(b, view, rows, count);
	if (*ret_sent < 0)
		return odbc_no_memory(b->inst, err);
	return b->many ? many_send(b, *ret_sent, said, err) : send_array(b, sql, (SQLULEN)*ret_sent, said, err);
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

/* ---- A document ------------------------------------------------------------------------------------------------- */

static int run_document(struct bind *b, const char *sql, struct odbc_said *said, struct etl_error *err)
{
	size_t units;
	SQLWCHAR *wide = odbc_wide(sql, strlen(sql), &units);
	SQLRETURN code;

	if (!wide)
		return odbc_no_memory(b->inst, err);
	begin_array(b, 1);
	code = SQLExecDirectW(b->stmt, wide, (SQLINTEGER)units);
	free(wide);
	return end_array(b, code, 1, said, err);
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
		rc = run_document(&b, sql, said, err);
	SQLFreeStmt(stmt, SQL_RESET_PARAMS);
	return rc;
}
