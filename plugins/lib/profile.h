/* For sources whose types belong to values: adds one value to what is known of its column (etl_source.profile). */
#ifndef LIB_PROFILE_H
#define LIB_PROFILE_H

#include <etlrun/helpers.h>

/* Each counts a row. */
void etl_profile_null(struct etl_profile *);
void etl_profile_integer(struct etl_profile *, int64_t v);
void etl_profile_real(struct etl_profile *, double v);
/* Bytes that are no UTF-8 are counted as such. */
void etl_profile_text(struct etl_profile *, const char *text, size_t size);
void etl_profile_blob(struct etl_profile *, int64_t size);

#endif
