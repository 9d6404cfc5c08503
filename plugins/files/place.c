/*
 * Where what is written waits: in ROOT/.RUN.etlrun~/ under the name that it will have, or, where the root is the file, beside it. And
 * the few things about folders that writing needs: made with their parents, synced, removed with all that is in them.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <etlrun/helpers.h>

#include "publish.h"

#define FOLDER_MODE 0777 /* the umask takes its part */
#define ROOT_IS_NEW ".root-is-new" /* a file in the folder that waits */
#define NAME_MOST   255	 /* bytes of a name that file systems take */

char *files_folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return strdup(".");
	return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

/* A root that is a symbolic link to a file: the file is written, and the link stays. */
static char *real_of(const char *root)
{
	struct stat st;
	char *real = NULL;

	if (lstat(root, &st) == 0 && S_ISLNK(st.st_mode))
		real = realpath(root, NULL);
	return real ? real : strdup(root);
}

static char *aside_of_file(const char *path, const char *run)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	char *folder = files_folder_of(path), *aside = NULL;
	struct etl_text name = { 0 };
	size_t fixed = strlen("..") + strlen(run) + strlen(FILES_ASIDE);

	/* What is cut off is no loss: the run makes it one of its own, and there is one file in a root that is one. */
	etl_text_add(&name, ".");
	etl_text_add_bytes(&name, base,
			   strlen(base) + fixed > NAME_MOST ? NAME_MOST - fixed : strlen(base));
	etl_text_addf(&name, ".%s" FILES_ASIDE, run);
	if (folder && !name.failed)
		aside = files_join(folder, name.at);
	etl_text_free(&name);
	free(folder);
	return aside;
}

int files_place_of(const struct files *files, const char *name, const char *run,
		   struct files_place *ret, struct etl_error *err)
{
	struct etl_text wait = { 0 };

	*ret = (struct files_place){ 0 };
	if (*name) {
		etl_text_addf(&wait, "%s/.%s" FILES_ASIDE, strcmp(files->root, "/") ? files->root : "",
			      run);
		ret->path = files_join(files->root, name);
		ret->wait = etl_text_take(&wait);
		ret->aside = ret->wait ? files_join(ret->wait, name) : NULL;
	} else {
		ret->path = real_of(files->root);
		ret->aside = ret->path ? aside_of_file(ret->path, run) : NULL;
	}
	if (!ret->path || !ret->aside)
		return files_no_memory(files, err);
	return ETL_OK;
}

void files_place_free(struct files_place *place)
{
	free(place->path);
	free(place->aside);
	free(place->wait);
}

int files_sync_folder(const struct files *files, const char *folder, struct etl_error *err)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = ETL_OK;

	/* Some file systems have no such thing (EINVAL), and then there is nothing to do. */
	if (fd < 0 || (fsync(fd) != 0 && errno != EINVAL))
		rc = files_fail(files, err, errno, "make durable", folder);
	if (fd >= 0)
		close(fd);
	return rc;
}

static int make_folder(const struct files *files, const char *path, struct etl_error *err)
{
	char *up;
	int rc;

	if (mkdir(path, FOLDER_MODE) != 0)
		return errno == EEXIST ? ETL_OK :
					 files_fail(files, err, errno, "make the folder", path);
	up = files_folder_of(path);
	rc = up ? files_sync_folder(files, up, err) : files_no_memory(files, err);
	free(up);
	return rc;
}

int files_make_folders(const struct files *files, const char *path, struct etl_error *err)
{
	char *at = strdup(path), *slash;
	struct stat st;
	int rc = at ? ETL_OK : files_no_memory(files, err);

	for (slash = at ? strchr(at + 1, '/') : NULL; !rc && slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (stat(at, &st) != 0)
			rc = make_folder(files, at, err);
		else if (!S_ISDIR(st.st_mode))
			rc = files_fail(files, err, ENOTDIR, "make files in", at);
		*slash = '/';
	}
	free(at);
	return rc;
}

static int remove_entries(const struct files *files, const char *path, DIR *dir, struct etl_error *err)
{
	struct dirent *entry;
	char *child;
	int rc = ETL_OK;

	while (!rc && (errno = 0, entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		child = files_join(path, entry->d_name);
		rc = child ? files_remove_tree(files, child, err) : files_no_memory(files, err);
		free(child);
	}
	if (!rc && errno != 0)
		rc = files_fail(files, err, errno, "read the folder", path);
	return rc;
}

int files_remove_tree(const struct files *files, const char *path, struct etl_error *err)
{
	struct stat st;
	DIR *dir;
	int rc;

	if (lstat(path, &st) != 0)
		return errno == ENOENT || errno == ENOTDIR ? ETL_OK :
							     files_fail(files, err, errno, "look at", path);
	if (!S_ISDIR(st.st_mode)) {
		if (unlink(path) == 0 || errno == ENOENT)
			return ETL_OK;
		return files_fail(files, err, errno, "remove", path);
	}
	dir = opendir(path);
	if (!dir)
		return files_fail(files, err, errno, "read the folder", path);
	rc = remove_entries(files, path, dir, err);
	closedir(dir);
	if (!rc && rmdir(path) != 0 && errno != ENOENT)
		rc = files_fail(files, err, errno, "remove the folder", path);
	return rc;
}

int files_make_wait(const struct files *files, const struct files_place *place, struct etl_error *err)
{
	bool new_root = access(files->root, F_OK) != 0 && errno == ENOENT;
	char *note = files_join(place->wait, ROOT_IS_NEW);
	int rc = note ? files_make_folders(files, place->aside, err) : files_no_memory(files, err);
	int fd = -1;

	if (!rc && new_root)
		fd = open(note, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (!rc && new_root && fd < 0)
		rc = files_fail(files, err, errno, "write", note);
	if (fd >= 0)
		close(fd);
	free(note);
	return rc;
}

int files_remove_wait(const struct files *files, const struct files_place *place, struct etl_error *err)
{
	char *note = files_join(place->wait, ROOT_IS_NEW);
	bool new_root = note && access(note, F_OK) == 0;
	int rc = note ? files_remove_tree(files, place->wait, err) : files_no_memory(files, err);

	/* Not when anything is in it: what was published, or what others put there. */
	if (!rc && new_root)
		rmdir(files->root);
	free(note);
	return rc;
}

/* Nothing in it but the notes of this folder. */
static bool is_empty(const char *path)
{
	static const char *const notes[] = { ".", "..", ROOT_IS_NEW, FILES_JOURNAL_SEALED, FILES_OLD };
	DIR *dir = opendir(path);
	struct dirent *entry;
	bool empty = true;

	while (dir && empty && (entry = readdir(dir)) != NULL) {
		empty = false;
		for (size_t i = 0; !empty && i < sizeof(notes) / sizeof(notes[0]); i++)
			empty = strcmp(entry->d_name, notes[i]) == 0;
	}
	if (dir)
		closedir(dir);
	return empty;
}

bool files_remove_empty(const struct files_place *place)
{
	char *at = strdup(place->aside), *slash = at ? strrchr(at, '/') : NULL;

	for (; slash && slash > at + strlen(place->wait); slash = strrchr(at, '/')) {
		*slash = '\0';
		if (rmdir(at) != 0 && errno != ENOENT)
			break;
	}
	free(at);
	return is_empty(place->wait);
}

void files_tidy(const struct files *files, const struct files_place *place)
{
	char *note;
	bool new_root;

	if (!place->wait || !files_remove_empty(place))
		return;
	note = files_join(place->wait, ROOT_IS_NEW);
	new_root = note && unlink(note) == 0;
	if (rmdir(place->wait) == 0 && new_root)
		rmdir(files->root);
	free(note);
}
