/* What a load waits for, asked of the server: for load-rate.h. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "load.h"

#define LOOK 5000 /* milliseconds between two looks within a load */

#define EDITION "SELECT CAST(SERVERPROPERTY('EngineEdition') AS int)"
#define LIMIT	"SELECT primary_max_log_rate FROM sys.dm_user_db_resource_governance WHERE database_id = DB_ID()"
#define WAITS                                                                                                             \
	"SELECT TOP (1) SUM(wait_time_ms) OVER (), wait_type FROM sys.dm_exec_session_wait_stats WHERE session_id = @@SPID " \
	"AND (wait_type LIKE N'%LOG[_]RATE[_]GOVERNOR' OR wait_type LIKE N'HADR[_]THROTTLE[_]LOG[_]RATE%') "             \
	"ORDER BY wait_time_ms DESC"

enum { SQL_DATABASE = 5, MANAGED_INSTANCE = 8 }; /* EngineEdition of Azure's two */

static void read_type(SQLHSTMT stmt, char *ret, size_t room)
{
	SQLWCHAR wide[64];
	SQLLEN bytes = 0;
	struct etl_text text = { 0 };

	if (SQL_SUCCEEDED(SQLGetData(stmt, 2, SQL_C_WCHAR, wide, sizeof(wide), &bytes)) && bytes > 0 &&
	    bytes < (SQLLEN)sizeof(wide))
		odbc_narrow(&text, wide, (size_t)bytes / sizeof(*wide));
	if (text.at)
		snprintf(ret, room, "%s", text.at);
	etl_text_free(&text);
}

/* What this session has waited for the log, in milliseconds; negative: it may not know, and SAID why. No row: not at all. */
static int64_t ask_waits(struct etl_instance *inst, char *type, size_t room, struct odbc_said *said)
{
	SQLHSTMT stmt = SQL_NULL_HSTMT;
	size_t units;
	SQLWCHAR *wide = odbc_wide(WAITS, strlen(WAITS), &units);
	SQLLEN length = 0;
	int64_t ret = 0;
	bool ok = wide && SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_STMT, inst->db, &stmt)) &&
		  SQL_SUCCEEDED(SQLExecDirectW(stmt, wide, (SQLINTEGER)units));

	if (ok && SQL_SUCCEEDED(SQLFetch(stmt))) {
		ok = SQL_SUCCEEDED(SQLGetData(stmt, 1, SQL_C_SBIGINT, &ret, sizeof(ret), &length));
		read_type(stmt, type, room);
	}
	if (!ok && stmt != SQL_NULL_HSTMT && said)
		odbc_listen(inst, SQL_HANDLE_STMT, stmt, said);
	if (stmt != SQL_NULL_HSTMT)
		SQLFreeHandle(SQL_HANDLE_STMT, stmt);
	free(wide);
	return !ok ? -1 : length == SQL_NULL_DATA || ret < 0 ? 0 : ret;
}

/* Outside any transaction: a server may take that back when it refuses the question. */
static bool ask_whether(struct etl_instance *inst, int64_t *ret_rate)
{
	struct odbc_said said = { 0 };
	int64_t edition = 0;
	char type[64];
	bool may;

	if (!ladder_ask(inst, EDITION, &edition) || (edition != SQL_DATABASE && edition != MANAGED_INSTANCE))
		return false;
	may = ask_waits(inst, type, sizeof(type), &said) >= 0;
	if (!may)
		inst->host->log(inst->host, ETL_LOG_INFO,
				"whether the server's log rate limits the load is not known, for its waits may not be read "
				"(VIEW DATABASE STATE lets the user): %s",
				said.words.at ? said.words.at : "no reason is given");
	etl_text_free(&said.words);
	if (may && !ladder_ask(inst, LIMIT, ret_rate))
		*ret_rate = 0;
	return may;
}

static pthread_mutex_t asking = PTHREAD_MUTEX_INITIALIZER;

/* The first load asks; who comes meanwhile waits for the answer. */
static void find_out(struct etl_instance *inst)
{
	int64_t rate = 0;
	bool governs;

	pthread_mutex_lock(&asking);
	if (rate_governs() == 0) {
		governs = inst->dialect == &odbc_tsql && !inst->babelfish && ask_whether(inst, &rate);
		rate_know(inst->host, governs, rate);
	}
	pthread_mutex_unlock(&asking);
}

/* ---- A load ---------------------------------------------------------------------------------------------------------------- */

int watch_begin(struct loading *l)
{
	struct rate_watch *w = &l->watch;
	char type[64];
	int rc;

	find_out(l->inst);
	if (rate_governs() < 0)
		return ETL_OK;
	rc = rate_begin(l->inst->host, &w->loads);
	if (rc < 0)
		return rc;
	w->begun = true;
	w->waited = ask_waits(l->inst, type, sizeof(type), NULL);
	w->since = rate_clock();
	w->on = w->waited >= 0;
	return ETL_OK;
}

bool watch_is_due(const struct loading *l)
{
	return l->watch.on && rate_clock() - l->watch.since >= LOOK;
}

void watch_look(struct loading *l)
{
	struct rate_watch *w = &l->watch;
	char type[64] = "";
	int64_t waited = ask_waits(l->inst, type, sizeof(type), NULL), now = rate_clock();

	w->on = waited >= 0;
	if (!w->on)
		return;
	rate_count(l->inst->host, w->loads, waited > w->waited ? waited - w->waited : 0, now - w->since, type);
	w->since = now;
	w->waited = waited;
}

void watch_end(struct loading *l, bool done)
{
	if (done && l->watch.on && l->inst->connected)
		watch_look(l);
	if (l->watch.begun)
		rate_end();
	l->watch.begun = false;
}
