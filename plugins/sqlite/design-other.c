/*
 * What is no table: views and triggers, which come last; the settings of the database; and what SQLite keeps
 * for modules or does not have, which is left out with its reason.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "given.h"
#include "into.h"

static int skip(struct design *d, const char *kind, const char *why)
{
	struct etl_text note = { 0 };
	int rc;

	etl_text_add(&note, why);
	if (d->table->ddl)
		etl_text_addf(&note, "; its text: %s", d->table->ddl);
	rc = note.failed ? design_no_memory(d) :
			   design_step(d, ETL_PHASE_LAST, ETL_SKIPPED, kind, d->table->name, NULL,
				       note.at);
	etl_text_free(&note);
	return rc;
}

static int design_program(struct design *d, const char *kind)
{
	if (d->load && d->load->run->flags & ETL_RUN_DATA_ONLY)
		return skip(d, kind, "--data-only brings rows only");
	if (!d->same)
		return skip(d, kind,
			    "it is written in another dialect, and statements are not translated");
	if (!d->table->ddl)
		return skip(d, kind, "its text is not known in the new names");
	return design_step(d, ETL_PHASE_LAST, ETL_EXACT, kind, d->table->name, d->table->ddl, NULL);
}

/* ---- Settings -------------------------------------------------------------------------------------------- */

static int design_page_size(struct design *d, const char *sql)
{
	char own[64];
	int64_t size;

	if (!d->inst->conf || !d->inst->host->given(d->inst->conf, "page_size"))
		return design_step(d, ETL_PHASE_PREPARE, ETL_EXACT, "setting", "page_size", sql,
				   NULL);
	size = d->inst->host->num(d->inst->conf, "page_size");
	snprintf(own, sizeof(own), "PRAGMA page_size = %lld", (long long)size);
	return design_step(d, ETL_PHASE_PREPARE, ETL_APPROXIMATED, "setting", "page_size", own,
			   "as the option page_size says");
}

static int design_setting(struct design *d, const char *name, const char *sql)
{
	if (strcmp(name, "page_size") == 0)
		return design_page_size(d, sql);
	if (strcmp(name, "encoding") == 0 || strcmp(name, "auto_vacuum") == 0)
		return design_step(d, ETL_PHASE_PREPARE, ETL_EXACT, "setting", name, sql, NULL);
	if (strcmp(name, "user_version") == 0 && sqlite_wanted_version(d->inst))
		return design_step(d, ETL_PHASE_FINISH, ETL_APPROXIMATED, "setting", name, NULL,
				   "the option user_version says another");
	if (strcmp(name, "user_version") == 0 || strcmp(name, "application_id") == 0)
		return design_step(d, ETL_PHASE_FINISH, ETL_EXACT, "setting", name, sql, NULL);
	if (strcmp(name, "journal_mode") == 0)
		return design_step(d, ETL_PHASE_FINISH, ETL_EXACT, "setting", name, sql,
				   "unless the option journal_mode or the file that is replaced "
				   "says otherwise");
	return design_step(d, ETL_PHASE_FINISH, ETL_SKIPPED, "setting", name, NULL,
			   "this setting is not taken over");
}

/* One line: "PRAGMA name = value", or ANALYZE. */
static int design_line(struct design *d, char *line)
{
	char name[64];
	size_t n;

	if (strcmp(line, "ANALYZE") == 0)
		return design_step(d, ETL_PHASE_LAST, ETL_EXACT, "statistics", d->table->name,
				   "ANALYZE", "counted again, as the source keeps them too");
	if (strncmp(line, "PRAGMA ", 7) != 0)
		return ETL_OK;
	n = strcspn(line + 7, " =");
	if (n >= sizeof(name))
		return ETL_OK;
	memcpy(name, line + 7, n);
	name[n] = '\0';
	return design_setting(d, name, line);
}

static int design_database(struct design *d)
{
	char *text, *line, *rest = NULL;
	int rc = ETL_OK;

	if (!d->table->ddl)
		return ETL_OK;
	if (!d->same || (d->load && d->load->run->flags & ETL_RUN_DATA_ONLY))
		return skip(d, "setting",
			    d->same ? "--data-only brings rows only" :
				      "the settings of another database mean nothing here");
	text = strdup(d->table->ddl);
	if (!text)
		return design_no_memory(d);
	for (line = strtok_r(text, ";\n", &rest); !rc && line; line = strtok_r(NULL, ";\n", &rest))
		rc = design_line(d, line);
	free(text);
	return rc;
}

int design_settings(struct design *d, const struct etl_table *table)
{
	struct design one = { .inst = d->inst,
			      .table = table,
			      .sink = d->sink,
			      .err = d->err,
			      .same = true };

	return design_database(&one);
}

/* The schema file says what the database holds. */
static int skip_other(struct design *d)
{
	static const char *const kinds[] = { "table",	      "view",	      "trigger",
					     "virtual table", "shadow table", "sequence" };

	if (d->table->kind == ETL_DATABASE)
		return design_step(d, ETL_PHASE_LAST, ETL_EXACT, "setting", d->table->name, NULL,
				   "as schema_file says, whatever the source's are");
	return skip(d, kinds[d->table->kind],
		    "schema_file says what the database holds beside the rows");
}

/* append and merge bring rows: the rest of a database that is there is its owner's. */
static int design_into(struct design *d)
{
	static const char *const kinds[] = { "table", "view", "trigger" };

	if (d->table->kind == ETL_DATABASE)
		return design_step(d, ETL_PHASE_LAST, ETL_EXACT, "setting", d->table->name, NULL,
				   "the target keeps its own settings");
	if (d->load->existing)
		return design_step(d, ETL_PHASE_LAST, ETL_EXACT, kinds[d->table->kind],
				   d->table->name, NULL, "the target's own stays as it is");
	return skip(d, kinds[d->table->kind],
		    "append and merge bring rows and missing tables; make it in the target");
}

int design_other(struct design *d)
{
	if (d->load && into_runs(d->load->run) &&
	    (d->table->kind == ETL_DATABASE || d->table->kind == ETL_VIEW ||
	     d->table->kind == ETL_TRIGGER))
		return design_into(d);
	if (sqlite_given_asked(d->inst) && d->table->kind <= ETL_DATABASE)
		return skip_other(d);
	switch (d->table->kind) {
	case ETL_VIEW:
		return design_program(d, "view");
	case ETL_TRIGGER:
		return design_program(d, "trigger");
	case ETL_VIRTUAL_TABLE:
		return skip(d, "virtual table",
			    "its rows belong to a module that may not be there; make it again and "
			    "fill it from its content");
	case ETL_SHADOW_TABLE:
		return skip(d, "shadow table",
			    own_is(d->table->name) ?
				    "it is what etlrun wrote down of runs into the source" :
				    "it is the storage of a virtual table and comes with that");
	case ETL_SEQUENCE:
		return skip(
			d, "sequence",
			"SQLite has no sequences; AUTOINCREMENT columns keep their own counter");
	case ETL_TYPE_DEFINITION:
		return design_step(d, ETL_PHASE_LAST, ETL_WIDENED, "type", d->table->name, NULL,
				   "SQLite has no types of one's own; columns of it are what it is "
				   "made of, without its rules");
	case ETL_DATABASE:
		return design_database(d);
	default:
		return skip(d, "object", "this version does not know what it is");
	}
}
