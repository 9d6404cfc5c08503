/*
 * The json plugin's own: what a pipeline says of its files (mapping.c), and the instance that goes by it.
 *
 * The way of a row: a file's bytes (plugins/files, input.h) are cut into records (split.h), each becomes an array of nodes (tree.h),
 * the path of the rows is followed in it (rows.c), and of each row every column takes its value (take.c) into a batch (put.c).
 */
#ifndef JSON_JSON_H
#define JSON_JSON_H

#include <stdbool.h>

#include <etlrun/helpers.h>

#include "arena.h"
#include "files.h"
#include "path.h"
#include "split.h"
#include "text.h"
#include "tree.h"

struct filter;                  /* filter.h */
struct inference;               /* infer.h */

/* ---- A value on its way (take.c) ------------------------------------------------------------------------ */

enum value_state {
	VALUE_ABSENT,           /* there is no such member, or a filter let nothing through */
	VALUE_NULL,
	VALUE_BOOL,
	VALUE_NUMBER,           /* as it is written */
	VALUE_TEXT,             /* characters; escapes resolved */
	VALUE_JSON              /* an array or object, as JSON */
};

struct json_value {
	enum value_state state;
	bool truth;             /* of VALUE_BOOL */
	bool empty;             /* of VALUE_JSON: no element, no member */
	bool object;            /* of VALUE_JSON: an object */
	bool loose;             /* of VALUE_TEXT: it is the pipeline's, and read as whatever its column is */
	bool nonfinite;         /* of VALUE_TEXT: the name of a number that is none, and read as such where numbers are wanted */
	const char *text;       /* of the last three; borrowed until the next row */
	size_t size;
	const struct json_tree *tree;   /* of VALUE_JSON, of VALUE_TEXT as it came: where it stands; or NULL */
	uint32_t node;
};

/* ---- The mapping --------------------------------------------------------------------------------------- */

enum start {
	START_ROW,              /* @: the row */
	START_NODE,             /* $, along the row's own path: the node at segment `chain` of it */
	START_OUTER,            /* $, beside the records */
	START_TEXT,             /* a template with {name}s */
	START_INDEX,            /* #index: its place in the array or object that holds it, from 0 */
	START_LINE,             /* #line of the record, from 1 */
	START_FILE,             /* #file: its name in the tree */
	START_ID                /* #id: the same for the same file and place, whenever it is read */
};

/* In place of an index into the row's chain. */
#define CHAIN_RECORD SIZE_MAX           /* the record */
#define CHAIN_ROW (SIZE_MAX - 1)        /* of #id and #index: the row itself */
#define CHAIN_TOP (SIZE_MAX - 2)        /* of #id: the file */

/* One way to get a value: a path or a template, and filters. */
struct take {
	const char *text;       /* as written, without filters */
	enum start start;
	struct json_path *path; /* of ROW, NODE, OUTER */
	size_t from;            /* the first segment to follow */
	size_t chain;           /* of NODE, INDEX, ID: index into the row's chain, or CHAIN_… */
	struct filter *filters;
	size_t filter_count;
	size_t known;           /* of NODE, OUTER: from 1, where the work keeps the node found, as many rows have it; 0: each asks anew */
};

struct json_column {
	const char *name;
	struct etl_type_info type;      /* ETL_ANY: by its values */
	int64_t length;
	const char *declared;
	struct take *takes;             /* the first that gives a value */
	size_t take_count;
	const char *fallback;           /* a template, or NULL */
	const char *const *nulls;       /* texts that are no value */
	size_t null_count;
	const char *const *map;         /* pairs: a pattern, what it becomes */
	size_t map_count;               /* texts, two for a pair */
	bool required;                  /* not_null */
	bool constant;                  /* the same for all rows of a file */
};

/* A value of another file of the tree, or beside the records, by a name. */
struct json_let {
	const char *name;
	struct files_pattern *file;     /* NULL: this file */
	struct take *takes;
	size_t take_count;
	const char *fallback;
};

/* In what kinds of row the paths of columns can find something: a row of another would have no value at all. 0: in any. */
enum within { WITHIN_OBJECTS = 1 << 0, WITHIN_ARRAYS = 1 << 1 };

enum kinds { KINDS_ANY, KINDS_OBJECT, KINDS_ARRAY, KINDS_SCALAR };

/* Where rows are in one kind of file. */
struct json_layout {
	struct json_path *rows;         /* NULL: each record is a row */
	int32_t cut;                    /* enum json_cut */
	const char **container;         /* names on the way to the records */
	size_t container_count;
	size_t consumed;                /* segments of `rows` that the cut has followed */
	const char *capture;            /* the name of the member that the cut took, or NULL */
	const struct json_segment *filter;      /* which of the records hold rows; or NULL: all */
	struct json_column *columns;
	int32_t kinds;                  /* enum kinds: rows of another kind are passed over, counted */
	bool outer;                     /* something beside the records is asked for */
	uint32_t within;                /* enum within */
};

struct json_reference {
	const char *const *columns;
	size_t column_count;
	const char *table;
	const char *const *to;
	size_t to_count;
	int32_t on_delete;              /* enum etl_action */
};

enum duplicates { DUPLICATES_KEEP, DUPLICATES_FIRST, DUPLICATES_LAST };

struct json_table {
	const char *name;
	struct files_pattern *files;    /* NULL: every file */
	struct json_layout *layouts;    /* the first whose rows are in a file */
	size_t layout_count, column_count;
	size_t known_count;             /* takes that have a number in `known` */
	const char *const *key;
	size_t key_count;
	int32_t duplicates;             /* enum duplicates: of the key */
	bool across;                    /* rows of two files may have the same key, and duplicates are sought */
	const char *const *nulls;       /* null_values of columns that have none of their own */
	size_t null_count;
	const char *const *except;      /* pairs: a name, a value of it: such rows are passed over, counted */
	size_t except_count;            /* texts, two for a pair */
	struct json_let *lets;
	size_t let_count;
	struct json_reference *references;
	size_t reference_count;
	struct arena memory;
};

/* From the options of `from`. Refuses with ETL_USAGE what cannot be meant. */
int json_table_new(struct etl_instance *, const char *name, const struct etl_conf *from, struct json_table **ret,
		   struct etl_error *);
/* Of a dataset: by its options where they have columns, else by what is in the files. *RET is NULL when there is no such table. */
int json_table_of(struct etl_instance *, const struct etl_dataset *, struct json_table **ret, struct etl_error *);
void json_table_free(struct json_table *);
/* mapping-names.c: refuses a {name} that nothing gives, one that is too long, and too many of them. */
int json_names_check(struct etl_instance *, const struct json_table *, struct etl_error *);
size_t json_column_find(const struct json_table *, const char *name);    /* SIZE_MAX: none */
/* `except` names a {name} of the file, and means this one: none of its rows comes, so it is not read. */
bool json_table_leaves_out(const struct json_table *, const struct files_entry *);

/* take-parse.c: "@.a.b | filter 'x'" into RET; LAYOUT says what its rows are. False: *why is a sentence, owned by ARENA,
 * or ARENA has failed. */
bool json_take_parse(struct arena *arena, const char *text, const struct json_layout *layout, struct take *ret,
		     const char **why);
void json_take_free(struct take *);

/* ---- Names (names.c) --------------------------------------------------------------------------------------- */

/* Of a table, whatever says them: as many as there can be in the longest path and the deepest folder. */
#define JSON_NAMES_MAX 96
#define JSON_NAME_MAX 63        /* bytes of one */

/* What {name} stands for now: captures of the file's name, of the rows' path, and `let`s. */
struct names {
	struct json_names get;          /* first */
	struct {
		const char *name;
		const char *text;
		size_t size;
	} at[JSON_NAMES_MAX];
	size_t count;
};
void names_init(struct names *);
/* Sets or replaces; json_names_check has seen to it that there is room. NULL TEXT: it has no value. */
void names_set(struct names *, const char *name, const char *text, size_t size);
/* Writes TEMPLATE with what is in braces filled in; {{ is a brace. False: a name has no value. */
bool names_fill(const struct names *, const char *template, struct etl_text *to);

/* ---- The instance (json.c) ----------------------------------------------------------------------------------- */

struct etl_instance {
	const struct etl_host *host;
	const struct etl_conf *conf;
	char *path;
	struct files *files;
	struct json_limits limits;
	struct json_text_policy texts;
	size_t max_record;              /* bytes: max_row of the pipeline */
	bool skip_broken;
	bool converts_utf16;
	bool skip_marks;                /* byte order marks that are not the first thing of a file */
	struct inference *found;        /* what is in the files, when it was asked for; or NULL */
	int32_t nonfinite;              /* enum json_nonfinite */
	/* of a target */
	struct json_target *target;
	bool root_is_file;      /* path is the one file that is written */
	int64_t indent;         /* spaces for each level; 0: nothing is set out */
};

/* describe.c */
int json_describe(struct etl_instance *, const struct etl_dataset *, struct etl_table_sink *, struct etl_error *);
int json_ping(struct etl_instance *, struct etl_fact_sink *, struct etl_error *);
/* read.c */
int json_read(struct etl_instance *, const struct etl_read *, const struct etl_split *, struct ArrowArrayStream *,
	      struct etl_error *);
/* plan.c */
int json_stamp(struct etl_instance *, struct etl_token *, struct etl_error *);
int json_plan(struct etl_instance *, const struct etl_read *, int64_t wanted, struct etl_split_sink *,
	      struct etl_error *);
int json_backup(struct etl_instance *, const struct etl_run *, struct etl_token *, struct etl_error *);
/* propose.c */
int json_propose(struct etl_instance *, struct etl_proposal_sink *, struct etl_error *);
/* profile.c */
int json_profile(struct etl_instance *, const struct etl_dataset *, struct etl_profile_sink *, struct etl_error *);

#endif
