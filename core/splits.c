/*
 * See splits.h.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "splits.h"

struct split_collect {
	struct etl_split_sink sink;
	struct split_list *list;
	struct etl_error *err;
};

static int on_split(struct etl_split_sink *self, const struct etl_split *split)
{
	struct split_collect *c = (struct split_collect *)(void *)self;
	struct split_list *list = c->list;
	struct job_split *at = realloc(list->at, (list->count + 1) * sizeof(*at));

	if (!at)
		return error_memory(c->err);
	list->at = at;
	at = &at[list->count];
	at->split = *split;
	at->split.index = list->count;
	at->text = split->text ? strdup(split->text) : NULL;
	at->split.text = at->text;
	if (split->text && !at->text)
		return error_memory(c->err);
	list->count++;
	return 0;
}

int split_list_plan(struct split_list *list, struct instance *instance, const struct etl_read *read,
		    int64_t wanted, struct etl_error *err)
{
	struct split_collect collect = { { on_split }, list, err };

	return instance->plugin->source.plan(instance->self, read, wanted, &collect.sink,
					     instance_error(instance, err));
}

void split_list_clear(struct split_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->at[i].text);
	free(list->at);
	*list = (struct split_list){ .at = NULL };
}
