/*
 * What a column does with a value behind its path: "@.date | first 10 | week". A filter takes a value and gives one; what it
 * cannot take is no value, and the column's next path is tried.
 */
#ifndef JSON_FILTER_H
#define JSON_FILTER_H

#include "json.h"
#include "pool.h"

#define FILTER_ARGS 8

struct filter_kind;

struct filter {
	const struct filter_kind *kind;
	const char *args[FILTER_ARGS];
	size_t arg_count;
	int64_t number;         /* of the first argument: characters, or microseconds */
	void *compiled;         /* of replace: its pattern */
};

/* How many neighbours are before a node, so that those of the next one need not be counted from the first. */
struct nearby {
	uint32_t parent, node;  /* node 0: none yet */
	uint64_t before;
};

enum { NEARBY = 4 };            /* levels of arrays in each other, of which this is kept */

/* Where a path led from NODE, for the next row that is in it too: it may have gone through thousands of elements. */
struct known {
	uint64_t time;                  /* of `records`, of OUTER `files` */
	uint32_t node, found;
};

/* What is in an array or object, for the next row that asks. */
struct counted {
	uint64_t time;                  /* of `records` */
	const struct json_tree *tree;
	uint32_t node;
	uint64_t count;
};

/* What a row's values are made with. */
struct work {
	struct nearby nearby[NEARBY];   /* of the record that is open */
	struct known *known;            /* by the number of a take; NULL: none is kept */
	struct counted counted;
	uint64_t records, files;        /* opened so far */
	struct pool pool;
	struct json_text_policy *texts;
	const char *const *nulls;       /* texts that shape.c takes for null */
	size_t null_count;
	uint64_t odd_names;     /* members that shape.c passed over: their name cannot be a column's */
	uint64_t misfits;       /* values that a filter let fall because they do not read as what it asks for */
};

/* Reads "first 10" at TEXT up to the end or `|`; *ret_end is there. False: *why says what is wrong. */
bool json_filter_parse(struct arena *, const char *text, const char **ret_end, struct filter *ret, const char **why);
void json_filter_free(struct filter *);
/* NULL, or a reject's code. VALUE_ABSENT stays absent, but for `presence`, `truthy` and `count`. */
const char *json_filter_apply(const struct filter *, struct json_value *value, struct work *);

/* take.c: the value of a node. NULL, or a reject's code. */
const char *json_value_of(struct json_value *ret, const struct json_tree *, uint32_t node, struct work *);
/* As JSON, with the quotes of a text. Borrowed until the next row; NULL: no memory. */
const char *json_value_as_json(const struct json_value *, struct work *, size_t *ret_size);

bool json_filter_is(const struct filter *, const char *name);

/* filter-time.c */
const char *json_filter_plus(const struct filter *, struct json_value *, struct work *);
const char *json_filter_week(const struct filter *, struct json_value *, struct work *);
const char *json_filter_epoch(const struct filter *, struct json_value *, struct work *);
/* filter-members.c */
const char *json_filter_only(const struct filter *, struct json_value *, struct work *);
const char *json_filter_without(const struct filter *, struct json_value *, struct work *);
const char *json_filter_join(const struct filter *, struct json_value *, struct work *);
const char *json_filter_count(const struct filter *, struct json_value *, struct work *);
/* "customfield_*": * and ? as in the names of tables. */
bool json_glob(const char *pattern, const char *text, size_t size);

#endif
