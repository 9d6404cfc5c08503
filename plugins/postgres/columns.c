/*
 * Which columns of a staged table rows go into, what types they have below their domains, and whether the server
 * alone can judge a value: constraints of a domain or of the table, a type that is read from its text, a partition
 * that may not be there. Then the rows are loaded with care.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "load.h"

enum { NAME, OID, MODIFIER, NOT_NULL, JUDGED, KIND, CAST_TYPE, TYPE, CATEGORY, WHOLE, ELEMENT };

/* A domain is followed down to its base; a modifier that is given above wins. */
static const char describe[] =
	"WITH RECURSIVE types AS (SELECT a.attnum, a.attname, a.attnotnull OR t.typnotnull AS needed, "
	"t.oid, t.typtype, t.typcategory, t.typelem, t.typbasetype, CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod "
	"END AS modifier, EXISTS (SELECT FROM pg_catalog.pg_constraint c WHERE c.contypid = t.oid) AS judged, "
	"format_type(a.atttypid, a.atttypmod) AS name "
	"FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid "
	"WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped "
	"UNION ALL "
	"SELECT d.attnum, d.attname, d.needed OR b.typnotnull, b.oid, b.typtype, b.typcategory, b.typelem, b.typbasetype, "
	"CASE WHEN d.modifier < 0 AND b.typtype = 'd' THEN b.typtypmod ELSE d.modifier END, "
	"d.judged OR EXISTS (SELECT FROM pg_catalog.pg_constraint c WHERE c.contypid = b.oid), d.name "
	"FROM types d JOIN pg_catalog.pg_type b ON b.oid = d.typbasetype WHERE d.typtype = 'd') "
	"SELECT attname, oid, modifier, needed, judged, typtype, format_type(oid, -1), name, typcategory, "
	"format_type(oid, modifier), CASE typcategory WHEN 'A' THEN typelem ELSE oid END FROM types "
	"WHERE typtype <> 'd'";

static const char table_judges[] =
	"SELECT c.relkind = 'p' OR EXISTS (SELECT FROM pg_catalog.pg_constraint WHERE conrelid = c.oid AND contype IN "
	"('c', 'x', 'u', 'p', 'f')) OR EXISTS (SELECT FROM pg_catalog.pg_trigger WHERE tgrelid = c.oid) "
	"FROM pg_catalog.pg_class c WHERE c.oid = $1::regclass";

static int find_labels(struct loading *l, size_t i)
{
	struct encode_column *c = &l->columns[i];
	const char **labels;
	char oid[16];
	int rc;

	snprintf(oid, sizeof(oid), "%u", c->oid);
	rc = postgres_query(l->inst, l->err, &l->labels[i],
			    "SELECT enumlabel FROM pg_catalog.pg_enum WHERE enumtypid = $1::oid ORDER BY enumlabel "
			    "COLLATE \"C\"",
			    1, (const char *const[]){ oid });
	if (rc < 0)
		return rc;
	labels = calloc((size_t)PQntuples(l->labels[i]) + 1, sizeof(*labels));
	if (!labels)
		return loading_no_memory(l);
	for (int k = 0; k < PQntuples(l->labels[i]); k++)
		labels[k] = PQgetvalue(l->labels[i], k, 0);
	c->labels = labels;
	c->label_count = (size_t)PQntuples(l->labels[i]);
	return ETL_OK;
}

static int find_column(const struct loading *l, const char *name)
{
	for (int i = 0; i < PQntuples(l->described); i++)
		if (strcmp(PQgetvalue(l->described, i, NAME), name) == 0)
			return i;
	return -1;
}

static int find_one(struct loading *l, size_t i)
{
	const struct ArrowSchema *from = l->schema.children[i];
	struct encode_column *c = &l->columns[i];
	char buf[POSTGRES_NAME_MAX + 1];
	int at = find_column(l, postgres_short_name(from->name, buf));

	if (at < 0) {
		l->inst->host->at(l->err, l->load->table->name, from->name, NULL);
		return l->inst->host->fail(l->err, ETL_FATAL, NULL, 0,
					   "the staged table \"%s\" has no column \"%s\"",
					   l->load->table->name, from->name);
	}
	c->name = PQgetvalue(l->described, at, NAME);
	c->oid = (uint32_t)postgres_int_at(l->described, at, OID);
	c->modifier = (int32_t)postgres_int_at(l->described, at, MODIFIER);
	c->not_null = postgres_flag_at(l->described, at, NOT_NULL);
	l->types[i] = (struct loading_type){ .shown = PQgetvalue(l->described, at, TYPE),
					     .cast = PQgetvalue(l->described, at, CAST_TYPE),
					     .whole = PQgetvalue(l->described, at, WHOLE),
					     .element = (uint32_t)postgres_int_at(l->described, at, ELEMENT) };
	if (*PQgetvalue(l->described, at, KIND) == 'e') {
		int rc = find_labels(l, i);

		if (rc < 0)
			return rc;
	}
	c->list = *PQgetvalue(l->described, at, CATEGORY) == 'A';
	c->by_text = !c->labels && !encode_knows(c->oid);
	l->careful |= c->by_text || postgres_flag_at(l->described, at, JUDGED);
	l->inexact |= exact_matters(l, i);
	return ETL_OK;
}

/* Of JSON the server may know better, a number that no numeric holds: then a row is rejected, not a COPY. */
static int choose(struct loading *l, size_t i)
{
	struct encode_column *c = &l->columns[i];

	c->by_text |= l->careful && (c->oid == OID_JSON || c->oid == OID_JSONB);
	return encode_choose(c, l->schema.children[i]) ? ETL_OK : loading_no_memory(l);
}

static int find_all(struct loading *l, const char *table)
{
	const char *const values[] = { table };
	bool judges = false;
	int rc = postgres_query(l->inst, l->err, &l->described, describe, 1, values);

	if (rc == ETL_OK)
		rc = postgres_flag(l->inst, l->err, &judges, table_judges, 1, values);
	l->careful |= judges;
	for (size_t i = 0; rc == ETL_OK && i < l->count; i++)
		rc = find_one(l, i);
	for (size_t i = 0; rc == ETL_OK && i < l->count; i++)
		rc = choose(l, i);
	return rc;
}

int loading_find_columns(struct loading *l)
{
	struct etl_text table = { 0 };
	int rc;

	l->count = (size_t)l->schema.n_children;
	l->columns = calloc(l->count + 1, sizeof(*l->columns));
	l->labels = calloc(l->count + 1, sizeof(PGresult *));
	l->types = calloc(l->count + 1, sizeof(*l->types));
	postgres_add_name(&table, l->token->text, l->load->table->name);
	rc = l->columns && l->labels && l->types && !table.failed ?
		     find_all(l, table.at) :
		     loading_no_memory(l);
	etl_text_free(&table);
	return rc;
}

void loading_free_columns(struct loading *l)
{
	for (size_t i = 0; l->columns && i < l->count; i++) {
		encode_column_clear(&l->columns[i]);
		free((void *)(uintptr_t)l->columns[i].labels);
	}
	for (size_t i = 0; l->labels && i < l->count; i++)
		PQclear(l->labels[i]);
	PQclear(l->described);
	free(l->columns);
	free(l->labels);
	free(l->types);
}

void loading_add_names(const struct loading *l, struct etl_text *sql)
{
	for (size_t i = 0; i < l->count; i++) {
		etl_text_add(sql, i ? ", " : " (");
		etl_text_add_name(sql, l->columns[i].name, '"');
	}
	if (l->count)
		etl_text_add(sql, ")");
}
