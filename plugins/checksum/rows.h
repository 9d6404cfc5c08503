/*
 * The hashed rows of one side of a comparison, and what two sides do not have in common.
 */
#ifndef CHECKSUM_ROWS_H
#define CHECKSUM_ROWS_H

#include <etlrun/helpers.h>

struct hashed_row {
	uint64_t key, row;
};

/* Zero-initialised it is empty. */
struct hashed_rows {
	struct hashed_row *at;
	size_t count, room;
};

enum difference_kind { ROW_MISSING, ROW_EXTRA, ROW_CHANGED };

/* A row that only one side has; of a changed row, the source's. */
struct difference {
	int kind; /* enum difference_kind */
	struct hashed_row row;
	char *key; /* as a person reads it; NULL until rows_name found it */
};

/* The first ROOM differences, and how many of each kind there are. */
struct differences {
	struct difference *at;
	size_t count, room;
	uint64_t totals[3]; /* by enum difference_kind */
};

/* Sets of buckets are bits: bit I is bucket I of ETL_BUCKETS. */
_Static_assert(ETL_BUCKETS == 64, "a bucket is a bit");

void rows_free(struct hashed_rows *);
/* Appends the rows of a range that are in a wanted bucket. */
int rows_read(const struct etl_host *, struct etl_peer *, const struct etl_range *,
	      uint64_t buckets, struct hashed_rows *, struct etl_error *);
/* Sorts both sides and appends what they do not share. A row that stands twice on one side and once on
 * the other differs once. */
void rows_compare(struct hashed_rows *from, struct hashed_rows *into, struct differences *);
/* Reads a range once more for the keys' texts of the differences from FIRST on that this side has. */
int rows_name(const struct etl_host *, struct etl_peer *, const struct etl_range *, bool is_source,
	      struct differences *, size_t first, struct etl_error *);

#endif
