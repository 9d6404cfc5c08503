/*
 * Rules of a table that stays, which rows that are added to it must keep: its keys, unique indexes and checks. Where rows at
 * fault are to be rejected, the table in which rows wait has its unique values too, so that the second row of one value is found
 * when it comes; what a row's own values or those of the target's rows decide is looked for when all are there. Without that
 * the server would say at the end that some row is at fault, and not which.
 */
#include "config.h"

#include "design.h"

#define OWN   "etlrun_own"
#define OTHER "etlrun_other"
#define COLUMNS_MOST 32

/* Columns whose values are unique in the target; WHERE: in those rows alone, or NULL. */
struct unique {
	const char *name;
	const char *columns[COLUMNS_MOST];
	size_t count;
	const char *where;
};

static bool comes(const struct design *d, const char *column)
{
	const struct etl_column *c = column ? odbc_design_column(d->table, column) : NULL;

	return c && !(c->flags & ETL_GENERATED);
}

/* Babelfish keeps expressions as PostgreSQL writes them, which not all are T-SQL. */
static bool is_sayable(const struct design *d, const char *sql)
{
	return !d->inst->babelfish || (!strstr(sql, "::") && !strstr(sql, "~~") && !strstr(sql, "ARRAY["));
}

/* A condition that speaks of a column that does not come is not known of a row that waits. */
static bool speaks_of_others(const struct design *d, const char *sql)
{
	const struct etl_table *t = d->load->existing;

	for (size_t i = 0; i < t->column_count; i++) {
		const struct etl_column *c = ETL_AT(const struct etl_column, t->columns, t->column_size, i);

		if (!comes(d, c->name) && odbc_layout_speaks_of(sql, c))
			return true;
	}
	return false;
}

/* ---- What is unique ------------------------------------------------------------------------------------------- */

static bool take_key(const struct design *d, const struct etl_key *key, struct unique *ret)
{
	*ret = (struct unique){ .name = key->name, .count = key->column_count };
	if (key->column_count == 0 || key->column_count > COLUMNS_MOST)
		return false;
	for (size_t i = 0; i < key->column_count; i++) {
		ret->columns[i] = key->columns[i];
		if (!comes(d, key->columns[i]))
			return false;
	}
	return true;
}

static bool take_index(const struct design *d, const struct etl_index *index, struct unique *ret)
{
	*ret = (struct unique){ .name = index->name, .count = index->part_count, .where = index->where_sql };
	if (!(index->flags & ETL_INDEX_UNIQUE) || index->part_count == 0 || index->part_count > COLUMNS_MOST)
		return false;
	for (size_t i = 0; i < index->part_count; i++) {
		ret->columns[i] = ETL_AT(const struct etl_index_part, index->parts, index->part_size, i)->column;
		if (!comes(d, ret->columns[i]))
			return false;
	}
	return !ret->where || (is_sayable(d, ret->where) && !speaks_of_others(d, ret->where));
}

/* Whether the Ith of the target's unique values is one that rows can be held against: 1, 0; -1: there is none such. Only T-SQL's
 * catalog tells of an index all that it is. */
static int take_unique(const struct design *d, size_t i, struct unique *ret)
{
	const struct etl_table *t = d->load->existing;
	bool tsql = d->dialect == &odbc_tsql, taken;

	if (i == 0) {
		taken = take_key(d, &t->primary, ret);
		return taken;
	}
	i -= 1;
	if (!tsql || i >= t->unique_count + t->index_count)
		return -1;
	if (i < t->unique_count)
		return take_key(d, ETL_AT(const struct etl_key, t->uniques, t->unique_size, i), ret);
	i -= t->unique_count;
	return take_index(d, ETL_AT(const struct etl_index, t->indexes, t->index_size, i), ret);
}

/* ---- With the table in which rows wait ------------------------------------------------------------------------ */

static bool is_merge_key(const struct design *d, const struct unique *u)
{
	for (size_t i = 0; i < u->count; i++) {
		size_t k = 0;

		while (k < d->load->key_count && strcmp(d->load->key[k], u->columns[i]) != 0)
			k++;
		if (k == d->load->key_count)
			return false;
	}
	return u->count == d->load->key_count;
}

/* A merge's key is one of the target, and where its catalog tells of the primary one alone, it may be another. */
static void add_merge_key(struct design *d, struct etl_text *lines)
{
	struct unique u;
	bool known = false;
	int is;

	for (size_t i = 0; !known && (is = take_unique(d, i, &u)) >= 0; i++)
		known = is && !u.where && is_merge_key(d, &u);
	if (known || d->run->mode != ETL_MERGE || !d->load->key_count)
		return;
	etl_text_add(lines, ",\n\tUNIQUE (");
	odbc_design_add_columns(lines, d, d->load->key, d->load->key_count);
	etl_text_add(lines, ")");
}

void odbc_design_wait_keys(struct design *d, struct etl_text *lines)
{
	struct unique u;
	int is;

	for (size_t i = 0; odbc_design_looks(d) && (is = take_unique(d, i, &u)) >= 0; i++) {
		if (!is || u.where)
			continue;
		etl_text_add(lines, ",\n\tUNIQUE (");
		odbc_design_add_columns(lines, d, u.columns, u.count);
		etl_text_add(lines, ")");
	}
	if (odbc_design_looks(d))
		add_merge_key(d, lines);
}

/* An index of T-SQL has its name within its table. */
static int filtered(struct design *d, const struct unique *u, size_t i)
{
	struct etl_text sql = { 0 };

	etl_text_addf(&sql, "CREATE UNIQUE INDEX etlrun_wait_%zu ON ", i);
	odbc_design_add_table(&sql, d, d->table->name);
	etl_text_add(&sql, " (");
	odbc_design_add_columns(&sql, d, u->columns, u->count);
	etl_text_addf(&sql, ") WHERE %s", u->where);
	return odbc_design_part(d, ETL_PHASE_PREPARE, ETL_EXACT, "unique", u->name, &sql, "for the rows that wait; the second of a value is rejected");
}

/* ---- When all rows wait ----------------------------------------------------------------------------------------- */

static void add_check(struct etl_text *sql, const struct design *d, const char *condition)
{
	odbc_add_table(sql, d->inst, odbc_place_of(d->inst, d->table), d->table->name);
	/* One that is neither true nor false holds. */
	etl_text_addf(sql, " WHERE NOT (%s)", condition);
}

static int screen_checks(struct design *d)
{
	const struct etl_table *t = d->load->existing;
	int rc = ETL_OK;

	for (size_t i = 0; rc == ETL_OK && i < t->check_count; i++) {
		const struct etl_check *check = ETL_AT(const struct etl_check, t->checks, t->check_size, i);
		struct etl_text sql = { 0 };

		if (!check->sql || !is_sayable(d, check->sql) || speaks_of_others(d, check->sql))
			continue;
		add_check(&sql, d, check->sql);
		rc = odbc_design_part(d, ETL_PHASE_SCREEN, ETL_EXACT, "check", check->name ? check->name : "check", &sql,
				      "rows that the target's own check does not take are rejected");
	}
	return rc;
}

/* A key of T-SQL takes two NULLs for equal, and no other server's does. */
static void add_equal(struct etl_text *sql, const struct design *d, const struct unique *u)
{
	for (size_t i = 0; i < u->count; i++) {
		const struct etl_column *c = odbc_design_column(d->load->existing, u->columns[i]);
		struct etl_text own = { 0 }, waits = { 0 };

		etl_text_add(&own, OWN ".");
		odbc_add_name(&own, d->inst, u->columns[i]);
		odbc_add_table(&waits, d->inst, odbc_place_of(d->inst, d->table), d->table->name);
		etl_text_add(&waits, ".");
		odbc_add_name(&waits, d->inst, u->columns[i]);
		sql->failed |= own.failed || waits.failed;
		if (sql->failed)
			;
		else if (d->dialect == &odbc_tsql && c && !(c->flags & ETL_NOT_NULL))
			etl_text_addf(sql, " AND (%s = %s OR (%s IS NULL AND %s IS NULL))", own.at, waits.at, own.at, waits.at);
		else
			etl_text_addf(sql, " AND %s = %s", own.at, waits.at);
		etl_text_free(&own);
		etl_text_free(&waits);
	}
}

/* The target's row is not one that itself gets other values. */
static void add_stays(struct etl_text *sql, const struct design *d)
{
	etl_text_add(sql, " AND NOT EXISTS (SELECT 1 FROM ");
	odbc_add_table(sql, d->inst, odbc_place_of(d->inst, d->table), d->table->name);
	etl_text_add(sql, " AS " OTHER " WHERE ");
	for (size_t i = 0; i < d->load->key_count; i++) {
		etl_text_add(sql, i ? " AND " OTHER "." : OTHER ".");
		odbc_add_name(sql, d->inst, d->load->key[i]);
		etl_text_add(sql, " = " OWN ".");
		odbc_add_name(sql, d->inst, d->load->key[i]);
	}
	etl_text_add(sql, ")");
}

/* Names in the condition are of the row that waits first, and within the question of the target's. */
static int screen_unique(struct design *d, const struct unique *u)
{
	struct etl_text sql = { 0 };

	odbc_design_add_table(&sql, d, d->table->name);
	etl_text_add(&sql, " WHERE ");
	if (u->where)
		etl_text_addf(&sql, "(%s) AND ", u->where);
	etl_text_add(&sql, "EXISTS (SELECT 1 FROM ");
	odbc_design_add_published(&sql, d, d->table->name);
	etl_text_addf(&sql, " AS " OWN " WHERE %s%s%s", u->where ? "(" : "", u->where ? u->where : "1 = 1", u->where ? ")" : "");
	add_equal(&sql, d, u);
	if (d->run->mode == ETL_MERGE)
		add_stays(&sql, d);
	odbc_design_add_not_gone(&sql, d, OWN);
	etl_text_add(&sql, ")");
	return odbc_design_part(d, ETL_PHASE_SCREEN, ETL_EXACT, "unique check", u->name ? u->name : u->columns[0],
				&sql, "rows whose value the target has already are rejected");
}

/* Does the target have rows of its own that may keep a value? */
static bool may_clash(const struct design *d, const struct unique *u)
{
	return d->run->mode == ETL_MERGE ? !is_merge_key(d, u) : d->run->mode != ETL_COPY;
}

int odbc_design_stays(struct design *d)
{
	struct unique u;
	int rc = ETL_OK, is;

	if (!odbc_design_looks(d))
		return ETL_OK;
	for (size_t i = 0; rc == ETL_OK && (is = take_unique(d, i, &u)) >= 0; i++)
		if (is && u.where)
			rc = filtered(d, &u, i);
	if (rc == ETL_OK)
		rc = odbc_design_own_keys(d);
	if (rc == ETL_OK)
		rc = screen_checks(d);
	/* Last of all: a row that is rejected leaves the target's own with the values that it had. */
	for (size_t i = 0; rc == ETL_OK && (is = take_unique(d, i, &u)) >= 0; i++)
		if (is && may_clash(d, &u))
			rc = screen_unique(d, &u);
	return rc;
}
