/*
 * Rows as a JSON text, [[1,"a",null],[2,"b","00ff"]], which the server takes apart: one statement and one parameter for a
 * whole batch. Numbers that JSON has no room for come as texts, bytes in hexadecimal. Columns of other types than these, and
 * values that JSON has no form for, go by arrays.
 */
#include "config.h"

#include <math.h>
#include <stdlib.h>

#include "load.h"
#include "spell.h"

#define BATCH_ROWS  5000      /* the fastest number that was measured */
#define BATCH_UNITS (1 << 20) /* of UTF-16 */

struct documents {
	SQLHSTMT stmt;
	struct etl_text sql;
	SQLWCHAR *text;
	size_t used, room;
	int64_t *rows; /* of the text */
	bool failed;   /* no memory */
};

/* ---- Writing it ------------------------------------------------------------------------------------------------------------ */

static SQLWCHAR *more(struct documents *d, size_t units)
{
	SQLWCHAR *grown;

	if (d->used + units > d->room) {
		size_t room = (d->used + units) * 2;

		grown = realloc(d->text, room * sizeof(*grown));
		if (!grown) {
			d->failed = true;
			return NULL;
		}
		d->text = grown;
		d->room = room;
	}
	return d->text + d->used;
}

static void add(struct documents *d, const char *ascii, size_t size)
{
	SQLWCHAR *to = more(d, size);

	for (size_t i = 0; to && i < size; i++)
		to[i] = (SQLWCHAR)(unsigned char)ascii[i];
	d->used += to ? size : 0;
}

static size_t escape(SQLWCHAR *to, SQLWCHAR c)
{
	static const char digits[] = "0123456789abcdef";
	const SQLWCHAR escaped[] = { '\\', 'u', '0', '0', (SQLWCHAR)digits[c >> 4 & 15], (SQLWCHAR)digits[c & 15] };

	if (c == '"' || c == '\\') {
		to[0] = '\\';
		to[1] = c;
		return 2;
	}
	memcpy(to, escaped, sizeof(escaped));
	return 6;
}

static void add_text(struct documents *d, const char *text, size_t size)
{
	SQLWCHAR *to = more(d, size * 7 + 2), *from, *end;
	size_t units, used = 0;

	if (!to)
		return;
	/* Widened behind the place where it goes, which it never overtakes: each unit becomes six at most. */
	from = to + size * 6 + 2;
	units = odbc_widen(from, text, size);
	to[used++] = '"';
	for (end = from + units; from < end; from++) {
		if (*from < 0x20 || *from == '"' || *from == '\\')
			used += escape(to + used, *from);
		else
			to[used++] = *from;
	}
	to[used++] = '"';
	d->used += used;
}

static void add_hex(struct documents *d, const uint8_t *bytes, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	SQLWCHAR *to = more(d, size * 2 + 2);

	if (!to)
		return;
	*to++ = '"';
	for (size_t i = 0; i < size; i++) {
		*to++ = (SQLWCHAR)digits[bytes[i] >> 4];
		*to++ = (SQLWCHAR)digits[bytes[i] & 15];
	}
	*to = '"';
	d->used += size * 2 + 2;
}

/* A real number has 17 digits at most, which any reader that rounds rightly makes the same of; a float32 is a float64. */
static void add_value(struct documents *d, const struct etl_column_view *v, int64_t row)
{
	char buf[SPELL_MAX];
	const uint8_t *bytes;
	int64_t size;
	size_t length;

	if (etl_is_null(v, row)) {
		add(d, "null", 4);
	} else if (v->type.type == ETL_BOOL) {
		add(d, etl_get_bool(v, row) ? "1" : "0", 1);
	} else if (v->type.type == ETL_BYTES) {
		bytes = etl_get_bytes(v, row, &size);
		add_hex(d, bytes, (size_t)size);
	} else if (v->width == 0) {
		bytes = etl_get_bytes(v, row, &size);
		add_text(d, (const char *)bytes, (size_t)size);
	} else {
		length = v->type.type == ETL_FLOAT32 ? etl_spell_double(buf, (double)etl_get_float32(v, row)) :
						       etl_spell_fixed(buf, v, row);
		add(d, "\"", 1);
		add(d, buf, length);
		add(d, "\"", 1);
	}
}

static void add_row(struct documents *d, const struct etl_view *view, int64_t row)
{
	add(d, d->used ? ",[" : "[[", 2);
	for (int64_t i = 0; i < view->count; i++) {
		if (i)
			add(d, ",", 1);
		add_value(d, &view->columns[i], row);
	}
	add(d, "]", 1);
}

/* ---- The statement ------------------------------------------------------------------------------------------------------------ */

/* Texts come in full: what is too long for its column fails as it does by an INSERT, and is not cut. */
static const char *type_in(const char *type)
{
	if (strncmp(type, "varbinary", 9) == 0)
		return "varchar(max)";
	return strncmp(type, "nvarchar", 8) == 0 ? "nvarchar(max)" : type;
}

static bool is_real(int32_t type)
{
	return type == ETL_FLOAT32 || type == ETL_FLOAT64;
}

/* The server may read such values otherwise than they were written. */
static bool changes(const struct loading *l, size_t i)
{
	const struct ladder *ladder = l->inst->ladder;

	return (is_real(etl_type_of(l->schema.children[i]).type) && ladder->reals <= 0) ||
	       (l->bind.columns[i].form == BIND_BYTES && ladder->bytes <= 0);
}

static bool is_known(const char *type)
{
	static const char *const known[] = { "bit", "smallint", "int", "bigint", "real", "float(53)", "date", "time(6)",
					     "datetime2(6)", "datetimeoffset(6)", "uniqueidentifier" };

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(type, known[i]) == 0)
			return true;
	return strncmp(type, "decimal(", 8) == 0 || strncmp(type, "nvarchar(", 9) == 0 || strncmp(type, "varbinary(", 10) == 0;
}

/* Adds a column's two parts. 1, 0 with WHY, or negative. */
static int add_column(struct loading *l, size_t i, struct etl_text *selected, struct etl_text *with, struct etl_text *why)
{
	const struct etl_column *c = l->bind.columns[i].column;
	struct etl_text type = { 0 }, note = { 0 };
	int32_t verdict = ETL_EXACT;
	const char *word;
	int rc = 1;

	odbc_add_type(&type, l->inst, l->load->table, c, &verdict, &note);
	word = type.at ? type.at : "";
	if (!is_known(word) || changes(l, i)) {
		etl_text_addf(why, "column \"%s\" is %s, whose values JSON might change", c->name, word);
		rc = 0;
	} else {
		bool bytes = l->bind.columns[i].form == BIND_BYTES;

		etl_text_addf(selected, "%s%sc%zu%s", i ? ", " : "", bytes ? "CONVERT(varbinary(max), " : "", i, bytes ? ", 2)" : "");
		etl_text_addf(with, "%sc%zu %s '$[%zu]'", i ? ", " : "", i, type_in(word), i);
	}
	etl_text_free(&type);
	etl_text_free(&note);
	return rc;
}

static int make_sql(struct loading *l, struct etl_text *why)
{
	struct etl_text *sql = &l->documents->sql, selected = { 0 }, with = { 0 };
	int rc = 1;

	for (size_t i = 0; rc == 1 && i < l->bind.count; i++)
		rc = add_column(l, i, &selected, &with, why);
	etl_text_add(sql, "INSERT INTO ");
	odbc_add_staged(sql, l->inst, l->load, l->token);
	etl_text_add(sql, " (");
	for (size_t i = 0; i < l->bind.count; i++) {
		etl_text_add(sql, i ? ", " : "");
		odbc_add_name(sql, l->inst, l->bind.columns[i].column->name);
	}
	etl_text_addf(sql, ") SELECT %s FROM OPENJSON(CAST(? AS nvarchar(max))) WITH (%s)", selected.at ? selected.at : "",
		      with.at ? with.at : "");
	sql->failed |= selected.failed || with.failed;
	etl_text_free(&selected);
	etl_text_free(&with);
	return rc == 1 && sql->failed ? odbc_no_memory(l->inst, l->err) : rc;
}

int documents_open(struct loading *l, struct etl_text *why)
{
	int rc;

	l->documents = calloc(1, sizeof(*l->documents));
	if (!l->documents)
		return odbc_no_memory(l->inst, l->err);
	rc = make_sql(l, why);
	if (rc == 1 && odbc_statement(l->inst, &l->documents->stmt, l->err) < 0)
		rc = ETL_FAILED;
	return rc;
}

void documents_close(struct loading *l)
{
	struct documents *d = l->documents;

	if (!d)
		return;
	if (d->stmt != SQL_NULL_HSTMT)
		odbc_done(l->inst, d->stmt);
	etl_text_free(&d->sql);
	free(d->text);
	free(d);
	l->documents = NULL;
}

/* ---- Rows ------------------------------------------------------------------------------------------------------------------------ */

bool documents_take(const struct loading *l, const struct etl_view *view, int64_t row)
{
	for (int64_t i = 0; i < view->count; i++) {
		const struct etl_column_view *v = &view->columns[i];
		const uint8_t *bytes;
		int64_t size;
		double real = 1;

		if (etl_is_null(v, row))
			continue;
		if (v->type.type == ETL_FLOAT64)
			real = etl_get_float64(v, row);
		else if (v->type.type == ETL_FLOAT32)
			real = (double)etl_get_float32(v, row);
		if (fpclassify(real) == FP_ZERO && signbit(real))
			return false;
		if (v->width != 0 || l->bind.columns[i].form != BIND_TEXT)
			continue;
		bytes = etl_get_bytes(v, row, &size);
		if (size && memchr(bytes, 0, (size_t)size))
			return false;
	}
	return true;
}

static int send_text(struct loading *l)
{
	struct documents *d = l->documents;
	struct odbc_said said = { 0 };
	int rc;

	add(d, "]", 1);
	if (d->failed)
		return odbc_no_memory(l->inst, l->err);
	rc = bind_document(l->inst, d->stmt, d->sql.at, d->text, d->used, &said, l->err);
	l->stats.bytes += d->used;
	d->used = 0;
	if (rc == 0) {
		if (careful_note(l) < 0) {
			etl_text_free(&said.words);
			return ETL_FAILED;
		}
		said.klass = ETL_RETRY_STATEMENT;
		return odbc_tell(l->inst, &said, l->err, "sending rows");
	}
	return rc < 0 ? rc : ETL_OK;
}

int documents_send(struct loading *l, const struct etl_view *view, const int64_t *rows, int64_t count)
{
	struct documents *d = l->documents;
	size_t most = (size_t)rate_bytes(BATCH_UNITS * (int64_t)sizeof(*d->text)) / sizeof(*d->text);
	int64_t first = 0;
	int rc = ETL_OK;

	d->used = 0;
	for (int64_t i = 0; rc == ETL_OK && i < count; i++) {
		add_row(d, view, rows[i]);
		if (i + 1 < count && i + 1 - first < BATCH_ROWS && d->used < most)
			continue;
		rc = send_text(l);
		if (rc == ETL_OK)
			loading_carried(l, "OPENJSON", i + 1 - first);
		first = i + 1;
	}
	return rc;
}

/* ---- Trying it --------------------------------------------------------------------------------------------------------------------- */

/* A big number, and a text with what has to be escaped: not every server that knows OPENJSON takes an escape for its character. */
bool documents_test(struct etl_instance *inst)
{
	int64_t number = 0;

	return ladder_ask(inst,
			  "SELECT MAX(a) FROM OPENJSON(CAST(N'[[\"9007199254740993\",\"q\\\"\\\\\\n\\u0007\"],[null,null]]' AS "
			  "nvarchar(max))) WITH (a bigint '$[0]', b nvarchar(max) '$[1]') WHERE b = N'q\"\\' + NCHAR(10) + NCHAR(7) AND "
			  "LEN(b) = 5",
			  &number) &&
	       number == 9007199254740993;
}

/* Not every server that knows CONVERT heeds its style. */
bool documents_test_bytes(struct etl_instance *inst)
{
	int64_t number = 0;

	return ladder_ask(inst, "SELECT COUNT(*) FROM OPENJSON(N'[[\"00ff\"]]') WITH (b varchar(max) '$[0]') "
				"WHERE CONVERT(varbinary(max), b, 2) = 0x00FF",
			  &number) &&
	       number == 1;
}

/* Numbers between which a reader that does not round rightly errs. */
static const double hard[] = { 0.1, 1.0 / 3, 5e-324, 2.2250738585072014e-308, 2.2250738585072011e-308, 1.7976931348623157e308,
			       9007199254740993.0, 123456789.123456789, 1e23, 8.98846567431158e307, 4.35, 0.000001, 1e-7,
			       3.141592653589793, 2.718281828459045, 6.02214076e23, 1.1, 17.29, 9.5e-9, 7.2057594037927933e16 };

static bool same_real(SQLHSTMT stmt, double wanted)
{
	double real = 0;
	SQLLEN length = 0;

	return SQL_SUCCEEDED(SQLFetch(stmt)) &&
	       SQL_SUCCEEDED(SQLGetData(stmt, 2, SQL_C_DOUBLE, &real, sizeof(real), &length)) && length != SQL_NULL_DATA &&
	       memcmp(&real, &wanted, sizeof(real)) == 0;
}

bool documents_test_reals(struct etl_instance *inst)
{
	struct etl_text sql = { 0 };
	SQLHSTMT stmt = SQL_NULL_HSTMT;
	SQLWCHAR *wide;
	size_t units = 0, count = sizeof(hard) / sizeof(*hard);
	bool ok;

	etl_text_add(&sql, "SELECT n, r FROM OPENJSON(N'[");
	for (size_t i = 0; i < count; i++) {
		char buf[SPELL_MAX];

		etl_spell_double(buf, hard[i]);
		etl_text_addf(&sql, "%s[%zu,\"%s\"]", i ? "," : "", i, buf);
	}
	etl_text_add(&sql, "]') WITH (n int '$[0]', r float(53) '$[1]') ORDER BY n");
	wide = sql.failed ? NULL : odbc_wide(sql.at, sql.length, &units);
	ok = wide && SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_STMT, inst->db, &stmt)) &&
	     SQL_SUCCEEDED(SQLExecDirectW(stmt, wide, (SQLINTEGER)units));
	for (size_t i = 0; ok && i < count; i++)
		ok = same_real(stmt, hard[i]);
	if (stmt != SQL_NULL_HSTMT)
		SQLFreeHandle(SQL_HANDLE_STMT, stmt);
	free(wide);
	etl_text_free(&sql);
	return ok;
}
