/*
 * Bulk copy as two drivers offer it: FreeTDS by private attributes of a connection (its odbcss.h), Microsoft's by functions
 * that it exports. The numbers of the two differ, so each has a table of its own.
 */
#ifndef ODBC_BULK_H
#define ODBC_BULK_H

#include "load.h"

struct bulk_functions {
	const char *how; /* as the report calls it */
	bool utf16;	 /* texts are bound as UTF-16, else as UTF-8 */
	bool instants;	 /* a time with a zone may be bound as text */
	int64_t widest;	 /* bytes of a value on the wire; 0: any */
	int32_t text;	 /* the type that a text is bound as */
	/* False: what was said is with the connection. */
	bool (*begin)(struct etl_instance *, const char *table);
	bool (*hints)(struct etl_instance *, const char *hints);
	bool (*keep_identity)(struct etl_instance *);
	bool (*bind)(struct etl_instance *, void *at, int32_t type, int column);
	bool (*row)(struct etl_instance *);
	/* How many rows of it are in since the last time, or -1. */
	int64_t (*batch)(struct etl_instance *);
	int64_t (*done)(struct etl_instance *);
};

/* Types that both have, as their headers number them. */
enum { BULK_VARBINARY = 0x25, BULK_VARCHAR = 0x27, BULK_DATETIME2 = 0x2a, BULK_BIT = 0x32, BULK_FLT8 = 0x3e, BULK_INT8 = 0x7f,
       BULK_NVARCHAR = 0xe7 };

#define BULK_HINTS "KEEP_NULLS, CHECK_CONSTRAINTS"

/* bulk-api.c: what was said of the last of these */
void bulk_listen(struct etl_instance *, struct odbc_said *);
/* By the connection's driver, or NULL. */
const struct bulk_functions *bulk_functions_of(struct etl_instance *);

#endif
