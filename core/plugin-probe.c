/*
 * A plugin's file may crash or hang while it is loaded, in a constructor of a library it needs.
 * This finds it out in a process of its own with a time limit, so that the person reads which file
 * it was.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <etlrun/helpers.h>

#include "plugin-text.h"

/* Loading takes milliseconds; a cold disk and a large database library take a second. */
#define PROBE_SECONDS 10

enum { PROBE_LOADED = 0, PROBE_REFUSED = 3 };

/* GCOVR_EXCL_START: every probe comes here, but _exit leaves what the child counted behind. */
static void in_child(const char *name, int fd)
{
	const struct rlimit no_core = { 0, 0 };
	struct etl_error err = ERROR_INIT;
	const struct plugin *plugin;
	const char *why;
	ssize_t written = 0;

	setrlimit(RLIMIT_CORE, &no_core);
	if (registry_find(name, &plugin, &err) == ETL_OK)
		_exit(PROBE_LOADED);
	why = err.message ? err.message : "no memory to say why";
	written = write(fd, why, strlen(why));
	_exit(written < 0 ? PROBE_REFUSED + 1 : PROBE_REFUSED);
}
/* GCOVR_EXCL_STOP */

static int64_t milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Reads until the child closes its end. False: the time is over. */
static bool listen_to(int fd, struct etl_text *ret)
{
	int64_t left, end = milliseconds() + PROBE_SECONDS * 1000;
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	char buf[1024];
	ssize_t size;

	while ((left = end - milliseconds()) > 0) {
		if (poll(&poll_fd, 1, (int)left) <= 0)
			continue;
		size = read(fd, buf, sizeof(buf));
		if (size == 0)
			return true;
		if (size > 0)
			etl_text_add_bytes(ret, buf, (size_t)size);
		else if (errno != EINTR)
			return true;
	}
	return false;
}

/* What the child's end means; the reason is added to TEXT, which stays empty when all is well. */
static void judge(pid_t pid, bool in_time, struct etl_text *text)
{
	int status = 0;

	if (!in_time)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	if (!in_time)
		etl_text_addf(text, "it hangs: loading did not end within %d seconds",
			      PROBE_SECONDS);
	else if (WIFSIGNALED(status))
		etl_text_addf(text, "it crashes while it is loaded: signal %d, %s",
			      WTERMSIG(status), strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) != PROBE_LOADED && text->length == 0)
		etl_text_addf(text, "it ended the process while it was loaded, with status %d",
			      WEXITSTATUS(status));
}

int plugin_probe(const char *name, char **ret_why, struct etl_error *err)
{
	struct etl_text text = { 0 };
	bool in_time;
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_set(err, ETL_MEMORY, "no pipe to probe plugins: %s", strerror(errno));
	fflush(NULL);
	pid = fork();
	if (pid < 0) {
		close(ends[0]);
		close(ends[1]);
		return error_set(err, ETL_MEMORY, "no process to probe plugins: %s",
				 strerror(errno));
	}
	if (pid == 0)
		in_child(name, ends[1]);
	close(ends[1]);
	in_time = listen_to(ends[0], &text);
	close(ends[0]);
	judge(pid, in_time, &text);
	if (text.failed) {
		etl_text_free(&text);
		return error_memory(err);
	}
	*ret_why = text.length ? etl_text_take(&text) : NULL;
	return ETL_OK;
}
