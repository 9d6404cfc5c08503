/* Names as the server wants them quoted. */
#include "config.h"

#include "dialect.h"

void odbc_add_name(struct etl_text *text, const struct etl_instance *inst, const char *name)
{
	etl_text_add_name(text, name, inst->dialect->quote);
}

void odbc_add_table(struct etl_text *text, const struct etl_instance *inst, const char *schema,
		    const char *name)
{
	if (schema && *schema) {
		odbc_add_name(text, inst, schema);
		etl_text_add(text, ".");
	}
	odbc_add_name(text, inst, name);
}
