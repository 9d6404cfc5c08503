/*
 * Rows refused. A reject belongs to (table, split, ordinal): it is spooled for its split, and the
 * spools are joined in that order into the rejects file at the end, so the file is the same
 * whatever the number of workers.
 */
#ifndef CORE_REJECT_H
#define CORE_REJECT_H

#include "context.h"
#include "job.h"

struct rejects;

/* PATH: of the file to be; its spool is PATH.spool. Neither exists until a row is refused. */
int rejects_open(const struct pipeline *, const char *run, const char *path, struct rejects **ret,
		 struct etl_error *);
/* Joins the spools of the jobs, in their order, into the file, once: before anything is published,
 * or at the end of a run that failed. *ret_path: the file, or NULL when no row was refused; owned by
 * the rejects. */
int rejects_join(struct rejects *, const struct jobs *, const char **ret_path, struct etl_error *);
/* What a split refused is forgotten: it is loaded again. */
int rejects_undo(struct rejects *, struct job *, uint64_t split, struct etl_error *);
/* What was rejected so far, of JOB and in sum: while one thread screens, all after it can be forgotten. */
struct rejects_note {
	uint64_t count;
	struct reject_sum *sums;
	size_t sum_count, refused_count;
	int64_t screened;
};
int rejects_note(struct rejects *, const struct job *, struct rejects_note *, struct etl_error *);
int rejects_return(struct rejects *, struct job *, const struct rejects_note *, struct etl_error *);
void rejects_note_free(struct rejects_note *);
/* Closes what a split refused and brings it to the disk: before the split counts as loaded. */
int rejects_settle(struct rejects *, const struct job *, uint64_t split, struct etl_error *);
/* Leaves what is spooled to a later process: of a run that was interrupted and whose staging place stays. */
void rejects_keep(struct rejects *);
/* What is spooled is no longer needed, unless it is kept: before the run is written down as ended. */
void rejects_end(struct rejects *);
/* Takes up what another process of this run spooled, before any row is read: of splits that are STAGED it is
 * kept and counted, the others' is removed, for they are loaded again. A table whose staged rows were looked
 * through already (phase "screen" of a run that takes rows out) has to be staged again: its rows are not whole. */
int rejects_take_up(struct rejects *, const struct jobs *,
		    bool (*staged)(void *data, const struct job *, uint64_t split), void *data,
		    struct etl_error *);
struct flow_setup;
/* After everything was looked through: finds for each screened row where it came from, and spools it. */
int rejects_place(struct rejects *, const struct flow_setup *, struct etl_error *);
/* Rows refused so far. */
uint64_t rejects_count(const struct rejects *);
/* How many of each job fell for which reason, in the order of jobs and codes. False: EACH said so. */
bool rejects_sums(struct rejects *,
		  bool (*each)(void *data, size_t job, const char *code, uint64_t rows),
		  void *data);
/* Whether they are more than the pipeline allows, of READ rows; fails with the sentence. */
int rejects_within(const struct rejects *, uint64_t read, struct etl_error *);
void rejects_free(struct rejects *);

/* Remembers the hash of a row that will not be published though the source gave it. False: no memory. */
bool job_refuse(struct job *, uint64_t hash);

/* SIDE_SCREEN: rows that were staged, and are taken out again. */
enum side { SIDE_SOURCE, SIDE_TARGET, SIDE_SCREEN };

struct canon;

/* Where the rows of one split of one table are counted and refused, on one side of the queue. Only
 * one thread uses it at a time. */
struct met_keys;

struct etl_context {
	struct job *job;
	uint64_t split;
	enum side side;
	/* NULL: refused rows are dropped in silence (the rows are made again) */
	struct rejects *rejects;
	struct etl_error *err; /* of the thread's work */
	uint64_t read, filtered, created, merged, rejected;
	uint64_t left_out; /* filtered and merged by the source itself: not in `read` */
	uint64_t waiting;  /* ETL_COUNT_WAITING */
	bool ended; /* the source's rows were taken to their end */
	/* The steps of the chain, job_stages of them, made by flow_open; or NULL. */
	struct stage_count *stages;
	/* Of a context that one step of the chain has: whose it is a part of, and the step's own counts. */
	struct etl_context *whole;
	struct stage_count *stage;
	struct met_keys *met; /* gets the keys of rows that are rejected; or NULL */
	int64_t *gone; /* ordinals of rows that the source refused before they were in a batch */
	size_t gone_count, gone_room;
	/* The target's side: what the rows under way are. */
	const int64_t *ordinals; /* of the batch the target has */
	struct canon *canon;	 /* to take a refused row out of the digest; or NULL */
	struct digest *refused;	 /* to which it is added; NULL: it is taken out of the job's */
	struct carried carried;	 /* by which ways the target took them */
	struct noted noted;	 /* what was changed in them; of a step it is the whole's */
};

/* The row's key as a person reads it, by the columns of the job's key, whatever shape the batch has. */
void reject_key(const struct job *, const struct etl_reject *, const struct etl_view *,
		struct etl_text *);

void context_clear(struct etl_context *);
/* Nothing was counted yet. */
void context_restart(struct etl_context *);

#endif
