/*
 * SQL Server, Azure SQL and Babelfish: the numbers of their errors and the forms in which their values are read. The
 * numbers are those of Microsoft's "Troubleshoot transient connection errors in SQL Database" and of its client
 * libraries' lists of what to retry.
 */
#include "config.h"

#include <strings.h>

#include "dialect.h"

#define BUSY 10000 /* milliseconds: the least to wait, as the server asks for it */

static const struct odbc_meaning meanings[] = {
	/* May pass on a new connection. */
	{ 40197, ETL_RETRY_CONNECTION, 0, "" },
	{ 40501, ETL_RETRY_CONNECTION, BUSY, "; the service is busy" },
	{ 40613, ETL_RETRY_CONNECTION, 5000,
	  "; a serverless database that was paused is started by this very attempt, which takes "
	  "about a minute" },
	{ 40143, ETL_RETRY_CONNECTION, 0, "" },
	{ 40540, ETL_RETRY_CONNECTION, 0, "" },
	{ 49918, ETL_RETRY_CONNECTION, BUSY, "" },
	{ 49919, ETL_RETRY_CONNECTION, BUSY, "" },
	{ 49920, ETL_RETRY_CONNECTION, BUSY, "" },
	{ 4060, ETL_RETRY_CONNECTION, 0,
	  "; look at database, and whether this user may use it; one that was only just made may take "
	  "a moment" },
	{ 4221, ETL_RETRY_CONNECTION, 0, "" },
	{ 615, ETL_RETRY_CONNECTION, 0, "" },
	{ 926, ETL_RETRY_CONNECTION, 0, "" },
	{ 233, ETL_RETRY_CONNECTION, 0, "" },
	{ 64, ETL_RETRY_CONNECTION, 0, "" },
	{ 121, ETL_RETRY_CONNECTION, 0, "" },
	{ 10053, ETL_RETRY_CONNECTION, 0, "" },
	{ 10054, ETL_RETRY_CONNECTION, 0, "" },
	{ 10060, ETL_RETRY_CONNECTION, 0, "; nothing answers: look at server and port, and at firewalls between" },
	/* Too many at once. */
	{ 10928, ETL_FEWER_WORKERS, 0, "; the database's tier allows no more workers" },
	{ 10929, ETL_FEWER_WORKERS, 0, "; the server is too busy for this tier" },
	/* May pass at once. */
	{ 1204, ETL_RETRY_STATEMENT, 0, "; the server has no locks left" },
	{ 1205, ETL_RETRY_STATEMENT, 0, "" },
	{ 1222, ETL_RETRY_STATEMENT, 0, "" },
	/* Nobody lets us in. */
	{ 18456, ETL_USAGE, 0, "; look at user and password, and at auth" },
	{ 40615, ETL_USAGE, 0,
	  "; the server's firewall does not know this address: az sql server firewall-rule create "
	  "--server NAME --resource-group GROUP --name etlrun --start-ip-address ADDRESS "
	  "--end-ip-address ADDRESS" },
	{ 40532, ETL_USAGE, 0, "; look at server and user: such a login goes USER@SERVER" },
	{ 911, ETL_USAGE, 0, "; look at database" },
	/* Full. */
	{ 40544, ETL_FATAL, 0, "; the database has reached its size: raise its max size, or make room" },
	{ 1105, ETL_FATAL, 0, "; make room on the server's disk and run again" },
	{ 9002, ETL_FATAL, 0, "; the transaction log is full: make room for it and run again" },
	/* The rows. */
	{ 547, ETL_DATA, 0, "" },
	{ 2627, ETL_DATA, 0, "" },
	{ 2601, ETL_DATA, 0, "" },
	{ 515, ETL_DATA, 0, "" },
	{ 245, ETL_DATA, 0, "" },
	{ 220, ETL_DATA, 0, "" },
	{ 241, ETL_DATA, 0, "" },
	{ 8114, ETL_DATA, 0, "" },
	{ 8115, ETL_DATA, 0, "" },
	{ 8134, ETL_DATA, 0, "" },
	{ 8152, ETL_DATA, 0, "" },
	{ 2628, ETL_DATA, 0, "" },
	{ 1785, ETL_USAGE, 0, "; two paths of cascading keys lead there: one of them must be NO ACTION" },
	/* What the caller has no right to. */
	{ 229, ETL_FATAL, 0, "; let its owner GRANT it to this user, or come as another" },
	{ 262, ETL_FATAL, 0, "; let its owner GRANT it to this user, or come as another" },
	{ 0 }
};

static bool is_reserved(const char *schema)
{
	static const char *const own[] = { "sys", "INFORMATION_SCHEMA", "guest" };

	for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
		if (strcasecmp(schema, own[i]) == 0)
			return true;
	return strncasecmp(schema, "db_", 3) == 0;
}

/* As struct values they lose the fraction of a time, and the years before 1601 by some drivers. */
static const char *as_text(int32_t type, const char *declared)
{
	switch (type) {
	case ETL_DATE:
		return "CONVERT(nvarchar(10), %s, 23)";
	case ETL_TIME:
		return "CONVERT(nvarchar(16), %s, 121)";
	case ETL_TIMESTAMP:
		return "CONVERT(nvarchar(33), %s, 126)";
	case ETL_INSTANT:
		return "CONVERT(nvarchar(40), %s, 126)";
	case ETL_UUID:
		return "CONVERT(nvarchar(36), %s)";
	case ETL_DECIMAL:
	case ETL_NUMERIC:
		return strcasestr(declared, "money") ? "CONVERT(nvarchar(40), CONVERT(decimal(19,4), %s))" :
						       "CONVERT(nvarchar(41), %s)";
	default:
		return strncasecmp(declared, "xml", 3) == 0 ? "CONVERT(nvarchar(max), %s)" : NULL;
	}
}

const struct odbc_dialect odbc_tsql = {
	.name = "tsql",
	.dbms = "Microsoft SQL Server",
	.quote = '[',
	.default_schema = "dbo",
	.setup = "SET QUOTED_IDENTIFIER ON; SET ANSI_NULLS ON; SET ANSI_PADDING ON; SET ANSI_WARNINGS ON; "
		 "SET CONCAT_NULL_YIELDS_NULL ON; SET ARITHABORT ON; SET NUMERIC_ROUNDABORT OFF; "
		 "SET DATEFORMAT ymd; SET XACT_ABORT ON; SET NOCOUNT ON; SET TEXTSIZE 2147483647",
	.meanings = meanings,
	.as_text = as_text,
	.is_reserved = is_reserved,
};
