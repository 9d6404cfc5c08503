/*
 * Making the database, and taking one away. It is noted first, then made, then waited for: az may return before the server
 * lets anybody in, and a serverless database that just started answers with 40613 for about a minute. Whatever fails before
 * the first connection stands is followed by the deletion of what was made, here, because the host has not been told of a
 * staging place yet.
 */
#include "config.h"

#include <stdio.h>
#include <strings.h>
#include <time.h>

#include "fault.h"
#include "provision.h"

#define PAUSE_FIRST_MS 1000
#define PAUSE_MOST_MS  10000
#define SLICE_MS       50

struct wait {
	struct etl_instance *inst;
	int64_t deadline, pause; /* milliseconds */
};

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static struct wait wait_of(struct etl_instance *inst)
{
	return (struct wait){ inst, now() + inst->host->num(inst->provision->conf, "timeout"), PAUSE_FIRST_MS };
}

static bool is_over(const struct wait *w)
{
	return now() + w->pause >= w->deadline;
}

/* A while, longer each time. False: the run is to end. */
static bool rest(struct wait *w)
{
	const struct timespec slice = { .tv_nsec = SLICE_MS * 1000000L };

	for (int64_t ms = w->pause; ms > 0; ms -= SLICE_MS) {
		if (w->inst->host->canceled(w->inst->host))
			return false;
		nanosleep(&slice, NULL);
	}
	w->pause = w->pause * 2 < PAUSE_MOST_MS ? w->pause * 2 : PAUSE_MOST_MS;
	return true;
}

/* ---- Until it lets us in ------------------------------------------------------------------------------------------ */

static int foreign(struct etl_instance *inst, const struct provision_shown *shown, const char *run, struct etl_error *err)
{
	return inst->host->fail(err, ETL_FATAL, NULL, 0,
				"the database \"%s\" on server \"%s\" bears the mark of run %s, not of this one (%s): another run made "
				"it at the same moment, and it is left alone; run again",
				inst->provision->database, inst->provision->server, *shown->run ? shown->run : "nobody", run);
}

static int wait_online(struct wait *w, const char *run, struct etl_error *err)
{
	struct odbc_provision *p = w->inst->provision;
	struct provision_shown shown;

	for (;;) {
		int rc = provision_show(w->inst, p->database, &shown, err);

		if (rc < 0)
			return rc;
		if (shown.there && *shown.run && strcmp(shown.run, run) != 0)
			return foreign(w->inst, &shown, run, err);
		if (shown.there && (!*shown.status || strcasecmp(shown.status, "Creating") != 0))
			return ETL_OK;
		if (is_over(w))
			return w->inst->host->fail(err, ETL_FATAL, NULL, 0,
						   "the database \"%s\" is still being made after %lld s (az sql db show: %s); a longer "
						   "`timeout` in provision waits longer",
						   p->database,
						   (long long)w->inst->host->num(p->conf, "timeout") / 1000,
						   shown.there ? shown.status : "not there");
		if (!rest(w))
			return ETL_CANCELED;
	}
}

/* What a database says that is not quite there. */
static bool may_pass(const struct odbc_said *said)
{
	return said->klass == ETL_RETRY_CONNECTION || said->klass == ETL_FEWER_WORKERS || said->native == 40613 ||
	       said->native == 4060;
}

static int wait_connected(struct wait *w, struct etl_error *err)
{
	for (;;) {
		struct odbc_said said = { .advice = "" };
		int rc = odbc_try(w->inst, &said, err);

		if (rc != 0)
			return rc < 0 ? rc : ETL_OK;
		if (!may_pass(&said) || is_over(w)) {
			said.delay = 0;
			said.klass = may_pass(&said) ? ETL_FATAL : said.klass;
			return odbc_tell(w->inst, &said, err, "connecting to the database that was just made");
		}
		w->inst->host->log(w->inst->host, ETL_LOG_INFO, "the database \"%s\" is not ready yet: %s", w->inst->provision->database,
				   said.words.at ? said.words.at : "no reason is given");
		etl_text_free(&said.words);
		if (!rest(w))
			return ETL_CANCELED;
	}
}

static int wait_for_it(struct etl_instance *inst, const char *run, struct etl_error *err)
{
	struct wait w = wait_of(inst);
	int rc = wait_online(&w, run, err);

	if (rc < 0)
		return rc;
	inst->provision->pending = false;
	inst->provision->looked = inst->provision->own = true;
	return wait_connected(&w, err);
}

/* ---- Taking away ---------------------------------------------------------------------------------------------------- */

static int delete(struct etl_instance *inst, const struct provision_note *note, struct etl_error *err)
{
	bool ours = false;
	int rc;

	odbc_disconnect(inst);
	inst->to_the_end = true;
	rc = provision_delete(inst, note, &ours, err);
	inst->to_the_end = false;
	if (rc < 0)
		return rc;
	inst->host->log(inst->host, ETL_LOG_INFO,
			ours ? "the database \"%s\" on server \"%s\", made for run %s, is deleted" :
			       "the database \"%s\" on server \"%s\" does not bear the mark of run %s (any more) and is left alone",
			note->database, note->server, note->run);
	ETL_FAULT("odbc.provision_deleted");
	inst->provision->looked = inst->provision->own = inst->provision->made = false;
	return provision_note_drop(inst, note->run, err);
}

struct asked {
	const char *run;
	bool published;
};

static int ask(struct etl_instance *inst, void *data, struct etl_error *err)
{
	struct asked *asked = data;
	bool there = false;
	int rc = odbc_is_there(inst, inst->dialect->default_schema, "_etlrun_runs", &there, err);

	return rc < 0 || !there ? rc : odbc_state_is_published(inst, asked->run, &asked->published, err);
}

/* Only the database itself knows what became of a run that died in its commit. */
int provision_take_away(struct etl_instance *inst, const struct provision_note *note, struct etl_error *err)
{
	struct asked asked = { note->run, false };
	struct provision_note kept = *note;
	bool ours = inst->host->run && strcmp(inst->host->run, note->run) == 0;
	int rc = ours ? ETL_OK : odbc_provision_enter(inst, note, ask, &asked, err);

	if (rc < 0)
		return rc;
	if (!asked.published)
		return delete(inst, note, err);
	kept.published = true;
	inst->provision->looked = false;
	return provision_note_put(inst, &kept, err);
}

static int take_left_away(struct etl_instance *inst, const char *run, struct etl_error *err)
{
	struct provision_notes notes;
	int rc = provision_notes_read(inst, &notes, err);

	for (size_t i = 0; rc == ETL_OK && i < notes.count; i++)
		if (!notes.at[i].published && strcmp(notes.at[i].run, run) != 0)
			rc = provision_take_away(inst, &notes.at[i], err);
	provision_notes_free(&notes);
	return rc;
}

/* ---- Making ----------------------------------------------------------------------------------------------------------- */

static int make(struct etl_instance *inst, const struct provision_note *note, struct etl_error *err)
{
	const struct etl_host *host = inst->host;
	int rc = provision_note_put(inst, note, err);

	ETL_FAULT("odbc.provision_noted");
	if (rc < 0)
		return rc;
	inst->provision->made = true;
	host->log(host, ETL_LOG_INFO, "making the database \"%s\" on server \"%s\" in %s", note->database, note->server,
		  inst->provision->region);
	rc = provision_create(inst, note->database, note->run, err);
	ETL_FAULT("odbc.provision_made");
	if (rc == ETL_OK)
		rc = wait_for_it(inst, note->run, err);
	if (rc == ETL_OK)
		host->log(host, ETL_LOG_INFO, "the database \"%s\" is there", note->database);
	return rc;
}

static void fill(struct provision_note *note, const struct etl_instance *inst, const char *run)
{
	const struct odbc_provision *p = inst->provision;

	*note = (struct provision_note){ .published = false };
	snprintf(note->run, sizeof(note->run), "%s", run);
	snprintf(note->database, sizeof(note->database), "%s", p->database);
	snprintf(note->server, sizeof(note->server), "%s", p->server);
	snprintf(note->group, sizeof(note->group), "%s", p->group);
}

/* A run that noted its database and got no further goes on with it; whether it was made az knows. */
static int go_on(struct etl_instance *inst, const struct provision_note *note, struct etl_error *err)
{
	struct odbc_provision *p = inst->provision;
	struct provision_shown shown;
	int rc = provision_find_server(inst, err);

	snprintf(p->database, sizeof(p->database), "%s", note->database);
	if (rc == ETL_OK)
		rc = provision_show(inst, p->database, &shown, err);
	if (rc < 0)
		return rc;
	return shown.there ? wait_for_it(inst, note->run, err) : make(inst, note, err);
}

int provision_make(struct etl_instance *inst, const char *run, struct etl_error *err)
{
	struct provision_notes notes;
	struct provision_note note, *own;
	int rc = provision_notes_read(inst, &notes, err);

	if (rc < 0)
		return rc;
	own = provision_notes_find(&notes, run);
	if (own)
		note = *own;
	provision_notes_free(&notes);
	if (own)
		return inst->connected ? ETL_OK : go_on(inst, &note, err);
	rc = take_left_away(inst, run, err);
	if (rc == ETL_OK)
		odbc_disconnect(inst);
	if (rc == ETL_OK)
		rc = provision_choose(inst, err);
	if (rc < 0)
		return rc;
	fill(&note, inst, run);
	return make(inst, &note, err);
}
