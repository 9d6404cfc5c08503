/*
 * Paths: where rows and columns are in a JSON text. RFC 9535 with child, wildcard, index, slice, several selectors in one
 * bracket and a filter on equality; and, beyond the RFC, `{name}`: in the path of rows each member of an object, whose
 * name is kept under `name`; in the path of a column the member that is called what `name` holds.
 */
#ifndef JSON_PATH_H
#define JSON_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include <etlrun/helpers.h>

#include "tree.h"

enum json_selector_kind {
	JSON_SELECT_NAME,       /* .name  ['name'] */
	JSON_SELECT_EACH,       /* .*  [*] */
	JSON_SELECT_INDEX,      /* [3]  [-1] */
	JSON_SELECT_SLICE,      /* [1:9:2] */
	/*
	 * [?@.type == 'bug'], [?@.closed != null], [?@.key] (is there), [?!@.key], joined by &&. As the RFC has it: a member
	 * that is not there is not equal to anything, so `@.closed == null` does not take it and `@.closed != null` does.
	 */
	JSON_SELECT_FILTER,
	JSON_SELECT_CAPTURE     /* .{name} ; a name has letters, digits and _ */
};

struct json_selector;           /* path.c */

struct json_segment {
	struct json_selector *selectors;
	size_t count;
};

struct json_path {
	char *text;             /* as written */
	char root;              /* '$': the document, '@': the row */
	struct json_segment *segments;
	size_t count;
};

struct json_path_flaw {
	size_t at;              /* the byte of the text, from 0 */
	bool no_memory;         /* nothing is wrong with the text */
	char reason[200];       /* a sentence that says what would be right */
};

enum { JSON_PATH_SEGMENTS = 64 };  /* at most; so many a chain has room for */

/* The step ['NAME'], with what has to be escaped in it. */
void json_path_add_name(struct etl_text *to, const char *name);
/* NULL with *flaw. */
struct json_path *json_path_parse(const char *text, struct json_path_flaw *flaw);
void json_path_free(struct json_path *path);

/* The one kind of a segment's only selector, or -1 when there are several. */
int json_segment_kind(const struct json_segment *segment);
/* Does it have a {name}? */
bool json_segment_captures(const struct json_segment *segment);
/* Of a segment with the one selector NAME or CAPTURE: the name, unescaped, NUL-terminated (a name with a NUL is refused). */
const char *json_segment_name(const struct json_segment *segment);
bool json_segment_equal(const struct json_segment *a, const struct json_segment *b);
/* Of a segment with the one selector FILTER: does it let NODE, an element or the value of a member, through? */
bool json_segment_lets(const struct json_segment *segment, const struct json_tree *tree, uint32_t node);
/* The path can select more than one node, when each {name} holds something. */
bool json_path_is_many(const struct json_path *path);

/* `{name}` without NAMES (NULL) is each member, else the one that is called what NAME holds; `get` gives NULL: nothing. */
struct json_names {
	const char *(*get)(const struct json_names *self, const char *name, size_t *ret_size);
};

/*
 * Follows segments FROM .. of PATH from NODE (an index into the nodes of TREE) and calls `found` for each node selected, in
 * the order of the selectors, with where the walk has been: chain[i] is the node that segment FROM + i selected; of CAPTURE it is the
 * value, and the node before it is its key. Returns 0, or what `found` returned when that was not 0.
 */
struct json_visit {
	int (*found)(struct json_visit *self, const uint32_t *chain, size_t length);
};
int json_path_walk(const struct json_path *path, size_t from, const struct json_tree *tree, uint32_t node,
		   const struct json_names *names, struct json_visit *visit);
/* The first node that segments FROM .. select, or UINT32_MAX. Without allocation, and quick where all are names. */
uint32_t json_path_first(const struct json_path *path, size_t from, const struct json_tree *tree, uint32_t node,
			 const struct json_names *names);

#endif
