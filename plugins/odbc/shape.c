/* What the driver says of a result's columns. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "shape.h"

static void copy_name(char ret[ODBC_NAME_ROOM], const SQLWCHAR *wide, size_t units)
{
	struct etl_text text = { 0 };

	odbc_narrow(&text, wide, units);
	snprintf(ret, ODBC_NAME_ROOM, "%s", text.at ? text.at : "");
	etl_text_free(&text);
}

static int look(struct etl_instance *inst, SQLHSTMT stmt, SQLUSMALLINT i, struct odbc_column *ret,
		struct etl_error *err)
{
	SQLWCHAR wide[ODBC_NAME_ROOM] = { 0 };
	SQLSMALLINT units = 0, bytes = 0, nullable = SQL_NULLABLE_UNKNOWN;

	if (!SQL_SUCCEEDED(SQLDescribeColW(stmt, i, wide, ODBC_NAME_ROOM, &units, &ret->sql_type,
					   &ret->size, &ret->digits, &nullable)))
		return odbc_fail(inst, SQL_HANDLE_STMT, stmt, err, "column %u of a result", i);
	copy_name(ret->name, wide, units < ODBC_NAME_ROOM ? (size_t)units : ODBC_NAME_ROOM - 1);
	ret->nullable = nullable != SQL_NO_NULLS;
	memset(wide, 0, sizeof(wide));
	if (SQL_SUCCEEDED(SQLColAttributeW(stmt, i, SQL_DESC_TYPE_NAME, wide, sizeof(wide), &bytes,
					   NULL)))
		copy_name(ret->type_name, wide,
			  bytes > 0 && (size_t)bytes < sizeof(wide) ?
				  (size_t)bytes / sizeof(*wide) :
				  0);
	return ETL_OK;
}

int odbc_shape_of(struct etl_instance *inst, SQLHSTMT stmt, struct odbc_shape *ret,
		  struct etl_error *err)
{
	struct odbc_shape shape = { 0 };
	SQLSMALLINT count = 0;
	int rc = ETL_OK;

	if (!SQL_SUCCEEDED(SQLNumResultCols(stmt, &count)))
		return odbc_fail(inst, SQL_HANDLE_STMT, stmt, err, "the columns of a result");
	shape.columns = calloc((size_t)count + 1, sizeof(*shape.columns));
	if (!shape.columns)
		return odbc_no_memory(inst, err);
	for (SQLSMALLINT i = 0; rc == ETL_OK && i < count; i++)
		rc = look(inst, stmt, (SQLUSMALLINT)(i + 1), &shape.columns[shape.count++], err);
	if (rc < 0)
		odbc_shape_free(&shape);
	else
		*ret = shape;
	return rc;
}

void odbc_shape_free(struct odbc_shape *shape)
{
	free(shape->columns);
	*shape = (struct odbc_shape){ 0 };
}
