/*
 * The simplest target that loses nothing: each table becomes a folder FOLDER/TABLE of JSON lines, a row each.
 * Rows wait in FOLDER/TABLE.new, which rename publishes. A split has a file of its own: so several workers
 * may load at the same time, and the same split again replaces it.
 */
#define _POSIX_C_SOURCE 200809L         /* fsync, fileno, unlinkat */

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <etlrun/helpers.h>

struct etl_instance {                   /* one for each worker */
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
	return (void)self, (void)dataset, (void)sink, (void)err, ETL_OK;
}

/* Removes the staging place: the token is its path. */
static int toy_abort(struct etl_instance *self, const struct etl_load *load, const struct etl_token *token,
		     struct etl_error *err)
{
	DIR *folder = opendir(token->text);

	(void)load;
	for (struct dirent *entry; folder && (entry = readdir(folder));)
		unlinkat(dirfd(folder), entry->d_name, 0);      /* "." and ".." stay */
	if (folder)
		closedir(folder);
	return rmdir(token->text) == 0 || errno == ENOENT ? ETL_OK : fail(self, err, "remove", token->text);
}

static int toy_begin(struct etl_instance *self, const struct etl_load *load, struct etl_token *ret,
		     struct etl_error *err)
{
	const char *name = load->table->name;
	struct etl_token token = { "" };

	if (strchr(name, '/') || strlen(self->folder) + strlen(name) + sizeof("/.new") > sizeof(token.text))
		return self->host->fail(err, ETL_USAGE, NULL, 0, "the table %s cannot be a folder's name", name);
	snprintf(token.text, sizeof(token.text), "%s/%s", self->folder, name);
	if (access(token.text, F_OK) == 0)
		return self->host->fail(err, ETL_FATAL, NULL, 0, "%s is there already: remove it first", token.text);
	strcat(token.text, ".new");
	if (toy_abort(self, load, &token, err) < 0)     /* what a run that was killed has left */
		return ETL_FAILED;
	if (mkdir(token.text, 0777) != 0)
		return fail(self, err, "make", token.text);
	*ret = token;
	return ETL_OK;
}

/* Takes the batches of one split. The consumer comes first, so that a pointer to it is a pointer to this. */
struct writing {
	struct etl_consumer consumer;
	FILE *file;
	struct etl_stats stats;
};

static bool write_batch(struct etl_consumer *consumer, const struct etl_view *view)
{
	struct writing *w = (struct writing *)consumer;
	struct etl_text lines = { NULL, 0, 0, false };
	bool ok;

	for (int64_t row = 0; row < view->rows; row++)
		etl_text_add_json_line(&lines, view, row);
	ok = !lines.failed && fwrite(lines.at, 1, lines.length, w->file) == lines.length;
	w->stats.rows += (uint64_t)view->rows;
	w->stats.bytes += lines.length;
	etl_text_free(&lines);
	return ok;
}

/* When the stream failed, whoever made it has described why, and that first description stays. */
static int toy_load(struct etl_instance *self, const struct etl_load *load, const struct etl_token *token,
		    const struct etl_part *part, struct ArrowArrayStream *stream, struct etl_stats *ret,
		    struct etl_error *err)
{
	char path[ETL_TOKEN_MAX + 32];
	struct writing w = { { write_batch }, NULL, { 0, 0 } };
	bool ok;

	(void)load;
	snprintf(path, sizeof(path), "%s/%06lu.jsonl", token->text, (unsigned long)part->index);
	if (!(w.file = fopen(path, "w")))
		return fail(self, err, "write", path);
	ok = etl_stream_pull(stream, &w.consumer) && fflush(w.file) == 0 && fsync(fileno(w.file)) == 0;
	if ((fclose(w.file) != 0 || !ok) && fail(self, err, "write", path))
		return remove(path), ETL_FAILED;
	*ret = w.stats;
	return ETL_OK;
}

/* A second commit finds nothing left to rename. */
static int toy_commit(struct etl_instance *self, const struct etl_commit *commit, struct etl_error *err)
{
	for (size_t i = 0; i < commit->load_count; i++) {
		struct etl_token published = *commit->tokens[i];

		published.text[strlen(published.text) - strlen(".new")] = '\0';
		if (rename(commit->tokens[i]->text, published.text) != 0 && errno != ENOENT)
			return fail(self, err, "publish", published.text);
	}
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
	{ .name = "folder", .kind = ETL_OPT_PATH, .flags = ETL_OPT_REQUIRED, .help = "Where the folders go." },
	{ .name = NULL },
};
static const struct etl_store store = { .size = sizeof(store), .describe = toy_describe };
static const struct etl_target target = { .size = sizeof(target), .begin = toy_begin, .load = toy_load,
					  .commit = toy_commit, .abort = toy_abort };
static const struct etl_plugin toy_target = {
	ETL_ABI, 0, sizeof(toy_target), sizeof(options[0]), "toy_target", "1.0", "a folder of JSON lines for each table",
	"0BSD", NULL, options, toy_open, toy_close, NULL, &store, NULL, &target, NULL, NULL, NULL,
};

ETL_PLUGIN(toy_target, toy_target)
