/* Whether a text is one JSON value (RFC 8259), before a store is asked to keep it as one. */
#ifndef LIB_JSON_H
#define LIB_JSON_H

#include <stdbool.h>
#include <stddef.h>

/* White space between what JSON is made of. */
static inline bool etl_json_is_blank(char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* TEXT is valid UTF-8. Nested deeper than 512 is refused. */
bool etl_json_valid(const char *text, size_t size);

#endif
