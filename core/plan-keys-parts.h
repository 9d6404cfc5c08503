/*
 * What plan-keys.c, which decides about keys, and plan-keys-read.c, which reads them, share.
 */
#ifndef CORE_PLAN_KEYS_PARTS_H
#define CORE_PLAN_KEYS_PARTS_H

#include "alike.h"
#include "plan-keys.h"

#define KEY_COLUMNS 32

/* One key of a table of which the target may take several values for one. */
struct watched {
	const char *kind, *name; /* name: or NULL */
	const char *const *names; /* of its columns in the target */
	size_t count;
	int64_t rows[KEY_COLUMNS]; /* where they are in the job's rows */
	int32_t compares[KEY_COLUMNS];
	char words[300]; /* by what the first of them is compared */
	bool nulls_equal, partial;
	struct alike *alike;
	bool candidates;
};

/* One table. */
struct looking {
	struct run *run;
	struct job *job;
	struct pace *pace;
	struct watched *at;
	size_t count;
	uint64_t read; /* rows that come to the target */
};

/* Types whose values a target may compare in another way than etlrun does. */
bool compares_bytes(int32_t type);
/* Adds the rows to each watched key: once, and where that finds candidates (*RET_ANY) once more. */
int looking_read(struct looking *, bool *ret_any, struct etl_error *);
void looking_clear(struct looking *);

#endif
