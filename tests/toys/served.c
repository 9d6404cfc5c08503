/*
 * A store that hashes its rows itself, as a server would: the tables of an SQLite file, whose columns have the types
 * they are declared with. It logs how many rows it was asked to read. With `wrong` it hashes in a way of its own,
 * with `only` it offers one hash. A fixture of tests/e2e/diff_push.test, and no example of anything.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nettle/sha2.h>
#include <sqlite3.h>

#include <etlrun/helpers.h>

#include "lookup3.h"

#define COLUMNS_MAX 16

struct etl_instance {
	const struct etl_host *host;
	const char *path, *only;
	int wrong;
	sqlite3 *db;
};

static int fail(struct etl_instance *self, struct etl_error *err)
{
	return self->host->fail(err, ETL_FATAL, NULL, 0, "served: %s", sqlite3_errmsg(self->db));
}

/* ---- The hashes, as functions of its SQL ---- */

static uint64_t c1(const void *text, size_t size)
{
	struct sha256_ctx ctx;
	uint8_t digest[8];
	uint64_t hash = 0;

	sha256_init(&ctx);
	sha256_update(&ctx, size, text);
	sha256_digest(&ctx, sizeof(digest), digest);
	for (size_t i = 0; i < sizeof(digest); i++)
		hash = hash << 8 | digest[i];
	return hash;
}

static void hash_function(sqlite3_context *context, int count, sqlite3_value **values)
{
	const void *text = sqlite3_value_text(values[0]);
	size_t size = (size_t)sqlite3_value_bytes(values[0]);

	(void)count;
	sqlite3_result_int64(context, (sqlite3_int64)(sqlite3_user_data(context) ? c1(text, size) :
										 lookup3_hash(text, size)));
}

/* The 16 digits of a real. */
static void bits_function(sqlite3_context *context, int count, sqlite3_value **values)
{
	double v = sqlite3_value_double(values[0]);
	uint64_t bits;
	char buf[20];

	(void)count;
	v = v == 0 ? 0 : v;
	memcpy(&bits, &v, 8);
	snprintf(buf, sizeof(buf), "%016llx", (unsigned long long)bits);
	sqlite3_result_text(context, buf, -1, SQLITE_TRANSIENT);
}

static int open_db(struct etl_instance *self, struct etl_error *err)
{
	static int yes;

	if (self->db)
		return ETL_OK;
	if (sqlite3_open_v2(self->path, &self->db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK)
		return fail(self, err);
	sqlite3_create_function(self->db, "p1", 1, SQLITE_UTF8, NULL, hash_function, NULL, NULL);
	sqlite3_create_function(self->db, "c1", 1, SQLITE_UTF8, &yes, hash_function, NULL, NULL);
	sqlite3_create_function(self->db, "bits", 1, SQLITE_UTF8, NULL, bits_function, NULL, NULL);
	return ETL_OK;
}

static int prepare(struct etl_instance *self, struct etl_text *sql, sqlite3_stmt **ret, struct etl_error *err)
{
	int rc = open_db(self, err);

	if (rc == ETL_OK && (sql->failed || sqlite3_prepare_v2(self->db, sql->at, -1, ret, NULL) != SQLITE_OK))
		rc = fail(self, err);
	etl_text_free(sql);
	return rc;
}

/* ---- What there is ---- */

static int32_t type_of(const char *declared)
{
	return strcmp(declared, "INTEGER") == 0 ? ETL_INT64 :
	       strcmp(declared, "REAL") == 0	? ETL_FLOAT64 :
	       strcmp(declared, "BLOB") == 0	? ETL_BYTES :
						  ETL_TEXT;
}

static int describe_table(struct etl_instance *self, const char *name, struct etl_table_sink *sink, struct etl_error *err)
{
	struct etl_column columns[COLUMNS_MAX];
	const char *key[COLUMNS_MAX];
	char texts[COLUMNS_MAX][2][64];
	struct etl_table table = { .kind = ETL_TABLE, .name = name, .rows = ETL_UNKNOWN, .bytes = ETL_UNKNOWN,
				   .columns = columns, .column_size = sizeof(*columns) };
	struct etl_text sql = { .at = NULL };
	sqlite3_stmt *stmt;
	int rc;

	etl_text_add(&sql, "SELECT name, type, pk, (SELECT count(*) FROM ");
	etl_text_add_name(&sql, name, '"');
	etl_text_add(&sql, ") FROM pragma_table_info(");
	etl_text_add_literal(&sql, name);
	etl_text_add(&sql, ")");
	rc = prepare(self, &sql, &stmt, err);
	if (rc < 0)
		return rc;
	while (sqlite3_step(stmt) == SQLITE_ROW && table.column_count < COLUMNS_MAX) {
		size_t i = table.column_count++;
		int pk = sqlite3_column_int(stmt, 2);

		snprintf(texts[i][0], 64, "%s", (const char *)sqlite3_column_text(stmt, 0));
		snprintf(texts[i][1], 64, "%s", (const char *)sqlite3_column_text(stmt, 1));
		columns[i] = (struct etl_column){ .name = texts[i][0], .declared = texts[i][1],
						  .type = type_of(texts[i][1]),
						  .flags = ETL_TYPED | (pk ? ETL_NOT_NULL : 0u),
						  .identity_last = ETL_UNKNOWN };
		table.rows = sqlite3_column_int64(stmt, 3);
		if (pk) {
			key[pk - 1] = texts[i][0];
			table.primary.column_count++;
		}
	}
	sqlite3_finalize(stmt);
	table.primary.columns = key;
	return sink->emit(sink, &table);
}

static int served_describe(struct etl_instance *self, const struct etl_dataset *dataset, struct etl_table_sink *sink,
			   struct etl_error *err)
{
	struct etl_text sql = { .at = NULL };
	sqlite3_stmt *stmt;
	int rc;

	if (dataset && (dataset->query || dataset->where))
		return self->host->fail(err, ETL_USAGE, NULL, 0, "served knows neither query nor where");
	etl_text_add(&sql, "SELECT name FROM sqlite_schema WHERE type = 'table'");
	if (dataset) {
		etl_text_add(&sql, " AND name = ");
		etl_text_add_literal(&sql, dataset->table);
	}
	rc = prepare(self, &sql, &stmt, err);
	while (rc == ETL_OK && sqlite3_step(stmt) == SQLITE_ROW)
		rc = describe_table(self, (const char *)sqlite3_column_text(stmt, 0), sink, err);
	if (rc == ETL_OK || stmt)
		sqlite3_finalize(stmt);
	return rc;
}

/* ---- Rows ---- */

struct reading {
	struct etl_producer producer;
	struct etl_instance *self;
	sqlite3_stmt *stmt;
	int64_t rows;
};

static void put(struct etl_column_builder *to, sqlite3_stmt *stmt, int i)
{
	if (sqlite3_column_type(stmt, i) == SQLITE_NULL)
		etl_put_null(to);
	else if (to->type.type == ETL_INT64)
		etl_put_int64(to, sqlite3_column_int64(stmt, i));
	else if (to->type.type == ETL_FLOAT64)
		etl_put_float64(to, sqlite3_column_double(stmt, i));
	else
		etl_put_bytes(to, sqlite3_column_blob(stmt, i), sqlite3_column_bytes(stmt, i));
}

static int fill(struct etl_producer *producer, struct etl_builder *builder)
{
	struct reading *r = (struct reading *)(void *)producer;

	while (!etl_builder_full(builder, r->self->host)) {
		if (sqlite3_step(r->stmt) != SQLITE_ROW)
			return ETL_FILL_END;
		for (int64_t i = 0; i < builder->count; i++)
			put(&builder->columns[i], r->stmt, (int)i);
		r->rows++;
	}
	return ETL_FILL_MORE;
}

static void stop(struct etl_producer *producer)
{
	struct reading *r = (struct reading *)(void *)producer;

	r->self->host->log(r->self->host, ETL_LOG_DEBUG, "%s: read %lld rows",
			   r->self->host->role == ETL_ROLE_SOURCE ? "source" : "target", (long long)r->rows);
	sqlite3_finalize(r->stmt);
	free(r);
}

static int served_read(struct etl_instance *self, const struct etl_read *read, const struct etl_split *split,
		       struct ArrowArrayStream *stream, struct etl_error *err)
{
	struct reading *r = calloc(1, sizeof(*r));
	struct etl_text sql = { .at = NULL };
	int rc;

	(void)split;
	for (int64_t i = 0; i < read->want->n_children; i++) {
		etl_text_add(&sql, i ? ", " : "SELECT ");
		etl_text_add_name(&sql, read->want->children[i]->name, '"');
	}
	etl_text_add(&sql, " FROM ");
	etl_text_add_name(&sql, read->dataset.table, '"');
	if (read->cursor) {
		etl_text_add(&sql, " WHERE ");
		etl_text_add_name(&sql, read->cursor, '"');
		etl_text_addf(&sql, " <= %s", read->upto);
		if (read->after)
			etl_text_addf(&sql, " AND \"%s\" > %s", read->cursor, read->after);
	}
	if (!r)
		return self->host->fail(err, ETL_MEMORY, NULL, 0, "no memory");
	r->producer = (struct etl_producer){ fill, stop };
	r->self = self;
	rc = prepare(self, &sql, &r->stmt, err);
	if (rc == ETL_OK && !etl_stream_open(stream, self->host, read->want, &r->producer)) {
		sqlite3_finalize(r->stmt);
		rc = self->host->fail(err, ETL_MEMORY, NULL, 0, "no memory");
	}
	if (rc < 0)
		free(r);
	return rc;
}

/* ---- Digests ---- */

/* The text form of the columns AT as an expression. */
static void add_form(struct etl_text *sql, const struct etl_digest_ask *ask, const int64_t *at, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct etl_column *c = ETL_AT(const struct etl_column, ask->columns, ask->column_size,
						    at ? at[i] : (int64_t)i);
		const char *form = c->type == ETL_FLOAT64 ? "bits(%s)" :
				   c->type == ETL_BYTES	  ? "lower(hex(%s))" :
				   c->type == ETL_TEXT	  ? "length(CAST(%s AS BLOB)) || ':' || %s" :
							    "%s";
		struct etl_text name = { .at = NULL }, text = { .at = NULL };

		etl_text_add_name(&name, c->name, '"');
		for (const char *f = form; *f; f++) {
			if (f[0] == '%')
				etl_text_add(&text, name.at), f++;
			else
				etl_text_add_bytes(&text, f, 1);
		}
		etl_text_addf(sql, "%sCASE WHEN %s IS NULL THEN '~' ELSE %s END", i ? " || ',' || " : "", name.at,
			      text.at);
		etl_text_free(&name);
		etl_text_free(&text);
	}
}

static void add_hash(struct etl_text *sql, const struct etl_instance *self, const struct etl_digest_ask *ask,
		     const int64_t *at, size_t count)
{
	etl_text_add(sql, ask->hash == ETL_HASH_P1 ? "p1(" : "c1(");
	add_form(sql, ask, at, count);
	etl_text_add(sql, self->wrong ? " || 'x')" : ")");
}

static void bind(sqlite3_stmt *stmt, int at, const struct etl_column_view *c, int64_t row)
{
	int64_t size;
	const uint8_t *bytes;

	if (etl_is_null(c, row))
		sqlite3_bind_null(stmt, at);
	else if (c->type.type == ETL_INT64)
		sqlite3_bind_int64(stmt, at, etl_get_int64(c, row));
	else if (c->type.type == ETL_FLOAT64)
		sqlite3_bind_double(stmt, at, etl_get_float64(c, row));
	else if (bytes = etl_get_bytes(c, row, &size), c->type.type == ETL_BYTES)
		sqlite3_bind_blob(stmt, at, size ? (const void *)bytes : "", (int)size, SQLITE_STATIC);
	else
		sqlite3_bind_text(stmt, at, size ? (const char *)bytes : "", (int)size, SQLITE_STATIC);
}

/* SQLite makes a NULL of a NaN, so a table with reals does not pass. */
static int served_hashes(struct etl_instance *self, const struct etl_digest_ask *ask, const struct ArrowSchema *schema,
			 const struct ArrowArray *rows, uint64_t *ret, struct etl_error *err)
{
	const char *name = ask->hash == ETL_HASH_P1 ? "p1" : "c1";
	struct etl_text sql = { .at = NULL };
	struct etl_view *view;
	sqlite3_stmt *stmt;
	int rc;

	if (self->only && strcmp(self->only, name) != 0)
		return self->host->fail(err, ETL_USAGE, NULL, 0, "served does not compute %s", name);
	etl_text_add(&sql, "SELECT ");
	add_hash(&sql, self, ask, NULL, ask->column_count);
	etl_text_add(&sql, " FROM (SELECT");
	for (size_t i = 0; i < ask->column_count; i++) {
		etl_text_addf(&sql, "%s ?%zu AS ", i ? "," : "", i + 1);
		etl_text_add_name(&sql, ETL_AT(const struct etl_column, ask->columns, ask->column_size, i)->name, '"');
	}
	etl_text_add(&sql, ")");
	rc = prepare(self, &sql, &stmt, err);
	view = rc == ETL_OK ? etl_view_new(schema) : NULL;
	if (rc == ETL_OK && (!view || !etl_view_set(view, rows)))
		rc = self->host->fail(err, ETL_MEMORY, NULL, 0, "no memory");
	for (int64_t row = 0; rc == ETL_OK && row < rows->length; row++) {
		sqlite3_reset(stmt);
		for (int64_t i = 0; i < view->count; i++)
			bind(stmt, (int)i + 1, &view->columns[i], row);
		if (sqlite3_step(stmt) != SQLITE_ROW)
			rc = fail(self, err);
		else
			ret[row] = (uint64_t)sqlite3_column_int64(stmt, 0);
	}
	if (view)
		sqlite3_finalize(stmt);
	etl_view_free(view);
	return rc;
}

static int emit_parts(struct etl_instance *self, sqlite3_stmt *stmt, const struct etl_digest_ask *ask,
		      struct etl_digest_sink *sink)
{
	struct etl_digest digest = { 0 };
	uint64_t part = 0, asked = 0;
	int rc = ETL_OK;

	while (rc == ETL_OK && sqlite3_step(stmt) == SQLITE_ROW) {
		uint64_t v = (uint64_t)sqlite3_column_int64(stmt, 0),
			 at = ask->by == ETL_DIGESTS_BY_KEY ? v : v & (ask->parts - 1);

		if (at != part && digest.rows) {
			rc = sink->emit(sink, part, &digest);
			digest = (struct etl_digest){ 0 };
		}
		part = at;
		digest.rows++;
		digest.sum += (uint64_t)sqlite3_column_int64(stmt, 1);
		asked++;
	}
	if (rc == ETL_OK && digest.rows)
		rc = sink->emit(sink, part, &digest);
	self->host->log(self->host, ETL_LOG_DEBUG, "%s: hashed %llu rows",
			self->host->role == ETL_ROLE_SOURCE ? "source" : "target", (unsigned long long)asked);
	return rc;
}

static int served_digests(struct etl_instance *self, const struct etl_digest_ask *ask, struct etl_digest_sink *sink,
			  struct etl_error *err)
{
	const struct etl_column *first = ETL_AT(const struct etl_column, ask->columns, ask->column_size, ask->key[0]);
	bool by_key = ask->by == ETL_DIGESTS_BY_KEY;
	struct etl_text sql = { .at = NULL };
	sqlite3_stmt *stmt;
	int rc;

	etl_text_add(&sql, "SELECT ");
	if (by_key)
		etl_text_addf(&sql, "(\"%s\" - (%lld)) / %lld", first->name, (long long)ask->first, (long long)ask->width);
	else
		add_hash(&sql, self, ask, ask->key, ask->key_count);
	etl_text_add(&sql, ", ");
	add_hash(&sql, self, ask, NULL, ask->column_count);
	etl_text_add(&sql, " FROM ");
	etl_text_add_name(&sql, ask->dataset.table, '"');
	if (by_key)
		etl_text_addf(&sql, " WHERE \"%s\" BETWEEN %lld AND %lld", first->name, (long long)ask->first,
			      (long long)ask->last);
	else
		etl_text_addf(&sql, " ORDER BY 1 & %llu", (unsigned long long)ask->parts - 1);
	rc = prepare(self, &sql, &stmt, err);
	if (rc < 0)
		return rc;
	rc = emit_parts(self, stmt, ask, sink);
	sqlite3_finalize(stmt);
	return rc;
}

static int served_bounds(struct etl_instance *self, const struct etl_dataset *dataset, const char *column,
			 int64_t *ret_least, int64_t *ret_most, struct etl_error *err)
{
	struct etl_text sql = { .at = NULL };
	sqlite3_stmt *stmt;
	int rc;

	etl_text_addf(&sql, "SELECT min(\"%s\"), max(\"%s\") FROM ", column, column);
	etl_text_add_name(&sql, dataset->table, '"');
	rc = prepare(self, &sql, &stmt, err);
	if (rc < 0)
		return rc;
	*ret_least = 1;
	*ret_most = 0;
	if (sqlite3_step(stmt) == SQLITE_ROW && sqlite3_column_type(stmt, 0) != SQLITE_NULL) {
		*ret_least = sqlite3_column_int64(stmt, 0);
		*ret_most = sqlite3_column_int64(stmt, 1);
	}
	sqlite3_finalize(stmt);
	return ETL_OK;
}

/* ---- A target that nothing is loaded into ---- */

static int no_load(struct etl_instance *self, const struct etl_load *load, struct etl_token *ret, struct etl_error *err)
{
	(void)load, (void)ret;
	return self->host->fail(err, ETL_FATAL, NULL, 0, "served takes no rows");
}

static int no_rows(struct etl_instance *self, const struct etl_load *load, const struct etl_token *token,
		   const struct etl_part *part, struct ArrowArrayStream *stream, struct etl_stats *ret, struct etl_error *err)
{
	(void)load, (void)token, (void)part, (void)stream, (void)ret;
	return self->host->fail(err, ETL_FATAL, NULL, 0, "served takes no rows");
}

static int no_commit(struct etl_instance *self, const struct etl_commit *commit, struct etl_error *err)
{
	(void)commit;
	return self->host->fail(err, ETL_FATAL, NULL, 0, "served takes no rows");
}

static int no_abort(struct etl_instance *self, const struct etl_load *load, const struct etl_token *token,
		    struct etl_error *err)
{
	(void)self, (void)load, (void)token, (void)err;
	return ETL_OK;
}

static int served_open(const struct etl_host *host, const struct etl_conf *conf, struct etl_instance **ret,
		       struct etl_error *err)
{
	struct etl_instance *self = calloc(1, sizeof(*self));

	if (!self)
		return host->fail(err, ETL_MEMORY, NULL, 0, "no memory");
	*self = (struct etl_instance){ .host = host, .path = host->str(conf, "path"), .only = host->str(conf, "only"),
				       .wrong = host->flag(conf, "wrong") };
	*ret = self;
	return ETL_OK;
}

static void served_close(struct etl_instance *self)
{
	if (self)
		sqlite3_close(self->db);
	free(self);
}

static const struct etl_option options[] = {
	{ .name = "path", .kind = ETL_OPT_PATH, .flags = ETL_OPT_REQUIRED, .help = "The file." },
	{ .name = "only", .kind = ETL_OPT_CHOICE, .choices = "p1|c1|none", .help = "The one hash it computes." },
	{ .name = "wrong", .kind = ETL_OPT_FLAG, .default_text = "false", .help = "Hashes are not what they should be." },
	{ .name = NULL },
};
static const struct etl_store store = { .size = sizeof(store), .describe = served_describe, .hashes = served_hashes,
					.digests = served_digests, .bounds = served_bounds };
static const struct etl_source source = { .size = sizeof(source), .read = served_read };
static const struct etl_target target = { .size = sizeof(target), .begin = no_load, .load = no_rows, .commit = no_commit,
					  .abort = no_abort };
static const struct etl_plugin served = {
	ETL_ABI, 0, sizeof(served), sizeof(options[0]), "served", "1.0", "a store that hashes its rows itself",
	"0BSD", NULL, options, served_open, served_close, NULL, &store, &source, &target, NULL, NULL, NULL,
};

ETL_PLUGIN(served, served)
