/*
 * What the files of design share: one object on its way to steps and verdicts. Nothing here looks at a server;
 * everything follows from the description of the table, the load and the options.
 *
 * Names stand alone in every statement: whoever applies it sets a search_path in which the staged tables come
 * first, then the target's schema.
 */
#ifndef POSTGRES_DESIGN_H
#define POSTGRES_DESIGN_H

#include "postgres.h"
#include "sql-from-sqlite.h"

/* What rows are known by while they wait: the first loaded of two equals stays. */
#define DESIGN_LOAD_ORDER "ctid"
/* A row of a table with partitions, each of which counts its ctids for itself; t is the table. */
#define DESIGN_PARTITIONED_ROW "t.tableoid::text || t.ctid"
/* The collation that stands for SQLite's NOCASE. */
#define DESIGN_NOCASE "nocase"

struct design {
	struct etl_instance *inst;
	const struct etl_table *table;
	const struct etl_load *load;
	const struct etl_run *run; /* of load, or NULL */
	struct etl_step_sink *sink;
	struct etl_error *err;
	bool same;   /* the texts are PostgreSQL's SQL */
	bool sqlite; /* … SQLite's */
	bool nocase; /* the collation was asked for already */
};

int postgres_design_no_memory(struct design *);
/* A step or a verdict for OBJECT. */
int postgres_design_step(struct design *, int32_t phase, int32_t verdict, const char *kind,
		const char *object, const char *sql, const char *note);
/* The same for a part of the table, object "table.part" (PART NULL: the table's name alone); SQL, which is freed, may be
 * NULL: a verdict. */
int postgres_design_part(struct design *, int32_t phase, int32_t verdict, const char *kind, const char *part,
		struct etl_text *sql, const char *note);
/* A part that does not arrive: WHY, and its TEXT when there is one. */
int design_skip(struct design *, const char *kind, const char *part, const char *why,
		const char *text);
const struct etl_column *postgres_design_column(const struct design *, const char *name);
/* Rows that break a rule are looked for before it is made: they are to be rejected or reported, not to fail it. */
bool design_looks(const struct design *);
/* What stands behind the columns of the table's own statement: PARTITION BY, and the partitions; or NULL. */
const char *design_partitions(const struct design *);
/* The table is there and stays; rows come into it. */
bool design_stays(const struct design *);
/* DO, and BODY in dollar quotes that nothing in it ends. */
void design_add_block(struct etl_text *, const struct etl_text *body);
/* "a", "b", each as PREFIX."a" when there is one. */
void design_add_columns(struct etl_text *, const char *prefix, const char *const *columns,
			size_t count);
/* Of a constraint of the source, when that is PostgreSQL too: it is NOT VALID, so rows may break it. */
bool design_is_unproven(const struct design *, const char *name);
/* … and which columns ON DELETE SET … sets, " (a, b)", where these are not all. */
void design_add_set_columns(const struct design *, const char *name, struct etl_text *);
/* The name of a constraint or index as it is in the target: keys, indexes and tables of a schema share their
 * names. BUF has POSTGRES_NAME_MAX + 1 bytes. */
const char *design_own_name(const struct design *, const char *name, char *buf);

/* design-names.c */
/* The name of a key: its own, else the one that the server would give it, SUFFIX at its end; with a number where that is taken.
 * NULL: the server may choose. *RET_OTHER: it has a name of its own, and that is taken. BUF: POSTGRES_NAME_MAX + 1. */
const char *design_key_name(const struct design *, const char *own, const char *const *columns, size_t count,
			    const char *suffix, char *buf, bool *ret_other);
/* The name of the sequence of an identity column, where the server's is taken; NULL: it may choose. */
const char *design_sequence_name(const struct design *, const char *column, char *buf);

/* design-type.c */
/* Adds the type's name to RET and what is to be said of it to NOTE; *VERDICT is set. */
void design_add_type(const struct design *, const struct etl_column *, struct etl_text *ret,
		     int32_t *verdict, struct etl_text *note);
/* In which kind of value an expression sees the column. */
enum sql_kind design_kind(const struct design *, const struct etl_column *);

/* design-table.c */
int postgres_design_table(struct design *);
/* design-expression.c */
/* An expression in PostgreSQL's SQL added to RET: 1; 0 with *WHY said (owned by RESULT) or negative. */
int design_expression(struct design *, const char *sql, enum sql_use, const struct etl_column *into,
		      struct etl_text *ret, struct sql_result *result);
/* PostgreSQL's own SQL in the names that the columns have now. */
void design_add_renamed(const struct design *, const char *sql, struct etl_text *ret);
/* The collation that NOCASE becomes is made when it is missing. */
int design_make_nocase(struct design *);
/* design-keys.c */
/* The primary key and the unique ones: what PHASE has of them. */
int design_keys(struct design *, int32_t phase);
int postgres_design_index(struct design *, const struct etl_index *);
/* All checks in one statement, so that the rows are read once. */
int design_checks(struct design *);
/* What finds rows that are not the first of their kind: PARTS must be unique among those for which CONDITION (or NULL)
 * is true. */
int design_screen_equal(struct design *, const char *kind, const char *part, const char *parts,
			const char *condition);
/* "a" IS NOT NULL AND … */
void design_add_given(struct etl_text *, const char *const *columns, size_t count);
/* Rows for which it is false. */
int design_screen_check(struct design *, const char *part, const char *condition);
/* design-foreign.c */
/* LIVE: the schema in which the parent has further rows, or NULL. */
int design_screen_foreign_key(struct design *, const struct etl_foreign_key *,
			      const struct etl_parent *, const char *live);
int design_foreign_key(struct design *, const struct etl_foreign_key *, const struct etl_parent *);
int postgres_design_references(struct design *);
/* design-stays.c: a table of the target that stays */
int design_staying(struct design *);
/* design-other.c */
int postgres_design_other(struct design *);

#endif
