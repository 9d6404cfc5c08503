/*
 * Which rows of a sequence are doubles of another, by the 128-bit hashes of their keys: of rows with one key the first stays, or
 * the last. Memory is bounded whatever there is of keys: when there are more than LIMIT the half of them that does not fit is left
 * for another pass over the same sequence. Beside them there is a bit for each row.
 */
#ifndef JSON_DOUBLES_H
#define JSON_DOUBLES_H

#include "seen.h"

enum { JSON_DOUBLES_PARTS = 64 };

/* Some of the keys: those whose hash has VALUE in the bits of MASK. */
struct doubles_part {
	uint64_t mask, value;
};

/* Zero-initialised it is empty. */
struct doubles {
	struct seen seen;
	size_t limit;
	bool last;                      /* stays */
	struct doubles_part now, left[JSON_DOUBLES_PARTS];      /* of this pass; of those to come */
	size_t left_count;
	uint8_t *bits;                  /* rows that do not stay, from row 0 on */
	size_t room;                    /* bytes */
};

/* For another sequence. LIMIT: at least 1. */
void json_doubles_begin(struct doubles *, size_t limit, bool last);
/* ROW is from 1 and counts up within a pass; rows of one number are one. False: no memory. */
bool json_doubles_add(struct doubles *, uint64_t high, uint64_t low, uint64_t row);
/* After a pass: true when the sequence has to be gone through once more. After the last one the keys are forgotten. */
bool json_doubles_more(struct doubles *);
/* Was there a double since it was empty? */
bool json_doubles_any(const struct doubles *);
bool json_doubles_has(const struct doubles *, uint64_t row);
void json_doubles_free(struct doubles *);

#endif
