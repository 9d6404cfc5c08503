/*
 * What an SQLSTATE means for the run: whether to try again, with fewer workers, or not at all. The classes
 * are those of the SQL standard and of PostgreSQL's appendix A; a whole code wins over its class.
 */
#include "config.h"

#include <etlrun/helpers.h>

struct state_row {
	const char *prefix; /* five characters, or the two of a class */
	int32_t klass;	    /* enum etl_class */
};

static const struct state_row state_rows[] = {
	{ "40003", ETL_OUTCOME_UNKNOWN }, /* statement completion unknown */
	{ "08007", ETL_OUTCOME_UNKNOWN }, /* transaction resolution unknown */
	{ "08P01", ETL_FATAL },		  /* protocol violation */
	{ "08004", ETL_FATAL },		  /* server rejected the connection */
	{ "08", ETL_RETRY_CONNECTION },
	{ "40001", ETL_RETRY_STATEMENT }, /* serialization failure */
	{ "40P01", ETL_RETRY_STATEMENT }, /* deadlock */
	{ "40002", ETL_DATA },		  /* integrity constraint at commit */
	{ "40", ETL_RETRY_STATEMENT },
	{ "55P03", ETL_RETRY_STATEMENT },  /* lock not available */
	{ "55006", ETL_RETRY_STATEMENT },  /* object in use */
	{ "57P01", ETL_RETRY_CONNECTION }, /* admin shutdown */
	{ "57P02", ETL_RETRY_CONNECTION }, /* crash shutdown */
	{ "57P03", ETL_RETRY_CONNECTION }, /* cannot connect now */
	{ "57P05", ETL_RETRY_CONNECTION }, /* idle session timeout */
	{ "25P03", ETL_RETRY_CONNECTION }, /* idle in transaction timeout */
	{ "53300", ETL_FEWER_WORKERS },	   /* too many connections */
	{ "53200", ETL_FEWER_WORKERS },	   /* out of memory at the server */
	{ "21", ETL_DATA },		   /* cardinality violation */
	{ "22", ETL_DATA },		   /* data exception */
	{ "23", ETL_DATA },		   /* integrity constraint violation */
	{ "44", ETL_DATA },		   /* WITH CHECK OPTION */
	{ "28", ETL_USAGE },		   /* authorization */
	{ "3D000", ETL_USAGE },		   /* no such database */
};

int32_t etl_sqlstate_class(const char *sqlstate)
{
	if (!sqlstate || strlen(sqlstate) != 5)
		return ETL_FATAL;
	for (size_t i = 0; i < sizeof(state_rows) / sizeof(state_rows[0]); i++)
		if (strncmp(sqlstate, state_rows[i].prefix, strlen(state_rows[i].prefix)) == 0)
			return state_rows[i].klass;
	return ETL_FATAL;
}
