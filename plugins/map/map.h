/*
 * What the files of the transform `map` share.
 */
#ifndef MAP_MAP_H
#define MAP_MAP_H

#include <etlrun/helpers.h>

#include "derive.h"

enum map_misfit { MISFIT_REJECT, MISFIT_NULL, MISFIT_DEFAULT };

struct map_cast {
	const char *column; /* as the input calls it; or a constant */
	const char *type_text;
	struct etl_type_info type;
	int64_t length;
	int misfit;	      /* enum map_misfit */
	const char *fallback; /* with MISFIT_DEFAULT */
};

/* Texts are the configuration's, which lives as long. */
struct etl_instance {
	const struct etl_host *host;
	const struct etl_conf *conf;
	struct map_cast *casts;
	size_t cast_count;
};

/* A column of the output. */
struct map_column {
	const char *name;
	int64_t from; /* the input's index; -1: `value` */
	const char *value;
	const struct map_cast *cast; /* or NULL */
};

struct map_plan {
	struct map_column *at;
	size_t count;
};

/* Which columns say what becomes of a row, by their index in the input; -1: none does. */
struct map_verdict {
	int64_t filter, reject;
};

enum map_fate { MAP_STAYS, MAP_LEFT_OUT, MAP_REJECTED };

/* The columns of `filter` and `reject` among these names. */
struct map_verdict map_verdict_find(const struct etl_instance *, const char *const *names,
				    size_t count);
/* That both are there, and that a reason is a text. */
int map_verdict_check(const struct etl_instance *, const struct etl_table *, struct etl_error *);
enum map_fate map_verdict_of(const struct map_verdict *, const struct etl_view *, int64_t row);
/* Why a row is MAP_REJECTED. */
void map_verdict_reason(const struct map_verdict *, const struct etl_view *, int64_t row,
			struct etl_text *ret);

/* What becomes of input columns of these names, the ordinal column left out. Strict: an option that names a
 * column which is not among them is ETL_USAGE; otherwise it is passed over (a generated column is in the
 * table, but its values do not come). A name that two columns would have is always ETL_USAGE. */
int map_plan_make(const struct etl_instance *, const char *const *names, size_t count, bool strict,
		  struct map_plan *ret, struct etl_error *);
void map_plan_free(struct map_plan *);
/* The output's name of an input column; NULL: it is dropped. */
const char *map_plan_name(const struct map_plan *, int64_t from);

int map_derive(struct etl_instance *, const struct etl_table *in, struct etl_table_sink *,
	       struct etl_error *);
int map_wrap(struct etl_instance *, const struct etl_wrap *, struct ArrowArrayStream *in,
	     struct ArrowArrayStream *out, struct etl_error *);

#endif
