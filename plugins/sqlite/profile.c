/*
 * What kinds of value a dataset's columns hold: one pass, each value looked at once where it lies. Twenty
 * aggregates in SQL would read each value twenty times.
 */
#include "config.h"

#include <math.h>
#include <stdlib.h>

#include "read.h"

#define CANCEL_ROWS 4096
#define SCALE_MAX   40 /* decimals; beyond what any decimal type of a target takes */
#define EXACT	    9007199254740992.0 /* 2^53 */

struct profiling {
	struct etl_instance *inst;
	struct etl_error *err;
	sqlite3 *db;
	sqlite3_stmt *stmt;
	struct etl_profile *profiles;
	int count;
};

/* ---- Texts -------------------------------------------------------------------------------------------------- */

struct scanner {
	const char *at, *end;
};

static bool take(struct scanner *s, char c)
{
	if (s->at == s->end || *s->at != c)
		return false;
	s->at++;
	return true;
}

static int digits(struct scanner *s)
{
	int n = 0;

	for (; s->at < s->end && *s->at >= '0' && *s->at <= '9'; s->at++)
		n++;
	return n;
}

/* Exactly N digits; -1: they are not there. */
static int number(struct scanner *s, int n)
{
	int v = 0;

	while (n-- > 0) {
		if (s->at == s->end || *s->at < '0' || *s->at > '9')
			return -1;
		v = v * 10 + (*s->at++ - '0');
	}
	return v;
}

static int days_of(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month == 2 && leap ? 29 : days[month - 1];
}

static bool date(struct scanner *s)
{
	int year, month, day;

	year = number(s, 4);
	if (year < 1 || !take(s, '-'))
		return false;
	month = number(s, 2);
	if (month < 1 || month > 12 || !take(s, '-'))
		return false;
	day = number(s, 2);
	return day >= 1 && day <= days_of(year, month);
}

/* hh:mm[:ss[.f]], with at most the six decimals that a timestamp keeps. */
static bool clock_time(struct scanner *s)
{
	int hour = number(s, 2), n;

	if (hour < 0 || hour > 23 || !take(s, ':'))
		return false;
	n = number(s, 2);
	if (n < 0 || n > 59)
		return false;
	if (!take(s, ':'))
		return true;
	n = number(s, 2);
	if (n < 0 || n > 59)
		return false;
	if (!take(s, '.'))
		return true;
	n = digits(s);
	return n >= 1 && n <= 6;
}

static bool zone(struct scanner *s)
{
	int hour, minute = 0;

	if (take(s, 'Z'))
		return true;
	if (!take(s, '+') && !take(s, '-'))
		return false;
	hour = number(s, 2);
	if (take(s, ':') || s->at < s->end)
		minute = number(s, 2);
	return hour >= 0 && hour <= 15 && minute >= 0 && minute <= 59;
}

/* Each text counts once: a date, a timestamp without a zone, or one with it. */
static void look_at_moment(struct etl_profile *p, const char *text, size_t size)
{
	struct scanner s = { text, text + size };

	if (!date(&s))
		return;
	if (s.at == s.end) {
		p->dates++;
		return;
	}
	if ((!take(&s, ' ') && !take(&s, 'T')) || !clock_time(&s))
		return;
	if (s.at == s.end)
		p->timestamps++;
	else if (zone(&s) && s.at == s.end)
		p->zoned++;
}

static bool is_number(const char *text, size_t size)
{
	struct scanner s = { text, text + size };
	int n;

	if (!take(&s, '-'))
		take(&s, '+');
	n = digits(&s);
	if (take(&s, '.'))
		n += digits(&s);
	if (n == 0)
		return false;
	if (take(&s, 'e') || take(&s, 'E')) {
		if (!take(&s, '-'))
			take(&s, '+');
		if (digits(&s) == 0)
			return false;
	}
	return s.at == s.end;
}

/* Eight bytes at a time: most texts are short and have no other characters. */
static bool is_ascii(const char *text, size_t size)
{
	uint64_t all = 0, eight;
	size_t i = 0;

	for (; i + sizeof(eight) <= size; i += sizeof(eight)) {
		memcpy(&eight, text + i, sizeof(eight));
		all |= eight;
	}
	for (; i < size; i++)
		all |= (unsigned char)text[i];
	return (all & UINT64_C(0x8080808080808080)) == 0;
}

/* Characters and UTF-16 units; a byte that is no UTF-8 counts as one of each. */
static void count_chars(const unsigned char *text, size_t size, int64_t *ret_chars,
			int64_t *ret_utf16)
{
	int64_t chars = 0, wide = 0;
	size_t i;

	for (i = 0; i < size; i++) {
		chars += (text[i] & 0xc0) != 0x80;
		wide += text[i] >= 0xf0;
	}
	*ret_chars = chars;
	*ret_utf16 = chars + wide;
}

static void raise_to(int64_t *most, int64_t value)
{
	if (value > *most)
		*most = value;
}

static void look_at_text(struct etl_profile *p, sqlite3_value *v)
{
	const char *text = (const char *)sqlite3_value_text(v);
	size_t size = (size_t)sqlite3_value_bytes(v);
	int64_t chars = (int64_t)size, utf16 = (int64_t)size;

	p->texts++;
	if (!text)
		return;
	if (!is_ascii(text, size)) {
		count_chars((const unsigned char *)text, size, &chars, &utf16);
		p->bad_utf8 += etl_utf8_valid(text, size) != size;
	}
	raise_to(&p->max_chars, chars);
	raise_to(&p->max_utf16, utf16);
	raise_to(&p->max_bytes, (int64_t)size);
	p->with_nul += size > 0 && memchr(text, 0, size) != NULL;
	look_at_moment(p, text, size);
	p->numeric_texts += is_number(text, size);
}

/* ---- Numbers -------------------------------------------------------------------------------------------------- */

/* V has at most SCALE decimals: a whole number below 2^53 divided by the power of ten gives it back. */
static bool fits_scale(double v, int64_t scale)
{
	static const double powers[] = { 1e0,  1e1,  1e2,  1e3,	 1e4,  1e5,  1e6,  1e7,
					 1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
					 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
	double shifted, whole;

	if (scale >= (int64_t)(sizeof(powers) / sizeof(*powers)))
		return false;
	shifted = v * powers[scale];
	if (shifted > EXACT || shifted < -EXACT)
		return false;
	whole = (double)(int64_t)(shifted + (shifted < 0 ? -0.5 : 0.5));
	return whole / powers[scale] >= v && whole / powers[scale] <= v;
}

/* The decimals of the shortest text that gives the value back: "1.25" 2, "1e-7" 7, "1e+20" 0. */
static int64_t decimals(double v)
{
	struct etl_column_view view = { .type = { .type = ETL_FLOAT64 },
					.width = 8,
					.values = (const uint8_t *)&v };
	struct etl_text text = { 0 };
	const char *point, *e;
	int64_t n = 0;

	etl_text_add_value(&text, &view, 0);
	if (text.at) {
		point = strchr(text.at, '.');
		e = strpbrk(text.at, "eE");
		if (point && strcmp(point, ".0") != 0)
			n = (int64_t)((e ? (size_t)(e - text.at) : text.length) -
				      (size_t)(point + 1 - text.at));
		if (e)
			n -= strtol(e + 1, NULL, 10);
	}
	etl_text_free(&text);
	return n > 0 ? n : 0;
}

static void look_at_real(struct etl_profile *p, double v)
{
	p->reals++;
	if (!isfinite(v) || p->max_scale >= SCALE_MAX || fits_scale(v, p->max_scale))
		return;
	raise_to(&p->max_scale, decimals(v));
}

static void look_at_integer(struct etl_profile *p, int64_t v)
{
	if (p->integers == 0 || v < p->min_integer)
		p->min_integer = v;
	if (p->integers == 0 || v > p->max_integer)
		p->max_integer = v;
	p->integers++;
	p->flags01 += v == 0 || v == 1;
}

/* ---- The pass --------------------------------------------------------------------------------------------------- */

static void look(struct etl_profile *p, sqlite3_value *v)
{
	p->rows++;
	switch (sqlite3_value_type(v)) {
	case SQLITE_NULL:
		p->nulls++;
		break;
	case SQLITE_INTEGER:
		look_at_integer(p, sqlite3_value_int64(v));
		break;
	case SQLITE_FLOAT:
		look_at_real(p, sqlite3_value_double(v));
		break;
	case SQLITE_TEXT:
		look_at_text(p, v);
		break;
	default:
		p->blobs++;
		raise_to(&p->max_bytes, sqlite3_value_bytes(v));
		break;
	}
}

static int pass(struct profiling *p, const char *what)
{
	int64_t rows = 0;
	int code, i;

	while ((code = sqlite3_step(p->stmt)) == SQLITE_ROW) {
		if (rows++ % CANCEL_ROWS == 0 && p->inst->host->canceled(p->inst->host))
			return ETL_CANCELED;
		for (i = 0; i < p->count; i++)
			look(&p->profiles[i], sqlite3_column_value(p->stmt, i));
	}
	return code == SQLITE_DONE ? ETL_OK :
				     sqlite_fail(p->inst, p->db, p->err, "profiling %s", what);
}

/* Every column that is read: a generated one is computed again by its table. */
static int column_list(struct profiling *p, const struct etl_dataset *d, struct etl_text *ret)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite_prepare(p->inst, p->db,
				"SELECT name FROM pragma_table_xinfo(?1) WHERE hidden = 0", &stmt,
				p->err);

	if (rc)
		return rc;
	sqlite3_bind_text(stmt, 1, d->table, -1, SQLITE_STATIC);
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(stmt, 0);

		etl_text_add(ret, ret->length ? ", " : "");
		etl_text_add_name(ret, d->table, '"');
		etl_text_add(ret, ".");
		etl_text_add_name(ret, name ? name : "", '"');
	}
	if (sqlite3_finalize(stmt) != SQLITE_OK)
		return sqlite_fail(p->inst, p->db, p->err, "listing the columns of \"%s\"",
				   d->table);
	if (ret->length == 0)
		return p->inst->host->fail(p->err, ETL_FATAL, NULL, 0,
					   "%s: there is no table \"%s\"", p->inst->path, d->table);
	return ETL_OK;
}

static void write_sql(struct etl_text *sql, const struct etl_dataset *d, const char *columns,
		      const char *rowid)
{
	etl_text_addf(sql, "SELECT %s FROM ", columns ? columns : "*");
	select_add_from(sql, d);
	if (rowid)
		etl_text_addf(sql, " WHERE %s BETWEEN ?1 AND ?2", rowid);
	if (d->where)
		etl_text_addf(sql, " %s (%s\n)", rowid ? "AND" : "WHERE", d->where);
}

static int prepare(struct profiling *p, const struct etl_dataset *d, const struct etl_split *split)
{
	struct etl_text sql = { 0 }, columns = { 0 }, qualified = { 0 };
	const char *rowid = NULL;
	int rc = ETL_OK;

	if (d->table)
		rc = column_list(p, d, &columns);
	if (!rc && split)
		rc = select_rowid(p->inst, p->db, d, &rowid, p->err);
	if (rowid) {
		etl_text_add_name(&qualified, d->table, '"');
		etl_text_addf(&qualified, ".%s", rowid);
	}
	write_sql(&sql, d, columns.at, qualified.at);
	if (!rc && (sql.failed || columns.failed || qualified.failed))
		rc = p->inst->host->fail(p->err, ETL_MEMORY, NULL, 0, "%s: no memory to profile",
					 p->inst->path);
	if (!rc)
		rc = sqlite_prepare(p->inst, p->db, sql.at, &p->stmt, p->err);
	if (!rc && rowid) {
		sqlite3_bind_int64(p->stmt, 1, split->first);
		sqlite3_bind_int64(p->stmt, 2, split->last);
	}
	etl_text_free(&qualified);
	etl_text_free(&columns);
	etl_text_free(&sql);
	return rc;
}

static int emit(struct profiling *p, struct etl_profile_sink *sink)
{
	int i, rc = ETL_OK;

	for (i = 0; !rc && i < p->count; i++) {
		p->profiles[i].column = sqlite3_column_name(p->stmt, i);
		rc = sink->emit(sink, &p->profiles[i]);
	}
	return rc;
}

int sqlite_profile_split(struct etl_instance *inst, const struct etl_dataset *d,
			 const struct etl_split *split, struct etl_profile_sink *sink,
			 struct etl_error *err)
{
	struct profiling p = { .inst = inst, .err = err };
	int rc = sqlite_db(inst, d->token, &p.db, err);

	if (!rc)
		rc = prepare(&p, d, split);
	if (rc)
		return rc;
	p.count = sqlite3_column_count(p.stmt);
	p.profiles = calloc((size_t)p.count + 1, sizeof(*p.profiles));
	if (!p.profiles)
		rc = inst->host->fail(err, ETL_MEMORY, NULL, 0, "%s: no memory to profile",
				      inst->path);
	if (!rc)
		rc = pass(&p, d->table ? d->table : "the query");
	if (!rc)
		rc = emit(&p, sink);
	free(p.profiles);
	sqlite3_finalize(p.stmt);
	return rc;
}

int sqlite_profile(struct etl_instance *inst, const struct etl_dataset *d,
		   struct etl_profile_sink *sink, struct etl_error *err)
{
	return sqlite_profile_split(inst, d, NULL, sink, err);
}
