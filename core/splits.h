/*
 * The splits that a store gives of a dataset, kept for whoever reads them later.
 */
#ifndef CORE_SPLITS_H
#define CORE_SPLITS_H

#include "host.h"

struct job_split {
	struct etl_split split; /* text is owned */
	char *text;
};

struct split_list {
	struct job_split *at;
	size_t count;
};

/* Adds what INSTANCE gives of READ, about WANTED of them; their index counts from the list's first. What came before a
 * failure is in the list. */
int split_list_plan(struct split_list *, struct instance *, const struct etl_read *, int64_t wanted,
		    struct etl_error *);
void split_list_clear(struct split_list *);

#endif
