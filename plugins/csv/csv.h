/*
 * The csv plugin, from its options to open files. csv.c has the options; the files of this folder that know a target are
 * target.c and write.c, all others are about reading.
 */
#ifndef CSV_CSV_H
#define CSV_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <etlrun/helpers.h>

#include "arena.h"
#include "files.h"
#include "scan.h"

struct etl_instance {
	const struct etl_host *host;
	const struct etl_conf *conf;
	char *root;
	struct files *files;
};

/* ---- How a file is written (format.c) -------------------------------------------------------------------------- */

struct csv_format {
	char separator, quote, comment; /* quote and comment 0: none */
	bool separated; /* the separator is said */
	bool trim, header, crlf;
	const char *null_text; /* what stands for NULL where it is not quoted */
	size_t null_size;
	const char *encoding; /* as iconv calls it; NULL: UTF-8 */
	const char *encoding_word; /* as the option calls it */
	char decimal; /* what stands before the decimals of a number */
	const struct etl_conf *names; /* where `names` is given, or NULL */
};

/* OPTIONS are those of `from` or `to`, laid over the plugin's own; NULL: none. */
int csv_format_of(const struct etl_instance *inst, const struct etl_conf *options, struct csv_format *ret,
		  struct etl_error *err);
/* What stands between the fields of FILE: a tabulator where its name says so and nothing else was said. */
char csv_separator(const struct csv_format *, const char *file);
/* The group in which the option NAME is given, of the two, or the plugin's own, which has the default. */
const struct etl_conf *csv_option(const struct etl_instance *inst, const struct etl_conf *options, const char *name);

/* ---- Its bytes (text.c) ------------------------------------------------------------------------------------------ */

/* One file as UTF-8, without a byte order mark. What its encoding does not know becomes the byte 0xff, which no UTF-8 has. */
struct csv_text;
int csv_text_open(struct etl_instance *inst, const struct csv_format *format, const struct files_entry *entry,
		  struct csv_text **ret, struct etl_error *err);
void csv_text_close(struct csv_text *text);
struct csv_bytes *csv_text_bytes(struct csv_text *text);
/* Where the text begins: behind the mark. */
uint64_t csv_text_start(const struct csv_text *text);

/* ---- Tables (table.c, infer.c) ------------------------------------------------------------------------------------- */

struct csv_column {
	const char *name;
	struct etl_type_info type; /* ETL_TYPE_NONE: not decided yet */
	int64_t length;
	bool declared;	    /* by the pipeline */
	const char *format; /* of a date or time, or NULL */
	int64_t capture;    /* which part of the file's name it is; -1: it is in the file */
};

struct csv_table {
	struct etl_instance *inst;
	const char *name;
	struct csv_format format;
	struct files_pattern *pattern; /* NULL: every file of the root */
	struct csv_column *columns;    /* those of the files, then captures */
	size_t count, in_file;
	bool by_place; /* the columns are what stands there, whatever the header calls them: of a file that this run wrote */
	int64_t rows; /* counted when types were chosen by values, else ETL_UNKNOWN */
	struct arena memory;
};

/*
 * The table that NAME and OPTIONS (of `from`, or NULL) mean. *ret is NULL and nothing failed: there is none. INFER: types that the
 * pipeline does not say are chosen by all values of all files, else left open.
 */
int csv_table_new(struct etl_instance *inst, const char *name, const struct etl_conf *options, bool infer,
		  struct csv_table **ret, struct etl_error *err);
/* The one file of INST's root that this plugin wrote, with the columns of WANT. */
int csv_table_written(struct etl_instance *inst, const char *name, const struct etl_conf *options,
		      const struct ArrowSchema *want, struct csv_table **ret, struct etl_error *err);
void csv_table_free(struct csv_table *table);
int64_t csv_column_find(const struct csv_table *table, const char *name);
int csv_infer(struct csv_table *table, const struct files_list *list, struct etl_error *err);

/* The name of the table that a file is when the pipeline says nothing: its own without .csv, .tsv, .gz, .zst. The caller
 * frees; NULL: no memory. */
char *csv_table_name(const char *file);
/* It ends as such files do. */
bool csv_is_csv(const char *file);
bool csv_is_tsv(const char *file);

/* What the values of a column can all be, as bits. */
enum csv_kind {
	CSV_INTEGER = 1 << 0,	/* 64 bits, as it would be written again: no leading zeros, no plus */
	CSV_REAL = 1 << 1,	/* a float64 that is written so again, but for zeros behind the decimals */
	CSV_NUMBER = 1 << 2,	/* a decimal number of any size */
	CSV_BOOL = 1 << 3,	/* true, false */
	CSV_DATE = 1 << 4,	/* 2024-02-29 */
	CSV_TIMESTAMP = 1 << 5, /* 2024-02-29 23:59:59.5, T for the blank */
	CSV_INSTANT = 1 << 6,	/* likewise, with Z or +00:00 */
	CSV_ANY = (1 << 7) - 1
};
unsigned csv_kinds(const char *text, size_t size);
/*
 * A number whose decimals stand behind DECIMAL, with a point, in BUF or as it is; NULL: it has a point already, or does not
 * go into BUF, and is no number.
 */
#define CSV_NUMBER_MAX 1024
const char *csv_number(const char *text, size_t size, char decimal, char buf[CSV_NUMBER_MAX]);
/* The narrowest of KINDS; CSV_ANY (there was no value) and 0 are text. */
int32_t csv_type_of(unsigned kinds);

/* ---- One file (file.c) ----------------------------------------------------------------------------------------------- */

struct csv_file {
	struct etl_instance *inst;
	const struct csv_format *format;
	const struct files_entry *entry;
	struct csv_text *text;
	struct csv_scan *scan;
	struct etl_error *err;
	size_t *where; /* beside the table's columns in the file: which field they are; SIZE_MAX: none */
	size_t fields; /* that a row has; 0: any number */
};

/* The names of the columns of a file, into MEMORY. *ret_count is 0 for a file without a line. */
int csv_file_names(struct etl_instance *inst, const struct csv_format *format, const struct files_entry *entry,
		   struct arena *memory, const char ***ret, size_t *ret_count, struct etl_error *err);
/* The name that the pipeline gives column I; of an empty one what it is called by its place. NULL: no memory. */
const char *csv_given_name(const struct csv_format *format, const struct etl_host *host, size_t i, struct arena *memory);
/* Opens it and reads its header, which has to have the table's columns, in any order. */
int csv_file_open(const struct csv_table *table, const struct files_entry *entry, struct csv_file *ret,
		  struct etl_error *err);
/* CSV_RECORD, CSV_END, or a negative status. Empty lines are passed over where a row has several fields. A record
 * with another number of fields than the header has a flaw: "too_few_fields", "too_many_fields". */
int csv_file_next(struct csv_file *file, struct csv_record *ret);
void csv_file_close(struct csv_file *file);

/* ---- Dates by a format (moment.c) --------------------------------------------------------------------------------------- */

/* NULL, or what is wrong with it, a part of a sentence. */
const char *csv_format_flaw(const char *format);
/* Reads TEXT by FORMAT (%Y %m %d %H %M %S %f %z %%, other characters are themselves) and writes it in ISO 8601 form. False:
 * it does not read so. */
#define CSV_MOMENT_MAX 64
bool csv_moment(const char *format, const char *text, size_t size, char ret[CSV_MOMENT_MAX]);

/* ---- The plugin's functions -------------------------------------------------------------------------------------------- */

int csv_describe(struct etl_instance *, const struct etl_dataset *, struct etl_table_sink *, struct etl_error *);
int csv_read(struct etl_instance *, const struct etl_read *, const struct etl_split *, struct ArrowArrayStream *,
	     struct etl_error *);
int csv_plan(struct etl_instance *, const struct etl_read *, int64_t wanted, struct etl_split_sink *, struct etl_error *);

/* Splits a token of `begin`, in COPY, into the run's id and the name of the file. */
const char *csv_token_parts(const struct etl_token *token, struct etl_token *copy);
int csv_begin(struct etl_instance *, const struct etl_load *, struct etl_token *ret, struct etl_error *);
int csv_load(struct etl_instance *, const struct etl_load *, const struct etl_token *, const struct etl_part *,
	     struct ArrowArrayStream *, struct etl_stats *ret, struct etl_error *);
int csv_staged(struct etl_instance *, const struct etl_load *, const struct etl_token *, struct etl_dataset_sink *,
	       struct etl_error *);
int csv_seal(struct etl_instance *, const struct etl_commit *, struct etl_token *ret, struct etl_error *);
int csv_sealed(struct etl_instance *, const struct etl_token *seal, int32_t *ret, struct etl_error *);
int csv_commit(struct etl_instance *, const struct etl_commit *, struct etl_error *);
int csv_abort(struct etl_instance *, const struct etl_load *, const struct etl_token *, struct etl_error *);

#endif
