/* Open addressing, at most half full. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "seen.h"

#define FIRST_ROOM 1024

static struct seen_slot *find(const struct seen *s, uint64_t high, uint64_t low)
{
	size_t i = (size_t)low & (s->room - 1);

	while (s->slots[i].row && (s->slots[i].high != high || s->slots[i].low != low))
		i = (i + 1) & (s->room - 1);
	return &s->slots[i];
}

static bool grow(struct seen *s)
{
	struct seen bigger = { .room = s->room ? 2 * s->room : FIRST_ROOM, .count = s->count };

	bigger.slots = calloc(bigger.room, sizeof(*bigger.slots));
	if (!bigger.slots)
		return false;
	for (size_t i = 0; i < s->room; i++) {
		if (s->slots[i].row)
			*find(&bigger, s->slots[i].high, s->slots[i].low) = s->slots[i];
	}
	free(s->slots);
	*s = bigger;
	return true;
}

bool json_seen_add(struct seen *s, uint64_t high, uint64_t low, uint64_t row, bool last)
{
	struct seen_slot *slot;

	if (2 * (s->count + 1) > s->room && !grow(s))
		return false;
	slot = find(s, high, low);
	if (!slot->row)
		s->count++;
	if (!slot->row || last)
		*slot = (struct seen_slot){ high, low, row };
	return true;
}

uint64_t json_seen_row(const struct seen *s, uint64_t high, uint64_t low)
{
	return s->room ? find(s, high, low)->row : 0;
}

bool json_seen_stays(const struct seen *s, uint64_t high, uint64_t low, uint64_t row)
{
	return json_seen_row(s, high, low) == row;
}

void json_seen_clear(struct seen *s)
{
	if (s->count)
		memset(s->slots, 0, s->room * sizeof(*s->slots));
	s->count = 0;
}

void json_seen_free(struct seen *s)
{
	free(s->slots);
	*s = (struct seen){ 0 };
}
