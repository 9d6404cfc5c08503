/*
 * etlrun plugins: which plugins there are, and what one of them takes and promises. Nothing is
 * connected to.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "log.h"
#include "plugin-text.h"

enum { EXIT_REFUSED = 2 };

struct listing {
	int name, version, roles; /* widths of the columns */
	bool print;
	size_t count;
};

static int wider(int width, const char *text)
{
	int length = (int)strlen(text);

	return length > width ? length : width;
}

static int list_one(const struct plugin *p, void *data)
{
	struct listing *l = data;
	char roles[64];

	plugin_roles(p, roles, sizeof(roles));
	if (l->print)
		printf("%-*s  %-*s  %-*s  %s\n", l->name, p->base.name, l->version, p->base.version,
		       l->roles, roles, p->base.summary);
	l->name = wider(l->name, p->base.name);
	l->version = wider(l->version, p->base.version);
	l->roles = wider(l->roles, roles);
	l->count++;
	return ETL_OK;
}

static void say_refused(const char *path, const char *why, void *data)
{
	(void)path;
	(void)data;
	log_line(ETL_LOG_WARN, "%s", why);
}

static int list_all(struct etl_error *err)
{
	struct listing l = { wider(0, "NAME"), wider(0, "VERSION"), wider(0, "ROLES"), false, 0 };

	if (registry_each(list_one, NULL, &l, err) < 0)
		return ETL_FAILED;
	if (l.count > 0)
		printf("%-*s  %-*s  %-*s  %s\n", l.name, "NAME", l.version, "VERSION", l.roles,
		       "ROLES", "SUMMARY");
	l.print = true;
	return registry_each(list_one, say_refused, &l, err);
}

/* ---- One plugin ------------------------------------------------------------------------------ */

static void print_promise(const char *role, const char *text, void *data)
{
	const char **last = data;

	printf("  %-10s %s\n", *last && strcmp(*last, role) == 0 ? "" : role, text);
	*last = role;
}

static void print_option(const struct etl_option *o, int indent)
{
	char type[160], scope[80];

	plugin_option_scope(o, scope, sizeof(scope));
	printf("%*s%s (%s)", indent, "", o->name, plugin_option_type(o, type, sizeof(type)));
	if (o->flags & ETL_OPT_REQUIRED)
		fputs(", required", stdout);
	if (o->default_text)
		printf(", default %s", o->default_text[0] ? o->default_text : "\"\"");
	if (scope[0])
		printf(", for: %s", scope);
	printf("\n%*s%s\n", indent + 4, "", o->help);
}

static void print_options(const struct etl_option *options, size_t stride, int indent)
{
	const struct etl_option *o;
	size_t i;

	for (i = 0; (o = ETL_AT(const struct etl_option, options, stride, i))->name; i++) {
		print_option(o, indent);
		if (o->members)
			print_options(o->members, stride, indent + 4);
	}
}

/* Of "a|b" the scheme of each URI that the plugin takes beside its own. */
static void print_schemes(const char *name, const char *schemes)
{
	printf("URIs: %s:", name);
	for (size_t length; *schemes; schemes += length + (schemes[length] == '|')) {
		length = strcspn(schemes, "|");
		printf(", %.*s:", (int)length, schemes);
	}
	putchar('\n');
}

static void show(const struct plugin *p)
{
	const char *last = NULL;
	char roles[64];

	plugin_roles(p, roles, sizeof(roles));
	printf("%s %s: %s\n", p->base.name, p->base.version, p->base.summary);
	printf("Roles: %s. License: %s. %s%s\n", roles, p->base.license,
	       p->path[0] ? "File: " : "Linked in.", p->path);
	if (p->base.schemes)
		print_schemes(p->base.name, p->base.schemes);
	fputs(p->base.options[0].name ? "\nOptions\n" : "\nIt takes no options.\n", stdout);
	print_options(p->base.options, p->base.option_size, 2);
	fputs("\nPromises\n", stdout);
	plugin_promises(p, print_promise, &last);
}

/* ---- Probing --------------------------------------------------------------------------------- */

struct probing {
	struct etl_error *err;
	bool refused;
};

static int probe_one(const char *name, void *data)
{
	struct probing *probing = data;
	char *why;

	if (plugin_probe(name, &why, probing->err) < 0)
		return ETL_FAILED;
	printf("%s: %s\n", name, why ? why : "ok");
	if (why)
		probing->refused = true;
	free(why);
	return ETL_OK;
}

static int probe(const char *name, struct etl_error *err)
{
	struct probing probing = { err, false };
	int status = name ? probe_one(name, &probing) : registry_names(probe_one, &probing, err);

	if (status < 0)
		return status;
	return probing.refused ? EXIT_REFUSED : 0;
}

/* ---- The verb -------------------------------------------------------------------------------- */

static int one(const struct cli *cli, struct etl_error *err)
{
	const char *fragment = cli->word_count > 1 ? cli->words[1] : NULL;
	const struct plugin *plugin;

	if (fragment && !cli->man)
		return error_set(
			err, ETL_USAGE,
			"one plugin at a time; a second word is the file that goes into --man");
	if (registry_find(cli->words[0], &plugin, err) < 0)
		return ETL_FAILED;
	if (cli->man)
		return plugin_man(plugin, fragment, stdout, err);
	show(plugin);
	return ETL_OK;
}

static int plugins(const struct cli *cli, struct etl_error *err)
{
	int status;

	if (cli->man && cli->word_count == 0)
		return error_set(err, ETL_USAGE,
				 "--man needs the name of a plugin: etlrun plugins NAME --man");
	if (cli->probe)
		status = probe(cli->word_count ? cli->words[0] : NULL, err);
	else
		status = cli->word_count ? one(cli, err) : list_all(err);
	if (status >= 0 && fflush(stdout) != 0)
		return error_set(err, ETL_MEMORY, "standard output cannot be written: %s",
				 strerror(errno));
	return status;
}

const struct verb verb_plugins = {
	.name = "plugins",
	.words = "[NAME]",
	.summary = "the plugins that are installed, or what one of them takes and promises",
	.takes = CLI_PLUGINS,
	.min_words = 0,
	.max_words = 2,
	.run = plugins,
};
