/*
 * Texts of a column of T-SQL that is varchar, char or text: it has the characters of its collation's code page alone, and the
 * server puts a question mark, or a letter that looks alike, in the place of any other, without a word. A value with such a
 * character is rejected.
 */
#include "config.h"

#include <iconv.h>
#include <stdio.h>
#include <strings.h>

#include "bind.h"

#define UTF8 65001

bool bind_page_is_narrow(const char *type)
{
	static const char *const words[] = { "varchar", "char", "text" };
	size_t length = strcspn(type, "( ");

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strlen(words[i]) == length && strncasecmp(type, words[i], length) == 0)
			return true;
	return false;
}

static bool is_ascii(const uint8_t *text, int64_t size)
{
	for (int64_t i = 0; i < size; i++)
		if (text[i] >= 0x80)
			return false;
	return true;
}

/* One that nobody here knows has the first 128 characters of all. */
static void open_page(struct bind_column *c, int64_t page)
{
	char name[32];

	c->narrow = page != UTF8;
	if (!c->narrow)
		return;
	snprintf(name, sizeof(name), "CP%lld", (long long)page);
	c->page = iconv_open(name, "UTF-8");
	c->has_page = c->page != (iconv_t)-1;
}

/* The number is the server's, which names of collations do not tell. */
int bind_page_open(struct bind *b, const char *table, struct etl_error *err)
{
	struct etl_text sql = { 0 };
	struct odbc_rows pages;
	bool any = false;
	int rc;

	for (size_t i = 0; i < b->count; i++)
		any |= b->columns[i].narrow;
	if (!any)
		return ETL_OK;
	etl_text_add(&sql, "SELECT name, CONVERT(nvarchar(20), COLLATIONPROPERTY(collation_name, 'CodePage')) FROM sys.columns WHERE "
			   "object_id = OBJECT_ID(N");
	etl_text_add_literal(&sql, table);
	etl_text_add(&sql, ")");
	rc = odbc_ask_rows_text(b->inst, &sql, 2, &pages, err);
	for (size_t k = 0; rc == ETL_OK && k < pages.count; k++)
		for (size_t i = 0; i < b->count; i++)
			if (b->columns[i].narrow && !b->columns[i].has_page &&
			    strcasecmp(b->columns[i].column->name, odbc_row_text(&pages, k, 0)) == 0)
				open_page(&b->columns[i], odbc_row_number(&pages, k, 1));
	odbc_rows_free(&pages);
	return rc;
}

void bind_page_close(struct bind_column *c)
{
	if (c->has_page)
		iconv_close(c->page);
	c->has_page = false;
}

const char *bind_check_page(const struct bind_column *c, const uint8_t *text, int64_t size, struct etl_text *why)
{
	char *from = (char *)(uintptr_t)text, to[256];
	size_t left = (size_t)size;

	if (!c->narrow || is_ascii(text, size))
		return NULL;
	if (c->has_page)
		iconv(c->page, NULL, NULL, NULL, NULL);
	while (c->has_page && left > 0) {
		char *place = to;
		size_t room = sizeof(to), before = left;
		size_t changed = iconv(c->page, &from, &left, &place, &room);

		if (changed == (size_t)-1 ? left == before || room > 8 : changed > 0)
			break;
	}
	if (c->has_page && left == 0)
		return NULL;
	etl_text_add(why, "it has a character that the code page of the column's collation lacks; nvarchar takes all");
	return "code_page";
}
