/*
 * What the files of the state store share.
 */
#ifndef CORE_STATE_PARTS_H
#define CORE_STATE_PARTS_H

#include <pthread.h>
#include <sqlite3.h>

#include "state.h"

struct state {
	sqlite3 *db;
	pthread_mutex_t mutex; /* of what workers write: units, and how far the load is */
	char *path;
	int64_t version; /* as it was opened */
	bool writes;	 /* it was opened to be written, and is of our version */
	bool empty;	 /* it held nothing when it was opened */
};

/* WHAT: "written", "read", … */
int state_fail(struct state *, const char *what, struct etl_error *);
int state_sql(struct state *, const char *sql, struct etl_error *);
/* One statement with its values: "s" text (or NULL), "i" int64, "b" bytes and their count
 * (sqlite3_uint64). */
int state_write(struct state *, struct etl_error *, const char *sql, const char *kinds, ...);
/* Whether what follows is synced to the disk; it is unless said otherwise. */
void state_durably(struct state *, bool durably);

#endif
