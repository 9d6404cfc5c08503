/*
 * From the description of an object to the steps that make it, with a verdict for each of its parts. What `plan` prints
 * and what `run` does both come from here.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <stdlib.h>
#include <strings.h>

#include "design.h"
#include "layout.h"
#include "provision.h"

int odbc_design_no_memory(struct design *d)
{
	return d->inst->host->fail(d->err, ETL_MEMORY, NULL, 0, "no memory to design \"%s\"", d->table->name);
}

int odbc_design_part(struct design *d, int32_t phase, int32_t verdict, const char *kind, const char *part,
		     struct etl_text *sql, const char *note)
{
	struct etl_text object = { 0 };
	int rc;

	etl_text_add(&object, d->table->name);
	if (part)
		etl_text_addf(&object, ".%s", part);
	if (object.failed || (sql && sql->failed)) {
		rc = odbc_design_no_memory(d);
	} else {
		struct etl_step step = { .phase = phase,
					 .verdict = verdict,
					 .kind = kind,
					 .object = object.at,
					 .sql = sql ? sql->at : NULL,
					 .note = note,
					 .load = d->load ? d->load->index : UINT64_MAX };

		rc = d->sink->emit(d->sink, &step);
	}
	etl_text_free(&object);
	if (sql)
		etl_text_free(sql);
	return rc;
}

int odbc_design_skip(struct design *d, const char *kind, const char *part, const char *why, const char *text)
{
	struct etl_text note = { 0 };
	int rc;

	etl_text_addf(&note, "%s%s%s", why, text ? "; its text: " : "", text ? text : "");
	rc = note.failed ? odbc_design_no_memory(d) :
			   odbc_design_part(d, ETL_PHASE_PREPARE, ETL_SKIPPED, kind, part, NULL, note.at);
	etl_text_free(&note);
	return rc;
}

/* ---- Names ----------------------------------------------------------------------------------------------- */

void odbc_design_add_table(struct etl_text *sql, const struct design *d, const char *name)
{
	odbc_add_table(sql, d->inst, odbc_place_of(d->inst, d->table), name);
}

void odbc_design_add_columns(struct etl_text *sql, const struct design *d, const char *const *columns, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		etl_text_add(sql, i ? ", " : "");
		odbc_add_name(sql, d->inst, columns[i]);
	}
}

void odbc_design_add_constraint(struct etl_text *sql, const struct design *d, enum odbc_constraint kind, size_t i)
{
	char name[ODBC_NAME_ROOM], buf[ODBC_NAME_ROOM];

	etl_text_add(sql, "CONSTRAINT ");
	odbc_add_name(sql, d->inst,
		      odbc_key_name(d->inst, d->load, odbc_constraint_name(d->inst, d->table, kind, i, name), buf));
	etl_text_add(sql, " ");
}

static bool is_among(const char *name, const char *const *columns, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcasecmp(columns[i], name) == 0)
			return true;
	return false;
}

bool odbc_design_in_key(const struct etl_table *t, const char *column)
{
	bool in = is_among(column, t->primary.columns, t->primary.column_count);

	for (size_t i = 0; !in && i < t->unique_count; i++) {
		const struct etl_key *k = ETL_AT(const struct etl_key, t->uniques, t->unique_size, i);

		in = is_among(column, k->columns, k->column_count);
	}
	for (size_t i = 0; !in && i < t->foreign_key_count; i++) {
		const struct etl_foreign_key *f =
			ETL_AT(const struct etl_foreign_key, t->foreign_keys, t->foreign_key_size, i);

		in = is_among(column, f->columns, f->column_count);
	}
	for (size_t i = 0; !in && i < t->index_count; i++) {
		const struct etl_index *x = ETL_AT(const struct etl_index, t->indexes, t->index_size, i);

		for (size_t p = 0; !in && p < x->part_count; p++) {
			const struct etl_index_part *part =
				ETL_AT(const struct etl_index_part, x->parts, x->part_size, p);

			in = part->column && strcasecmp(part->column, column) == 0;
		}
	}
	return in;
}

const struct etl_column *odbc_design_column(const struct etl_table *t, const char *name)
{
	for (size_t i = 0; i < t->column_count; i++) {
		const struct etl_column *c = ETL_AT(const struct etl_column, t->columns, t->column_size, i);

		if (strcmp(c->name, name) == 0)
			return c;
	}
	return NULL;
}

bool odbc_design_looks(const struct design *d)
{
	return d->run && d->run->flags & ETL_RUN_REJECT;
}

static struct odbc_room room_of(const struct etl_instance *inst, const struct etl_table *table, const struct etl_column *c)
{
	const struct odbc_table_layout *layout = odbc_layout_of(inst, table);
	int64_t at = layout ? odbc_layout_column(table, c->name) : -1;

	return at >= 0 ? layout->rooms[at] : (struct odbc_room){ .key = odbc_design_in_key(table, c->name) };
}

/* Words that the pipeline may mean as T-SQL's own: what no type of a row says. Others, as text, are types of rows. */
static bool is_word_of_tsql(const char *declared)
{
	static const char *const words[] = { "nvarchar", "nchar", "varbinary", "binary",   "datetime2", "datetimeoffset", "tinyint",
					     "money",	 "xml",	  "smallmoney", "sql_variant" };
	size_t n = strcspn(declared, " (");

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strlen(words[i]) == n && strncasecmp(declared, words[i], n) == 0)
			return strcasecmp(declared, "nvarchar") != 0 && strcasecmp(declared, "varbinary") != 0;
	return false;
}

static bool has_own_word(const struct etl_instance *inst, const struct etl_table *table, const struct etl_column *c)
{
	bool own = table->dialect && strcmp(table->dialect, inst->dialect->name) == 0;

	if (!c->declared || !*c->declared || odbc_is_told_array(c))
		return false;
	return own || (c->flags & ETL_RETYPED && (inst->dialect != &odbc_tsql || is_word_of_tsql(c->declared)));
}

/* A text of another T-SQL database: to this one's collation keys may be one that were two. Babelfish has names of its own for those
 * that it began with. */
static bool has_own_collation(const struct etl_instance *inst, const struct etl_table *table, const struct etl_column *c)
{
	return inst->dialect == &odbc_tsql && table->dialect && strcmp(table->dialect, "tsql") == 0 && c->collation &&
	       !(c->flags & ETL_RETYPED) && strncmp(c->collation, "bbf_", 4) != 0 &&
	       (strcasestr(c->declared, "char") || strcasestr(c->declared, "text"));
}

void odbc_add_type(struct etl_text *ret, const struct etl_instance *inst, const struct etl_table *table,
		   const struct etl_column *c, int32_t *verdict, struct etl_text *note)
{
	struct odbc_room room = room_of(inst, table, c);

	if (!has_own_word(inst, table, c)) {
		inst->dialect->add_type(ret, c, &room, verdict, note);
		return;
	}
	etl_text_add(ret, c->declared);
	if (room.binary && c->flags & ETL_RETYPED && strcasestr(c->declared, "char"))
		etl_text_addf(ret, " COLLATE %s", room.nocase ? TSQL_NOCASE : TSQL_BINARY);
	else if (has_own_collation(inst, table, c))
		etl_text_addf(ret, " COLLATE %s", c->collation);
}

/* ---- The whole --------------------------------------------------------------------------------------------- */

static const char *kind_of(const struct etl_table *t)
{
	switch (t->kind) {
	case ETL_VIEW:
		return "view";
	case ETL_TRIGGER:
		return "trigger";
	case ETL_SEQUENCE:
		return "sequence";
	case ETL_TYPE_DEFINITION:
		return "type";
	case ETL_DATABASE:
		return "setting";
	default:
		return "table";
	}
}

static int design_other(struct design *d)
{
	if (d->table->kind == ETL_DATABASE && !d->same)
		return odbc_design_skip(d, "setting", NULL, "the settings of another database mean nothing here", NULL);
	return odbc_design_skip(d, kind_of(d->table), NULL,
				"it is written in the source's own SQL; make it by hand, or with sql.after", d->table->ddl);
}

/* A dialect is known once the server was asked, so it is asked; that of a database still to be made is known. */
int odbc_design(struct etl_instance *inst, const struct etl_table *table, const struct etl_load *load,
		struct etl_step_sink *sink, struct etl_error *err)
{
	struct design d = { .inst = inst,
			    .table = table,
			    .load = load,
			    .run = load ? load->run : NULL,
			    .sink = sink,
			    .err = err };
	bool nobody;
	int rc = odbc_know(inst, &nobody, err);

	if (rc == ETL_OK && table->kind == ETL_TABLE && load && load->index == 0)
		rc = odbc_provision_design(inst, sink, err);
	if (rc < 0)
		return rc;
	d.dialect = inst->dialect;
	d.same = table->dialect && strcmp(table->dialect, inst->dialect->name) == 0;
	d.tsql = inst->dialect == &odbc_tsql && !d.same;
	if (table->kind != ETL_TABLE)
		return design_other(&d);
	rc = nobody ? ETL_OK : odbc_refuse_referred(inst, load, err);
	if (rc == ETL_OK)
		rc = odbc_layout(inst, load, err);
	if (rc == ETL_OK) {
		d.layout = odbc_layout_of(inst, table);
		rc = odbc_design_table(&d);
	}
	free(d.gone);
	return rc;
}
