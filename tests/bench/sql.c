/*
 * How many rows a second the transform `sql` takes: a projection with a filter over orders as they come from
 * SQLite (each value an `any`), in one thread, with nothing before and behind it. Prints nanoseconds of CPU a row and
 * rows a second for each query.
 */
#include "config.h"

#include <time.h>

#include "../unit/fake_host.h"

#define ROWS 8192

static int batches = 128;

const struct etl_plugin *sql_LTX_etl_plugin(void);

static const struct etl_column columns[] = {
	{ .name = "id", .type = ETL_INT64 },
	{ .name = "customer_id", .type = ETL_ANY },
	{ .name = "placed", .type = ETL_ANY },
	{ .name = "total", .type = ETL_ANY },
	{ .name = "paid", .type = ETL_ANY },
	{ .name = "status", .type = ETL_ANY },
	{ .name = "remark", .type = ETL_ANY },
	{ .name = "signature", .type = ETL_ANY },
	{ .name = ETL_ORDINAL_COLUMN, .type = ETL_INT64 },
};
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

static void count_nothing(struct etl_context *context, int32_t what, uint64_t rows)
{
	(void)context;
	(void)what;
	(void)rows;
}

static const struct etl_host host = { FAKE_HOST, .max_row = 64 << 20, .count = count_nothing };

static bool put_text(struct etl_column_builder *to, const char *text)
{
	return etl_put_any(to, ETL_ANY_TEXT, text, (int64_t)strlen(text));
}

static bool put_order(struct etl_column_builder *c, int64_t i)
{
	static const char *const states[] = { "new", "packed", "sent", "done" };
	int64_t customer = 1 + i * 7919 % 200000, paid = i % 3 > 0;
	double total = (double)(i * 7177 % 1000000) / 100.0;
	char placed[32], remark[64];

	snprintf(placed, sizeof(placed), "2024-%02d-%02d 12:%02d:00", (int)(i % 12 + 1),
		 (int)(i % 28 + 1), (int)(i % 60));
	snprintf(remark, sizeof(remark), "order number %d of the shop", (int)i);
	etl_put_int64(&c[0], i);
	etl_put_int64(&c[8], i);
	if (i % 10 == 0 &&
	    !etl_put_any(&c[7], ETL_ANY_BLOB, "0123456789abcdef0123456789abcdef", 32))
		return false;
	if (i % 10 != 0)
		etl_put_null(&c[7]);
	return etl_put_any(&c[1], ETL_ANY_INT, &customer, 8) && put_text(&c[2], placed) &&
	       etl_put_any(&c[3], ETL_ANY_REAL, &total, 8) &&
	       etl_put_any(&c[4], ETL_ANY_INT, &paid, 8) && put_text(&c[5], states[i % 4]) &&
	       put_text(&c[6], remark);
}

static bool fill(struct etl_builder *b)
{
	for (int64_t i = 0; i < ROWS; i++)
		if (!put_order(b->columns, i))
			return false;
	return true;
}

/* ---- The same batch again and again ---- */

static struct ArrowSchema schema;
static struct ArrowArray orders;
static int left;

static int again_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
	(void)stream;
	return etl_schema_copy(out, &schema) ? 0 : 12;
}

static void keep(struct ArrowArray *batch)
{
	batch->release = NULL;
}

static int again_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
	(void)stream;
	*out = orders;
	out->release = left-- > 0 ? keep : NULL;
	return 0;
}

static const char *again_error(struct ArrowArrayStream *stream)
{
	(void)stream;
	return NULL;
}

static void again_release(struct ArrowArrayStream *stream)
{
	stream->release = NULL;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int64_t drain(struct ArrowArrayStream *out)
{
	struct ArrowArray batch;
	int64_t rows = 0;

	while (out->get_next(out, &batch) == 0 && batch.release) {
		rows += batch.length;
		batch.release(&batch);
	}
	return rows;
}

static bool measure(const char *what, const char *scope, const char *query)
{
	const struct etl_plugin *sql = sql_LTX_etl_plugin();
	const struct etl_conf conf = { { { .key = "query", .items = { query } },
					 { .key = "scope", .items = { scope } } } };
	const struct etl_table table = { .name = "order",
					 .columns = columns,
					 .column_count = COLUMNS - 1,
					 .column_size = sizeof(columns[0]) };
	const struct etl_wrap wrap = { &table, &table, NULL };
	struct ArrowArrayStream in = { again_schema, again_next, again_error, again_release, NULL },
				out;
	struct etl_instance *self = NULL;
	struct etl_error err = { 0 };
	double start = now();
	int64_t rows;

	left = batches;
	if (sql->open(&host, &conf, &self, &err) < 0 ||
	    sql->transform->wrap(self, &wrap, &in, &out, &err) < 0) {
		fprintf(stderr, "sql: %s\n", err.text);
		return false;
	}
	rows = drain(&out);
	start = (now() - start) / ((double)ROWS * batches);
	printf("%-44s %6.0f ns per row, %9.0f rows/s, %lld of %d rows\n", what, start, 1e9 / start,
	       (long long)rows, ROWS * batches);
	out.release(&out);
	sql->close(self);
	return true;
}

/* sql [BATCHES]: fewer of them under a profiler. */
int main(int argc, char **argv)
{
	struct etl_builder *b = NULL;
	bool ok;

	if (argc > 1)
		batches = (int)strtol(argv[1], NULL, 10);
	ok = etl_schema_make(&schema, columns, COLUMNS, sizeof(columns[0])) &&
	     (b = etl_builder_new(&schema, ROWS)) && fill(b) && etl_builder_finish(b, &orders) &&
	     measure("sql: 4 columns and a filter", "row",
		     "SELECT id, customer_id, status, total FROM input WHERE total > 1000") &&
	     measure("sql: 3 expressions and a filter", "row",
		     "SELECT id, upper(status) AS status, substr(remark, 1, 5) AS a, "
		     "substr(remark, 7) AS b "
		     "FROM input WHERE total > 1000") &&
	     measure("sql: all 8 columns and an expression", "row",
		     "SELECT *, total * 2 AS twice FROM input") &&
	     measure("sql: a subquery for each row", "row",
		     "SELECT id, (SELECT status WHERE paid) AS s FROM input") &&
	     measure("sql: grouped over the whole table", "table",
		     "SELECT status, count(*) AS orders, sum(total) AS total FROM input GROUP BY "
		     "status");

	if (orders.release)
		orders.release(&orders);
	etl_builder_free(b);
	if (schema.release)
		schema.release(&schema);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
