/*
 * Reading rows: what a dataset is (relation.c), the statement for it (select.c), its rows as they come (copy.c), and
 * the stream of batches (read.c).
 */
#ifndef POSTGRES_READ_H
#define POSTGRES_READ_H

#include "arena.h"
#include "decode.h"
#include "postgres.h"

#define READ_QUERY_NAME "etlrun_query" /* by which the columns of a query are qualified */

/* What is read: a table or a query, and what the server says of it. The texts live in `arena`. */
struct relation {
	struct arena arena;
	const struct etl_dataset *dataset;
	const char *schema, *name; /* of a table; else NULL */
	char kind;		   /* pg_class.relkind; 0: a query */
	uint32_t oid;
	const char **keys; /* columns of the primary key */
	size_t key_count;
};

/* relation.c */
/* The schema in which a dataset's table is: that of the staging place, of the dataset, of the options, or the first of
 * the session's path. *RET is in ARENA. */
int relation_schema(struct etl_instance *, const struct etl_dataset *, struct arena *,
		    const char **ret, struct etl_error *);
/* Asks the catalog. A table that is not there fails; relation_free in any case. */
int relation_find(struct etl_instance *, const struct etl_dataset *, struct relation *ret,
		  struct etl_error *);
void relation_free(struct relation *);
/* Conditions and queries are read as who wrote them reads them: by the session's own search path, the schema of the
 * options first. */
int relation_path(struct etl_instance *, struct etl_error *);
/* Rows of its own storage, in blocks? */
bool relation_has_blocks(const struct relation *);
/* For messages: table "s"."t", the query. */
void relation_add_what(const struct relation *, struct etl_text *);

/* select.c */
/* The relation as FROM takes it, named so that its columns can be qualified; SPLIT or NULL. */
void postgres_select_add_from(struct etl_text *, const struct relation *, const struct etl_split *);
void select_add_column(struct etl_text *, const struct relation *, const char *name);
/* VALUE, an expression of a type outside the profile, as the text of its JSON. */
void select_add_json(struct etl_text *, const char *value);
/* Conditions: those of the dataset, the cursor, the split. */
void select_add_where(struct etl_text *, const struct relation *, const struct etl_read *,
		      const struct etl_split *);
/* One column of the result. */
struct select_column {
	const char *name;
	uint32_t oid;		   /* as the server would send it */
	struct etl_type_info want; /* ETL_TYPE_NONE: for the key of a message only */
};
/* The statement whose rows are read; FAILED of the text is set when memory ran out. KEY_TYPES are those of the key
 * columns of READ, as the server spells them. */
void select_add_copy(struct etl_text *, const struct relation *, const struct etl_read *,
		     const struct etl_split *, const struct select_column *columns, size_t count,
		     const char *const *key_types);
/* Asks for the types of the wanted columns, and of those of the key that are not wanted, which follow them. */
int select_types(struct etl_instance *, struct relation *, const struct etl_read *,
		 struct select_column **ret, size_t *ret_count, const char *const **ret_key_types,
		 struct etl_error *);

/* watermark.c */
/* The condition of etl_read.since. */
void watermark_add_since(struct etl_text *, const struct relation *, const struct etl_read *);

/* copy.c */
/* Rows of a COPY … TO STDOUT (FORMAT binary) that was begun. */
struct copy_rows {
	struct etl_instance *inst;
	char *buffer;		/* libpq's */
	const uint8_t *at, *end; /* what is left of it */
	bool headed;		/* the head of the stream was read */
	bool ended;
};
/* ETL_FILL_MORE: `at` stands on the fields of a row of COUNT fields; ETL_FILL_END; or negative: failed, WHAT is being
 * read. */
int copy_next(struct copy_rows *, size_t count, const char *what, struct etl_error *);
/* Ends a copy that may not be at its end, so that the connection can be used again. */
void copy_close(struct copy_rows *);

#endif
