/*
 * The odbc plugin: what its files share. One instance is one connection, opened by the first call that needs the
 * server. Texts cross the driver manager as UTF-16, which is the one encoding that every driver takes as it is.
 */
#ifndef ODBC_PLUGIN_H
#define ODBC_PLUGIN_H

#include <pthread.h>
#include <stdbool.h>

#include <sql.h>
#include <sqlext.h>

#include <etlrun/helpers.h>

#define ODBC_NAME_ROOM 512 /* bytes of an identifier as UTF-8, with its NUL: 128 UTF-16 units at most are usual */

struct odbc_dialect;
struct odbc_stage;
struct odbc_provision;
struct ladder;
struct odbc_layout;

/* Transactions of others that were under way when the view was opened (watermark.c). */
struct odbc_writers {
	bool known; /* these are all */
	bool any;
	int64_t seconds; /* the oldest has been at work */
	char version[24]; /* of T-SQL the least rowversion that one of them may have written, "0x…"; or "" */
};

struct etl_instance {
	const struct etl_host *host;
	const struct etl_conf *conf;
	SQLHENV env;
	SQLHDBC db; /* SQL_NULL_HDBC until needed */
	bool connected, lost;
	bool pinned; /* reads in the transaction that stands for the view (pin.c) */
	struct odbc_writers writers; /* a source */
	const struct odbc_dialect *dialect; /* by what the server says it is; NULL until connected */
	const struct odbc_dialect *likely;  /* by the driver, while it is not connected; or NULL */
	struct odbc_provision *provision;   /* a database that the run makes; or NULL */
	bool to_the_end;		    /* what is cleaned up now is not ended by `cancel` */
	pthread_mutex_t lock;		    /* of running */
	SQLHSTMT running;		    /* what `cancel` may end */

	/* What the connection said of itself. */
	char driver[64], driver_version[32]; /* "libtdsodbc.so" "01.03.0017" */
	char server[64], server_version[128];
	char database[ODBC_NAME_ROOM], user[ODBC_NAME_ROOM];
	struct odbc_stage *stage; /* a target: the tables of the stage that it works in, or NULL (restage.c) */
	bool bulk_on;	      /* this connection may copy in bulk */
	struct ladder *ladder; /* load-ladder.c: by what ways this connection takes rows; NULL: not asked yet */
	char noted[160];      /* the unit that this transaction wrote down */
	struct odbc_layout *layout; /* a target: what its tables decide together, or NULL (layout.h) */
	char unit[160]; /* a target: what the next piece of work writes down; "" none */
	SQLUINTEGER getdata; /* SQL_GETDATA_EXTENSIONS */
	bool babelfish;	     /* T-SQL before PostgreSQL: it renames no constraint */
};

struct odbc_said;

/* connect.c */
/* inst->db is connected, and inst->dialect known. */
int odbc_db(struct etl_instance *, struct etl_error *);
/* Tries that once: 1 it is; 0 it is not, and RET says why; negative for a failure that is told. */
int odbc_try(struct etl_instance *, struct odbc_said *ret, struct etl_error *);
/* inst->env is there. */
int odbc_environment(struct etl_instance *, struct etl_error *);
/* inst->dialect is known. *RET_NOBODY: without a server, which is still to be made, or which plan_dialect stands for; it is
 * empty. */
int odbc_know(struct etl_instance *, bool *ret_nobody, struct etl_error *);
/* There is no server to ask: the pipeline is for `plan` only. */
bool odbc_only_plans(const struct etl_instance *);
void odbc_disconnect(struct etl_instance *);
/* The connection string without what is secret in it, for messages; RET is the caller's to free. */
bool odbc_place(const struct etl_instance *, struct etl_text *ret);

/* conninfo.c */
/* The connection string of what the pipeline says; fails when it says too much or too little. */
int odbc_conninfo(const struct etl_host *, const struct etl_conf *, struct etl_text *ret,
		  struct etl_error *);

/* The same of an instance, with the database that it makes. */
int odbc_conninfo_of(const struct etl_instance *, struct etl_text *ret, struct etl_error *);
/* The value of KEY in a connection string, without its braces, appended. False: it is not there. */
bool odbc_conninfo_value(const char *text, const char *key, struct etl_text *ret);

/* fail.c */
/*
 * Says what the driver and the server said of HANDLE, after FORMAT ("reading table \"x\""). The class is that of the
 * server's own number where the dialect knows it, else of the SQLSTATE. A statement that `cancel` ended is ETL_CANCELED.
 */
int odbc_fail(struct etl_instance *, SQLSMALLINT handle_type, SQLHANDLE handle, struct etl_error *,
	      const char *format, ...) ETL_PRINTF(5, 6);
int odbc_no_memory(struct etl_instance *, struct etl_error *);
/* What was said, without telling it: for who may have an answer to it. */
struct odbc_said {
	struct etl_text words; /* the caller's to free */
	char sqlstate[6];      /* of the record that decides, or "" */
	int64_t native;
	int32_t klass; /* enum etl_class */
	int32_t delay; /* milliseconds, or 0 */
	const char *advice;
	char made[512]; /* an advice with words of the server's in it; or "" */
	bool canceled; /* by this run */
};
void odbc_listen(struct etl_instance *, SQLSMALLINT handle_type, SQLHANDLE handle, struct odbc_said *ret);
/* The same of a driver's own handle, by its own function: what was done past the driver manager. */
void odbc_listen_to(struct etl_instance *, void *library, SQLHDBC, struct odbc_said *ret);
/* Tells it, after SENTENCE, and frees its words. */
int odbc_tell(struct etl_instance *, struct odbc_said *, struct etl_error *, const char *sentence);

/* utf16.c */
/* UTF-8 to UTF-16 in the machine's byte order, NUL-terminated; NULL: no memory, or no UTF-8. *RET_UNITS may be NULL. */
SQLWCHAR *odbc_wide(const char *text, size_t size, size_t *ret_units);
/* The same of valid UTF-8 into TO, which has room for SIZE units: how many they are. */
size_t odbc_widen(SQLWCHAR *to, const char *text, size_t size);
/* Appends UNITS of UTF-16. False: half a character was among them; it is added as U+FFFD. */
bool odbc_narrow(struct etl_text *text, const SQLWCHAR *wide, size_t units);
/* The same into BUF of ROOM bytes, which must hold 3 bytes for each unit: the bytes written, or -1 for half a character. */
int64_t odbc_narrow_into(char *buf, const SQLWCHAR *wide, size_t units);

/* query.c: each connects when it must */
/* A statement handle, ready; it ends with odbc_done. */
int odbc_statement(struct etl_instance *, SQLHSTMT *ret, struct etl_error *);
void odbc_done(struct etl_instance *, SQLHSTMT);
/* It is what `cancel` ends, until it is done or another one runs. */
void odbc_running(struct etl_instance *, SQLHSTMT);
/* Executes SQL on STMT. ETL_OK when it had rows or none. */
int odbc_execute(struct etl_instance *, SQLHSTMT, const char *sql, struct etl_error *);
/* The same of what the pipeline says: that the server refuses it is the pipeline's fault. WHAT: "the condition of …". */
int odbc_execute_given(struct etl_instance *, SQLHSTMT, const char *sql, const char *what, struct etl_error *);
/* Statements that return nothing anybody wants; each answer of a batch is looked at. */
int odbc_run(struct etl_instance *, struct etl_error *, const char *sql);
/* The same, made of a text that is freed; one that ran out of memory fails. */
int odbc_run_text(struct etl_instance *, struct etl_error *, struct etl_text *sql);
/* odbc_run for who has an answer to a failure: false, and RET says what was said; its words are the caller's to free. */
bool odbc_try_run(struct etl_instance *, const char *sql, struct odbc_said *ret);
/* Likewise odbc_statement and odbc_execute at once; after a failure there is no statement. */
bool odbc_try_execute(struct etl_instance *, const char *sql, SQLHSTMT *ret, struct odbc_said *ret_said);
/* One more row? 1, 0, or a negative enum etl_status. */
int odbc_next(struct etl_instance *, SQLHSTMT, struct etl_error *);
/* Where a value comes from that is asked for alone. */
struct odbc_pieces {
	struct etl_instance *inst;
	SQLHSTMT stmt;
	int column;	    /* from 1 */
	SQLSMALLINT type;   /* SQL_C_WCHAR, SQL_C_BINARY, SQL_C_SBIGINT, SQL_C_DOUBLE */
	bool fitted_is_all; /* a piece that fitted is the last, whatever the code says */
};
/* All bytes of the value, instead of what RET has; a piece may end within a character. (pieces.c) */
int odbc_collect(const struct odbc_pieces *, struct etl_text *ret, bool *ret_null, struct etl_error *);
/* Column I (from 1) of the row as text, appended; *ret_null may be NULL. */
int odbc_column(struct etl_instance *, SQLHSTMT, int i, struct etl_text *ret, bool *ret_null,
		struct etl_error *);
/* The first value of the first row. */
int odbc_number(struct etl_instance *, struct etl_error *, int64_t *ret, const char *sql);
/* Asked as odbc_run_text runs. */
int odbc_number_text(struct etl_instance *, struct etl_error *, int64_t *ret, struct etl_text *sql);

/* The same as text, appended; NULL is none. */
int odbc_ask(struct etl_instance *, const char *sql, struct etl_text *ret, struct etl_error *);
/* The same, and of a failure nothing is told: it is no failure to who asks. False: it failed. */
bool odbc_ask_quietly(struct etl_instance *, const char *sql, struct etl_text *ret);

/* names.c */
/* A name as the dialect quotes it. */
void odbc_add_name(struct etl_text *, const struct etl_instance *, const char *name);
/* [schema].[name], or the name alone. */
void odbc_add_table(struct etl_text *, const struct etl_instance *, const char *schema,
		    const char *name);

/* ping.c */
int odbc_ping(struct etl_instance *, struct etl_fact_sink *, struct etl_error *);

/* describe.c */
int odbc_describe(struct etl_instance *, const struct etl_dataset *, struct etl_table_sink *,
		  struct etl_error *);

/* count.c */
int odbc_digest(struct etl_instance *, const struct etl_dataset *, const struct etl_range *,
		int32_t hash, struct etl_digest *, struct etl_error *);

/* totals.c */
int odbc_totals(struct etl_instance *, const struct etl_totals_ask *, struct etl_total_sink *,
		struct etl_error *);

/* read.c */
int odbc_read(struct etl_instance *, const struct etl_read *, const struct etl_split *,
	      struct ArrowArrayStream *, struct etl_error *);

#endif
