/* Keys of rows that go: the table in which they wait, and what counts on it that such a row is there no more. */
#include "config.h"

#include <strings.h>

#include "design.h"
#include "gone.h"

/* The table has the columns of the key, as rows wait with them. */
int odbc_design_gone(struct design *d)
{
	char name[ODBC_NAME_ROOM];
	struct etl_text sql = { 0 };

	if (!d->load || !d->run || !odbc_names_gone(d->load))
		return ETL_OK;
	etl_text_add(&sql, "CREATE TABLE ");
	odbc_design_add_table(&sql, d, odbc_gone_name(d->load, name));
	etl_text_add(&sql, " (");
	for (size_t i = 0; i < d->load->key_count; i++) {
		etl_text_add(&sql, i ? ", " : "");
		odbc_design_add_waiting(&sql, d, odbc_design_column(d->table, d->load->key[i]));
	}
	etl_text_add(&sql, ")");
	return odbc_design_part(d, ETL_PHASE_PREPARE, ETL_EXACT, "table", "deleted keys", &sql, "what the source has no longer");
}

static void add_not_gone(struct etl_text *sql, const struct design *d, const struct etl_load *load, const char *own)
{
	char name[ODBC_NAME_ROOM];

	etl_text_add(sql, " AND NOT EXISTS (SELECT 1 FROM ");
	odbc_design_add_table(sql, d, odbc_gone_name(load, name));
	etl_text_add(sql, " AS " GONE " WHERE ");
	odbc_gone_add_match(sql, d->inst, load, GONE, own);
	etl_text_add(sql, ")");
}

void odbc_design_add_not_gone(struct etl_text *sql, const struct design *d, const char *own)
{
	if (d->load->deletes == ETL_DELETE_HARD && odbc_names_gone(d->load))
		add_not_gone(sql, d, d->load, own);
}

void odbc_design_add_parent_stays(struct etl_text *sql, const struct design *d, const char *parent, const char *own)
{
	for (size_t i = 0; d->run->loads && i < d->run->load_count; i++) {
		const struct etl_load *load = d->run->loads[i];

		if (strcasecmp(load->table->name, parent) == 0 && load->deletes == ETL_DELETE_HARD && odbc_names_gone(load))
			add_not_gone(sql, d, load, own);
	}
}
