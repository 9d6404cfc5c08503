/*
 * The pipeline that a source proposes (etl_source.propose), for `discover`: what a plugin emits, read as what it is to be, so
 * that what is written is a pipeline file whatever the names in it.
 */
#ifndef CORE_PROPOSAL_H
#define CORE_PROPOSAL_H

#include <stdio.h>

#include <libconfig.h>

#include "host.h"

struct proposal {
	char *name, *unsure; /* the latter may be NULL */
	config_t keys;
};

struct proposals {
	struct proposal *at;
	size_t count;
};

/* Asks the source. ETL_BUG: what it emits is no text of a pipeline file. */
int proposals_ask(struct instance *source, struct proposals *, struct etl_error *);
/* The keys of one entry, each on a line of its own behind INDENT. False: no memory. */
bool proposal_print_keys(FILE *, const struct proposal *, const char *indent);
void proposals_clear(struct proposals *);

#endif
