/*
 * The descriptor itself: version first, since the version says how the rest is laid out, then its
 * length, then what it must hold. The tables of the roles are in normalise-store.c and
 * normalise-row.c.
 */
#include "config.h"

#include <stddef.h>
#include <string.h>

#include "loader.h"
#include "normalise.h"

static int check_version(uint32_t abi, struct etl_error *err)
{
	unsigned major = abi >> 16, minor = abi & 0xffff;

	if (major != ETL_ABI_MAJOR)
		return error_set(err, ETL_USAGE,
				 "it was built for version %u.%u of the plugin interface, this "
				 "etlrun has %d.%d: "
				 "build it again with this etlrun's headers",
				 major, minor, ETL_ABI_MAJOR, ETL_ABI_MINOR);
	if (minor > ETL_ABI_MINOR)
		return error_set(err, ETL_USAGE,
				 "it needs version %u.%u of the plugin interface, newer than the "
				 "%d.%d of this "
				 "etlrun: a newer etlrun is needed",
				 major, minor, ETL_ABI_MAJOR, ETL_ABI_MINOR);
	return ETL_OK;
}

int normalise_table(const struct table_copy *copy, void *to, const void *from,
		    struct etl_error *err)
{
	if (copy->size < copy->least)
		return error_set(err, ETL_USAGE,
				 "its table %s is too short: it says %zu bytes, at least %zu are "
				 "needed; its `size` "
				 "must be sizeof(%s)",
				 copy->name, copy->size, copy->least, copy->name);
	memcpy(to, from, copy->size < copy->full ? copy->size : copy->full);
	return ETL_OK;
}

int normalise_missing(const char *member, struct etl_error *err)
{
	return error_set(err, ETL_USAGE,
			 "it does not fill %s, which every plugin of this kind must", member);
}

/* ---- The descriptor -------------------------------------------------------------------------- */

static void cancel_nothing(struct etl_instance *instance)
{
	(void)instance;
}

static const struct etl_option no_options[] = { { .name = NULL } };

static int check_required(const struct etl_plugin *p, struct etl_error *err)
{
	const struct {
		const char *name;
		bool there;
	} members[] = {
		{ "name", p->name },	   { "version", p->version }, { "summary", p->summary },
		{ "license", p->license }, { "open", p->open },	      { "close", p->close },
	};
	size_t i;

	for (i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (!members[i].there)
			return normalise_missing(members[i].name, err);
	return ETL_OK;
}

static int check_name(const struct etl_plugin *p, const char *name, struct etl_error *err)
{
	if (strcmp(p->name, name) != 0)
		return error_set(err, ETL_USAGE,
				 "its file is named %s" PLUGIN_SUFFIX
				 ", but it calls itself \"%s\"",
				 name, p->name);
	return ETL_OK;
}

static int check_options(const struct etl_plugin *p, const struct etl_option *options,
			 struct etl_error *err)
{
	const struct etl_option *o;
	size_t i;

	for (i = 0; (o = ETL_AT(const struct etl_option, options, p->option_size, i))->name; i++) {
		if (!loader_is_name(o->name))
			return error_set(err, ETL_USAGE, "its option \"%s\" has no proper name",
					 o->name);
		if (o->kind < ETL_OPT_TEXT || o->kind > ETL_OPT_GROUPS)
			return error_set(err, ETL_USAGE, "its option %s has the unknown kind %d",
					 o->name, (int)o->kind);
		if (o->kind == ETL_OPT_CHOICE && !o->choices)
			return error_set(err, ETL_USAGE,
					 "its option %s is a choice without choices", o->name);
		if (o->kind >= ETL_OPT_GROUP && !o->members)
			return error_set(err, ETL_USAGE, "its option %s is a group without members",
					 o->name);
		if (!o->help)
			return error_set(err, ETL_USAGE, "its option %s has no help text", o->name);
		if (o->members && check_options(p, o->members, err) < 0)
			return ETL_FAILED;
	}
	return ETL_OK;
}

static int check_roles(const struct etl_plugin *p, struct etl_error *err)
{
	if (!p->source && !p->target && !p->transform && !p->validator)
		return error_set(
			err, ETL_USAGE,
			"it offers no role: neither source, target, transform nor validator");
	if ((p->source || p->target) && !p->store)
		return normalise_missing("store", err);
	if (p->schema && !p->target)
		return normalise_missing("target, though it has a schema", err);
	return ETL_OK;
}

static int copy_base(struct plugin *ret, const struct etl_plugin *raw, struct etl_error *err)
{
	const struct table_copy copy = { "struct etl_plugin", raw->size,
					 THROUGH(struct etl_plugin, close), sizeof(ret->base) };

	if (normalise_table(&copy, &ret->base, raw, err) < 0)
		return ETL_FAILED;
	if (!ret->base.options) {
		ret->base.options = no_options;
		ret->base.option_size = sizeof(no_options[0]);
	}
	if (!ret->base.cancel)
		ret->base.cancel = cancel_nothing;
	if (ret->base.option_size < THROUGH(struct etl_option, max))
		return error_set(
			err, ETL_USAGE,
			"its option_size is %zu bytes, at least %zu are needed; it must be "
			"sizeof(struct etl_option)",
			ret->base.option_size, THROUGH(struct etl_option, max));
	return ETL_OK;
}

int normalise(struct plugin *ret, const struct etl_plugin *raw, const char *name,
	      struct etl_error *err)
{
	int status;

	if ((status = check_version(raw->abi, err)) < 0 ||
	    (status = copy_base(ret, raw, err)) < 0 ||
	    (status = check_required(&ret->base, err)) < 0 ||
	    (status = check_name(&ret->base, name, err)) < 0 ||
	    (status = check_options(&ret->base, ret->base.options, err)) < 0 ||
	    (status = check_roles(&ret->base, err)) < 0 ||
	    (status = normalise_store(ret, err)) < 0 || (status = normalise_row(ret, err)) < 0)
		return status;
	ret->raw = raw;
	return ETL_OK;
}
