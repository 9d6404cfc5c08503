/*
 * The root of a plugin's files, and what all of this folder say about a name: which backend a root needs, how a path is
 * put together, how it is shown.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <etlrun/helpers.h>

#include "remote.h"

int files_no_memory(const struct files *files, struct etl_error *err)
{
	return files->host->fail(err, ETL_MEMORY, NULL, 0, "no memory for the files of %s",
				 files->root);
}

int files_new(struct files **ret, const struct etl_host *host, const char *root,
	      struct etl_error *err)
{
	struct files *files = calloc(1, sizeof(*files));
	size_t length;

	if (files)
		files->root = strdup(root);
	if (!files || !files->root) {
		free(files);
		return host->fail(err, ETL_MEMORY, NULL, 0, "no memory for the files of %s", root);
	}
	for (length = strlen(root); length > 1 && root[length - 1] == '/'; length--)
		files->root[length - 1] = '\0';
	files->host = host;
	files->backend = strcmp(root, "-") == 0 ? &files_standard : &files_local;
	*ret = files;
	return ETL_OK;
}

void files_free(struct files *files)
{
	size_t i;

	if (!files)
		return;
	for (i = 0; i < files->made_count; i++)
		free(files->made[i].pattern);
	free(files->made);
	remote_free(files->remote);
	free(files->root);
	free(files);
}

bool files_is_standard(const struct files *files)
{
	return files->backend == &files_standard;
}

const char *files_label(const struct files *files, const struct files_entry *entry)
{
	const char *slash = strrchr(files->root, '/');

	if (files->backend == &files_standard)
		return "standard input";
	if (*entry->name)
		return entry->name;
	return slash && slash[1] ? slash + 1 : files->root;
}

char *files_join(const char *folder, const char *name)
{
	struct etl_text path = { 0 };

	etl_text_add(&path, folder);
	if (*name) {
		etl_text_add(&path, strcmp(folder, "/") == 0 ? "" : "/");
		etl_text_add(&path, name);
	}
	return etl_text_take(&path);
}

char *files_shown(const char *name)
{
	struct etl_text shown = { 0 };
	size_t size = strlen(name), i = 0, good;

	etl_text_add(&shown, "");
	while (i < size) {
		good = etl_utf8_valid(name + i, size - i);
		for (; good > 0; good--, i++) {
			if ((unsigned char)name[i] < ' ' || name[i] == 0x7f)
				etl_text_addf(&shown, "\\x%02x", (unsigned char)name[i]);
			else
				etl_text_add_bytes(&shown, name + i, 1);
		}
		if (i < size)
			etl_text_addf(&shown, "\\x%02x", (unsigned char)name[i++]);
	}
	return etl_text_take(&shown);
}

static const char *advice(int error)
{
	switch (error) {
	case EACCES:
	case EPERM:
		return "; the user that runs this needs the permission to do so";
	case ENOSPC:
	case EDQUOT:
		return "; make room, or write to another disk";
	case EMFILE:
	case ENFILE:
		return "; raise the limit of open files (ulimit -n), or use fewer workers";
	case ELOOP:
		return "; its symbolic links go in a circle";
	default:
		return "";
	}
}

int files_fail(const struct files *files, struct etl_error *err, int error, const char *what,
	       const char *path)
{
	char *shown = files_shown(path);
	int rc = files->host->fail(err, error == ENOMEM ? ETL_MEMORY : ETL_FATAL, NULL, error,
				   "cannot %s %s: %s%s", what, shown ? shown : "a file",
				   strerror(error), advice(error));

	free(shown);
	return rc;
}
