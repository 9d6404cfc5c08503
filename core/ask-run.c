/* See ask-run.h. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ask-run.h"
#include "log.h"
#include "run.h"
#include "state-place.h"

#define PAUSE_MS 100
#define BEGIN_MS 5000  /* for a run that has the lock to write itself down */
#define END_MS	 60000 /* for it to end: it is asked to within ten seconds */

struct asking {
	struct state_place place;
	const char *wish, *done; /* "cancel", and the status of a run that did it */
	struct lock_holder holder;
	char run[80]; /* that is asked; "": not found yet */
	/* The last one, or that which is named. */
	bool any, memory;
	char last[80], status[32];
	char *command, *error;
	int exit;
};

static void wait_a_moment(void)
{
	const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000L };

	nanosleep(&pause, NULL);
}

/* ---- Which run ---- */

static char *copy(struct asking *a, const char *text)
{
	char *ret = text ? strdup(text) : NULL;

	a->memory |= text && !ret;
	return ret;
}

static int on_run(const struct state_run *r, void *data)
{
	struct asking *a = data;

	if (a->any || (a->place.run ? strcmp(r->id, a->place.run) : strcmp(r->pipeline, a->place.pipeline->name)) != 0)
		return 0;
	a->any = true;
	snprintf(a->last, sizeof(a->last), "%s", r->id);
	snprintf(a->status, sizeof(a->status), "%s", r->status);
	free(a->command);
	free(a->error);
	a->command = copy(a, r->command);
	a->error = copy(a, r->error);
	a->exit = r->exit;
	/* One that died says that it is running too. */
	if (strcmp(r->status, STATE_RUNNING) == 0 && (r->pid == a->holder.pid || !a->holder.pid))
		snprintf(a->run, sizeof(a->run), "%s", r->id);
	return 0;
}

static int read_runs(struct asking *a, struct etl_error *err)
{
	struct state *state = NULL;
	int rc = state_open(a->place.state, false, &state, err);

	a->any = false;
	if (rc == 0 && state)
		rc = state_runs(state, on_run, a, err);
	state_close(state);
	return rc == 0 && a->memory ? error_memory(err) : rc;
}

static bool is_held(struct asking *a)
{
	return lock_is_held(a->place.lock, &a->holder);
}

static int none_is_on(struct asking *a, struct etl_error *err)
{
	bool died = strcmp(a->status, STATE_RUNNING) == 0;

	if (!a->any && a->place.run)
		return state_place_no_run(&a->place, err);
	if (!a->any)
		return error_set(err, ETL_USAGE, "nothing to %s: there is no run of %s yet", a->wish,
				 a->place.pipeline->name);
	if (died || state_is_unfinished(a->status))
		return error_set(err, ETL_USAGE,
				 "nothing to %s: run %s is not on, it is %s; `etlrun rollback %s` takes away what it staged",
				 a->wish, a->last, died ? STATE_INTERRUPTED : a->status, a->last);
	return error_set(err, ETL_USAGE, "nothing to %s: run %s is not on, it is %s", a->wish, a->last, a->status);
}

/* The lock is taken before the run is written down; others than runs take it too. */
static int find_run(struct asking *a, struct etl_error *err)
{
	for (int waited = 0; waited < BEGIN_MS && !host_canceled(); waited += PAUSE_MS) {
		bool held = is_held(a);
		int rc = read_runs(a, err);

		if (rc < 0)
			return rc;
		if (!held)
			return none_is_on(a, err);
		if (a->run[0])
			return 0;
		if (a->any && a->place.run && strcmp(a->status, STATE_RUNNING) != 0)
			return none_is_on(a, err);
		wait_a_moment();
	}
	if (host_canceled())
		return ETL_CANCELED;
	return error_set(err, ETL_HOST_LOCKED,
			 "process %" PRId64 " holds the lock %s, and is no run that can be asked to %s; wait until it has "
			 "ended",
			 a->holder.pid, a->place.lock, a->wish);
}

/* ---- Asking it ---- */

static int put_request(struct asking *a, bool *ret, struct etl_error *err)
{
	struct state *state = NULL;
	int rc = state_open(a->place.state, true, &state, err);

	if (rc == 0)
		rc = state_request(state, a->run, a->wish, ret, err);
	state_close(state);
	if (rc == 0 && *ret)
		log_line(ETL_LOG_INFO, "run %s, of process %" PRId64 ", is asked to %s", a->run, a->holder.pid, a->wish);
	return rc;
}

static int wait_for_end(struct asking *a, struct etl_error *err)
{
	struct lock_holder first = a->holder;

	for (int waited = 0; waited < END_MS && !host_canceled(); waited += PAUSE_MS) {
		if (!is_held(a) || (a->holder.pid && (a->holder.pid != first.pid || a->holder.since != first.since)))
			return 0;
		wait_a_moment();
	}
	if (host_canceled())
		return ETL_CANCELED;
	return error_set(err, ETL_HOST_LOCKED,
			 "run %s was asked to %s %d seconds ago, and still goes on; end it with kill %" PRId64
			 ", and if that does not help with kill -9",
			 a->run, a->wish, END_MS / 1000, first.pid);
}

static int tell_end(struct asking *a, struct etl_error *err)
{
	a->place.run = a->run;
	if (read_runs(a, err) < 0)
		return ETL_FAILED;
	if (strcmp(a->status, a->done) != 0)
		return error_set(err, ETL_USAGE, "run %s ended before it heard of it: it is %s (exit %d)%s%s", a->run,
				 a->status, a->exit, a->error ? ": " : "", a->error ? a->error : "");
	log_line(ETL_LOG_INFO, "run %s is %s: %s", a->run, a->status, a->error ? a->error : "it has ended");
	if (strcmp(a->status, STATE_PAUSED) == 0 && a->command)
		log_line(ETL_LOG_INFO, "go on with: %s", a->command);
	return 0;
}

int ask_run(const struct cli *cli, const char *wish, struct etl_error *err)
{
	struct asking a = { .wish = wish, .done = strcmp(wish, "pause") == 0 ? STATE_PAUSED : STATE_CANCELED };
	bool asked = false;
	int rc = state_place_open(&a.place, cli, err);

	if (rc == 0)
		rc = find_run(&a, err);
	if (rc == 0)
		rc = put_request(&a, &asked, err);
	if (rc == 0 && asked)
		rc = wait_for_end(&a, err);
	if (rc == 0)
		rc = tell_end(&a, err);
	state_place_close(&a.place);
	free(a.command);
	free(a.error);
	return rc;
}
