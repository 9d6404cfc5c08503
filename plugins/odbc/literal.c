/* Constants, in the spelling of each dialect. */
#include "config.h"

#include "select.h"
#include "spell.h"

static bool is_tsql(const struct odbc_dialect *dialect)
{
	return dialect->quote == '[';
}

static bool add_text(struct etl_text *sql, const struct odbc_dialect *dialect, const uint8_t *text,
		     int64_t size)
{
	if (size && memchr(text, 0, (size_t)size))
		return false;
	/* Without the N the characters would go through the code page of the database. */
	etl_text_add(sql, is_tsql(dialect) ? "N'" : "'");
	for (int64_t i = 0; i < size; i++) {
		if (text[i] == '\'')
			etl_text_add(sql, "'");
		etl_text_add_bytes(sql, &text[i], 1);
	}
	etl_text_add(sql, "'");
	return true;
}

static void add_hex(struct etl_text *sql, const struct odbc_dialect *dialect, const uint8_t *bytes,
		    int64_t size)
{
	bool postgresql = dialect == &odbc_postgresql;

	etl_text_add(sql, is_tsql(dialect) ? "0x" : postgresql ? "'\\x" : "x'");
	for (int64_t i = 0; i < size; i++)
		etl_text_addf(sql, "%02x", bytes[i]);
	etl_text_add(sql, is_tsql(dialect) ? "" : "'");
}

static bool add_bytes(struct etl_text *sql, const struct odbc_dialect *dialect,
		      const struct etl_column_view *c, int64_t row)
{
	int64_t size;
	const uint8_t *bytes = etl_get_bytes(c, row, &size);

	if (c->type.type == ETL_NUMERIC) {
		etl_text_add_bytes(sql, bytes, (size_t)size);
		return true;
	}
	if (c->type.type != ETL_BYTES)
		return add_text(sql, dialect, bytes, size);
	add_hex(sql, dialect, bytes, size);
	return true;
}

bool odbc_literal_add(struct etl_text *sql, const struct odbc_dialect *dialect,
		 const struct etl_column_view *c, int64_t row)
{
	char buf[SPELL_MAX];

	if (etl_is_null(c, row)) {
		etl_text_add(sql, "NULL");
		return true;
	}
	if (c->width == 0)
		return add_bytes(sql, dialect, c, row);
	switch (c->type.type) {
	case ETL_BOOL:
		etl_text_add(sql, dialect == &odbc_postgresql ?
					  (etl_get_bool(c, row) ? "true" : "false") :
					  (etl_get_bool(c, row) ? "1" : "0"));
		return true;
	case ETL_INT16:
	case ETL_INT32:
	case ETL_INT64:
	case ETL_DECIMAL:
		etl_spell_fixed(buf, c, row);
		etl_text_add(sql, buf);
		return true;
	case ETL_FLOAT32:
	case ETL_FLOAT64:
		/* With an exponent it is no decimal. */
		etl_spell_fixed(buf, c, row);
		etl_text_addf(sql, strpbrk(buf, "eEIN") ? "%s" : "%se0", buf);
		return true;
	default:
		etl_spell_fixed(buf, c, row);
		etl_text_addf(sql, "'%s'", buf);
		return true;
	}
}
