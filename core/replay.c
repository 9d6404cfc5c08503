/*
 * The rows of a replay: which lines of the file belong to which split of which job. Of a line only its place in
 * the file is kept in memory.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "reject-file.h"
#include "replay-parts.h"

/* ---- Which rows ---- */

static bool add_row(struct job_replay *j, struct replay_row row)
{
	if (j->count == j->room) {
		size_t room = j->room ? j->room * 2 : 64;
		struct replay_row *rows = realloc(j->rows, room * sizeof(*rows));

		if (!rows)
			return false;
		j->rows = rows;
		j->room = room;
	}
	j->rows[j->count++] = row;
	return true;
}

/* Splits keep their numbers; the one behind them is of rows whose places are not known. */
static bool begin_split(struct job_replay *j, uint64_t split)
{
	size_t wanted = split == UINT64_MAX ? j->split_count + 1 : (size_t)split + 1;
	size_t *starts = realloc(j->starts, (wanted + 1) * sizeof(*starts));

	if (!starts)
		return false;
	j->starts = starts;
	while (j->split_count < wanted)
		starts[j->split_count++] = j->count;
	return true;
}

/* A row that was refused for two reasons is tried once. */
static bool take_line(struct job_replay *j, const struct reject_line *line, off_t at)
{
	uint64_t split = line->placed ? line->split : UINT64_MAX;
	struct replay_row row = { at, line->placed ? line->ordinal : -1 };

	if (j->started && split == j->last && line->placed &&
	    j->rows[j->count - 1].ordinal == row.ordinal)
		return true;
	if ((!j->started || split != j->last) && !begin_split(j, split))
		return false;
	j->started = true;
	j->last = split;
	return add_row(j, row);
}

/* Lines stand in the order of the jobs, so the search goes on where the last one ended. */
static bool find_job(const struct jobs *jobs, const char *table, size_t *at)
{
	for (size_t i = 0; i < jobs->count; i++, *at = (*at + 1) % jobs->count)
		if (strcmp(job_name(jobs->at[*at]), table) == 0)
			return true;
	return false;
}

static int read_lines(struct replay *r, struct jobs *jobs, struct etl_error *err)
{
	struct reject_reader *reader = NULL;
	const struct reject_line *line;
	size_t job = 0;
	off_t at;
	int rc = reject_reader_open(r->path, r->run, &reader, err);

	while (rc == 0 && (rc = reject_reader_next(reader, &line, &at, err)) > 0) {
		rc = 0;
		if (!find_job(jobs, line->table.at, &job))
			rc = error_set(
				err, ETL_USAGE,
				"table \"%s\" of the rejects of run %s is not in the pipeline "
				"any more; put it back, or take its lines out of %s",
				line->table.at, r->run, r->path);
		else if (!take_line(&r->jobs[job], line, at))
			rc = error_memory(err);
		r->rows += rc == 0;
	}
	reject_reader_close(reader);
	if (rc == 0 && r->rows == 0)
		rc = error_set(err, ETL_USAGE, "%s has no line of run %s any more", r->path,
			       r->run);
	return rc;
}

/* The columns of the source's key among those it is asked for; false: it has no such key. */
static bool find_key(struct job_replay *j, const struct job *job)
{
	const struct etl_key *key = &job->source->primary;

	j->key = calloc(key->column_count + 1, sizeof(*j->key));
	for (size_t i = 0; j->key && i < key->column_count; i++) {
		j->key[i] = etl_schema_find(&job->want, key->columns[i]);
		if (j->key[i] < 0)
			return false;
		j->key_count++;
	}
	return j->key && key->column_count > 0;
}

static bool make_key_schema(struct job_replay *j, const struct job *job)
{
	struct etl_column *columns = calloc(j->key_count, sizeof(*columns));
	bool ok = columns != NULL;

	for (size_t i = 0; ok && i < j->key_count; i++) {
		const struct ArrowSchema *child = job->want.children[j->key[i]];
		struct etl_type_info type = etl_type_of(child);

		columns[i] = (struct etl_column){ .name = child->name,
						  .type = type.type,
						  .precision = type.precision,
						  .scale = type.scale };
	}
	ok = ok && etl_schema_make(&j->key_schema, columns, j->key_count, sizeof(*columns));
	free(columns);
	return ok;
}

static bool is_key(const struct job *job, const struct etl_column *column)
{
	const struct etl_key *key = &job->source->primary;
	const char *name = column->origin ? column->origin : column->name;

	for (size_t i = 0; i < key->column_count; i++)
		if (strcasecmp(key->columns[i], name) == 0)
			return true;
	return false;
}

/* A row that was refused behind a transform has the transform's values: nothing is found by them in the source, or
 * something else, and going through the transform again would change them twice. */
static int check_remade(const struct job_replay *j, const struct job *job, struct etl_error *err)
{
	const struct etl_table *last = job->transforms.count ?
					       job->shapes[job->transforms.count - 1] :
					       job->source;

	for (size_t i = 0; j->count && i < last->column_count; i++) {
		const struct etl_column *column = table_column(last, i);

		if (!(column->flags & ETL_REMADE) || (j->by_key && !is_key(job, column)))
			continue;
		error_at(err, job_name(job), column->name, NULL);
		return error_set(err, ETL_USAGE,
				 "a transform makes the values of \"%s\" anew%s, so rows that were "
				 "refused cannot be found in the source; run the pipeline again",
				 column->name,
				 j->by_key ? ", which is of the key" : " and the table has no key");
	}
	return 0;
}

static int plan_job(struct job_replay *j, struct job *job, struct etl_error *err)
{
	job->replay = j;
	job->load.deletes = ETL_DELETE_NONE;
	j->by_key = find_key(j, job);
	if (!j->key || (j->by_key && !make_key_schema(j, job)))
		return error_memory(err);
	if (check_remade(j, job, err) < 0)
		return ETL_FAILED;
	job->splits = calloc(j->split_count + 1, sizeof(*job->splits));
	if (!job->splits)
		return error_memory(err);
	for (size_t i = 0; i < j->split_count; i++)
		job->splits[i].split = (struct etl_split){
			.index = i, .first = INT64_MIN, .last = INT64_MAX, .rows = ETL_UNKNOWN
		};
	job->split_count = j->split_count;
	return 0;
}

int replay_plan(struct replay *r, struct jobs *jobs, struct etl_error *err)
{
	int rc;

	r->jobs = calloc(jobs->count + 1, sizeof(*r->jobs));
	if (!r->jobs)
		return error_memory(err);
	r->count = jobs->count;
	for (size_t i = 0; i < jobs->count; i++)
		r->jobs[i].replay = r;
	rc = read_lines(r, jobs, err);
	for (size_t i = 0; i < jobs->count && rc == 0; i++)
		rc = plan_job(&r->jobs[i], jobs->at[i], err);
	return rc;
}

void replay_free(struct replay *r)
{
	for (size_t i = 0; r && i < r->count; i++) {
		free(r->jobs[i].rows);
		free(r->jobs[i].starts);
		free(r->jobs[i].key);
		if (r->jobs[i].key_schema.release)
			r->jobs[i].key_schema.release(&r->jobs[i].key_schema);
	}
	if (r)
		free(r->jobs);
	free(r);
}

const char *replay_of(const struct replay *r)
{
	return r->run;
}
