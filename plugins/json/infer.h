/*
 * A mapping for files of which the pipeline says nothing: which files belong together, which tables are in them, their columns,
 * types and keys, by all records. Each proposal is a mapping like any other, and says what it was not sure of.
 */
#ifndef JSON_INFER_H
#define JSON_INFER_H

#include "shape.h"

struct proposed_column {
	const char *name, *path, *type;
	bool required;
	const char *doubt;              /* or NULL */
};

struct proposal {
	const char *name;
	const char *files;              /* a pattern */
	const char *shape;              /* or NULL */
	const char *rows;               /* or NULL */
	struct proposed_column *columns;
	size_t column_count;
	const char **key;
	size_t key_count;
	const struct proposal *parent;  /* or NULL */
	const char **refers;            /* columns with the parent's key, in its order */
	size_t refers_count;
	const char **except;            /* as file_group has it */
	size_t except_count;
	const char **doubts;
	size_t doubt_count;
	uint64_t row_count;             /* how many were seen */
};

/* Bytes of a name that is proposed, but for what tells it from another one; PostgreSQL has room for three more. */
#define JSON_PROPOSED_NAME_MAX 60

struct inference {
	struct arena memory;
	struct proposal **at;
	size_t count;
	/* Columns that were looked for, by all that says which rows they are of and what counts as a value. */
	struct found_columns {
		const char *of;
		struct proposal *columns;
	} *columns;
	size_t column_count;
	bool whole;             /* all files were looked at */
	/* The first of each file that is in no table: "x.json:1:1: empty: There is nothing in it." */
	const char **unread;
	size_t unread_count;
};

int json_infer(struct etl_instance *, struct inference *ret, struct etl_error *);
void json_inference_free(struct inference *);
/* The same, kept by the instance. */
int json_found(struct etl_instance *, const struct inference **ret, struct etl_error *);
/* The columns of rows whose table says none, by all of them; kept by the instance for tables that say the same of their rows. */
int json_found_columns(struct etl_instance *, const struct json_table *, const char *files, const struct proposal **ret,
		       struct etl_error *);
/* infer-tables.c: the columns of rows of this shape; none of them is a table of its own. False: no memory. */
bool json_propose_columns(struct inference *, const struct shape *, const char *const *captures, size_t capture_count,
			  struct proposal *);
/* mapping.c: the proposal as a table. */
int json_table_propose(struct etl_instance *, const struct proposal *, struct json_table **ret, struct etl_error *);

/* infer-files.c: files that belong together. */
struct file_group {
	const char *pattern;
	const char *name;               /* what a table of them is called */
	size_t *files;                  /* indexes of the list */
	size_t file_count;
	const char **except;            /* pairs: files of other groups that the pattern means too, by a {name} of theirs */
	size_t except_count;            /* texts, two for a pair */
};
/* NULL: no memory. */
struct file_group *json_group_files(struct arena *, const struct files_list *, size_t *ret_count);

/* infer-tables.c: the tables of one group, the parent first. TOP is what stands in the files: at the top, of lines in each. False: no memory. */
bool json_propose_tables(struct inference *, const struct file_group *, const struct shape *top, bool lines,
			 const char *const *captures, size_t capture_count);
/* How much of NAME fits, in whole characters. */
size_t json_proposed_size(const char *name);
/* infer-keys.c: looks for what no two rows have in common, over all of them. */
int json_find_keys(struct etl_instance *, struct inference *, struct etl_error *);

#endif
