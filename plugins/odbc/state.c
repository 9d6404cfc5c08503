/* The tables in which the target keeps what was published, and what is staged. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "provision.h"

void odbc_add_own(struct etl_text *text, const struct etl_instance *inst, const char *name)
{
	odbc_add_table(text, inst, inst->dialect->default_schema, name);
}

void odbc_add_literal(struct etl_text *text, const struct etl_instance *inst, const char *value)
{
	etl_text_add(text, inst->dialect->quote == '[' ? "N" : "");
	etl_text_add_literal(text, value);
}

/* $K, $T and $N stand for the dialect's types of a key, a text and a number. */
static const struct {
	const char *name, *columns;
} tables[] = {
	{ "_etlrun_runs", "run $K NOT NULL PRIMARY KEY, pipeline $T NOT NULL, started $N NOT NULL, kept $T, "
			  "state $T NOT NULL" },
	{ "_etlrun_loads", "run $K NOT NULL, load $N NOT NULL, inserted $N NOT NULL, updated $N NOT NULL, "
			   "unchanged $N NOT NULL, deleted $N NOT NULL, PRIMARY KEY (run, load)" },
	{ "_etlrun_stages", "stage $K NOT NULL, load $N NOT NULL, pipeline $T NOT NULL, schema_name $T, table_name $T NOT NULL, "
			    "PRIMARY KEY (stage, load)" },
	{ "_etlrun_tables", "run $K NOT NULL, load $N NOT NULL, how $K NOT NULL, schema_name $T, table_name $T NOT NULL, "
			    "object $T, row_count $N NOT NULL, digest $T, xact $N NOT NULL, "
			    "touched $N NOT NULL, key_count $N NOT NULL, kept $T, PRIMARY KEY (run, load)" },
	{ "_etlrun_again", "run $K NOT NULL, n $N NOT NULL, sql $T NOT NULL, PRIMARY KEY (run, n)" },
	{ "_etlrun_units", "stage $K NOT NULL, unit $K NOT NULL, PRIMARY KEY (stage, unit)" },
};

static void add_columns(struct etl_text *sql, const struct etl_instance *inst, const char *columns)
{
	for (const char *p = columns; *p; p++) {
		if (*p != '$')
			etl_text_add_bytes(sql, p, 1);
		else if (*++p == 'K')
			etl_text_add(sql, inst->dialect->key_type);
		else
			etl_text_add(sql, *p == 'T' ? inst->dialect->text_type : "bigint");
	}
}

int odbc_state_prepare(struct etl_instance *inst, struct etl_error *err)
{
	int rc = ETL_OK;

	for (size_t i = 0; rc == ETL_OK && i < sizeof(tables) / sizeof(*tables); i++) {
		struct etl_text sql = { 0 };
		bool there = false;

		rc = odbc_is_there(inst, inst->dialect->default_schema, tables[i].name, &there, err);
		if (rc < 0 || there)
			continue;
		etl_text_add(&sql, "CREATE TABLE ");
		odbc_add_own(&sql, inst, tables[i].name);
		etl_text_add(&sql, " (");
		add_columns(&sql, inst, tables[i].columns);
		etl_text_add(&sql, ")");
		rc = odbc_run_text(inst, err, &sql);
	}
	return rc;
}

int odbc_state_is_published(struct etl_instance *inst, const char *run, bool *ret,
			    struct etl_error *err)
{
	struct etl_text sql = { 0 };
	int64_t count = 0;
	int rc;

	etl_text_add(&sql, "SELECT COUNT(*) FROM ");
	odbc_add_own(&sql, inst, "_etlrun_runs");
	etl_text_add(&sql, " WHERE run = ");
	odbc_add_literal(&sql, inst, run);
	rc = odbc_number_text(inst, err, &count, &sql);
	if (rc == ETL_OK)
		*ret = count > 0;
	return rc;
}

static int write_load(struct etl_instance *inst, const struct etl_commit *commit, size_t i,
		      struct etl_error *err)
{
	const struct etl_outcome *o = &commit->outcomes[i];
	struct etl_text sql = { 0 };

	etl_text_add(&sql, "INSERT INTO ");
	odbc_add_own(&sql, inst, "_etlrun_loads");
	etl_text_add(&sql, " (run, load, inserted, updated, unchanged, deleted) VALUES (");
	odbc_add_literal(&sql, inst, commit->run->id);
	etl_text_addf(&sql, ", %llu, %llu, %llu, %llu, %llu)",
		      (unsigned long long)commit->loads[i]->index, (unsigned long long)o->inserted,
		      (unsigned long long)o->updated, (unsigned long long)o->unchanged,
		      (unsigned long long)o->deleted);
	return odbc_run_text(inst, err, &sql);
}

void odbc_add_literal_or_null(struct etl_text *text, const struct etl_instance *inst, const char *value)
{
	if (value && *value)
		odbc_add_literal(text, inst, value);
	else
		etl_text_add(text, "NULL");
}

int odbc_state_write(struct etl_instance *inst, const struct etl_commit *commit, const char *kept,
		     struct etl_error *err)
{
	struct etl_text sql = { 0 };
	int rc;

	etl_text_add(&sql, "INSERT INTO ");
	odbc_add_own(&sql, inst, "_etlrun_runs");
	etl_text_add(&sql, " (run, pipeline, started, kept, state) VALUES (");
	odbc_add_literal(&sql, inst, commit->run->id);
	etl_text_add(&sql, ", ");
	odbc_add_literal(&sql, inst, commit->run->pipeline);
	etl_text_addf(&sql, ", %lld, ", (long long)commit->run->started);
	odbc_add_literal_or_null(&sql, inst, kept);
	etl_text_add(&sql, ", ");
	odbc_add_literal(&sql, inst, commit->state);
	etl_text_add(&sql, ")");
	rc = odbc_run_text(inst, err, &sql);
	for (size_t i = 0; rc == ETL_OK && i < commit->load_count; i++)
		rc = write_load(inst, commit, i, err);
	return rc;
}

/* COUNT numbers of the row that STMT stands on. */
static int read_numbers(struct etl_instance *inst, SQLHSTMT stmt, int64_t *ret, int count,
			struct etl_error *err)
{
	int rc = ETL_OK;

	for (int i = 0; rc == ETL_OK && i < count; i++) {
		struct etl_text text = { 0 };

		rc = odbc_column(inst, stmt, i + 1, &text, NULL, err);
		ret[i] = text.at ? strtoll(text.at, NULL, 10) : 0;
		etl_text_free(&text);
	}
	return rc;
}

static int take_outcome(struct etl_instance *inst, const struct etl_commit *commit, SQLHSTMT stmt,
			struct etl_error *err)
{
	int64_t n[5];
	int rc = read_numbers(inst, stmt, n, 5, err);

	for (size_t i = 0; rc == ETL_OK && i < commit->load_count; i++)
		if (commit->loads[i]->index == (uint64_t)n[0]) {
			commit->outcomes[i].inserted = (uint64_t)n[1];
			commit->outcomes[i].updated = (uint64_t)n[2];
			commit->outcomes[i].unchanged = (uint64_t)n[3];
			commit->outcomes[i].deleted = (uint64_t)n[4];
		}
	return rc;
}

int odbc_state_read(struct etl_instance *inst, const struct etl_commit *commit,
		    struct etl_error *err)
{
	struct etl_text sql = { 0 }, kept = { 0 };
	SQLHSTMT stmt;
	int rc, more;

	etl_text_add(&sql, "SELECT kept FROM ");
	odbc_add_own(&sql, inst, "_etlrun_runs");
	etl_text_add(&sql, " WHERE run = ");
	odbc_add_literal(&sql, inst, commit->run->id);
	rc = sql.failed ? odbc_no_memory(inst, err) : odbc_ask(inst, sql.at, &kept, err);
	if (rc == ETL_OK && kept.at)
		snprintf(commit->kept->text, sizeof(commit->kept->text), "%s", kept.at);
	etl_text_free(&kept);
	etl_text_free(&sql);
	if (rc == ETL_OK)
		rc = odbc_statement(inst, &stmt, err);
	if (rc < 0)
		return rc;
	etl_text_add(&sql, "SELECT load, inserted, updated, unchanged, deleted FROM ");
	odbc_add_own(&sql, inst, "_etlrun_loads");
	etl_text_add(&sql, " WHERE run = ");
	odbc_add_literal(&sql, inst, commit->run->id);
	rc = sql.failed ? odbc_no_memory(inst, err) : odbc_execute(inst, stmt, sql.at, err);
	while (rc == ETL_OK && (more = odbc_next(inst, stmt, err)) != 0)
		rc = more < 0 ? more : take_outcome(inst, commit, stmt, err);
	etl_text_free(&sql);
	odbc_done(inst, stmt);
	return rc;
}

static int emit_state(struct etl_instance *inst, SQLHSTMT stmt, struct etl_state_sink *sink,
		      struct etl_error *err)
{
	struct etl_text run = { 0 }, state = { 0 };
	int rc = odbc_column(inst, stmt, 1, &run, NULL, err);

	if (rc == ETL_OK)
		rc = odbc_column(inst, stmt, 2, &state, NULL, err);
	if (rc == ETL_OK)
		rc = sink->emit(sink, run.at ? run.at : "", state.at ? state.at : "");
	etl_text_free(&run);
	etl_text_free(&state);
	return rc;
}

struct recalling {
	const char *pipeline;
	struct etl_state_sink *sink;
};

static int recall_here(struct etl_instance *inst, void *data, struct etl_error *err)
{
	const struct recalling *r = data;
	struct etl_text sql = { 0 };
	SQLHSTMT stmt;
	bool there = false;
	int rc = odbc_is_there(inst, inst->dialect->default_schema, "_etlrun_runs", &there, err), more;

	if (rc < 0 || !there)
		return rc;
	rc = odbc_statement(inst, &stmt, err);
	if (rc < 0)
		return rc;
	etl_text_add(&sql, "SELECT run, state FROM ");
	odbc_add_own(&sql, inst, "_etlrun_runs");
	etl_text_add(&sql, " WHERE pipeline = ");
	odbc_add_literal(&sql, inst, r->pipeline);
	etl_text_add(&sql, " ORDER BY started DESC, run DESC");
	rc = sql.failed ? odbc_no_memory(inst, err) : odbc_execute(inst, stmt, sql.at, err);
	while (rc == ETL_OK && (more = odbc_next(inst, stmt, err)) != 0)
		rc = more < 0 ? more : emit_state(inst, stmt, r->sink, err);
	etl_text_free(&sql);
	odbc_done(inst, stmt);
	return rc;
}

int odbc_recall(struct etl_instance *inst, const char *pipeline, struct etl_state_sink *sink,
		struct etl_error *err)
{
	struct recalling r = { pipeline, sink };
	bool pending = false;
	int rc = odbc_provision_pending(inst, &pending, err);

	if (rc == ETL_OK && pending)
		return odbc_provision_each(inst, recall_here, &r, err);
	if (rc == ETL_OK)
		rc = odbc_db(inst, err);
	return rc < 0 ? rc : recall_here(inst, &r, err);
}
