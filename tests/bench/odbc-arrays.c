/*
 * The plain loop of parameter arrays that a C program would have: rows of four columns into a table that it makes, by arrays
 * of 1000, in one transaction. odbc-arrays CONNECTION TABLE ROWS ID NAME AT [BEFORE] prints milliseconds of the load; ID, NAME and AT
 * are types of columns, BEFORE a statement between making the table and loading it.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sql.h>
#include <sqlext.h>

#define ARRAY 1000
#define WORD  40

static SQLHENV env;
static SQLHDBC db;
static SQLHSTMT stmt;
static int64_t ids[ARRAY];
static double values[ARRAY];
static SQLWCHAR names[ARRAY][WORD], days[ARRAY][WORD];
static SQLLEN lengths[ARRAY], name_lengths[ARRAY], day_lengths[ARRAY];

static void must(SQLRETURN code, SQLSMALLINT type, SQLHANDLE handle, const char *what)
{
	SQLCHAR state[6], text[512];
	SQLINTEGER native;
	SQLSMALLINT length;

	if (SQL_SUCCEEDED(code) || code == SQL_NO_DATA)
		return;
	fprintf(stderr, "%s failed", what);
	if (SQL_SUCCEEDED(SQLGetDiagRec(type, handle, 1, state, &native, text, sizeof(text), &length)))
		fprintf(stderr, ": %s", (const char *)text);
	fprintf(stderr, "\n");
	exit(1);
}

static void run(const char *sql)
{
	must(SQLExecDirect(stmt, (SQLCHAR *)(uintptr_t)sql, SQL_NTS), SQL_HANDLE_STMT, stmt, sql);
	SQLFreeStmt(stmt, SQL_CLOSE);
}

static SQLLEN spell(SQLWCHAR *to, const char *text)
{
	SQLLEN units = 0;

	for (; text[units]; units++)
		to[units] = (SQLWCHAR)(unsigned char)text[units];
	return units * (SQLLEN)sizeof(*to);
}

static void fill(int64_t first, int64_t rows)
{
	for (int64_t i = 0; i < rows; i++) {
		char text[WORD];

		ids[i] = first + i;
		values[i] = (double)(first + i) / 7;
		snprintf(text, sizeof(text), "name %" PRId64, first + i);
		name_lengths[i] = spell(names[i], text);
		snprintf(text, sizeof(text), "2020-%02d-%02d 10:11:12", (int)(i % 12 + 1), (int)(i % 28 + 1));
		day_lengths[i] = spell(days[i], text);
	}
}

static void set(SQLINTEGER attribute, SQLULEN value)
{
	must(SQLSetStmtAttr(stmt, attribute, (SQLPOINTER)(uintptr_t)value, 0), SQL_HANDLE_STMT, stmt, "an attribute");
}

static void bind(void)
{
	must(SQLBindParameter(stmt, 1, SQL_PARAM_INPUT, SQL_C_SBIGINT, SQL_BIGINT, 19, 0, ids, 8, lengths), SQL_HANDLE_STMT, stmt, "bind");
	must(SQLBindParameter(stmt, 2, SQL_PARAM_INPUT, SQL_C_WCHAR, SQL_WVARCHAR, WORD, 0, names, sizeof(names[0]), name_lengths),
	     SQL_HANDLE_STMT, stmt, "bind");
	must(SQLBindParameter(stmt, 3, SQL_PARAM_INPUT, SQL_C_DOUBLE, SQL_DOUBLE, 53, 0, values, 8, lengths), SQL_HANDLE_STMT, stmt, "bind");
	must(SQLBindParameter(stmt, 4, SQL_PARAM_INPUT, SQL_C_WCHAR, SQL_WVARCHAR, WORD, 0, days, sizeof(days[0]), day_lengths),
	     SQL_HANDLE_STMT, stmt, "bind");
}

int main(int argc, char **argv)
{
	SQLUSMALLINT status[ARRAY];
	struct timespec from, to;
	char sql[512];
	int64_t rows = argc > 3 ? strtoll(argv[3], NULL, 10) : 0;

	if (argc < 7)
		return 2;
	SQLAllocHandle(SQL_HANDLE_ENV, SQL_NULL_HANDLE, &env);
	SQLSetEnvAttr(env, SQL_ATTR_ODBC_VERSION, (SQLPOINTER)(uintptr_t)SQL_OV_ODBC3, 0);
	SQLAllocHandle(SQL_HANDLE_DBC, env, &db);
	must(SQLDriverConnect(db, NULL, (SQLCHAR *)argv[1], SQL_NTS, NULL, 0, NULL, SQL_DRIVER_NOPROMPT), SQL_HANDLE_DBC, db, "connecting");
	SQLAllocHandle(SQL_HANDLE_STMT, db, &stmt);
	snprintf(sql, sizeof(sql), "CREATE TABLE %s (id %s PRIMARY KEY, name %s, v float, at %s)", argv[2], argv[4], argv[5], argv[6]);
	run(sql);
	if (argc > 7)
		run(argv[7]);
	clock_gettime(CLOCK_MONOTONIC, &from);
	SQLSetConnectAttr(db, SQL_ATTR_AUTOCOMMIT, (SQLPOINTER)(uintptr_t)SQL_AUTOCOMMIT_OFF, 0);
	bind();
	set(SQL_ATTR_PARAM_STATUS_PTR, (SQLULEN)(uintptr_t)status);
	snprintf(sql, sizeof(sql), "INSERT INTO %s (id, name, v, at) VALUES (?, ?, ?, ?)", argv[2]);
	must(SQLPrepare(stmt, (SQLCHAR *)sql, SQL_NTS), SQL_HANDLE_STMT, stmt, sql);
	for (int64_t at = 0; at < rows; at += ARRAY) {
		int64_t count = rows - at < ARRAY ? rows - at : ARRAY;

		fill(at, count);
		set(SQL_ATTR_PARAMSET_SIZE, (SQLULEN)count);
		must(SQLExecute(stmt), SQL_HANDLE_STMT, stmt, sql);
		SQLFreeStmt(stmt, SQL_CLOSE);
	}
	must(SQLEndTran(SQL_HANDLE_DBC, db, SQL_COMMIT), SQL_HANDLE_DBC, db, "COMMIT");
	clock_gettime(CLOCK_MONOTONIC, &to);
	printf("%lld\n", (long long)(to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000);
	SQLDisconnect(db);
	return 0;
}
