/* See total.h. */
#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "total.h"
#include "../plugins/lib/value.h"

/* ---- Extremes ---- */

static void add_whole(struct total *t, int64_t v)
{
	if (!t->some || v < t->least)
		t->least = v;
	if (!t->some || v > t->greatest)
		t->greatest = v;
	t->some = true;
}

static void add_decimal(struct total *t, etl_i128 v)
{
	if (!t->some || v < t->least_decimal)
		t->least_decimal = v;
	if (!t->some || v > t->greatest_decimal)
		t->greatest_decimal = v;
	t->some = true;
}

/* A sum of reals that is rounded depends on the order in which they are added; one of their bits does not, and no two values have the
 * same, but for 0 and -0, and NaNs, which are one. */
static int64_t bits_of(double v)
{
	int64_t bits;

	if (isnan(v))
		return INT64_C(0x7ff8000000000000);
	memcpy(&bits, &v, sizeof(bits));
	return bits;
}

static void add_extreme_real(struct total *t, double v)
{
	if (isnan(v)) {
		t->nan = true;
		return;
	}
	if (!t->some_real || v < t->least_real)
		t->least_real = v;
	if (!t->some_real || v > t->greatest_real)
		t->greatest_real = v;
	t->some_real = true;
}

static void add_real(struct total *t, double v)
{
	if (fpclassify(v) == FP_ZERO)
		v = 0.0;
	exact_sum_add(&t->sum, bits_of(v));
	add_extreme_real(t, v);
}

static int32_t rank_of(const char *text, size_t size)
{
	if (size == 3 && memcmp(text, "NaN", 3) == 0)
		return 2;
	if (size == 8 && memcmp(text, "Infinity", 8) == 0)
		return 1;
	return size == 9 && memcmp(text, "-Infinity", 9) == 0 ? -1 : 0;
}

static int compare_figures(const struct figure *a, const struct figure *b)
{
	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	return a->rank == 0 ? number_compare(&a->number, &b->number) : 0;
}

/* False: no memory, or no number. */
static bool keep_figure(struct figure *kept, const struct figure *one, const char *text, size_t size)
{
	kept->text.length = 0;
	etl_text_add_bytes(&kept->text, text, size);
	kept->rank = one->rank;
	kept->some = true;
	return !kept->text.failed && (kept->rank != 0 || etl_number_parse(&kept->number, kept->text.at, kept->text.length));
}

static bool add_figure(struct total *t, const char *text, size_t size)
{
	struct figure one = { .rank = rank_of(text, size) };

	if (one.rank == 0 && !etl_number_parse(&one.number, text, size))
		return false;
	if ((!t->least_figure.some || compare_figures(&one, &t->least_figure) < 0) &&
	    !keep_figure(&t->least_figure, &one, text, size))
		return false;
	return (t->greatest_figure.some && compare_figures(&one, &t->greatest_figure) <= 0) ||
	       keep_figure(&t->greatest_figure, &one, text, size);
}

/* ---- Lengths ---- */

/* Of valid UTF-8: what does not begin a character is no unit, and one of four bytes is two. */
static int64_t count_utf16(const uint8_t *text, int64_t size)
{
	int64_t units = 0;

	for (int64_t i = 0; i < size; i++)
		units += ((text[i] & 0xc0) != 0x80) + (text[i] >= 0xf0);
	return units;
}

static void add_length(int64_t *shortest, int64_t *longest, int64_t length)
{
	if (*shortest < 0 || length < *shortest)
		*shortest = length;
	if (length > *longest)
		*longest = length;
}

static void add_bytes(struct total *t, const uint8_t *bytes, int64_t size, bool text)
{
	add_length(&t->shortest, &t->longest, size);
	if (text)
		add_length(&t->shortest_utf16, &t->longest_utf16, count_utf16(bytes, size));
}

/* ---- Values ---- */

static bool add_value(struct total *t, const struct value *v)
{
	switch (v->form) {
	case FORM_INT:
		exact_sum_add(&t->sum, v->whole);
		add_whole(t, v->whole);
		return true;
	case FORM_BOOL:
	case FORM_DATE:
	case FORM_TIME:
	case FORM_TIMESTAMP:
	case FORM_INSTANT:
		add_whole(t, v->whole);
		return true;
	case FORM_DOUBLE:
	case FORM_FLOAT:
		add_real(t, v->real);
		return true;
	case FORM_DECIMAL:
		exact_sum_add(&t->sum, v->decimal);
		add_decimal(t, v->decimal);
		return true;
	case FORM_NUMERIC:
		exact_sum_add_text(&t->sum, (const char *)v->bytes, (size_t)v->size);
		return add_figure(t, (const char *)v->bytes, (size_t)v->size);
	case FORM_UUID:
		return true;
	default:
		add_bytes(t, v->bytes, v->size, v->form != FORM_BYTES);
		return true;
	}
}

/* ---- Tables ---- */

struct totals *totals_new(const struct ArrowSchema *schema)
{
	struct totals *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->count = (size_t)schema->n_children;
	t->at = calloc(t->count + 1, sizeof(*t->at));
	t->view = etl_view_new(schema);
	if (!t->at || !t->view) {
		totals_free(t);
		return NULL;
	}
	for (size_t i = 0; i < t->count; i++) {
		struct total *one = &t->at[i];

		one->type = etl_type_of(schema->children[i]);
		one->skip = strncmp(schema->children[i]->name, "etlrun.", 7) == 0;
		one->sum.scale = one->type.type == ETL_DECIMAL ? one->type.scale : 0;
		one->shortest = one->longest = one->shortest_utf16 = one->longest_utf16 = ETL_UNKNOWN;
	}
	return t;
}

void totals_free(struct totals *t)
{
	if (!t)
		return;
	for (size_t i = 0; t->at && i < t->count; i++) {
		exact_sum_free(&t->at[i].sum);
		etl_text_free(&t->at[i].least_figure.text);
		etl_text_free(&t->at[i].greatest_figure.text);
	}
	etl_view_free(t->view);
	free(t->at);
	free(t);
}

void totals_look(struct totals *t, const struct ArrowArray *batch)
{
	t->failed |= !etl_view_set(t->view, batch);
}

void totals_row(struct totals *t, int64_t row)
{
	for (size_t i = 0; i < t->count && !t->failed; i++) {
		const struct etl_column_view *column = &t->view->columns[i];
		struct total *one = &t->at[i];
		struct value v;

		if (one->skip)
			continue;
		if (etl_is_null(column, row))
			one->nulls++;
		else
			t->failed = !etl_value_read(&v, column, row) || !add_value(one, &v);
	}
}

void totals_batch(struct totals *t, const struct ArrowArray *batch)
{
	totals_look(t, batch);
	for (int64_t row = 0; row < batch->length && !t->failed; row++)
		totals_row(t, row);
}

static void merge_lengths(struct total *to, const struct total *from)
{
	if (from->longest >= 0) {
		add_length(&to->shortest, &to->longest, from->shortest);
		add_length(&to->shortest, &to->longest, from->longest);
	}
	if (from->longest_utf16 >= 0) {
		add_length(&to->shortest_utf16, &to->longest_utf16, from->shortest_utf16);
		add_length(&to->shortest_utf16, &to->longest_utf16, from->longest_utf16);
	}
}

static bool merge_figures(struct total *to, const struct total *from)
{
	return !from->least_figure.some ||
	       (add_figure(to, from->least_figure.text.at, from->least_figure.text.length) &&
		add_figure(to, from->greatest_figure.text.at, from->greatest_figure.text.length));
}

static bool merge_one(struct total *to, const struct total *from)
{
	to->nulls += from->nulls;
	if (from->some && to->type.type == ETL_DECIMAL) {
		add_decimal(to, from->least_decimal);
		add_decimal(to, from->greatest_decimal);
	} else if (from->some) {
		add_whole(to, from->least);
		add_whole(to, from->greatest);
	}
	if (from->some_real) {
		add_extreme_real(to, from->least_real);
		add_extreme_real(to, from->greatest_real);
	}
	to->nan |= from->nan;
	merge_lengths(to, from);
	exact_sum_merge(&to->sum, &from->sum);
	return merge_figures(to, from);
}

void totals_merge(struct totals *to, const struct totals *from)
{
	to->failed |= from->failed || from->count < to->count;
	for (size_t i = 0; i < to->count && !to->failed; i++)
		to->failed = !merge_one(&to->at[i], &from->at[i]);
}
