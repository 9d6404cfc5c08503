/* See state-read.h. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "json-read.h"
#include "log.h"
#include "pipeline-parts.h"
#include "retry.h"
#include "state-read.h"

struct reading {
	struct etl_state_sink sink;
	struct state_reader *reader;
	bool failed; /* no memory */
};

void state_table_clear(struct state_table *t)
{
	free(t->name);
	free(t->column);
	free(t->bound);
	free(t->of);
	free(t->at);
	string_list_clear(&t->from);
	string_list_clear(&t->into);
	*t = (struct state_table){ .name = NULL };
}

static char *take_string(struct json *j)
{
	struct etl_text text = { 0 };

	json_string(j, &text);
	return etl_text_take(&text);
}

static int64_t take_number(struct json *j)
{
	const char *at;
	size_t size = json_value(j, &at);
	char digits[24] = "";

	if (size < sizeof(digits))
		memcpy(digits, at, size);
	return strtoll(digits, NULL, 10);
}

static void take_list(struct json *j, struct string_list *list)
{
	json_expect(j, '[');
	if (json_take(j, ']'))
		return;
	do {
		char **at = realloc(list->at, (list->count + 1) * sizeof(*at));

		if (at)
			list->at = at;
		j->failed |= !at;
		j->bad |= !at;
		if (at && (at[list->count] = take_string(j)))
			list->count++;
	} while (!j->bad && json_take(j, ','));
	json_expect(j, ']');
}

/* Each member of an object by its name. */
static void members(struct json *j, void (*member)(struct json *, const char *name, void *), void *data)
{
	const char *skipped;

	json_expect(j, '{');
	if (json_take(j, '}'))
		return;
	do {
		char *name = take_string(j);
		const char *before;

		json_expect(j, ':');
		before = j->at;
		if (name && !j->bad)
			member(j, name, data);
		if (j->at == before && !j->bad)
			json_value(j, &skipped);
		free(name);
	} while (!j->bad && json_take(j, ','));
	json_expect(j, '}');
}

static void cursor_member(struct json *j, const char *name, void *data)
{
	struct state_table *t = data;

	if (strcmp(name, "column") == 0 && !t->column)
		t->column = take_string(j);
	else if (strcmp(name, "bound") == 0 && !t->bound)
		t->bound = take_string(j);
	else if (strcmp(name, "runs") == 0)
		t->runs = take_number(j);
	else if (strcmp(name, "waiting") == 0)
		t->waiting = (uint64_t)take_number(j);
	else if (strcmp(name, "swept") == 0)
		t->sweep.at = take_number(j);
	else if (strcmp(name, "swept_upto") == 0)
		t->sweep.upto = take_number(j);
	else if (strcmp(name, "swept_low") == 0) {
		t->sweep.low = take_number(j);
		t->sweep.known = true;
	}
}

static void shape_member(struct json *j, const char *name, void *data)
{
	struct state_table *t = data;

	if (strcmp(name, "of") == 0 && !t->of)
		t->of = take_string(j);
	else if (strcmp(name, "at") == 0 && !t->at)
		t->at = take_string(j);
	else if (strcmp(name, "from") == 0 && !t->from.count)
		take_list(j, &t->from);
	else if (strcmp(name, "into") == 0 && !t->into.count)
		take_list(j, &t->into);
}

static void table_member(struct json *j, const char *name, void *data)
{
	struct state_table *t = data;

	if (strcmp(name, "name") == 0 && !t->name)
		t->name = take_string(j);
	else if (strcmp(name, "rejected") == 0)
		t->rejected = (uint64_t)take_number(j);
	else if (strcmp(name, "cursor") == 0)
		members(j, cursor_member, t);
	else if (strcmp(name, "shape") == 0)
		members(j, shape_member, t);
}

static void state_member(struct json *j, const char *name, void *data)
{
	struct state_reader *reader = data;

	if (strcmp(name, "tables") != 0)
		return;
	json_expect(j, '[');
	if (json_take(j, ']'))
		return;
	do {
		struct state_table t = { .name = NULL };

		members(j, table_member, &t);
		if (t.name && !j->bad)
			reader->table(reader, &t);
		state_table_clear(&t);
	} while (!j->bad && json_take(j, ','));
	json_expect(j, ']');
}

static int on_state(struct etl_state_sink *self, const char *run, const char *state)
{
	struct reading *r = (struct reading *)(void *)self;
	struct json j = json_start(state, strlen(state));

	members(&j, state_member, r->reader);
	r->failed |= j.failed;
	if (j.bad && !j.failed)
		log_line(ETL_LOG_WARN, "the state of run %s in the target cannot be read", run);
	return 0;
}

int state_read_all(struct instance *target, const char *pipeline, const char *doing, struct state_reader *reader,
		   struct etl_error *err)
{
	struct reading r = { .sink = { on_state }, .reader = reader };
	struct retry retry = retry_of(target, doing);
	int rc;

	do
		rc = target->plugin->target.recall(target->self, pipeline, &r.sink, instance_error(target, err));
	while (rc < 0 && retry_again(&retry, err));
	return rc == 0 && r.failed ? error_memory(err) : rc;
}
