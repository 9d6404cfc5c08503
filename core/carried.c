/* See carried.h. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "carried.h"
#include "reject.h"

void carried_add(struct carried *c, const char *how, uint64_t rows)
{
	size_t i = 0;

	while (i < c->count && strncmp(c->at[i].how, how, CARRIED_WORD - 1) != 0)
		i++;
	if (i == CARRIED_WAYS)
		i--;
	if (i == c->count) {
		snprintf(c->at[i].how, sizeof(c->at[i].how), "%s", how);
		c->at[i].rows = 0;
		c->count++;
	}
	c->at[i].rows += rows;
}

void carried_add_all(struct carried *c, const struct carried *more)
{
	for (size_t i = 0; i < more->count; i++)
		carried_add(c, more->at[i].how, more->at[i].rows);
}

void context_carried(struct etl_context *context, const char *how, uint64_t rows)
{
	carried_add(&context->carried, how, rows);
}
