/*
 * How values of different kinds meet: what SQLite does by affinity, and T-SQL by precedence of types or not at all.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "tsql-from-sqlite-parts.h"

#define INTEGER_DIGITS 20  /* "-9223372036854775808" */

static const char blanks[] = "blanks at the end of a text do not count when T-SQL compares";

void tsql_value_free(struct tsql_value *v)
{
	etl_text_free(&v->text);
	memset(v, 0, sizeof(*v));
}

void tsql_add_constant(struct tsql_value *ret, const char *text, enum tsql_kind kind)
{
	etl_text_add(&ret->text, text);
	ret->kind = kind;
	ret->binding = TSQL_BINDS_ATOM;
	ret->literal = kind != TSQL_NULL;
}

/* UTF-16 units of UTF-8. */
static int64_t units_of(const char *text)
{
	int64_t units = 0;

	for (; *text; text++)
		units += ((unsigned char)*text & 0xc0) == 0x80 ? 0 : (unsigned char)*text >= 0xf0 ? 2 : 1;
	return units;
}

bool tsql_add_string(struct tsql_translator *t, const char *text, struct tsql_value *ret)
{
	(void)t;
	etl_text_add(&ret->text, "N");
	etl_text_add_literal(&ret->text, text);
	ret->kind = TSQL_TEXT;
	ret->binding = TSQL_BINDS_ATOM;
	ret->literal = true;
	ret->most = units_of(text);
	return true;
}

void tsql_add(struct etl_text *to, const struct tsql_value *v, enum tsql_binding binding)
{
	bool inside = v->binding <= binding;

	to->failed = to->failed || v->text.failed;
	etl_text_addf(to, "%s%s%s", inside ? "(" : "", v->text.at ? v->text.at : "", inside ? ")" : "");
}

void tsql_wrap(struct tsql_value *v, const char *before, const char *after, enum tsql_kind kind, enum tsql_binding inner,
	       enum tsql_binding outer)
{
	struct etl_text text = { 0 };
	int64_t most = v->most;
	bool wide = v->wide;

	etl_text_add(&text, before);
	tsql_add(&text, v, inner);
	etl_text_add(&text, after);
	etl_text_free(&v->text);
	*v = (struct tsql_value){ .text = text, .kind = kind, .binding = outer, .most = most, .wide = wide };
}

void tsql_join(struct tsql_value *a, const char *word, const struct tsql_value *b, enum tsql_kind kind,
	       enum tsql_binding binding)
{
	bool chains = binding != TSQL_BINDS_COMPARE, wide = a->wide || b->wide;
	struct etl_text text = { 0 };

	tsql_add(&text, a, (enum tsql_binding)(binding - chains));
	etl_text_add(&text, word);
	tsql_add(&text, b, binding);
	etl_text_free(&a->text);
	*a = (struct tsql_value){ .text = text, .kind = kind, .binding = binding, .wide = wide };
}

/* ---- Numbers and conditions ---------------------------------------------------------------------------------- */

bool tsql_is_number(const struct tsql_value *v)
{
	return v->kind >= TSQL_NULL && v->kind <= TSQL_NUMERIC;
}

void tsql_to_value(struct tsql_value *v)
{
	struct etl_text text = { 0 };

	if (v->kind != TSQL_CONDITION)
		return;
	etl_text_add(&text, "CASE WHEN ");
	tsql_add(&text, v, 0);
	etl_text_add(&text, " THEN 1 WHEN NOT (");
	tsql_add(&text, v, 0);
	etl_text_add(&text, ") THEN 0 END");
	etl_text_free(&v->text);
	*v = (struct tsql_value){ .text = text, .kind = TSQL_INT, .binding = TSQL_BINDS_ATOM };
}

bool tsql_to_condition(struct tsql_translator *t, struct tsql_value *v)
{
	if (v->kind == TSQL_CONDITION)
		return true;
	if (!tsql_is_number(v))
		return tsql_refuse(t, "a value that is no number stands where a condition must");
	tsql_wrap(v, "", " <> 0", TSQL_CONDITION, TSQL_BINDS_COMPARE, TSQL_BINDS_COMPARE);
	return true;
}

bool tsql_to_number(struct tsql_translator *t, struct tsql_value *v)
{
	if (!tsql_is_number(v))
		return tsql_refuse(t, "it computes with a value that is no number");
	if (v->kind == TSQL_BIT)
		tsql_wrap(v, "CAST(", " AS int)", TSQL_INT, 0, TSQL_BINDS_ATOM);
	tsql_to_value(v);
	return true;
}

/* SQLite keeps decimals as binary fractions, so it computes with these. */
static void to_float(struct tsql_value *v)
{
	if (v->kind == TSQL_NUMERIC)
		tsql_wrap(v, "CAST(", " AS float)", TSQL_REAL, 0, TSQL_BINDS_ATOM);
}

/* What both become: integers stay, and have 64 bits. */
static enum tsql_kind meet(struct tsql_value *a, struct tsql_value *b)
{
	to_float(a);
	to_float(b);
	if (a->kind == TSQL_NULL || b->kind == TSQL_NULL)
		return a->kind == TSQL_NULL ? b->kind : a->kind;
	if (a->kind != TSQL_INT || b->kind != TSQL_INT)
		return TSQL_REAL;
	if (!a->wide && !b->wide) {
		tsql_wrap(a, "CAST(", " AS bigint)", TSQL_INT, 0, TSQL_BINDS_ATOM);
		a->wide = true;
	}
	return TSQL_INT;
}

/* By zero SQLite divides to NULL. */
static bool divide(struct tsql_translator *t, struct tsql_value *a, struct tsql_value *b, char c)
{
	bool safe = b->literal && !b->zero;
	enum tsql_kind kind;

	if (c == '%' && (a->kind != TSQL_INT || b->kind != TSQL_INT))
		return tsql_refuse(t, "the remainder of what is no integer");
	if ((a->kind == TSQL_NUMERIC && b->kind != TSQL_REAL) || (b->kind == TSQL_NUMERIC && a->kind != TSQL_REAL))
		return tsql_refuse(t, "SQLite divides decimals as integers where they are whole");
	kind = meet(a, b);
	t->result->strict = t->result->strict && safe;
	if (!safe)
		tsql_wrap(b, "NULLIF(", ", 0)", b->kind, 0, TSQL_BINDS_ATOM);
	tsql_join(a, c == '%' ? " % " : " / ", b, kind, TSQL_BINDS_MULTIPLY);
	return true;
}

bool tsql_arithmetic(struct tsql_translator *t, struct tsql_value *a, struct tsql_value *b, char operator_char)
{
	enum tsql_kind kind;

	if (!tsql_to_number(t, a) || !tsql_to_number(t, b))
		return false;
	if (operator_char == '/' || operator_char == '%')
		return divide(t, a, b, operator_char);
	kind = meet(a, b);
	if (operator_char == '*')
		tsql_join(a, " * ", b, kind, TSQL_BINDS_MULTIPLY);
	else
		tsql_join(a, operator_char == '+' ? " + " : " - ", b, kind, TSQL_BINDS_ADD);
	return true;
}

/* ---- Texts ----------------------------------------------------------------------------------------------------- */

bool tsql_to_text(struct tsql_translator *t, struct tsql_value *v)
{
	if (v->kind == TSQL_CONDITION)
		tsql_to_value(v);
	if (v->kind == TSQL_TEXT)
		return true;
	if (v->kind == TSQL_INT || v->kind == TSQL_NULL) {
		tsql_wrap(v, "CAST(", " AS nvarchar(20))", TSQL_TEXT, 0, TSQL_BINDS_ATOM);
		v->most = INTEGER_DIGITS;
		return true;
	}
	return tsql_refuse(t, "it takes the text of a value whose spelling differs");
}

/* ---- Literals of other types -------------------------------------------------------------------------------------- */

/* 9 is a digit, a letter stands for itself; the text may go on after PATTERN. */
static bool looks_like(const char *text, const char *pattern)
{
	for (; *pattern; pattern++, text++)
		if (*pattern == '9' ? *text < '0' || *text > '9' : *text != *pattern)
			return false;
	return true;
}

/* The content of a text literal, up to its last quote. */
static const char *content(const struct tsql_value *v)
{
	return v->literal && v->kind == TSQL_TEXT && v->text.at && v->text.length >= 3 ? v->text.at + 2 : NULL;
}

/* A moment as T-SQL reads it whatever the session's settings. What is stored must not depend on them: it asks for a style. */
static bool read_moment(struct tsql_translator *t, struct tsql_value *v, const char *type, enum tsql_kind kind, bool good)
{
	char before[40];

	if (!good)
		return tsql_refuse(t, "the text %.60s is compared with a %s", v->text.at, type);
	if (t->use == TSQL_IN_GENERATED || t->use == TSQL_IN_INDEX) {
		snprintf(before, sizeof(before), "CONVERT(%s, ", type);
		tsql_wrap(v, before, ", 121)", kind, 0, TSQL_BINDS_ATOM);
	}
	v->kind = kind;
	return true;
}

static bool is_whole(const char *text)
{
	size_t n;

	text += *text == '-';
	n = strspn(text, "0123456789");
	return n > 0 && n < 10 && text[n] == '\'';
}

static void to_integer(struct tsql_value *v, const char *text)
{
	long long value = strtoll(text, NULL, 10);

	etl_text_free(&v->text);
	*v = (struct tsql_value){ .kind = TSQL_INT, .literal = true, .integer = value, .zero = value == 0,
				  .binding = value < 0 ? TSQL_BINDS_ADD : TSQL_BINDS_ATOM };
	etl_text_addf(&v->text, "%lld", value);
}

/* A text literal where a value of KIND is needed. */
static bool read_literal(struct tsql_translator *t, struct tsql_value *v, enum tsql_kind kind)
{
	const char *text = content(v);
	size_t length = text ? strlen(text) - 1 : 0;

	if (!text)
		return tsql_refuse(t, "a text stands where another kind of value is needed");
	switch (kind) {
	case TSQL_DATE:
		return read_moment(t, v, "date", kind, length == 10 && looks_like(text, "9999-99-99"));
	case TSQL_TIMESTAMP:
		if (length == 10)
			tsql_approximate(t, "a date is midnight of its day, where SQLite compares texts");
		return read_moment(t, v, "datetime2(6)", kind,
				   looks_like(text, "9999-99-99") && (length == 10 || (length >= 19 && length <= 26 &&
										      looks_like(text + 11, "99:99:99"))));
	case TSQL_TIME:
		return read_moment(t, v, "time(6)", kind, length >= 8 && looks_like(text, "99:99:99"));
	case TSQL_UUID:
		if (length != 36 || strspn(text, "0123456789abcdefABCDEF-") != 36)
			return tsql_refuse(t, "the text %.60s is compared with a uniqueidentifier", v->text.at);
		tsql_approximate(t, "a uniqueidentifier has no case");
		v->kind = kind;
		return true;
	case TSQL_BIT:
	case TSQL_INT:
	case TSQL_REAL:
	case TSQL_NUMERIC:
		if (!is_whole(text))
			return tsql_refuse(t, "it compares a number with a text");
		to_integer(v, text);
		return true;
	default:
		return tsql_refuse(t, "it compares values of two kinds");
	}
}

/* ---- Comparisons --------------------------------------------------------------------------------------------------- */

static bool is_moment(enum tsql_kind kind)
{
	return kind == TSQL_DATE || kind == TSQL_TIMESTAMP;
}

/* By the collation of the column on the left, else of that on the right, unless one is written. */
static void compare_texts(struct tsql_translator *t, struct tsql_value *a, const struct tsql_value *b)
{
	const struct tsql_value *by = a->collated ? a : b->collated ? b : a->column ? a : b->column ? b : a;
	bool nocase = by->nocase;
	bool a_fits = a->literal || (nocase ? a->nocase : a->binary), b_fits = b->literal || (nocase ? b->nocase : b->binary);

	tsql_approximate(t, nocase ? "it ignores the case of all letters, not only of A to Z, and blanks at the end" : blanks);
	if (a->settled || t->use == TSQL_IN_FILTER || (a_fits && b_fits && !(a->literal && b->literal) && !by->collated))
		return;
	tsql_wrap(a, "", nocase ? " COLLATE " TSQL_NOCASE : " COLLATE " TSQL_BINARY, TSQL_TEXT, TSQL_BINDS_UNARY,
		  TSQL_BINDS_UNARY);
	a->settled = true;
	a->nocase = nocase;
	a->binary = !nocase;
}

bool tsql_compare(struct tsql_translator *t, struct tsql_value *a, struct tsql_value *b, bool ordered)
{
	tsql_to_value(a);
	tsql_to_value(b);
	if (a->kind == TSQL_NULL || b->kind == TSQL_NULL)
		return true;
	if (a->kind == TSQL_NONE || b->kind == TSQL_NONE)
		return tsql_refuse(t, "it compares values of a type that T-SQL does not compare so");
	if (a->kind == TSQL_BYTES || b->kind == TSQL_BYTES)
		return tsql_refuse(t, "T-SQL takes blobs for equal that differ in zeros at their end");
	if (ordered && (a->kind == TSQL_UUID || b->kind == TSQL_UUID))
		return tsql_refuse(t, "T-SQL orders a uniqueidentifier by its last bytes first");
	if (tsql_is_number(a) && tsql_is_number(b))
		return true;
	if (a->kind == TSQL_TEXT && b->kind == TSQL_TEXT) {
		compare_texts(t, a, b);
		return true;
	}
	if (a->kind == b->kind)
		return true;
	if (is_moment(a->kind) && is_moment(b->kind)) {
		tsql_approximate(t, "a date is midnight of its day, where SQLite compares texts");
		return true;
	}
	return b->literal && b->kind == TSQL_TEXT ? read_literal(t, b, a->kind) :
	       a->literal && a->kind == TSQL_TEXT ? read_literal(t, a, b->kind) :
						    tsql_refuse(t, "it compares values of two kinds");
}

/* 0 and "any" when one of them has no bound. */
static int64_t longer(int64_t a, int64_t b)
{
	return a == 0 || b == 0 ? 0 : a > b ? a : b;
}

bool tsql_unify(struct tsql_translator *t, struct tsql_value *values, size_t count, struct tsql_value *ret)
{
	enum tsql_kind kind = TSQL_NULL;

	ret->most = 1;
	for (size_t i = 0; i < count; i++) {
		enum tsql_kind own;

		if (values[i].kind == TSQL_CONDITION || values[i].kind == TSQL_BIT)
			tsql_to_number(t, &values[i]);
		own = values[i].kind;
		if (own == TSQL_NULL)
			continue;
		ret->wide = ret->wide || values[i].wide;
		ret->most = values[i].literal && values[i].most == 0 ? ret->most : longer(ret->most, values[i].most);
		if (own == kind)
			continue;
		if (own == TSQL_NONE)
			return tsql_refuse(t, "it chooses among values of a type that is not known");
		if (kind != TSQL_NULL && (!tsql_is_number(&values[i]) || kind > TSQL_NUMERIC))
			return tsql_refuse(t, "it gives values of several kinds");
		kind = own == TSQL_REAL || kind == TSQL_REAL ? TSQL_REAL : own > kind ? own : kind;
	}
	/* An integer beside a real is one still in SQLite, and compares alike. */
	ret->kind = kind;
	return kind != TSQL_NULL || tsql_refuse(t, "it gives nothing but NULL");
}

/* ---- Into a column ---------------------------------------------------------------------------------------------------- */

/* The bytes of a text literal, as SQLite gives them to a column of blobs. */
static void to_bytes(struct tsql_value *v)
{
	struct etl_text hex = { 0 };
	const char *text = content(v);

	etl_text_add(&hex, "0x");
	for (; text && text[0] && !(text[0] == '\'' && text[1] != '\''); text++) {
		etl_text_addf(&hex, "%02x", (unsigned char)*text);
		text += *text == '\'';
	}
	etl_text_free(&v->text);
	v->text = hex;
	v->kind = TSQL_BYTES;
}

static bool convert_literal(struct tsql_translator *t, struct tsql_value *v, enum tsql_kind want)
{
	if (want == TSQL_TEXT && v->kind == TSQL_INT) {
		char digits[INTEGER_DIGITS + 2];

		snprintf(digits, sizeof(digits), "%lld", v->integer);
		tsql_value_free(v);
		return tsql_add_string(t, digits, v);
	}
	if (want == TSQL_BYTES && v->kind == TSQL_TEXT) {
		to_bytes(v);
		return true;
	}
	return v->kind == TSQL_TEXT ? read_literal(t, v, want) : tsql_refuse(t, "its value is of another kind than the column");
}

/* As a decimal the literal is exact. */
static void drop_exponent(struct tsql_value *v)
{
	if (v->literal && v->kind == TSQL_REAL && v->text.length > 2 && strcmp(v->text.at + v->text.length - 2, "E0") == 0)
		v->text.at[v->text.length -= 2] = '\0';
}

bool tsql_convert(struct tsql_translator *t, struct tsql_value *v, enum tsql_kind want)
{
	bool number = want == TSQL_INT || want == TSQL_REAL || want == TSQL_NUMERIC || want == TSQL_BIT;

	if (v->kind == want || v->kind == TSQL_NULL)
		return true;
	if (want == TSQL_BIT && v->literal && v->kind == TSQL_INT && v->integer != 0 && v->integer != 1)
		return tsql_refuse(t, "its value is neither 0 nor 1");
	if (number && tsql_is_number(v)) {
		/* A real that an integer column takes is whole, or is kept as it is by SQLite. */
		if ((want == TSQL_INT || want == TSQL_BIT) && v->kind != TSQL_INT && v->kind != TSQL_BIT)
			return tsql_refuse(t, "it computes reals for a column of integers");
		if (want == TSQL_NUMERIC)
			drop_exponent(v);
		return true;
	}
	if (v->literal)
		return convert_literal(t, v, want);
	if (want == TSQL_TEXT && v->kind == TSQL_INT)
		return tsql_to_text(t, v);
	return tsql_refuse(t, "its value is of another kind than the column");
}
