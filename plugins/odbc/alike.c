/*
 * Which values of a key T-SQL takes for one: by the collation that the column gets, or has. Every collation passes over blanks at
 * the end of a text, and bytes are compared without zeros at their end. The server is asked about what looks alike to
 * fold.c, by the very collation; where there is none, what looks alike may be one.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "alike.h"
#include "fold.h"
#include "layout.h"
#include "rows.h"
#include "select.h"
#include "tsql-from-sqlite.h"

enum compares {
	BY_BLANKS = 1 << 0, /* a text, without those at its end */
	BY_ZEROS = 1 << 1, /* bytes, likewise */
	BY_LETTERS = 1 << 2, /* … and by what letters mean, as BY_FOLD times enum odbc_fold says */
	BY_FOLD = 1 << 8
};

#define GROUPS_AT_ONCE 32 /* that one question is about */

/* ---- Collations -------------------------------------------------------------------------------------------------------- */

static bool has_part(const char *collation, const char *part)
{
	return strcasestr(collation, part) != NULL;
}

/* Those whose name has no number are of the year 2000, when Unicode had few characters beyond U+FFFF. */
static bool is_old(const char *collation)
{
	return !has_part(collation, "_90_") && !has_part(collation, "_100_") && !has_part(collation, "_140_") &&
	       !has_part(collation, "_160_");
}

int32_t odbc_collation_compares(const char *collation)
{
	int32_t fold = ODBC_FOLD_WEIGHTS;

	if (collation && has_part(collation, "_BIN"))
		return BY_BLANKS;
	if (!collation || !has_part(collation, "_CS"))
		fold |= ODBC_FOLD_CASE;
	if (collation && has_part(collation, "_AI"))
		fold |= ODBC_FOLD_ACCENTS;
	if (!collation || is_old(collation))
		fold |= ODBC_FOLD_BMP;
	return BY_BLANKS | BY_LETTERS | fold * BY_FOLD;
}

/* How T-SQL has a column of a key. */
struct kept {
	char type[ODBC_NAME_ROOM];
	char collation[ODBC_NAME_ROOM]; /* or "": the database's, or it is no text */
};

static bool is_text(const struct kept *k)
{
	return has_part(k->type, "char") || has_part(k->type, "text");
}

static void keep_own(const struct etl_column *own, struct kept *ret)
{
	snprintf(ret->type, sizeof(ret->type), "%s", own->declared);
	snprintf(ret->collation, sizeof(ret->collation), "%s", own->collation ? own->collation : "");
}

/* As it will be made. False: no memory. */
static bool keep_new(const struct etl_instance *inst, const struct etl_table *table, const struct etl_column *c, struct kept *ret)
{
	struct etl_text type = { 0 }, note = { 0 };
	int32_t verdict = ETL_EXACT;
	const char *collate;
	bool ok;

	odbc_add_type(&type, inst, table, c, &verdict, &note);
	ok = !type.failed && type.at;
	if (ok) {
		collate = strstr(type.at, " COLLATE ");
		snprintf(ret->type, sizeof(ret->type), "%.*s", (int)(collate ? collate - type.at : (int64_t)type.length), type.at);
		snprintf(ret->collation, sizeof(ret->collation), "%s", collate ? collate + strlen(" COLLATE ") : "");
	}
	etl_text_free(&type);
	etl_text_free(&note);
	return ok;
}

/* False: no memory. */
static bool find_kept(const struct etl_instance *inst, const struct etl_load *load, const struct etl_column *c, struct kept *ret)
{
	int64_t own = odbc_is_into(load) ? odbc_layout_column(load->existing, c->name) : -1;

	if (own < 0)
		return keep_new(inst, load->table, c, ret);
	keep_own(ETL_AT(const struct etl_column, load->existing->columns, load->existing->column_size, (size_t)own), ret);
	return true;
}

/* ---- How they are compared ------------------------------------------------------------------------------------------------- */

static void add_words(const struct kept *k, int32_t compares, char *words, size_t size)
{
	int32_t fold = compares / BY_FOLD;

	snprintf(words, size, "%s%s, where %s%sblanks at the end do not count", *k->collation ? "the collation " : "the database's collation",
		 k->collation, fold & ODBC_FOLD_CASE ? (fold & ODBC_FOLD_ACCENTS ? "case, " : "case and ") : "",
		 fold & ODBC_FOLD_ACCENTS ? "accents and " : "");
}

int odbc_compares(struct etl_instance *inst, const struct etl_load *load, const struct etl_column *column, int32_t *ret, char *words,
		  size_t size, struct etl_error *err)
{
	struct kept k;

	*ret = 0;
	if (inst->dialect != &odbc_tsql || !load->run)
		return ETL_OK;
	if (!find_kept(inst, load, column, &k))
		return odbc_no_memory(inst, err);
	if (has_part(k.type, "binary")) {
		snprintf(words, size, "%s", "bytes, where zeros at the end do not count");
		*ret = BY_ZEROS;
	} else if (is_text(&k)) {
		*ret = odbc_collation_compares(*k.collation ? k.collation : NULL);
		add_words(&k, *ret, words, size);
	}
	return ETL_OK;
}

int odbc_form(int32_t compares, const void *value, size_t size, struct etl_form_sink *sink)
{
	const uint8_t *bytes = value;
	uint8_t pad = compares & BY_ZEROS ? 0 : ' ';

	if (compares & BY_LETTERS)
		return odbc_fold(value, size, (unsigned)(compares / BY_FOLD), sink);
	while (size > 0 && bytes[size - 1] == pad)
		size--;
	return sink->emit(sink, value, size);
}

/* ---- Asking the server -------------------------------------------------------------------------------------------------------- */

struct asking {
	struct etl_instance *inst;
	const struct etl_load *load;
	const struct ArrowSchema *schema;
	struct etl_view *view;
	struct kept *kept; /* beside the columns; of those that are not compared the type is "" */
	int64_t *ret;
	bool canceled, no_memory;
};

static bool is_compared(const struct asking *a, int64_t i)
{
	return *a->kept[i].type != '\0';
}

static bool find_all_kept(struct asking *a)
{
	const struct etl_table *t = a->load->table;

	for (int64_t i = 1; i < a->view->count; i++) {
		int64_t at = odbc_layout_column(t, a->schema->children[i]->name);
		const struct etl_column *c = at < 0 ? NULL : ETL_AT(const struct etl_column, t->columns, t->column_size, (size_t)at);

		if (c && !find_kept(a->inst, a->load, c, &a->kept[i]))
			return false;
		if (!is_text(&a->kept[i]) && !has_part(a->kept[i].type, "binary"))
			*a->kept[i].type = '\0';
	}
	return true;
}

static int64_t group_of(const struct asking *a, int64_t row)
{
	return etl_get_int64(&a->view->columns[0], row);
}

/* A text that no literal can be is rejected before it comes. */
static void add_row(const struct asking *a, struct etl_text *sql, int64_t row, size_t *count)
{
	struct etl_text values = { 0 };
	bool ok = true;

	etl_text_addf(&values, "(%lld, %lld", (long long)row, (long long)group_of(a, row));
	for (int64_t i = 1; i < a->view->count && ok; i++) {
		if (!is_compared(a, i))
			continue;
		etl_text_add(&values, ", ");
		ok = odbc_literal_add(&values, a->inst->dialect, &a->view->columns[i], row);
	}
	etl_text_add(&values, ")");
	if (ok) {
		etl_text_add(sql, (*count)++ ? ", " : "");
		etl_text_add_bytes(sql, values.at ? values.at : "", values.length);
	}
	sql->failed |= values.failed;
	etl_text_free(&values);
}

/* A varchar is compared by the rules of its code page, which may be others. */
static void add_compared(const struct asking *a, struct etl_text *sql, int64_t i)
{
	const struct kept *k = &a->kept[i];
	const char *collation = *k->collation ? k->collation : "DATABASE_DEFAULT";

	if (!is_text(k))
		etl_text_addf(sql, ", v.k%lld", (long long)i);
	else if (strncasecmp(k->type, "n", 1) == 0)
		etl_text_addf(sql, ", v.k%lld COLLATE %s", (long long)i, collation);
	else
		etl_text_addf(sql, ", CAST(v.k%lld COLLATE %s AS varchar(8000))", (long long)i, collation);
}

/* How many rows it is about. */
static size_t add_question(const struct asking *a, struct etl_text *sql, int64_t first)
{
	size_t count = 0;

	etl_text_add(sql, "SELECT v.i, MIN(v.i) OVER (PARTITION BY v.g");
	for (int64_t i = 1; i < a->view->count; i++)
		if (is_compared(a, i))
			add_compared(a, sql, i);
	etl_text_add(sql, ") FROM (VALUES ");
	for (int64_t row = 0; row < a->view->rows; row++)
		if (group_of(a, row) >= first && group_of(a, row) < first + GROUPS_AT_ONCE)
			add_row(a, sql, row, &count);
	etl_text_add(sql, ") AS v (i, g");
	for (int64_t i = 1; i < a->view->count; i++)
		if (is_compared(a, i))
			etl_text_addf(sql, ", k%lld", (long long)i);
	etl_text_add(sql, ")");
	return count;
}

static bool take_answer(const struct asking *a, const struct odbc_rows *rows, size_t count)
{
	if (rows->count != count)
		return false;
	for (size_t r = 0; r < rows->count; r++) {
		int64_t row = odbc_row_number(rows, r, 0), first = odbc_row_number(rows, r, 1);

		if (row < 0 || row >= a->view->rows || first < 0 || first > row)
			return false;
		a->ret[row] = first;
	}
	return true;
}

/* False: there is no answer. */
static bool ask(struct asking *a, int64_t first)
{
	struct etl_text sql = { 0 };
	struct odbc_rows rows;
	struct odbc_said said;
	size_t count = add_question(a, &sql, first);
	bool ok;

	if (count == 0) {
		etl_text_free(&sql);
		return true;
	}
	if (!odbc_try_rows(a->inst, &sql, 2, &rows, &said)) {
		a->canceled = said.canceled;
		a->no_memory = said.klass == ETL_MEMORY || said.words.failed;
		a->inst->host->log(a->inst->host, ETL_LOG_INFO,
				   "the server does not say which keys of \"%s\" are one to it: %s", a->load->table->name,
				   said.words.at ? said.words.at : "no words of it");
		etl_text_free(&said.words);
		return false;
	}
	ok = take_answer(a, &rows, count);
	odbc_rows_free(&rows);
	return ok;
}

static bool ask_all(struct asking *a)
{
	int64_t last = -1;
	bool ok = true;

	for (int64_t row = 0; row < a->view->rows; row++) {
		a->ret[row] = row;
		last = group_of(a, row) > last ? group_of(a, row) : last;
	}
	for (int64_t first = 0; ok && first <= last; first += GROUPS_AT_ONCE)
		ok = ask(a, first);
	return ok;
}

int odbc_same(struct etl_instance *inst, const struct etl_load *load, const struct ArrowSchema *schema, const struct ArrowArray *rows,
	      int64_t *ret, int32_t *ret_asked, struct etl_error *err)
{
	struct asking a = { .inst = inst, .load = load, .schema = schema };
	bool asked = false, ok = true;

	if (inst->dialect == &odbc_tsql && inst->connected) {
		a.view = etl_view_new(schema);
		a.kept = calloc((size_t)schema->n_children + 1, sizeof(*a.kept));
		a.ret = calloc((size_t)rows->length + 1, sizeof(*a.ret));
		ok = a.view && a.kept && a.ret && etl_view_set(a.view, rows) && find_all_kept(&a);
		asked = ok && ask_all(&a);
	}
	if (asked)
		memcpy(ret, a.ret, (size_t)rows->length * sizeof(*ret));
	etl_view_free(a.view);
	free(a.kept);
	free(a.ret);
	if (!ok || a.no_memory)
		return odbc_no_memory(inst, err);
	if (a.canceled)
		return ETL_CANCELED;
	*ret_asked = asked;
	return ETL_OK;
}
