/*
 * Validators that nobody wrote down: a target may wish for some (etl_target.validators), for pipelines that say nothing
 * of validators. It says so as a pipeline would, and this reads it as if it stood in the file; `validators = ( );` is an
 * answer too.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include <etlrun/helpers.h>

#include "layer.h"
#include "log.h"
#include "pipeline-parts.h"

static bool says_something(const struct pipeline *p, const config_setting_t *root)
{
	if (config_setting_get_member(root, "validators"))
		return true;
	for (size_t i = 0; i < p->table_count; i++)
		if (p->tables[i].has_validators)
			return true;
	return false;
}

/* Is the plugin of this group installed? */
static int is_there(const config_setting_t *group, bool *ret, struct etl_error *err)
{
	const struct plugin *plugin = NULL;
	struct etl_error inner = ERROR_INIT;
	const char *name = "";
	int status = ETL_OK;

	config_setting_lookup_string(group, "plugin", &name);
	*ret = registry_find(name, &plugin, &inner) == ETL_OK;
	if (!*ret && inner.klass == ETL_USAGE)
		log_line(ETL_LOG_WARN, "rows are not validated by %s, as they would be into this target: it is not installed",
			 name);
	else if (!*ret)
		error_move(err, &inner), status = ETL_FAILED;
	error_clear(&inner);
	return status;
}

/* Those that are installed, one after the other. */
static int take_all(struct pipeline *p, const config_setting_t *list, struct etl_error *err)
{
	unsigned n = (unsigned)config_setting_length(list);
	int status = ETL_OK;

	p->validators.at = calloc(n + 1, sizeof(*p->validators.at));
	if (!p->validators.at)
		return error_memory(err);
	for (unsigned i = 0; status == ETL_OK && i < n; i++) {
		const config_setting_t *group = config_setting_get_elem(list, i);
		bool there = false;

		status = is_there(group, &there, err);
		if (status != ETL_OK || !there)
			continue;
		status = pipeline_plugin(p, group, ETL_ROLE_VALIDATOR, &p->validators.at[p->validators.count], err);
		p->validators.count += status == ETL_OK;
	}
	p->validators_by_target = p->validators.count > 0;
	return status;
}

int pipeline_wished_validators(struct pipeline *p, const config_setting_t *root, struct etl_error *err)
{
	const struct plugin *target = p->target.plugin;
	struct etl_text text = { 0 };
	config_setting_t *list;
	config_t config;
	int status;

	if (!target->target.validators || says_something(p, root))
		return ETL_OK;
	etl_text_addf(&text, "validators = %s;", target->target.validators);
	if (text.failed)
		return error_memory(err);
	config_init(&config);
	if (config_read_string(&config, text.at) == CONFIG_TRUE && (list = config_lookup(&config, "validators")) &&
	    config_setting_is_list(list))
		status = take_all(p, list, err);
	else
		status = error_set(err, ETL_BUG, "plugin %s wishes for validators that cannot be read: %s",
				   target->base.name, target->target.validators);
	config_destroy(&config);
	etl_text_free(&text);
	return status;
}
