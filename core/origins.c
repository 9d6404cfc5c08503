/* See origins.h. */
#include "config.h"

#include <stdlib.h>

#include "batch.h"
#include "origins.h"

#define FIRST_ROOM 1024 /* places */

struct origins *origins_new(uint64_t split, struct canon *canon, atomic_llong *left)
{
	struct origins *o = canon ? calloc(1, sizeof(*o)) : NULL;

	if (!o) {
		canon_free(canon);
		return NULL;
	}
	o->split = split;
	o->canon = canon;
	o->left = left;
	o->whole = true;
	return o;
}

static void give_back(struct origins *o)
{
	atomic_fetch_add(o->left, (long long)o->taken);
	free(o->at);
	free(o->hashes);
	canon_free(o->canon);
	o->at = NULL;
	o->hashes = NULL;
	o->canon = NULL;
	o->count = o->room = o->taken = 0;
}

void origins_free(struct origins *o)
{
	while (o) {
		struct origins *next = o->next;

		give_back(o);
		free(o);
		o = next;
	}
}

static bool grow(struct origins *o, size_t count)
{
	size_t room = o->room ? o->room : FIRST_ROOM, more;
	struct row_origin *grown;

	if (count <= o->room)
		return true;
	while (room < count)
		room += room / 2;
	more = room * sizeof(*o->at) - o->taken;
	o->taken += more;
	if (atomic_fetch_sub(o->left, (long long)more) < (long long)more)
		return false;
	grown = realloc(o->at, room * sizeof(*grown));
	if (!grown)
		return false;
	o->at = grown;
	o->room = room;
	return true;
}

/* Of each row a hash of its key and one of the whole. */
static bool hash(struct origins *o, const struct ArrowArray *batch)
{
	if (batch->length > o->hash_room) {
		free(o->hashes);
		o->hashes = malloc((size_t)batch->length * 2 * sizeof(*o->hashes));
		o->hash_room = o->hashes ? batch->length : 0;
	}
	return o->hashes && canon_batch(o->canon, batch, o->hashes, o->hashes + batch->length);
}

bool origins_add(struct origins *o, const struct ArrowArray *batch)
{
	const int64_t *ordinals = batch_int64(batch->children[batch->n_children - 1]);

	if (!o->whole)
		return true;
	if (!grow(o, o->count + (size_t)batch->length)) {
		o->whole = false;
		give_back(o);
		return true;
	}
	if (!hash(o, batch))
		return false;
	for (int64_t i = 0; i < batch->length; i++)
		o->at[o->count++] = (struct row_origin){ .row = o->hashes[batch->length + i], .ordinal = ordinals[i] };
	return true;
}
