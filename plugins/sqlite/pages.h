/*
 * B-trees of an SQLite file that are written from the bottom up, by its documented format (fileformat2.html), instead
 * of row by row through SQL. Only in the staging file, and only pages behind its end are written: nothing that is
 * there is touched. The header's count of pages then takes them in, and one transaction of SQLite's own makes the
 * schema name the new roots. Until that is committed the file is as it was: since (known.c) takes the pages back.
 *
 * Whatever is not plainly within what these files know goes SQLite's own way: PAGES_PASS.
 */
#ifndef SQLITE_PAGES_H
#define SQLITE_PAGES_H

#include "stage.h"

enum pages_outcome {
	PAGES_DONE = 0,
	PAGES_PASS = 1 /* nothing was changed: it is to be done SQLite's way */
};

/* ---- pages-record.c: values and records ---- */

enum page_kind { PAGE_NULL, PAGE_INT, PAGE_REAL, PAGE_TEXT, PAGE_BLOB };

struct page_value {
	enum page_kind kind;
	int64_t integer;
	double real;
	const uint8_t *bytes; /* of a text or blob, not owned */
	size_t size;
};

/* What a column makes of the values it is given; datatype3.html, 3.1. affinity.c */
enum page_affinity { PAGE_KEEPS, PAGE_TEXTS, PAGE_NUMBERS, PAGE_REALS };
enum page_affinity page_affinity(const char *declared);

/* bind.c: the value as it is bound; texts and blobs are not copied. NULL: done; else a constant word why it cannot be
 * stored. */
const char *page_value_of(const struct etl_column_view *, int64_t row, char *scratch, struct page_value *ret);
/* NULL, "too_big" or "no_memory". */
const char *sqlite_bind_value(sqlite3_stmt *, int column, const struct page_value *);
/* affinity.c: as page_value_of, but a decimal or json that a column of numbers would change is refused. */
const char *page_value_exact(const struct etl_column_view *, int64_t row, char *scratch, enum sqlite_affinity,
			     struct page_value *ret);

#define PAGE_VARINT   9	 /* the most bytes of a varint */
#define PAGE_INT_TEXT 24 /* bytes that an integer as text takes, at most */

size_t page_varint_put(uint8_t *to, uint64_t v);
size_t page_varint_long(const uint8_t *at, const uint8_t *end, uint64_t *ret);
/* How many bytes it has; 0: it goes beyond END. */
static inline size_t page_varint_get(const uint8_t *at, const uint8_t *end, uint64_t *ret)
{
	if (at < end && at[0] < 0x80) {
		*ret = at[0];
		return 1;
	}
	return page_varint_long(at, end, ret);
}
size_t page_varint_size(uint64_t v);
/* The bytes of the number that a record begins with, which counts itself and TYPES bytes of serial types. */
size_t page_head_size(size_t types);
static inline uint32_t page_get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static inline void page_put32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}
static inline uint32_t page_get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}
static inline void page_put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* Makes of the value what a column of that affinity keeps. SCRATCH has PAGE_INT_TEXT bytes and lives as long as the
 * value. False: only SQLite can tell. */
bool page_value_keep(struct page_value *, enum page_affinity, char *scratch);
/* The serial type with the fewest bytes, and how many bytes the value has then. */
uint64_t page_serial(const struct page_value *);
extern const uint8_t page_number_sizes[12];
static inline uint64_t page_serial_size(uint64_t serial)
{
	return serial < 12 ? page_number_sizes[serial] : (serial - 12) / 2;
}
/* An integer or real as SERIAL says; the number of bytes. */
size_t page_number_put(uint8_t *to, const struct page_value *, uint64_t serial);
/* The value of SERIAL at AT. */
void page_value_get(uint64_t serial, const uint8_t *at, struct page_value *ret);

/* ---- pages-file.c: pages behind the end of the file ---- */

struct page_file {
	sqlite3 *db;
	sqlite3_file *file;
	uint32_t page_size;
	uint32_t count, counter; /* pages, and changes, by the header, before */
	uint32_t next;	/* the page that is appended next */
	uint32_t written; /* pages that are in the file, those in the buffer not counted */
	uint8_t *buffer;
	size_t used, room;
	int fd;	  /* of the file, to be read by another thread than the one that writes; else -1 */
	int code; /* the first of SQLite's codes that is no SQLITE_OK; then nothing more is written */
};

/* The number of the page that holds the lock bytes, which no b-tree uses. */
static inline uint32_t page_lock(uint32_t page_size)
{
	return UINT32_C(0x40000000) / page_size + 1;
}
static inline uint32_t page_after(uint32_t page, uint32_t page_size)
{
	return page + 1 == page_lock(page_size) ? page + 2 : page + 1;
}
/* PAGES_PASS: the file is not of the kind that is known here, or not in a state in which it can be written; or, with
 * `code`, it cannot be read. */
int page_file_open(struct page_file *, sqlite3 *);
/* For reading only: an empty buffer. */
int page_file_look(struct page_file *, sqlite3 *);
/* The number it gets, or 0. */
uint32_t page_append(struct page_file *, const uint8_t *page);
/* Writes what is in the buffer; then the header counts all pages, if it is as it was. False: `code`. */
bool page_file_count(struct page_file *);
void page_file_close(struct page_file *);
/* The header says COUNT from here on, which is not more, and there the file ends. */
bool page_count_put(sqlite3 *, uint32_t count);

/* ---- pages-note.c: pages that are written in vain ---- */

/* page_file_count, noted beside the file until page_note_drop: then they are named, and that is committed. */
bool page_note_count(struct etl_instance *, struct page_file *);
void page_note_drop(struct etl_instance *);
/* No transaction is open: what was appended and is not named goes. What cannot go now is owed. */
void page_note_take_back(struct etl_instance *);
/* What is owed goes before anything else is done with the file. */
int page_note_settle(struct etl_instance *, struct etl_error *);

/* ---- pages-tree.c: a b-tree, its entries coming in their order ---- */

#define PAGE_LEVELS 20

struct page_level {
	uint8_t *page;
	uint32_t cells, content, last; /* content: where cells begin; last: bytes of the last one */
};

struct page_tree {
	struct page_file *file;
	bool index;
	bool failed; /* no memory, or file->code says what */
	size_t height;
	struct page_level levels[PAGE_LEVELS];
	int64_t rowid; /* the last */
};

/* A part of a record. */
struct page_piece {
	const uint8_t *at;
	size_t size;
};

void page_tree_begin(struct page_tree *, struct page_file *, bool index);
/* A row of a table; false: failed. */
bool page_tree_row(struct page_tree *, int64_t rowid, const struct page_piece *, size_t count, uint64_t size);
/* An entry of an index. */
bool page_tree_entry(struct page_tree *, const struct page_piece *, size_t count, uint64_t size);
/* Writes the rest; the root, or 0. */
uint32_t page_tree_end(struct page_tree *);
void page_tree_free(struct page_tree *);

/* ---- pages-scan.c: the rows of a table in the order of their rowids ---- */

struct page_scan;
/* NULL: no memory. */
struct page_scan *page_scan_new(const struct page_file *, uint32_t root);
enum page_step { PAGE_ROW, PAGE_END, PAGE_FAILED };
enum page_step page_scan_next(struct page_scan *, int64_t *ret_rowid);
/* The values of the columns at PLACES (ascending; the place in the record), valid until the next row. False: they are not
 * all there. */
bool page_scan_values(struct page_scan *, const uint32_t *places, size_t count, struct page_value *ret);
/* After PAGE_FAILED, or values that are not there: SQLite's code, or SQLITE_OK: it could be read, and is not as expected. */
int page_scan_code(const struct page_scan *);
void page_scan_free(struct page_scan *);
/* About how many bytes the rows of a table have, what overflows not counted; UINT64_MAX: many. False: `code`, or it is not as
 * expected. */
bool page_scan_size(struct page_file *, uint32_t root, uint64_t *ret);

/* ---- pages-keys.c: the keys of rows, the rows of equal keys together ---- */

struct page_keys;
#define PAGE_NO_KEY UINT32_MAX

/* LIMIT: the most bytes of memory. NULL: no memory. */
struct page_keys *page_keys_new(size_t limit);
void page_keys_free(struct page_keys *);
/* Begins a key; its values follow; then page_keys_row says which row has it. Rows come in the order of their rowids. */
void page_keys_begin(struct page_keys *);
/* False: such values are not ordered here. */
bool page_keys_value(struct page_keys *, const struct page_value *, bool descending);
/* The key that was begun, if it is there already, or PAGE_NO_KEY. */
uint32_t page_keys_find(struct page_keys *);
/* False: no memory within the limit. *RET_NEW: the key is the first of its kind. */
bool page_keys_row(struct page_keys *, int64_t rowid, bool *ret_new);
/* The key alone, without a row. False as above. */
bool page_keys_add(struct page_keys *);
/* Takes back what the last page_keys_row did. */
void page_keys_unrow(struct page_keys *);
uint64_t page_keys_rows(const struct page_keys *);
/* All rows are there. False: no memory. */
bool page_keys_sort(struct page_keys *);
/* Sorts unless it is done, and writes the entries to the tree. False: the tree failed, or no memory. */
bool page_keys_write(struct page_keys *, size_t columns, const bool *descending, struct page_tree *);

/* ---- pages-schema.c: what the schema says of tables and indexes, and naming the new roots in it ---- */

#define PAGE_ROWID UINT32_MAX /* in place of a column: the rowid */

struct page_index {
	char *name;
	bool known; /* of a kind that can be written here */
	bool unique, partial;
	uint32_t *columns; /* their places in the record, or PAGE_ROWID */
	bool *descending;
	size_t count;
	char *only; /* a partial index: rows in which the column at only_place is this text; NULL: all */
	uint32_t only_place;
};
struct page_column {
	char *name;
	enum page_affinity affinity;
	bool not_null, has_default;
};
struct page_table {
	char *name, *sql; /* as the schema has them */
	uint32_t root;
	size_t column_count;
	int64_t alias; /* the column that is the rowid; -1: none */
	struct page_column *columns;
	struct page_index *indexes;
	size_t index_count;
};
void page_table_free(struct page_table *);
/* Looks at a table of DB; *RET_PASS: it is of a kind that is not known here. */
int page_table_look(struct etl_instance *, sqlite3 *db, const char *name, struct page_table *ret, bool *ret_pass,
		    struct etl_error *);
/* The number of a column, or -1. */
int64_t page_table_column(const struct page_table *, const char *name);
/* The table with the one index that SQL makes, in a database of its own; what SQLite would write into the schema is
 * *RET_SQL, to be freed. */
int page_index_look(struct etl_instance *, const char *table_sql, const char *name, const char *sql,
		    struct page_table *ret, char **ret_sql, bool *ret_pass, struct etl_error *);
/* In a transaction: a row of the schema as SQL, with ?1 … bound to TEXTS and the next to ROOT. */
int page_schema_write(struct etl_instance *, sqlite3 *, const char *sql, const char *const *texts, size_t count,
		      int64_t root, struct etl_error *);
/* In a transaction: the schema may be written; and is read anew. */
int page_schema_unlock(struct etl_instance *, sqlite3 *, struct etl_error *);
int page_schema_lock(struct etl_instance *, sqlite3 *, struct etl_error *);

/* ---- pages-columns.c: some columns of a table as a key ---- */

struct page_columns {
	const uint32_t *columns; /* by their places in a record, or PAGE_ROWID */
	const bool *descending;	 /* or NULL: none is */
	size_t count;
	uint32_t *places; /* in a record's order */
	size_t place_count;
	struct page_value *values;
	size_t *value_of;
};
/* COLUMNS and DESCENDING stay the caller's. False: no memory. */
bool page_columns_open(struct page_columns *, const uint32_t *columns, const bool *descending, size_t count);
void page_columns_close(struct page_columns *);
/* The key of the row on which the scan stands is begun in KEYS. *RET_NULL: a part of it is NULL. */
bool page_columns_key(struct page_columns *, struct page_scan *, int64_t rowid, struct page_keys *, bool *ret_null);

/* ---- pages-few.c: rows of which it is not known yet whether there are enough for pages ---- */

struct page_few {
	uint8_t *bytes;
	size_t used, room;
};
/* Are rows of so many bytes enough? *LIMIT is 0 when it is asked for the first time. */
int page_few_enough(struct etl_instance *, uint64_t bytes, uint64_t *limit, bool *ret, struct etl_error *);
/* False: no memory. */
bool page_few_add(struct page_few *, int64_t rowid, const struct page_piece *, size_t count, uint64_t size);
/* All of them; false: the tree failed. */
bool page_few_write(const struct page_few *, struct page_tree *);
/* The same through SQLite, in a transaction. */
int page_few_insert(const struct page_few *, struct etl_instance *, const struct page_table *, struct etl_error *);
void page_few_free(struct page_few *);

/* ---- pages-load.c: the rows of a split, into a table that is empty ---- */

struct page_load;
/* *RET NULL: the table is not one whose pages are written here. FROM: the columns that come. */
int page_load_open(struct etl_instance *, const char *table, const struct ArrowSchema *from, struct page_load **ret,
		   struct etl_error *);
/* The values of a row, in the order of FROM. PAGES_PASS: it was not taken, and SQLite has to look at it. */
int page_load_row(struct page_load *, const struct page_value *values, int64_t *ret_rowid, struct etl_error *);
/* The rows so far: into the file, and in a transaction that is begun here and stays open, into the schema. */
int page_load_settle(struct page_load *, struct etl_error *);
/* NULL too. Without that transaction what is in the file goes. */
void page_load_close(struct page_load *, bool committed);

/* ---- pages-parents.c: rows whose parents are missing ---- */

struct page_orphan {
	int64_t rowid, key; /* key: the foreign key's number, as foreign_key_list gives it */
};
struct page_orphans {
	struct page_orphan *at;
	size_t count;
};
/* What PRAGMA foreign_key_check says of the table, in its order; to be freed. *RET_KNOWN false: it has to be asked. */
int page_orphans_find(struct etl_instance *, const char *table, struct page_orphans *ret, bool *ret_known,
		      struct etl_error *);

/* ---- pages-index.c ---- */

/* Does the staging file take pages at all? */
bool page_allowed(const struct etl_instance *);
/* Bytes that keys may take: those of all constraints while rows are loaded, and those of an index. */
size_t page_load_memory(const struct etl_instance *);
size_t page_memory(const struct etl_instance *);
/* Makes an index of the staged rows as a whole, in a transaction. *RET_DONE false: SQLite has to, and nothing was changed. */
int page_index_make(struct etl_instance *, const struct etl_load *, const char *name, const char *sql, bool *ret_done,
		    struct etl_error *);

/* An index that is being made. */
struct page_making {
	struct etl_instance *inst;
	struct page_table table; /* of the staging file */
	struct page_table made;	 /* with the index alone */
	char *sql;		 /* as the schema will have it */
	struct page_keys *keys;	 /* sorted, or NULL */
	struct page_file file;
	uint32_t root;
	struct etl_error *err;
};
/* Its table, and what it will be. *RET_PASS: it is not for us. */
int page_making_look(struct page_making *, const char *table, const char *name, const char *sql, bool *ret_pass);
/* Reads and sorts the keys: on any thread, if the file has a descriptor for it. False: SQLite has to make it. */
bool page_making_sort(struct page_making *, size_t memory);
void page_making_free(struct page_making *);

/* ---- pages-ahead.c: while one index is written, the keys of the next are sorted by another thread ---- */

/* Takes over the keys that were sorted ahead, if they are those of this index and nothing changed since. */
void page_ahead_take(struct etl_instance *, struct page_making *);
/* Begins with the index that comes after NAME, where that can be known. */
int page_ahead_start(struct etl_instance *, const struct etl_load *, const char *name, struct etl_error *);
/* What was changed so far changed no rows. */
void page_ahead_note(struct etl_instance *);
/* Ends it, whatever it does; also where there is none. */
void page_ahead_stop(struct sqlite_stage *);

#endif
