/* References that a validator asks for, as steps of the screen phase; into-screen.c uses the parts. */
#ifndef SQLITE_REFERENCES_H
#define SQLITE_REFERENCES_H

#include "design.h"
#include "screen.h"

#define REFERENCE_KIND "reference"

/* A step for each reference of the load. */
int design_references(struct design *);
/* The reference that design made the step of; NULL: none (or no memory). */
const struct etl_foreign_key *references_of(const struct etl_load *, const struct etl_step *);
/* " FROM main.t AS t WHERE …": rows whose values no parent of these schemas has; the list ends with NULL. */
void references_add_from(struct etl_text *, const struct etl_load *, const struct etl_foreign_key *,
			 const char *const *schemas);
/* Collects them. */
int references_collect(struct screen *, const struct etl_foreign_key *, const char *const *schemas,
		       int64_t *ret);
/* In a staging file that is to be the whole target. */
int screen_references(struct etl_instance *, const struct etl_load *, const struct etl_step *,
		      struct etl_found_sink *, struct etl_error *);

#endif
