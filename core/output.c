/*
 * A memory stream that ends on standard output.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "secret.h"

int output_open(struct output *output, struct etl_error *err)
{
	memset(output, 0, sizeof(*output));
	output->file = open_memstream(&output->text, &output->size);
	return output->file ? 0 : error_memory(err);
}

static int write_failed(const char *path, struct etl_error *err)
{
	return error_set(err, ETL_MEMORY, "%s cannot be written: %s", path ? path : "standard output",
			 strerror(errno));
}

int output_text(const char *text, const char *path, struct etl_error *err)
{
	char *shown = secret_redact(text);
	FILE *file = shown && path ? fopen(path, "we") : stdout;
	int rc = 0;

	if (!shown)
		return error_memory(err);
	if (!file || fputs(shown, file) == EOF || fflush(file) != 0)
		rc = write_failed(path, err);
	if (file && path && fclose(file) != 0 && rc == 0)
		rc = write_failed(path, err);
	free(shown);
	return rc;
}

int output_close(struct output *output, struct etl_error *err)
{
	bool whole = fflush(output->file) == 0 && !ferror(output->file);
	int rc;

	/* Closing it is what makes the text; without memory there is none. */
	whole = fclose(output->file) == 0 && whole;
	rc = whole && output->text ? output_text(output->text, NULL, err) : error_memory(err);
	free(output->text);
	return rc;
}
