/*
 * How far a cursor has come, so that no later read misses a row. A transaction that was under way when the view was opened
 * may commit a row behind that point afterwards, with an older time or a lower number. So the point is taken back to the
 * beginning of the oldest of them where the cursor is a time with a zone, which the server compares with its own clock; of
 * any other the transactions themselves are written down, as "VALUE;XID": a row that a transaction from XID on has written
 * was not seen, whatever its cursor says. That takes a pass over the table, and is left out when nobody was at work.
 */
#include "config.h"

#include <stdlib.h>

#include "literal.h"
#include "read.h"

/* Before the view is opened: what is under way then is not in it, or has ended before. Sessions of other users may hide
 * what they do. What a standby repeats it does not list. */
static const char at_work[] =
	"SELECT min(since)::text, count(*) > 0, coalesce(bool_or(hidden), false) OR pg_catalog.pg_is_in_recovery() FROM ("
	"SELECT xact_start AS since, xact_start IS NULL AS hidden FROM pg_catalog.pg_stat_activity "
	"WHERE datname = pg_catalog.current_database() AND pid <> pg_catalog.pg_backend_pid() "
	"AND (xact_start IS NOT NULL AND backend_type NOT IN ('autovacuum worker', 'walsender') OR backend_type IS NULL) "
	"UNION ALL SELECT prepared, true FROM pg_catalog.pg_prepared_xacts WHERE database = pg_catalog.current_database()) AS x";

int postgres_find_writers(struct etl_instance *inst, struct etl_error *err)
{
	PGresult *result;
	int rc = postgres_query(inst, err, &result, at_work, 0, NULL);

	if (rc < 0)
		return rc;
	snprintf(inst->writers.since, sizeof(inst->writers.since), "%s",
		 PQgetisnull(result, 0, 0) ? "" : PQgetvalue(result, 0, 0));
	inst->writers.any = postgres_flag_at(result, 0, 1);
	inst->writers.hidden = postgres_flag_at(result, 0, 2);
	inst->writers.any |= inst->writers.hidden;
	PQclear(result);
	return ETL_OK;
}

/* The greatest value as text, its type, and the first transaction that this view may not see all of. */
static int ask(struct etl_instance *inst, const struct relation *r, const struct etl_read *read, PGresult **ret,
	       struct etl_error *err)
{
	struct etl_read whole = { .dataset = read->dataset };
	struct etl_text sql = { 0 }, column = { 0 };
	int rc;

	select_add_column(&column, r, read->cursor);
	etl_text_addf(&sql,
		      "SELECT max(%s)::text, pg_catalog.pg_typeof(max(%s))::text, "
		      "pg_catalog.txid_snapshot_xmin(pg_catalog.txid_current_snapshot()) FROM ",
		      column.at ? column.at : "", column.at ? column.at : "");
	sql.failed |= column.failed;
	postgres_select_add_from(&sql, r, NULL);
	select_add_where(&sql, r, &whole, NULL);
	rc = sql.failed ? postgres_no_memory(inst, err) : postgres_query(inst, err, ret, sql.at, 0, NULL);
	etl_text_free(&sql);
	etl_text_free(&column);
	return rc;
}

static int earlier(struct etl_instance *inst, const char *value, char **ret, struct etl_error *err)
{
	return postgres_text(inst, err, ret, "SELECT least($1::timestamptz, $2::timestamptz)::text", 2,
			     (const char *const[]){ value, inst->writers.since });
}

/* A query, or a view, shows nobody's transactions. */
static void warn_blind(struct etl_instance *inst, const struct etl_read *read)
{
	inst->host->log(inst->host, ETL_LOG_WARN,
			"cursor \"%s\": other transactions are under way, and which rows of a query or view are theirs cannot be "
			"told; a row of theirs with a value up to the one reached now is missed, unless `overlap` is longer than "
			"they take",
			read->cursor);
}

static int put(struct etl_instance *inst, const struct relation *r, const struct etl_read *read, const PGresult *max,
	       struct etl_token *ret, struct etl_error *err)
{
	bool zoned = strcmp(PQgetvalue(max, 0, 1), "timestamp with time zone") == 0;
	const char *value = PQgetvalue(max, 0, 0);
	char *back = NULL;
	int rc = ETL_OK;

	if (inst->writers.any && zoned && !inst->writers.hidden) {
		rc = earlier(inst, value, &back, err);
		snprintf(ret->text, sizeof(ret->text), "%s", back ? back : "");
	} else if (inst->writers.any && r->kind && strchr("rmp", r->kind)) {
		snprintf(ret->text, sizeof(ret->text), "%s;%s", value, PQgetvalue(max, 0, 2));
	} else {
		if (inst->writers.any)
			warn_blind(inst, read);
		snprintf(ret->text, sizeof(ret->text), "%s", value);
	}
	free(back);
	return rc;
}

int postgres_watermark(struct etl_instance *inst, const struct etl_read *read, struct etl_token *ret, struct etl_error *err)
{
	struct relation r = { .name = NULL };
	PGresult *max = NULL;
	int rc = postgres_ready(inst, err);

	memset(ret->text, 0, sizeof(ret->text));
	if (rc == ETL_OK)
		rc = relation_path(inst, err);
	if (rc == ETL_OK)
		rc = relation_find(inst, &read->dataset, &r, err);
	if (rc == ETL_OK)
		rc = ask(inst, &r, read, &max, err);
	if (rc == ETL_OK && strlen(PQgetvalue(max, 0, 0)) + 24 > sizeof(ret->text))
		rc = inst->host->fail(err, ETL_USAGE, NULL, 0,
				      "cursor \"%s\": its greatest value is longer than the %zu bytes that are kept of it; a cursor "
				      "is a time or a number",
				      read->cursor, sizeof(ret->text));
	/* An empty table: the next read takes everything. */
	if (rc == ETL_OK && !PQgetisnull(max, 0, 0))
		rc = put(inst, &r, read, max, ret, err);
	PQclear(max);
	relation_free(&r);
	return rc;
}

void watermark_add_since(struct etl_text *sql, const struct relation *r, const struct etl_read *read)
{
	const char *xid = strchr(read->since, ';');
	struct etl_text value = { 0 };

	etl_text_add_bytes(&value, read->since, xid ? (size_t)(xid - read->since) : strlen(read->since));
	etl_text_add(sql, "(");
	select_add_column(sql, r, read->cursor);
	etl_text_add(sql, " >= ");
	etl_text_add_literal(sql, value.at ? value.at : "");
	etl_text_add(sql, " OR ");
	select_add_column(sql, r, read->cursor);
	etl_text_add(sql, " IS NULL");
	if (xid) {
		etl_text_add(sql, " OR pg_catalog.age(");
		select_add_column(sql, r, "xmin");
		/* Transactions are numbered anew after 2^32, and compared over half of that. */
		etl_text_addf(sql,
			      ") <= pg_catalog.age((%s::bigint %% 4294967296)::text::xid) OR "
			      "pg_catalog.txid_snapshot_xmin(pg_catalog.txid_current_snapshot()) - %s::bigint > 2000000000",
			      xid + 1, xid + 1);
	}
	etl_text_add(sql, ")");
	sql->failed |= value.failed;
	etl_text_free(&value);
}
