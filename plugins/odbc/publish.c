/*
 * The one moment at which the target changes: a transaction that puts the staged tables in the place of the old ones, or
 * their rows into those that stay, and writes the run's state beside them. Whatever fails leaves all as it was. When the
 * answer to COMMIT is lost, the state tells how it ended.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "fault.h"
#include "into.h"
#include "layout.h"
#include "provision.h"
#include "undo.h"

static int drop_old(struct etl_instance *inst, const struct etl_load *load, struct etl_error *err)
{
	struct etl_text sql = { 0 };
	bool there = false;
	int rc = odbc_is_there(inst, odbc_place_of(inst, load->table), load->table->name, &there, err);

	if (rc < 0 || !there)
		return rc;
	etl_text_add(&sql, "DROP TABLE ");
	odbc_add_table(&sql, inst, odbc_place_of(inst, load->table), load->table->name);
	return odbc_run_text(inst, err, &sql);
}

static int rename_staged(struct etl_instance *inst, const struct etl_load *load, const struct etl_token *token,
			 struct etl_error *err)
{
	struct etl_text sql = { 0 };
	char buf[ODBC_NAME_ROOM];

	inst->dialect->add_rename(&sql, inst, odbc_place_of(inst, load->table),
				  odbc_stage_name(inst, token->text, load->table->name, buf), load->table->name);
	return odbc_run_text(inst, err, &sql);
}

/* Children were made after their parents, so they go before them; keys between the old ones go first of all. */
static int take_away(struct odbc_publishing *p)
{
	const struct etl_commit *commit = p->commit;
	int rc = ETL_OK;

	for (size_t i = 0; rc == ETL_OK && i < commit->load_count; i++)
		if (odbc_moves(commit->loads[i]) && commit->loads[i]->existing)
			rc = odbc_drop_foreign_keys(p->inst, odbc_place_of(p->inst, commit->loads[i]->table),
						    commit->loads[i]->table->name, p->err);
	for (size_t i = commit->load_count; rc == ETL_OK && i-- > 0;)
		if (odbc_moves(commit->loads[i]) && commit->loads[i]->existing)
			rc = drop_old(p->inst, commit->loads[i], p->err);
	return rc;
}

static int put(struct etl_instance *inst, const struct etl_commit *commit, size_t i, struct etl_error *err)
{
	const struct etl_load *load = commit->loads[i];

	if (load->table->kind != ETL_TABLE)
		return ETL_OK;
	return odbc_moves(load) ? rename_staged(inst, load, commit->tokens[i], err) : odbc_put_into(inst, commit, i, err);
}

static int forget_stage(struct etl_instance *inst, const struct etl_commit *commit, struct etl_error *err)
{
	static const char *const tables[] = { "_etlrun_units", "_etlrun_stages" };
	int rc = ETL_OK;

	for (size_t i = 0; rc == ETL_OK && commit->load_count && i < 2; i++) {
		struct etl_text sql = { 0 };

		etl_text_add(&sql, "DELETE FROM ");
		odbc_add_own(&sql, inst, tables[i]);
		etl_text_add(&sql, " WHERE stage = ");
		odbc_add_literal(&sql, inst, commit->tokens[0]->text);
		rc = odbc_run_text(inst, err, &sql);
	}
	return rc;
}

static int publish(struct odbc_publishing *p)
{
	struct etl_instance *inst = p->inst;
	const struct etl_commit *commit = p->commit;
	int rc = odbc_mark_work(inst, commit->run->id, p->err);

	if (rc == ETL_OK)
		rc = odbc_check_trust(inst, commit, p->err);
	if (rc == ETL_OK)
		rc = odbc_keep_old(p, take_away);
	if (rc == ETL_OK)
		rc = odbc_empty_old(inst, commit, p->err);
	if (rc == ETL_OK)
		rc = odbc_begin_merge(inst, commit, p->err);
	for (size_t i = 0; rc == ETL_OK && i < commit->load_count; i++)
		rc = put(inst, commit, i, p->err);
	if (rc == ETL_OK)
		rc = odbc_end_merge(inst, commit, p->err);
	for (size_t i = 0; rc == ETL_OK && i < commit->load_count; i++)
		if (odbc_moves(commit->loads[i]))
			rc = odbc_rename_keys(inst, commit->loads[i], p->err);
	if (rc == ETL_OK)
		rc = odbc_state_write(inst, commit, p->kept, p->err);
	if (rc == ETL_OK)
		rc = odbc_note_tables(p);
	if (rc == ETL_OK)
		rc = forget_stage(inst, commit, p->err);
	return rc == ETL_OK ? odbc_check_mark(inst, commit->run->id, p->err) : rc;
}

/* What a lost answer means, or one that comes too late: the host asks `recall`, and calls again. */
static int commit_work(struct etl_instance *inst, struct etl_error *err)
{
	struct odbc_said said;

	if (odbc_try_run(inst, inst->dialect->commit, &said))
		return ETL_OK;
	if (inst->lost)
		said.klass = ETL_OUTCOME_UNKNOWN;
	return odbc_tell(inst, &said, err, inst->dialect->commit);
}

static int transact(struct odbc_publishing *p)
{
	struct etl_instance *inst = p->inst;
	int rc = odbc_look_at_staged(p);

	if (rc == ETL_OK)
		rc = odbc_begin_work(inst, p->err);
	if (rc < 0)
		return rc;
	inst->unit[0] = '\0';
	rc = publish(p);
	ETL_FAULT("odbc.publish_before_commit");
	if (rc == ETL_OK)
		rc = odbc_check_work(inst, p->err);
	if (rc < 0)
		return odbc_end_work(inst, rc, p->err);
	rc = commit_work(inst, p->err);
	ETL_FAULT("odbc.publish_after_commit");
	if (rc == ETL_OK)
		odbc_provision_keep(inst, p->commit->run->id);
	return rc;
}

int odbc_commit(struct etl_instance *inst, const struct etl_commit *commit, struct etl_error *err)
{
	struct odbc_publishing p = { .inst = inst, .commit = commit, .err = err };
	bool published = false;
	int rc = odbc_db(inst, err);

	if (rc == ETL_OK)
		rc = odbc_state_is_published(inst, commit->run->id, &published, err);
	if (rc == ETL_OK && published) {
		odbc_provision_keep(inst, commit->run->id);
		return odbc_state_read(inst, commit, err);
	}
	if (rc == ETL_OK && commit->load_count)
		rc = odbc_layout(inst, commit->loads[0], err);
	if (rc == ETL_OK)
		rc = transact(&p);
	odbc_let_go_of_work(inst);
	if (rc == ETL_OK && p.kept[0])
		snprintf(commit->kept->text, sizeof(commit->kept->text), "%s", p.kept);
	if (rc == ETL_OK)
		odbc_drop_older(inst, commit->run);
	free(p.contents);
	return rc;
}
