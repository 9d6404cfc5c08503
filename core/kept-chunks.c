/* See kept-chunks.h. */
#include "config.h"

#include <string.h>

#include "kept-chunks.h"

#define FIRST INT64_MIN

static uint64_t get_64(const uint8_t *at)
{
	uint64_t v = 0;

	for (size_t i = 8; i-- > 0;)
		v = v << 8 | at[i];
	return v;
}

static void put_64(uint8_t *at, uint64_t v)
{
	for (size_t i = 0; i < 8; i++, v >>= 8)
		at[i] = (uint8_t)v;
}

bool chunk_read(const struct kept_piece *piece, uint64_t *ret_columns, struct chunk_pair *ret, size_t *ret_count)
{
	const uint8_t *at = piece->bytes;

	if (!at || piece->size < 8 || piece->size % 16 != 8 || piece->size > 8 + 16 * CHUNK_MOST)
		return false;
	*ret_columns = get_64(at);
	*ret_count = piece->size / 16;
	for (size_t i = 0; i < *ret_count; i++)
		ret[i] = (struct chunk_pair){ get_64(at + 8 + 16 * i), get_64(at + 16 + 16 * i) };
	return true;
}

/* ---- The old ones ---------------------------------------------------------------------------- */

static int read_next(struct chunk_merge *m, struct etl_error *err)
{
	struct kept_piece piece;
	uint64_t columns;
	int rc = m->ended ? 0 : m->old(m->data, &piece, err);

	m->has_next = rc > 0;
	m->ended |= rc == 0;
	if (rc <= 0)
		return rc;
	if (m->has && piece.number <= m->number)
		return error_set(err, ETL_BUG, "the hashes that were kept do not come in their order");
	m->next_number = piece.number;
	m->next_changed = !chunk_read(&piece, &columns, m->next_pairs, &m->next_count) || columns != m->columns;
	if (m->next_changed)
		m->next_count = 0;
	return 0;
}

/* The next chunk is the one at hand. False in *RET: there is none. */
static int enter(struct chunk_merge *m, bool *ret, struct etl_error *err)
{
	int rc = m->begun ? 0 : read_next(m, err);
	bool before_all = !m->begun && (!m->has_next || m->next_number != FIRST);

	*ret = rc == 0 && (before_all || m->has_next);
	if (!*ret)
		return rc;
	m->begun = m->has = true;
	m->at = m->parts = m->out_count = 0;
	m->number = m->part_number = before_all ? FIRST : m->next_number;
	m->count = before_all ? 0 : m->next_count;
	m->changed = !before_all && m->next_changed;
	if (before_all)
		return 0;
	memcpy(m->pairs, m->next_pairs, m->count * sizeof(*m->pairs));
	return read_next(m, err);
}

/* ---- Laid over them -------------------------------------------------------------------------- */

static int peek(struct chunk_merge *m, struct etl_error *err)
{
	int rc;

	if (m->has_pending || m->fresh_ended)
		return 0;
	rc = m->fresh->next(m->fresh, &m->pending, err);
	m->has_pending = rc > 0;
	m->fresh_ended = rc == 0;
	return rc < 0 ? rc : 0;
}

static bool is_within(const struct chunk_merge *m)
{
	return m->has_pending && (!m->has_next || kept_number(m->pending.key) < m->next_number);
}

/* One more pair of the result; false: the chunk has no more. */
static bool step(struct chunk_merge *m)
{
	bool fresh = is_within(m), old = m->at < m->count;

	if (!fresh && !old)
		return false;
	if (!fresh || (old && m->pairs[m->at].key < m->pending.key)) {
		m->out[m->out_count++] = m->pairs[m->at++];
		return true;
	}
	if (old && m->pairs[m->at].key == m->pending.key) {
		m->changed |= m->pairs[m->at].row != m->pending.row;
		m->at++;
	} else {
		m->changed |= m->pending.row != 0;
	}
	if (m->pending.row)
		m->out[m->out_count++] = m->pending;
	m->has_pending = false;
	return true;
}

static int give(struct chunk_merge *m, size_t count, struct kept_piece *ret)
{
	*ret = (struct kept_piece){ .number = m->part_number };
	if (count || m->part_number == FIRST) {
		ret->bytes = m->bytes;
		ret->size = 8 + 16 * count;
	}
	put_64(m->bytes, m->columns);
	for (size_t i = 0; i < count; i++) {
		put_64(m->bytes + 8 + 16 * i, m->out[i].key);
		put_64(m->bytes + 16 + 16 * i, m->out[i].row);
	}
	m->out_count -= count;
	memmove(m->out, m->out + count, m->out_count * sizeof(*m->out));
	if (m->out_count)
		m->part_number = kept_number(m->out[0].key);
	m->parts++;
	return 1;
}

static int merge_next(struct kept_source *self, struct kept_piece *ret, struct etl_error *err)
{
	struct chunk_merge *m = (struct chunk_merge *)(void *)self;
	bool entered = true;
	int rc;

	for (;;) {
		if (!m->has) {
			rc = enter(m, &entered, err);
			if (rc < 0 || !entered)
				return rc;
		}
		for (;;) {
			rc = peek(m, err);
			if (rc < 0)
				return rc;
			if (!step(m))
				break;
			if (m->out_count > CHUNK_MOST)
				return give(m, CHUNK_FULL, ret);
		}
		m->has = false;
		if (m->changed || m->parts)
			return give(m, m->out_count, ret);
	}
}

void chunk_merge_init(struct chunk_merge *m, uint64_t columns, struct chunk_pairs *fresh,
		      int (*old)(void *data, struct kept_piece *ret, struct etl_error *), void *data)
{
	*m = (struct chunk_merge){ .source = { merge_next }, .fresh = fresh, .old = old, .data = data, .columns = columns };
}
