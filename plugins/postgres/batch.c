/* See batch.h. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "batch.h"
#include "into.h"
#include "stage.h"
#include "state.h"

/* ---- Which rows -------------------------------------------------------------------------------------- */

struct slicer {
	struct etl_slicer base;
	struct etl_instance *inst;
	const struct etl_commit *commit;
	struct etl_error *err;
};

static struct slicer *mine(struct etl_slicer *base)
{
	return (struct slicer *)(void *)base;
}

static bool has(struct etl_slicer *base, size_t load, int kind)
{
	const struct etl_load *l = mine(base)->commit->loads[load];

	if (l->table->kind != ETL_TABLE || !l->existing || !into_merges(l))
		return false;
	return kind == ETL_SLICE_ROWS || into_names_gone(l);
}

static void add_table(struct etl_text *sql, const struct etl_commit *commit, size_t load, int kind)
{
	const struct etl_load *l = commit->loads[load];
	char goes[64];

	snprintf(goes, sizeof(goes), INTO_GOES, (unsigned long long)l->index);
	postgres_add_name(sql, commit->tokens[load]->text, kind == ETL_SLICE_GONE ? goes : l->table->name);
}

/* Of a position is known where its row stands. */
static void add_from(struct etl_text *sql, const char *from)
{
	if (*from)
		etl_text_addf(sql, " WHERE ctid >= '%s'", from);
}

static int count(struct etl_slicer *base, size_t load, int kind, const char *from, int64_t most, int64_t *ret,
		 char upto[SLICE_AT])
{
	struct slicer *s = mine(base);
	struct etl_text sql = { 0 };
	PGresult *found = NULL;
	int rc;

	etl_text_add(&sql, "SELECT (SELECT count(*) FROM (SELECT FROM ");
	add_table(&sql, s->commit, load, kind);
	add_from(&sql, from);
	etl_text_addf(&sql, " LIMIT %lld) AS n), (SELECT ctid FROM ", (long long)most);
	add_table(&sql, s->commit, load, kind);
	add_from(&sql, from);
	etl_text_addf(&sql, " OFFSET %lld LIMIT 1)", (long long)most);
	rc = sql.failed ? postgres_no_memory(s->inst, s->err) : postgres_query(s->inst, s->err, &found, sql.at, 0, NULL);
	etl_text_free(&sql);
	if (rc == ETL_OK) {
		const char *next = postgres_at(found, 0, 1);

		*ret = postgres_int_at(found, 0, 0);
		snprintf(upto, SLICE_AT, "%s", next ? next : "");
	}
	PQclear(found);
	return rc;
}

void batch_add_where(struct etl_text *sql, const struct etl_slice *slice)
{
	if (!slice->any) {
		etl_text_add(sql, " WHERE false");
		return;
	}
	add_from(sql, slice->from);
	if (*slice->upto)
		etl_text_addf(sql, "%s ctid < '%s'", *slice->from ? " AND" : " WHERE", slice->upto);
}

int batch_slice(struct etl_instance *inst, const struct etl_commit *commit, struct etl_slices *ret, struct etl_error *err)
{
	struct slicer s = { { has, count }, inst, commit, err };
	/* As they stand, in the order in which they stand. */
	int rc = postgres_run(inst, err, "SET synchronize_seqscans = off");

	if (rc == ETL_OK)
		rc = etl_slices_make(commit, &s.base, ret);
	return rc > 0 ? inst->host->fail(err, ETL_BUG, NULL, 0, "\"%s\" is no place between two batches",
					 commit->batch->from->text) :
			rc;
}

/* ---- What is written down ------------------------------------------------------------------------------ */

int batch_find(struct etl_instance *inst, const struct etl_commit *commit, bool *ret_found, struct etl_error *err)
{
	PGresult *rows = NULL;
	char number[24];
	int rc;

	snprintf(number, sizeof(number), "%lld", (long long)commit->batch->number);
	rc = postgres_query(inst, err, &rows,
			    "SELECT load, inserted, updated, unchanged, deleted, next FROM " STAGE_OWN
			    ".batches WHERE run = $1 AND batch = $2::bigint",
			    2, (const char *const[]){ commit->run->id, number });
	*ret_found = rc == ETL_OK && PQntuples(rows) > 0;
	for (size_t i = 0; *ret_found && i < commit->load_count; i++)
		commit->outcomes[i] = (struct etl_outcome){ 0 };
	for (int i = 0; *ret_found && i < PQntuples(rows); i++) {
		state_put_outcome(commit, rows, i);
		snprintf(commit->batch->next->text, sizeof(commit->batch->next->text), "%s", PQgetvalue(rows, i, 5));
	}
	PQclear(rows);
	return rc;
}

static int record(struct publishing *p, size_t at)
{
	const struct publish_part *part = &p->parts[at];
	const struct etl_outcome *o = &p->commit->outcomes[at];
	const uint64_t values[6] = { (uint64_t)p->commit->batch->number, part->load->index, o->inserted, o->updated, o->unchanged,
				     o->deleted };
	char numbers[6][24], buf[POSTGRES_NAME_MAX + 1];

	for (size_t i = 0; i < 6; i++)
		snprintf(numbers[i], sizeof(numbers[i]), "%llu", (unsigned long long)values[i]);
	return postgres_change(p->inst, p->err, NULL,
			       "INSERT INTO " STAGE_OWN
			       ".batches (run, pipeline, batch, load, schema, name, inserted, updated, unchanged, deleted, next) VALUES ($1, "
			       "$2, $3::bigint, $4::bigint, $5, $6, $7::bigint, $8::bigint, $9::bigint, $10::bigint, $11)",
			       11,
			       (const char *const[]){ p->commit->run->id, p->commit->run->pipeline, numbers[0], numbers[1], part->schema,
						      postgres_short_name(part->load->table->name, buf), numbers[2], numbers[3], numbers[4],
						      numbers[5], p->commit->batch->next->text });
}

/* As runs are (state.c), those that never came to their end too. */
static int forget_old(struct publishing *p)
{
	const struct etl_run *run = p->commit->run;
	char most[24], since[24];

	snprintf(most, sizeof(most), "%lld", (long long)(run->keep_runs > 0 ? run->keep_runs : 1));
	snprintf(since, sizeof(since), "%lld", (long long)(run->keep_since ? run->keep_since : INT64_MAX));
	return postgres_change(p->inst, p->err, NULL,
			       "DELETE FROM " STAGE_OWN ".batches WHERE run IN (SELECT run FROM " STAGE_OWN
			       ".batches WHERE pipeline = $1 GROUP BY run ORDER BY max(published) DESC, run DESC OFFSET $2::bigint) AND "
			       "extract(epoch FROM published) * 1000000 < $3::numeric",
			       3, (const char *const[]){ run->pipeline, most, since });
}

/* What the run did is what its batches did. */
static int sum_up(struct publishing *p)
{
	int rc = postgres_change(p->inst, p->err, NULL,
				 "UPDATE " STAGE_OWN ".loads AS l SET inserted = s.inserted, updated = s.updated, unchanged = "
				 "s.unchanged, deleted = s.deleted FROM (SELECT load, sum(inserted)::bigint AS inserted, sum(updated)::bigint AS "
				 "updated, sum(unchanged)::bigint AS unchanged, sum(deleted)::bigint AS deleted FROM " STAGE_OWN
				 ".batches WHERE run = $1 GROUP BY load) AS s WHERE l.run = $1 AND l.load = s.load",
				 1, (const char *const[]){ p->commit->run->id });

	return rc < 0 ? rc : forget_old(p);
}

int batch_record(struct publishing *p)
{
	bool last = !p->commit->batch->next->text[0];
	int rc = ETL_OK;

	for (size_t i = 0; rc == ETL_OK && i < p->count; i++)
		if (p->parts[i].load->table->kind == ETL_TABLE && (etl_slices_any(&p->slices[i]) || last))
			rc = record(p, i);
	return rc == ETL_OK && last ? sum_up(p) : rc;
}

/* ---- Only the loads that have rows in it --------------------------------------------------------------- */

int batch_narrow(struct batch_commit *b, const struct etl_commit *whole)
{
	/* The pipeline's own SQL is kept with the first load, and what is new in the target comes with the last batch. */
	bool all = !whole->batch->next->text[0], first = !whole->batch->from->text[0];
	size_t room = whole->load_count + 1, count = 0;

	b->commit = *whole;
	b->loads = calloc(room, sizeof(*b->loads));
	b->tokens = calloc(room, sizeof(*b->tokens));
	b->outcomes = calloc(room, sizeof(*b->outcomes));
	b->withheld = calloc(room, sizeof(*b->withheld));
	b->at = calloc(room, sizeof(*b->at));
	if (!b->loads || !b->tokens || !b->outcomes || !b->withheld || !b->at)
		return ETL_FAILED;
	for (size_t i = 0; i < whole->load_count; i++) {
		if (!all && !(first && i == 0) && !etl_slices_any(&b->slices[i]))
			continue;
		b->loads[count] = whole->loads[i];
		b->tokens[count] = whole->tokens[i];
		b->withheld[count] = whole->withheld ? whole->withheld[i] : 0;
		b->slices[count] = b->slices[i];
		b->outcomes[count] = whole->outcomes[i];
		b->at[count++] = i;
	}
	b->commit.loads = b->loads;
	b->commit.tokens = b->tokens;
	b->commit.outcomes = b->outcomes;
	b->commit.withheld = b->withheld;
	b->commit.load_count = count;
	return ETL_OK;
}

void batch_widen(const struct batch_commit *b, const struct etl_commit *whole)
{
	for (size_t i = 0; i < whole->load_count; i++)
		whole->outcomes[i] = (struct etl_outcome){ 0 };
	for (size_t i = 0; i < b->commit.load_count; i++)
		whole->outcomes[b->at[i]] = b->outcomes[i];
}

void batch_free(struct batch_commit *b)
{
	free(b->loads);
	free(b->tokens);
	free(b->outcomes);
	free(b->withheld);
	free(b->slices);
	free(b->at);
}
