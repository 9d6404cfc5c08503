/* The sides that validators are given, for the files of verify.c. */
#ifndef CORE_VERIFY_PARTS_H
#define CORE_VERIFY_PARTS_H

#include "peer.h"
#include "verify.h"

/* A side, with what its rows are opened from. The peer is first: the validator's pointer is also
 * ours. */
struct side_peer {
	struct etl_peer peer;
	const struct verify *verify;
	struct job *job;
	struct etl_context context;   /* of FROM: what it refuses was counted when it was loaded */
	struct etl_dataset dataset;   /* of INTO */
	struct etl_dataset published; /* table not NULL: rows that are there already, behind it */
	struct etl_token token;
	char *schema, *table;
	struct ArrowSchema rows;  /* of a table that is not in the run */
	uint64_t unreadable;	  /* rows of INTO that a pass over it could not read; the most of any */
	/* Only these rows, in one part; NULL: all. Set between two passes. */
	const struct flow_range *range;
	struct flow_setup ranged; /* what a stream of them is opened with */
	struct side_peer *others; /* tables that a validator asked for, one behind the other */
};

void verify_peer_init(struct side_peer *, const struct verify *, struct job *);
/* As struct etl_peer has it. */
int verify_into_open(struct etl_peer *, size_t part, struct ArrowArrayStream *, bool *ret_more,
		     struct etl_error *);
/* The side of the source; its rows can be read again at any time. */
void verify_from_init(struct side_peer *, const struct verify *, struct job *);
/* verify-keyed.c: only those rows of INTO whose keys the source has. */
int verify_keyed_open(struct etl_peer *, size_t part, struct ArrowArrayStream *, bool *ret_more,
		      struct etl_error *);
/* A validator may go through INTO several times: a row that cannot be read is counted once. */
void verify_pass(struct side_peer *);
/* Where the rows of INTO are. */
int verify_find_into(struct side_peer *, struct etl_error *);

/* verify-other.c */
int verify_other(struct etl_peer *, const char *table, struct etl_peer **ret, struct etl_error *);
/* Closes the other tables; how many of their rows could not be read. */
uint64_t verify_others_free(struct side_peer *);

#endif
