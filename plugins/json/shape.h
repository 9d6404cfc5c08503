/*
 * What is in JSON of which nobody said anything: for each place in it, what kinds of value stood there, in all records and not in
 * the first ones.
 */
#ifndef JSON_SHAPE_H
#define JSON_SHAPE_H

#include "filter.h"

struct shape {
	const char *name;               /* of the member; "" at the top and for elements */
	uint64_t seen, nulls, bools, numbers, texts, arrays, objects;
	uint64_t whole, exact;          /* numbers that are 64-bit integers; that a double has exactly */
	uint64_t empty_arrays, uuids;
	struct etl_profile texts_are;   /* of the texts */
	struct shape **members;         /* of objects, in the order in which they were first seen */
	size_t member_count, next;      /* where the next member is looked for first */
	struct shape *each;             /* what stands in arrays; the values of an object that is a map */
	bool is_map;                    /* the names of its members are data */
};

/* Adds NODE to what is known. ARENA owns all. NULL, or a code. */
const char *json_shape_add(struct shape *, struct arena *, const struct json_tree *, uint32_t node, struct work *);
void json_shape_merge(struct shape *to, const struct shape *from, struct arena *);
/* After all: which objects are maps, everywhere below. */
void json_shape_settle(struct shape *, struct arena *);
/* The one kind that its values have, apart from null: an enum json_kind (a number, JSON_TRUE for bools); -1: several; -2: none. */
int json_shape_kind(const struct shape *);
/* A type for such a scalar, as `type` of a column takes it. */
const char *json_shape_type(const struct shape *);

#endif
