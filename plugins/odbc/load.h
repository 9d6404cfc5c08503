/*
 * What the files of loading share: one split on its way into its staged table, and the ways in which rows go. Which of them a
 * table takes is chosen once for each split (load-ladder.c), from the fastest down to one that is safe for its columns; rows
 * that this way would not carry as they are go by parameter arrays beside it, in the same transaction.
 */
#ifndef ODBC_LOAD_H
#define ODBC_LOAD_H

#include "bind.h"
#include "load-rate.h"

enum rung { RUNG_BULK, RUNG_OPENJSON, RUNG_MANY, RUNG_ARRAYS, RUNG_ROWS };

struct loading;
struct bulk;
struct documents;
struct probe;

struct loading {
	struct etl_instance *inst;
	const struct etl_load *load;
	const struct etl_token *token;
	const struct etl_part *part;
	struct etl_error *err;
	struct ArrowSchema schema;
	struct bind bind;
	struct etl_text head, row, many_row; /* the INSERT: up to VALUES, its row, and that in a statement of many rows */
	struct etl_stats stats;
	const struct ArrowArray *batch;
	int64_t *rows; /* of the batch, that go */
	int32_t rung;  /* enum rung */
	bool rejected; /* a row at least */
	struct bulk *bulk;
	struct documents *documents;
	struct probe *probe; /* or NULL */
	struct rate_watch watch;
};

/* What one connection can do, found out when it is first asked. */
struct ladder {
	bool wants_bulk; /* it is to be made with bulk copy switched on */
	int32_t bulk, documents, reals, bytes; /* 1 it can, -1 it cannot, 0 not known yet */
	int32_t bulk_shown; /* what a trial on another connection showed of bulk copy, or 0 */
	void *library;			/* Microsoft's driver, once more */
	const struct bulk_functions *functions;
	struct etl_text why; /* it cannot: of what was asked for last */
};

/* load.c */
int odbc_loading_reject(struct loading *, int64_t row, const char *code, const char *column, const char *reason);
/* COUNT rows are in, by the way that HOW says. */
void loading_carried(struct loading *, const char *how, int64_t count);
/* By arrays. */
int loading_send(struct loading *, const struct etl_view *, const int64_t *rows, int64_t count);
/* The connection ends, with what the load has of it. */
void loading_disconnect(struct loading *);
/* A failure after which nothing of the connection can be relied on: it ends, and the split is begun anew, row by row when
 * the server found fault with a row. SAID is told. */
int loading_start_over(struct loading *, struct odbc_said *, const char *sentence);

/* load-insert.c: HEAD, ROW and MANY_ROW of the load */
int insert_write(struct loading *);

/* load-careful.c: tables whose rows the server refused once */
bool careful_knows(const struct loading *);
int careful_note(struct loading *);
int careful_send(struct loading *, const struct etl_view *, const int64_t *rows, int64_t count);

/* load-probe.c: whether rows take the transaction with them: 1 not these, 0 one does, and SAID why, or negative */
int probe_try(struct loading *, const struct etl_view *, const int64_t *rows, int64_t count, struct odbc_said *said);
void probe_close(struct loading *);

/* load-ladder.c: before the transaction begins, and once the shape of the rows is known */
int ladder_prepare(struct loading *);
int ladder_choose(struct loading *);
/* What the instance knows of its connection, which ended; and all of it. */
void ladder_forget(struct etl_instance *);
void ladder_free(struct etl_instance *);
/* Runs SQL, of which one may have no answer, in silence. True: it has rows, and *RET the first number. */
bool ladder_ask(struct etl_instance *, const char *sql, int64_t *ret);

/* load-openjson.c */
/* 1: it can carry the columns of this table; 0 not, and WHY; or negative. */
int documents_open(struct loading *, struct etl_text *why);
int documents_send(struct loading *, const struct etl_view *, const int64_t *rows, int64_t count);
void documents_close(struct loading *);
/* Does it carry this row as it is? */
bool documents_take(const struct loading *, const struct etl_view *, int64_t row);
/* Whether this connection has OPENJSON, and whether it makes of bytes and of real numbers what they were. */
bool documents_test(struct etl_instance *);
bool documents_test_bytes(struct etl_instance *);
bool documents_test_reals(struct etl_instance *);

/* bulk.c */
int bulk_open(struct loading *, struct etl_text *why);
int bulk_send(struct loading *, const struct etl_view *, const int64_t *rows, int64_t count);
/* What was sent is whole, and the connection takes statements again. */
int bulk_pause(struct loading *);
void bulk_close(struct loading *);
bool bulk_take(const struct loading *, const struct etl_view *, int64_t row);
/* Whether what is copied in arrives: characters, NULL, numbers of identities. */
bool bulk_test(struct etl_instance *);

#endif
