/*
 * delete = "soft": the column of the target that says that a row is gone from the source. It is a time, NULL in a row that is
 * there, or a flag. A row that is in the source again loses its mark, whether its values are others or not.
 */
#include "config.h"

#include <time.h>

#include "into.h"

bool odbc_into_marks(const struct odbc_into *t)
{
	return t->load->deletes == ETL_DELETE_SOFT && t->load->delete_column;
}

static int32_t mark_type(const struct odbc_into *t)
{
	const struct etl_column *c = odbc_into_find(t->load->existing, t->load->delete_column);

	return c ? c->type : ETL_TEXT;
}

/* What the mark of a row that is there says; NULL: the mark is a time. */
static const char *no_mark(const struct odbc_into *t)
{
	switch (mark_type(t)) {
	case ETL_BOOL:
		return t->inst->dialect == &odbc_postgresql ? "false" : "0";
	case ETL_INT16:
	case ETL_INT32:
	case ETL_INT64:
		return "0";
	default:
		return NULL;
	}
}

void odbc_into_add_marked(const struct odbc_into *t, struct etl_text *sql, const char *own)
{
	const char *none = no_mark(t);

	etl_text_addf(sql, none ? "COALESCE(%s." : "%s.", own);
	odbc_add_name(sql, t->inst, t->load->delete_column);
	if (none)
		etl_text_addf(sql, ", %s) <> %s", none, none);
	else
		etl_text_add(sql, " IS NOT NULL");
}

void odbc_into_add_not_marked(const struct odbc_into *t, struct etl_text *sql, const char *own)
{
	const char *none = no_mark(t);

	etl_text_addf(sql, none ? "COALESCE(%s." : "%s.", own);
	odbc_add_name(sql, t->inst, t->load->delete_column);
	if (none)
		etl_text_addf(sql, ", %s) = %s", none, none);
	else
		etl_text_add(sql, " IS NULL");
}

/* When the run began, in UTC; a timestamp of T-SQL takes no zone. */
static void add_time(const struct odbc_into *t, struct etl_text *sql)
{
	time_t seconds = (time_t)(t->load->run->started / 1000000);
	char text[40] = "";
	struct tm tm;

	if (gmtime_r(&seconds, &tm))
		strftime(text, sizeof(text), mark_type(t) == ETL_TIMESTAMP ? "%Y-%m-%dT%H:%M:%S" : "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (t->inst->dialect == &odbc_sqlite && mark_type(t) == ETL_TIMESTAMP && strchr(text, 'T'))
		*strchr(text, 'T') = ' ';
	etl_text_addf(sql, "'%s'", text);
}

void odbc_into_add_mark(const struct odbc_into *t, struct etl_text *sql)
{
	odbc_add_name(sql, t->inst, t->load->delete_column);
	etl_text_add(sql, " = ");
	if (no_mark(t))
		etl_text_add(sql, mark_type(t) == ETL_BOOL && t->inst->dialect == &odbc_postgresql ? "true" : "1");
	else
		add_time(t, sql);
}

void odbc_into_add_unmark(const struct odbc_into *t, struct etl_text *sql, const char *own)
{
	const char *none = no_mark(t);

	odbc_add_name(sql, t->inst, t->load->delete_column);
	if (!none) {
		etl_text_add(sql, " = NULL");
		return;
	}
	etl_text_add(sql, " = CASE WHEN ");
	odbc_into_add_marked(t, sql, own);
	etl_text_addf(sql, " THEN %s ELSE %s.", none, own);
	odbc_add_name(sql, t->inst, t->load->delete_column);
	etl_text_add(sql, " END");
}
