/*
 * What the files of design share: one object on its way to steps and verdicts. Statements have the names that tables will
 * have; whoever applies them puts those of the staging place there (restage.c).
 */
#ifndef ODBC_DESIGN_H
#define ODBC_DESIGN_H

#include "layout.h"
#include "tsql-from-sqlite.h"

struct design {
	struct etl_instance *inst;
	const struct odbc_dialect *dialect;
	const struct etl_table *table;
	const struct etl_load *load;
	const struct etl_run *run; /* of load, or NULL */
	struct etl_step_sink *sink;
	struct etl_error *err;
	bool same; /* the texts are this server's own SQL */
	bool tsql; /* … and they are to become T-SQL */
	const struct odbc_table_layout *layout; /* or NULL */
	bool *gone; /* beside the columns: those that the table does not get */
};

/* What became of an expression. */
struct design_expression {
	struct etl_text sql; /* the caller's to free */
	int32_t verdict;
	const char *note;
	int64_t most; /* of a text: UTF-16 units at most; 0: any */
	bool is_text, is_bytes;
	bool strict; /* it is NULL exactly where one of its columns is */
	bool unique; /* in: of an index that is unique */
	char why[240]; /* when there is none */
};

int odbc_design_no_memory(struct design *);
/* A step or a verdict for OBJECT, "table.part" (PART NULL: the table's name alone). SQL, which is freed, may be NULL. */
int odbc_design_part(struct design *, int32_t phase, int32_t verdict, const char *kind, const char *part,
		     struct etl_text *sql, const char *note);
/* A part that does not arrive: WHY, and its TEXT when there is one. */
int odbc_design_skip(struct design *, const char *kind, const char *part, const char *why, const char *text);
/* [dbo].[Album] */
void odbc_design_add_table(struct etl_text *, const struct design *, const char *name);
/* [a], [b] */
void odbc_design_add_columns(struct etl_text *, const struct design *, const char *const *columns, size_t count);
/* Is the column of a key or an index? */
bool odbc_design_in_key(const struct etl_table *, const char *column);
const struct etl_column *odbc_design_column(const struct etl_table *, const char *name);
/* Rows that break a rule are to be found rather than to fail it. */
bool odbc_design_looks(const struct design *);

/* "CONSTRAINT name ", as it is called meanwhile. */
void odbc_design_add_constraint(struct etl_text *, const struct design *, enum odbc_constraint, size_t i);

/* design-table.c */
int odbc_design_table(struct design *);
/* A column of a key, NOT NULL, as rows wait with it. */
void odbc_design_add_waiting(struct etl_text *, struct design *, const struct etl_column *);
/* design-keys.c */
/* The lines of the primary key, and of what else cannot be added later. */
int odbc_design_inline_keys(struct design *, struct etl_text *lines);
int odbc_design_keys(struct design *);
/* design-foreign.c */
int odbc_design_foreign_key(struct design *, size_t i);
/* What the validators ask for. */
int odbc_design_references(struct design *);
/* The foreign keys of a table that stays. */
int odbc_design_own_keys(struct design *);
/* The published table NAME, not the one that is staged. */
void odbc_design_add_published(struct etl_text *, const struct design *, const char *name);
/* design-stays.c */
/* Rows for a table that stays: what it asks of them, and lines of the one in which they wait. */
int odbc_design_stays(struct design *);
void odbc_design_wait_keys(struct design *, struct etl_text *lines);
/* REFERENCES … and what follows it; ACTS: with what is done to its rows when those it refers to change. */
void odbc_design_add_references(struct design *, struct etl_text *, const struct etl_foreign_key *, bool acts);
/* design-possible.c */
/* Does T-SQL take the key? WHY not. */
bool odbc_design_is_possible(const struct design *, const struct etl_foreign_key *, const struct etl_parent *,
			     struct etl_text *why);
/* design-index.c */
int odbc_design_index(struct design *, const struct etl_index *);
/* The columns that T-SQL computes for the indexes of expressions, as lines of CREATE TABLE. */
int odbc_design_computed(struct design *, struct etl_text *lines);
/* design-comments.c */
int odbc_design_comments(struct design *);
/* design-names.c */
/* Names that the server does not take, or not beside each other, are refused. */
int odbc_design_check_names(struct design *);
/* design-gone.c */
int odbc_design_gone(struct design *);
/* " AND …": the row OWN of the target is none that goes; of the load's table, of the run's table PARENT. Nothing where none goes. */
void odbc_design_add_not_gone(struct etl_text *, const struct design *, const char *own);
void odbc_design_add_parent_stays(struct etl_text *, const struct design *, const char *parent, const char *own);
/* design-expression.c */
/* SQL of the source in this dialect, as a value of column INTO or (NULL) any: 1; 0 with WHY; or negative. */
int odbc_design_expression(struct design *, const char *sql, enum tsql_use, const struct etl_column *into,
			   struct design_expression *ret);
/* Which columns the table does not get, because what they compute cannot be said. */
int odbc_design_find_gone(struct design *);
/* Does it speak of such a column? Of a key, NAMES of them. */
bool odbc_design_is_gone(const struct design *, const char *column);
bool odbc_design_any_gone(const struct design *, const char *const *columns, size_t count);

#endif
