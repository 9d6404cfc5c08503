/*
 * What becomes of a table's shape. The columns of UUIDs are new; keys, indexes and foreign keys that were about the
 * old values are about the UUIDs where these took their place. SQL that computes with an old value goes with it,
 * and that is said in the log.
 */
#include "config.h"

#include <strings.h>

#include "columns.h"
#include "derive.h"
#include "keymap.h"

struct shape {
	const struct etl_instance *self;
	struct keymap_plan plan;
	struct etl_derive derive;
	/* Of the columns of the table: in SQL, where NULL is a column whose values go. */
	const char **sql_names;
	struct etl_error *err;
};

static int no_memory(struct shape *s)
{
	return s->self->host->fail(s->err, ETL_MEMORY, NULL, 0,
				   "no memory for the shape of table %s", s->derive.in->name);
}

static void say_gone(struct shape *s, const char *what, const char *name)
{
	s->self->host->log(
		s->self->host, ETL_LOG_WARN,
		"table %s: %s%s%s goes, because it is about the old values of a column that is a "
		"UUID now",
		s->derive.in->name, what, name ? " " : "", name ? name : "");
}

static void said(void *data, const char *what, const char *name, bool mixed)
{
	(void)mixed;
	say_gone(data, what, name);
}

/* As etl_derive_sql, for SQL that speaks of the old values. */
static enum etl_renamed old_sql(struct shape *s, const char **sql)
{
	struct etl_derive *d = &s->derive;

	return *sql ? etl_rename_sql(d->names, s->sql_names, d->in->column_count, *sql, &d->arena,
				     sql) :
		      ETL_RENAMED;
}

/* ---- Names ---- */

static const struct keymap_made *in_place(const struct shape *s, size_t column)
{
	for (size_t i = 0; i < s->plan.made_count; i++)
		if (keymap_in_place(&s->plan.made[i], s->derive.in, column))
			return &s->plan.made[i];
	return NULL;
}

static const struct keymap_made *made_of(const struct shape *s, const char *name)
{
	for (size_t i = 0; i < s->plan.made_count; i++)
		if (strcasecmp(s->plan.made[i].name, name) == 0)
			return &s->plan.made[i];
	return NULL;
}

static bool make_names(struct shape *s)
{
	size_t count = s->derive.in->column_count;
	const char **names = etl_arena_alloc(&s->derive.arena, (count + 1) * sizeof(*names));

	s->sql_names = etl_arena_alloc(&s->derive.arena, (count + 1) * sizeof(*names));
	for (size_t i = 0; names && s->sql_names && i < count; i++) {
		const struct keymap_made *made = in_place(s, i);

		s->sql_names[i] = keymap_kept(&s->plan, i);
		names[i] = made ? made->name : s->sql_names[i];
	}
	s->derive.new_names = names;
	return names && s->sql_names;
}

/* ---- Columns ---- */

/* The UUID's column takes no NULL where none can come. */
static bool is_not_null(const struct shape *s, const struct keymap_made *made)
{
	if (s->self->map && made->lenient && !made->is_key)
		return false;
	for (size_t i = 0; i < made->count; i++)
		if (!(etl_column_at(s->derive.in, made->columns[i])->flags & ETL_NOT_NULL))
			return made->is_key || !made->optional;
	return true;
}

static void make_uuid(struct shape *s, const struct keymap_made *made, struct etl_column *ret)
{
	const struct etl_column *was = etl_column_at(s->derive.in, made->columns[0]);

	int32_t type = keymap_type(s->self);

	*ret = (struct etl_column){ .name = made->name,
				    .declared = etl_derive_declared(&s->derive, type, type == ETL_UUID ? "uuid" : "bigint"),
				    .type = type,
				    .flags = ETL_TYPED | ETL_REMADE |
					     (is_not_null(s, made) ? ETL_NOT_NULL : 0),
				    .identity_last = ETL_UNKNOWN };
	if (!keymap_in_place(made, s->derive.in, made->columns[0]) ||
	    keymap_kept(&s->plan, made->columns[0]))
		return;
	ret->comment = was->comment;
	if (was->default_sql && !made->is_key)
		say_gone(s, "the default of column", made->name);
}

static bool is_of_key(const struct shape *s, size_t column)
{
	for (size_t i = 0; i < s->plan.made_count; i++)
		for (size_t k = 0; s->plan.made[i].is_key && k < s->plan.made[i].count; k++)
			if (s->plan.made[i].columns[k] == column)
				return true;
	return false;
}

/* An old key that stays beside its UUID counts no more. */
static int keep_column(struct shape *s, const struct keymap_column *plan, struct etl_column *ret)
{
	*ret = *etl_column_at(s->derive.in, (size_t)plan->from);
	if (strcmp(plan->name, ret->name) != 0 && !ret->origin)
		ret->origin = ret->name;
	ret->name = plan->name;
	if (is_of_key(s, (size_t)plan->from)) {
		ret->flags &= ~(uint32_t)(ETL_IDENTITY | ETL_IDENTITY_ALWAYS | ETL_NEVER_REUSED |
					  ETL_IDENTITY_GAVE);
		ret->identity_last = ETL_UNKNOWN;
		ret->identity_sql = ret->default_sql = NULL;
	}
	switch (old_sql(s, &ret->generated_sql)) {
	case ETL_RENAMED:
		return ETL_OK;
	case ETL_RENAMED_MEMORY:
		return no_memory(s);
	case ETL_RENAMED_GONE:
		break;
	}
	s->self->host->at(s->err, s->derive.in->name, ret->name, NULL);
	return s->self->host->fail(
		s->err, ETL_USAGE, NULL, 0,
		"keymap: column \"%s\" is computed from the old values of a column that becomes a "
		"UUID; keep "
		"them under another name with `old`, or drop \"%s\" before with map",
		ret->name, ret->name);
}

static int make_columns(struct shape *s)
{
	struct etl_column *columns = etl_arena_alloc(&s->derive.arena,
						     (s->plan.out_count + 1) * sizeof(*columns));
	int r = ETL_OK;

	if (!columns)
		return no_memory(s);
	for (size_t i = 0; r == ETL_OK && i < s->plan.out_count; i++) {
		const struct keymap_column *plan = &s->plan.out[i];

		if (plan->from < 0)
			make_uuid(s, &s->plan.made[plan->made], &columns[i]);
		else
			r = keep_column(s, plan, &columns[i]);
	}
	s->derive.out.columns = columns;
	s->derive.out.column_count = s->plan.out_count;
	s->derive.out.column_size = sizeof(*columns);
	return r;
}

/* ---- Keys ---- */

static const char *const *one_name(struct shape *s, const char *name)
{
	const char **list = etl_arena_alloc(&s->derive.arena, sizeof(*list));

	if (list)
		*list = name;
	return list;
}

static bool is_primary(const struct etl_table *in, const struct keymap_made *made)
{
	size_t found = 0;

	for (size_t i = 0; i < made->count; i++)
		for (size_t k = 0; k < in->primary.column_count; k++)
			found += strcasecmp(in->primary.columns[k],
					    etl_column_at(in, made->columns[i])->name) == 0;
	return found == made->count && found == in->primary.column_count;
}

/* The old key is unique still, where all of it stays, be it as references. */
static void keep_old_key(struct shape *s, const struct keymap_made *made)
{
	struct etl_table *out = &s->derive.out;
	const char **names = etl_arena_alloc(&s->derive.arena, made->count * sizeof(*names));
	struct etl_key *keys = etl_arena_alloc(&s->derive.arena,
					       (out->unique_count + 1) * sizeof(*keys));

	if (!names || !keys)
		return;
	for (size_t i = 0; i < made->count; i++) {
		names[i] = keymap_kept(&s->plan, made->columns[i]);
		if (!names[i])
			names[i] = s->derive.new_names[made->columns[i]];
		if (strcmp(names[i], made->name) == 0)
			return;
	}
	for (size_t i = 0; i < out->unique_count; i++)
		keys[i] = *ETL_AT(const struct etl_key, out->uniques, out->unique_size, i);
	keys[out->unique_count++] = (struct etl_key){ .columns = names,
						      .column_count = made->count };
	out->uniques = keys;
	out->unique_size = sizeof(*keys);
}

static void make_primary(struct shape *s)
{
	const struct etl_table *in = s->derive.in;
	const struct keymap_made *key = NULL;
	struct etl_key *primary = &s->derive.out.primary;

	for (size_t i = 0; i < s->plan.made_count && !key; i++)
		if (s->plan.made[i].is_key)
			key = &s->plan.made[i];
	if (!key || (in->primary.column_count > 0 && !is_primary(in, key)))
		return;
	*primary = (struct etl_key){ .name = in->primary.name,
				     .columns = one_name(s, key->name),
				     .column_count = 1,
				     .flags = in->primary.flags,
				     .conflict_sql = in->primary.conflict_sql };
	if (in->primary.column_count > 0)
		keep_old_key(s, key);
}

/* A collation is about texts. */
static void drop_collations(struct shape *s, struct etl_key *key)
{
	const char **kept = etl_arena_alloc(&s->derive.arena,
					    (key->column_count + 1) * sizeof(*kept));

	for (size_t i = 0; kept && key->collations && i < key->column_count; i++)
		kept[i] = made_of(s, key->columns[i]) ? NULL : key->collations[i];
	if (key->collations)
		key->collations = kept;
}

static void mend_uniques(struct shape *s)
{
	struct etl_table *out = &s->derive.out;
	struct etl_key *keys = etl_arena_alloc(&s->derive.arena,
					       (out->unique_count + 1) * sizeof(*keys));

	for (size_t i = 0; keys && i < out->unique_count; i++) {
		keys[i] = *ETL_AT(const struct etl_key, out->uniques, out->unique_size, i);
		drop_collations(s, &keys[i]);
	}
	out->uniques = keys;
	out->unique_size = sizeof(*keys);
	drop_collations(s, &out->primary);
}

/* ---- Foreign keys ---- */

static bool is_of(const struct shape *s, const struct keymap_made *made,
		  const struct etl_foreign_key *fk)
{
	size_t found = 0;

	for (size_t i = 0; i < made->count; i++)
		for (size_t k = 0; k < fk->column_count; k++)
			found += strcasecmp(s->derive.new_names[made->columns[i]],
					    fk->columns[k]) == 0;
	return found == made->count && found == fk->column_count;
}

/* The UUID that took over what FK says; of several the one of FK's own parent. */
static const struct keymap_made *made_for(const struct shape *s, const struct etl_foreign_key *fk)
{
	const struct etl_table *in = s->derive.in;
	const char *parent = keymap_name(
		s->self, fk->parent_schema ? fk->parent_schema : in->schema, fk->parent);
	const struct keymap_made *first = NULL;

	for (size_t i = 0; i < s->plan.made_count; i++) {
		const struct keymap_made *made = &s->plan.made[i];

		if (!is_of(s, made, fk) ||
		    (made->is_key && !keymap_in_place(made, in, made->columns[0])))
			continue;
		if (strcmp(made->table, parent) == 0)
			return made;
		first = first ? first : made;
	}
	return first;
}

/* What the parent calls its key now is for the parent to say. */
static void mend_foreign_keys(struct shape *s)
{
	struct etl_table *out = &s->derive.out;
	struct etl_foreign_key *keys = etl_arena_alloc(
		&s->derive.arena, (out->foreign_key_count + 1) * sizeof(*keys));

	for (size_t i = 0; keys && i < out->foreign_key_count; i++) {
		const struct keymap_made *made;

		keys[i] = *ETL_AT(const struct etl_foreign_key, out->foreign_keys,
				  out->foreign_key_size, i);
		made = made_for(s, &keys[i]);
		if (!made)
			continue;
		keys[i].columns = one_name(s, made->name);
		keys[i].column_count = 1;
		keys[i].parent_columns = NULL;
	}
	out->foreign_keys = keys;
	out->foreign_key_size = sizeof(*keys);
}

/* ---- Checks and indexes ---- */

static void mend_checks(struct shape *s)
{
	const struct etl_table *in = s->derive.in;
	struct etl_check *checks = etl_arena_alloc(&s->derive.arena,
						   (in->check_count + 1) * sizeof(*checks));
	size_t count = 0;

	for (size_t i = 0; checks && i < in->check_count; i++) {
		struct etl_check *check = &checks[count];
		int64_t at;

		*check = *ETL_AT(const struct etl_check, in->checks, in->check_size, i);
		at = check->column ? etl_column_find(in, check->column) : -1;
		if (at >= 0)
			check->column = s->sql_names[at];
		if ((at < 0 || check->column) && old_sql(s, &check->sql) == ETL_RENAMED)
			count++;
		else
			say_gone(s, "the check", check->name ? check->name : check->sql);
	}
	s->derive.out.checks = checks;
	s->derive.out.check_count = count;
	s->derive.out.check_size = sizeof(*checks);
}

/* WAS is the same index of the table. False: its SQL speaks of values that go. */
static bool mend_index(struct shape *s, const struct etl_index *was, struct etl_index *index)
{
	struct etl_index_part *parts = etl_arena_alloc(&s->derive.arena,
						       (was->part_count + 1) * sizeof(*parts));
	bool stays = parts != NULL;

	index->where_sql = was->where_sql;
	stays = stays && old_sql(s, &index->where_sql) == ETL_RENAMED;
	for (size_t i = 0; stays && i < was->part_count; i++) {
		parts[i] = *ETL_AT(const struct etl_index_part, index->parts, index->part_size, i);
		parts[i].expression = ETL_AT(const struct etl_index_part, was->parts,
					     was->part_size, i)
					      ->expression;
		stays = old_sql(s, &parts[i].expression) == ETL_RENAMED;
		if (parts[i].column && made_of(s, parts[i].column))
			parts[i].collation = NULL;
	}
	index->parts = parts;
	index->part_size = sizeof(*parts);
	return stays;
}

/* No column of an index goes (each has a name), so those of the derived table are those of the table. */
static void mend_indexes(struct shape *s)
{
	struct etl_table *out = &s->derive.out;
	struct etl_index *indexes = etl_arena_alloc(&s->derive.arena,
						    (out->index_count + 1) * sizeof(*indexes));
	size_t count = 0;

	for (size_t i = 0; indexes && i < out->index_count; i++) {
		indexes[count] = *ETL_AT(const struct etl_index, out->indexes, out->index_size, i);
		if (mend_index(s,
			       ETL_AT(const struct etl_index, s->derive.in->indexes,
				      s->derive.in->index_size, i),
			       &indexes[count]))
			count++;
		else
			say_gone(s, "the index", indexes[count].name);
	}
	out->indexes = indexes;
	out->index_count = count;
	out->index_size = sizeof(*indexes);
}

/* ---- All of it ---- */

static int make_shape(struct shape *s)
{
	struct etl_derive *d = &s->derive;
	int r;

	if (!etl_derive_begin(d) || !make_names(s))
		return no_memory(s);
	etl_derive_type(d, keymap_type(s->self));
	r = make_columns(s);
	if (r != ETL_OK)
		return r;
	if (!etl_derive_parts(d))
		return no_memory(s);
	make_primary(s);
	mend_uniques(s);
	mend_foreign_keys(s);
	mend_checks(s);
	mend_indexes(s);
	return d->arena.failed ? no_memory(s) : ETL_OK;
}

int keymap_derive(struct etl_instance *self, const struct etl_table *in,
		  struct etl_table_sink *sink, struct etl_error *err)
{
	struct shape s = { .self = self, .derive = { .in = in, .gone = said }, .err = err };
	int r = keymap_plan_make(self, in, &s.plan, err);

	if (r != ETL_OK)
		return r;
	s.derive.data = &s;
	if (s.plan.made_count == 0) {
		self->host->log(self->host, ETL_LOG_WARN,
				"table %s: keymap finds no key of one column and no reference "
				"there, so nothing "
				"becomes a UUID",
				in->name);
		r = sink->emit(sink, in);
	} else {
		r = make_shape(&s);
		if (r == ETL_OK)
			r = sink->emit(sink, &s.derive.out);
	}
	keymap_plan_free(&s.plan);
	etl_derive_end(&s.derive);
	return r;
}
