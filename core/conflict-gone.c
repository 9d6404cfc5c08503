/*
 * Rows that did not come from the source: those that go in the target, those that it has changed since or has alone, and what is
 * known of rows that are gone at both ends.
 */
#include "config.h"

#include <stdlib.h>

#include "changes.h"
#include "conflicts-parts.h"

#define PAIRS_AT_ONCE 1024

struct gone {
	const struct flow_setup *flow;
	struct job *job;
	struct conflicts *c;
	struct changes_set *target;
	uint64_t split;
	uint64_t goes, parks;
	struct conflict_counts counts;
	struct {
		uint64_t key, row;
	} pairs[PAIRS_AT_ONCE];
	size_t pair_count;
};

static int flush(struct gone *g, struct etl_error *err)
{
	const struct conflict_note note = { .kind = FOUND_HASHES, .split = g->split };
	size_t count = g->pair_count;

	g->pair_count = 0;
	return count ? conflict_spool_add(g->c->spool, note, g->pairs, count * sizeof(*g->pairs), err) : 0;
}

/* Nothing is known of the row any more. */
static int forget(struct gone *g, uint64_t key, struct etl_error *err)
{
	g->pairs[g->pair_count].key = key;
	g->pairs[g->pair_count++].row = 0;
	return g->pair_count == PAIRS_AT_ONCE ? flush(g, err) : 0;
}

static int judge(const struct conflicts *c, const struct changes_set *target, uint64_t key, struct conflict_ends *e,
		 enum conflict_verdict *ret, struct etl_error *err)
{
	int rc = conflict_find(target, key, &e->target, err);

	e->source = 0;
	if (rc == 0)
		rc = conflict_find(c->last, key, &e->last, err);
	return rc < 0 ? rc : conflict_judge(c, key, e, ret, err);
}

/* ---- In the target alone ---------------------------------------------------------------------- */

static int look_at(struct gone *g, uint64_t key, struct etl_error *err)
{
	enum conflict_verdict verdict;
	struct conflict_ends e;
	int rc = judge(g->c, g->target, key, &e, &verdict, err);

	if (rc < 0)
		return rc;
	g->goes += verdict == VERDICT_GOES || verdict == VERDICT_OVERRIDES;
	g->counts.for_source += verdict == VERDICT_OVERRIDES;
	g->counts.for_target += verdict == VERDICT_SETTLED;
	g->parks += verdict == VERDICT_PARKS;
	return verdict == VERDICT_SETTLED ? forget(g, key, err) : 0;
}

static int look_at_all(struct gone *g, struct etl_error *err)
{
	struct changes_walk walk = { .set = g->target };
	uint64_t key, row;
	bool met;
	int rc;

	while ((rc = changes_walk_next(&walk, &key, &row, &met, err)) > 0)
		if (!met && (rc = look_at(g, key, err)) < 0)
			break;
	return rc;
}

static int park(struct gone *g, uint64_t key, const struct conflict_ends *e, const struct conflict_sides *sides,
		struct etl_error *err)
{
	const struct conflict_note note = { .kind = FOUND_PARKED, .split = g->split, .key = key, .target = e->target };
	struct etl_text words = { 0 };
	bool is_new, same;
	int rc = conflict_park(g->c, key, e, &is_new, &same, err);

	if (rc < 0)
		return rc;
	g->counts.parked += is_new;
	g->counts.again += !is_new;
	if (same)
		return 0;
	conflict_add_words(&words, g->job, sides);
	rc = words.failed ? error_memory(err) : conflict_spool_add(g->c->spool, note, words.at, words.length, err);
	etl_text_free(&words);
	return rc;
}

static int on_target_row(void *data, uint64_t key, const struct etl_view *view, int64_t row, struct etl_error *err)
{
	struct conflict_sides sides = { NULL, view, -1, row };
	enum conflict_verdict verdict;
	struct gone *g = data;
	struct conflict_ends e;
	bool left;
	int rc = changes_set_is_left(g->target, key, &left, err);

	if (rc < 0 || !left)
		return rc;
	rc = judge(g->c, g->target, key, &e, &verdict, err);
	return rc == 0 && verdict == VERDICT_PARKS ? park(g, key, &e, &sides, err) : rc;
}

/* ---- In neither ------------------------------------------------------------------------------- */

static int forget_all(struct gone *g, struct etl_error *err)
{
	struct changes_walk walk = { .set = g->c->last };
	uint64_t key, row, there;
	bool met;
	int rc;

	while ((rc = changes_walk_next(&walk, &key, &row, &met, err)) > 0) {
		if (met)
			continue;
		rc = conflict_find(g->target, key, &there, err);
		if (rc == 0 && !there)
			rc = forget(g, key, err);
		if (rc < 0)
			break;
	}
	return rc;
}

int conflicts_find_gone(const struct flow_setup *f, struct job *job, struct changes_set *target, bool sure, uint64_t *ret,
			struct etl_error *err)
{
	struct gone *g = calloc(1, sizeof(*g));
	int rc = 0;

	*ret = 0;
	job->conflicts->sure = sure;
	if (!sure || !g) {
		free(g);
		return g || !sure ? 0 : error_memory(err);
	}
	g->flow = f;
	g->job = job;
	g->c = job->conflicts;
	g->target = target;
	g->split = job->split_count + SPLIT_SETTLED;
	if (!conflicts_begin_split(job, g->split))
		rc = error_memory(err);
	if (rc == 0 && job->rule->deletes != ETL_DELETE_NONE)
		rc = look_at_all(g, err);
	if (rc == 0 && g->parks)
		rc = changes_each(f, job, on_target_row, g, err);
	if (rc == 0)
		rc = forget_all(g, err);
	if (rc == 0)
		rc = flush(g, err);
	if (rc == 0)
		conflict_count(g->c, g->split, &g->counts);
	*ret = g->goes;
	free(g);
	return rc;
}

int conflicts_goes(const struct job *job, const struct changes_set *target, uint64_t key, bool *ret, struct etl_error *err)
{
	enum conflict_verdict verdict;
	struct conflict_ends e;
	int rc = judge(job->conflicts, target, key, &e, &verdict, err);

	*ret = rc == 0 && (verdict == VERDICT_GOES || verdict == VERDICT_OVERRIDES);
	return rc;
}

int conflicts_note_gone(struct job *job, uint64_t key, struct etl_error *err)
{
	const struct conflict_note note = { .kind = FOUND_HASHES, .split = job->split_count + SPLIT_GONE };
	const uint64_t pair[2] = { key, 0 };

	return conflict_spool_add(job->conflicts->spool, note, pair, sizeof(pair), err);
}
