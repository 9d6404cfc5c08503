/* Blocks in a chain. They stay when the row is done, but for large ones: one long text is no reason to keep its room for all rows. */
#include "config.h"

#include <stdlib.h>

#include "pool.h"

#define BLOCK ((size_t)64 << 10)

struct pool_block {
	struct pool_block *next;
	size_t used, room;
	char bytes[];
};

static struct pool_block *new_block(size_t size)
{
	size_t room = size > BLOCK ? size : BLOCK;
	struct pool_block *b = malloc(sizeof(*b) + room);

	if (b)
		*b = (struct pool_block){ .room = room };
	return b;
}

char *json_pool_take(struct pool *pool, size_t size)
{
	struct pool_block *b = pool->now, *next;
	char *at;

	while (b && b->room - b->used < size)
		b = b->next;
	if (!b) {
		next = new_block(size);
		if (!next)
			return NULL;
		if (pool->now) {
			next->next = pool->now->next;
			pool->now->next = next;
		} else {
			pool->first = next;
		}
		b = next;
	}
	pool->now = b;
	at = b->bytes + b->used;
	b->used += size;
	return at;
}

void json_pool_reset(struct pool *pool)
{
	struct pool_block **at = &pool->first;

	while (*at) {
		struct pool_block *b = *at;

		if (b->room > BLOCK) {
			*at = b->next;
			free(b);
			continue;
		}
		b->used = 0;
		at = &b->next;
	}
	pool->now = pool->first;
}

void json_pool_free(struct pool *pool)
{
	while (pool->first) {
		struct pool_block *b = pool->first;

		pool->first = b->next;
		free(b);
	}
	pool->now = NULL;
}
