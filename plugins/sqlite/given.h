/*
 * target.schema_file: DDL of the target's own. It is run in a database in memory, which an instance keeps: what it made
 * there is what the run makes in the staging file, by the same words.
 */
#ifndef SQLITE_GIVEN_H
#define SQLITE_GIVEN_H

#include "design.h"
#include "stage.h"

/* given.c */
bool sqlite_given_asked(const struct etl_instance *);
/* The file as it is named in messages. */
const char *sqlite_given_path(const struct etl_instance *);
/* What the file made, as `describe` calls it; last an ETL_DATABASE with the settings that the file set. */
int sqlite_given_each(struct etl_instance *, struct etl_table_sink *, struct etl_error *);

/* *RET: the file sets journal_mode = wal. */
int sqlite_given_wants_wal(struct etl_instance *, bool *ret, struct etl_error *);

/* Of a table that gets rows: one that can take none is refused, with the line in which it is made. */
int sqlite_given_check(struct etl_instance *, const char *table, struct etl_error *);

#define GIVEN_PLACES "etlrun_places" /* (name, line), in the temporary part of the database in memory */

/* given-run.c: runs the statements of TEXT in DB, an empty database. SETTINGS: what it set of the database itself, one
 * PRAGMA a line. PLACES: statements that fill GIVEN_PLACES. */
int sqlite_given_run(struct etl_instance *, sqlite3 *db, const char *text,
		     struct etl_text *settings, struct etl_text *places, struct etl_error *);

/* given-rest.c: what the file makes beside the tables that get rows */
/* The steps for it: of the first load, in copy. */
int sqlite_given_design(struct design *);
/* Before the run's first load is begun: what of it is in the target already. */
int sqlite_given_admit(struct etl_instance *, struct sqlite_stage *, const struct etl_load *,
		       struct etl_error *);
/* Of a step that makes a table or index: *RET: the staging file has it, carried over, by the same words. */
int sqlite_given_is_there(struct etl_instance *, const struct etl_step *, bool *ret,
			  struct etl_error *);

#endif
