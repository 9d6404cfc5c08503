/*
 * What az is asked: where the server is, whether a database is there, to make one and to delete it. `az sql db create` is a
 * PUT that changes a database of the name without a word, so that it is looked for before, and the tag says afterwards
 * whose it is.
 */
#include "config.h"

#include <stdio.h>
#include <strings.h>

#include "azure.h"
#include "provision.h"

#define ARGUMENTS_MAX 32
#define ASK_LIMIT_MS  60000
#define NOT_FOUND     3 /* az's exit code for it */

/* ARGV with texts of its own. */
struct words {
	struct etl_instance *inst;
	const char *argv[ARGUMENTS_MAX];
	char *made[ARGUMENTS_MAX];
	size_t count, made_count;
	bool failed;
};

static void add(struct words *w, const char *word)
{
	if (w->count < ARGUMENTS_MAX - 1)
		w->argv[w->count++] = word;
	else
		w->failed = true;
}

/* As one word, for a value may begin with a hyphen. */
static void add_value(struct words *w, const char *option, const char *value)
{
	struct etl_text text = { 0 };
	char *word;

	if (!value || !*value)
		return;
	etl_text_addf(&text, "%s=%s", option, value);
	word = etl_text_take(&text);
	w->failed |= !word;
	if (word) {
		w->made[w->made_count++] = word;
		add(w, word);
	}
}

static const char *option(const struct etl_instance *inst, const char *name)
{
	return inst->host->str(inst->provision->conf, name);
}

static void begin(struct words *w, struct etl_instance *inst, const char *noun, const char *verb)
{
	*w = (struct words){ .inst = inst };
	add(w, "az");
	add(w, "sql");
	add(w, noun);
	add(w, verb);
}

static void add_place(struct words *w, const char *database, const char *server, const char *group)
{
	add_value(w, "--name", database);
	add_value(w, "--server", server);
	add_value(w, "--resource-group", group);
	add_value(w, "--subscription", option(w->inst, "subscription"));
}

static void words_free(struct words *w)
{
	for (size_t i = 0; i < w->made_count; i++)
		etl_text_free(&(struct etl_text){ .at = w->made[i] });
}

/* The words are spent. */
static int run(struct words *w, int64_t limit, struct azure_answer *ret, struct etl_error *err)
{
	int rc;

	add(w, "--output");
	add(w, "json");
	add(w, "--only-show-errors");
	w->argv[w->count] = NULL;
	rc = w->failed ? odbc_no_memory(w->inst, err) : odbc_azure_run(w->inst, w->argv, limit, ret, err);
	words_free(w);
	return rc;
}

/* ---- The server ------------------------------------------------------------------------------------------------ */

/* "West Europe" and "westeurope" are one region. */
static bool same_region(const char *a, const char *b)
{
	for (;;) {
		a += strspn(a, " ");
		b += strspn(b, " ");
		if (strncasecmp(a, b, 1) != 0)
			return false;
		if (!*a)
			return true;
		a++;
		b++;
	}
}

static int no_server(struct etl_instance *inst, struct etl_error *err)
{
	const char *group = option(inst, "resource_group"), *subscription = option(inst, "subscription");

	return inst->host->fail(err, ETL_USAGE, NULL, 0,
				"az knows no SQL server \"%s\" in %s%s; `az sql server list --output table` lists those that there are, "
				"and `az account set` chooses the subscription",
				inst->provision->server, group ? "resource group " : subscription ? "subscription " : "this subscription",
				group ? group : subscription ? subscription : "");
}

static int take_server(struct etl_instance *inst, const char *json, struct etl_error *err)
{
	struct odbc_provision *p = inst->provision;
	const char *wanted = option(inst, "region");

	if (!etl_azure_json_get(json, "[0].resourceGroup", p->group, sizeof(p->group)) ||
	    !etl_azure_json_get(json, "[0].location", p->region, sizeof(p->region)))
		return no_server(inst, err);
	if (wanted && !same_region(wanted, p->region)) {
		p->group[0] = '\0';
		return inst->host->fail(err, ETL_USAGE, NULL, 0,
					"region = \"%s\": the server %s is in %s, and a database lies where its server does; nothing was "
					"made: name a server in %s, or another region",
					wanted, p->server, p->region, wanted);
	}
	return ETL_OK;
}

int provision_find_server(struct etl_instance *inst, struct etl_error *err)
{
	struct odbc_provision *p = inst->provision;
	struct azure_answer answer;
	char query[128];
	struct words w;
	int rc;

	if (p->group[0])
		return ETL_OK;
	/* A server's name has no quotes in it. */
	snprintf(query, sizeof(query), "[?name=='%s']", p->server);
	begin(&w, inst, "server", "list");
	add_value(&w, "--resource-group", option(inst, "resource_group"));
	add_value(&w, "--subscription", option(inst, "subscription"));
	add_value(&w, "--query", query);
	rc = run(&w, ASK_LIMIT_MS, &answer, err);
	if (rc < 0)
		return rc;
	rc = answer.status ? odbc_azure_fail(inst, "looking for the server", &answer, err) : take_server(inst, answer.out, err);
	etl_azure_answer_free(&answer);
	return rc;
}

/* ---- A database -------------------------------------------------------------------------------------------------- */

static bool is_missing(const struct azure_answer *answer)
{
	return strstr(answer->said, "ResourceNotFound") || (answer->status == NOT_FOUND && !strstr(answer->said, "ParentResource") &&
							     !strstr(answer->said, "ResourceGroupNotFound"));
}

static int show(struct etl_instance *inst, const char *database, const char *server, const char *group,
		struct provision_shown *ret, struct etl_error *err)
{
	struct azure_answer answer;
	struct words w;
	int rc;

	*ret = (struct provision_shown){ .there = false };
	begin(&w, inst, "db", "show");
	add_place(&w, database, server, group);
	rc = run(&w, ASK_LIMIT_MS, &answer, err);
	if (rc < 0)
		return rc;
	if (answer.status && !is_missing(&answer)) {
		rc = odbc_azure_fail(inst, "looking for the database", &answer, err);
	} else if (!answer.status) {
		ret->there = true;
		etl_azure_json_get(answer.out, "tags." PROVISION_TAG, ret->run, sizeof(ret->run));
		etl_azure_json_get(answer.out, "status", ret->status, sizeof(ret->status));
	}
	etl_azure_answer_free(&answer);
	return rc;
}

int provision_show(struct etl_instance *inst, const char *database, struct provision_shown *ret, struct etl_error *err)
{
	return show(inst, database, inst->provision->server, inst->provision->group, ret, err);
}

static void add_create(struct words *w, struct etl_instance *inst, const char *database, const char *run_id)
{
	const struct etl_host *host = inst->host;
	const struct etl_conf *conf = inst->provision->conf;
	bool serverless = strcmp(option(inst, "compute_model"), "serverless") == 0;
	char number[24], tag[128];

	begin(w, inst, "db", "create");
	add_place(w, database, inst->provision->server, inst->provision->group);
	add_value(w, "--edition", option(inst, "tier"));
	add_value(w, "--compute-model", serverless ? "Serverless" : "Provisioned");
	add_value(w, "--family", option(inst, "family"));
	snprintf(number, sizeof(number), "%lld", (long long)host->num(conf, "capacity"));
	add_value(w, "--capacity", number);
	if (serverless) {
		add_value(w, "--min-capacity", option(inst, "min_capacity"));
		snprintf(number, sizeof(number), "%lld", (long long)host->num(conf, "auto_pause_delay"));
		add_value(w, "--auto-pause-delay", number);
	}
	add_value(w, "--max-size", option(inst, "max_size"));
	add_value(w, "--backup-storage-redundancy", option(inst, "backup_redundancy"));
	add_value(w, "--collation", option(inst, "collation"));
	snprintf(tag, sizeof(tag), PROVISION_TAG "=%s", run_id);
	add_value(w, "--tags", tag);
}

int provision_create(struct etl_instance *inst, const char *database, const char *run_id, struct etl_error *err)
{
	int64_t limit = inst->host->num(inst->provision->conf, "timeout");
	struct azure_answer answer;
	struct words w;
	int rc;

	add_create(&w, inst, database, run_id);
	rc = run(&w, limit, &answer, err);
	if (rc < 0)
		return rc;
	if (answer.status)
		rc = odbc_azure_fail(inst, "making the database", &answer, err);
	etl_azure_answer_free(&answer);
	return rc;
}

void provision_add_command(struct etl_text *text, struct etl_instance *inst, const char *database, const char *run_id)
{
	struct words w;

	add_create(&w, inst, database, run_id);
	for (size_t i = 0; i < w.count; i++)
		etl_text_addf(text, strpbrk(w.argv[i], " '\"$\\") ? "%s\"%s\"" : "%s%s", i ? " " : "", w.argv[i]);
	text->failed |= w.failed;
	words_free(&w);
}

int provision_delete(struct etl_instance *inst, const struct provision_note *note, bool *ret, struct etl_error *err)
{
	int64_t limit = inst->host->num(inst->provision->conf, "timeout");
	struct provision_shown shown;
	struct azure_answer answer;
	struct words w;
	int rc = show(inst, note->database, note->server, note->group, &shown, err);

	if (rc < 0)
		return rc;
	*ret = !shown.there || strcmp(shown.run, note->run) == 0;
	if (!shown.there || !*ret)
		return ETL_OK;
	begin(&w, inst, "db", "delete");
	add_place(&w, note->database, note->server, note->group);
	add(&w, "--yes");
	rc = run(&w, limit, &answer, err);
	if (rc < 0)
		return rc;
	if (answer.status && !is_missing(&answer)) {
		if (!err) /* nobody will tell it */
			inst->host->log(inst->host, ETL_LOG_WARN, "az sql db delete ended with exit code %d: %s", answer.status,
					answer.said);
		rc = odbc_azure_fail(inst, "deleting the database that the run made", &answer, err);
	}
	etl_azure_answer_free(&answer);
	return rc;
}
