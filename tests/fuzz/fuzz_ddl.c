/*
 * SQL that SQLite stored: the tokenizer, the parsers of CREATE TABLE and CREATE INDEX, renaming. Tokens lie in
 * the text, in order, and nothing but white space and comments between them; renaming nothing changes nothing;
 * what renaming writes has the same tokens but for the names; and it can be taken back.
 */
#include "config.h"

#include <etlrun/helpers.h>

#include "../../plugins/sqlite/ddl.h"
#include "../../plugins/lib/token.h"
#include "fuzz.h"

enum { TABLES = 3 };

static const char *const old_names[TABLES] = { "t", "order", "\xc3\xa9t\xc3\xa9" };
static const char *const new_names[TABLES] = { "zz_new", "a \"quoted\" one", "zz]x" };

static void tokens(const char *sql, size_t size)
{
	struct token_cursor c = token_start(sql, size);
	const char *past = sql, *end = c.end;

	for (;;) {
		struct token peeked = token_peek(&c), t = token_next(&c);
		char name[8];

		FUZZ_HOLDS(t.kind == peeked.kind && t.at == peeked.at && t.length == peeked.length);
		FUZZ_HOLDS(t.at >= past && t.length <= (size_t)(end - t.at));
		FUZZ_HOLDS((t.kind == TOKEN_END) == (t.length == 0));
		if (t.kind == TOKEN_END)
			break;
		if (token_is_name(&t))
			FUZZ_HOLDS(token_name(&t, name, sizeof(name)) <= t.length);
		past = t.at + t.length;
	}
	FUZZ_HOLDS(c.at == end || token_peek(&c).kind == TOKEN_END);
}

static void parse(const char *sql)
{
	struct ddl_table table = { .name = NULL };
	struct ddl_index index = { .name = NULL };
	size_t i;

	if (ddl_table_parse(sql, &table) == DDL_OK) {
		FUZZ_HOLDS(table.name && ddl_after_name(sql));
		for (i = 0; i < table.column_count; i++) {
			FUZZ_HOLDS(table.columns[i].name && table.columns[i].type);
			FUZZ_HOLDS(ddl_find_column(&table, table.columns[i].name));
		}
	}
	ddl_table_free(&table);
	if (ddl_index_parse(sql, &index) == DDL_OK) {
		FUZZ_HOLDS(index.name && index.table && index.part_count > 0);
		for (i = 0; i < index.part_count; i++)
			FUZZ_HOLDS(!index.parts[i].column != !index.parts[i].expression);
	}
	ddl_index_free(&index);
}

static int rename_to(const char *sql, const char *const *from, const char *const *to,
		     struct etl_text *ret)
{
	struct ddl_name tables[TABLES], columns[TABLES];
	struct ddl_names names = { from[0], tables, TABLES, columns, TABLES };
	size_t i;

	for (i = 0; i < TABLES; i++) {
		tables[i] = (struct ddl_name){ NULL, from[i], to[i] };
		columns[i] = (struct ddl_name){ from[0], from[i], to[i] };
	}
	return ddl_rename(sql, &names, ret);
}

static bool is_one_of(const struct token *t, const char *const *names)
{
	size_t i;

	for (i = 0; i < TABLES; i++)
		if (token_names(t, names[i]))
			return true;
	return false;
}

static bool same(const struct token *a, const struct token *b)
{
	return a->kind == b->kind && a->length == b->length && memcmp(a->at, b->at, a->length) == 0;
}

/* Token for token: the same, or an old name that became a new one. */
static void compare(const char *before, const char *after)
{
	struct token_cursor a = token_start(before, strlen(before)),
			    b = token_start(after, strlen(after));
	struct token x, y;

	do {
		x = token_next(&a);
		y = token_next(&b);
		FUZZ_HOLDS(same(&x, &y) || (is_one_of(&x, old_names) && y.kind == TOKEN_NAME &&
					    is_one_of(&y, new_names)));
	} while (x.kind != TOKEN_END);
}

static void renames(const char *sql)
{
	struct ddl_names nothing = { .table = "t" };
	struct etl_text text = { 0 }, same_text = { 0 };

	if (ddl_rename(sql, &nothing, &same_text) == DDL_OK)
		FUZZ_HOLDS(strcmp(same_text.at ? same_text.at : "", sql) == 0);
	if (rename_to(sql, old_names, new_names, &text) == DDL_OK)
		compare(sql, text.at ? text.at : "");
	else
		FUZZ_HOLDS(!text.at && !text.failed);
	etl_text_free(&text);
	etl_text_free(&same_text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *sql = fuzz_text(data, size);

	tokens(sql, size);
	parse(sql);
	renames(sql);
	free(sql);
	return 0;
}
