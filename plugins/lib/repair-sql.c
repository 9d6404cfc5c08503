/* What repairs of every dialect have in common: repair-sql.h. */
#include "config.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "repair-sql.h"

/* ---- Parts ------------------------------------------------------------------------------------------------------- */

const char *etl_repair_name(const struct etl_repairing *r, int64_t column)
{
	return r->ask->schema->children[column]->name;
}

const struct etl_column *etl_repair_column(const struct etl_repairing *r, int64_t column)
{
	const struct etl_table *t = r->ask->table;

	for (size_t i = 0; i < t->column_count; i++) {
		const struct etl_column *c = ETL_AT(const struct etl_column, t->columns, t->column_size, i);

		if (strcmp(c->name, etl_repair_name(r, column)) == 0)
			return c;
	}
	return NULL;
}

bool etl_repair_is_declared(const struct etl_repairing *r, int64_t column, const char *begins)
{
	const struct etl_column *c = etl_repair_column(r, column);

	return c && c->declared && strncasecmp(c->declared, begins, strlen(begins)) == 0;
}

void etl_repair_add_factors(struct etl_text *sql, double v, const char *real, const char *point)
{
	int exponent, rest;
	int64_t whole = (int64_t)ldexp(frexp(v, &exponent), DBL_MANT_DIG);

	exponent -= DBL_MANT_DIG;
	etl_text_addf(sql, "(CAST(%" PRId64 " AS %s)", whole, real);
	for (rest = abs(exponent); rest > 0; rest -= 32)
		etl_text_addf(sql, " %c %" PRId64 "%s", exponent > 0 ? '*' : '/', INT64_C(1) << (rest < 32 ? rest : 32), point);
	etl_text_add(sql, ")");
}

int etl_repair_refuse(struct etl_repairing *r, const struct etl_view *view, int64_t column, int64_t row, const char *why)
{
	struct etl_text key = { 0 };
	int rc;

	for (size_t i = 0; i < r->ask->key_count; i++) {
		int64_t at = etl_schema_find(r->ask->schema, r->ask->key[i]);

		etl_text_addf(&key, "%s%s=", i ? " " : "", r->ask->key[i]);
		etl_text_add_value(&key, &view->columns[at], row);
	}
	r->host->at(r->err, r->ask->table->name, etl_repair_name(r, column), key.at);
	rc = r->host->fail(r->err, ETL_DATA, NULL, 0, "a value cannot be written in SQL: %s", why);
	etl_text_free(&key);
	return rc;
}

int etl_repair_add_whole_row(struct etl_repairing *r, const struct etl_repair_words *w)
{
	int rc = ETL_OK;

	for (int64_t i = 0; i < r->before->count && rc == ETL_OK; i++) {
		etl_text_add(&r->sql, i ? " AND " : " WHERE ");
		rc = w->add_condition(r, i, false);
	}
	return rc;
}

static int add_key(struct etl_repairing *r, const struct etl_repair_words *w)
{
	int rc = ETL_OK;

	for (size_t i = 0; i < r->ask->key_count && rc == ETL_OK; i++) {
		etl_text_add(&r->sql, i ? " AND " : " WHERE ");
		rc = w->add_condition(r, etl_schema_find(r->ask->schema, r->ask->key[i]), true);
	}
	return rc;
}

/* ---- Statements ---------------------------------------------------------------------------------------------------- */

static int add_around(struct etl_repairing *r, int (*around)(struct etl_repairing *, bool behind), bool behind)
{
	return around ? around(r, behind) : ETL_OK;
}

static int add_insert(struct etl_repairing *r, const struct etl_repair_words *w)
{
	int rc = add_around(r, w->around_insert, false);

	if (rc < 0)
		return rc;
	etl_text_add(&r->sql, "INSERT INTO ");
	w->add_table(r);
	for (int64_t i = 0; i < r->after->count; i++) {
		etl_text_add(&r->sql, i ? ", " : " (");
		w->add_name(r, i);
	}
	etl_text_addf(&r->sql, ")%s VALUES (", w->overriding);
	for (int64_t i = 0; i < r->after->count && rc == ETL_OK; i++) {
		etl_text_add(&r->sql, i ? ", " : "");
		rc = w->add_value(r, r->after, i, r->ask->after_row);
	}
	etl_text_add(&r->sql, ");\n");
	return rc == ETL_OK ? add_around(r, w->around_insert, true) : rc;
}

static int add_update(struct etl_repairing *r, const struct etl_repair_words *w)
{
	int rc = add_around(r, w->around_update, false);

	if (rc < 0)
		return rc;
	etl_text_add(&r->sql, "UPDATE ");
	w->add_table(r);
	for (size_t i = 0; i < r->ask->column_count && rc == ETL_OK; i++) {
		etl_text_add(&r->sql, i ? ", " : " SET ");
		w->add_name(r, r->ask->columns[i]);
		etl_text_add(&r->sql, " = ");
		rc = w->add_value(r, r->after, r->ask->columns[i], r->ask->after_row);
	}
	if (rc == ETL_OK)
		rc = add_key(r, w);
	etl_text_add(&r->sql, ";\n");
	return rc == ETL_OK ? add_around(r, w->around_update, true) : rc;
}

static int add_delete(struct etl_repairing *r, const struct etl_repair_words *w)
{
	int rc;

	if (r->ask->key_count) {
		etl_text_add(&r->sql, "DELETE FROM ");
		w->add_table(r);
		rc = add_key(r, w);
	} else {
		rc = w->add_delete_whole(r);
	}
	etl_text_add(&r->sql, ";\n");
	return rc;
}

static int add_statement(struct etl_repairing *r, const struct etl_repair_words *w)
{
	int rc = ETL_OK;

	switch (r->ask->kind) {
	case ETL_REPAIR_BEGIN:
		etl_text_add(&r->sql, w->begin);
		return ETL_OK;
	case ETL_REPAIR_END:
		etl_text_add(&r->sql, w->end);
		return ETL_OK;
	case ETL_REPAIR_INSERT:
		for (uint64_t i = 0; i < r->ask->rows && rc == ETL_OK; i++)
			rc = add_insert(r, w);
		return rc;
	case ETL_REPAIR_UPDATE:
		return add_update(r, w);
	default:
		return add_delete(r, w);
	}
}

/* ---- The whole ------------------------------------------------------------------------------------------------------ */

static bool set_view(struct etl_view **ret, const struct etl_repair *ask, const struct ArrowArray *batch)
{
	if (!batch)
		return true;
	*ret = etl_view_new(ask->schema);
	return *ret && etl_view_set(*ret, batch);
}

int etl_repair_write(struct etl_instance *inst, const struct etl_host *host, const struct etl_repair_words *w,
		     const struct etl_repair *ask, struct etl_sql_sink *sink, struct etl_error *err)
{
	struct etl_repairing r = { .inst = inst, .host = host, .ask = ask, .err = err };
	bool enough = set_view(&r.before, ask, ask->before) && set_view(&r.after, ask, ask->after);
	int rc = enough ? add_statement(&r, w) : ETL_OK;

	if (rc == ETL_OK && (!enough || r.sql.failed))
		rc = host->fail(err, ETL_MEMORY, NULL, 0, "no memory");
	if (rc == ETL_OK)
		rc = sink->emit(sink, r.sql.at, r.sql.length);
	etl_view_free(r.before);
	etl_view_free(r.after);
	etl_text_free(&r.sql);
	return rc;
}
