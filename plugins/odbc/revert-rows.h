/* Rows of an append or a merge that are taken back, as revert-rows.c and revert-unique.c share them. */
#ifndef ODBC_REVERT_ROWS_H
#define ODBC_REVERT_ROWS_H

#include "select.h"
#include "undo.h"

/* A table whose rows go; names as they stand in SQL. */
struct odbc_undo_rows {
	struct odbc_reverting *r;
	size_t i; /* in r->tables */
	struct etl_text own, undo;
	struct odbc_shape shape; /* of the undo table: _etlrun_op, the key, the others */
	const char **key;
	size_t key_count;
	char object[ODBC_OBJECT_ROOM];
	struct etl_text identity; /* the column that the server counts, or empty */
	struct odbc_rows computed; /* columns that nobody writes, which not every catalog tells when they are kept */
	struct etl_text taken;	  /* a row of OWN has a unique value of one of UNDO; empty: there are none */
	struct etl_text passing;  /* "a = NULL, …": unique values that may be none for a moment; empty: none */
	struct etl_text again;	  /* what wakes its triggers */
};

static inline bool undo_is_merged(const struct odbc_undo_rows *t)
{
	return undo_is(t->r, t->i, "merged");
}

static inline const char *undo_table(const struct odbc_undo_rows *t)
{
	return undo_at(t->r, t->i, UNDO_TABLE);
}

/* A condition on OWN: its row is in the undo table as one of OPS. */
static inline void undo_add_rows(struct etl_text *sql, const struct odbc_undo_rows *t, const char *ops)
{
	odbc_undo_add_rows(sql, t->r->inst, &(struct odbc_undone){ t->own.at, t->undo.at, t->key, t->key_count }, ops);
}

static inline bool undo_is_computed(const struct odbc_undo_rows *t, const char *name)
{
	for (size_t i = 0; i < t->computed.count; i++)
		if (strcmp(odbc_row_text(&t->computed, i, 0), name) == 0)
			return true;
	return false;
}

/* revert-unique.c */
/* Which values are unique: `taken` and `passing`. */
int odbc_find_uniques(struct odbc_undo_rows *);
/* Rows may have each other's unique values: where these may be NULL they are, for a moment. */
int odbc_let_go(struct odbc_undo_rows *);
/* Of the rows that were deleted, those whose unique values are free come first, as "f": they may be parents. */
int odbc_mark_free(struct odbc_undo_rows *);
/* Of all tables: rows whose parent has to wait wait with it. */
int odbc_hold_children(const struct odbc_undo_rows *all, size_t count);

#endif
