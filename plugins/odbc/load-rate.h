/*
 * Azure SQL limits how fast a database writes its log, and a load that comes faster waits: it says so by the waits of the
 * session. What is loaded at once follows that: as many connections as the log can take the rows of, and batches of a
 * second's worth of it, so that no statement hangs for long. What is known of it is the process's, as a run has one target
 * and all its connections share the log.
 */
#ifndef ODBC_LOAD_RATE_H
#define ODBC_LOAD_RATE_H

#include <stdbool.h>
#include <stdint.h>

#include <etlrun/plugin.h>

/* ---- load-rate.c */

/* How much may be loaded at once. */
struct rate_limits {
	int64_t loads; /* connections; 0: all that come */
	int64_t bytes; /* of a batch; 0: any */
};

/*
 * LOADS connections loaded for PASSED milliseconds all together, of which they waited WAITED for the log. Those that waited can
 * be spared: without them the log is as full. When nearly nothing was waited for, one more is let in, and batches grow, up to
 * MOST.
 */
void rate_decide(struct rate_limits *, const struct rate_limits *most, int64_t loads, int64_t waited, int64_t passed);

/* Does the server limit its log, and say what is waited for? 1, -1 no, 0 not known. */
int32_t rate_governs(void);
/* Now it is known; the first word counts. RATE: bytes a second that the log takes; 0: it does not say. */
void rate_know(const struct etl_host *, bool governs, int64_t rate);
/* Waits until one more load may begin, and counts it: 0, or ETL_CANCELED. */
int rate_begin(const struct etl_host *, int64_t *ret_loads);
/* A load of LOADS waited so long for what the server calls TYPE, or "". */
void rate_count(const struct etl_host *, int64_t loads, int64_t waited, int64_t passed, const char *type);
void rate_end(void);
/* The most bytes of a batch that has USUAL at most. */
int64_t rate_bytes(int64_t usual);
/* Milliseconds of a clock that only goes on. */
int64_t rate_clock(void);

/* ---- load-watch.c */

struct loading;

/* Of one load: since when, and what its session had waited for until then. */
struct rate_watch {
	bool on, begun;
	int64_t since, waited; /* milliseconds: of the clock, and of the session */
	int64_t loads;	       /* that were under way then, this one too */
};

/* Before the transaction of a load, when its connection is there. 0 or ETL_CANCELED. */
int watch_begin(struct loading *);
/* Is it time to look? */
bool watch_is_due(const struct loading *);
/* Asks the server; when nothing is under way on the connection. */
void watch_look(struct loading *);
/* After the transaction. DONE: it was committed, and the connection is there. */
void watch_end(struct loading *, bool done);

#endif
