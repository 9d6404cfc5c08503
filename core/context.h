/*
 * A stream of one table in one split: where its rejects go and its rows are counted. The host makes
 * one for each (table, split, side) and hands it to plugins as the opaque struct etl_context.
 */
#ifndef CORE_CONTEXT_H
#define CORE_CONTEXT_H

#include "error.h"

/* As host->reject and host->count: 0, or ETL_FAILED when this was one too many. */
int context_reject(struct etl_context *, const struct etl_reject *);
void context_count(struct etl_context *, int32_t what, uint64_t rows);
/* As host->carried. */
void context_carried(struct etl_context *, const char *how, uint64_t rows);
/* As host->noted. */
void context_noted(struct etl_context *, const char *code, const char *text, uint64_t how_many);
/* As host->map_key; maps-rows.c. */
int context_map_key(struct etl_context *, const struct etl_map_ask *, struct etl_mapped *ret);

#endif
