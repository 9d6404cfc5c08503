/*
 * What the files of a flow share: its items, and who has them (flow-items.c); reading them (flow-read.c), writing them
 * (flow-write.c). flow.c brings them together.
 */
#ifndef CORE_FLOW_PARTS_H
#define CORE_FLOW_PARTS_H

#include <pthread.h>

#include "batch.h"
#include "flow.h"
#include "queue.h"
#include "retry.h"

/* One split of one job on its way. */
struct item {
	const struct flow_setup *setup;
	struct job *job;
	size_t number; /* of the split in the run */
	struct etl_split *split;
	struct queue *queue;
	struct etl_context source, target;
	struct digest digest;
	struct canon *canon; /* the reader's */
	struct totals *totals; /* or NULL: nobody will ask */
	struct origins *origins; /* likewise */
	uint64_t passed, bytes;
	struct digest refused; /* the rows that the target refused */
	struct etl_token mark; /* where the target stood before it, where it can say so */
	bool marked;
	bool taken; /* the target has every row of it */
	bool last;  /* … and of every other split of the job */

	/* Under the flow's mutex. */
	struct item *next; /* in one of the flow's lists */
	int holders;	   /* its reader and its writer, also the one that has not come yet */
	bool again;	   /* one of them failed, and it is tried again */
	struct retry_count tries;
};

/* In the order of their numbers. */
struct item_list {
	struct item *first;
};

struct flow {
	const struct flow_setup *setup;
	struct item *items;
	size_t count, next_read, finished;
	struct item_list reading; /* a reader has them, or is done with them; no writer has */
	struct item_list again;	  /* to be read again; nobody has them */
	size_t repeating;	  /* failed, and not with a reader again */
	int32_t writers;	  /* at work */
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct etl_error *err;
};


/* flow-items.c */
/* The item's table fails alone, or the flow with ERR, which is cleared. ITEM may be NULL. */
void flow_fail(struct flow *, struct item *, struct etl_error *err);
/* The store gives no more to this "reader" or "writer". */
void flow_say_fewer(const char *who, const struct etl_error *);
/* The next one, when there is one for it; NULL: there is none any more. */
struct item *flow_take_to_read(struct flow *);
struct item *flow_take_to_write(struct flow *);
/* Whoever took it is done with it. */
void flow_let_go(struct flow *, struct item *);

enum claim {
	CLAIM_FAILS, /* the run, or the table, fails */
	CLAIM_OTHERS, /* the other side failed before, and this is what came of it */
	CLAIM_AGAIN,  /* on the same instance */
	CLAIM_ANEW    /* on a new one */
};

/* What is done about ERR, of work on INSTANCE; MAY false: it is not tried again. */
enum claim flow_claim(struct flow *, struct item *, const struct instance *, bool may, const struct etl_error *err);
void flow_wait_for_try(struct item *, enum claim how, const struct instance *, const char *doing, struct etl_error *err);

/* flow-read.c */
/* Takes what there is to be read until there is nothing more. */
void flow_read_all(struct flow *, struct instance *source);
/* The same by an instance of its own; it ends quietly when the store gives no more connections. */
void *flow_reader_main(void *flow);

/* flow-write.c */
void flow_write_all(struct flow *, struct instance *target);
void *flow_writer_main(void *flow);

#endif
