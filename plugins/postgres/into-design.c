/*
 * The steps of append and merge into a table that stays, beside those of design-stays.c: what the screens need to
 * know, and the statements of the phase publish, which commit carries out as they stand here (into-commit.c).
 */
#include "config.h"

#include <stdio.h>

#include "into.h"

static unsigned long long number(const struct design *d)
{
	return (unsigned long long)d->load->index;
}

static int publish(struct design *d, const char *kind, struct etl_text *sql, const char *note)
{
	return postgres_design_part(d, ETL_PHASE_PUBLISH, ETL_EXACT, kind, NULL, sql, note);
}

/* ---- Before the rows --------------------------------------------------------------------------------------------- */

/* A row without a key would meet none, and be new each time. */
static int need_keys(struct design *d)
{
	const struct etl_load *load = d->load;
	struct etl_text sql = { 0 };

	etl_text_add(&sql, "ALTER TABLE ");
	postgres_add_name(&sql, NULL, d->table->name);
	for (size_t i = 0; i < load->key_count; i++) {
		etl_text_add(&sql, i ? ", ALTER " : " ALTER ");
		postgres_add_name(&sql, NULL, load->key[i]);
		etl_text_add(&sql, " SET NOT NULL");
	}
	return postgres_design_part(d, ETL_PHASE_PREPARE, ETL_EXACT, "key", NULL, &sql,
			   "rows meet by it, so each must have one");
}

/* A table of the staging schema with the columns of the key. */
static int make_keys(struct design *d, const char *name, const char *part, const char *note)
{
	const struct etl_load *load = d->load;
	struct etl_text sql = { 0 };

	etl_text_addf(&sql, "CREATE TABLE \"%s\" AS SELECT ", name);
	postgres_into_add_key(&sql, load, "");
	etl_text_add(&sql, " FROM ");
	postgres_add_name(&sql, NULL, d->table->name);
	etl_text_add(&sql, " WHERE false");
	return postgres_design_part(d, ETL_PHASE_PREPARE, ETL_EXACT, "table", part, &sql, note);
}

static int make_kept(struct design *d)
{
	char name[64];

	snprintf(name, sizeof(name), INTO_KEPT, number(d));
	return make_keys(d, name, "rejected keys",
			 "a row that is rejected is in the source still: its key is not deleted");
}

static int make_goes(struct design *d)
{
	char name[64];

	snprintf(name, sizeof(name), INTO_GOES, number(d));
	return make_keys(d, name, "deleted keys", "what the source has no longer");
}

/* ---- Merge -------------------------------------------------------------------------------------------------------- */

static int find_rows(struct design *d)
{
	const struct etl_load *load = d->load;
	struct etl_text sql = { 0 };

	etl_text_addf(&sql,
		      "CREATE TEMPORARY TABLE \"_etlrun_rows_%llu\" ON COMMIT DROP AS SELECT s._etlrun_row AS at, t.ctid "
		      "AS was, t.tableoid AS was_in\n\tFROM " INTO_NEW " AS s LEFT JOIN ",
		      number(d), number(d));
	into_add_live(&sql, d->inst, load);
	etl_text_add(&sql, " AS t ON ");
	postgres_into_add_match(&sql, load, "t", "s");
	etl_text_add(&sql, "\n\tWHERE t.ctid IS NULL OR ");
	postgres_into_add_differs(&sql, load);
	if (load->delete_column) {
		etl_text_add(&sql, " OR ");
		postgres_into_add_marked(&sql, load);
	}
	etl_text_addf(&sql, ";\nANALYZE " INTO_ROWS, number(d));
	return publish(d, "rows", &sql, "which rows are new, and which differ from the target's");
}

static int find_gone(struct design *d)
{
	const struct etl_load *load = d->load;
	struct etl_text sql = { 0 };

	etl_text_addf(&sql,
		      "CREATE TEMPORARY TABLE \"_etlrun_gone_%llu\" ON COMMIT DROP AS SELECT t.ctid AS was, t.tableoid AS "
		      "was_in\n\tFROM ",
		      number(d));
	into_add_live(&sql, d->inst, load);
	etl_text_add(&sql, " AS t WHERE ");
	if (load->delete_column) {
		etl_text_add(&sql, "NOT ");
		postgres_into_add_marked(&sql, load);
		etl_text_add(&sql, " AND ");
	}
	if (into_names_gone(load)) {
		etl_text_addf(&sql, "EXISTS (SELECT FROM pg_temp.\"" INTO_GOES "\" AS s WHERE ", number(d));
		postgres_into_add_match(&sql, load, "s", "t");
		etl_text_add(&sql, ")\n\tAND ");
	}
	etl_text_addf(&sql, "NOT EXISTS (SELECT FROM " INTO_NEW " AS s WHERE ", number(d));
	postgres_into_add_match(&sql, load, "s", "t");
	etl_text_addf(&sql, ")\n\tAND NOT EXISTS (SELECT FROM pg_temp.\"" INTO_KEPT "\" AS s WHERE ",
		      number(d));
	postgres_into_add_match(&sql, load, "s", "t");
	etl_text_addf(&sql, ")");
	return publish(d, "gone", &sql,
		       "rows of the target that the source has no longer; a rejected row is still there");
}

static int delete_gone(struct design *d)
{
	const struct etl_load *load = d->load;
	struct etl_text sql = { 0 };

	etl_text_add(&sql, "DELETE FROM ");
	into_add_live(&sql, d->inst, load);
	etl_text_addf(&sql, " AS t USING " INTO_GONE " AS g WHERE t.ctid = g.was AND t.tableoid = g.was_in",
		      number(d));
	return publish(d, "delete", &sql, "when all tables have their rows, children first");
}

static int mark_gone(struct design *d)
{
	const struct etl_load *load = d->load;
	struct etl_text sql = { 0 };

	etl_text_add(&sql, "UPDATE ");
	into_add_live(&sql, d->inst, load);
	etl_text_add(&sql, " AS t SET ");
	into_add_mark(&sql, load);
	etl_text_addf(&sql,
		      " FROM " INTO_GONE " AS g WHERE t.ctid = g.was AND t.tableoid = g.was_in",
		      number(d));
	return publish(d, "mark", &sql, NULL);
}

static int update_rows(struct design *d)
{
	const struct etl_load *load = d->load;
	struct etl_text sql = { 0 };
	size_t count = 0;

	etl_text_add(&sql, "UPDATE ");
	into_add_live(&sql, d->inst, load);
	etl_text_add(&sql, " AS t SET ");
	for (size_t i = 0; i < load->table->column_count; i++) {
		const struct etl_column *c = into_column(load->table, i);

		if (!postgres_into_sets(load, c))
			continue;
		etl_text_add(&sql, count++ ? ", " : "");
		postgres_add_name(&sql, NULL, c->name);
		etl_text_add(&sql, " = s.");
		postgres_add_name(&sql, NULL, c->name);
	}
	if (load->delete_column) {
		etl_text_add(&sql, count++ ? ", " : "");
		into_add_unmark(&sql, load);
	}
	etl_text_addf(&sql,
		      "\n\tFROM " INTO_ROWS " AS r JOIN " INTO_NEW
		      " AS s ON s._etlrun_row = r.at WHERE t.ctid = r.was AND t.tableoid = r.was_in",
		      number(d), number(d));
	if (count)
		return publish(d, "update", &sql, NULL);
	etl_text_free(&sql);
	return ETL_OK;
}

static void add_insert(struct design *d, struct etl_text *sql)
{
	struct etl_text columns = { 0 };

	etl_text_add(sql, "INSERT INTO ");
	into_add_live(sql, d->inst, d->load);
	if (postgres_into_add_columns(&columns, d->load, ""))
		etl_text_addf(sql, " (%s) OVERRIDING SYSTEM VALUE", columns.at ? columns.at : "");
	sql->failed |= columns.failed;
	etl_text_free(&columns);
	etl_text_add(sql, "\n\tSELECT ");
	postgres_into_add_columns(sql, d->load, "s.");
}

static int insert_new(struct design *d)
{
	struct etl_text sql = { 0 };

	add_insert(d, &sql);
	etl_text_addf(&sql,
		      " FROM " INTO_ROWS " AS r JOIN " INTO_NEW
		      " AS s ON s._etlrun_row = r.at WHERE r.was IS NULL ORDER BY r.at",
		      number(d), number(d));
	return publish(d, "insert", &sql, NULL);
}

/* In their place where the table has no rows. */
static int fill_empty(struct design *d)
{
	struct etl_text sql = { 0 };

	add_insert(d, &sql);
	etl_text_addf(&sql, " FROM " INTO_NEW " AS s", number(d));
	return publish(d, "fill", &sql, "alone, when the table is empty: all rows are new");
}

/* The server refuses any value but DEFAULT for it. */
static int check_identity(struct design *d)
{
	const struct etl_load *load = d->load;

	for (size_t i = 0; i < load->table->column_count; i++) {
		const struct etl_column *c = into_column(load->table, i);
		const struct etl_column *live = postgres_into_find(load->existing, c->name);

		if (!live || !(live->flags & ETL_IDENTITY_ALWAYS) || !postgres_into_sets(load, c))
			continue;
		d->inst->host->at(d->err, load->table->name, c->name, NULL);
		return d->inst->host->fail(d->err, ETL_USAGE, NULL, 0,
					   "column \"%s\" of \"%s\" is GENERATED ALWAYS AS IDENTITY "
					   "and no part of the key, so the server lets nobody change it; leave "
					   "it out with exclude_columns",
					   c->name, load->table->name);
	}
	return ETL_OK;
}

static int design_merge(struct design *d)
{
	const struct etl_load *load = d->load;
	bool deletes = load->deletes != ETL_DELETE_NONE;
	int rc = check_identity(d);

	if (rc == ETL_OK)
		rc = need_keys(d);
	if (rc == ETL_OK && deletes)
		rc = make_kept(d);
	if (rc == ETL_OK && into_names_gone(load))
		rc = make_goes(d);
	if (rc == ETL_OK)
		rc = find_rows(d);
	if (rc == ETL_OK && deletes)
		rc = find_gone(d);
	if (rc == ETL_OK && load->run->flags & ETL_RUN_UNDO)
		rc = postgres_undo_design(d);
	if (rc == ETL_OK)
		rc = into_design_room(d);
	if (rc == ETL_OK)
		rc = update_rows(d);
	if (rc == ETL_OK)
		rc = insert_new(d);
	if (rc == ETL_OK && !(load->run->flags & ETL_RUN_UNDO))
		rc = fill_empty(d);
	if (rc < 0 || !deletes)
		return rc;
	return load->deletes == ETL_DELETE_HARD ? delete_gone(d) : mark_gone(d);
}

/* ---- Append --------------------------------------------------------------------------------------------------------- */

static int insert_all(struct design *d)
{
	struct etl_text sql = { 0 };

	add_insert(d, &sql);
	etl_text_addf(&sql, " FROM " INTO_NEW " AS s", number(d));
	return publish(d, "insert", &sql, NULL);
}

static int design_append(struct design *d)
{
	int rc = insert_all(d);

	if (rc == ETL_OK && d->load->run->flags & ETL_RUN_UNDO)
		rc = postgres_undo_design(d);
	return rc;
}

int postgres_into_design(struct design *d)
{
	return into_merges(d->load) ? design_merge(d) : design_append(d);
}
