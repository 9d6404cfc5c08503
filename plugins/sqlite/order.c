/*
 * See screen.h. Rows whose store gives the rowids come in their order; only a table that brings its own, out of
 * order, needs to be told how they came. Until the first row that goes back, the rowids say it.
 */
#include "config.h"

#include <stdlib.h>

#include "read.h"
#include "screen.h"

#define ORDER_PREFIX "_etlrun_order_"

static int no_memory(struct etl_instance *inst, struct etl_error *err)
{
	return inst->host->fail(err, ETL_MEMORY, NULL, 0, "%s: no memory", inst->path);
}

static const char *order_table(const struct etl_load *load, char *buf, size_t size)
{
	return sqlite3_snprintf((int)size, buf, ORDER_PREFIX "%llu",
				(unsigned long long)load->index);
}

static bool is_there(struct etl_instance *inst, const struct etl_load *load)
{
	char name[48];

	return sqlite3_table_column_metadata(inst->stage, "main",
					     order_table(load, name, sizeof(name)), "id", NULL,
					     NULL, NULL, NULL, NULL) == SQLITE_OK;
}

static bool has_unique_index(const struct etl_table *table)
{
	size_t i;

	for (i = 0; i < table->index_count; i++) {
		if (ETL_AT(const struct etl_index, table->indexes, table->index_size, i)->flags &
		    ETL_INDEX_UNIQUE)
			return true;
	}
	return false;
}

static int prepare(struct etl_instance *inst, const struct etl_load *load,
		   struct sqlite_order *order, struct etl_error *err)
{
	char name[48];
	char *sql = sqlite3_mprintf("INSERT OR REPLACE INTO main.\"%w\"(id) VALUES (?1)",
				    order_table(load, name, sizeof(name)));
	int rc = sql ? sqlite_prepare(inst, inst->stage, sql, &order->insert, err) :
		       no_memory(inst, err);

	sqlite3_free(sql);
	return rc;
}

/* seq is the rowid of this small table, which counts on by itself. */
static int begin(struct etl_instance *inst, const struct etl_load *load, struct sqlite_order *order,
		 struct etl_error *err)
{
	char name[48];
	char *sql = sqlite3_mprintf(
		"CREATE TABLE main.\"%w\"(seq INTEGER PRIMARY KEY, id INTEGER NOT "
		"NULL UNIQUE)",
		order_table(load, name, sizeof(name)));
	int rc = sql ? sqlite_run(inst, inst->stage, sql, err) : no_memory(inst, err);

	sqlite3_free(sql);
	return rc ? rc : prepare(inst, load, order, err);
}

int sqlite_order_open(struct etl_instance *inst, const struct etl_load *load,
		      struct sqlite_order *order, struct etl_error *err)
{
	const struct etl_dataset dataset = { .table = load->table->name };
	const char *rowid = NULL;
	char *sql;
	int rc = ETL_OK;

	*order = (struct sqlite_order){ 0 };
	if (!has_unique_index(load->table))
		return ETL_OK;
	rc = select_rowid(inst, inst->stage, &dataset, &rowid, err);
	if (rc || !rowid)
		return rc;
	order->wanted = true;
	if (is_there(inst, load))
		return prepare(inst, load, order, err);
	sql = sqlite3_mprintf("SELECT max(\"%w\") FROM main.\"%w\"", rowid, load->table->name);
	rc = sql ? sqlite_number(inst, inst->stage, sql, 0, &order->last, err) :
		   no_memory(inst, err);
	sqlite3_free(sql);
	/* Of an empty table that is 0, and every negative rowid would be noted: so much the safer. */
	order->any = !rc;
	return rc;
}

int sqlite_order_note(struct etl_instance *inst, const struct etl_load *load,
		      struct sqlite_order *order, int64_t rowid, struct etl_error *err)
{
	int rc = ETL_OK;

	if (!order->insert && (!order->any || rowid >= order->last)) {
		order->any = true;
		order->last = rowid;
		return ETL_OK;
	}
	if (!order->insert)
		rc = begin(inst, load, order, err);
	if (rc)
		return rc;
	sqlite3_bind_int64(order->insert, 1, rowid);
	if (sqlite3_step(order->insert) != SQLITE_DONE)
		rc = sqlite_fail(inst, inst->stage, err, "noting the order of the rows of \"%s\"",
				 load->table->name);
	sqlite3_reset(order->insert);
	return rc;
}

void sqlite_order_close(struct sqlite_order *order)
{
	sqlite3_finalize(order->insert);
	*order = (struct sqlite_order){ 0 };
}

char *sqlite_order_by(struct etl_instance *inst, const struct etl_load *load, const char *rowid)
{
	const struct etl_key *key = screen_key(load);
	struct etl_text text = { 0 };
	char name[48];
	size_t i;

	if (rowid && is_there(inst, load))
		etl_text_addf(&text, "(SELECT o.seq FROM main.\"%s\" AS o WHERE o.id = t.\"%s\"), ",
			      order_table(load, name, sizeof(name)), rowid);
	if (rowid)
		etl_text_addf(&text, "t.\"%s\"", rowid);
	for (i = 0; !rowid && i < key->column_count; i++) {
		etl_text_add(&text, i ? ", t." : "t.");
		etl_text_add_name(&text, key->columns[i], '"');
	}
	return etl_text_take(&text);
}

int sqlite_order_drop(struct etl_instance *inst, struct etl_error *err)
{
	struct etl_text sql = { 0 };
	sqlite3_stmt *stmt = NULL;
	int step,
		rc = sqlite_prepare(inst, inst->stage,
				    "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND "
				    "name GLOB '" ORDER_PREFIX "[0-9]*'",
				    &stmt, err);

	if (rc)
		return rc;
	while ((step = sqlite3_step(stmt)) == SQLITE_ROW) {
		etl_text_add(&sql, "DROP TABLE main.");
		etl_text_add_name(&sql, (const char *)sqlite3_column_text(stmt, 0), '"');
		etl_text_add(&sql, ";\n");
	}
	if (step != SQLITE_DONE)
		rc = sqlite_fail(inst, inst->stage, err, "looking through the staging file");
	sqlite3_finalize(stmt);
	if (!rc && sql.failed)
		rc = no_memory(inst, err);
	if (!rc && sql.length)
		rc = sqlite_run(inst, inst->stage, sql.at, err);
	etl_text_free(&sql);
	return rc;
}
