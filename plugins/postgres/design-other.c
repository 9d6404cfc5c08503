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
	rc = note.failed ? postgres_design_no_memory(d) :
			   postgres_design_step(d, ETL_PHASE_LAST, ETL_SKIPPED, kind, d->table->name, NULL,
				       note.at);
	etl_text_free(&note);
	return rc;
}

/* COMMENT ON WHAT name [ON table]. */
static int add_comment(struct design *d, const char *what)
{
	struct etl_text sql = { 0 };
	int rc;

	if (!d->table->comment)
		return ETL_OK;
	etl_text_addf(&sql, "COMMENT ON %s ", what);
	postgres_add_name(&sql, NULL, d->table->name);
	if (d->table->kind == ETL_TRIGGER && d->table->parent) {
		etl_text_add(&sql, " ON ");
		postgres_add_name(&sql, NULL, d->table->parent);
	}
	etl_text_add(&sql, " IS ");
	etl_text_add_literal(&sql, d->table->comment);
	rc = sql.failed ? postgres_design_no_memory(d) :
			  postgres_design_step(d, ETL_PHASE_LAST, ETL_EXACT, "comment", d->table->name, sql.at,
				      NULL);
	etl_text_free(&sql);
	return rc;
}

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* ---- Views and triggers ------------------------------------------------------------------------------------ */

/* In TEXT, in a block that says WORDS when CONDITION is raised. */
static void add_guarded(struct etl_text *to, const char *text, const char *condition,
			const char *words)
{
	struct etl_text body = { 0 };

	etl_text_addf(&body, "BEGIN\n%s;\nEXCEPTION WHEN %s THEN\n\tRAISE WARNING ", text,
		      condition);
	etl_text_add_literal(&body, words);
	etl_text_add(&body, ", SQLERRM;\nEND");
	design_add_block(to, &body);
	etl_text_free(&body);
}

static int design_view(struct design *d)
{
	bool kept = begins(d->table->ddl, "CREATE MATERIALIZED ");
	int rc = postgres_design_step(d, ETL_PHASE_LAST, ETL_EXACT, "view", d->table->name, d->table->ddl,
			     kept ? "filled when it is made" : NULL);

	return rc ? rc : add_comment(d, kept ? "MATERIALIZED VIEW" : "VIEW");
}

/* Its function is not carried: without one the trigger is left out, aloud, and the rows are not lost for it. */
static int design_trigger(struct design *d)
{
	struct etl_text sql = { 0 };
	int rc;

	add_guarded(&sql, d->table->ddl, "undefined_function",
		    "a trigger is left out until its function is there: %");
	rc = sql.failed ? postgres_design_no_memory(d) :
			  postgres_design_step(d, ETL_PHASE_LAST, ETL_EXACT, "trigger", d->table->name, sql.at,
				      "where the target has its function");
	etl_text_free(&sql);
	return rc;
}

static int design_program(struct design *d, const char *kind)
{
	if (d->run && d->run->flags & ETL_RUN_DATA_ONLY)
		return skip(d, kind, "--data-only brings rows only");
	if (d->run && d->run->mode != ETL_COPY)
		return d->load->existing ?
			       postgres_design_step(d, ETL_PHASE_LAST, ETL_EXACT, kind, d->table->name, NULL,
					   "the target's own stays as it is") :
			       skip(d, kind,
				    "append and merge bring rows and missing tables; make it in the "
				    "target");
	if (!d->same)
		return skip(d, kind,
			    "it is written in another dialect, and statements are not translated");
	if (!d->table->ddl)
		return skip(d, kind, "its text is not known in the new names");
	return d->table->kind == ETL_VIEW ? design_view(d) : design_trigger(d);
}

/* ---- Types and sequences -------------------------------------------------------------------------------------- */

/* Behind what a range says of functions that are not the server's own (describe-other.c) there is nothing else. */
static const char *range_functions(const char *ddl)
{
	const char *range = strstr(ddl, " AS RANGE ("), *at = strstr(ddl, "\n, SUBTYPE_DIFF = ");

	at = at ? at : strstr(ddl, "\n, CANONICAL = ");
	return range && range < at ? at : NULL;
}

/* Functions are not carried: without one that the target lacks the range is made all the same, aloud. */
static void add_type(struct etl_text *to, const char *ddl)
{
	const char *functions = range_functions(ddl);

	if (!functions) {
		etl_text_addf(to, "%s;\n", ddl);
		return;
	}
	etl_text_addf(to, "\tBEGIN\n%s;\n\tEXCEPTION WHEN undefined_function THEN\n\t\tRAISE WARNING ", ddl);
	etl_text_add_literal(to, "a range type is made without a function that the target does not have: %");
	etl_text_add(to, ", SQLERRM;\n");
	etl_text_add_bytes(to, ddl, (size_t)(functions - ddl));
	etl_text_add(to, ");\n\tEND;\n");
}

/* The schema it goes to may have it from a run before, and what stays there may use it: then that one is taken. */
static int design_type_of_its_own(struct design *d)
{
	bool less = d->same && d->table->ddl && range_functions(d->table->ddl);
	struct etl_text sql = { 0 }, name = { 0 }, body = { 0 };
	int rc;

	if (!d->same || !d->table->ddl)
		return skip(d, "type", "it is written in another dialect");
	postgres_add_name(&name, NULL, d->table->name);
	etl_text_add(&body, "BEGIN\n\tIF to_regtype(");
	etl_text_add_literal(&body, name.at ? name.at : "");
	etl_text_add(&body, ") IS NULL THEN\n");
	add_type(&body, d->table->ddl);
	etl_text_add(&body, "\tEND IF;\nEND");
	design_add_block(&sql, &body);
	etl_text_free(&body);
	rc = sql.failed || name.failed ?
		     postgres_design_no_memory(d) :
		     postgres_design_step(d, ETL_PHASE_PREPARE, less ? ETL_APPROXIMATED : ETL_EXACT, "type",
				 d->table->name, sql.at,
				 less ? "the target's own type of that name is used where it has one; functions are not "
					"carried: without its SUBTYPE_DIFF or CANONICAL, unless the target has that" :
					"the target's own type of that name is used where it has one");
	etl_text_free(&sql);
	etl_text_free(&name);
	return rc;
}

/* follow.c */
static const char *sequence_note(const struct etl_run *run)
{
	bool copies = !run || run->mode == ETL_COPY;

	if (run && run->flags & ETL_RUN_DATA_ONLY)
		return "the target's own stays as it is, and goes on after the last number of both and of the rows";
	if (copies && (!run || run->on_existing == ETL_EXISTING_FAIL))
		return "goes on after the last number";
	if (copies && run->on_existing == ETL_EXISTING_REPLACE)
		return "goes on after the last number; one of the target from which something takes that is not "
		       "replaced stays as it is, and goes on after the last number of both";
	return "goes on after the last number; where the target has one, that stays as it is, and goes on after the "
	       "last number of both and of the rows";
}

static int design_sequence(struct design *d)
{
	if (!d->same || !d->table->ddl)
		return skip(d, "sequence", "it is written in another dialect");
	return postgres_design_step(d, ETL_PHASE_PREPARE, ETL_EXACT, "sequence", d->table->name,
			   d->table->ddl, sequence_note(d->run));
}

int postgres_design_other(struct design *d)
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
		return design_sequence(d);
	case ETL_TYPE_DEFINITION:
		return design_type_of_its_own(d);
	case ETL_DATABASE:
		return skip(d, "setting", "the settings of another database mean nothing here");
	default:
		return skip(d, "object", "this version does not know what it is");
	}
}
