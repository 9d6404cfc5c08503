/*
 * The sqlite plugin: what its files share. One instance is one database file at most twice open: `main` is
 * what is published, read only; `stage` is the file being built, which only a target has.
 */
#ifndef SQLITE_PLUGIN_H
#define SQLITE_PLUGIN_H

#include <pthread.h>
#include <sys/types.h>
#include <sys/stat.h>

#include <sqlite3.h>

#include <etlrun/helpers.h>

#define SQLITE_LIVE 8 /* the most connections of an instance */

struct etl_instance {
	const struct etl_host *host;
	const struct etl_conf *conf;
	char *path;		/* of the published file, absolute */
	sqlite3 *main;		/* NULL until needed */
	bool pinned;		/* main is inside a read transaction */
	struct stat pinned_file; /* that the path named then */
	struct etl_token stamp; /* of the pinned view: pin.c's */
	sqlite3 *stage;		/* NULL until needed */
	char *stage_path;
	sqlite3 *peek; /* another instance's staging file, read only, or NULL */
	char *peek_path;
	sqlite3 *values; /* repair.c's, in memory, or NULL */
	sqlite3 *given;	 /* given.c's, in memory, or NULL */
	char *given_settings; /* what the schema file set, one PRAGMA a line, or NULL */
	struct sqlite_stage *building; /* stage.c's own state, or NULL */
	bool is_source;		       /* same.c's, and the next three */
	dev_t device;
	ino_t number;
	struct etl_instance *next_source;
	pthread_mutex_t lock;	    /* of live */
	sqlite3 *live[SQLITE_LIVE]; /* what `cancel` interrupts */
};

/* sqlite.c */
/* Makes a connection known to `cancel`. */
void sqlite_enlist(struct etl_instance *, sqlite3 *);
/* Closes a connection, known or not; NULL too. As sqlite3_close. */
int sqlite_close(struct etl_instance *, sqlite3 *);

/* connect.c: a token is the absolute path of a staging file. Options: immutable, busy_timeout. */
/* Closes main and peek, not stage; open again when needed. */
void sqlite_disconnect(struct etl_instance *);
/* The connection a dataset speaks of: main, or with a token the staging file. Opened when it was not.
 * main is opened read only, foreign keys and triggers off, with busy_timeout; a file that is missing, empty,
 * encrypted or no database fails with a sentence that says which. */
int sqlite_db(struct etl_instance *, const struct etl_token *token, sqlite3 **ret,
	      struct etl_error *);
/* The class of a failure that errno describes: a machine without memory is no fault of the store. */
int32_t sqlite_errno_class(void);
/* file:PATH and HOW ("?mode=ro"), for the caller to free; NULL: no memory. */
char *sqlite_uri(const char *path, const char *how);
/* Says what SQLite said, with the extended code as native number, after FORMAT ("reading table \"x\""). */
int sqlite_fail(struct etl_instance *, sqlite3 *, struct etl_error *, const char *format, ...)
	ETL_PRINTF(4, 5);
/* The same with a code of SQLite's that no connection keeps. */
int sqlite_fail_as(struct etl_instance *, int code, struct etl_error *, const char *format, ...) ETL_PRINTF(4, 5);
/* Runs statements that return nothing. */
int sqlite_run(struct etl_instance *, sqlite3 *, const char *sql, struct etl_error *);
int sqlite_prepare(struct etl_instance *, sqlite3 *, const char *sql, sqlite3_stmt **ret,
		   struct etl_error *);

/* same.c: a source's file from its opening to its closing; a target fails when its file is one of them. */
void sqlite_source_enter(struct etl_instance *);
void sqlite_source_leave(struct etl_instance *);
int sqlite_not_source(struct etl_instance *, struct etl_error *);

/* describe.c, profile.c: members of struct etl_store and etl_source */
int sqlite_describe(struct etl_instance *, const struct etl_dataset *, struct etl_table_sink *,
		    struct etl_error *);
int sqlite_ping(struct etl_instance *, struct etl_fact_sink *, struct etl_error *);
int sqlite_profile(struct etl_instance *, const struct etl_dataset *, struct etl_profile_sink *,
		   struct etl_error *);
/* SPLIT NULL: everything. */
int sqlite_profile_split(struct etl_instance *, const struct etl_dataset *, const struct etl_split *,
			 struct etl_profile_sink *, struct etl_error *);

/* read.c, pin.c */
int sqlite_read(struct etl_instance *, const struct etl_read *, const struct etl_split *,
		struct ArrowArrayStream *, struct etl_error *);
int sqlite_plan(struct etl_instance *, const struct etl_read *, int64_t wanted,
		struct etl_split_sink *, struct etl_error *);
int sqlite_pin(struct etl_instance *, struct etl_token *, struct etl_error *);
int sqlite_join(struct etl_instance *, const struct etl_token *, struct etl_error *);
/* The pinned view is still what the file holds; ETL_OK is ETL_FILL_END. */
int sqlite_unmoved(struct etl_instance *, struct etl_error *);
int sqlite_stamp(struct etl_instance *, struct etl_token *, struct etl_error *);
/* watermark.c */
int sqlite_watermark(struct etl_instance *, const struct etl_read *, struct etl_token *, struct etl_error *);

/* stage.c, load.c, publish.c: members of struct etl_target */
int sqlite_begin(struct etl_instance *, const struct etl_load *, struct etl_token *,
		 struct etl_error *);
int sqlite_load(struct etl_instance *, const struct etl_load *, const struct etl_token *,
		const struct etl_part *, struct ArrowArrayStream *, struct etl_stats *,
		struct etl_error *);
int sqlite_commit(struct etl_instance *, const struct etl_commit *, struct etl_error *);
int sqlite_abort(struct etl_instance *, const struct etl_load *, const struct etl_token *,
		 struct etl_error *);
int sqlite_recall(struct etl_instance *, const char *pipeline, struct etl_state_sink *,
		  struct etl_error *);
int sqlite_staged(struct etl_instance *, const struct etl_load *, const struct etl_token *,
		  struct etl_dataset_sink *, struct etl_error *);
/* known.c, revert.c: likewise */
int sqlite_mark(struct etl_instance *, const struct etl_token *, struct etl_token *,
		struct etl_error *);
int sqlite_since(struct etl_instance *, const struct etl_token *, const struct etl_token *mark,
		 int32_t *, struct etl_error *);
int sqlite_seal(struct etl_instance *, const struct etl_commit *, struct etl_token *,
		struct etl_error *);
int sqlite_sealed(struct etl_instance *, const struct etl_token *, int32_t *, struct etl_error *);
int sqlite_version(struct etl_instance *, struct etl_version *, struct etl_error *);
/* What the option user_version says; 0: nothing. */
int64_t sqlite_wanted_version(const struct etl_instance *);
int sqlite_revert(struct etl_instance *, const char *run, const struct etl_token *seal,
		  struct etl_error *);
/* Frees what stage.c keeps in the instance; accepts an instance that never staged anything. */
void sqlite_stage_close(struct etl_instance *);

/* design.c, apply.c, repair.c: members of struct etl_schema */
int sqlite_design(struct etl_instance *, const struct etl_table *, const struct etl_load *,
		  struct etl_step_sink *, struct etl_error *);
int sqlite_apply(struct etl_instance *, const struct etl_load *, const struct etl_token *,
		 const struct etl_step *, struct etl_found_sink *, struct etl_error *);

/* given.c: likewise */
int sqlite_given(struct etl_instance *, struct etl_table_sink *, struct etl_error *);
int sqlite_repair(struct etl_instance *, const struct etl_repair *, struct etl_sql_sink *,
		  struct etl_error *);

/* connect.c: whether rows of a table in main have a rowid under one of its three names. */
bool sqlite_has_rowid(sqlite3 *, const char *table);

#endif
