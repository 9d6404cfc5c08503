/*
 * What SQL Server does not say of itself: it gives masks in the place of values (dynamic data masking), and leaves out rows
 * that a security policy hides. Of the first it tells who sees them, so they are not read; of the second nobody can be
 * sure, so it is said.
 */
#include "config.h"

#include <stdlib.h>

#include "reading.h"

static void add_object(struct etl_text *sql, const struct reading *r)
{
	struct etl_text name = { 0 };

	odbc_add_table(&name, r->inst, r->read.dataset.schema, r->read.dataset.table);
	etl_text_add(sql, "N");
	etl_text_add_literal(sql, name.at ? name.at : "");
	sql->failed |= name.failed;
	etl_text_free(&name);
}

/* An older server knows neither view, and does neither. */
static int64_t count(struct reading *r, struct etl_text *sql)
{
	struct etl_text text = { 0 };
	int64_t rows = 0;

	if (!sql->failed && odbc_ask_quietly(r->inst, sql->at, &text) && text.at)
		rows = strtoll(text.at, NULL, 10);
	etl_text_free(&text);
	etl_text_free(sql);
	return rows;
}

/* The right UNMASK is one of the database, and since SQL Server 2022 one of a table too. */
static int64_t masked_columns(struct reading *r)
{
	struct etl_text sql = { 0 };

	etl_text_add(&sql, "SELECT COUNT(*) FROM sys.masked_columns WHERE object_id = OBJECT_ID(");
	add_object(&sql, r);
	etl_text_add(&sql, ") AND ISNULL(HAS_PERMS_BY_NAME(DB_NAME(), N'DATABASE', N'UNMASK'), 0) = 0 AND "
			   "ISNULL(HAS_PERMS_BY_NAME(");
	add_object(&sql, r);
	etl_text_add(&sql, ", N'OBJECT', N'UNMASK'), 0) = 0");
	return count(r, &sql);
}

static int64_t filters(struct reading *r)
{
	struct etl_text sql = { 0 };

	etl_text_add(&sql, "SELECT COUNT(*) FROM sys.security_predicates p JOIN sys.security_policies s ON s.object_id = "
			   "p.object_id WHERE s.is_enabled = 1 AND p.predicate_type = 0 AND p.target_object_id = OBJECT_ID(");
	add_object(&sql, r);
	etl_text_add(&sql, ")");
	return count(r, &sql);
}

int reading_guard(struct reading *r)
{
	const struct etl_instance *inst = r->inst;

	if (inst->dialect != &odbc_tsql || inst->babelfish || !r->read.dataset.table || r->keys)
		return ETL_OK;
	if (masked_columns(r) > 0)
		return inst->host->fail(r->err, ETL_FATAL, NULL, 0,
					"%s has masked columns, and user \"%s\" would read the masks; GRANT UNMASK to it, or leave the "
					"table out",
					r->what.at, inst->user);
	if (filters(r) > 0)
		inst->host->log(inst->host, ETL_LOG_WARN,
				"%s has a security policy that may hide rows from user \"%s\": those are not read", r->what.at,
				inst->user);
	return ETL_OK;
}
