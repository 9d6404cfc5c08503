/*
 * How a vault is read: a command is run without a shell, its standard output is the value, and the
 * last line of its standard error is what the person reads when it fails. It runs in a process
 * group of its own, so that a command that hangs ends with everything it started.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "exec.h"

enum { CHUNK = 4096, ERROR_KEPT = 1024, WAIT_STEP_NS = 2000000, STATUS_NOT_STARTED = 127 };

struct child {
	pid_t pid;
	int out, err, failed; /* pipes; `failed` carries errno when it could not be started */
	char *output;
	size_t used, room;
	char said[ERROR_KEPT]; /* the end of standard error */
	size_t said_used;
	int64_t deadline;
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* GCOVR_EXCL_START: every ${exec:} comes here, but what is counted in the child dies with its exec. */
/* In the child: only async-signal-safe calls. */
static void run_child(char *const *argv, const char *folder, int in, int out, int err, int failed)
{
	sigset_t none;
	int code;

	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(in, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0 &&
	    dup2(err, STDERR_FILENO) >= 0 && (!folder || chdir(folder) == 0))
		execvp(argv[0], argv);
	code = errno;
	if (write(failed, &code, sizeof(code)) < 0)
		_exit(STATUS_NOT_STARTED);
	_exit(STATUS_NOT_STARTED);
}
/* GCOVR_EXCL_STOP */

static bool start(struct child *c, char *const *argv, const char *folder)
{
	int out[2] = { -1, -1 }, err[2] = { -1, -1 }, failed[2] = { -1, -1 };
	int in = open("/dev/null", O_RDONLY | O_CLOEXEC), saved;

	if (in >= 0 && pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0 &&
	    pipe2(failed, O_CLOEXEC) == 0)
		c->pid = fork();
	saved = errno;
	if (c->pid == 0)
		run_child(argv, folder, in, out[1], err[1], failed[1]);
	if (c->pid > 0)
		setpgid(c->pid, c->pid);
	close_fd(&in);
	close_fd(&out[1]);
	close_fd(&err[1]);
	close_fd(&failed[1]);
	c->out = out[0];
	c->err = err[0];
	c->failed = failed[0];
	errno = saved;
	return c->pid > 0;
}

static bool keep_output(struct child *c, const char *at, size_t size)
{
	if (c->used + size + 1 > c->room) {
		size_t room = (c->used + size + 1) * 2;
		char *output = malloc(room);

		if (!output)
			return false;
		if (c->output) {
			memcpy(output, c->output, c->used);
			explicit_bzero(c->output, c->used);
			free(c->output);
		}
		c->output = output;
		c->room = room;
	}
	memcpy(c->output + c->used, at, size);
	c->used += size;
	c->output[c->used] = '\0';
	return true;
}

static void keep_said(struct child *c, const char *at, size_t size)
{
	const size_t most = sizeof(c->said) - 1;

	if (size > most) {
		at += size - most;
		size = most;
	}
	if (c->said_used + size > most) {
		size_t drop = c->said_used + size - most;

		memmove(c->said, c->said + drop, c->said_used - drop);
		c->said_used -= drop;
	}
	memcpy(c->said + c->said_used, at, size);
	c->said_used += size;
	c->said[c->said_used] = '\0';
}

/* Reads what is there from one pipe and closes it at its end. False: no memory. */
static bool drain(struct child *c, int *fd)
{
	char chunk[CHUNK];
	ssize_t n = read(*fd, chunk, sizeof(chunk));
	bool ok = true;

	if (n < 0 && errno == EINTR)
		return true;
	if (n <= 0)
		close_fd(fd);
	else if (fd == &c->out)
		ok = keep_output(c, chunk, (size_t)n);
	else
		keep_said(c, chunk, (size_t)n);
	explicit_bzero(chunk, sizeof(chunk));
	return ok;
}

enum outcome { ENDED, NO_MEMORY, TOO_LONG, TOO_MUCH };

static enum outcome collect(struct child *c)
{
	while (c->out >= 0 || c->err >= 0) {
		struct pollfd p[2] = { { c->out, POLLIN, 0 }, { c->err, POLLIN, 0 } };
		int64_t left = c->deadline - now_ms();

		if (left <= 0)
			return TOO_LONG;
		if (poll(p, 2, (int)left) <= 0)
			continue;
		if ((p[0].revents && !drain(c, &c->out)) || (p[1].revents && !drain(c, &c->err)))
			return NO_MEMORY;
		if (c->used > EXEC_OUTPUT_MAX)
			return TOO_MUCH;
	}
	return ENDED;
}

/* Its output may be closed long before it ends. */
static enum outcome await(struct child *c, int *status)
{
	const struct timespec step = { .tv_nsec = WAIT_STEP_NS };
	pid_t done;

	while ((done = waitpid(c->pid, status, WNOHANG)) == 0 || (done < 0 && errno == EINTR)) {
		if (now_ms() >= c->deadline)
			return TOO_LONG;
		nanosleep(&step, NULL);
	}
	c->pid = 0;
	return ENDED;
}

static const char *last_line(char *text)
{
	size_t length = strlen(text);
	char *start;

	while (length > 0 && strchr(" \t\r\n", text[length - 1]))
		text[--length] = '\0';
	start = strrchr(text, '\n');
	return start ? start + 1 : text;
}

static int fail_status(struct child *c, int status, const char *command, const char *origin,
		       struct etl_error *err)
{
	const char *said = last_line(c->said);
	int code = 0;

	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return ETL_OK;
	if (read(c->failed, &code, sizeof(code)) == (ssize_t)sizeof(code))
		return error_set(err, error_class(code, ETL_USAGE), "%s: ${exec:%s} cannot be started: %s", origin,
				 command, strerror(code));
	if (WIFSIGNALED(status))
		return error_set(err, ETL_USAGE, "%s: ${exec:%s} was ended by signal %d%s%s",
				 origin, command, WTERMSIG(status), *said ? ": " : "", said);
	return error_set(err, ETL_USAGE, "%s: ${exec:%s} ended with exit code %d%s%s", origin,
			 command, WEXITSTATUS(status), *said ? ": " : "", said);
}

static int conclude(struct child *c, enum outcome outcome, int status, const char *command,
		    const char *origin, int64_t limit_ms, struct etl_error *err)
{
	const char *said = last_line(c->said);

	switch (outcome) {
	case ENDED:
		return fail_status(c, status, command, origin, err);
	case TOO_LONG:
		return error_set(err, ETL_USAGE, "%s: ${exec:%s} was stopped after %lld ms%s%s",
				 origin, command, (long long)limit_ms, *said ? ": " : "", said);
	case TOO_MUCH:
		return error_set(err, ETL_USAGE, "%s: ${exec:%s} says more than 1 MiB", origin,
				 command);
	default:
		return error_memory(err);
	}
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
	close_fd(&c->failed);
	if (c->output)
		explicit_bzero(c->output, c->used);
	free(c->output);
}

int exec_capture(char *const *argv, const char *folder, const char *origin, int64_t limit_ms,
		 char **ret, size_t *ret_size, struct etl_error *err)
{
	struct child c = {
		.pid = -1, .out = -1, .err = -1, .failed = -1, .deadline = now_ms() + limit_ms
	};
	enum outcome outcome;
	int status = 0, rc;

	if (!start(&c, argv, folder)) {
		rc = error_set(err, error_class(errno, ETL_USAGE), "%s: ${exec:%s} cannot be started: %s", origin,
			       argv[0], strerror(errno));
		goto done;
	}
	outcome = keep_output(&c, "", 0) ? collect(&c) : NO_MEMORY;
	if (outcome == ENDED)
		outcome = await(&c, &status);
	rc = conclude(&c, outcome, status, argv[0], origin, limit_ms, err);
	if (rc == ETL_OK) {
		*ret = c.output;
		*ret_size = c.used;
		c.output = NULL;
	}
done:
	finish(&c);
	return rc;
}
