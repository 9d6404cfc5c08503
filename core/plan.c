/*
 * Collecting and printing what a run will do.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "drift.h"
#include "log.h"
#include "output.h"
#include "plan.h"

#define NAMES_SHOWN 5  /* of what is left out, for each kind */
#define KINDS_MOST  24 /* more kinds of objects than there are */

struct collect {
	struct etl_step_sink sink;
	struct plan *plan;
	struct etl_error *err;
};

static int collect_step(struct etl_step_sink *self, const struct etl_step *step)
{
	struct collect *c = (struct collect *)(void *)self;
	struct plan *plan = c->plan;
	struct etl_step *at = etl_arena_push(&plan->arena, plan->at, plan->count, sizeof(*at));

	if (!at)
		return error_memory(c->err);
	plan->at = at;
	at = &at[plan->count++];
	*at = *step;
	at->kind = etl_arena_copy(&plan->arena, step->kind);
	at->object = etl_arena_copy(&plan->arena, step->object);
	at->sql = etl_arena_copy(&plan->arena, step->sql);
	at->note = etl_arena_copy(&plan->arena, step->note);
	return plan->arena.failed ? error_memory(c->err) : 0;
}

static int design(struct instance *target, const struct etl_table *table,
		  const struct etl_load *load, struct collect *c)
{
	return target->plugin->schema.design(target->self, table, load, &c->sink,
					     instance_error(target, c->err));
}

static bool comes_first(int32_t kind)
{
	return kind == ETL_DATABASE || kind == ETL_TYPE_DEFINITION || kind == ETL_SEQUENCE;
}

int plan_make(const struct jobs *jobs, struct instance *target, struct plan *plan,
	      struct etl_error *err)
{
	struct collect c = { { collect_step }, plan, err };
	int rc = 0;

	if (!target->plugin->has_schema)
		return 0;
	/* The settings of the database come first: some must be made before its first table. So do the types of
	 * columns, and sequences, which defaults take from. */
	for (size_t i = 0; i < jobs->others.count && rc == 0; i++)
		if (comes_first(jobs->others.at[i]->kind))
			rc = design(target, jobs->others.at[i], &jobs->other_loads[i], &c);
	for (size_t i = 0; i < jobs->count && rc == 0; i++)
		rc = design(target, jobs->at[i]->target, &jobs->at[i]->load, &c);
	for (size_t i = 0; i < jobs->others.count && rc == 0; i++)
		if (!comes_first(jobs->others.at[i]->kind))
			rc = design(target, jobs->others.at[i], &jobs->other_loads[i], &c);
	return rc;
}

void plan_free(struct plan *plan)
{
	etl_arena_free(&plan->arena);
	memset(plan, 0, sizeof(*plan));
}

const struct etl_load *plan_load(const struct jobs *jobs, const struct etl_step *step)
{
	if (step->load < jobs->count)
		return &jobs->at[step->load]->load;
	if (step->load < jobs->count + jobs->others.count)
		return &jobs->other_loads[step->load - jobs->count];
	return NULL;
}

const char *phase_name(int32_t phase)
{
	static const char *const names[] = { "prepare", "screen",  "finish",
					     "last",	"publish", "discard" };

	return phase >= 0 && phase < (int32_t)(sizeof(names) / sizeof(names[0])) ? names[phase] :
										   "?";
}

const char *verdict_name(int32_t verdict)
{
	static const char *const names[] = { "exact", "widened", "approximated", "skipped" };

	return verdict >= 0 && verdict < 4 ? names[verdict] : "?";
}

struct left_out {
	const char *kind;
	size_t count;
	struct etl_text names;
};

static void leave_out(struct left_out *kinds, int32_t verdict, const char *kind, const char *object)
{
	struct left_out *at = kinds;

	if (verdict != ETL_SKIPPED || !kind)
		return;
	while (at < kinds + KINDS_MOST - 1 && at->kind && strcmp(at->kind, kind) != 0)
		at++;
	if (!at->kind)
		at->kind = kind;
	if (at->count++ < NAMES_SHOWN)
		etl_text_addf(&at->names, "%s%s", at->count > 1 ? ", " : "", object ? object : "");
}

void plan_warn(const struct jobs *jobs, const struct plan *plan, uint32_t run_flags)
{
	struct left_out kinds[KINDS_MOST] = { { 0 } };

	if (run_flags & (ETL_RUN_DATA_ONLY | ETL_RUN_SCHEMA_ONLY))
		return;
	for (size_t i = 0; i < jobs->verdict_count; i++)
		leave_out(kinds, jobs->verdicts[i].verdict, jobs->verdicts[i].kind,
			  jobs->verdicts[i].object);
	for (size_t i = 0; i < plan->count; i++)
		leave_out(kinds, plan->at[i].verdict, plan->at[i].kind, plan->at[i].object);
	for (size_t i = 0; i < KINDS_MOST && kinds[i].kind; i++) {
		log_line(ETL_LOG_WARN, "left out: %s %s%s (%zu in all); \"etlrun plan\" says why",
			 kinds[i].kind, kinds[i].names.at ? kinds[i].names.at : "",
			 kinds[i].count > NAMES_SHOWN ? ", …" : "", kinds[i].count);
		etl_text_free(&kinds[i].names);
	}
}

/* SQL on one screen line after the other, indented under its step. */
static void print_sql(FILE *out, const char *sql)
{
	fprintf(out, "      ");
	for (; *sql; sql++) {
		fputc(*sql, out);
		if (*sql == '\n')
			fprintf(out, "      ");
	}
	fputc('\n', out);
}

static void print_job(FILE *out, const struct pipeline *pipeline, const struct job *job)
{
	static const char *const conflicts[] = { "the source's stays", "the target's stays", "the newest stays, or both are parked",
						 "both are parked" };
	static const char *const existing[] = {
		"the run will refuse, for on_existing = \"fail\"",
		"it will be replaced",
		"its rows will be swapped, the table stays",
	};
	char buf[64];

	fprintf(out, "table %s", job_name(job));
	if (strcmp(job_source_name(job), job->target->name) != 0)
		fprintf(out, "  from %s", job_source_name(job));
	if (job->source->rows >= 0)
		fprintf(out, "  about %" PRId64 " row%s", job->source->rows,
			job->source->rows == 1 ? "" : "s");
	fprintf(out, "\n");
	if (pipeline->mode != ETL_COPY)
		fprintf(out, "  -- %s\n",
			!job->existing		      ? "the target does not have this table: it will be made" :
			pipeline->mode == ETL_APPEND ? "the rows will be added to the target's table" :
						       "the rows will be merged into the target's table");
	else if (job->existing)
		fprintf(out, "  -- the target has this table: %s\n",
			existing[pipeline->on_existing]);
	if (job->conflicts)
		fprintf(out, "  -- the hashes of its rows are kept; of a row that both ends changed: %s\n",
			conflicts[job->rule->conflicts.policy]);
	for (size_t i = 0; i < job->target->column_count; i++) {
		const struct etl_column *column = table_column(job->target, i);
		int64_t at = etl_schema_find(&job->rows, column->name);

		fprintf(out, "  %-24s %-24s", column->name,
			*column->declared ? column->declared : "(no type)");
		if (column->flags & ETL_STAYS)
			fprintf(out, " stays as it is in rows that are there;");
		if (at >= 0)
			fprintf(out, " moved as %s",
				etl_type_name(etl_type_of(job->rows.children[at]), buf,
					      sizeof(buf)));
		else
			fprintf(out, " computed by the target");
		if (column->origin)
			fprintf(out, "  from %s", column->origin);
		fprintf(out, "\n");
	}
}

/* LABEL: of the table, where the run has others of its name; or NULL. */
static void print_step(FILE *out, const struct etl_step *step, const char *label)
{
	fprintf(out, "  %-12s %-16s %s%s%s%s\n", verdict_name(step->verdict), step->kind,
		step->object ? step->object : "", label ? " (of " : "", label ? label : "", label ? ")" : "");
	if (step->note)
		fprintf(out, "      -- %s\n", step->note);
	if (step->sql)
		print_sql(out, step->sql);
}

void plan_rollback(const struct pipeline *p, const struct jobs *jobs, char *buf, size_t size)
{
	if (!p->target.plugin->can_revert)
		snprintf(buf, size, "no, %s does not take runs back", p->target.plugin->base.name);
	else if (p->mode == ETL_COPY && jobs->existing.count == 0)
		snprintf(buf, size, "yes, there is nothing in the target yet");
	else if (p->mode == ETL_COPY && p->keep_old > 0)
		snprintf(buf, size, "yes, keep_old = %" PRId64 " keeps what is replaced", p->keep_old);
	else if (p->mode == ETL_COPY)
		snprintf(buf, size,
			 "not unless the target keeps what it replaces, which keep_old = 1 makes it "
			 "do");
	else if (p->undo || p->mode == ETL_APPEND)
		snprintf(buf, size, "yes, as one of the last three runs");
	else if (p->commit.given)
		snprintf(buf, size, "no, commit_every publishes it in several transactions");
	else
		snprintf(buf, size, "no, undo = true would keep what is changed");
}

bool plan_batches(const struct pipeline *p, char *buf, size_t size)
{
	char rows[48] = "";

	if (p->commit.given && !p->commit.adapts)
		snprintf(rows, sizeof(rows), "of %" PRId64 " rows at most, ", p->commit.rows);
	snprintf(buf, size, "in batches, %sas many rows as take %g s", rows, (double)p->commit.ms / 1000);
	return p->commit.given;
}

bool plan_validators(const struct pipeline *p, struct etl_text *text)
{
	if (!p->validators_by_target)
		return false;
	for (size_t i = 0; i < p->validators.count; i++)
		etl_text_addf(text, "%s%s", i ? ", " : "", p->validators.at[i].plugin->base.name);
	etl_text_addf(text, ", as this target wishes where the pipeline says nothing of validators: %s; "
		      "validators = ( ); asks for none", p->target.plugin->target.validators);
	return true;
}

static void print_all(FILE *out, const struct pipeline *pipeline, const struct jobs *jobs,
		      const struct plan *plan, const char *validators)
{
	char words[160];

	fprintf(out, "pipeline %s: %s -> %s, %zu table%s\n\n", pipeline->name,
		pipeline->source.plugin->base.name, pipeline->target.plugin->base.name,
		jobs->count, jobs->count == 1 ? "" : "s");
	plan_rollback(pipeline, jobs, words, sizeof(words));
	fprintf(out, "rollback: %s\n\n", words);
	if (plan_batches(pipeline, words, sizeof(words)))
		fprintf(out, "published: %s\n\n", words);
	if (validators)
		fprintf(out, "validators: %s\n\n", validators);
	if (*drift_words(jobs))
		fprintf(out, "drift: %s\n\n", drift_words(jobs));
	for (size_t i = 0; i < jobs->count; i++)
		print_job(out, pipeline, jobs->at[i]);
	if (jobs->verdict_count)
		fprintf(out, "\nleft out or changed by this pipeline\n");
	for (size_t i = 0; i < jobs->verdict_count; i++) {
		const struct host_verdict *v = &jobs->verdicts[i];
		const struct etl_step step = { .verdict = v->verdict,
					       .kind = v->kind,
					       .object = v->object,
					       .sql = v->ddl,
					       .note = v->note };

		print_step(out, &step, NULL);
	}
	for (int32_t phase = ETL_PHASE_PREPARE; phase <= ETL_PHASE_DISCARD; phase++) {
		bool titled = false;

		if (phase == ETL_PHASE_PREPARE)
			for (size_t i = 0; i < pipeline->before.count; i++)
				fprintf(out, "%s  %-12s %-16s\n      %s\n", i ? "" : "\nbefore\n",
					"exact", "sql", pipeline->before.at[i]);
		for (size_t i = 0; i < plan->count; i++) {
			if (plan->at[i].phase != phase)
				continue;
			if (!titled)
				fprintf(out, "\n%s\n", phase_name(phase));
			titled = true;
			print_step(out, &plan->at[i],
				   plan->at[i].load < jobs->count ? jobs->at[plan->at[i].load]->label : NULL);
		}
		if (phase == ETL_PHASE_LAST)
			for (size_t i = 0; i < pipeline->after_load.count; i++)
				fprintf(out, "%s  %-12s %-16s\n      %s\n",
					i ? "" : "\nafter load\n", "exact", "sql",
					pipeline->after_load.at[i]);
	}
}

int plan_print(const struct pipeline *pipeline, const struct jobs *jobs, const struct plan *plan,
	       struct etl_error *err)
{
	struct etl_text validators = { 0 };
	struct output output;
	int rc = 0;

	if (plan_validators(pipeline, &validators) && validators.failed)
		rc = error_memory(err);
	if (rc == 0)
		rc = output_open(&output, err);
	if (rc == 0) {
		print_all(output.file, pipeline, jobs, plan, validators.at);
		rc = output_close(&output, err);
	}
	etl_text_free(&validators);
	return rc;
}
