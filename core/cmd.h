/*
 * A verb: one file each (cmd-NAME.c), ending in its constant table entry, from which the usage
 * text, the option parsing and the shell completion come.
 */
#ifndef CORE_CMD_H
#define CORE_CMD_H

#include <stdio.h>

#include "job.h"
#include "pipeline.h"

/* Options of the command line beyond the common ones; a verb names those it takes. */
enum cli_takes {
	CLI_TABLES = 1 << 0,  /* --tables a,b */
	CLI_LIMIT = 1 << 1,   /* --limit N */
	CLI_PARTS = 1 << 2,   /* --schema-only, --data-only */
	CLI_DRY_RUN = 1 << 3, /* --dry-run */
	CLI_SUMMARY = 1 << 4, /* --summary FILE */
	CLI_OUTPUT = 1 << 5,  /* -o, --output FILE */
	CLI_PLUGINS = 1 << 6, /* --man, --probe */
	CLI_WATCH = 1 << 7,   /* --watch, --interval N */
	CLI_FILE = 1 << 8,    /* one pipeline file */
	CLI_URIS = 1 << 9,    /* two URIs */
	CLI_JSON = 1 << 10,   /* --json */
	CLI_DIFF = 1 << 11,   /* --format FORMAT, --sql, --undo FILE, --save FILE */
	CLI_NEEDED = 1 << 12, /* --if-needed */
	CLI_RECORD = 1 << 14, /* --format FORMAT */
	CLI_CONFLICTS = 1 << 16, /* --take END, --all, --table T, --format FORMAT */
	CLI_FROM = 1 << 15,   /* --from FILE */
	CLI_LOGS = 1 << 13    /* --follow, --level L, --table T, --tail N, --format FORMAT; no log of its own */
};

struct cli {
	const struct verb *verb;
	const char *const *words; /* what is no option */
	size_t word_count;
	struct overlay overlay;
	struct run_options run;
	const char *resume; /* the run that goes on, "" for the last one; NULL: a new run */
	const char *summary, *output;
	bool dry_run, if_needed, man, probe;
	bool json_lines; /* --json */
	bool as_json, sql; /* --format json */
	bool watch;
	int64_t interval; /* seconds; 0: not said */
	bool follow, tail_all;
	int64_t tail;	    /* 0: not said */
	int32_t logs_level; /* --level, enum etl_log_level; -1: not said */
	const char *table;  /* --table, or NULL */
	const char *undo, *save;
	const char *take; /* --take: "source", "target", or NULL */
	bool all;
	bool no_progress, json;
	int32_t level;	   /* of the screen, enum etl_log_level */
	const char *const *typed; /* everything behind the verb; the array is owned */
	size_t typed_count;
	const char **sets; /* overlay.sets, owned */
	struct replay *replay; /* of `rejects replay`, set by the verb; or NULL */
};

struct verb {
	const char *name, *words, *summary;
	uint32_t takes; /* enum cli_takes */
	size_t min_words, max_words;
	bool looks; /* at what runs made: it begins none and shows none */
	int (*run)(const struct cli *,
		   struct etl_error *); /* the exit code, or negative with the error set */
};

extern const struct verb verb_run, verb_copy, verb_check, verb_plan, verb_discover, verb_analyze, verb_diff, verb_check_record, verb_conflicts, verb_validate,
	verb_status, verb_logs, verb_cancel, verb_pause, verb_resume, verb_rollback, verb_rejects, verb_plugins;
/* In the order of the usage text; ends with NULL. */
extern const struct verb *const verbs[];

/* cli.c. Parses argv after the verb's name; ETL_USAGE with the sentence to show. --help and
 * --version print and set *ret_done. */
int cli_parse(int argc, char **argv, const struct verb *, struct cli *, bool *ret_done,
	      struct etl_error *);
void cli_free(struct cli *);
void cli_usage(const struct verb *, FILE *); /* verb NULL: of the program */
/* Opens the pipeline a verb was given: a file, or two URIs; and the log it asks for. */
int cli_pipeline(const struct cli *, struct pipeline **ret, struct etl_error *);
/* What follows when a verb reads its pipeline in a way of its own; RC is what that gave. */
int cli_opened(const struct cli *, int rc, struct pipeline **ret, struct etl_error *);

#endif
