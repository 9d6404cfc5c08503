/*
 * Records out of bytes: what RFC 4180 says, what is wrong and where, the same in whatever pieces the bytes come. And what
 * types a text could be, and dates by a format.
 */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "fake_host.h"
#include "plugins/csv/csv.h"

struct memory {
	struct csv_bytes bytes;
	const char *text;
	size_t size, at, step;
};

static int memory_read(struct csv_bytes *self, char *to, size_t room, size_t *ret)
{
	struct memory *m = (struct memory *)self;
	size_t n = m->size - m->at;

	n = n < m->step ? n : m->step;
	n = n < room ? n : room;
	memcpy(to, m->text + m->at, n);
	m->at += n;
	*ret = n;
	return 0;
}

static int memory_seek(struct csv_bytes *self, uint64_t offset)
{
	struct memory *m = (struct memory *)self;

	ck_assert_uint_le(offset, m->at);
	m->at = (size_t)offset;
	return 0;
}

static struct csv_rules rules = { .separator = ',', .quote = '"', .max_record = 1000, .max_fields = 100 };

/* Every record: "line|field|'quoted field'" or "line!code@line:column:text"; line ends in texts as $. */
static char told[4096];

static void tell(const char *format, ...)
{
	size_t length = strlen(told);
	va_list args;

	va_start(args, format);
	vsnprintf(told + length, sizeof(told) - length, format, args);
	va_end(args);
}

static void tell_text(const char *text, size_t size)
{
	for (; size > 0; size--, text++)
		tell("%c", *text == '\n' ? '$' : *text == '\r' ? '^' : *text);
}

static void tell_record(const struct csv_record *r)
{
	char to[1000];

	tell("%llu", (unsigned long long)r->line);
	if (r->flaw) {
		tell("!%s@%llu:%llu:", r->flaw, (unsigned long long)r->flaw_line, (unsigned long long)r->flaw_column);
		tell_text(r->text, r->size < 20 ? r->size : 20);
	}
	for (size_t i = 0; i < r->count && !r->flaw; i++) {
		const char *text;
		size_t size;

		text = csv_field_text(r, &r->fields[i], rules.quote, to, &size);
		tell("|%s", r->fields[i].quoted ? "'" : "");
		tell_text(text, size);
		tell("%s", r->fields[i].quoted ? "'" : "");
	}
	tell("\n");
}

static const char *scan(const char *text, size_t size, size_t step)
{
	struct memory m = { { memory_read, memory_seek }, text, size, 0, step };
	struct csv_scan *s = csv_scan_new(&rules, &m.bytes);
	struct csv_record r;
	int rc;

	told[0] = '\0';
	while ((rc = csv_scan_next(s, &r)) == CSV_RECORD)
		tell_record(&r);
	ck_assert_int_eq(rc, CSV_END);
	ck_assert_int_eq(csv_scan_next(s, &r), CSV_END);
	csv_scan_free(s);
	return told;
}

static void assert_scan(const char *text, const char *expected)
{
	for (size_t step = 1; step <= 64; step = step < 8 ? step + 1 : step * 2)
		ck_assert_str_eq(scan(text, strlen(text), step), expected);
}

START_TEST(fields_and_line_ends)
{
	assert_scan("", "");
	assert_scan("a", "1|a\n");
	assert_scan("a,b\n", "1|a|b\n");
	assert_scan("a,b\r\nc,\r\n,d", "1|a|b\n2|c|\n3||d\n");
	assert_scan("a\n\nb\n", "1|a\n2|\n3|b\n");
	assert_scan("a\rb,c\r", "1|a^b|c^\n");
	assert_scan(",\n", "1||\n");
	assert_scan(",", "1||\n");
}
END_TEST

START_TEST(quotes)
{
	assert_scan("\"a\",\"b,c\"\n", "1|'a'|'b,c'\n");
	assert_scan("\"\",x\n", "1|''|x\n");
	assert_scan("\"a\"\"b\",\"\"\"\"\n\"\"\"\"\"\"", "1|'a\"b'|'\"'\n2|'\"\"'\n");
	assert_scan("\"a\r\nb\n\",c\r\nd,e", "1|'a^$b$'|c\n4|d|e\n");
	assert_scan("a\"b,5\" pipe\n", "1|a\"b|5\" pipe\n");
	assert_scan("\"a\"\r", "1|'a'\n");
}
END_TEST

START_TEST(a_bad_quote_costs_its_first_line)
{
	assert_scan("1,\"a\"x,2\n3,4\n", "1!bad_quote@1:6:1,\"a\"x,2\n2|3|4\n");
	assert_scan("1,\"abc\n2,\"def\"\n3,x\n", "1!bad_quote@2:4:1,\"abc\n2|2|'def'\n3|3|x\n");
	assert_scan("1,\"abc\n2,x\n3,y", "1!unterminated_quote@1:3:1,\"abc\n2|2|x\n3|3|y\n");
	assert_scan("\"", "1!unterminated_quote@1:1:\"\n");
	assert_scan("\"a\" ,b\nc", "1!bad_quote@1:4:\"a\" ,b\n2|c\n");
	assert_scan("a,\"b\"\rc\r\nd", "1!bad_quote@1:6:a,\"b\"^c\n2|d\n");
}
END_TEST

START_TEST(blanks_and_comments_are_passed_over_when_asked)
{
	rules.trim = true;
	rules.comment = '#';
	assert_scan("# one\n a , \"b\" ,c\td \n#\n \n#", "2|a|'b'|c\td\n4|\n");
	assert_scan("a#b,#c\n", "1|a#b|#c\n");
	rules.separator = '\t';
	assert_scan(" a\t\t\"b\" \t", "1|a||'b'|\n");
	rules.separator = ',';
	rules.quote = 0;
	rules.trim = false;
	assert_scan("\"a\",b\"\n", "1|\"a\"|b\"\n");
	rules.quote = '"';
	rules.comment = 0;
}
END_TEST

START_TEST(a_record_too_large_is_one_flaw)
{
	char text[4000];

	rules.max_record = 100;
	strcpy(text, "a,b\n");
	memset(text + 4, 'x', 300);
	strcpy(text + 304, "\nc,d\n");
	for (size_t step = 1; step <= 512; step *= 2)
		ck_assert_str_eq(scan(text, strlen(text), step), "1|a|b\n2!max_row@2:1:xxxxxxxxxxxxxxxxxxxx\n3|c|d\n");
	/* In quotes, with lines in it: they belong to it. */
	text[4] = '"';
	text[250] = '\n';
	text[303] = '"';
	for (size_t step = 1; step <= 512; step *= 2)
		ck_assert_str_eq(scan(text, strlen(text), step), "1|a|b\n2!max_row@2:1:\"xxxxxxxxxxxxxxxxxxx\n4|c|d\n");
	/* Never closed: the text goes on with its second line. */
	text[303] = 'x';
	for (size_t step = 1; step <= 512; step *= 2)
		ck_assert_msg(strstr(scan(text, strlen(text), step),
				     "1|a|b\n2!unterminated_quote@2:1:\"xxxxxxxxxxxxxxxxxxx\n3|xxxx") != NULL &&
			      strstr(told, "\n4|c|d\n"), "%zu: %s", step, told);
	rules.max_record = 1000;
}
END_TEST

START_TEST(fields_beyond_the_most_are_counted)
{
	struct memory m = { { memory_read, memory_seek }, "a,b,c,d,e\n", 10, 0, 100 };
	struct csv_scan *s = csv_scan_new(&rules, &m.bytes);
	struct csv_record r;

	csv_scan_limit(s, 2);
	ck_assert_int_eq(csv_scan_next(s, &r), CSV_RECORD);
	ck_assert_uint_eq(r.count, 5);
	ck_assert_uint_eq(r.size, 9);
	csv_scan_free(s);
}
END_TEST

/* ---- Types ---- */

static void assert_type(int32_t expected, const char *first, const char *second)
{
	unsigned kinds = CSV_ANY & csv_kinds(first, strlen(first));

	if (second)
		kinds &= csv_kinds(second, strlen(second));
	ck_assert_msg(csv_type_of(kinds) == expected, "%s %s: %d", first, second ? second : "", csv_type_of(kinds));
}

START_TEST(a_type_is_taken_when_every_value_would_be_written_so_again)
{
	assert_type(ETL_INT64, "0", "-12");
	assert_type(ETL_INT64, "9223372036854775807", "1");
	assert_type(ETL_NUMERIC, "9223372036854775808", "1");
	assert_type(ETL_TEXT, "007", "1");
	assert_type(ETL_TEXT, "+1", NULL);
	assert_type(ETL_TEXT, "-0", NULL);
	assert_type(ETL_TEXT, " 1", NULL);
	assert_type(ETL_TEXT, "1.", NULL);
	assert_type(ETL_TEXT, ".5", NULL);
	assert_type(ETL_TEXT, "0x10", NULL);
	assert_type(ETL_FLOAT64, "1.5", "2");
	assert_type(ETL_FLOAT64, "1.50", "0.1");
	assert_type(ETL_FLOAT64, "1e3", "2.5E-7");
	assert_type(ETL_TEXT, "1e400", "1");
	assert_type(ETL_TEXT, "1.5", "9007199254740993x");
	assert_type(ETL_NUMERIC, "1.5", "9007199254740993");
	assert_type(ETL_NUMERIC, "0.1234567890123456789", "1");
	assert_type(ETL_TEXT, "1e3", "0.1234567890123456789");
	assert_type(ETL_BOOL, "true", "false");
	assert_type(ETL_TEXT, "true", "1");
	assert_type(ETL_TEXT, "True", NULL);
	assert_type(ETL_DATE, "2024-02-29", "1999-12-31");
	assert_type(ETL_TEXT, "2023-02-29", NULL);
	assert_type(ETL_TEXT, "2024-02-29", "2024-02-29 10:00:00");
	assert_type(ETL_TIMESTAMP, "2024-02-29 10:00:00", "2024-02-29T10:00:00.5");
	assert_type(ETL_INSTANT, "2024-02-29 10:00:00Z", "2024-02-29T10:00:00+00:00");
	assert_type(ETL_TEXT, "2024-02-29 10:00:00+02:00", NULL);
	assert_type(ETL_TEXT, "2024-02-29 10:00:00.1234567", NULL);
	assert_type(ETL_TEXT, "", "1");
	assert_type(ETL_TEXT, "NaN", NULL);
	ck_assert_int_eq(csv_type_of(CSV_ANY), ETL_TEXT);
}
END_TEST

START_TEST(numbers_with_a_comma)
{
	char buf[CSV_NUMBER_MAX];

	ck_assert(strncmp(csv_number("1,5", 3, ',', buf), "1.5", 3) == 0);
	ck_assert(strncmp(csv_number("15", 2, ',', buf), "15", 2) == 0);
	ck_assert_ptr_null(csv_number("1.5", 3, ',', buf));
	ck_assert(strncmp(csv_number("1.5", 3, '.', buf), "1.5", 3) == 0);
}
END_TEST

static void assert_moment(const char *format, const char *text, const char *expected)
{
	char ret[CSV_MOMENT_MAX] = "";
	bool ok = csv_moment(format, text, strlen(text), ret);

	ck_assert_msg(ok == (expected != NULL), "%s by %s: %s", text, format, ret);
	if (expected)
		ck_assert_str_eq(ret, expected);
}

START_TEST(dates_by_a_format)
{
	assert_moment("%d.%m.%Y", "29.2.2024", "2024-02-29");
	assert_moment("%d.%m.%Y", "29.02.24", NULL);
	assert_moment("%d.%m.%y", "29.02.24", "2024-02-29");
	assert_moment("%d.%m.%y", "29.02.69", "1969-02-29");
	assert_moment("%m/%d/%Y %H:%M", "2/9/2024 7:05", "2024-02-09 07:05:00");
	assert_moment("%Y%m%dT%H%M%S%z", "20240229T235959+0200", "2024-02-29 23:59:59+02:00");
	assert_moment("%Y-%m-%d %H:%M:%S.%f", "2024-02-29 23:59:59.25", "2024-02-29 23:59:59.25");
	assert_moment("%H:%M", "23:59", "23:59:00");
	assert_moment("%d.%m.%Y", "29.02.2024 ", NULL);
	assert_moment("%d.%m.%Y", "", NULL);
	assert_moment("%d%%%m%%%Y", "1%2%2024", "2024-02-01");
	ck_assert_ptr_null(csv_format_flaw("%d.%m.%Y"));
	ck_assert_ptr_null(csv_format_flaw("%H:%M"));
	ck_assert_ptr_nonnull(csv_format_flaw("%d.%m"));
	ck_assert_ptr_nonnull(csv_format_flaw("%H %d"));
	ck_assert_ptr_nonnull(csv_format_flaw("%b %d %Y"));
	ck_assert_ptr_nonnull(csv_format_flaw("%Y%m%d%"));
	ck_assert_ptr_nonnull(csv_format_flaw("x"));
}
END_TEST

static void assert_table(const char *file, const char *expected, bool is_csv)
{
	char *name = csv_table_name(file);

	ck_assert_str_eq(name, expected);
	ck_assert_int_eq(csv_is_csv(file), is_csv);
	free(name);
}

START_TEST(tables_are_called_as_their_files)
{
	assert_table("a.csv", "a", true);
	assert_table("x/a.TSV.gz", "x/a", true);
	assert_table("a.csv.zst", "a", true);
	assert_table("a.b.csv", "a.b", true);
	assert_table("a.gz", "a", false);
	assert_table("a.txt", "a.txt", false);
	assert_table(".csv", ".csv", false);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("csv_scan");
	TCase *tests = tcase_create("csv_scan");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tests, fields_and_line_ends);
	tcase_add_test(tests, quotes);
	tcase_add_test(tests, a_bad_quote_costs_its_first_line);
	tcase_add_test(tests, blanks_and_comments_are_passed_over_when_asked);
	tcase_add_test(tests, a_record_too_large_is_one_flaw);
	tcase_add_test(tests, fields_beyond_the_most_are_counted);
	tcase_add_test(tests, a_type_is_taken_when_every_value_would_be_written_so_again);
	tcase_add_test(tests, numbers_with_a_comma);
	tcase_add_test(tests, dates_by_a_format);
	tcase_add_test(tests, tables_are_called_as_their_files);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
