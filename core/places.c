/*
 * Only the folder is looked at: the file itself may come and go, and is written aside and renamed.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "places.h"

int place_writable(const char *what, const char *path, const char *key, struct etl_error *err)
{
	const char *slash = path ? strrchr(path, '/') : NULL;
	struct stat st;
	char *folder;
	int wrong;

	/* What is there and is no plain file, a pipe for one, is written in place. */
	if (!path || (lstat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
		return ETL_OK;
	folder = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
	if (!folder)
		return error_memory(err);
	wrong = stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? EISDIR :
		access(folder, W_OK | X_OK) < 0		    ? errno :
							      0;
	free(folder);
	if (!wrong)
		return ETL_OK;
	return error_set(err, ETL_MEMORY,
			 "the %s %s could not be written: %s; nothing was begun. Make its folder, or set %s to "
			 "another place", what, path, strerror(wrong), key);
}
