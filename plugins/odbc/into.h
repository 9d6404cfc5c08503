/* Rows into tables that stay: truncate, append, merge. */
#ifndef ODBC_INTO_H
#define ODBC_INTO_H

#include "rows.h"
#include "target.h"

#define INTO_STAGED "etlrun_staged"
#define INTO_OWN    "etlrun_own"

/* A load whose rows go into a table that stays. */
struct odbc_into {
	struct etl_instance *inst;
	const struct etl_load *load;
	const struct etl_token *token;
	struct etl_error *err;
	struct etl_text own, staged; /* their names as they stand in SQL */
};
static inline const struct etl_column *odbc_into_column(const struct odbc_into *t, size_t i)
{
	return ETL_AT(const struct etl_column, t->load->table->columns, t->load->table->column_size, i);
}
const struct etl_column *odbc_into_find(const struct etl_table *, const char *name);
/* The rows meet: A.key = B.key. SQLite compares as A is declared to. */
void odbc_into_add_match(const struct odbc_into *, struct etl_text *, const char *a, const char *b);

/* into-differs.c */
/* The server's own equality of two values of the type is that of the rows. */
bool odbc_has_equality(int32_t type);
/* An UPDATE writes the column: not what equal keys have equal anyway. */
bool odbc_into_sets(const struct odbc_into *, const struct etl_column *);
/* Rows of INTO_STAGED and OWN that meet are not alike, so that the target's is to be written. */
void odbc_into_add_changed(const struct odbc_into *, struct etl_text *, const char *own);

/* into-mark.c: the mark of a row that is gone from the source; only with a delete_column. OWN: the target, as it stands there */
bool odbc_into_marks(const struct odbc_into *);
void odbc_into_add_marked(const struct odbc_into *, struct etl_text *, const char *own);
void odbc_into_add_not_marked(const struct odbc_into *, struct etl_text *, const char *own);
/* column = …, of a row that is gone, and of one that is in the source again. */
void odbc_into_add_mark(const struct odbc_into *, struct etl_text *);
void odbc_into_add_unmark(const struct odbc_into *, struct etl_text *, const char *own);

/* into-check.c */
/* How rows that came meet those of the target. */
struct odbc_meeting {
	uint64_t staged;
	uint64_t fresh;	  /* for which the target has none */
	uint64_t pairs;	  /* that meet one */
	uint64_t changed; /* of these, those that differ */
};
/* Carries a statement out, and frees it; *RET: how many rows it touched. */
int odbc_into_change(const struct odbc_into *, struct etl_text *sql, uint64_t *ret);
/* A rule or a trigger of the table may leave rows out. */
int odbc_into_check_count(const struct odbc_into *, uint64_t staged, uint64_t met);
/* Before a merge writes; fails where rows that came have one key. STAGED: as the host knows it. */
int odbc_into_count(const struct odbc_into *, uint64_t staged, struct odbc_meeting *ret);
/* … and behind it: what it wrote is what was to be written, and the rest is unchanged. */
int odbc_into_check_merged(const struct odbc_into *, const struct odbc_meeting *, struct etl_outcome *);
/* Rows of the target for which GONE is true; and behind the statement that deletes or marks them, there are none any more. */
int odbc_into_count_gone(const struct odbc_into *, const char *gone, uint64_t *ret);
int odbc_into_check_gone(const struct odbc_into *, const char *gone, uint64_t rows);

/* keep-rows.c: what takes the rows back, before they are written. */
/* A merge with undo = true: a place for them. */
int odbc_keep_begin(const struct odbc_into *);
/* The copy that made the table can be taken back even so, once the merge was. */
int odbc_keep_copy(const struct odbc_into *);
/* Rows that are to be deleted, or marked so, for which GONE is true. */
int odbc_keep_gone(const struct odbc_into *, const char *gone);
/* Rows that differ, and the keys of new ones. */
int odbc_keep_changed(const struct odbc_into *);
/* An append: a place, and the keys of what comes. */
int odbc_keep_added(const struct odbc_into *);

/* Rows of merges that are gone from the source go, some before and some behind the others; at the end the staged tables. */
int odbc_begin_merge(struct etl_instance *, const struct etl_commit *, struct etl_error *);
int odbc_end_merge(struct etl_instance *, const struct etl_commit *, struct etl_error *);
/* The rows of every table that is to be swapped go, children first. */
int odbc_empty_old(struct etl_instance *, const struct etl_commit *, struct etl_error *);
/* The staged rows of load I go into its table. */
int odbc_put_into(struct etl_instance *, const struct etl_commit *, size_t i, struct etl_error *);

#endif
