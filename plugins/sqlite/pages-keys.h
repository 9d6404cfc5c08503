/*
 * Keys as pages-keys.c gathers and pages-sort.c writes them.
 */
#ifndef SQLITE_PAGES_KEYS_H
#define SQLITE_PAGES_KEYS_H

#include "pages.h"

/* A column of a key: its tag, then what it is worth in an order that memcmp knows; of a text or blob each zero byte is
 * written 0 1, and two zeros are its end. All bits of a descending one are turned. */
#define TAG_NULL   0x05
#define TAG_NUMBER 0x10
#define TAG_TEXT   0x20
#define TAG_BLOB   0x30
#define NUMBER	   12 /* bytes of a number: its tag, as a float, what the float is short of, integer or real */

struct page_key {
	size_t at;
	uint32_t size, rows;
};

struct page_slot {
	uint32_t hash, key; /* key: its number + 1; 0: free */
};

struct page_entry {
	uint64_t prefix, more; /* what comes after the common bytes */
	uint32_t key;
};

struct page_keys {
	size_t limit;
	uint8_t *bytes; /* of all keys; the one that is begun is behind them */
	size_t used, begun, room;
	struct page_key *keys;
	uint32_t key_count;
	size_t key_room;
	struct page_slot *slots;
	size_t slot_count; /* a power of two */
	uint32_t *of_row;
	int64_t *rowids;
	size_t row_count, row_room;
	size_t common; /* bytes that all keys begin with */
	uint32_t last;
	bool big_integer, big_real, failed;
	struct page_entry *sorted; /* NULL until then */
	uint32_t *rows;		   /* their numbers, group by group in that order */
};

/* The number at AT, of NUMBER bytes. */
void page_keys_number(const uint8_t *at, struct page_value *ret);

#endif
