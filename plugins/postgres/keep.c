/*
 * What the host keeps in the target between the runs of a pipeline (etl_target.keep): in "_etlrun".kept, one row for each
 * piece. Pieces of a load wait in the stage, in _etlrun_keep_N_KIND, and go over in the transaction that publishes it. A
 * run that may be taken back leaves in "_etlrun".kept_undo what was there before:
 *
 *	was, bytes, words	the run that had written the piece, and the piece; was NULL: there was none
 *	stays			whether the run left a piece there
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "fault.h"
#include "into.h"
#include "keep.h"
#include "stage.h"

#define KEPT	  STAGE_OWN ".kept"
#define KEPT_UNDO STAGE_OWN ".kept_undo"
#define UNDO_RUNS "3" /* as many as keep the rows they changed (undo.c) */

static const char make[] =
	"BEGIN; SELECT pg_advisory_xact_lock(hashtextextended('etlrun state', 0)); "
	"CREATE SCHEMA IF NOT EXISTS " STAGE_OWN "; "
	"CREATE TABLE IF NOT EXISTS " KEPT " (pipeline text NOT NULL, kind text NOT NULL, name text NOT NULL, number bigint NOT "
	"NULL, run text NOT NULL, bytes bytea, words text, PRIMARY KEY (pipeline, kind, name, number)); "
	"ALTER TABLE " KEPT " ALTER bytes SET STORAGE EXTERNAL; "
	"CREATE TABLE IF NOT EXISTS " KEPT_UNDO " (run text NOT NULL, pipeline text NOT NULL, kind text NOT NULL, name text NOT "
	"NULL, number bigint NOT NULL, was text, bytes bytea, words text, stays boolean NOT NULL, PRIMARY KEY (run, kind, "
	"name, number)); COMMIT";

/* The later of the two says that both are there. */
static int is_there(struct etl_instance *inst, bool *ret, struct etl_error *err)
{
	return postgres_flag(inst, err, ret, "SELECT to_regclass('_etlrun.kept_undo') IS NOT NULL", 0, NULL);
}

static void name_of(const struct etl_load *load, const char *kind, char *buf, size_t size)
{
	snprintf(buf, size, "_etlrun_keep_%llu_%.16s", (unsigned long long)load->index, kind);
}

/* ---- Staging ----------------------------------------------------------------------------------------------------------- */

static int make_stage(struct etl_instance *inst, const struct etl_token *token, const char *table,
		      const struct etl_keep *keep, struct etl_error *err)
{
	struct etl_text sql = { 0 };

	etl_text_add(&sql, "DROP TABLE IF EXISTS ");
	postgres_add_name(&sql, token->text, table);
	etl_text_add(&sql, "; CREATE TABLE ");
	postgres_add_name(&sql, token->text, table);
	etl_text_add(&sql, " (number bigint NOT NULL, bytes bytea, words text, name text NOT NULL DEFAULT ");
	etl_text_add_literal(&sql, keep->table);
	etl_text_add(&sql, ", pipeline text NOT NULL DEFAULT ");
	etl_text_add_literal(&sql, keep->pipeline);
	etl_text_add(&sql, "); ALTER TABLE ");
	postgres_add_name(&sql, token->text, table);
	etl_text_add(&sql, " ALTER bytes SET STORAGE EXTERNAL");
	return postgres_run_text(inst, err, &sql);
}

static int keep_staged(struct etl_instance *inst, const struct etl_load *load, const struct etl_token *token,
		       const struct etl_part *part, const struct etl_keep *keep, struct ArrowArrayStream *stream,
		       struct etl_error *err)
{
	struct etl_table pieces = { .kind = ETL_TABLE };
	struct etl_load as = *load;
	struct etl_stats ignored;
	char name[64];
	int rc = stage_take(inst, token, err);

	name_of(load, keep->kind, name, sizeof(name));
	if (rc == ETL_OK)
		rc = stage_make_own(inst, is_there, make, err);
	if (rc == ETL_OK)
		rc = make_stage(inst, token, name, keep, err);
	pieces.name = name;
	as.table = &pieces;
	as.existing = NULL;
	as.deletes = ETL_DELETE_NONE;
	return rc == ETL_OK ? postgres_load(inst, &as, token, part, stream, &ignored, err) : rc;
}

/* ---- Into the table ---------------------------------------------------------------------------------------------------- */

/* FROM has the pieces; RUN NULL: whoever wrote a piece has written it still. */
struct taking {
	struct etl_instance *inst;
	struct etl_error *err;
	const char *from, *run, *kind;
	bool undo;
};

/* With the kind, and, of two, the run. */
static int take(const struct taking *t, int count, const char *format)
{
	struct etl_text sql = { 0 };
	char *text;
	int rc;

	for (const char *at = format; *at; at++)
		if (*at == '@')
			etl_text_add(&sql, t->from);
		else
			etl_text_add_bytes(&sql, at, 1);
	text = etl_text_take(&sql);
	rc = text ? postgres_change(t->inst, t->err, NULL, text, count, (const char *const[]){ t->kind, t->run }) :
		    postgres_no_memory(t->inst, t->err);
	free(text);
	return rc;
}

#define SAME_PIECE(a, b) \
	a ".pipeline = " b ".pipeline AND " a ".kind = $1 AND " a ".name = " b ".name AND " a ".number = " b ".number"

static int take_all(const struct taking *t)
{
	int rc = ETL_OK;

	if (t->undo)
		rc = take(t, 2, "INSERT INTO " KEPT_UNDO " SELECT $2, s.pipeline, $1, s.name, s.number, k.run, k.bytes, k.words, "
			     "s.bytes IS NOT NULL OR s.words IS NOT NULL FROM @ AS s LEFT JOIN " KEPT " AS k ON "
			     SAME_PIECE("k", "s"));
	if (rc == ETL_OK)
		rc = take(t, 1, "DELETE FROM " KEPT " AS k USING @ AS s WHERE " SAME_PIECE("k", "s")
			     " AND s.bytes IS NULL AND s.words IS NULL");
	return rc < 0 ? rc :
			take(t, 2, "INSERT INTO " KEPT " AS k (pipeline, kind, name, number, run, bytes, words) SELECT s.pipeline, "
				"$1, s.name, s.number, coalesce($2, ''), s.bytes, s.words FROM @ AS s WHERE s.bytes IS NOT NULL "
				"OR s.words IS NOT NULL ON CONFLICT (pipeline, kind, name, number) DO UPDATE SET run = "
				"coalesce($2, k.run), bytes = excluded.bytes, words = coalesce(excluded.words, k.words)");
}

/* Where the host kept something of this load, of one kind. */
static int publish_kind(struct publishing *p, const struct publish_part *part, const char *staged)
{
	struct etl_text from = { 0 }, drop = { 0 };
	struct taking t = { .inst = p->inst,
			    .err = p->err,
			    .run = p->commit->run->id,
			    .kind = strrchr(staged, '_') + 1,
			    .undo = p->commit->run->flags & ETL_RUN_UNDO };
	int rc;

	postgres_add_name(&from, part->token->text, staged);
	t.from = from.at;
	rc = from.failed ? postgres_no_memory(p->inst, p->err) : take_all(&t);
	etl_text_addf(&drop, "DROP TABLE %s", from.at ? from.at : "");
	if (rc == ETL_OK)
		rc = postgres_run_text(p->inst, p->err, &drop);
	etl_text_free(&from);
	etl_text_free(&drop);
	return rc;
}

static int publish_part(struct publishing *p, const struct publish_part *part)
{
	PGresult *found = NULL;
	char like[64];
	int rc;

	snprintf(like, sizeof(like), "_etlrun_keep_%llu_", (unsigned long long)part->load->index);
	rc = postgres_query(p->inst, p->err, &found,
			    "SELECT c.relname FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = "
			    "c.relnamespace WHERE n.nspname = $1 AND c.relkind = 'r' AND starts_with(c.relname, $2)",
			    2, (const char *const[]){ part->token->text, like });
	for (int i = 0; rc == ETL_OK && i < PQntuples(found); i++)
		rc = publish_kind(p, part, PQgetvalue(found, i, 0));
	PQclear(found);
	return rc;
}

/* As the rows of merges (undo.c). */
static int prune(struct publishing *p)
{
	return postgres_change(p->inst, p->err, NULL,
			       "DELETE FROM " KEPT_UNDO " WHERE run IN (SELECT run FROM " STAGE_OWN ".runs AS r WHERE pipeline = "
			       "$1 AND taken_back IS NULL AND EXISTS (SELECT FROM " STAGE_OWN ".loads AS k WHERE k.run = r.run "
			       "AND k.keys IS NOT NULL) ORDER BY published DESC, run DESC OFFSET " UNDO_RUNS ")",
			       1, (const char *const[]){ p->commit->run->pipeline });
}

int postgres_keep_publish(struct publishing *p)
{
	bool there = false;
	int rc = is_there(p->inst, &there, p->err);

	for (size_t i = 0; rc == ETL_OK && there && i < p->count; i++)
		if (p->parts[i].load->table->kind == ETL_TABLE)
			rc = publish_part(p, &p->parts[i]);
	ETL_FAULT("postgres.kept");
	return rc == ETL_OK && there && p->commit->run->flags & ETL_RUN_UNDO ? prune(p) : rc;
}

/* ---- Taking it back ---------------------------------------------------------------------------------------------------- */

static int fail_changed(struct etl_instance *inst, const char *run, const char *name, struct etl_error *err)
{
	inst->host->at(err, name, NULL, NULL);
	return inst->host->fail(err, ETL_FATAL, NULL, 0,
				"what run %s kept of the rows of \"%s\" as they were synced was changed by a later run; "
				"nothing was taken back; take later runs back first, the latest first",
				run, name);
}

int postgres_keep_revert(struct etl_instance *inst, const char *run, struct etl_error *err)
{
	bool there = false;
	char *changed = NULL;
	int rc = is_there(inst, &there, err);

	if (rc < 0 || !there)
		return rc;
	rc = postgres_text(inst, err, &changed,
			   "SELECT u.name FROM " KEPT_UNDO " AS u LEFT JOIN " KEPT " AS k USING (pipeline, kind, name, number) WHERE "
			   "u.run = $1 AND CASE WHEN u.stays THEN k.run IS DISTINCT FROM u.run ELSE k.run IS NOT NULL END LIMIT 1",
			   1, (const char *const[]){ run });
	if (rc == ETL_OK && changed)
		rc = fail_changed(inst, run, changed, err);
	free(changed);
	if (rc == ETL_OK)
		rc = postgres_change(inst, err, NULL,
				     "DELETE FROM " KEPT " AS k USING " KEPT_UNDO " AS u WHERE u.run = $1 AND u.pipeline = "
				     "k.pipeline AND u.kind = k.kind AND u.name = k.name AND u.number = k.number",
				     1, (const char *const[]){ run });
	if (rc == ETL_OK)
		rc = postgres_change(inst, err, NULL,
				     "INSERT INTO " KEPT " (pipeline, kind, name, number, run, bytes, words) SELECT pipeline, "
				     "kind, name, number, was, bytes, words FROM " KEPT_UNDO " WHERE run = $1 AND was IS NOT NULL",
				     1, (const char *const[]){ run });
	return rc < 0 ? rc :
			postgres_change(inst, err, NULL, "DELETE FROM " KEPT_UNDO " WHERE run = $1", 1,
					(const char *const[]){ run });
}

/* ---- At once ----------------------------------------------------------------------------------------------------------- */

static int fail_stream(struct etl_instance *inst, struct ArrowArrayStream *stream, struct etl_error *err)
{
	const char *words = stream->get_last_error(stream);

	return inst->host->fail(err, ETL_FATAL, NULL, 0, "%s", words && *words ? words : "the rows could not be read");
}

static int put_row(struct etl_instance *inst, const struct etl_view *view, int64_t row, struct etl_error *err)
{
	struct etl_text sql = { 0 };
	int64_t size = 0;

	etl_text_addf(&sql, "INSERT INTO pg_temp._etlrun_keep (number, bytes, words) VALUES (%lld, ",
		      (long long)etl_get_int64(&view->columns[0], row));
	if (etl_is_null(&view->columns[1], row)) {
		etl_text_add(&sql, "NULL, ");
	} else {
		const uint8_t *bytes = etl_get_bytes(&view->columns[1], row, &size);

		etl_text_add(&sql, "'\\x");
		for (int64_t i = 0; i < size; i++)
			etl_text_addf(&sql, "%02x", bytes[i]);
		etl_text_add(&sql, "', ");
	}
	if (etl_is_null(&view->columns[2], row)) {
		etl_text_add(&sql, "NULL)");
	} else {
		const char *words = (const char *)etl_get_bytes(&view->columns[2], row, &size);
		char *text = strndup(words, (size_t)size);

		sql.failed |= !text;
		etl_text_add_literal(&sql, text ? text : "");
		etl_text_add(&sql, ")");
		free(text);
	}
	return postgres_run_text(inst, err, &sql);
}

static int put_all(struct etl_instance *inst, struct ArrowArrayStream *stream, struct etl_error *err)
{
	struct ArrowSchema schema = { .release = NULL };
	struct etl_view *view = stream->get_schema(stream, &schema) == 0 ? etl_view_new(&schema) : NULL;
	int rc = view ? ETL_OK : postgres_no_memory(inst, err);

	while (rc == ETL_OK) {
		struct ArrowArray batch = { 0 };

		if (stream->get_next(stream, &batch))
			rc = fail_stream(inst, stream, err);
		if (rc < 0 || !batch.release)
			break;
		if (!etl_view_set(view, &batch))
			rc = postgres_no_memory(inst, err);
		for (int64_t i = 0; rc == ETL_OK && i < batch.length; i++)
			rc = put_row(inst, view, i, err);
		batch.release(&batch);
	}
	etl_view_free(view);
	if (schema.release)
		schema.release(&schema);
	return rc;
}

static int keep_now(struct etl_instance *inst, const struct etl_keep *keep, struct ArrowArrayStream *stream,
		    struct etl_error *err)
{
	const struct taking t = { .inst = inst, .err = err, .from = "pg_temp._etlrun_keep", .kind = keep->kind };
	struct etl_text sql = { 0 };
	int rc = stage_make_own(inst, is_there, make, err);

	etl_text_add(&sql, "BEGIN; CREATE TEMPORARY TABLE _etlrun_keep (number bigint NOT NULL, bytes bytea, words text, name "
			   "text NOT NULL DEFAULT ");
	etl_text_add_literal(&sql, keep->table);
	etl_text_add(&sql, ", pipeline text NOT NULL DEFAULT ");
	etl_text_add_literal(&sql, keep->pipeline);
	etl_text_add(&sql, ") ON COMMIT DROP");
	if (rc == ETL_OK)
		rc = postgres_run_text(inst, err, &sql);
	etl_text_free(&sql);
	if (rc == ETL_OK)
		rc = put_all(inst, stream, err);
	if (rc == ETL_OK)
		rc = take_all(&t);
	if (rc == ETL_OK)
		rc = postgres_run(inst, err, "COMMIT");
	if (rc < 0)
		stage_rollback(inst);
	return rc;
}

int postgres_keep(struct etl_instance *inst, const struct etl_load *load, const struct etl_token *token,
		  const struct etl_part *part, const struct etl_keep *keep, struct ArrowArrayStream *stream,
		  struct etl_error *err)
{
	return load ? keep_staged(inst, load, token, part, keep, stream, err) : keep_now(inst, keep, stream, err);
}

/* ---- Reading ------------------------------------------------------------------------------------------------------------ */

int postgres_kept(struct etl_instance *inst, const struct etl_keep *keep, struct etl_dataset_sink *sink,
		  struct etl_error *err)
{
	struct etl_text query = { 0 };
	bool there = false;
	int rc = is_there(inst, &there, err);

	if (rc < 0 || !there)
		return rc;
	etl_text_add(&query, "SELECT name, number, bytes, words FROM " KEPT " WHERE pipeline = ");
	etl_text_add_literal(&query, keep->pipeline);
	etl_text_add(&query, " AND kind = ");
	etl_text_add_literal(&query, keep->kind);
	if (keep->table) {
		etl_text_add(&query, " AND name = ");
		etl_text_add_literal(&query, keep->table);
	}
	etl_text_add(&query, " ORDER BY name COLLATE \"C\", number");
	rc = query.failed ? postgres_no_memory(inst, err) :
			    sink->emit(sink, &(struct etl_dataset){ .query = query.at });
	etl_text_free(&query);
	return rc;
}
