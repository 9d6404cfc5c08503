/*
 * cancel: a run that is on in another terminal ends, and nothing of it is kept.
 */
#include "config.h"

#include "ask-run.h"

static int cancel(const struct cli *cli, struct etl_error *err)
{
	return ask_run(cli, "cancel", err);
}

const struct verb verb_cancel = {
	.name = "cancel",
	.words = "[RUN] PIPELINE.cfg",
	.summary = "ends a run that is on; nothing of it is kept",
	.takes = CLI_FILE | CLI_URIS,
	.min_words = 1,
	.max_words = 3,
	.run = cancel,
};
