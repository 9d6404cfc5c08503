/*
 * Secrets that stand in a pipeline file as they are, for everybody who may read the file.
 */
#ifndef CORE_WRITTEN_H
#define CORE_WRITTEN_H

/* Warns, once for the process, when the file of ORIGIN ("shop.cfg:12", "shop.cfg:40 (profile prod)") may be
 * read by other users. An origin that is no file says nothing. Main thread. */
void written_warn(const char *origin);

#endif
