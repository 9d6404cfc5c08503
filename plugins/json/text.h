/*
 * The characters of a JSON string: escapes resolved, with a policy for what JSON can say and a database may not take.
 */
#ifndef JSON_TEXT_H
#define JSON_TEXT_H

#include <stddef.h>
#include <stdint.h>

enum json_odd { JSON_ODD_REJECT, JSON_ODD_REPLACE /* by U+FFFD */, JSON_ODD_KEEP /* NUL: as it is; a surrogate: its three bytes, never into a text column */ };

struct json_text_policy {
	int32_t surrogates;     /* enum json_odd: "\ud800" without its other half */
	int32_t nuls;           /* enum json_odd: \u0000 */
	uint64_t replaced;      /* counted */
};

/*
 * Resolves the escapes of RAW (between its quotes; valid JSON, valid UTF-8) into TO, which has room for SIZE bytes. *ret: how many it
 * became. NULL, or the reject's code: "lone_surrogate", "nul".
 */
const char *json_text_resolve(const char *raw, size_t size, struct json_text_policy *policy, char *to, size_t *ret);

#endif
