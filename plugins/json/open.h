/*
 * One file of a table while its rows are read: which layout it has, what stands beside its records, the next record.
 */
#ifndef JSON_OPEN_H
#define JSON_OPEN_H

#include "input.h"
#include "row.h"

enum file_state { FILE_READY, FILE_BROKEN /* *flaw says why; nothing of it was given */ };

struct let_value {
	const struct json_let *let;
	struct files_list list;
	bool listed;
	size_t entry;                   /* index into the list of the file that was looked into; its count: there is none */
	bool known;                     /* the value of it is here */
	char *text;                     /* or NULL: no value */
	size_t size;
};

/* The value of a column that is the same for all rows of a file, once it was asked for. */
struct constant {
	bool known;
	const char *code;
	struct json_value value;
};

struct open_file {
	struct etl_instance *inst;
	const struct json_table *table;
	struct etl_error *err;
	const struct files_entry *entry;
	struct json_input *input;
	const struct json_layout *layout;
	struct json_split **splits;     /* beside the table's layouts, made when first needed */
	struct json_split *split;
	char *buffer;
	bool fed_last;
	struct json_tree *outer;        /* what is beside the records */
	char *outer_text;               /* its text, with padding */
	bool has_outer;
	bool looked;                    /* through all of it, before it is read */
	uint64_t without_rows;          /* files that have none where they should be */
	struct names names;             /* captures of the name, lets */
	struct let_value *lets;
	const struct let_value *blamed; /* of FILE_BROKEN: the flaw is in the file that this one looks into; NULL: in its own */
	struct constant *constants;     /* beside the columns */
	struct work work;               /* for values that stay as long as the file */
	struct changes changes;         /* in files, beside the records, in files that lets look into; so far */
};

/* Room for files of one table, one after the other. */
int open_file_init(struct open_file *, struct etl_instance *, const struct json_table *, struct etl_error *);
void open_file_free(struct open_file *);
/*
 * Opens ENTRY, looks at all of it when something depends on that (CHECK, or values beside the records), and stands before its first
 * record. FILE_BROKEN or a negative status.
 */
int open_file_begin(struct open_file *, const struct files_entry *entry, bool check, struct json_split_flaw *flaw);
/* What #file stands for. */
const char *json_file_name(const struct etl_instance *, const struct files_entry *);
/* What the policies changed in the texts that TREE has read. */
struct changes json_changes_of(const struct json_tree *tree);
/* TO gets what NOW has more than BEFORE. */
void json_changes_add(struct changes *to, const struct changes *now, const struct changes *before);
/* Before the first record again. */
int open_file_again(struct open_file *);
/* ETL_FILL_MORE with *record, borrowed until the next call; ETL_FILL_END; FILE_BROKEN is -3: *flaw says why. */
#define OPEN_FILE_FLAW (-3)
/* open-let.c: looks up what `let` names, for the file that is open. OPEN_FILE_FLAW: f->blamed says in which file. */
int open_file_lets(struct open_file *, struct json_split_flaw *flaw);
int open_file_next(struct open_file *, struct json_record *record, struct json_split_flaw *flaw);
void open_file_end(struct open_file *);

#endif
