/*
 * Every {name} of a mapping must be one that something gives: a name that is mistyped would be no value, in every row, without
 * a word. And there must be room for it: names are looked up for each row, in a small array (names.c).
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "json.h"

struct checking {
	struct etl_instance *inst;
	const struct json_table *table;
	struct etl_error *err;
};

static bool is_name(const char *known, const char *name, size_t size)
{
	return known && strlen(known) == size && memcmp(known, name, size) == 0;
}

static bool has_capture(const struct files_pattern *files, const char *name, size_t size)
{
	const char *const *names;
	size_t count = files ? files_pattern_captures(files, &names) : 0;

	for (size_t i = 0; i < count; i++)
		if (is_name(names[i], name, size))
			return true;
	return false;
}

/* In the rows' path of some layout: what another layout has not is no value there. */
static bool is_member(const struct json_table *t, const char *name, size_t size)
{
	for (size_t i = 0; i < t->layout_count; i++) {
		const struct json_path *rows = t->layouts[i].rows;

		for (size_t j = 0; rows && j < rows->count; j++)
			if (json_segment_kind(&rows->segments[j]) == JSON_SELECT_CAPTURE &&
			    is_name(json_segment_name(&rows->segments[j]), name, size))
				return true;
	}
	return false;
}

static bool is_known(const struct json_table *t, const char *name, size_t size)
{
	for (size_t i = 0; i < t->let_count; i++)
		if (is_name(t->lets[i].name, name, size))
			return true;
	return has_capture(t->files, name, size) || is_member(t, name, size);
}

static int unknown(const struct checking *c, const char *where, const char *text)
{
	return c->inst->host->fail(c->err, ETL_USAGE, NULL, 0,
				   "json: table \"%s\", \"%s\": in \"%s\" is a {name} that neither files nor rows nor let gives; "
				   "a brace itself is written {{", c->table->name, where, text);
}

static int check_template(const struct checking *c, const char *where, const char *text)
{
	for (const char *at = strchr(text ? text : "", '{'); at; at = strchr(at, '{')) {
		const char *end = strchr(at, '}');

		if (at[1] == '{') {
			at += 2;
			continue;
		}
		if (!end || !is_known(c->table, at + 1, (size_t)(end - at) - 1))
			return unknown(c, where, text);
		at = end;
	}
	return ETL_OK;
}

static int check_path(const struct checking *c, const char *where, const struct json_path *path)
{
	for (size_t i = 0; path && i < path->count; i++) {
		const char *name = json_segment_kind(&path->segments[i]) == JSON_SELECT_CAPTURE ?
					   json_segment_name(&path->segments[i]) : NULL;

		if (name && !is_known(c->table, name, strlen(name)))
			return unknown(c, where, path->text);
	}
	return ETL_OK;
}

static int check_takes(const struct checking *c, const char *where, const struct take *takes, size_t count,
		       const char *fallback)
{
	int rc = check_template(c, where, fallback);

	for (size_t i = 0; !rc && i < count; i++)
		rc = takes[i].start == START_TEXT ? check_template(c, where, takes[i].text) :
						    check_path(c, where, takes[i].path);
	return rc;
}

static int check_let(const struct checking *c, const struct json_let *let)
{
	const char *const *names;
	size_t count = files_pattern_captures(let->file, &names);

	for (size_t i = 0; i < count; i++)
		if (!has_capture(c->table->files, names[i], strlen(names[i])))
			return c->inst->host->fail(c->err, ETL_USAGE, NULL, 0,
						   "json: table \"%s\": the file of let \"%s\" has {%s}, which `files` has not",
						   c->table->name, let->name, names[i]);
	return check_takes(c, let->name, let->takes, let->take_count, let->fallback);
}

/* ---- How many, how long --------------------------------------------------------------------------------------------- */

static int check_length(const struct checking *c, const char *name)
{
	return strlen(name) <= JSON_NAME_MAX ?
		       ETL_OK :
		       c->inst->host->fail(c->err, ETL_USAGE, NULL, 0, "json: table \"%s\": the name {%s} is longer than %d bytes",
					   c->table->name, name, JSON_NAME_MAX);
}

/* The names of members on the way to the rows. */
static int count_members(const struct checking *c, const struct json_layout *layout, size_t *ret_count)
{
	int rc = ETL_OK;

	*ret_count = 0;
	for (size_t i = 0; !rc && layout->rows && i < layout->rows->count; i++) {
		if (json_segment_kind(&layout->rows->segments[i]) != JSON_SELECT_CAPTURE)
			continue;
		rc = check_length(c, json_segment_name(&layout->rows->segments[i]));
		++*ret_count;
	}
	return rc;
}

static int check_room(const struct checking *c)
{
	const struct json_table *t = c->table;
	const char *const *names;
	size_t captures = t->files ? files_pattern_captures(t->files, &names) : 0, members = 0;
	int rc = ETL_OK;

	for (size_t i = 0; !rc && i < captures; i++)
		rc = check_length(c, names[i]);
	for (size_t i = 0; !rc && i < t->let_count; i++)
		rc = check_length(c, t->lets[i].name);
	for (size_t i = 0; !rc && i < t->layout_count; i++) {
		size_t count;

		rc = count_members(c, &t->layouts[i], &count);
		members = count > members ? count : members;
	}
	if (!rc && captures + t->let_count + members > JSON_NAMES_MAX)
		rc = c->inst->host->fail(c->err, ETL_USAGE, NULL, 0,
					 "json: table \"%s\" has %zu names in braces, of files, rows and let; there is room for %d",
					 t->name, captures + t->let_count + members, JSON_NAMES_MAX);
	return rc;
}

int json_names_check(struct etl_instance *inst, const struct json_table *t, struct etl_error *err)
{
	const struct checking c = { inst, t, err };
	int rc = check_room(&c);

	for (size_t i = 0; !rc && i < t->layout_count; i++) {
		for (size_t j = 0; !rc && j < t->column_count; j++) {
			const struct json_column *column = &t->layouts[i].columns[j];

			rc = check_takes(&c, column->name, column->takes, column->take_count, column->fallback);
		}
	}
	for (size_t i = 0; !rc && i < t->let_count; i++)
		rc = check_let(&c, &t->lets[i]);
	for (size_t i = 0; !rc && i + 1 < t->except_count; i += 2)
		if (!is_known(t, t->except[i], strlen(t->except[i])))
			rc = inst->host->fail(err, ETL_USAGE, NULL, 0,
					      "json: table \"%s\": except names \"%s\", which neither files nor rows nor let gives",
					      t->name, t->except[i]);
	return rc;
}
