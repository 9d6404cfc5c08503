/*
 * The map as the target has it, read once, by an instance of its own, when the first row asks for it.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <etlrun/helpers.h>

#include "../plugins/lib/hex.h"
#include "../plugins/lib/value.h"
#include "catalog.h"
#include "log.h"
#include "maps-parts.h"
#include "reject.h"
#include "shape.h"

#define GONE "gone"

/* ---- Values -------------------------------------------------------------------------------------- */

static bool parse_uuid(const uint8_t *text, int64_t size, uint8_t ret[MAP_KEY])
{
	size_t n = 0;

	for (int64_t i = 0; i < size; i++) {
		int digit = etl_hex_digit(text[i]);

		if (text[i] == '-' || text[i] == '{' || text[i] == '}')
			continue;
		if (digit < 0 || n == 2 * MAP_KEY)
			return false;
		ret[n / 2] = (uint8_t)(ret[n / 2] << 4 | digit);
		n++;
	}
	return n == 2 * MAP_KEY;
}

static bool parse_number(const uint8_t *text, int64_t size, int64_t *ret)
{
	char digits[24], *end;

	if (size < 1 || size >= (int64_t)sizeof(digits))
		return false;
	memcpy(digits, text, (size_t)size);
	digits[size] = '\0';
	errno = 0;
	*ret = strtoll(digits, &end, 10);
	return !errno && !*end;
}

static bool number_of(const struct value *v, int64_t *ret)
{
	switch (v->form) {
	case FORM_INT:
		*ret = v->whole;
		return true;
	case FORM_TEXT:
	case FORM_NUMERIC:
		return parse_number(v->bytes, v->size, ret);
	case FORM_DECIMAL: {
		char text[SPELL_MAX + 1];
		size_t size = etl_value_spell(text, v);

		return parse_number((const uint8_t *)text, (int64_t)size, ret);
	}
	default:
		return false;
	}
}

bool map_key_read(const struct map *m, const struct etl_column_view *c, int64_t row, uint8_t ret[MAP_KEY])
{
	struct value v;
	int64_t number;

	if (etl_is_null(c, row) || !etl_value_read(&v, c, row))
		return false;
	memset(ret, 0, MAP_KEY);
	if (m->type == ETL_INT64) {
		if (!number_of(&v, &number))
			return false;
		memcpy(ret, &number, sizeof(number));
		return true;
	}
	if (v.form == FORM_TEXT)
		return parse_uuid(v.bytes, v.size, ret);
	if ((v.form != FORM_UUID && v.form != FORM_BYTES) || v.size != MAP_KEY)
		return false;
	memcpy(ret, v.bytes, MAP_KEY);
	return true;
}

/* The text of a value; SPELLED has room for one that is none itself. */
static bool text_of(const struct etl_column_view *c, int64_t row, char spelled[SPELL_MAX + 1], const char **ret, size_t *ret_size)
{
	struct value v;

	if (etl_is_null(c, row) || !etl_value_read(&v, c, row))
		return false;
	if (v.form == FORM_TEXT || v.form == FORM_NUMERIC || v.form == FORM_JSON) {
		*ret = (const char *)v.bytes;
		*ret_size = (size_t)v.size;
		return true;
	}
	*ret = spelled;
	*ret_size = etl_value_spell(spelled, &v);
	return *ret_size > 0;
}

/* ---- Reading a table of the target ---------------------------------------------------------------- */

struct reading {
	struct instance *instance;
	struct etl_context context;
	struct ArrowSchema schema;
	struct ArrowArrayStream stream;
	struct etl_view *view;
	struct etl_error *err;
	const char *table;
};

static void reading_close(struct reading *r)
{
	if (r->stream.release)
		r->stream.release(&r->stream);
	if (r->schema.release)
		r->schema.release(&r->schema);
	etl_view_free(r->view);
	context_clear(&r->context);
	instance_close(r->instance);
}

/* NAMES are columns of TABLE, in the target's own types. */
static bool make_schema(struct reading *r, const struct etl_table *table, const char *const *names, size_t count, bool dynamic)
{
	struct etl_column *columns = calloc(count + 1, sizeof(*columns));
	bool ok = columns != NULL;

	for (size_t i = 0; ok && i < count; i++) {
		int64_t at = table_find_column(table, names[i]);
		struct etl_type_info type = shape_stream_type(table, (size_t)at, dynamic);

		columns[i] = (struct etl_column){ .name = table_column(table, (size_t)at)->name,
						  .type = type.type,
						  .precision = type.precision,
						  .scale = type.scale };
	}
	ok = ok && etl_schema_make(&r->schema, columns, count, sizeof(*columns));
	free(columns);
	r->view = ok ? etl_view_new(&r->schema) : NULL;
	return r->view != NULL;
}

static int reading_open(struct reading *r, const struct flow_setup *f, struct job *job, const struct etl_table *table,
			const char *schema, const char *const *names, size_t count, struct etl_error *err)
{
	static const struct etl_split everything = { .first = INT64_MIN, .last = INT64_MAX, .rows = ETL_UNKNOWN };
	const struct plugin *plugin = f->pipeline->target.plugin;
	bool dynamic = plugin->store.flags & ETL_DYNAMIC;
	struct host_limits limits = f->limits;
	struct etl_read read = { .dataset = { .schema = schema, .table = table->name, .options = job->rule->to },
				 .want = &r->schema,
				 .context = &r->context };
	int rc;

	*r = (struct reading){ .err = err, .table = table->name, .context = { .job = job, .side = SIDE_TARGET } };
	if (!plugin->has_source)
		return error_set(err, ETL_USAGE, "plugin %s cannot read back what it holds, so no map of keys can be in it",
				 plugin->base.name);
	if (!make_schema(r, table, names, count, dynamic))
		return error_memory(err);
	limits.intent = ETL_LOOKS;
	rc = instance_open(&f->pipeline->target, ETL_ROLE_TARGET, &limits, &r->instance, err);
	if (rc < 0)
		return rc;
	r->context.err = instance_error(r->instance, err);
	return plugin->source.read(r->instance->self, &read, &everything, &r->stream, r->context.err);
}

/* A batch that R->view looks at; its release is NULL behind the last. */
static int reading_next(struct reading *r, struct ArrowArray *batch)
{
	int rc = host_canceled() ? ECANCELED : r->stream.get_next(&r->stream, batch);

	if (rc == 0)
		return !batch->release || etl_view_set(r->view, batch) ? 0 : error_memory(r->err);
	if (host_canceled())
		return ETL_CANCELED;
	if (rc == ENOMEM)
		return error_memory(r->err);
	return r->err->set ? ETL_FAILED :
			     error_set(r->err, ETL_FATAL, "reading \"%s\" of the target: %s", r->table, strerror(rc));
}

/* ---- The map -------------------------------------------------------------------------------------- */

/* Where the columns of a map are in what is read; -1: it has none. */
struct places {
	int table, old, new, status;
};

static int bad_row(const struct map *m, const char *what, const char *table, size_t table_size, const char *old, size_t size,
		   struct etl_error *err)
{
	error_at(err, m->name, NULL, NULL);
	return error_set(err, ETL_DATA, "the map \"%s\" of the target has a row that cannot be: %s (%s \"%.*s\", %s \"%.*s\"); mend it there, nothing was changed",
			 m->name, what, m->columns[ETL_MAP_TABLE], (int)table_size, table, m->columns[ETL_MAP_OLD], (int)size, old);
}

static bool is_gone(const struct etl_column_view *c, int64_t row)
{
	char spelled[SPELL_MAX + 1];
	const char *text;
	size_t size;

	return text_of(c, row, spelled, &text, &size) && size == strlen(GONE) && memcmp(text, GONE, size) == 0;
}

static void note_number(struct map *m, uint16_t table, int64_t number)
{
	if (number >= m->tables[table].next && number < INT64_MAX)
		m->tables[table].next = number + 1;
}

static int take_row(struct map *m, struct map_set *set, const struct etl_view *view, const struct places *at, int64_t row,
		    struct etl_error *err)
{
	char spelled[2][SPELL_MAX + 1];
	const char *name = "", *old = "";
	size_t name_size = 0, size = 0;
	uint8_t key[MAP_KEY];
	uint16_t table;
	unsigned flags = MAP_KNOWN;
	int64_t number;

	if (!text_of(&view->columns[at->table], row, spelled[0], &name, &name_size) ||
	    !text_of(&view->columns[at->old], row, spelled[1], &old, &size))
		return bad_row(m, "its table or its old key is NULL, or no key", name, name_size, old, size, err);
	if (!map_key_read(m, &view->columns[at->new], row, key))
		return bad_row(m, m->type == ETL_UUID ? "its new key is no UUID" : "its new key is no number", name, name_size, old, size, err);
	if (!map_table_find(m, name, name_size, &table))
		return error_memory(err);
	if (map_set_find(set, table, old, size))
		return bad_row(m, "its old key stands twice", name, name_size, old, size, err);
	if (at->status >= 0 && is_gone(&view->columns[at->status], row))
		flags |= MAP_GONE;
	memcpy(&number, key, sizeof(number));
	if (m->type == ETL_INT64)
		note_number(m, table, number);
	return map_set_add(set, table, old, size, key, flags, err);
}

static int read_rows(const struct flow_setup *f, struct map *m, struct map_set *set, struct etl_error *err)
{
	struct places at = { 0, 1, 2, map_has(m, ETL_MAP_STATUS) ? 3 : -1 };
	const char *names[] = { m->columns[ETL_MAP_TABLE], m->columns[ETL_MAP_OLD], m->columns[ETL_MAP_NEW],
				m->columns[ETL_MAP_STATUS] };
	struct reading r;
	int rc = reading_open(&r, f, m->user, m->existing, m->schema, names, at.status < 0 ? 3 : 4, err);

	while (rc == 0) {
		struct ArrowArray batch = { 0 };

		rc = reading_next(&r, &batch);
		if (rc < 0 || !batch.release)
			break;
		for (int64_t i = 0; i < batch.length && rc == 0; i++)
			rc = take_row(m, set, r.view, &at, i, err);
		batch.release(&batch);
	}
	if (rc == 0 && r.context.rejected)
		rc = error_set(err, ETL_DATA, "%" PRIu64 " rows of the map \"%s\" of the target cannot be read; mend them there, nothing was changed",
			       r.context.rejected, m->name);
	reading_close(&r);
	return rc;
}

/* ---- Numbers -------------------------------------------------------------------------------------- */

/* What OWNER's table has already, be it in the map or not, is given to nobody. */
static int pass_numbers(const struct flow_setup *f, struct map *m, const struct job_map *jm, struct job *owner, struct etl_error *err)
{
	const char *name = owner->rows.children[jm->at]->name;
	struct reading r;
	int rc;

	if (!owner->existing || table_find_column(owner->existing, name) < 0)
		return 0;
	rc = reading_open(&r, f, owner, owner->existing, owner->schema, &name, 1, err);
	while (rc == 0) {
		struct ArrowArray batch = { 0 };

		rc = reading_next(&r, &batch);
		if (rc < 0 || !batch.release)
			break;
		for (int64_t i = 0; i < batch.length; i++) {
			uint8_t key[MAP_KEY];
			int64_t number;

			if (!map_key_read(m, &r.view->columns[0], i, key))
				continue;
			memcpy(&number, key, sizeof(number));
			note_number(m, jm->own, number);
		}
		batch.release(&batch);
	}
	reading_close(&r);
	return rc;
}

static int find_numbers(const struct flow_setup *f, struct map *m, struct etl_error *err)
{
	int rc = 0;

	for (size_t t = 0; t < m->table_count; t++)
		for (size_t i = 0; i < m->tables[t].owner_count && rc == 0; i++) {
			struct job *owner = m->tables[t].owners[i];

			for (size_t k = 0; k < owner->map_count && rc == 0; k++)
				if (owner->maps[k].map == m && owner->maps[k].owns && owner->maps[k].own == t)
					rc = pass_numbers(f, m, &owner->maps[k], owner, err);
		}
	return rc;
}

int map_read(const struct flow_setup *f, struct map *m, struct etl_error *err)
{
	struct map_set *set = map_set_new((size_t)f->pipeline->memory_limit / 2);
	int rc = set ? 0 : error_memory(err);

	if (rc == 0 && m->existing)
		rc = read_rows(f, m, set, err);
	if (rc == 0 && m->type == ETL_INT64)
		rc = find_numbers(f, m, err);
	if (rc == 0) {
		log_line(ETL_LOG_DEBUG, "map \"%s\": the target has %zu keys", m->name, map_set_count(set));
		m->set = set;
	} else {
		map_set_free(set);
	}
	return rc;
}
