/*
 * Rows of an append or merge that go again. They are known by the transaction that wrote them: whoever changed one since
 * is another. Back come those that a merge deleted, as far as their unique values and those of their parents are free,
 * then, children first, new rows go and changed ones are what they were, then the rest comes. Triggers of the tables stay
 * silent: the rows are to be what they were.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "revert.h"
#include "stage.h"

#define LISTED 20 /* rows that were changed since */

static const char triggers[] =
	"SELECT format('ALTER TABLE %s DISABLE TRIGGER %I', tgrelid::regclass, tgname), "
	"format('ALTER TABLE %s ENABLE %s TRIGGER %I', tgrelid::regclass, CASE tgenabled WHEN 'R' THEN 'REPLICA' "
	"WHEN 'A' THEN 'ALWAYS' ELSE '' END, tgname) FROM pg_catalog.pg_trigger WHERE tgrelid = ANY ($1::oid[]) AND NOT "
	"tgisinternal AND tgenabled <> 'D' AND tgparentid = 0 ORDER BY oid";

/* ---- May they go? ----------------------------------------------------------------------------------------------------- */

static int fail_not_kept(struct reverting *r, const struct reverted *l)
{
	r->inst->host->at(r->err, l->name, NULL, NULL);
	return r->inst->host->fail(r->err, ETL_USAGE, NULL, 0,
				   "what run %s changed in \"%s\" was not kept, so it cannot be taken back; undo = "
				   "true in the pipeline keeps it, for its last three runs",
				   r->run, l->name);
}

static int number(struct reverting *r, struct etl_text *sql, int64_t *ret)
{
	int rc = sql->failed ? postgres_no_memory(r->inst, r->err) :
			       postgres_number(r->inst, r->err, ret, sql->at, 0, NULL);

	etl_text_free(sql);
	return rc;
}

/* The rows that CONDITION on the kept u, or its lack of a live t, tells: the first, and each in the log. */
static int list_rows(struct reverting *r, const struct reverted *l, const char *condition, const char *alive,
		      char **ret)
{
	struct etl_text sql = { 0 };
	PGresult *found = NULL;
	int rc;

	etl_text_addf(&sql, "SELECT %s FROM %s AS u WHERE %s EXISTS (SELECT FROM %s AS t WHERE %s%s) LIMIT %d", l->words,
		      l->undo, condition, l->table, l->match, alive, LISTED + 1);
	rc = sql.failed ? postgres_no_memory(r->inst, r->err) :
			  postgres_query(r->inst, r->err, &found, sql.at, 0, NULL);
	etl_text_free(&sql);
	for (int i = 0; rc == ETL_OK && i < PQntuples(found) && i < LISTED; i++)
		r->inst->host->log(r->inst->host, ETL_LOG_WARN, "\"%s\": row %s was changed since", l->name,
				   PQgetvalue(found, i, 0));
	if (rc == ETL_OK && PQntuples(found) > LISTED)
		r->inst->host->log(r->inst->host, ETL_LOG_WARN, "\"%s\": … and more rows", l->name);
	if (rc == ETL_OK && PQntuples(found)) {
		*ret = strdup(PQgetvalue(found, 0, 0));
		rc = *ret ? ETL_OK : postgres_no_memory(r->inst, r->err);
	}
	PQclear(found);
	return rc;
}

static int tell_changed(struct reverting *r, const struct reverted *l)
{
	struct etl_text alive = { 0 };
	char *first = NULL;
	int rc = ETL_OK;

	etl_text_addf(&alive, " AND t.xmin = ANY ('%s'::xid[])", l->xids);
	if (alive.failed)
		rc = postgres_no_memory(r->inst, r->err);
	else if (l->undo && l->match)
		rc = list_rows(r, l, "_etlrun_op <> 'd' AND NOT", alive.at, &first);
	etl_text_free(&alive);
	if (rc == ETL_OK)
		rc = revert_fail_changed(r, l, first);
	free(first);
	return rc;
}

/* What was deleted may have come again. */
static int check_deleted(struct reverting *r, const struct reverted *l)
{
	char *first = NULL;
	int rc = list_rows(r, l, "_etlrun_op = 'd' AND", "", &first);

	if (rc == ETL_OK && first)
		rc = revert_fail_changed(r, l, first);
	free(first);
	return rc;
}

int revert_check_rows(struct reverting *r, const struct reverted *l)
{
	struct etl_text sql = { 0 };
	int64_t wanted = 0, there = 0;
	int rc = ETL_OK;

	if (!l->table)
		return revert_fail_changed(r, l, NULL);
	if (l->touched && ((r->merged && (!l->undo || !l->match)) || !l->known))
		return fail_not_kept(r, l);
	if (l->undo && l->match) {
		etl_text_addf(&sql, "SELECT count(*) FROM %s WHERE _etlrun_op = 'u'", l->undo);
		rc = number(r, &sql, &wanted);
	}
	wanted += l->inserted;
	if (rc == ETL_OK) {
		etl_text_addf(&sql, "SELECT count(*) FROM %s AS t WHERE t.xmin = ANY ('%s'::xid[])", l->table, l->xids);
		rc = number(r, &sql, &there);
	}
	if (rc == ETL_OK && there != wanted)
		rc = tell_changed(r, l);
	return rc == ETL_OK && l->undo && l->match && r->merged ? check_deleted(r, l) : rc;
}

/* ---- Going and coming -------------------------------------------------------------------------------------------------- */

static bool is_into(const struct reverted *l)
{
	return revert_is(l, "into") && l->touched;
}

static bool has_rows(const struct reverting *r, const struct reverted *l)
{
	return is_into(l) && r->merged && l->undo;
}

static int list_new(struct reverting *r, const struct reverted *l)
{
	struct etl_text sql = { 0 };

	etl_text_addf(&sql,
		      "CREATE TEMPORARY TABLE \"_etlrun_gone_%s\" ON COMMIT DROP AS SELECT t.ctid AS was, t.tableoid AS "
		      "was_in FROM %s AS t WHERE t.xmin = ANY ('%s'::xid[])",
		      l->number, l->table, l->xids);
	if (has_rows(r, l))
		etl_text_addf(&sql, " AND NOT EXISTS (SELECT FROM %s AS u WHERE u._etlrun_op = 'u' AND %s)", l->undo,
			      l->match);
	return revert_run(r, l, &sql, NULL);
}

/* Rows may have each other's unique values: where these may be NULL they are, for a moment. */
static int let_go(struct reverting *r, const struct reverted *l)
{
	struct etl_text sql = { 0 };

	if (!has_rows(r, l) || !l->passing)
		return ETL_OK;
	etl_text_addf(&sql,
		      "UPDATE %s AS t SET %s FROM %s AS u WHERE u._etlrun_op = 'u' AND %s; "
		      "WITH moved AS (UPDATE %s AS t SET %s FROM pg_temp.\"_etlrun_gone_%s\" AS g WHERE t.ctid = g.was AND "
		      "t.tableoid = g.was_in RETURNING g.was, g.was_in, t.ctid AS now, t.tableoid AS now_in) UPDATE "
		      "pg_temp.\"_etlrun_gone_%s\" AS g SET was = m.now, was_in = m.now_in FROM moved AS m WHERE g.was = "
		      "m.was AND g.was_in = m.was_in",
		      l->table, l->passing, l->undo, l->match, l->table, l->passing, l->number, l->number);
	return revert_run(r, l, &sql, NULL);
}

/* Rows of a kind for which CONDITION is true. With OWNERS they are those of its row OWNER. */
static int put_back(struct reverting *r, const struct reverted *l, char op, const char *condition,
		    const PGresult *owners, int owner)
{
	struct etl_text sql = { 0 };

	if (owners)
		etl_text_add(&sql, "SAVEPOINT again; WITH w AS (");
	if (op == 'u')
		etl_text_addf(&sql, "UPDATE %s AS t SET %s FROM %s AS u WHERE u._etlrun_op = 'u' AND %s AND %s", l->table,
			      l->sets, l->undo, l->match, condition);
	else
		etl_text_addf(&sql,
			      "INSERT INTO %s AS t (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM %s AS u WHERE u._etlrun_op = "
			      "'%c' AND %s",
			      l->table, l->columns, l->columns, l->undo, op, condition);
	if (owners) {
		etl_text_add(&sql, " RETURNING t.xmin) UPDATE " STAGE_OWN
				   ".loads SET again = again || ARRAY (SELECT xmin FROM w LIMIT 1) WHERE run = ");
		etl_text_add_literal(&sql, PQgetvalue(owners, owner, 0));
		etl_text_addf(&sql, " AND load = %s; RELEASE again", PQgetvalue(owners, owner, 1));
	}
	return revert_run(r, l, &sql, NULL);
}

/* Earlier runs that had written rows which come back: their rows are known by a transaction, so each gets a part of this
 * one, and is told its number. */
static int find_owners(struct reverting *r, const struct reverted *l, char op, PGresult **ret)
{
	struct etl_text sql = { 0 };
	char text[2] = { op, 0 };
	int rc;

	etl_text_addf(&sql,
		      "SELECT DISTINCT l.run, l.load, u._etlrun_was FROM %s AS u JOIN " STAGE_OWN
		      ".loads AS l ON (l.xid & 4294967295)::text = u._etlrun_was::text OR u._etlrun_was = ANY (l.again) JOIN "
		      STAGE_OWN ".runs AS r USING (run) WHERE r.taken_back IS NULL AND l.schema = $1 AND l.name = $2 AND "
		      "u._etlrun_op = $3::\"char\"",
		      l->undo);
	rc = sql.failed ? postgres_no_memory(r->inst, r->err) :
			  postgres_query(r->inst, r->err, ret, sql.at, 3,
					 (const char *const[]){ l->schema, l->name, text });
	etl_text_free(&sql);
	return rc;
}

static int restore(struct reverting *r, const struct reverted *l, char op)
{
	struct etl_text others = { 0 };
	PGresult *owners = NULL;
	int rc = find_owners(r, l, op, &owners);

	etl_text_add(&others, "u._etlrun_was::text <> ALL ('{");
	for (int i = 0; rc == ETL_OK && i < PQntuples(owners); i++) {
		char condition[64];

		snprintf(condition, sizeof(condition), "u._etlrun_was = '%.20s'::xid", PQgetvalue(owners, i, 2));
		rc = put_back(r, l, op, condition, owners, i);
		etl_text_addf(&others, "%s%s", i ? "," : "", PQgetvalue(owners, i, 2));
	}
	etl_text_add(&others, "}'::text[])");
	if (rc == ETL_OK)
		rc = others.failed ? postgres_no_memory(r->inst, r->err) :
				     put_back(r, l, op, others.at, NULL, 0);
	etl_text_free(&others);
	PQclear(owners);
	return rc;
}

/* Those whose unique values are free come first: they may be parents. */
static int mark_free(struct reverting *r, const struct reverted *l)
{
	struct etl_text sql = { 0 };

	if (!has_rows(r, l))
		return ETL_OK;
	etl_text_addf(&sql, "UPDATE %s AS u SET _etlrun_op = 'f' WHERE _etlrun_op = 'd' AND NOT EXISTS (SELECT FROM %s AS t "
			    "WHERE %s)",
		      l->undo, l->table, l->taken ? l->taken : "false");
	return revert_run(r, l, &sql, NULL);
}

/* Of each key of $1: its parent, and how a child u meets its parent v. */
static const char keys[] =
	"SELECT c.confrelid, string_agg(format('v.%I = u.%I', b.attname, a.attname), ' AND ') FROM pg_catalog.pg_constraint c CROSS "
	"JOIN LATERAL unnest(c.conkey, c.confkey) AS k (own, other) JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid "
	"AND a.attnum = k.own JOIN pg_catalog.pg_attribute b ON b.attrelid = c.confrelid AND b.attnum = k.other WHERE c.contype = "
	"'f' AND c.conparentid = 0 AND c.conrelid = $1::oid GROUP BY c.oid, c.confrelid ORDER BY c.oid";

static const struct reverted *find(const struct reverting *r, const char *oid)
{
	for (size_t i = 0; i < r->count; i++)
		if (has_rows(r, &r->at[i]) && strcmp(r->at[i].oid, oid) == 0)
			return &r->at[i];
	return NULL;
}

/* Rows whose parent cannot come yet wait with it. *RET grows by their number. */
static int wait_with_parents(struct reverting *r, const struct reverted *l, uint64_t *ret)
{
	PGresult *found = NULL;
	int rc = postgres_query(r->inst, r->err, &found, keys, 1, (const char *const[]){ l->oid });

	for (int i = 0; rc == ETL_OK && i < PQntuples(found); i++) {
		const struct reverted *parent = find(r, PQgetvalue(found, i, 0));
		struct etl_text sql = { 0 };
		uint64_t rows = 0;

		if (!parent)
			continue;
		etl_text_addf(&sql, "UPDATE %s AS u SET _etlrun_op = 'd' WHERE u._etlrun_op = 'f' AND EXISTS (SELECT FROM %s AS v "
				    "WHERE v._etlrun_op = 'd' AND %s)",
			      l->undo, parent->undo, PQgetvalue(found, i, 1));
		rc = revert_run(r, l, &sql, &rows);
		*ret += rows;
	}
	PQclear(found);
	return rc;
}

/* Until nobody is added: children may have children. */
static int hold_children(struct reverting *r)
{
	uint64_t added = 1;
	int rc = ETL_OK;

	while (rc == ETL_OK && added) {
		added = 0;
		for (size_t i = 0; rc == ETL_OK && i < r->count; i++)
			if (has_rows(r, &r->at[i]))
				rc = wait_with_parents(r, &r->at[i], &added);
	}
	return rc;
}

static int insert_free(struct reverting *r, const struct reverted *l)
{
	return has_rows(r, l) ? restore(r, l, 'f') : ETL_OK;
}

static int insert_rest(struct reverting *r, const struct reverted *l)
{
	return has_rows(r, l) ? restore(r, l, 'd') : ETL_OK;
}

static int find_children(struct reverting *r, const struct into_parents *parents, struct into_children *ret)
{
	struct into_table *list = calloc(r->count + 1, sizeof(*list));
	int rc;

	if (!list)
		return postgres_no_memory(r->inst, r->err);
	for (size_t i = 0; i < r->count; i++)
		list[i] = (struct into_table){ r->at[i].oid ? r->at[i].oid : "0",
					       strtoull(r->at[i].number, NULL, 10), is_into(&r->at[i]) };
	rc = into_find_children(r->inst, list, r->count, parents, INTO_ANYBODYS, ret, r->err);
	free(list);
	return rc;
}

static int check_children(struct reverting *r, const struct reverted *l)
{
	struct into_children found = { 0 };
	char which[128];
	const struct into_parents parents = { .oid = l->oid, .which = which, .going = "gone" };
	int rc;

	snprintf(which, sizeof(which), INTO_IN(INTO_GONE), strtoull(l->number, NULL, 10));
	rc = find_children(r, &parents, &found);
	if (rc == ETL_OK && found.rows) {
		r->inst->host->at(r->err, found.table, NULL, found.first);
		rc = r->inst->host->fail(
			r->err, ETL_FATAL, NULL, 0,
			"%lld row%s of \"%s\" refer by their foreign keys to rows of \"%s\" that run %s brought "
			"(the first: %s); nothing was taken back; remove those rows first, or give them another parent, "
			"or NULL",
			(long long)found.rows, found.rows == 1 ? "" : "s", found.table, l->name, r->run,
			found.first);
	}
	into_children_free(&found);
	return rc;
}

/* What a row has again its children would get too, ON UPDATE CASCADE. */
static int check_changed(struct reverting *r, const struct reverted *l)
{
	struct into_children found = { 0 };
	struct etl_text which = { 0 };
	struct into_parents parents = { .oid = l->oid, .columns = l->names, .now = "u" };
	int rc;

	etl_text_addf(&which, " JOIN %s AS u ON u._etlrun_op = 'u' AND %s", l->undo, l->match);
	parents.which = which.at;
	rc = which.failed ? postgres_no_memory(r->inst, r->err) : find_children(r, &parents, &found);
	if (rc == ETL_OK && found.rows) {
		r->inst->host->at(r->err, found.table, NULL, found.first);
		rc = r->inst->host->fail(
			r->err, ETL_FATAL, NULL, 0,
			"%lld row%s of \"%s\" (the first: %s) would be changed by ON UPDATE of its foreign key "
			"to \"%s\", of which a row would have again what it had before run %s; nothing was taken back; "
			"remove those rows first, or give them another parent, or NULL",
			(long long)found.rows, found.rows == 1 ? "" : "s", found.table, found.first, l->name,
			r->run);
	}
	into_children_free(&found);
	etl_text_free(&which);
	return rc;
}

static int restore_changed(struct reverting *r, const struct reverted *l)
{
	int rc = has_rows(r, l) ? check_changed(r, l) : ETL_OK;

	return rc == ETL_OK && has_rows(r, l) ? restore(r, l, 'u') : rc;
}

static int delete_new(struct reverting *r, const struct reverted *l)
{
	struct etl_text sql = { 0 };
	uint64_t gone = 0;
	int rc;

	etl_text_addf(&sql,
		      "DELETE FROM %s AS t USING pg_temp.\"_etlrun_gone_%s\" AS g WHERE t.ctid = g.was AND t.tableoid = "
		      "g.was_in",
		      l->table, l->number);
	rc = revert_run(r, l, &sql, &gone);
	return rc == ETL_OK && gone != (uint64_t)l->inserted ? revert_fail_changed(r, l, NULL) : rc;
}

static int forget(struct reverting *r, const struct reverted *l)
{
	struct etl_text sql = { 0 };

	if (!l->undo)
		return ETL_OK;
	etl_text_addf(&sql, "DROP TABLE %s", l->undo);
	return revert_run(r, l, &sql, NULL);
}

static int write_all(struct reverting *r)
{
	int rc = ETL_OK;

	for (size_t i = 0; rc == ETL_OK && i < r->count; i++)
		if (is_into(&r->at[i]))
			rc = list_new(r, &r->at[i]);
	for (size_t i = 0; rc == ETL_OK && i < r->count; i++)
		rc = let_go(r, &r->at[i]);
	for (size_t i = 0; rc == ETL_OK && i < r->count; i++)
		rc = mark_free(r, &r->at[i]);
	if (rc == ETL_OK)
		rc = hold_children(r);
	for (size_t i = 0; rc == ETL_OK && i < r->count; i++)
		rc = insert_free(r, &r->at[i]);
	for (size_t i = r->count; rc == ETL_OK && i-- > 0;) {
		if (!is_into(&r->at[i]))
			continue;
		rc = check_children(r, &r->at[i]);
		if (rc == ETL_OK)
			rc = delete_new(r, &r->at[i]);
		if (rc == ETL_OK)
			rc = restore_changed(r, &r->at[i]);
	}
	for (size_t i = 0; rc == ETL_OK && i < r->count; i++)
		rc = insert_rest(r, &r->at[i]);
	return rc;
}

static int run_column(struct reverting *r, const PGresult *statements, int column)
{
	int rc = ETL_OK;

	for (int i = 0; rc == ETL_OK && i < PQntuples(statements); i++)
		rc = postgres_run(r->inst, r->err, PQgetvalue(statements, i, column));
	return rc;
}

int revert_rows(struct reverting *r)
{
	struct etl_text oids = { 0 }, now = { 0 }, later = { 0 };
	PGresult *stilled = NULL;
	int rc;

	etl_text_add(&oids, "{");
	for (size_t i = 0; i < r->count; i++)
		if (is_into(&r->at[i]))
			etl_text_addf(&oids, "%s%s", oids.length > 1 ? "," : "", r->at[i].oid);
	etl_text_add(&oids, "}");
	rc = oids.failed ? postgres_no_memory(r->inst, r->err) :
			   postgres_query(r->inst, r->err, &stilled, triggers, 1, (const char *const[]){ oids.at });
	etl_text_free(&oids);
	if (rc == ETL_OK)
		rc = run_column(r, stilled, 0);
	etl_text_add(&later, "SET CONSTRAINTS ALL DEFERRED");
	if (rc == ETL_OK)
		rc = revert_run(r, NULL, &later, NULL);
	if (rc == ETL_OK)
		rc = write_all(r);
	etl_text_add(&now, "SET CONSTRAINTS ALL IMMEDIATE");
	if (rc == ETL_OK)
		rc = revert_run(r, NULL, &now, NULL);
	if (rc == ETL_OK)
		rc = run_column(r, stilled, 1);
	for (size_t i = 0; rc == ETL_OK && i < r->count; i++)
		rc = forget(r, &r->at[i]);
	PQclear(stilled);
	etl_text_free(&now);
	etl_text_free(&later);
	return rc;
}
