/*
 * Cuts records out of a stream of JSON bytes, whatever its length: the elements of an array, the members of an object,
 * lines, or the whole. It follows brackets and strings only; each record is parsed for itself, so a bad one is one bad
 * record. Memory is bounded by the largest record (max_record).
 */
#ifndef JSON_SPLIT_H
#define JSON_SPLIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum json_cut {
	JSON_CUT_WHOLE,         /* one record: the text */
	JSON_CUT_LINES,         /* a record a line; empty lines are none, and a text without any has no records */
	JSON_CUT_ELEMENTS,      /* the elements of the array at the container */
	JSON_CUT_MEMBERS,       /* the values of the members of the object at the container, each with its name */
	JSON_CUT_EACH,          /* elements or members, whichever the container has: what [*] means */
	JSON_CUT_AUTO           /* by the first byte and what follows: an array's elements, lines when the first value ends
	                         * in its line and another value follows, else the whole. With names it is EACH */
};

/*
 * A record; borrowed until the next call. TEXT has JSON_PADDING readable bytes behind it. An element is all that is between two
 * commas, without the white space around it: `[1,,2]` and `[1,2,]` have one that is empty, and `1 2` is one: what is wrong in
 * them is the tree's to say. But an array or object ends at its bracket: `{} {}` are two, and the second is `unseparated`. Names of members are checked (escapes, UTF-8), but not that there is only one of each.
 */
struct json_record {
	const char *text;
	size_t size;
	const char *key;        /* of a member: the raw name between its quotes; else NULL */
	size_t key_size;
	uint64_t index;         /* from 0, in the container */
	uint64_t offset;        /* of its first byte in the stream */
	uint64_t line, column;  /* of its first byte, from 1; columns in bytes */
	/*
	 * More than max_record bytes; what counts is all from its first byte, of a member the quote of its name, to the comma,
	 * bracket or newline. TEXT is its first bytes, SIZE how many of them are here.
	 */
	bool too_large;
	bool unseparated;       /* the comma before it, or the end of the line, is missing */
};

struct json_split_flaw {
	const char *code;       /* "not_json", "invalid_utf8", "cut_short", "empty", "utf16", "outer_too_large", "duplicate_key" (the
				 * container is there twice) */
	char reason[256];       /* a sentence */
	uint64_t offset, line, column;
};

struct json_split;

struct json_split_plan {
	int32_t cut;            /* enum json_cut */
	/* The names of the members on the way to the container; none: the container is the text itself. */
	const char *const *names;
	size_t name_count;
	size_t max_record;      /* bytes */
};

struct json_split *json_split_new(const struct json_split_plan *plan);  /* NULL: no memory */
void json_split_free(struct json_split *split);
/* Ready for another stream. */
void json_split_reset(struct json_split *split);

/*
 * Gives the next bytes of the stream; LAST with the last of them (SIZE may be 0). They are borrowed until json_split_next has
 * said JSON_SPLIT_MORE. A leading byte order mark is passed over; UTF-16 and UTF-32 are told by their first bytes (utf16.h) ("utf16").
 */
void json_split_feed(struct json_split *split, const void *bytes, size_t size, bool last);

enum json_split_step {
	JSON_SPLIT_RECORD,      /* *record is the next one */
	JSON_SPLIT_MORE,        /* feed again */
	JSON_SPLIT_END,         /* after LAST: all of it was well formed around the records */
	JSON_SPLIT_FLAW,        /* what is around the records is no JSON, or the stream ended too early: *flaw; only reset helps */
	JSON_SPLIT_MEMORY
};
/*
 * RECORD may be NULL, for the whole of a stream: records are then only skipped, which is quicker (a look at the whole before it
 * is read); names of members are not checked then.
 */
int json_split_next(struct json_split *split, struct json_record *record, struct json_split_flaw *flaw);

/*
 * *RECORD, a line that is no JSON, is several arrays and objects one behind the other: now it is the first of them, and the others
 * come next. False: it is not, and stays as it is.
 */
bool json_split_line_again(struct json_split *split, struct json_record *record);

/* The line and column of byte AT of a record's text, AT <= its size. */
void json_record_place(const struct json_record *record, size_t at, uint64_t *ret_line, uint64_t *ret_column);

/* After the end: was the container there? False: the text has no such member, or it is another kind. */
bool json_split_found(const struct json_split *split);
/* Which cut JSON_CUT_AUTO chose; JSON_CUT_AUTO as long as that is open. */
int json_split_chosen(const struct json_split *split);
/*
 * After the end: the text without what was in the container, as JSON ({"total":2,"issues":[]}), with JSON_PADDING bytes behind
 * it: where values beside the container are. Of WHOLE and LINES it is "", and when the whole text is of another kind. It is as it
 * stands there and not checked, so it has to be read as any text. At most max_record bytes, else it is a flaw.
 */
const char *json_split_outer(const struct json_split *split, size_t *ret_size);

#endif
