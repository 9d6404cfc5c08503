/*
 * Rows by bulk copy. Each column has one place, which the driver reads at every row. Only types that arrive as they are sent
 * go this way, and no value that is longer than the driver can take; whether the rest does (the characters, NULL instead of a
 * default, the given numbers of an identity) is tried on each connection before it is relied on.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "bulk.h"
#include "spell.h"

#define BATCH_ROWS  20000 /* after which the server is asked what it took */
#define BATCH_BYTES (64 << 20) /* likewise */
#define PREFIX	    8
#define FIRST_DAY   -134774 /* 1601-01-01: FreeTDS has the day of an earlier structure wrong */
#define TDS_TIME    -154    /* SQL_SS_TIME2 */
#define TDS_INSTANT -155    /* SQL_SS_TIMESTAMPOFFSET */

struct bulk_column {
	size_t from; /* of the rows that come */
	int32_t type;
	bool not_null;
	char *place;
	size_t room;
};

struct bulk {
	const struct bulk_functions *functions;
	struct bulk_column *columns; /* in the table's order */
	size_t count;
	bool active;
	int64_t sent, pending, told; /* since it began; since the last batch; what the server says of those before */
	int64_t bytes;		     /* since the last batch */
};

/* ---- What a table must be like ------------------------------------------------------------------------------------------ */

static bool is_plain(SQLSMALLINT sql_type)
{
	switch (sql_type) {
	case SQL_BIT:
	case SQL_SMALLINT:
	case SQL_INTEGER:
	case SQL_BIGINT:
	case SQL_REAL:
	case SQL_FLOAT:
	case SQL_DOUBLE:
	case SQL_DECIMAL:
	case SQL_NUMERIC:
	case SQL_GUID:
	case SQL_TYPE_DATE:
	case SQL_TYPE_TIMESTAMP:
	case TDS_TIME:
		return true;
	default:
		return false;
	}
}

static bool fits(const struct bulk *b, SQLSMALLINT sql_type, SQLULEN size)
{
	int64_t most = b->functions->widest;
	bool text = sql_type == SQL_WVARCHAR || sql_type == SQL_WLONGVARCHAR;

	if (sql_type == TDS_INSTANT)
		return b->functions->instants;
	if (!text && sql_type != SQL_VARBINARY && sql_type != SQL_LONGVARBINARY)
		return is_plain(sql_type);
	return most == 0 || (size > 0 && (int64_t)size * (text ? 2 : 1) <= most);
}

static int32_t type_of(const struct bulk *b, const struct bind_column *c, int32_t type)
{
	if (c->form == BIND_INT)
		return BULK_INT8;
	if (c->form == BIND_REAL)
		return BULK_FLT8;
	if (c->form == BIND_BIT)
		return BULK_BIT;
	if (c->form == BIND_BYTES)
		return BULK_VARBINARY;
	return type == ETL_DATE || type == ETL_TIMESTAMP ? BULK_DATETIME2 : b->functions->text;
}

static bool find(const struct loading *l, const char *name, size_t *ret)
{
	for (*ret = 0; *ret < l->bind.count; ++*ret)
		if (strcmp(l->bind.columns[*ret].column->name, name) == 0)
			return true;
	return false;
}

/* 1, 0 with WHY, or negative. */
static int add_column(struct loading *l, SQLHSTMT stmt, SQLUSMALLINT i, struct etl_text *why)
{
	struct bulk *b = l->bulk;
	struct bulk_column *c = &b->columns[i];
	SQLWCHAR wide[ODBC_NAME_ROOM];
	struct etl_text name = { 0 };
	SQLSMALLINT units = 0, type = 0, digits, nullable = 0;
	SQLULEN size = 0;
	int rc = 1;

	if (!SQL_SUCCEEDED(SQLDescribeColW(stmt, (SQLUSMALLINT)(i + 1), wide, ODBC_NAME_ROOM, &units, &type, &size, &digits,
					   &nullable)))
		return odbc_fail(l->inst, SQL_HANDLE_STMT, stmt, l->err, "column %d", i + 1);
	odbc_narrow(&name, wide, (size_t)units);
	if (!find(l, name.at ? name.at : "", &c->from)) {
		etl_text_addf(why, "column \"%s\" does not come with the rows", name.at ? name.at : "");
		rc = 0;
	} else if (!fits(b, type, size)) {
		etl_text_addf(why, "column \"%s\" has a type, or a width, that this driver would not carry as it is", name.at);
		rc = 0;
	} else {
		c->type = type_of(b, &l->bind.columns[c->from], etl_type_of(l->schema.children[c->from]).type);
		c->not_null = nullable == SQL_NO_NULLS;
	}
	etl_text_free(&name);
	return rc;
}

static int read_shape(struct loading *l, SQLHSTMT stmt, struct etl_text *why)
{
	SQLSMALLINT count = 0;
	int rc = 1;

	if (!SQL_SUCCEEDED(SQLNumResultCols(stmt, &count)))
		return odbc_fail(l->inst, SQL_HANDLE_STMT, stmt, l->err, "the columns of \"%s\"", l->load->table->name);
	l->bulk->columns = calloc((size_t)count + 1, sizeof(*l->bulk->columns));
	if (!l->bulk->columns)
		return odbc_no_memory(l->inst, l->err);
	l->bulk->count = (size_t)count;
	for (SQLSMALLINT i = 0; rc == 1 && i < count; i++)
		rc = add_column(l, stmt, (SQLUSMALLINT)i, why);
	return rc;
}

int bulk_open(struct loading *l, struct etl_text *why)
{
	struct etl_text sql = { 0 };
	SQLHSTMT stmt;
	int rc;

	l->bulk = calloc(1, sizeof(*l->bulk));
	if (!l->bulk)
		return odbc_no_memory(l->inst, l->err);
	l->bulk->functions = l->inst->ladder->functions;
	rc = odbc_statement(l->inst, &stmt, l->err);
	if (rc < 0)
		return rc;
	etl_text_add(&sql, "SELECT * FROM ");
	odbc_add_staged(&sql, l->inst, l->load, l->token);
	etl_text_add(&sql, " WHERE 1 = 0");
	rc = sql.failed ? odbc_no_memory(l->inst, l->err) : odbc_execute(l->inst, stmt, sql.at, l->err);
	if (rc == ETL_OK)
		rc = read_shape(l, stmt, why);
	odbc_done(l->inst, stmt);
	etl_text_free(&sql);
	return rc;
}

/* ---- Values ---------------------------------------------------------------------------------------------------------------- */

static int64_t days_of(const struct etl_column_view *v, int64_t row)
{
	static const int64_t day = 86400000000;
	int64_t micros;

	if (v->type.type == ETL_DATE)
		return etl_get_int32(v, row);
	micros = etl_get_int64(v, row);
	return micros / day - (micros % day < 0);
}

/* Years of 400 years' cycles that begin in March: the leap day is the last of its year. */
static void put_day(SQL_TIMESTAMP_STRUCT *t, int64_t days)
{
	int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;

	t->day = (SQLUSMALLINT)(doy - (153 * mp + 2) / 5 + 1);
	t->month = (SQLUSMALLINT)(mp < 10 ? mp + 3 : mp - 9);
	t->year = (SQLSMALLINT)(yoe + era * 400 + (t->month <= 2));
}

static void put_timestamp(char *to, const struct etl_column_view *v, int64_t row)
{
	static const int64_t day = 86400000000;
	SQL_TIMESTAMP_STRUCT t = { 0 };
	int64_t days = days_of(v, row), rest = v->type.type == ETL_DATE ? 0 : etl_get_int64(v, row) - days * day;

	put_day(&t, days);
	t.hour = (SQLUSMALLINT)(rest / 3600000000);
	t.minute = (SQLUSMALLINT)(rest / 60000000 % 60);
	t.second = (SQLUSMALLINT)(rest / 1000000 % 60);
	t.fraction = (SQLUINTEGER)(rest % 1000000 * 1000); /* in nanoseconds */
	memcpy(to, &t, sizeof(t));
}

static void put_number(char *to, const struct etl_column_view *v, int64_t row)
{
	int64_t n;
	double real;

	if (v->type.type == ETL_FLOAT32 || v->type.type == ETL_FLOAT64) {
		real = v->type.type == ETL_FLOAT32 ? (double)etl_get_float32(v, row) : etl_get_float64(v, row);
		memcpy(to, &real, sizeof(real));
		return;
	}
	n = v->type.type == ETL_INT16 ? etl_get_int16(v, row) :
	    v->type.type == ETL_INT32 ? etl_get_int32(v, row) :
					etl_get_int64(v, row);
	memcpy(to, &n, sizeof(n));
}

/* Room for SIZE bytes behind the length. A place that moves is bound anew. */
static bool make_room(struct loading *l, size_t i, size_t size)
{
	struct bulk_column *c = &l->bulk->columns[i];
	char *grown;

	if (c->place && PREFIX + size <= c->room)
		return true;
	grown = realloc(c->place, PREFIX + size * 2 + 64);
	if (!grown)
		return false;
	c->place = grown;
	c->room = PREFIX + size * 2 + 64;
	return !l->bulk->active || l->bulk->functions->bind(l->inst, c->place, c->type, (int)i + 1);
}

static bool put_bytes(struct loading *l, size_t i, const struct etl_column_view *v, int64_t row, int64_t *ret_length)
{
	struct bulk_column *c = &l->bulk->columns[i];
	char buf[SPELL_MAX];
	const char *bytes = buf;
	int64_t size;

	if (v->width == 0)
		bytes = (const char *)etl_get_bytes(v, row, &size);
	else
		size = (int64_t)etl_spell_fixed(buf, v, row);
	if (!make_room(l, i, (size_t)size * (c->type == BULK_NVARCHAR ? sizeof(SQLWCHAR) : 1)))
		return false;
	*ret_length = size;
	if (c->type == BULK_NVARCHAR)
		*ret_length = (int64_t)(odbc_widen((SQLWCHAR *)(void *)(c->place + PREFIX), bytes, (size_t)size) *
					sizeof(SQLWCHAR));
	else if (size > 0)
		memcpy(c->place + PREFIX, bytes, (size_t)size);
	l->stats.bytes += (uint64_t)size;
	return true;
}

static bool put(struct loading *l, size_t i, const struct etl_column_view *v, int64_t row)
{
	struct bulk_column *c = &l->bulk->columns[i];
	int64_t length = 8;

	if (etl_is_null(v, row)) {
		length = -1;
	} else if (c->type == BULK_INT8 || c->type == BULK_FLT8) {
		put_number(c->place + PREFIX, v, row);
	} else if (c->type == BULK_BIT) {
		c->place[PREFIX] = etl_get_bool(v, row);
		length = 1;
	} else if (c->type == BULK_DATETIME2) {
		put_timestamp(c->place + PREFIX, v, row);
		length = sizeof(SQL_TIMESTAMP_STRUCT);
	} else if (!put_bytes(l, i, v, row, &length)) {
		return false;
	}
	memcpy(c->place, &length, sizeof(length));
	l->bulk->bytes += length > 0 ? length : 0;
	return true;
}

/* A NULL in a column that has none ends the process (FreeTDS 1.3), a day before 1601 changes, a NUL is not tried. */
bool bulk_take(const struct loading *l, const struct etl_view *view, int64_t row)
{
	for (size_t i = 0; i < l->bulk->count; i++) {
		const struct bulk_column *c = &l->bulk->columns[i];
		const struct etl_column_view *v = &view->columns[c->from];
		const uint8_t *bytes;
		int64_t size;

		if (etl_is_null(v, row)) {
			if (c->not_null)
				return false;
			continue;
		}
		if (c->type == BULK_DATETIME2 && days_of(v, row) < FIRST_DAY)
			return false;
		if (v->width != 0 || c->type == BULK_VARBINARY)
			continue;
		bytes = etl_get_bytes(v, row, &size);
		if (size && memchr(bytes, 0, (size_t)size))
			return false;
	}
	return true;
}

/* ---- Sending ------------------------------------------------------------------------------------------------------------------ */

static int failed(struct loading *l, const char *sentence)
{
	struct odbc_said said;

	bulk_listen(l->inst, &said);
	l->bulk->active = false;
	return loading_start_over(l, &said, sentence);
}

static int begin(struct loading *l)
{
	struct bulk *b = l->bulk;
	struct etl_text table = { 0 };
	bool ok;

	for (size_t i = 0; i < b->count; i++)
		if (!make_room(l, i, SPELL_MAX))
			return odbc_no_memory(l->inst, l->err);
	odbc_add_staged(&table, l->inst, l->load, l->token);
	if (table.failed) {
		etl_text_free(&table);
		return odbc_no_memory(l->inst, l->err);
	}
	ok = b->functions->begin(l->inst, table.at) && b->functions->hints(l->inst, BULK_HINTS) &&
	     b->functions->keep_identity(l->inst);
	for (size_t i = 0; ok && i < b->count; i++)
		ok = b->functions->bind(l->inst, b->columns[i].place, b->columns[i].type, (int)i + 1);
	etl_text_free(&table);
	if (!ok)
		return failed(l, "bulk copy does not begin");
	b->active = true;
	b->sent = b->pending = b->told = b->bytes = 0;
	return ETL_OK;
}

static int end_batch(struct loading *l)
{
	int64_t rows = l->bulk->functions->batch(l->inst);

	if (rows < 0)
		return failed(l, "bulk copy: the server does not take the rows");
	l->bulk->told += rows;
	l->bulk->pending = l->bulk->bytes = 0;
	return ETL_OK;
}

int bulk_send(struct loading *l, const struct etl_view *view, const int64_t *rows, int64_t count)
{
	struct bulk *b = l->bulk;
	int64_t most = rate_bytes(BATCH_BYTES);
	int rc = count && !b->active ? begin(l) : ETL_OK;

	for (int64_t r = 0; rc == ETL_OK && r < count; r++) {
		for (size_t i = 0; i < b->count; i++)
			if (!put(l, i, &view->columns[b->columns[i].from], rows[r]))
				return odbc_no_memory(l->inst, l->err);
		if (!b->functions->row(l->inst))
			return failed(l, "bulk copy: a row");
		b->sent++;
		if (++b->pending == BATCH_ROWS || b->bytes >= most)
			rc = end_batch(l);
	}
	return rc;
}

int bulk_pause(struct loading *l)
{
	struct bulk *b = l->bulk;
	int64_t rows;

	if (!b->active)
		return ETL_OK;
	rows = b->functions->done(l->inst);
	if (rows < 0)
		return failed(l, "bulk copy: the server does not take the rows");
	b->active = false;
	if (b->told + rows != b->sent)
		return l->inst->host->fail(l->err, ETL_RETRY_STATEMENT, NULL, 0,
					   "bulk copy: %lld rows were sent and the server says that it took %lld",
					   (long long)b->sent, (long long)(b->told + rows));
	loading_carried(l, b->functions->how, b->sent);
	return ETL_OK;
}

/* What is under way can only be ended with its connection. */
void bulk_close(struct loading *l)
{
	struct bulk *b = l->bulk;

	if (!b)
		return;
	if (b->active)
		loading_disconnect(l);
	for (size_t i = 0; b->columns && i < b->count; i++)
		free(b->columns[i].place);
	free(b->columns);
	free(b);
	l->bulk = NULL;
}

/* ---- Trying it ----------------------------------------------------------------------------------------------------------------- */

#define TRIAL "#etlrun_bulk"

static void set_place(char *place, int64_t length, const void *bytes)
{
	memcpy(place, &length, sizeof(length));
	if (length > 0)
		memcpy(place + PREFIX, bytes, (size_t)length);
}

static bool send_trial(struct etl_instance *inst, const struct bulk_functions *f)
{
	static const char utf8[] = "\xc3\xa9\xf0\x9f\x98\x80\xc3\x9f"; /* U+00E9 U+1F600 U+00DF */
	static const unsigned char bits[] = { 0x00, 0xff };
	SQL_TIMESTAMP_STRUCT at = { 1601, 1, 1, 0, 0, 0, 123456000 };
	char places[4][PREFIX + 64];
	SQLWCHAR wide[32];
	size_t units = odbc_widen(wide, utf8, sizeof(utf8) - 1);
	int64_t id = 7;

	set_place(places[0], 8, &id);
	set_place(places[1], f->utf16 ? (int64_t)(units * sizeof(*wide)) : (int64_t)sizeof(utf8) - 1,
		  f->utf16 ? (const void *)wide : (const void *)utf8);
	set_place(places[2], sizeof(at), &at);
	set_place(places[3], sizeof(bits), bits);
	if (!f->begin(inst, TRIAL) || !f->hints(inst, BULK_HINTS) || !f->keep_identity(inst) ||
	    !f->bind(inst, places[0], BULK_INT8, 1) || !f->bind(inst, places[1], f->text, 2) ||
	    !f->bind(inst, places[2], BULK_DATETIME2, 3) || !f->bind(inst, places[3], BULK_VARBINARY, 4) || !f->row(inst))
		return false;
	id = -3;
	set_place(places[0], 8, &id);
	for (int i = 1; i < 4; i++)
		set_place(places[i], -1, NULL);
	return f->row(inst) && f->done(inst) == 2;
}

/* A trial that fails may leave the connection unusable: whoever asked makes a new one. */
bool bulk_test(struct etl_instance *inst)
{
	int64_t count = 0;

	ladder_ask(inst, "CREATE TABLE " TRIAL " (id bigint IDENTITY(1,1) NOT NULL, word nvarchar(40) NULL DEFAULT N'x', "
			 "at datetime2(6) NULL, bits varbinary(8) NULL)", NULL);
	return send_trial(inst, inst->ladder->functions) &&
	       ladder_ask(inst, "SELECT COUNT(*) FROM " TRIAL " WHERE (id = 7 AND word COLLATE Latin1_General_BIN2 = "
				"N'\xc3\xa9\xf0\x9f\x98\x80\xc3\x9f' AND at = '1601-01-01T00:00:00.123456' AND bits = 0x00FF) OR "
				"(id = -3 AND word IS NULL AND at IS NULL AND bits IS NULL)", &count) &&
	       count == 2 && (ladder_ask(inst, "DROP TABLE " TRIAL, NULL), true);
}
