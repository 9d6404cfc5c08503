/*
 * Maps of old and new keys (etl_map): tables of the target that transforms ask and extend. A map that a run extends is one
 * more job of it, whose rows are known when all others have been looked through. maps.c: what the transforms say, and those
 * jobs; maps-read.c: what the target has; maps-rows.c: asking, and which rows came; maps-load.c: what is new.
 */
#ifndef CORE_MAPS_H
#define CORE_MAPS_H

#include "flow.h"
#include "map-set.h"

struct map;
struct maps;
struct run;

/* A column of its rows with the new keys of a table of the map. */
struct job_map_parent {
	uint16_t table;
	const char *column;
};

/* What one transform of a job does with a map. */
struct job_map {
	struct map *map;
	size_t stage;	  /* of the chain */
	bool owns;
	uint16_t own;	  /* whose keys its rows have, by the map's tables; with OWNS */
	int64_t at;	  /* of the new key in job->rows */
	const char *own_column;
	struct job_map_parent *parents;
	size_t parent_count;
};

/* Makes what the transform of STAGE emitted part of job->maps. For the transform's `maps`. */
struct maps_asking {
	struct etl_map_sink sink; /* first */
	struct jobs *jobs;
	struct job *job;
	const struct plugin_use *use;
	size_t stage;
	struct etl_error *err;
};
void maps_ask(struct maps_asking *, struct jobs *, struct job *, const struct plugin_use *, size_t stage, struct etl_error *);
/* Once every job has its target: looks at the maps that are there, and adds the jobs of the maps. ETL_USAGE: what a map lacks, and
 * what to write. */
int maps_make(const struct jobs_setup *, struct jobs *, struct etl_error *);
/* Which jobs should come before which others, if nothing forbids it: appended to *RET. */
struct graph_edge;
int maps_edges(const struct jobs *, struct graph_edge **ret, size_t *ret_count, struct etl_error *);
void maps_free(struct maps *);
void job_maps_free(struct job *);

/* Once the jobs are in their order: what a row refers to may fall where no foreign key sees it, so the target is to look. */
int maps_refer(struct jobs *, const struct instance *target, struct etl_error *);

/* Whether the run extends a map: nothing that it staged is of use to another process. */
bool maps_any(const struct jobs *);
bool maps_is_map(const struct job *);
/* The Nth of the jobs whose rows those of JOB may refer to by a map, from 0; one may come several times. NULL: there are no more. */
const struct job *maps_parent(const struct job *, size_t n);
/* Whether all parents of the job's rows that can be waited for have been staged; with the flow's mutex. */
bool maps_ready(const struct job *);
/* Before the rows of a job are read: what the target has of its maps. */
int maps_need(const struct flow_setup *, struct job *, struct etl_error *);
/* Reads the tables beforehand whose rows refer to each other in a circle, or to themselves. */
int maps_look_ahead(const struct flow_setup *, struct etl_error *);
bool maps_is_ahead(const struct job *);
/* Puts a step around the chain that sees which rows come through. On failure STREAM is untouched. */
int maps_wrap(struct job *, struct etl_context *, struct ArrowArrayStream *stream, struct etl_error *);
/* Rows of BATCH, in the schema of a chain's end, or one row that was rejected by the target or a screen, do not go. */
int maps_left_out(struct job *, const struct ArrowSchema *, const struct ArrowArray *batch, int64_t row, struct etl_error *);
/* A row that was rejected by STEP of the chain, or, negative, by the source. */
void maps_rejected(struct job *, int64_t step);

/* maps-load.c. When all other rows were looked through: stages the rows of the maps. */
int maps_load(struct run *, struct etl_error *);

#endif
