/*
 * What the tests of the sqlite plugin share: a database file made by SQL, an instance opened on it as the
 * host would, and rows read back as text.
 */
#ifndef SQLITE_STORY_H
#define SQLITE_STORY_H

#include <check.h>
#include <sqlite3.h>
#include <unistd.h>

#include "target_host.h"

#include "plugins/sqlite/sqlite.h"

const struct etl_plugin *sqlite_LTX_etl_plugin(void);

struct story {
	char dir[64], path[96];
	struct etl_conf conf;
	struct etl_host host;
	struct etl_error err;
	struct etl_context context;
	struct etl_instance *inst;
};

static inline void story_sql(const struct story *s, const char *sql)
{
	sqlite3 *db = NULL;
	char *message = NULL;

	ck_assert_int_eq(sqlite3_open(s->path, &db), SQLITE_OK);
	ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, &message) == SQLITE_OK, "%s", message);
	sqlite3_close(db);
}

static inline struct etl_instance *story_open(struct story *s)
{
	struct etl_instance *inst = NULL;

	ck_assert_int_eq(sqlite_LTX_etl_plugin()->open(&s->host, &s->conf, &inst, &s->err), ETL_OK);
	return inst;
}

/* SQL NULL: no file is made. */
static inline struct story *story_begin(const char *sql)
{
	struct story *s = calloc(1, sizeof(*s));

	ck_assert_ptr_nonnull(s);
	strcpy(s->dir, "/tmp/etlrun-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(s->dir));
	snprintf(s->path, sizeof(s->path), "%s/a%%b #?.db", s->dir);
	s->conf.table = sqlite_LTX_etl_plugin()->options;
	s->conf.given[0] = (struct host_option){ .name = "path", .text = s->path };
	s->conf.given[1] = (struct host_option){ .name = "busy_timeout", .number = 100 };
	s->host = host_of(ETL_ROLE_SOURCE);
	if (sql)
		story_sql(s, sql);
	s->inst = story_open(s);
	return s;
}

static inline void story_end(struct story *s)
{
	static const char *const tails[] = { "", "-wal", "-shm", "-journal" };
	char path[128];
	size_t i;

	sqlite_LTX_etl_plugin()->close(s->inst);
	for (i = 0; i < sizeof(tails) / sizeof(*tails); i++) {
		snprintf(path, sizeof(path), "%s%s", s->path, tails[i]);
		unlink(path);
	}
	ck_assert_msg(rmdir(s->dir) == 0, "%s is not empty", s->dir);
	free(s);
}

#endif
