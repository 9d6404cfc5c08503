/*
 * Files as plugins of formats see them (json, csv): a folder, one file, standard input or output; compressed or not. What is
 * here knows nothing of what is in the files. Linked into the plugins that use it; no part of the ABI.
 */
#ifndef FILES_H
#define FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <etlrun/plugin.h>

/* A folder, a file, or "-". One thread at a time. */
struct files;

/* ROOT is absolute, or "-". Connects to nothing and opens nothing. */
int files_new(struct files **ret, const struct etl_host *host, const char *root, struct etl_error *err);
void files_free(struct files *files);

/* ---- Which files (pattern.c, list.c) ---------------------------------------------------------------- */

/*
 * "profiles/{profile_id}/queries/{query_id}/jira_cache.json": `{name}` and `*` stand for characters other than "/", `**` for whole
 * folders, none too; what `{name}` stood for is kept. The same name twice must be the same text.
 */
struct files_pattern;
int files_pattern_parse(struct files_pattern **ret, const struct etl_host *host, const char *text, struct etl_error *err);
void files_pattern_free(struct files_pattern *pattern);
size_t files_pattern_captures(const struct files_pattern *pattern, const char *const **ret_names);
/* The inverse: the name of the file for these values, beside the names of the captures. NULL: a value cannot be a file's name
 * ("", ".", "..", one with "/" or NUL), which *why says; or the pattern has wildcards; or no memory. The caller frees. */
char *files_pattern_name(const struct files_pattern *pattern, const char *const *values, const char **why);

struct files_entry {
	const char *name;               /* relative to the root, UTF-8; "" when the root is the file */
	int64_t size;                   /* bytes as they lie there, compressed ones too; -1: not known */
	int64_t modified;               /* microseconds since 1970 UTC; 0: not known */
	const char *tag;                /* what identifies the content further (an ETag), or "" */
	const char *const *captures;    /* beside files_pattern_captures */
};

struct files_list {
	struct files_entry *at;         /* sorted by the bytes of their names */
	size_t count;
	struct etl_arena_like *memory;  /* whoever frees: files_list_clear */
};
/*
 * Every file of the root that matches. A symbolic link is followed when it ends inside the root, else it is named in a warning and
 * left; a folder that cannot be read is an error with its name, as is a name that is no valid UTF-8.
 */
int files_list(struct files *files, const struct files_pattern *pattern, struct files_list *ret, struct etl_error *err);
void files_list_clear(struct files_list *list);

/* ---- Reading (input.c) ------------------------------------------------------------------------------- */

/* The bytes of one file, decompressed when its first bytes say gzip or Zstandard. */
struct files_input;
/* Fails when it is no longer what was listed (size, modified, tag). */
int files_input_open(struct files *files, const struct files_entry *entry, struct files_input **ret, struct etl_error *err);
/* Up to ROOM bytes; *ret is 0 at the end, and only then: a compressed file that ends in its middle is an error. At the end it is
 * looked whether the file changed meanwhile, which is an error too. */
int files_input_read(struct files_input *input, void *to, size_t room, size_t *ret, struct etl_error *err);
/* From the beginning again. ETL_USAGE: it cannot (standard input, a pipe). */
int files_input_rewind(struct files_input *input, struct etl_error *err);
/* From byte OFFSET; of uncompressed files only. */
int files_input_seek(struct files_input *input, int64_t offset, struct etl_error *err);
bool files_input_can_seek(const struct files_input *input);
void files_input_close(struct files_input *input);

/* ---- Writing (output.c) ------------------------------------------------------------------------------- */

/*
 * One file, written beside its place (same folder, a name of its own that a later run of the same id finds again) and made durable
 * before it is renamed; compressed when its name ends in .gz or .zst. "-" is standard output: written at once.
 */
struct files_output;
int files_output_open(struct files *files, const char *name, const char *run, struct files_output **ret, struct etl_error *err);
int files_output_write(struct files_output *output, const void *bytes, size_t size, struct etl_error *err);
/* Flushes, syncs and closes; *ret_size bytes lie there. The file still has its other name. */
int files_output_finish(struct files_output *output, uint64_t *ret_size, struct etl_error *err);
void files_output_close(struct files_output *output);
/* Of a finished file: takes its name (rename, the folder synced); removes it. Both idempotent, in any process. */
int files_output_publish(struct files *files, const char *name, const char *run, struct etl_error *err);
int files_output_discard(struct files *files, const char *name, const char *run, struct etl_error *err);

/* ---- A copy of the tree (backup.c) ---------------------------------------------------------------------- */

/*
 * Copies every file of LIST to FOLDER (absolute; "{time}" is YYYYmmdd-HHMMSS UTC of NOW), whole or not at all (made beside and
 * renamed), then removes the oldest folders of the same pattern beyond KEEP. *ret_path: where it is; the caller frees.
 */
int files_backup(struct files *files, const struct files_list *list, const char *folder, int64_t now, int64_t keep,
		 char **ret_path, struct etl_error *err);

#endif
