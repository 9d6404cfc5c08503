/*
 * The pieces that statements about a load are made of: which columns come, how rows meet, what makes two rows differ,
 * and how a row says that it was deleted.
 */
#include "config.h"

#include <stdio.h>
#include <time.h>

#include "into.h"
#include "stage.h"

/* ---- Columns ------------------------------------------------------------------------------------------------- */

const struct etl_column *postgres_into_find(const struct etl_table *t, const char *name)
{
	for (size_t i = 0; i < t->column_count; i++)
		if (strcmp(into_column(t, i)->name, name) == 0)
			return into_column(t, i);
	return NULL;
}

bool into_comes(const struct etl_column *c)
{
	return !(c->flags & ETL_GENERATED);
}

void into_add_live(struct etl_text *sql, const struct etl_instance *inst, const struct etl_load *load)
{
	postgres_add_name(sql, postgres_target_schema(inst, load->table), load->table->name);
}

static void add_name(struct etl_text *sql, const char *prefix, const char *name)
{
	etl_text_add(sql, prefix);
	postgres_add_name(sql, NULL, name);
}

size_t postgres_into_add_columns(struct etl_text *sql, const struct etl_load *load, const char *prefix)
{
	size_t count = 0;

	for (size_t i = 0; i < load->table->column_count; i++) {
		const struct etl_column *c = into_column(load->table, i);

		if (!into_comes(c))
			continue;
		etl_text_add(sql, count++ ? ", " : "");
		add_name(sql, prefix, c->name);
	}
	return count;
}

size_t into_add_stored(struct etl_text *sql, const struct etl_table *table, const char *prefix)
{
	size_t count = 0;

	for (size_t i = 0; i < table->column_count; i++) {
		if (!into_comes(into_column(table, i)))
			continue;
		etl_text_add(sql, count++ ? ", " : "");
		add_name(sql, prefix, into_column(table, i)->name);
	}
	return count;
}

void postgres_into_add_key(struct etl_text *sql, const struct etl_load *load, const char *prefix)
{
	for (size_t i = 0; i < load->key_count; i++) {
		etl_text_add(sql, i ? ", " : "");
		add_name(sql, prefix, load->key[i]);
	}
}

void postgres_into_add_match(struct etl_text *sql, const struct etl_load *load, const char *a, const char *b)
{
	for (size_t i = 0; i < load->key_count; i++) {
		etl_text_addf(sql, "%s%s.", i ? " AND " : "", a);
		postgres_add_name(sql, NULL, load->key[i]);
		etl_text_addf(sql, " = %s.", b);
		postgres_add_name(sql, NULL, load->key[i]);
	}
}

/* ---- What differs ----------------------------------------------------------------------------------------------- */

/* Of these the server's own equality is the host's. */
static bool has_equality(const struct etl_column *c)
{
	switch (c->type) {
	case ETL_BOOL:
	case ETL_INT16:
	case ETL_INT32:
	case ETL_INT64:
	case ETL_FLOAT32:
	case ETL_FLOAT64:
	case ETL_DECIMAL:
	case ETL_NUMERIC:
	case ETL_BYTES:
	case ETL_DATE:
	case ETL_TIME:
	case ETL_TIMESTAMP:
	case ETL_INSTANT:
	case ETL_UUID:
		return true;
	default:
		return false;
	}
}

/* A type of text that has no equality of its own: equal is the same bytes, unless a collation says otherwise. */
static bool is_plain_text(const struct etl_column *c)
{
	const char *declared = c->declared ? c->declared : "";

	return !c->collation && (strcmp(declared, "text") == 0 ||
				 strncmp(declared, "character varying", 17) == 0);
}

static bool in_key(const struct etl_load *load, const char *name)
{
	for (size_t i = 0; i < load->key_count; i++)
		if (strcmp(load->key[i], name) == 0)
			return true;
	return false;
}

static const struct etl_column *live_column(const struct etl_load *load, const struct etl_column *c)
{
	const struct etl_column *live = postgres_into_find(load->existing, c->name);

	return live ? live : c;
}

bool postgres_into_sets(const struct etl_load *load, const struct etl_column *c)
{
	const struct etl_column *live = live_column(load, c);

	if (!into_comes(c) || c->flags & ETL_STAYS || live->flags & ETL_GENERATED)
		return false;
	return !in_key(load, c->name) || !(has_equality(live) || is_plain_text(live));
}

static void add_value(struct etl_text *sql, const struct etl_column *c, const char *prefix)
{
	add_name(sql, prefix, c->name);
	if (!has_equality(c))
		etl_text_add(sql, "::text COLLATE \"C\"");
}

void postgres_into_add_differs(struct etl_text *sql, const struct etl_load *load)
{
	size_t count = 0;

	etl_text_add(sql, "(");
	for (size_t i = 0; i < load->table->column_count; i++) {
		const struct etl_column *c = into_column(load->table, i);

		if (!postgres_into_sets(load, c))
			continue;
		etl_text_add(sql, count++ ? " OR " : "");
		add_value(sql, live_column(load, c), "t.");
		etl_text_add(sql, " IS DISTINCT FROM ");
		add_value(sql, live_column(load, c), "s.");
	}
	etl_text_add(sql, count ? ")" : "false)");
}

/* ---- The mark of a deleted row ------------------------------------------------------------------------------------- */

static int32_t mark_type(const struct etl_load *load)
{
	const struct etl_column *c = postgres_into_find(load->existing, load->delete_column);

	return c ? c->type : ETL_TEXT;
}

/* What the mark of a row that is there says; NULL: the mark is a time. */
static const char *no_mark(const struct etl_load *load)
{
	switch (mark_type(load)) {
	case ETL_BOOL:
		return "false";
	case ETL_INT16:
	case ETL_INT32:
	case ETL_INT64:
		return "0";
	default:
		return NULL;
	}
}

void postgres_into_add_marked(struct etl_text *sql, const struct etl_load *load)
{
	const char *none = no_mark(load);

	add_name(sql, none ? "(coalesce(t." : "(t.", load->delete_column);
	if (none)
		etl_text_addf(sql, ", %s) <> %s)", none, none);
	else
		etl_text_add(sql, " IS NOT NULL)");
}

void into_add_mark(struct etl_text *sql, const struct etl_load *load)
{
	time_t seconds = (time_t)(load->run->started / 1000000);
	char text[40] = "";
	struct tm tm;

	postgres_add_name(sql, NULL, load->delete_column);
	if (no_mark(load)) {
		etl_text_add(sql, mark_type(load) == ETL_BOOL ? " = true" : " = 1");
		return;
	}
	if (gmtime_r(&seconds, &tm))
		strftime(text, sizeof(text),
			 mark_type(load) == ETL_TIMESTAMP ? "%Y-%m-%d %H:%M:%S" : "%Y-%m-%dT%H:%M:%SZ", &tm);
	etl_text_addf(sql, " = '%s'", text);
}

void into_add_unmark(struct etl_text *sql, const struct etl_load *load)
{
	const char *none = no_mark(load);

	postgres_add_name(sql, NULL, load->delete_column);
	if (!none) {
		etl_text_add(sql, " = NULL");
		return;
	}
	etl_text_add(sql, " = CASE WHEN ");
	postgres_into_add_marked(sql, load);
	etl_text_addf(sql, " THEN %s ELSE t.", none);
	postgres_add_name(sql, NULL, load->delete_column);
	etl_text_add(sql, " END");
}
