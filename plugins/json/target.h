/*
 * The way back: rows become JSON files by the inverse of the mapping that files are read by.
 *
 * A row is turned into cells, the JSON of each of its values (target-cell.c), and waits in a private SQLite file
 * (target-stage.c). When all rows of a run are there, each is taken to where it stands in its document (target-way.c): the
 * parts of documents are sorted by file and place, and written as one stream, file by file (target-write.c). What a column
 * writes is decided before the first row (target-plan.c, target-column.c), and what a row says at one place is put
 * together by a tree of names (target-spot.c).
 */
#ifndef JSON_TARGET_H
#define JSON_TARGET_H

#include <sqlite3.h>

#include "filter.h"

/* ---- Places: the containers of a document, as the tables that share it need them ------------------------------- */

enum step { STEP_NAME, STEP_CAPTURE, STEP_EACH };
enum place_kind { PLACE_LEAF, PLACE_OBJECT, PLACE_ARRAY, PLACE_LINES };

struct place {
	struct place *parent;
	struct place **children;
	size_t child_count;
	int32_t step;           /* enum step: how it is reached from its parent */
	int32_t kind;           /* enum place_kind */
	const char *name;       /* of STEP_NAME; of STEP_CAPTURE as the mapping calls it */
	uint8_t number;         /* among its parent's children, from 1 */
	uint16_t serial;        /* in its document */
	const char **sets;      /* by which values other tables know its elements: lists of paths, see placing.path */
	size_t set_count;
};

/* One pattern of files, and all tables that are written to them. */
struct document {
	const char *text;       /* the pattern */
	struct files_pattern *files;
	const char *const *captures;
	size_t capture_count;
	struct place *root;
	size_t place_count;
	size_t load_count;
};

/* ---- Columns -------------------------------------------------------------------------------------------------- */

/* How well a column says what stands at its place. */
enum rank {
	RANK_EXACT,             /* as it stands there */
	RANK_INVERSE,           /* from which it can be made again */
	RANK_DERIVED,           /* something made of it */
	RANK_NEVER              /* it has no place, or one that depends on other files */
};
enum wanted { WANT_ANY, WANT_JSON, WANT_BOOL, WANT_NUMBER, WANT_TEXT };
enum write { WRITE_AUTO, WRITE_NEVER, WRITE_ALWAYS };

struct piece_of_path {
	int32_t step;           /* enum step; STEP_EACH: the element `index` */
	const char *name;
	int64_t index;
};

struct placing {
	const char *name;
	size_t at;              /* the column's index in the table */
	size_t anchor;          /* how far along the way of the rows its path begins */
	struct piece_of_path *pieces;
	size_t piece_count;
	const char *path;       /* the pieces as one text: equal texts, equal paths */
	int32_t rank, wanted, write;
	const struct take *take;        /* or NULL */
	const struct json_column *from; /* or NULL */
	bool made_default;      /* its default is a template with {name}s */
	bool guard;             /* `presence`: it says whether something is there */
	bool splice;            /* `only`, `without`: its members are members of the object */
	bool written;
	const char *why;        /* it is not written, when that is worth a word; or NULL */
};

/* ---- What is written at one place by one row ------------------------------------------------------------------- */

struct spot {
	const char *name;
	int64_t index;          /* of an element; -1: a member */
	struct spot **children;
	size_t child_count;
	const struct placing *value, *guard;
	const struct placing **splices;
	size_t splice_count;
	const struct place *place;      /* of the topmost: its containers are no members of a value kept whole */
	bool is_array, always;          /* is_array: its children are elements; always: one below is written over a whole value */
};

struct site {
	size_t anchor;          /* the place on the rows' way from which it is reached */
	const struct place **more;      /* by these steps */
	size_t more_count;
	const struct place *place;
	struct spot top;
	struct etl_text last_key, last_body;    /* what was written last: most rows say the same beside the records */
};

/* How the place at one step of the rows' way is found. */
struct way_step {
	const struct place *place;
	const struct placing *capture;  /* STEP_CAPTURE */
	const struct placing **group;   /* STEP_EACH, not the row's own: elements with equal values are one */
	size_t group_count;
	size_t set;             /* index into place->sets */
	/* of the last step: for each of its place's sets, the columns that have these values */
	const struct placing ***sets;
	/* the node that was found last, and for what */
	uint8_t last[16];
	bool has_last;
	uint64_t id;
	uint32_t order;
};

/* ---- One table ------------------------------------------------------------------------------------------------ */

struct load_plan {
	const struct etl_load *load;
	struct json_table *mapping;     /* NULL: every column is a member of its name */
	struct document *document;
	const char *pattern;
	struct placing *columns;        /* cells in this order */
	size_t column_count;
	const struct placing **captures;        /* beside document->captures */
	const struct placing *order;    /* #index or #line, or NULL */
	struct way_step *way;           /* way[0] is the root */
	size_t depth;                   /* the row is at way[depth] */
	size_t base;                    /* $ of the mapping is at way[base] */
	struct site *sites;
	size_t site_count;
	bool lines, omit_nulls, omit_defaults;
};

struct target_plan {
	struct etl_instance *inst;
	struct arena memory;
	struct load_plan *loads;
	size_t load_count;
	struct document *documents;
	size_t document_count;
	bool tells;             /* which columns are not written, to the log: once in a run */
};

/* target-plan.c. The tables of a run, or one of them. */
int json_plan_new(struct etl_instance *, const struct etl_load *const *loads, size_t count, bool tells,
		  struct target_plan **ret, struct etl_error *);
void json_plan_free(struct target_plan *);
/* A file of the document's pattern is none of its own: the mappings of all its tables pass over it. */
bool json_plan_leaves_out(const struct target_plan *, const struct document *, const struct files_entry *);
int json_plan_no_memory(struct target_plan *, struct etl_error *);
/* target-column.c: what each column says, and which of them are written. */
int json_plan_columns(struct target_plan *, struct load_plan *, struct etl_error *);
int json_plan_choose(struct target_plan *, struct load_plan *, struct etl_error *);
/* The column that holds what {NAME} stands for, or NULL. */
const struct placing *json_plan_capture(const struct load_plan *, const char *name);
/* target-place.c: where rows and columns are in the document. In this order, each for all loads. */
int json_plan_way(struct target_plan *, struct load_plan *, struct etl_error *);
int json_plan_sites(struct target_plan *, struct load_plan *, struct etl_error *);
int json_plan_sets(struct target_plan *, struct load_plan *, struct etl_error *);

/* ---- Cells (target-cell.c) ------------------------------------------------------------------------------------- */

enum cell_kind { CELL_NULL = '0', CELL_TEXT = 't', CELL_JSON = 'j' };

struct cell {
	int32_t kind;           /* enum cell_kind */
	const char *text;       /* TEXT: the characters; JSON: as it is written */
	size_t size;
};

struct cell_maker {
	struct work work;
	struct etl_text text;
	int32_t nonfinite;      /* enum json_nonfinite */
	char reason[400];       /* of the reject */
};
/* Appends the cell of a value to TO. NULL, or a reject's code with maker->reason. */
const char *json_cell_make(struct cell_maker *, const struct placing *, const struct etl_column_view *, int64_t row,
			   struct etl_text *to);
/* Reads COUNT cells of a staged row; they point into it. */
bool json_cells_read(struct cell *cells, size_t count, const void *body, size_t size);
void json_cell_write(struct etl_text *to, const struct cell *cell);

/* ---- JSON texts without white space (target-text.c) --------------------------------------------------------------- */

/*
 * Behind the { of an object of which all columns are NULL. It is null in the file, unless another row or table has a value in it, so
 * its members wait until all was said of the place. No JSON text has this byte in it.
 */
#define JSON_HOLLOW '\1'

struct json_members {
	const char *at, *end;
	bool array;
};
/* False: TEXT is neither an object nor an array. */
bool json_members_begin(struct json_members *, const char *text, size_t size);
/* The next member or element; of an element there is no name. False: there is none. */
bool json_members_next(struct json_members *, const char **name, size_t *name_size, const char **value, size_t *value_size);
/* Without white space between its parts. */
void json_text_compact(struct etl_text *to, const char *text, size_t size);
/* Objects that are still hollow become null. */
void json_text_settle(struct etl_text *to, const char *text, size_t size);
/* What both say of one value, into TO. False: they differ at *ret_path. */
bool json_text_merge(struct etl_text *to, const char *a, size_t a_size, const char *b, size_t b_size,
		     struct etl_text *ret_path);

/* ---- Spots (target-spot.c) ------------------------------------------------------------------------------------------ */

enum spot_result { SPOT_ABSENT, SPOT_WRITTEN };
/* Names for defaults that are made of {name}s. */
/* ROW: the row itself stands there, so something is written for it. */
int json_spot_write(const struct spot *, bool row, const struct load_plan *, const struct cell *cells, const struct names *names,
		    struct etl_text *to);

/* ---- The stage (target-stage.c) -------------------------------------------------------------------------------------- */

struct stage;

enum stage_state { STAGE_OPEN, STAGE_SEALED };

/* CREATE false and not there: *ret is NULL and no error. */
int json_stage_open(struct etl_instance *, const char *run, bool create, struct stage **ret, struct etl_error *);
void json_stage_close(struct stage *);
int json_stage_remove(struct etl_instance *, const char *run, struct etl_error *);
int json_stage_sql(struct stage *, const char *sql, struct etl_error *);
int json_stage_prepare(struct stage *, const char *sql, sqlite3_stmt **ret, struct etl_error *);
int json_stage_fail(struct stage *, struct etl_error *);
/* One step that gives no row. */
int json_stage_step(struct stage *, sqlite3_stmt *, struct etl_error *);
int json_stage_number(struct stage *, const char *sql, int64_t *ret, struct etl_error *);
/* Durable. */
int json_stage_set_state(struct stage *, int32_t state, struct etl_error *);
int json_stage_state(struct stage *, int32_t *ret, struct etl_error *);
sqlite3 *json_stage_db(struct stage *);

/* ---- Keys of places (target-way.c) --------------------------------------------------------------------------------------- */

#define JSON_KEY_FILE 4         /* bytes: the file's id */
#define JSON_KEY_STEP 11        /* a place's number; unless it has a name in the mapping, 4 of its order and 6 of its id */

/* ---- The steps of a run ----------------------------------------------------------------------------------------------- */

/* target-way.c: the rows of all loads become parts of documents. */
int json_way_all(struct target_plan *, struct stage *, struct etl_error *);
/* target-write.c: … and these become files, aside. */
int json_write_all(struct target_plan *, struct stage *, const char *run, struct etl_error *);

/* target-load.c: the rows of one split wait in the stage. */
int json_load(struct target_plan *, struct load_plan *, struct stage *, const struct etl_part *, struct ArrowArrayStream *,
	      struct etl_stats *ret, struct etl_error *);
/* target-publish.c: files that wait are to take their names together. */
int json_publish_check(struct target_plan *, struct stage *, struct etl_error *);
int json_publish_find_stale(struct target_plan *, struct stage *, struct etl_error *);
/* All is written down; *ret is by what the published files will be known. */
int json_publish_seal(struct etl_instance *, const char *run, bool replace, struct stage *, struct etl_token *ret, struct etl_error *);

/* target.c */
struct json_target;
void json_target_free(struct json_target *);
int json_design(struct etl_instance *, const struct etl_table *, const struct etl_load *, struct etl_step_sink *, struct etl_error *);
int json_apply(struct etl_instance *, const struct etl_load *, const struct etl_token *, const struct etl_step *, struct etl_found_sink *,
	       struct etl_error *);
int json_begin(struct etl_instance *, const struct etl_load *, struct etl_token *, struct etl_error *);
int json_target_load(struct etl_instance *, const struct etl_load *, const struct etl_token *, const struct etl_part *,
		     struct ArrowArrayStream *, struct etl_stats *, struct etl_error *);
int json_seal(struct etl_instance *, const struct etl_commit *, struct etl_token *, struct etl_error *);
int json_sealed(struct etl_instance *, const struct etl_token *, int32_t *, struct etl_error *);
int json_commit(struct etl_instance *, const struct etl_commit *, struct etl_error *);
int json_abort(struct etl_instance *, const struct etl_load *, const struct etl_token *, struct etl_error *);
/* Options of the target's own group. */
int json_target_open(struct etl_instance *, struct etl_error *);

#endif
