/*
 * The validators counts and checksum between two tables in memory: what is equal passes, and a missing, an
 * extra, a changed and a doubled row are each found and named.
 */
#include "config.h"

#include <check.h>

#include "fake_host.h"

const struct etl_plugin *checksum_LTX_etl_plugin(void);
const struct etl_plugin *counts_LTX_etl_plugin(void);

enum { MOST = 400 };

/* A row is its key and a value; both hashes are made of them. */
struct etl_peer {
	struct { uint64_t key, value; } rows[MOST];
	size_t count;
	int digests, reads;
};

static uint64_t mix(uint64_t v)
{
	v = (v ^ v >> 31) * UINT64_C(0x9e3779b97f4a7c15);
	return v ^ v >> 29;
}

static bool wanted(const struct etl_range *range, uint64_t hash, uint32_t *bucket)
{
	if (range->ppm > 0 && mix(hash ^ range->seed) % 1000000 >= range->ppm)
		return false;
	*bucket = 0;
	if (range->kind != ETL_RANGE_BUCKETS)
		return true;
	*bucket = (uint32_t)(hash % range->of) - range->first;
	return *bucket < range->count;
}

static int peer_digest(struct etl_peer *peer, const struct etl_range *range, int32_t hash, struct etl_digest *ret,
		       struct etl_error *err)
{
	uint32_t places = range->kind == ETL_RANGE_BUCKETS ? range->count : 1, bucket;

	(void)err;
	peer->digests++;
	memset(ret, 0, places * sizeof(*ret));
	for (size_t i = 0; i < peer->count; i++) {
		if (!wanted(range, mix(peer->rows[i].key), &bucket))
			continue;
		ret[bucket].rows++;
		ret[bucket].sum += hash ? mix(peer->rows[i].key * 31 + peer->rows[i].value) : 0;
	}
	return 0;
}

struct rows_producer {
	struct etl_producer producer;
	struct etl_peer *peer;
	struct etl_range range;
	size_t at;
};

static int fill(struct etl_producer *self, struct etl_builder *b)
{
	struct rows_producer *p = (struct rows_producer *)self;

	/* Small batches, so that several are read. */
	for (; p->at < p->peer->count && etl_builder_rows(b) < 50; p->at++) {
		uint64_t key = p->peer->rows[p->at].key, hash = mix(key);
		char text[32];
		uint32_t bucket;

		if (!wanted(&p->range, hash, &bucket))
			continue;
		snprintf(text, sizeof(text), "id=%d", (int)key);
		etl_put_bytes(&b->columns[0], text, (int64_t)strlen(text));
		etl_put_int64(&b->columns[1], (int64_t)hash);
		etl_put_int64(&b->columns[2], (int64_t)mix(key * 31 + p->peer->rows[p->at].value));
	}
	return p->at < p->peer->count ? ETL_FILL_MORE : ETL_FILL_END;
}

static void close_rows(struct etl_producer *self)
{
	free(self);
}

static int peer_hashes(struct etl_peer *peer, const struct etl_range *range, int32_t hash,
		       struct ArrowArrayStream *stream, struct etl_error *err);

static int peer_describe(struct etl_peer *peer, const struct etl_table **ret, struct etl_error *err)
{
	static const struct etl_table table = { .name = "t" };

	(void)peer;
	(void)err;
	*ret = &table;
	return ETL_OK;
}

static const struct etl_host host = { FAKE_HOST, .peer_describe = peer_describe, .peer_digest = peer_digest,
				      .peer_hashes = peer_hashes };

static int peer_hashes(struct etl_peer *peer, const struct etl_range *range, int32_t hash,
		       struct ArrowArrayStream *stream, struct etl_error *err)
{
	const struct etl_column columns[] = { { .name = "key", .type = ETL_TEXT },
					      { .name = "key_hash", .type = ETL_INT64 },
					      { .name = "row_hash", .type = ETL_INT64 } };
	struct rows_producer *p = calloc(1, sizeof(*p));
	struct ArrowSchema schema;

	(void)err;
	ck_assert_int_eq(hash, ETL_HASH_X1);
	peer->reads++;
	*p = (struct rows_producer){ { fill, close_rows }, peer, *range, 0 };
	ck_assert(etl_schema_make(&schema, columns, 3, sizeof(columns[0])));
	ck_assert(etl_stream_open(stream, &host, &schema, &p->producer));
	schema.release(&schema);
	return 0;
}

/* What was found, joined by line breaks. */
struct notes {
	struct etl_finding_sink sink;
	char text[4096], extent[32];
	int32_t worst;
	int count;
};

static int note_down(struct etl_finding_sink *self, const struct etl_finding *f)
{
	struct notes *n = (struct notes *)self;
	size_t used = strlen(n->text);

	snprintf(n->text + used, sizeof(n->text) - used, "%s: %s\n", f->code, f->message);
	snprintf(n->extent, sizeof(n->extent), "%s", f->extent);
	n->worst = f->severity > n->worst ? f->severity : n->worst;
	n->count++;
	return 0;
}

static void fill_peer(struct etl_peer *peer, size_t count)
{
	memset(peer, 0, sizeof(*peer));
	for (; peer->count < count; peer->count++) {
		peer->rows[peer->count].key = peer->count + 1;
		peer->rows[peer->count].value = peer->count * 3;
	}
}

static struct etl_peer from, into;

static struct notes run(const struct etl_plugin *plugin, int64_t ppm, int64_t max_rows)
{
	const struct etl_conf conf = { { { .key = "sample", .number = ppm }, { .key = "seed", .number = 1 },
					 { .key = "max_rows", .number = max_rows } } };
	struct notes notes = { .sink = { note_down } };
	struct etl_instance *self = NULL;
	struct etl_error err = { 0 };

	ck_assert_int_eq(plugin->open(&host, &conf, &self, &err), 0);
	ck_assert_int_eq(plugin->validator->check(self, &from, &into, &notes.sink, &err), 0);
	plugin->close(self);
	return notes;
}

START_TEST(counts_says_how_many_are_missing)
{
	struct notes n;

	fill_peer(&from, 400);
	fill_peer(&into, 350);
	n = run(counts_LTX_etl_plugin(), 0, 0);
	ck_assert_int_eq(n.worst, ETL_FAIL);
	ck_assert_str_eq(n.text, "rows_differ: the source gave 400 rows, the target has 350: 50 are missing\n");
	fill_peer(&into, 400);
	n = run(counts_LTX_etl_plugin(), 0, 0);
	ck_assert_int_eq(n.worst, ETL_PASS);
	ck_assert_str_eq(n.extent, "counts");
}
END_TEST

START_TEST(equal_sides_pass_without_reading_rows)
{
	struct notes n;

	fill_peer(&from, 400);
	fill_peer(&into, 400);
	n = run(checksum_LTX_etl_plugin(), 1000000, 10);
	ck_assert_int_eq(n.worst, ETL_PASS);
	ck_assert_str_eq(n.extent, "full");
	ck_assert_int_eq(from.reads + into.reads, 0);
}
END_TEST

START_TEST(each_kind_of_difference_is_named)
{
	struct notes n;

	fill_peer(&from, 400);
	fill_peer(&into, 400);
	into.rows[6].value++;
	into.rows[20].key = 1000;
	n = run(checksum_LTX_etl_plugin(), 1000000, 10);
	ck_assert_int_eq(n.worst, ETL_FAIL);
	ck_assert_int_eq(n.count, 4);
	ck_assert_ptr_nonnull(strstr(n.text, "row_changed: row id=7 differs\n"));
	ck_assert_ptr_nonnull(strstr(n.text, "row_missing: row id=21 is in the source, but not in the target\n"));
	ck_assert_ptr_nonnull(strstr(n.text, "row_extra: row id=1000 is in the target, but not in the source\n"));
	ck_assert_ptr_nonnull(strstr(n.text, "1 missing in the target, 1 only there, 1 changed"));
}
END_TEST

START_TEST(a_doubled_row_differs_once)
{
	struct notes n;

	fill_peer(&from, 100);
	fill_peer(&into, 101);
	into.rows[100] = into.rows[5];
	n = run(checksum_LTX_etl_plugin(), 1000000, 10);
	ck_assert_int_eq(n.count, 2);
	ck_assert_ptr_nonnull(strstr(n.text, "row_extra: row id=6 is in the target"));
}
END_TEST

START_TEST(many_differences_are_counted_and_few_named)
{
	struct notes n;

	fill_peer(&from, 400);
	fill_peer(&into, 400);
	for (size_t i = 0; i < 400; i++)
		into.rows[i].value++;
	n = run(checksum_LTX_etl_plugin(), 1000000, 3);
	ck_assert_int_eq(n.count, 4);
	ck_assert_ptr_nonnull(strstr(n.text, "400 changed"));
}
END_TEST

START_TEST(a_sample_looks_at_its_rows_only)
{
	struct notes n;
	uint32_t bucket;
	const struct etl_range tenth = { .kind = ETL_RANGE_SAMPLE, .ppm = 100000, .seed = 1 };
	int in_sample = 0;

	fill_peer(&from, 400);
	fill_peer(&into, 400);
	for (size_t i = 0; i < 400; i++) {
		into.rows[i].value++;
		in_sample += wanted(&tenth, mix(i + 1), &bucket);
	}
	ck_assert_int_gt(in_sample, 0);
	n = run(checksum_LTX_etl_plugin(), 100000, 1000);
	ck_assert_str_eq(n.extent, "sample 10 %");
	ck_assert_int_eq(n.count, in_sample + 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("checksum");
	TCase *tests = tcase_create("checksum");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tests, counts_says_how_many_are_missing);
	tcase_add_test(tests, equal_sides_pass_without_reading_rows);
	tcase_add_test(tests, each_kind_of_difference_is_named);
	tcase_add_test(tests, a_doubled_row_differs_once);
	tcase_add_test(tests, many_differences_are_counted_and_few_named);
	tcase_add_test(tests, a_sample_looks_at_its_rows_only);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
