/*
 * The order of tables. Cycles are found first (Tarjan's strongly connected components) and taken as
 * one node each, then the nodes are taken off by Kahn's method, the lowest given index first, so
 * equal input gives equal order. Both walk with stacks and heaps of their own: a chain of 10,000
 * tables must not overflow the call stack.
 */
#include "config.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "graph.h"

/* Adjacency in one array: the children of table I are to[first[I]] .. to[first[I + 1] - 1]. */
struct graph {
	size_t count, edge_count, edge_room;
	struct graph_edge *edges;
	size_t *first, *to;
	size_t *part; /* the component of each table */
	size_t parts;
};

/* Tables by name, open addressing; the first of a name wins. */
struct names {
	const struct etl_table *const *tables;
	size_t *slots; /* index + 1; 0: free */
	size_t mask;
};

/* The same for names that differ in ASCII case only. */
static uint64_t hash_text(uint64_t h, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		h = (h ^ (c >= 'A' && c <= 'Z' ? c | 0x20u : c)) * UINT64_C(0x100000001b3);
	}
	return h;
}

static const char *text_or_empty(const char *text)
{
	return text ? text : "";
}

/* The slot of a table of exactly that name (or FOLD: of that name in any ASCII case), or a free
 * one. */
static size_t *names_slot(const struct names *names, const char *schema, const char *name,
			  bool fold)
{
	uint64_t h = hash_text(hash_text(UINT64_C(0xcbf29ce484222325), schema) * 31, name);
	int (*compare)(const char *, const char *) = fold ? strcasecmp : strcmp;
	size_t i = (size_t)(h ^ h >> 32) & names->mask;

	while (names->slots[i] != 0) {
		const struct etl_table *t = names->tables[names->slots[i] - 1];

		if (compare(t->name, name) == 0 && compare(text_or_empty(t->schema), schema) == 0)
			break;
		i = (i + 1) & names->mask;
	}
	return &names->slots[i];
}

/* The index + 1 of a table, 0 when it is not there. SQLite's foreign keys name their parents in any
 * case. */
static size_t names_find(const struct names *names, const char *schema, const char *name)
{
	size_t found = *names_slot(names, schema, name, false);

	return found != 0 ? found : *names_slot(names, schema, name, true);
}

static bool names_make(struct names *names, const struct etl_table *const *tables, size_t count)
{
	size_t room = 16;

	while (room < count * 2)
		room *= 2;
	names->tables = tables;
	names->mask = room - 1;
	names->slots = calloc(room, sizeof(*names->slots));
	if (!names->slots)
		return false;
	for (size_t i = 0; i < count; i++) {
		size_t *slot = names_slot(names, text_or_empty(tables[i]->schema), tables[i]->name,
					  false);

		if (*slot == 0)
			*slot = i + 1;
	}
	return true;
}

static bool add_edge(struct graph *g, size_t before, size_t after)
{
	if (before == after)
		return true;
	if (g->edge_count == g->edge_room) {
		size_t room = g->edge_room ? g->edge_room * 2 : 64;
		struct graph_edge *edges = realloc(g->edges, room * sizeof(*edges));

		if (!edges)
			return false;
		g->edges = edges;
		g->edge_room = room;
	}
	g->edges[g->edge_count++] = (struct graph_edge){ before, after };
	return true;
}

static bool add_keys(struct graph *g, const struct names *names, size_t child)
{
	const struct etl_table *t = names->tables[child];

	for (size_t i = 0; i < t->foreign_key_count; i++) {
		const struct etl_foreign_key *fk = ETL_AT(const struct etl_foreign_key,
							  t->foreign_keys, t->foreign_key_size, i);
		const char *schema = text_or_empty(fk->parent_schema ? fk->parent_schema :
								       t->schema);
		size_t parent = names_find(names, schema, fk->parent);

		if (parent != 0 && !add_edge(g, parent - 1, child))
			return false;
	}
	return true;
}

/* Sorts the edges by where they start: counting, so linear. */
static bool make_adjacency(struct graph *g)
{
	size_t *fill;

	g->first = calloc(g->count + 2, sizeof(*g->first));
	g->to = calloc(g->edge_count + 1, sizeof(*g->to));
	fill = calloc(g->count + 1, sizeof(*fill));
	if (!g->first || !g->to || !fill) {
		free(fill);
		return false;
	}
	for (size_t i = 0; i < g->edge_count; i++)
		g->first[g->edges[i].before + 1]++;
	for (size_t i = 0; i < g->count; i++)
		g->first[i + 1] += g->first[i];
	memcpy(fill, g->first, g->count * sizeof(*fill));
	for (size_t i = 0; i < g->edge_count; i++)
		g->to[fill[g->edges[i].before]++] = g->edges[i].after;
	free(fill);
	return true;
}

/* The places of Tarjan's walk, in one allocation. */
struct walk {
	size_t *index, *low, *next; /* of each table; index 0: not seen */
	size_t *stack, *path;
	size_t stacked, depth, clock;
};

static void walk_enter(struct walk *w, const struct graph *g, size_t v)
{
	w->index[v] = w->low[v] = ++w->clock;
	w->next[v] = g->first[v];
	w->stack[w->stacked++] = v;
	w->path[w->depth++] = v;
}

static void walk_leave(struct walk *w, struct graph *g, size_t v)
{
	w->depth--;
	if (w->depth > 0 && w->low[v] < w->low[w->path[w->depth - 1]])
		w->low[w->path[w->depth - 1]] = w->low[v];
	if (w->low[v] != w->index[v])
		return;
	for (;;) {
		size_t u = w->stack[--w->stacked];

		g->part[u] = g->parts;
		if (u == v)
			break;
	}
	g->parts++;
}

static void walk_from(struct walk *w, struct graph *g, size_t root)
{
	walk_enter(w, g, root);
	while (w->depth > 0) {
		size_t v = w->path[w->depth - 1], to;

		if (w->next[v] == g->first[v + 1]) {
			walk_leave(w, g, v);
			continue;
		}
		to = g->to[w->next[v]++];
		if (w->index[to] == 0)
			walk_enter(w, g, to);
		else if (g->part[to] == SIZE_MAX && w->index[to] < w->low[v])
			w->low[v] = w->index[to];
	}
}

static bool find_parts(struct graph *g)
{
	size_t n = g->count, *block = calloc(5 * n + 1, sizeof(*block));
	struct walk w = { 0 };

	g->part = malloc((n + 1) * sizeof(*g->part));
	if (!block || !g->part) {
		free(block);
		return false;
	}
	w.index = block;
	w.low = block + n;
	w.next = block + 2 * n;
	w.stack = block + 3 * n;
	w.path = block + 4 * n;
	memset(g->part, 0xff, n * sizeof(*g->part));
	for (size_t v = 0; v < n; v++)
		if (w.index[v] == 0)
			walk_from(&w, g, v);
	free(block);
	return true;
}

/* A binary heap of components by their lowest table, so that the given order breaks ties. */
struct heap {
	size_t *at, count;
	const size_t *rank;
};

static void heap_push(struct heap *h, size_t part)
{
	size_t i = h->count++;

	while (i > 0 && h->rank[h->at[(i - 1) / 2]] > h->rank[part]) {
		h->at[i] = h->at[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	h->at[i] = part;
}

static size_t heap_pop(struct heap *h)
{
	size_t top = h->at[0], last = h->at[--h->count], i = 0;

	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= h->count)
			break;
		if (child + 1 < h->count && h->rank[h->at[child + 1]] < h->rank[h->at[child]])
			child++;
		if (h->rank[h->at[child]] >= h->rank[last])
			break;
		h->at[i] = h->at[child];
		i = child;
	}
	h->at[i] = last;
	return top;
}

/* What Kahn's method keeps of each component, in one allocation. */
struct kahn {
	size_t *waits; /* parents that are still to come */
	size_t *head;  /* its first table + 1, which is the lowest */
	size_t *chain; /* of each table: the next of its component + 1, or 0 */
	size_t *order, *group;
	size_t cycles;
	struct heap heap;
};

static void take_part(struct kahn *k, const struct graph *g, size_t part, size_t *placed)
{
	bool cycle = k->chain[k->head[part] - 1] != 0;

	for (size_t v = k->head[part]; v != 0; v = k->chain[v - 1]) {
		k->order[(*placed)++] = v - 1;
		k->group[v - 1] = cycle ? k->cycles : SIZE_MAX;
		for (size_t i = g->first[v - 1]; i < g->first[v]; i++) {
			size_t to = g->part[g->to[i]];

			if (to != part && --k->waits[to] == 0)
				heap_push(&k->heap, to);
		}
	}
	if (cycle)
		k->cycles++;
}

static void kahn_run(struct kahn *k, const struct graph *g)
{
	size_t placed = 0;

	for (size_t i = 0; i < g->edge_count; i++)
		if (g->part[g->edges[i].before] != g->part[g->edges[i].after])
			k->waits[g->part[g->edges[i].after]]++;
	for (size_t v = g->count; v-- > 0;) {
		k->chain[v] = k->head[g->part[v]];
		k->head[g->part[v]] = v + 1;
	}
	k->heap.rank = k->head;
	for (size_t p = 0; p < g->parts; p++)
		if (k->waits[p] == 0)
			heap_push(&k->heap, p);
	while (k->heap.count > 0)
		take_part(k, g, heap_pop(&k->heap), &placed);
}

static bool graph_make(struct graph *g, const struct etl_table *const *tables, size_t count,
		       const struct graph_edge *extra, size_t extra_count)
{
	struct names names = { 0 };
	bool ok = names_make(&names, tables, count);

	g->count = count;
	for (size_t i = 0; ok && i < count; i++)
		ok = add_keys(g, &names, i);
	for (size_t i = 0; ok && i < extra_count; i++)
		ok = add_edge(g, extra[i].before, extra[i].after);
	free(names.slots);
	return ok && make_adjacency(g) && find_parts(g);
}

int graph_order(const struct etl_table *const *tables, size_t count, const struct graph_edge *extra,
		size_t extra_count, size_t *ret_order, size_t *ret_group, size_t *ret_cycles)
{
	struct graph g = { 0 };
	size_t *block = calloc(6 * count + 1, sizeof(*block));
	int r = ETL_FAILED;

	if (block && graph_make(&g, tables, count, extra, extra_count)) {
		struct kahn k = {
			.waits = block,
			.head = block + count,
			.chain = block + 2 * count,
			.order = block + 3 * count,
			.group = block + 4 * count,
			.heap.at = block + 5 * count,
		};

		kahn_run(&k, &g);
		if (count > 0)
			memcpy(ret_order, k.order, count * sizeof(*ret_order));
		if (ret_group && count > 0)
			memcpy(ret_group, k.group, count * sizeof(*ret_group));
		if (ret_cycles)
			*ret_cycles = k.cycles;
		r = ETL_OK;
	}
	free(block);
	free(g.edges);
	free(g.first);
	free(g.to);
	free(g.part);
	return r;
}
