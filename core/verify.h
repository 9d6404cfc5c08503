/*
 * Validation: the validators of a table over its two sides. FROM is what the source gave after
 * transforms, cast and rejects, INTO is the staged table, or (for the verb `validate`) the
 * published one.
 */
#ifndef CORE_VERIFY_H
#define CORE_VERIFY_H

#include "flow.h"
#include "report.h"

struct refused;

struct verify {
	const struct flow_setup *flow;
	bool staged; /* INTO is the staging place; else what is published */
	bool keyed;  /* INTO may hold more rows than the source brings: they are none of the run's */
	bool loaded; /* the job's counts and digest are those of this process's load */
	const struct refused
		*refused; /* rows of FROM to leave out, when it was not loaded; or NULL */
};

/* Runs every validator of the job and notes its verdict in LINE. 0: all said what they had to say;
 * *ret_failed when one of them failed the table. */
int verify_job(const struct verify *, struct job *, struct report_line *line, bool *ret_failed,
	       struct etl_error *);

/* Before the first verify_job of a run: reads back, on all workers, what the validators of its tables want the digests
 * of; what a later verify_job asks for is then known. */
int verify_ahead(const struct verify *, struct etl_error *);

#endif
