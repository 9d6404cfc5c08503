/*
 * ${env:}, ${file:}, ${exec:} in a text. A text without any stays as it is; a text made literal comes back as
 * it was; what came from outside is masked wherever it turns up; a refusal names the place.
 */
#include "config.h"

#include "../../core/interpolate.h"
#include "../../core/pipeline.h"
#include "../../core/secret.h"
#include "fuzz.h"
#include "outside.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	setenv("FUZZ", OUTSIDE_VARIABLE_SAYS, 1);
	setenv("EMPTY", "", 1);
	return 0;
}

static void hides(const char *text, const char *secret)
{
	char *shown = secret_redact(text);

	FUZZ_HOLDS(shown && !strstr(shown, secret));
	free(shown);
}

/* A secret may happen to spell a piece of the place too, which is masked then. */
static bool names_place(const char *message)
{
	static const char place[] = "fuzz.cfg:1: ";
	const char *mask = strstr(message, "***");
	size_t length = sizeof(place) - 1;

	if (mask && (size_t)(mask - message) < length)
		length = (size_t)(mask - message);
	return strncmp(message, place, length) == 0;
}

static void fill(const char *text)
{
	struct etl_error err = ERROR_INIT;
	char *filled = NULL;

	if (interpolate(text, "/folder", "fuzz.cfg:1", true, &filled, &err) == ETL_OK) {
		FUZZ_HOLDS(filled);
		if (!strstr(text, "${"))
			FUZZ_HOLDS(strcmp(filled, text) == 0);
		if (outside_told_file())
			hides(filled, OUTSIDE_FILE_SAYS);
		if (outside_told_command())
			hides(filled, OUTSIDE_COMMAND_SAYS);
		if (outside_told_variable())
			hides(filled, OUTSIDE_VARIABLE_SAYS);
	} else {
		FUZZ_HOLDS(!filled && err.klass == ETL_USAGE);
		FUZZ_HOLDS(names_place(err.message));
	}
	free(filled);
	error_clear(&err);
}

static void literal(const char *text)
{
	struct etl_error err = ERROR_INIT;
	char *quoted = pipeline_literal(text), *filled = NULL;

	FUZZ_HOLDS(quoted);
	FUZZ_HOLDS(interpolate(quoted, "/folder", "fuzz.cfg:1", false, &filled, &err) == ETL_OK);
	FUZZ_HOLDS(strcmp(filled, text) == 0);
	free(filled);
	free(quoted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);

	outside_forget();
	fill(text);
	literal(text);
	secret_clear();
	free(text);
	return 0;
}
