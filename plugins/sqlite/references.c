/*
 * References that a validator asks for: rows whose values another table does not have. They are no foreign keys:
 * nothing enforces them, the parent's columns need not be unique, and they compare as the child's columns do. So
 * the parent's values are gathered once, which SQLite does in a sorted set of its own, and every row is looked up.
 */
#include "config.h"

#include <stdlib.h>

#include "references.h"

/* What plan shows; the rows' ids take its place when it is carried out. */
#define SHOWN "SELECT t.*"

static void add_columns(struct etl_text *to, const char *alias, const char *const *columns,
			size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		etl_text_addf(to, "%s%s.", i ? ", " : "", alias);
		etl_text_add_name(to, columns[i], '"');
	}
}

static void add_given(struct etl_text *to, const char *alias, const char *const *columns,
		      size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		etl_text_addf(to, "%s%s.", i ? " AND " : "", alias);
		etl_text_add_name(to, columns[i], '"');
		etl_text_add(to, " IS NOT NULL");
	}
}

/* A NULL among the parent's values would make NOT IN know nothing. */
static void add_parent(struct etl_text *sql, const struct etl_foreign_key *r, const char *schema)
{
	etl_text_add(sql, " AND (");
	add_columns(sql, "t", r->columns, r->column_count);
	etl_text_add(sql, ") NOT IN (SELECT ");
	add_columns(sql, "p", r->parent_columns, r->column_count);
	etl_text_addf(sql, " FROM %s.", schema);
	etl_text_add_name(sql, r->parent, '"');
	etl_text_add(sql, " AS p WHERE ");
	add_given(sql, "p", r->parent_columns, r->column_count);
	etl_text_add(sql, ")");
}

void references_add_from(struct etl_text *sql, const struct etl_load *load,
			 const struct etl_foreign_key *r, const char *const *schemas)
{
	etl_text_add(sql, " FROM main.");
	etl_text_add_name(sql, load->table->name, '"');
	etl_text_add(sql, " AS t WHERE ");
	add_given(sql, "t", r->columns, r->column_count);
	for (; *schemas; schemas++)
		add_parent(sql, r, *schemas);
}

static const struct etl_foreign_key *reference_at(const struct etl_load *load, size_t i)
{
	return ETL_AT(const struct etl_foreign_key, load->references, load->reference_size, i);
}

/* "orders.customer_id to customer.id", of several columns "…(a, b) to …(c, d)". */
static void add_object(struct etl_text *to, const struct etl_load *load,
		       const struct etl_foreign_key *r)
{
	size_t i;

	etl_text_addf(to, "%s.", load->table->name);
	for (i = 0; i < r->column_count; i++)
		etl_text_addf(to, "%s%s", i ? ", " : "", r->columns[i]);
	etl_text_addf(to, " to %s.", r->parent);
	for (i = 0; i < r->column_count; i++)
		etl_text_addf(to, "%s%s", i ? ", " : "", r->parent_columns[i]);
}

static int design_reference(struct design *d, const struct etl_foreign_key *r)
{
	static const char *const schemas[] = { "main", NULL };
	struct etl_text sql = { 0 }, object = { 0 };
	int rc;

	add_object(&object, d->load, r);
	etl_text_add(&sql, SHOWN);
	references_add_from(&sql, d->load, r, schemas);
	rc = sql.failed || object.failed ?
		     design_no_memory(d) :
		     design_step(d, ETL_PHASE_SCREEN, ETL_EXACT, REFERENCE_KIND, object.at, sql.at,
				 d->load->run->flags & ETL_RUN_REJECT ?
					 "rows without the one they refer to are rejected" :
					 "a row without the one it refers to fails the run");
	etl_text_free(&sql);
	etl_text_free(&object);
	return rc;
}

int design_references(struct design *d)
{
	size_t i;
	int rc = ETL_OK;

	for (i = 0; !rc && d->load && i < d->load->reference_count; i++)
		rc = design_reference(d, reference_at(d->load, i));
	return rc;
}

/* ---- Carrying it out --------------------------------------------------------------------------------------- */

static int no_memory(const struct screen *s)
{
	return s->inst->host->fail(s->err, ETL_MEMORY, NULL, 0, "%s: no memory", s->inst->path);
}

const struct etl_foreign_key *references_of(const struct etl_load *load,
					    const struct etl_step *step)
{
	size_t i;

	for (i = 0; i < load->reference_count; i++) {
		const struct etl_foreign_key *r = reference_at(load, i);
		struct etl_text object = { 0 };
		bool same;

		add_object(&object, load, r);
		same = !object.failed && strcmp(object.at, step->object) == 0;
		etl_text_free(&object);
		if (same)
			return r;
	}
	return NULL;
}

static int add_rule(struct screen *s, const struct etl_foreign_key *r)
{
	struct etl_text columns = { 0 }, reason = { 0 };
	size_t i;
	int rc;

	for (i = 0; i < r->column_count; i++)
		etl_text_addf(&columns, "%s%s", i ? ", " : "", r->columns[i]);
	etl_text_addf(&reason, "%s refers to a row that \"%s\" does not have",
		      columns.at ? columns.at : "", r->parent);
	if (r->name)
		etl_text_addf(&reason, " (rule \"%s\")", r->name);
	rc = columns.failed || reason.failed ? no_memory(s) :
					       screen_rule(s, "references", columns.at, reason.at);
	etl_text_free(&columns);
	etl_text_free(&reason);
	return rc;
}

int references_collect(struct screen *s, const struct etl_foreign_key *r,
		       const char *const *schemas, int64_t *ret)
{
	struct etl_text sql = { 0 };
	int rc = add_rule(s, r);

	etl_text_add(&sql, "SELECT ");
	screen_add_ids(s, &sql);
	references_add_from(&sql, s->load, r, schemas);
	etl_text_addf(&sql, " ORDER BY %s", s->order);
	if (!rc)
		rc = sql.failed ? no_memory(s) : screen_collect(s, sql.at, ret);
	etl_text_free(&sql);
	return rc;
}

/* Refers to one row of its own table at most: then whatever refers to a row that goes, goes. */
static bool is_own_key(const struct etl_load *load, const struct etl_foreign_key *r)
{
	const struct etl_key *key = &load->table->primary;
	size_t i;

	if (sqlite3_stricmp(r->parent, load->table->name) != 0 ||
	    key->column_count != r->column_count)
		return false;
	for (i = 0; i < key->column_count; i++) {
		if (sqlite3_stricmp(key->columns[i], r->parent_columns[i]) != 0)
			return false;
	}
	return true;
}

/* A long chain in one go; the host looks again, and so finds what is no chain. */
static int follow(struct screen *s, const struct etl_foreign_key *r, int64_t *ret)
{
	const struct screen_link link = { r->columns, r->parent_columns, r->column_count,
					  s->rule_count - 1 };
	int64_t more = 0;
	int rc = *ret && is_own_key(s->load, r) ? screen_follow(s, &link, &more) : ETL_OK;

	*ret += more;
	return rc;
}

int screen_references(struct etl_instance *inst, const struct etl_load *load,
		      const struct etl_step *step, struct etl_found_sink *sink,
		      struct etl_error *err)
{
	static const char *const schemas[] = { "main", NULL };
	const struct etl_foreign_key *r = references_of(load, step);
	struct screen s = { 0 };
	int64_t found = 0;
	int rc = r ? screen_open(&s, inst, load, sink, err) :
		     inst->host->fail(err, ETL_BUG, NULL, 0,
				      "the reference \"%s\" is not the load's", step->object);

	if (!rc)
		rc = references_collect(&s, r, schemas, &found);
	if (!rc)
		rc = follow(&s, r, &found);
	if (!rc && found)
		rc = screen_take(&s);
	screen_close(&s);
	return rc;
}
