/*
 * One line of a rejects file: what a person reads of a row that was refused, and what `rejects replay` needs of
 * it. The members stand in a fixed order, which refused.c counts on.
 */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <etlrun/helpers.h>

#include "reject-parts.h"
#include "secret.h"

#define VALUES_SHOWN 120 /* bytes of a row without a key, in a sentence */

static bool is_ours(const char *column)
{
	return strncmp(column, "etlrun.", 7) == 0;
}

/* ---- What a person reads ---- */

static bool add_key(const struct etl_key *key, const struct etl_reject *reject,
		    const struct etl_view *view, struct etl_text *text)
{
	for (size_t i = 0; i < key->column_count; i++)
		if (etl_schema_find(reject->schema, key->columns[i]) < 0)
			return false;
	for (size_t i = 0; i < key->column_count; i++) {
		etl_text_addf(text, "%s%s=", i ? " " : "", key->columns[i]);
		etl_text_add_value(text,
				   &view->columns[etl_schema_find(reject->schema, key->columns[i])],
				   reject->row);
	}
	return key->column_count > 0;
}

void reject_key(const struct job *job, const struct etl_reject *reject, const struct etl_view *view,
		struct etl_text *text)
{
	if (!add_key(&job->target->primary, reject, view, text))
		add_key(&job->source->primary, reject, view, text);
}

/* Cuts the text to so many bytes, between two characters. */
static void shorten(struct etl_text *text, size_t most)
{
	if (text->failed || text->length <= most)
		return;
	text->length = etl_utf8_valid(text->at, most);
	text->at[text->length] = '\0';
	etl_text_add(text, "…");
}

void reject_values(const struct etl_reject *reject, const struct etl_view *view,
		   struct etl_text *to)
{
	bool first = true;

	for (int64_t i = 0; i < reject->schema->n_children && to->length < VALUES_SHOWN; i++) {
		const char *name = reject->schema->children[i]->name;

		if (is_ours(name))
			continue;
		etl_text_addf(to, "%s%s=", first ? " (the row: " : ", ", name);
		etl_text_add_value(to, &view->columns[i], reject->row);
		shorten(to, VALUES_SHOWN);
		first = false;
	}
	if (!first)
		etl_text_add(to, ")");
}

/* ---- The line ---- */

static void add_member(struct etl_text *line, const char *name, const char *value)
{
	etl_text_addf(line, ",\"%s\":", name);
	if (value)
		etl_text_add_json(line, value, strlen(value));
	else
		etl_text_add(line, "null");
}

void reject_head(const struct rejects *r, const struct job *job, uint64_t split, int64_t ordinal,
		 struct etl_text *line)
{
	etl_text_add(line, "{\"run\":");
	etl_text_add_json(line, r->run, strlen(r->run));
	add_member(line, "table", job_name(job));
	if (ordinal == ORDINAL_UNKNOWN)
		etl_text_add(line, ",\"split\":null,\"ordinal\":null");
	else
		etl_text_addf(line, ",\"split\":%" PRIu64 ",\"ordinal\":%" PRId64, split, ordinal);
}

static void add_row(const struct etl_reject *reject, const struct etl_view *view,
		    struct etl_text *line)
{
	bool first = true;

	etl_text_add(line, ",\"row\":");
	if (!view && reject->raw && reject->raw[0] == '{')
		etl_text_add(line, reject->raw);
	else if (!view && reject->raw)
		etl_text_add_json(line, reject->raw, strlen(reject->raw));
	else if (!view)
		etl_text_add(line, "null");
	if (!view)
		return;
	etl_text_add(line, "{");
	for (int64_t i = 0; i < reject->schema->n_children; i++) {
		const char *name = reject->schema->children[i]->name;

		if (is_ours(name))
			continue;
		if (!first)
			etl_text_add(line, ",");
		first = false;
		etl_text_add_json(line, name, strlen(name));
		etl_text_add(line, ":");
		etl_text_add_json_exact(line, &view->columns[i], reject->row);
	}
	etl_text_add(line, "}");
}

/* A row of which a part is masked must not be taken for the row: it says so. */
static void hide(struct etl_text *tail, struct etl_text *line)
{
	char *masked = tail->failed ? NULL : secret_redact(tail->at);

	if (!masked) {
		line->failed = true;
		return;
	}
	etl_text_add(line, masked);
	if (strcmp(masked, tail->at) != 0)
		etl_text_add(line, ",\"masked\":true");
	free(masked);
}

void reject_tail(const struct etl_context *c, const struct etl_reject *reject,
		 const struct etl_view *view, const char *key, struct etl_text *line)
{
	struct etl_text tail = { 0 };

	(void)c;
	add_member(&tail, "key", key);
	add_member(&tail, "column", reject->column);
	add_member(&tail, "code", reject->code);
	add_member(&tail, "reason", reject->reason);
	add_row(reject, view, &tail);
	hide(&tail, line);
	etl_text_add(line, "}\n");
	etl_text_free(&tail);
}
