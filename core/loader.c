/*
 * Why not lt_dlopen as it is: libltdl's own loader binds lazily, so a function that is missing ends
 * the process at its first call, and it reports every failure as "file not found". This file gives
 * libltdl a loader that binds at once and keeps the dynamic linker's first words, and takes the
 * stock one away, since libltdl would try it next and succeed. Modules are never closed: a worker
 * may still run in one, and leak reports need their names. Before that, a file must be one that
 * only root or this user can have put there.
 */
#include "config.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <ltdl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loader.h"

#define NAME_LENGTH 63

/* Made by libtool when plugins are linked into the program; else there is none. */
extern const lt_dlsymlist lt__PROGRAM__LTX_preloaded_symbols[] __attribute__((weak));

typedef const struct etl_plugin *descriptor_function(void);

/* What dlerror said first, "" when nothing failed: libltdl tries several loaders and forgets it. */
static char first_words[1024];

/* ---- The loader we give to libltdl ----------------------------------------------------------- */

static lt_module module_open(lt_user_data data, const char *file, lt_dladvise advise)
{
	const char *words;
	void *module;

	(void)data;
	(void)advise;
	if (!file)
		return NULL;
	module = dlopen(file, RTLD_NOW | RTLD_LOCAL);
	if (!module && first_words[0] == '\0' && (words = dlerror()))
		snprintf(first_words, sizeof(first_words), "%s", words);
	return module;
}

static int module_close(lt_user_data data, lt_module module)
{
	(void)data;
	(void)module;
	return 0;
}

static void *module_symbol(lt_user_data data, lt_module module, const char *symbol)
{
	(void)data;
	return dlsym(module, symbol);
}

static const lt_dlvtable loader = {
	.name = "etlrun",
	.module_open = module_open,
	.module_close = module_close,
	.find_sym = module_symbol,
	.priority = LT_DLLOADER_PREPEND,
};

static int start(struct etl_error *err)
{
	static bool started;

	if (started)
		return ETL_OK;
	if (lt__PROGRAM__LTX_preloaded_symbols)
		lt_dlpreload_default(lt__PROGRAM__LTX_preloaded_symbols);
	if (lt_dlinit() != 0 || lt_dlloader_add(&loader) != 0)
		return error_set(err, ETL_BUG, "libltdl cannot be started: %s", lt_dlerror());
	free(lt_dlloader_remove("lt_dlopen"));
	started = true;
	return ETL_OK;
}

/* ---- May this file be loaded? ---------------------------------------------------------------- */

bool loader_is_name(const char *name)
{
	size_t i;

	if (name[0] < 'a' || name[0] > 'z')
		return false;
	for (i = 1; name[i]; i++)
		if (!(name[i] >= 'a' && name[i] <= 'z') && !(name[i] >= '0' && name[i] <= '9') &&
		    name[i] != '_')
			return false;
	return i <= NAME_LENGTH;
}

int loader_look(const char *folder, const char *name, bool *ret_there, char **ret_path,
		struct etl_error *err)
{
	struct stat st;
	char *path;

	if (asprintf(&path, "%s/%s" PLUGIN_SUFFIX, folder, name) < 0)
		return error_memory(err);
	*ret_there = lstat(path, &st) == 0 || (errno != ENOENT && errno != ENOTDIR);
	*ret_path = path;
	return ETL_OK;
}

/* Whoever owns the program could as well have changed the program. */
static bool is_trusted(uid_t uid)
{
	struct stat st;

	if (uid == 0 || uid == geteuid())
		return true;
	return stat("/proc/self/exe", &st) == 0 && uid == st.st_uid;
}

/* WHAT is "file" or "folder". */
static int check_owner(const char *what, const char *path, const struct stat *st,
		       struct etl_error *err)
{
	if (!is_trusted(st->st_uid))
		return error_set(err, ETL_USAGE,
				 "the %s %s belongs to user %lu, neither to root nor to you: "
				 "a plugin of somebody else is not loaded",
				 what, path, (unsigned long)st->st_uid);
	if (st->st_mode & S_IWOTH)
		return error_set(err, ETL_USAGE,
				 "the %s %s can be written by everybody: run chmod o-w on it", what,
				 path);
	if (st->st_mode & S_IWGRP && st->st_gid != 0 && st->st_gid != getegid())
		return error_set(err, ETL_USAGE,
				 "the %s %s can be written by group %lu, which is not yours: run "
				 "chmod g-w on it",
				 what, path, (unsigned long)st->st_gid);
	return ETL_OK;
}

static int check_folder(const char *folder, struct etl_error *err)
{
	struct stat st;

	if (stat(folder, &st) != 0)
		return error_set(err, error_class(errno, ETL_USAGE), "the folder %s cannot be looked at: %s", folder,
				 strerror(errno));
	return check_owner("folder", folder, &st, err);
}

/* Without links. The caller frees. */
static char *resolve(const char *path, struct etl_error *err)
{
	char *real = realpath(path, NULL);

	/* Without memory glibc may leave the EINVAL of a readlink behind. */
	if (!real && (errno == ENOMEM || errno == EINVAL))
		error_memory(err);
	else if (!real)
		error_set(err, error_class(errno, ETL_USAGE), "%s cannot be looked at: %s", path, strerror(errno));
	return real;
}

/* A symbolic link may only point to a file beside it. */
static int check_link(const char *folder, const char *path, struct etl_error *err)
{
	char *real_folder = resolve(folder, err), *real_file = real_folder ? resolve(path, err) : NULL;
	size_t length = real_folder ? strlen(real_folder) : 0;
	int status = real_file ? ETL_OK : ETL_FAILED;

	if (real_file && (strncmp(real_file, real_folder, length) != 0 || real_file[length] != '/' ||
			  strchr(real_file + length + 1, '/')))
		status = error_set(
			err, ETL_USAGE,
			"the file %s is a symbolic link that leads out of its folder, to %s: "
			"put the plugin itself there",
			path, real_file);
	free(real_folder);
	free(real_file);
	return status;
}

static bool is_elf_module(const unsigned char *ident, size_t size, const char **ret_why)
{
	static const int native = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32;
	Elf64_Half type;

	*ret_why = "is not an ELF file";
	if (size < EI_NIDENT + sizeof(type) || memcmp(ident, ELFMAG, SELFMAG) != 0)
		return false;
	*ret_why = "is an ELF file for another kind of machine";
	if (ident[EI_CLASS] != native)
		return false;
	*ret_why = "is an ELF file, but no shared object";
	memcpy(&type, ident + EI_NIDENT, sizeof(type));
	return type == ET_DYN;
}

static int check_elf(const char *path, struct etl_error *err)
{
	unsigned char head[EI_NIDENT + sizeof(Elf64_Half)];
	const char *why;
	ssize_t size;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return error_set(err, error_class(errno, ETL_USAGE), "the file %s cannot be read: %s", path,
				 strerror(errno));
	size = read(fd, head, sizeof(head));
	close(fd);
	if (size < 0)
		return error_set(err, error_class(errno, ETL_USAGE), "the file %s cannot be read: %s", path,
				 strerror(errno));
	if (!is_elf_module(head, (size_t)size, &why))
		return error_set(err, ETL_USAGE, "the file %s %s", path, why);
	return ETL_OK;
}

int loader_check(const char *folder, const char *path, struct etl_error *err)
{
	struct stat st;

	if (check_folder(folder, err) < 0 || check_link(folder, path, err) < 0)
		return ETL_FAILED;
	if (stat(path, &st) != 0)
		return error_set(err, error_class(errno, ETL_USAGE), "the file %s cannot be looked at: %s", path,
				 strerror(errno));
	if (!S_ISREG(st.st_mode))
		return error_set(err, ETL_USAGE, "%s is not a regular file", path);
	if (check_owner("file", path, &st, err) < 0)
		return ETL_FAILED;
	return check_elf(path, err);
}

/* ---- Loading --------------------------------------------------------------------------------- */

static int descriptor(lt_dlhandle handle, const char *name, const char *where,
		      const struct etl_plugin **ret, struct etl_error *err)
{
	void *symbol = lt_dlsym(handle, "etl_plugin");
	descriptor_function *function;
	const struct etl_plugin *plugin;

	if (!symbol)
		return error_set(err, ETL_USAGE,
				 "%s has no function %s_LTX_etl_plugin: it is no plugin of etlrun, "
				 "or its file "
				 "was renamed",
				 where, name);
	memcpy(&function, &symbol, sizeof(function));
	plugin = function();
	if (!plugin)
		return error_set(err, ETL_USAGE, "%s gives no descriptor", where);
	*ret = plugin;
	return ETL_OK;
}

int loader_open(const char *path, const char *name, const struct etl_plugin **ret,
		struct etl_error *err)
{
	char *real;
	lt_dlhandle handle;
	int status;

	if (start(err) < 0)
		return ETL_FAILED;
	/* With a path libltdl looks nowhere else, LD_LIBRARY_PATH included. */
	real = resolve(path, err);
	if (!real)
		return ETL_FAILED;
	first_words[0] = '\0';
	handle = lt_dlopen(real);
	if (!handle && strstr(first_words, strerror(ENOMEM)))
		status = error_memory(err);
	else if (!handle)
		status = error_set(err, ETL_USAGE, "%s cannot be loaded: %s", path,
				   first_words[0] ? first_words : lt_dlerror());
	else
		status = descriptor(handle, name, path, ret, err);
	free(real);
	return status;
}

/* GCOVR_EXCL_START: only a build with --disable-shared has plugins linked in; all tests run in one, too. */
/* In the list of preloaded symbols a file is an entry without an address, "sqlite.a" or
 * "sqlite.la"; the program itself is "@PROGRAM@". */
static const char *linked_file(size_t i)
{
	const lt_dlsymlist *list = lt__PROGRAM__LTX_preloaded_symbols;
	size_t at, seen = 0;

	if (!list)
		return NULL;
	/* The first entry names who made the list. */
	for (at = 1; list[at].name; at++)
		if (!list[at].address && list[at].name[0] != '@' && seen++ == i)
			return list[at].name;
	return NULL;
}

bool loader_linked(size_t i, char *buf, size_t size)
{
	const char *file = linked_file(i);
	size_t length;

	if (!file)
		return false;
	length = strcspn(file, ".");
	snprintf(buf, size, "%.*s", (int)(length < NAME_LENGTH ? length : NAME_LENGTH), file);
	return true;
}

int loader_open_linked(const char *name, const struct etl_plugin **ret, struct etl_error *err)
{
	const char *file;
	size_t i, length = strlen(name);
	lt_dlhandle handle;

	*ret = NULL;
	for (i = 0; (file = linked_file(i)); i++)
		if (strncmp(file, name, length) == 0 && file[length] == '.')
			break;
	if (!file)
		return ETL_OK;
	if (start(err) < 0)
		return ETL_FAILED;
	handle = lt_dlopen(file);
	if (!handle)
		return error_set(err, ETL_USAGE,
				 "the plugin \"%s\" that was linked in cannot be opened: %s", name,
				 lt_dlerror());
	return descriptor(handle, name, "the program", ret, err);
}
/* GCOVR_EXCL_STOP */
