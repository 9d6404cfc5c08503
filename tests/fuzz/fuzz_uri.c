/*
 * The two URIs of `copy`, and the secrets in them. The bytes are four lines: a password and three texts. The
 * texts are taken as URIs as they are; and a URI is built of them with the password in every place where one
 * may stand, of which the masked text must show nothing.
 */
#include "config.h"

#include <etlrun/helpers.h>

#include "../../core/pipeline.h"
#include "../../core/secret.h"
#include "fuzz.h"

enum { SHORTEST = 4 /* shorter ones are not masked */ };

static void copy(const char *source, const char *target)
{
	struct etl_error err = ERROR_INIT;
	struct pipeline *p = NULL;

	if (pipeline_from_uris(source, target, NULL, &p, &err) == ETL_OK) {
		FUZZ_HOLDS(p && !p->path && p->source.plugin && p->target.plugin);
		FUZZ_HOLDS(conf_given(p->source.conf, "uri") && conf_given(p->target.conf, "uri"));
		pipeline_free(p);
	} else {
		FUZZ_HOLDS(!p && err.klass == ETL_USAGE && err.message);
	}
	error_clear(&err);
}

/* As a person would have to write it: all that has a meaning in a URI is encoded. */
static void add_encoded(struct etl_text *to, const char *value)
{
	for (; *value; value++)
		if (strchr("%/?#&;@:=+ {}'\"[]", *value) || (unsigned char)*value <= ' ')
			etl_text_addf(to, "%%%02X", (unsigned)(unsigned char)*value);
		else
			etl_text_add_bytes(to, value, 1);
}

/* The mask itself, between two pieces that are no secret, may happen to spell the password. */
static void hides(const char *uri, const char *password)
{
	struct etl_text encoded = { 0 };
	char *shown, *hidden = strdup(uri);

	FUZZ_HOLDS(secret_add_uri(uri));
	shown = secret_redact(uri);
	FUZZ_HOLDS(shown && hidden);
	FUZZ_HOLDS(strlen(shown) <= strlen(uri));
	secret_hide(hidden);
	FUZZ_HOLDS(strlen(hidden) == strlen(uri));
	add_encoded(&encoded, password);
	FUZZ_HOLDS(!strstr(shown, password) && !strstr(hidden, password));
	FUZZ_HOLDS(!strstr(shown, encoded.at) && !strstr(hidden, encoded.at));
	etl_text_free(&encoded);
	free(shown);
	free(hidden);
	secret_clear();
}

static void in_authority(const char *password, const char *user, const char *rest)
{
	struct etl_text uri = { 0 };

	etl_text_add(&uri, "box://");
	add_encoded(&uri, user);
	etl_text_add(&uri, ":");
	add_encoded(&uri, password);
	etl_text_add(&uri, "@host/");
	add_encoded(&uri, rest);
	hides(uri.at, password);
	etl_text_free(&uri);
}

static void in_query(const char *password, const char *before, const char *after)
{
	static const char *const keys[] = { "password", "sig", "AccountKey", "x-token" };
	const char *key = keys[(unsigned char)password[0] % (sizeof(keys) / sizeof(*keys))];
	struct etl_text uri = { 0 };

	etl_text_add(&uri, "box:///base?before=");
	add_encoded(&uri, before);
	etl_text_addf(&uri, "&%s=", key);
	add_encoded(&uri, password);
	etl_text_add(&uri, "&after=");
	add_encoded(&uri, after);
	hides(uri.at, password);
	etl_text_free(&uri);
}

/* Only where the password is found nowhere else, and no mask can be mistaken for it. */
static bool is_telling(const char *password, const char *a, const char *b)
{
	return strlen(password) >= SHORTEST && !strchr(password, '*') && !strstr(a, password) &&
	       !strstr(b, password) &&
	       !strstr("box:///base?before=&password=&after=@host/", password) &&
	       !strstr("&sig=&AccountKey=&x-token=", password);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *password = fuzz_text(data, size), *a = fuzz_cut(password), *b = fuzz_cut(a),
	     *c = fuzz_cut(b);

	copy(a, b);
	copy(b, c);
	FUZZ_HOLDS(secret_add_uri(a) && secret_add_uri(b) && secret_add_uri(c));
	secret_clear();
	if (is_telling(password, a, b)) {
		in_authority(password, a, b);
		in_query(password, a, b);
	}
	free(password);
	return 0;
}
