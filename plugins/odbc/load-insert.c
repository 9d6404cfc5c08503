/*
 * The INSERT of rows into their staged table, as arrays and as statements of many rows have it. It is etlrun's own table: an
 * identity column takes the values that come.
 */
#include "config.h"

#include "load.h"
#include "select.h"

static bool is_word(const char *at, const char *word)
{
	size_t length = strlen(word);

	return strncmp(at, word, length) == 0 && (!at[length] || strchr("([", at[length]));
}

/* PostgreSQL's type without what limits it: a cast to varchar(5) cuts a longer value off without a word, and putting it into such
 * a column does not. */
static void add_unlimited(struct etl_text *sql, const char *type)
{
	size_t word = strcspn(type, "([");

	if (is_word(type, "char") || is_word(type, "character"))
		etl_text_add(sql, "bpchar");
	else if (is_word(type, "bit"))
		etl_text_add(sql, "varbit");
	else
		etl_text_add_bytes(sql, type, word);
	for (const char *at = type + word; *at; at++) {
		if (*at == '(')
			at += strcspn(at, ")");
		if (*at && *at != ')')
			etl_text_add_bytes(sql, at, 1);
	}
}

/* Of a row alone the server knows by the column what a text is meant for, and a number that is of its type; the driver sends
 * them as such. Of several rows it does not. A cast that is not needed is a tenth of the time that PostgreSQL takes for a row. */
static bool needs_cast(const struct loading *l, const struct bind_column *c, const char *type, bool several)
{
	static const struct {
		int32_t form;
		const char *word;
	} plain[] = {
		{ BIND_INT, "smallint" }, { BIND_INT, "integer" },	    { BIND_INT, "bigint" },
		{ BIND_REAL, "real" },	  { BIND_REAL, "double precision" }, { BIND_BYTES, "bytea" },
	};

	if (l->inst->dialect != &odbc_postgresql)
		return l->inst->dialect == &odbc_tsql && c->column->type == ETL_INSTANT;
	if (several)
		return true;
	for (size_t i = 0; i < sizeof(plain) / sizeof(*plain); i++)
		if (plain[i].form == c->form && is_word(type, plain[i].word) && !strchr(type, '['))
			return false;
	return c->form != BIND_TEXT;
}

/* A server that knows what a parameter is meant for by its cast alone reads every text as that type. */
static void add_parameter(struct loading *l, struct etl_text *sql, size_t i, bool several)
{
	const struct etl_instance *inst = l->inst;
	const struct bind_column *c = &l->bind.columns[i];
	struct etl_text type = { 0 }, note = { 0 };
	int32_t verdict = ETL_EXACT;

	odbc_add_type(&type, inst, l->load->table, c->column, &verdict, &note);
	if (!needs_cast(l, c, type.at ? type.at : "", several)) {
		etl_text_add(sql, "?");
	} else {
		etl_text_add(sql, "CAST(? AS ");
		if (inst->dialect == &odbc_postgresql)
			add_unlimited(sql, type.at ? type.at : "text");
		else
			etl_text_add(sql, type.at ? type.at : "");
		etl_text_add(sql, ")");
	}
	sql->failed |= type.failed;
	etl_text_free(&type);
	etl_text_free(&note);
}

static void add_row(struct loading *l, struct etl_text *sql, bool several)
{
	etl_text_add(sql, "(");
	for (size_t i = 0; i < l->bind.count; i++) {
		etl_text_add(sql, i ? ", " : "");
		add_parameter(l, sql, i, several);
	}
	etl_text_add(sql, ")");
}

/* Does the staged table have the columns that come and no others, in their order? */
static int is_whole(struct loading *l, bool *ret)
{
	char name[ODBC_NAME_ROOM];
	struct etl_dataset staged = { .schema = odbc_place_of(l->inst, l->load->table),
				      .table = odbc_stage_name(l->inst, l->token->text, l->load->table->name, name) };
	struct odbc_shape shape = { 0 };
	int rc = select_shape(l->inst, &staged, &shape, l->err);

	*ret = rc == ETL_OK && shape.count == l->bind.count;
	for (size_t i = 0; *ret && i < shape.count; i++)
		*ret = strcmp(shape.columns[i].name, l->bind.columns[i].column->name) == 0;
	odbc_shape_free(&shape);
	return rc;
}

static void add_names(struct loading *l)
{
	for (size_t i = 0; i < l->bind.count; i++) {
		etl_text_add(&l->head, i ? ", " : " (");
		odbc_add_name(&l->head, l->inst, l->bind.columns[i].column->name);
	}
	etl_text_add(&l->head, ")");
}

/* psqlODBC sends the statement with each row of an array, and PostgreSQL reads it each time: without the names that is a quarter
 * faster. T-SQL wants them where a column is an identity. */
int insert_write(struct loading *l)
{
	bool whole = false;
	int rc = l->inst->dialect == &odbc_postgresql ? is_whole(l, &whole) : ETL_OK;

	if (rc < 0)
		return rc;
	etl_text_add(&l->head, "INSERT INTO ");
	odbc_add_staged(&l->head, l->inst, l->load, l->token);
	if (!whole)
		add_names(l);
	etl_text_add(&l->head, " VALUES");
	add_row(l, &l->row, false);
	add_row(l, &l->many_row, true);
	if (l->head.failed || l->row.failed || l->many_row.failed)
		return odbc_no_memory(l->inst, l->err);
	bind_insert(&l->bind, l->head.at, l->row.at);
	return ETL_OK;
}
