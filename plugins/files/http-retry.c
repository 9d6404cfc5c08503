/*
 * What may go well another time, and how long to wait for it: pauses that double, so that a server which has too much to do is
 * not asked more often by all who wait for it.
 */
#include "config.h"

#include <stdlib.h>
#include <time.h>

#include "http.h"

#define FIRST_PAUSE 500	  /* milliseconds */
#define PAUSE_MOST  30000 /* milliseconds */
#define ASKED_MOST  120	  /* seconds: what a server may ask for with Retry-After */
#define SLICE	    100	  /* milliseconds between two looks at whether to go on */

bool http_may_pass(long status)
{
	return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

int64_t http_pause(int64_t try, int64_t retry_after)
{
	int64_t pause = FIRST_PAUSE;
	struct timespec now;

	for (; try > 2 && pause < PAUSE_MOST; try--)
		pause *= 2;
	if (pause > PAUSE_MOST)
		pause = PAUSE_MOST;
	/* Not all at once: up to a quarter is by chance, which the clock is enough for. */
	clock_gettime(CLOCK_MONOTONIC, &now);
	pause += (now.tv_nsec / 1000) % (pause / 4);
	if (retry_after > ASKED_MOST)
		retry_after = ASKED_MOST;
	return retry_after * 1000 > pause ? retry_after * 1000 : pause;
}

int http_wait(const struct etl_host *host, int64_t milliseconds)
{
	for (; milliseconds > 0; milliseconds -= SLICE) {
		int64_t step = milliseconds < SLICE ? milliseconds : SLICE;
		const struct timespec time = { .tv_nsec = (long)step * 1000000 };

		if (host->canceled(host))
			return ETL_CANCELED;
		nanosleep(&time, NULL);
	}
	return ETL_OK;
}
