/*
 * What the files of the transform `keymap` share.
 */
#ifndef KEYMAP_KEYMAP_H
#define KEYMAP_KEYMAP_H

#include <etlrun/helpers.h>

#include <nettle/md5.h>
#include <nettle/sha1.h>

#include "arena.h"

#define KEYMAP_UUID 16 /* bytes */

enum keymap_method { KEYMAP_V5, KEYMAP_MD5 };
/* What a key becomes that no map has. */
enum keymap_new { KEYMAP_HASH, KEYMAP_UUID4, KEYMAP_UUID7, KEYMAP_NUMBER };

/* Texts are the configuration's, which lives as long. */
struct etl_instance {
	const struct etl_host *host;
	const struct etl_conf *conf;
	int method; /* enum keymap_method */
	uint8_t namespace[KEYMAP_UUID];
	const char *before,
		*after; /* what stands around {key} in `text`; BEFORE ends where {key} begins */
	size_t before_size;
	bool ignores_unmatched, follows;
	const char *map; /* the table in the target that keeps old and new keys; NULL: none does */
	int new;	 /* enum keymap_new */
};

/* The digest of what stands in front of every key of a table. A copy takes the key and gives the UUID. */
struct keymap_hash {
	int method;
	union {
		struct sha1_ctx sha1;
		struct md5_ctx md5;
	} of;
	const char *after;
	size_t after_size;
};

/* One column of UUIDs. */
struct keymap_made {
	const char *name;
	const char *table;     /* the name that is hashed */
	const size_t *columns; /* of the table, whose values are hashed, in this order */
	size_t count;
	const char *const *old; /* new names of these columns, or NULL */
	bool is_key, named;	/* named: by `references` */
	bool optional;		/* NULL stays NULL */
	bool lenient;		/* what refers to nobody, by the map, becomes NULL */
	struct keymap_hash hash;
};

/* One column of the output: FROM, as it comes, or MADE. */
struct keymap_column {
	const char *name;
	int64_t from; /* in the table; -1: made */
	size_t made;
};

struct keymap_plan {
	struct keymap_made *made;
	size_t made_count;
	struct keymap_column *out;
	size_t out_count;
	struct arena arena;
};

/* ---- keymap.c ---- */

/* The name that is hashed for a table as the catalog calls it, SCHEMA may be NULL: by `names`, else NAME itself. */
const char *keymap_name(const struct etl_instance *, const char *schema, const char *name);

/* The type of the new keys, enum etl_type. */
int32_t keymap_type(const struct etl_instance *);

/* ---- plan.c ---- */

/* Which columns become UUIDs and what all columns are called afterwards. ETL_USAGE, with the sentence: a name that is
 * not there, a column that would be two UUIDs at once, a type of which no key can be told. */
int keymap_plan_make(const struct etl_instance *, const struct etl_table *, struct keymap_plan *ret,
		     struct etl_error *);
void keymap_plan_free(struct keymap_plan *);
/* The UUID stands under the very name of this column of the table, whose own values are no longer there, or are there
 * under another name. */
bool keymap_in_place(const struct keymap_made *, const struct etl_table *, size_t column);
/* What the values of this column are called now; NULL: they go. */
const char *keymap_kept(const struct keymap_plan *, size_t column);

/* ---- derive.c ---- */

int keymap_derive(struct etl_instance *, const struct etl_table *in, struct etl_table_sink *,
		  struct etl_error *);

/* ---- make.c ---- */

/* False: no memory in ARENA. */
bool keymap_hash_begin(struct keymap_hash *, const struct etl_instance *, const char *table,
		       struct arena *);
/* VIEWS: those of the made column's values, in its order; none of them is NULL in ROW. NULL, or the code of a
 * reject, and then *RET_BAD is the index of the value it is about. */
const char *keymap_make(const struct keymap_made *, const struct etl_column_view *const *views,
			int64_t row, uint8_t ret[KEYMAP_UUID], size_t *ret_bad);
/* The same in two: the text of the key, behind what TEXT holds, and the UUID of such a text. */
const char *keymap_spell(const struct keymap_made *, const struct etl_column_view *const *views, int64_t row,
			 struct etl_text *text, size_t *ret_bad);
void keymap_make_of(const struct keymap_made *, const char *text, size_t size, uint8_t ret[KEYMAP_UUID]);

/* ---- map.c ---- */

/* Random bytes that were got and not used yet. Zero-initialised there are none. */
struct keymap_pool {
	uint8_t at[1024];
	size_t left;
};

int keymap_maps(struct etl_instance *, const struct etl_table *in, struct etl_map_sink *, struct etl_error *);
/* The new key of TEXT, by the map. 1; 0: it is a reference and nobody has that key; negative: the stream's error was told. */
int keymap_ask(const struct etl_instance *, struct etl_context *, const struct keymap_made *, const struct etl_text *text,
	       struct keymap_pool *, struct etl_mapped *ret, struct etl_error *);
/* What `map_columns` and the others say is possible. */
int keymap_map_check(struct etl_instance *, struct etl_error *);

/* ---- wrap.c ---- */

int keymap_wrap(struct etl_instance *, const struct etl_wrap *, struct ArrowArrayStream *in,
		struct ArrowArrayStream *out, struct etl_error *);

#endif
