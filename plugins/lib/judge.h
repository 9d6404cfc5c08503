/* A column of a store that does not keep to its declared types, beside what its values need. */
#ifndef LIB_JUDGE_H
#define LIB_JUDGE_H

#include <etlrun/helpers.h>

/* ETL_WIDENED, with a NOTE, where what was declared asks for something narrower than what the values need; else ETL_EXACT. */
int32_t etl_judge_declared(const struct etl_column *, struct etl_text *note);

#endif
