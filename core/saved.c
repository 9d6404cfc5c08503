/* See saved.h. */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "changes.h"
#include "diff-pair.h"
#include "diff-print.h"
#include "fingerprint.h"
#include "json-read.h"
#include "log.h"
#include "saved.h"
#include "secret.h"

static const char *const kinds[] = { [DIFF_NEW] = "new", [DIFF_DELETED] = "deleted", [DIFF_CHANGED] = "changed" };

int saved_check(const struct pipeline *pipeline, const char *option, struct etl_error *err)
{
	if (pipeline->mode == ETL_SYNC)
		return 0;
	return error_set(err, ETL_USAGE,
			 "%s belongs to mode = \"sync\", which alone writes single rows; write that mode in %s, or leave "
			 "the option out",
			 option, pipeline->path ? pipeline->path : pipeline->name);
}

/* ---- Writing --------------------------------------------------------------------------------- */

struct writing {
	const char *path;
	FILE *file;
	uint64_t count;
};

static int write_failed(const struct writing *w, struct etl_error *err)
{
	return error_set(err, ETL_MEMORY, "%s cannot be written: %s", w->path, strerror(errno));
}

static int put_line(struct writing *w, struct etl_text *text, struct etl_error *err)
{
	char *line = etl_text_take(text), *shown = line ? secret_redact(line) : NULL;
	int rc = shown ? 0 : error_memory(err);

	if (rc == 0 && fputs(shown, w->file) == EOF)
		rc = write_failed(w, err);
	free(shown);
	free(line);
	return rc;
}

static int put_head(struct writing *w, const struct run *run, struct etl_error *err)
{
	char *prints = fingerprint_file(run);
	struct etl_text text = { 0 };

	if (!prints)
		return error_memory(err);
	etl_text_add(&text, "{\"differences_of\":");
	etl_text_add_json(&text, run->pipeline->name, strlen(run->pipeline->name));
	etl_text_add(&text, ",\"found_by\":");
	etl_text_add_json(&text, run->id, strlen(run->id));
	etl_text_add(&text, ",\"prints\":");
	etl_text_add_json(&text, prints, strlen(prints));
	etl_text_add(&text, "}\n");
	free(prints);
	return put_line(w, &text, err);
}

static int put_one(struct writing *w, const struct diff_pair *pair, int32_t kind, struct canon *canon,
		   struct etl_error *err)
{
	const struct job *job = pair->job;
	bool source = pair->source.release != NULL;
	struct etl_text text = { 0 };
	uint64_t hash, row;

	if (!canon_batch(canon, source ? &pair->source : &pair->target, &hash, &row))
		return error_memory(err);
	etl_text_add(&text, "{\"table\":");
	etl_text_add_json(&text, job_name(job), strlen(job_name(job)));
	etl_text_addf(&text, ",\"kind\":\"%s\",\"key\":", kinds[kind]);
	diff_add_json_row(&text, pair, source ? pair->source_view : pair->target_view, job->key, job->key_count);
	etl_text_addf(&text, ",\"hash\":\"%016" PRIx64 "\"}\n", hash);
	w->count++;
	return put_line(w, &text, err);
}

static int put_table(struct writing *w, struct diff *d, struct etl_error *err)
{
	struct canon *canon = job_canon(d->job, &d->job->rows, ETL_HASH_X1);
	struct diff_pair pair;
	struct diff_found found;
	int rc = diff_pair_init(&pair, d->job) && canon ? diff_spool_rewind(d->found, err) : error_memory(err);

	while (rc == 0 && (rc = diff_spool_next(d->found, &found, err)) > 0)
		rc = diff_pair_set(&pair, &found) ? put_one(w, &pair, found.kind, canon, err) : error_memory(err);
	diff_pair_clear(&pair);
	canon_free(canon);
	return rc;
}

int saved_write(struct run *run, struct diff *tables, size_t count, const char *path, struct etl_error *err)
{
	struct writing w = { .path = path, .file = fopen(path, "we") };
	struct etl_text end = { 0 };
	int rc = w.file ? put_head(&w, run, err) : write_failed(&w, err);

	for (size_t i = 0; i < count && rc == 0; i++)
		rc = put_table(&w, &tables[i], err);
	if (rc == 0) {
		etl_text_addf(&end, "{\"differences\":%" PRIu64 "}\n", w.count);
		rc = put_line(&w, &end, err);
	}
	if (w.file && fclose(w.file) != 0 && rc == 0)
		rc = write_failed(&w, err);
	return rc;
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* Of one job: hashes of keys. */
struct keys {
	uint64_t *at;
	size_t count, room;
};

struct reading {
	const char *path;
	FILE *file;
	char *line;
	size_t room;
	uint64_t number, count; /* of the line; of differences */
	struct run *run;
	struct keys *keys; /* beside the jobs */
	size_t job; /* tables stand one behind the other */
};

static int no_line(const struct reading *r, struct etl_error *err)
{
	return error_set(err, ETL_DATA,
			 "%s:%" PRIu64 ": this is no file of `etlrun diff --save`, or it was changed or cut off; save the "
			 "differences again",
			 r->path, r->number);
}

static int next_line(struct reading *r, struct json *ret, struct etl_error *err)
{
	ssize_t size = getline(&r->line, &r->room, r->file);

	r->number++;
	if (size < 0 && ferror(r->file))
		return error_set(err, ETL_MEMORY, "%s cannot be read: %s", r->path, strerror(errno));
	if (size < 0)
		return no_line(r, err);
	*ret = json_start(r->line, (size_t)size);
	json_expect(ret, '{');
	return 0;
}

#define PRINT_SIZE 17 /* a space and the hash, at the end of a line of prints */

static bool has_line(const char *prints, const char *line, size_t length)
{
	for (const char *at = prints; *at; at += strcspn(at, "\n"), at += *at == '\n')
		if (strncmp(at, line, length) == 0)
			return true;
	return false;
}

/* Every line of THEN must be one of NOW, but those of the command line, and with SOME tables those of the others. *RET: what
 * differs, for the caller to free. */
static bool same_prints(const char *then, const char *now, bool some, char **ret)
{
	for (const char *line = then; *line;) {
		size_t length = strcspn(line, "\n"), what = length > PRINT_SIZE ? length - PRINT_SIZE : length;
		bool left_out = some && strncmp(line, "table ", 6) == 0 && !has_line(now, line, what);

		if (strncmp(line, "--", 2) != 0 && !left_out && !has_line(now, line, length)) {
			*ret = strndup(line, what);
			return false;
		}
		line += length + (line[length] == '\n');
	}
	return true;
}

static int check_owner(const struct reading *r, const char *pipeline, const char *prints, struct etl_error *err)
{
	char *now, *differs = NULL;
	int rc = 0;

	if (strcmp(pipeline, r->run->pipeline->name) != 0)
		return error_set(err, ETL_USAGE, "%s has the differences of pipeline \"%s\", not of \"%s\"", r->path,
				 pipeline, r->run->pipeline->name);
	now = fingerprint_file(r->run);
	if (!now)
		return error_memory(err);
	if (!same_prints(prints, now, r->run->cli->run.tables != NULL, &differs))
		rc = error_set(err, ETL_USAGE,
			       "%s has the differences of another pipeline than this one is now: %s is not the same; put that "
			       "back, or save the differences again",
			       r->path, differs ? differs : "a part of it");
	free(differs);
	free(now);
	return rc;
}

static int read_head(struct reading *r, struct etl_error *err)
{
	struct etl_text pipeline = { 0 }, found_by = { 0 }, prints = { 0 };
	struct json j;
	int rc = next_line(r, &j, err);

	if (rc < 0)
		return rc;
	json_member(&j, "differences_of");
	json_string(&j, &pipeline);
	json_expect(&j, ',');
	json_member(&j, "found_by");
	json_string(&j, &found_by);
	json_expect(&j, ',');
	json_member(&j, "prints");
	json_string(&j, &prints);
	json_expect(&j, '}');
	if (j.failed || pipeline.failed || prints.failed)
		rc = error_memory(err);
	else
		rc = j.bad ? no_line(r, err) : check_owner(r, pipeline.at, prints.at, err);
	etl_text_free(&pipeline);
	etl_text_free(&found_by);
	etl_text_free(&prints);
	return rc;
}

static bool find_job(struct reading *r, const char *table)
{
	const struct jobs *jobs = &r->run->jobs;

	for (size_t i = 0; i < jobs->count; i++, r->job = (r->job + 1) % jobs->count)
		if (strcmp(job_name(jobs->at[r->job]), table) == 0)
			return true;
	return false;
}

static bool add_key(struct keys *k, uint64_t hash)
{
	if (k->count == k->room) {
		size_t room = k->room ? 2 * k->room : 256;
		uint64_t *at = realloc(k->at, room * sizeof(*at));

		if (!at)
			return false;
		k->at = at;
		k->room = room;
	}
	k->at[k->count++] = hash;
	return true;
}

/* Of a table that --tables leaves out nothing is written. */
static int take_difference(struct reading *r, struct json *j, struct etl_error *err)
{
	struct etl_text table = { 0 }, kind = { 0 }, hash = { 0 };
	const char *key;
	uint64_t value = 0;
	int rc = 0;

	json_string(j, &table);
	json_expect(j, ',');
	json_member(j, "kind");
	json_string(j, &kind);
	json_expect(j, ',');
	json_member(j, "key");
	json_value(j, &key);
	json_expect(j, ',');
	json_member(j, "hash");
	json_string(j, &hash);
	json_expect(j, '}');
	if (j->failed || table.failed || hash.failed)
		rc = error_memory(err);
	else if (j->bad || hash.length != 16 || sscanf(hash.at, "%16" SCNx64, &value) != 1)
		rc = no_line(r, err);
	else if (find_job(r, table.at) && !add_key(&r->keys[r->job], value))
		rc = error_memory(err);
	r->count++;
	etl_text_free(&table);
	etl_text_free(&kind);
	etl_text_free(&hash);
	return rc;
}

static int check_end(const struct reading *r, struct json *j, struct etl_error *err)
{
	const char *at;
	size_t length = json_value(j, &at);
	char digits[32] = "";

	json_expect(j, '}');
	if (length > 0 && length < sizeof(digits))
		memcpy(digits, at, length);
	return j->bad || strtoull(digits, NULL, 10) != r->count ? no_line(r, err) : 0;
}

static int read_lines(struct reading *r, struct etl_error *err)
{
	int rc = read_head(r, err);

	while (rc == 0) {
		struct etl_text name = { 0 };
		bool ends, failed;
		struct json j;

		rc = next_line(r, &j, err);
		if (rc < 0)
			return rc;
		json_string(&j, &name);
		json_expect(&j, ':');
		failed = name.failed;
		ends = !failed && strcmp(name.at, "differences") == 0;
		j.bad |= !failed && !ends && strcmp(name.at, "table") != 0;
		etl_text_free(&name);
		if (failed)
			return error_memory(err);
		if (ends)
			return check_end(r, &j, err);
		rc = take_difference(r, &j, err);
	}
	return rc;
}

/* ---- What it is for a run -------------------------------------------------------------------- */

static int narrow_job(struct job *job, struct keys *keys, struct etl_error *err)
{
	if (keys->count && !job->changes) {
		error_at(err, job_name(job), NULL, NULL);
		return error_set(err, ETL_DATA, "the table is not in the target any more; `etlrun run` without --from makes it");
	}
	if (keys->count) {
		changes_only(job, keys->at, keys->count);
		keys->at = NULL;
		return 0;
	}
	/* Nothing of it is read: run_pin. */
	changes_free(job->changes);
	job->changes = NULL;
	return 0;
}

static int narrow(struct reading *r, struct etl_error *err)
{
	size_t tables = 0;
	int rc = 0;

	for (size_t i = 0; i < r->run->jobs.count && rc == 0; i++) {
		tables += r->keys[i].count > 0;
		rc = narrow_job(r->run->jobs.at[i], &r->keys[i], err);
	}
	if (rc == 0)
		log_line(ETL_LOG_INFO, "only what %s says is written: %" PRIu64 " difference%s in %zu table%s", r->path, r->count,
			 r->count == 1 ? "" : "s", tables, tables == 1 ? "" : "s");
	return rc;
}

int saved_take(struct run *run, const char *path, struct etl_error *err)
{
	struct reading r = { .path = path, .run = run };
	int rc = saved_check(run->pipeline, "--from", err);

	if (rc < 0)
		return rc;
	r.file = fopen(path, "re");
	r.keys = calloc(run->jobs.count + 1, sizeof(*r.keys));
	if (!r.file)
		rc = error_set(err, ETL_USAGE, "--from %s: %s", path, strerror(errno));
	else if (!r.keys)
		rc = error_memory(err);
	if (rc == 0)
		rc = read_lines(&r, err);
	if (rc == 0)
		rc = narrow(&r, err);
	for (size_t i = 0; r.keys && i < run->jobs.count; i++)
		free(r.keys[i].at);
	free(r.keys);
	free(r.line);
	if (r.file)
		fclose(r.file);
	return rc;
}
