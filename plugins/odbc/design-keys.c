/*
 * Keys. The primary key is made with the table, because rows come in its order; the rest when rows are there,
 * unless rows that break it are to be found one by one. T-SQL takes two NULLs for equal, so a key with such columns
 * becomes a filtered index.
 */
#include "config.h"

#include "design.h"

#define EACH(d, type, member, i) ETL_AT(const struct type, (d)->table->member##s, (d)->table->member##_size, i)

static bool may_be_null(const struct design *d, const struct etl_key *key)
{
	for (size_t i = 0; i < key->column_count; i++) {
		const struct etl_column *c = odbc_design_column(d->table, key->columns[i]);

		if (c && !(c->flags & ETL_NOT_NULL))
			return true;
	}
	return false;
}

static bool by_index(const struct design *d, const struct etl_key *key)
{
	return d->dialect == &odbc_tsql && may_be_null(d, key) && !(key->flags & ETL_KEY_NULLS_EQUAL);
}

static bool nonclustered(const struct design *d)
{
	return d->layout && d->layout->nonclustered;
}

static bool at_once(const struct design *d)
{
	return odbc_design_looks(d) || d->dialect->keys_inline;
}

int odbc_design_inline_keys(struct design *d, struct etl_text *lines)
{
	const struct etl_key *primary = &d->table->primary;
	int rc = ETL_OK;

	if (primary->column_count) {
		etl_text_add(lines, ",\n\t");
		odbc_design_add_constraint(lines, d, ODBC_PRIMARY, 0);
		etl_text_add(lines, nonclustered(d) ? "PRIMARY KEY NONCLUSTERED (" : "PRIMARY KEY (");
		odbc_design_add_columns(lines, d, primary->columns, primary->column_count);
		etl_text_add(lines, ")");
		rc = odbc_design_part(d, ETL_PHASE_PREPARE, ETL_EXACT, "primary key", primary->name, NULL,
				      nonclustered(d) ? "not clustered: its rows have longer keys than the 900 bytes of a clustered one" :
							NULL);
	}
	for (size_t i = 0; rc == ETL_OK && at_once(d) && i < d->table->unique_count; i++) {
		const struct etl_key *key = EACH(d, etl_key, unique, i);

		if (by_index(d, key) || odbc_design_any_gone(d, key->columns, key->column_count))
			continue;
		etl_text_add(lines, ",\n\t");
		odbc_design_add_constraint(lines, d, ODBC_UNIQUE, i);
		etl_text_add(lines, "UNIQUE (");
		odbc_design_add_columns(lines, d, key->columns, key->column_count);
		etl_text_add(lines, ")");
		rc = odbc_design_part(d, ETL_PHASE_PREPARE, ETL_EXACT, "unique", key->name ? key->name : key->columns[0],
				      NULL, NULL);
	}
	if (d->dialect->keys_inline)
		for (size_t i = 0; rc == ETL_OK && i < d->table->foreign_key_count; i++) {
			const struct etl_foreign_key *key = EACH(d, etl_foreign_key, foreign_key, i);

			etl_text_add(lines, ",\n\t");
			odbc_design_add_constraint(lines, d, ODBC_FOREIGN, i);
			odbc_design_add_references(d, lines, key, true);
			rc = odbc_design_part(d, ETL_PHASE_PREPARE, ETL_EXACT, "foreign key",
					      key->name ? key->name : key->columns[0], NULL, NULL);
		}
	return rc;
}

/* ---- Afterwards --------------------------------------------------------------------------------------------- */

static void add_not_null(struct design *d, struct etl_text *sql, const struct etl_key *key)
{
	const char *word = " WHERE ";

	for (size_t i = 0; i < key->column_count; i++) {
		const struct etl_column *c = odbc_design_column(d->table, key->columns[i]);

		if (c && c->flags & ETL_NOT_NULL)
			continue;
		etl_text_add(sql, word);
		odbc_add_name(sql, d->inst, key->columns[i]);
		etl_text_add(sql, " IS NOT NULL");
		word = " AND ";
	}
}

static int unique(struct design *d, size_t i)
{
	const struct etl_key *key = EACH(d, etl_key, unique, i);
	char name[ODBC_NAME_ROOM];
	struct etl_text sql = { 0 };
	bool filtered = by_index(d, key);

	odbc_constraint_name(d->inst, d->table, ODBC_UNIQUE, i, name);
	if (odbc_design_any_gone(d, key->columns, key->column_count))
		return odbc_design_skip(d, "unique", name, "a column of it is left out", NULL);
	if (filtered) {
		etl_text_add(&sql, "CREATE UNIQUE INDEX ");
		odbc_add_name(&sql, d->inst, name);
		etl_text_add(&sql, " ON ");
		odbc_design_add_table(&sql, d, d->table->name);
	} else {
		etl_text_add(&sql, "ALTER TABLE ");
		odbc_design_add_table(&sql, d, d->table->name);
		etl_text_add(&sql, " ADD ");
		odbc_design_add_constraint(&sql, d, ODBC_UNIQUE, i);
		etl_text_add(&sql, "UNIQUE");
	}
	etl_text_add(&sql, " (");
	odbc_design_add_columns(&sql, d, key->columns, key->column_count);
	etl_text_add(&sql, ")");
	if (filtered)
		add_not_null(d, &sql, key);
	/* So that a row that breaks it is found when it comes. */
	return odbc_design_part(d, filtered && odbc_design_looks(d) ? ETL_PHASE_PREPARE : ETL_PHASE_FINISH,
				filtered ? ETL_APPROXIMATED : ETL_EXACT, "unique", name, &sql,
				filtered ? "a filtered index: a key of T-SQL takes only one NULL" : NULL);
}

int odbc_design_keys(struct design *d)
{
	int rc = ETL_OK;

	for (size_t i = 0; rc == ETL_OK && i < d->table->unique_count; i++) {
		const struct etl_key *key = EACH(d, etl_key, unique, i);

		if (!at_once(d) || by_index(d, key) || odbc_design_any_gone(d, key->columns, key->column_count))
			rc = unique(d, i);
	}
	return rc;
}
