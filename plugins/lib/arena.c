/*
 * Memory freed all at once. Parsing and describing make hundreds of small texts whose lives end together,
 * and a single owner is easier to get right than a destructor for every struct.
 */
#include "config.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"

#define ARENA_BLOCK 4000 /* bytes; a page with malloc's own header */

struct arena_block {
	struct arena_block *next;
	size_t used, room;
	alignas(max_align_t) unsigned char bytes[];
};

static struct arena_block *block_new(struct arena *a, size_t size)
{
	size_t room = size > ARENA_BLOCK ? size : ARENA_BLOCK;
	struct arena_block *b;

	if (room > SIZE_MAX - sizeof(*b))
		return NULL;
	b = calloc(1, sizeof(*b) + room);
	if (!b)
		return NULL;
	b->room = room;
	b->next = a->blocks;
	a->blocks = b;
	return b;
}

void *etl_arena_alloc(struct arena *a, size_t size)
{
	size_t align = alignof(max_align_t);
	struct arena_block *b = a->blocks;
	void *p;

	size = (size + align - 1) / align * align;
	if (!b || b->room - b->used < size)
		b = block_new(a, size);
	if (!b) {
		a->failed = true;
		return NULL;
	}
	p = b->bytes + b->used;
	b->used += size;
	return p;
}

char *etl_arena_text(struct arena *a, const char *text, size_t size)
{
	char *p = etl_arena_alloc(a, size + 1);

	if (p && size > 0)
		memcpy(p, text, size);
	return p;
}

char *etl_arena_copy(struct arena *a, const char *text)
{
	return text ? etl_arena_text(a, text, strlen(text)) : NULL;
}

void *etl_arena_push(struct arena *a, void *items, size_t count, size_t item_size)
{
	void *moved;

	if (count & (count - 1) || (count == 0 && items))
		return items;
	moved = etl_arena_alloc(a, item_size * (count ? count * 2 : 1));
	if (moved && count > 0)
		memcpy(moved, items, count * item_size);
	return moved;
}

void etl_arena_free(struct arena *a)
{
	struct arena_block *b = a->blocks, *next;

	for (; b; b = next) {
		next = b->next;
		free(b);
	}
	a->blocks = NULL;
	a->failed = false;
}
