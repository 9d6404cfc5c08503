/*
 * The columns of all tables and views: their types, defaults, identities and comments.
 *
 * A column whose default takes from a sequence that is its own (serial) has ETL_IDENTITY and keeps its default's text;
 * an identity column has none. Only so can the two be told apart.
 */
#include "config.h"

#include <stdlib.h>

#include "describe.h"

#define MODIFIER_HEAD 4 /* added to a length or precision in atttypmod */
#define DECIMAL_MOST  38
#define OID_INT2VECTOR 22
#define OID_OIDVECTOR 30
#define OID_BIT	      1560
#define OID_VARBIT    1562

/* Of a sequence that was told where to go on: what it would have given last. One that is still where it starts says that
 * with its options; a serial has none but the usual ones. */
#define BEFORE_NEXT                                                                                 \
	"(SELECT CASE WHEN w.v - s.seqincrement BETWEEN -9223372036854775808 AND 9223372036854775807 AND "   \
	"(w.v <> s.seqstart OR (a.attidentity = '' AND s.seqstart <> 1)) THEN (w.v - s.seqincrement)::bigint "  \
	"END FROM (SELECT " DESCRIBE_WAITING("s.seqrelid") "::numeric AS v) AS w)"

static const char columns_sql[] =
	"WITH RECURSIVE d(domain, base, modifier, required) AS ("
	"SELECT oid, typbasetype, typtypmod, typnotnull FROM pg_catalog.pg_type WHERE typtype = 'd' UNION ALL "
	"SELECT d.domain, t.typbasetype, CASE WHEN d.modifier >= 0 THEN d.modifier ELSE t.typtypmod "
	"END, d.required OR t.typnotnull FROM d JOIN pg_catalog.pg_type t ON t.oid = d.base AND t.typtype = 'd') "
	"SELECT o.place, a.attname, " DESCRIBE_IN("n.nspname",
						   "pg_catalog.format_type(a.atttypid, "
						   "a.atttypmod)") ", "
	"b.oid, coalesce(d.modifier, a.atttypmod), b.typcategory, e.oid, e.typtype, "
	"a.attnotnull OR t.typnotnull OR coalesce(d.required, false), a.attidentity, a.attgenerated, "
	DESCRIBE_IN("n.nspname", "pg_catalog.pg_get_expr(f.adbin, f.adrelid)") ", "
	"CASE WHEN a.attcollation <> t.typcollation THEN l.collname END, "
	"pg_catalog.col_description(a.attrelid, a.attnum), s.seqrelid IS NOT NULL, "
	"coalesce(CASE WHEN pg_catalog.has_sequence_privilege(s.seqrelid, 'USAGE, SELECT') THEN "
	"pg_catalog.pg_sequence_last_value(s.seqrelid) END, " BEFORE_NEXT "), "
	"pg_catalog.concat(CASE WHEN a.attidentity = '' THEN 'AS ' || pg_catalog.format_type(s.seqtypid, NULL) || ' ' END, "
	"'START WITH ', s.seqstart, ' INCREMENT BY ', s.seqincrement, ' MINVALUE ', "
	"s.seqmin, ' MAXVALUE ', s.seqmax, ' CACHE ', s.seqcache, CASE WHEN s.seqcycle THEN ' CYCLE' "
	"END), s.seqstart = 1 AND s.seqincrement = 1 AND s.seqmin = 1 AND s.seqcache = 1 AND NOT "
	"s.seqcycle AND s.seqtypid = b.oid AND s.seqmax = CASE s.seqtypid WHEN 21 THEN 32767 WHEN 23 THEN 2147483647 ELSE "
	"9223372036854775807 END "
	"FROM " DESCRIBE_OBJECTS " JOIN pg_catalog.pg_class c ON c.oid = o.oid "
	"JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
	"JOIN pg_catalog.pg_attribute a ON a.attrelid = o.oid AND a.attnum > 0 AND NOT a.attisdropped "
	"JOIN pg_catalog.pg_type t ON t.oid = a.atttypid "
	"LEFT JOIN d ON d.domain = t.oid AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_type x WHERE "
	"x.oid = d.base AND x.typtype = 'd') "
	"JOIN pg_catalog.pg_type b ON b.oid = coalesce(d.base, t.oid) "
	"LEFT JOIN d ed ON ed.domain = b.typelem AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_type x WHERE "
	"x.oid = ed.base AND x.typtype = 'd') "
	"LEFT JOIN pg_catalog.pg_type e ON e.oid = coalesce(ed.base, b.typelem) AND b.typcategory = 'A' "
	"LEFT JOIN pg_catalog.pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum "
	"LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation "
	"LEFT JOIN LATERAL (SELECT q.* FROM pg_catalog.pg_depend p JOIN pg_catalog.pg_sequence q ON "
	"q.seqrelid = p.objid WHERE p.classid = 'pg_catalog.pg_class'::regclass AND p.refclassid = "
	"'pg_catalog.pg_class'::regclass AND p.refobjid = a.attrelid AND p.refobjsubid = a.attnum AND "
	"p.deptype IN ('a', 'i') AND (a.attidentity <> '' OR a.atthasdef) ORDER BY q.seqrelid LIMIT 1) "
	"s ON true ORDER BY o.place, a.attnum";

enum {
	AT_NAME = 1,
	AT_DECLARED,
	AT_TYPE,
	AT_MODIFIER,
	AT_CATEGORY,
	AT_ELEMENT,
	AT_ELEMENT_TYPE,
	AT_NOT_NULL,
	AT_IDENTITY,
	AT_GENERATED,
	AT_DEFAULT,
	AT_COLLATION,
	AT_COMMENT,
	AT_SEQUENCE,
	AT_LAST,
	AT_OPTIONS,
	AT_PLAIN
};

static void set_numeric(struct etl_column *c, int32_t modifier)
{
	int32_t precision, scale;

	c->type = ETL_NUMERIC;
	if (modifier < MODIFIER_HEAD)
		return;
	precision = (modifier - MODIFIER_HEAD) >> 16 & 0xffff;
	/* Eleven bits with a sign, since 15. */
	scale = (((modifier - MODIFIER_HEAD) & 0x7ff) ^ 0x400) - 0x400;
	if (precision > DECIMAL_MOST || scale < 0 || scale > precision)
		return;
	c->type = ETL_DECIMAL;
	c->precision = precision;
	c->scale = scale;
}

/* An array whose elements are JSON themselves (a domain's too) or rows cannot be told again from its JSON: it stays in the server's
 * own form. So do the catalog's vectors, "1 2", which are arrays in all but their text. */
static bool is_list(uint32_t oid, char category, uint32_t element, char element_type)
{
	return oid != OID_INT2VECTOR && oid != OID_OIDVECTOR && category == 'A' && element_type != 'c' && element != OID_JSON && element != OID_JSONB;
}

/* Strings and enums are kept as they are written, and so are json and xml. */
static bool is_verbatim(uint32_t oid, char category)
{
	if (oid == OID_JSON || oid == OID_XML || oid == OID_CHAR)
		return true;
	return oid != OID_BPCHAR && (category == 'S' || category == 'E');
}

void describe_type(struct etl_column *c, uint32_t oid, int32_t modifier, char category,
		   uint32_t element, char element_type)
{
	c->type = decode_knows(oid)			      ? decode_type(oid) :
		  is_list(oid, category, element, element_type) ? ETL_JSON :
							     ETL_TEXT;
	if ((c->type == ETL_TEXT || c->type == ETL_JSON) && !is_verbatim(oid, category))
		c->flags |= ETL_RESPELT;
	if (oid == OID_NUMERIC)
		set_numeric(c, modifier);
	if ((oid == OID_VARCHAR || oid == OID_BPCHAR) && modifier >= MODIFIER_HEAD)
		c->length = modifier - MODIFIER_HEAD;
	else if ((oid == OID_BIT || oid == OID_VARBIT) && modifier > 0)
		c->length = modifier;
	else if (oid == OID_NAME || oid == OID_CHAR)
		c->length = oid == OID_NAME ? POSTGRES_NAME_MAX : 1;
}

static void set_default(struct describing *d, struct etl_column *c, const PGresult *result, int row)
{
	char identity = *PQgetvalue(result, row, AT_IDENTITY);

	if (*PQgetvalue(result, row, AT_GENERATED)) {
		c->flags |= ETL_GENERATED;
		c->flags |= *PQgetvalue(result, row, AT_GENERATED) == 's' ? ETL_STORED : 0u;
		c->generated_sql = postgres_describe_text(d, result, row, AT_DEFAULT);
		return;
	}
	c->default_sql = postgres_describe_text(d, result, row, AT_DEFAULT);
	if (!postgres_flag_at(result, row, AT_SEQUENCE) ||
	    (!identity && (!c->default_sql || strncmp(c->default_sql, "nextval(", 8) != 0)))
		return;
	c->flags |= ETL_IDENTITY | ETL_NEVER_REUSED;
	c->flags |= identity == 'a' ? ETL_IDENTITY_ALWAYS : 0u;
	if (postgres_at(result, row, AT_LAST)) {
		c->flags |= ETL_IDENTITY_GAVE;
		c->identity_last = postgres_int_at(result, row, AT_LAST);
	}
	if (!postgres_flag_at(result, row, AT_PLAIN))
		c->identity_sql = postgres_describe_text(d, result, row, AT_OPTIONS);
}

static int take_column(struct describing *d, struct described *o, const PGresult *result, int row)
{
	struct etl_table *t = &o->table;
	struct etl_column *c;

	o->columns = etl_arena_push(&d->memory, o->columns, t->column_count, sizeof(*c));
	if (!o->columns)
		return postgres_describe_no_memory(d);
	c = memset(&o->columns[t->column_count], 0, sizeof(*c));
	c->name = postgres_describe_text(d, result, row, AT_NAME);
	c->declared = postgres_describe_text(d, result, row, AT_DECLARED);
	c->identity_last = ETL_UNKNOWN;
	c->flags = ETL_TYPED | (postgres_flag_at(result, row, AT_NOT_NULL) ? ETL_NOT_NULL : 0u);
	c->collation = postgres_describe_text(d, result, row, AT_COLLATION);
	c->comment = postgres_describe_text(d, result, row, AT_COMMENT);
	if (d->memory.failed)
		return postgres_describe_no_memory(d);
	describe_type(c, (uint32_t)postgres_int_at(result, row, AT_TYPE),
		      (int32_t)postgres_int_at(result, row, AT_MODIFIER),
		      *PQgetvalue(result, row, AT_CATEGORY),
		      (uint32_t)postgres_int_at(result, row, AT_ELEMENT),
		      *PQgetvalue(result, row, AT_ELEMENT_TYPE));
	set_default(d, c, result, row);
	t->columns = o->columns;
	t->column_count++;
	return ETL_OK;
}

/* attgenerated came with 12; before, no column is computed. */
int postgres_describe_columns(struct describing *d)
{
	return describe_ask(d, columns_sql, take_column);
}
