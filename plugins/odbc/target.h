/*
 * The staging place: ordinary tables in the target's own schema, "_etlrun_RUN_TABLE", called by the token
 * "_etlrun_RUN". Not every server can move a table from one schema to another (Babelfish cannot), and every one can
 * rename it. Work is done in a transaction each. Beside the staged tables there are, in the default schema,
 *
 *	_etlrun_runs(run, pipeline, published, kept, state)	what was published
 *	_etlrun_loads(run, load, inserted, updated, unchanged, deleted)
 *	_etlrun_stages(stage, load, pipeline, schema_name, table_name)	staged tables that are there
 *	_etlrun_units(stage, unit)			pieces of work that are done
 *	_etlrun_tables(run, load, how, schema_name, table_name, object, row_count, digest, xact,
 *	  touched, key_count, kept)
 *							what a published run did to each table, as it was then (undo.h)
 *	_etlrun_again(run, n, sql)			what makes again what was taken from tables that are kept
 */
#ifndef ODBC_TARGET_H
#define ODBC_TARGET_H

#include "dialect.h"

#define STAGE_PREFIX "_etlrun_"

/* ---- transaction.c */
int odbc_begin_work(struct etl_instance *, struct etl_error *);
/* The same; and a server that takes the transaction back at a row, and goes on with the rows behind it, which a driver may have sent
 * already, puts those in another one, which nobody commits. `lets_go` of the dialect ends that. */
int odbc_begin_held_work(struct etl_instance *, struct etl_error *);
/* Ends it: with RC 0 it commits, else it takes all back; returns how that ended. */
int odbc_end_work(struct etl_instance *, int rc, struct etl_error *);
/* Is the transaction that was begun still there? A server may have taken all back on its own. */
int odbc_check_work(struct etl_instance *, struct etl_error *);
/* A point within it to which one may go back. */
int odbc_savepoint(struct etl_instance *, struct etl_error *);
/* Past it: a server keeps something for each that is not forgotten. */
int odbc_release_savepoint(struct etl_instance *, struct etl_error *);
int odbc_back_to_savepoint(struct etl_instance *, struct etl_error *);

/* In a transaction that was begun, of a run: the server's own end of it is noticed by the check, and nothing that comes behind it
 * stays. _etlrun_again is there. In any case it ends with odbc_let_go_of_work, behind the transaction. */
int odbc_mark_work(struct etl_instance *, const char *run, struct etl_error *);
int odbc_check_mark(struct etl_instance *, const char *run, struct etl_error *);
void odbc_let_go_of_work(struct etl_instance *);

/* ---- lock.c */
/* What keeps other writers from OWN, as it stands in SQL, until the transaction ends; nothing: it needs none. */
void odbc_add_lock_rows(struct etl_text *, const struct etl_instance *, const char *own);

/* ---- state.c */
/* The tables of the state are there. */
int odbc_state_prepare(struct etl_instance *, struct etl_error *);
/* "dbo"."_etlrun_runs". */
void odbc_add_own(struct etl_text *, const struct etl_instance *, const char *name);
/* A text constant. */
void odbc_add_literal(struct etl_text *, const struct etl_instance *, const char *text);
int odbc_state_is_published(struct etl_instance *, const char *run, bool *ret, struct etl_error *);
/* NULL when there is none. */
void odbc_add_literal_or_null(struct etl_text *, const struct etl_instance *, const char *text);
/* KEPT: where the old generation is, or "". */
int odbc_state_write(struct etl_instance *, const struct etl_commit *, const char *kept, struct etl_error *);
int odbc_state_read(struct etl_instance *, const struct etl_commit *, struct etl_error *);
int odbc_recall(struct etl_instance *, const char *pipeline, struct etl_state_sink *,
		struct etl_error *);

/* ---- stage.c */
/* The rows go into tables that stay. */
bool odbc_is_into(const struct etl_load *);
/* The schema into which the table goes; NULL: the server has none, or it was not asked yet which it is. */
const char *odbc_place_of(struct etl_instance *, const struct etl_table *);
/* The token of a run's staging place. */
void odbc_stage_of_run(const char *run, struct etl_token *ret);
/* The name of a staged table; BUF has ODBC_NAME_ROOM bytes. */
const char *odbc_stage_name(const struct etl_instance *, const char *stage, const char *table, char *buf);
/* [schema].[_etlrun_RUN_TABLE]. */
void odbc_add_staged(struct etl_text *, struct etl_instance *, const struct etl_load *,
		     const struct etl_token *);
/* The load's staged tables are in the list, so that whoever comes later can drop it. */
int odbc_note_staged(struct etl_instance *, const struct etl_load *, const struct etl_token *,
		     struct etl_error *);
int odbc_begin(struct etl_instance *, const struct etl_load *, struct etl_token *ret,
	       struct etl_error *);
int odbc_abort(struct etl_instance *, const struct etl_load *, const struct etl_token *,
	       struct etl_error *);
int odbc_staged(struct etl_instance *, const struct etl_load *, const struct etl_token *,
		struct etl_dataset_sink *, struct etl_error *);
/* Is there such a table? */
int odbc_is_there(struct etl_instance *, const char *schema, const char *name, bool *ret,
		  struct etl_error *);

/* ---- names.c: BUF has ODBC_NAME_ROOM bytes */
bool odbc_fits_name(const struct etl_instance *, const char *name);
/* A name of which the server does not cut the end off. */
const char *odbc_short_name(const struct etl_instance *, const char *name, char *buf);
/* BEFORE NAME BEHIND, likewise. */
const char *odbc_join_name(const struct etl_instance *, const char *before, const char *name, const char *behind, char *buf);
enum odbc_constraint { ODBC_PRIMARY, ODBC_UNIQUE, ODBC_FOREIGN, ODBC_CHECK };
/* What the Ith constraint of a kind will be called: as in the source, or as the server's tools would. */
const char *odbc_constraint_name(const struct etl_instance *, const struct etl_table *, enum odbc_constraint, size_t i,
				 char *buf);
/* What a constraint, an index of the load's table is called until the table is published. */
const char *odbc_key_name(const struct etl_instance *, const struct etl_load *, const char *name, char *buf);
const char *odbc_index_name(const struct etl_instance *, const struct etl_load *, const char *name, char *buf);
/* The table is where it belongs: so are the names of its keys and indexes. */
int odbc_rename_keys(struct etl_instance *, const struct etl_load *, struct etl_error *);

/* ---- restage.c */
/* SQL with the names of staged tables in the place of those that they will have; *RET is to be freed. A name with spaces
 * around its dot is left as it is: the table that is published. */
int odbc_restage(struct etl_instance *, const struct etl_token *, const char *sql, char **ret, struct etl_error *);
/* What is known of the stage is no longer so. */
void odbc_forget_stage(struct etl_instance *);

/* ---- screen.c */
/* FROM: the staged table and the condition of the rows that are looked for. */
int odbc_screen(struct etl_instance *, const struct etl_load *, const struct etl_token *, const struct etl_step *,
		const char *from, struct etl_found_sink *, struct etl_error *);

/* ---- lost.c */
/* What goes with a table without a word: "trigger t, permission SELECT of r"; appended. */
int odbc_list_hung(struct etl_instance *, const char *schema, const char *name, struct etl_text *ret, struct etl_error *);
int odbc_refuse_lost(struct etl_instance *, const struct etl_load *, struct etl_error *);
/* Foreign keys of tables that stay refer to one that goes. */
int odbc_refuse_referred(struct etl_instance *, const struct etl_load *, struct etl_error *);

/* ---- trust.c */
/* The constraints that were made are such as the server looked at every row for. */
int odbc_check_trust(struct etl_instance *, const struct etl_commit *, struct etl_error *);

/* ---- foreign.c */
/* Every foreign key that the table has. */
int odbc_drop_foreign_keys(struct etl_instance *, const char *schema, const char *name, struct etl_error *);
/* The same for who has an answer to a failure: false, and SAID has what was said; its words are the caller's to free. */
bool odbc_try_drop_foreign_keys(struct etl_instance *, const char *schema, const char *name, struct odbc_said *said);

/* ---- identity.c */
int odbc_identity_insert(struct etl_instance *, const struct etl_load *, const struct etl_token *, bool on,
			 struct etl_error *);

/* ---- units.c */
int odbc_mark(struct etl_instance *, const struct etl_token *stage, struct etl_token *ret,
	      struct etl_error *);
int odbc_since(struct etl_instance *, const struct etl_token *stage, const struct etl_token *mark,
	       int32_t *ret, struct etl_error *);
/* Is what note_unit wrote in this transaction there still? */
int odbc_check_unit(struct etl_instance *, struct etl_error *);
/* Writes down, in the transaction under way, the unit that the last mark was for. */
int odbc_note_unit(struct etl_instance *, struct etl_error *);
/* … and that a split of a load is there: a second time it fails. */
int odbc_note_split(struct etl_instance *, const struct etl_token *stage, uint64_t load, uint64_t split, struct etl_error *);
/* It may be brought again. */
int odbc_forget_split(struct etl_instance *, const struct etl_token *stage, uint64_t load, uint64_t split, struct etl_error *);
/* … and that rows of a load were rejected, so that not everything that the source has was staged. Of such a table a merge
 * deletes nothing. */
int odbc_note_taken(struct etl_instance *, const struct etl_token *stage, uint64_t load, struct etl_error *);
int odbc_was_taken(struct etl_instance *, const struct etl_token *stage, uint64_t load, bool *ret, struct etl_error *);

/* ---- design.c */
/* The type that a column of TABLE has in the target: its own words in a table that is there, else the dialect's. What the
 * tables decide together must have been worked out (odbc_layout). */
void odbc_add_type(struct etl_text *, const struct etl_instance *, const struct etl_table *,
		   const struct etl_column *, int32_t *verdict, struct etl_text *note);

/* ---- repair.c */
int odbc_repair(struct etl_instance *, const struct etl_repair *, struct etl_sql_sink *, struct etl_error *);

/* ---- design.c, apply.c, load.c, publish.c */
int odbc_design(struct etl_instance *, const struct etl_table *, const struct etl_load *,
		struct etl_step_sink *, struct etl_error *);
int odbc_apply(struct etl_instance *, const struct etl_load *, const struct etl_token *,
	       const struct etl_step *, struct etl_found_sink *, struct etl_error *);
int odbc_load(struct etl_instance *, const struct etl_load *, const struct etl_token *,
	      const struct etl_part *, struct ArrowArrayStream *, struct etl_stats *ret,
	      struct etl_error *);
int odbc_commit(struct etl_instance *, const struct etl_commit *, struct etl_error *);
int32_t odbc_takes(const struct etl_column *);

#endif
