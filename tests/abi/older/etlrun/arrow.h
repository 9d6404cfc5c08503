/*
 * The Arrow C data interface and C stream interface: how rows move between plugins.
 *
 * Layout and rules are those of the Apache Arrow specification ("The Arrow C data interface", "The
 * Arrow C stream interface"), which froze them: the member order below is binary standard. The guard
 * macros are the specification's own, so this header can stand beside any other copy of it.
 */
#ifndef ETLRUN_ARROW_H
#define ETLRUN_ARROW_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE

#define ARROW_FLAG_DICTIONARY_ORDERED 1
#define ARROW_FLAG_NULLABLE 2
#define ARROW_FLAG_MAP_KEYS_SORTED 4

/* What the columns are. A batch of rows is a struct ("+s") whose children are the columns. */
struct ArrowSchema {
	const char *format;             /* the type: see the table in plugin.h */
	const char *name;               /* the column's name */
	const char *metadata;           /* key-value pairs in the specification's packed form, or NULL */
	int64_t flags;                  /* ARROW_FLAG_* */
	int64_t n_children;
	struct ArrowSchema **children;
	struct ArrowSchema *dictionary; /* etlrun uses none: NULL */
	void (*release)(struct ArrowSchema *); /* NULL: released or moved */
	void *private_data;             /* the producer's */
};

/* The values. Buffers of a fixed-width column: validity bits, values; of "u" and "z": validity bits,
 * length + 1 int32 offsets, bytes. A validity buffer may be NULL when null_count is 0. */
struct ArrowArray {
	int64_t length;                 /* rows */
	int64_t null_count;             /* -1: not counted */
	int64_t offset;                 /* rows to skip at the front of every buffer */
	int64_t n_buffers;
	int64_t n_children;
	const void **buffers;
	struct ArrowArray **children;
	struct ArrowArray *dictionary;
	void (*release)(struct ArrowArray *);
	void *private_data;
};

#endif /* ARROW_C_DATA_INTERFACE */

#ifndef ARROW_C_STREAM_INTERFACE
#define ARROW_C_STREAM_INTERFACE

/* A pull of batches. The consumer calls from one thread; each callback returns 0 or an errno value. */
struct ArrowArrayStream {
	int (*get_schema)(struct ArrowArrayStream *, struct ArrowSchema *out);
	/* Fills OUT, which the consumer then owns; an OUT whose release is NULL is the end of the rows. */
	int (*get_next)(struct ArrowArrayStream *, struct ArrowArray *out);
	/* The words for the last error, valid until the next call; NULL when there are none. */
	const char *(*get_last_error)(struct ArrowArrayStream *);
	void (*release)(struct ArrowArrayStream *);
	void *private_data;
};

#endif /* ARROW_C_STREAM_INTERFACE */

#ifdef __cplusplus
}
#endif

#endif
