/*
 * Whether T-SQL can make a foreign key: what it refers to is a key there, a filtered index being none, and the columns
 * are of the very same type. A key that cannot be is left out in `plan`, not found out when all rows are loaded.
 */
#include "config.h"

#include <strings.h>

#include "design.h"

/* ---- What it refers to ---------------------------------------------------------------------------------------- */

static bool has_column(const char *const *columns, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcasecmp(columns[i], name) == 0)
			return true;
	return false;
}

static bool never_null(const struct etl_table *t, const char *const *columns, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int64_t at = odbc_layout_column(t, columns[i]);
		const struct etl_column *c = at < 0 ? NULL :
						      ETL_AT(const struct etl_column, t->columns, t->column_size, (size_t)at);

		if (!c || (!(c->flags & ETL_NOT_NULL) &&
			   !has_column(t->primary.columns, t->primary.column_count, columns[i])))
			return false;
	}
	return true;
}

static bool are(const char *const *a, size_t count, const char *const *b, size_t others)
{
	for (size_t i = 0; i < count; i++)
		if (!has_column(b, others, a[i]))
			return false;
	return count == others;
}

static bool is_index_of(const struct etl_index *x, const char *const *columns, size_t count)
{
	for (size_t i = 0; i < x->part_count; i++) {
		const char *column = ETL_AT(const struct etl_index_part, x->parts, x->part_size, i)->column;

		if (!column || !has_column(columns, count, column))
			return false;
	}
	return x->flags & ETL_INDEX_UNIQUE && !x->where_sql && x->part_count == count;
}

static bool is_key_of(const struct etl_table *t, const char *const *columns, size_t count)
{
	bool is = are(t->primary.columns, t->primary.column_count, columns, count);

	for (size_t i = 0; !is && i < t->unique_count; i++) {
		const struct etl_key *key = ETL_AT(const struct etl_key, t->uniques, t->unique_size, i);

		is = are(key->columns, key->column_count, columns, count) && never_null(t, columns, count);
	}
	for (size_t i = 0; !is && i < t->index_count; i++)
		is = is_index_of(ETL_AT(const struct etl_index, t->indexes, t->index_size, i), columns, count) &&
		     never_null(t, columns, count);
	return is;
}

/* ---- Types ---------------------------------------------------------------------------------------------------- */

static void add_type_of(struct etl_text *ret, const struct design *d, const struct etl_table *t, const char *column)
{
	int64_t at = odbc_layout_column(t, column);
	struct etl_text note = { 0 };
	int32_t verdict = ETL_EXACT;

	if (at >= 0)
		odbc_add_type(ret, d->inst, t, ETL_AT(const struct etl_column, t->columns, t->column_size, (size_t)at), &verdict,
			      &note);
	etl_text_free(&note);
}

static bool same_types(const struct design *d, const struct etl_foreign_key *key, const struct etl_table *parent,
		       const char *const *theirs, struct etl_text *why)
{
	bool same = true;

	for (size_t i = 0; same && i < key->column_count; i++) {
		struct etl_text mine = { 0 }, other = { 0 };

		add_type_of(&mine, d, d->table, key->columns[i]);
		add_type_of(&other, d, parent, theirs[i]);
		same = mine.at && other.at && strcasecmp(mine.at, other.at) == 0;
		if (!same)
			etl_text_addf(why, "\"%s\" is %s and \"%s\" of \"%s\" is %s, and T-SQL joins columns of one type only",
				      key->columns[i], mine.at ? mine.at : "not there", theirs[i], parent->name,
				      other.at ? other.at : "not there");
		etl_text_free(&mine);
		etl_text_free(&other);
	}
	return same;
}

bool odbc_design_is_possible(const struct design *d, const struct etl_foreign_key *key, const struct etl_parent *parent,
			     struct etl_text *why)
{
	const struct etl_table *t = parent ? parent->table : NULL;
	const char *const *theirs = odbc_layout_theirs(key, t);

	if (odbc_design_any_gone(d, key->columns, key->column_count)) {
		etl_text_add(why, "a column of it is left out");
		return false;
	}
	/* What is there already is the server's to judge. */
	if (!t || !parent->in_run)
		return true;
	if (!theirs || !is_key_of(t, theirs, key->column_count)) {
		etl_text_addf(why,
			      "what it refers to is no key of \"%s\" in T-SQL, which wants a primary key, or a unique one of columns "
			      "that are NOT NULL",
			      t->name);
		return false;
	}
	return same_types(d, key, t, theirs, why);
}
