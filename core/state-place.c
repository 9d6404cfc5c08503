/* See state-place.h. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run.h"
#include "state-place.h"

/* How many words say which pipeline: two URIs, or a file. */
static size_t pipeline_words(const struct cli *cli)
{
	size_t count = cli->word_count;

	return (cli->verb->takes & CLI_URIS) && count > 1 && pipeline_is_uri(cli->words[count - 1]) &&
			       pipeline_is_uri(cli->words[count - 2]) ?
		       2 :
		       1;
}

int state_place_read(struct state_place *p, const struct cli *cli, struct etl_error *err)
{
	size_t words = pipeline_words(cli);
	struct verb verb = *cli->verb;
	struct cli named = *cli;

	memset(p, 0, sizeof(*p));
	if (cli->word_count > words + 1)
		return error_set(err, ETL_USAGE, "one word too many: \"%s\"; usage: etlrun %s [OPTIONS] %s",
				 cli->words[1], verb.name, verb.words);
	p->run = cli->word_count > words ? cli->words[0] : NULL;
	verb.takes &= words == 2 ? ~(uint32_t)CLI_FILE : ~(uint32_t)CLI_URIS;
	named.verb = &verb;
	named.words += cli->word_count - words;
	named.word_count = words;
	return cli_pipeline(&named, &p->pipeline, err);
}

int state_place_reach(struct state_place *p, struct etl_error *err)
{
	struct host_limits limits = {
		.batch_rows = 1, .batch_bytes = 1, .max_row = 1, .workers = 1, .pipeline = p->pipeline
	};
	int rc = instance_open(&p->pipeline->target, ETL_ROLE_TARGET, &limits, &p->target, err);

	if (rc == 0)
		rc = run_state_path(p->pipeline, p->target, p->state, sizeof(p->state), err);
	snprintf(p->lock, sizeof(p->lock), "%s.lock", p->state);
	return rc;
}

int state_place_open(struct state_place *p, const struct cli *cli, struct etl_error *err)
{
	int rc = state_place_read(p, cli, err);

	return rc < 0 ? rc : state_place_reach(p, err);
}

void state_place_close(struct state_place *p)
{
	instance_close(p->target);
	pipeline_free(p->pipeline);
	p->target = NULL;
	p->pipeline = NULL;
}

/* ---- A run of it ---- */

struct looking {
	const struct state_place *place;
	const char *run;
	struct state_seen *seen;
	bool memory;
};

static char *copy(struct looking *l, const char *text)
{
	char *ret = text ? strdup(text) : NULL;

	l->memory |= text && !ret;
	return ret;
}

static int on_run(const struct state_run *r, void *data)
{
	struct looking *l = data;
	struct state_seen *seen = l->seen;
	bool wanted = l->run ? strcmp(r->id, l->run) == 0 : strcmp(r->pipeline, l->place->pipeline->name) == 0;

	if (seen->any || !wanted)
		return 0;
	seen->any = true;
	snprintf(seen->id, sizeof(seen->id), "%s", r->id);
	snprintf(seen->status, sizeof(seen->status), "%s", r->status);
	snprintf(seen->phase, sizeof(seen->phase), "%s", r->phase);
	snprintf(seen->started, sizeof(seen->started), "%s", r->started);
	seen->pid = r->pid;
	seen->exit = r->exit;
	seen->tables = r->tables;
	seen->rows = r->rows;
	seen->rejected = r->rejected;
	seen->batches = r->batches;
	seen->batch_rows = r->batch_rows;
	seen->command = copy(l, r->command);
	seen->error = copy(l, r->error);
	return 0;
}

int state_place_look(const struct state_place *p, const char *run, struct state_seen *seen, struct etl_error *err)
{
	struct looking looking = { .place = p, .run = run, .seen = seen };
	struct state *state = NULL;
	int rc = state_open(p->state, false, &state, err);

	state_seen_clear(seen);
	if (rc == 0 && state)
		rc = state_runs(state, on_run, &looking, err);
	state_close(state);
	return rc == 0 && looking.memory ? error_memory(err) : rc;
}

void state_seen_clear(struct state_seen *seen)
{
	free(seen->command);
	free(seen->error);
	memset(seen, 0, sizeof(*seen));
}

bool state_seen_is_on(const struct state_seen *seen, const struct lock_holder *holder)
{
	return seen->any && strcmp(seen->status, STATE_RUNNING) == 0 && (!holder->pid || seen->pid == holder->pid);
}

int state_place_no_run(const struct state_place *p, struct etl_error *err)
{
	return error_set(err, ETL_USAGE, "there is no run %s in %s; `etlrun status` lists them", p->run, p->state);
}
