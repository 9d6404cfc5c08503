/*
 * Decimals, and JSON that is a number, on their way into a column that SQLite keeps as numbers. It would take
 * their text and round it to a float of 64 bits without a word; here a value that its integers and floats do not
 * hold is refused, and the others are bound as the number they are.
 */
#include "config.h"

#include <string.h>

#include "number.h"
#include "pages.h"

static bool says(const char *declared, const char *word)
{
	for (; *declared; declared++)
		if (sqlite3_strnicmp(declared, word, (int)strlen(word)) == 0)
			return true;
	return false;
}

/* SQLite's own order of looking (datatype3.html, 3.1). */
enum sqlite_affinity sqlite_affinity(const char *declared, bool strict)
{
	if (!declared || !*declared || (strict && sqlite3_stricmp(declared, "ANY") == 0))
		return SQLITE_KEEPS;
	if (says(declared, "INT"))
		return SQLITE_NUMBERS;
	if (says(declared, "CHAR") || says(declared, "CLOB") || says(declared, "TEXT") ||
	    says(declared, "BLOB"))
		return SQLITE_KEEPS;
	if (says(declared, "REAL") || says(declared, "FLOA") || says(declared, "DOUB"))
		return SQLITE_REALS;
	return SQLITE_NUMBERS;
}

enum page_affinity page_affinity(const char *declared)
{
	switch (sqlite_affinity(declared, false)) {
	case SQLITE_NUMBERS:
		return PAGE_NUMBERS;
	case SQLITE_REALS:
		return PAGE_REALS;
	default:
		return declared && (says(declared, "CHAR") || says(declared, "CLOB") || says(declared, "TEXT")) ?
			       PAGE_TEXTS :
			       PAGE_KEEPS;
	}
}

/* Writes into SPELT how the number will read. */
static const char *give_number(struct page_value *ret, const struct number *number, enum sqlite_affinity affinity,
			       char spelt[SPELL_MAX])
{
	const char *code;
	int64_t whole;
	double real;

	if (affinity == SQLITE_NUMBERS && !etl_number_int64(number, &whole)) {
		etl_spell_int(spelt, whole);
		*ret = (struct page_value){ .kind = PAGE_INT, .integer = whole };
		return NULL;
	}
	code = etl_number_double(number, &real);
	if (code)
		return code;
	etl_spell_double(spelt, real);
	*ret = (struct page_value){ .kind = PAGE_REAL, .real = real };
	return NULL;
}

const char *page_value_exact(const struct etl_column_view *c, int64_t row, char *scratch, enum sqlite_affinity affinity,
			     struct page_value *ret)
{
	struct number number;
	const char *text = scratch, *code;
	char spelt[SPELL_MAX];
	int64_t size;

	if (affinity == SQLITE_KEEPS || etl_is_null(c, row) ||
	    (c->type.type != ETL_DECIMAL && c->type.type != ETL_NUMERIC &&
	     c->type.type != ETL_JSON))
		return page_value_of(c, row, scratch, ret);
	if (c->type.type == ETL_DECIMAL)
		size = (int64_t)etl_spell_decimal(scratch, etl_decimal_get(etl_get_fixed(c, row)),
						  c->type.scale);
	else
		text = (const char *)etl_get_bytes(c, row, &size);
	if (!etl_number_parse(&number, text, (size_t)size))
		return page_value_of(c, row, scratch, ret);
	code = give_number(ret, &number, affinity, spelt);
	/* A json is its text: 1.0 is not 1. */
	if (!code && c->type.type == ETL_JSON &&
	    (strlen(spelt) != (size_t)size || memcmp(spelt, text, (size_t)size) != 0))
		return "too_precise";
	return code;
}
