/*
 * The host's side of the ABI: the table of upcalls that every instance is given. What a plugin says
 * (log, fail) is stamped with its name and role here; rejects go to context.c, peers to peer.c,
 * options to options.c.
 */
#include "config.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "context.h"
#include "host.h"
#include "log.h"
#include "peer.h"
#include "remark.h"

#define SLICE_MS 50 /* how soon a signal ends a wait */

static atomic_bool canceled;
atomic_int host_signal;

static pthread_mutex_t open_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct instance *all_open;

void host_cancel(void)
{
	atomic_store(&canceled, true);
}

void host_cancel_reset(void)
{
	atomic_store(&canceled, false);
}

bool host_canceled(void)
{
	return atomic_load_explicit(&canceled, memory_order_relaxed);
}

bool host_wait(int64_t ms)
{
	for (; ms > 0 && !host_canceled(); ms -= SLICE_MS) {
		struct timespec pause = { .tv_nsec = (ms < SLICE_MS ? ms : SLICE_MS) * 1000000 };

		nanosleep(&pause, NULL);
	}
	return !host_canceled();
}

static int upcall_canceled(const struct etl_host *host)
{
	(void)host;
	return host_canceled();
}

static int upcall_fail(struct etl_error *err, int32_t klass, const char *sqlstate, int64_t native,
		       const char *format, ...)
{
	va_list args;
	int rc;

	va_start(args, format);
	rc = error_setv(err, klass, sqlstate, native, format, args);
	va_end(args);
	return rc;
}

static void upcall_delay(struct etl_error *err, int64_t milliseconds)
{
	if (!err->set && milliseconds > err->delay)
		err->delay = milliseconds;
}

static void upcall_log(const struct etl_host *host, int32_t level, const char *format, ...)
{
	const struct instance *instance = (const struct instance *)(const void *)host;
	va_list args;

	va_start(args, format);
	log_linev(level, instance->plugin->base.name, format, args);
	va_end(args);
}

static void upcall_remark(const struct etl_host *host, const char *about, const char *sentence)
{
	(void)host;
	remark_put(about, sentence);
}

static const struct etl_host template_host = {
	.abi = ETL_ABI,
	.fail = upcall_fail,
	.at = error_at,
	.delay = upcall_delay,
	.log = upcall_log,
	.canceled = upcall_canceled,
	.reject = context_reject,
	.count = context_count,
	.given = conf_given,
	.str = conf_str,
	.num = conf_num,
	.flag = conf_flag,
	.list = conf_list,
	.item = conf_item,
	.sub = conf_sub,
	.peer_describe = peer_describe,
	.peer_digest = peer_digest,
	.peer_read = peer_read,
	.peer_hashes = peer_hashes,
	.peer_other = peer_other,
	.carried = context_carried,
	.peer_totals = peer_totals,
	.noted = context_noted,
	.remark = upcall_remark,
	.map_key = context_map_key,
};

struct etl_error *instance_error(const struct instance *instance, struct etl_error *err)
{
	if (!err->set) {
		err->role = instance->host.role;
		snprintf(err->plugin, sizeof(err->plugin), "%s", instance->plugin->base.name);
	}
	return err;
}

int instance_open(const struct plugin_use *use, int32_t role, const struct host_limits *limits,
		  struct instance **ret, struct etl_error *err)
{
	struct instance *instance = calloc(1, sizeof(*instance));
	int rc;

	if (!instance)
		return error_memory(err);
	instance->host = template_host;
	instance->host.role = role;
	instance->host.batch_rows = limits->batch_rows;
	instance->host.batch_bytes = limits->batch_bytes;
	instance->host.max_row = limits->max_row;
	instance->host.memory = limits->memory;
	instance->host.workers = limits->workers;
	instance->host.run = limits->run;
	instance->host.source = limits->source;
	instance->host.notes = limits->pipeline ? limits->pipeline->notes : NULL;
	instance->host.intent = limits->intent;
	instance->plugin = use->plugin;
	instance->conf = use->conf;
	instance->retries = limits->retries;
	rc = use->plugin->base.open(&instance->host, use->conf, &instance->self,
				    instance_error(instance, err));
	if (rc < 0) {
		free(instance);
		return rc;
	}
	pthread_mutex_lock(&open_mutex);
	instance->next = all_open;
	all_open = instance;
	pthread_mutex_unlock(&open_mutex);
	*ret = instance;
	return 0;
}

int instance_renew(struct instance *instance, struct etl_error *err)
{
	struct etl_instance *fresh = NULL, *old;
	int rc = instance->plugin->base.open(&instance->host, instance->conf, &fresh,
					     instance_error(instance, err));

	if (rc < 0)
		return rc;
	pthread_mutex_lock(&open_mutex);
	old = instance->self;
	instance->self = fresh;
	pthread_mutex_unlock(&open_mutex);
	/* A signal that came while it was opened did not see it. */
	if (host_canceled())
		instance->plugin->base.cancel(fresh);
	instance->plugin->base.close(old);
	return 0;
}

void instances_cancel(void)
{
	pthread_mutex_lock(&open_mutex);
	for (struct instance *i = all_open; i; i = i->next)
		i->plugin->base.cancel(i->self);
	pthread_mutex_unlock(&open_mutex);
}

void instance_close(struct instance *instance)
{
	struct instance **at = &all_open;

	if (!instance)
		return;
	pthread_mutex_lock(&open_mutex);
	while (*at != instance)
		at = &(*at)->next;
	*at = instance->next;
	pthread_mutex_unlock(&open_mutex);
	instance->plugin->base.close(instance->self);
	free(instance);
}
