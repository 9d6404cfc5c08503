/*
 * Rows as lines of CSV: quoted only where it would be read otherwise without, so NULL and the empty text, and a text that is called
 * as NULL is, stay what they are.
 */
#include "config.h"

#include <string.h>

#include "write.h"

/* What a reader takes for something else: the end of a field or a row, a quote, the mark at the beginning of a file. */
static bool has_signs(const struct csv_format *f, const char *text, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++) {
		if (text[i] == f->separator || text[i] == '\n' || text[i] == '\r' || (f->quote && text[i] == f->quote))
			return true;
	}
	return size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0;
}

static bool is_null_text(const struct csv_format *f, const char *text, size_t size)
{
	return size == f->null_size && memcmp(text, f->null_text, size) == 0;
}

/* Blanks at the ends are what many programs take off. */
static bool has_blanks(const char *text, size_t size)
{
	return size > 0 && (text[0] == ' ' || text[0] == '\t' || text[size - 1] == ' ' || text[size - 1] == '\t');
}

static void add_quoted(struct etl_text *to, char quote, const char *text, size_t size)
{
	const char *end = text + size, *at;

	etl_text_add_bytes(to, &quote, 1);
	while ((at = memchr(text, quote, (size_t)(end - text))) != NULL) {
		etl_text_add_bytes(to, text, (size_t)(at - text) + 1);
		etl_text_add_bytes(to, &quote, 1);
		text = at + 1;
	}
	etl_text_add_bytes(to, text, (size_t)(end - text));
	etl_text_add_bytes(to, &quote, 1);
}

/* Without quotes blanks stand as they are. False: it would be another value, or none, and there are no quotes. */
static bool add_field(struct etl_text *to, const struct csv_format *f, const char *text, size_t size)
{
	bool other = is_null_text(f, text, size) || has_signs(f, text, size);

	if (f->quote && (other || has_blanks(text, size)))
		add_quoted(to, f->quote, text, size);
	else
		etl_text_add_bytes(to, text, size);
	return f->quote || !other;
}

/* An empty name without quotes would be none, and of one column no line. */
static bool add_name(struct etl_text *to, const struct csv_format *f, const char *name)
{
	add_field(to, f, name, strlen(name));
	return f->quote || (*name && !has_signs(f, name, strlen(name)));
}

bool csv_add_header(struct etl_text *to, const struct csv_format *f, const struct etl_table *table, size_t *ret_column)
{
	size_t i;

	for (i = 0; i < table->column_count; i++) {
		const char *name = ETL_AT(const struct etl_column, table->columns, table->column_size, i)->name;

		if (i)
			etl_text_add_bytes(to, &f->separator, 1);
		*ret_column = i;
		if (!add_name(to, f, name))
			return false;
	}
	etl_text_add(to, f->crlf ? "\r\n" : "\n");
	return true;
}

/* Digits are taken for something else only by one who made them a separator, or the text of NULL. */
static bool add_hex(struct etl_text *to, const struct csv_format *f, const uint8_t *bytes, int64_t size)
{
	static const char digits[] = "0123456789abcdef";
	struct etl_text hex = { 0 };
	bool written;
	int64_t i;

	for (i = 0; i < size; i++)
		etl_text_add_bytes(&hex, (char[]){ digits[bytes[i] >> 4], digits[bytes[i] & 15] }, 2);
	written = add_field(to, f, hex.at ? hex.at : "", hex.length);
	to->failed = to->failed || hex.failed;
	etl_text_free(&hex);
	return written;
}

static bool add_value(struct etl_text *to, const struct csv_format *f, const struct etl_column_view *c, int64_t row)
{
	size_t from = to->length;
	const uint8_t *bytes;
	char spelled[512];
	int64_t size;

	switch (c->type.type) {
	case ETL_TEXT:
	case ETL_JSON:
	case ETL_NUMERIC:
		bytes = etl_get_bytes(c, row, &size);
		return add_field(to, f, (const char *)bytes, (size_t)size);
	case ETL_BYTES:
		bytes = etl_get_bytes(c, row, &size);
		return add_hex(to, f, bytes, size);
	default:
		etl_text_add_value(to, c, row);
		if (to->failed || to->length - from >= sizeof(spelled))
			return true;
		/* A number that is called as NULL is. */
		size = (int64_t)(to->length - from);
		memcpy(spelled, to->at + from, (size_t)size);
		to->length = from;
		return add_field(to, f, spelled, (size_t)size);
	}
}

bool csv_add_row(struct etl_text *to, const struct csv_format *f, const struct etl_view *view, int64_t row, int64_t *ret_column)
{
	size_t from = to->length;
	int64_t i;

	for (i = 0; i < view->count; i++) {
		const struct etl_column_view *c = &view->columns[i];

		if (i)
			etl_text_add_bytes(to, &f->separator, 1);
		*ret_column = i;
		if (etl_is_null(c, row))
			etl_text_add_bytes(to, f->null_text, f->null_size);
		else if (!add_value(to, f, c, row)) {
			to->length = from;
			return false;
		}
	}
	etl_text_add(to, f->crlf ? "\r\n" : "\n");
	return true;
}
