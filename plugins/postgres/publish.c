/*
 * The one moment at which the target changes: a transaction that takes the old tables away, moves the staged ones to
 * where they belong, writes the run's state beside them and drops the staging schema. Whatever fails leaves all as
 * it was. When the answer to COMMIT is lost, the state row tells how it ended.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "batch.h"
#include "bonds.h"
#include "fault.h"
#include "follow.h"
#include "into.h"
#include "keep.h"
#include "known.h"
#include "move.h"
#include "old.h"
#include "publish.h"
#include "replace.h"
#include "state.h"
#include "swap.h"

#define LOOKS 10 /* at tables that another session puts in the place of those that were to be locked */

/* ---- What is to be done -------------------------------------------------------------------------------------------- */

static bool stays(const struct etl_run *run)
{
	return stage_is_into(run) || run->flags & ETL_RUN_DATA_ONLY ||
	       run->on_existing == ETL_EXISTING_TRUNCATE;
}

static int how_of(const struct publish_part *part)
{
	const struct etl_run *run = part->load->run;
	int32_t kind = part->load->table->kind;

	if (kind != ETL_TABLE && kind != ETL_VIEW && kind != ETL_SEQUENCE)
		return PUBLISH_NONE;
	if (kind == ETL_TABLE && stage_is_into(run) && part->load->existing)
		return PUBLISH_INTO;
	/* What design left out keeps nothing from its place. */
	if (!part->staged.kind)
		return PUBLISH_NONE;
	/* Nothing is made then: one that is not there is not missed. */
	if (kind == ETL_SEQUENCE && run->flags & ETL_RUN_DATA_ONLY)
		return PUBLISH_FOLLOW;
	if (!part->old.kind)
		return PUBLISH_MOVE;
	if (kind != ETL_VIEW && stays(run))
		return kind == ETL_TABLE ? PUBLISH_SWAP : PUBLISH_FOLLOW;
	return PUBLISH_REPLACE;
}

static int make_parts(struct publishing *p)
{
	const struct etl_commit *commit = p->commit;

	p->parts = calloc(commit->load_count + 1, sizeof(*p->parts));
	if (!p->parts)
		return postgres_no_memory(p->inst, p->err);
	for (; p->count < commit->load_count; p->count++)
		p->parts[p->count] = (struct publish_part){
			.load = commit->loads[p->count],
			.token = commit->tokens[p->count],
			.schema = postgres_target_schema(p->inst, commit->loads[p->count]->table)
		};
	return ETL_OK;
}

static void add_wanted(struct etl_text *sql, const char *schema, const char *name)
{
	char buf[POSTGRES_NAME_MAX + 1];

	etl_text_add(sql, ", ");
	etl_text_add_literal(sql, schema);
	etl_text_add(sql, ", ");
	etl_text_add_literal(sql, postgres_short_name(name, buf));
}

static void read_standing(const PGresult *found, int row, int column, struct standing *ret)
{
	const char *kind = postgres_at(found, row, column + 1);

	snprintf(ret->oid, sizeof(ret->oid), "%s", PQgetvalue(found, row, column));
	ret->kind = '\0';
	if (kind)
		ret->kind = *kind;
}

/* All at once: it is asked while others wait for the locks. */
static int find_parts(struct publishing *p)
{
	struct etl_text sql = { 0 };
	PGresult *found = NULL;
	int rc;

	etl_text_add(&sql, "SELECT coalesce(o.oid, 0), o.relkind, coalesce(s.oid, 0), s.relkind FROM (VALUES ");
	for (size_t i = 0; i < p->count; i++) {
		const struct publish_part *part = &p->parts[i];

		etl_text_addf(&sql, "%s(%zu", i ? ", " : "", i);
		add_wanted(&sql, part->schema, part->load->table->name);
		add_wanted(&sql, part->token->text, part->load->table->name);
		etl_text_add(&sql, ")");
	}
	etl_text_add(&sql, ") AS w (at, old_schema, old, stage, staged) LEFT JOIN pg_catalog.pg_namespace AS n ON "
			   "n.nspname = w.old_schema LEFT JOIN pg_catalog.pg_class AS o ON o.relnamespace = n.oid "
			   "AND o.relname = w.old LEFT JOIN pg_catalog.pg_namespace AS m ON m.nspname = w.stage "
			   "LEFT JOIN pg_catalog.pg_class AS s ON s.relnamespace = m.oid AND s.relname = w.staged "
			   "ORDER BY w.at");
	rc = sql.failed ? postgres_no_memory(p->inst, p->err) :
	     p->count	? postgres_query(p->inst, p->err, &found, sql.at, 0, NULL) :
			  ETL_OK;
	for (size_t i = 0; rc == ETL_OK && i < p->count; i++) {
		struct publish_part *part = &p->parts[i];

		read_standing(found, (int)i, 0, &part->old);
		read_standing(found, (int)i, 2, &part->staged);
		part->how = how_of(part);
	}
	PQclear(found);
	etl_text_free(&sql);
	return rc;
}

/* What is in a load's place may have come or changed since the run was admitted. */
static int admit_parts(struct publishing *p)
{
	int rc = ETL_OK;

	for (size_t i = 0; rc == ETL_OK && i < p->count; i++)
		if (p->parts[i].how != PUBLISH_NONE)
			rc = admit_again(p->inst, p->parts[i].load, p->parts[i].schema,
					 &p->parts[i].old, p->err);
	return rc;
}

/* ---- Locks ------------------------------------------------------------------------------------------------------------ */

/* Rows go into a table beside those that read it; nobody else writes meanwhile. */
static const char *lock_mode(const struct publishing *p)
{
	return stage_is_into(p->commit->run) ? " IN SHARE ROW EXCLUSIVE MODE" : " IN ACCESS EXCLUSIVE MODE";
}

static bool is_locked(const struct publish_part *part)
{
	return part->how != PUBLISH_NONE && (part->old.kind == 'r' || part->old.kind == 'p');
}

static void add_oids(const struct publishing *p, struct etl_text *to)
{
	etl_text_add(to, "{");
	for (size_t i = 0; i < p->count; i++)
		if (is_locked(&p->parts[i]))
			etl_text_addf(to, "%s%s", to->length > 1 ? "," : "", p->parts[i].old.oid);
	etl_text_add(to, "}");
}

/* Who has one of the tables, after it could not be had in time. */
static void add_holders(struct publishing *p, struct etl_text *to)
{
	struct etl_text oids = { 0 };
	PGresult *who;

	add_oids(p, &oids);
	if (oids.failed)
		return;
	who = PQexecParams(p->inst->db,
			   "SELECT DISTINCT format('%s (pid %s, %s%s): %s', l.relation::regclass, a.pid, "
			   "a.usename, coalesce(nullif(', ' || a.application_name, ', '), ''), "
			   "left(regexp_replace(a.query, '\\s+', ' ', 'g'), 80)) FROM pg_catalog.pg_locks l JOIN "
			   "pg_stat_activity a ON a.pid = l.pid WHERE l.granted AND l.relation = ANY "
			   "($1::oid[]) AND l.pid <> pg_backend_pid() AND l.database = (SELECT oid FROM "
			   "pg_database WHERE datname = current_database()) LIMIT 5",
			   1, NULL, (const char *const[]){ oids.at }, NULL, NULL, 0);
	for (int i = 0; i < PQntuples(who); i++)
		etl_text_addf(to, "%s%s", i ? "; " : "", PQgetvalue(who, i, 0));
	PQclear(who);
	etl_text_free(&oids);
}

static int moved_away(struct publishing *p)
{
	return p->inst->host->fail(p->err, ETL_RETRY_STATEMENT, "42P01", 0,
				   "another session drops or replaces the tables to be published while "
				   "they are locked; nothing was changed; end what does that, and go on with resume");
}

static int locked_out(struct publishing *p, PGresult *result)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	struct etl_text who = { 0 };
	int rc;

	if (state && strcmp(state, "42P01") == 0) {
		PQclear(result);
		return moved_away(p);
	}
	if (!state || strcmp(state, "55P03") != 0)
		return postgres_fail(p->inst, result, p->err, "locking the tables to be replaced");
	PQclear(result);
	stage_rollback(p->inst);
	add_holders(p, &who);
	rc = p->inst->host->fail(p->err, ETL_RETRY_STATEMENT, "55P03", 0,
				 "the tables to be published are in use and were not free within "
				 "lock_timeout%s%s; end what uses them, or raise lock_timeout",
				 who.length ? ": " : "", who.at ? who.at : "");
	etl_text_free(&who);
	return rc;
}

static int by_oid(const void *a, const void *b)
{
	const struct publish_part *const *x = a, *const *y = b;
	unsigned long m = strtoul((*x)->old.oid, NULL, 10), n = strtoul((*y)->old.oid, NULL, 10);

	return m < n ? -1 : m > n;
}

/* All at once and always in the same order, so that two runs cannot wait for each other. */
static int lock_tables(struct publishing *p)
{
	const struct publish_part **order = calloc(p->count + 1, sizeof(*order));
	struct etl_text sql = { 0 };
	PGresult *result;
	size_t count = 0;

	if (!order)
		return postgres_no_memory(p->inst, p->err);
	for (size_t i = 0; i < p->count; i++)
		if (is_locked(&p->parts[i]))
			order[count++] = &p->parts[i];
	qsort((void *)order, count, sizeof(*order), by_oid);
	for (size_t i = 0; i < count; i++) {
		etl_text_add(&sql, i ? ", " : "LOCK TABLE ");
		etl_text_add(&sql, stage_is_into(p->commit->run) ? "" : "ONLY ");
		postgres_add_name(&sql, order[i]->schema, order[i]->load->table->name);
	}
	free((void *)order);
	etl_text_add(&sql, count ? lock_mode(p) : "");
	if (sql.failed)
		return postgres_no_memory(p->inst, p->err);
	result = count ? PQexec(p->inst->db, sql.at) : NULL;
	etl_text_free(&sql);
	if (result && PQresultStatus(result) != PGRES_COMMAND_OK)
		return locked_out(p, result);
	PQclear(result);
	return ETL_OK;
}

/* A name is locked, and not the table that had it a moment before: what has it now is looked for again, until it is what
 * was locked. */
static int lock_parts(struct publishing *p)
{
	struct etl_text locked = { 0 };
	int rc = find_parts(p);

	for (int looks = 0; rc == ETL_OK; looks++) {
		struct etl_text there = { 0 };
		bool same;

		add_oids(p, &there);
		same = locked.at && there.at && strcmp(locked.at, there.at) == 0;
		etl_text_free(&locked);
		locked = there;
		if (same)
			break;
		rc = there.failed    ? postgres_no_memory(p->inst, p->err) :
		     looks == LOOKS ? moved_away(p) :
				      lock_tables(p);
		if (rc == ETL_OK)
			rc = find_parts(p);
	}
	etl_text_free(&locked);
	return rc == ETL_OK ? admit_parts(p) : rc;
}

/* ---- The transaction --------------------------------------------------------------------------------------------------- */

static int begin(struct publishing *p)
{
	char sql[160];

	snprintf(sql, sizeof(sql),
		 "BEGIN; SET LOCAL lock_timeout = %lld; SET LOCAL search_path = pg_catalog; "
		 "SET LOCAL check_function_bodies = off",
		 (long long)p->inst->host->num(p->inst->conf, "lock_timeout"));
	return postgres_run(p->inst, p->err, sql);
}

static int make_schemas(struct publishing *p)
{
	int rc = ETL_OK;

	for (size_t i = 0; rc == ETL_OK && i < p->count; i++) {
		struct etl_text sql = { 0 };
		bool there = false;

		if (i > 0 && strcmp(p->parts[i].schema, p->parts[i - 1].schema) == 0)
			continue;
		/* IF NOT EXISTS asks for the right to create although there is nothing to do. */
		rc = postgres_flag(p->inst, p->err, &there,
				   "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1)", 1,
				   (const char *const[]){ p->parts[i].schema });
		if (rc < 0 || there)
			continue;
		etl_text_add(&sql, "CREATE SCHEMA ");
		etl_text_add_name(&sql, p->parts[i].schema, '"');
		rc = postgres_run_text(p->inst, p->err, &sql);
	}
	return rc;
}

static int for_each_stage(struct publishing *p, int (*body)(struct publishing *, size_t))
{
	int rc = ETL_OK;

	for (size_t i = 0; rc == ETL_OK && i < p->count; i++) {
		size_t k = 0;

		while (strcmp(p->parts[k].token->text, p->parts[i].token->text) != 0)
			k++;
		if (k == i)
			rc = body(p, i);
	}
	return rc;
}

/* $1: a schema. What outside would go with it, and with what of it: what is bound to something in it, and what has a
 * part of itself in it, for CASCADE takes the whole with the part. */
static const char bound[] =
	"WITH inside (classid, objid) AS (SELECT 'pg_catalog.pg_class'::regclass, oid FROM pg_catalog.pg_class WHERE "
	"relnamespace = $1::regnamespace UNION SELECT 'pg_catalog.pg_type'::regclass, oid FROM pg_catalog.pg_type "
	"WHERE typnamespace = $1::regnamespace UNION SELECT 'pg_catalog.pg_proc'::regclass, oid FROM "
	"pg_catalog.pg_proc WHERE pronamespace = $1::regnamespace UNION SELECT classid, objid FROM pg_catalog.pg_depend WHERE "
	"refclassid = 'pg_catalog.pg_namespace'::regclass AND refobjid = $1::regnamespace), "
	"pairs AS (SELECT d.classid, d.objid, d.objsubid, i.classid AS inner_class, i.objid AS inner_id, 0 AS inner_sub FROM "
	"inside AS i JOIN pg_catalog.pg_depend AS d ON d.refclassid = i.classid AND d.refobjid = i.objid "
	"UNION ALL SELECT d.refclassid, d.refobjid, d.refobjsubid, d.classid, d.objid, d.objsubid FROM inside AS i JOIN "
	"pg_catalog.pg_depend AS d ON d.classid = i.classid AND d.objid = i.objid LEFT JOIN pg_catalog.pg_class AS c ON "
	"d.classid = 'pg_catalog.pg_class'::regclass AND c.oid = d.objid WHERE d.deptype IN ('i', 'P', 'S', 'e') OR "
	"(d.deptype = 'a' AND c.relispartition)) "
	"SELECT DISTINCT coalesce(pg_describe_object('pg_catalog.pg_class'::regclass, nullif(c.oid, d.objid), 0) || ': ', "
	"'') || pg_describe_object(d.classid, d.objid, d.objsubid) || ' (by ' || pg_describe_object(d.inner_class, d.inner_id, "
	"d.inner_sub) || ')' FROM pairs AS d "
	"LEFT JOIN pg_catalog.pg_rewrite AS r ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND r.oid = d.objid "
	"LEFT JOIN pg_catalog.pg_constraint AS k ON d.classid = 'pg_catalog.pg_constraint'::regclass AND k.oid = d.objid "
	"LEFT JOIN pg_catalog.pg_attrdef AS f ON d.classid = 'pg_catalog.pg_attrdef'::regclass AND f.oid = d.objid "
	"LEFT JOIN pg_catalog.pg_trigger AS t ON d.classid = 'pg_catalog.pg_trigger'::regclass AND t.oid = d.objid "
	"LEFT JOIN pg_catalog.pg_policy AS y ON d.classid = 'pg_catalog.pg_policy'::regclass AND y.oid = d.objid "
	"LEFT JOIN pg_catalog.pg_class AS c ON c.oid = CASE WHEN d.classid = 'pg_catalog.pg_class'::regclass THEN d.objid "
	"ELSE coalesce(r.ev_class, nullif(k.conrelid, 0), f.adrelid, t.tgrelid, y.polrelid) END "
	"WHERE c.relnamespace IS DISTINCT FROM 'pg_toast'::regnamespace AND d.classid NOT IN "
	"('pg_catalog.pg_amop'::regclass, 'pg_catalog.pg_amproc'::regclass) AND NOT EXISTS (SELECT FROM inside AS n WHERE "
	"n.classid = CASE WHEN c.oid IS NOT NULL THEN 'pg_catalog.pg_class'::regclass WHEN k.contypid > 0 THEN "
	"'pg_catalog.pg_type'::regclass ELSE d.classid END AND n.objid = coalesce(c.oid, nullif(k.contypid, 0), d.objid)) "
	"ORDER BY 1 LIMIT 20";

/* CASCADE is for what is the stage's own: nothing of the target's may go with it unseen. */
static int check_bound(struct publishing *p, const char *stage)
{
	struct etl_text name = { 0 }, list = { 0 };
	PGresult *things = NULL;
	int rc;

	etl_text_add_name(&name, stage, '"');
	rc = name.failed ? postgres_no_memory(p->inst, p->err) :
			   postgres_query(p->inst, p->err, &things, bound, 1,
					  (const char *const[]){ name.at });
	for (int i = 0; rc == ETL_OK && i < PQntuples(things); i++)
		etl_text_addf(&list, "%s%s", i ? "; " : "", PQgetvalue(things, i, 0));
	if (rc == ETL_OK && (list.length || list.failed))
		rc = p->inst->host->fail(p->err, ETL_FATAL, "2BP01", 0,
					 "what is bound to rows that were staged would go with the staging "
					 "schema: %s; nothing was changed; drop it and run again",
					 list.at ? list.at : "");
	PQclear(things);
	etl_text_free(&name);
	etl_text_free(&list);
	return rc;
}

static int drop_stage(struct publishing *p, size_t i)
{
	struct etl_text sql = { 0 };
	int rc = check_bound(p, p->parts[i].token->text);

	if (rc < 0)
		return rc;
	etl_text_add(&sql, "DROP SCHEMA ");
	etl_text_add_name(&sql, p->parts[i].token->text, '"');
	etl_text_add(&sql, " CASCADE");
	return postgres_run_text(p->inst, p->err, &sql);
}

/* Rows go into tables that are there, and nothing else is done yet. */
static int publish_some(struct publishing *p)
{
	int rc = lock_parts(p);

	ETL_FAULT("postgres.batch_locked");
	if (rc == ETL_OK)
		rc = into_publish(p);
	if (rc == ETL_OK)
		rc = into_finish(p);
	return rc == ETL_OK ? batch_record(p) : rc;
}

static int publish(struct publishing *p)
{
	struct remake remake = { 0 };
	int rc = make_schemas(p);

	if (rc == ETL_OK)
		rc = lock_parts(p);
	if (rc == ETL_OK)
		rc = follow_find(p);
	ETL_FAULT("postgres.publish_locked");
	if (rc == ETL_OK)
		rc = move_find_views(p);
	if (rc == ETL_OK)
		rc = for_each_stage(p, move_grant);
	if (rc == ETL_OK)
		rc = replace_away(p, &remake);
	if (rc == ETL_OK)
		rc = swap_rows(p);
	if (rc == ETL_OK)
		rc = into_publish(p);
	if (rc == ETL_OK)
		rc = postgres_keep_publish(p);
	if (rc == ETL_OK)
		rc = for_each_stage(p, move_stage);
	if (rc == ETL_OK)
		rc = move_views(p);
	if (rc == ETL_OK)
		rc = follow_set(p);
	if (rc == ETL_OK)
		rc = replace_again(p, &remake);
	ETL_FAULT("postgres.publish_moved");
	if (rc == ETL_OK)
		rc = move_last(p);
	if (rc == ETL_OK)
		rc = into_finish(p);
	if (rc == ETL_OK)
		rc = for_each_stage(p, bonds_turn);
	if (rc == ETL_OK)
		rc = postgres_state_write(p->inst, p->commit, p->kept, p->err);
	if (rc == ETL_OK)
		rc = undo_record(p);
	if (rc == ETL_OK && p->slices)
		rc = batch_record(p);
	if (rc == ETL_OK)
		rc = known_note(p);
	if (rc == ETL_OK)
		rc = for_each_stage(p, drop_stage);
	if (rc == ETL_OK)
		rc = old_prune(p);
	replace_free(&remake);
	return rc;
}

/* ---- COMMIT --------------------------------------------------------------------------------------------------------------- */

static int finish(struct publishing *p)
{
	PGresult *result;

	ETL_FAULT("postgres.publish_before_commit");
	result = PQexec(p->inst->db, "COMMIT");
	ETL_FAULT("postgres.publish_after_commit");
	if (PQresultStatus(result) == PGRES_COMMAND_OK && strcmp(PQcmdStatus(result), "COMMIT") == 0) {
		PQclear(result);
		return ETL_OK;
	}
	if (!postgres_is_lost(p->inst))
		return postgres_fail(p->inst, result, p->err, "publishing: COMMIT");
	PQclear(result);
	postgres_disconnect(p->inst);
	return p->inst->host->fail(p->err, ETL_OUTCOME_UNKNOWN, "08007", 0,
				   "the connection was lost while the run was published");
}

static int drop_left(struct publishing *p, size_t i)
{
	return stage_drop(p->inst, p->parts[i].token->text, p->err);
}

/* When the answer to a commit was lost: the session that may still have committed is at its end, for its lock of the stage
 * is ours. */
static int answer_again(struct publishing *p)
{
	int rc = for_each_stage(p, drop_left);

	p->inst->host->log(p->inst->host, ETL_LOG_WARN,
			   "the connection was lost while the run was published; the target's state says that it was");
	return rc == ETL_OK ? state_read(p->inst, p->commit, p->err) : rc;
}

static int transact(struct publishing *p)
{
	bool some = p->slices && p->commit->batch->next->text[0];
	int rc = begin(p);

	if (rc == ETL_OK)
		rc = some ? publish_some(p) : publish(p);
	if (rc == ETL_OK)
		rc = finish(p);
	else
		stage_rollback(p->inst);
	return rc;
}

/* Where the run itself was published, so was this batch, the last one. */
static int commit_batch(struct etl_instance *inst, const struct etl_commit *commit, struct etl_error *err)
{
	struct batch_commit b = { .slices = calloc(commit->load_count + 1, sizeof(*b.slices)) };
	struct publishing p = { .inst = inst, .commit = &b.commit, .err = err, .slices = b.slices };
	int rc = b.slices ? batch_slice(inst, commit, b.slices, err) : postgres_no_memory(inst, err);

	if (rc == ETL_OK && batch_narrow(&b, commit) < 0)
		rc = postgres_no_memory(inst, err);
	if (rc == ETL_OK)
		rc = make_parts(&p);
	if (rc == ETL_OK)
		rc = transact(&p);
	if (rc == ETL_OK)
		batch_widen(&b, commit);
	free(p.parts);
	batch_free(&b);
	return rc;
}

/* The last one leaves no staging place behind. */
static int commit_some(struct etl_instance *inst, const struct etl_commit *commit, struct etl_error *err)
{
	struct publishing p = { .inst = inst, .commit = commit, .err = err };
	bool found = false;
	int rc = commit->load_count ? stage_take(inst, commit->tokens[0], err) : ETL_OK;

	if (rc == ETL_OK)
		rc = batch_find(inst, commit, &found, err);
	if (rc == ETL_OK && !found)
		rc = commit_batch(inst, commit, err);
	if (rc < 0 || commit->batch->next->text[0])
		return rc;
	rc = make_parts(&p);
	if (rc == ETL_OK && found)
		rc = for_each_stage(&p, drop_left);
	if (rc == ETL_OK)
		stage_let_go(inst);
	free(p.parts);
	return rc;
}

int postgres_commit(struct etl_instance *inst, const struct etl_commit *commit, struct etl_error *err)
{
	struct publishing p = { .inst = inst, .commit = commit, .err = err };
	bool published = false;
	int rc;

	if (commit->batch)
		return commit_some(inst, commit, err);
	rc = commit->load_count ? stage_take(inst, commit->tokens[0], err) : ETL_OK;
	if (rc == ETL_OK)
		rc = state_is_published(inst, commit->run->id, &published, err);
	if (rc == ETL_OK)
		rc = make_parts(&p);
	if (rc == ETL_OK)
		rc = published ? answer_again(&p) : transact(&p);
	if (rc == ETL_OK && p.kept[0])
		snprintf(commit->kept->text, sizeof(commit->kept->text), "%s", p.kept);
	if (rc == ETL_OK)
		stage_let_go(inst);
	free(p.parts);
	return rc;
}
