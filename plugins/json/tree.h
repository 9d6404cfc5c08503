/*
 * One JSON text in memory as a flat array of nodes, in the order in which they stand (tree.c; simdjson is behind
 * marks.h, everything else is C). A node says where its text is, so that numbers keep their digits, and an object that is
 * kept as json keeps its own spelling.
 */
#ifndef JSON_TREE_H
#define JSON_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum json_kind {
	JSON_NULL,
	JSON_FALSE,
	JSON_TRUE,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT,
	JSON_KEY                /* the name of a member; its value is the node behind it */
};

enum json_node_flags {
	JSON_ESCAPED = 1 << 0,  /* a string or key with a backslash in it */
	JSON_FRACTION = 1 << 1, /* a number with a point or an exponent */
	JSON_BARE = 1 << 2      /* a string that has no quotes: the name of a number that is none, as the policy takes it */
};

struct json_node {
	uint32_t at, size;      /* its bytes: strings and keys without their quotes, arrays and objects with their brackets */
	uint32_t next;          /* the index of the node behind it and all that is in it */
	uint8_t kind;           /* enum json_kind */
	uint8_t flags;          /* enum json_node_flags */
	uint16_t reserved;
};

/* What is not JSON, or not what the policies take. */
struct json_flaw {
	const char *code;       /* a stable word for the reject: "not_json", "duplicate_key", "too_deep", "invalid_utf8",
				 * "cut_short", "empty", "too_large", "no_memory" */
	char reason[256];       /* a sentence */
	uint64_t at;            /* the byte in the text */
};

enum json_policy { JSON_ERROR, JSON_FIRST, JSON_LAST };

/* NaN, Infinity and -Infinity where a value may stand, as JavaScript and Python write them. */
enum json_nonfinite { JSON_NONFINITE_ERROR, JSON_NONFINITE_NULL, JSON_NONFINITE_TEXT /* their name, as a string */ };

struct json_tree;               /* the parser and its nodes, used again for each text; one thread at a time */

struct json_limits {
	uint32_t depth;         /* arrays and objects in each other, 1 .. 4096 */
	int32_t duplicates;     /* enum json_policy: two members of one name in one object. FIRST and LAST take the others
	                         * out of the array of nodes and count them */
	int32_t nonfinite;      /* enum json_nonfinite */
};

/* NULL: no memory. */
struct json_tree *json_tree_new(const struct json_limits *limits);
void json_tree_free(struct json_tree *tree);

/*
 * Reads one text; TEXT has at least JSON_PADDING readable bytes behind SIZE, of any content, and must live as long as the nodes
 * are used. The whole of it is checked: numbers, escapes, UTF-8, and that nothing but white space follows. 0, or -1 with
 * *flaw. A byte order mark is not taken here.
 */
#define JSON_PADDING 64
int json_tree_read(struct json_tree *tree, const char *text, size_t size, struct json_flaw *flaw);

const struct json_node *json_tree_nodes(const struct json_tree *tree, size_t *ret_count);
const char *json_tree_text(const struct json_tree *tree);
/* The value of that member of OBJECT, or UINT32_MAX; NAME has no escapes. For who asks the same object for many names. */
uint32_t json_tree_find(const struct json_tree *tree, uint32_t object, const char *name, size_t size);
/* Members that the policy took out since the tree was made. */
uint64_t json_tree_dropped(const struct json_tree *tree);
/* Numbers that are none which the policy took since the tree was made. */
uint64_t json_tree_nonfinite(const struct json_tree *tree);
/* A policy changed the text that was read last, so that the bytes of a node may tell something else than the nodes. */
bool json_tree_is_changed(const struct json_tree *tree);
/* A node as JSON, as the nodes have it, without white space; TO has json_tree_room bytes. How many it became. */
size_t json_tree_room(const struct json_tree *tree, uint32_t node);
size_t json_tree_spell(const struct json_tree *tree, uint32_t node, char *to);

#ifdef __cplusplus
}
#endif

#endif
