/*
 * The keys of an index are read and sorted while the one before it is written: the steps of a table come in the order of
 * its indexes. The thread only reads pages of the table, which nobody changes then, through a descriptor that is open for
 * as long as the staging file is; what it has made is used if the very index is asked for next and no row was
 * touched, and is thrown away otherwise.
 */
#include "config.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "pages.h"

struct page_ahead {
	struct page_making making;
	pthread_t thread;
	size_t memory;
	sqlite3_int64 changes; /* of the connection, when it was sure that no row was touched */
	bool ok;
};

static void *sort(void *data)
{
	struct page_ahead *a = data;

	a->ok = page_making_sort(&a->making, a->memory);
	return NULL;
}

/* Signals are for the threads that wait for them. */
static bool start_thread(struct page_ahead *a)
{
	sigset_t all, before;
	bool ok;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ok = pthread_create(&a->thread, NULL, sort, a) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return ok;
}

static const struct etl_index *index_after(const struct etl_table *t, const char *name)
{
	for (size_t i = 0; i + 1 < t->index_count; i++)
		if (sqlite3_stricmp(ETL_AT(const struct etl_index, t->indexes, t->index_size, i)->name, name) == 0)
			return ETL_AT(const struct etl_index, t->indexes, t->index_size, i + 1);
	return NULL;
}

int page_ahead_start(struct etl_instance *inst, const struct etl_load *load, const char *name, struct etl_error *err)
{
	const struct etl_index *next = index_after(load->given ? load->given : load->table, name);
	struct page_ahead *a;
	bool pass = false;
	int rc;

	if (!next || !next->ddl || inst->building->hold < 0)
		return ETL_OK;
	a = calloc(1, sizeof(*a));
	if (!a)
		return ETL_OK;
	a->making = (struct page_making){ .inst = inst, .err = err };
	a->memory = page_memory(inst) / 2;
	rc = page_making_look(&a->making, load->table->name, next->name, next->ddl, &pass);
	if (!rc && !pass && page_file_look(&a->making.file, inst->stage) == PAGES_DONE) {
		a->making.file.fd = inst->building->hold;
		a->making.err = NULL;
		if (start_thread(a)) {
			a->changes = -1;
			inst->building->ahead = a;
			return ETL_OK;
		}
	}
	page_making_free(&a->making);
	free(a);
	return rc;
}

void page_ahead_note(struct etl_instance *inst)
{
	if (inst->building->ahead)
		inst->building->ahead->changes = sqlite3_total_changes64(inst->stage);
}

void page_ahead_stop(struct sqlite_stage *stage)
{
	struct page_ahead *a = stage->ahead;

	if (!a)
		return;
	pthread_join(a->thread, NULL);
	page_making_free(&a->making);
	free(a);
	stage->ahead = NULL;
}

static bool is_same(const struct page_making *a, const struct page_making *b)
{
	return a->table.root == b->table.root && strcmp(a->table.name, b->table.name) == 0 &&
	       strcmp(a->table.sql, b->table.sql) == 0 && strcmp(a->sql, b->sql) == 0;
}

void page_ahead_take(struct etl_instance *inst, struct page_making *m)
{
	struct sqlite_stage *stage = inst->building;
	struct page_ahead *a = stage->ahead;

	if (!a || a->changes != sqlite3_total_changes64(inst->stage) || !is_same(&a->making, m))
		return;
	pthread_join(a->thread, NULL);
	if (a->ok) {
		m->keys = a->making.keys;
		a->making.keys = NULL;
	}
	page_making_free(&a->making);
	free(a);
	stage->ahead = NULL;
}
