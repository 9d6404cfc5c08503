/*
 * Stands in for the registry, for exec.c and (by --wrap=fopen) for the files that the core opens. The wrap is
 * told by the mode, "re", which is the core's alone: libFuzzer's own files pass through.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../core/exec.h"
#include "../../core/registry.h"
#include "outside.h"

char *__real_getenv(const char *name);
char *__wrap_getenv(const char *name);
FILE *__real_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode);

static const struct etl_option members[] = {
	{ .name = "depth", .kind = ETL_OPT_INT, .max = 9, .default_text = "3" },
	{ .name = "words", .kind = ETL_OPT_LIST, .default_text = "[ \"a\", \"b\" ]" },
	{ .name = NULL },
};

static const struct etl_option box_options[] = {
	{ .name = "path", .kind = ETL_OPT_PATH },
	{ .name = "uri", .kind = ETL_OPT_URI, .flags = ETL_OPT_LOCAL },
	{ .name = "link", .kind = ETL_OPT_URI },
	{ .name = "password", .kind = ETL_OPT_SECRET },
	{ .name = "host", .kind = ETL_OPT_TEXT, .default_text = "here" },
	{ .name = "port", .kind = ETL_OPT_INT, .min = 1, .max = 65535 },
	{ .name = "wait", .kind = ETL_OPT_DURATION, .default_text = "5s" },
	{ .name = "cache", .kind = ETL_OPT_SIZE, .min = 1024, .max = INT64_MAX },
	{ .name = "check", .kind = ETL_OPT_FLAG, .default_text = "true" },
	{ .name = "order", .kind = ETL_OPT_CHOICE, .choices = "none|key|random" },
	{ .name = "marks", .kind = ETL_OPT_PAIRS },
	{ .name = "inner", .kind = ETL_OPT_GROUP, .members = members },
	{ .name = "rings", .kind = ETL_OPT_GROUPS, .members = members },
	{ .name = "rows", .kind = ETL_OPT_TEXT, .flags = ETL_OPT_PER_TABLE | ETL_OPT_SOURCE },
	{ .name = "lines", .kind = ETL_OPT_LIST, .flags = ETL_OPT_PER_TABLE | ETL_OPT_TARGET },
	{ .name = "fill", .kind = ETL_OPT_INT, .flags = ETL_OPT_PER_COLUMN | ETL_OPT_TARGET },
	{ .name = NULL },
};

static const struct etl_option look_options[] = {
	{ .name = "sample", .kind = ETL_OPT_PERCENT, .default_text = "100%" },
	{ .name = "columns", .kind = ETL_OPT_LIST, .flags = ETL_OPT_REQUIRED },
	{ .name = NULL },
};

static const struct plugin plugins[] = {
	{
		.base = { .name = "box",
			  .options = box_options,
			  .option_size = sizeof(struct etl_option) },
		.has_store = true,
		.has_source = true,
		.has_target = true,
	},
	{
		.base = { .name = "look",
			  .options = look_options,
			  .option_size = sizeof(struct etl_option) },
		.has_validator = true,
		.has_transform = true,
	},
};

int registry_find(const char *name, const struct plugin **ret, struct etl_error *err)
{
	size_t i;

	for (i = 0; i < sizeof(plugins) / sizeof(*plugins); i++) {
		if (strcmp(plugins[i].base.name, name) != 0)
			continue;
		*ret = &plugins[i];
		return ETL_OK;
	}
	return error_set(err, ETL_USAGE, "there is no plugin %s", name);
}

int registry_find_scheme(const char *scheme, const struct plugin **ret, struct etl_error *err)
{
	return registry_find(strcmp(scheme, "crate") == 0 ? "box" : scheme, ret, err);
}

static bool told_command, told_file, told_variable;

bool outside_told_command(void)
{
	return told_command;
}

bool outside_told_file(void)
{
	return told_file;
}

bool outside_told_variable(void)
{
	return told_variable;
}

void outside_forget(void)
{
	told_command = told_file = told_variable = false;
}

char *__wrap_getenv(const char *name)
{
	told_variable |= strcmp(name, "FUZZ") == 0;
	return __real_getenv(name);
}

int exec_capture(char *const *argv, const char *folder, const char *origin, int64_t limit_ms,
		 char **ret, size_t *ret_size, struct etl_error *err)
{
	char *said;

	(void)folder;
	(void)limit_ms;
	if (strstr(argv[0], "missing"))
		return error_set(err, ETL_USAGE, "%s: no command %s", origin, argv[0]);
	said = strdup(OUTSIDE_COMMAND_SAYS "\n");
	if (!said)
		return error_memory(err);
	told_command = true;
	*ret = said;
	*ret_size = strlen(said);
	return ETL_OK;
}

FILE *__wrap_fopen(const char *path, const char *mode)
{
	static const char says[] = OUTSIDE_FILE_SAYS "\r\n";

	if (strcmp(mode, "re") != 0)
		return __real_fopen(path, mode);
	if (!strstr(path, "missing")) {
		told_file = true;
		return fmemopen((char *)says, sizeof(says) - 1, "r");
	}
	errno = ENOENT;
	return NULL;
}
