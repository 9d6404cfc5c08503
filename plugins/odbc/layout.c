/* See layout.h. */
#include "config.h"

#include <stdlib.h>
#include <strings.h>

#include "layout.h"

void odbc_forget_layout(struct etl_instance *inst)
{
	if (inst->layout)
		etl_arena_free(&inst->layout->arena);
	free(inst->layout);
	inst->layout = NULL;
}

const struct odbc_table_layout *odbc_layout_of(const struct etl_instance *inst, const struct etl_table *table)
{
	const struct odbc_layout *l = inst->layout;

	for (size_t i = 0; l && i < l->count; i++)
		if (l->tables[i].table == table)
			return &l->tables[i];
	return NULL;
}

int64_t odbc_layout_column(const struct etl_table *t, const char *name)
{
	for (size_t i = 0; i < t->column_count; i++)
		if (strcasecmp(ETL_AT(const struct etl_column, t->columns, t->column_size, i)->name, name) == 0)
			return (int64_t)i;
	return -1;
}

const char *const *odbc_layout_theirs(const struct etl_foreign_key *key, const struct etl_table *parent)
{
	if (key->parent_columns || !parent || parent->primary.column_count != key->column_count)
		return key->parent_columns;
	return parent->primary.columns;
}

struct odbc_table_layout *odbc_layout_parent(struct odbc_layout *l, const struct odbc_table_layout *t, size_t i)
{
	const struct etl_parent *parent = t->load->parents ? &t->load->parents[i] : NULL;
	const struct etl_foreign_key *key =
		ETL_AT(const struct etl_foreign_key, t->table->foreign_keys, t->table->foreign_key_size, i);

	for (size_t k = 0; k < l->count; k++)
		if (parent && parent->table ? parent->in_run && l->tables[k].table == parent->table :
					      strcasecmp(l->tables[k].table->name, key->parent) == 0)
			return &l->tables[k];
	return NULL;
}

/* ---- Making it ------------------------------------------------------------------------------------------------ */

static void *zeroed(struct odbc_layout *l, size_t count, size_t size)
{
	return etl_arena_alloc(&l->arena, (count + 1) * size);
}

static bool make_table(struct odbc_layout *l, const struct etl_load *load)
{
	struct odbc_table_layout *t = &l->tables[l->count++];
	const struct etl_table *table = load->table;
	const size_t counts[] = { 1, table->unique_count, table->foreign_key_count, table->check_count };

	t->table = table;
	t->load = load;
	t->rooms = zeroed(l, table->column_count, sizeof(*t->rooms));
	t->indexes = zeroed(l, table->index_count, sizeof(*t->indexes));
	t->index_bytes = zeroed(l, table->index_count, sizeof(*t->index_bytes));
	t->pruned = zeroed(l, table->foreign_key_count, sizeof(*t->pruned));
	for (size_t kind = 0; kind < 4; kind++)
		t->names[kind] = zeroed(l, counts[kind], sizeof(*t->names[kind]));
	return !l->arena.failed;
}

static bool make_tables(struct odbc_layout *l)
{
	size_t count = l->single ? 1 : l->run->load_count;

	l->tables = zeroed(l, count, sizeof(*l->tables));
	for (size_t i = 0; l->tables && i < count; i++) {
		const struct etl_load *load = l->single ? l->single : l->loads[i];

		if (load->table->kind == ETL_TABLE && !make_table(l, load))
			return false;
	}
	return l->tables != NULL;
}

static bool is_made(const struct odbc_layout *l, const struct etl_load *load)
{
	return l && l->run == load->run && l->loads == load->run->loads && (load->run->loads || l->single == load);
}

int odbc_layout(struct etl_instance *inst, const struct etl_load *load, struct etl_error *err)
{
	struct odbc_layout *l;

	if (inst->dialect != &odbc_tsql || !load || !load->run || is_made(inst->layout, load))
		return ETL_OK;
	odbc_forget_layout(inst);
	l = inst->layout = calloc(1, sizeof(*l));
	if (!l)
		return odbc_no_memory(inst, err);
	l->run = load->run;
	l->loads = load->run->loads;
	l->single = l->loads ? NULL : load;
	if (make_tables(l) && odbc_layout_sizes(inst, l) && odbc_layout_names(inst, l) && odbc_layout_cascades(l))
		return ETL_OK;
	odbc_forget_layout(inst);
	return odbc_no_memory(inst, err);
}
