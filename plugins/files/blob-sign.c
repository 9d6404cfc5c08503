/*
 * Shared Key: a request to Azure Blob Storage is signed with one of the account's two keys ("Authorize with Shared Key", for
 * versions since 2015-02-21). The key itself never leaves this machine.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include <nettle/base64.h>
#include <nettle/hmac.h>

#include "remote.h"

#define KEY_MOST 256 /* bytes; an account's key has 64 */

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

void blob_string_to_sign(const struct blob_signed *what, struct etl_text *ret)
{
	/* Content-Encoding, -Language, -Length, -MD5, -Type and Date are empty: there is no body, and x-ms-date is the date. */
	etl_text_addf(ret, "%s\n\n\n\n\n\n\n\n%s\n\n\n%s\n", what->method, or_empty(what->if_match), or_empty(what->range));
	etl_text_addf(ret, "x-ms-date:%s\nx-ms-version:%s\n", what->date, what->version);
	etl_text_addf(ret, "/%s%s", what->account, what->path);
	for (size_t i = 0; i < what->param_count; i++)
		etl_text_addf(ret, "\n%s:%s", what->params[i].name, what->params[i].value);
}

static bool read_key(const char *key, uint8_t *ret, size_t *ret_size)
{
	struct base64_decode_ctx ctx;
	size_t length = strlen(key);

	if (length == 0 || length > KEY_MOST)
		return false;
	base64_decode_init(&ctx);
	return base64_decode_update(&ctx, ret_size, ret, length, key) && base64_decode_final(&ctx) && *ret_size > 0;
}

bool blob_sign(const struct blob_signed *what, const char *key, struct etl_text *ret)
{
	uint8_t raw[BASE64_DECODE_LENGTH(KEY_MOST)], digest[SHA256_DIGEST_SIZE];
	char encoded[BASE64_ENCODE_RAW_LENGTH(SHA256_DIGEST_SIZE) + 1] = "";
	struct etl_text text = { 0 };
	struct hmac_sha256_ctx ctx;
	size_t size = sizeof(raw);
	bool fine = read_key(key, raw, &size);

	blob_string_to_sign(what, &text);
	if (fine && !text.failed) {
		hmac_sha256_set_key(&ctx, size, raw);
		hmac_sha256_update(&ctx, text.length, (const uint8_t *)text.at);
		hmac_sha256_digest(&ctx, sizeof(digest), digest);
		base64_encode_raw(encoded, sizeof(digest), digest);
	}
	etl_text_addf(ret, "SharedKey %s:%s", what->account, encoded);
	if (text.failed)
		ret->failed = true;
	etl_azure_wipe(raw, sizeof(raw));
	etl_azure_wipe(&ctx, sizeof(ctx));
	etl_text_free(&text);
	return fine;
}
