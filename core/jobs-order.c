/*
 * The order of the tables of a run: parents before children, by the foreign keys of the target, and
 * what the file adds with `after`. Foreign keys may run in a circle, for they are checked when all
 * rows are there; an `after` that cannot be kept is refused.
 */
#include "config.h"

#include <stdlib.h>
#include <strings.h>

#include "graph.h"
#include "log.h"
#include "maps.h"
#include "shape.h"

/* The `after` of the file: by names in the source. */
static int extra_edges(struct jobs *jobs, struct graph_edge **ret, size_t *ret_count,
		       struct etl_error *err)
{
	for (size_t i = 0; i < jobs->count; i++) {
		const struct string_list *after = &jobs->at[i]->rule->after;

		for (size_t k = 0; k < after->count; k++) {
			bool found = false;

			for (size_t p = 0; p < jobs->count; p++) {
				struct graph_edge *edges;

				if (strcasecmp(job_source_name(jobs->at[p]), after->at[k]) != 0)
					continue;
				found = true;
				edges = realloc(*ret, (*ret_count + 1) * sizeof(*edges));
				if (!edges)
					return error_memory(err);
				*ret = edges;
				edges[(*ret_count)++] = (struct graph_edge){ .before = p,
									     .after = i };
			}
			if (!found)
				return error_set(err, ETL_USAGE,
						 "%s: after: \"%s\" is no table of this run",
						 jobs->at[i]->rule->origin.text, after->at[k]);
		}
	}
	return 0;
}

/* ORDER puts each edge's first table before its second, unless something else forbids it. */
static int check_edges(const struct jobs *jobs, const size_t *order, const struct graph_edge *edges,
		       size_t count, struct etl_error *err)
{
	for (size_t e = 0; e < count; e++) {
		size_t i = 0;

		while (order[i] != edges[e].before && order[i] != edges[e].after)
			i++;
		if (order[i] == edges[e].after && edges[e].after != edges[e].before)
			return error_set(err, ETL_USAGE,
					 "%s: after: \"%s\" cannot come after \"%s\", which itself "
					 "waits for it, by its foreign keys or its own `after`",
					 jobs->at[edges[e].after]->rule->origin.text,
					 job_source_name(jobs->at[edges[e].after]),
					 job_source_name(jobs->at[edges[e].before]));
	}
	return 0;
}

int jobs_sort(struct jobs *jobs, struct etl_error *err)
{
	const struct etl_table **tables = calloc(jobs->count + 1, sizeof(*tables));
	size_t *order = calloc(jobs->count + 1, sizeof(*order)), extra_count = 0, after_count = 0, cycles = 0;
	struct job **sorted = calloc(jobs->count + 1, sizeof(*sorted));
	struct graph_edge *extra = NULL;
	int rc = tables && order && sorted ? extra_edges(jobs, &extra, &extra_count, err) :
					     error_memory(err);

	after_count = extra_count;
	if (rc == 0)
		rc = maps_edges(jobs, &extra, &extra_count, err);
	for (size_t i = 0; rc == 0 && i < jobs->count; i++)
		tables[i] = jobs->at[i]->target;
	if (rc == 0 &&
	    graph_order(tables, jobs->count, extra, extra_count, order, NULL, &cycles) < 0)
		rc = error_memory(err);
	if (rc == 0)
		rc = check_edges(jobs, order, extra, after_count, err);
	for (size_t i = 0; rc == 0 && i < jobs->count; i++)
		sorted[i] = jobs->at[order[i]];
	if (rc == 0) {
		free(jobs->at);
		jobs->at = sorted;
		sorted = NULL;
		if (cycles)
			log_line(ETL_LOG_DEBUG,
				 "%zu groups of tables refer to each other in a circle; their keys "
				 "are checked after all rows",
				 cycles);
	}
	free(tables);
	free(order);
	free(sorted);
	free(extra);
	return rc;
}
