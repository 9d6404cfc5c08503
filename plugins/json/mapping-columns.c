/*
 * The columns of a mapping: their paths, types and rules, those of the table and what another layout says differently.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "mapping.h"

int mapping_takes(struct making *m, const struct etl_conf *conf, const struct json_layout *layout, const char *name,
		      struct take **ret, size_t *ret_count)
{
	size_t count = m->host->list(conf, "path");
	struct take *takes = etl_arena_alloc(&m->table->memory, (count + 1) * sizeof(*takes));

	if (!takes)
		return mapping_no_memory(m);
	*ret = takes;
	for (size_t i = 0; i < count; i++) {
		const char *text = m->host->item(conf, "path", i), *why;

		if (!json_take_parse(&m->table->memory, text, layout, &takes[i], &why)) {
			*ret_count = i + 1;
			m->host->at(m->err, m->table->name, name, NULL);
			return m->table->memory.failed ?
				       mapping_no_memory(m) :
				       m->host->fail(m->err, ETL_USAGE, NULL, 0,
						     "json: table \"%s\", \"%s\": path = \"%s\": %s", m->table->name, name,
						     text, why);
		}
		*ret_count = i + 1;
	}
	return ETL_OK;
}

/* Without a path a column is the member of the row that has its name. */
static int own_name(struct making *m, const struct json_layout *layout, struct json_column *c)
{
	struct etl_text path = { 0 };
	const char *why = "";
	bool done;

	etl_text_add(&path, "@");
	json_path_add_name(&path, c->name);
	c->takes = etl_arena_alloc(&m->table->memory, sizeof(*c->takes));
	done = !path.failed && c->takes && json_take_parse(&m->table->memory, path.at, layout, c->takes, &why);
	c->take_count = c->takes != NULL;
	m->table->memory.failed |= path.failed;
	etl_text_free(&path);
	if (m->table->memory.failed)
		return mapping_no_memory(m);
	return done ? ETL_OK : m->host->fail(m->err, ETL_USAGE, NULL, 0, "json: table \"%s\", column \"%s\": %s",
					     m->table->name, c->name, why);
}

static int read_type(struct making *m, const struct etl_conf *conf, struct json_column *c)
{
	const char *type = m->host->str(conf, "type");

	c->type.type = ETL_ANY;
	c->declared = "";
	if (!type)
		return ETL_OK;
	c->declared = etl_arena_copy(&m->table->memory, type);
	if (etl_type_parse(type, &c->type, &c->length))
		return ETL_OK;
	return m->host->fail(m->err, ETL_USAGE, NULL, 0,
			     "json: table \"%s\", column \"%s\": there is no type \"%s\"; write for example integer, real, "
			     "text, boolean, numeric, timestamp, timestamptz, date or json",
			     m->table->name, c->name, type);
}

static int read_column(struct making *m, const struct etl_conf *conf, const struct json_layout *layout,
		       struct json_column *c)
{
	int rc;

	c->name = etl_arena_copy(&m->table->memory, m->host->str(conf, "name"));
	if (!c->name)
		return mapping_no_memory(m);
	rc = read_type(m, conf, c);
	if (!rc && m->host->list(conf, "path") > 0)
		rc = mapping_takes(m, conf, layout, c->name, &c->takes, &c->take_count);
	else if (!rc)
		rc = own_name(m, layout, c);
	if (rc)
		return rc;
	c->fallback = etl_arena_copy(&m->table->memory, m->host->str(conf, "default"));
	c->nulls = mapping_list(m, conf, "null_values", &c->null_count);
	if (!m->host->given(conf, "null_values")) {
		c->nulls = m->table->nulls;
		c->null_count = m->table->null_count;
	}
	c->map = mapping_list(m, conf, "map", &c->map_count);
	c->required = m->host->flag(conf, "not_null");
	return m->table->memory.failed ? mapping_no_memory(m) : ETL_OK;
}

static int find_column(struct making *m, const struct json_layout *layout, const char *name, size_t count,
		       struct json_column **ret)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(layout->columns[i].name, name) == 0) {
			*ret = &layout->columns[i];
			return ETL_OK;
		}
	}
	*ret = NULL;
	return m->table->column_count ?
		       m->host->fail(m->err, ETL_USAGE, NULL, 0,
				     "json: table \"%s\": a layout has a column \"%s\", which the table's own columns "
				     "do not name; write it there first",
				     m->table->name, name) :
		       ETL_OK;
}

static bool asks_outer(const struct take *takes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (takes[i].start == START_OUTER)
			return true;
	}
	return false;
}

/* The path goes on from the row, or is the row. */
static bool is_of_row(const struct json_layout *layout, const struct take *t)
{
	return t->start == START_ROW ||
	       (t->start == START_NODE && (layout->rows ? t->from == layout->rows->count : t->chain == CHAIN_RECORD));
}

/* False: the row as it is will do. */
static bool goes_within(const struct take *t, uint32_t *within)
{
	int kind;

	if (t->from == t->path->count)
		return false;
	kind = json_segment_kind(&t->path->segments[t->from]);
	*within |= kind == JSON_SELECT_NAME || kind == JSON_SELECT_CAPTURE  ? WITHIN_OBJECTS :
		   kind == JSON_SELECT_INDEX || kind == JSON_SELECT_SLICE ? WITHIN_ARRAYS :
									    WITHIN_OBJECTS | WITHIN_ARRAYS;
	return true;
}

static uint32_t within_of(const struct json_table *t, const struct json_layout *layout)
{
	uint32_t within = 0;

	for (size_t i = 0; i < t->column_count; i++) {
		const struct json_column *c = &layout->columns[i];

		for (size_t j = 0; j < c->take_count; j++)
			if (is_of_row(layout, &c->takes[j]) && !goes_within(&c->takes[j], &within))
				return 0;
	}
	return within;
}

/* The same for all rows that are in one node, which is not the row itself. */
static bool is_shared(const struct json_layout *layout, const struct take *t)
{
	if ((t->start != START_NODE && t->start != START_OUTER) || is_of_row(layout, t) || t->from == t->path->count)
		return false;
	for (size_t i = t->from; i < t->path->count; i++)
		if (json_segment_captures(&t->path->segments[i]))
			return false;
	return true;
}

void mapping_sum(struct json_table *t, struct json_layout *layout)
{
	for (size_t i = 0; i < t->column_count; i++) {
		struct json_column *c = &layout->columns[i];

		layout->outer |= asks_outer(c->takes, c->take_count);
		for (size_t j = 0; j < c->take_count; j++)
			if (is_shared(layout, &c->takes[j]))
				c->takes[j].known = ++t->known_count;
	}
	layout->within = within_of(t, layout);
}

static bool mentions(const char *text, const char *name)
{
	char braces[80];

	snprintf(braces, sizeof(braces), "{%s}", name);
	return strlen(name) + 3 > sizeof(braces) || strstr(text, braces);
}

/* Is there a name in TEXT that each row has another value for? */
static bool mentions_rows(const struct json_layout *layout, const char *text)
{
	if (layout->capture && mentions(text, layout->capture))
		return true;
	for (size_t i = layout->consumed; layout->rows && i < layout->rows->count; i++) {
		const struct json_segment *segment = &layout->rows->segments[i];

		if (json_segment_kind(segment) == JSON_SELECT_CAPTURE && mentions(text, json_segment_name(segment)))
			return true;
	}
	return false;
}

static bool is_constant(const struct json_layout *layout, const struct json_column *c)
{
	for (size_t i = 0; i < c->take_count; i++) {
		enum start start = c->takes[i].start;

		if ((start != START_OUTER && start != START_TEXT && start != START_FILE) ||
		    mentions_rows(layout, c->takes[i].text))
			return false;
	}
	return !c->fallback || !mentions_rows(layout, c->fallback);
}

/* The first layout's columns are the table's; another layout has them too, each with its own path there or with the same text. */
static int read_all(struct making *m, const struct etl_conf *table, struct json_layout *layout, size_t count)
{
	bool first = m->table->column_count == 0;
	int rc = ETL_OK;

	layout->columns = etl_arena_alloc(&m->table->memory, (count + 1) * sizeof(*layout->columns));
	if (!layout->columns)
		return mapping_no_memory(m);
	for (size_t i = 0; !rc && i < count; i++) {
		struct json_column *same = NULL;

		rc = read_column(m, m->host->sub(table, "columns", i), layout, &layout->columns[i]);
		if (!rc && first)
			rc = find_column(m, layout, layout->columns[i].name, i, &same);
		if (same)
			rc = m->host->fail(m->err, ETL_USAGE, NULL, 0, "json: table \"%s\" has two columns \"%s\"",
					   m->table->name, same->name);
	}
	if (first)
		m->table->column_count = count;
	return rc;
}

/* Of a column that a layout names everything stays of which it says nothing, but for where it is: without a path it is the member of its
 * name. */
static int read_other(struct making *m, const struct etl_conf *conf, struct json_layout *layout, struct json_column *c)
{
	struct json_column was;
	int rc;

	for (size_t i = 0; i < c->take_count; i++)
		json_take_free(&c->takes[i]);
	c->take_count = 0;
	was = *c;
	rc = read_column(m, conf, layout, c);
	if (!m->host->given(conf, "type")) {
		c->type = was.type;
		c->length = was.length;
		c->declared = was.declared;
	}
	if (!m->host->given(conf, "default"))
		c->fallback = was.fallback;
	if (!m->host->given(conf, "map")) {
		c->map = was.map;
		c->map_count = was.map_count;
	}
	if (!m->host->given(conf, "null_values")) {
		c->nulls = was.nulls;
		c->null_count = was.null_count;
	}
	if (!m->host->given(conf, "not_null"))
		c->required = was.required;
	return rc;
}

int mapping_columns(struct making *m, const struct etl_conf *table, const struct etl_conf *conf, struct json_layout *layout)
{
	size_t count = m->host->list(table, "columns"), others = conf ? m->host->list(conf, "columns") : 0;
	int rc = read_all(m, table, layout, count);

	for (size_t i = 0; !rc && i < others; i++) {
		const struct etl_conf *one = m->host->sub(conf, "columns", i);
		struct json_column *c = NULL;

		rc = find_column(m, layout, m->host->str(one, "name"), count, &c);
		if (!rc && c)
			rc = read_other(m, one, layout, c);
	}
	for (size_t i = 0; !rc && i < count; i++)
		layout->columns[i].constant = is_constant(layout, &layout->columns[i]);
	if (!rc)
		mapping_sum(m->table, layout);
	return rc;
}
