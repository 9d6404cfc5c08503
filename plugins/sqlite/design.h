/*
 * What the files of design share: one object on its way to steps and verdicts. Nothing here looks at a
 * database; everything follows from the description of the table, the load and the options.
 */
#ifndef SQLITE_DESIGN_H
#define SQLITE_DESIGN_H

#include "ddl.h"
#include "sqlite.h"

struct design {
	struct etl_instance *inst;
	const struct etl_table *table;
	const struct etl_load *load;
	struct etl_step_sink *sink;
	struct etl_error *err;
	bool same;		  /* the texts are SQLite's SQL */
	struct ddl_names names;	  /* what the pipeline renamed */
	struct ddl_name *columns; /* of names, owned */
	struct ddl_name renamed;  /* of names: the table */
	struct etl_text sql;	  /* the CREATE TABLE under construction */
	bool inline_key;	  /* the primary key stands at its column */
	bool quiet;		  /* verdicts of parts are not said (again) */
	int32_t index_at;	  /* the phase of the steps that make indexes; -1: as each wants it */
};

int design_no_memory(struct design *);
/* A step or a verdict for OBJECT. */
int design_step(struct design *, int32_t phase, int32_t verdict, const char *kind,
		const char *object, const char *sql, const char *note);
/* A verdict for a part of the table: object "table.part". PART NULL: the table's name alone. */
int design_part(struct design *, int32_t verdict, const char *kind, const char *part,
		const char *note);
/* The same with a note made of FORMAT and one text. */
int design_part_of(struct design *, int32_t verdict, const char *kind, const char *part,
		   const char *before, const char *text);
const struct etl_column *design_column(const struct design *, const char *name);
/* SQL in the new names appended to RET. False: it cannot be said safely; RET is as it was. */
bool design_renamed(struct design *, const char *sql, struct etl_text *ret);
/* "a", "b" with their collations; false: a column is not among the table's. */
bool design_names(struct design *, const char *const *columns, const char *const *collations,
		  size_t count, struct etl_text *ret);

/* design-table.c */
int design_table(struct design *);
/* Its parts: CREATE TABLE in PHASE with the verdicts; what looks at the rows; indexes, all or the unique
 * ones; counters. */
int design_create(struct design *, int32_t phase);
int design_screens(struct design *);
int design_indexes(struct design *, bool all);
int design_counters(struct design *, int32_t phase);
/* design-parts.c: add to design.sql, and emit the verdict */
int design_add_column(struct design *, const struct etl_column *, bool first);
int design_add_key(struct design *, const struct etl_key *, bool primary);
int design_add_foreign_key(struct design *, const struct etl_foreign_key *);
int design_add_check(struct design *, const struct etl_check *);
int design_index(struct design *, const struct etl_index *);
/* Can the index be made over the columns that the table has? */
bool design_index_fits(struct design *, const struct etl_index *);
/* design-other.c */
int design_other(struct design *);
/* The settings that an ETL_DATABASE lists, as steps of the run. */
int design_settings(struct design *, const struct etl_table *);

#endif
