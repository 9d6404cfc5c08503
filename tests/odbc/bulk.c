/*
 * Bulk copy, in both of the forms that drivers have: FreeTDS's private attributes of a connection, and the functions that
 * Microsoft's driver exports. The rows are recorded as they would arrive. It has FreeTDS's buffer of 4096 bytes: what is
 * longer ends the process here, as it damages its memory there.
 */
#include "config.h"

#include "recorder.h"

#include <dlfcn.h>

#define SUCCEED 1
#define FAIL	0
#define BUFFER	4096 /* of FreeTDS: src/tds/mem.c, tds_alloc_bcp_column_data */

/* Types that are bound, as odbcss.h and msodbcsql.h number them. */
enum { TYPE_VARBINARY = 0x25, TYPE_VARCHAR = 0x27, TYPE_DATETIME2 = 0x2a, TYPE_BIT = 0x32, TYPE_FLT8 = 0x3e, TYPE_INT8 = 0x7f,
       TYPE_NVARCHAR = 0xe7 };

struct bulk_column {
	const unsigned char *at;
	int prefix, length, type;
};

struct bulk {
	char *table;
	struct bulk_column columns[MAX_COLUMNS];
	size_t count;
	int rows; /* since the last batch */
	bool microsoft;
};

void bulk_free(struct bulk *b)
{
	if (b)
		free(b->table);
	free(b);
}

static int begin(struct dbc *d, const char *table, bool microsoft)
{
	if (!d->bcp || d->dead) {
		fail(&d->handle, "HY000", 0, d->dead ? "Communication link failure" : "Connection not enabled for BCP");
		return FAIL;
	}
	bulk_free(d->bulk);
	d->bulk = calloc(1, sizeof(*d->bulk));
	d->bulk->table = strdup(table);
	d->bulk->microsoft = microsoft;
	record(d, "bulk %s", table);
	return SUCCEED;
}

static int bind(struct dbc *d, const unsigned char *at, int prefix, int length, int type, int column)
{
	struct bulk *b = d->bulk;

	if (!b || column < 1 || column > MAX_COLUMNS)
		return FAIL;
	b->columns[column - 1] = (struct bulk_column){ at, prefix, length, type };
	if (b->count < (size_t)column)
		b->count = (size_t)column;
	return SUCCEED;
}

static char *show_date(const SQL_TIMESTAMP_STRUCT *t)
{
	return join("%04d-%02d-%02d %02d:%02d:%02d.%06u", t->year, t->month, t->year < 1601 ? t->day - 1 : t->day, t->hour,
		    t->minute, t->second, (unsigned)t->fraction / 1000);
}

static char *show_text(const struct bulk *b, const struct bulk_column *c, const char *at, int64_t length)
{
	bool half;
	char *text, *ret;
	size_t wire = c->type == TYPE_VARCHAR ? 0 : (size_t)length;

	if (c->type == TYPE_VARCHAR) {
		text = strndup(at, (size_t)length);
		wire = widen(text, NULL, 0) * sizeof(SQLWCHAR);
	} else if (c->type == TYPE_NVARCHAR) {
		text = narrow((const SQLWCHAR *)(const void *)at, (SQLINTEGER)(length / (int64_t)sizeof(SQLWCHAR)), &half);
	} else {
		text = NULL;
	}
	if (!b->microsoft && wire > BUFFER) {
		fprintf(stderr, "recorder: a value of %zu bytes overruns the buffer of bulk copy\n", wire);
		abort();
	}
	ret = text ? shown(text, strlen(text), false) : shown(at, (size_t)length, true);
	free(text);
	return ret;
}

static char *show_value(const struct bulk *b, const struct bulk_column *c)
{
	const char *at = (const char *)c->at + c->prefix;
	int64_t length = c->length;

	if (c->prefix == 8)
		memcpy(&length, c->at, 8);
	if (!c->at || length == -1)
		return strdup("NULL");
	switch (c->type) {
	case TYPE_INT8: {
		int64_t n;

		memcpy(&n, at, 8);
		return join("%lld", (long long)n);
	}
	case TYPE_FLT8: {
		double n;

		memcpy(&n, at, 8);
		return join("%.17g", n);
	}
	case TYPE_BIT:
		return strdup(*at ? "1" : "0");
	case TYPE_DATETIME2:
		return show_date((const SQL_TIMESTAMP_STRUCT *)(const void *)at);
	default:
		return show_text(b, c, at, length);
	}
}

/* A rule for "sendrow" may refuse a row, lose the connection with it, or say something of one that it takes. */
static int send_row(struct dbc *d)
{
	struct bulk *b = d->bulk;
	struct rule *r = script_answer("sendrow");
	char *text = strdup("");

	if (!b)
		return FAIL;
	for (size_t i = 0; i < b->count; i++) {
		char *value = show_value(b, &b->columns[i]);
		char *more = join("%s%s%s", text, i ? "|" : "", value);

		free(value);
		free(text);
		text = more;
	}
	if (r) {
		record(d, "%s %s %d", r->fails ? "failed" : "info", r->state, r->native);
		say(&d->handle, r->state, r->native, r->words);
	}
	if (r && r->gone) {
		d->dead = true;
		end_transaction(d, false);
	}
	if (!r || !r->fails) {
		keep(d, b->table, text);
		b->rows++;
	}
	free(text);
	return r && r->fails ? FAIL : SUCCEED;
}

/* A rule for "batch" may refuse all of them: constraints speak up here. */
static int end_batch(struct dbc *d, bool done)
{
	struct bulk *b = d->bulk;
	struct rule *r = script_answer("batch");
	int rows = b ? b->rows : -1;

	record(d, "batch %d", rows);
	if (r && r->gone) {
		d->dead = true;
		end_transaction(d, false);
	}
	if (r) {
		fail(&d->handle, r->state, r->native, r->words);
		rows = -1;
	}
	if (b)
		b->rows = 0;
	if (done) {
		bulk_free(b);
		d->bulk = NULL;
	}
	return rows;
}

static int control(struct dbc *d, int field, const void *value, const char *hints)
{
	if (hints)
		record(d, "hints %s", hints);
	else
		record(d, "control %d %d", field, value != NULL);
	return SUCCEED;
}

/* ---- FreeTDS: odbcss.h ----------------------------------------------------------------------------------------------- */

struct init_params {
	const void *table, *file, *errors;
	int direction;
};

struct control_params {
	int field;
	void *value;
};

struct bind_params {
	const unsigned char *at;
	int prefix, length;
	const unsigned char *terminator;
	int terminator_length, type, column;
};

SQLRETURN bulk_attribute(struct dbc *d, SQLINTEGER attribute, void *value)
{
	struct init_params *init = value;
	struct control_params *c = value;
	struct bind_params *b = value;
	bool newer = strcmp(script_version(), "01.05") >= 0;
	int rc = FAIL;

	if (strcmp(script_name(), "libtdsodbc.so") != 0)
		return fail(&d->handle, "HY092", 0, "Invalid attribute/option identifier");
	switch (attribute) {
	case 1500:
		rc = begin(d, init->table, false);
		break;
	case 1501: /* up to 1.4 */
		rc = newer ? FAIL : control(d, c->field, c->value, c->field == 6 ? c->value : NULL);
		break;
	case 1508: /* from 1.5 on */
		rc = newer ? control(d, c->field, c->value, c->field == 10 ? c->value : NULL) : FAIL;
		break;
	case 1503:
		rc = send_row(d);
		break;
	case 1504:
	case 1505:
		*(int *)value = end_batch(d, attribute == 1505);
		rc = *(int *)value >= 0;
		break;
	case 1506:
		rc = bind(d, b->at, b->prefix, b->length, b->type, b->column);
		break;
	default:
		break;
	}
	return rc != SUCCEED ? SQL_ERROR : d->handle.diag_count ? SQL_SUCCESS_WITH_INFO : SQL_SUCCESS;
}

/* ---- Microsoft: msodbcsql.h ------------------------------------------------------------------------------------------ */

/* They are given the driver manager's handle, and ask it for the driver's own. */
static struct dbc *own(SQLHDBC manager)
{
	void *file = dlopen("libodbc.so.2", RTLD_NOW | RTLD_NOLOAD);
	SQLRETURN (*get_info)(SQLHDBC, SQLUSMALLINT, SQLPOINTER, SQLSMALLINT, SQLSMALLINT *) = NULL;
	SQLHDBC ret = SQL_NULL_HDBC;

	if (file)
		*(void **)&get_info = dlsym(file, "SQLGetInfo");
	if (!get_info || !SQL_SUCCEEDED(get_info(manager, SQL_DRIVER_HDBC, &ret, sizeof(ret), NULL)))
		abort();
	dlclose(file);
	return ret;
}

short bcp_initW(SQLHDBC h, const SQLWCHAR *table, const SQLWCHAR *file, const SQLWCHAR *errors, int direction)
{
	bool half;
	char *name = narrow(table, SQL_NTS, &half);
	int rc = begin(own(h), name, true);

	(void)file;
	(void)errors;
	(void)direction;
	free(name);
	return (short)rc;
}

short bcp_bind(SQLHDBC h, const unsigned char *at, int prefix, int length, const unsigned char *terminator, int size, int type,
	       int column)
{
	(void)terminator;
	(void)size;
	return (short)bind(own(h), at, prefix, length, type, column);
}

short bcp_control(SQLHDBC h, int field, void *value)
{
	bool half;
	char *hints = field == 11 ? narrow(value, SQL_NTS, &half) : NULL;

	control(own(h), field, value, hints);
	free(hints);
	return SUCCEED;
}

short bcp_sendrow(SQLHDBC h)
{
	return (short)send_row(own(h));
}

int bcp_batch(SQLHDBC h)
{
	return end_batch(own(h), false);
}

int bcp_done(SQLHDBC h)
{
	return end_batch(own(h), true);
}
