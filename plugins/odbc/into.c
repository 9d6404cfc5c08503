/*
 * Staged rows into a table that stays. A merge is an UPDATE of rows that differ and an INSERT of those that are new, which
 * every server takes; equal rows are not touched.
 */
#include "config.h"

#include <stdlib.h>

#include "children.h"
#include "gone.h"
#include "into.h"

#define STAGED INTO_STAGED
#define OWN    INTO_OWN

static bool into_open(struct odbc_into *t, struct etl_instance *inst, const struct etl_commit *commit, size_t i,
		      struct etl_error *err)
{
	*t = (struct odbc_into){ .inst = inst, .load = commit->loads[i], .token = commit->tokens[i], .err = err };
	odbc_add_table(&t->own, inst, odbc_place_of(inst, t->load->table), t->load->table->name);
	odbc_add_staged(&t->staged, inst, t->load, t->token);
	return !t->own.failed && !t->staged.failed;
}

static void into_close(struct odbc_into *t)
{
	etl_text_free(&t->own);
	etl_text_free(&t->staged);
}

const struct etl_column *odbc_into_find(const struct etl_table *table, const char *name)
{
	for (size_t i = 0; table && i < table->column_count; i++) {
		const struct etl_column *c = ETL_AT(const struct etl_column, table->columns, table->column_size, i);

		if (strcmp(c->name, name) == 0)
			return c;
	}
	return NULL;
}

/* Those that rows bring: what the target computes is in no row that waits. */
static void add_columns(const struct odbc_into *t, struct etl_text *sql, const char *prefix)
{
	const char *comma = "";

	for (size_t i = 0; i < t->load->table->column_count; i++) {
		if (odbc_into_column(t, i)->flags & ETL_GENERATED)
			continue;
		etl_text_add(sql, comma);
		comma = ", ";
		if (prefix)
			etl_text_addf(sql, "%s.", prefix);
		odbc_add_name(sql, t->inst, odbc_into_column(t, i)->name);
	}
}

/* ---- Identity ------------------------------------------------------------------------------------------------ */

static int give_identity(const struct odbc_into *t, bool on)
{
	bool has = false;
	struct etl_text sql = { 0 };

	for (size_t i = 0; t->load->existing && i < t->load->existing->column_count; i++) {
		const struct etl_column *c = ETL_AT(const struct etl_column, t->load->existing->columns,
						    t->load->existing->column_size, i);

		has |= c->flags & ETL_IDENTITY && odbc_into_find(t->load->table, c->name);
	}
	if (!has || t->inst->dialect != &odbc_tsql)
		return ETL_OK;
	etl_text_addf(&sql, "SET IDENTITY_INSERT %s %s", t->own.at, on ? "ON" : "OFF");
	return odbc_run_text(t->inst, t->err, &sql);
}

/* ---- Statements ------------------------------------------------------------------------------------------------- */

void odbc_into_add_match(const struct odbc_into *t, struct etl_text *sql, const char *a, const char *b)
{
	for (size_t i = 0; i < t->load->key_count; i++) {
		etl_text_addf(sql, "%s%s.", i ? " AND " : "", a);
		odbc_add_name(sql, t->inst, t->load->key[i]);
		etl_text_addf(sql, " = %s.", b);
		odbc_add_name(sql, t->inst, t->load->key[i]);
	}
}

static int insert(const struct odbc_into *t, bool merge, uint64_t *ret)
{
	struct etl_text sql = { 0 };
	int rc = give_identity(t, true);

	if (rc < 0)
		return rc;
	etl_text_addf(&sql, "INSERT INTO %s (", t->own.at);
	add_columns(t, &sql, NULL);
	etl_text_add(&sql, t->inst->dialect == &odbc_postgresql ? ") OVERRIDING SYSTEM VALUE SELECT " : ") SELECT ");
	add_columns(t, &sql, STAGED);
	etl_text_addf(&sql, " FROM %s AS " STAGED, t->staged.at);
	if (merge) {
		etl_text_addf(&sql, " WHERE NOT EXISTS (SELECT 1 FROM %s AS " OWN " WHERE ", t->own.at);
		odbc_into_add_match(t, &sql, OWN, STAGED);
		etl_text_add(&sql, ")");
	}
	rc = odbc_into_change(t, &sql, ret);
	return rc == ETL_OK ? give_identity(t, false) : rc;
}

static void add_settings(const struct odbc_into *t, struct etl_text *sql, size_t *ret_count)
{
	*ret_count = 0;
	for (size_t i = 0; i < t->load->table->column_count; i++) {
		const struct etl_column *c = odbc_into_column(t, i);

		if (!odbc_into_sets(t, c))
			continue;
		etl_text_add(sql, (*ret_count)++ ? ", " : "");
		odbc_add_name(sql, t->inst, c->name);
		etl_text_add(sql, " = " STAGED ".");
		odbc_add_name(sql, t->inst, c->name);
	}
}

static int update(const struct odbc_into *t, uint64_t *ret)
{
	bool tsql = t->inst->dialect == &odbc_tsql, sqlite = t->inst->dialect == &odbc_sqlite;
	struct etl_text sql = { 0 };
	size_t count;

	if (tsql)
		etl_text_add(&sql, "UPDATE " OWN " SET ");
	else
		etl_text_addf(&sql, sqlite ? "UPDATE %s SET " : "UPDATE %s AS " OWN " SET ", t->own.at);
	add_settings(t, &sql, &count);
	if (odbc_into_marks(t)) {
		etl_text_add(&sql, count++ ? ", " : "");
		odbc_into_add_unmark(t, &sql, sqlite ? t->own.at : OWN);
	}
	if (count == 0) {
		etl_text_free(&sql);
		return ETL_OK;
	}
	if (tsql)
		etl_text_addf(&sql, " FROM %s AS " OWN " INNER JOIN %s AS " STAGED " ON ", t->own.at, t->staged.at);
	else
		etl_text_addf(&sql, " FROM %s AS " STAGED " WHERE ", t->staged.at);
	odbc_into_add_match(t, &sql, sqlite ? t->own.at : OWN, STAGED);
	etl_text_add(&sql, tsql ? " WHERE " : " AND ");
	odbc_into_add_changed(t, &sql, sqlite ? t->own.at : OWN);
	return odbc_into_change(t, &sql, ret);
}

/* Rows of the target that the source has no more; those that are marked are gone already. */
static void add_gone(const struct odbc_into *t, struct etl_text *sql)
{
	if (odbc_names_gone(t->load)) {
		etl_text_add(sql, "EXISTS (SELECT 1 FROM ");
		odbc_add_gone(sql, t->inst, t->load, t->token);
		etl_text_add(sql, " AS " GONE " WHERE ");
		odbc_gone_add_match(sql, t->inst, t->load, GONE, t->own.at);
		etl_text_add(sql, ") AND ");
	}
	etl_text_addf(sql, "NOT EXISTS (SELECT 1 FROM %s AS " STAGED " WHERE ", t->staged.at);
	odbc_into_add_match(t, sql, t->own.at, STAGED);
	etl_text_add(sql, ")");
	if (odbc_into_marks(t)) {
		etl_text_add(sql, " AND ");
		odbc_into_add_not_marked(t, sql, t->own.at);
	}
}

/* Nobody asked for rows that a key would take along, and those of tables beside the run nobody would miss in time. */
static int check_children(const struct odbc_into *t, const char *gone)
{
	const struct odbc_going going = { t->own.at, gone, t->load->key, t->load->key_count };
	struct odbc_children found;
	int rc = odbc_find_children(t->inst, odbc_place_of(t->inst, t->load->table), t->load->table->name, &going, &found, t->err);

	if (rc < 0 || !found.rows)
		return rc;
	t->inst->host->at(t->err, t->load->table->name, NULL, NULL);
	return t->inst->host->fail(t->err, ETL_DATA, NULL, 0,
				   "%lld row%s of \"%s\" refer to rows that the merge would delete, and would go or change with them, as "
				   "foreign key \"%s\" says; nothing was published; let those rows go first, or refer to others",
				   (long long)found.rows, found.rows == 1 ? "" : "s", found.table, found.key);
}

static int delete_rows(const struct odbc_into *t, const char *gone, uint64_t *ret)
{
	struct etl_text sql = { 0 };
	uint64_t rows = 0;
	int rc = odbc_into_count_gone(t, gone, &rows);

	if (rc < 0 || !rows)
		return rc;
	etl_text_addf(&sql, odbc_into_marks(t) ? "UPDATE %s SET " : "DELETE FROM %s", t->own.at);
	if (odbc_into_marks(t))
		odbc_into_add_mark(t, &sql);
	etl_text_addf(&sql, " WHERE %s", gone);
	rc = odbc_run_text(t->inst, t->err, &sql);
	*ret += rows;
	return rc == ETL_OK ? odbc_into_check_gone(t, gone, rows) : rc;
}

/* A row that was rejected is still in the source, and nobody staged its key: what the target has of it stays. Where the rows that
 * go are named it is none of them. */
static int deletes(const struct odbc_into *t, bool withheld, bool *ret)
{
	bool taken = false;
	int rc = ETL_OK;

	*ret = t->load->deletes != ETL_DELETE_NONE;
	if (*ret && !odbc_names_gone(t->load))
		rc = odbc_was_taken(t->inst, t->token, t->load->index, &taken, t->err);
	*ret = *ret && !withheld && !taken;
	return rc;
}

/* Before the others are written rows go to which none refers: one of theirs may get a value of them that is unique. They are
 * marked softly at once. */
static int delete_first(const struct odbc_into *t, uint64_t *ret)
{
	struct etl_text gone = { 0 };
	int rc;

	add_gone(t, &gone);
	rc = gone.failed ? odbc_no_memory(t->inst, t->err) : odbc_keep_gone(t, gone.at);
	if (rc == ETL_OK && t->load->deletes == ETL_DELETE_HARD)
		rc = odbc_add_childless(t->inst, odbc_place_of(t->inst, t->load->table), t->load->table->name, t->own.at, &gone,
					t->err);
	if (rc == ETL_OK)
		rc = gone.failed ? odbc_no_memory(t->inst, t->err) : delete_rows(t, gone.at, ret);
	etl_text_free(&gone);
	return rc;
}

/* Behind them the rest: those that referred to it refer to others now, or are gone. */
static int delete_rest(const struct odbc_into *t, uint64_t *ret)
{
	struct etl_text gone = { 0 };
	int rc;

	add_gone(t, &gone);
	rc = gone.failed ? odbc_no_memory(t->inst, t->err) : check_children(t, gone.at);
	if (rc == ETL_OK)
		rc = delete_rows(t, gone.at, ret);
	etl_text_free(&gone);
	return rc;
}

static int merge(const struct odbc_into *t, struct etl_outcome *outcome)
{
	struct odbc_meeting meeting;
	int rc = odbc_into_count(t, outcome->inserted, &meeting);

	if (rc == ETL_OK)
		rc = odbc_keep_changed(t);
	if (rc == ETL_OK)
		rc = update(t, &outcome->updated);
	outcome->inserted = 0;
	if (rc == ETL_OK)
		rc = insert(t, true, &outcome->inserted);
	return rc == ETL_OK ? odbc_into_check_merged(t, &meeting, outcome) : rc;
}

static int add(const struct odbc_into *t, const struct etl_outcome *outcome)
{
	uint64_t rows = 0;
	int rc = odbc_keep_added(t);

	if (rc == ETL_OK)
		rc = insert(t, false, &rows);
	return rc == ETL_OK ? odbc_into_check_count(t, outcome->inserted, rows) : rc;
}

/* ---- The load ------------------------------------------------------------------------------------------------------ */

int odbc_put_into(struct etl_instance *inst, const struct etl_commit *commit, size_t i, struct etl_error *err)
{
	struct odbc_into t;
	int rc = into_open(&t, inst, commit, i, err) ? ETL_OK : odbc_no_memory(inst, err);

	if (rc == ETL_OK)
		rc = commit->run->mode == ETL_MERGE ?
			     merge(&t, &commit->outcomes[i]) :
			     add(&t, &commit->outcomes[i]);
	into_close(&t);
	return rc;
}

static int begin_merge(const struct odbc_into *t, struct etl_outcome *outcome, bool withheld)
{
	bool any = false;
	int rc = odbc_keep_begin(t);

	if (rc == ETL_OK)
		rc = deletes(t, withheld, &any);
	if (rc == ETL_OK && !any && t->load->deletes != ETL_DELETE_NONE)
		t->inst->host->log(t->inst->host, ETL_LOG_WARN,
				   "table \"%s\": rows were rejected, so the merge deletes nothing from it", t->load->table->name);
	return rc == ETL_OK && any ? delete_first(t, &outcome->deleted) : rc;
}

static int end_merge(const struct odbc_into *t, struct etl_outcome *outcome, bool withheld)
{
	bool any = false;
	int rc = deletes(t, withheld, &any);

	return rc == ETL_OK && any && t->load->deletes == ETL_DELETE_HARD ? delete_rest(t, &outcome->deleted) : rc;
}

/* Children before their parents. */
static int each_merge(struct etl_instance *inst, const struct etl_commit *commit,
		      int (*body)(const struct odbc_into *, struct etl_outcome *, bool withheld), struct etl_error *err)
{
	int rc = ETL_OK;

	for (size_t i = commit->load_count; rc == ETL_OK && commit->run->mode == ETL_MERGE && i-- > 0;) {
		struct odbc_into t;

		if (!odbc_is_into(commit->loads[i]))
			continue;
		rc = into_open(&t, inst, commit, i, err) ?
			     body(&t, &commit->outcomes[i], commit->withheld && commit->withheld[i]) :
			     odbc_no_memory(inst, err);
		into_close(&t);
	}
	return rc;
}

/* Parents first, as everywhere, so that none waits for another. */
static int lock_tables(struct etl_instance *inst, const struct etl_commit *commit, struct etl_error *err)
{
	int rc = ETL_OK;

	for (size_t i = 0; rc == ETL_OK && commit->run->mode == ETL_MERGE && i < commit->load_count; i++) {
		struct etl_text own = { 0 }, sql = { 0 };

		if (!odbc_is_into(commit->loads[i]))
			continue;
		odbc_add_table(&own, inst, odbc_place_of(inst, commit->loads[i]->table), commit->loads[i]->table->name);
		odbc_add_lock_rows(&sql, inst, own.at ? own.at : "");
		sql.failed |= own.failed;
		etl_text_free(&own);
		if (sql.length)
			rc = odbc_run_text(inst, err, &sql);
	}
	return rc;
}

int odbc_begin_merge(struct etl_instance *inst, const struct etl_commit *commit, struct etl_error *err)
{
	int rc = lock_tables(inst, commit, err);

	return rc == ETL_OK ? each_merge(inst, commit, begin_merge, err) : rc;
}

static int drop_staged(struct etl_instance *inst, const struct etl_load *load, const struct etl_token *token, struct etl_error *err)
{
	struct etl_text sql = { 0 };
	int rc;

	etl_text_add(&sql, "DROP TABLE ");
	odbc_add_staged(&sql, inst, load, token);
	rc = odbc_run_text(inst, err, &sql);
	if (rc < 0 || !odbc_names_gone(load))
		return rc;
	etl_text_add(&sql, "DROP TABLE ");
	odbc_add_gone(&sql, inst, load, token);
	return odbc_run_text(inst, err, &sql);
}

int odbc_end_merge(struct etl_instance *inst, const struct etl_commit *commit, struct etl_error *err)
{
	int rc = each_merge(inst, commit, end_merge, err);

	for (size_t i = 0; rc == ETL_OK && i < commit->load_count; i++)
		if (odbc_is_into(commit->loads[i]))
			rc = drop_staged(inst, commit->loads[i], commit->tokens[i], err);
	return rc;
}

int odbc_empty_old(struct etl_instance *inst, const struct etl_commit *commit, struct etl_error *err)
{
	int rc = ETL_OK;

	for (size_t i = commit->load_count; rc == ETL_OK && i-- > 0;) {
		const struct etl_load *load = commit->loads[i];
		struct etl_text sql = { 0 };

		if (load->table->kind != ETL_TABLE || !odbc_is_into(load) || commit->run->mode != ETL_COPY)
			continue;
		etl_text_add(&sql, "DELETE FROM ");
		odbc_add_table(&sql, inst, odbc_place_of(inst, load->table), load->table->name);
		rc = odbc_run_text(inst, err, &sql);
	}
	return rc;
}
