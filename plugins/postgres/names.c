/*
 * Identifiers that fit: the server cuts off what goes beyond 63 bytes without a word, and two names that begin
 * alike become one. Here a long name keeps its beginning and gets a tag made of the whole of it.
 */
#include "config.h"

#include <stdio.h>

#include "postgres.h"

#define TAG 9 /* bytes: "_" and eight hexadecimal digits */

/* FNV-1a: the tag must be the same in every run and on every machine. */
static uint32_t hash(const char *name)
{
	uint32_t h = UINT32_C(2166136261);

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * UINT32_C(16777619);
	return h;
}

const char *postgres_short_name(const char *name, char *buf)
{
	size_t keep = POSTGRES_NAME_MAX - TAG;

	if (strlen(name) <= POSTGRES_NAME_MAX)
		return name;
	/* Not in the middle of a character. */
	while (keep > 0 && ((unsigned char)name[keep] & 0xc0) == 0x80)
		keep--;
	memcpy(buf, name, keep);
	snprintf(buf + keep, TAG + 1, "_%08x", hash(name));
	return buf;
}

const char *postgres_target_schema(const struct etl_instance *inst, const struct etl_table *table)
{
	const char *given = inst->conf ? inst->host->str(inst->conf, "schema") : NULL;

	if (given && *given)
		return given;
	return table->schema && table->dialect && strcmp(table->dialect, "postgresql") == 0 ?
		       table->schema :
		       "public";
}

const char *postgres_place(struct etl_instance *inst, const struct etl_table *table)
{
	return postgres_target_schema(inst, table);
}
