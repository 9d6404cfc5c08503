/*
 * A table whose rows refer to rows of its own, or tables that refer to each other in a circle, are not cut: a row could
 * miss the one it needs in every run anew. What is left decides when the first of their rows comes.
 */
#include "config.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "bound.h"
#include "maps.h"
#include "whereabouts.h"

struct part {
	uint64_t *keys; /* of the rows that went on */
	size_t count, room;
	uint64_t postponed;
};

enum granted { GRANTED_UNASKED, GRANTED, GRANTED_NOT };

struct table {
	struct part *parts; /* beside the splits */
	size_t part_count;
	size_t unit; /* the first table of those that go together or not at all */
	bool whole;  /* it goes with others, or with itself */
	enum granted granted, granted_deletes; /* of the unit */
	uint64_t postponed, deletes_waiting;
	uint64_t *keys; /* closed, and cut: sorted */
	size_t key_count;
};

struct bound {
	pthread_mutex_t mutex;
	uint64_t rows, spent;
	struct table *tables; /* beside the jobs */
	size_t count;
	bool closed;
};

/* From the table that refers to the last that it refers to. */
static void join(struct bound *b, size_t from, const struct job *parent)
{
	for (size_t n = from; parent && parent->index >= from && n <= parent->index; n++) {
		b->tables[n].whole = true;
		if (b->tables[from].unit < b->tables[n].unit)
			b->tables[n].unit = b->tables[from].unit;
	}
}

static void find_units(struct bound *b, const struct jobs *jobs)
{
	for (size_t i = 0; i < b->count; i++)
		b->tables[i].unit = i;
	for (size_t i = 0; i < b->count; i++) {
		const struct etl_table *table = jobs->at[i]->target;
		const struct job *parent;

		for (size_t k = 0; k < table->foreign_key_count; k++)
			join(b, i, where_parent_job(jobs, jobs->at[i],
						    ETL_AT(const struct etl_foreign_key, table->foreign_keys,
							   table->foreign_key_size, k)));
		for (size_t k = 0; (parent = maps_parent(jobs->at[i], k)) != NULL; k++)
			join(b, i, parent);
	}
}

struct bound *bound_new(const struct jobs *jobs, int64_t rows)
{
	struct bound *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	pthread_mutex_init(&b->mutex, NULL);
	b->rows = (uint64_t)rows;
	b->tables = calloc(jobs->count + 1, sizeof(*b->tables));
	b->count = b->tables ? jobs->count : 0;
	for (size_t i = 0; i < b->count; i++) {
		b->tables[i].part_count = jobs->at[i]->split_count;
		b->tables[i].parts = calloc(b->tables[i].part_count + 1, sizeof(struct part));
		if (!b->tables[i].parts) {
			bound_free(b);
			return NULL;
		}
	}
	if (!b->tables) {
		bound_free(b);
		return NULL;
	}
	find_units(b, jobs);
	return b;
}

static void forget_parts(struct table *t)
{
	for (size_t i = 0; t->parts && i < t->part_count; i++)
		free(t->parts[i].keys);
	free(t->parts);
	t->parts = NULL;
}

void bound_free(struct bound *b)
{
	if (!b)
		return;
	for (size_t i = 0; i < b->count; i++) {
		forget_parts(&b->tables[i]);
		free(b->tables[i].keys);
	}
	free(b->tables);
	pthread_mutex_destroy(&b->mutex);
	free(b);
}

void bound_begin(struct bound *b, const struct job *job, uint64_t split)
{
	struct table *t = &b->tables[job->index];

	pthread_mutex_lock(&b->mutex);
	if (!b->closed && split < t->part_count) {
		b->spent -= t->parts[split].count;
		t->parts[split].count = 0;
		t->parts[split].postponed = 0;
	}
	pthread_mutex_unlock(&b->mutex);
}

static bool is_granted(const struct bound *b, const struct table *t, enum granted *unit)
{
	if (!t->whole)
		return b->spent < b->rows;
	if (*unit == GRANTED_UNASKED)
		*unit = b->spent < b->rows ? GRANTED : GRANTED_NOT;
	return *unit == GRANTED;
}

static bool keep(struct part *p, uint64_t key)
{
	if (p->count == p->room) {
		size_t room = p->room ? 2 * p->room : 256;
		uint64_t *keys = realloc(p->keys, room * sizeof(*keys));

		if (!keys)
			return false;
		p->keys = keys;
		p->room = room;
	}
	p->keys[p->count++] = key;
	return true;
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static bool went_on(const struct table *t, uint64_t key)
{
	return !t->postponed ||
	       (t->key_count && bsearch(&key, t->keys, t->key_count, sizeof(*t->keys), compare) != NULL);
}

bool bound_take(struct bound *b, const struct job *job, uint64_t split, uint64_t key, bool *ret)
{
	struct table *t = &b->tables[job->index];
	bool ok = true;

	pthread_mutex_lock(&b->mutex);
	if (b->closed) {
		*ret = went_on(t, key);
	} else if (is_granted(b, t, &b->tables[t->unit].granted)) {
		ok = keep(&t->parts[split], key);
		b->spent += ok;
		*ret = true;
	} else {
		t->parts[split].postponed++;
		*ret = false;
	}
	pthread_mutex_unlock(&b->mutex);
	return ok;
}

/* Which rows of a table went on is asked again only where it was cut. */
static bool close_table(struct table *t)
{
	size_t count = 0;

	for (size_t i = 0; i < t->part_count; i++) {
		t->postponed += t->parts[i].postponed;
		count += t->parts[i].count;
	}
	if (t->postponed) {
		t->keys = malloc((count + 1) * sizeof(*t->keys));
		for (size_t i = 0; t->keys && i < t->part_count; i++) {
			if (t->parts[i].count)
				memcpy(t->keys + t->key_count, t->parts[i].keys, t->parts[i].count * sizeof(*t->keys));
			t->key_count += t->parts[i].count;
		}
		if (!t->keys)
			return false;
		qsort(t->keys, t->key_count, sizeof(*t->keys), compare);
	}
	forget_parts(t);
	return true;
}

bool bound_close(struct bound *b)
{
	bool ok = true;

	for (size_t i = 0; i < b->count && ok; i++)
		ok = close_table(&b->tables[i]);
	b->closed = true;
	return ok;
}

uint64_t bound_deletes(struct bound *b, const struct job *job, uint64_t wanted)
{
	struct table *t = &b->tables[job->index];
	uint64_t left = b->spent < b->rows ? b->rows - b->spent : 0, ret;

	if (wanted == 0)
		return 0;
	if (t->whole)
		ret = is_granted(b, t, &b->tables[t->unit].granted_deletes) ? wanted : 0;
	else
		ret = wanted < left ? wanted : left;
	b->spent += ret;
	t->deletes_waiting = wanted - ret;
	return ret;
}

uint64_t bound_postponed(const struct bound *b, const struct job *job)
{
	return b ? b->tables[job->index].postponed : 0;
}

uint64_t bound_waiting(const struct bound *b, const struct job *job)
{
	return b ? b->tables[job->index].postponed + b->tables[job->index].deletes_waiting : 0;
}

void bound_words(const struct bound *b, const struct jobs *jobs, struct etl_text *to)
{
	uint64_t waiting = 0;
	size_t tables = 0;

	for (size_t i = 0; b && i < b->count; i++) {
		waiting += bound_waiting(b, jobs->at[i]);
		tables += bound_waiting(b, jobs->at[i]) > 0;
	}
	if (!tables)
		return;
	etl_text_addf(to,
		      "stopped at %" PRIu64 " row%s; %" PRIu64 " row%s of %zu table%s wait%s for the next run:", b->spent,
		      b->spent == 1 ? "" : "s", waiting, waiting == 1 ? "" : "s", tables, tables == 1 ? "" : "s", waiting == 1 ? "s" : "");
	for (size_t i = 0, said = 0; i < b->count; i++)
		if (bound_waiting(b, jobs->at[i]) > 0)
			etl_text_addf(to, "%s %s (%" PRIu64 ")", said++ ? "," : "", job_name(jobs->at[i]),
				      bound_waiting(b, jobs->at[i]));
}
