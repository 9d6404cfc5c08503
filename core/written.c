/*
 * A password in a file of mode 0644 is everybody's. It still works, for there are machines with one user; but
 * it is said, with what to do.
 */
#include "config.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "log.h"
#include "written.h"

enum { FOR_OTHERS = S_IRGRP | S_IROTH };

/* The name before ":LINE". */
static char *file_of(const char *origin)
{
	const char *colon = strrchr(origin, ':');

	return colon && colon[1] >= '0' && colon[1] <= '9' ?
		       strndup(origin, (size_t)(colon - origin)) :
		       NULL;
}

void written_warn(const char *origin)
{
	static bool said;
	char *file = said ? NULL : file_of(origin);
	struct stat st;

	if (file && stat(file, &st) == 0 && S_ISREG(st.st_mode) && st.st_mode & FOR_OTHERS) {
		said = true;
		log_line(ETL_LOG_WARN,
			 "%s: a secret stands here as it is, and other users may read the file "
			 "(mode %04o); chmod 600 %s, or write ${file:PATH}, ${env:NAME} or "
			 "${exec:COMMAND} instead",
			 origin, (unsigned)(st.st_mode & 07777), file);
	}
	free(file);
}
