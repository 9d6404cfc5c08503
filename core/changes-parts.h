/*
 * What the files of changes share: the filter of a job and what is gone (changes.c), which rows went on (changes-rows.c), the
 * target's rows (changes-target.c).
 */
#ifndef CORE_CHANGES_PARTS_H
#define CORE_CHANGES_PARTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "changes.h"

struct noted_place {
	struct changes_place place;
	uint32_t nth; /* the try of its split */
};

struct changes {
	pthread_mutex_t mutex; /* of making the set */
	struct changes_set *set; /* NULL: it is made when it is asked for */
	_Atomic uint64_t unknown; /* rows that were rejected, and nobody knows their keys */
	struct noted_place *places; /* of rows that went on, under the mutex, as the next four: those that are not in the file */
	size_t place_count;
	int file; /* or -1 */
	uint64_t written; /* to the file */
	uint32_t *tries; /* by split */
	size_t try_room;
	bool narrow; /* only rows with these keys, sorted, are written */
	uint64_t *only;
	size_t only_count;
	uint64_t *left_out; /* by split, under the mutex: rows that differ and are left as they are */
	size_t split_room;
};

/* What a split gave in a try that failed is forgotten: it is given again. False: no memory. */
bool changes_begin_split(struct changes *, uint64_t split);
void changes_leave_out(struct changes *, uint64_t split, uint64_t rows);
/* A row goes on. */
int changes_note(struct changes *, const struct changes_place *, struct etl_error *);
/* Of changes_free. */
void changes_forget_places(struct changes *);

#endif
