/*
 * How a file is written: the options of `from` or `to`, laid over those of the plugin's own group.
 */
#include "config.h"

#include <string.h>

#include "csv.h"

const struct etl_conf *csv_option(const struct etl_instance *inst, const struct etl_conf *options, const char *name)
{
	return options && inst->host->given(options, name) ? options : inst->conf;
}

static const char *text_of(const struct etl_instance *inst, const struct etl_conf *options, const char *name)
{
	const char *text = inst->host->str(csv_option(inst, options, name), name);

	return text ? text : "";
}

/* One ASCII character, "tab" too; "" is none. */
static int character(const struct etl_instance *inst, const struct etl_conf *options, const char *name, char *ret,
		     struct etl_error *err)
{
	const char *text = text_of(inst, options, name);

	if (strcmp(text, "tab") == 0 || strcmp(text, "\\t") == 0)
		text = "\t";
	if (strlen(text) > 1 || (*text & 0x80) || *text == '\n' || *text == '\r')
		return inst->host->fail(err, ETL_USAGE, NULL, 0,
					"csv: %s = \"%s\" must be one ASCII character, or \"tab\"", name, text);
	*ret = *text;
	return ETL_OK;
}

static int find_encoding(const struct etl_instance *inst, const struct etl_conf *options, struct csv_format *ret)
{
	static const char *const encodings[][2] = {
		{ "latin1", "ISO-8859-1" }, { "windows-1252", "CP1252" }, { "utf-16", "UTF-16" },
		{ "utf-16le", "UTF-16LE" }, { "utf-16be", "UTF-16BE" },
	};
	size_t i;

	ret->encoding_word = text_of(inst, options, "encoding");
	for (i = 0; i < sizeof(encodings) / sizeof(*encodings); i++) {
		if (strcmp(ret->encoding_word, encodings[i][0]) == 0)
			ret->encoding = encodings[i][1];
	}
	return ETL_OK;
}

static int check(const struct etl_instance *inst, const struct csv_format *f, struct etl_error *err)
{
	if (!f->separator)
		return inst->host->fail(err, ETL_USAGE, NULL, 0, "csv: separator is empty; it must be one character");
	if (f->separator == f->quote || f->separator == f->comment || (f->quote && f->quote == f->comment))
		return inst->host->fail(err, ETL_USAGE, NULL, 0,
					"csv: separator, quote and comment must be different characters");
	if (strpbrk(f->null_text, "\r\n") || strchr(f->null_text, f->separator) ||
	    (f->quote && strchr(f->null_text, f->quote)))
		return inst->host->fail(err, ETL_USAGE, NULL, 0,
					"csv: null = \"%s\" has the separator, the quote or a line end in it, so it could never "
					"be told from other text",
					f->null_text);
	return ETL_OK;
}

int csv_format_of(const struct etl_instance *inst, const struct etl_conf *options, struct csv_format *ret,
		  struct etl_error *err)
{
	const struct etl_host *host = inst->host;
	struct csv_format f = { 0 };
	const struct etl_conf *names = csv_option(inst, options, "names");
	int rc = character(inst, options, "separator", &f.separator, err);

	if (!rc)
		rc = character(inst, options, "quote", &f.quote, err);
	if (!rc)
		rc = character(inst, options, "comment", &f.comment, err);
	if (!rc)
		rc = find_encoding(inst, options, &f);
	if (rc)
		return rc;
	f.separated = host->given(csv_option(inst, options, "separator"), "separator");
	f.null_text = text_of(inst, options, "null");
	f.null_size = strlen(f.null_text);
	f.decimal = '.';
	f.header = host->flag(csv_option(inst, options, "header"), "header");
	if (host->role == ETL_ROLE_SOURCE) {
		f.trim = host->flag(csv_option(inst, options, "trim"), "trim");
		f.decimal = strcmp(text_of(inst, options, "decimal"), "comma") == 0 ? ',' : '.';
		f.names = host->list(names, "names") ? names : NULL;
	} else {
		f.crlf = strcmp(text_of(inst, options, "line_end"), "crlf") == 0;
	}
	rc = check(inst, &f, err);
	if (!rc)
		*ret = f;
	return rc;
}

char csv_separator(const struct csv_format *f, const char *file)
{
	return !f->separated && csv_is_tsv(file) ? '\t' : f->separator;
}
