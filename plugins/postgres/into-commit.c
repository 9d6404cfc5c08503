/*
 * Publishing rows into tables that stay, inside the transaction of publish.c: the tables are locked against all other
 * writers, the staging schema is only read. First it is found out of every table what is to be written, then what
 * makes room goes, then rows are written, parents first, then the rest goes, children first. Before a statement could
 * change rows of children that the run does not name, it is looked whether there are any.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "batch.h"
#include "fault.h"
#include "into.h"
#include "stage.h"

/* ---- What the server says --------------------------------------------------------------------------------------- */

static int refused(struct into *n, PGresult *result)
{
	struct publishing *p = n->p;
	const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
	const char *name = n->part ? n->part->load->table->name :
				     PQresultErrorField(result, PG_DIAG_TABLE_NAME);
	int rc;

	p->inst->host->at(p->err, name, NULL, NULL);
	rc = p->inst->host->fail(p->err, ETL_DATA, PQresultErrorField(result, PG_DIAG_SQLSTATE), 0,
				 "table \"%s\" does not take the rows: %s%s%s; nothing was changed",
				 name ? name : "?", PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY),
				 detail ? "; " : "", detail ? detail : "");
	PQclear(result);
	return rc;
}

/* Classes of SQLSTATEs that are about the rows: constraints, values, and what a trigger says. */
static bool is_about_rows(const PGresult *result)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

	return state && (strncmp(state, "23", 2) == 0 || strncmp(state, "22", 2) == 0 ||
			 strcmp(state, "P0001") == 0);
}

int postgres_into_run(struct into *n, const char *sql, uint64_t *ret)
{
	struct publishing *p = n->p;
	PGresult *result = PQexec(p->inst->db, sql);

	if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
		return is_about_rows(result) ?
			       refused(n, result) :
			       postgres_fail(p->inst, result, p->err, "nothing was changed; running \"%.300s\"",
					     sql);
	if (ret)
		*ret = strtoull(PQcmdTuples(result), NULL, 10);
	PQclear(result);
	return ETL_OK;
}

int into_run_text(struct into *n, struct etl_text *sql)
{
	char *text = etl_text_take(sql);
	int rc = text ? postgres_into_run(n, text, NULL) : postgres_no_memory(n->p->inst, n->p->err);

	free(text);
	return rc;
}

/* ---- The steps ------------------------------------------------------------------------------------------------------ */

/* In which order the statements of all tables are carried out. */
struct pass {
	const char *kinds[5];
	bool children_first;
	int (*then)(struct into *); /* NULL: nothing */
};
static const struct pass passes[] = {
	{ { "rows", "gone", "room", "undo" }, false, into_call },
	{ { "make room" }, true, NULL },
	{ { "in the way", "move out", "update", "insert", "fill" }, false, NULL },
	{ { "delete", "mark" }, true, NULL },
};

struct walk {
	struct etl_step_sink sink;
	struct into *into;
	const struct pass *pass;
};

static uint64_t *counter_of(struct into *n, const char *kind)
{
	struct etl_outcome *done = &n->done[n->at];

	if (strcmp(kind, "insert") == 0 || strcmp(kind, "fill") == 0)
		return &done->inserted;
	if (strcmp(kind, "update") == 0)
		return &done->updated;
	return strcmp(kind, "delete") == 0 || strcmp(kind, "mark") == 0 || strcmp(kind, "make room") == 0 ?
		       &done->deleted :
		       NULL;
}

static bool is_of(const struct pass *pass, const char *kind)
{
	for (size_t i = 0; i < sizeof(pass->kinds) / sizeof(*pass->kinds); i++)
		if (pass->kinds[i] && strcmp(pass->kinds[i], kind) == 0)
			return true;
	return false;
}

/* Whether the list of rejected keys says that there are others. */
static int others_were_rejected(struct into *n, bool *ret)
{
	const struct etl_load *load = n->part->load;
	struct etl_text sql = { 0 };
	PGresult *result = NULL;
	int rc;

	etl_text_addf(&sql, "SELECT FROM pg_temp.\"" INTO_KEPT "\" WHERE ", (unsigned long long)load->index);
	postgres_add_name(&sql, NULL, load->key[0]);
	etl_text_add(&sql, " IS NULL LIMIT 1");
	rc = sql.failed ? postgres_no_memory(n->p->inst, n->p->err) :
			  postgres_query(n->p->inst, n->p->err, &result, sql.at, 0, NULL);
	etl_text_free(&sql);
	*ret = rc == ETL_OK && PQntuples(result) > 0;
	PQclear(result);
	return rc;
}

/* Rows that were rejected before their keys could be kept are in the source still, and what these are nobody knows. */
static int find_gone(struct into *n, const struct etl_step *step)
{
	struct publishing *p = n->p;
	uint64_t withheld = p->commit->withheld ? p->commit->withheld[n->at] : 0;
	struct etl_text sql = { 0 };
	bool unknown = false;
	int rc = others_were_rejected(n, &unknown);

	if (rc < 0)
		return rc;
	if (withheld)
		p->inst->host->log(p->inst->host, ETL_LOG_WARN,
				   "table \"%s\": %llu rows of the source were rejected before their keys were "
				   "known, so nothing is deleted from it in this run",
				   n->part->load->table->name, (unsigned long long)withheld);
	else if (unknown)
		p->inst->host->log(p->inst->host, ETL_LOG_WARN,
				   "table \"%s\": rows of the source were rejected whose keys could not be kept, so "
				   "nothing is deleted from it in this run",
				   n->part->load->table->name);
	etl_text_addf(&sql, "%s%s", step->sql, withheld || unknown ? " AND false" : "");
	rc = into_run_text(n, &sql);
	return rc == ETL_OK && into_deletes(n->part) ? into_check_gone(n, INTO_OTHERS) : rc;
}

/* What a statement found may refuse what follows. */
static int look_at(struct into *n, const struct etl_step *step, uint64_t rows)
{
	if (strcmp(step->kind, "rows") == 0)
		return into_check_changed(n);
	if (strcmp(step->kind, "in the way") == 0)
		return into_check_out(n, step);
	if (strcmp(step->kind, "room") == 0)
		n->in_the_way += rows;
	return ETL_OK;
}

/* Whether the table is filled, or what waits is compared with what it has. */
static bool fits(const struct publish_part *part, const struct etl_step *step)
{
	return !into_merges(part->load) || into_is_fresh(part) == (strcmp(step->kind, "fill") == 0);
}

static int run_step(struct etl_step_sink *self, const struct etl_step *step)
{
	struct walk *walk = (struct walk *)(void *)self;
	struct into *n = walk->into;
	uint64_t *counter, rows = 0;
	int rc = ETL_OK;

	if (step->phase != ETL_PHASE_PUBLISH || !step->sql || !is_of(walk->pass, step->kind) || !fits(n->part, step))
		return ETL_OK;
	if (n->p->inst->host->canceled(n->p->inst->host))
		return ETL_CANCELED;
	ETL_FAULT("postgres.into_step");
	if (strcmp(step->kind, "gone") == 0)
		return find_gone(n, step);
	if (strcmp(step->kind, "delete") == 0)
		rc = into_check_gone(n, INTO_BROUGHT);
	if (rc == ETL_OK)
		rc = postgres_into_run(n, step->sql, &rows);
	if (rc == ETL_OK)
		rc = look_at(n, step, rows);
	counter = counter_of(n, step->kind);
	if (counter)
		*counter += rows;
	return rc;
}

static int enter(struct into *n, size_t at)
{
	struct publishing *p = n->p;
	struct etl_text path = { 0 };

	n->at = at;
	n->part = &p->parts[at];
	etl_text_add(&path, "SET LOCAL search_path = ");
	stage_add_path(&path, NULL, n->part->schema, n->part->load->table);
	return into_run_text(n, &path);
}

static int run_pass(struct into *n, const struct pass *pass)
{
	struct publishing *p = n->p;
	int rc = ETL_OK;

	for (size_t i = 0; rc == ETL_OK && i < p->count; i++) {
		size_t at = pass->children_first ? p->count - 1 - i : i;
		struct walk walk = { { run_step }, n, pass };

		if (!into_takes_part(n, at))
			continue;
		rc = enter(n, at);
		if (rc == ETL_OK)
			rc = postgres_design(p->inst, n->part->load->table, n->part->load, &walk.sink,
					     p->err);
	}
	return rc == ETL_OK && pass->then ? pass->then(n) : rc;
}

/* ---- Before and after ------------------------------------------------------------------------------------------------- */

static int fail_lost(struct into *n, const char *what, uint64_t wanted, uint64_t done)
{
	struct publishing *p = n->p;

	p->inst->host->at(p->err, n->part->load->table->name, NULL, NULL);
	return p->inst->host->fail(p->err, ETL_DATA, NULL, 0,
				   "table \"%s\": %llu rows were to be %s and %llu were; a trigger or "
				   "rule of it, or of another table, leaves rows out or changes them; nothing was "
				   "changed; change the trigger",
				   n->part->load->table->name, (unsigned long long)wanted, what,
				   (unsigned long long)done);
}

static int count_rows(struct into *n, const char *which_ones, int64_t *ret)
{
	struct etl_text sql = { 0 };
	int rc;

	etl_text_addf(&sql, "SELECT count(*) FROM pg_temp.\"_etlrun_%s_%llu\"%s",
		      strcmp(which_ones, "new") == 0 || strcmp(which_ones, "gone") == 0 ? which_ones : "rows",
		      (unsigned long long)n->part->load->index,
		      strcmp(which_ones, "fresh") == 0   ? " WHERE was IS NULL" :
		      strcmp(which_ones, "changed") == 0 ? " WHERE was IS NOT NULL" :
						       "");
	rc = sql.failed ? postgres_no_memory(n->p->inst, n->p->err) :
			  postgres_number(n->p->inst, n->p->err, ret, sql.at, 0, NULL);
	etl_text_free(&sql);
	return rc;
}

/* Every row that arrived is accounted for. */
static int settle(struct into *n)
{
	struct publishing *p = n->p;
	struct etl_outcome *done = &n->done[n->at];
	int64_t staged = 0, fresh = 0, changed = 0, gone = 0;
	int rc = count_rows(n, "new", &staged);

	fresh = staged;
	if (rc == ETL_OK && into_merges(n->part->load) && !into_is_fresh(n->part)) {
		rc = count_rows(n, "fresh", &fresh);
		if (rc == ETL_OK)
			rc = count_rows(n, "changed", &changed);
		if (rc == ETL_OK && n->part->load->deletes != ETL_DELETE_NONE)
			rc = count_rows(n, "gone", &gone);
	}
	if (rc < 0)
		return rc;
	if (done->inserted != (uint64_t)fresh || done->updated != (uint64_t)changed)
		return fail_lost(n, "written", (uint64_t)(fresh + changed), done->inserted + done->updated);
	if (done->deleted != (uint64_t)gone)
		return fail_lost(n, into_deletes(n->part) ? "deleted" : "marked as deleted", (uint64_t)gone, done->deleted);
	if (!p->slices && p->commit->outcomes[n->at].inserted != (uint64_t)staged)
		return p->inst->host->fail(
			p->err, ETL_BUG, NULL, 0,
			"table \"%s\": %llu rows were staged, and %llu are in the staging schema",
			n->part->load->table->name,
			(unsigned long long)p->commit->outcomes[n->at].inserted, (unsigned long long)staged);
	done->unchanged = (uint64_t)(staged - fresh - changed);
	return ETL_OK;
}

static int for_each(struct into *n, int (*body)(struct into *))
{
	int rc = ETL_OK;

	for (size_t i = 0; rc == ETL_OK && i < n->p->count; i++) {
		if (!into_takes_part(n, i) && !(body == into_clear && n->p->parts[i].how == PUBLISH_INTO))
			continue;
		rc = enter(n, i);
		if (rc == ETL_OK)
			rc = body(n);
	}
	return rc;
}

/* ---- The whole ------------------------------------------------------------------------------------------------------------ */

static int look_whether_empty(struct into *n)
{
	struct publishing *p = n->p;
	struct etl_text sql = { 0 };
	int rc;

	etl_text_add(&sql, "SELECT NOT EXISTS (SELECT FROM ");
	postgres_add_name(&sql, n->part->schema, n->part->load->table->name);
	etl_text_add(&sql, ")");
	rc = sql.failed ? postgres_no_memory(p->inst, p->err) :
			  postgres_flag(p->inst, p->err, &p->parts[n->at].empty, sql.at, 0, NULL);
	etl_text_free(&sql);
	return rc;
}

static struct into_table *list_tables(const struct into *n)
{
	const struct publishing *p = n->p;
	struct into_table *ret = calloc(p->count + 1, sizeof(*ret));

	for (size_t i = 0; ret && i < p->count; i++)
		ret[i] = (struct into_table){ p->parts[i].old.oid, p->parts[i].load->index,
					      into_deletes(&p->parts[i]) && into_takes_part(n, i) };
	return ret;
}

static int write_all(struct into *n)
{
	PGresult *taken = NULL;
	int rc = postgres_into_run(n, "SET CONSTRAINTS ALL DEFERRED; SET LOCAL synchronize_seqscans = off; SET LOCAL work_mem "
			     "= '64MB'",
			  NULL);

	if (rc == ETL_OK && !(n->p->slices && n->p->commit->batch->from->text[0]))
		rc = into_run_kept(n, ETL_PHASE_PREPARE);
	if (rc == ETL_OK)
		rc = for_each(n, into_prepare);
	if (rc == ETL_OK)
		rc = for_each(n, look_whether_empty);
	if (rc == ETL_OK && !(n->tables = list_tables(n)))
		rc = postgres_no_memory(n->p->inst, n->p->err);
	if (rc == ETL_OK)
		rc = into_take_keys(n, &taken);
	for (size_t i = 0; rc == ETL_OK && i < sizeof(passes) / sizeof(*passes); i++)
		rc = run_pass(n, &passes[i]);
	if (rc == ETL_OK)
		rc = into_make_keys(n, taken);
	PQclear(taken);
	if (rc == ETL_OK)
		rc = for_each(n, settle);
	if (rc == ETL_OK)
		rc = for_each(n, into_set_counters);
	if (rc == ETL_OK)
		rc = for_each(n, into_clear);
	n->part = NULL;
	return rc == ETL_OK ? postgres_into_run(n, "SET LOCAL search_path = pg_catalog", NULL) : rc;
}

int into_publish(struct publishing *p)
{
	struct into n = { .p = p };
	int rc;

	if (!stage_is_into(p->commit->run) || p->count == 0)
		return ETL_OK;
	if (p->commit->run->flags & ETL_RUN_SCHEMA_ONLY)
		return ETL_OK;
	n.done = calloc(p->count + 1, sizeof(*n.done));
	rc = n.done ? write_all(&n) : postgres_no_memory(p->inst, p->err);
	for (size_t i = 0; rc == ETL_OK && i < p->count; i++)
		if (p->parts[i].how == PUBLISH_INTO)
			p->commit->outcomes[i] = n.done[i];
	free(n.done);
	free(n.tables);
	return rc;
}

/* Constraints that waited for the end are looked at here, where what they say can be told. */
int into_finish(struct publishing *p)
{
	struct into n = { .p = p };
	int rc = ETL_OK;

	if (!stage_is_into(p->commit->run) || p->count == 0)
		return ETL_OK;
	if (!p->slices || !p->commit->batch->next->text[0])
		rc = into_run_kept(&n, ETL_PHASE_LAST);
	if (rc == ETL_OK)
		rc = postgres_into_run(&n, "SET CONSTRAINTS ALL IMMEDIATE", NULL);
	return rc == ETL_OK ? postgres_into_run(&n, "SET LOCAL search_path = pg_catalog", NULL) : rc;
}
