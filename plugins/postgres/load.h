/*
 * One split on its way into its staged table: what load.c, columns.c and careful.c share.
 */
#ifndef POSTGRES_LOAD_H
#define POSTGRES_LOAD_H

#include "encode.h"
#include "stage.h"

struct loading {
	struct etl_instance *inst;
	const struct etl_load *load;
	const struct etl_token *token;
	const struct etl_part *split;
	struct etl_error *err;
	struct ArrowSchema schema;
	struct etl_view *view;
	PGresult *described; /* the names below point into it */
	PGresult **labels;   /* beside the columns: of an enum; or NULL */
	struct encode_column *columns;
	const char **types; /* beside them: of the column, as people write it */
	const char **casts; /* … the type without a length, to which a text is cast */
	size_t count;
	bool careful; /* the server has a say about rows */
	int64_t parts; /* transactions, or parts of one, in which rows were written */
	struct encode_buffer buffer;
	uint64_t rows, bytes;
};

/* columns.c: looks at the staged table and chooses how each column of the schema is written. */
int loading_find_columns(struct loading *);
void loading_free_columns(struct loading *);
/* " (a, b)" */
void loading_add_names(const struct loading *, struct etl_text *);

/* load.c */
int loading_no_memory(struct loading *);
/* A row goes to the host. COLUMN may be NULL. */
int loading_reject(struct loading *, const struct ArrowArray *batch, int64_t row, const char *code,
		   const char *column, const char *reason);
/* With the reason that goes with a code of encode_row. */
int loading_reject_value(struct loading *, const struct ArrowArray *batch, int64_t row,
			 size_t column, const char *code);
/* COPY … FROM STDIN of this statement begins; what is in the buffer is sent; it ends. A COPY that the client has no
 * more rows for ends with loading_copy_end; RC < 0 takes it back. */
int loading_copy_begin(struct loading *, const char *sql);
int loading_send(struct loading *);
PGresult *loading_copy_end(struct loading *, int rc);
/* The rows that a transaction, or a part of it, wrote are known by it. */
int loading_note_part(struct loading *);

/* turns.c: waits until a transaction that loaded the same split, on a connection that was lost, has ended; and, where the
 * order matters, until the splits before this one are there. */
int turns_take(struct loading *);

/* careful.c: a batch whose rows the server may refuse. */
int careful_open(struct loading *);
int careful_batch(struct loading *, const struct ArrowArray *batch);
/* Is it about the values, and not about the statement or the server? */
bool careful_is_data(const PGresult *);

#endif
