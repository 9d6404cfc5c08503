/*
 * Parsing alone: lines of JSON cut out of a file in memory and read into nodes, five times; prints the best rate.
 *
 *   json-parse FILE.jsonl
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "plugins/json/split.h"
#include "plugins/json/tree.h"

#define TIMES 5
#define CHUNK ((size_t)256 << 10)

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
	fprintf(stderr, "json-parse: %s\n", what);
	exit(1);
}

static char *slurp(const char *path, size_t *ret_size)
{
	FILE *file = fopen(path, "rb");
	char *text = NULL;
	long size;

	if (!file || fseek(file, 0, SEEK_END) || (size = ftell(file)) < 0 || fseek(file, 0, SEEK_SET))
		die("cannot read the file");
	text = malloc((size_t)size + JSON_PADDING);
	if (!text || fread(text, 1, (size_t)size, file) != (size_t)size)
		die("cannot read the file");
	fclose(file);
	*ret_size = (size_t)size;
	return text;
}

static size_t parse(struct json_split *split, struct json_tree *tree, const char *text, size_t size)
{
	struct json_split_flaw split_flaw;
	struct json_record record;
	struct json_flaw flaw;
	size_t at = 0, count = 0, nodes;

	json_split_reset(split);
	for (;;) {
		size_t piece = size - at < CHUNK ? size - at : CHUNK;

		switch (json_split_next(split, &record, &split_flaw)) {
		case JSON_SPLIT_RECORD:
			if (json_tree_read(tree, record.text, record.size, &flaw) < 0)
				die(flaw.reason);
			json_tree_nodes(tree, &nodes);
			count += nodes;
			break;
		case JSON_SPLIT_MORE:
			json_split_feed(split, text + at, piece, at + piece == size);
			at += piece;
			break;
		case JSON_SPLIT_END:
			return count;
		default:
			die("the lines are no JSON");
		}
	}
}

int main(int argc, char **argv)
{
	const struct json_split_plan plan = { .cut = JSON_CUT_LINES, .max_record = (size_t)64 << 20 };
	const struct json_limits limits = { .depth = 512, .duplicates = JSON_ERROR };
	struct json_split *split = json_split_new(&plan);
	struct json_tree *tree = json_tree_new(&limits);
	double best = 1e9;
	size_t size, nodes = 0;
	char *text;

	if (argc != 2 || !split || !tree)
		die("json-parse FILE.jsonl");
	text = slurp(argv[1], &size);
	for (int i = 0; i < TIMES; i++) {
		double start = seconds(), took;

		nodes = parse(split, tree, text, size);
		took = seconds() - start;
		best = took < best ? took : best;
	}
	printf("%.2f GB/s (%zu bytes, %zu nodes)\n", (double)size / best / 1e9, size, nodes);
	json_split_free(split);
	json_tree_free(tree);
	free(text);
	return 0;
}
