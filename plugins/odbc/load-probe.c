/*
 * Rows that would take the whole transaction with them. Some errors of T-SQL, as that of a text that is no number, leave nothing
 * of a transaction to which one could go back. Of a table that has shown one, each piece is tried beside it first: on a second
 * connection, in a table of that session alone which has the same columns, in a transaction that is taken back.
 */
#include "config.h"

#include <stdlib.h>

#include "layout.h"
#include "load.h"

#define PROBE "#etlrun_probe"

struct probe {
	struct etl_instance inst; /* of the second connection alone; its host, options, layout and database are the load's */
	struct bind bind;
	struct etl_text head; /* of its INSERT */
};

/* Any value may be NULL there, and nothing is a key: those faults leave the transaction standing. */
static int make_table(struct loading *l, struct probe *p)
{
	struct etl_text sql = { 0 }, note = { 0 };
	int32_t verdict = ETL_EXACT;

	etl_text_add(&sql, "CREATE TABLE " PROBE " (");
	for (size_t i = 0; i < p->bind.count; i++) {
		const struct etl_column *c = p->bind.columns[i].column;

		etl_text_add(&sql, i ? ", " : "");
		odbc_add_name(&sql, l->inst, c->name);
		etl_text_add(&sql, " ");
		odbc_add_type(&sql, l->inst, l->load->table, c, &verdict, &note);
		etl_text_add(&sql, " NULL");
	}
	etl_text_add(&sql, ")");
	etl_text_free(&note);
	return odbc_run_text(&p->inst, l->err, &sql);
}

/* The load's INSERT, into the other table. */
static int make_insert(struct loading *l, struct probe *p)
{
	struct etl_text staged = { 0 };
	bool ok;

	etl_text_add(&staged, "INSERT INTO ");
	odbc_add_staged(&staged, l->inst, l->load, l->token);
	ok = !staged.failed && strncmp(l->head.at, staged.at, staged.length) == 0;
	if (ok)
		etl_text_addf(&p->head, "INSERT INTO " PROBE "%s", l->head.at + staged.length);
	etl_text_free(&staged);
	if (!ok || p->head.failed)
		return odbc_no_memory(l->inst, l->err);
	bind_insert(&p->bind, p->head.at, l->row.at);
	return ETL_OK;
}

static int open_probe(struct loading *l, struct probe *p)
{
	int rc;

	p->inst = (struct etl_instance){ .host = l->inst->host,
					 .conf = l->inst->conf,
					 .provision = l->inst->provision,
					 .layout = l->inst->layout };
	if (pthread_mutex_init(&p->inst.lock, NULL) != 0)
		return odbc_no_memory(l->inst, l->err);
	rc = odbc_db(&p->inst, l->err);
	if (rc == ETL_OK)
		rc = bind_open(&p->bind, &p->inst, l->load->table, &l->schema, l->err);
	if (rc == ETL_OK)
		rc = make_table(l, p);
	return rc == ETL_OK ? make_insert(l, p) : rc;
}

void probe_close(struct loading *l)
{
	struct probe *p = l->probe;

	l->probe = NULL;
	if (!p)
		return;
	bind_close(&p->bind);
	odbc_disconnect(&p->inst);
	ladder_free(&p->inst);
	pthread_mutex_destroy(&p->inst.lock);
	etl_text_free(&p->head);
	free(p);
}

static int ready(struct loading *l)
{
	int rc;

	if (l->probe)
		return ETL_OK;
	l->probe = calloc(1, sizeof(*l->probe));
	if (!l->probe)
		return odbc_no_memory(l->inst, l->err);
	rc = open_probe(l, l->probe);
	if (rc < 0)
		probe_close(l);
	return rc;
}

static int take_back(struct loading *l, struct etl_instance *inst)
{
	int rc = odbc_run(inst, l->err, inst->dialect->rollback);

	return rc == ETL_OK && inst->dialect->lets_go ? odbc_run(inst, l->err, inst->dialect->lets_go) : rc;
}

int probe_try(struct loading *l, const struct etl_view *view, const int64_t *rows, int64_t count, struct odbc_said *said)
{
	int rc = ready(l), back;

	if (rc == ETL_OK)
		rc = odbc_begin_held_work(&l->probe->inst, l->err);
	if (rc < 0)
		return rc;
	rc = bind_try(&l->probe->bind, view, rows, count, said, l->err);
	back = rc < 0 ? ETL_OK : take_back(l, &l->probe->inst);
	return back < 0 ? back : rc;
}
