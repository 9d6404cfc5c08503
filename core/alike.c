/*
 * See alike.h. A hash of 64 bits is enough: two forms that share one by chance are asked about like others, or, where nobody can
 * be asked, said to be one perhaps.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "alike.h"
#include "canon.h"
#include "changes-set.h"

#define GROUPS_MOST 256		/* that are looked at */
#define FORMS_MOST  8		/* values of one of them */
#define BYTES_MOST  (4 << 20)	/* of all these values */
#define SHOWN_MOST  120		/* bytes of a value in a message */
#define SHOWN_HEAD  70
#define SHOWN_TAIL  40

/* One value of a group. */
struct value {
	uint64_t hash, rows;
	size_t group;
	size_t next; /* the next of its group, or NONE */
};

struct group {
	uint64_t hash; /* of the form */
	uint64_t rows; /* of the first pass, but for the first */
	size_t first, last, count; /* values */
	uint64_t more; /* rows of further values */
};

struct alike {
	struct ArrowSchema schema, shown; /* of the rows; of the candidates */
	struct alike_key key;
	int64_t *columns;
	int32_t *compares;
	alike_form *form;
	struct etl_view *view;
	struct canon *whole, *plain; /* plain: of the columns that are compared by their bytes, or NULL */
	uint64_t *hashes; /* of a batch: of the whole keys, then of their plain parts */
	int64_t room;
	struct etl_text scratch;
	struct changes_set *set; /* of the form, of the value */
	uint64_t groups, rows;	 /* of all */
	struct group at[GROUPS_MOST];
	size_t count;
	struct value values[GROUPS_MOST * FORMS_MOST];
	size_t value_count;
	struct etl_builder *builder;
};

#define NONE SIZE_MAX

/* ---- Making it --------------------------------------------------------------------------------------------------------- */

static bool copy_key(struct alike *a, const struct alike_key *key)
{
	a->columns = calloc(key->count + 1, sizeof(*a->columns));
	a->compares = calloc(key->count + 1, sizeof(*a->compares));
	if (!a->columns || !a->compares)
		return false;
	memcpy(a->columns, key->columns, key->count * sizeof(*a->columns));
	memcpy(a->compares, key->compares, key->count * sizeof(*a->compares));
	a->key = *key;
	a->key.columns = a->columns;
	a->key.compares = a->compares;
	return true;
}

static bool make_canons(struct alike *a)
{
	int64_t *plain = calloc(a->key.count + 1, sizeof(*plain));
	size_t count = 0;

	for (size_t i = 0; plain && i < a->key.count; i++)
		if (!a->compares[i])
			plain[count++] = a->columns[i];
	if (!plain)
		return false;
	a->whole = canon_new(&a->schema, a->columns, a->key.count, ETL_HASH_X1);
	if (count > 0)
		a->plain = canon_new(&a->schema, plain, count, ETL_HASH_X1);
	free(plain);
	return a->whole && (count == 0 || a->plain);
}

/* The group, then the key. */
static bool make_shown(struct alike *a)
{
	struct etl_column *columns = calloc(a->key.count + 1, sizeof(*columns));
	bool ok = columns != NULL;

	if (ok)
		columns[0] = (struct etl_column){ .name = "group", .type = ETL_INT64, .flags = ETL_NOT_NULL };
	for (size_t i = 0; ok && i < a->key.count; i++) {
		const struct ArrowSchema *from = a->schema.children[a->columns[i]];
		struct etl_type_info type = etl_type_of(from);

		columns[i + 1] = (struct etl_column){
			.name = from->name, .type = type.type, .precision = type.precision, .scale = type.scale
		};
	}
	ok = ok && etl_schema_make(&a->shown, columns, a->key.count + 1, sizeof(*columns));
	free(columns);
	return ok;
}

struct alike *alike_new(const struct ArrowSchema *schema, const struct alike_key *key, alike_form *form, size_t memory)
{
	struct alike *a = calloc(1, sizeof(*a));
	bool ok = a != NULL;

	if (!ok)
		return NULL;
	a->form = form;
	ok = copy_key(a, key) && etl_schema_copy(&a->schema, schema) && (a->view = etl_view_new(schema)) && make_canons(a) &&
	     make_shown(a) && (a->set = changes_set_new(memory));
	if (!ok) {
		alike_free(a);
		return NULL;
	}
	changes_set_plain(a->set);
	return a;
}

void alike_free(struct alike *a)
{
	if (!a)
		return;
	if (a->schema.release)
		a->schema.release(&a->schema);
	if (a->shown.release)
		a->shown.release(&a->shown);
	canon_free(a->whole);
	canon_free(a->plain);
	etl_view_free(a->view);
	etl_builder_free(a->builder);
	changes_set_free(a->set);
	etl_text_free(&a->scratch);
	free(a->columns);
	free(a->compares);
	free(a->hashes);
	free(a);
}

/* ---- Hashes of a row ---------------------------------------------------------------------------------------------------- */

struct form_sink {
	struct etl_form_sink sink;
	struct etl_text *into;
};

static int take_piece(struct etl_form_sink *self, const void *piece, size_t size)
{
	struct etl_text *into = ((struct form_sink *)(void *)self)->into;

	etl_text_add_bytes(into, piece, size);
	return into->failed ? ETL_FAILED : 0;
}

/* Behind each form is its length, so that nothing moves unseen from one column to the next. */
static bool add_form(struct alike *a, size_t i, int64_t row)
{
	const struct etl_column_view *c = &a->view->columns[a->columns[i]];
	struct form_sink sink = { { take_piece }, &a->scratch };
	size_t before = a->scratch.length, length;
	const uint8_t *value;
	int64_t size;

	if (etl_is_null(c, row)) {
		length = SIZE_MAX;
	} else {
		value = etl_get_bytes(c, row, &size);
		if (a->form(a->compares[i], value, (size_t)size, &sink.sink) < 0)
			return false;
		length = a->scratch.length - before;
	}
	etl_text_add_bytes(&a->scratch, &length, sizeof(length));
	return !a->scratch.failed;
}

static bool hash_form(struct alike *a, int64_t row, uint64_t plain, uint64_t *ret)
{
	a->scratch.length = 0;
	etl_text_add_bytes(&a->scratch, &plain, sizeof(plain));
	for (size_t i = 0; i < a->key.count; i++)
		if (a->compares[i] && !add_form(a, i, row))
			return false;
	*ret = XXH3_64bits(a->scratch.at, a->scratch.length);
	return !a->scratch.failed;
}

static bool counts(const struct alike *a, int64_t row)
{
	for (size_t i = 0; !a->key.nulls_equal && i < a->key.count; i++)
		if (etl_is_null(&a->view->columns[a->columns[i]], row))
			return false;
	return true;
}

static bool begin_batch(struct alike *a, const struct ArrowArray *batch)
{
	if (batch->length > a->room) {
		free(a->hashes);
		a->hashes = malloc(2 * (size_t)batch->length * sizeof(*a->hashes));
		a->room = a->hashes ? batch->length : 0;
	}
	if (batch->length == 0)
		return true;
	return a->hashes && etl_view_set(a->view, batch) && canon_batch(a->whole, batch, a->hashes, NULL) &&
	       (!a->plain || canon_batch(a->plain, batch, a->hashes + batch->length, NULL));
}

typedef int row_function(struct alike *, int64_t row, uint64_t form, uint64_t value, struct etl_error *);

static int each_row(struct alike *a, const struct ArrowArray *batch, row_function *each, struct etl_error *err)
{
	int rc = 0;

	if (!begin_batch(a, batch))
		return error_memory(err);
	for (int64_t row = 0; row < batch->length && rc == 0; row++) {
		uint64_t form;

		if (!counts(a, row))
			continue;
		if (!hash_form(a, row, a->plain ? a->hashes[batch->length + row] : 0, &form))
			return error_memory(err);
		rc = each(a, row, form, a->hashes[row], err);
	}
	return rc;
}

/* ---- The first time ------------------------------------------------------------------------------------------------------ */

static int add_row(struct alike *a, int64_t row, uint64_t form, uint64_t value, struct etl_error *err)
{
	(void)row;
	return changes_set_add(a->set, form, value, err);
}

int alike_add(struct alike *a, const struct ArrowArray *batch, struct etl_error *err)
{
	return each_row(a, batch, add_row, err);
}

static void end_group(struct alike *a, uint64_t hash, uint64_t rows)
{
	a->groups++;
	a->rows += rows - 1;
	if (a->count < GROUPS_MOST)
		a->at[a->count++] = (struct group){ .hash = hash, .rows = rows - 1, .first = NONE, .last = NONE };
}

int alike_close(struct alike *a, bool *ret, struct etl_error *err)
{
	struct changes_walk walk = { .set = NULL };
	struct changes_set *set = NULL;
	uint64_t form, value, of = 0, first = 0, rows = 0;
	bool met, differ = false;
	int rc = changes_set_close(a->set, 0, &set, err), more = 0;

	a->set = NULL;
	walk.set = set;
	while (rc == 0 && (more = changes_walk_next(&walk, &form, &value, &met, err)) > 0) {
		if (rows > 0 && form == of) {
			rows++;
			differ = differ || value != first;
			continue;
		}
		if (differ)
			end_group(a, of, rows);
		of = form;
		first = value;
		rows = 1;
		differ = false;
	}
	if (differ)
		end_group(a, of, rows);
	changes_set_free(set);
	*ret = a->groups > 0;
	return rc < 0 ? rc : more;
}

/* ---- The second time ------------------------------------------------------------------------------------------------------ */

/* They came in the order of their hashes. */
static size_t find_group(const struct alike *a, uint64_t hash)
{
	size_t low = 0, high = a->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (a->at[middle].hash < hash)
			low = middle + 1;
		else
			high = middle;
	}
	return low < a->count && a->at[low].hash == hash ? low : NONE;
}

static struct value *find_value(struct alike *a, const struct group *g, uint64_t hash)
{
	for (size_t i = g->first; i != NONE; i = a->values[i].next)
		if (a->values[i].hash == hash)
			return &a->values[i];
	return NULL;
}

static bool keep_row(struct alike *a, size_t group, int64_t row)
{
	int64_t rows = etl_builder_rows(a->builder);

	etl_put_int64(&a->builder->columns[0], (int64_t)group);
	for (size_t i = 0; i < a->key.count; i++) {
		const struct etl_column_view *from = &a->view->columns[a->columns[i]];
		struct etl_column_builder *to = &a->builder->columns[i + 1];

		if (etl_is_null(from, row)) {
			etl_put_null(to);
		} else if (etl_convert(to, from, row)) {
			etl_builder_truncate(a->builder, rows);
			return false;
		}
	}
	return true;
}

static int keep_value(struct alike *a, struct group *g, int64_t row, uint64_t hash, struct etl_error *err)
{
	size_t at = a->value_count;

	if (g->count == FORMS_MOST || etl_builder_bytes(a->builder) > BYTES_MOST) {
		g->more++;
		return 0;
	}
	if (!keep_row(a, (size_t)(g - a->at), row))
		return error_memory(err);
	a->values[at] = (struct value){ .hash = hash, .rows = 1, .group = (size_t)(g - a->at), .next = NONE };
	if (g->last == NONE)
		g->first = at;
	else
		a->values[g->last].next = at;
	g->last = at;
	g->count++;
	a->value_count++;
	return 0;
}

static int find_row(struct alike *a, int64_t row, uint64_t form, uint64_t value, struct etl_error *err)
{
	size_t group = find_group(a, form);
	struct value *known;

	if (group == NONE)
		return 0;
	known = find_value(a, &a->at[group], value);
	if (!known)
		return keep_value(a, &a->at[group], row, value, err);
	known->rows++;
	return 0;
}

int alike_add_again(struct alike *a, const struct ArrowArray *batch, struct etl_error *err)
{
	if (!a->builder)
		a->builder = etl_builder_new(&a->shown, GROUPS_MOST * FORMS_MOST);
	return a->builder ? each_row(a, batch, find_row, err) : error_memory(err);
}

int alike_candidates(struct alike *a, struct ArrowSchema *ret_schema, struct ArrowArray *ret_rows, struct etl_error *err)
{
	if (!a->builder)
		a->builder = etl_builder_new(&a->shown, GROUPS_MOST * FORMS_MOST);
	if (!a->builder || !etl_schema_copy(ret_schema, &a->shown))
		return error_memory(err);
	if (etl_builder_finish(a->builder, ret_rows))
		return 0;
	ret_schema->release(ret_schema);
	return error_memory(err);
}

/* ---- What came of it -------------------------------------------------------------------------------------------------------- */

/* The most bytes up to SIZE that end with a character. */
static size_t whole_characters(const uint8_t *text, size_t size)
{
	while (size > 0 && (text[size] & 0xc0) == 0x80)
		size--;
	return size;
}

/* Of a long one the end too: blanks are there. */
static void show_text(struct etl_text *to, const uint8_t *text, size_t size)
{
	struct etl_text cut = { 0 };
	size_t tail = size - SHOWN_TAIL;

	if (size <= SHOWN_MOST) {
		etl_text_add_json(to, (const char *)text, size);
		return;
	}
	while (tail < size && (text[tail] & 0xc0) == 0x80)
		tail++;
	etl_text_add_bytes(&cut, text, whole_characters(text, SHOWN_HEAD));
	etl_text_add(&cut, "…");
	etl_text_add_bytes(&cut, text + tail, size - tail);
	etl_text_add_json(to, cut.at ? cut.at : "", cut.length);
	to->failed |= cut.failed;
	etl_text_free(&cut);
}

static void show_value(struct etl_text *to, const struct etl_column_view *c, int64_t row)
{
	bool text = c->type.type == ETL_TEXT || c->type.type == ETL_JSON;
	const uint8_t *bytes;
	int64_t size;

	if (!text || etl_is_null(c, row)) {
		etl_text_add_value(to, c, row);
		return;
	}
	bytes = etl_get_bytes(c, row, &size);
	show_text(to, bytes, (size_t)size);
}

static void show_row(struct etl_text *to, const struct etl_view *view, int64_t row)
{
	bool several = view->count > 2;

	etl_text_add(to, several ? "(" : "");
	for (int64_t i = 1; i < view->count; i++) {
		etl_text_add(to, i > 1 ? ", " : "");
		show_value(to, &view->columns[i], row);
	}
	etl_text_add(to, several ? ")" : "");
}

static int show(const struct ArrowSchema *schema, const struct ArrowArray *rows, size_t first, size_t second,
		struct alike_found *ret, struct etl_error *err)
{
	struct etl_view *view = etl_view_new(schema);
	bool ok = view && etl_view_set(view, rows);

	if (ok) {
		show_row(&ret->first, view, (int64_t)first);
		show_row(&ret->second, view, (int64_t)second);
	}
	etl_view_free(view);
	return ok && !ret->first.failed && !ret->second.failed ? 0 : error_memory(err);
}

/* The first of those that value I is one with. */
static size_t head_of(const struct alike *a, const int64_t *same, size_t i)
{
	size_t first = a->at[a->values[i].group].first;

	if (!same)
		return first;
	return same[i] >= (int64_t)first && same[i] <= (int64_t)i && a->values[same[i]].group == a->values[i].group ? (size_t)same[i] :
														       i;
}

/* ROWS: beside the values, of each that is the first all rows, and 0 for the others. PAIR: the first two that are one. */
static void add_up(const struct alike *a, const int64_t *same, uint64_t *rows, struct alike_found *ret, size_t pair[2])
{
	for (size_t i = 0; i < a->value_count; i++) {
		size_t head = head_of(a, same, i);

		rows[head] += a->values[i].rows;
		if (head == i)
			continue;
		if (pair[0] == NONE || head < pair[0]) {
			pair[0] = head;
			pair[1] = i;
		}
	}
	for (size_t i = 0; i < a->value_count; i++) {
		bool several = false;

		for (size_t k = a->values[i].next; !several && k != NONE && rows[i]; k = a->values[k].next)
			several = head_of(a, same, k) == i;
		ret->keys += several;
		ret->rows += several ? rows[i] - 1 : 0;
	}
}

/* What was not looked at counts as what it may be. */
static void add_rest(const struct alike *a, struct alike_found *ret)
{
	uint64_t seen = 0;

	for (size_t i = 0; i < a->count; i++) {
		seen += a->at[i].rows;
		ret->rows += a->at[i].more;
		ret->at_most |= a->at[i].more > 0;
	}
	ret->keys += a->groups - a->count;
	ret->rows += a->rows - seen;
	ret->at_most |= a->groups > a->count;
}

int alike_settle(const struct alike *a, const struct ArrowSchema *schema, const struct ArrowArray *candidates, const int64_t *same,
		 struct alike_found *ret, struct etl_error *err)
{
	uint64_t *rows = calloc(a->value_count + 1, sizeof(*rows));
	size_t pair[2] = { NONE, NONE };

	*ret = (struct alike_found){ .rows = 0 };
	if (!rows)
		return error_memory(err);
	add_up(a, same, rows, ret, pair);
	free(rows);
	if (pair[0] == NONE) {
		/* None of those that were asked about; of more nothing is said, they are found when they come. */
		*ret = (struct alike_found){ .rows = 0 };
		return 0;
	}
	add_rest(a, ret);
	return show(schema, candidates, pair[0], pair[1], ret, err);
}
