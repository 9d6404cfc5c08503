/* Statements speak of tables by the names that they will have; here they are given those of the staging place. */
#include "config.h"

#include <stdlib.h>

#include "target.h"

/* A table and what it is called meanwhile, as they stand in SQL. */
struct pair {
	struct etl_text final, staged;
};

static void add_names(struct etl_text *final, struct etl_text *staged, struct etl_instance *inst, const struct etl_load *load,
		      const struct etl_token *token, const char *table)
{
	const char *schema = odbc_place_of(inst, load->table);
	char buf[ODBC_NAME_ROOM];

	odbc_add_table(final, inst, schema, table);
	odbc_add_table(staged, inst, schema, odbc_stage_name(inst, token->text, table, buf));
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

/* Which name stands at P; COUNT: none. */
static size_t find(const char *p, const struct pair *pairs, size_t count)
{
	size_t i = 0;

	while (i < count && !(pairs[i].final.at && strncmp(p, pairs[i].final.at, pairs[i].final.length) == 0))
		i++;
	return i;
}

/* A constant is left as it is, unless it is a name and nothing else. */
static void replace(struct etl_text *to, const char *sql, const struct pair *pairs, size_t count)
{
	for (const char *p = sql; *p;) {
		bool quoted = *p == '\'';
		size_t i = find(p + quoted, pairs, count);
		bool whole = i < count && (!quoted || p[1 + pairs[i].final.length] == '\'');

		if (whole) {
			etl_text_addf(to, quoted ? "'%s'" : "%s", pairs[i].staged.at);
			p += pairs[i].final.length + (quoted ? 2 : 0);
		} else if (quoted) {
			p = copy_constant(to, p);
		} else {
			etl_text_add_bytes(to, p++, 1);
		}
	}
}

char *odbc_restage(struct etl_instance *inst, const struct etl_load *load, const struct etl_token *token, const char *sql)
{
	size_t most = load->table->foreign_key_count + 1, count = 0;
	struct pair *pairs = calloc(most, sizeof(*pairs));
	struct etl_text text = { 0 };

	if (!pairs)
		return NULL;
	add_names(&pairs[count].final, &pairs[count].staged, inst, load, token, load->table->name);
	count++;
	for (size_t i = 0; load->parents && i < load->table->foreign_key_count; i++) {
		const struct etl_foreign_key *key = ETL_AT(const struct etl_foreign_key, load->table->foreign_keys,
							   load->table->foreign_key_size, i);

		if (!load->parents[i].in_run)
			continue;
		add_names(&pairs[count].final, &pairs[count].staged, inst, load, token, key->parent);
		count++;
	}
	replace(&text, sql, pairs, count);
	for (size_t i = 0; i < count; i++) {
		text.failed |= pairs[i].final.failed || pairs[i].staged.failed;
		etl_text_free(&pairs[i].final);
		etl_text_free(&pairs[i].staged);
	}
	free(pairs);
	return etl_text_take(&text);
}
