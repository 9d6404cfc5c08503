/*
 * Validator `checksum`: every value of both sides, compared through one canonical row hash. Equal
 * digests end it at once; different ones are narrowed down to buckets, and only the rows of those
 * are compared one by one, so that the rows that differ can be named.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "rows.h"

#define PPM_ALL 1000000
/* Compares at least so many rows at a time, however little memory the host grants. */
#define LEAST_ROWS 65536

struct etl_instance {
	const struct etl_host *host;
	uint32_t ppm;
	uint64_t seed;
	size_t max_rows;
	char extent[32]; /* "full", "sample 10 %" */
	struct etl_text looked; /* … "full but for values of a, b": as findings say it */
};

/* One comparison under way. */
struct comparison {
	struct etl_instance *self;
	struct etl_peer *from, *into;
	struct etl_digest from_buckets[ETL_BUCKETS], into_buckets[ETL_BUCKETS];
	struct differences differences;
	uint64_t from_rows, into_rows;
};

/* 1234567 as "1,234,567". */
static const char *grouped(uint64_t n, char buf[32])
{
	char *at = buf + 31;
	int digits = 0;

	*at = '\0';
	do {
		if (digits > 0 && digits % 3 == 0)
			*--at = ',';
		*--at = (char)('0' + n % 10);
		n /= 10;
		digits++;
	} while (n > 0);
	return at;
}

static struct etl_range range_of(const struct etl_instance *self, int32_t kind)
{
	struct etl_range range = { .kind = kind };

	if (self->ppm < PPM_ALL) {
		range.ppm = self->ppm;
		range.seed = self->seed;
	}
	return range;
}

static struct etl_range bucket_range(const struct etl_instance *self, uint32_t of, uint32_t first,
				     uint32_t count)
{
	struct etl_range range = range_of(self, ETL_RANGE_BUCKETS);

	range.of = of;
	range.first = first;
	range.count = count;
	return range;
}

static bool equal(const struct etl_digest *a, const struct etl_digest *b)
{
	return a->rows == b->rows && a->sum == b->sum;
}

static int emit_text(const struct etl_instance *self, struct etl_finding_sink *sink,
		     struct etl_finding *finding, struct etl_text *text, struct etl_error *err)
{
	int r;

	finding->extent = self->looked.at;
	finding->message = text->at;
	if (text->failed)
		r = self->host->fail(err, ETL_MEMORY, NULL, 0, "no memory for a finding");
	else
		r = sink->emit(sink, finding);
	etl_text_free(text);
	return r;
}

static int emit_pass(const struct etl_instance *self, uint64_t rows, struct etl_finding_sink *sink,
		     struct etl_error *err)
{
	struct etl_finding finding = { .severity = ETL_PASS, .code = "rows_equal", .rows = rows };
	struct etl_text text = { 0 };
	char n[32];

	etl_text_addf(&text, "%s row%s compared, all equal", grouped(rows, n),
		      rows == 1 ? "" : "s");
	return emit_text(self, sink, &finding, &text, err);
}

static int emit_row(const struct etl_instance *self, const struct difference *d,
		    struct etl_finding_sink *sink, struct etl_error *err)
{
	static const char *const codes[] = { "row_missing", "row_extra", "row_changed" };
	static const char *const words[] = { "is in the source, but not in the target",
					     "is in the target, but not in the source", "differs" };
	struct etl_finding finding = {
		.severity = ETL_FAIL, .code = codes[d->kind], .key = d->key, .rows = 1
	};
	struct etl_text text = { 0 };

	etl_text_add(&text, "row ");
	if (d->key)
		etl_text_add(&text, d->key);
	else
		etl_text_addf(&text, "with key hash %016" PRIx64, d->row.key);
	etl_text_addf(&text, " %s", words[d->kind]);
	return emit_text(self, sink, &finding, &text, err);
}

static int emit_totals(const struct comparison *c, struct etl_finding_sink *sink,
		       struct etl_error *err)
{
	const uint64_t *totals = c->differences.totals;
	struct etl_finding finding = { .severity = ETL_FAIL, .code = "rows_differ" };
	struct etl_text text = { 0 };
	char a[32], b[32], m[32], e[32], x[32];

	finding.rows = totals[ROW_MISSING] + totals[ROW_EXTRA] + totals[ROW_CHANGED];
	if (finding.rows == 0)
		etl_text_add(
			&text,
			"the checksums differ, but no row did when the rows were read again: one "
			"side "
			"changes while it is compared; stop what writes to it and run again");
	else
		etl_text_addf(
			&text,
			"of %s rows in the source and %s in the target %s missing in the target, "
			"%s "
			"only there, %s changed",
			grouped(c->from_rows, a), grouped(c->into_rows, b),
			grouped(totals[ROW_MISSING], m), grouped(totals[ROW_EXTRA], e),
			grouped(totals[ROW_CHANGED], x));
	return emit_text(c->self, sink, &finding, &text, err);
}

static int compare_range(struct comparison *c, const struct etl_range *range, uint64_t buckets,
			 struct etl_error *err)
{
	const struct etl_host *host = c->self->host;
	struct hashed_rows from = { 0 }, into = { 0 };
	size_t first = c->differences.count;
	int r = rows_read(host, c->from, range, buckets, &from, err);

	if (r == ETL_OK)
		r = rows_read(host, c->into, range, buckets, &into, err);
	if (r == ETL_OK)
		rows_compare(&from, &into, &c->differences);
	rows_free(&from);
	rows_free(&into);
	if (r == ETL_OK)
		r = rows_name(host, c->from, range, true, &c->differences, first, err);
	if (r == ETL_OK)
		r = rows_name(host, c->into, range, false, &c->differences, first, err);
	return r;
}

/* How many rows fit, both sides together: arrays double as they grow and qsort wants a copy. */
static uint64_t rows_at_once(const struct etl_host *host)
{
	uint64_t rows = host->memory > 0 ?
				(uint64_t)host->memory / (3 * sizeof(struct hashed_row)) :
				0;

	return rows < LEAST_ROWS ? LEAST_ROWS : rows;
}

static uint64_t bucket_rows(const struct comparison *c, uint32_t bucket)
{
	return c->from_buckets[bucket].rows + c->into_buckets[bucket].rows;
}

/* A bucket too large for the memory, in parts: hash modulo 64 × parts is i × 64 + bucket. */
static int compare_in_parts(struct comparison *c, uint32_t bucket, uint64_t room,
			    struct etl_error *err)
{
	uint64_t wanted = bucket_rows(c, bucket) / room + 1;
	uint32_t parts = wanted < UINT32_MAX / ETL_BUCKETS ? (uint32_t)wanted :
							     UINT32_MAX / ETL_BUCKETS;
	int r = ETL_OK;

	for (uint32_t i = 0; r == ETL_OK && i < parts; i++) {
		struct etl_range range = bucket_range(c->self, ETL_BUCKETS * parts,
						      i * ETL_BUCKETS + bucket, 1);

		r = compare_range(c, &range, UINT64_C(1) << bucket, err);
	}
	return r;
}

/* Each range is a pass over both sides, so neighbouring buckets go together while their rows fit.
 */
static int compare_buckets(struct comparison *c, struct etl_error *err)
{
	const uint64_t room = rows_at_once(c->self->host);
	int r = ETL_OK;

	for (uint32_t i = 0; r == ETL_OK && i < ETL_BUCKETS;) {
		uint64_t rows = 0, buckets = 0;
		uint32_t first = i, end = i + 1;

		if (equal(&c->from_buckets[i], &c->into_buckets[i])) {
			i++;
			continue;
		}
		for (; i < ETL_BUCKETS && rows + bucket_rows(c, i) <= room; i++) {
			if (equal(&c->from_buckets[i], &c->into_buckets[i]))
				continue;
			rows += bucket_rows(c, i);
			buckets |= UINT64_C(1) << i;
			end = i + 1;
		}
		if (buckets != 0) {
			struct etl_range range = bucket_range(c->self, ETL_BUCKETS, first,
							      end - first);

			r = compare_range(c, &range, buckets, err);
		} else {
			r = compare_in_parts(c, i++, room, err);
		}
	}
	return r;
}

/* Columns that cannot be compared are named where it is said how much was. */
static int name_looked(struct etl_instance *self, struct etl_peer *into, struct etl_error *err)
{
	const struct etl_table *table;
	const char *between = " but for values of ";
	int r = self->host->peer_describe(into, &table, err);

	if (r < 0)
		return r;
	self->looked.length = 0;
	etl_text_add(&self->looked, self->extent);
	for (size_t i = 0; i < table->column_count; i++) {
		const struct etl_column *c =
			ETL_AT(const struct etl_column, table->columns, table->column_size, i);

		if (!(c->flags & ETL_RESPELT))
			continue;
		etl_text_addf(&self->looked, "%s%s", between, c->name);
		between = ", ";
	}
	return self->looked.failed ? self->host->fail(err, ETL_MEMORY, NULL, 0, "no memory to compare rows") :
				     ETL_OK;
}

static int find_differences(struct comparison *c, struct etl_error *err)
{
	const struct etl_host *host = c->self->host;
	struct etl_range range = bucket_range(c->self, ETL_BUCKETS, 0, ETL_BUCKETS);
	int r = host->peer_digest(c->from, &range, ETL_HASH_X1, c->from_buckets, err);

	if (r == ETL_OK)
		r = host->peer_digest(c->into, &range, ETL_HASH_X1, c->into_buckets, err);
	return r == ETL_OK ? compare_buckets(c, err) : r;
}

static int name_differences(struct comparison *c, struct etl_finding_sink *sink,
			    struct etl_error *err)
{
	int r;

	c->differences.room = c->self->max_rows;
	c->differences.at = calloc(c->self->max_rows + 1, sizeof(*c->differences.at));
	if (!c->differences.at)
		return c->self->host->fail(err, ETL_MEMORY, NULL, 0, "no memory to compare rows");
	r = find_differences(c, err);
	for (size_t i = 0; r == ETL_OK && i < c->differences.count; i++)
		r = emit_row(c->self, &c->differences.at[i], sink, err);
	if (r == ETL_OK)
		r = emit_totals(c, sink, err);
	for (size_t i = 0; i < c->differences.count; i++)
		free(c->differences.at[i].key);
	free(c->differences.at);
	return r;
}

static int checksum_check(struct etl_instance *self, struct etl_peer *from, struct etl_peer *into,
			  struct etl_finding_sink *sink, struct etl_error *err)
{
	const struct etl_range range = range_of(self, self->ppm < PPM_ALL ? ETL_RANGE_SAMPLE :
									    ETL_RANGE_ALL);
	struct comparison c = { .self = self, .from = from, .into = into };
	struct etl_digest a, b;
	int r = name_looked(self, into, err);

	if (r == ETL_OK)
		r = self->host->peer_digest(from, &range, ETL_HASH_X1, &a, err);
	if (r == ETL_OK)
		r = self->host->peer_digest(into, &range, ETL_HASH_X1, &b, err);
	if (r < 0)
		return r;
	if (equal(&a, &b))
		return emit_pass(self, a.rows, sink, err);
	c.from_rows = a.rows;
	c.into_rows = b.rows;
	return name_differences(&c, sink, err);
}

static int checksum_needs(struct etl_instance *self, struct etl_needs *ret, struct etl_error *err)
{
	(void)err;
	*ret = (struct etl_needs){ .hash = ETL_HASH_X1, .ppm = self->ppm, .seed = self->seed };
	return ETL_OK;
}

/* Parts of a million as a percentage without trailing zeros: 100000 is "10", 5000 "0.5". */
static void name_extent(struct etl_instance *self)
{
	unsigned whole = self->ppm / 10000, rest = self->ppm % 10000;
	int digits = 4;

	if (self->ppm == PPM_ALL) {
		snprintf(self->extent, sizeof(self->extent), "full");
		return;
	}
	for (; rest != 0 && rest % 10 == 0; digits--)
		rest /= 10;
	if (rest == 0)
		snprintf(self->extent, sizeof(self->extent), "sample %u %%", whole);
	else
		snprintf(self->extent, sizeof(self->extent), "sample %u.%0*u %%", whole, digits,
			 rest);
}

static int checksum_open(const struct etl_host *host, const struct etl_conf *conf,
			 struct etl_instance **ret, struct etl_error *err)
{
	int64_t ppm = host->num(conf, "sample");
	struct etl_instance *self;

	if (ppm <= 0 || ppm > PPM_ALL)
		return host->fail(err, ETL_USAGE, NULL, 0,
				  "checksum: sample must be more than 0 %% and at most 100 %%");
	self = calloc(1, sizeof(*self));
	if (!self)
		return host->fail(err, ETL_MEMORY, NULL, 0, "no memory for the validator");
	self->host = host;
	self->ppm = (uint32_t)ppm;
	self->seed = (uint64_t)host->num(conf, "seed");
	self->max_rows = (size_t)host->num(conf, "max_rows");
	name_extent(self);
	*ret = self;
	return ETL_OK;
}

static void checksum_close(struct etl_instance *self)
{
	if (self)
		etl_text_free(&self->looked);
	free(self);
}

static const struct etl_validator checksum_validator = {
	.size = sizeof(struct etl_validator),
	.check = checksum_check,
	.needs = checksum_needs,
};

static const struct etl_option checksum_options[] = {
	{ .name = "sample",
	  .kind = ETL_OPT_PERCENT,
	  .default_text = "100%",
	  .help = "How much of each table is compared. The rows are chosen by their key, so "
		  "they are the same "
		  "on both sides and in every run." },
	{ .name = "seed",
	  .kind = ETL_OPT_INT,
	  .default_text = "1",
	  .max = INT64_MAX,
	  .help = "Another number chooses another sample." },
	{ .name = "max_rows",
	  .kind = ETL_OPT_INT,
	  .default_text = "10",
	  .max = 10000,
	  .help = "How many differing rows of a table are named." },
	{ .name = NULL },
};

static const struct etl_plugin checksum_plugin = {
	.abi = ETL_ABI,
	.size = sizeof(struct etl_plugin),
	.option_size = sizeof(struct etl_option),
	.name = "checksum",
	.version = PACKAGE_VERSION,
	.summary = "compares the rows of both sides by their hashes",
	.license = "MIT",
	.options = checksum_options,
	.open = checksum_open,
	.close = checksum_close,
	.validator = &checksum_validator,
};

ETL_PLUGIN(checksum, checksum_plugin)
