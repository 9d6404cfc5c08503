/*
 * The words of a reshape: how a value is shown in the reason of its reject, and what its column wanted.
 */
#include "config.h"

#include "reshape-words.h"

#define SHOWN_MAX 120 /* bytes of a value that a reason shows */

static const char *phrase_of(const char *code)
{
	static const char *const phrases[][2] = {
		{ "out_of_range", "is out of range" },
		{ "too_precise", "has more digits than can be kept" },
		{ "not_a_number", "is not a number" },
		{ "not_a_date", "is not a date" },
		{ "not_a_time", "is not a time of day" },
		{ "not_a_timestamp",
		  "is not a timestamp of that kind (with a zone for instant, else without)" },
		{ "not_a_bool", "is not true or false" },
		{ "not_a_uuid", "is not a UUID" },
		{ "not_json", "is not JSON" },
		{ "invalid_utf8", "is not valid UTF-8" },
	};

	for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++)
		if (strcmp(phrases[i][0], code) == 0)
			return phrases[i][1];
	return "is of another kind";
}

/* The text of a value as null_values compare it and reasons quote it; NULL for bytes. */
const char *reshape_spelling(const struct etl_column_view *c, int64_t row, char *buf,
			     size_t *ret_size)
{
	const uint8_t *bytes;
	int64_t size, whole;
	double real;

	if (c->width != 0) {
		*ret_size = etl_spell_fixed(buf, c, row);
		return buf;
	}
	bytes = etl_get_bytes(c, row, &size);
	*ret_size = (size_t)size;
	if (c->type.type == ETL_BYTES)
		return NULL;
	if (c->type.type != ETL_ANY)
		return (const char *)bytes;
	*ret_size = size > 0 ? (size_t)size - 1 : 0;
	if (size == 9 && bytes[0] == ETL_ANY_INT) {
		memcpy(&whole, bytes + 1, 8);
		*ret_size = etl_spell_int(buf, whole);
		return buf;
	}
	if (size == 9 && bytes[0] == ETL_ANY_REAL) {
		memcpy(&real, bytes + 1, 8);
		*ret_size = etl_spell_double(buf, real);
		return buf;
	}
	return size > 0 && bytes[0] == ETL_ANY_TEXT ? (const char *)bytes + 1 : NULL;
}

void reshape_add_shown(struct etl_text *t, const struct etl_column_view *c, int64_t row)
{
	char buf[SPELL_MAX];
	size_t size = 0, shown;
	const char *text = reshape_spelling(c, row, buf, &size);

	if (!text) {
		etl_text_addf(t, "a value of %zu bytes", size);
	} else if (text == buf) {
		etl_text_add_bytes(t, text, size);
	} else {
		shown = size < SHOWN_MAX ? size : SHOWN_MAX;
		while (shown < size && shown > 0 && ((uint8_t)text[shown] & 0xc0) == 0x80)
			shown--;
		etl_text_add_json(t, text, shown);
		if (shown < size)
			etl_text_addf(t, " (and %zu bytes more)", size - shown);
	}
}

void reshape_add_wish(struct etl_text *t, const struct reshape_column *column, const char *code)
{
	char name[32];

	etl_text_addf(t, " %s; column %s wants %s", phrase_of(code), column->name,
		      etl_type_name(column->type, name, sizeof(name)));
}
