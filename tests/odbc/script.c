/* The script that says what the recorder answers, and the record. One of each for the process, whatever connects. */
#include "config.h"

#include <limits.h>

#include "recorder.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct rule *rules, **rules_end = &rules;
static FILE *out;
static char name[64] = "libetlrun_recorder.so", version[32] = "01.00.0000", server[64] = "Microsoft SQL Server";
static long getdata;
static long counts = LONG_MIN;

const char *script_name(void)
{
	return name;
}

const char *script_version(void)
{
	return version;
}

const char *script_server(void)
{
	return server;
}

long script_getdata(void)
{
	return getdata;
}

bool script_counts(long *ret)
{
	*ret = counts;
	return counts != LONG_MIN;
}

/* ---- Reading it --------------------------------------------------------------------------------------------- */

static void take_columns(struct rule *r, char *at)
{
	for (char *word = strtok(at, " "); word && r->column_count < MAX_COLUMNS; word = strtok(NULL, " ")) {
		struct column *c = &r->columns[r->column_count++];

		*c = (struct column){ .type = SQL_WVARCHAR, .size = 4000 };
		sscanf(word, "%63[^:]:%d:%d", c->name, &c->type, &c->size);
		for (char *p = c->name; *p; p++)
			if (*p == '_')
				*p = ' ';
	}
}

static void take_words(struct rule *r, const char *at)
{
	int skipped = 0;

	sscanf(at, "%5s %d %n", r->state, &r->native, &skipped);
	free(r->words);
	r->words = strdup(at + skipped);
}

static void take_bad(struct rule *r, const char *at)
{
	char *end;

	for (long row = strtol(at, &end, 10); end != at && r->bad_count < MAX_BAD; row = strtol(at, &end, 10)) {
		r->bad[r->bad_count++] = row;
		at = end;
	}
}

static struct rule *new_rule(const char *text)
{
	struct rule *r = calloc(1, sizeof(*r));

	r->text = strdup(text);
	r->times = 1;
	r->rows_end = &r->rows;
	*rules_end = r;
	rules_end = &r->next;
	return r;
}

static void die(const char *text)
{
	fprintf(stderr, "recorder: the script is wrong: %s\n", text);
	abort();
}

static bool take_setting(const char *word, const char *rest)
{
	if (strcmp(word, "name") == 0)
		snprintf(name, sizeof(name), "%s", rest);
	else if (strcmp(word, "version") == 0)
		snprintf(version, sizeof(version), "%s", rest);
	else if (strcmp(word, "server") == 0)
		snprintf(server, sizeof(server), "%s", rest);
	else if (strcmp(word, "getdata") == 0)
		getdata = strtol(rest, NULL, 10);
	else if (strcmp(word, "counts") == 0)
		counts = strtol(rest, NULL, 10);
	else
		return false;
	return true;
}

static void take_line(struct rule *r, const char *word, char *rest)
{
	if (strcmp(word, "after") == 0)
		r->after = strtol(rest, NULL, 10);
	else if (strcmp(word, "times") == 0)
		r->times = strtol(rest, NULL, 10);
	else if (strcmp(word, "error") == 0 || strcmp(word, "info") == 0)
		take_words(r, rest);
	else if (strcmp(word, "bad") == 0)
		take_bad(r, rest);
	else if (strcmp(word, "took") == 0)
		r->took = strtol(rest, NULL, 10);
	else if (strcmp(word, "columns") == 0)
		take_columns(r, rest);
	else if (strcmp(word, "row") == 0)
		add_line(&r->rows_end, rest);
	else if (strcmp(word, "gone") != 0 && strcmp(word, "done") != 0 && strcmp(word, "rolled_back") != 0)
		die(word);
	r->fails |= strcmp(word, "error") == 0;
	r->says_took |= strcmp(word, "took") == 0;
	r->gone |= strcmp(word, "gone") == 0;
	r->done |= strcmp(word, "done") == 0;
	r->rolled_back |= strcmp(word, "rolled_back") == 0;
}

static void read_script(FILE *in)
{
	char line[4096];
	struct rule *r = NULL;

	while (fgets(line, sizeof(line), in)) {
		char *word = line + strspn(line, " \t"), *rest;

		word[strcspn(word, "\n")] = '\0';
		if (!*word || *word == '#')
			continue;
		rest = word + strcspn(word, " ");
		if (*rest)
			*rest++ = '\0';
		if (strcmp(word, "on") == 0)
			r = new_rule(rest);
		else if (r)
			take_line(r, word, rest);
		else if (!take_setting(word, rest))
			die(word);
	}
}

bool script_open(const char *script, const char *path)
{
	FILE *in;

	pthread_mutex_lock(&lock);
	if (!out) {
		in = fopen(script, "r");
		out = fopen(path, "a");
		if (in)
			read_script(in);
		if (in)
			fclose(in);
		if (out)
			setvbuf(out, NULL, _IOLBF, 0);
	}
	pthread_mutex_unlock(&lock);
	return out != NULL;
}

/* ---- Answers, and what came ------------------------------------------------------------------------------------ */

struct rule *script_answer(const char *text)
{
	struct rule *r;

	pthread_mutex_lock(&lock);
	for (r = rules; r; r = r->next) {
		if (!strstr(text, r->text) || (r->times && r->seen >= r->after + r->times))
			continue;
		if (++r->seen > r->after)
			break;
	}
	pthread_mutex_unlock(&lock);
	return r;
}

void record(const struct dbc *dbc, const char *format, ...)
{
	va_list args;

	pthread_mutex_lock(&lock);
	if (out) {
		fprintf(out, "%d ", dbc->number);
		va_start(args, format);
		vfprintf(out, format, args);
		va_end(args);
		fputc('\n', out);
	}
	pthread_mutex_unlock(&lock);
}
