/*
 * Values that keep their shape and stay distinct: a Feistel network whose round function is the keyed digest,
 * over the digits (and letters) of a value as numbers below 10 (and 26). Each round adds what the digest of one
 * half says to the other half, place by place, modulo the place's radix; such a sum can be undone, so the whole
 * is a bijection, whatever the digest is. Where only a part of all digit strings will do (no new leading zero,
 * no overflow), the walk goes on until it is back among them, which keeps it a bijection of that part.
 */
#include "config.h"

#include <stdlib.h>

#include "mask.h"

#define ROUNDS	   10
#define ON_STACK   64		     /* places: longer ones are allocated */
#define PER_BLOCK  (MASK_DIGEST / 2) /* places a digest serves: two bytes for each */
#define NEXT_BLOCK 0x80
#define INT_DIGITS 19 /* of the largest int64 */

/* A value as places: each below its radix. */
struct places {
	uint8_t *value, *radix;
	size_t count;
	uint8_t *message; /* 2 bytes a place */
};

/* The next digest of a row of them: of the one before, and its place in the row. */
static void next_block(const struct mask_rule *rule, uint8_t round, size_t block,
		       uint8_t digest[MASK_DIGEST])
{
	uint8_t message[MASK_DIGEST + 4];

	memcpy(message, digest, MASK_DIGEST);
	for (size_t i = 0; i < 4; i++)
		message[MASK_DIGEST + i] = (uint8_t)(block >> (8 * i));
	mask_digest(rule, round | NEXT_BLOCK, message, sizeof(message), digest);
}

/* Adds to the places TO .. TO+COUNT-1 what the digest of the others says. */
static void add_half(const struct mask_rule *rule, const struct places *p, uint8_t round, size_t to,
		     size_t count)
{
	uint8_t digest[MASK_DIGEST];
	size_t size = 0;

	for (size_t i = 0; i < p->count; i++) {
		p->message[size++] = p->radix[i];
		if (i < to || i >= to + count)
			p->message[size++] = p->value[i];
	}
	mask_digest(rule, round, p->message, size, digest);
	for (size_t i = 0; i < count; i++) {
		size_t at = i % PER_BLOCK;

		if (i > 0 && at == 0)
			next_block(rule, round, i / PER_BLOCK, digest);
		p->value[to + i] = (uint8_t)((p->value[to + i] + 256u * digest[2 * at] +
					      digest[2 * at + 1]) %
					     p->radix[to + i]);
	}
}

static void permute(const struct mask_rule *rule, const struct places *p)
{
	size_t left = p->count / 2;

	for (uint8_t round = 0; round < ROUNDS; round++) {
		if (round % 2 == 0)
			add_half(rule, p, round, left, p->count - left);
		else
			add_half(rule, p, round, 0, left);
	}
}

/* ---- Numbers ---- */

static size_t to_digits(int64_t v, uint8_t digits[INT_DIGITS])
{
	uint8_t reversed[INT_DIGITS];
	size_t n = 0;

	do {
		reversed[n++] = (uint8_t)(v % 10);
		v /= 10;
	} while (v > 0);
	for (size_t i = 0; i < n; i++)
		digits[i] = reversed[n - 1 - i];
	return n;
}

/* False: more than MOST. */
static bool from_digits(const uint8_t *digits, size_t n, int64_t most, int64_t *ret)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = v * 10 + digits[i];
	*ret = (int64_t)v;
	return v <= (uint64_t)most;
}

bool mask_permute_int(const struct mask_rule *rule, int64_t v, int64_t most, int64_t *ret)
{
	uint8_t digits[INT_DIGITS], radix[INT_DIGITS], message[2 * INT_DIGITS];
	struct places p = { digits, radix, 0, message };
	int64_t made = 0;

	if (v < -most || v > most)
		return false;
	memset(radix, 10, sizeof(radix));
	p.count = to_digits(v < 0 ? -v : v, digits);
	/* 0 has no sign to keep, so -1 … -9 may not become it. */
	do {
		permute(rule, &p);
	} while ((digits[0] == 0 && (p.count > 1 || v < 0)) ||
		 !from_digits(digits, p.count, most, &made));
	*ret = v < 0 ? -made : made;
	return true;
}

/* ---- Texts ---- */

static uint8_t radix_of(char c, bool letters)
{
	if (c >= '0' && c <= '9')
		return 10;
	return letters && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) ? 26 : 0;
}

static char base_of(char c)
{
	return c <= '9' ? '0' : c <= 'Z' ? 'A' : 'a';
}

static void gather(struct places *p, const char *text, size_t size, bool letters)
{
	for (size_t i = 0; i < size; i++) {
		uint8_t radix = radix_of(text[i], letters);

		if (!radix)
			continue;
		p->radix[p->count] = radix;
		p->value[p->count++] = (uint8_t)(text[i] - base_of(text[i]));
	}
}

static void scatter(const struct places *p, char *text, size_t size, bool letters)
{
	size_t next = 0;

	for (size_t i = 0; i < size; i++)
		if (radix_of(text[i], letters))
			text[i] = (char)(base_of(text[i]) + p->value[next++]);
}

static bool fits_int64(const struct places *p)
{
	int64_t ignored;

	return p->count < INT_DIGITS ||
	       (p->count == INT_DIGITS && from_digits(p->value, p->count, INT64_MAX, &ignored));
}

/* Digits alone become what the same number becomes in an integer column; a zero in front stays there. */
static void permute_digits(const struct mask_rule *rule, struct places *p)
{
	struct places rest = { p->value + 1, p->radix + 1, p->count - 1, p->message };
	bool fits = fits_int64(p);

	if (p->count > 1 && p->value[0] == 0) {
		permute(rule, &rest);
		return;
	}
	do {
		permute(rule, p);
	} while ((p->count > 1 && p->value[0] == 0) || fits_int64(p) != fits);
}

bool mask_permute_text(const struct mask_rule *rule, char *text, size_t size, bool letters,
		       bool *ret_failed)
{
	uint8_t room[4 * ON_STACK], *at = room;
	struct places p = { 0 };

	*ret_failed = false;
	if (size > ON_STACK)
		at = malloc(4 * size);
	if (!at) {
		*ret_failed = true;
		return false;
	}
	p = (struct places){ at, at + size, 0, at + 2 * size };
	gather(&p, text, size, letters);
	if (!letters && p.count == size && size > 0)
		permute_digits(rule, &p);
	else if (p.count > 0)
		permute(rule, &p);
	scatter(&p, text, size, letters);
	if (at != room)
		free(at);
	return p.count > 0;
}
