/*
 * What lies over the pipeline file: `--profile NAME` and `--set a.b.c=value`. The result is one
 * libconfig tree in which every setting still knows who said it, so that a message can name the
 * place.
 */
#ifndef CORE_LAYER_H
#define CORE_LAYER_H

#include <libconfig.h>

#include "error.h"
#include "scan.h"

/* Where a setting was said: "shop.cfg:12", "shop.cfg:40 (profile prod)" or "--set target.schema";
 * BUF. */
const char *setting_origin(const config_setting_t *, char *buf, size_t size);

/* Parses a scanned text into CONFIG (initialised here) and gives every setting its origin. On
 * failure CONFIG needs no config_destroy. */
int layer_parse(config_t *config, const struct scan *, struct etl_error *);
/* Lays the group profiles.NAME over the top level: groups merge, everything else replaces. */
int layer_profile(config_t *, const char *name, struct etl_error *);
/* Lays one "path=value" over it; groups on the way are made. `[3]` in a path is an entry that is
 * there. A value that is not libconfig syntax, a number or true and false are taken as text. */
int layer_set(config_t *, const char *assignment, struct etl_error *);
/* A text of its own over the top level, as layer_set does it; ORIGIN is what messages call it. */
int layer_set_text(config_t *, const char *group, const char *key, const char *value,
		   const char *origin, struct etl_error *);

#endif
