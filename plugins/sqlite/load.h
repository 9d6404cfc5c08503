/*
 * A split that is being loaded: what load.c and load-reject.c share.
 */
#ifndef SQLITE_LOAD_H
#define SQLITE_LOAD_H

#include "pages.h"
#include "screen.h"

struct loading {
	struct etl_instance *inst;
	const struct etl_load *load;
	const struct etl_part *split;
	struct etl_error *err;
	struct ArrowSchema schema;
	struct etl_view *view;
	sqlite3_stmt *insert;
	struct page_load *pages; /* takes the rows as long as it can; or NULL */
	bool through_pages;	 /* it does */
	bool begun;
	struct page_value *values; /* of the row, beside the columns that come */
	char *scratch; /* SQLITE_SCRATCH bytes a column */
	enum sqlite_affinity *affinities; /* of the columns of the table */
	bool has_rowid;
	int64_t alias; /* the column that is the rowid itself; -1: none */
	bool utf16; /* how the file keeps its texts */
	struct sqlite_part *was; /* what the split staged before, to be replaced */
	struct sqlite_part part;
	struct sqlite_order order;
	sqlite3_stmt *kept; /* takes the keys of rows that are refused, for a merge that deletes; or NULL */
	uint64_t bytes;
};

int load_no_memory(struct loading *);

/* load-reject.c: a row is given to the host; 0, or the run is to end. */
/* A constraint refused it, in SQLite's own words. */
int load_reject_step(struct loading *, const struct ArrowArray *batch, int64_t row);
/* A value of it cannot be stored, for the reason CODE. */
int load_reject_value(struct loading *, const struct ArrowArray *batch, int64_t row, int64_t column, const char *code);
/* The number that it is to have is NULL. */
int load_reject_unnumbered(struct loading *, const struct ArrowArray *batch, int64_t row);

#endif
