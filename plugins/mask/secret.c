/*
 * The key and what is made with it: HMAC-SHA-256 (RFC 2104, FIPS 180-4), as nettle has it. Every use has a
 * name that goes in before the value, so that a hash says nothing about a pseudonym of the same value.
 */
#include "config.h"

#include "mask.h"

static const char *const purposes[] = { "number", "code", "name", "email", "uuid", "date-shift" };

static void absorb(struct hmac_sha256_ctx *ctx, const char *text)
{
	/* With its NUL: "ab" "c" is not "a" "bc". */
	hmac_sha256_update(ctx, strlen(text) + 1, (const uint8_t *)text);
}

void mask_key_set(struct mask_rule *rule, const char *key)
{
	hmac_sha256_set_key(&rule->keyed, strlen(key), (const uint8_t *)key);
	absorb(&rule->keyed, "etlrun mask 1");
	absorb(&rule->keyed, rule->method == MASK_HASH ? "hash" : purposes[rule->kind]);
	absorb(&rule->keyed, rule->domain);
}

void mask_digest(const struct mask_rule *rule, uint8_t round, const void *bytes, size_t size,
		 uint8_t ret[MASK_DIGEST])
{
	struct hmac_sha256_ctx ctx = rule->keyed;

	hmac_sha256_update(&ctx, 1, &round);
	hmac_sha256_update(&ctx, size, bytes);
	hmac_sha256_digest(&ctx, MASK_DIGEST, ret);
}
