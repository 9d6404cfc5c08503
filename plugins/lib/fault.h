/*
 * Named points at which a test lets the process die: ETLRUN_FAULT=POINT:N ends it with SIGKILL, as a
 * lost machine would, when it passes ETL_FAULT("POINT") for the Nth time; ETLRUN_FAULT=list writes the
 * name of every point that is passed to standard error. Only in a build with --enable-fault-points;
 * in any other the macro is nothing. The core and the plugins use the same header, and nothing is
 * linked for it. A name stands at one place only: the list of all points is what grep finds.
 */
#ifndef PLUGINS_LIB_FAULT_H
#define PLUGINS_LIB_FAULT_H

#ifdef ETL_FAULT_POINTS

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* PASSED counts how often this point was passed, from every thread. */
static inline void fault_pass(const char *name, atomic_ulong *passed)
{
	const char *wanted = getenv("ETLRUN_FAULT");
	size_t length = strlen(name);
	unsigned long n = atomic_fetch_add(passed, 1) + 1;

	if (!wanted)
		return;
	if (strcmp(wanted, "list") == 0)
		fprintf(stderr, "fault point %s:%lu\n", name, n);
	else if (strncmp(wanted, name, length) == 0 && wanted[length] == ':' &&
		 strtoul(wanted + length + 1, NULL, 10) == n)
		kill(getpid(), SIGKILL);
}

#define ETL_FAULT(name)                        \
	do {                                   \
		static atomic_ulong passed_;   \
		fault_pass((name), &passed_);  \
	} while (0)

#else

#define ETL_FAULT(name) ((void)0)

#endif
#endif
