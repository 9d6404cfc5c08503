/*
 * Failures as values: a struct etl_error is filled where something fails, carried up, and said once
 * by the verb. This file keeps the rule that the first description stays, masks what is secret
 * before the text is stored anywhere, and knows which exit code a failure is.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "secret.h"

static char *format_redacted(const char *format, va_list args) ETL_PRINTF(1, 0);

static char *format_redacted(const char *format, va_list args)
{
	char *plain = NULL, *redacted;

	if (vasprintf(&plain, format, args) < 0)
		return NULL;
	redacted = secret_redact(plain);
	free(plain);
	return redacted;
}

static void drop_final_stop(char *text)
{
	size_t length = strlen(text);

	while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == ' '))
		length--;
	if (length > 1 && text[length - 1] == '.' && text[length - 2] != '.')
		length--;
	text[length] = '\0';
}

/* The first of each stays; a failing copy leaves the place unsaid, which is no failure of its
 * own. */
static void keep_first(char **place, const char *text)
{
	if (!*place && text)
		*place = secret_redact(text);
}

void error_clear(struct etl_error *err)
{
	if (!err)
		return;
	free(err->table);
	free(err->column);
	free(err->key);
	free(err->message);
	*err = (struct etl_error)ERROR_INIT;
}

int error_setv(struct etl_error *err, int32_t klass, const char *sqlstate, int64_t native,
	       const char *format, va_list args)
{
	if (!err || err->set)
		return ETL_FAILED;
	err->message = format_redacted(format, args);
	if (err->message)
		drop_final_stop(err->message);
	err->klass = klass;
	snprintf(err->sqlstate, sizeof(err->sqlstate), "%s", sqlstate ? sqlstate : "");
	err->native = native;
	err->set = true;
	return ETL_FAILED;
}

/* Whose fault it is shows in the class; only for the others does the plugin that was at work
 * decide. */
static bool is_the_hosts(int32_t klass)
{
	return klass == ETL_USAGE || klass == ETL_DATA || klass == ETL_MEMORY || klass == ETL_BUG ||
	       klass >= ETL_HOST_LOCKED;
}

int error_set(struct etl_error *err, int32_t klass, const char *format, ...)
{
	va_list args;

	if (err && !err->set && is_the_hosts(klass)) {
		err->role = 0;
		err->plugin[0] = '\0';
	}
	va_start(args, format);
	error_setv(err, klass, NULL, 0, format, args);
	va_end(args);
	return ETL_FAILED;
}

int error_unsaid(struct etl_error *err)
{
	char plugin[sizeof(err->plugin)];

	memcpy(plugin, err->plugin, sizeof(plugin));
	return error_set(err, ETL_BUG, "%s%s failed without saying why; look at what was said before, and report it",
			 *plugin ? "plugin " : "", *plugin ? plugin : "etlrun");
}

int32_t error_class(int code, int32_t otherwise)
{
	return code == ENOMEM || code == EMFILE || code == ENFILE ? ETL_MEMORY : otherwise;
}

int error_memory(struct etl_error *err)
{
	return error_set(err, ETL_MEMORY, "out of memory; lower memory_limit or workers");
}

void error_at(struct etl_error *err, const char *table, const char *column, const char *key)
{
	if (!err || err->set)
		return;
	keep_first(&err->table, table);
	keep_first(&err->column, column);
	keep_first(&err->key, key);
}

void error_name_table(struct etl_error *err, const char *table)
{
	if (err && err->set)
		keep_first(&err->table, table);
}

void error_move(struct etl_error *to, struct etl_error *from)
{
	if (!from || to == from)
		return;
	if (!to || to->set || !from->set) {
		error_clear(from);
		return;
	}
	/* What was known of the place before the failure came is kept where the failure does not
	 * say it. */
	if (!from->table && !from->column && !from->key) {
		from->table = to->table;
		from->column = to->column;
		from->key = to->key;
		to->table = to->column = to->key = NULL;
	}
	error_clear(to);
	*to = *from;
	*from = (struct etl_error)ERROR_INIT;
}

int error_blame(struct etl_error *err, const char *origin, int rc)
{
	struct etl_error said = ERROR_INIT;

	if (rc >= 0 || !origin || !err->set || err->klass != ETL_USAGE || !err->message)
		return rc;
	error_move(&said, err);
	error_at(err, said.table, said.column, said.key);
	error_set(err, ETL_USAGE, "%s: %s", origin, said.message);
	err->role = said.role;
	memcpy(err->plugin, said.plugin, sizeof(said.plugin));
	error_clear(&said);
	return rc;
}

/* The store's own failures: the side it is on. A transform or validator that breaks is neither
 * store. */
static int exit_by_role(int32_t role)
{
	switch (role) {
	case ETL_ROLE_SOURCE:
		return EXIT_SOURCE;
	case ETL_ROLE_TARGET:
		return EXIT_TARGET;
	case ETL_ROLE_TRANSFORM:
	case ETL_ROLE_VALIDATOR:
		return EXIT_DATA;
	default:
		return EXIT_BUG;
	}
}

int error_exit(const struct etl_error *err)
{
	if (!err || !err->set)
		return 0;
	switch (err->klass) {
	case ETL_USAGE:
		return EXIT_USAGE;
	case ETL_DATA:
		return EXIT_DATA;
	case ETL_MEMORY:
		return EXIT_MACHINE;
	case ETL_FATAL:
	case ETL_RETRY_STATEMENT:
	case ETL_RETRY_CONNECTION:
	case ETL_FEWER_WORKERS:
	case ETL_OUTCOME_UNKNOWN:
		return exit_by_role(err->role);
	case ETL_HOST_LOCKED:
		return EXIT_LOCKED;
	case ETL_HOST_ROLLBACK:
		return EXIT_ROLLBACK;
	case ETL_HOST_PAUSED:
		return EXIT_PAUSED;
	case ETL_HOST_CANCELED:
		return EXIT_CANCELED;
	default:
		return EXIT_BUG;
	}
}
