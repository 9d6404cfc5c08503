/*
 * Azure, for every plugin that is let in by it: the program az (Azure CLI) and how it is run, single values of its answers, and
 * access tokens of Microsoft Entra, from az or from the machine's own identity. What a token is for is the plugin's own.
 */
#ifndef LIB_AZURE_ACCESS_H
#define LIB_AZURE_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <etlrun/helpers.h>
#include <etlrun/plugin.h>

/* On whose behalf. */
struct azure_caller {
	const struct etl_host *host;
	bool to_the_end; /* a run that is to stop is no reason to: what is under way must not be left half done */
};

/* ---- azure-exec.c */
#define AZURE_SAID_MAX 2048

/* What a program said. Its output may hold a token: etl_azure_answer_free wipes it. */
struct azure_answer {
	char *out; /* standard output, NUL-terminated */
	size_t size;
	char said[AZURE_SAID_MAX]; /* the end of standard error, in one line */
	int status;		   /* its exit code; 128 and its number for a signal that ended it */
};
/* Runs ARGV, which is found on PATH, without a shell, for LIMIT milliseconds at most; ETL_OK when it ended, however. What
 * it started ends with it. */
int etl_azure_run(const struct azure_caller *, const char *const *argv, int64_t limit, struct azure_answer *ret,
	      struct etl_error *);
void etl_azure_answer_free(struct azure_answer *);
/* Overwrites what nobody may find in memory that is given back. */
void etl_azure_wipe(void *at, size_t size);

/* ---- azure-json.c */
/* Is it one JSON value, and nothing behind it? */
bool etl_azure_json_is_sound(const char *json);
/* The text, number or word at PATH ("tags.etlrun", "[0].location") into RET. False: it is not there, is an object, a list
 * or null, or does not fit; RET is then "". */
bool etl_azure_json_get(const char *json, const char *path, char *ret, size_t room);

/* ---- azure-bearer.c */
struct azure_bearer {
	char *text;	 /* NULL: none */
	int64_t expires; /* seconds since 1970 UTC; 0: not said */
};
/* Has TEXT the form of a token? A driver that is given something else may crash. */
bool etl_azure_token_is_sound(const char *text);
/* Of an answer's members accessToken or access_token, expires_on. NULL, or what is wrong with it, a constant. */
const char *etl_azure_bearer_read(const char *json, int64_t now, struct azure_bearer *ret);
void etl_azure_bearer_free(struct azure_bearer *);

/* ---- azure-imds.c */
/* A token for the managed identity of this machine, from the service at ENDPOINT, for RESOURCE ("https://…/"); IDENTITY is the
 * client id of one of several identities, or NULL. */
int etl_azure_imds(const struct azure_caller *, const char *endpoint, const char *identity, const char *resource,
	       struct azure_bearer *ret, struct etl_error *);

#endif
