/*
 * Keys of rows that the source has and that do not come, because they are rejected: their fellows in the target are not gone.
 */
#ifndef CORE_MET_KEYS_H
#define CORE_MET_KEYS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct met_keys {
	pthread_mutex_t mutex;
	uint64_t *at; /* hashes, X1 */
	size_t count, room;
	bool sorted;
	uint64_t unknown; /* rows that were rejected before they had a key */
};

void met_keys_init(struct met_keys *);
void met_keys_clear(struct met_keys *);
/* By any thread. False: no memory. */
bool met_keys_add(struct met_keys *, uint64_t key);
void met_keys_add_unknown(struct met_keys *);
bool met_keys_has(struct met_keys *, uint64_t key);

#endif
