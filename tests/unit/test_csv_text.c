/*
 * A file's text as UTF-8, in whatever pieces it is asked for: a character that is converted may be longer than the room that is left,
 * and that is no end.
 */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake_host.h"
#include "plugins/csv/csv.h"

#define MOST 400000

static struct etl_host host = { FAKE_HOST };
static struct etl_error err;
static char path[64];
static struct files_list list;
static struct etl_instance inst = { .host = &host };
static char got[MOST];

static void setup(void)
{
	int fd;

	snprintf(path, sizeof(path), "/tmp/etlrun-text-XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	close(fd);
}

static void teardown(void)
{
	unlink(path);
}

/* All of SIZE bytes in ENCODING, FIRST bytes in the first piece and ROOM in each other; *ret_size bytes of UTF-8. Twice, for a scan
 * that seeks. */
static const char *text_of(const char *encoding, const void *bytes, size_t size, size_t first, size_t room, size_t *ret_size)
{
	struct csv_format format = { .encoding = encoding, .encoding_word = encoding ? encoding : "utf-8" };
	FILE *file = fopen(path, "w");
	struct csv_text *text;
	struct csv_bytes *from;

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
	ck_assert_int_eq(fclose(file), 0);
	ck_assert_int_eq(files_new(&inst.files, &host, path, &err), ETL_OK);
	ck_assert_int_eq(files_list(inst.files, NULL, &list, &err), ETL_OK);
	ck_assert_msg(csv_text_open(&inst, &format, &list.at[0], &text, &err) == ETL_OK, "%s", err.text);
	from = csv_text_bytes(text);
	for (int again = 0; again < 2; again++) {
		size_t n = 1, next = first;

		*ret_size = 0;
		while (n > 0) {
			n = 0;
			ck_assert_uint_le(*ret_size + next, sizeof(got));
			ck_assert_int_eq(from->read(from, got + *ret_size, next, &n), ETL_OK);
			*ret_size += n;
			next = room;
		}
		if (!again)
			ck_assert_int_eq(from->seek(from, csv_text_start(text)), ETL_OK);
	}
	csv_text_close(text);
	files_list_clear(&list);
	files_free(inst.files);
	return got;
}

static void assert_text(const char *encoding, const void *bytes, size_t size, const char *expected)
{
	for (size_t first = 1; first <= 12; first++) {
		for (size_t room = 1; room <= 12; room++) {
			size_t n;
			const char *text = text_of(encoding, bytes, size, first, room, &n);

			ck_assert_msg(n == strlen(expected) && memcmp(text, expected, n) == 0,
				      "%s, pieces of %zu and %zu: \"%.*s\"", encoding, first, room, (int)n, text);
		}
	}
}

START_TEST(every_character_at_every_end_of_a_piece)
{
	assert_text(NULL, "a,\303\244\342\202\254\nb", 9, "a,\303\244\342\202\254\nb");
	assert_text("ISO-8859-1", "a,\344\366\n\374,\337\nlast", 13, "a,\303\244\303\266\n\303\274,\303\237\nlast");
	assert_text("CP1252", "\200\200,a\200\n\200b", 8, "\342\202\254\342\202\254,a\342\202\254\n\342\202\254b");
	assert_text("UTF-16", "\377\376a\0\254 =\330\304\337b\0", 12, "a\342\202\254\360\237\237\204b");
	assert_text("UTF-16BE", "\0a \254\330=\337\304\0b", 10, "a\342\202\254\360\237\237\204b");
	assert_text("UTF-16LE", "\377\376\254 a\0", 6, "\342\202\254a");
}
END_TEST

/* What the encoding has not, and what ends in its middle, is one byte that UTF-8 has not, wherever it stands. */
START_TEST(what_is_spoilt_is_one_byte_at_every_end_of_a_piece)
{
	assert_text("CP1252", "\200\201\200,\201\n\200\201", 8, "\342\202\254\377\342\202\254,\377\n\342\202\254\377");
	assert_text("UTF-16LE", "\254 \304\337\254 a", 7, "\342\202\254\377\342\202\254\377");
}
END_TEST

/* The bytes of the file come in pieces too, whose ends fall anywhere in a character of two or four. */
START_TEST(characters_at_the_end_of_what_was_read_of_the_file)
{
	static char bytes[200000], expected[MOST];
	size_t size, length, n;

	for (size_t shift = 0; shift < 4; shift++) {
		size = length = 0;
		for (size_t i = 0; i < shift; i++) {
			memcpy(bytes + size, "x\0", 2);
			size += 2;
			expected[length++] = 'x';
		}
		while (size + 6 <= 150000) {
			memcpy(bytes + size, "\254 =\330\304\337", 6);
			size += 6;
			memcpy(expected + length, "\342\202\254\360\237\237\204", 7);
			length += 7;
		}
		for (size_t room = 1; room <= 5; room++) {
			ck_assert_mem_eq(text_of("UTF-16LE", bytes, size, 7, room * 1000 + room, &n), expected, length);
			ck_assert_uint_eq(n, length);
		}
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("csv_text");
	TCase *t = tcase_create("pieces");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, every_character_at_every_end_of_a_piece);
	tcase_add_test(t, what_is_spoilt_is_one_byte_at_every_end_of_a_piece);
	tcase_add_test(t, characters_at_the_end_of_what_was_read_of_the_file);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *runner = srunner_create(suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
