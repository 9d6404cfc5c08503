/*
 * What driver and server said, told once: the sentence of the caller, every record of the diagnostics, the server's
 * number or the SQLSTATE that decides what the host does next, and what to do. Where a dialect has numbers of its own,
 * they go before the SQLSTATE: drivers make that up from them, each in its way.
 */
#include "config.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "azure.h"
#include "dialect.h"

#define SENTENCE_MAX 512 /* bytes of the caller's own words */
#define SAID_MAX     2048 /* UTF-16 units of one record */
#define RECORDS_MAX  8
#define CANCELED     "HY008"

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

/* The first record decides, unless a later one has a number that means something. A server that lets nobody in has not said
 * what it is: its numbers are read as SQL Server's, which no other driver's failures to connect have. */
static void weigh(const struct etl_instance *inst, struct odbc_said *said, const struct odbc_meaning **meaning,
		  const char *sqlstate, SQLINTEGER native)
{
	const struct odbc_dialect *dialect = inst->dialect ? inst->dialect : inst->likely ? inst->likely : &odbc_tsql;
	const struct odbc_meaning *found = odbc_meaning_of(dialect, native);

	said->canceled |= strcmp(sqlstate, CANCELED) == 0;
	if (*said->sqlstate && (*meaning || !found))
		return;
	snprintf(said->sqlstate, sizeof(said->sqlstate), "%s", sqlstate);
	said->native = native;
	*meaning = found;
}

/* SQLGetDiagRecW, the driver manager's or a driver's. */
struct teller {
	SQLRETURN (*ask)(SQLSMALLINT, SQLHANDLE, SQLSMALLINT, SQLWCHAR *, SQLINTEGER *, SQLWCHAR *, SQLSMALLINT, SQLSMALLINT *);
};

/* Every record; what the number of the one that decides means. */
static const struct odbc_meaning *read_records(const struct etl_instance *inst, const struct teller *teller,
					       SQLSMALLINT handle_type, SQLHANDLE handle,
					       struct odbc_said *said)
{
	const struct odbc_meaning *meaning = NULL;
	SQLWCHAR *wide = malloc(SAID_MAX * sizeof(*wide));

	for (SQLSMALLINT i = 1; wide && i <= RECORDS_MAX; i++) {
		SQLWCHAR state[6] = { 0 };
		SQLINTEGER native = 0;
		SQLSMALLINT units = 0;
		char sqlstate[6];

		if (!SQL_SUCCEEDED(teller->ask(handle_type, handle, i, state, &native, wide, SAID_MAX, &units)))
			break;
		for (int c = 0; c < 6; c++)
			sqlstate[c] = (char)(state[c] & 0x7f);
		add_words(&said->words, wide, units < SAID_MAX ? (size_t)units : SAID_MAX - 1);
		weigh(inst, said, &meaning, sqlstate, native);
	}
	said->words.failed |= !wide;
	free(wide);
	return meaning;
}

static bool is_dead(const struct etl_instance *inst)
{
	SQLINTEGER dead = SQL_CD_FALSE;

	return inst->connected &&
	       SQL_SUCCEEDED(SQLGetConnectAttr(inst->db, SQL_ATTR_CONNECTION_DEAD, &dead,
					       sizeof(dead), NULL)) &&
	       dead == SQL_CD_TRUE;
}

static int32_t class_of(struct etl_instance *inst, const char *sqlstate, const struct odbc_meaning *meaning)
{
	int32_t klass = meaning ? meaning->klass : etl_sqlstate_class(sqlstate);

	/* A time-out of ODBC's own, of connecting or of a statement: whether the server did it nobody knows, and it may be at it still. */
	bool late = klass == ETL_FATAL && strncmp(sqlstate, "HYT", 3) == 0;

	if (klass == ETL_RETRY_CONNECTION || late || is_dead(inst))
		inst->lost = true;
	return inst->lost && klass == ETL_FATAL ? ETL_RETRY_CONNECTION : klass;
}

/* Of a connection that was not made, for what the table knows nothing of: where to look first. */
static const char *advice_of(const struct etl_instance *inst, const char *sqlstate)
{
	if (inst->connected)
		return "";
	if (strncmp(sqlstate, "IM", 2) == 0 || strcmp(sqlstate, "01000") == 0)
		return "; `odbcinst -q -d` lists the drivers that are installed, `odbcinst -q -s` the data sources";
	if (strncmp(sqlstate, "08", 2) == 0)
		return "; look at the server's name and port, the database and the user, and whether it takes connections from here";
	return "";
}

static void listen_by(struct etl_instance *inst, const struct teller *teller, SQLSMALLINT handle_type, SQLHANDLE handle,
		      struct odbc_said *ret)
{
	const struct odbc_meaning *meaning;

	*ret = (struct odbc_said){ .advice = "" };
	meaning = read_records(inst, teller, handle_type, handle, ret);
	ret->advice = advice_of(inst, ret->sqlstate);
	ret->canceled = ret->canceled && inst->host->canceled(inst->host);
	ret->klass = class_of(inst, ret->sqlstate, meaning);
	if (meaning) {
		ret->delay = meaning->delay;
		ret->advice = meaning->advice;
		odbc_azure_advice(ret->native, ret->words.at, ret->made, sizeof(ret->made));
	}
}

void odbc_listen(struct etl_instance *inst, SQLSMALLINT handle_type, SQLHANDLE handle, struct odbc_said *ret)
{
	static const struct teller manager = { SQLGetDiagRecW };

	listen_by(inst, &manager, handle_type, handle, ret);
}

void odbc_listen_to(struct etl_instance *inst, void *library, SQLHDBC handle, struct odbc_said *ret)
{
	struct teller driver;
	void *symbol = dlsym(library, "SQLGetDiagRecW");

	memcpy(&driver.ask, &symbol, sizeof(symbol));
	if (symbol)
		listen_by(inst, &driver, SQL_HANDLE_DBC, handle, ret);
	else
		odbc_listen(inst, SQL_HANDLE_DBC, inst->db, ret);
}

int odbc_tell(struct etl_instance *inst, struct odbc_said *said, struct etl_error *err, const char *sentence)
{
	const char *advice = *said->made ? said->made : said->advice;
	size_t length = said->words.length;
	int rc = ETL_CANCELED;

	if (*advice && length > 1 && said->words.at[length - 1] == '.')
		said->words.at[length - 1] = '\0';
	if (said->delay && err)
		inst->host->delay(err, said->delay);
	if (!said->canceled)
		rc = inst->host->fail(err, said->klass, *said->sqlstate ? said->sqlstate : NULL, said->native,
				      "%s: %s%s", sentence,
				      said->words.at ? said->words.at : "the driver gives no reason", advice);
	etl_text_free(&said->words);
	return rc;
}

int odbc_fail(struct etl_instance *inst, SQLSMALLINT handle_type, SQLHANDLE handle,
	      struct etl_error *err, const char *format, ...)
{
	struct odbc_said said;
	char sentence[SENTENCE_MAX];
	va_list args;

	odbc_listen(inst, handle_type, handle, &said);
	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	return odbc_tell(inst, &said, err, sentence);
}

int odbc_no_memory(struct etl_instance *inst, struct etl_error *err)
{
	return inst->host->fail(err, ETL_MEMORY, NULL, 0, "no memory");
}
