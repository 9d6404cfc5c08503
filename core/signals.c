/*
 * The handler does only what is safe in one: atomic stores, and _exit for the impatient.
 */
#include "config.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "host.h"
#include "signals.h"

#define IMPATIENT 3 /* signals of one sort after which the process ends without cleaning up */

static atomic_int asked;

static void on_signal(int number)
{
	int none = 0;

	atomic_compare_exchange_strong(&host_signal, &none, number);
	host_cancel();
	if (atomic_fetch_add(&asked, 1) + 1 >= IMPATIENT)
		_exit(128 + number);
}

void signals_start(void)
{
	struct sigaction action, inherited;

	memset(&action, 0, sizeof(action));
	sigemptyset(&action.sa_mask);
	action.sa_handler = on_signal;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	/* nohup(1) asks that a closed terminal does not matter. */
	if (sigaction(SIGHUP, NULL, &inherited) == 0 && inherited.sa_handler != SIG_IGN)
		sigaction(SIGHUP, &action, NULL);
	action.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &action, NULL);
	sigaction(SIGXFSZ, &action, NULL); /* a limit of the shell: write() says it, and staging is cleaned */
}

void signals_accept(bool accept)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(accept ? SIG_UNBLOCK : SIG_BLOCK, &set, NULL);
}

int signals_caught(void)
{
	return atomic_load(&host_signal);
}
