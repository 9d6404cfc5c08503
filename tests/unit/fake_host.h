/*
 * A host for tests of single plugins: options from a list, failures and rejects kept to be looked at, and
 * tables in memory as peers.
 */
#ifndef TESTS_FAKE_HOST_H
#define TESTS_FAKE_HOST_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <etlrun/helpers.h>

struct etl_error {
	int32_t klass;
	char text[512];
};

/* Texts by key, ended by a NULL key; a group is in `groups`. */
struct fake_option {
	const char *key;
	const char *items[8];
	int64_t number;
	const struct etl_conf *groups[4];
};

struct etl_conf {
	struct fake_option options[8];
};

struct etl_context {
	int rejects;
	char code[64], reason[256];
	int64_t row;
};

static inline int fake_fail(struct etl_error *err, int32_t klass, const char *sqlstate, int64_t native,
		     const char *format, ...)
{
	va_list args;

	(void)sqlstate;
	(void)native;
	err->klass = klass;
	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	return ETL_FAILED;
}

static inline void fake_at(struct etl_error *err, const char *table, const char *column, const char *key)
{
	(void)err;
	(void)table;
	(void)column;
	(void)key;
}

static inline void fake_log(const struct etl_host *host, int32_t level, const char *format, ...)
{
	(void)host;
	(void)level;
	(void)format;
}

static inline int fake_canceled(const struct etl_host *host)
{
	(void)host;
	return 0;
}

static inline int fake_reject(struct etl_context *context, const struct etl_reject *reject)
{
	context->rejects++;
	context->row = reject->row;
	snprintf(context->code, sizeof(context->code), "%s", reject->code);
	snprintf(context->reason, sizeof(context->reason), "%s", reject->reason);
	return 0;
}

static inline const struct fake_option *fake_find(const struct etl_conf *conf, const char *name)
{
	static const struct fake_option none = { .key = NULL };
	const struct fake_option *o = conf ? conf->options : &none;

	while (o->key && strcmp(o->key, name) != 0)
		o++;
	return o;
}

static inline const char *fake_str(const struct etl_conf *conf, const char *name)
{
	return fake_find(conf, name)->items[0];
}

static inline int64_t fake_num(const struct etl_conf *conf, const char *name)
{
	return fake_find(conf, name)->number;
}

static inline int fake_given(const struct etl_conf *conf, const char *name)
{
	return fake_find(conf, name)->key != NULL;
}

static inline int fake_flag(const struct etl_conf *conf, const char *name)
{
	const char *text = fake_str(conf, name);

	return text && strcmp(text, "true") == 0;
}

static inline size_t fake_list(const struct etl_conf *conf, const char *name)
{
	const struct fake_option *o = fake_find(conf, name);
	size_t n = 0;

	while (o->items[n] || (n < 4 && o->groups[n]))
		n++;
	return n;
}

static inline const char *fake_item(const struct etl_conf *conf, const char *name, size_t i)
{
	return fake_find(conf, name)->items[i];
}

static inline const struct etl_conf *fake_sub(const struct etl_conf *conf, const char *name, size_t i)
{
	return fake_find(conf, name)->groups[i];
}

static inline void fake_carried(struct etl_context *c, const char *how, uint64_t rows)
{
	(void)c;
	(void)how;
	(void)rows;
}

#define FAKE_HOST                                                                                \
	.abi = ETL_ABI, .batch_rows = ETL_BATCH_ROWS, .batch_bytes = ETL_BATCH_BYTES, .fail = fake_fail, \
	.at = fake_at, .log = fake_log, .canceled = fake_canceled, .reject = fake_reject, .carried = fake_carried,       \
	.given = fake_given, .str = fake_str, .num = fake_num, .flag = fake_flag, .list = fake_list, .item = fake_item, .sub = fake_sub

#endif
