/*
 * What the plugins' URIs have in common. Functions here hold nothing, and may be called by any thread.
 */
#ifndef LIB_URI_H
#define LIB_URI_H

#include <etlrun/helpers.h>

/* Behind what TO holds, with %41 as the character it stands for; TO has a text then, if only "". False: a % without two digits, or a NUL. */
bool etl_uri_decode(struct etl_text *to, const char *encoded, size_t size);
/* `copy` sets the options that its URI names; a URI in a file does not, and must not seem to: ETL_USAGE, in the name of PLUGIN. */
int etl_uri_check_query(const struct etl_host *, const struct etl_conf *, const char *plugin, const char *uri, struct etl_error *);

#endif
