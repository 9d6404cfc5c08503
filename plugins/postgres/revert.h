/*
 * Taking a published run back, as revert.c, revert-rows.c and revert-copy.c share it. All of it is one transaction.
 */
#ifndef POSTGRES_REVERT_H
#define POSTGRES_REVERT_H

#include "into.h"

/* A load of the run, as "_etlrun".loads and the catalog have it; texts are borrowed from `found`. */
struct reverted {
	PGresult *found;
	const char *number, *kind, *schema, *name, *how;
	const char *xid, *xids; /* of the run's transaction; "{…}": and of those that put its rows back */
	const char *oid, *table;			       /* "public.t"; NULL: it is gone */
	const char *undo;				       /* its table, or NULL: nothing was kept */
	const char *match, *words;			       /* t.k = u.k; concat('k=', u.k) */
	const char *columns, *names, *sets;		       /* "a", "b"; {a,b}; "a" = u."a", … */
	const char *taken;	/* a row t has a unique value of u; NULL: there are none */
	const char *passing;	/* "a" = NULL, …: unique columns that may be NULL for a moment, since no
				 * foreign key would hand that on; NULL: none */
	int64_t inserted, touched;
	bool known; /* the transaction's number is not too long ago */
};

struct reverting {
	struct etl_instance *inst;
	const char *run;
	struct etl_error *err;
	bool merged;
	char *kept; /* the schema of the generation before, or NULL */
	struct reverted *at;
	size_t count;
};

static inline bool revert_is(const struct reverted *l, const char *how)
{
	return strcmp(l->how, how) == 0;
}

/* What somebody changed since is not taken away. FIRST: a row, or NULL. */
int revert_fail_changed(struct reverting *, const struct reverted *, const char *first);
/* A statement about a load, made of TEXT, which is freed; *ret, the rows it wrote, may be NULL. */
int revert_run(struct reverting *, const struct reverted *, struct etl_text *, uint64_t *ret);

/* revert-rows.c: rows that went into tables which stayed. */
int revert_check_rows(struct reverting *, const struct reverted *);
int revert_rows(struct reverting *);
/* revert-copy.c: tables that were made, or took the place of others. */
int revert_check_table(struct reverting *, const struct reverted *);
int revert_tables(struct reverting *);

#endif
