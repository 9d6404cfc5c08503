/*
 * The file under construction, shared by the files of the target half. A staging file is named
 * .NAME.etlrun-RUN beside the target it will be renamed over, and its token is its absolute path.
 */
#ifndef SQLITE_STAGE_H
#define SQLITE_STAGE_H

#include <sys/stat.h>

#include "sqlite.h"

/* A table of the run: what is not one is carried over from the old file. */
struct sqlite_goal {
	char *name;
	bool in_old; /* the old file has it too */
};

/* The rows a split staged, so that loading it again replaces them. */
struct sqlite_part {
	uint64_t load, split, rows;
	bool known;	 /* ranges say it all */
	int64_t *ranges; /* first and last rowid, in pairs */
	size_t range_count;
};

#define SQLITE_IDENTITY 160 /* bytes of what a file is known by: known.c */

struct sqlite_stage {
	char *target;	      /* what will be replaced: links followed */
	char *folder;	      /* its folder */
	sqlite3 *old;	      /* the file that is there, or NULL: none */
	struct stat old_stat; /* of it */
	bool old_wal;	      /* it is in WAL mode */
	int64_t old_version;  /* its data_version when it was looked through */
	int hold;	      /* sweep.c's lock on the staging file, or -1 */
	bool settled;	      /* what is carried over is there */
	bool carried;	      /* the stage began as a copy of the old file */
	bool emptied;	      /* some tables are made anew because they held no rows */
	bool left_out;	      /* some tables of the run are as in the old file, or not there */
	bool resumed;	     /* another process began it, and what this run brings is known */
	bool taken_up;	      /* another process began it: goals are not known */
	bool sealed;	     /* the file is finished and closed */
	bool screened;	      /* order.c's tables are gone */
	bool published;
	bool replaces;	     /* the new file takes the target's place */
	bool target_attached; /* to the staging file's connection: into-screen.c */
	char basis[SQLITE_IDENTITY]; /* what the target was when the stage was begun; "": not looked at yet */
	bool wants_wal;	     /* the source's journal mode */
	int32_t on_existing; /* of the run */
	uint32_t run_flags;
	struct sqlite_goal *goals;
	size_t goal_count;
	struct sqlite_part *parts;
	size_t part_count;
	struct page_ahead *ahead; /* pages-ahead.c's, or NULL */
	bool pages_owed;	  /* pages-note.c: some may have to go */
};

/* where.c: names of files */
/* Follows links to where the file is or will be; fails when its folder is not there. */
int sqlite_where(struct etl_instance *, char **ret_target, char **ret_folder, struct etl_error *);
/* A staging file of TARGET for a run. NULL: no memory. */
char *sqlite_stage_name(const char *target, const char *run);
/* The run whose staging file of TARGET that is, in PATH; NULL: it is none. */
const char *sqlite_stage_run(const char *target, const char *path);
bool sqlite_is_stage_of(const char *target, const char *path);
/* PATH with a suffix ("-wal"); NULL: no memory. */
char *sqlite_beside(const char *path, const char *suffix);
/* The size of PATH with a suffix, or -1: there is none. */
int64_t sqlite_beside_size(const char *path, const char *suffix);
/* Removes it; 0, or -1 with errno. A missing one is no failure. */
int sqlite_beside_remove(const char *path, const char *suffix);
/* Fails when a -wal or -journal lies beside a target that is not there: it would be taken for the new file's. */
int sqlite_no_stale(struct etl_instance *, const char *target, struct etl_error *);
int sqlite_sync_folder(const char *folder); /* 0, or -1 with errno */

/* stage-file.c */
/* Makes and opens the run's staging file. */
int sqlite_stage_make(struct etl_instance *, struct sqlite_stage *, const char *run,
		      struct etl_error *);
/* What the interrupted run began goes on; without a file it is begun anew. What it carried over is there, or
 * `since` says that it is not. The file is opened when it is needed. */
int sqlite_stage_take_up(struct etl_instance *, struct sqlite_stage *, const char *run,
			 struct etl_error *);
/* The instance's staging file is PATH from here on; it is not opened. */
int sqlite_stage_take_name(struct etl_instance *, const char *path, struct etl_error *);
int sqlite_stage_open(struct etl_instance *, const char *path, bool anew, struct etl_error *);
/* While rows are sorted into an index, the cache is small: SQLite sorts beside it, in pieces of its size. */
int sqlite_stage_sorts(struct etl_instance *, bool sorts, struct etl_error *);

/* stage.c */
/* The instance's staging file, open, with everything carried over: what load, apply and commit begin with. */
int sqlite_staging(struct etl_instance *, const struct etl_token *, struct etl_error *);
/* Runs a query and reads its first value as integer; FALLBACK without a row. */
int sqlite_number(struct etl_instance *, sqlite3 *, const char *sql, int64_t fallback, int64_t *ret,
		  struct etl_error *);
/* The same with one text bound to ?1. */
int sqlite_number_of(struct etl_instance *, sqlite3 *, const char *sql, const char *text,
		     int64_t fallback, int64_t *ret, struct etl_error *);

/* A table of the run from here on. */
int sqlite_stage_goal(struct etl_instance *, struct sqlite_stage *, const char *name, bool in_old,
		      struct etl_error *);
/* on_existing = fail, and it is there. */
int sqlite_stage_refuse(struct etl_instance *, const char *kind, const char *name,
			struct etl_error *);
/* What is known of the target before any file is made; RUN may be NULL. Freed by sqlite_stage_free. */
int sqlite_look(struct etl_instance *, const struct etl_run *, struct sqlite_stage **ret,
		struct etl_error *);
void sqlite_stage_free(struct etl_instance *, struct sqlite_stage *);

/* known.c */
/* What a file is known by, SQLITE_IDENTITY bytes without spaces; "none": it is not there. False with errno. DB:
 * the connection that has it open, or NULL: none of this process has. */
bool sqlite_identity(const char *path, sqlite3 *db, char *ret);
/* What the stage rests on: what was carried over is of that file. */
int sqlite_find_basis(struct etl_instance *, struct sqlite_stage *, struct etl_error *);
/* The seal of the finished and closed staging file. */
int sqlite_write_seal(struct etl_instance *, struct etl_token *ret, struct etl_error *);
bool sqlite_is_identity_of(const struct etl_token *seal, const char *identity);
bool sqlite_is_sealed(const char *path, const struct etl_token *seal);
/* What the sealed file replaces; RET has SQLITE_IDENTITY bytes. False: it is no seal. */
bool sqlite_seal_basis(const struct etl_token *seal, char *ret);

/* publish.c: for revert.c too */
/* Nobody reads or writes the old file from here on, and it is one file. On failure it is as it was. */
int sqlite_hold_old(struct etl_instance *, struct sqlite_stage *, struct etl_error *);
void sqlite_release_old(struct etl_instance *, struct sqlite_stage *);
/* Sets the journal mode and says whether it is the one that was asked for. */
bool sqlite_set_mode(sqlite3 *, const char *mode);

/* Closes and removes the staging file, whose rows are in the target. */
void sqlite_stage_drop(struct etl_instance *, const char *target, const struct etl_token *);

/* old.c: the file that is there now */
int sqlite_old_open(struct etl_instance *, struct sqlite_stage *, struct etl_error *);
void sqlite_old_close(struct etl_instance *, struct sqlite_stage *);
/* Copies what is not of this run into the stage. */
int sqlite_old_carry(struct etl_instance *, struct sqlite_stage *, struct etl_error *);
/* Is there a table that the new file needs and the run does not bring? */
int sqlite_old_must_copy(struct etl_instance *, struct sqlite_stage *, bool *ret,
			 struct etl_error *);
/* Views, and triggers of views, that the stage does not have yet. */
int sqlite_old_views(struct etl_instance *, struct sqlite_stage *, struct etl_error *);

/* left-out.c: with scope = "table", gives the tables of the run that are not committed back to what they were */
int sqlite_leave_out(struct etl_instance *, const struct etl_commit *, struct etl_error *);

/* sweep.c */
/* Removes staging files of this target that no living run holds. */
void sqlite_sweep(struct etl_instance *, const struct sqlite_stage *);
void sqlite_hold(struct sqlite_stage *, const char *path);
void sqlite_let_go(struct sqlite_stage *);

/* aftermath.c */
/* Warns of what goes with replaced tables; rows of tables that stay and lose their parents are told or fail. */
int sqlite_aftermath(struct etl_instance *, struct sqlite_stage *, int32_t foreign_keys,
		     struct etl_error *);

/* bind.c */
/* Binds a value to parameter COLUMN + 1. NULL: done; else a constant word why it cannot be stored. */
const char *sqlite_bind(sqlite3_stmt *, int column, const struct etl_column_view *, int64_t row,
			char *scratch);
/* Would SQLite change this value, a text that is not UTF-8, in a database that keeps texts as UTF-16? */
bool sqlite_is_torn(const struct etl_column_view *, int64_t row);
#define SQLITE_SCRATCH 64 /* bytes a column needs while its value is bound */
/* Bytes of the values of a batch. */
uint64_t sqlite_batch_bytes(const struct etl_view *);

/* affinity.c */
/* How a column keeps what reads as a number: as it comes, as an integer or a float, as a float. */
enum sqlite_affinity { SQLITE_KEEPS, SQLITE_NUMBERS, SQLITE_REALS };
enum sqlite_affinity sqlite_affinity(const char *declared, bool strict);

/* backup.c */
/* How many generations this run keeps: keep_old, or five with `backup`. */
int64_t sqlite_backup_count(struct etl_instance *, const struct etl_run *);
/* The name of the generation that RUN replaces. NULL: no memory. */
char *sqlite_backup_name(const char *target, const char *run);
/* Makes a second name of the target, or a copy where there are no hard links. RET is its path. FD is
 * -1, or a descriptor to be closed only when SQLite's locks on the target are no longer needed. */
int sqlite_backup_keep(struct etl_instance *, const struct sqlite_stage *, const char *run,
		       char **ret, int *ret_fd, struct etl_error *);
/* Takes away the second name that a run made and did not need. */
void sqlite_backup_drop(const char *target, const char *run);
/* Removes all but the newest COUNT. */
void sqlite_backup_prune(struct etl_instance *, const struct sqlite_stage *, int64_t count);

#endif
