/*
 * By which of its ways a target took the rows of a table (etl_host.carried): few words, each with its rows.
 */
#ifndef CORE_CARRIED_H
#define CORE_CARRIED_H

#include <stddef.h>
#include <stdint.h>

#define CARRIED_WAYS 6	/* of a table; more of them count as the last */
#define CARRIED_WORD 48 /* bytes, with the NUL */

struct carried {
	struct carried_way {
		char how[CARRIED_WORD];
		uint64_t rows;
	} at[CARRIED_WAYS];
	size_t count;
};

void carried_add(struct carried *, const char *how, uint64_t rows);
void carried_add_all(struct carried *, const struct carried *more);

#endif
