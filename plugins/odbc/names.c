/*
 * Names as the server wants them quoted, cut and apart from each other. Where a table is replaced, the old one has the
 * names of its keys until it goes: those of the new one are called otherwise meanwhile, and renamed when it is published.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "layout.h"

#define MEANWHILE "_etlrun_new_"

void odbc_add_name(struct etl_text *text, const struct etl_instance *inst, const char *name)
{
	etl_text_add_name(text, name, inst->dialect->quote);
}

void odbc_add_table(struct etl_text *text, const struct etl_instance *inst, const char *schema,
		    const char *name)
{
	if (schema && *schema) {
		odbc_add_name(text, inst, schema);
		etl_text_add(text, ".");
	}
	odbc_add_name(text, inst, name);
}

/* Babelfish gives longer names back as it keeps them, in PostgreSQL: cut, with a tag. */
#define BABELFISH_NAME 63

/* As the server measures a name: UTF-16 units in T-SQL, else bytes. */
static size_t measure(const struct etl_instance *inst, const char *name, size_t bytes)
{
	bool units = inst->dialect == &odbc_tsql && !inst->babelfish;
	size_t n = 0;

	for (size_t i = 0; units && i < bytes; i++)
		n += ((unsigned char)name[i] & 0xc0) == 0x80 ? 0 : (unsigned char)name[i] >= 0xf0 ? 2 : 1;
	return units ? n : bytes;
}

static size_t name_most(const struct etl_instance *inst)
{
	return inst->babelfish ? BABELFISH_NAME : (size_t)inst->dialect->name_most;
}

bool odbc_fits_name(const struct etl_instance *inst, const char *name)
{
	return measure(inst, name, strlen(name)) <= name_most(inst);
}

static uint32_t hash(const char *text)
{
	uint32_t h = 0x811c9dc5; /* FNV-1a, 32 bits */

	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * 0x01000193;
	return h;
}

const char *odbc_short_name(const struct etl_instance *inst, const char *name, char *buf)
{
	size_t most = name_most(inst), cut = strlen(name);

	if (odbc_fits_name(inst, name))
		return name;
	while (cut > 0 && (((unsigned char)name[cut] & 0xc0) == 0x80 || measure(inst, name, cut) > most - 9))
		cut--;
	snprintf(buf, ODBC_NAME_ROOM, "%.*s_%08x", (int)cut, name, hash(name));
	return buf;
}

/* ---- Of constraints ------------------------------------------------------------------------------------------ */

#define EACH(type, member, i) ETL_AT(const struct type, t->member##s, t->member##_size, i)

static const char *given_name(const struct etl_table *t, enum odbc_constraint kind, size_t i)
{
	switch (kind) {
	case ODBC_PRIMARY:
		return t->primary.name;
	case ODBC_UNIQUE:
		return EACH(etl_key, unique, i)->name;
	case ODBC_FOREIGN:
		return EACH(etl_foreign_key, foreign_key, i)->name;
	default:
		return EACH(etl_check, check, i)->name;
	}
}

/* WHOLE has room for ODBC_NAME_ROOM; what is longer is cut. */
static void add(char *whole, const char *piece)
{
	size_t length = strlen(whole);

	snprintf(whole + length, ODBC_NAME_ROOM - length, "%s", piece);
}

static void add_all(char *whole, const char *const *columns, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		add(whole, "_");
		add(whole, columns[i]);
	}
}

/* As the tools of the server call them: FK_Album_ArtistId, album_artistid_fkey. */
static void add_own_name(char *whole, const struct etl_instance *inst, const struct etl_table *t,
			 enum odbc_constraint kind, size_t i)
{
	static const char *const before[] = { "PK_", "UQ_", "FK_", "CK_" }, *const behind[] = { "_pkey", "_key",
											      "_fkey", "_check" };
	bool words_behind = inst->dialect == &odbc_postgresql;
	char number[32];

	snprintf(number, sizeof(number), "_%zu", i + 1);
	add(whole, words_behind ? "" : before[kind]);
	add(whole, t->name);
	if (kind == ODBC_UNIQUE)
		add_all(whole, EACH(etl_key, unique, i)->columns, EACH(etl_key, unique, i)->column_count);
	else if (kind == ODBC_FOREIGN)
		add_all(whole, EACH(etl_foreign_key, foreign_key, i)->columns,
			EACH(etl_foreign_key, foreign_key, i)->column_count);
	else if (kind == ODBC_CHECK)
		add(whole, number);
	add(whole, words_behind ? behind[kind] : "");
}

const char *odbc_constraint_name(const struct etl_instance *inst, const struct etl_table *t, enum odbc_constraint kind,
				 size_t i, char *buf)
{
	const struct odbc_table_layout *layout = odbc_layout_of(inst, t);
	const char *given = given_name(t, kind, i), *ret;
	char whole[ODBC_NAME_ROOM] = "";

	if (layout && layout->names[kind][i]) {
		snprintf(buf, ODBC_NAME_ROOM, "%s", layout->names[kind][i]);
		return buf;
	}
	if (given)
		add(whole, given);
	else
		add_own_name(whole, inst, t, kind, i);
	ret = odbc_short_name(inst, whole, buf);
	if (ret == whole)
		memcpy(buf, whole, strlen(whole) + 1);
	return buf;
}

static bool replaces(const struct etl_instance *inst, const struct etl_load *load)
{
	return load && load->existing && !odbc_is_into(load) && inst->dialect->add_rename_key;
}

static bool has_index(const struct etl_table *t, const char *name)
{
	for (size_t i = 0; i < t->index_count; i++)
		if (strcasecmp(ETL_AT(const struct etl_index, t->indexes, t->index_size, i)->name, name) == 0)
			return true;
	return false;
}

/* BEFORE NAME BEHIND, cut to what the server takes. */
const char *odbc_join_name(const struct etl_instance *inst, const char *before, const char *name, const char *behind, char *buf)
{
	char whole[ODBC_NAME_ROOM];
	size_t room = sizeof(whole) - strlen(before) - strlen(behind) - 1;

	snprintf(whole, sizeof(whole), "%s%.*s%s", before, (int)room, name, behind);
	if (odbc_short_name(inst, whole, buf) == whole)
		memcpy(buf, whole, strlen(whole) + 1);
	return buf;
}

/* Where nothing can be renamed, every run gives names of its own: old tables that are kept have those of theirs. */
const char *odbc_key_name(const struct etl_instance *inst, const struct etl_load *load, const char *name, char *buf)
{
	char tag[16];

	if (!replaces(inst, load))
		return odbc_short_name(inst, name, buf);
	snprintf(tag, sizeof(tag), "_%08x", hash(load->run->id));
	return inst->babelfish ? odbc_join_name(inst, "", name, tag, buf) : odbc_join_name(inst, MEANWHILE, name, "", buf);
}

/* An index of T-SQL has its name within its table. */
const char *odbc_index_name(const struct etl_instance *inst, const struct etl_load *load, const char *name, char *buf)
{
	bool replaced = load && load->existing && !odbc_is_into(load) && inst->dialect != &odbc_tsql;

	if (inst->dialect->add_rename_index)
		return odbc_key_name(inst, load, name, buf);
	return replaced && has_index(load->existing, name) ? odbc_join_name(inst, "", name, "_2", buf) :
							     odbc_short_name(inst, name, buf);
}

/* ---- Afterwards -------------------------------------------------------------------------------------------- */

typedef void (*rename_adder)(struct etl_text *, const struct etl_instance *, const char *schema, const char *table,
			     const char *from, const char *to);

static int rename_one(struct etl_instance *inst, const struct etl_load *load, const char *name, rename_adder add_rename,
		      struct etl_error *err)
{
	char from[ODBC_NAME_ROOM], to[ODBC_NAME_ROOM];
	struct etl_text sql = { 0 };

	if (!add_rename)
		return ETL_OK;
	add_rename(&sql, inst, odbc_place_of(inst, load->table), load->table->name, odbc_key_name(inst, load, name, from),
		   odbc_short_name(inst, name, to));
	return odbc_run_text(inst, err, &sql);
}

/* A part that did not arrive has no constraint. */
static int is_made(struct etl_instance *inst, const struct etl_load *load, const char *name, bool *ret, struct etl_error *err)
{
	const char *schema = odbc_place_of(inst, load->table);
	char now[ODBC_NAME_ROOM];
	struct etl_text sql = { 0 };
	int64_t count = 0;
	int rc;

	etl_text_add(&sql, "SELECT COUNT(*) FROM INFORMATION_SCHEMA.TABLE_CONSTRAINTS WHERE CONSTRAINT_NAME = ");
	odbc_add_literal(&sql, inst, odbc_key_name(inst, load, name, now));
	if (schema) {
		etl_text_add(&sql, " AND CONSTRAINT_SCHEMA = ");
		odbc_add_literal(&sql, inst, schema);
	}
	rc = odbc_number_text(inst, err, &count, &sql);
	*ret = count > 0;
	return rc;
}

static int rename_kind(struct etl_instance *inst, const struct etl_load *load, enum odbc_constraint kind, size_t count,
		       struct etl_error *err)
{
	char name[ODBC_NAME_ROOM];
	int rc = ETL_OK;

	for (size_t i = 0; rc == ETL_OK && i < count; i++) {
		bool made = false;

		rc = is_made(inst, load, odbc_constraint_name(inst, load->table, kind, i, name), &made, err);
		if (rc == ETL_OK && made)
			rc = rename_one(inst, load, name, inst->dialect->add_rename_key, err);
	}
	return rc;
}

int odbc_rename_keys(struct etl_instance *inst, const struct etl_load *load, struct etl_error *err)
{
	const struct etl_table *t = load->table;
	int rc = ETL_OK;

	if (!replaces(inst, load) || inst->babelfish)
		return ETL_OK;
	rc = rename_kind(inst, load, ODBC_PRIMARY, t->primary.column_count > 0, err);
	if (rc == ETL_OK)
		rc = rename_kind(inst, load, ODBC_UNIQUE, t->unique_count, err);
	if (rc == ETL_OK)
		rc = rename_kind(inst, load, ODBC_FOREIGN, t->foreign_key_count, err);
	if (rc == ETL_OK)
		rc = rename_kind(inst, load, ODBC_CHECK, t->check_count, err);
	for (size_t i = 0; rc == ETL_OK && i < t->index_count; i++)
		rc = rename_one(inst, load, ETL_AT(const struct etl_index, t->indexes, t->index_size, i)->name,
				inst->dialect->add_rename_index, err);
	return rc;
}
