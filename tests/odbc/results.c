/* Rows of an answer: as they are asked for, in blocks or one by one, whole or in pieces. */
#include "config.h"

#include "recorder.h"

SQLRETURN SQLNumResultCols(SQLHSTMT h, SQLSMALLINT *ret)
{
	*ret = (SQLSMALLINT)((struct stmt *)h)->column_count;
	return SQL_SUCCESS;
}

SQLRETURN SQLDescribeColW(SQLHSTMT h, SQLUSMALLINT number, SQLWCHAR *name, SQLSMALLINT room, SQLSMALLINT *ret_units,
			  SQLSMALLINT *type, SQLULEN *size, SQLSMALLINT *digits, SQLSMALLINT *nullable)
{
	const struct column *c = &((struct stmt *)h)->columns[number - 1];
	size_t units = widen(c->name, name, name ? (size_t)room : 0);

	if (ret_units)
		*ret_units = (SQLSMALLINT)units;
	if (type)
		*type = (SQLSMALLINT)c->type;
	if (size)
		*size = (SQLULEN)c->size;
	if (digits)
		*digits = 0;
	if (nullable)
		*nullable = SQL_NULLABLE;
	return SQL_SUCCESS;
}

/* Types that drivers of SQL Server number beyond those of ODBC are known by their name. */
static const char *type_name(int type)
{
	return type == -150 ? "sql_variant" : type == -154 ? "time" : type == -155 ? "datetimeoffset" : "";
}

SQLRETURN SQLColAttributeW(SQLHSTMT h, SQLUSMALLINT number, SQLUSMALLINT what, SQLPOINTER text, SQLSMALLINT room,
			   SQLSMALLINT *ret_bytes, SQLLEN *ret)
{
	const struct column *c = &((struct stmt *)h)->columns[number - 1];

	if (ret)
		*ret = what == SQL_DESC_CONCISE_TYPE ? c->type : what == SQL_DESC_LENGTH ? c->size : 0;
	if (text && room >= (SQLSMALLINT)sizeof(SQLWCHAR)) {
		const char *word = what == SQL_DESC_NAME ? c->name : what == SQL_DESC_TYPE_NAME ? type_name(c->type) : "";
		size_t units = widen(word, text, (size_t)room / sizeof(SQLWCHAR));

		if (ret_bytes)
			*ret_bytes = (SQLSMALLINT)(units * sizeof(SQLWCHAR));
	}
	return SQL_SUCCESS;
}

SQLRETURN SQLBindCol(SQLHSTMT h, SQLUSMALLINT number, SQLSMALLINT c_type, SQLPOINTER values, SQLLEN width, SQLLEN *lengths)
{
	struct stmt *s = h;

	if (number < 1 || number > MAX_COLUMNS)
		return SQL_ERROR;
	s->bound[number - 1] = (struct bound){ c_type, values, width, lengths };
	return SQL_SUCCESS;
}

/* Gives what is left of a value from GOT on; *RET_LENGTH is all of it. True: there is more. */
static bool give(const char *text, SQLSMALLINT c_type, size_t *got, char *to, SQLLEN width, SQLLEN *ret_length)
{
	SQLWCHAR *wide;
	size_t bytes, room, part;

	if (c_type == SQL_C_SBIGINT || c_type == SQL_C_DOUBLE) {
		int64_t n = strtoll(text, NULL, 10);
		double d = strtod(text, NULL);

		memcpy(to, c_type == SQL_C_DOUBLE ? (const void *)&d : (const void *)&n, 8);
		*ret_length = 8;
		return false;
	}
	bytes = c_type == SQL_C_WCHAR ? widen(text, NULL, 0) * sizeof(*wide) : strlen(text);
	wide = calloc(bytes + 2, sizeof(*wide));
	widen(text, wide, bytes + 2);
	room = (size_t)width - (c_type == SQL_C_WCHAR ? sizeof(*wide) : 0);
	part = bytes - *got < room ? bytes - *got : room;
	memcpy(to, c_type == SQL_C_WCHAR ? (const char *)wide + *got : text + *got, part);
	if (c_type == SQL_C_WCHAR)
		memset(to + part, 0, sizeof(*wide));
	free(wide);
	*ret_length = (SQLLEN)(bytes - *got);
	*got += part;
	return *got < bytes;
}

static void give_bound(struct stmt *s, const char *row, SQLULEN at)
{
	for (size_t i = 0; i < s->column_count; i++) {
		const struct bound *b = &s->bound[i];
		bool null;
		char *text;
		size_t got = 0;

		if (!b->values)
			continue;
		text = field(row, i, &null);
		if (null)
			b->lengths[at] = SQL_NULL_DATA;
		else
			give(text, b->c_type, &got, b->values + (SQLLEN)at * b->width, b->width, &b->lengths[at]);
		free(text);
	}
}

SQLRETURN SQLFetch(SQLHSTMT h)
{
	struct stmt *s = h;
	SQLULEN rows = 0;

	clear(&s->handle);
	if (s->dbc->dead)
		return fail(&s->handle, "08S01", 0, "Communication link failure");
	s->block = s->row = s->next;
	s->got_column = 0;
	for (; s->next && rows < s->array; s->next = s->next->next) {
		if (strncmp(s->next->text, "!gone", 5) == 0) {
			s->dbc->dead = true;
			return fail(&s->handle, "08S01", 0, "Communication link failure");
		}
		give_bound(s, s->next->text, rows);
		if (s->row_status)
			s->row_status[rows] = SQL_ROW_SUCCESS;
		rows++;
	}
	for (SQLULEN i = rows; s->row_status && i < s->array; i++)
		s->row_status[i] = SQL_ROW_NOROW;
	if (s->fetched)
		*s->fetched = rows;
	return rows ? SQL_SUCCESS : SQL_NO_DATA;
}

SQLRETURN SQLSetPos(SQLHSTMT h, SQLSETPOSIROW row, SQLUSMALLINT how, SQLUSMALLINT lock)
{
	struct stmt *s = h;

	(void)how;
	(void)lock;
	s->row = s->block;
	while (row-- > 1 && s->row)
		s->row = s->row->next;
	s->got_column = 0;
	return s->row ? SQL_SUCCESS : SQL_ERROR;
}

SQLRETURN SQLGetData(SQLHSTMT h, SQLUSMALLINT number, SQLSMALLINT c_type, SQLPOINTER to, SQLLEN width, SQLLEN *ret)
{
	struct stmt *s = h;
	bool null, more;
	char *text;

	clear(&s->handle);
	if (!s->row)
		return fail(&s->handle, "24000", 0, "Invalid cursor state");
	if (s->got_column != number) {
		s->got_column = number;
		s->got = 0;
	} else if (s->got == (size_t)-1) {
		return SQL_NO_DATA;
	}
	text = field(s->row->text, number - 1u, &null);
	if (null) {
		*ret = SQL_NULL_DATA;
		s->got = (size_t)-1;
		free(text);
		return SQL_SUCCESS;
	}
	more = give(text, c_type, &s->got, to, width, ret);
	free(text);
	if (more && c_type == SQL_C_WCHAR)
		*ret = SQL_NO_TOTAL; /* as FreeTDS says of texts */
	if (!more) {
		s->got = (size_t)-1;
		return SQL_SUCCESS;
	}
	say(&s->handle, "01004", 0, "String data, right truncated");
	return SQL_SUCCESS_WITH_INFO;
}
