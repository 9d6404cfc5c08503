/*
 * A table whose rows the server refused once goes in pieces that are halved until the row to blame stands alone: that one is
 * rejected with the server's own words. Each piece begins at a point to which one can go back. Where a row leaves no such
 * point, because the server takes the whole transaction back for it, pieces are tried elsewhere first (load-probe.c).
 */
#include "config.h"

#include <stdlib.h>

#include "load.h"

#define PIECE 256 /* rows */

/* ---- Which tables ------------------------------------------------------------------------------------------------------ */

/* "STAGE.TABLE", of all instances of this process: whoever is given the split next has to know. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct noted {
	struct noted *next;
	char name[];
} *noted;

static bool is_noted(const char *name)
{
	const struct noted *n = noted;

	while (n && strcmp(n->name, name) != 0)
		n = n->next;
	return n != NULL;
}

static bool note(const char *name)
{
	struct noted *n = malloc(sizeof(*n) + strlen(name) + 1);

	if (!n)
		return false;
	memcpy(n->name, name, strlen(name) + 1);
	n->next = noted;
	noted = n;
	return true;
}

/* WHAT: of the table, "" that rows were refused. */
static bool look_up(const struct loading *l, const char *what, bool note_it)
{
	struct etl_text name = { 0 };
	bool is;

	etl_text_addf(&name, "%s%s.%s", what, l->token->text, l->load->table->name);
	pthread_mutex_lock(&lock);
	is = !name.failed && is_noted(name.at);
	if (note_it && !is && !name.failed)
		is = note(name.at);
	pthread_mutex_unlock(&lock);
	etl_text_free(&name);
	return is;
}

bool careful_knows(const struct loading *l)
{
	return look_up(l, "", false);
}

int careful_note(struct loading *l)
{
	return look_up(l, "", true) ? ETL_OK : odbc_no_memory(l->inst, l->err);
}

/* A row of it took the transaction back. */
#define DOOMED "doomed "

/* ---- Rows --------------------------------------------------------------------------------------------------------------- */

/* SQLite has one number for all constraints, and says in words which it was. */
static const char *code_of_sqlite(const struct odbc_said *said)
{
	static const char *const codes[][2] = { { "UNIQUE constraint", "duplicate" },
						{ "NOT NULL constraint", "not_null" },
						{ "CHECK constraint", "check" },
						{ "FOREIGN KEY constraint", "foreign_key" } };

	for (size_t i = 0; said->words.at && i < sizeof(codes) / sizeof(*codes); i++)
		if (strstr(said->words.at, codes[i][0]))
			return codes[i][1];
	return "refused";
}

static const char *code_of(const struct odbc_said *said)
{
	static const char *const codes[][2] = {
		{ "01004", "too_long" },     { "01S07", "too_precise" },
		{ "22001", "too_long" },     { "22003", "out_of_range" }, { "22007", "not_a_timestamp" },
		{ "22008", "out_of_range" }, { "22018", "type" },	  { "23502", "not_null" },
		{ "23503", "foreign_key" },  { "23505", "duplicate" },	  { "23514", "check" },
	};
	static const struct {
		int64_t native;
		const char *code;
	} numbers[] = {
		{ 2627, "duplicate" }, { 2601, "duplicate" }, { 515, "not_null" },     { 547, "check" },
		{ 8152, "too_long" },  { 2628, "too_long" },  { 220, "out_of_range" }, { 8115, "out_of_range" },
		{ 245, "type" },       { 8114, "type" },      { 241, "not_a_timestamp" },
	};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		if (numbers[i].native == said->native)
			return numbers[i].code;
	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++)
		if (strcmp(codes[i][0], said->sqlstate) == 0)
			return codes[i][1];
	return "refused";
}

static int refuse(struct loading *l, int64_t row, const struct odbc_said *said)
{
	struct etl_text reason = { 0 };
	const char *code = l->inst->dialect == &odbc_sqlite ? code_of_sqlite(said) : code_of(said);
	int rc;

	etl_text_addf(&reason, "table \"%s\": %s", l->load->table->name,
		      said->words.at ? said->words.at : "the server refused the row");
	rc = reason.failed ? odbc_no_memory(l->inst, l->err) : odbc_loading_reject(l, row, code, NULL, reason.at);
	etl_text_free(&reason);
	return rc;
}

/* A row was refused: is the transaction there still? What is doomed the server has taken back by the end of a batch. */
static int note_doomed(struct loading *l)
{
	int64_t open = 0;
	int rc = odbc_number(l->inst, l->err, &open, l->inst->dialect->open_transactions);

	if (rc == ETL_OK && open != 1 && !look_up(l, DOOMED, true))
		rc = odbc_no_memory(l->inst, l->err);
	return rc;
}

/* All of them or none: 1, 0 when the server found fault and all is as it was before, or negative. */
static int try_piece(struct loading *l, const struct etl_view *view, const int64_t *rows, int64_t count,
		     struct odbc_said *said)
{
	int rc = odbc_savepoint(l->inst, l->err);

	if (rc < 0)
		return rc;
	rc = bind_try(&l->bind, view, rows, count, said, l->err);
	if (rc == 0 && l->inst->dialect == &odbc_tsql)
		rc = note_doomed(l);
	if ((rc == 0 && odbc_back_to_savepoint(l->inst, l->err) < 0) ||
	    (rc >= 0 && odbc_release_savepoint(l->inst, l->err) < 0)) {
		etl_text_free(&said->words);
		return ETL_FAILED;
	}
	return rc;
}

static int send_piece(struct loading *l, const struct etl_view *view, const int64_t *rows, int64_t count)
{
	struct odbc_said said = { 0 };
	int rc = look_up(l, DOOMED, false) ? probe_try(l, view, rows, count, &said) : 1;

	if (rc == 1)
		rc = try_piece(l, view, rows, count, &said);
	if (rc == 1)
		loading_carried(l, count == 1 ? "single rows" : l->bind.many ? "small inserts" : "small arrays", count);
	else if (rc == 0 && count == 1)
		rc = refuse(l, *rows, &said);
	etl_text_free(&said.words);
	if (rc != 0 || count == 1)
		return rc < 0 ? rc : ETL_OK;
	rc = send_piece(l, view, rows, count / 2);
	return rc < 0 ? rc : send_piece(l, view, rows + count / 2, count - count / 2);
}

int careful_send(struct loading *l, const struct etl_view *view, const int64_t *rows, int64_t count)
{
	const char *asked = l->inst->host->str(l->inst->conf, "load");
	int64_t most = asked && strcmp(asked, "rows") == 0 ? 1 : PIECE;
	int rc = ETL_OK;

	for (int64_t at = 0; rc == ETL_OK && at < count; at += most)
		rc = send_piece(l, view, rows + at, count - at < most ? count - at : most);
	return rc;
}
