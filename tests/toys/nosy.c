/*
 * A validator that asks the host about the two sides in ways that few do, right ones and wrong ones, as its option
 * `ask` says. A fixture of tests/e2e/nosy.test, and no example of anything.
 */
#define _POSIX_C_SOURCE 200809L /* kill */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <etlrun/helpers.h>

struct etl_instance {
	const struct etl_host *host;
	const char *ask;
};

static bool asks(const struct etl_instance *self, const char *what)
{
	return strcmp(self->ask, what) == 0;
}

/* The rows of a stream, or negative: ERR has why, and so has the stream. */
static int64_t drain(struct etl_instance *self, struct ArrowArrayStream *stream, struct etl_error *err)
{
	struct ArrowSchema schema;
	struct ArrowArray batch;
	int64_t rows = 0;
	int rc;

	if (stream->get_schema(stream, &schema) != 0)
		return self->host->fail(err, ETL_FATAL, NULL, 0, "no schema");
	schema.release(&schema);
	while ((rc = stream->get_next(stream, &batch)) == 0 && batch.release) {
		rows += batch.length;
		batch.release(&batch);
	}
	if (rc && rc != ECANCELED)
		fprintf(stderr, "the stream says: %s\n", stream->get_last_error(stream));
	stream->release(stream);
	return rc == 0 ? rows : rc == ECANCELED ? ETL_CANCELED : ETL_FAILED;
}

static int64_t count(struct etl_instance *self, struct etl_peer *peer, const struct etl_range *range, bool hashes,
		     struct etl_error *err)
{
	struct ArrowArrayStream stream;
	int rc = hashes ? self->host->peer_hashes(peer, range, ETL_HASH_X1, &stream, err) :
			  self->host->peer_read(peer, range, &stream, err);

	return rc < 0 ? rc : drain(self, &stream, err);
}

static int64_t digest(struct etl_instance *self, struct etl_peer *peer, const struct etl_range *range, int32_t hash,
		      struct etl_error *err)
{
	struct etl_digest buckets[ETL_BUCKETS] = { { 0, 0 } };
	int64_t rows = 0;

	if (self->host->peer_digest(peer, range, hash, buckets, err) < 0)
		return ETL_FAILED;
	for (int i = 0; i < ETL_BUCKETS; i++)
		rows += (int64_t)buckets[i].rows;
	return rows;
}

/* Every way to count must come to the same: of all rows, of those of all buckets, and of two halves. */
static int64_t ways(struct etl_instance *self, struct etl_peer *peer, struct etl_error *err)
{
	const struct etl_range all = { .kind = ETL_RANGE_ALL };
	const struct etl_range buckets = { .kind = ETL_RANGE_BUCKETS, .of = ETL_BUCKETS, .count = ETL_BUCKETS };
	const struct etl_range low = { .kind = ETL_RANGE_BUCKETS, .of = ETL_BUCKETS, .count = 20 };
	const struct etl_range high = { .kind = ETL_RANGE_BUCKETS, .of = ETL_BUCKETS, .first = 20, .count = 44 };
	const struct etl_range half = { .kind = ETL_RANGE_SAMPLE, .ppm = 500000, .seed = 1 };
	const struct etl_range other = { .kind = ETL_RANGE_SAMPLE, .ppm = 500000, .seed = 2 };
	int64_t rows = count(self, peer, &all, false, err), sample;

	if (rows < 0)
		return rows;
	sample = digest(self, peer, &half, ETL_HASH_X1, err);
	if (count(self, peer, &all, true, err) != rows || digest(self, peer, &buckets, ETL_HASH_X1, err) != rows ||
	    digest(self, peer, &all, ETL_HASH_X1, err) != rows || digest(self, peer, &all, 0, err) != rows ||
	    count(self, peer, &low, true, err) + count(self, peer, &high, true, err) != rows ||
	    count(self, peer, &low, false, err) + count(self, peer, &high, false, err) != rows ||
	    count(self, peer, &half, true, err) != sample || digest(self, peer, &half, 0, err) != sample ||
	    count(self, peer, &other, true, err) != digest(self, peer, &other, ETL_HASH_X1, err))
		return self->host->fail(err, ETL_BUG, NULL, 0, "two ways to count the rows do not agree");
	return rows;
}

static int say(struct etl_finding_sink *sink, bool same, int64_t from, int64_t into)
{
	char text[80];
	const struct etl_finding finding = { .severity = same ? ETL_PASS : ETL_FAIL, .extent = "full", .code = "rows",
					     .message = text };

	snprintf(text, sizeof(text), "%ld rows here, %ld there", (long)from, (long)into);
	return sink->emit(sink, &finding);
}

static int wrong(struct etl_instance *self, struct etl_peer *peer, struct etl_error *err)
{
	struct etl_range range = { .kind = ETL_RANGE_BUCKETS, .of = ETL_BUCKETS, .count = 1 };
	struct ArrowArrayStream stream;
	struct etl_digest ret[ETL_BUCKETS];

	if (asks(self, "of seven")) {
		range.of = 7;
		return self->host->peer_digest(peer, &range, ETL_HASH_X1, ret, err);
	}
	if (asks(self, "beyond")) {
		range.first = ETL_BUCKETS;
		return self->host->peer_digest(peer, &range, ETL_HASH_X1, ret, err);
	}
	if (asks(self, "key range")) {
		range = (struct etl_range){ .kind = ETL_RANGE_ALL, .after = "1" };
		return self->host->peer_read(peer, &range, &stream, err);
	}
	if (asks(self, "key range of digest")) {
		range = (struct etl_range){ .kind = ETL_RANGE_ALL, .upto = "1" };
		return self->host->peer_digest(peer, &range, ETL_HASH_X1, ret, err);
	}
	return self->host->peer_hashes(peer, &range, 99, &stream, err);
}

static int nosy_check(struct etl_instance *self, struct etl_peer *from, struct etl_peer *into,
		      struct etl_finding_sink *sink, struct etl_error *err)
{
	int64_t rows, there;

	if (!asks(self, "rows") && !asks(self, "after a signal"))
		return wrong(self, from, err);
	if (asks(self, "after a signal")) {
		kill(getpid(), SIGTERM);
		while (!self->host->canceled(self->host))
			continue;
	}
	rows = ways(self, from, err);
	if (rows < 0)
		return (int)rows;
	there = ways(self, into, err);
	return there < 0 ? (int)there : say(sink, rows == there, rows, there);
}

static int nosy_open(const struct etl_host *host, const struct etl_conf *conf, struct etl_instance **ret,
		     struct etl_error *err)
{
	struct etl_instance *self = calloc(1, sizeof(*self));

	if (!self)
		return host->fail(err, ETL_MEMORY, NULL, 0, "no memory");
	*self = (struct etl_instance){ host, host->str(conf, "ask") };
	*ret = self;
	return ETL_OK;
}

static void nosy_close(struct etl_instance *self)
{
	free(self);
}

static const struct etl_option options[] = {
	{ .name = "ask", .kind = ETL_OPT_TEXT, .flags = ETL_OPT_REQUIRED, .help = "What it wants to know." },
	{ .name = NULL },
};
static const struct etl_validator validator = { .size = sizeof(validator), .check = nosy_check };
static const struct etl_plugin nosy = {
	ETL_ABI, 0, sizeof(nosy), sizeof(options[0]), "nosy", "1.0", "asks a lot", "0BSD", NULL, options,
	nosy_open, nosy_close, NULL, NULL, NULL, NULL, NULL, NULL, &validator,
};

ETL_PLUGIN(nosy, nosy)
