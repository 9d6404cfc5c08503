/*
 * What the files of the validator `rules` share: a rule as it is written, and the tests that become of it for
 * one table.
 */
#ifndef RULES_RULES_H
#define RULES_RULES_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <etlrun/helpers.h>

#include "value.h"

enum rules_severity { RULES_REJECT, RULES_WARN, RULES_FAIL };
enum rules_kind {
	RULES_NOT_NULL,
	RULES_RANGE,
	RULES_LENGTH,
	RULES_REGEX,
	RULES_ONE_OF,
	RULES_UNIQUE,
	RULES_REFERENCES
};

/* One group of options. Texts are the configuration's, which lives as long. */
struct rules_rule {
	const struct etl_conf *conf; /* NULL: of the lists not_null and unique */
	const char *name;	     /* or NULL */
	int severity;		     /* enum rules_severity */
	const char **columns;
	size_t column_count;
	bool not_null, unique, nulls_equal;
	const char *min, *max;		/* or NULL */
	int64_t min_length, max_length; /* -1: none */
	const char *regex;
	pcre2_code *code;
	const char **words; /* one_of, in the order of their bytes; NULL: none */
	size_t word_count;
	const char *parent; /* references; NULL: none */
	const char **parent_columns;
	size_t parent_count; /* 0: the parent's primary key */
};

struct etl_instance {
	const struct etl_host *host;
	const struct etl_conf *conf;
	struct rules_rule *rules;
	size_t rule_count;
	bool ignores_unmatched;
	/* Of the regexes; one thread uses an instance. */
	pcre2_match_data *match;
	pcre2_match_context *limits;
};

/* ---- Bounds (bound.c) ---- */

enum bound_kind { BOUND_NUMBER, BOUND_MOMENT, BOUND_TIME, BOUND_TEXT };

/* A bound as its column's type reads it. */
struct rules_bound {
	int kind; /* enum bound_kind */
	const char *text;
	bool is_whole;
	int64_t whole; /* with is_whole */
	int64_t days, micros;
	bool timed; /* else the whole day */
};

/* False: TEXT is no value of that type, or the type has no order here. */
bool rules_bound_make(const char *text, int32_t type, struct rules_bound *ret);
/* How V stands to the bound: < 0, 0, > 0 in *RET. False: it cannot be compared, it is of another kind. */
bool rules_bound_compare(const struct value *v, const struct rules_bound *, int *ret);

/* ---- Tests (plan.c) ---- */

struct rules_test {
	int kind; /* enum rules_kind */
	const struct rules_rule *rule;
	size_t *columns; /* in the table */
	int64_t *at;	 /* beside them: in the rows (rules_plan_place) */
	size_t column_count;
	char *names;  /* "a", or "a, b" */
	int32_t type; /* of the first column, as the table declares it */
	bool has_min, has_max;
	struct rules_bound min, max;
};

struct rules_plan {
	struct rules_test *at;
	size_t count;
};

/* Everything the rules say about the table, those that look at other rows last. ETL_USAGE with the sentence
 * when a column is not there or a rule does not suit its type. */
int rules_plan_make(const struct etl_instance *, const struct etl_table *, struct rules_plan *ret,
		    struct etl_error *);
void rules_plan_free(struct rules_plan *);
const char *rules_code(int kind);
/* Finds the columns of the tests in rows of SCHEMA. */
int rules_plan_place(const struct etl_instance *, struct rules_plan *, const struct etl_table *,
		     const struct ArrowSchema *, struct etl_error *);

/* ---- One value (test.c) ---- */

/* Whether a value (not NULL) keeps a test of its own row: 1, 0 with the reason in WHY, or ETL_FAILED when a
 * regex gave up; the reason is then the failure's. */
int rules_test_value(const struct etl_instance *, const struct rules_test *, const struct value *v,
		     struct etl_text *why);
/* Whether the row keeps a test of its own: as rules_test_value, NULLs too. The reason names column and value. */
int rules_test_row(const struct etl_instance *, const struct rules_test *, const struct etl_view *,
		   int64_t row, struct etl_text *why);
/* The reason for a row whose values are there already, or are not there: WORDS. */
void rules_say_key(struct etl_text *why, const struct rules_test *, const struct etl_view *,
		   int64_t row, const char *words);

/* … the WORDS for a unique rule, and for a reference. */
const char *rules_earlier(const struct rules_test *);
const char *rules_missing(const struct rules_test *);

/* ---- Sets of keys (seen.c) ---- */

struct rules_seen;

/* A set of byte strings that needs no more than MEMORY bytes and a temporary file for the rest. NULL: no
 * memory. */
struct rules_seen *rules_seen_new(int64_t memory);
void rules_seen_free(struct rules_seen *);
/* 1: it is there; 0: not; ETL_FAILED: the temporary file failed, *ret_why says how. */
int rules_seen_has(struct rules_seen *, const void *key, size_t size, const char **ret_why);
/* Adds what is not there. 0, or as above. */
int rules_seen_add(struct rules_seen *, const void *key, size_t size, const char **ret_why);
uint64_t rules_seen_count(const struct rules_seen *);

/* ---- Keys (key.c) ---- */

/* A row's values in some columns as bytes that are equal when the values are. AS_NUMBER: a text that reads as
 * a number is one. 1: in KEY; 0: one of them is NULL and NULLs are not equal; ETL_FAILED: no memory. */
int rules_key(const struct etl_view *, const int64_t *columns, const bool *as_number, size_t count,
	      bool nulls_equal, int64_t row, struct etl_text *key);

/* ---- Operations ---- */

int rules_wrap(struct etl_instance *, const struct etl_wrap *, struct ArrowArrayStream *in,
	       struct ArrowArrayStream *out, struct etl_error *);
int rules_check(struct etl_instance *, struct etl_peer *from, struct etl_peer *into,
		struct etl_finding_sink *, struct etl_error *);

#endif
