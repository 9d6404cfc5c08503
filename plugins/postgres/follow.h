/* Sequences of the target that are no column's own, and stay. */
#ifndef POSTGRES_FOLLOW_H
#define POSTGRES_FOLLOW_H

#include "publish.h"

/* Which sequences that would give way have to stay, since something that stays takes from them. */
int follow_find(struct publishing *);
/* When all is in its place: what was made in the stage takes from those that stay, and these go on behind the source's
 * and behind the rows that came. Never back, for others take from them too. */
int follow_set(struct publishing *);

#endif
