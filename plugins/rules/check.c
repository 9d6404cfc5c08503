/*
 * Rules over what will be published, one pass for all of them: those that warn or fail the table, and for the
 * verb `validate`, which looks at rows that no wrap has seen, the others too. Every rule that is broken is one
 * finding, with the number of rows and the first of them.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "columns.h"
#include "rules.h"

#define SHOWN_KEYS 5 /* rows named in a finding */

/* What a test has found. */
struct result {
	bool asked;
	uint64_t rows;
	struct etl_text first; /* the first row's reason */
	struct etl_text keys;  /* the first rows' names */
	struct rules_seen
		*seen;	 /* of unique: the values so far; of references: those of the parent */
	bool *as_number; /* beside the columns, of references */
	struct etl_text key;
};

struct checking {
	struct etl_instance *self;
	struct etl_error *err;
	const struct etl_table *table;
	struct rules_plan plan;
	struct result *results; /* beside the plan */
	int64_t *id;		/* columns of the primary key in the rows */
	size_t id_count;
	uint64_t rows;
};

static int no_memory(const struct checking *c)
{
	return c->self->host->fail(c->err, ETL_MEMORY, NULL, 0, "no memory for the rules of \"%s\"",
				   c->table->name);
}

static int cannot_spill(const struct checking *c, const char *why)
{
	return c->self->host->fail(
		c->err, ETL_MEMORY, NULL, 0,
		"rules: the values of \"%s\" cannot be kept: %s; they go to a temporary file in "
		"$TMPDIR, or /var/tmp",
		c->table->name, why);
}

/* ---- The rows of a side, batch by batch ---- */

struct reading {
	struct ArrowArrayStream stream;
	struct ArrowSchema schema;
	struct ArrowArray batch;
	struct etl_view *view;
};

static int reading_open(struct checking *c, struct etl_peer *peer, struct reading *r)
{
	static const struct etl_range all = { .kind = ETL_RANGE_ALL };
	int rc;

	*r = (struct reading){ .stream = { .release = NULL } };
	rc = c->self->host->peer_read(peer, &all, &r->stream, c->err);
	if (rc < 0)
		return rc;
	if (r->stream.get_schema(&r->stream, &r->schema) != 0)
		return ETL_FAILED;
	r->view = etl_view_new(&r->schema);
	return r->view ? ETL_OK : no_memory(c);
}

static void reading_close(struct reading *r)
{
	if (r->batch.release)
		r->batch.release(&r->batch);
	if (r->schema.release)
		r->schema.release(&r->schema);
	if (r->stream.release)
		r->stream.release(&r->stream);
	etl_view_free(r->view);
}

/* 1: the next batch is in VIEW; 0: there is none; or failed, whoever made the stream has said why. */
static int reading_next(struct checking *c, struct reading *r)
{
	int rc;

	if (r->batch.release)
		r->batch.release(&r->batch);
	r->batch = (struct ArrowArray){ .release = NULL };
	if (c->self->host->canceled(c->self->host))
		return ETL_CANCELED;
	rc = r->stream.get_next(&r->stream, &r->batch);
	if (rc == ECANCELED)
		return ETL_CANCELED;
	if (rc != 0)
		return ETL_FAILED;
	if (!r->batch.release)
		return 0;
	return etl_view_set(r->view, &r->batch) ? 1 : no_memory(c);
}

/* ---- The other side of a reference ---- */

static bool is_number(int32_t type)
{
	return type >= ETL_INT16 && type <= ETL_NUMERIC;
}

/* The columns of PARENT that the test's are compared with, in its rows. */
static int parent_columns(struct checking *c, const struct rules_test *t,
			  const struct etl_table *parent, const struct reading *r,
			  struct result *result, int64_t *at)
{
	const struct rules_rule *rule = t->rule;
	const char *const *names = rule->parent_count ? (const char *const *)rule->parent_columns :
							parent->primary.columns;

	if (!rule->parent_count && parent->primary.column_count != t->column_count)
		return c->self->host->fail(
			c->err, ETL_USAGE, NULL, 0,
			"rules: references: the primary key of \"%s\" has %zu columns, the rule "
			"for %s has %zu; give references its columns",
			parent->name, parent->primary.column_count, t->names, t->column_count);
	for (size_t i = 0; i < t->column_count; i++) {
		int64_t column = etl_column_find(parent, names[i]);

		at[i] = column < 0 ? -1 :
				     etl_schema_find(&r->schema,
						     etl_column_at(parent, (size_t)column)->name);
		if (at[i] < 0)
			return c->self->host->fail(c->err, ETL_USAGE, NULL, 0,
						   "rules: references: \"%s\" has no column \"%s\"",
						   parent->name, names[i]);
		result->as_number[i] = is_number(etl_column_at(parent, (size_t)column)->type) ||
				       is_number(etl_column_at(c->table, t->columns[i])->type);
	}
	return ETL_OK;
}

static int add_parents(struct checking *c, const struct rules_test *t, struct reading *r,
		       struct result *result, const int64_t *at)
{
	const char *why = NULL;
	int rc;

	while ((rc = reading_next(c, r)) == 1)
		for (int64_t row = 0; row < r->view->rows; row++) {
			struct etl_text *key = &result->key;
			int has = rules_key(r->view, at, result->as_number, t->column_count, false,
					    row, key);

			if (has < 0)
				return no_memory(c);
			if (has == 0)
				continue;
			has = rules_seen_has(result->seen, key->at, key->length, &why);
			if (has == 0)
				has = rules_seen_add(result->seen, key->at, key->length, &why);
			if (has < 0)
				return cannot_spill(c, why);
		}
	return rc;
}

static int read_parents(struct checking *c, const struct rules_test *t, struct etl_peer *into,
			struct result *result)
{
	const struct etl_host *host = c->self->host;
	const struct etl_table *parent = NULL;
	struct etl_peer *peer = NULL;
	struct reading r = { .stream = { .release = NULL } };
	int64_t *at = calloc(t->column_count, sizeof(*at));
	int rc;

	result->as_number = calloc(t->column_count, sizeof(*result->as_number));
	rc = at && result->as_number ? ETL_OK : no_memory(c);
	if (rc == ETL_OK)
		rc = host->peer_other(into, t->rule->parent, &peer, c->err);
	if (rc == ETL_OK)
		rc = host->peer_describe(peer, &parent, c->err);
	if (rc == ETL_OK)
		rc = reading_open(c, peer, &r);
	if (rc == ETL_OK)
		rc = parent_columns(c, t, parent, &r, result, at);
	if (rc == ETL_OK)
		rc = add_parents(c, t, &r, result, at);
	reading_close(&r);
	free(at);
	return rc;
}

/* ---- One row ---- */

static void add_row_name(const struct checking *c, const struct etl_view *view, int64_t row,
			 struct etl_text *text)
{
	if (c->id_count == 0)
		etl_text_addf(text, "row %" PRIu64, c->rows + (uint64_t)row + 1);
	for (size_t i = 0; i < c->id_count; i++) {
		etl_text_addf(text, "%s%s=", i > 0 ? " " : "", c->table->primary.columns[i]);
		etl_text_add_value(text, &view->columns[c->id[i]], row);
	}
}

static void note(const struct checking *c, struct result *result, const struct etl_view *view,
		 int64_t row, struct etl_text *why)
{
	if (result->rows++ == 0) {
		result->first = *why;
		*why = (struct etl_text){ 0 };
	}
	if (result->rows > SHOWN_KEYS)
		return;
	if (result->rows > 1)
		etl_text_add(&result->keys, ", ");
	add_row_name(c, view, row, &result->keys);
}

/* Whether a value is there already, or is there at all. */
static int look_up(const struct checking *c, const struct rules_test *t, struct result *result,
		   const struct etl_view *view, int64_t row, struct etl_text *why)
{
	bool unique = t->kind == RULES_UNIQUE;
	struct etl_text *key = &result->key;
	const char *words = NULL;
	int there = rules_key(view, t->at, result->as_number, t->column_count, t->rule->nulls_equal,
			      row, key);
	int r = 0;

	if (there < 0)
		return no_memory(c);
	if (there == 0)
		return 1;
	there = rules_seen_has(result->seen, key->at, key->length, &words);
	if (there == 0 && unique)
		r = rules_seen_add(result->seen, key->at, key->length, &words);
	if (there < 0 || r < 0)
		return cannot_spill(c, words);
	if ((there == 1) != unique)
		return 1;
	rules_say_key(why, t, view, row, unique ? rules_earlier(t) : rules_missing(t));
	return 0;
}

static int test_row(const struct checking *c, size_t i, const struct etl_view *view, int64_t row)
{
	const struct rules_test *t = &c->plan.at[i];
	struct result *result = &c->results[i];
	struct etl_text why = { 0 };
	int r = t->kind >= RULES_UNIQUE ? look_up(c, t, result, view, row, &why) :
					  rules_test_row(c->self, t, view, row, &why);

	if (r == 0)
		note(c, result, view, row, &why);
	else if (r < 0 && t->kind < RULES_UNIQUE)
		c->self->host->fail(c->err, ETL_USAGE, NULL, 0, "%s",
				    why.failed ? "rules: a regex gave up" : why.at);
	etl_text_free(&why);
	return r < 0 ? r : ETL_OK;
}

static int read_rows(struct checking *c, struct reading *r)
{
	int rc;

	while ((rc = reading_next(c, r)) == 1) {
		for (int64_t row = 0; row < r->view->rows; row++)
			for (size_t i = 0; i < c->plan.count; i++)
				if (c->results[i].asked && test_row(c, i, r->view, row) < 0)
					return ETL_FAILED;
		c->rows += (uint64_t)r->view->rows;
	}
	return rc;
}

/* ---- Findings ---- */

static int32_t severity_of(const struct rules_test *t)
{
	return t->rule->severity == RULES_WARN ? ETL_WARN : ETL_FAIL;
}

static int emit(const struct checking *c, size_t i, struct etl_finding_sink *sink)
{
	const struct rules_test *t = &c->plan.at[i];
	const struct result *result = &c->results[i];
	struct etl_finding finding = { .severity = severity_of(t),
				       .extent = "full",
				       .code = rules_code(t->kind),
				       .column = t->names,
				       .rows = result->rows };
	struct etl_text text = { 0 };
	int r;

	etl_text_addf(
		&text, "%" PRIu64 " row%s a rule: %s; %s%s", result->rows,
		result->rows == 1 ? " breaks" : "s break", result->first.at ? result->first.at : "",
		result->keys.at ? result->keys.at : "", result->rows > SHOWN_KEYS ? ", …" : "");
	finding.key = result->keys.at;
	finding.message = text.at;
	r = text.failed || result->keys.failed || result->first.failed ? no_memory(c) :
									 sink->emit(sink, &finding);
	etl_text_free(&text);
	return r;
}

/* What fails the table comes first, so that it is what the person reads. */
static int emit_all(const struct checking *c, struct etl_finding_sink *sink)
{
	struct etl_finding finding = { .extent = "full", .code = "rules_hold", .rows = 0 };
	struct etl_text text = { 0 };
	size_t asked = 0, broken = 0;
	int r = ETL_OK;

	for (int32_t severity = ETL_FAIL; severity >= ETL_WARN; severity--)
		for (size_t i = 0; r == ETL_OK && i < c->plan.count; i++)
			if (c->results[i].rows > 0 && severity_of(&c->plan.at[i]) == severity) {
				r = emit(c, i, sink);
				broken++;
			}
	for (size_t i = 0; i < c->plan.count; i++)
		asked += c->results[i].asked;
	if (r != ETL_OK || broken > 0)
		return r;
	etl_text_addf(&text, "%zu rule%s hold%s in %" PRIu64 " row%s", asked, asked == 1 ? "" : "s",
		      asked == 1 ? "s" : "", c->rows, c->rows == 1 ? "" : "s");
	if (asked == 0)
		finding.extent = "on the way";
	finding.message = asked ? text.at : "every row was looked at on its way";
	r = text.failed ? no_memory(c) : sink->emit(sink, &finding);
	etl_text_free(&text);
	return r;
}

/* ---- All of it ---- */

static int find_id(struct checking *c, const struct ArrowSchema *schema)
{
	const struct etl_key *key = &c->table->primary;

	c->id = calloc(key->column_count + 1, sizeof(*c->id));
	if (!c->id)
		return no_memory(c);
	for (size_t i = 0; i < key->column_count; i++) {
		c->id[i] = etl_schema_find(schema, key->columns[i]);
		if (c->id[i] < 0)
			return ETL_OK;
	}
	c->id_count = key->column_count;
	return ETL_OK;
}

/* Rules that reject were asked on the rows' way, or by the target, when this run has led them by. */
static int choose(struct checking *c, size_t *ret_asked)
{
	int64_t sets = 0;

	c->results = calloc(c->plan.count + 1, sizeof(*c->results));
	if (!c->results)
		return no_memory(c);
	for (size_t i = 0; i < c->plan.count; i++) {
		c->results[i].asked = c->plan.at[i].rule->severity != RULES_REJECT ||
				      !c->self->host->loaded;
		*ret_asked += c->results[i].asked;
		sets += c->results[i].asked && c->plan.at[i].kind >= RULES_UNIQUE;
	}
	for (size_t i = 0; i < c->plan.count; i++) {
		if (!c->results[i].asked || c->plan.at[i].kind < RULES_UNIQUE)
			continue;
		c->results[i].seen = rules_seen_new(c->self->host->memory / 2 / sets);
		if (!c->results[i].seen)
			return no_memory(c);
	}
	return ETL_OK;
}

static int check_rows(struct checking *c, struct etl_peer *into)
{
	struct reading r;
	int rc = ETL_OK;

	for (size_t i = 0; rc == ETL_OK && i < c->plan.count; i++)
		if (c->results[i].asked && c->plan.at[i].kind == RULES_REFERENCES)
			rc = read_parents(c, &c->plan.at[i], into, &c->results[i]);
	if (rc != ETL_OK)
		return rc;
	rc = reading_open(c, into, &r);
	if (rc == ETL_OK)
		rc = rules_plan_place(c->self, &c->plan, c->table, &r.schema, c->err);
	if (rc == ETL_OK)
		rc = find_id(c, &r.schema);
	if (rc == ETL_OK)
		rc = read_rows(c, &r);
	reading_close(&r);
	return rc;
}

static void checking_free(struct checking *c)
{
	for (size_t i = 0; c->results && i < c->plan.count; i++) {
		struct result *result = &c->results[i];

		etl_text_free(&result->first);
		etl_text_free(&result->keys);
		etl_text_free(&result->key);
		rules_seen_free(result->seen);
		free(result->as_number);
	}
	free(c->results);
	free(c->id);
	rules_plan_free(&c->plan);
}

int rules_check(struct etl_instance *self, struct etl_peer *from, struct etl_peer *into,
		struct etl_finding_sink *sink, struct etl_error *err)
{
	struct checking c = { .self = self, .err = err };
	size_t asked = 0;
	int rc = self->host->peer_describe(into, &c.table, err);

	(void)from;
	if (rc == ETL_OK)
		rc = rules_plan_make(self, c.table, &c.plan, err);
	if (rc == ETL_OK)
		rc = choose(&c, &asked);
	if (rc == ETL_OK && asked > 0)
		rc = check_rows(&c, into);
	if (rc == ETL_OK)
		rc = emit_all(&c, sink);
	checking_free(&c);
	return rc;
}
