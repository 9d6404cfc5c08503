/*
 * The SQL of a repair, as far as every dialect writes it alike: INSERT, UPDATE and DELETE of one row, a transaction around them,
 * and the refusal of a value that has no constant. What differs, a plugin says.
 */
#ifndef ETLRUN_REPAIR_SQL_H
#define ETLRUN_REPAIR_SQL_H

#include <etlrun/helpers.h>

/* One statement on its way. */
struct etl_repairing {
	struct etl_instance *inst;
	const struct etl_host *host;
	const struct etl_repair *ask;
	struct etl_view *before, *after;
	struct etl_text sql;
	struct etl_error *err;
};

/* Columns are indexes in ask->schema. What returns int returns 0 or a negative enum etl_status that was told. */
struct etl_repair_words {
	const char *begin, *end; /* of the whole */
	const char *overriding;	 /* of an INSERT, before VALUES; or "" */
	void (*add_table)(struct etl_repairing *);
	void (*add_name)(struct etl_repairing *, int64_t column);
	int (*add_value)(struct etl_repairing *, const struct etl_view *, int64_t column, int64_t row);
	/* The column has the value of the row before; KEY: as an index finds it. */
	int (*add_condition)(struct etl_repairing *, int64_t column, bool key);
	/* DELETE of rows without a key, up to the semicolon. */
	int (*add_delete_whole)(struct etl_repairing *);
	/* Statements before and BEHIND one, each a line; NULL: there are none. */
	int (*around_insert)(struct etl_repairing *, bool behind);
	int (*around_update)(struct etl_repairing *, bool behind);
};

/* The statement that is asked for, to the sink. */
int etl_repair_write(struct etl_instance *, const struct etl_host *, const struct etl_repair_words *, const struct etl_repair *,
		     struct etl_sql_sink *, struct etl_error *);

/* ---- Parts */
const char *etl_repair_name(const struct etl_repairing *, int64_t column);
/* As the table describes it; NULL: it does not. */
const struct etl_column *etl_repair_column(const struct etl_repairing *, int64_t column);
/* Begins its declared type so? The case of letters is nothing. */
bool etl_repair_is_declared(const struct etl_repairing *, int64_t column, const char *begins);
/* " WHERE …" by every column of the row before. */
int etl_repair_add_whole_row(struct etl_repairing *, const struct etl_repair_words *);
/* V, which is finite, as M × 2^E by factors that are exact; REAL is the type of such numbers, and POINT makes one of digits. */
void etl_repair_add_factors(struct etl_text *, double v, const char *real, const char *point);
/* Fails: the value cannot be written, and WHY. */
int etl_repair_refuse(struct etl_repairing *, const struct etl_view *, int64_t column, int64_t row, const char *why);

#endif
