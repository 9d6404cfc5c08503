/*
 * Keys over values of several classes. A store that keeps the class with the value tells a text from a blob of the same
 * bytes, and from a number that is written so; a column of one type does not, and the key takes one of the two.
 */
#include "config.h"

#include <string.h>

#include "profile.h"
#include "shape.h"

static bool lists(const char *const *columns, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(columns[i], name) == 0)
			return true;
	return false;
}

static bool indexes(const struct etl_index *index, const char *name)
{
	for (size_t i = 0; index->flags & ETL_INDEX_UNIQUE && i < index->part_count; i++) {
		const char *column =
			ETL_AT(const struct etl_index_part, index->parts, index->part_size, i)->column;

		if (column && strcmp(column, name) == 0)
			return true;
	}
	return false;
}

/* What of the table's takes a value of the column once; NULL: nothing. */
static const char *key_over(const struct job *job, const char *name)
{
	const struct etl_table *t = job->source;

	if (lists(t->primary.columns, t->primary.column_count, name))
		return "primary key";
	for (size_t i = 0; i < t->unique_count; i++) {
		const struct etl_key *key = ETL_AT(const struct etl_key, t->uniques, t->unique_size, i);

		if (lists(key->columns, key->column_count, name))
			return "unique";
	}
	for (size_t i = 0; i < t->index_count; i++)
		if (indexes(ETL_AT(const struct etl_index, t->indexes, t->index_size, i), name))
			return "index";
	return string_list_has(&job->rule->key, name) ? "key" : NULL;
}

int profile_look_at_keys(struct jobs *jobs, const struct job *job, const struct etl_profile *p,
			 struct etl_error *err)
{
	const char *key = key_over(job, p->column);
	bool numbers = p->integers + p->reals > 0;
	struct etl_text object = { 0 };
	int rc;

	/* Where there are blobs no number goes in, and its row is rejected for that. */
	if (!key || !p->texts || !(p->blobs || numbers) || string_list_has(&job->rule->exclude_columns, p->column))
		return 0;
	etl_text_addf(&object, "%s.%s", job_source_name(job), p->column);
	rc = object.failed ? error_memory(err) :
			     host_verdict_add(jobs, ETL_APPROXIMATED, key, object.at, err,
					      "the column holds texts and %s, and has one type in the target: %s are "
					      "two values in the source and one there, of which the key takes the first",
					      p->blobs ? "blobs" : "numbers",
					      p->blobs ? "a text and a blob of the same bytes" :
							 "a number and the text that it is written as");
	etl_text_free(&object);
	return rc;
}
