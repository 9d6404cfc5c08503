#ifndef POSTGRES_BONDS_H
#define POSTGRES_BONDS_H

#include "publish.h"

/* Of the stage of part I: foreign keys to what stays there are turned to what the target has, or left out, aloud. */
int bonds_turn(struct publishing *, size_t i);

#endif
