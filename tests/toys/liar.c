/*
 * A source, a transform and a target that lie about rows or break what a plugin promises, each in the way its
 * option `lie` says: what a host must find out. A fixture of tests/e2e/identities.test and broken_promises.test,
 * and no example of anything.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <etlrun/helpers.h>

struct etl_instance {
	const struct etl_host *host;
	const char *lie;
	int64_t rows; /* that the target took */
};

static atomic_int opened; /* by "opens once" */

static bool lies(const struct etl_instance *self, const char *lie)
{
	return strcmp(self->lie, lie) == 0;
}

/* ---- The source: the table n with the rows 1 .. 5, two in each batch ---- */

static const struct etl_column n_column = { .name = "id", .type = ETL_INT64, .flags = ETL_NOT_NULL | ETL_TYPED };
static const struct etl_table n = {
	.kind = ETL_TABLE, .name = "n", .rows = ETL_UNKNOWN, .bytes = ETL_UNKNOWN,
	.columns = &n_column, .column_count = 1, .column_size = sizeof(n_column),
};

struct reading {
	struct ArrowSchema schema;
	const struct etl_instance *self;
	int64_t next;
	bool empty; /* the batch before this one was */
};

static int n_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
	struct reading *r = stream->private_data;

	return etl_schema_copy(out, &r->schema) ? 0 : ENOMEM;
}

static void spoil(const struct etl_instance *self, struct ArrowArray *batch)
{
	if (lies(self, "lengths"))
		batch->children[0]->length--;
	if (lies(self, "offset"))
		batch->offset = 1;
}

static int n_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
	static const struct etl_column two[] = { { .name = "id", .type = ETL_INT64 }, { .name = "more", .type = ETL_INT64 } };
	struct reading *r = stream->private_data;
	int64_t rows = lies(r->self, "rows") ? 5 : lies(r->self, "empties") && !r->empty ? 0 : 2;
	struct ArrowSchema wide = { .release = NULL };
	struct etl_builder *builder;
	bool ok;

	out->release = NULL;
	if (lies(r->self, "mumbles") || lies(r->self, "starves"))
		return lies(r->self, "mumbles") ? EIO : ENOMEM;
	if (r->next > 5)
		return 0;
	if (lies(r->self, "columns") && !etl_schema_make(&wide, two, 2, sizeof(*two)))
		return ENOMEM;
	builder = etl_builder_new(wide.release ? &wide : &r->schema, 5);
	for (int64_t i = 0; builder && i < rows && r->next <= 5; i++, r->next++) {
		etl_put_int64(&builder->columns[0], r->next);
		if (wide.release)
			etl_put_null(&builder->columns[1]);
	}
	r->empty = rows == 0;
	ok = builder && etl_builder_finish(builder, out);
	etl_builder_free(builder);
	if (wide.release)
		wide.release(&wide);
	if (ok)
		spoil(r->self, out);
	return ok ? 0 : ENOMEM;
}

static const char *n_error(struct ArrowArrayStream *stream)
{
	(void)stream;
	return NULL;
}

static void n_release(struct ArrowArrayStream *stream)
{
	struct reading *r = stream->private_data;

	r->schema.release(&r->schema);
	free(r);
	stream->release = NULL;
}

static int liar_read(struct etl_instance *self, const struct etl_read *read, const struct etl_split *split,
		     struct ArrowArrayStream *out, struct etl_error *err)
{
	struct reading *r;

	(void)split;
	if (lies(self, "mute"))
		return ETL_FAILED;
	if (lies(self, "waits")) {
		self->host->delay(err, 20);
		self->host->delay(err, 10);
		return self->host->fail(err, ETL_RETRY_CONNECTION, "08006", 7, "the line is down");
	}
	r = calloc(1, sizeof(*r));
	if (!r || !etl_schema_copy(&r->schema, read->want)) {
		free(r);
		return self->host->fail(err, ETL_MEMORY, NULL, 0, "no memory");
	}
	r->self = self;
	r->next = 1;
	*out = (struct ArrowArrayStream){ n_schema, n_next, n_error, n_release, r };
	return ETL_OK;
}

/* ---- The transform: takes the first row of each batch away ---- */

struct stream {
	struct ArrowArrayStream in;
	struct ArrowSchema schema;
	const struct etl_instance *self;
	struct etl_context *context;
	bool ended;
};

static int get_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
	struct stream *s = stream->private_data;

	return etl_schema_copy(out, &s->schema) ? 0 : 12;
}

static bool drop_first(struct stream *s, struct ArrowArray *batch)
{
	int64_t *rows = malloc((size_t)batch->length * sizeof(*rows));
	struct ArrowArray rest;
	bool ok;

	for (int64_t i = 1; rows && i < batch->length; i++)
		rows[i - 1] = i;
	ok = rows && etl_batch_take(&rest, &s->schema, batch, rows, batch->length - 1);
	free(rows);
	if (!ok)
		return false;
	batch->release(batch);
	*batch = rest;
	return true;
}

static int get_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
	struct stream *s = stream->private_data;
	int rc = 0;

	out->release = NULL;
	if (s->ended)
		return 0;
	if (lies(s->self, "mutters"))
		return EIO;
	rc = s->in.get_next(&s->in, out);
	if (rc || !out->release)
		return rc;
	s->ended = lies(s->self, "stops");
	if (s->ended)
		return 0;
	if (lies(s->self, "counts"))
		s->self->host->count(s->context, ETL_COUNT_FILTERED, 1);
	if (lies(s->self, "creates"))
		s->self->host->count(s->context, ETL_COUNT_CREATED, 2);
	if ((lies(s->self, "loses") || lies(s->self, "filters")) && !drop_first(s, out))
		return 12;
	if (lies(s->self, "filters"))
		s->self->host->count(s->context, ETL_COUNT_FILTERED, 1);
	return 0;
}

static const char *get_error(struct ArrowArrayStream *stream)
{
	struct stream *s = stream->private_data;

	return lies(s->self, "mutters") ? "a hiccup on the way" : s->in.get_last_error(&s->in);
}

static void release(struct ArrowArrayStream *stream)
{
	struct stream *s = stream->private_data;

	s->in.release(&s->in);
	s->schema.release(&s->schema);
	free(s);
	stream->release = NULL;
}

static int liar_derive(struct etl_instance *self, const struct etl_table *in, struct etl_table_sink *sink,
		       struct etl_error *err)
{
	int rc = ETL_OK;

	(void)err;
	if (lies(self, "derives nothing"))
		return ETL_OK;
	if (lies(self, "derives mutely"))
		return ETL_FAILED;
	if (lies(self, "derives two"))
		rc = sink->emit(sink, in);
	return rc < 0 ? rc : sink->emit(sink, in);
}

static int liar_wrap(struct etl_instance *self, const struct etl_wrap *wrap, struct ArrowArrayStream *in,
		     struct ArrowArrayStream *out, struct etl_error *err)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (!s || in->get_schema(in, &s->schema) != 0) {
		free(s);
		return self->host->fail(err, ETL_MEMORY, NULL, 0, "no memory");
	}
	s->in = *in;
	s->self = self;
	s->context = wrap->context;
	in->release = NULL;
	*out = (struct ArrowArrayStream){ get_schema, get_next, get_error, release, s };
	return ETL_OK;
}

/* ---- The target: keeps nothing ---- */

/* As a source it has n, unless it is asked about it again; as a target that mumbles, too. */

static int liar_describe(struct etl_instance *self, const struct etl_dataset *dataset, struct etl_table_sink *sink,
			 struct etl_error *err)
{
	bool again = dataset && (dataset->where || dataset->query);
	int rc = ETL_OK;

	(void)err;
	if ((self->host->role != ETL_ROLE_SOURCE && !lies(self, "mumbles")) || (again && lies(self, "vanishes")))
		return ETL_OK;
	if (again && lies(self, "gives no name")) {
		struct etl_table nameless = n;

		nameless.name = NULL;
		return sink->emit(sink, &nameless);
	}
	if (again && lies(self, "doubles"))
		rc = sink->emit(sink, &n);
	return rc < 0 ? rc : sink->emit(sink, &n);
}

static int liar_begin(struct etl_instance *self, const struct etl_load *load, struct etl_token *ret,
		      struct etl_error *err)
{
	(void)self, (void)load, (void)err;
	strcpy(ret->text, "nowhere");
	return ETL_OK;
}

static int liar_load(struct etl_instance *self, const struct etl_load *load, const struct etl_token *token,
		     const struct etl_part *part, struct ArrowArrayStream *stream, struct etl_stats *ret,
		     struct etl_error *err)
{
	struct ArrowArray batch;

	(void)load, (void)token, (void)part;
	if (lies(self, "loads mutely"))
		return ETL_FAILED;
	while (!lies(self, "leaves")) {
		if (stream->get_next(stream, &batch) != 0)
			return self->host->fail(err, ETL_FATAL, NULL, 0, "no rows");
		if (!batch.release)
			break;
		self->rows += batch.length;
		batch.release(&batch);
	}
	if (lies(self, "releases"))
		stream->release(stream);
	*ret = (struct etl_stats){ .rows = (uint64_t)self->rows - lies(self, "stages") };
	return ETL_OK;
}

static int liar_commit(struct etl_instance *self, const struct etl_commit *commit, struct etl_error *err)
{
	(void)err;
	if (lies(self, "commits mutely"))
		return ETL_FAILED;
	if (lies(self, "inserts"))
		commit->outcomes[0].inserted++;
	if (lies(self, "updates"))
		commit->outcomes[0] = (struct etl_outcome){ .updated = commit->outcomes[0].inserted };
	return ETL_OK;
}

static int liar_abort(struct etl_instance *self, const struct etl_load *load, const struct etl_token *token,
		      struct etl_error *err)
{
	return (void)self, (void)load, (void)token, (void)err, ETL_OK;
}

static int liar_open(const struct etl_host *host, const struct etl_conf *conf, struct etl_instance **ret,
		     struct etl_error *err)
{
	struct etl_instance *self = calloc(1, sizeof(*self));

	if (!self)
		return host->fail(err, ETL_MEMORY, NULL, 0, "no memory");
	*self = (struct etl_instance){ host, host->str(conf, "lie"), 0 };
	if (lies(self, "opens mutely")) {
		free(self);
		return ETL_FAILED;
	}
	if (lies(self, "opens once") && atomic_fetch_add(&opened, 1) > 0) {
		free(self);
		return host->fail(err, ETL_FATAL, NULL, 0, "no second one is given");
	}
	*ret = self;
	return ETL_OK;
}

static void liar_close(struct etl_instance *self)
{
	free(self);
}

static const struct etl_option options[] = {
	{ .name = "lie", .kind = ETL_OPT_TEXT, .flags = ETL_OPT_REQUIRED, .help = "What is not true." },
	{ .name = NULL },
};
static const struct etl_transform transform = { .size = sizeof(transform), .flags = ETL_REPEATS, .rows = LIAR_ROWS,
						.derive = liar_derive, .wrap = liar_wrap };
static const struct etl_store store = { .size = sizeof(store), .describe = liar_describe };
static const struct etl_source source = { .size = sizeof(source), .read = liar_read };
static const struct etl_target target = { .size = sizeof(target), .begin = liar_begin, .load = liar_load,
					  .commit = liar_commit, .abort = liar_abort };
static const struct etl_plugin liar = {
	ETL_ABI, 0, sizeof(liar), sizeof(options[0]), LIAR_NAME, "1.0", "lies about rows", "0BSD", LIAR_SCHEMES, options,
	liar_open, liar_close, NULL, &store, &source, &target, NULL, &transform, NULL,
};

#define AS(name) ETL_PLUGIN(name, liar)
AS(LIAR)
