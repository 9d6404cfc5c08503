/*
 * Validator `counts`: the cheapest question one can ask of a copy, and the first that people ask:
 * did as many rows arrive as were sent. It reads no values, so it belongs in every pipeline.
 */
#include "config.h"

#include <stdlib.h>

#include <etlrun/helpers.h>

struct etl_instance {
	const struct etl_host *host;
};

/* 1234567 as "1,234,567". */
static const char *grouped(uint64_t n, char buf[32])
{
	char *at = buf + 31;
	int digits = 0;

	*at = '\0';
	do {
		if (digits > 0 && digits % 3 == 0)
			*--at = ',';
		*--at = (char)('0' + n % 10);
		n /= 10;
		digits++;
	} while (n > 0);
	return at;
}

static void describe(struct etl_text *text, uint64_t from, uint64_t into)
{
	char a[32], b[32], c[32];
	uint64_t apart = from > into ? from - into : into - from;

	if (apart == 0)
		etl_text_addf(text, "both sides have %s row%s", grouped(from, a),
			      from == 1 ? "" : "s");
	else
		etl_text_addf(text, "the source gave %s row%s, the target has %s: %s %s %s",
			      grouped(from, a), from == 1 ? "" : "s", grouped(into, b),
			      grouped(apart, c), apart == 1 ? "is" : "are",
			      from > into ? "missing" : "too many");
}

static int counts_check(struct etl_instance *self, struct etl_peer *from, struct etl_peer *into,
			struct etl_finding_sink *sink, struct etl_error *err)
{
	const struct etl_host *host = self->host;
	const struct etl_range all = { .kind = ETL_RANGE_ALL };
	struct etl_digest a, b;
	struct etl_text text = { 0 };
	struct etl_finding finding = { .extent = "counts" };
	int r = host->peer_digest(from, &all, 0, &a, err);

	if (r == 0)
		r = host->peer_digest(into, &all, 0, &b, err);
	if (r < 0)
		return r;
	describe(&text, a.rows, b.rows);
	if (text.failed) {
		etl_text_free(&text);
		return host->fail(err, ETL_MEMORY, NULL, 0, "no memory for the row counts");
	}
	finding.severity = a.rows == b.rows ? ETL_PASS : ETL_FAIL;
	finding.code = a.rows == b.rows ? "rows_equal" : "rows_differ";
	finding.message = text.at;
	finding.rows = a.rows > b.rows ? a.rows - b.rows : b.rows - a.rows;
	r = sink->emit(sink, &finding);
	etl_text_free(&text);
	return r;
}

static int counts_open(const struct etl_host *host, const struct etl_conf *conf,
		       struct etl_instance **ret, struct etl_error *err)
{
	struct etl_instance *self = calloc(1, sizeof(*self));

	(void)conf;
	if (!self)
		return host->fail(err, ETL_MEMORY, NULL, 0, "no memory for the validator");
	self->host = host;
	*ret = self;
	return ETL_OK;
}

static void counts_close(struct etl_instance *self)
{
	free(self);
}

static const struct etl_validator counts_validator = {
	.size = sizeof(struct etl_validator),
	.check = counts_check,
};

static const struct etl_option counts_options[] = { { .name = NULL } };

static const struct etl_plugin counts_plugin = {
	.abi = ETL_ABI,
	.size = sizeof(struct etl_plugin),
	.option_size = sizeof(struct etl_option),
	.name = "counts",
	.version = PACKAGE_VERSION,
	.summary = "compares how many rows both sides have",
	.license = "MIT",
	.options = counts_options,
	.open = counts_open,
	.close = counts_close,
	.validator = &counts_validator,
};

ETL_PLUGIN(counts, counts_plugin)
