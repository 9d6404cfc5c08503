/*
 * A server as a root of files: what the options say of it, a request with all that it needs to be let in, and the words of what
 * it refuses. http.c and blob.c are the two kinds of it, remote-read.c reads the files of both.
 */
#ifndef FILES_REMOTE_H
#define FILES_REMOTE_H

#include "azure-access.h"
#include "http.h"

enum remote_auth { REMOTE_NOBODY, REMOTE_SAS, REMOTE_KEY, REMOTE_CLI, REMOTE_MACHINE };

struct remote {
	struct files *files;
	const struct etl_host *host;
	const struct etl_conf *conf;
	struct http *http;
	struct http_url url;
	bool blob;	 /* Azure Blob Storage; else any web server */
	enum remote_auth auth;
	/* Of blob: */
	char *account, *container;
	char *at;	  /* the encoded path of the container */
	char *prefix;	  /* decoded, without a slash at its end; "" */
	const char *query; /* the SAS, or what stands behind the ? of a web server's address: secret */
	struct azure_bearer bearer;
	int64_t tries;
};

/* ---- remote.c */
/* Reads the options of conf; FILES has its root, which is shown, without what is secret in URI. Connects to nothing. */
int remote_new(struct files *files, const struct etl_conf *conf, const char *uri, struct etl_error *err);
void remote_free(struct remote *remote); /* accepts NULL */

/* ---- remote-ask.c */
struct remote_param {
	const char *name, *value; /* decoded; sorted by name in a request */
};
struct remote_ask {
	const char *method;
	const char *path; /* encoded */
	const struct remote_param *params;
	size_t param_count;
	const char *range;    /* "bytes=0-8388607", or NULL */
	const char *if_match; /* a tag in its quotes, or NULL */
};
/* One request, without another try. *RET as http_begin; ETL_OK with *ret_outcome, else err says why. */
int remote_begin(struct remote *remote, const struct remote_ask *ask, struct http_answer *answer, struct http_call **ret,
		 enum http_outcome *ret_outcome, char *why, struct etl_error *err);
/*
 * The whole of it: tried again while it may pass. Another status than 200 and 206 is the caller's to judge: BODY has the words of
 * the server. BODY is at most MOST bytes; 0: the head is enough. WHAT is what it is about, for messages.
 */
int remote_fetch(struct remote *remote, const struct remote_ask *ask, const char *what, size_t most, struct http_answer *answer,
		 struct etl_text *body, struct etl_error *err);
/* Of a failed try: waits for the next one, or fails when it was the last, or can never go well. TRY is counted up. */
int remote_again(struct remote *remote, const char *what, int64_t *try, enum http_outcome outcome, const char *why,
		 const struct http_answer *answer, const char *body, struct etl_error *err);
/* A token was refused that may have been taken back: the next request asks for another. False: there was none, or it is new. */
bool remote_renew(struct remote *remote);

/* ---- remote-fail.c */
/* "cannot read WHAT: HTTP 403 AuthenticationFailed: the server's words; what to do". BODY is the answer's, or "". */
int remote_refused(struct remote *remote, const char *what, const struct http_answer *answer, const char *body,
		   struct etl_error *err);

/* ---- remote-read.c: of struct files_backend */
int remote_open(struct files *files, const struct files_entry *entry, struct files_raw **ret, struct etl_error *err);
int remote_read(struct files_raw *raw, void *to, size_t room, size_t *ret, struct etl_error *err);
int remote_seek(struct files_raw *raw, int64_t offset, struct etl_error *err);
int remote_unchanged(struct files_raw *raw, struct etl_error *err);
void remote_close(struct files_raw *raw);
/* The encoded path of a file of the root. False: no memory. */
bool remote_path(const struct remote *remote, const char *name, struct etl_text *ret);
/* Content-Range: bytes FIRST-LAST/TOTAL. False: it is not of that form; *ret_total -1: it is not said. */
bool remote_range(const char *text, int64_t *ret_first, int64_t *ret_total);
/* "Wed, 21 Oct 2015 07:28:00 GMT" as microseconds since 1970; 0: it is none. */
int64_t remote_time(const char *text);
/* A tag without its quotes; one that is weak says nothing of the bytes and is "". */
void remote_tag(const char *text, char *ret, size_t room);

/* ---- blob-sign.c */
struct blob_signed {
	const char *account, *method, *range, *if_match, *date, *version;
	const char *path; /* encoded, as it is sent */
	const struct remote_param *params;
	size_t param_count;
};
/* What is signed: "Authorize with Shared Key". */
void blob_string_to_sign(const struct blob_signed *what, struct etl_text *ret);
/* "SharedKey ACCOUNT:SIGNATURE". False: KEY is no base64. */
bool blob_sign(const struct blob_signed *what, const char *key, struct etl_text *ret);

/* ---- blob-list.c */
struct blob_item {
	const char *name;
	int64_t size;	  /* -1: not said */
	int64_t modified; /* microseconds since 1970; 0: not said */
	const char *tag;  /* without quotes */
	bool folder;
};
/* The answer to List Blobs: TAKE for each blob, whose result other than 0 ends it and is *ret_rc; *ret_marker is the next
 * page's, or empty. NULL, or what is wrong with XML, a constant. */
const char *blob_list_read(const char *xml, size_t size, int (*take)(void *data, const struct blob_item *item), void *data,
			   struct etl_text *ret_marker, int *ret_rc);
/* Of an <Error>: the text of its element NAME. False: it is not there. */
bool blob_error_read(const char *xml, size_t size, const char *name, struct etl_text *ret);

extern const struct files_backend files_web, files_blob;

#endif
