/*
 * A state file of any bytes, in memory: opened, its runs read, what is left of them cleaned up. Whatever stands
 * in it, it is read or refused with a sentence that names the file.
 */
#include "config.h"

#include <sqlite3.h>

#include "../../core/state.h"
#include "fuzz.h"

/* Beyond it SQLite is busy for long with one damaged page. */
enum { STEPS = 100000, STEPS_AT_A_TIME = 1000 };

static const uint8_t *bytes;
static size_t byte_count;
static unsigned steps;

int __wrap_sqlite3_open_v2(const char *path, sqlite3 **db, int flags, const char *vfs);
int __real_sqlite3_open_v2(const char *path, sqlite3 **db, int flags, const char *vfs);

static int too_long(void *data)
{
	(void)data;
	steps += STEPS_AT_A_TIME;
	return steps > STEPS;
}

/* The bytes of this round instead of the file. */
int __wrap_sqlite3_open_v2(const char *path, sqlite3 **db, int flags, const char *vfs)
{
	unsigned ways = SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE;
	int rc = __real_sqlite3_open_v2(":memory:", db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
					vfs);
	unsigned char *copy;

	(void)path;
	if (rc != SQLITE_OK || byte_count == 0)
		return rc;
	copy = sqlite3_malloc64(byte_count);
	FUZZ_HOLDS(copy);
	memcpy(copy, bytes, byte_count);
	if (!(flags & SQLITE_OPEN_READWRITE))
		ways |= SQLITE_DESERIALIZE_READONLY;
	sqlite3_progress_handler(*db, STEPS_AT_A_TIME, too_long, NULL);
	return sqlite3_deserialize(*db, "main", copy, (sqlite3_int64)byte_count,
				   (sqlite3_int64)byte_count, ways);
}

static void refused(const struct etl_error *err)
{
	FUZZ_HOLDS(err->set && err->klass == ETL_MEMORY && err->message &&
		   strstr(err->message, "/the/state"));
}

static int see_run(const struct state_run *run, void *data)
{
	size_t *count = data;

	/* All of it is read. */
	*count += (run->id ? strlen(run->id) : 0) + (run->error ? strlen(run->error) : 0) +
		  (run->status ? strlen(run->status) : 0) +
		  (run->started ? strlen(run->started) : 0);
	return 0;
}

static int see_left(const struct state_left *left, void *data)
{
	FUZZ_HOLDS(strlen(left->run) < sizeof(left->run) &&
		   strlen(left->table) < sizeof(left->table));
	FUZZ_HOLDS(strlen(left->token.text) < sizeof(left->token.text));
	return see_run(&(struct state_run){ .id = left->run }, data);
}

static int see_phase(const char *phase, const char *entered, void *data)
{
	return see_run(&(struct state_run){ .id = phase, .started = entered }, data);
}

static int see_unit(const struct state_unit *unit, void *data)
{
	const unsigned char *at = unit->data;
	size_t *sum = data;

	FUZZ_HOLDS(strlen(unit->mark.text) < sizeof(unit->mark.text));
	for (size_t i = 0; i < unit->size; i++)
		*sum += at[i];
	return see_run(&(struct state_run){ .id = unit->name }, data);
}

/* As a run that takes up where another process ended. */
static int take_up(struct state *s, struct etl_error *err)
{
	size_t seen = 0;
	int rc = state_loads(s, NULL, see_left, &seen, err);

	if (rc == 0)
		rc = state_phases(s, "r", see_phase, &seen, err);
	if (rc == 0)
		rc = state_units(s, "r", see_unit, &seen, err);
	if (rc == 0)
		rc = state_run_again(s, "r", "etlrun resume", err);
	return rc == 0 ? state_cleanup(s, see_left, &seen, err) : rc;
}

static void use(bool create)
{
	struct etl_error err = ERROR_INIT;
	struct state *s = NULL;
	size_t seen = 0;
	int rc;

	steps = 0;
	rc = state_open(create ? "/the/state" : "/", create, &s, &err);
	if (rc != 0) {
		FUZZ_HOLDS(!s && err.set && err.klass == ETL_MEMORY && err.message);
		error_clear(&err);
		return;
	}
	/* Nothing stands in an empty file, and reading does not make it. */
	if (!s) {
		FUZZ_HOLDS(!create);
		return;
	}
	rc = state_runs(s, see_run, &seen, &err);
	if (rc == 0 && create)
		rc = take_up(s, &err);
	if (rc != 0 && create)
		refused(&err);
	state_close(s);
	error_clear(&err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bytes = data;
	byte_count = size;
	use(true);
	use(false);
	return 0;
}
