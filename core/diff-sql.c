/*
 * The repair: what the target's own plugin writes for each difference (schema.repair), in an order that keeps
 * foreign keys and unique values whole where one order can. Parents come before children in the run's order of
 * tables, so rows are put in in that order and taken out against it. Put in first, no row ever lacks its parent;
 * but a row that goes may hold a unique value that a new one wants, so where a table has unique values beside
 * its key, what goes goes first.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "diff-pair.h"
#include "diff-print.h"

struct script {
	struct run *run;
	struct etl_sql_sink sink;
	FILE *out;
	const char *prefix;
	bool undo;
	bool line_begun;
	struct etl_error *err;
};

/* A text may go over several lines: each has the prefix. */
static int on_sql(struct etl_sql_sink *self, const char *sql, size_t size)
{
	struct script *s = (struct script *)(void *)((char *)self - offsetof(struct script, sink));

	for (size_t i = 0; i < size; i++) {
		if (!s->line_begun)
			fputs(s->prefix, s->out);
		fputc(sql[i], s->out);
		/* Some shells end a comment at a CR, which a name may hold. */
		s->line_begun = sql[i] != '\n' && sql[i] != '\r';
	}
	return 0;
}

static int emit(struct script *s, const struct etl_repair *repair)
{
	struct instance *target = s->run->target;

	return target->plugin->schema.repair(target->self, repair, &s->sink,
					     instance_error(target, s->err));
}

static int emit_edge(struct script *s, int32_t kind)
{
	struct etl_repair repair = { .kind = kind };

	return emit(s, &repair);
}

/* What is to be done about a difference. An undo is the repair of the other side. */
static int32_t repair_kind(const struct script *s, int32_t kind)
{
	if (kind == DIFF_CHANGED)
		return ETL_REPAIR_UPDATE;
	return (kind == DIFF_NEW) != s->undo ? ETL_REPAIR_INSERT : ETL_REPAIR_DELETE;
}

static int emit_row(struct script *s, const struct diff_pair *p, int32_t kind, const char *const *key)
{
	const struct ArrowArray *source = p->source.release ? &p->source : NULL;
	const struct ArrowArray *target = p->target.release ? &p->target : NULL;
	struct etl_repair repair = {
		.kind = kind,
		.table = p->job->existing,
		.key = key,
		.key_count = p->job->key_count,
		.schema = &p->job->rows,
		.before = s->undo ? source : target,
		.after = s->undo ? target : source,
		.columns = p->changed,
		.column_count = p->changed_count,
		.rows = 1,
	};

	return emit(s, &repair);
}

static const char **key_names(const struct job *job)
{
	const char **names = calloc(job->key_count + 1, sizeof(*names));

	for (size_t i = 0; names && i < job->key_count; i++)
		names[i] = job->rows.children[job->key[i]]->name;
	return names;
}

/* All statements of one kind of one table. */
static int emit_table(struct script *s, struct diff *d, int32_t kind)
{
	struct diff_pair pair;
	struct diff_found found;
	const char **key = key_names(d->job);
	int rc = diff_pair_init(&pair, d->job) && key ? diff_spool_rewind(d->found, s->err) :
							error_memory(s->err);

	while (rc == 0 && (rc = diff_spool_next(d->found, &found, s->err)) > 0) {
		rc = 0;
		if (repair_kind(s, found.kind) != kind)
			continue;
		rc = diff_pair_set(&pair, &found) ? emit_row(s, &pair, kind, key) :
						    error_memory(s->err);
	}
	diff_pair_clear(&pair);
	free(key);
	return rc;
}

static int emit_all(struct script *s, struct diff *all, size_t count, int32_t kind)
{
	int rc = 0;

	for (size_t i = 0; i < count && rc == 0; i++) {
		struct diff *d = &all[kind == ETL_REPAIR_DELETE ? count - 1 - i : i];

		if (d->added + d->deleted + d->changed)
			rc = emit_table(s, d, kind);
	}
	return rc;
}

/* Whether two rows of a table with different keys may still not be there at once: unique values beside the key,
 * or keys that a collation takes for one. */
static bool is_crowded(const struct etl_table *table)
{
	bool crowded = table->unique_count > 0;

	for (size_t i = 0; i < table->index_count; i++)
		crowded |= (ETL_AT(const struct etl_index, table->indexes, table->index_size, i)->flags &
			    ETL_INDEX_UNIQUE) != 0;
	for (size_t i = 0; i < table->primary.column_count; i++) {
		int64_t at = table_find_column(table, table->primary.columns[i]);

		crowded |= (table->primary.collations && table->primary.collations[i]) ||
			   (at >= 0 && table_column(table, (size_t)at)->collation);
	}
	return crowded;
}

static bool takes_out_first(const struct diff *all, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct diff *d = &all[i];

		if ((d->added > 0) + (d->deleted > 0) + (d->changed > 0) > 1 &&
		    is_crowded(d->job->existing))
			return true;
	}
	return false;
}

int diff_print_sql(struct run *run, struct diff *all, size_t count, bool undo, const char *prefix,
		   FILE *out, struct etl_error *err)
{
	static const int32_t in_first[] = { ETL_REPAIR_INSERT, ETL_REPAIR_UPDATE, ETL_REPAIR_DELETE };
	static const int32_t out_first[] = { ETL_REPAIR_DELETE, ETL_REPAIR_UPDATE, ETL_REPAIR_INSERT };
	const int32_t *order = takes_out_first(all, count) ? out_first : in_first;
	struct script s = { .run = run,
			    .sink = { on_sql },
			    .out = out,
			    .prefix = prefix,
			    .undo = undo,
			    .err = err };
	int rc = emit_edge(&s, ETL_REPAIR_BEGIN);

	for (size_t i = 0; i < 3 && rc == 0; i++)
		rc = emit_all(&s, all, count, order[i]);
	return rc < 0 ? rc : emit_edge(&s, ETL_REPAIR_END);
}
