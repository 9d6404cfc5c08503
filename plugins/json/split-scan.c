/*
 * The masks. Bit i of a mask is byte i of the block. SSE2 is what every x86-64 has; elsewhere the masks are made of eight
 * bytes at a time, which gives the same.
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
struct lanes {
	__m128i a, b, c, d;
};

static inline __m128i load_lane(const char *block, size_t i)
{
	return _mm_loadu_si128((const __m128i *)(const void *)(block + i * LANE));
}

static inline struct lanes lanes_of(const char *block)
{
	return (struct lanes){ load_lane(block, 0), load_lane(block, 1), load_lane(block, 2), load_lane(block, 3) };
}

static inline uint64_t bits_of(__m128i lane, __m128i wanted)
{
	return (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(lane, wanted));
}

static inline uint64_t where(const struct lanes *l, char c)
{
	__m128i wanted = _mm_set1_epi8(c);

	return bits_of(l->a, wanted) | bits_of(l->b, wanted) << 16 | bits_of(l->c, wanted) << 32 |
	       bits_of(l->d, wanted) << 48;
}

/* Most blocks have no backslash, which four comparisons and one look tell. */
static inline bool has(const struct lanes *l, char c)
{
	__m128i wanted = _mm_set1_epi8(c), any;

	any = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(l->a, wanted), _mm_cmpeq_epi8(l->b, wanted)),
			   _mm_or_si128(_mm_cmpeq_epi8(l->c, wanted), _mm_cmpeq_epi8(l->d, wanted)));
	return _mm_movemask_epi8(any) != 0;
}

static inline struct lanes with_bit(const struct lanes *l, char bit)
{
	__m128i bits = _mm_set1_epi8(bit);

	return (struct lanes){ _mm_or_si128(l->a, bits), _mm_or_si128(l->b, bits), _mm_or_si128(l->c, bits),
			       _mm_or_si128(l->d, bits) };
}

static inline struct masks masks_of(const char *block)
{
	struct lanes text = lanes_of(block), brackets = with_bit(&text, CASE_BIT);

	return (struct masks){ where(&text, '"'), has(&text, '\\') ? where(&text, '\\') : 0, where(&brackets, '{'),
			       where(&brackets, '}') };
}

static inline uint64_t equals(const char *block, char c)
{
	struct lanes text = lanes_of(block);

	return where(&text, c);
}
#else
#define EACH_BYTE(x) (0x0101010101010101U * (x))

/* Eight bytes, the first of them the lowest. */
static inline uint64_t load_word(const char *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	word = __builtin_bswap64(word);
#endif
	return word;
}

/* A bit for each byte that is zero, in the top bit of each; then the eight of them together. */
static inline uint64_t zeros_of(uint64_t word)
{
	uint64_t low = EACH_BYTE(0x7FU), zeros = ~(((word & low) + low) | word | low);

	return (zeros >> 7) * 0x0102040810204080U >> 56;
}

static inline uint64_t equals(const char *block, char c)
{
	uint64_t mask = 0;
	unsigned i;

	for (i = 0; i < BLOCK; i += 8)
		mask |= zeros_of(load_word(block + i) ^ EACH_BYTE((unsigned char)c)) << i;
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

/*
 * The brackets in order, and the commas once nothing is open. Returns the place where the element ends, or BLOCK; with VALUE the
 * bracket that closes it is such a place. Which of opens and closes a bracket is cannot be predicted, so that is no branch.
 */
static inline size_t step_by_step(struct json_scan *scan, const char *block, const struct masks *m, uint64_t outside, bool value)
{
	uint64_t commas = scan->depth == 0 ? equals(block, ',') & outside : 0;
	uint64_t bits = m->opens | m->closes | commas, bit;

	for (; bits != 0; bits &= bits - 1) {
		bit = bits & -bits;
		if (scan->depth == 0 && !(bit & m->opens))
			return (size_t)__builtin_ctzll(bit);
		scan->depth += (uint64_t)((bit & m->opens) != 0) - (uint64_t)((bit & m->closes) != 0);
		if (scan->depth > 0)
			continue;
		if (value) {
			*scan = (struct json_scan){ .closed = true };
			return (size_t)__builtin_ctzll(bit);
		}
		bits |= equals(block, ',') & outside & ~(bit | (bit - 1));
	}
	return BLOCK;
}

static inline size_t element_in_block(struct json_scan *scan, const char *block, size_t count, bool value)
{
	struct masks m = masks_of(block);
	uint64_t outside = ~strings_of(scan, &m, count);

	m.opens &= outside;
	m.closes &= outside;
	return m.opens | m.closes || scan->depth == 0 ? step_by_step(scan, block, &m, outside, value) : BLOCK;
}

/* The rest of a text as a block: white space changes nothing. */
static void fill_block(char block[BLOCK], const char *text, size_t size)
{
	memset(block, ' ', BLOCK);
	memcpy(block, text, size);
}

static inline size_t scan_blocks(struct json_scan *scan, const char *text, size_t size, bool value)
{
	char block[BLOCK];
	size_t at, end;

	for (at = 0; size - at >= BLOCK; at += BLOCK) {
		end = element_in_block(scan, text + at, BLOCK, value);
		if (end < BLOCK)
			return at + end;
	}
	if (at == size)
		return size;
	fill_block(block, text + at, size - at);
	end = element_in_block(scan, block, size - at, value);
	return end < BLOCK ? at + end : size;
}

size_t json_scan_element(struct json_scan *scan, const char *text, size_t size)
{
	return scan_blocks(scan, text, size, false);
}

size_t json_scan_value(struct json_scan *scan, const char *text, size_t size)
{
	size_t end;

	scan->closed = false;
	end = scan_blocks(scan, text, size, true);
	return end + scan->closed;
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
