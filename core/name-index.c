/*
 * Chained hashing over one growing array of entries; a chain keeps the order of its entries.
 */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <strings.h>

#include "name-index.h"

#define LEAST_ROOM 16 /* a power of two */

struct name_entry {
	const char *name;
	size_t value, next; /* next: entry + 1 in the chain; 0: the last */
};

/* FNV-1a over lower-case bytes. */
static size_t hash(const char *name)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (; *name; name++) {
		unsigned char c = (unsigned char)*name;

		h = (h ^ (c >= 'A' && c <= 'Z' ? c | 0x20u : c)) * UINT64_C(0x100000001b3);
	}
	return (size_t)(h ^ h >> 32);
}

static void link_entry(struct name_index *index, size_t i)
{
	size_t chain = hash(index->entries[i].name) & index->mask;

	index->entries[i].next = 0;
	if (index->last[chain])
		index->entries[index->last[chain] - 1].next = i + 1;
	else
		index->first[chain] = i + 1;
	index->last[chain] = i + 1;
}

static bool grow(struct name_index *index)
{
	size_t room = index->room ? index->room * 2 : LEAST_ROOM;
	size_t *first = calloc(room * 2, sizeof(*first));
	struct name_entry *entries = first ? realloc(index->entries, room * sizeof(*entries)) :
					     NULL;

	if (!entries) {
		free(first);
		return false;
	}
	free(index->first);
	index->entries = entries;
	index->room = room;
	index->first = first;
	index->last = first + room;
	index->mask = room - 1;
	for (size_t i = 0; i < index->count; i++)
		link_entry(index, i);
	return true;
}

bool name_index_add(struct name_index *index, const char *name, size_t value)
{
	if (index->count == index->room && !grow(index))
		return false;
	index->entries[index->count] = (struct name_entry){ name, value, 0 };
	link_entry(index, index->count++);
	return true;
}

size_t name_index_next(const struct name_index *index, const char *name, size_t *at)
{
	size_t i;

	if (!index->count)
		return NAME_INDEX_END;
	i = *at ? index->entries[*at - 1].next : index->first[hash(name) & index->mask];
	while (i && strcasecmp(index->entries[i - 1].name, name) != 0)
		i = index->entries[i - 1].next;
	*at = i;
	return i ? index->entries[i - 1].value : NAME_INDEX_END;
}

void name_index_clear(struct name_index *index)
{
	free(index->entries);
	free(index->first);
	*index = (struct name_index){ 0 };
}
