/*
 * A folder of files for a test, gone after it.
 */
#ifndef TESTS_FILES_FOLDER_H
#define TESTS_FILES_FOLDER_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/files/backend.h"

static struct etl_error err;
static char folder[64];
static struct files *files;
static struct files_list list;

static void open_folder(const struct etl_host *host)
{
	snprintf(folder, sizeof(folder), "/tmp/etlrun-files-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	memset(&err, 0, sizeof(err));
	ck_assert_int_eq(files_new(&files, host, folder, &err), ETL_OK);
	memset(&list, 0, sizeof(list));
}

static void close_folder(void)
{
	char command[256];

	files_list_clear(&list);
	files_free(files);
	snprintf(command, sizeof(command), "chmod -R u+rwX %s; rm -rf %s", folder, folder);
	ck_assert_int_eq(system(command), 0);
}

/* Two of them may be held at once. */
static const char *path_of(const char *name)
{
	static char path[2][512];
	static int turn;

	turn = !turn;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", folder, name);
	return path[turn];
}

static void put(const char *name, const void *bytes, size_t size)
{
	FILE *file = fopen(path_of(name), "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
	ck_assert_int_eq(fclose(file), 0);
}

static void put_text(const char *name, const char *text)
{
	put(name, text, strlen(text));
}

#endif
