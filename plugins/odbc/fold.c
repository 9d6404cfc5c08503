/*
 * Which names are one where letters are compared as SQL Server's usual collations (Latin1_General_CI_AS and its like) compare
 * them: without their case, a wide letter as a narrow one, Katakana as Hiragana, and some letters as two. Accents count.
 * For who cannot ask the server; what it takes for one beyond that (an accent of its own, characters without weight) it has
 * to be asked for. Of values the collation is known, so characters without weight and accents are passed over where it does.
 */
#include "config.h"

#include "fold.h"
#include "layout.h"

/* Capital letters of Unicode's case folding, of scripts in use: every STEP-th of FIRST .. LAST is the small one at + BY. */
static const struct {
	uint32_t first, last;
	int32_t step, by;
} capitals[] = {
	{ 0x41, 0x5a, 1, 32 }, { 0xb5, 0xb5, 1, 775 }, { 0xc0, 0xd6, 1, 32 }, { 0xd8, 0xde, 1, 32 }, { 0x100, 0x12e, 2, 1 },
	{ 0x132, 0x136, 2, 1 }, { 0x139, 0x147, 2, 1 }, { 0x14a, 0x176, 2, 1 }, { 0x178, 0x178, 1, -121 },
	{ 0x179, 0x17d, 2, 1 }, { 0x17f, 0x17f, 1, -268 }, { 0x181, 0x181, 1, 210 }, { 0x182, 0x184, 2, 1 },
	{ 0x186, 0x186, 1, 206 }, { 0x187, 0x187, 1, 1 }, { 0x189, 0x18a, 1, 205 }, { 0x18b, 0x18b, 1, 1 },
	{ 0x18e, 0x18e, 1, 79 }, { 0x18f, 0x18f, 1, 202 }, { 0x190, 0x190, 1, 203 }, { 0x191, 0x191, 1, 1 },
	{ 0x193, 0x193, 1, 205 }, { 0x194, 0x194, 1, 207 }, { 0x196, 0x196, 1, 211 }, { 0x197, 0x197, 1, 209 },
	{ 0x198, 0x198, 1, 1 }, { 0x19c, 0x19c, 1, 211 }, { 0x19d, 0x19d, 1, 213 }, { 0x19f, 0x19f, 1, 214 },
	{ 0x1a0, 0x1a4, 2, 1 }, { 0x1a6, 0x1a6, 1, 218 }, { 0x1a7, 0x1a7, 1, 1 }, { 0x1a9, 0x1a9, 1, 218 },
	{ 0x1ac, 0x1ac, 1, 1 }, { 0x1ae, 0x1ae, 1, 218 }, { 0x1af, 0x1af, 1, 1 }, { 0x1b1, 0x1b2, 1, 217 },
	{ 0x1b3, 0x1b5, 2, 1 }, { 0x1b7, 0x1b7, 1, 219 }, { 0x1b8, 0x1b8, 1, 1 }, { 0x1bc, 0x1bc, 1, 1 },
	{ 0x1c4, 0x1c4, 1, 2 }, { 0x1c5, 0x1c5, 1, 1 }, { 0x1c7, 0x1c7, 1, 2 }, { 0x1c8, 0x1c8, 1, 1 },
	{ 0x1ca, 0x1ca, 1, 2 }, { 0x1cb, 0x1db, 2, 1 }, { 0x1de, 0x1ee, 2, 1 }, { 0x1f1, 0x1f1, 1, 2 },
	{ 0x1f2, 0x1f4, 2, 1 }, { 0x1f6, 0x1f6, 1, -97 }, { 0x1f7, 0x1f7, 1, -56 }, { 0x1f8, 0x21e, 2, 1 },
	{ 0x220, 0x220, 1, -130 }, { 0x222, 0x232, 2, 1 }, { 0x23a, 0x23a, 1, 10795 }, { 0x23b, 0x23b, 1, 1 },
	{ 0x23d, 0x23d, 1, -163 }, { 0x23e, 0x23e, 1, 10792 }, { 0x241, 0x241, 1, 1 }, { 0x243, 0x243, 1, -195 },
	{ 0x244, 0x244, 1, 69 }, { 0x245, 0x245, 1, 71 }, { 0x246, 0x24e, 2, 1 }, { 0x370, 0x372, 2, 1 },
	{ 0x376, 0x376, 1, 1 }, { 0x37f, 0x37f, 1, 116 }, { 0x386, 0x386, 1, 38 }, { 0x388, 0x38a, 1, 37 },
	{ 0x38c, 0x38c, 1, 64 }, { 0x38e, 0x38f, 1, 63 }, { 0x391, 0x3a1, 1, 32 }, { 0x3a3, 0x3ab, 1, 32 },
	{ 0x3c2, 0x3c2, 1, 1 }, { 0x3cf, 0x3cf, 1, 8 }, { 0x3d0, 0x3d0, 1, -30 }, { 0x3d1, 0x3d1, 1, -25 },
	{ 0x3d5, 0x3d5, 1, -15 }, { 0x3d6, 0x3d6, 1, -22 }, { 0x3d8, 0x3ee, 2, 1 }, { 0x3f0, 0x3f0, 1, -54 },
	{ 0x3f1, 0x3f1, 1, -48 }, { 0x3f4, 0x3f4, 1, -60 }, { 0x3f5, 0x3f5, 1, -64 }, { 0x3f7, 0x3f7, 1, 1 },
	{ 0x3f9, 0x3f9, 1, -7 }, { 0x3fa, 0x3fa, 1, 1 }, { 0x3fd, 0x3ff, 1, -130 }, { 0x400, 0x40f, 1, 80 },
	{ 0x410, 0x42f, 1, 32 }, { 0x460, 0x480, 2, 1 }, { 0x48a, 0x4be, 2, 1 }, { 0x4c0, 0x4c0, 1, 15 },
	{ 0x4c1, 0x4cd, 2, 1 }, { 0x4d0, 0x52e, 2, 1 }, { 0x531, 0x556, 1, 48 }, { 0x10a0, 0x10c5, 1, 7264 },
	{ 0x10c7, 0x10c7, 1, 7264 }, { 0x10cd, 0x10cd, 1, 7264 }, { 0x13f8, 0x13fd, 1, -8 }, { 0x1c83, 0x1c84, 1, -6210 },
	{ 0x1c90, 0x1cba, 1, -3008 }, { 0x1cbd, 0x1cbf, 1, -3008 }, { 0x1e00, 0x1e94, 2, 1 }, { 0x1e9b, 0x1e9b, 1, -58 },
	{ 0x1e9e, 0x1e9e, 1, -7615 }, { 0x1ea0, 0x1efe, 2, 1 }, { 0x1f08, 0x1f0f, 1, -8 }, { 0x1f18, 0x1f1d, 1, -8 },
	{ 0x1f28, 0x1f2f, 1, -8 }, { 0x1f38, 0x1f3f, 1, -8 }, { 0x1f48, 0x1f4d, 1, -8 }, { 0x1f59, 0x1f5f, 2, -8 },
	{ 0x1f68, 0x1f6f, 1, -8 }, { 0x1f88, 0x1f8f, 1, -8 }, { 0x1f98, 0x1f9f, 1, -8 }, { 0x1fa8, 0x1faf, 1, -8 },
	{ 0x1fb8, 0x1fb9, 1, -8 }, { 0x1fba, 0x1fbb, 1, -74 }, { 0x1fbc, 0x1fbc, 1, -9 }, { 0x1fbe, 0x1fbe, 1, -7173 },
	{ 0x1fc8, 0x1fcb, 1, -86 }, { 0x1fcc, 0x1fcc, 1, -9 }, { 0x1fd8, 0x1fd9, 1, -8 }, { 0x1fda, 0x1fdb, 1, -100 },
	{ 0x1fe8, 0x1fe9, 1, -8 }, { 0x1fea, 0x1feb, 1, -112 }, { 0x1fec, 0x1fec, 1, -7 }, { 0x1ff8, 0x1ff9, 1, -128 },
	{ 0x1ffa, 0x1ffb, 1, -126 }, { 0x1ffc, 0x1ffc, 1, -9 }, { 0x2126, 0x2126, 1, -7517 }, { 0x212a, 0x212a, 1, -8383 },
	{ 0x212b, 0x212b, 1, -8262 }, { 0x2160, 0x216f, 1, 16 }, { 0x24b6, 0x24cf, 1, 26 }, { 0x2c00, 0x2c2f, 1, 48 },
	{ 0x2c67, 0x2c6b, 2, 1 }, { 0x2c7e, 0x2c7f, 1, -10815 }, { 0x2c80, 0x2ce2, 2, 1 }, { 0x2ceb, 0x2ced, 2, 1 },
	{ 0xa640, 0xa66c, 2, 1 }, { 0xa680, 0xa69a, 2, 1 }, { 0xa722, 0xa72e, 2, 1 }, { 0xa732, 0xa76e, 2, 1 },
	{ 0xa779, 0xa77b, 2, 1 }, { 0xa77e, 0xa786, 2, 1 }, { 0xa790, 0xa792, 2, 1 }, { 0xa796, 0xa7a8, 2, 1 },
	{ 0xa7b4, 0xa7c2, 2, 1 }, { 0xa7c7, 0xa7c9, 2, 1 }, { 0xa7d6, 0xa7d8, 2, 1 }, { 0xab70, 0xabbf, 1, -38864 },
	{ 0xff21, 0xff3a, 1, 32 }, { 0x10400, 0x10427, 1, 40 }, { 0x104b0, 0x104d3, 1, 40 }, { 0x10570, 0x1057a, 1, 39 },
	{ 0x1057c, 0x1058a, 1, 39 }, { 0x1058c, 0x10592, 1, 39 }, { 0x10594, 0x10595, 1, 39 }, { 0x10c80, 0x10cb2, 1, 64 },
	{ 0x16e40, 0x16e5f, 1, 32 }, { 0x1e900, 0x1e921, 1, 34 },
};

/* Letters that are sorted as two. */
static const struct {
	uint32_t letter;
	const char *two;
} pairs[] = {
	{ 0xdf, "ss" }, { 0x1e9e, "ss" }, { 0xe6, "ae" }, { 0xc6, "ae" }, { 0xfe, "th" }, { 0xde, "th" },
	{ 0x153, "oe" }, { 0x152, "oe" }, { 0x133, "ij" }, { 0x132, "ij" },
	{ 0xfb00, "ff" }, { 0xfb01, "fi" }, { 0xfb02, "fl" },
};

/* Small letters that differ in an accent. */
static const char *const accented[] = {
	"aàáâãäåāăąǎǟǡǻȁȃȧḁạảấầẩẫậắằẳẵặ", "bḃḅḇ", "cçćĉċčḉ", "dďđḋḍḏḑḓ", "eèéêëēĕėęěȅȇȩḕḗḙḛḝẹẻẽếềểễệ", "fḟ",
	"gĝğġģǧǵḡ", "hĥħḣḥḧḩḫẖ", "iìíîïĩīĭįıǐȉȋḭḯỉị", "jĵǰ", "kķǩḱḳḵ", "lĺļľŀłḷḹḻḽ", "mḿṁṃ", "nñńņňǹṅṇṉṋ",
	"oòóôõöøōŏőơǒǫǭǿȍȏȫȭȯȱṍṏṑṓọỏốồổỗộớờởỡợ", "pṕṗ", "rŕŗřȑȓṙṛṝṟ", "sśŝşšșṡṣṥṧṩ", "tţťŧțṫṭṯṱẗ",
	"uùúûüũūŭůűųưǔǖǘǚǜȕȗṳṵṷṹṻụủứừửữự", "vṽṿ", "wŵẁẃẅẇẉẘ", "xẋẍ", "yýÿŷȳẏẙỳỵỷỹ", "zźżžẑẓẕ",
	"αά", "εέ", "ηή", "ιίϊΐ", "οό", "υύϋΰ", "ωώ", "иѝй", "еѐё", "кќ", "гѓ", "іїї",
};

/* Characters without weight: controls, marks of direction, joiners. */
static const struct {
	uint32_t first, last;
} weightless[] = {
	{ 0x00, 0x08 }, { 0x0e, 0x1f }, { 0x7f, 0x84 }, { 0x86, 0x9f }, { 0xad, 0xad }, { 0x200b, 0x200f }, { 0x202a, 0x202e },
	{ 0x2060, 0x206f }, { 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff },
};

#define COUNT(a) (sizeof(a) / sizeof(*(a)))
#define END	 UINT32_MAX /* of a text */

/* ---- One letter ------------------------------------------------------------------------------------------------ */

/* The wide forms of ASCII and of a blank, and Katakana that Hiragana has. */
static uint32_t plain(uint32_t c)
{
	if (c >= 0xff01 && c <= 0xff5e)
		return c - 0xfee0;
	if (c == 0x3000)
		return ' ';
	return c >= 0x30a1 && c <= 0x30f6 ? c - 0x60 : c;
}

static uint32_t small(uint32_t c)
{
	for (size_t i = 0; i < COUNT(capitals) && c >= capitals[i].first; i++)
		if (c <= capitals[i].last && (c - capitals[i].first) % (uint32_t)capitals[i].step == 0)
			return c + (uint32_t)capitals[i].by;
	return c;
}

/* What is no UTF-8 is a letter byte by byte. */
static uint32_t decode(const unsigned char **at, const unsigned char *end)
{
	const unsigned char *p = *at;
	int more = p[0] >= 0xf0 ? 3 : p[0] >= 0xe0 ? 2 : p[0] >= 0xc2 ? 1 : 0;
	uint32_t c = more == 3 ? p[0] & 7u : more == 2 ? p[0] & 15u : more == 1 ? p[0] & 31u : p[0];

	for (int i = 1; i <= more; i++) {
		if (p + i >= end || (p[i] & 0xc0) != 0x80) {
			*at = p + 1;
			return p[0];
		}
		c = c << 6 | (p[i] & 0x3fu);
	}
	*at = p + 1 + more;
	return c;
}

/* The letter under its accent; 0: it is one. */
static uint32_t without_accent(uint32_t c)
{
	uint32_t bare = small(c);

	if (c >= 0x300 && c <= 0x36f)
		return 0;
	for (size_t i = 0; c >= 0x80 && i < COUNT(accented); i++) {
		const unsigned char *at = (const unsigned char *)accented[i], *end = at + strlen(accented[i]);
		uint32_t first = decode(&at, end);

		while (at < end)
			if (decode(&at, end) == bare)
				return first;
	}
	return c;
}

static bool has_weight(uint32_t c, unsigned how)
{
	if (how & ODBC_FOLD_BMP && c >= 0x10000)
		return false;
	for (size_t i = 0; how & ODBC_FOLD_WEIGHTS && i < COUNT(weightless); i++)
		if (c >= weightless[i].first && c <= weightless[i].last)
			return false;
	return true;
}

/* ---- A text, letter by letter ---------------------------------------------------------------------------------- */

struct folded {
	const unsigned char *at, *end; /* bytes of UTF-8 */
	unsigned how;
	const char *rest; /* of a letter that is two, or NULL */
};

/* END: there is no more. */
static uint32_t next(struct folded *f)
{
	uint32_t c;

	if (f->rest && *f->rest)
		return (unsigned char)*f->rest++;
	do {
		if (f->at == f->end)
			return END;
		c = plain(decode(&f->at, f->end));
		if (f->how & ODBC_FOLD_ACCENTS)
			c = without_accent(c);
	} while (!c || !has_weight(c, f->how));
	for (size_t i = 0; c >= 0x80 && i < COUNT(pairs); i++) {
		if (pairs[i].letter != c)
			continue;
		f->rest = pairs[i].two + 1;
		return (unsigned char)*pairs[i].two;
	}
	return f->how & ODBC_FOLD_CASE ? small(c) : c;
}

static struct folded fold(const char *name)
{
	const unsigned char *at = (const unsigned char *)name;

	return (struct folded){ at, at + strlen(name), ODBC_FOLD_CASE, NULL };
}

bool odbc_same_name(const char *a, const char *b)
{
	struct folded x = fold(a), y = fold(b);
	uint32_t c;

	do {
		c = next(&x);
		if (c != next(&y))
			return false;
	} while (c != END);
	return true;
}

uint32_t odbc_name_hash(const char *name)
{
	struct folded f = fold(name);
	uint32_t h = 0x811c9dc5; /* FNV-1a, 32 bits */

	for (uint32_t c = next(&f); c != END; c = next(&f))
		h = (h ^ c) * 0x01000193;
	return h;
}

bool odbc_is_ascii(const char *name)
{
	while (*name && (unsigned char)*name < 0x80)
		name++;
	return !*name;
}

/* ---- A value ----------------------------------------------------------------------------------------------------- */

#define AT_ONCE 64 /* letters */

struct piece {
	struct etl_form_sink *sink;
	uint32_t at[AT_ONCE];
	size_t count;
};

static int flush(struct piece *p)
{
	int rc = p->count ? p->sink->emit(p->sink, p->at, p->count * sizeof(*p->at)) : 0;

	p->count = 0;
	return rc;
}

static int put(struct piece *p, uint32_t c)
{
	int rc = p->count == AT_ONCE ? flush(p) : 0;

	if (rc == 0)
		p->at[p->count++] = c;
	return rc;
}

int odbc_fold(const void *text, size_t size, unsigned how, struct etl_form_sink *sink)
{
	struct folded f = { text, (const unsigned char *)text + size, how, NULL };
	struct piece p = { .sink = sink };
	size_t blanks = 0;
	int rc = 0;

	/* Those at the end do not count. */
	for (uint32_t c = next(&f); c != END && rc == 0; c = next(&f)) {
		if (c == ' ') {
			blanks++;
			continue;
		}
		for (; blanks > 0 && rc == 0; blanks--)
			rc = put(&p, ' ');
		if (rc == 0)
			rc = put(&p, c);
	}
	return rc == 0 ? flush(&p) : rc;
}
