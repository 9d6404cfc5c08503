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

int output_close(struct output *output, struct etl_error *err)
{
	bool whole = fflush(output->file) == 0 && !ferror(output->file);
	char *shown;
	int rc = 0;

	/* Closing it is what makes the text; without memory there is none. */
	whole = fclose(output->file) == 0 && whole;
	shown = whole && output->text ? secret_redact(output->text) : NULL;
	if (!shown)
		rc = error_memory(err);
	else if (fputs(shown, stdout) == EOF || fflush(stdout) != 0)
		rc = error_set(err, ETL_MEMORY, "standard output cannot be written: %s",
			       strerror(errno));
	free(shown);
	free(output->text);
	return rc;
}
