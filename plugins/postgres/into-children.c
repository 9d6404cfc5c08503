/*
 * Rows that refer by a foreign key to rows that are to go. The server would refuse them, or, with ON DELETE CASCADE
 * and SET NULL, change tables that nobody spoke of: here both end the run before anything is touched, by name.
 */
#include "config.h"

#include <stdlib.h>

#include "into.h"

enum { CHILD, NAME, OID, ON, WORDS };

static const char keys[] =
	"SELECT c.conrelid::regclass, r.relname, c.conrelid, "
	"string_agg(format('c.%I = t.%I', a.attname, b.attname), ' AND ' ORDER BY k.n), "
	"string_agg(format('concat(%L, c.%I)', a.attname || '=', a.attname), ' || '', '' || ' ORDER BY k.n) "
	"FROM pg_catalog.pg_constraint c JOIN pg_catalog.pg_class r ON r.oid = c.conrelid "
	"CROSS JOIN LATERAL unnest(c.conkey, c.confkey) WITH ORDINALITY AS k (own, other, n) "
	"JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.own "
	"JOIN pg_catalog.pg_attribute b ON b.attrelid = c.confrelid AND b.attnum = k.other "
	"WHERE c.contype = 'f' AND c.conparentid = 0 AND c.confrelid = $1::oid GROUP BY c.oid, c.conrelid, r.relname "
	"ORDER BY c.oid";

static const struct into_table *find(const struct into_table *list, size_t count, const char *oid)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i].oid, oid) == 0)
			return &list[i];
	return NULL;
}

/* Of one key: how many rows, and the first. */
static int count_rows(struct etl_instance *inst, const PGresult *found, int row,
		      const struct into_table *parent, const struct into_table *child, PGresult **ret,
		      struct etl_error *err)
{
	struct etl_text sql = { 0 };
	int rc;

	etl_text_addf(&sql, "SELECT format('SELECT count(*), min(%%s) FROM %%s AS c JOIN %%s AS t ON %%s JOIN " INTO_GONE
			    " AS g ON t.ctid = g.was AND t.tableoid = g.was_in",
		      (unsigned long long)parent->number);
	if (child && child->has_gone)
		etl_text_addf(&sql, " WHERE NOT EXISTS (SELECT FROM " INTO_GONE
				    " AS x WHERE x.was = c.ctid AND x.was_in = c.tableoid)",
			      (unsigned long long)child->number);
	etl_text_add(&sql, "', $1::text, $2::text, $3::oid::regclass, $4::text)");
	if (sql.failed) {
		rc = postgres_no_memory(inst, err);
	} else {
		char *query = NULL;

		rc = postgres_text(inst, err, &query, sql.at, 4,
				   (const char *const[]){ PQgetvalue(found, row, WORDS),
							  PQgetvalue(found, row, CHILD), parent->oid,
							  PQgetvalue(found, row, ON) });
		if (rc == ETL_OK)
			rc = postgres_query(inst, err, ret, query, 0, NULL);
		free(query);
	}
	etl_text_free(&sql);
	return rc;
}

static int take(struct etl_instance *inst, const PGresult *counted, const char *table,
		struct into_children *ret, struct etl_error *err)
{
	ret->rows = postgres_int_at(counted, 0, 0);
	if (ret->rows == 0)
		return ETL_OK;
	ret->table = strdup(table);
	ret->first = strdup(PQgetvalue(counted, 0, 1));
	return ret->table && ret->first ? ETL_OK : postgres_no_memory(inst, err);
}

int into_find_children(struct etl_instance *inst, const struct into_table *list, size_t count, size_t at,
		       int whose, struct into_children *ret, struct etl_error *err)
{
	PGresult *found = NULL;
	int rc = postgres_query(inst, err, &found, keys, 1, (const char *const[]){ list[at].oid });

	for (int row = 0; rc == ETL_OK && ret->rows == 0 && row < PQntuples(found); row++) {
		const struct into_table *child = find(list, count, PQgetvalue(found, row, OID));
		PGresult *counted = NULL;

		if ((whose == INTO_OTHERS && child) || (whose == INTO_BROUGHT && !child))
			continue;
		ret->brought = child != NULL;
		rc = count_rows(inst, found, row, &list[at], child, &counted, err);
		if (rc == ETL_OK)
			rc = take(inst, counted, PQgetvalue(found, row, NAME), ret, err);
		PQclear(counted);
	}
	PQclear(found);
	return rc;
}

void into_children_free(struct into_children *c)
{
	free(c->table);
	free(c->first);
	*c = (struct into_children){ 0 };
}
