/* See changes-spelt.h. */
#include "config.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <etlrun/helpers.h>

#include "changes-spelt.h"
#include "json-read.h"

#define DEPTH_MAX 100 /* deeper is hashed as it is spelled */

static uint64_t mix(uint64_t a, uint64_t b)
{
	uint64_t pair[] = { a, b };

	return XXH3_64bits(pair, sizeof(pair));
}

/* ---- JSON ------------------------------------------------------------------------------------- */

static uint64_t hash_string(struct json *j)
{
	struct etl_text text = { 0 };
	const char *at;
	uint64_t hash;
	size_t size;

	/* Most are: they are hashed where they stand. */
	if (json_plain_string(j, &at, &size))
		return mix('"', XXH3_64bits(at, size));
	json_string(j, &text);
	j->failed |= text.failed;
	hash = text.at ? XXH3_64bits(text.at, text.length) : 0;
	etl_text_free(&text);
	return mix('"', hash);
}

static uint64_t hash_value(struct json *j, int depth);

/* A sum does not depend on the order. A name that comes twice counts twice, and makes another hash. */
static uint64_t hash_object(struct json *j, int depth)
{
	uint64_t sum = 0, count = 0;

	json_expect(j, '{');
	if (json_take(j, '}'))
		return mix('{', 0);
	do {
		uint64_t name = hash_string(j);

		json_expect(j, ':');
		sum += mix(name, hash_value(j, depth + 1));
		count++;
	} while (!j->bad && json_take(j, ','));
	json_expect(j, '}');
	return mix('{' + count, sum);
}

static uint64_t hash_array(struct json *j, int depth)
{
	uint64_t hash = '[';

	json_expect(j, '[');
	if (json_take(j, ']'))
		return hash;
	do
		hash = mix(hash, hash_value(j, depth + 1));
	while (!j->bad && json_take(j, ','));
	json_expect(j, ']');
	return mix(hash, ']');
}

static uint64_t hash_value(struct json *j, int depth)
{
	const char *at = NULL;
	size_t size;

	j->bad |= depth > DEPTH_MAX;
	if (j->bad)
		return 0;
	switch (json_peek(j)) {
	case '{':
		return hash_object(j, depth);
	case '[':
		return hash_array(j, depth);
	case '"':
		return hash_string(j);
	default:
		size = json_value(j, &at);
		return j->bad ? 0 : mix('0', XXH3_64bits(at, size));
	}
}

/* ---- Values ----------------------------------------------------------------------------------- */

static bool is_padded(const struct job *job, const char *name)
{
	int64_t at = table_find_column(job->target, name);
	const char *declared = at < 0 ? NULL : table_column(job->target, (size_t)at)->declared;

	return declared && (strncmp(declared, "character(", 10) == 0 || strncmp(declared, "char(", 5) == 0 ||
			    strcmp(declared, "bpchar") == 0);
}

/* Of a type whose values are bytes. */
static bool hash_bytes(const struct etl_column_view *c, int64_t row, bool padded, uint64_t *ret)
{
	int64_t size;
	const char *at = (const char *)etl_get_bytes(c, row, &size);

	while (padded && size > 0 && at[size - 1] == ' ')
		size--;
	*ret = XXH3_64bits(at, (size_t)size);
	if (c->type.type == ETL_JSON) {
		struct json j = json_start(at, (size_t)size);
		uint64_t hash = hash_value(&j, 0);

		if (j.failed)
			return false;
		if (!j.bad && json_peek(&j) == 0)
			*ret = hash;
	}
	return true;
}

static bool has_bytes(int32_t type)
{
	return type == ETL_TEXT || type == ETL_BYTES || type == ETL_NUMERIC || type == ETL_JSON || type == ETL_ANY;
}

bool changes_add_spelt(const struct job *job, const struct ArrowSchema *schema, const struct ArrowArray *batch, uint64_t *rows)
{
	struct etl_view *view = job->respelt ? etl_view_new(schema) : NULL;
	bool ok = !job->respelt || (view && etl_view_set(view, batch));

	for (size_t i = 0; ok && job->respelt && i < job->cast_count; i++) {
		const struct etl_column_view *c = &view->columns[i];
		bool padded = job->respelt[i] && is_padded(job, job->rows.children[i]->name);

		for (int64_t row = 0; ok && job->respelt[i] && has_bytes(c->type.type) && row < batch->length; row++) {
			uint64_t hash = 0;

			if (etl_is_null(c, row))
				continue;
			ok = hash_bytes(c, row, padded, &hash);
			rows[row] = mix(rows[row], mix(i, hash));
		}
	}
	etl_view_free(view);
	return ok;
}
