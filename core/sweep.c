/* See sweep.h. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <etlrun/helpers.h>

#include "cursor.h"
#include "log.h"
#include "retry.h"
#include "sweep.h"

#define WHOLE 1000000 /* millionths */

/* ---- Which part -------------------------------------------------------------------------------------- */

static bool is_whole_number(int32_t type)
{
	return type == ETL_INT16 || type == ETL_INT32 || type == ETL_INT64;
}

/* The column of the source that comes as the key; NULL: none does, or not as it is. */
static const struct ArrowSchema *key_source(const struct job *job)
{
	const struct reshape_column *c;

	if (job->key_count != 1 || job->transforms.count || !job->cast)
		return NULL;
	c = &job->cast[job->key[0]];
	if (c->from < 0 || c->fallback || c->null_count || !is_whole_number(c->type.type) ||
	    !is_whole_number(etl_type_of(job->want.children[c->from]).type))
		return NULL;
	return job->want.children[c->from];
}

int sweep_check(const struct pipeline *p, const struct job *job, struct etl_error *err)
{
	if (!p->sweep || key_source(job))
		return 0;
	error_at(err, job_name(job), NULL, NULL);
	return error_set(err, ETL_USAGE,
			 "%s: `sweep` takes keys part by part, and the key of \"%s\" is not one column of whole numbers that comes as it "
			 "is; write sweep_every = N, and every N-th run compares all rows",
			 job->rule->origin.text, job_source_name(job));
}

static int highest(struct run *run, struct job *job, const char *key, int64_t *ret, bool *ret_any, struct etl_error *err)
{
	struct instance *source = run->source;
	struct etl_read read = { .dataset = job->dataset, .want = &job->want, .cursor = key };
	struct retry retry = retry_of(source, "asking for the highest key");
	struct etl_token token = { "" };
	int rc;

	do
		rc = source->plugin->source.watermark(source->self, &read, &token, instance_error(source, err));
	while (rc < 0 && retry_again(&retry, err));
	*ret_any = rc == 0 && token.text[0];
	*ret = *ret_any ? strtoll(token.text, NULL, 10) : 0;
	return rc;
}

/* LOW to HIGH, a millionth at a time; numbers of 64 bits need more for their product. */
static int64_t key_at(int64_t low, int64_t high, int64_t millionths)
{
	long double way = ((long double)high - (long double)low) * (long double)millionths / WHOLE;

	return (int64_t)((long double)low + way);
}

int sweep_find(struct run *run, struct job *job, const struct state_table *past, struct etl_error *err)
{
	struct job_sweep *s = etl_arena_alloc(&run->jobs.arena, sizeof(*s));
	int64_t high, low = past->sweep.low;
	bool any;
	int rc;

	if (!s)
		return error_memory(err);
	memset(s, 0, sizeof(*s));
	s->source_key = key_source(job)->name;
	s->target_key = job->rows.children[job->key[0]]->name;
	rc = highest(run, job, s->source_key, &high, &any, err);
	if (rc < 0)
		return rc;
	s->at = past->sweep.at >= WHOLE ? 0 : past->sweep.at;
	s->to = s->at + run->pipeline->sweep < WHOLE ? s->at + run->pipeline->sweep : WHOLE;
	s->from = past->sweep.upto;
	if (!past->sweep.known || low > high)
		low = high < 0 ? high : 0;
	s->upto = key_at(low, high, s->to);
	if (s->at > 0 && s->upto < s->from)
		s->upto = s->from;
	atomic_init(&s->low, past->sweep.known ? past->sweep.low : INT64_MAX);
	snprintf(s->after_text, sizeof(s->after_text), "%" PRId64, s->from);
	snprintf(s->upto_text, sizeof(s->upto_text), "%" PRId64, s->upto);
	job->cursor->sweep = s;
	log_line(ETL_LOG_INFO, "table \"%s\": swept from %g %% to %g %% of its keys, %s%s%s%s", job_name(job), (double)s->at / 10000,
		 (double)s->to / 10000, s->at ? "above " : "from the lowest", s->at ? s->after_text : "",
		 s->to < WHOLE ? " to " : " to the highest", s->to < WHOLE ? s->upto_text : "");
	return 0;
}

int sweep_plan(struct job *job, struct etl_error *err)
{
	struct job_split *at;

	if (!sweep_is_on(job))
		return 0;
	at = realloc(job->splits, (job->split_count + 1) * sizeof(*at));
	if (!at)
		return error_memory(err);
	job->splits = at;
	at[job->split_count] = (struct job_split){ .split = { .index = job->split_count,
							      .first = INT64_MIN,
							      .last = INT64_MAX,
							      .rows = ETL_UNKNOWN } };
	job->cursor->sweep->split = job->split_count++;
	return 0;
}

/* ---- Reading it ---------------------------------------------------------------------------------------- */

bool sweep_is_on(const struct job *job)
{
	return job->cursor && job->cursor->sweep;
}

bool sweep_is_split(const struct job *job, uint64_t split)
{
	return sweep_is_on(job) && job->cursor->sweep->split == split;
}

static void put_bounds(const struct job_sweep *s, const char *key, struct etl_read *read)
{
	read->cursor = key;
	read->after = s->at > 0 ? s->after_text : NULL;
	read->upto = s->to < WHOLE ? s->upto_text : NULL;
	read->since = NULL;
}

void sweep_bound(const struct job *job, const struct etl_split *split, struct etl_read *read)
{
	if (sweep_is_split(job, split->index))
		put_bounds(job->cursor->sweep, job->cursor->sweep->source_key, read);
}

void sweep_bound_target(const struct job *job, struct etl_read *read)
{
	if (sweep_is_on(job))
		put_bounds(job->cursor->sweep, job->cursor->sweep->target_key, read);
}

static int64_t key_of(const struct job *job, const struct ArrowSchema *schema, const struct ArrowArray *batch, int64_t row)
{
	const struct ArrowArray *column = batch->children[job->key[0]];
	int64_t at = column->offset + row;

	switch (etl_type_of(schema->children[job->key[0]]).type) {
	case ETL_INT16:
		return ((const int16_t *)column->buffers[1])[at];
	case ETL_INT32:
		return ((const int32_t *)column->buffers[1])[at];
	default:
		return ((const int64_t *)column->buffers[1])[at];
	}
}

bool sweep_has(const struct job *job, const struct ArrowSchema *schema, const struct ArrowArray *batch, int64_t row)
{
	const struct job_sweep *s = job->cursor->sweep;
	int64_t key = key_of(job, schema, batch, row);

	return (s->at == 0 || key > s->from) && (s->to == WHOLE || key <= s->upto);
}

void sweep_meet(struct job *job, const struct ArrowSchema *schema, const struct ArrowArray *batch)
{
	struct job_sweep *s = job->cursor->sweep;
	int64_t low = atomic_load(&s->low);

	for (int64_t i = 0; i < batch->length; i++) {
		int64_t key = key_of(job, schema, batch, i);

		low = key < low ? key : low;
	}
	if (low < atomic_load(&s->low))
		atomic_store(&s->low, low);
}

void sweep_add_state(const struct job *job, struct etl_text *to)
{
	const struct job_sweep *s = job->cursor ? job->cursor->sweep : NULL;
	int64_t low = s ? atomic_load(&s->low) : INT64_MAX;

	if (!s)
		return;
	etl_text_addf(to, ",\"swept\":%" PRId64 ",\"swept_upto\":%" PRId64, s->to, s->upto);
	if (low != INT64_MAX)
		etl_text_addf(to, ",\"swept_low\":%" PRId64, low);
}
