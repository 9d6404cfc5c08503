/*
 * The rows of a table, file by file, record by record: pulled one at a time.
 */
#ifndef JSON_ROWS_H
#define JSON_ROWS_H

#include "doubles.h"
#include "open.h"

/* What happens to that of which no row can be made. Return other than 0 ends the walk, which returns it. No sink: it is passed
 * over without a word, for a pass that only looks; the one that reads tells it. */
struct rows_sink {
	/* A file of which nothing is given, with skip_broken. */
	int (*broken)(struct rows_sink *self, const struct files_entry *entry, const struct json_split_flaw *flaw);
	/* A record that is no JSON, or too large. */
	int (*bad)(struct rows_sink *self, const struct json_record *record, const struct json_flaw *flaw);
	/* The row that it stands on is of a kind in which no column can find anything. WHY is a sentence. */
	int (*misfit)(struct rows_sink *self, const char *why);
};

struct rows {
	struct etl_instance *inst;
	const struct json_table *table;
	struct etl_error *err;
	struct rows_sink *sink;
	const struct files_list *list;
	size_t first, next, end;        /* indexes of the files: of all, still to come */
	struct open_file file;
	bool open;
	struct json_tree *tree;
	struct json_record record;
	uint32_t *chains;               /* of the record's rows, one behind the other */
	size_t chain_length, chain_count, chain_room;   /* nodes of one; nodes in all; room */
	size_t row, row_count;          /* of the record */
	uint64_t number;                /* of the row, from 1: in the file, or with table->across in all files */
	size_t file_names;              /* how many names are the file's */
	struct work record_work, work;  /* of the record, of the row */
	struct doubles doubles;
	bool looked;                    /* for doubles in all files */
	struct changes only_seen;       /* in passes that only looked */
	uint64_t skipped, merged;       /* rows passed over since they were last asked for: `only`, `except`; duplicates */
	struct row now;
};

int json_rows_begin(struct rows *, struct etl_instance *, const struct json_table *, const struct files_list *, size_t first,
		    size_t end, struct rows_sink *, struct etl_error *);
/* ETL_FILL_MORE: rows->now is the next row; ETL_FILL_END; or a negative status. */
int json_rows_next(struct rows *);
/* The value of a column of the row that it stands on. NULL, or a reject's code. */
const char *json_rows_value(struct rows *, size_t column, struct json_value *ret);
void json_rows_end(struct rows *);
/* What the policies changed in what was given so far. */
struct changes json_rows_changes(const struct rows *);
/* In a sink's `broken`: the file that the flaw is in. It is another than the one of which nothing comes when let looks into it. */
const struct files_entry *json_rows_flawed(const struct rows *);
/* "LABEL:LINE:COLUMN (byte OFFSET)"; without a line (0) the label. */
void json_add_place(struct etl_text *to, const char *label, uint64_t line, uint64_t column, uint64_t offset);

#endif
