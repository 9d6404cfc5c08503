/*
 * Old generations of tables: keep_old = N keeps what the last N runs of a pipeline replaced, each in a schema of its
 * own, "_etlrun_old_<run>". A table in it is as it was, but for foreign keys to tables that live on, which would
 * bind them: the table _etlrun_again(n, sql) beside it has the statements that make them again. The state row of the run
 * says the schema's name (kept).
 */
#ifndef POSTGRES_OLD_H
#define POSTGRES_OLD_H

#include "publish.h"

/* Moves the tables, whose oids OIDS lists, out of the way; sets p->kept. */
int old_keep(struct publishing *, const char *oids);
/* Drops the generations of the pipeline that are more than it keeps. */
int old_prune(struct publishing *);

#endif
