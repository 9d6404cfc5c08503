/*
 * A database that the run makes for itself, with az. Until `begin` makes it nothing is there and nobody connects: what the
 * server would say is known all the same (it will be Azure SQL, and empty). What was made is written down before it is
 * made, in a file beside the state and as a tag on the database, so that whoever takes it away, be it another process,
 * takes away that and nothing else.
 */
#ifndef ODBC_PROVISION_H
#define ODBC_PROVISION_H

#include "target.h"

#define PROVISION_NAME_MAX 128 /* characters; Azure's */
#define PROVISION_TAG	   "etlrun-run" /* on the database: the id of the run that made it */

/* ---- provision-name.c */
/* The name for a source's file: "My_Data_2024.sqlite" gives "my-data-2024". *RET_CUT: it was too long. False: nothing of it
 * is a letter or a digit. RET has PROVISION_NAME_MAX + 1 bytes. */
bool provision_name_from(const char *file, char *ret, bool *ret_cut);
/* NAME-N, at the expense of NAME's end when that is too long. RET is not NAME. */
void provision_name_number(const char *name, unsigned n, char *ret);
/* NULL, or the rule of Azure's that the name breaks. */
const char *provision_name_wrong(const char *name);
/* "shop" of "shop.database.windows.net"; false: that is no name of a server. */
bool provision_server_from(const char *server, char *ret, size_t room);

/* ---- provision-note.c */
struct provision_note {
	char run[80], database[ODBC_NAME_ROOM], server[64], group[128];
	bool published;
};
struct provision_notes {
	struct provision_note *at;
	size_t count;
};
/* None when there is no file. */
int provision_notes_read(struct etl_instance *, struct provision_notes *ret, struct etl_error *);
void provision_notes_free(struct provision_notes *);
/* The note of RUN, or NULL. */
struct provision_note *provision_notes_find(const struct provision_notes *, const char *run);
/* Durable before it returns. In the place of another of the run; a published one replaces those published before. */
int provision_note_put(struct etl_instance *, const struct provision_note *, struct etl_error *);
int provision_note_drop(struct etl_instance *, const char *run, struct etl_error *);

/* ---- provision-az.c */
struct odbc_provision {
	const struct etl_conf *conf;
	bool looked;  /* what follows is known */
	bool pending; /* the database is not there */
	bool own;     /* it is this run's */
	bool made;    /* by this instance, and nobody but this call knows of it yet */
	char database[ODBC_NAME_ROOM]; /* "": nobody can say */
	char server[64], group[128], region[64];
};
/* What az says of a database. */
struct provision_shown {
	bool there;
	char run[80], status[32];
};
/* The server's group and region are known; it is where the pipeline wants it. */
int provision_find_server(struct etl_instance *, struct etl_error *);
int provision_show(struct etl_instance *, const char *database, struct provision_shown *ret, struct etl_error *);
int provision_create(struct etl_instance *, const char *database, const char *run, struct etl_error *);
/* The command, for people. */
void provision_add_command(struct etl_text *, struct etl_instance *, const char *database, const char *run);
/* Only when it bears the tag of RUN. *RET: it did, or was not there. */
int provision_delete(struct etl_instance *, const struct provision_note *, bool *ret, struct etl_error *);

/* ---- provision-make.c */
/* What other runs left is taken away, and the database made; it can be connected to when it returns. */
int provision_make(struct etl_instance *, const char *run, struct etl_error *);
/* What a run left: deleted, or, where it turns out to be published, so noted. */
int provision_take_away(struct etl_instance *, const struct provision_note *, struct etl_error *);

/* ---- provision.c */
int odbc_provision_open(struct etl_instance *, struct etl_error *);
/* Which database; *RET: it is not there yet, so that nothing can be asked of it. Without `provision` never. */
int odbc_provision_pending(struct etl_instance *, bool *ret, struct etl_error *);
/* By what name a new one would be made now. */
int provision_choose(struct etl_instance *, struct etl_error *);
/* In `begin`, before anything else. */
int odbc_provision_begin(struct etl_instance *, const struct etl_run *, struct etl_error *);
/* … and when what followed in it failed; RC is passed on. */
int odbc_provision_undo(struct etl_instance *, const struct etl_run *, int rc);
/* The run is published, so its database stays. A failure is a warning. */
void odbc_provision_keep(struct etl_instance *, const char *run);
/* In `abort`. *RET: the staging place went with its database, or never was. */
int odbc_provision_abort(struct etl_instance *, const struct etl_token *, bool *ret, struct etl_error *);
/* The database of NOTE, when it is there and bears its mark: connected to, asked by EACH, and left. */
int odbc_provision_enter(struct etl_instance *, const struct provision_note *,
			 int (*each)(struct etl_instance *, void *, struct etl_error *), void *, struct etl_error *);
/* Each database that a run left: connected to, asked by EACH, and left. */
int odbc_provision_each(struct etl_instance *, int (*each)(struct etl_instance *, void *, struct etl_error *), void *,
			struct etl_error *);
int odbc_provision_ping(struct etl_instance *, struct etl_fact_sink *, struct etl_error *);
/* The step that the plan shows. */
int odbc_provision_design(struct etl_instance *, struct etl_step_sink *, struct etl_error *);

#endif
