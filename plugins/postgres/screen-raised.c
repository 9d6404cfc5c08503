/*
 * A condition that cannot be worked out for a row: CHECK (10 / b > 1) where b is 0. The question as a whole fails then, as
 * the constraint would, so it is put to halves of the table, and to halves of these, until the rows are found that are to
 * blame. A view of the table's name stands before it meanwhile and shows the part that is asked about.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "load.h"
#include "screen.h"

#define SLOTS 2048 /* of a page, more than one of 32 kB has rows: a place is page * SLOTS + the number in it */

struct halving {
	struct screen *s;
	bool answered; /* for a row at least */
	uint64_t *raised;
	PGresult *doubt; /* the first refusal that need not be about a row, or NULL */
};

static int run(const struct screen *s, const char *sql)
{
	return postgres_run(s->inst, s->err, sql);
}

/* The view, and of how many pages the table is. */
static int open_view(const struct screen *s, int64_t *ret_pages)
{
	struct etl_text name = { 0 }, sql = { 0 };
	int rc;

	postgres_add_name(&name, s->token->text, s->load->table->name);
	etl_text_add(&sql, "CREATE VIEW ");
	postgres_add_name(&sql, "pg_temp", s->load->table->name);
	/* OFFSET: a condition is not put to rows that are outside of it. */
	etl_text_addf(&sql,
		      " AS SELECT ctid, tableoid, * FROM %s WHERE ctid >= "
		      "pg_catalog.current_setting('etlrun.first')::tid AND ctid < "
		      "pg_catalog.current_setting('etlrun.beyond')::tid OFFSET 0",
		      name.at ? name.at : "");
	sql.failed |= name.failed;
	rc = postgres_run_text(s->inst, s->err, &sql);
	if (rc == ETL_OK)
		rc = postgres_number(s->inst, s->err, ret_pages,
				     "SELECT pg_catalog.pg_relation_size($1::regclass) / "
				     "pg_catalog.current_setting('block_size')::bigint",
				     1, (const char *const[]){ name.at });
	etl_text_free(&name);
	return rc;
}

static int close_view(const struct screen *s)
{
	struct etl_text sql = { 0 };

	etl_text_add(&sql, "RELEASE part; DROP VIEW ");
	postgres_add_name(&sql, "pg_temp", s->load->table->name);
	return postgres_run_text(s->inst, s->err, &sql);
}

/* *RET is what the server said when it cannot answer; else it is NULL. Which rows it finds does not matter here. */
static int ask(struct halving *h, int64_t first, int64_t beyond, PGresult **ret)
{
	const struct screen *s = h->s;
	struct etl_text sql = { 0 };
	PGresult *result;
	bool failed;

	*ret = NULL;
	etl_text_addf(&sql,
		      "SET LOCAL etlrun.first = '(%lld,%lld)'; SET LOCAL etlrun.beyond = '(%lld,%lld)'; "
		      "SELECT EXISTS (SELECT FROM ",
		      (long long)(first / SLOTS), (long long)(first % SLOTS), (long long)(beyond / SLOTS),
		      (long long)(beyond % SLOTS));
	postgres_add_name(&sql, "pg_temp", s->load->table->name);
	etl_text_addf(&sql, "), count(*) FROM (%s\n) AS f (at)", s->step->sql);
	failed = sql.failed;
	/* NULL: the connection is gone, which is not for want of memory. */
	result = failed ? NULL : PQexec(s->inst->db, sql.at);
	etl_text_free(&sql);
	if (failed)
		return postgres_no_memory(s->inst, s->err);
	if (PQresultStatus(result) == PGRES_TUPLES_OK) {
		h->answered |= postgres_flag_at(result, 0, 0);
		PQclear(result);
		return ETL_OK;
	}
	if (!careful_is_data(result))
		return postgres_fail(s->inst, result, s->err, "%s \"%s\"", s->step->kind,
				     s->step->object ? s->step->object : "");
	*ret = result;
	return run(s, "ROLLBACK TO part");
}

static int note(struct halving *h, int64_t place, const PGresult *refusal)
{
	const char *detail = PQresultErrorField(refusal, PG_DIAG_MESSAGE_DETAIL);
	struct etl_text words = { 0 };
	char at[64];
	const char *values[2] = { at };
	int rc;

	snprintf(at, sizeof(at), "(%lld,%lld)", (long long)(place / SLOTS), (long long)(place % SLOTS));
	etl_text_add(&words, PQresultErrorField(refusal, PG_DIAG_MESSAGE_PRIMARY));
	if (detail)
		etl_text_addf(&words, "; %s", detail);
	values[1] = words.at;
	++*h->raised;
	rc = words.failed ? postgres_no_memory(h->s->inst, h->s->err) :
			    postgres_change(h->s->inst, h->s->err, NULL,
					    "INSERT INTO pg_temp._etlrun_found VALUES ($1::tid, 0, $2)", 2, values);
	etl_text_free(&words);
	return rc == ETL_OK ? run(h->s, "RELEASE part; SAVEPOINT part") : rc;
}

static int halve(struct halving *h, int64_t first, int64_t beyond)
{
	int64_t middle = first + (beyond - first) / 2;
	PGresult *refusal = NULL;
	bool goes_on;
	int rc;

	if (h->s->inst->host->canceled(h->s->inst->host))
		return ETL_CANCELED;
	rc = ask(h, first, beyond, &refusal);
	if (rc == ETL_OK && refusal && beyond - first == 1)
		rc = note(h, first, refusal);
	goes_on = rc == ETL_OK && refusal && beyond - first > 1;
	if (refusal && !h->doubt && !careful_is_value(refusal))
		h->doubt = refusal;
	else
		PQclear(refusal);
	if (goes_on)
		rc = halve(h, first, middle);
	return rc == ETL_OK && goes_on ? halve(h, middle, beyond) : rc;
}

/* What need not be about a row is not when no row is answered for. */
static int judge(struct halving *h, int64_t pages)
{
	PGresult *refusal = NULL;
	int rc = ask(h, 0, 0, &refusal);

	if (rc == ETL_OK && !refusal)
		rc = halve(h, 0, pages * SLOTS);
	else if (rc == ETL_OK)
		h->doubt = refusal;
	if (rc == ETL_OK && h->doubt && !h->answered) {
		rc = postgres_fail(h->s->inst, h->doubt, h->s->err, "%s \"%s\"", h->s->step->kind,
				   h->s->step->object ? h->s->step->object : "");
		h->doubt = NULL;
	}
	PQclear(h->doubt);
	return rc;
}

int screen_raised(struct screen *s, uint64_t *ret)
{
	struct halving h = { .s = s, .raised = ret };
	int64_t pages = 0;
	int rc = run(s, "CREATE TEMPORARY TABLE _etlrun_found (at tid, n bigint, words text) ON COMMIT DROP");

	*ret = 0;
	if (rc == ETL_OK)
		rc = open_view(s, &pages);
	if (rc == ETL_OK)
		rc = run(s, "SAVEPOINT part");
	if (rc == ETL_OK)
		rc = judge(&h, pages);
	return rc == ETL_OK ? close_view(s) : rc;
}
