/* See map-set.h. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "map-set.h"
#include "spill.h"

#define KEPT	     "a map of keys"
#define LEAST_BYTES  (64u << 10)
#define LEAST_SLOTS  1024u
#define RECENT	     65536u /* keys that were noted last, about: more than rows are under way in a chain */
#define LOOKS	     16384u /* between two looks at the memory that is in use */
#define MOST_ENTRIES UINT32_MAX
#define LONG_TEXT    255u /* stands for a size that is written in four bytes behind it */

struct region {
	int fd; /* -1: it is in memory */
	uint8_t *at;
	size_t size;
};

/* An entry's index and 1, or 0, and its hash. */
struct slot {
	uint32_t index, hash;
};

enum { ENTRIES, TEXTS, BY_OLD, BY_NEW, REGIONS };

struct map_set {
	pthread_mutex_t mutex;
	struct region at[REGIONS]; /* the last is made when it is asked for */
	size_t count, slots, new_slots; /* powers of two */
	size_t text_used;
	size_t memory, looks;
	uint32_t *recent; /* by the hash of the new key: an entry's index and 1 */
};

struct map_set *map_set_new(size_t memory)
{
	struct map_set *s = calloc(1, sizeof(*s));

	if (s)
		s->recent = calloc(RECENT, sizeof(*s->recent));
	if (!s || !s->recent) {
		free(s);
		return NULL;
	}
	pthread_mutex_init(&s->mutex, NULL);
	for (size_t i = 0; i < REGIONS; i++)
		s->at[i].fd = -1;
	s->memory = memory;
	return s;
}

static void region_free(struct region *r)
{
	if (r->at)
		munmap(r->at, r->size);
	if (r->fd >= 0)
		close(r->fd);
}

void map_set_free(struct map_set *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < REGIONS; i++)
		region_free(&s->at[i]);
	free(s->recent);
	pthread_mutex_destroy(&s->mutex);
	free(s);
}

void map_set_lock(struct map_set *s)
{
	pthread_mutex_lock(&s->mutex);
}

void map_set_unlock(struct map_set *s)
{
	pthread_mutex_unlock(&s->mutex);
}

/* ---- Room -------------------------------------------------------------------------------------- */

static size_t in_memory(const struct map_set *s)
{
	size_t sum = 0;

	for (size_t i = 0; i < REGIONS; i++)
		sum += s->at[i].fd < 0 ? s->at[i].size : 0;
	return sum;
}

static int no_room(const char *why, struct etl_error *err)
{
	return error_set(err, ETL_MEMORY, "no room for " KEPT ": %s; name another folder with TMPDIR", why);
}

/* A mapped file without its blocks would be a signal and not an error when the disk is full. */
static int map_file(struct region *r, size_t size, struct etl_error *err)
{
	int code;

	if (r->fd < 0 && (r->fd = spill_file(KEPT, err)) < 0)
		return ETL_FAILED;
	code = posix_fallocate(r->fd, 0, (off_t)size);
	return code ? no_room(strerror(code), err) : 0;
}

/* What it holds stays, and the rest of it is zeros. */
static int region_grow(struct map_set *s, int which, size_t size, struct etl_error *err)
{
	struct region *r = &s->at[which], was = *r;
	bool filed = r->fd >= 0 || in_memory(s) + size > s->memory;
	void *at;
	int rc = filed ? map_file(r, size, err) : 0;

	if (rc < 0)
		return rc;
	at = mmap(NULL, size, PROT_READ | PROT_WRITE, filed ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS, r->fd, 0);
	if (at == MAP_FAILED)
		return no_room(strerror(errno), err);
	if (was.at && was.fd < 0)
		memcpy(at, was.at, was.size);
	if (was.at)
		munmap(was.at, was.size);
	r->at = at;
	r->size = size;
	return 0;
}

static int need(struct map_set *s, int which, size_t bytes, struct etl_error *err)
{
	size_t size = s->at[which].size ? s->at[which].size : LEAST_BYTES;

	while (size < bytes)
		size *= 2;
	return size == s->at[which].size ? 0 : region_grow(s, which, size, err);
}

/* As the system counts it; 0: it does not say. */
static size_t memory_in_use(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	unsigned long pages = 0;

	if (!f)
		return 0;
	if (fscanf(f, "%*s %lu", &pages) != 1)
		pages = 0;
	fclose(f);
	return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* What was written stays in the files; the pages come back as they are wanted. */
static void give_back(struct map_set *s)
{
	if (++s->looks < LOOKS)
		return;
	s->looks = 0;
	if (memory_in_use() < s->memory + s->memory / 2)
		return;
	for (size_t i = 0; i < REGIONS; i++)
		if (s->at[i].fd >= 0)
			madvise(s->at[i].at, s->at[i].size, MADV_DONTNEED);
}

/* ---- Entries ----------------------------------------------------------------------------------- */

size_t map_set_count(const struct map_set *s)
{
	return s->count;
}

struct map_entry *map_set_at(struct map_set *s, size_t index)
{
	return (struct map_entry *)(void *)s->at[ENTRIES].at + index;
}

const char *map_set_text(struct map_set *s, const struct map_entry *e, size_t *ret_size)
{
	const uint8_t *at = s->at[TEXTS].at + e->text;
	uint32_t size = *at++;

	if (size == LONG_TEXT) {
		memcpy(&size, at, sizeof(size));
		at += sizeof(size);
	}
	*ret_size = size;
	return (const char *)at;
}

static int add_text(struct map_set *s, const void *text, uint32_t size, struct etl_error *err)
{
	int rc = need(s, TEXTS, s->text_used + 1 + sizeof(size) + size, err);
	uint8_t *at = s->at[TEXTS].at + s->text_used;

	if (rc < 0)
		return rc;
	*at++ = size < LONG_TEXT ? (uint8_t)size : LONG_TEXT;
	if (size >= LONG_TEXT) {
		memcpy(at, &size, sizeof(size));
		at += sizeof(size);
	}
	if (size)
		memcpy(at, text, size);
	s->text_used = (size_t)(at - s->at[TEXTS].at) + size;
	return 0;
}

/* ---- Finding ----------------------------------------------------------------------------------- */

static uint32_t hash_old(uint16_t table, const void *old, size_t size)
{
	return (uint32_t)XXH3_64bits_withSeed(old, size, table);
}

static uint32_t hash_new(uint16_t table, const uint8_t key[MAP_KEY])
{
	return (uint32_t)XXH3_64bits_withSeed(key, MAP_KEY, table);
}

static struct slot *slots_of(const struct map_set *s, int which)
{
	return (struct slot *)(void *)s->at[which].at;
}

static bool has_old(struct map_set *s, const struct map_entry *e, uint16_t table, const void *old, size_t size)
{
	size_t length;
	const char *text = map_set_text(s, e, &length);

	return e->table == table && length == size && memcmp(text, old, size) == 0;
}

static bool has_new(const struct map_entry *e, uint16_t table, const uint8_t key[MAP_KEY])
{
	return e->table == table && memcmp(e->key, key, MAP_KEY) == 0;
}

struct map_entry *map_set_find(struct map_set *s, uint16_t table, const void *old, size_t size)
{
	uint32_t hash = hash_old(table, old, size);
	const struct slot *slots = slots_of(s, BY_OLD);

	give_back(s);
	for (size_t i = hash; s->slots; i++) {
		const struct slot *slot = &slots[i & (s->slots - 1)];

		if (!slot->index)
			return NULL;
		if (slot->hash == hash && has_old(s, map_set_at(s, slot->index - 1), table, old, size))
			return map_set_at(s, slot->index - 1);
	}
	return NULL;
}

static void put(struct slot *slots, size_t count, uint32_t hash, uint32_t index)
{
	size_t i = hash & (count - 1);

	while (slots[i].index)
		i = (i + 1) & (count - 1);
	slots[i] = (struct slot){ index, hash };
}

static bool is_full(size_t count, size_t slots)
{
	return (count + 1) * 4 > slots * 3;
}

/* For one more entry. */
static int need_old_slots(struct map_set *s, struct etl_error *err)
{
	size_t slots = s->slots ? 2 * s->slots : LEAST_SLOTS;
	struct region was = s->at[BY_OLD];
	const struct slot *from = slots_of(s, BY_OLD);
	int rc;

	if (s->slots && !is_full(s->count, s->slots))
		return 0;
	s->at[BY_OLD] = (struct region){ .fd = -1 };
	rc = region_grow(s, BY_OLD, slots * sizeof(struct slot), err);
	if (rc < 0) {
		region_free(&s->at[BY_OLD]);
		s->at[BY_OLD] = was;
		return rc;
	}
	for (size_t i = 0; i < s->slots; i++)
		if (from[i].index)
			put(slots_of(s, BY_OLD), slots, from[i].hash, from[i].index);
	region_free(&was);
	s->slots = slots;
	return 0;
}

/* All that are there, once more. */
static int make_new_slots(struct map_set *s, struct etl_error *err)
{
	size_t slots = s->new_slots ? s->new_slots : LEAST_SLOTS;
	int rc;

	while (is_full(s->count, slots))
		slots *= 2;
	if (slots == s->new_slots)
		return 0;
	rc = region_grow(s, BY_NEW, slots * sizeof(struct slot), err);
	if (rc < 0)
		return rc;
	memset(s->at[BY_NEW].at, 0, s->at[BY_NEW].size);
	s->new_slots = slots;
	for (size_t i = 0; i < s->count; i++) {
		const struct map_entry *e = map_set_at(s, i);

		put(slots_of(s, BY_NEW), slots, hash_new((uint16_t)e->table, e->key), (uint32_t)i + 1);
	}
	return 0;
}

int map_set_find_new(struct map_set *s, uint16_t table, const uint8_t key[MAP_KEY], struct map_entry **ret, struct etl_error *err)
{
	uint32_t hash = hash_new(table, key), recent = s->recent[hash & (RECENT - 1)];
	int rc;

	*ret = NULL;
	if (recent && has_new(map_set_at(s, recent - 1), table, key)) {
		*ret = map_set_at(s, recent - 1);
		return 0;
	}
	give_back(s);
	rc = s->new_slots ? 0 : make_new_slots(s, err);
	for (size_t i = hash; rc == 0; i++) {
		const struct slot *slot = &slots_of(s, BY_NEW)[i & (s->new_slots - 1)];

		if (!slot->index)
			return 0;
		if (slot->hash != hash || !has_new(map_set_at(s, slot->index - 1), table, key))
			continue;
		*ret = map_set_at(s, slot->index - 1);
		return 0;
	}
	return rc;
}

void map_set_note(struct map_set *s, const struct map_entry *e)
{
	s->recent[hash_new((uint16_t)e->table, e->key) & (RECENT - 1)] = (uint32_t)(e - map_set_at(s, 0)) + 1;
}

/* ---- Adding ------------------------------------------------------------------------------------ */

int map_set_add(struct map_set *s, uint16_t table, const void *old, size_t size, const uint8_t key[MAP_KEY],
		unsigned flags, struct etl_error *err)
{
	uint64_t text = s->text_used;
	struct map_entry *e;
	int rc;

	if (s->count == MOST_ENTRIES - 1 || size > UINT32_MAX || text >> 37)
		return error_set(err, ETL_DATA, KEPT " holds at most %u keys, and 128 GiB of them", MOST_ENTRIES - 1);
	rc = need_old_slots(s, err);
	if (rc == 0)
		rc = need(s, ENTRIES, (s->count + 1) * sizeof(*e), err);
	if (rc == 0)
		rc = add_text(s, old, (uint32_t)size, err);
	if (rc < 0)
		return rc;
	e = map_set_at(s, s->count);
	*e = (struct map_entry){ .text = text & ((UINT64_C(1) << 38) - 1), .table = (unsigned)table & MAP_TABLES, .flags = flags & 31 };
	memcpy(e->key, key, MAP_KEY);
	put(slots_of(s, BY_OLD), s->slots, hash_old(table, old, size), (uint32_t)s->count + 1);
	s->count++;
	map_set_note(s, e);
	if (s->new_slots && is_full(s->count, s->new_slots))
		return make_new_slots(s, err);
	if (s->new_slots)
		put(slots_of(s, BY_NEW), s->new_slots, hash_new(table, key), (uint32_t)s->count);
	give_back(s);
	return 0;
}
