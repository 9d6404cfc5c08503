/* Dates and times of day as ISO 8601 writes them, read strictly: nothing impossible, nothing left over. */
#ifndef LIB_MOMENT_H
#define LIB_MOMENT_H

#include "spell.h"

struct moment {
	int64_t days;	   /* since 1970-01-01; 0 for a time alone */
	int64_t micros;	   /* since midnight, zone not applied */
	int64_t zone;	   /* seconds east of UTC */
	bool timed, zoned; /* which parts were there */
	bool finer;	   /* digits beyond microseconds that are not zero */
};

/* "2024-02-29", "2024-02-29 23:59:59.123456", with T, Z, +02:00. */
bool etl_moment_parse(struct moment *, const char *text, size_t size);
/* "23:59", "23:59:59.5"; "24:00" too, the end of the day (ISO 8601), which of a date is the next one's midnight. */
bool etl_moment_parse_time(struct moment *, const char *text, size_t size);

#endif
