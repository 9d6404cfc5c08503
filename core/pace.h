/*
 * How fast the source is read: so many rows a second, and not while it has too much to do. One for all readers of a run.
 */
#ifndef CORE_PACE_H
#define CORE_PACE_H

#include "host.h"
#include "progress.h"

struct pace;

/* NULL with 0: the pipeline asks for none. Whoever looks at the source's load has an instance of its own, with LIMITS, and
 * connects here, before the readers take what connections there are. */
int pace_new(const struct pipeline *, const struct host_limits *limits, struct pace **ret, struct etl_error *);
void pace_free(struct pace *);
/* What is said while it waits goes there too. */
void pace_shows(struct pace *, struct progress *);
/* The most rows that a batch may have, so that no wait is long. */
int64_t pace_batch(const struct pipeline *, int64_t rows);

/* ETL_USAGE: the source does not say what `source_load` bounds. */
int pace_check(const struct pipeline *, struct instance *source, struct etl_error *);

/* Each by a reader, for any PACE, NULL too. ETL_CANCELED: the run was, meanwhile. */
/* Before rows are read: waits while the source has more to do than `source_load` says. ETL_FATAL of the source: longer than its
 * patience. */
int pace_load(struct pace *, struct etl_error *);
/* ROWS were read. */
int pace_rows(struct pace *, int64_t rows);

#endif
