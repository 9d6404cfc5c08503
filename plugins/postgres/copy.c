/*
 * The rows of a COPY in binary form, one after the other. Today's servers send the head with the first row and one
 * row a message; nothing here relies on that but for a row not being torn.
 *
 * A reader that stops early leaves rows on their way. What is left is thrown away when it is little; else the server
 * is asked to stop, which is an error of its transaction: inside a pin that only takes back to the savepoint (pin.c).
 */
#include "config.h"

#include <stdlib.h>

#include "read.h"

#define DRAIN_BYTES (4 << 20) /* thrown away before the server is asked to stop */

static const uint8_t signature[11] = "PGCOPY\n\377\r\n";

enum { SIGNATURE = 11, HEAD = SIGNATURE + 4 + 4 };

static int torn(struct copy_rows *rows, const char *what, struct etl_error *err)
{
	return rows->inst->host->fail(err, ETL_FATAL, "08P01", 0,
				      "reading %s: the server's rows are not in the form "
				      "of COPY's binary "
				      "format, version 1; is something between that changes them?",
				      what);
}

static int take_head(struct copy_rows *rows, const char *what, struct etl_error *err)
{
	size_t left = (size_t)(rows->end - rows->at), extension;

	if (left < HEAD || memcmp(rows->at, signature, SIGNATURE) != 0 ||
	    (decode_32(rows->at + SIGNATURE) & ~0xffffu) != 0)
		return torn(rows, what, err);
	extension = decode_32(rows->at + SIGNATURE + 4);
	if (extension > left - HEAD)
		return torn(rows, what, err);
	rows->at += HEAD + extension;
	rows->headed = true;
	return ETL_OK;
}

/* After the last row: did the COPY end well? */
static int finish(struct copy_rows *rows, const char *what, struct etl_error *err)
{
	PGconn *db = rows->inst->db;
	PGresult *result = PQgetResult(db), *next;
	int rc = ETL_FILL_END;

	rows->ended = true;
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		rc = postgres_read_failed(rows->inst, result, err, what);
	else
		PQclear(result);
	while ((next = PQgetResult(db)))
		PQclear(next);
	return rc;
}

/* The next message: 1, or as copy_next. */
static int receive(struct copy_rows *rows, const char *what, struct etl_error *err)
{
	int size;

	PQfreemem(rows->buffer);
	rows->buffer = NULL;
	rows->at = rows->end = NULL;
	size = PQgetCopyData(rows->inst->db, &rows->buffer, 0);
	if (size < 0)
		return finish(rows, what, err);
	rows->at = (const uint8_t *)rows->buffer;
	rows->end = rows->at + size;
	return rows->headed ? ETL_FILL_MORE : take_head(rows, what, err) < 0 ? ETL_FAILED :
									       ETL_FILL_MORE;
}

/* A row that is cut off would be read beyond its end. */
static bool is_whole(const uint8_t *at, const uint8_t *end, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int32_t size;

		if (end - at < 4)
			return false;
		size = (int32_t)decode_32(at);
		at += 4;
		if (size < 0)
			continue;
		if (size > end - at)
			return false;
		at += size;
	}
	return true;
}

int copy_next(struct copy_rows *rows, size_t count, const char *what, struct etl_error *err)
{
	int fields, rc;

	for (;;) {
		if (rows->ended)
			return ETL_FILL_END;
		if (rows->at == rows->end) {
			rc = receive(rows, what, err);
			if (rc <= 0)
				return rc;
			continue;
		}
		if (rows->end - rows->at < 2)
			return torn(rows, what, err);
		fields = (int16_t)decode_16(rows->at);
		rows->at += 2;
		if (fields == -1)
			continue; /* the trailer: what follows is the end */
		if (fields != (int)count || !is_whole(rows->at, rows->end, count))
			return torn(rows, what, err);
		return ETL_FILL_MORE;
	}
}

void copy_close(struct copy_rows *rows)
{
	PGconn *db = rows->inst->db;
	PGresult *result;
	size_t drained = 0;
	bool asked = false;
	int size;

	PQfreemem(rows->buffer);
	rows->buffer = NULL;
	while (!rows->ended && (size = PQgetCopyData(db, &rows->buffer, 0)) >= 0) {
		char said[256];

		PQfreemem(rows->buffer);
		rows->buffer = NULL;
		drained += (size_t)size;
		if (asked || drained < DRAIN_BYTES)
			continue;
		asked = true;
		PQcancel(rows->inst->cancel, said, sizeof(said));
	}
	while (!rows->ended && (result = PQgetResult(db)))
		PQclear(result);
	rows->ended = true;
}
