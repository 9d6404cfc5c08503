/*
 * SQL Server, Azure SQL and Babelfish: the numbers of their errors and the forms in which their values are read. The
 * numbers are those of Microsoft's "Troubleshoot transient connection errors in SQL Database" and of its client
 * libraries' lists of what to retry.
 */
#include "config.h"

#include <strings.h>

#include "describe.h"
#include "layout.h"
#include "tsql-from-sqlite.h"

/* Milliseconds, the least to wait: as the server asks for it; and what Microsoft's "Troubleshoot transient connection errors"
 * has as the first delay, lest many who come back at once keep the service down. */
#define BUSY	10000
#define MOVING	5000

static const struct odbc_meaning meanings[] = {
	/* May pass on a new connection. */
	{ 40197, ETL_RETRY_CONNECTION, MOVING, "" },
	{ 40501, ETL_RETRY_CONNECTION, BUSY, "; the service is busy" },
	{ 40613, ETL_RETRY_CONNECTION, MOVING,
	  "; a serverless database that was paused is started by this very attempt, which takes about a minute "
	  "(Microsoft): more `retries` in the pipeline wait longer; one that is never ready, `az sql db show` tells more of" },
	{ 40143, ETL_RETRY_CONNECTION, MOVING, "" },
	{ 40540, ETL_RETRY_CONNECTION, MOVING, "" },
	{ 49918, ETL_RETRY_CONNECTION, BUSY, "" },
	{ 49919, ETL_RETRY_CONNECTION, BUSY, "" },
	{ 49920, ETL_RETRY_CONNECTION, BUSY, "" },
	{ 4060, ETL_RETRY_CONNECTION, 0,
	  "; look at database, and whether this user may use it; one that was only just made may take "
	  "a moment" },
	{ 4221, ETL_RETRY_CONNECTION, MOVING, "" },
	{ 615, ETL_RETRY_CONNECTION, MOVING, "" },
	{ 926, ETL_RETRY_CONNECTION, MOVING, "" },
	{ 233, ETL_RETRY_CONNECTION, 0, "" },
	{ 64, ETL_RETRY_CONNECTION, 0, "" },
	{ 121, ETL_RETRY_CONNECTION, 0, "" },
	{ 10053, ETL_RETRY_CONNECTION, 0, "" },
	{ 10054, ETL_RETRY_CONNECTION, 0, "" },
	{ 10060, ETL_RETRY_CONNECTION, 0, "; nothing answers: look at server and port, and at firewalls between" },
	{ 11001, ETL_RETRY_CONNECTION, 0,
	  "; the name of the server is not known: look at server, and whether this machine can look names up" },
	/* Too many at once. */
	{ 10928, ETL_FEWER_WORKERS, 0, "; the database's tier allows no more workers" },
	{ 10929, ETL_FEWER_WORKERS, 0, "; the server is too busy for this tier" },
	/* May pass at once. */
	{ 1204, ETL_RETRY_STATEMENT, 0, "; the server has no locks left" },
	{ 1205, ETL_RETRY_STATEMENT, 0, "" },
	{ 1222, ETL_RETRY_STATEMENT, 0, "" },
	{ 6401, ETL_RETRY_STATEMENT, 0, "; the server took the whole transaction back, and the rows come again" },
	/* Nobody lets us in. */
	{ 18456, ETL_USAGE, 0, "; look at user and password, and at auth" },
	{ 40615, ETL_USAGE, 0,
	  "; the server's firewall does not know this address: az sql server firewall-rule create "
	  "--server NAME --resource-group GROUP --name etlrun --start-ip-address ADDRESS "
	  "--end-ip-address ADDRESS" },
	{ 40914, ETL_USAGE, 0, "; no rule of the server lets this subnet in: az sql server vnet-rule create" },
	{ 18452, ETL_USAGE, 0,
	  "; the driver came as this machine's user, whose domain the server does not trust: auth = \"sql\" with user and password, or a "
	  "ticket (kinit) of a domain that it does" },
	{ 42119, ETL_FATAL, 0, "; the free limit of the month is used up, and the database paused until the next: az sql db update" },
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
	{ 3726, ETL_FATAL, 0, "; another table refers to it by a foreign key: drop that, or keep the table (on_existing = \"truncate\")" },
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

/*
 * A variant says of each value what it is. Style 3 gives of a real all its digits (Babelfish with blanks around them), 126 of a
 * moment, 1 of bytes "0x…" (Microsoft's "CAST and CONVERT"); a variant has at most 8,000 bytes.
 */
#define VARIANT                                                                                        \
	"CASE CONVERT(nvarchar(40), SQL_VARIANT_PROPERTY(%s, 'BaseType')) WHEN 'float' THEN LTRIM(RTRIM(CONVERT(nvarchar(4000), "  \
	"CONVERT(float, %s), 3))) WHEN 'real' THEN LTRIM(RTRIM(CONVERT(nvarchar(4000), CONVERT(real, %s), 3))) WHEN 'money' THEN "   \
	"CONVERT(nvarchar(4000), CONVERT(decimal(19,4), %s)) WHEN 'smallmoney' THEN CONVERT(nvarchar(4000), "         \
	"CONVERT(decimal(10,4), %s)) WHEN 'binary' THEN CONVERT(nvarchar(max), CONVERT(varbinary(8000), %s), 1) WHEN "  \
	"'varbinary' THEN CONVERT(nvarchar(max), CONVERT(varbinary(8000), %s), 1) WHEN 'datetime' THEN "              \
	"CONVERT(nvarchar(4000), CONVERT(datetime, %s), 126) WHEN 'smalldatetime' THEN CONVERT(nvarchar(4000), "      \
	"CONVERT(smalldatetime, %s), 126) ELSE CONVERT(nvarchar(4000), %s) END"

/* Types that are T-SQL's own; those of the CLR know their text. */
static const char *as_own_text(const char *declared)
{
	static const char *const clr[] = { "hierarchyid", "geography", "geometry" };

	for (size_t i = 0; i < sizeof(clr) / sizeof(*clr); i++)
		if (strcasecmp(declared, clr[i]) == 0)
			return "%s.ToString()";
	if (strcasecmp(declared, "sql_variant") == 0)
		return VARIANT;
	return strncasecmp(declared, "xml", 3) == 0 ? "CONVERT(nvarchar(max), %s)" : NULL;
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
		/* Babelfish puts a blank before the offset. */
		return "REPLACE(REPLACE(CONVERT(nvarchar(40), %s, 126), N' +', N'+'), N' -', N'-')";
	case ETL_UUID:
		return "CONVERT(nvarchar(36), %s)";
	case ETL_DECIMAL:
	case ETL_NUMERIC:
		return strcasestr(declared, "money") ? "CONVERT(nvarchar(40), CONVERT(decimal(19,4), %s))" :
						       "CONVERT(nvarchar(41), %s)";
	default:
		return as_own_text(declared);
	}
}

/* ---- As a target ------------------------------------------------------------------------------------------- */

static void add_collation(struct etl_text *ret, const struct odbc_room *room)
{
	if (room->nocase)
		etl_text_add(ret, " COLLATE " TSQL_NOCASE);
	else if (room->binary)
		etl_text_add(ret, " COLLATE " TSQL_BINARY);
}

static void say(int32_t *verdict, struct etl_text *note, int32_t at_least, const char *words)
{
	if (at_least > *verdict)
		*verdict = at_least;
	etl_text_addf(note, "%s%s", note->length ? "; " : "", words);
}

/* MOST: of the type. Its length by what the keys allow, else by what was declared; 0: max. */
static int64_t length_of(const struct etl_column *c, const struct odbc_room *room, int64_t most, int32_t *verdict,
			 struct etl_text *note)
{
	int64_t length = room->key ? room->most : c->length > 0 && c->longest > c->length ? c->longest : c->length;

	if (room->key && length == 0)
		length = TSQL_INDEX_BYTES / 2;
	if (room->key && (c->longest > length || c->length == 0))
		say(verdict, note, ETL_APPROXIMATED, "a key has only so many bytes: a longer value is rejected");
	return length > 0 && length <= most ? length : 0;
}

static void add_nvarchar(struct etl_text *ret, const struct etl_column *c, const struct odbc_room *room, int32_t *verdict,
			 struct etl_text *note)
{
	int64_t length = length_of(c, room, TSQL_NVARCHAR_UNITS, verdict, note);

	if (length)
		etl_text_addf(ret, "nvarchar(%lld)", (long long)length);
	else
		etl_text_add(ret, "nvarchar(max)");
	add_collation(ret, room);
	if (room->nocase)
		say(verdict, note, ETL_APPROXIMATED, "NOCASE ignores the case of all letters here, not only of A to Z");
}

static void add_varbinary(struct etl_text *ret, const struct etl_column *c, const struct odbc_room *room, int32_t *verdict,
			  struct etl_text *note)
{
	int64_t length = length_of(c, room, TSQL_VARBINARY_BYTES, verdict, note);

	if (length)
		etl_text_addf(ret, "varbinary(%lld)", (long long)length);
	else
		etl_text_add(ret, "varbinary(max)");
}

static const char *tsql_word(int32_t type)
{
	switch (type) {
	case ETL_BOOL:
		return "bit";
	case ETL_INT16:
		return "smallint";
	case ETL_INT32:
		return "int";
	case ETL_INT64:
		return "bigint";
	case ETL_FLOAT32:
		return "real";
	case ETL_FLOAT64:
		return "float(53)";
	case ETL_DATE:
		return "date";
	case ETL_TIME:
		return "time(6)";
	case ETL_TIMESTAMP:
		return "datetime2(6)";
	case ETL_INSTANT:
		return "datetimeoffset(6)";
	case ETL_UUID:
		return "uniqueidentifier";
	default:
		return "nvarchar(max)";
	}
}

/* A column that refers to one of a table that is there has its very type. */
static void add_alike(struct etl_text *ret, const struct etl_column *like)
{
	etl_text_add(ret, like->declared);
	if (like->collation && strcasestr(like->declared, "char"))
		etl_text_addf(ret, " COLLATE %s", like->collation);
}

static void add_type(struct etl_text *ret, const struct etl_column *c, const struct odbc_room *room, int32_t *verdict,
		     struct etl_text *note)
{
	if (room->like && room->like->declared && *room->like->declared) {
		add_alike(ret, room->like);
	} else if (c->type == ETL_TEXT) {
		add_nvarchar(ret, c, room, verdict, note);
	} else if (c->type == ETL_BYTES) {
		add_varbinary(ret, c, room, verdict, note);
	} else if (c->type == ETL_DECIMAL) {
		etl_text_addf(ret, "decimal(%d,%d)", c->precision, c->scale);
	} else if (c->type == ETL_JSON && room->key) {
		add_nvarchar(ret, c, room, verdict, note);
	} else if (c->type == ETL_NUMERIC || c->type == ETL_ANY) {
		add_nvarchar(ret, c, room, verdict, note);
		say(verdict, note, ETL_APPROXIMATED,
		    c->type == ETL_NUMERIC ?
			    "as a text: decimal has 38 digits at most, and how many are needed is not known" :
			    "as a text: values of several types");
	} else {
		etl_text_add(ret, tsql_word(c->type));
	}
	if (c->plain && c->type == ETL_DECIMAL)
		say(verdict, note, ETL_APPROXIMATED, "declared without digits: 20 before and 8 behind the point, which its values fit");
	else if (c->plain && c->type == ETL_FLOAT64)
		say(verdict, note, ETL_APPROXIMATED, "declared without digits: its values are binary fractions");
}

static void add_rename(struct etl_text *sql, const struct etl_instance *inst, const char *schema, const char *from,
		       const char *to)
{
	struct etl_text name = { 0 };

	odbc_add_table(&name, inst, schema, from);
	etl_text_add(sql, "EXEC sp_rename N");
	etl_text_add_literal(sql, name.at ? name.at : "");
	etl_text_add(sql, ", N");
	etl_text_add_literal(sql, to);
	etl_text_add(sql, ", N'OBJECT'");
	sql->failed |= name.failed;
	etl_text_free(&name);
}

static void add_rename_key(struct etl_text *sql, const struct etl_instance *inst, const char *schema, const char *table,
			   const char *from, const char *to)
{
	(void)table;
	add_rename(sql, inst, schema, from, to);
}

/* 2,100, of which drivers take some for the statement itself. */
static int64_t most_parameters(const struct etl_instance *inst)
{
	(void)inst;
	return 2000;
}

const struct odbc_dialect odbc_tsql = {
	.name = "tsql",
	.dbms = "Microsoft SQL Server",
	.quote = '[',
	.default_schema = "dbo",
	.setup = "SET QUOTED_IDENTIFIER ON; SET ANSI_NULLS ON; SET ANSI_PADDING ON; SET ANSI_WARNINGS ON; "
		 "SET CONCAT_NULL_YIELDS_NULL ON; SET ARITHABORT ON; SET NUMERIC_ROUNDABORT OFF; "
		 "SET DATEFORMAT ymd; SET XACT_ABORT ON; SET TEXTSIZE 2147483647",
	.begin = "BEGIN TRANSACTION",
	.commit = "COMMIT TRANSACTION",
	.rollback = "IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION",
	.savepoint = "SAVE TRANSACTION etlrun_row",
	.back_to_savepoint = "ROLLBACK TRANSACTION etlrun_row",
	.open_transactions = "SELECT @@TRANCOUNT",
	.holds_on = "SET IMPLICIT_TRANSACTIONS ON",
	.lets_go = "SET IMPLICIT_TRANSACTIONS OFF",
	.most_parameters = most_parameters,
	.key_type = "nvarchar(200)",
	.text_type = "nvarchar(max)",
	.name_most = 128,
	.add_type = add_type,
	.add_rename = add_rename,
	.add_rename_key = add_rename_key,
	.meanings = meanings,
	.as_text = as_text,
	.is_reserved = is_reserved,
	.read_catalog = odbc_read_tsql,
};
