/*
 * What one row says at one place, as JSON: an object of the members that its columns give, with objects within it as their paths
 * say. A value that a column keeps whole stands for all that is in it.
 */
#include "config.h"

#include <string.h>

#include "path-parts.h"
#include "target.h"

struct writing {
	const struct load_plan *lp;
	const struct cell *cells;
	const struct names *names;
	struct etl_text *to;
};

static const struct cell *cell_of(const struct writing *w, const struct placing *p)
{
	return &w->cells[p - w->lp->columns];
}

static bool is_word(const struct cell *c, const char *word)
{
	return c->size == strlen(word) && memcmp(c->text, word, c->size) == 0;
}

static bool is_number(const char *text, size_t size)
{
	struct json_members m;

	return size > 0 && (*text == '-' || (*text >= '0' && *text <= '9')) && !json_members_begin(&m, text, size) &&
	       strspn(text, "-+0123456789.eE") >= size;
}

/* It is what the column has when the file says nothing. */
static bool is_default(const struct writing *w, const struct placing *p, const struct cell *c)
{
	struct etl_text text = { 0 };
	bool is = false;

	if (!p->from || !p->from->fallback || !(p->made_default || w->lp->omit_defaults) || c->kind == CELL_NULL)
		return false;
	if (names_fill(w->names, p->from->fallback, &text) && !text.failed) {
		const char *at = text.at ? text.at : "";

		is = is_word(c, at) || (c->kind == CELL_JSON && is_number(c->text, c->size) && is_number(at, text.length) &&
					json_number_equal(c->text, c->size, at, text.length));
	}
	etl_text_free(&text);
	return is;
}

static bool is_null(const struct writing *w, const struct placing *p)
{
	return !p || cell_of(w, p)->kind == CELL_NULL;
}

/* Every column that goes into it is NULL, those with `presence` too: nothing says that it was there. */
static bool is_hollow(const struct writing *w, const struct spot *spot)
{
	if (!is_null(w, spot->value) || !is_null(w, spot->guard))
		return false;
	for (size_t i = 0; i < spot->splice_count; i++) {
		if (!is_null(w, spot->splices[i]))
			return false;
	}
	for (size_t i = 0; i < spot->child_count; i++) {
		if (!is_hollow(w, spot->children[i]))
			return false;
	}
	return true;
}

static int write_spot(const struct writing *w, const struct spot *spot, bool top, bool only_always);

/* ---- Objects and arrays ----------------------------------------------------------------------------------------------- */

static void add_name(struct etl_text *to, size_t *count, const char *name)
{
	if ((*count)++)
		etl_text_add(to, ",");
	etl_text_add_json(to, name, strlen(name));
	etl_text_add(to, ":");
}

/* A member that is written by a column of its own, or a container that has rows of its own. */
static bool is_own(const struct spot *spot, const char *name, size_t size, bool only_always)
{
	for (size_t i = 0; i < spot->child_count; i++) {
		const struct spot *child = spot->children[i];
		bool always = child->always || (child->value && child->value->write == WRITE_ALWAYS);

		if (child->index < 0 && (always || !only_always) && json_text_is(name, size, child->name, strlen(child->name)))
			return true;
	}
	for (size_t i = 0; spot->place && i < spot->place->child_count; i++) {
		const struct place *child = spot->place->children[i];

		if (child->step == STEP_NAME && json_text_is(name, size, child->name, strlen(child->name)))
			return true;
	}
	return false;
}

static void add_members(const struct writing *w, const struct spot *spot, const struct cell *c, bool only_always,
			size_t *count)
{
	struct json_members m;
	const char *name, *value;
	size_t name_size, value_size;

	if (!json_members_begin(&m, c->text, c->size) || m.array)
		return;
	while (json_members_next(&m, &name, &name_size, &value, &value_size)) {
		if (is_own(spot, name, name_size, only_always))
			continue;
		etl_text_add(w->to, (*count)++ ? ",\"" : "\"");
		etl_text_add_bytes(w->to, name, name_size);
		etl_text_add(w->to, "\":");
		etl_text_add_bytes(w->to, value, value_size);
	}
}

static void cut_back(struct etl_text *to, size_t length)
{
	to->length = length;
	if (to->at)
		to->at[length] = '\0';
}

static void add_children(const struct writing *w, const struct spot *spot, bool only_always, size_t *count)
{
	for (size_t i = 0; i < spot->child_count; i++) {
		const struct spot *child = spot->children[i];
		size_t was = w->to->length, had = *count;

		add_name(w->to, count, child->name);
		if (write_spot(w, child, false, only_always) == SPOT_ABSENT) {
			cut_back(w->to, was);
			*count = had;
		}
	}
}

/* The row's own object, and a container that has rows in it, are there whatever their columns are; so is what `always` asks for. */
static bool may_be_null(const struct spot *spot, const struct cell *whole, bool top)
{
	return !whole && !top && !spot->always && (!spot->place || spot->place->kind == PLACE_LEAF);
}

static int write_object(const struct writing *w, const struct spot *spot, const struct cell *whole, bool top)
{
	size_t was = w->to->length, count = 0;

	etl_text_add(w->to, "{");
	if (may_be_null(spot, whole, top) && is_hollow(w, spot))
		etl_text_add_bytes(w->to, &(const char){ JSON_HOLLOW }, 1);
	add_children(w, spot, whole != NULL, &count);
	if (whole)
		add_members(w, spot, whole, true, &count);
	for (size_t i = 0; i < spot->splice_count; i++)
		add_members(w, spot, cell_of(w, spot->splices[i]), false, &count);
	etl_text_add(w->to, "}");
	if (count == 0 && !top && !whole) {
		cut_back(w->to, was);
		return SPOT_ABSENT;
	}
	return SPOT_WRITTEN;
}

static const struct spot *element(const struct spot *spot, int64_t index)
{
	for (size_t i = 0; i < spot->child_count; i++) {
		if (spot->children[i]->index == index)
			return spot->children[i];
	}
	return NULL;
}

/* Elements stand at their index, so what is before them is null when it is not there. */
static int write_array(const struct writing *w, const struct spot *spot)
{
	int64_t last = -1;
	size_t was = w->to->length, end = was;
	bool any = false;

	for (size_t i = 0; i < spot->child_count; i++)
		last = spot->children[i]->index > last ? spot->children[i]->index : last;
	etl_text_add(w->to, "[");
	for (int64_t i = 0; i <= last; i++) {
		const struct spot *child = element(spot, i);

		etl_text_add(w->to, i ? "," : "");
		if (child && write_spot(w, child, false, false) == SPOT_WRITTEN) {
			any = true;
			end = w->to->length;
		} else {
			etl_text_add(w->to, "null");
		}
	}
	cut_back(w->to, any ? end : was);
	if (any)
		etl_text_add(w->to, "]");
	return any ? SPOT_WRITTEN : SPOT_ABSENT;
}

/* ---- A value ------------------------------------------------------------------------------------------------------------ */

/* Nothing to write: is it null in the file, empty, or not there at all? */
static int write_nothing(const struct writing *w, const struct spot *spot, bool top)
{
	const struct cell *guard = spot->guard ? cell_of(w, spot->guard) : NULL;
	bool null = guard ? is_word(guard, "null") : spot->value && (top || !w->lp->omit_nulls);
	bool container = spot->child_count || (spot->place && spot->place->kind != PLACE_LEAF);
	bool array = spot->place && spot->place->kind != PLACE_LEAF ? spot->place->kind != PLACE_OBJECT : spot->is_array;

	if (!null && !(guard && container && (is_word(guard, "empty") || (is_word(guard, "value") && spot->child_count))))
		return SPOT_ABSENT;
	etl_text_add(w->to, null ? "null" : array ? "[]" : "{}");
	return SPOT_WRITTEN;
}

static bool has_containers(const struct spot *spot)
{
	return spot->child_count || spot->splice_count || (spot->place && spot->place->child_count);
}

static int write_value(const struct writing *w, const struct spot *spot, const struct cell *c, bool top)
{
	if (has_containers(spot) && c->kind == CELL_JSON && c->size && *c->text == '{')
		return write_object(w, spot, c, top);
	json_cell_write(w->to, c);
	return SPOT_WRITTEN;
}

/* ONLY_ALWAYS: all else is in a value that was kept whole. */
static int write_spot(const struct writing *w, const struct spot *spot, bool top, bool only_always)
{
	const struct cell *c = spot->value ? cell_of(w, spot->value) : NULL;
	bool always = spot->value && spot->value->write == WRITE_ALWAYS;

	if (only_always && !always && !spot->always)
		return SPOT_ABSENT;
	if (only_always && !always)
		c = NULL;
	if (c && !top && is_default(w, spot->value, c))
		return SPOT_ABSENT;
	if (c && c->kind != CELL_NULL)
		return write_value(w, spot, c, top);
	if (spot->guard && (is_word(cell_of(w, spot->guard), "null") || is_word(cell_of(w, spot->guard), "absent")))
		return write_nothing(w, spot, top);
	if (spot->child_count && spot->is_array && write_array(w, spot) == SPOT_WRITTEN)
		return SPOT_WRITTEN;
	if ((spot->child_count || spot->splice_count) && !spot->is_array && write_object(w, spot, NULL, top) == SPOT_WRITTEN)
		return SPOT_WRITTEN;
	return write_nothing(w, spot, top);
}

int json_spot_write(const struct spot *spot, bool row, const struct load_plan *lp, const struct cell *cells, const struct names *names,
		    struct etl_text *to)
{
	struct writing w = { lp, cells, names, to };

	return write_spot(&w, spot, row, false);
}
