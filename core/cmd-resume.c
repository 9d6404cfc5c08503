/*
 * resume: an interrupted run goes on from its last checkpoint. The run is named, or it is the last
 * one; the pipeline is a file, or the two URIs of a `copy`.
 */
#include "config.h"

#include "log.h"
#include "run.h"

/* WORDS of the command line behind the run's id. */
static int resume_as(const struct cli *cli, const char *run, size_t words, struct etl_error *err)
{
	struct verb verb = *cli->verb;
	struct cli named = *cli;

	verb.takes &= words == 2 ? ~(uint32_t)CLI_FILE : ~(uint32_t)CLI_URIS;
	named.verb = &verb;
	named.words += cli->word_count - words;
	named.word_count = words;
	named.resume = run;
	return cmd_run(&named, err);
}

static int resume(const struct cli *cli, struct etl_error *err)
{
	size_t words = cli->word_count > 1 && pipeline_is_uri(cli->words[cli->word_count - 1]) &&
				       pipeline_is_uri(cli->words[cli->word_count - 2]) ?
			       2 :
			       1;

	if (cli->word_count > words + 1)
		return error_set(err, ETL_USAGE,
				 "one word too many: \"%s\"; usage: etlrun resume [OPTIONS] %s",
				 cli->words[1], cli->verb->words);
	return resume_as(cli, cli->word_count > words ? cli->words[0] : "", words, err);
}

const struct verb verb_resume = {
	.name = "resume",
	.words = "[RUN] PIPELINE.cfg",
	.summary = "goes on with an interrupted run",
	.takes = CLI_FILE | CLI_URIS | CLI_TABLES | CLI_LIMIT | CLI_PARTS | CLI_SUMMARY | CLI_FROM,
	.min_words = 1,
	.max_words = 3,
	.run = resume,
};
