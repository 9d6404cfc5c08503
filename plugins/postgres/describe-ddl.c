/*
 * The statement of each table and view as one would write it now: CREATE TABLE with everything that belongs to the
 * table but its indexes, CREATE VIEW. Names of the table's own schema stand alone.
 */
#include "config.h"

#include <stdlib.h>

#include "describe.h"

/* Each partition as a statement of its own, parents before theirs. Their names stand alone: they are made where the table
 * is, also those that stood in another schema, or they would be there before the table is published. */
static const char partitions_sql[] =
	"SELECT o.place, " DESCRIBE_IN(
		"rn.nspname",
		"pg_catalog.concat('CREATE TABLE ', pg_catalog.quote_ident(c.relname), ' PARTITION OF ', "
		"(SELECT pg_catalog.quote_ident(relname) FROM pg_catalog.pg_class WHERE oid = t.parentrelid), ' ', "
		"pg_catalog.pg_get_expr(c.relpartbound, c.oid), CASE WHEN c.relkind = 'p' THEN "
		"' PARTITION BY ' || pg_catalog.pg_get_partkeydef(c.oid) END)") " "
	"FROM " DESCRIBE_OBJECTS " JOIN pg_catalog.pg_class r ON r.oid = o.oid AND r.relkind = 'p' "
	"JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace "
	"CROSS JOIN LATERAL pg_catalog.pg_partition_tree(o.oid) t "
	"JOIN pg_catalog.pg_class c ON c.oid = t.relid AND c.relkind IN ('r', 'p') "
	"WHERE t.level > 0 ORDER BY o.place, t.level, c.relname";

static int take_partition(struct describing *d, struct described *o, const PGresult *result,
			  int row)
{
	struct etl_text text = { 0 };

	etl_text_addf(&text, "%s;\n%s", o->partitions ? o->partitions : "",
		      PQgetvalue(result, row, 1));
	d->memory.failed |= text.failed;
	o->partitions = etl_arena_copy(&d->memory, text.at);
	etl_text_free(&text);
	return ETL_OK;
}

/* ---- Parts ----------------------------------------------------------------------------------------------------- */

static void add_names(struct etl_text *sql, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		etl_text_add(sql, i ? ", " : "(");
		etl_text_add_name(sql, names[i], '"');
	}
	etl_text_add(sql, ")");
}

static void add_constraint_name(struct etl_text *sql, const char *name)
{
	etl_text_add(sql, ",\n\t");
	if (!name)
		return;
	etl_text_add(sql, "CONSTRAINT ");
	etl_text_add_name(sql, name, '"');
	etl_text_add(sql, " ");
}

/* What the line of NAME says behind it; NULL: it has none. */
static const char *said_of(const struct etl_text *lines, const char *name, size_t *ret_length)
{
	struct etl_text begin = { 0 };
	const char *at;

	etl_text_add(&begin, "\n");
	etl_text_add_name(&begin, name, '"');
	etl_text_add(&begin, " ");
	at = lines->at && begin.at ? strstr(lines->at, begin.at) : NULL;
	if (at)
		at += begin.length;
	*ret_length = at ? strcspn(at, "\n") : 0;
	etl_text_free(&begin);
	return at;
}

static void add_identity(struct etl_text *sql, const struct etl_column *c)
{
	etl_text_addf(sql, " GENERATED %s AS IDENTITY",
		      c->flags & ETL_IDENTITY_ALWAYS ? "ALWAYS" : "BY DEFAULT");
	if (c->identity_sql)
		etl_text_addf(sql, " (%s)", c->identity_sql);
}

static void add_unproven(struct etl_text *sql, const struct described *o, const char *name)
{
	size_t length;

	if (name && said_of(&o->unproven, name, &length))
		etl_text_add(sql, " NOT VALID");
}

static void add_column(struct etl_text *sql, const struct etl_column *c)
{
	etl_text_add(sql, "\n\t");
	etl_text_add_name(sql, c->name, '"');
	etl_text_addf(sql, " %s", c->declared);
	if (c->collation) {
		etl_text_add(sql, " COLLATE ");
		etl_text_add_name(sql, c->collation, '"');
	}
	if (c->flags & ETL_GENERATED)
		etl_text_addf(sql, " GENERATED ALWAYS AS (%s)%s",
			      c->generated_sql ? c->generated_sql : "",
			      c->flags & ETL_STORED ? " STORED" : "");
	else if (c->default_sql)
		etl_text_addf(sql, " DEFAULT %s", c->default_sql);
	else if (c->flags & ETL_IDENTITY)
		add_identity(sql, c);
	etl_text_add(sql, c->flags & ETL_NOT_NULL ? " NOT NULL" : "");
}

static void add_key(struct etl_text *sql, const struct etl_key *key, const char *words)
{
	add_constraint_name(sql, key->name);
	etl_text_addf(sql, "%s%s ", words,
		      key->flags & ETL_KEY_NULLS_EQUAL ? " NULLS NOT DISTINCT" : "");
	add_names(sql, key->columns, key->column_count);
	etl_text_addf(sql, "%s%s", key->conflict_sql ? " " : "",
		      key->conflict_sql ? key->conflict_sql : "");
}

static const char *action_words(int32_t action)
{
	static const char *const words[] = { "NO ACTION", "RESTRICT", "CASCADE", "SET NULL",
					     "SET DEFAULT" };

	return words[action];
}

static void add_foreign_key(struct etl_text *sql, const struct described *o,
			    const struct etl_foreign_key *f)
{
	size_t length;
	const char *set = f->name ? said_of(&o->sets, f->name, &length) : NULL;

	add_constraint_name(sql, f->name);
	etl_text_add(sql, "FOREIGN KEY ");
	add_names(sql, f->columns, f->column_count);
	etl_text_add(sql, " REFERENCES ");
	postgres_add_name(sql, f->parent_schema, f->parent);
	etl_text_add(sql, " ");
	add_names(sql, f->parent_columns, f->column_count);
	if (f->match)
		etl_text_addf(sql, " MATCH %s", f->match);
	if (f->on_update != ETL_NO_ACTION)
		etl_text_addf(sql, " ON UPDATE %s", action_words(f->on_update));
	if (f->on_delete != ETL_NO_ACTION)
		etl_text_addf(sql, " ON DELETE %s", action_words(f->on_delete));
	if (set) {
		etl_text_add(sql, " ");
		etl_text_add_bytes(sql, set, length);
	}
	if (f->deferrable != ETL_NOT_DEFERRABLE)
		etl_text_addf(sql, " DEFERRABLE%s",
			      f->deferrable == ETL_DEFERRABLE_DEFERRED ? " INITIALLY DEFERRED" : "");
	add_unproven(sql, o, f->name);
}

static void add_table(struct etl_text *sql, const struct described *o)
{
	const struct etl_table *t = &o->table;

	etl_text_addf(sql, "CREATE %sTABLE ", o->unlogged ? "UNLOGGED " : "");
	etl_text_add_name(sql, t->name, '"');
	etl_text_add(sql, " (");
	for (size_t i = 0; i < t->column_count; i++) {
		etl_text_add(sql, i ? "," : "");
		add_column(sql, &o->columns[i]);
	}
	if (t->primary.column_count)
		add_key(sql, &t->primary, "PRIMARY KEY");
	for (size_t i = 0; i < t->unique_count; i++)
		add_key(sql, &o->uniques[i], "UNIQUE");
	for (size_t i = 0; i < t->check_count; i++) {
		add_constraint_name(sql, o->checks[i].name);
		etl_text_addf(sql, "CHECK (%s)", o->checks[i].sql ? o->checks[i].sql : "true");
		add_unproven(sql, o, o->checks[i].name);
	}
	for (size_t i = 0; i < t->foreign_key_count; i++)
		add_foreign_key(sql, o, &o->foreign_keys[i]);
	etl_text_add(sql, "\n)");
	if (o->inherits)
		etl_text_addf(sql, " INHERITS (%s)", o->inherits);
	if (o->partition_by)
		etl_text_addf(sql, " PARTITION BY %s", o->partition_by);
	etl_text_add(sql, o->partitions ? o->partitions : "");
}

/* `tail` is the query, `partitions` the view's options. */
static void add_view(struct etl_text *sql, const struct described *o)
{
	size_t length = o->tail ? strlen(o->tail) : 0;

	while (length > 0 && strchr("; \n", o->tail[length - 1]))
		length--;
	etl_text_addf(sql, "CREATE %sVIEW ", o->kind == 'm' ? "MATERIALIZED " : "");
	etl_text_add_name(sql, o->table.name, '"');
	if (o->partitions && *o->partitions)
		etl_text_addf(sql, " WITH (%s)", o->partitions);
	etl_text_add(sql, " AS\n");
	etl_text_add_bytes(sql, o->tail ? o->tail : "", length);
}

int describe_statements(struct describing *d)
{
	int rc = describe_ask(d, partitions_sql, take_partition);

	for (size_t i = 0; rc == ETL_OK && i < d->count; i++) {
		struct described *o = &d->objects[i];
		struct etl_text sql = { 0 };

		if (o->table.kind == ETL_VIEW)
			add_view(&sql, o);
		else if (o->table.kind == ETL_TABLE)
			add_table(&sql, o);
		d->memory.failed |= sql.failed || o->sets.failed || o->unproven.failed;
		o->table.ddl = etl_arena_copy(&d->memory, sql.at);
		etl_text_free(&sql);
	}
	return rc == ETL_OK && d->memory.failed ? postgres_describe_no_memory(d) : rc;
}
