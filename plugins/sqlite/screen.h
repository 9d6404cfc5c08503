/*
 * The screen phase: staged rows that a constraint does not take are collected by their rowids (or primary keys)
 * in a temporary table, so that millions of them need no memory, read back as the batches they came in,
 * handed to the host, and deleted when the host has taken every one of them.
 */
#ifndef SQLITE_SCREEN_H
#define SQLITE_SCREEN_H

#include "stage.h"

#define SCREEN_FOUND "temp.etlrun_found"

/* A rule that rows break. */
struct screen_rule {
	const char *code; /* "duplicate", "foreign_key", … */
	char *columns;	  /* "a, b", owned */
	char *reason;	  /* a sentence, owned */
};

struct screen {
	struct etl_instance *inst;
	const struct etl_load *load;
	struct etl_found_sink *sink;
	struct etl_error *err;
	const char *table; /* the load's */
	/* What tells a row: the free name of its rowid, or the columns of the key of a table without one. */
	const char *rowid;
	const char *const *ids;
	size_t id_count;
	char *order; /* ORDER BY of the rows as they were loaded; for a table called t */
	struct screen_rule *rules;
	size_t rule_count;
	/* Called in the transaction that takes the rows out, which is one piece of work for `since`; or NULL. */
	int (*taking)(struct screen *);
};

/* The primary key of the staged table: of a table of the target that stays, or that its own DDL makes, it is the
 * target's, whatever the source's. */
static inline const struct etl_key *screen_key(const struct etl_load *load)
{
	bool stays = load->existing && load->run->mode == ETL_COPY &&
		     (load->run->flags & ETL_RUN_DATA_ONLY ||
		      load->run->on_existing == ETL_EXISTING_TRUNCATE);

	return stays	   ? &load->existing->primary :
	       load->given ? &load->given->primary :
			     &load->table->primary;
}

/* Makes the temporary table. A row is collected once, for the first rule it breaks. */
int screen_open(struct screen *, struct etl_instance *, const struct etl_load *,
		struct etl_found_sink *, struct etl_error *);
/* A new rule, its texts copied; its number is rule_count - 1. */
int screen_rule(struct screen *, const char *code, const char *columns, const char *reason);
/* t."id", … : what a SELECT begins with that gives rows to collect. */
void screen_add_ids(const struct screen *, struct etl_text *);
/* Collects what SELECT gives: the ids of rows, in the order in which they were loaded. *RET: how many new. */
int screen_collect(struct screen *, const char *select, int64_t *ret);
/* A reference of the table to itself, by the columns FROM to the columns TO; rows that follow break RULE. */
struct screen_link {
	const char *const *from, *const *to;
	size_t count, rule;
};
/* screen-chain.c: collects whatever refers to rows that are collected, to the end of the chain. */
int screen_follow(struct screen *, const struct screen_link *, int64_t *ret);
/* Emits what was collected, and takes it out when the sink says so. */
int screen_take(struct screen *);
/* Forgets what was collected; a zeroed one too. */
void screen_close(struct screen *);

/* screen-unique.c: makes an index; rows that it does not take are found, and gone before it is tried again. */
int screen_index(struct etl_instance *, const struct etl_load *, const struct etl_step *,
		  struct etl_found_sink *, struct etl_error *);
struct ddl_index;
/* screen.c: by which name the rowid of a staged table can be asked for; NULL: by none. */
int sqlite_staged_rowid(struct etl_instance *, const char *table, const char **ret,
			struct etl_error *);

struct ddl_part;
/* A part of an index as an expression over a table called t. */
void screen_add_part(const struct ddl_part *, struct etl_text *);
/* screen-expression.c: collects the rows over which the index cannot be computed. */
int screen_evaluate(struct screen *, const struct ddl_index *, int64_t *ret);
/* screen-keys.c: rows whose parents are missing. */
int screen_keys(struct etl_instance *, const struct etl_load *, const struct etl_step *,
		struct etl_found_sink *, struct etl_error *);

/*
 * order.c: in which order rows were loaded, for tables whose rowids are given by their rows and did not come in
 * ascending order; kept beside the rows from the first such row on, since the earliest of two equals stays.
 */
struct sqlite_order {
	sqlite3_stmt *insert; /* NULL: not needed so far */
	int64_t last;	      /* rowid of the row before */
	bool wanted, any;     /* any: `last` says something */
};
/* Before a split is loaded, for a table with a unique index that will be made afterwards. */
int sqlite_order_open(struct etl_instance *, const struct etl_load *, struct sqlite_order *,
		      struct etl_error *);
/* A row came; inside its transaction. */
int sqlite_order_note(struct etl_instance *, const struct etl_load *, struct sqlite_order *,
		      int64_t rowid, struct etl_error *);
void sqlite_order_close(struct sqlite_order *);
/* ORDER BY for rows of the load, called t, whose rowid has this name (NULL: none); to be freed; NULL: no
 * memory. */
char *sqlite_order_by(struct etl_instance *, const struct etl_load *, const char *rowid);
/* Removes what was kept, of all loads: the rows are final. */
int sqlite_order_drop(struct etl_instance *, struct etl_error *);

#endif
