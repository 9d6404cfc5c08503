/*
 * The inside of struct etl_conf, for options.c that fills it and conf.c that answers from it.
 */
#ifndef CORE_CONF_H
#define CORE_CONF_H

#include "options.h"

/* One option's value; what is not of its kind is zero. */
struct conf_value {
	char *name;
	int32_t kind; /* enum etl_option_kind */
	bool given;   /* in the file, not by its default */
	char *text;
	int64_t number; /* also a flag */
	char **items;
	size_t item_count; /* of pairs: two for each */
	struct etl_conf **subs;
	size_t sub_count;
};

struct etl_conf {
	struct conf_value *at;
	size_t count;
};

#endif
