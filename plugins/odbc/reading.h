/* One stream of rows, and what its files share. */
#ifndef ODBC_READING_H
#define ODBC_READING_H

#include "fetch.h"
#include "select.h"

#define RAW_MAX (64 << 10) /* bytes of one value in a reject, when the row was too large */

/* A value of whatever type it came in, as a column of one row. */
struct reading_any {
	struct etl_column_view view;
	int32_t offsets[2];
	bool null;
};

struct reading {
	struct etl_producer producer; /* first: the stream hands it back */
	struct etl_instance *inst;
	SQLHSTMT stmt;
	struct etl_error *err;
	struct etl_context *context;
	struct etl_read read;	    /* its texts are the caller's, alive as long as the stream */
	struct etl_split split;
	struct ArrowSchema want;    /* ours */
	struct etl_text what;	    /* the table, or "the query", for messages */
	struct odbc_shape declared; /* of the dataset */
	struct arena memory;
	struct etl_key key;	    /* the table's primary key; without columns when it has none */
	struct fetch fetch;
	bool fetching;
	/* A cursor of PostgreSQL, whose driver keeps all rows of an answer in memory: so many rows are asked for at once,
	 * so many came, so large they were. */
	bool cursor, began;
	int64_t page, came, bytes, widest;
	char *scratch; /* a text on its way */
	size_t room;
	struct etl_text any; /* the bytes of a struct reading_any */
	bool utf16;	     /* texts of this SQLite are UTF-16, in its own byte order when SWAPPED */
	bool swapped;
	int64_t ordinal;
	struct etl_view *keys; /* or NULL */
	int64_t next_key;
};

/* read-value.c */
/* The value of column I of the row at hand into the builder; *RET_CODE: why it does not fit, or NULL. *LEFT: bytes that
 * the row may still have. */
int reading_put(struct reading *, struct etl_column_builder *, size_t i, int64_t *left, const char **ret_code);
/* The same as it came; RET is valid until the next call. */
int reading_any(struct reading *, size_t i, struct reading_any *ret);

/* read-reject.c: the row at hand, for CODE at column I. */
int reading_reject(struct reading *, size_t i, const char *code);
int reading_no_memory(struct reading *);

/* guard-tsql.c: does the server give what is there? */
int reading_guard(struct reading *);

/* select.c */
/*
 * The statement: the wanted columns in the forms of which nothing is lost, after them those of the key that are not
 * among them; of the split, or (with keys) of the one row that has the next one.
 */
int select_add(struct reading *, struct etl_text *);

#endif
