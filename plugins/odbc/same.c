/*
 * Is a table, or are some of its rows, still what a run made of it? PostgreSQL knows of each row which transaction wrote it,
 * and a table that a run made is known by that. Of other servers nobody can ask that, and rows that went into a table may
 * have been put back by another transaction, so the rows have a digest: the servers of T-SQL and PostgreSQL compute it, of
 * others' rows, which are files on this machine, it is computed here. It is one number for the bag of rows, so their order
 * is nothing.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "same.h"
#include "select.h"

/* FNV-1a, 64 bits. */
#define HASH_START 0xcbf29ce484222325

static uint64_t hash(uint64_t h, const void *bytes, size_t size)
{
	for (const unsigned char *p = bytes, *end = p + size; p < end; p++)
		h = (h ^ *p) * 0x100000001b3;
	return h;
}

/* ---- T-SQL ---------------------------------------------------------------------------------------------------------- */

static bool is_bytes(const struct odbc_column *c)
{
	return c->sql_type == SQL_BINARY || c->sql_type == SQL_VARBINARY || c->sql_type == SQL_LONGVARBINARY;
}

static bool is_real(const struct odbc_column *c)
{
	return c->sql_type == SQL_FLOAT || c->sql_type == SQL_REAL || c->sql_type == SQL_DOUBLE;
}

/* The first 8 bytes of a SHA-256, as a number. */
static void add_hash(struct etl_text *sql, const char *value)
{
	etl_text_addf(sql, "CAST(SUBSTRING(HASHBYTES('SHA2_256', %s), 1, 8) AS bigint)", value);
}

/* T-SQL before PostgreSQL: whoever writes to a row gives it the number of his transaction, which is larger than those before,
 * so the sum of them is another one, or there are fewer rows. Hashing takes a hundred times as long there. */
static const char babelfish[] = "SELECT CAST(COUNT_BIG(*) AS nvarchar(20)), CAST(ISNULL(SUM(CAST(CAST(xmin AS nvarchar(20)) AS "
				"decimal(38,0))), 0) AS nvarchar(41))";

/* A text of each value: with its length, so that no two rows have one text. */
static void add_value(struct etl_text *sql, const struct etl_instance *inst, const struct odbc_column *c)
{
	struct etl_text value = { 0 };

	if (is_bytes(c)) {
		etl_text_add(&value, "CAST(");
		odbc_add_name(&value, inst, c->name);
		etl_text_add(&value, " AS varbinary(max))");
	} else {
		odbc_select_add_value(&value, inst, c);
	}
	etl_text_add(sql, "ISNULL(");
	if (is_real(c)) {
		etl_text_addf(sql, "CONVERT(nvarchar(max), %s, 3)", value.at);
	} else {
		etl_text_addf(sql, "CAST(DATALENGTH(%s) AS nvarchar(20)) + N':' + CAST(", value.at);
		if (is_bytes(c))
			add_hash(sql, value.at);
		else
			etl_text_add(sql, value.at);
		etl_text_add(sql, " AS nvarchar(max))");
	}
	etl_text_add(sql, ", N'~')");
	sql->failed |= value.failed;
	etl_text_free(&value);
}

static void add_digest(struct etl_text *sql, const struct etl_instance *inst, const struct odbc_shape *shape)
{
	struct etl_text row = { 0 };

	for (size_t i = 0; i < shape->count; i++) {
		etl_text_add(&row, i ? " + N',' + " : "");
		add_value(&row, inst, &shape->columns[i]);
	}
	/* A sum of 10^19 such numbers is a decimal still. */
	etl_text_add(sql, "SELECT CAST(COUNT_BIG(*) AS nvarchar(20)), CAST(ISNULL(SUM(CAST(");
	add_hash(sql, row.at ? row.at : "NULL");
	etl_text_add(sql, " AS decimal(38,0))), 0) AS nvarchar(41))");
	sql->failed |= row.failed;
	etl_text_free(&row);
}

static void add_from(struct etl_text *sql, struct etl_instance *inst, const struct etl_dataset *at)
{
	odbc_select_add_from(sql, inst, at);
	if (at->where)
		etl_text_addf(sql, " WHERE %s", at->where);
}

/* PostgreSQL hashes a row as its text. */
static void add_row_digest(struct etl_text *sql, struct etl_instance *inst, const struct etl_dataset *at)
{
	etl_text_add(sql, "SELECT COUNT(*), CAST(COALESCE(SUM(CAST(hashtextextended(CAST(ROW(");
	odbc_add_table(sql, inst, at->schema, at->table);
	etl_text_add(sql, ".*) AS text), 0) AS numeric)), 0) AS text)");
}

static int digest_there(struct etl_instance *inst, const struct etl_dataset *at, const struct odbc_shape *shape,
			struct odbc_content *ret, struct etl_error *err)
{
	struct etl_text sql = { 0 };
	struct odbc_rows rows;
	int rc;

	if (inst->babelfish && !at->where)
		etl_text_add(&sql, babelfish);
	else if (inst->dialect == &odbc_tsql)
		add_digest(&sql, inst, shape);
	else
		add_row_digest(&sql, inst, at);
	add_from(&sql, inst, at);
	rc = odbc_ask_rows_text(inst, &sql, 2, &rows, err);
	if (rc == ETL_OK && rows.count) {
		ret->rows = odbc_row_number(&rows, 0, 0);
		snprintf(ret->digest + strlen(ret->digest), sizeof(ret->digest) - strlen(ret->digest), " %s",
			 odbc_row_text(&rows, 0, 1));
	}
	odbc_rows_free(&rows);
	return rc;
}

/* ---- Here ------------------------------------------------------------------------------------------------------------- */

static int hash_row(struct etl_instance *inst, SQLHSTMT stmt, size_t columns, uint64_t *sum, struct etl_error *err)
{
	uint64_t h = HASH_START;
	int rc = ETL_OK;

	for (size_t i = 0; rc == ETL_OK && i < columns; i++) {
		struct etl_text text = { 0 };
		bool null = false;

		rc = odbc_column(inst, stmt, (int)i + 1, &text, &null, err);
		h = hash(h, null ? "~" : ":", 1);
		h = hash(h, &text.length, sizeof(text.length));
		h = hash(h, text.at, text.length);
		etl_text_free(&text);
	}
	*sum += h;
	return rc;
}

static int digest_here(struct etl_instance *inst, const struct etl_dataset *at, const struct odbc_shape *shape,
		       struct odbc_content *ret, struct etl_error *err)
{
	struct etl_text sql = { 0 };
	uint64_t sum = 0;
	SQLHSTMT stmt;
	int rc = odbc_statement(inst, &stmt, err), more;

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < shape->count; i++) {
		etl_text_add(&sql, i ? ", " : "SELECT ");
		odbc_select_add_value(&sql, inst, &shape->columns[i]);
	}
	add_from(&sql, inst, at);
	rc = sql.failed ? odbc_no_memory(inst, err) : odbc_execute(inst, stmt, sql.at, err);
	for (ret->rows = 0; rc == ETL_OK && (more = odbc_next(inst, stmt, err)) != 0; ret->rows++)
		rc = more < 0 ? more : hash_row(inst, stmt, shape->count, &sum, err);
	snprintf(ret->digest + strlen(ret->digest), sizeof(ret->digest) - strlen(ret->digest), " %016llx", (unsigned long long)sum);
	etl_text_free(&sql);
	odbc_done(inst, stmt);
	return rc;
}

/* ---- The whole -------------------------------------------------------------------------------------------------------- */

static int count_rows(struct etl_instance *inst, const struct etl_dataset *at, struct odbc_content *ret, struct etl_error *err)
{
	struct etl_text sql = { 0 };

	etl_text_add(&sql, "SELECT COUNT(*)");
	odbc_select_add_from(&sql, inst, at);
	return odbc_number_text(inst, err, &ret->rows, &sql);
}

/* The names and types of the columns: a table that got one more is another. Sizes are not told alike by every driver. */
static uint64_t hash_shape(const struct odbc_shape *shape)
{
	uint64_t h = HASH_START;

	for (size_t i = 0; i < shape->count; i++) {
		const struct odbc_column *c = &shape->columns[i];

		h = hash(h, c->name, strlen(c->name) + 1);
		h = hash(h, c->type_name, strlen(c->type_name) + 1);
	}
	return h;
}

int odbc_look_at(struct etl_instance *inst, const char *schema, const char *name, const char *where, struct odbc_content *ret,
		 struct etl_error *err)
{
	const struct etl_dataset at = { .schema = schema, .table = name, .where = where };
	struct odbc_shape shape;
	int rc = select_shape(inst, &at, &shape, err);

	*ret = (struct odbc_content){ 0 };
	if (rc < 0)
		return rc;
	snprintf(ret->digest, sizeof(ret->digest), "%016llx", (unsigned long long)hash_shape(&shape));
	if ((inst->dialect == &odbc_postgresql && !where) || shape.count == 0)
		rc = count_rows(inst, &at, ret, err);
	else if (inst->dialect == &odbc_postgresql || inst->dialect == &odbc_tsql)
		rc = digest_there(inst, &at, &shape, ret, err);
	else
		rc = digest_here(inst, &at, &shape, ret, err);
	odbc_shape_free(&shape);
	return rc;
}

int odbc_object_of(struct etl_instance *inst, const char *schema, const char *name, char *ret, struct etl_error *err)
{
	struct etl_text table = { 0 }, sql = { 0 }, text = { 0 };
	int rc;

	*ret = '\0';
	if (inst->dialect != &odbc_tsql && inst->dialect != &odbc_postgresql)
		return ETL_OK;
	odbc_add_table(&table, inst, schema, name);
	etl_text_add(&sql, inst->dialect == &odbc_tsql ? "SELECT CONVERT(nvarchar(20), OBJECT_ID(N" : "SELECT CAST(CAST(to_regclass(");
	etl_text_add_literal(&sql, table.at ? table.at : "");
	etl_text_add(&sql, inst->dialect == &odbc_tsql ? "))" : ") AS oid) AS text)");
	rc = table.failed || sql.failed ? odbc_no_memory(inst, err) : odbc_ask(inst, sql.at, &text, err);
	if (rc == ETL_OK)
		snprintf(ret, ODBC_OBJECT_ROOM, "%s", text.at ? text.at : "");
	etl_text_free(&table);
	etl_text_free(&sql);
	etl_text_free(&text);
	return rc;
}

/* $X: the transaction of the run; $T: the table. Rows of the run are older than its publication, and whoever came later is
 * younger; after two billion transactions the number is another one's. */
static const char younger[] =
	"SELECT CAST(CASE WHEN txid_current() - $X < 2000000000 THEN (SELECT count(*) FROM $T AS t WHERE age(t.xmin) < "
	"age(CAST(CAST($X & 4294967295 AS text) AS xid))) ELSE -1 END AS text)";

static int count_younger(struct etl_instance *inst, const char *schema, const char *name, int64_t transaction, int64_t *ret,
			 struct etl_error *err)
{
	struct etl_text sql = { 0 };

	for (const char *p = younger; *p; p++) {
		if (*p != '$')
			etl_text_add_bytes(&sql, p, 1);
		else if (*++p == 'X')
			etl_text_addf(&sql, "CAST(%lld AS bigint)", (long long)transaction);
		else
			odbc_add_table(&sql, inst, schema, name);
	}
	return odbc_number_text(inst, err, ret, &sql);
}

int odbc_is_same(struct etl_instance *inst, const char *schema, const char *name, const char *where,
		 const struct odbc_content *was, bool *ret, struct etl_error *err)
{
	struct odbc_content now;
	int64_t others = 0;
	int rc = odbc_look_at(inst, schema, name, where, &now, err);

	if (rc == ETL_OK && was->transaction)
		rc = count_younger(inst, schema, name, was->transaction, &others, err);
	*ret = rc == ETL_OK && now.rows == was->rows && strcmp(now.digest, was->digest) == 0 && others == 0;
	return rc;
}

int odbc_transaction_of(struct etl_instance *inst, int64_t *ret, struct etl_error *err)
{
	*ret = 0;
	return inst->dialect == &odbc_postgresql ? odbc_number(inst, err, ret, "SELECT CAST(txid_current() AS text)") : ETL_OK;
}
