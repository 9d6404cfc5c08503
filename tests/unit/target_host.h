/*
 * A host for tests of a whole plugin: options with the defaults of its table, failures, logs and rejects kept
 * to be looked at, sinks that collect, and batches made of texts.
 */
#ifndef TESTS_TARGET_HOST_H
#define TESTS_TARGET_HOST_H

#include <check.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <etlrun/helpers.h>

#define HOST_TEXT 2048
#define HOST_OPTIONS 8
#define HOST_REJECTS 16
#define HOST_STEPS 128

struct etl_error {
	int failures;
	int32_t klass;
	int64_t native;
	char text[HOST_TEXT], table[128], column[128];
};

/* An option that is given; the others have the defaults. */
struct host_option {
	const char *name, *text;
	int64_t number;
};

struct etl_conf {
	const struct etl_option *table;
	struct host_option given[HOST_OPTIONS];
};

struct etl_context {
	int rejects;
	struct {
		char code[32], column[64], reason[256], raw[256];
		int64_t row, ordinal;
	} at[HOST_REJECTS];
	int most;                       /* more than these fail; 0: any number; -1: none */
};

/* What a test wants to look at later; the host's log has no place of its own. */
struct host_log {
	char text[4 * HOST_TEXT];
	int canceled;
};

static inline struct host_log *host_log(void)
{
	static struct host_log log;

	return &log;
}

static inline int host_fail(struct etl_error *err, int32_t klass, const char *sqlstate, int64_t native,
			    const char *format, ...) ETL_PRINTF(5, 6);
static inline int host_fail(struct etl_error *err, int32_t klass, const char *sqlstate, int64_t native,
			    const char *format, ...)
{
	va_list args;

	(void)sqlstate;
	err->failures++;
	err->klass = klass;
	err->native = native;
	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	return ETL_FAILED;
}

static inline void host_at(struct etl_error *err, const char *table, const char *column, const char *key)
{
	(void)key;
	snprintf(err->table, sizeof(err->table), "%s", table ? table : "");
	snprintf(err->column, sizeof(err->column), "%s", column ? column : "");
}

static inline void host_delay(struct etl_error *err, int64_t milliseconds)
{
	(void)err;
	(void)milliseconds;
}

static inline void host_say(const struct etl_host *host, int32_t level, const char *format, ...) ETL_PRINTF(3, 4);
static inline void host_say(const struct etl_host *host, int32_t level, const char *format, ...)
{
	struct host_log *log = host_log();
	size_t used = strlen(log->text);
	va_list args;

	(void)host;
	(void)level;
	va_start(args, format);
	vsnprintf(log->text + used, sizeof(log->text) - used, format, args);
	va_end(args);
}

static inline int host_canceled(const struct etl_host *host)
{
	(void)host;
	return host_log()->canceled;
}

static inline int host_reject(struct etl_context *context, const struct etl_reject *r)
{
	if (context->rejects < HOST_REJECTS) {
		snprintf(context->at[context->rejects].code, 32, "%s", r->code);
		snprintf(context->at[context->rejects].column, 64, "%s", r->column ? r->column : "");
		snprintf(context->at[context->rejects].reason, 256, "%s", r->reason);
		snprintf(context->at[context->rejects].raw, 256, "%s", r->raw ? r->raw : "");
		context->at[context->rejects].row = r->row;
		context->at[context->rejects].ordinal = r->ordinal;
	}
	context->rejects++;
	return context->most && context->rejects > context->most ? ETL_FAILED : 0;
}

static inline void host_count(struct etl_context *context, int32_t what, uint64_t rows)
{
	(void)context;
	(void)what;
	(void)rows;
}

static inline const struct host_option *host_given_option(const struct etl_conf *conf, const char *name)
{
	size_t i;

	for (i = 0; conf && i < HOST_OPTIONS && conf->given[i].name; i++) {
		if (strcmp(conf->given[i].name, name) == 0)
			return &conf->given[i];
	}
	return NULL;
}

/* Asking for an option that the plugin does not declare is a bug of the plugin. */
static inline const char *host_default(const struct etl_conf *conf, const char *name)
{
	const struct etl_option *o = conf ? conf->table : NULL;

	while (o && o->name && strcmp(o->name, name) != 0)
		o++;
	ck_assert_msg(!o || o->name, "option %s is not declared", name);
	return o ? o->default_text : NULL;
}

static inline int host_given(const struct etl_conf *conf, const char *name)
{
	return host_given_option(conf, name) != NULL;
}

static inline const char *host_str(const struct etl_conf *conf, const char *name)
{
	const struct host_option *o = host_given_option(conf, name);

	return o ? o->text : host_default(conf, name);
}

static inline int64_t host_num(const struct etl_conf *conf, const char *name)
{
	const struct host_option *o = host_given_option(conf, name);
	const char *text = host_default(conf, name);

	/* The only defaults with a unit are seconds. */
	return o ? o->number : text ? atoll(text) * 1000 : 0;
}

static inline int host_flag(const struct etl_conf *conf, const char *name)
{
	const struct host_option *o = host_given_option(conf, name);
	const char *text = host_default(conf, name);

	return o ? o->number != 0 : text && strcmp(text, "true") == 0;
}

static inline size_t host_list(const struct etl_conf *conf, const char *name)
{
	(void)conf;
	(void)name;
	return 0;
}

static inline const char *host_item(const struct etl_conf *conf, const char *name, size_t i)
{
	(void)conf;
	(void)name;
	(void)i;
	return NULL;
}

static inline const struct etl_conf *host_sub(const struct etl_conf *conf, const char *name, size_t i)
{
	(void)conf;
	(void)name;
	(void)i;
	return NULL;
}

static inline struct etl_host host_of(int32_t role)
{
	struct etl_host host = {
		.abi = ETL_ABI, .role = role, .batch_rows = ETL_BATCH_ROWS, .batch_bytes = ETL_BATCH_BYTES,
		.max_row = INT64_C(64) << 20, .memory = INT64_C(64) << 20, .workers = 1, .fail = host_fail,
		.at = host_at, .delay = host_delay, .log = host_say, .canceled = host_canceled,
		.reject = host_reject, .count = host_count, .given = host_given, .str = host_str, .num = host_num,
		.flag = host_flag, .list = host_list, .item = host_item, .sub = host_sub,
	};

	memset(host_log(), 0, sizeof(struct host_log));
	return host;
}

/* ---- Steps ------------------------------------------------------------------------------------------------ */

struct host_step {
	int32_t phase, verdict;
	char kind[32], object[128], sql[HOST_TEXT], note[512];
	bool has_sql;
};

struct host_steps {
	struct etl_step_sink sink;
	size_t count;
	struct host_step at[HOST_STEPS];
};

static inline int host_take_step(struct etl_step_sink *self, const struct etl_step *step)
{
	struct host_steps *steps = (struct host_steps *)self;
	struct host_step *s = &steps->at[steps->count++];

	ck_assert_uint_le(steps->count, HOST_STEPS);
	if (step->verdict == ETL_SKIPPED)
		ck_assert_ptr_nonnull(step->note);
	s->phase = step->phase;
	s->verdict = step->verdict;
	s->has_sql = step->sql != NULL;
	snprintf(s->kind, sizeof(s->kind), "%s", step->kind);
	snprintf(s->object, sizeof(s->object), "%s", step->object);
	snprintf(s->sql, sizeof(s->sql), "%s", step->sql ? step->sql : "");
	snprintf(s->note, sizeof(s->note), "%s", step->note ? step->note : "");
	return 0;
}

static inline const struct host_step *host_find_step(const struct host_steps *steps, const char *kind,
						     const char *object)
{
	size_t i;

	for (i = 0; i < steps->count; i++) {
		if (strcmp(steps->at[i].kind, kind) == 0 && strcmp(steps->at[i].object, object) == 0)
			return &steps->at[i];
	}
	ck_abort_msg("no step for %s %s", kind, object);
	return NULL;
}

/* ---- Rows ------------------------------------------------------------------------------------------------- */

struct host_rows {
	struct etl_producer producer;
	const struct etl_column *columns;
	size_t column_count, rows, next;
	const char *const *texts;       /* row by row; NULL: a null. "i:5" "f:1.5" "t:x" "b:x" for any */
};

static inline void host_put_any(struct etl_column_builder *to, const char *text)
{
	int64_t i;
	double f;

	switch (text[0]) {
	case 'i':
		i = atoll(text + 2);
		ck_assert(etl_put_any(to, ETL_ANY_INT, &i, 8));
		break;
	case 'f':
		f = atof(text + 2);
		ck_assert(etl_put_any(to, ETL_ANY_REAL, &f, 8));
		break;
	default:
		ck_assert(etl_put_any(to, text[0], text + 2, (int64_t)strlen(text + 2)));
	}
}

static inline int host_fill(struct etl_producer *self, struct etl_builder *builder)
{
	struct host_rows *rows = (struct host_rows *)self;
	size_t c;

	for (; rows->next < rows->rows && etl_builder_rows(builder) < builder->capacity; rows->next++) {
		for (c = 0; c < rows->column_count; c++) {
			const char *text = rows->texts[rows->next * rows->column_count + c];

			if (!text)
				etl_put_null(&builder->columns[c]);
			else if (rows->columns[c].type == ETL_ANY)
				host_put_any(&builder->columns[c], text);
			else
				ck_assert_ptr_null(etl_convert_text(&builder->columns[c], text, strlen(text)));
		}
	}
	return rows->next < rows->rows ? ETL_FILL_MORE : ETL_FILL_END;
}

static inline void host_close_rows(struct etl_producer *self)
{
	(void)self;
}

/* ROWS must outlive the stream. */
static inline void host_stream(struct ArrowArrayStream *ret, const struct etl_host *host, struct host_rows *rows,
			       const struct etl_column *columns, size_t column_count, const char *const *texts,
			       size_t count)
{
	struct ArrowSchema schema;

	*rows = (struct host_rows){ .producer = { host_fill, host_close_rows }, .columns = columns,
				    .column_count = column_count, .rows = count, .texts = texts };
	ck_assert(etl_schema_make(&schema, columns, column_count, sizeof(*columns)));
	ck_assert(etl_stream_open(ret, host, &schema, &rows->producer));
	schema.release(&schema);
}

#endif
