/*
 * A merge that deletes: what is rejected while it is loaded is in the source still, so the row under its key in the target
 * stays. The keys are written as the rows are, and go into the list of rejected keys (into.h) when the split is through. A
 * key that only the server can read, or that there is no room for, leaves a NULL there instead: then nothing is deleted.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "into.h"
#include "load.h"

#define KEPT_MAX (4 << 20) /* bytes of keys of one split */

/* The keys of a split's rejected rows. */
struct loading_kept {
	struct encode_column *columns; /* of the key; what they point to is the split's */
	struct etl_view view;
	size_t *at; /* where they are among the split's */
	size_t count;
	struct encode_buffer rows; /* without the bytes around them */
	uint64_t rejected;
	bool unknown;
};

/* Only where the rows that go are those that did not come. */
static bool matters(const struct loading *l)
{
	return stage_is_into(l->load->run) && l->load->existing &&
	       l->load->deletes != ETL_DELETE_NONE && !into_names_gone(l->load);
}

static bool find_column(const struct loading *l, const char *name, size_t *ret)
{
	for (*ret = 0; *ret < l->count; ++*ret)
		if (strcmp(l->columns[*ret].name, name) == 0)
			return true;
	return false;
}

static struct loading_kept *kept_new(const struct loading *l)
{
	struct loading_kept *k = calloc(1, sizeof(*k));
	size_t n = l->load->key_count;

	if (!k)
		return NULL;
	k->columns = calloc(n + 1, sizeof(*k->columns));
	k->at = calloc(n + 1, sizeof(*k->at));
	k->view = (struct etl_view){ .count = (int64_t)n,
				     .columns = calloc(n + 1, sizeof(*k->view.columns)) };
	k->count = n;
	if (!k->columns || !k->at || !k->view.columns) {
		loading_free_kept(k);
		return NULL;
	}
	for (size_t i = 0; i < n; i++) {
		if (!find_column(l, l->load->key[i], &k->at[i])) {
			k->unknown = true;
			break;
		}
		k->columns[i] = l->columns[k->at[i]];
		k->columns[i].not_null = true;
		k->unknown |= k->columns[i].by_text;
	}
	return k;
}

void loading_free_kept(struct loading_kept *k)
{
	if (!k)
		return;
	free(k->columns);
	free(k->at);
	free(k->view.columns);
	free(k->rows.at);
	free(k);
}

int loading_keep_key(struct loading *l, int64_t row)
{
	struct loading_kept *k = l->kept;
	const char *code;
	size_t column;

	if (!matters(l))
		return ETL_OK;
	if (!k)
		k = l->kept = kept_new(l);
	if (!k)
		return loading_no_memory(l);
	k->unknown |= k->rows.used >= KEPT_MAX;
	if (k->unknown)
		return ETL_OK;
	for (size_t i = 0; i < k->count; i++)
		k->view.columns[i] = l->view->columns[k->at[i]];
	/* No row of the target has a key that cannot be written. */
	code = encode_row(k->columns, k->count, &k->view, row, -1, &k->rows, &column);
	k->rejected += !code;
	return code && strcmp(code, "no_memory") == 0 ? loading_no_memory(l) : ETL_OK;
}

/* " "stage"."kept" (a, b)" */
static void add_list(const struct loading *l, struct etl_text *sql)
{
	char name[64];

	snprintf(name, sizeof(name), INTO_KEPT, (unsigned long long)l->load->index);
	postgres_add_name(sql, l->token->text, name);
	etl_text_add(sql, " (");
	postgres_into_add_key(sql, l->load, "");
	etl_text_add(sql, ")");
}

static int copy_keys(struct loading *l)
{
	struct encode_buffer *rows = &l->kept->rows;
	struct etl_text sql = { 0 };
	PGresult *refusal;
	int rc;

	etl_text_add(&sql, "COPY ");
	add_list(l, &sql);
	etl_text_add(&sql, " FROM STDIN (FORMAT binary)");
	rc = sql.failed ? loading_no_memory(l) : loading_copy_begin(l, sql.at);
	etl_text_free(&sql);
	if (rc < 0)
		return rc;
	if (encode_room(&l->buffer, rows->used)) {
		memcpy(l->buffer.at + l->buffer.used, rows->at, rows->used);
		l->buffer.used += rows->used;
	} else {
		rc = loading_no_memory(l);
	}
	rc = loading_copy_end(l, rc, l->kept->rejected, &refusal);
	return refusal ? postgres_fail(l->inst, refusal, l->err,
				       "keeping the rejected keys of table \"%s\"",
				       l->load->table->name) :
			 rc;
}

static int note_unknown(struct loading *l)
{
	struct etl_text sql = { 0 };

	etl_text_add(&sql, "INSERT INTO ");
	add_list(l, &sql);
	for (size_t i = 0; i < l->load->key_count; i++)
		etl_text_add(&sql, i ? ", NULL" : " VALUES (NULL");
	etl_text_add(&sql, ")");
	return postgres_run_text(l->inst, l->err, &sql);
}

int loading_send_kept(struct loading *l)
{
	uint64_t bytes = l->bytes;
	int rc = l->kept && l->kept->rejected ? copy_keys(l) : ETL_OK;

	l->bytes = bytes;
	return rc == ETL_OK && l->kept && l->kept->unknown ? note_unknown(l) : rc;
}
