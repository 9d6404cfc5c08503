/*
 * What plugins want to be known of the whole run, beside its tables (etl_host.remark): few sentences, which the report
 * shows. Kept for the process, as the switch behind host->canceled is: several workers of a plugin may speak of one thing,
 * and the last word counts.
 */
#ifndef CORE_REMARK_H
#define CORE_REMARK_H

#include <stddef.h>

#define REMARKS_MAX   8   /* more are not kept */
#define REMARK_ABOUT  16  /* bytes, with the NUL */
#define REMARK_LENGTH 400 /* likewise */

struct remarks {
	struct remark {
		char about[REMARK_ABOUT], sentence[REMARK_LENGTH];
	} at[REMARKS_MAX];
	size_t count;
};

/* Each from any thread. What was put is taken once; an empty sentence takes away what was. */
void remark_put(const char *about, const char *sentence);
void remarks_take(struct remarks *ret);

#endif
