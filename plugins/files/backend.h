/*
 * What stands behind files.h: a table of functions for each kind of place where files are. local.c is the disk, stdin.c is
 * standard input, http.c and blob.c are servers; what is above them (patterns, lists, decompression) is the same for all.
 */
#ifndef FILES_BACKEND_H
#define FILES_BACKEND_H

#include "files.h"

/* The end of the names that output.c gives to what is not published yet; such files are never listed. */
#define FILES_ASIDE ".etlrun~"

struct files_backend;
struct remote;

struct files {
	const struct files_backend *backend;
	const struct etl_host *host;
	char *root; /* without a slash at its end, except "/"; of a server without what is secret in its address */
	struct remote *remote; /* a server, remote.h; else NULL */
	/* Of the lists that were made: by which pattern, and what they were. */
	struct files_made {
		char *pattern;
		struct etl_token token;
	} *made;
	size_t made_count;
};

/* The bytes of a file as they lie there. A backend's own struct begins with it. */
struct files_raw {
	struct files *files;
	char *where; /* for messages: the whole path or address, valid UTF-8; freed by input.c */
};

/* A list that is being made. */
struct files_gather {
	struct files *files;
	const struct files_pattern *pattern; /* or NULL */
	struct files_list *list;
	struct etl_error *err;
	size_t room;
};

/* NAME is relative to the root. True: it matches, and is wanted. */
bool files_gather_wants(const struct files_gather *gather, const char *name);
/* FOLDER ends in "/". False: nothing below it can match, so it need not be looked into. */
bool files_gather_looks(const struct files_gather *gather, const char *folder);
/* Adds a file that is wanted; AS is its name in the list ("" when the root is the file), NAME what the pattern is held
 * against. Both are copied, as is TAG. */
int files_gather_add(struct files_gather *gather, const char *name, const char *as, int64_t size,
		     int64_t modified, const char *tag);

struct files_backend {
	/* Adds every file that is wanted, in any order. */
	int (*list)(struct files_gather *gather);
	/* Opens what ENTRY says, and only that: fails when it is another one now. Sets all of *ret but `files`. */
	int (*open)(struct files *files, const struct files_entry *entry, struct files_raw **ret,
		    struct etl_error *err);
	/* *ret is 0 at the end and only then. */
	int (*read)(struct files_raw *raw, void *to, size_t room, size_t *ret, struct etl_error *err);
	/* The next read begins at OFFSET. */
	int (*seek)(struct files_raw *raw, int64_t offset, struct etl_error *err);
	/* At the end: is it still what was opened? */
	int (*unchanged)(struct files_raw *raw, struct etl_error *err);
	void (*close)(struct files_raw *raw);
	bool writes; /* output.c and backup.c know how to write there: the disk, standard output */
};

extern const struct files_backend files_local, files_standard;

/* Pattern.c, for lists. */
bool files_pattern_match(const struct files_pattern *pattern, const char *name, struct arena *memory,
			 const char *const **ret_captures);
bool files_pattern_may_hold(const struct files_pattern *pattern, const char *folder);
/* Can a file below a folder have this name? Not one with an empty part, . or .. */
bool files_is_name(const char *name);
/* The text before the first `*` or `{`: what a server can be asked for. */
const char *files_pattern_prefix(const struct files_pattern *pattern, size_t *ret_size);

/* A name as a message can have it: what is no UTF-8 or a control character becomes \xHH. The caller frees; NULL: no
 * memory. */
char *files_shown(const char *name);
/* "FOLDER/NAME", or FOLDER when NAME is "". The caller frees; NULL: no memory. */
char *files_join(const char *folder, const char *name);
/* An error of the system about PATH, which need not be UTF-8: "cannot WHAT PATH: No space left on device (…)". */
int files_fail(const struct files *files, struct etl_error *err, int error, const char *what,
	       const char *path);
int files_no_memory(const struct files *files, struct etl_error *err);

#endif
