/*
 * The containers of a document. Every table adds the way to its rows, so that tables which share files meet where they share it;
 * what a column says is written at the deepest of these containers that its path leads through, and is a plain member there.
 */
#include "config.h"

#include <string.h>

#include "path-parts.h"
#include "target.h"

#define CHILDREN_MAX 255        /* a place is one byte of a key */

static int clash(struct target_plan *plan, const struct load_plan *lp, const struct place *p, struct etl_error *err)
{
	return plan->inst->host->fail(err, ETL_USAGE, NULL, 0,
				      "table \"%s\": what is at %s%s of %s would be an array and an object at once; tables "
				      "that write the same files must agree on them",
				      lp->load->table->name, p->name ? "the member " : "the top", p->name ? p->name : "",
				      *lp->document->text ? lp->document->text : "the file");
}

static struct place *find_child(const struct place *p, int32_t step, const char *name)
{
	for (size_t i = 0; i < p->child_count; i++) {
		struct place *child = p->children[i];

		if (child->step == step && (step != STEP_NAME || strcmp(child->name, name) == 0))
			return child;
	}
	return NULL;
}

static struct place *add_child(struct target_plan *plan, struct document *d, struct place *p, int32_t step,
			       const char *name)
{
	struct place *child = etl_arena_alloc(&plan->memory, sizeof(*child));
	struct place **children = etl_arena_push(&plan->memory, p->children, p->child_count, sizeof(struct place *));

	if (!child || !children)
		return NULL;
	child->parent = p;
	child->step = step;
	child->name = name;
	child->serial = (uint16_t)d->place_count++;
	child->number = (uint8_t)(p->child_count + 1);
	p->children = children;
	p->children[p->child_count++] = child;
	return child;
}

static int enter(struct target_plan *plan, struct load_plan *lp, struct place *p, int32_t step, const char *name,
		 struct place **ret, struct etl_error *err)
{
	int32_t kind = step == STEP_EACH ? PLACE_ARRAY : PLACE_OBJECT;

	if (step == STEP_EACH && p == lp->document->root && lp->lines)
		kind = PLACE_LINES;
	if (p->kind != PLACE_LEAF && p->kind != kind)
		return clash(plan, lp, p, err);
	p->kind = kind;
	*ret = find_child(p, step, name);
	if (*ret)
		return ETL_OK;
	if (p->child_count == CHILDREN_MAX || lp->document->place_count == UINT16_MAX)
		return plan->inst->host->fail(err, ETL_USAGE, NULL, 0,
					      "table \"%s\": more than %d containers beside each other in %s", lp->load->table->name,
					      CHILDREN_MAX, lp->document->text);
	*ret = add_child(plan, lp->document, p, step, name);
	return *ret ? ETL_OK : json_plan_no_memory(plan, err);
}

/* ---- The way to the rows ------------------------------------------------------------------------------------------- */

static bool is_one_object(const struct load_plan *lp)
{
	return lp->mapping && lp->mapping->layouts[0].cut == JSON_CUT_WHOLE && !lp->mapping->layouts[0].rows;
}

static void measure(struct load_plan *lp)
{
	const struct json_path *rows = lp->mapping ? lp->mapping->layouts[0].rows : NULL;

	lp->base = lp->lines && rows;
	lp->depth = rows ? lp->base + rows->count : !is_one_object(lp);
}

static int step_of(struct target_plan *plan, const struct load_plan *lp, size_t i, int32_t *step, const char **name,
		   struct etl_error *err)
{
	const struct json_path *rows = lp->mapping ? lp->mapping->layouts[0].rows : NULL;
	const struct json_segment *segment;
	int kind;

	*step = STEP_EACH;
	*name = NULL;
	if (!rows || i < lp->base)
		return ETL_OK;
	segment = &rows->segments[i - lp->base];
	kind = json_segment_kind(segment);
	if (kind == JSON_SELECT_EACH)
		return ETL_OK;
	if (kind != JSON_SELECT_NAME && kind != JSON_SELECT_CAPTURE)
		return plan->inst->host->fail(err, ETL_USAGE, NULL, 0,
					      "table \"%s\": rows = \"%s\" cannot be written by: each step is to be .name, [*] "
					      "or .{name}, for an index, a slice or a filter does not say where a row goes",
					      lp->load->table->name, rows->text);
	*step = kind == JSON_SELECT_NAME ? STEP_NAME : STEP_CAPTURE;
	*name = json_segment_name(segment);
	return ETL_OK;
}

static int find_capture(struct target_plan *plan, const struct load_plan *lp, struct way_step *w, const char *name,
			struct etl_error *err)
{
	w->capture = json_plan_capture(lp, name);
	if (w->capture)
		return ETL_OK;
	return plan->inst->host->fail(err, ETL_USAGE, NULL, 0,
				      "table \"%s\": rows = \"%s\" needs {%s}, and no column holds it; give one the path "
				      "\"{%s}\"",
				      lp->load->table->name, lp->mapping->layouts[0].rows->text, name, name);
}

/* Columns that are about the elements at depth I on the way: equal values, one element. */
static bool tells_elements(const struct placing *p, size_t depth)
{
	if (p->rank == RANK_NEVER || p->guard || p->splice || p->anchor != depth || p->piece_count == 0)
		return false;
	for (size_t i = 0; i < p->piece_count; i++) {
		if (p->pieces[i].step == STEP_CAPTURE)
			return false;
	}
	return true;
}

static const char *set_text(struct target_plan *plan, const struct way_step *w)
{
	struct etl_text text = { 0 };
	const char *to;

	for (size_t i = 0; i < w->group_count; i++)
		etl_text_addf(&text, "%s\x1e", w->group[i]->path);
	to = text.failed ? NULL : etl_arena_copy(&plan->memory, text.at ? text.at : "");
	etl_text_free(&text);
	return to;
}

static int note_set(struct target_plan *plan, struct way_step *w, struct etl_error *err)
{
	struct place *place = (struct place *)(uintptr_t)w->place;
	const char *text = set_text(plan, w), **sets;

	if (!text)
		return json_plan_no_memory(plan, err);
	for (w->set = 0; w->set < place->set_count; w->set++) {
		if (strcmp(place->sets[w->set], text) == 0)
			return ETL_OK;
	}
	sets = etl_arena_push(&plan->memory, place->sets, place->set_count, sizeof(*sets));
	if (!sets)
		return json_plan_no_memory(plan, err);
	place->sets = sets;
	place->sets[place->set_count++] = text;
	return ETL_OK;
}

static int group(struct target_plan *plan, const struct load_plan *lp, struct way_step *w, size_t depth,
		 struct etl_error *err)
{
	w->group = etl_arena_alloc(&plan->memory, (lp->column_count + 1) * sizeof(const struct placing *));
	if (!w->group)
		return json_plan_no_memory(plan, err);
	for (size_t i = 0; i < lp->column_count; i++) {
		const struct placing *p = &lp->columns[i];
		bool twice = false;

		for (size_t j = 0; j < w->group_count; j++)
			twice |= strcmp(w->group[j]->path, p->path ? p->path : "") == 0;
		if (!twice && tells_elements(p, depth))
			w->group[w->group_count++] = p;
	}
	return note_set(plan, w, err);
}

static int take_step(struct target_plan *plan, struct load_plan *lp, size_t i, struct etl_error *err)
{
	struct way_step *w = &lp->way[i + 1];
	const char *name;
	struct place *place;
	int32_t step;
	int rc = step_of(plan, lp, i, &step, &name, err);

	if (!rc)
		rc = enter(plan, lp, (struct place *)(uintptr_t)lp->way[i].place, step, name, &place, err);
	if (rc)
		return rc;
	w->place = place;
	if (step == STEP_CAPTURE)
		return find_capture(plan, lp, w, name, err);
	return step == STEP_EACH && i + 1 < lp->depth ? group(plan, lp, w, i + 1, err) : ETL_OK;
}

/* Containers that a column's path leads through by the name that another column holds. */
static int make_named(struct target_plan *plan, struct load_plan *lp, const struct placing *p, struct etl_error *err)
{
	size_t named = p->piece_count;
	struct place *place = (struct place *)(uintptr_t)lp->way[p->anchor].place;
	int rc = ETL_OK;

	while (named > 0 && p->pieces[named - 1].step != STEP_CAPTURE)
		named--;
	for (size_t i = 0; !rc && i < named; i++)
		rc = enter(plan, lp, place, p->pieces[i].step, p->pieces[i].name, &place, err);
	return rc;
}

int json_plan_way(struct target_plan *plan, struct load_plan *lp, struct etl_error *err)
{
	int rc;

	measure(lp);
	lp->way = etl_arena_alloc(&plan->memory, (lp->depth + 1) * sizeof(*lp->way));
	if (!lp->way)
		return json_plan_no_memory(plan, err);
	lp->way[0].place = lp->document->root;
	rc = json_plan_columns(plan, lp, err);
	for (size_t i = 0; !rc && i < lp->depth; i++)
		rc = take_step(plan, lp, i, err);
	if (!rc)
		rc = json_plan_choose(plan, lp, err);
	for (size_t i = 0; !rc && i < lp->column_count; i++) {
		if (lp->columns[i].written)
			rc = make_named(plan, lp, &lp->columns[i], err);
	}
	return rc;
}

/* ---- Where columns are written ----------------------------------------------------------------------------------------- */

static struct site *find_site(struct load_plan *lp, const struct place *place)
{
	for (size_t i = 0; i < lp->site_count; i++) {
		if (lp->sites[i].place == place)
			return &lp->sites[i];
	}
	return NULL;
}

static struct site *add_site(struct target_plan *plan, struct load_plan *lp, size_t anchor, const struct place *place)
{
	struct site *s = &lp->sites[lp->site_count];
	const struct place *from = lp->way[anchor].place, *at;

	*s = (struct site){ .anchor = anchor, .place = place };
	s->top.index = -1;
	s->top.place = place;
	for (at = place; at != from; at = at->parent)
		s->more_count++;
	s->more = etl_arena_alloc(&plan->memory, (s->more_count + 1) * sizeof(const struct place *));
	if (!s->more)
		return NULL;
	at = place;
	for (size_t i = s->more_count; i-- > 0; at = at->parent)
		s->more[i] = at;
	lp->site_count++;
	return s;
}

static struct spot *find_spot(struct target_plan *plan, struct spot *in, const struct piece_of_path *piece)
{
	struct spot **children, *spot;

	for (size_t i = 0; i < in->child_count; i++) {
		spot = in->children[i];
		if (spot->index == piece->index && (piece->index >= 0 || strcmp(spot->name, piece->name) == 0))
			return spot;
	}
	spot = etl_arena_alloc(&plan->memory, sizeof(*spot));
	children = etl_arena_push(&plan->memory, in->children, in->child_count, sizeof(struct spot *));
	if (!spot || !children)
		return NULL;
	spot->name = piece->name;
	spot->index = piece->index;
	in->is_array = piece->index >= 0;
	in->children = children;
	in->children[in->child_count++] = spot;
	return spot;
}

static bool add_to_spot(struct target_plan *plan, struct spot *spot, const struct placing *p)
{
	const struct placing **splices;

	if (p->guard)
		spot->guard = p;
	else if (!p->splice && (!spot->value || p->write == WRITE_ALWAYS))
		spot->value = p;
	if (!p->splice)
		return true;
	splices = etl_arena_push(&plan->memory, spot->splices, spot->splice_count, sizeof(const struct placing *));
	if (!splices)
		return false;
	spot->splices = splices;
	spot->splices[spot->splice_count++] = p;
	return true;
}

/* Which members a kept object has is not known here, and one of them might have the name of a row. */
static int keeps_named(struct target_plan *plan, const struct load_plan *lp, const struct placing *p, struct etl_error *err)
{
	return plan->inst->host->fail(err, ETL_USAGE, NULL, 0,
				      "table \"%s\": the column \"%s\" keeps members of an object in which rows have names of "
				      "their own, so one of them could be written twice; write = \"never\" leaves the column out",
				      lp->load->table->name, p->name);
}

/* The column's site: as deep as containers go; the rest of its path is members of what is written there. */
static int place_column(struct target_plan *plan, struct load_plan *lp, const struct placing *p, struct etl_error *err)
{
	const struct place *place = lp->way[p->anchor].place, *child = place;
	struct site *site;
	struct spot *spot;
	size_t i;

	for (i = 0; i < p->piece_count; i++) {
		child = find_child(place, p->pieces[i].step, p->pieces[i].name);
		if (!child || child->step == STEP_EACH)
			break;
		place = child;
	}
	site = find_site(lp, place);
	if (!site)
		site = add_site(plan, lp, p->anchor, place);
	spot = site ? &site->top : NULL;
	if (site && i == p->piece_count && !p->guard && find_child(place, STEP_CAPTURE, NULL))
		return keeps_named(plan, lp, p, err);
	if (site && i < p->piece_count && place->kind != PLACE_LEAF && place->kind != PLACE_OBJECT)
		return clash(plan, lp, place, err);
	for (; spot && i < p->piece_count; i++) {
		if (spot->child_count && spot->is_array != (p->pieces[i].index >= 0))
			return clash(plan, lp, place, err);
		spot->always |= p->write == WRITE_ALWAYS;
		spot = find_spot(plan, spot, &p->pieces[i]);
	}
	return spot && add_to_spot(plan, spot, p) ? ETL_OK : json_plan_no_memory(plan, err);
}

int json_plan_sites(struct target_plan *plan, struct load_plan *lp, struct etl_error *err)
{
	int rc = ETL_OK;

	lp->sites = etl_arena_alloc(&plan->memory, (lp->column_count + 2) * sizeof(*lp->sites));
	if (!lp->sites || !add_site(plan, lp, lp->depth, lp->way[lp->depth].place))
		return json_plan_no_memory(plan, err);
	for (size_t i = 0; !rc && i < lp->column_count; i++) {
		if (lp->columns[i].written)
			rc = place_column(plan, lp, &lp->columns[i], err);
	}
	return rc;
}

/* ---- By what other tables know the rows' elements -------------------------------------------------------------------- */

static const struct placing *by_path(const struct load_plan *lp, const char *path, size_t size)
{
	for (size_t i = 0; i < lp->column_count; i++) {
		const struct placing *p = &lp->columns[i];

		if (tells_elements(p, lp->depth) && strlen(p->path) == size && memcmp(p->path, path, size) == 0)
			return p;
	}
	return NULL;
}

/* ".id" of the path's text. */
static void spell_path(char *to, size_t room, const char *path, size_t size)
{
	const char *colon = memchr(path, ':', size), *end = colon ? memchr(colon, '\x1f', size - (size_t)(colon - path)) : NULL;

	to[0] = '\0';
	if (colon && end && (size_t)(end - colon) < room) {
		memcpy(to, colon + 1, (size_t)(end - colon) - 1);
		to[end - colon - 1] = '\0';
	}
}

static int resolve_set(struct target_plan *plan, const struct load_plan *lp, const char *set,
		       const struct placing **ret, struct etl_error *err)
{
	char name[128];

	if (!*set)
		return plan->inst->host->fail(err, ETL_USAGE, NULL, 0,
					      "another table has its rows within those of \"%s\", and no column that says in "
					      "which of them; give it one whose path begins as the rows of \"%s\" do",
					      lp->load->table->name, lp->load->table->name);
	for (; *set; ret++) {
		size_t size = strcspn(set, "\x1e");

		*ret = by_path(lp, set, size);
		spell_path(name, sizeof(name), set, size);
		if (!*ret)
			return plan->inst->host->fail(err, ETL_USAGE, NULL, 0,
						      "another table knows the rows of \"%s\" by their \"%s\", which no "
						      "column of \"%s\" holds; give it one",
						      lp->load->table->name, name, lp->load->table->name);
		set += size + 1;
	}
	return ETL_OK;
}

static size_t set_size(const char *set)
{
	size_t n = 0;

	for (; *set; set++)
		n += *set == '\x1e';
	return n;
}

int json_plan_sets(struct target_plan *plan, struct load_plan *lp, struct etl_error *err)
{
	struct way_step *w = &lp->way[lp->depth];
	int rc = ETL_OK;

	if (lp->depth == 0 || w->place->step != STEP_EACH || w->place->set_count == 0)
		return ETL_OK;
	w->sets = etl_arena_alloc(&plan->memory, w->place->set_count * sizeof(const struct placing **));
	for (size_t i = 0; !rc && w->sets && i < w->place->set_count; i++) {
		const char *set = w->place->sets[i];

		w->sets[i] = etl_arena_alloc(&plan->memory, (set_size(set) + 1) * sizeof(const struct placing *));
		rc = w->sets[i] ? resolve_set(plan, lp, set, w->sets[i], err) : json_plan_no_memory(plan, err);
	}
	return rc || w->sets ? rc : json_plan_no_memory(plan, err);
}
