/*
 * A value into a column of the type that is wanted, exactly or not at all. JSON has four kinds of scalar and databases have
 * twenty types: a text is read as a date, a decimal or a uuid when that is wanted, and as a number never, for then it is
 * not what the file says it is; the filter `numeric` says so where it is meant.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "number.h"
#include "row.h"
#include "text.h"

static bool is_number_type(int32_t type)
{
	return type == ETL_INT16 || type == ETL_INT32 || type == ETL_INT64 || type == ETL_FLOAT32 ||
	       type == ETL_FLOAT64;
}

/* Up to 18 digits need no care. False: any other number. */
static bool short_integer(const char *text, size_t size, int64_t *ret)
{
	bool minus = size > 0 && *text == '-';
	int64_t n = 0;

	if (size == minus || size > 18)
		return false;
	for (size_t i = minus; i < size; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		n = n * 10 + (text[i] - '0');
	}
	*ret = minus ? -n : n;
	return true;
}

static const char *put_number(struct etl_column_builder *b, const char *text, size_t size)
{
	int64_t n;

	if (b->type.type == ETL_INT64 && short_integer(text, size, &n)) {
		etl_put_int64(b, n);
		return NULL;
	}
	return etl_convert_text(b, text, size);
}

static const char *put_bytes(struct etl_column_builder *b, const char *text, size_t size)
{
	return etl_put_bytes(b, text, (int64_t)size) ? NULL : "no_memory";
}

/* A number keeps its digits: an integer beyond 64 bits and a fraction that no double has exactly are texts. */
static const char *any_number(struct etl_column_builder *b, const char *text, size_t size)
{
	struct number number;
	int64_t whole;
	double real;
	bool fraction = memchr(text, '.', size) || memchr(text, 'e', size) || memchr(text, 'E', size);

	if (!etl_number_parse(&number, text, size))
		return "not_a_number";
	if (!fraction && !etl_number_int64(&number, &whole))
		return etl_put_any(b, ETL_ANY_INT, &whole, 8) ? NULL : "no_memory";
	if (fraction && !etl_number_double(&number, &real))
		return etl_put_any(b, ETL_ANY_REAL, &real, 8) ? NULL : "no_memory";
	return etl_put_any(b, ETL_ANY_TEXT, text, (int64_t)size) ? NULL : "no_memory";
}

static const char *put_any(struct etl_column_builder *b, const struct json_value *v)
{
	int64_t truth = v->truth;

	if (v->state == VALUE_BOOL)
		return etl_put_any(b, ETL_ANY_INT, &truth, 8) ? NULL : "no_memory";
	if (v->state == VALUE_NUMBER)
		return any_number(b, v->text, v->size);
	return etl_put_any(b, ETL_ANY_TEXT, v->text, (int64_t)v->size) ? NULL : "no_memory";
}

static const char *put_json(struct etl_column_builder *b, const struct json_value *v, struct work *w)
{
	size_t size;
	struct json_text_policy counted = *w->texts; /* when its text was taken */
	const char *text = v->loose ? NULL : json_value_as_json(v, w, &size);
	char *to;

	if (v->loose)
		return etl_convert_text(b, v->text, v->size);
	if (!text || v->state != VALUE_TEXT || !memchr(text, '\\', size))
		return text ? put_bytes(b, text, size) : "no_memory";
	to = json_pool_take(&w->pool, size);
	if (!to)
		return "no_memory";
	memcpy(to, text, size);
	json_text_judge(to, size, &counted);
	return put_bytes(b, to, size);
}

static const char *put_bool(struct etl_column_builder *b, const struct json_value *v)
{
	if (b->type.type == ETL_BOOL)
		etl_put_bool(b, v->truth);
	else
		return etl_convert_text(b, b->type.type == ETL_TEXT ? (v->truth ? "true" : "false") :
					   v->truth		    ? "1" :
								      "0",
					b->type.type == ETL_TEXT ? (v->truth ? 4 : 5) : 1);
	return NULL;
}

/* Characters are checked where they were parsed; only a surrogate that is kept makes them invalid. */
static const char *put_text(struct etl_column_builder *b, const struct json_value *v, struct work *w)
{
	if (w->texts->surrogates == JSON_ODD_KEEP && etl_utf8_valid(v->text, v->size) != v->size)
		return "lone_surrogate";
	return put_bytes(b, v->text, v->size);
}

/* Without the white space between its parts: a column holds the value, not its file's layout. */
static size_t compact(const struct json_value *v, char *to)
{
	char *at = to;
	bool string = false;

	for (size_t i = 0; i < v->size; i++) {
		char c = v->text[i];

		if (!string && (c == ' ' || c == '\n' || c == '\t' || c == '\r'))
			continue;
		string ^= c == '"';
		*at++ = c;
		if (string && c == '\\')
			*at++ = v->text[++i];
	}
	return (size_t)(at - to);
}

/* What an array or object is in a column: the policies hold within it too. */
static const char *tidy(struct json_value *v, struct work *w)
{
	bool changed = v->tree && json_tree_is_changed(v->tree);
	char *to = json_pool_take(&w->pool, changed ? json_tree_room(v->tree, v->node) : v->size);

	if (!to)
		return "no_memory";
	if (changed)
		v->size = json_tree_spell(v->tree, v->node, to);
	else
		v->size = compact(v, to);
	v->text = to;
	v->tree = NULL;
	return json_text_judge(to, v->size, w->texts);
}

const char *json_put(struct etl_column_builder *b, struct json_value *v, bool nullable, struct work *w)
{
	int32_t type = b->type.type;
	const char *code = v->state == VALUE_JSON ? tidy(v, w) : NULL;

	if (code)
		return code;

	if (v->state == VALUE_ABSENT || v->state == VALUE_NULL) {
		if (!nullable)
			return "not_null";
		etl_put_null(b);
		return NULL;
	}
	if (type == ETL_ANY)
		return put_any(b, v);
	if (type == ETL_JSON)
		return put_json(b, v, w);
	if (v->state == VALUE_BOOL)
		return put_bool(b, v);
	if (type == ETL_TEXT)
		return put_text(b, v, w);
	if (v->state == VALUE_JSON || (v->state == VALUE_TEXT && !v->loose && !v->nonfinite && is_number_type(type)))
		return "type";
	return v->state == VALUE_NUMBER ? put_number(b, v->text, v->size) :
					  etl_convert_text(b, v->text, v->size);
}
