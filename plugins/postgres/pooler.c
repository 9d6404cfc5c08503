/*
 * What stands between: how many connections this process has to a server, for pools are small, and whether a pooler
 * gives a session another process of the server for each transaction. Then snapshots, settings (row_security among
 * them) and locks of a run would be lost without an error, so such a pooler is refused. It is known by what it does:
 * a pooler makes up the process number that it tells a client; and a session that is idle lends its process to a
 * second one only in transaction mode.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "postgres.h"

#define SUPABASE_CONNECTIONS 4	  /* its smallest pools have 15, for everybody */
#define ROUNDS		     2	  /* a pool that takes turns shows it in the second at the latest */
#define STARVED		     2000 /* milliseconds without an answer: no process is free */
#define SLOW		     30000 /* milliseconds that who has one may take */
#define ASK		     "SELECT pg_catalog.pg_backend_pid()"

/* The instances of this process that are connected. */
static pthread_mutex_t connected_lock = PTHREAD_MUTEX_INITIALIZER;
static struct etl_instance *connected;

/* ---- Counting --------------------------------------------------------------------------------------------- */

int64_t postgres_most_connections(const struct etl_instance *inst)
{
	if (inst->host->given(inst->conf, "connections"))
		return inst->host->num(inst->conf, "connections");
	return inst->endpoint == POSTGRES_SUPABASE_SESSION ? SUPABASE_CONNECTIONS : 0;
}

static bool is_beside(const struct etl_instance *a, const struct etl_instance *b)
{
	return a->host->role == b->host->role && strcmp(a->place, b->place) == 0;
}

int postgres_enter(struct etl_instance *inst, struct etl_error *err)
{
	const char *host = PQhost(inst->db), *port = PQport(inst->db), *user = PQuser(inst->db);
	int64_t most = postgres_most_connections(inst), count = 0;
	char place[sizeof(inst->place)];

	snprintf(place, sizeof(place), "%s:%s %s", host ? host : "", port ? port : "",
		 user ? user : "");
	pthread_mutex_lock(&connected_lock);
	memcpy(inst->place, place, sizeof(place));
	for (const struct etl_instance *at = connected; at; at = at->next)
		count += is_beside(at, inst);
	if (!most || count < most) {
		inst->next = connected;
		connected = inst;
	} else {
		inst->place[0] = '\0';
	}
	pthread_mutex_unlock(&connected_lock);
	if (!most || count < most)
		return ETL_OK;
	return inst->host->fail(err, ETL_FEWER_WORKERS, "53300", 0,
				"this run has %lld connections to %s:%s already, and "
				"connections allows no more",
				(long long)count, host, port);
}

void postgres_leave(struct etl_instance *inst)
{
	struct etl_instance **at;

	pthread_mutex_lock(&connected_lock);
	for (at = &connected; *at && *at != inst; at = &(*at)->next)
		;
	if (*at)
		*at = inst->next;
	inst->next = NULL;
	inst->place[0] = '\0';
	inst->pooled = false;
	pthread_mutex_unlock(&connected_lock);
}

/* Another one found out that the same pooler keeps its sessions. */
static bool is_known(const struct etl_instance *inst)
{
	bool ret = false;

	pthread_mutex_lock(&connected_lock);
	for (const struct etl_instance *at = connected; at; at = at->next)
		ret = ret || (at->pooled && strcmp(at->place, inst->place) == 0);
	pthread_mutex_unlock(&connected_lock);
	return ret;
}

static void set_pooled(struct etl_instance *inst)
{
	pthread_mutex_lock(&connected_lock);
	inst->pooled = true;
	pthread_mutex_unlock(&connected_lock);
}

/* ---- The test ----------------------------------------------------------------------------------------------- */

/* The server's process; 0: it does not answer, -1: it refuses. */
static int64_t process_of(struct etl_instance *inst, PGconn *db, const char *sql)
{
	PGresult *result = postgres_ask(inst, db, sql,
					postgres_clock() + (db == inst->db ? SLOW : STARVED));
	int64_t ret = 0;

	if (result)
		ret = PQresultStatus(result) == PGRES_TUPLES_OK ? postgres_int_at(result, 0, 0) :
								  -1;
	PQclear(result);
	return ret;
}

enum mode { KEEPS_SESSIONS, CHANGES_SESSIONS, SAYS_NOTHING };

/* BESIDE takes a process for a transaction; INST, which has none of its own unless sessions keep theirs, goes on. */
static enum mode one_round(struct etl_instance *inst, PGconn *beside, int64_t mine)
{
	int64_t other = process_of(inst, beside, "BEGIN; " ASK);

	if (other == mine || other < 0)
		return CHANGES_SESSIONS;
	/* None was free for BESIDE, though INST is idle: it holds its own. */
	if (process_of(inst, inst->db, ASK) != mine)
		return CHANGES_SESSIONS;
	if (other == 0)
		return SAYS_NOTHING;
	(void)process_of(inst, beside, "COMMIT");
	return process_of(inst, inst->db, ASK) == mine ? KEEPS_SESSIONS : CHANGES_SESSIONS;
}

static enum mode test(struct etl_instance *inst, PGconn *beside, int64_t mine)
{
	enum mode mode = KEEPS_SESSIONS;

	for (int i = 0; mode == KEEPS_SESSIONS && i < ROUNDS; i++)
		mode = one_round(inst, beside, mine);
	return mode;
}

static int refuse(struct etl_instance *inst, struct etl_error *err)
{
	return inst->host->fail(
		err, ETL_USAGE, NULL, 0,
		"at %s:%s stands a pooler in transaction mode, where each transaction "
		"may "
		"meet another session: snapshots, locks and settings of a run are lost there; %s",
		PQhost(inst->db), PQport(inst->db),
		inst->supabase ? "take port 5432 of the same host" :
				 "take the server's own address, or a pool whose pool_mode is "
				 "session");
}

static int no_second(struct etl_instance *inst, PGconn *beside, struct etl_error *err)
{
	char where[160];

	snprintf(where, sizeof(where),
		 "the pooler at %s:%s a second time, to see whether it keeps sessions",
		 PQhost(inst->db), PQport(inst->db));
	return postgres_fail_connect(inst, err, where,
				     beside && PQstatus(beside) == CONNECTION_BAD ?
					     PQerrorMessage(beside) :
					     "timeout expired");
}

int postgres_see_pooler(struct etl_instance *inst, const struct postgres_conninfo *info,
			int64_t server_pid, struct etl_error *err)
{
	PGconn *beside;
	enum mode mode;
	int rc = ETL_OK;

	if (server_pid == PQbackendPID(inst->db))
		return ETL_OK;
	if (inst->endpoint != POSTGRES_SUPABASE_SESSION && !is_known(inst)) {
		beside = postgres_connect(inst, info);
		if (!beside || PQstatus(beside) != CONNECTION_OK) {
			rc = no_second(inst, beside, err);
		} else {
			mode = test(inst, beside, server_pid);
			if (mode == CHANGES_SESSIONS)
				rc = inst->host->canceled(inst->host) ? ETL_CANCELED :
									refuse(inst, err);
		}
		PQfinish(beside);
	}
	if (rc == ETL_OK)
		set_pooled(inst);
	return rc;
}
