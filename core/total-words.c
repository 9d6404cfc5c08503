/*
 * Totals as texts: one spelling of each value, whoever added it up. A store says what it found as it spells values
 * itself; it is read as a value of the column and spelled anew.
 */
#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "total.h"
#include "../plugins/lib/value.h"

void total_words_free(struct total_words *words, size_t count)
{
	for (size_t i = 0; words && i < count; i++) {
		free(words[i].least);
		free(words[i].greatest);
		free(words[i].sum);
	}
	free(words);
}

static void point_to_texts(struct total_words *words)
{
	words->total.least = words->least;
	words->total.greatest = words->greatest;
	words->total.sum = words->sum;
}

static void spell_number(struct etl_text *text, const char *digits, size_t size)
{
	struct number n;

	if (etl_number_parse(&n, digits, size))
		number_spell(&n, text);
	else
		etl_text_add_bytes(text, digits, size); /* NaN, Infinity */
}

/* ---- What was added up here ---- */

static enum form form_of(int32_t type)
{
	switch (type) {
	case ETL_BOOL:
		return FORM_BOOL;
	case ETL_DATE:
		return FORM_DATE;
	case ETL_TIME:
		return FORM_TIME;
	case ETL_TIMESTAMP:
		return FORM_TIMESTAMP;
	case ETL_INSTANT:
		return FORM_INSTANT;
	default:
		return FORM_INT;
	}
}

static void spell_whole(const struct total *t, int64_t v, struct etl_text *text)
{
	const struct value value = { .form = form_of(t->type.type), .whole = v };
	char buf[SPELL_MAX];

	etl_text_add_bytes(text, buf, etl_value_spell(buf, &value));
}

static void spell_real(int32_t type, double v, struct etl_text *text)
{
	char buf[SPELL_MAX];

	etl_text_add_bytes(text, buf, type == ETL_FLOAT32 ? etl_spell_float(buf, (float)v) : etl_spell_double(buf, v));
}

static void spell_decimal(const struct total *t, etl_i128 v, struct etl_text *text)
{
	char buf[SPELL_MAX];

	spell_number(text, buf, etl_spell_decimal(buf, v, t->type.scale));
}

/* -1, 0, 1; both as they are, without rounding one to the other. */
static int compare_mixed(int64_t whole, double real)
{
	double nearest = trunc(real);

	if (real >= 0x1p63)
		return -1;
	if (real < -0x1p63)
		return 1;
	if (whole != (int64_t)nearest)
		return whole < (int64_t)nearest ? -1 : 1;
	return (real < nearest) - (real > nearest);
}

/* GREATEST: that, else the least. Only an `any` has whole numbers and reals. */
static void spell_mixed(const struct total *t, bool greatest, struct etl_text *text)
{
	int64_t whole = greatest ? t->greatest : t->least;
	double real = greatest ? t->greatest_real : t->least_real;
	int order = t->some && t->some_real ? compare_mixed(whole, real) : 0;

	if (t->nan && (greatest || (!t->some && !t->some_real)))
		etl_text_add(text, "NaN");
	else if (t->some && (!t->some_real || order == 0 || (order > 0) == greatest))
		spell_whole(t, whole, text);
	else if (t->some_real)
		spell_real(t->type.type, real, text);
}

static void spell_extreme(const struct total *t, bool greatest, struct etl_text *text)
{
	const struct figure *figure = greatest ? &t->greatest_figure : &t->least_figure;

	if (figure->some)
		spell_number(text, figure->text.at, figure->text.length);
	else if (t->type.type == ETL_DECIMAL && t->some)
		spell_decimal(t, greatest ? t->greatest_decimal : t->least_decimal, text);
	else if (t->type.type != ETL_DECIMAL)
		spell_mixed(t, greatest, text);
}

static bool has_sum(const struct total *t)
{
	switch (t->type.type) {
	case ETL_INT16:
	case ETL_INT32:
	case ETL_INT64:
	case ETL_DECIMAL:
		return t->some;
	case ETL_FLOAT32:
	case ETL_FLOAT64:
	case ETL_ANY:
		return t->some || t->some_real || t->nan;
	default:
		return t->least_figure.some;
	}
}

/* False: no memory. An empty text is none. */
static bool take(struct etl_text *text, char **ret)
{
	bool ok = !text->failed;

	*ret = ok && text->length > 0 ? etl_text_take(text) : NULL;
	etl_text_free(text);
	return ok;
}

bool total_spell(struct total *t, struct total_words *ret)
{
	struct etl_text least = { 0 }, greatest = { 0 }, sum = { 0 };
	bool ok;

	*ret = (struct total_words){ .total = { .nulls = t->nulls,
						.shortest = t->shortest,
						.longest = t->longest,
						.shortest_utf16 = t->shortest_utf16,
						.longest_utf16 = t->longest_utf16 } };
	spell_extreme(t, false, &least);
	spell_extreme(t, true, &greatest);
	if (has_sum(t))
		exact_sum_spell(&t->sum, &sum);
	ok = take(&least, &ret->least);
	ok = take(&greatest, &ret->greatest) && ok;
	ok = take(&sum, &ret->sum) && ok;
	point_to_texts(ret);
	return ok;
}

/* ---- What a store said ---- */

static bool is_special(const char *said)
{
	return strcmp(said, "NaN") == 0 || strcmp(said, "Infinity") == 0 || strcmp(said, "-Infinity") == 0;
}

static const char *respell_number(const char *said, struct etl_text *text)
{
	struct number n;

	if (!etl_number_parse(&n, said, strlen(said)) && !is_special(said))
		return "not_a_number";
	spell_number(text, said, strlen(said));
	return NULL;
}

/* As a value of the type, by way of a batch of one. */
static const char *convert(struct etl_type_info type, const char *said, struct etl_text *text)
{
	const struct etl_column column = {
		.name = "v", .type = type.type, .precision = type.precision, .scale = type.scale
	};
	struct ArrowSchema schema = { 0 };
	struct ArrowArray batch = { 0 };
	struct etl_builder *builder = NULL;
	struct etl_view *view = NULL;
	const char *code = "no_memory";
	struct value v;
	char buf[SPELL_MAX];

	if (etl_schema_make(&schema, &column, 1, sizeof(column)) &&
	    (builder = etl_builder_new(&schema, 1)) && (view = etl_view_new(&schema)))
		code = etl_convert_text(&builder->columns[0], said, strlen(said));
	if (!code && !etl_builder_finish(builder, &batch))
		code = "no_memory";
	if (!code && etl_view_set(view, &batch) && etl_value_read(&v, &view->columns[0], 0)) {
		if ((v.form == FORM_DOUBLE || v.form == FORM_FLOAT) && fpclassify(v.real) == FP_ZERO)
			v.real = 0.0;
		etl_text_add_bytes(text, buf, etl_value_spell(buf, &v));
	}
	if (batch.release)
		batch.release(&batch);
	etl_view_free(view);
	etl_builder_free(builder);
	if (schema.release)
		schema.release(&schema);
	return code;
}

static const char *respell(struct etl_type_info type, const char *said, char **ret)
{
	struct etl_text text = { 0 };
	const char *code;

	*ret = NULL;
	if (!said)
		return NULL;
	switch (type.type) {
	case ETL_INT16:
	case ETL_INT32:
	case ETL_INT64:
	case ETL_DECIMAL:
	case ETL_NUMERIC:
		code = respell_number(said, &text);
		break;
	default:
		code = convert(type, said, &text);
	}
	if (!take(&text, ret) && !code)
		code = "no_memory";
	return code;
}

const char *total_respell(struct etl_type_info type, const struct etl_total *said, struct total_words *ret)
{
	const struct etl_type_info number = { .type = ETL_NUMERIC };
	const char *code;

	*ret = (struct total_words){ .total = *said };
	code = respell(type, said->least, &ret->least);
	if (!code)
		code = respell(type, said->greatest, &ret->greatest);
	if (!code)
		code = respell(number, said->sum, &ret->sum);
	point_to_texts(ret);
	return code;
}
