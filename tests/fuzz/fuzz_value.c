/*
 * Values from texts and from each other (plugins/lib): the first two bytes choose types, the rest is a text.
 * What a type takes can be spelled, is spelled as valid JSON, and reads back as the same; what converts into
 * another type converts back into the same. Beside it the text is tried as JSON and as the name of a type.
 */
#include "config.h"

#include <etlrun/helpers.h>

#include "../../plugins/lib/json.h"
#include "../../plugins/lib/moment.h"
#include "../../plugins/lib/number.h"
#include "fuzz.h"

static const char *const types[] = {
	"bool",		 "int16",	  "int32", "int64", "float32",	 "float64",
	"decimal(12,3)", "decimal(38,0)", "date",  "time",  "timestamp", "timestamp with time zone",
	"uuid",		 "numeric",	  "json",  "text",  "bytes",
};
enum { TYPES = sizeof(types) / sizeof(*types), TEXT = TYPES - 2 };
enum { FLOAT32 = 4, FLOAT64, DECIMAL, DECIMAL_WHOLE, NUMERIC = TYPES - 4 };

/* A column of one value, in the two forms that a batch has: being built, and read. */
struct cell {
	struct ArrowSchema schema;
	struct etl_builder *builder;
	struct etl_view *view;
	struct ArrowArray batch;
};

static struct cell first[TYPES], second[TYPES], third[TYPES];

static void make(struct cell *cell, const char *type)
{
	struct etl_column column = { .name = "c" };
	struct etl_type_info info;

	FUZZ_HOLDS(etl_type_parse(type, &info, NULL));
	column.type = info.type;
	column.precision = info.precision;
	column.scale = info.scale;
	FUZZ_HOLDS(etl_schema_make(&cell->schema, &column, 1, sizeof(column)));
	cell->builder = etl_builder_new(&cell->schema, 1);
	cell->view = etl_view_new(&cell->schema);
	FUZZ_HOLDS(cell->builder && cell->view);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	size_t i;

	(void)argc;
	(void)argv;
	for (i = 0; i < TYPES; i++) {
		make(&first[i], types[i]);
		make(&second[i], types[i]);
		make(&third[i], types[i]);
	}
	return 0;
}

/* CODE is what a conversion into the cell gave. True: there is a value to read now. */
static bool finish(struct cell *cell, const char *code)
{
	FUZZ_HOLDS(etl_builder_rows(cell->builder) == (code ? 0 : 1));
	if (code) {
		FUZZ_HOLDS(code[0] && strcmp(code, "no_memory") != 0);
		return false;
	}
	FUZZ_HOLDS(etl_builder_finish(cell->builder, &cell->batch));
	FUZZ_HOLDS(etl_view_set(cell->view, &cell->batch));
	return true;
}

static void empty(struct cell *cell)
{
	cell->batch.release(&cell->batch);
}

static bool from_text(struct cell *to, const char *text, size_t size)
{
	return finish(to, etl_convert_text(&to->builder->columns[0], text, size));
}

static bool from_cell(struct cell *to, const struct cell *from)
{
	return finish(to, etl_convert(&to->builder->columns[0], &from->view->columns[0], 0));
}

static char *spelled(const struct cell *cell)
{
	struct etl_text text = { 0 };

	etl_text_add_value(&text, &cell->view->columns[0], 0);
	etl_text_add(&text, "");
	FUZZ_HOLDS(text.at && !text.failed);
	return etl_text_take(&text);
}

static void same(const struct cell *a, const struct cell *b)
{
	char *x = spelled(a), *y = spelled(b);
	/* No other type has a zero with a sign; it is the same number. */
	const char *number = strcmp(x, "-0") == 0 ? "0" : x;

	if (strcmp(number, y) != 0 && strcmp(x, y) != 0)
		fprintf(stderr, "%s became %s\n", x, y);
	FUZZ_HOLDS(strcmp(number, y) == 0 || strcmp(x, y) == 0);
	free(x);
	free(y);
}

static void is_json(const struct cell *cell)
{
	struct etl_text text = { 0 };

	etl_text_add_json_value(&text, &cell->view->columns[0], 0);
	FUZZ_HOLDS(text.at && !text.failed);
	FUZZ_HOLDS(etl_json_valid(text.at, text.length));
	etl_text_free(&text);
}

/* Texts and numerics have more spellings of a value than one; and a decimal of a real is its shortest
 * spelling, so that 0.1 stays 0.1, but 120300592 as a float32 becomes 120300590. */
static bool comes_back(size_t from, size_t to)
{
	bool decimal = from == DECIMAL || from == DECIMAL_WHOLE;

	return from < NUMERIC && !(decimal && (to == FLOAT32 || to == FLOAT64));
}

/* Through the canonical text, and through the other type, and back. */
static void round_trips(size_t from, size_t to)
{
	if (from_cell(&second[TEXT], &first[from])) {
		FUZZ_HOLDS(from_cell(&third[from], &second[TEXT]));
		same(&first[from], &third[from]);
		empty(&third[from]);
		empty(&second[TEXT]);
	}
	if (!from_cell(&second[to], &first[from]))
		return;
	if (comes_back(from, to) && from_cell(&third[from], &second[to])) {
		same(&first[from], &third[from]);
		empty(&third[from]);
	}
	empty(&second[to]);
}

static void value(size_t from, size_t to, const char *text, size_t size)
{
	if (!from_text(&first[from], text, size))
		return;
	is_json(&first[from]);
	round_trips(from, to);
	empty(&first[from]);
}

static void json(const char *text, size_t size)
{
	struct etl_text quoted = { 0 };

	if (etl_utf8_valid(text, size) == size)
		etl_json_valid(text, size);
	etl_text_add_json(&quoted, text, size);
	FUZZ_HOLDS(quoted.at && etl_json_valid(quoted.at, quoted.length));
	etl_text_free(&quoted);
}

static void type_name(const char *text)
{
	struct etl_type_info info, again;
	char buf[64];

	if (!etl_type_parse(text, &info, NULL))
		return;
	FUZZ_HOLDS(etl_type_parse(etl_type_name(info, buf, sizeof(buf)), &again, NULL));
	FUZZ_HOLDS(info.type == again.type && info.precision == again.precision &&
		   info.scale == again.scale);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t length = size < 2 ? 0 : size - 2;
	char *text = fuzz_text(data + (size - length), length);

	if (size >= 2)
		value(data[0] % TYPES, data[1] % TYPES, text, length);
	json(text, length);
	type_name(text);
	free(text);
	return 0;
}
