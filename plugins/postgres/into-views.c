/*
 * The staged rows as the statements of a transaction see them: views of the session's own, which are all that a batch shows of them
 * (batch.h).
 */
#include "config.h"

#include <stdio.h>

#include "batch.h"
#include "into.h"
#include "stage.h"

static void add_view(struct etl_text *sql, const struct publish_part *part, const char *what,
		     const char *columns, const char *table, const struct etl_slice *slice)
{
	etl_text_addf(sql, "CREATE TEMPORARY VIEW \"_etlrun_%s_%llu\" AS SELECT %s FROM ", what,
		      (unsigned long long)part->load->index, columns);
	postgres_add_name(sql, part->token->text, table);
	if (slice)
		batch_add_where(sql, slice);
	etl_text_add(sql, "; ");
}

/* Which of the staged rows are meant; NULL: all of them. */
static const struct etl_slice *slice_of(const struct into *n, enum etl_slice_kind kind)
{
	return n->p->slices ? &n->p->slices[n->at].of[kind] : NULL;
}

int into_prepare(struct into *n)
{
	const struct publish_part *part = n->part;
	const struct etl_slice *rows = slice_of(n, ETL_SLICE_ROWS);
	struct etl_text sql = { 0 };
	char name[64];

	snprintf(name, sizeof(name), INTO_KEPT, (unsigned long long)part->load->index);
	add_view(&sql, part, "new", "ctid AS _etlrun_row, *", part->load->table->name, rows);
	if (into_merges(part->load) && part->load->deletes != ETL_DELETE_NONE)
		add_view(&sql, part, "kept", "*", name, NULL);
	snprintf(name, sizeof(name), INTO_GOES, (unsigned long long)part->load->index);
	if (into_names_gone(part->load))
		add_view(&sql, part, "goes", "*", name, slice_of(n, ETL_SLICE_GONE));
	if (into_merges(part->load) && (!rows || (rows->any && !*rows->from))) {
		/* Rows meet by the key; to look at wide values would take longer than it saves. */
		etl_text_add(&sql, "ANALYZE ");
		postgres_add_name(&sql, part->token->text, part->load->table->name);
		etl_text_add(&sql, " (");
		postgres_into_add_key(&sql, part->load, "");
		etl_text_add(&sql, ")");
	}
	return into_run_text(n, &sql);
}

static void add_drop(struct etl_text *sql, const struct publish_part *part, const char *name)
{
	etl_text_add(sql, "; DROP TABLE ");
	postgres_add_name(sql, part->token->text, name);
}

/* What is the transaction's own must not move with what the run made, and outlives no batch. */
int into_clear(struct into *n)
{
	const struct publish_part *part = n->part;
	struct etl_text sql = { 0 };
	unsigned long long number = (unsigned long long)part->load->index;
	bool stays = n->p->slices && n->p->commit->batch->next->text[0];
	char name[64];

	snprintf(name, sizeof(name), INTO_KEPT, number);
	etl_text_addf(&sql, "DROP VIEW IF EXISTS " INTO_NEW, number);
	if (into_merges(part->load) && part->load->deletes != ETL_DELETE_NONE) {
		etl_text_addf(&sql, "; DROP VIEW IF EXISTS pg_temp.\"" INTO_KEPT "\"", number);
		if (!stays)
			add_drop(&sql, part, name);
	}
	snprintf(name, sizeof(name), INTO_GOES, number);
	if (into_names_gone(part->load)) {
		etl_text_addf(&sql, "; DROP VIEW IF EXISTS pg_temp.\"" INTO_GOES "\"", number);
		if (!stays)
			add_drop(&sql, part, name);
	}
	return into_run_text(n, &sql);
}
