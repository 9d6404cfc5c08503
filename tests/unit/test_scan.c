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
	refuses("a = 1e;", "a.cfg:1: 1e is neither a number nor a name: names begin with a letter, and texts stand in "
		"quotes: \"1e\"");
	refuses("a = 1e5x;", "a.cfg:1: 1e5x is neither a number nor a name: names begin with a letter, and texts stand in "
		"quotes: \"1e5x\"");
	refuses("a = 0xG;", "a.cfg:1: 0xG is neither a number nor a name: names begin with a letter, and texts stand in "
		"quotes: \"0xG\"");
	refuses("a = 1111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111"
		"11111111111111111111111111111111111111111;",
		"a.cfg:1: a number of 144 characters; write a smaller one");
	scan_free(takes("a = -2147483648; b = 2147483647; c = 9223372036854775807L; d = -9223372036854775808L;\n"
			"e = 1.5e3; f = .5; g = 0x7fffffff; h = 3000000000LL; i = 1E-5; j = 2.5e+3; k = 0X1aAfF; l = +7;"));
}
END_TEST

START_TEST(bytes_that_do_not_belong)
{
	refuses_bytes("a = 1;\nb\0 = 2;", 14, "a.cfg:2: a NUL byte; remove it, or save the file as UTF-8");
	refuses("\xef\xbb\xbf" "a = 1;", "a.cfg:1: the file begins with a byte order mark; save it as UTF-8 without one");
	refuses("a = 1;\nb = \"\xff\";", "a.cfg:2: a byte that is not UTF-8; save the file as UTF-8");
	refuses_bytes("\xff\xfe" "a\0", 4, "a.cfg:1: the file is UTF-16; save it as UTF-8");
	refuses_bytes("\xfe\xff\0" "a", 4, "a.cfg:1: the file is UTF-16; save it as UTF-8");
	refuses("a = 1;\nb = \x01;", "a.cfg:2: a control character (byte 01); remove it");
	refuses("a = \x7f;", "a.cfg:1: a control character (byte 7f); remove it");
	refuses("a = $x;", "a.cfg:1: $ stands outside quotes and means nothing here; texts stand in \"…\"");
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
	refuses("a = \"x\\éy\";", "a.cfg:1: \\é in a string is no escape; write \\\\ for a backslash "
		"(there are \\\\ \\\" \\n \\r \\t \\f \\xHH)");
	refuses("a = \"\\xfg\";", "a.cfg:1: \\x in a string is no escape; write \\\\ for a backslash "
		"(there are \\\\ \\\" \\n \\r \\t \\f \\xHH)");
	refuses("a = \"\\x@f\";", "a.cfg:1: \\x in a string is no escape; write \\\\ for a backslash "
		"(there are \\\\ \\\" \\n \\r \\t \\f \\xHH)");
	refuses("a = \"x\\\r\n\";", "a.cfg:1: a backslash at the end of a line of a string; write \\\\ for a "
		"backslash, or end the string and go on with another");
	refuses("a = \"x\\", "a.cfg:1: a backslash at the end of a line of a string; write \\\\ for a "
		"backslash, or end the string and go on with another");
	refuses("a = \"x\nb =\t\"y\";\nc = \"z\";\nd = 1;",
		"a.cfg:1: the string that begins here has no closing quote; add it");
	refuses("a = 1;\nb = \"x;\n", "a.cfg:2: the string that begins here has no closing quote; add it");
	refuses("a = 1;\nb = \"x;\nc = \"y\";\nd = \"z\";\n",
		"a.cfg:2: the string that begins here has no closing quote; add it");
	scan_free(takes("# \"\n// /*\n/* \" # */ a = \"/* # // \\\" \\x41 \\xaF \\\\\"; b = \"two\nlines\";\f\r\n"
			"/* two\nlines */ c = 1; #"));
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
	refuses("undo = No;", "a.cfg:1: No is no value; write true or false");
	refuses("undo = on;", "a.cfg:1: on is no value; write true or false");
	refuses("undo = OFF;", "a.cfg:1: OFF is no value; write true or false");
	refuses("a = ( copy );", "a.cfg:1: copy stands without quotes; write \"copy\"");
	refuses("\"a\" = 1;", "a.cfg:1: a name in quotes; write the name of a setting without them");
	refuses("a = ( true = 1 );",
		"a.cfg:1: the setting true stands directly in a list; put it in braces: { true = …; }");
	refuses("= 1;", "a.cfg:1: no name stands before this =; write NAME = VALUE");
	refuses("a = 1; a = 2;\nb = 1; b = 2;\nb = 3;", "a.cfg:1: a is given twice, first in a.cfg:1; remove one of them");
	refuses("b = 1;\nb = 2; b = 3;\na = 1; a = 2;", "a.cfg:2: b is given twice, first in a.cfg:1; remove one of them");
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

START_TEST(brackets_in_brackets)
{
	char text[80] = "a = ";

	memset(text + 4, '(', 70);
	refuses(text, "a.cfg:1: brackets are nested more than 64 deep; make the file flatter");
}
END_TEST

/* A name longer than the scan keeps is not taken for another that begins alike. */
START_TEST(long_names)
{
	char text[1200];

	memset(text, 'n', 500);
	strcpy(text + 500, "a = 1; ");
	memset(text + 507, 'n', 500);
	strcpy(text + 1007, "b = 2;");
	scan_free(takes(text));
}
END_TEST

/* Where libconfig stopped, and why it may have: two quotes are missing, so that the rest looks whole. */
START_TEST(what_libconfig_does_not_like)
{
	static const struct {
		const char *text, *words, *sentence;
		unsigned line;
	} cases[] = {
		{ "a = 1;\nb = \"x;\nc = \"y;\n", "syntax error",
		  "a.cfg:2: the string that begins here has no closing quote in its line; add it", 3 },
		{ "a = 1\nb b = 2;\n", "syntax error",
		  "a.cfg:2: this is not libconfig syntax; look here and in the line before for a missing quote, bracket "
		  "or comma", 2 },
		{ "a = 1;\n", NULL,
		  "a.cfg:2: this is not libconfig syntax; look here and in the line before for a missing quote, bracket "
		  "or comma", 9 },
		{ "a = 1;\n", "no such thing", "a.cfg:1: no such thing", 0 },
		{ "a = [ 1 ];\n", "mismatched element type in array",
		  "a.cfg:1: mismatched element type in array; an array [ … ] holds values of one type: write all of them "
		  "in quotes", 1 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct etl_error err = ERROR_INIT;
		struct scan *scan = takes(cases[i].text);

		ck_assert_int_eq(scan_syntax_error(scan, cases[i].line, cases[i].words, &err), ETL_FAILED);
		ck_assert_str_eq(err.message, cases[i].sentence);
		error_clear(&err);
		scan_free(scan);
	}
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
	refuses("@include \"sub/..\"", "a.cfg:1: @include \"sub/..\" leaves the pipeline file's folder; "
		"includes stay below it, without ..");
	refuses("@include \"..\"", "a.cfg:1: @include \"..\" leaves the pipeline file's folder; "
		"includes stay below it, without ..");
	refuses("@include \"\"", "a.cfg:1: @include without a path; name a file");
	refuses("@include \"sub\"", "a.cfg:1: cannot read the included file sub: Is a directory; "
		"an include is relative to the folder of the pipeline file");
	refuses("@includ", "a.cfg:1: @ stands outside quotes; only @include \"FILE\" begins with it");
	refuses("@include x.cfg", "a.cfg:1: @include stands at the beginning of a line, with a path in quotes: "
		"@include \"FILE\"");
	refuses("@include", "a.cfg:1: @include stands at the beginning of a line, with a path in quotes: "
		"@include \"FILE\"");
	refuses("@include \"x.cfg", "a.cfg:1: @include stands at the beginning of a line, with a path in quotes: "
		"@include \"FILE\"");
	refuses("@include \"x\n.cfg\"", "a.cfg:1: @include stands at the beginning of a line, with a path in quotes: "
		"@include \"FILE\"");
	refuses("a = 1; @include \"x.cfg\"", "a.cfg:1: @include stands at the beginning of a line, with a path in quotes: "
		"@include \"FILE\"");
	write_file("z.cfg", "b = 1;\nb = 3000000000;", 22);
	refuses("a = 1;\n@include \"z.cfg\"", "z.cfg:2: the number 3000000000 is beyond 32 bits and would wrap; write it "
		"with an L at its end: 3000000000L");
}
END_TEST

/* Names with two points in them are names; blanks before and behind the word do not matter. */
START_TEST(includes_of_any_name)
{
	write_file("..a", "a = 1;", 6);
	write_file("b..cfg", "b = 1;", 6);
	write_file("c..", "c = 1;", 6);
	scan_free(takes("\t @include\t \"..a\"\n@include \"b..cfg\"\n@include \"c..\"\n"));
	scan_free(takes(""));
}
END_TEST

START_TEST(includes_without_end)
{
	struct etl_error err = ERROR_INIT;
	struct scan *scan = NULL;
	char name[32], text[64];

	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "deep%d.cfg", i);
		snprintf(text, sizeof(text), "@include \"deep%d.cfg\"\n", i + 1);
		write_file(name, text, strlen(text));
	}
	ck_assert_int_eq(scan_file("deep0.cfg", &scan, &err), ETL_FAILED);
	ck_assert_ptr_nonnull(strstr(err.message, "includes are nested more than "));
	error_clear(&err);
	ck_assert_int_eq(scan_memory("a = 1;\n@include \"x.cfg\"", 23, "--set x", &scan, &err), ETL_FAILED);
	ck_assert_str_eq(err.message, "--set x:2: nothing can be included here; write the settings themselves");
	error_clear(&err);
}
END_TEST

START_TEST(includes_without_number)
{
	char *text = malloc(1 << 16), *to = text;

	write_file("one.cfg", "\n", 1);
	for (int i = 0; i < 2000; i++)
		to += sprintf(to, "@include \"one.cfg\"\n");
	ck_assert_int_lt(to - text, 1 << 16);
	write_file("many.cfg", text, (size_t)(to - text));
	struct etl_error err = ERROR_INIT;
	struct scan *scan = NULL;

	ck_assert_int_eq(scan_file("many.cfg", &scan, &err), ETL_FAILED);
	ck_assert_ptr_nonnull(strstr(err.message, " includes; include less"));
	error_clear(&err);
	free(text);
}
END_TEST

START_TEST(files_that_are_too_large_together)
{
	char *text = malloc(SCAN_FILE_LIMIT);

	ck_assert_ptr_nonnull(text);
	memset(text, ' ', SCAN_FILE_LIMIT);
	write_file("large.cfg", text, SCAN_FILE_LIMIT);
	free(text);
	refuses("@include \"large.cfg\"\n@include \"large.cfg\"\n@include \"large.cfg\"\n@include \"large.cfg\"\n",
		"large.cfg:1: with all that it includes the file is over 4 MiB; include less");
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
	tcase_add_test(all, brackets_in_brackets);
	tcase_add_test(all, long_names);
	tcase_add_test(all, what_libconfig_does_not_like);
	tcase_add_test(all, includes);
	tcase_add_test(all, includes_refused);
	tcase_add_test(all, includes_of_any_name);
	tcase_add_test(all, includes_without_end);
	tcase_add_test(all, includes_without_number);
	tcase_add_test(all, files_that_are_too_large_together);
	tcase_add_test(all, a_file_that_is_too_large);
	tcase_add_test(all, any_bytes);
	suite_add_tcase(suite, all);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
