/*
 * Reading JSON that etlrun wrote itself, value by value, without building anything: a rejects file may have
 * millions of lines.
 */
#ifndef CORE_JSON_READ_H
#define CORE_JSON_READ_H

#include <etlrun/helpers.h>

#include "../plugins/lib/json.h"

/* A place in a text. `bad` is set once, when what stands there is not what was asked for, and stays. */
struct json {
	const char *at, *end;
	bool bad;
	bool failed; /* it is bad because there was no memory to read it */
};

struct json json_start(const char *text, size_t size);
/* The next character that is no blank, without taking it; 0 at the end. */
static inline char json_peek(struct json *j)
{
	while (j->at < j->end && etl_json_is_blank(*j->at))
		j->at++;
	return j->at < j->end && !j->bad ? *j->at : 0;
}

/* Takes C when it stands there. */
static inline bool json_take(struct json *j, char c)
{
	if (json_peek(j) != c)
		return false;
	j->at++;
	return true;
}

/* Takes C, or is bad. */
static inline void json_expect(struct json *j, char c)
{
	j->bad |= !json_take(j, c);
}

/* Takes a string without escapes, whose characters are then *RET_AT and so many; false, and nothing is taken: it has some, or
 * there is none. */
bool json_plain_string(struct json *, const char **ret_at, size_t *ret_size);
/* Adds a string's characters; NUL and all. */
void json_string(struct json *, struct etl_text *);
/* Takes a member's name, which must be this one, and the colon. */
void json_member(struct json *, const char *name);
/* Takes one value of any kind; *ret_at is where it stands. */
size_t json_value(struct json *, const char **ret_at);

#endif
