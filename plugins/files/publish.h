/*
 * What the files of publishing share: publish-journal.c writes down and reads what shall be, publish.c does it or takes it back.
 */
#ifndef FILES_PUBLISH_H
#define FILES_PUBLISH_H

#include <sys/stat.h>

#include "place.h"

/* In the folder of the run. The first is what shall be; under the second name it is being done, under the third taken back. */
#define FILES_JOURNAL_SEALED ".sealed" FILES_ASIDE
#define FILES_JOURNAL_GOING  ".going" FILES_ASIDE
#define FILES_JOURNAL_BACK   ".back" FILES_ASIDE
#define FILES_OLD            ".old" FILES_ASIDE /* a folder: what was there before, under its name */

enum files_act {
	FILES_ACT_TAKE = 'f',   /* what waits takes its name, in the place of what is there */
	FILES_ACT_NEW = 'n',    /* the same, where nothing is */
	FILES_ACT_GO = 'r',     /* the file goes */
	FILES_ACT_FOLDER = 'd'  /* it was not there before */
};

/* What a file is, whatever it is called and however many names it has. */
struct files_identity {
	unsigned long long ino;
	long long size, seconds, nanoseconds;
};

struct files_record {
	int act;                /* enum files_act */
	const char *name;       /* below the root; borrowed until the next */
	struct files_identity is;       /* of TAKE and NEW: what waits */
};

struct files_identity files_identity_of(const struct stat *st);
bool files_is(const char *path, const struct files_identity *is);

/* ROOT/.RUN.etlrun~/NAME; the caller frees; NULL: no memory. */
char *files_in_wait(const struct files *files, const char *run, const char *name);

/* Each record of the journal, in order. STEP returns other than 0: it ends with that. */
int files_journal_read(const struct files *files, const char *path,
		       int (*step)(const struct files_record *record, void *data), void *data, struct etl_error *err);

#endif
