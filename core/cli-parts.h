/*
 * The parts of the command line: the table of options and those who read it.
 */
#ifndef ETLRUN_CORE_CLI_PARTS_H
#define ETLRUN_CORE_CLI_PARTS_H

#include "cmd.h"

/* How many options there may be at most; the table is held against it when it is compiled. */
enum { CLI_MOST_OPTIONS = 64 };

struct cli_option {
	const char *name;     /* without the dashes */
	char letter;	      /* or 0 */
	bool again;	      /* it may come twice: it adds up */
	uint32_t takes;	      /* the verbs that take it: enum cli_takes; 0: all */
	const char *argument; /* NULL: none */
	const char *help;
	int (*set)(struct cli *, const char *value, struct etl_error *); /* NULL: it makes FLAG true */
	size_t flag; /* of a bool in struct cli */
};

/* Ends with one that has no name. */
extern const struct cli_option cli_options[];

#endif
