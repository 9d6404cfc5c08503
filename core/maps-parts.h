/*
 * What the files of maps share.
 */
#ifndef CORE_MAPS_PARTS_H
#define CORE_MAPS_PARTS_H

#include "maps.h"

/* Whose keys a map holds. */
struct map_table {
	char *name;
	struct job **owners;
	size_t owner_count;
	int64_t next; /* number */
};

struct map {
	struct map *next;
	struct maps *maps;
	char *name;
	char *columns[ETL_MAP_COLUMNS];
	uint32_t named;
	int32_t type;
	int64_t first;
	const struct plugin_use *use; /* who spoke of it first */
	struct job *user;	      /* likewise */
	struct map_table *tables;
	size_t table_count;
	const struct etl_table *existing; /* in the target, or NULL */
	const char *schema;		  /* in which the target has it, or NULL */
	uint32_t has;			  /* bits 1 << enum etl_map_column: what it is to have */
	struct job *job;		  /* that extends it; NULL: it is only asked */
	struct map_set *set;		  /* under the mutex of the maps until it is there */
};

struct maps {
	struct map *first;
	bool looks; /* nothing is extended */
	bool ahead;
	pthread_mutex_t mutex;
};

/* The index of the table of that name; made when it is not there. False: no memory, or too many. */
bool map_table_find(struct map *, const char *name, size_t size, uint16_t *ret);
static inline bool map_has(const struct map *m, int column)
{
	return m->has >> column & 1;
}

/* maps-refer.c. Fills jm->at. */
int map_find_own(struct job *, struct job_map *, struct etl_error *);

/* maps-read.c. Fills map->set. */
int map_read(const struct flow_setup *, struct map *, struct etl_error *);
/* A new key of a row, in the form of the set. False: there is none. */
bool map_key_read(const struct map *, const struct etl_column_view *, int64_t row, uint8_t ret[MAP_KEY]);

#endif
