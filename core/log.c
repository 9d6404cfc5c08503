/*
 * Lines for people and for machines. A line is formatted, redacted and written by a single write,
 * so that lines of several threads and processes never mix; control characters in it become spaces,
 * so that data cannot forge a line. One mutex keeps the screen and the file in step with each other
 * and with the bar.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <etlrun/helpers.h>

#include "log.h"
#include "secret.h"

static const char *const level_names[] = { "error", "warning", "info", "debug" };

static struct {
	pthread_mutex_t lock;
	int fd;	   /* of the log file, or -1 */
	bool lost; /* a line could not be written to it */
	bool json, screen_json;
	int32_t level, screen_level;
	char *file, *run;
	void (*around)(int before);
} state = { .lock = PTHREAD_MUTEX_INITIALIZER,
	    .fd = -1,
	    .level = ETL_LOG_INFO,
	    .screen_level = ETL_LOG_INFO };

static const char *level_name(int32_t level)
{
	return level_names[level < ETL_LOG_ERROR ? ETL_LOG_ERROR :
			   level > ETL_LOG_DEBUG ? ETL_LOG_DEBUG :
						   level];
}

static void flatten(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = ' ';
}

/* "2026-11-21T03:46:48.123Z" */
static void utc_now(char *buf, size_t size)
{
	struct timespec now;
	struct tm tm;
	char seconds[32];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf, size, "%s.%03ldZ", seconds, now.tv_nsec / 1000000);
}

static void add_member(struct etl_text *to, const char *name, const char *value)
{
	if (!value)
		return;
	etl_text_add(to, to->length > 1 ? ",\"" : "\"");
	etl_text_add(to, name);
	etl_text_add(to, "\":");
	etl_text_add_json(to, value, strlen(value));
}

static void format_json(struct etl_text *to, int32_t level, const char *who, const char *message)
{
	char now[48];

	utc_now(now, sizeof(now));
	etl_text_add(to, "{");
	add_member(to, "time", now);
	add_member(to, "level", level_name(level));
	add_member(to, "run", state.run);
	add_member(to, "who", who);
	add_member(to, "message", message);
	etl_text_add(to, "}\n");
}

static void format_file(struct etl_text *to, int32_t level, const char *who, const char *message)
{
	char now[48];

	utc_now(now, sizeof(now));
	etl_text_addf(to, "%s %-7s ", now, level_name(level));
	if (who)
		etl_text_addf(to, "%s: ", who);
	etl_text_addf(to, "%s\n", message);
}

static void format_screen(struct etl_text *to, int32_t level, const char *who, const char *message)
{
	if (level != ETL_LOG_INFO)
		etl_text_addf(to, "etlrun: %s: ", level_name(level));
	if (who)
		etl_text_addf(to, "%s: ", who);
	etl_text_addf(to, "%s\n", message);
}

/* One write for a whole line; only what a signal or a full pipe leaves is written again. */
static bool write_all(int fd, const char *at, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, at, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		at += n;
		size -= (size_t)n;
	}
	return true;
}

/* What can be said without any memory. A warning or a note is left out then; a failure never is. */
static void write_bare(int32_t level)
{
	static const char text[] = "etlrun: error: out of memory; lower memory_limit or workers\n",
			  json[] = "{\"level\":\"error\",\"message\":\"out of memory\"}\n";

	if (level == ETL_LOG_ERROR && state.screen_json)
		(void)write_all(STDERR_FILENO, json, sizeof(json) - 1);
	else if (level == ETL_LOG_ERROR)
		(void)write_all(STDERR_FILENO, text, sizeof(text) - 1);
}

static bool write_line(int fd, bool file, int32_t level, const char *who, const char *message)
{
	struct etl_text line = { 0 };
	bool ok;

	if (file ? state.json : state.screen_json)
		format_json(&line, level, who, message);
	else if (file)
		format_file(&line, level, who, message);
	else
		format_screen(&line, level, who, message);
	ok = line.failed || write_all(fd, line.at, line.length);
	if (line.failed && !file)
		write_bare(level);
	etl_text_free(&line);
	return ok;
}

static void write_screen(int32_t level, const char *who, const char *message)
{
	if (state.around)
		state.around(1);
	/* There is nowhere left to say that standard error is gone. */
	(void)write_line(STDERR_FILENO, false, level, who, message);
	if (state.around)
		state.around(0);
}

static void write_file(int32_t level, const char *who, const char *message)
{
	char text[512];

	if (write_line(state.fd, true, level, who, message))
		return;
	snprintf(text, sizeof(text), "log file %s: cannot be written: %s; going on without it",
		 state.file, strerror(errno));
	close(state.fd);
	state.fd = -1;
	state.lost = true;
	write_screen(ETL_LOG_WARN, NULL, text);
}

int log_lost(struct etl_error *err)
{
	bool lost;

	pthread_mutex_lock(&state.lock);
	lost = state.lost;
	pthread_mutex_unlock(&state.lock);
	return lost ? error_set(
			      err, ETL_MEMORY,
			      "the log file %s could not be written to its end; free space there, "
			      "or name another with log.file",
			      state.file) :
		      0;
}

/* PLAIN NULL: there was no memory for it. */
static void emit(int32_t level, const char *who, const char *plain)
{
	char *message = plain ? secret_redact(plain) : NULL;

	if (message)
		flatten(message);
	pthread_mutex_lock(&state.lock);
	if (!message)
		write_bare(level);
	if (message && state.fd >= 0 && level <= state.level)
		write_file(level, who, message);
	if (message && level <= state.screen_level)
		write_screen(level, who, message);
	pthread_mutex_unlock(&state.lock);
	free(message);
}

int log_open(const struct log_options *options, struct etl_error *err)
{
	char *file = options->file ? strdup(options->file) : NULL;
	char *run = options->run ? strdup(options->run) : NULL;
	int fd = -1, rc;

	if ((options->file && !file) || (options->run && !run)) {
		rc = error_memory(err);
		goto fail;
	}
	if (file)
		fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
	if (file && fd < 0) {
		rc = error_set(
			err, ETL_MEMORY,
			"log file %s: cannot be opened: %s; set log.file to a writable place", file,
			strerror(errno));
		goto fail;
	}
	log_close();
	pthread_mutex_lock(&state.lock);
	state.fd = fd;
	state.file = file;
	state.run = run;
	state.json = options->json;
	state.screen_json = options->screen_json;
	state.level = options->level;
	state.screen_level = options->screen_level;
	pthread_mutex_unlock(&state.lock);
	return ETL_OK;
fail:
	free(file);
	free(run);
	return rc;
}

void log_run(const char *id)
{
	char *run = id ? strdup(id) : NULL;

	pthread_mutex_lock(&state.lock);
	free(state.run);
	state.run = run;
	pthread_mutex_unlock(&state.lock);
}

void log_close(void)
{
	pthread_mutex_lock(&state.lock);
	if (state.fd >= 0)
		close(state.fd);
	free(state.file);
	free(state.run);
	state.fd = -1;
	state.file = state.run = NULL;
	pthread_mutex_unlock(&state.lock);
}

void log_linev(int32_t level, const char *who, const char *format, va_list args)
{
	char *plain = NULL;

	if (vasprintf(&plain, format, args) < 0)
		plain = NULL;
	emit(level, who, plain);
	free(plain);
}

void log_line(int32_t level, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_linev(level, NULL, format, args);
	va_end(args);
}

/* A message that has the name in quotes says it well enough. */
static bool says(const char *message, const char *name)
{
	size_t length = strlen(name);
	const char *at = message;

	while (at && *name && (at = strstr(at, name))) {
		if (at > message && at[-1] == '"' && at[length] == '"')
			return true;
		at++;
	}
	return false;
}

static void add_place(struct etl_text *to, const char *message, const char *word, const char *name,
		      const char *quote)
{
	if (name && !(*quote && says(message, name)))
		etl_text_addf(to, "%s%s %s%s%s", to->length > 0 ? ", " : "", word, quote, name,
			      quote);
}

void log_note(const char *format, ...)
{
	char *plain = NULL, *message;
	va_list args;
	int length;

	va_start(args, format);
	length = vasprintf(&plain, format, args);
	va_end(args);
	message = length < 0 ? NULL : secret_redact(plain);
	if (length >= 0)
		free(plain);
	if (!message)
		return;
	flatten(message);
	pthread_mutex_lock(&state.lock);
	if (state.fd >= 0 && state.level >= ETL_LOG_INFO)
		write_file(ETL_LOG_INFO, NULL, message);
	if (state.screen_json && state.screen_level >= ETL_LOG_INFO)
		write_screen(ETL_LOG_INFO, NULL, message);
	pthread_mutex_unlock(&state.lock);
	free(message);
}

bool log_json(void)
{
	bool json;

	pthread_mutex_lock(&state.lock);
	json = state.screen_json;
	pthread_mutex_unlock(&state.lock);
	return json;
}

/* "table \"Invoice\", key id=3: the words (SQLSTATE 22003, native code 7)". A place that the
 * words name themselves is not said twice. */
void log_error(const struct etl_error *err)
{
	static const char *const roles[] = { "", "source", "target", "transform", "validator" };
	struct etl_text text = { 0 };
	char who[96] = "";

	if (err->plugin[0])
		snprintf(who, sizeof(who), "%s%s%s",
			 err->role > 0 && err->role <= ETL_ROLE_VALIDATOR ? roles[err->role] : "",
			 err->role > 0 && err->role <= ETL_ROLE_VALIDATOR ? " " : "", err->plugin);
	add_place(&text, err->message, "table", err->table, "\"");
	add_place(&text, err->message, "column", err->column, "\"");
	add_place(&text, err->message, "key", err->key, "");
	if (text.length > 0)
		etl_text_add(&text, ": ");
	etl_text_add(&text,
		     err->message ? err->message : "out of memory while a failure was described");
	if (err->sqlstate[0] && err->native)
		etl_text_addf(&text, " (SQLSTATE %s, native code %lld)", err->sqlstate,
			      (long long)err->native);
	else if (err->sqlstate[0])
		etl_text_addf(&text, " (SQLSTATE %s)", err->sqlstate);
	else if (err->native)
		etl_text_addf(&text, " (native code %lld)", (long long)err->native);
	emit(ETL_LOG_ERROR, who[0] ? who : NULL,
	     text.failed || !text.at ? "out of memory" : text.at);
	etl_text_free(&text);
}

void log_on_screen(void (*around)(int before))
{
	pthread_mutex_lock(&state.lock);
	state.around = around;
	pthread_mutex_unlock(&state.lock);
}

bool log_has_terminal(void)
{
	const char *no_color = getenv("NO_COLOR");

	return isatty(STDERR_FILENO) == 1 && !(no_color && *no_color) && !log_json();
}
