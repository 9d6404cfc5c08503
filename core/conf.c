/*
 * Checked options, as plugins ask for them. Asking for an option that is not there, or for another
 * kind than it has, is answered as if it were absent, so that an older pipeline never crashes a
 * newer plugin.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "conf.h"

static void value_clear(struct conf_value *v)
{
	free(v->name);
	if (v->text) {
		explicit_bzero(v->text, strlen(v->text));
		free(v->text);
	}
	for (size_t i = 0; i < v->item_count; i++)
		free(v->items[i]);
	free(v->items);
	for (size_t i = 0; i < v->sub_count; i++)
		conf_free(v->subs[i]);
	free(v->subs);
}

void conf_free(struct etl_conf *conf)
{
	if (!conf)
		return;
	for (size_t i = 0; i < conf->count; i++)
		value_clear(&conf->at[i]);
	free(conf->at);
	free(conf);
}

static const struct conf_value *find(const struct etl_conf *conf, const char *name)
{
	for (size_t i = 0; conf && i < conf->count; i++)
		if (strcmp(conf->at[i].name, name) == 0)
			return &conf->at[i];
	return NULL;
}

int conf_given(const struct etl_conf *conf, const char *name)
{
	const struct conf_value *v = find(conf, name);

	return v && v->given;
}

const char *conf_str(const struct etl_conf *conf, const char *name)
{
	const struct conf_value *v = find(conf, name);

	return v ? v->text : NULL;
}

int64_t conf_num(const struct etl_conf *conf, const char *name)
{
	const struct conf_value *v = find(conf, name);

	return v ? v->number : 0;
}

int conf_flag(const struct etl_conf *conf, const char *name)
{
	return conf_num(conf, name) != 0;
}

/* How many texts or groups; pairs count their texts. */
size_t conf_list(const struct etl_conf *conf, const char *name)
{
	const struct conf_value *v = find(conf, name);

	if (!v)
		return 0;
	return v->kind == ETL_OPT_GROUP || v->kind == ETL_OPT_GROUPS ? v->sub_count : v->item_count;
}

const char *conf_item(const struct etl_conf *conf, const char *name, size_t i)
{
	const struct conf_value *v = find(conf, name);

	return v && i < v->item_count ? v->items[i] : NULL;
}

const struct etl_conf *conf_sub(const struct etl_conf *conf, const char *name, size_t i)
{
	const struct conf_value *v = find(conf, name);

	return v && i < v->sub_count ? v->subs[i] : NULL;
}
