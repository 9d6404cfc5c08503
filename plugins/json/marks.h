/*
 * Where the tokens of a JSON text start: each bracket, comma and colon, the opening quote of each string, the first byte of
 * anything else. This is what simdjson finds at several GB/s, and all that is taken of it; the one C++ file is behind it.
 */
#ifndef JSON_MARKS_H
#define JSON_MARKS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum json_marks_result {
	JSON_MARKS_OK,
	JSON_MARKS_EMPTY,       /* nothing but white space */
	JSON_MARKS_UTF8,        /* somewhere it is no UTF-8 */
	JSON_MARKS_CONTROL,     /* a byte below 0x20 in a string */
	JSON_MARKS_UNCLOSED,    /* the last string has no end */
	JSON_MARKS_LARGE,       /* more than simdjson takes: 4 GiB */
	JSON_MARKS_MEMORY
};

struct json_marks;

/* NULL: no memory. */
struct json_marks *json_marks_new(void);
void json_marks_free(struct json_marks *marks);

/*
 * The tokens of TEXT, ascending, in *ret, and SIZE behind the last of them. They are borrowed until the next call. What is
 * between two of them is one token and the white space behind it, or is no JSON: nothing about a token is checked but that
 * strings have no control characters, and that the whole is UTF-8.
 */
enum json_marks_result json_marks_find(struct json_marks *marks, const char *text, size_t size, const uint32_t **ret,
				       size_t *ret_count);

#ifdef __cplusplus
}
#endif

#endif
