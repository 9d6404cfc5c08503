/* Handles, connections, what the driver says of itself and of its failures. */
#include "config.h"

#include "recorder.h"

#include <dlfcn.h>

static int connections;

void clear(struct handle *h)
{
	h->diag_count = 0;
}

void say(struct handle *h, const char *state, int native, const char *words)
{
	struct diag *d = &h->diags[h->diag_count < MAX_DIAGS ? h->diag_count++ : MAX_DIAGS - 1];

	snprintf(d->state, sizeof(d->state), "%s", state);
	d->native = native;
	snprintf(d->words, sizeof(d->words), "[etlrun][recorder]%s", words);
}

SQLRETURN fail(struct handle *h, const char *state, int native, const char *words)
{
	say(h, state, native, words);
	return SQL_ERROR;
}

/* ---- Handles -------------------------------------------------------------------------------------------------- */

static SQLHANDLE new_statement(struct dbc *dbc)
{
	struct stmt *s = calloc(1, sizeof(*s));

	s->handle.kind = KIND_STMT;
	s->dbc = dbc;
	s->paramset = 1;
	s->array = 1;
	return s;
}

static SQLHANDLE new_connection(void)
{
	struct dbc *d = calloc(1, sizeof(*d));

	d->handle.kind = KIND_DBC;
	d->kept_end = &d->kept;
	return d;
}

SQLRETURN SQLAllocHandle(SQLSMALLINT type, SQLHANDLE in, SQLHANDLE *ret)
{
	if (type == SQL_HANDLE_ENV)
		*ret = calloc(1, sizeof(struct env));
	else if (type == SQL_HANDLE_DBC)
		*ret = new_connection();
	else if (type == SQL_HANDLE_STMT)
		*ret = new_statement(in);
	else
		return SQL_ERROR;
	return SQL_SUCCESS;
}

SQLRETURN SQLFreeHandle(SQLSMALLINT type, SQLHANDLE h)
{
	if (type == SQL_HANDLE_STMT) {
		struct stmt *s = h;

		free(s->sql);
		free_lines(s->rows);
	} else if (type == SQL_HANDLE_DBC) {
		free_lines(((struct dbc *)h)->kept);
		free(((struct dbc *)h)->token);
		bulk_free(((struct dbc *)h)->bulk);
	}
	free(h);
	return SQL_SUCCESS;
}

SQLRETURN SQLSetEnvAttr(SQLHENV env, SQLINTEGER attribute, SQLPOINTER value, SQLINTEGER size)
{
	(void)env;
	(void)attribute;
	(void)value;
	(void)size;
	return SQL_SUCCESS;
}

/* ---- Connections ---------------------------------------------------------------------------------------------- */

/* The value of KEY in a connection string; to be freed. */
static char *value_of(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	return at ? strndup(at + strlen(key), strcspn(at + strlen(key), ";")) : strdup("");
}

/* As msodbcsql.h has it: a length in bytes of the machine's order, then the token, a zero behind each of its bytes. What is no such
 * thing is said to be none. */
static char *token_of(const unsigned char *at)
{
	uint32_t bytes;
	char *text, *ret;

	memcpy(&bytes, at, sizeof(bytes));
	text = calloc(1, bytes / 2 + 1u);
	for (uint32_t i = 0; i < bytes / 2; i++) {
		text[i] = (char)at[sizeof(bytes) + 2 * i];
		if (at[sizeof(bytes) + 2 * i + 1] != 0 || !text[i]) {
			free(text);
			return strdup("is no token");
		}
	}
	ret = join("%u %s", (unsigned)bytes, text);
	free(text);
	return ret;
}

/* What is secret is left out of the record. */
static void record_connect(struct dbc *d, const char *text)
{
	const char *secret = strstr(text, "PWD=");

	if (secret)
		record(d, "connect %.*s***", (int)(secret + 4 - text), text);
	else
		record(d, "connect %s", text);
}

SQLRETURN SQLDriverConnectW(SQLHDBC h, SQLHWND window, SQLWCHAR *wide, SQLSMALLINT units, SQLWCHAR *out, SQLSMALLINT room,
			    SQLSMALLINT *ret, SQLUSMALLINT completion)
{
	struct dbc *d = h;
	bool half;
	char *text = narrow(wide, units, &half), *script = value_of(text, "Script="), *path = value_of(text, "Record=");
	struct rule *r;

	(void)window;
	(void)completion;
	clear(&d->handle);
	d->number = __atomic_add_fetch(&connections, 1, __ATOMIC_RELAXED);
	d->connected = script_open(script, path);
	if (d->connected && d->token)
		record(d, "token %s", d->token);
	if (d->connected)
		record_connect(d, text);
	if (ret)
		*ret = (SQLSMALLINT)widen(text, out, out ? (size_t)room : 0);
	free(text);
	free(script);
	free(path);
	if (!d->connected)
		return fail(&d->handle, "08001", 0, "no record: Script=FILE;Record=FILE");
	r = script_answer("connect");
	if (!r || !r->fails)
		return SQL_SUCCESS;
	record(d, "failed %s %d", r->state, r->native);
	d->connected = false;
	return fail(&d->handle, r->state, r->native, r->words);
}

/* Its presence says that this driver speaks UTF-16. */
SQLRETURN SQLConnectW(SQLHDBC h, SQLWCHAR *dsn, SQLSMALLINT a, SQLWCHAR *user, SQLSMALLINT b, SQLWCHAR *password, SQLSMALLINT c)
{
	struct dbc *d = h;

	(void)dsn;
	(void)a;
	(void)user;
	(void)b;
	(void)password;
	(void)c;
	return fail(&d->handle, "08001", 0, "it takes a connection string");
}

SQLRETURN SQLDisconnect(SQLHDBC h)
{
	struct dbc *d = h;

	end_transaction(d, false);
	record(d, "disconnect");
	d->connected = false;
	return SQL_SUCCESS;
}

void keep(struct dbc *d, const char *table, const char *row)
{
	char *line;

	if (d->transactions == 0) {
		record(d, "loose %s %s", table, row);
		return;
	}
	line = join("kept %s %s", table, row);
	add_line(&d->kept_end, line);
	free(line);
}

void end_transaction(struct dbc *d, bool commit)
{
	for (struct line *l = d->kept; l && commit; l = l->next)
		record(d, "%s", l->text);
	free_lines(d->kept);
	d->kept = NULL;
	d->kept_end = &d->kept;
	d->saved = NULL;
	d->unit[0] = '\0';
	d->marked = false;
	d->transactions = 0;
}

SQLRETURN SQLEndTran(SQLSMALLINT type, SQLHANDLE h, SQLSMALLINT how)
{
	if (type == SQL_HANDLE_DBC)
		end_transaction(h, how == SQL_COMMIT);
	return SQL_SUCCESS;
}

SQLRETURN SQLSetConnectAttrW(SQLHDBC h, SQLINTEGER attribute, SQLPOINTER value, SQLINTEGER size)
{
	struct dbc *d = h;

	(void)size;
	clear(&d->handle);
	if (attribute == 1219) /* SQL_COPT_SS_BCP */
		d->bcp = value != NULL;
	if (attribute == 1256 && d->connected) /* SQL_COPT_SS_ACCESS_TOKEN */
		return fail(&d->handle, "HY011", 0, "Attribute cannot be set now");
	if (attribute == 1256) {
		free(d->token);
		d->token = token_of(value);
	}
	if (attribute >= 1500 && attribute <= 1510)
		return bulk_attribute(d, attribute, value);
	return SQL_SUCCESS;
}

SQLRETURN SQLGetConnectAttrW(SQLHDBC h, SQLINTEGER attribute, SQLPOINTER value, SQLINTEGER room, SQLINTEGER *ret)
{
	struct dbc *d = h;

	(void)room;
	(void)ret;
	if (attribute != SQL_ATTR_CONNECTION_DEAD)
		return SQL_ERROR;
	*(SQLUINTEGER *)value = d->dead ? SQL_CD_TRUE : SQL_CD_FALSE;
	return SQL_SUCCESS;
}

/* ---- What it says of itself -------------------------------------------------------------------------------------- */

static const char *info_text(SQLUSMALLINT what)
{
	switch (what) {
	case SQL_DBMS_NAME:
		return script_server();
	case SQL_DBMS_VER:
		return "16.00.4085";
	case SQL_DRIVER_NAME:
		return script_name();
	case SQL_DRIVER_VER:
		return script_version();
	case SQL_DRIVER_ODBC_VER:
		return "03.80";
	case SQL_DATABASE_NAME:
		return "recorded";
	case SQL_USER_NAME:
		return "dbo";
	case SQL_IDENTIFIER_QUOTE_CHAR:
		return "\"";
	default:
		return NULL;
	}
}

SQLRETURN SQLGetInfoW(SQLHDBC h, SQLUSMALLINT what, SQLPOINTER value, SQLSMALLINT room, SQLSMALLINT *ret)
{
	const char *text = info_text(what);
	size_t units;

	(void)h;
	if (text) {
		units = widen(text, value, value ? (size_t)room / sizeof(SQLWCHAR) : 0);
		if (ret)
			*ret = (SQLSMALLINT)(units * sizeof(SQLWCHAR));
		return SQL_SUCCESS;
	}
	if (what == SQL_GETDATA_EXTENSIONS)
		*(SQLUINTEGER *)value = (SQLUINTEGER)script_getdata();
	else if (what == SQL_CURSOR_COMMIT_BEHAVIOR || what == SQL_CURSOR_ROLLBACK_BEHAVIOR || what == SQL_TXN_CAPABLE)
		*(SQLUSMALLINT *)value = what == SQL_TXN_CAPABLE ? SQL_TC_ALL : SQL_CB_CLOSE;
	else
		return SQL_ERROR;
	return SQL_SUCCESS;
}

SQLRETURN SQLGetDiagRecW(SQLSMALLINT type, SQLHANDLE handle, SQLSMALLINT number, SQLWCHAR *state, SQLINTEGER *native,
			 SQLWCHAR *words, SQLSMALLINT room, SQLSMALLINT *ret)
{
	struct handle *h = handle;
	const struct diag *d;
	size_t units;

	(void)type;
	if (number < 1 || (size_t)number > h->diag_count)
		return SQL_NO_DATA;
	d = &h->diags[number - 1];
	widen(d->state, state, 6);
	if (native)
		*native = d->native;
	units = widen(d->words, words, words ? (size_t)room : 0);
	if (ret)
		*ret = (SQLSMALLINT)units;
	return units < (size_t)room ? SQL_SUCCESS : SQL_SUCCESS_WITH_INFO;
}

SQLRETURN SQLGetDiagFieldW(SQLSMALLINT type, SQLHANDLE handle, SQLSMALLINT number, SQLSMALLINT what, SQLPOINTER value,
			   SQLSMALLINT room, SQLSMALLINT *ret)
{
	(void)type;
	(void)handle;
	(void)number;
	(void)what;
	(void)value;
	(void)room;
	(void)ret;
	return SQL_NO_DATA;
}
