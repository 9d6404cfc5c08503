/*
 * Publishing, as publish.c, swap.c and replace.c share it. Everything happens in one transaction.
 */
#ifndef POSTGRES_PUBLISH_H
#define POSTGRES_PUBLISH_H

#include "admit.h"

/* What happens to what the target has under the name of a load. */
enum publish_how {
	PUBLISH_MOVE,	 /* there is nothing */
	PUBLISH_REPLACE, /* it goes, the staged one comes */
	PUBLISH_SWAP,	 /* it stays, its rows go, the staged ones come */
	PUBLISH_INTO,	 /* append, merge */
	PUBLISH_FOLLOW,	 /* a sequence that stays: it goes on behind the staged one */
	PUBLISH_NONE	 /* no relation: a trigger, … */
};

struct publish_part {
	const struct etl_load *load;
	const struct etl_token *token;
	const char *schema;
	struct standing old, staged;
	int how; /* enum publish_how */
	bool empty; /* of PUBLISH_INTO: it has no rows, and is locked */
	size_t again; /* a view that is made anew and not moved: as the how manieth; 0: none (move.c) */
};

struct publishing {
	struct etl_instance *inst;
	const struct etl_commit *commit;
	struct etl_error *err;
	struct publish_part *parts;
	size_t count;
	char kept[POSTGRES_NAME_MAX + 1]; /* the schema of the old generation, or "" */
	const struct etl_slices *slices;  /* beside the parts: which rows of them are in this batch; NULL: all at once */
	bool back;			  /* a run is taken back: what stands in the way is the target's, not the data's */
};

/* Statements to be carried out later, in order. */
struct remake {
	char **at;
	size_t count;
};

#endif
