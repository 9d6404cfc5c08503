/*
 * A plugin of every kind that does what the interface allows and hardly any plugin does, each in the way that its
 * option `does` says: splits where one was asked for, a column of no type, rows that cannot be read a second time,
 * finds in steps and in commit, transforms that do not repeat, validators that stop half-way or say nothing in words.
 * A fixture of tests/e2e/odd.test, and no example of anything.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <etlrun/helpers.h>

struct etl_instance {
	const struct etl_host *host;
	const char *does;
};

static bool does(const struct etl_instance *self, const char *what)
{
	return strcmp(self->does, what) == 0;
}

/* ---- The source: three rows ---- */

static const struct etl_column columns[] = {
	{ .name = "id", .declared = "integer", .type = ETL_INT64, .flags = ETL_NOT_NULL | ETL_TYPED },
	{ .name = "v", .declared = "", .type = ETL_TYPE_NONE, .flags = ETL_TYPED },
};
static const char *const key[] = { "id" };
static const struct etl_table table = {
	.kind = ETL_TABLE, .name = "t", .rows = ETL_UNKNOWN, .bytes = ETL_UNKNOWN, .columns = columns,
	.column_count = 2, .column_size = sizeof(struct etl_column), .primary = { .columns = key, .column_count = 1 },
};
static atomic_int readings;

static int odd_describe(struct etl_instance *self, const struct etl_dataset *dataset, struct etl_table_sink *sink,
			struct etl_error *err)
{
	(void)dataset, (void)err;
	return does(self, "as target") ? ETL_OK : sink->emit(sink, &table);
}

struct rows {
	struct etl_producer producer;
	struct etl_instance *self;
	struct etl_error *err;
	bool again;
};

static int rows_fill(struct etl_producer *producer, struct etl_builder *b)
{
	struct rows *r = (struct rows *)producer;

	if (r->again && does(r->self, "breaks"))
		return r->self->host->fail(r->err, ETL_FATAL, NULL, 0, "the rows are gone");
	if (r->again && does(r->self, "breaks without a word"))
		return ETL_FAILED;
	for (int64_t i = 1; i <= 3; i++) {
		etl_put_int64(&b->columns[0], i);
		if (b->count > 1 && etl_convert_text(&b->columns[1], i == 1 ? "one" : "more", i == 1 ? 3 : 4))
			return ETL_FAILED;
	}
	return ETL_FILL_END;
}

static void rows_stop(struct etl_producer *producer)
{
	free(producer);
}

static int odd_read(struct etl_instance *self, const struct etl_read *read, const struct etl_split *split,
		    struct ArrowArrayStream *stream, struct etl_error *err)
{
	bool again = atomic_fetch_add(&readings, 1) > 0;
	struct rows *r;

	(void)split;
	if (again && does(self, "closed"))
		return self->host->fail(err, ETL_FATAL, NULL, 0, "closed for today");
	r = calloc(1, sizeof(*r));
	if (r)
		*r = (struct rows){ { rows_fill, rows_stop }, self, err, again };
	if (r && etl_stream_open(stream, self->host, read->want, &r->producer))
		return ETL_OK;
	free(r);
	return self->host->fail(err, ETL_MEMORY, NULL, 0, "no memory");
}

static int odd_plan(struct etl_instance *self, const struct etl_read *read, int64_t wanted, struct etl_split_sink *sink,
		    struct etl_error *err)
{
	const struct etl_split split = { .first = INT64_MIN, .last = INT64_MAX, .rows = ETL_UNKNOWN, .text = "all" };
	int rc = sink->emit(sink, &split);

	(void)read, (void)wanted, (void)err;
	return rc == 0 && does(self, "splits") ? sink->emit(sink, &split) : rc;
}

/* ---- The target: keeps nothing, and has something to say ---- */

static int odd_begin(struct etl_instance *self, const struct etl_load *load, struct etl_token *ret, struct etl_error *err)
{
	(void)self, (void)load, (void)err;
	strcpy(ret->text, "nowhere");
	return ETL_OK;
}

static int odd_load(struct etl_instance *self, const struct etl_load *load, const struct etl_token *token,
		    const struct etl_part *part, struct ArrowArrayStream *stream, struct etl_stats *ret,
		    struct etl_error *err)
{
	struct ArrowArray batch;

	(void)load, (void)token, (void)part;
	for (*ret = (struct etl_stats){ .rows = 0 };;) {
		if (stream->get_next(stream, &batch) != 0)
			return self->host->fail(err, ETL_FATAL, NULL, 0, "no rows");
		if (!batch.release)
			return ETL_OK;
		ret->rows += (uint64_t)batch.length;
		batch.release(&batch);
	}
}

static int find(struct etl_found_sink *sink, const char *reason)
{
	const struct etl_found found = { .code = "odd", .table = "t", .reason = reason };

	return sink->emit(sink, &found);
}

static int odd_commit(struct etl_instance *self, const struct etl_commit *commit, struct etl_error *err)
{
	(void)self, (void)err;
	return find(commit->found, "a row was parked");
}

static int odd_abort(struct etl_instance *self, const struct etl_load *load, const struct etl_token *token,
		     struct etl_error *err)
{
	(void)load, (void)token;
	return strstr(self->does, "stays") ? self->host->fail(err, ETL_FATAL, NULL, 0, "it does not go away") : ETL_OK;
}

static int odd_design(struct etl_instance *self, const struct etl_table *of, const struct etl_load *load,
		      struct etl_step_sink *sink, struct etl_error *err)
{
	const struct etl_step step = { .phase = ETL_PHASE_FINISH, .verdict = ETL_EXACT, .kind = "odd", .sql = "LOOK",
				       .load = load ? load->index : UINT64_MAX };

	const struct etl_step look = { .phase = ETL_PHASE_SCREEN, .verdict = ETL_EXACT, .kind = "odd", .object = "all", .sql = "LOOK",
				       .load = UINT64_MAX };
	int rc = sink->emit(sink, &look);

	(void)self, (void)of, (void)err;
	return rc < 0 ? rc : sink->emit(sink, &step);
}

static int odd_apply(struct etl_instance *self, const struct etl_load *load, const struct etl_token *token,
		     const struct etl_step *step, struct etl_found_sink *sink, struct etl_error *err)
{
	(void)load, (void)token, (void)err;
	if (step->phase == ETL_PHASE_SCREEN && strncmp(self->does, "finds", 5) != 0)
		return ETL_OK;
	return find(sink, "a step found a row");
}

/* ---- The transform: changes nothing ---- */

static int odd_wrap(struct etl_instance *self, const struct etl_wrap *wrap, struct ArrowArrayStream *in,
		    struct ArrowArrayStream *out, struct etl_error *err)
{
	(void)err;
	if (does(self, "counts"))
		self->host->count(wrap->context, 99, 1000);
	*out = *in;
	in->release = NULL;
	return ETL_OK;
}

static int odd_whole(struct etl_instance *self)
{
	return does(self, "whole");
}

/* ---- The validator ---- */

/* Takes at most MOST batches of the rows. */
static int look(struct etl_instance *self, struct etl_peer *peer, int most, int64_t *rows, struct etl_error *err)
{
	const struct etl_range all = { .kind = ETL_RANGE_ALL };
	struct ArrowArrayStream stream;
	struct ArrowArray batch;
	int rc = self->host->peer_read(peer, &all, &stream, err);

	if (rc < 0)
		return rc;
	for (*rows = 0; rc == 0 && most-- > 0;) {
		rc = stream.get_next(&stream, &batch);
		if (rc || !batch.release)
			break;
		*rows += batch.length;
		batch.release(&batch);
	}
	stream.release(&stream);
	return rc ? ETL_FAILED : ETL_OK;
}

static int odd_check(struct etl_instance *self, struct etl_peer *from, struct etl_peer *into,
		     struct etl_finding_sink *sink, struct etl_error *err)
{
	struct etl_finding finding = { .severity = ETL_PASS, .code = "odd" };
	struct etl_peer *other = into;
	int64_t rows = 0;
	int rc = 0;

	if (strncmp(self->does, "other ", 6) == 0)
		rc = self->host->peer_other(into, self->does + 6, &other, err);
	if (rc == 0 && (does(self, "half") || does(self, "from")))
		rc = look(self, does(self, "half") ? into : from, 1, &rows, err);
	else if (rc == 0)
		rc = look(self, other, 1000, &rows, err);
	if (rc < 0)
		return rc;
	if (does(self, "fails")) {
		finding.severity = ETL_FAIL;
		rc = sink->emit(sink, &finding);
		finding.message = "in words";
	}
	if (other != into)
		self->host->log(self->host, ETL_LOG_INFO, "odd: the other table has %lld rows", (long long)rows);
	return rc < 0 ? rc : sink->emit(sink, &finding);
}

static int odd_open(const struct etl_host *host, const struct etl_conf *conf, struct etl_instance **ret,
		    struct etl_error *err)
{
	struct etl_instance *self = calloc(1, sizeof(*self));

	if (!self)
		return host->fail(err, ETL_MEMORY, NULL, 0, "no memory");
	*self = (struct etl_instance){ host, host->str(conf, "does") };
	*ret = self;
	return ETL_OK;
}

static void odd_close(struct etl_instance *self)
{
	free(self);
}

static const struct etl_option options[] = {
	{ .name = "does", .kind = ETL_OPT_TEXT, .flags = ETL_OPT_REQUIRED, .help = "What is odd." },
	{ .name = NULL },
};
static const struct etl_store store = { .size = sizeof(store), .describe = odd_describe };
static const struct etl_source source = { .size = sizeof(source), .read = odd_read, .plan = odd_plan };
static const struct etl_target target = { .size = sizeof(target), .flags = ETL_DDL, .begin = odd_begin, .load = odd_load,
					  .commit = odd_commit, .abort = odd_abort };
static const struct etl_schema schema = { .size = sizeof(schema), .design = odd_design, .apply = odd_apply };
static const struct etl_transform transform = { .size = sizeof(transform), .rows = ETL_ROWS_ANY, .wrap = odd_wrap,
						.whole = odd_whole };
static const struct etl_validator validator = { .size = sizeof(validator), .check = odd_check };
static const struct etl_plugin odd = {
	ETL_ABI, 0, sizeof(odd), sizeof(options[0]), "odd", "1.0", "does what hardly any plugin does", "0BSD", NULL, options,
	odd_open, odd_close, NULL, &store, &source, &target, &schema, &transform, &validator,
};

ETL_PLUGIN(odd, odd)
