/*
 * Keys, foreign keys, checks and indexes: the pragmas give the columns, the statement gives the names.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "describe.h"

/* Runs EACH for every row of a query about NAME. */
static int for_each(struct describing *d, const char *sql, const char *name,
		    int (*each)(struct describing *, sqlite3_stmt *, void *), void *data)
{
	sqlite3_stmt *stmt = NULL;
	int step, rc = describe_query(d, sql, name, &stmt);

	if (rc)
		return rc;
	while (!rc && (step = sqlite3_step(stmt)) != SQLITE_DONE) {
		rc = step == SQLITE_ROW ? each(d, stmt, data) :
					  sqlite_fail(d->inst, d->db, d->err, "describing \"%s\"",
						      d->table.name);
	}
	sqlite3_finalize(stmt);
	if (!rc && d->memory.failed)
		rc = describe_no_memory(d);
	return rc;
}

/* ---- What the statement adds ------------------------------------------------------------------------------ */

static bool same_parts(const struct ddl_constraint *c, const char *const *columns, size_t count)
{
	size_t i;

	if (c->part_count != count)
		return false;
	for (i = 0; i < count; i++) {
		if (!c->parts[i].column || sqlite3_stricmp(c->parts[i].column, columns[i]) != 0)
			return false;
	}
	return true;
}

static const struct ddl_constraint *search(const struct ddl_constraint *list, size_t n,
					   enum ddl_kind kind, const char *const *columns,
					   size_t count, const char *parent)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (list[i].kind == kind && same_parts(&list[i], columns, count) &&
		    (!parent || sqlite3_stricmp(list[i].reference.table, parent) == 0))
			return &list[i];
	}
	return NULL;
}

/* The constraint over exactly these columns, wherever it was written; NULL: the statement has none. */
static const struct ddl_constraint *written(const struct describing *d, enum ddl_kind kind,
					    const char *const *columns, size_t count,
					    const char *parent)
{
	const struct ddl_constraint *c = NULL;
	size_t i;

	if (!d->parsed)
		return NULL;
	for (i = 0; !c && i < d->ddl.column_count; i++)
		c = search(d->ddl.columns[i].constraints, d->ddl.columns[i].constraint_count, kind,
			   columns, count, parent);
	return c ? c :
		   search(d->ddl.constraints, d->ddl.constraint_count, kind, columns, count,
			  parent);
}

static void note_disagreement(const struct describing *d, const char *what)
{
	if (d->parsed)
		d->inst->host->log(
			d->inst->host, ETL_LOG_WARN,
			"%s: the statement of table \"%s\" does not show a %s that SQLite reports; "
			"SQLite is believed",
			d->inst->path, d->table.name, what);
}

/* ---- Keys ----------------------------------------------------------------------------------------------------- */

struct key_list {
	const char **columns, **collations;
	size_t count;
	bool own_collation; /* one differs from its column's */
};

static bool same_collation(const struct describing *d, const char *column, const char *collation)
{
	const struct etl_column *c = describe_find(d, column);
	const char *own = c && c->collation ? c->collation : "BINARY";

	return !collation || sqlite3_stricmp(own, collation) == 0;
}

/* name, coll */
static int add_key_column(struct describing *d, sqlite3_stmt *row, void *data)
{
	struct key_list *k = data;

	k->columns = etl_arena_push(&d->memory, k->columns, k->count, sizeof(*k->columns));
	k->collations = etl_arena_push(&d->memory, k->collations, k->count, sizeof(*k->collations));
	if (!k->columns || !k->collations)
		return describe_no_memory(d);
	k->columns[k->count] = describe_text(d, row, 0);
	k->collations[k->count] = describe_text(d, row, 1);
	if (!k->columns[k->count])
		return describe_no_memory(d);
	if (!same_collation(d, k->columns[k->count], k->collations[k->count]))
		k->own_collation = true;
	k->count++;
	return ETL_OK;
}

static void set_key(struct describing *d, struct etl_key *key, const struct key_list *k,
		    enum ddl_kind kind)
{
	const struct ddl_constraint *c = written(d, kind, k->columns, k->count, NULL);

	memset(key, 0, sizeof(*key));
	key->columns = k->columns;
	key->column_count = k->count;
	key->collations = k->own_collation ? k->collations : NULL;
	if (!c) {
		note_disagreement(d, kind == DDL_UNIQUE ? "unique constraint" : "primary key");
		return;
	}
	key->name = etl_arena_copy(&d->memory, c->name);
	key->conflict_sql = etl_arena_copy(&d->memory, c->conflict);
}

static int describe_primary(struct describing *d)
{
	struct key_list k = { 0 };
	int rc = for_each(
		d,
		"SELECT x.name, (SELECT i.coll FROM pragma_index_list(?1) l, "
		"pragma_index_xinfo(l.name) i WHERE l.origin = 'pk' AND i.cid = x.cid AND i.key) "
		"FROM pragma_table_xinfo(?1) x WHERE x.pk > 0 ORDER BY x.pk",
		d->table.name, add_key_column, &k);

	if (!rc && k.count > 0)
		set_key(d, &d->table.primary, &k, DDL_PRIMARY_KEY);
	return rc;
}

static int add_unique(struct describing *d, sqlite3_stmt *row, void *data)
{
	struct etl_key **keys = data;
	struct key_list k = { 0 };
	const char *name = describe_text(d, row, 0);
	int rc;

	if (!name)
		return describe_no_memory(d);
	rc = for_each(d, "SELECT name, coll FROM pragma_index_xinfo(?1) WHERE key ORDER BY seqno",
		      name, add_key_column, &k);
	if (rc)
		return rc;
	*keys = etl_arena_push(&d->memory, *keys, d->table.unique_count, sizeof(**keys));
	if (!*keys)
		return describe_no_memory(d);
	set_key(d, &(*keys)[d->table.unique_count++], &k, DDL_UNIQUE);
	d->table.uniques = *keys;
	return ETL_OK;
}

/* ---- Foreign keys ----------------------------------------------------------------------------------------------- */

struct reference_list {
	struct etl_foreign_key *keys;
	const char **columns, **parents; /* of the last one */
	int last_id;
};

static int32_t action_of(const char *text)
{
	static const char *const words[] = { "NO ACTION", "RESTRICT", "CASCADE", "SET NULL",
					     "SET DEFAULT" };
	int32_t i;

	for (i = ETL_NO_ACTION; i <= ETL_SET_DEFAULT; i++) {
		if (text && sqlite3_stricmp(text, words[i]) == 0)
			return i;
	}
	return ETL_NO_ACTION;
}

enum { FK_ID, FK_SEQ, FK_TABLE, FK_FROM, FK_TO, FK_ON_UPDATE, FK_ON_DELETE };

static int new_foreign_key(struct describing *d, sqlite3_stmt *row, struct reference_list *list)
{
	struct etl_foreign_key *f;

	list->keys = etl_arena_push(&d->memory, list->keys, d->table.foreign_key_count, sizeof(*f));
	if (!list->keys)
		return describe_no_memory(d);
	f = memset(&list->keys[d->table.foreign_key_count++], 0, sizeof(*f));
	f->parent = describe_text(d, row, FK_TABLE);
	f->on_update = action_of((const char *)sqlite3_column_text(row, FK_ON_UPDATE));
	f->on_delete = action_of((const char *)sqlite3_column_text(row, FK_ON_DELETE));
	d->table.foreign_keys = list->keys;
	list->columns = list->parents = NULL;
	list->last_id = sqlite3_column_int(row, FK_ID);
	return ETL_OK;
}

static int add_foreign_column(struct describing *d, sqlite3_stmt *row, void *data)
{
	struct reference_list *list = data;
	struct etl_foreign_key *f;
	int rc = ETL_OK;

	if (d->table.foreign_key_count == 0 || sqlite3_column_int(row, FK_ID) != list->last_id)
		rc = new_foreign_key(d, row, list);
	if (rc)
		return rc;
	f = &list->keys[d->table.foreign_key_count - 1];
	list->columns = etl_arena_push(&d->memory, list->columns, f->column_count,
				       sizeof(*list->columns));
	list->parents = etl_arena_push(&d->memory, list->parents, f->column_count,
				       sizeof(*list->parents));
	if (!list->columns || !list->parents)
		return describe_no_memory(d);
	list->columns[f->column_count] = describe_text(d, row, FK_FROM);
	list->parents[f->column_count] = describe_text(d, row, FK_TO);
	f->columns = list->columns;
	f->parent_columns = list->parents[0] ? list->parents : NULL;
	f->column_count++;
	return list->columns[f->column_count - 1] ? ETL_OK : describe_no_memory(d);
}

static void add_written(struct describing *d, struct etl_foreign_key *f)
{
	const struct ddl_constraint *c = written(d, DDL_REFERENCES, f->columns, f->column_count,
						 f->parent);

	if (!c) {
		note_disagreement(d, "foreign key");
		return;
	}
	f->name = etl_arena_copy(&d->memory, c->name);
	f->deferrable = c->reference.deferrable;
	if (c->reference.match && sqlite3_stricmp(c->reference.match, "FULL") == 0)
		f->match = "FULL";
	else if (c->reference.match && sqlite3_stricmp(c->reference.match, "PARTIAL") == 0)
		f->match = "PARTIAL";
}

static int describe_foreign_keys(struct describing *d)
{
	struct reference_list list = { 0 };
	int rc = for_each(d, "SELECT * FROM pragma_foreign_key_list(?1) ORDER BY id DESC, seq",
			  d->table.name, add_foreign_column, &list);
	size_t i;

	for (i = 0; !rc && i < d->table.foreign_key_count; i++)
		add_written(d, &list.keys[i]);
	return rc;
}

/* ---- Checks ---------------------------------------------------------------------------------------------------------- */

static void add_checks(struct describing *d, struct etl_check **checks,
		       const struct ddl_constraint *list, size_t n, const char *column)
{
	struct etl_check *c;
	size_t i;

	for (i = 0; i < n; i++) {
		if (list[i].kind != DDL_CHECK)
			continue;
		*checks = etl_arena_push(&d->memory, *checks, d->table.check_count, sizeof(*c));
		if (!*checks)
			return;
		c = &(*checks)[d->table.check_count++];
		c->name = etl_arena_copy(&d->memory, list[i].name);
		c->sql = etl_arena_copy(&d->memory, list[i].text);
		c->column = etl_arena_copy(&d->memory, column);
	}
}

static int describe_checks(struct describing *d)
{
	struct etl_check *checks = NULL;
	size_t i;

	if (!d->parsed)
		return ETL_OK;
	for (i = 0; i < d->ddl.column_count; i++)
		add_checks(d, &checks, d->ddl.columns[i].constraints,
			   d->ddl.columns[i].constraint_count, d->ddl.columns[i].name);
	add_checks(d, &checks, d->ddl.constraints, d->ddl.constraint_count, NULL);
	d->table.checks = checks;
	return d->memory.failed ? describe_no_memory(d) : ETL_OK;
}

int describe_keys(struct describing *d)
{
	struct etl_key *uniques = NULL;
	int rc = describe_primary(d);

	if (!rc)
		rc = for_each(d,
			      "SELECT name FROM pragma_index_list(?1) WHERE origin = 'u' ORDER BY "
			      "seq DESC",
			      d->table.name, add_unique, &uniques);
	if (!rc)
		rc = describe_foreign_keys(d);
	return rc ? rc : describe_checks(d);
}

/* ---- Indexes ----------------------------------------------------------------------------------------------------------- */

struct index_parts {
	const struct ddl_index *ddl; /* or NULL */
	struct etl_index_part *parts;
	size_t count;
};

/* name, desc, coll, cid */
static int add_part(struct describing *d, sqlite3_stmt *row, void *data)
{
	struct index_parts *list = data;
	const struct ddl_part *ddl = list->ddl && list->count < list->ddl->part_count ?
					     &list->ddl->parts[list->count] :
					     NULL;
	struct etl_index_part *p;
	const char *collation = (const char *)sqlite3_column_text(row, 2);

	list->parts = etl_arena_push(&d->memory, list->parts, list->count, sizeof(*p));
	if (!list->parts)
		return describe_no_memory(d);
	p = memset(&list->parts[list->count++], 0, sizeof(*p));
	p->column = describe_text(d, row, 0);
	p->descending = sqlite3_column_int(row, 1) != 0;
	if (!p->column && ddl)
		p->column = etl_arena_copy(&d->memory, ddl->column);
	if (!p->column && ddl)
		p->expression = etl_arena_copy(&d->memory, ddl->expression);
	if (p->column ? !same_collation(d, p->column, collation) :
			collation && sqlite3_stricmp(collation, "BINARY") != 0)
		p->collation = describe_text(d, row, 2);
	return ETL_OK;
}

static int fill_index(struct describing *d, struct etl_index *index, const struct ddl_index *ddl)
{
	struct index_parts list = { .ddl = ddl };
	int rc = for_each(
		d, "SELECT name, desc, coll FROM pragma_index_xinfo(?1) WHERE key ORDER BY seqno",
		index->name, add_part, &list);

	index->parts = list.parts;
	index->part_count = list.count;
	index->part_size = sizeof(struct etl_index_part);
	if (ddl)
		index->where_sql = etl_arena_copy(&d->memory, ddl->where);
	return rc;
}

/* name, sql: in the order of strcmp, as BINARY sorts */
static int add_index_text(struct describing *d, sqlite3_stmt *row, void *data)
{
	struct index_text *texts = etl_arena_push(&d->kept, d->index_texts, d->index_text_count,
						  sizeof(*texts));
	struct index_text *text = texts ? &texts[d->index_text_count] : NULL;

	(void)data;
	if (!texts)
		return describe_no_memory(d);
	d->index_texts = texts;
	text->name = etl_arena_copy(&d->kept, (const char *)sqlite3_column_text(row, 0));
	text->sql = etl_arena_copy(&d->kept, (const char *)sqlite3_column_text(row, 1));
	if (d->kept.failed || !text->name)
		return describe_no_memory(d);
	d->index_text_count++;
	return ETL_OK;
}

static int read_index_texts(struct describing *d)
{
	int rc = d->has_index_texts ?
			 ETL_OK :
			 for_each(d,
				  "SELECT name, sql FROM main.sqlite_schema WHERE type = 'index' "
				  "AND sql IS NOT NULL ORDER BY name COLLATE BINARY",
				  NULL, add_index_text, NULL);

	d->has_index_texts = rc == ETL_OK;
	return rc;
}

static int compare_index_text(const void *name, const void *text)
{
	return strcmp(name, ((const struct index_text *)text)->name);
}

static char *index_sql(struct describing *d, const char *name)
{
	const struct index_text *found = NULL;

	if (name && d->index_text_count)
		found = bsearch(name, d->index_texts, d->index_text_count, sizeof(*found),
				compare_index_text);
	return found ? etl_arena_copy(&d->memory, found->sql) : NULL;
}

/* name, unique */
static int add_index(struct describing *d, sqlite3_stmt *row, void *data)
{
	struct etl_index **indexes = data;
	struct etl_index index = { .name = describe_text(d, row, 0) };
	struct ddl_index ddl = { 0 };
	int rc, status;

	if (d->memory.failed || !index.name)
		return describe_no_memory(d);
	index.ddl = index_sql(d, index.name);
	index.flags = sqlite3_column_int(row, 1) ? ETL_INDEX_UNIQUE : 0;
	status = index.ddl ? ddl_index_parse(index.ddl, &ddl) : DDL_SYNTAX;
	if (status == DDL_NO_MEMORY)
		return describe_no_memory(d);
	rc = fill_index(d, &index, status == DDL_OK ? &ddl : NULL);
	ddl_index_free(&ddl);
	if (rc)
		return rc;
	*indexes = etl_arena_push(&d->memory, *indexes, d->table.index_count, sizeof(index));
	if (!*indexes)
		return describe_no_memory(d);
	(*indexes)[d->table.index_count++] = index;
	d->table.indexes = *indexes;
	return ETL_OK;
}

int describe_indexes(struct describing *d)
{
	struct etl_index *indexes = NULL;

	int rc = read_index_texts(d);

	return rc ? rc :
		    for_each(
			    d,
			    "SELECT name, \"unique\" FROM pragma_index_list(?1) WHERE origin = 'c' "
			    "ORDER BY seq DESC",
			    d->table.name, add_index, &indexes);
}
