/* See diff-pair.h. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "diff-pair.h"
#include "diff-row.h"

bool diff_pair_init(struct diff_pair *p, const struct job *job)
{
	memset(p, 0, sizeof(*p));
	p->job = job;
	p->builder = etl_builder_new(&job->rows, 1);
	p->source_view = etl_view_new(&job->rows);
	p->target_view = etl_view_new(&job->rows);
	p->changed = calloc((size_t)job->rows.n_children + 1, sizeof(*p->changed));
	return p->builder && p->source_view && p->target_view && p->changed;
}

static void release_rows(struct diff_pair *p)
{
	if (p->source.release)
		p->source.release(&p->source);
	if (p->target.release)
		p->target.release(&p->target);
}

void diff_pair_clear(struct diff_pair *p)
{
	release_rows(p);
	etl_builder_free(p->builder);
	etl_view_free(p->source_view);
	etl_view_free(p->target_view);
	free(p->changed);
	memset(p, 0, sizeof(*p));
}

static bool make_row(struct diff_pair *p, const void *bytes, struct ArrowArray *ret,
		     struct etl_view *view)
{
	if (!bytes)
		return true;
	return diff_row_get(p->builder, bytes) && etl_builder_finish(p->builder, ret) &&
	       etl_view_set(view, ret);
}

/* As canon.h has it: 0 and -0 are one value. */
static bool same_value(struct diff_pair *p, int64_t i, bool *ok)
{
	struct etl_text a = { .at = NULL }, b = { .at = NULL };
	bool same;

	if (p->job->stays && p->job->stays[i])
		return true;
	if (p->job->respelt && p->job->respelt[i])
		return etl_is_null(&p->source_view->columns[i], 0) == etl_is_null(&p->target_view->columns[i], 0);
	diff_key_put(&a, &p->source_view->columns[i], 0);
	diff_key_put(&b, &p->target_view->columns[i], 0);
	*ok = *ok && !a.failed && !b.failed;
	same = *ok && a.length == b.length && memcmp(a.at, b.at, a.length) == 0;
	etl_text_free(&a);
	etl_text_free(&b);
	return same;
}

bool diff_pair_set(struct diff_pair *p, const struct diff_found *found)
{
	bool ok;

	release_rows(p);
	p->changed_count = 0;
	ok = make_row(p, found->source, &p->source, p->source_view) &&
	     make_row(p, found->target, &p->target, p->target_view);
	for (int64_t i = 0; ok && found->kind == DIFF_CHANGED && i < p->job->rows.n_children; i++)
		if (!same_value(p, i, &ok))
			p->changed[p->changed_count++] = i;
	return ok;
}
