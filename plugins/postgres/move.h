/* Moving what is in a staging schema to where it belongs. */
#ifndef POSTGRES_MOVE_H
#define POSTGRES_MOVE_H

#include "publish.h"

/* Before anything is replaced: what is new may be used as if it had been made in its place. */
int move_grant(struct publishing *, size_t index);
/* Everything in the stage of the part at INDEX. */
int move_stage(struct publishing *, size_t index);
/* Views that were staged over tables which stay in the target are not moved: what they look at goes with the stage. They
 * are found before, and made anew behind move_stage. */
int move_find_views(struct publishing *);
int move_views(struct publishing *);
/* What design left for the moment at which the tables are in place: foreign keys that reach out of the run. */
int move_last(struct publishing *);

#endif
