/*
 * The options of `from`, as a mapping that rows can be read by: every path is parsed and every word checked before a file is
 * opened, and what is wrong is said with the column it is about.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "infer.h"
#include "mapping.h"

int mapping_no_memory(struct making *m)
{
	return m->host->fail(m->err, ETL_MEMORY, NULL, 0, "json: no memory for the table \"%s\"", m->table->name);
}

const char **mapping_list(struct making *m, const struct etl_conf *conf, const char *key, size_t *ret_count)
{
	size_t count = m->host->list(conf, key);
	const char **list = etl_arena_alloc(&m->table->memory, (count + 1) * sizeof(*list));

	for (size_t i = 0; list && i < count; i++)
		list[i] = etl_arena_copy(&m->table->memory, m->host->item(conf, key, i));
	*ret_count = list ? count : 0;
	return list;
}

/* ---- Where rows are ------------------------------------------------------------------------------------------ */

static int cut_of(const char *shape)
{
	return strcmp(shape, "array") == 0   ? JSON_CUT_ELEMENTS :
	       strcmp(shape, "lines") == 0   ? JSON_CUT_LINES :
	       strcmp(shape, "object") == 0  ? JSON_CUT_WHOLE :
	       strcmp(shape, "members") == 0 ? JSON_CUT_MEMBERS :
					       JSON_CUT_AUTO;
}

/* The names at the front of the path lead to the container; the first segment that stands for many is what the cut does. */
static int place_cut(struct making *m, struct json_layout *layout)
{
	const struct json_path *path = layout->rows;
	size_t names = 0;
	int kind;

	while (names < path->count && json_segment_kind(&path->segments[names]) == JSON_SELECT_NAME)
		names++;
	kind = names < path->count ? json_segment_kind(&path->segments[names]) : -1;
	layout->cut = JSON_CUT_WHOLE;
	if (kind != JSON_SELECT_EACH && kind != JSON_SELECT_CAPTURE && kind != JSON_SELECT_FILTER)
		return ETL_OK;
	layout->cut = kind == JSON_SELECT_CAPTURE ? JSON_CUT_MEMBERS : JSON_CUT_EACH;
	layout->container = etl_arena_alloc(&m->table->memory, (names + 1) * sizeof(*layout->container));
	if (!layout->container)
		return mapping_no_memory(m);
	for (size_t i = 0; i < names; i++)
		layout->container[i] = json_segment_name(&path->segments[i]);
	layout->container_count = names;
	layout->consumed = names + 1;
	if (kind == JSON_SELECT_FILTER)
		layout->filter = &path->segments[names];
	if (kind == JSON_SELECT_CAPTURE)
		layout->capture = json_segment_name(&path->segments[names]);
	return ETL_OK;
}

static int kinds_of(const char *only)
{
	return strcmp(only, "object") == 0 ? KINDS_OBJECT :
	       strcmp(only, "array") == 0  ? KINDS_ARRAY :
	       strcmp(only, "scalar") == 0 ? KINDS_SCALAR :
					     KINDS_ANY;
}

static int read_rows(struct making *m, const struct etl_conf *conf, struct json_layout *layout)
{
	const char *rows = m->host->str(conf, "rows"), *shape = m->host->str(conf, "shape");
	const char *only = m->host->str(conf, "only");
	struct json_path_flaw flaw;

	layout->kinds = only ? kinds_of(only) : m->table->layouts[0].kinds;
	layout->cut = cut_of(shape ? shape : "auto");
	if (!rows)
		return ETL_OK;
	if (shape && strcmp(shape, "auto") != 0 && strcmp(shape, "lines") != 0)
		return m->host->fail(m->err, ETL_USAGE, NULL, 0,
				     "json: table \"%s\": rows = \"%s\" says where the rows are, so shape = \"%s\" is "
				     "one too many; remove it",
				     m->table->name, rows, shape);
	layout->rows = json_path_parse(rows, &flaw);
	if (!layout->rows && flaw.no_memory)
		return mapping_no_memory(m);
	if (!layout->rows)
		return m->host->fail(m->err, ETL_USAGE, NULL, 0,
				     "json: table \"%s\": rows = \"%s\": character %zu: %s", m->table->name, rows,
				     flaw.at + 1, flaw.reason);
	if (shape && strcmp(shape, "lines") == 0)
		return ETL_OK;
	if (layout->rows->root != '$')
		return m->host->fail(m->err, ETL_USAGE, NULL, 0,
				     "json: table \"%s\": rows = \"%s\" must begin with $: @ is a row itself",
				     m->table->name, rows);
	return place_cut(m, layout);
}

/* ---- Layouts ---------------------------------------------------------------------------------------------------- */

static int read_layouts(struct making *m, const struct etl_conf *from)
{
	struct json_table *t = m->table;
	size_t others = m->host->list(from, "layouts");
	int rc;

	t->layouts = etl_arena_alloc(&t->memory, (others + 1) * sizeof(*t->layouts));
	if (!t->layouts)
		return mapping_no_memory(m);
	t->layout_count = 1;
	rc = read_rows(m, from, &t->layouts[0]);
	if (!rc)
		rc = mapping_columns(m, from, NULL, &t->layouts[0]);
	for (size_t i = 0; !rc && i < others; i++) {
		const struct etl_conf *conf = m->host->sub(from, "layouts", i);

		t->layout_count++;
		rc = read_rows(m, conf, &t->layouts[i + 1]);
		if (!rc)
			rc = mapping_columns(m, from, conf, &t->layouts[i + 1]);
	}
	return rc;
}

/* ---- What belongs to the table ------------------------------------------------------------------------------------ */

static int read_let(struct making *m, const struct etl_conf *conf, struct json_let *let)
{
	/* Its paths begin at the top of the file they look into. */
	static const struct json_layout whole = { .cut = JSON_CUT_WHOLE };
	const char *file = m->host->str(conf, "file");
	int rc;

	let->name = etl_arena_copy(&m->table->memory, m->host->str(conf, "name"));
	let->fallback = etl_arena_copy(&m->table->memory, m->host->str(conf, "default"));
	if (m->table->memory.failed)
		return mapping_no_memory(m);
	rc = mapping_takes(m, conf, &whole, let->name, &let->takes, &let->take_count);
	return rc ? rc : files_pattern_parse(&let->file, m->host, file, m->err);
}

static int read_lets(struct making *m, const struct etl_conf *from)
{
	struct json_table *t = m->table;
	size_t count = m->host->list(from, "let");
	int rc = ETL_OK;

	t->lets = etl_arena_alloc(&t->memory, (count + 1) * sizeof(*t->lets));
	if (!t->lets)
		return mapping_no_memory(m);
	for (size_t i = 0; !rc && i < count; i++) {
		t->let_count++;
		rc = read_let(m, m->host->sub(from, "let", i), &t->lets[i]);
	}
	return rc;
}

static int action_of(const char *word)
{
	return strcmp(word, "cascade") == 0  ? ETL_CASCADE :
	       strcmp(word, "set null") == 0 ? ETL_SET_NULL :
	       strcmp(word, "restrict") == 0 ? ETL_RESTRICT :
					       ETL_NO_ACTION;
}

static int check_columns(struct making *m, const char *what, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (json_column_find(m->table, names[i]) == SIZE_MAX)
			return m->host->fail(m->err, ETL_USAGE, NULL, 0,
					     "json: table \"%s\": %s names the column \"%s\", which `columns` does not",
					     m->table->name, what, names[i]);
	}
	return ETL_OK;
}

static int read_references(struct making *m, const struct etl_conf *from)
{
	struct json_table *t = m->table;
	size_t count = m->host->list(from, "references");
	int rc = ETL_OK;

	t->references = etl_arena_alloc(&t->memory, (count + 1) * sizeof(*t->references));
	if (!t->references)
		return mapping_no_memory(m);
	for (size_t i = 0; !rc && i < count; i++) {
		const struct etl_conf *conf = m->host->sub(from, "references", i);
		struct json_reference *r = &t->references[i];

		t->reference_count++;
		r->columns = mapping_list(m, conf, "columns", &r->column_count);
		r->to = mapping_list(m, conf, "to", &r->to_count);
		r->table = etl_arena_copy(&t->memory, m->host->str(conf, "table"));
		r->on_delete = action_of(m->host->str(conf, "on_delete"));
		rc = t->memory.failed ? mapping_no_memory(m) : check_columns(m, "references", r->columns, r->column_count);
		if (!rc && r->to_count && r->to_count != r->column_count)
			rc = m->host->fail(m->err, ETL_USAGE, NULL, 0,
					   "json: table \"%s\": a reference to \"%s\" has %zu columns here and %zu there",
					   t->name, r->table, r->column_count, r->to_count);
	}
	return rc;
}

/* ---- The key ------------------------------------------------------------------------------------------------------ */

/* In every layout the column is what {NAME} stands for, as it is; with NULL, a word that no two files have in common. */
static bool is_plain(const struct json_table *t, size_t column, const char *name)
{
	for (size_t i = 0; i < t->layout_count; i++) {
		const struct json_column *c = &t->layouts[i].columns[column];
		const struct take *take = c->takes;
		size_t size = name ? strlen(name) : 0;

		if (c->take_count != 1 || take->filter_count || c->map_count || c->null_count ||
		    (c->type.type != ETL_ANY && c->type.type != ETL_TEXT))
			return false;
		if (!name && take->start != START_FILE && take->start != START_ID)
			return false;
		if (name && (take->start != START_TEXT || strlen(take->text) != size + 2 || take->text[0] != '{' ||
			     strncmp(take->text + 1, name, size) != 0))
			return false;
	}
	return true;
}

static bool key_has(const struct json_table *t, const char *name)
{
	for (size_t i = 0; i < t->key_count; i++)
		if (is_plain(t, json_column_find(t, t->key[i]), name))
			return true;
	return false;
}

/* No two files have rows of one key: it says which file it is, by all that differs in the files' names. */
static bool key_tells_file(const struct json_table *t)
{
	const char *const *names;
	size_t count = t->files ? files_pattern_captures(t->files, &names) : 0;

	if (key_has(t, NULL))
		return true;
	if (!t->files || strchr(files_pattern_text(t->files), '*'))
		return false;
	for (size_t i = 0; i < count; i++)
		if (!key_has(t, names[i]))
			return false;
	return true;
}

static int read_rest(struct making *m, const struct etl_conf *from)
{
	struct json_table *t = m->table;
	const char *duplicates = m->host->str(from, "duplicates");
	int rc;

	t->key = mapping_list(m, from, "key", &t->key_count);
	t->except = mapping_list(m, from, "except", &t->except_count);
	t->duplicates = strcmp(duplicates, "first") == 0 ? DUPLICATES_FIRST :
			strcmp(duplicates, "last") == 0	 ? DUPLICATES_LAST :
							   DUPLICATES_KEEP;
	rc = t->memory.failed ? mapping_no_memory(m) : check_columns(m, "key", t->key, t->key_count);
	if (!rc && t->duplicates != DUPLICATES_KEEP && !t->key_count)
		rc = m->host->fail(m->err, ETL_USAGE, NULL, 0,
				   "json: table \"%s\": duplicates = \"%s\" needs a key to know them by", t->name, duplicates);
	t->across = !rc && t->duplicates != DUPLICATES_KEEP && !key_tells_file(t);
	if (!rc)
		rc = read_references(m, from);
	return rc ? rc : read_lets(m, from);
}

size_t json_column_find(const struct json_table *t, const char *name)
{
	for (size_t i = 0; i < t->column_count; i++) {
		if (strcmp(t->layouts[0].columns[i].name, name) == 0)
			return i;
	}
	return SIZE_MAX;
}

/* ---- Of a proposal --------------------------------------------------------------------------------------------------- */

static int propose_column(struct making *m, const struct json_layout *layout, const struct proposed_column *from,
			  struct json_column *c)
{
	const char *why;

	*c = (struct json_column){ .name = etl_arena_copy(&m->table->memory, from->name),
				   .declared = etl_arena_copy(&m->table->memory, from->type),
				   .required = from->required };
	c->takes = etl_arena_alloc(&m->table->memory, sizeof(*c->takes));
	if (m->table->memory.failed || !etl_type_parse(from->type, &c->type, &c->length))
		return mapping_no_memory(m);
	c->take_count = 1;
	if (json_take_parse(&m->table->memory, from->path, layout, c->takes, &why))
		return ETL_OK;
	if (m->table->memory.failed)
		return mapping_no_memory(m);
	return m->host->fail(m->err, ETL_USAGE, NULL, 0,
			     "json: table \"%s\": a column of what was found at \"%s\": %s; write the pipeline by hand",
			     m->table->name, from->path, why);
}

/* Nothing was said of the columns: those that are in the rows. */
static int find_columns(struct making *m, const struct etl_conf *from)
{
	struct json_table *t = m->table;
	const struct proposal *found = NULL;
	int rc;

	if (t->layout_count > 1)
		return m->host->fail(m->err, ETL_USAGE, NULL, 0, "json: table \"%s\": several layouts need `columns`", t->name);
	rc = json_found_columns(m->inst, t, m->host->given(from, "files") ? m->host->str(from, "files") : "", &found, m->err);
	if (rc)
		return rc;
	t->layouts[0].columns = etl_arena_alloc(&t->memory, (found->column_count + 1) * sizeof(*t->layouts[0].columns));
	if (!t->layouts[0].columns)
		return mapping_no_memory(m);
	t->column_count = found->column_count;
	for (size_t i = 0; !rc && i < found->column_count; i++) {
		struct json_column *c = &t->layouts[0].columns[i];

		rc = propose_column(m, &t->layouts[0], &found->columns[i], c);
		c->nulls = t->nulls;
		c->null_count = t->null_count;
	}
	if (!rc)
		mapping_sum(t, &t->layouts[0]);
	return rc;
}

/* ---- The table ------------------------------------------------------------------------------------------------------ */

void json_table_free(struct json_table *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->layout_count; i++) {
		struct json_layout *l = &t->layouts[i];

		json_path_free(l->rows);
		for (size_t j = 0; l->columns && j < t->column_count; j++) {
			for (size_t k = 0; k < l->columns[j].take_count; k++)
				json_take_free(&l->columns[j].takes[k]);
		}
	}
	for (size_t i = 0; i < t->let_count; i++) {
		files_pattern_free(t->lets[i].file);
		for (size_t j = 0; j < t->lets[i].take_count; j++)
			json_take_free(&t->lets[i].takes[j]);
	}
	files_pattern_free(t->files);
	etl_arena_free(&t->memory);
	free(t);
}

int json_table_new(struct etl_instance *inst, const char *name, const struct etl_conf *from, struct json_table **ret,
		   struct etl_error *err)
{
	struct json_table *t = calloc(1, sizeof(*t));
	struct making m = { inst, inst->host, err, t };
	int rc;

	if (!t)
		return inst->host->fail(err, ETL_MEMORY, NULL, 0, "json: no memory for a table");
	t->name = etl_arena_copy(&t->memory, name);
	t->nulls = mapping_list(&m, from, "null_values", &t->null_count);
	rc = t->name ? ETL_OK : mapping_no_memory(&m);
	if (!rc && inst->host->given(from, "files"))
		rc = files_pattern_parse(&t->files, inst->host, inst->host->str(from, "files"), err);
	if (!rc)
		rc = read_layouts(&m, from);
	if (!rc && t->column_count == 0 && inst->host->role == ETL_ROLE_SOURCE)
		rc = find_columns(&m, from);
	if (!rc)
		rc = read_rest(&m, from);
	if (!rc)
		rc = json_names_check(inst, t, err);
	if (rc)
		json_table_free(t);
	else
		*ret = t;
	return rc;
}

/* ---- A whole proposal --------------------------------------------------------------------------------------------------- */

static int propose_layout(struct making *m, const struct proposal *p)
{
	struct json_layout *layout = etl_arena_alloc(&m->table->memory, sizeof(*layout));
	struct json_path_flaw flaw;
	int rc = ETL_OK;

	if (!layout)
		return mapping_no_memory(m);
	m->table->layouts = layout;
	m->table->layout_count = 1;
	layout->columns = etl_arena_alloc(&m->table->memory, (p->column_count + 1) * sizeof(*layout->columns));
	if (!layout->columns)
		return mapping_no_memory(m);
	layout->cut = cut_of(p->shape ? p->shape : "auto");
	if (p->rows) {
		layout->rows = json_path_parse(p->rows, &flaw);
		if (!layout->rows && flaw.no_memory)
			return mapping_no_memory(m);
		if (!layout->rows)
			return m->host->fail(m->err, ETL_USAGE, NULL, 0, "json: rows at \"%s\": %s", p->rows, flaw.reason);
		rc = layout->cut == JSON_CUT_LINES ? ETL_OK : place_cut(m, layout);
	}
	m->table->except = p->except;
	m->table->except_count = p->except_count;
	m->table->column_count = p->column_count;
	for (size_t i = 0; !rc && i < p->column_count; i++) {
		rc = propose_column(m, layout, &p->columns[i], &layout->columns[i]);
	}
	if (!rc)
		mapping_sum(m->table, layout);
	return rc;
}

static int propose_keys(struct making *m, const struct proposal *p)
{
	struct json_table *t = m->table;
	const char **key = etl_arena_alloc(&t->memory, (p->key_count + 1) * sizeof(*key));
	const char **refers = etl_arena_alloc(&t->memory, (p->refers_count + 1) * sizeof(*refers));
	const char **to = etl_arena_alloc(&t->memory, (p->refers_count + 1) * sizeof(*to));

	t->references = etl_arena_alloc(&t->memory, sizeof(*t->references));
	if (!key || !refers || !to || !t->references)
		return mapping_no_memory(m);
	for (size_t i = 0; i < p->key_count; i++)
		key[i] = etl_arena_copy(&t->memory, p->key[i]);
	t->key = key;
	t->key_count = p->key_count;
	if (!p->parent || !p->refers_count)
		return t->memory.failed ? mapping_no_memory(m) : ETL_OK;
	for (size_t i = 0; i < p->refers_count; i++) {
		refers[i] = etl_arena_copy(&t->memory, p->refers[i]);
		to[i] = etl_arena_copy(&t->memory, p->parent->key[i]);
	}
	*t->references = (struct json_reference){ refers, p->refers_count, etl_arena_copy(&t->memory, p->parent->name), to,
						  p->refers_count, ETL_CASCADE };
	t->reference_count = 1;
	return t->memory.failed ? mapping_no_memory(m) : ETL_OK;
}

int json_table_propose(struct etl_instance *inst, const struct proposal *p, struct json_table **ret, struct etl_error *err)
{
	struct json_table *t = calloc(1, sizeof(*t));
	struct making m = { inst, inst->host, err, t };
	int rc;

	if (!t)
		return inst->host->fail(err, ETL_MEMORY, NULL, 0, "json: no memory for a table");
	t->name = etl_arena_copy(&t->memory, p->name);
	rc = t->name ? ETL_OK : mapping_no_memory(&m);
	/* Of a root that is the file, or standard input, there is nothing to say. */
	if (!rc && *p->files)
		rc = files_pattern_parse(&t->files, inst->host, p->files, err);
	if (!rc)
		rc = propose_layout(&m, p);
	if (!rc)
		rc = propose_keys(&m, p);
	if (rc)
		json_table_free(t);
	else
		*ret = t;
	return rc;
}
