/*
 * Validator `totals`: what each column holds, added up, on both sides: NULLs, extremes, lengths and exact sums. It looks
 * at every row and keeps none, and a store that adds up itself gives none away, so it is for the tables of which a sample
 * of the rows has to be enough.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <etlrun/helpers.h>

#define SHOWN 80 /* characters of a number in a message */

struct etl_instance {
	const struct etl_host *host;
};

/* One column of one side, with copies of its texts. */
struct column_totals {
	char *name;
	bool respelt;
	int32_t type;
	struct etl_total total;
	char *least, *greatest, *sum;
};

struct side {
	struct etl_total_sink sink;
	const struct etl_host *host;
	struct etl_error *err;
	struct column_totals *columns;
	size_t count;
	bool unknown; /* nobody can say any more */
};

/* ---- Taking ------------------------------------------------------------------------------------------------- */

static void side_clear(struct side *side)
{
	for (size_t i = 0; i < side->count; i++) {
		free(side->columns[i].name);
		free(side->columns[i].least);
		free(side->columns[i].greatest);
		free(side->columns[i].sum);
	}
	free(side->columns);
}

static int no_memory(const struct etl_host *host, struct etl_error *err)
{
	return host->fail(err, ETL_MEMORY, NULL, 0, "no memory for the totals");
}

static bool copy(char **ret, const char *text)
{
	*ret = text ? strdup(text) : NULL;
	return *ret || !text;
}

static int take(struct etl_total_sink *self, const struct etl_column *column, const struct etl_total *total)
{
	struct side *side = (struct side *)(void *)self;
	struct column_totals *grown = realloc(side->columns, (side->count + 1) * sizeof(*grown)), *at;

	if (!grown)
		return no_memory(side->host, side->err);
	side->columns = grown;
	at = &grown[side->count++];
	*at = (struct column_totals){ .respelt = column->flags & ETL_RESPELT, .type = column->type, .total = *total };
	side->unknown |= total->nulls == ETL_UNKNOWN;
	return copy(&at->name, column->name) && copy(&at->least, total->least) && copy(&at->greatest, total->greatest) &&
			       copy(&at->sum, total->sum) ?
		       ETL_OK :
		       no_memory(side->host, side->err);
}

/* ---- Comparing ---------------------------------------------------------------------------------------------- */

static bool alike(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Of a number of a thousand digits its ends, where most differences are. */
static void add_shown(struct etl_text *text, const char *value)
{
	size_t length = value ? strlen(value) : 0;

	if (length <= SHOWN)
		etl_text_add(text, value ? value : "NULL");
	else
		etl_text_addf(text, "%.*s…%s (%zu digits)", SHOWN / 2, value, value + length - SHOWN / 2, length);
}

static void say(struct etl_text *text, const char *what, const char *from, const char *into)
{
	etl_text_add(text, text->length ? "; " : "");
	etl_text_addf(text, "%s is ", what);
	add_shown(text, from);
	etl_text_add(text, " in the source and ");
	add_shown(text, into);
	etl_text_add(text, " in the target");
}

static void say_number(struct etl_text *text, const char *what, int64_t from, int64_t into)
{
	char a[24], b[24];

	snprintf(a, sizeof(a), "%" PRId64, from);
	snprintf(b, sizeof(b), "%" PRId64, into);
	say(text, what, a, b);
}

/* A store that does not count as we do says nothing; where there is no value the NULLs tell. */
static void compare_length(struct etl_text *text, const char *what, int64_t from, int64_t into)
{
	if (from != ETL_UNKNOWN && into != ETL_UNKNOWN && from != into)
		say_number(text, what, from, into);
}

static void compare_lengths(struct etl_text *text, const struct etl_total *from, const struct etl_total *into)
{
	bool bytes = from->longest != ETL_UNKNOWN && into->longest != ETL_UNKNOWN;

	if (bytes) {
		compare_length(text, "the shortest length in bytes", from->shortest, into->shortest);
		compare_length(text, "the longest length in bytes", from->longest, into->longest);
	} else {
		compare_length(text, "the shortest length in UTF-16 units", from->shortest_utf16, into->shortest_utf16);
		compare_length(text, "the longest length in UTF-16 units", from->longest_utf16, into->longest_utf16);
	}
}

static bool is_whole(const char *value)
{
	return !value || value[strspn(value, "-0123456789")] == '\0';
}

static bool has_reals(const struct column_totals *c)
{
	return c->type == ETL_FLOAT32 || c->type == ETL_FLOAT64 || (c->type == ETL_ANY && !(is_whole(c->least) && is_whole(c->greatest)));
}

/* Of reals it is that of their bits, which tells that a value differs and not by how much. */
static void compare_sums(struct etl_text *text, const struct column_totals *from, const struct column_totals *into)
{
	bool real = has_reals(from) || has_reals(into);

	if (alike(from->sum, into->sum))
		return;
	say(text, real ? "the sum of the values' bits" : "the sum", from->sum, into->sum);
	if (real)
		etl_text_add(text, ", so that a value differs by however little; checksum without a sample names its row");
}

/* Nothing is added when they are alike. */
static void compare(struct etl_text *text, const struct column_totals *from, const struct column_totals *into)
{
	if (from->total.nulls != into->total.nulls)
		say_number(text, "the number of NULLs", from->total.nulls, into->total.nulls);
	if (from->respelt || into->respelt)
		return;
	if (!alike(from->least, into->least))
		say(text, "the least value", from->least, into->least);
	if (!alike(from->greatest, into->greatest))
		say(text, "the greatest value", from->greatest, into->greatest);
	compare_sums(text, from, into);
	compare_lengths(text, &from->total, &into->total);
}

/* ---- Findings ----------------------------------------------------------------------------------------------- */

/* "totals", "totals but for values of doc, address": as findings say it. */
static void add_extent(struct etl_text *text, const struct side *side)
{
	const char *between = " but for values of ";

	etl_text_add(text, "totals");
	for (size_t i = 0; i < side->count; i++) {
		if (!side->columns[i].respelt)
			continue;
		etl_text_addf(text, "%s%s", between, side->columns[i].name);
		between = ", ";
	}
}

static int emit(struct etl_instance *self, struct etl_finding_sink *sink, struct etl_finding *finding,
		struct etl_text *message, struct etl_error *err)
{
	int rc;

	finding->message = message->at;
	rc = message->failed ? no_memory(self->host, err) : sink->emit(sink, finding);
	etl_text_free(message);
	return rc;
}

static int emit_column(struct etl_instance *self, const struct column_totals *from, const struct column_totals *into,
		       const char *extent, uint64_t *differ, struct etl_finding_sink *sink, struct etl_error *err)
{
	struct etl_finding finding = { .severity = ETL_FAIL, .extent = extent, .code = "totals_differ", .column = from->name };
	struct etl_text what = { 0 }, message = { 0 };

	compare(&what, from, into);
	if (what.length == 0 && !what.failed)
		return ETL_OK;
	(*differ)++;
	etl_text_addf(&message, "column \"%s\": %s", from->name, what.at ? what.at : "");
	message.failed |= what.failed;
	etl_text_free(&what);
	return emit(self, sink, &finding, &message, err);
}

static int emit_unknown(struct etl_instance *self, const struct side *from, struct etl_finding_sink *sink,
			struct etl_error *err)
{
	struct etl_finding finding = { .severity = ETL_WARN, .extent = "totals", .code = "totals_unknown" };
	struct etl_text message = { 0 };

	etl_text_add(&message, from->unknown ?
				       "the totals of the source are not known: not all of its rows were added up while they were "
				       "loaded, and a transform does not repeat, so they cannot be made again" :
				       "the totals of the target are not known: it cannot be read back");
	return emit(self, sink, &finding, &message, err);
}

static int emit_equal(struct etl_instance *self, const struct side *side, const char *extent,
		      struct etl_finding_sink *sink, struct etl_error *err)
{
	struct etl_finding finding = { .severity = ETL_PASS, .extent = extent, .code = "totals_equal" };
	struct etl_text message = { 0 };

	etl_text_addf(&message, "NULLs, extremes and sums of %zu column%s are alike", side->count, side->count == 1 ? "" : "s");
	return emit(self, sink, &finding, &message, err);
}

static int emit_all(struct etl_instance *self, const struct side *from, const struct side *into,
		    struct etl_finding_sink *sink, struct etl_error *err)
{
	struct etl_text extent = { 0 };
	uint64_t differ = 0;
	int rc = ETL_OK;

	if (from->unknown || into->unknown)
		return emit_unknown(self, from, sink, err);
	if (from->count != into->count)
		return self->host->fail(err, ETL_BUG, NULL, 0, "both sides of a table have other columns");
	add_extent(&extent, from);
	if (extent.failed)
		rc = no_memory(self->host, err);
	for (size_t i = 0; rc == ETL_OK && i < from->count; i++)
		rc = emit_column(self, &from->columns[i], &into->columns[i], extent.at, &differ, sink, err);
	if (rc == ETL_OK && differ == 0)
		rc = emit_equal(self, from, extent.at, sink, err);
	etl_text_free(&extent);
	return rc;
}

/* ---- The plugin --------------------------------------------------------------------------------------------- */

static int totals_check(struct etl_instance *self, struct etl_peer *from, struct etl_peer *into,
			struct etl_finding_sink *sink, struct etl_error *err)
{
	struct side a = { .sink = { take }, .host = self->host, .err = err }, b = a;
	int rc = self->host->peer_totals(from, &a.sink, err);

	if (rc == ETL_OK)
		rc = self->host->peer_totals(into, &b.sink, err);
	if (rc == ETL_OK)
		rc = emit_all(self, &a, &b, sink, err);
	side_clear(&a);
	side_clear(&b);
	return rc;
}

static int totals_open(const struct etl_host *host, const struct etl_conf *conf, struct etl_instance **ret,
		       struct etl_error *err)
{
	struct etl_instance *self = calloc(1, sizeof(*self));

	(void)conf;
	if (!self)
		return host->fail(err, ETL_MEMORY, NULL, 0, "no memory for the validator");
	self->host = host;
	*ret = self;
	return ETL_OK;
}

static void totals_close(struct etl_instance *self)
{
	free(self);
}

static const struct etl_validator totals_validator = {
	.size = sizeof(struct etl_validator),
	.flags = ETL_ADDS_UP,
	.check = totals_check,
};

static const struct etl_option totals_options[] = { { .name = NULL } };

static const struct etl_plugin totals_plugin = {
	.abi = ETL_ABI,
	.size = sizeof(struct etl_plugin),
	.option_size = sizeof(struct etl_option),
	.name = "totals",
	.version = PACKAGE_VERSION,
	.summary = "compares NULLs, extremes and sums of every column",
	.license = "MIT",
	.options = totals_options,
	.open = totals_open,
	.close = totals_close,
	.validator = &totals_validator,
};

ETL_PLUGIN(totals, totals_plugin)
