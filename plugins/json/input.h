/*
 * A file's text on its way to the splitter: what the pipeline's policies say of its bytes, before any of them is looked at as JSON.
 */
#ifndef JSON_INPUT_H
#define JSON_INPUT_H

#include "json.h"

/* What a policy made something else of, counted for the report. */
enum change { CHANGE_MEMBERS, CHANGE_NONFINITE, CHANGE_MARKS, CHANGE_UTF16, CHANGES };
struct changes {
	uint64_t at[CHANGES];
};

struct json_input;

#define JSON_INPUT_ROOM 64 /* bytes */

/* CHANGES, which lives as long, gets what is changed. */
int json_input_open(struct etl_instance *, const struct files_entry *, struct changes *changes, struct json_input **ret,
		    struct etl_error *);
void json_input_close(struct json_input *);     /* NULL is good */
/* Fills TO, but for a few bytes of ROOM, which is JSON_INPUT_ROOM at least; or gives what is left, with *LAST. */
int json_input_read(struct json_input *, char *to, size_t room, size_t *ret, bool *last, struct etl_error *);
/* At the first byte again. What was changed since the last time counts for nothing. */
int json_input_rewind(struct json_input *, struct etl_error *);
/* What was changed since it was opened or rewound counts for nothing: no row of it comes. */
void json_input_forget(struct json_input *);
/* As those of files. */
void json_input_be_quiet(struct json_input *);
const char *json_input_damage(const struct json_input *);

#endif
