/*
 * The staging place: a schema in the target's database, one for each (run, target schema), called by the token. What
 * is made in it has its final name; publish.c moves it.
 *
 * Beside the run's own tables a stage has
 *
 *	_etlrun_stage(pipeline, run, schema, started)	whose it is; one row
 *	_etlrun_units(unit)				pieces of work that are done (units.c)
 *	_etlrun_splits(load, split, part)		of which transaction the rows of a split are
 *
 * Work is done in a transaction each, with search_path = stage, target schema, public, extensions. A living run holds
 * the session's advisory lock of its stages (sweep.c), on the connection that began.
 *
 * The order in which rows were loaded: a row of _etlrun_splits was written by the very transaction, or
 * subtransaction, that wrote the rows of the split, so
 *
 *	FROM t LEFT JOIN "_etlrun_splits" AS s ON s.xmin = t.xmin AND s.load = INDEX ORDER BY s.split, s.part, t.ctid
 *
 * is the order of the source. Where rows may be rejected later because of a key, splits of a table take turns
 * (turns.c), and ORDER BY ctid is that order too.
 */
#ifndef POSTGRES_STAGE_H
#define POSTGRES_STAGE_H

#include "postgres.h"

#define STAGE_PREFIX	 "_etlrun_"
#define STAGE_OLD_PREFIX "_etlrun_old_"
#define STAGE_OWN	 "\"_etlrun\"" /* the schema of what outlives runs, quoted */

/* What an instance of a target knows of its stages. */
struct postgres_target {
	int backend;			   /* of the connection that has the locks; 0: none */
	char (*held)[POSTGRES_NAME_MAX + 1]; /* stages whose locks it has */
	size_t held_count;
	char **careful; /* staged tables, "stage.name", whose rows the server refused once */
	size_t careful_count;
};

/* ---- stage.c */
/* The rows go into tables that stay: append, merge. */
bool stage_is_into(const struct etl_run *);
/* How the stage of the run for SCHEMA is called, in RET, which has POSTGRES_NAME_MAX + 1 bytes. */
int stage_name(struct etl_instance *, const struct etl_run *, const char *schema, char *ret,
	       struct etl_error *);
/* Connects when it must; the stage is there, and where this instance began it, its lock is held. */
int stage_take(struct etl_instance *, const struct etl_token *, struct etl_error *);
/* Begins a transaction in which names mean the stage's tables first. stage_leave ends it: with RC 0 it writes
 * down the unit of work and commits, else it takes all back; it returns how that ended. */
int stage_enter(struct etl_instance *, const struct etl_load *, const struct etl_token *,
		struct etl_error *);
int stage_leave(struct etl_instance *, int rc, struct etl_error *);
/* "stage", "target", public, …: for SET search_path, in which TABLE (or NULL) and its parents are found. */
void stage_add_path(struct etl_text *, const char *stage, const char *schema,
		    const struct etl_table *table);
/* Ends a transaction that failed, in silence. */
void stage_rollback(struct etl_instance *);
/* Runs MAKE, which begins and commits, where what it makes is not there yet. */
int stage_make_own(struct etl_instance *, int (*is_made)(struct etl_instance *, bool *ret, struct etl_error *), const char *make,
		   struct etl_error *);
/* The run is over: its stages are gone, and so are its locks of them. */
void stage_let_go(struct etl_instance *);
void stage_free(struct etl_instance *);

/* ---- sweep.c */
/* The lock of a stage, for the session. *ret false: another session has it. */
int stage_try_lock(struct etl_instance *, const char *stage, bool *ret, struct etl_error *);
int stage_unlock(struct etl_instance *, const char *stage, struct etl_error *);
/* Waits for a while for a session that is ending. */
int stage_lock(struct etl_instance *, const char *stage, struct etl_error *);
/* Drops a stage with all that is in it, piece by piece when it is much; one that is not there is no failure. */
int stage_drop(struct etl_instance *, const char *stage, struct etl_error *);
/* Drops what runs of this pipeline that died have left behind. */
int stage_sweep(struct etl_instance *, const struct etl_run *, struct etl_error *);
/* Is it the name of a stage, and not of something else? */
bool stage_is_name(const char *name);

/* ---- units.c */
int postgres_mark(struct etl_instance *, const struct etl_token *stage, struct etl_token *ret,
		  struct etl_error *);
int postgres_since(struct etl_instance *, const struct etl_token *stage,
		   const struct etl_token *mark, int32_t *ret, struct etl_error *);
/* Writes down, in the transaction under way, the unit that the last mark was for. */
int units_note(struct etl_instance *, struct etl_error *);

/* ---- The target's functions */
int postgres_begin(struct etl_instance *, const struct etl_load *, struct etl_token *ret,
		   struct etl_error *);
int postgres_load(struct etl_instance *, const struct etl_load *, const struct etl_token *,
		  const struct etl_part *, struct ArrowArrayStream *, struct etl_stats *ret,
		  struct etl_error *);
int postgres_abort(struct etl_instance *, const struct etl_load *, const struct etl_token *,
		   struct etl_error *);
int postgres_staged(struct etl_instance *, const struct etl_load *, const struct etl_token *,
		    struct etl_dataset_sink *, struct etl_error *);
int postgres_apply(struct etl_instance *, const struct etl_load *, const struct etl_token *,
		   const struct etl_step *, struct etl_found_sink *, struct etl_error *);
int postgres_commit(struct etl_instance *, const struct etl_commit *, struct etl_error *);
/* known.c */
int postgres_seal(struct etl_instance *, const struct etl_commit *, struct etl_token *ret, struct etl_error *);
int postgres_sealed(struct etl_instance *, const struct etl_token *seal, int32_t *ret, struct etl_error *);
int postgres_recall(struct etl_instance *, const char *pipeline, struct etl_state_sink *,
		    struct etl_error *);

#endif
