/*
 * Rows as lines of CSV: quoted only where it would be read otherwise without, so NULL and the empty text, and a text that is called
 * as NULL is, stay what they are.
 */
#include "config.h"

#include <string.h>

#include "write.h"

/* Would it be another value, or none, without quotes? */
static bool wants_quotes(const struct csv_format *f, const char *text, size_t size)
{
	size_t i;

	if (size == f->null_size && memcmp(text, f->null_text, size) == 0)
		return true;
	for (i = 0; i < size; i++) {
		if (text[i] == f->separator || text[i] == f->quote || text[i] == '\n' || text[i] == '\r')
			return true;
	}
	/* Blanks at the ends are what many programs take off. */
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

/* False: it would have to be quoted, and there are no quotes. */
static bool add_field(struct etl_text *to, const struct csv_format *f, const char *text, size_t size)
{
	bool quotes = wants_quotes(f, text, size);

	if (quotes && f->quote)
		add_quoted(to, f->quote, text, size);
	else
		etl_text_add_bytes(to, text, size);
	return f->quote || !quotes || (size > 0 && strpbrk(" \t", (char[]){ text[0], '\0' }) && f->separator != text[0]);
}

void csv_add_header(struct etl_text *to, const struct csv_format *f, const struct etl_table *table)
{
	size_t i;

	for (i = 0; i < table->column_count; i++) {
		const char *name = ETL_AT(const struct etl_column, table->columns, table->column_size, i)->name;

		if (i)
			etl_text_add_bytes(to, &f->separator, 1);
		add_field(to, f, name, strlen(name));
	}
	etl_text_add(to, f->crlf ? "\r\n" : "\n");
}

static void add_hex(struct etl_text *to, const uint8_t *bytes, int64_t size)
{
	static const char digits[] = "0123456789abcdef";
	int64_t i;

	for (i = 0; i < size; i++)
		etl_text_add_bytes(to, (char[]){ digits[bytes[i] >> 4], digits[bytes[i] & 15] }, 2);
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
		if (size == 0)
			return add_field(to, f, "", 0);
		add_hex(to, bytes, size);
		return true;
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

const char *csv_add_row(struct etl_text *to, const struct csv_format *f, const struct etl_view *view, int64_t row,
			int64_t *ret_column)
{
	int64_t i;

	for (i = 0; i < view->count; i++) {
		const struct etl_column_view *c = &view->columns[i];

		if (i)
			etl_text_add_bytes(to, &f->separator, 1);
		*ret_column = i;
		if (etl_is_null(c, row))
			etl_text_add_bytes(to, f->null_text, f->null_size);
		else if (!add_value(to, f, c, row))
			return "has to be quoted, and quote = \"\" leaves nothing to quote it with";
	}
	etl_text_add(to, f->crlf ? "\r\n" : "\n");
	return NULL;
}
