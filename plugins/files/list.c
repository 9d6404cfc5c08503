/*
 * Lists of files: what a backend finds, held against the pattern, in one order on every machine; and by what such a list is
 * known again, so that a run that goes on reads only what is missing.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "remote.h"

bool files_is_name(const char *name)
{
	size_t length;

	for (;; name += length + 1) {
		length = strcspn(name, "/");
		if (length == 0 || (length <= 2 && strspn(name, ".") >= length))
			return false;
		if (!name[length])
			return true;
	}
}

bool files_gather_wants(const struct files_gather *gather, const char *name)
{
	size_t length = strlen(name), aside = strlen(FILES_ASIDE);

	if (length >= aside && strcmp(name + length - aside, FILES_ASIDE) == 0)
		return false;
	return !gather->pattern || files_pattern_match(gather->pattern, name, NULL, NULL);
}

bool files_gather_looks(const struct files_gather *gather, const char *folder)
{
	size_t length = strlen(folder), aside = strlen(FILES_ASIDE "/");

	if (length >= aside && strcmp(folder + length - aside, FILES_ASIDE "/") == 0)
		return false;
	return !gather->pattern || files_pattern_may_hold(gather->pattern, folder);
}

int files_gather_add(struct files_gather *gather, const char *name, const char *as, int64_t size,
		     int64_t modified, const char *tag)
{
	static const char *const none[] = { NULL };
	struct files_list *list = gather->list;
	struct files_entry *entry;

	list->at = etl_arena_push(&list->memory, list->at, list->count, sizeof(*list->at));
	if (!list->at)
		return files_no_memory(gather->files, gather->err);
	entry = &list->at[list->count];
	*entry = (struct files_entry){ .name = etl_arena_copy(&list->memory, as),
				       .size = size,
				       .modified = modified,
				       .tag = etl_arena_copy(&list->memory, tag),
				       .captures = none };
	if (gather->pattern &&
	    !files_pattern_match(gather->pattern, name, &list->memory, &entry->captures))
		return ETL_OK;
	if (list->memory.failed)
		return files_no_memory(gather->files, gather->err);
	list->count++;
	return ETL_OK;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct files_entry *)a)->name, ((const struct files_entry *)b)->name);
}

/* Notes what the list was, for the stamp; the last one of a pattern counts. */
static int note(struct files *files, const struct files_pattern *pattern, const struct files_list *list,
		struct etl_error *err)
{
	const char *text = pattern ? files_pattern_text(pattern) : "";
	struct files_made *made = files->made;
	size_t i;

	for (i = 0; i < files->made_count && strcmp(made[i].pattern, text) != 0; i++)
		;
	if (i == files->made_count) {
		made = realloc(made, (i + 1) * sizeof(*made));
		if (!made)
			return files_no_memory(files, err);
		files->made = made;
		made[i].pattern = strdup(text);
		if (!made[i].pattern)
			return files_no_memory(files, err);
		files->made_count++;
	}
	files_list_token(list, &made[i].token);
	return ETL_OK;
}

/* A server says what it has page by page, and a pipeline may say it: a file that comes twice would be read twice. */
static int check_once(const struct files *files, const struct files_list *list, struct etl_error *err)
{
	for (size_t i = 1; i < list->count; i++)
		if (strcmp(list->at[i - 1].name, list->at[i].name) == 0)
			return files->host->fail(err, files->remote && !files->remote->blob ? ETL_USAGE : ETL_FATAL, NULL, 0,
						 "%s: %s is listed twice", files->root, list->at[i].name);
	return ETL_OK;
}

int files_list(struct files *files, const struct files_pattern *pattern, struct files_list *ret,
	       struct etl_error *err)
{
	struct files_list list = { 0 };
	struct files_gather gather = {
		.files = files, .pattern = pattern, .list = &list, .err = err
	};
	int rc = files->backend->list(&gather);

	if (list.count > 1)
		qsort(list.at, list.count, sizeof(*list.at), by_name);
	if (!rc)
		rc = check_once(files, &list, err);
	if (!rc)
		rc = note(files, pattern, &list, err);
	if (rc) {
		files_list_clear(&list);
		return rc;
	}
	files_list_clear(ret);
	*ret = list;
	return ETL_OK;
}

void files_list_clear(struct files_list *list)
{
	etl_arena_free(&list->memory);
	list->at = NULL;
	list->count = 0;
}

/* ---- Its identity --------------------------------------------------------------------------------------------- */

static void add_number(XXH3_state_t *state, int64_t number)
{
	unsigned char bytes[8];
	int i;

	for (i = 0; i < 8; i++)
		bytes[i] = (unsigned char)((uint64_t)number >> (8 * i));
	XXH3_128bits_update(state, bytes, sizeof(bytes));
}

void files_list_token(const struct files_list *list, struct etl_token *ret)
{
	XXH3_state_t state;
	XXH128_hash_t hash;
	size_t i;

	snprintf(ret->text, sizeof(ret->text), "none");
	XXH3_128bits_reset(&state);
	for (i = 0; i < list->count; i++) {
		const struct files_entry *entry = &list->at[i];

		if (entry->size < 0 || (entry->modified == 0 && !*entry->tag))
			break;
		XXH3_128bits_update(&state, entry->name, strlen(entry->name) + 1);
		XXH3_128bits_update(&state, entry->tag, strlen(entry->tag) + 1);
		add_number(&state, entry->size);
		add_number(&state, entry->modified);
	}
	hash = XXH3_128bits_digest(&state);
	if (i == list->count)
		snprintf(ret->text, sizeof(ret->text), "files %zu %016llx%016llx", list->count,
			 (unsigned long long)hash.high64, (unsigned long long)hash.low64);
}

static int by_pattern(const void *a, const void *b)
{
	return strcmp(((const struct files_made *)a)->pattern, ((const struct files_made *)b)->pattern);
}

void files_stamp(const struct files *files, struct etl_token *ret)
{
	XXH3_state_t state;
	XXH128_hash_t hash;
	size_t i;

	snprintf(ret->text, sizeof(ret->text), "none");
	if (files->made_count == 0)
		return;
	qsort(files->made, files->made_count, sizeof(*files->made), by_pattern);
	XXH3_128bits_reset(&state);
	for (i = 0; i < files->made_count; i++) {
		const struct files_made *made = &files->made[i];

		if (strcmp(made->token.text, "none") == 0)
			break;
		XXH3_128bits_update(&state, made->pattern, strlen(made->pattern) + 1);
		XXH3_128bits_update(&state, made->token.text, strlen(made->token.text) + 1);
	}
	hash = XXH3_128bits_digest(&state);
	if (i == files->made_count)
		snprintf(ret->text, sizeof(ret->text), "lists %zu %016llx%016llx", i,
			 (unsigned long long)hash.high64, (unsigned long long)hash.low64);
}
