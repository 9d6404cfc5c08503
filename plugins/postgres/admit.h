/* What stands at the target under the name of a load, and whether the run may go on with it. */
#ifndef POSTGRES_ADMIT_H
#define POSTGRES_ADMIT_H

#include "stage.h"

/* A relation of the target; oid 0: there is none. */
struct standing {
	char oid[16];
	char kind; /* pg_class.relkind */
};

/* *ret: what is called NAME in SCHEMA. */
int admit_find(struct etl_instance *, const char *schema, const char *name, struct standing *ret,
	       struct etl_error *);
/* Refuses, before anything is made, what could not be published. */
int admit(struct etl_instance *, const struct etl_load *, const char *schema, struct etl_error *);
/* The same of what stands there at publication, under locks: another session may have been there since. What depends on
 * a table that is replaced is left to replace_away. */
int admit_again(struct etl_instance *, const struct etl_load *, const char *schema,
		const struct standing *, struct etl_error *);

#endif
