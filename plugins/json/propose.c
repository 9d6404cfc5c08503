/*
 * What was found in the files, as entries of a pipeline file: for `discover`.
 */
#include "config.h"

#include <string.h>

#include "infer.h"

static void add_key(struct etl_text *to, const char *before, const char *key, const char *value)
{
	etl_text_addf(to, "%s%s = ", before, key);
	etl_text_add_config(to, value);
	etl_text_add(to, ";");
}

static void add_list(struct etl_text *to, const char *before, const char *key, const char *const *at, size_t count)
{
	etl_text_addf(to, "%s%s = [ ", before, key);
	for (size_t i = 0; i < count; i++) {
		etl_text_add(to, i ? ", " : "");
		etl_text_add_config(to, at[i]);
	}
	etl_text_add(to, " ];");
}

/* The member of the row that has the column's name needs no path. */
static bool is_own_name(const struct proposed_column *c)
{
	return strncmp(c->path, "@.", 2) == 0 && strcmp(c->path + 2, c->name) == 0;
}

static void add_columns(struct etl_text *to, const struct proposal *p)
{
	etl_text_add(to, " columns = (");
	for (size_t i = 0; i < p->column_count; i++) {
		const struct proposed_column *c = &p->columns[i];

		etl_text_add(to, i ? ", {" : " {");
		add_key(to, " ", "name", c->name);
		if (!is_own_name(c))
			add_key(to, " ", "path", c->path);
		add_key(to, " ", "type", c->type);
		etl_text_add(to, c->required ? " not_null = true; }" : " }");
	}
	etl_text_add(to, " );");
}

static void add_except(struct etl_text *to, const struct proposal *p)
{
	etl_text_add(to, " except = (");
	for (size_t i = 0; i + 1 < p->except_count; i += 2) {
		etl_text_add(to, i ? ", ( " : " ( ");
		etl_text_add_config(to, p->except[i]);
		etl_text_add(to, ", ");
		etl_text_add_config(to, p->except[i + 1]);
		etl_text_add(to, " )");
	}
	etl_text_add(to, " );");
}

static void add_reference(struct etl_text *to, const struct proposal *p)
{
	etl_text_add(to, " references = ( {");
	add_list(to, " ", "columns", p->refers, p->refers_count);
	add_key(to, " ", "table", p->parent->name);
	add_list(to, " ", "to", p->parent->key, p->refers_count);
	add_key(to, " ", "on_delete", "cascade");
	etl_text_add(to, " } );");
}

static void add_doubts(struct etl_text *to, const struct proposal *p)
{
	for (size_t i = 0; i < p->doubt_count; i++)
		etl_text_addf(to, "%s%s", to->length ? "\n" : "", p->doubts[i]);
	for (size_t i = 0; i < p->column_count; i++) {
		if (p->columns[i].doubt)
			etl_text_addf(to, "%s%s: %s", to->length ? "\n" : "", p->columns[i].name, p->columns[i].doubt);
	}
}

/* UNREAD, or NULL: files that are in no table are told with the first. */
static int emit(struct etl_instance *inst, const struct proposal *p, const struct inference *unread, struct etl_proposal_sink *sink,
		struct etl_error *err)
{
	struct etl_text keys = { 0 }, unsure = { 0 };
	struct etl_proposal one = { .name = p->name };
	int rc;

	etl_text_add(&keys, "from = {");
	if (*p->files)
		add_key(&keys, " ", "files", p->files);
	if (p->shape)
		add_key(&keys, " ", "shape", p->shape);
	if (p->rows)
		add_key(&keys, " ", "rows", p->rows);
	if (p->except_count)
		add_except(&keys, p);
	add_columns(&keys, p);
	if (p->key_count)
		add_list(&keys, " ", "key", p->key, p->key_count);
	if (p->parent && p->refers_count)
		add_reference(&keys, p);
	etl_text_add(&keys, " };");
	for (size_t i = 0; unread && i < unread->unread_count; i++)
		etl_text_addf(&unsure, "%s%s It is in no table.", i ? "\n" : "", unread->unread[i]);
	add_doubts(&unsure, p);
	one.keys = keys.at;
	one.unsure = unsure.length ? unsure.at : NULL;
	rc = keys.failed || unsure.failed ? inst->host->fail(err, ETL_MEMORY, NULL, 0, "json: no memory for a proposal") :
					    sink->emit(sink, &one);
	etl_text_free(&keys);
	etl_text_free(&unsure);
	return rc;
}

int json_propose(struct etl_instance *inst, struct etl_proposal_sink *sink, struct etl_error *err)
{
	const struct inference *found;
	int rc = json_found(inst, &found, err);

	for (size_t i = 0; !rc && i < found->count; i++)
		rc = emit(inst, found->at[i], i ? NULL : found, sink, err);
	return rc;
}
