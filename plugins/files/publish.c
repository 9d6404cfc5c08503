/*
 * Files take their names, all of them or none. No file system renames several files in one instant, so each step can be told from what is
 * on the disk: whoever comes after a process that died goes through the journal again and does what is left. When a file cannot take
 * its name, those before it give theirs back; what was there waits in a folder beside them until all is done.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <etlrun/helpers.h>

#include "fault.h"
#include "publish.h"

struct taking {
	struct files *files;
	const char *run;
	struct etl_error *err;
	char *folder;           /* of the files that were renamed last, not synced yet */
	/* of taking back */
	char **made;            /* folders, below the root */
	size_t made_count;
	size_t failures;
};

static int no_memory(const struct taking *t)
{
	return files_no_memory(t->files, t->err);
}

/* ---- The old files -------------------------------------------------------------------------------------------------------- */

/* Where what was under NAME waits. */
static char *old_of(const struct taking *t, const char *name)
{
	char *folder = files_in_wait(t->files, t->run, FILES_OLD), *path = folder ? files_join(folder, name) : NULL;

	free(folder);
	return path;
}

static bool is_there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static bool are_one(const char *a, const char *b)
{
	struct stat one, two;

	return lstat(a, &one) == 0 && lstat(b, &two) == 0 && one.st_ino == two.st_ino && one.st_dev == two.st_dev;
}

/* A second name, so that there is no moment without a file; where the file system has no such thing, or does not allow it, another one. */
static bool name_also(const char *from, const char *to)
{
	return link(from, to) == 0 || rename(from, to) == 0;
}

static int keep_old(const struct taking *t, const char *path, const char *old)
{
	struct stat st;
	int rc;

	if (lstat(path, &st) != 0)
		return errno == ENOENT ? ETL_OK : files_fail(t->files, t->err, errno, "publish", path);
	if (S_ISDIR(st.st_mode))
		return files_fail(t->files, t->err, EISDIR, "publish", path);
	if (is_there(old))
		return ETL_OK;
	rc = files_make_folders(t->files, old, t->err);
	if (!rc && !name_also(path, old))
		rc = files_fail(t->files, t->err, errno, "publish", path);
	return rc;
}

/* ---- Forward ----------------------------------------------------------------------------------------------------------------- */

static int give_name(const struct taking *t, const struct files_place *place, bool replace)
{
	int code = replace ? rename(place->aside, place->path) :
				renameat2(AT_FDCWD, place->aside, AT_FDCWD, place->path, RENAME_NOREPLACE);

	/* Not every file system knows that flag. */
	if (code != 0 && !replace && (errno == EINVAL || errno == ENOSYS)) {
		code = link(place->aside, place->path);
		if (code == 0)
			unlink(place->aside);
	}
	if (code == 0)
		return ETL_OK;
	if (errno == EEXIST)
		return t->files->host->fail(t->err, ETL_FATAL, NULL, errno,
					    "%s came to be while this ran, and nothing is to be replaced; look what it is, "
					    "or write on_existing = \"replace\"",
					    place->path);
	return files_fail(t->files, t->err, errno, "publish", place->path);
}

static int sync_last(struct taking *t)
{
	int rc = t->folder ? files_sync_folder(t->files, t->folder, t->err) : ETL_OK;

	free(t->folder);
	t->folder = NULL;
	return rc;
}

/* Once for files that follow each other in one folder. */
static int sync_later(struct taking *t, const char *path)
{
	char *folder = files_folder_of(path);
	int rc = folder ? ETL_OK : no_memory(t);

	if (!rc && t->folder && strcmp(t->folder, folder) != 0)
		rc = sync_last(t);
	if (!rc && !t->folder) {
		t->folder = folder;
		folder = NULL;
	}
	free(folder);
	return rc;
}

static int take_name(struct taking *t, const struct files_record *record, const struct files_place *place, const char *old)
{
	bool replace = record->act == FILES_ACT_TAKE;
	int rc;

	/* It was done; if it is another now, somebody has written it since. */
	if (!is_there(place->aside))
		return is_there(place->path) ? ETL_OK : files_fail(t->files, t->err, ENOENT, "publish what was written for", place->path);
	if (files_is(place->path, &record->is)) {       /* it has both names */
		unlink(place->aside);
		return ETL_OK;
	}
	rc = files_make_folders(t->files, place->path, t->err);
	if (!rc && replace)
		rc = keep_old(t, place->path, old);
	ETL_FAULT("files.before_rename");
	if (!rc)
		rc = give_name(t, place, replace);
	ETL_FAULT("files.after_rename");
	return rc ? rc : sync_later(t, place->path);
}

static int go(struct taking *t, const struct files_place *place, const char *old)
{
	int rc = ETL_OK;

	ETL_FAULT("files.remove_stale");
	if (!is_there(place->path))
		return ETL_OK;
	rc = files_make_folders(t->files, old, t->err);
	if (!rc && rename(place->path, old) != 0 && errno != ENOENT)
		rc = files_fail(t->files, t->err, errno, "remove", place->path);
	return rc ? rc : sync_later(t, place->path);
}

static int forward(const struct files_record *record, void *data)
{
	struct taking *t = data;
	struct files_place place;
	char *old = old_of(t, record->name);
	int rc = files_place_of(t->files, record->name, t->run, &place, t->err);

	if (!rc && !old)
		rc = no_memory(t);
	if (!rc && record->act == FILES_ACT_GO)
		rc = go(t, &place, old);
	else if (!rc && record->act != FILES_ACT_FOLDER)
		rc = take_name(t, record, &place, old);
	files_place_free(&place);
	free(old);
	return rc;
}

/* ---- Back ------------------------------------------------------------------------------------------------------------------------ */

static void cannot(struct taking *t, const char *path)
{
	char *shown = files_shown(path);

	t->failures++;
	t->files->host->log(t->files->host, ETL_LOG_WARN, "%s could not get its old content back: %s", shown ? shown : "a file",
			    strerror(errno));
	files_fail(t->files, t->err, errno, "give its old content back to", path);
	free(shown);
}

/* From under its name to where it waited. What was there before, if anything, follows. */
static bool give_back(const struct files_place *place, const char *old)
{
	bool before = is_there(old);

	if (is_there(place->aside))
		return before || unlink(place->path) == 0;
	return before ? name_also(place->path, place->aside) : rename(place->path, place->aside) == 0;
}

static void back(struct taking *t, const struct files_record *record, const struct files_place *place, const char *old)
{
	bool done;

	if (record->act != FILES_ACT_GO && files_is(place->path, &record->is))
		done = give_back(place, old) && (!is_there(old) || rename(old, place->path) == 0);
	else if (!is_there(place->path) && is_there(old))
		done = rename(old, place->path) == 0;
	else if (are_one(old, place->path))     /* it had both names */
		done = unlink(old) == 0;
	else
		return;
	if (!done)
		cannot(t, place->path);
	else if (sync_later(t, place->path))
		t->failures++;
}

static int note_made(struct taking *t, const char *name)
{
	char **made = realloc(t->made, (t->made_count + 1) * sizeof(*made));

	if (!made)
		return no_memory(t);
	t->made = made;
	made[t->made_count] = files_join(t->files->root, name);
	return made[t->made_count] ? (t->made_count++, ETL_OK) : no_memory(t);
}

static int step_back(const struct files_record *record, void *data)
{
	struct taking *t = data;
	struct files_place place;
	char *old;
	int rc;

	if (record->act == FILES_ACT_FOLDER)
		return note_made(t, record->name);
	ETL_FAULT("files.step_back");
	old = old_of(t, record->name);
	rc = files_place_of(t->files, record->name, t->run, &place, t->err);
	if (!rc && !old)
		rc = no_memory(t);
	if (!rc)
		back(t, record, &place, old);
	files_place_free(&place);
	free(old);
	return rc;
}

/* ---- The journal's name says which way it goes ----------------------------------------------------------------------------------------- */

static int rename_journal(const struct taking *t, const char *from, const char *to)
{
	char *a = files_in_wait(t->files, t->run, from), *b = files_in_wait(t->files, t->run, to);
	char *folder = b ? files_folder_of(b) : NULL;
	int rc = a && folder ? ETL_OK : no_memory(t);

	if (!rc && rename(a, b) != 0)
		rc = files_fail(t->files, t->err, errno, "write", b);
	if (!rc)
		rc = files_sync_folder(t->files, folder, t->err);
	free(a);
	free(b);
	free(folder);
	return rc;
}

static bool has_journal(const struct taking *t, const char *name)
{
	char *path = files_in_wait(t->files, t->run, name);
	bool there = path && is_there(path);

	free(path);
	return there;
}

static int read_journal(struct taking *t, const char *name, int (*step)(const struct files_record *, void *))
{
	char *path = files_in_wait(t->files, t->run, name);
	int rc = path ? files_journal_read(t->files, path, step, t, t->err) : no_memory(t);

	free(path);
	return rc ? rc : sync_last(t);
}

/* What waits is again as it was sealed. */
static int go_back(struct taking *t)
{
	int rc = has_journal(t, FILES_JOURNAL_BACK) ? ETL_OK : rename_journal(t, FILES_JOURNAL_GOING, FILES_JOURNAL_BACK);

	if (!rc)
		rc = read_journal(t, FILES_JOURNAL_BACK, step_back);
	for (size_t i = t->made_count; i > 0; i--)
		rmdir(t->made[i - 1]);  /* not when others put something there */
	if (!rc && !t->failures)
		rc = rename_journal(t, FILES_JOURNAL_BACK, FILES_JOURNAL_SEALED);
	return t->failures ? ETL_FAILED : rc;
}

/* Everything has its name: nothing is to be done, or taken back, any more. */
static int end(struct taking *t)
{
	char *path = files_in_wait(t->files, t->run, FILES_JOURNAL_GOING), *folder = path ? files_folder_of(path) : NULL;
	int rc = folder ? ETL_OK : no_memory(t);

	ETL_FAULT("files.published");
	if (!rc && unlink(path) != 0)
		rc = files_fail(t->files, t->err, errno, "remove", path);
	if (!rc)
		rc = files_sync_folder(t->files, folder, t->err);
	free(path);
	free(folder);
	return rc;
}

static void taking_free(struct taking *t)
{
	for (size_t i = 0; i < t->made_count; i++)
		free(t->made[i]);
	free(t->made);
	free(t->folder);
}

/* A root that is the file takes its name at once. */
static int publish_one(struct taking *t, bool replace)
{
	struct files_place place;
	int rc = files_place_of(t->files, "", t->run, &place, t->err);

	ETL_FAULT("files.before_only_rename");
	if (!rc && is_there(place.aside))
		rc = give_name(t, &place, replace);
	ETL_FAULT("files.after_only_rename");
	if (!rc)
		rc = sync_later(t, place.path);
	files_place_free(&place);
	return rc ? rc : sync_last(t);
}

int files_publish(struct files *files, const char *run, bool replace, struct etl_error *err)
{
	struct taking t = { .files = files, .run = run, .err = err };
	int rc = ETL_OK;

	if (files_is_standard(files))
		return ETL_OK;
	if (has_journal(&t, FILES_JOURNAL_BACK))
		rc = go_back(&t);
	if (!rc && has_journal(&t, FILES_JOURNAL_SEALED))
		rc = rename_journal(&t, FILES_JOURNAL_SEALED, FILES_JOURNAL_GOING);
	if (!rc && !has_journal(&t, FILES_JOURNAL_GOING)) {
		rc = publish_one(&t, replace);
		taking_free(&t);
		return rc;
	}
	if (!rc)
		rc = read_journal(&t, FILES_JOURNAL_GOING, forward);
	if (!rc)
		rc = end(&t);
	else if (has_journal(&t, FILES_JOURNAL_GOING))
		go_back(&t);
	taking_free(&t);
	return rc;
}

int files_publish_settle(struct files *files, const char *run, bool *ret_published, struct etl_error *err)
{
	struct taking t = { .files = files, .run = run, .err = err };
	int rc = ETL_OK;

	*ret_published = false;
	if (files_is_standard(files))
		return ETL_OK;
	if (has_journal(&t, FILES_JOURNAL_BACK)) {
		rc = go_back(&t);
	} else if (has_journal(&t, FILES_JOURNAL_GOING)) {
		rc = files_publish(files, run, true, err);
		*ret_published = !rc;
	}
	taking_free(&t);
	return rc;
}
