/*
 * The masks. Bit i of a mask is byte i of the block. SSE2 is what every x86-64 has; elsewhere the masks are made byte by
 * byte, which gives the same.
 */
#include "config.h"

#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "split-scan.h"

enum { BLOCK = 64, LANE = 16, CASE_BIT = 0x20 /* [ and { , ] and } differ in it */ };

struct masks {
	uint64_t quotes, backslashes, opens, closes;
};

#if defined(__SSE2__)
/* Lane i of the block, where it is C. */
static inline uint64_t lane_equals(__m128i lane, char c, unsigned shift)
{
	return (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(lane, _mm_set1_epi8(c))) << shift;
}

static inline __m128i load_lane(const char *block, size_t i)
{
	return _mm_loadu_si128((const __m128i *)(const void *)(block + i * LANE));
}

static inline struct masks masks_of(const char *block)
{
	struct masks m = { 0 };
	unsigned i;

	for (i = 0; i < BLOCK / LANE; i++) {
		__m128i lane = load_lane(block, i), brackets = _mm_or_si128(lane, _mm_set1_epi8(CASE_BIT));

		m.quotes |= lane_equals(lane, '"', i * LANE);
		m.backslashes |= lane_equals(lane, '\\', i * LANE);
		m.opens |= lane_equals(brackets, '{', i * LANE);
		m.closes |= lane_equals(brackets, '}', i * LANE);
	}
	return m;
}

static inline uint64_t equals(const char *block, char c)
{
	uint64_t mask = 0;
	unsigned i;

	for (i = 0; i < BLOCK / LANE; i++)
		mask |= lane_equals(load_lane(block, i), c, i * LANE);
	return mask;
}
#else
static inline uint64_t equals(const char *block, char c)
{
	uint64_t mask = 0;
	unsigned i;

	for (i = 0; i < BLOCK; i++)
		mask |= (uint64_t)(block[i] == c) << i;
	return mask;
}

static inline struct masks masks_of(const char *block)
{
	return (struct masks){ equals(block, '"'), equals(block, '\\'), equals(block, '{') | equals(block, '['),
			       equals(block, '}') | equals(block, ']') };
}
#endif

/* The bytes that a backslash makes plain. */
static inline uint64_t escaped_by(uint64_t backslashes, uint64_t *carry)
{
	uint64_t escaped = *carry, at;

	backslashes &= ~*carry;
	*carry = 0;
	while (backslashes != 0) {
		at = backslashes & -backslashes;
		escaped |= at << 1;
		*carry = at >> (BLOCK - 1);
		backslashes &= ~(at | at << 1);
	}
	return escaped;
}

/* Bit i: the number of bits up to and with it is odd. */
static inline uint64_t parity(uint64_t x)
{
	x ^= x << 1;
	x ^= x << 2;
	x ^= x << 4;
	x ^= x << 8;
	x ^= x << 16;
	return x ^ x << 32;
}

/* The bytes in strings, with the opening quote and without the closing one. COUNT bytes of the block are text. */
static inline uint64_t strings_of(struct json_scan *scan, const struct masks *m, size_t count)
{
	uint64_t escaped = 0, strings;

	if (m->backslashes | scan->escaped) {
		escaped = escaped_by(m->backslashes, &scan->escaped);
		if (count < BLOCK)
			scan->escaped = escaped >> count & 1;
	}
	strings = parity(m->quotes & ~escaped) ^ scan->in_string;
	scan->in_string = 0 - (strings >> (BLOCK - 1));
	return strings;
}

/* Bits to look at in order; returns the place where the element ends, or BLOCK. */
static size_t step_by_step(struct json_scan *scan, uint64_t opens, uint64_t closes, uint64_t commas)
{
	uint64_t bits = opens | closes | commas, bit;

	for (; bits != 0; bits &= bits - 1) {
		bit = bits & -bits;
		if (scan->depth == 0 && !(bit & opens))
			return (size_t)__builtin_ctzll(bit);
		if (bit & opens)
			scan->depth++;
		else if (bit & closes)
			scan->depth--;
	}
	return BLOCK;
}

static inline size_t element_in_block(struct json_scan *scan, const char *block, size_t count)
{
	struct masks m = masks_of(block);
	uint64_t outside = ~strings_of(scan, &m, count);
	uint64_t closing;

	m.opens &= outside;
	m.closes &= outside;
	closing = (uint64_t)__builtin_popcountll(m.closes);
	if (closing >= scan->depth)
		return step_by_step(scan, m.opens, m.closes, equals(block, ',') & outside);
	scan->depth += (uint64_t)__builtin_popcountll(m.opens) - closing;
	return BLOCK;
}

/* The rest of a text as a block: white space changes nothing. */
static void fill_block(char block[BLOCK], const char *text, size_t size)
{
	memset(block, ' ', BLOCK);
	memcpy(block, text, size);
}

size_t json_scan_element(struct json_scan *scan, const char *text, size_t size)
{
	char block[BLOCK];
	size_t at, end;

	for (at = 0; size - at >= BLOCK; at += BLOCK) {
		end = element_in_block(scan, text + at, BLOCK);
		if (end < BLOCK)
			return at + end;
	}
	if (at == size)
		return size;
	fill_block(block, text + at, size - at);
	end = element_in_block(scan, block, size - at);
	return end < BLOCK ? at + end : size;
}

size_t json_scan_string(struct json_scan *scan, const char *text, size_t size)
{
	size_t at;

	for (at = 0; at < size; at++) {
		if (scan->escaped)
			scan->escaped = 0;
		else if (text[at] == '\\')
			scan->escaped = 1;
		else if (text[at] == '"')
			return at;
	}
	return size;
}

#if defined(__SSE2__)
/* At most 255 lanes: a byte counts no further. */
static uint64_t newlines_in_lanes(const char *text, size_t lanes)
{
	__m128i counts = _mm_setzero_si128(), sums;
	size_t i;

	for (i = 0; i < lanes; i++)
		counts = _mm_sub_epi8(counts, _mm_cmpeq_epi8(load_lane(text, i), _mm_set1_epi8('\n')));
	sums = _mm_sad_epu8(counts, _mm_setzero_si128());
	return (uint64_t)_mm_cvtsi128_si64(sums) + (uint64_t)_mm_cvtsi128_si64(_mm_srli_si128(sums, 8));
}
#endif

uint64_t json_count_newlines(const char *text, size_t size)
{
	uint64_t count = 0;
	size_t at = 0;

#if defined(__SSE2__)
	while (size - at >= LANE) {
		size_t lanes = (size - at) / LANE;

		if (lanes > 255)
			lanes = 255;
		count += newlines_in_lanes(text + at, lanes);
		at += lanes * LANE;
	}
#endif
	for (; at < size; at++)
		count += text[at] == '\n';
	return count;
}
