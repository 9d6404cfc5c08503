/*
 * What is new in a map is staged when every other row was looked through, so that it is published with the rows it is about
 * or not at all: the keys of rows that came, and the marks of those whose rows are gone.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <etlrun/helpers.h>

#include "cursor.h"
#include "log.h"
#include "maps-parts.h"
#include "reject-parts.h"
#include "reshape.h"
#include "retry.h"
#include "run-parts.h"

struct giving {
	struct run *run;
	struct map *map;
	bool *goes; /* of each table of the map: who does not come is gone */
	bool marks; /* rows that are there may change */
	size_t next;
	uint64_t added, gone;
	struct etl_builder *builder;
	struct etl_error *err;
};

/* ---- What is gone ------------------------------------------------------------------------------------ */

/* Every row of it was read and had a key, and those that are missing go from the target. */
static bool saw_all(const struct run *run, const struct job *job)
{
	return pipeline_merges(run->pipeline) && job->rule->deletes != ETL_DELETE_NONE && !run->cli->run.limit &&
	       !run->cli->run.from && !run->cli->replay && !(job->cursor && job->cursor->reads) && !job->keyless &&
	       !job->failed && !bound_waiting(run->flow.bound, job);
}

static bool all_went(const struct run *run, const struct map_table *t)
{
	for (size_t i = 0; i < t->owner_count; i++)
		if (!saw_all(run, t->owners[i]))
			return false;
	return t->owner_count > 0;
}

/* A table that fails alone is not published. */
static bool is_published(const struct map_table *t)
{
	for (size_t i = 0; i < t->owner_count; i++)
		if (t->owners[i]->failed)
			return false;
	return true;
}

/* ---- Rows -------------------------------------------------------------------------------------------- */

static const char *status_of(const struct giving *g, const struct map_entry *e)
{
	bool active = e->flags & MAP_KNOWN && !(e->flags & MAP_GONE);

	if (e->came)
		return active || !is_published(&g->map->tables[e->table]) || (!g->marks && e->flags & MAP_KNOWN) ? NULL : "active";
	return active && g->marks && g->goes[e->table] && !(e->flags & MAP_SEEN) && map_has(g->map, ETL_MAP_STATUS) ? "gone" : NULL;
}

/* A key that is one integer as it is written. */
static bool is_integer(const char *text, size_t size, int64_t *ret)
{
	char digits[24], again[24], *end;

	if (size < 1 || size >= sizeof(digits))
		return false;
	memcpy(digits, text, size);
	digits[size] = '\0';
	errno = 0;
	*ret = strtoll(digits, &end, 10);
	snprintf(again, sizeof(again), "%" PRId64, *ret);
	return !errno && !*end && strcmp(digits, again) == 0;
}

static bool put_text(struct etl_column_builder *c, const char *text, size_t size)
{
	return etl_put_bytes(c, text, (int64_t)size);
}

static bool put_row(struct giving *g, const struct map_entry *e, const char *status)
{
	struct map *m = g->map;
	size_t size;
	const char *old = map_set_text(m->set, e, &size);
	int64_t number;
	bool ok = true;

	for (int i = 0, n = 0; ok && i < ETL_MAP_COLUMNS; i++) {
		struct etl_column_builder *c;

		if (!map_has(m, i))
			continue;
		c = &g->builder->columns[n++];
		memcpy(&number, e->key, sizeof(number));
		if (i == ETL_MAP_TABLE)
			ok = put_text(c, m->tables[e->table].name, strlen(m->tables[e->table].name));
		else if (i == ETL_MAP_OLD)
			ok = put_text(c, old, size);
		else if (i == ETL_MAP_OLD_ID && is_integer(old, size, &number))
			etl_put_int64(c, number);
		else if (i == ETL_MAP_OLD_ID)
			etl_put_null(c);
		else if (i == ETL_MAP_NEW && m->type == ETL_INT64)
			etl_put_int64(c, number);
		else if (i == ETL_MAP_NEW)
			etl_put_fixed(c, e->key);
		else if (i == ETL_MAP_RUN)
			ok = put_text(c, g->run->id, strlen(g->run->id));
		else if (i == ETL_MAP_TIME)
			etl_put_int64(c, g->run->info.started);
		else
			ok = put_text(c, status, strlen(status));
	}
	return ok;
}

static int giving_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
	struct giving *g = stream->private_data;
	struct map_set *set = g->map->set;
	bool ok = true;

	out->release = NULL;
	if (host_canceled())
		return ECANCELED;
	map_set_lock(set);
	for (; ok && g->next < map_set_count(set) && etl_builder_rows(g->builder) < g->run->limits.batch_rows; g->next++) {
		const struct map_entry *e = map_set_at(set, g->next);
		const char *status = status_of(g, e);

		if (!status)
			continue;
		ok = put_row(g, e, status);
		g->added += e->came > 0;
		g->gone += e->came == 0;
	}
	map_set_unlock(set);
	if (ok && etl_builder_rows(g->builder) == 0)
		return 0;
	if (ok && etl_builder_finish(g->builder, out))
		return 0;
	error_memory(g->err);
	return ENOMEM;
}

static int giving_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
	const struct giving *g = stream->private_data;

	return etl_schema_copy(out, &g->map->job->want) ? 0 : ENOMEM;
}

static const char *giving_error(struct ArrowArrayStream *stream)
{
	const struct giving *g = stream->private_data;

	return g->err->message;
}

/* What it is made of is the caller's. */
static void giving_release(struct ArrowArrayStream *stream)
{
	stream->release = NULL;
}

/* ---- Staging ------------------------------------------------------------------------------------------- */

static int load_once(struct giving *g, struct etl_stats *stats, struct etl_error *err)
{
	struct job *job = g->map->job;
	struct instance *target = g->run->target;
	struct etl_context context = { .job = job, .split = SPLIT_UNKNOWN, .side = SIDE_SOURCE, .rejects = g->run->rejects, .err = err };
	struct etl_part part = { .context = &context };
	struct ArrowArrayStream in = { giving_schema, giving_next, giving_error, giving_release, g }, rows = in;
	int rc = 0;

	g->next = 0;
	g->added = g->gone = 0;
	g->err = err;
	etl_builder_truncate(g->builder, 0);
	if (!reshape_is_identity(&job->want, job->cast, job->cast_count))
		rc = reshape_wrap(&in, job->cast, job->cast_count, &context, &rows, err);
	if (rc == 0)
		rc = target->plugin->target.load(target->self, &job->load, &job->token, &part, &rows, stats,
						 instance_error(target, err));
	if (rows.release)
		rows.release(&rows);
	if (rc == 0 && context.rejected)
		rc = error_set(err, ETL_DATA,
			       "the map \"%s\" does not take %" PRIu64 " of its rows, so nothing is published; the rejects file has each with its reason",
			       g->map->name, context.rejected);
	context_clear(&context);
	return rc;
}

static int load_map(struct giving *g, struct etl_error *err)
{
	struct job *job = g->map->job;
	struct retry retry = retry_of(g->run->target, "staging a map of keys");
	struct etl_stats stats = { 0 };
	int rc;

	do
		rc = load_once(g, &stats, err);
	while (rc < 0 && retry_again(&retry, err));
	if (rc < 0)
		return rc;
	job->read = job->passed = g->added + g->gone;
	job->staged = stats.rows;
	job->bytes = stats.bytes;
	if (job->progress) {
		atomic_store(&job->progress->rows, job->passed);
		atomic_store(&job->progress->state, 2);
	}
	if (job->staged != job->passed)
		return error_set(err, ETL_BUG, "%" PRIu64 " rows of the map \"%s\" were given, and %" PRIu64 " staged", job->passed,
				 g->map->name, job->staged);
	log_line(ETL_LOG_DEBUG, "map \"%s\": %" PRIu64 " keys are new or in use again, the rows of %" PRIu64 " are gone", g->map->name,
		 g->added, g->gone);
	return 0;
}

static int load_one(struct run *run, struct map *m, struct etl_error *err)
{
	struct giving g = { .run = run, .map = m, .marks = run->pipeline->mode != ETL_APPEND && run->pipeline->mode != ETL_COPY };
	int rc = 0;

	/* No row asked for it. */
	if (!m->set)
		return 0;
	g.goes = calloc(m->table_count + 1, sizeof(*g.goes));
	g.builder = etl_builder_new(&m->job->want, run->limits.batch_rows);
	if (!g.goes || !g.builder)
		rc = error_memory(err);
	for (size_t i = 0; rc == 0 && i < m->table_count; i++)
		g.goes[i] = all_went(run, &m->tables[i]);
	if (rc == 0)
		rc = load_map(&g, err);
	free(g.goes);
	etl_builder_free(g.builder);
	return rc;
}

int maps_load(struct run *run, struct etl_error *err)
{
	int rc = 0;

	for (struct map *m = run->jobs.maps ? run->jobs.maps->first : NULL; m && rc == 0; m = m->next)
		if (m->job)
			rc = load_one(run, m, err);
	return rc;
}
