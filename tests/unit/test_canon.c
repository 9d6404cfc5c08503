/* What is equal has one hash, whatever its width; what moved, changed or doubled has another. */
#include "config.h"

#include <check.h>
#include <stdlib.h>

#include "../../core/canon-parts.h"
#include "../../core/lookup3.h"
#include "lib_batch.h"

/* The row hash of one row of two columns. */
static uint64_t hash_two(const char *type_a, const char *a, const char *type_b, const char *b)
{
	struct etl_column columns[2] = { column_of("a", type_a), column_of("b", type_b) };
	struct ArrowSchema schema = schema_of(columns, 2);
	struct etl_builder *builder = builder_of(columns, 2, 1);
	struct canon *canon = canon_new(&schema, NULL, 0, ETL_HASH_X1);
	struct ArrowArray batch;
	uint64_t key = 0, row = 1;

	ck_assert_ptr_nonnull(canon);
	put_text(&builder->columns[0], a);
	put_text(&builder->columns[1], b);
	ck_assert(etl_builder_finish(builder, &batch));
	ck_assert(canon_batch(canon, &batch, &key, &row));
	ck_assert(key == row);
	batch.release(&batch);
	canon_free(canon);
	etl_builder_free(builder);
	schema.release(&schema);
	return row;
}

static uint64_t hash(const char *type, const char *text)
{
	return hash_two(type, text, "int64", "1");
}

/* The row hash of one row of one column of TYPE, whose value PUT appends. */
static uint64_t hash_put(const char *type, bool (*put)(struct etl_column_builder *, const void *), const void *value)
{
	struct etl_column column = column_of("a", type);
	struct ArrowSchema schema = schema_of(&column, 1);
	struct etl_builder *builder = builder_of(&column, 1, 1);
	struct canon *canon = canon_new(&schema, NULL, 0, ETL_HASH_X1);
	struct ArrowArray batch;
	uint64_t key = 0;

	ck_assert(put(&builder->columns[0], value));
	ck_assert(etl_builder_finish(builder, &batch));
	ck_assert(canon_batch(canon, &batch, &key, NULL));
	batch.release(&batch);
	canon_free(canon);
	etl_builder_free(builder);
	schema.release(&schema);
	return key;
}

static bool put_double(struct etl_column_builder *to, const void *value)
{
	etl_put_float64(to, *(const double *)value);
	return true;
}

static bool put_float(struct etl_column_builder *to, const void *value)
{
	etl_put_fixed(to, value);
	return true;
}

static bool put_raw(struct etl_column_builder *to, const void *value)
{
	return etl_put_bytes(to, value, (int64_t)strlen(value));
}

static bool put_blob(struct etl_column_builder *to, const void *value)
{
	return etl_put_any(to, ETL_ANY_BLOB, value, (int64_t)strlen(value));
}

static bool put_any_double(struct etl_column_builder *to, const void *value)
{
	return etl_put_any(to, ETL_ANY_REAL, value, 8);
}

static bool put_any_whole(struct etl_column_builder *to, const void *value)
{
	return etl_put_any(to, ETL_ANY_INT, value, 8);
}

/* Every NaN is the same value, whatever its bits and its width. */
START_TEST(every_nan_is_one)
{
	const uint64_t bits[] = { UINT64_C(0x7ff8000000000000), UINT64_C(0xfff8000000abcdef), UINT64_C(0x7ff0000000000001) };
	const uint32_t single = 0xffc00123u;
	double nan[3];
	float narrow;

	memcpy(nan, bits, sizeof(nan));
	memcpy(&narrow, &single, sizeof(narrow));
	for (size_t i = 1; i < 3; i++)
		ck_assert(hash_put("float64", put_double, &nan[0]) == hash_put("float64", put_double, &nan[i]));
	ck_assert(hash_put("float64", put_double, &nan[0]) == hash_put("float32", put_float, &narrow));
	ck_assert(hash_put("float64", put_double, &nan[0]) == hash_put("any", put_any_double, &nan[1]));
}
END_TEST

START_TEST(any_is_what_it_holds)
{
	const int64_t whole = 5;
	const double real = 0.5;

	ck_assert(hash_put("any", put_blob, "ab") == hash_put("bytes", put_raw, "ab"));
	ck_assert(hash_put("any", put_blob, "ab") != hash_put("text", put_raw, "ab"));
	ck_assert(hash_put("any", put_blob, "") == hash_put("bytes", put_raw, ""));
	ck_assert(hash_put("any", put_raw, "") == hash_put("bytes", put_raw, "")); /* without a tag */
	ck_assert(hash_put("any", put_any_whole, &whole) != hash_put("any", put_any_double, &whole));
	ck_assert(hash_put("any", put_any_double, &real) == hash_put("float64", put_double, &real));
}
END_TEST

/* A store's NaN among its numerics, and a number of more places than anybody spells, stand as they are. */
START_TEST(a_numeric_that_is_no_number)
{
	ck_assert(hash_put("numeric", put_raw, "NaN") != hash_put("numeric", put_raw, "0"));
	ck_assert(hash_put("numeric", put_raw, "NaN") == hash_put("numeric", put_raw, "NaN"));
	ck_assert(hash_put("numeric", put_raw, "1e999999999") != hash_put("numeric", put_raw, "1e999999998"));
}
END_TEST

START_TEST(equal_values_have_one_hash)
{
	ck_assert(hash("int16", "5") == hash("int64", "5"));
	ck_assert(hash("int32", "1") == hash("bool", "true"));
	ck_assert(hash("float32", "0.5") == hash("float64", "0.5"));
	ck_assert(hash("float64", "-0.0") == hash("float64", "0"));
	ck_assert(hash("decimal(10,2)", "1.50") == hash("numeric", "1.5"));
	ck_assert(hash("decimal(10,2)", "-0.00") == hash("numeric", "0"));
	ck_assert(hash("numeric", "1e2") == hash("decimal(5,0)", "100"));
	ck_assert(hash("json", "\"x\"") == hash("text", "\"x\""));
	ck_assert(hash("any", "abc") == hash("text", "abc"));
	ck_assert(hash("time", "12:30") == hash("time", "12:30:00"));
	ck_assert(hash("uuid", "00112233-4455-6677-8899-aabbccddeeff") ==
		  hash("uuid", "00112233-4455-6677-8899-AABBCCDDEEFF"));
}
END_TEST

START_TEST(different_values_have_different_hashes)
{
	ck_assert(hash("int64", "5") != hash("int64", "6"));
	ck_assert(hash("int64", "5") != hash("text", "5"));
	ck_assert(hash("int64", NULL) != hash("int64", "0"));
	ck_assert(hash("text", NULL) != hash("text", ""));
	ck_assert(hash("text", "a") != hash("text", "a "));
	ck_assert(hash("text", "ab") != hash("bytes", "ab"));
	ck_assert(hash("time", "12:30") != hash("time", "12:31"));
	ck_assert(hash("date", "2024-02-29") != hash("timestamp", "2024-02-29"));
	ck_assert(hash("uuid", "00112233-4455-6677-8899-aabbccddeeff") !=
		  hash("uuid", "00112233-4455-6677-8899-aabbccddeefe"));
	ck_assert(hash("decimal(10,2)", "10.00") != hash("decimal(10,2)", "1.00"));
	ck_assert(hash("timestamp", "2024-02-29") != hash("instant", "2024-02-29 00:00:00Z"));
	ck_assert(hash_two("text", "ab", "text", "c") != hash_two("text", "a", "text", "bc"));
	ck_assert(hash_two("int64", "1", "int64", "2") != hash_two("int64", "2", "int64", "1"));
	ck_assert(hash_two("text", NULL, "text", "") != hash_two("text", "", "text", NULL));
}
END_TEST

START_TEST(what_is_offered)
{
	struct etl_column columns[2] = { column_of("a", "int64"), column_of("b", "any") };
	struct ArrowSchema schema = schema_of(columns, 2), plain = schema_of(columns, 1);

	ck_assert(canon_offers(&schema, ETL_HASH_X1) && canon_offers(&plain, ETL_HASH_C1) && canon_offers(&plain, ETL_HASH_P1));
	ck_assert(!canon_offers(&schema, ETL_HASH_C1) && !canon_offers(&schema, ETL_HASH_P1));
	ck_assert(!canon_offers(&plain, 0) && !canon_offers(&plain, 4));
	ck_assert_ptr_null(canon_new(&schema, NULL, 0, ETL_HASH_C1));
	ck_assert_ptr_null(canon_new(&plain, NULL, 0, 99));
	schema.release(&schema);
	plain.release(&plain);
}
END_TEST

/* What a PostgreSQL 15 says to SELECT hashtextextended(left('abc…', n), 0), n from 0 to 64. */
START_TEST(lookup3_is_that_of_a_server)
{
	static const char text[] = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ,.";
	static const int64_t said[] = {
		INT64_C(-6939563903564495251), INT64_C(3591986179850072241), INT64_C(2833316173711343549),
			INT64_C(-6747756470228489321), INT64_C(-1038429303365892052), INT64_C(3076356108696143428),
			INT64_C(290958262752763840), INT64_C(-6158032784613548338), INT64_C(-8882191227074733005),
			INT64_C(-3278210106038014113), INT64_C(-3183301415634409076), INT64_C(3112909444737856467),
			INT64_C(-7556637188122330412), INT64_C(8871624171452417744), INT64_C(4973135103275945525),
			INT64_C(9043359162837317271), INT64_C(878954068520307163), INT64_C(981995727863167554),
			INT64_C(484589330715449564), INT64_C(-232611774418841497), INT64_C(772495730612720881),
			INT64_C(7996419909667933074), INT64_C(5065299895581918398), INT64_C(-1198571854151947912),
			INT64_C(-1933194731779935345), INT64_C(5649064133428767341), INT64_C(-6612928417832572997),
			INT64_C(-2380771206696995028), INT64_C(6812267027916543695), INT64_C(945567879077619982),
			INT64_C(-6220525620039254070), INT64_C(2158826814634153154), INT64_C(3549018472450668904),
			INT64_C(5090768811159989509), INT64_C(8980361962424279172), INT64_C(-7327977299585643623),
			INT64_C(-9049552497159076100), INT64_C(3585635575684526821), INT64_C(-7945884355249891368),
			INT64_C(4463852556669114991), INT64_C(7005817330312134559), INT64_C(1183822382991637849),
			INT64_C(-8686596251890489252), INT64_C(3454633273294941599), INT64_C(1900543947903849116),
			INT64_C(6224872314154463394), INT64_C(1673035894628617813), INT64_C(-5440039937619924774),
			INT64_C(-7165171339210277023), INT64_C(6124086538037542404), INT64_C(2454515570548905920),
			INT64_C(648713676485005531), INT64_C(-7929446843667416580), INT64_C(8953676927482365626),
			INT64_C(-6156597151606490747), INT64_C(1962668061398838203), INT64_C(-9094526370704760998),
			INT64_C(8763051303976679122), INT64_C(-8113942990593294441), INT64_C(-4769213231689440536),
			INT64_C(-2210398797443235344), INT64_C(4596811252212784432), INT64_C(-7787470666893688682),
			INT64_C(-3486352123759900434), INT64_C(6611032685922238026)
	};

	ck_assert_uint_eq(sizeof(said) / sizeof(*said), sizeof(text));
	for (size_t n = 0; n < sizeof(text); n++)
		ck_assert_msg(lookup3_hash(text, n) == (uint64_t)said[n], "%zu bytes", n);
	ck_assert(lookup3_hash("é", 2) == (uint64_t)INT64_C(-763932721387459829));
}
END_TEST

/* The row of the header's example, by a server: hashtextextended('7,~,3:é,,0.5', 0), and the
 * first eight bytes of sha256(convert_to('…', 'UTF8')). */
START_TEST(the_text_form_is_that_of_a_server)
{
	struct etl_column columns[4] = { column_of("a", "int32"), column_of("b", "text"), column_of("c", "text"),
					 column_of("d", "decimal(5,2)") };
	struct ArrowSchema schema = schema_of(columns, 4);
	const int32_t hashes[] = { ETL_HASH_P1, ETL_HASH_C1 };
	const uint64_t said[] = { (uint64_t)INT64_C(-1156816674961855652), UINT64_C(0x638a09c68475c4a8) };
	uint8_t e_acute[] = "é";
	struct canon bare = { .hash = ETL_HASH_C1, .scratch = e_acute, .used = 2 };

	ck_assert(canon_text_hash(&bare) >> 32 == 0x4a99557e);
	for (size_t i = 0; i < 2; i++) {
		struct etl_builder *builder = builder_of(columns, 4, 1);
		const int64_t key[] = { 3, 0 };
		struct canon *canon = canon_new(&schema, key, 2, hashes[i]);
		struct ArrowArray batch;
		uint64_t row_key, row;

		put_text(&builder->columns[0], "7");
		put_text(&builder->columns[1], NULL);
		put_text(&builder->columns[2], "é,");
		put_text(&builder->columns[3], "0.50");
		ck_assert(etl_builder_finish(builder, &batch));
		ck_assert(canon_batch(canon, &batch, &row_key, &row));
		ck_assert(row == said[i]);
		if (i == 0)
			ck_assert(row_key == lookup3_hash("0.5,7", 5));
		batch.release(&batch);
		canon_free(canon);
		etl_builder_free(builder);
	}
	schema.release(&schema);
}
END_TEST

/* The text form of one value is TEXT. */
static void expect_form(const char *type, const char *value, const char *text)
{
	struct etl_column column = column_of("a", type);
	struct ArrowSchema schema = schema_of(&column, 1);
	struct etl_builder *builder = builder_of(&column, 1, 1);
	struct canon *canon = canon_new(&schema, NULL, 0, ETL_HASH_P1);
	struct ArrowArray batch;
	uint64_t hash = 0;

	put_text(&builder->columns[0], value);
	ck_assert(etl_builder_finish(builder, &batch));
	ck_assert(canon_batch(canon, &batch, &hash, NULL));
	ck_assert_msg(hash == lookup3_hash(text, strlen(text)), "%s %s is not %s", type, value ? value : "NULL", text);
	batch.release(&batch);
	canon_free(canon);
	etl_builder_free(builder);
	schema.release(&schema);
}

START_TEST(each_type_has_its_form)
{
	expect_form("bool", "true", "1");
	expect_form("bool", "false", "0");
	expect_form("int16", "-32768", "-32768");
	expect_form("int64", "-9223372036854775808", "-9223372036854775808");
	expect_form("int64", NULL, "~");
	expect_form("float64", "1", "3ff0000000000000");
	expect_form("float32", "0.5", "3fe0000000000000");
	expect_form("float64", "-0.0", "0000000000000000");
	expect_form("float64", "NaN", "7ff8000000000000");
	expect_form("float64", "-Infinity", "fff0000000000000");
	expect_form("decimal(10,3)", "1.500", "1.5");
	expect_form("decimal(10,3)", "-0.010", "-0.01");
	expect_form("decimal(10,0)", "1200", "1200");
	expect_form("decimal(10,2)", "-0.00", "0");
	expect_form("numeric", "1.2e3", "1200");
	expect_form("numeric", "-0.0", "0");
	expect_form("numeric", "0.50", "0.5");
	expect_form("text", "", "0:");
	expect_form("text", "日本 ", "7:日本 ");
	expect_form("json", "{\"a\": 1}", "8:{\"a\": 1}");
	expect_form("bytes", "\x01\xff", "01ff");
	expect_form("date", "1970-01-01", "0");
	expect_form("date", "0001-01-01", "-719162");
	expect_form("time", "00:00:01.5", "1500000");
	expect_form("timestamp", "1969-12-31 23:59:59", "-1000000");
	expect_form("instant", "2024-02-29 12:00:00+02:00", "1709200800000000");
	expect_form("uuid", "00112233-4455-6677-8899-AABBCCDDEEFF", "00112233445566778899aabbccddeeff");
}
END_TEST

/* A key column that the rows do not have is a mistake of who asks, not a hash of something else. */
START_TEST(a_key_is_of_the_columns)
{
	struct etl_column columns[2] = { column_of("a", "int64"), column_of("b", "text") };
	struct ArrowSchema schema = schema_of(columns, 2);
	const int64_t keys[] = { -1, 2, 1 };

	ck_assert_ptr_null(canon_new(&schema, &keys[0], 1, ETL_HASH_X1));
	ck_assert_ptr_null(canon_new(&schema, &keys[1], 1, ETL_HASH_X1));
	canon_free(canon_new(&schema, &keys[2], 1, ETL_HASH_X1));
	schema.release(&schema);
}
END_TEST

/* A batch of other columns than were announced has no hashes, and nothing of it is read. */
START_TEST(a_batch_of_other_columns)
{
	struct etl_column columns[2] = { column_of("a", "int64"), column_of("b", "text") };
	struct ArrowSchema schema = schema_of(columns, 2);
	struct canon *canon = canon_new(&schema, NULL, 0, ETL_HASH_X1);
	struct etl_builder *builder = builder_of(columns, 1, 1);
	struct digest digest = { .total = { 0, 0 } };
	struct etl_text key = { .at = NULL };
	struct ArrowArray batch;
	uint64_t hash = 7;

	etl_put_int64(&builder->columns[0], 1);
	ck_assert(etl_builder_finish(builder, &batch));
	ck_assert(!canon_batch(canon, &batch, &hash, NULL));
	ck_assert(!digest_batch(&digest, canon, &batch, 1000000, 0));
	canon_key_text(canon, &batch, 0, &key);
	ck_assert_uint_eq(hash, 7);
	ck_assert_uint_eq(digest.total.rows, 0);
	ck_assert_ptr_null(key.at);
	batch.release(&batch);
	etl_builder_free(builder);
	canon_free(canon);
	schema.release(&schema);
}
END_TEST

/* Rows first .. last as (id, name, ordinal) into D. */
static void digest_rows(struct digest *d, int64_t first, int64_t last, uint32_t ppm, struct etl_text *key)
{
	struct etl_column columns[3] = { column_of("id", "int64"), column_of("name", "text"),
					 column_of(ETL_ORDINAL_COLUMN, "int64") };
	struct ArrowSchema schema = schema_of(columns, 3);
	struct etl_builder *builder = builder_of(columns, 3, last - first + 1);
	int64_t keys[1] = { 0 };
	struct canon *canon = canon_new(&schema, keys, 1, ETL_HASH_X1);
	struct ArrowArray batch;

	for (int64_t id = first; id <= last; id++) {
		etl_put_int64(&builder->columns[0], id);
		put_text(&builder->columns[1], id % 3 ? "x" : NULL);
		etl_put_int64(&builder->columns[2], id - first);
	}
	ck_assert(etl_builder_finish(builder, &batch));
	ck_assert(digest_batch(d, canon, &batch, ppm, 7));
	if (key)
		canon_key_text(canon, &batch, 2, key);
	batch.release(&batch);
	canon_free(canon);
	etl_builder_free(builder);
	schema.release(&schema);
}

START_TEST(digests_add_up_in_any_order)
{
	struct digest whole = { .total = { 0, 0 } }, low = whole, high = whole, twice = whole;
	struct etl_text key = { .at = NULL };
	uint64_t rows = 0;

	digest_rows(&whole, 1, 1000, 1000000, &key);
	digest_rows(&high, 501, 1000, 1000000, NULL);
	digest_rows(&low, 1, 500, 1000000, NULL);
	digest_add(&high, &low);
	ck_assert_mem_eq(&whole, &high, sizeof(whole));
	ck_assert_uint_eq(whole.total.rows, 1000);
	for (size_t i = 0; i < ETL_BUCKETS; i++)
		rows += whole.buckets[i].rows;
	ck_assert_uint_eq(rows, 1000);
	digest_rows(&twice, 5, 5, 1000000, NULL);
	digest_add(&twice, &twice);
	ck_assert_uint_ne(twice.total.sum, 0);
	ck_assert_str_eq(key.at, "id=3");
	etl_text_free(&key);
}
END_TEST

START_TEST(a_sample_is_the_same_rows_every_time)
{
	struct digest a = { .total = { 0, 0 } }, b = a, none = a;

	digest_rows(&a, 1, 5000, 100000, NULL);
	digest_rows(&b, 2501, 5000, 100000, NULL);
	digest_rows(&b, 1, 2500, 100000, NULL);
	digest_rows(&none, 1, 5000, 0, NULL);
	ck_assert_mem_eq(&a, &b, sizeof(a));
	ck_assert_uint_gt(a.total.rows, 400);
	ck_assert_uint_lt(a.total.rows, 600);
	ck_assert_uint_eq(none.total.rows, 0);
}
END_TEST

START_TEST(a_range_says_which_keys)
{
	struct etl_range all = { .kind = ETL_RANGE_ALL };
	struct etl_range two = { .kind = ETL_RANGE_BUCKETS, .of = 64, .first = 5, .count = 2 };

	ck_assert(range_has(&all, 99));
	ck_assert(range_has(&two, 64 + 5) && range_has(&two, 6));
	ck_assert(!range_has(&two, 4) && !range_has(&two, 7));
	two.of = 0;
	ck_assert(!range_has(&two, 5));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("canon");
	TCase *tests = tcase_create("canon");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tests, equal_values_have_one_hash);
	tcase_add_test(tests, different_values_have_different_hashes);
	tcase_add_test(tests, every_nan_is_one);
	tcase_add_test(tests, any_is_what_it_holds);
	tcase_add_test(tests, a_numeric_that_is_no_number);
	tcase_add_test(tests, a_key_is_of_the_columns);
	tcase_add_test(tests, a_batch_of_other_columns);
	tcase_add_test(tests, what_is_offered);
	tcase_add_test(tests, lookup3_is_that_of_a_server);
	tcase_add_test(tests, the_text_form_is_that_of_a_server);
	tcase_add_test(tests, each_type_has_its_form);
	tcase_add_test(tests, digests_add_up_in_any_order);
	tcase_add_test(tests, a_sample_is_the_same_rows_every_time);
	tcase_add_test(tests, a_range_says_which_keys);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
