/*
 * Old and new keys, found both ways. As long as they are few they are in memory; what is more is in files without a name,
 * which are mapped, so that the system's cache has them and not this process. Each key has a few bits that say what is known
 * of it.
 */
#ifndef CORE_MAP_SET_H
#define CORE_MAP_SET_H

#include "error.h"

#define MAP_KEY	   16	/* bytes of a new key: a UUID, or a number in the machine's order and zeros */
#define MAP_TABLES 8191 /* whose keys one map holds, at most */

enum map_flag {
	MAP_KNOWN = 1 << 0, /* the map in the target has it */
	MAP_GONE = 1 << 1,  /* … as one whose row is gone */
	MAP_SEEN = 1 << 2,  /* its row was in the source */
	MAP_AHEAD = 1 << 3, /* … and came through, when the table was looked at beforehand */
	MAP_CAME = 1 << 4   /* … and came through, whatever became of it then */
};

#define MAP_MANY UINT8_MAX /* of `came`: nobody counts on from there */

struct map_set;

struct map_entry {
	uint8_t key[MAP_KEY];
	uint64_t text : 38; /* where the old key is */
	uint64_t table : 13;
	uint64_t flags : 5; /* enum map_flag */
	uint64_t came : 8;  /* how many rows with this key go into the target: one, unless others are refused for it */
};

/* MEMORY: bytes beyond which keys are in files. NULL: no memory. */
struct map_set *map_set_new(size_t memory);
void map_set_free(struct map_set *);
/* All else is called with the lock; an entry is valid until the next is added, or until the lock is let go. */
void map_set_lock(struct map_set *);
void map_set_unlock(struct map_set *);
/* NULL: there is none. */
struct map_entry *map_set_find(struct map_set *, uint16_t table, const void *old, size_t size);
/* *RET is NULL when there is none. Quick for the keys that were noted last. */
int map_set_find_new(struct map_set *, uint16_t table, const uint8_t key[MAP_KEY], struct map_entry **ret, struct etl_error *);
void map_set_note(struct map_set *, const struct map_entry *);
/* The old key is not there yet. The entry is noted. */
int map_set_add(struct map_set *, uint16_t table, const void *old, size_t size, const uint8_t key[MAP_KEY],
		unsigned flags, struct etl_error *);
size_t map_set_count(const struct map_set *);
struct map_entry *map_set_at(struct map_set *, size_t index);
/* Its old key; no NUL behind it. */
const char *map_set_text(struct map_set *, const struct map_entry *, size_t *ret_size);

#endif
