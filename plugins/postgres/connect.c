/*
 * Opening the connection of an instance, and what holds in it: values are spelled one way whatever the server's or
 * the role's settings are, nothing ends a statement because it is long unless the pipeline says so, and a row that a
 * policy would hide is an error instead. It is opened step by step, so that a cancel is heard while nobody answers,
 * and so that libpq can be asked for the SQLSTATE of a refusal (fail.c).
 */
#include "config.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "postgres.h"

#define OLDEST	     120000 /* the catalog's columns that describe needs */
#define TIMEOUT	     "15"   /* seconds, of connect_timeout */
#define LISTEN_EVERY 200    /* milliseconds between two looks whether the run is canceled */
#define IDLE	     30	    /* seconds, of keepalives_idle */
#define INTERVAL     10	    /* seconds, of keepalives_interval */
#define COUNT	     3	    /* of keepalives_count */
/* Milliseconds, of tcp_user_timeout. A server that does not read for so long, because of its disk, counts as lost. */
#define UNACKNOWLEDGED 300000

/* Sent as one message: a round trip. `row_security = off` turns a policy that would filter rows into an error. */
static const char settings[] =
	"SET datestyle = 'ISO, MDY'; SET intervalstyle = 'postgres'; SET timezone = 'UTC'; "
	"SET bytea_output = 'hex'; SET extra_float_digits = 3; "
	"SET standard_conforming_strings = on; SET xmloption = 'content'; SET xmlbinary = 'base64'; "
	"SET array_nulls = on; SET transform_null_equals = off; SET quote_all_identifiers = off; "
	"SET lc_monetary = 'C'; SET lc_numeric = 'C'; "
	"SET idle_in_transaction_session_timeout = 0; "
	"SET row_security = off; SET search_path = pg_catalog; ";

/* What it came to, in the same message. */
static const char findings[] =
	"SELECT pg_backend_pid(), pg_is_in_recovery(), "
	"EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'supabase_admin'), "
	"(extract(epoch FROM current_setting('statement_timeout')::interval) * 1000)::int8, "
	"(extract(epoch FROM current_setting('lock_timeout')::interval) * 1000)::int8";

enum finding { FOUND_PID, FOUND_STANDBY, FOUND_SUPABASE, FOUND_STATEMENT_MS, FOUND_LOCK_MS };

/* What SQL itself warns of (RAISE WARNING: of design's steps, of a trigger) is for whoever runs it; the server's own
 * notices are not. */
static void on_notice(void *data, const PGresult *result)
{
	struct etl_instance *inst = data;
	const char *words = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	bool warns = severity && strcmp(severity, "WARNING") == 0 && state &&
		     strcmp(state, "01000") == 0;

	if (words)
		inst->host->log(inst->host, warns ? ETL_LOG_WARN : ETL_LOG_DEBUG,
				"the server says: %s", words);
}

static void keep_cancel(struct etl_instance *inst)
{
	pthread_mutex_lock(&inst->lock);
	PQfreeCancel(inst->cancel);
	inst->cancel = inst->db ? PQgetCancel(inst->db) : NULL;
	pthread_mutex_unlock(&inst->lock);
}

void postgres_disconnect(struct etl_instance *inst)
{
	if (!inst->db)
		return;
	postgres_leave(inst);
	PQfinish(inst->db);
	inst->db = NULL;
	inst->pinned = false;
	free(inst->path);
	inst->path = NULL;
	keep_cancel(inst);
}

/* ---- Waiting -------------------------------------------------------------------------------------------- */

int64_t postgres_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* False: the time is over, or the run is canceled. A deadline of 0 is none. */
static bool wait_for(struct etl_instance *inst, PGconn *db, short events, int64_t deadline)
{
	struct pollfd fd = { .fd = PQsocket(db), .events = events };

	for (;;) {
		int64_t left = deadline ? deadline - postgres_clock() : LISTEN_EVERY;

		if (left <= 0 || inst->host->canceled(inst->host))
			return false;
		if (poll(&fd, 1, left < LISTEN_EVERY ? (int)left : LISTEN_EVERY) != 0)
			return true;
	}
}

/* The last answer that is there, or the first that is an error. */
static PGresult *last_answer(PGconn *db)
{
	PGresult *ret = NULL, *next;

	while ((next = PQgetResult(db))) {
		ExecStatusType status = ret ? PQresultStatus(ret) : PGRES_COMMAND_OK;

		if (status == PGRES_FATAL_ERROR) {
			PQclear(next);
			continue;
		}
		PQclear(ret);
		ret = next;
	}
	return ret;
}

PGresult *postgres_ask(struct etl_instance *inst, PGconn *db, const char *sql, int64_t deadline)
{
	if (PQsendQuery(db, sql))
		while (PQisBusy(db)) {
			if (!wait_for(inst, db, POLLIN, deadline))
				return NULL;
			if (!PQconsumeInput(db))
				break;
		}
	return last_answer(db);
}

/* ---- Parameters that libpq worked out ------------------------------------------------------------------ */

/* Of the URI, the service, the environment, …; the caller's. NULL: nobody says. */
static char *parameter(PGconn *db, const char *name)
{
	PQconninfoOption *all = PQconninfo(db);
	char *ret = NULL;

	for (PQconninfoOption *at = all; at && at->keyword; at++)
		if (strcmp(at->keyword, name) == 0 && at->val && *at->val)
			ret = strdup(at->val);
	PQconninfoFree(all);
	return ret;
}

static int64_t number_parameter(PGconn *db, const char *name, int64_t otherwise)
{
	char *value = parameter(db, name);
	int64_t ret = value ? strtoll(value, NULL, 10) : otherwise;

	free(value);
	return ret;
}

int64_t postgres_patience(PGconn *db)
{
	int64_t seconds = number_parameter(db, "connect_timeout", strtoll(TIMEOUT, NULL, 10));

	return seconds > 0 ? seconds * 1000 : 0;
}

static bool has_several(PGconn *db, const char *name)
{
	char *value = parameter(db, name);
	bool ret = value && strchr(value, ',');

	free(value);
	return ret;
}

/* One name can stand for several addresses, of which libpq itself tries the next when one is silent. */
static bool has_more_addresses(PGconn *db)
{
	struct addrinfo hint = { .ai_socktype = SOCK_STREAM }, *all = NULL;
	const char *host = PQhost(db);
	char *fixed = parameter(db, "hostaddr");
	bool ret = !fixed && host && *host && *host != '/' &&
		   getaddrinfo(host, NULL, &hint, &all) == 0 && all && all->ai_next;

	free(fixed);
	if (all)
		freeaddrinfo(all);
	return ret;
}

/* ---- Opening -------------------------------------------------------------------------------------------- */

/* libpq's own way, for what has several places to go to. */
static PGconn *connect_at_once(PGconn *db, const struct postgres_conninfo *info)
{
	struct postgres_conninfo own = *info;
	char *timeout = parameter(db, "connect_timeout");

	PQfinish(db);
	own.keys[own.count] = "connect_timeout";
	own.values[own.count++] = timeout ? timeout : TIMEOUT;
	own.keys[own.count] = own.values[own.count] = NULL;
	db = PQconnectdbParams(own.keys, own.values, 1);
	free(timeout);
	return db;
}

/* A connection that is neither good nor bad afterwards had no time left. */
static void go_on(struct etl_instance *inst, PGconn *db)
{
	int64_t patience = postgres_patience(db);
	int64_t deadline = patience ? postgres_clock() + patience : 0;
	PostgresPollingStatusType next = PGRES_POLLING_WRITING;

	while (next == PGRES_POLLING_READING || next == PGRES_POLLING_WRITING) {
		if (!wait_for(inst, db, next == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline))
			return;
		next = PQconnectPoll(db);
	}
}

static PGconn *finish_connecting(struct etl_instance *inst, PGconn *db,
				 const struct postgres_conninfo *info)
{
	if (PQstatus(db) == CONNECTION_BAD)
		return db;
	if (has_several(db, "host") || has_several(db, "hostaddr"))
		return connect_at_once(db, info);
	PQsetErrorVerbosity(db, PQERRORS_VERBOSE);
	go_on(inst, db);
	if (PQstatus(db) != CONNECTION_OK && PQstatus(db) != CONNECTION_BAD &&
	    !inst->host->canceled(inst->host) && has_more_addresses(db))
		return connect_at_once(db, info);
	return db;
}

PGconn *postgres_connect(struct etl_instance *inst, const struct postgres_conninfo *info)
{
	PGconn *db = PQconnectStartParams(info->keys, info->values, 1);

	return db ? finish_connecting(inst, db, info) : NULL;
}

/* Where it tried to go, for messages: never the password. */
static void add_where(struct etl_text *text, PGconn *db)
{
	const char *host = PQhost(db), *port = PQport(db), *name = PQdb(db);

	etl_text_addf(text, "database \"%s\" at %s%s%s", name ? name : "",
		      host && *host ? host : "the local socket", port && *port ? ":" : "",
		      port && *port ? port : "");
}

static int refused(struct etl_instance *inst, const char *why, struct etl_error *err)
{
	struct etl_text where = { 0 };
	int rc;

	if (inst->host->canceled(inst->host))
		return ETL_CANCELED;
	add_where(&where, inst->db);
	rc = postgres_fail_connect(inst, err, where.at ? where.at : "the server", why);
	etl_text_free(&where);
	return rc;
}

/* ---- A black hole ----------------------------------------------------------------------------------------- */

static void set_option(PGconn *db, const char *name, int option, int value)
{
	char *given = parameter(db, name);

	if (!given)
		(void)setsockopt(PQsocket(db), IPPROTO_TCP, option, &value, sizeof(value));
	free(given);
}

/* Set at the socket, because as parameters they would win over those of a service file. On a Unix socket they do
 * nothing. */
static void keep_alive(PGconn *db)
{
	if (number_parameter(db, "keepalives", 1) != 0) {
		set_option(db, "keepalives_idle", TCP_KEEPIDLE, IDLE);
		set_option(db, "keepalives_interval", TCP_KEEPINTVL, INTERVAL);
		set_option(db, "keepalives_count", TCP_KEEPCNT, COUNT);
	}
	set_option(db, "tcp_user_timeout", TCP_USER_TIMEOUT, UNACKNOWLEDGED);
}

/* ---- The session ------------------------------------------------------------------------------------------ */

static bool is_target(const struct etl_instance *inst)
{
	return inst->host->role == ETL_ROLE_TARGET;
}

/* Milliseconds of the whole session. A target's sessions wait for each other, for as long as an index takes: its
 * lock_timeout is that of the transactions that publish and take back, which set it for themselves. */
static int64_t lock_timeout(const struct etl_instance *inst)
{
	return is_target(inst) ? 0 : inst->host->num(inst->conf, "lock_timeout");
}

static char *set_up_sql(const struct etl_instance *inst)
{
	struct etl_text sql = { 0 };

	etl_text_add(&sql, settings);
	etl_text_addf(&sql, "SET statement_timeout = %lld; SET lock_timeout = %lld; ",
		      (long long)inst->host->num(inst->conf, "statement_timeout"),
		      (long long)lock_timeout(inst));
	if (inst->version >= 140000)
		etl_text_add(&sql, "SET idle_session_timeout = 0; ");
	if (inst->version >= 170000)
		etl_text_add(&sql, "SET transaction_timeout = 0; ");
	etl_text_add(&sql, findings);
	return etl_text_take(&sql);
}

/* A setting that was set and is another: something between keeps to its own. */
static void warn_of(const struct etl_instance *inst, const PGresult *found, int column,
		    const char *name, int64_t wanted)
{
	if (postgres_int_at(found, 0, column) != wanted)
		inst->host->log(
			inst->host, ETL_LOG_WARN,
			"%s was set to %lld ms and is %s ms all the same: longer statements "
			"will be ended; have it changed for this role: ALTER ROLE \"%s\" SET "
			"%s = %lld",
			name, (long long)wanted, PQgetvalue(found, 0, column), PQuser(inst->db),
			name, (long long)wanted);
}

static int take_findings(struct etl_instance *inst, const PGresult *found, struct etl_error *err)
{
	inst->ends_statements = postgres_int_at(found, 0, FOUND_STATEMENT_MS) != 0;
	inst->standby = postgres_flag_at(found, 0, FOUND_STANDBY);
	inst->supabase = inst->endpoint != POSTGRES_PLAIN ||
			 postgres_flag_at(found, 0, FOUND_SUPABASE);
	warn_of(inst, found, FOUND_STATEMENT_MS, "statement_timeout",
		inst->host->num(inst->conf, "statement_timeout"));
	warn_of(inst, found, FOUND_LOCK_MS, "lock_timeout", lock_timeout(inst));
	if (is_target(inst) && inst->standby)
		return inst->host->fail(
			err, ETL_FATAL, "25006", 0,
			"%s is a standby, which repeats another server and takes no "
			"changes; name the primary, or several hosts with target_session_attrs = "
			"\"read-write\"",
			PQhost(inst->db));
	return is_target(inst) ?
		       postgres_refuse_schema(inst, inst->host->str(inst->conf, "schema"), err) :
		       ETL_OK;
}

/* A pooler lets a session in, and gives it a server when one is free. */
static int no_answer(struct etl_instance *inst, struct etl_error *err)
{
	if (inst->host->canceled(inst->host))
		return ETL_CANCELED;
	return inst->host->fail(
		err, ETL_FEWER_WORKERS, "53300", 0,
		"%s:%s let this session in and does not answer its first statement: when "
		"a pooler is there, every connection of its pool is in use; fewer workers, the key "
		"connections, or a larger pool",
		PQhost(inst->db), PQport(inst->db));
}

static int set_up(struct etl_instance *inst, const struct postgres_conninfo *info,
		  struct etl_error *err)
{
	int64_t patience = postgres_patience(inst->db), pid;
	char *sql = set_up_sql(inst);
	PGresult *found;
	int rc;

	if (!sql)
		return postgres_no_memory(inst, err);
	found = postgres_ask(inst, inst->db, sql, patience ? postgres_clock() + patience : 0);
	free(sql);
	if (!found && PQstatus(inst->db) == CONNECTION_OK)
		return no_answer(inst, err);
	if (PQresultStatus(found) != PGRES_TUPLES_OK)
		return postgres_fail(inst, found, err, "the session's settings are refused");
	pid = postgres_int_at(found, 0, FOUND_PID);
	rc = take_findings(inst, found, err);
	PQclear(found);
	return rc < 0 ? rc : postgres_see_pooler(inst, info, pid, err);
}

static int open_session(struct etl_instance *inst, const struct postgres_conninfo *info,
			struct etl_error *err)
{
	if (PQstatus(inst->db) == CONNECTION_BAD)
		return refused(inst, NULL, err);
	if (PQstatus(inst->db) != CONNECTION_OK)
		return refused(inst, "timeout expired", err);
	PQsetErrorVerbosity(inst->db, PQERRORS_DEFAULT);
	PQsetNoticeReceiver(inst->db, on_notice, inst);
	inst->version = PQserverVersion(inst->db);
	if (inst->version < OLDEST)
		return inst->host->fail(err, ETL_FATAL, NULL, 0,
					"the server at %s is of version %s; 12 is the "
					"oldest that is known here",
					PQhost(inst->db),
					PQparameterStatus(inst->db, "server_version"));
	keep_alive(inst->db);
	keep_cancel(inst);
	return set_up(inst, info, err);
}

static int reach(struct etl_instance *inst, const struct postgres_conninfo *info,
		 struct etl_error *err)
{
	int rc;

	inst->endpoint = postgres_endpoint_of(PQhost(inst->db), PQport(inst->db));
	rc = postgres_refuse_endpoint(inst, err);
	if (rc == ETL_OK)
		rc = postgres_enter(inst, err);
	if (rc < 0)
		return rc;
	inst->db = finish_connecting(inst, inst->db, info);
	return inst->db ? open_session(inst, info, err) : postgres_no_memory(inst, err);
}

int postgres_db(struct etl_instance *inst, struct etl_error *err)
{
	struct postgres_conninfo info;
	int rc;

	if (inst->db)
		return ETL_OK;
	rc = postgres_conninfo(inst->host, inst->conf, &info, err);
	if (rc < 0)
		return rc;
	inst->db = PQconnectStartParams(info.keys, info.values, 1);
	rc = inst->db ? reach(inst, &info, err) : postgres_no_memory(inst, err);
	postgres_conninfo_free(&info);
	if (rc < 0)
		postgres_disconnect(inst);
	return rc;
}
