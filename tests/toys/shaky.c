/*
 * A store whose calls fail when its option `fails`, or SHAKY in the environment, says so: each entry is "CALL NUMBER KIND
 * [WHEN]", for the NUMBERth such call of the process. KIND is statement, connection, fewer, unknown, fatal or kill; WHEN is first (before anything is done, the
 * default), middle (after the first batch), last (with every row, before it is done) or after (it is done, and the answer is
 * lost). After a lost connection every call on that instance fails. It is an SQLite file; what is staged is tables and a
 * list of the units of work that were done, each in the transaction of its work, so several instances work at once.
 * The same split twice would be there twice. Both sides say of every row that they had it (etl_host.noted). A fixture of tests/e2e/shaky.test, and no example of anything.
 */
#define _POSIX_C_SOURCE 200809L

#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

#include <etlrun/helpers.h>

enum { MOST_COLUMNS = 16, NAME = 64 };

static atomic_int reads, loads, applies, commits, recalls, begins, pins, joins, sinces, describes, units, connected;

struct etl_instance {
	const struct etl_host *host;
	const struct etl_conf *conf;
	sqlite3 *db;
	bool lost, viewing;
	char unit[NAME];        /* of the next piece of work; "": it has none */
};

/* ---- Failing ---- */

struct fault {
	const char *kind, *when; /* NULL: this call does not fail */
};

static bool is_meant(const char *entry, const char *call, int number, struct fault *ret)
{
	static _Thread_local char words[3][16];
	int n = 0, count = sscanf(entry, "%15s %d %15s %15s", words[0], &n, words[1], words[2]);

	if (count < 3 || strcmp(words[0], call) != 0 || n != number)
		return false;
	*ret = (struct fault){ words[1], count == 4 ? words[2] : "first" };
	return true;
}

static struct fault fault_of(const struct etl_instance *self, const char *call, int number)
{
	struct fault fault = { NULL, NULL };
	bool found = getenv("SHAKY") && self->host->role == ETL_ROLE_TARGET && is_meant(getenv("SHAKY"), call, number, &fault);

	for (size_t i = 0; !found && i < self->host->list(self->conf, "fails"); i++)
		found = is_meant(self->host->item(self->conf, "fails", i), call, number, &fault);
	return fault;
}

static bool is_at(struct fault fault, const char *when)
{
	return fault.kind && strcmp(fault.when, when) == 0;
}

static int fail_as(struct etl_instance *self, const char *call, const char *kind, struct etl_error *err)
{
	static const struct {
		const char *kind, *state;
		int32_t klass;
	} kinds[] = { { "statement", "40P01", ETL_RETRY_STATEMENT }, { "connection", "08006", ETL_RETRY_CONNECTION },
		      { "fewer", "53300", ETL_FEWER_WORKERS }, { "unknown", "08007", ETL_OUTCOME_UNKNOWN },
		      { "fatal", "XX000", ETL_FATAL } };

	if (strcmp(kind, "kill") == 0)
		kill(getpid(), SIGKILL);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (strcmp(kinds[i].kind, kind) == 0) {
			self->lost = strcmp(kind, "connection") == 0 || strcmp(kind, "unknown") == 0;
			return self->host->fail(err, kinds[i].klass, kinds[i].state, 0, "%s: it shook (%s)", call, kind);
		}
	return self->host->fail(err, ETL_USAGE, NULL, 0, "fails: there is no kind \"%s\"", kind);
}

static int fail_sql(struct etl_instance *self, struct etl_error *err)
{
	return self->host->fail(err, ETL_FATAL, NULL, sqlite3_errcode(self->db), "shaky: %s", sqlite3_errmsg(self->db));
}

/* ---- Its connection ---- */

static int connect(struct etl_instance *self, struct etl_error *err)
{
	int most = (int)self->host->num(self->conf, "connections");

	if (self->lost)
		return self->host->fail(err, ETL_RETRY_CONNECTION, "08003", 0, "the connection does not exist");
	if (self->db)
		return ETL_OK;
	if (most && atomic_load(&connected) >= most)
		return self->host->fail(err, ETL_FEWER_WORKERS, "53300", 0, "too many connections already");
	if (sqlite3_open(self->host->str(self->conf, "path"), &self->db) != SQLITE_OK)
		return fail_sql(self, err);
	atomic_fetch_add(&connected, 1);
	sqlite3_busy_timeout(self->db, 60000);
	return sqlite3_exec(self->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL) == SQLITE_OK ? ETL_OK : fail_sql(self, err);
}

static int run_sql(struct etl_instance *self, const char *sql, struct etl_error *err)
{
	int rc = connect(self, err);

	return rc < 0 || sqlite3_exec(self->db, sql, NULL, NULL, NULL) == SQLITE_OK ? rc : fail_sql(self, err);
}

static int run_text(struct etl_instance *self, struct etl_text *sql, struct etl_error *err)
{
	int rc = sql->failed ? self->host->fail(err, ETL_MEMORY, NULL, 0, "no memory") : run_sql(self, sql->at, err);

	etl_text_free(sql);
	return rc;
}

/* The unit is noted in the transaction of the work, and counts when that is whole. */
static int end_work(struct etl_instance *self, const struct etl_token *token, const char *call, struct fault fault,
		    struct etl_error *err)
{
	struct etl_text sql = { 0 };
	int rc;

	if (is_at(fault, "last"))
		return fail_as(self, call, fault.kind, err);
	if (*self->unit)
		etl_text_addf(&sql, "INSERT INTO \"%s units\" VALUES ('%s'); ", token->text, self->unit);
	etl_text_add(&sql, "COMMIT");
	*self->unit = '\0';
	rc = run_text(self, &sql, err);
	return rc == 0 && is_at(fault, "after") ? fail_as(self, call, fault.kind, err) : rc;
}

static int undo(struct etl_instance *self, int rc)
{
	if (rc < 0 && self->db && !sqlite3_get_autocommit(self->db))
		sqlite3_exec(self->db, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

/* ---- What is there: tables of integers and texts, whose key is id even where it is none ---- */

struct shape {
	struct etl_table table;
	struct etl_column columns[MOST_COLUMNS];
	char names[MOST_COLUMNS][NAME], name[NAME], parent[NAME], child[NAME];
	const char *key[1], *from[1];
	struct etl_foreign_key reference;
};

static void learn_columns(struct etl_instance *self, struct shape *s)
{
	sqlite3_stmt *stmt = NULL;
	size_t n = 0;

	sqlite3_prepare_v2(self->db, "SELECT name, type, name = 'id' FROM pragma_table_info(?1)", -1, &stmt, NULL);
	sqlite3_bind_text(stmt, 1, s->name, -1, SQLITE_STATIC);
	for (; n < MOST_COLUMNS && sqlite3_step(stmt) == SQLITE_ROW; n++) {
		bool number = strcmp((const char *)sqlite3_column_text(stmt, 1), "INTEGER") == 0;

		snprintf(s->names[n], NAME, "%s", (const char *)sqlite3_column_text(stmt, 0));
		s->columns[n] = (struct etl_column){ .name = s->names[n], .declared = number ? "integer" : "text",
						     .type = number ? ETL_INT64 : ETL_TEXT, .flags = ETL_TYPED };
		if (sqlite3_column_int(stmt, 2)) {
			s->key[0] = s->names[n];
			s->table.primary = (struct etl_key){ .columns = s->key, .column_count = 1 };
		}
	}
	sqlite3_finalize(stmt);
	s->table.columns = s->columns;
	s->table.column_count = n;
	s->table.column_size = sizeof(struct etl_column);
}

static void learn_reference(struct etl_instance *self, struct shape *s)
{
	sqlite3_stmt *stmt = NULL;

	sqlite3_prepare_v2(self->db, "SELECT \"table\", \"from\" FROM pragma_foreign_key_list(?1)", -1, &stmt, NULL);
	sqlite3_bind_text(stmt, 1, s->name, -1, SQLITE_STATIC);
	if (sqlite3_step(stmt) == SQLITE_ROW) {
		snprintf(s->parent, NAME, "%s", (const char *)sqlite3_column_text(stmt, 0));
		snprintf(s->child, NAME, "%s", (const char *)sqlite3_column_text(stmt, 1));
		s->from[0] = s->child;
		s->reference = (struct etl_foreign_key){ .columns = s->from, .column_count = 1, .parent = s->parent };
		s->table.foreign_keys = &s->reference;
		s->table.foreign_key_count = 1;
		s->table.foreign_key_size = sizeof(s->reference);
	}
	sqlite3_finalize(stmt);
}

static int emit_table(struct etl_instance *self, const char *name, struct etl_table_sink *sink)
{
	struct shape s = { .table = { .kind = ETL_TABLE, .rows = ETL_UNKNOWN, .bytes = ETL_UNKNOWN } };

	snprintf(s.name, NAME, "%s", name);
	s.table.name = s.name;
	learn_columns(self, &s);
	learn_reference(self, &s);
	return sink->emit(sink, &s.table);
}

static int shaky_describe(struct etl_instance *self, const struct etl_dataset *dataset, struct etl_table_sink *sink,
			  struct etl_error *err)
{
	struct fault fault = fault_of(self, "describe", atomic_fetch_add(&describes, 1) + 1);
	sqlite3_stmt *stmt = NULL;
	int rc = fault.kind && !is_at(fault, "after") ? fail_as(self, "describe", fault.kind, err) : connect(self, err);

	if (rc < 0 || self->host->role == ETL_ROLE_TARGET)
		return rc;
	if (sqlite3_prepare_v2(self->db, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name = coalesce(?1, name) "
					 "ORDER BY name", -1, &stmt, NULL) != SQLITE_OK)
		return fail_sql(self, err);
	if (dataset && dataset->table)
		sqlite3_bind_text(stmt, 1, dataset->table, -1, SQLITE_STATIC);
	while (rc == 0 && sqlite3_step(stmt) == SQLITE_ROW)
		rc = emit_table(self, (const char *)sqlite3_column_text(stmt, 0), sink);
	sqlite3_finalize(stmt);
	return rc == 0 && fault.kind ? fail_as(self, "describe", fault.kind, err) : rc;
}

/* ---- The source ---- */

static int view(struct etl_instance *self, struct etl_error *err)
{
	int rc = run_sql(self, "BEGIN; SELECT count(*) FROM sqlite_schema", err);

	self->viewing = rc == 0;
	return rc;
}

static int shaky_pin(struct etl_instance *self, struct etl_token *ret, struct etl_error *err)
{
	struct fault fault = fault_of(self, "pin", atomic_fetch_add(&pins, 1) + 1);
	int rc = fault.kind ? fail_as(self, "pin", fault.kind, err) : view(self, err);

	if (rc == 0)
		snprintf(ret->text, sizeof(ret->text), "the only one");
	return rc;
}

static int shaky_join(struct etl_instance *self, const struct etl_token *token, struct etl_error *err)
{
	struct fault fault = fault_of(self, "join", atomic_fetch_add(&joins, 1) + 1);

	(void)token;
	return fault.kind ? fail_as(self, "join", fault.kind, err) : view(self, err);
}

static int shaky_stamp(struct etl_instance *self, struct etl_token *ret, struct etl_error *err)
{
	(void)self, (void)err;
	snprintf(ret->text, sizeof(ret->text), "always the same");
	return ETL_OK;
}

static int shaky_plan(struct etl_instance *self, const struct etl_read *read, int64_t wanted, struct etl_split_sink *sink,
		      struct etl_error *err)
{
	int64_t splits = self->host->num(self->conf, "splits");
	int rc = ETL_OK;

	(void)read, (void)wanted, (void)err;
	for (int64_t i = 0; i < splits && rc == 0; i++)
		rc = sink->emit(sink, &(struct etl_split){ .index = (uint64_t)i, .first = i, .last = splits, .rows = ETL_UNKNOWN });
	return rc;
}

struct reading {
	struct etl_producer producer;
	struct etl_instance *self;
	sqlite3_stmt *stmt;
	struct etl_context *context;
	struct etl_error *err;
	struct fault fault;
	int64_t row;
	int batches;
};

/* 1: there was a row. */
static int put_row(struct reading *r, struct etl_builder *b)
{
	int64_t rows = etl_builder_rows(b);

	if (sqlite3_step(r->stmt) != SQLITE_ROW)
		return 0;
	for (int64_t i = 0; i < b->count; i++) {
		const char *text = (const char *)sqlite3_column_text(r->stmt, (int)i), *code = NULL;

		if (!text)
			etl_put_null(&b->columns[i]);
		else
			code = etl_convert_text(&b->columns[i], text, (size_t)sqlite3_column_bytes(r->stmt, (int)i));
		if (code) {
			struct etl_reject reject = { .code = code, .reason = "it does not fit", .ordinal = r->row++, .raw = text };

			etl_builder_truncate(b, rows);
			return r->context && r->self->host->reject(r->context, &reject) == 0 ? 1 : -1;
		}
	}
	r->row++;
	if (r->context)
		r->self->host->noted(r->context, "given", "rows that were given", 1);
	return 1;
}

static int fill(struct etl_producer *producer, struct etl_builder *b)
{
	struct reading *r = (struct reading *)producer;
	int rc = 1;

	if (r->self->lost || (is_at(r->fault, "first") && r->batches == 0) || (is_at(r->fault, "middle") && r->batches == 1))
		return fail_as(r->self, "read", r->self->lost ? "connection" : r->fault.kind, r->err);
	r->batches++;
	while (rc > 0 && !etl_builder_full(b, r->self->host))
		rc = put_row(r, b);
	return rc < 0 ? ETL_FAILED : rc > 0 ? ETL_FILL_MORE : ETL_FILL_END;
}

static void stop(struct etl_producer *producer)
{
	sqlite3_finalize(((struct reading *)producer)->stmt);
	free(producer);
}

static int prepare_read(struct etl_instance *self, const struct etl_read *read, const struct etl_split *split, sqlite3_stmt **ret,
			struct etl_error *err)
{
	struct etl_text sql = { 0 };
	int rc = connect(self, err);

	etl_text_add(&sql, "SELECT ");
	for (int64_t i = 0; i < read->want->n_children; i++) {
		etl_text_add(&sql, i ? ", " : "");
		etl_text_add_name(&sql, read->want->children[i]->name, '"');
	}
	etl_text_add(&sql, " FROM ");
	if (read->dataset.token) {
		char name[2 * NAME];

		snprintf(name, sizeof(name), "%.63s %.63s", read->dataset.token->text, read->dataset.table);
		etl_text_add_name(&sql, name, '"');
	} else {
		etl_text_add_name(&sql, read->dataset.table, '"');
		if (split->last != INT64_MAX)
			etl_text_addf(&sql, " WHERE rowid %% %" PRId64 " = %" PRId64, split->last, split->first);
	}
	etl_text_add(&sql, " ORDER BY rowid");
	if (rc == 0 && sqlite3_prepare_v2(self->db, sql.at, -1, ret, NULL) != SQLITE_OK)
		rc = fail_sql(self, err);
	etl_text_free(&sql);
	return rc;
}

static int shaky_read(struct etl_instance *self, const struct etl_read *read, const struct etl_split *split,
		      struct ArrowArrayStream *stream, struct etl_error *err)
{
	struct fault fault = fault_of(self, "read", atomic_fetch_add(&reads, 1) + 1);
	struct reading *r = calloc(1, sizeof(*r));
	sqlite3_stmt *stmt = NULL;
	int rc = prepare_read(self, read, split, &stmt, err);

	if (rc < 0)
		return free(r), rc;
	*r = (struct reading){ { fill, stop }, self, stmt, read->context, err, fault, 0, 0 };
	if (etl_stream_open(stream, self->host, read->want, &r->producer))
		return ETL_OK;
	stop(&r->producer);
	return self->host->fail(err, ETL_MEMORY, NULL, 0, "no memory");
}

/* ---- The target ---- */

static int shaky_begin(struct etl_instance *self, const struct etl_load *load, struct etl_token *ret, struct etl_error *err)
{
	struct fault fault = fault_of(self, "begin", atomic_fetch_add(&begins, 1) + 1);
	struct etl_text sql = { 0 };
	int rc;

	if (is_at(fault, "first"))
		return fail_as(self, "begin", fault.kind, err);
	etl_text_addf(&sql, "CREATE TABLE IF NOT EXISTS \"%s units\" (unit TEXT PRIMARY KEY);"
			    "CREATE TABLE IF NOT EXISTS runs (run TEXT PRIMARY KEY, pipeline TEXT, state TEXT);"
			    "CREATE TABLE IF NOT EXISTS done (what TEXT, began INTEGER, ended INTEGER)", load->run->id);
	rc = run_text(self, &sql, err);
	if (rc < 0)
		return rc;
	if (fault.kind)
		return fail_as(self, "begin", fault.kind, err);
	snprintf(ret->text, sizeof(ret->text), "%s", load->run->id);
	return ETL_OK;
}

struct writing {
	struct etl_consumer consumer;
	struct etl_instance *self;
	const struct etl_part *part;
	const struct ArrowArray *batch;
	sqlite3_stmt *stmt;
	struct fault fault;
	struct etl_error *err;
	struct etl_stats stats;
	int batches;
};

static int put_batch(struct writing *w, const struct etl_view *view, const struct ArrowSchema *schema,
		     const struct ArrowArray *batch)
{
	for (int64_t row = 0; row < view->rows; row++) {
		const struct etl_reject reject = { .code = "bad", .column = "v", .reason = "it is bad", .schema = schema,
						   .batch = batch, .row = row };
		struct etl_text line = { 0 };
		bool bad;

		etl_text_add_json_line(&line, view, row);
		bad = strstr(line.at, "\"bad") != NULL;
		sqlite3_bind_text(w->stmt, 1, line.at, -1, SQLITE_TRANSIENT);
		etl_text_free(&line);
		if (bad ? w->self->host->reject(w->part->context, &reject) < 0 : sqlite3_step(w->stmt) != SQLITE_DONE)
			return bad ? ETL_FAILED : fail_sql(w->self, w->err);
		sqlite3_reset(w->stmt);
		w->stats.rows += !bad;
		w->self->host->noted(w->part->context, bad ? "left" : "taken", bad ? "rows that were left" : "rows that were taken", 1);
	}
	return ETL_OK;
}

static int put_all(struct writing *w, struct ArrowArrayStream *stream)
{
	struct ArrowSchema schema = { .release = NULL };
	struct ArrowArray batch = { .release = NULL };
	struct etl_view *view;
	int rc = stream->get_schema(stream, &schema) ? ETL_FAILED : ETL_OK;

	view = etl_view_new(&schema);
	while (rc == 0 && (rc = stream->get_next(stream, &batch) ? w->self->host->fail(w->err, ETL_FATAL, NULL, 0, "no rows") : 0) == 0 &&
	       batch.release) {
		if (is_at(w->fault, "middle") && w->batches++ == 1)
			rc = fail_as(w->self, "load", w->fault.kind, w->err);
		else
			rc = etl_view_set(view, &batch) ? put_batch(w, view, &schema, &batch) : ETL_FAILED;
		batch.release(&batch);
	}
	etl_view_free(view);
	schema.release(&schema);
	return rc;
}

static int prepare_load(struct writing *w, const struct etl_load *load, const struct etl_token *token)
{
	struct etl_text sql = { 0 };
	int rc = ETL_OK;

	etl_text_addf(&sql, "INSERT INTO \"%s %s\" SELECT ", token->text, load->table->name);
	for (size_t i = 0; i < load->table->column_count; i++)
		etl_text_addf(&sql, "%sjson_extract(?1, '$[%zu]')", i ? ", " : "", i);
	if (sqlite3_prepare_v2(w->self->db, sql.at, -1, &w->stmt, NULL) != SQLITE_OK)
		rc = fail_sql(w->self, w->err);
	etl_text_free(&sql);
	return rc;
}

static int shaky_load(struct etl_instance *self, const struct etl_load *load, const struct etl_token *token,
		      const struct etl_part *part, struct ArrowArrayStream *stream, struct etl_stats *ret, struct etl_error *err)
{
	struct writing w = { .self = self, .part = part, .err = err };
	struct etl_text done = { 0 };
	int rc;

	w.fault = fault_of(self, "load", atomic_fetch_add(&loads, 1) + 1);
	if (is_at(w.fault, "first"))
		return fail_as(self, "load", w.fault.kind, err);
	rc = run_sql(self, "BEGIN IMMEDIATE", err);
	if (rc == 0)
		rc = prepare_load(&w, load, token);
	if (rc == 0)
		rc = put_all(&w, stream);
	sqlite3_finalize(w.stmt);
	etl_text_addf(&done, "INSERT INTO done VALUES ('load %s %" PRIu64 "', 0, 0)", load->table->name, part->index);
	if (rc == 0)
		rc = run_text(self, &done, err);
	if (rc == 0)
		rc = end_work(self, token, "load", w.fault, err);
	etl_text_free(&done);
	if (rc == 0)
		*ret = w.stats;
	return undo(self, rc);
}

static int shaky_mark(struct etl_instance *self, const struct etl_token *stage, struct etl_token *ret, struct etl_error *err)
{
	int rc = connect(self, err);

	(void)stage;
	if (rc < 0)
		return rc;
	snprintf(self->unit, NAME, "%ld-%d", (long)getpid(), atomic_fetch_add(&units, 1));
	snprintf(ret->text, sizeof(ret->text), "%s", self->unit);
	return ETL_OK;
}

static int shaky_since(struct etl_instance *self, const struct etl_token *stage, const struct etl_token *mark, int32_t *ret,
		       struct etl_error *err)
{
	struct fault fault = fault_of(self, "since", atomic_fetch_add(&sinces, 1) + 1);
	sqlite3_stmt *stmt = NULL;
	char sql[256];
	int rc = fault.kind ? fail_as(self, "since", fault.kind, err) : connect(self, err);

	if (rc < 0)
		return rc;
	snprintf(sql, sizeof(sql), "SELECT count(*) FROM \"%.63s units\" WHERE unit = ?1", stage->text);
	*ret = ETL_UNKNOWN;
	if (sqlite3_prepare_v2(self->db, sql, -1, &stmt, NULL) != SQLITE_OK)
		return ETL_OK;
	sqlite3_bind_text(stmt, 1, mark->text, -1, SQLITE_STATIC);
	if (sqlite3_step(stmt) == SQLITE_ROW)
		*ret = sqlite3_column_int(stmt, 0);
	sqlite3_finalize(stmt);
	return ETL_OK;
}

static int drop_staged(struct etl_instance *self, const char *run, struct etl_error *err)
{
	sqlite3_stmt *stmt = NULL;
	struct etl_text sql = { 0 };
	int rc = connect(self, err);

	if (rc < 0)
		return rc;
	sqlite3_prepare_v2(self->db, "SELECT printf('DROP TABLE \"%w\";', name) FROM sqlite_schema WHERE type = 'table' AND "
				     "name GLOB ?1 || ' *'", -1, &stmt, NULL);
	sqlite3_bind_text(stmt, 1, run, -1, SQLITE_STATIC);
	etl_text_add(&sql, " ");
	while (sqlite3_step(stmt) == SQLITE_ROW)
		etl_text_add(&sql, (const char *)sqlite3_column_text(stmt, 0));
	sqlite3_finalize(stmt);
	return run_text(self, &sql, err);
}

static int publish(struct etl_instance *self, const struct etl_commit *commit, struct fault fault, struct etl_error *err)
{
	const struct etl_token none = { "" };
	struct etl_text sql = { 0 };
	int rc = run_sql(self, "BEGIN IMMEDIATE", err);

	for (size_t i = 0; i < commit->load_count; i++)
		etl_text_addf(&sql, "ALTER TABLE \"%s %s\" RENAME TO \"%s\";", commit->run->id, commit->loads[i]->table->name,
			      commit->loads[i]->table->name);
	etl_text_addf(&sql, "INSERT INTO runs VALUES ('%s', '%s', ", commit->run->id, commit->run->pipeline);
	etl_text_add_literal(&sql, commit->state);
	etl_text_add(&sql, ")");
	if (rc == 0)
		rc = run_text(self, &sql, err);
	if (rc == 0)
		rc = drop_staged(self, commit->run->id, err);
	*self->unit = '\0';
	return undo(self, rc < 0 ? rc : end_work(self, &none, "commit", fault, err));
}

static int shaky_commit(struct etl_instance *self, const struct etl_commit *commit, struct etl_error *err)
{
	struct fault fault = fault_of(self, "commit", atomic_fetch_add(&commits, 1) + 1);
	sqlite3_stmt *stmt = NULL;
	bool done;
	int rc = is_at(fault, "first") ? fail_as(self, "commit", fault.kind, err) : connect(self, err);

	if (rc < 0)
		return rc;
	sqlite3_prepare_v2(self->db, "SELECT 1 FROM runs WHERE run = ?1", -1, &stmt, NULL);
	sqlite3_bind_text(stmt, 1, commit->run->id, -1, SQLITE_STATIC);
	done = sqlite3_step(stmt) == SQLITE_ROW;
	sqlite3_finalize(stmt);
	return done ? ETL_OK : publish(self, commit, fault, err);
}

static int shaky_abort(struct etl_instance *self, const struct etl_load *load, const struct etl_token *token,
		       struct etl_error *err)
{
	(void)load;
	return drop_staged(self, token->text, err);
}

static int shaky_staged(struct etl_instance *self, const struct etl_load *load, const struct etl_token *token,
			struct etl_dataset_sink *sink, struct etl_error *err)
{
	(void)self, (void)err;
	return sink->emit(sink, &(struct etl_dataset){ .table = load->table->name, .token = token });
}

static int shaky_recall(struct etl_instance *self, const char *pipeline, struct etl_state_sink *sink, struct etl_error *err)
{
	struct fault fault = fault_of(self, "recall", atomic_fetch_add(&recalls, 1) + 1);
	sqlite3_stmt *stmt = NULL;
	int rc = fault.kind ? fail_as(self, "recall", fault.kind, err) : connect(self, err);

	if (rc < 0 || sqlite3_prepare_v2(self->db, "SELECT run, state FROM runs WHERE pipeline = ?1", -1, &stmt, NULL) != SQLITE_OK)
		return rc;
	sqlite3_bind_text(stmt, 1, pipeline, -1, SQLITE_STATIC);
	while (rc == 0 && sqlite3_step(stmt) == SQLITE_ROW)
		rc = sink->emit(sink, (const char *)sqlite3_column_text(stmt, 0), (const char *)sqlite3_column_text(stmt, 1));
	sqlite3_finalize(stmt);
	return rc;
}

/* ---- Steps ---- */

static int step(struct etl_step_sink *sink, int32_t phase, const char *kind, const struct etl_load *load, const char *sql)
{
	return sink->emit(sink, &(struct etl_step){ .phase = phase, .verdict = ETL_EXACT, .kind = kind, .object = load->table->name,
						    .sql = sql, .load = load->index });
}

static int shaky_design(struct etl_instance *self, const struct etl_table *table, const struct etl_load *load,
			struct etl_step_sink *sink, struct etl_error *err)
{
	struct etl_text make = { 0 };
	int rc;

	(void)self, (void)err;
	for (size_t i = 0; i < table->column_count; i++) {
		etl_text_add(&make, i ? ", " : "");
		etl_text_add_name(&make, ETL_AT(const struct etl_column, table->columns, table->column_size, i)->name, '"');
	}
	rc = step(sink, ETL_PHASE_PREPARE, "table", load, make.at);
	if (rc == 0 && table->primary.column_count) {
		rc = step(sink, ETL_PHASE_SCREEN, "duplicates", load, table->primary.columns[0]);
		rc = rc ? rc : step(sink, ETL_PHASE_FINISH, "key", load, table->primary.columns[0]);
		rc = rc ? rc : step(sink, ETL_PHASE_FINISH, "index", load, table->primary.columns[0]);
	}
	for (size_t i = 0; rc == 0 && i < table->foreign_key_count; i++)
		rc = step(sink, ETL_PHASE_FINISH, "foreign key", load, table->foreign_keys[i].parent);
	etl_text_free(&make);
	return rc;
}

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Every row of a key but its first. */
static int emit_doubles(struct etl_instance *self, const char *table, const char *key, struct etl_found_sink *sink,
			struct etl_error *err)
{
	struct etl_builder *b = etl_builder_new(sink->rows, 1);
	struct reading r = { .self = self, .err = err };
	struct etl_text sql = { 0 };
	struct ArrowArray batch;
	int rc = ETL_OK, more;

	etl_text_addf(&sql, "SELECT * FROM \"%s\" WHERE rowid NOT IN (SELECT min(rowid) FROM \"%s\" GROUP BY \"%s\") ORDER BY rowid",
		      table, table, key);
	sqlite3_prepare_v2(self->db, sql.at, -1, &r.stmt, NULL);
	etl_text_free(&sql);
	while (rc == 0 && (more = put_row(&r, b)) > 0 && etl_builder_finish(b, &batch)) {
		const struct etl_found found = { .code = "duplicate", .table = strchr(table, ' ') + 1, .column = key,
						 .reason = "the key is there already", .schema = sink->rows, .batch = &batch };

		rc = sink->emit(sink, &found);
		batch.release(&batch);
	}
	sqlite3_finalize(r.stmt);
	etl_builder_free(b);
	if (rc || !sink->take_out)
		return rc;
	etl_text_addf(&sql, "DELETE FROM \"%s\" WHERE rowid NOT IN (SELECT min(rowid) FROM \"%s\" GROUP BY \"%s\")", table, table, key);
	return run_text(self, &sql, err);
}

/* What is made twice, or before what it needs, is an error, as at a server. */
static int work(struct etl_instance *self, const char *run, const struct etl_step *step, struct etl_found_sink *sink,
		struct etl_error *err)
{
	char table[2 * NAME];
	struct etl_text sql = { 0 };

	snprintf(table, sizeof(table), "%.63s %.63s", run, step->object ? step->object : "");
	if (strcmp(step->kind, "duplicates") == 0)
		return emit_doubles(self, table, step->sql, sink, err);
	if (strcmp(step->kind, "table") == 0)
		etl_text_addf(&sql, "CREATE TABLE \"%s\" (%s)", table, step->sql);
	else if (strcmp(step->kind, "key") == 0)
		etl_text_addf(&sql, "CREATE UNIQUE INDEX \"%s key\" ON \"%s\" (\"%s\")", table, table, step->sql);
	else if (strcmp(step->kind, "index") == 0)
		etl_text_addf(&sql, "CREATE INDEX \"%s more\" ON \"%s\" (\"%s\")", table, table, step->sql);
	else if (strcmp(step->kind, "foreign key") == 0)
		etl_text_addf(&sql, "CREATE TABLE \"%s to %s\" (a CHECK (a)); INSERT INTO \"%s to %s\" SELECT EXISTS (SELECT 1 FROM "
				    "sqlite_schema WHERE name = '%s %s key')", table, step->sql, table, step->sql, run, step->sql);
	else
		etl_text_add(&sql, step->sql);
	return run_text(self, &sql, err);
}

static int shaky_apply(struct etl_instance *self, const struct etl_load *load, const struct etl_token *token,
		       const struct etl_step *step, struct etl_found_sink *sink, struct etl_error *err)
{
	const struct timespec pause = { .tv_nsec = self->host->num(self->conf, "step_ms") * 1000000L };
	struct fault fault = fault_of(self, step->phase == ETL_PHASE_SCREEN ? "screen" : step->phase == ETL_PHASE_FINISH ? "finish" : "step",
				      atomic_fetch_add(&applies, 1) + 1);
	struct etl_text sql = { 0 };
	int64_t began = now();
	int rc = connect(self, err);

	(void)load;
	if (rc == 0 && is_at(fault, "first"))
		rc = fail_as(self, step->kind, fault.kind, err);
	if (rc == 0 && step->phase == ETL_PHASE_FINISH)
		nanosleep(&pause, NULL);
	if (rc == 0)
		rc = run_sql(self, "BEGIN IMMEDIATE", err);
	if (rc == 0)
		rc = work(self, token->text, step, sink, err);
	etl_text_addf(&sql, "INSERT INTO done VALUES ('%s %s', %" PRId64 ", %" PRId64 ")", step->kind, step->object ? step->object : "",
		      began, now());
	if (rc == 0)
		rc = run_sql(self, sql.at, err);
	etl_text_free(&sql);
	return undo(self, rc < 0 ? rc : end_work(self, token, step->kind, fault, err));
}

/* ---- The plugin ---- */

static int shaky_open(const struct etl_host *host, const struct etl_conf *conf, struct etl_instance **ret,
		      struct etl_error *err)
{
	struct etl_instance *self = calloc(1, sizeof(*self));

	if (!self)
		return host->fail(err, ETL_MEMORY, NULL, 0, "no memory");
	self->host = host;
	self->conf = conf;
	*ret = self;
	return ETL_OK;
}

static void shaky_close(struct etl_instance *self)
{
	if (!self)
		return;
	if (self->db) {
		sqlite3_close_v2(self->db);
		atomic_fetch_sub(&connected, 1);
	}
	free(self);
}

static const struct etl_option options[] = {
	{ .name = "path", .kind = ETL_OPT_PATH, .flags = ETL_OPT_REQUIRED, .help = "The file." },
	{ .name = "fails", .kind = ETL_OPT_LIST, .help = "Which calls fail." },
	{ .name = "connections", .kind = ETL_OPT_INT, .default_text = "0", .max = 1000, .help = "The most at once; 0: any." },
	{ .name = "splits", .kind = ETL_OPT_INT, .default_text = "1", .min = 1, .max = 1000, .help = "Of each table." },
	{ .name = "step_ms", .kind = ETL_OPT_INT, .default_text = "0", .max = 999, .help = "How long a step takes." },
	{ .name = NULL },
};
static const struct etl_store store = { .size = sizeof(store), .describe = shaky_describe };
static const struct etl_source source = { .size = sizeof(source), .read = shaky_read, .pin = shaky_pin, .join = shaky_join,
					  .stamp = shaky_stamp, .plan = shaky_plan };
static const struct etl_target target = { .size = sizeof(target), .flags = ETL_RESUMABLE | ETL_ATOMIC_RUN | ETL_DDL | ETL_KEEPS_STATE,
					  .begin = shaky_begin, .load = shaky_load, .commit = shaky_commit, .abort = shaky_abort,
					  .staged = shaky_staged, .recall = shaky_recall, .mark = shaky_mark, .since = shaky_since };
static const struct etl_schema schema = { .size = sizeof(schema), .design = shaky_design, .apply = shaky_apply };
static const struct etl_plugin shaky = {
	ETL_ABI, 0, sizeof(shaky), sizeof(options[0]), "shaky", "1.0", "fails when it is told to", "0BSD", NULL, options,
	shaky_open, shaky_close, NULL, &store, &source, &target, &schema, NULL, NULL,
};

ETL_PLUGIN(shaky, shaky)
