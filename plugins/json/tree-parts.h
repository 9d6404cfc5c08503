/* What the files of the tree share: tree.c walks, tree-token.c checks tokens, tree-names.c finds duplicates,
 * tree-index.c members, tree-flaw.c tells. */
#ifndef JSON_TREE_PARTS_H
#define JSON_TREE_PARTS_H

#include <stdbool.h>

#include "marks.h"
#include "tree.h"

/* A member's name while names are compared: escapes resolved. */
struct json_member {
	const char *name;
	uint32_t size;
	uint32_t key;           /* its node */
};

/* An array or object that is open. */
struct json_open {
	uint32_t node;
	uint32_t members;       /* names so far */
	bool suspect;           /* two of them may be the same: to be looked at when it is closed */
	uint64_t seen[4];       /* a bit for the hash of each name */
};

/* Of one object of the text that was read last: a table of its keys' nodes, by their names (tree-index.c). */
struct json_index {
	uint32_t object, mask;
	uint32_t *slots;        /* 0: none; NULL: this is nobody's */
	bool escaped;           /* some names have escapes, and are not in it */
};

/* Objects that stand beside each other are asked in turn. */
#define JSON_INDEXES 8
struct json_indexes {
	struct json_index at[JSON_INDEXES];
	size_t next;            /* to be given up */
};

struct json_tree {
	struct json_limits limits;
	struct json_marks *marks;
	const char *text;
	size_t size;
	struct json_node *nodes;
	size_t count, room;
	struct json_open *open; /* a stack; the first is none */
	uint64_t dropped;
	uint64_t nonfinite;
	bool changed;           /* this text, by members that went or numbers that are none */
	size_t bare;            /* numbers that are none, in this text */
	struct json_member *members; /* tree-names.c: used again */
	size_t member_room;
	char *names;
	size_t name_room;
	struct json_indexes *indexes;
	struct json_flaw *flaw;
};

/* tree-token.c: false when it is none. *ret_flags: JSON_FRACTION or 0. */
bool json_token_number(const char *text, size_t size, uint8_t *ret_flags);
/* The first byte of a string that is no good escape, or an unescaped quote; SIZE when all is well. */
size_t json_token_escapes(const char *text, size_t size);

/* tree-token.c: how many bytes at TEXT are NaN, Infinity or -Infinity; 0: none is there. SIZE is at least 1. */
size_t json_token_nonfinite(const char *text, size_t size);

/* tree-names.c: the object, whose members are all that is behind it, up to COUNT. 0, or -1 with the flaw. */
int json_tree_members(struct json_tree *tree, uint32_t object);
/* KEY has the name of a member of OBJECT that is before it; no name has escapes. */
bool json_tree_is_before(const struct json_tree *tree, uint32_t object, uint32_t key);

/* tree-index.c: another text is read. */
void json_tree_unindex(struct json_tree *tree);

/* tree-flaw.c: all return -1. */
int json_flaw_set(struct json_flaw *flaw, const char *code, uint64_t at, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
int json_flaw_memory(struct json_flaw *flaw);
/* The token at AT is not what is WANTED ("a value"). */
int json_flaw_token(const struct json_tree *tree, uint32_t at, const char *wanted);
int json_flaw_number(const struct json_tree *tree, uint32_t at, size_t size);
int json_flaw_escape(const struct json_tree *tree, size_t at);
int json_flaw_marks(const struct json_tree *tree, enum json_marks_result result);

#endif
