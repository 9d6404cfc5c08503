/* What the streams of the two scopes share (stream.c): rows.c is scope = "row", whole.c scope = "table". */
#ifndef SQL_STREAM_H
#define SQL_STREAM_H

#include "sql.h"

struct sql_stream {
	struct etl_producer producer; /* first: the stream hands it back */
	struct etl_instance *self;
	struct etl_context *context;
	struct etl_error *err;
	char *table;
	struct ArrowArrayStream in;
	struct ArrowSchema in_schema, out_schema;
	struct etl_view *view; /* of the batch at hand */
	struct ArrowArray batch;
	struct sql_input input;
	struct sql_engine engine;
	struct sql_query query;
	struct sql_out out;
	int64_t *travelers; /* columns of the input that come behind those of the query */
	size_t traveler_count;
	int64_t ordinal; /* the place of the ordinals among the columns that come, or -1 */
	int64_t number; /* of the next row that comes out, when they are numbered anew; 0: not known yet */
	/* rows.c */
	bool running;  /* the statement is under way, over the rows from `next` on */
	int64_t next;  /* the row to begin with */
	int64_t given; /* what came of the row, or the batch, under way: rows and rejects */
	int64_t *keep; /* of each row in the builder, its row in the batch */
	int64_t kept, copied;
	int64_t bytes;		    /* of values in the builder that the query made */
	uint64_t filtered, created; /* not counted yet */
	/* whole.c */
	bool spooled;
	uint64_t rows_in, rows_out;
	struct ArrowSchema found_schema; /* a row of the query as `any`, to be rejected */
	struct etl_builder *found;
};

int sql_stream_memory(struct sql_stream *);
/* The next batch in s->batch and s->view: 1, 0 at the end, or negative. */
int sql_stream_pull(struct sql_stream *);
/* Lets go of the batch. */
void sql_stream_drop(struct sql_stream *);
/* Rejects a row for the column that the query gave a value for which does not fit; WHERE has its place. */
int sql_stream_reject(struct sql_stream *, const struct etl_reject *where, size_t column,
		      const char *code);
void sql_stream_free(struct sql_stream *);

int sql_rows_fill(struct etl_producer *, struct etl_builder *);

/* Makes the place of the rows. */
int sql_whole_open(struct sql_stream *);
int sql_whole_fill(struct etl_producer *, struct etl_builder *);

#endif
