/*
 * A table that is made: its columns before the rows come, everything that looks at rows when they are there.
 */
#include "config.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "design.h"

#define COLUMNS_MOST 1600 /* of a table, as the server says */

#define EACH(d, type, member, i)                                                                   \
	ETL_AT(const struct type, (d)->table->member##s, (d)->table->member##_size, i)

/* ---- Columns -------------------------------------------------------------------------------------------- */

/* What becomes of a column: its line of the statement, and what is to be said. */
struct column {
	const struct etl_column *c;
	struct etl_text *sql, note;
	int32_t verdict;
};

static void say(struct column *column, int32_t verdict, const char *note)
{
	if (verdict > column->verdict)
		column->verdict = verdict;
	if (!note)
		return;
	etl_text_addf(&column->note, "%s%s", column->note.length ? "; " : "", note);
}

static int add_collation(struct design *d, struct column *column)
{
	const struct etl_column *c = column->c;

	if (!c->collation)
		return ETL_OK;
	if (d->same) {
		etl_text_add(column->sql, " COLLATE ");
		etl_text_add_name(column->sql, c->collation, '"');
		return ETL_OK;
	}
	if (d->sqlite && strcasecmp(c->collation, "NOCASE") == 0 && design_kind(d, c) == SQL_TEXT) {
		etl_text_add(column->sql, " COLLATE \"" DESIGN_NOCASE "\"");
		say(column, ETL_APPROXIMATED,
		    "NOCASE ignores the case of all letters here, not only of A to Z");
		return design_make_nocase(d);
	}
	if (design_kind(d, c) == SQL_TEXT)
		return design_skip(d, "collation", c->name,
				   "PostgreSQL has no such collation; the text compares by its "
				   "characters",
				   c->collation);
	return ETL_OK;
}

static bool in_key(const struct design *d, const struct etl_column *c)
{
	const struct etl_key *key = &d->table->primary;
	size_t i;

	for (i = 0; i < key->column_count; i++) {
		if (strcmp(key->columns[i], c->name) == 0)
			return true;
	}
	return false;
}

/* How it counts, and under which name when that is not the server's choice. */
static void add_identity_options(struct design *d, struct column *column)
{
	const struct etl_column *c = column->c;
	char buf[POSTGRES_NAME_MAX + 1];
	const char *sequence = design_sequence_name(d, c->name, buf), *options = NULL;

	/* Its bounds are those of the type that it had. */
	if (d->same && c->identity_sql && strncmp(c->identity_sql, "AS ", 3) != 0 && !(c->flags & ETL_RETYPED))
		options = c->identity_sql;
	else if (c->identity_sql)
		say(column, ETL_APPROXIMATED, "it counts up by one; how it counted in the source is left out");
	if (!options && !sequence)
		return;
	etl_text_add(column->sql, " (");
	if (sequence) {
		etl_text_add(column->sql, "SEQUENCE NAME ");
		etl_text_add_name(column->sql, sequence, '"');
		etl_text_add(column->sql, options ? " " : "");
	}
	etl_text_add(column->sql, options ? options : "");
	etl_text_add(column->sql, ")");
}

static void add_identity(struct design *d, struct column *column)
{
	const struct etl_column *c = column->c;

	if (design_kind(d, c) != SQL_INT) {
		say(column, ETL_APPROXIMATED, "a number is made for columns of integers only, so "
					      "rows must bring it");
		return;
	}
	etl_text_addf(column->sql, " GENERATED %s AS IDENTITY",
		      c->flags & ETL_IDENTITY_ALWAYS ? "ALWAYS" : "BY DEFAULT");
	add_identity_options(d, column);
	if (d->sqlite)
		say(column, ETL_EXACT, c->flags & ETL_NEVER_REUSED ?
					       "numbered when none is given" :
					       "numbered when none is given; a number that became "
					       "free is not given again");
}

/* Behind DEFAULT the grammar takes an expression without AT TIME ZONE, IS, IN and other words only in parentheses. */
static bool stands_apart(const char *sql)
{
	int depth = 0;
	char quote = '\0';

	for (const char *p = sql; *p; p++) {
		if (quote)
			quote = *p == quote ? '\0' : quote;
		else if (*p == '\'' || *p == '"')
			quote = *p;
		else if (depth == 0 && *p == ' ' && isupper((unsigned char)p[1]))
			return true;
		else
			depth += (*p == '(') - (*p == ')');
	}
	return strncmp(sql, "NOT ", 4) == 0;
}

static int add_default(struct design *d, struct column *column)
{
	const struct etl_column *c = column->c;
	struct sql_result result = { 0 };
	struct etl_text sql = { 0 };
	int rc = design_expression(d, c->default_sql, SQL_IN_DEFAULT, c, &sql, &result);

	if (rc == 1) {
		bool bare = !stands_apart(sql.at);

		etl_text_addf(column->sql, bare ? " DEFAULT %s" : " DEFAULT (%s)", sql.at);
		say(column, result.verdict, result.note);
	}
	etl_text_free(&sql);
	return rc == 0 ? design_skip(d, "default", c->name, result.why, c->default_sql) :
	       rc == 1 ? ETL_OK :
			 rc;
}

static int add_generated(struct design *d, struct column *column, bool *ret_fits)
{
	const struct etl_column *c = column->c;
	struct sql_result result = { 0 };
	struct etl_text sql = { 0 };
	int rc = design_expression(d, c->generated_sql ? c->generated_sql : "", SQL_IN_GENERATED, c,
				   &sql, &result);

	*ret_fits = rc == 1;
	if (rc == 1) {
		etl_text_addf(column->sql, " GENERATED ALWAYS AS (%s) STORED", sql.at);
		say(column, result.verdict, result.note);
		if (!(c->flags & ETL_STORED))
			say(column, ETL_APPROXIMATED, "stored, where it was computed when read");
		if (result.nocase)
			rc = design_make_nocase(d);
	}
	etl_text_free(&sql);
	return rc == 0 && !*ret_fits ?
		       design_skip(d, "generated column", c->name, result.why, c->generated_sql) :
	       rc == 1 ? ETL_OK :
			 rc;
}

/* nextval('name'::regclass) of a sequence that is the column's own, in the table's schema: its name as it must be
 * written; to be freed. NULL: it is none. */
static char *serial_of(const struct design *d, const struct etl_column *c)
{
	static const char head[] = "nextval('", tail[] = "'::regclass)";
	size_t n;

	if (!d->same || !c->default_sql || !(c->flags & ETL_IDENTITY) ||
	    strncmp(c->default_sql, head, strlen(head)) != 0)
		return NULL;
	n = strcspn(c->default_sql + strlen(head), "'.");
	return strcmp(c->default_sql + strlen(head) + n, tail) == 0 ?
		       strndup(c->default_sql + strlen(head), n) :
		       NULL;
}

static bool add_serial(struct design *d, struct column *column)
{
	char *name = serial_of(d, column->c);

	if (name)
		etl_text_addf(column->sql, " DEFAULT %s", column->c->default_sql);
	free(name);
	return name != NULL;
}

/* Values of PostgreSQL that rows have no place for: the source rejects them, with the word in parentheses. */
static const char *misses(const struct etl_column *c)
{
	switch (c->type) {
	case ETL_DATE:
		return "infinity and -infinity are rejected (infinity)";
	case ETL_TIMESTAMP:
	case ETL_INSTANT:
		return "infinity, -infinity (infinity) and what is after 294247-01-10 04:00:54.775807 (out_of_range) are rejected";
	case ETL_DECIMAL:
	case ETL_NUMERIC:
		return "NaN (not_a_number), Infinity and -Infinity (infinity) are rejected";
	default:
		return NULL;
	}
}

/* Its line is added to LINES; a generated column that cannot be is left out. */
static int design_column_line(struct design *d, const struct etl_column *c, struct etl_text *lines)
{
	struct etl_text line = { 0 };
	struct column column = { .c = c, .sql = &line };
	bool fits = true;
	int rc;

	etl_text_add(&line, "\t");
	postgres_add_name(&line, NULL, c->name);
	etl_text_add(&line, " ");
	design_add_type(d, c, &line, &column.verdict, &column.note);
	rc = add_collation(d, &column);
	if (!rc && c->flags & ETL_GENERATED)
		rc = add_generated(d, &column, &fits);
	else if (!rc && c->flags & ETL_IDENTITY && !add_serial(d, &column))
		add_identity(d, &column);
	else if (!rc && c->flags & ETL_IDENTITY)
		rc = ETL_OK;
	else if (!rc && c->default_sql)
		rc = add_default(d, &column);
	if (c->flags & ETL_NOT_NULL || in_key(d, c))
		etl_text_add(&line, " NOT NULL");
	if (in_key(d, c) && !(c->flags & ETL_NOT_NULL))
		say(&column, ETL_APPROXIMATED,
		    "a primary key takes no NULL, so a row with one is rejected");
	if (d->same && !(c->flags & (ETL_GENERATED | ETL_RETYPED)))
		say(&column, ETL_EXACT, misses(c));
	if (!rc && fits) {
		etl_text_addf(lines, "%s%s", lines->length ? ",\n" : "", line.at);
		lines->failed = lines->failed || line.failed || column.note.failed;
		rc = postgres_design_part(d, ETL_PHASE_PREPARE, column.verdict,
				 c->flags & ETL_GENERATED ? "generated column" : "column", c->name,
				 NULL, column.note.at);
	}
	etl_text_free(&line);
	etl_text_free(&column.note);
	return rc;
}

/* ---- The statement -------------------------------------------------------------------------------------------- */

/* Every table has them already. */
static int refuse_system_names(struct design *d)
{
	static const char *const names[] = { "ctid", "xmin", "xmax", "cmin", "cmax", "tableoid" };

	for (size_t i = 0; i < d->table->column_count; i++) {
		const char *name = EACH(d, etl_column, column, i)->name;

		for (size_t k = 0; k < sizeof(names) / sizeof(*names); k++) {
			if (strcmp(name, names[k]) != 0)
				continue;
			d->inst->host->at(d->err, d->table->name, name, NULL);
			return d->inst->host->fail(
				d->err, ETL_USAGE, NULL, 0,
				"column \"%s\" of \"%s\" is called as a system column, which every table of "
				"PostgreSQL has; give it another name with columns = ( { name = …; as = … } )",
				name, d->table->name);
		}
	}
	return ETL_OK;
}

static int refuse_wide(struct design *d)
{
	d->inst->host->at(d->err, d->table->name, NULL, NULL);
	return d->inst->host->fail(d->err, ETL_USAGE, NULL, 0,
				   "table \"%s\" has %zu columns, and PostgreSQL takes %d; leave "
				   "some out with exclude_columns",
				   d->table->name, d->table->column_count, COLUMNS_MOST);
}

/* A sequence that the default of a column takes from: made before the table, and its own afterwards. */
static void add_serials(struct design *d, struct etl_text *sql, bool before)
{
	size_t i;

	for (i = 0; i < d->table->column_count; i++) {
		const struct etl_column *c = EACH(d, etl_column, column, i);
		char *name = serial_of(d, c);

		if (name && before) {
			etl_text_addf(sql, "CREATE SEQUENCE %s%s%s;\n", name, c->identity_sql ? " " : "",
				      c->identity_sql	   ? c->identity_sql :
				      c->type == ETL_INT32 ? " AS integer" :
				      c->type == ETL_INT16 ? " AS smallint" :
							     "");
		} else if (name) {
			etl_text_addf(sql, ";\nALTER SEQUENCE %s OWNED BY ", name);
			postgres_add_name(sql, d->table->name, c->name);
		}
		free(name);
	}
}

static const char *table_note(const struct design *d, bool cut, int32_t *verdict)
{
	const char *ddl = d->same ? d->table->ddl : NULL;

	*verdict = ETL_APPROXIMATED;
	if (cut)
		return "its name is longer than PostgreSQL's 63 bytes and gets a tag in place of its "
		       "end";
	if (ddl && strstr(ddl, "\n) INHERITS "))
		return "it stands for itself: what it inherits from is left out";
	if (ddl && strncmp(ddl, "CREATE UNLOGGED ", strlen("CREATE UNLOGGED ")) == 0)
		return "logged, so that nothing of it is lost while it waits; ALTER TABLE … SET "
		       "UNLOGGED afterwards";
	*verdict = ETL_EXACT;
	return design_partitions(d) ? "with its partitions, which come into its schema; what they do not take, or a key "
				      "does not, fails the run" :
			     NULL;
}

static int design_create(struct design *d)
{
	struct etl_text lines = { 0 }, sql = { 0 };
	char buf[POSTGRES_NAME_MAX + 1];
	bool cut = postgres_short_name(d->table->name, buf) == buf;
	const char *note;
	int32_t verdict;
	size_t i;
	int rc = ETL_OK;

	if (d->table->column_count > COLUMNS_MOST)
		return refuse_wide(d);
	rc = refuse_system_names(d);
	for (i = 0; !rc && i < d->table->column_count; i++)
		rc = design_column_line(d, EACH(d, etl_column, column, i), &lines);
	add_serials(d, &sql, true);
	etl_text_add(&sql, "CREATE TABLE ");
	postgres_add_name(&sql, NULL, d->table->name);
	etl_text_addf(&sql, " (\n%s\n)%s", lines.at ? lines.at : "", design_partitions(d) ? design_partitions(d) : "");
	add_serials(d, &sql, false);
	sql.failed = sql.failed || lines.failed;
	etl_text_free(&lines);
	note = table_note(d, cut, &verdict);
	if (!rc)
		return postgres_design_part(d, ETL_PHASE_PREPARE, verdict, "table", NULL, &sql, note);
	etl_text_free(&sql);
	return rc;
}

/* ---- After the rows ---------------------------------------------------------------------------------------------- */

/* The first number that is neither given nor there, in the direction in which the sequence counts: a row beyond its ends
 * it never meets. Behind the last number of all nothing is ready, before the first one nothing was given. */
static void add_setting(struct etl_text *sql, const char *last)
{
	etl_text_add(sql, "SELECT CASE WHEN v BETWEEN seqmin AND seqmax THEN setval(s, v::bigint) WHEN v + seqincrement "
			  "BETWEEN seqmin AND seqmax THEN setval(s, (v + seqincrement)::bigint, false) END FROM (SELECT "
			  "s, seqmin, seqmax, seqincrement, CASE WHEN seqincrement > 0 THEN greatest(last, CASE WHEN "
			  "high BETWEEN seqmin AND seqmax THEN high END) ELSE least(last, CASE WHEN low BETWEEN seqmin "
			  "AND seqmax THEN low END) END AS v FROM (SELECT s, low, high, seqmin, seqmax, seqincrement, ");
	etl_text_addf(sql, "%s::numeric", last ? last : "seqstart");
	etl_text_add(sql, last ? "" : " - seqincrement");
	etl_text_add(sql, " AS last FROM (SELECT ");
}

/* Where nothing was given yet, it begins where it began. */
static int design_counter(struct design *d, const struct etl_column *c)
{
	struct etl_text sql = { 0 }, table = { 0 }, column = { 0 }, last = { 0 };
	char buf[POSTGRES_NAME_MAX + 1];

	if (!(c->flags & ETL_IDENTITY) || design_kind(d, c) != SQL_INT || c->flags & ETL_GENERATED)
		return ETL_OK;
	if (d->run && d->run->flags & ETL_RUN_SCHEMA_ONLY)
		return design_skip(d, "sequence", c->name,
				   "where it stands belongs to the rows, which --schema-only leaves "
				   "out",
				   NULL);
	postgres_add_name(&table, NULL, d->table->name);
	postgres_add_name(&column, NULL, c->name);
	if (c->identity_last != ETL_UNKNOWN || c->flags & ETL_IDENTITY_GAVE)
		etl_text_addf(&last, "'%lld'", (long long)c->identity_last);
	add_setting(&sql, last.at);
	etl_text_add(&sql, "pg_get_serial_sequence(");
	etl_text_add_literal(&sql, table.at ? table.at : "");
	etl_text_add(&sql, ", ");
	etl_text_add_literal(&sql, postgres_short_name(c->name, buf));
	etl_text_addf(&sql,
		      ")::regclass AS s, min(%s)::numeric AS low, max(%s)::numeric AS high FROM %s) AS t JOIN "
		      "pg_catalog.pg_sequence ON seqrelid = s) AS u) AS w",
		      column.at ? column.at : "", column.at ? column.at : "", table.at ? table.at : "");
	sql.failed = sql.failed || table.failed || column.failed || last.failed;
	etl_text_free(&table);
	etl_text_free(&column);
	etl_text_free(&last);
	return postgres_design_part(d, ETL_PHASE_FINISH, ETL_EXACT, "sequence", c->name, &sql,
			   "goes on after the last number");
}

static int design_analyze(struct design *d)
{
	struct etl_text sql = { 0 };

	if (d->run && d->run->flags & ETL_RUN_SCHEMA_ONLY)
		return ETL_OK;
	etl_text_add(&sql, "ANALYZE ");
	postgres_add_name(&sql, NULL, d->table->name);
	return postgres_design_part(d, ETL_PHASE_FINISH, ETL_EXACT, "analyze", NULL, &sql, NULL);
}

static int design_comments(struct design *d)
{
	struct etl_text sql = { 0 };
	size_t i;

	if (d->table->comment) {
		etl_text_add(&sql, "COMMENT ON TABLE ");
		postgres_add_name(&sql, NULL, d->table->name);
		etl_text_add(&sql, " IS ");
		etl_text_add_literal(&sql, d->table->comment);
	}
	for (i = 0; i < d->table->column_count; i++) {
		const struct etl_column *c = EACH(d, etl_column, column, i);

		if (!c->comment)
			continue;
		etl_text_add(&sql, sql.length ? ";\nCOMMENT ON COLUMN " : "COMMENT ON COLUMN ");
		postgres_add_name(&sql, d->table->name, c->name);
		etl_text_add(&sql, " IS ");
		etl_text_add_literal(&sql, c->comment);
	}
	return sql.at || sql.failed ? postgres_design_part(d, ETL_PHASE_FINISH, ETL_EXACT, "comment", NULL,
						  &sql, NULL) :
				      ETL_OK;
}

/* Rows that break a key are looked for first. Keys without a name come after the indexes, which have theirs: then the
 * server gives them one that is free. */
static int design_constraints(struct design *d)
{
	const struct etl_table *t = d->table;
	size_t i;
	int rc = design_keys(d, ETL_PHASE_SCREEN);

	for (i = 0; !rc && i < t->index_count; i++)
		rc = postgres_design_index(d, ETL_AT(const struct etl_index, t->indexes, t->index_size, i));
	if (!rc)
		rc = design_keys(d, ETL_PHASE_FINISH);
	if (!rc)
		rc = design_checks(d);
	for (i = 0; !rc && i < t->foreign_key_count; i++)
		rc = design_foreign_key(d, EACH(d, etl_foreign_key, foreign_key, i),
					d->load && d->load->parents ? &d->load->parents[i] : NULL);
	return rc ? rc : postgres_design_references(d);
}

int postgres_design_table(struct design *d)
{
	size_t i;
	int rc = design_create(d);

	if (!rc)
		rc = design_constraints(d);
	for (i = 0; !rc && i < d->table->column_count; i++)
		rc = design_counter(d, EACH(d, etl_column, column, i));
	if (!rc)
		rc = design_comments(d);
	return rc ? rc : design_analyze(d);
}
