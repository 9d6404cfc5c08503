/*
 * Which keys of a run's tables are looked at, and what is said of them. A collation that ignores case, or blanks at the end, makes
 * one of two values that the source tells apart: the second row of them is a reject, or ends the run, when it comes. Here it
 * is said before. The rows are led through the transforms, for the target sees what these make of them.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "log.h"
#include "maps.h"
#include "pace.h"
#include "plan-keys-parts.h"
#include "shape.h"

/* ---- Which keys ------------------------------------------------------------------------------------------------------------ */

/* Columns of a key by their names in the target. */
struct naming {
	const char *kind, *name;
	const char *const *columns;
	size_t count;
	bool nulls_equal;
	bool partial; /* rows of a condition only */
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static const char *behind_word(const char *p, const char *word)
{
	size_t size = strlen(word);

	while (is_blank(*p))
		p++;
	return strncasecmp(p, word, size) == 0 ? p + size : NULL;
}

/* "a IS NOT NULL AND …": rows that it leaves out have a NULL in the key, and clash with none. */
static bool leaves_out_nulls(const char *where)
{
	const char *p = where, *is;

	while ((is = strcasestr(p, " IS NOT NULL")) != NULL) {
		for (; p < is; p++)
			if (strchr("=<>'", *p))
				return false;
		p = is + strlen(" IS NOT NULL");
		while (*p == ')' || is_blank(*p))
			p++;
		if (!*p)
			return true;
		p = behind_word(p, "AND");
		if (!p)
			return false;
	}
	return false;
}

/* Column I of the key W. *RET: it comes. */
static int ask_column(struct looking *l, struct watched *w, size_t i, bool *ret, struct etl_error *err)
{
	const struct job *job = l->job;
	struct instance *target = l->run->target;
	int64_t at = w->names[i] ? etl_schema_find(&job->rows, w->names[i]) : -1;
	int64_t column = at >= 0 ? table_find_column(job->target, w->names[i]) : -1;
	char words[sizeof(w->words)] = "";
	int rc;

	*ret = column >= 0;
	if (column < 0)
		return 0;
	w->rows[i] = at;
	if (!compares_bytes(etl_type_of(job->rows.children[at]).type))
		return 0;
	rc = target->plugin->target.compares(target->self, &job->load, table_column(job->target, (size_t)column), &w->compares[i], words,
					     sizeof(words), instance_error(target, err));
	if (rc == 0 && w->compares[i] && !*w->words)
		memcpy(w->words, words, sizeof(words));
	return rc;
}

/* Looks one up in the rows, and asks the target how it compares its columns. *RET: it may make one of several. */
static int ask_target(struct looking *l, const struct naming *n, bool *ret, struct etl_error *err)
{
	struct watched *w = &l->at[l->count];
	bool comes = n->count > 0 && n->count <= KEY_COLUMNS;
	int rc = 0;

	*w = (struct watched){ .kind = n->kind, .name = n->name, .names = n->columns, .count = n->count, .nulls_equal = n->nulls_equal,
			       .partial = n->partial };
	*ret = false;
	for (size_t i = 0; comes && i < n->count && rc == 0; i++) {
		rc = ask_column(l, w, i, &comes, err);
		*ret |= comes && w->compares[i] != 0;
	}
	*ret &= comes;
	return rc;
}

static bool same_columns(const struct watched *w, const struct naming *n)
{
	for (size_t i = 0; i < n->count; i++) {
		size_t k = 0;

		while (k < w->count && strcmp(w->names[k], n->columns[i]) != 0)
			k++;
		if (k == w->count)
			return false;
	}
	return n->count == w->count && !w->partial;
}

static int watch(struct looking *l, const struct naming *n, struct etl_error *err)
{
	struct watched *at;
	bool folds;
	int rc;

	for (size_t i = 0; i < l->count; i++)
		if (same_columns(&l->at[i], n))
			return 0;
	at = realloc(l->at, (l->count + 1) * sizeof(*at));
	if (!at)
		return error_memory(err);
	l->at = at;
	rc = ask_target(l, n, &folds, err);
	l->count += rc == 0 && folds;
	return rc;
}

static int watch_key(struct looking *l, const char *kind, const struct etl_key *key, struct etl_error *err)
{
	const struct naming n = { .kind = kind,
				  .name = key->name,
				  .columns = key->columns,
				  .count = key->column_count,
				  .nulls_equal = (key->flags & ETL_KEY_NULLS_EQUAL) != 0 };

	return watch(l, &n, err);
}

/* What the plan leaves out has no say. */
static bool is_made(const struct looking *l, const char *index)
{
	const struct plan *plan = &l->run->plan;
	const char *table = l->job->target->name;
	size_t size = strlen(table);

	for (size_t i = 0; i < plan->count; i++) {
		const struct etl_step *step = &plan->at[i];

		if (step->load == l->job->index && step->verdict == ETL_SKIPPED && step->object &&
		    strncmp(step->object, table, size) == 0 && step->object[size] == '.' &&
		    strcmp(step->object + size + 1, index) == 0)
			return false;
	}
	return true;
}

static int watch_index(struct looking *l, const struct etl_index *index, struct etl_error *err)
{
	const char **columns;
	struct naming n = { .kind = "index", .name = index->name, .count = index->part_count };

	if (!(index->flags & ETL_INDEX_UNIQUE) || (index->name && !is_made(l, index->name)))
		return 0;
	columns = etl_arena_alloc(&l->run->jobs.arena, (index->part_count + 1) * sizeof(*columns));
	if (!columns)
		return error_memory(err);
	for (size_t i = 0; i < index->part_count; i++) {
		columns[i] = ETL_AT(const struct etl_index_part, index->parts, index->part_size, i)->column;
		if (!columns[i])
			return 0; /* an expression: its values do not come with the rows */
	}
	n.columns = columns;
	n.partial = index->where_sql && !leaves_out_nulls(index->where_sql);
	return watch(l, &n, err);
}

static int watch_all(struct looking *l, struct etl_error *err)
{
	const struct etl_table *t = l->job->target;
	const struct naming merged = { .kind = "key", .columns = l->job->load.key, .count = l->job->load.key_count };
	int rc = watch_key(l, "primary key", &t->primary, err);

	for (size_t i = 0; i < t->unique_count && rc == 0; i++)
		rc = watch_key(l, "unique", ETL_AT(const struct etl_key, t->uniques, t->unique_size, i), err);
	for (size_t i = 0; i < t->index_count && rc == 0; i++)
		rc = watch_index(l, ETL_AT(const struct etl_index, t->indexes, t->index_size, i), err);
	return rc == 0 && merged.columns ? watch(l, &merged, err) : rc;
}

/* ---- What is said ------------------------------------------------------------------------------------------------------------ */

static void add_names(struct etl_text *text, const struct watched *w)
{
	for (size_t i = 0; i < w->count; i++)
		etl_text_addf(text, "%s%s", i ? ", " : "", w->names[i]);
}

static void add_fate(const struct looking *l, const struct alike_found *f, bool sure, struct etl_text *note)
{
	bool rejects = l->run->pipeline->reject_rows, one = l->read == 1;
	const char *most = f->at_most ? "up to " : "";

	if (f->keys > 1)
		etl_text_addf(note, ", and so %s %s%" PRIu64 " more key%s", !sure ? "may be" : f->keys == 2 ? "is" : "are", most, f->keys - 1,
			      f->keys == 2 ? "" : "s");
	etl_text_addf(note, ": %s%" PRIu64 " of %" PRIu64 " row%s ", most, f->rows, l->read, one ? "" : "s");
	if (rejects)
		etl_text_add(note, sure ? "would be rejected" : "may be rejected");
	else
		etl_text_add(note, sure ? "would have a key that is there already, which ends the run" :
					  "may have a key that is there already, which would end the run");
	etl_text_add(note, "; give them values that differ there too, in the source or with a transform");
	if (!rejects)
		etl_text_add(note, ", or write on_error = \"reject\" to have such rows in the rejects file instead");
}

static int say(struct looking *l, const struct watched *w, const struct alike_found *f, bool asked, struct etl_error *err)
{
	struct etl_text object = { 0 }, note = { 0 };
	bool sure = asked && !w->partial;
	int rc;

	etl_text_addf(&object, "%s.", job_name(l->job));
	if (w->name)
		etl_text_add(&object, w->name);
	else
		add_names(&object, w);
	etl_text_addf(&note, "%s and %s of \"", f->first.at, f->second.at);
	add_names(&note, w);
	etl_text_addf(&note, "\" %s one to the target, which compares by %s", sure ? "are" : "may be", w->words);
	add_fate(l, f, sure, &note);
	rc = object.failed || note.failed ? error_memory(err) :
					    host_verdict_add(&l->run->jobs, ETL_APPROXIMATED, w->kind, object.at, err, "%s", note.at);
	etl_text_free(&object);
	etl_text_free(&note);
	return rc;
}

static int judge(struct looking *l, struct watched *w, struct etl_error *err)
{
	struct instance *target = l->run->target;
	struct ArrowSchema schema = { .release = NULL };
	struct ArrowArray rows = { .release = NULL };
	struct alike_found found = { .rows = 0 };
	int64_t *same = NULL;
	int32_t asked = 0;
	int rc = alike_candidates(w->alike, &schema, &rows, err);

	if (rc == 0)
		same = calloc((size_t)rows.length + 1, sizeof(*same));
	if (rc == 0 && !same)
		rc = error_memory(err);
	if (rc == 0 && rows.length > 0)
		rc = target->plugin->target.same(target->self, &l->job->load, &schema, &rows, same, &asked,
						 instance_error(target, err));
	if (rc == 0)
		rc = alike_settle(w->alike, &schema, &rows, asked ? same : NULL, &found, err);
	found.at_most |= w->partial;
	if (rc == 0 && found.rows)
		rc = say(l, w, &found, asked, err);
	etl_text_free(&found.first);
	etl_text_free(&found.second);
	free(same);
	if (rows.release)
		rows.release(&rows);
	if (schema.release)
		schema.release(&schema);
	return rc;
}

/* ---- The whole ---------------------------------------------------------------------------------------------------------------- */

static int look(struct looking *l, struct etl_error *err)
{
	bool any = false;
	int rc = watch_all(l, err);

	if (rc < 0 || !l->count)
		return rc;
	rc = looking_read(l, &any, err);
	for (size_t i = 0; i < l->count && rc == 0 && any; i++)
		rc = l->at[i].candidates ? judge(l, &l->at[i], err) : 0;
	return rc;
}

/* Rows that are not the same a second time, and those that ask a map of keys, are not made only to be looked at. */
static bool may_look(const struct job *job)
{
	return job->repeats && !job->map_count && !maps_is_map(job) && !job->replay && !job->failed;
}

/* A table that would fail alone in the run keeps nobody from seeing the plan. */
static int look_failed(const struct looking *l, int rc, struct etl_error *err)
{
	error_name_table(err, job_source_name(l->job));
	if (!job_fails_alone(l->run->pipeline, err))
		return rc;
	log_error(err);
	error_clear(err);
	return 0;
}

int plan_keys(struct run *run, struct etl_error *err)
{
	struct pace *pace = NULL;
	int rc;

	if (!run->target->plugin->can_same || run->info.flags & ETL_RUN_SCHEMA_ONLY)
		return 0;
	rc = pace_new(run->pipeline, &run->limits, &pace, err);
	for (size_t i = 0; i < run->jobs.count && rc == 0; i++) {
		struct looking l = { .run = run, .job = run->jobs.at[i], .pace = pace };

		if (may_look(l.job))
			rc = look(&l, err);
		if (rc < 0)
			rc = look_failed(&l, rc, err);
		looking_clear(&l);
	}
	pace_free(pace);
	return rc;
}
