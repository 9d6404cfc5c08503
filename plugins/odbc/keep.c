/* What a run that is published keeps, so that it can be taken back. See undo.h. */
#include "config.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "undo.h"

int odbc_refuse_keeping(struct etl_instance *inst, const struct etl_run *run, struct etl_error *err)
{
	if (inst->dialect == &odbc_standard && run->flags & ETL_RUN_UNDO)
		return inst->host->fail(err, ETL_USAGE, NULL, 0,
					"undo: through ODBC rows are kept in SQL Server, PostgreSQL and SQLite only; leave it out");
	if (!run->keep_old || inst->dialect == &odbc_tsql || inst->dialect == &odbc_postgresql)
		return ETL_OK;
	return inst->host->fail(err, ETL_USAGE, NULL, 0,
				"keep_old: through ODBC old tables are kept in SQL Server and PostgreSQL only, for here an index "
				"cannot be called otherwise, and a view follows its table%s; leave keep_old out",
				inst->dialect == &odbc_sqlite ? "; the plugin sqlite keeps what it replaces" : "");
}

/* ---- Names ------------------------------------------------------------------------------------------------------------ */

/* "_etlrun_old_RUN": of T-SQL what the names begin with, of PostgreSQL the schema. */
void odbc_generation_name(const char *run, char *buf)
{
	size_t length = strlen(UNDO_OLD);

	snprintf(buf, ODBC_NAME_ROOM, UNDO_OLD "%.64s", run);
	for (char *c = buf + length; *c; c++)
		*c = (char)tolower((unsigned char)*c);
}

const char *odbc_kept_name(const struct etl_instance *inst, const char *run, const char *table, char *buf)
{
	char generation[ODBC_NAME_ROOM];

	odbc_generation_name(run, generation);
	memcpy(generation + strlen(generation), "_", 2);
	return odbc_join_name(inst, generation, table, "", buf);
}

/* ---- The old tables --------------------------------------------------------------------------------------------------- */

static bool replaces(const struct etl_load *load)
{
	return odbc_moves(load) && load->existing;
}

static bool keeps(const struct odbc_publishing *p)
{
	bool any = false;

	for (size_t i = 0; !any && i < p->commit->load_count; i++)
		any = replaces(p->commit->loads[i]);
	return any && p->commit->run->mode == ETL_COPY && p->commit->run->keep_old > 0;
}

/* The server knows best what hangs on a table, so it is told to drop them, and then that it was not meant. */
static int try_dropping(struct odbc_publishing *p, int (*drop)(struct odbc_publishing *))
{
	int rc = odbc_savepoint(p->inst, p->err);

	if (rc == ETL_OK)
		rc = drop(p);
	return rc == ETL_OK ? odbc_back_to_savepoint(p->inst, p->err) : rc;
}

/* The numbers of all old tables: "1, 2". */
static int list_objects(struct odbc_publishing *p, struct etl_text *ret)
{
	int rc = ETL_OK;

	for (size_t i = 0; rc == ETL_OK && i < p->commit->load_count; i++) {
		const struct etl_load *load = p->commit->loads[i];
		char object[ODBC_OBJECT_ROOM];

		if (!replaces(load))
			continue;
		rc = odbc_object_of(p->inst, odbc_place_of(p->inst, load->table), load->table->name, object, p->err);
		if (rc == ETL_OK && *object)
			etl_text_addf(ret, "%s%s", ret->length ? ", " : "", object);
	}
	return rc == ETL_OK && ret->failed ? odbc_no_memory(p->inst, p->err) : rc;
}

int odbc_note_again(struct odbc_publishing *p, const char *statement)
{
	struct etl_text sql = { 0 };

	etl_text_add(&sql, "INSERT INTO ");
	odbc_add_own(&sql, p->inst, "_etlrun_again");
	etl_text_add(&sql, " (run, n, sql) VALUES (");
	odbc_add_literal(&sql, p->inst, p->commit->run->id);
	etl_text_addf(&sql, ", %d, ", p->again++);
	odbc_add_literal(&sql, p->inst, statement);
	etl_text_add(&sql, ")");
	return odbc_run_text(p->inst, p->err, &sql);
}

/* Keys to tables that are not kept too: they would bind rows that live on. */
static int cut_postgresql(struct odbc_publishing *p, const char *objects)
{
	struct etl_text sql = { 0 };
	struct odbc_rows keys;
	int rc;

	etl_text_addf(&sql,
		      "SELECT format('ALTER TABLE %%I.%%I ADD CONSTRAINT %%I %%s', n.nspname, t.relname, c.conname, "
		      "pg_get_constraintdef(c.oid)), format('ALTER TABLE %%I.%%I DROP CONSTRAINT %%I', n.nspname, t.relname, "
		      "c.conname) FROM pg_constraint AS c JOIN pg_class AS t ON t.oid = c.conrelid JOIN pg_namespace AS n ON n.oid "
		      "= t.relnamespace WHERE c.contype = 'f' AND c.conparentid = 0 AND c.conrelid IN (%s) AND c.confrelid NOT IN "
		      "(%s) ORDER BY c.oid",
		      objects, objects);
	rc = odbc_ask_rows_text(p->inst, &sql, 2, &keys, p->err);
	for (size_t i = 0; rc == ETL_OK && i < keys.count; i++) {
		rc = odbc_note_again(p, odbc_row_text(&keys, i, 0));
		if (rc == ETL_OK)
			rc = odbc_run(p->inst, p->err, odbc_row_text(&keys, i, 1));
	}
	odbc_rows_free(&keys);
	return rc;
}

static int make_schema(struct odbc_publishing *p)
{
	struct etl_text sql = { 0 };

	etl_text_add(&sql, "CREATE SCHEMA ");
	odbc_add_name(&sql, p->inst, p->kept);
	return odbc_run_text(p->inst, p->err, &sql);
}

static int put_away(struct odbc_publishing *p, const struct etl_load *load, const char *objects)
{
	const char *schema = odbc_place_of(p->inst, load->table), *name = load->table->name;
	char kept[ODBC_NAME_ROOM];
	struct etl_text sql = { 0 };
	int rc = ETL_OK;

	if (p->inst->dialect == &odbc_tsql) {
		rc = odbc_keep_tsql(p, load, objects);
		p->inst->dialect->add_rename(&sql, p->inst, schema, name,
					     odbc_kept_name(p->inst, p->commit->run->id, name, kept));
	} else {
		etl_text_add(&sql, "ALTER TABLE ");
		odbc_add_table(&sql, p->inst, schema, name);
		etl_text_add(&sql, " SET SCHEMA ");
		odbc_add_name(&sql, p->inst, p->kept);
	}
	if (rc == ETL_OK)
		return odbc_run_text(p->inst, p->err, &sql);
	etl_text_free(&sql);
	return rc;
}

int odbc_keep_old(struct odbc_publishing *p, int (*drop)(struct odbc_publishing *))
{
	bool tsql = p->inst->dialect == &odbc_tsql;
	struct etl_text objects = { 0 };
	int rc;

	if (!keeps(p))
		return drop(p);
	rc = try_dropping(p, drop);
	if (rc == ETL_OK)
		rc = list_objects(p, &objects);
	odbc_generation_name(p->commit->run->id, p->kept);
	if (rc == ETL_OK && !tsql)
		rc = cut_postgresql(p, objects.at ? objects.at : "0");
	if (rc == ETL_OK && !tsql)
		rc = make_schema(p);
	for (size_t i = 0; rc == ETL_OK && i < p->commit->load_count; i++)
		if (replaces(p->commit->loads[i]))
			rc = put_away(p, p->commit->loads[i], objects.at ? objects.at : "0");
	etl_text_free(&objects);
	return rc;
}

/* ---- What the run did ------------------------------------------------------------------------------------------------- */

int odbc_look_at_staged(struct odbc_publishing *p)
{
	int rc = ETL_OK;

	p->contents = calloc(p->commit->load_count + 1, sizeof(*p->contents));
	if (!p->contents)
		return odbc_no_memory(p->inst, p->err);
	for (size_t i = 0; rc == ETL_OK && i < p->commit->load_count; i++) {
		const struct etl_load *load = p->commit->loads[i];
		char name[ODBC_NAME_ROOM];

		if (odbc_moves(load))
			rc = odbc_look_at(p->inst, odbc_place_of(p->inst, load->table),
					  odbc_stage_name(p->inst, p->commit->tokens[i]->text, load->table->name, name), NULL,
					  &p->contents[i], p->err);
	}
	return rc;
}

static const char *how_of(const struct etl_load *load)
{
	if (odbc_moves(load))
		return load->existing ? "replaced" : "made";
	return load->run->mode == ETL_COPY ? "swapped" : load->run->mode == ETL_MERGE ? "merged" : "appended";
}

/* The rows that an append or a merge wrote, as they are now. */
static int look_at_rows(struct odbc_publishing *p, size_t i, const char *undo_name, size_t key_count, const char *const *key)
{
	const struct etl_load *load = p->commit->loads[i];
	const char *schema = odbc_place_of(p->inst, load->table);
	struct etl_text own = { 0 }, undo = { 0 }, where = { 0 };
	int rc;

	odbc_add_table(&own, p->inst, schema, load->table->name);
	odbc_add_table(&undo, p->inst, schema, undo_name);
	if (!own.failed && !undo.failed)
		odbc_undo_add_rows(&where, p->inst, &(struct odbc_undone){ own.at, undo.at, key, key_count }, "'i', 'u'");
	rc = own.failed || undo.failed || where.failed ?
		     odbc_no_memory(p->inst, p->err) :
		     odbc_look_at(p->inst, schema, load->table->name, where.at, &p->contents[i], p->err);
	etl_text_free(&own);
	etl_text_free(&undo);
	etl_text_free(&where);
	return rc;
}

static uint64_t touched(const struct odbc_publishing *p, size_t i)
{
	const struct etl_outcome *o = &p->commit->outcomes[i];

	return o->inserted + o->updated + o->deleted;
}

static int drop_undo(struct odbc_publishing *p, size_t i, const char *name)
{
	struct etl_text sql = { 0 };

	etl_text_add(&sql, "DROP TABLE ");
	odbc_add_table(&sql, p->inst, odbc_place_of(p->inst, p->commit->loads[i]->table), name);
	return odbc_run_text(p->inst, p->err, &sql);
}

/* *RET: the name of what is kept of load I, "" when nothing is; it has ODBC_NAME_ROOM bytes. */
static int find_kept(struct odbc_publishing *p, size_t i, char *ret, size_t *ret_keys)
{
	const struct etl_load *load = p->commit->loads[i];
	const char *const *key;
	int rc;

	*ret = '\0';
	*ret_keys = 0;
	if (odbc_is_into(load)) {
		key = odbc_undo_key(p->inst, load, ret_keys);
		if (!*ret_keys)
			return ETL_OK;
		odbc_undo_name(p->inst, load, ret);
		if (touched(p, i))
			return look_at_rows(p, i, ret, *ret_keys, key);
		rc = drop_undo(p, i, ret);
		*ret = '\0';
		return rc;
	}
	if (*p->kept && replaces(load) && p->inst->dialect == &odbc_tsql)
		odbc_kept_name(p->inst, p->commit->run->id, load->table->name, ret);
	else if (*p->kept && replaces(load))
		snprintf(ret, ODBC_NAME_ROOM, "%s", load->table->name);
	return ETL_OK;
}

static int note_table(struct odbc_publishing *p, size_t i, int64_t transaction)
{
	const struct etl_load *load = p->commit->loads[i];
	const char *schema = odbc_place_of(p->inst, load->table), *name = load->table->name;
	char object[ODBC_OBJECT_ROOM], kept[ODBC_NAME_ROOM];
	struct etl_text sql = { 0 };
	size_t keys;
	int rc = odbc_object_of(p->inst, schema, name, object, p->err);

	if (rc == ETL_OK)
		rc = find_kept(p, i, kept, &keys);
	if (rc < 0)
		return rc;
	etl_text_add(&sql, "INSERT INTO ");
	odbc_add_own(&sql, p->inst, "_etlrun_tables");
	etl_text_add(&sql, " (run, load, how, schema_name, table_name, object, row_count, digest, xact, touched, key_count, kept) "
			   "VALUES (");
	odbc_add_literal(&sql, p->inst, p->commit->run->id);
	etl_text_addf(&sql, ", %llu, ", (unsigned long long)load->index);
	odbc_add_literal(&sql, p->inst, how_of(load));
	etl_text_add(&sql, ", ");
	odbc_add_literal_or_null(&sql, p->inst, schema);
	etl_text_add(&sql, ", ");
	odbc_add_literal(&sql, p->inst, name);
	etl_text_add(&sql, ", ");
	odbc_add_literal_or_null(&sql, p->inst, object);
	etl_text_addf(&sql, ", %lld, ", (long long)p->contents[i].rows);
	odbc_add_literal_or_null(&sql, p->inst, p->contents[i].digest);
	etl_text_addf(&sql, ", %lld, %llu, %zu, ", odbc_moves(load) ? (long long)transaction : 0LL,
		      (unsigned long long)touched(p, i), keys);
	odbc_add_literal_or_null(&sql, p->inst, kept);
	etl_text_add(&sql, ")");
	return odbc_run_text(p->inst, p->err, &sql);
}

int odbc_note_tables(struct odbc_publishing *p)
{
	int64_t transaction = 0;
	int rc = odbc_transaction_of(p->inst, &transaction, p->err);

	for (size_t i = 0; rc == ETL_OK && i < p->commit->load_count; i++)
		if (p->commit->loads[i]->table->kind == ETL_TABLE)
			rc = note_table(p, i, transaction);
	return rc;
}
