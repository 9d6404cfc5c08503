/*
 * A database while it is described: a few questions to the catalog, each about all tables at once, whose answers are
 * laid beside the tables they belong to.
 */
#ifndef POSTGRES_DESCRIBE_H
#define POSTGRES_DESCRIBE_H

#include "arena.h"
#include "decode.h"
#include "postgres.h"

/* One object on its way. The arrays that `table` points to are written through the pointers beside it. */
struct described {
	struct etl_table table;
	uint32_t oid;
	char kind; /* pg_class.relkind */
	bool unlogged;
	const char *partition_by; /* "RANGE (day)"; of a partitioned table */
	const char *inherits;	  /* "parent, other" */
	const char *partitions;	  /* statements that make its partitions */
	const char *tail;	  /* what else its statement says, behind the columns */
	struct etl_column *columns;
	struct etl_key *uniques;
	struct etl_foreign_key *foreign_keys;
	struct etl_check *checks;
	struct etl_index *indexes;
	/* What only the statement has, a line each that begins with a quoted name: which columns ON DELETE SET … sets,
	 * ("a", "b"); constraints that are NOT VALID. */
	struct etl_text sets, unproven;
};

struct describing {
	struct etl_instance *inst;
	struct etl_error *err;
	const struct etl_dataset *dataset; /* or NULL */
	struct arena memory;		   /* of everything that is emitted */
	struct described *objects;
	size_t count;
	char *oids; /* of the objects, "{1,2}": the parameter of the questions */
};

/* describe.c */
int postgres_describe_no_memory(struct describing *);
/* A copy in the arena; NULL for NULL. */
char *postgres_describe_text(struct describing *, const PGresult *, int row, int column);
/* An array of names ("{a,\"b c\"}") in the arena; *ret_count 0 and NULL for NULL. */
const char *const *describe_names(struct describing *, const PGresult *, int row, int column,
				  size_t *ret_count);
/* Asks SQL with the objects as $1; of each row the first value is the place of its object. EACH takes one row. */
int describe_ask(struct describing *, const char *sql,
		 int (*each)(struct describing *, struct described *, const PGresult *, int row));

/* In SQL: EXPRESSION is made as it reads in the schema NAMESPACE, whose own names stand alone. */
#define DESCRIBE_IN(namespace, expression)                                                          \
	"CASE WHEN pg_catalog.set_config('search_path', pg_catalog.quote_ident(" namespace "), "    \
	"true) IS NOT NULL THEN " expression " END"
/* In SQL: the value that a sequence has ready, NULL when it gave one already or cannot be read. It stands in the sequence
 * alone, which no function reads before 18; ts_stat runs a statement, and hands a text on. A standby has no unlogged ones. */
#define DESCRIBE_WAITING(oid_of)                                                                    \
	"(CASE WHEN pg_catalog.has_sequence_privilege(" oid_of ", 'SELECT') AND (SELECT "                     \
	"pg_catalog.has_schema_privilege(z.relnamespace, 'USAGE') AND (z.relpersistence <> 'u' OR NOT "        \
	"pg_catalog.pg_is_in_recovery()) FROM pg_catalog.pg_class z WHERE z.oid = " oid_of ") THEN (SELECT "   \
	"word::bigint FROM pg_catalog.ts_stat(pg_catalog.concat('SELECT pg_catalog.array_to_tsvector(ARRAY["   \
	"last_value::text]) FROM ', " oid_of "::regclass, ' WHERE NOT is_called'))) END)"
/* In SQL: the objects, as o(oid, place), o.place from 1. */
#define DESCRIBE_OBJECTS "pg_catalog.unnest($1::oid[]) WITH ORDINALITY o(oid, place)"

/* describe-columns.c */
int postgres_describe_columns(struct describing *);
/* What a type is here: type, precision, scale, length are set. OID and MODIFIER are those of the base type of a
 * domain; CATEGORY as pg_type.typcategory, ELEMENT the oid of an array's elements and its typtype. */
void describe_type(struct etl_column *, uint32_t oid, int32_t modifier, char category,
		   uint32_t element, char element_type);
/* describe-keys.c */
int postgres_describe_keys(struct describing *);
int postgres_describe_indexes(struct describing *);
/* describe-ddl.c */
int describe_statements(struct describing *);
/* describe-other.c */
int describe_others(struct describing *, struct etl_table_sink *);
/* describe-query.c */
int postgres_describe_query(struct describing *, struct etl_table_sink *);
int describe_where(struct describing *);

/* Adds a condition in SQL on a pg_namespace n: is it described? $2 is the schema that is asked for, or NULL. */
void describe_add_schemas(struct etl_text *);

#endif
