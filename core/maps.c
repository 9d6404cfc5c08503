/*
 * What the transforms of a run say of maps, and the tables that come of it. A map that is in the target is looked at before
 * anything moves: that it has the columns, and that neither an old nor a new key can be in it twice.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "graph.h"
#include "log.h"
#include "maps-parts.h"
#include "shape.h"
#include "whereabouts.h"

#define NEEDED (1u << ETL_MAP_TABLE | 1u << ETL_MAP_OLD | 1u << ETL_MAP_NEW)

/* ---- What the transforms say -------------------------------------------------------------------- */

static struct maps *maps_of(struct jobs *jobs)
{
	if (!jobs->maps && (jobs->maps = calloc(1, sizeof(*jobs->maps))))
		pthread_mutex_init(&jobs->maps->mutex, NULL);
	return jobs->maps;
}

static struct map *map_new(struct maps_asking *a, const struct etl_map *said)
{
	struct map *m = calloc(1, sizeof(*m)), **end = &a->jobs->maps->first;
	bool ok = m && (m->name = strdup(said->name));

	for (int i = 0; ok && i < ETL_MAP_COLUMNS; i++)
		ok = (m->columns[i] = strdup(said->columns[i]));
	if (!ok) {
		for (int i = 0; m && i < ETL_MAP_COLUMNS; i++)
			free(m->columns[i]);
		free(m ? m->name : NULL);
		free(m);
		return NULL;
	}
	m->maps = a->jobs->maps;
	m->named = said->named;
	m->type = said->type;
	m->first = said->first;
	m->use = a->use;
	m->user = a->job;
	while (*end)
		end = &(*end)->next;
	*end = m;
	return m;
}

static bool is_same(const struct map *m, const struct etl_map *said)
{
	bool same = m->type == said->type && m->first == said->first && m->named == said->named;

	for (int i = 0; same && i < ETL_MAP_COLUMNS; i++)
		same = strcmp(m->columns[i], said->columns[i]) == 0;
	return same;
}

/* "public.map" and "map", where the schema is not known yet. */
static bool is_called(const struct map *m, const char *name)
{
	const char *dots[] = { strchr(m->name, '.'), strchr(name, '.') };

	if (strcasecmp(m->name, name) == 0)
		return true;
	return !dots[0] != !dots[1] && strcasecmp(dots[0] ? dots[0] + 1 : m->name, dots[1] ? dots[1] + 1 : name) == 0;
}

static int find_map(struct maps_asking *a, const struct etl_map *said, struct map **ret)
{
	struct map *m = a->jobs->maps ? a->jobs->maps->first : NULL;

	while (m && !is_called(m, said->name))
		m = m->next;
	if (m && !is_same(m, said))
		return error_set(a->err, ETL_USAGE,
				 "%s: the map \"%s\" has other new keys or columns here than at %s; one map is one table, so both have to "
				 "say the same of it",
				 a->use->origin.text, said->name, m->use->origin.text);
	if (!m && maps_of(a->jobs))
		m = map_new(a, said);
	*ret = m;
	return m ? 0 : error_memory(a->err);
}

bool map_table_find(struct map *m, const char *name, size_t size, uint16_t *ret)
{
	struct map_table *more;

	for (size_t i = 0; i < m->table_count; i++)
		if (strlen(m->tables[i].name) == size && memcmp(m->tables[i].name, name, size) == 0) {
			*ret = (uint16_t)i;
			return true;
		}
	if (m->table_count > MAP_TABLES || !(more = realloc(m->tables, (m->table_count + 1) * sizeof(*more))))
		return false;
	m->tables = more;
	more[m->table_count] = (struct map_table){ .name = strndup(name, size), .next = m->first };
	if (!more[m->table_count].name)
		return false;
	*ret = (uint16_t)m->table_count++;
	return true;
}

static bool add_owner(struct map *m, const struct job_map *jm, struct job *job)
{
	struct map_table *t = &m->tables[jm->own];
	struct job **more = realloc(t->owners, (t->owner_count + 1) * sizeof(struct job *));

	if (!more)
		return false;
	t->owners = more;
	more[t->owner_count++] = job;
	return true;
}

static int on_map(struct etl_map_sink *self, const struct etl_map *said)
{
	struct maps_asking *a = (struct maps_asking *)(void *)self;
	struct job *job = a->job;
	struct job_map *more = realloc(job->maps, (job->map_count + 1) * sizeof(*more)), *jm;
	bool ok = more != NULL;
	int rc;

	if (more)
		job->maps = more;
	else
		return error_memory(a->err);
	jm = &more[job->map_count];
	*jm = (struct job_map){ .stage = a->stage, .owns = said->own != NULL, .at = -1 };
	rc = find_map(a, said, &jm->map);
	if (rc < 0)
		return rc;
	jm->parents = calloc(said->parent_count + 1, sizeof(*jm->parents));
	job->map_count++;
	ok = jm->parents != NULL;
	if (ok && jm->owns) {
		jm->own_column = etl_arena_copy(&a->jobs->arena, said->own_column);
		ok = jm->own_column && map_table_find(jm->map, said->own, strlen(said->own), &jm->own) && add_owner(jm->map, jm, job);
	}
	for (size_t i = 0; ok && i < said->parent_count; i++) {
		const struct etl_map_parent *parent = ETL_AT(const struct etl_map_parent, said->parents, said->parent_size, i);
		struct job_map_parent *to = &jm->parents[jm->parent_count++];

		to->column = etl_arena_copy(&a->jobs->arena, parent->column);
		ok = to->column && map_table_find(jm->map, parent->table, strlen(parent->table), &to->table);
	}
	return ok ? 0 : error_memory(a->err);
}

void maps_ask(struct maps_asking *a, struct jobs *jobs, struct job *job, const struct plugin_use *use, size_t stage,
	      struct etl_error *err)
{
	*a = (struct maps_asking){ .sink = { on_map }, .jobs = jobs, .job = job, .use = use, .stage = stage, .err = err };
}

void maps_free(struct maps *maps)
{
	while (maps && maps->first) {
		struct map *m = maps->first;

		maps->first = m->next;
		for (int i = 0; i < ETL_MAP_COLUMNS; i++)
			free(m->columns[i]);
		for (size_t i = 0; i < m->table_count; i++) {
			free(m->tables[i].name);
			free((void *)m->tables[i].owners);
		}
		free(m->tables);
		free(m->name);
		map_set_free(m->set);
		free(m);
	}
	if (maps)
		pthread_mutex_destroy(&maps->mutex);
	free(maps);
}

void job_maps_free(struct job *job)
{
	for (size_t i = 0; i < job->map_count; i++)
		free(job->maps[i].parents);
	free(job->maps);
}

/* ---- The map that is there ---------------------------------------------------------------------- */

static int fail(const struct map *m, struct etl_error *err, const char *why)
{
	error_at(err, m->name, NULL, NULL);
	return error_set(err, ETL_USAGE, "%s: %s", m->use->origin.text, why);
}

static int no_column(const struct map *m, int column, struct etl_error *err)
{
	static const char *const words[ETL_MAP_COLUMNS] = { "table_name", "old_key", "old_id", "new_key", "run", "mapped_at", "status" };
	struct etl_text why = { 0 };
	int rc;

	etl_text_addf(&why, "the map \"%s\" is in the target and has no column \"%s\"; say what it is called there with map_columns = ( ( \"%s\", \"…\" ) ), or give the map another name; its columns are",
		      m->name, m->columns[column], words[column]);
	for (size_t i = 0; i < m->existing->column_count; i++)
		etl_text_addf(&why, "%s %s", i ? "," : "", table_column(m->existing, i)->name);
	rc = why.failed ? error_memory(err) : fail(m, err, why.at);
	etl_text_free(&why);
	return rc;
}

static bool is_pair(const struct map *m, const char *const *names, size_t count, int with)
{
	bool table = false, other = false;

	for (size_t i = 0; i < count; i++) {
		table |= names[i] && strcasecmp(names[i], m->columns[ETL_MAP_TABLE]) == 0;
		other |= names[i] && strcasecmp(names[i], m->columns[with]) == 0;
	}
	return count == 2 && table && other;
}

static bool is_unique_index(const struct map *m, const struct etl_index *index, int with)
{
	const char *names[2];

	if (!(index->flags & ETL_INDEX_UNIQUE) || index->where_sql || index->part_count != 2)
		return false;
	for (size_t i = 0; i < 2; i++)
		names[i] = ETL_AT(const struct etl_index_part, index->parts, index->part_size, i)->column;
	return is_pair(m, names, 2, with);
}

static bool is_unique(const struct map *m, int with)
{
	const struct etl_table *t = m->existing;
	bool found = is_pair(m, t->primary.columns, t->primary.column_count, with);

	for (size_t i = 0; !found && i < t->unique_count; i++) {
		const struct etl_key *key = ETL_AT(const struct etl_key, t->uniques, t->unique_size, i);

		found = is_pair(m, key->columns, key->column_count, with);
	}
	for (size_t i = 0; !found && i < t->index_count; i++)
		found = is_unique_index(m, ETL_AT(const struct etl_index, t->indexes, t->index_size, i), with);
	return found;
}

static int check_unique(const struct map *m, int with, struct etl_error *err)
{
	struct etl_text why = { 0 };
	int rc;

	if (is_unique(m, with))
		return 0;
	etl_text_addf(&why, "in the map \"%s\" one %s key of a table may stand twice: nothing makes \"%s\" and \"%s\" unique; write ALTER TABLE %s%s%s ADD UNIQUE (%s, %s), or a unique index",
		      m->name, with == ETL_MAP_OLD ? "old" : "new", m->columns[ETL_MAP_TABLE], m->columns[with],
		      m->existing->schema ? m->existing->schema : "", m->existing->schema ? "." : "", m->existing->name,
		      m->columns[ETL_MAP_TABLE], m->columns[with]);
	rc = why.failed ? error_memory(err) : fail(m, err, why.at);
	etl_text_free(&why);
	return rc;
}

/* A typed column of the new keys takes them, or reads as them. */
static bool fits(const struct map *m, const struct etl_column *column)
{
	switch (column->type) {
	case ETL_UUID:
		return m->type == ETL_UUID;
	case ETL_INT32:
	case ETL_INT64:
	case ETL_DECIMAL:
		return m->type == ETL_INT64;
	case ETL_TEXT:
	case ETL_ANY:
	case ETL_TYPE_NONE:
		return true;
	default:
		return false;
	}
}

static int check_existing(struct map *m, bool dynamic, struct etl_error *err)
{
	const struct etl_table *t = m->existing;
	int rc = 0;

	for (int i = 0; i < ETL_MAP_COLUMNS && rc == 0; i++) {
		int64_t at = table_find_column(t, m->columns[i]);

		if (at >= 0)
			m->has |= 1u << i;
		else if ((NEEDED | m->named) >> i & 1)
			rc = no_column(m, i, err);
		if (rc == 0 && i == ETL_MAP_NEW && !dynamic && !fits(m, table_column(t, (size_t)at))) {
			struct etl_text why = { 0 };

			etl_text_addf(&why, "the new keys are %s, and the column \"%s\" of the map \"%s\" is %s; write another `new`, or give the map another name",
				      m->type == ETL_UUID ? "UUIDs" : "numbers", m->columns[i], m->name, table_column(t, (size_t)at)->declared);
			rc = why.failed ? error_memory(err) : fail(m, err, why.at);
			etl_text_free(&why);
		}
	}
	if (rc == 0)
		rc = check_unique(m, ETL_MAP_OLD, err);
	return rc < 0 ? rc : check_unique(m, ETL_MAP_NEW, err);
}

/* ---- Its shape ------------------------------------------------------------------------------------ */

static struct etl_column shape_column(const struct map *m, int i)
{
	static const struct etl_column columns[ETL_MAP_COLUMNS] = {
		[ETL_MAP_TABLE] = { .declared = "text", .type = ETL_TEXT, .flags = ETL_NOT_NULL },
		[ETL_MAP_OLD] = { .declared = "text", .type = ETL_TEXT, .flags = ETL_NOT_NULL },
		[ETL_MAP_OLD_ID] = { .declared = "bigint", .type = ETL_INT64 },
		[ETL_MAP_NEW] = { .declared = "uuid", .type = ETL_UUID, .flags = ETL_NOT_NULL },
		[ETL_MAP_RUN] = { .declared = "text", .type = ETL_TEXT },
		[ETL_MAP_TIME] = { .declared = "timestamp with time zone", .type = ETL_INSTANT },
		[ETL_MAP_STATUS] = { .declared = "text", .type = ETL_TEXT, .flags = ETL_NOT_NULL },
	};
	struct etl_column c = columns[i];

	c.name = m->columns[i];
	c.flags |= ETL_TYPED;
	c.identity_last = ETL_UNKNOWN;
	if (i == ETL_MAP_NEW && m->type == ETL_INT64) {
		c.declared = "bigint";
		c.type = ETL_INT64;
	}
	return c;
}

/* Calls FOUND with what the map is to be, as if a source had it. */
static int with_shape(struct map *m, const struct job *user, int (*found)(void *data, const struct etl_table *), void *data)
{
	const char *old[] = { m->columns[ETL_MAP_TABLE], m->columns[ETL_MAP_OLD] };
	const char *new[] = { m->columns[ETL_MAP_TABLE], m->columns[ETL_MAP_NEW] };
	struct etl_column columns[ETL_MAP_COLUMNS];
	const struct etl_key unique = { .columns = new, .column_count = 2 };
	struct etl_table t = { .kind = ETL_TABLE,
			       .schema = user->target->schema,
			       .name = m->name,
			       .dialect = user->target->dialect,
			       .rows = ETL_UNKNOWN,
			       .bytes = ETL_UNKNOWN,
			       .columns = columns,
			       .column_size = sizeof(*columns),
			       .primary = { .columns = old, .column_count = 2 },
			       .uniques = &unique,
			       .unique_count = 1,
			       .unique_size = sizeof(unique) };

	for (int i = 0; i < ETL_MAP_COLUMNS; i++)
		if (!m->existing || map_has(m, i))
			columns[t.column_count++] = shape_column(m, i);
	/* Its words for types are nobody's dialect, unless the schema goes by that. */
	if (!user->schema)
		t.dialect = NULL;
	return found(data, &t);
}

/* ---- Its job ------------------------------------------------------------------------------------ */

struct making {
	const struct jobs_setup *setup;
	struct jobs *jobs;
	struct map *map;
	struct etl_error *err;
};

static struct table_rule *make_rule(struct making *k, const char *schema)
{
	struct arena *arena = &k->jobs->arena;
	const struct table_rule *users = k->map->user->rule;
	struct table_rule *rule = etl_arena_alloc(arena, sizeof(*rule));
	char **key = etl_arena_alloc(arena, 2 * sizeof(*key));

	(void)schema;
	if (!rule || !key)
		return NULL;
	key[0] = etl_arena_copy(arena, k->map->columns[ETL_MAP_TABLE]);
	key[1] = etl_arena_copy(arena, k->map->columns[ETL_MAP_OLD]);
	*rule = (struct table_rule){ .name = etl_arena_copy(arena, k->map->name),
				     .deletes = ETL_DELETE_NONE,
				     .to = users->has_to ? NULL : users->to,
				     .key = { key, 2 },
				     .origin = { etl_arena_copy(arena, k->map->use->origin.text) } };
	rule->plain = rule->as = rule->name;
	return rule->name && rule->origin.text && key[0] && key[1] ? rule : NULL;
}

static int make_job(void *data, const struct etl_table *shape)
{
	struct making *k = data;
	struct jobs *jobs = k->jobs;
	const struct instance *target = k->setup->target;
	bool dynamic = target->plugin->store.flags & ETL_DYNAMIC;
	struct job *job = calloc(1, sizeof(*job)), **at = realloc(jobs->at, (jobs->count + 1) * sizeof(struct job *));
	int rc;

	if (at)
		jobs->at = at;
	if (!job || !at) {
		free(job);
		return error_memory(k->err);
	}
	pthread_mutex_init(&job->mutex, NULL);
	at[jobs->count++] = job;
	job->rule = make_rule(k, shape->schema);
	job->source = table_copy(shape);
	job->shapes = calloc(1, sizeof(*job->shapes));
	if (!job->rule || !job->source || !job->shapes || !shape_stream_schema(job->source, false, &job->want) ||
	    !etl_schema_copy(&job->before_cast, &job->want))
		return error_memory(k->err);
	job->comes = *job->source;
	job->repeats = job->keeps_rows = true;
	job->is_map = k->map;
	k->map->job = job;
	rc = shape_target(k->setup->pipeline, jobs, job, job->source, dynamic, &target->plugin->target, k->err);
	return rc < 0 ? rc : where_job(jobs, job, k->err);
}

static int find_existing(void *data, const struct etl_table *shape)
{
	struct making *k = data;
	const char *schema = where_goes(k->jobs, shape);

	k->map->existing = where_find(k->jobs, shape);
	k->map->schema = schema ? etl_arena_copy(&k->jobs->arena, schema) : NULL;
	return schema && !k->map->schema ? error_memory(k->err) : 0;
}

/* "schema.map" is the map, where the tables of the run go into that schema. */
static int strip_schema(struct making *k)
{
	struct map *m = k->map;
	const char *dot = strchr(m->name, '.');
	const char *schema = m->user->schema;
	struct etl_text why = { 0 };
	char *rest;
	int rc;

	if (!dot || !schema)
		return 0;
	if (strlen(schema) == (size_t)(dot - m->name) && memcmp(schema, m->name, strlen(schema)) == 0) {
		rest = strdup(dot + 1);
		if (!rest)
			return error_memory(k->err);
		free(m->name);
		m->name = rest;
		return 0;
	}
	etl_text_addf(&why, "the map \"%s\" would be in another schema than the tables of the run, which go into \"%s\"; it is beside them: map = \"%s\"",
		      m->name, schema, dot + 1);
	rc = why.failed ? error_memory(k->err) : fail(m, k->err, why.at);
	etl_text_free(&why);
	return rc;
}

static int make_map(struct making *k)
{
	struct map *m = k->map;
	bool dynamic = k->setup->target->plugin->store.flags & ETL_DYNAMIC;
	int rc = strip_schema(k);

	if (rc == 0)
		rc = with_shape(m, m->user, find_existing, k);
	if (rc == 0 && m->existing && k->setup->pipeline->mode == ETL_COPY && !m->maps->looks)
		return fail(m, k->err,
			    "the map is in the target already, and mode = \"copy\" would make it anew and lose its keys; write mode = "
			    "\"merge\" or \"sync\", or give the map another name");
	if (rc == 0 && m->existing)
		rc = check_existing(m, dynamic, k->err);
	else
		m->has = (1u << ETL_MAP_COLUMNS) - 1;
	return rc < 0 || m->maps->looks ? rc : with_shape(m, m->user, make_job, k);
}

int maps_make(const struct jobs_setup *setup, struct jobs *jobs, struct etl_error *err)
{
	size_t count = jobs->count;
	int rc = 0;

	if (!jobs->maps)
		return 0;
	jobs->maps->looks = setup->looks;
	for (size_t i = 0; i < count && rc == 0; i++)
		for (size_t k = 0; k < jobs->at[i]->map_count && rc == 0; k++)
			rc = map_find_own(jobs->at[i], &jobs->at[i]->maps[k], err);
	for (struct map *m = jobs->maps->first; m && rc == 0; m = m->next) {
		struct making k = { setup, jobs, m, err };

		rc = make_map(&k);
	}
	return rc;
}

/* ---- Who comes before whom ----------------------------------------------------------------------- */

static bool add_edge(struct graph_edge **ret, size_t *count, size_t before, size_t after)
{
	struct graph_edge *edges = realloc(*ret, (*count + 1) * sizeof(*edges));

	if (!edges)
		return false;
	edges[*count] = (struct graph_edge){ .before = before, .after = after };
	*ret = edges;
	++*count;
	return true;
}

static size_t place_of(const struct jobs *jobs, const struct job *job)
{
	size_t i = 0;

	while (jobs->at[i] != job)
		i++;
	return i;
}

int maps_edges(const struct jobs *jobs, struct graph_edge **ret, size_t *ret_count, struct etl_error *err)
{
	const struct job *parent, *map;

	for (size_t i = 0; i < jobs->count; i++) {
		for (size_t n = 0; (parent = maps_parent(jobs->at[i], n)) != NULL; n++)
			if (parent != jobs->at[i] && !add_edge(ret, ret_count, place_of(jobs, parent), i))
				return error_memory(err);
		/* Where batches are published one by one, a row is never there whose key is not. */
		for (size_t k = 0; k < jobs->at[i]->map_count; k++)
			if ((map = jobs->at[i]->maps[k].map->job) != NULL && !add_edge(ret, ret_count, place_of(jobs, map), i))
				return error_memory(err);
	}
	return 0;
}

bool maps_any(const struct jobs *jobs)
{
	return jobs->maps && !jobs->maps->looks;
}

bool maps_is_map(const struct job *job)
{
	return job->is_map != NULL;
}
