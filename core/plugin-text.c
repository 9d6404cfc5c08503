/*
 * The words for flags and optional members. They are promises to the person who chooses a plugin,
 * so what it cannot do is said as well.
 */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "plugin-text.h"

typedef void promise_line(const char *role, const char *text, void *data);

static void append(char *buf, size_t size, const char *separator, const char *word)
{
	size_t used = strlen(buf);

	snprintf(buf + used, size - used, "%s%s", used ? separator : "", word);
}

void plugin_roles(const struct plugin *p, char *buf, size_t size)
{
	buf[0] = '\0';
	if (p->has_source)
		append(buf, size, ", ", "source");
	if (p->has_target)
		append(buf, size, ", ", "target");
	if (p->has_transform)
		append(buf, size, ", ", "transform");
	if (p->has_validator)
		append(buf, size, ", ", "validator");
}

/* ---- Promises -------------------------------------------------------------------------------- */

static void store_promises(const struct plugin *p, promise_line *line, void *data)
{
	if (p->store.flags & ETL_DYNAMIC)
		line("store", "dynamic types: any value may stand in any column", data);
	if (p->store.flags & ETL_UNENFORCED_KEYS)
		line("store", "foreign keys may be broken in it", data);
	if (p->store.flags & ETL_FROM_SHAPES && p->has_source)
		line("store", "a table is what the pipeline says in `from`; it need not be listed", data);
	if (p->store.flags & ETL_FILES && p->has_source)
		line("store", "files: rows that do not fit are rejected unless on_error = \"stop\"", data);
	line("store",
	     p->can_digests ? "computes row hashes itself for diff, where they are the same as ours" :
			      "row hashes are computed by etlrun, from the rows",
	     data);
	line("store",
	     p->can_totals ? "adds its columns up itself, where that is exact" :
			     "columns are added up by etlrun, from the rows",
	     data);
}

static void source_promises(const struct plugin *p, promise_line *line, void *data)
{
	line("source",
	     p->can_pin ? "all readers see one consistent view of the data" :
			  "no consistent view: a row that changes during the run may be seen "
			  "before or after",
	     data);
	line("source",
	     p->can_split ? "a table is read in parts, by several workers" :
			    "a table is read in one piece, by one worker",
	     data);
	if (p->can_profile)
		line("source", "looks at every value before types are chosen", data);
	if (p->can_propose)
		line("source", "discover proposes the entries of `tables`", data);
	if (p->can_watermark)
		line("source", "can say how far a cursor column has come", data);
}

static void target_promises(const struct plugin *p, promise_line *line, void *data)
{
	uint32_t flags = p->target.flags;
	char text[80];

	line("target",
	     flags & ETL_RESUMABLE ? "resumable: what was staged outlives the process" :
				     "not resumable: a run that was interrupted starts again",
	     data);
	line("target",
	     flags & ETL_ATOMIC_RUN ? "atomic run: every table is published, or none" :
				      "no atomic run: tables are published one after the other",
	     data);
	line("target", flags & ETL_DDL ? "makes tables, keys and indexes" : "makes no tables",
	     data);
	line("target",
	     !(flags & ETL_KEEPS_STATE) ? "the run's state is kept beside it" :
	     flags & ETL_COPY_BESIDE ? "keeps the run's state with the rows, in one transaction; of a "
				       "copy, beside it" :
				       "keeps the run's state with the rows, in one transaction",
	     data);
	if (flags & (ETL_APPENDS | ETL_MERGES))
		line("target",
		     !(flags & ETL_MERGES)  ? "appends to tables that are there" :
		     !(flags & ETL_APPENDS) ? "merges into tables that are there" :
					      "appends to and merges into tables that are there",
		     data);
	if (p->can_revert)
		line("target", "can take a published run back", data);
	line("target",
	     p->can_staged ? "rows can be validated before they are published" :
			     "rows cannot be read back before they are published",
	     data);
	if (flags & ETL_REFERENCES)
		line("target", "finds rows whose values another table does not have", data);
	if (flags & ETL_IN_ORDER)
		line("target",
		     "in order: splits are loaded in the order of the source, so equal input gives "
		     "equal bytes",
		     data);
	if (p->target.max_instances > 0) {
		snprintf(text, sizeof(text), "at most %d writer%s at a time",
			 (int)p->target.max_instances, p->target.max_instances == 1 ? "" : "s");
		line("target", text, data);
	}
	if (p->can_version)
		line("target", "may carry a version, which run --if-needed compares", data);
	if (p->can_same)
		line("target", "plan names keys of which it would take several for one", data);
	if (p->can_repair)
		line("target", "diff --sql writes the SQL that makes it equal to the source", data);
}

static void transform_promises(const struct plugin *p, promise_line *line, void *data)
{
	static const char *const rows[] = {
		[ETL_ROWS_SAME] = "one row out for each row in",
		[ETL_ROWS_FEWER] = "a row goes on or is left out",
		[ETL_ROWS_ANY] = "any number of rows out",
	};

	if (p->transform.rows >= 0 && (size_t)p->transform.rows < sizeof(rows) / sizeof(rows[0]))
		line("transform", rows[p->transform.rows], data);
	line("transform",
	     p->can_derive ? "decides the shape of the table" : "leaves the shape of the table",
	     data);
	line("transform",
	     p->transform.flags & ETL_REPEATS ?
		     "repeats: the same rows in, the same rows out, every time" :
		     "does not repeat: `etlrun validate` cannot replay it",
	     data);
}

static void validator_promises(const struct plugin *p, promise_line *line, void *data)
{
	if (p->can_wrap)
		line("validator", "looks at each row on its way", data);
	if (p->can_check)
		line("validator", "looks at what will be published, beside what came from the source", data);
	if (p->can_inspect)
		line("validator", "looks at the shape of the table before any row moves", data);
	if (p->can_needs || (p->can_check && p->validator.flags & ETL_ADDS_UP))
		line("validator", "the source's side is computed while the rows are loaded", data);
}

void plugin_promises(const struct plugin *p, promise_line *line, void *data)
{
	if (p->has_store)
		store_promises(p, line, data);
	if (p->has_source)
		source_promises(p, line, data);
	if (p->has_target)
		target_promises(p, line, data);
	if (p->has_transform)
		transform_promises(p, line, data);
	if (p->has_validator)
		validator_promises(p, line, data);
}

/* ---- Options --------------------------------------------------------------------------------- */

static const char *const kinds[] = {
	[ETL_OPT_TEXT] = "text",
	[ETL_OPT_INT] = "number",
	[ETL_OPT_FLAG] = "true|false",
	[ETL_OPT_CHOICE] = "choice",
	[ETL_OPT_SIZE] = "size",
	[ETL_OPT_DURATION] = "duration",
	[ETL_OPT_PERCENT] = "percent",
	[ETL_OPT_PATH] = "path",
	[ETL_OPT_URI] = "URI",
	[ETL_OPT_SECRET] = "secret",
	[ETL_OPT_LIST] = "list of texts",
	[ETL_OPT_PAIRS] = "list of pairs",
	[ETL_OPT_GROUP] = "group",
	[ETL_OPT_GROUPS] = "list of groups",
};

const char *plugin_option_type(const struct etl_option *o, char *buf, size_t size)
{
	if (o->kind == ETL_OPT_CHOICE)
		return o->choices;
	if (o->kind != ETL_OPT_INT || (o->min == 0 && o->max == 0))
		return kinds[o->kind];
	if (o->max == INT64_MAX)
		snprintf(buf, size, "number from %" PRId64, o->min);
	else
		snprintf(buf, size, "number %" PRId64 "..%" PRId64, o->min, o->max);
	return buf;
}

void plugin_option_scope(const struct etl_option *o, char *buf, size_t size)
{
	const uint32_t places = ETL_OPT_PER_STORE | ETL_OPT_PER_TABLE | ETL_OPT_PER_COLUMN;

	buf[0] = '\0';
	if (o->flags & ETL_OPT_SOURCE)
		append(buf, size, ", ", "source");
	if (o->flags & ETL_OPT_TARGET)
		append(buf, size, ", ", "target");
	if ((o->flags & places) == ETL_OPT_PER_STORE || !(o->flags & places))
		return;
	if (o->flags & ETL_OPT_PER_STORE)
		append(buf, size, ", ", "the store");
	if (o->flags & ETL_OPT_PER_TABLE)
		append(buf, size, ", ", "a table");
	if (o->flags & ETL_OPT_PER_COLUMN)
		append(buf, size, ", ", "a column");
}
