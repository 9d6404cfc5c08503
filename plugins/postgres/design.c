/*
 * From the description of an object to the steps that make it, with a verdict for each of its parts. What
 * `plan` prints and what `run` does both come from here.
 */
#include "config.h"

#include <stdio.h>
#include <strings.h>

#include "design.h"

int postgres_design_no_memory(struct design *d)
{
	return d->inst->host->fail(d->err, ETL_MEMORY, NULL, 0,
				   "no memory to design \"%s\"", d->table->name);
}

int postgres_design_step(struct design *d, int32_t phase, int32_t verdict, const char *kind,
		const char *object, const char *sql, const char *note)
{
	struct etl_step step = { .phase = phase,
				 .verdict = verdict,
				 .kind = kind,
				 .object = object,
				 .sql = sql,
				 .note = note,
				 .load = d->load ? d->load->index : UINT64_MAX };

	return d->sink->emit(d->sink, &step);
}

int postgres_design_part(struct design *d, int32_t phase, int32_t verdict, const char *kind, const char *part,
		struct etl_text *sql, const char *note)
{
	struct etl_text object = { 0 };
	int rc;

	etl_text_add(&object, d->table->name);
	if (part)
		etl_text_addf(&object, ".%s", part);
	rc = object.failed || (sql && sql->failed) ?
		     postgres_design_no_memory(d) :
		     postgres_design_step(d, phase, verdict, kind, object.at, sql ? sql->at : NULL, note);
	etl_text_free(&object);
	if (sql)
		etl_text_free(sql);
	return rc;
}

int design_skip(struct design *d, const char *kind, const char *part, const char *why,
		const char *text)
{
	struct etl_text note = { 0 };
	int rc;

	etl_text_addf(&note, "%s%s%s", why, text ? "; its text: " : "", text ? text : "");
	rc = note.failed ? postgres_design_no_memory(d) :
			   postgres_design_part(d, ETL_PHASE_PREPARE, ETL_SKIPPED, kind, part, NULL, note.at);
	etl_text_free(&note);
	return rc;
}

const struct etl_column *postgres_design_column(const struct design *d, const char *name)
{
	const struct etl_column *other_case = NULL;
	size_t i;

	for (i = 0; i < d->table->column_count; i++) {
		const struct etl_column *c = ETL_AT(const struct etl_column, d->table->columns,
						    d->table->column_size, i);

		if (strcmp(c->name, name) == 0)
			return c;
		if (!d->same && strcasecmp(c->name, name) == 0)
			other_case = c;
	}
	return other_case;
}

/* A ctid is a row's own only within its partition. */
const char *design_partitions(const struct design *d)
{
	const char *at = d->same && d->table->ddl ? strstr(d->table->ddl, "\n) PARTITION BY ") : NULL;

	return at ? at + strlen("\n)") : NULL;
}

bool design_looks(const struct design *d)
{
	return d->run && d->run->flags & ETL_RUN_REJECT && !design_partitions(d);
}

/* What stands in the table's own statement only: its line of the constraint NAME. */
static const char *constraint_text(const struct design *d, const char *name, size_t *ret_length)
{
	static const char begin[] = ",\n\tCONSTRAINT ";
	struct etl_text head = { 0 };
	const char *at, *end;

	etl_text_add(&head, begin);
	etl_text_add_name(&head, name ? name : "", '"');
	etl_text_add(&head, " ");
	at = d->same && name && d->table->ddl && head.at ? strstr(d->table->ddl, head.at) : NULL;
	at = at ? at + head.length : NULL;
	etl_text_free(&head);
	if (!at)
		return NULL;
	end = strstr(at, begin);
	end = end ? end : strstr(at, "\n)");
	*ret_length = end ? (size_t)(end - at) : strlen(at);
	return at;
}

bool design_is_unproven(const struct design *d, const char *name)
{
	static const char words[] = " NOT VALID";
	size_t length, tail = sizeof(words) - 1;
	const char *at = constraint_text(d, name, &length);

	return at && length > tail && memcmp(at + length - tail, words, tail) == 0;
}

void design_add_set_columns(const struct design *d, const char *name, struct etl_text *sql)
{
	static const char words[] = " ON DELETE SET ";
	size_t length;
	const char *at = constraint_text(d, name, &length), *set = at ? strstr(at, words) : NULL;
	struct etl_text columns = { 0 };

	if (!set || set > at + length)
		return;
	set += sizeof(words) - 1;
	set += strcspn(set, " \n,");
	if (strncmp(set, " (", 2) != 0)
		return;
	for (bool quoted = false; set < at + length; set++) {
		etl_text_add_bytes(&columns, set, 1);
		quoted ^= *set == '"';
		if (!quoted && *set == ')')
			break;
	}
	design_add_renamed(d, columns.at ? columns.at : "", sql);
	sql->failed |= columns.failed;
	etl_text_free(&columns);
}

bool design_stays(const struct design *d)
{
	if (!d->run || !d->load->existing)
		return false;
	return d->run->mode != ETL_COPY || d->run->flags & ETL_RUN_DATA_ONLY ||
	       d->run->on_existing == ETL_EXISTING_TRUNCATE;
}

void design_add_columns(struct etl_text *to, const char *prefix, const char *const *columns,
			size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		etl_text_add(to, i ? ", " : "");
		if (prefix)
			etl_text_addf(to, "%s.", prefix);
		postgres_add_name(to, NULL, columns[i]);
	}
}

void design_add_block(struct etl_text *to, const struct etl_text *body)
{
	char tag[32] = "$etlrun$";
	unsigned int n;

	for (n = 1; body->at && strstr(body->at, tag); n++)
		snprintf(tag, sizeof(tag), "$etlrun%u$", n);
	to->failed = to->failed || body->failed;
	etl_text_addf(to, "DO %s %s %s", tag, body->at ? body->at : "", tag);
}

/* ---- Names ---------------------------------------------------------------------------------------------- */

static bool holds(const char *text, const char *part)
{
	size_t n = strlen(part);

	for (; *text; text++) {
		if (strncasecmp(text, part, n) == 0)
			return true;
	}
	return false;
}

const char *design_own_name(const struct design *d, const char *name, char *buf)
{
	struct etl_text own = { 0 };
	char whole[512];

	if (d->same || (holds(name, d->table->name) && strcasecmp(name, d->table->name) != 0))
		return postgres_short_name(name, buf);
	etl_text_addf(&own, "%s_%s", d->table->name, name);
	if (own.failed || own.length >= sizeof(whole)) {
		etl_text_free(&own);
		return postgres_short_name(name, buf);
	}
	memcpy(whole, own.at, own.length + 1);
	etl_text_free(&own);
	name = postgres_short_name(whole, buf);
	if (name == whole)
		memcpy(buf, whole, strlen(whole) + 1);
	return buf;
}

/* ---- The whole ------------------------------------------------------------------------------------------- */

/* How the run ends, said once. */
static int show_end(struct design *d)
{
	const char *schema = postgres_target_schema(d->inst, d->table);
	int rc;

	if (!d->load || d->load->index != 0)
		return ETL_OK;
	rc = postgres_design_step(d, ETL_PHASE_PUBLISH, ETL_EXACT, "schema", schema, NULL,
			 "what was staged goes into it in one transaction, together with the run's "
			 "state");
	return rc ? rc :
		    postgres_design_step(d, ETL_PHASE_DISCARD, ETL_EXACT, "schema", schema, NULL,
				"the run's own staging schema is dropped; this one was never "
				"touched");
}

int postgres_design(struct etl_instance *inst, const struct etl_table *table,
		    const struct etl_load *load, struct etl_step_sink *sink, struct etl_error *err)
{
	struct design d = { .inst = inst,
			    .table = table,
			    .load = load,
			    .run = load ? load->run : NULL,
			    .sink = sink,
			    .err = err,
			    .same = table->dialect && strcmp(table->dialect, "postgresql") == 0,
			    .sqlite = table->dialect && strcmp(table->dialect, "sqlite") == 0 };
	int rc;

	if (table->kind != ETL_TABLE)
		rc = postgres_design_other(&d);
	else if (design_stays(&d))
		rc = design_staying(&d);
	else
		rc = postgres_design_table(&d);
	return rc ? rc : show_end(&d);
}
