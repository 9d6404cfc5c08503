/*
 * A database must not be copied onto itself. By its path the target may look like another file (a link, a
 * second name, a mount), so the files that this process reads as a source are known by device and number.
 */
#include "config.h"

#include <sys/stat.h>

#include "sqlite.h"

static pthread_mutex_t sources_lock = PTHREAD_MUTEX_INITIALIZER;
static struct etl_instance *sources;

void sqlite_source_enter(struct etl_instance *inst)
{
	struct stat st;

	if (inst->host->role != ETL_ROLE_SOURCE || inst->is_source || stat(inst->path, &st) != 0)
		return;
	pthread_mutex_lock(&sources_lock);
	inst->is_source = true;
	inst->device = st.st_dev;
	inst->number = st.st_ino;
	inst->next_source = sources;
	sources = inst;
	pthread_mutex_unlock(&sources_lock);
}

void sqlite_source_leave(struct etl_instance *inst)
{
	struct etl_instance **at;

	if (!inst->is_source)
		return;
	pthread_mutex_lock(&sources_lock);
	for (at = &sources; *at && *at != inst; at = &(*at)->next_source)
		;
	if (*at)
		*at = inst->next_source;
	inst->is_source = false;
	pthread_mutex_unlock(&sources_lock);
}

int sqlite_not_source(struct etl_instance *inst, struct etl_error *err)
{
	const struct etl_instance *at;
	bool same = false;
	struct stat st;

	if (inst->host->role != ETL_ROLE_TARGET || stat(inst->path, &st) != 0)
		return ETL_OK;
	pthread_mutex_lock(&sources_lock);
	for (at = sources; at; at = at->next_source)
		same = same || (at->device == st.st_dev && at->number == st.st_ino);
	pthread_mutex_unlock(&sources_lock);
	if (!same)
		return ETL_OK;
	return inst->host->fail(
		err, ETL_USAGE, NULL, 0,
		"%s: is the very file that the source reads, and a database cannot be copied onto "
		"itself; name another target",
		inst->path);
}
