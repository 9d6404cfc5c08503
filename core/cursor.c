/* See cursor.h. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <etlrun/helpers.h>

#include "../plugins/lib/moment.h"
#include "../plugins/lib/spell.h"
#include "changes.h"
#include "conflicts.h"
#include "cursor.h"
#include "log.h"
#include "retry.h"
#include "state-read.h"
#include "sweep.h"

/* ---- What an earlier run left -------------------------------------------------------------------- */

/* Beside the jobs: of each the newest that says how far its cursor came; `name` NULL: there is none. */
struct recalling {
	struct state_reader reader;
	const struct run *run;
	struct state_table *past;
};

/* A run that did not say how far, of some rows, does not count. */
static void on_table(struct state_reader *self, struct state_table *t)
{
	struct recalling *r = (struct recalling *)(void *)self;

	for (size_t i = 0; t->column && t->bound && i < r->run->jobs.count; i++) {
		if (r->past[i].name || strcmp(r->run->jobs.at[i]->load.table->name, t->name) != 0)
			continue;
		r->past[i] = *t;
		*t = (struct state_table){ .name = NULL };
		return;
	}
}

/* ---- Moments ------------------------------------------------------------------------------------- */

void cursor_back(const char *token, int64_t ms, char ret[ETL_TOKEN_MAX])
{
	const char *rest = strchr(token, ';');
	size_t size = rest ? (size_t)(rest - token) : strlen(token);
	char text[SPELL_MAX];
	struct moment m;

	snprintf(ret, ETL_TOKEN_MAX, "%s", token);
	if (ms == 0 || !etl_moment_parse(&m, token, size))
		return;
	etl_spell_timestamp(text, m.days * INT64_C(86400000000) + m.micros - m.zone * 1000000 - ms * 1000, m.zoned);
	snprintf(ret, ETL_TOKEN_MAX, "%s%s", text, rest ? rest : "");
}

/* ---- What is done about a table ------------------------------------------------------------------- */

static int fail(const struct job *job, struct etl_error *err, const char *why)
{
	error_at(err, job_name(job), job->rule->cursor, NULL);
	return error_set(err, ETL_USAGE, "%s: cursor \"%s\" of \"%s\": %s", job->rule->origin.text, job->rule->cursor,
			 job_source_name(job), why);
}

int cursor_check(const struct jobs_setup *setup, const struct job *job, struct etl_error *err)
{
	if (!job->rule->cursor)
		return 0;
	if (table_find_column(job->source, job->rule->cursor) < 0)
		return fail(job, err, "the source has no such column");
	if (!setup->source->plugin->can_watermark)
		return fail(job, err, "this source cannot say how far a cursor has come; remove it, and all rows are compared");
	if (!setup->target->plugin->can_recall)
		return fail(job, err, "this target keeps no state, so nobody knows where the last run ended; remove it");
	if (job->rule->deletes != ETL_DELETE_NONE && setup->pipeline->sweep_every == 0 && setup->pipeline->sweep == 0)
		return fail(job, err,
			    "a cursor does not see what is deleted; write sweep_every = N, and every N-th run compares all "
			    "rows, sweep = \"10 %\", and each run compares a tenth of the keys, or delete = \"none\"");
	return sweep_check(setup->pipeline, job, err);
}

static int reach(struct run *run, struct job *job, struct etl_error *err)
{
	struct instance *source = run->source;
	struct etl_read read = { .dataset = job->dataset, .want = &job->want, .cursor = job->rule->cursor };
	struct retry retry = retry_of(source, "asking how far the cursor has come");
	int rc;

	do
		rc = source->plugin->source.watermark(source->self, &read, &job->cursor->reached,
						      instance_error(source, err));
	while (rc < 0 && retry_again(&retry, err));
	return error_blame(err, job->rule->origin.text, rc);
}

/* NULL: it goes by the cursor. */
static const char *why_whole(const struct run *run, const struct job *job, const struct state_table *past)
{
	if (!job->existing)
		return "it is not in the target yet";
	if (!past->name)
		return "no run has said how far its cursor came";
	if (strcmp(past->column, job->rule->cursor) != 0)
		return "its cursor was another column";
	if (job->reshaped)
		return "its columns are not those of the last run";
	if (!*past->bound)
		return "not all of it came when its columns had changed";
	/* Whatever they waited for may be there now, and their cursor does not move for that. */
	if (past->rejected)
		return "rows of it were rejected last time";
	if (past->waiting)
		return "rows of it came without their parents last time";
	if (run->pipeline->sweep_every && past->runs + 1 >= run->pipeline->sweep_every)
		return "sweep_every";
	return NULL;
}

static int decide(struct run *run, struct job *job, const struct state_table *past, struct etl_error *err)
{
	const struct flow_setup flow = { .pipeline = run->pipeline, .limits = run->limits };
	const char *why;
	bool any = false;
	int rc;

	job->cursor = etl_arena_alloc(&run->jobs.arena, sizeof(*job->cursor));
	if (!job->cursor)
		return error_memory(err);
	memset(job->cursor, 0, sizeof(*job->cursor));
	rc = reach(run, job, err);
	if (rc < 0)
		return rc;
	why = why_whole(run, job, past);
	if (!why && job->conflicts) {
		rc = conflicts_any_parked(&flow, job, &any, err);
		why = any ? "rows of it are parked" : NULL;
	}
	if (rc == 0 && !why) {
		/* Somebody emptied it, or made it anew. */
		rc = changes_any(&flow, job, &any, err);
		why = any ? NULL : "there is no row of it in the target";
	}
	if (rc < 0)
		return rc;
	if (why) {
		log_line(ETL_LOG_INFO, "table \"%s\": every row is read: %s", job_name(job), why);
		return 0;
	}
	job->cursor->reads = true;
	job->cursor->runs = past->runs + 1;
	cursor_back(past->bound, run->pipeline->overlap, job->cursor->since);
	log_line(ETL_LOG_INFO, "table \"%s\": rows from %s %s on", job_name(job), job->rule->cursor, job->cursor->since);
	if (run->pipeline->sweep)
		return sweep_find(run, job, past, err);
	/* The merge itself sees which of them are equal; where they are counted before, that is too late. */
	if (!run->pipeline->max_rows && !job->conflicts) {
		changes_free(job->changes);
		job->changes = NULL;
	}
	return 0;
}

int cursors_find(struct run *run, struct etl_error *err)
{
	struct recalling r = { .reader = { on_table }, .run = run };
	size_t cursors = 0;
	int rc = 0;

	for (size_t i = 0; i < run->jobs.count; i++)
		cursors += run->jobs.at[i]->rule->cursor != NULL;
	if (run->pipeline->mode != ETL_SYNC || cursors == 0 || run->cli->replay || run->cli->verb->looks || run->cli->run.from)
		return 0;
	r.past = calloc(run->jobs.count, sizeof(*r.past));
	rc = r.past ? state_read_all(run->target, run->pipeline->name, "asking how far the tables were synced", &r.reader,
				     err) :
		      error_memory(err);
	for (size_t i = 0; i < run->jobs.count && rc == 0; i++)
		if (run->jobs.at[i]->rule->cursor)
			rc = decide(run, run->jobs.at[i], &r.past[i], err);
	for (size_t i = 0; r.past && i < run->jobs.count; i++)
		state_table_clear(&r.past[i]);
	free(r.past);
	return rc;
}

/* Of some rows nothing is known of the others; and rows that wait are behind the bound of an earlier run. */
static bool saw_all(const struct run *run, const struct job *job)
{
	return *job->cursor->reached.text && !run->cli->run.limit && !bound_postponed(run->flow.bound, job);
}

/* Where columns are others than before, what an earlier run says is true no more. */
void cursor_add_state(const struct run *run, const struct job *job, struct etl_text *to)
{
	const struct job_cursor *c = job->cursor;
	const char *bound = c && saw_all(run, job) ? c->reached.text : "";

	if (!c || (!*bound && !job->reshaped))
		return;
	etl_text_add(to, ",\"cursor\":{\"column\":");
	etl_text_add_json(to, job->rule->cursor, strlen(job->rule->cursor));
	etl_text_add(to, ",\"bound\":");
	etl_text_add_json(to, bound, strlen(bound));
	etl_text_addf(to, ",\"runs\":%" PRId64 ",\"waiting\":%" PRIu64, c->runs, job->waiting);
	sweep_add_state(job, to);
	etl_text_add(to, "}");
}
