/*
 * The scan of a pipeline file. What it takes, libconfig takes too, or its error gets a sentence; the text it
 * hands on is the text it was given; every line of it has a place; every refusal names the file and a line.
 */
#include "config.h"

#include <libconfig.h>

#include "../../core/layer.h"
#include "../../core/scan.h"
#include "fuzz.h"

/* "fuzz:LINE: sentence" */
static void says_where(const struct etl_error *err)
{
	FUZZ_HOLDS(err->set && err->klass == ETL_USAGE && err->message);
	FUZZ_HOLDS(strncmp(err->message, "fuzz:", 5) == 0);
	FUZZ_HOLDS(err->message[5] >= '1' && err->message[5] <= '9');
}

static void places(const struct scan *scan, const char *text)
{
	const char *file;
	unsigned line = 1, at;

	for (; *text; text++) {
		if (*text != '\n')
			continue;
		scan_place(scan, ++line, &file, &at);
		FUZZ_HOLDS(strcmp(file, "fuzz") == 0 && at == line);
	}
}

static void parse(const struct scan *scan, struct etl_error *err)
{
	config_t config;

	if (layer_parse(&config, scan, err) == ETL_OK)
		config_destroy(&config);
	else
		says_where(err);
}

FUZZ_LEAKS_OF_LIBCONFIG

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct etl_error err = ERROR_INIT;
	struct scan *scan = NULL;
	char *text = fuzz_text(data, size);

	if (scan_memory(text, size, "fuzz", &scan, &err) != ETL_OK) {
		says_where(&err);
	} else {
		FUZZ_HOLDS(strlen(scan_text(scan)) == size &&
			   memcmp(scan_text(scan), text, size) == 0);
		places(scan, text);
		parse(scan, &err);
		scan_free(scan);
	}
	error_clear(&err);
	free(text);
	return 0;
}
