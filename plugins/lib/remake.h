/*
 * For transforms that make some columns of a batch anew and let the others cross by pointer: the stream of such batches. All values of
 * a batch are made before a column moves, so a reject can still show its whole row as it came.
 */
#ifndef LIB_REMAKE_H
#define LIB_REMAKE_H

#include <etlrun/helpers.h>

/* Begins the struct of a plugin, which is one stream's and is used by one thread at a time. */
struct etl_remake {
	/* Puts a value into every column of BUILDER, which is of `made`; *RET_KEEP, true at first: the row goes on. Not 0: the
	 * stream's failure, which was told. NULL: nothing is made, and every row goes on. */
	int (*row)(struct etl_remake *self, struct etl_builder *builder, const struct ArrowArray *batch, int64_t row, bool *ret_keep);
	/* Called once, when the stream is released: etl_remake_free, and then free of SELF, are among what it does. */
	void (*close)(struct etl_remake *self);
	/* As etl_remake_new was given them; they live as long as the stream. */
	const struct etl_host *host;
	struct etl_context *context;
	struct etl_error *err;
	const char *no_memory;
	/* By etl_remake_begin. `row` looks through the view. */
	struct ArrowSchema in_schema;
	struct etl_view *view;
	/* By the plugin, before etl_remake_stream. FROM, by malloc: of each column of `out_schema` the input's, which goes to one
	 * place at the most; -1 - n: the nth of `made`. */
	struct ArrowSchema out_schema, made;
	int64_t *from;
	uint64_t filtered; /* `row` adds to it what it leaves out without a reject; counted batch by batch */
	struct ArrowArrayStream in;
};

/* SIZE bytes that begin with a struct etl_remake, all else 0. NULL: NO_MEMORY, a sentence, was told. */
void *etl_remake_new(size_t size, const struct etl_host *, const struct etl_wrap *, struct etl_error *, const char *no_memory);
/* The columns of IN and the view of them. ETL_FAILED: it was told why. */
int etl_remake_begin(struct etl_remake *, struct ArrowArrayStream *in);
/* Takes IN over, and OUT owns the whole struct from now on. */
void etl_remake_stream(struct etl_remake *, struct ArrowArrayStream *in, struct ArrowArrayStream *out);
/* What is in it, and not itself; also where etl_remake_stream was not reached. */
void etl_remake_free(struct etl_remake *);

/* A column of NAME, of this type and nothing else. */
struct etl_column etl_remake_column(const char *name, struct etl_type_info type);
/* Tells that there is no memory. ETL_FAILED, or, for what a stream returns, ENOMEM. */
int etl_remake_no_memory(const struct etl_remake *);
int etl_remake_enomem(const struct etl_remake *);

#endif
