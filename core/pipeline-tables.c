/*
 * The `tables` of a pipeline file: each entry names a table, a pattern or a query, and says what
 * becomes of it. Keys of the two stores stand in `from` and `to`; keys of the target for one column
 * stand in the entry of that column, beside the host's own.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline-parts.h"
#include "select.h"

static const struct etl_option table_options[] = {
	{ .name = "name", .kind = ETL_OPT_TEXT },
	{ .name = "query", .kind = ETL_OPT_TEXT },
	{ .name = "as", .kind = ETL_OPT_TEXT },
	{ .name = "where", .kind = ETL_OPT_TEXT },
	{ .name = "exclude_columns", .kind = ETL_OPT_LIST },
	{ .name = "key", .kind = ETL_OPT_LIST },
	{ .name = "after", .kind = ETL_OPT_LIST },
	{ .name = "cursor", .kind = ETL_OPT_TEXT },
	{ .name = "delete", .kind = ETL_OPT_CHOICE, .choices = "none|soft|hard" },
	{ .name = "delete_column", .kind = ETL_OPT_TEXT },
	{ .name = "allow_drift", .kind = ETL_OPT_LIST },
	PIPELINE_CONFLICT_OPTIONS,
	{ .name = NULL }
};
static const char *const table_others[] = { "columns",	  "from",	"to",
					    "transforms", "validators", NULL };

static const struct etl_option column_options[] = { { .name = "name", .kind = ETL_OPT_TEXT },
						    { .name = "as", .kind = ETL_OPT_TEXT },
						    { .name = "type", .kind = ETL_OPT_TEXT },
						    { .name = "null_values", .kind = ETL_OPT_LIST },
						    { .name = "conflicts", .kind = ETL_OPT_CHOICE, .choices = "source|target" },
						    { .name = NULL } };
static const char *const column_others[] = { "value", "default", NULL };

/* ---- Columns ---- */

static void column_clear(struct column_rule *c)
{
	free(c->name);
	free(c->as);
	free(c->type);
	free(c->value);
	free(c->fallback);
	string_list_clear(&c->null_values);
	conf_free(c->to);
	free(c->origin.text);
}

/* Names of the target's per-column options behind the host's other keys, NULL-ended; for the caller
 * to free. */
static const char **known_column_keys(const struct plugin *target)
{
	size_t i, n = 0, options = 0;
	const char **names;

	while (target->base.options && ETL_AT(const struct etl_option, target->base.options,
					      target->base.option_size, options)
					       ->name)
		options++;
	names = calloc(options + 8, sizeof(*names));
	if (!names)
		return NULL;
	for (i = 0; column_others[i]; i++)
		names[n++] = column_others[i];
	for (i = 0; i < options; i++) {
		const struct etl_option *o = ETL_AT(const struct etl_option, target->base.options,
						    target->base.option_size, i);

		if (o->flags & ETL_OPT_PER_COLUMN &&
		    (o->flags & ETL_OPT_TARGET || !(o->flags & ETL_OPT_SOURCE)))
			names[n++] = o->name;
	}
	return names;
}

/* The host's keys. */
static int column_own(struct pipeline *p, const config_setting_t *s, struct column_rule *c,
		      struct etl_error *err)
{
	const char **others = known_column_keys(p->target.plugin);
	struct option_group g = {
		.owner = "a column",
		.options = column_options,
		.option_size = sizeof(struct etl_option),
		.folder = p->folder,
		.ignore = others,
	};
	struct etl_conf *conf = NULL;
	int status = others ? conf_check(&g, s, &conf, err) : error_memory(err);

	free(others);
	if (status == ETL_OK)
		status = pipeline_text(conf, "name", &c->name, err);
	if (status == ETL_OK)
		status = pipeline_text(conf, "as", &c->as, err);
	if (status == ETL_OK)
		status = pipeline_text(conf, "type", &c->type, err);
	if (status == ETL_OK)
		status = pipeline_list(conf, "null_values", &c->null_values, err);
	if (status == ETL_OK)
		status = pipeline_scalar(p, s, "value", &c->value, err);
	if (status == ETL_OK)
		status = pipeline_scalar(p, s, "default", &c->fallback, err);
	if (status == ETL_OK && conf_given(conf, "conflicts")) {
		c->stays = strcmp(conf_str(conf, "conflicts"), "target") == 0;
		status = pipeline_syncs_only(p, s, "conflicts", err);
	}
	conf_free(conf);
	return status;
}

static int column_check(const config_setting_t *s, const struct column_rule *c,
			struct etl_error *err)
{
	if (!c->name && !c->value)
		return pipeline_fail(
			s, err,
			"this column has neither name nor value; write name = \"COLUMN\", or "
			"as = \"COLUMN\" with a constant value");
	if (c->name && c->value)
		return pipeline_fail(
			s, err,
			"the column %s has a name and a value; a constant has `as` and `value`, "
			"and `default` is what stands for NULL",
			c->name);
	if (c->value && !c->as)
		return pipeline_fail(
			s, err,
			"a constant column needs a name in the target; write as = \"COLUMN\"");
	if (c->as && !*c->as)
		return pipeline_fail(s, err, "an empty `as` of a column; write the column's name");
	if (c->value && (c->fallback || c->null_values.count > 0))
		return pipeline_fail(
			s, err,
			"the constant %s takes neither `default` nor `null_values`; it is never "
			"NULL",
			c->as);
	if (c->type)
		return pipeline_check_type(config_setting_get_member(s, "type"), c->type, err);
	return ETL_OK;
}

static int read_column(struct pipeline *p, const config_setting_t *s, struct column_rule *c,
		       struct etl_error *err)
{
	static const char *const own[] = { "name",    "as",	     "type", "value",
					   "default", "null_values", "conflicts", NULL };
	int status;

	if (!config_setting_is_group(s))
		return pipeline_fail(
			s, err, "an entry of `columns` wants a group: { name = \"COLUMN\"; … }");
	status = column_own(p, s, c, err);
	if (status == ETL_OK)
		status = column_check(s, c, err);
	if (status == ETL_OK)
		status = pipeline_scoped(p, &p->target, ETL_OPT_PER_COLUMN, ETL_OPT_TARGET, s, own,
					 &c->to, err);
	return status == ETL_OK ? pipeline_origin(s, &c->origin, err) : status;
}

static int read_columns(struct pipeline *p, const config_setting_t *table, struct table_rule *t,
			struct etl_error *err)
{
	const config_setting_t *list = config_setting_get_member(table, "columns");
	int status = ETL_OK;
	unsigned i, n;

	if (!list)
		return ETL_OK;
	if (!config_setting_is_list(list))
		return pipeline_fail(
			list, err,
			"`columns` of a table wants a list of groups: ( { name = \"COLUMN\"; } )");
	n = (unsigned)config_setting_length(list);
	if (n == 0)
		return ETL_OK;
	t->columns = calloc(n, sizeof(*t->columns));
	if (!t->columns)
		return error_memory(err);
	for (i = 0; status == ETL_OK && i < n; i++) {
		t->column_count++;
		status = read_column(p, config_setting_get_elem(list, i), &t->columns[i], err);
	}
	return status;
}

/* ---- Tables ---- */

static void table_clear(struct table_rule *t)
{
	size_t i;

	for (i = 0; i < t->column_count; i++)
		column_clear(&t->columns[i]);
	free(t->columns);
	free(t->name);
	free(t->plain);
	free(t->query);
	free(t->as);
	free(t->where);
	free(t->cursor);
	free(t->delete_column);
	conflict_rule_clear(&t->conflicts);
	string_list_clear(&t->exclude_columns);
	string_list_clear(&t->key);
	string_list_clear(&t->after);
	conf_free(t->from);
	conf_free(t->to);
	plugin_uses_clear(&t->transforms);
	plugin_uses_clear(&t->validators);
	free(t->origin.text);
}

void pipeline_tables_free(struct pipeline *p)
{
	size_t i;

	for (i = 0; i < p->table_count; i++)
		table_clear(&p->tables[i]);
	free(p->tables);
}

static int table_texts(const struct etl_conf *conf, struct table_rule *t, struct etl_error *err)
{
	static const char *const deletes[] = { "none", "soft", "hard", NULL };
	int status = pipeline_text(conf, "name", &t->name, err);

	if (status == ETL_OK)
		status = pipeline_text(conf, "query", &t->query, err);
	if (status == ETL_OK)
		status = pipeline_text(conf, "as", &t->as, err);
	if (status == ETL_OK)
		status = pipeline_text(conf, "where", &t->where, err);
	if (status == ETL_OK)
		status = pipeline_text(conf, "cursor", &t->cursor, err);
	if (status == ETL_OK)
		status = pipeline_text(conf, "delete_column", &t->delete_column, err);
	if (status == ETL_OK)
		status = pipeline_list(conf, "exclude_columns", &t->exclude_columns, err);
	if (status == ETL_OK)
		status = pipeline_list(conf, "key", &t->key, err);
	if (status == ETL_OK)
		status = pipeline_list(conf, "after", &t->after, err);
	t->has_delete = conf_given(conf, "delete");
	if (t->has_delete)
		t->deletes = pipeline_choice(conf, "delete", deletes, ETL_DELETE_NONE);
	return status;
}

static int table_check(const config_setting_t *s, const struct table_rule *t, struct etl_error *err)
{
	if (!t->name && !t->query)
		return pipeline_fail(
			s, err,
			"this entry of `tables` has neither name nor query; write name = \"TABLE\" "
			"or query = \"SELECT …\"");
	if (t->name && t->query)
		return pipeline_fail(
			s, err,
			"this entry of `tables` has a name and a query; a query is called by `as`");
	if (t->query && !t->as)
		return pipeline_fail(s, err,
				     "a query needs a name in the target; write as = \"TABLE\"");
	if ((t->as && !*t->as) || (t->query && !*t->query))
		return pipeline_fail(
			s, err, "an empty `as` or query of a table; write it, or remove the entry");
	if (t->name && t->as && pattern_is_open(t->name))
		return pipeline_fail(
			s, err,
			"`as` gives one name, but \"%s\" may mean several tables; list the "
			"tables one by one (\\\\* and \\\\? are the characters themselves)",
			t->name);
	return ETL_OK;
}

static int side_options(struct pipeline *p, const config_setting_t *table, const char *key,
			struct etl_conf **ret, struct etl_error *err)
{
	const config_setting_t *group = config_setting_get_member(table, key);
	bool from = strcmp(key, "from") == 0;

	if (group && !config_setting_is_group(group))
		return pipeline_fail(
			group, err, "`%s` of a table wants a group of keys of the %s plugin: { … }",
			key, from ? "source" : "target");
	return pipeline_scoped(p, from ? &p->source : &p->target, ETL_OPT_PER_TABLE,
			       from ? ETL_OPT_SOURCE : ETL_OPT_TARGET, group, NULL, ret, err);
}

static int table_plugins(struct pipeline *p, const config_setting_t *s, struct table_rule *t,
			 struct etl_error *err)
{
	int status = side_options(p, s, "from", &t->from, err);

	if (status == ETL_OK)
		status = side_options(p, s, "to", &t->to, err);
	if (status == ETL_OK)
		status = read_columns(p, s, t, err);
	if (status == ETL_OK)
		status = pipeline_plugins(p, s, "transforms", ETL_ROLE_TRANSFORM, &t->transforms,
					  err);
	if (status == ETL_OK)
		status = pipeline_plugins(p, s, "validators", ETL_ROLE_VALIDATOR, &t->validators,
					  err);
	t->has_from = config_setting_get_member(s, "from") != NULL;
	t->has_to = config_setting_get_member(s, "to") != NULL;
	t->has_transforms = config_setting_get_member(s, "transforms") != NULL;
	t->has_validators = config_setting_get_member(s, "validators") != NULL;
	return status;
}

static int read_table(struct pipeline *p, const config_setting_t *s, struct table_rule *t,
		      struct etl_error *err)
{
	struct option_group g = {
		.owner = "a table",
		.options = table_options,
		.option_size = sizeof(struct etl_option),
		.folder = p->folder,
		.ignore = table_others,
	};
	struct etl_conf *conf = NULL;
	int status;

	if (!config_setting_is_group(s))
		return pipeline_fail(s, err,
				     "an entry of `tables` wants a group: { name = \"TABLE\"; … }");
	status = conf_check(&g, s, &conf, err);
	if (status == ETL_OK)
		status = table_texts(conf, t, err);
	if (status == ETL_OK)
		status = table_check(s, t, err);
	if (status == ETL_OK && t->name && !pattern_is_open(t->name)) {
		t->plain = pattern_plain(t->name);
		if (!t->plain)
			status = error_memory(err);
	}
	if (status == ETL_OK)
		status = pipeline_syncs_only(p, s, "cursor", err);
	if (status == ETL_OK)
		status = pipeline_drift(p, conf, s, &t->allow_drift, err);
	t->has_allow_drift = conf_given(conf, "allow_drift");
	if (status == ETL_OK)
		status = pipeline_conflicts(p, conf, s, &t->conflicts, err);
	if (status == ETL_OK)
		status = pipeline_merges_only(p, s, "delete", err);
	if (status == ETL_OK)
		status = pipeline_merges_only(p, s, "delete_column", err);
	if (status == ETL_OK)
		status = table_plugins(p, s, t, err);
	conf_free(conf);
	return status == ETL_OK ? pipeline_origin(s, &t->origin, err) : status;
}

/* ( { name = "*"; } ), when the file says nothing. */
static int every_table(struct pipeline *p, const config_setting_t *root, struct etl_error *err)
{
	config_setting_t *none;
	config_t config;
	int status = ETL_FAILED;

	config_init(&config);
	none = config_root_setting(&config);
	p->tables[0].name = strdup("*");
	if (!p->tables[0].name)
		error_memory(err);
	else
		status = table_plugins(p, none, &p->tables[0], err);
	config_destroy(&config);
	return status == ETL_OK ? pipeline_origin(root, &p->tables[0].origin, err) : status;
}

int pipeline_tables(struct pipeline *p, const config_setting_t *root, int32_t deletes,
		    struct etl_error *err)
{
	const config_setting_t *list = config_setting_get_member(root, "tables");
	unsigned i, n = list ? (unsigned)config_setting_length(list) : 0;
	int status = ETL_OK;

	if (list && !config_setting_is_list(list))
		return pipeline_fail(list, err,
				     "`tables` wants a list of groups: ( { name = \"*\"; } )");
	if (list && n == 0)
		return pipeline_fail(list, err,
				     "`tables` is empty; remove it for all tables, or name some");
	p->tables = calloc(n > 0 ? n : 1, sizeof(*p->tables));
	if (!p->tables)
		return error_memory(err);
	p->table_count = n > 0 ? n : 1;
	for (i = 0; i < p->table_count; i++) {
		p->tables[i].deletes = deletes;
		p->tables[i].allow_drift = p->allow_drift;
	}
	if (n == 0)
		return every_table(p, root, err);
	for (i = 0; status == ETL_OK && i < n; i++)
		status = read_table(p, config_setting_get_elem(list, i), &p->tables[i], err);
	return status;
}
