/*
 * The two sides of a table that a validator compares: FROM is what came out of the source after
 * transforms, cast and rejects; INTO is what will be published. Both are in the target's schema,
 * keyed by its key.
 */
#ifndef CORE_PEER_H
#define CORE_PEER_H

#include "canon.h"
#include "error.h"
#include "total.h"

/* The host side opens rows: a function of the peer's owner. */
struct etl_peer {
	const struct etl_table *table;
	const struct ArrowSchema *schema;
	const int64_t *key; /* column indexes; none: the whole row */
	size_t key_count;
	const bool *stays;   /* likewise (canon_skip) */
	const bool *respelt; /* beside the schema's columns, or NULL (canon_blur) */
	int64_t batch_rows, batch_bytes, max_row;
	/* Opens all rows, one stream after the other: part 0, 1, … ; *ret_more = false after the
	 * last. */
	int (*open)(struct etl_peer *, size_t part, struct ArrowArrayStream *, bool *ret_more,
		    struct etl_error *);
	/* What was digested while loading or by an earlier call, with its sample; known_ppm 0:
	 * nothing yet. */
	struct digest known;
	uint32_t known_ppm;
	uint64_t known_seed;
	/* Rows known without reading; -1: read. */
	int64_t known_rows;
	/* Counts the rows without reading them, or leaves *ret as it is; NULL: cannot. */
	int (*count)(struct etl_peer *, int64_t *ret, struct etl_error *);
	/* The columns added up by the store, of the dataset of this side; NULL: cannot. ETL_USAGE: not these. */
	int (*add_up)(struct etl_peer *, struct etl_totals_ask *, struct etl_total_sink *,
		      struct etl_error *);
	const struct totals *totals; /* all rows added up, so far as is known; or NULL */
	struct totals *own_totals;   /* by this peer; peer_clear */
	bool adds_up;		     /* whoever goes over the rows adds them up: it will be asked */
	bool once;		     /* its rows cannot be read, or not again */
	struct etl_needs needs;	     /* the digest that will be asked for beside */
	/* Another table of the same side; its owner is this peer's. */
	int (*other)(struct etl_peer *, const char *table, struct etl_peer **ret,
		     struct etl_error *);
	/* Row hashes (x1) that the target refused while loading, sorted: not in what will be
	 * published. */
	const uint64_t *refused;
	size_t refused_count;
};

void peer_clear(struct etl_peer *);
int peer_describe(struct etl_peer *, const struct etl_table **ret, struct etl_error *);
int peer_other(struct etl_peer *, const char *table, struct etl_peer **ret, struct etl_error *);
int peer_digest(struct etl_peer *, const struct etl_range *, int32_t hash, struct etl_digest *ret,
		struct etl_error *);
int peer_read(struct etl_peer *, const struct etl_range *, struct ArrowArrayStream *,
	      struct etl_error *);
int peer_hashes(struct etl_peer *, const struct etl_range *, int32_t hash,
		struct ArrowArrayStream *, struct etl_error *);
/* peer-totals.c */
int peer_totals(struct etl_peer *, struct etl_total_sink *, struct etl_error *);
/* Fills `totals` in a pass over all rows. */
int peer_add_up(struct etl_peer *, struct etl_error *);

#endif
