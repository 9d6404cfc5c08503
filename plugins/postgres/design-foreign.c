/*
 * Foreign keys, which refer to what may be of another type, not unique, or not there at all: SQLite takes every one
 * of them. And the references that validators ask for, of which no constraint is made.
 */
#include "config.h"

#include <stdio.h>
#include <strings.h>

#include "design.h"
#include "screen.h"

#define UNPROVEN_OF_PARTITIONED_SINCE 180000 /* NOT VALID foreign keys of partitioned tables */
#define FOREIGN_STAGE_MAX	      (sizeof(SCREEN_STAGE_OF) + POSTGRES_NAME_MAX)

/* ---- Does it fit its parent? ---------------------------------------------------------------------------------- */

static bool same_set(const char *const *a, size_t a_count, const char *const *b, size_t b_count)
{
	size_t i, k;

	for (i = 0; i < a_count; i++) {
		for (k = 0; k < b_count && strcasecmp(a[i], b[k]) != 0; k++)
			;
		if (k == b_count)
			return false;
	}
	return a_count == b_count;
}

static bool index_is_over(const struct etl_index *index, const char *const *columns, size_t count)
{
	const char *names[32];
	size_t i;

	if (!(index->flags & ETL_INDEX_UNIQUE) || index->where_sql || index->part_count > 32)
		return false;
	for (i = 0; i < index->part_count; i++) {
		names[i] = ETL_AT(const struct etl_index_part, index->parts, index->part_size, i)
				   ->column;
		if (!names[i])
			return false;
	}
	return same_set(names, index->part_count, columns, count);
}

static bool is_unique(const struct etl_table *t, const char *const *columns, size_t count)
{
	size_t i;

	if (t->primary.column_count &&
	    same_set(t->primary.columns, t->primary.column_count, columns, count))
		return true;
	for (i = 0; i < t->unique_count; i++) {
		const struct etl_key *key = ETL_AT(const struct etl_key, t->uniques, t->unique_size,
						   i);

		if (same_set(key->columns, key->column_count, columns, count))
			return true;
	}
	for (i = 0; i < t->index_count; i++) {
		if (index_is_over(ETL_AT(const struct etl_index, t->indexes, t->index_size, i),
				  columns, count))
			return true;
	}
	return false;
}

static const struct etl_column *find_column(const struct etl_table *t, const char *name)
{
	size_t i;

	for (i = 0; i < t->column_count; i++) {
		const struct etl_column *c = ETL_AT(const struct etl_column, t->columns,
						    t->column_size, i);

		if (strcasecmp(c->name, name) == 0)
			return c;
	}
	return NULL;
}

/* PostgreSQL compares a number with a number and everything else with its own kind. */
static bool types_meet(const struct design *d, const struct etl_column *a,
		       const struct etl_table *parent, const struct etl_column *b)
{
	struct design of_parent = *d;
	enum sql_kind x = design_kind(d, a), y;

	of_parent.table = parent;
	of_parent.same = parent->dialect && strcmp(parent->dialect, "postgresql") == 0;
	y = design_kind(&of_parent, b);
	if (x == y || x == SQL_NONE || y == SQL_NONE)
		return x != SQL_JSON;
	return x >= SQL_INT && x <= SQL_NUMERIC && y >= SQL_INT && y <= SQL_NUMERIC;
}

/* Why the server would refuse it, in WHY; false: it would not. */
static bool is_refused(const struct design *d, const struct etl_foreign_key *f,
		       const struct etl_parent *parent, char *why, size_t size)
{
	const struct etl_table *t = parent ? parent->table : NULL;
	const char *const *columns = f->parent_columns;
	size_t i;

	if (!parent)
		return false;
	if (!t) {
		snprintf(why, size, "there is no table \"%s\"", f->parent);
		return true;
	}
	if (!columns && t->primary.column_count != f->column_count) {
		snprintf(why, size, "\"%s\" has no primary key of as many columns", f->parent);
		return true;
	}
	columns = columns ? columns : t->primary.columns;
	for (i = 0; i < f->column_count; i++) {
		const struct etl_column *own = postgres_design_column(d, f->columns[i]);
		const struct etl_column *other = find_column(t, columns[i]);

		if (!other) {
			snprintf(why, size, "\"%s\" has no column \"%s\"", f->parent, columns[i]);
			return true;
		}
		if (own && !types_meet(d, own, t, other)) {
			snprintf(why, size, "\"%s\" and \"%s\" of \"%s\" are of types that are not "
					    "compared",
				 f->columns[i], columns[i], f->parent);
			return true;
		}
	}
	if (is_unique(t, columns, f->column_count))
		return false;
	snprintf(why, size, "what it refers to in \"%s\" is not unique", f->parent);
	return true;
}

/* The schema of a parent that is in another one than the table will be; NULL: the same. */
static const char *other_schema(const struct design *d, const struct etl_foreign_key *f,
				const struct etl_parent *parent)
{
	struct etl_table of = { .schema = f->parent_schema, .dialect = d->table->dialect };
	const char *schema = postgres_target_schema(d->inst, parent && parent->table ? parent->table :
										       &of);

	return f->parent_schema &&
			       strcmp(schema, postgres_target_schema(d->inst, d->table)) != 0 ?
		       schema :
		       NULL;
}

/* ---- Statements ------------------------------------------------------------------------------------------------- */

static void add_actions(const struct design *d, struct etl_text *sql, const struct etl_foreign_key *f)
{
	static const char *const actions[] = { NULL, "RESTRICT", "CASCADE", "SET NULL",
					       "SET DEFAULT" };

	if (f->match && strcasecmp(f->match, "FULL") == 0)
		etl_text_add(sql, " MATCH FULL");
	if (f->on_delete > ETL_NO_ACTION && f->on_delete <= ETL_SET_DEFAULT)
		etl_text_addf(sql, " ON DELETE %s", actions[f->on_delete]);
	if (f->on_delete == ETL_SET_NULL || f->on_delete == ETL_SET_DEFAULT)
		design_add_set_columns(d, f->name, sql);
	if (f->on_update > ETL_NO_ACTION && f->on_update <= ETL_SET_DEFAULT)
		etl_text_addf(sql, " ON UPDATE %s", actions[f->on_update]);
}

static void write_key(struct design *d, const struct etl_foreign_key *f, const char *schema,
		      const char *name, struct etl_text *sql)
{
	static const char *const defer[] = { "", " DEFERRABLE", " DEFERRABLE INITIALLY DEFERRED" };
	bool deferred = d->run && d->run->foreign_keys == ETL_FK_DEFER;

	etl_text_add(sql, "ALTER TABLE ");
	postgres_add_name(sql, NULL, d->table->name);
	etl_text_add(sql, " ADD ");
	if (name) {
		etl_text_add(sql, "CONSTRAINT ");
		etl_text_add_name(sql, name, '"');
		etl_text_add(sql, " ");
	}
	etl_text_add(sql, "FOREIGN KEY (");
	design_add_columns(sql, NULL, f->columns, f->column_count);
	etl_text_add(sql, ") REFERENCES ");
	postgres_add_name(sql, schema, f->parent);
	if (f->parent_columns) {
		etl_text_add(sql, " (");
		design_add_columns(sql, NULL, f->parent_columns, f->column_count);
		etl_text_add(sql, ")");
	}
	add_actions(d, sql, f);
	if (deferred)
		etl_text_add(sql, defer[2]);
	else if (f->deferrable > ETL_NOT_DEFERRABLE && f->deferrable <= ETL_DEFERRABLE_DEFERRED)
		etl_text_add(sql, defer[f->deferrable]);
}

/* Before 18 a partitioned table takes no key that is NOT VALID. */
static bool takes_unproven(const struct design *d)
{
	return !design_partitions(d) || d->inst->version >= UNPROVEN_OF_PARTITIONED_SINCE;
}

/* A key that has been found to hold may say so; one that does not is kept for the rows to come. */
static int validate_reported(struct design *d, const char *part, const char *name, int32_t phase)
{
	struct etl_text body = { 0 }, validate = { 0 };

	etl_text_add(&body, "BEGIN\n\tALTER TABLE ");
	postgres_add_name(&body, NULL, d->table->name);
	etl_text_add(&body, " VALIDATE CONSTRAINT ");
	etl_text_add_name(&body, name, '"');
	etl_text_add(&body, ";\nEXCEPTION WHEN foreign_key_violation THEN\n"
			    "\tRAISE NOTICE 'a foreign key is left NOT VALID: %', SQLERRM;\nEND");
	design_add_block(&validate, &body);
	etl_text_free(&body);
	return postgres_design_part(d, phase, ETL_EXACT, "foreign key validation", part, &validate,
			   "where no row breaks it");
}

/* Where there is no key that may be broken, there is the whole key or none. */
static int make_whole_or_none(struct design *d, const char *part, int32_t phase, struct etl_text *sql)
{
	struct etl_text body = { 0 }, block = { 0 };

	etl_text_addf(&body, "BEGIN\n\t%s;\nEXCEPTION WHEN foreign_key_violation THEN\n\tRAISE WARNING '%%', format(",
		      sql->at ? sql->at : "");
	etl_text_add_literal(&body, "the foreign key %s of %s is left out, because rows break it and a partitioned table "
				    "takes no key that is NOT VALID before PostgreSQL 18: %s");
	etl_text_add(&body, ", ");
	etl_text_add_literal(&body, part);
	etl_text_add(&body, ", ");
	etl_text_add_literal(&body, d->table->name);
	etl_text_add(&body, ", SQLERRM);\nEND");
	body.failed |= sql->failed;
	etl_text_free(sql);
	design_add_block(&block, &body);
	etl_text_free(&body);
	return postgres_design_part(
		d, phase, ETL_APPROXIMATED, "foreign key", part, &block,
		"broken keys are reported and stay; where there are some the key is left out and named, for a partitioned table "
		"takes no key that is NOT VALID before PostgreSQL 18");
}

static int make_reported(struct design *d, const char *part, const char *name, int32_t phase,
			 struct etl_text *sql)
{
	int rc;

	if (!takes_unproven(d))
		return make_whole_or_none(d, part, phase, sql);
	etl_text_add(sql, " NOT VALID");
	rc = postgres_design_part(d, phase, ETL_EXACT, "foreign key", part, sql,
			 "broken keys are reported and stay; the key holds for rows to come");
	return rc ? rc : validate_reported(d, part, name, phase);
}

/* Without looking at what is there. Of a partitioned table the server (before 18) makes no key in that way. */
static int make_deferred(struct design *d, const char *part, int32_t phase, struct etl_text *sql)
{
	if (!takes_unproven(d))
		return postgres_design_part(
			d, phase, ETL_APPROXIMATED, "foreign key", part, sql,
			"looked at when a transaction ends, as foreign_keys = \"defer\" says; what is there is looked at "
			"too, for a partitioned table has no key that is NOT VALID");
	etl_text_add(sql, " NOT VALID");
	return postgres_design_part(
		d, phase, ETL_APPROXIMATED, "foreign key", part, sql,
		"foreign_keys = \"defer\": rows that are there are not validated, rows to come are looked at when a "
		"transaction ends; ALTER TABLE … VALIDATE CONSTRAINT when the rows are right");
}

/* As the server would call it: table_column_fkey. */
static void add_key_name(struct etl_text *to, const struct design *d, const struct etl_foreign_key *f)
{
	size_t i;

	etl_text_add(to, d->table->name);
	for (i = 0; i < f->column_count; i++)
		etl_text_addf(to, "_%s", f->columns[i]);
	etl_text_add(to, "_fkey");
}

/* How many other keys have NAME: of those without one of their own, the ones that come before F. */
static size_t count_namesakes(const struct design *d, const struct etl_foreign_key *f,
			      const char *name, bool *failed)
{
	size_t i, ret = 0;
	bool before = true;

	for (i = 0; i < d->table->foreign_key_count; i++) {
		const struct etl_foreign_key *other = ETL_AT(const struct etl_foreign_key,
							     d->table->foreign_keys,
							     d->table->foreign_key_size, i);
		struct etl_text own = { 0 };

		before = before && other != f;
		if (!other->name && !before)
			continue;
		if (!other->name)
			add_key_name(&own, d, other);
		*failed = *failed || own.failed;
		ret += strcmp(other->name ? other->name : own.at ? own.at : "", name) == 0;
		etl_text_free(&own);
	}
	return ret;
}

/* A name that a statement can speak of, where the source has none, in BUF; NULL: none is needed. *FAILED: no memory. */
static const char *key_name(const struct design *d, const struct etl_foreign_key *f, char *buf,
			    bool *failed)
{
	struct etl_text name = { 0 };
	const char *fit;
	size_t n;

	if (f->name)
		return postgres_short_name(f->name, buf);
	if (!d->run || d->run->foreign_keys != ETL_FK_REPORT)
		return NULL;
	add_key_name(&name, d, f);
	n = name.failed ? 0 : count_namesakes(d, f, name.at, failed);
	if (n > 0)
		etl_text_addf(&name, "%zu", n);
	*failed = *failed || name.failed;
	if (!*failed) {
		fit = postgres_short_name(name.at, buf);
		if (fit != buf)
			memcpy(buf, fit, strlen(fit) + 1);
	}
	etl_text_free(&name);
	return *failed ? NULL : buf;
}

/* ---- What finds rows ---------------------------------------------------------------------------------------------- */

/* AND no row of the parent has these values. */
static void add_parent(struct etl_text *sql, const struct etl_foreign_key *f,
		       const char *const *parents, const char *schema)
{
	size_t i;

	etl_text_add(sql, " AND NOT EXISTS (SELECT FROM ");
	postgres_add_name(sql, schema, f->parent);
	etl_text_add(sql, " AS p WHERE ");
	for (i = 0; i < f->column_count; i++) {
		etl_text_add(sql, i ? " AND p." : "p.");
		postgres_add_name(sql, NULL, parents[i]);
		etl_text_add(sql, " = t.");
		postgres_add_name(sql, NULL, f->columns[i]);
	}
	etl_text_add(sql, ")");
}

/* Where the rows of a parent are while its children wait. */
struct whereabouts {
	const char *staged; /* NULL: beside the child */
	const char *live;   /* the schema in which there are further ones, or NULL */
};

static void add_orphans(struct etl_text *sql, const struct etl_foreign_key *f,
			const char *const *parents, const struct whereabouts *where)
{
	bool full = f->match && strcasecmp(f->match, "FULL") == 0;
	size_t i;

	etl_text_add(sql, "(");
	for (i = 0; i < f->column_count; i++) {
		etl_text_addf(sql, "%st.", i ? full ? " OR " : " AND " : "");
		postgres_add_name(sql, NULL, f->columns[i]);
		etl_text_add(sql, " IS NOT NULL");
	}
	etl_text_add(sql, ")");
	add_parent(sql, f, parents, where->staged);
	if (where->live)
		add_parent(sql, f, parents, where->live);
}

static int screen_orphans(struct design *d, const struct etl_foreign_key *f,
			  const char *const *parents, const struct whereabouts *where, const char *kind,
			  const char *object, const char *note)
{
	bool parted = design_partitions(d) != NULL;
	struct etl_text sql = { 0 };
	int rc;

	etl_text_addf(&sql, "SELECT %s FROM ", parted ? DESIGN_PARTITIONED_ROW : "t.ctid");
	postgres_add_name(&sql, NULL, d->table->name);
	etl_text_add(&sql, " AS t WHERE ");
	add_orphans(&sql, f, parents, where);
	etl_text_add(&sql, parted ? " ORDER BY t.tableoid, t." DESIGN_LOAD_ORDER : " ORDER BY t." DESIGN_LOAD_ORDER);
	rc = sql.failed ? postgres_design_no_memory(d) :
			  postgres_design_step(d, ETL_PHASE_SCREEN, ETL_EXACT, kind, object, sql.at, note);
	etl_text_free(&sql);
	return rc;
}

/* 1, or 0: nobody knows whether the parent, of another schema, comes with the run. BUF: FOREIGN_STAGE_MAX. */
static int find_parent(struct design *d, const struct etl_foreign_key *f, const struct etl_parent *parent,
		       char *buf, const char **ret)
{
	const char *schema = other_schema(d, f, parent);

	*ret = NULL;
	if (!schema)
		return 1;
	if (!parent || !parent->table || strlen(schema) > POSTGRES_NAME_MAX)
		return 0;
	snprintf(buf, FOREIGN_STAGE_MAX, SCREEN_STAGE_OF "%s", schema);
	*ret = parent->in_run ? buf : schema;
	return 1;
}

int design_screen_foreign_key(struct design *d, const struct etl_foreign_key *f,
			      const struct etl_parent *parent, const char *live)
{
	const char *part = f->name ? f->name : f->columns[0];
	const char *const *columns = f->parent_columns;
	bool report = d->run && d->run->foreign_keys == ETL_FK_REPORT;
	struct whereabouts where = { .live = live };
	char buf[FOREIGN_STAGE_MAX];
	struct etl_text object = { 0 };
	int rc = find_parent(d, f, parent, buf, &where.staged);

	if (!columns && parent && parent->table)
		columns = parent->table->primary.columns;
	if (!rc || !columns)
		return ETL_OK;
	etl_text_addf(&object, "%s.%s", d->table->name, part);
	rc = object.failed ? postgres_design_no_memory(d) :
			     screen_orphans(d, f, columns, &where, "foreign key", object.at,
					    report ? "broken keys are reported" :
						     "rows that break it are rejected");
	etl_text_free(&object);
	return rc;
}

/* ---- Each ----------------------------------------------------------------------------------------------------------- */

/* The source may set some of them only, which its statement says; of a table that the pipeline changes there is none. */
static bool may_set_fewer(const struct design *d, const struct etl_foreign_key *f)
{
	return d->same && !d->table->ddl && f->column_count > 1 &&
	       (f->on_delete == ETL_SET_NULL || f->on_delete == ETL_SET_DEFAULT);
}

static int make_key(struct design *d, const struct etl_foreign_key *f,
		    const struct etl_parent *parent, const char *part)
{
	const char *schema = other_schema(d, f, parent);
	/* A table that stays has its keys in the target alone, where the staged one has none. */
	bool stays = d->run && d->run->on_existing == ETL_EXISTING_TRUNCATE;
	bool outside = schema || stays || (parent && parent->table && !parent->in_run);
	int32_t phase = outside ? ETL_PHASE_PUBLISH : ETL_PHASE_FINISH;
	struct etl_text sql = { 0 };
	char buf[POSTGRES_NAME_MAX + 1];
	bool failed = false;
	const char *name = key_name(d, f, buf, &failed);

	if (failed)
		return postgres_design_no_memory(d);
	write_key(d, f, schema, name, &sql);
	if (d->run && d->run->foreign_keys == ETL_FK_REPORT)
		return make_reported(d, part, name, phase, &sql);
	if (design_is_unproven(d, f->name) && !takes_unproven(d))
		return make_whole_or_none(d, part, phase, &sql);
	if (design_is_unproven(d, f->name)) {
		etl_text_add(&sql, " NOT VALID");
		return postgres_design_part(d, phase, ETL_EXACT, "foreign key", part, &sql,
				   "as in the source: rows that break it stay, it holds for rows to come");
	}
	if (d->run && d->run->foreign_keys == ETL_FK_DEFER)
		return make_deferred(d, part, phase, &sql);
	if (f->match && strcasecmp(f->match, "PARTIAL") == 0)
		return postgres_design_part(d, phase, ETL_WIDENED, "foreign key", part, &sql,
				   "PostgreSQL has no MATCH PARTIAL");
	if (may_set_fewer(d, f))
		return postgres_design_part(d, phase, ETL_APPROXIMATED, "foreign key", part, &sql,
				   "ON DELETE SET … sets all of its columns here; if it names some in the source, that "
				   "is not known of a table which the pipeline changes");
	return postgres_design_part(d, phase, ETL_EXACT, "foreign key", part, &sql, NULL);
}

int design_foreign_key(struct design *d, const struct etl_foreign_key *f,
		       const struct etl_parent *parent)
{
	const char *part = f->name ? f->name : f->columns[0];
	char why[400];
	size_t i;
	int rc;

	if (d->run && d->run->foreign_keys == ETL_FK_DROP)
		return design_skip(d, "foreign key", part,
				   "foreign_keys = \"drop\" in the pipeline", NULL);
	for (i = 0; i < f->column_count; i++) {
		if (!postgres_design_column(d, f->columns[i]))
			return design_skip(d, "foreign key", part,
					   "one of its columns is not in the target", NULL);
	}
	if (is_refused(d, f, parent, why, sizeof(why)))
		return design_skip(d, "foreign key", part, why, NULL);
	rc = (design_looks(d) && !design_is_unproven(d, f->name) &&
	      d->run->foreign_keys != ETL_FK_DEFER) ||
			     (d->run && d->run->foreign_keys == ETL_FK_REPORT) ?
		     design_screen_foreign_key(d, f, parent, NULL) :
		     ETL_OK;
	return rc ? rc : make_key(d, f, parent, part);
}

/* "orders.customer_id to customer.id", of several columns "…(a, b) to …(c, d)". */
static void add_object(struct etl_text *to, const struct design *d, const struct etl_foreign_key *r)
{
	size_t i;

	etl_text_addf(to, "%s.", d->table->name);
	for (i = 0; i < r->column_count; i++)
		etl_text_addf(to, "%s%s", i ? ", " : "", r->columns[i]);
	etl_text_addf(to, " to %s.", r->parent);
	for (i = 0; i < r->column_count; i++)
		etl_text_addf(to, "%s%s", i ? ", " : "", r->parent_columns[i]);
}

/* The rows of another schema are elsewhere while these wait, or are in the target alone: which of the two nobody says here. */
static int refuse_elsewhere(struct design *d, const struct etl_foreign_key *r)
{
	d->inst->host->at(d->err, d->table->name, r->columns[0], NULL);
	return d->inst->host->fail(d->err, ETL_USAGE, NULL, 0,
				   "references: \"%s.%s\" is in another schema of the target than \"%s\", and rows are "
				   "rejected for a table of their own schema only; write severity = \"warn\" or \"fail\"",
				   other_schema(d, r, NULL), r->parent, d->table->name);
}

int postgres_design_references(struct design *d)
{
	const struct whereabouts beside = { 0 };
	size_t i;
	int rc = ETL_OK;

	for (i = 0; !rc && d->load && i < d->load->reference_count; i++) {
		const struct etl_foreign_key *r = ETL_AT(const struct etl_foreign_key,
							 d->load->references,
							 d->load->reference_size, i);
		struct etl_text object = { 0 };

		if (other_schema(d, r, NULL))
			return refuse_elsewhere(d, r);
		add_object(&object, d, r);
		rc = object.failed ? postgres_design_no_memory(d) :
				     screen_orphans(d, r, r->parent_columns, &beside, "reference",
						    object.at,
						    design_looks(d) ?
							    "rows without the one they refer to "
							    "are rejected" :
							    "a row without the one it refers to "
							    "fails the run");
		etl_text_free(&object);
	}
	return rc;
}
