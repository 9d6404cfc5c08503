/*
 * A file's text before it is looked at as JSON, in pieces of any size: what the policies make of it, and what they leave alone.
 */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake_host.h"
#include "files_folder.h"
#include "plugins/json/input.h"

enum { MOST = 4000, LEAST = JSON_INPUT_ROOM };

#define MARK "\xef\xbb\xbf"

static struct etl_host host = { FAKE_HOST };
static struct etl_instance inst = { .host = &host };
static struct changes changes;
static char got[MOST];

static void setup(void)
{
	open_folder(&host);
	inst = (struct etl_instance){ .host = &host, .files = files };
	changes = (struct changes){ { 0 } };
}

/* All of it, in pieces of ROOM; SIZE of GOT, which has its own end, so that writing past it is seen. */
static size_t read_all(struct json_input *in, size_t room)
{
	size_t size = 0, n;
	bool last = false;
	char *piece = malloc(room);

	ck_assert_ptr_nonnull(piece);
	while (!last) {
		ck_assert_int_eq(json_input_read(in, piece, room, &n, &last, &err), ETL_OK);
		ck_assert_uint_le(n, room);
		ck_assert(last || n > 0);
		ck_assert_uint_le(size + n, MOST);
		memcpy(got + size, piece, n);
		size += n;
	}
	free(piece);
	return size;
}

static void expect_bytes(const char *bytes, size_t size, const char *wanted, size_t wanted_size, enum change change, uint64_t count)
{
	struct json_input *in;

	put("in.json", bytes, size);
	files_list_clear(&list);
	ck_assert_int_eq(files_list(files, NULL, &list, &err), ETL_OK);
	ck_assert_int_eq(json_input_open(&inst, &list.at[0], &changes, &in, &err), ETL_OK);
	for (size_t room = LEAST; room < LEAST + 40; room++) {
		size_t n = read_all(in, room);

		ck_assert_msg(n == wanted_size && memcmp(got, wanted, n) == 0, "in pieces of %d: %.*s\nand not\n%.*s", (int)room, (int)n,
			      got, (int)wanted_size, wanted);
		ck_assert_uint_eq(changes.at[change], count);
		ck_assert_int_eq(json_input_rewind(in, &err), ETL_OK);
		ck_assert_uint_eq(changes.at[change], 0);
	}
	json_input_close(in);
	json_input_close(NULL);
}

static void expect(const char *text, const char *wanted, enum change change, uint64_t count)
{
	expect_bytes(text, strlen(text), wanted, strlen(wanted), change, count);
}

START_TEST(bytes_are_what_they_are)
{
	expect("", "", CHANGE_MARKS, 0);
	expect(MARK "[" MARK "]", MARK "[" MARK "]", CHANGE_MARKS, 0);
}
END_TEST

START_TEST(marks_between_tokens_are_blanks)
{
	inst.skip_marks = true;
	expect("", "", CHANGE_MARKS, 0);
	expect("\xef", "\xef", CHANGE_MARKS, 0);
	expect("[\xef\xbb", "[\xef\xbb", CHANGE_MARKS, 0);
	expect(MARK, MARK, CHANGE_MARKS, 0);
	expect(MARK MARK "1", MARK "   1", CHANGE_MARKS, 1);
	expect("{" MARK "\"a" MARK "\"" MARK ":1}\n" MARK "2" MARK, "{   \"a" MARK "\"   :1}\n   2   ", CHANGE_MARKS, 4);
	expect("[\"\\\"" MARK "\\\\\"" MARK "]", "[\"\\\"" MARK "\\\\\"   ]", CHANGE_MARKS, 1);
	/* A string that has no end ends with its line. */
	expect("\"a" MARK "\n" MARK "\"b\"", "\"a" MARK "\n   \"b\"", CHANGE_MARKS, 1);
	expect("\xef" MARK "\xbb\xef\xbb" MARK, "\xef   \xbb\xef\xbb   ", CHANGE_MARKS, 2);
}
END_TEST

/* Wherever it stands to the ends of the pieces. */
START_TEST(a_mark_may_come_in_parts)
{
	char text[600], wanted[600];
	size_t at, inside;

	inst.skip_marks = true;
	for (inside = 0; inside < 2; inside++) {
		for (at = 1; at < 150; at++) {
			memset(text, 'x', sizeof(text));
			text[0] = inside ? '"' : 'x';
			memcpy(text + at, MARK, 3);
			memcpy(text + 2 * at + 3, "\\\"", 2);
			memcpy(text + 3 * at + 5, MARK, 3);
			memcpy(wanted, text, sizeof(text));
			if (!inside)
				memset(wanted + at, ' ', 3);
			expect_bytes(text, 3 * at + 20, wanted, 3 * at + 20, CHANGE_MARKS, !inside);
		}
	}
}
END_TEST

/* Units of UTF-16, in both orders, with a mark and without. */
static void expect_utf16(const uint16_t *units, size_t count, const char *wanted)
{
	char bytes[2 * 600], with_mark[MOST];
	size_t i, size = strlen(wanted);

	for (int big = 0; big < 2; big++) {
		for (i = 0; i < count; i++) {
			bytes[2 * i + !big] = (char)(units[i] >> 8);
			bytes[2 * i + !!big] = (char)(units[i] & 0xFF);
		}
		if (units[0] != 0xFEFF) {
			expect_bytes(bytes, 2 * count, wanted, size, CHANGE_UTF16, 1);
			continue;
		}
		snprintf(with_mark, sizeof(with_mark), MARK "%s", wanted);
		expect_bytes(bytes, 2 * count, with_mark, size + 3, CHANGE_UTF16, 1);
	}
}

#define COUNT(units) (sizeof(units) / sizeof(*(units)))

START_TEST(utf16_is_utf8)
{
	static const uint16_t one[] = { '1' }, marked[] = { 0xFEFF, '[', ']' },
			      all[] = { '"', 0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFF, 0xD800, 0xDC00, 0xDBFF, 0xDFFF, 0xD83D, 0xDE80, '"' };
	uint16_t many[600] = { 0xFEFF, '"' };
	char wanted[3 * 600 + 1] = "\"";

	inst.converts_utf16 = true;
	expect_utf16(one, COUNT(one), "1");
	expect_utf16(marked, COUNT(marked), "[]");
	expect_utf16(all, COUNT(all), "\"\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\xf0\x90\x80\x80"
				       "\xf4\x8f\xbf\xbf\xf0\x9f\x9a\x80\"");
	for (size_t i = 2; i < COUNT(many); i++) {
		many[i] = 0x20AC;
		memcpy(wanted + 1 + 3 * (i - 2), "\xe2\x82\xac", 4);
	}
	expect_utf16(many, COUNT(many), wanted);
	expect("[1]", "[1]", CHANGE_UTF16, 0);
	expect("1", "1", CHANGE_UTF16, 0);
	expect("", "", CHANGE_UTF16, 0);
	expect_bytes("1\0\0\0]\0\0\0", 8, "1\0\0\0]\0\0\0", 8, CHANGE_UTF16, 0);
	inst.converts_utf16 = false;
	expect_bytes("1\0", 2, "1\0", 2, CHANGE_UTF16, 0);
}
END_TEST

START_TEST(half_a_pair_is_the_escape_of_it)
{
	static const uint16_t low[] = { '"', 0xDC00, '"' }, high[] = { '"', 0xD800, '"' }, two[] = { '"', 0xD800, 0xDBFF, 0xDC00, 0xDFFF },
			      behind[] = { '"', '\\', 0xD800, 'x' }, pair[] = { '"', '\\', '\\', 0xDABC, '"' }, last[] = { '"', 0xD800 };

	inst.converts_utf16 = true;
	expect_utf16(low, COUNT(low), "\"\\udc00\"");
	expect_utf16(high, COUNT(high), "\"\\ud800\"");
	expect_utf16(two, COUNT(two), "\"\\ud800\xf4\x8f\xb0\x80\\udfff");
	/* Behind a backslash it would be u and four digits: there it is no UTF-8. */
	expect_utf16(behind, COUNT(behind), "\"\\\xed\xa0\x80x");
	expect_utf16(pair, COUNT(pair), "\"\\\\\\udabc\"");
	expect_utf16(last, COUNT(last), "\"\\ud800");
	expect_bytes("[\0]\0\n", 5, "[]\xff", 3, CHANGE_UTF16, 1);
}
END_TEST

START_TEST(marks_in_utf16_are_blanks_too)
{
	static const uint16_t units[] = { 0xFEFF, '[', 0xFEFF, '"', 0xFEFF, '"', ']' };

	inst.converts_utf16 = inst.skip_marks = true;
	expect_utf16(units, COUNT(units), "[   \"" MARK "\"]");
}
END_TEST

START_TEST(what_is_forgotten_counts_for_nothing)
{
	struct json_input *in;

	inst.skip_marks = true;
	put_text("in.json", "[" MARK MARK "]");
	ck_assert_int_eq(files_list(files, NULL, &list, &err), ETL_OK);
	changes.at[CHANGE_MARKS] = 7;
	ck_assert_int_eq(json_input_open(&inst, &list.at[0], &changes, &in, &err), ETL_OK);
	read_all(in, LEAST);
	ck_assert_uint_eq(changes.at[CHANGE_MARKS], 9);
	json_input_forget(in);
	ck_assert_uint_eq(changes.at[CHANGE_MARKS], 7);
	json_input_close(in);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("json input");
	TCase *c = tcase_create("input");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(c, 60);
	tcase_add_checked_fixture(c, setup, close_folder);
	tcase_add_test(c, bytes_are_what_they_are);
	tcase_add_test(c, marks_between_tokens_are_blanks);
	tcase_add_test(c, a_mark_may_come_in_parts);
	tcase_add_test(c, utf16_is_utf8);
	tcase_add_test(c, half_a_pair_is_the_escape_of_it);
	tcase_add_test(c, marks_in_utf16_are_blanks_too);
	tcase_add_test(c, what_is_forgotten_counts_for_nothing);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
