/*
 * Files as they are listed and read: a tree of them in one order, what is odd in it named, and bytes that come whole or not
 * at all, compressed or not.
 */
#include "config.h"

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>
#include <zstd.h>

#include "fake_host.h"
#include "files_folder.h"

static char warned[512];

static void keep_log(const struct etl_host *self, int32_t level, const char *format, ...)
{
	va_list args;

	(void)self;
	ck_assert_int_eq(level, ETL_LOG_WARN);
	va_start(args, format);
	vsnprintf(warned, sizeof(warned), format, args);
	va_end(args);
}

static struct etl_host host = { FAKE_HOST };

static void setup(void)
{
	host.log = keep_log;
	warned[0] = '\0';
	open_folder(&host);
}

static void make_folder(const char *name)
{
	ck_assert_int_eq(mkdir(path_of(name), 0777), 0);
}

static int list_all(const char *text)
{
	struct files_pattern *pattern = NULL;
	int rc;

	if (text)
		ck_assert_int_eq(files_pattern_parse(&pattern, &host, text, &err), ETL_OK);
	rc = files_list(files, pattern, &list, &err);
	files_pattern_free(pattern);
	return rc;
}

static void assert_list(const char *text, const char *expected)
{
	char joined[512] = "";

	ck_assert_msg(list_all(text) == ETL_OK, "%s", err.text);
	for (size_t i = 0; i < list.count; i++) {
		strcat(joined, i ? " " : "");
		strcat(joined, list.at[i].name);
	}
	ck_assert_str_eq(joined, expected);
}

static void assert_refused(const char *text, const char *said)
{
	ck_assert_int_eq(list_all(text), ETL_FAILED);
	ck_assert_msg(strstr(err.text, said) != NULL, "%s", err.text);
}

/* ---- Lists ---- */

START_TEST(a_tree_is_listed_in_one_order)
{
	make_folder("b");
	make_folder("b/c");
	put_text("b/c/2.csv", "22");
	put_text("b/1.csv", "1");
	put_text("a.csv", "");
	put_text("a.txt", "");
	put_text("b/1.csv" FILES_ASIDE, "not published");
	assert_list(NULL, "a.csv a.txt b/1.csv b/c/2.csv");
	assert_list("**/*.csv", "a.csv b/1.csv b/c/2.csv");
	assert_list("b/{name}.csv", "b/1.csv");
	ck_assert_str_eq(list.at[0].captures[0], "1");
	ck_assert_int_eq(list.at[0].size, 1);
	ck_assert_int_gt(list.at[0].modified, 0);
	assert_list("x*", "");
}
END_TEST

START_TEST(a_root_may_be_a_file)
{
	struct files *one = NULL;

	put_text("a.csv", "1");
	ck_assert_int_eq(files_new(&one, &host, path_of("a.csv"), &err), ETL_OK);
	ck_assert_int_eq(files_list(one, NULL, &list, &err), ETL_OK);
	ck_assert_uint_eq(list.count, 1);
	ck_assert_str_eq(list.at[0].name, "");
	ck_assert_str_eq(files_label(one, &list.at[0]), "a.csv");
	files_free(one);
	ck_assert_int_eq(files_new(&one, &host, path_of("none.csv"), &err), ETL_OK);
	ck_assert_int_eq(files_list(one, NULL, &list, &err), ETL_FAILED);
	ck_assert(strstr(err.text, "none.csv: No such file") != NULL);
	files_free(one);
}
END_TEST

START_TEST(links_are_followed_inside_only)
{
	make_folder("in");
	put_text("in/a", "1");
	ck_assert_int_eq(symlink("a", path_of("in/b")), 0);
	assert_list(NULL, "in/a in/b");
	ck_assert_str_eq(warned, "");
	ck_assert_int_eq(symlink("/etc/passwd", path_of("in/c")), 0);
	assert_list(NULL, "in/a in/b");
	ck_assert(strstr(warned, "in/c is a symbolic link out of the folder") != NULL);
	unlink(path_of("in/c"));
	ck_assert_int_eq(symlink("nowhere", path_of("in/c")), 0);
	assert_list(NULL, "in/a in/b");
	ck_assert(strstr(warned, "leads nowhere") != NULL);
	unlink(path_of("in/c"));
	ck_assert_int_eq(symlink("..", path_of("in/c")), 0);
	assert_list(NULL, "in/a in/b");
	ck_assert(strstr(warned, "in/c is a symbolic link to a folder that it is in") != NULL);
}
END_TEST

START_TEST(a_folder_beside_with_a_longer_name_is_outside)
{
	struct files *inner = NULL;

	make_folder("root");
	make_folder("root2");
	put_text("root2/a", "1");
	ck_assert_int_eq(symlink("../root2/a", path_of("root/a")), 0);
	ck_assert_int_eq(files_new(&inner, &host, path_of("root"), &err), ETL_OK);
	ck_assert_int_eq(files_list(inner, NULL, &list, &err), ETL_OK);
	ck_assert_uint_eq(list.count, 0);
	ck_assert(strstr(warned, "out of the folder") != NULL);
	files_free(inner);
}
END_TEST

START_TEST(what_is_no_file_is_an_error_where_it_is_wanted)
{
	put_text("a.csv", "1");
	ck_assert_int_eq(mkfifo(path_of("b.csv"), 0666), 0);
	assert_refused(NULL, "b.csv is a pipe");
	assert_list("a*", "a.csv");
	unlink(path_of("b.csv"));
	put_text("\xff.csv", "1");
	assert_refused("*.csv", "\\xff.csv");
	ck_assert(strstr(err.text, "no valid UTF-8") != NULL);
	assert_list("a*", "a.csv");
}
END_TEST

START_TEST(a_folder_that_cannot_be_read_is_an_error)
{
	make_folder("shut");
	put_text("a.csv", "1");
	ck_assert_int_eq(chmod(path_of("shut"), 0), 0);
	if (access(path_of("shut"), R_OK) == 0)
		return;         /* root reads everything */
	assert_refused(NULL, "shut: Permission denied");
	assert_list("*.csv", "a.csv");
}
END_TEST

START_TEST(a_list_is_known_by_names_sizes_and_times)
{
	struct etl_token one, two, stamp;

	put_text("a", "1");
	files_stamp(files, &stamp);
	ck_assert_str_eq(stamp.text, "none");
	assert_list(NULL, "a");
	files_list_token(&list, &one);
	files_stamp(files, &stamp);
	assert_list(NULL, "a");
	files_list_token(&list, &two);
	ck_assert_str_eq(one.text, two.text);
	files_stamp(files, &two);
	ck_assert_str_eq(stamp.text, two.text);
	put_text("a", "22");
	assert_list(NULL, "a");
	files_list_token(&list, &two);
	ck_assert_str_ne(one.text, two.text);
	files_stamp(files, &two);
	ck_assert_str_ne(stamp.text, two.text);
}
END_TEST

/* ---- Splits ---- */

struct splits {
	struct etl_split_sink sink;
	struct etl_split at[16];
	char text[16][ETL_TOKEN_MAX];
	size_t count;
};

static int keep_split(struct etl_split_sink *self, const struct etl_split *split)
{
	struct splits *s = (struct splits *)self;

	ck_assert_uint_eq(split->index, s->count);
	s->at[s->count] = *split;
	snprintf(s->text[s->count], ETL_TOKEN_MAX, "%s", split->text);
	s->at[s->count].text = s->text[s->count];
	s->count++;
	return ETL_OK;
}

START_TEST(splits_cover_every_file_once)
{
	struct splits s = { .sink = { keep_split } };
	char name[16];
	size_t next = 0, first, count;

	for (int i = 0; i < 10; i++) {
		snprintf(name, sizeof(name), "%02d", i);
		put(name, "0123456789", (size_t)i);
	}
	ck_assert_int_eq(list_all(NULL), ETL_OK);
	ck_assert_int_eq(files_plan(&list, 4, &s.sink), ETL_OK);
	ck_assert_uint_ge(s.count, 3);
	ck_assert_uint_le(s.count, 4);
	for (size_t i = 0; i < s.count; i++) {
		ck_assert_int_eq(files_split(files, &list, &s.at[i], &first, &count, &err), ETL_OK);
		ck_assert_uint_eq(first, next);
		next += count;
	}
	ck_assert_uint_eq(next, 10);
	put_text("zz", "new");
	ck_assert_int_eq(list_all(NULL), ETL_OK);
	ck_assert_int_eq(files_split(files, &list, &s.at[0], &first, &count, &err), ETL_FAILED);
	ck_assert(strstr(err.text, "files came, went or were changed") != NULL);
}
END_TEST

START_TEST(no_files_are_one_split_of_none)
{
	struct splits s = { .sink = { keep_split } };
	size_t first = 9, count = 9;

	ck_assert_int_eq(list_all(NULL), ETL_OK);
	ck_assert_int_eq(files_plan(&list, 4, &s.sink), ETL_OK);
	ck_assert_uint_eq(s.count, 1);
	ck_assert_int_eq(files_split(files, &list, &s.at[0], &first, &count, &err), ETL_OK);
	ck_assert_uint_eq(count, 0);
}
END_TEST

/* ---- Bytes ---- */

static char text[300000];
static size_t text_size;

/* Everything of the first file of the list, in rooms of STEP bytes. */
static int read_file(const char *name, size_t step)
{
	struct files_input *in = NULL;
	size_t n = 0;
	int rc = list_all(name);

	ck_assert_int_eq(rc, ETL_OK);
	ck_assert_uint_eq(list.count, 1);
	rc = files_input_open(files, &list.at[0], &in, &err);
	text_size = 0;
	while (!rc && (rc = files_input_read(in, text + text_size, step, &n, &err)) == 0 && n > 0)
		text_size += n;
	if (!rc) {
		n = 9;
		ck_assert_int_eq(files_input_read(in, text, 1, &n, &err), ETL_OK);
		ck_assert_uint_eq(n, 0);
	}
	files_input_close(in);
	return rc;
}

static char big[200000];

static void fill_big(void)
{
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(' ' + (i * i / 7 + i / 1000) % 90);
}

static size_t gzip_of(unsigned char *to, size_t room, const char *from, size_t size)
{
	z_stream z = { 0 };

	ck_assert_int_eq(deflateInit2(&z, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (unsigned char *)(uintptr_t)from;
	z.avail_in = (uInt)size;
	z.next_out = to;
	z.avail_out = (uInt)room;
	ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	size = z.total_out;
	deflateEnd(&z);
	return size;
}

static size_t zstd_of(unsigned char *to, size_t room, const char *from, size_t size)
{
	ZSTD_CCtx *z = ZSTD_createCCtx();

	/* As the program does; without it a wrong byte is another text and no damage. */
	ZSTD_CCtx_setParameter(z, ZSTD_c_checksumFlag, 1);
	size = ZSTD_compress2(z, to, room, from, size);
	ck_assert(!ZSTD_isError(size));
	ZSTD_freeCCtx(z);
	return size;
}

static unsigned char packed[500000];

static void assert_big(const char *name, size_t step)
{
	ck_assert_msg(read_file(name, step) == ETL_OK, "%s", err.text);
	ck_assert_uint_eq(text_size, sizeof(big));
	ck_assert(memcmp(text, big, sizeof(big)) == 0);
}

START_TEST(plain_bytes_come_as_they_are)
{
	fill_big();
	put("a", big, sizeof(big));
	assert_big("a", 1 << 16);
	assert_big("a", 7);
	put_text("b", "");
	ck_assert_int_eq(read_file("b", 100), ETL_OK);
	ck_assert_uint_eq(text_size, 0);
	put_text("c", "x");
	ck_assert_int_eq(read_file("c", 100), ETL_OK);
	ck_assert_uint_eq(text_size, 1);
}
END_TEST

static void compressed(size_t (*pack)(unsigned char *, size_t, const char *, size_t), const char *kind)
{
	size_t one, two;
	char said[64];

	fill_big();
	one = pack(packed, sizeof(packed), big, 100000);
	two = pack(packed + one, sizeof(packed) - one, big + 100000, sizeof(big) - 100000);
	put("a", packed, one + two);            /* two members; no name says what it is */
	assert_big("a", 1 << 16);
	assert_big("a", 7);
	for (size_t cut = 4; cut < one + two; cut += 1999) {
		if (cut == one)
			continue;
		put("cut", packed, cut);
		ck_assert_int_eq(read_file("cut", 1 << 16), ETL_FAILED);
		snprintf(said, sizeof(said), "cut: the %s file ends in its middle", kind);
		ck_assert_msg(strstr(err.text, said) != NULL, "%zu: %s", cut, err.text);
	}
	packed[one / 2] ^= 0x55;
	put("bad", packed, one + two);
	ck_assert_int_eq(read_file("bad", 1 << 16), ETL_FAILED);
	ck_assert_msg(strstr(err.text, "bad: the ") && (strstr(err.text, "damaged") || strstr(err.text, "middle")), "%s",
		      err.text);
}

START_TEST(gzip_is_told_by_its_first_bytes)
{
	compressed(gzip_of, "gzip");
}
END_TEST

START_TEST(zstandard_too)
{
	compressed(zstd_of, "Zstandard");
}
END_TEST

START_TEST(zeros_behind_a_gzip_are_nothing_and_else_is_an_error)
{
	size_t size = gzip_of(packed, sizeof(packed), "hello", 5);

	memset(packed + size, 0, 1000);
	put("a", packed, size + 1000);
	ck_assert_int_eq(read_file("a", 100), ETL_OK);
	ck_assert_uint_eq(text_size, 5);
	packed[size + 999] = 'x';
	put("a", packed, size + 1000);
	ck_assert_int_eq(read_file("a", 100), ETL_FAILED);
	ck_assert_msg(strstr(err.text, "behind its end") != NULL, "%s", err.text);
}
END_TEST

START_TEST(a_file_begins_again_and_elsewhere)
{
	struct files_input *in = NULL;
	char piece[8] = "";
	size_t n = 0, size = gzip_of(packed, sizeof(packed), "abcdef", 6);

	put_text("a", "abcdef");
	put("b", packed, size);
	ck_assert_int_eq(list_all(NULL), ETL_OK);
	for (size_t i = 0; i < 2; i++) {
		ck_assert_int_eq(files_input_open(files, &list.at[i], &in, &err), ETL_OK);
		ck_assert_int_eq(files_input_can_seek(in), i == 0);
		ck_assert_int_eq(files_input_is_compressed(in), i == 1);
		for (int again = 0; again < 2; again++) {
			memset(piece, 0, sizeof(piece));
			ck_assert_int_eq(files_input_read(in, piece, 7, &n, &err), ETL_OK);
			ck_assert_str_eq(piece, "abcdef");
			ck_assert_int_eq(files_input_rewind(in, &err), ETL_OK);
		}
		files_input_close(in);
	}
	ck_assert_int_eq(files_input_open(files, &list.at[0], &in, &err), ETL_OK);
	ck_assert_int_eq(files_input_seek(in, 4, &err), ETL_OK);
	memset(piece, 0, sizeof(piece));
	ck_assert_int_eq(files_input_read(in, piece, 7, &n, &err), ETL_OK);
	ck_assert_str_eq(piece, "ef");
	files_input_close(in);
}
END_TEST

/* ---- A file that does not stand still ---- */

static void assert_open_refused(const char *said)
{
	struct files_input *in = NULL;

	ck_assert_int_eq(files_input_open(files, &list.at[0], &in, &err), ETL_FAILED);
	ck_assert_msg(strstr(err.text, said) != NULL, "%s", err.text);
}

START_TEST(only_what_was_listed_is_opened)
{
	put_text("a", "1");
	ck_assert_int_eq(list_all(NULL), ETL_OK);
	put_text("a", "22");
	assert_open_refused("/a has another size");
	ck_assert_int_eq(list_all(NULL), ETL_OK);
	list.at[0].modified -= 1;
	assert_open_refused("/a was written to since");
	unlink(path_of("a"));
	assert_open_refused("/a vanished");
	ck_assert_int_eq(mkfifo(path_of("a"), 0666), 0);
	assert_open_refused("is none now");
}
END_TEST

static void changed_while_read(void (*change)(void), const char *said)
{
	struct files_input *in = NULL;
	size_t n = 0;

	put_text("a", "12345");
	ck_assert_int_eq(list_all(NULL), ETL_OK);
	ck_assert_int_eq(files_input_open(files, &list.at[0], &in, &err), ETL_OK);
	ck_assert_int_eq(files_input_read(in, text, 5, &n, &err), ETL_OK);
	ck_assert_uint_eq(n, 5);
	change();
	do
		n = 0;
	while (files_input_read(in, text, 100, &n, &err) == ETL_OK && n > 0);
	ck_assert_msg(strstr(err.text, said) != NULL, "%s", err.text);
	files_input_close(in);
}

static void append(void)
{
	FILE *file = fopen(path_of("a"), "a");

	fputs("6", file);
	fclose(file);
}

static void vanish(void)
{
	unlink(path_of("a"));
}

static void replace(void)
{
	char old[512];

	/* The old one is kept, or the new one could be given its number. */
	snprintf(old, sizeof(old), "%s", path_of("a"));
	ck_assert_int_eq(link(old, path_of("kept")), 0);
	unlink(path_of("a"));
	put_text("a", "54321");
}

START_TEST(what_changes_while_it_is_read_is_an_error)
{
	changed_while_read(append, "/a was written to while it was read");
	changed_while_read(vanish, "/a vanished while it was read");
	changed_while_read(replace, "/a was replaced by another");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("files_input");
	TCase *tests = tcase_create("files_input");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, close_folder);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, a_tree_is_listed_in_one_order);
	tcase_add_test(tests, a_root_may_be_a_file);
	tcase_add_test(tests, links_are_followed_inside_only);
	tcase_add_test(tests, a_folder_beside_with_a_longer_name_is_outside);
	tcase_add_test(tests, what_is_no_file_is_an_error_where_it_is_wanted);
	tcase_add_test(tests, a_folder_that_cannot_be_read_is_an_error);
	tcase_add_test(tests, a_list_is_known_by_names_sizes_and_times);
	tcase_add_test(tests, splits_cover_every_file_once);
	tcase_add_test(tests, no_files_are_one_split_of_none);
	tcase_add_test(tests, plain_bytes_come_as_they_are);
	tcase_add_test(tests, gzip_is_told_by_its_first_bytes);
	tcase_add_test(tests, zstandard_too);
	tcase_add_test(tests, zeros_behind_a_gzip_are_nothing_and_else_is_an_error);
	tcase_add_test(tests, a_file_begins_again_and_elsewhere);
	tcase_add_test(tests, only_what_was_listed_is_opened);
	tcase_add_test(tests, what_changes_while_it_is_read_is_an_error);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
