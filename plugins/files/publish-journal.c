/*
 * Before any file takes its name it is written down what all of them shall be, and what waits is made durable: from then on it can be
 * done, or taken back, by whoever comes next. The journal is a list of records with a NUL behind each.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <etlrun/helpers.h>

#include "publish.h"

#define TOKEN_NAME 300 /* bytes of a name that go into a seal */

struct files_publish {
	struct files *files;
	char *run, *path;
	bool replace;
	FILE *journal;
	char *synced, *made;    /* folders that were looked at last: where something waits, where it will be */
	char *known;            /* by which of the files the run will be known */
	struct files_identity is;
};

struct files_identity files_identity_of(const struct stat *st)
{
	return (struct files_identity){ st->st_ino, st->st_size, st->st_mtim.tv_sec, st->st_mtim.tv_nsec };
}

bool files_is(const char *path, const struct files_identity *is)
{
	struct stat st;
	struct files_identity now;

	if (lstat(path, &st) != 0)
		return false;
	now = files_identity_of(&st);
	return now.ino == is->ino && now.size == is->size && now.seconds == is->seconds && now.nanoseconds == is->nanoseconds;
}

char *files_in_wait(const struct files *files, const char *run, const char *name)
{
	struct etl_text path = { 0 };

	etl_text_addf(&path, "%s/.%s" FILES_ASIDE "/%s", strcmp(files->root, "/") ? files->root : "", run, name);
	return etl_text_take(&path);
}

/* ---- Writing ----------------------------------------------------------------------------------------------------------- */

void files_publish_free(struct files_publish *p)
{
	if (!p)
		return;
	if (p->journal)
		fclose(p->journal);
	free(p->run);
	free(p->path);
	free(p->synced);
	free(p->made);
	free(p->known);
	free(p);
}

static int write_failed(const struct files_publish *p, struct etl_error *err)
{
	return files_fail(p->files, err, errno, "write", p->path);
}

/* The folder in which the journal is. A root that is a file has none, and needs none: it is renamed at once. */
static int open_journal(struct files_publish *p, struct etl_error *err)
{
	struct files_place place;
	int rc = files_place_of(p->files, FILES_JOURNAL_SEALED, p->run, &place, err), fd;

	if (!rc)
		rc = files_make_wait(p->files, &place, err);
	files_place_free(&place);
	if (rc)
		return rc;
	fd = open(p->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	p->journal = fd < 0 ? NULL : fdopen(fd, "w");
	if (!p->journal && fd >= 0)
		close(fd);
	return p->journal ? ETL_OK : write_failed(p, err);
}

int files_publish_new(struct files *files, const char *run, bool replace, struct files_publish **ret, struct etl_error *err)
{
	struct files_publish *p = calloc(1, sizeof(*p));

	if (p) {
		p->files = files;
		p->replace = replace;
		p->run = strdup(run);
		p->path = files_in_wait(files, run, FILES_JOURNAL_SEALED);
	}
	if (!p || !p->run || !p->path) {
		files_publish_free(p);
		return files_no_memory(files, err);
	}
	*ret = p;
	return ETL_OK;
}

static int add_record(struct files_publish *p, int act, const char *name, const struct files_identity *is, struct etl_error *err)
{
	int rc = p->journal ? ETL_OK : open_journal(p, err);

	if (rc)
		return rc;
	if (fprintf(p->journal, "%c %llu %lld %lld %lld %s", act, is->ino, is->size, is->seconds, is->nanoseconds, name) < 0 ||
	    fputc('\0', p->journal) == EOF)
		return write_failed(p, err);
	return ETL_OK;
}

/* What takes a file's place is as private as it was. */
static int take_mode(const struct files *files, int fd, const char *path, struct etl_error *err)
{
	struct stat old, now;

	if (lstat(path, &old) != 0 || !S_ISREG(old.st_mode))
		return ETL_OK;
	if (fstat(fd, &now) == 0 &&
	    ((now.st_uid == old.st_uid && now.st_gid == old.st_gid) ||
	     fchown(fd, old.st_uid, old.st_gid) == 0) &&
	    fchmod(fd, old.st_mode & 07777) == 0)
		return ETL_OK;
	return files_fail(files, err, errno, "give the owner of the old file to the new", path);
}

static int make_durable(const struct files_publish *p, const struct files_place *place, struct files_identity *ret,
			struct etl_error *err)
{
	int fd = open(place->aside, O_WRONLY | O_CLOEXEC | O_NOFOLLOW), rc = ETL_OK;
	struct stat st;

	if (fd < 0)
		return files_fail(p->files, err, errno, "publish what was written for", place->path);
	if (p->replace)
		rc = take_mode(p->files, fd, place->path, err);
	if (!rc && (fsync(fd) != 0 || fstat(fd, &st) != 0))
		rc = files_fail(p->files, err, errno, "make durable", place->aside);
	if (!rc)
		*ret = files_identity_of(&st);
	close(fd);
	return rc;
}

/* Once for files that follow each other in one folder. True: it is another than the one before. */
static bool turn_to(char **last, char *folder)
{
	if (!folder || (*last && strcmp(*last, folder) == 0)) {
		free(folder);
		return false;
	}
	free(*last);
	*last = folder;
	return true;
}

/* The folders that will be made for NAME, the outermost first. */
static int note_folders(struct files_publish *p, const char *name, struct etl_error *err)
{
	static const struct files_identity none;
	char *at = strdup(name), *slash;
	int rc = at ? ETL_OK : files_no_memory(p->files, err);

	for (slash = at ? strchr(at, '/') : NULL; !rc && slash; slash = strchr(slash + 1, '/')) {
		char *path;
		struct stat st;

		*slash = '\0';
		path = files_join(p->files->root, at);
		if (!path)
			rc = files_no_memory(p->files, err);
		else if (lstat(path, &st) != 0 && errno == ENOENT)
			rc = add_record(p, FILES_ACT_FOLDER, at, &none, err);
		free(path);
		*slash = '/';
	}
	free(at);
	return rc;
}

static int remember(struct files_publish *p, const char *name, const struct files_identity *is, struct etl_error *err)
{
	if (strlen(name) >= TOKEN_NAME || (p->known && strlen(p->known) <= strlen(name)))
		return ETL_OK;
	free(p->known);
	p->known = strdup(name);
	p->is = *is;
	return p->known ? ETL_OK : files_no_memory(p->files, err);
}

static int add_place(struct files_publish *p, const char *name, const struct files_place *place, struct etl_error *err)
{
	struct files_identity is;
	struct stat st;
	int rc;

	if (lstat(place->path, &st) == 0 && S_ISDIR(st.st_mode))
		return files_fail(p->files, err, EISDIR, "publish", place->path);
	rc = make_durable(p, place, &is, err);
	if (!rc && turn_to(&p->synced, files_folder_of(place->aside)))
		rc = files_sync_folder(p->files, p->synced, err);
	if (!rc && *name && turn_to(&p->made, files_folder_of(name)))
		rc = note_folders(p, name, err);
	if (!rc && *name)
		rc = add_record(p, p->replace ? FILES_ACT_TAKE : FILES_ACT_NEW, name, &is, err);
	return rc ? rc : remember(p, name, &is, err);
}

int files_publish_add(struct files_publish *p, const char *name, struct etl_error *err)
{
	struct files_place place;
	int rc = files_place_of(p->files, name, p->run, &place, err);

	if (!rc)
		rc = add_place(p, name, &place, err);
	files_place_free(&place);
	return rc;
}

int files_publish_remove(struct files_publish *p, const char *name, struct etl_error *err)
{
	static const struct files_identity none;

	return add_record(p, FILES_ACT_GO, name, &none, err);
}

static int end_journal(struct files_publish *p, struct etl_error *err)
{
	int rc = ETL_OK;
	char *folder;

	if (!p->journal)
		return ETL_OK;
	if (fflush(p->journal) != 0 || fsync(fileno(p->journal)) != 0)
		rc = write_failed(p, err);
	if (fclose(p->journal) != 0 && !rc)
		rc = write_failed(p, err);
	p->journal = NULL;
	folder = files_folder_of(p->path);
	if (!rc)
		rc = folder ? files_sync_folder(p->files, folder, err) : files_no_memory(p->files, err);
	free(folder);
	return rc;
}

int files_publish_seal(struct files_publish *p, struct etl_token *ret, struct etl_error *err)
{
	int rc = end_journal(p, err);

	if (!rc && p->known)
		snprintf(ret->text, sizeof(ret->text), "%s %llu %lld %lld %lld %s", p->run, p->is.ino, p->is.size, p->is.seconds,
			 p->is.nanoseconds, p->known);
	else if (!rc)
		snprintf(ret->text, sizeof(ret->text), "%s", p->run);
	files_publish_free(p);
	return rc;
}

int files_publish_is(struct files *files, const struct etl_token *seal, int32_t *ret, struct etl_error *err)
{
	struct files_identity is;
	struct files_place place;
	int at = 0, rc;

	*ret = 0;
	if (sscanf(seal->text, "%*s %llu %lld %lld %lld%n", &is.ino, &is.size, &is.seconds, &is.nanoseconds, &at) < 4 || at == 0)
		return ETL_OK;
	rc = files_place_of(files, seal->text + at + (seal->text[at] == ' '), "x", &place, err);
	if (!rc)
		*ret = files_is(place.path, &is);
	files_place_free(&place);
	return rc;
}

/* ---- Reading ------------------------------------------------------------------------------------------------------------- */

int files_journal_read(const struct files *files, const char *path,
		       int (*step)(const struct files_record *record, void *data), void *data, struct etl_error *err)
{
	FILE *journal = fopen(path, "re");
	struct files_record record;
	char *line = NULL, act;
	size_t room = 0;
	int rc = journal ? ETL_OK : files_fail(files, err, errno, "read", path), at;

	while (!rc && getdelim(&line, &room, '\0', journal) > 0) {
		struct files_identity *is = &record.is;

		at = 0;
		if (sscanf(line, "%c %llu %lld %lld %lld%n", &act, &is->ino, &is->size, &is->seconds, &is->nanoseconds, &at) < 5 ||
		    line[at] != ' ') {
			rc = files_fail(files, err, EIO, "make sense of", path);
			break;
		}
		record.act = act;
		record.name = line + at + 1;
		rc = step(&record, data);
	}
	if (!rc && ferror(journal))
		rc = files_fail(files, err, errno, "read", path);
	if (journal)
		fclose(journal);
	free(line);
	return rc;
}
