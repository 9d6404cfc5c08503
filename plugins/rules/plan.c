/*
 * From the rules to the tests of one table. Everything that can be wrong with a rule on this table is found
 * here, before any row moves: a column that is not there, a bound that is no value of the column's type, a
 * length of a number.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "rules.h"

const char *rules_code(int kind)
{
	static const char *const codes[] = { "not_null", "range",  "length",	"regex",
					     "one_of",	 "unique", "references" };

	return codes[kind];
}

/* ---- What does not suit ---- */

static int unsuited(const struct etl_instance *self, const struct etl_table *table,
		    const struct etl_column *column, const char *why, const char *what,
		    struct etl_error *err)
{
	struct etl_type_info type = { column->type, column->precision, column->scale };
	char name[64];

	self->host->at(err, table->name, column->name, NULL);
	return self->host->fail(err, ETL_USAGE, NULL, 0,
				"rules: column \"%s\" of \"%s\" is %s: %s%s%s%s", column->name,
				table->name, etl_type_name(type, name, sizeof(name)), why,
				what ? " \"" : "", what ? what : "", what ? "\"" : "");
}

static bool has_length(int32_t type)
{
	return type == ETL_TEXT || type == ETL_BYTES || type == ETL_JSON || type == ETL_ANY ||
	       type == ETL_TYPE_NONE;
}

static int set_bounds(const struct etl_instance *self, const struct etl_table *table,
		      const struct etl_column *column, struct rules_test *t, struct etl_error *err)
{
	const struct rules_rule *rule = t->rule;
	int order = 0;

	t->has_min = rule->min != NULL;
	t->has_max = rule->max != NULL;
	if (t->has_min && !rules_bound_make(rule->min, column->type, &t->min))
		return unsuited(self, table, column, "`min` cannot be", rule->min, err);
	if (t->has_max && !rules_bound_make(rule->max, column->type, &t->max))
		return unsuited(self, table, column, "`max` cannot be", rule->max, err);
	if (t->has_min && t->has_max) {
		struct value v = { .form = FORM_TEXT,
				   .bytes = (const uint8_t *)rule->min,
				   .size = (int64_t)strlen(rule->min) };

		if (t->min.kind != t->max.kind ||
		    (rules_bound_compare(&v, &t->max, &order) && order > 0))
			return unsuited(self, table, column,
					"no value lies between `min` and `max` =", rule->max, err);
	}
	return ETL_OK;
}

/* ---- Tests ---- */

static void test_free(struct rules_test *t)
{
	free(t->columns);
	free(t->at);
	free(t->names);
}

void rules_plan_free(struct rules_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		test_free(&plan->at[i]);
	free(plan->at);
	*plan = (struct rules_plan){ 0 };
}

struct making {
	const struct etl_instance *self;
	const struct etl_table *table;
	struct rules_plan plan;
	struct etl_error *err;
};

static int no_memory(const struct making *m)
{
	return m->self->host->fail(m->err, ETL_MEMORY, NULL, 0, "no memory for the rules of \"%s\"",
				   m->table->name);
}

static bool set_names(const struct making *m, struct rules_test *t)
{
	struct etl_text text = { 0 };

	for (size_t i = 0; i < t->column_count; i++)
		etl_text_addf(&text, "%s%s", i > 0 ? ", " : "",
			      etl_column_at(m->table, t->columns[i])->name);
	t->names = etl_text_take(&text);
	return t->names != NULL;
}

/* A test of COUNT columns of the rule, from FIRST on. *RET is NULL when one is not there and that is ignored. */
static int add(struct making *m, const struct rules_rule *rule, int kind, size_t first,
	       size_t count, struct rules_test **ret)
{
	struct rules_test *more = realloc(m->plan.at, (m->plan.count + 1) * sizeof(*more)), *t;

	*ret = NULL;
	if (!more)
		return no_memory(m);
	m->plan.at = more;
	t = &more[m->plan.count];
	*t = (struct rules_test){ .kind = kind,
				  .rule = rule,
				  .columns = calloc(count, sizeof(*t->columns)),
				  .at = calloc(count, sizeof(*t->at)),
				  .column_count = count };
	if (!t->columns || !t->at) {
		test_free(t);
		return no_memory(m);
	}
	for (size_t i = 0; i < count; i++) {
		int64_t at = etl_column_find(m->table, rule->columns[first + i]);

		if (at < 0) {
			test_free(t);
			return m->self->ignores_unmatched ?
				       ETL_OK :
				       etl_column_unknown(m->self->host, m->table, "rules",
							  rule->columns[first + i], false, m->err);
		}
		t->columns[i] = (size_t)at;
	}
	t->type = etl_column_at(m->table, t->columns[0])->type;
	m->plan.count++;
	*ret = t;
	return set_names(m, t) ? ETL_OK : no_memory(m);
}

static bool wants(const struct rules_rule *rule, int kind)
{
	switch (kind) {
	case RULES_NOT_NULL:
		return rule->not_null;
	case RULES_RANGE:
		return rule->min || rule->max;
	case RULES_LENGTH:
		return rule->min_length >= 0 || rule->max_length >= 0;
	case RULES_REGEX:
		return rule->code != NULL;
	case RULES_ONE_OF:
		return rule->words != NULL;
	case RULES_UNIQUE:
		return rule->unique;
	default:
		return rule->parent != NULL;
	}
}

/* A generated column is computed where the rows arrive: its values do not come by here. */
static int suits(const struct making *m, struct rules_test *t)
{
	for (size_t i = 0; i < t->column_count; i++)
		if (etl_column_at(m->table, t->columns[i])->flags & ETL_GENERATED)
			return unsuited(m->self, m->table, etl_column_at(m->table, t->columns[i]),
					"it is computed by the target, so no rule can look at it",
					NULL, m->err);
	if (t->kind == RULES_RANGE)
		return set_bounds(m->self, m->table, etl_column_at(m->table, t->columns[0]), t, m->err);
	if (t->kind == RULES_LENGTH && !has_length(t->type))
		return unsuited(m->self, m->table, etl_column_at(m->table, t->columns[0]),
				"a length is for texts and BLOBs; for its size use `min` and `max`",
				NULL, m->err);
	return ETL_OK;
}

static int add_kind(struct making *m, const struct rules_rule *rule, int kind)
{
	bool together = kind == RULES_UNIQUE || kind == RULES_REFERENCES;
	size_t step = together ? rule->column_count : 1;
	int r = ETL_OK;

	for (size_t i = 0; r == ETL_OK && i < rule->column_count; i += step) {
		struct rules_test *t;

		r = add(m, rule, kind, i, step, &t);
		if (r == ETL_OK && t)
			r = suits(m, t);
	}
	return r;
}

int rules_plan_make(const struct etl_instance *self, const struct etl_table *table,
		    struct rules_plan *ret, struct etl_error *err)
{
	struct making m = { .self = self, .table = table, .err = err };
	int r = ETL_OK;

	for (int kind = RULES_NOT_NULL; r == ETL_OK && kind <= RULES_REFERENCES; kind++)
		for (size_t i = 0; r == ETL_OK && i < self->rule_count; i++)
			if (wants(&self->rules[i], kind))
				r = add_kind(&m, &self->rules[i], kind);
	if (r == ETL_OK)
		*ret = m.plan;
	else
		rules_plan_free(&m.plan);
	return r;
}

int rules_plan_place(const struct etl_instance *self, struct rules_plan *plan,
		     const struct etl_table *table, const struct ArrowSchema *schema,
		     struct etl_error *err)
{
	for (size_t i = 0; i < plan->count; i++) {
		struct rules_test *t = &plan->at[i];

		for (size_t k = 0; k < t->column_count; k++) {
			const char *name = etl_column_at(table, t->columns[k])->name;

			t->at[k] = etl_schema_find(schema, name);
			if (t->at[k] < 0)
				return self->host->fail(
					err, ETL_BUG, NULL, 0,
					"rules: the values of column \"%s\" of \"%s\" do not "
					"come along",
					name, table->name);
		}
	}
	return ETL_OK;
}
