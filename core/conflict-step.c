/*
 * Rows of the source that come, batch by batch: each is judged by its hashes, what cannot be told by them by the target's row,
 * which is read by its key.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "conflicts-parts.h"

#define PAIRS_AT_ONCE 1024

struct conflict_step {
	const struct flow_setup *flow;
	struct job *job;
	struct conflicts *c;
	const struct ArrowSchema *schema; /* of the batches */
	uint64_t split;
	bool notes;
	struct etl_view *view;
	struct conflict_look *look; /* made when it is needed */
	struct conflict_counts counts;
	struct {
		uint64_t key, row;
	} pairs[PAIRS_AT_ONCE];
	size_t pair_count;
	/* Of a batch. */
	struct conflict_ends *ends;
	enum conflict_verdict *verdicts;
	int64_t room;
	struct asked *asked; /* rows whose fellows in the target are read, by their keys */
	int64_t *asked_rows;
	size_t asked_count;
};

/* A row of which both versions are needed. */
struct asked {
	uint64_t key;
	int64_t row;
	bool found;
};

struct conflict_step *conflict_step_new(const struct flow_setup *f, struct job *job, uint64_t split, const struct ArrowSchema *schema,
					bool notes)
{
	struct conflict_step *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->flow = f;
	s->job = job;
	s->c = job->conflicts;
	s->schema = schema;
	s->split = split;
	s->notes = notes;
	s->view = etl_view_new(schema);
	if (s->view && (!notes || conflicts_begin_split(job, split)))
		return s;
	conflict_step_free(s);
	return NULL;
}

void conflict_step_free(struct conflict_step *s)
{
	if (!s)
		return;
	conflict_look_free(s->look);
	etl_view_free(s->view);
	free(s->ends);
	free(s->verdicts);
	free(s->asked);
	free(s->asked_rows);
	free(s);
}

static bool make_room(struct conflict_step *s, int64_t rows)
{
	if (rows <= s->room)
		return true;
	free(s->ends);
	free(s->verdicts);
	free(s->asked);
	free(s->asked_rows);
	s->ends = malloc((size_t)rows * sizeof(*s->ends));
	s->verdicts = malloc((size_t)rows * sizeof(*s->verdicts));
	s->asked = malloc((size_t)rows * sizeof(*s->asked));
	s->asked_rows = malloc((size_t)rows * sizeof(*s->asked_rows));
	s->room = s->ends && s->verdicts && s->asked && s->asked_rows ? rows : 0;
	return s->room > 0;
}

/* ---- What is found ---------------------------------------------------------------------------- */

static int flush(struct conflict_step *s, struct etl_error *err)
{
	const struct conflict_note note = { .kind = FOUND_HASHES, .split = s->split };
	size_t count = s->pair_count;

	s->pair_count = 0;
	return count ? conflict_spool_add(s->c->spool, note, s->pairs, count * sizeof(*s->pairs), err) : 0;
}

static int note_pair(struct conflict_step *s, uint64_t key, uint64_t row, struct etl_error *err)
{
	if (!s->notes)
		return 0;
	s->pairs[s->pair_count].key = key;
	s->pairs[s->pair_count++].row = row;
	return s->pair_count == PAIRS_AT_ONCE ? flush(s, err) : 0;
}

static int park(struct conflict_step *s, uint64_t key, const struct conflict_ends *e, const struct conflict_sides *sides,
		struct etl_error *err)
{
	const struct conflict_note note = {
		.kind = FOUND_PARKED, .split = s->split, .key = key, .source = e->source, .target = e->target
	};
	struct etl_text words = { 0 };
	bool is_new, same;
	int rc;

	if (!s->notes)
		return 0;
	rc = conflict_park(s->c, key, e, &is_new, &same, err);
	if (rc < 0)
		return rc;
	s->counts.parked += is_new;
	s->counts.again += !is_new;
	if (same)
		return 0;
	conflict_add_words(&words, s->job, sides);
	rc = words.failed ? error_memory(err) : conflict_spool_add(s->c->spool, note, words.at, words.length, err);
	etl_text_free(&words);
	return rc;
}

/* ---- What both versions say ------------------------------------------------------------------- */

static enum conflict_verdict newest(const struct conflict_step *s, const struct conflict_sides *sides)
{
	int64_t source, target;

	if (!conflict_moment(s->c, sides->source, sides->source_row, &source) ||
	    !conflict_moment(s->c, sides->target, sides->target_row, &target))
		return VERDICT_PARKS;
	if (source > target && (uint64_t)source - (uint64_t)target > (uint64_t)s->c->skew)
		return VERDICT_OVERRIDES;
	if (target > source && (uint64_t)target - (uint64_t)source > (uint64_t)s->c->skew)
		return VERDICT_SETTLED;
	return VERDICT_PARKS;
}

static int compare_asked(const void *a, const void *b)
{
	const struct asked *x = a, *y = b;

	return x->key < y->key ? -1 : x->key > y->key;
}

static int settle_asked(struct conflict_step *s, struct asked *a, const struct conflict_sides *sides, struct etl_error *err)
{
	enum conflict_verdict *verdict = &s->verdicts[a->row];

	a->found = true;
	if (*verdict == VERDICT_NEWEST)
		*verdict = newest(s, sides);
	return *verdict == VERDICT_PARKS ? park(s, a->key, &s->ends[a->row], sides, err) : 0;
}

static int on_target_row(void *data, uint64_t key, const struct etl_view *view, int64_t row, struct etl_error *err)
{
	struct conflict_step *s = data;
	const struct asked wanted = { .key = key };
	struct asked *a = bsearch(&wanted, s->asked, s->asked_count, sizeof(*a), compare_asked);
	struct conflict_sides sides = { s->view, view, a ? a->row : -1, row };

	return a && !a->found ? settle_asked(s, a, &sides, err) : 0;
}

/* A row that went meanwhile is parked without its fellow: the next run finds out. */
static int ask(struct conflict_step *s, const struct ArrowArray *batch, struct etl_error *err)
{
	int rc = 0;

	if (!s->asked_count)
		return 0;
	qsort(s->asked, s->asked_count, sizeof(*s->asked), compare_asked);
	for (size_t i = 0; i < s->asked_count; i++)
		s->asked_rows[i] = s->asked[i].row;
	if (!s->look && !(s->look = conflict_look_new(s->flow, s->job)))
		return error_memory(err);
	rc = conflict_look_up(s->look, s->schema, batch, s->asked_rows, s->asked_count, on_target_row, s, err);
	for (size_t i = 0; i < s->asked_count && rc == 0; i++) {
		struct conflict_sides sides = { s->view, NULL, s->asked[i].row, -1 };

		if (s->asked[i].found)
			continue;
		s->verdicts[s->asked[i].row] = VERDICT_PARKS;
		rc = settle_asked(s, &s->asked[i], &sides, err);
	}
	return rc;
}

/* ---- A batch ---------------------------------------------------------------------------------- */

/* Of a table that somebody emptied, what was there once says nothing. */
static int find_ends(const struct conflict_step *s, const struct changes_set *target, uint64_t key, uint64_t row,
		     struct conflict_ends *ret, struct etl_error *err)
{
	int rc = conflict_find(target, key, &ret->target, err);

	ret->source = conflict_hash(row);
	ret->last = 0;
	return rc < 0 || changes_set_rows(target) == 0 ? rc : conflict_find(s->c->last, key, &ret->last, err);
}

static int judge(struct conflict_step *s, const struct changes_set *target, uint64_t key, uint64_t row, int64_t i,
		 struct etl_error *err)
{
	struct conflict_ends *e = &s->ends[i];
	int rc = find_ends(s, target, key, row, e, err);

	if (rc == 0)
		rc = conflict_judge(s->c, key, e, &s->verdicts[i], err);
	if (rc < 0)
		return rc;
	if (s->verdicts[i] == VERDICT_NEWEST || (s->verdicts[i] == VERDICT_PARKS && e->target)) {
		s->asked[s->asked_count++] = (struct asked){ .key = key, .row = i };
	} else if (s->verdicts[i] == VERDICT_PARKS) {
		struct conflict_sides sides = { s->view, NULL, i, -1 };

		rc = park(s, key, e, &sides, err);
	}
	return rc;
}

/* Where the row does not go on, but what is known of it changes. */
static int conclude(struct conflict_step *s, uint64_t key, int64_t i, struct etl_error *err)
{
	const struct conflict_ends *e = &s->ends[i];

	switch (s->verdicts[i]) {
	case VERDICT_SAME:
		return e->last == e->source ? 0 : note_pair(s, key, e->source, err);
	case VERDICT_SETTLED:
		s->counts.for_target++;
		return note_pair(s, key, e->source, err);
	case VERDICT_OVERRIDES:
		s->counts.for_source++;
		return 0;
	case VERDICT_STAYS:
		s->counts.stays++;
		return 0;
	default:
		return 0;
	}
}

int conflict_step_judge(struct conflict_step *s, const struct changes_set *target, const struct ArrowArray *batch, const uint64_t *keys,
			const uint64_t *rows, const bool *skip, bool *ret, struct etl_error *err)
{
	int rc = 0;

	s->asked_count = 0;
	if (!make_room(s, batch->length) || !etl_view_set(s->view, batch))
		return error_memory(err);
	for (int64_t i = 0; i < batch->length && rc == 0; i++) {
		s->verdicts[i] = VERDICT_GOES;
		if (!skip[i])
			rc = judge(s, target, keys[i], rows[i], i, err);
	}
	if (rc == 0)
		rc = ask(s, batch, err);
	for (int64_t i = 0; i < batch->length && rc == 0; i++) {
		ret[i] = s->verdicts[i] == VERDICT_GOES || s->verdicts[i] == VERDICT_OVERRIDES;
		if (!skip[i]) {
			enum changes_found found;

			rc = changes_set_meet(s->c->last, keys[i], 0, 0, &found, err);
			if (rc == 0)
				rc = conclude(s, keys[i], i, err);
		}
	}
	return rc;
}

int conflict_step_note(struct conflict_step *s, uint64_t key, uint64_t row, struct etl_error *err)
{
	return note_pair(s, key, conflict_hash(row), err);
}

int conflict_step_settle(struct conflict_step *s, struct etl_error *err)
{
	if (s->notes)
		conflict_count(s->c, s->split, &s->counts);
	s->counts = (struct conflict_counts){ 0 };
	return s->notes ? flush(s, err) : 0;
}
