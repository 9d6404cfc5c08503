/*
 * The journal of a run that can be taken up: before each piece of work in the staging place a mark
 * of where it stands is written down, and what was counted in a split before the target makes it
 * whole. A later process asks the target what is there after the marks, and leaves out what is.
 *
 * Where a target works in one order (ETL_IN_ORDER) only the last piece of work is in doubt: those before it are
 * there. Else several may be under way, each on its own instance, and each is noted when it is done.
 */
#ifndef CORE_JOURNAL_H
#define CORE_JOURNAL_H

#include "state.h"

/* In the order in which a run comes to them. */
enum unit_kind {
	UNIT_PREPARED = 1, /* everything before the first row; one */
	UNIT_SPLIT,	   /* a split, by its number in the run */
	UNIT_SCREEN,	   /* the whole of that phase; one */
	UNIT_FINISH,	   /* a step of the plan */
	UNIT_LAST,	   /* likewise */
	UNIT_AFTER,	   /* a statement of after_load */
	UNIT_SEAL	   /* what is done before the target changes; one */
};

/* What was counted in a split, so that a run that goes on tells the same at its end. */
struct split_record {
	uint64_t read, passed, filtered, created, merged, rejected, rejected_by_target, bytes,
		staged;
	struct digest digest; /* without the rows that the target refused */
	struct stage_count *stages;
	size_t stage_count;
	const struct noted *noted; /* or NULL */
};

struct journal_unit {
	int32_t kind;
	int64_t number;
	bool done;
	struct etl_token mark; /* before it; in order and when it is done, after it */
	void *data;
	size_t size;
};

struct journal {
	struct state *state; /* NULL: nothing is written down */
	const char *run;
	struct instance *target;
	const struct etl_token *stage;
	bool in_order;
	struct journal_unit *at; /* of the interrupted run, in order: all of them are done */
	size_t count;
};

/* A mark is taken on the instance that does the work. */
int journal_mark(struct instance *target, const struct etl_token *stage, struct etl_token *ret,
		 struct etl_error *);
/* From here on pieces of work are written down. */
void journal_start(struct journal *, struct state *, const char *run, struct instance *target,
		   const struct etl_token *stage, bool in_order);
void journal_free(struct journal *);
/* What the interrupted run did is of no use. */
void journal_forget(struct journal *);

/* Whether the interrupted run did it, as a whole. */
bool journal_has(const struct journal *, int32_t kind, int64_t number);
/* A piece of work begins, is done, has failed and is undone. A step that may have been done all the same has not failed:
 * it stays as begun, and whoever resumes the run asks the target. */
int journal_begin(struct journal *, int32_t kind, int64_t number, const char *name,
		  struct etl_error *);
/* The same by another instance, of a place of its own; the mark is given too. */
int journal_begin_at(struct journal *, struct instance *, const struct etl_token *stage, int32_t kind,
		     int64_t number, const char *name, struct etl_token *ret_mark,
		     struct etl_error *);
int journal_done(struct journal *, int32_t kind, int64_t number, struct etl_error *);
void journal_failed(struct journal *, int32_t kind, int64_t number);

/* A split: its mark is taken before its first row is given, and written after its last one was
 * taken, before the target makes it whole. */
int journal_split_taken(struct journal *, int64_t number, const char *name,
			const struct etl_token *mark, const struct split_record *,
			struct etl_error *);
int journal_split_done(struct journal *, int64_t number, struct etl_error *);
/* Adds what an interrupted run counted in a split to its job. */
int journal_split_restore(const struct journal *, int64_t number, struct job *, struct etl_error *);

/* What is staged is finished, and known by SEAL from now on. */
int journal_sealed(struct journal *, const struct etl_token *seal, struct etl_error *);

/* The screen phase is done: what it took out of which job; and the same again. */
int journal_screen_done(struct journal *, const struct jobs *, struct etl_error *);
int journal_screen_restore(const struct journal *, struct jobs *, struct etl_error *);

/* Where a piece of work was done, and whether doing its second half again changes nothing. */
struct journal_places {
	const struct etl_token *(*stage)(void *data, int32_t kind, int64_t number);
	bool (*repeats)(void *data, int32_t kind);
	void *data;
};

/* Reads what an interrupted run wrote down, and asks the target what of it is there. *ret_usable:
 * false, and the reason is logged: it must be staged anew. */
int journal_read(struct journal *, const struct journal_places *, bool *ret_usable,
		 struct etl_error *);

#endif
