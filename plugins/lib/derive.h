/*
 * For transforms that rename or drop columns: what becomes of the rest of a table's shape. A key, index,
 * check or foreign key keeps its meaning under new names or goes; one that lost a column would be another
 * rule.
 */
#ifndef LIB_DERIVE_H
#define LIB_DERIVE_H

#include <etlrun/helpers.h>

#include "arena.h"

struct etl_derive {
	const struct etl_table *in;
	const char *const *names;     /* of the input's columns */
	const char *const *new_names; /* beside them; NULL: the column goes */
	/* Rows of the output need not be rows of the input: keys, unique indexes, checks and foreign keys of
	 * several columns go too. */
	bool mixed;
	/* Told of each part that goes, "the primary key" and its name, or NULL: because rows are MIXED, or a
	 * column of it goes. */
	void (*gone)(void *data, const char *what, const char *name, bool mixed);
	void *data;
	struct arena arena; /* of what OUT points to beside IN */
	struct etl_table out;
};

/* Sets OUT to IN without DDL and without parts, ready for its columns; makes NAMES. False: no memory. */
bool etl_derive_begin(struct etl_derive *);
/* A column of this type will be made: a STRICT table whose words know no such type is STRICT no more. To be called
 * for each before any is declared. */
void etl_derive_type(struct etl_derive *, int32_t type);
/* How such a column is declared: as TEXT says, or with the word of a STRICT table. Not at all when it takes any
 * value: to SQLite a column called "any" is one of numbers, and '12' would become 12. */
const char *etl_derive_declared(const struct etl_derive *, int32_t type, const char *text);
/* Keys, foreign keys, checks and indexes of OUT. False: no memory. */
bool etl_derive_parts(struct etl_derive *);
void etl_derive_end(struct etl_derive *);

enum etl_renamed { ETL_RENAMED, ETL_RENAMED_GONE, ETL_RENAMED_MEMORY };
/* An expression in SQL (NULL stays NULL) under the new names. ETL_RENAMED_GONE: it mentions a column that
 * goes. */
enum etl_renamed etl_derive_sql(struct etl_derive *, const char **sql);

/* The index of a name, exact first, then in any ASCII case; -1: none. */
int64_t etl_name_find(const char *const *names, size_t count, const char *name);
/* The name most like it, or NULL: none is near enough to be meant. */
const char *etl_name_nearest(const char *const *names, size_t count, const char *name);
/* As etl_derive_sql; *RET is made in ARENA, or SQL itself when nothing changes. */
enum etl_renamed etl_rename_sql(const char *const *names, const char *const *new_names,
				size_t count, const char *sql, struct arena *arena,
				const char **ret);

#endif
