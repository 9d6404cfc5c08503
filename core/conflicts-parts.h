/*
 * What the files of conflicts share: what is known of a job (conflicts.c), rows that come (conflict-step.c) and that did not
 * (conflict-gone.c), both ends of a row as people read them (conflict-rows.c), what is kept of it (conflict-keep.c).
 */
#ifndef CORE_CONFLICTS_PARTS_H
#define CORE_CONFLICTS_PARTS_H

#include <pthread.h>

#include "changes-set.h"
#include "conflict-spool.h"
#include "conflicts.h"
#include "kept.h"

/* Splits of notes beside those of the source, counted from the number of its splits. */
enum { SPLIT_GONE, SPLIT_SETTLED, CONFLICT_SPLITS };

struct conflicts {
	const struct conflict_rule *rule;
	char *name;	  /* as which its pieces are kept */
	int64_t newest;	  /* a column of job->rows, or -1 */
	int64_t skew;	  /* microseconds; 0 where the column is no time */
	uint64_t columns; /* of which the hashes are */
	struct changes_set *last; /* hashes as they were synced; NULL outside of conflicts_open and conflicts_close */
	struct changes_set *parked; /* by the hash of a key parked_mark of the row; met: it is still */
	bool others; /* hashes of other columns were kept, and say nothing */
	bool sure; /* every row of both ends was seen */
	struct conflict_spool *spool;
	pthread_mutex_t mutex; /* of what follows */
	struct conflict_counts *counts; /* beside the splits and CONFLICT_SPLITS more */
	size_t count_room;
	uint64_t *refused;
	size_t refused_count, refused_room;
};

/* The hashes of a row; 0: it is not there. */
struct conflict_ends {
	uint64_t source, target, last;
};
static inline uint64_t conflict_hash(uint64_t row)
{
	return row ? row : 1;
}

enum conflict_verdict {
	VERDICT_SAME,
	VERDICT_GOES,
	VERDICT_STAYS,	  /* the target alone changed it, or has it alone */
	VERDICT_SETTLED,  /* … is to have it, and the source's version is known: decided, by the policy or by resolve */
	VERDICT_OVERRIDES, /* the source's, decided likewise */
	VERDICT_NEWEST,	  /* the two moments decide */
	VERDICT_PARKS
};
int conflict_judge(const struct conflicts *, uint64_t key, const struct conflict_ends *, enum conflict_verdict *ret,
		   struct etl_error *);
/* One that cannot be decided. *RET_NEW: it was not parked before; *RET_SAME: as it is now. */
int conflict_park(struct conflicts *, uint64_t key, const struct conflict_ends *, bool *ret_new, bool *ret_same,
		  struct etl_error *);
int conflict_find(const struct changes_set *, uint64_t key, uint64_t *ret, struct etl_error *);
/* Adds MORE to the counts of a split. */
void conflict_count(struct conflicts *, uint64_t split, const struct conflict_counts *more);

/* ---- Parked rows. bytes: the two hashes and the choice, little-endian. */
enum conflict_choice { CHOICE_NONE, CHOICE_SOURCE, CHOICE_TARGET };
#define PARKED_BYTES 24
void parked_put(uint8_t ret[PARKED_BYTES], uint64_t source, uint64_t target, uint64_t choice);
bool parked_get(const struct kept_piece *, uint64_t *ret_source, uint64_t *ret_target, uint64_t *ret_choice);
uint64_t parked_mark(uint64_t source, uint64_t target, uint64_t choice);

/* ---- conflict-rows.c */
/* A row as two ends have it: where it stands in a batch of either; -1: it is not there. */
struct conflict_sides {
	const struct etl_view *source, *target;
	int64_t source_row, target_row;
};
void conflict_add_words(struct etl_text *, const struct job *, const struct conflict_sides *);
/* When a row was changed, by its column newest. False: it does not say. */
bool conflict_moment(const struct conflicts *, const struct etl_view *, int64_t row, int64_t *ret);
/* Reads rows of the target by their keys, on a connection of its own. */
struct conflict_look;
struct conflict_look *conflict_look_new(const struct flow_setup *, struct job *);
void conflict_look_free(struct conflict_look *);
/* Those with the keys of the ROWS of BATCH, whose first columns are those of job->rows; calls EACH for each that is there. */
int conflict_look_up(struct conflict_look *, const struct ArrowSchema *schema, const struct ArrowArray *batch, const int64_t *rows,
		     size_t count,
		     int (*each)(void *data, uint64_t key, const struct etl_view *, int64_t row, struct etl_error *), void *data,
		     struct etl_error *);

#endif
