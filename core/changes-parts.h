/*
 * What the files of changes share: the filter of a job and what is gone (changes.c), which rows went on (changes-rows.c), the
 * target's rows (changes-target.c).
 */
#ifndef CORE_CHANGES_PARTS_H
#define CORE_CHANGES_PARTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "changes.h"

struct changes {
	pthread_mutex_t mutex; /* of making the set */
	struct changes_set *set; /* NULL: it is made when it is asked for */
	_Atomic uint64_t unknown; /* rows that were rejected, and nobody knows their keys */
	struct changes_place *places; /* of rows that went on, under the mutex */
	size_t place_count, place_room;
	bool many; /* more than are kept: none of them counts */
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
void changes_note(struct changes *, struct changes_place);

#endif
