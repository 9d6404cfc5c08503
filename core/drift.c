/* See drift.h. */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "drift.h"
#include "log.h"
#include "names.h"
#include "remark.h"
#include "select.h"
#include "shape.h"
#include "state-read.h"

struct drift {
	struct state_reader reader;
	const struct pipeline *pipeline;
	struct state_table *past; /* of each table the newest */
	size_t count;
	bool failed; /* no memory */
	struct string_list refused; /* sentences */
	char *table, *column; /* of the first */
	struct etl_text allowed;
};

/* ---- What an earlier run left ------------------------------------------------------------------ */

static bool same(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

static void on_table(struct state_reader *self, struct state_table *t)
{
	struct drift *d = (struct drift *)(void *)self;
	struct state_table *past;

	if (!t->of)
		return;
	for (size_t i = 0; i < d->count; i++)
		if (same(d->past[i].of, t->of) && same(d->past[i].name, t->name) && same(d->past[i].at, t->at))
			return;
	past = realloc(d->past, (d->count + 1) * sizeof(*past));
	d->failed |= !past;
	if (!past)
		return;
	d->past = past;
	past[d->count++] = *t;
	*t = (struct state_table){ .name = NULL };
}

int drift_open(const struct jobs_setup *setup, struct jobs *jobs, struct etl_error *err)
{
	struct drift *d;
	int rc;

	if (setup->pipeline->mode != ETL_SYNC || !setup->target->plugin->can_recall)
		return 0;
	d = calloc(1, sizeof(*d));
	if (!d)
		return error_memory(err);
	d->reader.table = on_table;
	d->pipeline = setup->pipeline;
	jobs->drift = d;
	rc = state_read_all(setup->target, setup->pipeline->name, "asking what the tables looked like", &d->reader, err);
	return rc == 0 && d->failed ? error_memory(err) : rc;
}

void drift_free(struct drift *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->count; i++)
		state_table_clear(&d->past[i]);
	free(d->past);
	for (size_t i = 0; i < d->refused.count; i++)
		free(d->refused.at[i]);
	free(d->refused.at);
	free(d->table);
	free(d->column);
	etl_text_free(&d->allowed);
	free(d);
}

/* What a job reads, by a name that stays. */
static void add_source(struct etl_text *to, const struct pipeline *pipeline, const struct job *job)
{
	const struct table_rule *rule = job->rule;

	if (rule->as && (rule->query || select_is_shaped(pipeline, rule)))
		etl_text_add(to, rule->as);
	else
		etl_text_addf(to, "%s%s%s", job->dataset.schema ? job->dataset.schema : "", job->dataset.schema ? "." : "",
			      job->source->name);
}

static const struct state_table *find_source(const struct drift *d, const struct job *job, struct etl_error *err)
{
	const struct state_table *ret = NULL;
	struct etl_text of = { 0 };

	add_source(&of, d->pipeline, job);
	if (of.failed)
		error_memory(err);
	for (size_t i = 0; !of.failed && !ret && i < d->count; i++)
		if (d->past[i].from.count && same(d->past[i].of, of.at))
			ret = &d->past[i];
	etl_text_free(&of);
	return ret;
}

static const struct state_table *find_target(const struct drift *d, const struct etl_table *table)
{
	for (size_t i = 0; i < d->count; i++)
		if (d->past[i].into.count && same(d->past[i].name, table->name) && same(d->past[i].at, table->schema))
			return &d->past[i];
	return NULL;
}

/* ---- What the pipeline says of a column --------------------------------------------------------- */

/* A column of the source by its name there. */
static const struct column_rule *rule_for(const struct job *job, const char *name)
{
	for (size_t i = 0; i < job->rule->column_count; i++)
		if (job->rule->columns[i].name && strcasecmp(job->rule->columns[i].name, name) == 0)
			return &job->rule->columns[i];
	return NULL;
}

/* Whether NAME of the source is called COLUMN in the target, where only the pipeline's `names` speaks of it. */
static bool becomes(const struct drift *d, const char *name, const char *column)
{
	char *made = NULL;
	bool ret = name_transform(d->pipeline->names, name, &made) == 0 && strcasecmp(made, column) == 0;

	free(made);
	return ret;
}

/* A column of the target: the entry that fills it. */
static const struct column_rule *rule_into(const struct drift *d, const struct job *job, const char *column)
{
	for (size_t i = 0; i < job->rule->column_count; i++) {
		const struct column_rule *rule = &job->rule->columns[i];

		if (rule->as ? strcasecmp(rule->as, column) == 0 : becomes(d, rule->name, column))
			return rule;
	}
	return NULL;
}

static bool is_excluded_into(const struct drift *d, const struct job *job, const char *column)
{
	for (size_t i = 0; i < job->rule->exclude_columns.count; i++)
		if (becomes(d, job->rule->exclude_columns.at[i], column))
			return true;
	return false;
}

/* Something fills it: the source, the pipeline, or the target itself. */
static bool is_filled(const struct drift *d, const struct job *job, const struct etl_column *column)
{
	if (!(column->flags & ETL_NOT_NULL) || column->default_sql ||
	    column->flags & (ETL_IDENTITY | ETL_GENERATED) || rule_into(d, job, column->name))
		return true;
	for (size_t i = 0; i < job->source->column_count; i++)
		if (becomes(d, table_column(job->source, i)->name, column->name))
			return true;
	return false;
}

/* ---- What is done about a change ----------------------------------------------------------------- */

static const char *declared(const char *type)
{
	return *type ? type : "no type";
}

/* Takes the sentence; the same of another entry for the same table is said once. */
static int refuse(struct drift *d, struct job *job, const char *table, const char *column, struct etl_text *sentence,
		  struct etl_error *err)
{
	char *text = etl_text_take(sentence), **at;

	job->drifted = true;
	for (size_t i = 0; text && i < d->refused.count; i++)
		if (strcmp(d->refused.at[i], text) == 0) {
			free(text);
			return 0;
		}
	at = text ? realloc(d->refused.at, (d->refused.count + 1) * sizeof(*at)) : NULL;
	if (!at) {
		free(text);
		return error_memory(err);
	}
	d->refused.at = at;
	at[d->refused.count++] = text;
	if (d->refused.count > 1)
		return 0;
	d->table = strdup(table);
	d->column = strdup(column);
	return d->table && d->column ? 0 : error_memory(err);
}

static void begin(struct etl_text *text, const struct job *job)
{
	if (job->rule->origin.text)
		etl_text_addf(text, "%s: ", job->rule->origin.text);
}

static int say(struct drift *d, struct etl_text *sentence, struct etl_error *err)
{
	char *text = etl_text_take(sentence);

	if (!text)
		return error_memory(err);
	log_line(ETL_LOG_INFO, "%s", text);
	if (!d->allowed.at || !strstr(d->allowed.at, text))
		etl_text_addf(&d->allowed, "%s%s", d->allowed.length ? "; " : "", text);
	free(text);
	return d->allowed.failed ? error_memory(err) : 0;
}

/* Goes on; every row is compared again, for values may come that did not come before. */
static int allow(struct drift *d, struct job *job, struct etl_text *sentence, struct etl_error *err)
{
	job->reshaped = true;
	return say(d, sentence, err);
}

/* A change of which the pipeline speaks itself is no surprise. */
static int acknowledge(struct job *job)
{
	job->reshaped = true;
	return 0;
}

static int add_new(struct jobs *jobs, struct job *job, const char *name, struct etl_error *err)
{
	struct drift_added *at = etl_arena_push(&jobs->arena, job->added, job->added_count, sizeof(*at));

	if (!at)
		return error_memory(err);
	job->added = at;
	at[job->added_count++] = (struct drift_added){ .name = name };
	return 0;
}

static int source_added(struct jobs *jobs, struct job *job, const struct etl_column *column, struct etl_error *err)
{
	const char *table = job_source_name(job), *name = column->name;
	struct etl_text text = { 0 };

	if (rule_for(job, name))
		return acknowledge(job);
	if (job->rule->allow_drift & DRIFT_ADD)
		return add_new(jobs, job, name, err);
	begin(&text, job);
	etl_text_addf(&text,
		      "the source's table \"%s\" has a new column \"%s\" (%s) since the last run; write exclude_columns = "
		      "[ \"%s\" ] to leave it out, columns = ( { name = \"%s\"; } ) to take it, or allow_drift = [ \"add\" ] to "
		      "leave out what the target does not have",
		      table, name, declared(column->declared), name, name);
	return refuse(jobs->drift, job, table, name, &text, err);
}

static int source_dropped(struct jobs *jobs, struct job *job, const char *name, const char *type, struct etl_error *err)
{
	const char *table = job_source_name(job);
	struct etl_text text = { 0 };
	const struct column_rule *rule = rule_into(jobs->drift, job, name);

	if (rule && rule->value)
		return acknowledge(job);
	if (job->rule->allow_drift & DRIFT_DROP) {
		etl_text_addf(&text, "column \"%s\" of \"%s\" is not in the source any more: it is not written", name, table);
		return allow(jobs->drift, job, &text, err);
	}
	begin(&text, job);
	etl_text_addf(&text,
		      "the source's table \"%s\" had a column \"%s\" (%s) in the last run and has it no more; write columns = ( { "
		      "as = \"%s\"; value = … } ) for what is to stand there, or allow_drift = [ \"drop\" ] to write it no more",
		      table, name, declared(type), name);
	return refuse(jobs->drift, job, table, name, &text, err);
}

/* At either END. */
static int retyped(struct jobs *jobs, struct job *job, const char *end, const struct column_rule *rule,
		   const struct etl_column *column, const char *was, struct etl_error *err)
{
	const char *table = *end == 's' ? job_source_name(job) : job->existing->name, *name = column->name;
	struct etl_text text = { 0 };

	if (rule && (rule->type || rule->value))
		return acknowledge(job);
	if (job->rule->allow_drift & DRIFT_TYPE) {
		etl_text_addf(&text, "column \"%s\" of the %s's \"%s\" was %s and is %s", name, end, table, declared(was),
			      declared(column->declared));
		return allow(jobs->drift, job, &text, err);
	}
	begin(&text, job);
	etl_text_addf(&text,
		      "the column \"%s\" of the %s's table \"%s\" was %s in the last run and is %s; write columns = ( { name = "
		      "\"%s\"; type = \"…\"; } ) with the type in which its values are to go, or allow_drift = [ \"type\" ]",
		      name, end, table, declared(was), declared(column->declared),
		      rule && rule->name ? rule->name : name);
	return refuse(jobs->drift, job, table, name, &text, err);
}

static int target_added(struct jobs *jobs, struct job *job, const struct etl_column *column, struct etl_error *err)
{
	const char *table = job->existing->name, *name = column->name;
	bool filled = is_filled(jobs->drift, job, column);
	struct etl_text text = { 0 };

	if (rule_into(jobs->drift, job, name))
		return acknowledge(job);
	if (job->rule->allow_drift & DRIFT_ADD && filled) {
		etl_text_addf(&text, "column \"%s\" of \"%s\" is new in the target", name, table);
		return allow(jobs->drift, job, &text, err);
	}
	begin(&text, job);
	etl_text_addf(&text,
		      "the target's table \"%s\" has a new column \"%s\" (%s) since the last run%s; write columns = ( { as = "
		      "\"%s\"; value = … } ) for what is to stand there%s",
		      table, name, declared(column->declared),
		      filled ? "" : ", which must not be NULL, has no default and does not come from the source", name,
		      filled ? ", columns = ( { name = \"…\"; as = \"…\"; } ) for a column of the source, or allow_drift = [ "
			       "\"add\" ]" :
			       ", or give it a default there");
	return refuse(jobs->drift, job, table, name, &text, err);
}

static int target_dropped(struct jobs *jobs, struct job *job, const char *name, const char *type, struct etl_error *err)
{
	const char *table = job->existing->name;
	struct etl_text text = { 0 };

	if (is_excluded_into(jobs->drift, job, name))
		return acknowledge(job);
	if (job->rule->allow_drift & DRIFT_DROP) {
		etl_text_addf(&text, "column \"%s\" of \"%s\" is not in the target any more", name, table);
		return allow(jobs->drift, job, &text, err);
	}
	begin(&text, job);
	etl_text_addf(&text,
		      "the target's table \"%s\" had a column \"%s\" (%s) in the last run and has it no more; write "
		      "exclude_columns = [ \"%s\" ] where the source brings it, else allow_drift = [ \"drop\" ]",
		      table, name, declared(type), name);
	return refuse(jobs->drift, job, table, name, &text, err);
}

/* ---- Comparing ------------------------------------------------------------------------------------- */

/* The declared type beside NAME; NULL: the list does not have it. */
static const char *type_in(const struct string_list *list, const char *name)
{
	for (size_t i = 0; i + 1 < list->count; i += 2)
		if (strcmp(list->at[i], name) == 0)
			return list->at[i + 1];
	return NULL;
}

static bool has_exactly(const struct etl_table *table, const char *name)
{
	int64_t at = table_find_column(table, name);

	return at >= 0 && strcmp(table_column(table, (size_t)at)->name, name) == 0;
}

/* A computed column is not read. */
static bool is_compared(const struct job *job, const struct etl_column *column)
{
	return !(column->flags & ETL_GENERATED) && !string_list_has(&job->rule->exclude_columns, column->name);
}

int drift_from(struct jobs *jobs, struct job *job, struct etl_error *err)
{
	const struct state_table *past = jobs->drift ? find_source(jobs->drift, job, err) : NULL;
	int rc = err->set ? ETL_FAILED : 0;

	for (size_t i = 0; past && i < job->source->column_count && rc == 0; i++) {
		const struct etl_column *column = table_column(job->source, i);
		const char *was = type_in(&past->from, column->name);

		if (!is_compared(job, column))
			continue;
		if (!was)
			rc = source_added(jobs, job, column, err);
		else if (strcmp(was, column->declared) != 0)
			rc = retyped(jobs, job, "source", rule_for(job, column->name), column, was, err);
	}
	for (size_t i = 0; past && i + 1 < past->from.count && rc == 0; i += 2)
		if (!has_exactly(job->source, past->from.at[i]) &&
		    !string_list_has(&job->rule->exclude_columns, past->from.at[i]))
			rc = source_dropped(jobs, job, past->from.at[i], past->from.at[i + 1], err);
	return rc;
}

int drift_into(struct jobs *jobs, struct job *job, struct etl_error *err)
{
	const struct state_table *past = jobs->drift && job->existing && !job->is_map ? find_target(jobs->drift, job->existing) : NULL;
	int rc = 0;

	for (size_t i = 0; past && i < job->existing->column_count && rc == 0; i++) {
		const struct etl_column *column = table_column(job->existing, i);
		const char *was = type_in(&past->into, column->name);

		if (!was)
			rc = target_added(jobs, job, column, err);
		else if (strcmp(was, column->declared) != 0)
			rc = retyped(jobs, job, "target", rule_into(jobs->drift, job, column->name), column, was, err);
	}
	for (size_t i = 0; past && i + 1 < past->into.count && rc == 0; i += 2)
		if (!has_exactly(job->existing, past->into.at[i]))
			rc = target_dropped(jobs, job, past->into.at[i], past->into.at[i + 1], err);
	return rc;
}

int drift_leave_out(struct jobs *jobs, struct job *job, const char *column, bool *ret, struct etl_error *err)
{
	struct etl_text object = { 0 }, text = { 0 };
	size_t i = 0;
	int rc;

	while (i < job->added_count && strcmp(job->added[i].name, column) != 0)
		i++;
	*ret = i < job->added_count;
	if (!*ret || job->added[i].left_out)
		return 0;
	job->added[i].left_out = true;
	etl_text_addf(&object, "%s.%s", job_source_name(job), column);
	etl_text_addf(&text, "column \"%s\" of \"%s\" is new in the source and not in the target: it is left out", column,
		      job_source_name(job));
	rc = object.failed ? error_memory(err) :
			     host_verdict_add(jobs, ETL_SKIPPED, "column", object.at, err,
					      "new in the source, and not in the target (allow_drift)");
	etl_text_free(&object);
	if (rc < 0)
		etl_text_free(&text);
	return rc < 0 ? rc : say(jobs->drift, &text, err);
}

const char *drift_words(const struct jobs *jobs)
{
	return jobs->drift && jobs->drift->allowed.at ? jobs->drift->allowed.at : "";
}

int drift_settle(const struct jobs_setup *setup, struct jobs *jobs, struct etl_error *err)
{
	const struct drift *d = jobs->drift;
	size_t count = d ? d->refused.count : 0;
	char more[80] = "";

	for (size_t i = 0; i < jobs->count; i++)
		for (size_t k = 0; k < jobs->at[i]->added_count; k++)
			jobs->at[i]->reshaped |= !jobs->at[i]->added[k].left_out;
	if (d)
		remark_put("drift", drift_words(jobs));
	if (count == 0 || setup->limits->intent != ETL_BEGINS)
		return 0;
	for (size_t i = 1; i < count; i++)
		log_line(ETL_LOG_ERROR, "drift: %s", d->refused.at[i]);
	if (count > 1)
		snprintf(more, sizeof(more), "; and %zu more, above", count - 1);
	error_at(err, d->table, d->column, NULL);
	return error_set(err, ETL_DATA, "drift: %s%s; nothing was moved", d->refused.at[0], more);
}

/* ---- Writing it down ------------------------------------------------------------------------------- */

static bool is_left_out(const struct job *job, const char *name)
{
	for (size_t i = 0; i < job->added_count; i++)
		if (job->added[i].left_out && strcmp(job->added[i].name, name) == 0)
			return true;
	return false;
}

static void add_columns(struct etl_text *to, const char *key, const struct job *job, const struct etl_table *table)
{
	const char *between = "";

	etl_text_addf(to, ",\"%s\":[", key);
	for (size_t i = 0; i < table->column_count; i++) {
		const struct etl_column *column = table_column(table, i);

		/* What is left out is new still. */
		if (table == job->source && (column->flags & ETL_GENERATED || is_left_out(job, column->name)))
			continue;
		etl_text_add(to, between);
		etl_text_add_json(to, column->name, strlen(column->name));
		etl_text_add(to, ",");
		etl_text_add_json(to, column->declared, strlen(column->declared));
		between = ",";
	}
	etl_text_add(to, "]");
}

/* Of a table that this run makes the next one learns how the target describes it. */
void drift_add_state(const struct run *run, const struct job *job, struct etl_text *to)
{
	struct etl_text of = { 0 };

	if (!run->jobs.drift || run->cli->replay)
		return;
	add_source(&of, run->pipeline, job);
	to->failed |= of.failed;
	if (!of.failed) {
		etl_text_add(to, ",\"shape\":{\"of\":");
		etl_text_add_json(to, of.at, of.length);
		if (job->existing && job->existing->schema) {
			etl_text_add(to, ",\"at\":");
			etl_text_add_json(to, job->existing->schema, strlen(job->existing->schema));
		}
		add_columns(to, "from", job, job->source);
		if (job->existing)
			add_columns(to, "into", job, job->existing);
		etl_text_add(to, "}");
	}
	etl_text_free(&of);
}
