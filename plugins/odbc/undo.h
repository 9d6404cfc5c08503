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
 *	swapped		its rows were replaced, and not kept
 *	appended	rows went into a table that stays; `kept` is the table that knows them (keep-rows.c); NULL: none does
 *	merged		likewise
 *	taken back	(load -1) all of it was
 */
#ifndef ODBC_UNDO_H
#define ODBC_UNDO_H

#include "same.h"
#include "target.h"

#define UNDO_OLD "_etlrun_old_"

/* As the transaction of a table that was made: all its rows are known by their digest. And a condition that says so to
 * odbc_look_at, which without one knows a whole table by less where it can. */
#define UNDO_BY_DIGEST (-1)
#define UNDO_EVERY_ROW "1 = 1"

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

/* keep-rows.c */
/* By which columns the rows of an append or a merge are known; *RET_COUNT 0: they are not, and cannot be taken back. */
const char *const *odbc_undo_key(const struct etl_instance *, const struct etl_load *, size_t *ret_count);
/* "_etlrun_undo_RUN_N"; BUF has ODBC_NAME_ROOM bytes. */
void odbc_undo_name(const struct etl_instance *, const struct etl_load *, char *buf);
/* A table whose rows are known: names as they stand in SQL. */
struct odbc_undone {
	const char *own, *undo;
	const char *const *key;
	size_t key_count;
};
/* A condition on OWN: its row is in the undo table as one of OPS, "'i', 'u'". */
void odbc_undo_add_rows(struct etl_text *, const struct etl_instance *, const struct odbc_undone *, const char *ops);

/* keep-tsql.c, of tables whose numbers OBJECTS lists, "1, 2": notes and carries out what takes the names of their
 * constraints, and their keys to tables beside these, away. */
int odbc_keep_tsql(struct odbc_publishing *, const struct etl_load *, const char *objects);
/* Adds to _etlrun_again. */
int odbc_note_again(struct odbc_publishing *, const char *sql);

/* revert.c */
enum {
	UNDO_LOAD, UNDO_HOW, UNDO_SCHEMA, UNDO_TABLE, UNDO_OBJECT, UNDO_ROWS, UNDO_DIGEST, UNDO_XACT, UNDO_TOUCHED, UNDO_KEYS,
	UNDO_KEPT, UNDO_COLUMNS
};
struct odbc_reverting {
	struct etl_instance *inst;
	const char *run;
	struct etl_error *err;
	struct odbc_rows tables; /* of _etlrun_tables, by their load */
	char old[ODBC_NAME_ROOM];  /* the generation's name */
};
static inline const char *undo_at(const struct odbc_reverting *r, size_t i, int column)
{
	return odbc_row_text(&r->tables, i, (size_t)column);
}
static inline bool undo_is(const struct odbc_reverting *r, size_t i, const char *how)
{
	return strcmp(undo_at(r, i, UNDO_HOW), how) == 0;
}
/* An append or a merge that wrote rows. */
static inline bool undo_has_rows(const struct odbc_reverting *r, size_t i)
{
	return (undo_is(r, i, "appended") || undo_is(r, i, "merged")) && odbc_row_number(&r->tables, i, UNDO_TOUCHED) > 0;
}
int odbc_fail_changed(struct odbc_reverting *, size_t i);
/* A statement, which is freed, to which what was written since may stand in the way. WHAT: a table, or NULL. */
int odbc_run_back(struct odbc_reverting *, struct etl_text *sql, const char *what);

/* revert-rows.c */
/* May the rows of load I go? Nobody else writes to the table any more. */
int odbc_check_rows(struct odbc_reverting *, size_t i);
/* They go, and those that were there before come, of all loads. */
int odbc_revert_rows(struct odbc_reverting *);

int odbc_revert(struct etl_instance *, const char *run, const struct etl_token *seal, struct etl_error *);

#endif
