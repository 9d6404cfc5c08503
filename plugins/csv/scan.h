/*
 * Records cut out of a stream of bytes by the rules of RFC 4180, whatever the pieces in which it comes. A record whose quotes are
 * wrong costs its first line only: the text goes on with the next one. Memory is bounded by the largest record.
 */
#ifndef CSV_SCAN_H
#define CSV_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where the bytes come from: UTF-8, or what is taken for it. */
struct csv_bytes {
	/* Up to ROOM bytes; *ret is 0 at the end and only then. Not 0: the scan returns it. */
	int (*read)(struct csv_bytes *self, char *to, size_t room, size_t *ret);
	/* The next read begins at OFFSET, which was passed before. */
	int (*seek)(struct csv_bytes *self, uint64_t offset);
};

struct csv_rules {
	char separator, quote, comment; /* ASCII, all different; quote and comment 0: none */
	bool trim;			/* blanks around fields are nothing */
	size_t max_record;		/* bytes */
	size_t max_fields;		/* more are counted, and not kept */
	size_t room;			/* bytes that are read at once; 0: as is quick */
};

struct csv_field {
	size_t at, size; /* in the record, without the quotes */
	bool quoted, doubled; /* doubled: a quote in it stands twice */
};

struct csv_record {
	const char *text; /* without its line end; valid until the next call */
	size_t size;
	const struct csv_field *fields;
	size_t count;	 /* of fields; max_fields are kept */
	uint64_t line;	 /* of its first byte, from 1 */
	uint64_t offset; /* likewise, in the stream */
	/* NULL, or why it is none: "unterminated_quote", "bad_quote", "max_row". Then it has no fields and its text is the first
	 * line, or the beginning of it. */
	const char *flaw;
	size_t flaw_at; /* where in the text of the record as it began, which may be behind the text that is given */
	uint64_t flaw_line, flaw_column; /* the same; columns in bytes from 1 */
};

struct csv_scan;

/* NULL: no memory. */
struct csv_scan *csv_scan_new(const struct csv_rules *rules, struct csv_bytes *bytes);
void csv_scan_free(struct csv_scan *scan);
/* Line 1 at byte OFFSET of a stream that begins there (past a byte order mark). */
void csv_scan_reset(struct csv_scan *scan, uint64_t offset);
void csv_scan_limit(struct csv_scan *scan, size_t max_fields);

#define CSV_RECORD    1
#define CSV_END	      0
#define CSV_NO_MEMORY (-1000)

/* CSV_RECORD, CSV_END, CSV_NO_MEMORY, or what `read` or `seek` returned. An empty line is a record of one empty field. */
int csv_scan_next(struct csv_scan *scan, struct csv_record *ret);

/* A field's text, its doubled quotes single. TO has room for field->size bytes; the text itself when nothing is doubled. */
const char *csv_field_text(const struct csv_record *record, const struct csv_field *field, char quote, char *to,
			   size_t *ret_size);

#endif
