/* What the files of the path share: path.c the path as a thing, path-parse.c its text, path-walk.c following it, path-filter.c filters. */
#ifndef JSON_PATH_PARTS_H
#define JSON_PATH_PARTS_H

#include "path.h"

enum json_test { JSON_TEST_PRESENT, JSON_TEST_ABSENT, JSON_TEST_EQUAL, JSON_TEST_DIFFERENT };

/* One side is a path from the element, of names and indexes; the other a constant. */
struct json_condition {
	struct json_path *query;
	enum json_test test;
	enum json_kind kind;    /* of the constant: no array, no object */
	char *constant;         /* a string resolved, a number as written; else NULL */
	size_t size;
};

struct json_selector {
	enum json_selector_kind kind;
	char *name;             /* NAME, CAPTURE */
	size_t size;
	int64_t from, to, step; /* INDEX: from; SLICE */
	bool has_from, has_to;
	struct json_condition *conditions; /* FILTER: all must hold */
	size_t condition_count;
};

/* path-filter.c */
bool json_condition_holds(const struct json_condition *condition, const struct json_tree *tree, uint32_t node);
/* Two numbers of JSON's grammar, by value, of any length. */
bool json_number_equal(const char *a, size_t a_size, const char *b, size_t b_size);

/* path-walk.c: the value of the member, or UINT32_MAX. */
uint32_t json_member_find(const struct json_node *nodes, const char *text, uint32_t object, const char *name, size_t size);

#endif
