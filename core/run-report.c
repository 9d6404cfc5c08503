/*
 * What is said of a run at its end: the report, the state store, the exit code.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <etlrun/helpers.h>

#include "changes.h"
#include "conflicts.h"
#include "log.h"
#include "request.h"
#include "retry.h"
#include "run-parts.h"
#include "signals.h"

#define UNDO_RUNS 10 /* more than any target keeps what they changed */

/* The report's lines of the tables, in the order of the jobs; made once, filled again at the
 * end. */
int run_add_lines(struct run *run, struct etl_error *err)
{
	for (size_t i = 0; i < run->jobs.count; i++) {
		const struct job *job = run->jobs.at[i];
		struct report_line *line;

		if (i == 0)
			run->first_line = run->report.line_count;
		line = report_add(&run->report, REPORT_DATA, job_name(job));
		if (!line || !(line->source_name = strdup(job_source_name(job))))
			return error_memory(err);
		line->is_table = true;
		line->in_target = UINT64_MAX;
	}
	return 0;
}

struct report_line *run_line_of(struct run *run, const struct job *job)
{
	size_t at = run->first_line + job->index;

	return at < run->report.line_count && run->report.lines[at].is_table ?
		       &run->report.lines[at] :
		       NULL;
}

static void fill_line(struct run *run, struct job *job)
{
	struct report_line *line = run_line_of(run, job);
	/* Those that the target had already, and so were not staged. */
	uint64_t same = job->changes && job->stages ?
				job->stages[job_stages(job) - 1].filtered - changes_left_out(job) :
				0;

	same -= same > 0 ? bound_postponed(run->flow.bound, job) : 0;
	if (!line)
		return;
	line->read = job->read;
	line->filtered = job->filtered - same;
	line->created = job->created;
	line->merged = job->merged;
	line->rejected = job->rejected;
	line->loaded = job->staged + same;
	line->bytes = job->bytes;
	line->carried = job->carried;
	noted_add_all(&line->noted, &job->noted);
	line->seconds = job->ended > job->started ? (double)(job->ended - job->started) / 1e6 : 0;
	line->published = run->published && !job->failed;
	line->inserted = line->published || run->batches.count ? job->outcome.inserted :
			 run->info.mode == ETL_COPY ? job->staged :
						      0;
	line->updated = job->outcome.updated;
	line->unchanged = job->outcome.unchanged + same;
	line->deleted = job->outcome.deleted;
	line->merges = run->info.mode != ETL_COPY;
	line->conflicts = job->conflicts ? conflicts_counts(job) : (struct conflict_counts){ 0 };
	line->knows_conflicts = job->conflicts != NULL;
	/* What validators counted is what comes, not what the table holds. */
	if (line->merges && job->existing)
		line->in_target = UINT64_MAX;
	else if (line->in_target == UINT64_MAX && line->published &&
		 !(run->info.flags & ETL_RUN_DATA_ONLY))
		line->in_target = job->staged;
}

/* What each step of the chain did, and why rows fell. */
static bool fill_stages(struct run *run, const struct job *job)
{
	struct report_line *line = run_line_of(run, job);
	bool ok = true;

	for (size_t i = 0; line && job->stages && i < job_stages(job) && ok; i++) {
		const struct stage_count *s = &job->stages[i];
		struct report_stage stage = { NULL,	   s->in,     s->created, s->out,
					      s->filtered, s->merged, s->rejected };

		if (s->used)
			ok = report_add_stage(line, job_stage_name(job, i), stage);
	}
	return ok;
}

static bool fill_reject(void *data, size_t job, const char *code, uint64_t rows)
{
	struct run *run = data;
	struct report_line *line = run_line_of(run, run->jobs.at[job]);

	return !line || report_add_reject(line, code, rows);
}

static bool fill_lines(struct run *run)
{
	bool ok = true;

	for (size_t i = 0; i < run->jobs.count; i++) {
		fill_line(run, run->jobs.at[i]);
		ok = ok && fill_stages(run, run->jobs.at[i]) && !run->jobs.at[i]->noted.failed;
	}
	return ok && rejects_sums(run->rejects, fill_reject, run);
}

static uint64_t peak_memory(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	unsigned long kilobytes = 0;
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "VmHWM: %lu", &kilobytes) == 1)
			break;
	if (file)
		fclose(file);
	return (uint64_t)kilobytes * 1024;
}

/* A word as a shell takes it. */
static void add_word(struct etl_text *text, const char *word)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";

	etl_text_add(text, " ");
	if (*word && strspn(word, plain) == strlen(word)) {
		etl_text_add(text, word);
		return;
	}
	etl_text_add(text, "'");
	for (; *word; word++)
		if (*word == '\'')
			etl_text_add(text, "'\\''");
		else
			etl_text_add_bytes(text, word, 1);
	etl_text_add(text, "'");
}

/* What was typed, its --set and --profile too, without which it would be another run; a RUN that was typed is
 * said anew. */
static void add_typed(const struct run *run, struct etl_text *text)
{
	bool said = !run->cli->resume || !*run->cli->resume;

	for (size_t i = 0; i < run->cli->typed_count; i++) {
		const char *word = run->cli->typed[i];

		if (!said && strcmp(word, run->cli->resume) == 0)
			said = true;
		else if (strcmp(word, "--yes") != 0 && strcmp(word, "--if-needed") != 0)
			add_word(text, word);
	}
}

/* The command as it was typed. */
static char *same_command(const struct run *run)
{
	struct etl_text text = { 0 };

	etl_text_addf(&text, "etlrun %s", run->cli->verb->name);
	for (size_t i = 0; i < run->cli->typed_count; i++)
		add_word(&text, run->cli->typed[i]);
	return etl_text_take(&text);
}

/* Of a replay nothing is kept: it is begun anew, and knows whether it was published. */
char *run_resume_command(const struct run *run)
{
	struct etl_text text = { 0 };

	if (run->cli->replay)
		return same_command(run);
	etl_text_addf(&text, "etlrun resume %s", run->id);
	add_typed(run, &text);
	return etl_text_take(&text);
}

/* Where nothing can be gone on with, the same again. */
static char *next_command(const struct run *run)
{
	return run->kept || run->again ? run_resume_command(run) : same_command(run);
}

static void set_failed(struct etl_error *, const struct etl_error *first, const char *format, ...)
	ETL_PRINTF(3, 4);

static void set_failed(struct etl_error *err, const struct etl_error *first, const char *format,
		       ...)
{
	va_list args;

	va_start(args, format);
	error_setv(err, ETL_DATA, first->sqlstate, first->native, format, args);
	va_end(args);
}

/* Tables that failed alone: the first one's failure is the run's, and all of them are named. */
static void sum_up(struct run *run, struct etl_error *err)
{
	struct etl_text names = { 0 };
	struct etl_error *first = NULL;
	size_t failed = 0;

	for (size_t i = 0; i < run->jobs.count; i++) {
		struct job *job = run->jobs.at[i];

		if (!job->failed)
			continue;
		if (!first)
			first = &job->failure;
		etl_text_addf(&names, "%s%s", failed++ ? ", " : "", job_name(job));
	}
	if (!first || err->set) {
		etl_text_free(&names);
		return;
	}
	error_clear(err);
	error_at(err, first->table, first->column, first->key);
	err->role = first->role;
	memcpy(err->plugin, first->plugin, sizeof(err->plugin));
	set_failed(err, first, "%s; not published: %s; %zu of %zu tables were published",
		   first->message ? first->message : "no memory to say why",
		   names.failed ? "too many to name" : names.at,
		   run->published ? run->jobs.count - failed : 0, run->jobs.count);
	etl_text_free(&names);
}

/* A run that did its work and could not write that down is no success. */
static void note_late(struct report *report, struct etl_error *late, struct etl_error *err)
{
	if (report->exit == 0 || report->exit == EXIT_REJECTED) {
		report->exit = error_exit(late);
		log_line(ETL_LOG_WARN, "the target is published all the same");
	}
	error_move(err, late);
}

/* Of a run that came to no end: some of it is there all the same. */
static bool stands(const struct run *run)
{
	return run->batches.count > 0 && !run->published;
}

static void add_batches(const struct run *run, struct etl_error *err)
{
	char *said = err->message, *text = NULL;

	if (!stands(run) || !err->set ||
	    asprintf(&text, "%s; %" PRIu64 " batch%s with %" PRIu64 " rows stand%s in the target, %s",
		     said ? said : "no memory to say why", run->batches.count, run->batches.count == 1 ? "" : "es", run->batches.rows,
		     run->batches.count == 1 ? "s" : "",
		     run->batch_unknown ? "whether the one that was under way does is not known, and the rest is not published" :
					  "the rest is not published") < 0)
		return;
	free(said);
	err->message = text;
}

/* Whatever failed: what is in the target is neither what was nor what was to be. */
static int code_of(const struct run *run, const struct etl_error *err)
{
	int code = error_exit(err);

	return stands(run) && (code == EXIT_SOURCE || code == EXIT_TARGET) ? EXIT_DATA : code;
}

/* What ended a run on request is that request, and not the statement that was cut off by it. Rows at fault, or a commit whose
 * outcome nobody knows, come before it. *RET: the status. */
static void obey(struct run *run, int rc, const char **ret, struct etl_error *err)
{
	enum request asked = request_heard();

	*ret = NULL;
	if (rc == 0 || run->published || asked == REQUEST_NONE || signals_caught() ||
	    (err->set && (err->klass == ETL_DATA || err->klass == ETL_OUTCOME_UNKNOWN)))
		return;
	if (err->set)
		log_line(ETL_LOG_DEBUG, "cut off: %s", err->message ? err->message : "no memory to say how");
	error_clear(err);
	*ret = asked == REQUEST_PAUSE && !run->cli->replay ? STATE_PAUSED : STATE_CANCELED;
	if (asked == REQUEST_CANCEL)
		error_set(err, ETL_HOST_CANCELED, "canceled on request; what was staged is taken away");
	else
		error_set(err, ETL_HOST_PAUSED, "paused on request%s",
			  run->kept ? "; what is staged is kept" : "; nothing of it could be kept");
}

/* Of a run that is paused and kept nothing `resume` begins again. */
static int forget_staged(const struct run *run, struct etl_error *err)
{
	int rc = state_forget(run->state, run->id, err);

	return rc < 0 ? rc : state_run_note(run->state, run->id, "plan", NULL, err);
}

/* A run that its target can take back, which keeps what the last few changed, is found here by `rollback`. */
static int forget_old(const struct run *run, struct etl_error *err)
{
	int64_t runs = run->info.keep_runs;

	if (run->pipeline->undo && runs < UNDO_RUNS)
		runs = UNDO_RUNS;
	return state_forget_old(run->state, run->pipeline->name, runs, run->info.keep_since, err);
}

bool run_has_parked(const struct run *run)
{
	for (size_t i = 0; i < run->jobs.count; i++) {
		struct conflict_counts n = conflicts_counts(run->jobs.at[i]);

		if (n.parked || n.again)
			return true;
	}
	return false;
}

/* The exit code; the report and the state say the same. */
int run_settle(struct run *run, int rc, struct etl_error *err)
{
	struct report *report = &run->report;
	struct etl_error late = ERROR_INIT;
	const char *rejects = NULL, *status = STATE_DONE, *obeyed;
	int sig = signals_caught();
	bool pauses;

	obey(run, rc, &obeyed, err);
	pauses = obeyed && strcmp(obeyed, STATE_PAUSED) == 0;
	if (rc == 0)
		sum_up(run, err);
	else if (!sig)
		error_unsaid(err);
	if (!run->kept && rejects_join(run->rejects, &run->jobs, &rejects, &late) < 0)
		error_move(err, &late);
	add_batches(run, err);
	report->exit = err->set ? code_of(run, err) :
		       rc < 0	? 128 + sig :
		       rejects	? EXIT_REJECTED :
		       run->published && run_has_parked(run) ? EXIT_REJECTED :
				  0;
	if (sig && rc < 0 && !run->published)
		report->exit = 128 + sig;
	if (report->exit != 0 && report->exit != EXIT_REJECTED)
		status = obeyed ? obeyed : run->kept || run->again ? STATE_INTERRUPTED : STATE_FAILED;
	report->error = err->set && err->message ? strdup(err->message) : NULL;
	/* Of an outcome that nobody knows it is not said that nothing was published. */
	report->rolled_back = !run->published && !stands(run) && !(err->set && err->klass == ETL_OUTCOME_UNKNOWN);
	report->rejects_file = rejects ? strdup(rejects) : NULL;
	report->log_file = run->pipeline->log_file ? strdup(run->pipeline->log_file) : NULL;
	report->next_command = pauses			      ? run_resume_command(run) :
			       (sig || run->kept || run->again) && rc < 0 ? next_command(run) :
							      NULL;
	report->seconds = (double)(run_clock() - run->started) / 1e6;
	report->batches = run->batches.count;
	report->batch_rows = run->batches.rows;
	report->peak_bytes = peak_memory();
	report->retries = retry_total();
	remarks_take(&report->remarks);
	if (!fill_lines(run)) {
		error_memory(&late);
		note_late(report, &late, err);
	}
	if (log_lost(&late) < 0)
		note_late(report, &late, err);
	rejects_end(run->rejects);
	if (run->state && state_run_end(run->state, report, status, &late) < 0)
		note_late(report, &late, err);
	if (run->state && (pauses || run->again) && !run->kept && forget_staged(run, &late) < 0)
		note_late(report, &late, err);
	if (run->state && forget_old(run, &late) < 0)
		note_late(report, &late, err);
	return report->exit;
}

static int write_summary(struct run *run, struct etl_error *err)
{
	int rc = report_write(&run->report, run->cli->summary, err);

	if (rc < 0 && run->published)
		log_line(ETL_LOG_WARN, "the target is published all the same");
	return rc;
}

int run_show(struct run *run, struct etl_error *err)
{
	report_log(&run->report);
	progress_stop(run->progress);
	run->progress = NULL;
	if (run->cli->level >= ETL_LOG_INFO && !log_json())
		report_print(&run->report);
	return run->cli->summary ? write_summary(run, err) : 0;
}

void run_summarise_failure(const struct cli *cli, const struct pipeline *pipeline, const char *id,
			   const struct etl_error *err)
{
	struct report report = { .rolled_back = true };
	struct etl_error late = ERROR_INIT;
	int sig = signals_caught();

	if (!cli->summary)
		return;
	report.run = id ? strdup(id) : NULL;
	report.pipeline = strdup(pipeline ? pipeline->name : cli->words[0]);
	report.verb = strdup(cli->verb->name);
	report.exit = sig ? 128 + sig : err->set ? error_exit(err) : 1;
	report.error = err->set && err->message ? strdup(err->message) : NULL;
	if (report_write(&report, cli->summary, &late) < 0)
		log_error(&late);
	error_clear(&late);
	report_free(&report);
}
