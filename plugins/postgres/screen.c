/*
 * See screen.h. What a step finds is kept in a temporary table for as long as its transaction lasts, so that what is
 * told and what is taken out is the same.
 */
#include "config.h"

#include <stdlib.h>

#include "design.h"
#include "into.h"
#include "load.h"
#include "screen.h"

static int no_memory(const struct screen *s)
{
	return postgres_no_memory(s->inst, s->err);
}

/* ---- What is said of a row -------------------------------------------------------------------------------------- */

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static const char *code_of(const char *kind)
{
	if (begins(kind, "foreign key"))
		return "foreign_key";
	if (strcmp(kind, "reference") == 0)
		return "references";
	if (begins(kind, "check"))
		return "check";
	if (begins(kind, "not null"))
		return "not_null";
	return begins(kind, "exclu") ? "exclusion" : "duplicate";
}

/* Behind the table's name and a point; the whole when it is not that. */
static const char *part_of(const struct screen *s)
{
	const char *table = s->load->table->name, *object = s->step->object;
	size_t length = strlen(table);

	if (object && strncmp(object, table, length) == 0 && object[length] == '.')
		return object + length + 1;
	return object ? object : table;
}

static bool is_called(const char *name, const char *part)
{
	return name && part && strcmp(name, part) == 0;
}

static void add_columns(struct etl_text *to, const char *const *columns, size_t count)
{
	for (size_t i = 0; i < count; i++)
		etl_text_addf(to, "%s%s", i ? ", " : "", columns[i]);
}

/* "a, b" of the key that the step is about, as far as its name tells. */
static void find_columns(const struct screen *s, struct etl_text *to)
{
	const struct etl_table *t = s->load->table;
	const char *part = part_of(s);

	if (begins(s->step->kind, "primary") ||
	    (strcmp(s->step->kind, "unique check") == 0 && t->primary.column_count &&
	     is_called(t->primary.name ? t->primary.name : t->primary.columns[0], part)))
		add_columns(to, t->primary.columns, t->primary.column_count);
	for (size_t i = 0; begins(s->step->kind, "foreign") && i < t->foreign_key_count; i++) {
		const struct etl_foreign_key *k = ETL_AT(const struct etl_foreign_key, t->foreign_keys,
							 t->foreign_key_size, i);

		if (!to->length && is_called(k->name ? k->name : k->columns[0], part))
			add_columns(to, k->columns, k->column_count);
	}
	for (size_t i = 0; begins(s->step->kind, "unique") && i < t->unique_count; i++) {
		const struct etl_key *k = ETL_AT(const struct etl_key, t->uniques, t->unique_size, i);

		if (!to->length && (t->unique_count == 1 || is_called(k->name, part) ||
				    is_called(k->columns[0], part)))
			add_columns(to, k->columns, k->column_count);
	}
}

static const char *parent_of(const struct screen *s)
{
	const struct etl_table *t = s->load->table;

	for (size_t i = 0; i < t->foreign_key_count; i++) {
		const struct etl_foreign_key *k = ETL_AT(const struct etl_foreign_key, t->foreign_keys,
							 t->foreign_key_size, i);

		if (is_called(k->name ? k->name : k->columns[0], part_of(s)))
			return k->parent;
	}
	return NULL;
}

static void add_reason(const struct screen *s, struct etl_text *to)
{
	const char *columns = s->columns ? s->columns : "the row", *parent = parent_of(s);

	if (s->raised)
		etl_text_addf(to, "the %s \"%s\" cannot be worked out for the row", s->step->kind, part_of(s));
	else if (strcmp(s->step->kind, "unique check") == 0)
		etl_text_addf(to, "the target's table has a row with the same %s, which is unique there",
			      s->columns ? columns : part_of(s));
	else if (strcmp(s->code, "duplicate") == 0)
		etl_text_addf(to, "an earlier row has the same %s, of which %s \"%s\" takes one",
			      s->columns ? columns : "values", s->step->kind, part_of(s));
	else if (strcmp(s->code, "foreign_key") == 0 && parent)
		etl_text_addf(to, "%s refers to a row that \"%s\" does not have", columns, parent);
	else if (strcmp(s->code, "references") == 0)
		etl_text_addf(to, "the row refers to one that is not there (%s)", part_of(s));
	else
		etl_text_addf(to, "the %s \"%s\" does not take the row", s->step->kind, part_of(s));
}

static int describe(struct screen *s)
{
	struct etl_text columns = { 0 }, reason = { 0 };

	s->code = code_of(s->step->kind);
	if (s->raised && strcmp(s->code, "duplicate") == 0)
		s->code = "refused";
	find_columns(s, &columns);
	if (columns.length)
		s->columns = etl_text_take(&columns);
	add_reason(s, &reason);
	s->reason = etl_text_take(&reason);
	if (columns.failed || !s->reason)
		return no_memory(s);
	return ETL_OK;
}

/* ---- Finding and taking out ---------------------------------------------------------------------------------------- */

const char *screen_row(const struct screen *s)
{
	return begins(s->step->sql, "SELECT " DESIGN_PARTITIONED_ROW) ? DESIGN_PARTITIONED_ROW : "t.ctid";
}

/* The stage that is meant at *AT, which stands at a quoted name that begins with SCREEN_STAGE_OF, and moves behind it. */
static int add_stage(struct screen *s, const char **at, struct etl_text *to)
{
	const char *p = *at + strlen("\"" SCREEN_STAGE_OF);
	char name[POSTGRES_NAME_MAX + 1];
	struct etl_text schema = { 0 };
	int rc;

	for (; *p && (*p != '"' || p[1] == '"'); p++) {
		p += *p == '"';
		etl_text_add_bytes(&schema, p, 1);
	}
	*at = *p ? p + 1 : p;
	rc = schema.failed || !schema.at ? no_memory(s) :
					   stage_name(s->inst, s->load->run, schema.at, name, s->err);
	if (rc == ETL_OK)
		etl_text_add_name(to, name, '"');
	etl_text_free(&schema);
	return rc;
}

static int add_step(struct screen *s, struct etl_text *to)
{
	const char *at = s->step->sql, *next;
	int rc = ETL_OK;

	while (rc == ETL_OK && (next = strstr(at, "\"" SCREEN_STAGE_OF))) {
		etl_text_add_bytes(to, at, (size_t)(next - at));
		at = next;
		rc = add_stage(s, &at, to);
	}
	etl_text_add(to, at);
	return rc;
}

static int add_find(struct screen *s, struct etl_text *sql)
{
	int rc;

	etl_text_add(sql, "CREATE TEMPORARY TABLE _etlrun_found ON COMMIT DROP AS SELECT at, min(n) AS n, NULL::text AS "
			  "words FROM (SELECT at, row_number() OVER () AS n FROM (");
	rc = add_step(s, sql);
	etl_text_add(sql, "\n) AS f (at)) AS g GROUP BY at");
	return rc == ETL_OK && sql->failed ? no_memory(s) : rc;
}

/* An expression may be one that cannot be worked out for some rows: then these are what is found. */
static int find_with_care(struct screen *s, uint64_t *ret)
{
	struct etl_text sql = { 0 };
	PGresult *result;
	int rc;

	etl_text_add(&sql, "SAVEPOINT screen; ");
	rc = add_find(s, &sql);
	if (rc < 0) {
		etl_text_free(&sql);
		return rc;
	}
	result = PQexec(s->inst->db, sql.at);
	etl_text_free(&sql);
	if (PQresultStatus(result) == PGRES_COMMAND_OK) {
		*ret = strtoull(PQcmdTuples(result), NULL, 10);
		PQclear(result);
		return postgres_run(s->inst, s->err, "RELEASE screen");
	}
	if (!careful_is_data(result))
		return postgres_fail(s->inst, result, s->err, "%s \"%s\"", s->step->kind, part_of(s));
	PQclear(result);
	s->raised = true;
	rc = postgres_run(s->inst, s->err, "ROLLBACK TO screen; RELEASE screen");
	return rc == ETL_OK ? screen_raised(s, ret) : rc;
}

static int find(struct screen *s, uint64_t *ret)
{
	struct etl_text sql = { 0 };
	int rc;

	if (begins(s->step->kind, "check") || begins(s->step->kind, "index"))
		return find_with_care(s, ret);
	rc = add_find(s, &sql);
	if (rc == ETL_OK)
		rc = postgres_change(s->inst, s->err, ret, sql.at, 0, NULL);
	etl_text_free(&sql);
	return rc;
}

static int take_out(struct screen *s, uint64_t wanted)
{
	struct etl_text sql = { 0 };
	uint64_t gone = 0;
	int rc;

	rc = into_keep_keys(s->inst, s->load, s->token, s->err);
	if (rc < 0)
		return rc;
	etl_text_add(&sql, "DELETE FROM ");
	postgres_add_name(&sql, s->token->text, s->load->table->name);
	etl_text_addf(&sql, " AS t WHERE %s = ANY (ARRAY (SELECT at FROM pg_temp._etlrun_found))", screen_row(s));
	rc = sql.failed ? no_memory(s) : postgres_change(s->inst, s->err, &gone, sql.at, 0, NULL);
	etl_text_free(&sql);
	if (rc == ETL_OK && gone != wanted)
		rc = s->inst->host->fail(s->err, ETL_BUG, NULL, 0,
					 "table \"%s\": %llu rows were to be taken out of the "
					 "staging schema, and %llu were",
					 s->load->table->name, (unsigned long long)wanted,
					 (unsigned long long)gone);
	return rc;
}

/* Of a load that brought nothing, nothing can be found. */
static int has_rows(struct etl_instance *inst, const struct etl_load *load, const struct etl_token *token, bool *ret,
		    struct etl_error *err)
{
	struct etl_text sql = { 0 };
	int rc;

	etl_text_add(&sql, "SELECT EXISTS (SELECT FROM ");
	postgres_add_name(&sql, token->text, load->table->name);
	etl_text_add(&sql, ")");
	rc = sql.failed ? postgres_no_memory(inst, err) : postgres_flag(inst, err, ret, sql.at, 0, NULL);
	etl_text_free(&sql);
	return rc;
}

static int apply_once(struct etl_instance *inst, const struct etl_load *load,
		      const struct etl_token *token, const struct etl_step *step,
		      struct etl_found_sink *sink, uint64_t *ret, bool *ret_raised, struct etl_error *err)
{
	struct screen s = { .inst = inst,
			    .load = load,
			    .token = token,
			    .step = step,
			    .sink = sink,
			    .err = err };
	uint64_t count = 0;
	int rc = find(&s, &count);

	if (rc == ETL_OK)
		rc = describe(&s);
	if (rc == ETL_OK && count)
		rc = screen_tell(&s, (int64_t)count);
	if (rc == ETL_OK && count && sink->take_out)
		rc = take_out(&s, count);
	if (rc == ETL_OK)
		*ret = sink->take_out ? count : 0;
	*ret_raised = s.raised;
	free(s.columns);
	free(s.reason);
	return rc;
}

/* A row that is taken out leaves the target's own as it is, and with it a value that another one may have been to take.
 * When those are gone for which an expression could not be worked out, the question can be put to the others. */
int screen_apply(struct etl_instance *inst, const struct etl_load *load,
		 const struct etl_token *token, const struct etl_step *step,
		 struct etl_found_sink *sink, uint64_t *ret, struct etl_error *err)
{
	uint64_t taken = 0, all = 0;
	bool raised, any = false;
	int rc = has_rows(inst, load, token, &any, err);

	if (rc < 0 || !any)
		return rc;
	do {
		taken = 0;
		rc = apply_once(inst, load, token, step, sink, &taken, &raised, err);
		all += taken;
		if (rc == ETL_OK && taken)
			rc = postgres_run(inst, err, "DROP TABLE pg_temp._etlrun_found");
	} while (rc == ETL_OK && taken && (raised || strcmp(step->kind, "unique check") == 0));
	if (rc == ETL_OK)
		*ret = all;
	return rc;
}
