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

static const struct etl_parent *parent_of(const struct design *d, const struct etl_foreign_key *key)
{
	for (size_t i = 0; d->load && d->load->parents && i < d->table->foreign_key_count; i++)
		if (ETL_AT(const struct etl_foreign_key, d->table->foreign_keys, d->table->foreign_key_size, i) == key)
			return &d->load->parents[i];
	return NULL;
}

void odbc_design_add_references(struct design *d, struct etl_text *sql, const struct etl_foreign_key *key, bool acts)
{
	const struct etl_parent *parent = parent_of(d, key);
	const char *const *theirs = odbc_layout_theirs(key, parent ? parent->table : NULL);
	const char *on_delete = acts ? action_word(d, key->on_delete) : NULL,
		   *on_update = acts ? action_word(d, key->on_update) : NULL;

	etl_text_add(sql, "FOREIGN KEY (");
	odbc_design_add_columns(sql, d, key->columns, key->column_count);
	etl_text_add(sql, ") REFERENCES ");
	odbc_design_add_table(sql, d, key->parent);
	if (theirs) {
		etl_text_add(sql, " (");
		odbc_design_add_columns(sql, d, theirs, key->column_count);
		etl_text_add(sql, ")");
	}
	if (on_delete)
		etl_text_addf(sql, " ON DELETE %s", on_delete);
	if (on_update)
		etl_text_addf(sql, " ON UPDATE %s", on_update);
	if (key->deferrable != ETL_NOT_DEFERRABLE && d->dialect != &odbc_tsql)
		etl_text_add(sql, key->deferrable == ETL_DEFERRABLE_DEFERRED ? " DEFERRABLE INITIALLY DEFERRED" :
									       " DEFERRABLE");
}

/* ---- Rows without a parent -------------------------------------------------------------------------------- */

/* The parent's own table, which is not staged: restage.c leaves a name with spaces around its dot as it is. */
void odbc_design_add_published(struct etl_text *sql, const struct design *d, const char *name)
{
	const char *schema = odbc_place_of(d->inst, d->table);

	if (schema)
		odbc_add_name(sql, d->inst, schema);
	etl_text_add(sql, schema ? " . " : d->dialect == &odbc_sqlite ? "main . " : "");
	odbc_add_name(sql, d->inst, name);
}

static void add_no_parent(struct etl_text *sql, const struct design *d, const struct etl_foreign_key *key,
			  const char *const *theirs, bool published)
{
	etl_text_add(sql, "NOT EXISTS (SELECT 1 FROM ");
	if (published)
		odbc_design_add_published(sql, d, key->parent);
	else
		odbc_design_add_table(sql, d, key->parent);
	etl_text_add(sql, " AS etlrun_parent WHERE ");
	for (size_t i = 0; i < key->column_count; i++) {
		etl_text_add(sql, i ? " AND etlrun_parent." : "etlrun_parent.");
		odbc_add_name(sql, d->inst, theirs[i]);
		etl_text_add(sql, " = ");
		odbc_design_add_table(sql, d, d->table->name);
		etl_text_add(sql, ".");
		odbc_add_name(sql, d->inst, key->columns[i]);
	}
	if (published)
		odbc_design_add_parent_stays(sql, d, key->parent, "etlrun_parent");
	etl_text_add(sql, ")");
}

static bool adds_rows(const struct design *d)
{
	return d->run && d->run->mode != ETL_COPY && d->load->existing;
}

/* KIND "foreign key" or "reference". THEIRS: the parent's columns. */
static int screen(struct design *d, const struct etl_foreign_key *key, const char *const *theirs, const char *kind,
		  const char *part)
{
	struct etl_text sql = { 0 };

	if (!theirs)
		return ETL_OK;
	odbc_design_add_table(&sql, d, d->table->name);
	etl_text_add(&sql, " WHERE ");
	for (size_t i = 0; i < key->column_count; i++) {
		odbc_add_name(&sql, d->inst, key->columns[i]);
		etl_text_add(&sql, " IS NOT NULL AND ");
	}
	add_no_parent(&sql, d, key, theirs, false);
	if (adds_rows(d)) {
		etl_text_add(&sql, " AND ");
		add_no_parent(&sql, d, key, theirs, true);
	}
	return odbc_design_part(d, ETL_PHASE_SCREEN, ETL_EXACT, kind, part, &sql,
				odbc_design_looks(d) ? "rows without the one they refer to are rejected" :
						       "a row without the one it refers to fails the run");
}

static const char *const *columns_of(const struct etl_foreign_key *key, const struct etl_table *parent)
{
	return key->parent_columns || !parent ? key->parent_columns : parent->primary.columns;
}

int odbc_design_references(struct design *d)
{
	int rc = ETL_OK;

	for (size_t i = 0; rc == ETL_OK && d->load && i < d->load->reference_count; i++) {
		const struct etl_foreign_key *r =
			ETL_AT(const struct etl_foreign_key, d->load->references, d->load->reference_size, i);

		if (!r->parent_columns)
			return d->inst->host->fail(d->err, ETL_USAGE, NULL, 0,
						   "references: say which columns of \"%s\" are meant", r->parent);
		rc = screen(d, r, r->parent_columns, "reference", r->name ? r->name : r->columns[0]);
	}
	return rc;
}

/* Of a table that stays: its own keys, which its rows will have to keep. */
int odbc_design_own_keys(struct design *d)
{
	const struct etl_table *t = d->load->existing;
	int rc = ETL_OK;

	for (size_t i = 0; rc == ETL_OK && odbc_design_looks(d) && i < t->foreign_key_count; i++) {
		const struct etl_foreign_key *key =
			ETL_AT(const struct etl_foreign_key, t->foreign_keys, t->foreign_key_size, i);
		bool comes = true;

		for (size_t c = 0; c < key->column_count; c++)
			comes &= odbc_design_column(d->table, key->columns[c]) != NULL;
		if (comes)
			rc = screen(d, key, columns_of(key, NULL), "foreign key", key->name ? key->name : key->columns[0]);
	}
	return rc;
}

static int refuse_key(struct design *d, const char *name, struct etl_text *why)
{
	int rc = why->failed ? odbc_design_no_memory(d) :
			       odbc_design_skip(d, "foreign key", name, why->at ? why->at : "", NULL);

	etl_text_free(why);
	return rc;
}

static const char *note_of(const struct design *d, const struct etl_foreign_key *key, size_t i, int32_t *verdict)
{
	const char *pruned = d->layout ? d->layout->pruned[i] : NULL;

	*verdict = pruned ? ETL_APPROXIMATED : ETL_EXACT;
	if (!pruned && d->tsql && key->deferrable != ETL_NOT_DEFERRABLE) {
		*verdict = ETL_APPROXIMATED;
		return "T-SQL looks at it at once: none is deferrable";
	}
	return pruned;
}

static int add_key(struct design *d, const struct etl_foreign_key *key, size_t i, const char *name)
{
	struct etl_text sql = { 0 };
	int32_t verdict;
	const char *note = note_of(d, key, i, &verdict);

	etl_text_add(&sql, "ALTER TABLE ");
	odbc_design_add_table(&sql, d, d->table->name);
	etl_text_add(&sql, " ADD ");
	odbc_design_add_constraint(&sql, d, ODBC_FOREIGN, i);
	odbc_design_add_references(d, &sql, key, !(d->layout && d->layout->pruned[i]));
	return odbc_design_part(d, ETL_PHASE_FINISH, verdict, "foreign key", name, &sql, note);
}

int odbc_design_foreign_key(struct design *d, size_t i)
{
	const struct etl_foreign_key *key =
		ETL_AT(const struct etl_foreign_key, d->table->foreign_keys, d->table->foreign_key_size, i);
	const struct etl_parent *parent = d->load && d->load->parents ? &d->load->parents[i] : NULL;
	struct etl_text why = { 0 };
	char name[ODBC_NAME_ROOM];
	int rc = ETL_OK;

	odbc_constraint_name(d->inst, d->table, ODBC_FOREIGN, i, name);
	if (d->run && d->run->foreign_keys == ETL_FK_DROP)
		return odbc_design_skip(d, "foreign key", name, "foreign_keys = \"drop\"", NULL);
	if (d->tsql && !odbc_design_is_possible(d, key, parent, &why))
		return refuse_key(d, name, &why);
	if (odbc_design_looks(d) || (d->run && d->run->foreign_keys == ETL_FK_REPORT))
		rc = screen(d, key, columns_of(key, parent ? parent->table : NULL), "foreign key", name);
	if (rc < 0 || d->dialect->keys_inline)
		return rc;
	if (d->run && d->run->foreign_keys == ETL_FK_REPORT)
		return odbc_design_skip(d, "foreign key", name,
					"foreign_keys = \"report\", as with --limit: rows without a parent are told and stay, so the key is "
					"left to be made by hand",
					NULL);
	return add_key(d, key, i, name);
}
