/*
 * The second half of the scan: the tokens of the whole file in their order. Finds what libconfig
 * would only call a syntax error and says what it is: brackets, commas, words without quotes, names
 * given twice.
 */
#ifndef CORE_SCAN_ORDER_H
#define CORE_SCAN_ORDER_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"

/* Where a token stands. The file's name outlives the scan's functions. */
struct scan_at {
	const char *file;
	uint32_t line;
};

/* Punctuation is a token of its own character. */
enum scan_token { TOKEN_NONE, TOKEN_NAME = 'n', TOKEN_NUMBER = '0', TOKEN_STRING = '"' };

struct scan_bracket {
	char open;
	uint32_t scope; /* a number of its own for each group */
	struct scan_at at;
};

struct scan_name {
	char *name;
	uint32_t scope;
	size_t nth;
	struct scan_at at;
};

enum { SCAN_DEPTH = 64 /* brackets in brackets; libconfig's parser recurses */ };

/* Zero-initialised it is at the beginning of a file. */
struct scan_order {
	int last; /* the token before, enum scan_token */
	struct scan_at last_at;
	char word[64]; /* the name or number before, cut */
	struct scan_bracket stack[SCAN_DEPTH];
	size_t depth;
	uint32_t scopes;
	struct scan_name *names;
	size_t name_count, name_room;
};

/* "FILE:LINE: " and a sentence, as ETL_USAGE. */
int scan_fail(struct scan_at, struct etl_error *, const char *format, ...) ETL_PRINTF(3, 4);

/* Whether a word without sign is an integer; cuts its suffix. */
bool scan_number_integer(char *word, bool *ret_long);
bool scan_number_float(const char *word);
/* Whether it fits; WORD is without sign and suffix. */
int scan_number_range(struct scan_at, const char *word, bool negative, bool is_long,
		      struct etl_error *);

int scan_order_next(struct scan_order *, struct scan_at, int token, const char *text, size_t length,
		    struct etl_error *);
int scan_order_end(struct scan_order *, struct etl_error *);
void scan_order_free(struct scan_order *);

#endif
