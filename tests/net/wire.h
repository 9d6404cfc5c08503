/*
 * One direction of a PostgreSQL connection, as far as a proxy must know it to find the message that commits: types and
 * lengths of messages, and the text of those that hold SQL. What is encrypted is not looked into.
 */
#ifndef TESTS_NET_WIRE_H
#define TESTS_NET_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire {
	bool from_client;
	bool started;	  /* the client's first message, which has no type, is over */
	bool blind;	  /* encrypted from here on */
	bool noted;	  /* in this transaction the client has sent a query with the text */
	const char *text; /* what to note; NULL: everything */
	uint32_t skip;	  /* bytes of a message that nobody looks at, still to come */
	unsigned
		answers; /* one-byte answers of the server still to come, to requests for encryption */
	struct wire *other; /* the other direction */
};

/*
 * How many of the bytes at data may go on. *commit: the next message, which is complete, is the client's COMMIT or the
 * server's word that it has committed; wire_let lets it go on. A message that must be looked at and is not complete
 * waits for more, unless it alone fills a buffer of room bytes.
 */
size_t wire_pass(struct wire *wire, const uint8_t *data, size_t size, size_t room, bool *commit);
void wire_let(struct wire *wire, const uint8_t *message);

#endif
