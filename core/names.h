/*
 * How a table's or column's name is spelled in the target (`names` in the pipeline file).
 */
#ifndef CORE_NAMES_H
#define CORE_NAMES_H

#include "pipeline.h"

/* The name under the rule, for the caller to free. Only ASCII letters change case; every other
 * UTF-8 sequence stays as it is. ETL_FAILED: no memory, *ret is untouched. */
int name_transform(enum names_rule rule, const char *name, char **ret);

#endif
