/*
 * A difference as a line: TABLE, KEY, KIND and, for a changed row, each column with the target's value and the
 * source's, which is what the repair would make of it. The four are parted by tabs; whatever would break a line
 * is written as an escape.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "diff-pair.h"
#include "diff-print.h"
#include "secret.h"

static const char *const kinds[] = { [DIFF_NEW] = "new",
				     [DIFF_DELETED] = "deleted",
				     [DIFF_CHANGED] = "changed" };

/* ---- For people ------------------------------------------------------------------------------ */

static void add_plain(struct etl_text *to, const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '\n')
			etl_text_add(to, "\\n");
		else if (c == '\t')
			etl_text_add(to, "\\t");
		else if (c < 0x20 || c == 0x7f)
			etl_text_addf(to, "\\x%02x", c);
		else
			etl_text_add_bytes(to, text + i, 1);
	}
}

void diff_add_value(struct etl_text *to, const struct etl_view *view, int64_t column)
{
	struct etl_text value = { .at = NULL };

	etl_text_add_value(&value, &view->columns[column], 0);
	to->failed |= value.failed;
	add_plain(to, value.at ? value.at : "", value.length);
	etl_text_free(&value);
}

static const char *name_of(const struct job *job, int64_t column)
{
	return job->rows.children[column]->name;
}

void diff_add_name(struct etl_text *to, const char *name)
{
	add_plain(to, name, strlen(name));
}

static void line_for_people(struct etl_text *line, const struct diff_pair *p, int32_t kind)
{
	const struct job *job = p->job;
	const struct etl_view *view = p->source.release ? p->source_view : p->target_view;
	int64_t count = job->key_count ? (int64_t)job->key_count : view->count;

	diff_add_name(line, job_name(job));
	etl_text_add(line, "\t");
	for (int64_t i = 0; i < count; i++) {
		int64_t column = job->key_count ? job->key[i] : i;

		etl_text_add(line, i > 0 ? " " : "");
		diff_add_name(line, name_of(job, column));
		etl_text_add(line, "=");
		diff_add_value(line, view, column);
	}
	etl_text_addf(line, "\t%s", kinds[kind]);
	for (size_t i = 0; i < p->changed_count; i++) {
		etl_text_add(line, i > 0 ? ", " : "\t");
		diff_add_name(line, name_of(job, p->changed[i]));
		etl_text_add(line, ": ");
		diff_add_value(line, p->target_view, p->changed[i]);
		etl_text_add(line, " -> ");
		diff_add_value(line, p->source_view, p->changed[i]);
	}
}

/* ---- As JSON --------------------------------------------------------------------------------- */

static void json_member(struct etl_text *to, const char *name, bool first)
{
	etl_text_add(to, first ? "" : ", ");
	etl_text_add_json(to, name, strlen(name));
	etl_text_add(to, ": ");
}

void diff_add_json_row(struct etl_text *to, const struct diff_pair *p, const struct etl_view *view,
		       const int64_t *columns, size_t count)
{
	etl_text_add(to, "{");
	for (size_t i = 0; i < count; i++) {
		int64_t column = columns ? columns[i] : (int64_t)i;

		json_member(to, name_of(p->job, column), i == 0);
		etl_text_add_json_value(to, &view->columns[column], 0);
	}
	etl_text_add(to, "}");
}

/* A changed row has the columns that differ, one that is on one side alone has all. */
static void line_of_json(struct etl_text *line, const struct diff_pair *p, int32_t kind)
{
	const struct job *job = p->job;
	const struct etl_view *view = p->source.release ? p->source_view : p->target_view;
	const int64_t *columns = kind == DIFF_CHANGED ? p->changed : NULL;
	size_t count = columns ? p->changed_count : (size_t)view->count;

	etl_text_add(line, "{");
	json_member(line, "table", true);
	etl_text_add_json(line, job_name(job), strlen(job_name(job)));
	json_member(line, "kind", false);
	etl_text_add_json(line, kinds[kind], strlen(kinds[kind]));
	if (job->key_count) {
		json_member(line, "key", false);
		diff_add_json_row(line, p, view, job->key, job->key_count);
	}
	if (p->source.release) {
		json_member(line, "source", false);
		diff_add_json_row(line, p, p->source_view, columns, count);
	}
	if (p->target.release) {
		json_member(line, "target", false);
		diff_add_json_row(line, p, p->target_view, columns, count);
	}
	etl_text_add(line, "}");
}

/* ---- All of a table -------------------------------------------------------------------------- */

static int print_line(struct etl_text *line, FILE *out, struct etl_error *err)
{
	char *text = etl_text_take(line), *shown;

	shown = text && secret_count() ? secret_redact(text) : text;
	if (!text || !shown) {
		free(text);
		return error_memory(err);
	}
	fputs(shown, out);
	fputc('\n', out);
	if (shown != text)
		free(shown);
	free(text);
	return 0;
}

int diff_print(struct diff *d, bool json, int64_t limit, FILE *out, struct etl_error *err)
{
	struct diff_pair pair;
	struct diff_found found;
	int rc = diff_pair_init(&pair, d->job) ? diff_spool_rewind(d->found, err) :
						 error_memory(err);

	for (int64_t shown = 0; rc == 0 && (limit == 0 || shown < limit); shown++) {
		struct etl_text line = { .at = NULL };

		rc = diff_spool_next(d->found, &found, err);
		if (rc <= 0)
			break;
		if (!diff_pair_set(&pair, &found)) {
			rc = error_memory(err);
			break;
		}
		if (json)
			line_of_json(&line, &pair, found.kind);
		else
			line_for_people(&line, &pair, found.kind);
		rc = print_line(&line, out, err);
	}
	diff_pair_clear(&pair);
	return rc < 0 ? rc : 0;
}
