/*
 * What the fuzz targets share. A target is one function that libFuzzer calls with any bytes; a property that
 * does not hold ends the process, and the bytes are kept as a finding.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* libFuzzer's own names. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* libconfig 1.5 keeps the string before a syntax error for ever; the program ends then. */
#define FUZZ_LEAKS_OF_LIBCONFIG                                                                    \
	const char *__lsan_default_suppressions(void);                                             \
	const char *__lsan_default_suppressions(void)                                              \
	{                                                                                          \
		return "leak:libconfig.so";                                                        \
	}

#define FUZZ_HOLDS(condition)                                                                      \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__,          \
				#condition);                                                       \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* The bytes as a text that ends where they end, so that reading past it is seen. The caller frees. */
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	FUZZ_HOLDS(text);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

/* Cuts TEXT at its first newline and returns what follows; "" when there is none. */
static inline char *fuzz_cut(char *text)
{
	char *newline = strchr(text, '\n');

	if (!newline)
		return text + strlen(text);
	*newline = '\0';
	return newline + 1;
}

#endif
