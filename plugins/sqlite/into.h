/*
 * append and merge: rows that go into tables which are there. They are staged in a file of their own, in tables
 * of the target's shape; then one transaction on the target takes them over, and the staging file is only read.
 *
 * In that transaction the target is `main`, the staging file is attached as `staged`, and what is worked out on
 * the way is in `temp`. Every statement comes from design, which plan prints.
 */
#ifndef SQLITE_INTO_H
#define SQLITE_INTO_H

#include "../lib/slices.h"
#include "design.h"
#include "stage.h"

/* Tables of the staging file that are none of the run's. */
#define INTO_SQL  "_etlrun_sql"	  /* phase, sql: the pipeline's own, to be run in the transaction */
#define INTO_KEPT "_etlrun_kept_" /* and the number of the load: keys of rows that were rejected */
#define INTO_GOES "_etlrun_goes_" /* likewise: keys of rows that go, where the run names them */
/* name, written, kept: of a merge's table, whether its row p of the target is written over, and whether it stays when
 * it is not, as SQL */
#define INTO_STAYS "_etlrun_stays"
/* In temp while screening: the numbers of the loads from whose tables nothing is deleted, since rows of theirs were
 * rejected before their keys were known. */
#define INTO_WITHHELD "etlrun_withheld"
#define INTO_ROW  "_etlrun_row"	  /* a column: the rowid, where none of its names is free */
#define OWN_BATCHES "_etlrun_batches" /* in the target: what the batches of a run did */
#define OWN_LAST_SECOND INT64_C(253402300799) /* 9999-12-31T23:59:59Z, the last that SQLite spells */
#define OWN_UNDO  "_etlrun_undo_" /* in the target: and the run, and the number of the load */

/* Does this run go into a file that is there? Without one append and merge make it as copy does. */
static inline bool into_runs(const struct etl_run *run)
{
	return run->mode != ETL_COPY && !(run->flags & ETL_RUN_EMPTY);
}

static inline bool into_merges(const struct etl_load *load)
{
	return load->run->mode == ETL_MERGE;
}

/* The rows that go are named; else they are those that did not come. */
static inline bool into_names_gone(const struct etl_load *load)
{
	return into_merges(load) && load->deletes != ETL_DELETE_NONE && load->run->flags & ETL_RUN_CHANGES;
}

static inline const struct etl_column *into_column(const struct etl_table *t, size_t i)
{
	return ETL_AT(const struct etl_column, t->columns, t->column_size, i);
}

/* (row ALIAS of the target, which is not among the staged, stays: its key is kept, or is none that goes, or nothing of the
 * table is deleted) */
void into_add_kept(struct etl_text *sql, const struct etl_load *load, const char *alias);

/* Does a column come with the rows? */
static inline bool into_comes(const struct etl_column *c)
{
	return !(c->flags & ETL_GENERATED);
}

/* into-sql.c: pieces of statements about one load */

/* The column of the staged table that is its rowid, or one of the rowid's names: valid as long as LOAD. */
const char *into_row(const struct etl_load *);
/* A name of the rowid of the target's table that no column hides; NULL: none, or no rowid of its own. */
const char *into_rowid(const struct etl_load *);
/* "staged"."t", "main"."t" */
void into_add_table(struct etl_text *, const char *schema, const struct etl_load *);
/* CREATE TEMP TABLE etlrun_WHAT_n with the columns of the table that is there, and INSERT INTO it; a SELECT of them is to
 * follow. CREATE TABLE AS would call a column "true" or "false" by another name. */
enum into_temp {
	INTO_TEMP_ALL = 0,
	INTO_TEMP_COMING = 1, /* only those that rows come with */
	INTO_TEMP_ROW = 2     /* before them _etlrun_row, where there is a rowid */
};
void into_add_temp(struct etl_text *, const char *what, const struct etl_load *, int flags);
/* A.k1 = B.k1 AND …, as the key compares them. */
void into_add_match(struct etl_text *, const struct etl_load *, const char *a, const char *b);
/* The columns that come, "x", "y", each behind PREFIX ("s." or ""). */
void into_add_columns(struct etl_text *, const struct etl_load *, const char *prefix);
void into_add_key(struct etl_text *, const struct etl_load *, const char *prefix);
/* WHERE … IN (SELECT … FROM temp.etlrun_gone_N): not by the merge's key, which may be NULL in a row that goes. */
void into_add_gone(struct etl_text *, const struct etl_load *, const char *prefix);
/* What SET may write: not what equal keys have equal anyway. */
bool into_sets(const struct etl_load *, const struct etl_column *);
/* t and s are not the same row, byte for byte and type for type; "0" when nothing can differ. */
void into_add_differs(struct etl_text *, const struct etl_load *);
/* t is marked as deleted. Only with a delete_column. */
void into_add_marked(struct etl_text *, const struct etl_load *);
/* " = …": the mark of a row that is in the source again. */
void into_add_unmarked(struct etl_text *, const struct etl_load *);
const struct etl_column *into_find(const struct etl_table *, const char *name);
/* Is the mark 1, and not a time? */
bool into_mark_is_flag(const struct etl_load *);
/* The collation in which column KEY of the key is unique, when it is not the column's own; else NULL. */
const char *into_key_collation(const struct etl_load *, size_t key);
/* FROM temp.etlrun_rows_N AS c CROSS JOIN staged.t AS s …: the staged rows of one kind. */
void into_add_rows(struct etl_text *, const struct etl_load *, bool is_new);

/* into-design.c */
int into_design(struct design *);
/* into-moves.c: rows that give each other a unique value. EXCEPT the key's own uniqueness: what the target has
 * beyond it. */
int into_design_moves_out(struct design *);
int into_design_moves_in(struct design *);

#define INTO_UNIQUE "unique check" /* the kind of the steps */

/* into-unique.c */
/* With the table in which the rows wait as the design's table: generated columns are there if they can be computed. */
int into_design_screens(struct design *);

/* into-screen.c */
int into_screen(struct etl_instance *, const struct etl_load *, const struct etl_step *,
		struct etl_found_sink *, struct etl_error *);
void into_detach_target(struct etl_instance *);

/* into-commit.c */
int into_commit(struct etl_instance *, const struct etl_commit *, struct etl_error *);
/* Keeps the pipeline's own SQL for the transaction. */
int into_keep_sql(struct etl_instance *, const struct etl_step *, struct etl_error *);

/* The largest rowid before the rows came, where new ones are given above it. */
struct into_most {
	bool known;
	int64_t rowid;
};

/* A commit under way. */
struct into {
	struct etl_instance *inst;
	const struct etl_commit *commit;
	const struct etl_load *load; /* the one at hand */
	size_t at;		     /* its place in the commit */
	struct etl_outcome outcome;  /* of it */
	bool looked;		     /* at who may become an orphan by it */
	struct into_most *most;	     /* undo.c: for each load */
	struct etl_slices *slices;   /* beside the loads: which rows are in this batch; NULL: all at once */
	sqlite3 *db;
	struct etl_error *err;
};
int into_no_memory(struct into *);
/* Runs statements; what SQLite says of a row is told as the table's refusal. */
int into_run(struct into *, const char *sql);

/* into-batch.c: a run that is published in batches */
/* Finds which rows are in this one: n->slices, which the caller frees. */
int into_slice(struct into *);
/* It is the first, or the last, or the only one. */
bool into_is_first(const struct into *);
bool into_is_last(const struct into *);
/* Whether rows of the load at AT come or go in it. */
bool into_has_rows(const struct into *, size_t at);
/* " AND …": of the rows of the load at hand, called ALIAS ("s."), those of this batch. */
void into_add_slice(struct etl_text *, const struct into *, enum etl_slice_kind, const char *alias);
/* A statement that lists rows by a condition, at its end, of the staged rows s, or of the target's rows t that go. */
int into_run_sliced(struct into *, const char *sql, bool gone);
/* Fills the outcomes, and the end, of one that was committed already. */
int own_find_batch(struct etl_instance *, sqlite3 *, const struct etl_commit *, bool *ret_found, struct etl_error *);
int into_record_batch(struct into *);

/* into-orphans.c */
/* Before the rows are written: what was broken already, and who may lose a parent. */
int into_orphans_before(struct into *);
/* After all tables are written. */
int into_orphans_after(struct into *);

/* "id=3" of the row that the statement stands on, from column FROM on. */
void into_add_key_words(struct etl_text *, sqlite3_stmt *, int from);
/* into-lost.c */
int into_note_lost(struct into *);
int into_check_children(struct into *);

/* own.c: what etlrun itself keeps in a target */
/* Is a table one of them? One of somebody else may have a name that begins alike. */
bool own_is(const char *name);
/* Makes the tables, or fails when they are of another version. */
int own_make(struct etl_instance *, sqlite3 *, struct etl_error *);
/* Fills the outcomes of a commit that was published already; *ret_found says whether it was. */
int own_find(struct etl_instance *, sqlite3 *, const struct etl_commit *, bool *ret_found,
	     struct etl_error *);
/* Of one run; 0: not known here; 1: published; 2: taken back already. */
int own_run_state(struct etl_instance *, sqlite3 *, const char *run, int64_t *ret, struct etl_error *);
/* It made the file. */
int own_is_made_by(struct etl_instance *, sqlite3 *, const char *run, bool *ret, struct etl_error *);
int own_record(struct etl_instance *, sqlite3 *, const struct etl_commit *, struct etl_error *);

/* digest.c */
/* Adds the hash of the row that STMT stands on: its columns from FROM on, type and bytes. */
void own_digest(sqlite3_stmt *, int from, uint64_t *sum);
/* … and only so many of them. */
void own_digest_some(sqlite3_stmt *, int from, int count, uint64_t *sum);
/* revert.c: takes a run back that own.c knows; *ret_known: it does. */
int into_revert(struct etl_instance *, const char *run, bool *ret_known, struct etl_error *);

/* into-changed.c */
/* What a run kept of the rows that a merge changed; names are quoted, "a", "b". */
struct into_undone {
	const char *run;
	long long load;
	const char *name; /* the table */
	const char *keys, *columns;
};
/* Into the log which of those rows somebody changed since. */
int into_tell_changed(struct etl_instance *, sqlite3 *, const struct into_undone *, struct etl_error *);

/* undo.c */
/* "a", "b": the columns of the target's table that are stored, as its statement has them now. */
int undo_columns(struct etl_instance *, sqlite3 *, const char *table, struct etl_text *ret,
		 size_t *ret_count, struct etl_error *);
/* A name of the rowid that no column hides and none is an alias of; NULL: none. */
int undo_rowid(struct etl_instance *, sqlite3 *, const char *table, const char **ret,
	       struct etl_error *);
/* The digest of the rows that a query gives. */
int undo_digest(struct etl_instance *, sqlite3 *, const char *sql, int64_t *ret_rows,
		int64_t *ret_digest, struct etl_error *);
/* Emits the steps that keep what merge changes. */
int undo_design(struct design *);
/* What a load must remember to be taken back: before its rows are written, and after all are. */
int undo_before(struct into *);
int undo_after(struct into *);
/* Only so many runs keep theirs. */
int undo_prune(struct etl_instance *, sqlite3 *, const char *pipeline, struct etl_error *);

#endif
