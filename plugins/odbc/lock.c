/*
 * A table whose rows are compared, kept and changed is for nobody else to write to until that is done: between these statements
 * another session's rows would be lost. SQLite's file is locked as a whole.
 */
#include "config.h"

#include "target.h"

/* T-SQL has no statement that locks a table; one that reads a row of it, with hints, does. */
void odbc_add_lock_rows(struct etl_text *sql, const struct etl_instance *inst, const char *own)
{
	if (inst->dialect == &odbc_tsql)
		etl_text_addf(sql, "SELECT TOP (1) 1 FROM %s WITH (TABLOCKX, HOLDLOCK)", own);
	else if (inst->dialect == &odbc_postgresql)
		etl_text_addf(sql, "LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE", own);
}
