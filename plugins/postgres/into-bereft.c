/*
 * Rows that lose a parent when a merge is published: before a statement could change or strand rows of children, it is
 * looked whether there are any, and who they are is told.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "into.h"

#define WHICH_MAX 256 /* bytes of a JOIN with the lists of a load */

/* ---- What is said of them ---------------------------------------------------------------------------------------- */

bool into_deletes(const struct publish_part *part)
{
	return part->how == PUBLISH_INTO && into_merges(part->load) && !into_is_fresh(part) &&
	       part->load->deletes == ETL_DELETE_HARD;
}

static int fail_children(struct into *n, const struct into_children *c)
{
	struct publishing *p = n->p;
	const char *name = n->part->load->table->name;

	p->inst->host->at(p->err, c->table, NULL, c->first);
	return p->inst->host->fail(
		p->err, ETL_DATA, NULL, 0,
		"%lld row%s of \"%s\" (the first: %s) would refer to a row of \"%s\" that is gone from the "
		"source, or has another key there; nothing was changed; %s \"%s\"%s, or write delete = \"soft\" or "
		"\"none\" for \"%s\"",
		(long long)c->rows, c->rows == 1 ? "" : "s", c->table, c->first, name,
		c->brought ? "mend those rows of" : "bring", c->table,
		c->brought ? " in the source" : " too", name);
}

static int fail_early(struct into *n, const struct into_children *c)
{
	struct publishing *p = n->p;
	const char *name = n->part->load->table->name;

	p->inst->host->at(p->err, c->table, NULL, c->first);
	return p->inst->host->fail(
		p->err, ETL_DATA, NULL, 0,
		"%lld row%s of \"%s\" (the first: %s) refer%s to a row of \"%s\" that must go before they get "
		"another parent, since a row that comes has a value of it that is unique; nothing was changed; make that "
		"unique constraint of \"%s\" DEFERRABLE, or write delete = \"soft\" or \"none\" for \"%s\"",
		(long long)c->rows, c->rows == 1 ? "" : "s", c->table, c->first, c->rows == 1 ? "s" : "", name,
		name, name);
}

static int fail_handed_on(struct into *n, const struct into_children *c)
{
	struct publishing *p = n->p;
	const char *name = n->part->load->table->name;

	p->inst->host->at(p->err, c->table, NULL, c->first);
	return p->inst->host->fail(
		p->err, ETL_DATA, NULL, 0,
		"%lld row%s of \"%s\" (the first: %s) would be changed by ON UPDATE of its foreign key to \"%s\", "
		"of which a row gets another value; nothing was changed; give that foreign key ON UPDATE NO ACTION%s",
		(long long)c->rows, c->rows == 1 ? "" : "s", c->table, c->first, name,
		c->brought ? " DEFERRABLE: the run brings the children's own values" :
			     ", and change those rows beforehand");
}

/* ---- Looking for them -------------------------------------------------------------------------------------------- */

/* Whether "_etlrun_LIST_N" of the load has rows: to ask who refers to a table takes far longer. */
static int has_any(struct into *n, const char *list, bool *ret)
{
	char sql[128];

	snprintf(sql, sizeof(sql), "SELECT EXISTS (SELECT FROM pg_temp.\"_etlrun_%s_%llu\")", list,
		 (unsigned long long)n->part->load->index);
	return postgres_flag(n->p->inst, n->p->err, ret, sql, 0, NULL);
}

/* LIST: the one that PARENTS means. */
static int check_children(struct into *n, const char *list, const struct into_parents *parents, int whose,
			  int (*refuse)(struct into *, const struct into_children *))
{
	struct publishing *p = n->p;
	struct into_children found = { 0 };
	bool any = false;
	int rc = has_any(n, list, &any);

	if (rc == ETL_OK && any)
		rc = into_find_children(p->inst, n->tables, p->count, parents, whose, &found, p->err);
	if (rc == ETL_OK && found.rows)
		rc = refuse(n, &found);
	into_children_free(&found);
	return rc;
}

/* WHICH of struct into_parents, with the number of the load. */
static const char *which(const struct into *n, char *buf, size_t size, const char *list)
{
	unsigned long long number = (unsigned long long)n->part->load->index;
	bool changes = strcmp(list, "rows") == 0;

	snprintf(buf, size, " JOIN pg_temp.\"_etlrun_%s_%llu\" AS g ON t.ctid = g.was AND t.tableoid = g.was_in", list,
		 number);
	if (changes)
		snprintf(buf + strlen(buf), size - strlen(buf), " JOIN " INTO_NEW " AS s ON s._etlrun_row = g.at", number);
	return buf;
}

int into_check_gone(struct into *n, int whose)
{
	char buf[WHICH_MAX];
	const struct into_parents parents = { .oid = n->part->old.oid,
					      .which = which(n, buf, sizeof(buf), "gone"),
					      .going = "gone" };

	return check_children(n, "gone", &parents, whose, fail_children);
}

/* Of an array: quotes within are escaped there, and not doubled. */
static void add_element(struct etl_text *array, const char *name)
{
	char buf[POSTGRES_NAME_MAX + 1];

	etl_text_add(array, array->length > 1 ? ",\"" : "\"");
	for (const char *c = postgres_short_name(name, buf); *c; c++) {
		etl_text_add(array, *c == '"' || *c == '\\' ? "\\" : "");
		etl_text_add_bytes(array, c, 1);
	}
	etl_text_add(array, "\"");
}

static int check_columns(struct into *n, struct etl_text *array, const char *list, const struct into_parents *like)
{
	struct into_parents parents = *like;
	int rc;

	etl_text_add(array, "}");
	parents.columns = array->at;
	rc = array->failed ? postgres_no_memory(n->p->inst, n->p->err) :
			     check_children(n, list, &parents, INTO_ANYBODYS, fail_handed_on);
	etl_text_free(array);
	return rc;
}

/* What the update will set, and what another row's value makes NULL before. */
int into_check_changed(struct into *n)
{
	const struct etl_load *load = n->part->load;
	struct etl_text columns = { 0 };
	char buf[WHICH_MAX];
	const struct into_parents parents = { .oid = n->part->old.oid,
					      .which = which(n, buf, sizeof(buf), "rows"),
					      .now = "s" };

	etl_text_add(&columns, "{");
	for (size_t i = 0; i < load->table->column_count; i++)
		if (postgres_into_sets(load, into_column(load->table, i)))
			add_element(&columns, into_column(load->table, i)->name);
	return check_columns(n, &columns, "rows", &parents);
}

int into_check_out(struct into *n, const struct etl_step *step)
{
	struct etl_text columns = { 0 };
	char buf[WHICH_MAX];
	const struct into_parents parents = { .oid = n->part->old.oid,
					      .which = which(n, buf, sizeof(buf), "out") };

	etl_text_add(&columns, "{");
	/* The object is "table.column". */
	add_element(&columns, step->object + strlen(n->part->load->table->name) + 1);
	return check_columns(n, &columns, "out", &parents);
}

/* ---- Those that go themselves ------------------------------------------------------------------------------------ */

/* Until nobody is added: children may have children. */
static int call_all(struct into *n, uint64_t *ret)
{
	struct publishing *p = n->p;
	int rc = ETL_OK;

	*ret = 0;
	for (size_t i = 0; rc == ETL_OK && i < p->count; i++) {
		char buf[WHICH_MAX];
		struct into_parents parents = { .oid = p->parts[i].old.oid };

		if (!into_deletes(&p->parts[i]) || !into_takes_part(n, i))
			continue;
		n->part = &p->parts[i];
		parents.which = which(n, buf, sizeof(buf), "room");
		rc = into_call_children(p->inst, n->tables, p->count, &parents, ret, p->err);
	}
	return rc;
}

int into_call(struct into *n)
{
	struct publishing *p = n->p;
	uint64_t added = n->in_the_way;
	int rc = ETL_OK;

	while (rc == ETL_OK && added)
		rc = call_all(n, &added);
	for (size_t i = 0; rc == ETL_OK && n->in_the_way && i < p->count; i++) {
		char buf[WHICH_MAX];
		struct into_parents parents = { .oid = p->parts[i].old.oid, .going = "room" };

		if (!into_deletes(&p->parts[i]) || !into_takes_part(n, i))
			continue;
		n->part = &p->parts[i];
		parents.which = which(n, buf, sizeof(buf), "room");
		rc = check_children(n, "room", &parents, INTO_ANYBODYS, fail_early);
	}
	return rc;
}
