/*
 * What the host keeps in the target between runs; see keep.c.
 */
#ifndef POSTGRES_KEEP_H
#define POSTGRES_KEEP_H

#include "publish.h"

int postgres_keep(struct etl_instance *, const struct etl_load *, const struct etl_token *, const struct etl_part *,
		  const struct etl_keep *, struct ArrowArrayStream *, struct etl_error *);
int postgres_kept(struct etl_instance *, const struct etl_keep *, struct etl_dataset_sink *, struct etl_error *);
/* Inside the transaction that publishes: what was staged of each part. */
int postgres_keep_publish(struct publishing *);
/* Inside the transaction that takes RUN back. */
int postgres_keep_revert(struct etl_instance *, const char *run, struct etl_error *);

#endif
