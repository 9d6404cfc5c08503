/*
 * A validator in one file: it looks at each row on its way and rejects those with a control character in a
 * text, which most often is a broken import. A rejected row is counted and kept in the rejects file with its
 * reason; the others go on unchanged.
 */
#include <stdio.h>
#include <stdlib.h>

#include <etlrun/helpers.h>

struct etl_instance {
	const struct etl_host *host;
};

/* One stream. The filter comes first, so that a pointer to it is a pointer to this. */
struct watching {
	struct etl_filter filter;
	const struct etl_host *host;
	struct etl_context *context;
};

/* The first control character, or -1. Tab and line ends are allowed. */
static int control_in(const struct etl_column_view *column, int64_t row)
{
	const uint8_t *bytes;
	int64_t size, i;

	if (column->type.type != ETL_TEXT || etl_is_null(column, row))
		return -1;
	bytes = etl_get_bytes(column, row, &size);
	for (i = 0; i < size; i++)
		if ((bytes[i] < 0x20 && !strchr("\t\n\r", bytes[i])) || bytes[i] == 0x7f || bytes[i] == 0)
			return bytes[i];
	return -1;
}

static int look(struct etl_filter *filter, const struct etl_view *view, const struct ArrowSchema *schema,
		const struct ArrowArray *batch, int64_t row)
{
	struct watching *w = (struct watching *)filter;
	struct etl_reject reject = { .code = "control_character", .schema = schema, .batch = batch, .row = row };
	char reason[80];
	int64_t i;
	int found;

	for (i = 0; i < view->count; i++) {
		found = control_in(&view->columns[i], row);
		if (found < 0)
			continue;
		snprintf(reason, sizeof(reason), "the text holds the control character 0x%02x", (unsigned)found);
		reject.column = schema->children[i]->name;
		reject.reason = reason;
		return w->host->reject(w->context, &reject) < 0 ? ETL_FAILED : ETL_ROW_REJECTED;
	}
	return ETL_ROW_KEEP;
}

static void stop(struct etl_filter *filter)
{
	free(filter);
}

static int toy_wrap(struct etl_instance *self, const struct etl_wrap *wrap, struct ArrowArrayStream *in,
		    struct ArrowArrayStream *out, struct etl_error *err)
{
	struct watching *w = calloc(1, sizeof(*w));

	if (w) {
		*w = (struct watching){ { look, stop }, self->host, wrap->context };
		if (etl_filter_open(out, in, self->host, wrap->context, &w->filter))
			return ETL_OK;
	}
	free(w);
	return self->host->fail(err, ETL_MEMORY, NULL, 0, "no memory to look at %s", wrap->in->name);
}

static int toy_open(const struct etl_host *host, const struct etl_conf *conf, struct etl_instance **ret,
		    struct etl_error *err)
{
	struct etl_instance *self = calloc(1, sizeof(*self));

	(void)conf;                     /* NULL: there are no options */
	if (!self)
		return host->fail(err, ETL_MEMORY, NULL, 0, "no memory");
	self->host = host;
	*ret = self;
	return ETL_OK;
}

static void toy_close(struct etl_instance *self)
{
	free(self);
}

static const struct etl_validator validator = { .size = sizeof(validator), .wrap = toy_wrap };

static const struct etl_plugin toy_validator = {
	ETL_ABI, 0, sizeof(toy_validator), sizeof(struct etl_option), "toy_validator", "1.0",
	"rejects rows with control characters", "0BSD", NULL, NULL, toy_open, toy_close, NULL, NULL, NULL, NULL, NULL,
	NULL, &validator,
};

ETL_PLUGIN(toy_validator, toy_validator)
