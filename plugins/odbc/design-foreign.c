/* Foreign keys: made when every table has its own keys, so that the server looks at every row. */
#include "config.h"

#include "design.h"

static const char *action_word(const struct design *d, int32_t action)
{
	switch (action) {
	case ETL_CASCADE:
		return "CASCADE";
	case ETL_SET_NULL:
		return "SET NULL";
	case ETL_SET_DEFAULT:
		return "SET DEFAULT";
	case ETL_RESTRICT:
		return d->dialect == &odbc_tsql ? NULL : "RESTRICT";
	default:
		return NULL;
	}
}

static void add_parent_columns(struct design *d, struct etl_text *sql, const struct etl_foreign_key *key)
{
	if (!key->parent_columns)
		return;
	etl_text_add(sql, " (");
	odbc_design_add_columns(sql, d, key->parent_columns, key->column_count);
	etl_text_add(sql, ")");
}

void odbc_design_add_references(struct design *d, struct etl_text *sql, const struct etl_foreign_key *key)
{
	const char *on_delete = action_word(d, key->on_delete), *on_update = action_word(d, key->on_update);

	etl_text_add(sql, "FOREIGN KEY (");
	odbc_design_add_columns(sql, d, key->columns, key->column_count);
	etl_text_add(sql, ") REFERENCES ");
	odbc_design_add_table(sql, d, key->parent);
	add_parent_columns(d, sql, key);
	if (on_delete)
		etl_text_addf(sql, " ON DELETE %s", on_delete);
	if (on_update)
		etl_text_addf(sql, " ON UPDATE %s", on_update);
	if (key->deferrable != ETL_NOT_DEFERRABLE && d->dialect != &odbc_tsql)
		etl_text_add(sql, key->deferrable == ETL_DEFERRABLE_DEFERRED ? " DEFERRABLE INITIALLY DEFERRED" :
									       " DEFERRABLE");
}

/* Rows without a parent. */
static int screen(struct design *d, const struct etl_foreign_key *key, const struct etl_parent *parent)
{
	const char *const *theirs = key->parent_columns;
	struct etl_text sql = { 0 };

	if (!theirs && parent && parent->table)
		theirs = parent->table->primary.columns;
	if (!theirs)
		return ETL_OK;
	odbc_design_add_table(&sql, d, d->table->name);
	etl_text_add(&sql, " WHERE ");
	for (size_t i = 0; i < key->column_count; i++) {
		odbc_add_name(&sql, d->inst, key->columns[i]);
		etl_text_add(&sql, " IS NOT NULL AND ");
	}
	etl_text_add(&sql, "NOT EXISTS (SELECT 1 FROM ");
	odbc_design_add_table(&sql, d, key->parent);
	etl_text_add(&sql, " AS etlrun_parent WHERE ");
	for (size_t i = 0; i < key->column_count; i++) {
		etl_text_add(&sql, i ? " AND etlrun_parent." : "etlrun_parent.");
		odbc_add_name(&sql, d->inst, theirs[i]);
		etl_text_add(&sql, " = ");
		odbc_design_add_table(&sql, d, d->table->name);
		etl_text_add(&sql, ".");
		odbc_add_name(&sql, d->inst, key->columns[i]);
	}
	etl_text_add(&sql, ")");
	return odbc_design_part(d, ETL_PHASE_SCREEN, ETL_EXACT, "foreign key", key->name ? key->name : key->columns[0], &sql,
				"rows without a parent are looked for");
}

int odbc_design_foreign_key(struct design *d, size_t i)
{
	const struct etl_foreign_key *key =
		ETL_AT(const struct etl_foreign_key, d->table->foreign_keys, d->table->foreign_key_size, i);
	const struct etl_parent *parent = d->load && d->load->parents ? &d->load->parents[i] : NULL;
	struct etl_text sql = { 0 };
	char name[ODBC_NAME_ROOM];
	int rc = ETL_OK;

	odbc_constraint_name(d->inst, d->table, ODBC_FOREIGN, i, name);
	if (d->run && d->run->foreign_keys == ETL_FK_DROP)
		return odbc_design_skip(d, "foreign key", name, "foreign_keys = \"drop\"", NULL);
	if (odbc_design_looks(d) || (d->run && d->run->foreign_keys == ETL_FK_REPORT))
		rc = screen(d, key, parent);
	if (rc < 0 || d->dialect->keys_inline)
		return rc;
	etl_text_add(&sql, "ALTER TABLE ");
	odbc_design_add_table(&sql, d, d->table->name);
	etl_text_add(&sql, " ADD ");
	odbc_design_add_constraint(&sql, d, ODBC_FOREIGN, i);
	odbc_design_add_references(d, &sql, key);
	return odbc_design_part(d, ETL_PHASE_FINISH, ETL_EXACT, "foreign key", name, &sql, NULL);
}
