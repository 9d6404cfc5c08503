/*
 * Functions that SQLite does not have and that moving rows asks for: a key made of other values, the same in every
 * run (md5, sha256), and JSON as some programs write it, with NaN and infinities, made JSON (json_finite). What each
 * gives follows from its argument alone.
 */
#include "config.h"

#include <stdlib.h>

#include <nettle/md5.h>
#include <nettle/sha2.h>

#include "sql.h"

static void give_hex(sqlite3_context *context, const uint8_t *bytes, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	char text[2 * SHA256_DIGEST_SIZE];

	for (size_t i = 0; i < size; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	sqlite3_result_text(context, text, (int)(2 * size), SQLITE_TRANSIENT);
}

/* The bytes of a blob, the UTF-8 of anything else as a text; false: it is NULL, or there is no memory. */
static bool get_bytes(sqlite3_context *context, sqlite3_value *value, const void **ret,
		      size_t *ret_size)
{
	int type = sqlite3_value_type(value);

	if (type == SQLITE_NULL)
		return false;
	*ret = type == SQLITE_BLOB ? sqlite3_value_blob(value) : sqlite3_value_text(value);
	*ret_size = (size_t)sqlite3_value_bytes(value);
	if (!*ret && type != SQLITE_BLOB)
		sqlite3_result_error_nomem(context);
	return *ret || type == SQLITE_BLOB;
}

static void md5(sqlite3_context *context, int count, sqlite3_value **values)
{
	uint8_t digest[MD5_DIGEST_SIZE];
	struct md5_ctx md5;
	const void *bytes;
	size_t size;

	(void)count;
	if (!get_bytes(context, values[0], &bytes, &size))
		return;
	md5_init(&md5);
	md5_update(&md5, size, bytes);
	md5_digest(&md5, sizeof(digest), digest);
	give_hex(context, digest, sizeof(digest));
}

static void sha256(sqlite3_context *context, int count, sqlite3_value **values)
{
	uint8_t digest[SHA256_DIGEST_SIZE];
	struct sha256_ctx sha;
	const void *bytes;
	size_t size;

	(void)count;
	if (!get_bytes(context, values[0], &bytes, &size))
		return;
	sha256_init(&sha);
	sha256_update(&sha, size, bytes);
	sha256_digest(&sha, sizeof(digest), digest);
	give_hex(context, digest, sizeof(digest));
}

/* Bytes of a word that JSON has not and other programs write; 0: none stands there. */
static size_t infinite_word(const char *at, size_t size)
{
	static const char *const words[] = { "NaN", "Infinity", "-Infinity" };

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strlen(words[i]) <= size && memcmp(at, words[i], strlen(words[i])) == 0)
			return strlen(words[i]);
	return 0;
}

/* A string, with its quotes, or what is left of it. */
static size_t string_size(const char *at, size_t size)
{
	for (size_t i = 1; i < size; i++) {
		if (at[i] == '\\')
			i++;
		else if (at[i] == '"')
			return i + 1;
	}
	return size;
}

static void add_finite(struct etl_text *to, const char *at, size_t size)
{
	for (size_t i = 0, step; i < size; i += step) {
		size_t word = infinite_word(at + i, size - i);

		step = word ? word : at[i] == '"' ? string_size(at + i, size - i) : 1;
		if (word)
			etl_text_add(to, "null");
		else
			etl_text_add_bytes(to, at + i, step);
	}
}

static void json_finite(sqlite3_context *context, int count, sqlite3_value **values)
{
	struct etl_text text = { 0 };
	const void *bytes;
	size_t size;

	(void)count;
	if (sqlite3_value_type(values[0]) != SQLITE_TEXT) {
		sqlite3_result_value(context, values[0]);
		return;
	}
	if (!get_bytes(context, values[0], &bytes, &size))
		return;
	add_finite(&text, bytes, size);
	if (text.failed)
		sqlite3_result_error_nomem(context);
	else
		sqlite3_result_text64(context, text.at ? text.at : "", text.length,
				      SQLITE_TRANSIENT, SQLITE_UTF8);
	etl_text_free(&text);
}

int sql_functions_open(sqlite3 *db)
{
	static const struct {
		const char *name;
		void (*call)(sqlite3_context *, int, sqlite3_value **);
	} functions[] = { { "md5", md5 }, { "sha256", sha256 }, { "json_finite", json_finite } };
	int rc = SQLITE_OK;

	for (size_t i = 0; rc == SQLITE_OK && i < sizeof(functions) / sizeof(*functions); i++)
		rc = sqlite3_create_function(db, functions[i].name, 1,
					     SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS,
					     NULL, functions[i].call, NULL, NULL);
	return rc;
}
