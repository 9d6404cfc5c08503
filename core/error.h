/*
 * One failure, described where it happened and reported once, by the verb. Functions of the core
 * that can fail take a struct etl_error and return ETL_OK or a negative enum etl_status; the first
 * description stays, later ones are dropped, so the root cause is what the person reads.
 */
#ifndef CORE_ERROR_H
#define CORE_ERROR_H

#include <stdarg.h>
#include <stdbool.h>

#include <etlrun/plugin.h>

/* Classes of the host alone, beyond enum etl_class. */
enum host_class {
	ETL_HOST_LOCKED = 100, /* another run of this pipeline holds the lock; exit 8 */
	ETL_HOST_ROLLBACK,     /* a rollback stopped half-way; exit 9 */
	ETL_HOST_PAUSED,       /* on request; exit 11 */
	ETL_HOST_CANCELED      /* on request; as by SIGTERM, exit 143 */
};

struct etl_error {
	bool set;
	int32_t klass;	  /* enum etl_class or enum host_class */
	int32_t role;	  /* enum etl_role of the plugin that failed; 0: the host itself */
	char sqlstate[6]; /* "" when there is none */
	int64_t native;
	int64_t delay;		    /* milliseconds */
	char plugin[64];	    /* who said it; "" the host */
	char *table, *column, *key; /* or NULL */
	char *message; /* a sentence without a full stop at its end, or NULL when memory ran out */
};

#define ERROR_INIT                                                                                 \
	{                                                                                          \
		.set = false                                                                       \
	}

void error_clear(struct etl_error *);
/* Describes a failure of the host itself; returns ETL_FAILED. */
int error_set(struct etl_error *, int32_t klass, const char *format, ...) ETL_PRINTF(3, 4);
int error_setv(struct etl_error *, int32_t klass, const char *sqlstate, int64_t native,
	       const char *format, va_list args) ETL_PRINTF(5, 0);
/* The class of what errno CODE says: a machine without memory or free file descriptors is ETL_MEMORY,
 * whatever was being done; all else is OTHERWISE. */
int32_t error_class(int code, int32_t otherwise);
/* Of a failure that nobody described, at least whose it was: the plugin of the last instance_error. */
int error_unsaid(struct etl_error *);
/* ETL_MEMORY in standard words. */
int error_memory(struct etl_error *);
/* Where it was; only before error_set, only the first of each is kept. */
void error_at(struct etl_error *, const char *table, const char *column, const char *key);
/* The table, on a description that names none. */
void error_name_table(struct etl_error *, const char *table);
/* Moves FROM into TO unless TO is set already; FROM is cleared. */
void error_move(struct etl_error *to, struct etl_error *from);
/* A plugin cannot do what the pipeline says: an ETL_USAGE error begins with ORIGIN (or NULL), where that stands. Returns
 * RC; nothing happens unless it is negative. */
int error_blame(struct etl_error *, const char *origin, int rc);
/* The exit codes, as etlrun(1) tells them; 0: all is done. */
enum {
	EXIT_BUG = 1,
	EXIT_USAGE,
	EXIT_SOURCE,
	EXIT_TARGET,
	EXIT_DATA,
	EXIT_REJECTED, /* done, with rejected rows within the limits */
	EXIT_DIFFERENT, /* source and target, where that was asked */
	EXIT_LOCKED,
	EXIT_ROLLBACK,
	EXIT_MACHINE,
	EXIT_PAUSED,
	EXIT_CANCELED = 143
};
int error_exit(const struct etl_error *);

#endif
