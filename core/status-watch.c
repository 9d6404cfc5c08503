/*
 * See status-watch.h. Whether a run is on is asked of its lock, four times a second; the state, which it writes once a
 * second, is opened for a moment at each line only. On a terminal the line is drawn in place.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "output.h"
#include "run.h"
#include "status-watch.h"

#define LOOK_MS	       250
#define BEGIN_MS       5000 /* for a run that has the lock to write itself down */
#define LINE_SECONDS   10
#define REDRAW_SECONDS 1
#define SECOND_US      1000000

struct watching {
	const struct state_place *place;
	bool terminal;
	bool drawn; /* a line stands on the terminal, without its end */
	struct state_seen seen;
	struct lock_holder holder;
	/* At the line before. */
	uint64_t rows;
	int64_t at;
};

static void wait_a_moment(void)
{
	const struct timespec pause = { .tv_nsec = LOOK_MS * 1000000L };

	nanosleep(&pause, NULL);
}

static int look(struct watching *w, const char *run, struct etl_error *err)
{
	char named[sizeof(w->seen.id)];

	snprintf(named, sizeof(named), "%s", run ? run : "");
	return state_place_look(w->place, run ? named : NULL, &w->seen, err);
}

/* A run that begins just now has its lock before it has its line in the state. */
static int find_run(struct watching *w, bool *ret_on, struct etl_error *err)
{
	*ret_on = false;
	for (int waited = 0; waited < BEGIN_MS && !host_canceled(); waited += LOOK_MS) {
		bool held = lock_is_held(w->place->lock, &w->holder);
		int rc = look(w, w->place->run, err);

		*ret_on = rc == 0 && held && state_seen_is_on(&w->seen, &w->holder);
		if (rc < 0 || *ret_on || !held || (w->place->run && w->seen.any))
			return rc;
		wait_a_moment();
	}
	return host_canceled() ? ETL_CANCELED : 0;
}

/* The same process holds the lock since the same moment. */
static bool is_on(const struct watching *w)
{
	struct lock_holder now = { 0 };

	return lock_is_held(w->place->lock, &now) &&
	       (!now.pid || (now.pid == w->holder.pid && now.since == w->holder.since));
}

/* ---- Lines ---- */

static int print_head(struct etl_error *err)
{
	struct output out;
	int rc = output_open(&out, err);

	if (rc < 0)
		return rc;
	fprintf(out.file, "%-8s %-12s %-10s %8s %14s %10s %10s\n", "time", "status", "phase", "tables", "rows",
		"rejected", "rows/s");
	return output_close(&out, err);
}

static int print_line(struct watching *w, struct etl_error *err)
{
	const struct state_seen *seen = &w->seen;
	bool batches = seen->batches && strcmp(seen->phase, "publish") == 0;
	uint64_t rows = batches ? seen->batch_rows : seen->rows;
	int64_t now = run_clock();
	double seconds = w->at ? (double)(now - w->at) / SECOND_US : 0;
	double rate = seconds > 0 && rows > w->rows ? (double)(rows - w->rows) / seconds : 0;
	char phase[32];
	time_t t = time(NULL);
	struct output out;
	struct tm tm;
	char clock[16];
	int rc = output_open(&out, err);

	if (rc < 0)
		return rc;
	if (batches)
		snprintf(phase, sizeof(phase), "batch %" PRIu64, seen->batches);
	else
		snprintf(phase, sizeof(phase), "%s", seen->phase);
	gmtime_r(&t, &tm);
	strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	fprintf(out.file, "%s%-8s %-12s %-10s %8" PRIu64 " %14" PRIu64 " %10" PRIu64 " %10.0f%s",
		w->terminal ? "\r" : "", clock, seen->status, phase, seen->tables, rows, seen->rejected,
		rate, w->terminal ? "\033[K" : "\n");
	w->drawn = w->terminal;
	w->rows = rows;
	w->at = now;
	return output_close(&out, err);
}

static int print_end(const struct watching *w, struct etl_error *err)
{
	const struct state_seen *seen = &w->seen;
	bool died = strcmp(seen->status, STATE_RUNNING) == 0, unfinished = state_is_unfinished(seen->status);
	struct output out;
	int rc = output_open(&out, err);

	if (rc < 0)
		return rc;
	fputs(w->drawn ? "\n" : "", out.file);
	if (died)
		fprintf(out.file, "run %s is interrupted: its process is gone\n", seen->id);
	else
		fprintf(out.file, "run %s is %s: exit %d, %" PRIu64 " rows, %" PRIu64 " rejected%s%s\n", seen->id,
			seen->status, seen->exit, seen->rows, seen->rejected, seen->error ? "; " : "",
			seen->error ? seen->error : "");
	if (unfinished && seen->command)
		fprintf(out.file, "resume with: %s\n", seen->command);
	return output_close(&out, err);
}

/* ---- Until it ends ---- */

static int watch_run(struct watching *w, int64_t interval, struct etl_error *err)
{
	int64_t next = run_clock();
	int rc = print_head(err);

	while (rc == 0 && is_on(w)) {
		if (host_canceled()) {
			fputs(w->drawn ? "\n" : "", stdout);
			return ETL_CANCELED;
		}
		if (run_clock() >= next) {
			rc = look(w, w->seen.id, err);
			if (rc == 0)
				rc = print_line(w, err);
			next += interval * SECOND_US;
		}
		wait_a_moment();
	}
	if (rc == 0)
		rc = look(w, w->seen.id, err);
	return rc;
}

int status_watch(const struct state_place *place, int64_t interval, struct etl_error *err)
{
	struct watching w = { .place = place, .terminal = isatty(STDOUT_FILENO) == 1 };
	bool on;
	int rc = find_run(&w, &on, err);

	if (!interval)
		interval = w.terminal ? REDRAW_SECONDS : LINE_SECONDS;
	if (rc == 0 && !w.seen.any)
		rc = place->run ? state_place_no_run(place, err) :
				  error_set(err, ETL_USAGE, "no run of %s to watch (no state in %s)",
					    place->pipeline->name, place->state);
	if (rc == 0 && on)
		rc = watch_run(&w, interval, err);
	if (rc == 0)
		rc = print_end(&w, err);
	state_seen_clear(&w.seen);
	return rc;
}
