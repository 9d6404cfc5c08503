/*
 * The order of the questions is that of their cost: the target's version, the last run in the state, the pipeline, the
 * target's seal, the source's stamp. Each has to be answered; what cannot be known is a reason to run, and is said.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fingerprint.h"
#include "log.h"
#include "needed.h"
#include "retry.h"
#include "select.h"

struct asking {
	const struct cli *cli;
	const struct pipeline *pipeline;
	struct host_limits limits;
	struct instance *target, *source;
	char place[4096], source_place[4096], state_path[4096];
	struct state *state;
	struct etl_version version;
	/* The last run of this pipeline into this target. */
	bool any;
	char run[80], status[24], ended[32];
	uint64_t rejected;
	struct etl_token seal, stamp;
	char *print;
	struct etl_text why; /* it is needed; empty: it is not */
	struct etl_error *err;
};

int needed_version(struct instance *target, struct etl_version *ret, struct etl_error *err)
{
	struct retry retry = retry_of(target, "asking for the target's version");
	int rc;

	do {
		*ret = (struct etl_version){ ETL_UNKNOWN, ETL_UNKNOWN };
		rc = target->plugin->target.version(target->self, ret, instance_error(target, err));
	} while (rc < 0 && retry_again(&retry, err));
	if (rc < 0 || ret->wanted < 0 || ret->there <= ret->wanted)
		return rc;
	instance_error(target, err);
	return error_set(err, ETL_FATAL,
			 "the target is of version %" PRId64 ", and this pipeline makes version %" PRId64
			 ": it was made by a newer program; nothing was changed; use that program, or name "
			 "another target",
			 ret->there, ret->wanted);
}

/* ---- The last run -------------------------------------------------------------------------------- */

static int on_run(const struct state_run *r, void *data)
{
	struct asking *a = data;

	if (a->any || strcmp(r->pipeline, a->pipeline->name) != 0 ||
	    (r->target && strcmp(r->target, a->place) != 0))
		return 0;
	a->any = true;
	a->rejected = r->rejected;
	snprintf(a->run, sizeof(a->run), "%s", r->id);
	snprintf(a->status, sizeof(a->status), "%s", r->status);
	snprintf(a->ended, sizeof(a->ended), "%s", r->ended ? r->ended : "");
	snprintf(a->seal.text, sizeof(a->seal.text), "%s", r->seal ? r->seal : "");
	snprintf(a->stamp.text, sizeof(a->stamp.text), "%s", r->stamp ? r->stamp : "none");
	return 0;
}

static int find_last(struct asking *a)
{
	int rc = run_place(a->target, a->place, sizeof(a->place), a->err);

	if (rc == 0)
		rc = run_state_path(a->pipeline, a->target, a->state_path, sizeof(a->state_path), a->err);
	if (rc == 0)
		rc = state_open(a->state_path, false, &a->state, a->err);
	if (rc == 0 && a->state)
		rc = state_runs(a->state, on_run, a, a->err);
	if (rc == 0 && a->any)
		rc = state_print_get(a->state, a->run, &a->print, a->err);
	return rc;
}

static void ask_last(struct asking *a)
{
	if (!a->any)
		etl_text_add(&a->why, "there was no run into this target before");
	else if (strcmp(a->status, STATE_DONE) != 0)
		etl_text_addf(&a->why, "the last run, %s, is not done but %s", a->run, a->status);
}

/* ---- The pipeline -------------------------------------------------------------------------------- */

static int ask_pipeline(struct asking *a)
{
	char *now, *differs;

	if (!a->print) {
		etl_text_addf(&a->why, "what run %s rested on is not known", a->run);
		return 0;
	}
	now = fingerprint_pipeline(a->pipeline, &a->cli->run, a->run, a->place, a->source_place);
	if (!now)
		return error_memory(a->err);
	differs = fingerprint_compare(a->print, now);
	if (differs)
		etl_text_addf(&a->why, "the pipeline is another than that of run %s: %s", a->run, differs);
	free(differs);
	free(now);
	return 0;
}

/* ---- The target ---------------------------------------------------------------------------------- */

struct newest {
	struct etl_state_sink sink;
	const char *run;
	bool any, same;
};

static int on_state(struct etl_state_sink *self, const char *run, const char *state)
{
	struct newest *n = (struct newest *)(void *)self;

	(void)state;
	n->same |= !n->any && strcmp(run, n->run) == 0;
	n->any = true;
	return 0;
}

/* Rows that were appended are not appended again because the tables went on living; of all else it has to be sure that
 * it is what the run made. */
static int ask_recalled(struct asking *a)
{
	const struct etl_target *target = &a->target->plugin->target;
	struct newest newest = { .sink = { on_state }, .run = a->run };
	int rc;

	if (a->pipeline->mode != ETL_APPEND || !(target->flags & ETL_KEEPS_STATE)) {
		etl_text_addf(&a->why, "the target cannot say whether it is what run %s made of it", a->run);
		return 0;
	}
	rc = target->recall(a->target->self, a->pipeline->name, &newest.sink, instance_error(a->target, a->err));
	if (rc == 0 && !newest.same)
		etl_text_addf(&a->why, "the target does not have run %s, or has another after it", a->run);
	return rc;
}

static int ask_target(struct asking *a)
{
	int32_t same = 0;
	int rc;

	if (!a->seal.text[0])
		return ask_recalled(a);
	rc = a->target->plugin->target.sealed(a->target->self, &a->seal, &same, instance_error(a->target, a->err));
	if (rc == 0 && !same)
		etl_text_addf(&a->why, "the target is not what run %s made of it any more", a->run);
	return rc;
}

/* ---- The source ---------------------------------------------------------------------------------- */

static int open_source(struct asking *a)
{
	int rc = instance_open(&a->pipeline->source, ETL_ROLE_SOURCE, &a->limits, &a->source, a->err);

	return rc < 0 ? rc : run_place(a->source, a->source_place, sizeof(a->source_place), a->err);
}

static int pass_over(struct etl_split_sink *self, const struct etl_split *split)
{
	(void)self;
	(void)split;
	return 0;
}

/* Where tables are what the pipeline says, a stamp is about what was planned in the view: so a run had it, too. Where the
 * list of tables is needed for that it would cost as much as a run, and the source says of nothing that it is the same. */
static int plan_source(struct asking *a)
{
	struct etl_split_sink sink = { pass_over };
	struct catalog none = { .at = NULL };
	struct picks picks = { .at = NULL };
	int rc = 0;

	if (!(a->source->plugin->store.flags & ETL_FROM_SHAPES) || select_needs_list(a->pipeline))
		return 0;
	rc = select_tables(a->pipeline, &none, a->cli->run.tables, &picks, a->err);
	for (size_t i = 0; i < picks.count && rc == 0; i++) {
		const struct table_rule *rule = &picks.at[i].rule;
		struct etl_read read = { .dataset = { .table = rule->plain,
						      .query = rule->query,
						      .where = rule->where,
						      .options = rule->from },
					 .limit = a->cli->run.limit };

		rc = a->source->plugin->source.plan(a->source->self, &read, 1, &sink,
						    instance_error(a->source, a->err));
	}
	free(picks.at);
	return rc;
}

static int ask_source(struct asking *a)
{
	struct etl_token pin = { "" }, stamp = { "none" };
	const struct plugin *plugin = a->source->plugin;
	int rc = plugin->can_pin ? plugin->source.pin(a->source->self, &pin, instance_error(a->source, a->err)) : 0;

	if (rc == 0 && plugin->can_pin)
		rc = plan_source(a);
	if (rc == 0 && plugin->can_pin)
		rc = plugin->source.stamp(a->source->self, &stamp, instance_error(a->source, a->err));
	if (rc < 0)
		return rc;
	if (strcmp(stamp.text, "none") == 0 || strcmp(a->stamp.text, "none") == 0)
		etl_text_add(&a->why, "the source cannot say whether it has changed");
	else if (strcmp(stamp.text, a->stamp.text) != 0)
		etl_text_addf(&a->why, "the source has changed since run %s", a->run);
	return 0;
}

/* A source that cannot be looked at is the run's to tell of. */
static int ask_both(struct asking *a)
{
	int rc = open_source(a);

	if (rc == 0)
		rc = ask_pipeline(a);
	if (rc == 0 && !a->why.length)
		rc = ask_target(a);
	if (rc == 0 && !a->why.length)
		rc = ask_source(a);
	return rc;
}

/* ---- All of it ----------------------------------------------------------------------------------- */

static int ask_all(struct asking *a)
{
	int rc = instance_open(&a->pipeline->target, ETL_ROLE_TARGET, &a->limits, &a->target, a->err);

	if (rc == 0)
		rc = needed_version(a->target, &a->version, a->err);
	if (rc == 0)
		rc = find_last(a);
	if (rc < 0)
		return rc;
	if (a->version.wanted < 0) {
		ask_last(a);
		return a->why.length ? 0 : ask_both(a);
	}
	/* The version is what counts, whoever made the target; but a run that failed is tried again. */
	if (a->any)
		ask_last(a);
	if (!a->why.length && a->version.there != a->version.wanted)
		etl_text_addf(&a->why, "the target is not of version %" PRId64, a->version.wanted);
	return 0;
}

static int say_current(const struct asking *a)
{
	struct report report = { .verb = strdup(a->cli->verb->name) };
	int rc = 0;

	if (a->version.wanted >= 0)
		log_line(ETL_LOG_INFO, "nothing to do: the target is of version %" PRId64 ", as the pipeline wants it",
			 a->version.wanted);
	else
		log_line(ETL_LOG_INFO,
			 "nothing to do: pipeline, source and target are as run %s left them at %s%s", a->run,
			 a->ended, a->rejected ? ", with the rows that it rejected still out" : "");
	report.run = a->any ? strdup(a->run) : NULL;
	report.pipeline = strdup(a->pipeline->name);
	if (a->cli->summary)
		rc = report_write(&report, a->cli->summary, a->err);
	report_free(&report);
	return rc;
}

static void asking_clear(struct asking *a)
{
	instance_close(a->source);
	instance_close(a->target);
	state_close(a->state);
	free(a->print);
	etl_text_free(&a->why);
}

int needed_ask(const struct cli *cli, const struct pipeline *pipeline, bool *ret, struct etl_error *err)
{
	struct asking a = { .cli = cli,
			    .pipeline = pipeline,
			    .limits = { .batch_rows = 1,
					.batch_bytes = 1,
					.max_row = 1,
					.workers = 1,
					.pipeline = pipeline },
			    .err = err };
	bool newer;
	int rc = ask_all(&a);

	newer = rc < 0 && a.version.wanted >= 0 && a.version.there > a.version.wanted;
	if (rc < 0 && !newer && !host_canceled()) {
		etl_text_addf(&a.why, "%s", err->message ? err->message : "no memory to look");
		error_clear(err);
		rc = 0;
	}
	if (rc == 0 && a.why.failed)
		rc = error_memory(err);
	*ret = a.why.length > 0;
	if (rc == 0 && *ret)
		log_line(ETL_LOG_INFO, "a run is needed: %s", a.why.at);
	else if (rc == 0)
		rc = say_current(&a);
	asking_clear(&a);
	return rc;
}

/* ---- What a run writes down ---------------------------------------------------------------------- */

static char *print_of(struct run *run, struct etl_error *err)
{
	char place[4096] = "", *print;

	if (run_place(run->source, place, sizeof(place), err) < 0)
		return NULL;
	print = fingerprint_pipeline(run->pipeline, &run->cli->run, run->id, run->place, place);
	if (!print)
		error_memory(err);
	return print;
}

int needed_note(struct run *run, struct etl_error *err)
{
	char *print;
	int rc;

	/* A replay brings a few rows of another run. */
	if (run->cli->replay)
		return 0;
	print = print_of(run, err);
	rc = print ? state_print_put(run->state, run->id, run->pipeline->name, print, err) : ETL_FAILED;
	free(print);
	return rc;
}

int needed_check(struct run *run, struct etl_error *err)
{
	char *now = print_of(run, err), *then = NULL;
	int rc = now ? state_print_get(run->state, run->id, &then, err) : ETL_FAILED;

	if (rc == 0 && then && strcmp(then, now) != 0)
		rc = state_print_put(run->state, run->id, run->pipeline->name, NULL, err);
	free(now);
	free(then);
	return rc;
}
