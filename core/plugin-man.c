/*
 * A plugin's manual page, from its own tables: what the page says is what the program checks. The
 * build runs this for each plugin of the tree; a fragment that its author wrote is put in between.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "plugin-text.h"

/* Text for roff: a line may not begin with a control character, a backslash and a dash stand for
 * themselves. */
static void put(FILE *out, const char *text)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", out);
	for (; *text; text++)
		if (*text == '\\')
			fputs("\\e", out);
		else if (*text == '-')
			fputs("\\-", out);
		else if (*text == '\n')
			fputc(' ', out);
		else
			fputc(*text, out);
}

static void put_upper(FILE *out, const char *text)
{
	for (; *text; text++)
		fputc(*text >= 'a' && *text <= 'z' ? *text - 'a' + 'A' : *text, out);
}

static void put_option(FILE *out, const struct etl_option *o)
{
	char type[160], scope[80];

	fputs(".TP\n.BR ", out);
	put(out, o->name);
	fputs(" \" (", out);
	put(out, plugin_option_type(o, type, sizeof(type)));
	fputs(")\"\n", out);
	put(out, o->help);
	fputc('\n', out);
	if (o->flags & ETL_OPT_REQUIRED)
		fputs("Required.\n", out);
	if (o->default_text) {
		fputs("Default:\n.BR ", out);
		if (o->default_text[0])
			put(out, o->default_text);
		else
			fputs("\"\\(dq\\(dq\"", out);
		fputs(" .\n", out);
	}
	plugin_option_scope(o, scope, sizeof(scope));
	if (scope[0])
		fprintf(out, "For: %s.\n", scope);
}

static void put_options(FILE *out, const struct etl_option *options, size_t stride)
{
	const struct etl_option *o;
	size_t i;

	for (i = 0; (o = ETL_AT(const struct etl_option, options, stride, i))->name; i++) {
		put_option(out, o);
		if (!o->members)
			continue;
		fputs(".RS\n", out);
		put_options(out, o->members, stride);
		fputs(".RE\n", out);
	}
}

static void put_promise(const char *role, const char *text, void *data)
{
	FILE *out = data;

	fprintf(out, ".IP \\(bu 2\n%s: ", role);
	put(out, text);
	fputs(".\n", out);
}

static void put_usage(FILE *out, const struct plugin *p)
{
	const char *name = p->base.name;

	fputs(".SH SYNOPSIS\n.nf\n", out);
	if (p->has_source)
		fprintf(out, "source = { plugin = \\(dq%s\\(dq; ... };\n", name);
	if (p->has_target)
		fprintf(out, "target = { plugin = \\(dq%s\\(dq; ... };\n", name);
	if (p->has_transform)
		fprintf(out, "transforms = ( { plugin = \\(dq%s\\(dq; ... } );\n", name);
	if (p->has_validator)
		fprintf(out, "validators = ( { plugin = \\(dq%s\\(dq; ... } );\n", name);
	fputs(".fi\n", out);
}

static int put_fragment(FILE *out, const char *path, struct etl_error *err)
{
	FILE *in = fopen(path, "r");
	char buf[4096];
	size_t size;
	bool bad;

	if (!in)
		return error_set(err, error_class(errno, ETL_USAGE), "the fragment %s cannot be read: %s", path,
				 strerror(errno));
	while ((size = fread(buf, 1, sizeof(buf), in)) > 0)
		fwrite(buf, 1, size, out);
	bad = ferror(in);
	fclose(in);
	return bad ? error_set(err, ETL_USAGE, "the fragment %s cannot be read", path) : ETL_OK;
}

int plugin_man(const struct plugin *p, const char *fragment, FILE *out, struct etl_error *err)
{
	char roles[64];

	plugin_roles(p, roles, sizeof(roles));
	fputs(".\\\" Made by `etlrun plugins --man` from the plugin's tables.\n.TH ETLRUN\\-", out);
	put_upper(out, p->base.name);
	fprintf(out, " 7 \"\" \"%s %s\" \"etlrun plugins\"\n.SH NAME\netlrun\\-%s \\- ",
		p->base.name, p->base.version, p->base.name);
	put(out, p->base.summary);
	fprintf(out, " (%s)\n", roles);
	put_usage(out, p);
	if (fragment && put_fragment(out, fragment, err) < 0)
		return ETL_FAILED;
	if (p->base.options[0].name) {
		fputs(".SH OPTIONS\n", out);
		put_options(out, p->base.options, p->base.option_size);
	}
	fputs(".SH PROMISES\n", out);
	plugin_promises(p, put_promise, out);
	fputs(".SH SEE ALSO\n.BR etlrun (1),\n.BR etlrun.cfg (5),\n.BR etlrun\\-plugin (7)\n", out);
	return ferror(out) ? error_set(err, ETL_MEMORY, "the page cannot be written: %s",
				       strerror(errno)) :
			     ETL_OK;
}
