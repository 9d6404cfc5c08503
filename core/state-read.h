/*
 * What earlier runs of a pipeline left in the target with their rows, table by table, as run-publish.c wrote it there.
 */
#ifndef CORE_STATE_READ_H
#define CORE_STATE_READ_H

#include <etlrun/helpers.h>

#include "host.h"

/* Of one table in one run. Texts are owned, and NULL where nothing is said. */
struct state_table {
	char *name; /* in the target */
	uint64_t rejected;
	char *column, *bound; /* of its cursor */
	int64_t runs;	      /* likewise */
	uint64_t waiting;     /* rows that came without what a later run may find */
	struct {
		int64_t at, upto, low; /* millionths of the keys, the last of them, the lowest of all that were met */
		bool known;	       /* the lowest is */
	} sweep;	      /* likewise */
	/* Of its columns: the table of the source, the schema in the target, and name and declared type by turns. */
	char *of, *at;
	struct string_list from, into;
};

struct state_reader {
	/* May move out of TABLE what it keeps. */
	void (*table)(struct state_reader *, struct state_table *);
};

/* Every table of every run that is published and not taken back, the newest run first; after a lost connection from the
 * beginning. A state that cannot be read is warned of. DOING: "asking how far …". The target can recall. */
int state_read_all(struct instance *target, const char *pipeline, const char *doing, struct state_reader *,
		   struct etl_error *);
void state_table_clear(struct state_table *);

#endif
