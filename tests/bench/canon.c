/*
 * How long a row hash takes: prints nanoseconds per row for eight small columns, with and without a key of
 * its own. Run it twice; the first run warms the machine.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../../core/canon.h"

#define ROWS 8192
#define ROUNDS 100

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static bool fill(struct etl_builder *b)
{
	struct etl_column_builder *c = b->columns;

	for (int32_t i = 0; i < ROWS; i++) {
		char text[24];
		int size = snprintf(text, sizeof(text), "name %d", (int)i);

		etl_put_int64(&c[0], i);
		if (!etl_put_bytes(&c[1], text, size))
			return false;
		etl_put_int32(&c[2], i % 97);
		etl_put_float64(&c[3], i * 0.25);
		etl_put_int32(&c[4], 19000 + i % 365);
		etl_put_int64(&c[5], INT64_C(1700000000000000) + i);
		etl_put_bool(&c[6], i & 1);
		if (i % 10 == 0)
			etl_put_null(&c[7]);
		else if (!etl_put_bytes(&c[7], "small", 5))
			return false;
	}
	return true;
}

static bool measure(const char *what, const struct ArrowSchema *schema, const struct ArrowArray *batch,
		    size_t keys)
{
	static const int64_t key[1] = { 0 };
	static uint64_t key_hash[ROWS], row_hash[ROWS];
	struct canon *canon = canon_new(schema, key, keys, ETL_HASH_X1);
	double start = now();
	bool ok = canon != NULL;

	for (int i = 0; i < ROUNDS && ok; i++)
		ok = canon_batch(canon, batch, key_hash, row_hash);
	if (ok)
		printf("%-24s %.1f ns per row\n", what, (now() - start) / ROUNDS / ROWS);
	canon_free(canon);
	return ok;
}

int main(void)
{
	static const struct etl_column columns[] = {
		{ .name = "id", .type = ETL_INT64 }, { .name = "name", .type = ETL_TEXT },
		{ .name = "kind", .type = ETL_INT32 }, { .name = "price", .type = ETL_FLOAT64 },
		{ .name = "day", .type = ETL_DATE }, { .name = "changed", .type = ETL_TIMESTAMP },
		{ .name = "active", .type = ETL_BOOL }, { .name = "note", .type = ETL_TEXT },
	};
	struct ArrowSchema schema = { .release = NULL };
	struct ArrowArray batch = { .release = NULL };
	struct etl_builder *b = NULL;
	bool ok = etl_schema_make(&schema, columns, 8, sizeof(columns[0])) &&
		  (b = etl_builder_new(&schema, ROWS)) && fill(b) && etl_builder_finish(b, &batch) &&
		  measure("row only", &schema, &batch, 0) && measure("key and row", &schema, &batch, 1);

	if (batch.release)
		batch.release(&batch);
	etl_builder_free(b);
	if (schema.release)
		schema.release(&schema);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
