/*
 * A crew is a list of threads and no more: what they share, and who ends when, is theirs.
 */
#include "config.h"

#include <stdlib.h>

#include "crew.h"
#include "log.h"

bool crew_open(struct crew *crew, size_t room)
{
	crew->ids = calloc(room + 1, sizeof(*crew->ids));
	crew->count = 0;
	crew->room = room;
	return crew->ids != NULL;
}

bool crew_start(struct crew *crew, void *(*body)(void *), void *data)
{
	if (crew->count < crew->room &&
	    pthread_create(&crew->ids[crew->count], NULL, body, data) == 0) {
		crew->count++;
		return true;
	}
	log_line(ETL_LOG_WARN, "a worker thread cannot be started; the run goes on with fewer");
	return false;
}

void crew_join(struct crew *crew)
{
	for (size_t i = 0; i < crew->count; i++)
		pthread_join(crew->ids[i], NULL);
	free(crew->ids);
	crew->ids = NULL;
	crew->count = 0;
}
