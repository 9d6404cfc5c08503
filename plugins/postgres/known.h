/*
 * By what a copy is known after it was published (known.c).
 */
#ifndef POSTGRES_KNOWN_H
#define POSTGRES_KNOWN_H

#include "publish.h"

/* Beside what undo_record wrote down: inside the publishing transaction, while the stages are there. */
int known_note(struct publishing *);

#endif
