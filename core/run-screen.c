/*
 * The screen phase: constraints that are built after the load, or that the target does not enforce while rows
 * come, are looked at before anything else is made of them. A row that one of them does not take fails the run,
 * or is taken out and rejected; then whatever referred to it falls as well, until nothing more does.
 */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "log.h"
#include "maps.h"
#include "reject-parts.h"
#include "run-parts.h"

#define SHOWN_FINDS 10 /* offending rows of one step that are written to the log */

/* One step under way. */
struct finding {
	struct etl_found_sink sink;
	struct run *run;
	const struct etl_step *step;
	struct job *job;
	struct etl_context context;
	struct etl_error *err;
	bool has_rows;	/* the plugin knows of rows in struct etl_found */
	uint64_t count; /* rows that stay where they are */
	uint64_t taken;
	struct {
		struct digest digest; /* of the job */
		struct rejects_note rejects;
	} before; /* the step was applied, where it takes rows out */
	char *first; /* of those that stay: the first one's sentence */
	char *table, *column, *key;
};

/* Every step of the phase, and when. The clock counts steps. */
struct screen {
	struct run *run;
	struct etl_error *err;
	uint64_t clock;
	uint64_t *fell; /* beside the jobs: when a row was taken out of it last; 0: never */
	uint64_t *done; /* beside the plan's steps: when it was applied last; 0: never */
	uint64_t *withheld; /* by the index of a load: rows that the target never saw */
	size_t withheld_count;
	bool maps; /* it is the turn of the maps of keys, whose rows come of all others */
	bool any_taken; /* a step has taken rows out of the staging place */
};

/* ---- What is found ---- */

/* A row of a table without a key has no name that would be the same at the source. */
static struct etl_reject as_reject(const struct etl_found *found, const struct job *job)
{
	bool has_key = job && job->target->primary.column_count;

	return (struct etl_reject){ .code = found->code,
				    .column = found->column,
				    .reason = found->reason ? found->reason : found->code,
				    .schema = found->schema,
				    .batch = found->batch,
				    .row = found->row,
				    .ordinal = ORDINAL_UNKNOWN,
				    .key = has_key ? found->key : NULL };
}

/* A row without a key is named by its values. */
static char *sentence(const struct finding *f, const struct etl_found *found, bool has_batch)
{
	struct etl_reject reject = as_reject(found, f->job);
	struct etl_text text = { 0 };
	struct etl_view *view = has_batch && !f->job->target->primary.column_count ?
					etl_view_new(found->schema) :
					NULL;

	etl_text_add(&text, reject.reason);
	if (view && etl_view_set(view, found->batch))
		reject_values(&reject, view, &text);
	etl_view_free(view);
	return etl_text_take(&text);
}

static void note_first(struct finding *f, const struct etl_found *found, bool has_batch)
{
	bool named = has_batch && !f->job->target->primary.column_count;

	f->first = sentence(f, found, has_batch);
	f->table = found->table ? strdup(found->table) : NULL;
	f->column = found->column ? strdup(found->column) : NULL;
	f->key = found->key && !named ? strdup(found->key) : NULL;
}

static int take(struct finding *f, const struct etl_found *found)
{
	struct etl_reject reject = as_reject(found, f->job);
	struct job *job = f->job;
	int rc = context_reject(&f->context, &reject);

	if (rc < 0)
		return rc;
	f->taken++;
	job->rejected++;
	job->rejected_by_target++;
	job->screened++;
	job->staged--;
	return 0;
}

static int on_found(struct etl_found_sink *self, const struct etl_found *found)
{
	struct finding *f = (struct finding *)(void *)self;
	bool has_batch = f->has_rows && f->job && found->batch && found->schema;

	if (has_batch && f->sink.take_out)
		return take(f, found);
	if (f->count == 0)
		note_first(f, found, has_batch);
	f->count += f->has_rows && found->rows ? found->rows : 1;
	if (f->count <= SHOWN_FINDS)
		log_line(ETL_LOG_WARN, "%s %s: %s", found->table ? found->table : "",
			 found->key ? found->key : "", found->reason ? found->reason : found->code);
	return 0;
}

static void finding_free(struct finding *f)
{
	canon_free(f->context.canon);
	context_clear(&f->context);
	rejects_note_free(&f->before.rejects);
	free(f->first);
	free(f->table);
	free(f->column);
	free(f->key);
}

/* ---- What follows from it ---- */

static bool is_key(const struct etl_step *step)
{
	return strncmp(step->kind, "foreign key", strlen("foreign key")) == 0;
}

/* What was right may become wrong when rows of another table go. */
static bool follows(const struct etl_step *step)
{
	return is_key(step) || strcmp(step->kind, "reference") == 0;
}

/* A merge writes over rows of the target: when one that comes goes, the row it meant keeps its unique values. */
static bool competes(const struct run *run, const struct etl_step *step)
{
	return run->info.mode == ETL_MERGE && strcmp(step->kind, "unique check") == 0;
}

/* A run that refused rows may have made orphans of their children, whatever the source was. */
static int32_t key_policy(const struct run *run)
{
	if (run->pipeline->foreign_keys < 0 && rejects_count(run->rejects) > 0)
		return ETL_FK_ENFORCE;
	return run->info.foreign_keys;
}

static void report_orphans(const struct finding *f)
{
	log_line(ETL_LOG_WARN,
		 "%s: %" PRIu64
		 " row%s a parent that is not there; carried as %s (foreign_keys = \"enforce\" "
		 "would refuse %s)",
		 f->step->object ? f->step->object : "", f->count,
		 f->count == 1 ? " refers to" : "s refer to", f->count == 1 ? "it is" : "they are",
		 f->count == 1 ? "it" : "them");
}

static int verdict(struct finding *f)
{
	const char *object = f->step->object ? f->step->object : "";
	const char
		*also = f->run->pipeline->reject_rows ?
				"" :
				"; on_error = \"reject\" would keep such rows in a file and go on";

	if (f->count == 0)
		return 0;
	if (is_key(f->step) && key_policy(f->run) == ETL_FK_REPORT) {
		report_orphans(f);
		return 0;
	}
	error_at(f->err, f->table ? f->table : object, f->column, f->key);
	return error_set(f->err, ETL_DATA, "%s (%" PRIu64 " such row%s)%s%s",
			 f->first ? f->first : "a row is not taken by a constraint", f->count,
			 f->count == 1 ? "" : "s", also,
			 is_key(f->step) ?
				 "; foreign_keys = \"report\" carries them as they are, \"drop\" "
				 "leaves the foreign key out" :
				 "");
}

/* ---- Steps ---- */

static bool takes_out(const struct finding *f)
{
	if (!f->run->pipeline->reject_rows || !f->has_rows || !f->job)
		return false;
	return !is_key(f->step) || key_policy(f->run) != ETL_FK_REPORT;
}

static int open_finding(struct finding *f, struct screen *s, const struct etl_step *step)
{
	struct run *run = s->run;

	*f = (struct finding){ .sink = { .emit = on_found },
			       .run = run,
			       .step = step,
			       .job = run_job_of(run, step),
			       .err = s->err,
			       .has_rows = (run->target->plugin->base.abi & 0xffff) >= 1 };
	f->sink.take_out = takes_out(f);
	f->sink.withheld = s->withheld;
	f->sink.withheld_count = s->withheld_count;
	if (!f->job)
		return 0;
	f->sink.rows = &f->job->rows;
	f->context = (struct etl_context){
		.job = f->job, .side = SIDE_SCREEN, .rejects = run->rejects, .err = s->err
	};
	f->context.canon = job_canon(f->job, &f->job->rows, ETL_HASH_X1);
	return f->context.canon ? 0 : error_memory(s->err);
}

/* As if the step had not been applied: it is applied again. */
static int forget_finds(void *data, struct etl_error *err)
{
	struct finding *f = data;
	struct job *job = f->job;

	free(f->first);
	free(f->table);
	free(f->column);
	free(f->key);
	f->first = f->table = f->column = f->key = NULL;
	f->count = 0;
	if (!job)
		return 0;
	job->rejected -= f->taken;
	job->rejected_by_target -= f->taken;
	job->screened -= f->taken;
	job->staged += f->taken;
	f->taken = 0;
	if (!f->sink.take_out)
		return 0;
	job->digest = f->before.digest;
	return rejects_return(f->run->rejects, job, &f->before.rejects, err);
}

static int note_before(struct finding *f, struct etl_error *err)
{
	if (!f->job || !f->sink.take_out)
		return 0;
	f->before.digest = f->job->digest;
	return rejects_note(f->run->rejects, f->job, &f->before.rejects, err);
}

/* In no one order the phase's unit in the journal speaks of the first step that took rows out: what came before it changed
 * nothing, and may be done again. */
static int apply(struct screen *s, size_t at)
{
	const struct etl_step *step = &s->run->plan.at[at];
	struct finding f;
	struct step_work work = { .step = step,
				  .unit = s->run->marks && !s->any_taken ? UNIT_SCREEN : 0,
				  .sink = &f.sink,
				  .forget = forget_finds,
				  .data = &f };
	int rc = open_finding(&f, s, step);

	s->done[at] = ++s->clock;
	if (rc == 0)
		rc = note_before(&f, s->err);
	if (rc == 0)
		rc = run_apply(s->run, s->run->target, &work, s->err);
	if (rc == 0)
		rc = verdict(&f);
	if (f.taken)
		s->fell[f.job->index] = s->clock;
	s->any_taken |= f.taken > 0;
	rc = run_alone(s->run, f.job, rc, s->err);
	finding_free(&f);
	return rc;
}

static bool is_mine(const struct screen *s, size_t at)
{
	const struct etl_step *step = &s->run->plan.at[at];
	const struct job *job = run_job_of(s->run, step);

	return step->phase == ETL_PHASE_SCREEN && step->sql && !(job && (job->failed || maps_is_map(job) != s->maps));
}

static bool one_fell(const struct screen *s, const struct etl_foreign_key *keys, size_t count,
		     size_t size, uint64_t since)
{
	const struct jobs *jobs = &s->run->jobs;

	for (size_t i = 0; i < jobs->count; i++)
		for (size_t k = 0; s->fell[i] >= since && k < count; k++)
			if (strcasecmp(ETL_AT(const struct etl_foreign_key, keys, size, k)->parent,
				       jobs->at[i]->target->name) == 0)
				return true;
	return false;
}

static bool parent_fell(const struct screen *s, const struct etl_table *table, uint64_t since)
{
	return table && one_fell(s, table->foreign_keys, table->foreign_key_count,
				 table->foreign_key_size, since);
}

/* A key has to be looked at once, and again when rows of a table it refers to went since; what is unique, when rows
 * of its own table did. */
static bool is_due(const struct screen *s, size_t at)
{
	const struct job *job = run_job_of(s->run, &s->run->plan.at[at]);

	if (!s->done[at])
		return true;
	if (competes(s->run, &s->run->plan.at[at]))
		return job && s->fell[job->index] > s->done[at];
	if (!job || !is_key(&s->run->plan.at[at]))
		return job && one_fell(s, job->load.references, job->load.reference_count,
				       job->load.reference_size, s->done[at]);
	return parent_fell(s, job->target, s->done[at]) ||
	       parent_fell(s, job->load.existing, s->done[at]);
}

/* What makes a row one of its kind comes first: keys refer to it. */
static int apply_all(struct screen *s)
{
	const struct plan *plan = &s->run->plan;
	bool more = true;
	int rc = 0;

	for (size_t i = 0; i < plan->count && rc == 0; i++)
		if (is_mine(s, i) && !follows(&plan->at[i]))
			rc = apply(s, i);
	while (more && rc == 0) {
		more = false;
		for (size_t i = 0; i < plan->count && rc == 0; i++) {
			if (!is_mine(s, i) || !is_due(s, i))
				continue;
			if (!follows(&plan->at[i]) && !competes(s->run, &plan->at[i]))
				continue;
			more = true;
			rc = apply(s, i);
		}
	}
	return rc;
}

/* What a map holds is known when all others were looked through. A row of it that falls would leave one in the target whose
 * key nobody knows. */
static int screen_maps(struct screen *s)
{
	struct run *run = s->run;
	int rc = maps_load(run, s->err);

	s->maps = true;
	if (rc == 0 && maps_any(&run->jobs))
		rc = apply_all(s);
	for (size_t i = 0; i < run->jobs.count && rc == 0; i++)
		if (maps_is_map(run->jobs.at[i]) && run->jobs.at[i]->screened)
			rc = error_set(s->err, ETL_DATA,
				       "the map \"%s\" does not take %" PRIu64
				       " of its rows, so nothing is published; the rejects file has each with its reason",
				       job_name(run->jobs.at[i]), run->jobs.at[i]->screened);
	return rc;
}

static int within(const struct run *run, struct etl_error *err)
{
	uint64_t read = 0;

	for (size_t i = 0; i < run->jobs.count; i++)
		read += run->jobs.at[i]->read;
	return rejects_within(run->rejects, read, err);
}

/* Before the rows are loaded. Those of a sync say themselves where they stand in the source. */
void run_keep_origins(struct run *run)
{
	for (size_t i = 0; run->pipeline->reject_rows && i < run->plan.count; i++) {
		const struct etl_step *step = &run->plan.at[i];
		struct job *job = run_job_of(run, step);

		if (step->phase == ETL_PHASE_SCREEN && step->sql && job && job->repeats && !job->changes)
			job->keeps_origins |= !is_key(step) || run->info.foreign_keys != ETL_FK_REPORT;
	}
}

/* A merge deletes nothing from a table of which rows are missing, so its rows are parents still. */
static int count_withheld(struct screen *s)
{
	const struct jobs *jobs = &s->run->jobs;

	for (size_t i = 0; i < jobs->count; i++)
		if (jobs->at[i]->load.index >= s->withheld_count)
			s->withheld_count = jobs->at[i]->load.index + 1;
	s->withheld = calloc(s->withheld_count + 1, sizeof(*s->withheld));
	if (!s->withheld)
		return error_memory(s->err);
	for (size_t i = 0; i < jobs->count; i++)
		s->withheld[jobs->at[i]->load.index] = job_withheld(jobs->at[i]);
	return 0;
}

int run_screen(struct run *run, struct etl_error *err)
{
	struct screen s = { .run = run, .err = err };
	int64_t start = run_clock();
	struct report_line *line;
	int rc = 0;

	if (run->info.flags & ETL_RUN_SCHEMA_ONLY)
		return 0;
	s.fell = calloc(run->jobs.count + 1, sizeof(*s.fell));
	s.done = calloc(run->plan.count + 1, sizeof(*s.done));
	rc = s.fell && s.done ? count_withheld(&s) : error_memory(err);
	if (rc == 0)
		rc = apply_all(&s);
	if (rc == 0)
		rc = screen_maps(&s);
	if (rc == 0)
		rc = within(run, err);
	if (rc == 0)
		rc = rejects_place(run->rejects, &run->flow, err);
	for (size_t i = 0; i < run->jobs.count; i++) {
		origins_free(run->jobs.at[i]->origins);
		run->jobs.at[i]->origins = NULL;
	}
	free(s.fell);
	free(s.done);
	free(s.withheld);
	line = report_add(&run->report, REPORT_AFTER, "constraints checked");
	if (!line)
		return error_memory(err);
	line->seconds = (double)(run_clock() - start) / 1e6;
	return rc;
}
