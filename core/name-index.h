/*
 * Numbers by names that are the same when they differ in ASCII case only. A database may have ten
 * thousand tables, so nothing that is asked for each of them may walk through all the others.
 */
#ifndef CORE_NAME_INDEX_H
#define CORE_NAME_INDEX_H

#include <stdbool.h>
#include <stddef.h>

#define NAME_INDEX_END ((size_t)-1)

struct name_index {
	struct name_entry *entries;
	size_t count, room;
	size_t *first, *last; /* entry + 1 of each chain; 0: empty */
	size_t mask;
};

/* NAME is borrowed as long as the index lives. False: no memory; the index is untouched. */
bool name_index_add(struct name_index *, const char *name, size_t value);
/* The values of a name in the order in which they were added; *at is 0 at first. NAME_INDEX_END:
 * no more. */
size_t name_index_next(const struct name_index *, const char *name, size_t *at);
void name_index_clear(struct name_index *);

#endif
