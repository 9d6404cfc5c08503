/*
 * The life of staged tables: listed when the first load of a run begins, made by design's statement, dropped by abort or by
 * the next run of the pipeline, and renamed when they are published.
 */
#include "config.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "fault.h"
#include "gone.h"
#include "provision.h"
#include "undo.h"

/* In the list of staged tables: that of the keys of a load's rows that go. */
#define GONE_NUMBER (UINT64_C(1) << 32)

bool odbc_is_into(const struct etl_load *load)
{
	const struct etl_run *run = load->run;

	if (!load->existing || load->table->kind != ETL_TABLE)
		return false;
	return (run->mode != ETL_COPY && !(run->flags & ETL_RUN_EMPTY)) || run->flags & ETL_RUN_DATA_ONLY ||
	       run->on_existing == ETL_EXISTING_TRUNCATE;
}

/* ---- Names ----------------------------------------------------------------------------------------------- */

const char *odbc_place_of(struct etl_instance *inst, const struct etl_table *table)
{
	const char *schema = inst->host->str(inst->conf, "schema");

	(void)table;
	return schema ? schema : inst->dialect ? inst->dialect->default_schema : NULL;
}

static uint64_t hash(const char *text)
{
	uint64_t h = 0xcbf29ce484222325; /* FNV-1a, 64 bits */

	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * 0x100000001b3;
	return h;
}

/* The whole name when it fits, else a hash in the place of the table's. SET IDENTITY_INSERT of Babelfish does not find a table with a
 * blank in its name. */
const char *odbc_stage_name(const struct etl_instance *inst, const char *stage, const char *table, char *buf)
{
	int length = snprintf(buf, ODBC_NAME_ROOM, "%s_%s", stage, table);

	if (length >= ODBC_NAME_ROOM || !odbc_fits_name(inst, buf) || (inst->babelfish && strchr(table, ' ')))
		snprintf(buf, ODBC_NAME_ROOM, "%.45s_%016llx", stage, (unsigned long long)hash(table));
	return buf;
}

void odbc_add_staged(struct etl_text *sql, struct etl_instance *inst, const struct etl_load *load,
		     const struct etl_token *token)
{
	char buf[ODBC_NAME_ROOM];

	odbc_add_table(sql, inst, odbc_place_of(inst, load->table),
		       odbc_stage_name(inst, token->text, load->table->name, buf));
}

/* Of the run's name: small letters, digits, and "_" for what is between. Short enough for the shortest of names. */
void odbc_stage_of_run(const char *run, struct etl_token *ret)
{
	char *to = ret->text;

	memcpy(to, STAGE_PREFIX, strlen(STAGE_PREFIX));
	to += strlen(STAGE_PREFIX);
	for (const char *c = run; *c && to - ret->text < 50; c++)
		*to++ = isalnum((unsigned char)*c) ? (char)tolower((unsigned char)*c) : '_';
	*to = '\0';
}

/* ---- What is there ----------------------------------------------------------------------------------------- */

static void add_where_is(struct etl_text *sql, const struct etl_instance *inst, const char *schema,
			 const char *name)
{
	if (inst->dialect == &odbc_sqlite) {
		etl_text_add(sql, "SELECT COUNT(*) FROM sqlite_master WHERE type IN ('table', 'view') AND name = ");
		odbc_add_literal(sql, inst, name);
		return;
	}
	etl_text_add(sql, "SELECT COUNT(*) FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_NAME = ");
	odbc_add_literal(sql, inst, name);
	if (schema) {
		etl_text_add(sql, " AND TABLE_SCHEMA = ");
		odbc_add_literal(sql, inst, schema);
	}
}

int odbc_is_there(struct etl_instance *inst, const char *schema, const char *name, bool *ret,
		  struct etl_error *err)
{
	struct etl_text sql = { 0 };
	int64_t count = 0;
	int rc;

	add_where_is(&sql, inst, schema, name);
	rc = odbc_number_text(inst, err, &count, &sql);
	if (rc == ETL_OK)
		*ret = count > 0;
	return rc;
}

/* ---- The list of staged tables ------------------------------------------------------------------------------ */

static void add_stage_is(struct etl_text *sql, struct etl_instance *inst, const char *stage)
{
	etl_text_add(sql, " WHERE stage = ");
	odbc_add_literal(sql, inst, stage);
}

static int note_table(struct etl_instance *inst, const struct etl_load *load, const struct etl_token *token, uint64_t number,
		      const char *name, struct etl_error *err)
{
	struct etl_text sql = { 0 };
	int64_t count = 0;
	int rc;

	etl_text_add(&sql, "SELECT COUNT(*) FROM ");
	odbc_add_own(&sql, inst, "_etlrun_stages");
	add_stage_is(&sql, inst, token->text);
	etl_text_addf(&sql, " AND load = %llu", (unsigned long long)number);
	rc = odbc_number_text(inst, err, &count, &sql);
	if (rc < 0 || count > 0)
		return rc;
	etl_text_add(&sql, "INSERT INTO ");
	odbc_add_own(&sql, inst, "_etlrun_stages");
	etl_text_add(&sql, " (stage, load, pipeline, schema_name, table_name) VALUES (");
	odbc_add_literal(&sql, inst, token->text);
	etl_text_addf(&sql, ", %llu, ", (unsigned long long)number);
	odbc_add_literal(&sql, inst, load->run->pipeline);
	etl_text_add(&sql, ", ");
	odbc_add_literal_or_null(&sql, inst, odbc_place_of(inst, load->table));
	etl_text_add(&sql, ", ");
	odbc_add_literal(&sql, inst, name);
	etl_text_add(&sql, ")");
	return odbc_run_text(inst, err, &sql);
}

int odbc_note_staged(struct etl_instance *inst, const struct etl_load *load,
		     const struct etl_token *token, struct etl_error *err)
{
	int rc = note_table(inst, load, token, load->index, load->table->name, err);
	char name[ODBC_NAME_ROOM];

	return rc == ETL_OK && odbc_names_gone(load) ?
		       note_table(inst, load, token, GONE_NUMBER | load->index, odbc_gone_name(load, name), err) :
		       rc;
}

/* A staged table that may be there, and where. */
struct listed {
	char stage[ODBC_NAME_ROOM], schema[ODBC_NAME_ROOM], table[ODBC_NAME_ROOM];
	int64_t load;
};

static int take_listed(struct etl_instance *inst, SQLHSTMT stmt, struct listed *ret, struct etl_error *err)
{
	struct etl_text stage = { 0 }, schema = { 0 }, table = { 0 }, load = { 0 };
	int rc = odbc_column(inst, stmt, 1, &stage, NULL, err);

	if (rc == ETL_OK)
		rc = odbc_column(inst, stmt, 2, &schema, NULL, err);
	if (rc == ETL_OK)
		rc = odbc_column(inst, stmt, 3, &table, NULL, err);
	if (rc == ETL_OK)
		rc = odbc_column(inst, stmt, 4, &load, NULL, err);
	snprintf(ret->stage, sizeof(ret->stage), "%s", stage.at ? stage.at : "");
	snprintf(ret->schema, sizeof(ret->schema), "%s", schema.at ? schema.at : "");
	snprintf(ret->table, sizeof(ret->table), "%s", table.at ? table.at : "");
	ret->load = load.at ? strtoll(load.at, NULL, 10) : 0;
	etl_text_free(&stage);
	etl_text_free(&schema);
	etl_text_free(&table);
	etl_text_free(&load);
	return rc;
}

static int list(struct etl_instance *inst, const char *column, const char *value, struct listed **ret,
		size_t *ret_count, struct etl_error *err)
{
	struct etl_text sql = { 0 };
	struct listed *all = NULL;
	size_t count = 0;
	SQLHSTMT stmt;
	int rc = odbc_statement(inst, &stmt, err), more;

	if (rc < 0)
		return rc;
	etl_text_add(&sql, "SELECT stage, schema_name, table_name, load FROM ");
	odbc_add_own(&sql, inst, "_etlrun_stages");
	etl_text_addf(&sql, " WHERE %s = ", column);
	odbc_add_literal(&sql, inst, value);
	rc = sql.failed ? odbc_no_memory(inst, err) : odbc_execute(inst, stmt, sql.at, err);
	while (rc == ETL_OK && (more = odbc_next(inst, stmt, err)) != 0) {
		struct listed *grown = more > 0 ? realloc(all, (count + 1) * sizeof(*all)) : NULL;

		if (grown)
			all = grown;
		rc = more < 0 ? more :
		     grown    ? take_listed(inst, stmt, &all[count++], err) :
				odbc_no_memory(inst, err);
	}
	etl_text_free(&sql);
	odbc_done(inst, stmt);
	*ret = all;
	*ret_count = count;
	return rc;
}

static int drop_table(struct etl_instance *inst, const struct listed *at, struct etl_error *err)
{
	const char *schema = *at->schema ? at->schema : NULL;
	char name[ODBC_NAME_ROOM];
	struct etl_text sql = { 0 };
	bool there = false;
	int rc;

	odbc_stage_name(inst, at->stage, at->table, name);
	rc = odbc_is_there(inst, schema, name, &there, err);
	if (rc < 0 || !there)
		return rc;
	etl_text_add(&sql, "DROP TABLE ");
	odbc_add_table(&sql, inst, schema, name);
	etl_text_add(&sql, inst->dialect == &odbc_postgresql ? " CASCADE" : "");
	return odbc_run_text(inst, err, &sql);
}

static int forget(struct etl_instance *inst, const char *table, const char *stage, struct etl_error *err)
{
	struct etl_text sql = { 0 };

	etl_text_add(&sql, "DELETE FROM ");
	odbc_add_own(&sql, inst, table);
	add_stage_is(&sql, inst, stage);
	return odbc_run_text(inst, err, &sql);
}

/* Children come after their parents in a run, so they are dropped first. */
static int compare_listed(const void *a, const void *b)
{
	const struct listed *x = a, *y = b;

	return (x->load < y->load) - (x->load > y->load);
}

/* Between themselves they may refer to each other in a circle, so their keys go first. */
static int drop_listed(struct etl_instance *inst, struct listed *all, size_t count, struct etl_error *err)
{
	int rc = ETL_OK;

	if (count > 1)
		qsort(all, count, sizeof(*all), compare_listed);
	for (size_t i = 0; rc == ETL_OK && inst->dialect == &odbc_tsql && i < count; i++) {
		char name[ODBC_NAME_ROOM];

		rc = odbc_drop_foreign_keys(inst, *all[i].schema ? all[i].schema : NULL,
					    odbc_stage_name(inst, all[i].stage, all[i].table, name), err);
	}
	for (size_t i = 0; rc == ETL_OK && i < count; i++)
		rc = drop_table(inst, &all[i], err);
	for (size_t i = 0; rc == ETL_OK && i < count; i++) {
		rc = forget(inst, "_etlrun_units", all[i].stage, err);
		if (rc == ETL_OK)
			rc = forget(inst, "_etlrun_stages", all[i].stage, err);
	}
	return rc;
}

static int drop_all(struct etl_instance *inst, const char *column, const char *value, struct etl_error *err)
{
	struct listed *all = NULL;
	size_t count = 0;
	int rc = list(inst, column, value, &all, &count, err);

	if (rc == ETL_OK)
		rc = drop_listed(inst, all, count, err);
	free(all);
	return rc;
}

/* ---- begin ----------------------------------------------------------------------------------------------------- */

static int refuse_existing(struct etl_instance *inst, const char *schema, const char *name,
			   struct etl_error *err)
{
	inst->host->at(err, name, NULL, NULL);
	return inst->host->fail(err, ETL_FATAL, NULL, 0,
				"\"%s%s%s\" is there already; write on_existing = \"replace\" to replace it, "
				"\"truncate\" to keep the table and swap its rows, or name another schema",
				schema ? schema : "", schema ? "\".\"" : "", name);
}

/* What a pipeline may ask for, and nothing here does. */
static int refuse_wishes(struct etl_instance *inst, const struct etl_run *run, struct etl_error *err)
{
	if (!(run->flags & ETL_RUN_TABLE_SCOPE))
		return odbc_refuse_keeping(inst, run, err);
	return inst->host->fail(err, ETL_USAGE, NULL, 0,
				"scope = \"table\": a target through ODBC publishes all tables or none; leave it out");
}

static int refuse_missing(struct etl_instance *inst, const char *schema, const char *name, struct etl_error *err)
{
	inst->host->at(err, name, NULL, NULL);
	return inst->host->fail(err, ETL_FATAL, NULL, 0, "there is no table \"%s%s%s\", and --data-only makes none",
				schema ? schema : "", schema ? "\".\"" : "", name);
}

static int admit(struct etl_instance *inst, const struct etl_load *load, struct etl_error *err)
{
	const struct etl_run *run = load->run;
	const char *schema = odbc_place_of(inst, load->table);
	bool there = false;
	int rc = refuse_wishes(inst, run, err);

	if (rc < 0)
		return rc;
	if (run->flags & ETL_RUN_DATA_ONLY && !load->existing && load->table->kind == ETL_TABLE)
		return refuse_missing(inst, schema, load->table->name, err);
	if (run->mode != ETL_COPY || run->on_existing != ETL_EXISTING_FAIL || run->flags & ETL_RUN_DATA_ONLY)
		return odbc_refuse_lost(inst, load, err);
	rc = odbc_is_there(inst, schema, load->table->name, &there, err);
	return rc == ETL_OK && there ? refuse_existing(inst, schema, load->table->name, err) : rc;
}

static int make_schema(struct etl_instance *inst, const struct etl_load *load, struct etl_error *err)
{
	const char *schema = odbc_place_of(inst, load->table);
	struct etl_text sql = { 0 }, make = { 0 };

	if (!schema || !inst->host->str(inst->conf, "schema"))
		return ETL_OK;
	if (inst->dialect == &odbc_tsql) {
		etl_text_add(&make, "CREATE SCHEMA ");
		odbc_add_name(&make, inst, schema);
		etl_text_add(&sql, "IF SCHEMA_ID(");
		odbc_add_literal(&sql, inst, schema);
		etl_text_add(&sql, ") IS NULL EXEC(");
		odbc_add_literal(&sql, inst, make.at ? make.at : "");
		etl_text_add(&sql, ")");
	} else {
		etl_text_add(&sql, "CREATE SCHEMA IF NOT EXISTS ");
		odbc_add_name(&sql, inst, schema);
	}
	sql.failed |= make.failed;
	etl_text_free(&make);
	return odbc_run_text(inst, err, &sql);
}

int odbc_begin(struct etl_instance *inst, const struct etl_load *load, struct etl_token *ret,
	       struct etl_error *err)
{
	const struct etl_run *run = load->run;
	int rc;

	if (inst->host->str(inst->conf, "plan_dialect"))
		return inst->host->fail(err, ETL_USAGE, NULL, 0,
					"plan_dialect is for plan, which asked no server; leave it out to run");
	rc = odbc_provision_begin(inst, run, err);
	if (rc == ETL_OK)
		rc = odbc_db(inst, err);
	if (rc < 0)
		return rc;
	odbc_stage_of_run(run->id, ret);
	rc = admit(inst, load, err);
	if (rc == ETL_OK)
		rc = odbc_state_prepare(inst, err);
	if (rc == ETL_OK && load->index == 0 && !(run->flags & ETL_RUN_RESUMED))
		rc = drop_all(inst, "pipeline", run->pipeline, err);
	if (rc == ETL_OK)
		rc = make_schema(inst, load, err);
	if (rc == ETL_OK)
		rc = odbc_note_staged(inst, load, ret, err);
	odbc_forget_stage(inst);
	ETL_FAULT("odbc.begun");
	if (load->index == 0 && !inst->lost) /* else the host may try it again */
		rc = odbc_provision_undo(inst, run, rc);
	return rc;
}

int odbc_staged(struct etl_instance *inst, const struct etl_load *load,
		const struct etl_token *token, struct etl_dataset_sink *sink, struct etl_error *err)
{
	char buf[ODBC_NAME_ROOM];
	struct etl_dataset dataset = { .token = token, .options = load->options };
	int rc = odbc_db(inst, err);

	if (rc < 0 || !load->table)
		return rc;
	dataset.schema = odbc_place_of(inst, load->table);
	dataset.table = odbc_stage_name(inst, token->text, load->table->name, buf);
	return sink->emit(sink, &dataset);
}

int odbc_abort(struct etl_instance *inst, const struct etl_load *load,
	       const struct etl_token *token, struct etl_error *err)
{
	bool gone = false;
	int rc;

	(void)load;
	if (!token->text[0])
		return ETL_OK;
	rc = odbc_provision_abort(inst, token, &gone, err);
	if (rc == ETL_OK && !gone)
		rc = odbc_db(inst, err);
	return rc < 0 || gone ? rc : drop_all(inst, "stage", token->text, err);
}
