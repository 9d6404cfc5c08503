/*
 * The totals of a side: by its store where that can, else over its rows, in the pass that fills its digest too.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "log.h"
#include "peer.h"

/* The columns of the peer's rows, in the types in which they move. */
static struct etl_column *make_columns(const struct etl_peer *peer)
{
	size_t count = (size_t)peer->schema->n_children;
	struct etl_column *columns = calloc(count + 1, sizeof(*columns));

	for (size_t i = 0; columns && i < count; i++) {
		const struct etl_type_info type = etl_type_of(peer->schema->children[i]);

		columns[i] = (struct etl_column){ .name = peer->schema->children[i]->name,
						  .declared = "",
						  .type = type.type,
						  .precision = type.precision,
						  .scale = type.scale,
						  .identity_last = ETL_UNKNOWN };
		if (peer->respelt && peer->respelt[i])
			columns[i].flags = ETL_RESPELT;
	}
	return columns;
}

/* ---- By the store ---- */

struct store_sink {
	struct etl_total_sink sink;
	const struct etl_column *columns;
	struct total_words *words; /* beside them */
	size_t count, said;
	const char *unreadable; /* a column of which something was said that is no value; or NULL */
	struct etl_error *err;
};

static bool is_real(int32_t type)
{
	return type == ETL_FLOAT32 || type == ETL_FLOAT64;
}

static int take_total(struct etl_total_sink *self, const struct etl_column *column, const struct etl_total *total)
{
	struct store_sink *s = (struct store_sink *)(void *)self;
	size_t at = s->said;
	const char *code;

	if (at == s->count || column != &s->columns[at])
		return error_set(s->err, ETL_BUG, "the store adds up other columns than it was asked for");
	code = total_respell((struct etl_type_info){ .type = column->type, .precision = column->precision, .scale = column->scale },
			     total, &s->words[at]);
	s->said++;
	if (code && strcmp(code, "no_memory") == 0)
		return error_memory(s->err);
	if (code && !s->unreadable)
		s->unreadable = column->name;
	if (is_real(column->type) && !(column->flags & ETL_RESPELT) && total->least && !total->sum && !s->unreadable)
		s->unreadable = "it has no sum of real numbers";
	return 0;
}

static void say_why(const struct etl_peer *peer, const char *why)
{
	log_line(ETL_LOG_DEBUG, "\"%s\": the store does not add up its columns, so its rows are read: %s",
		 peer->table->name, why);
}

/* *RET stays NULL where the store has no answer. */
static int ask_store(struct etl_peer *peer, const struct etl_column *columns, struct total_words **ret,
		     struct etl_error *err)
{
	size_t count = (size_t)peer->schema->n_children;
	struct store_sink sink = { { take_total }, columns, calloc(count + 1, sizeof(*sink.words)), count, 0, NULL, err };
	struct etl_totals_ask ask = { .columns = columns, .column_count = count, .column_size = sizeof(*columns) };
	int rc = sink.words ? peer->add_up(peer, &ask, &sink.sink, err) : error_memory(err);

	if (rc == ETL_FAILED && err->klass == ETL_USAGE) {
		say_why(peer, err->message ? err->message : "it cannot");
		error_clear(err);
		rc = 0;
	} else if (rc == 0 && sink.unreadable) {
		say_why(peer, sink.unreadable);
	} else if (rc == 0 && sink.said == count) {
		*ret = sink.words;
		return 0;
	} else if (rc == 0) {
		rc = error_set(err, ETL_BUG, "the store adds up %zu of %zu columns", sink.said, count);
	}
	total_words_free(sink.words, sink.said);
	return rc;
}

/* ---- Over the rows ---- */

static int spell_rows(const struct totals *totals, size_t count, struct total_words **ret, struct etl_error *err)
{
	struct total_words *words = calloc(count + 1, sizeof(*words));
	bool ok = words && !totals->failed && totals->count >= count;

	for (size_t i = 0; ok && i < count; i++)
		ok = total_spell(&totals->at[i], &words[i]);
	if (!ok) {
		total_words_free(words, words ? count : 0);
		return error_memory(err);
	}
	*ret = words;
	return 0;
}

static int read_rows(struct etl_peer *peer, size_t count, struct total_words **ret, struct etl_error *err)
{
	int rc = peer->totals ? 0 : peer_add_up(peer, err);

	return rc < 0 ? rc : spell_rows(peer->totals, count, ret, err);
}

/* ---- For validators ---- */

static int find(struct etl_peer *peer, const struct etl_column *columns, struct total_words **ret,
		struct etl_error *err)
{
	int rc = peer->add_up && !peer->totals ? ask_store(peer, columns, ret, err) : 0;

	if (rc < 0 || *ret || (peer->once && !peer->totals))
		return rc;
	return read_rows(peer, (size_t)peer->schema->n_children, ret, err);
}

int peer_totals(struct etl_peer *peer, struct etl_total_sink *sink, struct etl_error *err)
{
	static const struct etl_total unknown = { .nulls = ETL_UNKNOWN,
						  .shortest = ETL_UNKNOWN,
						  .longest = ETL_UNKNOWN,
						  .shortest_utf16 = ETL_UNKNOWN,
						  .longest_utf16 = ETL_UNKNOWN };
	size_t count = (size_t)peer->schema->n_children;
	struct etl_column *columns = make_columns(peer);
	struct total_words *words = NULL;
	int rc = columns ? find(peer, columns, &words, err) : error_memory(err);

	for (size_t i = 0; i < count && rc == 0; i++)
		rc = sink->emit(sink, &columns[i], words ? &words[i].total : &unknown);
	total_words_free(words, words ? count : 0);
	free(columns);
	return rc;
}
