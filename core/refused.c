/*
 * Lines of a rejects file begin with {"run":…,"table":…,"split":N,"ordinal":N (reject.c writes
 * them); the rest of a line is for people.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "log.h"
#include "refused.h"

static int compare_rows(const void *a, const void *b)
{
	const struct refused_row *x = a, *y = b;

	if (x->job != y->job)
		return x->job < y->job ? -1 : 1;
	if (x->split != y->split)
		return x->split < y->split ? -1 : 1;
	return x->ordinal < y->ordinal ? -1 : x->ordinal > y->ordinal;
}

bool refused_has(const struct refused *r, size_t job, uint64_t split, int64_t ordinal)
{
	struct refused_row row = { .job = job, .split = split, .ordinal = ordinal };

	return r->count && bsearch(&row, r->at, r->count, sizeof(row), compare_rows);
}

bool refused_any(const struct refused *r, size_t job)
{
	for (size_t i = 0; i < r->count; i++)
		if (r->at[i].job == job)
			return true;
	return false;
}

static int compare_keys(const void *a, const void *b)
{
	const struct refused_row *x = a, *y = b;

	if (x->job != y->job)
		return x->job < y->job ? -1 : 1;
	return x->key < y->key ? -1 : x->key > y->key;
}

bool refused_has_key(const struct refused *r, size_t job, uint64_t key)
{
	struct refused_row row = { .job = job, .key = key };

	return r->count && bsearch(&row, r->by_key, r->count, sizeof(row), compare_keys);
}

uint64_t refused_key_of(const char *text, size_t length)
{
	uint64_t hash = XXH3_64bits(text, length);

	return hash ? hash : 1;
}

void refused_clear(struct refused *r)
{
	free(r->at);
	free(r->by_key);
	*r = (struct refused){ 0 };
}

/* ---- The run ---- */

struct last_run {
	bool found, table_scope;
	char id[80];
	uint64_t rejected;
};

/* Runs come the latest first; one that published is wanted. */
static int on_run(const struct state_run *run, void *data)
{
	struct last_run *last = data;
	bool published = strcmp(run->status, STATE_DONE) == 0 ||
			 (last->table_scope && run->ended && run->exit == 5);

	if (last->found || !published)
		return 0;
	last->found = true;
	last->rejected = run->rejected;
	snprintf(last->id, sizeof(last->id), "%s", run->id);
	return 0;
}

static int find_run(const struct run *run, struct last_run *last, struct etl_error *err)
{
	struct state *state = NULL;
	int rc = state_open(run->state_path, false, &state, err);

	if (rc == 0 && state)
		rc = state_runs(state, on_run, last, err);
	state_close(state);
	return rc;
}

/* ---- The file ---- */

/* Skips PREFIX and the JSON text behind it; *ret_text is that text with its quotes. NULL: not
 * so. */
static const char *skip_text(const char *at, const char *prefix, const char **ret_text,
			     size_t *ret_length)
{
	size_t length = strlen(prefix);

	if (strncmp(at, prefix, length) != 0 || at[length] != '"')
		return NULL;
	*ret_text = at += length;
	for (at++; *at && *at != '"'; at++)
		at += *at == '\\' && at[1];
	*ret_length = (size_t)(at - *ret_text) + 1;
	return *at ? at + 1 : NULL;
}

static bool is_called(const struct job *job, const char *text, size_t length)
{
	struct etl_text name = { 0 };
	bool same;

	etl_text_add_json(&name, job_name(job), strlen(job_name(job)));
	same = !name.failed && name.length == length && memcmp(name.at, text, length) == 0;
	etl_text_free(&name);
	return same;
}

/* Lines are in the order of the jobs, so the search goes on where the last one ended. */
static bool find_job(const struct jobs *jobs, const char *text, size_t length, size_t *at)
{
	for (size_t i = 0; i < jobs->count; i++, *at = (*at + 1) % jobs->count)
		if (is_called(jobs->at[*at], text, length))
			return true;
	return false;
}

static bool add_row(struct refused *r, struct refused_row row)
{
	if (r->count == r->room) {
		size_t room = r->room ? r->room * 2 : 64;
		struct refused_row *at = realloc(r->at, room * sizeof(*at));

		if (!at)
			return false;
		r->at = at;
		r->room = room;
	}
	r->at[r->count++] = row;
	return true;
}

static bool read_line(const struct jobs *jobs, const char *id, const char *line, size_t *job,
		      struct refused *ret)
{
	const char *text = NULL, *at;
	size_t length = 0;
	unsigned long long split;
	long long ordinal;
	uint64_t key = 0;
	int behind = 0;

	at = skip_text(line, "{\"run\":", &text, &length);
	if (!at || length != strlen(id) + 2 || strncmp(text + 1, id, strlen(id)) != 0)
		return true;
	at = skip_text(at, ",\"table\":", &text, &length);
	if (!at || sscanf(at, ",\"split\":%llu,\"ordinal\":%lld%n", &split, &ordinal, &behind) != 2 ||
	    !find_job(jobs, text, length, job))
		return true;
	if (skip_text(at + behind, ",\"key\":", &text, &length))
		key = refused_key_of(text + 1, length - 2);
	return add_row(ret, (struct refused_row){ *job, split, ordinal, key });
}

static bool sort(struct refused *r)
{
	if (r->count == 0)
		return true;
	r->by_key = malloc(r->count * sizeof(*r->by_key));
	if (!r->by_key)
		return false;
	memcpy(r->by_key, r->at, r->count * sizeof(*r->at));
	qsort(r->at, r->count, sizeof(*r->at), compare_rows);
	qsort(r->by_key, r->count, sizeof(*r->by_key), compare_keys);
	return true;
}

static int read_file(const struct run *run, const char *path, const char *id, struct refused *ret,
		     struct etl_error *err)
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t size = 0, job = 0;
	bool ok = true;

	if (!file) {
		log_line(ETL_LOG_WARN,
			 "rows that run %s refused count as missing, for its rejects file %s "
			 "cannot be read: %s",
			 id, path, strerror(errno));
		return 0;
	}
	while (ok && getline(&line, &size, file) > 0)
		ok = read_line(&run->jobs, id, line, &job, ret);
	free(line);
	fclose(file);
	return ok && sort(ret) ? 0 : error_memory(err);
}

int refused_read(const struct run *run, struct refused *ret, struct etl_error *err)
{
	struct last_run last = { .table_scope = run->pipeline->table_scope };
	char path[sizeof(run->rejects_path)];
	int rc = find_run(run, &last, err);

	if (rc < 0 || !last.found || !last.rejected || !run->jobs.count)
		return rc;
	run_rejects_file(run->pipeline, run->state_path, last.id, path, sizeof(path));
	return read_file(run, path, last.id, ret, err);
}
