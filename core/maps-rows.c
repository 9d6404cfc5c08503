/*
 * Asking a map, and which rows of those that were given a key came through to the target. A decision about a reference does
 * not change once it was made: rows may be made again.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <etlrun/helpers.h>

#include "error.h"
#include "log.h"
#include "maps-parts.h"
#include "reject.h"

int maps_need(const struct flow_setup *f, struct job *job, struct etl_error *err)
{
	int rc = 0;

	if (!job->map_count)
		return 0;
	pthread_mutex_lock(&job->maps[0].map->maps->mutex);
	for (size_t i = 0; i < job->map_count && rc == 0; i++)
		if (!job->maps[i].map->set)
			rc = map_read(f, job->maps[i].map, err);
	pthread_mutex_unlock(&job->maps[0].map->maps->mutex);
	return rc;
}

/* ---- Whose rows are there -------------------------------------------------------------------------- */

/* The jobs that were read before, whatever the order of their work. */
static bool comes_before(const struct job *owner, const struct job *job)
{
	return owner->index < job->index;
}

const struct job *maps_parent(const struct job *job, size_t n)
{
	for (size_t k = 0; k < job->map_count; k++)
		for (size_t p = 0; p < job->maps[k].parent_count; p++) {
			const struct map_table *t = &job->maps[k].map->tables[job->maps[k].parents[p].table];

			if (n < t->owner_count)
				return t->owners[n];
			n -= t->owner_count;
		}
	return NULL;
}

bool maps_ready(const struct job *job)
{
	const struct job *parent;

	for (size_t n = 0; (parent = maps_parent(job, n)) != NULL; n++)
		if (comes_before(parent, job) && !parent->failed && parent->splits_over < parent->split_count)
			return false;
	return true;
}

bool maps_is_ahead(const struct job *job)
{
	return job->map_count && job->maps[0].map->maps->ahead;
}

/* Rows of a job before it refer to it, or its own. */
static bool is_open(const struct jobs *jobs, const struct job *owner)
{
	const struct job *parent;

	for (size_t i = 0; i < jobs->count; i++)
		for (size_t n = 0; !comes_before(owner, jobs->at[i]) && (parent = maps_parent(jobs->at[i], n)) != NULL; n++)
			if (parent == owner)
				return true;
	return false;
}

int maps_look_ahead(const struct flow_setup *f, struct etl_error *err)
{
	struct maps *maps = f->jobs->maps;
	int rc = 0;

	if (!maps)
		return 0;
	/* Here, while there is one thread: what is read makes tables of a map known. */
	for (size_t i = 0; i < f->jobs->count && rc == 0; i++)
		if (f->jobs->at[i]->split_count)
			rc = maps_need(f, f->jobs->at[i], err);
	maps->ahead = true;
	for (size_t i = 0; i < f->jobs->count && rc == 0; i++) {
		struct job *job = f->jobs->at[i];

		if (!job->map_count || !is_open(f->jobs, job))
			continue;
		log_line(ETL_LOG_DEBUG, "table \"%s\": its rows refer to each other, so its keys are read first", job_name(job));
		for (size_t s = 0; s < job->split_count && rc == 0; s++)
			rc = flow_each_batch(f, job, &job->splits[s], NULL, NULL, err);
	}
	maps->ahead = false;
	return rc;
}

/* ---- Asking ------------------------------------------------------------------------------------------ */

static bool is_there(const struct map_entry *e)
{
	return (e->flags & MAP_KNOWN && !(e->flags & MAP_GONE)) || e->flags & (MAP_CAME | MAP_AHEAD);
}

static struct job_map *map_of(struct etl_context *c)
{
	size_t stage = c->whole ? (size_t)(c->stage - c->whole->stages) : 0;

	for (size_t i = 0; c->whole && i < c->job->map_count; i++)
		if (c->job->maps[i].stage == stage)
			return &c->job->maps[i];
	return NULL;
}

static int find_table(const struct etl_context *c, const struct job_map *jm, const struct etl_map_ask *ask, uint16_t *ret)
{
	if (!ask->refers && jm->owns) {
		*ret = jm->own;
		return 0;
	}
	for (size_t i = 0; i < jm->parent_count; i++)
		if (strcmp(jm->map->tables[jm->parents[i].table].name, ask->table) == 0) {
			*ret = jm->parents[i].table;
			return 0;
		}
	return error_set(c->err, ETL_BUG, "a transform asked the map \"%s\" about \"%s\", of which it had not spoken", jm->map->name,
			 ask->table);
}

static int add_key(const struct etl_context *c, struct map *m, uint16_t table, const struct etl_map_ask *ask, uint8_t key[MAP_KEY])
{
	int64_t number = m->tables[table].next;

	memset(key, 0, MAP_KEY);
	if (m->type == ETL_INT64)
		memcpy(key, &number, sizeof(number));
	else
		memcpy(key, ask->fresh, MAP_KEY);
	m->tables[table].next++;
	return map_set_add(m->set, table, ask->old, ask->size, key, MAP_SEEN, c->err);
}

/* A key that stands for one that nobody knows yet: of rows that are only looked at. */
static void make_up(const struct etl_map_ask *ask, uint8_t key[MAP_KEY])
{
	memset(key, 0xff, MAP_KEY);
	memcpy(key, ask->old, ask->size < MAP_KEY ? ask->size : MAP_KEY);
}

static int ask_map(const struct etl_context *c, struct map *m, uint16_t table, const struct etl_map_ask *ask, uint8_t key[MAP_KEY])
{
	struct map_entry *e = map_set_find(m->set, table, ask->old, ask->size);
	int rc;

	if (e && !ask->refers) {
		e->flags |= MAP_SEEN;
		map_set_note(m->set, e);
	}
	if (e && (!ask->refers || is_there(e))) {
		memcpy(key, e->key, MAP_KEY);
		return 1;
	}
	if (ask->refers) {
		if (!m->maps->ahead && !(m->maps->looks && m->tables[table].owner_count))
			return 0;
		make_up(ask, key);
		return 1;
	}
	if (m->type == ETL_UUID && !ask->fresh)
		return 0;
	rc = add_key(c, m, table, ask, key);
	return rc < 0 ? rc : 1;
}

int context_map_key(struct etl_context *c, const struct etl_map_ask *ask, struct etl_mapped *ret)
{
	struct job_map *jm = map_of(c);
	uint8_t key[MAP_KEY];
	uint16_t table = 0;
	int rc;

	if (!jm)
		return error_set(c->err, ETL_BUG, "a transform of \"%s\" asked a map of which it had not spoken", job_source_name(c->job));
	rc = find_table(c, jm, ask, &table);
	if (rc < 0)
		return rc;
	map_set_lock(jm->map->set);
	rc = ask_map(c, jm->map, table, ask, key);
	map_set_unlock(jm->map->set);
	if (rc <= 0)
		return rc;
	memcpy(ret->uuid, key, sizeof(ret->uuid));
	memcpy(&ret->number, key, sizeof(ret->number));
	return 1;
}

/* ---- Which rows came ---------------------------------------------------------------------------------- */

struct step {
	struct ArrowArrayStream in;
	struct job *job;
	struct etl_view *view;
	struct etl_error *err;
};

static void note_row(struct map_entry *e, bool ahead, bool came)
{
	if (ahead) {
		e->flags |= MAP_AHEAD;
	} else if (came) {
		e->flags |= MAP_CAME;
		if (e->came < MAP_MANY)
			e->came = (e->came + 1u) & MAP_MANY;
	} else if (e->came > 0 && e->came < MAP_MANY) {
		e->came = (e->came - 1u) & MAP_MANY;
	}
}

/* Of a batch that comes through, or of one row that does not go after all. */
static int note_rows(const struct job_map *jm, const struct etl_column_view *c, int64_t first, int64_t end, bool came,
		     struct etl_error *err)
{
	struct map *m = jm->map;
	int rc = 0;

	map_set_lock(m->set);
	for (int64_t i = first; i < end && rc == 0; i++) {
		uint8_t key[MAP_KEY];
		struct map_entry *e = NULL;

		if (map_key_read(m, c, i, key))
			rc = map_set_find_new(m->set, jm->own, key, &e, err);
		if (e)
			note_row(e, m->maps->ahead, came);
	}
	map_set_unlock(m->set);
	return rc;
}

static int step_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
	struct step *s = stream->private_data;

	return s->in.get_schema(&s->in, out);
}

static int step_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
	struct step *s = stream->private_data;
	int rc = s->in.get_next(&s->in, out);

	if (rc || !out->release)
		return rc;
	if (!etl_view_set(s->view, out)) {
		out->release(out);
		error_memory(s->err);
		return ENOMEM;
	}
	for (size_t i = 0; i < s->job->map_count && !rc; i++)
		if (s->job->maps[i].owns &&
		    note_rows(&s->job->maps[i], &s->view->columns[s->job->maps[i].at], 0, out->length, true, s->err) < 0)
			rc = EIO;
	if (rc)
		out->release(out);
	return rc;
}

static const char *step_error(struct ArrowArrayStream *stream)
{
	struct step *s = stream->private_data;

	return s->in.get_last_error(&s->in);
}

static void step_release(struct ArrowArrayStream *stream)
{
	struct step *s = stream->private_data;

	if (s->in.release)
		s->in.release(&s->in);
	etl_view_free(s->view);
	free(s);
	stream->release = NULL;
}

int maps_wrap(struct job *job, struct etl_context *context, struct ArrowArrayStream *stream, struct etl_error *err)
{
	struct ArrowSchema schema = { .release = NULL };
	struct step *s;

	/* Rows that are made again, to be looked at, came before. */
	if (!job->map_count || (!context->rejects && !maps_is_ahead(job)))
		return 0;
	s = calloc(1, sizeof(*s));
	if (!s)
		return error_memory(err);
	if (stream->get_schema(stream, &schema) == 0) {
		s->view = etl_view_new(&schema);
		schema.release(&schema);
	}
	if (!s->view) {
		free(s);
		return err->set ? ETL_FAILED : error_memory(err);
	}
	s->in = *stream;
	s->job = job;
	s->err = err;
	*stream = (struct ArrowArrayStream){ step_schema, step_next, step_error, step_release, s };
	return 0;
}

int maps_left_out(struct job *job, const struct ArrowSchema *schema, const struct ArrowArray *batch, int64_t row, struct etl_error *err)
{
	struct etl_view *view;
	int rc = 0;

	if (!job->map_count || !batch)
		return 0;
	view = etl_view_new(schema);
	if (!view || !etl_view_set(view, batch))
		rc = error_memory(err);
	for (size_t i = 0; rc == 0 && i < job->map_count; i++) {
		int64_t at = job->maps[i].owns ? etl_schema_find(schema, job->rows.children[job->maps[i].at]->name) : -1;

		if (at >= 0)
			rc = note_rows(&job->maps[i], &view->columns[at], row, row + 1, false, err);
	}
	etl_view_free(view);
	return rc;
}

/* Whose key was not looked for, for they did not come so far. */
void maps_rejected(struct job *job, int64_t step)
{
	size_t first = SIZE_MAX;

	for (size_t i = 0; i < job->map_count; i++)
		if (job->maps[i].owns && job->maps[i].stage < first)
			first = job->maps[i].stage;
	if (first == SIZE_MAX || (step >= 0 && (size_t)step >= first))
		return;
	pthread_mutex_lock(&job->mutex);
	job->keyless++;
	pthread_mutex_unlock(&job->mutex);
}
