/*
 * The postgres plugin: what its files share. One instance is one connection, opened by the first call that
 * needs the server, in which every value is spelled one way: UTF-8, ISO dates, UTC, bytes as hexadecimal.
 */
#ifndef POSTGRES_PLUGIN_H
#define POSTGRES_PLUGIN_H

#include <pthread.h>

#include <libpq-fe.h>

#include <etlrun/helpers.h>

#define POSTGRES_NAME_MAX                                                                          \
	63 /* bytes of an identifier: NAMEDATALEN - 1; what is longer the server cuts off */

/* Object identifiers of built-in types, as in the server's pg_type.dat; they never change. */
enum postgres_oid {
	OID_BOOL = 16,
	OID_BYTEA = 17,
	OID_CHAR = 18,
	OID_NAME = 19,
	OID_INT8 = 20,
	OID_INT2 = 21,
	OID_INT4 = 23,
	OID_TEXT = 25,
	OID_OID = 26,
	OID_JSON = 114,
	OID_XML = 142,
	OID_FLOAT4 = 700,
	OID_FLOAT8 = 701,
	OID_BPCHAR = 1042,
	OID_VARCHAR = 1043,
	OID_DATE = 1082,
	OID_TIME = 1083,
	OID_TIMESTAMP = 1114,
	OID_TIMESTAMPTZ = 1184,
	OID_NUMERIC = 1700,
	OID_UUID = 2950,
	OID_JSONB = 3802
};

struct etl_instance {
	const struct etl_host *host;
	const struct etl_conf *conf;
	PGconn *db;	      /* NULL until needed */
	int version;	      /* the server's, 150008 for 15.8 */
	bool pinned;	      /* a source: inside a transaction that sees one state */
	struct {
		char since[40]; /* when the oldest of them began, as the server writes it; "" none */
		bool any, hidden; /* hidden: of some it is not known */
	} writers; /* transactions that were under way before that (watermark.c) */
	char unit[96];	      /* a target: what the next piece of work writes down; "" none */
	struct postgres_target *target; /* what a target knows of its stages (stage.h), or NULL */
	char *path;	      /* search_path that was set last, or NULL */
	pthread_mutex_t lock; /* of cancel */
	PGcancel *cancel;     /* of db */
	char *last_notice;    /* of a warning, for the log; owned */

	/* What connecting found out. */
	int32_t endpoint;	     /* enum postgres_endpoint */
	bool supabase;		     /* by its address or its roles */
	bool pooled;		     /* a pooler in session mode stands before the server */
	bool standby;		     /* the server only repeats another one */
	bool ends_statements;	     /* statement_timeout is not 0 */
	char place[192];	     /* "host:port user", counted by pooler.c; "" not connected */
	struct etl_instance *next;   /* … in its list */
	char advice[320];	     /* of supabase.c */
};

enum postgres_endpoint {
	POSTGRES_PLAIN,
	POSTGRES_SUPABASE_DIRECT,
	POSTGRES_SUPABASE_SESSION,     /* pooler, port 5432 */
	POSTGRES_SUPABASE_TRANSACTION, /* pooler, port 6543 */
	POSTGRES_SUPABASE_DEDICATED    /* the project's host, port 6543 */
};

/* conninfo.c */
/* Keys and values for PQconnectdbParams with what the pipeline says; fails when it says too much or too little. */
struct postgres_conninfo {
	const char *keys[48], *values[48];
	size_t count;
	char *uri; /* owned */
};
int postgres_conninfo(const struct etl_host *, const struct etl_conf *,
		      struct postgres_conninfo *ret, struct etl_error *);
void postgres_conninfo_free(struct postgres_conninfo *);

/* connect.c */
/* inst->db is connected and set up. */
int postgres_db(struct etl_instance *, struct etl_error *);
void postgres_disconnect(struct etl_instance *);
/* Is the connection gone? Then nothing of its transaction is left. */
bool postgres_is_lost(const struct etl_instance *);
/* Makes a connection, with CONNECT_TIMEOUT or what the pipeline says. It is not set up. NULL: no memory. */
PGconn *postgres_connect(struct etl_instance *, const struct postgres_conninfo *);
/* Sends SQL and waits for its last answer until DEADLINE (postgres_clock), or until the run is canceled. NULL: no
 * answer by then. */
PGresult *postgres_ask(struct etl_instance *, PGconn *, const char *sql, int64_t deadline);
/* Milliseconds of a clock that only goes forward. */
int64_t postgres_clock(void);
/* Milliseconds that connecting may take; 0: any. */
int64_t postgres_patience(PGconn *);

/* pooler.c */
/* Counts this process's connections to where inst->db goes; one too many is ETL_FEWER_WORKERS. */
int postgres_enter(struct etl_instance *, struct etl_error *);
void postgres_leave(struct etl_instance *);
/* How many there may be; 0: any number. */
int64_t postgres_most_connections(const struct etl_instance *);
/* SERVER_PID is the server's own process. Finds out whether a pooler stands between, and refuses one that changes
 * the session from transaction to transaction. */
int postgres_see_pooler(struct etl_instance *, const struct postgres_conninfo *, int64_t server_pid,
			struct etl_error *);

/* supabase.c */
/* Schemas that Supabase's services own; ends with NULL. */
extern const char *const postgres_supabase_schemas[];
/* One of the server's own, or of Supabase's where that is the server. */
bool postgres_is_reserved(const struct etl_instance *, const char *schema);
/* The same as an error; NULL is no schema. */
int postgres_refuse_schema(struct etl_instance *, const char *schema, struct etl_error *);
int32_t postgres_endpoint_of(const char *host, const char *port);
const char *postgres_endpoint_name(const struct etl_instance *);
/* An address that no run can pass through. */
int postgres_refuse_endpoint(struct etl_instance *, struct etl_error *);
/* What to do when such an address does not answer; or "". */
const char *postgres_supabase_advice(struct etl_instance *, bool server_answered);

/* fail.c */
/*
 * Says what the server said: its words, detail, hint and context, with the SQLSTATE, after FORMAT ("reading table
 * \"x\""). RESULT may be NULL: the connection's own words. Clears RESULT. A lost connection is a reason to try
 * on a new one; a statement that `cancel` ended is ETL_CANCELED.
 */
int postgres_fail(struct etl_instance *, PGresult *, struct etl_error *, const char *format, ...)
	ETL_PRINTF(4, 5);
/* The same of a connection to WHERE that was not made; WHY instead of libpq's words, or NULL. */
int postgres_fail_connect(struct etl_instance *, struct etl_error *, const char *where,
			  const char *why);
int postgres_no_memory(struct etl_instance *, struct etl_error *);

/* query.c: each connects when it must */
/* Statements that return nothing. */
int postgres_run(struct etl_instance *, struct etl_error *, const char *sql);
/* The same, made of a text that is freed; one that ran out of memory fails. */
int postgres_run_text(struct etl_instance *, struct etl_error *, struct etl_text *sql);
/* A statement with COUNT texts as $1, $2, …; *ret is the caller's to clear. */
int postgres_query(struct etl_instance *, struct etl_error *, PGresult **ret, const char *sql,
		   int count, const char *const *values);
/* Rows that an INSERT, UPDATE, DELETE, … touched; *ret may be NULL. */
int postgres_change(struct etl_instance *, struct etl_error *, uint64_t *ret, const char *sql,
		    int count, const char *const *values);
/* The first value of the first row, as a number, a flag, a text (the caller's; NULL for none). */
int postgres_number(struct etl_instance *, struct etl_error *, int64_t *ret, const char *sql,
		    int count, const char *const *values);
int postgres_flag(struct etl_instance *, struct etl_error *, bool *ret, const char *sql, int count,
		  const char *const *values);
int postgres_text(struct etl_instance *, struct etl_error *, char **ret, const char *sql, int count,
		  const char *const *values);
/* A value of a result, NULL for NULL. */
const char *postgres_at(const PGresult *, int row, int column);
int64_t postgres_int_at(const PGresult *, int row, int column);
bool postgres_flag_at(const PGresult *, int row, int column);
/* "schema"."name" or "name". */
void postgres_add_name(struct etl_text *, const char *schema, const char *name);

/* ping.c */
int postgres_ping(struct etl_instance *, struct etl_fact_sink *, struct etl_error *);

/* count.c: a member of struct etl_store */
int postgres_digest(struct etl_instance *, const struct etl_dataset *, const struct etl_range *,
		    int32_t hash, struct etl_digest *, struct etl_error *);

/* totals.c: a member of struct etl_store */
int postgres_totals(struct etl_instance *, const struct etl_totals_ask *, struct etl_total_sink *,
		    struct etl_error *);

/* given.c: a member of struct etl_schema */
int postgres_given(struct etl_instance *, struct etl_table_sink *, struct etl_error *);

/* describe.c */
/* The tables of one schema, whatever the options say. */
int postgres_describe_schema(struct etl_instance *, const char *schema, struct etl_table_sink *,
			     struct etl_error *);
int postgres_describe(struct etl_instance *, const struct etl_dataset *, struct etl_table_sink *,
		      struct etl_error *);

/* names.c */
/* NAME, or one of at most POSTGRES_NAME_MAX bytes made of it in BUF, which has one more. */
const char *postgres_short_name(const char *name, char *buf);
/* Where the tables of a target go. */
const char *postgres_target_schema(const struct etl_instance *, const struct etl_table *);
const char *postgres_place(struct etl_instance *, const struct etl_table *);

/* design.c */
int postgres_design(struct etl_instance *, const struct etl_table *, const struct etl_load *,
		    struct etl_step_sink *, struct etl_error *);

/* takes.c */
int32_t postgres_takes(const struct etl_column *);
int32_t postgres_respells(const struct etl_column *);

/* read.c */
int postgres_read(struct etl_instance *, const struct etl_read *, const struct etl_split *,
		  struct ArrowArrayStream *, struct etl_error *);
/* As postgres_fail, for a statement that reads WHAT: says what row-level security means. */
int postgres_read_failed(struct etl_instance *, PGresult *, struct etl_error *, const char *what);

/* pin.c */
/* Connected; in a pinned transaction that failed, back at its savepoint. */
int postgres_ready(struct etl_instance *, struct etl_error *);
int postgres_pin(struct etl_instance *, struct etl_token *ret, struct etl_error *);
int postgres_join(struct etl_instance *, const struct etl_token *, struct etl_error *);
int postgres_stamp(struct etl_instance *, struct etl_token *ret, struct etl_error *);
/* watermark.c */
/* Before the view is opened: what will not be in it. */
int postgres_find_writers(struct etl_instance *, struct etl_error *);
int postgres_watermark(struct etl_instance *, const struct etl_read *, struct etl_token *ret, struct etl_error *);

/* repair.c: a member of struct etl_schema */
int postgres_repair(struct etl_instance *, const struct etl_repair *, struct etl_sql_sink *,
		    struct etl_error *);

/* plan.c */
int postgres_plan(struct etl_instance *, const struct etl_read *, int64_t wanted,
		  struct etl_split_sink *, struct etl_error *);

#endif
