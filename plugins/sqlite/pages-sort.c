/*
 * Keys into an index: sorted by what comes after the bytes that all of them begin with, and written with the rows of each
 * as finished entries.
 */
#include "config.h"

#include <stdlib.h>

#include "pages-keys.h"

/* ---- Sorting ---- */

static int compare(const struct page_keys *k, const struct page_entry *a, const struct page_entry *b)
{
	const struct page_key *x, *y;
	size_t n;
	int c;

	if (a->prefix != b->prefix)
		return a->prefix < b->prefix ? -1 : 1;
	if (a->more != b->more)
		return a->more < b->more ? -1 : 1;
	x = &k->keys[a->key];
	y = &k->keys[b->key];
	n = x->size < y->size ? x->size : y->size;
	c = memcmp(k->bytes + x->at + k->common, k->bytes + y->at + k->common, n - k->common);
	return c ? c : x->size < y->size ? -1 : x->size > y->size;
}

static uint64_t eight(const uint8_t *at, size_t size)
{
	uint64_t v = 0;

	for (size_t i = 0; i < 8; i++)
		v = v << 8 | (i < size ? at[i] : 0);
	return v;
}

static struct page_entry entry_of(const struct page_keys *k, uint32_t key)
{
	const uint8_t *at = k->bytes + k->keys[key].at + k->common;
	size_t size = k->keys[key].size - k->common;

	return (struct page_entry){ eight(at, size), size > 8 ? eight(at + 8, size - 8) : 0, key };
}

#define RUN 12 /* that insertion sorts */

static void sort_run(const struct page_keys *k, struct page_entry *e, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		struct page_entry one = e[i];
		size_t j = i;

		for (; j > 0 && compare(k, &e[j - 1], &one) > 0; j--)
			e[j] = e[j - 1];
		e[j] = one;
	}
}

/* E is sorted, SPARE has half its room. */
static void merge_sort(const struct page_keys *k, struct page_entry *e, size_t count, struct page_entry *spare)
{
	size_t half = count / 2, a = 0, b = half, n = 0;

	if (count <= RUN) {
		sort_run(k, e, count);
		return;
	}
	merge_sort(k, e, half, spare);
	merge_sort(k, e + half, count - half, spare);
	if (compare(k, &e[half - 1], &e[half]) < 0)
		return;
	memcpy(spare, e, half * sizeof(*e));
	while (a < half && b < count)
		e[n++] = compare(k, &spare[a], &e[b]) < 0 ? spare[a++] : e[b++];
	memcpy(e + n, spare + a, (half - a) * sizeof(*e));
}

static struct page_entry *sorted(struct page_keys *k)
{
	size_t count = k->key_count;
	struct page_entry *e;

	free(k->slots);
	k->slots = NULL;
	k->slot_count = 0;
	e = malloc((count + count / 2 + 1) * sizeof(*e));
	for (uint32_t i = 0; e && i < count; i++)
		e[i] = entry_of(k, i);
	if (e)
		merge_sort(k, e, count, e + count);
	return e;
}

/* ---- Writing ---- */

/* The record of a key: its head, the serial types, room for that of the rowid, the values, and room for the rowid. */
struct template {
	uint8_t *record, *values; /* values: the key's own, before they are in the record */
	size_t record_room, values_room;
	uint8_t *plain; /* a descending column's bytes, turned back, and what follows it */
	size_t plain_room;
	uint8_t *types;
	size_t types_room;
	size_t at_type, at_rowid; /* in the record */
};

static bool reserve(uint8_t **at, size_t *room, size_t wanted)
{
	uint8_t *more;

	if (wanted <= *room)
		return true;
	more = realloc(*at, wanted + wanted / 2);
	if (!more)
		return false;
	*at = more;
	*room = wanted + wanted / 2;
	return true;
}

/* A text or blob in which a zero is written 0 1; how many bytes it had. */
static size_t unfold(const uint8_t *at, uint8_t *text, size_t *ret_size)
{
	size_t n = 0, size = 0;

	for (; at[n] || at[n + 1]; n++) {
		text[size++] = at[n];
		if (!at[n])
			n++;
	}
	*ret_size = size;
	return n + 2;
}

/* The bytes of one column, of at most REST, to a value, whose text is copied to TEXT; how many bytes it had. */
static size_t get_value(const uint8_t *at, size_t rest, uint8_t *text, struct page_value *ret)
{
	const uint8_t *zero;

	ret->kind = PAGE_NULL;
	if (at[0] == TAG_NULL)
		return 1;
	if (at[0] == TAG_NUMBER) {
		page_keys_number(at, ret);
		return NUMBER;
	}
	ret->kind = at[0] == TAG_TEXT ? PAGE_TEXT : PAGE_BLOB;
	ret->bytes = text;
	zero = memchr(at + 1, 0, rest - 1);
	if (zero[1])
		return 1 + unfold(at + 1, text, &ret->size);
	ret->size = (size_t)(zero - at) - 1;
	memcpy(text, at + 1, ret->size);
	return ret->size + 3;
}

static const uint8_t *turn_back(struct template *t, const uint8_t *at, size_t size)
{
	for (size_t i = 0; i < size; i++)
		t->plain[i] = (uint8_t)~at[i];
	return t->plain;
}

static bool make(struct template *t, const struct page_keys *k, uint32_t key, size_t columns, const bool *descending)
{
	const uint8_t *at = k->bytes + k->keys[key].at, *end = at + k->keys[key].size;
	size_t types = 0, values = 0, head, size = k->keys[key].size;

	if (!reserve(&t->types, &t->types_room, columns * PAGE_VARINT) || !reserve(&t->values, &t->values_room, size + 8) ||
	    !reserve(&t->plain, &t->plain_room, size + 1) ||
	    !reserve(&t->record, &t->record_room, size + (columns + 2) * PAGE_VARINT + 16))
		return false;
	for (size_t c = 0; c < columns; c++) {
		size_t rest = (size_t)(end - at);
		struct page_value v;
		uint64_t serial;

		at += get_value(descending[c] ? turn_back(t, at, rest) : at, rest, t->values + values, &v);
		serial = page_serial(&v);
		types += page_varint_put(t->types + types, serial);
		values += serial < 12 ? page_number_put(t->values + values, &v, serial) : v.size;
	}
	head = page_head_size(types + 1);
	page_varint_put(t->record, types + 1 + head);
	memcpy(t->record + head, t->types, types);
	t->at_type = head + types;
	memcpy(t->record + t->at_type + 1, t->values, values);
	t->at_rowid = t->at_type + 1 + values;
	return true;
}

static bool write_rows(struct template *t, const int64_t *rowids, const uint32_t *rows, uint32_t count,
		       struct page_tree *tree)
{
	for (uint32_t i = 0; i < count; i++) {
		struct page_value v = { .kind = PAGE_INT, .integer = rowids[rows[i]] };
		uint64_t serial = page_serial(&v);
		struct page_piece piece = { t->record, t->at_rowid + page_number_put(t->record + t->at_rowid, &v, serial) };

		t->record[t->at_type] = (uint8_t)serial;
		if (!page_tree_entry(tree, &piece, 1, piece.size))
			return false;
	}
	return true;
}

/* The numbers of the rows, group by group. */
static uint32_t *gathered(const struct page_keys *k, const struct page_entry *e)
{
	uint32_t *out = malloc((k->row_count + 1) * sizeof(*out));
	uint32_t *next = malloc(((size_t)k->key_count + 1) * sizeof(*next));
	uint32_t at = 0;
	size_t i;

	for (i = 0; out && next && i < k->key_count; i++) {
		next[e[i].key] = at;
		at += k->keys[e[i].key].rows;
	}
	for (i = 0; out && next && i < k->row_count; i++)
		out[next[k->of_row[i]]++] = (uint32_t)i;
	if (!next) {
		free(out);
		out = NULL;
	}
	free(next);
	return out;
}

bool page_keys_sort(struct page_keys *k)
{
	if (!k->sorted && k->row_count < PAGE_NO_KEY)
		k->sorted = sorted(k);
	if (k->sorted && !k->rows)
		k->rows = gathered(k, k->sorted);
	return k->rows != NULL;
}

bool page_keys_write(struct page_keys *k, size_t columns, const bool *descending, struct page_tree *tree)
{
	struct template t = { 0 };
	bool ok = page_keys_sort(k);
	size_t at = 0;

	for (uint32_t i = 0; ok && i < k->key_count; i++) {
		uint32_t key = k->sorted[i].key, count = k->keys[key].rows;

		ok = make(&t, k, key, columns, descending) && write_rows(&t, k->rowids, k->rows + at, count, tree);
		at += count;
	}
	free(t.record);
	free(t.values);
	free(t.types);
	free(t.plain);
	return ok;
}
