/*
 * Keys, indexes and checks: made when the rows are there. Where rows that break one are to be rejected, they are
 * found before; otherwise the server's own refusal, which names the key, ends the run, and no row is read twice.
 */
#include "config.h"

#include <strings.h>

#include "design.h"

static bool finds_all(const struct design *d, const char *const *columns, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (!postgres_design_column(d, columns[i]))
			return false;
	}
	return true;
}

/* A collation of SQLite's as one of PostgreSQL's; NULL: the column's own. */
static const char *own_collation(const struct design *d, const char *column, const char *collation)
{
	const struct etl_column *c = postgres_design_column(d, column);

	if (!collation || (c && design_kind(d, c) != SQL_TEXT))
		return NULL;
	if (d->same)
		return collation;
	if (c && c->collation && strcasecmp(c->collation, collation) == 0)
		return NULL;
	return strcasecmp(collation, "NOCASE") == 0 ? DESIGN_NOCASE :
	       strcasecmp(collation, "BINARY") == 0 && c && c->collation ? "C" :
									    NULL;
}

/* ---- What finds rows ---------------------------------------------------------------------------------------- */

int design_screen_equal(struct design *d, const char *kind, const char *part, const char *parts,
			const char *condition)
{
	struct etl_text sql = { 0 };

	etl_text_addf(&sql, "SELECT ctid FROM (SELECT ctid, row_number() OVER (PARTITION BY %s ORDER "
			    "BY " DESIGN_LOAD_ORDER ") AS nth FROM ",
		      parts);
	postgres_add_name(&sql, NULL, d->table->name);
	if (condition)
		etl_text_addf(&sql, " WHERE %s", condition);
	etl_text_add(&sql, ") AS equal WHERE nth > 1 ORDER BY " DESIGN_LOAD_ORDER);
	return postgres_design_part(d, ETL_PHASE_SCREEN, ETL_EXACT, kind, part, &sql,
			   "of equal rows the first stays, the others are rejected");
}

void design_add_given(struct etl_text *to, const char *const *columns, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		etl_text_add(to, i ? " AND " : "");
		postgres_add_name(to, NULL, columns[i]);
		etl_text_add(to, " IS NOT NULL");
	}
}

/* ---- Keys ------------------------------------------------------------------------------------------------------ */

/* "a", "b" COLLATE …; *RET_OWN: a collation that the constraint cannot carry, but an index can. */
static int add_parts(struct design *d, const struct etl_key *key, struct etl_text *to, bool *ret_own)
{
	size_t i;

	*ret_own = false;
	for (i = 0; i < key->column_count; i++) {
		const char *collation = own_collation(
			d, key->columns[i], key->collations ? key->collations[i] : NULL);

		etl_text_add(to, i ? ", " : "");
		postgres_add_name(to, NULL, key->columns[i]);
		if (!collation)
			continue;
		etl_text_add(to, " COLLATE ");
		etl_text_add_name(to, collation, '"');
		*ret_own = true;
		if (!d->same && strcmp(collation, DESIGN_NOCASE) == 0) {
			int rc = design_make_nocase(d);

			if (rc)
				return rc;
		}
	}
	return ETL_OK;
}

static int screen_key(struct design *d, const struct etl_key *key, const char *kind, const char *part)
{
	struct etl_text given = { 0 }, parts = { 0 };
	bool own;
	int rc;

	if (!design_looks(d))
		return ETL_OK;
	rc = add_parts(d, key, &parts, &own);
	if (!(key->flags & ETL_KEY_NULLS_EQUAL))
		design_add_given(&given, key->columns, key->column_count);
	if (!rc && (given.failed || parts.failed))
		rc = postgres_design_no_memory(d);
	if (!rc)
		rc = design_screen_equal(d, kind, part, parts.at, given.at);
	etl_text_free(&given);
	etl_text_free(&parts);
	return rc;
}

/* A key on its way to its statement. */
struct making_key {
	const struct etl_key *key;
	bool primary;
	bool own;   /* a collation that only an index can have */
	bool other; /* its name is taken */
	struct etl_text parts;
};

/* What is said of a key. */
static const char *key_note(const struct design *d, const struct making_key *m, int32_t *verdict)
{
	*verdict = ETL_APPROXIMATED;
	if (m->other)
		return "its name is taken in the target, so it gets a number behind it";
	if (m->own)
		return "as a unique index, which can have the collation";
	if (m->key->conflict_sql && !d->same)
		return "its conflict clause is left out: a statement says it in PostgreSQL (ON "
		       "CONFLICT)";
	*verdict = ETL_EXACT;
	if (m->key->flags & ETL_KEY_NULLS_EQUAL && !d->same)
		return "needs PostgreSQL 15 or later";
	return NULL;
}

static void write_constraint(struct design *d, const struct making_key *m, const char *name,
			     const char *nulls, struct etl_text *sql)
{
	etl_text_add(sql, "ALTER TABLE ");
	postgres_add_name(sql, NULL, d->table->name);
	etl_text_add(sql, " ADD ");
	if (name) {
		etl_text_add(sql, "CONSTRAINT ");
		etl_text_add_name(sql, name, '"');
		etl_text_add(sql, " ");
	}
	etl_text_addf(sql, "%s%s (%s)", m->primary ? "PRIMARY KEY" : "UNIQUE", nulls, m->parts.at);
	/* INCLUDE, DEFERRABLE */
	if (d->same && m->key->conflict_sql) {
		etl_text_add(sql, " ");
		design_add_renamed(d, m->key->conflict_sql, sql);
	}
}

static void write_key(struct design *d, struct making_key *m, struct etl_text *sql)
{
	const struct etl_key *key = m->key;
	const char *nulls = !m->primary && key->flags & ETL_KEY_NULLS_EQUAL ? " NULLS NOT DISTINCT" :
									      "";
	char buf[POSTGRES_NAME_MAX + 1];
	const char *suffix = m->own ? "idx" : m->primary ? "pkey" : "key";
	const char *name = design_key_name(d, key->name, key->columns,
					   m->primary && !m->own ? 0 : key->column_count, suffix, buf,
					   &m->other);

	if (!m->own) {
		write_constraint(d, m, name, nulls, sql);
		return;
	}
	etl_text_add(sql, "CREATE UNIQUE INDEX ");
	if (name)
		etl_text_add_name(sql, name, '"');
	etl_text_add(sql, name ? " ON " : "ON ");
	postgres_add_name(sql, NULL, d->table->name);
	etl_text_addf(sql, " (%s)%s", m->parts.at, nulls);
}

static int make_key(struct design *d, const struct etl_key *key, bool primary, const char *kind,
		    const char *part)
{
	struct making_key m = { .key = key, .primary = primary };
	struct etl_text sql = { 0 };
	const char *note;
	int32_t verdict;
	int rc = add_parts(d, key, &m.parts, &m.own);

	if (!rc && m.parts.failed)
		rc = postgres_design_no_memory(d);
	if (!rc) {
		write_key(d, &m, &sql);
		note = key_note(d, &m, &verdict);
		rc = postgres_design_part(d, ETL_PHASE_FINISH, verdict, kind, part, &sql, note);
	}
	etl_text_free(&m.parts);
	return rc;
}

static int design_key(struct design *d, const struct etl_key *key, bool primary, int32_t phase)
{
	const char *kind = primary ? "primary key" : "unique";
	const char *part = key->name ? key->name : key->columns[0];
	bool whole = finds_all(d, key->columns, key->column_count);

	if (phase == ETL_PHASE_SCREEN)
		return whole ? screen_key(d, key, kind, part) : ETL_OK;
	return whole ? make_key(d, key, primary, kind, part) :
		       design_skip(d, kind, part, "one of its columns is not in the target", NULL);
}

int design_keys(struct design *d, int32_t phase)
{
	const struct etl_table *t = d->table;
	int rc = t->primary.column_count ? design_key(d, &t->primary, true, phase) : ETL_OK;
	size_t i;

	for (i = 0; !rc && i < t->unique_count; i++)
		rc = design_key(d, ETL_AT(const struct etl_key, t->uniques, t->unique_size, i), false, phase);
	return rc;
}

/* ---- Indexes ------------------------------------------------------------------------------------------------------ */

/* An index under construction. */
struct making {
	const struct etl_index *index;
	struct etl_text parts, equal, given, where;
	struct sql_result result;
	int32_t verdict;
	const char *note, *why; /* of what is not exact; why it cannot be */
};

static void approximate(struct making *m)
{
	if (m->result.verdict <= m->verdict)
		return;
	m->verdict = m->result.verdict;
	m->note = m->result.note;
}

/* 1, 0 with m->why, or negative. */
static int add_expression(struct design *d, struct making *m, const char *sql, enum sql_use use,
			  struct etl_text *to)
{
	int rc;

	m->result.unique = (m->index->flags & ETL_INDEX_UNIQUE) != 0;
	rc = design_expression(d, sql, use, NULL, to, &m->result);
	if (rc == 0)
		m->why = m->result.why;
	if (rc == 1)
		approximate(m);
	if (rc == 1 && m->result.nocase)
		return design_make_nocase(d) ? ETL_FAILED : 1;
	return rc;
}

static int add_part(struct design *d, struct making *m, const struct etl_index_part *p)
{
	const char *collation = NULL;
	struct etl_text text = { 0 };
	int rc = 1;

	if (p->column && !postgres_design_column(d, p->column)) {
		m->why = "one of its columns is not in the target";
		return 0;
	}
	if (p->column) {
		bool is_json = !d->same && design_kind(d, postgres_design_column(d, p->column)) == SQL_JSON;

		etl_text_add(&text, is_json ? "(" : "");
		postgres_add_name(&text, NULL, p->column);
		/* The type json has no order; what it was in is that of its text. */
		etl_text_add(&text, is_json ? "::text)" : "");
		collation = own_collation(d, p->column, p->collation);
	} else {
		etl_text_add(&text, "(");
		rc = add_expression(d, m, p->expression ? p->expression : "", SQL_IN_INDEX, &text);
		etl_text_add(&text, ")");
		if (d->same)
			collation = p->collation;
	}
	if (collation) {
		etl_text_add(&text, " COLLATE ");
		etl_text_add_name(&text, collation, '"');
	}
	if (rc == 1 && collation && strcmp(collation, DESIGN_NOCASE) == 0 && !d->same)
		rc = design_make_nocase(d) ? ETL_FAILED : 1;
	if (rc == 1) {
		etl_text_addf(&m->equal, "%s%s", m->equal.length ? ", " : "", text.at);
		etl_text_addf(&m->given, "%s%s IS NOT NULL", m->given.length ? " AND " : "", text.at);
		etl_text_addf(&m->parts, "%s%s%s", m->parts.length ? ", " : "", text.at,
			      p->descending ? " DESC" : "");
	}
	m->parts.failed = m->parts.failed || text.failed;
	etl_text_free(&text);
	return rc;
}

static int add_all(struct design *d, struct making *m)
{
	const struct etl_index *index = m->index;
	size_t i;
	int rc = 1;

	for (i = 0; rc == 1 && i < index->part_count; i++)
		rc = add_part(d, m,
			      ETL_AT(const struct etl_index_part, index->parts, index->part_size, i));
	if (rc == 1 && index->where_sql)
		rc = add_expression(d, m, index->where_sql, SQL_IN_WHERE, &m->where);
	if (m->parts.failed || m->equal.failed || m->given.failed || m->where.failed)
		return postgres_design_no_memory(d);
	return rc;
}

/* What the server keeps of an index stands behind the table's name: its method, parts and the rest. */
static const char *own_text(const struct design *d, const struct etl_index *index)
{
	return d->same && index->ddl ? strstr(index->ddl, " USING ") : NULL;
}

/* Steps of kind "index" are made side by side, which must not be where the server chooses names, as for the indexes of
 * partitions: two sessions may choose the same. */
static const char *kind_of(const struct design *d, const struct etl_index *index)
{
	return design_partitions(d)	       ? "partitioned index" :
	       index->name && *index->name ? "index" :
					     "nameless index";
}

static int make_index(struct design *d, struct making *m)
{
	const struct etl_index *index = m->index;
	const char *own = own_text(d, index);
	bool plain = !index->method || !*index->method || strcasecmp(index->method, "btree") == 0;
	char buf[POSTGRES_NAME_MAX + 1];
	struct etl_text sql = { 0 };

	etl_text_addf(&sql, "CREATE %sINDEX ", index->flags & ETL_INDEX_UNIQUE ? "UNIQUE " : "");
	if (index->name && *index->name)
		etl_text_add_name(&sql, postgres_short_name(index->name, buf), '"');
	etl_text_add(&sql, " ON ");
	postgres_add_name(&sql, NULL, d->table->name);
	if (own) {
		etl_text_add(&sql, own);
	} else {
		if (!plain && d->same)
			etl_text_addf(&sql, " USING %s", index->method);
		etl_text_addf(&sql, " (%s)%s%s", m->parts.at, m->where.at ? " WHERE " : "",
			      m->where.at ? m->where.at : "");
		if (!plain && !d->same && m->verdict == ETL_EXACT) {
			m->verdict = ETL_APPROXIMATED;
			m->note = "as a B-tree";
		}
	}
	return postgres_design_part(d, ETL_PHASE_FINISH, m->verdict, kind_of(d, index), index->name, &sql,
				    m->note);
}

static int screen_index(struct design *d, struct making *m)
{
	if (m->where.at)
		etl_text_addf(&m->given, " AND (%s)", m->where.at);
	return m->given.failed ? postgres_design_no_memory(d) :
				 design_screen_equal(d, "index", m->index->name, m->equal.at,
						     m->given.at);
}

/* What is more than an index is a constraint by its own words. */
static int design_exclusion(struct design *d, const struct etl_index *index)
{
	const char *words = strstr(index->ddl, " ADD CONSTRAINT ");
	struct etl_text sql = { 0 };

	if (!words)
		return design_skip(d, "exclusion", index->name, "it cannot be read", index->ddl);
	etl_text_add(&sql, "ALTER TABLE ");
	postgres_add_name(&sql, NULL, d->table->name);
	etl_text_add(&sql, words);
	return postgres_design_part(d, ETL_PHASE_FINISH, ETL_EXACT, "exclusion", index->name, &sql, NULL);
}

int postgres_design_index(struct design *d, const struct etl_index *index)
{
	struct making m = { .index = index };
	bool own = own_text(d, index) != NULL;
	int rc;

	if (d->same && index->ddl && strncmp(index->ddl, "ALTER ", strlen("ALTER ")) == 0)
		return design_exclusion(d, index);
	if (d->same && !index->ddl && index->part_count == 0)
		return design_skip(d, "exclusion", index->name,
				   "its text is not known in the new names", NULL);
	rc = add_all(d, &m);

	if (own && rc == 0) {
		rc = 1;
		m.why = NULL;
	}
	if (rc == 0)
		rc = design_skip(d, "index", index->name, m.why, index->ddl);
	else if (rc == 1 && index->flags & ETL_INDEX_UNIQUE && design_looks(d) && m.equal.at)
		rc = screen_index(d, &m);
	else if (rc == 1)
		rc = ETL_OK;
	if (rc == ETL_OK && !m.why)
		rc = make_index(d, &m);
	etl_text_free(&m.parts);
	etl_text_free(&m.equal);
	etl_text_free(&m.given);
	etl_text_free(&m.where);
	return rc;
}

/* ---- Checks ---------------------------------------------------------------------------------------------------------- */

int design_screen_check(struct design *d, const char *part, const char *condition)
{
	struct etl_text sql = { 0 };

	etl_text_add(&sql, "SELECT ctid FROM ");
	postgres_add_name(&sql, NULL, d->table->name);
	etl_text_addf(&sql, " WHERE NOT (%s) ORDER BY " DESIGN_LOAD_ORDER, condition);
	return postgres_design_part(d, ETL_PHASE_SCREEN, ETL_EXACT, "check", part, &sql,
			   "rows that break it are rejected");
}

/* A word before a parenthesis: a function, which may not be there. */
static bool calls(const char *sql)
{
	for (; (sql = strchr(sql, '(')); sql++) {
		if (sql[-1] == '_' || (sql[-1] >= 'a' && sql[-1] <= 'z') || sql[-1] == '"')
			return true;
	}
	return false;
}

/* Whether the server takes it is seen before the rows come. */
static int try_check(struct design *d, const char *part, const char *condition)
{
	struct etl_text sql = { 0 };

	etl_text_add(&sql, "ALTER TABLE ");
	postgres_add_name(&sql, NULL, d->table->name);
	etl_text_addf(&sql, " ADD CONSTRAINT _etlrun_trial CHECK (%s);\nALTER TABLE ", condition);
	postgres_add_name(&sql, NULL, d->table->name);
	etl_text_add(&sql, " DROP CONSTRAINT _etlrun_trial");
	return postgres_design_part(d, ETL_PHASE_PREPARE, ETL_EXACT, "check trial", part, &sql,
			   "the functions it calls must be in the target");
}

/* Is the name given to another constraint of the table before? */
static bool is_taken(const struct design *d, const struct etl_check *check)
{
	const struct etl_table *t = d->table;
	size_t i;

	if (!check->name || (t->primary.name && strcmp(t->primary.name, check->name) == 0))
		return check->name != NULL;
	for (i = 0; i < t->unique_count; i++) {
		const char *name =
			ETL_AT(const struct etl_key, t->uniques, t->unique_size, i)->name;

		if (name && strcmp(name, check->name) == 0)
			return true;
	}
	for (i = 0; i < t->check_count; i++) {
		const struct etl_check *other =
			ETL_AT(const struct etl_check, t->checks, t->check_size, i);

		if (other == check)
			return false;
		if (other->name && strcmp(other->name, check->name) == 0)
			return true;
	}
	return false;
}

static int add_check(struct design *d, const struct etl_check *check, struct etl_text *sql)
{
	const char *part = check->name ? check->name : check->column ? check->column : check->sql;
	char buf[POSTGRES_NAME_MAX + 1];
	bool unproven = design_is_unproven(d, check->name);
	struct sql_result result = { 0 };
	struct etl_text condition = { 0 };
	int rc = design_expression(d, check->sql, SQL_IN_CHECK, NULL, &condition, &result);

	if (rc == 0)
		rc = design_skip(d, "check", part, result.why, check->sql);
	else if (rc == 1) {
		etl_text_add(sql, sql->length ? ",\n\tADD " : "\n\tADD ");
		if (check->name && !is_taken(d, check)) {
			etl_text_add(sql, "CONSTRAINT ");
			etl_text_add_name(sql, postgres_short_name(check->name, buf), '"');
			etl_text_add(sql, " ");
		}
		etl_text_addf(sql, "CHECK (%s)%s", condition.at, unproven ? " NOT VALID" : "");
		rc = result.nocase ? design_make_nocase(d) : ETL_OK;
		if (!rc && d->same && *condition.at && calls(condition.at + 1))
			rc = try_check(d, part, condition.at);
		if (!rc && design_looks(d) && !unproven)
			rc = design_screen_check(d, part, condition.at);
		if (!rc)
			rc = postgres_design_part(d, ETL_PHASE_PREPARE, result.verdict, "check", part, NULL,
					 result.note);
	}
	etl_text_free(&condition);
	return rc;
}

int design_checks(struct design *d)
{
	struct etl_text sql = { 0 }, adds = { 0 };
	size_t i;
	int rc = ETL_OK;

	for (i = 0; !rc && i < d->table->check_count; i++)
		rc = add_check(d,
			       ETL_AT(const struct etl_check, d->table->checks, d->table->check_size,
				      i),
			       &adds);
	if (!rc && adds.length) {
		etl_text_add(&sql, "ALTER TABLE ");
		postgres_add_name(&sql, NULL, d->table->name);
		etl_text_add(&sql, adds.at);
		sql.failed = sql.failed || adds.failed;
		rc = postgres_design_part(d, ETL_PHASE_FINISH, ETL_EXACT, "check", NULL, &sql, NULL);
	}
	etl_text_free(&adds);
	return rc;
}
