/* How many rows of a table were changed at both ends, and what became of them. */
#ifndef CORE_CONFLICT_COUNTS_H
#define CORE_CONFLICT_COUNTS_H

#include <stdint.h>

struct conflict_counts {
	uint64_t for_source, for_target; /* decided */
	uint64_t parked, again; /* new ones; those that were parked before and are still */
	uint64_t stays; /* changed in the target alone */
};

#endif
