/*
 * A published run is taken back: what it wrote goes, and what was there before comes, in one transaction, or nothing is
 * touched. Rows that somebody changed since end it with a sentence that names the first of them.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "fault.h"
#include "keep.h"
#include "revert.h"
#include "stage.h"
#include "state.h"

enum { MODE, KEPT, TAKEN_BACK };
enum {
	NUMBER, KIND, SCHEMA, NAME, HOW, XID, XIDS, OID, TABLE, UNDO, MATCH, WORDS, COLUMNS, NAMES, SETS, TAKEN, PASSING, INSERTED,
	TOUCHED, KNOWN
};

/* $1: the run, $2: the load, $3: the table of what was kept. */
static const char describe[] =
	"SELECT l.load, l.kind, l.schema, l.name, l.how, (l.xid & 4294967295)::text, array_append(l.again, "
	"(l.xid & 4294967295)::text::xid), c.oid, c.oid::regclass, "
	"u.oid::regclass, "
	"(SELECT string_agg(format('t.%I = u.%I', k, k), ' AND ' ORDER BY n) FROM jsonb_array_elements_text(l.keys) "
	"WITH ORDINALITY AS x (k, n)), "
	"(SELECT string_agg(format('concat(%L, u.%I)', k || '=', k), ' || '', '' || ' ORDER BY n) FROM "
	"jsonb_array_elements_text(l.keys) WITH ORDINALITY AS x (k, n)), "
	"(SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_catalog.pg_attribute WHERE attrelid = u.oid AND "
	"attnum > 0 AND NOT attisdropped AND attname NOT IN ('_etlrun_op', '_etlrun_was')), "
	"(SELECT array_agg(attname) FROM pg_catalog.pg_attribute WHERE attrelid = u.oid AND attnum > 0 AND NOT attisdropped), "
	"(SELECT string_agg(format('%I = u.%I', a.attname, a.attname), ', ' ORDER BY a.attnum) FROM pg_catalog.pg_attribute a JOIN "
	"pg_attribute b ON b.attrelid = c.oid AND b.attname = a.attname AND b.attidentity <> 'a' AND NOT b.attisdropped "
	"WHERE a.attrelid = u.oid AND a.attnum > 0 AND NOT a.attisdropped), "
	"(SELECT string_agg(format('(%s)', e), ' OR ') FROM (SELECT string_agg(format('t.%I = u.%I', a.attname, "
	"a.attname), ' AND ') AS e FROM pg_catalog.pg_index i CROSS JOIN unnest(i.indkey::int[]) WITH ORDINALITY AS k (n, at) JOIN "
	"pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.n WHERE i.indrelid = c.oid AND i.indisunique AND "
	"i.indpred IS NULL AND i.indexprs IS NULL AND k.at <= i.indnkeyatts GROUP BY i.indexrelid) AS o), "
	"(SELECT string_agg(DISTINCT format('%I = NULL', a.attname), ', ') FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute a ON a.attrelid "
	"= c.oid AND a.attnum = ANY (i.indkey::int[]) WHERE i.indrelid = c.oid AND i.indisunique AND i.indimmediate AND "
	"NOT a.attnotnull AND a.attgenerated = '' AND NOT coalesce(l.keys ? a.attname, false) AND NOT EXISTS (SELECT FROM "
	"pg_catalog.pg_constraint f WHERE f.contype = 'f' AND f.confrelid = c.oid AND a.attnum = ANY (f.confkey) AND "
	"f.confupdtype IN ('c', 'n', 'd'))), "
	"l.inserted, l.inserted + l.updated + l.deleted, "
	"pg_snapshot_xmax(pg_current_snapshot())::text::bigint - l.xid < " STATE_XIDS " "
	"FROM " STAGE_OWN ".loads l LEFT JOIN pg_catalog.pg_namespace s ON s.nspname = l.schema LEFT JOIN pg_catalog.pg_class c ON "
	"c.relnamespace = s.oid AND c.relname = l.name AND c.oid = coalesce(l.relation, c.oid) LEFT JOIN pg_catalog.pg_class u ON u.oid = to_regclass($3) WHERE l.run = $1 "
	"AND l.load = $2::bigint";

/* ---- What is said -------------------------------------------------------------------------------------------------- */

int revert_fail_changed(struct reverting *r, const struct reverted *l, const char *first)
{
	r->inst->host->at(r->err, l->name, NULL, first);
	return r->inst->host->fail(r->err, ETL_FATAL, NULL, 0,
				   "rows of \"%s\" that run %s wrote were changed since, by a later run or by "
				   "somebody else%s%s%s; nothing was taken back; take later runs back first, the latest "
				   "first",
				   l->name, r->run, first ? " (the first: " : "", first ? first : "",
				   first ? ")" : "");
}

static int fail_unknown(struct reverting *r)
{
	return r->inst->host->fail(r->err, ETL_FATAL, NULL, 0,
				   "the target does not know run %s: it was restored from a backup that is "
				   "older than the run, or replaced since; nothing was changed, and there is nothing of "
				   "that run to take back in it",
				   r->run);
}

/* What comes back needs its unique values, and others may have them now. */
int revert_run(struct reverting *r, const struct reverted *l, struct etl_text *sql, uint64_t *ret)
{
	char *text = etl_text_take(sql);
	PGresult *result = text ? PQexec(r->inst->db, text) : NULL;
	const char *state, *detail;
	int rc;

	if (!text)
		return postgres_no_memory(r->inst, r->err);
	free(text);
	if (PQresultStatus(result) == PGRES_COMMAND_OK || PQresultStatus(result) == PGRES_TUPLES_OK) {
		if (ret)
			*ret = strtoull(PQcmdTuples(result), NULL, 10);
		PQclear(result);
		return ETL_OK;
	}
	state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
	if (!state || (strncmp(state, "23", 2) != 0 && strcmp(state, "2BP01") != 0))
		return postgres_fail(r->inst, result, r->err, "taking back \"%s\"; nothing was changed",
				     l ? l->name : r->run);
	r->inst->host->at(r->err, l ? l->name : NULL, NULL, NULL);
	rc = r->inst->host->fail(r->err, ETL_FATAL, state, 0,
				 "what run %s did to \"%s\" cannot be taken back, for what was written or made "
				 "since stands in its way: %s%s%s; nothing was taken back; remove that first",
				 r->run, l ? l->name : "the target",
				 PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY), detail ? "; " : "",
				 detail ? detail : "");
	PQclear(result);
	return rc;
}

/* ---- What the run did ------------------------------------------------------------------------------------------------- */

static void fill(struct reverted *l)
{
	*l = (struct reverted){
		.found = l->found,
		.number = postgres_at(l->found, 0, NUMBER),
		.kind = postgres_at(l->found, 0, KIND),
		.schema = postgres_at(l->found, 0, SCHEMA),
		.name = postgres_at(l->found, 0, NAME),
		.how = postgres_at(l->found, 0, HOW),
		.xid = postgres_at(l->found, 0, XID),
		.xids = postgres_at(l->found, 0, XIDS),
		.oid = postgres_at(l->found, 0, OID),
		.table = postgres_at(l->found, 0, TABLE),
		.undo = postgres_at(l->found, 0, UNDO),
		.match = postgres_at(l->found, 0, MATCH),
		.words = postgres_at(l->found, 0, WORDS),
		.columns = postgres_at(l->found, 0, COLUMNS),
		.names = postgres_at(l->found, 0, NAMES),
		.sets = postgres_at(l->found, 0, SETS),
		.taken = postgres_at(l->found, 0, TAKEN),
		.passing = postgres_at(l->found, 0, PASSING),
		.inserted = postgres_int_at(l->found, 0, INSERTED),
		.touched = postgres_int_at(l->found, 0, TOUCHED),
		.known = postgres_flag_at(l->found, 0, KNOWN),
	};
}

static int read_load(struct reverting *r, const char *number)
{
	struct reverted *l = &r->at[r->count];
	struct etl_text undo = { 0 };
	int rc;

	undo_add_name(&undo, r->run, strtoull(number, NULL, 10));
	rc = undo.failed ? postgres_no_memory(r->inst, r->err) :
			   postgres_query(r->inst, r->err, &l->found, describe, 3,
					  (const char *const[]){ r->run, number, undo.at });
	etl_text_free(&undo);
	if (rc < 0)
		return rc;
	fill(l);
	r->count++;
	return ETL_OK;
}

static int read_loads(struct reverting *r)
{
	PGresult *numbers = NULL;
	int rc = postgres_query(r->inst, r->err, &numbers,
				"SELECT load FROM " STAGE_OWN ".loads WHERE run = $1 ORDER BY load", 1,
				(const char *const[]){ r->run });

	if (rc < 0)
		return rc;
	r->at = calloc((size_t)PQntuples(numbers) + 1, sizeof(*r->at));
	if (!r->at)
		rc = postgres_no_memory(r->inst, r->err);
	for (int i = 0; rc == ETL_OK && i < PQntuples(numbers); i++)
		rc = read_load(r, PQgetvalue(numbers, i, 0));
	PQclear(numbers);
	return rc;
}

/* ---- The transaction --------------------------------------------------------------------------------------------------- */

static int by_oid(const void *a, const void *b)
{
	const struct reverted *const *x = a, *const *y = b;
	unsigned long m = strtoul((*x)->oid, NULL, 10), n = strtoul((*y)->oid, NULL, 10);

	return m < n ? -1 : m > n;
}

/* In the order of a run, so that none waits for another. */
static int lock_tables(struct reverting *r)
{
	const struct reverted **order = calloc(r->count + 1, sizeof(*order));
	size_t count = 0;
	int rc = order ? ETL_OK : postgres_no_memory(r->inst, r->err);

	for (size_t i = 0; rc == ETL_OK && i < r->count; i++)
		if (r->at[i].oid && *r->at[i].kind == 'r')
			order[count++] = &r->at[i];
	if (rc == ETL_OK)
		qsort((void *)order, count, sizeof(*order), by_oid);
	for (size_t i = 0; rc == ETL_OK && i < count; i++) {
		struct etl_text sql = { 0 };

		etl_text_addf(&sql, "LOCK TABLE %s IN %s MODE", order[i]->table,
			      revert_is(order[i], "into") ? "SHARE ROW EXCLUSIVE" : "ACCESS EXCLUSIVE");
		rc = revert_run(r, order[i], &sql, NULL);
	}
	free((void *)order);
	return rc;
}

static int check_all(struct reverting *r)
{
	int rc = ETL_OK;

	for (size_t i = 0; rc == ETL_OK && i < r->count; i++)
		rc = revert_is(&r->at[i], "into") ? revert_check_rows(r, &r->at[i]) :
						    revert_check_table(r, &r->at[i]);
	return rc;
}

static int take_back(struct reverting *r)
{
	int rc = read_loads(r);

	if (rc == ETL_OK)
		rc = lock_tables(r);
	if (rc == ETL_OK)
		rc = check_all(r);
	ETL_FAULT("postgres.revert_checked");
	if (rc == ETL_OK)
		rc = revert_rows(r);
	if (rc == ETL_OK)
		rc = revert_tables(r);
	if (rc == ETL_OK)
		rc = postgres_keep_revert(r->inst, r->run, r->err);
	if (rc == ETL_OK)
		rc = postgres_change(r->inst, r->err, NULL,
				     "UPDATE " STAGE_OWN ".loads SET keys = NULL WHERE run = $1", 1,
				     (const char *const[]){ r->run });
	if (rc == ETL_OK)
		rc = postgres_change(r->inst, r->err, NULL,
				     "UPDATE " STAGE_OWN ".runs SET kept = NULL, taken_back = clock_timestamp() WHERE "
				     "run = $1",
				     1, (const char *const[]){ r->run });
	return rc;
}

static int find_run(struct reverting *r, PGresult **ret)
{
	bool there = false;
	int rc = postgres_flag(r->inst, r->err, &there,
			       "SELECT to_regclass('_etlrun.loads') IS NOT NULL", 0, NULL);

	if (rc == ETL_OK && !there)
		return fail_unknown(r);
	if (rc == ETL_OK)
		rc = postgres_query(r->inst, r->err, ret,
				    "SELECT mode, kept, taken_back IS NOT NULL FROM " STAGE_OWN
				    ".runs WHERE run = $1 FOR UPDATE",
				    1, (const char *const[]){ r->run });
	if (rc == ETL_OK && PQntuples(*ret) == 0)
		rc = fail_unknown(r);
	return rc;
}

static int transact(struct reverting *r)
{
	PGresult *found = NULL;
	int rc = find_run(r, &found);

	if (rc == ETL_OK && postgres_flag_at(found, 0, TAKEN_BACK)) {
		r->inst->host->log(r->inst->host, ETL_LOG_INFO,
				   "the target's own tables say that run %s was taken back already; nothing is "
				   "changed",
				   r->run);
	} else if (rc == ETL_OK) {
		r->merged = strcmp(PQgetvalue(found, 0, MODE), "append") != 0;
		if (postgres_at(found, 0, KEPT)) {
			r->kept = strdup(postgres_at(found, 0, KEPT));
			rc = r->kept ? ETL_OK : postgres_no_memory(r->inst, r->err);
		}
		if (rc == ETL_OK)
			rc = take_back(r);
	}
	PQclear(found);
	return rc;
}

int postgres_revert(struct etl_instance *inst, const char *run, const struct etl_token *seal,
		    struct etl_error *err)
{
	struct reverting r = { .inst = inst, .run = run, .err = err };
	char begin[120];
	int rc;

	(void)seal;
	snprintf(begin, sizeof(begin), "BEGIN; SET LOCAL lock_timeout = %lld; SET LOCAL search_path = pg_catalog",
		 (long long)inst->host->num(inst->conf, "lock_timeout"));
	rc = postgres_run(inst, err, begin);
	if (rc == ETL_OK)
		rc = transact(&r);
	ETL_FAULT("postgres.revert_before_commit");
	if (rc == ETL_OK)
		rc = postgres_run(inst, err, "COMMIT");
	if (rc < 0)
		stage_rollback(inst);
	for (size_t i = 0; i < r.count; i++)
		PQclear(r.at[i].found);
	free(r.at);
	free(r.kept);
	return rc;
}
