/*
 * A set of keys of any number in bounded memory, exact. A hash table of (hash, where the key stands) lies in a
 * temporary file behind a cache of pages, and the keys themselves in another: equal hashes are looked at again,
 * key by key, so a collision costs a read and never a row. A small set is all cache and touches no disk. The
 * table's place follows the hash's upper bits, so it doubles by one pass in order. The hash is seeded by chance:
 * nobody can choose values that collide.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "rules.h"

#define PAGE_SLOTS   256 /* of 16 bytes: 4 KiB */
#define FIRST_BITS   10	 /* slots of a new table, as a power of two */
#define LEAST_PAGES  16
#define RECENT_FIRST 4096	 /* bytes of the newest keys, which are in memory */
#define RECENT_MOST  (256 << 10) /* … before they go to the file */

struct slot {
	uint64_t hash;
	uint64_t at; /* of the key, from 1; 0: empty */
};

struct page {
	struct slot slots[PAGE_SLOTS];
};

/* What the cache holds at one place. */
struct held {
	uint64_t number; /* of the page, from 1; 0: nothing */
	bool changed;
};

/* Slots in order. With room for every page in the cache there is no file. */
struct table {
	unsigned bits;
	struct page *pages; /* mapped by number */
	struct held *held;
	size_t page_count;
	int file; /* -1: none */
};

struct rules_seen {
	struct table table;
	size_t most_pages;
	uint64_t count, seed;
	int keys_file;	       /* -1: none */
	uint64_t keys_on_disk; /* bytes */
	uint8_t *recent;       /* the keys behind them */
	size_t recent_size, recent_room;
	uint8_t *other; /* a key that was read back */
	size_t other_room;
	const char *why;
};

/* ---- Files ---- */

static int failed(struct rules_seen *s, const char *why)
{
	s->why = why;
	return ETL_FAILED;
}

/* Has no name any more: it is gone with the process. */
static int temporary(void)
{
	const char *folder = getenv("TMPDIR");
	char path[4096];
	int file;

	snprintf(path, sizeof(path), "%s/etlrun-rules-XXXXXX",
		 folder && *folder ? folder : "/var/tmp");
	file = mkostemp(path, O_CLOEXEC);
	if (file >= 0)
		unlink(path);
	return file;
}

/* How many bytes there were, up to SIZE; negative: failed. */
static ssize_t read_at(int file, void *to, size_t size, uint64_t at)
{
	size_t done = 0;

	while (done < size) {
		ssize_t got = pread(file, (char *)to + done, size - done, (off_t)(at + done));

		if (got < 0 && errno != EINTR)
			return -1;
		if (got == 0)
			break;
		done += got > 0 ? (size_t)got : 0;
	}
	return (ssize_t)done;
}

static bool write_at(int file, const void *from, size_t size, uint64_t at)
{
	size_t done = 0;

	while (done < size) {
		ssize_t put = pwrite(file, (const char *)from + done, size - done,
				     (off_t)(at + done));

		if (put < 0 && errno != EINTR)
			return false;
		done += put > 0 ? (size_t)put : 0;
	}
	return true;
}

/* ---- The table ---- */

static uint64_t pages_of(unsigned bits)
{
	return (UINT64_C(1) << bits) / PAGE_SLOTS;
}

static void table_free(struct table *t)
{
	free(t->pages);
	free(t->held);
	if (t->file >= 0)
		close(t->file);
	*t = (struct table){ .file = -1 };
}

static int table_make(struct rules_seen *s, struct table *t, unsigned bits)
{
	uint64_t pages = pages_of(bits);

	*t = (struct table){ .bits = bits, .file = -1 };
	t->page_count = pages < s->most_pages ? (size_t)pages : s->most_pages;
	t->pages = calloc(t->page_count, sizeof(*t->pages));
	t->held = calloc(t->page_count, sizeof(*t->held));
	if (!t->pages || !t->held) {
		table_free(t);
		return failed(s, "no memory");
	}
	if (pages <= t->page_count)
		return 0;
	/* What was never written reads as zeros: empty slots. */
	t->file = temporary();
	if (t->file < 0 || ftruncate(t->file, (off_t)(pages * sizeof(struct page))) < 0) {
		failed(s, strerror(errno));
		table_free(t);
		return ETL_FAILED;
	}
	return 0;
}

/* The page, in the cache; NULL: failed. */
static struct page *page_at(struct rules_seen *s, struct table *t, uint64_t number, bool change)
{
	size_t place = (size_t)(number % t->page_count);
	struct held *held = &t->held[place];
	struct page *page = &t->pages[place];

	if (held->number != number + 1 && t->file >= 0) {
		if (held->changed &&
		    !write_at(t->file, page, sizeof(*page), (held->number - 1) * sizeof(*page))) {
			failed(s, strerror(errno));
			return NULL;
		}
		held->changed = false;
		held->number = 0;
		if (read_at(t->file, page, sizeof(*page), number * sizeof(*page)) !=
		    sizeof(*page)) {
			failed(s, errno ? strerror(errno) : "the temporary file is too short");
			return NULL;
		}
	}
	held->number = number + 1;
	held->changed |= change;
	return page;
}

/* A slot, in the cache; CHANGE: it will be written to. NULL: failed. */
static struct slot *slot_at(struct rules_seen *s, struct table *t, uint64_t at, bool change)
{
	struct page *page = page_at(s, t, at / PAGE_SLOTS, change);

	return page ? &page->slots[at % PAGE_SLOTS] : NULL;
}

static uint64_t home_of(const struct table *t, uint64_t hash)
{
	return hash >> (64 - t->bits);
}

static uint64_t next_of(const struct table *t, uint64_t at)
{
	return (at + 1) & ((UINT64_C(1) << t->bits) - 1);
}

/* Into the first empty slot. */
static int table_put(struct rules_seen *s, struct table *t, const struct slot *what)
{
	uint64_t at = home_of(t, what->hash);
	struct slot *slot;

	while ((slot = slot_at(s, t, at, false)) && slot->at)
		at = next_of(t, at);
	if (slot)
		slot = slot_at(s, t, at, true);
	if (!slot)
		return ETL_FAILED;
	*slot = *what;
	return 0;
}

static int table_double(struct rules_seen *s)
{
	struct table *old = &s->table, more;
	uint64_t slots = UINT64_C(1) << old->bits;
	int r = table_make(s, &more, old->bits + 1);

	if (r < 0)
		return r;
	for (uint64_t i = 0; r == 0 && i < slots; i++) {
		const struct slot *slot = slot_at(s, old, i, false);

		if (!slot)
			r = ETL_FAILED;
		else if (slot->at)
			r = table_put(s, &more, slot);
	}
	if (r < 0) {
		table_free(&more);
		return r;
	}
	table_free(old);
	*old = more;
	return 0;
}

/* ---- The keys: size (four bytes), bytes ---- */

static int flush_keys(struct rules_seen *s)
{
	if (s->keys_file < 0)
		s->keys_file = temporary();
	if (s->keys_file < 0 || !write_at(s->keys_file, s->recent, s->recent_size, s->keys_on_disk))
		return failed(s, strerror(errno));
	s->keys_on_disk += s->recent_size;
	s->recent_size = 0;
	return 0;
}

static int room_for(struct rules_seen *s, size_t size)
{
	size_t room = s->recent_room ? s->recent_room : RECENT_FIRST;
	uint8_t *more;

	if (s->recent_size > 0 && s->recent_size + size > RECENT_MOST && flush_keys(s) < 0)
		return ETL_FAILED;
	while (room < s->recent_size + size)
		room *= 2;
	if (room <= s->recent_room)
		return 0;
	more = realloc(s->recent, room);
	if (!more)
		return failed(s, "no memory");
	s->recent = more;
	s->recent_room = room;
	return 0;
}

static int keep_key(struct rules_seen *s, const void *key, uint32_t size, uint64_t *ret_at)
{
	if (room_for(s, sizeof(size) + size) < 0)
		return ETL_FAILED;
	*ret_at = s->keys_on_disk + s->recent_size + 1;
	memcpy(s->recent + s->recent_size, &size, sizeof(size));
	memcpy(s->recent + s->recent_size + sizeof(size), key, size);
	s->recent_size += sizeof(size) + size;
	return 0;
}

/* 1: the key kept at AT is this one. */
static int is_key(struct rules_seen *s, uint64_t at, const void *key, uint32_t size)
{
	const uint8_t *other = s->recent + (at - 1 - s->keys_on_disk);
	size_t whole = sizeof(size) + size;

	if (at - 1 < s->keys_on_disk) {
		ssize_t got;

		if (whole > s->other_room) {
			uint8_t *more = realloc(s->other, whole);

			if (!more)
				return failed(s, "no memory");
			s->other = more;
			s->other_room = whole;
		}
		got = read_at(s->keys_file, s->other, whole, at - 1);
		if (got < 0)
			return failed(s, strerror(errno));
		if ((size_t)got < whole)
			return 0;
		other = s->other;
	}
	return memcmp(other, &size, sizeof(size)) == 0 &&
	       memcmp(other + sizeof(size), key, size) == 0;
}

/* ---- The set ---- */

struct rules_seen *rules_seen_new(int64_t memory)
{
	struct rules_seen *s = calloc(1, sizeof(*s));
	int64_t pages = memory / 2 / (int64_t)sizeof(struct page);

	if (!s)
		return NULL;
	s->keys_file = -1;
	s->most_pages = pages > LEAST_PAGES ? (size_t)pages : LEAST_PAGES;
	if (getrandom(&s->seed, sizeof(s->seed), GRND_NONBLOCK) != sizeof(s->seed))
		s->seed = (uint64_t)(uintptr_t)s;
	if (table_make(s, &s->table, FIRST_BITS) < 0) {
		free(s);
		return NULL;
	}
	return s;
}

void rules_seen_free(struct rules_seen *s)
{
	if (!s)
		return;
	table_free(&s->table);
	if (s->keys_file >= 0)
		close(s->keys_file);
	free(s->recent);
	free(s->other);
	free(s);
}

uint64_t rules_seen_count(const struct rules_seen *s)
{
	return s->count;
}

int rules_seen_has(struct rules_seen *s, const void *key, size_t size, const char **ret_why)
{
	uint64_t hash = XXH3_64bits_withSeed(key, size, s->seed), at = home_of(&s->table, hash);
	const struct slot *slot = NULL;
	int r = size > UINT32_MAX ? failed(s, "a key of more than 4 GiB") : 0;

	while (r == 0 && (slot = slot_at(s, &s->table, at, false)) && slot->at) {
		if (slot->hash == hash)
			r = is_key(s, slot->at, key, (uint32_t)size);
		at = next_of(&s->table, at);
	}
	if (r == 0 && !slot)
		r = ETL_FAILED;
	if (r < 0)
		*ret_why = s->why;
	return r;
}

int rules_seen_add(struct rules_seen *s, const void *key, size_t size, const char **ret_why)
{
	struct slot slot = { XXH3_64bits_withSeed(key, size, s->seed), 0 };
	int r = 0;

	/* Three fifths full: chains of slots stay short. */
	if ((s->count + 1) * 5 > (UINT64_C(1) << s->table.bits) * 3)
		r = table_double(s);
	if (r == 0)
		r = keep_key(s, key, (uint32_t)size, &slot.at);
	if (r == 0)
		r = table_put(s, &s->table, &slot);
	if (r == 0)
		s->count++;
	else
		*ret_why = s->why;
	return r;
}
