/*
 * See replace.h. The statements are made by the server from its own catalog, before anything is touched: those that
 * make things again are kept, those that take them away are carried out at once. Nothing is dropped with CASCADE: what
 * is not known here keeps the table, and the run, from being replaced.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "old.h"
#include "replace.h"
#include "replace-sql.h"

#define PUBLICATIONS_SINCE 150000 /* columns and conditions */

struct replacing {
	struct publishing *p;
	struct remake *remake;
	struct etl_text old, staged, views; /* arrays of oids */
	PGresult *looking; /* oid, kind, brought by the run; the nearest first */
};

/* ---- Before anything is loaded ----------------------------------------------------------------------------------- */

static void add_things(const PGresult *things, struct etl_text *to)
{
	for (int i = 0; i < PQntuples(things); i++)
		etl_text_addf(to, "%s%s", i ? "; " : "", PQgetvalue(things, i, 0));
}

static int refuse(struct etl_instance *inst, const struct etl_load *load, const char *schema,
		  const PGresult *things, const char *why, struct etl_error *err)
{
	struct etl_text list = { 0 };
	int rc;

	add_things(things, &list);
	inst->host->at(err, load->table->name, NULL, NULL);
	rc = inst->host->fail(err, ETL_FATAL, "2BP01", 0,
			      "\"%s\".\"%s\" cannot be replaced, because %s: %s; drop that "
			      "first and make it again after the run, or write on_existing = \"truncate\" to "
			      "keep the table",
			      schema, load->table->name, why, list.at ? list.at : "");
	etl_text_free(&list);
	return rc;
}

static int refuse_if_any(struct etl_instance *inst, const struct etl_load *load, const char *schema,
			 const char *sql, int count, const char *const *values, const char *why,
			 struct etl_error *err)
{
	PGresult *things = NULL;
	int rc = postgres_query(inst, err, &things, sql, count, values);

	if (rc == ETL_OK && PQntuples(things) > 0)
		rc = refuse(inst, load, schema, things, why, err);
	PQclear(things);
	return rc;
}

/* "{\"a\",\"b\"}" */
static void add_array(struct etl_text *to, const struct etl_table *table)
{
	char buf[POSTGRES_NAME_MAX + 1];

	etl_text_add(to, "{");
	for (size_t i = 0; i < table->column_count; i++) {
		const char *name = postgres_short_name(
			ETL_AT(const struct etl_column, table->columns, table->column_size, i)->name, buf);

		etl_text_add(to, i ? ",\"" : "\"");
		for (; *name; name++)
			etl_text_addf(to, *name == '"' || *name == '\\' ? "\\%c" : "%c", *name);
		etl_text_add(to, "\"");
	}
	etl_text_add(to, "}");
}

static bool same_columns(const char *const *columns, size_t count, const PGresult *wanted)
{
	char buf[POSTGRES_NAME_MAX + 1];
	size_t found = 0;

	for (size_t i = 0; i < count; i++)
		for (int k = 0; k < PQntuples(wanted); k++)
			found += strcmp(postgres_short_name(columns[i], buf),
					PQgetvalue(wanted, k, 0)) == 0;
	return found == count && count == (size_t)PQntuples(wanted);
}

static bool is_unique(const struct etl_table *table, const PGresult *columns)
{
	if (table->primary.column_count &&
	    same_columns(table->primary.columns, table->primary.column_count, columns))
		return true;
	for (size_t i = 0; i < table->unique_count; i++) {
		const struct etl_key *k = ETL_AT(const struct etl_key, table->uniques, table->unique_size,
						 i);

		if (same_columns(k->columns, k->column_count, columns))
			return true;
	}
	for (size_t i = 0; i < table->index_count; i++) {
		const struct etl_index *x = ETL_AT(const struct etl_index, table->indexes,
						   table->index_size, i);
		size_t k = 0;

		if (!(x->flags & ETL_INDEX_UNIQUE) || x->where_sql ||
		    x->part_count != (size_t)PQntuples(columns))
			continue;
		while (k < x->part_count) {
			const char *name = ETL_AT(const struct etl_index_part, x->parts, x->part_size, k)
						   ->column;

			if (!name || !same_columns(&name, 1, columns))
				break;
			k++;
		}
		if (k == x->part_count)
			return true;
	}
	return false;
}

static int check_referred(struct etl_instance *inst, const struct etl_load *load, const char *schema,
			  const struct standing *there, struct etl_error *err)
{
	PGresult *keys = NULL;
	int rc = postgres_query(inst, err, &keys,
				"SELECT format('foreign key %I of %s', conname, conrelid::regclass), oid FROM "
				"pg_constraint WHERE contype = 'f' AND conparentid = 0 AND confrelid = $1::oid "
				"AND conrelid <> confrelid",
				1, (const char *const[]){ there->oid });

	for (int i = 0; rc == ETL_OK && i < PQntuples(keys); i++) {
		PGresult *columns = NULL;

		rc = postgres_query(inst, err, &columns,
				    "SELECT a.attname FROM pg_catalog.pg_constraint c CROSS JOIN unnest(c.confkey) AS k "
				    "JOIN pg_catalog.pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k WHERE c.oid "
				    "= $1::oid",
				    1, (const char *const[]){ PQgetvalue(keys, i, 1) });
		if (rc == ETL_OK && !is_unique(load->table, columns)) {
			inst->host->at(err, load->table->name, NULL, NULL);
			rc = inst->host->fail(err, ETL_FATAL, "2BP01", 0,
					      "\"%s\".\"%s\" cannot be replaced: %s refers to columns "
					      "that would not be unique any more; drop it, or let the source have "
					      "that key",
					      schema, load->table->name, PQgetvalue(keys, i, 0));
		}
		PQclear(columns);
	}
	PQclear(keys);
	return rc;
}

int replace_check(struct etl_instance *inst, const struct etl_load *load, const char *schema,
		  const struct standing *there, struct etl_error *err)
{
	struct etl_text oid = { 0 }, columns = { 0 };
	int rc;

	etl_text_addf(&oid, "{%s}", there->oid);
	add_array(&columns, load->table);
	if (oid.failed || columns.failed)
		rc = postgres_no_memory(inst, err);
	else
		rc = refuse_if_any(inst, load, schema, REPLACE_OBSTACLES, 1,
				   (const char *const[]){ oid.at },
				   "what depends on it could not be made again", err);
	if (rc == ETL_OK)
		rc = refuse_if_any(inst, load, schema, REPLACE_OF_PARTITIONS, 1,
				   (const char *const[]){ there->oid },
				   "what its partitions have of their own would go with them", err);
	if (rc == ETL_OK)
		rc = refuse_if_any(inst, load, schema, REPLACE_LOSSES, 2,
				   (const char *const[]){ oid.at, columns.at },
				   "the new table lacks columns that are needed", err);
	if (rc == ETL_OK)
		rc = check_referred(inst, load, schema, there, err);
	etl_text_free(&oid);
	etl_text_free(&columns);
	return rc;
}

/* ---- Writing down ------------------------------------------------------------------------------------------------- */

static int keep(struct replacing *r, const char *sql)
{
	struct remake *m = r->remake;
	char **more = realloc(m->at, (m->count + 1) * sizeof(*more)), *copy = strdup(sql);

	if (more)
		m->at = more;
	if (!more || !copy) {
		free(copy);
		return postgres_no_memory(r->p->inst, r->p->err);
	}
	m->at[m->count++] = copy;
	return ETL_OK;
}

/* The things are written down in this order and, when away is said, go at once. */
static int note(struct replacing *r, const char *head, const char *sql, bool away)
{
	struct publishing *p = r->p;
	struct etl_text whole = { 0 };
	PGresult *things = NULL;
	int rc;

	/* A query has all three, so that the server knows their types. */
	etl_text_addf(&whole, "SELECT f.* FROM (%s%s) AS f (again, away), (SELECT $1::oid[], $2::oid[], $3::oid[]) "
			      "AS given",
		      head, sql);
	rc = whole.failed ? postgres_no_memory(p->inst, p->err) :
			    postgres_query(p->inst, p->err, &things, whole.at, 3,
					   (const char *const[]){ r->old.at, r->staged.at, r->views.at });
	etl_text_free(&whole);
	for (int i = 0; rc == ETL_OK && i < PQntuples(things); i++) {
		if (postgres_at(things, i, 0))
			rc = keep(r, postgres_at(things, i, 0));
		if (rc == ETL_OK && away && postgres_at(things, i, 1))
			rc = postgres_run(p->inst, p->err, postgres_at(things, i, 1));
	}
	PQclear(things);
	return rc;
}

static int note_relation(struct replacing *r, const char *head)
{
	static const char *const queries[] = {
		REPLACE_OWNERS, REPLACE_REVOKES, REPLACE_GRANTS, REPLACE_COMMENTS, REPLACE_LABELS,
	};
	int rc = ETL_OK;

	for (size_t i = 0; rc == ETL_OK && i < sizeof(queries) / sizeof(*queries); i++)
		rc = note(r, head, queries[i], false);
	return rc;
}

static int note_all(struct replacing *r)
{
	const char *published = r->p->inst->version >= PUBLICATIONS_SINCE ? REPLACE_PUBLICATIONS :
									     REPLACE_PUBLICATIONS_14;
	int rc = note_relation(r, REPLACE_PAIRS);

	if (rc == ETL_OK)
		rc = note(r, REPLACE_PAIRS, REPLACE_OPTIONS, false);
	if (rc == ETL_OK)
		rc = note(r, REPLACE_PAIRS, REPLACE_COUNTERS, false);
	if (rc == ETL_OK)
		rc = note(r, REPLACE_PAIRS, REPLACE_STATISTICS, false);
	if (rc == ETL_OK)
		rc = note(r, "", REPLACE_VIEWS, false);
	if (rc == ETL_OK)
		rc = note(r, REPLACE_SELVES, REPLACE_VIEW_PARTS, false);
	if (rc == ETL_OK)
		rc = note_relation(r, REPLACE_SELVES);
	if (rc == ETL_OK)
		rc = note(r, REPLACE_SELVES, REPLACE_RULES, false);
	if (rc == ETL_OK)
		rc = note(r, REPLACE_SELVES, REPLACE_TRIGGERS, false);
	if (rc == ETL_OK)
		rc = note(r, REPLACE_PAIRS, REPLACE_RULES, false);
	if (rc == ETL_OK)
		rc = note(r, REPLACE_PAIRS, REPLACE_TRIGGERS, false);
	if (rc == ETL_OK)
		rc = note(r, REPLACE_PAIRS, REPLACE_POLICIES, true);
	if (rc == ETL_OK)
		rc = note(r, REPLACE_PAIRS, published, true);
	if (rc == ETL_OK)
		rc = note(r, "", REPLACE_FOREIGN_POLICIES, true);
	return rc == ETL_OK ? note(r, "", REPLACE_REFERRING, true) : rc;
}

/* ---- Finding ---------------------------------------------------------------------------------------------------------- */

static int find_old(struct replacing *r)
{
	struct publishing *p = r->p;
	const char *between = "";

	etl_text_add(&r->old, "{");
	etl_text_add(&r->staged, "{");
	for (size_t i = 0; i < p->count; i++) {
		const struct publish_part *part = &p->parts[i];

		if (part->how != PUBLISH_REPLACE)
			continue;
		etl_text_addf(&r->old, "%s%s", between, part->old.oid);
		etl_text_addf(&r->staged, "%s%s", between, part->staged.oid);
		between = ",";
	}
	etl_text_add(&r->old, "}");
	etl_text_add(&r->staged, "}");
	return r->old.failed || r->staged.failed ? postgres_no_memory(p->inst, p->err) : ETL_OK;
}

static int find_views(struct replacing *r)
{
	struct publishing *p = r->p;
	const char *between = "";
	int rc = postgres_query(p->inst, p->err, &r->looking, REPLACE_FIND_VIEWS, 1,
				(const char *const[]){ r->old.at });

	etl_text_add(&r->views, "{");
	for (int i = 0; rc == ETL_OK && i < PQntuples(r->looking); i++) {
		if (postgres_flag_at(r->looking, i, 2))
			continue;
		etl_text_addf(&r->views, "%s%s", between, PQgetvalue(r->looking, i, 0));
		between = ",";
	}
	etl_text_add(&r->views, "}");
	return rc == ETL_OK && r->views.failed ? postgres_no_memory(p->inst, p->err) : rc;
}

/* ---- Away ----------------------------------------------------------------------------------------------------------------- */

static int refuse_since(struct publishing *p, const PGresult *things)
{
	struct etl_text list = { 0 };
	int rc;

	add_things(things, &list);
	rc = p->inst->host->fail(p->err, ETL_FATAL, "2BP01", 0,
				 "the tables cannot be replaced, because what depends on them by now could "
				 "not be made again: %s; nothing was changed; drop that first and make it "
				 "again afterwards, or write on_existing = \"truncate\" to keep the tables",
				 list.at ? list.at : "");
	etl_text_free(&list);
	return rc;
}

/* The farthest first; views that the run brings are among them. */
static int drop_views(struct replacing *r)
{
	struct publishing *p = r->p;
	int rc = ETL_OK;

	for (int i = PQntuples(r->looking); rc == ETL_OK && i > 0; i--) {
		const char *kind = PQgetvalue(r->looking, i - 1, 1);
		char *sql = NULL;

		if (*kind != 'v' && *kind != 'm')
			continue;
		rc = postgres_text(p->inst, p->err, &sql,
				   "SELECT format('DROP %s %s', $2::text, $1::oid::regclass)", 2,
				   (const char *const[]){ PQgetvalue(r->looking, i - 1, 0),
							  *kind == 'm' ? "MATERIALIZED VIEW" : "VIEW" });
		if (rc == ETL_OK)
			rc = postgres_run(p->inst, p->err, sql);
		free(sql);
	}
	return rc;
}

static bool goes(const struct publish_part *part, char kind)
{
	return part->how == PUBLISH_REPLACE &&
	       (kind == 'r' ? part->old.kind == 'r' || part->old.kind == 'p' : part->old.kind == kind);
}

/* At once, because they may refer to each other. */
static int drop_all(struct publishing *p, const char *words, char kind)
{
	struct etl_text sql = { 0 };
	const char *between = words;

	for (size_t i = 0; i < p->count; i++)
		if (goes(&p->parts[i], kind)) {
			etl_text_add(&sql, between);
			postgres_add_name(&sql, p->parts[i].schema, p->parts[i].load->table->name);
			between = ", ";
		}
	return sql.length || sql.failed ? postgres_run_text(p->inst, p->err, &sql) : ETL_OK;
}

static int take_away(struct replacing *r)
{
	struct publishing *p = r->p;
	int rc = drop_views(r);

	if (rc == ETL_OK)
		rc = p->commit->run->keep_old > 0 ? old_keep(p, r->old.at) : drop_all(p, "DROP TABLE ", 'r');
	return rc == ETL_OK ? drop_all(p, "DROP SEQUENCE ", 'S') : rc;
}

static void add_tables(const struct publishing *p, struct etl_text *to)
{
	const char *between = "{";

	for (size_t i = 0; i < p->count; i++)
		if (goes(&p->parts[i], 'r')) {
			etl_text_addf(to, "%s%s", between, p->parts[i].old.oid);
			between = ",";
		}
	etl_text_add(to, to->length ? "}" : "{}");
}

/* What has come to depend on the tables since replace_check, and would not keep one from being dropped or put aside. */
static int check_again(struct publishing *p)
{
	struct etl_text tables = { 0 };
	PGresult *things = NULL;
	int rc;

	add_tables(p, &tables);
	rc = tables.failed ? postgres_no_memory(p->inst, p->err) :
			     postgres_query(p->inst, p->err, &things, REPLACE_OBSTACLES, 1,
					    (const char *const[]){ tables.at });
	if (rc == ETL_OK && PQntuples(things) > 0)
		rc = refuse_since(p, things);
	PQclear(things);
	etl_text_free(&tables);
	return rc;
}

int replace_away(struct publishing *p, struct remake *remake)
{
	struct replacing r = { .p = p, .remake = remake };
	int rc = find_old(&r);

	if (rc == ETL_OK && strcmp(r.old.at, "{}") != 0) {
		rc = check_again(p);
		if (rc == ETL_OK)
			rc = find_views(&r);
		if (rc == ETL_OK)
			rc = note_all(&r);
		if (rc == ETL_OK)
			rc = take_away(&r);
	}
	PQclear(r.looking);
	etl_text_free(&r.old);
	etl_text_free(&r.staged);
	etl_text_free(&r.views);
	return rc;
}

static int fail_back(struct publishing *p, PGresult *result, const char *sql)
{
	const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
	int rc = p->inst->host->fail(p->err, ETL_FATAL, PQresultErrorField(result, PG_DIAG_SQLSTATE), 0,
				     "what the tables have around them does not fit those that would come back: "
				     "%s%s%s; nothing was taken back; see to it that it fits, or drop it first: %.300s",
				     PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY), detail ? "; " : "",
				     detail ? detail : "", sql);

	PQclear(result);
	return rc;
}

static int make_again(struct publishing *p, const char *sql)
{
	PGresult *result = PQexec(p->inst->db, sql);

	if (p->back && PQresultStatus(result) == PGRES_FATAL_ERROR &&
	    PQresultErrorField(result, PG_DIAG_SQLSTATE) && !postgres_is_lost(p->inst))
		return fail_back(p, result, sql);
	if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
		return postgres_fail(p->inst, result, p->err,
				     "what the replaced tables had around them cannot be made again; drop it "
				     "first, or see to it that it fits: %.300s",
				     sql);
	PQclear(result);
	return ETL_OK;
}

int replace_again(struct publishing *p, struct remake *remake)
{
	int rc = ETL_OK;

	for (size_t i = 0; rc == ETL_OK && i < remake->count; i++)
		rc = make_again(p, remake->at[i]);
	return rc;
}

void replace_free(struct remake *remake)
{
	for (size_t i = 0; i < remake->count; i++)
		free(remake->at[i]);
	free(remake->at);
	*remake = (struct remake){ 0 };
}
