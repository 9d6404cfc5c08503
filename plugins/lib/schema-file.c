/* See schema-file.h. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema-file.h"

#define FILE_MAX (16L << 20) /* bytes of a schema file: far more than anybody writes */

int etl_schema_file_read(const struct etl_host *host, const char *path, char **ret, struct etl_error *err)
{
	FILE *file = fopen(path, "rbe");
	char *text = file ? malloc(FILE_MAX + 1) : NULL;
	size_t size = text ? fread(text, 1, FILE_MAX + 1, file) : 0;
	const char *why = !file			   ? strerror(errno) :
			  !text			   ? "no memory" :
			  ferror(file)		   ? "it cannot be read" :
			  size > FILE_MAX	   ? "it has more than 16 MiB" :
			  memchr(text, '\0', size) ? "it holds a NUL byte" :
						     NULL;
	int rc = why ? host->fail(err, file && !text ? ETL_MEMORY : ETL_USAGE, NULL, 0, "schema_file %s: %s", path, why) : ETL_OK;

	if (file)
		fclose(file);
	if (rc < 0) {
		free(text);
		return rc;
	}
	text[size] = '\0';
	*ret = text;
	return ETL_OK;
}
