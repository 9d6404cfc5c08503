/*
 * The plugin ABI of etlrun, version 1.
 *
 * A plugin is a shared object NAME.so that exports one symbol, made by ETL_PLUGIN at the end of its
 * file, and links no library of etlrun: it fills tables of functions and calls the host through a table
 * that the host hands it. etlrun-plugin(7) builds one step by step.
 *
 * Rules that hold everywhere
 *
 *  - Status. A function returns 0 or a negative enum etl_status. On failure it has called
 *    host->fail(err, …) exactly once and has left its outputs as they were.
 *  - Memory. Strings are UTF-8, NUL-terminated and borrowed for the call. Nobody frees what the other
 *    side allocated: results go into the caller's structs or through its sinks, and Arrow structs
 *    carry their own release.
 *  - Threads. One thread at a time uses an instance, not always the same one; the host opens one instance
 *    for each worker, and short-lived ones to ask for a shape (etlrun-plugin(7), "Who calls what, when").
 *    Only `cancel` may come from another thread. A plugin keeps no global mutable state and is never unloaded.
 *  - Growth. Every struct that the host fills is always fully readable, because a plugin is only loaded
 *    by a host of the same major and at least the same minor version. Every table of functions that a
 *    plugin fills begins with its `size`; the host copies it into a zeroed one of its own. Arrays of
 *    structs carry their stride (`…_size`). A struct that a plugin emits (etl_table, etl_step, …) is read up
 *    to the members that the plugin's own minor version had. Members are only ever appended. The structs
 *    marked "closed" never grow. Enums cross as int32_t.
 *  - Options. The host parses, checks, defaults and types every option before `open`.
 */
#ifndef ETLRUN_PLUGIN_H
#define ETLRUN_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#include <etlrun/arrow.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ETL_ABI_MAJOR 1
#define ETL_ABI_MINOR 2
#define ETL_ABI ((uint32_t)ETL_ABI_MAJOR << 16 | (uint32_t)ETL_ABI_MINOR)

#if defined(__GNUC__)
#define ETL_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define ETL_EXPORT __attribute__((visibility("default")))
#else
#define ETL_PRINTF(f, a)
#define ETL_EXPORT
#endif

enum etl_status {
	ETL_OK = 0,
	ETL_FAILED = -1,        /* host->fail was called */
	ETL_CANCELED = -2       /* host->canceled said so; no message is needed */
};

struct etl_instance;            /* each plugin defines its own */
struct etl_conf;                /* the host's: a group of checked options */
struct etl_error;               /* the host's: where a failure is described */
struct etl_context;             /* the host's: one stream of one table, for reject and count */
struct etl_peer;                /* the host's: one side of a comparison */
struct etl_total_sink;
struct etl_run;

/* ---- Types and rows ------------------------------------------------------------------------------ */

/*
 * The logical types and their Arrow formats. Nothing else crosses between plugins. A batch holds at most
 * host->batch_rows rows, and is closed by the row that takes it to host->batch_bytes bytes or beyond.
 *
 * `any` is for stores whose types belong to values (SQLite). Each value is bytes: a first byte that is
 * one of enum etl_any, then for ETL_ANY_INT and ETL_ANY_REAL 8 bytes, little-endian (two's complement,
 * IEEE 754), for ETL_ANY_TEXT and ETL_ANY_BLOB the bytes as stored. Text in an `any` may hold NUL and
 * invalid UTF-8; text in a `u` column is valid UTF-8, or the source rejects the row.
 */
enum etl_type {
	ETL_TYPE_NONE = 0,      /* not known, or not decided yet */
	ETL_BOOL,               /* b      one bit */
	ETL_INT16,              /* s */
	ETL_INT32,              /* i */
	ETL_INT64,              /* l */
	ETL_FLOAT32,            /* f */
	ETL_FLOAT64,            /* g */
	ETL_DECIMAL,            /* d:P,S  128 bits; precision P 1..38, scale S 0..P */
	ETL_NUMERIC,            /* u      + etlrun.numeric: decimal text of any size, "-12.50" */
	ETL_TEXT,               /* u      UTF-8 */
	ETL_BYTES,              /* z */
	ETL_DATE,               /* tdD    int32 days since 1970-01-01 */
	ETL_TIME,               /* ttu    int64 microseconds since midnight */
	ETL_TIMESTAMP,          /* tsu:   int64 microseconds since 1970, no zone */
	ETL_INSTANT,            /* tsu:UTC  int64 microseconds since 1970, UTC */
	ETL_UUID,               /* w:16   + arrow.uuid: 16 bytes, network order */
	ETL_JSON,               /* u      + arrow.json: the text as the source stores it */
	ETL_ANY                 /* z      + etlrun.any: see above */
};

enum etl_any { ETL_ANY_INT = 'i', ETL_ANY_REAL = 'f', ETL_ANY_TEXT = 't', ETL_ANY_BLOB = 'b' };

/*
 * The host carries the place of a row in its split as a last column of this name (int64), so that a
 * reject says which row it was whatever came between. A transform or validator passes columns it does
 * not know through unchanged, this one too, which is not in the shapes of etl_wrap; a target never sees it.
 *
 * No two rows of a split have the same one, and none has that of a row refused before, or they would be taken for
 * each other when the rows are made again. So a transform whose rows are not those that came numbers them anew:
 * the nth row, from 0, has n + ETL_ORDINAL_MADE × (1 + what came divided by ETL_ORDINAL_MADE).
 */
#define ETL_ORDINAL_COLUMN "etlrun.ordinal"
#define ETL_ORDINAL_MADE ((int64_t)1 << 40)

#define ETL_BATCH_ROWS 8192            /* the most rows of a batch, default of `batch.rows` */
#define ETL_BATCH_BYTES (4 << 20)      /* default of `batch.bytes` */

/* ---- The catalog: what a store holds, as data ----------------------------------------------------- */

/* The default for counts that nobody knows. */
#define ETL_UNKNOWN (-1)

enum etl_column_flags {
	ETL_NOT_NULL = 1 << 0,
	ETL_IDENTITY = 1 << 1,          /* the store makes a value when none is given */
	ETL_IDENTITY_ALWAYS = 1 << 2,   /* … and refuses a given one unless overridden */
	ETL_NEVER_REUSED = 1 << 3,      /* an identity value is not given twice (SQLite AUTOINCREMENT) */
	ETL_GENERATED = 1 << 4,         /* computed from generated_sql: never read into a load */
	ETL_STORED = 1 << 5,            /* … and stored, otherwise computed when read */
	ETL_TYPED = 1 << 6,             /* the store enforces the type: every value has it */
	ETL_CONSTANT = 1 << 7,          /* made by the pipeline (`value`), not in the source */
	ETL_REMADE = 1 << 8,            /* set by a transform: its values are no longer the source's, so a rejected row
	                                 * cannot be found in the source by them */
	ETL_RETYPED = 1 << 9,           /* since 1.2: `declared` is the pipeline's word, for the target to read */
	ETL_IDENTITY_GAVE = 1 << 10,    /* since 1.2: identity_last is a value, also where it is that of ETL_UNKNOWN */
	/* Since 1.2: a text or json is kept as what it means, and read back in the store's own spelling (a jsonb, an
	 * address). Such values are compared only when they come from a column that is declared alike. */
	ETL_RESPELT = 1 << 11,
	/* Since 1.2. Of a load that merges: the value that comes is for new rows; where a row is there its own stays, and does
	 * not count when rows are compared. */
	ETL_STAYS = 1 << 12
};

struct etl_column {
	const char *name;
	const char *declared;           /* the type in the store's own words, "" when it has none */
	const char *origin;             /* its name in the source, when the pipeline renamed it; else NULL */
	const char *default_sql;        /* an expression in the table's dialect, or NULL */
	const char *generated_sql;      /* likewise, with ETL_GENERATED */
	const char *collation;          /* or NULL for the store's default */
	const char *comment;            /* or NULL */
	int32_t type;                   /* enum etl_type */
	uint32_t flags;                 /* enum etl_column_flags */
	int32_t precision, scale;       /* of ETL_DECIMAL; else 0 */
	int64_t length;                 /* declared length in characters (text) or bytes; 0: none */
	int64_t identity_last;          /* the last value the identity gave; ETL_UNKNOWN when none */
	/* Since 1.2. In the table's dialect how the identity counts, "START WITH 10 INCREMENT BY 5 …", or NULL: as the
	 * store does when nothing is said. */
	const char *identity_sql;
	/* Since 1.2. Of a text the UTF-16 units, of bytes the bytes of the longest value that comes, where the host looked at
	 * all of them; else 0. */
	int64_t longest;
	/* Since 1.2. Of a numeric that has neither digits nor a scale of its own: in which type (ETL_FLOAT64, ETL_DECIMAL) every
	 * value that comes is kept exactly, where the host looked at all of them; else 0. What `takes` makes a decimal of
	 * has 28 digits, 8 of them behind the point: room for 64 bits, and for sums in 38. */
	int32_t plain;
	int32_t reserved;
};

enum etl_key_flags { ETL_KEY_NULLS_EQUAL = 1 << 0 /* two NULLs are duplicates */ };

/* A primary key or unique constraint. Closed. */
struct etl_key {
	const char *name;               /* or NULL: unnamed */
	const char *const *columns;
	size_t column_count;
	const char *const *collations;  /* for each column, or NULL: as the columns */
	uint32_t flags;                 /* enum etl_key_flags */
	const char *conflict_sql;       /* what follows the columns in the table's dialect, "ON CONFLICT …",
					 * "INCLUDE (…) DEFERRABLE"; or NULL */
};

enum etl_action { ETL_NO_ACTION, ETL_RESTRICT, ETL_CASCADE, ETL_SET_NULL, ETL_SET_DEFAULT };
enum etl_deferrable { ETL_NOT_DEFERRABLE, ETL_DEFERRABLE_IMMEDIATE, ETL_DEFERRABLE_DEFERRED };

struct etl_foreign_key {
	const char *name;               /* or NULL */
	const char *const *columns;
	size_t column_count;
	const char *parent_schema;      /* or NULL: the table's own */
	const char *parent;
	const char *const *parent_columns;      /* or NULL: the parent's primary key */
	int32_t on_delete, on_update;   /* enum etl_action */
	int32_t deferrable;             /* enum etl_deferrable */
	const char *match;              /* "FULL", "PARTIAL" or NULL for SIMPLE */
};

struct etl_check {
	const char *name;               /* or NULL */
	const char *sql;                /* the condition, without CHECK and its parentheses */
	const char *column;             /* when it was written at a column; else NULL */
};

struct etl_index_part {
	const char *column;             /* or NULL: an expression */
	const char *expression;         /* or NULL: a column */
	const char *collation;          /* or NULL */
	int32_t descending;             /* 0 or 1 */
	int32_t reserved;
};

enum etl_index_flags { ETL_INDEX_UNIQUE = 1 << 0 };

/* An index that was made for itself; those of keys are not listed. */
struct etl_index {
	const char *name;
	const struct etl_index_part *parts;
	size_t part_count, part_size;
	const char *where_sql;          /* or NULL */
	const char *method;             /* "btree" or the store's own word; NULL: its default */
	const char *ddl;                /* as the store keeps it, or NULL */
	uint32_t flags;                 /* enum etl_index_flags */
};

enum etl_kind {
	ETL_TABLE,
	ETL_VIEW,                       /* ddl says all; columns may be given */
	ETL_TRIGGER,                    /* ddl says all; parent is its table or view */
	ETL_VIRTUAL_TABLE,              /* a table whose rows another module keeps */
	ETL_SHADOW_TABLE,               /* such a module's own storage */
	ETL_SEQUENCE,
	ETL_DATABASE,                   /* settings of the store itself: name, ddl */
	ETL_TYPE_DEFINITION             /* since 1.2: a type that columns have, an enum, a domain: name, ddl */
};

enum etl_table_flags {
	ETL_NO_ROWID = 1 << 0,          /* SQLite WITHOUT ROWID: clustered by its primary key */
	ETL_STRICT_TYPES = 1 << 1       /* SQLite STRICT */
};

/* One object of a store. Whoever emits it owns it; the receiver copies what it keeps. */
struct etl_table {
	int32_t kind;                   /* enum etl_kind */
	uint32_t flags;                 /* enum etl_table_flags */
	const char *schema;             /* or NULL: the store has none */
	const char *name;
	const char *parent;             /* of a trigger, a shadow table; else NULL */
	const char *dialect;            /* whose SQL the texts below are: "sqlite", "postgresql", "tsql"; NULL: none */
	/* As the store keeps it, or NULL. The host sets NULL when the pipeline changed the shape, so a
	 * target of the same dialect may use it whenever it is there. */
	const char *ddl;
	const char *comment;            /* or NULL */
	int64_t rows;                   /* an estimate, or ETL_UNKNOWN */
	int64_t bytes;                  /* an estimate, or ETL_UNKNOWN */

	const struct etl_column *columns;
	size_t column_count, column_size;
	struct etl_key primary;         /* column_count 0: none */
	const struct etl_key *uniques;
	size_t unique_count, unique_size;
	const struct etl_foreign_key *foreign_keys;
	size_t foreign_key_count, foreign_key_size;
	const struct etl_check *checks;
	size_t check_count, check_size;
	const struct etl_index *indexes;
	size_t index_count, index_size;
};

/* Walk an array by its stride: ETL_AT(const struct etl_column, t->columns, t->column_size, i). */
#define ETL_AT(type, array, stride, i) \
	((type *)(const void *)((const char *)(array) + (stride) * (size_t)(i)))

/* ---- Options -------------------------------------------------------------------------------------- */

enum etl_option_kind {
	ETL_OPT_TEXT,           /* str */
	ETL_OPT_INT,            /* num; within min..max */
	ETL_OPT_FLAG,           /* flag; true or false */
	ETL_OPT_CHOICE,         /* str; one of `choices` */
	ETL_OPT_SIZE,           /* num: bytes; "64MiB", "10kB", a plain number */
	ETL_OPT_DURATION,       /* num: milliseconds; "250ms", "30s", "5m", "2h"; a plain number is seconds */
	ETL_OPT_PERCENT,        /* num: parts of a million; "10%", "0.5%" */
	ETL_OPT_PATH,           /* str: absolute, or "-" as it is; a relative one is relative to the pipeline file */
	ETL_OPT_URI,            /* str; a URI or a connection string: password and secret parts are never shown */
	ETL_OPT_SECRET,         /* str; never shown */
	ETL_OPT_LIST,           /* list, item: texts; a single text stands for a list of one */
	ETL_OPT_PAIRS,          /* list, item: texts, two for each pair, a list of pairs in the file */
	ETL_OPT_GROUP,          /* sub 0: a group whose keys are `members` */
	ETL_OPT_GROUPS          /* sub i: a list of such groups */
};

enum etl_option_flags {
	ETL_OPT_REQUIRED = 1 << 0,
	ETL_OPT_SOURCE = 1 << 1,        /* only as a source; neither this nor the next: both */
	ETL_OPT_TARGET = 1 << 2,        /* only as a target */
	/* Where it may stand; none of these: in the plugin's own group. */
	ETL_OPT_PER_STORE = 1 << 4,     /* in the plugin's own group */
	ETL_OPT_PER_TABLE = 1 << 5,     /* in a table's `from` or `to` */
	ETL_OPT_PER_COLUMN = 1 << 6,    /* in an entry of a table's `columns` */
	/* Of a URI: what follows "SCHEME:" is a file or folder, unless it begins with "//". A relative one is made
	 * absolute by the host, as ETL_OPT_PATH is. */
	ETL_OPT_LOCAL = 1 << 7
};

/* One option a plugin takes. The array ends with an entry whose name is NULL. */
struct etl_option {
	const char *name;               /* [a-z][a-z0-9_]* */
	int32_t kind;                   /* enum etl_option_kind */
	uint32_t flags;                 /* enum etl_option_flags */
	const char *default_text;       /* as it would be written; NULL: none */
	const char *choices;            /* of a choice: "a|b|c" */
	const char *help;               /* a sentence, for the man page and `etlrun plugins NAME` */
	const struct etl_option *members;       /* of a group; the same stride */
	int64_t min, max;               /* of ETL_OPT_INT; both 0: any */
};

/* ---- What the host offers -------------------------------------------------------------------------- */

/* What a failure is, which decides what the host does next and the exit code. */
enum etl_class {
	ETL_FATAL,              /* the store refused; exit 3 or 4 by role */
	ETL_USAGE,              /* the options or the pipeline are wrong; exit 2 */
	ETL_DATA,               /* the rows are wrong; exit 5 */
	ETL_MEMORY,             /* no memory, or the machine's own files; exit 10 */
	ETL_BUG,                /* an invariant broke; exit 1 */
	/* What may pass. Retries are the host's alone: a plugin makes none of its own. Open, describe, ping, pin, begin,
	 * load, apply, seal, commit, abort and the reads of validators are tried again; what was counted of a load is
	 * taken back, and its rows are read again. A source that holds the pin is not made anew: its view is gone. A
	 * load of a target with ETL_IN_ORDER is not tried again: it would come out of its order. */
	ETL_RETRY_STATEMENT,    /* may pass when tried again at once on this instance; nothing of it was done */
	ETL_RETRY_CONNECTION,   /* may pass on a new instance, after host->delay; the old one is closed */
	ETL_FEWER_WORKERS,      /* the store allows no more connections: this worker ends, the last one waits */
	ETL_OUTCOME_UNKNOWN     /* a commit was sent and its answer lost: ask `recall` (of commit), `since` (of others) */
};

enum etl_log_level { ETL_LOG_ERROR, ETL_LOG_WARN, ETL_LOG_INFO, ETL_LOG_DEBUG };
enum etl_role { ETL_ROLE_SOURCE = 1, ETL_ROLE_TARGET, ETL_ROLE_TRANSFORM, ETL_ROLE_VALIDATOR };
/* Since 1.2. What the verb is about. */
enum etl_intent {
	ETL_LOOKS,              /* at what runs made, or it adds to that: validate, diff, status, rollback, replay */
	ETL_BEGINS,             /* a run is begun, or shown before it is: run, copy, plan, check */
	ETL_RESUMES             /* an interrupted run goes on */
};
/* Since 1.2. ETL_COUNT_WAITING: rows that came without something that a later run may find, the parent of an optional
 * reference. They are counted as what they are; a sync looks at the whole of their table again next time. */
enum etl_count { ETL_COUNT_CREATED, ETL_COUNT_FILTERED, ETL_COUNT_MERGED, ETL_COUNT_WAITING };

/* A row that cannot go on. Where it stands is (context, ordinal). All pointers are borrowed. */
struct etl_reject {
	const char *code;       /* a stable word: "not_null", "out_of_range", "invalid_utf8", …; "no_memory"
				 * is no reject but the stream's failure */
	const char *column;     /* or NULL: the whole row */
	const char *reason;     /* a sentence: the value, the rule, the server's own words */
	const char *raw;        /* the row as text, when no batch could be made of it; else NULL */
	const struct ArrowSchema *schema;       /* of the batch */
	const struct ArrowArray *batch; /* the batch the row stands in, or NULL */
	int64_t row;            /* its index there */
	int64_t ordinal;        /* without a batch: its place in the split, from 0: how many rows of it
				 * were given or rejected before */
	const char *key;        /* without a batch: the row's key as a person reads it, "id=3"; or NULL */
};

/*
 * Since 1.2. A map of old and new keys: a table of the target that a transform asks and extends (etl_transform.maps). The
 * host reads it when the first row asks, writes what is new with the rows of the run and in their transaction, and
 * knows of each row whether it went so far. Of one name all transforms of a run share one map.
 */
enum etl_map_column {
	ETL_MAP_TABLE,          /* text: whose key it is */
	ETL_MAP_OLD,            /* the old key as text */
	ETL_MAP_OLD_ID,         /* int64: the old key where it is one integer, else NULL */
	ETL_MAP_NEW,
	ETL_MAP_RUN,            /* the id of the run that wrote the row last */
	ETL_MAP_TIME,           /* when that run began */
	ETL_MAP_STATUS,         /* "active", "gone" */
	ETL_MAP_COLUMNS         /* how many these are */
};

/* Whose keys the rows refer to, and the column of the shape that comes out where the new one is. */
struct etl_map_parent {
	const char *table, *column;
};

/* What one transform of one table wants of it. */
struct etl_map {
	const char *name;       /* of the map in the target */
	const char *columns[ETL_MAP_COLUMNS];   /* what they are called */
	uint32_t named;         /* bits 1 << enum etl_map_column: these must be there in a map that is; the others may be absent, but
	                         * TABLE, OLD and NEW */
	int32_t type;           /* of the new keys: ETL_UUID or ETL_INT64 */
	int64_t first;          /* of ETL_INT64: the least number that is given */
	const char *own;        /* as whose keys those of the rows stand in the map; NULL: the rows get none */
	const char *own_column; /* of the shape that comes out: where the new key is */
	const struct etl_map_parent *parents;
	size_t parent_count, parent_size;
};
struct etl_map_sink {
	int (*emit)(struct etl_map_sink *self, const struct etl_map *map);
};

struct etl_map_ask {
	const char *table;      /* OWN, or that of one of PARENTS */
	const char *old;        /* the key, as the map has it */
	size_t size;
	int32_t refers;         /* 0: it is the key of the row that comes; 1: the row refers to it */
	int32_t reserved;
	/* Of a row's own key: the UUID that it gets when the map has none, 16 bytes. NULL: it gets none then, or, with
	 * ETL_INT64, the next number. */
	const uint8_t *fresh;
};
/* Closed. */
struct etl_mapped {
	uint8_t uuid[16];       /* or */
	int64_t number;
};

enum etl_range_kind {
	ETL_RANGE_ALL,          /* every row */
	ETL_RANGE_SAMPLE,       /* rows whose key hash, mixed with `seed`, falls below `ppm` of a million */
	ETL_RANGE_BUCKETS       /* rows whose key hash modulo `of` is in first .. first+count-1 */
};

#define ETL_BUCKETS 64         /* the buckets of a digest, by key hash */

/* Which rows. Closed. */
struct etl_range {
	int32_t kind;           /* enum etl_range_kind */
	uint32_t of, first, count;
	uint32_t ppm, reserved;
	uint64_t seed;
	const char *after, *upto;       /* a key range as text, after < key <= upto, or NULL */
};

enum etl_hash { ETL_HASH_X1 = 1, ETL_HASH_C1, ETL_HASH_P1 };

/* The sum of the row hashes modulo 2^64: order does not matter, a doubled row does. Closed. */
struct etl_digest {
	uint64_t rows;
	uint64_t sum;
};

/* Every function may be called from the thread that uses the instance; `log` and `canceled` from any. */
struct etl_host {
	uint32_t abi;                   /* the host's ETL_ABI */
	int32_t role;                   /* enum etl_role: what this instance is for */
	int64_t batch_rows;             /* the most rows of a batch, 1 .. 65536 */
	int64_t batch_bytes;            /* bytes after which a batch is closed */
	int64_t max_row;                /* bytes; a source rejects a larger row, with code "max_row" */
	int64_t memory;                 /* bytes this instance may use for caches */
	int64_t workers;                /* how many workers the run has */

	/* Says why, and returns ETL_FAILED. sqlstate: five characters or NULL; native: the store's own number
	 * or 0. The text says what, where, the store's own words, and what to do next; a secret that the host
	 * knows is masked in it. */
	int (*fail)(struct etl_error *err, int32_t klass, const char *sqlstate, int64_t native,
		    const char *format, ...) ETL_PRINTF(5, 6);
	/* Before `fail`: the table, column and key it was about (each may be NULL). */
	void (*at)(struct etl_error *err, const char *table, const char *column, const char *key);
	/* Before `fail` with ETL_RETRY_CONNECTION: wait at least so many milliseconds. */
	void (*delay)(struct etl_error *err, int64_t milliseconds);

	void (*log)(const struct etl_host *host, int32_t level, const char *format, ...) ETL_PRINTF(3, 4);
	int (*canceled)(const struct etl_host *host);   /* 1: stop soon and return ETL_CANCELED */

	/* 0: the row is counted and kept in the rejects file, go on without it; ETL_FAILED: this was one too
	 * many (the message is in the stream's error already), return. */
	int (*reject)(struct etl_context *context, const struct etl_reject *reject);
	/* A transform says how its rows changed in number. Since 1.2 a source too, of rows that it found and does not give: those
	 * that the pipeline lets it leave out (FILTERED), and those that became one with others (MERGED, duplicates of a
	 * key of which one stays). They count as read. */
	void (*count)(struct etl_context *context, int32_t what, uint64_t rows);

	/* Options by name. An absent one without a default is NULL, 0 or an empty list; `given` tells. */
	int (*given)(const struct etl_conf *conf, const char *name);
	const char *(*str)(const struct etl_conf *conf, const char *name);
	int64_t (*num)(const struct etl_conf *conf, const char *name);
	int (*flag)(const struct etl_conf *conf, const char *name);
	size_t (*list)(const struct etl_conf *conf, const char *name);   /* how many items or groups */
	const char *(*item)(const struct etl_conf *conf, const char *name, size_t i);
	const struct etl_conf *(*sub)(const struct etl_conf *conf, const char *name, size_t i);

	/* For validators: the two sides of a table. A stream lives until it is released, and keeps ERR. A range of keys
	 * (`after`, `upto`) is refused here with ETL_USAGE. */
	int (*peer_describe)(struct etl_peer *peer, const struct etl_table **ret, struct etl_error *err);
	/* RET has one place, or range->count places for ETL_RANGE_BUCKETS. */
	int (*peer_digest)(struct etl_peer *peer, const struct etl_range *range, int32_t hash,
			   struct etl_digest *ret, struct etl_error *err);
	/* The rows of a range with all their columns, in the target's types. */
	int (*peer_read)(struct etl_peer *peer, const struct etl_range *range,
			 struct ArrowArrayStream *stream, struct etl_error *err);
	/* The same as three columns: key (text, as a person reads it), key_hash, row_hash (int64 bits). */
	int (*peer_hashes)(struct etl_peer *peer, const struct etl_range *range, int32_t hash,
			   struct ArrowArrayStream *stream, struct etl_error *err);
	/* Since 1.1. Another table of PEER's side, by its name in the target: what this run stages of it, and what
	 * the target has of it and keeps. *RET lives as long as PEER. ETL_USAGE: there is no such table. */
	int (*peer_other)(struct etl_peer *peer, const char *table, struct etl_peer **ret,
			  struct etl_error *err);
	/* For `check`. 1: what INTO has came through this validator's `wrap`. 0: it may be there for long, as for the
	 * verb `validate`. */
	int32_t loaded;
	int32_t reserved;
	/* Since 1.2, for a target; each may be NULL: not known. The run's id, as etl_run.id will have it from `begin` on; a run
	 * that goes on has another one before. */
	const char *run;
	/* The source's file, as `ping` of its plugin names it (the fact "file"); with ETL_ASKS_SOURCE only. */
	const char *source;
	/* An absolute path, the same for each verb over a pipeline. What must outlive the process and cannot be in the store
	 * is kept in a file whose name is this one with a suffix of the plugin's own. */
	const char *notes;
	int32_t intent;                 /* enum etl_intent */
	int32_t reserved_2;
	/* Since 1.2. For a target in `load`: by which of its ways ROWS of the split went in, in a word or two for people
	 * ("bulk copy"), which the report shows. Rows of several calls with one HOW are added up. */
	void (*carried)(struct etl_context *context, const char *how, uint64_t rows);
	/* Since 1.2. For validators: what each column of the table holds, added up, in the order of the shape that
	 * peer_describe gives without what the target computes: by the store where it can, else over the rows. Texts are in
	 * the host's own spelling, so equal values have equal texts. A column has ETL_RESPELT when its values are not to be
	 * compared, only its NULLs. See ETL_ADDS_UP. */
	int (*peer_totals)(struct etl_peer *peer, struct etl_total_sink *sink, struct etl_error *err);
	/* Since 1.2. For whoever has a context: HOW_MANY values were changed on their way because the pipeline asked for it
	 * (empty texts read as NULL, bytes that are no UTF-8 replaced). They are counted by CODE, a stable word, and shown in the
	 * report with TEXT, a few words without a number ("values read as NULL"), the first that came with the code. It is
	 * no reject, and no count of rows. */
	void (*noted)(struct etl_context *context, const char *code, const char *text, uint64_t how_many);
	/* Since 1.2, for a target. What people should know of the whole run beside its tables: ABOUT is what it is about, in
	 * 12 bytes at most ("log rate"), which stands before the SENTENCE in the report. One about the same takes its place, and an empty one
	 * takes it away. */
	void (*remark)(const struct etl_host *host, const char *about, const char *sentence);
	/* Since 1.2. For a transform with `maps`, in its stream. 1: RET is the new key. 0: there is none: of a reference that its
	 * parent is neither in the target nor among the rows of this run. ETL_FAILED: the stream's error says why. */
	int (*map_key)(struct etl_context *context, const struct etl_map_ask *ask, struct etl_mapped *ret);
	/* Since 1.2. For a transform, in derive, maps and wrap: the foreign keys of the target's table into which the rows of its
	 * table go, when it is there, in the words of the source: columns as the source has them, parents as the source calls
	 * the tables that go into theirs, or as the target does where none does. Only those to a primary key. */
	const struct etl_foreign_key *target_keys;
	size_t target_key_count, target_key_size;
};

/* Where a plugin sends what it finds. The host fills these; a return other than 0 ends the calls and is
 * passed on. What is emitted is borrowed for the call. */
struct etl_table_sink {
	int (*emit)(struct etl_table_sink *self, const struct etl_table *table);
};
struct etl_fact_sink {
	/* For people and for `check`: "server" "PostgreSQL 15.8", "role" "loader", … */
	int (*emit)(struct etl_fact_sink *self, const char *name, const char *value);
};

/* ---- Stores ----------------------------------------------------------------------------------------- */

#define ETL_TOKEN_MAX 512

/* An opaque text of a plugin, kept by the host and shown to other instances and later processes: it
 * names a consistent view, a staging place, a content. Never secret. Closed. */
struct etl_token {
	char text[ETL_TOKEN_MAX];
};

/* What to read: a table, a query, or (token not NULL) the staged rows of a load. Closed. */
struct etl_dataset {
	const char *schema;             /* or NULL */
	const char *table;              /* or NULL: a query */
	const char *query;              /* in the store's own language, or NULL */
	const char *where;              /* a condition in the store's own language, or NULL */
	const struct etl_token *token;  /* a staging place, or NULL: what is published */
	const struct etl_conf *options; /* the options of `from` or `to` */
};

/*
 * Since 1.2. The text form of a row, which every server can make, and its hashes.
 *
 * The row is its fields in the order of the columns, joined by `,`. A field is `~` for NULL, else a text, by the type of
 * the column; before that of text and json stands `N:`, where N is the number of its bytes in UTF-8, in decimal:
 *
 *   bool                   1 or 0
 *   int16, int32, int64    decimal: -12
 *   float32, float64       the 16 lower-case hexadecimal digits of the IEEE 754 bits of it as a float64, the highest
 *                          byte first: 1.0 is 3ff0000000000000. -0 is written as +0, every NaN as 7ff8000000000000
 *   decimal, numeric       decimal without exponent, needless zeros or a needless point; no minus at 0; a digit before
 *                          the point: -12.5, 0.01, 100. A numeric that is none: NaN, Infinity, -Infinity
 *   text, json             the bytes as `read` would give them
 *   bytes                  lower-case hexadecimal digits, two a byte
 *   date                   decimal: days since 1970-01-01 (proleptic Gregorian)
 *   time                   decimal: microseconds since midnight
 *   timestamp, instant     decimal: microseconds since 1970-01-01 00:00:00, in UTC for an instant
 *   uuid                   32 lower-case hexadecimal digits, no hyphens
 *
 * So (7, NULL, 'é,', 0.50) is `7,~,3:é,,0.5`. A value that `read` would reject (an infinite date) stands as `!`: it
 * fails nothing.
 *
 * ETL_HASH_C1 is the first 8 bytes of the SHA-256 of this text, the first byte the highest. ETL_HASH_P1 is PostgreSQL's
 * hashtextextended(text, 0). Both are 64 bits without a sign; a store that has signed ones only gives the same bits.
 * The key hash is the same hash of the text made of the key's columns alone, in the order of `key`.
 */
enum etl_digests_by {
	ETL_DIGESTS_BY_KEY,     /* part (k - first) / width of the rows whose first key column k is in first .. last */
	ETL_DIGESTS_BY_HASH     /* part (key hash modulo parts) of all rows */
};

/* What `hashes` and `digests` are asked. */
struct etl_digest_ask {
	struct etl_dataset dataset;     /* a table, with its `where` */
	int32_t hash;                   /* enum etl_hash: ETL_HASH_C1 or ETL_HASH_P1 */
	int32_t by;                     /* enum etl_digests_by */
	const struct etl_column *columns;       /* as `describe` emitted them, in the order of the text */
	size_t column_count, column_size;
	const int64_t *key;             /* indexes of the key's columns; without a key, of all columns */
	size_t key_count;
	/* By key: the first key column is an integer without NULLs; both bounds belong to the range; width is 1 or more.
	 * last - first is less than 2^62. */
	int64_t first, last, width;
	uint64_t parts;                 /* by hash: a power of two */
};
struct etl_digest_sink {
	/* Each part once, in any order; parts without rows may be left out. The sum as in etl_digest. */
	int (*emit)(struct etl_digest_sink *self, uint64_t part, const struct etl_digest *digest);
};

/*
 * Since 1.2. What one column holds, added up over all rows. Nothing in it depends on their order, and nothing is rounded.
 * A number, date or time is a text as etl_convert_text reads it ("-12.50", "1e-7", "2024-02-29 13:00:00.5", "1" for true;
 * an instant with its offset or Z); it need not be the shortest, for the host spells it anew. Closed.
 */
struct etl_total {
	int64_t nulls;                  /* how many; ETL_UNKNOWN: nobody can say any more, and nothing else is said */
	/* bool, integers, reals, decimal, numeric, date, time, timestamp, instant: NULL, there is no value. A NaN is greater
	 * than all else; 0 and -0 are one. */
	const char *least, *greatest;
	/* Integers, decimal, numeric: exact. Reals: the sum of their bits, each value's as those of a float64 of IEEE 754 read as an
	 * int64, -0 as 0 and every NaN as 0x7ff8000000000000; of an `any` both together. NULL: there is no value. A store that
	 * has reals and no such sum of them is not believed: the host reads the rows. */
	const char *sum;
	/* text, json, bytes: of the values in bytes as `read` would give them, of texts also in units of UTF-16, which is
	 * how some servers count. ETL_UNKNOWN: there is no value, or the store counts in another way. */
	int64_t shortest, longest;
	int64_t shortest_utf16, longest_utf16;
};

/* What `totals` is asked. */
struct etl_totals_ask {
	struct etl_dataset dataset;     /* a table or staged rows, with its `where` */
	/* By their names in the table, in the types in which they were moved (type, precision, scale); of one with
	 * ETL_RESPELT only the NULLs are wanted. */
	const struct etl_column *columns;
	size_t column_count, column_size;
};
struct etl_total_sink {
	/* Every column once, in their order. */
	int (*emit)(struct etl_total_sink *self, const struct etl_column *column, const struct etl_total *total);
};

enum etl_store_flags {
	ETL_DYNAMIC = 1 << 0,           /* any value in any column: takes and gives ETL_ANY */
	ETL_UNENFORCED_KEYS = 1 << 1,   /* a foreign key may be broken in it */
	/* Since 1.2. An entry of `tables` with a plain name and `from` is what `from` says. It is described with
	 * { table = name, options = from } and need not be among what describe lists for NULL, which is not asked for
	 * where every entry is of that kind. The same name may come several times with different options. */
	ETL_FROM_SHAPES = 1 << 2,
	ETL_FILES = 1 << 3              /* since 1.2: a store of files; `on_error` is "reject" when the pipeline is silent */
};

struct etl_store {
	size_t size;
	uint32_t flags;                 /* enum etl_store_flags */
	uint32_t reserved;
	/* What the store holds. dataset NULL: every object, tables first. A table: that table, or nothing
	 * when it is not there (no error). A query: its result's columns. A dataset with a query or a `where`
	 * that the plugin does not know is refused here, with ETL_USAGE: the host asks before it reads. */
	int (*describe)(struct etl_instance *, const struct etl_dataset *dataset,
			struct etl_table_sink *sink, struct etl_error *err);
	/* Optional. Connects when it must and says what it found: version, user, limits, what is missing.
	 * A store that is not there yet (a new file as target) is a fact, no failure. */
	int (*ping)(struct etl_instance *, struct etl_fact_sink *sink, struct etl_error *err);
	/* Optional: the digests of a range computed by the store; ret as in peer_digest. Only offered for
	 * types where the store computes the same as the host's reference. No host of 1.0 calls it: it reads the
	 * rows and hashes them itself. Since 1.2 it is asked for ETL_RANGE_ALL with hash 0, of a table or of staged rows:
	 * how many rows there are (ret->rows), as the validator counts wants to know; a store that offers only
	 * this refuses all else with ETL_USAGE. */
	int (*digest)(struct etl_instance *, const struct etl_dataset *, const struct etl_range *,
		      int32_t hash, struct etl_digest *ret, struct etl_error *err);
	/* Since 1.2. Optional: hashes, digests and bounds, together: row hashes computed by the store, for the verb `diff`.
	 * Such a store's `read` keeps to `cursor`, `after` and `upto` when the cursor is an integer column.
	 *
	 * hashes is the self-test, asked first: RET[i] is the row hash of row i of ROWS, computed by the store with the
	 * very expressions that `digests` would use for a table of ASK->columns, of values that were sent to it. ROWS
	 * has these columns in their own types, some values NULL; dataset, by, first, last, width and buckets say
	 * nothing. A declared length or precision is no limit here: use the type without it. The host compares
	 * with its own; one that differs and the rows are read instead. ETL_USAGE with a sentence: this hash, or
	 * a column of such a type, is not offered, which is no failure. */
	int (*hashes)(struct etl_instance *, const struct etl_digest_ask *ask,
		      const struct ArrowSchema *schema, const struct ArrowArray *rows, uint64_t *ret,
		      struct etl_error *err);
	/* The digest of each part of a table, in one pass, inside the pin when there is one. */
	int (*digests)(struct etl_instance *, const struct etl_digest_ask *ask,
		       struct etl_digest_sink *sink, struct etl_error *err);
	/* The least and the most value of an integer column; least above most: no value at all. */
	int (*bounds)(struct etl_instance *, const struct etl_dataset *, const char *column,
		      int64_t *ret_least, int64_t *ret_most, struct etl_error *err);
	/* Since 1.2. Optional: columns added up by the store, as the host would add up the rows that `read` gives in these
	 * types. ETL_USAGE with a sentence before anything is emitted: of one of the columns it cannot say exactly that (a
	 * sum that might overflow, numbers that are kept as text), which is no failure: the host reads the rows. It does too
	 * when a text that is emitted cannot be read as a value of its column. */
	int (*totals)(struct etl_instance *, const struct etl_totals_ask *ask, struct etl_total_sink *sink,
		      struct etl_error *err);
};

/* A part of a dataset: first and last are the plugin's own (a rowid range, a block range), text too. */
struct etl_split {
	uint64_t index;                 /* from 0 */
	int64_t first, last;
	const char *text;               /* or NULL */
	int64_t rows;                   /* an estimate, or ETL_UNKNOWN */
};
struct etl_split_sink {
	int (*emit)(struct etl_split_sink *self, const struct etl_split *split);
};

struct etl_read {
	struct etl_dataset dataset;
	/* The wanted columns, in order, by their name in the source and in the wanted type: a struct. A
	 * value that does not fit is rejected, never coerced. */
	const struct ArrowSchema *want;
	struct etl_context *context;    /* for reject */
	int64_t limit;                  /* the most rows of the whole dataset; 0: all */
	const char *cursor;             /* a column, or NULL */
	const char *after, *upto;       /* its bounds as text: after < cursor <= upto; NULL: open */
	const struct ArrowSchema *key_schema;   /* with keys: exactly the rows with these keys */
	const struct ArrowArray *keys;
	/* Since 1.2. With `cursor`: what `watermark` gave at an earlier time, maybe taken back by a while. The rows from there
	 * on, those that have it exactly too, those whose cursor is NULL, and those that were not to be seen then. NULL or
	 * "": every row. */
	const char *since;
};

/* What kinds of value a column holds, by one pass over it. Closed. */
struct etl_profile {
	const char *column;
	int64_t rows, nulls, integers, reals, texts, blobs;
	int64_t min_integer, max_integer;       /* of the integers */
	int64_t max_chars, max_utf16, max_bytes;        /* of texts; of texts and blobs */
	int64_t with_nul, bad_utf8;     /* texts */
	int64_t dates, timestamps, zoned;       /* texts that parse as such in ISO 8601 form */
	int64_t flags01;                /* integers that are 0 or 1 */
	int64_t numeric_texts;          /* texts that read as a number */
	int64_t max_scale;              /* decimals after the point, of reals as their shortest text */
};
struct etl_profile_sink {
	int (*emit)(struct etl_profile_sink *self, const struct etl_profile *profile);
};

/* Since 1.2. One entry of `tables`. */
struct etl_proposal {
	const char *name;               /* the table's, as it is: the host writes it so that it is read as this */
	/* The entry's other keys as text of a pipeline file, "from = { files = \"a.json\"; }; key = [ \"id\" ];". Its texts are
	 * what they are, "${" too; helpers.h writes one (etl_text_add_config). */
	const char *keys;
	const char *unsure;             /* what it could not be sure of, for people: lines, or NULL */
};
struct etl_proposal_sink {
	int (*emit)(struct etl_proposal_sink *self, const struct etl_proposal *proposal);
};

struct etl_source {
	size_t size;
	uint32_t flags;                 /* none yet */
	uint32_t reserved;
	/* Opens the rows of one split in exactly the wanted types. STREAM is used by the thread of the
	 * instance, and ERR lives until it is released. Without plan, SPLIT is one of everything. The host
	 * calls it again for the same split when a validator wants rows named. */
	int (*read)(struct etl_instance *, const struct etl_read *, const struct etl_split *split,
		    struct ArrowArrayStream *stream, struct etl_error *err);
	/* Optional, the three together. pin opens one consistent view, join enters it from another instance,
	 * stamp names the content of the pinned view ("none" when nothing identifies it): a resumed
	 * run reads only what is missing when it is the same. Of a store with ETL_FROM_SHAPES it may name the content of what
	 * was planned in the view: `run --if-needed` plans every table before it, with the dataset and the limit alone. */
	int (*pin)(struct etl_instance *, struct etl_token *ret, struct etl_error *err);
	int (*join)(struct etl_instance *, const struct etl_token *token, struct etl_error *err);
	int (*stamp)(struct etl_instance *, struct etl_token *ret, struct etl_error *err);
	/* Optional: splits that cover the dataset exactly once, about WANTED of them (exactly one when that
	 * is 1), in the order in which the rows stand; valid inside the pin. Without it there is one split of everything. */
	int (*plan)(struct etl_instance *, const struct etl_read *, int64_t wanted,
		    struct etl_split_sink *sink, struct etl_error *err);
	/* Optional: how far the cursor of READ has come in the view that is open, for a later `since`: its greatest value as text,
	 * or less where rows below it may still appear; then maybe ";" and what the plugin itself needs to know of them. "":
	 * there are no rows. The host may take a number or moment before the ";" back. No host of 1.0 calls it. */
	int (*watermark)(struct etl_instance *, const struct etl_read *, struct etl_token *ret,
			 struct etl_error *err);
	/* Optional, for stores with ETL_DYNAMIC: one pass over the dataset inside the pin. */
	int (*profile)(struct etl_instance *, const struct etl_dataset *, struct etl_profile_sink *sink,
		       struct etl_error *err);
	/* Optional, since 1.2, with pin and plan: what profile does, for the rows of one split, by any instance inside
	 * the pin. Every split gives the same columns in the same order; the host adds the parts up. Of the read that
	 * plan is given for it, only the dataset is set. */
	int (*profile_split)(struct etl_instance *, const struct etl_dataset *, const struct etl_split *split,
			     struct etl_profile_sink *sink, struct etl_error *err);
	/* Since 1.2. Optional, for stores with ETL_FROM_SHAPES: the `tables` of a whole pipeline, for the verb `discover`, in
	 * the order in which they are written. The pipeline runs as it is. */
	int (*propose)(struct etl_instance *, struct etl_proposal_sink *sink, struct etl_error *err);
	/* Since 1.2. Optional: a run that begins calls it once, inside the pin, before anything is made in the target: where the
	 * options ask for it, what will be read is copied to a safe place, all of it or nothing. *KEPT is where, for people;
	 * left as it is ("") when nothing was asked for. A run that goes on does not call it. */
	int (*backup)(struct etl_instance *, const struct etl_run *run, struct etl_token *kept, struct etl_error *err);
};

/* A sync comes as ETL_MERGE with ETL_RUN_CHANGES: ETL_SYNC is the host's own. */
enum etl_mode { ETL_COPY, ETL_APPEND, ETL_MERGE, ETL_SYNC };
enum etl_on_existing { ETL_EXISTING_FAIL, ETL_EXISTING_REPLACE, ETL_EXISTING_TRUNCATE };
enum etl_delete { ETL_DELETE_NONE, ETL_DELETE_SOFT, ETL_DELETE_HARD };
enum etl_fk_policy { ETL_FK_ENFORCE, ETL_FK_DEFER, ETL_FK_REPORT, ETL_FK_DROP };

enum etl_run_flags {
	ETL_RUN_SCHEMA_ONLY = 1 << 0,   /* no rows are loaded */
	ETL_RUN_DATA_ONLY = 1 << 1,     /* the tables are there; no DDL */
	ETL_RUN_PARTIAL = 1 << 2,       /* --limit: not every row comes */
	ETL_RUN_TABLE_SCOPE = 1 << 3,   /* scope = "table": tables are published one by one */
	ETL_RUN_EMPTY = 1 << 4,         /* the target held nothing at all: append and merge make it as copy does */
	ETL_RUN_UNDO = 1 << 5,          /* append, merge: keep with the rows what `revert` needs */
	ETL_RUN_RESUMED = 1 << 6,       /* an interrupted run goes on: begin takes up the staging place that it made */
	ETL_RUN_REJECT = 1 << 7,        /* on_error = "reject": rows that a constraint does not take are left out */
	/* Since 1.2. Of a merge: only rows that are new or differ come, and only those rows of the target go whose keys
	 * are given (etl_part.gone), after the rows of their load and before the screens; all others stay. */
	ETL_RUN_CHANGES = 1 << 8
};

/* What all loads of a run share. */
struct etl_run {
	const char *id;                 /* [0-9A-Za-z-]{1,64}, unique */
	const char *pipeline;           /* its name */
	int32_t mode;                   /* enum etl_mode */
	int32_t on_existing;            /* enum etl_on_existing */
	int32_t foreign_keys;           /* enum etl_fk_policy */
	uint32_t flags;                 /* enum etl_run_flags */
	int64_t started;                /* microseconds since 1970 UTC */
	int64_t keep_old;               /* generations to keep for rollback; 0: none */
	const char *state_path;         /* where the host keeps this run's journal, absolute */
	/* Since 1.2. Its loads in the order of their index, those that bring rows: what `design` may call a constraint, and how
	 * it may cascade, depends on the other tables. NULL: not known. */
	const struct etl_load *const *loads;
	size_t load_count;
	/* Since 1.2. Which runs of the pipeline a target with ETL_KEEPS_STATE remembers: the newest so many, 0: as many as there are,
	 * and those published since then, microseconds since 1970 UTC, 0: whenever that was. The newest is remembered in any case, and
	 * so is one that can be taken back. */
	int64_t keep_runs, keep_since;
};

/* The table that a foreign key refers to, as it will be when the run is published. Closed. */
struct etl_parent {
	const struct etl_table *table;  /* or NULL: nobody knows it */
	int32_t in_run;                 /* 1: its rows come with this run; 0: it is the target's own */
	int32_t reserved;
};

/* One table of a run: what is loaded, and how. */
struct etl_load {
	const struct etl_run *run;
	const struct etl_table *table;  /* as it shall be at the target; or a view, trigger, … */
	const struct etl_table *existing;       /* what is in its place in the target now, or NULL */
	const char *source_name;        /* the table's name in the source, for messages */
	const struct etl_conf *options; /* the options of `to` */
	uint64_t index;                 /* of the load in the run, from 0 */
	int32_t deletes;                /* enum etl_delete: merge, sync */
	int32_t reserved;
	/* merge: by which columns of `table` rows meet, a primary key or unique in the target, in its order; else NULL.
	 * With `existing`, append and merge give `table` the shape of the columns of `existing` that come. */
	const char *const *key;
	size_t key_count;
	const char *delete_column;      /* with ETL_DELETE_SOFT: a column of `existing` that does not come */
	/* What the validators ask for: `design` emits a screen step of kind "reference" for each, which finds the rows
	 * whose values the parent does not have, with code "references". No constraint is made of them. `name`
	 * is the rule's, or NULL; parent_columns NULL: the parent's primary key. See ETL_REFERENCES. */
	const struct etl_foreign_key *references;
	size_t reference_count, reference_size;
	/* Since 1.2. Beside the foreign keys of `table`, as many. NULL: not known. */
	const struct etl_parent *parents;
	/* Since 1.2. The table as the target's own DDL makes it (etl_schema.given), which gave `table` its columns, keys and
	 * indexes. NULL: there is no such DDL, or it does not make this table. */
	const struct etl_table *given;
	/* Since 1.2. Names of the schema of etl_target.place that are given already, by the run's tables, their indexes and what
	 * comes beside them, and by what stays in the target, sorted by their bytes: what `design` calls by a name of
	 * its own choice (a key that has none) cannot have one of these. NULL: the target has no places. */
	const char *const *taken;
	size_t taken_count;
};

/* When a step is applied. */
enum etl_phase {
	ETL_PHASE_PREPARE,      /* in the staging place, before any row: tables */
	/* Finds rows that a constraint will not take. Steps whose kind begins with "foreign key" obey the run's
	 * foreign_keys; the others, as a unique index, are made here or after the rows it found are gone. */
	ETL_PHASE_SCREEN,
	/* After the rows: indexes, keys, counters. A target that takes several instances is given those of different tables
	 * side by side, those of one table in their order; except that steps of kind "index" which follow one another
	 * are given side by side, so they must not choose names as they go. Steps whose kind begins with "foreign key" come last. */
	ETL_PHASE_FINISH,
	ETL_PHASE_LAST,         /* after every table is finished: views, triggers */
	ETL_PHASE_PUBLISH,      /* carried out inside commit; shown by plan, never given to apply */
	ETL_PHASE_DISCARD       /* inside abort; likewise */
};

enum etl_verdict {
	ETL_EXACT,              /* arrives as it is */
	ETL_WIDENED,            /* arrives, in a wider type or with a weaker rule */
	ETL_APPROXIMATED,       /* arrives changed: the note says how */
	ETL_SKIPPED             /* does not arrive: the note says why */
};

struct etl_step {
	int32_t phase;          /* enum etl_phase */
	int32_t verdict;        /* enum etl_verdict */
	const char *kind;       /* "table", "column", "index", "foreign key", "check", "view", "sequence", … */
	const char *object;     /* its name, "Invoice" or "Invoice.Total" */
	const char *sql;        /* what is executed, or NULL: nothing is (a verdict, or part of another step) */
	const char *note;       /* or NULL; with ETL_SKIPPED never NULL */
	uint64_t load;          /* the index of its load; UINT64_MAX: the run's */
};
struct etl_step_sink {
	int (*emit)(struct etl_step_sink *self, const struct etl_step *step);
};

/* A row that a screen step found, or that a commit parked or overwrote. */
struct etl_found {
	const char *code;       /* "foreign_key", "duplicate", "check" */
	const char *table;
	const char *column;     /* the column or columns, or NULL */
	const char *key;        /* the row's key as text, "id=3" */
	const char *reason;     /* a sentence */
	/* Since 1.1. The row itself, in the columns that the sink wants: a batch it stands in, borrowed like the
	 * rest, or NULL: the finding is about no single row, or the sink wants none. */
	const struct ArrowSchema *schema;
	const struct ArrowArray *batch;
	int64_t row;            /* its index there */
	uint64_t rows;          /* without a batch: how many rows it is about; 0 is 1 */
};
struct etl_found_sink {
	int (*emit)(struct etl_found_sink *self, const struct etl_found *found);
	/* Since 1.1. The columns and types in which rows are wanted: those that `load` was given. NULL: none. */
	const struct ArrowSchema *rows;
	/* 1: every row that a screen step finds is emitted with its batch, in the order in which the rows were
	 * loaded where the target knows it, and is gone from the staging place when apply returns 0; when emit
	 * or anything else fails, all of them are still there. The host applies a step again when rows of the
	 * table's parents went. 0: they stay; the first is emitted with its batch, and of many the rest may be
	 * counted in one finding. */
	int32_t take_out;
	int32_t reserved;
	/* Since 1.1. By the index of a load: how many of its rows were rejected before the target saw them, as commit will
	 * say; NULL: not known. */
	const uint64_t *withheld;
	size_t withheld_count;
};

struct etl_dataset_sink {
	int (*emit)(struct etl_dataset_sink *self, const struct etl_dataset *dataset);
};

/* The split a load stages. */
struct etl_part {
	uint64_t index;                 /* the split's */
	struct etl_context *context;    /* for reject */
	/* Since 1.2. 1: the stream's rows are keys, in the order of etl_load.key, and what has them goes (ETL_RUN_CHANGES). It
	 * comes after every split, with an index of its own. They are no rows of the load: nothing is counted of them. */
	int32_t gone;
	int32_t reserved;
};

/* What a load did. Closed. */
struct etl_stats {
	uint64_t rows;                  /* staged */
	uint64_t bytes;                 /* as the store counts them: on the wire, or of values */
};

/* What one table's commit did. Closed. */
struct etl_outcome {
	uint64_t inserted, updated, unchanged, deleted, rejected;
};

/* Since 1.2. One of the batches in which a run is published (`commit_every` of a sync), each in a transaction of its own, with a
 * checkpoint of it. First the rows that come, in the order of the loads, then those that go, the other way round. */
struct etl_commit_batch {
	int64_t number;                 /* from 1, in the run */
	int64_t rows;                   /* about so many; INT64_MAX: all that are left */
	int32_t whole;                  /* 1: the rows of a table are not cut, for that was refused */
	int32_t reserved;
	/* Beside the loads: those with the same number, other than 0, refer to themselves or to each other in a circle: their
	 * rows come, or go, in one batch. */
	const uint64_t *units;
	const struct etl_token *from;   /* where the one before ended; "": it is the first */
	/* Never NULL. Where this one ends; "": it was the last, and the run is published. */
	struct etl_token *next;
};

struct etl_commit {
	const struct etl_run *run;
	/* Every load of the run, those without rows too; with ETL_RUN_TABLE_SCOPE only those that passed: what the
	 * target had under the name of another stays there as it was. */
	const struct etl_load *const *loads;
	const struct etl_token *const *tokens;  /* beside them, as `begin` gave them */
	size_t load_count;
	/* Beside them. The host has put the staged rows into `inserted`; a target that did otherwise with
	 * them (updated some, found some unchanged) says so. */
	struct etl_outcome *outcomes;
	/* The run's state, to be stored with the rows: a JSON object with `exit` (the exit code of the run, now that this is
	 * published), `tables` (of those loads that bring rows: `name`, `read`, `staged`, `rejected`) and, in a run that
	 * loads the rejects of another, `replays` (that run). Members are only ever added. */
	const char *state;
	struct etl_found_sink *found;   /* parked and overwritten rows */
	/* Beside the loads: how many rows of the source were rejected before the target saw them. They are still in the
	 * source and nobody knows their keys, so a merge deletes nothing from such a table. */
	const uint64_t *withheld;
	/* What `seal` gave for these loads, maybe in a process that died; NULL: it was not asked. */
	const struct etl_token *seal;
	/* Never NULL. Where the target keeps what it replaced, for people; left as it is ("") when
	 * it keeps nothing. */
	struct etl_token *kept;
	/* Since 1.2. NULL: all is published at once. Else one batch of it, to a target with ETL_BATCHES: the staging place stays
	 * until the last one; `state` is stored with the last one; `outcomes` comes with the staged rows of the whole run in
	 * `inserted` and says what this batch did. A batch that was committed already only says again what it did. What may pass
	 * (a lock that was not given in time) is ETL_RETRY_STATEMENT: it is tried again, with fewer rows; ETL_DATA: with more, for
	 * what is missing may be in another batch. */
	const struct etl_commit_batch *batch;
};

/* Since 1.2. */
struct etl_form_sink {
	int (*emit)(struct etl_form_sink *self, const void *piece, size_t size);
};

struct etl_state_sink {
	int (*emit)(struct etl_state_sink *self, const char *run, const char *state);
};

/* Since 1.2. What the host keeps in a target between the runs of a pipeline, beside its state: pieces, each with a number that
 * no other of the same pipeline, kind and table has, some bytes and a text, either of which may be NULL. */
struct etl_keep {
	const char *pipeline;           /* its name */
	const char *kind;               /* a word of the host's, [a-z]{1,16}: "hashes", "parked" */
	const char *table;              /* the host's name for it; NULL: of every table */
};

enum etl_target_flags {
	ETL_RESUMABLE = 1 << 0,         /* staged splits outlive the process */
	ETL_ATOMIC_RUN = 1 << 1,        /* commit publishes every table or none */
	ETL_DDL = 1 << 2,               /* makes tables: `schema` is there */
	ETL_KEEPS_STATE = 1 << 3,       /* writes commit's state with the rows, and `recall` reads it */
	ETL_IN_ORDER = 1 << 4,          /* the order of loads decides the bytes: give splits in order */
	ETL_COPY_BESIDE = 1 << 5,       /* … ETL_KEEPS_STATE holds for append, merge and sync, not for copy */
	ETL_APPENDS = 1 << 6,           /* takes ETL_APPEND */
	ETL_MERGES = 1 << 7,            /* takes ETL_MERGE with every enum etl_delete */
	ETL_REFERENCES = 1 << 8,        /* screens the `references` of a load; without it there are none */
	ETL_ASKS_SOURCE = 1 << 9,       /* since 1.2: wants to know etl_host.source */
	ETL_NAMED_DELETES = 1 << 10,    /* since 1.2: takes ETL_RUN_CHANGES with every enum etl_delete, else with ETL_DELETE_NONE */
	ETL_BATCHES = 1 << 11           /* since 1.2: publishes a run with ETL_RUN_CHANGES in batches (etl_commit.batch) */
};

/* Since 1.2. Of a target; ETL_UNKNOWN: no option says one, or there is none yet. Closed. */
struct etl_version {
	int64_t wanted, there;
};

/* Per target and run: begin (each load) → apply prepare → load (each split) → apply screen, finish, last →
 * staged → commit or abort. Without `schema` a target is given tables only, no views, and no steps. All of it
 * is repeatable with the token from a process that died. */
struct etl_target {
	size_t size;
	uint32_t flags;                 /* enum etl_target_flags */
	int32_t max_instances;          /* 0: as many as there are workers */
	/* Makes the staging place of a load, durable before it returns. Refuses what cannot be published
	 * (on_existing = fail and the table is there). May be called again on a new instance when the answer was
	 * lost; that instance, as any other, takes the tokens of loads that were begun before it. */
	int (*begin)(struct etl_instance *, const struct etl_load *, struct etl_token *ret,
		     struct etl_error *err);
	/* Stages one split atomically: all of it, or nothing on failure. The same split again replaces it.
	 * STREAM stays the host's, which releases it. */
	int (*load)(struct etl_instance *, const struct etl_load *, const struct etl_token *,
		    const struct etl_part *, struct ArrowArrayStream *stream, struct etl_stats *ret,
		    struct etl_error *err);
	/* Publishes all staged loads of the run and stores its state in one transaction. Idempotent. */
	int (*commit)(struct etl_instance *, const struct etl_commit *, struct etl_error *err);
	/* Removes the staging place. Idempotent. */
	int (*abort)(struct etl_instance *, const struct etl_load *, const struct etl_token *,
		     struct etl_error *err);
	/* Optional: where the rows wait, as a dataset that read and digest take. */
	int (*staged)(struct etl_instance *, const struct etl_load *, const struct etl_token *,
		      struct etl_dataset_sink *sink, struct etl_error *err);
	/* Optional: the stored states of a pipeline, newest first. No host of 1.0 calls it. */
	int (*recall)(struct etl_instance *, const char *pipeline, struct etl_state_sink *sink,
		      struct etl_error *err);
	/* Optional, pure: the type, enum etl_type, in which this target wants the values of a column whose
	 * type is known. Default: the column's own. */
	int32_t (*takes)(const struct etl_column *column);
	/* Optional: takes a published run back, all of it or nothing: afterwards the target is as it was before. Called
	 * without begin. SEAL is what `seal` gave for the run, or "". Refuses, with ETL_USAGE and a sentence, when what
	 * it would need was not kept (naming the key of the pipeline that keeps it: keep_old, undo) and, with ETL_FATAL,
	 * when what it would touch was changed since. Idempotent: a run that was taken back already is no failure. */
	int (*revert)(struct etl_instance *, const char *run, const struct etl_token *seal,
		      struct etl_error *err);
	/* Optional: mark and since, together, for ETL_RESUMABLE: where the work in a staging place stands.
	 * The host takes a mark before each load of a split and each step, on the instance that does it. `log` says why
	 * something is not sure.
	 *
	 * With ETL_IN_ORDER there is one sequence of work. A process that takes the staging place up asks `since` with
	 * the last mark: *ret is 0 when nothing was done after it, 1 when exactly the one unit of work that followed it
	 * is there as a whole, ETL_UNKNOWN when neither is sure (the place lost something, what it rests on changed, …):
	 * then the host makes it anew.
	 *
	 * Without it several instances work at once, and a mark belongs to the next load or apply of its own instance
	 * alone, until the next mark there. That the unit was done is written down by the transaction that did it.
	 * `since`, on any instance and in any process, says of that unit alone: 1 it is there as a whole, 0 nothing of it
	 * is (it failed, was never begun, or will never end: a transaction whose connection was lost must be
	 * over), ETL_UNKNOWN the staging place is gone or was changed. STAGE is the token of the load it is about.
	 * The host also asks in the same run, when the answer to a load or a step was lost. */
	int (*mark)(struct etl_instance *, const struct etl_token *stage, struct etl_token *ret,
		    struct etl_error *err);
	int (*since)(struct etl_instance *, const struct etl_token *stage, const struct etl_token *mark,
		     int32_t *ret, struct etl_error *err);
	/* Optional: seal and sealed, together: seal does all of commit that can be done before the target changes, and
	 * says by what the published target will be known. The host keeps that, durably, before it calls commit.
	 * A commit of what is sealed already, maybe by another process, only publishes it. */
	int (*seal)(struct etl_instance *, const struct etl_commit *, struct etl_token *ret,
		    struct etl_error *err);
	/* *ret: 1 when the target is now what the commit of SEAL made of it, and 0 when it is not. Called
	 * without begin. */
	int (*sealed)(struct etl_instance *, const struct etl_token *seal, int32_t *ret,
		      struct etl_error *err);
	/* Since 1.2. Optional, pure, before begin too: the schema into which the object goes, as begin, design and commit
	 * will have it and as describe calls it, whether it is there or not. Of a target with several schemas: the
	 * object of that schema is the one that the host takes for `existing`. The text lives as long as the instance and
	 * the table. NULL, as without it: there is one object of a name. */
	const char *(*place)(struct etl_instance *, const struct etl_table *);
	/* Since 1.2. Optional, pure: 1 when a column that this target makes of COLUMN has ETL_RESPELT. Default: 0. */
	int32_t (*respells)(const struct etl_column *column);
	/* Since 1.2. Optional: the validators of a pipeline into this target that says nothing of validators, as it would write
	 * them: "( { plugin = \"counts\"; } )". Those that are not installed are left out. */
	const char *validators;
	/* Since 1.2. Optional: the version of what the target holds, for `run --if-needed`, and of what a run of this pipeline
	 * makes, where an option says so; commit writes it down with the rows. Called before begin too; changes nothing.
	 * A target whose version is higher than the wanted one is not touched. */
	int (*version)(struct etl_instance *, struct etl_version *ret, struct etl_error *err);
	/* Since 1.2. Optional: keep and kept, together. STREAM has the columns number (int64), bytes (bytes) and words (text): a
	 * piece takes the place of the one with its number, keeps its words where it has none, and goes when bytes and words are
	 * both NULL. They are staged, as one
	 * more split of LOAD (PART says its index; the same again replaces it), and the commit that publishes LOAD
	 * writes them in its transaction. With ETL_RUN_UNDO revert puts back what was there before. With LOAD, TOKEN and PART
	 * NULL they are written at once, in a transaction of their own. STREAM stays the host's. */
	int (*keep)(struct etl_instance *, const struct etl_load *load, const struct etl_token *token,
		    const struct etl_part *part, const struct etl_keep *keep, struct ArrowArrayStream *stream,
		    struct etl_error *err);
	/* Emits the published pieces as one dataset that `read` takes, with the column `name` (text: the table's) before those
	 * three, in the order of name and number; or nothing, where none was ever kept. */
	int (*kept)(struct etl_instance *, const struct etl_keep *keep, struct etl_dataset_sink *sink,
		    struct etl_error *err);
	/* Since 1.2. Optional: compares, form and same, together, for `plan` and `check`: whether values of a key that the source
	 * tells apart are one here, as where a collation ignores case. Asked after `design`, of the columns of keys and unique
	 * indexes; they change nothing.
	 *
	 * compares: how values of COLUMN, one of load->table, are compared in the table that is made, or stays. *RET 0: by their
	 * bytes, and nothing is read for it. Else a number of the plugin's own, for `form`, and WORDS, which has room for SIZE
	 * bytes, says by what, for people ("the collation Latin1_General_CI_AS"). */
	int (*compares)(struct etl_instance *, const struct etl_load *load, const struct etl_column *column, int32_t *ret,
			char *words, size_t size, struct etl_error *err);
	/* Pure; by any thread: emits, in pieces, the form of one value (of text and json UTF-8, else the bytes) that is
	 * compared by COMPARES: some bytes. Values of one form are candidates for `same`; where nobody can be asked they may be
	 * one, people are told. So what is one here ought to have one form, as far as that can be told without asking. */
	int (*form)(int32_t compares, const void *value, size_t size, struct etl_form_sink *sink);
	/* Asks the target itself. ROWS has the column `group` (int64), then those of a key by their names in load->table. RET[i]
	 * becomes the first row of its group with which row i is one, i when it is the first such, two NULLs being one. *RET_ASKED
	 * 1: so it is; 0, RET untouched: there is nobody to ask, or no answer, which is no failure. */
	int (*same)(struct etl_instance *, const struct etl_load *load, const struct ArrowSchema *schema,
		    const struct ArrowArray *rows, int64_t *ret, int32_t *ret_asked, struct etl_error *err);
};

enum etl_repair_kind {
	ETL_REPAIR_BEGIN,       /* what comes before all others: settings, BEGIN; keys deferred where that can be */
	ETL_REPAIR_INSERT,      /* `after` is put in, with its identity values as they are */
	ETL_REPAIR_UPDATE,      /* the row that is `before` becomes `after`: `columns` are set */
	ETL_REPAIR_DELETE,      /* `before` goes */
	ETL_REPAIR_END          /* COMMIT */
};

/* Since 1.2. One piece of the SQL that makes two sides equal. */
struct etl_repair {
	int32_t kind;                   /* enum etl_repair_kind */
	int32_t reserved;
	const struct etl_table *table;  /* as `describe` emitted it; NULL: for begin and end */
	/* By which columns the row is found; none: by all of them, NULL being equal to NULL, and of equal rows any. */
	const char *const *key;
	size_t key_count;
	const struct ArrowSchema *schema;       /* of both batches: columns by their name in the table, maybe not all */
	const struct ArrowArray *before, *after;        /* batches that the rows stand in; NULL: none */
	int64_t before_row, after_row;  /* their indexes there */
	const int64_t *columns;         /* of an update: the indexes in the schema of those that differ */
	size_t column_count;
	uint64_t rows;                  /* how many such rows: more than 1 only without a key */
};
struct etl_sql_sink {
	int (*emit)(struct etl_sql_sink *self, const char *sql, size_t size);
};

/* A target with tables. `design` is pure: it looks at nothing but its arguments and the options. */
struct etl_schema {
	size_t size;
	/* Emits every step for one object, and a verdict for each part of it. */
	int (*design)(struct etl_instance *, const struct etl_table *, const struct etl_load *,
		      struct etl_step_sink *sink, struct etl_error *err);
	/* Carries out a step that design emitted, or the pipeline's own SQL (kind "sql"). A screen step
	 * emits the offending rows. Without ETL_IN_ORDER, and with max_instances other than 1, the finish steps of
	 * different loads come at the same time on several instances, those of one load in their order; steps
	 * whose kind begins with "foreign key" when all others of all loads are done. */
	int (*apply)(struct etl_instance *, const struct etl_load *, const struct etl_token *,
		     const struct etl_step *step, struct etl_found_sink *sink, struct etl_error *err);
	/* Since 1.2. Optional, pure: the SQL of one piece of a repair, as a person would give it to the store's own shell
	 * (sqlite3, psql): whole statements, each ended by a semicolon and a newline. It is exact: run, it makes every
	 * value what it is in the row to its last bit, and what it cannot say so (a NUL in a text) it refuses with ETL_DATA,
	 * naming table, column and key. It is about exactly one row, or as many as `rows` says, and nothing else. */
	int (*repair)(struct etl_instance *, const struct etl_repair *repair, struct etl_sql_sink *sink,
		      struct etl_error *err);
	/* Since 1.2. Optional. The tables that DDL of the target's own makes, which an option of the plugin names: rows
	 * come in their shape, by their names. Changes nothing that stays; emits nothing without the option. */
	int (*given)(struct etl_instance *, struct etl_table_sink *sink, struct etl_error *err);
};

/* ---- Transforms and validators ---------------------------------------------------------------------- */

enum etl_rows { ETL_ROWS_SAME /* 1:1 */, ETL_ROWS_FEWER /* 1:0..1 */, ETL_ROWS_ANY /* n:m */ };
enum etl_transform_flags { ETL_REPEATS = 1 << 0 /* the same rows in, the same rows out, every time */ };

struct etl_wrap {
	const struct etl_table *in;     /* the shape of the rows that come */
	const struct etl_table *out;    /* as derive said; in, when there is no derive */
	struct etl_context *context;    /* for reject and count */
};

struct etl_transform {
	size_t size;
	uint32_t flags;                 /* enum etl_transform_flags */
	int32_t rows;                   /* enum etl_rows */
	/* OUT pulls from IN. On success IN is moved into OUT (its release set to NULL) and OUT's release
	 * releases it; on failure it is untouched. ERR lives until OUT is released. */
	int (*wrap)(struct etl_instance *, const struct etl_wrap *, struct ArrowArrayStream *in,
		    struct ArrowArrayStream *out, struct etl_error *err);
	/* Optional: what it does to the shape. Pure, on an instance of its own. Emits the one table that becomes
	 * of IN; anything else is refused in this release. */
	int (*derive)(struct etl_instance *, const struct etl_table *in, struct etl_table_sink *sink,
		      struct etl_error *err);
	/* Since 1.1. Optional. 1: this instance needs every row of its table in one stream, in the order in which
	 * they stand; the host then plans one split. 0: any split will do, as without it. Pure. */
	int (*whole)(struct etl_instance *);
	/* Since 1.2. Optional: emits the map of keys that it asks for the rows of IN, or nothing. Pure, on an instance of its own.
	 * The rows of a table come when those of the tables that own its `parents` are staged; where tables refer to
	 * themselves, or in a circle, the host reads them once more beforehand. */
	int (*maps)(struct etl_instance *, const struct etl_table *in, struct etl_map_sink *sink,
		    struct etl_error *err);
};

enum etl_severity { ETL_PASS, ETL_WARN, ETL_FAIL };

struct etl_finding {
	int32_t severity;       /* enum etl_severity */
	int32_t reserved;
	const char *extent;     /* how much was looked at: "counts", "full", "sample 10 %" */
	const char *code;       /* a stable word: "rows_differ", "row_missing", "row_extra", "row_changed";
	                         * "rows_differ" after any of those sums them up */
	const char *column;     /* or NULL */
	const char *key;        /* or NULL */
	const char *message;    /* a sentence */
	uint64_t rows;          /* how many rows it is about */
};
struct etl_finding_sink {
	int (*emit)(struct etl_finding_sink *self, const struct etl_finding *finding);
};

/* What a validator will ask of the source side, so that the host computes it while it loads. Closed. */
struct etl_needs {
	int32_t hash;           /* enum etl_hash; 0: no digest */
	uint32_t ppm;           /* of the rows by key hash; 1000000: all of them */
	uint64_t seed;
};

struct etl_reference_sink {
	/* REJECTS 1: rows that break it are taken out by the target's screen step; 0: `check` looks for them. */
	int (*emit)(struct etl_reference_sink *self, const struct etl_foreign_key *reference,
		    int32_t rejects);
};

enum etl_validator_flags {
	ETL_ADDS_UP = 1 << 0    /* since 1.2: asks peer_totals, so the host adds the source's rows up while it loads them */
};

/* One of wrap and check is required. With both, wrap sees the rows first, in other instances. */
struct etl_validator {
	size_t size;
	uint32_t flags;         /* enum etl_validator_flags */
	uint32_t reserved;
	/* Looks at rows on their way; as in etl_transform, without a change to the shape. */
	int (*wrap)(struct etl_instance *, const struct etl_wrap *, struct ArrowArrayStream *in,
		    struct ArrowArrayStream *out, struct etl_error *err);
	/* Compares what came out of the source (FROM) with what will be published (INTO), by upcalls only.
	 * Emits at least one finding; ETL_FAIL fails the table. */
	int (*check)(struct etl_instance *, struct etl_peer *from, struct etl_peer *into,
		     struct etl_finding_sink *sink, struct etl_error *err);
	/* Optional, with check. */
	int (*needs)(struct etl_instance *, struct etl_needs *ret, struct etl_error *err);
	/* Since 1.1. Optional, with wrap: as in etl_transform. */
	int (*whole)(struct etl_instance *);
	/* Since 1.1. Optional. Looks at the shape of the rows, on an instance of its own, before any of them moves: refuses
	 * with ETL_USAGE what it cannot do with such a table, and emits what its rows refer to. Pure. */
	int (*inspect)(struct etl_instance *, const struct etl_table *table,
		       struct etl_reference_sink *sink, struct etl_error *err);
};

/* ---- The plugin ------------------------------------------------------------------------------------- */

/* Constant: listing plugins connects to nothing and initialises no library. */
struct etl_plugin {
	uint32_t abi;                   /* ETL_ABI */
	uint32_t flags;                 /* none yet */
	size_t size;                    /* sizeof(struct etl_plugin) */
	size_t option_size;             /* sizeof(struct etl_option) */
	const char *name;               /* [a-z][a-z0-9_]*, the file's name too */
	const char *version;
	const char *summary;            /* a line for `etlrun plugins` */
	const char *license;            /* SPDX */
	const char *schemes;            /* further URI schemes, "postgresql|pgsql", or NULL */
	const struct etl_option *options;
	/* Checks options and allocates; connects to nothing: the first other call does. CONF lives until
	 * close, and is NULL for a plugin without options. */
	int (*open)(const struct etl_host *host, const struct etl_conf *conf, struct etl_instance **ret,
		    struct etl_error *err);
	void (*close)(struct etl_instance *);   /* accepts NULL */
	/* Optional; from any thread, and more than once: the call under way ends soon. */
	void (*cancel)(struct etl_instance *);
	/* Not NULL: the role is offered. */
	const struct etl_store *store;
	const struct etl_source *source;        /* needs store */
	const struct etl_target *target;        /* needs store */
	const struct etl_schema *schema;        /* needs target */
	const struct etl_transform *transform;
	const struct etl_validator *validator;
};

/* The one exported function. `plugin` is the plugin's constant struct etl_plugin; NAME its name. The
 * same macro serves shared objects and plugins linked into the program. */
#define ETL_PLUGIN(NAME, plugin)                                          \
	ETL_EXPORT const struct etl_plugin *NAME##_LTX_etl_plugin(void);  \
	const struct etl_plugin *NAME##_LTX_etl_plugin(void)              \
	{                                                                 \
		return &(plugin);                                         \
	}

#ifdef __cplusplus
}
#endif

#endif
