/*
 * append and merge: rows that go into tables which stay. They wait in the staging schema, in a table of the target's
 * shape; then the transaction that publishes takes them over. The statements come from design, which plan prints.
 *
 * In a statement the target's table stands with its schema, and the staged one as pg_temp."_etlrun_new_N" (N: the number
 * of the load), a view that has its rows and, as _etlrun_row, where they stand. What is worked out on the way is in
 * temporary tables:
 *
 *	_etlrun_rows_N(at, was, was_in)	staged rows that are new (was NULL) or differ from the target's row at was
 *	_etlrun_gone_N(was, was_in)	rows of the target that the source has no longer
 *	_etlrun_room_N(was, was_in)	of these, the ones that go before other rows come
 *	_etlrun_out_N(was, was_in, …)	rows of which a column is NULL for a moment
 *
 * Rows are found by ctid and tableoid: the table is locked against all other writers, and has partitions maybe.
 *
 * Two rows are the same when the host's row hash says so: 1.0 is 1.00, and -0.0 is 0.0. A text, and whatever else has no
 * such form, is compared byte for byte in its text form, not as a collation or citext sees it.
 */
#ifndef POSTGRES_INTO_H
#define POSTGRES_INTO_H

#include "batch.h"
#include "design.h"
#include "publish.h"

#define INTO_NEW  "pg_temp.\"_etlrun_new_%llu\""
#define INTO_ROWS "pg_temp.\"_etlrun_rows_%llu\""
#define INTO_GONE "pg_temp.\"_etlrun_gone_%llu\""
#define INTO_ROOM "pg_temp.\"_etlrun_room_%llu\""
#define INTO_OUT  "pg_temp.\"_etlrun_out_%llu\""
/* Which rows t are in one of them. */
#define INTO_IN(list) " JOIN " list " AS g ON t.ctid = g.was AND t.tableoid = g.was_in"
/* In the stage: keys of rows that were rejected there; they are in the source still. */
#define INTO_KEPT "_etlrun_kept_%llu"
/* In the stage: keys of rows that go, where the run names them. */
#define INTO_GOES "_etlrun_goes_%llu"
/* In the stage: the pipeline's own SQL, to be run in the transaction. */
#define INTO_SQL "_etlrun_sql"

static inline const struct etl_column *into_column(const struct etl_table *t, size_t i)
{
	return ETL_AT(const struct etl_column, t->columns, t->column_size, i);
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

/* A merge in which all rows are new, and nothing goes: the table has none. What undo needs is found by meeting rows. */
static inline bool into_is_fresh(const struct publish_part *part)
{
	return part->empty && into_merges(part->load) && !(part->load->run->flags & ETL_RUN_UNDO);
}

/* ---- into-sql.c: pieces of statements about one load */
const struct etl_column *postgres_into_find(const struct etl_table *, const char *name);
/* Its values are given, and not computed. */
bool into_comes(const struct etl_column *);
/* "schema"."table" */
void into_add_live(struct etl_text *, const struct etl_instance *, const struct etl_load *);
/* A.k1 = B.k1 AND … */
void postgres_into_add_match(struct etl_text *, const struct etl_load *, const char *a, const char *b);
/* The columns that come, each behind PREFIX ("s." or ""): how many. */
size_t postgres_into_add_columns(struct etl_text *, const struct etl_load *, const char *prefix);
void postgres_into_add_key(struct etl_text *, const struct etl_load *, const char *prefix);
/* The columns of the target's table that are stored as they are given. */
size_t into_add_stored(struct etl_text *, const struct etl_table *, const char *prefix);
/* What SET writes: not what equal keys have equal anyway. */
bool postgres_into_sets(const struct etl_load *, const struct etl_column *);
/* (t and s are not the same row); "false" when nothing can differ. */
void postgres_into_add_differs(struct etl_text *, const struct etl_load *);
/* (t is marked as deleted). Only with a delete_column, and so are the next two. */
void postgres_into_add_marked(struct etl_text *, const struct etl_load *);
/* "c" = …: the mark of a row that is gone, and of one that is in the source again. */
void into_add_mark(struct etl_text *, const struct etl_load *);
void into_add_unmark(struct etl_text *, const struct etl_load *);

/* ---- into-design.c */
/* The steps beside design-stays.c: what waits for the screens, and what publishes. */
int postgres_into_design(struct design *);

/* ---- into-unique.c: unique values that rows of the target give up to others */
/* Emits the steps that make room: a row that goes, and rows that give each other a value. */
int into_design_room(struct design *);

/* ---- into-commit.c */
/* A table of the run, and its _etlrun_gone_N when it has one. */
struct into_table {
	const char *oid;
	uint64_t number;
	bool has_gone;
};
/* A commit under way. */
struct into {
	struct publishing *p;
	const struct publish_part *part; /* the one at hand */
	size_t at;			 /* its place in the commit */
	struct etl_outcome *done;	 /* beside the loads */
	struct into_table *tables;	 /* beside them too */
	uint64_t in_the_way;		 /* rows that go before others come */
};
/* Rows of the part come or go now. */
static inline bool into_takes_part(const struct into *n, size_t at)
{
	return n->p->parts[at].how == PUBLISH_INTO && (!n->p->slices || etl_slices_any(&n->p->slices[at]));
}
/* The rows of every load whose table stays; nothing when there is none. */
int into_publish(struct publishing *);
/* When all else is in its place: the pipeline's own SQL, and constraints that were deferred. */
int into_finish(struct publishing *);
/* A statement of the transaction; what the server says of a row is told as the table's refusal. *RET: the rows that it
 * wrote; it may be NULL. */
int postgres_into_run(struct into *, const char *sql, uint64_t *ret);
/* The same of a text that is freed. */
int into_run_text(struct into *, struct etl_text *sql);

/* ---- into-views.c: of the load at hand */
int into_prepare(struct into *);
int into_clear(struct into *);

/* ---- into-children.c */
/* Rows t of a table whose children are looked for. */
struct into_parents {
	const char *oid, *which; /* INTO_IN (…): which of its rows */
	/* NULL: the rows go. Else the columns that change, "{a,b}": what counts are keys that hand this on to the
	 * children, ON UPDATE CASCADE and the like. */
	const char *columns;
	const char *now;   /* then what has the new values, as WHICH calls it, "s"; NULL: they become NULL */
	const char *going; /* the list of those children that go themselves, "gone"; NULL: all count */
};
enum into_whose {
	INTO_ANYBODYS,
	INTO_OTHERS, /* of tables that are not in the list */
	INTO_BROUGHT /* of those in it */
};
struct into_children {
	int64_t rows;
	char *table, *first; /* the caller's: "line", "t=4" */
	bool brought;
};
/* The first table that has such children; rows 0: there is none. From here on nobody can bring another. */
int into_find_children(struct etl_instance *, const struct into_table *list, size_t count,
		       const struct into_parents *, int whose, struct into_children *ret,
		       struct etl_error *);
void into_children_free(struct into_children *);
/* Children that go themselves go with them: from _etlrun_gone_N into _etlrun_room_N. *RET grows by their number. */
int into_call_children(struct etl_instance *, const struct into_table *list, size_t count,
		       const struct into_parents *, uint64_t *ret, struct etl_error *);

/* ---- into-bereft.c: of the part at hand; whoever is bereft fails the run */
/* Rows of it go that the source has no longer, really. */
bool into_deletes(const struct publish_part *);
/* Before they go: of their children, WHOSE (enum into_whose). */
int into_check_gone(struct into *, int whose);
/* Before the update: children whose foreign keys would hand it on to them. */
int into_check_changed(struct into *);
/* … and the statement "move out" of STEP, which makes a value NULL for a moment. */
int into_check_out(struct into *, const struct etl_step *);
/* What goes before the rows come takes its children with it, as far as they go too; nobody else may be one. */
int into_call(struct into *);

/* ---- into-rebuild.c: keys and indexes of tables that have no rows yet */
/* Takes away what can be made again as it was; *RET: what makes it again, or NULL: nothing is away. It is the caller's. */
int into_take_keys(struct into *, PGresult **ret);
/* When all rows are there. */
int into_make_keys(struct into *, const PGresult *taken);

/* ---- into-own.c */
/* Keeps the pipeline's own SQL for the transaction; runs it there. */
int postgres_into_keep_sql(struct etl_instance *, const struct etl_load *, const struct etl_token *,
		  const struct etl_step *, struct etl_error *);
int into_run_kept(struct into *, int32_t phase);
/* In screen.c's place: the keys of the rows in _etlrun_found. */
int into_keep_keys(struct etl_instance *, const struct etl_load *, const struct etl_token *,
		   struct etl_error *);
/* Counters go on behind the rows that came, never back. */
int into_set_counters(struct into *);

/* ---- undo.c: what a run keeps to be taken back */
/* Emits the step that keeps what merge changes. */
int postgres_undo_design(struct design *);
/* "_etlrun"."undo_RUN_N" */
void undo_add_name(struct etl_text *, const char *run, uint64_t number);
/* What every load did, and only so many runs keep their rows: inside the publishing transaction. */
int undo_record(struct publishing *);

/* ---- revert.c */
int postgres_revert(struct etl_instance *, const char *run, const struct etl_token *seal,
		    struct etl_error *);

#endif
