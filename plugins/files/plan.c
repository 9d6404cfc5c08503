/*
 * A list of files as splits. A split is some files that follow each other, so that a million small ones make no million of
 * units of work; and each carries by what the list was known, so that an instance which finds another list says so rather
 * than reading other files under the same numbers.
 */
#include "config.h"

#include <string.h>

#include "backend.h"

static int64_t weight(const struct files_entry *entry)
{
	return entry->size > 0 ? entry->size + 1 : 1;
}

int files_plan(const struct files_list *list, int64_t wanted, struct etl_split_sink *sink)
{
	struct etl_split split = { .last = -1, .rows = ETL_UNKNOWN };
	int64_t left = 0, filled = 0;
	struct etl_token token;
	size_t i;
	int rc;

	files_list_token(list, &token);
	split.text = token.text;
	for (i = 0; i < list->count; i++)
		left += weight(&list->at[i]);
	if (wanted < 1)
		wanted = 1;
	for (i = 0; i + 1 < list->count; i++) {
		filled += weight(&list->at[i]);
		if (wanted == 1 || filled < left / wanted)
			continue;
		split.last = (int64_t)i;
		rc = sink->emit(sink, &split);
		if (rc)
			return rc;
		split.first = split.last + 1;
		split.index++;
		left -= filled;
		filled = 0;
		wanted--;
	}
	split.last = (int64_t)list->count - 1;
	return sink->emit(sink, &split);
}

int files_split(const struct files *files, const struct files_list *list, const struct etl_split *split,
		size_t *ret_first, size_t *ret_count, struct etl_error *err)
{
	struct etl_token token;

	if (!split || !split->text || !*split->text) {
		*ret_first = 0;
		*ret_count = list->count;
		return ETL_OK;
	}
	files_list_token(list, &token);
	if (strcmp(token.text, split->text) != 0 || split->first < 0 ||
	    split->last >= (int64_t)list->count)
		return files->host->fail(err, ETL_FATAL, NULL, 0,
					 "%s: files came, went or were changed since the run looked which there are; run again "
					 "when nobody writes there",
					 files->root);
	*ret_first = (size_t)split->first;
	*ret_count = (size_t)(split->last - split->first + 1);
	return ETL_OK;
}
