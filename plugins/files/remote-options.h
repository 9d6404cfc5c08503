/*
 * The options of files that are read over HTTP, the same for every plugin of files: they stand in its table behind path and uri.
 * remote.c reads them.
 */
#ifndef FILES_REMOTE_OPTIONS_H
#define FILES_REMOTE_OPTIONS_H

#define FILES_REMOTE_OPTIONS                                                                                                      \
	{ .name = "service", .kind = ETL_OPT_CHOICE, .flags = ETL_OPT_SOURCE, .default_text = "auto", .choices = "auto|web|blob|emulator", \
	  .help = "What answers at a uri with https:// or http://: a web server, Azure Blob Storage, or its emulator, where the account is the " \
		  "first part of the path. auto: blob for ACCOUNT.blob...., else web." },                                          \
	{ .name = "auth", .kind = ETL_OPT_CHOICE, .flags = ETL_OPT_SOURCE, .default_text = "auto",                                \
	  .choices = "auto|none|sas|shared-key|azure-cli|managed-identity",                                                      \
	  .help = "Who asks at Azure: nobody, who has a SAS or the account's key, who is logged in with az, or the machine's identity. auto: by " \
		  "what is given." },                                                                                             \
	{ .name = "sas", .kind = ETL_OPT_SECRET, .flags = ETL_OPT_SOURCE,                                                        \
	  .help = "A SAS, \"sv=...&sig=...\", instead of behind the ? of the uri." },                                                \
	{ .name = "account_key", .kind = ETL_OPT_SECRET, .flags = ETL_OPT_SOURCE, .help = "A key of the storage account, for shared-key." }, \
	{ .name = "identity", .kind = ETL_OPT_TEXT, .flags = ETL_OPT_SOURCE,                                                     \
	  .help = "The client id of a user-assigned identity, for managed-identity." },                                          \
	{ .name = "identity_endpoint", .kind = ETL_OPT_TEXT, .flags = ETL_OPT_SOURCE,                                            \
	  .default_text = "http://169.254.169.254/metadata/identity/oauth2/token", .help = "Where the machine gives tokens." },   \
	{ .name = "urls", .kind = ETL_OPT_LIST, .flags = ETL_OPT_SOURCE,                                                         \
	  .help = "The files of a web server, which cannot be asked for them: names below uri. Default: uri is the one file." },  \
	{ .name = "timeout", .kind = ETL_OPT_DURATION, .flags = ETL_OPT_SOURCE, .default_text = "60s", .min = 1000, .max = 3600000, \
	  .help = "How long a server may say nothing." },                                                                        \
	{ .name = "tries", .kind = ETL_OPT_INT, .flags = ETL_OPT_SOURCE, .default_text = "5", .min = 1, .max = 100,               \
	  .help = "How often a request that may succeed another time is made, with growing pauses; reading goes on at the byte where it broke." }, \
	{ .name = "page", .kind = ETL_OPT_INT, .flags = ETL_OPT_SOURCE, .default_text = "5000", .min = 1, .max = 5000,            \
	  .help = "How many names of a container are asked for at once." }

#endif
