/*
 * Transform `sql`: what is to become of the rows is said in SQL, which people know, and done by SQLite, which
 * is there already. Row by row by default; over the whole table when the pipeline says so.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "sql.h"

static int read_type(struct etl_instance *self, size_t at, struct etl_error *err)
{
	const struct etl_host *host = self->host;
	struct sql_type *type = &self->types[at];

	type->column = host->item(self->conf, "types", 2 * at);
	type->text = host->item(self->conf, "types", 2 * at + 1);
	if (!etl_type_parse(type->text, &type->type, &type->length)) {
		host->at(err, NULL, type->column, NULL);
		return host->fail(err, ETL_USAGE, NULL, 0,
				  "types: there is no type \"%s\" (column \"%s\"); write for "
				  "example int64, decimal(10,2), text, date, timestamp or bool",
				  type->text, type->column);
	}
	return ETL_OK;
}

static int read_types(struct etl_instance *self, struct etl_error *err)
{
	size_t count = self->host->list(self->conf, "types") / 2;
	int r = ETL_OK;

	self->types = calloc(count + 1, sizeof(*self->types));
	if (!self->types)
		return self->host->fail(err, ETL_MEMORY, NULL, 0, "no memory for the types of sql");
	for (size_t i = 0; r == ETL_OK && i < count; i++) {
		r = read_type(self, i, err);
		self->type_count++;
	}
	return r;
}

static void sql_close(struct etl_instance *self)
{
	if (!self)
		return;
	free(self->types);
	free(self);
}

static int sql_open(const struct etl_host *host, const struct etl_conf *conf,
		    struct etl_instance **ret, struct etl_error *err)
{
	struct etl_instance *self = calloc(1, sizeof(*self));
	int r;

	if (!self)
		return host->fail(err, ETL_MEMORY, NULL, 0, "no memory for the transform");
	self->host = host;
	self->conf = conf;
	self->query = host->str(conf, "query");
	self->whole = strcmp(host->str(conf, "scope"), "table") == 0;
	r = read_types(self, err);
	if (r == ETL_OK)
		*ret = self;
	else
		sql_close(self);
	return r;
}

static int sql_whole(struct etl_instance *self)
{
	return self->whole;
}

static const struct etl_transform sql_transform = {
	.size = sizeof(struct etl_transform),
	.flags = ETL_REPEATS,
	.rows = ETL_ROWS_ANY,
	.wrap = sql_wrap,
	.derive = sql_derive,
	.whole = sql_whole,
};

static const struct etl_option sql_options[] = {
	{ .name = "query",
	  .kind = ETL_OPT_TEXT,
	  .flags = ETL_OPT_REQUIRED,
	  .help = "One SELECT in SQLite's language, over the rows of the table, which is called "
		  "input, "
		  "or by its own name." },
	{ .name = "scope",
	  .kind = ETL_OPT_CHOICE,
	  .default_text = "row",
	  .choices = "row|table",
	  .help = "row: each row by itself, as the rows pass. table: any SELECT, over the whole "
		  "table, "
		  "which is kept on disk first." },
	{ .name = "types",
	  .kind = ETL_OPT_PAIRS,
	  .help = "Pairs of a column of the query and its type, as decimal(10,2). A value that "
		  "does not "
		  "fit is rejected with its row. Without one an expression has the type any." },
	{ .name = NULL },
};

static const struct etl_plugin sql_plugin = {
	.abi = ETL_ABI,
	.size = sizeof(struct etl_plugin),
	.option_size = sizeof(struct etl_option),
	.name = "sql",
	.version = PACKAGE_VERSION,
	.summary = "filters, computes, splits and joins in SQL, run by SQLite",
	.license = "MIT",
	.options = sql_options,
	.open = sql_open,
	.close = sql_close,
	.transform = &sql_transform,
};

ETL_PLUGIN(sql, sql_plugin)
