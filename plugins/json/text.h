/*
 * The characters of a JSON string: escapes resolved, with a policy for what JSON can say and a database may not take.
 */
#ifndef JSON_TEXT_H
#define JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum json_odd {
	JSON_ODD_REJECT,
	JSON_ODD_REPLACE,       /* by U+FFFD */
	JSON_ODD_KEEP           /* NUL: as it is; a surrogate: its three bytes, never into a text column */
};

struct json_text_policy {
	int32_t surrogates;     /* enum json_odd: "\ud800" without its other half */
	int32_t nuls;           /* enum json_odd: \u0000 */
	uint64_t replaced;      /* counted */
};

/*
 * Resolves the escapes of RAW (between its quotes; valid JSON, valid UTF-8) into TO, which has room for SIZE bytes and does not
 * overlap RAW. *ret: how many it became, never more than SIZE. NULL, or the reject's code: "lone_surrogate", "nul"; then
 * *ret is the byte of RAW where it stands.
 */
const char *json_text_resolve(const char *raw, size_t size, struct json_text_policy *policy, char *to, size_t *ret);

/* TEXT is valid JSON: the policy's word on the escapes in its strings, where they stand. NULL, or the reject's code. */
const char *json_text_judge(char *text, size_t size, struct json_text_policy *policy);

/* RAW, when its escapes are resolved, is PLAIN. Without allocation. A lone surrogate is what JSON_ODD_KEEP makes of it. */
bool json_text_is(const char *raw, size_t size, const char *plain, size_t plain_size);

/*
 * One escape at RAW, which is a backslash and SIZE - 1 bytes up to the end of the string: the bytes that it has, and its
 * character in *ret. Two halves of a pair are one escape; a lone half comes as itself. 0: no escape of JSON.
 */
size_t json_text_escape(const char *raw, size_t size, uint32_t *ret);
/* The bytes of the UTF-8 character at TEXT, or 0: it is none. SIZE is at least 1. */
size_t json_text_character(const char *text, size_t size);
/* The UTF-8 of C, up to four bytes. */
size_t json_text_encode(uint32_t c, char to[4]);

#endif
