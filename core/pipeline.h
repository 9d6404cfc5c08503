/*
 * The pipeline file, read and checked: what PIPELINE.md promises, as a struct. Everything in it is
 * owned by it, every text is interpolated, every path absolute, every plugin loaded, every option
 * typed. Nothing has been opened yet.
 */
#ifndef CORE_PIPELINE_H
#define CORE_PIPELINE_H

#include "options.h"
#include "registry.h"

/* Where in the file something was said, for messages: "shop.cfg:12", "--set", "profile prod". */
struct origin {
	char *text;
};

struct string_list {
	char **at;
	size_t count;
};
/* In any ASCII case, as SQL compares names. */
bool string_list_has(const struct string_list *, const char *name);

/* source, target, one of transforms or validators. */
struct plugin_use {
	const struct plugin *plugin;
	struct etl_conf *conf;
	struct origin origin;
};

struct plugin_uses {
	struct plugin_use *at;
	size_t count;
};

/* An entry of a table's `columns`. */
struct column_rule {
	char *name;	/* in the source; NULL: a constant */
	char *as;	/* or NULL */
	char *type;	/* as written, checked to be a type; or NULL */
	char *value;	/* constant; or NULL */
	char *fallback; /* `default`: when absent or null; or NULL */
	struct string_list null_values;
	bool stays;	/* conflicts = "target": a row that is there keeps its own value */
	struct etl_conf *to; /* per-column options of the target plugin, or NULL */
	struct origin origin;
};

/* Which changes of a table's columns since the last sync are no reason to stop. */
enum drift_allowed { DRIFT_ADD = 1 << 0, DRIFT_DROP = 1 << 1, DRIFT_TYPE = 1 << 2 };

/* Who has the last word where a row was changed at both ends since it was synced last. */
enum conflict_policy { CONFLICTS_SOURCE, CONFLICTS_TARGET, CONFLICTS_NEWEST, CONFLICTS_PARK };

/* What is said of it, of all tables or of one; what is not given is as it is said elsewhere. */
struct conflict_rule {
	int32_t policy; /* enum conflict_policy */
	char *newest;	/* the column that says when a row was changed, or NULL */
	int64_t skew;	/* milliseconds by which the clocks of the ends may differ */
	bool hashes;	/* the hashes of the rows are kept, whatever the policy */
	bool has_policy, has_newest, has_skew, has_hashes;
};

/* What RULE does not say it has from UNDER, by reference. */
void conflict_rule_under(struct conflict_rule *rule, const struct conflict_rule *under);

/* An entry of `tables`. Absent keys are NULL or empty. */
struct table_rule {
	char *name; /* a table or a pattern; NULL with query */
	char *plain; /* the one table that `name` means, without escapes; NULL: it may be several, or a query */
	char *query;
	char *as;
	char *where;
	struct column_rule *columns;
	size_t column_count;
	struct string_list exclude_columns;
	struct string_list key, after;
	char *cursor;
	char *delete_column; /* what delete = "soft" writes to; or NULL */
	int32_t deletes;     /* enum etl_delete */
	uint32_t allow_drift; /* enum drift_allowed */
	struct conflict_rule conflicts;
	struct etl_conf *from,
		*to; /* per-table options, with their defaults; NULL: the plugin has none */
	struct plugin_uses transforms, validators;
	/* Given, be it an empty list. */
	bool has_delete, has_allow_drift, has_from, has_to, has_transforms, has_validators;
	struct origin origin;
};

struct type_rule {
	char *declared; /* in the source, case-insensitive; may end in (*) */
	char *type;	/* in the target */
};

/* mode = "sync": what is published together. */
struct commit_every {
	bool given;
	bool adapts;	 /* the number of rows is found by trying */
	int64_t rows;	 /* the most of a batch */
	int64_t ms;	 /* longer than that no batch should take */
	struct origin origin;
};

enum names_rule { NAMES_KEEP, NAMES_LOWER, NAMES_SNAKE };

struct pipeline {
	char *path;   /* absolute; NULL: made from a command line (`copy`) */
	char *folder; /* of the file: what relative paths are relative to */
	char *name;
	struct plugin_use source, target;
	int32_t mode;		       /* enum etl_mode */
	int32_t on_existing;	       /* enum etl_on_existing */
	bool on_existing_from_command; /* it came by --set: destroying data then needs --yes */
	enum names_rule names;
	bool table_scope;
	struct table_rule *tables; /* never empty: ( { name = "*" } ) when the file has none */
	size_t table_count;
	struct string_list exclude;
	struct origin exclude_origin;
	struct plugin_uses transforms, validators; /* for every table */
	bool validators_by_target;		   /* the file says nothing of them: they are the target's own wish */
	struct type_rule *types;
	size_t type_count;
	int32_t foreign_keys; /* enum etl_fk_policy; -1: not given */
	struct string_list before, after_load;
	int32_t on_error;    /* as it is written: 0 "stop", 1 "reject", -1 not at all */
	bool reject_rows;    /* on_error = "reject", by what is written or by the kind of the source */
	int64_t max_rejects; /* rows; with max_rejects_percent: millionths of the rows read */
	bool max_rejects_percent;
	int32_t workers; /* 1..; already resolved from 0 */
	int64_t batch_rows, batch_bytes;
	struct commit_every commit;
	int64_t overlap;     /* milliseconds; sync: by which a cursor that is a time goes back */
	/* As much as the source may have to do while it is read; -1: that is not asked. Milliseconds, but for `active`. */
	struct {
		int64_t lag, active, check_every, patience;
		struct origin origin;
	} source_load;
	int64_t rate_rows;   /* the most that are read from the source in a second; 0: as fast as it goes */
	int64_t max_rows;    /* sync: the most rows that a run changes; 0: all */
	uint32_t allow_drift; /* sync: enum drift_allowed, of the tables that say nothing */
	int64_t sweep;	     /* sync: millionths of the keys of a table with a cursor that each run compares too; 0: none */
	struct conflict_rule conflicts; /* sync: of the tables that say nothing */
	int64_t sweep_every; /* sync: every so many runs a table with a cursor is compared as a whole; 0: never */
	int64_t memory_limit, max_row; /* bytes */
	char *state;		       /* absolute path, or NULL: the default */
	char *notes; /* absolute: `state`, or FOLDER/NAME.etlrun, wherever the target would have it (etl_host.notes) */
	int64_t keep_old;
	int64_t keep_runs, keep_ms; /* which runs are remembered: the newest so many, or those of so long; 0: not bounded by that */
	int64_t retries; /* of one piece of work, on new connections */
	bool undo;
	char *log_file, *log_format, *log_level; /* or NULL */
	char *rejects_file;			 /* absolute, or NULL: beside the state */
	char *unready; /* what of it this version does not do yet, a sentence; or NULL */
};

/* Rows meet by their key. */
static inline bool pipeline_merges(const struct pipeline *p)
{
	return p->mode == ETL_MERGE || p->mode == ETL_SYNC;
}

/* What the command line lays over the file. */
struct overlay {
	const char *const *sets; /* "target.schema=stage" */
	size_t set_count;
	const char *profile; /* or NULL */
};

/* Reads, lays profile and --set over, interpolates, loads the plugins and checks everything.
 * ETL_USAGE with "FILE:LINE: what" for all that is wrong in it. */
int pipeline_read(const char *path, const struct overlay *, struct pipeline **ret,
		  struct etl_error *);
/* The same for `copy SRC_URI DST_URI`. */
int pipeline_from_uris(const char *source, const char *target, const struct overlay *,
		       struct pipeline **ret, struct etl_error *);
/* Only the top level and the source, of a file or of one URI: a source is enough to see what is
 * in it. CONFIG is the tree it came from, for the caller to destroy when ETL_OK; a target that
 * is not there is NULL in *ret. */
int pipeline_sketch(const char *file_or_uri, const struct overlay *, config_t *config,
		    struct pipeline **ret, struct etl_error *);
/* Makes every relative path of the tree absolute, those in ${file:…} too, so that it means the
 * same in another folder. */
int pipeline_uproot(struct pipeline *, config_t *, struct etl_error *);
/* TEXT so written that interpolation leaves it as it is; NULL: no memory. The caller frees. */
char *pipeline_literal(const char *text);
/* "PLUGIN:WHERE", and not the name of a file that is there. */
bool pipeline_is_uri(const char *word);
void pipeline_free(struct pipeline *);

#endif
