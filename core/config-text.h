/*
 * A tree of settings as the text of a pipeline file: short groups on one line, as people write
 * them. libconfig's own config_write breaks every group into lines and writes `name :`.
 */
#ifndef CORE_CONFIG_TEXT_H
#define CORE_CONFIG_TEXT_H

#include <stdio.h>

#include <libconfig.h>

/* A text in quotes, with the escapes that libconfig reads. */
void config_text_quote(FILE *, const char *);
/* "name = value;" of one member of the top level, with its newline. */
void config_text_member(FILE *, const config_setting_t *);

#endif
