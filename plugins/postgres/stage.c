/*
 * The life of a staging schema: made when the first load of a run begins, entered by every piece of work, dropped by
 * abort. Publication ends it too (publish.c).
 */
#include "config.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "admit.h"
#include "fault.h"
#include "stage.h"
#include "state.h"

#define HASH_OFFSET 0xcbf29ce484222325 /* FNV-1a, 64 bits */
#define HASH_PRIME  0x100000001b3
#define HASH_SIZE   17 /* "_" and sixteen digits */

bool stage_is_into(const struct etl_run *run)
{
	return run->mode != ETL_COPY && !(run->flags & ETL_RUN_EMPTY);
}

/* ---- Names ---------------------------------------------------------------------------------------------------- */

static uint64_t hash(const char *text)
{
	uint64_t h = HASH_OFFSET;

	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * HASH_PRIME;
	return h;
}

/* The whole name when it fits, else its first bytes, up to a character's end, and a hash of all. */
int stage_name(struct etl_instance *inst, const struct etl_run *run, const char *schema, char *ret,
	       struct etl_error *err)
{
	struct etl_text name = { 0 };
	size_t cut = POSTGRES_NAME_MAX - HASH_SIZE;

	etl_text_add(&name, STAGE_PREFIX);
	for (const char *c = run->id; *c; c++)
		etl_text_addf(&name, "%c", tolower((unsigned char)*c));
	etl_text_addf(&name, "_%s", schema);
	if (name.failed)
		return postgres_no_memory(inst, err);
	if (name.length <= POSTGRES_NAME_MAX) {
		memcpy(ret, name.at, name.length + 1);
	} else {
		while ((name.at[cut] & 0xc0) == 0x80)
			cut--;
		snprintf(ret, POSTGRES_NAME_MAX + 1, "%.*s_%016llx", (int)cut, name.at,
			 (unsigned long long)hash(name.at));
	}
	etl_text_free(&name);
	return ETL_OK;
}

static bool is_catalog_name(const char *name)
{
	return strncmp(name, "pg_", strlen("pg_")) == 0;
}

/* A table called as one of the catalog's would be taken for that. Otherwise the catalog comes first: nobody else's function
 * stands in for one of the server's. */
static bool hides_catalog(const struct etl_table *table)
{
	bool hides = table && is_catalog_name(table->name);

	for (size_t i = 0; table && i < table->foreign_key_count; i++)
		hides |= is_catalog_name(ETL_AT(const struct etl_foreign_key, table->foreign_keys,
						table->foreign_key_size, i)
						 ->parent);
	return hides;
}

void stage_add_path(struct etl_text *sql, const char *stage, const char *schema,
		    const struct etl_table *table)
{
	if (stage) {
		etl_text_add_name(sql, stage, '"');
		etl_text_add(sql, ", ");
	}
	etl_text_add_name(sql, schema, '"');
	etl_text_add(sql, ", public, extensions");
	if (hides_catalog(table))
		etl_text_add(sql, ", pg_catalog");
}

/* ---- What the instance holds ------------------------------------------------------------------------------------ */

static struct postgres_target *target_of(struct etl_instance *inst)
{
	if (!inst->target)
		inst->target = calloc(1, sizeof(*inst->target));
	return inst->target;
}

static bool is_held(const struct etl_instance *inst, const char *stage)
{
	for (size_t i = 0; inst->target && i < inst->target->held_count; i++)
		if (strcmp(inst->target->held[i], stage) == 0)
			return true;
	return false;
}

static int note_held(struct etl_instance *inst, const char *stage, struct etl_error *err)
{
	struct postgres_target *target = target_of(inst);
	void *more = target ? realloc(target->held, (target->held_count + 1) * sizeof(*target->held)) :
			      NULL;

	if (!more)
		return postgres_no_memory(inst, err);
	target->held = more;
	snprintf(target->held[target->held_count++], sizeof(*target->held), "%s", stage);
	target->backend = PQbackendPID(inst->db);
	return ETL_OK;
}

static void forget_held(struct etl_instance *inst, const char *stage)
{
	struct postgres_target *target = inst->target;

	for (size_t i = 0; target && i < target->held_count; i++)
		if (strcmp(target->held[i], stage) == 0) {
			memmove(target->held + i, target->held + i + 1,
				(target->held_count - i - 1) * sizeof(*target->held));
			target->held_count--;
			return;
		}
}

/* A connection that is not the one that began has no locks. */
static int hold_again(struct etl_instance *inst, struct etl_error *err)
{
	struct postgres_target *target = inst->target;
	int rc = ETL_OK;

	if (!target || !target->held_count || target->backend == PQbackendPID(inst->db))
		return ETL_OK;
	for (size_t i = 0; rc == ETL_OK && i < target->held_count; i++)
		rc = stage_lock(inst, target->held[i], err);
	if (rc == ETL_OK)
		target->backend = PQbackendPID(inst->db);
	return rc;
}

void stage_let_go(struct etl_instance *inst)
{
	if (!inst->target || !inst->target->held_count)
		return;
	if (inst->db && inst->target->backend == PQbackendPID(inst->db))
		PQclear(PQexec(inst->db, "SELECT pg_advisory_unlock_all()"));
	inst->target->held_count = 0;
}

void stage_free(struct etl_instance *inst)
{
	struct postgres_target *target = inst->target;

	for (size_t i = 0; target && i < target->careful_count; i++)
		free(target->careful[i]);
	if (target) {
		free(target->careful);
		free(target->held);
	}
	free(target);
	inst->target = NULL;
}

/* ---- begin ------------------------------------------------------------------------------------------------------- */

static int make(struct etl_instance *inst, const struct etl_run *run, const char *schema,
		const char *name, struct etl_error *err)
{
	struct etl_text sql = { 0 };
	char started[32];
	int rc;

	snprintf(started, sizeof(started), "%lld", (long long)run->started);
	etl_text_add(&sql, "BEGIN; CREATE SCHEMA ");
	etl_text_add_name(&sql, name, '"');
	etl_text_add(&sql, "; SET LOCAL search_path = ");
	etl_text_add_name(&sql, name, '"');
	etl_text_add(&sql,
		     "; CREATE TABLE _etlrun_stage (pipeline text, run text, schema text, started "
		     "timestamptz); CREATE TABLE _etlrun_units (unit text PRIMARY KEY); "
		     "CREATE TABLE _etlrun_splits (load bigint, split bigint, part bigint); "
		     "INSERT INTO _etlrun_stage VALUES (");
	etl_text_add_literal(&sql, run->pipeline);
	etl_text_add(&sql, ", ");
	etl_text_add_literal(&sql, run->id);
	etl_text_add(&sql, ", ");
	etl_text_add_literal(&sql, schema);
	etl_text_addf(&sql, ", 'epoch'::timestamptz + interval '1 microsecond' * %s); COMMIT", started);
	rc = postgres_run_text(inst, err, &sql);
	if (rc < 0)
		stage_rollback(inst);
	return rc;
}

static int is_there(struct etl_instance *inst, const char *name, bool *ret, struct etl_error *err)
{
	return postgres_flag(inst, err, ret,
			     "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1)", 1,
			     (const char *const[]){ name });
}

/* Once for each schema of a run: what others left behind goes, its own is made or, when it resumes, taken up. */
static int open_stage(struct etl_instance *inst, const struct etl_run *run, const char *schema,
		      const char *name, struct etl_error *err)
{
	bool there = false;
	int rc = inst->target && inst->target->held_count ? ETL_OK : stage_sweep(inst, run, err);

	if (rc == ETL_OK)
		rc = state_prepare(inst, err);
	if (rc == ETL_OK)
		rc = stage_lock(inst, name, err);
	if (rc == ETL_OK)
		rc = note_held(inst, name, err);
	if (rc == ETL_OK)
		rc = is_there(inst, name, &there, err);
	if (rc == ETL_OK && there && !(run->flags & ETL_RUN_RESUMED)) {
		rc = stage_drop(inst, name, err);
		there = false;
	}
	if (rc == ETL_OK && !there)
		rc = make(inst, run, schema, name, err);
	if (rc < 0)
		forget_held(inst, name);
	return rc;
}

int postgres_begin(struct etl_instance *inst, const struct etl_load *load, struct etl_token *ret,
		   struct etl_error *err)
{
	const char *schema = postgres_target_schema(inst, load->table);
	char name[POSTGRES_NAME_MAX + 1];
	int rc = postgres_db(inst, err);

	if (rc == ETL_OK)
		rc = admit(inst, load, schema, err);
	if (rc == ETL_OK)
		rc = stage_name(inst, load->run, schema, name, err);
	if (rc == ETL_OK && !is_held(inst, name))
		rc = open_stage(inst, load->run, schema, name, err);
	if (rc < 0)
		return rc;
	ETL_FAULT("postgres.begun");
	snprintf(ret->text, sizeof(ret->text), "%s", name);
	return ETL_OK;
}

/* ---- After begin --------------------------------------------------------------------------------------------------- */

int stage_take(struct etl_instance *inst, const struct etl_token *token, struct etl_error *err)
{
	int rc = postgres_db(inst, err);

	if (rc < 0)
		return rc;
	if (!stage_is_name(token->text))
		return inst->host->fail(err, ETL_USAGE, NULL, 0,
					"\"%s\" is no staging schema; nothing was touched",
					token->text);
	return hold_again(inst, err);
}

int stage_enter(struct etl_instance *inst, const struct etl_load *load,
		const struct etl_token *token, struct etl_error *err)
{
	struct etl_text sql = { 0 };
	int rc = stage_take(inst, token, err);

	if (rc < 0)
		return rc;
	etl_text_add(&sql, "BEGIN; SET LOCAL search_path = ");
	stage_add_path(&sql, token->text, postgres_target_schema(inst, load->table), load->table);
	rc = postgres_run_text(inst, err, &sql);
	if (rc < 0)
		stage_rollback(inst);
	return rc;
}

void stage_rollback(struct etl_instance *inst)
{
	if (inst->db && PQtransactionStatus(inst->db) != PQTRANS_IDLE)
		PQclear(PQexec(inst->db, "ROLLBACK"));
}

int stage_make_own(struct etl_instance *inst, int (*is_made)(struct etl_instance *, bool *ret, struct etl_error *), const char *make,
		   struct etl_error *err)
{
	bool made = false;
	int rc = is_made(inst, &made, err);

	if (rc < 0 || made)
		return rc;
	rc = postgres_run(inst, err, make);
	if (rc < 0)
		stage_rollback(inst);
	return rc;
}

int stage_leave(struct etl_instance *inst, int rc, struct etl_error *err)
{
	if (rc == ETL_OK)
		rc = units_note(inst, err);
	if (rc == ETL_OK)
		rc = postgres_run(inst, err, "COMMIT");
	if (rc == ETL_OK)
		inst->unit[0] = '\0';
	else
		stage_rollback(inst);
	return rc;
}

int postgres_staged(struct etl_instance *inst, const struct etl_load *load,
		    const struct etl_token *token, struct etl_dataset_sink *sink,
		    struct etl_error *err)
{
	struct etl_dataset dataset = { .schema = token->text,
				       .token = token,
				       .options = load->options };
	char buf[POSTGRES_NAME_MAX + 1];
	int rc = stage_take(inst, token, err);

	if (rc < 0 || !load->table)
		return rc;
	dataset.table = postgres_short_name(load->table->name, buf);
	return sink->emit(sink, &dataset);
}

int postgres_abort(struct etl_instance *inst, const struct etl_load *load,
		   const struct etl_token *token, struct etl_error *err)
{
	int rc;

	(void)load;
	if (!token->text[0])
		return ETL_OK;
	rc = stage_take(inst, token, err);
	if (rc < 0)
		return rc;
	stage_rollback(inst);
	rc = stage_drop(inst, token->text, err);
	if (rc == ETL_OK && is_held(inst, token->text)) {
		rc = stage_unlock(inst, token->text, err);
		forget_held(inst, token->text);
	}
	return rc;
}
