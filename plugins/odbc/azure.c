/*
 * Who we are at the server: a user with a password, whatever the driver does on its own, or a token of Microsoft Entra, which
 * az or the machine's own identity gives. A token is asked for before each connection and forgotten after it: az and the
 * machine keep theirs, and renew them before they end, and an open session outlives the token it was opened with.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

#include "azure.h"

#define SQL_COPT_SS_ACCESS_TOKEN 1256 /* of Microsoft's msodbcsql.h */
#define TOKEN_LIMIT_MS 60000
#define RESOURCE "https://database.windows.net/"

static bool takes_token(const struct etl_host *host, const struct etl_conf *conf)
{
	const char *auth = host->str(conf, "auth");

	return auth && (strcmp(auth, "azure-cli") == 0 || strcmp(auth, "managed-identity") == 0);
}

/* ---- Before anything is opened ------------------------------------------------------------------------------ */

/* Microsoft: with a token the connection string must not say who logs in. */
static int check_string(const struct etl_host *host, const struct etl_conf *conf, struct etl_error *err)
{
	static const char *const keys[] = { "UID", "User", "PWD", "Password", "Authentication", "Trusted_Connection" };
	struct etl_text whole = { 0 }, value = { 0 };
	const char *found = NULL;
	int rc = odbc_conninfo(host, conf, &whole, err);

	for (size_t i = 0; rc == ETL_OK && !found && i < sizeof(keys) / sizeof(*keys); i++)
		if (odbc_conninfo_value(whole.at, keys[i], &value))
			found = keys[i];
	etl_azure_wipe(value.at, value.length);
	etl_azure_wipe(whole.at, whole.length);
	etl_text_free(&value);
	etl_text_free(&whole);
	return found ? host->fail(err, ETL_USAGE, NULL, 0,
				  "auth = \"%s\" logs in with a token, so that nobody else may be named: take %s out, or auth",
				  host->str(conf, "auth"), found) :
		       rc;
}

int odbc_azure_check(const struct etl_host *host, const struct etl_conf *conf, struct etl_error *err)
{
	const char *auth = host->str(conf, "auth"), *user = host->str(conf, "user");
	const char *identity = host->str(conf, "identity");

	if (identity && (!auth || strcmp(auth, "managed-identity") != 0))
		return host->fail(err, ETL_USAGE, NULL, 0, "identity goes with auth = \"managed-identity\"");
	if (identity && strspn(identity, "0123456789abcdefABCDEF-") != strlen(identity))
		return host->fail(err, ETL_USAGE, NULL, 0,
				  "identity: \"%s\" is no client id such as 01234567-89ab-cdef-0123-456789abcdef", identity);
	if (!auth)
		return ETL_OK;
	if (takes_token(host, conf))
		return check_string(host, conf, err);
	if (strcmp(auth, "sql") == 0 && !user && !host->str(conf, "connection"))
		return host->fail(err, ETL_USAGE, NULL, 0, "auth = \"sql\" needs user and password");
	if (strcmp(auth, "driver") == 0 && user)
		return host->fail(err, ETL_USAGE, NULL, 0, "auth = \"driver\" leaves it to the driver who logs in: take user out");
	return ETL_OK;
}

/* ---- The driver ---------------------------------------------------------------------------------------------- */

int odbc_azure_refuse_driver(struct etl_instance *inst, struct etl_error *err)
{
	const char *auth = inst->host->str(inst->conf, "auth");
	char file[512];

	if (!takes_token(inst->host, inst->conf))
		return ETL_OK;
	odbc_driver_file(inst, file, sizeof(file));
	if (!odbc_driver_is_freetds(file) && !strcasestr(file, "psqlodbc") && !strcasestr(file, "sqlite"))
		return ETL_OK;
	return inst->host->fail(err, ETL_USAGE, NULL, 0,
				"auth = \"%s\": the driver %s takes no token; write driver = \"ODBC Driver 18 for SQL Server\" "
				"(Microsoft's), or auth = \"sql\" with user and password",
				auth, file);
}

/* ---- az ---------------------------------------------------------------------------------------------------------- */

static bool says(const char *words, const char *const *any)
{
	for (; *any; any++)
		if (strcasestr(words, *any))
			return true;
	return false;
}

int odbc_azure_fail(struct etl_instance *inst, const char *doing, const struct azure_answer *answer, struct etl_error *err)
{
	static const char *const login[] = { "az login", "AADSTS", "no subscription", NULL };
	static const char *const region[] = { "ProvisioningDisabled", "LocationNotAvailable", "RegionDoesNotAllow", NULL };
	static const char *const rights[] = { "AuthorizationFailed", "LinkedAuthorizationFailed", NULL };
	static const char *const wrong[] = { "ResourceNotFound", "ResourceGroupNotFound", "ParentResourceNotFound", "InvalidParameter",
					     "unrecognized arguments", "ValidationError", NULL };
	const char *said = answer->said, *advice = "";
	int32_t klass = ETL_FATAL;

	if (says(said, login)) {
		klass = ETL_USAGE;
		advice = "; log in with `az login` and run again";
	} else if (says(said, region)) {
		klass = ETL_USAGE;
		advice = "; take a server in another region: a database lies where its server does";
	} else if (says(said, rights)) {
		klass = ETL_USAGE;
		advice = "; let who is logged in have the role SQL DB Contributor on the server, or log in as another";
	} else if (says(said, wrong)) {
		klass = ETL_USAGE;
	}
	return inst->host->fail(err, klass, NULL, 0, "%s: az ended with exit code %d: %s%s", doing, answer->status,
				*said ? said : "it does not say why", advice);
}

int odbc_azure_run(struct etl_instance *inst, const char *const *argv, int64_t limit, struct azure_answer *ret,
		   struct etl_error *err)
{
	const struct azure_caller who = { inst->host, inst->to_the_end };

	return etl_azure_run(&who, argv, limit, ret, err);
}

int odbc_azure_az(struct etl_instance *inst, const char *doing, const char *const *argv, int64_t limit, struct azure_answer *ret,
		  struct etl_error *err)
{
	int rc = odbc_azure_run(inst, argv, limit, ret, err);

	if (rc < 0 || ret->status == 0)
		return rc;
	rc = odbc_azure_fail(inst, doing, ret, err);
	etl_azure_answer_free(ret);
	return rc;
}

static int ask_cli(struct etl_instance *inst, struct azure_token *ret, struct etl_error *err)
{
	static const char *const argv[] = { "az", "account", "get-access-token", "--resource", RESOURCE,
					    "--output", "json", "--only-show-errors", NULL };
	struct azure_answer answer;
	const char *wrong;
	int rc = odbc_azure_az(inst, "asking for an access token", argv, TOKEN_LIMIT_MS, &answer, err);

	if (rc < 0)
		return rc;
	wrong = azure_token_read(answer.out, (int64_t)time(NULL), ret);
	etl_azure_answer_free(&answer);
	return wrong ? inst->host->fail(err, ETL_USAGE, NULL, 0, "az account get-access-token: %s; log in with `az login` and run again",
					wrong) :
		       ETL_OK;
}

static int ask_machine(struct etl_instance *inst, struct azure_token *ret, struct etl_error *err)
{
	const struct azure_caller who = { inst->host, inst->to_the_end };
	const char *wrong;
	struct azure_bearer bearer;
	int rc = etl_azure_imds(&who, inst->host->str(inst->conf, "identity_endpoint"), inst->host->str(inst->conf, "identity"), RESOURCE,
			    &bearer, err);

	if (rc < 0)
		return rc;
	wrong = azure_token_of(&bearer, ret);
	return wrong ? inst->host->fail(err, ETL_MEMORY, NULL, 0, "%s", wrong) : ETL_OK;
}

/* ---- The connection ------------------------------------------------------------------------------------------------ */

int odbc_azure_give_token(struct etl_instance *inst, struct azure_token *ret, struct etl_error *err)
{
	const char *auth = inst->host->str(inst->conf, "auth");
	int rc = odbc_azure_refuse_driver(inst, err);

	*ret = (struct azure_token){ 0 };
	if (rc < 0 || !takes_token(inst->host, inst->conf))
		return rc;
	rc = strcmp(auth, "azure-cli") == 0 ? ask_cli(inst, ret, err) : ask_machine(inst, ret, err);
	if (rc == ETL_OK &&
	    !SQL_SUCCEEDED(SQLSetConnectAttrW(inst->db, SQL_COPT_SS_ACCESS_TOKEN, ret->at, SQL_IS_POINTER))) {
		rc = odbc_fail(inst, SQL_HANDLE_DBC, inst->db, err, "giving the driver an access token");
		azure_token_free(ret);
	}
	return rc;
}
