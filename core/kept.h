/*
 * Pieces that the host keeps in a target between runs (etl_target.keep): read one by one, and written as a stream.
 */
#ifndef CORE_KEPT_H
#define CORE_KEPT_H

#include <etlrun/helpers.h>

#include "host.h"

#define KEPT_HASHES "hashes" /* kept-chunks.h */
#define KEPT_PARKED "parked" /* parked.h */

/* Its numbers order hashes of keys as they are without a sign. */
static inline int64_t kept_number(uint64_t hash)
{
	return (int64_t)(hash ^ UINT64_C(1) << 63);
}
static inline uint64_t kept_hash(int64_t number)
{
	return (uint64_t)number ^ UINT64_C(1) << 63;
}

struct kept_piece {
	const char *name; /* the table's; of a piece that is written NULL */
	int64_t number;
	const void *bytes; /* or NULL */
	size_t size;
	const char *words; /* or NULL: with bytes NULL too it goes */
	size_t length;
};

struct kept_reader;

/* By a connection of its own. *RET stays NULL where nothing was ever kept. */
int kept_open(const struct plugin_use *target, const struct host_limits *, const struct etl_keep *, struct kept_reader **ret,
	      struct etl_error *);
/* 1: the next piece, borrowed until the next call; 0: there is none. READER may be NULL. */
int kept_next(struct kept_reader *, struct kept_piece *ret, struct etl_error *);
void kept_close(struct kept_reader *);

/* Whatever gives pieces: 1, 0 at the end, or negative with the error set. */
struct kept_source {
	int (*next)(struct kept_source *, struct kept_piece *ret, struct etl_error *);
};
/* SOURCE stays the caller's, and with ERR outlives the stream. */
int kept_stream(struct kept_source *source, struct ArrowArrayStream *ret, struct etl_error *err);
/* All that SOURCE gives, at once and as one. */
int kept_write(struct instance *target, const struct etl_keep *, struct kept_source *source, struct etl_error *);

#endif
