/*
 * CREATE INDEX: parts with expressions and collations, and the condition of a partial index, which no
 * pragma gives.
 */
#include "config.h"

#include "ddl-parse.h"

/* The rest of the statement, without a semicolon at its end. */
static bool rest(struct ddl_parser *p, const char **ret)
{
	const char *start = p->t.at;

	while (p->t.kind != TOKEN_END && p->t.kind != TOKEN_BAD && !token_is(&p->t, ";"))
		ddl_take(p);
	if (p->t.kind == TOKEN_BAD || p->past <= start)
		return false;
	*ret = etl_arena_text(p->memory, start, (size_t)(p->past - start));
	return *ret != NULL;
}

static bool parse(struct ddl_parser *p, struct ddl_index *index)
{
	if (!ddl_word(p, "CREATE"))
		return false;
	index->unique = ddl_word(p, "UNIQUE");
	if (!ddl_word(p, "INDEX") || !ddl_object_name(p, &index->name) || !ddl_word(p, "ON") ||
	    !ddl_identifier(p, &index->table) ||
	    !ddl_parts(p, &index->parts, &index->part_count, NULL))
		return false;
	if (ddl_word(p, "WHERE") && !rest(p, &index->where))
		return false;
	ddl_operator(p, ";");
	return p->t.kind == TOKEN_END;
}

int ddl_index_parse(const char *sql, struct ddl_index *ret)
{
	struct ddl_index index = { 0 };
	struct ddl_parser p;
	int status;

	ddl_begin(&p, sql, &index.memory);
	status = ddl_status(&p, parse(&p, &index));
	if (status == DDL_OK)
		*ret = index;
	else
		etl_arena_free(&index.memory);
	return status;
}

void ddl_index_free(struct ddl_index *index)
{
	etl_arena_free(&index->memory);
	memset(index, 0, sizeof(*index));
}
