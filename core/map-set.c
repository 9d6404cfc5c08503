/* See map-set.h. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "map-set.h"
#include "spill.h"

#define KEPT	      "a map of keys"
#define LEAST_BYTES   (64u << 10)
#define LEAST_SLOTS   1024u
#define PAGE_BYTES    4096u
#define PAGES_A_LOOK  4u /* that a key is found by, at most */
#define MOST_ENTRIES  UINT32_MAX

struct region {
	int fd; /* -1: there is none yet */
	uint8_t *at;
	size_t size;
};

struct map_set {
	pthread_mutex_t mutex;
	struct region entries, texts;
	struct region by_old, by_new; /* of uint32_t: an entry's index and 1, or 0; a power of two of slots */
	size_t count, slots;
	size_t text_used;
	size_t memory, looks; /* since what is mapped was last given back */
};

struct map_set *map_set_new(size_t memory)
{
	struct map_set *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	pthread_mutex_init(&s->mutex, NULL);
	s->entries.fd = s->texts.fd = s->by_old.fd = s->by_new.fd = -1;
	s->memory = memory;
	return s;
}

static void region_free(struct region *r)
{
	if (r->at)
		munmap(r->at, r->size);
	if (r->fd >= 0)
		close(r->fd);
	*r = (struct region){ .fd = -1 };
}

void map_set_free(struct map_set *s)
{
	if (!s)
		return;
	region_free(&s->entries);
	region_free(&s->texts);
	region_free(&s->by_old);
	region_free(&s->by_new);
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

/* A mapped file without its blocks would be a signal and not an error when the disk is full. */
static int region_grow(struct region *r, size_t size, struct etl_error *err)
{
	void *at;
	int code;

	if (r->fd < 0 && (r->fd = spill_file(KEPT, err)) < 0)
		return ETL_FAILED;
	code = posix_fallocate(r->fd, 0, (off_t)size);
	if (code)
		return error_set(err, ETL_MEMORY,
				 "the file of " KEPT " cannot be written: %s; name another folder with TMPDIR",
				 strerror(code));
	at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);
	if (at == MAP_FAILED)
		return error_set(err, ETL_MEMORY, "no memory for " KEPT ": %s", strerror(errno));
	if (r->at)
		munmap(r->at, r->size);
	r->at = at;
	r->size = size;
	return 0;
}

static int need(struct region *r, size_t bytes, struct etl_error *err)
{
	size_t size = r->size ? r->size : LEAST_BYTES;

	while (size < bytes)
		size *= 2;
	return size == r->size ? 0 : region_grow(r, size, err);
}

/* What was written stays in the files; the pages come back as they are wanted. */
static void give_back(struct map_set *s)
{
	struct region *all[] = { &s->entries, &s->texts, &s->by_old, &s->by_new };
	size_t mapped = 0;

	if (++s->looks < s->memory / PAGE_BYTES / PAGES_A_LOOK + 1)
		return;
	s->looks = 0;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		mapped += all[i]->size;
	for (size_t i = 0; mapped > s->memory && i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i]->at)
			madvise(all[i]->at, all[i]->size, MADV_DONTNEED);
}

/* ---- Finding ----------------------------------------------------------------------------------- */

size_t map_set_count(const struct map_set *s)
{
	return s->count;
}

struct map_entry *map_set_at(struct map_set *s, size_t index)
{
	return (struct map_entry *)(void *)s->entries.at + index;
}

const char *map_set_text(struct map_set *s, const struct map_entry *e)
{
	return (const char *)s->texts.at + e->text;
}

static uint32_t *slots_of(const struct region *r)
{
	return (uint32_t *)(void *)r->at;
}

static XXH128_hash_t hash_old(uint16_t table, const void *old, size_t size)
{
	return XXH3_128bits_withSeed(old, size, table);
}

static uint64_t hash_new(uint16_t table, const uint8_t key[MAP_KEY])
{
	return XXH3_64bits_withSeed(key, MAP_KEY, table);
}

struct map_entry *map_set_find(struct map_set *s, uint16_t table, const void *old, size_t size)
{
	XXH128_hash_t hash = hash_old(table, old, size);
	const uint32_t *slots = slots_of(&s->by_old);

	give_back(s);
	for (size_t i = hash.low64; s->slots; i++) {
		uint32_t at = slots[i & (s->slots - 1)];
		struct map_entry *e;

		if (!at)
			return NULL;
		e = map_set_at(s, at - 1);
		if (e->hash == hash.low64 && e->check == hash.high64 && e->table == table)
			return e;
	}
	return NULL;
}

struct map_entry *map_set_find_new(struct map_set *s, uint16_t table, const uint8_t key[MAP_KEY])
{
	const uint32_t *slots = slots_of(&s->by_new);

	give_back(s);
	for (size_t i = hash_new(table, key); s->slots; i++) {
		uint32_t at = slots[i & (s->slots - 1)];
		struct map_entry *e;

		if (!at)
			return NULL;
		e = map_set_at(s, at - 1);
		if (e->table == table && memcmp(e->key, key, MAP_KEY) == 0)
			return e;
	}
	return NULL;
}

/* ---- Adding ------------------------------------------------------------------------------------ */

static void put(uint32_t *slots, size_t count, uint64_t hash, uint32_t index)
{
	size_t i = hash & (count - 1);

	while (slots[i])
		i = (i + 1) & (count - 1);
	slots[i] = index + 1;
}

/* At most three of four slots are taken. */
static int need_slots(struct map_set *s, struct etl_error *err)
{
	size_t slots = s->slots ? s->slots : LEAST_SLOTS;
	int rc;

	if (s->slots && (s->count + 1) * 4 <= s->slots * 3)
		return 0;
	slots *= s->slots ? 2 : 1;
	rc = region_grow(&s->by_old, slots * sizeof(uint32_t), err);
	if (rc == 0)
		rc = region_grow(&s->by_new, slots * sizeof(uint32_t), err);
	if (rc < 0)
		return rc;
	memset(s->by_old.at, 0, s->by_old.size);
	memset(s->by_new.at, 0, s->by_new.size);
	s->slots = slots;
	for (size_t i = 0; i < s->count; i++) {
		const struct map_entry *e = map_set_at(s, i);

		put(slots_of(&s->by_old), slots, e->hash, (uint32_t)i);
		put(slots_of(&s->by_new), slots, hash_new(e->table, e->key), (uint32_t)i);
	}
	return 0;
}

int map_set_add(struct map_set *s, uint16_t table, const void *old, size_t size, const uint8_t key[MAP_KEY],
		uint8_t flags, struct etl_error *err)
{
	XXH128_hash_t hash = hash_old(table, old, size);
	struct map_entry *e;
	int rc;

	if (s->count == MOST_ENTRIES - 1 || size > UINT32_MAX)
		return error_set(err, ETL_DATA, KEPT " holds at most %u keys", MOST_ENTRIES - 1);
	rc = need_slots(s, err);
	if (rc == 0)
		rc = need(&s->entries, (s->count + 1) * sizeof(*e), err);
	if (rc == 0)
		rc = need(&s->texts, s->text_used + size, err);
	if (rc < 0)
		return rc;
	e = map_set_at(s, s->count);
	*e = (struct map_entry){ .hash = hash.low64,
				 .check = hash.high64,
				 .text = s->text_used,
				 .size = (uint32_t)size,
				 .table = table,
				 .flags = flags };
	memcpy(e->key, key, MAP_KEY);
	if (size)
		memcpy(s->texts.at + s->text_used, old, size);
	s->text_used += size;
	put(slots_of(&s->by_old), s->slots, e->hash, (uint32_t)s->count);
	put(slots_of(&s->by_new), s->slots, hash_new(table, key), (uint32_t)s->count);
	s->count++;
	give_back(s);
	return 0;
}
