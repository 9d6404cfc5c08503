/*
 * Primary keys, unique constraints, foreign keys, checks and exclusions of all tables, and their indexes.
 */
#include "config.h"

#include <stdlib.h>

#include "describe.h"

#define NULLS_NOT_DISTINCT_SINCE 150000
#define PARENTS_SINCE		 110000
#define SET_COLUMNS_SINCE	 150000

/* ---- Constraints -------------------------------------------------------------------------------------------- */

/* The columns' names in the order of a key. */
#define NAMES(relation, numbers)                                                                    \
	"(SELECT pg_catalog.array_agg(a.attname ORDER BY k.place) FROM pg_catalog.unnest(" numbers  \
	") WITH ORDINALITY k(attnum, place) JOIN pg_catalog.pg_attribute a ON a.attrelid = " relation \
	" AND a.attnum = k.attnum)"

static const char constraints_sql[] =
	"SELECT o.place, c.contype, c.conname, " NAMES("c.conrelid", "c.conkey") ", "
	"c.condeferrable, c.condeferred, pn.nspname, p.relname, " NAMES("c.confrelid", "c.confkey") ", "
	"c.confupdtype, c.confdeltype, c.confmatchtype, "
	DESCRIBE_IN("n.nspname", "pg_catalog.pg_get_expr(c.conbin, c.conrelid)") ", "
	DESCRIBE_IN("n.nspname", "pg_catalog.pg_get_constraintdef(c.oid, true)") ", "
	"%s, (SELECT pg_catalog.array_agg(a.attname ORDER BY k.place) FROM pg_catalog.unnest(i.indkey) "
	"WITH ORDINALITY k(attnum, place) JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid "
	"AND a.attnum = k.attnum WHERE k.place > i.indnkeyatts), m.amname, n.nspname, c.convalidated, %s "
	"FROM " DESCRIBE_OBJECTS " JOIN pg_catalog.pg_constraint c ON c.conrelid = o.oid "
	"JOIN pg_catalog.pg_class r ON r.oid = c.conrelid "
	"JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace "
	"LEFT JOIN pg_catalog.pg_class p ON p.oid = c.confrelid "
	"LEFT JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace "
	"LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.conindid AND c.contype IN ('p', 'u', 'x') "
	"LEFT JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid "
	"LEFT JOIN pg_catalog.pg_am m ON m.oid = ic.relam "
	"WHERE c.contype IN ('p', 'u', 'f', 'c', 'x')%s ORDER BY o.place, c.conname";

enum {
	AT_KIND = 1,
	AT_NAME,
	AT_COLUMNS,
	AT_DEFERRABLE,
	AT_DEFERRED,
	AT_PARENT_SCHEMA,
	AT_PARENT,
	AT_PARENT_COLUMNS,
	AT_UPDATE,
	AT_DELETE,
	AT_MATCH,
	AT_EXPRESSION,
	AT_DEFINITION,
	AT_NULLS_EQUAL,
	AT_INCLUDED,
	AT_METHOD,
	AT_SCHEMA,
	AT_VALID,
	AT_SET
};

static int32_t action_of(char word)
{
	switch (word) {
	case 'r':
		return ETL_RESTRICT;
	case 'c':
		return ETL_CASCADE;
	case 'n':
		return ETL_SET_NULL;
	case 'd':
		return ETL_SET_DEFAULT;
	default:
		return ETL_NO_ACTION;
	}
}

static int32_t deferrable_of(const PGresult *result, int row)
{
	if (postgres_flag_at(result, row, AT_DEFERRED))
		return ETL_DEFERRABLE_DEFERRED;
	return postgres_flag_at(result, row, AT_DEFERRABLE) ? ETL_DEFERRABLE_IMMEDIATE :
							      ETL_NOT_DEFERRABLE;
}

/* What a key says behind its columns: INCLUDE, and when it is checked. */
static const char *key_rest(struct describing *d, const PGresult *result, int row)
{
	struct etl_text text = { 0 };
	size_t count;
	const char *const *included = describe_names(d, result, row, AT_INCLUDED, &count);
	int32_t deferrable = deferrable_of(result, row);
	char *ret;

	for (size_t i = 0; i < count; i++) {
		etl_text_add(&text, i ? ", " : "INCLUDE (");
		etl_text_add_name(&text, included[i], '"');
	}
	etl_text_add(&text, count ? ")" : "");
	if (deferrable != ETL_NOT_DEFERRABLE)
		etl_text_addf(&text, "%sDEFERRABLE%s", count ? " " : "",
			      deferrable == ETL_DEFERRABLE_DEFERRED ? " INITIALLY DEFERRED" : "");
	d->memory.failed |= text.failed;
	ret = text.length ? etl_arena_copy(&d->memory, text.at) : NULL;
	etl_text_free(&text);
	return ret;
}

static void take_key(struct describing *d, struct etl_key *key, const PGresult *result, int row)
{
	memset(key, 0, sizeof(*key));
	key->name = postgres_describe_text(d, result, row, AT_NAME);
	key->columns = describe_names(d, result, row, AT_COLUMNS, &key->column_count);
	key->flags = postgres_flag_at(result, row, AT_NULLS_EQUAL) ? ETL_KEY_NULLS_EQUAL : 0u;
	key->conflict_sql = key_rest(d, result, row);
}

static void take_unique(struct describing *d, struct described *o, const PGresult *result, int row)
{
	struct etl_table *t = &o->table;

	o->uniques = etl_arena_push(&d->memory, o->uniques, t->unique_count, sizeof(*o->uniques));
	if (!o->uniques)
		return;
	take_key(d, &o->uniques[t->unique_count++], result, row);
	t->uniques = o->uniques;
}

static void add_line(struct etl_text *to, const char *name)
{
	etl_text_add(to, to->length ? "" : "\n");
	etl_text_add_name(to, name, '"');
	etl_text_add(to, " ");
}

static void take_unproven(struct described *o, const PGresult *result, int row)
{
	if (postgres_flag_at(result, row, AT_VALID))
		return;
	add_line(&o->unproven, PQgetvalue(result, row, AT_NAME));
	etl_text_add(&o->unproven, "NOT VALID\n");
}

static void take_set(struct describing *d, struct described *o, const PGresult *result, int row)
{
	size_t count;
	const char *const *columns = describe_names(d, result, row, AT_SET, &count);

	if (count == 0)
		return;
	add_line(&o->sets, PQgetvalue(result, row, AT_NAME));
	for (size_t i = 0; i < count; i++) {
		etl_text_add(&o->sets, i ? ", " : "(");
		etl_text_add_name(&o->sets, columns[i], '"');
	}
	etl_text_add(&o->sets, ")\n");
}

static void take_foreign_key(struct describing *d, struct described *o, const PGresult *result,
			     int row)
{
	struct etl_table *t = &o->table;
	struct etl_foreign_key *f;
	const char *schema = postgres_at(result, row, AT_PARENT_SCHEMA);
	size_t count;

	o->foreign_keys = etl_arena_push(&d->memory, o->foreign_keys, t->foreign_key_count,
					 sizeof(*f));
	if (!o->foreign_keys)
		return;
	f = memset(&o->foreign_keys[t->foreign_key_count++], 0, sizeof(*f));
	f->name = postgres_describe_text(d, result, row, AT_NAME);
	f->columns = describe_names(d, result, row, AT_COLUMNS, &f->column_count);
	if (schema && strcmp(schema, t->schema) != 0)
		f->parent_schema = postgres_describe_text(d, result, row, AT_PARENT_SCHEMA);
	f->parent = postgres_describe_text(d, result, row, AT_PARENT);
	f->parent_columns = describe_names(d, result, row, AT_PARENT_COLUMNS, &count);
	f->on_update = action_of(*PQgetvalue(result, row, AT_UPDATE));
	f->on_delete = action_of(*PQgetvalue(result, row, AT_DELETE));
	f->deferrable = deferrable_of(result, row);
	f->match = *PQgetvalue(result, row, AT_MATCH) == 'f' ? "FULL" : NULL;
	take_set(d, o, result, row);
	take_unproven(o, result, row);
	t->foreign_keys = o->foreign_keys;
}

static void take_check(struct describing *d, struct described *o, const PGresult *result, int row)
{
	struct etl_table *t = &o->table;
	struct etl_check *c;

	o->checks = etl_arena_push(&d->memory, o->checks, t->check_count, sizeof(*c));
	if (!o->checks)
		return;
	c = memset(&o->checks[t->check_count++], 0, sizeof(*c));
	c->name = postgres_describe_text(d, result, row, AT_NAME);
	c->sql = postgres_describe_text(d, result, row, AT_EXPRESSION);
	take_unproven(o, result, row);
	t->checks = o->checks;
}

static struct etl_index *push_index(struct describing *d, struct described *o)
{
	struct etl_table *t = &o->table;
	struct etl_index *x;

	o->indexes = etl_arena_push(&d->memory, o->indexes, t->index_count, sizeof(*x));
	if (!o->indexes)
		return NULL;
	t->indexes = o->indexes;
	x = memset(&o->indexes[t->index_count++], 0, sizeof(*x));
	x->part_size = sizeof(struct etl_index_part);
	return x;
}

/* An exclusion is an index whose text says that it is more: ALTER TABLE … ADD CONSTRAINT … EXCLUDE …. */
static void take_exclusion(struct describing *d, struct described *o, const PGresult *result,
			   int row)
{
	struct etl_index *x = push_index(d, o);
	struct etl_text ddl = { 0 };

	if (!x)
		return;
	x->name = postgres_describe_text(d, result, row, AT_NAME);
	x->method = postgres_describe_text(d, result, row, AT_METHOD);
	etl_text_add(&ddl, "ALTER TABLE ");
	etl_text_add_name(&ddl, o->table.name, '"');
	etl_text_add(&ddl, " ADD CONSTRAINT ");
	etl_text_add_name(&ddl, PQgetvalue(result, row, AT_NAME), '"');
	etl_text_addf(&ddl, " %s", PQgetvalue(result, row, AT_DEFINITION));
	d->memory.failed |= ddl.failed;
	x->ddl = etl_arena_copy(&d->memory, ddl.at);
	etl_text_free(&ddl);
}

static int take_constraint(struct describing *d, struct described *o, const PGresult *result,
			   int row)
{
	switch (*PQgetvalue(result, row, AT_KIND)) {
	case 'p':
		take_key(d, &o->table.primary, result, row);
		break;
	case 'u':
		take_unique(d, o, result, row);
		break;
	case 'f':
		take_foreign_key(d, o, result, row);
		break;
	case 'c':
		take_check(d, o, result, row);
		break;
	default:
		take_exclusion(d, o, result, row);
		break;
	}
	return d->memory.failed ? postgres_describe_no_memory(d) : ETL_OK;
}

/* A foreign key to or of a partitioned table has copies for the partitions, which are not the table's own. */
int postgres_describe_keys(struct describing *d)
{
	struct etl_text sql = { 0 };
	int rc;

	etl_text_addf(&sql, constraints_sql,
		      d->inst->version >= NULLS_NOT_DISTINCT_SINCE ? "coalesce(i.indnullsnotdistinct, false)" :
								     "false",
		      d->inst->version >= SET_COLUMNS_SINCE ? NAMES("c.conrelid", "c.confdelsetcols") :
							      "NULL",
		      d->inst->version >= PARENTS_SINCE ?
			      " AND (c.contype <> 'f' OR c.conparentid = 0)" :
			      "");
	rc = sql.failed ? postgres_describe_no_memory(d) : describe_ask(d, sql.at, take_constraint);
	etl_text_free(&sql);
	return rc;
}

/* ---- Indexes -------------------------------------------------------------------------------------------------- */

/* A row for each part; those of one index follow each other. An index that a failed build left behind is none. */
static const char indexes_sql[] =
	"SELECT o.place, x.relname, i.indisunique, m.amname, "
	DESCRIBE_IN("n.nspname", "pg_catalog.pg_get_expr(i.indpred, i.indrelid)") ", "
	DESCRIBE_IN("n.nspname", "pg_catalog.pg_get_indexdef(i.indexrelid, 0, true)") ", "
	"k.part, a.attname, "
	DESCRIBE_IN("n.nspname", "pg_catalog.pg_get_indexdef(i.indexrelid, k.part, true)") ", "
	"CASE WHEN l.oid <> coalesce(a.attcollation, 100) THEN l.collname END, "
	"i.indoption[k.part - 1] & 1 "
	"FROM " DESCRIBE_OBJECTS " JOIN pg_catalog.pg_class c ON c.oid = o.oid "
	"JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
	"JOIN pg_catalog.pg_index i ON i.indrelid = o.oid AND i.indislive AND i.indisvalid "
	"JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid "
	"JOIN pg_catalog.pg_am m ON m.oid = x.relam "
	"CROSS JOIN LATERAL pg_catalog.generate_series(1, i.indnkeyatts) k(part) "
	"LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = "
	"i.indkey[k.part - 1] AND a.attnum > 0 "
	"LEFT JOIN pg_catalog.pg_collation l ON l.oid = i.indcollation[k.part - 1] "
	"WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_constraint y WHERE y.conindid = i.indexrelid AND "
	"y.contype IN ('p', 'u', 'x')) ORDER BY o.place, x.relname, i.indexrelid, k.part";

enum {
	IX_NAME = 1,
	IX_UNIQUE,
	IX_METHOD,
	IX_WHERE,
	IX_DDL,
	IX_PART,
	IX_COLUMN,
	IX_EXPRESSION,
	IX_COLLATION,
	IX_DESCENDING
};

static void take_part(struct describing *d, struct etl_index *x, const PGresult *result, int row)
{
	struct etl_index_part *parts, *p;

	parts = etl_arena_push(&d->memory, (void *)(uintptr_t)x->parts, x->part_count,
			       sizeof(*parts));
	if (!parts)
		return;
	p = memset(&parts[x->part_count++], 0, sizeof(*p));
	p->column = postgres_describe_text(d, result, row, IX_COLUMN);
	if (!p->column)
		p->expression = postgres_describe_text(d, result, row, IX_EXPRESSION);
	p->collation = postgres_describe_text(d, result, row, IX_COLLATION);
	p->descending = (int32_t)postgres_int_at(result, row, IX_DESCENDING);
	x->parts = parts;
}

static int take_index(struct describing *d, struct described *o, const PGresult *result, int row)
{
	struct etl_index *x;

	if (postgres_int_at(result, row, IX_PART) == 1) {
		x = push_index(d, o);
		if (!x)
			return postgres_describe_no_memory(d);
		x->name = postgres_describe_text(d, result, row, IX_NAME);
		x->flags = postgres_flag_at(result, row, IX_UNIQUE) ? ETL_INDEX_UNIQUE : 0u;
		x->method = postgres_describe_text(d, result, row, IX_METHOD);
		x->where_sql = postgres_describe_text(d, result, row, IX_WHERE);
		x->ddl = postgres_describe_text(d, result, row, IX_DDL);
	}
	if (o->table.index_count > 0)
		take_part(d, &o->indexes[o->table.index_count - 1], result, row);
	return d->memory.failed ? postgres_describe_no_memory(d) : ETL_OK;
}

int postgres_describe_indexes(struct describing *d)
{
	return describe_ask(d, indexes_sql, take_index);
}
