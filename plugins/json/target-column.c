/*
 * What a column of the mapping says about its file, seen from the other side: whether its value stands somewhere as it is, can be
 * made again, or was made of something. Of several columns that tell of one place the one that says most is written.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "path-parts.h"
#include "target.h"

static bool all_filters(const struct take *t, const char *const *names)
{
	for (size_t i = 0; i < t->filter_count; i++) {
		size_t j = 0;

		while (names[j] && !json_filter_is(&t->filters[i], names[j]))
			j++;
		if (!names[j])
			return false;
	}
	return true;
}

static bool has_filter(const struct take *t, const char *name)
{
	for (size_t i = 0; t && i < t->filter_count; i++) {
		if (json_filter_is(&t->filters[i], name))
			return true;
	}
	return false;
}

/* Every text stands for one other: what it became says what it was. */
static bool map_is_one_to_one(const struct json_column *c)
{
	for (size_t i = 0; i + 1 < c->map_count; i += 2) {
		if (strpbrk(c->map[i], "*?"))
			return false;
		for (size_t j = 0; j < i; j += 2) {
			if (strcmp(c->map[j + 1], c->map[i + 1]) == 0)
				return false;
		}
	}
	return true;
}

static int32_t rank_of(const struct json_column *c)
{
	/* These look at a value and let it through or not. */
	static const char *const kinds[] = { "number", "string", "object", "array", "scalar", "json", NULL };
	static const char *const inverse[] = { "plus", "string", "json", NULL };
	static const char *const members[] = { "only", "without", "presence", NULL };
	const struct take *t = &c->takes[0];
	bool one = t->filter_count == 1 && all_filters(t, members);
	int32_t rank = all_filters(t, kinds) || one ? RANK_EXACT :
		       all_filters(t, inverse)	    ? RANK_INVERSE :
						      RANK_DERIVED;

	/* The first of several that is a number: which one it was is not known. */
	if (rank == RANK_EXACT && !one && t->filter_count && c->take_count > 1)
		rank = RANK_DERIVED;
	if (c->map_count && !map_is_one_to_one(c))
		rank = RANK_DERIVED;
	else if (c->map_count && rank == RANK_EXACT)
		rank = RANK_INVERSE;
	return rank;
}

static int32_t wanted_of(const struct json_column *c, const struct take *t, const struct json_layout *layout)
{
	switch (c->type.type) {
	case ETL_JSON:
		return WANT_JSON;
	case ETL_BOOL:
		return WANT_BOOL;
	case ETL_INT16:
	case ETL_INT32:
	case ETL_INT64:
	case ETL_FLOAT32:
	case ETL_FLOAT64:
	case ETL_DECIMAL:
	case ETL_NUMERIC:
		return WANT_NUMBER;
	case ETL_TEXT:
		return WANT_TEXT;
	default:
		break;
	}
	if (has_filter(t, "truthy"))
		return WANT_BOOL;
	if (has_filter(t, "json") || has_filter(t, "only") || has_filter(t, "without") || has_filter(t, "object") ||
	    has_filter(t, "array"))
		return WANT_JSON;
	if (t->start == START_ROW && t->path->count == 0 && t->filter_count == 0 &&
	    (layout->kinds == KINDS_OBJECT || layout->kinds == KINDS_ARRAY))
		return WANT_JSON;
	return WANT_ANY;
}

/* ---- Paths -------------------------------------------------------------------------------------------------------- */

static bool read_piece(const struct json_segment *segment, struct piece_of_path *ret)
{
	*ret = (struct piece_of_path){ .index = -1 };
	switch (json_segment_kind(segment)) {
	case JSON_SELECT_NAME:
		ret->step = STEP_NAME;
		ret->name = json_segment_name(segment);
		return true;
	case JSON_SELECT_CAPTURE:
		ret->step = STEP_CAPTURE;
		ret->name = json_segment_name(segment);
		return true;
	case JSON_SELECT_INDEX:
		ret->step = STEP_EACH;
		ret->index = segment->selectors[0].from;
		return ret->index >= 0 && ret->index < 1000;
	default:
		return false;
	}
}

static size_t common(const struct json_path *a, const struct json_path *b)
{
	size_t n = 0;

	while (b && n < a->count && n < b->count && json_segment_equal(&a->segments[n], &b->segments[n]))
		n++;
	return n;
}

/* Equal texts for equal paths: 1.name 2.{name} 3.index, none of which a name can be mistaken for behind its size. */
static const char *path_text(struct arena *a, const struct placing *p)
{
	struct etl_text text = { 0 };
	const char *to;

	for (size_t i = 0; i < p->piece_count; i++) {
		const struct piece_of_path *piece = &p->pieces[i];

		etl_text_addf(&text, "%d.%lld.%zu:%s\x1f", (int)piece->step, (long long)piece->index,
			      piece->name ? strlen(piece->name) : 0, piece->name ? piece->name : "");
	}
	to = text.failed ? NULL : etl_arena_copy(a, text.at ? text.at : "");
	etl_text_free(&text);
	return to;
}

static int read_path(struct target_plan *plan, struct load_plan *lp, struct placing *p, struct etl_error *err)
{
	const struct json_path *path = p->take->path, *rows = lp->mapping->layouts[0].rows;
	size_t along = p->take->start == START_ROW ? 0 : common(path, rows);

	p->anchor = p->take->start == START_ROW ? lp->depth : lp->base + along;
	p->pieces = etl_arena_alloc(&plan->memory, (path->count - along + 1) * sizeof(*p->pieces));
	if (!p->pieces)
		return json_plan_no_memory(plan, err);
	/* Without a path of rows the record is the row, and $ is it too. */
	if (p->take->start != START_ROW && !rows)
		p->anchor = lp->depth;
	for (size_t i = along; i < path->count; i++) {
		if (!read_piece(&path->segments[i], &p->pieces[p->piece_count++])) {
			p->rank = RANK_NEVER;
			p->why = "its path stands for more than one place";
		}
	}
	p->path = path_text(&plan->memory, p);
	return p->path ? ETL_OK : json_plan_no_memory(plan, err);
}

/* ---- From the mapping ------------------------------------------------------------------------------------------------ */

static int32_t write_of(const char *word)
{
	return !word || strcmp(word, "auto") == 0 ? WRITE_AUTO : strcmp(word, "never") == 0 ? WRITE_NEVER : WRITE_ALWAYS;
}

static int read_mapped(struct target_plan *plan, struct load_plan *lp, const struct json_column *c, struct placing *p,
		       struct etl_error *err)
{
	p->from = c;
	p->take = c->take_count ? &c->takes[0] : NULL;
	p->rank = RANK_NEVER;
	p->made_default = c->fallback && strchr(c->fallback, '{');
	if (!p->take || p->take->start > START_OUTER)
		return ETL_OK;
	p->rank = rank_of(c);
	p->wanted = wanted_of(c, p->take, &lp->mapping->layouts[0]);
	p->guard = has_filter(p->take, "presence");
	p->splice = has_filter(p->take, "only") || has_filter(p->take, "without");
	if (p->guard)
		p->wanted = WANT_TEXT;
	return read_path(plan, lp, p, err);
}

static int find_in_table(struct target_plan *plan, struct load_plan *lp, struct placing *p, struct etl_error *err)
{
	const struct etl_table *t = lp->load->table;

	for (p->at = 0; p->at < t->column_count; p->at++) {
		if (strcmp(ETL_AT(const struct etl_column, t->columns, t->column_size, p->at)->name, p->name) == 0)
			return ETL_OK;
	}
	plan->inst->host->at(err, t->name, p->name, NULL);
	return plan->inst->host->fail(err, ETL_USAGE, NULL, 0,
				      "table \"%s\": `to` says where the column \"%s\" is written, and no such column "
				      "comes; correct its name or take it out",
				      t->name, p->name);
}

static int own_member(struct target_plan *plan, struct load_plan *lp, struct placing *p, struct etl_error *err)
{
	p->anchor = lp->depth;
	p->pieces = etl_arena_alloc(&plan->memory, sizeof(*p->pieces));
	if (!p->pieces)
		return json_plan_no_memory(plan, err);
	p->pieces[0] = (struct piece_of_path){ STEP_NAME, p->name, -1 };
	p->piece_count = 1;
	p->path = path_text(&plan->memory, p);
	return p->path ? ETL_OK : json_plan_no_memory(plan, err);
}

static int all_columns(struct target_plan *plan, struct load_plan *lp, struct etl_error *err)
{
	const struct etl_table *t = lp->load->table;
	int rc = ETL_OK;

	lp->columns = etl_arena_alloc(&plan->memory, (t->column_count + 1) * sizeof(*lp->columns));
	if (!lp->columns)
		return json_plan_no_memory(plan, err);
	lp->column_count = t->column_count;
	for (size_t i = 0; !rc && i < t->column_count; i++) {
		lp->columns[i].name = ETL_AT(const struct etl_column, t->columns, t->column_size, i)->name;
		lp->columns[i].at = i;
		rc = own_member(plan, lp, &lp->columns[i], err);
	}
	return rc;
}

/* Columns that nobody said a word about are left out, which should be seen. */
static void tell_left_out(struct target_plan *plan, const struct load_plan *lp)
{
	const struct etl_table *t = lp->load->table;
	struct etl_text names = { 0 };

	for (size_t i = 0; i < t->column_count; i++) {
		const char *name = ETL_AT(const struct etl_column, t->columns, t->column_size, i)->name;
		size_t j = 0;

		while (j < lp->column_count && strcmp(lp->columns[j].name, name) != 0)
			j++;
		if (j == lp->column_count)
			etl_text_addf(&names, "%s\"%s\"", names.length ? ", " : "", name);
	}
	if (plan->tells && names.length && !names.failed)
		plan->inst->host->log(plan->inst->host, ETL_LOG_INFO,
				      "table \"%s\": `to` has no place for %s, which %s not written", t->name, names.at,
				      strchr(names.at, ',') ? "are" : "is");
	etl_text_free(&names);
}

static int mapped_columns(struct target_plan *plan, struct load_plan *lp, struct etl_error *err)
{
	const struct json_table *mapping = lp->mapping;
	const struct etl_host *host = plan->inst->host;
	int rc = ETL_OK;

	lp->columns = etl_arena_alloc(&plan->memory, (mapping->column_count + 1) * sizeof(*lp->columns));
	if (!lp->columns)
		return json_plan_no_memory(plan, err);
	for (size_t i = 0; !rc && i < mapping->column_count; i++) {
		struct placing *p = &lp->columns[lp->column_count++];

		p->name = mapping->layouts[0].columns[i].name;
		p->write = write_of(host->str(host->sub(lp->load->options, "columns", i), "write"));
		rc = find_in_table(plan, lp, p, err);
		if (!rc)
			rc = read_mapped(plan, lp, &mapping->layouts[0].columns[i], p, err);
	}
	if (!rc)
		tell_left_out(plan, lp);
	return rc;
}

int json_plan_columns(struct target_plan *plan, struct load_plan *lp, struct etl_error *err)
{
	int rc = lp->mapping && lp->mapping->column_count ? mapped_columns(plan, lp, err) : all_columns(plan, lp, err);

	for (size_t i = 0; !rc && i < lp->column_count; i++) {
		const struct take *t = lp->columns[i].take;

		if (t && t->filter_count == 0 && (t->start == START_INDEX || (t->start == START_LINE && !lp->order)))
			lp->order = &lp->columns[i];
	}
	return rc;
}

/* ---- What {name}s stand for ------------------------------------------------------------------------------------------- */

static bool is_template_of(const struct take *t, const char *name)
{
	size_t size = strlen(name);

	return t && t->start == START_TEXT && t->text[0] == '{' && strncmp(t->text + 1, name, size) == 0 &&
	       strcmp(t->text + 1 + size, "}") == 0;
}

const struct placing *json_plan_capture(const struct load_plan *lp, const char *name)
{
	const struct placing *made = NULL;

	for (size_t i = 0; i < lp->column_count; i++) {
		const struct placing *p = &lp->columns[i];

		if (!p->from && strcmp(p->name, name) == 0)
			return p;
		if (!is_template_of(p->take, name) || p->write == WRITE_NEVER)
			continue;
		if (p->take->filter_count == 0 && map_is_one_to_one(p->from))
			return p;
		if (!made && !p->from->map_count)
			made = p;
	}
	return made;
}

/* ---- Which are written ---------------------------------------------------------------------------------------------------- */

static bool same_place(const struct placing *a, const struct placing *b)
{
	return a->path && b->path && a->anchor == b->anchor && strcmp(a->path, b->path) == 0;
}

/* The members that Q gives the object have P's first name among them. */
static bool splice_holds(const struct placing *q, const struct placing *p)
{
	const struct filter *f = &q->take->filters[0];
	const char *name;
	bool named = false;

	if (q->anchor != p->anchor || q->piece_count >= p->piece_count || strncmp(q->path, p->path, strlen(q->path)) != 0)
		return false;
	name = p->pieces[q->piece_count].name;
	for (size_t i = 0; name && i < f->arg_count; i++)
		named |= json_glob(f->args[i], name, strlen(name));
	return name && named == json_filter_is(f, "only");
}

static bool is_held(const struct load_plan *lp, const struct placing *p)
{
	for (size_t i = 0; i < lp->column_count; i++) {
		const struct placing *q = &lp->columns[i];

		if (q == p || q->rank == RANK_NEVER || q->guard || q->write == WRITE_NEVER)
			continue;
		if (q->splice ? p->rank != RANK_EXACT && splice_holds(q, p) :
				same_place(p, q) && (q->rank < p->rank || (q->rank == p->rank && q < p)))
			return true;
	}
	return false;
}

static bool names_known(const struct load_plan *lp, struct placing *p)
{
	for (size_t i = 0; i < p->piece_count; i++) {
		if (p->pieces[i].step == STEP_CAPTURE && !json_plan_capture(lp, p->pieces[i].name)) {
			p->why = "its path has a {name} that no column holds";
			return false;
		}
	}
	return true;
}

int json_plan_choose(struct target_plan *plan, struct load_plan *lp, struct etl_error *err)
{
	const struct etl_host *host = plan->inst->host;

	for (size_t i = 0; i < lp->column_count; i++) {
		if (lp->columns[i].rank != RANK_NEVER && !names_known(lp, &lp->columns[i]))
			lp->columns[i].rank = RANK_NEVER;
	}
	for (size_t i = 0; i < lp->column_count; i++) {
		struct placing *p = &lp->columns[i];

		if (p->rank == RANK_NEVER && p->write == WRITE_ALWAYS)
			return host->fail(err, ETL_USAGE, NULL, 0,
					  "table \"%s\": the column \"%s\" has write = \"always\", and no place to be "
					  "written to: %s",
					  lp->load->table->name, p->name, p->why ? p->why : "its path is none in the file");
		if (plan->tells && p->rank == RANK_NEVER && p->why)
			host->log(host, ETL_LOG_INFO, "table \"%s\": \"%s\" is not written: %s", lp->load->table->name,
				  p->name, p->why);
		p->written = p->rank != RANK_NEVER && p->write != WRITE_NEVER &&
			     (p->write == WRITE_ALWAYS || p->guard || p->splice || !is_held(lp, p));
	}
	return ETL_OK;
}
