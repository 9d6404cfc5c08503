/*
 * What kinds of value the columns hold, by one pass over all records of all files: types are never chosen by those that happen to
 * come first.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "number.h"
#include "profile.h"
#include "rows.h"

#define CANCEL_ROWS 4096

/* As `read` would give it into a column without a type. */
static void look_at_number(struct etl_profile *p, const char *text, size_t size)
{
	struct number number;
	bool fraction = memchr(text, '.', size) || memchr(text, 'e', size) || memchr(text, 'E', size);
	int64_t whole;
	double real;

	if (!etl_number_parse(&number, text, size))
		etl_profile_text(p, text, size);
	else if (!fraction && !etl_number_int64(&number, &whole))
		etl_profile_integer(p, whole);
	else if (fraction && !etl_number_double(&number, &real))
		etl_profile_real(p, real);
	else
		etl_profile_text(p, text, size);
}

static void look(struct etl_profile *p, const struct json_value *v)
{
	if (v->state == VALUE_ABSENT || v->state == VALUE_NULL)
		etl_profile_null(p);
	else if (v->state == VALUE_BOOL)
		etl_profile_integer(p, v->truth);
	else if (v->state == VALUE_NUMBER)
		look_at_number(p, v->text, v->size);
	else
		etl_profile_text(p, v->text, v->size);
}

static int pass(struct rows *r, struct etl_profile *profiles)
{
	int64_t rows = 0;
	int rc;

	while ((rc = json_rows_next(r)) == ETL_FILL_MORE) {
		if (rows++ % CANCEL_ROWS == 0 && r->inst->host->canceled(r->inst->host))
			return ETL_CANCELED;
		for (size_t i = 0; i < r->table->column_count; i++) {
			struct json_value v;

			if (!json_rows_value(r, i, &v))
				look(&profiles[i], &v);
		}
	}
	return rc;
}

int json_profile(struct etl_instance *inst, const struct etl_dataset *dataset, struct etl_profile_sink *sink,
		 struct etl_error *err)
{
	struct files_list list = { 0 };
	struct etl_profile *profiles = NULL;
	struct json_table *t;
	struct rows rows;
	int rc = json_table_of(inst, dataset, &t, err);

	if (rc || !t)
		return rc;
	profiles = calloc(t->column_count + 1, sizeof(*profiles));
	rc = profiles ? files_list(inst->files, t->files, &list, err) :
			inst->host->fail(err, ETL_MEMORY, NULL, 0, "json: no memory to look at \"%s\"", t->name);
	if (!rc) {
		rc = json_rows_begin(&rows, inst, t, &list, 0, list.count, NULL, err);
		if (!rc)
			rc = pass(&rows, profiles);
		json_rows_end(&rows);
	}
	for (size_t i = 0; !rc && i < t->column_count; i++) {
		profiles[i].column = t->layouts[0].columns[i].name;
		rc = sink->emit(sink, &profiles[i]);
	}
	free(profiles);
	files_list_clear(&list);
	json_table_free(t);
	return rc;
}
