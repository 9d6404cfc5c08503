/*
 * Who must come before whom: tables ordered so that parents stand before their children.
 */
#ifndef CORE_GRAPH_H
#define CORE_GRAPH_H

#include <stddef.h>

#include <etlrun/plugin.h>

/* An order beyond what the foreign keys say: `before` and `after` are indexes of tables. */
struct graph_edge {
	size_t before, after;
};

/*
 * Fills RET_ORDER (COUNT places) with the indexes of the tables, parents first; among tables that
 * are free to go the given order decides. Self references and parents that are not among the tables
 * are ignored. The tables of a cycle stand together, in the given order, after the parents of all
 * of them.
 *
 * RET_GROUP (COUNT places, or NULL) gets for each table the number of its cycle, from 0 in the
 * order in which the cycles appear in RET_ORDER, or SIZE_MAX for a table that is in none.
 * RET_CYCLES (or NULL) gets how many cycles there are. ETL_FAILED: no memory; the outputs are then
 * untouched.
 */
int graph_order(const struct etl_table *const *tables, size_t count, const struct graph_edge *extra,
		size_t extra_count, size_t *ret_order, size_t *ret_group, size_t *ret_cycles);

#endif
