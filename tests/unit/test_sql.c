/*
 * The transform sql on tables in memory: what the query does to the shape, every type in and out, rows counted
 * exactly in both scopes, rejects in SQLite's words, and what travels with a row.
 */
#include "config.h"

#include <check.h>

#include "fake_host.h"
#include "lib_batch.h"
#include "plugins/sql/scan.h"

const struct etl_plugin *sql_LTX_etl_plugin(void);

#define MOST 24 /* columns */

static uint64_t counted[3];

static void count(struct etl_context *context, int32_t what, uint64_t rows)
{
	(void)context;
	counted[what] += rows;
}

static char logged[2048];

static void keep_log(const struct etl_host *host, int32_t level, const char *format, ...)
{
	size_t length = strlen(logged);
	va_list args;

	(void)host;
	(void)level;
	va_start(args, format);
	vsnprintf(logged + length, sizeof(logged) - length, format, args);
	va_end(args);
}

static struct etl_host host = { FAKE_HOST, .max_row = 64 << 20, .memory = 1 << 20, .workers = 1, .count = count };

/* ---- A table, and rows of it as texts ---- */

struct table {
	struct etl_table table;
	struct etl_column columns[MOST];
};

static void add_column(struct table *t, const char *name, const char *type)
{
	struct etl_column *c = &t->columns[t->table.column_count++];

	*c = (struct etl_column){ .name = name, .type = ETL_ANY };
	if (strcmp(type, "any") != 0)
		*c = column_of(name, type);
	c->declared = type;
	t->table.columns = t->columns;
	t->table.column_size = sizeof(*c);
}

static void make_items(struct table *t)
{
	*t = (struct table){ .table = { .name = "item" } };
	add_column(t, "id", "int64");
	add_column(t, "name", "text");
	add_column(t, "qty", "any");
}

struct rows {
	struct etl_producer producer;
	const struct table *table;
	const char *const *values; /* a text or NULL for each column of each row; "%NAME" an any */
	int64_t count, at;
};

static void put_value(struct etl_column_builder *to, const char *text)
{
	int64_t whole;
	double real;

	if (!text || to->type.type != ETL_ANY) {
		put_text(to, text);
		return;
	}
	switch (*text) {
	case 'i':
		whole = strtoll(text + 1, NULL, 10);
		ck_assert(etl_put_any(to, ETL_ANY_INT, &whole, 8));
		break;
	case 'f':
		real = strtod(text + 1, NULL);
		ck_assert(etl_put_any(to, ETL_ANY_REAL, &real, 8));
		break;
	default:
		ck_assert(etl_put_any(to, *text, text + 1, (int64_t)strlen(text + 1)));
	}
}

static int fill(struct etl_producer *self, struct etl_builder *b)
{
	struct rows *r = (struct rows *)(void *)self;
	size_t columns = r->table->table.column_count;

	for (; r->at < r->count && !etl_builder_full(b, &host); r->at++) {
		for (size_t c = 0; c < columns; c++)
			put_value(&b->columns[c], r->values[(size_t)r->at * columns + c]);
		etl_put_int64(&b->columns[columns], 100 + r->at);
	}
	return r->at < r->count ? ETL_FILL_MORE : ETL_FILL_END;
}

static void close_rows(struct etl_producer *self)
{
	(void)self;
}

/* ---- The transform ---- */

static struct etl_conf conf_of(const char *query, const char *scope, const char *column, const char *type)
{
	return (struct etl_conf){ { { .key = "query", .items = { query } },
				    { .key = "scope", .items = { scope } },
				    { .key = "types", .items = { column, type } } } };
}

static struct etl_instance *open_sql(const struct etl_conf *conf)
{
	struct etl_instance *self = NULL;
	struct etl_error err = { 0 };

	ck_assert_msg(sql_LTX_etl_plugin()->open(&host, conf, &self, &err) == 0, "%s", err.text);
	return self;
}

static void add_batch(struct etl_text *text, const struct etl_view *view)
{
	for (int64_t i = 0; i < view->rows; i++)
		for (int64_t c = 0; c < view->count; c++) {
			if (c + 1 == view->count && etl_get_int64(&view->columns[c], i) >= ETL_ORDINAL_MADE)
				etl_text_addf(text, "M%d",
					      (int)(etl_get_int64(&view->columns[c], i) - ETL_ORDINAL_MADE));
			else
				etl_text_add_value(text, &view->columns[c], i);
			etl_text_add(text, c + 1 < view->count ? " " : "; ");
		}
}

static int drain(struct ArrowArrayStream *out, struct etl_text *text)
{
	struct ArrowSchema schema;
	struct ArrowArray batch;
	struct etl_view *view;
	int rc;

	ck_assert_int_eq(out->get_schema(out, &schema), 0);
	view = etl_view_new(&schema);
	while ((rc = out->get_next(out, &batch)) == 0 && batch.release) {
		ck_assert(batch.length > 0 && batch.length <= host.batch_rows);
		ck_assert(etl_view_set(view, &batch));
		add_batch(text, view);
		batch.release(&batch);
	}
	etl_view_free(view);
	schema.release(&schema);
	return rc;
}

/* The rows that come out, as text, the ordinal last (M0: numbered anew); what was counted is in `counted`. */
static char *run(const struct table *t, const char *const *values, int64_t rows, const struct etl_conf *conf,
		 struct etl_context *context, struct etl_error *err)
{
	struct etl_column all[MOST + 1];
	struct etl_instance *self = open_sql(conf);
	const struct etl_wrap wrap = { &t->table, &t->table, context };
	struct rows source = { { fill, close_rows }, t, values, rows, 0 };
	struct ArrowArrayStream in, out;
	struct ArrowSchema schema;
	struct etl_text text = { 0 };
	int rc;

	memset(counted, 0, sizeof(counted));
	memcpy(all, t->columns, sizeof(t->columns));
	all[t->table.column_count] = (struct etl_column){ .name = ETL_ORDINAL_COLUMN, .type = ETL_INT64 };
	ck_assert(etl_schema_make(&schema, all, t->table.column_count + 1, sizeof(all[0])));
	ck_assert(etl_stream_open(&in, &host, &schema, &source.producer));
	schema.release(&schema);
	ck_assert_msg(sql_LTX_etl_plugin()->transform->wrap(self, &wrap, &in, &out, err) == 0, "%s", err->text);
	ck_assert(in.release == NULL);
	rc = drain(&out, &text);
	out.release(&out);
	sql_LTX_etl_plugin()->close(self);
	etl_text_add(&text, rc == 0 ? "" : "FAILED");
	return etl_text_take(&text);
}

static void expect(const struct table *t, const char *const *values, int64_t rows, const struct etl_conf *conf,
		   const char *words)
{
	struct etl_context context = { 0 };
	struct etl_error err = { 0 };
	char *text = run(t, values, rows, conf, &context, &err);

	ck_assert_msg(strcmp(text, words) == 0, "%s, expected %s (%s)", text, words, err.text);
	free(text);
}

static void expect_counts(uint64_t created, uint64_t filtered, uint64_t merged)
{
	ck_assert_uint_eq(counted[ETL_COUNT_CREATED], created);
	ck_assert_uint_eq(counted[ETL_COUNT_FILTERED], filtered);
	ck_assert_uint_eq(counted[ETL_COUNT_MERGED], merged);
}

static const char *const four[] = { "1", "ada", "i3", "2", "bob", "i0", "3", NULL, "tx", "4", "dé", "f0.5" };

/* ---- Shape ---- */

struct shape {
	struct etl_table_sink sink;
	char text[512];
};

static void add(char *to, size_t size, const char *format, ...)
{
	size_t length = strlen(to);
	va_list args;

	va_start(args, format);
	vsnprintf(to + length, size - length, format, args);
	va_end(args);
}

static int look(struct etl_table_sink *self, const struct etl_table *t)
{
	struct shape *s = (struct shape *)(void *)self;

	for (size_t i = 0; i < t->column_count; i++) {
		const struct etl_column *c = &t->columns[i];
		char type[40];

		add(s->text, sizeof(s->text), "%s%s%s%s %s%s", i > 0 ? ", " : "", c->name, c->origin ? "<" : "",
		    c->origin ? c->origin : "", c->flags & ETL_NOT_NULL ? "!" : "",
		    etl_type_name((struct etl_type_info){ c->type, c->precision, c->scale }, type, sizeof(type)));
	}
	if (t->primary.column_count)
		add(s->text, sizeof(s->text), "; key %s", t->primary.columns[0]);
	for (size_t i = 0; i < t->check_count; i++)
		add(s->text, sizeof(s->text), "; check %s", t->checks[i].sql);
	for (size_t i = 0; i < t->foreign_key_count; i++)
		add(s->text, sizeof(s->text), "; to %s", t->foreign_keys[i].parent);
	return 0;
}

static void expect_shape(const char *query, const char *scope, const char *words)
{
	static const char *const id[] = { "id" }, *const name[] = { "name" };
	static const struct etl_check check = { .sql = "qty >= 0" };
	static const struct etl_foreign_key fk = { .columns = name, .column_count = 1, .parent = "person" };
	struct table t;
	struct etl_conf conf = conf_of(query, scope, NULL, NULL);
	struct etl_instance *self = open_sql(&conf);
	struct shape shape = { { look }, "" };
	struct etl_error err = { 0 };

	make_items(&t);
	t.columns[0].flags = ETL_NOT_NULL;
	t.table.primary = (struct etl_key){ .columns = id, .column_count = 1 };
	t.table.checks = &check;
	t.table.check_count = 1;
	t.table.check_size = sizeof(check);
	t.table.foreign_keys = &fk;
	t.table.foreign_key_count = 1;
	t.table.foreign_key_size = sizeof(fk);
	logged[0] = '\0';
	host.log = keep_log;
	ck_assert_msg(sql_LTX_etl_plugin()->transform->derive(self, &t.table, &shape.sink, &err) == 0, "%s",
		      err.text);
	ck_assert_str_eq(shape.text, words);
	ck_assert_int_eq(sql_LTX_etl_plugin()->transform->whole(self), strcmp(scope, "table") == 0);
	sql_LTX_etl_plugin()->close(self);
}

START_TEST(the_shape_follows_the_query)
{
	expect_shape("SELECT * FROM input WHERE qty > 1", "row",
		     "id !int64, name text, qty any; key id; check qty >= 0; to person");
	ck_assert_str_eq(logged, "");
	expect_shape("SELECT id AS nr, upper(name) AS name, item.qty AS much FROM item", "row",
		     "nr<id !int64, name any, much<qty any; key nr; check \"much\" >= 0");
	ck_assert_str_eq(logged, "table item: the foreign key to person goes, because a column of it does not "
				 "pass unchanged");
	expect_shape("SELECT id, name FROM input ORDER BY name LIMIT 3", "table",
		     "id !int64, name text; key id; to person");
	expect_shape("SELECT a.id, b.name FROM input a LEFT JOIN input b ON b.id = a.id + 1", "table",
		     "id int64, name text; to person");
	ck_assert_ptr_nonnull(strstr(logged, "the primary key (id) goes, because rows of the query need not be rows"));
	expect_shape("SELECT max(id) AS id, count(*) AS n FROM input", "table", "id any, n any");
}
END_TEST

static void refused(const char *query, const char *scope, const char *words)
{
	struct table t;
	struct etl_conf conf = conf_of(query, scope, NULL, NULL);
	struct etl_instance *self = open_sql(&conf);
	struct shape shape = { { look }, "" };
	struct etl_error err = { 0 };

	make_items(&t);
	ck_assert_int_eq(sql_LTX_etl_plugin()->transform->derive(self, &t.table, &shape.sink, &err), ETL_FAILED);
	ck_assert_int_eq(err.klass, ETL_USAGE);
	ck_assert_msg(strstr(err.text, words) != NULL, "%s", err.text);
	ck_assert_str_eq(shape.text, "");
	sql_LTX_etl_plugin()->close(self);
}

START_TEST(what_a_scope_does_not_allow_is_refused)
{
	refused("SELECT nam FROM input", "row", "no such column: nam, at character 8");
	refused("SELECT count(*) AS n FROM input", "row", "count() looks at several rows");
	refused("SELECT id FROM input /* */ LIMIT 1", "row", "LIMIT (at character 28 of the query)");
	refused("SELECT id FROM input WHERE id IN (SELECT id FROM item)", "row", "reads input more than once");
	refused("SELECT id, random() AS r FROM input", "table", "does not repeat");
	refused("SELECT id, date() AS r FROM input; --", "row", "date (at character 12 of the query) does not repeat");
}
END_TEST

/* The tokens of a text, each with the letter of its kind. */
static void expect_tokens(const char *sql, const char *words)
{
	static const char kinds[] = { 'w', 'n', 't', 'o' };
	struct sql_token token = sql_token_at(sql);
	char text[256] = "";

	for (; token.kind != SQL_END; token = sql_token_at(token.at + token.size))
		add(text, sizeof(text), "%c:%.*s ", kinds[token.kind], (int)token.size, token.at);
	ck_assert_str_eq(text, words);
}

START_TEST(tokens_are_told_apart)
{
	struct sql_token token = sql_token_at("  \"a\"\"B\" x");

	expect_tokens("SELECT a.b,'it''s' -- LIMIT\n/* ORDER */ FROM [x]]", "w:SELECT w:a o:. w:b o:, t:'it''s' w:FROM n:[x] o:] ");
	expect_tokens("é1 \"\"\"\" `c``d` 1e5", "w:é1 n:\"\"\"\" n:`c``d` w:1e5 ");
	expect_tokens("'open", "t:'open ");
	expect_tokens("x /* open", "w:x ");
	expect_tokens("", "");
	ck_assert(sql_token_spells(&token, "A\"b"));
	ck_assert(!sql_token_spells(&token, "a\"bc") && !sql_token_spells(&token, "a") && !sql_token_is(&token, "a"));
	token = sql_token_at("Limit");
	ck_assert(sql_token_is(&token, "LIMIT") && sql_token_spells(&token, "limit") && !sql_token_is(&token, "LIM"));
}
END_TEST

/* ---- Rows ---- */

START_TEST(rows_are_filtered_and_keep_their_ordinals)
{
	struct table t;
	struct etl_conf conf = conf_of("SELECT id, upper(name) AS n, qty FROM input WHERE qty > 0", "row", NULL, NULL);

	make_items(&t);
	expect(&t, four, 4, &conf, "1 'ADA' 3 100; 3 NULL 'x' 102; 4 'Dé' 0.5 103; ");
	expect_counts(0, 1, 0);
	/* A subquery makes it run row by row; the result is the same. */
	conf = conf_of("SELECT id, (SELECT name) AS n, qty FROM input WHERE qty > 0", "row", NULL, NULL);
	expect(&t, four, 4, &conf, "1 'ada' 3 100; 3 NULL 'x' 102; 4 'dé' 0.5 103; ");
	expect_counts(0, 1, 0);
	expect(&t, four, 0, &conf, "");
	expect_counts(0, 0, 0);
}
END_TEST

START_TEST(rows_that_become_several_are_created)
{
	static const char *const lists[] = { "1", "[1,2,3]", NULL, "2", "[]", NULL, "3", "[9]", NULL };
	struct table t;
	struct etl_conf conf =
		conf_of("SELECT input.id AS id, value FROM json_each(input.name), input", "row", "value", "int64");

	make_items(&t);
	expect(&t, lists, 3, &conf, "1 1 M0; 1 2 M1; 1 3 M2; 3 9 M3; ");
	expect_counts(2, 1, 0);
}
END_TEST

/* A builder of two rows: the statement stops and goes on in the middle of a batch. */
START_TEST(small_batches_change_nothing)
{
	static const char *const lists[] = { "1", "[1,2,3,4,5]", NULL, "2", "[]", NULL, "3", "[9,8]", NULL };
	struct table t;
	struct etl_conf conf = conf_of("SELECT input.id AS id, value FROM input, json_each(name)", "row", "value", "text");

	make_items(&t);
	host.batch_rows = 2;
	expect(&t, lists, 3, &conf, "1 '1' M0; 1 '2' M1; 1 '3' M2; 1 '4' M3; 1 '5' M4; 3 '9' M5; 3 '8' M6; ");
	expect_counts(5, 1, 0);
	conf = conf_of("SELECT id, name || '!' AS n FROM input WHERE id <> 2", "row", NULL, NULL);
	expect(&t, four, 4, &conf, "1 'ada!' 100; 3 NULL 102; 4 'dé!' 103; ");
	expect_counts(0, 1, 0);
	host.batch_rows = ETL_BATCH_ROWS;
	host.batch_bytes = 4;
	expect(&t, four, 4, &conf, "1 'ada!' 100; 3 NULL 102; 4 'dé!' 103; ");
	expect_counts(0, 1, 0);
	host.batch_bytes = ETL_BATCH_BYTES;
}
END_TEST

START_TEST(a_row_that_fails_is_rejected_and_the_rest_goes_on)
{
	struct table t;
	const char *const queries[] = {
		"SELECT id, json_extract(qty, '$') AS j FROM input",
		"SELECT id, (SELECT json_extract(qty, '$')) AS j FROM input",
	};

	make_items(&t);
	for (size_t i = 0; i < 2; i++) {
		struct etl_conf conf = conf_of(queries[i], "row", NULL, NULL);
		struct etl_context context = { 0 };
		struct etl_error err = { 0 };
		char *text = run(&t, four, 4, &conf, &context, &err);

		ck_assert_str_eq(text, "1 3 100; 2 0 101; 4 0.5 103; ");
		ck_assert_int_eq(context.rejects, 1);
		ck_assert_int_eq(context.row, 2);
		ck_assert_str_eq(context.code, "sql");
		ck_assert_str_eq(context.reason, "the query fails at this row: malformed JSON");
		expect_counts(0, 0, 0);
		free(text);
	}
}
END_TEST

START_TEST(a_value_that_does_not_fit_its_type_is_rejected)
{
	const char *const scopes[] = { "row", "table" };
	struct table t;

	make_items(&t);
	for (size_t i = 0; i < 2; i++) {
		struct etl_conf conf = conf_of("SELECT id, qty FROM input", scopes[i], "qty", "int32");
		struct etl_context context = { 0 };
		struct etl_error err = { 0 };
		char *text = run(&t, four, 4, &conf, &context, &err);

		ck_assert_str_eq(text, i == 0 ? "1 3 100; 2 0 101; " : "1 3 M0; 2 0 M1; ");
		ck_assert_int_eq(context.rejects, 2);
		ck_assert_str_eq(context.code, "too_precise");
		ck_assert_str_eq(context.reason, "column qty: the query gives 0.5, which does not fit int32");
		expect_counts(0, 0, 0);
		free(text);
	}
}
END_TEST

START_TEST(the_clock_is_never_asked)
{
	static const char *const now[] = { "1", "2024-01-01", NULL, "2", "now", NULL };
	const char *const scopes[] = { "row", "table" };
	struct table t;

	make_items(&t);
	for (size_t i = 0; i < 2; i++) {
		struct etl_conf conf = conf_of("SELECT id, date(name) AS d FROM input", scopes[i], NULL, NULL);
		struct etl_context context = { 0 };
		struct etl_error err = { 0 };
		char *text = run(&t, now, 2, &conf, &context, &err);

		ck_assert_str_eq(text, "FAILED");
		ck_assert_ptr_nonnull(strstr(err.text, "the query asks for the current time"));
		ck_assert_int_eq(err.klass, ETL_USAGE);
		free(text);
	}
}
END_TEST

START_TEST(the_whole_table_is_one)
{
	struct table t;
	struct etl_conf conf = conf_of("SELECT count(*) AS n, sum(id) AS s, min(name) AS m FROM input", "table", NULL, NULL);

	make_items(&t);
	expect(&t, four, 4, &conf, "4 10 'ada' M0; ");
	expect_counts(0, 0, 3);
	expect(&t, four, 0, &conf, "0 NULL NULL M0; ");
	expect_counts(1, 0, 0);
	conf = conf_of("SELECT id, name FROM item ORDER BY id DESC LIMIT 2", "table", NULL, NULL);
	expect(&t, four, 4, &conf, "4 'dé' M0; 3 NULL M1; ");
	expect_counts(0, 2, 0);
	conf = conf_of("SELECT a.id AS a, b.id AS b FROM input a, item b WHERE a.id < 3", "table", NULL, NULL);
	expect(&t, four, 4, &conf, "1 1 M0; 1 2 M1; 1 3 M2; 1 4 M3; 2 1 M4; 2 2 M5; 2 3 M6; 2 4 M7; ");
	expect_counts(4, 0, 0);
}
END_TEST

/* ---- Every type ---- */

static const struct {
	const char *type, *value, *seen; /* … as the query sees it: type and text */
} values[] = {
	{ "bool", "true", "integer 1" },
	{ "int16", "-32768", "integer -32768" },
	{ "int32", "2147483647", "integer 2147483647" },
	{ "int64", "9223372036854775807", "integer 9223372036854775807" },
	{ "float32", "0.1", "real 0.100000001490116" },
	{ "float64", "-0.0", "real 0.0" },
	{ "float64", "Infinity", "real Inf" },
	{ "decimal(10,2)", "5.00", "real 5.0" },
	{ "decimal(18,0)", "123456789012345678", "integer 123456789012345678" },
	{ "decimal(38,4)", "1234567890123456789012345678901234.5678",
	  "text 1234567890123456789012345678901234.5678" },
	{ "numeric", "0.123456789012345", "real 0.123456789012345" },
	{ "numeric", "123456789012345678901234567890", "text 123456789012345678901234567890" },
	{ "text", "tést", "text tést" },
	{ "text", "", "text " },
	{ "date", "2024-02-29", "text 2024-02-29" },
	{ "time", "23:59:59.5", "text 23:59:59.5" },
	{ "timestamp", "1969-12-31 23:59:59.25", "text 1969-12-31 23:59:59.25" },
	{ "timestamp with time zone", "1969-12-31 23:59:59.25Z", "text 1969-12-31T23:59:59.250000Z" },
	{ "uuid", "01234567-89ab-cdef-0123-456789abcdef", "text 01234567-89ab-cdef-0123-456789abcdef" },
	{ "json", "{\"a\": 1.0}", "text {\"a\": 1.0}" },
	{ "any", "i-1", "integer -1" },
	{ "any", "t0012", "text 0012" },
	{ "any", "f1e300", "real 1.0e+300" },
	{ "any", "b\x01\xff", "blob \x01\xff" },
};

/* As it goes in: through the query's eyes, and unchanged through each way out. */
START_TEST(every_type_passes_unchanged)
{
	static const char *const queries[][2] = {
		{ "SELECT v FROM input", "row" },
		{ "SELECT v FROM (SELECT * FROM input)", "row" },
		{ "SELECT v FROM input", "table" },
	};
	struct table t = { .table = { .name = "t" } };
	struct etl_text plain = { 0 };
	struct ArrowSchema schema;
	struct ArrowArray batch;
	struct etl_view *view;
	struct etl_builder *b;

	add_column(&t, "v", values[_i].type);
	schema = schema_of(t.columns, 1);
	b = etl_builder_new(&schema, 1);
	put_value(b->columns, values[_i].value);
	ck_assert(etl_builder_finish(b, &batch));
	view = etl_view_new(&schema);
	ck_assert(etl_view_set(view, &batch));
	etl_text_add_value(&plain, view->columns, 0);
	for (size_t q = 0; q < 3; q++) {
		struct etl_conf conf = conf_of(queries[q][0], queries[q][1], NULL, NULL);
		char words[256];

		snprintf(words, sizeof(words), "%s %s; ", plain.at, q == 2 ? "M0" : "100");
		expect(&t, &values[_i].value, 1, &conf, words);
	}
	etl_text_free(&plain);
	batch.release(&batch);
	etl_view_free(view);
	etl_builder_free(b);
	schema.release(&schema);
}
END_TEST

START_TEST(every_type_is_seen_as_the_manual_says)
{
	const char *const scopes[] = { "row", "table" };
	struct table t = { .table = { .name = "t" } };

	add_column(&t, "v", values[_i].type);
	for (size_t i = 0; i < 2; i++) {
		struct etl_conf conf =
			conf_of("SELECT CAST(typeof(v) || ' ' || v AS BLOB) AS seen FROM input", scopes[i], NULL, NULL);
		struct etl_text words = { 0 };

		etl_text_add(&words, "x'");
		for (const char *at = values[_i].seen; *at; at++)
			etl_text_addf(&words, "%02x", (unsigned)(unsigned char)*at);
		etl_text_addf(&words, "' %s; ", i == 0 ? "100" : "M0");
		expect(&t, &values[_i].value, 1, &conf, words.at);
		etl_text_free(&words);
	}
}
END_TEST

START_TEST(numbers_compare_as_numbers)
{
	static const char *const two[] = { "9.50", "1234567890123456789.25" };
	struct table t = { .table = { .name = "t" } };
	struct etl_conf conf = conf_of("SELECT v FROM input WHERE v > 10", "row", NULL, NULL);

	add_column(&t, "v", "decimal(30,2)");
	expect(&t, two, 2, &conf, "1234567890123456789.25 101; ");
	conf = conf_of("SELECT v / 2 AS half FROM input WHERE v < '10'", "row", NULL, NULL);
	expect(&t, two, 2, &conf, "4.75 100; ");
}
END_TEST

START_TEST(nan_passes_a_row_but_not_a_table)
{
	static const char *const one[] = { "NaN" };
	struct table t = { .table = { .name = "t" } };
	struct etl_conf conf = conf_of("SELECT v, v IS NULL AS gone FROM input", "row", NULL, NULL);
	struct etl_context context = { 0 };
	struct etl_error err = { 0 };
	char *text;

	add_column(&t, "v", "float64");
	expect(&t, one, 1, &conf, "NaN 1 100; ");
	conf = conf_of("SELECT v FROM input", "table", NULL, NULL);
	text = run(&t, one, 1, &conf, &context, &err);
	ck_assert_str_eq(text, "");
	ck_assert_int_eq(context.rejects, 1);
	ck_assert_str_eq(context.code, "not_a_number");
	expect_counts(0, 0, 0);
	free(text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sql");
	TCase *tests = tcase_create("sql");
	SRunner *runner = srunner_create(suite);
	int failed, types = (int)(sizeof(values) / sizeof(values[0]));

	tcase_add_test(tests, the_shape_follows_the_query);
	tcase_add_test(tests, what_a_scope_does_not_allow_is_refused);
	tcase_add_test(tests, tokens_are_told_apart);
	tcase_add_test(tests, rows_are_filtered_and_keep_their_ordinals);
	tcase_add_test(tests, rows_that_become_several_are_created);
	tcase_add_test(tests, small_batches_change_nothing);
	tcase_add_test(tests, a_row_that_fails_is_rejected_and_the_rest_goes_on);
	tcase_add_test(tests, a_value_that_does_not_fit_its_type_is_rejected);
	tcase_add_test(tests, the_clock_is_never_asked);
	tcase_add_test(tests, the_whole_table_is_one);
	tcase_add_loop_test(tests, every_type_passes_unchanged, 0, types);
	tcase_add_loop_test(tests, every_type_is_seen_as_the_manual_says, 0, types);
	tcase_add_test(tests, numbers_compare_as_numbers);
	tcase_add_test(tests, nan_passes_a_row_but_not_a_table);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
