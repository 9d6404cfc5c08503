/* A row that does not go on: where it stands, what it holds, and why. */
#include "config.h"

#include "reading.h"

#define WORDS_MAX 60 /* bytes of a value that a sentence shows */

static int add_raw(struct reading *r, struct etl_text *raw, int32_t limit)
{
	int rc = ETL_OK;

	etl_text_add(raw, "{");
	for (int64_t i = 0; rc == ETL_OK && i < r->want.n_children; i++) {
		const char *name = r->want.children[i]->name;
		struct reading_any any;

		rc = reading_any(r, (size_t)i, &any);
		etl_text_add(raw, i ? "," : "");
		etl_text_add_json(raw, name, strlen(name));
		etl_text_add(raw, ":");
		if (rc == ETL_OK && any.null)
			etl_text_add(raw, "null");
		else if (rc == ETL_OK && any.offsets[1] > limit)
			etl_text_addf(raw, "{\"$size\":%d}", any.offsets[1] - 1);
		else if (rc == ETL_OK)
			etl_text_add_json_exact(raw, &any.view, 0);
	}
	etl_text_add(raw, "}");
	return rc;
}

/* As a person reads it, the beginning of a long one. */
static int add_words(struct reading *r, struct etl_text *text, size_t i)
{
	struct etl_text words = { 0 };
	struct reading_any any;
	size_t length;
	int rc = reading_any(r, i, &any);

	if (rc < 0)
		return rc;
	if (any.null)
		etl_text_add(&words, "NULL");
	else
		etl_text_add_value(&words, &any.view, 0);
	length = words.length > WORDS_MAX ? etl_utf8_valid(words.at, WORDS_MAX) : words.length;
	etl_text_add_bytes(text, words.at ? words.at : "", length);
	etl_text_add(text, length < words.length ? "…" : "");
	text->failed |= words.failed;
	etl_text_free(&words);
	return ETL_OK;
}

/* Where a column of the key stands in the statement. */
static size_t place_of(const struct reading *r, size_t k)
{
	int64_t at = etl_schema_find(&r->want, r->key.columns[k]);
	size_t extra = (size_t)r->want.n_children;

	if (at >= 0)
		return (size_t)at;
	for (size_t i = 0; i < k; i++)
		extra += etl_schema_find(&r->want, r->key.columns[i]) < 0;
	return extra;
}

/* "id=3", "a=1 b='x'". */
static int add_key(struct reading *r, struct etl_text *key)
{
	int rc = ETL_OK;

	for (size_t k = 0; rc == ETL_OK && k < r->key.column_count; k++) {
		etl_text_addf(key, "%s%s=", k ? " " : "", r->key.columns[k]);
		rc = add_words(r, key, place_of(r, k));
	}
	return rc;
}

static int add_reason(struct reading *r, struct etl_text *reason, const char *key, size_t column, const char *code)
{
	char type[64];
	int rc;

	etl_text_addf(reason, "%s%s%s", r->what.at, key ? ", " : "", key ? key : "");
	if (strcmp(code, "max_row") == 0) {
		etl_text_addf(reason, ": the row is larger than max_row (%lld bytes)",
			      (long long)r->inst->host->max_row);
		return ETL_OK;
	}
	etl_text_addf(reason, ": column \"%s\" holds ", r->want.children[column]->name);
	rc = add_words(r, reason, column);
	etl_text_addf(reason, ", which does not go into %s exactly (%s)",
		      etl_type_name(etl_type_of(r->want.children[column]), type, sizeof(type)), code);
	return rc;
}

int reading_reject(struct reading *r, size_t column, const char *code)
{
	bool large = strcmp(code, "max_row") == 0;
	struct etl_text raw = { 0 }, reason = { 0 }, key = { 0 };
	struct etl_reject reject = { .code = code, .ordinal = r->ordinal, .schema = &r->want };
	int rc;

	if (strcmp(code, "no_memory") == 0)
		return reading_no_memory(r);
	rc = add_key(r, &key);
	if (rc == ETL_OK)
		rc = add_reason(r, &reason, key.at, column, code);
	if (rc == ETL_OK)
		rc = add_raw(r, &raw, large ? RAW_MAX : INT32_MAX);
	reject.column = large ? NULL : r->want.children[column]->name;
	reject.reason = reason.at;
	reject.raw = raw.at;
	reject.key = key.at;
	if (rc == ETL_OK)
		rc = raw.failed || reason.failed || key.failed ? reading_no_memory(r) :
		     r->context ? r->inst->host->reject(r->context, &reject) :
				  r->inst->host->fail(r->err, ETL_DATA, NULL, 0, "%s", reason.at);
	etl_text_free(&raw);
	etl_text_free(&reason);
	etl_text_free(&key);
	return rc;
}
