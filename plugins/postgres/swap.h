/* Tables of the target that stay and get other rows: on_existing = "truncate", and --data-only. */
#ifndef POSTGRES_SWAP_H
#define POSTGRES_SWAP_H

#include "publish.h"

int swap_rows(struct publishing *);

#endif
