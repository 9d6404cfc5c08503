/*
 * A pipeline file is given with one thing wrong in it; the scan must say which file, which line, what it is and
 * what to do. Then files that only look wrong, and must pass.
 */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../core/scan.h"

static char folder[] = "/tmp/etlrun-scan-XXXXXX";

static void write_file(const char *name, const char *text, size_t length)
{
	FILE *f = fopen(name, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(text, 1, length, f), length);
	ck_assert_int_eq(fclose(f), 0);
}

static void refuses_bytes(const char *text, size_t length, const char *sentence)
{
	struct etl_error err = ERROR_INIT;
	struct scan *scan = NULL;

	write_file("a.cfg", text, length);
	ck_assert_int_eq(scan_file("a.cfg", &scan, &err), ETL_FAILED);
	ck_assert_ptr_null(scan);
	ck_assert_int_eq(err.klass, ETL_USAGE);
	ck_assert_str_eq(err.message, sentence);
	error_clear(&err);
}

static void refuses(const char *text, const char *sentence)
{
	refuses_bytes(text, strlen(text), sentence);
}

static struct scan *takes(const char *text)
{
	struct etl_error err = ERROR_INIT;
	struct scan *scan = NULL;

	write_file("a.cfg", text, strlen(text));
	ck_assert_msg(scan_file("a.cfg", &scan, &err) == ETL_OK, "%s", err.message);
	return scan;
}

START_TEST(numbers_that_would_wrap)
{
	refuses("a = 1;\nb = 3000000000;\n", "a.cfg:2: the number 3000000000 is beyond 32 bits and would wrap; "
		"write it with an L at its end: 3000000000L");
	refuses("a = -2147483649;", "a.cfg:1: the number -2147483649 is beyond 32 bits and would wrap; "
		"write it with an L at its end: -2147483649L");
	refuses("a = 0xffffffff;", "a.cfg:1: the number 0xffffffff is beyond 32 bits and would wrap; "
		"write it with an L at its end: 0xffffffffL");
	refuses("a = 9223372036854775808L;", "a.cfg:1: the number 9223372036854775808 does not fit 64 bits; "
		"write a smaller one");
	scan_free(takes("a = -2147483648; b = 2147483647; c = 9223372036854775807L; d = -9223372036854775808L;\n"
			"e = 1.5e3; f = .5; g = 0x7fffffff; h = 3000000000LL;"));
}
END_TEST

START_TEST(bytes_that_do_not_belong)
{
	refuses_bytes("a = 1;\nb\0 = 2;", 14, "a.cfg:2: a NUL byte; remove it, or save the file as UTF-8");
	refuses("\xef\xbb\xbf" "a = 1;", "a.cfg:1: the file begins with a byte order mark; save it as UTF-8 without one");
	refuses("a = 1;\nb = \"\xff\";", "a.cfg:2: a byte that is not UTF-8; save the file as UTF-8");
	refuses("a = \xe2\x80\x9cx\xe2\x80\x9d;", "a.cfg:1: a letter or quote that is not ASCII stands outside quotes; "
		"texts stand between two straight \"");
}
END_TEST

START_TEST(comments_and_strings)
{
	refuses("a = 1;\n\n/* here\nb = 2;\n", "a.cfg:3: the comment that begins here with /* has no end; close it with */");
	refuses("a = \"x\\qy\";", "a.cfg:1: \\q in a string is no escape; write \\\\ for a backslash "
		"(there are \\\\ \\\" \\n \\r \\t \\f \\xHH)");
	refuses("a = \"x\\x00\";", "a.cfg:1: \\x00 ends the text early; remove it");
	refuses("a = 1;\nb = \"x;\n", "a.cfg:2: the string that begins here has no closing quote; add it");
	refuses("a = 1;\nb = \"x;\nc = \"y\";\nd = \"z\";\n",
		"a.cfg:2: the string that begins here has no closing quote; add it");
	scan_free(takes("# \"\n// /*\n/* \" # */ a = \"/* # // \\\" \\x41 \\\\\"; b = \"two\nlines\";"));
}
END_TEST

START_TEST(order_of_tokens)
{
	refuses("a = ( 1,\n  2,\n);", "a.cfg:2: a comma before the closing ); remove the comma");
	refuses("a = [ 1, ];", "a.cfg:1: a comma before the closing ]; remove the comma");
	refuses("a = ( { b = 1; }\n { b = 2; } );", "a.cfg:2: a comma is missing before this value of a list; add it");
	refuses("a = {\n b = (1;", "a.cfg:2: a semicolon in a list; write a comma");
	refuses("a = {\n b = 1;\n", "a.cfg:1: this { is never closed; add }");
	refuses("a = {\n b = ( 1 };\n", "a.cfg:2: this } does not close the ( of a.cfg:2; write ) there first");
	refuses("a = 1; )", "a.cfg:1: this ) closes nothing; remove it or add the bracket that opens");
	refuses("mode = copy;", "a.cfg:1: copy stands without quotes; write \"copy\"");
	refuses("undo = yes;", "a.cfg:1: yes is no value; write true or false");
	refuses("v = {\n 4 = \"shipped\"; };", "a.cfg:2: the name 4 begins with a digit; begin it with a letter, or write "
		"value maps as lists of pairs: ( ( 4, \"shipped\" ) )");
	refuses("4x = 1;", "a.cfg:1: 4x is neither a number nor a name: names begin with a letter, and texts stand in "
		"quotes: \"4x\"");
	refuses("a = 1;\nb = { a = 1; };\na = 2;", "a.cfg:3: a is given twice, first in a.cfg:1; remove one of them");
	refuses("a = ;", "a.cfg:1: no value follows a =; write one, or remove the setting");
	refuses("a = 1;;", "a.cfg:1: ; follows ;; remove one of them");
	scan_free(takes("a = { b = 1, }; c = { b = 1 }; d = ( ); e = [ ]; f = TRUE\ng = ( \"a\" \"b\", { } );"));
}
END_TEST

START_TEST(includes)
{
	const char *file;
	struct scan *scan;
	unsigned line;

	mkdir("sub", 0700);
	write_file("sub/b.cfg", "b = 1;\n@include \"sub/c.cfg\"\nbb = 2;", 35);
	write_file("sub/c.cfg", "c = 1;\n", 7);
	scan = takes("a = 1;\n@include \"sub/b.cfg\" aa = 2;\naaa = 3;\n");
	ck_assert_str_eq(scan_text(scan), "a = 1;\n\nb = 1;\n\nc = 1;\n\n\nbb = 2;\n aa = 2;\naaa = 3;\n");
	scan_place(scan, 5, &file, &line);
	ck_assert_str_eq(file, "sub/c.cfg");
	ck_assert_uint_eq(line, 1);
	scan_place(scan, 8, &file, &line);
	ck_assert_str_eq(file, "sub/b.cfg");
	ck_assert_uint_eq(line, 3);
	scan_place(scan, 10, &file, &line);
	ck_assert_str_eq(file, "a.cfg");
	ck_assert_uint_eq(line, 3);
	scan_free(scan);
}
END_TEST

START_TEST(includes_refused)
{
	write_file("x.cfg", "\n@include \"y.cfg\"\n", 18);
	write_file("y.cfg", "@include \"a.cfg\"\n", 17);
	refuses("a = 1;\n@include \"x.cfg\"\n",
		"y.cfg:1: a cycle of includes: a.cfg -> x.cfg -> y.cfg -> a.cfg; remove one of them");
	refuses("\n@include \"none.cfg\"", "a.cfg:2: cannot read the included file none.cfg: No such file or directory; "
		"an include is relative to the folder of the pipeline file");
	refuses("@include \"/etc/x.cfg\"", "a.cfg:1: @include \"/etc/x.cfg\" is absolute; write a path relative to the "
		"pipeline file, below its folder");
	refuses("@include \"sub/../x.cfg\"", "a.cfg:1: @include \"sub/../x.cfg\" leaves the pipeline file's folder; "
		"includes stay below it, without ..");
	refuses("a = 1; @include \"x.cfg\"", "a.cfg:1: @include stands at the beginning of a line, with a path in quotes: "
		"@include \"FILE\"");
	write_file("z.cfg", "b = 1;\nb = 3000000000;", 22);
	refuses("a = 1;\n@include \"z.cfg\"", "z.cfg:2: the number 3000000000 is beyond 32 bits and would wrap; write it "
		"with an L at its end: 3000000000L");
}
END_TEST

START_TEST(a_file_that_is_too_large)
{
	char *text = malloc(SCAN_FILE_LIMIT + 1);

	ck_assert_ptr_nonnull(text);
	memset(text, ' ', SCAN_FILE_LIMIT + 1);
	refuses_bytes(text, SCAN_FILE_LIMIT + 1,
		      "a.cfg:1: the file is over 1 MiB; a pipeline file is smaller: is it the right file?");
	write_file("a.cfg", text, SCAN_FILE_LIMIT);
	free(text);
}
END_TEST

/* Bytes of any kind: an answer, and no crash (the sanitizers look on). */
START_TEST(any_bytes)
{
	static const char pieces[] = "a=1;\"\\x41{}()[],;:/*/#@include\n0xL.e+- \t\r\xc3\xa9";
	char text[200];
	unsigned seed = 7, round;

	for (round = 0; round < 20000; round++) {
		struct etl_error err = ERROR_INIT;
		struct scan *scan = NULL;
		size_t length = round % sizeof(text), i;

		for (i = 0; i < length; i++) {
			seed = seed * 1103515245u + 12345u;
			text[i] = pieces[(seed >> 16) % (sizeof(pieces) - 1)];
		}
		if (scan_memory(text, length, "text", &scan, &err) == ETL_OK)
			ck_assert_uint_eq(strlen(scan_text(scan)), length);
		else
			ck_assert_msg(strncmp(err.message, "text:", 5) == 0, "%s", err.message);
		scan_free(scan);
		error_clear(&err);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("scan");
	TCase *all = tcase_create("all");
	SRunner *runner;
	int failed;

	if (!mkdtemp(folder) || chdir(folder) != 0)
		return 99;
	tcase_set_timeout(all, 60);
	tcase_add_test(all, numbers_that_would_wrap);
	tcase_add_test(all, bytes_that_do_not_belong);
	tcase_add_test(all, comments_and_strings);
	tcase_add_test(all, order_of_tokens);
	tcase_add_test(all, includes);
	tcase_add_test(all, includes_refused);
	tcase_add_test(all, a_file_that_is_too_large);
	tcase_add_test(all, any_bytes);
	suite_add_tcase(suite, all);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
