/* Expressions of defaults, checks and filters in the server's SQL: its own are kept, SQLite's are translated. */
#include "config.h"

#include <string.h>
#include <strings.h>

#include "design.h"

int odbc_design_expression(struct design *d, const char *sql, struct etl_text *ret, struct etl_text *why)
{
	if (d->same) {
		etl_text_add(ret, sql);
		return ret->failed ? odbc_design_no_memory(d) : 1;
	}
	etl_text_addf(why, "it is written in the SQL of %s", d->table->dialect ? d->table->dialect : "the source");
	return why->failed ? odbc_design_no_memory(d) : 0;
}
