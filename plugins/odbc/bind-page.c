/*
 * Texts of a column of T-SQL that is varchar, char or text: it has the characters of its collation's code page alone, and the
 * server puts a question mark, or a letter that looks alike, in the place of any other, without a word. A value with such a
 * character is rejected.
 */
#include "config.h"

#include <iconv.h>
#include <stdio.h>
#include <string.h>
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

/* Pages with characters of two bytes: of Japanese, Chinese and Korean. */
static bool is_wide(int64_t page)
{
	return page == 932 || page == 936 || page == 949 || page == 950 || page == 1361;
}

/* One that nobody here knows has the first 128 characters of all. */
static void open_page(struct bind_column *c, int64_t page)
{
	char name[32];

	c->narrow = page != UTF8;
	if (!c->narrow)
		return;
	c->wide = is_wide(page);
	snprintf(name, sizeof(name), "CP%lld", (long long)page);
	c->page = iconv_open(name, "UTF-8");
	c->back = iconv_open("UTF-8", name);
	c->has_page = c->page != (iconv_t)-1 && c->back != (iconv_t)-1;
	if (c->page != (iconv_t)-1 && !c->has_page)
		iconv_close(c->page);
	if (c->back != (iconv_t)-1 && !c->has_page)
		iconv_close(c->back);
}

/* The staged table has the very names; some may differ in case alone. */
static struct bind_column *find(struct bind *b, const char *name)
{
	for (size_t i = 0; i < b->count; i++)
		if (strcmp(b->columns[i].column->name, name) == 0)
			return &b->columns[i];
	return NULL;
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
	for (size_t k = 0; rc == ETL_OK && k < pages.count; k++) {
		struct bind_column *c = odbc_row_text(&pages, k, 0) ? find(b, odbc_row_text(&pages, k, 0)) : NULL;

		if (c && c->narrow && !c->has_page)
			open_page(c, odbc_row_number(&pages, k, 1));
	}
	odbc_rows_free(&pages);
	return rc;
}

void bind_page_close(struct bind_column *c)
{
	if (c->has_page)
		iconv_close(c->page);
	if (c->has_page)
		iconv_close(c->back);
	c->has_page = false;
}

/* In bytes of the page: how many; 0: it has none for the character. */
static size_t convert(iconv_t to, const char *from, size_t size, char *place, size_t room)
{
	char *at = (char *)(uintptr_t)from, *end = place;

	iconv(to, NULL, NULL, NULL, NULL);
	if (iconv(to, &at, &size, &end, &room) != 0 || size || iconv(to, NULL, NULL, &end, &room) != 0)
		return 0;
	return (size_t)(end - place);
}

/* The converter drops some characters, takes others apart, a letter and its accent, and makes one of two that look alike, which
 * the server all does not. */
static bool has(const struct bind_column *c, const char *character, size_t size)
{
	char there[16], back[16];
	size_t bytes = convert(c->page, character, size, there, sizeof(there));

	if (!c->wide)
		return bytes == 1;
	return bytes && convert(c->back, there, bytes, back, sizeof(back)) == size && memcmp(back, character, size) == 0;
}

/* Of valid UTF-8. */
static size_t size_of(uint8_t first)
{
	return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

const char *bind_check_page(const struct bind_column *c, const uint8_t *text, int64_t size, struct etl_text *why)
{
	bool fits = true;

	if (!c->narrow || is_ascii(text, size))
		return NULL;
	for (int64_t i = 0; fits && i < size;) {
		size_t length = size_of(text[i]);

		if ((int64_t)length > size - i)
			length = (size_t)(size - i);
		fits = length == 1 ? text[i] < 0x80 : c->has_page && has(c, (const char *)&text[i], length);
		i += (int64_t)length;
	}
	if (fits)
		return NULL;
	etl_text_add(why, "it has a character that the code page of the column's collation lacks; nvarchar takes all");
	return "code_page";
}
