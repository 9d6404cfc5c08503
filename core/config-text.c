/*
 * Writes settings so that scan.c and libconfig read them back as they were.
 */
#include "config.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "config-text.h"

#define LINE_WIDTH 100

void config_text_quote(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c == '\n')
			fputs("\\n", out);
		else if (c < 0x20 || c == 0x7f)
			fprintf(out, "\\x%02x", c);
		else
			fputc(c, out);
	}
	fputc('"', out);
}

/* DEPTH < 0: all on one line. */
static void add_value(FILE *out, const config_setting_t *s, int depth);

static void add_parts(FILE *out, const config_setting_t *s, const char *brackets, int depth)
{
	bool group = config_setting_is_group(s);
	int count = config_setting_length(s);

	fputc(brackets[0], out);
	for (int i = 0; i < count; i++) {
		const config_setting_t *part = config_setting_get_elem(s, (unsigned)i);

		if (depth >= 0)
			fprintf(out, "\n%*s", (depth + 1) * 4, "");
		else
			fputc(' ', out);
		if (group)
			fprintf(out, "%s = ", config_setting_name(part));
		add_value(out, part, depth >= 0 ? depth + 1 : depth);
		fputs(group ? ";" : i + 1 < count ? "," : "", out);
	}
	if (depth >= 0)
		fprintf(out, "\n%*s", depth * 4, "");
	else
		fputc(' ', out);
	fputc(brackets[1], out);
}

/* The length of S on one line; it is long when it cannot be told. */
static size_t one_line(const config_setting_t *s)
{
	char *text = NULL;
	size_t size = LINE_WIDTH;
	FILE *memory = open_memstream(&text, &size);

	if (!memory)
		return LINE_WIDTH;
	add_value(memory, s, -1);
	fclose(memory);
	free(text);
	return size;
}

static void add_value(FILE *out, const config_setting_t *s, int depth)
{
	if (depth >= 0 && config_setting_is_aggregate(s) &&
	    one_line(s) + (size_t)depth * 4 < LINE_WIDTH - 20)
		depth = -1;
	switch (config_setting_type(s)) {
	case CONFIG_TYPE_GROUP:
		add_parts(out, s, "{}", depth);
		break;
	case CONFIG_TYPE_LIST:
		add_parts(out, s, "()", depth);
		break;
	case CONFIG_TYPE_ARRAY:
		add_parts(out, s, "[]", depth);
		break;
	case CONFIG_TYPE_INT:
		fprintf(out, "%d", config_setting_get_int(s));
		break;
	case CONFIG_TYPE_INT64:
		fprintf(out, "%lldL", config_setting_get_int64(s));
		break;
	case CONFIG_TYPE_FLOAT:
		fprintf(out, "%#.17g", config_setting_get_float(s));
		break;
	case CONFIG_TYPE_BOOL:
		fputs(config_setting_get_bool(s) ? "true" : "false", out);
		break;
	default:
		config_text_quote(out,
				  config_setting_get_string(s) ? config_setting_get_string(s) : "");
		break;
	}
}

void config_text_member(FILE *out, const config_setting_t *s)
{
	fprintf(out, "%s = ", config_setting_name(s));
	add_value(out, s, 0);
	fputs(";\n", out);
}
