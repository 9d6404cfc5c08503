/*
 * A set of keys of any number in bounded memory, exact. The newest keys are in a hash table of (hash, where the
 * key stands); when that is full it is written out, sorted, as a run, of which a Bloom filter stays, so that a new
 * key is known to be new without a look at the disk, nearly always. The keys themselves go to another file:
 * equal hashes are looked at again, key by key, so a collision costs a read and never a row. A small set touches
 * no disk at all. The hash is seeded by chance: nobody can choose values that collide.
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

#define FIRST_BITS    10	  /* slots of a new table, as a power of two */
#define LEAST_BITS    8		  /* of the largest one, in the smallest memory */
#define MOST_RUNS     8		  /* then they are merged into one */
#define KEYS_PER_WORD 4		  /* of a filter, at best: 16 bits a key */
#define WINDOW	      256	  /* entries of a run that are read at once: 4 KiB */
#define MERGE_ROOM    4096	  /* entries of each run in memory while they are merged */
#define RECENT_FIRST  4096	  /* bytes of the newest keys, which are in memory */
#define RECENT_MOST   (256 << 10) /* … before they go to the file */

struct slot {
	uint64_t hash;
	uint64_t at; /* of the key, from 1; 0: empty */
};

/* Entries sorted by their hashes, in a file. */
struct run {
	int file;
	uint64_t count;
	uint64_t *words; /* the filter; NULL: none, every key may be there */
	uint64_t word_count;
};

struct rules_seen {
	struct slot *slots;
	unsigned bits, most_bits; /* of the slots now, and at most */
	uint64_t held;		  /* entries in the slots */
	struct run runs[MOST_RUNS];
	size_t run_count;
	uint64_t most_words, used_words; /* of all filters */
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

/* ---- The filter of a run ---- */

/* One word says it all: four bits of it, by bits of the hash that its place does not depend on. */
static uint64_t mask_of(uint64_t hash)
{
	return UINT64_C(1) << (hash & 63) | UINT64_C(1) << (hash >> 6 & 63) |
	       UINT64_C(1) << (hash >> 12 & 63) | UINT64_C(1) << (hash >> 18 & 63);
}

/* A place among COUNT, in the order of the hashes. */
static uint64_t place_of(uint64_t hash, uint64_t count)
{
	return (uint64_t)((etl_u128)hash * count >> 64);
}

static bool may_have(const struct run *run, uint64_t hash)
{
	uint64_t mask = mask_of(hash);

	return !run->words || (run->words[place_of(hash, run->word_count)] & mask) == mask;
}

/* What is left of the memory for filters decides how good it is. Without one the run is only slower. */
static void filter_make(struct rules_seen *s, struct run *run, uint64_t most)
{
	uint64_t words = run->count / KEYS_PER_WORD + 1;

	run->word_count = words < most ? words : most;
	run->words = run->word_count ? calloc(run->word_count, sizeof(*run->words)) : NULL;
	if (!run->words)
		run->word_count = 0;
	s->used_words += run->word_count;
}

static void filter_add(struct run *run, uint64_t hash)
{
	if (run->words)
		run->words[place_of(hash, run->word_count)] |= mask_of(hash);
}

static void filter_free(struct rules_seen *s, struct run *run)
{
	s->used_words -= run->word_count;
	free(run->words);
	run->words = NULL;
	run->word_count = 0;
}

/* ---- Runs ---- */

static int compare_slots(const void *a, const void *b)
{
	const struct slot *x = a, *y = b;

	return x->hash < y->hash ? -1 : x->hash > y->hash;
}

/* The table becomes a run, and is empty. */
static int write_run(struct rules_seen *s)
{
	struct run *run = &s->runs[s->run_count];
	uint64_t slots = UINT64_C(1) << s->bits, count = 0;

	for (uint64_t i = 0; i < slots; i++)
		if (s->slots[i].at)
			s->slots[count++] = s->slots[i];
	qsort(s->slots, count, sizeof(*s->slots), compare_slots);
	*run = (struct run){ .file = temporary(), .count = count };
	if (run->file < 0)
		return failed(s, strerror(errno));
	s->run_count++;
	if (!write_at(run->file, s->slots, count * sizeof(*s->slots), 0))
		return failed(s, strerror(errno));
	filter_make(s, run, (s->most_words - s->used_words) / 2);
	for (uint64_t i = 0; i < count; i++)
		filter_add(run, s->slots[i].hash);
	memset(s->slots, 0, slots * sizeof(*s->slots));
	s->held = 0;
	return 0;
}

static int read_entries(struct rules_seen *s, const struct run *run, uint64_t from, uint64_t count,
			struct slot *to)
{
	ssize_t size = (ssize_t)(count * sizeof(*to));

	if (read_at(run->file, to, (size_t)size, from * sizeof(*to)) == size)
		return 0;
	return failed(s, errno ? strerror(errno) : "the temporary file is too short");
}

/* One run while it is merged. */
struct cursor {
	const struct run *run;
	uint64_t next; /* entry to be read */
	struct slot room[MERGE_ROOM];
	size_t at, count;
};

/* 1: ROOM[AT] is there; 0: the end. */
static int cursor_fill(struct rules_seen *s, struct cursor *c)
{
	uint64_t left = c->run->count - c->next;

	if (c->at < c->count)
		return 1;
	c->at = 0;
	c->count = left < MERGE_ROOM ? (size_t)left : MERGE_ROOM;
	if (c->count == 0)
		return 0;
	if (read_entries(s, c->run, c->next, c->count, c->room) < 0)
		return ETL_FAILED;
	c->next += c->count;
	return 1;
}

/* The run with the smallest hash; NULL: all are at their end, or *ret_failed. */
static struct cursor *least(struct rules_seen *s, struct cursor *cursors, bool *ret_failed)
{
	struct cursor *found = NULL;

	for (size_t i = 0; i < s->run_count; i++) {
		struct cursor *c = &cursors[i];
		int r = cursor_fill(s, c);

		if (r < 0) {
			*ret_failed = true;
			return NULL;
		}
		if (r > 0 && (!found || c->room[c->at].hash < found->room[found->at].hash))
			found = c;
	}
	return found;
}

static int merge_into(struct rules_seen *s, struct run *run, struct cursor *cursors,
		      struct slot *out)
{
	struct cursor *c;
	uint64_t written = 0;
	size_t count = 0;
	bool bad = false;

	while ((c = least(s, cursors, &bad))) {
		filter_add(run, c->room[c->at].hash);
		out[count++] = c->room[c->at++];
		if (count < MERGE_ROOM && written + count < run->count)
			continue;
		if (!write_at(run->file, out, count * sizeof(*out), written * sizeof(*out)))
			return failed(s, strerror(errno));
		written += count;
		count = 0;
	}
	return bad ? ETL_FAILED : 0;
}

static void runs_free(struct rules_seen *s)
{
	for (size_t i = 0; i < s->run_count; i++) {
		filter_free(s, &s->runs[i]);
		close(s->runs[i].file);
	}
	s->run_count = 0;
}

static int merge_runs(struct rules_seen *s)
{
	struct cursor *cursors = calloc(MOST_RUNS, sizeof(*cursors));
	struct slot *out = malloc(MERGE_ROOM * sizeof(*out));
	struct run run = { .file = temporary() };
	int r = cursors && out ? 0 : failed(s, "no memory");

	if (r == 0 && run.file < 0)
		r = failed(s, strerror(errno));
	for (size_t i = 0; r == 0 && i < s->run_count; i++) {
		cursors[i].run = &s->runs[i];
		run.count += s->runs[i].count;
		filter_free(s, &s->runs[i]);
	}
	if (r == 0) {
		filter_make(s, &run, s->most_words / 4 * 3);
		r = merge_into(s, &run, cursors, out);
	}
	free(cursors);
	free(out);
	if (r < 0) {
		filter_free(s, &run);
		if (run.file >= 0)
			close(run.file);
		return r;
	}
	/* The old ones have no filters any more; the new one's words stay counted. */
	for (size_t i = 0; i < s->run_count; i++)
		close(s->runs[i].file);
	s->runs[0] = run;
	s->run_count = 1;
	return 0;
}

/* Where the first entry that is not below the hash would be looked for between LOW and HIGH. */
static uint64_t guess(const struct run *run, uint64_t hash, uint64_t low, uint64_t high, int tries)
{
	uint64_t at = tries < 3 ? place_of(hash, run->count) : low + (high - low) / 2;

	at = at < low ? low : at >= high ? high - 1 : at;
	return at - low < WINDOW / 2 ? low : at - WINDOW / 2;
}

/* Fills ROOM with the entries from *RET_FROM on, of which the first not below the hash is one, or all are below. */
static int find_window(struct rules_seen *s, const struct run *run, uint64_t hash,
		       struct slot *room, uint64_t *ret_from, uint64_t *ret_count)
{
	uint64_t low = 0, high = run->count;

	for (int tries = 0;; tries++) {
		uint64_t from = guess(run, hash, low, high, tries), count = high - from;

		count = count < WINDOW ? count : WINDOW;
		if (read_entries(s, run, from, count, room) < 0)
			return ETL_FAILED;
		if (room[0].hash >= hash && from > low)
			high = from + 1;
		else if (room[count - 1].hash < hash && from + count < high)
			low = from + count;
		else {
			*ret_from = from;
			*ret_count = count;
			return 0;
		}
	}
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
	const uint8_t *other;
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
	} else {
		other = s->recent + (at - 1 - s->keys_on_disk);
	}
	return memcmp(other, &size, sizeof(size)) == 0 &&
	       memcmp(other + sizeof(size), key, size) == 0;
}

/* ---- The set ---- */

struct sought {
	const void *key;
	uint32_t size;
	uint64_t hash;
};

/* 1: it is in the run. */
static int run_has(struct rules_seen *s, const struct run *run, const struct sought *k)
{
	struct slot room[WINDOW];
	uint64_t from, count;
	int r = find_window(s, run, k->hash, room, &from, &count);

	while (r == 0) {
		for (uint64_t i = 0; i < count; i++) {
			if (room[i].hash > k->hash)
				return 0;
			if (room[i].hash < k->hash)
				continue;
			r = is_key(s, room[i].at, k->key, k->size);
			if (r != 0)
				return r;
		}
		from += count;
		count = run->count - from < WINDOW ? run->count - from : WINDOW;
		if (count == 0)
			return 0;
		r = read_entries(s, run, from, count, room);
	}
	return r;
}

static uint64_t home_of(const struct rules_seen *s, uint64_t hash)
{
	return hash >> (64 - s->bits);
}

static uint64_t next_of(const struct rules_seen *s, uint64_t at)
{
	return (at + 1) & ((UINT64_C(1) << s->bits) - 1);
}

static int table_has(struct rules_seen *s, const struct sought *k)
{
	uint64_t at = home_of(s, k->hash);
	int r = 0;

	for (; r == 0 && s->slots[at].at; at = next_of(s, at))
		if (s->slots[at].hash == k->hash)
			r = is_key(s, s->slots[at].at, k->key, k->size);
	return r;
}

static void table_put(struct rules_seen *s, const struct slot *what)
{
	uint64_t at = home_of(s, what->hash);

	while (s->slots[at].at)
		at = next_of(s, at);
	s->slots[at] = *what;
	s->held++;
}

static int table_double(struct rules_seen *s)
{
	struct slot *old = s->slots, *more = calloc(UINT64_C(2) << s->bits, sizeof(*more));
	uint64_t slots = UINT64_C(1) << s->bits;

	if (!more)
		return failed(s, "no memory");
	s->slots = more;
	s->bits++;
	s->held = 0;
	for (uint64_t i = 0; i < slots; i++)
		if (old[i].at)
			table_put(s, &old[i]);
	free(old);
	return 0;
}

/* Three fifths full at most: chains of slots stay short. */
static int make_room(struct rules_seen *s)
{
	int r = 0;

	if ((s->held + 1) * 5 <= (UINT64_C(1) << s->bits) * 3)
		return 0;
	if (s->bits < s->most_bits)
		return table_double(s);
	if (s->run_count == MOST_RUNS)
		r = merge_runs(s);
	return r < 0 ? r : write_run(s);
}

struct rules_seen *rules_seen_new(int64_t memory)
{
	struct rules_seen *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->keys_file = -1;
	s->most_bits = LEAST_BITS;
	while (s->most_bits < 40 &&
	       (int64_t)sizeof(struct slot) << (s->most_bits + 1) <= memory / 2)
		s->most_bits++;
	s->most_words = (uint64_t)(memory > 0 ? memory : 0) / 2 / sizeof(uint64_t);
	s->bits = s->most_bits < FIRST_BITS ? s->most_bits : FIRST_BITS;
	if (getrandom(&s->seed, sizeof(s->seed), GRND_NONBLOCK) != sizeof(s->seed))
		s->seed = (uint64_t)(uintptr_t)s;
	s->slots = calloc(UINT64_C(1) << s->bits, sizeof(*s->slots));
	if (!s->slots) {
		free(s);
		return NULL;
	}
	return s;
}

void rules_seen_free(struct rules_seen *s)
{
	if (!s)
		return;
	runs_free(s);
	if (s->keys_file >= 0)
		close(s->keys_file);
	free(s->slots);
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
	struct sought k = { key, (uint32_t)size, XXH3_64bits_withSeed(key, size, s->seed) };
	int r = size > UINT32_MAX ? failed(s, "a key of more than 4 GiB") : table_has(s, &k);

	for (size_t i = 0; r == 0 && i < s->run_count; i++)
		if (may_have(&s->runs[i], k.hash))
			r = run_has(s, &s->runs[i], &k);
	if (r < 0)
		*ret_why = s->why;
	return r;
}

int rules_seen_add(struct rules_seen *s, const void *key, size_t size, const char **ret_why)
{
	struct slot slot = { XXH3_64bits_withSeed(key, size, s->seed), 0 };
	int r = make_room(s);

	if (r == 0)
		r = keep_key(s, key, (uint32_t)size, &slot.at);
	if (r < 0) {
		*ret_why = s->why;
		return r;
	}
	table_put(s, &slot);
	s->count++;
	return 0;
}
