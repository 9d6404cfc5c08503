/*
 * What the streams of both scopes have in common: rows come in from another stream, the query stands ready,
 * and what comes out is a batch of its columns with the columns that nobody knows (the ordinal) behind.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stream.h"

int sql_stream_memory(struct sql_stream *s)
{
	return s->self->host->fail(s->err, ETL_MEMORY, NULL, 0,
				   "no memory for the rows of table %s", s->table ? s->table : "");
}

void sql_stream_drop(struct sql_stream *s)
{
	if (s->batch.release)
		s->batch.release(&s->batch);
	s->batch.release = NULL;
	s->input.view = NULL;
}

int sql_stream_pull(struct sql_stream *s)
{
	const struct etl_host *host = s->self->host;
	int code;

	sql_stream_drop(s);
	if (host->canceled(host))
		return ETL_CANCELED;
	code = s->in.get_next(&s->in, &s->batch);
	/* Who failed has said why, except where there was no memory. */
	if (code)
		return code == ECANCELED ? ETL_CANCELED :
		       code == ENOMEM	 ? sql_stream_memory(s) :
					   ETL_FAILED;
	if (!s->batch.release)
		return 0;
	if (!etl_view_set(s->view, &s->batch))
		return host->fail(s->err, ETL_BUG, NULL, 0,
				  "a batch of table %s does not have the columns of its schema",
				  s->table);
	s->input.view = s->view;
	if (!s->number && s->ordinal >= 0 && s->batch.length > 0)
		s->number = (etl_get_int64(&s->view->columns[s->ordinal], 0) / ETL_ORDINAL_MADE +
			     1) *
			    ETL_ORDINAL_MADE;
	return 1;
}

/* ---- Shapes ---- */

static bool is_known(const struct sql_stream *s, int64_t at)
{
	for (size_t i = 0; i < s->input.count; i++)
		if (s->input.columns[i].at == at)
			return true;
	return false;
}

/* Columns that come and are none of the table's travel with their row. */
static bool find_travelers(struct sql_stream *s)
{
	s->travelers = calloc((size_t)s->in_schema.n_children + 1, sizeof(*s->travelers));
	for (int64_t i = 0; s->travelers && i < s->in_schema.n_children; i++)
		if (!is_known(s, i) && (!s->self->whole || i == s->ordinal))
			s->travelers[s->traveler_count++] = i;
	return s->travelers;
}

static bool make_schema(struct sql_stream *s)
{
	size_t count = s->query.count + s->traveler_count;
	struct etl_column *columns = calloc(count + 1, sizeof(*columns));
	bool ok = columns != NULL;

	for (size_t i = 0; ok && i < count; i++) {
		const struct ArrowSchema
			*traveler = i < s->query.count ?
					    NULL :
					    s->in_schema.children[s->travelers[i - s->query.count]];
		struct etl_type_info type = traveler ? etl_type_of(traveler) :
						       s->query.columns[i].type;

		columns[i] = (struct etl_column){ .name = traveler ? traveler->name :
								     s->query.columns[i].name,
						  .type = type.type,
						  .precision = type.precision,
						  .scale = type.scale };
	}
	ok = ok && etl_schema_make(&s->out_schema, columns, count, sizeof(*columns));
	free(columns);
	return ok;
}

/* ---- Rows that cannot go on ---- */

int sql_stream_reject(struct sql_stream *s, const struct etl_reject *where, size_t column,
		      const char *code)
{
	const struct sql_column *c = &s->query.columns[column];
	struct etl_reject reject = *where;
	struct etl_text reason = { 0 };
	char type[64];
	int r;

	if (strcmp(code, "no_memory") == 0)
		return sql_stream_memory(s);
	etl_text_addf(&reason, "column %s: the query gives ", c->name);
	sql_add_value(&reason, &s->out, s->engine.stmt, (int)column);
	etl_text_addf(&reason, ", which does not fit %s",
		      c->given ? c->given->text : etl_type_name(c->type, type, sizeof(type)));
	reject.code = code;
	reject.column = c->name;
	reject.reason = reason.at;
	r = reason.failed ? sql_stream_memory(s) : s->self->host->reject(s->context, &reject);
	etl_text_free(&reason);
	return r;
}

/* ---- Opening ---- */

void sql_stream_free(struct sql_stream *s)
{
	sql_engine_close(&s->engine);
	sql_stream_drop(s);
	if (s->in_schema.release)
		s->in_schema.release(&s->in_schema);
	if (s->out_schema.release)
		s->out_schema.release(&s->out_schema);
	if (s->found_schema.release)
		s->found_schema.release(&s->found_schema);
	etl_view_free(s->view);
	etl_builder_free(s->found);
	sql_query_clear(&s->query);
	sql_input_clear(&s->input);
	sql_out_free(&s->out);
	free(s->travelers);
	free(s->keep);
	free(s->table);
	free(s);
}

static void stream_close(struct etl_producer *self)
{
	struct sql_stream *s = (struct sql_stream *)(void *)self;

	/* What SQLite has borrowed of a batch goes before the batch does. */
	sql_engine_close(&s->engine);
	s->in.release(&s->in);
	sql_stream_free(s);
}

static int stream_make(struct sql_stream *s, const struct etl_wrap *wrap,
		       struct ArrowArrayStream *in)
{
	const struct etl_host *host = s->self->host;
	int code, r;

	s->table = strdup(wrap->in->name);
	if (!s->table)
		return sql_stream_memory(s);
	code = in->get_schema(in, &s->in_schema);
	if (code)
		return code == ENOMEM ? sql_stream_memory(s) : ETL_FAILED;
	s->ordinal = etl_schema_find(&s->in_schema, ETL_ORDINAL_COLUMN);
	s->view = etl_view_new(&s->in_schema);
	if (!s->view || !sql_input_make(&s->input, wrap->in, &s->in_schema))
		return sql_stream_memory(s);
	r = sql_engine_open(&s->engine, s->self, &s->input, ":memory:", s->err);
	if (r == ETL_OK)
		r = sql_query_make(&s->engine, &s->query);
	if (r == ETL_OK && (!find_travelers(s) || !make_schema(s)))
		r = sql_stream_memory(s);
	s->keep = r == ETL_OK ? calloc((size_t)host->batch_rows + 1, sizeof(*s->keep)) : NULL;
	if (r == ETL_OK && !s->keep)
		r = sql_stream_memory(s);
	if (r == ETL_OK && s->self->whole)
		r = sql_whole_open(s);
	else if (r == ETL_OK)
		/* A row that the query makes is as large as one that comes. */
		sqlite3_limit(s->engine.db, SQLITE_LIMIT_LENGTH,
			      host->max_row > 0 && host->max_row < INT32_MAX ? (int)host->max_row :
									       INT32_MAX);
	return r;
}

int sql_wrap(struct etl_instance *self, const struct etl_wrap *wrap, struct ArrowArrayStream *in,
	     struct ArrowArrayStream *out, struct etl_error *err)
{
	struct sql_stream *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return self->host->fail(err, ETL_MEMORY, NULL, 0, "no memory for a stream");
	s->producer.fill = self->whole ? sql_whole_fill : sql_rows_fill;
	s->producer.close = stream_close;
	s->self = self;
	s->context = wrap->context;
	s->err = err;
	r = stream_make(s, wrap, in);
	s->in = *in;
	if (r == ETL_OK && !etl_stream_open(out, self->host, &s->out_schema, &s->producer))
		r = sql_stream_memory(s);
	if (r == ETL_OK)
		in->release = NULL;
	else
		sql_stream_free(s);
	return r;
}
