/*
 * A statement that may pass at once (a deadlock, a serialization failure) is tried a few times with pauses just long
 * enough that two that met do not meet again. A lost connection, or one that is not given, is tried
 * with pauses that grow fourfold up to half a minute: the first find a pooler that blinked, the last a server that
 * was restarted. Each pause is a little longer or shorter than the others, so that workers do not come back all at
 * one moment.
 */
#include "config.h"

#include <stdio.h>
#include <time.h>

#include "log.h"
#include "retry.h"

#define MOST_STATEMENTS 3
#define STATEMENT_MS	20
#define CONNECTION_MS	250
#define GROWTH		4
#define LONGEST_MS	30000

static atomic_uint_fast64_t total;

uint64_t retry_total(void)
{
	return atomic_load(&total);
}

bool retry_class(int32_t klass)
{
	return klass == ETL_RETRY_STATEMENT || klass == ETL_RETRY_CONNECTION ||
	       klass == ETL_FEWER_WORKERS || klass == ETL_OUTCOME_UNKNOWN;
}

bool retry_is_lost(int32_t klass)
{
	return klass == ETL_RETRY_CONNECTION || klass == ETL_OUTCOME_UNKNOWN;
}

enum retry_how retry_decide(struct retry_count *count, const struct instance *instance, int64_t most,
			    const struct etl_error *err)
{
	if (!err->set || !retry_class(err->klass) || host_canceled())
		return RETRY_NOT;
	if (err->klass == ETL_RETRY_STATEMENT) {
		if (most == 0 || count->statements == MOST_STATEMENTS)
			return RETRY_NOT;
		count->statements++;
		return RETRY_AGAIN;
	}
	/* What a transform lost is opened with the next stream; the pin is not. */
	if (instance && instance->pinned && err->role == instance->host.role && retry_is_lost(err->klass))
		return RETRY_NOT;
	if (count->connections == most)
		return RETRY_NOT;
	count->connections++;
	return RETRY_ANEW;
}

/* Between three quarters and five quarters of MS. */
static int64_t about(int64_t ms)
{
	struct timespec t;
	uint64_t x;

	clock_gettime(CLOCK_MONOTONIC, &t);
	x = (uint64_t)t.tv_nsec * 0x9e3779b97f4a7c15u ^ (uint64_t)(uintptr_t)&t;
	return ms * 3 / 4 + (int64_t)((x >> 33) % (uint64_t)(ms / 2 + 1));
}

static int64_t pause_of(const struct retry_count *count, enum retry_how how, int64_t least)
{
	int64_t ms = how == RETRY_AGAIN ? STATEMENT_MS : CONNECTION_MS;

	for (uint32_t i = 1; how == RETRY_ANEW && i < count->connections && ms < LONGEST_MS; i++)
		ms *= GROWTH;
	ms = about(ms < LONGEST_MS ? ms : LONGEST_MS);
	return ms > least ? ms : least;
}

static void say(const struct retry_count *count, enum retry_how how, int64_t most, int64_t ms,
		const char *what, const struct etl_error *err)
{
	const char *message = err->message ? err->message : "no memory to say why";
	char code[24] = "", after[48] = "at once";

	if (err->sqlstate[0])
		snprintf(code, sizeof(code), " (SQLSTATE %s)", err->sqlstate);
	if (how == RETRY_ANEW)
		snprintf(after, sizeof(after), "on a new connection in %.1f s", (double)ms / 1000);
	log_line(ETL_LOG_WARN, "%s%s%s: %s%s; it is tried again %s (%u of %d)", err->plugin,
		 err->plugin[0] ? ", " : "", what, message, code, after,
		 how == RETRY_ANEW ? count->connections : count->statements,
		 how == RETRY_ANEW ? (int)most : MOST_STATEMENTS);
}

bool retry_wait(const struct retry_count *count, enum retry_how how, int64_t most, const char *what,
		struct etl_error *err)
{
	int64_t ms = pause_of(count, how, how == RETRY_ANEW ? err->delay : 0);

	atomic_fetch_add(&total, 1);
	say(count, how, most, ms, what, err);
	error_clear(err);
	return host_wait(ms);
}

struct retry retry_of(struct instance *instance, const char *what)
{
	return (struct retry){ .instance = instance, .what = what };
}

bool retry_again(struct retry *retry, struct etl_error *err)
{
	struct instance *instance = retry->instance;
	for (;;) {
		enum retry_how how = retry_decide(&retry->count, instance, instance->retries, err);

		if (how == RETRY_NOT ||
		    !retry_wait(&retry->count, how, instance->retries, retry->what, err))
			return false;
		/* What holds the pin is not closed: everything that is read goes through its view. */
		if (how == RETRY_AGAIN || instance->pinned || instance_renew(instance, err) == 0)
			return true;
	}
}
