/*
 * Taking published runs back. Where on_existing = "replace" meets keep_old, old tables go out of the way instead of away:
 * in PostgreSQL into a schema of their own, "_etlrun_old_RUN", in T-SQL, which has no way to move them that every server
 * takes, under names of their own, "_etlrun_old_RUN_TABLE", and so are their constraints called. Foreign keys to tables
 * that live on are cut, and _etlrun_again has what makes them again, and what gives constraints their names back.
 *
 * _etlrun_tables says how each load's table came to be what it is:
 *
 *	made		there was none; it goes again
 *	replaced	`kept` is the name of the old one, which comes back; NULL: it was not kept
 *	swapped, into	rows went into a table that stays; none of them can be taken back
 *	taken back	(load -1) all of it was
 */
#ifndef ODBC_UNDO_H
#define ODBC_UNDO_H

#include "same.h"
#include "target.h"

#define UNDO_OLD "_etlrun_old_"

/* A run that is being published. */
struct odbc_publishing {
	struct etl_instance *inst;
	const struct etl_commit *commit;
	struct etl_error *err;
	struct odbc_content *contents; /* beside the loads: of staged tables that are to be moved */
	char kept[ODBC_NAME_ROOM];     /* where the old generation goes, or "" */
	int again;		       /* statements that were noted */
};

static inline bool odbc_moves(const struct etl_load *load)
{
	return load->table->kind == ETL_TABLE && !odbc_is_into(load);
}

/* keep.c */
/* Refuses what this dialect cannot keep. */
int odbc_refuse_keeping(struct etl_instance *, const struct etl_run *, struct etl_error *);
/* What the staged tables hold; before the transaction, for it may take a while. */
int odbc_look_at_staged(struct odbc_publishing *);
/* The old tables out of the way, or away. DROP drops them: the server says what would go with them. */
int odbc_keep_old(struct odbc_publishing *, int (*drop)(struct odbc_publishing *));
/* What the run did to its tables. */
int odbc_note_tables(struct odbc_publishing *);
/* drop-older.c */
/* After the run was published: generations of the pipeline that are more than it keeps go. That they cannot is told, and no
 * failure. */
void odbc_drop_older(struct etl_instance *, const struct etl_run *);
/* "_etlrun_old_RUN", and the name under which RUN kept TABLE; BUF has ODBC_NAME_ROOM bytes. */
void odbc_generation_name(const char *run, char *buf);
const char *odbc_kept_name(const struct etl_instance *, const char *run, const char *table, char *buf);

/* keep-tsql.c, of tables whose numbers OBJECTS lists, "1, 2": notes and carries out what takes the names of their
 * constraints, and their keys to tables beside these, away. */
int odbc_keep_tsql(struct odbc_publishing *, const struct etl_load *, const char *objects);
/* Adds to _etlrun_again. */
int odbc_note_again(struct odbc_publishing *, const char *sql);

/* revert.c */
int odbc_revert(struct etl_instance *, const char *run, const struct etl_token *seal, struct etl_error *);

#endif
