/*
 * A row of a rejects file, made again: from JSON to the columns that the source is asked for.
 */
#ifndef CORE_REPLAY_ROW_H
#define CORE_REPLAY_ROW_H

#include "job.h"

/* The members of a row's object; names are owned, values point into its text. */
struct row_member {
	struct etl_text name;
	const char *value;
	size_t length;
};
struct row_members {
	struct row_member *at;
	size_t count, room;
};

/* False: it is no object, or there is no memory. */
bool row_read(struct row_members *, const char *json, size_t length);
void row_clear(struct row_members *);
/* The member that holds the source's column of that name, whatever shape the row had when it was refused: the
 * source's own, or the target's. NULL: none does. */
const struct row_member *row_find(const struct row_members *, const struct job *,
				  const char *column);
/* Appends the value to a column in the column's type. NULL: done; else a word as etl_convert says it, or "not_kept":
 * the file has only its size. */
const char *row_put(struct etl_column_builder *, const struct row_member *);

#endif
