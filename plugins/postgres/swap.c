/*
 * Tables that stay and get the staged rows instead of their own: on_existing = "truncate", and --data-only. Keys of
 * other tables that refer to them are taken away for the moment and made again; the table's own triggers and
 * rules are still, a load is not what they are for.
 */
#include "config.h"

#include <stdlib.h>

#include "swap.h"

/* Foreign keys of tables that are not emptied too: what makes them again, and what takes them away. */
static const char referring[] =
	"SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', c.conrelid::regclass, c.conname), "
	"format('ALTER TABLE %s ADD CONSTRAINT %I %s', c.conrelid::regclass, c.conname, "
	"pg_get_constraintdef(c.oid)), "
	"'COMMENT ON CONSTRAINT ' || quote_ident(c.conname) || ' ON ' || c.conrelid::regclass || ' IS ' || "
	"quote_literal(obj_description(c.oid, 'pg_constraint')) FROM pg_catalog.pg_constraint c WHERE c.contype = 'f' AND c.conparentid = 0 AND c.confrelid = ANY "
	"($1::oid[]) AND c.conrelid <> ALL ($1::oid[]) ORDER BY c.oid";

/* Of the user's own triggers and rules, of partitions too: how to still them, and how they were. */
static const char triggers[] =
	"WITH tables AS (SELECT unnest($1::oid[]) AS oid UNION SELECT f.relid::oid FROM unnest($1::oid[]) AS o CROSS JOIN "
	"LATERAL pg_partition_tree(o::regclass) AS f) "
	"SELECT format('ALTER TABLE ONLY %s DISABLE TRIGGER %I', tgrelid::regclass, tgname), "
	"format('ALTER TABLE ONLY %s ENABLE %s TRIGGER %I', tgrelid::regclass, CASE tgenabled WHEN 'R' THEN 'REPLICA' "
	"WHEN 'A' THEN 'ALWAYS' ELSE '' END, tgname) FROM pg_catalog.pg_trigger t JOIN tables ON tables.oid = t.tgrelid "
	"WHERE NOT tgisinternal AND tgenabled <> 'D' "
	"UNION ALL SELECT format('ALTER TABLE %s DISABLE RULE %I', ev_class::regclass, rulename), "
	"format('ALTER TABLE %s ENABLE %s RULE %I', ev_class::regclass, CASE ev_enabled WHEN 'R' THEN 'REPLICA' WHEN "
	"'A' THEN 'ALWAYS' ELSE '' END, rulename) FROM pg_catalog.pg_rewrite r JOIN tables ON tables.oid = r.ev_class "
	"WHERE ev_enabled <> 'D'";

static bool is_swapped(const struct publish_part *part)
{
	return part->how == PUBLISH_SWAP;
}

static void add_oids(const struct publishing *p, struct etl_text *to)
{
	etl_text_add(to, "{");
	for (size_t i = 0; i < p->count; i++)
		if (is_swapped(&p->parts[i]))
			etl_text_addf(to, "%s%s", to->length > 1 ? "," : "", p->parts[i].old.oid);
	etl_text_add(to, "}");
}

static int run_column(struct publishing *p, const PGresult *statements, int column)
{
	int rc = ETL_OK;

	for (int i = 0; rc == ETL_OK && i < PQntuples(statements); i++)
		if (postgres_at(statements, i, column))
			rc = postgres_run(p->inst, p->err, postgres_at(statements, i, column));
	return rc;
}

/* Tables that refer to each other are emptied at once. Partitions hold the rows of their table; what inherits from one has
 * rows of its own. */
static int empty_all(struct publishing *p)
{
	struct etl_text sql = { 0 };

	etl_text_add(&sql, "TRUNCATE ");
	for (size_t i = 0; i < p->count; i++)
		if (is_swapped(&p->parts[i])) {
			etl_text_add(&sql, sql.length > strlen("TRUNCATE ") ? ", " : "");
			etl_text_add(&sql, p->parts[i].old.kind == 'p' ? "" : "ONLY ");
			postgres_add_name(&sql, p->parts[i].schema, p->parts[i].load->table->name);
		}
	return postgres_run_text(p->inst, p->err, &sql);
}

static void add_names(struct etl_text *sql, const struct etl_table *table)
{
	const char *between = "";

	for (size_t i = 0; i < table->column_count; i++) {
		const struct etl_column *c = ETL_AT(const struct etl_column, table->columns,
						    table->column_size, i);

		if (c->flags & ETL_GENERATED)
			continue;
		etl_text_add(sql, between);
		postgres_add_name(sql, NULL, c->name);
		between = ", ";
	}
}

static int check_count(struct publishing *p, size_t at, uint64_t written)
{
	const struct publish_part *part = &p->parts[at];
	uint64_t staged = p->commit->outcomes[at].inserted;

	if (written == staged)
		return ETL_OK;
	return p->inst->host->fail(p->err, ETL_DATA, NULL, 0,
				   "table \"%s\".\"%s\": %llu rows were staged and %llu went into it; "
				   "something of the server leaves rows out; nothing was changed",
				   part->schema, part->load->table->name, (unsigned long long)staged,
				   (unsigned long long)written);
}

/* In the order in which they were loaded. */
static int fill(struct publishing *p, size_t at)
{
	const struct publish_part *part = &p->parts[at];
	const struct etl_table *table = part->load->table;
	struct etl_text names = { 0 }, sql = { 0 };
	uint64_t written = 0;
	int rc;

	add_names(&names, table);
	etl_text_add(&sql, "INSERT INTO ");
	postgres_add_name(&sql, part->schema, table->name);
	if (names.length)
		etl_text_addf(&sql, " (%s) OVERRIDING SYSTEM VALUE", names.at);
	etl_text_addf(&sql, " SELECT %s FROM ", names.length ? names.at : "");
	postgres_add_name(&sql, part->token->text, table->name);
	sql.failed |= names.failed;
	etl_text_free(&names);
	p->inst->host->at(p->err, table->name, NULL, NULL);
	rc = sql.failed ? postgres_no_memory(p->inst, p->err) :
			  postgres_change(p->inst, p->err, &written, sql.at, 0, NULL);
	etl_text_free(&sql);
	return rc == ETL_OK ? check_count(p, at, written) : rc;
}

/* A counter gives no value twice: it goes on behind the rows that came, up or down; where there are none that it could
 * meet, at its START. setval alone outlives a rollback; behind an ALTER, which changes nothing but gives the sequence a new
 * file, it is part of the transaction. Who does not own the sequence may only set it. */
static int set_counters(struct publishing *p, const struct publish_part *part)
{
	PGresult *columns = NULL;
	int rc = postgres_query(
		p->inst, p->err, &columns,
		"SELECT CASE WHEN pg_has_role(q.relowner, 'USAGE') THEN format('ALTER SEQUENCE %s INCREMENT BY %s; ', "
		"q.oid::regclass, s.seqincrement) ELSE '' END || format('SELECT CASE WHEN v BETWEEN %s AND %s THEN setval(%L, "
		"v::bigint) ELSE setval(%L, %s, false) END FROM (SELECT %s(%I)::numeric AS v FROM %s WHERE %I BETWEEN %L::bigint "
		"AND %L::bigint) AS t', CASE WHEN s.seqincrement > 0 THEN s.seqstart ELSE s.seqmin END, CASE WHEN s.seqincrement > 0 THEN "
		"s.seqmax ELSE s.seqstart END, q.oid::regclass, q.oid::regclass, s.seqstart, CASE WHEN s.seqincrement > 0 THEN "
		"'max' ELSE 'min' END, a.attname, a.attrelid::regclass, a.attname, s.seqmin, s.seqmax) "
		"FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class q ON q.oid = "
		"pg_get_serial_sequence(a.attrelid::regclass::text, a.attname)::regclass JOIN pg_catalog.pg_sequence s ON "
		"s.seqrelid = q.oid WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped",
		1, (const char *const[]){ part->old.oid });

	if (rc == ETL_OK)
		rc = run_column(p, columns, 0);
	PQclear(columns);
	return rc;
}

static int fill_all(struct publishing *p)
{
	int rc = ETL_OK;

	for (size_t i = 0; rc == ETL_OK && i < p->count; i++)
		if (is_swapped(&p->parts[i])) {
			rc = fill(p, i);
			if (rc == ETL_OK)
				rc = set_counters(p, &p->parts[i]);
		}
	return rc;
}

static bool any(const struct publishing *p)
{
	for (size_t i = 0; i < p->count; i++)
		if (is_swapped(&p->parts[i]))
			return true;
	return false;
}

int swap_rows(struct publishing *p)
{
	PGresult *keys = NULL, *stilled = NULL;
	struct etl_text oids = { 0 };
	int rc;

	if (!any(p))
		return ETL_OK;
	add_oids(p, &oids);
	rc = oids.failed ? postgres_no_memory(p->inst, p->err) :
			   postgres_query(p->inst, p->err, &keys, referring, 1,
					  (const char *const[]){ oids.at });
	if (rc == ETL_OK)
		rc = postgres_query(p->inst, p->err, &stilled, triggers, 1,
				    (const char *const[]){ oids.at });
	if (rc == ETL_OK)
		rc = run_column(p, keys, 0);
	if (rc == ETL_OK)
		rc = run_column(p, stilled, 0);
	if (rc == ETL_OK)
		rc = empty_all(p);
	if (rc == ETL_OK)
		rc = fill_all(p);
	if (rc == ETL_OK)
		rc = run_column(p, stilled, 1);
	if (rc == ETL_OK)
		rc = run_column(p, keys, 1);
	if (rc == ETL_OK)
		rc = run_column(p, keys, 2);
	PQclear(keys);
	PQclear(stilled);
	etl_text_free(&oids);
	return rc;
}
