/*
 * A b-tree from its leaves up. Each level has one page under construction; a full one is appended to the file and named
 * in the level above. In an index the last entry of a full page goes up as the divider; a table's dividers are the
 * greatest rowids. So no page but a root is ever without cells, and pages stand in the file as they are read.
 */
#include "config.h"

#include <stdlib.h>

#include "pages.h"

#define INDEX_INTERIOR 2
#define TABLE_INTERIOR 5
#define INDEX_LEAF     10
#define TABLE_LEAF     13
#define CELL_LEAST     4

static uint32_t head_size(size_t level)
{
	return level ? 12 : 8;
}

void page_tree_begin(struct page_tree *t, struct page_file *file, bool index)
{
	*t = (struct page_tree){ .file = file, .index = index };
}

void page_tree_free(struct page_tree *t)
{
	for (size_t i = 0; i < PAGE_LEVELS; i++) {
		free(t->levels[i].page);
		t->levels[i].page = NULL;
	}
}

static void clear(struct page_tree *t, struct page_level *l)
{
	memset(l->page, 0, t->file->page_size);
	l->cells = 0;
	l->content = t->file->page_size;
}

static struct page_level *level_at(struct page_tree *t, size_t at)
{
	struct page_level *l = &t->levels[at];

	if (at < t->height)
		return l;
	if (at >= PAGE_LEVELS)
		return NULL;
	l->page = malloc(t->file->page_size);
	if (!l->page)
		return NULL;
	clear(t, l);
	t->height = at + 1;
	return l;
}

static bool fits(const struct page_level *l, size_t level, uint32_t size)
{
	return head_size(level) + 2 * (l->cells + 1) + size <= l->content;
}

/* Where a cell of SIZE bytes, which fits, is to be written. */
static uint8_t *take_cell(struct page_level *l, size_t level, uint32_t size)
{
	l->content -= size;
	l->last = size;
	page_put16(l->page + head_size(level) + 2 * l->cells, l->content);
	l->cells++;
	return l->page + l->content;
}

/* Takes the last cell back; it is read before the page is cleared. */
static const uint8_t *untake_cell(struct page_level *l, size_t level)
{
	const uint8_t *cell = l->page + l->content;

	l->cells--;
	l->content += l->last;
	page_put16(l->page + head_size(level) + 2 * l->cells, 0);
	return cell;
}

/* Writes the page and begins an empty one. RIGHT: the last child of an interior page. */
static uint32_t end_page(struct page_tree *t, struct page_level *l, size_t level, uint32_t right)
{
	uint8_t *p = l->page;
	uint32_t at;

	p[0] = t->index ? (level ? INDEX_INTERIOR : INDEX_LEAF) : (level ? TABLE_INTERIOR : TABLE_LEAF);
	page_put16(p + 3, l->cells);
	page_put16(p + 5, l->content == 65536 ? 0 : l->content);
	if (level)
		page_put32(p + 8, right);
	at = page_append(t->file, p);
	clear(t, l);
	return at;
}

/* A child and what divides it from the next: into the page above. CELL stays as it is until this returns. */
static bool add_child(struct page_tree *t, size_t level, uint32_t child, const uint8_t *cell, uint32_t size)
{
	struct page_level *l = child ? level_at(t, level) : NULL;
	uint8_t *to;

	if (!l)
		return false;
	if (!fits(l, level, size + 4)) {
		uint32_t cut = l->last;
		uint8_t *up = malloc(cut);
		uint32_t right, at;
		bool ok;

		if (!up)
			return false;
		memcpy(up, untake_cell(l, level), cut);
		memset(l->page + l->content - cut, 0, cut);
		right = page_get32(up);
		at = end_page(t, l, level, right);
		ok = add_child(t, level + 1, at, up + 4, cut - 4);
		free(up);
		if (!ok)
			return false;
	}
	to = take_cell(l, level, size + 4);
	page_put32(to, child);
	memcpy(to + 4, cell, size);
	return true;
}

/* ---- Records ---- */

/* Pieces as one run of bytes. */
struct reading {
	const struct page_piece *piece;
	size_t done; /* of it */
};

static void take_bytes(struct reading *r, uint8_t *to, size_t size)
{
	while (size) {
		size_t part = r->piece->size - r->done;

		if (part > size)
			part = size;
		if (part)
			memcpy(to, r->piece->at + r->done, part);
		to += part;
		size -= part;
		r->done += part;
		if (r->done == r->piece->size && size) {
			r->piece++;
			r->done = 0;
		}
	}
}

/* How much of a record stands in the b-tree's page. */
static uint32_t local_size(const struct page_tree *t, uint64_t size)
{
	uint32_t usable = t->file->page_size;
	uint32_t most = t->index ? (usable - 12) * 64 / 255 - 23 : usable - 35;
	uint32_t least = (usable - 12) * 32 / 255 - 23;
	uint64_t some;

	if (size <= most)
		return (uint32_t)size;
	some = least + (size - least) % (usable - 4);
	return some <= most ? (uint32_t)some : least;
}

/* The rest, in pages that follow each other; the first, or 0. */
static uint32_t put_overflow(struct page_tree *t, struct reading *r, uint64_t size)
{
	uint32_t page_size = t->file->page_size, first = t->file->next, next = first;
	uint8_t *page = malloc(page_size);

	if (!page)
		return 0;
	while (size) {
		uint64_t part = size < page_size - 4 ? size : page_size - 4;

		next = page_after(next, page_size);
		size -= part;
		page_put32(page, size ? next : 0);
		take_bytes(r, page + 4, (size_t)part);
		memset(page + 4 + part, 0, page_size - 4 - (size_t)part);
		if (!page_append(t->file, page)) {
			free(page);
			return 0;
		}
	}
	free(page);
	return first;
}

/* The leaf is full. */
static bool end_leaf(struct page_tree *t)
{
	struct page_level *l = &t->levels[0];
	uint8_t key[PAGE_VARINT], *up;
	uint32_t cut = l->last;
	bool ok;

	if (!t->index) {
		uint32_t size = (uint32_t)page_varint_put(key, (uint64_t)t->rowid);

		return add_child(t, 1, end_page(t, l, 0, 0), key, size);
	}
	up = malloc(cut);
	if (!up)
		return false;
	memcpy(up, untake_cell(l, 0), cut);
	memset(l->page + l->content - cut, 0, cut);
	ok = add_child(t, 1, end_page(t, l, 0, 0), up, cut);
	free(up);
	return ok;
}

static bool add(struct page_tree *t, const uint8_t *head, uint32_t head_bytes, const struct page_piece *pieces,
		uint64_t size)
{
	struct page_level *l = level_at(t, 0);
	struct reading r = { pieces, 0 };
	uint32_t local = local_size(t, size);
	uint32_t bytes = head_bytes + local + (local < size ? 4 : 0);
	uint32_t cell = bytes < CELL_LEAST ? CELL_LEAST : bytes;
	uint8_t *to;

	if (!l || (!fits(l, 0, cell) && !end_leaf(t)))
		return false;
	to = take_cell(l, 0, cell);
	memcpy(to, head, head_bytes);
	take_bytes(&r, to + head_bytes, local);
	if (local < size) {
		uint32_t first = put_overflow(t, &r, size - local);

		page_put32(to + head_bytes + local, first);
		return first != 0;
	}
	return true;
}

bool page_tree_row(struct page_tree *t, int64_t rowid, const struct page_piece *pieces, size_t count, uint64_t size)
{
	uint8_t head[2 * PAGE_VARINT];
	size_t n = page_varint_put(head, size);

	(void)count;
	n += page_varint_put(head + n, (uint64_t)rowid);
	if (t->failed || !add(t, head, (uint32_t)n, pieces, size))
		t->failed = true;
	t->rowid = rowid;
	return !t->failed;
}

bool page_tree_entry(struct page_tree *t, const struct page_piece *pieces, size_t count, uint64_t size)
{
	uint8_t head[PAGE_VARINT];
	size_t n = page_varint_put(head, size);

	(void)count;
	if (t->failed || !add(t, head, (uint32_t)n, pieces, size))
		t->failed = true;
	return !t->failed;
}

uint32_t page_tree_end(struct page_tree *t)
{
	uint32_t at = 0;
	size_t i;

	if (t->failed || !level_at(t, 0))
		return 0;
	for (i = 0; i < t->height; i++) {
		at = end_page(t, &t->levels[i], i, at);
		if (!at)
			return 0;
	}
	return at;
}
