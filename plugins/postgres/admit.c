/*
 * Before a run stages anything: is there something of the name already, may it be replaced, and can what depends on
 * it be made again?
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "admit.h"
#include "replace.h"

int admit_find(struct etl_instance *inst, const char *schema, const char *name,
	       struct standing *ret, struct etl_error *err)
{
	char buf[POSTGRES_NAME_MAX + 1];
	PGresult *found = NULL;
	int rc = postgres_query(inst, err, &found,
				"SELECT c.oid, c.relkind FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = "
				"c.relnamespace WHERE n.nspname = $1 AND c.relname = $2",
				2, (const char *const[]){ schema, postgres_short_name(name, buf) });

	if (rc < 0)
		return rc;
	*ret = (struct standing){ .oid = "0" };
	if (PQntuples(found) > 0) {
		snprintf(ret->oid, sizeof(ret->oid), "%s", PQgetvalue(found, 0, 0));
		ret->kind = *PQgetvalue(found, 0, 1);
	}
	PQclear(found);
	return ETL_OK;
}

static const char *kind_words(char kind)
{
	switch (kind) {
	case 'r':
	case 'p':
		return "a table";
	case 'v':
		return "a view";
	case 'm':
		return "a materialized view";
	case 'S':
		return "a sequence";
	case 'f':
		return "a foreign table";
	case 'i':
	case 'I':
		return "an index";
	default:
		return "a composite type";
	}
}

static int refuse_existing(struct etl_instance *inst, const char *schema, const char *name,
			   char kind, struct etl_error *err)
{
	inst->host->at(err, name, NULL, NULL);
	return inst->host->fail(err, ETL_FATAL, NULL, 0,
				"\"%s\".\"%s\" is there already, %s; write on_existing = "
				"\"replace\" to replace it, \"truncate\" to keep the table and swap its "
				"rows, or name another schema",
				schema, name, kind_words(kind));
}

static int refuse_kind(struct etl_instance *inst, const char *schema, const char *name, char kind,
		       struct etl_error *err)
{
	inst->host->at(err, name, NULL, NULL);
	return inst->host->fail(err, ETL_FATAL, NULL, 0,
				"\"%s\".\"%s\" is %s, so nothing else of that name can be "
				"made; drop it, or give yours another name with `as`",
				schema, name, kind_words(kind));
}

static int refuse_missing(struct etl_instance *inst, const char *schema, const char *name,
			  struct etl_error *err)
{
	inst->host->at(err, name, NULL, NULL);
	return inst->host->fail(err, ETL_FATAL, NULL, 0,
				"there is no table \"%s\".\"%s\", and --data-only makes none",
				schema, name);
}

/* DATA_ONLY with on_existing = fail: there must be a table, without rows. */
static int check_empty(struct etl_instance *inst, const char *schema, const char *name,
		       struct etl_error *err)
{
	struct etl_text sql = { 0 };
	bool rows = false;
	int rc;

	etl_text_add(&sql, "SELECT EXISTS (SELECT FROM ");
	postgres_add_name(&sql, schema, name);
	etl_text_add(&sql, ")");
	rc = sql.failed ? postgres_no_memory(inst, err) :
			  postgres_flag(inst, err, &rows, sql.at, 0, NULL);
	etl_text_free(&sql);
	if (rc < 0 || !rows)
		return rc;
	inst->host->at(err, name, NULL, NULL);
	return inst->host->fail(err, ETL_FATAL, NULL, 0,
				"table \"%s\".\"%s\" has rows; write on_existing = \"truncate\" "
				"to swap them",
				schema, name);
}

static bool is_table(char kind)
{
	return kind == 'r' || kind == 'p';
}

static int admit_table(struct etl_instance *inst, const struct etl_load *load, const char *schema,
		       const struct standing *there, struct etl_error *err)
{
	const char *name = load->table->name;
	bool data_only = load->run->flags & ETL_RUN_DATA_ONLY;

	if (!there->kind)
		return data_only ? refuse_missing(inst, schema, name, err) : ETL_OK;
	if (!is_table(there->kind))
		return refuse_kind(inst, schema, name, there->kind, err);
	if (load->run->on_existing != ETL_EXISTING_FAIL)
		return ETL_OK;
	return data_only ? check_empty(inst, schema, name, err) :
			   refuse_existing(inst, schema, name, there->kind, err);
}

static bool gives_way(const struct etl_load *load, const struct standing *there)
{
	return load->table->kind == ETL_TABLE && there->kind && !stage_is_into(load->run) &&
	       !(load->run->flags & ETL_RUN_DATA_ONLY) &&
	       load->run->on_existing == ETL_EXISTING_REPLACE;
}

struct looking {
	struct etl_step_sink sink;
	bool made;
};

static int on_step(struct etl_step_sink *self, const struct etl_step *step)
{
	((struct looking *)(void *)self)->made |= step->sql && step->phase < ETL_PHASE_PUBLISH;
	return ETL_OK;
}

/* Whether design makes anything of it: a view in another dialect it leaves out. */
static int is_made(struct etl_instance *inst, const struct etl_load *load, bool *ret,
		   struct etl_error *err)
{
	struct looking looking = { .sink = { .emit = on_step } };
	int rc = postgres_design(inst, load->table, load, &looking.sink, err);

	*ret = looking.made;
	return rc;
}

static int admit_other(struct etl_instance *inst, const struct etl_load *load, const char *schema,
		       const struct standing *there, struct etl_error *err)
{
	const char *name = load->table->name;
	bool view = load->table->kind == ETL_VIEW, made = false;
	int rc;

	if (!there->kind || load->run->flags & ETL_RUN_DATA_ONLY)
		return ETL_OK;
	rc = is_made(inst, load, &made, err);
	if (rc < 0 || !made)
		return rc;
	if (view ? there->kind != 'v' && there->kind != 'm' : there->kind != 'S')
		return refuse_kind(inst, schema, name, there->kind, err);
	return load->run->on_existing == ETL_EXISTING_FAIL ?
		       refuse_existing(inst, schema, name, there->kind, err) :
		       ETL_OK;
}

/* append, merge: what design saw has to be there still, and what it did not see must not. */
static int admit_into(struct etl_instance *inst, const struct etl_load *load, const char *schema,
		      const struct standing *there, struct etl_error *err)
{
	bool found = is_table(there->kind), other = there->kind && !found;

	/* Views and triggers are not made. */
	if (load->table->kind == ETL_SEQUENCE)
		other = there->kind && there->kind != 'S';
	else if (load->table->kind != ETL_TABLE)
		return ETL_OK;
	if (other)
		return refuse_kind(inst, schema, load->table->name, there->kind, err);
	if (load->table->kind == ETL_SEQUENCE)
		return ETL_OK;
	if (found == (load->existing != NULL))
		return ETL_OK;
	inst->host->at(err, load->table->name, NULL, NULL);
	return inst->host->fail(err, ETL_FATAL, NULL, 0,
				found ? "table \"%s\".\"%s\" was not there when the run began, and "
					"is now; run again" :
					"table \"%s\".\"%s\" was there when the run began, and is "
					"gone; run again",
				schema, load->table->name);
}

static int check_schema(struct etl_instance *inst, const char *schema, struct etl_error *err)
{
	if (strlen(schema) <= POSTGRES_NAME_MAX)
		return postgres_refuse_schema(inst, schema, err);
	return inst->host->fail(err, ETL_USAGE, NULL, 0,
				"the name of schema \"%s\" is longer than the %d bytes that the "
				"server takes; give another one with schema = \"…\"",
				schema, POSTGRES_NAME_MAX);
}

int admit_again(struct etl_instance *inst, const struct etl_load *load, const char *schema,
		const struct standing *there, struct etl_error *err)
{
	/* The first run of an append makes its tables as a copy does; what came meanwhile is none of its. */
	if (stage_is_into(load->run) || (load->run->mode != ETL_COPY && load->table->kind == ETL_TABLE))
		return admit_into(inst, load, schema, there, err);
	return load->table->kind == ETL_TABLE ? admit_table(inst, load, schema, there, err) :
						admit_other(inst, load, schema, there, err);
}

int admit(struct etl_instance *inst, const struct etl_load *load, const char *schema,
	  struct etl_error *err)
{
	const struct etl_table *table = load->table;
	struct standing there;
	int rc = check_schema(inst, schema, err);

	if (rc < 0 || !table ||
	    (table->kind != ETL_TABLE && table->kind != ETL_VIEW && table->kind != ETL_SEQUENCE))
		return rc;
	rc = admit_find(inst, schema, table->name, &there, err);
	if (rc == ETL_OK)
		rc = admit_again(inst, load, schema, &there, err);
	return rc == ETL_OK && gives_way(load, &there) ?
		       replace_check(inst, load, schema, &there, err) :
		       rc;
}
