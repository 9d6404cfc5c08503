/*
 * What all tables of a run write, before the first row: which files, where in them, and what of their columns.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "target.h"

int json_plan_no_memory(struct target_plan *plan, struct etl_error *err)
{
	return plan->inst->host->fail(err, ETL_MEMORY, NULL, 0, "no memory to plan what is written");
}

static bool ends_in(const char *name, const char *end)
{
	size_t size = strlen(name), of_end = strlen(end);

	return size > of_end && strcmp(name + size - of_end, end) == 0;
}

/* By the name: a record on each line. */
static bool says_lines(const char *name)
{
	static const char *const ends[] = { ".jsonl",	  ".ndjson",	".jsonl.gz", ".ndjson.gz",
					    ".jsonl.zst", ".ndjson.zst" };

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		if (ends_in(name, ends[i]))
			return true;
	}
	return false;
}

/* TABLE.json, with what means something in a pattern taken as it is; a slash cannot be in a file's name. */
static const char *default_pattern(struct target_plan *plan, const char *table)
{
	char *to = etl_arena_alloc(&plan->memory, 2 * strlen(table) + sizeof(".json")), *at = to;

	for (; to && *table; table++) {
		if (strchr("{}*?[]\\", *table))
			*at++ = '\\';
		*at++ = *table == '/' ? '_' : *table;
	}
	if (to)
		memcpy(at, ".json", sizeof(".json"));
	return to;
}

/* ---- One load -------------------------------------------------------------------------------------------------------- */

static bool given(const struct load_plan *lp, const struct etl_host *host, const char *key)
{
	return lp->load->options && host->given(lp->load->options, key);
}

static bool omits(const struct load_plan *lp, const struct etl_host *host, const char *key)
{
	const char *word = lp->load->options ? host->str(lp->load->options, key) : NULL;

	return word && strcmp(word, "omit") == 0;
}

static int name_files(struct target_plan *plan, struct load_plan *lp, struct etl_error *err)
{
	const struct etl_host *host = plan->inst->host;
	const char *files = given(lp, host, "files") ? host->str(lp->load->options, "files") : NULL;

	if (plan->inst->root_is_file && files)
		return host->fail(err, ETL_USAGE, NULL, 0,
				  "table \"%s\": path is one file, %s, so files = \"%s\" has no place; give path the "
				  "folder",
				  lp->load->table->name, plan->inst->path, files);
	lp->pattern = plan->inst->root_is_file ? "" :
		      files			? etl_arena_copy(&plan->memory, files) :
						  default_pattern(plan, lp->load->table->name);
	return lp->pattern ? ETL_OK : json_plan_no_memory(plan, err);
}

static int read_shape(struct target_plan *plan, struct load_plan *lp, struct etl_error *err)
{
	const struct etl_host *host = plan->inst->host;
	const char *shape = given(lp, host, "shape") ? host->str(lp->load->options, "shape") : "auto";
	const char *name = plan->inst->root_is_file ? plan->inst->path : lp->pattern;

	if (strcmp(shape, "members") == 0)
		return host->fail(err, ETL_USAGE, NULL, 0,
				  "table \"%s\": shape = \"members\" does not say which column has the members' names; "
				  "write rows = \"$.{name}\" and give a column the path \"{name}\"",
				  lp->load->table->name);
	lp->lines = strcmp(shape, "lines") == 0 ||
		    (strcmp(shape, "auto") == 0 && !(lp->mapping && lp->mapping->layouts[0].rows) &&
		     (files_is_standard(plan->inst->files) || says_lines(name)));
	return ETL_OK;
}

static int begin_load(struct target_plan *plan, struct load_plan *lp, struct etl_error *err)
{
	const struct etl_host *host = plan->inst->host;
	const char *name = lp->load->table->name;
	int rc = ETL_OK;

	if (given(lp, host, "columns") || given(lp, host, "rows") || given(lp, host, "shape"))
		rc = json_table_new(plan->inst, name, lp->load->options, &lp->mapping, err);
	if (!rc)
		rc = name_files(plan, lp, err);
	if (!rc)
		rc = read_shape(plan, lp, err);
	lp->omit_nulls = omits(lp, host, "nulls");
	lp->omit_defaults = omits(lp, host, "defaults");
	return rc;
}

/* ---- Documents --------------------------------------------------------------------------------------------------------- */

static int new_document(struct target_plan *plan, struct load_plan *lp, struct document *d, struct etl_error *err)
{
	int rc;

	d->text = lp->pattern;
	d->root = etl_arena_alloc(&plan->memory, sizeof(*d->root));
	if (!d->root)
		return json_plan_no_memory(plan, err);
	d->place_count = 1;
	if (!*lp->pattern)
		return ETL_OK;
	rc = files_pattern_parse(&d->files, plan->inst->host, lp->pattern, err);
	if (!rc)
		d->capture_count = files_pattern_captures(d->files, &d->captures);
	return rc;
}

static int find_document(struct target_plan *plan, struct load_plan *lp, struct etl_error *err)
{
	struct document *d = plan->documents;

	while (d < plan->documents + plan->document_count && strcmp(d->text, lp->pattern) != 0)
		d++;
	lp->document = d;
	d->load_count++;
	if (d < plan->documents + plan->document_count)
		return ETL_OK;
	plan->document_count++;
	return new_document(plan, lp, d, err);
}

static int find_captures(struct target_plan *plan, struct load_plan *lp, struct etl_error *err)
{
	const struct document *d = lp->document;

	lp->captures = etl_arena_alloc(&plan->memory, (d->capture_count + 1) * sizeof(const struct placing *));
	if (!lp->captures)
		return json_plan_no_memory(plan, err);
	for (size_t i = 0; i < d->capture_count; i++) {
		lp->captures[i] = json_plan_capture(lp, d->captures[i]);
		if (!lp->captures[i])
			return plan->inst->host->fail(err, ETL_USAGE, NULL, 0,
						      "table \"%s\": files = \"%s\" needs {%s}, and no column holds it; "
						      "give one the path \"{%s}\"",
						      lp->load->table->name, d->text, d->captures[i], d->captures[i]);
	}
	return ETL_OK;
}

static int check_names(struct target_plan *plan, const struct document *d, struct etl_error *err)
{
	const char *const *names;
	const char *why = "", **values;
	char *name;

	if (!d->files)
		return ETL_OK;
	values = etl_arena_alloc(&plan->memory, (d->capture_count + 1) * sizeof(*values));
	if (!values)
		return json_plan_no_memory(plan, err);
	for (size_t i = 0; i < files_pattern_captures(d->files, &names); i++)
		values[i] = "x";
	name = files_pattern_name(d->files, values, &why);
	if (!name)
		return plan->inst->host->fail(err, ETL_USAGE, NULL, 0,
					      "files = \"%s\" does not say what a new file is called: %s; write a "
					      "{name} that a column holds where a wildcard is",
					      d->text, why);
	free(name);
	return ETL_OK;
}

/* ---- All of it ----------------------------------------------------------------------------------------------------------- */

static int each(struct target_plan *plan, int (*step)(struct target_plan *, struct load_plan *, struct etl_error *),
		struct etl_error *err)
{
	int rc = ETL_OK;

	for (size_t i = 0; !rc && i < plan->load_count; i++)
		rc = step(plan, &plan->loads[i], err);
	return rc;
}

static int check_standard(struct target_plan *plan, struct etl_error *err)
{
	if (plan->load_count < 2 || (!files_is_standard(plan->inst->files) && !plan->inst->root_is_file))
		return ETL_OK;
	return plan->inst->host->fail(err, ETL_USAGE, NULL, 0,
				      "%s takes one table, and \"%s\" and \"%s\" are to be written; name a folder with "
				      "path, or one table with tables",
				      files_is_standard(plan->inst->files) ? "standard output" : "one file",
				      plan->loads[0].load->table->name, plan->loads[1].load->table->name);
}

static int build(struct target_plan *plan, struct etl_error *err)
{
	int rc = check_standard(plan, err);

	rc = rc ? rc : each(plan, begin_load, err);
	rc = rc ? rc : each(plan, find_document, err);
	rc = rc ? rc : each(plan, json_plan_way, err);
	rc = rc ? rc : each(plan, find_captures, err);
	rc = rc ? rc : each(plan, json_plan_sites, err);
	rc = rc ? rc : each(plan, json_plan_sets, err);
	for (size_t i = 0; !rc && i < plan->document_count; i++)
		rc = check_names(plan, &plan->documents[i], err);
	return rc;
}

int json_plan_new(struct etl_instance *inst, const struct etl_load *const *loads, size_t count, bool tells,
		  struct target_plan **ret, struct etl_error *err)
{
	struct target_plan *plan = calloc(1, sizeof(*plan));
	int rc;

	if (!plan)
		return inst->host->fail(err, ETL_MEMORY, NULL, 0, "no memory to plan what is written");
	plan->inst = inst;
	plan->tells = tells;
	plan->loads = etl_arena_alloc(&plan->memory, (count + 1) * sizeof(*plan->loads));
	plan->documents = etl_arena_alloc(&plan->memory, (count + 1) * sizeof(*plan->documents));
	for (size_t i = 0; plan->loads && i < count; i++) {
		if (loads[i]->table->kind == ETL_TABLE)
			plan->loads[plan->load_count++].load = loads[i];
	}
	rc = plan->memory.failed ? json_plan_no_memory(plan, err) : build(plan, err);
	if (rc)
		json_plan_free(plan);
	else
		*ret = plan;
	return rc;
}

bool json_plan_leaves_out(const struct target_plan *plan, const struct document *document, const struct files_entry *entry)
{
	for (size_t i = 0; i < plan->load_count; i++) {
		const struct load_plan *lp = &plan->loads[i];

		if (lp->document == document && (!lp->mapping || !json_table_leaves_out(lp->mapping, entry)))
			return false;
	}
	return true;
}

void json_plan_free(struct target_plan *plan)
{
	if (!plan)
		return;
	for (size_t i = 0; i < plan->load_count; i++) {
		json_table_free(plan->loads[i].mapping);
		for (size_t j = 0; j < plan->loads[i].site_count; j++) {
			etl_text_free(&plan->loads[i].sites[j].last_key);
			etl_text_free(&plan->loads[i].sites[j].last_body);
		}
	}
	for (size_t i = 0; i < plan->document_count; i++)
		files_pattern_free(plan->documents[i].files);
	etl_arena_free(&plan->memory);
	free(plan);
}
