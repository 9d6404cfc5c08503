/*
 * What is no table: views and triggers, which come last; what another store keeps for itself, which is left out
 * with its reason.
 */
#include "config.h"

#include "design.h"

static int skip(struct design *d, const char *kind, const char *why)
{
	struct etl_text note = { 0 };
	int rc;

	etl_text_addf(&note, "%s%s%s", why, d->table->ddl ? "; its text: " : "",
		      d->table->ddl ? d->table->ddl : "");
	rc = note.failed ? design_no_memory(d) :
			   design_step(d, ETL_PHASE_LAST, ETL_SKIPPED, kind, d->table->name, NULL,
				       note.at);
	etl_text_free(&note);
	return rc;
}

static int design_program(struct design *d, const char *kind)
{
	if (d->run && d->run->flags & ETL_RUN_DATA_ONLY)
		return skip(d, kind, "--data-only brings rows only");
	if (d->run && d->run->mode != ETL_COPY)
		return d->load->existing ?
			       design_step(d, ETL_PHASE_LAST, ETL_EXACT, kind, d->table->name, NULL,
					   "the target's own stays as it is") :
			       skip(d, kind,
				    "append and merge bring rows and missing tables; make it in the "
				    "target");
	if (!d->same)
		return skip(d, kind,
			    "it is written in another dialect, and statements are not translated");
	if (!d->table->ddl)
		return skip(d, kind, "its text is not known in the new names");
	return design_step(d, ETL_PHASE_LAST, ETL_EXACT, kind, d->table->name, d->table->ddl, NULL);
}

int design_other(struct design *d)
{
	switch (d->table->kind) {
	case ETL_VIEW:
		return design_program(d, "view");
	case ETL_TRIGGER:
		return design_program(d, "trigger");
	case ETL_VIRTUAL_TABLE:
		return skip(d, "virtual table",
			    "its rows belong to a module of the source; bring them with query = "
			    "\"SELECT …\"");
	case ETL_SHADOW_TABLE:
		return skip(d, "shadow table", "it is the storage of a virtual table");
	case ETL_SEQUENCE:
		return d->same && d->table->ddl ?
			       design_step(d, ETL_PHASE_PREPARE, ETL_EXACT, "sequence",
					   d->table->name, d->table->ddl, NULL) :
			       skip(d, "sequence", "it is written in another dialect");
	case ETL_TYPE_DEFINITION:
		return d->same && d->table->ddl ?
			       design_step(d, ETL_PHASE_PREPARE, ETL_EXACT, "type", d->table->name,
					   d->table->ddl, NULL) :
			       skip(d, "type", "it is written in another dialect");
	case ETL_DATABASE:
		return d->same && d->table->ddl ?
			       design_step(d, ETL_PHASE_PREPARE, ETL_EXACT, "setting",
					   d->table->name, d->table->ddl, NULL) :
			       skip(d, "setting",
				    "the settings of another database mean nothing here");
	default:
		return skip(d, "object", "this version does not know what it is");
	}
}
