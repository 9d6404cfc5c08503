/*
 * Columns added up by the server: by SQL Server and PostgreSQL, whose columns hold what they are declared to. SQLite's may
 * hold anything, and of other servers nobody knows what their sums do at the edge: there the host reads the rows.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "select.h"
#include "spell.h"

#define COLUMNS_AT_ONCE 250 /* six values each; PostgreSQL's results have 1,664 columns at most, T-SQL's 4,096 */
/* A decimal has 38 digits in T-SQL, and so has a sum: with so many in a value, 10^10 rows do not overflow it. */
#define TSQL_DIGITS 28

/* What is asked of a column, beside its NULLs. */
enum what {
	WHAT_NULLS,   /* nothing */
	WHAT_VALUES,  /* least, greatest, as texts */
	WHAT_NUMBERS, /* … and the sum */
	WHAT_REALS,   /* least, greatest, as the driver gives reals, and the sum of their bits */
	WHAT_BYTES,   /* lengths in bytes */
	WHAT_UTF16    /* lengths in units of UTF-16 */
};

struct asked {
	const struct etl_column *column;
	const struct odbc_column *declared;
	enum what what;
};

/* What the server does, that not every one of its kind does so. */
struct server {
	enum what wide; /* how it counts an nvarchar */
	bool bits;	/* a float becomes its bits */
};

/* ---- What can be asked ---------------------------------------------------------------------------------------- */

static bool is_int(int32_t type)
{
	return type == ETL_INT16 || type == ETL_INT32 || type == ETL_INT64;
}

static bool is_wide(const struct odbc_column *c)
{
	return c->sql_type == SQL_WCHAR || c->sql_type == SQL_WVARCHAR || c->sql_type == SQL_WLONGVARCHAR;
}

/* Lengths of a text, where they come to what the text that is read has. WIDE: as the server counts an nvarchar. */
static enum what text_of(const struct etl_instance *inst, enum what wide, int32_t declared, const struct odbc_column *c)
{
	if (inst->dialect == &odbc_tsql)
		return declared == ETL_TEXT && is_wide(c) && !strcasestr(c->type_name, "xml") ? wide : WHAT_NULLS;
	return strcasecmp(c->type_name, "text") == 0 || strcasecmp(c->type_name, "varchar") == 0 ? WHAT_BYTES : WHAT_NULLS;
}

static bool number_fits(const struct etl_instance *inst, struct etl_type_info declared)
{
	if (inst->dialect != &odbc_tsql)
		return declared.type == ETL_DECIMAL || declared.type == ETL_NUMERIC;
	return declared.type == ETL_DECIMAL && declared.precision <= TSQL_DIGITS;
}

/* False: it cannot be said exactly. */
static bool choose(const struct etl_instance *inst, const struct server *server, struct asked *a)
{
	int64_t length;
	struct etl_type_info declared = odbc_type_of(inst->dialect, a->declared, &length);
	int32_t type = a->column->type;

	a->what = WHAT_NULLS;
	if (a->column->flags & ETL_RESPELT || type == ETL_UUID)
		return true;
	if (type == ETL_TEXT || type == ETL_JSON) {
		a->what = text_of(inst, server->wide, declared.type, a->declared);
		return true;
	}
	if (is_int(type) || type == ETL_DECIMAL || type == ETL_NUMERIC) {
		a->what = WHAT_NUMBERS;
		return is_int(declared.type) || (!is_int(type) && number_fits(inst, declared));
	}
	a->what = type == ETL_BYTES ? WHAT_BYTES : type == ETL_FLOAT32 || type == ETL_FLOAT64 ? WHAT_REALS : WHAT_VALUES;
	return declared.type == type && (a->what != WHAT_REALS || server->bits);
}

/* ---- The question ----------------------------------------------------------------------------------------------- */

static void add_column(struct etl_text *sql, const struct etl_instance *inst, const struct asked *a)
{
	odbc_add_name(sql, inst, a->declared->name);
}

/* MIN or MAX, in the form in which nothing of it is lost on the way. */
static void add_extreme(struct etl_text *sql, const struct etl_instance *inst, const struct asked *a, const char *which)
{
	int64_t length;
	int32_t type = odbc_type_of(inst->dialect, a->declared, &length).type;
	const char *form = inst->dialect->as_text(type, a->declared->type_name), *hole = form ? strstr(form, "%s") : NULL;

	if (hole)
		etl_text_add_bytes(sql, form, (size_t)(hole - form));
	etl_text_addf(sql, "%s(", which);
	if (type == ETL_BOOL)
		etl_text_add(sql, "CAST(");
	add_column(sql, inst, a);
	etl_text_addf(sql, "%s)%s", type == ETL_BOOL ? " AS int)" : "", hole ? hole + 2 : "");
}

static void add_sum(struct etl_text *sql, const struct etl_instance *inst, const struct asked *a)
{
	bool tsql = inst->dialect == &odbc_tsql;
	int64_t length;
	struct etl_type_info declared = odbc_type_of(inst->dialect, a->declared, &length);

	etl_text_add(sql, tsql ? "CONVERT(nvarchar(41), SUM(CAST(" : "CAST(SUM(CAST(");
	add_column(sql, inst, a);
	if (tsql)
		etl_text_addf(sql, " AS decimal(38,%d))))", declared.type == ETL_DECIMAL ? declared.scale : 0);
	else
		etl_text_add(sql, " AS numeric)) AS text)");
}

/* The sum of the bits of float64s, -0 as 0 and every NaN as one; T-SQL keeps no NaN. HOLE: what the value is put for. */
static const char *bits_sum(const struct etl_instance *inst)
{
	return inst->dialect == &odbc_tsql ?
		       "CONVERT(nvarchar(41), SUM(CAST(CAST(CAST(CASE WHEN % = 0 THEN CAST(0 AS float(53)) ELSE CAST(% AS float(53)) END AS "
		       "binary(8)) AS bigint) AS decimal(38,0))))" :
		       "CAST(SUM(CAST(CAST('x' OPERATOR(pg_catalog.||) pg_catalog.encode(pg_catalog.float8send(CASE WHEN % = 'NaN' THEN 'NaN' "
		       "WHEN % = 0 THEN 0 ELSE CAST(% AS pg_catalog.float8) END), 'hex') AS pg_catalog.bit(64)) AS pg_catalog.int8)) AS text)";
}

static void add_bits(struct etl_text *sql, const struct etl_instance *inst, const struct asked *a)
{
	for (const char *form = bits_sum(inst); *form; form++) {
		if (*form == '%')
			add_column(sql, inst, a);
		else
			etl_text_add_bytes(sql, form, 1);
	}
}

static void add_length(struct etl_text *sql, const struct etl_instance *inst, const struct asked *a, const char *which)
{
	if (inst->dialect == &odbc_tsql)
		etl_text_addf(sql, "%s(CAST(DATALENGTH(", which);
	else
		etl_text_addf(sql, "CASE WHEN pg_catalog.current_setting('server_encoding') = 'UTF8' THEN "
				   "%s(CAST(pg_catalog.octet_length(", which);
	add_column(sql, inst, a);
	etl_text_add(sql, ") AS bigint))");
	etl_text_add(sql, inst->dialect == &odbc_tsql ? "" : " END");
}

/* Not COUNT: of T-SQL's text and image there is none. */
static void add_asked(struct etl_text *sql, const struct etl_instance *inst, const struct asked *a)
{
	etl_text_add(sql, "SUM(CAST(CASE WHEN ");
	add_column(sql, inst, a);
	etl_text_add(sql, " IS NULL THEN 1 ELSE 0 END AS bigint))");
	for (int i = 0; i < 2 && a->what != WHAT_NULLS; i++) {
		etl_text_add(sql, ", ");
		if (a->what == WHAT_BYTES || a->what == WHAT_UTF16)
			add_length(sql, inst, a, i ? "MAX" : "MIN");
		else
			add_extreme(sql, inst, a, i ? "MAX" : "MIN");
	}
	if (a->what == WHAT_NUMBERS || a->what == WHAT_REALS)
		etl_text_add(sql, ", ");
	if (a->what == WHAT_NUMBERS)
		add_sum(sql, inst, a);
	else if (a->what == WHAT_REALS)
		add_bits(sql, inst, a);
}

static int ask(struct etl_instance *inst, SQLHSTMT stmt, const struct etl_dataset *dataset, const struct asked *asked,
	       size_t count, struct etl_error *err)
{
	struct etl_text sql = { 0 };
	int rc;

	etl_text_add(&sql, "SELECT ");
	for (size_t i = 0; i < count; i++) {
		etl_text_add(&sql, i ? ", " : "");
		add_asked(&sql, inst, &asked[i]);
	}
	odbc_select_add_from(&sql, inst, dataset);
	if (dataset->where)
		etl_text_addf(&sql, " WHERE (%s\n)", dataset->where);
	rc = sql.failed ? odbc_no_memory(inst, err) : odbc_execute(inst, stmt, sql.at, err);
	etl_text_free(&sql);
	if (rc == ETL_OK)
		rc = odbc_next(inst, stmt, err);
	return rc == 0 ? inst->host->fail(err, ETL_FATAL, NULL, 0, "the server gave no sums of table \"%s\"", dataset->table) :
			 rc < 0 ? rc : ETL_OK;
}

/* ---- The answer ------------------------------------------------------------------------------------------------- */

struct answer {
	struct etl_instance *inst;
	SQLHSTMT stmt;
	int column; /* the last one that was taken */
	struct etl_error *err;
};

/* *RET stays NULL for NULL; it is TEXT's. */
static int take_text(struct answer *a, struct etl_text *text, const char **ret)
{
	bool null = true;
	int rc = odbc_column(a->inst, a->stmt, ++a->column, text, &null, a->err);

	if (rc == ETL_OK && !null)
		*ret = text->at ? text->at : "";
	return rc;
}

static int take_number(struct answer *a, int64_t *ret)
{
	struct etl_text text = { 0 };
	const char *said = NULL;
	int rc = take_text(a, &text, &said);

	if (said)
		*ret = strtoll(said, NULL, 10);
	etl_text_free(&text);
	return rc;
}

static int take_real(struct answer *a, int32_t type, struct etl_text *text, const char **ret)
{
	char buf[SPELL_MAX];
	double v = 0;
	SQLLEN indicator = 0;
	SQLRETURN code = SQLGetData(a->stmt, (SQLUSMALLINT)++a->column, SQL_C_DOUBLE, &v, sizeof(v), &indicator);

	if (!SQL_SUCCEEDED(code))
		return odbc_fail(a->inst, SQL_HANDLE_STMT, a->stmt, a->err, "column %d", a->column);
	if (indicator == SQL_NULL_DATA)
		return ETL_OK;
	etl_text_add_bytes(text, buf, type == ETL_FLOAT32 ? etl_spell_float(buf, (float)v) : etl_spell_double(buf, v));
	*ret = text->at;
	return text->failed ? odbc_no_memory(a->inst, a->err) : ETL_OK;
}

static int take_extreme(struct answer *a, const struct asked *asked, struct etl_text *text, const char **ret)
{
	return asked->what == WHAT_REALS ? take_real(a, asked->column->type, text, ret) : take_text(a, text, ret);
}

static int take_lengths(struct answer *a, const struct asked *asked, struct etl_total *total)
{
	int64_t shortest = ETL_UNKNOWN, longest = ETL_UNKNOWN;
	int rc = take_number(a, &shortest);

	if (rc == ETL_OK)
		rc = take_number(a, &longest);
	if (asked->what == WHAT_BYTES) {
		total->shortest = shortest;
		total->longest = longest;
	} else if (longest >= 0) {
		total->shortest_utf16 = shortest / (int64_t)sizeof(SQLWCHAR);
		total->longest_utf16 = longest / (int64_t)sizeof(SQLWCHAR);
	}
	return rc;
}

static int take_total(struct answer *a, const struct asked *asked, struct etl_total_sink *sink)
{
	struct etl_total total = { .shortest = ETL_UNKNOWN,
				   .longest = ETL_UNKNOWN,
				   .shortest_utf16 = ETL_UNKNOWN,
				   .longest_utf16 = ETL_UNKNOWN };
	struct etl_text least = { 0 }, greatest = { 0 }, sum = { 0 };
	bool values = asked->what == WHAT_VALUES || asked->what == WHAT_NUMBERS || asked->what == WHAT_REALS;
	int rc = take_number(a, &total.nulls);

	if (rc == ETL_OK && values)
		rc = take_extreme(a, asked, &least, &total.least);
	if (rc == ETL_OK && values)
		rc = take_extreme(a, asked, &greatest, &total.greatest);
	if (rc == ETL_OK && (asked->what == WHAT_NUMBERS || asked->what == WHAT_REALS))
		rc = take_text(a, &sum, &total.sum);
	if (rc == ETL_OK && (asked->what == WHAT_BYTES || asked->what == WHAT_UTF16))
		rc = take_lengths(a, asked, &total);
	if (rc == ETL_OK)
		rc = sink->emit(sink, asked->column, &total);
	etl_text_free(&least);
	etl_text_free(&greatest);
	etl_text_free(&sum);
	return rc;
}

static int add_up(struct etl_instance *inst, const struct etl_dataset *dataset, const struct asked *asked, size_t count,
		  struct etl_total_sink *sink, struct etl_error *err)
{
	struct answer answer = { .inst = inst, .err = err };
	int rc = odbc_statement(inst, &answer.stmt, err);

	if (rc < 0)
		return rc;
	rc = ask(inst, answer.stmt, dataset, asked, count, err);
	for (size_t i = 0; rc == ETL_OK && i < count; i++)
		rc = take_total(&answer, &asked[i], sink);
	odbc_done(inst, answer.stmt);
	return rc;
}

/* ---- All of it ---------------------------------------------------------------------------------------------------- */

static const struct odbc_column *find(const struct odbc_shape *shape, const char *name)
{
	for (size_t i = 0; i < shape->count; i++)
		if (strcmp(shape->columns[i].name, name) == 0)
			return &shape->columns[i];
	return NULL;
}

/* DATALENGTH of an nvarchar is that of UTF-16 in SQL Server and that of UTF-8 in Babelfish: the euro sign has two bytes or
 * three. */
static int ask_wide(struct etl_instance *inst, enum what *ret, struct etl_error *err)
{
	int64_t bytes = 0;
	int rc = inst->dialect == &odbc_tsql ?
			 odbc_number(inst, err, &bytes, "SELECT DATALENGTH(CAST(NCHAR(8364) AS nvarchar(10)))") :
			 ETL_OK;

	*ret = bytes == 2 ? WHAT_UTF16 : bytes == 3 ? WHAT_BYTES : WHAT_NULLS;
	return rc;
}

/* A float that is cast to bytes gives them as IEEE 754 has them, the first one first, in SQL Server. */
static bool ask_bits(struct etl_instance *inst)
{
	static const double values[] = { -0.1, 1.5 };
	bool same = true;

	for (size_t i = 0; same && inst->dialect == &odbc_tsql && i < sizeof(values) / sizeof(*values); i++) {
		struct etl_text sql = { 0 }, said = { 0 };
		char buf[SPELL_MAX];
		int64_t bits;

		memcpy(&bits, &values[i], sizeof(bits));
		etl_spell_double(buf, values[i]);
		etl_text_addf(&sql, "SELECT CONVERT(nvarchar(41), CAST(CAST(CAST(N'%s' AS float(53)) AS binary(8)) AS bigint))", buf);
		same = !sql.failed && odbc_ask_quietly(inst, sql.at, &said) && said.length > 0 &&
		       strtoll(said.at, NULL, 10) == bits;
		etl_text_free(&sql);
		etl_text_free(&said);
	}
	return same;
}

static int choose_all(struct etl_instance *inst, const struct etl_totals_ask *ask, const struct odbc_shape *shape,
		      struct asked *ret, struct etl_error *err)
{
	struct server server = { .bits = ask_bits(inst) };
	int rc = ask_wide(inst, &server.wide, err);

	for (size_t i = 0; rc == ETL_OK && i < ask->column_count; i++) {
		ret[i].column = ETL_AT(const struct etl_column, ask->columns, ask->column_size, i);
		ret[i].declared = find(shape, ret[i].column->name);
		if (!ret[i].declared || !choose(inst, &server, &ret[i]))
			rc = inst->host->fail(err, ETL_USAGE, NULL, 0,
					      "column \"%s\" is not added up by the server as it is by its rows",
					      ret[i].column->name);
	}
	return rc;
}

int odbc_totals(struct etl_instance *inst, const struct etl_totals_ask *ask, struct etl_total_sink *sink,
		struct etl_error *err)
{
	struct asked *asked = calloc(ask->column_count + 1, sizeof(*asked));
	struct odbc_shape shape = { 0 };
	int rc = asked ? odbc_db(inst, err) : odbc_no_memory(inst, err);

	if (rc == ETL_OK && (!ask->dataset.table || (inst->dialect != &odbc_tsql && inst->dialect != &odbc_postgresql)))
		rc = inst->host->fail(err, ETL_USAGE, NULL, 0, "only tables of SQL Server and PostgreSQL are added up there");
	if (rc == ETL_OK)
		rc = select_shape(inst, &ask->dataset, &shape, err);
	if (rc == ETL_OK)
		rc = choose_all(inst, ask, &shape, asked, err);
	for (size_t i = 0; rc == ETL_OK && i < ask->column_count; i += COLUMNS_AT_ONCE) {
		size_t left = ask->column_count - i;

		rc = add_up(inst, &ask->dataset, asked + i, left < COLUMNS_AT_ONCE ? left : COLUMNS_AT_ONCE, sink, err);
	}
	odbc_shape_free(&shape);
	free(asked);
	return rc;
}
