/*
 * Foreign keys, which SQLite does not check while rows are loaded. It is asked for the rows that break one; of a
 * table WITHOUT ROWID it does not say which rows, so there the same question is put as a join.
 */
#include "config.h"

#include <stdlib.h>

#include "pages.h"
#include "screen.h"

/* A foreign key of the table as SQLite counts them, and what a join over it is made of. */
struct parent_key {
	int64_t id;
	char *parent;
	struct etl_text columns; /* "a, b" */
	struct etl_text given;	 /* t."a" IS NOT NULL AND … */
	struct etl_text
		join; /* p."x" = +t."a" AND …: the parent's type and collation decide, as SQLite's do */
	size_t rule;
	char **from, **to; /* its columns, and the parent's */
	size_t column_count;
};

struct checking {
	struct screen screen;
	struct parent_key *keys;
	size_t count;
};

static int no_memory(const struct checking *c)
{
	return c->screen.inst->host->fail(c->screen.err, ETL_MEMORY, NULL, 0, "%s: no memory",
					  c->screen.inst->path);
}

/* ---- The keys ------------------------------------------------------------------------------------------- */

static struct parent_key *add_key(struct checking *c, int64_t id, const char *parent)
{
	struct parent_key *more = realloc(c->keys, (c->count + 1) * sizeof(*more));

	if (!more)
		return NULL;
	c->keys = more;
	more = &c->keys[c->count++];
	*more = (struct parent_key){ .id = id, .parent = strdup(parent) };
	return more->parent ? more : NULL;
}

static bool add_columns(struct parent_key *key, const char *from, const char *to)
{
	size_t n = key->column_count;
	char **more_from = realloc(key->from, (n + 1) * sizeof(*more_from));
	char **more_to;

	if (!more_from)
		return false;
	key->from = more_from;
	more_to = realloc(key->to, (n + 1) * sizeof(*more_to));
	if (!more_to)
		return false;
	key->to = more_to;
	key->from[n] = strdup(from);
	key->to[n] = strdup(to);
	key->column_count++;
	return key->from[n] && key->to[n];
}

/* A row of KEYS_SQL. */
static int take_key(struct checking *c, sqlite3_stmt *stmt)
{
	int64_t id = sqlite3_column_int64(stmt, 0);
	const char *parent = (const char *)sqlite3_column_text(stmt, 1);
	const char *from = (const char *)sqlite3_column_text(stmt, 2);
	const char *to = (const char *)sqlite3_column_text(stmt, 3);
	struct parent_key *key = c->count && c->keys[c->count - 1].id == id ?
					 &c->keys[c->count - 1] :
					 NULL;

	if (!key)
		key = add_key(c, id, parent ? parent : "");
	if (!key || !add_columns(key, from ? from : "", to ? to : ""))
		return no_memory(c);
	etl_text_addf(&key->columns, "%s%s", key->columns.length ? ", " : "", from ? from : "");
	etl_text_add(&key->given, key->given.length ? " AND t." : "t.");
	etl_text_add_name(&key->given, from ? from : "", '"');
	etl_text_add(&key->given, " IS NOT NULL");
	etl_text_add(&key->join, key->join.length ? " AND p." : "p.");
	etl_text_add_name(&key->join, to ? to : "", '"');
	etl_text_add(&key->join, " = +t.");
	etl_text_add_name(&key->join, from ? from : "", '"');
	return key->columns.failed || key->given.failed || key->join.failed ? no_memory(c) : ETL_OK;
}

/* Without its columns a key means the parent's primary key. */
#define KEYS_SQL                                                                                   \
	"SELECT f.id, f.\"table\", f.\"from\", coalesce(f.\"to\", (SELECT i.name FROM "            \
	"pragma_table_info(f.\"table\") i WHERE i.pk = f.seq + 1)) "                               \
	"FROM pragma_foreign_key_list(?1) f ORDER BY f.id, f.seq"

static int find_keys(struct checking *c)
{
	struct screen *s = &c->screen;
	sqlite3_stmt *stmt = NULL;
	int step = SQLITE_DONE,
	    rc = sqlite_prepare(s->inst, s->inst->stage, KEYS_SQL, &stmt, s->err);

	if (rc)
		return rc;
	sqlite3_bind_text(stmt, 1, s->table, -1, SQLITE_STATIC);
	while (!rc && (step = sqlite3_step(stmt)) == SQLITE_ROW)
		rc = take_key(c, stmt);
	if (!rc && step != SQLITE_DONE)
		rc = sqlite_fail(s->inst, s->inst->stage, s->err,
				 "reading the foreign keys of \"%s\"", s->table);
	sqlite3_finalize(stmt);
	return rc;
}

static int add_rule(struct checking *c, struct parent_key *key)
{
	struct etl_text reason = { 0 };
	int rc;

	etl_text_addf(&reason, "%s refers to a row that \"%s\" does not have", key->columns.at,
		      key->parent);
	rc = reason.failed ? no_memory(c) :
			     screen_rule(&c->screen, "foreign_key", key->columns.at, reason.at);
	key->rule = c->screen.rule_count - 1;
	etl_text_free(&reason);
	return rc;
}

static void free_keys(struct checking *c)
{
	size_t i, k;

	for (i = 0; i < c->count; i++) {
		for (k = 0; k < c->keys[i].column_count; k++) {
			free(c->keys[i].from[k]);
			free(c->keys[i].to[k]);
		}
		free(c->keys[i].from);
		free(c->keys[i].to);
		free(c->keys[i].parent);
		etl_text_free(&c->keys[i].columns);
		etl_text_free(&c->keys[i].given);
		etl_text_free(&c->keys[i].join);
	}
	free(c->keys);
}

/* ---- A key that cannot be checked ------------------------------------------------------------------------- */

/* The parent has no such unique columns, which SQLite lets a schema say and finds out only now. */
static bool is_mismatch(sqlite3 *db)
{
	return sqlite3_errcode(db) == SQLITE_ERROR &&
	       strstr(sqlite3_errmsg(db), "foreign key mismatch");
}

static int emit_mismatch(struct checking *c)
{
	struct screen *s = &c->screen;
	struct etl_text reason = { 0 };
	struct etl_found f = { .code = "foreign_key", .table = s->table };
	int rc;

	etl_text_addf(
		&reason,
		"its foreign keys cannot be checked, SQLite says: %s; the columns it refers to are "
		"not a primary key or unique",
		sqlite3_errmsg(s->inst->stage));
	f.reason = reason.at;
	rc = reason.failed ? no_memory(c) : s->sink->emit(s->sink, &f);
	etl_text_free(&reason);
	return rc;
}

/* ---- Finding ------------------------------------------------------------------------------------------------ */

/* Rows of a table without rowids that break KEY. */
static int collect_join(struct checking *c, const struct parent_key *key, int64_t *ret)
{
	struct screen *s = &c->screen;
	struct etl_text sql = { 0 };
	int rc;

	etl_text_add(&sql, "SELECT ");
	screen_add_ids(s, &sql);
	etl_text_add(&sql, " FROM main.");
	etl_text_add_name(&sql, s->table, '"');
	etl_text_addf(&sql, " AS t WHERE %s", key->given.at);
	if (sqlite3_table_column_metadata(s->inst->stage, "main", key->parent, NULL, NULL, NULL,
					  NULL, NULL, NULL) == SQLITE_OK) {
		etl_text_add(&sql, " AND NOT EXISTS (SELECT 1 FROM main.");
		etl_text_add_name(&sql, key->parent, '"');
		etl_text_addf(&sql, " AS p WHERE %s)", key->join.at);
	}
	rc = sql.failed ? no_memory(c) : screen_collect(s, sql.at, ret);
	etl_text_free(&sql);
	return rc;
}

static int collect_joins(struct checking *c, int64_t *ret)
{
	size_t i;
	int rc = ETL_OK;

	for (i = 0; !rc && i < c->count; i++) {
		int64_t more = 0;

		rc = add_rule(c, &c->keys[i]);
		if (!rc)
			rc = collect_join(c, &c->keys[i], &more);
		*ret += more;
	}
	return rc;
}

static int put_found(struct checking *c, sqlite3_stmt *put, int64_t rowid, int64_t id)
{
	struct screen *s = &c->screen;
	size_t i = 0;
	int rc = ETL_OK;

	while (i < c->count && c->keys[i].id != id)
		i++;
	sqlite3_bind_int64(put, 1, rowid);
	sqlite3_bind_int64(put, 2, i < c->count ? (int64_t)c->keys[i].rule : 0);
	if (sqlite3_step(put) != SQLITE_DONE)
		rc = sqlite_fail(s->inst, s->inst->stage, s->err, "noting rows of \"%s\"",
				 s->table);
	sqlite3_reset(put);
	return rc;
}

static int open_put(struct checking *c, sqlite3_stmt **ret)
{
	struct screen *s = &c->screen;
	int rc = ETL_OK;

	for (size_t i = 0; !rc && i < c->count; i++)
		rc = add_rule(c, &c->keys[i]);
	return rc ? rc :
		    sqlite_prepare(s->inst, s->inst->stage,
				   "INSERT OR IGNORE INTO " SCREEN_FOUND "(k0, rule) VALUES (?1, ?2)", ret, s->err);
}

/* Keeps what was found in the pages. */
static int collect_orphans(struct checking *c, const struct page_orphans *orphans, int64_t *ret)
{
	sqlite3_stmt *put = NULL;
	int rc = open_put(c, &put);

	for (size_t i = 0; !rc && i < orphans->count; i++)
		rc = put_found(c, put, orphans->at[i].rowid, orphans->at[i].key);
	*ret = (int64_t)orphans->count;
	sqlite3_finalize(put);
	return rc;
}

/* Keeps what SQLite's own check finds; FOUND stands on its first row. */
static int collect_rows(struct checking *c, sqlite3_stmt *found, int64_t *ret)
{
	struct screen *s = &c->screen;
	sqlite3_stmt *put = NULL;
	int step = SQLITE_ROW, rc = open_put(c, &put);

	for (; !rc && step == SQLITE_ROW; step = sqlite3_step(found)) {
		if (s->inst->host->canceled(s->inst->host))
			rc = ETL_CANCELED;
		else
			rc = put_found(c, put, sqlite3_column_int64(found, 1), sqlite3_column_int64(found, 3));
		++*ret;
		if (rc)
			break;
	}
	if (!rc && step == SQLITE_ERROR && is_mismatch(s->inst->stage))
		rc = emit_mismatch(c);
	else if (!rc && step != SQLITE_DONE)
		rc = sqlite_fail(s->inst, s->inst->stage, s->err,
				 "checking the foreign keys of \"%s\"", s->table);
	sqlite3_finalize(put);
	return rc;
}

/* What refers to the rows found, in this table; the host looks at the others. */
static int follow(struct checking *c, int64_t *ret)
{
	int64_t more, found;
	size_t i, own;
	int rc = ETL_OK;

	do {
		more = 0;
		own = 0;
		for (i = 0; !rc && i < c->count; i++) {
			const struct parent_key *key = &c->keys[i];
			struct screen_link link = { (const char *const *)key->from,
						    (const char *const *)key->to, key->column_count,
						    key->rule };

			if (sqlite3_stricmp(key->parent, c->screen.table) != 0)
				continue;
			own++;
			rc = screen_follow(&c->screen, &link, &found);
			more += found;
		}
		*ret += more;
	} while (!rc && more && own > 1);
	return rc;
}

/* FOUND stands on a row; NULL: it is ORPHANS that were found. */
static int collect(struct checking *c, const struct etl_load *load, struct etl_found_sink *sink, sqlite3_stmt *found,
		   const struct page_orphans *orphans, int64_t *ret)
{
	struct etl_instance *inst = c->screen.inst;
	int rc = screen_open(&c->screen, inst, load, sink, c->screen.err);

	if (!rc)
		rc = find_keys(c);
	if (rc)
		return rc;
	rc = !found ? collect_orphans(c, orphans, ret) : c->screen.rowid ? collect_rows(c, found, ret) : collect_joins(c, ret);
	return rc || !sink->take_out || !*ret ? rc : follow(c, ret);
}

int screen_keys(struct etl_instance *inst, const struct etl_load *load, const struct etl_step *step,
		struct etl_found_sink *sink, struct etl_error *err)
{
	struct checking c = { .screen = { .inst = inst,
					  .load = load,
					  .sink = sink,
					  .err = err,
					  .table = load->table->name } };
	struct page_orphans orphans = { 0 };
	sqlite3_stmt *found = NULL;
	int64_t count = 0;
	bool known = false;
	int code = SQLITE_DONE, rc = page_orphans_find(inst, load->table->name, &orphans, &known, err);

	if (!rc && !known)
		code = sqlite3_prepare_v2(inst->stage, step->sql, -1, &found, NULL);
	if (found)
		code = sqlite3_step(found);
	if (!rc && (code == SQLITE_ROW || orphans.count))
		rc = collect(&c, load, sink, found, &orphans, &count);
	else if (rc)
		;
	else if (code == SQLITE_ERROR && is_mismatch(inst->stage))
		rc = emit_mismatch(&c);
	else if (code != SQLITE_DONE)
		rc = sqlite_fail(inst, inst->stage, err, "checking the foreign keys of \"%s\"",
				 load->table->name);
	sqlite3_finalize(found);
	free(orphans.at);
	if (!rc && count)
		rc = screen_take(&c.screen);
	screen_close(&c.screen);
	free_keys(&c);
	return rc;
}
