/*
 * What stands in for the optional members of store, source, target and schema. A default does the
 * least that is true: one split of everything, a content that nothing identifies, nothing recalled.
 * The ones that nobody can stand in for fail, and the can_… flags tell the host not to ask.
 */
#include "config.h"

#include <stddef.h>
#include <stdio.h>

#include "normalise.h"

static int no_ping(struct etl_instance *i, struct etl_fact_sink *sink, struct etl_error *err)
{
	(void)i;
	(void)sink;
	(void)err;
	return ETL_OK;
}

static int no_digest(struct etl_instance *i, const struct etl_dataset *dataset,
		     const struct etl_range *range, int32_t hash, struct etl_digest *ret,
		     struct etl_error *err)
{
	(void)i;
	(void)dataset;
	(void)range;
	(void)hash;
	(void)ret;
	return error_set(err, ETL_BUG, "this store computes no digests: the host must");
}

static int no_hashes(struct etl_instance *i, const struct etl_digest_ask *ask,
		     const struct ArrowSchema *schema, const struct ArrowArray *rows, uint64_t *ret,
		     struct etl_error *err)
{
	(void)i;
	(void)ask;
	(void)schema;
	(void)rows;
	(void)ret;
	return error_set(err, ETL_USAGE, "this store hashes no rows itself");
}

static int no_digests(struct etl_instance *i, const struct etl_digest_ask *ask,
		      struct etl_digest_sink *sink, struct etl_error *err)
{
	(void)i;
	(void)ask;
	(void)sink;
	return error_set(err, ETL_BUG, "this store computes no digests: the host must");
}

static int no_bounds(struct etl_instance *i, const struct etl_dataset *dataset, const char *column,
		     int64_t *ret_least, int64_t *ret_most, struct etl_error *err)
{
	(void)i;
	(void)dataset;
	(void)ret_least;
	(void)ret_most;
	return error_set(err, ETL_BUG, "this store does not say the bounds of column %s", column);
}

static int no_totals(struct etl_instance *i, const struct etl_totals_ask *ask, struct etl_total_sink *sink,
		     struct etl_error *err)
{
	(void)i;
	(void)ask;
	(void)sink;
	return error_set(err, ETL_USAGE, "this store adds nothing up itself");
}

static int no_pin(struct etl_instance *i, struct etl_token *ret, struct etl_error *err)
{
	(void)i;
	(void)err;
	snprintf(ret->text, sizeof(ret->text), "none");
	return ETL_OK;
}

static int no_join(struct etl_instance *i, const struct etl_token *token, struct etl_error *err)
{
	(void)i;
	(void)token;
	(void)err;
	return ETL_OK;
}

static int one_split(struct etl_instance *i, const struct etl_read *read, int64_t wanted,
		     struct etl_split_sink *sink, struct etl_error *err)
{
	const struct etl_split everything = { .rows = ETL_UNKNOWN };

	(void)i;
	(void)read;
	(void)wanted;
	(void)err;
	return sink->emit(sink, &everything);
}

static int no_watermark(struct etl_instance *i, const struct etl_read *read, struct etl_token *ret,
			struct etl_error *err)
{
	(void)i;
	(void)ret;
	return error_set(err, ETL_USAGE, "this source cannot say how far the cursor %s has come",
			 read->cursor ? read->cursor : "(none)");
}

static int no_profile(struct etl_instance *i, const struct etl_dataset *dataset,
		      struct etl_profile_sink *sink, struct etl_error *err)
{
	(void)i;
	(void)dataset;
	(void)sink;
	(void)err;
	return ETL_OK;
}

static int not_staged(struct etl_instance *i, const struct etl_load *load,
		      const struct etl_token *token, struct etl_dataset_sink *sink,
		      struct etl_error *err)
{
	(void)i;
	(void)load;
	(void)token;
	(void)sink;
	(void)err;
	return ETL_OK;
}

static int no_recall(struct etl_instance *i, const char *pipeline, struct etl_state_sink *sink,
		     struct etl_error *err)
{
	(void)i;
	(void)pipeline;
	(void)sink;
	(void)err;
	return ETL_OK;
}

static int no_mark(struct etl_instance *i, const struct etl_token *stage, struct etl_token *ret,
		   struct etl_error *err)
{
	(void)i;
	(void)stage;
	(void)err;
	snprintf(ret->text, sizeof(ret->text), "none");
	return ETL_OK;
}

static int never_known(struct etl_instance *i, const struct etl_token *stage,
		       const struct etl_token *mark, int32_t *ret, struct etl_error *err)
{
	(void)i;
	(void)stage;
	(void)mark;
	(void)err;
	*ret = ETL_UNKNOWN;
	return ETL_OK;
}

static int no_seal(struct etl_instance *i, const struct etl_commit *commit, struct etl_token *ret,
		   struct etl_error *err)
{
	(void)i;
	(void)commit;
	(void)err;
	ret->text[0] = '\0';
	return ETL_OK;
}

static int not_sealed(struct etl_instance *i, const struct etl_token *seal, int32_t *ret,
		      struct etl_error *err)
{
	(void)i;
	(void)seal;
	(void)err;
	*ret = 0;
	return ETL_OK;
}

static int no_revert(struct etl_instance *i, const char *run, const struct etl_token *seal,
		     struct etl_error *err)
{
	(void)i;
	(void)seal;
	return error_set(err, ETL_USAGE, "this target cannot take run %s back", run);
}

static int32_t never_respelt(const struct etl_column *column)
{
	(void)column;
	return 0;
}

static const char *no_place(struct etl_instance *i, const struct etl_table *table)
{
	(void)i;
	(void)table;
	return NULL;
}

static int no_repair(struct etl_instance *i, const struct etl_repair *repair,
		     struct etl_sql_sink *sink, struct etl_error *err)
{
	(void)i;
	(void)repair;
	(void)sink;
	return error_set(err, ETL_USAGE, "this target writes no SQL that repairs it");
}

static int nothing_given(struct etl_instance *i, struct etl_table_sink *sink, struct etl_error *err)
{
	(void)i;
	(void)sink;
	(void)err;
	return ETL_OK;
}

static int no_keep(struct etl_instance *i, const struct etl_load *load, const struct etl_token *token,
		   const struct etl_part *part, const struct etl_keep *keep, struct ArrowArrayStream *stream,
		   struct etl_error *err)
{
	(void)i;
	(void)load;
	(void)token;
	(void)part;
	(void)keep;
	(void)stream;
	return error_set(err, ETL_USAGE, "this target keeps nothing between runs");
}

static int nothing_kept(struct etl_instance *i, const struct etl_keep *keep, struct etl_dataset_sink *sink,
			struct etl_error *err)
{
	(void)i;
	(void)keep;
	(void)sink;
	(void)err;
	return ETL_OK;
}

static int by_bytes(struct etl_instance *i, const struct etl_load *load, const struct etl_column *column, int32_t *ret, char *words,
		    size_t size, struct etl_error *err)
{
	(void)i;
	(void)load;
	(void)column;
	(void)words;
	(void)size;
	(void)err;
	*ret = 0;
	return ETL_OK;
}

static int no_form(int32_t compares, const void *value, size_t size, struct etl_form_sink *sink)
{
	(void)compares;
	return sink->emit(sink, value, size);
}

static int nobody_asked(struct etl_instance *i, const struct etl_load *load, const struct ArrowSchema *schema,
			const struct ArrowArray *rows, int64_t *ret, int32_t *ret_asked, struct etl_error *err)
{
	(void)i;
	(void)load;
	(void)schema;
	(void)rows;
	(void)ret;
	(void)err;
	*ret_asked = 0;
	return ETL_OK;
}

static int32_t own_type(const struct etl_column *column)
{
	return column->type;
}

static int no_version(struct etl_instance *i, struct etl_version *ret, struct etl_error *err)
{
	(void)i;
	(void)err;
	*ret = (struct etl_version){ ETL_UNKNOWN, ETL_UNKNOWN };
	return ETL_OK;
}

/* ---- The tables ------------------------------------------------------------------------------ */

static int fill_digests(struct plugin *p, struct etl_error *err)
{
	struct etl_store *s = &p->store;

	p->can_digests = s->hashes && s->digests && s->bounds;
	if (!p->can_digests && (s->hashes || s->digests || s->bounds))
		return normalise_missing(
			"store.hashes, store.digests and store.bounds together, or none of them",
			err);
	if (!p->can_digests) {
		s->hashes = no_hashes;
		s->digests = no_digests;
		s->bounds = no_bounds;
	}
	return ETL_OK;
}

static int fill_store(struct plugin *p, struct etl_error *err)
{
	const struct etl_store *from = p->base.store;
	const struct table_copy copy = { "struct etl_store", from->size,
					 THROUGH(struct etl_store, describe), sizeof(p->store) };

	if (normalise_table(&copy, &p->store, from, err) < 0)
		return ETL_FAILED;
	if (!p->store.describe)
		return normalise_missing("store.describe", err);
	p->has_store = true;
	p->can_ping = p->store.ping;
	p->can_digest = p->store.digest;
	if (!p->can_ping)
		p->store.ping = no_ping;
	if (!p->can_digest)
		p->store.digest = no_digest;
	p->can_totals = p->store.totals;
	if (!p->can_totals)
		p->store.totals = no_totals;
	return fill_digests(p, err);
}

static int fill_pin(struct plugin *p, struct etl_error *err)
{
	struct etl_source *s = &p->source;

	p->can_pin = s->pin && s->join && s->stamp;
	if (!p->can_pin && (s->pin || s->join || s->stamp))
		return normalise_missing(
			"source.pin, source.join and source.stamp together, or none of them", err);
	if (!p->can_pin) {
		s->pin = no_pin;
		s->join = no_join;
		s->stamp = no_pin;
	}
	return ETL_OK;
}

static int fill_source(struct plugin *p, struct etl_error *err)
{
	const struct etl_source *from = p->base.source;
	const struct table_copy copy = { "struct etl_source", from->size,
					 THROUGH(struct etl_source, read), sizeof(p->source) };

	if (normalise_table(&copy, &p->source, from, err) < 0)
		return ETL_FAILED;
	if (!p->source.read)
		return normalise_missing("source.read", err);
	if (fill_pin(p, err) < 0)
		return ETL_FAILED;
	p->has_source = true;
	p->can_split = p->source.plan;
	p->can_watermark = p->source.watermark;
	p->can_profile = p->source.profile;
	p->can_propose = p->source.propose;
	p->can_backup = p->source.backup;
	p->can_profile_split = p->source.profile_split && p->can_profile && p->can_split && p->can_pin;
	if (!p->can_split)
		p->source.plan = one_split;
	if (!p->can_watermark)
		p->source.watermark = no_watermark;
	if (!p->can_profile)
		p->source.profile = no_profile;
	return ETL_OK;
}

static int check_target(const struct plugin *p, struct etl_error *err)
{
	const struct etl_target *t = &p->target;

	if (!t->begin)
		return normalise_missing("target.begin", err);
	if (!t->load)
		return normalise_missing("target.load", err);
	if (!t->commit)
		return normalise_missing("target.commit", err);
	if (!t->abort)
		return normalise_missing("target.abort", err);
	if (t->flags & ETL_KEEPS_STATE && !t->recall)
		return normalise_missing("target.recall, though it promises ETL_KEEPS_STATE", err);
	if (t->flags & ETL_DDL && !p->base.schema)
		return normalise_missing("schema, though it promises ETL_DDL", err);
	return ETL_OK;
}

static int fill_pairs(struct plugin *p, struct etl_error *err)
{
	struct etl_target *t = &p->target;

	if (!t->mark != !t->since)
		return normalise_missing("target.mark and target.since together, or neither", err);
	if (!t->seal != !t->sealed)
		return normalise_missing("target.seal and target.sealed together, or neither", err);
	if (!t->keep != !t->kept)
		return normalise_missing("target.keep and target.kept together, or neither", err);
	p->can_same = t->compares && t->form && t->same;
	if (!p->can_same && (t->compares || t->form || t->same))
		return normalise_missing("target.compares, target.form and target.same together, or none of them", err);
	if (!p->can_same) {
		t->compares = by_bytes;
		t->form = no_form;
		t->same = nobody_asked;
	}
	p->can_keep = t->keep;
	if (!p->can_keep) {
		t->keep = no_keep;
		t->kept = nothing_kept;
	}
	p->can_mark = t->mark;
	p->can_seal = t->seal;
	p->can_revert = t->revert;
	if (!p->can_mark) {
		t->mark = no_mark;
		t->since = never_known;
	}
	if (!p->can_seal) {
		t->seal = no_seal;
		t->sealed = not_sealed;
	}
	if (!p->can_revert)
		t->revert = no_revert;
	return ETL_OK;
}

static int fill_target(struct plugin *p, struct etl_error *err)
{
	const struct etl_target *from = p->base.target;
	const struct table_copy copy = { "struct etl_target", from->size,
					 THROUGH(struct etl_target, abort), sizeof(p->target) };

	if (normalise_table(&copy, &p->target, from, err) < 0 || check_target(p, err) < 0)
		return ETL_FAILED;
	p->has_target = true;
	p->can_staged = p->target.staged;
	p->can_recall = p->target.recall;
	p->can_takes = p->target.takes;
	if (!p->can_staged)
		p->target.staged = not_staged;
	if (!p->can_recall)
		p->target.recall = no_recall;
	if (!p->can_takes)
		p->target.takes = own_type;
	p->can_version = p->target.version;
	if (!p->can_version)
		p->target.version = no_version;
	if (!p->target.place)
		p->target.place = no_place;
	if (!p->target.respells)
		p->target.respells = never_respelt;
	return fill_pairs(p, err);
}

static int fill_schema(struct plugin *p, struct etl_error *err)
{
	const struct etl_schema *from = p->base.schema;
	const struct table_copy copy = { "struct etl_schema", from->size,
					 THROUGH(struct etl_schema, apply), sizeof(p->schema) };

	if (normalise_table(&copy, &p->schema, from, err) < 0)
		return ETL_FAILED;
	if (!p->schema.design)
		return normalise_missing("schema.design", err);
	if (!p->schema.apply)
		return normalise_missing("schema.apply", err);
	if (!p->schema.given)
		p->schema.given = nothing_given;
	p->has_schema = true;
	p->can_repair = p->schema.repair;
	if (!p->can_repair)
		p->schema.repair = no_repair;
	return ETL_OK;
}

int normalise_store(struct plugin *p, struct etl_error *err)
{
	if (p->base.store && fill_store(p, err) < 0)
		return ETL_FAILED;
	if (p->base.source && fill_source(p, err) < 0)
		return ETL_FAILED;
	if (p->base.target && fill_target(p, err) < 0)
		return ETL_FAILED;
	if (p->base.schema && fill_schema(p, err) < 0)
		return ETL_FAILED;
	return ETL_OK;
}
