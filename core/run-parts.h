/*
 * The parts of a run that have files of their own; run.c puts them in their order.
 */
#ifndef CORE_RUN_PARTS_H
#define CORE_RUN_PARTS_H

#include "run.h"

/* run.c: carries out one step in the staging place. */
int run_apply(struct run *, const struct etl_step *, struct etl_found_sink *, struct etl_error *);

/* What RC of a step or check of JOB means for the run: 0 when that table fails alone, which is then
 * marked. JOB may be NULL: it was about the whole run. */
int run_alone(struct run *, struct job *, int rc, struct etl_error *);
/* The table a step belongs to, or NULL. */
struct job *run_job_of(const struct run *, const struct etl_step *);

/* run-check.c */
/* Every identity of RUN.md, for every table: a row that cannot be accounted for is an error. */
int run_check_counts(struct run *, struct etl_error *);
/* The same of what commit did with the staged rows, after it. */
int run_check_outcomes(const struct run *, struct etl_error *);
int run_validate(struct run *, struct etl_error *);

/* run-screen.c */
/* Rows that a constraint will not take fail the run, or are rejected. */
int run_screen(struct run *, struct etl_error *);

/* run-report.c */
/* The report's lines of the tables, in the order of the jobs: made once, filled at the end. */
int run_add_lines(struct run *, struct etl_error *);
struct report_line *run_line_of(struct run *, const struct job *);
/* The exit code of a run that ended with RC; the report and the state say the same. */
int run_settle(struct run *, int rc, struct etl_error *);
int run_show(struct run *, struct etl_error *);

#endif
