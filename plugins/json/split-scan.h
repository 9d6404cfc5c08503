/*
 * Following brackets and strings, 64 bytes at a time: which bytes are in strings is a mask of 64 bits, so only brackets that
 * are in none are looked at one by one.
 */
#ifndef JSON_SPLIT_SCAN_H
#define JSON_SPLIT_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where the scan is; zero at the start of an element. The bytes may come in any pieces. */
struct json_scan {
	uint64_t in_string;     /* all ones or none */
	uint64_t escaped;       /* 1: the next byte is behind a backslash */
	uint64_t depth;         /* brackets open */
	bool closed;            /* json_scan_value: it ended with its own bracket */
};

/* The first comma or closing bracket outside all strings and brackets, or SIZE. */
size_t json_scan_element(struct json_scan *scan, const char *text, size_t size);
/* The same, but an array or object is at its end behind the bracket that closes it; what is behind it can be scanned next. */
size_t json_scan_value(struct json_scan *scan, const char *text, size_t size);
/* SCAN is in a string: its closing quote, or SIZE. */
size_t json_scan_string(struct json_scan *scan, const char *text, size_t size);
uint64_t json_count_newlines(const char *text, size_t size);

static inline bool json_is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline size_t json_skip_space(const char *text, size_t at, size_t size)
{
	while (at < size && json_is_space(text[at]))
		at++;
	return at;
}

static inline size_t json_trim(const char *text, size_t size)
{
	while (size > 0 && json_is_space(text[size - 1]))
		size--;
	return size;
}

#endif
