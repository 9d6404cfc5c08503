/*
 * What driver and server said, told once: the sentence of the caller, every record of the diagnostics, the server's
 * number or the SQLSTATE that decides what the host does next, and what to do. Where a dialect has numbers of its own,
 * they go before the SQLSTATE: drivers make that up from them, each in its way.
 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "dialect.h"

#define SENTENCE_MAX 512 /* bytes of the caller's own words */
#define SAID_MAX     2048 /* UTF-16 units of one record */
#define RECORDS_MAX  8
#define CANCELED     "HY008"

struct said {
	struct etl_text words;
	char sqlstate[6]; /* of the record that decides, or "" */
	int64_t native;
	const struct odbc_meaning *meaning; /* of its number, or NULL */
	bool canceled;
};

/* Drivers name themselves in brackets before what the server said: once is enough, and nobody needs it. */
static const char *without_brackets(const char *text)
{
	while (*text == '[' && strchr(text, ']'))
		text = strchr(text, ']') + 1;
	while (*text == ' ')
		text++;
	return text;
}

static void add_words(struct etl_text *words, const SQLWCHAR *wide, size_t units)
{
	struct etl_text record = { 0 };
	const char *text;

	odbc_narrow(&record, wide, units);
	text = record.at ? without_brackets(record.at) : "";
	if (*text && !(words->at && strstr(words->at, text))) {
		etl_text_add(words, words->length ? "; " : "");
		for (const char *p = text; *p; p++)
			etl_text_add_bytes(words, *p == '\n' || *p == '\r' ? " " : p, 1);
	}
	words->failed |= record.failed;
	etl_text_free(&record);
}

/* The first record decides, unless a later one has a number that means something. */
static void weigh(const struct etl_instance *inst, struct said *said, const char *sqlstate,
		  SQLINTEGER native)
{
	const struct odbc_meaning *meaning =
		inst->dialect ? odbc_meaning_of(inst->dialect, native) : NULL;

	said->canceled |= strcmp(sqlstate, CANCELED) == 0;
	if (*said->sqlstate && (said->meaning || !meaning))
		return;
	snprintf(said->sqlstate, sizeof(said->sqlstate), "%s", sqlstate);
	said->native = native;
	said->meaning = meaning;
}

static void listen(const struct etl_instance *inst, SQLSMALLINT handle_type, SQLHANDLE handle,
		   struct said *said)
{
	static const size_t room = SAID_MAX;
	SQLWCHAR *wide = malloc(room * sizeof(*wide));

	for (SQLSMALLINT i = 1; wide && i <= RECORDS_MAX; i++) {
		SQLWCHAR state[6] = { 0 };
		SQLINTEGER native = 0;
		SQLSMALLINT units = 0;
		char sqlstate[6];

		if (!SQL_SUCCEEDED(SQLGetDiagRecW(handle_type, handle, i, state, &native, wide,
						  (SQLSMALLINT)room, &units)))
			break;
		for (int c = 0; c < 6; c++)
			sqlstate[c] = (char)(state[c] & 0x7f);
		add_words(&said->words, wide, units < SAID_MAX ? (size_t)units : room - 1);
		weigh(inst, said, sqlstate, native);
	}
	said->words.failed |= !wide;
	free(wide);
}

static bool is_dead(const struct etl_instance *inst)
{
	SQLINTEGER dead = SQL_CD_FALSE;

	return inst->connected &&
	       SQL_SUCCEEDED(SQLGetConnectAttr(inst->db, SQL_ATTR_CONNECTION_DEAD, &dead,
					       sizeof(dead), NULL)) &&
	       dead == SQL_CD_TRUE;
}

static int32_t class_of(struct etl_instance *inst, const struct said *said)
{
	int32_t klass = said->meaning ? said->meaning->klass : etl_sqlstate_class(said->sqlstate);

	if (klass == ETL_RETRY_CONNECTION || is_dead(inst))
		inst->lost = true;
	if (inst->lost && klass == ETL_FATAL)
		return ETL_RETRY_CONNECTION;
	/* A time-out of ODBC's own: of connecting, or of a statement. */
	if (klass == ETL_FATAL && strncmp(said->sqlstate, "HYT", 3) == 0)
		return ETL_RETRY_CONNECTION;
	return klass;
}

int odbc_fail(struct etl_instance *inst, SQLSMALLINT handle_type, SQLHANDLE handle,
	      struct etl_error *err, const char *format, ...)
{
	struct said said = { 0 };
	char sentence[SENTENCE_MAX];
	int32_t klass;
	va_list args;
	int rc;

	listen(inst, handle_type, handle, &said);
	if (said.canceled && inst->host->canceled(inst->host)) {
		etl_text_free(&said.words);
		return ETL_CANCELED;
	}
	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	klass = class_of(inst, &said);
	if (said.meaning && said.meaning->delay)
		inst->host->delay(err, said.meaning->delay);
	rc = inst->host->fail(err, klass, *said.sqlstate ? said.sqlstate : NULL, said.native,
			      "%s: %s%s", sentence,
			      said.words.at ? said.words.at : "the driver gives no reason",
			      said.meaning ? said.meaning->advice : "");
	etl_text_free(&said.words);
	return rc;
}

int odbc_no_memory(struct etl_instance *inst, struct etl_error *err)
{
	return inst->host->fail(err, ETL_MEMORY, NULL, 0, "no memory");
}
