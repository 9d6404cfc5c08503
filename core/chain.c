/*
 * The chain of streams that a split's rows come through: meter(read) → transforms → cast →
 * validators that wrap. The meter is where rows are counted, numbered and held to the ABI's limits.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "changes.h"
#include "cursor.h"
#include "flow.h"
#include "maps.h"
#include "replay.h"
#include "sweep.h"
#include "target-keys.h"

/* ---- The meter ---- */

struct meter {
	struct ArrowArrayStream in;
	struct ArrowSchema schema; /* of what comes out: the ordinal last */
	struct etl_context *context;
	const struct instance *source;
	struct pace *pace;
	int64_t next; /* ordinal */
	size_t gone_at;
	int64_t batch_rows; /* the most a batch may have */
	struct etl_error *err;
};

/* An errno of a stream may get lost on its way through plugins; what is said here does not. */
static int said(int code, struct etl_error *err)
{
	if (code == ENOMEM)
		error_memory(err);
	return code;
}

static int meter_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
	struct meter *m = stream->private_data;

	return etl_schema_copy(out, &m->schema) ? 0 : said(ENOMEM, m->err);
}

static const char *meter_error(struct ArrowArrayStream *stream)
{
	struct meter *m = stream->private_data;

	return m->err->message;
}

/* What a plugin promised about its batches, checked once for each. */
static int meter_check(struct meter *m, const struct ArrowArray *batch)
{
	const char *plugin = m->source->plugin->base.name;

	if (batch->n_children != m->schema.n_children - 1)
		return error_set(m->err, ETL_BUG,
				 "plugin %s gave a batch of %lld columns, %lld were asked for",
				 plugin, (long long)batch->n_children,
				 (long long)m->schema.n_children - 1);
	if (batch->length > m->batch_rows || batch->offset != 0)
		return error_set(m->err, ETL_BUG,
				 "plugin %s gave a batch of %lld rows at offset %lld; at most %lld "
				 "rows at 0 "
				 "are allowed",
				 plugin, (long long)batch->length, (long long)batch->offset,
				 (long long)m->batch_rows);
	for (int64_t i = 0; i < batch->n_children; i++)
		if (batch->children[i]->length != batch->length)
			return error_set(m->err, ETL_BUG,
					 "plugin %s gave columns of different lengths in one batch",
					 plugin);
	return 0;
}

static int meter_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
	struct meter *m = stream->private_data;
	struct ArrowArray batch = { 0 }, ordinals;
	int rc = host_canceled() ? ETL_CANCELED : pace_load(m->pace, m->err);

	out->release = NULL;
	if (rc < 0)
		return rc == ETL_CANCELED ? ECANCELED : EIO;
	rc = m->in.get_next(&m->in, &batch);
	if (rc)
		return said(rc, m->err);
	m->context->ended = !batch.release;
	if (!batch.release)
		return 0;
	if (meter_check(m, &batch) < 0) {
		batch.release(&batch);
		return EPROTO;
	}
	if (pace_rows(m->pace, batch.length) < 0) {
		batch.release(&batch);
		return ECANCELED;
	}
	m->context->read += (uint64_t)batch.length;
	if (!batch_count(&ordinals, batch.length, &m->next, m->context->gone,
			 m->context->gone_count, &m->gone_at)) {
		batch.release(&batch);
		return said(ENOMEM, m->err);
	}
	if (!batch_append(&batch, &ordinals)) {
		ordinals.release(&ordinals);
		batch.release(&batch);
		return said(ENOMEM, m->err);
	}
	*out = batch;
	return 0;
}

static void meter_release(struct ArrowArrayStream *stream)
{
	struct meter *m = stream->private_data;

	m->in.release(&m->in);
	m->schema.release(&m->schema);
	free(m);
	stream->release = NULL;
}

bool flow_with_ordinal(const struct ArrowSchema *want, struct ArrowSchema *ret)
{
	size_t count = (size_t)want->n_children;
	struct etl_column *columns = calloc(count + 1, sizeof(*columns));
	bool ok = columns != NULL;

	for (size_t i = 0; ok && i < count; i++) {
		struct etl_type_info type = etl_type_of(want->children[i]);

		columns[i].name = want->children[i]->name;
		columns[i].type = type.type;
		columns[i].precision = type.precision;
		columns[i].scale = type.scale;
	}
	if (ok) {
		columns[count].name = ETL_ORDINAL_COLUMN;
		columns[count].type = ETL_INT64;
		columns[count].flags = ETL_NOT_NULL;
		ok = etl_schema_make(ret, columns, count + 1, sizeof(*columns));
	}
	free(columns);
	return ok;
}

static int meter_open(const struct flow_setup *f, struct job *job, struct instance *source,
		      struct etl_context *context, struct ArrowArrayStream *in,
		      struct ArrowArrayStream *ret, struct etl_error *err)
{
	struct meter *m = calloc(1, sizeof(*m));

	if (!m || !flow_with_ordinal(&job->want, &m->schema)) {
		free(m);
		return error_memory(err);
	}
	m->in = *in;
	in->release = NULL;
	m->context = context;
	m->source = source;
	m->pace = f->pace;
	m->batch_rows = f->limits.batch_rows;
	m->err = err;
	*ret = (struct ArrowArrayStream){ meter_schema, meter_next, meter_error, meter_release, m };
	return 0;
}

/* ---- The chain ---- */

/* A stream that also owns the instances its inner streams need. */
struct chain {
	struct ArrowArrayStream in;
	struct instance **instances;
	size_t count;
	struct etl_context *contexts; /* of the steps, beside the whole one's stages */
};

static int chain_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
	struct chain *c = stream->private_data;

	return c->in.get_schema(&c->in, out);
}

static int chain_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
	struct chain *c = stream->private_data;

	return c->in.get_next(&c->in, out);
}

static const char *chain_error(struct ArrowArrayStream *stream)
{
	struct chain *c = stream->private_data;

	return c->in.get_last_error(&c->in);
}

static void chain_release(struct ArrowArrayStream *stream)
{
	struct chain *c = stream->private_data;

	if (c->in.release)
		c->in.release(&c->in);
	for (size_t i = 0; i < c->count; i++)
		instance_close(c->instances[i]);
	free(c->instances);
	free(c->contexts);
	free(c);
	stream->release = NULL;
}

/* ---- Whose failure it is ----
 * All streams of a chain fail into one struct etl_error, and the outer ones pull from the inner: a
 * source that fails while a transform pulls is still the source's failure. So whoever is at work is
 * written into the error before each pull, and who pulled is written back behind it. It also counts the rows that
 * come out of each. */
struct stamp {
	struct ArrowArrayStream in;
	const struct instance *instance; /* NULL: the host's own work */
	uint64_t *rows;			 /* counts what comes out, or NULL */
	struct etl_error *err;
};

static int stamp_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
	struct stamp *s = stream->private_data;

	return said(s->in.get_schema(&s->in, out), s->err);
}

static int stamp_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
	struct stamp *s = stream->private_data;
	int32_t role = s->err->role;
	char plugin[sizeof(s->err->plugin)];
	int rc;

	memcpy(plugin, s->err->plugin, sizeof(plugin));
	if (s->instance)
		instance_error(s->instance, s->err);
	rc = said(s->in.get_next(&s->in, out), s->err);
	if (rc == 0 && s->rows && out->release)
		*s->rows += (uint64_t)out->length;
	if (!s->err->set) {
		s->err->role = role;
		memcpy(s->err->plugin, plugin, sizeof(plugin));
	}
	return rc;
}

static const char *stamp_error(struct ArrowArrayStream *stream)
{
	struct stamp *s = stream->private_data;

	return s->in.get_last_error(&s->in);
}

static void stamp_release(struct ArrowArrayStream *stream)
{
	struct stamp *s = stream->private_data;

	s->in.release(&s->in);
	free(s);
	stream->release = NULL;
}

/* Replaces STREAM by one that stamps; on failure it is untouched. */
static int stamp_open(const struct instance *instance, uint64_t *rows,
		      struct ArrowArrayStream *stream, struct etl_error *err)
{
	struct stamp *s = calloc(1, sizeof(*s));

	if (!s)
		return error_memory(err);
	*s = (struct stamp){ *stream, instance, rows, err };
	*stream = (struct ArrowArrayStream){ stamp_schema, stamp_next, stamp_error, stamp_release,
					     s };
	return 0;
}

typedef int wrap_function(struct etl_instance *, const struct etl_wrap *, struct ArrowArrayStream *,
			  struct ArrowArrayStream *, struct etl_error *);

/* Puts one transform or validator around the chain. */
static int wrap_one(const struct flow_setup *f, struct chain *c, const struct job *job, const struct plugin_use *use,
		    int32_t role, wrap_function *wrap, const struct etl_wrap *shape,
		    struct etl_error *err)
{
	struct ArrowArrayStream out = { 0 };
	struct instance *instance = NULL;
	int rc = instance_open(use, role, &f->limits, &instance, err);

	if (rc < 0)
		return rc;
	c->instances[c->count++] = instance;
	target_keys_tell(job, instance);
	rc = wrap(instance->self, shape, &c->in, &out, instance_error(instance, err));
	if (rc < 0)
		return rc;
	c->in = out;
	return stamp_open(instance, &shape->context->stage->out, &c->in, err);
}

/* The context of one step, whose rows come from the one before. */
static struct etl_context *step_context(struct chain *c, struct etl_context *whole, size_t step)
{
	c->contexts[step] = *whole;
	c->contexts[step].gone = NULL;
	c->contexts[step].stages = NULL;
	c->contexts[step].noted = (struct noted){ 0 };
	c->contexts[step].whole = whole;
	c->contexts[step].stage = &whole->stages[step];
	whole->stages[step].used = true;
	return &c->contexts[step];
}

static int add_transforms(const struct flow_setup *f, struct chain *c, struct job *job,
			  struct etl_context *context, struct etl_error *err)
{
	const struct etl_table *in = &job->comes;
	int rc = 0;

	for (size_t i = 0; i < job->transforms.count && rc == 0; i++) {
		const struct plugin_use *use = &job->transforms.at[i];
		struct etl_wrap shape = { .in = in,
					  .out = job->shapes[i],
					  .context = step_context(c, context, i) };

		rc = wrap_one(f, c, job, use, ETL_ROLE_TRANSFORM, use->plugin->transform.wrap, &shape,
			      err);
		in = job->shapes[i];
	}
	return rc;
}

static int add_cast(struct chain *c, struct job *job, struct etl_context *context,
		    struct etl_error *err)
{
	struct ArrowArrayStream out = { 0 };
	int rc;

	if (reshape_is_identity(&job->before_cast, job->cast, job->cast_count))
		return 0;
	context = step_context(c, context, job->transforms.count);
	rc = reshape_wrap(&c->in, job->cast, job->cast_count, context, &out, err);
	if (rc < 0)
		return rc;
	c->in = out;
	return stamp_open(NULL, &context->stage->out, &c->in, err);
}

static int add_validators(const struct flow_setup *f, struct chain *c, struct job *job,
			  struct etl_context *context, struct etl_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < job->validators.count && rc == 0; i++) {
		const struct plugin_use *use = &job->validators.at[i];
		struct etl_wrap shape = { .in = job->target, .out = job->target };

		if (!use->plugin->can_wrap)
			continue;
		shape.context = step_context(c, context, job->transforms.count + 1 + i);
		rc = wrap_one(f, c, job, use, ETL_ROLE_VALIDATOR, use->plugin->validator.wrap, &shape,
			      err);
	}
	return rc;
}

/* Behind the validators: what they reject is none of what the target is to have. */
static int add_changes(const struct flow_setup *f, struct chain *c, struct job *job, const struct etl_split *split,
		       struct etl_context *context, struct etl_error *err)
{
	int rc;

	context = step_context(c, context, job_stages(job) - 1);
	rc = changes_wrap(f, job, split, context, &c->in, err);
	return rc < 0 ? rc : stamp_open(NULL, &context->stage->out, &c->in, err);
}

/* meter(read(split)) */
static int open_source(const struct flow_setup *f, struct job *job, struct instance *source,
		       const struct etl_split *split, struct etl_context *context,
		       struct ArrowArrayStream *ret, struct etl_error *err)
{
	struct etl_read read = { .dataset = job->dataset,
				 .want = &job->want,
				 .context = context,
				 .limit = f->row_limit };
	struct ArrowArrayStream in = { 0 };
	int rc;

	if (f->range) {
		read.cursor = f->range->cursor;
		read.after = f->range->after;
		read.upto = f->range->upto;
		read.key_schema = f->range->key_schema;
		read.keys = f->range->keys;
	}
	if (job->cursor && job->cursor->reads) {
		read.cursor = job->rule->cursor;
		read.since = job->cursor->since;
		sweep_bound(job, split, &read);
	}
	rc = source->plugin->source.read(source->self, &read, split, &in,
					 instance_error(source, err));
	if (rc == 0)
		rc = stamp_open(source, NULL, &in, err);
	if (rc == 0)
		rc = meter_open(f, job, source, context, &in, ret, err);
	if (in.release)
		in.release(&in);
	return rc;
}

int flow_open(const struct flow_setup *f, struct job *job, struct instance *source,
	      const struct etl_split *split, struct etl_context *context,
	      struct ArrowArrayStream *ret, struct etl_error *err)
{
	struct chain *c = calloc(1, sizeof(*c));
	int rc;

	if (c)
		c->instances = calloc(job_stages(job), sizeof(*c->instances));
	if (c)
		c->contexts = calloc(job_stages(job), sizeof(*c->contexts));
	if (!context->stages)
		context->stages = calloc(job_stages(job), sizeof(*context->stages));
	if (!c || !c->instances || !c->contexts || !context->stages) {
		free(c ? c->instances : NULL);
		free(c ? c->contexts : NULL);
		free(c);
		return error_memory(err);
	}
	*ret = (struct ArrowArrayStream){ chain_schema, chain_next, chain_error, chain_release, c };
	rc = maps_need(f, job, err);
	if (rc == 0)
		rc = job->replay ? replay_open(f, job, source, split->index, context, &c->in, err) :
			   open_source(f, job, source, split, context, &c->in, err);
	if (rc == 0)
		rc = add_transforms(f, c, job, context, err);
	if (rc == 0)
		rc = add_cast(c, job, context, err);
	if (rc == 0)
		rc = add_validators(f, c, job, context, err);
	if (rc == 0)
		rc = maps_wrap(job, context, &c->in, err);
	if (rc == 0 && job->changes && !maps_is_ahead(job))
		rc = add_changes(f, c, job, split, context, err);
	if (rc < 0)
		ret->release(ret);
	return rc;
}
