/*
 * What lies over the pipeline file: `--profile NAME` and `--set a.b.c=value`. The result is one libconfig
 * tree in which every setting still knows who said it, so that a message can name the place.
 */
#ifndef CORE_LAYER_H
#define CORE_LAYER_H

#include <libconfig.h>

#include "error.h"

/* Where a setting was said: "shop.cfg:12", "--set target.schema" or "profile prod"; BUF. */
const char *setting_origin(const config_setting_t *, char *buf, size_t size);

/* Lays the group profiles.NAME over the top level: groups merge, everything else replaces. */
int layer_profile(config_t *, const char *name, struct etl_error *);
/* Lays one "path=value" over it; groups on the way are made. A path's `[3]` is an index that is there. */
int layer_set(config_t *, const char *assignment, struct etl_error *);

#endif
