/*
 * The splitter: which records it cuts, where they stand, what is around them, and what it says of a stream that is none.
 * Each stream is fed in one piece and in pieces of each small size; the answer is the same.
 */
#include "config.h"

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/json/split.h"
#include "plugins/json/tree.h"

enum { MOST = 1000 };

static const char *const no_names[] = { NULL };
static const char *const *names = no_names;
static size_t name_count, max_record = MOST;
static char got[4000];
static size_t used;

static void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void print(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	used += (size_t)vsnprintf(got + used, sizeof(got) - used, format, list);
	va_end(list);
	ck_assert_uint_lt(used, sizeof(got));
}

static void print_record(const struct json_record *r, uint64_t index)
{
	ck_assert_uint_eq(r->index, index);
	print("%u@%u:%u ", (unsigned)r->offset, (unsigned)r->line, (unsigned)r->column);
	if (r->key)
		print("%.*s: ", (int)r->key_size, r->key);
	print("%s%s%.*s\n", r->unseparated ? "BARE " : "", r->too_large ? "LARGE " : "", (int)r->size, r->text);
}

static void print_end(const struct json_split *split)
{
	size_t size;
	const char *outer = json_split_outer(split, &size);

	print("%s%.*s\n", json_split_found(split) ? "" : "not found ", (int)size, outer);
}

static int feed(struct json_split *split, const char *bytes, size_t size, bool last, uint64_t *index)
{
	struct json_split_flaw flaw;
	struct json_record record;
	char *piece = malloc(size + 1); /* what is fed has its own end, so that reading past it is seen */
	int step;

	ck_assert_ptr_nonnull(piece);
	memcpy(piece, bytes, size);
	json_split_feed(split, piece, size, last);
	while ((step = json_split_next(split, &record, &flaw)) == JSON_SPLIT_RECORD)
		print_record(&record, (*index)++);
	if (step == JSON_SPLIT_FLAW)
		print("%s %u@%u:%u %s\n", flaw.code, (unsigned)flaw.offset, (unsigned)flaw.line, (unsigned)flaw.column,
		      flaw.reason);
	free(piece);
	return step;
}

static int cut_in(int cut, const char *stream, size_t size, size_t piece)
{
	struct json_split_plan plan = { cut, names, name_count, max_record };
	struct json_split *split = json_split_new(&plan);
	uint64_t index = 0;
	size_t at = 0, n;
	int step = JSON_SPLIT_MORE, chosen;

	ck_assert_ptr_nonnull(split);
	used = 0;
	got[0] = '\0';
	while (step == JSON_SPLIT_MORE) {
		n = piece < size - at ? piece : size - at;
		step = feed(split, stream + at, n, at + n == size, &index);
		at += n;
	}
	if (step == JSON_SPLIT_END)
		print_end(split);
	chosen = json_split_chosen(split);
	json_split_free(split);
	return chosen;
}

static int expect_bytes(int cut, const char *stream, size_t size, const char *wanted)
{
	size_t piece;
	int chosen = -1;

	for (piece = 1; piece < 70; piece++) {
		chosen = cut_in(cut, stream, size, piece);
		ck_assert_msg(strcmp(got, wanted) == 0, "in pieces of %d:\n%s\nand not\n%s", (int)piece, got, wanted);
	}
	chosen = cut_in(cut, stream, size, size + 1);
	ck_assert_str_eq(got, wanted);
	return chosen;
}

static int expect(int cut, const char *stream, const char *wanted)
{
	return expect_bytes(cut, stream, strlen(stream), wanted);
}

static void way(const char *const *to, size_t count)
{
	names = to;
	name_count = count;
}

START_TEST(elements)
{
	expect(JSON_CUT_ELEMENTS, "[]", "[]\n");
	expect(JSON_CUT_ELEMENTS, " \n[ \n] \n", "[]\n");
	expect(JSON_CUT_ELEMENTS, "[1,\"a,]\", {\"b\":[2,3]}\n,\n null]",
	       "1@1:2 1\n3@1:4 \"a,]\"\n10@1:11 {\"b\":[2,3]}\n25@3:2 null\n[]\n");
	expect(JSON_CUT_ELEMENTS, "[\"\\\"\",\"\\\\\",\"\\\\\\\"]\"]", "1@1:2 \"\\\"\"\n6@1:7 \"\\\\\"\n11@1:12 \"\\\\\\\"]\"\n[]\n");
	expect(JSON_CUT_EACH, "[[1],[2]]", "1@1:2 [1]\n5@1:6 [2]\n[]\n");
}
END_TEST

START_TEST(members)
{
	expect(JSON_CUT_MEMBERS, "{}", "{}\n");
	expect(JSON_CUT_MEMBERS, "{\"A-1\":{\"x\":\"}\"},\n \"b\\\"\\u00e9\" \n:\n 2 , \"\":[]}",
	       "7@1:8 A-1: {\"x\":\"}\"}\n35@4:2 b\\\"\\u00e9: 2\n42@4:9 : []\n{}\n");
	expect(JSON_CUT_EACH, "{\"a\":1}", "5@1:6 a: 1\n{}\n");
	expect(JSON_CUT_MEMBERS, "{\"a\":}", "5@1:6 a: \n{}\n");
	expect(JSON_CUT_MEMBERS, "{\"a\":1,b:2}", "5@1:6 a: 1\nnot_json 7@1:8 The name of a member, in double quotes, is needed"
	       " here.\n");
	expect(JSON_CUT_MEMBERS, "{\"a\" 1}", "not_json 1@1:2 Behind the name of this member a colon is needed.\n");
	expect(JSON_CUT_MEMBERS, "{\"a\":1,}", "5@1:6 a: 1\nnot_json 7@1:8 The name of a member, in double quotes, is needed"
	       " here.\n");
	expect(JSON_CUT_MEMBERS, "{\n\"\\q\":1}", "not_json 2@2:1 In the name of this member is an escape that JSON has not.\n");
	expect(JSON_CUT_MEMBERS, "{\"\xff\":1}", "invalid_utf8 1@1:2 The name of this member is no UTF-8.\n");
	expect(JSON_CUT_MEMBERS, "{\"a\tb\":1}",
	       "not_json 1@1:2 In the name of this member is a control character that is not an escape.\n");
}
END_TEST

START_TEST(lines)
{
	expect(JSON_CUT_LINES, "", "\n");
	expect(JSON_CUT_LINES, "\n \r\n", "\n");
	expect(JSON_CUT_LINES, "{\"a\":1}\n\n  2 \r\n\"x", "0@1:1 {\"a\":1}\n11@3:3 2\n15@4:1 \"x\n\n");
	expect(JSON_CUT_LINES, "1\n2\n", "0@1:1 1\n2@2:1 2\n\n");
}
END_TEST

START_TEST(the_whole)
{
	expect(JSON_CUT_WHOLE, "\n {\"a\":\n1}\n\n", "2@2:2 {\"a\":\n1}\n\n");
	expect(JSON_CUT_WHOLE, "1 2", "0@1:1 1 2\n\n");
	expect(JSON_CUT_WHOLE, "", "empty 0@1:1 There is nothing in it.\n");
	expect(JSON_CUT_WHOLE, " \n ", "empty 3@2:2 There is nothing in it.\n");
}
END_TEST

START_TEST(a_bad_record_does_not_hurt_the_others)
{
	expect(JSON_CUT_ELEMENTS, "[{\"a\":tru},{\"b\" 1},1 2,{\"c\":3} x,6]",
	       "1@1:2 {\"a\":tru}\n11@1:12 {\"b\" 1}\n19@1:20 1 2\n23@1:24 {\"c\":3} x\n33@1:34 6\n[]\n");
	expect(JSON_CUT_ELEMENTS, "[[5},6]", "1@1:2 [5}\n5@1:6 6\n[]\n");
	expect(JSON_CUT_ELEMENTS, "[1,,2,]", "1@1:2 1\n3@1:4 \n4@1:5 2\n6@1:7 \n[]\n");
	expect(JSON_CUT_ELEMENTS, "[,]", "1@1:2 \n2@1:3 \n[]\n");
	expect(JSON_CUT_LINES, "{\"a\":\n[1\n{\"b\":2}\n", "0@1:1 {\"a\":\n6@2:1 [1\n9@3:1 {\"b\":2}\n\n");
}
END_TEST

/* An array or object that is whole ends at its bracket: what begins behind it without a comma is another record. */
START_TEST(records_without_a_comma_between_them_are_two)
{
	expect(JSON_CUT_ELEMENTS, "[{\"a\":1}{\"b\":[2]}\n [3] [4]\n,\n5]",
	       "1@1:2 {\"a\":1}\n8@1:9 BARE {\"b\":[2]}\n19@2:2 BARE [3]\n23@2:6 BARE [4]\n29@4:1 5\n[]\n");
	expect(JSON_CUT_ELEMENTS, "[{\"a\":\"} {\"} {}]", "1@1:2 {\"a\":\"} {\"}\n13@1:14 BARE {}\n[]\n");
	expect(JSON_CUT_ELEMENTS, "[{\"a\":tru} {\"b\":2}]", "1@1:2 {\"a\":tru}\n11@1:12 BARE {\"b\":2}\n[]\n");
	expect(JSON_CUT_MEMBERS, "{\"a\":{\"x\":1}\n \"b\": [2]\"c\":3,\"d\":[4]}",
	       "5@1:6 a: {\"x\":1}\n19@2:7 b: BARE [2]\n26@2:14 c: BARE 3\n32@2:20 d: [4]\n{}\n");
	/* Where a bracket does not say that it ends, nothing is guessed. */
	expect(JSON_CUT_ELEMENTS, "[1 {\"a\":2},{\"b\":3} 4, \"x\" \"y\", {\"c\":5} : {\"d\":6}]",
	       "1@1:2 1 {\"a\":2}\n11@1:12 {\"b\":3} 4\n22@1:23 \"x\" \"y\"\n31@1:32 {\"c\":5} : {\"d\":6}\n[]\n");
	expect(JSON_CUT_ELEMENTS, "[{\"a\":1}} {\"b\":2}]",
	       "1@1:2 {\"a\":1}\nnot_json 8@1:9 Where a comma or ] is needed there is }.\n");
	max_record = 8;
	expect(JSON_CUT_ELEMENTS, "[{\"a\":1} {\"b\":2} {\"c\":345} [4]]",
	       "1@1:2 {\"a\":1}\n9@1:10 BARE {\"b\":2}\n17@1:18 BARE LARGE {\"c\":345\n27@1:28 BARE [4]\n[]\n");
	max_record = MOST;
}
END_TEST

START_TEST(what_is_around_the_records_is_told)
{
	expect(JSON_CUT_ELEMENTS, "[1]x", "1@1:2 1\nnot_json 3@1:4 Where the end of the text is needed there is x.\n");
	expect(JSON_CUT_ELEMENTS, "[1]\n[2]", "1@1:2 1\nnot_json 4@2:1 Where the end of the text is needed there is [.\n");
	expect(JSON_CUT_ELEMENTS, "[1}", "1@1:2 1\nnot_json 2@1:3 Where a comma or ] is needed there is }.\n");
	expect(JSON_CUT_ELEMENTS, "[1\n", "cut_short 3@2:1 The text ends in record 1, which starts in line 1, column 2.\n");
	expect(JSON_CUT_ELEMENTS, "[1,", "1@1:2 1\ncut_short 3@1:4 The text ends early: an array or object that is open has no"
	       " end.\n");
	expect(JSON_CUT_ELEMENTS, "[", "cut_short 1@1:2 The text ends early: an array or object that is open has no end.\n");
	expect(JSON_CUT_ELEMENTS, "", "empty 0@1:1 There is nothing in it.\n");
	expect(JSON_CUT_ELEMENTS, " ", "empty 1@1:2 There is nothing in it.\n");
}
END_TEST

START_TEST(a_container_that_is_not_there)
{
	static const char *const a[] = { "a" };

	expect(JSON_CUT_ELEMENTS, "{\"a\":[1]}", "not found \n");
	expect(JSON_CUT_MEMBERS, "[1]", "not found \n");
	expect(JSON_CUT_EACH, " \"x\" ", "not found \n");
	expect(JSON_CUT_ELEMENTS, "{\"a\":", "cut_short 5@1:6 The text ends early: an array or object that is open has no end.\n");
	way(a, 1);
	expect(JSON_CUT_ELEMENTS, "{\"b\":[1]}", "not found {\"b\":[1]}\n");
	expect(JSON_CUT_ELEMENTS, "{\"a\":null}", "not found {\"a\":null}\n");
	expect(JSON_CUT_ELEMENTS, "{\"a\":{\"a\":[1]}}", "not found {\"a\":{\"a\":[1]}}\n");
	expect(JSON_CUT_ELEMENTS, "[{\"a\":[1]}]", "not found \n");
	expect(JSON_CUT_ELEMENTS, "{}", "not found {}\n");
	way(no_names, 0);
}
END_TEST

START_TEST(on_the_way_to_a_container)
{
	static const char *const path[] = { "a", "\xc3\xa9" };

	way(path, 1);
	expect(JSON_CUT_ELEMENTS, "{\"total\":2,\n\"a\": [1, {\"a\":[3]} ],\"z\":{\"a\":[1]},\"y\":\"]\"} ",
	       "18@2:7 1\n21@2:10 {\"a\":[3]}\n{\"total\":2,\n\"a\": [],\"z\":{\"a\":[1]},\"y\":\"]\"}\n");
	expect(JSON_CUT_AUTO, "{\"\\u0061\":{\"k\":1}}", "15@1:16 k: 1\n{\"\\u0061\":{}}\n");
	expect(JSON_CUT_ELEMENTS, "{\"a\":[1],\"a\":[2]}",
	       "6@1:7 1\nduplicate_key 13@1:14 The member \"a\" with the records is there a second time.\n");
	expect(JSON_CUT_ELEMENTS, "{\"b\" 1}", "not_json 5@1:6 Where a colon is needed there is 1.\n");
	expect(JSON_CUT_ELEMENTS, "{b:1}", "not_json 1@1:2 Where the name of a member, in double quotes, is needed there is b.\n");
	expect(JSON_CUT_ELEMENTS, "{\"b\":1]", "not_json 6@1:7 Where a comma or } is needed there is ].\n");
	expect(JSON_CUT_ELEMENTS, "{\"a\":[1]", "6@1:7 1\ncut_short 8@1:9 The text ends early: an array or object that is open has"
	       " no end.\n");
	expect(JSON_CUT_ELEMENTS, "{\"a\":[1]}}", "6@1:7 1\nnot_json 9@1:10 Where the end of the text is needed there is }.\n");
	way(path, 2);
	expect(JSON_CUT_EACH, "{\"x\":{\"\xc3\xa9\":0},\"a\":{\"b\":[],\"\\u00e9\":{\"k\":1,\"l\":2},\"c\":3},\"t\":4}",
	       "40@1:41 k: 1\n46@1:47 l: 2\n{\"x\":{\"\xc3\xa9\":0},\"a\":{\"b\":[],\"\\u00e9\":{},\"c\":3},\"t\":4}\n");
	way(no_names, 0);
}
END_TEST

START_TEST(the_cut_is_chosen)
{
	ck_assert_int_eq(expect(JSON_CUT_AUTO, " [1\n]", "2@1:3 1\n[]\n"), JSON_CUT_ELEMENTS);
	ck_assert_int_eq(expect(JSON_CUT_AUTO, "{\"a\":1}\n\n{\"a\":2}", "0@1:1 {\"a\":1}\n9@3:1 {\"a\":2}\n\n"), JSON_CUT_LINES);
	ck_assert_int_eq(expect(JSON_CUT_AUTO, "1\r\n2\r\n", "0@1:1 1\n3@2:1 2\n\n"), JSON_CUT_LINES);
	ck_assert_int_eq(expect(JSON_CUT_AUTO, "{\"a\":1}\n\n", "0@1:1 {\"a\":1}\n\n"), JSON_CUT_WHOLE);
	ck_assert_int_eq(expect(JSON_CUT_AUTO, "{\"a\":1}", "0@1:1 {\"a\":1}\n\n"), JSON_CUT_WHOLE);
	ck_assert_int_eq(expect(JSON_CUT_AUTO, "{\n\"a\":1}\n", "0@1:1 {\n\"a\":1}\n\n"), JSON_CUT_WHOLE);
	ck_assert_int_eq(expect(JSON_CUT_AUTO, "{\"a\":\"\\\"{\"}\n7", "0@1:1 {\"a\":\"\\\"{\"}\n12@2:1 7\n\n"), JSON_CUT_LINES);
	expect(JSON_CUT_AUTO, "", "empty 0@1:1 There is nothing in it.\n");
}
END_TEST

START_TEST(the_first_bytes_tell_the_encoding)
{
	expect(JSON_CUT_AUTO, "\xef\xbb\xbf[1]", "4@1:2 1\n[]\n");
	expect(JSON_CUT_LINES, "\xef\xbb\xbf" "1\n2", "3@1:1 1\n5@2:1 2\n\n");
	expect(JSON_CUT_AUTO, "\xef\xbb\xbf", "empty 3@1:1 There is nothing in it.\n");
	expect(JSON_CUT_LINES, "1\n\xef\xbb\xbf" "2", "0@1:1 1\n2@2:1 \xef\xbb\xbf" "2\n\n");
	expect_bytes(JSON_CUT_AUTO, "\xff\xfe{\0}\0", 6, "utf16 0@1:1 This is UTF-16LE. JSON files are UTF-8: convert it first"
		     " (iconv -f UTF-16LE -t UTF-8), or say utf16 = \"convert\".\n");
	expect_bytes(JSON_CUT_AUTO, "\0{\0}", 4, "utf16 0@1:1 This is UTF-16BE. JSON files are UTF-8: convert it first"
		     " (iconv -f UTF-16BE -t UTF-8), or say utf16 = \"convert\".\n");
	expect_bytes(JSON_CUT_LINES, "[\0\0\0]\0\0\0", 8, "utf16 0@1:1 This is UTF-32LE. JSON files are UTF-8: convert it first"
		     " (iconv -f UTF-32LE -t UTF-8).\n");
	expect_bytes(JSON_CUT_WHOLE, "\0\0\xfe\xff\0\0\0[", 8, "utf16 0@1:1 This is UTF-32BE. JSON files are UTF-8: convert it"
		     " first (iconv -f UTF-32BE -t UTF-8).\n");
}
END_TEST

START_TEST(a_record_that_is_too_large_is_passed_over)
{
	max_record = 8;
	expect(JSON_CUT_ELEMENTS, "[1,\"12345678\", \"123456\" ,{\"a\":1 },{\"a\":1 } , 2]",
	       "1@1:2 1\n3@1:4 LARGE \"1234567\n15@1:16 LARGE \"123456\"\n25@1:26 {\"a\":1 }\n34@1:35 LARGE {\"a\":1 }\n"
	       "45@1:46 2\n[]\n");
	expect(JSON_CUT_LINES, "12345678\n123456789\n1", "0@1:1 12345678\n9@2:1 LARGE 12345678\n19@3:1 1\n\n");
	expect(JSON_CUT_WHOLE, "123456789", "0@1:1 LARGE 12345678\n\n");
	expect(JSON_CUT_MEMBERS, "{\"k\":\"0123456789\",\"0123456789\":1,\"l\":2}",
	       "5@1:6 k: LARGE \"012\n18@1:19 LARGE \"0123456\n37@1:38 l: 2\n{}\n");
	max_record = MOST;
}
END_TEST

/* Where that is seen hangs on the pieces. */
START_TEST(what_is_beside_the_records_is_bounded)
{
	static const char *const a[] = { "a" };
	size_t piece;

	way(a, 1);
	max_record = 8;
	for (piece = 1; piece < 30; piece++) {
		cut_in(JSON_CUT_ELEMENTS, "{\"bbbbbbbbbbbb\":1}", 18, piece);
		ck_assert_ptr_nonnull(strstr(got, "outer_too_large"));
		ck_assert_ptr_nonnull(strstr(got, "more than 8 bytes"));
		cut_in(JSON_CUT_ELEMENTS, "            {\"a\":[1234567]}            ", 38, piece);
		ck_assert_str_eq(got, "18@1:19 1234567\n{\"a\":[]}\n");
	}
	way(no_names, 0);
	max_record = MOST;
}
END_TEST

/* Two million brackets, and a string of 8 MiB: neither recursion nor memory. */
START_TEST(depth_and_length_are_no_matter)
{
	struct json_split_plan plan = { JSON_CUT_ELEMENTS, NULL, 0, 4096 };
	struct json_split *split = json_split_new(&plan);
	static char piece[65536];
	struct json_split_flaw flaw;
	struct json_record record;
	int i;

	memset(piece, '[', sizeof(piece));
	for (i = 0; i < 32; i++) {
		json_split_feed(split, piece, sizeof(piece), false);
		ck_assert_int_eq(json_split_next(split, &record, &flaw), JSON_SPLIT_MORE);
	}
	json_split_feed(split, "", 0, true);
	ck_assert_int_eq(json_split_next(split, &record, &flaw), JSON_SPLIT_FLAW);
	ck_assert_str_eq(flaw.code, "cut_short");
	json_split_reset(split);
	json_split_feed(split, "[\"", 2, false);
	ck_assert_int_eq(json_split_next(split, &record, &flaw), JSON_SPLIT_MORE);
	for (i = 0; i < 128; i++) {
		json_split_feed(split, piece, sizeof(piece), false);
		ck_assert_int_eq(json_split_next(split, &record, &flaw), JSON_SPLIT_MORE);
	}
	json_split_feed(split, "\",7]", 4, true);
	ck_assert_int_eq(json_split_next(split, &record, &flaw), JSON_SPLIT_RECORD);
	ck_assert(record.too_large);
	ck_assert_uint_eq(record.size, 4096);
	ck_assert_int_eq(json_split_next(split, &record, &flaw), JSON_SPLIT_RECORD);
	ck_assert_uint_eq(record.offset, 2 + 128 * sizeof(piece) + 2);
	ck_assert_int_eq(json_split_next(split, &record, &flaw), JSON_SPLIT_END);
	json_split_free(split);
	json_split_free(NULL);
}
END_TEST

START_TEST(records_can_be_skipped)
{
	static const char *const streams[] = { "[1,{\"a\":2}]", "{\"a\":1}\n2", "{\"a\":\n1}" };
	struct json_split_plan plan = { JSON_CUT_AUTO, NULL, 0, 4096 };
	struct json_split *split = json_split_new(&plan);
	struct json_split_flaw flaw;
	size_t i;

	for (i = 0; i < 3; i++) {
		json_split_reset(split);
		json_split_feed(split, streams[i], strlen(streams[i]), true);
		ck_assert_int_eq(json_split_next(split, NULL, &flaw), JSON_SPLIT_END);
		ck_assert(json_split_found(split));
	}
	json_split_reset(split);
	json_split_feed(split, "[1,{\"a\":2}", 10, true);
	ck_assert_int_eq(json_split_next(split, NULL, &flaw), JSON_SPLIT_FLAW);
	json_split_free(split);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("json split");
	TCase *c = tcase_create("split");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(c, elements);
	tcase_add_test(c, members);
	tcase_add_test(c, lines);
	tcase_add_test(c, the_whole);
	tcase_add_test(c, a_bad_record_does_not_hurt_the_others);
	tcase_add_test(c, records_without_a_comma_between_them_are_two);
	tcase_add_test(c, what_is_around_the_records_is_told);
	tcase_add_test(c, a_container_that_is_not_there);
	tcase_add_test(c, on_the_way_to_a_container);
	tcase_add_test(c, the_cut_is_chosen);
	tcase_add_test(c, the_first_bytes_tell_the_encoding);
	tcase_add_test(c, a_record_that_is_too_large_is_passed_over);
	tcase_add_test(c, what_is_beside_the_records_is_bounded);
	tcase_add_test(c, depth_and_length_are_no_matter);
	tcase_add_test(c, records_can_be_skipped);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
