/* The consistent view in which a source is read. */
#ifndef ODBC_PIN_H
#define ODBC_PIN_H

#include "dialect.h"

int odbc_pin(struct etl_instance *, struct etl_token *ret, struct etl_error *);
int odbc_join(struct etl_instance *, const struct etl_token *, struct etl_error *);
int odbc_stamp(struct etl_instance *, struct etl_token *ret, struct etl_error *);
/* Connected, and the view that was pinned is still there: comes before everything that reads. */
int odbc_ready(struct etl_instance *, struct etl_error *);
/* A statement that was refused may have ended the view before a row was read in it: there is one again. */
int odbc_pin_anew(struct etl_instance *, struct etl_error *);
/* Several connections see one state. */
bool odbc_shares_view(const struct etl_instance *);

/* plan.c */
int odbc_plan(struct etl_instance *, const struct etl_read *, int64_t wanted, struct etl_split_sink *, struct etl_error *);

#endif
