/*
 * What a pipeline says and what a run is about to do, as lines "WHAT HASH", so that a later process
 * can tell whether it is still the same, and name what is not. Secrets are not in it, nor what does
 * not matter to what is staged (workers, log, limits of memory, keep_old, …).
 */
#ifndef CORE_FINGERPRINT_H
#define CORE_FINGERPRINT_H

#include "run.h"

/* Of the pipeline and the options of the command line. NULL: no memory; the caller frees. */
char *fingerprint_file(const struct run *);
/* Of the pipeline alone, before either end was looked at, with what is in the files that its options name, except the two
 * places, which are where the rows are. Of what is secret in it only whether it is the same, by a hash that takes long and
 * is SALTed. NULL: no memory; the caller frees. */
char *fingerprint_pipeline(const struct pipeline *, const struct run_options *, const char *salt, const char *place,
			   const char *source_place);
/* Of the tables as they were found, the splits and the steps. */
char *fingerprint_plan(const struct run *);
/* The first few WHATs whose hashes differ, "source, table \"orders\""; NULL: none. The caller frees. */
char *fingerprint_compare(const char *then, const char *now);

#endif
