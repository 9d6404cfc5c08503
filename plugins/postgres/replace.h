/*
 * A table of the target that gives way to a staged one. What hangs on it and is not its own is written down before
 * as statements, taken away, and made again around the new table, all in the transaction that publishes.
 */
#ifndef POSTGRES_REPLACE_H
#define POSTGRES_REPLACE_H

#include "publish.h"

/* Refuses, before the run loads anything, a table with something around it that could not be made again: names it. */
int replace_check(struct etl_instance *, const struct etl_load *, const char *schema,
		  const struct standing *, struct etl_error *);
/* Takes away what is to be replaced; REMAKE is what to do when the new ones are there. */
int replace_away(struct publishing *, struct remake *);
int replace_again(struct publishing *, struct remake *);
void replace_free(struct remake *);

#endif
