/* Keys are halved by one more bit of their hash each time that they do not fit. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "doubles.h"

#define FIRST_BYTES 64

static bool is_in(const struct doubles_part *part, uint64_t high)
{
	return (high & part->mask) == part->value;
}

/* Row 0 is none, so that the bit of a row needs no arithmetic. */
static bool drop(struct doubles *d, uint64_t row)
{
	size_t at = (size_t)(row / 8), room = d->room ? d->room : FIRST_BYTES;
	uint8_t *bits;

	while (room <= at)
		room *= 2;
	if (room > d->room) {
		bits = realloc(d->bits, room);
		if (!bits)
			return false;
		memset(bits + d->room, 0, room - d->room);
		d->bits = bits;
		d->room = room;
	}
	d->bits[at] = (uint8_t)(d->bits[at] | 1u << (row % 8));
	return true;
}

/* The keys that have the next bit of their hash set are left for later. */
static bool halve(struct doubles *d)
{
	uint64_t bit = d->now.mask + 1;
	struct seen half = { 0 };

	if (d->left_count == JSON_DOUBLES_PARTS || !bit)
		return false;
	d->left[d->left_count++] = (struct doubles_part){ d->now.mask | bit, d->now.value | bit };
	d->now.mask |= bit;
	for (size_t i = 0; i < d->seen.room; i++) {
		const struct seen_slot *slot = &d->seen.slots[i];

		if (slot->row && is_in(&d->now, slot->high) && !json_seen_add(&half, slot->high, slot->low, slot->row, false)) {
			json_seen_free(&half);
			return false;
		}
	}
	json_seen_free(&d->seen);
	d->seen = half;
	return true;
}

void json_doubles_begin(struct doubles *d, size_t limit, bool last)
{
	json_seen_clear(&d->seen);
	d->limit = limit;
	d->last = last;
	d->now = (struct doubles_part){ 0, 0 };
	d->left_count = 0;
	if (d->room)
		memset(d->bits, 0, d->room);
}

bool json_doubles_add(struct doubles *d, uint64_t high, uint64_t low, uint64_t row)
{
	uint64_t was;

	if (!is_in(&d->now, high))
		return true;
	was = json_seen_row(&d->seen, high, low);
	if (was)
		return (!d->last || json_seen_add(&d->seen, high, low, row, true)) && drop(d, d->last ? was : row);
	while (d->seen.count >= d->limit && is_in(&d->now, high))
		if (!halve(d))
			return false;
	return !is_in(&d->now, high) || json_seen_add(&d->seen, high, low, row, false);
}

bool json_doubles_more(struct doubles *d)
{
	if (d->left_count == 0) {
		json_seen_free(&d->seen);
		return false;
	}
	json_seen_clear(&d->seen);
	d->now = d->left[--d->left_count];
	return true;
}

bool json_doubles_any(const struct doubles *d)
{
	return d->room > 0;
}

bool json_doubles_has(const struct doubles *d, uint64_t row)
{
	return row / 8 < d->room && d->bits[row / 8] >> (row % 8) & 1;
}

void json_doubles_free(struct doubles *d)
{
	json_seen_free(&d->seen);
	free(d->bits);
	*d = (struct doubles){ 0 };
}
