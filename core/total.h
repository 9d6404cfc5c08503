/*
 * What the columns of a table hold, added up over its rows: NULLs, extremes, lengths and exact sums. It does not depend
 * on the order of the rows, so workers add up what they see and the parts are put together. For the validators that
 * ask for it (etl_host.peer_totals); what a store adds up itself comes to the same words (total-words.c).
 */
#ifndef CORE_TOTAL_H
#define CORE_TOTAL_H

#include "error.h"
#include "total-sum.h"

/* A numeric that was the least or the greatest so far. */
struct figure {
	struct etl_text text; /* empty: none */
	struct number number; /* of it */
	int32_t rank;	      /* -1 -Infinity, 0 a number, 1 Infinity, 2 NaN */
	bool some;
};

/* One column. */
struct total {
	struct etl_type_info type;
	bool skip; /* the host's own */
	int64_t nulls;
	bool some; /* whole numbers: integers, bool, dates, times */
	int64_t least, greatest;
	etl_i128 least_decimal, greatest_decimal;
	bool some_real, nan; /* reals, without the NaNs */
	double least_real, greatest_real;
	struct figure least_figure, greatest_figure;
	struct exact_sum sum;
	int64_t shortest, longest, shortest_utf16, longest_utf16; /* or -1 */
};

struct totals {
	struct total *at;
	size_t count;
	struct etl_view *view; /* of the batch that is looked at */
	bool failed;	       /* no memory, or rows that are none: nothing in it is to be believed */
};

/* For rows of this schema; columns whose name begins with "etlrun." are left out. NULL: no memory. */
struct totals *totals_new(const struct ArrowSchema *);
void totals_free(struct totals *);
/* Looks at a batch, of which rows may then be added. */
void totals_look(struct totals *, const struct ArrowArray *batch);
void totals_row(struct totals *, int64_t row);
/* All its rows. */
void totals_batch(struct totals *, const struct ArrowArray *batch);
/* The columns of FROM may be more: the last ones are the host's own. */
void totals_merge(struct totals *to, const struct totals *from);

/* total-words.c */
/* A total with its texts, which are its own. */
struct total_words {
	struct etl_total total; /* its texts are those below */
	char *least, *greatest, *sum;
};

void total_words_free(struct total_words *, size_t count);
/* False: no memory. */
bool total_spell(struct total *, struct total_words *ret);
/* What a store SAID of a column, spelled as the host does. NULL, or a code of etl_convert. */
const char *total_respell(struct etl_type_info type, const struct etl_total *said, struct total_words *ret);

#endif
