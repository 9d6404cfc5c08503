/*
 * Where lines wait until a run ends: RUN.spool/JOB-SPLIT, a file for each split. Each line is led by its ordinal,
 * since both sides of the queue write and neither waits for the other, and by the row's hash when the target
 * refused it. A split's spool is on disk before the split counts as loaded, and is begun anew when the split is
 * loaded again.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <etlrun/helpers.h>

#include "reject-parts.h"

#define SPOOL_NAME     4300 /* bytes: a path, and two numbers */
#define ORDINAL_DIGITS 20
#define HASH_DIGITS    16
#define LEAD	       (ORDINAL_DIGITS + HASH_DIGITS + 2) /* before a line, with two spaces */
#define NO_HASH	       "----------------"

static int cannot_write(const char *name, struct etl_error *err)
{
	return error_set(err, ETL_MEMORY, "the rejects file %s cannot be written: %s", name,
			 strerror(errno));
}

static const char *spool_name(const struct rejects *r, size_t job, uint64_t split, char *buf,
			      size_t size)
{
	snprintf(buf, size, "%s/%zu-%" PRIu64, r->spool, job, split);
	return buf;
}

static bool sync_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = fd >= 0 && fsync(fd) == 0;

	if (fd >= 0)
		close(fd);
	return ok;
}

/* ---- Writing ---- */

static struct spool_file **find_open(struct rejects *r, size_t job, uint64_t split)
{
	struct spool_file **at = &r->open;

	while (*at && ((*at)->job != job || (*at)->split != split))
		at = &(*at)->next;
	return at;
}

static int make_folder(struct rejects *r, struct etl_error *err)
{
	if (!r->spooled && mkdir(r->spool, 0700) < 0 && errno != EEXIST)
		return error_set(err, ETL_MEMORY, "the rejects folder %s cannot be made: %s",
				 r->spool, strerror(errno));
	r->spooled = true;
	return 0;
}

static int open_spool(struct rejects *r, size_t job, uint64_t split, struct spool_file **ret,
		      struct etl_error *err)
{
	char name[SPOOL_NAME];
	struct spool_file *spool;

	*ret = *find_open(r, job, split);
	if (*ret)
		return 0;
	if (make_folder(r, err) < 0)
		return ETL_FAILED;
	spool = calloc(1, sizeof(*spool));
	if (!spool)
		return error_memory(err);
	*spool = (struct spool_file){ job, split,
				      fopen(spool_name(r, job, split, name, sizeof(name)), "ae"),
				      r->open };
	if (!spool->file) {
		free(spool);
		return cannot_write(name, err);
	}
	*ret = r->open = spool;
	return 0;
}

int spool_add(struct rejects *r, size_t job, uint64_t split, int64_t ordinal, const uint64_t *hash,
	      const struct etl_text *line, struct etl_error *err)
{
	struct spool_file *spool;
	char lead[LEAD + 1], name[SPOOL_NAME];
	int rc = open_spool(r, job, split, &spool, err);

	if (rc < 0)
		return rc;
	if (hash)
		snprintf(lead, sizeof(lead), "%0*" PRId64 " %016" PRIx64 " ", ORDINAL_DIGITS,
			 ordinal, *hash);
	else
		snprintf(lead, sizeof(lead), "%0*" PRId64 " " NO_HASH " ", ORDINAL_DIGITS, ordinal);
	if (fwrite(lead, 1, LEAD, spool->file) != LEAD ||
	    fwrite(line->at, 1, line->length, spool->file) != line->length)
		return cannot_write(spool_name(r, job, split, name, sizeof(name)), err);
	return 0;
}

/* Takes the spool off the list. */
static bool close_spool(struct spool_file **at, bool sync)
{
	struct spool_file *spool = *at;
	bool ok = fflush(spool->file) == 0 && (!sync || fsync(fileno(spool->file)) == 0);
	int why = errno;

	ok &= fclose(spool->file) == 0;
	*at = spool->next;
	free(spool);
	if (!ok && why)
		errno = why;
	return ok;
}

int rejects_settle(struct rejects *r, const struct job *job, uint64_t split, struct etl_error *err)
{
	struct spool_file **at;
	int rc = 0;

	pthread_mutex_lock(&r->mutex);
	at = find_open(r, job->index, split);
	if (*at && (!close_spool(at, true) || !sync_folder(r->spool)))
		rc = cannot_write(r->spool, err);
	pthread_mutex_unlock(&r->mutex);
	return rc;
}

static bool close_all(struct rejects *r, bool sync)
{
	bool ok = true;

	while (r->open)
		ok &= close_spool(&r->open, sync);
	return ok;
}

int spool_settle(struct rejects *r, struct etl_error *err)
{
	bool ok = !r->spooled || (close_all(r, true) && sync_folder(r->spool));

	return ok ? 0 : cannot_write(r->spool, err);
}

/* ---- Reading a spool ---- */

struct spool_line {
	int64_t ordinal;
	bool has_hash;
	uint64_t hash;
	const char *text; /* the line as it will be in the file, with its end */
	size_t length;
	off_t at; /* of the text in the spool */
};

/* Calls EACH for every whole line; a line that a full disk or a kill cut short is none. False: EACH said so,
 * or reading failed. */
static bool each_line(FILE *spool, bool (*each)(const struct spool_line *, void *), void *data)
{
	char *line = NULL;
	size_t size = 0;
	off_t at = 0;
	ssize_t length;
	bool ok = true;

	while (ok && (length = getline(&line, &size, spool)) > 0) {
		struct spool_line l = { .at = at + LEAD };

		at += length;
		if (length <= LEAD || line[length - 1] != '\n')
			continue;
		l.ordinal = strtoll(line, NULL, 10);
		l.has_hash = line[ORDINAL_DIGITS + 1] != '-';
		if (l.has_hash)
			l.hash = strtoull(line + ORDINAL_DIGITS + 1, NULL, 16);
		l.text = line + LEAD;
		l.length = (size_t)length - LEAD;
		ok = each(&l, data);
	}
	free(line);
	return ok && !ferror(spool);
}

/* ---- Taking up what another process spooled ---- */

struct taking {
	struct rejects *r;
	struct job *job;
	bool failed;
};

static const char *code_of(const struct spool_line *line)
{
	static const char member[] = ",\"code\":\"";
	const char *code = strstr(line->text, member);

	return code ? code + sizeof(member) - 1 : "";
}

static bool count_line(const struct spool_line *line, void *data)
{
	struct taking *t = data;
	const char *code = code_of(line);

	if (!reject_count(t->r, t->job->index, code, strcspn(code, "\"")))
		return false;
	return !line->has_hash || job_refuse(t->job, line->hash);
}

static bool uncount_line(const struct spool_line *line, void *data)
{
	struct taking *t = data;
	const char *code = code_of(line);

	reject_uncount(t->r, t->job->index, code, strcspn(code, "\""));
	if (line->has_hash)
		job_take(t->job, line->hash);
	return true;
}

int rejects_undo(struct rejects *r, struct job *job, uint64_t split, struct etl_error *err)
{
	struct taking taking = { .r = r, .job = job };
	char name[SPOOL_NAME];
	struct spool_file **at;
	FILE *file;
	bool ok = true;

	pthread_mutex_lock(&r->mutex);
	at = find_open(r, job->index, split);
	if (*at)
		ok = close_spool(at, false);
	file = fopen(spool_name(r, job->index, split, name, sizeof(name)), "re");
	if (file) {
		ok = each_line(file, uncount_line, &taking) && ok;
		fclose(file);
		ok = unlink(name) == 0 && ok;
	} else {
		ok = errno == ENOENT && ok;
	}
	pthread_mutex_unlock(&r->mutex);
	return ok ? 0 : cannot_write(name, err);
}

/* "3-0": of the third job's first split. */
static bool parse_name(const char *name, size_t *job, uint64_t *split)
{
	char *end;

	if (*name < '0' || *name > '9')
		return false;
	*job = strtoull(name, &end, 10);
	if (*end != '-' || end[1] < '0' || end[1] > '9')
		return false;
	*split = strtoull(end + 1, &end, 10);
	return *end == '\0';
}

static int take_spool(struct rejects *r, const struct jobs *jobs, const char *entry,
		      bool (*staged)(void *, const struct job *, uint64_t), void *data, int folder,
		      struct etl_error *err)
{
	struct taking taking = { .r = r };
	uint64_t split;
	size_t job;
	FILE *file;
	int fd;
	bool ok;

	/* What has no place was found when every split was there. */
	if (!parse_name(entry, &job, &split) || job >= jobs->count ||
	    !staged(data, jobs->at[job], split == SPLIT_UNKNOWN ? 0 : split))
		return unlinkat(folder, entry, 0) == 0 ? 0 : cannot_write(r->spool, err);
	taking.job = jobs->at[job];
	fd = openat(folder, entry, O_RDONLY | O_CLOEXEC);
	file = fd < 0 ? NULL : fdopen(fd, "r");
	ok = file && each_line(file, count_line, &taking);
	if (file)
		fclose(file);
	return ok ? 0 :
		    error_set(err, ETL_MEMORY, "the rejects of the run, %s/%s, cannot be read: %s",
			      r->spool, entry, strerror(errno));
}

int rejects_take_up(struct rejects *r, const struct jobs *jobs,
		    bool (*staged)(void *, const struct job *, uint64_t split), void *data,
		    struct etl_error *err)
{
	DIR *folder = opendir(r->spool);
	const struct dirent *entry;
	int rc = 0;

	if (!folder)
		return errno == ENOENT ? 0 : cannot_write(r->spool, err);
	r->spooled = true;
	while (rc == 0 && (entry = readdir(folder)))
		if (entry->d_name[0] != '.')
			rc = take_spool(r, jobs, entry->d_name, staged, data, dirfd(folder), err);
	closedir(folder);
	return rc;
}

/* ---- Rows that the target refused ---- */

struct gone {
	sqlite3_stmt *put;
	uint64_t split;
};

static bool put_gone(const struct spool_line *line, void *data)
{
	struct gone *gone = data;
	bool ok;

	if (!line->has_hash)
		return true;
	sqlite3_bind_int64(gone->put, 1, (int64_t)gone->split);
	sqlite3_bind_int64(gone->put, 2, line->ordinal);
	sqlite3_bind_int64(gone->put, 3, (int64_t)line->hash);
	ok = sqlite3_step(gone->put) == SQLITE_DONE;
	sqlite3_reset(gone->put);
	return ok;
}

int spool_gone(struct rejects *r, const struct job *job, sqlite3_stmt *put, struct etl_error *err)
{
	char name[SPOOL_NAME];
	bool ok = true;

	for (size_t i = 0; i < job->split_count && ok; i++) {
		struct gone gone = { put, i };
		FILE *spool = fopen(spool_name(r, job->index, i, name, sizeof(name)), "re");

		ok = spool ? each_line(spool, put_gone, &gone) : errno == ENOENT;
		if (spool)
			fclose(spool);
	}
	return ok ? 0 :
		    error_set(err, ETL_MEMORY, "the rejects file %s cannot be read: %s", name,
			      strerror(errno));
}

/* ---- Joining ---- */

struct joining {
	sqlite3_stmt *put;
	int64_t last; /* of is_next: the ordinal before */
	FILE *out;    /* of copy_next */
};

/* One side of the queue alone writes them as they come. */
static bool is_next(const struct spool_line *line, void *data)
{
	struct joining *j = data;
	bool ok = line->ordinal >= j->last;

	j->last = line->ordinal;
	return ok;
}

static bool copy_next(const struct spool_line *line, void *data)
{
	return fwrite(line->text, 1, line->length, ((struct joining *)data)->out) == line->length;
}

/* 1: the lines stood in order, and are in OUT. */
static int join_sorted(FILE *spool, FILE *out)
{
	struct joining joining = { .last = INT64_MIN, .out = out };

	if (!each_line(spool, is_next, &joining))
		return ferror(spool) ? -1 : 0;
	rewind(spool);
	return each_line(spool, copy_next, &joining) ? 1 : -1;
}

/* Where lines are is sorted by SQLite, which needs no memory for millions of them. */
static bool put_place(const struct spool_line *line, void *data)
{
	sqlite3_stmt *put = ((struct joining *)data)->put;
	bool ok;

	sqlite3_bind_int64(put, 1, line->ordinal);
	sqlite3_bind_int64(put, 2, line->at);
	sqlite3_bind_int64(put, 3, (int64_t)line->length);
	ok = sqlite3_step(put) == SQLITE_DONE;
	sqlite3_reset(put);
	return ok;
}

static bool copy_line(FILE *spool, off_t at, size_t left, FILE *out)
{
	char buf[8192];

	if (ftello(spool) != at && fseeko(spool, at, SEEK_SET) < 0)
		return false;
	while (left > 0) {
		size_t part = left < sizeof(buf) ? left : sizeof(buf);

		if (fread(buf, 1, part, spool) != part || fwrite(buf, 1, part, out) != part)
			return false;
		left -= part;
	}
	return true;
}

/* One split's lines, in order of their ordinals. A row may be refused for two reasons: both stay. */
static bool join_split(sqlite3 *db, FILE *spool, FILE *out)
{
	struct joining joining = { .put = NULL };
	sqlite3_stmt *get = NULL;
	int sorted = join_sorted(spool, out);
	bool ok;

	if (sorted != 0)
		return sorted > 0;
	rewind(spool);
	ok = sqlite3_exec(db,
			  "BEGIN; CREATE TABLE IF NOT EXISTS place(ordinal, at, length); DELETE "
			  "FROM place",
			  NULL, NULL, NULL) == SQLITE_OK &&
	     sqlite3_prepare_v2(db, "INSERT INTO place VALUES (?1, ?2, ?3)", -1, &joining.put,
				NULL) == SQLITE_OK &&
	     sqlite3_prepare_v2(db, "SELECT at, length FROM place ORDER BY ordinal, at", -1, &get,
				NULL) == SQLITE_OK &&
	     each_line(spool, put_place, &joining);
	clearerr(spool);
	while (ok && sqlite3_step(get) == SQLITE_ROW)
		ok = copy_line(spool, sqlite3_column_int64(get, 0),
			       (size_t)sqlite3_column_int64(get, 1), out);
	sqlite3_finalize(joining.put);
	ok &= sqlite3_finalize(get) == SQLITE_OK;
	return sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK && ok;
}

static bool join_one(const struct rejects *r, sqlite3 *db, const char *name, FILE *out)
{
	FILE *spool = fopen(name, "re");
	bool ok = spool ? join_split(db, spool, out) : errno == ENOENT;

	(void)r;
	if (spool)
		fclose(spool);
	return ok;
}

/* The splits of each job, then what has no place. */
static bool join_all(const struct rejects *r, const struct jobs *jobs, FILE *out)
{
	char name[SPOOL_NAME];
	sqlite3 *db = NULL;
	bool ok = sqlite3_open("", &db) == SQLITE_OK;

	for (size_t i = 0; i < jobs->count && ok; i++) {
		for (size_t k = 0; k < jobs->at[i]->split_count && ok; k++)
			ok = join_one(r, db, spool_name(r, i, k, name, sizeof(name)), out);
		ok = ok &&
		     join_one(r, db, spool_name(r, i, SPLIT_UNKNOWN, name, sizeof(name)), out);
	}
	sqlite3_close(db);
	return ok;
}

int rejects_join(struct rejects *r, const struct jobs *jobs, const char **ret_path,
		 struct etl_error *err)
{
	struct stat at;
	FILE *out;
	int fd, rc;

	*ret_path = r->joined ? r->path : NULL;
	if (screened_flush(r, jobs, err) < 0)
		return ETL_FAILED;
	if (!r->spooled || !r->count || r->joined)
		return 0;
	fd = open(r->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	out = fd < 0 ? NULL : fdopen(fd, "w");
	if (!out)
		return cannot_write(r->path, err);
	r->joined = close_all(r, false) && join_all(r, jobs, out) && fflush(out) == 0 &&
		    fsync(fd) == 0;
	rc = r->joined ? 0 : cannot_write(r->path, err);
	/* Half a list would be taken for the whole. */
	if (rc < 0 && fstat(fd, &at) == 0 && S_ISREG(at.st_mode))
		unlink(r->path);
	fclose(out);
	if (rc == 0)
		*ret_path = r->path;
	return rc;
}

/* ---- The end ---- */

static void remove_folder(const struct rejects *r)
{
	DIR *folder = opendir(r->spool);
	const struct dirent *entry;

	while (folder && (entry = readdir(folder)))
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(folder), entry->d_name, 0);
	if (folder)
		closedir(folder);
	rmdir(r->spool);
}

void rejects_keep(struct rejects *r)
{
	r->kept = true;
}

void spool_close(struct rejects *r)
{
	close_all(r, r->kept);
	if (r->spooled && !r->kept)
		remove_folder(r);
	r->spooled = false;
}

void rejects_end(struct rejects *r)
{
	spool_close(r);
}
