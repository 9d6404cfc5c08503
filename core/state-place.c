/* See state-place.h. */
#include "config.h"

#include <stdio.h>
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

static int read_pipeline(struct state_place *p, const struct cli *cli, struct etl_error *err)
{
	size_t words = pipeline_words(cli);
	struct verb verb = *cli->verb;
	struct cli named = *cli;

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

int state_place_open(struct state_place *p, const struct cli *cli, struct etl_error *err)
{
	struct host_limits limits = {
		.batch_rows = 1, .batch_bytes = 1, .max_row = 1, .workers = 1
	};
	int rc;

	memset(p, 0, sizeof(*p));
	rc = read_pipeline(p, cli, err);
	limits.pipeline = p->pipeline;
	if (rc == 0)
		rc = instance_open(&p->pipeline->target, ETL_ROLE_TARGET, &limits, &p->target, err);
	if (rc == 0)
		rc = run_state_path(p->pipeline, p->target, p->state, sizeof(p->state), err);
	snprintf(p->lock, sizeof(p->lock), "%s.lock", p->state);
	return rc;
}

void state_place_close(struct state_place *p)
{
	instance_close(p->target);
	pipeline_free(p->pipeline);
	p->target = NULL;
	p->pipeline = NULL;
}

int state_place_no_run(const struct state_place *p, struct etl_error *err)
{
	return error_set(err, ETL_USAGE, "there is no run %s in %s; `etlrun status` lists them", p->run, p->state);
}
