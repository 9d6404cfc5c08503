/*
 * Finds COMMIT in a PostgreSQL connection: the client's Query or Parse message, the server's CommandComplete. Every
 * other message is let through as it comes, also in pieces.
 */
#include "config.h"

#include <string.h>
#include <strings.h>

#include "wire.h"

#define HEAD	    5 /* a message's type, and its length without the type */
#define SSL_REQUEST 80877103
#define GSS_REQUEST 80877104

static uint32_t number(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static bool begins(const char *text, size_t size, const char *word)
{
	return size >= strlen(word) && strncasecmp(text, word, strlen(word)) == 0;
}

/* COMMIT alone, or as the last of several statements. */
static bool commits(const char *text, size_t size)
{
	while (size > 0 && strchr("; \n", text[size - 1]))
		size--;
	return begins(text, size, "COMMIT") ||
	       (size > 7 && strchr("; \n", text[size - 7]) && begins(text + size - 6, 6, "COMMIT"));
}

static bool holds(const char *text, size_t size, const char *part)
{
	size_t length = strlen(part);

	for (size_t i = 0; i + length <= size; i++)
		if (memcmp(text + i, part, length) == 0)
			return true;
	return false;
}

/* The client's SQL: a Parse message has the statement's name in front of it. */
static bool is_commit(struct wire *wire, const uint8_t *message, size_t size)
{
	const char *text = (const char *)message + HEAD;
	size_t name = message[0] == 'P' ? strnlen(text, size - HEAD) + 1 : 0;

	if (name >= size - HEAD)
		return false;
	text += name;
	size = strnlen(text, size - HEAD - name);
	if (!wire->from_client)
		return begins(text, size, "COMMIT") && wire->other->noted;
	if (begins(text, size, "BEGIN") || begins(text, size, "START"))
		wire->noted = false;
	if (!wire->text || holds(text, size, wire->text))
		wire->noted = true;
	return commits(text, size) && wire->noted;
}

/* The client's first messages: a length and a code. 0: more is needed. */
static size_t first_message(struct wire *wire, const uint8_t *data, size_t size)
{
	if (size < 8)
		return 0;
	if (number(data + 4) == SSL_REQUEST || number(data + 4) == GSS_REQUEST) {
		wire->other->answers++;
		return 8;
	}
	wire->started = true;
	wire->skip = number(data);
	return 8;
}

/* What the server says to such a request: yes is the end of what can be read. */
static size_t one_byte(struct wire *wire, const uint8_t *data)
{
	wire->answers--;
	wire->blind = wire->other->blind = *data == 'S' || *data == 'G';
	return 1;
}

static size_t skipped(struct wire *wire, size_t size)
{
	size_t now = size < wire->skip ? size : wire->skip;

	wire->skip -= (uint32_t)now;
	return now;
}

static bool is_looked_at(const struct wire *wire, uint8_t type)
{
	return wire->from_client ? type == 'Q' || type == 'P' : type == 'C';
}

size_t wire_pass(struct wire *wire, const uint8_t *data, size_t size, size_t room, bool *commit)
{
	size_t at = 0;

	*commit = false;
	while (at < size && !wire->blind) {
		if (wire->skip > 0) {
			at += skipped(wire, size - at);
		} else if (wire->answers > 0) {
			at += one_byte(wire, data + at);
		} else if (wire->from_client && !wire->started) {
			size_t first = first_message(wire, data + at, size - at);

			if (first == 0)
				return at;
			at += wire->started ? 0 : first;
		} else if (size - at < HEAD) {
			return at;
		} else {
			size_t whole = (size_t)number(data + at + 1) + 1;

			if (is_looked_at(wire, data[at]) && whole <= room) {
				if (size - at < whole)
					return at;
				*commit = is_commit(wire, data + at, whole);
				if (*commit)
					return at;
			}
			wire->skip = (uint32_t)whole;
		}
	}
	return size;
}

void wire_let(struct wire *wire, const uint8_t *message)
{
	wire->skip = number(message + 1) + 1;
}
