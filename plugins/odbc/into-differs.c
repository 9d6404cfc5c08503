/*
 * Whether a row that came and the row of the target that it meets are alike. A collation, blanks and zeros at the end and the
 * like make servers take values for equal that are not, and such a row would never be what the source has; so values are
 * compared by what they are made of. Numbers and moments are equal as the server says: 1.0 is 1.00.
 */
#include "config.h"

#include <strings.h>

#include "into.h"
#include "tsql-from-sqlite.h"

bool odbc_has_equality(int32_t type)
{
	switch (type) {
	case ETL_BOOL:
	case ETL_INT16:
	case ETL_INT32:
	case ETL_INT64:
	case ETL_FLOAT32:
	case ETL_FLOAT64:
	case ETL_DECIMAL:
	case ETL_NUMERIC:
	case ETL_DATE:
	case ETL_TIME:
	case ETL_TIMESTAMP:
	case ETL_INSTANT:
	case ETL_UUID:
		return true;
	default:
		return false;
	}
}

static const struct etl_column *own_column(const struct odbc_into *t, const struct etl_column *c)
{
	const struct etl_column *own = odbc_into_find(t->load->existing, c->name);

	return own ? own : c;
}

bool odbc_into_sets(const struct odbc_into *t, const struct etl_column *c)
{
	const struct etl_column *own = own_column(t, c);

	if ((c->flags | own->flags) & ETL_GENERATED)
		return false;
	for (size_t i = 0; i < t->load->key_count; i++)
		if (strcmp(t->load->key[i], c->name) == 0)
			return !odbc_has_equality(own->type) && own->type != ETL_BYTES;
	return true;
}

/* ---- Values ---------------------------------------------------------------------------------------------------- */

static bool begins(const char *declared, const char *word)
{
	size_t n = strcspn(declared, " (");

	return n == strlen(word) && strncasecmp(declared, word, n) == 0;
}

/* Types that T-SQL compares with nothing go as what they are made of. A varchar goes as an nvarchar, for the collation that
 * compares by numbers has another code page. */
static void add_tsql(struct etl_text *sql, const char *name, const struct etl_column *own)
{
	const char *declared = own->declared ? own->declared : "";

	if (begins(declared, "image") || begins(declared, "geography") || begins(declared, "geometry"))
		etl_text_addf(sql, "CAST(%s AS varbinary(max)), DATALENGTH(CAST(%s AS varbinary(max)))", name, name);
	else if (begins(declared, "sql_variant") || begins(declared, "hierarchyid"))
		etl_text_addf(sql, "%s, DATALENGTH(%s)", name, name);
	else if (own->type == ETL_BYTES)
		etl_text_addf(sql, "%s, DATALENGTH(%s)", name, name);
	else if (begins(declared, "nvarchar") || begins(declared, "nchar"))
		etl_text_addf(sql, "%s COLLATE " TSQL_BINARY ", DATALENGTH(%s)", name, name);
	else
		etl_text_addf(sql, "CAST(%s AS nvarchar(max)) COLLATE " TSQL_BINARY ", DATALENGTH(CAST(%s AS nvarchar(max)))", name, name);
}

static void add_value(const struct odbc_into *t, struct etl_text *sql, const char *prefix, const struct etl_column *c)
{
	const struct etl_column *own = own_column(t, c);
	struct etl_text name = { 0 };

	etl_text_addf(&name, "%s.", prefix);
	odbc_add_name(&name, t->inst, c->name);
	if (name.failed)
		sql->failed = true;
	else if (t->inst->dialect == &odbc_sqlite)
		etl_text_addf(sql, "%s COLLATE BINARY, typeof(%s)", name.at, name.at);
	else if (odbc_has_equality(own->type) || t->inst->dialect == &odbc_standard)
		etl_text_add(sql, name.at);
	else if (t->inst->dialect == &odbc_tsql)
		add_tsql(sql, name.at, own);
	else if (own->type == ETL_BYTES)
		etl_text_add(sql, name.at);
	else
		etl_text_addf(sql, "CAST(%s AS text) COLLATE \"C\"", name.at);
	etl_text_free(&name);
}

static size_t add_values(const struct odbc_into *t, struct etl_text *sql, const char *prefix)
{
	size_t count = 0;

	for (size_t i = 0; i < t->load->table->column_count; i++) {
		const struct etl_column *c = odbc_into_column(t, i);

		if (!odbc_into_sets(t, c))
			continue;
		etl_text_add(sql, count++ ? ", " : "");
		add_value(t, sql, prefix, c);
	}
	return count;
}

/* T-SQL and standard SQL each have their own way to say that two values differ, NULL being a value. Every server takes EXCEPT,
 * which PostgreSQL carries out for each row anew. */
void odbc_into_add_changed(const struct odbc_into *t, struct etl_text *sql, const char *own)
{
	struct etl_text staged = { 0 };

	if (add_values(t, &staged, INTO_STAGED) == 0) {
		etl_text_add(sql, "(1 = 0");
	} else {
		bool rows = t->inst->dialect == &odbc_postgresql;

		etl_text_addf(sql, rows ? "(ROW(%s) IS DISTINCT FROM ROW(" : "(EXISTS (SELECT %s EXCEPT SELECT ",
			      staged.at ? staged.at : "");
		add_values(t, sql, own);
		etl_text_add(sql, ")");
	}
	if (odbc_into_marks(t)) {
		etl_text_add(sql, " OR ");
		odbc_into_add_marked(t, sql, own);
	}
	etl_text_add(sql, ")");
	sql->failed |= staged.failed;
	etl_text_free(&staged);
}
