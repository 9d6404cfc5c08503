/*
 * The rows that a step found, told one by one in the types in which they were loaded. They come as text, through a
 * cursor, for there may be many; a moment comes as a number, whose text would have forms of its own for the ends of the
 * calendar.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "encode.h"
#include "read.h"
#include "screen.h"

#define SHOWN 100 /* rows that are told one by one when they stay; of the others how many */

struct telling {
	struct screen *s;
	struct etl_builder *builder; /* NULL: the sink wants no rows */
	PGresult *rows;
	int64_t wanted;	 /* columns of the sink */
	PGresult *types; /* of these columns, as they were staged */
};

static int no_memory(const struct telling *t)
{
	return postgres_no_memory(t->s->inst, t->s->err);
}

/* ---- Reading --------------------------------------------------------------------------------------------------------- */

/* OID: of the column as it was staged. What came as JSON into an array is told as JSON again, as a source would: by that
 * the row is found which it came from. */
static void add_value(struct etl_text *sql, const struct ArrowSchema *column, uint32_t oid)
{
	struct etl_text name = { 0 };

	postgres_add_name(&name, "t", column->name);
	switch (etl_type_of(column).type) {
	case ETL_DATE:
		etl_text_addf(sql, "%s::date - '1970-01-01'::date", name.at ? name.at : "");
		break;
	case ETL_TIMESTAMP:
	case ETL_INSTANT:
		etl_text_addf(sql, "(extract(epoch FROM %s) * 1000000)::bigint",
			      name.at ? name.at : "");
		break;
	case ETL_TIME:
		etl_text_addf(sql, "(extract(epoch FROM %s::time) * 1000000)::bigint",
			      name.at ? name.at : "");
		break;
	default:
		if (etl_type_of(column).type == ETL_JSON && !decode_knows(oid))
			select_add_json(sql, name.at ? name.at : "");
		else
			etl_text_add(sql, name.at ? name.at : "");
	}
	sql->failed |= name.failed;
	etl_text_free(&name);
}

static int find_types(struct telling *t)
{
	const struct screen *s = t->s;
	struct etl_text sql = { 0 };
	int rc;

	if (!t->wanted)
		return ETL_OK;
	etl_text_add(&sql, "SELECT ");
	for (int64_t i = 0; i < t->wanted; i++) {
		etl_text_add(&sql, i ? ", " : "");
		postgres_add_name(&sql, NULL, s->sink->rows->children[i]->name);
	}
	etl_text_add(&sql, " FROM ");
	postgres_add_name(&sql, s->token->text, s->load->table->name);
	etl_text_add(&sql, " LIMIT 0");
	rc = sql.failed ? no_memory(t) : postgres_query(s->inst, s->err, &t->types, sql.at, 0, NULL);
	etl_text_free(&sql);
	return rc;
}

/* The columns that the sink wants, then those of the key, and last the server's words. */
static int open_cursor(struct telling *t)
{
	const struct screen *s = t->s;
	const struct etl_key *key = &s->load->table->primary;
	struct etl_text sql = { 0 };

	etl_text_add(&sql, "DECLARE etlrun_found NO SCROLL CURSOR FOR SELECT ");
	for (int64_t i = 0; i < t->wanted; i++) {
		etl_text_add(&sql, i ? ", " : "");
		add_value(&sql, s->sink->rows->children[i], PQftype(t->types, (int)i));
	}
	for (size_t i = 0; i < key->column_count; i++) {
		etl_text_add(&sql, i || t->wanted ? ", " : "");
		postgres_add_name(&sql, "t", key->columns[i]);
	}
	etl_text_add(&sql, t->wanted || key->column_count ? ", f.words" : "f.words");
	etl_text_add(&sql, " FROM pg_temp._etlrun_found AS f JOIN ");
	postgres_add_name(&sql, s->token->text, s->load->table->name);
	etl_text_addf(&sql, " AS t ON %s = f.at ORDER BY f.n, f.at", screen_row(s));
	return postgres_run_text(s->inst, s->err, &sql);
}

/* "\x00ff" */
static const char *put_bytes(struct etl_column_builder *to, const char *hex)
{
	size_t size = strlen(hex) / 2 - 1;
	uint8_t *bytes = malloc(size + 1);
	bool done;

	for (size_t i = 0; bytes && i < size; i++)
		bytes[i] = (uint8_t)(encode_digit((uint8_t)hex[2 + 2 * i]) << 4 |
				     encode_digit((uint8_t)hex[3 + 2 * i]));
	done = bytes && etl_put_bytes(to, bytes, (int64_t)size);
	free(bytes);
	return done ? NULL : "no_memory";
}

static const char *put_value(struct etl_column_builder *to, const char *text)
{
	if (!text) {
		etl_put_null(to);
		return NULL;
	}
	switch (to->type.type) {
	case ETL_DATE:
		etl_put_int32(to, (int32_t)strtol(text, NULL, 10));
		return NULL;
	case ETL_TIMESTAMP:
	case ETL_INSTANT:
	case ETL_TIME:
		etl_put_int64(to, strtoll(text, NULL, 10));
		return NULL;
	case ETL_BYTES:
		if (strncmp(text, "\\x", 2) == 0)
			return put_bytes(to, text);
		return etl_put_bytes(to, text, (int64_t)strlen(text)) ? NULL : "no_memory";
	case ETL_JSON:
		return etl_put_bytes(to, text, (int64_t)strlen(text)) ? NULL : "no_memory";
	default:
		return etl_convert_text(to, text, strlen(text));
	}
}

static int read_row(struct telling *t, int row)
{
	const struct screen *s = t->s;

	for (int64_t i = 0; i < t->wanted; i++) {
		const char *code = put_value(&t->builder->columns[i],
					     postgres_at(t->rows, row, (int)i));

		if (code && strcmp(code, "no_memory") == 0)
			return no_memory(t);
		if (code) {
			s->inst->host->at(s->err, s->load->table->name,
					  s->sink->rows->children[i]->name, NULL);
			return s->inst->host->fail(s->err, ETL_DATA, NULL, 0,
						   "a row that a constraint does not take "
						   "cannot be read back in the type in which it was "
						   "written (%s)",
						   code);
		}
	}
	return ETL_OK;
}

/* ---- Telling ----------------------------------------------------------------------------------------------------------- */

/* "id=3"; NULL: the table has no key, or there is no memory. */
static char *key_text(const struct telling *t, int row)
{
	const struct etl_key *key = &t->s->load->table->primary;
	struct etl_text text = { 0 };

	for (size_t i = 0; i < key->column_count; i++) {
		const char *value = postgres_at(t->rows, row, (int)(t->wanted + (int64_t)i));

		etl_text_addf(&text, "%s%s=%s", i ? ", " : "", key->columns[i],
			      value ? value : "NULL");
	}
	return text.length ? etl_text_take(&text) : NULL;
}

/* What is said of all, and the server's words of this one. NULL: no memory. */
static char *reason_of(const struct telling *t, int row)
{
	const char *words = postgres_at(t->rows, row, PQnfields(t->rows) - 1);
	struct etl_text text = { 0 };

	etl_text_addf(&text, "%s%s%s", t->s->reason, words ? ": " : "", words ? words : "");
	return etl_text_take(&text);
}

static int tell_row(struct telling *t, const struct ArrowArray *batch, int row)
{
	const struct screen *s = t->s;
	char *key = key_text(t, row), *reason = reason_of(t, row);
	const struct etl_found found = { .code = s->code,
					 .table = s->load->table->name,
					 .column = s->columns,
					 .key = key,
					 .reason = reason,
					 .schema = t->builder ? s->sink->rows : NULL,
					 .batch = t->builder ? batch : NULL,
					 .row = row };
	int rc = reason ? s->sink->emit(s->sink, &found) : no_memory(t);

	free(key);
	free(reason);
	return rc;
}

static int tell_batch(struct telling *t)
{
	struct ArrowArray batch = { 0 };
	int count = PQntuples(t->rows), rc = ETL_OK;

	for (int row = 0; t->builder && rc == ETL_OK && row < count; row++)
		rc = read_row(t, row);
	if (rc == ETL_OK && t->builder && !etl_builder_finish(t->builder, &batch))
		rc = no_memory(t);
	for (int row = 0; rc == ETL_OK && row < count; row++)
		rc = tell_row(t, &batch, row);
	if (batch.release)
		batch.release(&batch);
	return rc;
}

static int tell_rest(const struct screen *s, int64_t rest)
{
	char reason[96];
	const struct etl_found found = { .code = s->code,
					 .table = s->load->table->name,
					 .column = s->columns,
					 .reason = reason,
					 .rows = (uint64_t)rest };

	snprintf(reason, sizeof(reason), "%lld more rows of this table do likewise", (long long)rest);
	return s->sink->emit(s->sink, &found);
}

static int tell_all(struct telling *t, int64_t most)
{
	struct screen *s = t->s;
	char fetch[64];
	int64_t told = 0;
	int rc = find_types(t);

	if (rc == ETL_OK)
		rc = open_cursor(t);
	PQclear(t->types);

	while (rc == ETL_OK && told < most) {
		int64_t next = most - told < s->inst->host->batch_rows ? most - told :
									  s->inst->host->batch_rows;

		if (s->inst->host->canceled(s->inst->host))
			return ETL_CANCELED;
		snprintf(fetch, sizeof(fetch), "FETCH %lld FROM etlrun_found", (long long)next);
		rc = postgres_query(s->inst, s->err, &t->rows, fetch, 0, NULL);
		if (rc < 0)
			return rc;
		told += next;
		rc = tell_batch(t);
		PQclear(t->rows);
	}
	return rc == ETL_OK ? postgres_run(s->inst, s->err, "CLOSE etlrun_found") : rc;
}

int screen_tell(struct screen *s, int64_t count)
{
	struct telling t = { .s = s, .wanted = s->sink->rows ? s->sink->rows->n_children : 0 };
	int64_t most = s->sink->take_out || count <= SHOWN ? count : SHOWN;
	int rc;

	if (s->sink->rows) {
		t.builder = etl_builder_new(s->sink->rows, s->inst->host->batch_rows);
		if (!t.builder)
			return no_memory(&t);
	}
	rc = tell_all(&t, most);
	etl_builder_free(t.builder);
	return rc == ETL_OK && count > most ? tell_rest(s, count - most) : rc;
}
