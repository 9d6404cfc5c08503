/*
 * What the server said, told once: the sentence of the caller, the server's message, detail, hint and context, the
 * SQLSTATE that decides what the host does next, and what to do. A server that refuses a connection tells libpq an
 * SQLSTATE, but libpq tells it only as a text; poolers say many things under one; and libpq's own words have none.
 * Those words are looked at here, as they are in the C locale, in which etlrun runs.
 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "postgres.h"

#define SENTENCE_MAX  512 /* bytes of the caller's own words */
#define STATE_LETTERS "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define LOST	      "08006"
#define NOT_CONNECTED "08001"
#define CANCELED      "57014"
#define FULL	      "53300"

/* What a refusal means; `words` of it are looked for in what was said. */
struct meaning {
	const char *words;
	int32_t klass;
	const char *sqlstate;
	const char *advice; /* or ""; NULL: that of the SQLSTATE */
};

/* ---- By the words: libpq's own, and those of poolers ----------------------------------------------- */

#define LOOK_AT_POOL                                                                               \
	"; every connection of the pool is in use: fewer workers, the key connections, or a "      \
	"larger pool"

static const struct meaning by_words[] = {
	/* pgbouncer, Supavisor */
	{ "max clients reached", ETL_FEWER_WORKERS, FULL, LOOK_AT_POOL },
	{ "Max client connections reached", ETL_FEWER_WORKERS, FULL, LOOK_AT_POOL },
	{ "no more connections allowed", ETL_FEWER_WORKERS, FULL, LOOK_AT_POOL },
	{ "query_wait_timeout", ETL_FEWER_WORKERS, FULL, LOOK_AT_POOL },
	{ "Tenant or user not found", ETL_USAGE, "28000",
	  "; at a pooler of Supabase the user is postgres.PROJECT, and the host that of the "
	  "project's region: copy both from the dashboard's \"Connect\"" },
	{ "unsupported startup parameter", ETL_USAGE, "08P01",
	  "; a pooler stands before the server and does not take it: remove options (and "
	  "PGOPTIONS), or have ignore_startup_parameters of pgbouncer say it" },
	{ "no such database", ETL_USAGE, "3D000",
	  "; look at database, or at the [databases] of pgbouncer" },
	{ "no such user", ETL_USAGE, "28000", "; look at user, or at pgbouncer's auth_file" },
	{ "authentication failed", ETL_USAGE, "28P01",
	  "; look at user and password (or the passfile, or PGPASSWORD)" },
	/* The server, where libpq goes to several hosts and keeps the SQLSTATE for itself; the last word is its. */
	{ "FATAL:  database \"", ETL_USAGE, "3D000", NULL },
	{ "FATAL:  role \"", ETL_USAGE, "28000", NULL },
	{ "no pg_hba.conf entry", ETL_USAGE, "28000", NULL },
	{ "pg_hba.conf rejects", ETL_USAGE, "28000", NULL },
	{ "sorry, too many clients", ETL_FEWER_WORKERS, FULL, NULL },
	{ "too many connections for", ETL_FEWER_WORKERS, FULL, NULL },
	{ "remaining connection slots", ETL_FEWER_WORKERS, FULL, NULL },
	{ "the database system is", ETL_RETRY_CONNECTION, "57P03", "" },
	/* libpq; that a connection ended is often only the first of its lines */
	{ "server closed the connection", ETL_RETRY_CONNECTION, LOST, "" },
	{ "Connection reset by peer", ETL_RETRY_CONNECTION, LOST, "" },
	{ "Broken pipe", ETL_RETRY_CONNECTION, LOST, "" },
	{ "no password supplied", ETL_USAGE, "28P01", "; give password, a passfile or PGPASSWORD" },
	{ "Connection refused", ETL_RETRY_CONNECTION, NOT_CONNECTED,
	  "; look at host and port, and whether the server runs" },
	{ "could not translate host name", ETL_FATAL, NOT_CONNECTED,
	  "; look at the spelling of host, and at this machine's name server" },
	{ "timeout expired", ETL_RETRY_CONNECTION, NOT_CONNECTED,
	  "; nothing answers: look at host and port, and at firewalls between" },
	{ "unreachable", ETL_RETRY_CONNECTION, NOT_CONNECTED, "" },
	{ "No route to host", ETL_RETRY_CONNECTION, NOT_CONNECTED, "" },
	{ "does not support SSL", ETL_USAGE, NOT_CONNECTED,
	  "; turn TLS on there (ssl = on), or take another sslmode where the network is "
	  "trusted" },
	{ "certificate verify failed", ETL_FATAL, NOT_CONNECTED,
	  "; sslrootcert must be the authority that signed the server's certificate" },
	{ "does not match host name", ETL_FATAL, NOT_CONNECTED,
	  "; name the server as its certificate does, or give it a certificate with the name; "
	  "sslmode = \"verify-ca\" looks at the signature only" },
	{ "root certificate file", ETL_USAGE, NOT_CONNECTED, "; look at sslrootcert" },
	{ "private key file", ETL_USAGE, NOT_CONNECTED, "; look at sslcert and sslkey" },
	{ "certificate file", ETL_USAGE, NOT_CONNECTED, "; look at sslcert" },
	{ "FATAL:  08P01: database \"", ETL_USAGE, "3D000", "; look at database" },
	{ "definition of service", ETL_USAGE, NOT_CONNECTED,
	  "; look at service, ~/.pg_service.conf and PGSERVICEFILE" },
	{ "service file", ETL_USAGE, NOT_CONNECTED, "; look at PGSERVICEFILE" },
	{ "session is ", ETL_RETRY_CONNECTION, NOT_CONNECTED,
	  "; no host is what target_session_attrs asks for" },
	{ "hot standby", ETL_RETRY_CONNECTION, NOT_CONNECTED,
	  "; no host is what target_session_attrs asks for" },
	{ "invalid ", ETL_USAGE, NOT_CONNECTED, "; look at the keys of the connection" },
	{ "could not match", ETL_USAGE, NOT_CONNECTED, "; look at host, hostaddr and port" },
	{ "Is the server running locally", ETL_RETRY_CONNECTION, NOT_CONNECTED,
	  "; look at host (the socket's folder) and port, and whether the server runs" },
};

/* ---- By SQLSTATE ---------------------------------------------------------------------------------- */

static const struct {
	const char *sqlstate, *advice;
} by_state[] = {
	{ "28P01", "; look at user and password (or the passfile, or PGPASSWORD)" },
	{ "28000", "; look at user, and at what the server's pg_hba.conf lets in (host, database, "
		   "sslmode)" },
	{ "3D000", "; look at database, or make it with CREATE DATABASE" },
	{ "53300", "; fewer workers, or the key connections, or a higher max_connections" },
	{ "53100", "; make room on the server's disk and run again" },
	{ "25006", "; a standby, or a database that is set to be read only: name the primary, or "
		   "several hosts with target_session_attrs = \"read-write\"" },
	{ "42501", "; let its owner GRANT it to this role, or come as another role" },
	{ "55P03", "; another session holds the lock: let it end, or raise lock_timeout" },
	{ "57P03", "" },
};

static const char *state_advice(const char *sqlstate)
{
	for (size_t i = 0; i < sizeof(by_state) / sizeof(*by_state); i++)
		if (strcmp(by_state[i].sqlstate, sqlstate) == 0)
			return by_state[i].advice;
	return "";
}

/* A statement that somebody or a limit ended, and not this run. */
static const char *cancel_advice(const struct etl_instance *inst)
{
	return inst->ends_statements ?
		       "; statement_timeout ended it, or somebody canceled it: raise "
		       "statement_timeout" :
		       "; somebody canceled it (pg_cancel_backend): run again";
}

/* The state is one under which a pooler says everything, or there is none. In a session that is open XX000 is the
 * server's own, for what went wrong within it. */
static bool tells_nothing(const char *sqlstate, bool connecting)
{
	static const char *const states[] = { "", LOST, "08P01" };

	for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++)
		if (strcmp(states[i], sqlstate) == 0)
			return true;
	return connecting && strcmp(sqlstate, "XX000") == 0;
}

/* The row of what was said. A session that is open was not refused for its keys, unless a pooler says so late. */
static const struct meaning *find_words(const char *sqlstate, const char *said, bool connecting)
{
	bool keys = connecting || strcmp(sqlstate, "08P01") == 0;

	if (!tells_nothing(sqlstate, connecting))
		return NULL;
	for (size_t i = 0; i < sizeof(by_words) / sizeof(*by_words); i++)
		if ((keys || by_words[i].klass != ETL_USAGE) && strstr(said, by_words[i].words))
			return &by_words[i];
	return NULL;
}

static struct meaning meaning_of(const struct etl_instance *inst, const char *sqlstate,
				 const char *said, bool connecting)
{
	const struct meaning *found = find_words(sqlstate, said, connecting);
	struct meaning ret = { .sqlstate = sqlstate, .klass = etl_sqlstate_class(sqlstate) };

	if (found)
		ret = *found;
	if (!ret.advice)
		ret.advice = strcmp(ret.sqlstate, CANCELED) == 0 ? cancel_advice(inst) :
								   state_advice(ret.sqlstate);
	return ret;
}

/* ---- What was said -------------------------------------------------------------------------------- */

bool postgres_is_lost(const struct etl_instance *inst)
{
	return !inst->db || PQstatus(inst->db) == CONNECTION_BAD;
}

/* Without the line feed that libpq puts behind. */
static void add_line(struct etl_text *text, const char *before, const char *line)
{
	size_t length = line ? strlen(line) : 0;

	while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == ' '))
		length--;
	if (length == 0)
		return;
	etl_text_add(text, before);
	for (size_t i = 0; i < length; i++)
		etl_text_add_bytes(text, line[i] == '\n' ? " " : &line[i], 1);
}

static void add_words(struct etl_text *text, const struct etl_instance *inst,
		      const PGresult *result)
{
	const char *primary = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;

	if (!primary) {
		const char *whole = result ? PQresultErrorMessage(result) : "";

		add_line(text, ": ", whole && *whole ? whole : PQerrorMessage(inst->db));
		return;
	}
	add_line(text, ": ", primary);
	add_line(text, "; ", PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL));
	add_line(text, "; hint: ", PQresultErrorField(result, PG_DIAG_MESSAGE_HINT));
	add_line(text, "; in: ", PQresultErrorField(result, PG_DIAG_CONTEXT));
}

static void tell_place(struct etl_instance *inst, const PGresult *result, struct etl_error *err)
{
	const char *table = PQresultErrorField(result, PG_DIAG_TABLE_NAME);
	const char *column = PQresultErrorField(result, PG_DIAG_COLUMN_NAME);

	if (table || column)
		inst->host->at(err, table, column, NULL);
}

/* Two sessions chose one name at the same time: another one is free the next time. */
static bool is_in_catalog(const PGresult *result, const char *sqlstate)
{
	const char *schema = result ? PQresultErrorField(result, PG_DIAG_SCHEMA_NAME) : NULL;

	return schema && strcmp(schema, "pg_catalog") == 0 && strcmp(sqlstate, "23505") == 0;
}

int postgres_fail(struct etl_instance *inst, PGresult *result, struct etl_error *err,
		  const char *format, ...)
{
	const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
	bool lost = postgres_is_lost(inst);
	struct etl_text text = { 0 };
	struct meaning meaning;
	char sentence[SENTENCE_MAX], sqlstate[6];
	va_list args;
	int rc;

	snprintf(sqlstate, sizeof(sqlstate), "%s", state ? state : lost ? LOST : "");
	if (strcmp(sqlstate, CANCELED) == 0 && inst->host->canceled(inst->host)) {
		PQclear(result);
		return ETL_CANCELED;
	}
	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	add_words(&text, inst, result);
	meaning = meaning_of(inst, sqlstate, text.at ? text.at : "", false);
	if (lost && meaning.klass == ETL_FATAL)
		meaning.klass = ETL_RETRY_CONNECTION;
	if (is_in_catalog(result, sqlstate))
		meaning.klass = ETL_RETRY_STATEMENT;
	else if (result)
		tell_place(inst, result, err);
	rc = inst->host->fail(err, meaning.klass, *meaning.sqlstate ? meaning.sqlstate : NULL, 0,
			      "%s%s%s", sentence, text.at ? text.at : "", meaning.advice);
	etl_text_free(&text);
	PQclear(result);
	return rc;
}

/* ---- A connection that was not made ---------------------------------------------------------------- */

/* Of "FATAL:  28P01: …" the place of the code; NULL: there is none. */
static const char *find_state(const char *said)
{
	for (const char *p = said; (p = strstr(p, ":  ")); p += 3)
		if (strspn(p + 3, STATE_LETTERS) == 5 && p[8] == ':' && p[9] == ' ')
			return p + 3;
	return NULL;
}

/* A line without the code, unless it was said before: libpq tries with and without TLS. */
static void add_said_line(struct etl_text *text, const char *line, size_t length)
{
	struct etl_text plain = { 0 };
	char *copy = strndup(line, length);
	const char *state = copy ? find_state(copy) : NULL;

	if (copy && state) {
		etl_text_add_bytes(&plain, copy, (size_t)(state - copy) - 1);
		etl_text_add(&plain, state + strlen("28P01: "));
	} else if (copy) {
		etl_text_add(&plain, copy);
	}
	if (plain.at && !(text->at && strstr(text->at, plain.at)))
		add_line(text, text->length ? "; " : "", plain.at);
	free(copy);
	etl_text_free(&plain);
}

static void add_said(struct etl_text *text, const char *said)
{
	while (*said) {
		size_t length;

		said += strspn(said, " \t\n");
		length = strcspn(said, "\n");
		/* Where in the server's own text it came from, and a question that is answered by the advice. */
		if (length > 0 && strncmp(said, "LOCATION:", 9) != 0 &&
		    strncmp(said, "Is the server running", 21) != 0)
			add_said_line(text, said, length);
		said += length;
	}
}

int postgres_fail_connect(struct etl_instance *inst, struct etl_error *err, const char *where,
			  const char *why)
{
	const char *said = why ? why : PQerrorMessage(inst->db), *at = find_state(said);
	struct etl_text text = { 0 };
	char sqlstate[6] = "";
	struct meaning meaning;
	int rc;

	if (at)
		snprintf(sqlstate, sizeof(sqlstate), "%.5s", at);
	meaning = meaning_of(inst, sqlstate, said, true);
	/* Nobody knows better: a network that fails may work again. */
	if (!*meaning.sqlstate) {
		meaning.klass = ETL_RETRY_CONNECTION;
		meaning.sqlstate = NOT_CONNECTED;
	}
	/* A setting that the key options asks for. */
	if (strcmp(sqlstate, "42704") == 0 || strcmp(sqlstate, "22023") == 0) {
		meaning.klass = ETL_USAGE;
		meaning.advice = "; look at options";
	}
	if (strstr(said, "Temporary failure in name resolution"))
		meaning.klass = ETL_RETRY_CONNECTION;
	add_said(&text, said);
	rc = inst->host->fail(err, meaning.klass, meaning.sqlstate, 0,
			      "cannot connect to %s: %s%s%s", where,
			      text.at ? text.at : "no reason is given", meaning.advice,
			      postgres_supabase_advice(inst, at != NULL));
	etl_text_free(&text);
	return rc;
}

int postgres_no_memory(struct etl_instance *inst, struct etl_error *err)
{
	return inst->host->fail(err, ETL_MEMORY, NULL, 0, "no memory");
}
