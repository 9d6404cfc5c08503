/*
 * Indexes that rows may fail. One is simply made: most are over clean rows, and looking for duplicates first would
 * sort the table twice. Only when SQLite refuses are the duplicates found, as the index itself tells them apart:
 * by its expressions and collations, among the rows of its WHERE, NULL being like nothing.
 */
#include "config.h"

#include <stdlib.h>

#include "ddl.h"
#include "pages.h"
#include "screen.h"

static int no_memory(struct etl_instance *inst, struct etl_error *err)
{
	return inst->host->fail(err, ETL_MEMORY, NULL, 0, "%s: no memory", inst->path);
}

static int is_made(struct etl_instance *inst, const char *index, bool *ret, struct etl_error *err)
{
	int64_t found = 0;
	int rc = sqlite_number_of(
		inst, inst->stage,
		"SELECT count(*) FROM main.sqlite_schema WHERE type = 'index' AND name = "
		"?1 COLLATE NOCASE",
		index, 0, &found, err);

	*ret = found != 0;
	return rc;
}

void screen_add_part(const struct ddl_part *p, struct etl_text *to)
{
	if (p->column) {
		etl_text_add(to, "t.");
		etl_text_add_name(to, p->column, '"');
	} else {
		etl_text_addf(to, "(%s\n)", p->expression ? p->expression : "NULL");
	}
	if (p->collation) {
		etl_text_add(to, " COLLATE ");
		etl_text_add_name(to, p->collation, '"');
	}
}

/* All but the first of each group, as it was loaded. */
static char *find_sql(const struct screen *s, const struct ddl_index *index)
{
	struct etl_text sql = { 0 };
	size_t i;

	etl_text_add(&sql, "SELECT ");
	for (i = 0; i < s->id_count; i++)
		etl_text_addf(&sql, "%s\"etlrun.%zu\"", i ? ", " : "", i);
	etl_text_add(&sql, " FROM (SELECT ");
	for (i = 0; i < s->id_count; i++) {
		etl_text_add(&sql, i ? ", t." : "t.");
		etl_text_add_name(&sql, s->ids[i], '"');
		etl_text_addf(&sql, " AS \"etlrun.%zu\"", i);
	}
	etl_text_add(&sql, ", row_number() OVER (PARTITION BY ");
	for (i = 0; i < index->part_count; i++) {
		etl_text_add(&sql, i ? ", " : "");
		screen_add_part(&index->parts[i], &sql);
	}
	etl_text_addf(&sql, " ORDER BY %s) AS \"etlrun.place\" FROM main.", s->order);
	etl_text_add_name(&sql, s->table, '"');
	etl_text_add(&sql, " AS t WHERE ");
	for (i = 0; i < index->part_count; i++) {
		etl_text_add(&sql, i ? " AND " : "");
		screen_add_part(&index->parts[i], &sql);
		etl_text_add(&sql, " IS NOT NULL");
	}
	if (index->where)
		etl_text_addf(&sql, " AND (%s\n)", index->where);
	etl_text_add(&sql, ") WHERE \"etlrun.place\" > 1");
	return etl_text_take(&sql);
}

static int add_rule(struct screen *s, const struct ddl_index *index)
{
	struct etl_text columns = { 0 }, reason = { 0 };
	size_t i;
	int rc;

	for (i = 0; i < index->part_count; i++) {
		const struct ddl_part *p = &index->parts[i];

		etl_text_addf(&columns, "%s%s", i ? ", " : "",
			      p->column ? p->column : p->expression);
	}
	etl_text_addf(&reason,
		      "an earlier row has the same %s, of which the unique index \"%s\" takes one",
		      columns.at ? columns.at : "", index->name);
	rc = columns.failed || reason.failed ? no_memory(s->inst, s->err) :
					       screen_rule(s, "duplicate", columns.at, reason.at);
	etl_text_free(&columns);
	etl_text_free(&reason);
	return rc;
}

static int find(struct screen *s, const struct ddl_index *index, int64_t *ret)
{
	char *sql;
	int rc = add_rule(s, index);

	if (rc)
		return rc;
	sql = find_sql(s, index);
	rc = sql ? screen_collect(s, sql, ret) : no_memory(s->inst, s->err);
	free(sql);
	return rc;
}

/* SQLite has refused, with CODE: *RET says whether there are rows to blame. */
static int screen(struct etl_instance *inst, const struct etl_load *load,
		  const struct etl_step *step, int code, struct etl_found_sink *sink, bool *ret,
		  struct etl_error *err)
{
	struct ddl_index index = { 0 };
	struct screen s = { 0 };
	int64_t found = 0;
	int rc = ddl_index_parse(step->sql, &index);

	*ret = false;
	if (rc == DDL_NO_MEMORY)
		return no_memory(inst, err);
	if (rc == DDL_SYNTAX)
		return ETL_OK;
	rc = screen_open(&s, inst, load, sink, err);
	if (!rc)
		rc = code == SQLITE_CONSTRAINT ? find(&s, &index, &found) :
						 screen_evaluate(&s, &index, &found);
	if (!rc && found)
		rc = screen_take(&s);
	*ret = found > 0;
	screen_close(&s);
	ddl_index_free(&index);
	return rc;
}

static int fail_index(struct etl_instance *inst, const struct etl_step *step, struct etl_error *err)
{
	return sqlite_fail(inst, inst->stage, err, "%s \"%s\": running \"%.300s\"", step->kind,
			   step->object, step->sql);
}

/* Rows whose expressions fail come first, then those that are not the only ones of their kind. */
int screen_index(struct etl_instance *inst, const struct etl_load *load,
		 const struct etl_step *step, struct etl_found_sink *sink, struct etl_error *err)
{
	bool made = false, found = true;
	int code, rc = is_made(inst, step->object, &made, err);

	if (!rc && !made)
		rc = page_index_make(inst, load, step->object, step->sql, &made, err);
	while (!rc && !made && found) {
		code = sqlite3_exec(inst->stage, step->sql, NULL, NULL, NULL) % 256;
		if (code == SQLITE_OK)
			return ETL_OK;
		if (code != SQLITE_CONSTRAINT && code != SQLITE_ERROR)
			return fail_index(inst, step, err);
		rc = screen(inst, load, step, code, sink, &found, err);
		if (!rc && found && !sink->take_out)
			return ETL_OK;
	}
	if (rc || made || sqlite3_exec(inst->stage, step->sql, NULL, NULL, NULL) == SQLITE_OK)
		return rc;
	return fail_index(inst, step, err);
}
