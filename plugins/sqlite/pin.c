/*
 * One consistent view for several connections. In rollback mode the SHARED lock of the pinning connection
 * keeps every writer from committing, so whoever begins while it lives sees the same. In WAL mode writers go
 * on, and SQLite (without its snapshot API) cannot open an old state: so the header of the wal-index, which
 * changes with every commit, is read before and after a transaction begins. When both are equal, that is the
 * state the transaction sees; a joiner whose state is another one says so, and the host goes on with fewer.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "sqlite.h"

#define TRIES		  20  /* to begin between two commits of a busy writer */
#define FILE_HEADER	  100 /* bytes, SQLite's file format */
#define AT_CHANGE_COUNTER 24
#define AT_PAGE_COUNT	  28
#define INDEX_HEADER	  48 /* bytes of one copy of the wal-index header; two copies stand in a row */
#define INDEX_REGION	  32768 /* bytes of the first block of a wal-index */
#define AT_INDEX_FRAMES	  16	/* mxFrame, nPage, aFrameCksum[2], aSalt[2]: 24 bytes */
#define INDEX_CONTENT	  24
#define STATE_MAX	  256

struct state {
	bool wal;
	bool known; /* false: nothing reliable was found */
	unsigned char index[INDEX_HEADER];
	uint32_t counter, pages;
};

static sqlite3_file *file_of(sqlite3 *db)
{
	sqlite3_file *file = NULL;

	if (sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK)
		return NULL;
	return file && file->pMethods ? file : NULL;
}

static uint32_t big_endian(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* A writer updates one copy, then the other: equal copies are a whole header. */
static bool read_index(sqlite3_file *file, unsigned char *ret)
{
	void volatile *region = NULL;
	unsigned char copies[2 * INDEX_HEADER];
	const volatile unsigned char *p;
	size_t i;
	int tries;

	if (file->pMethods->iVersion < 2 || !file->pMethods->xShmMap ||
	    file->pMethods->xShmMap(file, 0, INDEX_REGION, 0, &region) != SQLITE_OK || !region)
		return false;
	p = region;
	for (tries = 0; tries < TRIES; tries++) {
		file->pMethods->xShmBarrier(file);
		for (i = 0; i < sizeof(copies); i++)
			copies[i] = p[i];
		file->pMethods->xShmBarrier(file);
		if (memcmp(copies, copies + INDEX_HEADER, INDEX_HEADER) == 0) {
			memcpy(ret, copies, INDEX_HEADER);
			return true;
		}
	}
	return false;
}

/* Through SQLite's own descriptor: to open and close another one would drop this process's locks. */
static void read_state(sqlite3 *db, bool wal, struct state *ret)
{
	sqlite3_file *file = file_of(db);
	unsigned char head[FILE_HEADER];

	memset(ret, 0, sizeof(*ret));
	ret->wal = wal;
	if (!file || file->pMethods->xRead(file, head, sizeof(head), 0) != SQLITE_OK)
		return;
	ret->counter = big_endian(head + AT_CHANGE_COUNTER);
	ret->pages = big_endian(head + AT_PAGE_COUNT);
	ret->known = !wal || read_index(file, ret->index);
}

static bool same_state(const struct state *a, const struct state *b)
{
	if (!a->known || !b->known || a->wal != b->wal)
		return false;
	return a->wal ? memcmp(a->index, b->index, INDEX_HEADER) == 0 :
			a->counter == b->counter && a->pages == b->pages;
}

static int find_mode(struct etl_instance *inst, sqlite3 *db, bool *ret_wal, struct etl_error *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite_prepare(inst, db, "PRAGMA main.journal_mode", &stmt, err);

	if (rc)
		return rc;
	if (sqlite3_step(stmt) == SQLITE_ROW) {
		const char *mode = (const char *)sqlite3_column_text(stmt, 0);

		*ret_wal = mode && sqlite3_stricmp(mode, "wal") == 0;
	} else {
		rc = sqlite_fail(inst, db, err, "asking for the journal mode");
	}
	sqlite3_finalize(stmt);
	return rc;
}

/* BEGIN alone locks nothing: the first read takes the snapshot. */
static int begin(struct etl_instance *inst, sqlite3 *db, bool joining, struct etl_error *err)
{
	int code = sqlite3_exec(db, "BEGIN; SELECT count(*) FROM main.sqlite_schema", NULL, NULL,
				NULL);
	int extended = sqlite3_extended_errcode(db), rc;

	if (code == SQLITE_OK)
		return ETL_OK;
	if (joining && (code & 0xff) == SQLITE_BUSY)
		rc = inst->host->fail(
			err, ETL_FEWER_WORKERS, NULL, extended,
			"%s: a writer waits for the database, so no further reader gets in (%s)",
			inst->path, sqlite3_errmsg(db));
	else
		rc = sqlite_fail(inst, db, err, "beginning to read");
	sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

static void end(struct etl_instance *inst, sqlite3 *db)
{
	if (!sqlite3_get_autocommit(db))
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	inst->pinned = false;
}

/* Begins a transaction and finds out which state it sees; RET->known is false when that cannot be told. */
static int begin_known(struct etl_instance *inst, sqlite3 *db, bool joining, struct state *ret,
		       struct etl_error *err)
{
	struct state before;
	bool wal = false;
	int tries, rc;

	end(inst, db);
	rc = find_mode(inst, db, &wal, err);
	for (tries = 0; !rc && tries < TRIES; tries++) {
		read_state(db, wal, &before);
		rc = begin(inst, db, joining, err);
		if (rc)
			break;
		read_state(db, wal, ret);
		if (!before.known || same_state(&before, ret))
			break;
		if (tries + 1 < TRIES)
			end(inst, db);
		else
			ret->known = false;
	}
	return rc;
}

static void add_hex(char *to, const unsigned char *bytes, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++)
		snprintf(to + 2 * i, 3, "%02x", (unsigned)bytes[i]);
}

/* Which file it is: another one may have been renamed to the path. */
static bool identify(const struct etl_instance *inst, sqlite3 *db, struct stat *ret)
{
	int moved = 0;

	if (sqlite3_file_control(db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) != SQLITE_OK)
		moved = 0;
	return !moved && stat(inst->path, ret) == 0;
}

static void write_token(const struct etl_instance *inst, sqlite3 *db, const struct state *state,
			char *ret)
{
	char hex[2 * INDEX_HEADER + 1] = "";
	struct stat st;

	if (!state->known || !identify(inst, db, &st)) {
		snprintf(ret, STATE_MAX, "unknown");
		return;
	}
	if (state->wal)
		add_hex(hex, state->index, INDEX_HEADER);
	snprintf(ret, STATE_MAX, "%s %llx %llx %08lx %08lx %s", state->wal ? "wal" : "rollback",
		 (unsigned long long)st.st_dev, (unsigned long long)st.st_ino,
		 (unsigned long)state->counter, (unsigned long)state->pages, hex);
}

/* ---- Stamp ------------------------------------------------------------------------------------------------ */

/* The size and time of the file catch what the counters do not: in WAL mode the change counter stands still,
 * and the wal-index begins anew when the last connection closes. */
static void write_stamp(const struct state *state, const struct stat *st, char *ret)
{
	char hex[2 * INDEX_CONTENT + 1] = "";

	if (state->wal)
		add_hex(hex, state->index + AT_INDEX_FRAMES, INDEX_CONTENT);
	snprintf(ret, STATE_MAX, "%s %llx %llx %lld %lld.%09ld %08lx %s",
		 state->wal ? "wal" : "rollback", (unsigned long long)st->st_dev,
		 (unsigned long long)st->st_ino, (long long)st->st_size,
		 (long long)st->st_mtim.tv_sec, (long)st->st_mtim.tv_nsec,
		 (unsigned long)state->counter, hex);
}

/* Call inside the transaction whose state it is. A commit meanwhile may have changed the file's time. */
static void take_stamp(struct etl_instance *inst, sqlite3 *db, const struct state *state,
		       struct etl_token *ret)
{
	struct state again;
	struct stat st;
	bool same = identify(inst, db, &st);

	read_state(db, state->wal, &again);
	memset(ret->text, 0, sizeof(ret->text));
	if (same && same_state(state, &again))
		write_stamp(state, &st, ret->text);
	else
		snprintf(ret->text, sizeof(ret->text), "none");
}

int sqlite_stamp(struct etl_instance *inst, struct etl_token *ret, struct etl_error *err)
{
	struct state state = { 0 };
	sqlite3 *db;
	int rc;

	if (inst->pinned) {
		*ret = inst->stamp;
		return ETL_OK;
	}
	rc = sqlite_db(inst, NULL, &db, err);
	if (!rc)
		rc = begin_known(inst, db, false, &state, err);
	if (rc)
		return rc;
	take_stamp(inst, db, &state, ret);
	end(inst, db);
	return ETL_OK;
}

/* Another file has the path now. One that was only removed is read to its end. */
static bool is_replaced(const struct etl_instance *inst)
{
	struct stat now;

	return stat(inst->path, &now) == 0 &&
	       (now.st_dev != inst->pinned_file.st_dev || now.st_ino != inst->pinned_file.st_ino);
}

/* In rollback mode no writer that keeps to SQLite's locks gets at the file while it is pinned: when it was written all
 * the same, by a copy over it for one, what was read may be half of each. */
int sqlite_unmoved(struct etl_instance *inst, struct etl_error *err)
{
	struct state state;
	struct etl_token now;

	if (inst->pinned && is_replaced(inst))
		return inst->host->fail(
			err, ETL_FATAL, NULL, 0,
			"%s: another file was put in its place while it was read; what was read is the old "
			"one, so nothing of it is kept; run again",
			inst->path);
	if (!inst->pinned || strncmp(inst->stamp.text, "rollback", 8) != 0)
		return ETL_OK;
	read_state(inst->main, false, &state);
	take_stamp(inst, inst->main, &state, &now);
	if (strcmp(now.text, "none") == 0 || strcmp(now.text, inst->stamp.text) == 0)
		return ETL_OK;
	return inst->host->fail(
		err, ETL_FATAL, NULL, 0,
		"%s: a program that does not keep to SQLite's locks wrote into it while it "
		"was read, so what was read may be of both; run again when nobody copies "
		"over it",
		inst->path);
}

/* ---- Pin and join ------------------------------------------------------------------------------------------- */

static void set_pinned(struct etl_instance *inst)
{
	inst->pinned = true;
	if (stat(inst->path, &inst->pinned_file) != 0)
		memset(&inst->pinned_file, 0, sizeof(inst->pinned_file));
}

int sqlite_pin(struct etl_instance *inst, struct etl_token *ret, struct etl_error *err)
{
	struct state state = { 0 };
	sqlite3 *db;
	int rc = sqlite_db(inst, NULL, &db, err);

	if (!rc)
		rc = begin_known(inst, db, false, &state, err);
	if (rc)
		return rc;
	set_pinned(inst);
	take_stamp(inst, db, &state, &inst->stamp);
	memset(ret->text, 0, sizeof(ret->text));
	write_token(inst, db, &state, ret->text);
	return ETL_OK;
}

static int fail_changed(struct etl_instance *inst, const char *wanted, struct etl_error *err)
{
	if (strcmp(wanted, "unknown") == 0)
		return inst->host->fail(
			err, ETL_FEWER_WORKERS, NULL, 0,
			"%s: the state of the database cannot be told apart from others, so "
			"only one connection can read it consistently",
			inst->path);
	return inst->host->fail(
		err, ETL_FEWER_WORKERS, NULL, 0,
		"%s: the database was changed after the first reader began, so no further "
		"connection can see the same rows",
		inst->path);
}

int sqlite_join(struct etl_instance *inst, const struct etl_token *token, struct etl_error *err)
{
	struct state state = { 0 };
	char mine[STATE_MAX];
	sqlite3 *db;
	int rc = sqlite_db(inst, NULL, &db, err);

	if (!rc)
		rc = begin_known(inst, db, true, &state, err);
	if (rc)
		return rc;
	write_token(inst, db, &state, mine);
	if (!state.known || strcmp(mine, token->text) != 0 || strcmp(mine, "unknown") == 0) {
		end(inst, db);
		return fail_changed(inst, token->text, err);
	}
	set_pinned(inst);
	take_stamp(inst, db, &state, &inst->stamp);
	return ETL_OK;
}
