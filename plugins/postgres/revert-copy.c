/*
 * Tables that a run made go again, and tables that it replaced come back from the schema in which the generation before
 * is kept (old.c). That is a publication again, of those tables: what hangs on the run's tables is taken from them and
 * made again around the old ones (replace.c).
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "replace.h"
#include "revert.h"

/* ---- May they go? --------------------------------------------------------------------------------------------------- */

static int fail_not_kept(struct reverting *r, const struct reverted *l)
{
	bool swapped = revert_is(l, "swapped");

	r->inst->host->at(r->err, l->name, NULL, NULL);
	return r->inst->host->fail(r->err, ETL_USAGE, NULL, 0,
				   "what run %s %s \"%s\" was not kept, so it cannot be put back; %s",
				   r->run, swapped ? "took out of" : "replaced as", l->name,
				   swapped ? "on_existing = \"replace\" with keep_old = 1 keeps the old table" :
					     "keep_old = 1, or more, keeps so many generations");
}

/* Rows of the run are older than its publication; whoever came later is younger. */
static int check_same(struct reverting *r, const struct reverted *l)
{
	struct etl_text sql = { 0 };
	PGresult *found = NULL;
	int rc;

	if (!l->table || !l->known)
		return revert_fail_changed(r, l, NULL);
	etl_text_addf(&sql, "SELECT count(*), count(*) FILTER (WHERE age(t.xmin) < age('%s'::xid) AND t.xmin <> ALL "
			    "('%s'::xid[])) FROM %s AS t",
		      l->xid, l->xids, l->table);
	rc = sql.failed ? postgres_no_memory(r->inst, r->err) :
			  postgres_query(r->inst, r->err, &found, sql.at, 0, NULL);
	etl_text_free(&sql);
	if (rc == ETL_OK && (postgres_int_at(found, 0, 0) != l->inserted || postgres_int_at(found, 0, 1) != 0))
		rc = revert_fail_changed(r, l, NULL);
	PQclear(found);
	return rc;
}

int revert_check_table(struct reverting *r, const struct reverted *l)
{
	if (revert_is(l, "swapped") || (revert_is(l, "replaced") && *l->kind == 'r' && !r->kept))
		return fail_not_kept(r, l);
	return *l->kind == 'r' ? check_same(r, l) : ETL_OK;
}

/* ---- What was made ------------------------------------------------------------------------------------------------------ */

static bool is_made(const struct reverted *l, char kind)
{
	return revert_is(l, "made") && *l->kind == kind && l->table;
}

/* Foreign keys of the run's own tables to those that go. */
static int cut_keys(struct reverting *r)
{
	struct etl_text made = { 0 }, all = { 0 };
	PGresult *keys = NULL;
	int rc;

	etl_text_add(&made, "{0");
	etl_text_add(&all, "{0");
	for (size_t i = 0; i < r->count; i++) {
		if (is_made(&r->at[i], 'r'))
			etl_text_addf(&made, ",%s", r->at[i].oid);
		if (r->at[i].oid && !revert_is(&r->at[i], "into"))
			etl_text_addf(&all, ",%s", r->at[i].oid);
	}
	etl_text_add(&made, "}");
	etl_text_add(&all, "}");
	rc = made.failed || all.failed ?
		     postgres_no_memory(r->inst, r->err) :
		     postgres_query(r->inst, r->err, &keys,
				    "SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) FROM "
				    "pg_constraint WHERE contype = 'f' AND conparentid = 0 AND confrelid = ANY ($1::oid[]) AND "
				    "conrelid = ANY ($2::oid[])",
				    2, (const char *const[]){ made.at, all.at });
	for (int i = 0; rc == ETL_OK && i < PQntuples(keys); i++)
		rc = postgres_run(r->inst, r->err, PQgetvalue(keys, i, 0));
	PQclear(keys);
	etl_text_free(&made);
	etl_text_free(&all);
	return rc;
}

/* The last first: views stand on those before them. */
static int drop_made(struct reverting *r, char kind, const char *words)
{
	int rc = ETL_OK;

	for (size_t i = r->count; rc == ETL_OK && i-- > 0;) {
		struct etl_text sql = { 0 };

		if (!is_made(&r->at[i], kind))
			continue;
		etl_text_addf(&sql, "DROP %s %s", words, r->at[i].table);
		rc = revert_run(r, &r->at[i], &sql, NULL);
	}
	return rc;
}

/* ---- What was replaced --------------------------------------------------------------------------------------------------- */

/* What publishing wants to know, of one table. */
struct again {
	struct etl_table table;
	struct etl_load load;
};

static bool is_replaced(const struct reverted *l)
{
	return revert_is(l, "replaced") && *l->kind == 'r';
}

static int move_back(struct reverting *r)
{
	int rc = ETL_OK;

	for (size_t i = 0; rc == ETL_OK && i < r->count; i++) {
		struct etl_text sql = { 0 };

		if (!is_replaced(&r->at[i]))
			continue;
		etl_text_add(&sql, "ALTER TABLE ");
		postgres_add_name(&sql, r->kept, r->at[i].name);
		etl_text_add(&sql, " SET SCHEMA ");
		etl_text_add_name(&sql, r->at[i].schema, '"');
		rc = revert_run(r, &r->at[i], &sql, NULL);
	}
	return rc;
}

/* Foreign keys that were cut when the old tables went (old.c). */
static int bind_again(struct reverting *r)
{
	struct etl_text sql = { 0 };
	PGresult *bonds = NULL;
	int rc;

	etl_text_add(&sql, "SELECT sql FROM ");
	postgres_add_name(&sql, r->kept, "_etlrun_again");
	etl_text_add(&sql, " ORDER BY n");
	rc = sql.failed ? postgres_no_memory(r->inst, r->err) :
			  postgres_query(r->inst, r->err, &bonds, sql.at, 0, NULL);
	etl_text_free(&sql);
	for (int i = 0; rc == ETL_OK && i < PQntuples(bonds); i++) {
		etl_text_add(&sql, PQgetvalue(bonds, i, 0));
		rc = revert_run(r, NULL, &sql, NULL);
	}
	PQclear(bonds);
	return rc;
}

/* Extended statistics went with their tables (old.c), and do not come back by themselves. */
static int move_statistics(struct reverting *r)
{
	PGresult *moves = NULL;
	int rc = postgres_query(r->inst, r->err, &moves,
				"SELECT format('ALTER STATISTICS %I.%I SET SCHEMA %I', $1::text, e.stxname, t.nspname) FROM "
				"pg_catalog.pg_statistic_ext e JOIN pg_catalog.pg_namespace n ON n.oid = e.stxnamespace AND "
				"n.nspname = $1 JOIN pg_catalog.pg_class c ON c.oid = e.stxrelid JOIN pg_catalog.pg_namespace t "
				"ON t.oid = c.relnamespace",
				1, (const char *const[]){ r->kept });

	for (int i = 0; rc == ETL_OK && i < PQntuples(moves); i++)
		rc = postgres_run(r->inst, r->err, PQgetvalue(moves, i, 0));
	PQclear(moves);
	return rc;
}

static int drop_kept(struct reverting *r)
{
	struct etl_text sql = { 0 };

	etl_text_add(&sql, "DROP TABLE ");
	postgres_add_name(&sql, r->kept, "_etlrun_again");
	etl_text_add(&sql, "; DROP SCHEMA ");
	etl_text_add_name(&sql, r->kept, '"');
	return revert_run(r, NULL, &sql, NULL);
}

static int fill(struct reverting *r, struct publishing *p, struct again *again, struct etl_token *token)
{
	int rc = ETL_OK;

	snprintf(token->text, sizeof(token->text), "%s", r->kept);
	for (size_t i = 0; rc == ETL_OK && i < r->count; i++) {
		struct publish_part *part = &p->parts[p->count];
		struct again *a = &again[p->count];

		if (!is_replaced(&r->at[i]))
			continue;
		a->table = (struct etl_table){ .kind = ETL_TABLE, .name = r->at[i].name };
		a->load = (struct etl_load){ .run = p->commit->run, .table = &a->table };
		*part = (struct publish_part){ .load = &a->load,
					       .token = token,
					       .schema = r->at[i].schema,
					       .how = PUBLISH_REPLACE };
		snprintf(part->old.oid, sizeof(part->old.oid), "%s", r->at[i].oid);
		part->old.kind = 'r';
		p->count++;
		rc = admit_find(r->inst, r->kept, r->at[i].name, &part->staged, r->err);
		if (rc == ETL_OK && !part->staged.kind)
			rc = r->inst->host->fail(r->err, ETL_USAGE, NULL, 0,
						 "what run %s replaced is not there (\"%s\".\"%s\"), so it "
						 "cannot be put back; keep_old = 1, or more, keeps so many generations",
						 r->run, r->kept, r->at[i].name);
	}
	return rc;
}

static int put_back(struct reverting *r, struct publishing *p)
{
	struct remake remake = { 0 };
	int rc = replace_away(p, &remake);

	if (rc == ETL_OK)
		rc = move_back(r);
	if (rc == ETL_OK)
		rc = bind_again(r);
	if (rc == ETL_OK)
		rc = replace_again(p, &remake);
	if (rc == ETL_OK)
		rc = move_statistics(r);
	replace_free(&remake);
	return rc == ETL_OK ? drop_kept(r) : rc;
}

static int restore(struct reverting *r)
{
	const struct etl_run run = { .id = r->run, .mode = ETL_COPY, .on_existing = ETL_EXISTING_REPLACE };
	const struct etl_commit commit = { .run = &run };
	struct publishing p = { .inst = r->inst, .commit = &commit, .err = r->err, .back = true };
	struct again *again = calloc(r->count + 1, sizeof(*again));
	struct etl_token token = { "" };
	int rc;

	p.parts = calloc(r->count + 1, sizeof(*p.parts));
	if (again && p.parts) {
		rc = fill(r, &p, again, &token);
		if (rc == ETL_OK)
			rc = put_back(r, &p);
	} else {
		rc = postgres_no_memory(r->inst, r->err);
	}
	free(p.parts);
	free(again);
	return rc;
}

int revert_tables(struct reverting *r)
{
	int rc = cut_keys(r);

	if (rc == ETL_OK)
		rc = drop_made(r, 'v', "VIEW");
	if (rc == ETL_OK)
		rc = drop_made(r, 'r', "TABLE");
	if (rc == ETL_OK)
		rc = drop_made(r, 'S', "SEQUENCE");
	return rc == ETL_OK && r->kept ? restore(r) : rc;
}
