/* Memory of one row: given piece by piece, taken back all at once and used again for the next. */
#ifndef JSON_POOL_H
#define JSON_POOL_H

#include <stddef.h>

struct pool_block;

/* Zero-initialised it is empty. */
struct pool {
	struct pool_block *first, *now;
};

/* NULL: no memory. */
char *json_pool_take(struct pool *, size_t size);
void json_pool_reset(struct pool *);
void json_pool_free(struct pool *);

#endif
