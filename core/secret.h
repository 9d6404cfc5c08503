/*
 * What must never be seen: every secret value the pipeline named is registered here once, before
 * any plugin is opened, and every text that leaves the process is passed through secret_redact.
 * Thread-safe.
 */
#ifndef CORE_SECRET_H
#define CORE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

/* Remembers VALUE and its URL-encoded spelling. Values shorter than 4 bytes are too common to mask. From the
 * first on the process leaves no core file behind, and no other process may look into its memory.
 * False: no memory. */
bool secret_add(const char *value);
/* Registers the password and the secret query values of a URI, or of a connection string of ODBC or libpq. */
bool secret_add_uri(const char *uri);
/* How many spellings are known. */
size_t secret_count(void);
/* A copy of TEXT with every known secret replaced by "***"; NULL: no memory. The caller frees. */
char *secret_redact(const char *text);
/* Overwrites every known secret in TEXT with asterisks; true: there was one. */
bool secret_hide(char *text);
/* Forgets all, overwriting the memory. */
void secret_clear(void);

#endif
