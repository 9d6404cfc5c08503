/*
 * Which database a pipeline with `provision` means, and what each of the plugin's calls has to do with that. A verb that
 * begins a run, or shows one, means a database that is not there yet; one that goes on, or looks at what was made, the one
 * in the notes.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "azure.h"
#include "provision.h"

#define NUMBERS_MOST 999

static const char *option(const struct etl_instance *inst, const char *name)
{
	return inst->host->str(inst->provision->conf, name);
}

/* ---- Options --------------------------------------------------------------------------------------------------- */

static int check_place(struct etl_instance *inst, struct etl_error *err)
{
	const struct etl_host *host = inst->host;
	struct odbc_provision *p = inst->provision;
	struct etl_text whole = { 0 }, database = { 0 }, server = { 0 };
	const char *named = option(inst, "server");
	int rc = odbc_conninfo(host, inst->conf, &whole, err);
	bool given, found;

	if (rc < 0)
		return rc;
	given = odbc_conninfo_value(whole.at, "Database", &database);
	found = named || odbc_conninfo_value(whole.at, "Server", &server) || odbc_conninfo_value(whole.at, "Address", &server);
	named = named ? named : server.at;
	if (given)
		rc = host->fail(err, ETL_USAGE, NULL, 0,
				"provision makes a database of its own: take database out, or provision, when \"%s\" is meant",
				database.at ? database.at : "");
	else if (!found || !named || !provision_server_from(named, p->server, sizeof(p->server)))
		rc = host->fail(err, ETL_USAGE, NULL, 0,
				"provision: which server is meant? server = \"NAME.database.windows.net\", or server = \"NAME\" in provision%s%s",
				named ? "; not " : "", named ? named : "");
	etl_text_free(&database);
	etl_text_free(&server);
	etl_azure_wipe(whole.at, whole.length);
	etl_text_free(&whole);
	return rc;
}

static int check_name(struct etl_instance *inst, struct etl_error *err)
{
	const char *name = option(inst, "name"), *wrong = strcmp(name, "auto") == 0 ? NULL : provision_name_wrong(name);

	return wrong ? inst->host->fail(err, ETL_USAGE, NULL, 0, "provision.name: \"%s\": %s, as Azure has it for a database", name,
					wrong) :
		       ETL_OK;
}

int odbc_provision_open(struct etl_instance *inst, struct etl_error *err)
{
	const struct etl_host *host = inst->host;
	int rc;

	if (!host->given(inst->conf, "provision"))
		return ETL_OK;
	inst->provision = calloc(1, sizeof(*inst->provision));
	if (!inst->provision)
		return odbc_no_memory(inst, err);
	inst->provision->conf = host->sub(inst->conf, "provision", 0);
	rc = check_place(inst, err);
	return rc < 0 ? rc : check_name(inst, err);
}

/* ---- The name ---------------------------------------------------------------------------------------------------- */

/* *RET: there is one. */
static int base_name(struct etl_instance *inst, char *ret, bool *ret_known, struct etl_error *err)
{
	const char *name = option(inst, "name"), *source = inst->host->source;
	bool cut = false;

	*ret_known = true;
	if (strcmp(name, "auto") != 0) {
		snprintf(ret, ODBC_NAME_ROOM, "%s", name);
		return ETL_OK;
	}
	*ret_known = source != NULL;
	if (!source)
		return ETL_OK;
	if (!provision_name_from(source, ret, &cut))
		return inst->host->fail(err, ETL_USAGE, NULL, 0,
					"provision: the name of %s has neither a letter from a to z nor a digit in it that could name a "
					"database: write name = \"…\"",
					source);
	if (cut)
		inst->host->log(inst->host, ETL_LOG_WARN,
				"the database is called \"%s\": a name has %d characters at most, and the file's has more", ret,
				PROVISION_NAME_MAX);
	return ETL_OK;
}

static int taken(struct etl_instance *inst, const char *name, const struct provision_shown *shown, struct etl_error *err)
{
	char other[ODBC_NAME_ROOM];

	provision_name_number(name, 2, other);
	return inst->host->fail(err, ETL_FATAL, NULL, 0,
				"the database \"%s\" is on server \"%s\" already%s%s; nothing was touched: on_collision = \"number\" makes "
				"\"%s\" beside it, and with database = \"%s\" in the place of provision the run goes into it",
				name, inst->provision->server, *shown->run ? ", made by run " : "", shown->run, other, name);
}

/* What an unpublished run made is taken away before the next one is made. */
static bool is_left(const struct provision_notes *notes, const char *name, const struct provision_shown *shown)
{
	const struct provision_note *note = provision_notes_find(notes, shown->run);

	return note && !note->published && strcmp(note->database, name) == 0;
}

/* What would fail at the first connection is better seen before there is a database. */
static int check_driver(struct etl_instance *inst, struct etl_error *err)
{
	char file[512];
	int rc = odbc_azure_refuse_driver(inst, err);

	if (rc < 0)
		return rc;
	odbc_driver_file(inst, file, sizeof(file));
	return odbc_driver_is_there(file) ?
		       ETL_OK :
		       inst->host->fail(err, ETL_USAGE, NULL, 0,
					"the driver \"%s\" is not installed (`odbcinst -q -d` lists those that are); no database is made for it",
					file);
}

static int choose(struct etl_instance *inst, const struct provision_notes *notes, struct etl_error *err)
{
	struct odbc_provision *p = inst->provision;
	char base[ODBC_NAME_ROOM] = "", name[ODBC_NAME_ROOM];
	bool known, numbers = strcmp(option(inst, "on_collision"), "number") == 0;
	int rc = base_name(inst, base, &known, err);

	if (rc == ETL_OK && !known)
		return inst->host->fail(err, ETL_USAGE, NULL, 0,
					"provision: name = \"auto\" is made of a source's file, and this source has none: write name = \"…\"");
	if (rc == ETL_OK)
		rc = check_driver(inst, err);
	if (rc == ETL_OK)
		rc = provision_find_server(inst, err);
	snprintf(name, sizeof(name), "%s", base);
	for (unsigned n = 2; rc == ETL_OK; n++) {
		struct provision_shown shown;

		rc = provision_show(inst, name, &shown, err);
		if (rc < 0)
			return rc;
		if (!shown.there || is_left(notes, name, &shown))
			break;
		if (!numbers || n > NUMBERS_MOST)
			return taken(inst, name, &shown, err);
		provision_name_number(base, n, name);
	}
	if (rc < 0)
		return rc;
	snprintf(p->database, sizeof(p->database), "%s", name);
	p->pending = p->looked = true;
	p->own = false;
	inst->dialect = &odbc_tsql;
	return ETL_OK;
}

int provision_choose(struct etl_instance *inst, struct etl_error *err)
{
	struct provision_notes notes;
	int rc = provision_notes_read(inst, &notes, err);

	if (rc == ETL_OK)
		rc = choose(inst, &notes, err);
	provision_notes_free(&notes);
	return rc;
}

/* ---- Looking --------------------------------------------------------------------------------------------------------- */

static void settle(struct etl_instance *inst, const char *database, bool pending)
{
	struct odbc_provision *p = inst->provision;

	snprintf(p->database, sizeof(p->database), "%s", database);
	p->pending = pending;
	p->looked = true;
	if (pending)
		inst->dialect = &odbc_tsql;
}

static const struct provision_note *last(const struct provision_notes *notes, bool published)
{
	for (size_t i = notes->count; i-- > 0;)
		if (notes->at[i].published == published)
			return &notes->at[i];
	return NULL;
}

/* A run that did not end may have come to nothing. */
static int look_left(struct etl_instance *inst, const struct provision_note *note, struct etl_error *err)
{
	struct provision_shown shown;
	int rc = odbc_azure_refuse_driver(inst, err);

	if (rc == ETL_OK)
		rc = provision_find_server(inst, err);
	if (rc == ETL_OK)
		rc = provision_show(inst, note->database, &shown, err);
	if (rc == ETL_OK)
		settle(inst, note->database, !shown.there || strcmp(shown.run, note->run) != 0);
	return rc;
}

static int look_at(struct etl_instance *inst, const struct provision_notes *notes, struct etl_error *err)
{
	const struct provision_note *own = provision_notes_find(notes, inst->host->run);
	char name[ODBC_NAME_ROOM] = "";
	bool known;
	int rc;

	if (own) {
		settle(inst, own->database, false);
		inst->provision->own = true;
		return ETL_OK;
	}
	if (inst->host->intent == ETL_BEGINS)
		return choose(inst, notes, err);
	if (last(notes, false))
		return look_left(inst, last(notes, false), err);
	if (last(notes, true)) {
		settle(inst, last(notes, true)->database, false);
		return ETL_OK;
	}
	if (inst->host->intent == ETL_RESUMES)
		return choose(inst, notes, err);
	rc = base_name(inst, name, &known, err);
	if (rc == ETL_OK)
		settle(inst, name, !known);
	return rc;
}

int odbc_provision_pending(struct etl_instance *inst, bool *ret, struct etl_error *err)
{
	struct provision_notes notes;
	int rc = ETL_OK;

	*ret = false;
	if (!inst->provision)
		return ETL_OK;
	if (!inst->provision->looked) {
		rc = odbc_environment(inst, err);
		if (rc == ETL_OK)
			rc = provision_notes_read(inst, &notes, err);
		if (rc == ETL_OK) {
			rc = look_at(inst, &notes, err);
			provision_notes_free(&notes);
		}
	}
	if (rc == ETL_OK)
		*ret = inst->provision->pending;
	return rc;
}

/* ---- Databases of other runs ------------------------------------------------------------------------------------------- */

int odbc_provision_enter(struct etl_instance *inst, const struct provision_note *note,
			 int (*each)(struct etl_instance *, void *, struct etl_error *), void *data, struct etl_error *err)
{
	struct odbc_provision was = *inst->provision;
	const struct odbc_dialect *dialect = inst->dialect;
	struct provision_shown shown;
	int rc = odbc_environment(inst, err);

	if (rc == ETL_OK)
		rc = provision_find_server(inst, err);
	was = *inst->provision;
	if (rc == ETL_OK)
		rc = provision_show(inst, note->database, &shown, err);
	if (rc < 0 || !shown.there || strcmp(shown.run, note->run) != 0)
		return rc;
	odbc_disconnect(inst);
	settle(inst, note->database, false);
	rc = odbc_db(inst, err);
	if (rc == ETL_OK)
		rc = each(inst, data, err);
	odbc_disconnect(inst);
	*inst->provision = was;
	inst->dialect = dialect ? dialect : &odbc_tsql;
	return rc;
}

int odbc_provision_each(struct etl_instance *inst, int (*each)(struct etl_instance *, void *, struct etl_error *), void *data,
			struct etl_error *err)
{
	struct provision_notes notes;
	int rc = provision_notes_read(inst, &notes, err);

	for (size_t i = 0; rc == ETL_OK && i < notes.count; i++)
		if (!notes.at[i].published)
			rc = odbc_provision_enter(inst, &notes.at[i], each, data, err);
	provision_notes_free(&notes);
	return rc;
}

/* ---- A run ---------------------------------------------------------------------------------------------------------------- */

int odbc_provision_undo(struct etl_instance *inst, const struct etl_run *run, int rc)
{
	struct provision_notes notes;
	const struct provision_note *note;

	if (rc == ETL_OK || !inst->provision || !inst->provision->made)
		return rc;
	/* The failure is told already: another one can only be logged. */
	if (provision_notes_read(inst, &notes, NULL) == ETL_OK) {
		note = provision_notes_find(&notes, run->id);
		if (note && provision_take_away(inst, note, NULL) < 0)
			inst->host->log(inst->host, ETL_LOG_WARN,
					"the database \"%s\" on server \"%s\" could not be deleted; the next run tries again, or: az sql db "
					"delete --name \"%s\" --server %s --resource-group \"%s\"",
					note->database, note->server, note->database, note->server, note->group);
		provision_notes_free(&notes);
	}
	return rc;
}

int odbc_provision_begin(struct etl_instance *inst, const struct etl_run *run, struct etl_error *err)
{
	int rc = ETL_OK;

	if (!inst->provision || inst->host->intent == ETL_LOOKS || (inst->provision->own && inst->connected))
		return ETL_OK;
	rc = odbc_environment(inst, err);
	if (rc == ETL_OK)
		rc = provision_make(inst, run->id, err);
	return odbc_provision_undo(inst, run, rc);
}

void odbc_provision_keep(struct etl_instance *inst, const char *run)
{
	struct provision_notes notes = { 0 };
	struct provision_note *note;

	if (!inst->provision)
		return;
	if (provision_notes_read(inst, &notes, NULL) == ETL_OK && (note = provision_notes_find(&notes, run)) && !note->published) {
		note->published = true;
		if (provision_note_put(inst, note, NULL) < 0)
			inst->host->log(inst->host, ETL_LOG_WARN,
					"that run %s is published could not be noted beside the state; the next run asks the database itself",
					run);
	}
	provision_notes_free(&notes);
}

int odbc_provision_abort(struct etl_instance *inst, const struct etl_token *token, bool *ret, struct etl_error *err)
{
	struct provision_notes notes;
	const struct provision_note *note = NULL;
	bool pending = false;
	int rc;

	*ret = false;
	if (!inst->provision)
		return ETL_OK;
	rc = provision_notes_read(inst, &notes, err);
	for (size_t i = 0; rc == ETL_OK && !note && i < notes.count; i++) {
		struct etl_token stage = { "" };

		odbc_stage_of_run(notes.at[i].run, &stage);
		if (strcmp(stage.text, token->text) == 0)
			note = &notes.at[i];
	}
	if (rc == ETL_OK && note && !note->published) {
		*ret = true;
		rc = provision_take_away(inst, note, err);
	} else if (rc == ETL_OK) {
		rc = odbc_provision_pending(inst, &pending, err);
		*ret = pending;
	}
	provision_notes_free(&notes);
	return rc;
}

/* ---- What people see ----------------------------------------------------------------------------------------------------- */

int odbc_provision_ping(struct etl_instance *inst, struct etl_fact_sink *sink, struct etl_error *err)
{
	const struct odbc_provision *p = inst->provision;
	struct etl_text text = { 0 };
	int rc = sink->emit(sink, "server", p->server);

	if (*p->database)
		etl_text_addf(&text, "%s (not there yet: `etlrun run` makes it)", p->database);
	else
		etl_text_add(&text, "not made yet; it is named after the source");
	if (rc == ETL_OK)
		rc = text.failed ? odbc_no_memory(inst, err) : sink->emit(sink, "database", text.at);
	if (rc == ETL_OK && *p->group)
		rc = sink->emit(sink, "resource group", p->group);
	if (rc == ETL_OK && *p->region)
		rc = sink->emit(sink, "region", p->region);
	if (rc == ETL_OK)
		rc = sink->emit(sink, "dialect", odbc_tsql.name);
	etl_text_free(&text);
	return rc;
}

int odbc_provision_design(struct etl_instance *inst, struct etl_step_sink *sink, struct etl_error *err)
{
	struct etl_step step = { .phase = ETL_PHASE_PREPARE, .verdict = ETL_EXACT, .kind = "database", .load = UINT64_MAX };
	struct etl_text note = { 0 };
	bool pending;
	int rc = odbc_provision_pending(inst, &pending, err);

	if (rc < 0 || !inst->provision || inst->host->intent == ETL_LOOKS)
		return rc;
	etl_text_add(&note, "made before the first connection, by ");
	provision_add_command(&note, inst, inst->provision->database, "RUN");
	step.object = inst->provision->database;
	step.note = note.at;
	rc = note.failed ? odbc_no_memory(inst, err) : sink->emit(sink, &step);
	etl_text_free(&note);
	return rc;
}
