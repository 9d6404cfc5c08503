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

#include "arena.h"

/* A folder, a file, or "-". One thread at a time. */
struct files;

/*
 * The root that the options path (ETL_OPT_PATH) and uri (ETL_OPT_URI with ETL_OPT_LOCAL, "csv:in%20put/") of PLUGIN, whose name is the
 * scheme too, say: one of them is given. The caller frees *ret.
 */
int files_root(const struct etl_host *host, const struct etl_conf *conf, const char *plugin, char **ret, struct etl_error *err);

/*
 * The files of that root, for an instance of PLUGIN with the options of remote-options.h: a uri with https:// or http:// is a server, which is
 * read and not written. *ret_root is the root as it can be shown. The caller frees both, *ret also after a failure.
 */
int files_of(const struct etl_host *host, const struct etl_conf *conf, const char *plugin, struct files **ret, char **ret_root,
	     struct etl_error *err);
bool files_is_remote(const struct files *files);
/* ROOT is absolute, or "-". Connects to nothing and opens nothing. */
int files_new(struct files **ret, const struct etl_host *host, const char *root, struct etl_error *err);
void files_free(struct files *files);
bool files_is_standard(const struct files *files);      /* the root is "-" */

/* ---- Which files (pattern.c, list.c) ---------------------------------------------------------------- */

/*
 * "profiles/{profile_id}/queries/{query_id}/jira_cache.json": `{name}` stands for one or more characters other than "/" and `*` for any
 * number of them, `**` for whole folders, none too (at the end: for all that is below); what `{name}` stood for is kept. The
 * same name twice must be the same text. A backslash takes its meaning from the character behind it. A leading dot is nothing
 * special: a hidden file is a file.
 */
struct files_pattern;
int files_pattern_parse(struct files_pattern **ret, const struct etl_host *host, const char *text, struct etl_error *err);
void files_pattern_free(struct files_pattern *pattern);
const char *files_pattern_text(const struct files_pattern *pattern); /* as written */
/* How many; PATTERN NULL: none. */
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
	struct arena memory;            /* what the entries are made of: files_list_clear */
};
/*
 * Every file of the root that matches; PATTERN NULL: every file. When the root is a file, the pattern is held against its own name
 * without the folder. A symbolic link is followed when it ends inside the root, else it is named in a warning and left; a
 * folder that cannot be read is an error with its name, as is a name that is no valid UTF-8, a pipe, a socket or a device. What
 * output.c leaves beside a file until it is published is never listed. RET is zeroed or from a call before, and is
 * cleared first; no files at all is no error.
 */
int files_list(struct files *files, const struct files_pattern *pattern, struct files_list *ret, struct etl_error *err);
void files_list_clear(struct files_list *list);
/* What a person calls the file: its name in the root; of a root that is the file, its own; "standard input". */
const char *files_label(const struct files *files, const struct files_entry *entry);
/*
 * The identity of a list: a short text of its names, sizes, times and tags, the same for the same list in any process; "none" when
 * one of them cannot be told (standard input).
 */
void files_list_token(const struct files_list *list, struct etl_token *ret);
/*
 * For etl_source.stamp: the identity of all lists that FILES made so far, whatever their order; "none" when there are none, or one
 * of them cannot be told. The host asks for it on the instance that described, profiled and planned.
 */
void files_stamp(const struct files *files, struct etl_token *ret);

/* ---- A view of them (view.c) ------------------------------------------------------------------------------- */

/* etl_source.pin and join, of any plugin. */
int files_view_pin(struct etl_instance *, struct etl_token *ret, struct etl_error *err);
int files_view_join(struct etl_instance *, const struct etl_token *token, struct etl_error *err);
/* For etl_store.ping of an instance in ROLE: ROOT is the root as it can be shown, FACT what it is called: the host keeps the state of
 * a "file" beside it. */
int files_view_ping(const struct files *files, int32_t role, const char *fact, const char *root, struct etl_fact_sink *sink);

/* ---- Splits (plan.c) ----------------------------------------------------------------------------------- */

/*
 * For etl_source.plan: about WANTED splits, each some files of LIST that follow each other, about equal in bytes; one of no files
 * when the list is empty. first and last of a split are indexes of the list, text is the list's token.
 */
int files_plan(const struct files_list *list, int64_t wanted, struct etl_split_sink *sink);
/*
 * For etl_source.read, on any instance: the files AT[*ret_first] .. *ret_count of them; SPLIT NULL or without text: all. Fails when
 * LIST is not the list that was planned with: files came, went or changed meanwhile.
 */
int files_split(const struct files *files, const struct files_list *list, const struct etl_split *split, size_t *ret_first,
		size_t *ret_count, struct etl_error *err);

/* ---- Reading (input.c) ------------------------------------------------------------------------------- */

/*
 * The bytes of one file, decompressed when its first bytes say gzip or Zstandard; members and frames that follow each other are
 * one text. Standard input is kept in a temporary file without a name as it is read, so that it can be read again.
 */
struct files_input;
/* Fails when it is no longer what was listed (size, modified, tag). */
int files_input_open(struct files *files, const struct files_entry *entry, struct files_input **ret, struct etl_error *err);
/* Up to ROOM bytes; *ret is 0 at the end, and only then: a compressed file that ends in its middle is an error. At the end it is
 * looked whether the file changed meanwhile, which is an error too. */
int files_input_read(struct files_input *input, void *to, size_t room, size_t *ret, struct etl_error *err);
/* From the beginning again. */
int files_input_rewind(struct files_input *input, struct etl_error *err);
/* From byte OFFSET; of uncompressed files only. */
int files_input_seek(struct files_input *input, int64_t offset, struct etl_error *err);
bool files_input_can_seek(const struct files_input *input);
/* Why a read failed: what is compressed is damaged, ends early or is of another kind. A sentence without its point, or NULL. */
const char *files_input_damage(const struct files_input *);
/* Such a read says nothing of it: an error that was said stays, and this one is to be passed over. */
void files_input_be_quiet(struct files_input *);
bool files_input_is_compressed(const struct files_input *input);
void files_input_close(struct files_input *input);

/* ---- Writing (output.c) ------------------------------------------------------------------------------- */

/*
 * One file, written aside and renamed to its place when the run publishes; compressed when its name ends in .gz or .zst. What waits is in a
 * folder of the run within the root (of a root that is the file, beside it), so a later process finds it by the run's id, and
 * no folder of the tree is made before it is published. NAME "": the root is the file. "-" is standard output: written at
 * once, and nothing of it can be taken back.
 */
struct files_output;
/*
 * APPEND: goes on behind what this run wrote there before (compressed: as another member), else it begins anew. One output of a name at
 * a time.
 */
int files_output_open(struct files *files, const char *name, const char *run, bool append, struct files_output **ret,
		      struct etl_error *err);
int files_output_write(struct files_output *output, const void *bytes, size_t size, struct etl_error *err);
/* Ends it and frees OUTPUT, also when it fails; *ret_size (or NULL) bytes of the file lie there. It waits under its other name. */
int files_output_finish(struct files_output *output, uint64_t *ret_size, struct etl_error *err);
/* Gives up: the file is again what it was before open. Accepts NULL. */
void files_output_close(struct files_output *output);
/* What waits under this name as files of its own, whose root is that one file: to read it before it is published. ETL_USAGE: it is
 * standard output. The caller frees. */
int files_output_look(struct files *files, const char *name, const char *run, struct files **ret, struct etl_error *err);
/* Where it waits; the caller frees. A name of a plugin's own, ".stage", is as good as any. */
int files_output_aside(struct files *files, const char *name, const char *run, char **ret, struct etl_error *err);
/* Is there something under this name already? */
int files_output_exists(struct files *files, const char *name, bool *ret, struct etl_error *err);
/* Removes what waits under this one name, and the folders that become empty by it. Idempotent, in any process. */
int files_output_drop(struct files *files, const char *name, const char *run, struct etl_error *err);
/* Removes everything that waits for this run, and what publish leaves of its folder. Idempotent, in any process. */
int files_output_discard(struct files *files, const char *run, struct etl_error *err);

/* ---- Taking names (publish.c, publish-journal.c) ------------------------------------------------------------ */

/*
 * All finished files of a run take their names, or none does. Sealing makes them durable and writes down what each of them shall be.
 * Then they are renamed one after the other; when one cannot be, those before it get back what they were, and the folders that were
 * made for them go. Any process can finish what another began, either way. What is replaced, or goes, waits in the folder of the run
 * until files_output_discard. Of standard output there is nothing to do.
 */
struct files_publish;
/* REPLACE false: it fails when there is something of a file's name. */
int files_publish_new(struct files *files, const char *run, bool replace, struct files_publish **ret, struct etl_error *err);
/* The finished output of this name. One of the name "" is the only one. */
int files_publish_add(struct files_publish *, const char *name, struct etl_error *err);
/* A file of the root that goes when the others come. */
int files_publish_remove(struct files_publish *, const char *name, struct etl_error *err);
/* Ends and frees it, also when it fails; *ret is by what the published files will be known. */
int files_publish_seal(struct files_publish *, struct etl_token *ret, struct etl_error *err);
/* Gives up. Accepts NULL. */
void files_publish_free(struct files_publish *);
/* What was sealed, also by another process. After a failure every file is what it was before, and what waits is sealed as it was; when
 * that fails too the log has the names, and the next settle goes on. */
int files_publish(struct files *files, const char *run, bool replace, struct etl_error *err);
/* When a process died in files_publish: ends what it began. *ret: everything has its name now. */
int files_publish_settle(struct files *files, const char *run, bool *ret, struct etl_error *err);
/* *ret: 1 when the file that SEAL tells of is there, as it was published. */
int files_publish_is(struct files *files, const struct etl_token *seal, int32_t *ret, struct etl_error *err);

/* ---- A copy of the tree (backup.c) ---------------------------------------------------------------------- */

/*
 * Copies every file of LIST, as it lies there, to FOLDER (absolute; "{time}" in its last part is YYYYmmdd-HHMMSS UTC of NOW, which is
 * microseconds since 1970), whole or not at all: made beside and renamed. Then removes the oldest folders of the same pattern
 * beyond KEEP, 0 none. Files that are within the folder of the backups are left out. *ret_path: where it is; the caller frees.
 */
int files_backup(struct files *files, const struct files_list *list, const char *folder, int64_t now, int64_t keep,
		 char **ret_path, struct etl_error *err);

#endif
