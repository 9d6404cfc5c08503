/*
 * The rows of a table of the staging file in the order of their rowids, straight from its pages: a window of the file is
 * read at a time, and the columns that are wanted are found in the record where they stand. Every number that is read is
 * held against the page it is in; what does not fit is a failure, and then SQLite is asked instead.
 */
#include "config.h"

#include <stdlib.h>
#include <unistd.h>

#include "pages.h"

#define WINDOW	       (64 << 10) /* SQLite reads no more than 128 KiB at once, and no page is larger */
#define TABLE_INTERIOR 5
#define TABLE_LEAF     13

struct interior {
	uint8_t *page;
	uint32_t cells, next; /* next: the child that is read next; cells: that is the right one */
};

struct page_scan {
	struct page_file file;
	uint8_t *window;
	uint32_t window_first, window_pages, window_room;
	struct interior path[PAGE_LEVELS];
	size_t depth;
	uint32_t root;
	bool begun;
	const uint8_t *leaf; /* in the window */
	uint32_t cell, cells;
	/* The row. */
	const uint8_t *local;
	uint32_t local_size, overflow;
	uint64_t size;
	uint8_t *whole; /* with what overflows */
	size_t whole_room;
	bool is_whole;
};

struct page_scan *page_scan_new(const struct page_file *file, uint32_t root)
{
	struct page_scan *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->file = *file;
	s->root = root;
	s->window_room = WINDOW / file->page_size;
	s->window = malloc((size_t)s->window_room * file->page_size);
	if (!s->window) {
		free(s);
		return NULL;
	}
	return s;
}

void page_scan_free(struct page_scan *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < PAGE_LEVELS; i++)
		free(s->path[i].page);
	free(s->window);
	free(s->whole);
	free(s);
}

int page_scan_code(const struct page_scan *s)
{
	return s->file.code;
}

static bool read_at(struct page_scan *s, uint8_t *to, uint32_t page, uint32_t count)
{
	uint32_t size = s->file.page_size;
	off_t offset = (off_t)(page - 1) * size;

	if (s->file.fd < 0)
		s->file.code = s->file.file->pMethods->xRead(s->file.file, to, (int)(count * size), offset);
	else if (pread(s->file.fd, to, (size_t)count * size, offset) != (ssize_t)count * size)
		s->file.code = SQLITE_IOERR_READ;
	return s->file.code == SQLITE_OK;
}

static bool is_page(const struct page_scan *s, uint32_t page)
{
	return page > 0 && page <= s->file.count;
}

/* Valid until the next one is asked for; NULL: it cannot be read. */
static const uint8_t *page_at(struct page_scan *s, uint32_t page)
{
	uint32_t count;

	if (!is_page(s, page))
		return NULL;
	if (page < s->window_first || page - s->window_first >= s->window_pages) {
		count = s->file.count - page + 1;
		if (count > s->window_room)
			count = s->window_room;
		s->window_pages = 0;
		if (!read_at(s, s->window, page, count))
			return NULL;
		s->window_first = page;
		s->window_pages = count;
	}
	return s->window + (size_t)(page - s->window_first) * s->file.page_size;
}

/* Where the page's b-tree header begins: page 1 has the file's before it. */
static uint32_t head_of(uint32_t page)
{
	return page == 1 ? 100 : 0;
}

static bool enter(struct page_scan *s, uint32_t page)
{
	const uint8_t *p = page_at(s, page);
	struct interior *in;
	uint32_t cells;

	if (!p || head_of(page))
		return false;
	cells = page_get16(p + 3);
	if (p[0] == TABLE_LEAF && 8 + 2 * (uint64_t)cells <= s->file.page_size) {
		s->leaf = p;
		s->cells = cells;
		s->cell = 0;
		return true;
	}
	if (p[0] != TABLE_INTERIOR || s->depth == PAGE_LEVELS || 12 + 2 * (uint64_t)cells > s->file.page_size)
		return false;
	in = &s->path[s->depth++];
	if (!in->page)
		in->page = malloc(s->file.page_size);
	if (!in->page)
		return false;
	memcpy(in->page, p, s->file.page_size);
	in->cells = cells;
	in->next = 0;
	s->leaf = NULL;
	return true;
}

/* Into the next child of the page that is the last on the path, or, if it has no more, up from it. */
static enum page_step next_child(struct page_scan *s)
{
	struct interior *in = s->depth ? &s->path[s->depth - 1] : NULL;
	uint32_t at;

	if (!in)
		return PAGE_END;
	if (in->next > in->cells) {
		s->depth--;
		return PAGE_ROW;
	}
	at = in->next < in->cells ? page_get16(in->page + 12 + 2 * in->next) : 8;
	if (at < 8 || at + 4 > s->file.page_size)
		return PAGE_FAILED;
	in->next++;
	return enter(s, page_get32(in->page + at)) ? PAGE_ROW : PAGE_FAILED;
}

/* To the next leaf; PAGE_ROW: it is there. */
static enum page_step next_leaf(struct page_scan *s)
{
	enum page_step step = PAGE_ROW;

	s->leaf = NULL;
	while (step == PAGE_ROW && !s->leaf)
		step = next_child(s);
	return step;
}

/* How much of a record of a table's leaf stands in it. */
static uint32_t local_size(uint32_t page_size, uint64_t size)
{
	uint32_t most = page_size - 35, least = (page_size - 12) * 32 / 255 - 23;
	uint64_t some;

	if (size <= most)
		return (uint32_t)size;
	some = least + (size - least) % (page_size - 4);
	return some <= most ? (uint32_t)some : least;
}

static bool read_cell(struct page_scan *s, int64_t *ret_rowid)
{
	const uint8_t *end = s->leaf + s->file.page_size;
	const uint8_t *at = s->leaf + page_get16(s->leaf + 8 + 2 * s->cell);
	uint64_t rowid;
	size_t n = at < end ? page_varint_get(at, end, &s->size) : 0;
	size_t m = n ? page_varint_get(at + n, end, &rowid) : 0;

	if (!m)
		return false;
	s->local = at + n + m;
	s->local_size = local_size(s->file.page_size, s->size);
	if (s->local_size + (s->local_size < s->size ? 4U : 0U) > (size_t)(end - s->local))
		return false;
	s->overflow = s->local_size < s->size ? page_get32(s->local + s->local_size) : 0;
	s->is_whole = s->local_size == s->size;
	*ret_rowid = (int64_t)rowid;
	return true;
}

enum page_step page_scan_next(struct page_scan *s, int64_t *ret_rowid)
{
	enum page_step step = PAGE_ROW;

	if (!s->begun) {
		s->begun = true;
		if (!enter(s, s->root))
			return PAGE_FAILED;
		if (!s->leaf)
			step = next_leaf(s);
	}
	while (step == PAGE_ROW && s->leaf && s->cell == s->cells)
		step = next_leaf(s);
	if (step != PAGE_ROW)
		return step;
	if (!read_cell(s, ret_rowid))
		return PAGE_FAILED;
	s->cell++;
	return PAGE_ROW;
}

/* The record with what overflows, in memory of its own. The leaf stays in the window. */
static bool read_whole(struct page_scan *s)
{
	uint32_t page_size = s->file.page_size, page = s->overflow;
	uint64_t done = s->local_size;
	uint8_t *buffer;

	if (s->size > INT32_MAX)
		return false;
	if (s->size + page_size > s->whole_room) {
		uint8_t *more = realloc(s->whole, (size_t)s->size + page_size);

		if (!more)
			return false;
		s->whole = more;
		s->whole_room = (size_t)s->size + page_size;
	}
	memcpy(s->whole, s->local, s->local_size);
	buffer = malloc(page_size);
	while (buffer && done < s->size) {
		uint64_t part = s->size - done < page_size - 4 ? s->size - done : page_size - 4;

		if (!is_page(s, page) || !read_at(s, buffer, page, 1))
			break;
		memcpy(s->whole + done, buffer + 4, (size_t)part);
		page = page_get32(buffer);
		done += part;
	}
	free(buffer);
	s->local = s->whole;
	s->local_size = (uint32_t)done;
	s->is_whole = done == s->size;
	return s->is_whole;
}

bool page_scan_values(struct page_scan *s, const uint32_t *places, size_t count, struct page_value *ret)
{
	const uint8_t *end = s->local + s->local_size, *at, *types_end;
	uint64_t types = 0, serial = 0, size = 0, body;
	uint32_t place = 0;
	size_t n, i = 0;

	n = page_varint_get(s->local, end, &types);
	if (!n || types < n || types > s->size)
		return false;
	if (types > s->local_size)
		return !s->is_whole && read_whole(s) && page_scan_values(s, places, count, ret);
	at = s->local + n;
	types_end = s->local + types;
	body = types;
	while (i < count) {
		n = at < types_end ? page_varint_get(at, types_end, &serial) : 0;
		if (!n || serial == 10 || serial == 11)
			return false;
		at += n;
		size = page_serial_size(serial);
		if (size > s->size - body)
			return false;
		for (; i < count && places[i] == place; i++) {
			if (body + size > s->local_size)
				return !s->is_whole && read_whole(s) && page_scan_values(s, places, count, ret);
			page_value_get(serial, s->local + body, &ret[i]);
		}
		body += size;
		place++;
	}
	return true;
}

bool page_scan_size(struct page_file *file, uint32_t root, uint64_t *ret)
{
	struct page_scan *s = page_scan_new(file, root);
	bool ok = s && enter(s, root);

	*ret = s && s->leaf ? file->page_size : 0;
	if (ok && s->depth) {
		uint64_t children = (uint64_t)s->path[0].cells + 1;

		ok = next_child(s) == PAGE_ROW;
		*ret = s->leaf ? children * file->page_size : UINT64_MAX;
	}
	file->code = s ? s->file.code : SQLITE_NOMEM;
	page_scan_free(s);
	return ok;
}
