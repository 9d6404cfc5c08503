/*
 * One split on its way into its staged table: what load.c, columns.c and careful.c share.
 */
#ifndef POSTGRES_LOAD_H
#define POSTGRES_LOAD_H

#include "encode.h"
#include "stage.h"

/* The type of a column, as the server writes it. */
struct loading_type {
	const char *shown; /* for people */
	const char *cast;  /* below its domains and without a length, to which a text is cast */
	const char *whole; /* the same with its length or scale */
	uint32_t element;  /* of an array; else the type itself */
};

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
	struct loading_type *types; /* beside them */
	size_t count;
	bool careful; /* the server has a say about rows */
	bool inexact; /* … and a type may change a value in silence (exact.c) */
	bool broken; /* what was to be sent was not: the end of the COPY tells why */
	int64_t parts; /* transactions, or parts of one, in which rows were written */
	struct encode_buffer buffer;
	uint64_t rows, bytes;
	uint64_t refused; /* by the server, or because it would change them */
	struct loading_kept *kept;
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
/* COPY … FROM STDIN of this statement begins; what is in the buffer is sent, when it is enough or at once; it ends. RC < 0
 * takes it back; with RC 0 it has written ROWS. *ret: the server does not say so, but why; else NULL. */
int loading_copy_begin(struct loading *, const char *sql);
int loading_send_piece(struct loading *);
int loading_copy_end(struct loading *, int rc, uint64_t rows, PGresult **ret);
/* The rows that a transaction, or a part of it, wrote are known by it. */
int loading_note_part(struct loading *);

/* load-kept.c: the key of a row that is rejected, in a run that deletes what did not come; all of them go into their list,
 * between the statements of the rows. */
int loading_keep_key(struct loading *, int64_t row);
int loading_send_kept(struct loading *);
void loading_free_kept(struct loading_kept *);

/* turns.c: waits until a transaction that loaded the same split, on a connection that was lost, has ended; and, where the
 * order matters, until the splits before this one are there. */
int turns_take(struct loading *);

#define LOADING_ROWS "pg_temp._etlrun_rows" /* (place, c0, c1, …): a batch that is looked at with care */

/* careful.c: a batch whose rows the server may refuse. */
int careful_open(struct loading *);
int careful_batch(struct loading *, const struct ArrowArray *batch);
/* May it be about the values, and not about the server? */
bool careful_is_data(const PGresult *);
/* Is it about them for certain? */
bool careful_is_value(const PGresult *);

/* exact.c: would a column's type cut off or round what is written? */
bool exact_matters(const struct loading *, size_t column);
/* Which rows of a batch, from FIRST on and before BEYOND, a column that matters would change: (place, column). */
int exact_find(struct loading *, int64_t first, int64_t beyond, PGresult **ret);
/* The reject's code of such a value. */
const char *exact_code(const struct loading *, size_t column);

#endif
