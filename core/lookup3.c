/*
 * Bob Jenkins' lookup3 (2006, public domain), as PostgreSQL uses it for text with seed 0: twelve bytes a
 * round, little-endian, the two last words of the state as 64 bits. The constants are the algorithm's;
 * the values were compared with those of a server (tests/unit/test_canon.c).
 */
#include "lookup3.h"

#define GOLDEN_RATIO UINT32_C(0x9e3779b9)
#define POSTGRES_SALT UINT32_C(3923095) /* what PostgreSQL adds to the length */

struct state {
	uint32_t a, b, c;
};

static uint32_t turn(uint32_t x, int bits)
{
	return x << bits | x >> (32 - bits);
}

static void mix(struct state *s)
{
	uint32_t a = s->a, b = s->b, c = s->c;

	a = (a - c) ^ turn(c, 4);
	c += b;
	b = (b - a) ^ turn(a, 6);
	a += c;
	c = (c - b) ^ turn(b, 8);
	b += a;
	a = (a - c) ^ turn(c, 16);
	c += b;
	b = (b - a) ^ turn(a, 19);
	a += c;
	c = (c - b) ^ turn(b, 4);
	b += a;
	*s = (struct state){ a, b, c };
}

static void finish(struct state *s)
{
	uint32_t a = s->a, b = s->b, c = s->c;

	c = (c ^ b) - turn(b, 14);
	a = (a ^ c) - turn(c, 11);
	b = (b ^ a) - turn(a, 25);
	c = (c ^ b) - turn(b, 16);
	a = (a ^ c) - turn(c, 4);
	b = (b ^ a) - turn(a, 14);
	c = (c ^ b) - turn(b, 24);
	*s = (struct state){ a, b, c };
}

static uint32_t word(const uint8_t *at)
{
	return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
	       (uint32_t)at[3] << 24;
}

/* The last 0 .. 11 bytes; of the third word the lowest byte is left to the length. */
static void tail(struct state *s, const uint8_t *at, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		uint32_t byte = at[i];

		if (i < 4)
			s->a += byte << 8 * i;
		else if (i < 8)
			s->b += byte << 8 * (i - 4);
		else
			s->c += byte << 8 * (i - 7);
	}
}

uint64_t lookup3_hash(const void *bytes, size_t size)
{
	const uint8_t *at = bytes;
	uint32_t start = GOLDEN_RATIO + (uint32_t)size + POSTGRES_SALT;
	struct state s = { start, start, start };

	for (; size >= 12; at += 12, size -= 12) {
		s.a += word(at);
		s.b += word(at + 4);
		s.c += word(at + 8);
		mix(&s);
	}
	tail(&s, at, size);
	finish(&s);
	return (uint64_t)s.b << 32 | s.c;
}
