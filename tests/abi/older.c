/*
 * A plugin as it was built with the header in older/: its descriptor ends before `validator` and its target
 * before `recall`. What stands behind its tables in memory is poison that the host must not read.
 */
#include <stdlib.h>
#include <string.h>

#include <etlrun/plugin.h>

struct etl_instance {
	int nothing;
};

static int older_open(const struct etl_host *host, const struct etl_conf *conf, struct etl_instance **ret,
		      struct etl_error *err)
{
	(void)conf;
	*ret = calloc(1, sizeof(**ret));
	return *ret ? ETL_OK : host->fail(err, ETL_MEMORY, NULL, 0, "no memory");
}

static void older_close(struct etl_instance *instance)
{
	free(instance);
}

static int older_describe(struct etl_instance *self, const struct etl_dataset *dataset,
			  struct etl_table_sink *sink, struct etl_error *err)
{
	(void)self, (void)dataset, (void)sink, (void)err;
	return ETL_OK;
}

static int older_begin(struct etl_instance *self, const struct etl_load *load, struct etl_token *ret,
		       struct etl_error *err)
{
	(void)self, (void)load, (void)err;
	strcpy(ret->text, "older");
	return ETL_OK;
}

static int older_load(struct etl_instance *self, const struct etl_load *load, const struct etl_token *token,
		      const struct etl_part *part, struct ArrowArrayStream *stream, struct etl_stats *ret,
		      struct etl_error *err)
{
	(void)self, (void)load, (void)token, (void)part, (void)stream, (void)err;
	*ret = (struct etl_stats){ 0, 0 };
	return ETL_OK;
}

static int older_commit(struct etl_instance *self, const struct etl_commit *commit, struct etl_error *err)
{
	(void)self, (void)commit, (void)err;
	return ETL_OK;
}

static int older_abort(struct etl_instance *self, const struct etl_load *load, const struct etl_token *token,
		       struct etl_error *err)
{
	(void)self, (void)load, (void)token, (void)err;
	return ETL_OK;
}

static const struct etl_store store = { .size = sizeof(store), .describe = older_describe };

static const struct {
	struct etl_target table;
	size_t poison[4];
} target = {
	{ .size = sizeof(struct etl_target), .begin = older_begin, .load = older_load, .commit = older_commit,
	  .abort = older_abort },
	{ 1, 1, 1, 1 },
};

static const struct {
	struct etl_plugin table;
	size_t poison[4];
} older = {
	{ .abi = ETL_ABI, .size = sizeof(struct etl_plugin), .option_size = sizeof(struct etl_option), .name = "older",
	  .version = "1.0", .summary = "a plugin of yesterday", .license = "0BSD", .open = older_open,
	  .close = older_close, .store = &store, .target = &target.table },
	{ 1, 1, 1, 1 },
};

ETL_PLUGIN(older, older.table)
