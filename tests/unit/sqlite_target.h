/*
 * What the tests of the sqlite target share: a folder of their own, a run of given tables, and values read
 * back with SQLite itself.
 */
#ifndef TESTS_SQLITE_TARGET_H
#define TESTS_SQLITE_TARGET_H

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include "target_host.h"

const struct etl_plugin *sqlite_LTX_etl_plugin(void);

static char folder[64];

static inline void make_folder(void)
{
	strcpy(folder, "/tmp/etlrun-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
}

static inline void remove_folder(void)
{
	DIR *dir = opendir(folder);
	struct dirent *e;

	while ((e = readdir(dir)) != NULL)
		unlinkat(dirfd(dir), e->d_name, 0);
	closedir(dir);
	rmdir(folder);
}

static inline const char *in_folder(const char *name)
{
	static char path[4][512];
	static int next;

	next = (next + 1) % 4;
	snprintf(path[next], sizeof(path[next]), "%s/%s", folder, name);
	return path[next];
}

/* Files whose names begin with PREFIX. */
static inline int count_files(const char *prefix)
{
	DIR *dir = opendir(folder);
	struct dirent *e;
	int n = 0;

	while ((e = readdir(dir)) != NULL)
		n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
		     strncmp(e->d_name, prefix, strlen(prefix)) == 0;
	closedir(dir);
	return n;
}

static inline bool is_there(const char *name)
{
	return access(in_folder(name), F_OK) == 0;
}

/* The first value of a query as text; "NULL" for one, "(none)" without a row. */
static inline const char *ask(const char *name, const char *sql)
{
	static char text[HOST_TEXT];
	sqlite3 *db;
	sqlite3_stmt *stmt;
	int rc;

	ck_assert_int_eq(sqlite3_open_v2(in_folder(name), &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
	ck_assert_msg(rc == SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(db));
	rc = sqlite3_step(stmt);
	ck_assert_msg(rc == SQLITE_ROW || rc == SQLITE_DONE, "%s: %s", sql, sqlite3_errmsg(db));
	snprintf(text, sizeof(text), "%s", rc == SQLITE_DONE ? "(none)" :
		 sqlite3_column_type(stmt, 0) == SQLITE_NULL ? "NULL" : (const char *)sqlite3_column_text(stmt, 0));
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return text;
}

static inline void run_sql(sqlite3 *db, const char *sql)
{
	char *words = NULL;

	ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, &words) == SQLITE_OK, "%s: %s", sql, words);
}

static inline void make_db(const char *name, const char *sql)
{
	sqlite3 *db;

	ck_assert_int_eq(sqlite3_open(in_folder(name), &db), SQLITE_OK);
	run_sql(db, sql);
	sqlite3_close(db);
}

/* ---- A run ---------------------------------------------------------------------------------------------- */

struct target_run {
	struct etl_host host;
	struct etl_conf conf;
	char path[512];
	struct etl_instance *inst;
	struct etl_error err;
	struct etl_run run;
	struct etl_column columns[2];
	struct etl_table table;
	struct etl_load load;
	struct etl_token token;
	struct etl_context context;
	struct etl_stats stats;
	struct etl_outcome outcome;
};

static inline void give(struct target_run *r, const char *name, const char *text, int64_t number)
{
	size_t i = 0;

	while (r->conf.given[i].name)
		i++;
	r->conf.given[i] = (struct host_option){ name, text, number };
}

static inline void open_run(struct target_run *r)
{
	ck_assert_int_eq(sqlite_LTX_etl_plugin()->open(&r->host, &r->conf, &r->inst, &r->err), 0);
}

/* A run that copies table "t" (id INTEGER PRIMARY KEY, v) into NAME; not opened yet. */
static inline void start_run(struct target_run *r, const char *name, int32_t on_existing)
{
	static char id[32];
	static int number;

	memset(r, 0, sizeof(*r));
	snprintf(id, sizeof(id), "20261125T000000Z-%06d", ++number);
	snprintf(r->path, sizeof(r->path), "%s", in_folder(name));
	r->host = host_of(ETL_ROLE_TARGET);
	r->conf.table = sqlite_LTX_etl_plugin()->options;
	give(r, "path", r->path, 0);
	give(r, "busy_timeout", NULL, 50);
	r->run = (struct etl_run){ .id = id, .pipeline = "test", .mode = ETL_COPY, .on_existing = on_existing, .keep_runs = 1000 };
	r->columns[0] = (struct etl_column){ .name = "id", .declared = "INTEGER", .type = ETL_INT64,
					     .flags = ETL_NOT_NULL, .identity_last = ETL_UNKNOWN };
	r->columns[1] = (struct etl_column){ .name = "v", .declared = "", .type = ETL_ANY,
					     .identity_last = ETL_UNKNOWN };
	r->table = (struct etl_table){ .kind = ETL_TABLE, .name = "t", .dialect = "sqlite",
				       .ddl = "CREATE TABLE t(id INTEGER PRIMARY KEY, v)", .columns = r->columns,
				       .column_count = 2, .column_size = sizeof(struct etl_column) };
	r->load = (struct etl_load){ .run = &r->run, .table = &r->table, .source_name = "t" };
}

static inline int begin_run(struct target_run *r)
{
	return sqlite_LTX_etl_plugin()->target->begin(r->inst, &r->load, &r->token, &r->err);
}

static inline int apply_sql(struct target_run *r, const char *kind, const char *object, const char *sql)
{
	struct etl_step step = { .kind = kind, .object = object, .sql = sql };

	return sqlite_LTX_etl_plugin()->schema->apply(r->inst, &r->load, &r->token, &step, NULL, &r->err);
}

/* Two texts a row: id, v. */
static inline int load_rows(struct target_run *r, uint64_t split, const char *const *texts, size_t rows)
{
	struct etl_part part = { .index = split, .context = &r->context };
	struct ArrowArrayStream stream;
	struct host_rows producer;
	int rc;

	host_stream(&stream, &r->host, &producer, r->columns, 2, texts, rows);
	rc = sqlite_LTX_etl_plugin()->target->load(r->inst, &r->load, &r->token, &part, &stream, &r->stats, &r->err);
	stream.release(&stream);
	return rc;
}

static inline int commit_run(struct target_run *r)
{
	const struct etl_load *loads[] = { &r->load };
	const struct etl_token *tokens[] = { &r->token };
	struct etl_commit commit = { .run = &r->run, .loads = loads, .tokens = tokens, .load_count = 1,
				     .outcomes = &r->outcome };

	return sqlite_LTX_etl_plugin()->target->commit(r->inst, &commit, &r->err);
}

static inline int abort_run(struct target_run *r)
{
	return sqlite_LTX_etl_plugin()->target->abort(r->inst, &r->load, &r->token, &r->err);
}

static inline void end_run(struct target_run *r)
{
	sqlite_LTX_etl_plugin()->close(r->inst);
	r->inst = NULL;
}

/* begin, the table, rows (1,'a'), (2,'b'): ready to be published. */
static inline void stage_run(struct target_run *r)
{
	static const char *const rows[] = { "1", "t:new a", "2", "t:new b" };

	open_run(r);
	ck_assert_msg(begin_run(r) == 0, "%s", r->err.text);
	ck_assert_msg(apply_sql(r, "table", "t", r->table.ddl) == 0, "%s", r->err.text);
	ck_assert_msg(load_rows(r, 0, rows, 2) == 0, "%s", r->err.text);
}

#endif
