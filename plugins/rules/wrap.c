/*
 * Rows on their way: the first test that a row does not keep rejects it. Tests that look at other rows come
 * last, so that a row which is refused for something else is no row's duplicate; for them the host leads the
 * whole table through one stream, and the earlier of two rows stays.
 */
#include "config.h"

#include <stdlib.h>

#include "rules.h"

/* What the rows have had so far of one unique rule. */
struct unique {
	struct rules_seen *seen;
	struct etl_text key; /* of the row under way */
	bool has_key;
};

struct guarding {
	struct etl_filter filter; /* first: the filter's pointer is ours */
	struct etl_instance *self;
	struct etl_context *context;
	struct etl_error *err;
	struct rules_plan plan;
	struct unique *uniques; /* beside the plan; of other kinds zeroed */
};

static int no_memory(const struct guarding *g)
{
	return g->self->host->fail(g->err, ETL_MEMORY, NULL, 0, "no memory for the rules");
}

static int cannot_spill(const struct guarding *g, const char *why)
{
	return g->self->host->fail(
		g->err, ETL_MEMORY, NULL, 0,
		"rules: the values of a unique rule cannot be kept: %s; they go to a "
		"temporary file in $TMPDIR, or /var/tmp",
		why);
}

static bool is_mine(const struct rules_test *t)
{
	return t->rule->severity == RULES_REJECT && t->kind != RULES_REFERENCES;
}

static int reject(const struct guarding *g, const struct rules_test *t,
		  const struct ArrowSchema *schema, const struct ArrowArray *batch, int64_t row,
		  struct etl_text *why)
{
	struct etl_reject what = { .code = rules_code(t->kind),
				   .column = t->names,
				   .reason = why->failed ? "a rule is broken" : why->at,
				   .schema = schema,
				   .batch = batch,
				   .row = row };
	int r = g->self->host->reject(g->context, &what);

	etl_text_free(why);
	return r < 0 ? r : ETL_ROW_REJECTED;
}

/* 1: no row before had it; the key stays with U to be added. */
static int test_unique(const struct guarding *g, const struct rules_test *t, struct unique *u,
		       const struct etl_view *view, int64_t row, struct etl_text *why)
{
	const char *words = NULL;
	int r = rules_key(view, t->at, NULL, t->column_count, t->rule->nulls_equal, row, &u->key);

	u->has_key = r == 1;
	if (r < 0)
		return no_memory(g);
	if (!u->has_key)
		return 1;
	r = rules_seen_has(u->seen, u->key.at ? u->key.at : "", u->key.length, &words);
	if (r < 0)
		return cannot_spill(g, words);
	if (r == 0)
		return 1;
	rules_say_key(why, t, view, row, rules_earlier(t));
	return 0;
}

static int remember(const struct guarding *g)
{
	const char *words = NULL;

	for (size_t i = 0; i < g->plan.count; i++) {
		struct unique *u = &g->uniques[i];

		if (u->seen && u->has_key &&
		    rules_seen_add(u->seen, u->key.at ? u->key.at : "", u->key.length, &words) < 0)
			return cannot_spill(g, words);
	}
	return ETL_ROW_KEEP;
}

static int guard_row(struct etl_filter *filter, const struct etl_view *view,
		     const struct ArrowSchema *schema, const struct ArrowArray *batch, int64_t row)
{
	const struct guarding *g = (const struct guarding *)(void *)filter;
	struct etl_text why = { 0 };

	for (size_t i = 0; i < g->plan.count; i++) {
		const struct rules_test *t = &g->plan.at[i];
		int r;

		if (!is_mine(t))
			continue;
		r = t->kind == RULES_UNIQUE ? test_unique(g, t, &g->uniques[i], view, row, &why) :
					      rules_test_row(g->self, t, view, row, &why);
		if (r == 0)
			return reject(g, t, schema, batch, row, &why);
		if (r < 0 && t->kind == RULES_UNIQUE)
			return r;
		if (r < 0) {
			r = g->self->host->fail(g->err, ETL_USAGE, NULL, 0, "%s",
						why.failed ? "rules: a regex gave up" : why.at);
			etl_text_free(&why);
			return r;
		}
	}
	return remember(g);
}

static void guarding_close(struct etl_filter *filter)
{
	struct guarding *g = (struct guarding *)(void *)filter;

	for (size_t i = 0; g->uniques && i < g->plan.count; i++) {
		rules_seen_free(g->uniques[i].seen);
		etl_text_free(&g->uniques[i].key);
	}
	free(g->uniques);
	rules_plan_free(&g->plan);
	free(g);
}

/* Half of the instance's memory is for all sets together. */
static int make_sets(struct guarding *g)
{
	int64_t sets = 0;

	for (size_t i = 0; i < g->plan.count; i++)
		sets += g->plan.at[i].kind == RULES_UNIQUE;
	g->uniques = calloc(g->plan.count + 1, sizeof(*g->uniques));
	if (!g->uniques)
		return no_memory(g);
	for (size_t i = 0; i < g->plan.count; i++) {
		if (g->plan.at[i].kind != RULES_UNIQUE || !is_mine(&g->plan.at[i]))
			continue;
		g->uniques[i].seen = rules_seen_new(g->self->host->memory / 2 / sets);
		if (!g->uniques[i].seen)
			return no_memory(g);
	}
	return ETL_OK;
}

static int make_guarding(struct guarding *g, const struct etl_table *table,
			 struct ArrowArrayStream *in)
{
	struct ArrowSchema schema = { .release = NULL };
	int r = rules_plan_make(g->self, table, &g->plan, g->err);

	if (r == ETL_OK && in->get_schema(in, &schema) != 0)
		r = ETL_FAILED;
	if (r == ETL_OK)
		r = rules_plan_place(g->self, &g->plan, table, &schema, g->err);
	if (r == ETL_OK)
		r = make_sets(g);
	if (schema.release)
		schema.release(&schema);
	return r;
}

int rules_wrap(struct etl_instance *self, const struct etl_wrap *wrap, struct ArrowArrayStream *in,
	       struct ArrowArrayStream *out, struct etl_error *err)
{
	struct guarding *g = calloc(1, sizeof(*g));
	int r;

	if (!g)
		return self->host->fail(err, ETL_MEMORY, NULL, 0, "no memory for the rules");
	*g = (struct guarding){ .filter = { guard_row, guarding_close },
				.self = self,
				.context = wrap->context,
				.err = err };
	r = make_guarding(g, wrap->in, in);
	if (r == ETL_OK && !etl_filter_open(out, in, self->host, wrap->context, &g->filter))
		r = no_memory(g);
	if (r != ETL_OK)
		guarding_close(&g->filter);
	return r;
}
