/*
 * Azure: a token of Microsoft Entra in the place of a password, the program az (Azure CLI), which gives tokens and makes
 * databases, and the words of Azure's errors.
 */
#ifndef ODBC_AZURE_H
#define ODBC_AZURE_H

#include "azure-access.h"
#include "odbc.h"

/* ---- azure-token.c */
struct azure_token {
	unsigned char *at; /* as SQL_COPT_SS_ACCESS_TOKEN wants it; NULL: none */
	size_t size;
	int64_t expires; /* seconds since 1970 UTC; 0: not said */
};
/* BEARER is spent. NULL, or what is wrong, a constant. */
const char *azure_token_of(struct azure_bearer *bearer, struct azure_token *ret);
/* Of an answer, as etl_azure_bearer_read. */
const char *azure_token_read(const char *json, int64_t now, struct azure_token *ret);
void azure_token_free(struct azure_token *);

/* ---- azure.c */
/* Does what the pipeline says of auth fit together, and with the connection string? */
int odbc_azure_check(const struct etl_host *, const struct etl_conf *, struct etl_error *);
/* Before connecting: inst->db has a token when auth asks for one. TOKEN lives until the connection is made. Refuses a driver
 * that takes none. */
int odbc_azure_give_token(struct etl_instance *, struct azure_token *ret, struct etl_error *);
/* That refusal alone. */
int odbc_azure_refuse_driver(struct etl_instance *, struct etl_error *);
/* Azure_run for this instance. */
int odbc_azure_run(struct etl_instance *, const char *const *argv, int64_t limit, struct azure_answer *ret,
		   struct etl_error *);
/* Runs az with what ARGV (ended by NULL) adds, and refuses what is no success: DOING says what for. */
int odbc_azure_az(struct etl_instance *, const char *doing, const char *const *argv, int64_t limit,
		  struct azure_answer *ret, struct etl_error *);
/* The failure of an az that ended with another code than 0. */
int odbc_azure_fail(struct etl_instance *, const char *doing, const struct azure_answer *, struct etl_error *);

/* ---- azure-driver.c */
/* The file of the driver that the connection string, or its data source, names; "" when nobody knows. */
void odbc_driver_file(struct etl_instance *, char *ret, size_t room);
/* Is it installed, as far as can be told without loading it? */
bool odbc_driver_is_there(const char *file);
bool odbc_driver_is_freetds(const char *file);
bool odbc_driver_is_microsofts(const char *file);

/* ---- azure-advice.c */
/* What to do about an error of Azure's, when its own words are part of that; "" when they are not. */
void odbc_azure_advice(int64_t native, const char *words, char *ret, size_t room);

#endif
