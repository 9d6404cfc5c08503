/* What the files that make a mapping of options share: mapping.c is the table, mapping-columns.c its columns. */
#ifndef JSON_MAPPING_H
#define JSON_MAPPING_H

#include "json.h"

struct making {
	struct etl_instance *inst;
	const struct etl_host *host;
	struct etl_error *err;
	struct json_table *table;
};

/* mapping.c. Says so and returns the status. */
int mapping_no_memory(struct making *);
/* A copy of the list KEY; without memory the arena of the table has failed. */
const char **mapping_list(struct making *, const struct etl_conf *, const char *key, size_t *ret_count);

/* mapping-columns.c. The `path` of what is called NAME; *ret_count are to be freed whatever it returns. */
int mapping_takes(struct making *, const struct etl_conf *, const struct json_layout *, const char *name, struct take **ret,
		  size_t *ret_count);
/* The columns of TABLE as LAYOUT has them, with what OTHER, the options of a layout or NULL, says of them. */
int mapping_columns(struct making *, const struct etl_conf *table, const struct etl_conf *other, struct json_layout *);
/* What all of the layout's columns together ask for, when the last of them is there. */
void mapping_sum(struct json_table *, struct json_layout *);

#endif
