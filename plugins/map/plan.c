/*
 * From the options to a list of output columns. Every option speaks of columns by the names the
 * input gives them; that the names exist and that no two outputs share one is found here, before
 * any row moves.
 */
#include "config.h"

#include <stdlib.h>
#include <strings.h>

#include "map.h"

static int unknown(const struct etl_instance *self, const char *option, const char *name,
		   const char *const *names, size_t count, struct etl_error *err)
{
	const char *near = etl_name_nearest(names, count, name);
	struct etl_text text = { 0 };
	int r;

	etl_text_addf(&text, "map: %s names the column \"%s\", which is not there", option, name);
	if (near)
		etl_text_addf(&text, "; did you mean \"%s\"?", near);
	etl_text_add(&text, near ? " The columns are " : "; the columns are ");
	for (size_t i = 0; i < count; i++)
		etl_text_addf(&text, "%s%s", i > 0 ? ", " : "", names[i]);
	self->host->at(err, NULL, name, NULL);
	r = self->host->fail(err, ETL_USAGE, NULL, 0, "%s",
			     text.failed ? "map: unknown column" : text.at);
	etl_text_free(&text);
	return r;
}

void map_plan_free(struct map_plan *plan)
{
	free(plan->at);
	*plan = (struct map_plan){ 0 };
}

const char *map_plan_name(const struct map_plan *plan, int64_t from)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->at[i].from == from)
			return plan->at[i].name;
	return NULL;
}

/* The plan being made. */
struct making {
	const struct etl_instance *self;
	const char *const *names;
	size_t count;
	struct map_plan plan;
	bool *dropped;
};

static int check_names(const struct making *m, const char *option, size_t step,
		       struct etl_error *err)
{
	const struct etl_host *host = m->self->host;

	for (size_t i = 0; i < host->list(m->self->conf, option); i += step) {
		const char *name = host->item(m->self->conf, option, i);

		if (etl_name_find(m->names, m->count, name) < 0)
			return unknown(m->self, option, name, m->names, m->count, err);
	}
	return ETL_OK;
}

static int check_name(const struct making *m, const char *option, struct etl_error *err)
{
	const char *name = m->self->host->str(m->self->conf, option);

	return !name || etl_name_find(m->names, m->count, name) >= 0 ?
		       ETL_OK :
		       unknown(m->self, option, name, m->names, m->count, err);
}

static bool is_constant(const struct making *m, const char *name)
{
	const struct etl_host *host = m->self->host;

	for (size_t i = 0; i + 1 < host->list(m->self->conf, "constant"); i += 2)
		if (strcmp(host->item(m->self->conf, "constant", i), name) == 0)
			return true;
	return false;
}

static int check_all(const struct making *m, struct etl_error *err)
{
	int r = check_names(m, "rename", 2, err);

	if (r == ETL_OK)
		r = check_names(m, "choose", 1, err);
	if (r == ETL_OK)
		r = check_names(m, "drop", 1, err);
	if (r == ETL_OK)
		r = check_name(m, "filter", err);
	if (r == ETL_OK)
		r = check_name(m, "reject", err);
	for (size_t i = 0; r == ETL_OK && i < m->self->cast_count; i++) {
		const char *name = m->self->casts[i].column;

		if (etl_name_find(m->names, m->count, name) < 0 && !is_constant(m, name))
			r = unknown(m->self, "cast", name, m->names, m->count, err);
	}
	return r;
}

static const char *new_name(const struct making *m, size_t column)
{
	const struct etl_host *host = m->self->host;

	for (size_t i = 0; i + 1 < host->list(m->self->conf, "rename"); i += 2)
		if (etl_name_find(m->names, m->count, host->item(m->self->conf, "rename", i)) ==
		    (int64_t)column)
			return host->item(m->self->conf, "rename", i + 1);
	return m->names[column];
}

static const struct map_cast *cast_of(const struct making *m, int64_t column, const char *constant)
{
	for (size_t i = 0; i < m->self->cast_count; i++) {
		const struct map_cast *cast = &m->self->casts[i];

		if (constant ? strcmp(cast->column, constant) == 0 :
			       etl_name_find(m->names, m->count, cast->column) == column)
			return cast;
	}
	return NULL;
}

static int add(struct making *m, struct map_column column, struct etl_error *err)
{
	for (size_t i = 0; i < m->plan.count; i++)
		if (strcasecmp(m->plan.at[i].name, column.name) == 0) {
			m->self->host->at(err, NULL, column.name, NULL);
			return m->self->host->fail(
				err, ETL_USAGE, NULL, 0,
				"map: two columns would be called \"%s\"; rename one of them "
				"or drop it",
				column.name);
		}
	m->plan.at[m->plan.count++] = column;
	return ETL_OK;
}

static int add_column(struct making *m, size_t i, struct etl_error *err)
{
	struct map_column column = { new_name(m, i), (int64_t)i, NULL,
				     cast_of(m, (int64_t)i, NULL) };

	return m->dropped[i] ? ETL_OK : add(m, column, err);
}

static int add_all(struct making *m, struct etl_error *err)
{
	const struct etl_host *host = m->self->host;
	const struct etl_conf *conf = m->self->conf;
	size_t chosen = host->list(conf, "choose"), constants = host->list(conf, "constant");
	struct map_verdict verdict = map_verdict_find(m->self, m->names, m->count);
	int r = ETL_OK;

	for (size_t i = 0; i < host->list(conf, "drop"); i++) {
		int64_t at = etl_name_find(m->names, m->count, host->item(conf, "drop", i));

		if (at >= 0)
			m->dropped[at] = true;
	}
	if (verdict.filter >= 0)
		m->dropped[verdict.filter] = true;
	if (verdict.reject >= 0)
		m->dropped[verdict.reject] = true;
	for (size_t i = 0; r == ETL_OK && i < chosen; i++) {
		int64_t at = etl_name_find(m->names, m->count, host->item(conf, "choose", i));

		if (at >= 0)
			r = add_column(m, (size_t)at, err);
	}
	for (size_t i = 0; r == ETL_OK && chosen == 0 && i < m->count; i++)
		r = add_column(m, i, err);
	for (size_t i = 0; r == ETL_OK && i + 1 < constants; i += 2) {
		const char *name = host->item(conf, "constant", i);

		r = add(m,
			(struct map_column){ name, -1, host->item(conf, "constant", i + 1),
					     cast_of(m, -1, name) },
			err);
	}
	if (r == ETL_OK && m->plan.count == 0)
		r = host->fail(err, ETL_USAGE, NULL, 0,
			       "map: no column is left; drop fewer of them");
	return r;
}

int map_plan_make(const struct etl_instance *self, const char *const *names, size_t count,
		  bool strict, struct map_plan *ret, struct etl_error *err)
{
	struct making m = { .self = self, .names = names, .count = count };
	size_t room = count + self->host->list(self->conf, "choose") +
		      self->host->list(self->conf, "constant");
	int r;

	m.plan.at = calloc(room + 1, sizeof(*m.plan.at));
	m.dropped = calloc(count + 1, sizeof(*m.dropped));
	if (!m.plan.at || !m.dropped)
		r = self->host->fail(err, ETL_MEMORY, NULL, 0, "no memory for the columns of map");
	else
		r = strict ? check_all(&m, err) : ETL_OK;
	if (r == ETL_OK)
		r = add_all(&m, err);
	free(m.dropped);
	if (r == ETL_OK)
		*ret = m.plan;
	else
		map_plan_free(&m.plan);
	return r;
}
