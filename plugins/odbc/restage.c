/* Statements speak of tables by the names that they will have; here they are given those of the staging place. */
#include "config.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "target.h"

/* A table and what it is called meanwhile, as they stand in SQL. */
struct pair {
	struct etl_text final, staged;
	bool bare; /* without a schema, as SQLite has none: a column may be called so too */
};

struct odbc_stage {
	char name[ODBC_NAME_ROOM];
	struct pair *pairs;
	size_t count;
};

void odbc_forget_stage(struct etl_instance *inst)
{
	struct odbc_stage *stage = inst->stage;

	for (size_t i = 0; stage && i < stage->count; i++) {
		etl_text_free(&stage->pairs[i].final);
		etl_text_free(&stage->pairs[i].staged);
	}
	if (stage)
		free(stage->pairs);
	free(stage);
	inst->stage = NULL;
}

/* One more table of the stage; the row that STMT stands on has its schema and name. */
static int take_pair(struct etl_instance *inst, struct odbc_stage *stage, SQLHSTMT stmt, struct etl_error *err)
{
	struct pair *more = realloc(stage->pairs, (stage->count + 1) * sizeof(*more)), *pair;
	struct etl_text schema = { 0 }, name = { 0 };
	char buf[ODBC_NAME_ROOM];
	int rc;

	if (!more)
		return odbc_no_memory(inst, err);
	stage->pairs = more;
	pair = &more[stage->count++];
	*pair = (struct pair){ 0 };
	rc = odbc_column(inst, stmt, 1, &schema, NULL, err);
	if (rc == ETL_OK)
		rc = odbc_column(inst, stmt, 2, &name, NULL, err);
	if (rc == ETL_OK) {
		pair->bare = !schema.at || !*schema.at;
		odbc_add_table(&pair->final, inst, schema.at, name.at ? name.at : "");
		odbc_add_table(&pair->staged, inst, schema.at,
			       odbc_stage_name(inst, stage->name, name.at ? name.at : "", buf));
		if (pair->final.failed || pair->staged.failed)
			rc = odbc_no_memory(inst, err);
	}
	etl_text_free(&schema);
	etl_text_free(&name);
	return rc;
}

/* Every table of the run is listed before the first statement is carried out, so it is asked for once. */
static int learn_stage(struct etl_instance *inst, const struct etl_token *token, struct etl_error *err)
{
	struct etl_text sql = { 0 };
	SQLHSTMT stmt;
	int rc, more;

	if (inst->stage && strcmp(inst->stage->name, token->text) == 0)
		return ETL_OK;
	odbc_forget_stage(inst);
	inst->stage = calloc(1, sizeof(*inst->stage));
	if (!inst->stage)
		return odbc_no_memory(inst, err);
	snprintf(inst->stage->name, sizeof(inst->stage->name), "%s", token->text);
	rc = odbc_statement(inst, &stmt, err);
	if (rc < 0)
		return rc;
	etl_text_add(&sql, "SELECT schema_name, table_name FROM ");
	odbc_add_own(&sql, inst, "_etlrun_stages");
	etl_text_add(&sql, " WHERE stage = ");
	odbc_add_literal(&sql, inst, token->text);
	rc = sql.failed ? odbc_no_memory(inst, err) : odbc_execute(inst, stmt, sql.at, err);
	while (rc == ETL_OK && (more = odbc_next(inst, stmt, err)) != 0)
		rc = more < 0 ? more : take_pair(inst, inst->stage, stmt, err);
	odbc_done(inst, stmt);
	etl_text_free(&sql);
	if (rc < 0)
		odbc_forget_stage(inst);
	return rc;
}

/* A comment at P, which an apostrophe in it does not end; 0: there is none. Those of PostgreSQL nest. */
static size_t comment_at(const char *p)
{
	size_t depth = 0, i = 0;

	if (strncmp(p, "--", 2) == 0)
		return strcspn(p, "\n");
	if (strncmp(p, "/*", 2) != 0)
		return 0;
	do {
		bool opens = strncmp(&p[i], "/*", 2) == 0, closes = strncmp(&p[i], "*/", 2) == 0;

		depth += opens;
		depth -= closes;
		i += opens || closes ? 2 : 1;
	} while (p[i] && depth);
	return i;
}

/* Copies up to the end of a text constant that begins at P. */
static const char *copy_constant(struct etl_text *to, const char *p)
{
	do
		etl_text_add_bytes(to, p++, 1);
	while (*p && *p != '\'');
	if (*p)
		etl_text_add_bytes(to, p++, 1);
	return p;
}

/* Copies a name that is quoted at P: an apostrophe in it begins no constant. */
static const char *copy_name(struct etl_text *to, const char *p)
{
	char close = *p == '[' ? ']' : '"';

	do
		etl_text_add_bytes(to, p++, 1);
	while (*p && *p != close);
	if (*p)
		etl_text_add_bytes(to, p++, 1);
	return p;
}

/* Bytes of a constant at P that are the text NAME, in which apostrophes are doubled; 0: it does not begin so. */
static size_t match_quoted(const char *p, const char *name)
{
	const char *from = p;

	for (; *name; name++, p++) {
		if (*p != *name || (*name == '\'' && *++p != '\''))
			return 0;
	}
	return (size_t)(p - from);
}

static bool is_word(const char *from, const char *to, const char *word)
{
	return (size_t)(to - from) == strlen(word) && strncasecmp(from, word, strlen(word)) == 0;
}

/* Ends what stands before P with WORD? */
static bool ends(const char *sql, const char *p, const char *word)
{
	size_t length = strlen(word);

	return (size_t)(p - sql) >= length && strncasecmp(p - length, word, length) == 0;
}

/* Does a name stand in the constant at P, and not a text? By what takes it: functions, and a variable of design-table.c. */
static bool takes_name(const char *sql, const char *p)
{
	static const char *const before[] = { "OBJECT_ID(", "IDENT_CURRENT(", "pg_get_serial_sequence(", "to_regclass(",
					      "@table nvarchar(600) = " };

	if (ends(sql, p, "N") && p - sql > 1 && !isalnum((unsigned char)p[-2]))
		p--;
	for (size_t i = 0; i < sizeof(before) / sizeof(*before); i++)
		if (ends(sql, p, before[i]))
			return true;
	return false;
}

/* "… IS DISTINCT FROM" compares with a value. */
static bool is_distinct(const char *sql, const char *from)
{
	while (from > sql && isspace((unsigned char)from[-1]))
		from--;
	return ends(sql, from, "DISTINCT");
}

/* Is the bare name at P, of SIZE bytes, that of a table, by what stands around it? */
static bool is_table(const char *sql, const char *p, size_t size)
{
	static const char *const before[] = { "TABLE", "EXISTS", "INTO", "FROM", "JOIN", "UPDATE", "REFERENCES" };
	const char *to = p, *from;

	while (to > sql && isspace((unsigned char)to[-1]))
		to--;
	if (to == sql)
		return true;
	if (to[-1] == '.')
		return false;
	for (from = to; from > sql && isalpha((unsigned char)from[-1]);)
		from--;
	for (size_t i = 0; i < sizeof(before) / sizeof(*before); i++)
		if (is_word(from, to, before[i]))
			return !(is_word(from, to, "FROM") && is_distinct(sql, from));
	return p[size] == '.' || (is_word(from, to, "ON") && strncasecmp(sql, "CREATE", strlen("CREATE")) == 0);
}

static bool stands_at(const char *sql, const char *p, bool quoted, const struct pair *pair, size_t *ret_size)
{
	const char *name = pair->final.at;

	*ret_size = !name ? 0 :
		    quoted ? match_quoted(p, name) :
		    strncmp(p, name, pair->final.length) == 0 ? pair->final.length :
								0;
	return *ret_size && (!pair->bare || (!quoted && is_table(sql, p, *ret_size)));
}

/* Which name stands at P, in *RET_SIZE bytes; COUNT: none. */
static size_t find(const char *sql, const char *p, bool quoted, const struct pair *pairs, size_t count, size_t *ret_size)
{
	for (size_t i = 0; i < count; i++)
		if (stands_at(sql, p, quoted, &pairs[i], ret_size))
			return i;
	return count;
}

/* A constant is left as it is, unless it is a name and nothing else, where one is taken. */
static void replace(struct etl_text *to, const char *sql, const struct pair *pairs, size_t count)
{
	for (const char *p = sql; *p;) {
		bool quoted = *p == '\'';
		size_t size = comment_at(p), i;
		bool whole;

		if (size) {
			etl_text_add_bytes(to, p, size);
			p += size;
			continue;
		}
		i = quoted && !takes_name(sql, p) ? count : find(sql, p + quoted, quoted, pairs, count, &size);
		whole = i < count && (!quoted || p[1 + size] == '\'');
		if (whole) {
			if (quoted)
				etl_text_add_literal(to, pairs[i].staged.at);
			else
				etl_text_add(to, pairs[i].staged.at);
			p += size + (quoted ? 2 : 0);
		} else if (quoted) {
			p = copy_constant(to, p);
		} else if (*p == '[' || *p == '"') {
			p = copy_name(to, p);
		} else {
			etl_text_add_bytes(to, p++, 1);
		}
	}
}

int odbc_restage(struct etl_instance *inst, const struct etl_token *token, const char *sql, char **ret,
		 struct etl_error *err)
{
	struct etl_text text = { 0 };
	int rc = learn_stage(inst, token, err);

	if (rc < 0)
		return rc;
	replace(&text, sql, inst->stage->pairs, inst->stage->count);
	*ret = etl_text_take(&text);
	return *ret ? ETL_OK : odbc_no_memory(inst, err);
}
