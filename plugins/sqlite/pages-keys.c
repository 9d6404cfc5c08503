/*
 * The keys of an index. A key is written so that memcmp orders it as SQLite's BINARY does: NULL before numbers before
 * texts before blobs, numbers by what they are worth, a descending column with all bits turned. Rows of one key are one
 * group, so that a column of few values is hardly sorted at all; in a group rows stand as they came, by their rowids.
 */
#include "config.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "pages-keys.h"

#define BIG INT64_C(140737488355328)

__extension__ typedef __int128 etl_int128;

struct page_keys *page_keys_new(size_t limit)
{
	struct page_keys *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->limit = limit;
	k->last = PAGE_NO_KEY;
	k->slot_count = 1024;
	k->slots = calloc(k->slot_count, sizeof(*k->slots));
	if (!k->slots) {
		free(k);
		return NULL;
	}
	return k;
}

void page_keys_free(struct page_keys *k)
{
	if (!k)
		return;
	free(k->bytes);
	free(k->keys);
	free(k->slots);
	free(k->of_row);
	free(k->rowids);
	free(k->sorted);
	free(k->rows);
	free(k);
}

uint64_t page_keys_rows(const struct page_keys *k)
{
	return k->row_count;
}

/* ---- Memory ---- */

#define SORT_ROW 4  /* bytes that sorting takes beside it: */
#define SORT_KEY 40 /* when the slots are gone */

static size_t taken(const struct page_keys *k)
{
	size_t slots = k->slot_count * sizeof(struct page_slot), sorting = k->key_room * SORT_KEY;

	return k->room + k->key_room * sizeof(struct page_key) + (slots > sorting ? slots : sorting) +
	       k->row_room * (sizeof(uint32_t) + sizeof(int64_t) + SORT_ROW);
}

static bool grow(struct page_keys *k, void **at, size_t *room, size_t wanted, size_t size)
{
	size_t count = *room ? *room : 4096;
	void *more;

	while (count < wanted)
		count += count / 4;
	if (taken(k) + (count - *room) * size > k->limit)
		return false;
	more = realloc(*at, count * size);
	if (!more)
		return false;
	*at = more;
	*room = count;
	return true;
}

static uint8_t *room_for(struct page_keys *k, size_t size)
{
	if (k->begun + size > k->room && !grow(k, (void **)&k->bytes, &k->room, k->begun + size, 1)) {
		k->failed = true;
		return NULL;
	}
	return k->bytes + k->begun;
}

/* ---- Values ---- */

/* Floats in their order. */
static uint64_t order_of(double d)
{
	uint64_t bits;

	if (d == 0)
		d = 0;
	memcpy(&bits, &d, 8);
	return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

static double of_order(uint64_t bits)
{
	double d;

	bits = bits >> 63 ? bits & ~(UINT64_C(1) << 63) : ~bits;
	memcpy(&d, &bits, 8);
	return d;
}

static bool is_whole(double d)
{
	return d >= -9223372036854775808.0 && d < 9223372036854775808.0 && (double)(int64_t)d == d;
}

/* An integer and a real that are equal would be one key with two spellings. */
static bool put_number(struct page_keys *k, uint8_t *to, const struct page_value *v)
{
	double d = v->kind == PAGE_INT ? (double)v->integer : v->real;
	uint64_t bits = order_of(d);
	int rest = v->kind == PAGE_INT ? (int)((etl_int128)v->integer - (etl_int128)d) : 0;

	if (v->kind == PAGE_INT) {
		k->big_integer |= v->integer >= BIG || v->integer < -BIG;
	} else if (is_whole(d)) {
		if (d < (double)BIG && d >= -(double)BIG)
			return false;
		k->big_real = true;
	}
	to[0] = TAG_NUMBER;
	for (int i = 8; i > 0; i--, bits >>= 8)
		to[i] = (uint8_t)bits;
	page_put16(to + 9, (uint32_t)(rest + 0x8000));
	to[11] = v->kind == PAGE_REAL;
	return !(k->big_integer && k->big_real) && d == d;
}

void page_keys_number(const uint8_t *at, struct page_value *ret)
{
	uint64_t bits = 0;
	double d;

	for (int i = 1; i <= 8; i++)
		bits = bits << 8 | at[i];
	d = of_order(bits);
	ret->kind = at[11] ? PAGE_REAL : PAGE_INT;
	if (at[11])
		ret->real = d;
	else
		ret->integer = (int64_t)((etl_int128)d + ((int)page_get16(at + 9) - 0x8000));
}

/* A zero is written 0 1, and two zeros are the end. */
static size_t put_bytes(uint8_t *to, uint8_t tag, const uint8_t *at, size_t size)
{
	size_t n = 1, i;

	to[0] = tag;
	if (size == 0 || !memchr(at, 0, size)) {
		if (size)
			memcpy(to + 1, at, size);
		n += size;
	} else {
		for (i = 0; i < size; i++) {
			to[n++] = at[i];
			if (!at[i])
				to[n++] = 1;
		}
	}
	to[n++] = 0;
	to[n++] = 0;
	return n;
}

void page_keys_begin(struct page_keys *k)
{
	k->begun = k->used;
}

bool page_keys_value(struct page_keys *k, const struct page_value *v, bool descending)
{
	size_t most = v->kind == PAGE_TEXT || v->kind == PAGE_BLOB ? 2 * v->size + 3 : NUMBER, n = 1, i;
	uint8_t *to = room_for(k, most);

	if (!to)
		return false;
	switch (v->kind) {
	case PAGE_NULL:
		to[0] = TAG_NULL;
		break;
	case PAGE_INT:
	case PAGE_REAL:
		n = NUMBER;
		if (!put_number(k, to, v))
			return false;
		break;
	default:
		n = put_bytes(to, v->kind == PAGE_TEXT ? TAG_TEXT : TAG_BLOB, v->bytes, v->size);
	}
	for (i = 0; descending && i < n; i++)
		to[i] = (uint8_t)~to[i];
	k->begun += n;
	return true;
}

/* ---- Groups ---- */

static bool equals(const struct page_keys *k, uint32_t key)
{
	const struct page_key *other = &k->keys[key];

	return other->size == k->begun - k->used && memcmp(k->bytes + other->at, k->bytes + k->used, other->size) == 0;
}

static size_t slot_of(const struct page_keys *k, uint32_t hash)
{
	size_t at = hash & (k->slot_count - 1);

	while (k->slots[at].key && !(k->slots[at].hash == hash && equals(k, k->slots[at].key - 1)))
		at = (at + 1) & (k->slot_count - 1);
	return at;
}

static bool grow_slots(struct page_keys *k)
{
	size_t count = 2 * k->slot_count, i, at;
	struct page_slot *more;

	if (taken(k) + k->slot_count * sizeof(*more) > k->limit)
		return false;
	more = calloc(count, sizeof(*more));
	if (!more)
		return false;
	for (i = 0; i < k->slot_count; i++) {
		if (!k->slots[i].key)
			continue;
		at = k->slots[i].hash & (count - 1);
		while (more[at].key)
			at = (at + 1) & (count - 1);
		more[at] = k->slots[i];
	}
	free(k->slots);
	k->slots = more;
	k->slot_count = count;
	return true;
}

static uint32_t hash_of(const struct page_keys *k)
{
	return (uint32_t)XXH3_64bits(k->bytes + k->used, k->begun - k->used);
}

uint32_t page_keys_find(struct page_keys *k)
{
	size_t at;

	if (k->last != PAGE_NO_KEY && equals(k, k->last))
		return k->last;
	at = slot_of(k, hash_of(k));
	if (!k->slots[at].key)
		return PAGE_NO_KEY;
	k->last = k->slots[at].key - 1;
	return k->last;
}

static void note_common(struct page_keys *k, size_t size)
{
	const uint8_t *first = k->bytes + k->keys[0].at, *now = k->bytes + k->used;
	size_t n = k->common < size ? k->common : size;

	if (memcmp(first, now, n) == 0) {
		k->common = n;
		return;
	}
	for (n = 0; first[n] == now[n];)
		n++;
	k->common = n;
}

static bool add_key(struct page_keys *k, size_t slot, uint32_t hash)
{
	size_t size = k->begun - k->used;

	if (size > INT32_MAX || k->key_count == PAGE_NO_KEY - 1)
		return false;
	if (k->key_count == k->key_room &&
	    !grow(k, (void **)&k->keys, &k->key_room, (size_t)k->key_count + 1, sizeof(*k->keys)))
		return false;
	if (k->key_count == 0)
		k->common = size;
	else
		note_common(k, size);
	k->keys[k->key_count] = (struct page_key){ k->used, (uint32_t)size, 0 };
	k->slots[slot] = (struct page_slot){ hash, ++k->key_count };
	k->used = k->begun;
	return (size_t)k->key_count * 3 < k->slot_count * 2 || grow_slots(k);
}

static bool room_for_row(struct page_keys *k)
{
	size_t room = k->row_room, other = k->row_room;

	if (k->row_count < k->row_room)
		return true;
	if (!grow(k, (void **)&k->rowids, &room, k->row_count + 1, sizeof(*k->rowids)) ||
	    !grow(k, (void **)&k->of_row, &other, k->row_count + 1, sizeof(*k->of_row)))
		return false;
	k->row_room = room;
	return true;
}

/* The key that was begun becomes `last`. */
static bool take_key(struct page_keys *k, bool *ret_new)
{
	uint32_t key, hash;
	size_t slot;

	*ret_new = false;
	if (k->last != PAGE_NO_KEY && equals(k, k->last))
		return true;
	hash = hash_of(k);
	slot = slot_of(k, hash);
	*ret_new = !k->slots[slot].key;
	key = *ret_new ? k->key_count : k->slots[slot].key - 1;
	if (*ret_new && !add_key(k, slot, hash))
		return false;
	k->last = key;
	return true;
}

bool page_keys_add(struct page_keys *k)
{
	bool fresh;

	return !k->failed && take_key(k, &fresh);
}

bool page_keys_row(struct page_keys *k, int64_t rowid, bool *ret_new)
{
	*ret_new = false;
	if (k->failed || !room_for_row(k) || !take_key(k, ret_new))
		return false;
	k->keys[k->last].rows++;
	k->of_row[k->row_count] = k->last;
	k->rowids[k->row_count++] = rowid;
	return true;
}

void page_keys_unrow(struct page_keys *k)
{
	k->keys[k->of_row[--k->row_count]].rows--;
}
