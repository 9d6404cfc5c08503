/*
 * How far the run is: a bar on a terminal, a line every five seconds elsewhere, from one thread of
 * its own that reads counters the workers write. Never a reason for a run to fail.
 */
#ifndef CORE_PROGRESS_H
#define CORE_PROGRESS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <etlrun/helpers.h>

/* One for each table; the workers add, the progress thread reads. */
struct progress_table {
	const char *name;
	int64_t expected; /* rows, or -1 */
	atomic_uint_fast64_t rows, bytes;
	atomic_int state; /* 0 waiting, 1 loading, 2 done */
};

/* One line about all of them: "employees: 5,000 of 10,000 rows (50 %), 2,100 rows/s, about 3 s
 * left". RATE is rows a second, 0 when it is not known yet. Nothing is appended when no table is
 * loading. */
void progress_describe(struct etl_text *, const struct progress_table *tables, size_t count,
		       double rate);

struct progress;
/* Starts the thread; NULL when ENABLED is false or it cannot be started, which is no failure. */
struct progress *progress_start(struct progress_table *tables, size_t count, bool enabled);
/* What the run is doing beside loading: "making index by_name", "validating Invoice"; copied,
 * and shown with how long it has taken. NULL: the tables are. Progress NULL: nothing. */
void progress_phase(struct progress *, const char *what);
void progress_stop(struct progress *);

#endif
