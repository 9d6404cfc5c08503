/*
 * The simplest target that loses nothing: each table becomes FOLDER/TABLE.jsonl, a JSON array for each row.
 * begin, load, commit and abort have the shape of BEGIN, INSERT, COMMIT and ROLLBACK: rows wait in
 * TABLE.jsonl.new, and rename publishes them. It promises nothing more, so a run that was cut off starts again.
 */
#define _POSIX_C_SOURCE 200809L         /* fsync, fileno, truncate */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <etlrun/helpers.h>

struct etl_instance {
	const struct etl_host *host;
	const char *folder;
};

static int fail(struct etl_instance *self, struct etl_error *err, const char *what, const char *path)
{
	return self->host->fail(err, ETL_FATAL, NULL, errno, "cannot %s %s: %s", what, path, strerror(errno));
}

/* Nothing that is there matters to the rows that come, so nothing is described: begin looks itself. */
static int toy_describe(struct etl_instance *self, const struct etl_dataset *dataset,
			struct etl_table_sink *sink, struct etl_error *err)
{
	(void)self, (void)dataset, (void)sink, (void)err;
	return ETL_OK;
}

/* The token is the waiting file's path. Without a table the load is of an object without rows (a view),
 * which this target leaves out. */
static int toy_begin(struct etl_instance *self, const struct etl_load *load, struct etl_token *ret,
		     struct etl_error *err)
{
	const char *name = load->table ? load->table->name : "";
	struct etl_token token = { "" };
	FILE *file;

	if (strchr(name, '/') || strlen(self->folder) + strlen(name) + sizeof("/.jsonl.new") > ETL_TOKEN_MAX)
		return self->host->fail(err, ETL_USAGE, NULL, 0, "the table %s cannot be a file's name", name);
	if (load->table) {
		snprintf(token.text, sizeof(token.text), "%s/%s.jsonl", self->folder, name);
		if (load->run->on_existing == ETL_EXISTING_FAIL && access(token.text, F_OK) == 0)
			return self->host->fail(err, ETL_FATAL, NULL, 0, "%s is there already: remove it, or "
						"write on_existing = \"replace\"", token.text);
		strcat(token.text, ".new");
		file = fopen(token.text, "w");
		if (!file || fclose(file) != 0)
			return fail(self, err, "write", token.text);
	}
	*ret = token;
	return ETL_OK;
}

static bool write_rows(FILE *file, const struct etl_view *view, struct etl_stats *stats)
{
	struct etl_text lines = { NULL, 0, 0, false };
	bool ok;

	for (int64_t row = 0; row < view->rows; row++) {
		for (int64_t i = 0; i < view->count; i++) {
			etl_text_add(&lines, i ? ", " : "[");
			etl_text_add_json_value(&lines, &view->columns[i], row);
		}
		etl_text_add(&lines, "]\n");
	}
	ok = !lines.failed && (lines.length == 0 || fwrite(lines.at, lines.length, 1, file) == 1);
	stats->rows += (uint64_t)view->rows;
	stats->bytes += lines.length;
	etl_text_free(&lines);
	return ok;
}

/* Pulls batches until one has no release: that is the end. */
static bool copy_rows(struct ArrowArrayStream *stream, FILE *file, struct etl_stats *stats)
{
	struct ArrowSchema schema = { .release = NULL };
	struct ArrowArray batch = { .release = NULL };
	struct etl_view *view = stream->get_schema(stream, &schema) == 0 ? etl_view_new(&schema) : NULL;
	bool ok = view != NULL;

	while (ok && (ok = stream->get_next(stream, &batch) == 0) && batch.release) {
		ok = etl_view_set(view, &batch) && write_rows(file, view, stats);
		batch.release(&batch);
	}
	etl_view_free(view);
	if (schema.release)
		schema.release(&schema);
	return ok;
}

/* All of the split or nothing: on failure the file is as long as before. When the stream failed, whoever made
 * it has described why, and that first description stays. */
static int toy_load(struct etl_instance *self, const struct etl_load *load, const struct etl_token *token,
		    const struct etl_part *part, struct ArrowArrayStream *stream, struct etl_stats *ret,
		    struct etl_error *err)
{
	struct etl_stats stats = { 0, 0 };
	FILE *file = fopen(token->text, "a");
	long start = file && fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
	bool ok = start >= 0 && copy_rows(stream, file, &stats) && fflush(file) == 0 && fsync(fileno(file)) == 0;

	(void)load, (void)part;
	if (file && fclose(file) != 0)
		ok = false;
	if (!ok && start >= 0 && truncate(token->text, start) != 0)
		return fail(self, err, "shorten", token->text);
	if (!ok)
		return fail(self, err, "write", token->text);
	*ret = stats;
	return ETL_OK;
}

/* Publishes one table and counts its rows, which are its lines. A second commit finds nothing to rename. */
static int publish(const struct etl_token *token, struct etl_outcome *outcome)
{
	struct etl_token final = *token;
	FILE *file;
	int c;

	final.text[strlen(final.text) - strlen(".new")] = '\0';
	if ((rename(token->text, final.text) != 0 && errno != ENOENT) || !(file = fopen(final.text, "r")))
		return -1;
	*outcome = (struct etl_outcome){ 0, 0, 0, 0, 0 };
	while ((c = getc(file)) != EOF)
		outcome->inserted += c == '\n';
	return fclose(file);
}

static int toy_commit(struct etl_instance *self, const struct etl_commit *commit, struct etl_error *err)
{
	for (size_t i = 0; i < commit->load_count; i++)
		if (commit->tokens[i]->text[0] && publish(commit->tokens[i], &commit->outcomes[i]) != 0)
			return fail(self, err, "publish", commit->tokens[i]->text);
	return ETL_OK;
}

static int toy_abort(struct etl_instance *self, const struct etl_load *load, const struct etl_token *token,
		     struct etl_error *err)
{
	if (load->table && remove(token->text) != 0 && errno != ENOENT)
		return fail(self, err, "remove", token->text);
	return ETL_OK;
}

static int toy_open(const struct etl_host *host, const struct etl_conf *conf, struct etl_instance **ret,
		    struct etl_error *err)
{
	struct etl_instance *self = calloc(1, sizeof(*self));

	if (!self)
		return host->fail(err, ETL_MEMORY, NULL, 0, "no memory");
	*self = (struct etl_instance){ host, host->str(conf, "folder") };
	*ret = self;
	return ETL_OK;
}

static void toy_close(struct etl_instance *self) { free(self); }

static const struct etl_option options[] = {
	{ .name = "folder", .kind = ETL_OPT_PATH, .flags = ETL_OPT_REQUIRED, .help = "Where the files go." },
	{ .name = NULL },
};
static const struct etl_store store = { .size = sizeof(store), .describe = toy_describe };
static const struct etl_target target = {
	.size = sizeof(target), .flags = ETL_IN_ORDER, .max_instances = 1,
	.begin = toy_begin, .load = toy_load, .commit = toy_commit, .abort = toy_abort,
};
static const struct etl_plugin toy_target = {
	ETL_ABI, 0, sizeof(toy_target), sizeof(options[0]), "toy_target", "1.0", "a file of JSON lines for each table",
	"0BSD", NULL, options, toy_open, toy_close, NULL, &store, NULL, &target, NULL, NULL, NULL,
};

ETL_PLUGIN(toy_target, toy_target)
