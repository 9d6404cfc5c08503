/*
 * Rows of the target that a run names by their keys, because the source has them no more (ETL_RUN_CHANGES). The keys wait in a
 * table of the stage, one for each load that deletes.
 */
#ifndef ODBC_GONE_H
#define ODBC_GONE_H

#include "target.h"

#define GONE "etlrun_goes" /* what that table is called in a question */

/* The rows that go are named; else they are those that did not come. */
bool odbc_names_gone(const struct etl_load *);
/* The table in which their keys wait, as design calls it; BUF has ODBC_NAME_ROOM bytes. */
const char *odbc_gone_name(const struct etl_load *, char *buf);
/* … and as it is called meanwhile. */
void odbc_add_gone(struct etl_text *, struct etl_instance *, const struct etl_load *, const struct etl_token *);
/* GONE.key = OWN.key AND … */
void odbc_gone_add_match(struct etl_text *, const struct etl_instance *, const struct etl_load *, const char *gone, const char *own);
/* The load of the keys, whose table has the key's columns alone; it goes with odbc_gone_free. */
struct odbc_gone {
	struct etl_load load;
	struct etl_table table;
	struct etl_column *columns;
	char name[ODBC_NAME_ROOM];
};
int odbc_gone_make(struct etl_instance *, const struct etl_load *, struct odbc_gone *ret, struct etl_error *);
void odbc_gone_free(struct odbc_gone *);
/* Before keys are staged: those that an attempt left whose answer was lost are no longer there. *RET: keys may be staged; of rows
 * that were rejected while they were loaded only the source's spelling of the key is known, which may be that of one that is
 * named here. */
int odbc_gone_begin(struct etl_instance *, const struct etl_load *, const struct etl_token *, uint64_t split, bool *ret,
		    struct etl_error *);
/* Rows that wait are about to be taken out, those of FROM, a staged table and the condition: they are in the source still. */
int odbc_gone_keep(struct etl_instance *, const struct etl_load *, const struct etl_token *, const char *from, struct etl_error *);

#endif
