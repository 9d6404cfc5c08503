/* See remark.h. */
#include "config.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "remark.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct remarks kept;

static void take_away(size_t i)
{
	if (i < kept.count)
		kept.at[i] = kept.at[--kept.count];
}

void remark_put(const char *about, const char *sentence)
{
	size_t i = 0;

	pthread_mutex_lock(&mutex);
	while (i < kept.count && strncmp(kept.at[i].about, about, REMARK_ABOUT - 1) != 0)
		i++;
	if (!*sentence) {
		take_away(i);
	} else if (i < REMARKS_MAX) {
		snprintf(kept.at[i].about, sizeof(kept.at[i].about), "%s", about);
		snprintf(kept.at[i].sentence, sizeof(kept.at[i].sentence), "%s", sentence);
		kept.count += i == kept.count;
	}
	pthread_mutex_unlock(&mutex);
}

void remarks_take(struct remarks *ret)
{
	pthread_mutex_lock(&mutex);
	*ret = kept;
	kept.count = 0;
	pthread_mutex_unlock(&mutex);
}
