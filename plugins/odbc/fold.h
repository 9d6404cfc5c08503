/*
 * Letters that a collation takes for one (fold.c).
 */
#ifndef ODBC_FOLD_H
#define ODBC_FOLD_H

#include <etlrun/helpers.h>

enum odbc_fold {
	ODBC_FOLD_CASE = 1 << 0,
	ODBC_FOLD_ACCENTS = 1 << 1,
	ODBC_FOLD_WEIGHTS = 1 << 2, /* characters without weight are none */
	ODBC_FOLD_BMP = 1 << 3	    /* … and so are those beyond U+FFFF, which old collations do not know */
};

/* What is left of SIZE bytes of UTF-8 when such things do not count, nor blanks at the end: one letter, 32 bits, after the other. */
int odbc_fold(const void *text, size_t size, unsigned how, struct etl_form_sink *);

/* layout.h has those of names. */

#endif
