/*
 * The types of a table whose pipeline does not say them: by all values of all files, never by the first ones. A type is taken only
 * when every value would be written again as it stands: 007 is a text, 1e400 is one, and so is a column with one date in
 * another form.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "csv.h"
#include "moment.h"
#include "number.h"

#define CANCEL_ROWS 4096
#define EXACT_DIGITS 15		    /* that a float64 keeps, whatever the number */
#define EXACT_MOST   INT64_C(9007199254740992) /* 2^53 */
#define LONGEST_NUMBER 1000	    /* digits; beyond that no target takes it */

/* ---- One value ------------------------------------------------------------------------------------------------------- */

static bool all_digits(const char *text, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
	}
	return size > 0;
}

static bool is_canonical(const char *whole, size_t size)
{
	return size > 0 && (whole[0] != '0' || size == 1);
}

static unsigned kinds_of_integer(const struct number *n, size_t size)
{
	int64_t v;

	if (etl_number_int64(n, &v) != NULL)
		return size < LONGEST_NUMBER ? CSV_NUMBER : 0;
	return CSV_INTEGER | CSV_NUMBER | (v <= EXACT_MOST && v >= -EXACT_MOST ? CSV_REAL : 0u);
}

static unsigned kinds_of_number(const char *text, size_t size)
{
	bool exponent = memchr(text, 'e', size) || memchr(text, 'E', size);
	struct number n;
	double v;

	if (!etl_number_parse(&n, text, size) || text[0] == '+')
		return 0;
	if (!is_canonical(n.whole, (size_t)n.whole_size) || (n.negative && n.first == n.last))
		return 0;
	if (n.part_size == 0 && !exponent)
		return text[size - 1] == '.' ? 0 : kinds_of_integer(&n, size);
	if (exponent)
		return etl_number_double(&n, &v) == NULL ? CSV_REAL : 0;
	if (n.last - n.first <= EXACT_DIGITS && etl_number_double(&n, &v) == NULL)
		return CSV_REAL | CSV_NUMBER;
	return size < LONGEST_NUMBER ? CSV_NUMBER : 0;
}

static unsigned kinds_of_moment(const char *text, size_t size)
{
	struct moment m;

	if (size < 10 || text[4] != '-' || !all_digits(text, 4) || !etl_moment_parse(&m, text, size) || m.finer)
		return 0;
	if (!m.timed)
		return m.zoned ? 0 : CSV_DATE;
	if (!m.zoned)
		return CSV_TIMESTAMP;
	/* Another offset than that of UTC would be lost. */
	return m.zone == 0 ? CSV_INSTANT : 0;
}

const char *csv_number(const char *text, size_t size, char decimal, char buf[CSV_NUMBER_MAX])
{
	char *at;

	if (decimal == '.')
		return text;
	if (size >= CSV_NUMBER_MAX || memchr(text, '.', size))
		return NULL;
	memcpy(buf, text, size);
	at = memchr(buf, decimal, size);
	if (at)
		*at = '.';
	return buf;
}

static unsigned kinds_with(char decimal, const char *text, size_t size)
{
	char buf[CSV_NUMBER_MAX];
	const char *number;
	unsigned kinds = csv_kinds(text, size);

	if (decimal == '.')
		return kinds;
	number = csv_number(text, size, decimal, buf);
	return (kinds & ~(unsigned)(CSV_REAL | CSV_NUMBER)) |
	       (number ? csv_kinds(number, size) & (CSV_INTEGER | CSV_REAL | CSV_NUMBER) : 0u);
}

unsigned csv_kinds(const char *text, size_t size)
{
	if (size == 0)
		return 0;
	if ((size == 4 && memcmp(text, "true", 4) == 0) || (size == 5 && memcmp(text, "false", 5) == 0))
		return CSV_BOOL;
	if (text[0] != '-' && (text[0] < '0' || text[0] > '9'))
		return 0;
	return kinds_of_number(text, size) | kinds_of_moment(text, size);
}

int32_t csv_type_of(unsigned kinds)
{
	if (kinds == CSV_ANY || kinds == 0)
		return ETL_TEXT;
	if (kinds & CSV_INTEGER)
		return ETL_INT64;
	if (kinds & CSV_REAL)
		return ETL_FLOAT64;
	if (kinds & CSV_NUMBER)
		return ETL_NUMERIC;
	if (kinds & CSV_BOOL)
		return ETL_BOOL;
	if (kinds & CSV_DATE)
		return ETL_DATE;
	return kinds & CSV_TIMESTAMP ? ETL_TIMESTAMP : ETL_INSTANT;
}

/* ---- All of them ------------------------------------------------------------------------------------------------------- */

struct inferring {
	struct csv_table *table;
	struct etl_error *err;
	unsigned *kinds; /* beside the columns */
	char *scratch;
	size_t room;
	int64_t rows;
};

static int no_memory(struct inferring *n)
{
	return n->table->inst->host->fail(n->err, ETL_MEMORY, NULL, 0, "csv: no memory to look at \"%s\"",
					  n->table->name);
}

static int look_at_field(struct inferring *n, const struct csv_record *r, const struct csv_field *field,
			 unsigned *kinds)
{
	const struct csv_format *f = &n->table->format;
	const char *text;
	unsigned now;
	size_t size;

	if (!field->quoted && field->size == f->null_size && memcmp(r->text + field->at, f->null_text, field->size) == 0)
		return ETL_OK;
	if (field->doubled && field->size > n->room) {
		free(n->scratch);
		n->room = field->size;
		n->scratch = malloc(n->room);
		if (!n->scratch) {
			n->room = 0;
			return no_memory(n);
		}
	}
	text = csv_field_text(r, field, f->quote, n->scratch, &size);
	now = kinds_with(f->decimal, text, size);
	/* What is no text at all makes no column one; its row is refused. */
	if (now || etl_utf8_valid(text, size) == size)
		*kinds &= now;
	return ETL_OK;
}

static int look_at_row(struct inferring *n, const struct csv_file *file, const struct csv_record *r)
{
	const struct csv_table *t = n->table;
	size_t i;
	int rc = ETL_OK;

	for (i = 0; !rc && i < t->in_file; i++) {
		if (!t->columns[i].declared && n->kinds[i])
			rc = look_at_field(n, r, &r->fields[file->where[i]], &n->kinds[i]);
	}
	n->rows++;
	return rc;
}

static int look_at_file(struct inferring *n, const struct files_entry *entry)
{
	const struct etl_host *host = n->table->inst->host;
	struct csv_record r;
	struct csv_file file;
	size_t i;
	int rc = csv_file_open(n->table, entry, &file, n->err);

	if (rc)
		return rc;
	for (i = n->table->in_file; i < n->table->count; i++) {
		const char *text = entry->captures[n->table->columns[i].capture];

		n->kinds[i] &= csv_kinds(text, strlen(text));
	}
	while ((rc = csv_file_next(&file, &r)) == CSV_RECORD) {
		/* A bad one says nothing, and is refused when it is read. */
		rc = r.flaw ? ETL_OK : look_at_row(n, &file, &r);
		if (!rc && n->rows % CANCEL_ROWS == 0 && host->canceled(host))
			rc = ETL_CANCELED;
		if (rc)
			break;
	}
	csv_file_close(&file);
	return rc;
}

int csv_infer(struct csv_table *t, const struct files_list *list, struct etl_error *err)
{
	struct inferring n = { .table = t, .err = err };
	size_t i;
	int rc = ETL_OK;

	n.kinds = malloc((t->count + 1) * sizeof(*n.kinds));
	if (!n.kinds)
		return no_memory(&n);
	for (i = 0; i < t->count; i++)
		n.kinds[i] = CSV_ANY;
	for (i = 0; !rc && i < list->count; i++)
		rc = look_at_file(&n, &list->at[i]);
	for (i = 0; !rc && i < t->count; i++) {
		if (!t->columns[i].declared)
			t->columns[i].type.type = csv_type_of(n.kinds[i]);
	}
	if (!rc)
		t->rows = n.rows;
	free(n.kinds);
	free(n.scratch);
	return rc;
}
