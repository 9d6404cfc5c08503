/* See request.h. */
#include "config.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "log.h"
#include "request.h"
#include "state.h"

struct request_ear {
	struct state *state; /* a connection of its own, for the run's is in transactions */
	char run[80];
};

static atomic_int heard;

struct request_ear *request_listen(const char *state_path, const char *run)
{
	struct request_ear *ear = calloc(1, sizeof(*ear));
	struct etl_error err = ERROR_INIT;

	if (ear && (state_open(state_path, false, &ear->state, &err) < 0 || !ear->state)) {
		log_line(ETL_LOG_DEBUG, "`etlrun cancel` and `etlrun pause` will not be heard: %s",
			 err.message ? err.message : "no memory");
		free(ear);
		ear = NULL;
	}
	error_clear(&err);
	if (ear)
		snprintf(ear->run, sizeof(ear->run), "%s", run);
	return ear;
}

void request_look(void *data)
{
	const struct request_ear *ear = data;
	char wish[16];

	if (atomic_load(&heard) || !state_request_look(ear->state, ear->run, wish, sizeof(wish)))
		return;
	atomic_store(&heard, strcmp(wish, "pause") == 0 ? REQUEST_PAUSE : REQUEST_CANCEL);
	log_line(ETL_LOG_INFO, "another terminal asks this run to %s", wish);
	host_cancel();
}

void request_deaf(struct request_ear *ear)
{
	if (!ear)
		return;
	state_close(ear->state);
	free(ear);
}

enum request request_heard(void)
{
	return (enum request)atomic_load(&heard);
}
