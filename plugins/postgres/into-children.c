/*
 * Rows that refer by a foreign key to rows that are to go or to get another key. The server would refuse them, or, with
 * ON DELETE or ON UPDATE CASCADE, SET NULL and SET DEFAULT, change tables that nobody spoke of: so they are looked for
 * before a statement of the run could hand anything on to them, and end the run by name.
 */
#include "config.h"

#include <stdlib.h>

#include "into.h"

enum { CHILD, NAME, OID, PARENT, ON, WORDS, DIFFERS };

/*
 * The keys that refer to $1, a table of its partitions or of those that inherit from it. $2: columns that change, of
 * which those keys speak that hand a change on; NULL: all. $3: what has the new values.
 */
static const char keys[] =
	"WITH RECURSIVE tree (id) AS (SELECT $1::oid UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN tree ON "
	"i.inhparent = tree.id) "
	"SELECT CASE r.relkind WHEN 'r' THEN 'ONLY ' ELSE '' END || c.conrelid::regclass, r.relname, c.conrelid, "
	"CASE p.relkind WHEN 'r' THEN 'ONLY ' ELSE '' END || c.confrelid::regclass, "
	"string_agg(format('c.%I = t.%I', a.attname, b.attname), ' AND ' ORDER BY k.n), "
	"string_agg(format('concat(%L, c.%I)', a.attname || '=', a.attname), ' || '', '' || ' ORDER BY k.n), "
	"string_agg(format('ROW(t.%I)::record *<> ROW(%s.%I)::record', b.attname, $3::text, b.attname), ' OR ') FILTER (WHERE b.attname = "
	"ANY ($2::name[])) "
	"FROM pg_catalog.pg_constraint c JOIN pg_catalog.pg_class r ON r.oid = c.conrelid JOIN pg_catalog.pg_class p ON p.oid = "
	"c.confrelid CROSS JOIN LATERAL unnest(c.conkey, c.confkey) WITH ORDINALITY AS k (own, other, n) "
	"JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.own "
	"JOIN pg_catalog.pg_attribute b ON b.attrelid = c.confrelid AND b.attnum = k.other "
	"WHERE c.contype = 'f' AND c.conparentid = 0 AND c.confrelid IN (SELECT id FROM tree) AND ($2 IS NULL OR "
	"c.confupdtype IN ('c', 'n', 'd')) GROUP BY c.oid, c.conrelid, c.confrelid, r.relname, r.relkind, p.relkind "
	"HAVING $2 IS NULL OR bool_or(b.attname = ANY ($2)) ORDER BY c.oid";

/* What is looked for, and in which of the run's tables. */
struct search {
	struct etl_instance *inst;
	const struct into_table *list;
	size_t count;
	const struct into_parents *parents;
	struct etl_error *err;
};

static const struct into_table *find(const struct search *s, const char *oid)
{
	for (size_t i = 0; i < s->count; i++)
		if (strcmp(s->list[i].oid, oid) == 0)
			return &s->list[i];
	return NULL;
}

static int find_keys(const struct search *s, PGresult **ret)
{
	return postgres_query(s->inst, s->err, ret, keys, 3,
			      (const char *const[]){ s->parents->oid, s->parents->columns,
						     s->parents->now ? s->parents->now : "t" });
}

/* What is asked first, about c, the child's rows, and t, the parent's that are meant. */
static void add_question(struct etl_text *sql, const struct search *s, const PGresult *found, int row,
			 const char *what)
{
	etl_text_addf(sql, "%s FROM %s AS c JOIN %s AS t ON %s%s WHERE true", what, PQgetvalue(found, row, CHILD),
		      PQgetvalue(found, row, PARENT), PQgetvalue(found, row, ON), s->parents->which);
	if (s->parents->now)
		etl_text_addf(sql, " AND (%s)", PQgetvalue(found, row, DIFFERS));
}

static void add_unless_in(struct etl_text *sql, const char *list, uint64_t number)
{
	etl_text_addf(sql, " AND NOT EXISTS (SELECT FROM pg_temp.\"_etlrun_%s_%llu\" AS x WHERE x.was = c.ctid AND x.was_in = "
			   "c.tableoid)",
		      list, (unsigned long long)number);
}

/* Who brings a child meanwhile waits, and is refused: a row's child needs a lock of the row that this one shuts out. */
static int lock_parents(const struct search *s, const char *parent)
{
	struct etl_text sql = { 0 };

	etl_text_addf(&sql, "SELECT count(*) FROM (SELECT FROM %s AS t%s FOR UPDATE OF t) AS locked", parent,
		      s->parents->which);
	return postgres_run_text(s->inst, s->err, &sql);
}

/* Of one key: how many rows, and the first. */
static int count_rows(const struct search *s, const PGresult *found, int row, const struct into_table *child,
		      PGresult **ret)
{
	struct etl_text sql = { 0 }, what = { 0 };
	int rc = lock_parents(s, PQgetvalue(found, row, PARENT));

	if (rc < 0)
		return rc;
	etl_text_addf(&what, "SELECT count(*), min(%s)", PQgetvalue(found, row, WORDS));
	add_question(&sql, s, found, row, what.at ? what.at : "");
	if (child && child->has_gone && s->parents->going)
		add_unless_in(&sql, s->parents->going, child->number);
	rc = sql.failed || what.failed ? postgres_no_memory(s->inst, s->err) :
					 postgres_query(s->inst, s->err, ret, sql.at, 0, NULL);
	etl_text_free(&what);
	etl_text_free(&sql);
	return rc;
}

static int take(const struct search *s, const PGresult *counted, const char *table, struct into_children *ret)
{
	ret->rows = postgres_int_at(counted, 0, 0);
	if (ret->rows == 0)
		return ETL_OK;
	ret->table = strdup(table);
	ret->first = strdup(PQgetvalue(counted, 0, 1));
	return ret->table && ret->first ? ETL_OK : postgres_no_memory(s->inst, s->err);
}

int into_find_children(struct etl_instance *inst, const struct into_table *list, size_t count,
		       const struct into_parents *parents, int whose, struct into_children *ret,
		       struct etl_error *err)
{
	const struct search s = { inst, list, count, parents, err };
	PGresult *found = NULL;
	int rc = find_keys(&s, &found);

	for (int row = 0; rc == ETL_OK && ret->rows == 0 && row < PQntuples(found); row++) {
		const struct into_table *child = find(&s, PQgetvalue(found, row, OID));
		PGresult *counted = NULL;

		if ((whose == INTO_OTHERS && child) || (whose == INTO_BROUGHT && !child))
			continue;
		ret->brought = child != NULL;
		rc = count_rows(&s, found, row, child, &counted);
		if (rc == ETL_OK)
			rc = take(&s, counted, PQgetvalue(found, row, NAME), ret);
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

/* Rows of CHILD that go, and refer to one of the parents. */
static int call_child(const struct search *s, const PGresult *found, int row, const struct into_table *child,
		      uint64_t *ret)
{
	struct etl_text sql = { 0 }, what = { 0 };
	char *text;
	int rc;

	etl_text_addf(&what, "INSERT INTO " INTO_ROOM " SELECT DISTINCT c.ctid, c.tableoid",
		      (unsigned long long)child->number);
	add_question(&sql, s, found, row, what.at ? what.at : "");
	sql.failed |= what.failed;
	etl_text_addf(&sql, " AND EXISTS (SELECT FROM " INTO_GONE " AS x WHERE x.was = c.ctid AND x.was_in = c.tableoid)",
		      (unsigned long long)child->number);
	add_unless_in(&sql, "room", child->number);
	text = etl_text_take(&sql);
	rc = text ? postgres_change(s->inst, s->err, ret, text, 0, NULL) : postgres_no_memory(s->inst, s->err);
	free(text);
	etl_text_free(&what);
	return rc;
}

int into_call_children(struct etl_instance *inst, const struct into_table *list, size_t count,
		       const struct into_parents *parents, uint64_t *ret, struct etl_error *err)
{
	const struct search s = { inst, list, count, parents, err };
	PGresult *found = NULL;
	int rc = find_keys(&s, &found);

	for (int row = 0; rc == ETL_OK && row < PQntuples(found); row++) {
		const struct into_table *child = find(&s, PQgetvalue(found, row, OID));
		uint64_t rows = 0;

		if (!child || !child->has_gone)
			continue;
		rc = call_child(&s, found, row, child, &rows);
		*ret += rows;
	}
	PQclear(found);
	return rc;
}
