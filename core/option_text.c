/*
 * Option values as text: numbers with units, read exactly or not at all and the same in every
 * locale, and the name a person may have meant.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <etlrun/helpers.h>

#include "options.h"

enum { NAME_MAX_LENGTH = 63 };

struct unit {
	const char *name;
	int64_t factor;
};

static const struct unit size_units[] = { { "", 1 },
					  { "B", 1 },
					  { "k", 1000 },
					  { "kB", 1000 },
					  { "KB", 1000 },
					  { "MB", 1000000 },
					  { "GB", 1000000000 },
					  { "TB", 1000000000000 },
					  { "KiB", 1024 },
					  { "kiB", 1024 },
					  { "MiB", 1 << 20 },
					  { "GiB", 1 << 30 },
					  { "TiB", (int64_t)1 << 40 },
					  { NULL, 0 } };
static const struct unit duration_units[] = { { "", 1000 },	 { "ms", 1 },	   { "s", 1000 },
					      { "m", 60000 },	 { "min", 60000 }, { "h", 3600000 },
					      { "d", 86400000 }, { NULL, 0 } };
static const struct unit percent_units[] = { { "%", 10000 }, { NULL, 0 } };
static const struct unit plain_units[] = { { "", 1 }, { NULL, 0 } };

static const struct unit *units_of(int32_t kind)
{
	switch (kind) {
	case ETL_OPT_SIZE:
		return size_units;
	case ETL_OPT_DURATION:
		return duration_units;
	case ETL_OPT_PERCENT:
		return percent_units;
	case ETL_OPT_INT:
		return plain_units;
	default:
		return NULL;
	}
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Digits with at most one point, as VALUE / SCALE. *TEXT is moved behind them. */
static bool read_decimal(const char **text, bool negative, int64_t *value, int64_t *scale)
{
	const char *p = *text;
	bool point = false;

	*value = 0;
	*scale = 1;
	if (!is_digit(*p))
		return false;
	for (; is_digit(*p) || (*p == '.' && !point && is_digit(p[1])); p++) {
		int digit = *p - '0';

		if (*p == '.') {
			point = true;
			continue;
		}
		if (__builtin_mul_overflow(*value, (int64_t)10, value) ||
		    __builtin_add_overflow(*value, (int64_t)(negative ? -digit : digit), value) ||
		    (point && __builtin_mul_overflow(*scale, (int64_t)10, scale)))
			return false;
	}
	*text = p;
	return true;
}

bool option_number(int32_t kind, const char *text, int64_t *ret)
{
	const struct unit *unit = units_of(kind);
	int64_t value, scale;
	bool negative = kind == ETL_OPT_INT && *text == '-';

	text += negative || (kind == ETL_OPT_INT && *text == '+');
	if (!unit || !read_decimal(&text, negative, &value, &scale))
		return false;
	text += *text == ' ';
	while (unit->name && strcmp(unit->name, text) != 0)
		unit++;
	if (!unit->name || __builtin_mul_overflow(value, unit->factor, &value) ||
	    value % scale != 0)
		return false;
	value /= scale;
	if (kind == ETL_OPT_PERCENT && value > 1000000)
		return false;
	*ret = value;
	return true;
}

static size_t smallest(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

/* Insertions, deletions, substitutions and swaps of neighbours. */
static size_t distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
	size_t rows[3][NAME_MAX_LENGTH + 1];
	size_t *before = rows[0], *last = rows[1], *row = rows[2];

	for (size_t j = 0; j <= b_length; j++) {
		before[j] = 0;
		last[j] = j;
	}
	for (size_t i = 1; i <= a_length; i++) {
		size_t *oldest = before;

		row[0] = i;
		for (size_t j = 1; j <= b_length; j++) {
			row[j] = smallest(last[j] + 1, row[j - 1] + 1,
					  last[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = smallest(row[j], before[j - 2] + 1, row[j]);
		}
		before = last;
		last = row;
		row = oldest;
	}
	return last[b_length];
}

const char *option_nearest(const char *word, const char *const *names, size_t count)
{
	size_t length = strlen(word), best = (size_t)-1;
	const char *ret = NULL;

	for (size_t i = 0; i < count && length <= NAME_MAX_LENGTH; i++) {
		size_t size = strlen(names[i]), d;

		if (size > NAME_MAX_LENGTH)
			continue;
		d = distance(word, length, names[i], size);
		if (d <= (size > length ? size : length) / 3 && d < best) {
			best = d;
			ret = names[i];
		}
	}
	return ret;
}

const char *option_wanted(int32_t kind)
{
	switch (kind) {
	case ETL_OPT_INT:
		return "a whole number";
	case ETL_OPT_FLAG:
		return "true or false";
	case ETL_OPT_SIZE:
		return "a size such as \"64MiB\" or \"10kB\"";
	case ETL_OPT_DURATION:
		return "a duration such as \"250ms\", \"30s\", \"5m\" or \"2h\"";
	case ETL_OPT_PERCENT:
		return "a percentage from \"0%\" to \"100%\"";
	case ETL_OPT_LIST:
		return "a list of texts such as [ \"a\", \"b\" ]";
	case ETL_OPT_PAIRS:
		return "a list of pairs such as ( ( \"a\", \"b\" ) )";
	case ETL_OPT_GROUP:
		return "a group { … }";
	case ETL_OPT_GROUPS:
		return "a list of groups ( { … }, { … } )";
	case ETL_OPT_PATH:
		return "a path in quotes";
	case ETL_OPT_URI:
		return "a URI in quotes";
	default:
		return "a text in quotes";
	}
}

/* N is in millionths, the text in percent without zeros at its end. */
static void percent_limit(int64_t n, char *buf, size_t size)
{
	int digits = 4;
	int64_t rest = n % 10000;

	for (; digits > 0 && rest % 10 == 0; digits--)
		rest /= 10;
	if (digits > 0)
		snprintf(buf, size, "%" PRId64 ".%0*" PRId64 "%%", n / 10000, digits, rest);
	else
		snprintf(buf, size, "%" PRId64 "%%", n / 10000);
}

void option_limit(int32_t kind, int64_t n, char *buf, size_t size)
{
	static const char *const units[] = { "", "KiB", "MiB", "GiB", "TiB" };
	size_t unit = 0;

	if (kind == ETL_OPT_PERCENT) {
		percent_limit(n, buf, size);
		return;
	}
	for (; kind == ETL_OPT_SIZE && n && n % 1024 == 0 && unit < 4; unit++)
		n /= 1024;
	snprintf(buf, size, "%" PRId64 "%s%s", n, units[unit],
		 kind == ETL_OPT_DURATION ? "ms" : "");
}

bool uri_absolute(const char *uri, const char *folder, char **ret)
{
	size_t scheme = strspn(uri,
			       "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-");
	struct etl_text text = { 0 };

	*ret = NULL;
	/* Nothing behind the scheme, ":memory:", and "-", which is standard input or output, are no paths. */
	if (!folder || uri[scheme] != ':' || !uri[scheme + 1] || strchr("/?#:", uri[scheme + 1]))
		return true;
	if (uri[scheme + 1] == '-' && (!uri[scheme + 2] || strchr("?#", uri[scheme + 2])))
		return true;
	/* "json:https://…": what is behind the scheme is an address of its own. */
	if (strncmp(uri + scheme + 1 + strspn(uri + scheme + 1, "abcdefghijklmnopqrstuvwxyz"), "://", 3) == 0)
		return true;
	etl_text_add_bytes(&text, uri, scheme + 1);
	for (const char *p = strcmp(folder, "/") == 0 ? "" : folder; *p; p++)
		if (strchr("%?#", *p))
			etl_text_addf(&text, "%%%02X", (unsigned)(unsigned char)*p);
		else
			etl_text_add_bytes(&text, p, 1);
	etl_text_addf(&text, "/%s", uri + scheme + 1);
	*ret = etl_text_take(&text);
	return *ret != NULL;
}
