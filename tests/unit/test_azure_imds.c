/*
 * A machine's own identity is asked for a token: a run that is stopped meanwhile is not told that the time was up, and one that
 * has to come to its end gets its answer.
 */
#include "config.h"

#include <arpa/inet.h>
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake_host.h"
#include "plugins/lib/azure-access.h"

static int asked, stops_at;
static int listener;
static char endpoint[64];
static struct etl_error err;

static int canceled(const struct etl_host *host)
{
	(void)host;
	return ++asked >= stops_at;
}

static const struct etl_host host = { FAKE_HOST };

static void setup(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(at);

	memset(&err, 0, sizeof(err));
	asked = 0;
	listener = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_ge(listener, 0);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&at, &size), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%d/token", ntohs(at.sin_port));
}

static void teardown(void)
{
	close(listener);
}

/* Says a token after a while, to one who asks. */
static pid_t start_server(void)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
				     "{\"access_token\":\"aaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbbbbbbbbb.cccccccccccccccccccc\","
				     "\"expires_on\":\"4000000000\"}";
	pid_t pid = fork();
	char heard[4096];
	int fd;

	ck_assert_int_ge(pid, 0);
	if (pid)
		return pid;
	fd = accept(listener, NULL, NULL);
	if (read(fd, heard, sizeof(heard)) <= 0)
		_exit(1);
	usleep(200000);
	if (write(fd, answer, sizeof(answer) - 1) < 0)
		_exit(1);
	close(fd);
	_exit(0);
}

static int ask(bool to_the_end, struct azure_bearer *ret)
{
	struct etl_host own = host;
	struct azure_caller who = { .host = &own, .to_the_end = to_the_end };

	own.canceled = canceled;
	return etl_azure_imds(&who, endpoint, NULL, "https://storage.azure.com/", ret, &err);
}

START_TEST(a_run_that_is_stopped_says_nothing_of_time)
{
	/* Before it is connected, before it has its answer, at a later look. */
	for (stops_at = 1; stops_at <= 4; stops_at++) {
		struct azure_bearer bearer = { .text = NULL };

		asked = 0;
		ck_assert_int_eq(ask(false, &bearer), ETL_CANCELED);
		ck_assert_int_eq(asked, stops_at);
		ck_assert_str_eq(err.text, "");
		ck_assert_ptr_null(bearer.text);
	}
}
END_TEST

START_TEST(one_that_has_to_come_to_its_end_waits)
{
	struct azure_bearer bearer = { .text = NULL };
	pid_t server = start_server();
	int status = 0;

	stops_at = 1;
	ck_assert_msg(ask(true, &bearer) == ETL_OK, "%s", err.text);
	ck_assert_int_eq(waitpid(server, &status, 0), server);
	ck_assert_int_eq(status, 0);
	ck_assert_ptr_nonnull(bearer.text);
	ck_assert_int_eq(bearer.expires, 4000000000);
	etl_azure_bearer_free(&bearer);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("azure_imds");
	TCase *tests = tcase_create("azure_imds");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, a_run_that_is_stopped_says_nothing_of_time);
	tcase_add_test(tests, one_that_has_to_come_to_its_end_waits);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
