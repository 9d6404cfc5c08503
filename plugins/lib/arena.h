/*
 * Memory that is freed all at once: what a parsed statement or a described table is made of. One failed
 * allocation sets `failed`, so a caller may build on and ask once at the end.
 */
#ifndef SQLITE_ARENA_H
#define SQLITE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct arena_block;

/* Zero-initialised it is empty. */
struct arena {
	struct arena_block *blocks;
	bool failed;
};

/* Zeroed and aligned for anything; NULL: no memory. */
void *etl_arena_alloc(struct arena *, size_t size);
/* A copy of SIZE bytes with a NUL. */
char *etl_arena_text(struct arena *, const char *text, size_t size);
/* A copy; NULL stays NULL. */
char *etl_arena_copy(struct arena *, const char *text);
/* Room for one more item in an array that has COUNT: returns the array, moved when it had to grow. The
 * array grows at each power of two, so COUNT alone says how much room it has. NULL: no memory. */
void *etl_arena_push(struct arena *, void *items, size_t count, size_t item_size);
void etl_arena_free(struct arena *);

#endif
