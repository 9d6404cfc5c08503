/*
 * What a run keeps so that it can be taken back (revert.c), written in its own transaction. Rows that it wrote are known
 * by that transaction: whoever changes one afterwards is another. So of an append, and of tables that were made, nothing
 * but its number is kept; a merge, which asks for undo = true, keeps the rows that it changes and deletes as they were,
 * and the keys of new ones, in "_etlrun"."undo_RUN_N":
 *
 *	_etlrun_op	"u": changed, "d": deleted, as they were; "i": new, the key alone
 *	_etlrun_was	the transaction that had written the row: maybe of a run that may be taken back next
 *
 * "_etlrun".loads has a row for each load of a run that was published.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "into.h"
#include "stage.h"

#define UNDO_RUNS "3" /* of a pipeline, that keep the rows they changed */

void undo_add_name(struct etl_text *sql, const char *run, uint64_t number)
{
	char name[128];

	snprintf(name, sizeof(name), "undo_%s_%llu", run, (unsigned long long)number);
	postgres_add_name(sql, "_etlrun", name);
}

/* ---- The rows, as they were ----------------------------------------------------------------------------------------- */

static void add_undo(struct design *d, struct etl_text *sql)
{
	undo_add_name(sql, d->load->run->id, d->load->index);
}

static void add_where_it_stands(struct design *d, struct etl_text *sql, const char *list)
{
	etl_text_add(sql, " FROM ");
	etl_text_addf(sql, "pg_temp.\"_etlrun_%s_%llu\" AS r JOIN ", list,
		      (unsigned long long)d->load->index);
	into_add_live(sql, d->inst, d->load);
	etl_text_add(sql, " AS t ON t.ctid = r.was AND t.tableoid = r.was_in");
}

static int keep_changed(struct design *d)
{
	const struct etl_load *load = d->load;
	unsigned long long number = (unsigned long long)load->index;
	struct etl_text sql = { 0 };

	etl_text_add(&sql, "CREATE TABLE ");
	add_undo(d, &sql);
	etl_text_add(&sql, " AS SELECT 'u'::\"char\" AS _etlrun_op, t.xmin AS _etlrun_was, ");
	into_add_stored(&sql, load->existing, "t.");
	add_where_it_stands(d, &sql, "rows");
	if (load->deletes != ETL_DELETE_NONE) {
		etl_text_add(&sql, ";\nINSERT INTO ");
		add_undo(d, &sql);
		etl_text_addf(&sql, " SELECT '%s', t.xmin, ", load->deletes == ETL_DELETE_HARD ? "d" : "u");
		into_add_stored(&sql, load->existing, "t.");
		add_where_it_stands(d, &sql, "gone");
	}
	etl_text_add(&sql, ";\nINSERT INTO ");
	add_undo(d, &sql);
	etl_text_add(&sql, " (_etlrun_op, ");
	postgres_into_add_key(&sql, load, "");
	etl_text_add(&sql, ") SELECT 'i', ");
	postgres_into_add_key(&sql, load, "s.");
	etl_text_addf(&sql,
		      " FROM " INTO_ROWS " AS r JOIN " INTO_NEW
		      " AS s ON s._etlrun_row = r.at WHERE r.was IS NULL",
		      number, number);
	return postgres_design_part(d, ETL_PHASE_PUBLISH, ETL_EXACT, "undo", NULL, &sql,
			   "the rows that change, as they are now, and the keys of new ones");
}

static bool key_comes(const struct etl_load *load)
{
	const struct etl_key *key = &load->existing->primary;

	for (size_t i = 0; i < key->column_count; i++) {
		const struct etl_column *c = postgres_into_find(load->table, key->columns[i]);

		if (!c || !into_comes(c))
			return false;
	}
	return key->column_count > 0;
}

/* An append is known by its transaction; the keys are there to name a row that was changed. */
static int keep_keys(struct design *d)
{
	const struct etl_load *load = d->load;
	struct etl_text sql = { 0 };

	if (!key_comes(load))
		return ETL_OK;
	etl_text_add(&sql, "CREATE TABLE ");
	add_undo(d, &sql);
	etl_text_add(&sql, " AS SELECT 'i'::\"char\" AS _etlrun_op, ");
	design_add_columns(&sql, "s", load->existing->primary.columns,
			   load->existing->primary.column_count);
	etl_text_addf(&sql, " FROM " INTO_NEW " AS s", (unsigned long long)load->index);
	return postgres_design_part(d, ETL_PHASE_PUBLISH, ETL_EXACT, "undo", NULL, &sql,
			   "the keys of the rows that come");
}

int postgres_undo_design(struct design *d)
{
	return into_merges(d->load) ? keep_changed(d) : keep_keys(d);
}

/* ---- What every load did --------------------------------------------------------------------------------------------- */

static bool keeps(const struct publish_part *part)
{
	return part->how == PUBLISH_INTO && part->load->run->flags & ETL_RUN_UNDO &&
	       (into_merges(part->load) || key_comes(part->load));
}

static void add_keys(struct etl_text *json, const struct publish_part *part)
{
	const struct etl_load *load = part->load;
	bool merges = into_merges(load);
	const char *const *key = merges ? load->key : load->existing->primary.columns;
	size_t count = merges ? load->key_count : load->existing->primary.column_count;

	etl_text_add(json, "[");
	for (size_t i = 0; i < count; i++) {
		etl_text_add(json, i ? "," : "");
		etl_text_add_json(json, key[i], strlen(key[i]));
	}
	etl_text_add(json, "]");
}

static int record(struct publishing *p, size_t at)
{
	static const char *const hows[] = { "made", "replaced", "swapped", "into", "followed", "none" };
	const struct publish_part *part = &p->parts[at];
	const struct etl_outcome *o = &p->commit->outcomes[at];
	const char *relation;
	struct etl_text keys = { 0 };
	char numbers[5][24], kind[2] = { 0 }, buf[POSTGRES_NAME_MAX + 1];
	const uint64_t values[5] = { part->load->index, o->inserted, o->updated, o->unchanged, o->deleted };
	int rc;

	for (size_t i = 0; i < 5; i++)
		snprintf(numbers[i], sizeof(numbers[i]), "%llu", (unsigned long long)values[i]);
	kind[0] = part->load->table->kind == ETL_VIEW	  ? 'v' :
		  part->load->table->kind == ETL_SEQUENCE ? 'S' :
							    'r';
	if (keeps(part))
		add_keys(&keys, part);
	relation = part->how == PUBLISH_MOVE || part->how == PUBLISH_REPLACE ? part->staged.oid : part->old.oid;
	rc = keys.failed ?
		     postgres_no_memory(p->inst, p->err) :
		     postgres_change(p->inst, p->err, NULL,
				     "INSERT INTO " STAGE_OWN ".loads (run, load, kind, schema, name, how, xid, inserted, "
				     "updated, unchanged, deleted, keys, relation) VALUES ($1, $2::bigint, $3, $4, $5, $6, "
				     "pg_current_xact_id()::text::bigint, $7::bigint, $8::bigint, $9::bigint, "
				     "$10::bigint, $11::jsonb, $12::oid)",
				     12,
				     (const char *const[]){ p->commit->run->id, numbers[0], kind, part->schema,
							    postgres_short_name(part->load->table->name, buf),
							    hows[part->how], numbers[1],
							    numbers[2], numbers[3], numbers[4], keys.at, relation });
	etl_text_free(&keys);
	return rc;
}

/* What runs keep beyond the last few goes. */
static int prune(struct publishing *p)
{
	PGresult *old = NULL;
	int rc = postgres_query(p->inst, p->err, &old,
				"SELECT l.run, l.load FROM " STAGE_OWN ".loads l WHERE l.keys IS NOT NULL AND l.run IN "
				"(SELECT run FROM " STAGE_OWN ".runs r WHERE pipeline = $1 AND taken_back IS NULL AND EXISTS (SELECT FROM "
				STAGE_OWN ".loads k WHERE k.run = r.run AND k.keys IS NOT NULL) ORDER BY published DESC, "
				"run DESC OFFSET " UNDO_RUNS ")",
				1, (const char *const[]){ p->commit->run->pipeline });

	for (int i = 0; rc == ETL_OK && i < PQntuples(old); i++) {
		struct etl_text sql = { 0 };

		etl_text_add(&sql, "DROP TABLE IF EXISTS ");
		undo_add_name(&sql, PQgetvalue(old, i, 0), (uint64_t)postgres_int_at(old, i, 1));
		rc = postgres_run_text(p->inst, p->err, &sql);
		if (rc == ETL_OK)
			rc = postgres_change(p->inst, p->err, NULL,
					     "UPDATE " STAGE_OWN ".loads SET keys = NULL WHERE run = $1 AND load = "
					     "$2::bigint",
					     2,
					     (const char *const[]){ PQgetvalue(old, i, 0),
								    PQgetvalue(old, i, 1) });
	}
	PQclear(old);
	return rc;
}

int undo_record(struct publishing *p)
{
	int rc = ETL_OK;

	for (size_t i = 0; rc == ETL_OK && i < p->count; i++)
		if (p->parts[i].how != PUBLISH_NONE)
			rc = record(p, i);
	return rc == ETL_OK ? prune(p) : rc;
}
