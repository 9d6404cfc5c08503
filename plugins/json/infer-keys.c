/*
 * Keys. A column that is always there and never twice the same is one; with what the file's name says beside it, if need be. All
 * rows are looked at. Where nothing is, a row is known by its place: "#id", the same in every run over the same files. A table
 * below another has its parent's key and its own place in it.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "doubles.h"
#include "infer.h"
#include "rows.h"

#define CANDIDATES 8  /* an even number */
#define PASSES	   16 /* over all rows, at most */

/* A column, alone or with what the file's name says beside it. */
struct candidate {
	size_t column;
	bool captures;
	bool stands;            /* still without a double */
	bool done;              /* all of its keys were looked at */
	struct doubles doubles;
};

/* How much a name sounds like a key; 0: not at all. */
static int sound(const char *name)
{
	static const char *const whole[] = { "id", "key", "uuid", "guid", "_id", "code", "name" };
	size_t size = strlen(name);

	for (size_t i = 0; i < sizeof(whole) / sizeof(*whole); i++) {
		if (strcasecmp(name, whole[i]) == 0)
			return 100 - (int)i;
	}
	if (size > 2 && strcasecmp(name + size - 2, "id") == 0)
		return 50;
	return size > 3 && strcasecmp(name + size - 3, "key") == 0 ? 40 : 0;
}

static bool may_be_key(const struct proposed_column *c)
{
	return c->required && !c->doubt &&
	       (strcmp(c->type, "bigint") == 0 || strcmp(c->type, "text") == 0 || strcmp(c->type, "uuid") == 0);
}

static bool is_capture(const struct proposed_column *c)
{
	return c->path[0] == '{';
}

/* The best sounding ones, each alone first. A column that only happens to differ in the rows of today is none. */
static size_t find_candidates(const struct proposal *p, struct candidate *at)
{
	bool captures = p->column_count > 0 && is_capture(&p->columns[0]);
	size_t count = 0;

	for (int score = 100; score > 0; score--) {
		for (size_t i = 0; i < p->column_count && count < CANDIDATES; i++) {
			if (!may_be_key(&p->columns[i]) || is_capture(&p->columns[i]) || sound(p->columns[i].name) != score)
				continue;
			at[count++] = (struct candidate){ .column = i, .stands = true };
			if (captures)
				at[count++] = (struct candidate){ .column = i, .captures = true, .stands = true };
		}
	}
	return count;
}

/* ---- All rows --------------------------------------------------------------------------------------------------- */

static void add_text(XXH3_state_t *state, const struct json_value *v)
{
	XXH3_128bits_update(state, &v->size, sizeof(v->size));
	XXH3_128bits_update(state, v->text, v->size);
}

/* As a column of that type has it: two texts can be one value. */
static void add_value(XXH3_state_t *state, const struct json_value *v, const char *type)
{
	char uuid[36];

	if (strcmp(type, "bigint") == 0 && v->size == 2 && memcmp(v->text, "-0", 2) == 0) {
		add_text(state, &(struct json_value){ .text = "0", .size = 1 });
	} else if (strcmp(type, "uuid") == 0 && v->size == sizeof(uuid)) {
		for (size_t i = 0; i < sizeof(uuid); i++)
			uuid[i] = v->text[i] >= 'A' && v->text[i] <= 'F' ? (char)(v->text[i] + ('a' - 'A')) : v->text[i];
		add_text(state, &(struct json_value){ .text = uuid, .size = sizeof(uuid) });
	} else {
		add_text(state, v);
	}
}

/* The captures of this row, which come first among the columns. */
static bool add_captures(XXH3_state_t *state, struct rows *rows, const struct proposal *p)
{
	for (size_t i = 0; i < p->column_count && is_capture(&p->columns[i]); i++) {
		struct json_value v;

		if (json_row_value(&rows->now, &rows->file.layout->columns[i], &rows->work, &v) || v.state == VALUE_ABSENT)
			return false;
		add_text(state, &v);
	}
	return true;
}

/* False: no memory. */
static bool try(struct candidate *c, struct rows *rows, const struct proposal *p, uint64_t number)
{
	XXH3_state_t state;
	XXH128_hash_t hash;
	struct json_value v;

	if (!c->stands || c->done)
		return true;
	XXH3_128bits_reset(&state);
	if (json_row_value(&rows->now, &rows->file.layout->columns[c->column], &rows->work, &v) ||
	    (v.state != VALUE_TEXT && v.state != VALUE_NUMBER) || (c->captures && !add_captures(&state, rows, p))) {
		c->stands = false;
		return true;
	}
	add_value(&state, &v, p->columns[c->column].type);
	hash = XXH3_128bits_digest(&state);
	if (!json_doubles_add(&c->doubles, hash.high64, hash.low64, number))
		return false;
	c->stands = !json_doubles_any(&c->doubles);
	if (!c->stands)
		json_doubles_free(&c->doubles);
	return true;
}

/* Those that stand share the memory. */
static void share_memory(const struct etl_host *host, struct candidate *at, size_t count)
{
	size_t stand = 0, limit;

	for (size_t i = 0; i < count; i++)
		stand += at[i].stands && !at[i].done;
	limit = (size_t)host->memory / (4 * sizeof(struct seen_slot) * (stand + !stand));
	for (size_t i = 0; i < count; i++)
		at[i].doubles.limit = limit + !limit;
}

static int look(struct etl_instance *inst, const struct proposal *p, struct candidate *at, size_t count, struct rows *rows,
		struct etl_error *err)
{
	uint64_t number = 0;
	int rc;

	while ((rc = json_rows_next(rows)) == ETL_FILL_MORE) {
		if (number++ % 1024 == 0)
			share_memory(inst->host, at, count);
		for (size_t i = 0; i < count; i++) {
			if (!try(&at[i], rows, p, number))
				return inst->host->fail(err, ETL_MEMORY, NULL, 0, "json: no memory to look for keys");
		}
	}
	return rc;
}

/* Where memory has no room for all keys at a time the rows are gone through more than once. */
static bool look_again(struct candidate *at, size_t count)
{
	bool again = false;

	for (size_t i = 0; i < count; i++) {
		at[i].done = at[i].done || !at[i].stands || !json_doubles_more(&at[i].doubles);
		again |= !at[i].done;
	}
	return again;
}

/* *ret_all: false when there are too many rows to say it of all. */
static int try_candidates(struct etl_instance *inst, const struct proposal *p, struct candidate *at, size_t count, bool *ret_all,
			  struct etl_error *err)
{
	struct files_list list = { 0 };
	struct json_table *table = NULL;
	struct rows rows;
	bool skips = inst->skip_broken;
	int rc = json_table_propose(inst, p, &table, err);

	if (rc)
		return rc;
	inst->skip_broken = true;
	*ret_all = true;
	for (size_t i = 0; i < count; i++)
		json_doubles_begin(&at[i].doubles, 1, false);
	rc = files_list(inst->files, table->files, &list, err);
	for (int pass = 1; !rc; pass++) {
		rc = json_rows_begin(&rows, inst, table, &list, 0, list.count, NULL, err);
		if (!rc)
			rc = look(inst, p, at, count, &rows, err);
		json_rows_end(&rows);
		*ret_all = rc || !look_again(at, count);
		if (*ret_all || pass == PASSES)
			break;
	}
	inst->skip_broken = skips;
	files_list_clear(&list);
	json_table_free(table);
	return rc;
}

/* ---- What is taken ------------------------------------------------------------------------------------------------- */

static bool add_key(struct arena *a, struct proposal *p, const char *name)
{
	const char **key = etl_arena_push(a, p->key, p->key_count, sizeof(*key));

	if (!key)
		return false;
	p->key = key;
	key[p->key_count++] = name;
	return true;
}

static bool add_front(struct arena *a, struct proposal *p, const char *name, const char *path, const char *type)
{
	struct proposed_column *columns = etl_arena_push(a, p->columns, p->column_count, sizeof(*columns));
	size_t at = 0;

	if (!columns)
		return false;
	p->columns = columns;
	while (at < p->column_count && is_capture(&columns[at]))
		at++;
	memmove(columns + at + 1, columns + at, (p->column_count - at) * sizeof(*columns));
	p->column_count++;
	columns[at] = (struct proposed_column){ name, path, type, true, NULL };
	return true;
}

static bool name_taken(const struct proposal *p, const char *name)
{
	for (size_t i = 0; i < p->column_count; i++) {
		if (strcasecmp(p->columns[i].name, name) == 0)
			return true;
	}
	return false;
}

/* ONE and TWO together, cut as other names are. */
static const char *free_name(struct arena *a, const struct proposal *p, const char *one, const char *two)
{
	char unique[JSON_PROPOSED_NAME_MAX + 16];
	struct etl_text name = { 0 };
	const char *ret = NULL;
	size_t size;

	etl_text_addf(&name, "%s_%s", one, two);
	if (!name.failed) {
		size = json_proposed_size(name.at);
		snprintf(unique, sizeof(unique), "%.*s", (int)size, name.at);
		for (int i = 2; name_taken(p, unique); i++)
			snprintf(unique, sizeof(unique), "%.*s_%d", (int)size, name.at, i);
		ret = etl_arena_copy(a, unique);
	}
	etl_text_free(&name);
	return ret;
}

static bool take_captures(struct arena *a, struct proposal *p)
{
	for (size_t i = 0; i < p->column_count && is_capture(&p->columns[i]); i++) {
		if (!add_key(a, p, p->columns[i].name))
			return false;
	}
	return true;
}

static bool take_place(struct arena *a, struct proposal *p, bool all)
{
	const char *name = free_name(a, p, "", "id");
	const char **doubts = etl_arena_push(a, p->doubts, p->doubt_count, sizeof(*doubts));

	if (!name || !doubts)
		return false;
	p->doubts = doubts;
	doubts[p->doubt_count++] = !all ? "too many rows to see whether a column is a key: memory_limit has room for few of them at a time" :
					  "no column that is called like a key is there in every row and never twice the same: a row is known by its place in its file";
	return add_front(a, p, name, "#id", "text") && add_key(a, p, name);
}

static bool one_row_a_file(const struct proposal *p)
{
	return !p->rows && p->shape && strcmp(p->shape, "object") == 0;
}

static int key_of_root(struct etl_instance *inst, struct inference *found, struct proposal *p, struct etl_error *err)
{
	struct candidate at[CANDIDATES];
	size_t count = find_candidates(p, at), best = 0;
	bool done, all = true;
	int rc = ETL_OK;

	if (p->column_count > 0 && is_capture(&p->columns[0]) &&
	    (one_row_a_file(p) || (p->rows && p->rows[strlen(p->rows) - 1] == '}'))) {
		done = take_captures(&found->memory, p);
		return done ? ETL_OK : inst->host->fail(err, ETL_MEMORY, NULL, 0, "json: no memory for keys");
	}
	if (count > 0)
		rc = try_candidates(inst, p, at, count, &all, err);
	for (size_t i = 0; i < count; i++)
		json_doubles_free(&at[i].doubles);
	if (rc)
		return rc;
	while (best < count && !(at[best].stands && at[best].done))
		best++;
	done = best == count ? take_place(&found->memory, p, all) :
			       (!at[best].captures || take_captures(&found->memory, p)) &&
				       add_key(&found->memory, p, p->columns[at[best].column].name);
	return done ? ETL_OK : inst->host->fail(err, ETL_MEMORY, NULL, 0, "json: no memory for keys");
}

/* How a child says what a column of its parent says: the parent's own path, from where the parent's rows are. */
static const char *seen_from_child(struct arena *a, const struct proposal *parent, const char *path)
{
	const char *rows = parent->rows ? parent->rows : "$", *ret;
	struct etl_text text = { 0 };

	if (*path == '@')
		etl_text_addf(&text, "%s%s", rows, path + 1);
	else if (strcmp(path, "#id") == 0 || strcmp(path, "#index") == 0)
		etl_text_addf(&text, "%s %s", path, rows);
	else
		return path;
	ret = text.failed ? NULL : etl_arena_copy(a, text.at);
	etl_text_free(&text);
	return ret;
}

static const struct proposed_column *column_of(const struct proposal *p, const char *name)
{
	for (size_t i = 0; i < p->column_count; i++) {
		if (strcmp(p->columns[i].name, name) == 0)
			return &p->columns[i];
	}
	return NULL;
}

static bool refer(struct arena *a, struct proposal *p, const struct proposed_column *theirs)
{
	const char **refers = etl_arena_push(a, p->refers, p->refers_count, sizeof(*refers));
	const char *name = theirs->name, *path;

	if (!refers)
		return false;
	p->refers = refers;
	/* What the file's name says is here already. */
	if (!is_capture(theirs) || !column_of(p, name) || strcmp(column_of(p, name)->path, theirs->path) != 0) {
		name = free_name(a, p, p->parent->name, theirs->name);
		path = seen_from_child(a, p->parent, theirs->path);
		if (!name || !path || !add_front(a, p, name, path, theirs->type))
			return false;
	}
	refers[p->refers_count++] = name;
	return add_key(a, p, name);
}

/* The column with the name of the member that a row of a map is. */
static const char *member_column(const struct proposal *p)
{
	for (size_t i = 0; i < p->column_count; i++) {
		if (strcmp(p->columns[i].path, strrchr(p->rows, '{')) == 0)
			return p->columns[i].name;
	}
	return "key";
}

/* The parent's key, then the name of the member or the place among the elements. */
static int key_of_child(struct etl_instance *inst, struct inference *all, struct proposal *p, struct etl_error *err)
{
	const struct proposal *parent = p->parent;
	bool member = p->rows[strlen(p->rows) - 1] == '}', done = true;
	const char *place;

	for (size_t i = 0; done && i < parent->key_count; i++)
		done = refer(&all->memory, p, column_of(parent, parent->key[i]));
	if (done && member) {
		done = add_key(&all->memory, p, member_column(p));
	} else if (done) {
		place = free_name(&all->memory, p, "", "index");
		done = place && add_front(&all->memory, p, place, "#index", "bigint") && add_key(&all->memory, p, place);
	}
	return done ? ETL_OK : inst->host->fail(err, ETL_MEMORY, NULL, 0, "json: no memory for keys");
}

/* Parents stand before their children. */
int json_find_keys(struct etl_instance *inst, struct inference *all, struct etl_error *err)
{
	int rc = ETL_OK;

	for (size_t i = 0; !rc && i < all->count; i++) {
		struct proposal *p = all->at[i];

		rc = p->parent ? key_of_child(inst, all, p, err) : key_of_root(inst, all, p, err);
	}
	return rc;
}
