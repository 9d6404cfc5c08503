/*
 * What the files of the transform `mask` share.
 */
#ifndef MASK_MASK_H
#define MASK_MASK_H

#include <etlrun/helpers.h>

#include <nettle/hmac.h>

#include "value.h"

#define MASK_KEY_LEAST 16 /* bytes of a key: 128 bits when they are random */
#define MASK_DIGEST    SHA256_DIGEST_SIZE

enum mask_method { MASK_REDACT, MASK_NULL, MASK_HASH, MASK_PARTIAL, MASK_PSEUDONYM };
enum mask_kind { KIND_NUMBER, KIND_CODE, KIND_NAME, KIND_EMAIL, KIND_UUID, KIND_DATE_SHIFT };

/* One group of options. Texts are the configuration's, which lives as long. */
struct mask_rule {
	const struct etl_conf *conf;
	int method; /* enum mask_method */
	int kind;   /* enum mask_kind, of a pseudonym */
	const char *text, *with, *mail_domain, *by, *domain;
	int64_t length; /* hexadecimal digits of a hash */
	int64_t first, last, days;
	bool masks_nulls;
	/* Keyed, and what it is for said: a copy takes the value and gives the digest. */
	struct hmac_sha256_ctx keyed;
};

struct etl_instance {
	const struct etl_host *host;
	const struct etl_conf *conf;
	struct mask_rule *rules;
	size_t rule_count;
	bool ignores_unmatched;
};

/* What happens to one column. */
struct mask_column {
	const char *name;
	size_t at; /* in the table */
	const struct mask_rule *rule;
	struct etl_type_info type; /* as the table declares it */
	bool named;		   /* by its name, not by a pattern */
};

struct mask_plan {
	struct mask_column *at;
	size_t count;
};

/* ---- plan.c ---- */

/* Which columns of the table are masked and how. ETL_USAGE, with the sentence: a name that is not there, two
 * rules for one column, a method that the column's type or key does not bear. */
int mask_plan_make(const struct etl_instance *, const struct etl_table *, struct mask_plan *ret,
		   struct etl_error *);
void mask_plan_free(struct mask_plan *);

/* ---- secret.c ---- */

/* Absorbs the key and what the digests are for. */
void mask_key_set(struct mask_rule *, const char *key);
/* The digest of a value under the rule's key; ROUND tells uses of the same bytes apart. */
void mask_digest(const struct mask_rule *, uint8_t round, const void *bytes, size_t size,
		 uint8_t ret[MASK_DIGEST]);

/* ---- permute.c ---- */

/* A bijection over texts of one shape: digits become digits, and with letters also a-z and A-Z letters of
 * their case; every other byte stays. False: nothing in it changes, or no memory (*ret_failed). */
bool mask_permute_text(const struct mask_rule *, char *text, size_t size, bool letters,
		       bool *ret_failed);
/* A bijection over the integers of one sign and one number of digits up to MOST. False: beyond MOST. */
bool mask_permute_int(const struct mask_rule *, int64_t v, int64_t most, int64_t *ret);

/* ---- make.c ---- */

/* Appends the masked value to TO. NULL, or the code of a reject as etl_convert has it; then nothing was
 * appended. BY: the column that chooses a date's shift, or NULL. */
const char *mask_value(const struct mask_column *, struct etl_column_builder *to,
		       const struct etl_column_view *from, const struct etl_column_view *by,
		       int64_t row);
/* NULL: `text` can stand in a column of that type; else why not, as etl_convert says it. */
const char *mask_text_misfit(const char *text, struct etl_type_info type);

/* ---- wrap.c ---- */

int mask_wrap(struct etl_instance *, const struct etl_wrap *, struct ArrowArrayStream *in,
	      struct ArrowArrayStream *out, struct etl_error *);

#endif
