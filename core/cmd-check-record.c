/*
 * check-record: one row at both ends, column by column; which of them differ is what is asked.
 */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "diff-print.h"
#include "log.h"
#include "output.h"
#include "record.h"
#include "watch.h"

#define NAME_WIDTH  24
#define VALUE_WIDTH 32

enum verdict { RECORD_EQUAL, RECORD_CHANGED, RECORD_NEW, RECORD_DELETED, RECORD_NOWHERE };

/* As `diff` calls them. */
static const char *const words[] = { "equal", "changed", "new", "deleted", "nowhere" };

static enum verdict verdict_of(const struct record *r, const struct diff_pair *pair)
{
	if (!r->source_rows)
		return r->target_rows ? RECORD_DELETED : RECORD_NOWHERE;
	if (!r->target_rows)
		return RECORD_NEW;
	return pair->changed_count ? RECORD_CHANGED : RECORD_EQUAL;
}

static bool differs(const struct diff_pair *pair, int64_t column)
{
	for (size_t i = 0; i < pair->changed_count; i++)
		if (pair->changed[i] == column)
			return true;
	return false;
}

/* ---- For people ------------------------------------------------------------------------------ */

static void add_key(struct etl_text *to, const struct job *job, const struct diff_pair *pair)
{
	const struct etl_view *view = pair->source.release ? pair->source_view : pair->target_view;

	for (size_t i = 0; i < job->key_count; i++) {
		etl_text_add(to, i > 0 ? "," : "");
		diff_add_name(to, job->rows.children[job->key[i]]->name);
		etl_text_add(to, "=");
		diff_add_value(to, view, job->key[i]);
	}
}

static void add_sentence(struct etl_text *to, const struct record *r, const struct diff_pair *pair, enum verdict verdict,
			 const char *key)
{
	diff_add_name(to, job_name(r->job));
	etl_text_add(to, " ");
	if (verdict == RECORD_NOWHERE)
		diff_add_name(to, key);
	else
		add_key(to, r->job, pair);
	switch (verdict) {
	case RECORD_EQUAL:
		etl_text_add(to, ": equal\n");
		break;
	case RECORD_NEW:
		etl_text_add(to, ": only in the source\n");
		break;
	case RECORD_DELETED:
		etl_text_add(to, ": only in the target\n");
		break;
	case RECORD_NOWHERE:
		etl_text_add(to, ": at neither end\n");
		break;
	case RECORD_CHANGED:
		etl_text_add(to, ": differs in ");
		for (size_t i = 0; i < pair->changed_count; i++) {
			etl_text_add(to, i > 0 ? ", " : "");
			diff_add_name(to, r->job->rows.children[pair->changed[i]]->name);
		}
		etl_text_add(to, "\n");
	}
}

/* In a column of its own; what is longer moves the rest of its line. */
static void add_cell(struct etl_text *to, const struct etl_view *view, bool there, int64_t column)
{
	struct etl_text value = { 0 };

	if (there)
		diff_add_value(&value, view, column);
	else
		etl_text_add(&value, "-");
	etl_text_addf(to, " %-*s", VALUE_WIDTH, value.failed ? "" : value.at);
	to->failed |= value.failed;
	etl_text_free(&value);
}

static void add_rows(struct etl_text *to, const struct job *job, const struct diff_pair *pair)
{
	etl_text_addf(to, "  %-*s %-*s %s\n", NAME_WIDTH, "column", VALUE_WIDTH, "source", "target");
	for (int64_t i = 0; i < job->rows.n_children; i++) {
		struct etl_text name = { 0 };

		diff_add_name(&name, job->rows.children[i]->name);
		etl_text_addf(to, "%s %-*s", differs(pair, i) ? "*" : " ", NAME_WIDTH, name.failed ? "" : name.at);
		to->failed |= name.failed;
		etl_text_free(&name);
		add_cell(to, pair->source_view, pair->source.release != NULL, i);
		add_cell(to, pair->target_view, pair->target.release != NULL, i);
		while (to->length > 0 && to->at[to->length - 1] == ' ')
			to->at[--to->length] = '\0';
		etl_text_add(to, "\n");
	}
}

/* ---- For programs ---------------------------------------------------------------------------- */

static void add_json(struct etl_text *to, const struct record *r, const struct diff_pair *pair, enum verdict verdict)
{
	const struct job *job = r->job;
	const struct etl_view *view = pair->source.release ? pair->source_view : pair->target_view;
	size_t count = (size_t)job->rows.n_children;

	etl_text_add(to, "{\"table\": ");
	etl_text_add_json(to, job_name(job), strlen(job_name(job)));
	etl_text_addf(to, ", \"kind\": \"%s\", \"differs\": [", words[verdict]);
	for (size_t i = 0; i < pair->changed_count; i++) {
		const char *name = job->rows.children[pair->changed[i]]->name;

		etl_text_add(to, i > 0 ? ", " : "");
		etl_text_add_json(to, name, strlen(name));
	}
	etl_text_add(to, "]");
	if (verdict != RECORD_NOWHERE) {
		etl_text_add(to, ", \"key\": ");
		diff_add_json_row(to, pair, view, job->key, job->key_count);
	}
	if (pair->source.release) {
		etl_text_add(to, ", \"source\": ");
		diff_add_json_row(to, pair, pair->source_view, NULL, count);
	}
	if (pair->target.release) {
		etl_text_add(to, ", \"target\": ");
		diff_add_json_row(to, pair, pair->target_view, NULL, count);
	}
	etl_text_add(to, "}\n");
}

/* ---- The verb -------------------------------------------------------------------------------- */

static bool set_pair(struct diff_pair *pair, const struct record *r)
{
	struct diff_found found = { .kind = DIFF_CHANGED,
				    .source = r->source_rows ? r->source.at : NULL,
				    .target = r->target_rows ? r->target.at : NULL };

	if (!found.source || !found.target)
		found.kind = found.source ? DIFF_NEW : DIFF_DELETED;
	return diff_pair_init(pair, r->job) && diff_pair_set(pair, &found);
}

static void warn(const struct record *r)
{
	if (r->source_rows > 1 || r->target_rows > 1)
		log_line(ETL_LOG_WARN, "%" PRIu64 " rows of the source and %" PRIu64
			 " of the target have this key; the first of each is shown",
			 r->source_rows, r->target_rows);
	if (r->rejected && !r->source_rows)
		log_line(ETL_LOG_WARN, "%" PRIu64 " row%s of the source with this key %s rejected on the way", r->rejected,
			 r->rejected == 1 ? "" : "s", r->rejected == 1 ? "is" : "are");
}

static int show(const struct cli *cli, const struct record *r, bool *ret_equal, struct etl_error *err)
{
	struct diff_pair pair = { .job = NULL };
	struct etl_text text = { 0 };
	bool ok = set_pair(&pair, r);
	enum verdict verdict = verdict_of(r, &pair);
	int rc;

	*ret_equal = verdict == RECORD_EQUAL;
	if (ok && cli->as_json) {
		add_json(&text, r, &pair, verdict);
	} else if (ok) {
		add_sentence(&text, r, &pair, verdict, cli->words[1]);
		if (verdict != RECORD_NOWHERE)
			add_rows(&text, r->job, &pair);
	}
	rc = ok && !text.failed ? output_text(text.at, NULL, err) : error_memory(err);
	if (rc == 0)
		warn(r);
	etl_text_free(&text);
	diff_pair_clear(&pair);
	return rc;
}

static int check_in(struct run *run, const struct cli *cli, bool *ret_equal, struct etl_error *err)
{
	struct record record = { .job = NULL };
	struct job *job = NULL;
	int rc = record_job(run, cli->words[0], &job, err);

	if (rc == 0)
		rc = run_pin(run, err);
	if (rc == 0)
		rc = record_find(run, job, cli->words[1], &record, err);
	if (rc == 0)
		rc = show(cli, &record, ret_equal, err);
	record_clear(&record);
	return rc;
}

static int check_record(const struct cli *cli, struct etl_error *err)
{
	struct pipeline *pipeline = NULL;
	struct run run = { 0 };
	bool equal = false;
	int rc = cli_pipeline(cli, &pipeline, err);
	struct watch *watch = watch_start();

	if (rc == 0)
		rc = run_open(&run, cli, pipeline, err);
	if (rc == 0)
		rc = check_in(&run, cli, &equal, err);
	run_close(&run);
	pipeline_free(pipeline);
	watch_stop(watch);
	return rc < 0 ? rc : equal ? 0 : EXIT_DIFFERENT;
}

const struct verb verb_check_record = {
	.name = "check-record",
	.words = "TABLE KEY PIPELINE.cfg",
	.summary = "one row at both ends, column by column",
	.takes = CLI_FILE | CLI_RECORD,
	.min_words = 3,
	.max_words = 3,
	.looks = true,
	.run = check_record,
};
