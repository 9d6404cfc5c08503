/*
 * A plugin in words: what its tables promise and what its options take, for `etlrun plugins NAME`
 * and for its manual page.
 */
#ifndef CORE_PLUGIN_TEXT_H
#define CORE_PLUGIN_TEXT_H

#include <stdio.h>

#include "registry.h"

/* "source, target" */
void plugin_roles(const struct plugin *, char *buf, size_t size);
/* Calls LINE for each thing it can or cannot do, as a sentence without its full stop. ROLE is the
 * role it is about. */
void plugin_promises(const struct plugin *,
		     void (*line)(const char *role, const char *text, void *), void *data);
/* "text", "size", "keep|delete|wal" of a choice; from BUF or constant. */
const char *plugin_option_type(const struct etl_option *, char *buf, size_t size);
/* "source", "target; in a table", or "" when it may stand in the plugin's group at both ends. */
void plugin_option_scope(const struct etl_option *, char *buf, size_t size);

/* `etlrun plugins NAME --man [FRAGMENT]`: a page in man(7). FRAGMENT, or NULL, is a file that goes
 * in as it is, after the synopsis. */
int plugin_man(const struct plugin *, const char *fragment, FILE *out, struct etl_error *);
/* `etlrun plugins --probe`: loads NAME in a process of its own. *ret_why is NULL when it can be
 * loaded, else the reason, which the caller frees. */
int plugin_probe(const char *name, char **ret_why, struct etl_error *);

#endif
