/*
 * Azure: a token of Microsoft Entra in the place of a password, the program az (Azure CLI), which gives tokens and makes
 * databases, and the words of Azure's errors.
 */
#ifndef ODBC_AZURE_H
#define ODBC_AZURE_H

#include "odbc.h"

/* ---- azure-exec.c */
#define AZURE_SAID_MAX 2048

/* What a program said. Its output may hold a token: azure_answer_free wipes it. */
struct azure_answer {
	char *out; /* standard output, NUL-terminated */
	size_t size;
	char said[AZURE_SAID_MAX]; /* the end of standard error, in one line */
	int status;		   /* its exit code; 128 and its number for a signal that ended it */
};
/* Runs ARGV, which is found on PATH, without a shell, for LIMIT milliseconds at most; ETL_OK when it ended, however. What
 * it started ends with it. */
int azure_run(struct etl_instance *, const char *const *argv, int64_t limit, struct azure_answer *ret,
	      struct etl_error *);
void azure_answer_free(struct azure_answer *);
/* Overwrites what nobody may find in memory that is given back. */
void azure_wipe(void *at, size_t size);

/* ---- azure-json.c */
/* Is it one JSON value, and nothing behind it? */
bool azure_json_is_sound(const char *json);
/* The text, number or word at PATH ("tags.etlrun", "[0].location") into RET. False: it is not there, is an object, a list
 * or null, or does not fit; RET is then "". */
bool azure_json_get(const char *json, const char *path, char *ret, size_t room);

/* ---- azure-token.c */
struct azure_token {
	unsigned char *at; /* as SQL_COPT_SS_ACCESS_TOKEN wants it; NULL: none */
	size_t size;
	int64_t expires; /* seconds since 1970 UTC; 0: not said */
};
/* Has TEXT the form of a token? A driver that is given something else may crash. */
bool azure_token_is_sound(const char *text);
/* Of an answer's members accessToken or access_token, expires_on. NULL, or what is wrong with it, a constant. */
const char *azure_token_read(const char *json, int64_t now, struct azure_token *ret);
void azure_token_free(struct azure_token *);

/* ---- azure-imds.c */
/* A token for the managed identity of this machine. */
int azure_imds(struct etl_instance *, struct azure_token *ret, struct etl_error *);

/* ---- azure.c */
/* Does what the pipeline says of auth fit together, and with the connection string? */
int odbc_azure_check(const struct etl_host *, const struct etl_conf *, struct etl_error *);
/* Before connecting: inst->db has a token when auth asks for one. TOKEN lives until the connection is made. Refuses a driver
 * that takes none. */
int odbc_azure_give_token(struct etl_instance *, struct azure_token *ret, struct etl_error *);
/* That refusal alone. */
int odbc_azure_refuse_driver(struct etl_instance *, struct etl_error *);
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
