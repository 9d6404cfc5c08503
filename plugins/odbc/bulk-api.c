/* See bulk.h. A value is bound with its length in the 8 bytes before it, -1 for NULL. */
#include "config.h"

#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>

#include "bulk.h"

#define SUCCEED	       1
#define DIRECTION_IN   1   /* DB_IN */
#define VARLEN_DATA    -10 /* SQL_VARLEN_DATA: the length stands before the value */
#define PREFIX	       8
#define KEEP_IDENTITY  8   /* BCPKEEPIDENTITY, of both */

/* ---- FreeTDS: attributes of src/odbc/odbcss.h ---------------------------------------------------------------------- */

enum { TDS_INITA = 1500, TDS_CONTROL = 1501, TDS_SENDROW = 1503, TDS_BATCH = 1504, TDS_DONE = 1505, TDS_BIND = 1506,
       TDS_CONTROL_15 = 1508 };
enum { TDS_HINTS = 6, TDS_HINTSA_15 = 10 }; /* up to 1.4, and from 1.5 on */

struct tds_init {
	const void *table, *file, *errors;
	int direction;
};
struct tds_control {
	int field;
	void *value;
};
struct tds_bind {
	const unsigned char *at;
	int prefix, length;
	const unsigned char *terminator;
	int terminator_length, type, column;
};

static bool tds_set(struct etl_instance *inst, SQLINTEGER attribute, void *value)
{
	return SQL_SUCCEEDED(SQLSetConnectAttrW(inst->db, attribute, value, SQL_IS_POINTER));
}

/* "01.03.0017" */
static bool tds_is_15(const struct etl_instance *inst)
{
	int major = 0, minor = 0;

	sscanf(inst->driver_version, "%d.%d", &major, &minor);
	return major > 1 || (major == 1 && minor >= 5);
}

static bool tds_begin(struct etl_instance *inst, const char *table)
{
	struct tds_init init = { .table = table, .direction = DIRECTION_IN };

	return tds_set(inst, TDS_INITA, &init);
}

static bool tds_control(struct etl_instance *inst, int field, void *value)
{
	struct tds_control control = { field, value };

	return tds_set(inst, tds_is_15(inst) ? TDS_CONTROL_15 : TDS_CONTROL, &control);
}

static bool tds_hints(struct etl_instance *inst, const char *hints)
{
	return tds_control(inst, tds_is_15(inst) ? TDS_HINTSA_15 : TDS_HINTS, (void *)(uintptr_t)hints);
}

static bool tds_keep_identity(struct etl_instance *inst)
{
	return tds_control(inst, KEEP_IDENTITY, (void *)(uintptr_t)1);
}

static bool tds_bind(struct etl_instance *inst, void *at, int32_t type, int column)
{
	struct tds_bind bind = { .at = at, .prefix = PREFIX, .length = VARLEN_DATA, .type = type, .column = column };

	return tds_set(inst, TDS_BIND, &bind);
}

static bool tds_row(struct etl_instance *inst)
{
	SQLRETURN code = SQLSetConnectAttrW(inst->db, TDS_SENDROW, NULL, SQL_IS_POINTER);

	return SQL_SUCCEEDED(code) && !bind_was_cut(SQL_HANDLE_DBC, inst->db, code);
}

static int64_t tds_end(struct etl_instance *inst, SQLINTEGER attribute)
{
	int rows = -1;

	return tds_set(inst, attribute, &rows) ? rows : -1;
}

static int64_t tds_batch(struct etl_instance *inst)
{
	return tds_end(inst, TDS_BATCH);
}

static int64_t tds_done(struct etl_instance *inst)
{
	return tds_end(inst, TDS_DONE);
}

/* Beyond 4096 bytes FreeTDS writes past the end of its buffer (src/tds/mem.c, tds_alloc_bcp_column_data; valgrind says so of
 * 1.3.17 and of its development version), and it reads no time with a zone from a text. */
static const struct bulk_functions freetds = {
	.how = "bulk copy of FreeTDS",
	.widest = 4096,
	.text = BULK_VARCHAR,
	.begin = tds_begin,
	.hints = tds_hints,
	.keep_identity = tds_keep_identity,
	.bind = tds_bind,
	.row = tds_row,
	.batch = tds_batch,
	.done = tds_done,
};

/* ---- Microsoft: functions of msodbcsql.h -------------------------------------------------------------------------------- */

enum { MS_HINTSW = 11 };

/* They take the driver manager's handle. */
static bool ms_find(struct etl_instance *inst, const char *name, void *ret)
{
	void *symbol = dlsym(inst->ladder->library, name);

	memcpy(ret, &symbol, sizeof(symbol));
	return symbol != NULL;
}

static bool ms_begin(struct etl_instance *inst, const char *table)
{
	short (*init)(SQLHDBC, const SQLWCHAR *, const SQLWCHAR *, const SQLWCHAR *, int);
	SQLWCHAR *wide = odbc_wide(table, strlen(table), NULL);
	bool ok = wide && ms_find(inst, "bcp_initW", &init) &&
		  init(inst->db, wide, NULL, NULL, DIRECTION_IN) == SUCCEED;

	free(wide);
	return ok;
}

static bool ms_control(struct etl_instance *inst, int field, void *value)
{
	short (*control)(SQLHDBC, int, void *);

	return ms_find(inst, "bcp_control", &control) && control(inst->db, field, value) == SUCCEED;
}

static bool ms_hints(struct etl_instance *inst, const char *hints)
{
	SQLWCHAR *wide = odbc_wide(hints, strlen(hints), NULL);
	bool ok = wide && ms_control(inst, MS_HINTSW, wide);

	free(wide);
	return ok;
}

static bool ms_keep_identity(struct etl_instance *inst)
{
	return ms_control(inst, KEEP_IDENTITY, (void *)(uintptr_t)1);
}

static bool ms_bind(struct etl_instance *inst, void *at, int32_t type, int column)
{
	short (*bind)(SQLHDBC, const unsigned char *, int, int, const unsigned char *, int, int, int);

	return ms_find(inst, "bcp_bind", &bind) &&
	       bind(inst->db, at, PREFIX, VARLEN_DATA, NULL, 0, type, column) == SUCCEED;
}

static bool ms_row(struct etl_instance *inst)
{
	short (*row)(SQLHDBC);

	return ms_find(inst, "bcp_sendrow", &row) && row(inst->db) == SUCCEED;
}

static int64_t ms_end(struct etl_instance *inst, const char *name)
{
	int (*end)(SQLHDBC);

	return ms_find(inst, name, &end) ? end(inst->db) : -1;
}

static int64_t ms_batch(struct etl_instance *inst)
{
	return ms_end(inst, "bcp_batch");
}

static int64_t ms_done(struct etl_instance *inst)
{
	return ms_end(inst, "bcp_done");
}

static const struct bulk_functions microsoft = {
	.how = "bulk copy",
	.utf16 = true,
	.instants = true,
	.text = BULK_NVARCHAR,
	.begin = ms_begin,
	.hints = ms_hints,
	.keep_identity = ms_keep_identity,
	.bind = ms_bind,
	.row = ms_row,
	.batch = ms_batch,
	.done = ms_done,
};

/* ---- Which of them ------------------------------------------------------------------------------------------------------- */

struct search {
	const char *name;
	void *found;
};

static bool ends_in(const char *path, const char *name)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash && strcmp(slash + 1, name) == 0;
}

/* The driver is loaded already: by its path, whatever folder that is in, or by a link to it. */
static int look(struct dl_phdr_info *info, size_t size, void *data)
{
	struct search *search = data;
	char *real = info->dlpi_name && *info->dlpi_name == '/' ? realpath(info->dlpi_name, NULL) : NULL;

	(void)size;
	if (ends_in(info->dlpi_name, search->name) || ends_in(real, search->name))
		search->found = dlopen(info->dlpi_name, RTLD_NOW | RTLD_NOLOAD);
	free(real);
	return search->found != NULL;
}

static bool has_functions(struct etl_instance *inst)
{
	static const char *const names[] = { "bcp_initW", "bcp_control", "bcp_bind", "bcp_sendrow", "bcp_batch", "bcp_done" };
	struct search search = { .name = inst->driver };

	if (!inst->ladder->library)
		dl_iterate_phdr(look, &search);
	if (search.found)
		inst->ladder->library = search.found;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!inst->ladder->library || !dlsym(inst->ladder->library, names[i]))
			return false;
	return true;
}

const struct bulk_functions *bulk_functions_of(struct etl_instance *inst)
{
	if (strncmp(inst->driver, "libtdsodbc", 10) == 0)
		return &freetds;
	return has_functions(inst) ? &microsoft : NULL;
}

void bulk_listen(struct etl_instance *inst, struct odbc_said *said)
{
	SQLHDBC own = SQL_NULL_HDBC;

	if (inst->ladder->functions == &microsoft &&
	    SQL_SUCCEEDED(SQLGetInfoW(inst->db, SQL_DRIVER_HDBC, &own, sizeof(own), NULL)))
		odbc_listen_to(inst, inst->ladder->library, own, said);
	else
		odbc_listen(inst, SQL_HANDLE_DBC, inst->db, said);
}
