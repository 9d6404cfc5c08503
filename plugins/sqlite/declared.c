/*
 * From the type that a column was declared with to the logical type it asks for. SQLite itself looks only
 * for five fragments (its affinity); people mean more by DATE or DECIMAL(10,2), and the host decides by the
 * profile whether the values keep to it.
 */
#include "config.h"

#include "describe.h"
#include "token.h"

#define DECIMAL_MAX 38 /* digits of a 128-bit decimal */

struct meaning {
	const char *word;
	int32_t type;
};

static const struct meaning meanings[] = {
	{ "BOOL", ETL_BOOL },
	{ "BOOLEAN", ETL_BOOL },
	{ "DATE", ETL_DATE },
	{ "TIME", ETL_TIME },
	{ "DATETIME", ETL_TIMESTAMP },
	{ "DATETIME2", ETL_TIMESTAMP },
	{ "TIMESTAMP", ETL_TIMESTAMP },
	{ "SMALLDATETIME", ETL_TIMESTAMP },
	{ "TIMESTAMPTZ", ETL_INSTANT },
	{ "DATETIMEOFFSET", ETL_INSTANT },
	{ "JSON", ETL_JSON },
	{ "JSONB", ETL_JSON },
	{ "UUID", ETL_UUID },
	{ "GUID", ETL_UUID },
	{ "UNIQUEIDENTIFIER", ETL_UUID },
	{ "DECIMAL", ETL_DECIMAL },
	{ "DEC", ETL_DECIMAL },
	{ "NUMERIC", ETL_DECIMAL },
	{ "NUMBER", ETL_DECIMAL },
	{ "ANY", ETL_ANY },
};

static char upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static bool contains(const char *text, const char *part)
{
	size_t n = strlen(part), i;

	for (; *text; text++) {
		for (i = 0; i < n && upper(text[i]) == part[i]; i++)
			;
		if (i == n)
			return true;
	}
	return false;
}

/* SQLite's own order of looking. */
static int32_t by_affinity(const char *declared)
{
	if (contains(declared, "INT"))
		return ETL_INT64;
	if (contains(declared, "CHAR") || contains(declared, "CLOB") || contains(declared, "TEXT"))
		return ETL_TEXT;
	if (contains(declared, "BLOB") || !*declared)
		return ETL_ANY;
	if (contains(declared, "REAL") || contains(declared, "FLOA") || contains(declared, "DOUB"))
		return ETL_FLOAT64;
	return ETL_ANY;
}

static int64_t small_number(const struct token *t)
{
	int64_t n = 0;
	size_t i;

	for (i = 0; i < t->length && i < 10; i++) {
		if (t->at[i] < '0' || t->at[i] > '9')
			return -1;
		n = n * 10 + (t->at[i] - '0');
	}
	return i == t->length ? n : -1;
}

/* The numbers in parentheses: how many there are; -1 where something else stands. */
static int arguments(const char *declared, int64_t ret[2])
{
	const char *open = strchr(declared, '(');
	struct token_cursor c;
	struct token t;
	int n = 0;

	if (!open)
		return 0;
	c = token_start(open + 1, strlen(open + 1));
	for (t = token_next(&c); t.kind == TOKEN_NUMBER && n < 2; t = token_next(&c)) {
		ret[n++] = small_number(&t);
		t = token_next(&c);
		if (!token_is(&t, ","))
			break;
	}
	return token_is(&t, ")") ? n : -1;
}

static int32_t by_word(const char *declared)
{
	struct token_cursor c = token_start(declared, strlen(declared));
	struct token first = token_next(&c), next = token_next(&c);
	size_t i;

	if (next.kind != TOKEN_END && !token_is(&next, "(")) {
		if (token_is_word(&first, "TIMESTAMP") && token_is_word(&next, "WITH"))
			return ETL_INSTANT;
		if (!token_is_word(&next, "WITHOUT"))
			return ETL_TYPE_NONE;
	}
	for (i = 0; i < sizeof(meanings) / sizeof(*meanings); i++) {
		if (token_is_word(&first, meanings[i].word))
			return meanings[i].type;
	}
	return ETL_TYPE_NONE;
}

static void set_decimal(const char *declared, struct etl_column *ret)
{
	int64_t args[2] = { 0, 0 };
	int n = arguments(declared, args);

	ret->type = ETL_NUMERIC;
	if (n < 1 || args[0] < 1 || args[0] > DECIMAL_MAX || args[1] < 0 || args[1] > args[0])
		return;
	ret->type = ETL_DECIMAL;
	ret->precision = (int32_t)args[0];
	ret->scale = (int32_t)args[1];
}

void declared_type(const char *declared, struct etl_column *ret)
{
	int64_t args[2] = { 0, 0 };

	ret->precision = ret->scale = 0;
	ret->length = 0;
	ret->type = by_word(declared);
	if (ret->type == ETL_TYPE_NONE)
		ret->type = by_affinity(declared);
	if (ret->type == ETL_DECIMAL)
		set_decimal(declared, ret);
	else if (ret->type == ETL_TEXT && arguments(declared, args) == 1 && args[0] > 0)
		ret->length = args[0];
}
