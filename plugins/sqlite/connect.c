/*
 * Opening a database file to read it. SQLite opens lazily and then says "unable to open database file" or
 * "file is not a database" for a dozen causes; here the file is looked at first, so that the person is told
 * which one it is and what to do. A journal or WAL that another process left is respected, never removed.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sqlite.h"

#define HEADER_SIZE  100	       /* of an SQLite database file, by its file format */
#define HEADER_MAGIC "SQLite format 3" /* with its NUL: 16 bytes */
#define WORDS_MAX    1024
#define FIRST_ACCESS "SELECT count(*) FROM sqlite_schema"
#define DISK_FULL    "53100" /* SQLSTATE */

/* ---- What SQLite said ------------------------------------------------------------------------------- */

/* Non-empty, so that a fresh WAL of a database without pages is not taken for an empty file. */
static bool has_beside(const char *path, const char *suffix)
{
	struct stat st;
	char *name = sqlite3_mprintf("%s%s", path, suffix);
	bool there = name && stat(name, &st) == 0 && st.st_size > 0;

	sqlite3_free(name);
	return there;
}

static bool is_full(int error)
{
	return error == ENOSPC || error == EDQUOT || error == EFBIG;
}

/* What the system said to SQLite, where SQLite's own words leave it out; 0: nothing. A failing COMMIT does not
 * keep it, but the errno of the LAST call that failed tells most of it. */
static int system_error(sqlite3 *db, int code, int last)
{
	int error = 0;

	if (db && (code == SQLITE_IOERR || code == SQLITE_CANTOPEN || code == SQLITE_FULL))
		error = sqlite3_system_errno(db);
	if (!error && (code == SQLITE_IOERR || code == SQLITE_FULL) &&
	    (is_full(last) || last == EIO || last == EROFS))
		error = last;
	return error;
}

static const char *file_advice(const struct etl_instance *inst, int error)
{
	if (is_full(error))
		return "; free some space there, or where temporary files go (TMPDIR), and run "
		       "again";
	if (error == EMFILE || error == ENFILE)
		return "; raise the limit of open files (ulimit -n)";
	if (inst->host->role != ETL_ROLE_SOURCE)
		return "";
	if (has_beside(inst->path, "-wal"))
		return "; a WAL lies beside it: make the folder writable, or copy the file with "
		       "its -wal to a folder that is";
	return "; a database in WAL mode needs a writable folder: make it so, or set immutable = "
	       "true when nobody writes to the file";
}

static const char *advice(const struct etl_instance *inst, int code, int extended, int error)
{
	bool source = inst->host->role == ETL_ROLE_SOURCE;

	switch (code) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return "; another process holds the database: let it finish, or raise busy_timeout";
	case SQLITE_CORRUPT:
		return "; the file is damaged: restore it from a backup, or save what can be read "
		       "with "
		       "\"sqlite3 FILE .recover\"";
	case SQLITE_NOTADB:
		return "; the file is encrypted or not an SQLite database";
	case SQLITE_FULL:
		return file_advice(inst, ENOSPC);
	case SQLITE_IOERR:
		return *file_advice(inst, error) ?
			       file_advice(inst, error) :
			       "; the file system failed: look at the system's log";
	case SQLITE_READONLY:
		if (extended == SQLITE_READONLY_ROLLBACK)
			return "; a hot journal lies beside the file and must be rolled back by a "
			       "process that may write: make the file and its folder writable, or "
			       "open "
			       "the database once with sqlite3";
		return source ? "; a WAL lies beside the file and its folder is read-only: make "
				"the folder "
				"writable, or set immutable = true when nobody writes to the file" :
				"";
	case SQLITE_CANTOPEN:
		return file_advice(inst, error);
	default:
		return "";
	}
}

static int32_t class_of(int code)
{
	switch (code) {
	case SQLITE_NOMEM:
		return ETL_MEMORY;
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
	case SQLITE_TOOBIG:
		return ETL_DATA;
	default:
		return ETL_FATAL;
	}
}

int32_t sqlite_errno_class(void)
{
	return errno == ENOMEM ? ETL_MEMORY : ETL_FATAL;
}

static int fail_with(struct etl_instance *inst, int extended, int error, const char *words, struct etl_error *err,
		     const char *format, va_list args)
{
	int code = extended & 0xff;
	char what[WORDS_MAX];

	if (code == SQLITE_INTERRUPT && inst->host->canceled(inst->host))
		return ETL_CANCELED;
	vsnprintf(what, sizeof(what), format, args);
	return inst->host->fail(err, class_of(code), code == SQLITE_FULL || is_full(error) ? DISK_FULL : NULL, extended,
				"%s: %s: %s%s%s%s%s",
				inst->path, what, words,
				error ? " (" : "", error ? strerror(error) : "", error ? ")" : "",
				advice(inst, code, extended, error));
}

int sqlite_fail(struct etl_instance *inst, sqlite3 *db, struct etl_error *err, const char *format,
		...)
{
	int last = errno;
	int extended = db ? sqlite3_extended_errcode(db) : SQLITE_NOMEM;
	va_list args;
	int rc;

	va_start(args, format);
	rc = fail_with(inst, extended, system_error(db, extended & 0xff, last),
		       db ? sqlite3_errmsg(db) : "out of memory", err, format, args);
	va_end(args);
	return rc;
}

int sqlite_fail_as(struct etl_instance *inst, int code, struct etl_error *err, const char *format, ...)
{
	int last = errno, error = is_full(last) || last == EIO || last == EROFS ? last : 0;
	va_list args;
	int rc;

	va_start(args, format);
	rc = fail_with(inst, code, error, sqlite3_errstr(code), err, format, args);
	va_end(args);
	return rc;
}

int sqlite_run(struct etl_instance *inst, sqlite3 *db, const char *sql, struct etl_error *err)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK)
		return ETL_OK;
	return sqlite_fail(inst, db, err, "running \"%.200s\"", sql);
}

int sqlite_prepare(struct etl_instance *inst, sqlite3 *db, const char *sql, sqlite3_stmt **ret,
		   struct etl_error *err)
{
	sqlite3_stmt *stmt = NULL;

	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
		return sqlite_fail(inst, db, err, "preparing \"%.300s\"", sql);
	if (!stmt)
		return inst->host->fail(err, ETL_USAGE, NULL, 0, "%s: the query is empty",
					inst->path);
	*ret = stmt;
	return ETL_OK;
}

/* ---- Looking at the file ------------------------------------------------------------------------------ */

/* Reads the first bytes; the number read, or -1 with errno. */
static ssize_t read_header(const char *path, unsigned char *buf)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t n;
	int saved;

	if (fd < 0)
		return -1;
	do {
		n = pread(fd, buf, HEADER_SIZE, 0);
	} while (n < 0 && errno == EINTR);
	saved = errno;
	close(fd);
	errno = saved;
	return n;
}

/* Encrypted pages look like noise: nearly all bytes differ and few are letters of a text. */
static bool looks_encrypted(const unsigned char *bytes, size_t size)
{
	bool seen[256] = { false };
	size_t different = 0, printable = 0, i;

	for (i = 0; i < size; i++) {
		different += !seen[bytes[i]];
		seen[bytes[i]] = true;
		printable += bytes[i] >= ' ' && bytes[i] < 127;
	}
	return size == HEADER_SIZE && different > 60 && printable < 60;
}

static int fail_stat(struct etl_instance *inst, const char *path, struct etl_error *err)
{
	if (errno == ENOENT || errno == ENOTDIR)
		return inst->host->fail(err, ETL_FATAL, NULL, 0,
					"%s: there is no such file; look at path", path);
	return inst->host->fail(err, ETL_FATAL, NULL, 0, "%s: cannot be looked at: %s", path,
				strerror(errno));
}

/*
 * Says why SQLite did not take the file. Only for a file that is no database: to close any descriptor of a
 * file drops every lock this process holds on it, those of other instances' transactions too.
 */
static int explain(struct etl_instance *inst, const char *path, struct etl_error *err)
{
	unsigned char head[HEADER_SIZE];
	ssize_t n = read_header(path, head);

	if (n < 0)
		return inst->host->fail(err, ETL_FATAL, NULL, 0, "%s: cannot be read: %s", path,
					strerror(errno));
	if (n >= 16 && memcmp(head, HEADER_MAGIC, 16) == 0)
		return inst->host->fail(
			err, ETL_FATAL, NULL, SQLITE_NOTADB,
			"%s: begins as an SQLite database, but its header makes no sense: the "
			"file is damaged or encrypted; restore it from a backup",
			path);
	if (looks_encrypted(head, (size_t)n))
		return inst->host->fail(
			err, ETL_FATAL, NULL, SQLITE_NOTADB,
			"%s: looks encrypted (SQLCipher or the like): write a plain copy with "
			"the program that has its key, and name that",
			path);
	return inst->host->fail(
		err, ETL_FATAL, NULL, SQLITE_NOTADB,
		"%s: is not an SQLite database: it does not begin with \"" HEADER_MAGIC "\"", path);
}

static int look_at(struct etl_instance *inst, const char *path, struct etl_error *err)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return fail_stat(inst, path, err);
	if (S_ISDIR(st.st_mode))
		return inst->host->fail(err, ETL_FATAL, NULL, 0,
					"%s: is a folder, not a database file; look at path", path);
	if (!S_ISREG(st.st_mode))
		return inst->host->fail(err, ETL_FATAL, NULL, 0, "%s: is not a regular file", path);
	if (st.st_size == 0) {
		/* For a target it is a database without tables. */
		if (has_beside(path, "-wal") || inst->host->role == ETL_ROLE_TARGET)
			return ETL_OK;
		return inst->host->fail(
			err, ETL_FATAL, NULL, 0,
			"%s: is empty (0 bytes), so it is no database yet; look at path", path);
	}
	if (access(path, R_OK) != 0)
		return inst->host->fail(err, ETL_FATAL, NULL, 0,
					"%s: cannot be read: %s; look at its owner and mode", path,
					strerror(errno));
	return ETL_OK;
}

/* ---- Opening -------------------------------------------------------------------------------------------- */

/* file:PATH?… with every byte encoded that a URI does not take as it is. NULL: no memory. */
char *sqlite_uri(const char *path, const char *how)
{
	struct etl_text uri = { 0 };
	const char *p;

	etl_text_add(&uri, "file:");
	for (p = path; *p; p++) {
		if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
		    (*p >= '0' && *p <= '9') || strchr("/._-~", *p))
			etl_text_add_bytes(&uri, p, 1);
		else
			etl_text_addf(&uri, "%%%02X", (unsigned)(unsigned char)*p);
	}
	etl_text_add(&uri, how);
	return etl_text_take(&uri);
}

static bool immutable_asked(const struct etl_instance *inst)
{
	return inst->conf && inst->host->role == ETL_ROLE_SOURCE &&
	       inst->host->flag(inst->conf, "immutable");
}

static int busy_milliseconds(const struct etl_instance *inst)
{
	int64_t ms = inst->conf ? inst->host->num(inst->conf, "busy_timeout") : 0;

	return ms < 0 ? 0 : ms > INT32_MAX ? INT32_MAX : (int)ms;
}

static int configure(struct etl_instance *inst, const char *path, sqlite3 *db,
		     struct etl_error *err)
{
	int code;

	sqlite3_extended_result_codes(db, 1);
	sqlite3_busy_timeout(db, busy_milliseconds(inst));
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_FKEY, 0, (int *)NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, (int *)NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, (int *)NULL);
	sqlite3_limit(db, SQLITE_LIMIT_LENGTH, INT32_MAX);
	/* The first real access: it finds hot journals, locks and damage. */
	code = sqlite3_exec(db, FIRST_ACCESS, NULL, NULL, NULL);
	if ((code & 0xff) == SQLITE_NOTADB)
		return explain(inst, path, err);
	return code == SQLITE_OK ? ETL_OK : sqlite_fail(inst, db, err, "opening the database");
}

/* A target whose last writer died in a transaction: SQLite takes that back, and has to write for it. */
static bool must_roll_back(const struct etl_instance *inst, const char *path)
{
	return inst->host->role == ETL_ROLE_TARGET && strcmp(path, inst->path) == 0 &&
	       has_beside(path, "-journal");
}

static bool opens(sqlite3 *db)
{
	return sqlite3_exec(db, FIRST_ACCESS, NULL, NULL, NULL) == SQLITE_OK;
}

/* A source whose last writer died in a transaction: what that changed is taken back, as by any program that opens the
 * database. Where it may not be written, configure says what to do. */
static void take_back(struct etl_instance *inst, const char *path, sqlite3 *db)
{
	sqlite3 *writer = NULL;

	if (opens(db) || sqlite3_extended_errcode(db) != SQLITE_READONLY_ROLLBACK)
		return;
	if (sqlite3_open_v2(path, &writer, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) ==
		    SQLITE_OK &&
	    sqlite3_busy_timeout(writer, busy_milliseconds(inst)) == SQLITE_OK && opens(writer))
		inst->host->log(inst->host, ETL_LOG_WARN,
				"%s: a program died while it wrote to it; what it had not finished "
				"was taken back, from the journal beside the file",
				path);
	sqlite3_close(writer);
}

/* By its header: one that is only kept for the next transaction begins with zeros. */
static bool has_journal(const char *path)
{
	static const unsigned char magic[8] = { 0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7 };
	unsigned char head[sizeof(magic)] = { 0 };
	char *name = sqlite3_mprintf("%s-journal", path);
	int fd = name ? open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) : -1;
	bool ret = fd >= 0 && read(fd, head, sizeof(head)) == (ssize_t)sizeof(head) &&
		   memcmp(head, magic, sizeof(head)) == 0;

	if (fd >= 0)
		close(fd);
	sqlite3_free(name);
	return ret;
}

static int check_immutable(struct etl_instance *inst, const char *path, struct etl_error *err)
{
	const char *what = has_beside(path, "-wal") ? "WAL" : has_journal(path) ? "journal" : NULL;

	if (!what)
		return ETL_OK;
	return inst->host->fail(err, ETL_USAGE, NULL, 0,
				"%s: immutable = true would leave out what stands in the %s beside "
				"it: take immutable away, or copy both files to a writable folder",
				path, what);
}

static int open_read_only(struct etl_instance *inst, const char *path, bool immutable,
			  sqlite3 **ret, struct etl_error *err)
{
	bool write = must_roll_back(inst, path);
	sqlite3 *db = NULL;
	char *uri;
	int rc = look_at(inst, path, err);

	if (!rc && immutable)
		rc = check_immutable(inst, path, err);
	if (rc)
		return rc;
	uri = sqlite_uri(path, write	 ? "?mode=rw" :
			       immutable ? "?mode=ro&immutable=1" :
					   "?mode=ro");
	if (!uri)
		return inst->host->fail(err, ETL_MEMORY, NULL, 0, "%s: no memory to open it", path);
	if (sqlite3_open_v2(uri, &db,
			    (write ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) |
				    SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX,
			    NULL) != SQLITE_OK)
		rc = sqlite_fail(inst, db, err, "opening the database");
	free(uri);
	if (!rc && inst->host->role == ETL_ROLE_SOURCE)
		take_back(inst, path, db);
	if (!rc)
		rc = configure(inst, path, db, err);
	if (rc) {
		sqlite3_close(db);
	} else {
		sqlite_enlist(inst, db);
		*ret = db;
	}
	return rc;
}

static int peek_db(struct etl_instance *inst, const char *path, struct etl_error *err)
{
	sqlite3 *db = NULL;
	char *copy;
	int rc;

	if (inst->peek && strcmp(inst->peek_path, path) == 0)
		return ETL_OK;
	copy = strdup(path);
	if (!copy)
		return inst->host->fail(err, ETL_MEMORY, NULL, 0, "%s: no memory to open it", path);
	rc = open_read_only(inst, path, false, &db, err);
	if (rc) {
		free(copy);
		return rc;
	}
	sqlite_close(inst, inst->peek);
	free(inst->peek_path);
	inst->peek = db;
	inst->peek_path = copy;
	return ETL_OK;
}

static int open_main(struct etl_instance *inst, struct etl_error *err)
{
	int rc = ETL_OK;

	if (!inst->main)
		rc = open_read_only(inst, inst->path, immutable_asked(inst), &inst->main, err);
	if (!rc)
		sqlite_source_enter(inst);
	return rc;
}

int sqlite_db(struct etl_instance *inst, const struct etl_token *token, sqlite3 **ret,
	      struct etl_error *err)
{
	int rc = ETL_OK;

	if (token && inst->stage && inst->stage_path &&
	    strcmp(inst->stage_path, token->text) == 0) {
		*ret = inst->stage;
	} else if (token) {
		rc = peek_db(inst, token->text, err);
		if (!rc)
			*ret = inst->peek;
	} else {
		/* Each time: the source may have been opened after this. */
		rc = sqlite_not_source(inst, err);
		if (!rc)
			rc = open_main(inst, err);
		if (!rc)
			*ret = inst->main;
	}
	return rc;
}

void sqlite_disconnect(struct etl_instance *inst)
{
	sqlite_source_leave(inst);
	sqlite_close(inst, inst->main);
	sqlite_close(inst, inst->peek);
	free(inst->peek_path);
	inst->main = inst->peek = NULL;
	inst->peek_path = NULL;
	inst->pinned = false;
}

/* pragma_table_list would say it too, but walks through every table of the database for each. */
bool sqlite_has_rowid(sqlite3 *db, const char *table)
{
	static const char *const names[] = { "rowid", "oid", "_rowid_" };

	/* A table WITHOUT ROWID answers only to columns that are really called so: hardly to all three. */
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (sqlite3_table_column_metadata(db, "main", table, names[i], NULL, NULL, NULL,
						  NULL, NULL) != SQLITE_OK)
			return false;
	return true;
}
