/*
 * Reading rows: the statement for a dataset (select.c), a value into a column (value.c), the stream (read.c).
 */
#ifndef SQLITE_READ_H
#define SQLITE_READ_H

#include "sqlite.h"

/* select.c */
/* The free name of the rowid of a true rowid table; NULL: it has none (view, WITHOUT ROWID, all taken). */
int select_rowid(struct etl_instance *, sqlite3 *, const struct etl_dataset *, const char **ret,
		 struct etl_error *);
/* The table or the query, as FROM takes it. */
void select_add_from(struct etl_text *, const struct etl_dataset *);
/* Is there room for the rowid after the wanted columns? Not in a table of as many columns as SQLite takes. */
bool select_shows_rowid(sqlite3 *, const struct etl_read *);
/*
 * Prepares the SELECT of the wanted columns and, when there is a rowid and room, the rowid after them. Everything is
 * bound but the keys: those are parameters 1 .. key_schema->n_children.
 */
int select_prepare(struct etl_instance *, sqlite3 *, const struct etl_read *,
		   const struct etl_split *, const char *rowid, sqlite3_stmt **ret,
		   struct etl_error *);
/* Binds one key, null-safe and by its type. False: no memory. */
bool select_bind_key(sqlite3_stmt *, int parameter, const struct etl_column_view *, int64_t row);

/* value.c: a value is the row's own (sqlite3_column_value), used by the thread of its connection only */
/* Puts the value into B, exactly, or says by a word why not (etl_convert's words). */
const char *value_put(struct etl_column_builder *b, sqlite3_value *);
/* Ask before anything else looks at the value, for that converts it: a text of a UTF-16 database that SQLite
 * would change on its way to UTF-8. */
bool value_is_torn(sqlite3_value *, bool little_endian);
/* Bytes of text or blob, 8 of a number; without converting it. */
int64_t value_size(sqlite3_value *);
/* The value as etl_text_add_json_exact writes it; a text or blob of more than LIMIT bytes as {"$size":N}. */
void value_add_json(struct etl_text *, sqlite3_value *, int64_t limit);
/* What it is and how it looks, shortened, for a sentence: text 'abc'. */
void value_add_words(struct etl_text *, sqlite3_value *);

#endif
