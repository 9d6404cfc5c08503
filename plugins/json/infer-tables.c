/*
 * Tables of a shape. An array of objects, or an object whose names are data, is a table of its own below the one it stands in;
 * other objects are flattened, their names joined; other arrays stay json. A child has the key of its parent and its own place.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "infer.h"

#define LEVELS_MAX 8 /* of tables below each other: each has the keys of all those above it */

struct making {
	struct inference *inference;
	const struct file_group *group;
	const char *const *captures;
	size_t capture_count;
	bool lines;
	bool failed;
};

static struct arena *arena(struct making *m)
{
	return &m->inference->memory;
}

/* ---- Names -------------------------------------------------------------------------------------------------------- */

static void doubt(struct making *m, struct proposal *p, const char *format, const char *one, const char *two)
{
	const char **doubts = etl_arena_push(arena(m), p->doubts, p->doubt_count, sizeof(*doubts));
	struct etl_text text = { 0 };
	const char *kept;

	etl_text_addf(&text, format, one, two);
	kept = text.failed ? NULL : etl_arena_copy(arena(m), text.at);
	m->failed |= !doubts || !kept;
	etl_text_free(&text);
	if (!doubts || !kept)
		return;
	p->doubts = doubts;
	doubts[p->doubt_count++] = kept;
}

static bool has_column(const struct proposal *p, const char *name)
{
	for (size_t i = 0; i < p->column_count; i++) {
		if (strcasecmp(p->columns[i].name, name) == 0)
			return true;
	}
	return false;
}

static bool has_table(const struct inference *all, const char *name)
{
	for (size_t i = 0; i < all->count; i++) {
		if (strcasecmp(all->at[i]->name, name) == 0)
			return true;
	}
	return false;
}

size_t json_proposed_size(const char *name)
{
	size_t size = strlen(name);

	return size < JSON_PROPOSED_NAME_MAX ? size : etl_utf8_valid(name, JSON_PROPOSED_NAME_MAX);
}

/* A free name: name, name_2, name_3, … */
static const char *free_name(struct making *m, const struct proposal *columns_of, const char *wanted)
{
	char name[JSON_PROPOSED_NAME_MAX + 16];
	size_t size = json_proposed_size(wanted);

	snprintf(name, sizeof(name), "%.*s", (int)size, size ? wanted : "value");
	for (int i = 2; columns_of ? has_column(columns_of, name) : has_table(m->inference, name); i++)
		snprintf(name, sizeof(name), "%.*s_%d", (int)size, wanted, i);
	return etl_arena_copy(arena(m), name);
}

static const char *joined(struct making *m, const char *before, const char *between, const char *after)
{
	struct etl_text text = { 0 };
	const char *ret;

	etl_text_addf(&text, "%s%s%s", before, *before ? between : "", after);
	ret = text.at ? etl_arena_copy(arena(m), text.at) : NULL;
	etl_text_free(&text);
	m->failed |= !ret;
	return ret ? ret : "";
}

/* PATH and a step to the member NAME: .name, or ['it''s'] where it is no plain word. */
static const char *step(struct making *m, const char *path, const char *name)
{
	struct etl_text text = { 0 };
	const char *ret;
	bool plain = *name && !(*name >= '0' && *name <= '9');

	for (const char *at = name; *at; at++)
		plain &= (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || (*at >= '0' && *at <= '9') || *at == '_';
	etl_text_add(&text, path);
	if (plain)
		etl_text_addf(&text, ".%s", name);
	else
		json_path_add_name(&text, name);
	ret = text.at ? etl_arena_copy(arena(m), text.at) : NULL;
	etl_text_free(&text);
	m->failed |= !ret;
	return ret ? ret : "";
}

/* ---- Columns -------------------------------------------------------------------------------------------------------- */

static struct proposed_column *add_column(struct making *m, struct proposal *p, const char *name, const char *path,
					  const char *type, bool required)
{
	struct proposed_column *columns = etl_arena_push(arena(m), p->columns, p->column_count, sizeof(*columns));
	const char *own = free_name(m, p, name);

	if (!columns || !own) {
		m->failed = true;
		return NULL;
	}
	p->columns = columns;
	if (strcmp(own, name) != 0)
		doubt(m, p, "\"%s\" was taken, so this column is called %s", name, own);
	columns[p->column_count] = (struct proposed_column){ own, path, type, required, NULL };
	return &columns[p->column_count++];
}

static const char *kinds_of(struct making *m, const struct shape *s)
{
	char text[200];

	snprintf(text, sizeof(text), "%llu texts, %llu numbers, %llu booleans, %llu arrays, %llu objects",
		 (unsigned long long)s->texts, (unsigned long long)s->numbers, (unsigned long long)s->bools,
		 (unsigned long long)s->arrays, (unsigned long long)s->objects);
	return etl_arena_copy(arena(m), text);
}

static void add_scalar(struct making *m, struct proposal *p, const struct shape *s, const char *name, const char *path)
{
	bool always = s->seen == p->row_count && s->nulls == 0 && s->seen > 0;
	struct proposed_column *c = add_column(m, p, name, path, json_shape_type(s), always);

	if (!c)
		return;
	if (json_shape_kind(s) == -1)
		c->doubt = joined(m, "several kinds of value: ", "", kinds_of(m, s));
	else if (json_shape_kind(s) == -2)
		c->doubt = "never anything but null";
}

/* The row itself. */
static void add_value(struct making *m, struct proposal *p, const struct shape *s)
{
	size_t at = p->column_count;

	add_scalar(m, p, s, "value", "@");
	if (s->is_map && p->column_count > at)
		p->columns[at].doubt = "the names of its members seem to be data";
}

static struct proposal *propose(struct making *m, const char *name, const char *rows, const struct shape *s,
				const struct proposal *parent);

/* ---- What stands in a row -------------------------------------------------------------------------------------------- */

/* A name for the members of a map that ROWS has not yet: {key}, {key_2}, … */
static const char *map_step(struct making *m, const char *rows)
{
	char name[24] = "{key}", *ret;

	for (int i = 2; strstr(rows, name); i++)
		snprintf(name, sizeof(name), "{key_%d}", i);
	ret = etl_arena_alloc(arena(m), sizeof(name) + 1);
	if (!ret)
		return "";
	snprintf(ret, sizeof(name) + 1, ".%s", name);
	return ret;
}

/* Rows of their own? Returns how the path ROWS goes on, or NULL. */
static const char *table_step(struct making *m, const struct shape *s, const char *rows)
{
	if (json_shape_kind(s) == JSON_OBJECT && s->is_map && s->each && json_shape_kind(s->each) == JSON_OBJECT)
		return map_step(m, rows);
	if (json_shape_kind(s) == JSON_ARRAY && s->each && json_shape_kind(s->each) == JSON_OBJECT && !s->each->is_map)
		return "[*]";
	return NULL;
}

struct place {
	const char *prefix;             /* of column names */
	const char *path;               /* from the row: @.a.b */
	const char *rows;               /* from the top: $.x[*].a.b */
};

static bool has_room_below(const struct proposal *p)
{
	int levels = 1;

	for (; p->parent; p = p->parent)
		levels++;
	return levels < LEVELS_MAX;
}

static void add_members(struct making *m, struct proposal *p, const struct shape *s, struct place at, bool children);

static void add_member(struct making *m, struct proposal *p, const struct shape *s, struct place at, bool children)
{
	struct place here = { joined(m, at.prefix, "_", s->name), step(m, at.path, s->name), step(m, at.rows, s->name) };
	const char *more = table_step(m, s, here.rows);

	if (more && !has_room_below(p)) {
		if (!children)
			doubt(m, p, "%s: rows in rows in rows: here they stay json%s", here.prefix, "");
		more = NULL;
	}
	if (more && children)
		propose(m, joined(m, p->name, "_", here.prefix), joined(m, here.rows, "", more), s->each, p);
	else if (!more && json_shape_kind(s) == JSON_OBJECT && !s->is_map && s->member_count > 0)
		add_members(m, p, s, here, children);
	else if (!more && !children)
		add_scalar(m, p, s, here.prefix, here.path);
}

/* Columns first, then the tables below, which need all of the key's. */
static void add_members(struct making *m, struct proposal *p, const struct shape *s, struct place at, bool children)
{
	for (size_t i = 0; i < s->member_count; i++)
		add_member(m, p, s->members[i], at, children);
}

/* Columns only: what could be a table stays json. */
static void add_all(struct making *m, struct proposal *p, const struct shape *s, struct place at)
{
	for (size_t i = 0; i < s->member_count; i++) {
		const struct shape *member = s->members[i];
		struct place here = { joined(m, at.prefix, "_", member->name), step(m, at.path, member->name), "" };

		if (json_shape_kind(member) == JSON_OBJECT && !member->is_map && member->member_count > 0)
			add_all(m, p, member, here);
		else
			add_scalar(m, p, member, here.prefix, here.path);
	}
}

static void add_captures(struct making *m, struct proposal *p)
{
	for (size_t i = 0; i < m->capture_count; i++)
		add_column(m, p, m->captures[i], joined(m, "{", "", joined(m, m->captures[i], "", "}")), "text", true);
}

/* The shape of what a row of S's rows is: an object's members, or the value itself. */
static struct proposal *propose(struct making *m, const char *name, const char *rows, const struct shape *s,
				const struct proposal *parent)
{
	struct proposal **all = etl_arena_push(arena(m), m->inference->at, m->inference->count, sizeof(struct proposal *));
	struct proposal *p = etl_arena_alloc(arena(m), sizeof(*p));
	struct place top = { "", "@", rows ? rows : "$" };

	if (!all || !p) {
		m->failed = true;
		return NULL;
	}
	m->inference->at = all;
	p->name = free_name(m, NULL, name);
	p->files = m->group->pattern;
	p->except = m->group->except;
	p->except_count = m->group->except_count;
	p->rows = rows && strcmp(rows, "$") != 0 ? rows : NULL;
	p->shape = m->lines ? "lines" : p->rows ? NULL : "object";
	p->parent = parent;
	p->row_count = s->seen;
	all[m->inference->count++] = p;
	add_captures(m, p);
	if (rows && rows[strlen(rows) - 1] == '}')
		add_column(m, p, "key", strrchr(rows, '{'), "text", true);
	if (json_shape_kind(s) == JSON_OBJECT && !s->is_map) {
		add_members(m, p, s, top, false);
		add_members(m, p, s, top, true);
	} else {
		add_value(m, p, s);
	}
	return p;
}

bool json_propose_columns(struct inference *inference, const struct shape *s, const char *const *captures,
			  size_t capture_count, struct proposal *p)
{
	struct making m = { inference, NULL, captures, capture_count, false, false };
	const struct place top = { "", "@", "$" };

	p->row_count = s->seen;
	add_captures(&m, p);
	if (json_shape_kind(s) == JSON_OBJECT && !s->is_map)
		add_all(&m, p, s, top);
	else
		add_value(&m, p, s);
	return !m.failed && !inference->memory.failed;
}

bool json_propose_tables(struct inference *inference, const struct file_group *group, const struct shape *top, bool lines,
			 const char *const *captures, size_t capture_count)
{
	struct making m = { inference, group, captures, capture_count, lines, false };
	const char *more = lines ? NULL : table_step(&m, top, "$");

	/* A file of nothing but names and values. */
	if (!more && !lines && top->is_map && top->each && top->seen == 1)
		more = map_step(&m, "$");
	if (more)
		propose(&m, group->name, joined(&m, "$", "", more), top->each, NULL);
	else if (!lines && json_shape_kind(top) == JSON_ARRAY && top->each)
		propose(&m, group->name, "$[*]", top->each, NULL);
	else
		propose(&m, group->name, "$", top, NULL);
	return !m.failed && !inference->memory.failed;
}
