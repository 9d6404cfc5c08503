/*
 * Transform `map`: the everyday changes of shape. Columns are renamed, chosen, dropped, converted
 * or given a constant, without a language of its own and without touching the rows that only pass
 * through. Two columns may say which rows do not.
 */
#include "config.h"

#include <stdlib.h>

#include "map.h"

static int misfit_of(const char *word)
{
	return strcmp(word, "null") == 0    ? MISFIT_NULL :
	       strcmp(word, "default") == 0 ? MISFIT_DEFAULT :
					      MISFIT_REJECT;
}

/* A default, or a constant, has to be of its own type: found here and not at the first misfit. */
static int check_value(struct etl_instance *self, const struct map_cast *cast, const char *value,
		       struct etl_error *err)
{
	struct etl_column column = { .name = cast->column,
				     .type = cast->type.type,
				     .precision = cast->type.precision,
				     .scale = cast->type.scale };
	struct ArrowSchema schema;
	struct etl_builder *builder;
	const char *code = "no_memory";

	if (!etl_schema_make(&schema, &column, 1, sizeof(column)))
		return self->host->fail(err, ETL_MEMORY, NULL, 0, "no memory for the casts of map");
	builder = etl_builder_new(&schema, 1);
	if (builder)
		code = etl_convert_text(builder->columns, value, strlen(value));
	etl_builder_free(builder);
	schema.release(&schema);
	if (!code)
		return ETL_OK;
	self->host->at(err, NULL, cast->column, NULL);
	return self->host->fail(err, ETL_USAGE, NULL, 0,
				"map: cast of \"%s\": \"%s\" is no %s (%s)", cast->column, value,
				cast->type_text, code);
}

static int check_constant(struct etl_instance *self, const struct map_cast *cast,
			  struct etl_error *err)
{
	const struct etl_host *host = self->host;

	for (size_t i = 0; i + 1 < host->list(self->conf, "constant"); i += 2)
		if (strcmp(host->item(self->conf, "constant", i), cast->column) == 0)
			return check_value(self, cast, host->item(self->conf, "constant", i + 1),
					   err);
	return ETL_OK;
}

static int read_cast(struct etl_instance *self, const struct etl_conf *conf, struct map_cast *cast,
		     struct etl_error *err)
{
	const struct etl_host *host = self->host;

	cast->column = host->str(conf, "column");
	cast->type_text = host->str(conf, "type");
	cast->misfit = misfit_of(host->str(conf, "on_misfit"));
	cast->fallback = host->str(conf, "default");
	if (!etl_type_parse(cast->type_text, &cast->type, &cast->length))
		return host->fail(
			err, ETL_USAGE, NULL, 0,
			"map: cast of \"%s\": there is no type \"%s\"; write for example int64, "
			"decimal(10,2), text, date, timestamp or bool",
			cast->column, cast->type_text);
	if (cast->misfit == MISFIT_DEFAULT && !cast->fallback)
		return host->fail(
			err, ETL_USAGE, NULL, 0,
			"map: cast of \"%s\": on_misfit = \"default\" needs the key default",
			cast->column);
	if (cast->misfit != MISFIT_DEFAULT && cast->fallback)
		return host->fail(
			err, ETL_USAGE, NULL, 0,
			"map: cast of \"%s\": default is only used with on_misfit = \"default\"",
			cast->column);
	if (cast->fallback && check_value(self, cast, cast->fallback, err) < 0)
		return ETL_FAILED;
	return check_constant(self, cast, err);
}

static int read_casts(struct etl_instance *self, struct etl_error *err)
{
	size_t count = self->host->list(self->conf, "cast");
	int r = ETL_OK;

	self->casts = calloc(count + 1, sizeof(*self->casts));
	if (!self->casts)
		return self->host->fail(err, ETL_MEMORY, NULL, 0, "no memory for the casts of map");
	for (size_t i = 0; r == ETL_OK && i < count; i++) {
		r = read_cast(self, self->host->sub(self->conf, "cast", i), &self->casts[i], err);
		self->cast_count++;
	}
	return r;
}

static void map_close(struct etl_instance *self)
{
	if (!self)
		return;
	free(self->casts);
	free(self);
}

static int map_open(const struct etl_host *host, const struct etl_conf *conf,
		    struct etl_instance **ret, struct etl_error *err)
{
	struct etl_instance *self = calloc(1, sizeof(*self));
	int r;

	if (!self)
		return host->fail(err, ETL_MEMORY, NULL, 0, "no memory for the transform");
	self->host = host;
	self->conf = conf;
	r = read_casts(self, err);
	if (r == ETL_OK)
		*ret = self;
	else
		map_close(self);
	return r;
}

static const struct etl_transform map_transform = {
	.size = sizeof(struct etl_transform),
	.flags = ETL_REPEATS,
	.rows = ETL_ROWS_FEWER,
	.wrap = map_wrap,
	.derive = map_derive,
};

static const struct etl_option cast_members[] = {
	{ .name = "column",
	  .kind = ETL_OPT_TEXT,
	  .flags = ETL_OPT_REQUIRED,
	  .help = "The column, by the name it comes with." },
	{ .name = "type",
	  .kind = ETL_OPT_TEXT,
	  .flags = ETL_OPT_REQUIRED,
	  .help = "Its type from here on, as decimal(10,2)." },
	{ .name = "on_misfit",
	  .kind = ETL_OPT_CHOICE,
	  .default_text = "reject",
	  .choices = "reject|null|default",
	  .help = "What becomes of a value that the type cannot hold exactly: its row is "
		  "rejected, or the value "
		  "becomes NULL or the default." },
	{ .name = "default",
	  .kind = ETL_OPT_TEXT,
	  .help = "The value for on_misfit = \"default\"." },
	{ .name = NULL },
};

static const struct etl_option map_options[] = {
	{ .name = "rename",
	  .kind = ETL_OPT_PAIRS,
	  .help = "Pairs of a column and its new name. Keys, indexes and checks follow." },
	{ .name = "choose",
	  .kind = ETL_OPT_LIST,
	  .help = "Only these columns, in this order, by the names they come with." },
	{ .name = "drop",
	  .kind = ETL_OPT_LIST,
	  .help = "Columns that go, and with them the keys, indexes and checks that need "
		  "them." },
	{ .name = "constant",
	  .kind = ETL_OPT_PAIRS,
	  .help = "Pairs of a new column and its value in every row, as text; a cast gives "
		  "it another type." },
	{ .name = "filter",
	  .kind = ETL_OPT_TEXT,
	  .help = "A column that says which rows are not wanted: where it is not NULL, false or "
		  "0 the row is left out and counted as filtered." },
	{ .name = "reject",
	  .kind = ETL_OPT_TEXT,
	  .help = "A column of texts that says which rows cannot go: where it is not NULL the "
		  "row is rejected, and that is the reason." },
	{ .name = "cast",
	  .kind = ETL_OPT_GROUPS,
	  .members = cast_members,
	  .help = "Columns that get another type." },
	{ .name = NULL },
};

static const struct etl_plugin map_plugin = {
	.abi = ETL_ABI,
	.size = sizeof(struct etl_plugin),
	.option_size = sizeof(struct etl_option),
	.name = "map",
	.version = PACKAGE_VERSION,
	.summary = "renames, chooses, drops and converts columns; leaves out and rejects rows that "
		   "a column says",
	.license = "MIT",
	.options = map_options,
	.open = map_open,
	.close = map_close,
	.transform = &map_transform,
};

ETL_PLUGIN(map, map_plugin)
