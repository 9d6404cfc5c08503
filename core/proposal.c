/* See proposal.h. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "config-text.h"
#include "pipeline.h"
#include "proposal.h"

struct taking {
	struct etl_proposal_sink sink;
	struct proposals *to;
	const char *plugin;
	struct etl_error *err;
};

/* What looks like something to be filled in is a text as any other: the source knows no variables. */
static bool make_literal(config_setting_t *s)
{
	const char *text = config_setting_type(s) == CONFIG_TYPE_STRING ? config_setting_get_string(s) : NULL;
	char *plain = text ? pipeline_literal(text) : NULL;
	bool ok = !text || (plain && config_setting_set_string(s, plain));

	free(plain);
	for (int i = 0; ok && config_setting_is_aggregate(s) && i < config_setting_length(s); i++)
		ok = make_literal(config_setting_get_elem(s, (unsigned)i));
	return ok;
}

static void clear(struct proposal *p)
{
	free(p->name);
	free(p->unsure);
	config_destroy(&p->keys);
}

static int check(const struct taking *t, const struct etl_proposal *from, struct proposal *p)
{
	if (!from->name || !*from->name)
		return error_set(t->err, ETL_BUG, "plugin %s proposes a table without a name", t->plugin);
	if (from->keys && !config_read_string(&p->keys, from->keys))
		return error_set(t->err, ETL_BUG,
				 "plugin %s proposes keys for table \"%s\" that cannot be read: line %d: %s", t->plugin,
				 from->name, config_error_line(&p->keys), config_error_text(&p->keys));
	if (config_lookup(&p->keys, "name"))
		return error_set(t->err, ETL_BUG, "plugin %s proposes a name among the keys of table \"%s\"",
				 t->plugin, from->name);
	p->name = strdup(from->name);
	p->unsure = from->unsure ? strdup(from->unsure) : NULL;
	return p->name && (p->unsure || !from->unsure) && make_literal(config_root_setting(&p->keys)) ?
		       0 :
		       error_memory(t->err);
}

static int take(struct etl_proposal_sink *self, const struct etl_proposal *from)
{
	struct taking *t = (struct taking *)(void *)self;
	struct proposal *at = realloc(t->to->at, (t->to->count + 1) * sizeof(*at)), *p;
	int rc;

	if (!at)
		return error_memory(t->err);
	t->to->at = at;
	p = &at[t->to->count];
	*p = (struct proposal){ .name = NULL };
	config_init(&p->keys);
	rc = check(t, from, p);
	if (rc < 0)
		clear(p);
	else
		t->to->count++;
	return rc;
}

int proposals_ask(struct instance *source, struct proposals *to, struct etl_error *err)
{
	struct taking taking = { { take }, to, source->plugin->base.name, err };

	return source->plugin->source.propose(source->self, &taking.sink, instance_error(source, err));
}

static void print_indented(FILE *out, const char *text, const char *indent)
{
	while (*text) {
		size_t length = strcspn(text, "\n");

		fprintf(out, "%s%.*s\n", indent, (int)length, text);
		text += length + (text[length] == '\n');
	}
}

/* No text in it holds a line break that is not escaped, so every line may be moved. */
bool proposal_print_keys(FILE *out, const struct proposal *p, const char *indent)
{
	const config_setting_t *root = config_root_setting(&p->keys);
	char *text = NULL;
	size_t size = 0;
	FILE *memory = open_memstream(&text, &size);
	bool ok = memory != NULL;

	for (int i = 0; ok && i < config_setting_length(root); i++)
		config_text_member(memory, config_setting_get_elem(root, (unsigned)i));
	ok = ok && !ferror(memory);
	if (memory && fclose(memory) != 0)
		ok = false;
	if (ok)
		print_indented(out, text, indent);
	free(text);
	return ok;
}

void proposals_clear(struct proposals *p)
{
	for (size_t i = 0; i < p->count; i++)
		clear(&p->at[i]);
	free(p->at);
	*p = (struct proposals){ .at = NULL };
}
