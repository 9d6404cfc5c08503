/*
 * Where a file that is written waits, and where it goes. place.c.
 */
#ifndef FILES_PLACE_H
#define FILES_PLACE_H

#include "backend.h"

struct files_place {
	char *path;  /* the file's own */
	char *aside; /* where it waits */
	char *wait;  /* the folder of the run in the root, in which `aside` is; NULL: the root is the file */
};

/* The whole of *ret is freed by files_place_free, also after a failure. */
int files_place_of(const struct files *files, const char *name, const char *run, struct files_place *ret,
		   struct etl_error *err);
void files_place_free(struct files_place *place);

/* The folder of PATH; the caller frees; NULL: no memory. */
char *files_folder_of(const char *path);
/* Makes the folders that PATH is in, from the root's on, durably. */
int files_make_folders(const struct files *files, const char *path, struct etl_error *err);
int files_sync_folder(const struct files *files, const char *folder, struct etl_error *err);
/* Makes place->wait and what `aside` is in. Notes there whether the root is made for it too, and then it goes with it. */
int files_make_wait(const struct files *files, const struct files_place *place, struct etl_error *err);
int files_remove_wait(const struct files *files, const struct files_place *place, struct etl_error *err);
/* After something failed: removes what is empty of what files_make_wait made. Says nothing when that fails too. */
void files_tidy(const struct files *files, const struct files_place *place);
/* Removes the empty folders that place->aside was in. True: nothing waits any more. */
bool files_remove_empty(const struct files_place *place);
/* Removes PATH and all that is in it; symbolic links are removed, not followed. Nothing there is no error. */
int files_remove_tree(const struct files *files, const char *path, struct etl_error *err);

#endif
