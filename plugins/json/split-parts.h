/* What the files of the splitter share: split.c is the stream and its start, split-records.c the records, split-outer.c what is around them. */
#ifndef JSON_SPLIT_PARTS_H
#define JSON_SPLIT_PARTS_H

#include "split.h"
#include "split-scan.h"

enum json_split_phase {
	SPLIT_START,            /* the first bytes: byte order mark, UTF-16 */
	SPLIT_AUTO,             /* as far as it takes to choose */
	SPLIT_WHOLE_BEFORE,     /* white space before the record */
	SPLIT_WHOLE,
	SPLIT_LINE_BEFORE,
	SPLIT_LINE,
	SPLIT_ENTRY_BEFORE,     /* in the container: white space before an element or member */
	SPLIT_ENTRY,
	SPLIT_ENTRY_BEHIND,     /* behind an array or object, which is all of the entry if nothing more follows */
	SPLIT_VALUE,            /* around the container: before a value */
	SPLIT_KEY,              /* before a name or } */
	SPLIT_IN_KEY,
	SPLIT_COLON,
	SPLIT_SKIP,             /* in a value that is not on the way */
	SPLIT_AFTER,            /* behind a value */
	SPLIT_END
};

enum { SPLIT_GO = -1 };         /* a step made way: on with the next, instead of an enum json_split_step */

struct json_bytes {
	char *at;
	size_t size, room;
};

struct json_split {
	struct json_split_plan plan;
	int32_t chosen;
	enum json_split_phase phase;

	const char *in;         /* what was fed, or AHEAD */
	size_t size, at;
	uint64_t base;          /* of in[0] in the stream */
	bool last, pending, no_memory; /* pending: what is in AHEAD must grow before it can be decided */
	struct json_bytes ahead;

	size_t counted;         /* up to here newlines are counted */
	uint64_t line, line_start;

	struct json_record record; /* the one that is open: its place */
	struct json_scan scan;
	struct json_bytes held; /* its bytes that were fed earlier */
	size_t start;           /* its first byte in IN that is not held */
	bool skipping, too_large, entries; /* entries: the container had one before */
	bool unseparated;       /* the next one begins without a comma */
	struct json_record rest; /* what is left of a line that is cut again; its size is 0 when nothing is */
	char close;             /* of the container, while it is open */

	struct json_bytes outer;
	size_t kept;            /* its bytes up to here are in OUTER */
	size_t key_at;          /* in OUTER: behind the quote of the last name */
	size_t level;           /* objects that are open on the way */
	bool found, on_way, outer_ignored;
	struct json_split_flaw *flaw;
};

/* split.c */
bool json_bytes_add(struct json_bytes *bytes, const char *at, size_t size);
void json_split_count(struct json_split *split, size_t at);
/* The flaw is at IN's byte AT. Returns JSON_SPLIT_FLAW. */
int json_split_fail(struct json_split *split, size_t at, const char *code, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* split-records.c: one step each, of the phase it is called by. */
int json_split_whole(struct json_split *split, struct json_record *ret);
int json_split_line(struct json_split *split, struct json_record *ret);
int json_split_entry(struct json_split *split, struct json_record *ret);
void json_split_open(struct json_split *split, enum json_split_phase phase);
int json_split_starve(struct json_split *split);

/* split-outer.c */
int json_split_around(struct json_split *split);
/* IN[AT] closes the container. */
int json_split_leave(struct json_split *split);
/* All up to IN[AT], which is not in the container, is in OUTER. */
int json_split_keep(struct json_split *split);

#endif
