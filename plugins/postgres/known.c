/*
 * Whether the target is what a copy made of it, for `run --if-needed`: the tables, views and sequences are there, shaped as they were
 * when they were published, and hold the rows that came with them and no others. The server says so by itself: every row has
 * the number of the transaction that wrote it.
 *
 * A row is another's when its transaction was not over when the run was published, and is not one of the run's own. Numbers below the
 * oldest one that was under way then ("oldest") are those of transactions that were over, and of the run's own at or above it a list
 * is kept ("again"). Rows that were only deleted are missing from the count. "shape" is what the catalog said of the relation.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "into.h"
#include "known.h"
#include "state.h"

#define SEAL "run "

/* What a run makes of a relation C, as a text: columns, constraints, indexes, what a view shows. */
#define SHAPE                                                                                                       \
	"(SELECT pg_catalog.md5(pg_catalog.string_agg(p, '\n' ORDER BY p)) FROM (SELECT pg_catalog.concat_ws(' ', "   \
	"'column', a.attnum, quote_ident(a.attname), format_type(a.atttypid, a.atttypmod), a.attnotnull, "           \
	"a.attidentity, a.attgenerated, a.attcollation, pg_get_expr(d.adbin, d.adrelid)) FROM pg_catalog.pg_attribute AS a " \
	"LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum WHERE a.attrelid = c.oid AND "  \
	"a.attnum > 0 AND NOT a.attisdropped "                                                                        \
	"UNION ALL SELECT pg_catalog.concat_ws(' ', 'constraint', quote_ident(k.conname), pg_get_constraintdef(k.oid), " \
	"k.convalidated) FROM pg_catalog.pg_constraint AS k WHERE k.conrelid = c.oid "                                \
	"UNION ALL SELECT pg_catalog.concat_ws(' ', 'index', pg_get_indexdef(i.indexrelid), i.indisvalid) FROM "       \
	"pg_catalog.pg_index AS i WHERE i.indrelid = c.oid "                                                          \
	"UNION ALL SELECT pg_get_ruledef(w.oid) FROM pg_catalog.pg_rewrite AS w WHERE w.ev_class = c.oid) AS parts (p))"

/* ---- What is written down -------------------------------------------------------------------------------------------- */

/* $1: the run, $2: the load. */
static const char note[] =
	"UPDATE " STAGE_OWN ".loads AS l SET oldest = pg_snapshot_xmin(pg_current_snapshot())::text::bigint, shape = " SHAPE
	" FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = l.schema AND "
	"c.relname = l.name AND l.run = $1 AND l.load = $2::bigint";

/* The run's own transactions that were not over before all others were; the stage knows them (stage.h). */
static int note_own(struct publishing *p, const struct publish_part *part, const char *number)
{
	struct etl_text sql = { 0 };
	char *text;
	int rc;

	etl_text_add(&sql, "UPDATE " STAGE_OWN ".loads AS l SET again = l.again || ARRAY(SELECT DISTINCT s.xmin::text FROM ");
	postgres_add_name(&sql, part->token->text, "_etlrun_splits");
	etl_text_add(&sql, " AS s WHERE s.load = l.load AND age(s.xmin) <= age((l.oldest & 4294967295)::text::xid))::xid[] WHERE l.run = $1 "
			   "AND l.load = $2::bigint");
	text = etl_text_take(&sql);
	rc = text ? postgres_change(p->inst, p->err, NULL, text, 2, (const char *const[]){ p->commit->run->id, number }) :
		    postgres_no_memory(p->inst, p->err);
	free(text);
	return rc;
}

int known_note(struct publishing *p)
{
	int rc = ETL_OK;

	for (size_t i = 0; rc == ETL_OK && p->commit->run->mode == ETL_COPY && i < p->count; i++) {
		const struct publish_part *part = &p->parts[i];
		char number[24];

		if (part->how == PUBLISH_NONE)
			continue;
		snprintf(number, sizeof(number), "%llu", (unsigned long long)part->load->index);
		rc = postgres_change(p->inst, p->err, NULL, note, 2,
				     (const char *const[]){ p->commit->run->id, number });
		if (rc == ETL_OK && part->load->table->kind == ETL_TABLE)
			rc = note_own(p, part, number);
	}
	return rc;
}

/* ---- seal ------------------------------------------------------------------------------------------------------------- */

static bool has_load(const struct etl_commit *commit, const struct etl_load *load)
{
	size_t i = 0;

	while (i < commit->load_count && commit->loads[i]->index != load->index)
		i++;
	return i < commit->load_count;
}

/* Of a run that leaves tables behind, because they failed, there is no seal: who resumes it makes those anew. */
int postgres_seal(struct etl_instance *inst, const struct etl_commit *commit, struct etl_token *ret, struct etl_error *err)
{
	const struct etl_run *run = commit->run;
	bool whole = run->mode == ETL_COPY && run->loads;

	(void)inst;
	(void)err;
	for (size_t i = 0; whole && i < run->load_count; i++)
		whole = has_load(commit, run->loads[i]);
	memset(ret->text, 0, sizeof(ret->text));
	if (whole)
		snprintf(ret->text, sizeof(ret->text), SEAL "%s", run->id);
	return ETL_OK;
}

/* ---- sealed ----------------------------------------------------------------------------------------------------------- */

enum { KIND, INSERTED, OLDEST, OWN, TABLE, PARTS, SAME };

/* $1: the run. */
static const char published[] =
	"SELECT l.kind, l.inserted, (l.oldest & 4294967295)::text, array_append(l.again, (l.xid & 4294967295)::text::xid), "
	"c.oid::regclass, c.relkind = 'p', l.shape = " SHAPE " AND (l.kind <> 'r' OR c.oid = l.relation) AND "
	"pg_snapshot_xmax(pg_current_snapshot())::text::bigint - l.oldest < " STATE_XIDS " "
	"FROM " STAGE_OWN ".runs AS r JOIN " STAGE_OWN ".loads AS l USING (run) LEFT JOIN pg_catalog.pg_namespace AS n ON n.nspname = "
	"l.schema LEFT JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = l.name WHERE r.run = $1 AND "
	"r.taken_back IS NULL ORDER BY l.kind DESC, l.load";

/* Children of a table have rows of their own, partitions have the table's. */
static int has_own_rows(struct etl_instance *inst, const PGresult *loads, int row, bool *ret, struct etl_error *err)
{
	struct etl_text sql = { 0 };
	char *text;
	int rc;

	etl_text_addf(&sql,
		      "SELECT count(*) = $1::bigint AND count(*) FILTER (WHERE age(t.xmin) <= age($2::xid) AND t.xmin <> ALL "
		      "($3::xid[])) = 0 FROM %s%s AS t",
		      postgres_flag_at(loads, row, PARTS) ? "" : "ONLY ", postgres_at(loads, row, TABLE));
	text = etl_text_take(&sql);
	rc = text ? postgres_flag(inst, err, ret, text, 3,
				  (const char *const[]){ postgres_at(loads, row, INSERTED), postgres_at(loads, row, OLDEST),
							 postgres_at(loads, row, OWN) }) :
		    postgres_no_memory(inst, err);
	free(text);
	return rc;
}

static int compare(struct etl_instance *inst, const char *run, bool *ret, struct etl_error *err)
{
	PGresult *loads = NULL;
	int rc = postgres_query(inst, err, &loads, published, 1, (const char *const[]){ run });

	*ret = rc == ETL_OK && PQntuples(loads) > 0;
	for (int i = 0; rc == ETL_OK && *ret && i < PQntuples(loads); i++)
		*ret = postgres_flag_at(loads, i, SAME);
	for (int i = 0; rc == ETL_OK && *ret && i < PQntuples(loads); i++)
		if (*postgres_at(loads, i, KIND) == 'r')
			rc = has_own_rows(inst, loads, i, ret, err);
	PQclear(loads);
	return rc;
}

int postgres_sealed(struct etl_instance *inst, const struct etl_token *seal, int32_t *ret, struct etl_error *err)
{
	size_t length = strlen(SEAL);
	bool same = false;
	int rc = postgres_db(inst, err);

	if (rc == ETL_OK)
		rc = postgres_run(inst, err, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL search_path = pg_catalog");
	if (rc == ETL_OK)
		rc = state_is_whole(inst, &same, err);
	if (rc == ETL_OK && same && strncmp(seal->text, SEAL, length) == 0)
		rc = compare(inst, seal->text + length, &same, err);
	stage_rollback(inst);
	if (rc == ETL_OK)
		*ret = same;
	return rc;
}
