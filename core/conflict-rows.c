/*
 * Both ends of a row, as people read them; and the target's, found by its key.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../plugins/lib/moment.h"
#include "conflicts-parts.h"
#include "reject.h"

#define DAY INT64_C(86400000000) /* microseconds */

/* ---- For people ------------------------------------------------------------------------------- */

static void add_row(struct etl_text *to, const struct job *job, const struct etl_view *view, int64_t row, const int64_t *columns,
		    size_t count)
{
	etl_text_add(to, "{");
	for (size_t i = 0; i < count; i++) {
		int64_t column = columns ? columns[i] : (int64_t)i;
		const char *name = job->rows.children[column]->name;

		etl_text_add(to, i ? ", " : "");
		etl_text_add_json(to, name, strlen(name));
		etl_text_add(to, ": ");
		etl_text_add_json_value(to, &view->columns[column], row);
	}
	etl_text_add(to, "}");
}

static void add_side(struct etl_text *to, const char *side, const struct job *job, const struct etl_view *view, int64_t row)
{
	etl_text_addf(to, ", \"%s\": ", side);
	if (row < 0)
		etl_text_add(to, "null");
	else
		add_row(to, job, view, row, NULL, (size_t)job->rows.n_children);
}

void conflict_add_words(struct etl_text *to, const struct job *job, const struct conflict_sides *s)
{
	bool comes = s->source_row >= 0;
	time_t seconds = (time_t)(job->load.run->started / 1000000);
	char when[40] = "";
	struct tm tm;

	if (gmtime_r(&seconds, &tm))
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	etl_text_add(to, "{\"key\": ");
	add_row(to, job, comes ? s->source : s->target, comes ? s->source_row : s->target_row, job->key, job->key_count);
	add_side(to, "source", job, s->source, s->source_row);
	add_side(to, "target", job, s->target, s->target_row);
	etl_text_addf(to, ", \"run\": \"%s\", \"started\": \"%s\"}", job->load.run->id, when);
}

/* ---- Moments ---------------------------------------------------------------------------------- */

static bool read_text(const char *at, int64_t size, int64_t *ret)
{
	struct moment m;

	if (size <= 0 || !etl_moment_parse(&m, at, (size_t)size))
		return false;
	*ret = m.days * DAY + m.micros - m.zone * 1000000;
	return true;
}

static bool read_any(const uint8_t *at, int64_t size, int64_t *ret)
{
	if (size == 9 && at[0] == ETL_ANY_INT) {
		memcpy(ret, at + 1, 8);
		return true;
	}
	return size > 0 && at[0] == ETL_ANY_TEXT && read_text((const char *)at + 1, size - 1, ret);
}

bool conflict_moment(const struct conflicts *c, const struct etl_view *view, int64_t row, int64_t *ret)
{
	const struct etl_column_view *column = &view->columns[c->newest];
	const uint8_t *at;
	int64_t size;

	if (etl_is_null(column, row))
		return false;
	switch (column->type.type) {
	case ETL_INT16:
		*ret = etl_get_int16(column, row);
		return true;
	case ETL_INT32:
		*ret = etl_get_int32(column, row);
		return true;
	case ETL_DATE:
		*ret = etl_get_int32(column, row) * DAY;
		return true;
	case ETL_TEXT:
	case ETL_ANY:
		at = etl_get_bytes(column, row, &size);
		return column->type.type == ETL_ANY ? read_any(at, size, ret) : read_text((const char *)at, size, ret);
	default:
		*ret = etl_get_int64(column, row);
		return true;
	}
}

/* ---- The target's rows ------------------------------------------------------------------------ */

struct conflict_look {
	const struct flow_setup *flow;
	struct job *job;
	struct instance *instance;
	struct etl_context context;
	struct ArrowSchema key_schema;
	struct etl_view *view;
	struct canon *canon;
	uint64_t *hashes;
	int64_t room;
};

static bool make_key_schema(struct conflict_look *l)
{
	const struct job *job = l->job;
	struct etl_column *columns = calloc(job->key_count + 1, sizeof(*columns));
	bool ok = columns != NULL;

	for (size_t i = 0; ok && i < job->key_count; i++) {
		const struct ArrowSchema *child = job->rows.children[job->key[i]];
		struct etl_type_info type = etl_type_of(child);

		columns[i] = (struct etl_column){
			.name = child->name, .type = type.type, .precision = type.precision, .scale = type.scale
		};
	}
	ok = ok && etl_schema_make(&l->key_schema, columns, job->key_count, sizeof(*columns));
	free(columns);
	return ok;
}

struct conflict_look *conflict_look_new(const struct flow_setup *f, struct job *job)
{
	struct conflict_look *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->flow = f;
	l->job = job;
	l->context = (struct etl_context){ .job = job, .side = SIDE_TARGET };
	l->view = etl_view_new(&job->rows);
	l->canon = job_canon(job, &job->rows, ETL_HASH_X1);
	if (make_key_schema(l) && l->view && l->canon)
		return l;
	conflict_look_free(l);
	return NULL;
}

void conflict_look_free(struct conflict_look *l)
{
	if (!l)
		return;
	if (l->key_schema.release)
		l->key_schema.release(&l->key_schema);
	etl_view_free(l->view);
	canon_free(l->canon);
	context_clear(&l->context);
	instance_close(l->instance);
	free(l->hashes);
	free(l);
}

static bool make_room(struct conflict_look *l, int64_t rows)
{
	if (rows <= l->room)
		return true;
	free(l->hashes);
	l->hashes = malloc((size_t)rows * sizeof(*l->hashes));
	l->room = l->hashes ? rows : 0;
	return l->hashes != NULL;
}

struct each {
	int (*call)(void *data, uint64_t key, const struct etl_view *, int64_t row, struct etl_error *);
	void *data;
};

static int take_batch(struct conflict_look *l, const struct ArrowArray *batch, const struct each *each, struct etl_error *err)
{
	int rc = 0;

	if (!make_room(l, batch->length) || !canon_batch(l->canon, batch, l->hashes, NULL) || !etl_view_set(l->view, batch))
		return error_memory(err);
	for (int64_t i = 0; i < batch->length && rc == 0; i++)
		rc = each->call(each->data, l->hashes[i], l->view, i, err);
	return rc;
}

static int take_all(struct conflict_look *l, struct ArrowArrayStream *stream, const struct each *each, struct etl_error *err)
{
	int rc = 0;

	while (rc == 0) {
		struct ArrowArray batch = { 0 };
		int code = host_canceled() ? ECANCELED : stream->get_next(stream, &batch);

		if (code && host_canceled())
			return ETL_CANCELED;
		if (code)
			return code == ENOMEM ? error_memory(err) :
			       err->set	      ? ETL_FAILED :
						error_set(err, ETL_FATAL, "reading rows of \"%s\" of the target by their keys: %s",
							  job_name(l->job), strerror(code));
		if (!batch.release)
			break;
		if (batch.length > 0)
			rc = take_batch(l, &batch, each, err);
		batch.release(&batch);
	}
	return rc;
}

/* The columns of the key, of the wanted rows alone. */
static int read_keys(struct conflict_look *l, struct ArrowArray *keys, const struct each *each, struct etl_error *err)
{
	static const struct etl_split everything = { .first = INT64_MIN, .last = INT64_MAX, .rows = ETL_UNKNOWN };
	struct job *job = l->job;
	const struct plugin *plugin = l->flow->pipeline->target.plugin;
	struct host_limits limits = l->flow->limits;
	struct etl_read read = { .dataset = { .schema = job->schema, .table = job->target->name, .options = job->rule->to },
				 .want = &job->rows,
				 .context = &l->context,
				 .key_schema = &l->key_schema,
				 .keys = keys };
	struct ArrowArrayStream stream = { .release = NULL };
	int rc = 0;

	limits.intent = ETL_LOOKS;
	if (!l->instance)
		rc = instance_open(&l->flow->pipeline->target, ETL_ROLE_TARGET, &limits, &l->instance, err);
	l->context.err = err;
	if (rc == 0)
		rc = plugin->source.read(l->instance->self, &read, &everything, &stream, instance_error(l->instance, err));
	if (rc == 0)
		rc = take_all(l, &stream, each, err);
	if (stream.release)
		stream.release(&stream);
	return rc;
}

static void keep_borrowed(struct ArrowArray *array)
{
	array->release = NULL;
}

int conflict_look_up(struct conflict_look *l, const struct ArrowSchema *schema, const struct ArrowArray *batch, const int64_t *rows,
		     size_t count,
		     int (*call)(void *data, uint64_t key, const struct etl_view *, int64_t row, struct etl_error *), void *data,
		     struct etl_error *err)
{
	const struct each each = { call, data };
	struct ArrowArray **columns = calloc(l->job->key_count + 1, sizeof(struct ArrowArray *));
	struct ArrowArray wanted = { .release = NULL };
	struct ArrowArray keys = { .length = (int64_t)count,
				   .n_children = (int64_t)l->job->key_count,
				   .children = columns,
				   .release = keep_borrowed };
	int rc = columns && etl_batch_take(&wanted, schema, batch, rows, (int64_t)count) ? 0 : error_memory(err);

	for (size_t i = 0; rc == 0 && i < l->job->key_count; i++)
		columns[i] = wanted.children[l->job->key[i]];
	if (rc == 0)
		rc = read_keys(l, &keys, &each, err);
	if (wanted.release)
		wanted.release(&wanted);
	free((void *)columns);
	return rc;
}
