/*
 * What the server said, told once: the sentence of the caller, the server's message, detail, hint and context, and
 * the SQLSTATE that decides what the host does next. libpq gives no SQLSTATE when the connection itself broke; then
 * it is 08006, the standard's word for that.
 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "postgres.h"

#define SENTENCE_MAX 512 /* bytes of the caller's own words */
#define LOST	     "08006"
#define CANCELED     "57014"

bool postgres_is_lost(const struct etl_instance *inst)
{
	return !inst->db || PQstatus(inst->db) == CONNECTION_BAD;
}

/* Without the line feed that libpq puts behind. */
static void add_line(struct etl_text *text, const char *before, const char *line)
{
	size_t length = line ? strlen(line) : 0;

	while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == ' '))
		length--;
	if (length == 0)
		return;
	etl_text_add(text, before);
	for (size_t i = 0; i < length; i++)
		etl_text_add_bytes(text, line[i] == '\n' ? " " : &line[i], 1);
}

static void add_words(struct etl_text *text, const struct etl_instance *inst,
		      const PGresult *result)
{
	const char *primary = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;

	if (!primary) {
		const char *whole = result ? PQresultErrorMessage(result) : "";

		add_line(text, ": ", whole && *whole ? whole : PQerrorMessage(inst->db));
		return;
	}
	add_line(text, ": ", primary);
	add_line(text, "; ", PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL));
	add_line(text, "; hint: ", PQresultErrorField(result, PG_DIAG_MESSAGE_HINT));
	add_line(text, "; in: ", PQresultErrorField(result, PG_DIAG_CONTEXT));
}

static void tell_place(struct etl_instance *inst, const PGresult *result, struct etl_error *err)
{
	const char *table = PQresultErrorField(result, PG_DIAG_TABLE_NAME);
	const char *column = PQresultErrorField(result, PG_DIAG_COLUMN_NAME);

	if (table || column)
		inst->host->at(err, table, column, NULL);
}

/* What ETL_FEWER_WORKERS means is told to the host; a server that ends the session says so once. */
static int32_t class_of(const struct etl_instance *inst, const char *sqlstate)
{
	int32_t klass = etl_sqlstate_class(sqlstate);

	if (postgres_is_lost(inst) && klass == ETL_FATAL)
		return ETL_RETRY_CONNECTION;
	return klass;
}

int postgres_fail(struct etl_instance *inst, PGresult *result, struct etl_error *err,
		  const char *format, ...)
{
	const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
	struct etl_text text = { 0 };
	char sentence[SENTENCE_MAX], sqlstate[6];
	va_list args;
	int rc;

	snprintf(sqlstate, sizeof(sqlstate), "%s",
		 state			? state :
		 postgres_is_lost(inst) ? LOST :
					  "");
	if (strcmp(sqlstate, CANCELED) == 0 && inst->host->canceled(inst->host)) {
		PQclear(result);
		return ETL_CANCELED;
	}
	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	add_words(&text, inst, result);
	if (result)
		tell_place(inst, result, err);
	rc = inst->host->fail(err, class_of(inst, sqlstate), *sqlstate ? sqlstate : NULL, 0,
			      "postgres: %s%s", sentence, text.at ? text.at : "");
	etl_text_free(&text);
	PQclear(result);
	return rc;
}

int postgres_no_memory(struct etl_instance *inst, struct etl_error *err)
{
	return inst->host->fail(err, ETL_MEMORY, NULL, 0, "postgres: no memory");
}
