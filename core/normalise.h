/*
 * From a plugin's own descriptor to the host's copy of it: the checks of the ABI, and a default for
 * every optional member, so that no other code of the host tests a size, a version or a pointer.
 */
#ifndef CORE_NORMALISE_H
#define CORE_NORMALISE_H

#include "registry.h"

/* Fills RET from RAW, the descriptor of the file NAME. ETL_USAGE with the reason: it cannot be used
 * here; RET is then to be thrown away. */
int normalise(struct plugin *ret, const struct etl_plugin *raw, const char *name,
	      struct etl_error *);
/* The tables of stores (normalise-store.c), and of transforms and validators (normalise-row.c). */
int normalise_store(struct plugin *ret, struct etl_error *);
int normalise_row(struct plugin *ret, struct etl_error *);

/* A table to be copied: how long the plugin's is, the least it must have, and ours. */
struct table_copy {
	const char *name; /* "struct etl_source", for messages */
	size_t size, least, full;
};

/* Copies what the plugin's table has into the zeroed TO. */
int normalise_table(const struct table_copy *, void *to, const void *from, struct etl_error *);
/* A member that a plugin must fill is not filled. */
int normalise_missing(const char *member, struct etl_error *);

/* The bytes of a table up to and with a member. */
#define THROUGH(type, member) (offsetof(type, member) + sizeof(((type *)0)->member))

#endif
