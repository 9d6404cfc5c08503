/*
 * How az is run: no shell, no input, a limit of time and of size, its standard error kept for the message. It runs in a
 * process group of its own, because az is a script that starts Python: what hangs ends with everything it started.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "azure-access.h"

#define OUTPUT_MAX (256 << 10) /* bytes: a list of servers has some kilobytes */
#define SLICE_MS   50	       /* how soon a signal ends it */

extern char **environ;

struct child {
	const struct azure_caller *who;
	struct azure_answer *answer;
	pid_t pid;
	int out, err;
	int64_t deadline; /* CLOCK_MONOTONIC, milliseconds */
};

enum outcome { ENDED, TOO_LONG, TOO_MUCH, STOPPED };

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void etl_azure_wipe(void *at, size_t size)
{
	volatile unsigned char *p = at;

	while (at && size-- > 0)
		*p++ = 0;
}

void etl_azure_answer_free(struct azure_answer *answer)
{
	etl_azure_wipe(answer->out, answer->out ? OUTPUT_MAX : 0);
	free(answer->out);
	answer->out = NULL;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* ---- Starting it ---------------------------------------------------------------------------------------- */

/* 0 or errno. */
static int spawn(pid_t *ret, const char *const *argv, int out, int err)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t how;
	sigset_t none, usual;
	int code = posix_spawn_file_actions_init(&files);

	if (code)
		return code;
	code = posix_spawnattr_init(&how);
	if (code) {
		posix_spawn_file_actions_destroy(&files);
		return code;
	}
	sigemptyset(&none);
	sigfillset(&usual);
	posix_spawnattr_setflags(&how, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&how, &none);
	posix_spawnattr_setsigdefault(&how, &usual);
	code = posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (!code)
		code = posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
	if (!code)
		code = posix_spawn_file_actions_adddup2(&files, err, STDERR_FILENO);
	/* The declaration has no const for what it does not change. */
	if (!code)
		code = posix_spawnp(ret, argv[0], &files, &how, (char *const *)(uintptr_t)argv, environ);
	posix_spawnattr_destroy(&how);
	posix_spawn_file_actions_destroy(&files);
	return code;
}

static int start(struct child *c, const char *const *argv)
{
	int out[2] = { -1, -1 }, err[2] = { -1, -1 };
	int code = pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0 ? 0 : errno;

	if (!code)
		code = spawn(&c->pid, argv, out[1], err[1]);
	close_fd(&out[1]);
	close_fd(&err[1]);
	c->out = out[0];
	c->err = err[0];
	return code;
}

/* ---- Listening to it -------------------------------------------------------------------------------------- */

static void keep_said(struct azure_answer *answer, const char *at, size_t size)
{
	size_t most = sizeof(answer->said) - 1, used = strlen(answer->said);

	if (size > most) {
		at += size - most;
		size = most;
	}
	if (used + size > most) {
		size_t drop = used + size - most;

		memmove(answer->said, answer->said + drop, used - drop);
		used -= drop;
	}
	for (size_t i = 0; i < size; i++)
		answer->said[used + i] = at[i] == '\n' || at[i] == '\r' || at[i] == '\0' ? ' ' : at[i];
	answer->said[used + size] = '\0';
}

/* Reads what is there from one pipe and closes it at its end. False: that was too much. */
static bool drain(struct child *c, int *fd)
{
	char chunk[4096];
	ssize_t n = read(*fd, chunk, sizeof(chunk));
	bool fits = true;

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	if (n <= 0) {
		close_fd(fd);
	} else if (fd == &c->err) {
		keep_said(c->answer, chunk, (size_t)n);
	} else if (c->answer->size + (size_t)n >= OUTPUT_MAX) {
		fits = false;
	} else {
		memcpy(c->answer->out + c->answer->size, chunk, (size_t)n);
		c->answer->size += (size_t)n;
		c->answer->out[c->answer->size] = '\0';
	}
	etl_azure_wipe(chunk, sizeof(chunk));
	return fits;
}

static enum outcome look(const struct child *c)
{
	if (!c->who->to_the_end && c->who->host->canceled(c->who->host))
		return STOPPED;
	return now() >= c->deadline ? TOO_LONG : ENDED;
}

static enum outcome collect(struct child *c)
{
	while (c->out >= 0 || c->err >= 0) {
		struct pollfd p[2] = { { c->out, POLLIN, 0 }, { c->err, POLLIN, 0 } };
		enum outcome outcome = look(c);

		if (outcome != ENDED)
			return outcome;
		if (poll(p, 2, SLICE_MS) <= 0)
			continue;
		if ((p[0].revents && !drain(c, &c->out)) || (p[1].revents && !drain(c, &c->err)))
			return TOO_MUCH;
	}
	return ENDED;
}

/* Its output may be closed long before it ends. */
static enum outcome await(struct child *c)
{
	const struct timespec step = { .tv_nsec = 2000000 };
	enum outcome outcome;
	int status = 0;
	pid_t done;

	while ((done = waitpid(c->pid, &status, WNOHANG)) == 0 || (done < 0 && errno == EINTR)) {
		outcome = look(c);
		if (outcome != ENDED)
			return outcome;
		nanosleep(&step, NULL);
	}
	c->pid = 0;
	c->answer->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	return ENDED;
}

static void finish(struct child *c)
{
	if (c->pid > 0) {
		kill(-c->pid, SIGKILL);
		while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	close_fd(&c->out);
	close_fd(&c->err);
}

/* ---- The whole ------------------------------------------------------------------------------------------------ */

static int fail_start(const struct azure_caller *who, const char *name, int code, struct etl_error *err)
{
	bool missing = code == ENOENT || code == EACCES;

	return who->host->fail(err, missing ? ETL_USAGE : ETL_MEMORY, NULL, 0, "the program %s cannot be started: %s%s", name,
				strerror(code),
				missing ? "; install Azure CLI, or put the folder in which it is into PATH" : "");
}

static int conclude(const struct child *c, enum outcome outcome, const char *name, int64_t limit, struct etl_error *err)
{
	const struct etl_host *host = c->who->host;
	const char *said = c->answer->said;

	switch (outcome) {
	case ENDED:
		return ETL_OK;
	case STOPPED:
		return ETL_CANCELED;
	case TOO_LONG:
		return host->fail(err, ETL_FATAL, NULL, 0, "%s was ended, for it took longer than %lld s%s%s", name,
				  (long long)limit / 1000, *said ? "; it had said: " : "", said);
	default:
		return host->fail(err, ETL_FATAL, NULL, 0, "%s says more than %d KiB", name, OUTPUT_MAX >> 10);
	}
}

int etl_azure_run(const struct azure_caller *who, const char *const *argv, int64_t limit, struct azure_answer *ret,
	      struct etl_error *err)
{
	struct child c = { who, ret, 0, -1, -1, now() + limit };
	enum outcome outcome;
	int code, rc;

	*ret = (struct azure_answer){ .out = malloc(OUTPUT_MAX) };
	if (!ret->out)
		return who->host->fail(err, ETL_MEMORY, NULL, 0, "no memory to run %s", argv[0]);
	*ret->out = '\0';
	code = start(&c, argv);
	if (code) {
		rc = fail_start(who, argv[0], code, err);
	} else {
		outcome = collect(&c);
		if (outcome == ENDED)
			outcome = await(&c);
		rc = conclude(&c, outcome, argv[0], limit, err);
	}
	finish(&c);
	if (rc < 0)
		etl_azure_answer_free(ret);
	return rc;
}
