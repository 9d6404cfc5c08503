/*
 * etlrun: main, the table of verbs, and the exit codes' way out. `etlrun FILE` is `etlrun run
 * FILE`.
 */
#include "config.h"

#include <fcntl.h>
#include <locale.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "log.h"
#include "secret.h"
#include "signals.h"

const struct verb *const verbs[] = {
	&verb_run,	&verb_copy,   &verb_check,   &verb_plan, &verb_discover,
	&verb_analyze, &verb_diff, &verb_check_record, &verb_validate, &verb_status, &verb_logs, &verb_cancel, &verb_pause, &verb_resume, &verb_rollback,
	&verb_rejects, &verb_conflicts, &verb_plugins, NULL,
};

#define OWN_PAGES (512 << 10) /* bytes of a buffer from which it has pages of its own */

static const struct verb *find_verb(const char *word)
{
	for (size_t i = 0; verbs[i]; i++)
		if (strcmp(verbs[i]->name, word) == 0)
			return verbs[i];
	return NULL;
}

/* A word that is no verb and names no file was meant as a verb. */
static int unknown_verb(const char *word, struct etl_error *err)
{
	const char *names[sizeof(verbs) / sizeof(verbs[0])];
	const char *near;
	size_t count = 0;

	while (verbs[count]) {
		names[count] = verbs[count]->name;
		count++;
	}
	near = option_nearest(word, names, count);
	return error_set(
		err, ETL_USAGE,
		"\"%s\" is neither a verb nor a file; %s%s%s`etlrun --help` lists the verbs", word,
		near ? "did you mean \"" : "", near ? near : "", near ? "\"? " : "");
}

static bool looks_like_file(const char *word)
{
	FILE *file = strchr(word, '.') || strchr(word, '/') ? NULL : fopen(word, "r");

	if (file)
		fclose(file);
	return file || strchr(word, '.') || strchr(word, '/');
}

static int run_verb(const struct verb *verb, int argc, char **argv, struct etl_error *err)
{
	struct cli cli;
	bool done = false;
	int rc = cli_parse(argc, argv, verb, &cli, &done, err);

	if (rc == 0 && !done)
		rc = verb->run(&cli, err);
	cli_free(&cli);
	return rc;
}

static int dispatch(int argc, char **argv, struct etl_error *err)
{
	const struct verb *verb;

	if (argc < 2) {
		cli_usage(NULL, stderr);
		return error_set(err, ETL_USAGE, "nothing to do: name a pipeline file or a verb");
	}
	if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		cli_usage(NULL, stdout);
		return 0;
	}
	if (argv[1][0] == '-')
		return run_verb(&verb_run, argc - 1, argv + 1, err);
	verb = find_verb(argv[1]);
	if (verb)
		return run_verb(verb, argc - 2, argv + 2, err);
	if (!looks_like_file(argv[1]))
		return unknown_verb(argv[1], err);
	return run_verb(&verb_run, argc - 1, argv + 1, err);
}

/* Where one of the three is closed, the next file opened would take its place, and what is meant for a
 * person would be written into it. */
static void fill_standard_files(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/* Batches are made by one thread and freed by another. glibc would raise this bound with the first that is freed, and keep the
 * holes of the rest in the heaps of both. */
static void give_back_large_buffers(void)
{
#ifdef __GLIBC__
	mallopt(M_MMAP_THRESHOLD, OWN_PAGES);
#endif
}

int main(int argc, char **argv)
{
	struct etl_error err = ERROR_INIT;
	int rc;

	fill_standard_files();
	give_back_large_buffers();

	/* Numbers and texts are the same in every place; only the names of things are UTF-8. */
	setlocale(LC_ALL, "C");
	signals_start();
	rc = dispatch(argc, argv, &err);
	if (rc < 0) {
		int sig = signals_caught();

		if (!err.set && !sig)
			error_unsaid(&err);
		if (err.set)
			log_error(&err);
		rc = sig ? 128 + sig : error_exit(&err);
	}
	error_clear(&err);
	log_close();
	secret_clear();
	return rc;
}
