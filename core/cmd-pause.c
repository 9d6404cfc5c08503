/*
 * pause: a run that is on in another terminal ends, and `resume` goes on with it.
 */
#include "config.h"

#include "ask-run.h"

static int pause_run(const struct cli *cli, struct etl_error *err)
{
	return ask_run(cli, "pause", err);
}

const struct verb verb_pause = {
	.name = "pause",
	.words = "[RUN] PIPELINE.cfg",
	.summary = "ends a run that is on; resume goes on",
	.takes = CLI_FILE | CLI_URIS,
	.min_words = 1,
	.max_words = 3,
	.run = pause_run,
};
