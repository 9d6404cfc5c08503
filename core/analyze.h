/*
 * Which tables of the target are behind their source, by how many rows there are at both ends; no row is compared.
 */
#ifndef CORE_ANALYZE_H
#define CORE_ANALYZE_H

#include "run.h"

enum analyze_status {
	ANALYZE_SYNCED,
	ANALYZE_BEHIND,	 /* the source has more rows */
	ANALYZE_AHEAD,	 /* the target has */
	ANALYZE_MISSING, /* the target does not have the table, or not with all its columns */
	ANALYZE_UNKNOWN	 /* not comparable by counts */
};

#define ANALYZE_NO_COUNT UINT64_MAX

struct analysis {
	const struct job *job;
	enum analyze_status status;
	uint64_t source, target; /* rows; or ANALYZE_NO_COUNT */
	char why[240];		 /* what there is to say beside the numbers; or "" */
};

/* Of every job of a run that is open, into RET, which has a place for each. */
int analyze_all(struct run *, struct analysis *ret, struct etl_error *);
const char *analyze_word(enum analyze_status);

#endif
