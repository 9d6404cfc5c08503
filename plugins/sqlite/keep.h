/*
 * What the host keeps in the target between runs; see keep.c.
 */
#ifndef SQLITE_KEEP_H
#define SQLITE_KEEP_H

#include "sqlite.h"

int sqlite_keep(struct etl_instance *, const struct etl_load *, const struct etl_token *, const struct etl_part *,
		const struct etl_keep *, struct ArrowArrayStream *, struct etl_error *);
int sqlite_kept(struct etl_instance *, const struct etl_keep *, struct etl_dataset_sink *, struct etl_error *);
/* Inside the transaction that publishes: what was staged of its loads in FROM, "staged" or, in a file that is made, "main". */
int keep_publish(struct etl_instance *, sqlite3 *, const char *from, const struct etl_commit *, struct etl_error *);
/* Only so many runs keep what was there before them. */
int keep_prune(struct etl_instance *, sqlite3 *, const char *pipeline, struct etl_error *);
/* Inside the transaction that takes RUN back. */
int keep_revert(struct etl_instance *, sqlite3 *, const char *run, struct etl_error *);

#endif
