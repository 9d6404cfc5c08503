/*
 * What the files of the scan share: the whole text with its map (scan.c), and a file that is being read
 * into it (scan-include.c).
 */
#ifndef CORE_SCAN_PARTS_H
#define CORE_SCAN_PARTS_H

#include <sys/stat.h>

#include <etlrun/helpers.h>

#include "scan-order.h"
#include "scan.h"

struct scan {
	struct etl_text text;
	struct scan_at *lines; /* of the text, from its first */
	size_t line_count, line_room;
	char **files; /* names as the person knows them */
	size_t file_count;
	char *folder; /* with its final /, or ""; NULL: nothing may be included */
	struct scan_order order;
	/* the first that seems to lack its closing quote; line 0: none */
	struct scan_at open_string;
};

/* One file while it is read. */
struct reader {
	struct scan *scan;
	const struct reader *by; /* who includes it */
	const char *name;
	dev_t device;
	ino_t inode;
	unsigned depth;
	const char *at, *end;
	const char *copied; /* up to here it is in the scan's text */
	uint32_t line;
};

static inline struct scan_at scan_here(const struct reader *r)
{
	return (struct scan_at){ .file = r->name, .line = r->line };
}

/* scan.c */
/* Reads a file's text, token by token, into the scan. */
int scan_read(struct reader *, struct etl_error *);
/* What was read since the last copy goes into the text. */
int scan_copy(struct reader *, struct etl_error *);
/* A line of the text ends here, and what follows stands at AT. */
int scan_break(struct scan *, struct scan_at at, struct etl_error *);

/* scan-include.c */
int scan_check(const char *name, const char *bytes, size_t length, struct etl_error *);
/* All of a file; *ret is for the caller to free. BY: who includes it, or NULL. */
int scan_load(struct reader *, const struct reader *by, char **ret, struct etl_error *);
/* The scan's own copy of a name, alive as long as the scan. */
const char *scan_keep(struct scan *, const char *folder, const char *name, struct etl_error *);
/* At an @. */
int scan_include(struct reader *, const char *begin, struct etl_error *);

#endif
