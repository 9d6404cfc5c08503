/*
 * Which pieces of work are done: each has a name of its own, which is written down by the transaction that did it.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "target.h"

/* "STAGE UNIT": of no run before and of no other instance. */
int odbc_mark(struct etl_instance *inst, const struct etl_token *stage, struct etl_token *ret,
	      struct etl_error *err)
{
	uint64_t bits;

	if (getentropy(&bits, sizeof(bits)) != 0)
		return inst->host->fail(err, ETL_MEMORY, NULL, 0,
					"the system gives no random numbers");
	snprintf(inst->unit, sizeof(inst->unit), "%.120s %016llx", stage->text,
		 (unsigned long long)bits);
	snprintf(ret->text, sizeof(ret->text), "%s", inst->unit);
	return ETL_OK;
}

static const char *split_mark(const char *mark, char *stage, size_t room)
{
	const char *space = strrchr(mark, ' ');

	if (!space || (size_t)(space - mark) >= room)
		return NULL;
	memcpy(stage, mark, (size_t)(space - mark));
	stage[space - mark] = '\0';
	return space + 1;
}

/* How many units of STAGE have this name. */
static int count_units(struct etl_instance *inst, const char *stage, const char *unit, int64_t *ret, struct etl_error *err)
{
	struct etl_text sql = { 0 };

	etl_text_add(&sql, "SELECT COUNT(*) FROM ");
	odbc_add_own(&sql, inst, "_etlrun_units");
	etl_text_add(&sql, " WHERE stage = ");
	odbc_add_literal(&sql, inst, stage);
	etl_text_add(&sql, " AND unit = ");
	odbc_add_literal(&sql, inst, unit);
	return odbc_number_text(inst, err, ret, &sql);
}

int odbc_check_unit(struct etl_instance *inst, struct etl_error *err)
{
	char stage[ODBC_NAME_ROOM];
	const char *unit = split_mark(inst->noted, stage, sizeof(stage));
	int64_t count = 0;
	int rc = unit ? count_units(inst, stage, unit, &count, err) : ETL_OK;

	if (rc == ETL_OK && unit && count == 0)
		rc = inst->host->fail(err, ETL_RETRY_STATEMENT, NULL, 0,
				      "the server took the transaction back by itself; nothing of it is there");
	inst->noted[0] = '\0';
	return rc;
}

static int note(struct etl_instance *inst, const char *stage, const char *unit, struct etl_error *err)
{
	struct etl_text sql = { 0 };

	etl_text_add(&sql, "INSERT INTO ");
	odbc_add_own(&sql, inst, "_etlrun_units");
	etl_text_add(&sql, " (stage, unit) VALUES (");
	odbc_add_literal(&sql, inst, stage);
	etl_text_add(&sql, ", ");
	odbc_add_literal(&sql, inst, unit);
	etl_text_add(&sql, ")");
	return odbc_run_text(inst, err, &sql);
}

int odbc_note_unit(struct etl_instance *inst, struct etl_error *err)
{
	char stage[ODBC_NAME_ROOM];
	const char *unit = split_mark(inst->unit, stage, sizeof(stage));

	int rc = unit ? note(inst, stage, unit, err) : ETL_OK;

	if (rc < 0 || !unit)
		return rc;
	memcpy(inst->noted, inst->unit, sizeof(inst->noted));
	inst->unit[0] = '\0';
	return ETL_OK;
}

/* The key of the table keeps a split from being there twice. */
#define UNIT_ROOM 64
static const char *split_unit(uint64_t load, uint64_t split, char *buf)
{
	snprintf(buf, UNIT_ROOM, "split %llu of %llu", (unsigned long long)split, (unsigned long long)load);
	return buf;
}

int odbc_note_split(struct etl_instance *inst, const struct etl_token *stage, uint64_t load, uint64_t split,
		    struct etl_error *err)
{
	char unit[UNIT_ROOM];

	return note(inst, stage->text, split_unit(load, split, unit), err);
}

int odbc_forget_split(struct etl_instance *inst, const struct etl_token *stage, uint64_t load, uint64_t split,
		      struct etl_error *err)
{
	struct etl_text sql = { 0 };
	char unit[UNIT_ROOM];

	etl_text_add(&sql, "DELETE FROM ");
	odbc_add_own(&sql, inst, "_etlrun_units");
	etl_text_add(&sql, " WHERE stage = ");
	odbc_add_literal(&sql, inst, stage->text);
	etl_text_add(&sql, " AND unit = ");
	odbc_add_literal(&sql, inst, split_unit(load, split, unit));
	return odbc_run_text(inst, err, &sql);
}

/* Each time another name: several instances may take rows out at once. */
int odbc_note_taken(struct etl_instance *inst, const struct etl_token *stage, uint64_t load, struct etl_error *err)
{
	char unit[96];
	uint64_t bits;

	if (getentropy(&bits, sizeof(bits)) != 0)
		return inst->host->fail(err, ETL_MEMORY, NULL, 0, "the system gives no random numbers");
	snprintf(unit, sizeof(unit), "rows taken from %llu, %016llx", (unsigned long long)load, (unsigned long long)bits);
	return note(inst, stage->text, unit, err);
}

int odbc_was_taken(struct etl_instance *inst, const struct etl_token *stage, uint64_t load, bool *ret, struct etl_error *err)
{
	struct etl_text sql = { 0 };
	int64_t count = 0;
	int rc;

	etl_text_add(&sql, "SELECT COUNT(*) FROM ");
	odbc_add_own(&sql, inst, "_etlrun_units");
	etl_text_add(&sql, " WHERE stage = ");
	odbc_add_literal(&sql, inst, stage->text);
	etl_text_addf(&sql, " AND unit LIKE 'rows taken from %llu, %%'", (unsigned long long)load);
	rc = odbc_number_text(inst, err, &count, &sql);
	*ret = count > 0;
	return rc;
}

/* A transaction that was lost in its COMMIT and is not over holds the unit: reading waits for it. */
int odbc_since(struct etl_instance *inst, const struct etl_token *token,
	       const struct etl_token *mark, int32_t *ret, struct etl_error *err)
{
	char stage[ODBC_NAME_ROOM];
	const char *unit = split_mark(mark->text, stage, sizeof(stage));
	struct etl_text sql = { 0 };
	int64_t there = 0, done = 0;
	int rc = odbc_db(inst, err);

	if (rc < 0)
		return rc;
	*ret = ETL_UNKNOWN;
	etl_text_add(&sql, "SELECT COUNT(*) FROM ");
	odbc_add_own(&sql, inst, "_etlrun_stages");
	etl_text_add(&sql, " WHERE stage = ");
	odbc_add_literal(&sql, inst, token->text);
	rc = odbc_number_text(inst, err, &there, &sql);
	if (rc < 0 || there == 0 || !unit)
		return rc;
	rc = count_units(inst, stage, unit, &done, err);
	if (rc == ETL_OK)
		*ret = done > 0;
	return rc;
}
