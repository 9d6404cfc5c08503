/*
 * Pages that are appended to the staging file, through SQLite's own file handle: a descriptor of ours would drop
 * SQLite's locks when it is closed. The header's count of pages is written last; four bytes are there as a whole or not
 * at all when the process dies. The change counter stays as it is: for SQLite the size beside it tells that its cache
 * is old.
 */
#include "config.h"

#include <stdlib.h>

#include "pages.h"

#define HEADER	      100
#define AT_PAGE_SIZE  16
#define AT_WRITE      18
#define AT_READ	      19
#define AT_RESERVED   20
#define AT_COUNTER    24
#define AT_COUNT      28
#define AT_FORMAT     44
#define AT_LARGEST    52 /* root of a file with auto_vacuum */
#define AT_ENCODING   56
#define AT_VALID_FOR  92
#define BUFFER	      (64 << 10) /* SQLite writes no more than 128 KiB at once, and no page is larger */
#define PAGES_MOST    UINT32_C(1073741823) /* SQLite's own limit, where nobody raised it */

static sqlite3_file *file_of(sqlite3 *db)
{
	sqlite3_file *file = NULL;

	if (sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK || !file ||
	    !file->pMethods)
		return NULL;
	return file;
}

/* Of a file in rollback mode, UTF-8, with whole pages and nothing special. */
static bool knows(const uint8_t *head)
{
	return memcmp(head, "SQLite format 3", 16) == 0 && head[AT_WRITE] == 1 && head[AT_READ] == 1 &&
	       head[AT_RESERVED] == 0 && page_get32(head + AT_FORMAT) == 4 &&
	       page_get32(head + AT_LARGEST) == 0 && page_get32(head + AT_ENCODING) == 1 &&
	       memcmp(head + AT_COUNTER, head + AT_VALID_FOR, 4) == 0 && page_get32(head + AT_COUNT) > 0;
}

static bool look(struct page_file *f)
{
	uint8_t head[HEADER];
	sqlite3_int64 size = 0;
	uint32_t page_size;

	if (!f->file)
		return false;
	f->code = f->file->pMethods->xFileSize(f->file, &size);
	if (f->code == SQLITE_OK && size >= HEADER)
		f->code = f->file->pMethods->xRead(f->file, head, HEADER, 0);
	if (f->code != SQLITE_OK || size < HEADER || !knows(head))
		return false;
	page_size = page_get16(head + AT_PAGE_SIZE);
	f->page_size = page_size == 1 ? 65536 : page_size;
	f->count = page_get32(head + AT_COUNT);
	f->counter = page_get32(head + AT_COUNTER);
	return f->page_size >= 512 && (f->page_size & (f->page_size - 1)) == 0 &&
	       (uint64_t)size >= (uint64_t)f->count * f->page_size;
}

int page_file_look(struct page_file *f, sqlite3 *db)
{
	*f = (struct page_file){ .db = db, .file = file_of(db), .fd = -1 };
	return sqlite3_get_autocommit(db) && look(f) ? PAGES_DONE : PAGES_PASS;
}

int page_file_open(struct page_file *f, sqlite3 *db)
{
	if (page_file_look(f, db) != PAGES_DONE || f->count >= PAGES_MOST)
		return PAGES_PASS;
	f->next = page_after(f->count, f->page_size);
	f->written = f->count;
	f->room = BUFFER;
	f->buffer = malloc(f->room);
	return f->buffer ? PAGES_DONE : PAGES_PASS;
}

static void flush(struct page_file *f)
{
	if (f->code == SQLITE_OK && f->used)
		f->code = f->file->pMethods->xWrite(f->file, f->buffer, (int)f->used,
						    (sqlite3_int64)f->written * f->page_size);
	f->written += (uint32_t)(f->used / f->page_size);
	f->used = 0;
}

static void put(struct page_file *f, const uint8_t *page)
{
	if (f->used + f->page_size > f->room)
		flush(f);
	if (page)
		memcpy(f->buffer + f->used, page, f->page_size);
	else
		memset(f->buffer + f->used, 0, f->page_size);
	f->used += f->page_size;
}

uint32_t page_append(struct page_file *f, const uint8_t *page)
{
	uint32_t at = f->next;

	if (at >= PAGES_MOST && f->code == SQLITE_OK)
		f->code = SQLITE_FULL;
	if (f->code != SQLITE_OK)
		return 0;
	/* The page of the lock bytes is passed over. */
	if (at == page_lock(f->page_size) + 1 && f->written + f->used / f->page_size == at - 2)
		put(f, NULL);
	put(f, page);
	f->next = page_after(at, f->page_size);
	return f->code == SQLITE_OK ? at : 0;
}

static int put_count(sqlite3_file *file, uint32_t count)
{
	uint8_t bytes[4];

	page_put32(bytes, count);
	return file->pMethods->xWrite(file, bytes, 4, AT_COUNT);
}

/* Whoever changed the file meanwhile may have put pages where these are. */
static void check_unchanged(struct page_file *f)
{
	struct page_file now = { .db = f->db, .file = f->file };

	if (f->code == SQLITE_OK && !(look(&now) && now.count == f->count && now.counter == f->counter))
		f->code = now.code != SQLITE_OK ? now.code : SQLITE_INTERNAL;
}

bool page_file_count(struct page_file *f)
{
	flush(f);
	check_unchanged(f);
	if (f->code == SQLITE_OK)
		f->code = put_count(f->file, f->written);
	return f->code == SQLITE_OK;
}

void page_file_close(struct page_file *f)
{
	free(f->buffer);
	*f = (struct page_file){ 0 };
}

bool page_count_put(sqlite3 *db, uint32_t count)
{
	struct page_file f = { .db = db, .file = file_of(db), .fd = -1 };

	if (!look(&f) || count > f.count)
		return false;
	if (count != f.count && put_count(f.file, count) != SQLITE_OK)
		return false;
	return f.file->pMethods->xTruncate(f.file, (sqlite3_int64)count * f.page_size) == SQLITE_OK;
}
