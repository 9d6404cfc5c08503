/*
 * A source in one file: the lines of a text file as the table `lines` (number, text). Copy it, put your
 * plugin's name for toy_source, and change it bit by bit; etlrun-plugin(7) walks through it.
 */
#define _POSIX_C_SOURCE 200809L         /* getline */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <etlrun/helpers.h>

struct etl_instance {                   /* one for each worker */
	const struct etl_host *host;
	const char *path;               /* lives until close, as all that comes from CONF */
};

/* One open stream of rows. The producer comes first, so that a pointer to it is a pointer to this. */
struct reading {
	struct etl_producer producer;
	const struct etl_host *host;
	struct etl_context *context;    /* where rejects go */
	struct etl_error *err;
	FILE *file;
	int64_t limit;                  /* the most rows, 0: all */
	int64_t number_at, text_at;     /* which of the wanted columns; -1: not wanted */
	int64_t row;
	char *line;
	size_t room;
};

/* ---- What there is: constant data, no file is opened ---- */

static const struct etl_column columns[] = {
	{ .name = "number", .declared = "integer", .type = ETL_INT64, .flags = ETL_NOT_NULL | ETL_TYPED },
	{ .name = "text", .declared = "text", .type = ETL_TEXT, .flags = ETL_NOT_NULL | ETL_TYPED },
};
static const char *const key_columns[] = { "number" };
static const struct etl_table lines = {
	.kind = ETL_TABLE, .name = "lines", .rows = ETL_UNKNOWN, .bytes = ETL_UNKNOWN,
	.columns = columns, .column_count = 2, .column_size = sizeof(struct etl_column),
	.primary = { .columns = key_columns, .column_count = 1 },
};

static int toy_describe(struct etl_instance *self, const struct etl_dataset *dataset,
			struct etl_table_sink *sink, struct etl_error *err)
{
	if (dataset && (dataset->query || dataset->where))
		return self->host->fail(err, ETL_USAGE, NULL, 0, "toy_source knows neither query nor where");
	if (dataset && strcmp(dataset->table, lines.name) != 0)
		return ETL_OK;          /* not there: nothing is emitted, and nothing failed */
	return sink->emit(sink, &lines);
}

/* ---- Rows ---- */

/* Adds the line, or rejects it: then no column keeps a value of it. */
static int put_line(struct reading *r, struct etl_builder *builder, size_t size)
{
	struct etl_reject reject = { .column = "text", .raw = r->line, .ordinal = r->row };

	if (r->text_at >= 0)
		reject.code = etl_convert_text(&builder->columns[r->text_at], r->line, size);
	if (reject.code) {
		reject.reason = "the line does not fit the type of its column";
		return r->host->reject(r->context, &reject);
	}
	if (r->number_at >= 0)
		etl_put_int64(&builder->columns[r->number_at], r->row + 1);
	return ETL_OK;
}

/* Fills one batch. It is called again until it says ETL_FILL_END. */
static int fill(struct etl_producer *producer, struct etl_builder *builder)
{
	struct reading *r = (struct reading *)producer;
	ssize_t size;

	for (; !etl_builder_full(builder, r->host); r->row++) {
		if ((r->limit > 0 && r->row >= r->limit) || (size = getline(&r->line, &r->room, r->file)) < 0)
			break;
		if (r->line[size - 1] == '\n')
			r->line[--size] = '\0';
		if (put_line(r, builder, (size_t)size) < 0)
			return ETL_FAILED;
	}
	if (ferror(r->file))
		return r->host->fail(r->err, ETL_FATAL, NULL, errno, "reading failed: %s", strerror(errno));
	return etl_builder_full(builder, r->host) ? ETL_FILL_MORE : ETL_FILL_END;
}

static void stop(struct etl_producer *producer)
{
	struct reading *r = (struct reading *)producer;

	fclose(r->file);
	free(r->line);
	free(r);
}

static int toy_read(struct etl_instance *self, const struct etl_read *read, const struct etl_split *split,
		    struct ArrowArrayStream *stream, struct etl_error *err)
{
	const struct etl_host *host = self->host;
	FILE *file = fopen(self->path, "r");
	struct reading *r = file ? calloc(1, sizeof(*r)) : NULL;

	(void)split;                    /* without `plan` there is one split of everything */
	if (!file)
		return host->fail(err, ETL_FATAL, NULL, errno, "cannot open %s: %s", self->path, strerror(errno));
	if (r) {
		*r = (struct reading){ { fill, stop }, host, read->context, err, file, read->limit,
				       etl_schema_find(read->want, "number"), etl_schema_find(read->want, "text"),
				       0, NULL, 0 };
		if (etl_stream_open(stream, host, read->want, &r->producer))
			return ETL_OK;
	}
	free(r);
	fclose(file);
	return host->fail(err, ETL_MEMORY, NULL, 0, "no memory to read %s", self->path);
}

static int toy_open(const struct etl_host *host, const struct etl_conf *conf, struct etl_instance **ret,
		    struct etl_error *err)
{
	struct etl_instance *self = calloc(1, sizeof(*self));

	if (!self)
		return host->fail(err, ETL_MEMORY, NULL, 0, "no memory");
	*self = (struct etl_instance){ host, host->str(conf, "path") };
	*ret = self;
	return ETL_OK;
}

static void toy_close(struct etl_instance *self) { free(self); }

static const struct etl_option options[] = {
	{ .name = "path", .kind = ETL_OPT_PATH, .flags = ETL_OPT_REQUIRED, .help = "The text file to read." },
	{ .name = NULL },
};
static const struct etl_store store = { .size = sizeof(store), .describe = toy_describe };
static const struct etl_source source = { .size = sizeof(source), .read = toy_read };
static const struct etl_plugin toy_source = {
	ETL_ABI, 0, sizeof(toy_source), sizeof(options[0]), "toy_source", "1.0", "the lines of a text file",
	"0BSD", NULL, options, toy_open, toy_close, NULL, &store, &source, NULL, NULL, NULL, NULL,
};

ETL_PLUGIN(toy_source, toy_source)
