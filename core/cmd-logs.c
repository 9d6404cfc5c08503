/*
 * logs: what runs said, from the log file of the pipeline: of one run, of a level, of a table, the last lines of it or as
 * it grows.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "log-line.h"
#include "secret.h"
#include "state-place.h"

#define LOOK_MS	   250
#define LINES_TOLD 50 /* unless --tail says otherwise */

/* The last lines, as they will be printed; `most` 0: all, and none is kept. */
struct tail {
	char **at;
	size_t most, count, next;
};

struct logs {
	const struct cli *cli;
	struct state_place place;
	const char *path;
	int32_t level;
	FILE *file;
	long whole; /* so far the file ends in whole lines */
	struct log_seen seen;
	struct tail tail;
	bool tails;	  /* lines are kept, for they may not be among the last */
	bool of_run, any; /* a line of the run was there; a line was there */
};

/* ---- Lines out ---- */

static int print(const char *text, struct etl_error *err)
{
	char *shown = secret_redact(text);
	int rc = 0;

	if (!shown)
		return error_memory(err);
	if (fputs(shown, stdout) == EOF)
		rc = error_set(err, ETL_MEMORY, "standard output cannot be written: %s", strerror(errno));
	free(shown);
	return rc;
}

static int flush(struct etl_error *err)
{
	return fflush(stdout) == 0 ?
		       0 :
		       error_set(err, ETL_MEMORY, "standard output cannot be written: %s", strerror(errno));
}

static int keep(struct tail *t, char *line, struct etl_error *err)
{
	if (!t->at)
		t->at = calloc(t->most, sizeof(*t->at));
	if (!t->at) {
		free(line);
		return error_memory(err);
	}
	free(t->at[t->next]);
	t->at[t->next] = line;
	t->next = (t->next + 1) % t->most;
	t->count += t->count < t->most;
	return 0;
}

/* What was kept, the oldest first; what follows is printed as it comes. */
static int print_tail(struct logs *l, struct etl_error *err)
{
	struct tail *t = &l->tail;
	int rc = 0;

	for (size_t i = 0; i < t->count && rc == 0; i++)
		rc = print(t->at[(t->next + t->most - t->count + i) % t->most], err);
	l->tails = false;
	return rc < 0 ? rc : flush(err);
}

/* ---- Lines in ---- */

static bool is_wanted(const struct logs *l)
{
	const struct log_seen *seen = &l->seen;

	return (!l->place.run || strcmp(seen->run.at ? seen->run.at : "", l->place.run) == 0) &&
	       seen->level <= l->level && (!l->cli->table || log_line_names(seen, l->cli->table));
}

static int take_line(struct logs *l, const char *line, size_t size, struct etl_error *err)
{
	struct etl_text text = { 0 };
	char *shown;
	int rc;

	if (!log_line_read(&l->seen, line, size))
		return error_memory(err);
	l->any = true;
	l->of_run |= l->place.run && strcmp(l->seen.run.at ? l->seen.run.at : "", l->place.run) == 0;
	if (!is_wanted(l))
		return 0;
	log_line_add(&l->seen, l->cli->as_json, &text);
	shown = etl_text_take(&text);
	if (!shown)
		return error_memory(err);
	if (l->tails)
		return keep(&l->tail, shown, err);
	rc = print(shown, err);
	free(shown);
	return rc;
}

/* To the end, as it is now. A line that has no end yet is read again later, unless nobody waits. */
static int take_all(struct logs *l, struct etl_error *err)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t size;
	int rc = 0;

	while (rc == 0 && !host_canceled() && (size = getline(&line, &room, l->file)) > 0) {
		if (line[size - 1] != '\n' && l->cli->follow)
			break;
		l->whole += size;
		rc = take_line(l, line, (size_t)size, err);
	}
	if (rc == 0 && ferror(l->file))
		rc = error_set(err, ETL_MEMORY, "log file %s: cannot be read: %s", l->path, strerror(errno));
	free(line);
	if (rc == 0 && fseek(l->file, l->whole, SEEK_SET) < 0)
		rc = error_set(err, ETL_MEMORY, "log file %s: cannot be read: %s", l->path, strerror(errno));
	return rc < 0 ? rc : host_canceled() ? ETL_CANCELED : 0;
}

/* ---- The file ---- */

static int open_file(struct logs *l, struct etl_error *err)
{
	l->file = fopen(l->path, "re");
	l->whole = 0;
	if (l->file || (errno == ENOENT && l->cli->follow))
		return 0;
	if (errno == ENOENT)
		return error_set(err, ETL_USAGE, "there is no log file %s yet: no run has written to it", l->path);
	return error_set(err, ETL_MEMORY, "log file %s: cannot be opened: %s", l->path, strerror(errno));
}

static void close_file(struct logs *l)
{
	if (l->file)
		fclose(l->file);
	l->file = NULL;
}

/* Whether it was moved away, or made empty, as programs that turn logs over do. */
static bool is_another(const struct logs *l)
{
	struct stat ours, there;

	return fstat(fileno(l->file), &ours) == 0 && stat(l->path, &there) == 0 &&
	       (ours.st_ino != there.st_ino || ours.st_dev != there.st_dev || ours.st_size < l->whole);
}

static int take_new(struct logs *l, struct etl_error *err)
{
	int rc = l->file ? take_all(l, err) : 0;

	if (rc == 0 && l->file && is_another(l))
		close_file(l);
	if (rc == 0 && !l->file) {
		rc = open_file(l, err);
		if (rc == 0 && l->file)
			rc = take_all(l, err);
	}
	return rc < 0 ? rc : flush(err);
}

/* ---- As it grows ---- */

static int has_ended(struct logs *l, bool *ret, struct etl_error *err)
{
	struct lock_holder holder = { 0 };
	struct state_seen seen = { 0 };
	bool held = lock_is_held(l->place.lock, &holder);
	int rc = held ? state_place_look(&l->place, l->place.run, &seen, err) : 0;

	/* The state says so before the last line is written: only when another process has the lock is that enough. */
	*ret = !held || (seen.any && holder.pid && seen.pid != holder.pid);
	state_seen_clear(&seen);
	return rc;
}

/* Of a run that is named until it has ended; what it said last was written before it gave the lock back. */
static int follow(struct logs *l, struct etl_error *err)
{
	const struct timespec pause = { .tv_nsec = LOOK_MS * 1000000L };
	bool ended = false;
	int rc = 0;

	while (rc == 0 && !ended) {
		if (l->place.run)
			rc = has_ended(l, &ended, err);
		if (rc == 0)
			rc = take_new(l, err);
		if (host_canceled())
			return ETL_CANCELED;
		if (!ended)
			nanosleep(&pause, NULL);
	}
	return rc;
}

/* ---- The verb ---- */

static int check_file(struct logs *l, struct etl_error *err)
{
	const struct pipeline *pipeline = l->place.pipeline;

	l->path = pipeline->log_file;
	if (!l->path)
		return error_set(err, ETL_USAGE,
				 "%s writes no log file; with log = { file = \"…\"; } in the pipeline the next run does, "
				 "and `etlrun status -v` shows what the state keeps of those that were",
				 pipeline->name);
	return open_file(l, err);
}

static int tell(struct logs *l, struct etl_error *err)
{
	int rc = check_file(l, err);

	if (rc == 0 && l->file)
		rc = take_all(l, err);
	if (rc == 0)
		rc = print_tail(l, err);
	if (rc == 0 && l->cli->follow)
		return follow(l, err);
	if (rc == 0 && l->place.run && !l->of_run)
		return error_set(err, ETL_USAGE, "%s has no line of run %s; `etlrun status` lists the runs", l->path,
				 l->place.run);
	return rc;
}

static int logs(const struct cli *cli, struct etl_error *err)
{
	struct logs l = { .cli = cli, .level = cli->logs_level >= 0 ? cli->logs_level : cli->level };
	int rc;

	l.tail.most = cli->tail_all ? 0 : cli->tail ? (size_t)cli->tail : LINES_TOLD;
	l.tails = l.tail.most > 0;
	rc = state_place_read(&l.place, cli, err);
	/* Only who waits for the end of a run has to know where its state is. */
	if (rc == 0 && cli->follow && l.place.run)
		rc = state_place_reach(&l.place, err);
	if (rc == 0)
		rc = tell(&l, err);
	close_file(&l);
	log_line_clear(&l.seen);
	for (size_t i = 0; l.tail.at && i < l.tail.most; i++)
		free(l.tail.at[i]);
	free(l.tail.at);
	state_place_close(&l.place);
	return rc;
}

const struct verb verb_logs = {
	.name = "logs",
	.words = "[RUN] PIPELINE.cfg",
	.summary = "what runs said, from the log file",
	.takes = CLI_FILE | CLI_LOGS,
	.min_words = 1,
	.max_words = 2,
	.run = logs,
};
