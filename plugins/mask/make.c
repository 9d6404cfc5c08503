/*
 * One masked value of one given value. Each method says which forms of value it takes; any other is refused by
 * a code, because a value that was let through would be shown. A number that stands in a text column is taken
 * as the text it reads as, so a key finds its copy in another column whatever the store calls their types.
 */
#include "config.h"

#include <stdlib.h>

#include "mask.h"
#include "moment.h"
#include "number.h"

#define NAME_LETTERS  5	 /* of a syllable pair: consonant, vowel, consonant, vowel, consonant */
#define MAIL_LETTERS  26 /* 130 bits of five each */
#define SECONDS_DAY   86400
#define MICROS_DAY    INT64_C(86400000000)
#define FIRST_DAY     (-719162) /* 0001-01-01 */
#define LAST_DAY      2932896	/* 9999-12-31 */
#define ISO_DATE_SIZE 10
#define UUID_SIZE     36

/* The bytes a value is known by: its text, or those of a blob. */
struct known {
	char spelled[SPELL_MAX + 1];
	const uint8_t *bytes;
	size_t size;
	bool blob;
};

static void know(struct known *k, const struct value *v)
{
	k->blob = v->form == FORM_BYTES;
	if (v->form == FORM_TEXT || v->form == FORM_NUMERIC || v->form == FORM_JSON || k->blob) {
		k->bytes = v->bytes;
		k->size = (size_t)v->size;
		return;
	}
	k->size = etl_value_spell(k->spelled, v);
	k->bytes = (const uint8_t *)k->spelled;
}

/* A blob is no text, also when its bytes are the same. */
static void digest(const struct mask_rule *rule, const struct known *k, uint8_t ret[MASK_DIGEST])
{
	mask_digest(rule, k->blob ? 'b' : 't', k->bytes, k->size, ret);
}

static const char *put_text(struct etl_column_builder *to, const void *text, size_t size)
{
	bool done = to->type.type == ETL_ANY ? etl_put_any(to, ETL_ANY_TEXT, text, (int64_t)size) :
					       etl_put_bytes(to, text, (int64_t)size);

	return done ? NULL : "no_memory";
}

static const char *put_blob(struct etl_column_builder *to, const uint8_t *bytes, size_t size)
{
	bool done = to->type.type == ETL_ANY ? etl_put_any(to, ETL_ANY_BLOB, bytes, (int64_t)size) :
					       etl_put_bytes(to, bytes, (int64_t)size);

	return done ? NULL : "no_memory";
}

/* ---- Fixed texts ---- */

static bool is_number(int32_t type)
{
	return (type >= ETL_INT16 && type <= ETL_NUMERIC) || type == ETL_BOOL;
}

/* In a column of any values a number is stored as one. */
static const char *put_any_number(struct etl_column_builder *to, const char *text)
{
	struct number number;
	int64_t whole;
	double real;

	if (!etl_number_parse(&number, text, strlen(text)))
		return put_text(to, text, strlen(text));
	if (!etl_number_int64(&number, &whole))
		return etl_put_any(to, ETL_ANY_INT, &whole, 8) ? NULL : "no_memory";
	if (!etl_number_double(&number, &real))
		return etl_put_any(to, ETL_ANY_REAL, &real, 8) ? NULL : "no_memory";
	return put_text(to, text, strlen(text));
}

static const char *redact(const struct mask_column *c, struct etl_column_builder *to)
{
	const char *text = c->rule->text;

	if (to->type.type == ETL_ANY && is_number(c->type.type))
		return put_any_number(to, text);
	return etl_convert_text(to, text, strlen(text));
}

const char *mask_text_misfit(const char *text, struct etl_type_info type)
{
	struct etl_column column = {
		.name = "", .type = type.type, .precision = type.precision, .scale = type.scale
	};
	struct ArrowSchema schema;
	struct etl_builder *builder;
	const char *code = "no_memory";

	if (!etl_schema_make(&schema, &column, 1, sizeof(column)))
		return code;
	builder = etl_builder_new(&schema, 1);
	if (builder)
		code = etl_convert_text(builder->columns, text, strlen(text));
	etl_builder_free(builder);
	schema.release(&schema);
	return code;
}

/* ---- Hash and partial ---- */

static char *to_hex(char *at, const uint8_t *bytes, size_t size)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < size; i++) {
		*at++ = digits[bytes[i] >> 4];
		*at++ = digits[bytes[i] & 15];
	}
	return at;
}

static const char *hash(const struct mask_column *c, struct etl_column_builder *to,
			const struct known *k)
{
	uint8_t bytes[MASK_DIGEST];
	char hex[2 * MASK_DIGEST];

	digest(c->rule, k, bytes);
	if (k->blob)
		return put_blob(to, bytes, (size_t)c->rule->length / 2);
	to_hex(hex, bytes, MASK_DIGEST);
	return put_text(to, hex, (size_t)c->rule->length);
}

/* The bytes of the character there; 1 for what is no UTF-8. */
static size_t step(const uint8_t *bytes, size_t size)
{
	size_t wanted = bytes[0] < 0xc0 ? 1 : bytes[0] < 0xe0 ? 2 : bytes[0] < 0xf0 ? 3 : 4;

	return wanted <= size && etl_utf8_valid(bytes, wanted) == wanted ? wanted : 1;
}

static int64_t characters(const uint8_t *bytes, size_t size)
{
	int64_t n = 0;

	for (size_t i = 0; i < size; n++)
		i += step(bytes + i, size - i);
	return n;
}

/* What is shown is never more than half; where it would be, nothing is. Nor is anything of what is no UTF-8. */
static const char *partial(const struct mask_column *c, struct etl_column_builder *to,
			   const struct known *k)
{
	const struct mask_rule *rule = c->rule;
	int64_t count = characters(k->bytes, k->size), at = 0;
	bool all = 2 * (rule->first + rule->last) > count ||
		   etl_utf8_valid(k->bytes, k->size) != k->size;
	struct etl_text text = { 0 };
	const char *code;

	for (size_t i = 0; i < k->size; at++) {
		size_t size = step(k->bytes + i, k->size - i);

		if (!all && (at < rule->first || at >= count - rule->last))
			etl_text_add_bytes(&text, k->bytes + i, size);
		else
			etl_text_add(&text, rule->with);
		i += size;
	}
	code = text.failed ? "no_memory" : put_text(to, text.at ? text.at : "", text.length);
	etl_text_free(&text);
	return code;
}

/* ---- Pseudonyms ---- */

static int64_t most_of(int32_t type)
{
	return type == ETL_INT16 ? INT16_MAX : type == ETL_INT32 ? INT32_MAX : INT64_MAX;
}

static const char *put_int(struct etl_column_builder *to, int64_t v)
{
	int16_t narrow = (int16_t)v;

	if (to->type.type == ETL_ANY)
		return etl_put_any(to, ETL_ANY_INT, &v, 8) ? NULL : "no_memory";
	if (to->type.type == ETL_INT64)
		etl_put_int64(to, v);
	else if (to->type.type == ETL_INT32)
		etl_put_int32(to, (int32_t)v);
	else
		etl_put_fixed(to, &narrow);
	return NULL;
}

static const char *number(const struct mask_column *c, struct etl_column_builder *to,
			  const struct value *v)
{
	int64_t made;

	if (!mask_permute_int(c->rule, v->whole, most_of(to->type.type), &made))
		return "out_of_range";
	return put_int(to, made);
}

static const char *shaped(const struct mask_column *c, struct etl_column_builder *to,
			  const struct known *k)
{
	bool failed = false, changed = false;
	char *copy = malloc(k->size + 1);
	const char *code = copy ? NULL : "no_memory";

	if (copy) {
		memcpy(copy, k->bytes, k->size);
		changed = mask_permute_text(c->rule, copy, k->size, c->rule->kind == KIND_CODE,
					    &failed);
		code = failed		       ? "no_memory" :
		       !changed && k->size > 0 ? "not_a_number" :
						 put_text(to, copy, k->size);
	}
	free(copy);
	return code;
}

/* Five letters of 16 bits that can be spoken. */
static char *syllables(char *at, const uint8_t *two)
{
	static const char consonants[] = "bdfghjklmnprstvz", vowels[] = "aiou";
	unsigned bits = (unsigned)two[0] << 8 | two[1];

	*at++ = consonants[bits >> 12];
	*at++ = vowels[bits >> 10 & 3];
	*at++ = consonants[bits >> 6 & 15];
	*at++ = vowels[bits >> 4 & 3];
	*at++ = consonants[bits & 15];
	return at;
}

static char *word(char *at, const uint8_t *bytes, size_t pairs)
{
	char *start = at;

	for (size_t i = 0; i < pairs; i++)
		at = syllables(at, bytes + 2 * i);
	*start = (char)(*start - 'a' + 'A');
	return at;
}

static const char *name(const struct mask_column *c, struct etl_column_builder *to,
			const struct known *k)
{
	uint8_t bytes[MASK_DIGEST];
	char made[4 * NAME_LETTERS], *at = made;

	digest(c->rule, k, bytes);
	if (memchr(k->bytes, ' ', k->size)) {
		at = word(at, bytes + 4, 1);
		*at++ = ' ';
	}
	at = word(at, bytes, 2);
	return put_text(to, made, (size_t)(at - made));
}

static const char *email(const struct mask_column *c, struct etl_column_builder *to,
			 const struct known *k)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
	uint8_t bytes[MASK_DIGEST];
	struct etl_text made = { 0 };
	const char *code;

	digest(c->rule, k, bytes);
	for (size_t i = 0; i < MAIL_LETTERS; i++) {
		size_t bit = i * 5;
		unsigned two = (unsigned)bytes[bit / 8] << 8 | bytes[bit / 8 + 1];

		etl_text_add_bytes(&made, &letters[two >> (11 - bit % 8) & 31], 1);
	}
	etl_text_add(&made, "@");
	etl_text_add(&made, c->rule->mail_domain);
	code = made.failed ? "no_memory" : put_text(to, made.at, made.length);
	etl_text_free(&made);
	return code;
}

/* A UUID is the same in large and small letters, and as 16 bytes. */
static bool know_uuid(struct known *k)
{
	static const size_t dashes[] = { 8, 13, 18, 23 };
	char text[UUID_SIZE];
	size_t dash = 0;

	if (k->blob && k->size == 16) {
		k->size = etl_spell_uuid(k->spelled, k->bytes);
		k->bytes = (const uint8_t *)k->spelled;
		return true;
	}
	if (k->blob || k->size != UUID_SIZE)
		return false;
	for (size_t i = 0; i < UUID_SIZE; i++) {
		char c = (char)k->bytes[i];

		if (dash < 4 && i == dashes[dash]) {
			if (c != '-')
				return false;
			dash++;
		} else if (c >= 'A' && c <= 'F') {
			c = (char)(c - 'A' + 'a');
		} else if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
			return false;
		}
		text[i] = c;
	}
	memcpy(k->spelled, text, UUID_SIZE);
	k->bytes = (const uint8_t *)k->spelled;
	return true;
}

static const char *uuid(const struct mask_column *c, struct etl_column_builder *to, struct known *k)
{
	uint8_t bytes[MASK_DIGEST];
	bool blob = k->blob;
	char text[SPELL_MAX];

	if (!know_uuid(k))
		return "not_a_uuid";
	mask_digest(c->rule, 't', k->bytes, k->size, bytes);
	bytes[6] = (bytes[6] & 0x0f) | 0x80; /* version 8, RFC 9562: made in a way of its own */
	bytes[8] = (bytes[8] & 0x3f) | 0x80;
	if (to->type.type == ETL_UUID) {
		etl_put_fixed(to, bytes);
		return NULL;
	}
	return blob ? put_blob(to, bytes, 16) : put_text(to, text, etl_spell_uuid(text, bytes));
}

/* ---- Dates ---- */

/* -days .. days, and never 0. */
static int64_t draw_days(const struct mask_rule *rule, const struct known *by)
{
	uint8_t bytes[MASK_DIGEST];
	uint64_t drawn;
	int64_t shift;

	digest(rule, by, bytes);
	drawn = ((uint64_t)bytes[0] << 24 | (uint64_t)bytes[1] << 16 | (uint64_t)bytes[2] << 8 |
		 bytes[3]) %
		(2 * (uint64_t)rule->days);
	shift = (int64_t)drawn - rule->days;
	return shift >= 0 ? shift + 1 : shift;
}

/* False: the day is in no year from 1 to 9999. At their ends the shift goes the other way. */
static bool shift_day(int64_t *day, int64_t shift)
{
	if (*day < FIRST_DAY || *day > LAST_DAY)
		return false;
	*day += *day + shift < FIRST_DAY || *day + shift > LAST_DAY ? -shift : shift;
	return true;
}

static const char *shift_text(struct etl_column_builder *to, const struct known *k, int64_t shift)
{
	struct moment moment;
	struct etl_text made = { 0 };
	char date[SPELL_MAX];
	const char *code;

	if (k->size < ISO_DATE_SIZE ||
	    !etl_moment_parse(&moment, (const char *)k->bytes, k->size) ||
	    !shift_day(&moment.days, shift))
		return "not_a_date";
	etl_text_add_bytes(&made, date, etl_spell_date(date, moment.days));
	etl_text_add_bytes(&made, k->bytes + ISO_DATE_SIZE, k->size - ISO_DATE_SIZE);
	code = made.failed ? "no_memory" : put_text(to, made.at, made.length);
	etl_text_free(&made);
	return code;
}

static const char *shift_micros(struct etl_column_builder *to, int64_t micros, int64_t shift)
{
	int64_t day = micros / MICROS_DAY - (micros % MICROS_DAY < 0), old = day;

	if (!shift_day(&day, shift))
		return "out_of_range";
	etl_put_int64(to, micros + (day - old) * MICROS_DAY);
	return NULL;
}

static const char *date_shift(const struct mask_column *c, struct etl_column_builder *to,
			      const struct value *v, const struct known *k,
			      const struct etl_column_view *by, int64_t row)
{
	struct known other;
	struct value chosen;
	int64_t shift, day = v->whole;

	if (by && !etl_is_null(by, row)) {
		if (!etl_value_read(&chosen, by, row))
			return "type";
		know(&other, &chosen);
		shift = draw_days(c->rule, &other);
	} else {
		shift = draw_days(c->rule, k);
	}
	switch (v->form) {
	case FORM_TEXT:
		return shift_text(to, k, shift);
	case FORM_TIMESTAMP:
	case FORM_INSTANT:
		return shift_micros(to, v->whole, shift);
	case FORM_DATE:
		if (!shift_day(&day, shift))
			return "out_of_range";
		etl_put_int32(to, (int32_t)day);
		return NULL;
	default:
		return "type";
	}
}

/* ---- All of them ---- */

static const char *pseudonym(const struct mask_column *c, struct etl_column_builder *to,
			     const struct value *v, struct known *k,
			     const struct etl_column_view *by, int64_t row)
{
	switch (c->rule->kind) {
	case KIND_NUMBER:
	case KIND_CODE:
		if (v->form == FORM_INT && c->type.type != ETL_TEXT && c->rule->kind == KIND_NUMBER)
			return number(c, to, v);
		return v->form == FORM_TEXT || v->form == FORM_INT ? shaped(c, to, k) : "type";
	case KIND_UUID:
		return uuid(c, to, k);
	case KIND_DATE_SHIFT:
		return date_shift(c, to, v, k, by, row);
	case KIND_NAME:
		return k->blob ? "type" : name(c, to, k);
	default:
		return k->blob ? "type" : email(c, to, k);
	}
}

const char *mask_value(const struct mask_column *c, struct etl_column_builder *to,
		       const struct etl_column_view *from, const struct etl_column_view *by,
		       int64_t row)
{
	struct value v;
	struct known k;

	if (c->rule->method == MASK_NULL || (etl_is_null(from, row) && !c->rule->masks_nulls)) {
		etl_put_null(to);
		return NULL;
	}
	if (c->rule->method == MASK_REDACT)
		return redact(c, to);
	if (!etl_value_read(&v, from, row))
		return "type";
	know(&k, &v);
	if (c->rule->method == MASK_HASH)
		return hash(c, to, &k);
	if (c->rule->method == MASK_PARTIAL)
		return k.blob ? "type" : partial(c, to, &k);
	return pseudonym(c, to, &v, &k, by, row);
}
