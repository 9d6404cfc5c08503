/* Statements, their parameters and their answers. */
#include "config.h"

#include "recorder.h"

/* ---- Values that come ---------------------------------------------------------------------------------------------- */

/* What FreeTDS 1.3 does: a text or a binary that is not declared as a long one is cut at 4000 units, 8000 bytes or at the
 * size that was declared, without a word. */
static size_t cut(const struct parameter *p, size_t size)
{
	size_t most = size;

	if (p->sql_type == SQL_WVARCHAR || p->sql_type == SQL_WCHAR)
		most = (p->size && p->size < 4000 ? p->size : 4000) * sizeof(SQLWCHAR);
	else if (p->sql_type == SQL_VARCHAR || p->sql_type == SQL_VARBINARY || p->sql_type == SQL_BINARY)
		most = p->size < 8000 ? p->size : 8000;
	return size < most ? size : most;
}

/* And the day of a year before 1601 that comes as a structure is the one before. */
static char *show_timestamp(const SQL_TIMESTAMP_STRUCT *t)
{
	return join("%04d-%02d-%02d %02d:%02d:%02d.%09u", t->year, t->month, t->year < 1601 ? t->day - 1 : t->day, t->hour,
		    t->minute, t->second, (unsigned)t->fraction);
}

static char *show(struct stmt *s, const struct parameter *p, SQLULEN row)
{
	const char *at = p->values + (SQLLEN)row * p->width;
	SQLLEN length = p->lengths ? p->lengths[row] : SQL_NTS;
	bool half = false;
	char *text, *ret;

	if (length == SQL_NULL_DATA)
		return strdup("NULL");
	switch (p->c_type) {
	case SQL_C_SBIGINT:
		return join("%lld", (long long)((const int64_t *)(const void *)p->values)[row]);
	case SQL_C_DOUBLE:
		return join("%.17g", ((const double *)(const void *)p->values)[row]);
	case SQL_C_BIT:
		return strdup(p->values[row] ? "1" : "0");
	case SQL_C_TYPE_TIMESTAMP:
		return show_timestamp(&((const SQL_TIMESTAMP_STRUCT *)(const void *)p->values)[row]);
	case SQL_C_WCHAR:
		text = narrow((const SQLWCHAR *)(const void *)at, (SQLINTEGER)(cut(p, (size_t)length) / sizeof(SQLWCHAR)), &half);
		s->dbc->wedged |= half && cut(p, (size_t)length) == (size_t)length;
		ret = shown(text, strlen(text), false);
		free(text);
		return ret;
	default:
		return shown(at, cut(p, (size_t)length), true);
	}
}

/* VALUES (?, ?), (?, ?): how many rows a statement has. */
static SQLULEN tuples_of(const struct stmt *s)
{
	SQLULEN tuples = 1;

	for (const char *at = strstr(s->sql, " VALUES ("); at && (at = strstr(at, "), (")); at++)
		tuples++;
	return tuples;
}

/* Row ROW of all that the array's statements have, one behind the other. */
static char *show_row(struct stmt *s, SQLULEN row)
{
	SQLULEN tuples = tuples_of(s), set = row / tuples, tuple = row % tuples;
	size_t columns = s->parameter_count / tuples;
	char *text = strdup("");

	for (size_t i = 0; i < columns; i++) {
		char *value = show(s, &s->parameters[tuple * columns + i], set);
		char *more = join("%s%s%s", text, i ? "|" : "", value);

		free(value);
		free(text);
		text = more;
	}
	return text;
}

/* ---- Doing it --------------------------------------------------------------------------------------------------------- */

static void free_answer(struct stmt *s)
{
	free_lines(s->rows);
	s->rows = s->row = s->block = s->next = NULL;
	s->column_count = 0;
	s->open = false;
	s->count = -1;
}

static void give_row(struct stmt *s, const char *text)
{
	struct line **end = &s->rows;

	while (*end)
		end = &(*end)->next;
	add_line(&end, text);
	s->next = s->rows;
}

static void answer(struct stmt *s, const struct rule *r)
{
	if (!r->rows && !r->column_count)
		return;
	for (const struct line *l = r->rows; l; l = l->next)
		give_row(s, l->text);
	s->column_count = r->column_count;
	memcpy(s->columns, r->columns, sizeof(s->columns));
	if (!s->column_count) {
		s->column_count = 1;
		for (const char *p = r->rows->text; *p; p++)
			s->column_count += *p == '|';
		for (size_t i = 0; i < s->column_count; i++) {
			s->columns[i] = (struct column){ .type = SQL_WVARCHAR, .size = 4000 };
			sprintf(s->columns[i].name, "c%zu", i + 1);
		}
	}
	s->open = true;
}

/* The name of the table that rows go into; BUF has 600 bytes. */
static const char *table_of(const char *sql, char *buf)
{
	const char *at = strstr(sql, "INSERT INTO ");
	size_t i = 0;
	bool in = false;

	*buf = '\0';
	if (!at)
		return NULL;
	for (at += 12; *at && (in || *at != ' ') && i < 599; at++) {
		in = *at == '[' ? true : *at == ']' ? false : in;
		buf[i++] = *at;
	}
	buf[i] = '\0';
	return buf;
}

static void back_to_savepoint(struct dbc *d)
{
	if (!d->saved)
		return;
	free_lines(*d->saved);
	*d->saved = NULL;
	d->kept_end = d->saved;
}

/* The last text constant of the statement: of an INSERT into the units, or a question for one. */
static const char *last_literal(const char *sql)
{
	const char *at = NULL;

	for (const char *p = sql; (p = strstr(p, "N'")); p += 2)
		at = p + 2;
	return at ? at : "";
}

/* A unit is there for its own transaction. */
static void follow_units(struct stmt *s)
{
	struct dbc *d = s->dbc;

	if (strncmp(s->sql, "INSERT INTO [dbo].[_etlrun_units]", 33) == 0 &&
	    strncmp(last_literal(s->sql), "split ", 6) != 0)
		snprintf(d->unit, sizeof(d->unit), "%.16s", last_literal(s->sql));
	if (s->open || strncmp(s->sql, "SELECT COUNT(*) FROM [dbo].[_etlrun_units]", 42) != 0)
		return;
	give_row(s, *d->unit && strncmp(last_literal(s->sql), d->unit, 16) == 0 ? "1" : "0");
	s->column_count = 1;
	s->columns[0] = (struct column){ .name = "c1", .type = SQL_INTEGER, .size = 10 };
	s->open = true;
}

/* Likewise what a transaction that publishes writes first. */
static void follow_mark(struct stmt *s)
{
	struct dbc *d = s->dbc;

	if (strncmp(s->sql, "INSERT INTO [dbo].[_etlrun_again]", 33) == 0 && strstr(s->sql, ", -1, "))
		d->marked = true;
	if (s->open || strncmp(s->sql, "SELECT COUNT(*) FROM [dbo].[_etlrun_again]", 42) != 0)
		return;
	give_row(s, d->marked ? "1" : "0");
	s->column_count = 1;
	s->columns[0] = (struct column){ .name = "c1", .type = SQL_INTEGER, .size = 10 };
	s->open = true;
}

/* The transaction, as the server would have it. */
static void follow(struct stmt *s)
{
	struct dbc *d = s->dbc;

	follow_units(s);
	follow_mark(s);
	if (strncmp(s->sql, "SET IMPLICIT_TRANSACTIONS", 25) == 0)
		d->implicit = strcmp(s->sql + 26, "ON") == 0;
	if (strncmp(s->sql, "BEGIN TRAN", 10) == 0 || strstr(s->sql, "; BEGIN TRAN"))
		d->transactions++;
	else if (strncmp(s->sql, "COMMIT", 6) == 0)
		end_transaction(d, true);
	else if (strncmp(s->sql, "SAVE TRAN", 9) == 0)
		d->saved = d->kept_end;
	else if (strcmp(s->sql, "ROLLBACK TRANSACTION etlrun_row") == 0)
		back_to_savepoint(d);
	else if (strcmp(s->sql, "IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION") == 0 || strcmp(s->sql, "ROLLBACK TRANSACTION") == 0)
		end_transaction(d, false);
	if (strcmp(s->sql, "SELECT @@TRANCOUNT") == 0 && !s->open) {
		char *count = join("%ld", d->transactions);

		give_row(s, count);
		free(count);
		s->column_count = 1;
		s->columns[0] = (struct column){ .name = "c1", .type = SQL_INTEGER, .size = 10 };
		s->open = true;
	}
}

static bool is_bad(const struct rule *r, SQLULEN row)
{
	for (size_t i = 0; r && i < r->bad_count; i++)
		if (r->bad[i] == (long)row + 1)
			return true;
	return false;
}

/* The rule about the row itself: "on row 2|NULL". */
static struct rule *rule_of_row(const char *text)
{
	char *line = join("row %s", text);
	struct rule *r = script_answer(line);

	free(line);
	return r;
}

/* It refuses the row; with "info" the row is in, and something is said beside it. */
static bool refuses(const struct rule *own)
{
	return own && (own->fails || !*own->state);
}

/* The rule that refuses a row of the statement whose first row is FIRST: it is in with all of its rows or with none. */
static struct rule *bad_tuple(struct stmt *s, SQLULEN first, SQLULEN tuples)
{
	struct rule *own = NULL;

	for (SQLULEN row = first; !refuses(own) && row < first + tuples; row++) {
		char *text = show_row(s, row);

		own = rule_of_row(text);
		free(text);
	}
	return refuses(own) ? own : NULL;
}

static bool is_any_bad(const struct rule *r, SQLULEN first, SQLULEN tuples)
{
	bool is = false;

	for (SQLULEN row = first; !is && row < first + tuples; row++)
		is = is_bad(r, row);
	return is;
}

static void take_row(struct stmt *s, const struct rule *r, const char *table, const char *text, bool bad)
{
	s->count += !bad;
	record(s->dbc, "row %s", text);
	if (bad || !table || (r && r->gone && !r->done))
		return;
	s->dbc->transactions += s->dbc->implicit && !s->dbc->transactions;
	keep(s->dbc, table, text);
}

/* The rows of one statement of an array, the SETth: what is to be said of it, or NULL. */
static struct rule *take_set(struct stmt *s, const struct rule *r, const char *table, SQLULEN set, SQLULEN tuples)
{
	SQLULEN first = set * tuples;
	struct rule *refusal = tuples > 1 ? bad_tuple(s, first, tuples) : NULL, *about = refusal;
	bool bad = (r && r->fails && !r->bad_count) || refusal || is_any_bad(r, first, tuples);

	for (SQLULEN row = first; row < first + tuples; row++) {
		char *text = show_row(s, row);
		struct rule *own = tuples > 1 ? NULL : rule_of_row(text);

		about = own ? own : about;
		bad = bad || refuses(own);
		take_row(s, r, table, text, bad);
		free(text);
	}
	if (s->param_status)
		s->param_status[set] = bad ? SQL_PARAM_ERROR : about ? SQL_PARAM_SUCCESS_WITH_INFO : SQL_PARAM_SUCCESS;
	if (bad && (about ? about : r)->rolled_back)
		end_transaction(s->dbc, false);
	return about;
}

/* Statements of an array: those that are not bad are in, also where the server took the transaction back at a bad one: each by
 * itself, or in a transaction that begins with it where the session asked for that. */
static struct rule *take_rows(struct stmt *s, const struct rule *r)
{
	struct rule *about = NULL;
	char buf[600];
	const char *table = table_of(s->sql, buf);
	SQLULEN tuples = tuples_of(s);

	s->count = 0;
	for (SQLULEN set = 0; s->parameter_count && set < s->paramset; set++) {
		struct rule *now = take_set(s, r, table, set, tuples);

		about = now ? now : about;
	}
	if (s->processed)
		*s->processed = s->paramset;
	if (r && r->says_took)
		s->count = r->took;
	else if (!s->parameter_count)
		s->count = -1;
	return about;
}

/* Of an array, FreeTDS says no more than that there is something to be said. */
static SQLRETURN tell_row(struct stmt *s, const struct rule *r)
{
	record(s->dbc, "%s %s %d", refuses(r) ? "failed" : "info", r->state, r->native);
	say(&s->handle, r->state, r->native, r->words ? r->words : "");
	return s->paramset > 1 || !refuses(r) ? SQL_SUCCESS_WITH_INFO : SQL_ERROR;
}

/* A statement that changes something, in no transaction: it is done for good. With implicit ones it begins one. */
static bool is_loose(const struct stmt *s)
{
	static const char *const words[] = { "INSERT ", "UPDATE ", "DELETE ", "DROP ", "EXEC sp_rename" };
	struct dbc *d = s->dbc;

	for (size_t i = 0; !d->transactions && i < sizeof(words) / sizeof(*words); i++) {
		if (strncmp(s->sql, words[i], strlen(words[i])) != 0)
			continue;
		d->transactions = d->implicit;
		return !d->implicit;
	}
	return false;
}

static SQLRETURN lose(struct stmt *s, const struct rule *r)
{
	s->dbc->dead = true;
	end_transaction(s->dbc, false);
	return fail(&s->handle, *r->state ? r->state : "08S01", r->native, r->words ? r->words : "Communication link failure");
}

static SQLRETURN run(struct stmt *s)
{
	struct dbc *d = s->dbc;
	struct rule *r, *row;

	clear(&s->handle);
	free_answer(s);
	if (d->dead)
		return fail(&s->handle, "08S01", 0, "Communication link failure");
	if (d->wedged)
		return fail(&s->handle, "24000", 0, "Invalid cursor state");
	record(d, "%ssql %s", is_loose(s) ? "loose " : "", s->sql);
	r = script_answer(s->sql);
	if (r && (r->gone || r->fails) && r->done)
		follow(s);
	if (r && r->gone && r->rolled_back)
		end_transaction(d, false);
	row = take_rows(s, r);
	if (r && r->gone)
		return lose(s, r);
	if (row)
		return tell_row(s, row);
	if (d->wedged)
		return fail(&s->handle, "HY000", 2402, "Error converting characters into server's character set");
	if (r && r->rolled_back && !r->bad_count)
		end_transaction(d, false);
	if (r && r->fails)
		record(d, "failed %s %d", r->state, r->native);
	if (r && r->fails && !r->bad_count)
		return fail(&s->handle, r->state, r->native, r->words);
	if (r)
		answer(s, r);
	follow(s);
	/* Of what the run itself made, one column will do. */
	if (!s->open && strncmp(s->sql, "SELECT * FROM", 13) == 0 && !strstr(s->sql, "[_etlrun_"))
		return fail(&s->handle, "42S02", 208, "the script does not say what columns it has");
	if (!s->open && strncmp(s->sql, "SELECT", 6) == 0) {
		s->column_count = 1;
		s->columns[0] = (struct column){ .name = "c1", .type = SQL_WVARCHAR, .size = 4000 };
		s->open = true;
	}
	if (r && *r->state)
		say(&s->handle, r->state, r->native, r->words);
	return r && (*r->state || r->bad_count) ? SQL_SUCCESS_WITH_INFO : s->open ? SQL_SUCCESS : (SQLRETURN)SQL_NO_DATA;
}

/* SQL_NO_DATA of SQLExecDirect is a statement without rows. A query that no rule is about has none. */
SQLRETURN SQLExecDirectW(SQLHSTMT h, SQLWCHAR *wide, SQLINTEGER units)
{
	struct stmt *s = h;
	bool half;

	free(s->sql);
	s->sql = narrow(wide, units, &half);
	s->prepared = false;
	for (char *p = s->sql; *p; p++)
		if (*p == '\n')
			*p = ' ';
	return run(s);
}

SQLRETURN SQLPrepareW(SQLHSTMT h, SQLWCHAR *wide, SQLINTEGER units)
{
	struct stmt *s = h;
	bool half;

	free(s->sql);
	s->sql = narrow(wide, units, &half);
	s->prepared = s->moved = true;
	return SQL_SUCCESS;
}

SQLRETURN SQLExecute(SQLHSTMT h)
{
	struct stmt *s = h;

	if (!s->prepared)
		return fail(&s->handle, "HY010", 0, "no statement is prepared");
	if (s->moved)
		record(s->dbc, "prepared %s", s->sql);
	s->moved = false;
	s->behind = true;
	return run(s);
}

static SQLRETURN catalog(SQLHSTMT h, const char *function, const SQLWCHAR *name, SQLSMALLINT units)
{
	struct stmt *s = h;
	bool half;
	char *table = name ? narrow(name, units, &half) : strdup("");

	free(s->sql);
	s->sql = join("%s %s", function, table);
	free(table);
	run(s);
	if (s->handle.diag_count)
		return SQL_ERROR;
	if (!s->open)
		s->column_count = 18;
	s->open = true;
	return SQL_SUCCESS;
}

SQLRETURN SQLTablesW(SQLHSTMT h, SQLWCHAR *a, SQLSMALLINT b, SQLWCHAR *c, SQLSMALLINT d, SQLWCHAR *name, SQLSMALLINT units,
		     SQLWCHAR *e, SQLSMALLINT f)
{
	(void)a, (void)b, (void)c, (void)d, (void)e, (void)f;
	return catalog(h, "SQLTables", name, units);
}

SQLRETURN SQLColumnsW(SQLHSTMT h, SQLWCHAR *a, SQLSMALLINT b, SQLWCHAR *c, SQLSMALLINT d, SQLWCHAR *name, SQLSMALLINT units,
		      SQLWCHAR *e, SQLSMALLINT f)
{
	(void)a, (void)b, (void)c, (void)d, (void)e, (void)f;
	return catalog(h, "SQLColumns", name, units);
}

SQLRETURN SQLPrimaryKeysW(SQLHSTMT h, SQLWCHAR *a, SQLSMALLINT b, SQLWCHAR *c, SQLSMALLINT d, SQLWCHAR *name, SQLSMALLINT units)
{
	(void)a, (void)b, (void)c, (void)d;
	return catalog(h, "SQLPrimaryKeys", name, units);
}

SQLRETURN SQLForeignKeysW(SQLHSTMT h, SQLWCHAR *a, SQLSMALLINT b, SQLWCHAR *c, SQLSMALLINT d, SQLWCHAR *parent, SQLSMALLINT g,
			  SQLWCHAR *e, SQLSMALLINT f, SQLWCHAR *i, SQLSMALLINT j, SQLWCHAR *name, SQLSMALLINT units)
{
	(void)a, (void)b, (void)c, (void)d, (void)parent, (void)g, (void)e, (void)f, (void)i, (void)j;
	return catalog(h, "SQLForeignKeys", name, units);
}

SQLRETURN SQLStatisticsW(SQLHSTMT h, SQLWCHAR *a, SQLSMALLINT b, SQLWCHAR *c, SQLSMALLINT d, SQLWCHAR *name, SQLSMALLINT units,
			 SQLUSMALLINT e, SQLUSMALLINT f)
{
	(void)a, (void)b, (void)c, (void)d, (void)e, (void)f;
	return catalog(h, "SQLStatistics", name, units);
}

/* ---- Parameters and attributes ---------------------------------------------------------------------------------------- */

SQLRETURN SQLBindParameter(SQLHSTMT h, SQLUSMALLINT number, SQLSMALLINT way, SQLSMALLINT c_type, SQLSMALLINT sql_type,
			   SQLULEN size, SQLSMALLINT digits, SQLPOINTER values, SQLLEN width, SQLLEN *lengths)
{
	struct stmt *s = h;

	(void)way;
	(void)digits;
	if (number < 1 || number > MAX_PARAMETERS)
		return fail(&s->handle, "07009", 0, "too many parameters");
	s->parameters[number - 1] = (struct parameter){ c_type, sql_type, size, values, width, lengths };
	if (s->parameter_count < number)
		s->parameter_count = number;
	s->moved = true;
	return SQL_SUCCESS;
}

SQLRETURN SQLSetStmtAttrW(SQLHSTMT h, SQLINTEGER attribute, SQLPOINTER value, SQLINTEGER size)
{
	struct stmt *s = h;

	(void)size;
	if (attribute == SQL_ATTR_PARAMSET_SIZE)
		s->paramset = (SQLULEN)(uintptr_t)value;
	else if (attribute == SQL_ATTR_PARAM_STATUS_PTR)
		s->param_status = value;
	else if (attribute == SQL_ATTR_PARAMS_PROCESSED_PTR)
		s->processed = value;
	else if (attribute == SQL_ATTR_ROW_ARRAY_SIZE)
		s->array = (SQLULEN)(uintptr_t)value;
	else if (attribute == SQL_ATTR_ROW_STATUS_PTR)
		s->row_status = value;
	else if (attribute == SQL_ATTR_ROWS_FETCHED_PTR)
		s->fetched = value;
	return SQL_SUCCESS;
}

SQLRETURN SQLGetStmtAttrW(SQLHSTMT h, SQLINTEGER attribute, SQLPOINTER value, SQLINTEGER room, SQLINTEGER *ret)
{
	struct stmt *s = h;

	(void)room;
	(void)ret;
	if (attribute < SQL_ATTR_APP_ROW_DESC || attribute > SQL_ATTR_IMP_PARAM_DESC)
		return SQL_ERROR;
	*(SQLPOINTER *)value = &s->descriptors[attribute - SQL_ATTR_APP_ROW_DESC];
	return SQL_SUCCESS;
}

SQLRETURN SQLFreeStmt(SQLHSTMT h, SQLUSMALLINT what)
{
	struct stmt *s = h;

	if (what == SQL_CLOSE)
		free_answer(s);
	else if (what == SQL_RESET_PARAMS)
		s->parameter_count = 0;
	else if (what == SQL_UNBIND)
		memset(s->bound, 0, sizeof(s->bound));
	return SQL_SUCCESS;
}

SQLRETURN SQLCloseCursor(SQLHSTMT h)
{
	free_answer(h);
	return SQL_SUCCESS;
}

SQLRETURN SQLCancel(SQLHSTMT h)
{
	(void)h;
	return SQL_SUCCESS;
}

SQLRETURN SQLRowCount(SQLHSTMT h, SQLLEN *ret)
{
	long lie;

	*ret = script_counts(&lie) ? lie : ((struct stmt *)h)->count;
	return SQL_SUCCESS;
}

/* "on behind": what the server says of a statement when its first answer was taken. */
SQLRETURN SQLMoreResults(SQLHSTMT h)
{
	struct stmt *s = h;
	struct rule *r = s->behind ? script_answer("behind") : NULL;

	free_answer(s);
	clear(&s->handle);
	s->behind = false;
	if (!r)
		return SQL_NO_DATA;
	record(s->dbc, "failed %s %d", r->state, r->native);
	return fail(&s->handle, r->state, r->native, r->words);
}
