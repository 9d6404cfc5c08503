/*
 * Row hashes that the server computes, as etlrun/plugin.h writes a row: the text of each type (digest-form.c), and
 * what is asked with it (digest.c).
 */
#ifndef POSTGRES_DIGEST_H
#define POSTGRES_DIGEST_H

#include "read.h"

/* NULL, or why the column is not offered: a sentence's end. */
const char *digest_refuses(const struct etl_column *);
/* The type in which a value of the column is sent to be hashed. */
const char *digest_type(const struct etl_column *);
/* The hash, as bigint, of the columns AT (COUNT indexes; NULL: the first COUNT). R NULL: they are called v.c0, v.c1, …
 * VERSION is the server's. */
void digest_add_hash(struct etl_text *, const struct etl_digest_ask *, const struct relation *r,
		     int version, const int64_t *at, size_t count);

int postgres_hashes(struct etl_instance *, const struct etl_digest_ask *, const struct ArrowSchema *,
		    const struct ArrowArray *, uint64_t *ret, struct etl_error *);
int postgres_digests(struct etl_instance *, const struct etl_digest_ask *, struct etl_digest_sink *,
		     struct etl_error *);
int postgres_bounds(struct etl_instance *, const struct etl_dataset *, const char *column,
		    int64_t *ret_least, int64_t *ret_most, struct etl_error *);

#endif
