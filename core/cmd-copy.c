/*
 * copy: the whole of one store into another, without a file: `etlrun copy sqlite:shop.db
 * sqlite:new.db`.
 */
#include "config.h"

#include "run.h"

const struct verb verb_copy = {
	.name = "copy",
	.words = "SOURCE_URI TARGET_URI",
	.summary = "the same without a file",
	.takes = CLI_URIS | CLI_TABLES | CLI_LIMIT | CLI_PARTS | CLI_DRY_RUN | CLI_SUMMARY |
		 CLI_NEEDED,
	.min_words = 2,
	.max_words = 2,
	.run = cmd_run,
};
