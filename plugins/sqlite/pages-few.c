/*
 * The first rows of a table, before there are so many that pages of their own are worth it: to name new roots the whole
 * schema is read anew, and the page of the old root stays behind, free. A table that ends before is filled by SQLite, and
 * its file is the one that SQLite makes. Rows are kept as their records, for both ways begin with those.
 */
#include "config.h"

#include <stdlib.h>

#include "pages.h"

#define FEW_LEAST  (64 << 10)
#define FEW_OBJECT 256 /* bytes of rows that SQLite inserts while it reads one object of the schema */
#define FEW_MOST   (4 << 20)

struct row {
	int64_t rowid;
	size_t size;
};

void page_few_free(struct page_few *f)
{
	free(f->bytes);
	*f = (struct page_few){ 0 };
}

static bool reserve(struct page_few *f, size_t more)
{
	size_t room = f->used + more;
	uint8_t *bytes;

	if (room <= f->room)
		return true;
	room += room / 2;
	bytes = realloc(f->bytes, room);
	if (!bytes)
		return false;
	f->bytes = bytes;
	f->room = room;
	return true;
}

bool page_few_add(struct page_few *f, int64_t rowid, const struct page_piece *pieces, size_t count, uint64_t size)
{
	struct row row = { rowid, (size_t)size };

	if (!reserve(f, sizeof(row) + row.size))
		return false;
	memcpy(f->bytes + f->used, &row, sizeof(row));
	f->used += sizeof(row);
	for (size_t i = 0; i < count; i++) {
		if (pieces[i].size)
			memcpy(f->bytes + f->used, pieces[i].at, pieces[i].size);
		f->used += pieces[i].size;
	}
	return true;
}

int page_few_enough(struct etl_instance *inst, uint64_t bytes, uint64_t *limit, bool *ret, struct etl_error *err)
{
	int64_t objects = 0;
	int rc = ETL_OK;

	if (!*limit && bytes >= FEW_LEAST) {
		rc = sqlite_number(inst, inst->stage, "SELECT count(*) FROM main.sqlite_schema", 0, &objects, err);
		*limit = FEW_LEAST + (uint64_t)objects * FEW_OBJECT;
		if (*limit > FEW_MOST)
			*limit = FEW_MOST;
	}
	*ret = !rc && *limit && bytes >= *limit;
	return rc;
}

/* The row at *AT, and to the next; NULL: there is none. */
static const uint8_t *next(const struct page_few *f, size_t *at, struct row *ret)
{
	const uint8_t *record;

	if (*at == f->used)
		return NULL;
	memcpy(ret, f->bytes + *at, sizeof(*ret));
	record = f->bytes + *at + sizeof(*ret);
	*at += sizeof(*ret) + ret->size;
	return record;
}

bool page_few_write(const struct page_few *f, struct page_tree *tree)
{
	const uint8_t *record;
	struct row row;
	size_t at = 0;

	while ((record = next(f, &at, &row)) != NULL) {
		const struct page_piece piece = { record, row.size };

		if (!page_tree_row(tree, row.rowid, &piece, 1, row.size))
			return false;
	}
	return true;
}

/* ---- Through SQLite ---- */

static int prepare(struct etl_instance *inst, const struct page_table *t, sqlite3_stmt **ret, struct etl_error *err)
{
	struct etl_text sql = { 0 };
	int rc;

	etl_text_add(&sql, "INSERT OR ABORT INTO main.");
	etl_text_add_name(&sql, t->name, '"');
	for (size_t i = 0; i < t->column_count; i++) {
		etl_text_add(&sql, i ? ", " : " (");
		etl_text_add_name(&sql, t->columns[i].name, '"');
	}
	for (size_t i = 0; i < t->column_count; i++)
		etl_text_addf(&sql, "%s?%zu", i ? ", " : ") VALUES (", i + 1);
	etl_text_add(&sql, ")");
	rc = sql.failed ? inst->host->fail(err, ETL_MEMORY, NULL, 0, "%s: no memory", inst->path) :
			  sqlite_prepare(inst, inst->stage, sql.at, ret, err);
	etl_text_free(&sql);
	return rc;
}

/* The record is one of ours. */
static bool bind(sqlite3_stmt *stmt, const struct page_table *t, const uint8_t *record, const struct row *row)
{
	const uint8_t *end = record + row->size, *at = record, *body;
	uint64_t types = 0, serial = 0;

	at += page_varint_get(at, end, &types);
	body = record + types;
	for (size_t i = 0; i < t->column_count; i++) {
		struct page_value v = { .kind = PAGE_INT, .integer = row->rowid };

		at += page_varint_get(at, end, &serial);
		if ((int64_t)i != t->alias)
			page_value_get(serial, body, &v);
		if (sqlite_bind_value(stmt, (int)i, &v))
			return false;
		body += page_serial_size(serial);
	}
	return true;
}

int page_few_insert(const struct page_few *f, struct etl_instance *inst, const struct page_table *t, struct etl_error *err)
{
	sqlite3_stmt *stmt = NULL;
	const uint8_t *record;
	struct row row;
	size_t at = 0;
	int rc = prepare(inst, t, &stmt, err);

	while (!rc && (record = next(f, &at, &row)) != NULL) {
		if (!bind(stmt, t, record, &row) || sqlite3_step(stmt) != SQLITE_DONE)
			rc = sqlite_fail(inst, inst->stage, err, "writing a row of \"%s\"", t->name);
		sqlite3_reset(stmt);
	}
	sqlite3_finalize(stmt);
	return rc;
}
