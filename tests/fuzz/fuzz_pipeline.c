/*
 * From the text of a pipeline file to struct pipeline: layers, interpolation, options, tables. A first line
 * "--set …" or "--profile …" is laid over the rest, "--uproot" makes the paths absolute, as discover does.
 * What is read holds what pipeline.h promises; what is refused says where.
 */
#include "config.h"

#include "../../core/secret.h"
#include "fuzz.h"
#include "outside.h"

/* The walk alone, without the file: read_all and what else is static there. */
#include "../../core/pipeline.c"

static void keeps_promises(const struct pipeline *p)
{
	size_t i;

	FUZZ_HOLDS(p->name && p->source.plugin && p->target.plugin);
	FUZZ_HOLDS(p->table_count > 0 && p->workers >= 1 && p->batch_rows > 0 &&
		   p->batch_bytes > 0);
	FUZZ_HOLDS(p->memory_limit > 0 && p->max_row > 0 && p->max_rejects >= 0 &&
		   p->keep_old >= 0);
	FUZZ_HOLDS(!p->state || p->state[0] == '/');
	for (i = 0; i < p->table_count; i++) {
		const struct table_rule *t = &p->tables[i];

		FUZZ_HOLDS(!t->name != !t->query);
		FUZZ_HOLDS(!t->query || t->as);
		FUZZ_HOLDS(t->origin.text);
	}
}

/* No value that came from a file or a command is left in what a person would read. */
static void shows_nothing(const struct etl_error *err)
{
	char *shown = secret_redact(err->message ? err->message : "");

	FUZZ_HOLDS(shown);
	FUZZ_HOLDS(!outside_told_command() || !strstr(shown, OUTSIDE_COMMAND_SAYS));
	FUZZ_HOLDS(!outside_told_file() || !strstr(shown, OUTSIDE_FILE_SAYS));
	free(shown);
}

struct over {
	const char *set;
	struct overlay overlay;
	bool uproot;
};

/* Takes the option of the first line away from TEXT. */
static char *take_option(char *text, struct over *o)
{
	static const char set[] = "--set ", profile[] = "--profile ", uproot[] = "--uproot\n";
	char *line = text;

	if (strncmp(text, uproot, strlen(uproot)) == 0) {
		o->uproot = true;
		return text + strlen(uproot);
	}
	if (strncmp(line, set, strlen(set)) == 0) {
		text = fuzz_cut(text);
		o->set = line + strlen(set);
		o->overlay.sets = &o->set;
		o->overlay.set_count = 1;
	} else if (strncmp(line, profile, strlen(profile)) == 0) {
		text = fuzz_cut(text);
		o->overlay.profile = line + strlen(profile);
	}
	return text;
}

static int walk(const struct scan *scan, struct pipeline *p, const struct over *o,
		struct etl_error *err)
{
	config_t config;
	int status = layer_parse(&config, scan, err);

	if (status != ETL_OK)
		return status;
	status = read_config(p, "/folder/fuzz.cfg", &config, &o->overlay, err);
	if (status == ETL_OK && o->uproot)
		status = pipeline_uproot(p, &config, err);
	config_destroy(&config);
	return status;
}

FUZZ_LEAKS_OF_LIBCONFIG

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct etl_error err = ERROR_INIT;
	struct pipeline *p = calloc(1, sizeof(*p));
	struct scan *scan = NULL;
	struct over over = { .set = NULL };
	char *all = fuzz_text(data, size), *text;
	int status;

	outside_forget();
	text = take_option(all, &over);
	FUZZ_HOLDS(p && (p->path = strdup("/folder/fuzz.cfg")) && (p->folder = strdup("/folder")));
	status = scan_memory(text, size - (size_t)(text - all), "fuzz", &scan, &err);
	if (status == ETL_OK)
		status = walk(scan, p, &over, &err);
	if (status == ETL_OK)
		keeps_promises(p);
	else
		FUZZ_HOLDS(err.set && err.klass == ETL_USAGE && err.message);
	shows_nothing(&err);
	scan_free(scan);
	pipeline_free(p);
	error_clear(&err);
	secret_clear();
	free(all);
	return 0;
}
