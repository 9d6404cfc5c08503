/*
 * Keys by a map: what the target has of it, and what it is to have, is the host's; here is what is asked, and what a key
 * becomes that nobody has mapped yet.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/random.h>
#include <time.h>

#include "keymap.h"

static const char *const column_names[ETL_MAP_COLUMNS] = {
	[ETL_MAP_TABLE] = "table_name", [ETL_MAP_OLD] = "old_key", [ETL_MAP_OLD_ID] = "old_id", [ETL_MAP_NEW] = "new_key",
	[ETL_MAP_RUN] = "run",		[ETL_MAP_TIME] = "mapped_at", [ETL_MAP_STATUS] = "status",
};

int32_t keymap_type(const struct etl_instance *self)
{
	return self->new == KEYMAP_NUMBER ? ETL_INT64 : ETL_UUID;
}

/* ---- The options ---- */

static int find_new(const char *word)
{
	static const char *const words[] = { [KEYMAP_HASH] = "uuid5", [KEYMAP_UUID4] = "uuid4", [KEYMAP_UUID7] = "uuid7",
					     [KEYMAP_NUMBER] = "sequence" };
	int i = KEYMAP_NUMBER;

	while (i > 0 && (!word || strcmp(words[i], word) != 0))
		i--;
	return i;
}

static int find_column(const char *name)
{
	for (int i = 0; i < ETL_MAP_COLUMNS; i++)
		if (strcmp(column_names[i], name) == 0)
			return i;
	return -1;
}

static int check_columns(const struct etl_instance *self, struct etl_error *err)
{
	const struct etl_host *host = self->host;

	for (size_t i = 0; i + 1 < host->list(self->conf, "map_columns"); i += 2)
		if (find_column(host->item(self->conf, "map_columns", i)) < 0)
			return host->fail(err, ETL_USAGE, NULL, 0,
					  "keymap: map_columns: \"%s\" is none of table_name, old_key, old_id, new_key, run, "
					  "mapped_at and status; a pair is one of these and what it is called in the map",
					  host->item(self->conf, "map_columns", i));
	return ETL_OK;
}

int keymap_map_check(struct etl_instance *self, struct etl_error *err)
{
	const struct etl_host *host = self->host;
	static const char *const belong[] = { "map_columns", "first" };

	self->map = host->str(self->conf, "map");
	self->new = find_new(host->str(self->conf, "new"));
	if (self->map && !*self->map)
		return host->fail(err, ETL_USAGE, NULL, 0, "keymap: `map` is empty; name the table that keeps the keys");
	if (!self->map && self->new != KEYMAP_HASH)
		return host->fail(err, ETL_USAGE, NULL, 0,
				  "keymap: new = \"%s\" needs a `map`: nobody could work such a key out again, so it has to be kept",
				  host->str(self->conf, "new"));
	for (size_t i = 0; i < sizeof(belong) / sizeof(belong[0]); i++)
		if (!self->map && host->given(self->conf, belong[i]))
			return host->fail(err, ETL_USAGE, NULL, 0, "keymap: `%s` is about a `map`, and there is none", belong[i]);
	if (self->new != KEYMAP_NUMBER && host->given(self->conf, "first"))
		return host->fail(err, ETL_USAGE, NULL, 0, "keymap: `first` belongs to new = \"sequence\"");
	return check_columns(self, err);
}

/* ---- What is said of the map ---- */

static void name_columns(const struct etl_instance *self, struct etl_map *map)
{
	const struct etl_host *host = self->host;

	for (int i = 0; i < ETL_MAP_COLUMNS; i++)
		map->columns[i] = column_names[i];
	for (size_t i = 0; i + 1 < host->list(self->conf, "map_columns"); i += 2) {
		int at = find_column(host->item(self->conf, "map_columns", i));

		map->columns[at] = host->item(self->conf, "map_columns", i + 1);
		map->named |= 1u << at;
	}
}

int keymap_maps(struct etl_instance *self, const struct etl_table *in, struct etl_map_sink *sink, struct etl_error *err)
{
	struct etl_map map = { .name = self->map, .type = keymap_type(self), .first = self->host->num(self->conf, "first") };
	struct keymap_plan plan = { 0 };
	struct etl_map_parent *parents;
	int r = self->map ? keymap_plan_make(self, in, &plan, err) : ETL_OK;

	if (r != ETL_OK || plan.made_count == 0)
		return r;
	name_columns(self, &map);
	parents = calloc(plan.made_count, sizeof(*parents));
	for (size_t i = 0; parents && i < plan.made_count; i++) {
		const struct keymap_made *made = &plan.made[i];

		if (made->is_key) {
			map.own = made->table;
			map.own_column = made->name;
		} else {
			parents[map.parent_count++] = (struct etl_map_parent){ made->table, made->name };
		}
	}
	map.parents = parents;
	map.parent_size = sizeof(*parents);
	r = parents ? sink->emit(sink, &map) : self->host->fail(err, ETL_MEMORY, NULL, 0, "no memory for the map of keys");
	free(parents);
	keymap_plan_free(&plan);
	return r;
}

/* ---- New keys ---- */

/* RFC 9562: version and variant stand in two of the bytes. */
static void mark(uint8_t uuid[KEYMAP_UUID], int version)
{
	uuid[6] = (uint8_t)((uuid[6] & 0x0f) | version << 4);
	uuid[8] = (uuid[8] & 0x3f) | 0x80;
}

static bool take_random(struct keymap_pool *pool, uint8_t ret[KEYMAP_UUID])
{
	for (size_t got = 0; pool->left < KEYMAP_UUID && got < sizeof(pool->at);) {
		ssize_t more = getrandom(pool->at + got, sizeof(pool->at) - got, 0);

		if (more < 0 && errno != EINTR)
			return false;
		got += more > 0 ? (size_t)more : 0;
		if (got == sizeof(pool->at))
			pool->left = got;
	}
	pool->left -= KEYMAP_UUID;
	memcpy(ret, pool->at + pool->left, KEYMAP_UUID);
	return true;
}

/* The milliseconds since 1970, in front of what is random. */
static void put_time(uint8_t uuid[KEYMAP_UUID])
{
	struct timespec t;
	uint64_t ms;

	clock_gettime(CLOCK_REALTIME, &t);
	ms = (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
	for (int i = 0; i < 6; i++)
		uuid[i] = (uint8_t)(ms >> (40 - 8 * i));
}

static bool make_fresh(const struct etl_instance *self, const struct keymap_made *made, const struct etl_text *text,
		       struct keymap_pool *pool, uint8_t ret[KEYMAP_UUID])
{
	if (self->new == KEYMAP_HASH) {
		keymap_make_of(made, text->at ? text->at : "", text->length, ret);
		return true;
	}
	if (!take_random(pool, ret))
		return false;
	if (self->new == KEYMAP_UUID7)
		put_time(ret);
	mark(ret, self->new == KEYMAP_UUID7 ? 7 : 4);
	return true;
}

int keymap_ask(const struct etl_instance *self, struct etl_context *context, const struct keymap_made *made,
	       const struct etl_text *text, struct keymap_pool *pool, struct etl_mapped *ret, struct etl_error *err)
{
	struct etl_map_ask ask = { .table = made->table,
				   .old = text->at ? text->at : "",
				   .size = text->length,
				   .refers = !made->is_key };
	uint8_t fresh[KEYMAP_UUID];
	int r = self->host->map_key(context, &ask, ret);

	if (r != 0 || ask.refers)
		return r;
	if (!make_fresh(self, made, text, pool, fresh))
		return self->host->fail(err, ETL_MEMORY, NULL, errno, "the system gives no random bytes for a key: %s", strerror(errno));
	ask.fresh = fresh;
	return self->host->map_key(context, &ask, ret);
}
