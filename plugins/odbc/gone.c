/* See gone.h. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "gone.h"
#include "into.h"

bool odbc_names_gone(const struct etl_load *load)
{
	return load->run->mode == ETL_MERGE && load->run->flags & ETL_RUN_CHANGES && load->deletes != ETL_DELETE_NONE &&
	       odbc_is_into(load);
}

const char *odbc_gone_name(const struct etl_load *load, char *buf)
{
	snprintf(buf, ODBC_NAME_ROOM, STAGE_PREFIX "goes_%llu", (unsigned long long)load->index);
	return buf;
}

void odbc_add_gone(struct etl_text *sql, struct etl_instance *inst, const struct etl_load *load, const struct etl_token *token)
{
	char name[ODBC_NAME_ROOM], buf[ODBC_NAME_ROOM];

	odbc_add_table(sql, inst, odbc_place_of(inst, load->table),
		       odbc_stage_name(inst, token->text, odbc_gone_name(load, name), buf));
}

void odbc_gone_add_match(struct etl_text *sql, const struct etl_instance *inst, const struct etl_load *load, const char *gone,
			 const char *own)
{
	for (size_t i = 0; i < load->key_count; i++) {
		etl_text_addf(sql, "%s%s.", i ? " AND " : "", gone);
		odbc_add_name(sql, inst, load->key[i]);
		etl_text_addf(sql, " = %s.", own);
		odbc_add_name(sql, inst, load->key[i]);
	}
}

/* ---- Keys on their way ----------------------------------------------------------------------------------------- */

void odbc_gone_free(struct odbc_gone *g)
{
	free(g->columns);
	g->columns = NULL;
}

int odbc_gone_make(struct etl_instance *inst, const struct etl_load *load, struct odbc_gone *ret, struct etl_error *err)
{
	ret->columns = calloc(load->key_count + 1, sizeof(*ret->columns));
	ret->load = *load;
	ret->load.table = &ret->table;
	ret->table = (struct etl_table){ .kind = ETL_TABLE,
					 .schema = load->table->schema,
					 .name = odbc_gone_name(load, ret->name),
					 .dialect = load->table->dialect,
					 .rows = ETL_UNKNOWN,
					 .bytes = ETL_UNKNOWN,
					 .columns = ret->columns,
					 .column_size = sizeof(*ret->columns) };
	for (size_t i = 0; ret->columns && i < load->key_count; i++) {
		const struct etl_column *c = odbc_into_find(load->table, load->key[i]);

		if (c)
			ret->columns[ret->table.column_count++] = *c;
	}
	return ret->columns ? ETL_OK : odbc_no_memory(inst, err);
}

/* Equal keys are spelled alike. */
static bool is_exact(const struct etl_load *load)
{
	bool exact = true;

	for (size_t i = 0; i < load->key_count; i++) {
		const struct etl_column *c = odbc_into_find(load->existing, load->key[i]);

		exact &= c && odbc_has_equality(c->type);
	}
	return exact;
}

static int forget_split(struct etl_instance *inst, const struct etl_load *load, const struct etl_token *token, uint64_t split,
			struct etl_error *err)
{
	struct etl_text sql = { 0 };

	etl_text_add(&sql, "DELETE FROM ");
	odbc_add_gone(&sql, inst, load, token);
	return odbc_run_text(inst, err, &sql) < 0 ? ETL_FAILED : odbc_forget_split(inst, token, load->index, split, err);
}

int odbc_gone_begin(struct etl_instance *inst, const struct etl_load *load, const struct etl_token *token, uint64_t split, bool *ret,
		    struct etl_error *err)
{
	bool taken = false;
	int rc = forget_split(inst, load, token, split, err);

	if (rc == ETL_OK && !is_exact(load))
		rc = odbc_was_taken(inst, token, load->index, &taken, err);
	if (rc == ETL_OK && taken)
		inst->host->log(inst->host, ETL_LOG_WARN,
				"table \"%s\": the server rejected rows, and texts of their key that differ may be equal to it, so this run "
				"deletes nothing from it",
				load->table->name);
	*ret = !taken;
	return rc;
}

int odbc_gone_keep(struct etl_instance *inst, const struct etl_load *load, const struct etl_token *token, const char *from,
		   struct etl_error *err)
{
	const char *where = strstr(from, " WHERE ");
	struct etl_text sql = { 0 }, gone = { 0 }, staged = { 0 };

	odbc_add_gone(&gone, inst, load, token);
	odbc_add_staged(&staged, inst, load, token);
	etl_text_addf(&sql, "DELETE FROM %s WHERE EXISTS (SELECT 1 FROM %s WHERE ", gone.at ? gone.at : "", staged.at ? staged.at : "");
	odbc_gone_add_match(&sql, inst, load, gone.at ? gone.at : "", staged.at ? staged.at : "");
	etl_text_addf(&sql, " AND (%s))", where ? where + strlen(" WHERE ") : "1 = 1");
	sql.failed |= gone.failed || staged.failed;
	etl_text_free(&gone);
	etl_text_free(&staged);
	return odbc_run_text(inst, err, &sql);
}
