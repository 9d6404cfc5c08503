/*
 * A job is one table of a run: where its rows come from, what is done to them on the way, and the
 * table they become. jobs_make decides all of it before anything is written.
 */
#ifndef CORE_JOB_H
#define CORE_JOB_H

#include <pthread.h>

#include "arena.h"
#include "canon.h"
#include "carried.h"
#include "catalog.h"
#include "host.h"
#include "noted.h"
#include "origins.h"
#include "pipeline.h"
#include "progress.h"
#include "reshape.h"
#include "splits.h"
#include "total.h"

/* One step of a chain: a transform, the cast, or a validator that looks at rows. Its identity:
 * in + created = out + filtered + merged + rejected. */
struct stage_count {
	bool used; /* else it is not in the chain: a cast that changes nothing, a validator that only compares */
	uint64_t in, created, out, filtered, merged, rejected;
};

struct changes;
struct conflicts;
struct drift;
struct drift_added;
struct job_cursor;
struct job_map;
struct map;
struct maps;
struct job_replay;

/* What was read back of the staged rows (verify-ahead.c), by the validators' needs. */
struct job_ahead {
	bool known;
	struct digest digest;
	struct totals *totals; /* or NULL */
	uint64_t unreadable;
};

struct job {
	const struct table_rule *rule;
	size_t index;		   /* in the run, from 0 */
	struct etl_table *source;  /* as the source describes it */
	struct etl_table comes;	   /* the source's, to the first transform; a query's result is called as the entry says */
	struct etl_table **shapes; /* what comes out of each transform; shapes[i] for uses[i] */
	struct etl_table *target;  /* as it shall be at the target */
	const char *label;	   /* "schema.name" where the run has several tables of the name, else NULL */
	const char *schema;	   /* in which the target has it, or NULL: it has no schemas */
	const char *const *taken; /* names of that schema that nothing else can have (etl_load.taken) */
	size_t taken_count;
	const struct etl_table *existing; /* the target's table in that place now, or NULL */
	const struct etl_foreign_key *target_keys; /* etl_host.target_keys, for its transforms */
	size_t target_key_count;
	const struct etl_table *given;	  /* as the target's own DDL makes it, or NULL */

	/* The pipeline's, then the table's; `at` is owned, its conf is not. */
	struct plugin_uses transforms;
	struct plugin_uses validators;
	bool repeats;	 /* every transform does: the rows can be made again */
	bool keeps_rows; /* 1:1, no where, no query: the table is whole */
	bool one_stream; /* a transform or validator wants every row in one split */

	struct etl_dataset dataset;	/* of the source */
	struct ArrowSchema want;	/* what the source is asked for */
	struct ArrowSchema before_cast; /* what comes out of the transforms */
	struct ArrowSchema rows;	/* what the target gets, without the ordinal */
	struct reshape_column *cast;	/* from before_cast to rows */
	size_t cast_count;
	bool *respelt; /* beside cast: the target spells their values; NULL: none */
	bool *stays; /* beside cast: a row that is there keeps its own value; NULL: none */
	int64_t *key; /* columns of rows; none: the whole row */
	size_t key_count;
	struct etl_needs needs; /* the digest of the source side to keep while loading */
	bool adds_up; /* a validator will ask for totals: the source's are kept while loading */

	const struct job_replay *replay; /* the rows are those of a rejects file; or NULL */
	struct job_split *splits;
	size_t split_count;
	size_t first_split; /* the number of its first split in the run, from 0 */
	struct etl_load load;
	struct etl_token token;
	bool begun;

	/* Written by the workers under `mutex`. */
	pthread_mutex_t mutex;
	uint64_t read, passed, filtered, created, merged, rejected, bytes, staged;
	uint64_t waiting; /* came without what a later run may find */
	uint64_t keyless; /* of those that were rejected, those whose key no map saw */
	uint64_t rejected_by_target; /* those taken out by screen too */
	uint64_t screened;	     /* rows that screen took out; no longer in `staged` */
	struct stage_count *stages;  /* of the whole chain; job_stages of them, NULL before any was loaded */
	struct etl_outcome outcome; /* what commit did with the staged rows */
	struct digest digest;
	struct totals *totals; /* of TOTAL_SPLITS splits that this process loaded; NULL: of none */
	size_t total_splits;
	struct job_ahead ahead;
	bool keeps_origins; /* rows of it may be refused after they are staged */
	struct origins *origins; /* … of the splits that this process loaded */
	uint64_t *refused; /* row hashes of rows the target refused */
	size_t refused_count, refused_room;
	struct carried carried; /* by which ways the target took the rows */
	struct noted noted; /* what was changed in them */
	struct job_cursor *cursor; /* mode = "sync": how far its cursor came; NULL: it has none */
	struct conflicts *conflicts; /* mode = "sync": what is known of the last one; NULL: nothing is kept */
	struct changes *changes; /* mode = "sync": what of them the target has; or NULL */
	struct job_map *maps; /* of keys, that its transforms ask (maps.h) */
	size_t map_count;
	struct map *is_map; /* the map that it extends: its rows come of the other jobs'; or NULL */
	size_t splits_over; /* staged; under the flow's mutex */
	/* mode = "sync": against the run before (drift.c). */
	struct drift_added *added; /* columns of the source that are new and allowed */
	size_t added_count;
	bool drifted;  /* a change that is not allowed */
	bool reshaped; /* … that is: values may come that did not come before */
	size_t splits_done;
	int64_t started, ended;	  /* CLOCK_MONOTONIC, microseconds */
	atomic_bool failed;	  /* with scope = "table" */
	struct etl_error failure; /* why, when it failed alone */
	struct progress_table *progress;
};

/* A verdict that the host itself gives (a view left out, a foreign key without its parent). */
struct host_verdict {
	int32_t verdict;
	char *kind, *object, *note;
	const char *ddl; /* its text in the source, or NULL */
};

struct jobs {
	struct job **at;
	size_t count;
	struct catalog source;		/* everything the source holds, and what the entries' `from` makes of it */
	bool shaped; /* … so that nobody knows what else there could be (ETL_FROM_SHAPES) */
	struct catalog existing;	/* everything the target holds */
	struct catalog given;		/* what its own DDL would make (etl_schema.given) */
	struct drift *drift;		/* what they looked like in the run before; NULL: nobody keeps that */
	struct catalog others;		/* views, triggers, settings that go along, in order */
	struct etl_load *other_loads;	/* beside others: index counts on after the jobs' */
	struct etl_token *other_tokens; /* likewise */
	struct host_verdict *verdicts;
	size_t verdict_count;
	struct name_index by_source; /* jobs by their source's name, while they are made */
	const struct instance *target; /* knows what goes where, while they are made */
	struct arena arena;	     /* of names that were made here */
	struct maps *maps;	     /* of keys; NULL: no transform has one */
	bool keeps_shape;   /* rows take the shape of the table that is there */
};

/* What the command line asks beside the file. */
struct run_options {
	const char *tables; /* "a,b" or NULL */
	int64_t limit;	    /* rows a table; 0: all */
	const char *from;   /* a file of saved.h: only what it says is written; or NULL */
	bool schema_only, data_only, yes;
};

/* What making the jobs of one run needs at hand. */
struct jobs_setup {
	const struct pipeline *pipeline;
	const struct run_options *options;
	struct instance *source, *target;
	const struct etl_token *pin; /* the view that SOURCE is in, which others may join; or NULL */
	const struct host_limits *limits; /* of further instances */
	const struct etl_run *run;
	bool looks; /* nothing is written */
};

/* Describes both ends through the two instances, and decides. ETL_USAGE for a name that matches
 * nothing, a collision, an impossible type. */
int jobs_make(const struct jobs_setup *, struct jobs *, struct etl_error *);
void jobs_free(struct jobs *);
/* A table may fail alone when its tables are published one by one and its rows are at fault. */
bool job_fails_alone(const struct pipeline *, const struct etl_error *);
/* The table will not be published, the others go on. ERR is logged, kept with the job, and
 * cleared. */
void job_fail(struct job *, struct etl_error *err);
/* How many steps a chain has, and how each is called: by its plugin's name, "cast", or, the last, "unchanged". */
size_t job_stages(const struct job *);
const char *job_stage_name(const struct job *, size_t stage);
/* How a job is called in messages: its name in the source, or "query 3". */
const char *job_source_name(const struct job *);
/* Whether the staging place of others.at[OTHER] may be another than those of the tables and of the one before. */
bool jobs_has_own_place(const struct jobs *, size_t other);
/* How it is called where it is told from the others of the run, in reports and files too: by its table in the target. */
const char *job_name(const struct job *);
/* Whether NAME means it: to a table of SCHEMA (or NULL), of several tables of a name the one beside it. */
bool job_is_called(const struct job *, const char *schema, const char *name);
/* In how many splits its rows are best read, by what is known of their number. */
/* Whether values of the column that WAS come to one that IS in the spelling that it has itself (ETL_RESPELT). */
bool column_alike(const struct etl_column *was, const struct etl_column *is);
/* Of a shaped job: fills respelt, with a verdict for each. */
int job_find_respelt(struct jobs *, struct job *, struct etl_error *);
/* What hashes its rows, of SCHEMA: job->rows, maybe with an ordinal behind. NULL as of canon_new. */
struct canon *job_canon(const struct job *, const struct ArrowSchema *schema, int32_t hash);
int64_t job_splits_wanted(const struct job *);
/* How many of its rows were rejected before the target saw them, as etl_commit.withheld has it: of a sync it makes no
 * difference, the rows that go are named. */
uint64_t job_withheld(const struct job *);

#endif
