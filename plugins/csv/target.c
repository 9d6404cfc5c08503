/*
 * The target: a file for each table, written aside in the order of the rows and given its name when the run publishes. What
 * is on standard output cannot be taken back, so it is written as it comes.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fault.h"
#include "write.h"

#define PIECE (1 << 17) /* bytes that are written at once */

/* ---- Where a table goes ------------------------------------------------------------------------------------------------ */

/* The path is a file when it ends as one and is no folder. */
static bool root_is_file(const struct etl_instance *inst)
{
	struct stat st;

	if (files_is_standard(inst->files))
		return true;
	return csv_is_csv(inst->root) && (stat(inst->root, &st) != 0 || !S_ISDIR(st.st_mode));
}

static const char *name_flaw(const char *name)
{
	const char *at = name, *end;

	if (*name == '/')
		return "begins with a slash; it is below path";
	for (;; at = end + 1) {
		end = at + strcspn(at, "/");
		if (end == at)
			return "has an empty part between slashes";
		if (strncmp(at, "..", (size_t)(end - at)) == 0)
			return "has . or .. in it";
		if (end - at > 255)
			return "has a part of more than 255 bytes";
		if (end - at >= 8 && strncmp(end - 8, ".etlrun~", 8) == 0)
			return "has a part that ends in .etlrun~, which etlrun keeps for files that wait";
		if (!*end)
			return NULL;
	}
}

/* The name of the load's file below the root, "" when that is the file. The caller frees. */
static int file_of(struct etl_instance *inst, const struct etl_load *load, char **ret, struct etl_error *err)
{
	const struct etl_host *host = inst->host;
	const char *file = load->options ? host->str(load->options, "file") : NULL, *why = NULL;
	const char *compress = host->str(inst->conf, "compress");
	struct etl_text name = { 0 };

	if (root_is_file(inst)) {
		etl_text_add(&name, "");
	} else if (file) {
		etl_text_add(&name, file);
	} else {
		etl_text_addf(&name, "%s.csv", load->table->name);
		if (strcmp(compress, "none") != 0)
			etl_text_addf(&name, ".%s", compress);
	}
	if (name.length)
		why = name_flaw(name.at);
	if (why) {
		host->fail(err, ETL_USAGE, NULL, 0,
			   "csv: table \"%s\" cannot be a file called \"%s\": that %s; name another with to = { file = \"…\"; }",
			   load->table->name, name.at, why);
		etl_text_free(&name);
		return ETL_FAILED;
	}
	if (name.failed)
		return host->fail(err, ETL_MEMORY, NULL, 0, "csv: no memory for the name of a file");
	*ret = name.at ? name.at : strdup("");
	return *ret ? ETL_OK : host->fail(err, ETL_MEMORY, NULL, 0, "csv: no memory for the name of a file");
}

/* Two tables in one file would be one of them. */
static int check_alone(struct etl_instance *inst, const struct etl_load *load, const char *file, struct etl_error *err)
{
	const struct etl_run *run = load->run;
	size_t i;
	int rc = ETL_OK;

	for (i = 0; !rc && run->loads && i < run->load_count; i++) {
		const struct etl_load *other = run->loads[i];
		char *name = NULL;

		if (other->index == load->index)
			continue;
		rc = file_of(inst, other, &name, err);
		if (!rc && strcmp(name, file) == 0)
			rc = inst->host->fail(err, ETL_USAGE, NULL, 0,
					      *file ? "csv: tables \"%s\" and \"%s\" would both be %s; name another with to = { file "
						      "= \"…\"; }" :
						      "csv: tables \"%s\" and \"%s\" would both be %s; choose one table, or give path a "
						      "folder",
					      load->table->name, other->table->name, *file ? file : inst->root);
		free(name);
	}
	return rc;
}

static int check_existing(struct etl_instance *inst, const struct etl_load *load, const char *file,
			  struct etl_error *err)
{
	bool there = false;
	int rc;

	if (load->run->on_existing == ETL_EXISTING_TRUNCATE)
		return inst->host->fail(err, ETL_USAGE, NULL, 0,
					"csv: a file has nothing that stays when its rows go; write on_existing = \"replace\"");
	if (load->run->on_existing == ETL_EXISTING_REPLACE)
		return ETL_OK;
	rc = files_output_exists(inst->files, file, &there, err);
	if (!rc && there)
		rc = inst->host->fail(err, ETL_FATAL, NULL, 0,
				      "%s%s%s is there already; write on_existing = \"replace\", or remove it", inst->root,
				      *file ? "/" : "", file);
	return rc;
}

/* ---- Writing ---------------------------------------------------------------------------------------------------------------- */

static const char *column_name(const struct etl_load *load, size_t i)
{
	return ETL_AT(const struct etl_column, load->table->columns, load->table->column_size, i)->name;
}

static int format_of(struct etl_instance *inst, const struct etl_load *load, const char *file, struct csv_format *ret,
		     struct etl_error *err)
{
	int rc = csv_format_of(inst, load->options, ret, err);

	if (!rc)
		ret->separator = csv_separator(ret, *file ? file : inst->root);
	return rc;
}

static int write_header(struct etl_instance *inst, const struct etl_load *load, const char *file, struct files_output *output,
			struct etl_error *err)
{
	struct etl_text text = { 0 };
	struct csv_format format;
	size_t column = 0;
	int rc = format_of(inst, load, file, &format, err);

	if (!rc && format.header && !csv_add_header(&text, &format, load->table, &column))
		rc = inst->host->fail(err, ETL_USAGE, NULL, 0,
				      "csv: the name of the column \"%s\" of \"%s\" has to be quoted, and quote = \"\" leaves nothing "
				      "to quote it with; give the column another name (as), or write header = false",
				      column_name(load, column), load->table->name);
	if (!rc && text.failed)
		rc = inst->host->fail(err, ETL_MEMORY, NULL, 0, "csv: no memory to write");
	if (!rc)
		rc = files_output_write(output, text.at, text.length, err);
	etl_text_free(&text);
	return rc;
}

int csv_begin(struct etl_instance *inst, const struct etl_load *load, struct etl_token *ret, struct etl_error *err)
{
	struct files_output *output = NULL;
	char *file = NULL;
	int rc = file_of(inst, load, &file, err);

	if (!rc)
		rc = check_alone(inst, load, file, err);
	if (!rc)
		rc = check_existing(inst, load, file, err);
	if (!rc && strlen(load->run->id) + strlen(file) + 2 > sizeof(ret->text))
		rc = inst->host->fail(err, ETL_USAGE, NULL, 0, "csv: the name %s is too long", file);
	if (!rc)
		rc = files_output_open(inst->files, file, load->run->id, false, &output, err);
	if (!rc)
		rc = write_header(inst, load, file, output, err);
	if (!rc) {
		rc = files_output_finish(output, NULL, err);
		output = NULL;
	}
	files_output_close(output);
	if (!rc)
		snprintf(ret->text, sizeof(ret->text), "%s %s", load->run->id, file);
	free(file);
	return rc;
}

/* A run's id has no blank in it. */
const char *csv_token_parts(const struct etl_token *token, struct etl_token *copy)
{
	char *blank;

	*copy = *token;
	blank = strchr(copy->text, ' ');
	if (!blank)
		return "";
	*blank = '\0';
	return blank + 1;
}

struct writing {
	struct etl_instance *inst;
	struct etl_error *err;
	const struct etl_load *load;
	const struct etl_part *part;
	struct csv_format format;
	struct files_output *output;
	struct ArrowSchema schema;
	struct etl_view *view;
	struct etl_text text;
	struct etl_stats stats;
};

static int no_memory(const struct writing *w)
{
	return w->inst->host->fail(w->err, ETL_MEMORY, NULL, 0, "csv: no memory to write");
}

static int flush(struct writing *w)
{
	int rc = w->text.failed ? no_memory(w) : files_output_write(w->output, w->text.at, w->text.length, w->err);

	w->stats.bytes += w->text.length;
	w->text.length = 0;
	return rc;
}

static int reject(const struct writing *w, const struct ArrowArray *batch, int64_t row, int64_t column)
{
	struct etl_text reason = { 0 };
	struct etl_reject what = { .code = "needs_quotes",
				   .column = column_name(w->load, (size_t)column),
				   .schema = &w->schema,
				   .batch = batch,
				   .row = row };
	int rc;

	etl_text_addf(&reason, "column \"%s\" holds ", what.column);
	etl_text_add_value(&reason, &w->view->columns[column], row);
	etl_text_add(&reason, ", which has to be quoted, and quote = \"\" leaves nothing to quote it with");
	what.reason = reason.at;
	rc = reason.failed ? no_memory(w) : w->inst->host->reject(w->part->context, &what);
	etl_text_free(&reason);
	return rc;
}

static int write_batch(struct writing *w, const struct ArrowArray *batch)
{
	int rc = etl_view_set(w->view, batch) ? ETL_OK : no_memory(w);
	int64_t row, column;

	for (row = 0; !rc && row < batch->length; row++) {
		if (csv_add_row(&w->text, &w->format, w->view, row, &column))
			w->stats.rows++;
		else
			rc = reject(w, batch, row, column);
		if (!rc && (w->text.length >= PIECE || w->text.failed))
			rc = flush(w);
	}
	return rc;
}

/* When the stream failed, whoever made it has said why. */
static int write_all(struct writing *w, struct ArrowArrayStream *stream)
{
	struct ArrowArray batch = { .release = NULL };
	int rc = ETL_OK;

	if (stream->get_schema(stream, &w->schema) != 0)
		return ETL_FAILED;
	w->view = etl_view_new(&w->schema);
	if (!w->view)
		return no_memory(w);
	while (!rc) {
		if (stream->get_next(stream, &batch) != 0)
			return ETL_FAILED;
		if (!batch.release)
			return flush(w);
		rc = write_batch(w, &batch);
		batch.release(&batch);
	}
	return rc;
}

int csv_load(struct etl_instance *inst, const struct etl_load *load, const struct etl_token *token,
	     const struct etl_part *part, struct ArrowArrayStream *stream, struct etl_stats *ret, struct etl_error *err)
{
	struct writing w = { .inst = inst, .err = err, .load = load, .part = part };
	struct etl_token run;
	const char *file = csv_token_parts(token, &run);
	int rc = format_of(inst, load, file, &w.format, err);

	if (!rc)
		rc = files_output_open(inst->files, file, run.text, true, &w.output, err);
	if (!rc)
		rc = write_all(&w, stream);
	ETL_FAULT("csv.before_finish");
	if (!rc) {
		rc = files_output_finish(w.output, NULL, err);
		w.output = NULL;
	}
	files_output_close(w.output);
	if (w.schema.release)
		w.schema.release(&w.schema);
	etl_view_free(w.view);
	etl_text_free(&w.text);
	if (!rc)
		*ret = w.stats;
	return rc;
}

/* The rows as whoever reads the file will find them. */
int csv_staged(struct etl_instance *inst, const struct etl_load *load, const struct etl_token *token,
	       struct etl_dataset_sink *sink, struct etl_error *err)
{
	struct etl_dataset dataset = { .table = load->table->name, .token = token, .options = load->options };

	(void)inst;
	(void)err;
	return sink->emit(sink, &dataset);
}

/* ---- The end ---------------------------------------------------------------------------------------------------------------- */

int csv_seal(struct etl_instance *inst, const struct etl_commit *commit, struct etl_token *ret, struct etl_error *err)
{
	struct files_publish *publish;
	size_t i;
	int rc;

	ret->text[0] = '\0';
	if (files_is_standard(inst->files))
		return ETL_OK;
	rc = files_publish_new(inst->files, commit->run->id, commit->run->on_existing == ETL_EXISTING_REPLACE, &publish, err);
	for (i = 0; !rc && i < commit->load_count; i++) {
		struct etl_token run;

		rc = files_publish_add(publish, csv_token_parts(commit->tokens[i], &run), err);
		if (rc)
			files_publish_free(publish);
	}
	return rc ? rc : files_publish_seal(publish, ret, err);
}

/* A run that died while its files took their names is finished: it was decided. */
static int settle(struct etl_instance *inst, const char *run, bool *ret_published, struct etl_error *err)
{
	int rc = files_publish_settle(inst->files, run, ret_published, err);

	return rc || !*ret_published ? rc : files_output_discard(inst->files, run, err);
}

int csv_sealed(struct etl_instance *inst, const struct etl_token *seal, int32_t *ret, struct etl_error *err)
{
	struct etl_token run;
	bool published;
	int rc;

	*ret = 0;
	if (files_is_standard(inst->files))
		return ETL_OK;
	csv_token_parts(seal, &run);
	rc = settle(inst, run.text, &published, err);
	*ret = !rc && published;
	return rc || published ? rc : files_publish_is(inst->files, seal, ret, err);
}

int csv_commit(struct etl_instance *inst, const struct etl_commit *commit, struct etl_error *err)
{
	int rc = files_publish(inst->files, commit->run->id, commit->run->on_existing == ETL_EXISTING_REPLACE, err);

	return rc ? rc : files_output_discard(inst->files, commit->run->id, err);
}

int csv_abort(struct etl_instance *inst, const struct etl_load *load, const struct etl_token *token, struct etl_error *err)
{
	struct etl_token run;
	const char *file = csv_token_parts(token, &run);
	bool published;
	int rc = settle(inst, run.text, &published, err);

	(void)load;
	return rc || published ? rc : files_output_drop(inst->files, file, run.text, err);
}
