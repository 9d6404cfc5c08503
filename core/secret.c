/*
 * The list of what must never be seen. Values are kept longest first, so that a secret that
 * contains another one is masked as a whole, and beside each value its URL-encoded spellings,
 * because drivers and servers echo connection strings in either form. One lock guards the list;
 * masking only reads it.
 */
#include "config.h"

#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "../plugins/lib/hex.h"
#include "secret.h"

enum { SHORTEST = 4 };

static const char MASK[] = "***";

static struct {
	pthread_rwlock_t lock;
	char **at;
	size_t count, room;
	bool begins[UCHAR_MAX + 1]; /* a secret, with this byte */
} secrets = { .lock = PTHREAD_RWLOCK_INITIALIZER };

static void wipe_free(char *text)
{
	if (!text)
		return;
	explicit_bzero(text, strlen(text));
	free(text);
}

/* What is in memory stays there: no core file, not through a program that the system hands it to either, and no
 * other process of this user reads it. Neither can fail in a way that matters. */
static void keep_in_memory(void)
{
	struct rlimit limit = { .rlim_cur = 0 };

	if (getrlimit(RLIMIT_CORE, &limit) == 0) {
		limit.rlim_cur = 0;
		(void)setrlimit(RLIMIT_CORE, &limit);
	}
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

static bool is_unreserved(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_' || c == '.' || c == '~';
}

static char *url_encode(const char *value, const char *digits, bool plus)
{
	char *ret = malloc(strlen(value) * 3 + 1), *to = ret;

	if (!ret)
		return NULL;
	for (const char *from = value; *from; from++) {
		unsigned char c = (unsigned char)*from;

		if (is_unreserved(c)) {
			*to++ = *from;
		} else if (plus && c == ' ') {
			*to++ = '+';
		} else {
			*to++ = '%';
			*to++ = digits[c >> 4];
			*to++ = digits[c & 15];
		}
	}
	*to = '\0';
	return ret;
}

static char *url_decode(const char *text, size_t length, bool plus)
{
	char *ret = malloc(length + 1);
	size_t n = 0;

	if (!ret)
		return NULL;
	for (size_t i = 0; i < length; i++) {
		int high = -1, low = -1;

		if (text[i] == '%' && i + 2 < length) {
			high = etl_hex_digit(text[i + 1]);
			low = etl_hex_digit(text[i + 2]);
		}
		if (high >= 0 && low >= 0 && (high | low) != 0) {
			ret[n++] = (char)(high << 4 | low);
			i += 2;
		} else {
			ret[n++] = plus && text[i] == '+' ? ' ' : text[i];
		}
	}
	ret[n] = '\0';
	return ret;
}

/* Takes TEXT. With the lock held for writing. */
static bool insert(char *text)
{
	size_t length, i = 0;

	if (!text)
		return false;
	length = strlen(text);
	while (i < secrets.count && strlen(secrets.at[i]) >= length) {
		if (strcmp(secrets.at[i++], text) == 0) {
			wipe_free(text);
			return true;
		}
	}
	if (secrets.count == secrets.room) {
		size_t room = secrets.room ? secrets.room * 2 : 16;
		char **at = realloc(secrets.at, room * sizeof(*at));

		if (!at) {
			wipe_free(text);
			return false;
		}
		secrets.at = at;
		secrets.room = room;
	}
	if (secrets.count == 0)
		keep_in_memory();
	memmove(secrets.at + i + 1, secrets.at + i, (secrets.count - i) * sizeof(*secrets.at));
	secrets.at[i] = text;
	secrets.count++;
	secrets.begins[(unsigned char)*text] = true;
	return true;
}

bool secret_add(const char *value)
{
	bool ok;

	if (!value || strlen(value) < SHORTEST)
		return true;
	pthread_rwlock_wrlock(&secrets.lock);
	ok = insert(strdup(value)) && insert(url_encode(value, "0123456789ABCDEF", false)) &&
	     insert(url_encode(value, "0123456789abcdef", false)) &&
	     insert(url_encode(value, "0123456789ABCDEF", true)) &&
	     insert(url_encode(value, "0123456789abcdef", true));
	pthread_rwlock_unlock(&secrets.lock);
	return ok;
}

/* As written, and decoded with its further spellings. */
static bool add_part(const char *text, size_t length)
{
	char *raw = strndup(text, length);
	char *decoded = url_decode(text, length, false), *spaced = url_decode(text, length, true);
	bool ok = raw && decoded && spaced && secret_add(raw) && secret_add(decoded) &&
		  secret_add(spaced);

	wipe_free(raw);
	wipe_free(decoded);
	wipe_free(spaced);
	return ok;
}

/* A query key whose value is a secret: by the words that such keys contain, and Azure's
 * signature. */
static bool is_secret_key(const char *key, size_t length)
{
	static const char *const words[] = { "password",    "passwd",	  "passphrase",
					     "pwd",	    "secret",	  "token",
					     "apikey",	    "api_key",	  "accesskey",
					     "access_key",  "accountkey", "account_key",
					     "private_key", "credential", "signature" };
	static const char *const exact[] = { "sig", "key", "pass", "auth" };

	for (size_t i = 0; i < sizeof(exact) / sizeof(*exact); i++)
		if (length == strlen(exact[i]) && strncasecmp(key, exact[i], length) == 0)
			return true;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		size_t size = strlen(words[i]);

		for (size_t at = 0; at + size <= length; at++)
			if (strncasecmp(key + at, words[i], size) == 0)
				return true;
	}
	return false;
}

/* user:pass@ in the authority; the last @ before the path counts, since passwords contain it
 * unescaped. */
static bool add_userinfo(const char *uri)
{
	const char *start = strstr(uri, "://"), *end, *at = NULL, *colon;

	if (!start)
		return true;
	start += 3;
	end = start + strcspn(start, "/?#");
	for (const char *p = start; p < end; p++)
		if (*p == '@')
			at = p;
	/* A password with an unescaped '/', '?' or '#' in it: everything up to the last @ of the
	 * URI. */
	if (!at)
		at = strrchr(start, '@');
	colon = at ? memchr(start, ':', (size_t)(at - start)) : NULL;
	return colon ? add_part(colon + 1, (size_t)(at - colon - 1)) : true;
}

/* The brace that ends what begins with one; a doubled one does not. */
static const char *closing_brace(const char *text)
{
	const char *end = strchr(text, '}');

	while (end && end[1] == '}')
		end = strchr(end + 2, '}');
	return end;
}

/* How far the value at TEXT goes: ODBC writes {a;b}, libpq writes 'a b'. */
static size_t value_length(const char *text, const char *separators)
{
	const char *end = NULL;

	if (*text == '{')
		end = closing_brace(text);
	else if (*text == '\'')
		end = strchr(text + 1, '\'');
	return end ? (size_t)(end - text) + 1 : strcspn(text, separators);
}

/* What stands in braces, each doubled one as the one that is meant. */
static bool add_braced(const char *text, size_t length)
{
	char *plain = malloc(length + 1);
	size_t n = 0;
	bool ok;

	if (!plain)
		return false;
	for (size_t i = 0; i < length; i++) {
		plain[n++] = text[i];
		i += text[i] == '}' && i + 1 < length && text[i + 1] == '}';
	}
	ok = add_part(plain, n);
	explicit_bzero(plain, n);
	free(plain);
	return ok;
}

static bool add_value(const char *text, size_t length)
{
	if (length >= 2 && (*text == '{' || *text == '\'') && !add_part(text + 1, length - 2))
		return false;
	if (length >= 2 && *text == '{' && !add_braced(text + 1, length - 2))
		return false;
	return add_part(text, length);
}

/* KEY=VALUE between SEPARATORS. */
static bool add_pairs(const char *uri, const char *separators)
{
	const char *p = uri;

	while (*p) {
		size_t length = strcspn(p, separators);
		const char *equals = memchr(p, '=', length);

		if (equals) {
			length = value_length(equals + 1, separators);
			if (is_secret_key(p, (size_t)(equals - p)) &&
			    !add_value(equals + 1, length))
				return false;
			p = equals + 1;
		}
		p += length;
		p += *p != '\0';
	}
	return true;
}

size_t secret_count(void)
{
	size_t count;

	pthread_rwlock_rdlock(&secrets.lock);
	count = secrets.count;
	pthread_rwlock_unlock(&secrets.lock);
	return count;
}

/* After ?, & or ; in a URI; also with spaces between in what is no URI (libpq), or with nothing but semicolons (ODBC, where a
 * password may have all else in it). */
bool secret_add_uri(const char *uri)
{
	bool plain = uri && !strstr(uri, "://");

	return !uri || (add_userinfo(uri) && add_pairs(uri, plain ? "?&;# \t\n" : "?&;#") &&
			(!plain || !strchr(uri, ';') || add_pairs(uri, ";")));
}

static const char *secret_at(const char *text)
{
	if (!secrets.begins[(unsigned char)*text])
		return NULL;
	for (size_t i = 0; i < secrets.count; i++)
		if (*text == *secrets.at[i] &&
		    strncmp(text, secrets.at[i], strlen(secrets.at[i])) == 0)
			return secrets.at[i];
	return NULL;
}

/* How much of TEXT is before a byte with which a secret may begin. */
static size_t plain_length(const char *text)
{
	size_t n = 0;

	while (text[n] && !secrets.begins[(unsigned char)text[n]])
		n++;
	return n;
}

char *secret_redact(const char *text)
{
	size_t length = strlen(text), n = 0;
	/* The mask is shorter than the shortest secret, so the result is never longer than the
	 * text. */
	char *ret = malloc(length + 1);

	if (!ret)
		return NULL;
	pthread_rwlock_rdlock(&secrets.lock);
	while (*text) {
		const char *found = secret_at(text);

		if (found) {
			memcpy(ret + n, MASK, sizeof(MASK) - 1);
			n += sizeof(MASK) - 1;
			text += strlen(found);
		} else {
			size_t plain = 1 + plain_length(text + 1);

			memcpy(ret + n, text, plain);
			n += plain;
			text += plain;
		}
	}
	pthread_rwlock_unlock(&secrets.lock);
	ret[n] = '\0';
	return ret;
}

bool secret_hide(char *text)
{
	bool hidden = false;

	pthread_rwlock_rdlock(&secrets.lock);
	while (*text) {
		const char *found = secret_at(text);
		size_t length = found ? strlen(found) : 1;

		if (found) {
			memset(text, '*', length);
			hidden = true;
		}
		text += length;
	}
	pthread_rwlock_unlock(&secrets.lock);
	return hidden;
}

void secret_clear(void)
{
	pthread_rwlock_wrlock(&secrets.lock);
	for (size_t i = 0; i < secrets.count; i++)
		wipe_free(secrets.at[i]);
	free(secrets.at);
	secrets.at = NULL;
	secrets.count = secrets.room = 0;
	memset(secrets.begins, 0, sizeof(secrets.begins));
	pthread_rwlock_unlock(&secrets.lock);
}
